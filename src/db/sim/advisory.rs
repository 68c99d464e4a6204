//! First floor, `db`: advisory locks of the simulated database (`pg_advisory_lock` and its like). Imports its
//! neighbours in `sim`.
//!
//! They are locks of PostgreSQL's lock manager (`lock.c`, `proc.c`). Who asks for one that conflicts with those
//! of others, or with one that others wait for, waits at the end of its queue. But it stands before those who
//! wait for a lock that it has. A lock that is let go is given to those who wait, in their order, before they go on. What a
//! session holds never conflicts with what it asks for.
//!
//! A circle of waits is a deadlock if each waits for what the next one has. If one only stands behind another in
//! a queue, PostgreSQL changes their order (`deadlock.c`). That is refused by name.

use super::expr::Expr;
use super::wait::Wait;
use super::{InFlight, Progress, SimDb, SimSession, Slot, Stop};
use crate::db::schema::{Value, row};
use crate::db::{Answer, SqlError, SqlState};

/// Which session it is, among those that have to do with advisory locks.
pub(super) type Backend = u8;

/// Two numbers of four bytes are other locks than one of eight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct LockKey {
    two: bool,
    number: i64,
}

/// What is asked of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Advisory {
    Lock {
        of: Vec<Expr>,
        mode: Mode,
        /// It is let go when the transaction ends, and not before.
        for_transaction: bool,
        /// It does not wait, and answers whether it has it.
        tries: bool,
    },
    Unlock {
        of: Vec<Expr>,
        mode: Mode,
    },
    UnlockAll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Mode {
    Shared,
    Exclusive,
}

impl Mode {
    fn conflicts(self, other: Mode) -> bool {
        self == Mode::Exclusive || other == Mode::Exclusive
    }
}

/// A lock that somebody has, or waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Locked {
    key: LockKey,
    /// Sorted.
    held: Vec<Hold>,
    queue: Vec<Queued>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Hold {
    by: Backend,
    mode: Mode,
    for_transaction: bool,
    /// How often it has it.
    times: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Queued {
    by: Backend,
    slot: Slot,
    mode: Mode,
    for_transaction: bool,
}

impl Locked {
    /// Whether this lock conflicts with one that somebody else has.
    fn is_held_against(&self, by: Backend, mode: Mode) -> bool {
        self.held.iter().any(|hold| hold.by != by && hold.mode.conflicts(mode))
    }

    fn give(&mut self, by: Backend, mode: Mode, for_transaction: bool) {
        let same = |hold: &&mut Hold| {
            (hold.by, hold.mode, hold.for_transaction) == (by, mode, for_transaction)
        };
        match self.held.iter_mut().find(same) {
            Some(hold) => hold.times = hold.times.saturating_add(1),
            None => {
                let hold = Hold { by, mode, for_transaction, times: 1 };
                let at = self.held.partition_point(|other| *other < hold);
                self.held.insert(at, hold);
            }
        }
    }

    /// Whether somebody asks for it in vain who does not wait.
    fn is_refused(&self, by: Backend, mode: Mode) -> bool {
        self.queue.iter().any(|other| other.mode.conflicts(mode)) || self.is_held_against(by, mode)
    }

    /// Where in the queue somebody stands; nowhere, where it may have the lock at once.
    fn place(&self, by: Backend, mode: Mode) -> Option<usize> {
        let own: Vec<Mode> =
            self.held.iter().filter(|hold| hold.by == by).map(|hold| hold.mode).collect();
        let waits_for_me = |other: &Queued| own.iter().any(|own| own.conflicts(other.mode));
        let Some(place) = self.queue.iter().position(waits_for_me) else {
            return Some(self.queue.len());
        };
        let waits = self.queue[..place].iter().any(|other| other.mode.conflicts(mode))
            || self.is_held_against(by, mode);
        waits.then_some(place)
    }

    /// Gives it to those who wait and may have it now; answers with their slots.
    fn wake(&mut self) -> Vec<Slot> {
        let mut woken = Vec::new();
        let mut ahead: Vec<Mode> = Vec::new();
        let mut at = 0;
        while let Some(Queued { by, slot, mode, for_transaction }) = self.queue.get(at).cloned() {
            if ahead.iter().any(|other| other.conflicts(mode)) || self.is_held_against(by, mode) {
                ahead.push(mode);
                at += 1;
            } else {
                self.queue.remove(at);
                self.give(by, mode, for_transaction);
                woken.push(slot);
            }
        }
        woken
    }

    /// For whom somebody in the queue waits: those who have it, and those before it.
    fn blockers(&self, slot: Slot) -> Option<(Vec<Backend>, Vec<Backend>)> {
        let place = self.queue.iter().position(|queued| queued.slot == slot)?;
        let me = &self.queue[place];
        let holders = self.held.iter().filter(|hold| hold.by != me.by);
        let holders = holders.filter(|hold| hold.mode.conflicts(me.mode)).map(|hold| hold.by);
        let before = self.queue[..place].iter().filter(|other| other.mode.conflicts(me.mode));
        Some((holders.collect(), before.map(|other| other.by).collect()))
    }
}

impl SimDb {
    /// Asks for a lock, or lets it go.
    pub(super) fn advise(
        &mut self,
        session: &mut SimSession,
        slot: Slot,
        advisory: &Advisory,
        parameters: &[Value],
    ) -> Result<Answer, Stop> {
        self.look(slot);
        // It has waited, and was given the lock.
        if let Some(transaction) = self.transaction_mut(slot)
            && transaction.statement.take().is_some()
        {
            return Ok(nothing());
        }
        match advisory {
            Advisory::Lock { of, mode, for_transaction, tries } => {
                let Some(key) = key(of, parameters)? else { return Ok(nothing()) };
                let by = self.backend(session, slot)?;
                let lock = self.lock(key);
                let has_it = lock.held.iter().any(|hold| (hold.by, hold.mode) == (by, *mode));
                let has_to_wait = !has_it && lock.is_refused(by, *mode);
                let place = lock.place(by, *mode).filter(|_| has_to_wait);
                match place {
                    _ if has_to_wait && *tries => return Ok(said(false)),
                    None => lock.give(by, *mode, *for_transaction),
                    Some(place) => {
                        let (mode, for_transaction) = (*mode, *for_transaction);
                        lock.queue.insert(place, Queued { by, slot, mode, for_transaction });
                        return Err(self.wait_for_lock(slot));
                    }
                }
                Ok(if *tries { said(true) } else { nothing() })
            }
            Advisory::Unlock { of, mode } => {
                let Some(key) = key(of, parameters)? else { return Ok(nothing()) };
                let Some(by) = session.backend else { return Ok(said(false)) };
                let is_it =
                    |hold: &Hold| (hold.by, hold.mode, hold.for_transaction) == (by, *mode, false);
                let locks = self.locks.iter_mut().filter(|lock| lock.key == key);
                let hold = locks.flat_map(|lock| &mut lock.held).find(|hold| is_it(hold));
                let Some(hold) = hold else { return Ok(said(false)) };
                hold.times -= 1;
                self.let_go(|hold| hold.times == 0);
                Ok(said(true))
            }
            Advisory::UnlockAll => {
                if let Some(by) = session.backend {
                    self.let_go(|hold| hold.by == by && !hold.for_transaction);
                }
                Ok(nothing())
            }
        }
    }

    /// Lets go of the locks of a transaction that ends, and of its place in a queue.
    pub(super) fn let_go_at_end(&mut self, slot: Slot) {
        let Some(by) = self.transaction(slot).and_then(|transaction| transaction.backend) else {
            return;
        };
        for lock in &mut self.locks {
            lock.queue.retain(|queued| queued.slot != slot);
        }
        self.let_go(|hold| hold.by == by && hold.for_transaction);
    }

    /// Lets go of all that a session has that ends.
    pub(super) fn let_go_of_session(&mut self, session: &SimSession) {
        if let Some(by) = session.backend {
            self.let_go(|hold| hold.by == by);
        }
    }

    /// A session that has nothing to do with these locks any more is as all others are.
    pub(super) fn forget_backend(&self, session: &mut SimSession) {
        if session.slot.is_none() && session.backend.is_some_and(|by| !self.has_to_do(by)) {
            session.backend = None;
        }
    }

    /// Those who have the lock that a statement waits for; with `queued`, also those who stand before it in the
    /// queue.
    pub(super) fn blockers(&self, slot: Slot, queued: bool) -> impl Iterator<Item = Backend> {
        let found = self.locks.iter().find_map(|lock| lock.blockers(slot)).unwrap_or_default();
        found.0.into_iter().chain(found.1.into_iter().filter(move |_| queued))
    }

    /// The transaction of a session, if it has one.
    pub(super) fn slot_of(&self, backend: Backend) -> Option<Slot> {
        self.open().find(|(_, it)| it.backend == Some(backend)).map(|(slot, _)| slot)
    }

    fn lock(&mut self, key: LockKey) -> &mut Locked {
        let at = match self.locks.binary_search_by_key(&key, |lock| lock.key) {
            Ok(at) => at,
            Err(at) => {
                let lock = Locked { key, held: Vec::new(), queue: Vec::new() };
                self.locks.insert(at, lock);
                at
            }
        };
        &mut self.locks[at]
    }

    fn let_go(&mut self, of: impl Fn(&Hold) -> bool) {
        let mut woken = Vec::new();
        for lock in &mut self.locks {
            lock.held.retain(|hold| !of(hold));
            woken.extend(lock.wake());
        }
        self.locks.retain(|lock| !lock.held.is_empty() || !lock.queue.is_empty());
        for slot in woken {
            if let Some(statement) = self.transaction_mut(slot).and_then(|it| it.statement.as_mut())
            {
                statement.wait = Wait::none();
            }
        }
    }

    /// Whether a session has a lock, or waits for one.
    fn has_to_do(&self, by: Backend) -> bool {
        self.locks.iter().any(|lock| {
            let holds = lock.held.iter().any(|hold| hold.by == by);
            holds || lock.queue.iter().any(|queued| queued.by == by)
        })
    }

    /// The number of a session, and of its transaction.
    fn backend(&mut self, session: &mut SimSession, slot: Slot) -> Result<Backend, SqlError> {
        let taken =
            |by: Backend| self.has_to_do(by) || self.open().any(|(_, it)| it.backend == Some(by));
        let free = || (0..=Backend::MAX).find(|by| !taken(*by));
        let by = session.backend.or_else(free).ok_or(SqlState::TOO_MANY_CONNECTIONS)?;
        session.backend = Some(by);
        if let Some(transaction) = self.transaction_mut(slot) {
            transaction.backend = Some(by);
        }
        Ok(by)
    }

    fn wait_for_lock(&mut self, slot: Slot) -> Stop {
        let statement =
            InFlight { table: usize::MAX, wait: Wait::for_lock(), progress: Progress::default() };
        self.wait(slot, statement)
    }
}

/// `void`: as PostgreSQL answers it, and as it is read.
fn nothing() -> Answer {
    Answer::Rows(vec![row([Value::Null])])
}

fn said(truth: bool) -> Answer {
    Answer::Rows(vec![row([truth.into()])])
}

/// The lock of these numbers; none, where one is `NULL`.
fn key(of: &[Expr], parameters: &[Value]) -> Result<Option<LockKey>, SqlError> {
    let scope = super::expr::Scope { parameters, ..Default::default() };
    let mut numbers = Vec::with_capacity(of.len());
    for expr in of {
        match expr.value(scope)? {
            Value::Int(number) => numbers.push(number),
            _ => return Ok(None),
        }
    }
    Ok(match numbers[..] {
        [number] => Some(LockKey { two: false, number }),
        [first, second] => {
            Some(LockKey { two: true, number: (first << 32) | (second & 0xffff_ffff) })
        }
        _ => None,
    })
}
