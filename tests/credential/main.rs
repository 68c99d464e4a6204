//! The exclusive-create writer: verdicts, agreement of the engines, the kernel as the judge of the
//! simulation, and mutants of the variant that ships.

mod doctored;
mod kernel;
#[path = "../known/mod.rs"]
mod known;
mod mutants;
mod order;
mod verdicts;

use toctou::case::{Case, Method};
use toctou::check::{GraphOptions, Report, Verdict};
use toctou::models::credential::Credential;
use toctou::models::{Model, Scenario, Variant};

fn case(variant: &str, scenario: &str, actions: usize) -> Box<dyn Case> {
    Credential.case(variant, scenario, actions).expect("a variant and a scenario of the model")
}

fn graph() -> Method {
    Method::Graph(GraphOptions::default())
}

fn verdict<'a>(report: &'a Report, property: &str) -> &'a Verdict {
    &report.finding(property).expect("a property of the model").verdict
}

/// Every variant in every scenario.
fn everything() -> impl Iterator<Item = (&'static Variant, &'static Scenario)> {
    let variants = Credential.variants().iter();
    variants
        .flat_map(|variant| Credential.scenarios().iter().map(move |scenario| (variant, scenario)))
}
