//! First floor, `db`: what requests share besides the database in the server process that handles
//! them: its mutex, its threads, and its death. Imports its neighbours in `db`,
//! [`recorded`](crate::recorded) and [`process`](crate::process).
//!
//! A lock in the memory of a process is a world of its own. Other users of the database know
//! nothing of it, and a second server has another one. A thread that waits for it does nothing
//! else. So the lock is modelled beside the database and not as part of it.

use super::{Database, Reply, SimDb, SqlError, Statement};
use crate::recorded::Recorded;

/// A database, and the server processes that use it.
///
/// Each operation is one step, like a statement. An operation that answers `false` has changed
/// nothing, and is tried again.
pub trait Service: Database {
    /// Verifies the signature of a request. The signature is valid, and nothing is changed.
    fn verify(&mut self) {}

    /// Locks the mutex in the memory of a server process, if it is free: `std::sync::Mutex`. A
    /// request that waits for the mutex blocks its *thread*.
    fn try_lock(&mut self, server: usize) -> bool;

    /// Unlocks the mutex: the guard is dropped.
    fn unlock(&mut self, server: usize);

    /// Has the server's one worker thread poll a task, if the worker is free.
    fn try_poll(&mut self, server: usize) -> bool;

    /// Ends the poll: the task reaches an await that is not ready, or its end. The worker is free.
    fn suspend(&mut self, server: usize);

    /// Kills a server process, whatever it was doing.
    fn kill(&mut self, server: usize);

    /// Whether a server process was killed.
    fn is_dead(&self, server: usize) -> bool;

    /// A client that was told nothing asks this server the same again. Nothing is changed by that.
    fn ask_again(&mut self, _server: usize) {}
}

/// A [`Service`] as a pure value, around a database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Servers<D> {
    /// The database that all servers use.
    pub db: D,
    memory: ServerMemory,
}

/// What several server processes have in memory: a plain value, not yet shared. A server that does
/// not exist can be asked, without effect.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerMemory(Vec<Server>);

/// A server process: what its requests share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Server {
    /// By whom is for the requests to know: so identical ones stay interchangeable.
    locked: bool,
    polling: bool,
    dead: bool,
}

impl ServerMemory {
    /// The memory of so many idle server processes.
    pub fn new(count: usize) -> Self {
        ServerMemory(vec![Server::default(); count])
    }

    /// Of each server whether its mutex is locked, whether its worker polls a task, and whether it was killed.
    #[cfg(feature = "command")]
    pub(crate) fn servers(&self) -> impl Iterator<Item = (bool, bool, bool)> {
        self.0.iter().map(|server| (server.locked, server.polling, server.dead))
    }

    pub(super) fn is_locked(&self, server: usize) -> bool {
        self.0.get(server).is_some_and(|server| server.locked)
    }

    pub(super) fn is_polling(&self, server: usize) -> bool {
        self.0.get(server).is_some_and(|server| server.polling)
    }

    pub(super) fn is_dead(&self, server: usize) -> bool {
        self.0.get(server).is_some_and(|server| server.dead)
    }

    pub(super) fn try_lock(&mut self, server: usize) -> bool {
        self.with(server, |server| !std::mem::replace(&mut server.locked, true))
    }

    pub(super) fn unlock(&mut self, server: usize) {
        self.with(server, |server| server.locked = false);
    }

    pub(super) fn try_poll(&mut self, server: usize) -> bool {
        self.with(server, |server| !std::mem::replace(&mut server.polling, true))
    }

    pub(super) fn suspend(&mut self, server: usize) {
        self.with(server, |server| server.polling = false);
    }

    pub(super) fn kill(&mut self, server: usize) {
        self.with(server, |server| server.dead = true);
    }

    fn with<T: Default>(&mut self, server: usize, f: impl FnOnce(&mut Server) -> T) -> T {
        self.0.get_mut(server).map(f).unwrap_or_default()
    }
}

impl Servers<SimDb> {
    /// Like these servers, with a [patient](SimDb::patient) database.
    pub fn patient(&self) -> Self {
        Servers { db: self.db.patient(), memory: self.memory.clone() }
    }
}

impl<D> Servers<D> {
    /// So many server processes on this database.
    pub fn new(db: D, count: usize) -> Self {
        Self::remembering(db, ServerMemory::new(count))
    }

    /// Server processes with this memory on this database.
    pub fn remembering(db: D, memory: ServerMemory) -> Self {
        Servers { db, memory }
    }

    /// What the server processes have in memory.
    pub fn memory(&self) -> &ServerMemory {
        &self.memory
    }

    /// Whether the mutex of this server is locked.
    pub fn is_locked(&self, server: usize) -> bool {
        self.memory.is_locked(server)
    }

    /// Whether the worker of this server polls a task.
    pub fn is_polling(&self, server: usize) -> bool {
        self.memory.is_polling(server)
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
        self.memory.try_lock(server)
    }

    fn unlock(&mut self, server: usize) {
        self.memory.unlock(server);
    }

    fn try_poll(&mut self, server: usize) -> bool {
        self.memory.try_poll(server)
    }

    fn suspend(&mut self, server: usize) {
        self.memory.suspend(server);
    }

    fn kill(&mut self, server: usize) {
        self.memory.kill(server);
    }

    fn is_dead(&self, server: usize) -> bool {
        self.memory.is_dead(server)
    }
}

/// Writes an operation that is not a statement as an SQL comment: `-- locks the mutex of server 1`.
impl<S: Service> Service for Recorded<S> {
    fn verify(&mut self) {
        self.inner_mut().verify();
        self.record("-- verifies the signature".to_owned());
    }

    fn try_lock(&mut self, server: usize) -> bool {
        let locked = self.inner_mut().try_lock(server);
        let waits = if locked { "" } else { ": waits" };
        self.record(format!("-- locks the mutex of server {}{waits}", server + 1));
        locked
    }

    fn unlock(&mut self, server: usize) {
        self.inner_mut().unlock(server);
        self.record(format!("-- unlocks the mutex of server {}", server + 1));
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

    fn ask_again(&mut self, server: usize) {
        self.inner_mut().ask_again(server);
        self.record(format!("-- told nothing: asks server {}", server + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutex_is_locked_once_and_a_second_server_has_another() {
        let mut servers = Servers::new(SimDb::new(), 2);
        assert!(servers.try_lock(0));
        let before = servers.clone();
        assert!(!servers.try_lock(0));
        assert_eq!(servers, before, "who has to wait has changed nothing");
        assert!(servers.try_lock(1));
        servers.unlock(0);
        assert!(servers.try_lock(0) && servers.is_locked(1));
        assert!(!servers.try_lock(2), "there is no such server");
    }

    #[test]
    fn a_worker_polls_one_task_at_a_time_until_it_is_suspended() {
        let mut servers = Servers::new(SimDb::new(), 1);
        assert!(servers.try_poll(0) && !servers.try_poll(0) && servers.is_polling(0));
        servers.suspend(0);
        assert!(servers.try_poll(0));
        servers.kill(0);
        assert!(servers.is_dead(0));
    }

    #[test]
    fn what_is_no_statement_is_told_as_a_comment() {
        let mut servers = Recorded::new(Servers::new(SimDb::new(), 1));
        servers.verify();
        servers.try_lock(0);
        servers.try_lock(0);
        servers.unlock(0);
        servers.try_poll(0);
        servers.suspend(0);
        servers.kill(0);
        servers.ask_again(1);
        assert_eq!(
            servers.take(),
            [
                "-- verifies the signature",
                "-- locks the mutex of server 1",
                "-- locks the mutex of server 1: waits",
                "-- unlocks the mutex of server 1",
                "-- polled by the worker of server 1",
                "-- gives the worker of server 1 back",
                "-- server 1 dies",
                "-- told nothing: asks server 2",
            ]
        );
    }
}
