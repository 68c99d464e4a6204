//! A body of which a condition is left out, or an answer not looked at.

use toctou::db::{Answer, Body, Expression, Filter, Next, SqlError, Statement};

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mutation {
    /// Nothing.
    Whole,
    /// The conditions on this column are left out of such statements.
    Without(Part, &'static str),
    /// Of such statements, no row changed is taken for one.
    Blind(Part),
}

/// What a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Look,
    /// An update that sets a value.
    Set,
    #[allow(dead_code)] // not every test binary has one
    Debit,
    #[allow(dead_code)]
    Credit,
}

impl Part {
    fn of(statement: &Statement) -> Option<Part> {
        match statement {
            Statement::Select(_) => Some(Part::Look),
            Statement::Update(update) => match update.set.first() {
                Some((_, Expression::Plus(amount))) if *amount < 0 => Some(Part::Debit),
                Some((_, Expression::Plus(_))) => Some(Part::Credit),
                _ => Some(Part::Set),
            },
            _ => None,
        }
    }
}

/// The body, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mutated<B> {
    pub(crate) body: B,
    pub(crate) mutation: Mutation,
}

fn without(filter: &mut Filter, column: &str) {
    filter.retain(|condition| condition.column != column);
}

impl<B: Body> Body for Mutated<B> {
    type Output = B::Output;

    fn statement(&self) -> Statement {
        let mut statement = self.body.statement();
        let part = Part::of(&statement);
        if let Mutation::Without(mutated, column) = self.mutation {
            match &mut statement {
                Statement::Select(select) if part == Some(mutated) => {
                    without(&mut select.filter, column);
                }
                Statement::Update(update) if part == Some(mutated) => {
                    without(&mut update.filter, column);
                }
                _ => {}
            }
        }
        statement
    }

    fn answered(self, answer: Answer) -> Next<Self, B::Output> {
        let Mutated { body, mutation } = self;
        let part = Part::of(&body.statement());
        let answer = match (answer, mutation) {
            (Answer::Count(0), Mutation::Blind(blind)) if part == Some(blind) => Answer::Count(1),
            (answer, _) => answer,
        };
        body.answered(answer).map(|body| Mutated { body, mutation }, |output| output)
    }

    fn failed(self, error: &SqlError) -> Option<B::Output> {
        self.body.failed(error)
    }
}
