//! A database of which one statement fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use toctou::db::{Database, Reply, SqlError, SqlState, Statement};

/// What befalls a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The database refuses it, and does nothing.
    Fails(SqlState),
    /// The connection breaks, and the database never got it.
    BreaksBefore,
    /// The database does it, and the connection breaks before the answer is there.
    BreaksAfter,
}

/// A database round another. Clones count their statements together.
#[derive(Clone, Debug)]
pub(crate) struct Flaky<D> {
    db: D,
    sent: Arc<AtomicUsize>,
    nth: usize,
    fault: Fault,
}

impl<D> Flaky<D> {
    /// Its `nth` statement, counted from 0, fails.
    pub(crate) fn new(db: D, nth: usize, fault: Fault) -> Self {
        Flaky { db, sent: Arc::default(), nth, fault }
    }

    /// Whether there were as many statements.
    pub(crate) fn has_failed(&self) -> bool {
        self.sent.load(Ordering::SeqCst) > self.nth
    }
}

impl<D: Database> Database for Flaky<D> {
    /// None once the connection broke.
    type Session = Option<D::Session>;

    fn connect(&mut self) -> Result<Self::Session, SqlError> {
        self.db.connect().map(Some)
    }

    fn execute(&mut self, session: &mut Self::Session, statement: &Statement) -> Reply {
        let broken = || Reply::Answer(Err(SqlState::CONNECTION_FAILURE.into()));
        let Some(alive) = session else { return broken() };
        if self.sent.fetch_add(1, Ordering::SeqCst) != self.nth {
            return self.db.execute(alive, statement);
        }
        if let Fault::Fails(state) = self.fault {
            // A commit that fails has ended its transaction.
            if *statement == Statement::Commit {
                self.db.execute(alive, &Statement::Rollback);
            }
            return Reply::Answer(Err(state.into()));
        }
        if self.fault == Fault::BreaksAfter {
            self.db.execute(alive, statement);
        }
        if let Some(session) = session.take() {
            self.db.disconnect(session);
        }
        broken()
    }

    fn disconnect(&mut self, session: Self::Session) {
        if let Some(session) = session {
            self.db.disconnect(session);
        }
    }
}
