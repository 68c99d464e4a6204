//! One API key a user: the verdicts of the model, the shipping machine proved and mutated, and the
//! handler on real databases, whole and failing.

mod databases;
mod faults;
mod flaky;
#[path = "../known/mod.rs"]
mod known;
mod mutants;
#[path = "../throwaway/mod.rs"]
mod throwaway;
mod verdicts;

use known::{graph, verdict};
use toctou::case::Case;
use toctou::models::api_key::ApiKey;
use toctou::models::{Model, Scenario, Variant};

fn case(variant: &str, scenario: &str, clients: usize) -> Box<dyn Case> {
    ApiKey.case(variant, scenario, clients).expect("a variant in a scenario that it makes sense in")
}

/// Every variant in every scenario that it makes sense in.
fn everything() -> impl Iterator<Item = (&'static Variant, &'static Scenario)> {
    known::everything(&ApiKey)
}
