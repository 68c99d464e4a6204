//! What the engines say of each variant, and how many executions it took them.

use toctou::case::Method;
use toctou::check::threads::{NO_DATA_RACE, ThreadsOnLoom};
use toctou::check::{
    AnyLimits, Bound, Engine, Finding, PropertyKind, Report, ShuttleMode, Verdict,
};
use toctou::models::claim_cell::ClaimCell;
use toctou::models::{Model, Scenario, Variant};

use super::known::{
    assert_each_can_fail, assert_records_speak_of_what_is_there, claimed, everything, graph,
    verdict,
};
use super::spec::Which;
use super::{all, by_loom, by_shuttle, systems};

const SHIPS: &str = "compare-exchange";

fn is_recorded(which: Which, property: &str) -> bool {
    let variant = ClaimCell.variants().iter().find(|known| known.name == which.variant);
    let variant = variant.expect("a variant of the model");
    variant.is_known_to_break(which.scenario, property, which.threads)
}

#[test]
fn every_verdict_with_two_and_three_threads_is_what_is_recorded_and_loom_explores_everything() {
    for which in all() {
        let loom = &which.found().loom;
        assert!(loom.exhaustive(), "{which:?}");
        for finding in &loom.findings {
            let expected = if is_recorded(which, &finding.property) { "violated" } else { "holds" };
            assert_eq!(finding.verdict.word(), expected, "{which:?} {}", finding.property);
        }
    }
}

/// shuttle sees no data race and nothing stale; all else that is broken it finds, and it never says that
/// something holds.
#[test]
fn shuttle_finds_what_takes_no_memory_model_and_proves_nothing() {
    for which in all() {
        let shuttle = &which.found().shuttle;
        assert_eq!(shuttle.bound, Some(Bound::NoMemoryModel(Engine::Shuttle)));
        for finding in &shuttle.findings {
            let takes_a_stale_read = which.variant == "flag-each"
                && ["at-most-once", "no-double-drop"].contains(&&*finding.property);
            let is_seen = is_recorded(which, &finding.property)
                && finding.property != NO_DATA_RACE
                && !takes_a_stale_read;
            let expected = match finding.kind {
                // That nobody ever gets there is not shown by an execution.
                PropertyKind::Reachable if is_seen => "unfinished",
                PropertyKind::Reachable => "holds",
                _ if is_seen => "violated",
                _ => "unfinished",
            };
            assert_eq!(finding.verdict.word(), expected, "{which:?} {}", finding.property);
        }
    }
}

#[test]
fn nothing_is_recorded_of_what_is_not_claimed() {
    assert_records_speak_of_what_is_there(&ClaimCell);
}

#[test]
fn every_claim_is_broken_by_somebody_and_kept_by_what_ships() {
    let mut names: Vec<String> = Vec::new();
    for scenario in ClaimCell.scenarios() {
        names.extend(claimed(&*Which::new(SHIPS, scenario.name, 3).case()));
    }
    names.sort();
    names.dedup();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(
        names,
        ["at-most-once", "exactly-once", "no-data-race", "no-double-drop", "no-leak", "put-once"]
    );
    assert_each_can_fail(&ClaimCell, SHIPS, &[&names[..], &["somebody-claims"]].concat(), 3);
}

#[test]
fn what_must_be_possible_is_and_the_control_that_never_claims_fails_it() {
    for which in all() {
        let report = &which.found().loom;
        let reachable = report.findings.iter().find(|it| it.kind == PropertyKind::Reachable);
        let reachable = reachable.expect("each has something that must be possible");
        let nobody_claims = (which.scenario, which.threads) == ("two-puts", 2);
        let name = if nobody_claims { "somebody-puts" } else { "somebody-claims" };
        assert_eq!(reachable.property, name);
        match &reachable.verdict {
            Verdict::Holds(Some(witness)) => {
                let told = which.case().play(witness).expect("a schedule of this system");
                let ended: Vec<_> = told.steps.iter().filter_map(|it| it.output.clone()).collect();
                let beginning = if nobody_claims { "Put" } else { "Claimed(" };
                assert!(ended.iter().any(|told| told.starts_with(beginning)), "{ended:?}");
            }
            Verdict::Violated(None) => assert_eq!(which.variant, "control-never-claims"),
            other => panic!("{which:?} {other:?}"),
        }
    }
}

/// Of a variant and a scenario: loom's executions and shuttle's, with 2 threads and with 3.
type Counts = (&'static str, &'static str, [u64; 2], [u64; 2]);

#[rustfmt::skip]
const COUNTS: [Counts; 24] = [
    ("load-then-store", "full", [19, 3618], [6, 66]),
    ("load-then-store", "put-later", [10, 947], [3, 16]),
    ("load-then-store", "two-puts", [10, 594], [4, 18]),
    ("flag-each", "full", [30, 15477], [6, 303]),
    ("flag-each", "put-later", [10, 638], [3, 30]),
    ("flag-each", "two-puts", [10, 537], [4, 18]),
    ("swap-relaxed", "full", [4, 94], [2, 6]),
    ("swap-relaxed", "put-later", [10, 947], [3, 16]),
    ("swap-relaxed", "two-puts", [10, 594], [4, 18]),
    ("compare-exchange", "full", [4, 94], [2, 6]),
    ("compare-exchange", "put-later", [5, 180], [3, 12]),
    ("compare-exchange", "two-puts", [10, 255], [4, 16]),
    ("mutex-take", "full", [4, 94], [2, 6]),
    ("mutex-take", "put-later", [4, 94], [2, 6]),
    ("mutex-take", "two-puts", [4, 94], [2, 6]),
    ("control-forgets-drop", "full", [4, 94], [2, 6]),
    ("control-forgets-drop", "put-later", [5, 180], [3, 12]),
    ("control-forgets-drop", "two-puts", [10, 255], [4, 16]),
    ("control-drops-again", "full", [4, 94], [2, 6]),
    ("control-drops-again", "put-later", [5, 180], [3, 12]),
    ("control-drops-again", "two-puts", [10, 255], [4, 16]),
    ("control-never-claims", "full", [1, 3], [2, 6]),
    ("control-never-claims", "put-later", [10, 347], [3, 12]),
    ("control-never-claims", "two-puts", [10, 537], [4, 16]),
];

fn executions(report: &Report) -> u64 {
    report.executions.expect("they are counted")
}

#[test]
fn the_executions_are_as_many_as_ever() {
    let count = |variant, scenario, threads| {
        let found = Which::new(variant, scenario, threads).found();
        (executions(&found.loom), executions(&found.shuttle))
    };
    let counted: Vec<Counts> = everything(&ClaimCell)
        .map(|(Variant { name: variant, .. }, Scenario { name: scenario, .. })| {
            let [two, three] = [2, 3].map(|threads| count(variant, scenario, threads));
            (*variant, *scenario, [two.0, three.0], [two.1, three.1])
        })
        .collect();
    assert_eq!(counted, COUNTS);
}

/// No chance, no clock, no addresses.
#[test]
fn the_same_system_is_explored_the_same_way_again() {
    for which in all() {
        // Of those that take seconds once is enough.
        if executions(&which.found().loom) > 1_000 {
            continue;
        }
        let (once, again) = (which.found(), which.find());
        for (once, again) in [(&once.loom, &again.loom), (&once.shuttle, &again.shuttle)] {
            assert_eq!(once.executions, again.executions, "{which:?}");
            assert_eq!(once.findings, again.findings, "{which:?}");
            assert_eq!(once.outcomes, again.outcomes, "{which:?}");
        }
    }
}

/// Executions of loom's with 4 threads, no more than 2 preemptions in each. The one other system (`flag-each`,
/// `full`) takes 30,616.
#[rustfmt::skip]
const OF_FOUR: [(&str, &str, u64); 23] = [
    ("load-then-store", "full", 5324),
    ("load-then-store", "put-later", 2280),
    ("load-then-store", "two-puts", 1202),
    ("flag-each", "put-later", 2518),
    ("flag-each", "two-puts", 1200),
    ("swap-relaxed", "full", 228),
    ("swap-relaxed", "put-later", 2280),
    ("swap-relaxed", "two-puts", 1172),
    ("compare-exchange", "full", 228),
    ("compare-exchange", "put-later", 287),
    ("compare-exchange", "two-puts", 320),
    ("mutex-take", "full", 228),
    ("mutex-take", "put-later", 228),
    ("mutex-take", "two-puts", 228),
    ("control-forgets-drop", "full", 228),
    ("control-forgets-drop", "put-later", 287),
    ("control-forgets-drop", "two-puts", 320),
    ("control-drops-again", "full", 228),
    ("control-drops-again", "put-later", 287),
    ("control-drops-again", "two-puts", 320),
    ("control-never-claims", "full", 48),
    ("control-never-claims", "put-later", 1014),
    ("control-never-claims", "two-puts", 942),
];

#[test]
fn with_four_threads_what_is_broken_is_found_and_nothing_is_said_to_hold() {
    let systems = systems(4).filter_map(|which| {
        let is_it = |it: &&(&str, &str, u64)| (it.0, it.1) == (which.variant, which.scenario);
        OF_FOUR.iter().find(is_it).map(|it| (which, it.2))
    });
    let systems: Vec<_> = systems.collect();
    assert_eq!(systems.len(), OF_FOUR.len());
    for (which, count) in systems {
        let report = which.case().check(&by_loom());
        let bound = Bound::Preemptions(2);
        assert_eq!((report.executions, &report.bound), (Some(count), &Some(bound.clone())));
        for finding in &report.findings {
            let what = format!("{which:?} {}", finding.property);
            let is_recorded = is_recorded(which, &finding.property);
            match (&finding.verdict, finding.kind) {
                (Verdict::Holds(Some(_)), PropertyKind::Reachable) => {
                    assert!(!is_recorded, "{what}");
                }
                // That nobody ever gets there is not shown by an execution.
                (Verdict::Unfinished(why), kind) => {
                    assert_eq!(*why, bound, "{what}");
                    assert!(!is_recorded || kind == PropertyKind::Reachable, "{what}");
                }
                (Verdict::Violated(Some(schedule)), _) => {
                    assert!(is_recorded, "{what}");
                    which.case().play(schedule).expect(&what);
                }
                other => panic!("{what} {other:?}"),
            }
        }
    }
}

#[test]
fn pct_finds_the_lost_race_of_four_threads_and_nothing_in_what_ships() {
    let broken = Which::new("load-then-store", "full", 4);
    let report = broken.case().check(&by_shuttle());
    assert_eq!((report.mode, &report.bound), ("PCT", &Some(Bound::Sampled(2_000))));
    assert_eq!(report.executions, Some(2_000));
    for property in ["at-most-once", "exactly-once", "no-double-drop"] {
        let schedule = verdict(&report, property).schedule().expect("2,000 show it");
        let told = broken.case().play(schedule).expect("a schedule of this system");
        assert!(told.end.is_some_and(|end| end.contains("dropped")), "{property}");
    }
    for scenario in ClaimCell.scenarios() {
        let report = Which::new(SHIPS, scenario.name, 4).case().check(&by_shuttle());
        let violated = |finding: &&Finding| matches!(finding.verdict, Verdict::Violated(_));
        assert_eq!(report.findings.iter().find(violated), None, "{}", scenario.name);
        assert_eq!(report.bound, Some(Bound::Sampled(2_000)));
    }
}

#[test]
fn five_threads_are_all_that_loom_takes_and_of_more_it_says_so() {
    let options = ThreadsOnLoom { max_executions: 64, ..ThreadsOnLoom::usual(5) };
    let five = Which::new(SHIPS, "full", 5).program().loom(&options);
    assert_eq!((five.executions, five.bound), (Some(63), Some(Bound::Executions(63))));
    let six = Which::new(SHIPS, "full", 6).program();
    let report = six.loom(&ThreadsOnLoom::usual(6));
    let bound = Bound::Actors { actors: 6, limit: 5, engine: Engine::Loom };
    assert_eq!((report.executions, &report.bound), (None, &Some(bound.clone())));
    let verdicts = report.findings.iter().map(|finding| &finding.verdict);
    assert!(verdicts.clone().all(|verdict| *verdict == Verdict::Unfinished(bound.clone())));
    assert_eq!(verdicts.count(), six.properties().len() + 1);
    assert_eq!(bound.to_string(), "6 actors, and loom takes 5 at most");
    // shuttle takes them.
    let mode = ShuttleMode::Pct { executions: 50, depth: 3, seed: 1 };
    assert_eq!(six.shuttle(mode).executions, Some(50));
}

/// A bound that was met is told, and what was seen until then stays seen.
#[test]
fn an_engine_that_is_stopped_early_says_after_how_many_executions() {
    let program = Which::new("load-then-store", "full", 3).program();
    let options = ThreadsOnLoom { max_executions: 200, ..ThreadsOnLoom::default() };
    let report = program.loom(&options);
    let executions = executions(&report);
    assert!((200..256).contains(&executions), "{executions}");
    assert_eq!(report.bound, Some(Bound::Executions(executions)));
    assert_eq!(verdict(&report, NO_DATA_RACE).word(), "unfinished");
    assert_eq!(verdict(&report, "at-most-once").word(), "violated");
    let report = program.shuttle(ShuttleMode::DepthFirst { max_executions: 65 });
    assert!(matches!(report.bound, Some(Bound::Executions(_))), "{report:?}");
    let report = program.shuttle(ShuttleMode::DepthFirst { max_executions: 66 });
    assert_eq!(report.bound, Some(Bound::NoMemoryModel(Engine::Shuttle)));
}

/// The least that the model has is two threads; less does no harm.
#[test]
fn one_thread_or_none_is_explored_as_well() {
    let one = Which::new(SHIPS, "full", 1).find();
    assert!(one.loom.holds() && one.loom.exhaustive(), "{:?}", one.loom);
    assert_eq!((one.loom.executions, one.shuttle.executions), (Some(1), Some(1)));
    let none = Which::new(SHIPS, "full", 0).find();
    assert_eq!(verdict(&none.loom, "exactly-once").word(), "violated");
    assert_eq!(none.shuttle.executions, Some(1));
    assert!(ClaimCell.case(SHIPS, "two-puts", 1).is_none());
}

/// There is no machine whose states could be searched.
#[test]
fn the_state_graph_and_any_say_that_this_is_not_for_them() {
    let case = Which::new(SHIPS, "full", 2).case();
    assert!(!case.is_machine());
    for method in [graph(), Method::Any(AnyLimits::default())] {
        let report = case.check(&method);
        assert_eq!(report.bound, Some(Bound::NoMachine));
        let verdicts = report.findings.iter().map(|finding| &finding.verdict);
        assert!(verdicts.into_iter().all(|it| *it == Verdict::Unfinished(Bound::NoMachine)));
    }
}
