//! What each variant is known for, and that the engines agree about it.

use toctou::case::Method;
use toctou::check::{
    Disagreement, GraphOptions, LoomOptions, PropertyKind, Report, ShuttleMode, Verdict, audit,
};
use toctou::models::Model;
use toctou::models::transfer::Transfer;
use toctou::replay::Threads;

use super::{case, everything, graph, verdict};

#[test]
fn every_variant_has_just_the_verdicts_it_is_known_for_with_one_to_three_clients() {
    for (variant, scenario) in everything() {
        for clients in 1..=3 {
            let report = case(variant.name, scenario.name, clients).check(&graph());
            assert!(report.exhaustive());
            for finding in &report.findings {
                let known = variant.is_known_to_break(scenario.name, &finding.property, clients);
                let expected = if known { "violated" } else { "holds" };
                let what =
                    format!("{} {} {clients} {}", variant.name, scenario.name, finding.property);
                assert_eq!(finding.verdict.word(), expected, "{what}");
            }
        }
    }
}

#[test]
fn everything_recorded_names_a_scenario_and_a_property_that_there_are() {
    for variant in Transfer.variants() {
        for breaks in variant.breaks {
            let properties = case(variant.name, breaks.scenario, breaks.from_size).properties();
            let known = properties.iter().any(|(name, _)| name == breaks.property);
            assert!(known, "{} {} {}", variant.name, breaks.scenario, breaks.property);
        }
    }
}

#[test]
fn each_property_is_broken_by_some_variant_and_kept_by_what_ships() {
    let claimed = case("ordered", "out", 2).properties();
    for (name, _) in claimed.iter().filter(|(_, kind)| *kind != PropertyKind::Reachable) {
        let breaks = |by: &str, scenario: &str| {
            let variant = Transfer.variants().iter().find(|variant| variant.name == by);
            variant.expect("a variant").is_known_to_break(scenario, name, 3)
        };
        let mut everywhere = everything();
        assert!(everywhere.any(|(v, s)| breaks(v.name, s.name)), "nobody breaks {name}");
        for scenario in Transfer.scenarios() {
            assert!(!breaks("ordered", scenario.name), "{name} {}", scenario.name);
        }
    }
}

/// loom and shuttle get what they can finish in a test's time.
#[test]
fn the_engines_agree_wherever_they_finish() {
    const EVERY_INTERLEAVING: u64 = 1_500;
    const EVERY_STATE: u64 = 400;
    let mut finished = 0;
    for (variant, scenario) in everything() {
        for clients in 1..=2 {
            let case = case(variant.name, scenario.name, clients);
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
            assert!(told.is_empty(), "{} {} {clients}: {told:#?}", variant.name, scenario.name);
            assert!(reports.iter().all(Report::exhaustive));
            finished += 1;
        }
    }
    assert!(finished > everything().count(), "{finished}");
}

/// The retried transaction takes its first row again before the one that waits for it is woken, and is
/// in the circle again: however many retries there are, they may not be enough.
#[test]
fn a_retry_loop_alone_does_not_get_two_opposite_transfers_done() {
    let report = case("conditional-retry", "both-ways", 2).check(&graph());
    let finding = report.finding("no-server-error").expect("claimed");
    let schedule = finding.verdict.schedule().expect("a counterexample");
    let trace = case("conditional-retry", "both-ways", 2).play(schedule).expect("of this system");
    let deadlocks: Vec<_> =
        trace.steps.iter().filter(|step| step.label.ends_with("40P01")).map(|s| s.actor).collect();
    assert_eq!(deadlocks.len(), 3, "once, and after each of two retries:\n{trace}");
    assert!(deadlocks.iter().all(|actor| *actor == deadlocks[0]), "always the same:\n{trace}");
    // In the order of the ids there is no circle, and no need to begin anew.
    let ordered = case("ordered", "both-ways", 3).check(&graph());
    assert_eq!(*verdict(&ordered, "no-server-error"), Verdict::Holds(None));
}

#[test]
fn a_sum_is_kept_by_serializable_transactions_or_by_locks_and_by_no_snapshot() {
    for (variant, holds) in [
        ("read-committed", false),
        ("snapshot", false),
        ("snapshot-retry", false),
        ("serializable", true),
        ("serializable-retry", true),
        ("conditional-debit", false),
        ("select-for-update", true),
    ] {
        let report = case(variant, "sum", 2).check(&graph());
        let held = *verdict(&report, "no-overdraft") == Verdict::Holds(None);
        assert_eq!(held, holds, "{variant}");
        // Nobody is even told of the write skew.
        let silent = *verdict(&report, "no-server-error") == Verdict::Holds(None);
        assert_eq!(silent, variant != "serializable", "{variant}");
    }
}

/// Each account is judged by itself there; a body that is not what ships would say nothing about it.
#[test]
fn what_ships_is_not_said_to_keep_a_rule_over_several_accounts() {
    for variant in Transfer.variants() {
        for scenario in Transfer.scenarios() {
            let has = Transfer.has(variant.name, scenario.name);
            assert_eq!(has, (variant.name, scenario.name) != ("ordered", "sum"));
            assert_eq!(has, Transfer.case(variant.name, scenario.name, 2).is_some());
        }
    }
}

/// The server dies between the debit and the credit.
#[test]
fn a_crash_loses_money_where_there_is_no_transaction_and_only_there() {
    for variant in Transfer.variants().iter().filter(|variant| !variant.is_control()) {
        let report = case(variant.name, "crash", 1).check(&graph());
        let autocommit =
            ["check-then-debit", "check-then-subtract", "two-statements", "process-mutex"];
        let conserved = *verdict(&report, "money-conserved") == Verdict::Holds(None);
        assert_eq!(conserved, !autocommit.contains(&variant.name), "{}", variant.name);
        assert!(matches!(verdict(&report, "dies-halfway"), Verdict::Holds(Some(_))));
    }
}

/// Those without a transaction on SQLite, the others on PostgreSQL where there is one.
#[test]
fn every_counterexample_happens_on_a_real_database() {
    let (mut happened, mut left_out) = (0, 0);
    for (variant, scenario) in everything() {
        let case = case(variant.name, scenario.name, 2);
        for finding in &case.check(&graph()).findings {
            let Verdict::Violated(Some(schedule)) = &finding.verdict else { continue };
            match case.replay(schedule, Threads::One) {
                Ok(compared) => {
                    let (simulated, real) = (&compared.simulated, &compared.real);
                    let what = format!("{} {} {}", variant.name, scenario.name, finding.property);
                    assert!(compared.agrees(), "{what}\n{}\n{}", simulated.trace, real.trace);
                    happened += 1;
                }
                Err(error) if error.is_not_here() => {
                    let what = format!("{} {}", variant.name, scenario.name);
                    crate::throwaway::left_out(&what, error);
                    left_out += 1;
                }
                Err(error) => panic!("{} {}: {error}", variant.name, scenario.name),
            }
        }
    }
    assert!(happened > 10, "{happened} happened, {left_out} left out");
}
