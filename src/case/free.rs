//! Fourth floor, `case`: what free runs on a database leave, put into a simulated world and judged
//! there. Imports [`check`](crate::check), [`replay`](crate::replay), [`db`](crate::db).

use super::tally::Tally;
use super::{CaseError, Stress};
use crate::Process;
use crate::check::{DEADLOCK_FREE, System, Value};
use crate::db::{ServerMemory, Servers, SimDb};
use crate::replay::{FreeRun, LetLoose, Tables};

/// A world that is a simulated database, or that contains servers and a database. It can be rebuilt
/// from what a free run leaves.
pub trait AroundDb {
    /// What the servers of this world have in memory.
    fn memory(&self) -> ServerMemory;

    /// The world with this database and this memory of its servers.
    fn around(db: SimDb, memory: ServerMemory) -> Self;
}

impl AroundDb for SimDb {
    fn memory(&self) -> ServerMemory {
        ServerMemory::new(0)
    }

    fn around(db: SimDb, _: ServerMemory) -> Self {
        db
    }
}

impl AroundDb for Servers<SimDb> {
    fn memory(&self) -> ServerMemory {
        Servers::memory(self).clone()
    }

    fn around(db: SimDb, memory: ServerMemory) -> Self {
        Servers::remembering(db, memory)
    }
}

/// Actors to be let loose, and how what they leave is put into a simulated world `W`.
pub(super) struct Free<W, T> {
    loose: Box<dyn LetLoose<T>>,
    memory: fn(&W) -> ServerMemory,
    world: fn(SimDb, ServerMemory) -> W,
    /// What is claimed of moments that an end does not tell of.
    passing: &'static [&'static str],
}

impl<W: Value, T: Value> Free<W, T> {
    pub(super) fn new(loose: impl LetLoose<T> + 'static, passing: &'static [&'static str]) -> Self
    where
        W: AroundDb,
    {
        Free { loose: Box::new(loose), memory: W::memory, world: W::around, passing }
    }

    /// Lets the actors run freely `rounds` times, in a database that holds `tables` at first, and
    /// judges each end. A round in which all actors came to wait for one another counts only
    /// against freedom from deadlock: it has no end.
    pub(super) fn stress<P: Process<W, Output = T> + Value>(
        &self,
        system: &System<W, P>,
        tables: &Tables,
        start: usize,
        rounds: usize,
    ) -> Result<Stress, CaseError> {
        let memory = (self.memory)(&system.start(start)?.world);
        let mut tally = Tally::of_ends(system, self.passing);
        let mut deadlocks = 0;
        let mut judge = |FreeRun { ended, left, memory }: FreeRun<T>| match ended {
            None => deadlocks += 1,
            Some(ended) => {
                let db = left.iter().fold(SimDb::new(), |db, (table, rows)| {
                    db.with_table(table, rows.iter().cloned())
                });
                tally.judge(&(self.world)(db, memory), ended);
            }
        };
        let actors = system.actors().len();
        self.loose.let_loose(start, actors, tables, &memory, rounds, &mut judge)?;
        let mut stress = tally.after(rounds);
        stress.violations.insert(0, (DEADLOCK_FREE.to_owned(), deadlocks));
        Ok(stress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Row, row};
    use crate::handlers::{ACCOUNTS, API_KEYS, ORDERS};
    use crate::models::api_key::{Response, Status};
    use crate::models::{api_key, order, transfer};
    use crate::replay::ReplayError;

    /// Runs that were made up.
    struct MadeUp<T>(Vec<FreeRun<T>>);

    impl<T: Value> LetLoose<T> for MadeUp<T> {
        fn let_loose(
            &self,
            _: usize,
            _: usize,
            _: &Tables,
            memory: &ServerMemory,
            rounds: usize,
            judge: &mut dyn FnMut(FreeRun<T>),
        ) -> Result<(), ReplayError> {
            assert_eq!(rounds, self.0.len());
            assert!(self.0.iter().all(|run| run.memory == *memory));
            self.0.iter().cloned().for_each(judge);
            Ok(())
        }
    }

    /// The properties that this made-up run of a system violates.
    fn violated<W: Value + AroundDb, P: Process<W, Output: Value> + Value>(
        system: &System<W, P>,
        passing: &'static [&'static str],
        ended: Option<Vec<P::Output>>,
        left: Tables,
    ) -> Vec<String> {
        let memory = system.start(0).unwrap().world.memory();
        let free = Free::new(MadeUp(vec![FreeRun { ended, left, memory }]), passing);
        let stress = free.stress(system, &Tables::new(), 0, 1).unwrap();
        let broken = stress.violations.into_iter().filter(|(_, count)| *count == 1);
        broken.map(|(name, _)| name).collect()
    }

    #[test]
    fn an_order_that_ended_twice_is_seen() {
        use order::Told::{Cancelled, NotPending, Shipped};
        let system = order::simulated("check-then-update", "ship", 1, true).unwrap();
        let judged = |told: Option<[order::Told; 2]>, status: &str| {
            let left = Tables::new().with(&ORDERS, [row([1.into(), status.into()])]);
            violated(&system, &[], told.map(Vec::from), left)
        };
        assert!(judged(Some([Cancelled, NotPending("cancelled".into())]), "cancelled").is_empty());
        let both = Some([Cancelled, Shipped]);
        assert_eq!(judged(both, "shipped"), ["one-ending", "told-the-truth"]);
        let lost = Some([Cancelled, NotPending("cancelled".into())]);
        assert_eq!(judged(lost, "pending"), ["told-the-truth"]);
        assert_eq!(judged(None, "pending"), ["deadlock-free"], "and nothing else");
    }

    #[test]
    fn two_keys_of_a_user_are_seen() {
        let system = api_key::simulated("select-then-insert", "bare-autocommit", 2).unwrap();
        let created = |key: &str| Response { user: 1, status: Status::Created(key.into()) };
        let late = || Response { user: 1, status: Status::Conflict };
        let table = &api_key::WITHOUT_CONSTRAINT;
        let stored = |keys: &[&str]| -> Vec<Row> {
            keys.iter().map(|key| row([1.into(), (*key).into()])).collect()
        };
        let judged = |told: [Response; 2], keys: &[&str]| {
            let left = Tables::new().with(table, stored(keys));
            violated(&system, &[], Some(told.into()), left)
        };
        assert_eq!(table.name, API_KEYS.name);
        assert!(judged([created("alpha"), late()], &["alpha"]).is_empty());
        let two = [created("alpha"), created("bravo")];
        let broken = ["one-key", "creator-told", "one-creator"];
        assert_eq!(judged(two, &["alpha", "bravo"]), broken);
        assert_eq!(judged([created("alpha"), late()], &["bravo"]), ["key-is-valid"]);
    }

    #[test]
    fn money_that_was_made_is_seen_and_what_passes_is_not_asked_for() {
        let system = transfer::simulated("check-then-debit", "out", 2).unwrap();
        let paid = transfer::Told::Paid(transfer::Payment { from: 1, to: 2, amount: 1 });
        let refused = transfer::Told::Insufficient(transfer::Payment { from: 1, to: 2, amount: 1 });
        let judged = |passing, told: [&transfer::Told; 2], balances: [i64; 2]| {
            let rows = (1..).zip(balances).map(|(id, left)| row([id.into(), left.into()]));
            let left = Tables::new().with(&ACCOUNTS, rows);
            violated(&system, passing, Some(told.map(Clone::clone).into()), left)
        };
        assert!(judged(&[], [&paid, &refused], [0, 1]).is_empty());
        let moment = "conserved-at-every-commit";
        let made = [moment, "money-conserved", "told-the-truth"];
        assert_eq!(judged(&[], [&paid, &paid], [0, 2]), made);
        assert_eq!(judged(&["conserved-at-every-commit"], [&paid, &paid], [0, 2]), made[1..]);
        assert_eq!(judged(&[], [&paid, &paid], [-1, 2]), ["no-overdraft"]);
    }
}
