//! First floor, `db`: server processes whose requests are real threads, and a database that they all
//! use. Imports its neighbours in `db` and [`process`](crate::process).
//!
//! [`Servers`](super::Servers) is a value that one thread steps in. Here several threads share the
//! same memory. Each actor has a [`Handle`] of its own, and drives its process in it to the end,
//! concurrently with the others.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Database, Reply, ServerMemory, Service, SqlError, Statement};
use crate::process::any_way;
use crate::{Process, Step};

/// A database and the server processes that use it, for as many actors as have joined.
///
/// A blocked actor sleeps until something has changed in the servers' memory. If all actors that
/// have not ended are blocked, and nothing has changed since, nobody can go on: a deadlock. It is
/// found by counting, not by the clock.
///
/// An actor whose statement is in the database is not blocked. So the database must be one that
/// waits by itself, and never answers [`Queued`](Reply::Queued) or [`Waiting`](Reply::Waiting).
#[derive(Debug)]
pub struct SharedServers<D> {
    db: D,
    shared: Arc<Shared>,
}

/// The [`Service`] of one actor. When it is dropped, the actor has ended, for whatever reason.
#[derive(Debug)]
pub struct Handle<D> {
    db: D,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Debug)]
struct Now {
    memory: ServerMemory,
    /// How often the memory has changed.
    changes: u64,
    /// How many actors have not ended.
    unfinished: usize,
    /// How many of them were found blocked, and sleep since the last change.
    blocked: usize,
    is_deadlocked: bool,
    outage: Option<SqlError>,
}

impl<D: Database + Clone> SharedServers<D> {
    /// Server processes with this memory on this database (a clone of `db` has to be the same
    /// database). No actor has joined yet.
    pub fn new(db: D, memory: ServerMemory) -> Self {
        let now = Now {
            memory,
            changes: 0,
            unfinished: 0,
            blocked: 0,
            is_deadlocked: false,
            outage: None,
        };
        SharedServers {
            db,
            shared: Arc::new(Shared { now: Mutex::new(now), changed: Condvar::new() }),
        }
    }

    /// Adds an actor. All actors have to join before the first of them goes.
    pub fn join(&self) -> Handle<D> {
        self.shared.now().unfinished += 1;
        Handle { db: self.db.clone(), shared: Arc::clone(&self.shared) }
    }

    /// The present memory of the servers.
    pub fn memory(&self) -> ServerMemory {
        self.shared.now().memory.clone()
    }

    /// The first error of the database that means [its own trouble](super::SqlState::is_outage),
    /// whatever the statement.
    pub fn outage(&self) -> Option<SqlError> {
        self.shared.now().outage.clone()
    }
}

impl<D: Database> Handle<D> {
    /// Drives a process to its end, and returns its output. `None` if it never ends, because all
    /// actors that have not ended wait for one another.
    pub fn drive<P: Process<Self>>(mut self, mut process: P) -> Option<P::Output> {
        loop {
            let seen = self.shared.now().changes;
            match any_way(process.step(&mut self)) {
                Step::Next(next) => process = next,
                Step::Blocked(same) if self.shared.sleep(seen) => process = same,
                Step::Blocked(_) | Step::Choice(_) => return None,
                Step::Done(output) => return Some(output),
            }
        }
    }

    /// Changes what the servers have in memory, and wakes whom that may concern.
    fn with<T>(&mut self, f: impl FnOnce(&mut ServerMemory) -> T) -> T {
        let mut now = self.shared.now();
        let before = now.memory.clone();
        let answer = f(&mut now.memory);
        if now.memory != before {
            now.changes += 1;
            now.blocked = 0;
            self.shared.changed.notify_all();
        }
        answer
    }

    fn noted<T>(&self, answer: Result<T, SqlError>) -> Result<T, SqlError> {
        answer.inspect_err(|error| {
            if error.state.is_outage() {
                self.shared.now().outage.get_or_insert_with(|| error.clone());
            }
        })
    }
}

impl Shared {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until more has changed than was seen; whether anything ever will.
    fn sleep(&self, seen: u64) -> bool {
        let mut now = self.now();
        if now.changes == seen {
            now.blocked += 1;
            self.find_deadlock(&mut now);
        }
        while now.changes == seen && !now.is_deadlocked {
            now = self.changed.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
        now.changes != seen
    }

    /// Whether all who have not ended are blocked, after one more is, or one fewer is there.
    fn find_deadlock(&self, now: &mut Now) {
        if now.unfinished > 0 && now.blocked == now.unfinished {
            now.is_deadlocked = true;
            self.changed.notify_all();
        }
    }
}

impl<D> Drop for Handle<D> {
    fn drop(&mut self) {
        let mut now = self.shared.now();
        now.unfinished -= 1;
        if !now.is_deadlocked {
            self.shared.find_deadlock(&mut now);
        }
    }
}

impl<D: Database> Database for Handle<D> {
    type Session = D::Session;

    fn connect(&mut self) -> Result<D::Session, SqlError> {
        let session = self.db.connect();
        self.noted(session)
    }

    fn execute(&mut self, session: &mut D::Session, statement: &Statement) -> Reply {
        match self.db.execute(session, statement) {
            Reply::Answer(answer) => Reply::Answer(self.noted(answer)),
            waits => waits,
        }
    }

    fn disconnect(&mut self, session: D::Session) {
        self.db.disconnect(session);
    }
}

impl<D: Database> Service for Handle<D> {
    fn try_lock(&mut self, server: usize) -> bool {
        self.with(|memory| memory.try_lock(server))
    }

    fn unlock(&mut self, server: usize) {
        self.with(|memory| memory.unlock(server));
    }

    fn try_poll(&mut self, server: usize) -> bool {
        self.with(|memory| memory.try_poll(server))
    }

    fn suspend(&mut self, server: usize) {
        self.with(|memory| memory.suspend(server));
    }

    fn kill(&mut self, server: usize) {
        self.with(|memory| memory.kill(server));
    }

    fn is_dead(&self, server: usize) -> bool {
        self.shared.now().memory.is_dead(server)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::super::{SimDb, SqlState};
    use super::*;

    /// Locks these servers' mutexes, one after the other, and unlocks them; between two of them it
    /// meets the others, where it is to.
    struct Locks<'a> {
        wanted: Vec<usize>,
        has: usize,
        meets: Option<&'a Barrier>,
        steps: &'a AtomicUsize,
    }

    impl<W: Service> Process<W> for Locks<'_> {
        type Output = usize;

        fn step(mut self, world: &mut W) -> Step<Self, usize> {
            self.steps.fetch_add(1, Ordering::Relaxed);
            let Some(server) = self.wanted.get(self.has) else {
                self.wanted.iter().for_each(|server| world.unlock(*server));
                return Step::Done(self.has);
            };
            if !world.try_lock(*server) {
                return Step::Blocked(self);
            }
            self.has += 1;
            if let Some(meets) = self.meets.take() {
                meets.wait();
            }
            Step::Next(self)
        }
    }

    /// Two threads that each lock two mutexes, in these orders, the second only once both have the
    /// first if `meet`; what they ended with, and how many steps they took.
    fn both(orders: [[usize; 2]; 2], meet: bool) -> ([Option<usize>; 2], usize) {
        let servers = SharedServers::new(SimDb::new(), ServerMemory::new(3));
        let (barrier, steps) = (Barrier::new(2), AtomicUsize::new(0));
        let actors = orders.map(|order| {
            let meets = meet.then_some(&barrier);
            (servers.join(), Locks { wanted: order.to_vec(), has: 0, meets, steps: &steps })
        });
        let ended = thread::scope(|scope| {
            let threads = actors.map(|(handle, locks)| scope.spawn(move || handle.drive(locks)));
            threads.map(|thread| thread.join().unwrap())
        });
        (ended, steps.load(Ordering::Relaxed))
    }

    #[test]
    fn who_wait_for_one_another_are_all_told_so() {
        // Each locks one, and tries the other once.
        assert_eq!(both([[0, 1], [1, 0]], true), ([None, None], 4));
        // What they have is not what the other wants.
        assert_eq!(both([[0, 2], [1, 2]], true).0, [Some(2), Some(2)]);
    }

    #[test]
    fn what_can_be_waited_for_is_no_deadlock() {
        for _ in 0..500 {
            assert_eq!(both([[0, 1], [0, 1]], false).0, [Some(2), Some(2)]);
        }
    }

    #[test]
    fn who_is_blocked_sleeps_until_something_has_changed() {
        let servers = SharedServers::new(SimDb::new(), ServerMemory::new(1));
        let steps = AtomicUsize::new(0);
        let (mut holder, waiting) = (servers.join(), servers.join());
        assert!(holder.try_lock(0));
        thread::scope(|scope| {
            let locks = Locks { wanted: vec![0], has: 0, meets: None, steps: &steps };
            let thread = scope.spawn(|| waiting.drive(locks));
            while servers.shared.now().blocked == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            // The holder is not blocked, only slow: that is none.
            thread::sleep(Duration::from_millis(20));
            assert!(!servers.shared.now().is_deadlocked);
            assert_eq!(steps.load(Ordering::Relaxed), 1);
            holder.unlock(0);
            assert_eq!(thread.join().unwrap(), Some(1));
        });
        assert_eq!(servers.memory(), ServerMemory::new(1));
    }

    #[test]
    fn who_ends_and_keeps_what_others_wait_for_leaves_a_deadlock() {
        let servers = SharedServers::new(SimDb::new(), ServerMemory::new(1));
        let steps = AtomicUsize::new(0);
        let (mut holder, waiting) = (servers.join(), servers.join());
        assert!(holder.try_lock(0));
        thread::scope(|scope| {
            let locks = Locks { wanted: vec![0], has: 0, meets: None, steps: &steps };
            let thread = scope.spawn(|| waiting.drive(locks));
            // It may panic as well.
            drop(holder);
            assert_eq!(thread.join().unwrap(), None);
        });
    }

    #[test]
    fn an_outage_is_kept_and_an_error_of_the_protocol_is_not() {
        let servers = SharedServers::new(SimDb::new(), ServerMemory::new(0));
        let handle = servers.join();
        let error = |state: SqlState| handle.noted::<()>(Err(state.into()));
        assert!(error(SqlState::SERIALIZATION_FAILURE).is_err());
        assert_eq!(servers.outage(), None);
        assert!(error(SqlState::CONNECTION_FAILURE).is_err());
        assert!(error(SqlState::DISK_FULL).is_err());
        assert_eq!(servers.outage(), Some(SqlState::CONNECTION_FAILURE.into()));
    }
}
