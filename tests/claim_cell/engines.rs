//! The engines agree: with one another, and with a plain enumeration of what the variants do.

use std::collections::BTreeSet;

use toctou::check::{Disagreement, Interleavings, Outcomes, PropertyKind, Report, Verdict, audit};

use super::spec::Told;
use super::{Found, all};

fn outcomes(report: &Report) -> &Outcomes {
    report.outcomes.as_ref().expect("both tell outcomes")
}

#[test]
fn loom_and_shuttle_agree_about_every_system_of_two_and_three_threads() {
    for which in all() {
        let Found { loom, shuttle } = which.found();
        assert_eq!(audit(&[loom.clone(), shuttle.clone()]), [], "{which:?}");
        assert!(outcomes(loom).is_superset(outcomes(shuttle)), "{which:?}");
    }
}

/// Whole operations in every order show all that can become of the others.
#[test]
fn only_where_each_raises_a_flag_of_its_own_does_the_memory_model_have_more_outcomes() {
    for which in all() {
        let Found { loom, shuttle } = which.found();
        let has_more = outcomes(loom).len() > outcomes(shuttle).len();
        // It takes two who claim.
        let claim = match which.scenario {
            "full" => which.threads,
            "put-later" => which.threads - 1,
            _ => which.threads - 2,
        };
        assert_eq!(has_more, which.variant == "flag-each" && claim >= 2, "{which:?}");
    }
}

#[test]
fn an_outcome_that_loom_did_not_reach_is_found_out() {
    for which in all() {
        let Found { loom, shuttle } = which.found();
        for outcome in outcomes(shuttle) {
            let mut doctored = loom.clone();
            assert!(doctored.outcomes.as_mut().expect("it has them").remove(outcome));
            let told = audit(&[doctored, shuttle.clone()]);
            let is_it = matches!(told[..], [Disagreement::Outcomes { missing: 1, .. }]);
            assert!(is_it, "{which:?} {told:?}");
        }
    }
}

#[test]
fn a_violation_that_loom_does_not_have_is_found_out() {
    let mut doctored = 0;
    for which in all() {
        let Found { loom, shuttle } = which.found();
        for (index, finding) in shuttle.findings.iter().enumerate() {
            let mut loom = loom.clone();
            loom.findings[index].verdict = match (&finding.verdict, finding.kind) {
                (Verdict::Unfinished(_), _) => continue,
                (_, PropertyKind::Reachable) => Verdict::Violated(None),
                _ => Verdict::Holds(None),
            };
            let told = audit(&[loom, shuttle.clone()]);
            let is_it = matches!(&told[..],
                [Disagreement::Verdict { property, .. }] if *property == finding.property);
            assert!(is_it, "{which:?} {told:?}");
            doctored += 1;
        }
    }
    assert!(doctored > 48, "{doctored}");
}

/// shuttle's executions are the interleavings, each once: as many as there are by counting, with as many
/// outcomes, as many of them in violation.
#[test]
fn shuttle_runs_each_interleaving_once() {
    for which in all() {
        let all = which.interleavings();
        let report = &which.found().shuttle;
        let count = all.len() as u64;
        assert_eq!(report.executions, Some(count), "{which:?}");
        assert_eq!(report.interleavings, Interleavings::Exactly(count.into()), "{which:?}");
        let ends: BTreeSet<_> = all.iter().map(|told| (&told.outputs, &told.dropped)).collect();
        assert_eq!(outcomes(report).len(), ends.len(), "{which:?}");

        let violating = |property: &str| {
            let finding = report.finding(property)?;
            // The schedule of the first is among them.
            finding.violating.clone().map(|count| count.to_string())
        };
        let assert_count = |property: &str, is_violated: &dyn Fn(&Told) -> bool| {
            let count = all.iter().filter(|told| is_violated(told)).count();
            let expected = (count > 0).then(|| count.to_string());
            assert_eq!(violating(property), expected, "{which:?} {property}");
        };
        assert_count("at-most-once", &Told::is_claimed_twice);
        assert_count("no-leak", &|told| told.dropped.contains(&0));
        assert_count("no-double-drop", &|told| told.dropped.iter().any(|times| *times > 1));
        let ended = |told: &Told, with: &str| told.outputs.iter().filter(|it| *it == with).count();
        if which.scenario == "full" {
            assert_count("exactly-once", &|told| ended(told, "Claimed(1)") != 1);
        } else {
            assert_count("put-once", &|told| ended(told, "Put") != 1);
        }
    }
}

/// Where every thread does a fixed number of operations, there is a formula: n! / (a! b! c!).
#[test]
fn programs_of_a_fixed_length_have_as_many_interleavings_as_the_formula_says() {
    let factorial = |number: u64| (1..=number).product::<u64>();
    let fixed = [
        ("compare-exchange", "full", 1, 0),
        ("mutex-take", "full", 1, 0),
        ("mutex-take", "put-later", 1, 1),
        ("mutex-take", "two-puts", 1, 1),
        ("compare-exchange", "put-later", 1, 2),
        ("control-never-claims", "put-later", 1, 2),
        ("swap-relaxed", "full", 1, 0),
    ];
    for which in all() {
        let known = fixed.iter().find(|it| (it.0, it.1) == (which.variant, which.scenario));
        let Some((_, _, claim, put)) = known else { continue };
        let puts = match which.scenario {
            "full" => 0,
            "put-later" => 1,
            _ => 2,
        };
        let claims = which.threads as u64 - puts;
        let operations = claims * claim + puts * put;
        let orders = (0..claims).map(|_| factorial(*claim)).product::<u64>()
            * (0..puts).map(|_| factorial(*put)).product::<u64>();
        let formula = factorial(operations) / orders;
        assert_eq!(which.found().shuttle.executions, Some(formula), "{which:?}");
    }
}

/// Operation by operation, in the words of a trace.
#[test]
fn every_interleaving_plays_as_the_plain_machine_does_it() {
    let mut played = 0;
    for which in all() {
        let case = which.case();
        for told in which.interleavings() {
            let schedule = toctou::check::Schedule::of(told.turns());
            let trace = case.play(&schedule).expect("an interleaving of this system");
            let steps = trace.steps.iter().map(|step| super::spec::Operation {
                actor: step.actor,
                label: step.label.clone(),
                output: step.output.clone(),
            });
            assert_eq!(steps.collect::<Vec<_>>(), told.steps, "{which:?} {schedule}");
            assert!(trace.unfinished.is_empty() && trace.start.is_none());
            let fate = |(number, times): (usize, &usize)| match times {
                0 => format!("value {number} never dropped"),
                1 => format!("value {number} dropped once"),
                2 => format!("value {number} dropped twice"),
                times => format!("value {number} dropped {times} times"),
            };
            let fates: Vec<_> = (1..).zip(&told.dropped).map(fate).collect();
            assert_eq!(trace.end, Some(fates.join(", ")), "{which:?} {schedule}");
            played += 1;
        }
    }
    assert_eq!(played, 722);
}
