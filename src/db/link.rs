//! First floor, `db`: a connection to a real database, and where its transaction stands. Imports its
//! neighbours in `db`.

use super::{Answer, SqlError, SqlState, Statement};

/// What a database's own library does with statements.
pub(super) trait Wire {
    /// `BEGIN`, `COMMIT` or `ROLLBACK`. After any of them but a `BEGIN` that succeeds, no transaction
    /// is under way; but one may be after a `ROLLBACK` that fails.
    fn control(&mut self, statement: &Statement) -> Result<(), SqlError>;

    /// Any other statement.
    fn ask(&mut self, statement: &Statement) -> Result<Answer, SqlError>;
}

/// An answer that could not be read: of a statement that may have changed something, what it did is
/// done.
pub(super) fn unread(statement: &Statement, error: SqlError) -> SqlError {
    match statement {
        Statement::Select(_) => error,
        _ => SqlError { state: SqlState::STATEMENT_COMPLETION_UNKNOWN, ..error },
    }
}

/// A connection that behaves as every world here: a transaction in which a statement failed accepts
/// nothing but its end, and `BEGIN`, `COMMIT` and `ROLLBACK` in the wrong place are errors.
///
/// After an error of [the connection](SqlState::is_connection) nothing more is sent by it.
#[derive(Debug)]
pub(super) struct Link<W> {
    pub(super) wire: W,
    transaction: Transaction,
    is_broken: bool,
    /// It may have advisory locks, which last as long as the connection.
    #[cfg_attr(not(feature = "sql"), allow(dead_code, reason = "only text asks for them"))]
    has_locks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
    Failed,
}

impl<W: Wire> Link<W> {
    pub(super) fn new(wire: W) -> Self {
        Link { wire, transaction: Transaction::None, is_broken: false, has_locks: false }
    }

    /// Whether nobody else can use it: it broke, or is within a transaction.
    pub(super) fn is_spoilt(&self) -> bool {
        self.is_broken || self.transaction != Transaction::None
    }

    /// Rolls back what is under way, and lets go of what a session keeps from one transaction to the next. So the
    /// connection is as a new one.
    pub(super) fn leave(&mut self) -> Result<(), SqlError> {
        self.end()?;
        #[cfg(feature = "sql")]
        if self.has_locks && !self.is_broken {
            self.execute(&Statement::sql("SELECT pg_advisory_unlock_all()", []))?;
            self.has_locks = false;
        }
        Ok(())
    }

    /// Rolls back what is under way.
    pub(super) fn end(&mut self) -> Result<(), SqlError> {
        if self.transaction != Transaction::None && !self.is_broken {
            self.tell(&Statement::Rollback)?;
            self.transaction = Transaction::None;
        }
        Ok(())
    }

    pub(super) fn execute(&mut self, statement: &Statement) -> Result<Answer, SqlError> {
        if self.is_broken {
            return Err(SqlError::new(SqlState::CONNECTION_FAILURE, "it broke before"));
        }
        match (statement, self.transaction) {
            (Statement::Begin(_), Transaction::None) => {
                self.tell(statement)?;
                self.transaction = Transaction::Open;
                Ok(Answer::Begun)
            }
            (Statement::Begin(_), Transaction::Open | Transaction::Failed) => {
                Err(SqlState::ACTIVE_TRANSACTION.into())
            }
            (Statement::Commit | Statement::Rollback, Transaction::None) => {
                Err(SqlState::NO_ACTIVE_TRANSACTION.into())
            }
            (Statement::Commit, Transaction::Open) => {
                self.transaction = Transaction::None;
                self.tell(statement).map(|()| Answer::Committed)
            }
            (Statement::Commit, Transaction::Failed) | (Statement::Rollback, _) => {
                self.end().map(|()| Answer::RolledBack)
            }
            (_, Transaction::Failed) => Err(SqlState::IN_FAILED_TRANSACTION.into()),
            _ => {
                #[cfg(feature = "sql")]
                if let Statement::Text(text) = statement {
                    self.has_locks |= text.text().contains("advisory");
                }
                let answer = self.wire.ask(statement);
                if answer.is_err() && self.transaction == Transaction::Open {
                    self.transaction = Transaction::Failed;
                }
                answer.inspect_err(|error| self.is_broken |= error.state.is_connection())
            }
        }
    }

    fn tell(&mut self, statement: &Statement) -> Result<(), SqlError> {
        let told = self.wire.control(statement);
        told.inspect_err(|error| self.is_broken |= error.state.is_connection())
    }
}
