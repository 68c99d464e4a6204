//! First floor, `db`: what requests find beside the database, in the server process that handles
//! them: its mutex, its threads, and that it may die. Imports its neighbours in `db`,
//! [`recorded`](crate::recorded) and [`process`](crate::process).
//!
//! A lock in the memory of a process is a world of its own: others who use the database know nothing
//! of it, a second server has another one, and a thread that waits for it does nothing else. So it is
//! modelled as what it is, beside the database and not as part of it.

use super::{Database, Reply, SqlError, Statement};
use crate::recorded::Recorded;

/// A database, and the server processes that use it.
///
/// Each operation is one step, like a statement. One that answers `false` has changed nothing, and is
/// tried again.
pub trait Service: Database {
    /// Locks the mutex in the memory of a server process, if it is free: `std::sync::Mutex`. Who waits
    /// for it blocks its *thread*.
    fn try_lock(&mut self, server: usize) -> bool;

    /// Unlocks it: the guard is dropped.
    fn unlock(&mut self, server: usize);

    /// The server's one worker thread polls a task, if it is free.
    fn try_poll(&mut self, server: usize) -> bool;

    /// The task that is polled comes to an await that is not ready, or to its end: the worker is free.
    fn suspend(&mut self, server: usize);

    /// Kills a server process, whatever it was at.
    fn kill(&mut self, server: usize);

    /// Whether a server process was killed.
    fn is_dead(&self, server: usize) -> bool;
}

/// A [`Service`] as a pure value, round a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Servers<D> {
    /// The database that all of them use.
    pub db: D,
    servers: Vec<Server>,
}

/// A server process: what its requests share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Server {
    /// By whom is for the requests to know: so identical ones stay interchangeable.
    locked: bool,
    polling: bool,
    dead: bool,
}

impl<D> Servers<D> {
    /// So many server processes on this database.
    pub fn new(db: D, count: usize) -> Self {
        Servers { db, servers: vec![Server::default(); count] }
    }

    /// Whether the mutex of this server is locked.
    pub fn is_locked(&self, server: usize) -> bool {
        self.servers.get(server).is_some_and(|server| server.locked)
    }

    /// Whether the worker of this server polls a task.
    pub fn is_polling(&self, server: usize) -> bool {
        self.servers.get(server).is_some_and(|server| server.polling)
    }

    /// What a server that does not exist is asked comes to nothing.
    fn with<T: Default>(&mut self, server: usize, f: impl FnOnce(&mut Server) -> T) -> T {
        self.servers.get_mut(server).map(f).unwrap_or_default()
    }
}

impl<D: Database> Database for Servers<D> {
    type Session = D::Session;

    fn connect(&mut self) -> Result<D::Session, SqlError> {
        self.db.connect()
    }

    fn execute(&mut self, session: &mut D::Session, statement: &Statement) -> Reply {
        self.db.execute(session, statement)
    }

    fn disconnect(&mut self, session: D::Session) {
        self.db.disconnect(session);
    }
}

impl<D: Database> Service for Servers<D> {
    fn try_lock(&mut self, server: usize) -> bool {
        self.with(server, |server| !std::mem::replace(&mut server.locked, true))
    }

    fn unlock(&mut self, server: usize) {
        self.with(server, |server| server.locked = false);
    }

    fn try_poll(&mut self, server: usize) -> bool {
        self.with(server, |server| !std::mem::replace(&mut server.polling, true))
    }

    fn suspend(&mut self, server: usize) {
        self.with(server, |server| server.polling = false);
    }

    fn kill(&mut self, server: usize) {
        self.with(server, |server| server.dead = true);
    }

    fn is_dead(&self, server: usize) -> bool {
        self.servers.get(server).is_some_and(|server| server.dead)
    }
}

/// Tells what is no statement as a comment between statements: `-- lock the mutex of server 1`.
impl<S: Service> Service for Recorded<S> {
    fn try_lock(&mut self, server: usize) -> bool {
        let locked = self.inner_mut().try_lock(server);
        let waits = if locked { "" } else { ": waits" };
        self.record(format!("-- lock the mutex of server {}{waits}", server + 1));
        locked
    }

    fn unlock(&mut self, server: usize) {
        self.inner_mut().unlock(server);
        self.record(format!("-- unlock the mutex of server {}", server + 1));
    }

    fn try_poll(&mut self, server: usize) -> bool {
        let polled = self.inner_mut().try_poll(server);
        let waits = if polled { "" } else { ": waits" };
        self.record(format!("-- polled by the worker of server {}{waits}", server + 1));
        polled
    }

    fn suspend(&mut self, server: usize) {
        self.inner_mut().suspend(server);
        self.record(format!("-- gives the worker of server {} back", server + 1));
    }

    fn kill(&mut self, server: usize) {
        self.inner_mut().kill(server);
        self.record(format!("-- server {} dies", server + 1));
    }

    fn is_dead(&self, server: usize) -> bool {
        self.inner().is_dead(server)
    }
}
