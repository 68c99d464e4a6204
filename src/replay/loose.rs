//! Fourth floor, `replay`: the actors let loose on a real database, no step-lock. Imports
//! [`db`](crate::db) and its neighbours in `replay`.

use std::sync::Arc;
use std::time::Duration;

use super::crowd::{Crowd, PATIENCE};
use super::database::Actors;
use super::{ReplayError, Tables};
use crate::Process;
use crate::db::{Database, Handle, Row, ServerMemory, SharedServers, SqlError, Table};

/// A real database whose sessions run beside one another, as its users' do. A clone is the same one.
pub trait FreeDb: Database<Session: Send> + Clone + Send + 'static {
    /// A fresh one, nobody else's, with these tables and room for so many sessions.
    ///
    /// # Errors
    ///
    /// [`ReplayError::NotHere`] where there is no such database on this machine, with what to install;
    /// anything else if it is there and fails.
    fn with_tables(tables: &[&'static Table], sessions: u32) -> Result<Self, ReplayError>;

    /// Has a table hold these rows and no others.
    ///
    /// # Errors
    ///
    /// The database's.
    fn refill(&self, table: &'static Table, rows: Vec<Row>) -> Result<(), SqlError>;

    /// The committed rows of a table.
    ///
    /// # Errors
    ///
    /// The database's.
    fn left(&self, table: &'static Table) -> Result<Vec<Row>, SqlError>;
}

/// A system whose actors can be let loose on a real database `D`.
pub struct Loose<D, Q> {
    actors: Arc<Actors<D, Q>>,
    patience: Duration,
}

impl<D: FreeDb, Q> Loose<D, Q> {
    /// `actors` opens the sessions of a start's processes, and gives these in the order of the
    /// simulated system's.
    pub fn new(
        actors: impl Fn(usize, &mut D) -> Result<Vec<Q>, SqlError> + Send + Sync + 'static,
    ) -> Self {
        Loose { actors: Arc::new(actors), patience: PATIENCE }
    }

    /// A round that takes longer than this is given up: the server does not answer. A minute, unless
    /// this says otherwise.
    pub fn patient_for(self, patience: Duration) -> Self {
        Loose { patience, ..self }
    }
}

/// How a free run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeRun<T> {
    /// What the actors ended with, in their order; `None` if they never did, for all who had not ended
    /// waited for one another.
    pub ended: Option<Vec<T>>,
    /// The committed rows.
    pub left: Tables,
    /// What the server processes had in memory.
    pub memory: ServerMemory,
}

/// A [`Loose`] system whose actors end with `T`, whatever its database and its processes are.
pub trait LetLoose<T>: Send + Sync {
    /// Runs all `actors` (so many) of a start at once, each on a real thread with a session of its own,
    /// `rounds` times, each time in a database that holds `tables` and nothing more, beside server
    /// processes of this memory, and shows `judge` how they ended.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Database`] if the database fails in a way that has nothing to do with what it is
    /// asked (such a run is not judged), [`ReplayError::Late`] if it does not answer.
    fn let_loose(
        &self,
        start: usize,
        actors: usize,
        tables: &Tables,
        memory: &ServerMemory,
        rounds: usize,
        judge: &mut dyn FnMut(FreeRun<T>),
    ) -> Result<(), ReplayError>;
}

impl<D, Q, T> LetLoose<T> for Loose<D, Q>
where
    D: FreeDb,
    Q: Process<Handle<D>, Output = T> + Send + 'static,
    T: Send + 'static,
{
    fn let_loose(
        &self,
        start: usize,
        actors: usize,
        tables: &Tables,
        memory: &ServerMemory,
        rounds: usize,
        judge: &mut dyn FnMut(FreeRun<T>),
    ) -> Result<(), ReplayError> {
        let names: Vec<_> = tables.iter().map(|(table, _)| table).collect();
        // One for the tables, and one for who opens another.
        let sessions = u32::try_from(actors + 2).unwrap_or(u32::MAX);
        let db = D::with_tables(&names, sessions)?;

        let act = |(process, handle): (Q, Handle<D>)| handle.drive(process);
        let mut crowd = Crowd::new(actors, self.patience, act)?;
        // A server that hangs is not to hang who waits for the tables either.
        let mut furnisher = Crowd::new(1, self.patience, {
            let (db, tables, actors) = (db.clone(), tables.clone(), Arc::clone(&self.actors));
            move |()| {
                for (table, rows) in tables.iter() {
                    db.refill(table, rows.to_vec())?;
                }
                actors(start, &mut db.clone())
            }
        })?;
        let mut reader = Crowd::new(1, self.patience, {
            let db = db.clone();
            move |()| {
                let rows = names.iter().map(|table| Ok((*table, db.left(table)?)));
                rows.collect::<Result<Vec<_>, SqlError>>()
            }
        })?;

        for _ in 0..rounds {
            let processes: Vec<Q> = only(&mut furnisher)?;
            let servers = SharedServers::new(db.clone(), memory.clone());
            let jobs = processes.into_iter().map(|process| (process, servers.join())).collect();
            let ended = crowd.round(jobs)?.into_iter().collect();
            if let Some(error) = servers.outage() {
                return Err(error.into());
            }
            let left = only(&mut reader)?.into_iter();
            let left = left.fold(Tables::new(), |left, (table, rows)| left.with(table, rows));
            judge(FreeRun { ended, left, memory: servers.memory() });
        }
        Ok(())
    }
}

/// What the one thread of this crowd answers.
fn only<T: Send + 'static>(crowd: &mut Crowd<(), Result<T, SqlError>>) -> Result<T, ReplayError> {
    let answer = crowd.round(vec![()])?.pop();
    Ok(answer.ok_or(ReplayError::Panicked(0))??)
}
