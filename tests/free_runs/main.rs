//! The actors of `api_key`, `order` and `transfer` let loose on real databases: what the checker
//! excludes chance never finds, what it finds chance finds at times, deadlocks end, and a database that
//! goes away is an error and no verdict.

mod chance;
mod deadlock;
#[path = "../known/mod.rs"]
mod known;
mod outage;
#[path = "../throwaway/mod.rs"]
mod throwaway;

use toctou::case::{Case, CaseError, Stress};
use toctou::db::{PostgresDb, SqliteDb};
use toctou::direct::Held;
use toctou::models::let_loose_on;
use toctou::replay::FreeDb;

/// A system to be let loose, on a database of one's choice: its model, variant, scenario, and how many
/// clients.
type System = (&'static str, &'static str, &'static str, usize);

fn on<D: FreeDb<Session: Held>>((model, variant, scenario, clients): System) -> Box<dyn Case> {
    let case =
        let_loose_on::<D>(model, variant, scenario, clients).expect("a system of a database");
    assert!(case.can_run_free());
    case
}

/// Each database, and the system on it.
fn on_both(system: System) -> [(&'static str, Box<dyn Case>); 2] {
    [("SQLite", on::<SqliteDb>(system)), ("PostgreSQL", on::<PostgresDb>(system))]
}

/// What free runs come to; `None`, loudly, where this database is not here.
fn stressed(what: &str, case: &dyn Case, rounds: usize) -> Option<Stress> {
    match case.stress(0, rounds) {
        Err(error) if error.is_not_here() => {
            throwaway::left_out(what, error);
            None
        }
        stress => {
            let stress = stress.unwrap_or_else(|error: CaseError| panic!("{what}: {error}"));
            assert_eq!(stress.rounds, rounds);
            Some(stress)
        }
    }
}

/// In how many of these rounds a property was violated.
fn count(stress: &Stress, property: &str) -> usize {
    let mut found = stress.violations.iter().filter(|(name, _)| name == property);
    found.next().expect("a property that is judged").1
}
