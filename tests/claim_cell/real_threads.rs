//! Schedules on real threads: what was found happens there as simulated, and another source does not.

use std::sync::mpsc::channel;
use std::time::Duration;

use toctou::atoms::real;
use toctou::case::CaseError;
use toctou::check::threads::{Program, Source};
use toctou::check::{PlayError, Schedule};
use toctou::replay::{Place, Remains, ReplayError, Threads, let_loose, on_real_threads};

use super::spec::Which;
use super::{all, schedule};

#[test]
fn every_counterexample_with_nothing_stale_happens_on_real_threads_as_simulated() {
    let (mut happened, mut refused) = (0, 0);
    for which in all() {
        let found = which.found();
        for finding in found.loom.findings.iter().chain(&found.shuttle.findings) {
            let Some(schedule) = finding.verdict.schedule() else { continue };
            let what = format!("{which:?} {} {schedule}", finding.property);
            match which.case().replay(schedule, Threads::OneEach) {
                Ok(compared) => {
                    let (simulated, real) = (&compared.simulated, &compared.real);
                    assert!(compared.agrees(), "{what}\n{}\n{}", simulated.trace, real.trace);
                    assert_eq!((compared.place, compared.but), (Place::Threads, None));
                    assert!(compared.schedule.turns.starts_with(&schedule.turns), "{what}");
                    assert!(real.trace.unfinished.is_empty(), "{what}");
                    happened += 1;
                }
                Err(error) => {
                    assert!(!schedule.stale.is_empty() && error.is_not_here(), "{what} {error}");
                    refused += 1;
                }
            }
        }
    }
    // flag-each: both of its properties, in `full` with 2 threads and 3, and in `put-later` with 3.
    assert_eq!(refused, 6);
    assert!(happened > 96, "{happened}");
}

/// Every one there is, with two threads and with three, of every variant.
#[test]
fn every_interleaving_happens_on_real_threads_as_simulated() {
    let mut happened = 0;
    for which in all() {
        let program = which.program();
        for told in which.interleavings() {
            let schedule = Schedule::of(told.turns());
            let replayed = on_real_threads(&program, &schedule).expect("it is an interleaving");
            let (went, simulated, real) = replayed.expect("nothing is stale");
            assert_eq!(went, schedule, "{which:?}");
            assert!(simulated.agrees(&real), "{which:?}\n{}\n{}", simulated.trace, real.trace);
            // And as the plain machine does it.
            let labels = real.trace.steps.iter().map(|step| &step.label);
            assert!(labels.eq(told.steps.iter().map(|step| &step.label)), "{which:?}");
            assert_eq!(real.remains, Remains::Drops(told.dropped), "{which:?}");
            happened += 1;
        }
    }
    assert_eq!(happened, 722);
}

#[test]
fn a_schedule_that_ends_early_is_run_on_to_the_end_of_every_thread() {
    let case = Which::new("load-then-store", "full", 3).case();
    let compared = case.replay(&schedule("[2, 1]"), Threads::OneEach).expect("a beginning");
    assert_eq!(compared.schedule, schedule("[2, 1, 0, 0, 1, 2]"));
    assert!(compared.agrees());
    assert_eq!(compared.real.remains, Remains::Drops(vec![3]));
}

#[test]
fn a_schedule_that_cannot_be_is_refused_before_any_thread_is_started() {
    let case = Which::new("compare-exchange", "full", 2).case();
    let refused = |text| match case.replay(&schedule(text), Threads::OneEach) {
        Err(CaseError::Play(error)) => error,
        other => panic!("{text} {other:?}"),
    };
    assert!(matches!(refused("[0, 0]"), PlayError::Ended { position: 2, .. }));
    assert!(matches!(refused("[2]"), PlayError::NoSuchActor { position: 1, .. }));
    assert!(matches!(refused("4: [0]"), PlayError::NoSuchStart { start: 4, starts: 1 }));
    // That it cannot be comes before that it could not be told to.
    assert!(matches!(refused("[0, 1~1]"), PlayError::Stale { position: 2 }));
    let case = Which::new("flag-each", "full", 2).case();
    let error = case.replay(&schedule("[0, 1, 1~1, 0~1]"), Threads::OneEach);
    let error = error.expect_err("no processor can be told to");
    assert!(matches!(error, CaseError::Replay(ReplayError::NotHere(_))) && error.is_not_here());
}

/// What one variant does where a schedule is told, and another on real threads.
fn crossed(simulated: Which, real: Which) -> Program {
    let (simulated, real) = (simulated.program(), real.program());
    let source =
        Source { on_threads: real.source().on_threads.clone(), ..simulated.source().clone() };
    Program::new(simulated.actors().to_vec(), source)
}

fn agrees(program: &Program, text: &str) -> bool {
    let replayed = on_real_threads(program, &schedule(text)).expect("a schedule of the first");
    let (_, simulated, real) = replayed.expect("nothing is stale");
    simulated.agrees(&real)
}

#[test]
fn real_threads_that_do_something_else_are_found_out() {
    let of = |variant, scenario| Which::new(variant, scenario, 2);
    let ships = |scenario| of("compare-exchange", scenario);
    // Another operation, another answer, another number of operations.
    for variant in ["load-then-store", "flag-each", "swap-relaxed", "mutex-take"] {
        let program = crossed(ships("full"), of(variant, "full"));
        assert!(!agrees(&program, "[0, 1]"), "{variant}");
    }
    assert!(!agrees(&crossed(of("load-then-store", "full"), ships("full")), "[0, 1, 0, 1]"));
    // Only what is dropped differs, and only where nobody claims it, or somebody does.
    let forgets = crossed(ships("put-later"), of("control-forgets-drop", "put-later"));
    assert!(!agrees(&forgets, "[0, 1, 1]") && agrees(&forgets, "[1, 1, 0]"));
    let again = crossed(ships("put-later"), of("control-drops-again", "put-later"));
    assert!(agrees(&again, "[0, 1, 1]") && !agrees(&again, "[1, 1, 0]"));
    // The same against itself.
    assert!(agrees(&crossed(ships("put-later"), ships("put-later")), "[1, 0, 1]"));
}

#[test]
fn what_ships_never_breaks_let_loose() {
    let systems =
        [("full", 2, 2_000), ("full", 4, 300), ("put-later", 3, 500), ("two-puts", 4, 300)];
    for (scenario, threads, rounds) in systems {
        let case = Which::new("compare-exchange", scenario, threads).case();
        assert!(case.can_run_free());
        let stress = case.stress(0, rounds).expect("it can be let loose");
        assert_eq!(stress.rounds, rounds);
        assert!(stress.violations.iter().all(|(_, times)| *times == 0), "{stress:?}");
        let named: Vec<&str> = stress.violations.iter().map(|(name, _)| &**name).collect();
        let second = if scenario == "full" { "exactly-once" } else { "put-once" };
        assert_eq!(named, ["at-most-once", second, "no-leak", "no-double-drop"]);
    }
}

/// Whether chance finds it is chance's affair; what breaks every time is counted every time.
#[test]
fn how_often_a_free_run_breaks_is_counted_by_property() {
    let count = |variant, rounds| let_loose(&Which::new(variant, "full", 2).program(), rounds);
    let lost = count("load-then-store", 500);
    assert!(lost.iter().all(|(_, times)| *times <= 500));
    // Whoever claims twice drops twice.
    assert_eq!(lost[0].1, lost[3].1, "{lost:?}");
    let always = count("control-never-claims", 100);
    let name = |name: &str, times| (name.to_owned(), times);
    let expected = [
        name("at-most-once", 0),
        name("exactly-once", 100),
        name("no-leak", 0),
        name("no-double-drop", 0),
    ];
    assert_eq!(always, expected);
    assert_eq!(count("control-drops-again", 100)[3], name("no-double-drop", 100));
}

#[test]
fn a_data_race_is_not_let_loose() {
    let case = Which::new("swap-relaxed", "put-later", 2).case();
    assert!(!case.can_run_free());
    let error = case.stress(0, 1).expect_err("it is undefined behaviour");
    assert!(error.is_not_here(), "{error}");
    let case = Which::new("compare-exchange", "full", 2).case();
    let error = case.stress(1, 1).expect_err("there is one start");
    assert!(matches!(error, CaseError::Play(PlayError::NoSuchStart { start: 1, starts: 1 })));
}

/// However wrong the turns are, the threads end.
#[test]
fn turns_of_nobody_hold_nobody_up() {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let program = Which::new("load-then-store", "full", 2).program();
        for turns in [&[][..], &[7, 7, 7], &[0, 0, 0, 0, 0, 1], &[1, 2, 1, 1, 9, 0], &[usize::MAX]]
        {
            let notes = real::in_turn(2, turns, || (program.source().on_threads)());
            assert_eq!(notes.operations().count() >= 3, notes.outputs.len() == 2, "{turns:?}");
            assert!(notes.outputs.iter().all(Option::is_some), "{turns:?}");
            tell.send(()).expect("somebody waits");
        }
    });
    for _ in 0..5 {
        told.recv_timeout(Duration::from_secs(60)).expect("it ends");
    }
}
