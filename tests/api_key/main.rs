//! One API key a user: the verdicts of the model, the shipping machine proved and mutated, and the
//! handler on real databases, whole and failing.

#![cfg(feature = "command")]

mod databases;
mod faults;
mod flaky;
#[path = "../known/mod.rs"]
mod known;
mod mutants;
#[path = "../throwaway/mod.rs"]
mod throwaway;
mod verdicts;

use toctou::case::{Case, Method};
use toctou::check::{GraphOptions, Report, Verdict};
use toctou::models::api_key::ApiKey;
use toctou::models::{Model, Scenario, Variant};

fn graph() -> Method {
    Method::Graph(GraphOptions::default())
}

fn case(variant: &str, scenario: &str, clients: usize) -> Box<dyn Case> {
    ApiKey.case(variant, scenario, clients).expect("a variant in a scenario that it makes sense in")
}

fn verdict<'a>(report: &'a Report, property: &str) -> &'a Verdict {
    &report.finding(property).expect("a property of the model").verdict
}

/// Every variant in every scenario that it makes sense in.
fn everything() -> impl Iterator<Item = (&'static Variant, &'static Scenario)> {
    let all = ApiKey.variants().iter();
    let all = all.flat_map(|variant| ApiKey.scenarios().iter().map(move |it| (variant, it)));
    all.filter(|(variant, scenario)| ApiKey.has(variant.name, scenario.name))
}
