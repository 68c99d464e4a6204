//! A database between a handler and the real or the simulated one: it fails as it is told to, or
//! says and does something else than it is asked to.

use toctou::db::{
    Answer, Database, Insert, OnConflict, Reply, Returning, Select, SqlError, SqlState, Statement,
    Value, row,
};
use toctou::handlers::API_KEYS;

/// What happens to a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The connection breaks before the statement arrives.
    Unsent,
    /// The connection breaks when the statement is done, and its answer is lost.
    Unanswered,
    /// The disk is full.
    Full,
    /// Another transaction came first.
    Conflict,
    /// Not to a statement: the next session cannot be opened.
    Unreachable,
    /// A control, no fault of any database: it is done, and answered that it was not.
    Lie,
}

/// What is mistaken about the machine: seen from here, it asks for something else, or takes an answer
/// for something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mistake {
    /// It leaves `ON CONFLICT` out.
    NoOnConflict,
    /// It overwrites.
    Overwrites,
    /// It leaves `RETURNING` out.
    NoReturning,
    /// It takes having asked for having inserted.
    TrustsTheInsert,
    /// It looks first, and inserts in another statement.
    LooksInstead,
    /// It inserts for somebody else.
    OtherUser,
    /// It does not look whose key there is.
    NeverLooks,
}

/// A database that fails by a script, one entry a statement, and serves a mistaken machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Flaky<D> {
    pub(crate) db: D,
    script: Vec<Fault>,
    mistake: Option<Mistake>,
    /// An answer was lost.
    pub(crate) has_lost: bool,
}

impl<D> Flaky<D> {
    pub(crate) fn new(db: D, script: &[Fault]) -> Self {
        // The next one last.
        let script = script.iter().rev().copied().collect();
        Flaky { db, script, mistake: None, has_lost: false }
    }

    pub(crate) fn mistaken(self, mistake: Mistake) -> Self {
        Flaky { mistake: Some(mistake), ..self }
    }

    /// What is asked in place of a statement.
    fn asked(&self, statement: &Statement) -> Statement {
        let Statement::Insert(insert) = statement else { return statement.clone() };
        let insert = insert.clone();
        match self.mistake {
            Some(Mistake::NoOnConflict) => insert.on_conflict(OnConflict::Fail).into(),
            Some(Mistake::Overwrites) => {
                insert.on_conflict(OnConflict::DoUpdate(vec!["key"])).into()
            }
            Some(Mistake::NoReturning) => insert.returning(Returning::Count).into(),
            Some(Mistake::LooksInstead) => {
                let user = insert.row.first().and_then(Value::int).unwrap_or(0);
                Select::columns(&API_KEYS, &["key"]).filter("user_id", user).into()
            }
            Some(Mistake::OtherUser) => {
                let key = insert.row.last().cloned().unwrap_or(Value::Int(0));
                Insert { row: row([99.into(), key]), ..insert }.into()
            }
            _ => insert.into(),
        }
    }

    /// What is heard in place of an answer.
    fn heard(&self, statement: &Statement, answer: Answer) -> Answer {
        let key = || match statement {
            Statement::Insert(insert) => insert.row.last().cloned().into_iter().collect(),
            _ => Vec::new(),
        };
        match (self.mistake, statement) {
            (Some(Mistake::TrustsTheInsert), Statement::Insert(_)) => {
                Answer::Rows(vec![key().into()])
            }
            // No key there: then it goes on as if it had put one in.
            (Some(Mistake::LooksInstead), Statement::Insert(_)) if answer.rows().is_empty() => {
                Answer::Rows(vec![key().into()])
            }
            (Some(Mistake::LooksInstead), Statement::Insert(_)) => Answer::Rows(Vec::new()),
            (Some(Mistake::NeverLooks), Statement::Select(_)) => {
                Answer::Rows(vec![toctou::db::row(["somebody else's".into()])])
            }
            _ => answer,
        }
    }
}

impl<D: Database> Database for Flaky<D> {
    type Session = D::Session;

    fn connect(&mut self) -> Result<D::Session, SqlError> {
        if self.script.last() == Some(&Fault::Unreachable) {
            self.script.pop();
            return Err(SqlState::CONNECTION_REFUSED.into());
        }
        self.db.connect()
    }

    fn execute(&mut self, session: &mut D::Session, statement: &Statement) -> Reply {
        let fault = match self.script.last() {
            // That waits for somebody to connect.
            Some(Fault::Unreachable) | None => Fault::None,
            Some(_) => self.script.pop().unwrap_or(Fault::None),
        };
        let failed = |state: SqlState| Reply::Answer(Err(state.into()));
        match fault {
            Fault::Unsent => return failed(SqlState::CONNECTION_FAILURE),
            Fault::Full => return failed(SqlState::DISK_FULL),
            Fault::Conflict => return failed(SqlState::SERIALIZATION_FAILURE),
            Fault::None | Fault::Unanswered | Fault::Unreachable | Fault::Lie => {}
        }
        let reply = match self.db.execute(session, &self.asked(statement)) {
            Reply::Answer(Ok(answer)) => Reply::Answer(Ok(self.heard(statement, answer))),
            reply => reply,
        };
        match fault {
            Fault::Unanswered => {
                self.has_lost = true;
                failed(SqlState::CONNECTION_FAILURE)
            }
            Fault::Lie => failed(SqlState::DISK_FULL),
            _ => reply,
        }
    }

    fn disconnect(&mut self, session: D::Session) {
        self.db.disconnect(session);
    }
}
