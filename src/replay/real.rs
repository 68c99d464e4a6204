//! Fourth floor, `replay`: the real databases, furnished. Imports [`db`](crate::db) and its
//! neighbours in `replay`.

use std::sync::{Mutex, PoisonError};

use super::{Place, RealDb, ReplayError, Tables};
use crate::db::{Cluster, ClusterError, SqliteDb, SteppedDb, Table, Watch};

/// A file of its own in memory, gone with its last session.
impl RealDb for SqliteDb {
    const PLACE: Place = Place::Sqlite;

    fn furnished(tables: &Tables) -> Result<Self, ReplayError> {
        let db = SqliteDb::in_memory()?;
        db.create(&names(tables))?;
        for (table, rows) in tables.iter() {
            db.fill(table, rows.iter().cloned())?;
        }
        Ok(db)
    }

    fn remains(self, tables: &Tables) -> Result<Tables, ReplayError> {
        tables
            .iter()
            .try_fold(Tables::new(), |left, (table, _)| Ok(left.with(table, self.rows(table)?)))
    }
}

/// A schema of its own in the throw-away server of this process, which is started when it is first
/// needed. Its sessions are a process of the server each; they are kept for the next replay with the
/// same tables.
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
                db.database().create(&names(tables))?;
                db
            }
        };
        for (table, rows) in tables.iter() {
            db.database().fill(table, rows.iter().cloned())?;
        }
        Ok(db)
    }

    fn remains(self, tables: &Tables) -> Result<Tables, ReplayError> {
        let left = tables.iter().try_fold(Tables::new(), |left, (table, _)| {
            Ok::<_, ReplayError>(left.with(table, self.database().rows(table)?))
        })?;
        let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
        free.push((names(tables), self));
        Ok(left)
    }
}

/// Databases that nobody uses at the moment, with the tables they have.
static FREE: Mutex<Vec<(Vec<&'static Table>, SteppedDb)>> = Mutex::new(Vec::new());

fn kept(tables: &Tables) -> Option<SteppedDb> {
    let names = names(tables);
    let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let position = free.iter().position(|(known, _)| *known == names)?;
    Some(free.swap_remove(position).1)
}

fn names(tables: &Tables) -> Vec<&'static Table> {
    tables.iter().map(|(table, _)| table).collect()
}

fn no_server(error: &'static ClusterError) -> ReplayError {
    match error {
        ClusterError::NotInstalled { .. } | ClusterError::NoUser => {
            ReplayError::NotHere(error.to_string())
        }
        failed => ReplayError::Server(failed),
    }
}
