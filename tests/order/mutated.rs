//! A body of which a condition is left out, or an answer not looked at.

use toctou::db::{Answer, Database, Expression, Filter, Reply, SqlError, Statement};

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

fn without(filter: &mut Filter, column: &str) {
    filter.retain(|condition| condition.column != column);
}

/// A database as a body finds it of which something is wrong.
#[derive(Debug)]
pub(crate) struct Mutated<'d, D> {
    pub(crate) db: &'d mut D,
    pub(crate) mutation: Mutation,
}

impl<D: Database> Database for Mutated<'_, D> {
    type Session = D::Session;

    fn connect(&mut self) -> Result<D::Session, SqlError> {
        self.db.connect()
    }

    fn execute(&mut self, session: &mut D::Session, statement: &Statement) -> Reply {
        let part = Part::of(statement);
        let mut statement = statement.clone();
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
        match (self.db.execute(session, &statement), self.mutation) {
            (Reply::Answer(Ok(Answer::Count(0))), Mutation::Blind(blind))
                if part == Some(blind) =>
            {
                Reply::Answer(Ok(Answer::Count(1)))
            }
            (reply, _) => reply,
        }
    }

    fn disconnect(&mut self, session: D::Session) {
        self.db.disconnect(session);
    }
}

/// A database that gives these answers, one after the other and then from the first again, and notes what it
/// was asked.
#[derive(Debug)]
pub(crate) struct Canned {
    answers: Vec<Answer>,
    pub(crate) asked: Vec<Statement>,
}

impl Canned {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Canned { answers: answers.into_iter().collect(), asked: Vec::new() }
    }
}

impl Database for Canned {
    type Session = ();

    fn connect(&mut self) -> Result<(), SqlError> {
        Ok(())
    }

    fn execute(&mut self, (): &mut (), statement: &Statement) -> Reply {
        let answer = self.answers[self.asked.len() % self.answers.len()].clone();
        self.asked.push(statement.clone());
        Reply::Answer(Ok(answer))
    }

    fn disconnect(&mut self, (): ()) {}
}
