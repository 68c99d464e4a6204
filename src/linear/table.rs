//! Second floor, `linear`: a specification as a small table of states and answers. Imports its neighbours in
//! `linear`.

use super::Specification;

/// One line of a table: asked this in that state, the answer is so, and leaves another state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule<M> {
    /// What is asked.
    pub ask: String,
    /// In which state; `None`: in every state.
    pub state: Option<String>,
    /// Which answers are right.
    pub answer: M,
    /// The state after it; `None`: the same one.
    pub then: Option<String>,
}

/// A specification by its rules. `M` says which answers a rule is about, and `matches` whether one is among them.
#[derive(Clone, Debug)]
pub struct Table<M, A> {
    start: String,
    rules: Vec<Rule<M>>,
    matches: fn(&M, &A) -> bool,
}

/// What is wrong with a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// It has no rules.
    #[error("there is no rule: a rule is `ask`, `state`, `answer` and `then`")]
    Empty,
    /// No rule leads to this state, and it is not the first one.
    #[error("no rule leads to the state `{0}`, and it is not the start")]
    Unreachable(String),
}

impl<M, A> Table<M, A> {
    /// A table.
    ///
    /// # Errors
    ///
    /// If it is empty, or a rule is about a state that is never reached.
    pub fn new(
        start: &str,
        rules: Vec<Rule<M>>,
        matches: fn(&M, &A) -> bool,
    ) -> Result<Self, TableError> {
        if rules.is_empty() {
            return Err(TableError::Empty);
        }
        let is_known = |state: &str| {
            state == start || rules.iter().any(|rule| rule.then.as_deref() == Some(state))
        };
        let lost = rules.iter().filter_map(|rule| rule.state.as_deref()).find(|it| !is_known(it));
        match lost {
            Some(state) => Err(TableError::Unreachable(state.to_owned())),
            None => Ok(Table { start: start.to_owned(), rules, matches }),
        }
    }

    /// What can be asked.
    pub fn questions(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| &*rule.ask)
    }
}

impl<M, A> Specification for Table<M, A> {
    type Question = String;
    type Answer = A;
    type State = String;

    fn start(&self) -> String {
        self.start.clone()
    }

    fn after(&self, state: &String, question: &String, answer: Option<&A>) -> Vec<String> {
        let fits = |rule: &&Rule<M>| {
            rule.ask == *question
                && rule.state.as_ref().is_none_or(|it| it == state)
                && answer.is_none_or(|answer| (self.matches)(&rule.answer, answer))
        };
        let next = |rule: &Rule<M>| rule.then.as_ref().unwrap_or(state).clone();
        let mut states: Vec<String> = self.rules.iter().filter(fits).map(next).collect();
        states.sort();
        states.dedup();
        states
    }
}
