//! Fourth floor, `replay`: the actors let loose on a real database, no step-lock. Imports
//! [`db`](crate::db) and its neighbours in `replay`.

use std::sync::Arc;
use std::time::Duration;

use super::crowd::{Crowd, PATIENCE};
use super::database::Actors;
use super::{ReplayError, Tables};
use crate::Process;
use crate::db::{Database, Handle, Row, ServerMemory, SharedServers, SqlError, Table};

/// A real database whose sessions run concurrently, as its users' do. A clone is the same database.
pub trait FreeDb: Database<Session: Send> + Clone + Send + 'static {
    /// A fresh database that nobody else uses, with these tables and room for this many sessions.
    ///
    /// # Errors
    ///
    /// [`ReplayError::NotHere`] if there is no such database on this machine: it says what to
    /// install. Another error if the database is there and fails.
    fn with_tables(tables: &[&'static Table], sessions: u32) -> Result<Self, ReplayError>;

    /// Replaces the rows of a table with these rows.
    ///
    /// # Errors
    ///
    /// The database's error.
    fn refill(&self, table: &'static Table, rows: Vec<Row>) -> Result<(), SqlError>;

    /// The committed rows of a table.
    ///
    /// # Errors
    ///
    /// The database's error.
    fn left(&self, table: &'static Table) -> Result<Vec<Row>, SqlError>;

    /// Replaces the rows of each of these tables with its rows in `tables`.
    ///
    /// # Errors
    ///
    /// The database's error.
    fn furnish(&self, tables: &Tables) -> Result<(), SqlError> {
        tables.iter().try_for_each(|(table, rows)| self.refill(table, rows.to_vec()))
    }

    /// The committed rows of these tables.
    ///
    /// # Errors
    ///
    /// The database's error.
    fn read(&self, tables: &Tables) -> Result<Tables, SqlError> {
        let mut all = tables.iter();
        all.try_fold(Tables::new(), |read, (table, _)| Ok(read.with(table, self.left(table)?)))
    }
}

/// A system whose actors can run freely on a real database `D`.
pub struct Loose<D, Q> {
    actors: Arc<Actors<D, Q>>,
    patience: Duration,
}

impl<D: FreeDb, Q> Loose<D, Q> {
    /// `actors` opens the sessions of a start's processes, and returns the processes in the order
    /// of the simulated system's.
    pub fn new(
        actors: impl Fn(usize, &mut D) -> Result<Vec<Q>, SqlError> + Send + Sync + 'static,
    ) -> Self {
        Loose { actors: Arc::new(actors), patience: PATIENCE }
    }

    /// Sets how long a round may take: a minute by default. A round that takes longer is given up,
    /// because the server does not answer.
    pub fn patient_for(self, patience: Duration) -> Self {
        Loose { patience, ..self }
    }
}

/// How a free run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeRun<T> {
    /// The results of the actors, in their order. `None` if the run never ended: all actors that
    /// had not ended waited for one another.
    pub ended: Option<Vec<T>>,
    /// The committed rows at the end.
    pub left: Tables,
    /// What the server processes had in memory.
    pub memory: ServerMemory,
}

/// A [`Loose`] system whose actors end with `T`, with any database and processes.
pub trait LetLoose<T>: Send + Sync {
    /// Runs all `actors` of a start at once, `rounds` times, and calls `judge` with the end of each
    /// round. Each actor runs on a real thread with a session of its own. Each round begins with a
    /// database that holds `tables` and nothing more, beside server processes with this memory.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Database`] if the database fails in a way that has nothing to do with its
    /// statements; such a run is not judged. [`ReplayError::Late`] if it does not answer.
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
        // One for the tables, and one for who opens another.
        let sessions = u32::try_from(actors + 2).unwrap_or(u32::MAX);
        let db = D::with_tables(&tables.names(), sessions)?;

        let act = |(process, handle): (Q, Handle<D>)| handle.drive(process);
        let mut crowd = Crowd::new(actors, self.patience, act)?;
        // A server that hangs is not to hang who waits for the tables either.
        let mut furnisher = Crowd::new(1, self.patience, {
            let (db, tables, actors) = (db.clone(), tables.clone(), Arc::clone(&self.actors));
            move |()| {
                db.furnish(&tables)?;
                actors(start, &mut db.clone())
            }
        })?;
        let mut reader = Crowd::new(1, self.patience, {
            let (db, tables) = (db.clone(), tables.clone());
            move |()| db.read(&tables)
        })?;

        for _ in 0..rounds {
            let processes: Vec<Q> = only(&mut furnisher)?;
            let servers = SharedServers::new(db.clone(), memory.clone());
            let jobs = processes.into_iter().map(|process| (process, servers.join())).collect();
            let ended = crowd.round(jobs)?.into_iter().collect();
            if let Some(error) = servers.outage() {
                return Err(error.into());
            }
            judge(FreeRun { ended, left: only(&mut reader)?, memory: servers.memory() });
        }
        Ok(())
    }
}

/// What the one thread of this crowd answers.
fn only<T: Send + 'static>(crowd: &mut Crowd<(), Result<T, SqlError>>) -> Result<T, ReplayError> {
    let answer = crowd.round(vec![()])?.pop();
    Ok(answer.ok_or(ReplayError::Panicked(0))??)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::db::{
        Answer, Column, Failure, Reply, SqlState, SqliteDb, SqliteSession, Statement, Update, row,
    };
    use crate::{Step, run};

    static COUNTERS: Table = Table {
        name: "counters",
        columns: &[Column::int("id"), Column::int("count")],
        unique: Some("id"),
    };

    /// Adds one, by a statement, and says how many rows that changed.
    struct Adds<S>(S);

    impl<D: Database> Process<D> for Adds<D::Session> {
        type Output = Result<u64, Failure>;

        fn step(mut self, db: &mut D) -> Step<Self, Self::Output> {
            let add = Update::new(&COUNTERS).add("count", 1).filter("id", 1).into();
            let answer = db.answer(&mut self.0, &add);
            Step::Done(answer.map(|answer| answer.count()).map_err(Failure::from))
        }
    }

    fn tables(count: i64) -> Tables {
        Tables::new().with(&COUNTERS, [row([1.into(), count.into()])])
    }

    fn adders<D: FreeDb>(count: usize) -> Loose<D, Adds<D::Session>> {
        Loose::new(move |_, db: &mut D| (0..count).map(|_| db.connect().map(Adds)).collect())
    }

    #[test]
    fn each_round_begins_with_the_same_rows_and_all_act() {
        let mut seen = Vec::new();
        let mut judge = |run| seen.push(run);
        let memory = ServerMemory::new(0);
        let loose = adders::<SqliteDb>(12);
        loose.let_loose(0, 12, &tables(5), &memory, 3, &mut judge).unwrap();
        let expected = FreeRun { ended: Some(vec![Ok(1); 12]), left: tables(17), memory };
        assert_eq!(seen, vec![expected; 3], "more than a pool has by default, too");
    }

    /// A database that answers a statement only once it is told to, or is broken.
    #[derive(Clone)]
    struct Odd(SqliteDb);

    /// Until its other end is gone, a statement hangs.
    static HANGS: Mutex<Option<Receiver<()>>> = Mutex::new(None);

    impl Database for Odd {
        type Session = SqliteSession;

        fn connect(&mut self) -> Result<SqliteSession, SqlError> {
            self.0.connect()
        }

        fn execute(&mut self, _: &mut SqliteSession, _: &Statement) -> Reply {
            match HANGS.lock().unwrap_or_else(PoisonError::into_inner).take() {
                Some(hangs) => {
                    let _ = hangs.recv();
                    Reply::Answer(Ok(Answer::Count(1)))
                }
                None => Reply::Answer(Err(SqlState::DISK_FULL.into())),
            }
        }

        fn disconnect(&mut self, session: SqliteSession) {
            drop(session);
        }
    }

    impl FreeDb for Odd {
        fn with_tables(tables: &[&'static Table], sessions: u32) -> Result<Self, ReplayError> {
            SqliteDb::with_tables(tables, sessions).map(Odd)
        }

        fn refill(&self, table: &'static Table, rows: Vec<Row>) -> Result<(), SqlError> {
            self.0.refill(table, rows)
        }

        fn left(&self, table: &'static Table) -> Result<Vec<Row>, SqlError> {
            self.0.left(table)
        }
    }

    #[test]
    fn a_database_that_hangs_is_given_up_and_one_that_fails_is_no_verdict() {
        let (answer, hangs) = channel();
        *HANGS.lock().unwrap() = Some(hangs);
        let loose = adders::<Odd>(1).patient_for(Duration::from_millis(100));
        let let_loose = || {
            let judge = &mut |_| panic!("nothing to judge");
            loose.let_loose(0, 1, &tables(0), &ServerMemory::new(0), 5, judge)
        };
        let late = let_loose();
        assert!(matches!(late, Err(ReplayError::Late { .. })), "{late:?}");
        drop(answer);
        let failed = let_loose();
        let full = SqlError::from(SqlState::DISK_FULL);
        assert!(
            matches!(&failed, Err(ReplayError::Database(error)) if *error == full),
            "{failed:?}"
        );
        // The machine itself is sound.
        let mut db = SqliteDb::with_tables(&[&COUNTERS], 1).unwrap();
        let session = db.connect().unwrap();
        assert_eq!(run(Adds(session), &mut db), Ok(0));
    }
}
