//! What each variant is known for, and that the engines agree about it.

use toctou::check::Verdict;
use toctou::models::Model;
use toctou::models::transfer::Transfer;
use toctou::replay::Threads;

use super::{case, graph, known, verdict};

#[test]
fn every_variant_has_just_the_verdicts_it_is_known_for_with_one_to_three_clients() {
    known::assert_verdicts(&Transfer, 1..=3);
}

#[test]
fn everything_recorded_names_a_scenario_and_a_property_that_there_are() {
    known::assert_records_speak_of_what_is_there(&Transfer);
}

#[test]
fn each_property_is_broken_by_some_variant_and_kept_by_what_ships() {
    let claimed = known::claimed(&*case("ordered", "out", 2));
    let claimed: Vec<_> = claimed.iter().map(String::as_str).collect();
    known::assert_each_can_fail(&Transfer, "ordered", &claimed, 3);
}

#[test]
fn the_engines_agree_wherever_they_finish() {
    known::assert_engines_agree(&Transfer, 1..=2);
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
            let ships = ["ordered", "idempotency-key", "control-ignores-key"];
            assert_eq!(has, !(scenario.name == "sum" && ships.contains(&variant.name)));
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
    known::assert_what_breaks_breaks_for_real(&Transfer, |_| 2, 10, super::left_out);
}

/// Who waits for whom, and in which circle, is the server's own word, and the simulation's.
#[test]
fn a_deadlock_is_told_as_the_circle_that_it_is() {
    let case = case("conditional-retry", "both-ways", 2);
    let report = case.check(&graph());
    let schedule = verdict(&report, "no-server-error").schedule().expect("a counterexample");
    let compared = match case.replay(schedule, Threads::OneEach) {
        Ok(compared) => compared,
        Err(error) => return super::left_out("a deadlock", error),
    };
    for trace in [&compared.simulated.trace, &compared.real.trace] {
        let circles: Vec<_> = trace.steps.iter().filter_map(|step| step.circle.clone()).collect();
        assert_eq!(circles, [[0, 1, 0], [0, 1, 0], [0, 1, 0]], "{trace}");
        let waits: Vec<_> = trace.steps.iter().filter_map(|step| step.waits_for.clone()).collect();
        assert_eq!(waits, [[0], [0], [0]], "{trace}");
        let failed = trace.steps.iter().filter(|step| step.label.ends_with("-- 40P01"));
        assert!(failed.clone().all(|step| step.circle.is_some()) && failed.count() == 3);
    }
    // Told otherwise, they would not agree.
    for change in 0..2 {
        let mut other = compared.clone();
        for step in &mut other.real.trace.steps {
            match change {
                0 => step.circle = step.circle.as_ref().map(|_| vec![1, 0, 1]),
                _ => step.waits_for = step.waits_for.as_ref().map(|_| vec![1]),
            }
        }
        assert!(compared.agrees() && !other.agrees());
    }
}
