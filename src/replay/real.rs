//! Fourth floor, `replay`: the real databases, furnished. Imports [`db`](crate::db) and its
//! neighbours in `replay`.

use std::sync::{Mutex, PoisonError};

use super::{FreeDb, Place, RealDb, ReplayError, Tables};
use crate::db::{
    Cluster, ClusterError, Pooling, PostgresDb, Row, SqlError, SqliteDb, SteppedDb, Table, Watch,
};

/// Each database is a file of its own in memory, gone with its last session.
impl RealDb for SqliteDb {
    const PLACE: Place = Place::Sqlite;

    fn furnished(tables: &Tables) -> Result<Self, ReplayError> {
        let db = SqliteDb::with_tables(&tables.names(), Pooling::default().sessions)?;
        db.furnish(tables)?;
        Ok(db)
    }

    fn remains(self, tables: &Tables) -> Result<Tables, ReplayError> {
        Ok(self.read(tables)?)
    }
}

/// Each database is a schema of its own in this process's throw-away server, which starts when it
/// is first needed. Each of its sessions is a process of the server. The sessions are kept for the
/// next replay with the same tables.
impl RealDb for SteppedDb {
    const PLACE: Place = Place::Postgres;

    fn watch(&self) -> Option<Watch> {
        Some(SteppedDb::watch(self))
    }

    fn furnished(tables: &Tables) -> Result<Self, ReplayError> {
        let db = match kept(tables) {
            Some(db) => db,
            None => {
                let cluster = Cluster::shared().map_err(no_server)?;
                let db = SteppedDb::new(cluster)?;
                db.database().create(&tables.names())?;
                db
            }
        };
        db.database().furnish(tables)?;
        Ok(db)
    }

    fn remains(self, tables: &Tables) -> Result<Tables, ReplayError> {
        let left = self.database().read(tables)?;
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        free.push((tables.names(), self));
        Ok(left)
    }
}

/// Each database is a file of its own in memory, as for [replays](RealDb).
impl FreeDb for SqliteDb {
    fn with_tables(tables: &[&'static Table], sessions: u32) -> Result<Self, ReplayError> {
        let db = SqliteDb::pooled_in_memory(Pooling { sessions, ..Pooling::default() })?;
        db.create(tables)?;
        Ok(db)
    }

    fn refill(&self, table: &'static Table, rows: Vec<Row>) -> Result<(), SqlError> {
        self.fill(table, rows)
    }

    fn left(&self, table: &'static Table) -> Result<Vec<Row>, SqlError> {
        self.rows(table)
    }
}

/// Each database is a schema of its own in this process's throw-away server, which starts when it
/// is first needed.
impl FreeDb for PostgresDb {
    fn with_tables(tables: &[&'static Table], sessions: u32) -> Result<Self, ReplayError> {
        let cluster = Cluster::shared().map_err(no_server)?;
        let db = cluster.pooled_database(Pooling { sessions, ..Pooling::default() })?;
        db.create(tables)?;
        Ok(db)
    }

    fn refill(&self, table: &'static Table, rows: Vec<Row>) -> Result<(), SqlError> {
        self.fill(table, rows)
    }

    fn left(&self, table: &'static Table) -> Result<Vec<Row>, SqlError> {
        self.rows(table)
    }
}

/// Databases that nobody uses at the moment, with the tables they have.
static FREE: Mutex<Vec<(Vec<&'static Table>, SteppedDb)>> = Mutex::new(Vec::new());

fn kept(tables: &Tables) -> Option<SteppedDb> {
    let names = tables.names();
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let position = free.iter().position(|(known, _)| *known == names)?;
    Some(free.swap_remove(position).1)
}

pub(super) fn no_server(error: &'static ClusterError) -> ReplayError {
    match error {
        ClusterError::NotInstalled { .. } | ClusterError::NoUser => {
            ReplayError::NotHere(error.to_string())
        }
        failed => ReplayError::Server(failed),
    }
}
