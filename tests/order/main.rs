//! Orders that end once: the verdicts of the model, who waits for whom in its deadlock, the shipping
//! machine mutated, and the handler on real databases, whole and failing.

mod databases;
mod faults;
mod flaky;
mod holds;
#[path = "../known/mod.rs"]
mod known;
mod mutants;
mod mutated;
#[path = "../throwaway/mod.rs"]
mod throwaway;
mod verdicts;
mod worker;

use known::{graph, verdict};
use toctou::case::{Case, CaseError};
use toctou::db::Cluster;
use toctou::models::order::Order;
use toctou::models::{Model, Scenario, Variant};

fn case(variant: &str, scenario: &str, clients: usize) -> Box<dyn Case> {
    Order.case(variant, scenario, clients).expect("a variant and a scenario of the model")
}

/// Every variant in every scenario.
fn everything() -> impl Iterator<Item = (&'static Variant, &'static Scenario)> {
    known::everything(&Order)
}

/// A replay did not happen, which is said; and it is wrong unless PostgreSQL is missing.
fn left_out(what: &str, error: CaseError) {
    assert!(error.is_not_here() && Cluster::shared().is_err(), "{what}: {error}");
    throwaway::left_out(what, error);
}
