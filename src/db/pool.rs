//! First floor, `db`: sessions that wait for their next use, and what tests, replays and benches do
//! to whole tables of the real databases. Imports its neighbours in `db`, and r2d2.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use r2d2::{HandleError, ManageConnection, PooledConnection};

use super::{Answer, Database, Delete, Insert, Isolation, Reply, Row, Select, Table};
use super::{SqlError, SqlState, Statement};

/// How many sessions a real database's pool has, and how long it waits for a free one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pooling {
    /// How many sessions there are at most; at least one.
    pub sessions: u32,
    /// How long to wait for a free session, or for a server that cannot be reached. After that it
    /// is an error.
    pub patience: Duration,
}

impl Default for Pooling {
    /// 10 sessions, 5 seconds.
    fn default() -> Self {
        Pooling { sessions: 10, patience: Duration::from_secs(5) }
    }
}

/// A pool that says in SQLSTATE why it has no session to give.
pub(super) struct Pool<M: ManageConnection> {
    sessions: r2d2::Pool<M>,
    trouble: Arc<Trouble>,
}

/// The last error of opening a session, and when.
#[derive(Debug, Default)]
struct Trouble(Mutex<Option<(Instant, SqlError)>>);

impl HandleError<SqlError> for Trouble {
    fn handle_error(&self, error: SqlError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), error));
    }
}

impl<M: ManageConnection<Error = SqlError>> Pool<M> {
    /// A pool of what the manager opens; the first session is tried at once.
    pub(super) fn new(manager: M, pooling: Pooling) -> Result<Self, SqlError> {
        drop(manager.connect()?);
        let trouble = Arc::new(Trouble::default());
        let sessions = r2d2::Pool::builder()
            .max_size(pooling.sessions.max(1))
            .min_idle(Some(0))
            .connection_timeout(pooling.patience.max(Duration::from_millis(1)))
            .error_handler(Box::new(Handle(Arc::clone(&trouble))))
            .build_unchecked(manager);
        Ok(Pool { sessions, trouble })
    }

    /// A session, waited for.
    pub(super) fn get(&self) -> Result<PooledConnection<M>, SqlError> {
        let begun = Instant::now();
        self.sessions.get().map_err(|timeout| {
            let trouble = self.trouble.0.lock().unwrap_or_else(PoisonError::into_inner);
            match &*trouble {
                Some((when, error)) if *when >= begun => error.clone(),
                // One more was wanted, and is not there yet.
                _ if self.sessions.state().connections < self.sessions.max_size() => {
                    SqlError::new(SqlState::CONNECTION_REFUSED, &timeout.to_string())
                }
                _ => {
                    let sessions = self.sessions.max_size();
                    let said = format!("all {sessions} of the pool's sessions are in use");
                    SqlError::new(SqlState::TOO_MANY_CONNECTIONS, &said)
                }
            }
        })
    }
}

/// A session of a pool, which threads may hand to one another, and of which one at a time makes use.
#[derive(Debug)]
pub(super) struct Pooled<M: ManageConnection<Connection: fmt::Debug>>(Mutex<PooledConnection<M>>);

impl<M: ManageConnection<Connection: fmt::Debug>> Pooled<M> {
    pub(super) fn new(session: PooledConnection<M>) -> Self {
        Pooled(Mutex::new(session))
    }

    pub(super) fn get(&mut self) -> &mut M::Connection {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// r2d2 wants a box of its own.
#[derive(Debug)]
struct Handle(Arc<Trouble>);

impl HandleError<SqlError> for Handle {
    fn handle_error(&self, error: SqlError) {
        self.0.handle_error(error);
    }
}

impl<M: ManageConnection> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Pool { sessions: self.sessions.clone(), trouble: Arc::clone(&self.trouble) }
    }
}

impl<M: ManageConnection> fmt::Debug for Pool<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.sessions.state(), f)
    }
}

/// Puts rows into a table, all or none; with `instead` those that are there go.
pub(super) fn insert(
    db: &mut impl Database,
    table: &'static Table,
    rows: impl IntoIterator<Item = Row>,
    instead: bool,
) -> Result<(), SqlError> {
    let mut session = db.connect()?;
    let mut ask = |statement| match db.execute(&mut session, &statement) {
        Reply::Answer(answer) => answer,
        Reply::Queued | Reply::Waiting | Reply::Underway(_) => Err(SqlState::INTERNAL_ERROR.into()),
    };
    ask(Statement::Begin(Isolation::ReadCommitted))?;
    if instead {
        ask(Delete::new(table).into())?;
    }
    for row in rows {
        ask(Insert::new(table, row).into())?;
    }
    match ask(Statement::Commit)? {
        Answer::RolledBack => Err(SqlState::IN_FAILED_TRANSACTION.into()),
        _ => Ok(()),
    }
}

/// The committed rows of a table, sorted.
pub(super) fn rows(db: &mut impl Database, table: &'static Table) -> Result<Vec<Row>, SqlError> {
    let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    let mut session = db.connect()?;
    let all = Select::columns(table, &columns).into();
    match db.execute(&mut session, &all) {
        Reply::Answer(answer) => {
            let mut rows = answer?.rows().to_vec();
            rows.sort();
            Ok(rows)
        }
        Reply::Queued | Reply::Waiting | Reply::Underway(_) => Err(SqlState::INTERNAL_ERROR.into()),
    }
}
