//! What each variant is known for, and that the engines agree about it.

use toctou::case::Method;
use toctou::check::{AnyLimits, Checker, GraphOptions, Report, Verdict};
use toctou::models::Model;
use toctou::models::order::{Order, simulated};

use super::{case, everything, graph, known, verdict};

/// The properties that do not hold.
fn broken(report: &Report) -> Vec<String> {
    assert!(report.exhaustive());
    let findings = report.findings.iter();
    let broken = findings.filter(|finding| matches!(finding.verdict, Verdict::Violated(_)));
    broken.map(|finding| finding.property.clone()).collect()
}

#[test]
fn every_variant_has_just_the_verdicts_it_is_known_for_with_one_to_three_clients() {
    known::assert_verdicts(&Order, 1..=3);
}

#[test]
fn everything_recorded_names_a_scenario_and_a_property_that_there_are() {
    known::assert_records_speak_of_what_is_there(&Order);
}

#[test]
fn each_property_is_broken_by_some_variant_and_kept_by_what_ships() {
    let claimed = known::claimed(&*case("conditional-update", "cancels", 2));
    let mut claimed: Vec<_> = claimed.iter().map(String::as_str).collect();
    claimed.push("deadlock-free");
    known::assert_each_can_fail(&Order, "conditional-update", &claimed, 3);
}

#[test]
fn the_engines_agree_wherever_they_finish() {
    known::assert_engines_agree(&Order, 1..=2);
}

#[test]
fn what_ships_ends_an_order_once_for_any_number_of_clients() {
    for scenario in Order.scenarios() {
        let report =
            case("conditional-update", scenario.name, 2).check(&Method::Any(AnyLimits::default()));
        assert_eq!(*verdict(&report, "one-ending"), Verdict::Holds(None), "{}", scenario.name);
        assert_eq!(*verdict(&report, "somebody-is-late"), Verdict::Holds(None));
    }
}

#[test]
fn a_mutex_does_as_much_while_there_is_one_process_with_enough_threads_and_nobody_else() {
    let any = Method::Any(AnyLimits::default());
    for scenario in Order.scenarios() {
        let report = case("process-mutex", scenario.name, 2).check(&any);
        let others = ["unlocked-writer", "two-servers", "crash"].contains(&scenario.name);
        let expected = if others { Verdict::Violated(None) } else { Verdict::Holds(None) };
        assert_eq!(*verdict(&report, "one-ending"), expected, "{}", scenario.name);
    }
}

#[test]
fn a_mutex_held_across_an_await_stops_the_one_worker_and_it_is_told_who_waits_for_whom() {
    let case = case("process-mutex", "one-worker", 2);
    let report = case.check(&graph());
    let finding = report.finding("deadlock-free").expect("always among the properties");
    let schedule = finding.verdict.schedule().expect("a counterexample");
    let trace = case.play(schedule).expect("a schedule of this system");
    let waiting: Vec<_> = trace.unfinished.iter().map(|left| &left.waits_for).collect();
    assert!(trace.unfinished.iter().all(|left| left.waits));
    assert_eq!(waiting, [&Some(vec![1]), &Some(vec![0])], "each waits for the other:\n{trace}");
    let told = trace.to_string();
    assert!(told.contains("waits for client 1") && told.contains("waits for client 2"), "{told}");
    // One has the mutex and wants the worker, the other has the worker and wants the mutex.
    assert!(told.contains("locks the mutex of server 1"), "{told}");
    // Nothing of the kind befalls those that wait in the database.
    for variant in ["conditional-update", "version-column", "select-for-update"] {
        let report = super::case(variant, "one-worker", 3).check(&graph());
        assert_eq!(*verdict(&report, "deadlock-free"), Verdict::Holds(None), "{variant}");
    }
}

#[test]
fn verifying_the_signature_changes_no_verdict() {
    for (variant, scenario) in everything() {
        for clients in 1..=2 {
            let [signed, unsigned] = [true, false].map(|signed| {
                let system = simulated(variant.name, scenario.name, clients, signed);
                Checker::new(system.expect("of the model")).graph(&GraphOptions::default())
            });
            assert!(signed.states > unsigned.states, "it is a step of its own");
            assert_eq!(broken(&signed), broken(&unsigned), "{} {}", variant.name, scenario.name);
        }
    }
}

/// A signature says who asked, and not that it is for the first time.
#[test]
fn a_request_sent_again_is_as_one_client_more() {
    for variant in Order.variants() {
        for clients in 1..=2 {
            let replayed = case(variant.name, "replay", clients).check(&graph());
            let one_more = case(variant.name, "cancels", clients + 1).check(&graph());
            assert_eq!(broken(&replayed), broken(&one_more), "{} {clients}", variant.name);
        }
    }
}

/// Those without a transaction on SQLite, the others on PostgreSQL where there is one.
#[test]
fn every_counterexample_happens_on_a_real_database() {
    known::assert_what_breaks_breaks_for_real(&Order, |_| 2, 20, super::left_out);
}
