//! What the tests of every model's verdicts have in common: that they are what is recorded, that the
//! engines agree about them, and that what breaks breaks in the real world.

// Not every target needs all of it.
#![allow(dead_code)]

use std::ops::RangeInclusive;

use toctou::Process;
use toctou::case::{Case, Method};
use toctou::check::{
    Checker, Disagreement, GraphOptions, LoomOptions, PropertyKind, Report, ShuttleMode, System,
    Value, Verdict, audit,
};
use toctou::models::{Model, Scenario, Variant};
use toctou::replay::Threads;

pub(crate) fn graph() -> Method {
    Method::Graph(GraphOptions::default())
}

/// Every variant in every scenario that it says something of.
pub(crate) fn everything(
    model: &dyn Model,
) -> impl Iterator<Item = (&'static Variant, &'static Scenario)> {
    let variants = model.variants().iter();
    let all = variants.flat_map(|variant| model.scenarios().iter().map(move |it| (variant, it)));
    all.filter(|(variant, scenario)| model.has(variant.name, scenario.name))
}

fn case(model: &dyn Model, variant: &str, scenario: &str, size: usize) -> Box<dyn Case> {
    model.case(variant, scenario, size).expect("a variant and a scenario of the model")
}

/// Every verdict is what is recorded, in systems of these sizes.
pub(crate) fn assert_verdicts(model: &dyn Model, sizes: RangeInclusive<usize>) {
    assert_verdicts_of(model, everything(model), sizes);
}

/// The same of these variants in these scenarios.
pub(crate) fn assert_verdicts_of(
    model: &dyn Model,
    of: impl Iterator<Item = (&'static Variant, &'static Scenario)>,
    sizes: RangeInclusive<usize>,
) {
    for (variant, scenario) in of {
        for size in sizes.clone() {
            let report = case(model, variant.name, scenario.name, size).check(&graph());
            assert!(report.exhaustive());
            for finding in &report.findings {
                let known = variant.is_known_to_break(scenario.name, &finding.property, size);
                let expected = if known { "violated" } else { "holds" };
                let what =
                    format!("{} {} {size} {}", variant.name, scenario.name, finding.property);
                assert_eq!(finding.verdict.word(), expected, "{what}");
            }
        }
    }
}

/// Nothing is recorded of a property that the model does not claim.
pub(crate) fn assert_records_speak_of_what_is_there(model: &dyn Model) {
    for variant in model.variants() {
        for breaks in variant.breaks() {
            let case = case(model, variant.name, breaks.scenario, breaks.from_size);
            let known = case.properties().iter().any(|(name, _)| name == breaks.property)
                || breaks.property == "deadlock-free";
            assert!(known, "{} {} {}", variant.name, breaks.scenario, breaks.property);
        }
    }
}

/// Each of these properties is broken by some variant, and kept by what ships, in systems of this size.
pub(crate) fn assert_each_can_fail(model: &dyn Model, ships: &str, claimed: &[&str], size: usize) {
    for name in claimed {
        let breaks = |(variant, scenario): (&Variant, &Scenario)| {
            variant.is_known_to_break(scenario.name, name, size)
        };
        assert!(everything(model).any(breaks), "nobody breaks {name}");
        let mut shipped = everything(model).filter(|(variant, _)| variant.name == ships).peekable();
        assert!(shipped.peek().is_some(), "there is no {ships}");
        assert!(!shipped.any(breaks), "{ships} breaks {name}");
    }
}

/// The properties that a system breaks.
pub(crate) fn broken<W: Value, P: Process<W, Output: Value> + Value>(
    system: System<W, P>,
) -> Vec<String> {
    let options = GraphOptions { count_interleavings_up_to: 0, ..GraphOptions::default() };
    let report = Checker::new(system).graph(&options);
    assert!(report.exhaustive());
    let findings = report.findings.into_iter();
    let broken = findings.filter(|finding| matches!(finding.verdict, Verdict::Violated(_)));
    broken.map(|finding| finding.property).collect()
}

/// A property's verdict.
pub(crate) fn verdict<'a>(report: &'a Report, property: &str) -> &'a Verdict {
    &report.finding(property).expect("a property of the model").verdict
}

/// What is claimed of every execution, of a case of the model.
pub(crate) fn claimed(case: &dyn Case) -> Vec<String> {
    let properties = case.properties().into_iter();
    let claimed = properties.filter(|(_, kind)| *kind != PropertyKind::Reachable);
    claimed.map(|(name, _)| name).collect()
}

/// loom and shuttle get what they can finish in a test's time, and have to agree with the graph.
pub(crate) fn assert_engines_agree(model: &dyn Model, sizes: RangeInclusive<usize>) {
    const EVERY_INTERLEAVING: u64 = 1_500;
    const EVERY_STATE: u64 = 400;
    let mut finished = 0;
    for (variant, scenario) in everything(model) {
        for size in sizes.clone() {
            let case = case(model, variant.name, scenario.name, size);
            let mut reports = vec![case.check(&graph())];
            if reports[0].states.unwrap_or(u64::MAX) > EVERY_STATE {
                continue;
            }
            let every = GraphOptions { symmetry: false, ..GraphOptions::default() };
            reports.push(case.check(&Method::Graph(every)));
            let paths: Option<u64> = reports[0].interleavings.to_string().parse().ok();
            let skip_known_states = paths.is_none_or(|paths| paths > EVERY_INTERLEAVING);
            let options = LoomOptions { skip_known_states, ..LoomOptions::default() };
            reports.push(case.check(&Method::Loom(options)));
            reports.push(case.check(&Method::Shuttle(ShuttleMode::KnownStates)));
            let told: Vec<_> = audit(&reports).iter().map(Disagreement::to_string).collect();
            assert!(told.is_empty(), "{} {} {size}: {told:#?}", variant.name, scenario.name);
            assert!(reports.iter().all(Report::exhaustive));
            finished += 1;
        }
    }
    assert!(finished > everything(model).count(), "{finished}");
}

/// Every shortest counterexample with so many clients happens as simulated; where it cannot be tried,
/// `left_out` is told. At least so many have to happen even without a server.
pub(crate) fn assert_what_breaks_breaks_for_real(
    model: &dyn Model,
    size: impl Fn(&Scenario) -> usize,
    at_least: usize,
    left_out: impl Fn(&str, toctou::case::CaseError),
) {
    let happened = breaks_for_real(model, everything(model), size, left_out);
    assert!(happened >= at_least, "{happened}");
}

/// The same of these variants in these scenarios; how many happened.
pub(crate) fn breaks_for_real(
    model: &dyn Model,
    of: impl Iterator<Item = (&'static Variant, &'static Scenario)>,
    size: impl Fn(&Scenario) -> usize,
    left_out: impl Fn(&str, toctou::case::CaseError),
) -> usize {
    let mut happened = 0;
    for (variant, scenario) in of {
        let case = case(model, variant.name, scenario.name, size(scenario));
        for finding in &case.check(&graph()).findings {
            let Some(schedule) = finding.verdict.schedule() else { continue };
            let what = format!("{} {} {}", variant.name, scenario.name, finding.property);
            match case.replay(schedule, Threads::OneEach) {
                Ok(compared) => {
                    let (simulated, real) = (&compared.simulated, &compared.real);
                    assert!(compared.agrees(), "{what}\n{}\n{}", simulated.trace, real.trace);
                    happened += 1;
                }
                Err(error) => left_out(&what, error),
            }
        }
    }
    happened
}
