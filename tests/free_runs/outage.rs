//! A database that goes away in the middle of free runs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use toctou::case::CaseError;
use toctou::db::{Cluster, Database, PostgresDb, PostgresSession, Reply, Row, SqlError, Statement};
use toctou::db::{Pooling, Table};
use toctou::replay::{FreeDb, ReplayError};

use super::{on, throwaway};

/// The server that is killed, and how many statements it still answers. One test uses it.
static SERVER: Mutex<Option<Arc<Cluster>>> = Mutex::new(None);

/// A PostgreSQL that dies after a number of statements, in the middle of a round.
#[derive(Clone)]
struct Mortal {
    db: PostgresDb,
    server: Arc<Cluster>,
    statements: Arc<AtomicUsize>,
}

const LAST: usize = 331;

impl Database for Mortal {
    type Session = PostgresSession;

    fn connect(&mut self) -> Result<PostgresSession, SqlError> {
        self.db.connect()
    }

    fn execute(&mut self, session: &mut PostgresSession, statement: &Statement) -> Reply {
        if self.statements.fetch_add(1, Ordering::Relaxed) == LAST {
            self.server.kill().expect("it runs");
        }
        self.db.execute(session, statement)
    }

    fn disconnect(&mut self, session: PostgresSession) {
        self.db.disconnect(session);
    }
}

impl FreeDb for Mortal {
    fn with_tables(tables: &[&'static Table], sessions: u32) -> Result<Self, ReplayError> {
        let server = SERVER.lock().expect("nobody panicked").clone().expect("it was started");
        let db = server.pooled_database(Pooling { sessions, ..Pooling::default() })?;
        db.create(tables)?;
        Ok(Mortal { db, server, statements: Arc::default() })
    }

    fn refill(&self, table: &'static Table, rows: Vec<Row>) -> Result<(), SqlError> {
        self.db.fill(table, rows)
    }

    fn left(&self, table: &'static Table) -> Result<Vec<Row>, SqlError> {
        self.db.rows(table)
    }
}

#[test]
fn a_server_that_dies_in_the_middle_of_free_runs_is_an_error_and_no_verdict() {
    let Some(server) = throwaway::own("a server that dies under free runs") else { return };
    let server = Arc::new(server);
    *SERVER.lock().expect("nobody panicked") = Some(Arc::clone(&server));
    for system in [
        ("order", "conditional-update", "cancels", 3),
        ("order", "process-mutex", "one-worker", 2),
        // This one opens a session anew and asks again.
        ("api_key", "on-conflict-returning", "unique-autocommit", 3),
        ("transfer", "ordered", "both-ways", 3),
    ] {
        let error = on::<Mortal>(system).stress(0, 100_000).expect_err("it was killed");
        let CaseError::Replay(ReplayError::Database(error)) = &error else {
            panic!("{system:?}: {error}");
        };
        assert!(error.state.is_outage(), "{system:?}: {error}");
        server.restart().expect("it starts again");
    }
    SERVER.lock().expect("nobody panicked").take();
}
