//! Money that moves whole: the verdicts of the model, its isolation levels, the shipping machine
//! mutated, and the handler on real databases, whole and failing.

mod databases;
mod faults;
#[path = "../order/flaky.rs"]
mod flaky;
mod isolation;
#[path = "../known/mod.rs"]
mod known;
mod mutants;
#[path = "../order/mutated.rs"]
mod mutated;
#[path = "../throwaway/mod.rs"]
mod throwaway;
mod verdicts;

use known::{graph, verdict};
use toctou::case::{Case, CaseError};
use toctou::db::Cluster;
use toctou::models::Model;
use toctou::models::transfer::Transfer;

fn case(variant: &str, scenario: &str, clients: usize) -> Box<dyn Case> {
    Transfer.case(variant, scenario, clients).expect("a variant and a scenario of the model")
}

/// A replay did not happen, which is said; and it is wrong unless PostgreSQL is missing.
fn left_out(what: &str, error: CaseError) {
    assert!(error.is_not_here() && Cluster::shared().is_err(), "{what}: {error}");
    throwaway::left_out(what, error);
}
