//! First floor, `db`: who waits for whom in the simulated database. Imports its neighbours in `sim`.

use super::{InFlight, Progress, SimDb, Slot, Stop};
use crate::db::{SqlError, SqlState};

/// What a statement waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wait {
    /// The row in whose queue it stands; none for a key that is being inserted, which has no queue.
    row: Option<u32>,
    /// For which version of it.
    version: Version,
    /// The transaction that has to end.
    end_of: Option<Slot>,
    /// The row whose key it waits for, if it waits until that stays or is taken back.
    entry: Option<u32>,
    /// Those who have to leave the queue first.
    behind: Vec<Slot>,
    /// Somebody has to let go of an advisory lock.
    lock: bool,
}

/// The version of a row that somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Version {
    /// The newest: the next session that comes stands behind. `goes_on`: whether the holder had
    /// made a newer version when the wait began. A `FOR UPDATE` goes on to that one once it is
    /// committed.
    Newest { goes_on: bool },
    /// By now there is a newer version. A session that waits for that one does not stand in this
    /// queue.
    Outdated,
    /// The version after the outdated one. `FOR UPDATE` locks that one first, and waits for its
    /// holder. It has no place in that one's queue, but keeps its old place.
    Next,
    /// There is an even newer version, or it is not known which version is locked in the end.
    Lost,
}

impl Version {
    fn is_newest(self) -> bool {
        matches!(self, Version::Newest { .. })
    }
}

impl Wait {
    /// Of a statement that goes from row to row, and waits for nobody.
    pub(super) fn none() -> Self {
        let version = Version::Newest { goes_on: false };
        Wait { row: None, version, end_of: None, entry: None, behind: Vec::new(), lock: false }
    }

    /// Whether there is nothing more to wait for; then it is this session's turn to go on.
    pub(super) fn is_over(&self) -> bool {
        self.end_of.is_none() && self.behind.is_empty() && !self.lock
    }

    /// Until an advisory lock is given.
    pub(super) fn for_lock() -> Self {
        Wait { lock: true, ..Wait::none() }
    }

    pub(super) fn is_for(&self, slot: Slot) -> bool {
        self.end_of == Some(slot) || self.behind.contains(&slot)
    }

    pub(super) fn row_changed(&mut self, id: u32, twice: bool) {
        if self.row == Some(id) {
            self.version = match self.version {
                Version::Newest { goes_on: true } if !twice => Version::Outdated,
                _ => Version::Lost,
            };
        }
    }

    /// The row's holder has undone its change. That change was the next version for sessions that
    /// had come by then. A later change of another session is not.
    pub(super) fn row_restored(&mut self, id: u32) {
        if self.stands_for(id) {
            self.version = Version::Newest { goes_on: false };
        }
    }

    /// Whether it stands in the queue of this row, for its newest version.
    pub(super) fn stands_for(&self, id: u32) -> bool {
        self.row == Some(id) && self.version.is_newest()
    }

    fn stands_before(&self, table: usize, at: &InFlight, id: u32) -> bool {
        at.table == table && self.stands_for(id)
    }

    /// The row in whose queue it stands, and whether that has a newer committed version by now.
    pub(super) fn row(&self) -> Option<(u32, bool)> {
        self.row.map(|row| (row, !self.version.is_newest()))
    }

    /// Whether a `FOR UPDATE` that has waited for this row has to lock the version after that one
    /// first.
    pub(super) fn goes_on_to_next(&self, id: u32) -> bool {
        self.row == Some(id) && matches!(self.version, Version::Outdated | Version::Next)
    }

    /// The row whose id must not be given to another one.
    pub(super) fn remembered(&self) -> Option<u32> {
        self.row.or(self.entry)
    }

    /// A row is in all of its indexes, or was taken back: it is known what is to be waited for.
    pub(super) fn entry_is_known(&mut self, id: u32) {
        if self.entry.take_if(|entry| *entry == id).is_some() {
            self.end_of = None;
        }
    }
}

impl SimDb {
    pub(super) fn waits_of(&self, slot: Slot) -> Option<&Wait> {
        Some(&self.transaction(slot)?.statement.as_ref()?.wait)
    }

    /// Stands in the queue of a row that another transaction holds, and goes on to the version that
    /// this one makes of it or not.
    pub(super) fn queue_for_row(
        &mut self,
        slot: Slot,
        (table, id): (usize, u32),
        holder: Slot,
        goes_on: bool,
        progress: Progress,
    ) -> Stop {
        let was_first = self.waits_of(slot).is_some_and(|wait| {
            let at = self.transaction(slot).and_then(|transaction| transaction.statement.as_ref());
            at.is_some_and(|at| wait.stands_before(table, at, id))
        });
        let behind: Vec<Slot> = if was_first {
            // It has waited for this very version, is the first in its queue, and stays it.
            Vec::new()
        } else {
            self.leave_queue(slot);
            let others = self.open().filter(|(other, _)| *other != slot);
            let queued = others.filter(|(_, transaction)| {
                let at = transaction.statement.as_ref();
                at.is_some_and(|at| at.wait.stands_before(table, at, id))
            });
            queued.map(|(other, _)| other).collect()
        };
        let end_of = behind.is_empty().then_some(holder);
        let version = Version::Newest { goes_on };
        let wait = Wait { row: Some(id), version, end_of, behind, ..Wait::none() };
        self.wait(slot, InFlight { table, wait, progress })
    }

    /// Waits for the end of the transaction that holds the next version of a row.
    pub(super) fn wait_for_next(
        &mut self,
        slot: Slot,
        (table, id): (usize, u32),
        holder: Slot,
        progress: Progress,
    ) -> Stop {
        self.wait_beside_the_queue(slot, (table, id), Version::Next, holder, progress)
    }

    /// Waits for the end of the transaction that is changing a row which was changed since the
    /// statement looked. A session that follows a row from version to version stands in the queue
    /// of the version that it locks in the end, and in none on the way.
    pub(super) fn wait_for_change(
        &mut self,
        slot: Slot,
        (table, id): (usize, u32),
        holder: Slot,
        progress: Progress,
    ) -> Stop {
        self.leave_queue(slot);
        self.wait_beside_the_queue(slot, (table, id), Version::Lost, holder, progress)
    }

    fn wait_beside_the_queue(
        &mut self,
        slot: Slot,
        (table, id): (usize, u32),
        version: Version,
        holder: Slot,
        progress: Progress,
    ) -> Stop {
        let wait = Wait { row: Some(id), version, end_of: Some(holder), ..Wait::none() };
        self.wait(slot, InFlight { table, wait, progress })
    }

    /// Waits for the end of a transaction that is inserting, changing or removing the same key.
    pub(super) fn wait_for_key(
        &mut self,
        slot: Slot,
        table: usize,
        (holder, entry): (Slot, Option<u32>),
        progress: Progress,
    ) -> Stop {
        self.leave_queue(slot);
        let wait = Wait { end_of: Some(holder), entry, ..Wait::none() };
        self.wait(slot, InFlight { table, wait, progress })
    }

    /// Begins to wait, or fails if that closes a cycle.
    pub(super) fn wait(&mut self, slot: Slot, statement: InFlight) -> Stop {
        if let Some(transaction) = self.transaction_mut(slot) {
            transaction.statement = Some(statement);
        }
        if !self.patient && self.waits_for_itself(slot, false) {
            return SqlState::DEADLOCK_DETECTED.into();
        }
        if !self.patient && self.waits_for_itself(slot, true) {
            let said = "a circle of waits that PostgreSQL opens, since it lets one session overtake another";
            return SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, said).into();
        }
        Stop::Waits
    }

    /// Whether it closes a circle. `queued`: also by those who only stand before somebody in the queue of an
    /// advisory lock.
    fn waits_for_itself(&self, slot: Slot, queued: bool) -> bool {
        let mut reached = Vec::new();
        let mut next = vec![slot];
        while let Some(from) = next.pop() {
            let Some(wait) = self.waits_of(from) else { continue };
            let others = self.blockers(from, queued).filter_map(|by| self.slot_of(by));
            for to in wait.end_of.into_iter().chain(wait.behind.iter().copied()).chain(others) {
                if to == slot {
                    return true;
                }
                if !reached.contains(&to) {
                    reached.push(to);
                    next.push(to);
                }
            }
        }
        false
    }

    /// Those behind it move up.
    pub(super) fn leave_queue(&mut self, slot: Slot) {
        for (_, transaction) in self.open_mut() {
            if let Some(statement) = &mut transaction.statement {
                statement.wait.behind.retain(|other| *other != slot);
            }
        }
    }

    /// A transaction has ended: nobody waits for it any more.
    pub(super) fn tell_of_end(&mut self, slot: Slot) {
        self.leave_queue(slot);
        for (_, transaction) in self.open_mut() {
            if let Some(statement) = &mut transaction.statement {
                statement.wait.end_of = statement.wait.end_of.filter(|other| *other != slot);
            }
        }
    }
}
