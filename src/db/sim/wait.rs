//! First floor, `db`: who waits for whom in the simulated database. Imports its neighbours in `sim`.

use super::{InFlight, Progress, SimDb, Slot, Stop};
use crate::db::SqlState;

/// What a statement waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wait {
    /// The row in whose queue it stands; none for a key that is being inserted, which has no queue.
    row: Option<u32>,
    /// The row has a newer committed version by now: whoever comes for that one does not stand in
    /// this queue.
    outdated: bool,
    /// The transaction that has to end.
    end_of: Option<Slot>,
    /// Those who have to leave the queue first.
    behind: Vec<Slot>,
}

impl Wait {
    /// Whether there is nothing more to wait for; then it is this session's turn to go on.
    pub(super) fn is_over(&self) -> bool {
        self.end_of.is_none() && self.behind.is_empty()
    }

    pub(super) fn is_for(&self, slot: Slot) -> bool {
        self.end_of == Some(slot) || self.behind.contains(&slot)
    }

    pub(super) fn row_changed(&mut self, id: u32) {
        self.outdated |= self.row == Some(id);
    }

    fn stands_before(&self, table: usize, at: &InFlight, id: u32) -> bool {
        at.table == table && self.row == Some(id) && !self.outdated
    }

    /// The row whose id must not be given to another one.
    pub(super) fn remembered(&self) -> Option<u32> {
        self.row
    }
}

impl SimDb {
    pub(super) fn waits_of(&self, slot: Slot) -> Option<&Wait> {
        Some(&self.transaction(slot)?.statement.as_ref()?.wait)
    }

    /// Stands in the queue of a row that another transaction holds.
    pub(super) fn queue_for_row(
        &mut self,
        slot: Slot,
        (table, id): (usize, u32),
        holder: Slot,
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
        let wait = Wait { row: Some(id), outdated: false, end_of, behind };
        self.wait(slot, InFlight { table, wait, progress })
    }

    /// Waits for the end of a transaction that is inserting, changing or removing the same key.
    pub(super) fn wait_for_key(&mut self, slot: Slot, table: usize, holder: Slot) -> Stop {
        self.leave_queue(slot);
        let wait = Wait { row: None, outdated: false, end_of: Some(holder), behind: Vec::new() };
        self.wait(slot, InFlight { table, wait, progress: Progress::default() })
    }

    /// Begins to wait, or fails if that closes a circle.
    fn wait(&mut self, slot: Slot, statement: InFlight) -> Stop {
        if let Some(transaction) = self.transaction_mut(slot) {
            transaction.statement = Some(statement);
        }
        if self.waits_for_itself(slot) {
            return Stop::Fails(SqlState::DEADLOCK_DETECTED);
        }
        Stop::Waits
    }

    fn waits_for_itself(&self, slot: Slot) -> bool {
        let mut reached = Vec::new();
        let mut next = vec![slot];
        while let Some(from) = next.pop() {
            let Some(wait) = self.waits_of(from) else { continue };
            for to in wait.end_of.iter().chain(&wait.behind) {
                if *to == slot {
                    return true;
                }
                if !reached.contains(to) {
                    reached.push(*to);
                    next.push(*to);
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
