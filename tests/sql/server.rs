//! The server, and the sessions on it that a program is played in.

use std::sync::OnceLock;

use toctou::db::{
    Cluster, Database, Reply, Row, SqlError, SqlState, Statement, SteppedDb, SteppedSession, Table,
};

use super::drive::World;
use super::generate::{MOST_SESSIONS, Program, TABLES};
use super::story::{accounts, idle_insert};
use super::{keys, text};

/// The throw-away server that all tests here share; none where there is no PostgreSQL, which is said
/// loudly.
pub(crate) fn cluster() -> Option<&'static Cluster> {
    static CLUSTER: OnceLock<Option<&'static Cluster>> = OnceLock::new();
    let what = "that the simulated database behaves as PostgreSQL does";
    *CLUSTER.get_or_init(|| crate::throwaway::shared(what))
}

/// Whether the server counts an `ON CONFLICT DO NOTHING` that did nothing as a read, by its own behaviour:
/// two transactions that fit into no serial order if it does. Where there is no server, it does not.
pub(crate) fn conflicts_are_reads() -> bool {
    static COUNTED: OnceLock<bool> = OnceLock::new();
    *COUNTED.get_or_init(|| {
        let Some(cluster) = cluster() else { return false };
        let mut lane = Lane::new(cluster).expect("sessions on the server");
        lane.reset(&accounts(&[(1, 10)])).expect("its tables");
        let replies = idle_insert().map(|(who, statement)| lane.execute(who, &statement));
        let counted = replies.iter().any(|reply| {
            matches!(reply, Reply::Answer(Err(error)) if error.state == SqlState::SERIALIZATION_FAILURE)
        });
        let counts = if counted { "counts" } else { "does not count" };
        println!("this server {counts} a conflict that nothing comes of as a read");
        counted
    })
}

/// A namespace on the server with the tables that programs are about, and sessions in it.
pub(crate) struct Lane {
    db: SteppedDb,
    sessions: Vec<SteppedSession>,
    /// Whether no session has anything under way.
    is_clean: bool,
}

impl Lane {
    pub(crate) fn new(cluster: &Cluster) -> Result<Self, SqlError> {
        let mut db = SteppedDb::new(cluster)?;
        db.database().create(&TABLES)?;
        for definition in text::SETUP.into_iter().chain(keys::SETUP) {
            let mut database = db.database().clone();
            let mut session = database.connect()?;
            database.answer(&mut session, &Statement::sql(definition, []))?;
        }
        let sessions = (0..MOST_SESSIONS).map(|_| db.connect()).collect::<Result<_, _>>()?;
        Ok(Lane { db, sessions, is_clean: true })
    }

    /// Puts the tables into the state that a program begins in.
    pub(crate) fn reset(&mut self, program: &Program) -> Result<(), String> {
        if !self.is_clean {
            (0..self.sessions.len()).for_each(|who| self.hang_up(who));
        }
        self.is_clean = false;
        for (table, rows) in &program.rows {
            let filled = self.db.database().fill(table, rows.iter().cloned());
            filled.map_err(|error| format!("{}: {error}", table.name))?;
        }
        Ok(())
    }

    /// Takes note that all transactions are over.
    pub(crate) fn done(&mut self) {
        self.is_clean = true;
    }
}

impl World for Lane {
    fn execute(&mut self, who: usize, statement: &Statement) -> Reply {
        match self.sessions.get_mut(who) {
            Some(session) => self.db.execute(session, statement),
            None => Reply::Answer(Err(SqlState::INTERNAL_ERROR.into())),
        }
    }

    fn waits_for(&mut self, who: usize) -> Vec<usize> {
        let found = self.db.blockers(&self.sessions[who]).expect("an answer of the server");
        let who_is = |index| self.sessions.iter().position(|session| session.index() == index);
        let mut found: Vec<_> = found.into_iter().filter_map(who_is).collect();
        found.sort_unstable();
        found
    }

    fn hang_up(&mut self, who: usize) {
        let fresh = self.db.connect().expect("another session");
        let old = std::mem::replace(&mut self.sessions[who], fresh);
        self.db.disconnect(old);
    }

    fn rows(&mut self, table: &'static Table) -> Vec<Row> {
        self.db.database().rows(table).expect("an answer of the server")
    }
}
