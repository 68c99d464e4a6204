//! What each variant is known for, and that the engines agree about it.

use toctou::case::Method;
use toctou::check::{
    AnyLimits, Checker, Disagreement, GraphOptions, LoomOptions, PropertyKind, Report, ShuttleMode,
    Verdict, audit,
};
use toctou::models::Model;
use toctou::models::order::{Order, simulated};
use toctou::replay::Threads;

use super::{case, everything, graph, verdict};

/// The properties that do not hold.
fn broken(report: &Report) -> Vec<String> {
    assert!(report.exhaustive());
    let findings = report.findings.iter();
    let broken = findings.filter(|finding| matches!(finding.verdict, Verdict::Violated(_)));
    broken.map(|finding| finding.property.clone()).collect()
}

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
    for variant in Order.variants() {
        for breaks in variant.breaks {
            let properties = case(variant.name, breaks.scenario, breaks.from_size).properties();
            let known = properties.iter().any(|(name, _)| name == breaks.property)
                || breaks.property == "deadlock-free";
            assert!(known, "{} {} {}", variant.name, breaks.scenario, breaks.property);
        }
    }
}

#[test]
fn each_property_is_broken_by_some_variant_and_kept_by_what_ships() {
    let claimed = case("conditional-update", "cancels", 2).properties();
    let claimed = claimed.iter().filter(|(_, kind)| *kind != PropertyKind::Reachable);
    for name in claimed.map(|(name, _)| name.as_str()).chain(["deadlock-free"]) {
        let breaks = |by: &str, scenario: &str| {
            let variant = Order.variants().iter().find(|variant| variant.name == by);
            variant.expect("a variant").is_known_to_break(scenario, name, 3)
        };
        let mut everywhere = everything();
        assert!(everywhere.any(|(v, s)| breaks(v.name, s.name)), "nobody breaks {name}");
        for scenario in Order.scenarios() {
            assert!(!breaks("conditional-update", scenario.name), "{name} {}", scenario.name);
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
        let others = ["unlocked-writer", "two-servers"].contains(&scenario.name);
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
    let (mut happened, mut left_out) = (0, 0);
    for (variant, scenario) in everything() {
        let case = case(variant.name, scenario.name, 2);
        for finding in &case.check(&graph()).findings {
            let Verdict::Violated(Some(schedule)) = &finding.verdict else { continue };
            let mut schedule = schedule.clone();
            if finding.property == "deadlock-free" {
                // Everybody tries once more: only so is it seen that a real one waits.
                schedule.turns.extend(0..case.actors().len());
            }
            match case.replay(&schedule, Threads::One) {
                Ok(compared) => {
                    let (simulated, real) = (&compared.simulated, &compared.real);
                    let what = format!("{} {} {}", variant.name, scenario.name, finding.property);
                    assert!(compared.agrees(), "{what}\n{}\n{}", simulated.trace, real.trace);
                    happened += 1;
                }
                Err(error) => {
                    super::left_out(&format!("{} {}", variant.name, scenario.name), error);
                    left_out += 1;
                }
            }
        }
    }
    assert!(happened > 20, "{happened} happened, {left_out} left out");
}
