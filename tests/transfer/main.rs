//! Money that moves whole: the verdicts of the model, its isolation levels, the shipping machine
//! mutated, and the handler on real databases, whole and failing.

#![cfg(feature = "command")]

mod databases;
mod faults;
#[path = "../order/flaky.rs"]
mod flaky;
mod isolation;
mod mutants;
#[path = "../order/mutated.rs"]
mod mutated;
#[path = "../throwaway/mod.rs"]
mod throwaway;
mod verdicts;

use toctou::case::{Case, Method};
use toctou::check::{GraphOptions, Report, Verdict};
use toctou::models::transfer::Transfer;
use toctou::models::{Model, Scenario, Variant};

fn graph() -> Method {
    Method::Graph(GraphOptions::default())
}

fn case(variant: &str, scenario: &str, clients: usize) -> Box<dyn Case> {
    Transfer.case(variant, scenario, clients).expect("a variant and a scenario of the model")
}

fn verdict<'a>(report: &'a Report, property: &str) -> &'a Verdict {
    &report.finding(property).expect("a property of the model").verdict
}

/// Every variant in every scenario that has it.
fn everything() -> impl Iterator<Item = (&'static Variant, &'static Scenario)> {
    let variants = Transfer.variants().iter();
    variants
        .flat_map(|variant| Transfer.scenarios().iter().map(move |scenario| (variant, scenario)))
        .filter(|(variant, scenario)| Transfer.has(variant.name, scenario.name))
}
