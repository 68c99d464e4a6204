//! Schedules told, and those that cannot be.

use std::sync::mpsc::channel;
use std::time::Duration;

use proptest::prelude::*;
use toctou::check::{PlayError, Schedule, Trace};

use super::spec::Which;
use super::{all, schedule};

fn play(variant: &'static str, scenario: &'static str, text: &str) -> Result<Trace, PlayError> {
    Which::new(variant, scenario, 2).case().play(&schedule(text))
}

#[test]
fn the_schedule_of_every_finding_plays_turn_by_turn() {
    let mut played = 0;
    for which in all() {
        let found = which.found();
        for finding in found.loom.findings.iter().chain(&found.shuttle.findings) {
            let Some(schedule) = finding.verdict.schedule() else { continue };
            let what = format!("{which:?} {} {schedule}", finding.property);
            let trace = which.case().play(schedule).expect(&what);
            let turns: Vec<usize> = trace.steps.iter().map(|step| step.actor).collect();
            assert_eq!(turns, schedule.turns, "{what}");
            for (turn, step) in trace.steps.iter().enumerate() {
                let is_stale = step.label.contains("(stale)");
                assert_eq!(is_stale, schedule.behind(turn) > 0, "{what} {}", step.label);
            }
            // What it says of how each ended is what it says at the end.
            let ended = trace.steps.iter().filter(|step| step.output.is_some()).count();
            assert_eq!(ended + trace.unfinished.len(), which.threads, "{what}");
            played += 1;
        }
    }
    assert!(played > 96, "{played}");
}

#[test]
fn a_schedule_that_ends_early_leaves_the_others_unfinished() {
    let told = play("load-then-store", "full", "[0, 1, 0]").expect("a beginning");
    assert_eq!(told.steps.len(), 3);
    assert_eq!(told.steps[2].output.as_deref(), Some("Claimed(1)"));
    let unfinished: Vec<_> = told.unfinished.iter().map(|it| (it.actor, it.waits)).collect();
    assert_eq!(unfinished, [(1, false)]);
    assert_eq!(told.end, None);
    let told = play("load-then-store", "full", "[]").expect("nothing yet");
    assert_eq!((told.steps.len(), told.unfinished.len()), (0, 2));
}

#[test]
fn a_schedule_that_cannot_be_is_refused_with_the_reason() {
    let ended = |position, actor: &str| PlayError::Ended { position, actor: actor.to_owned() };
    let no_such = |position, actor| PlayError::NoSuchActor { position, actor, actors: 2 };
    let wrong = [
        ("full", "[0, 0]", ended(2, "client 1")),
        ("full", "[0, 1, 0]", ended(3, "client 1")),
        ("full", "[0, 1, 1]", ended(3, "client 2")),
        ("put-later", "[1, 1, 1]", ended(3, "writer")),
        ("full", "[2]", no_such(1, 2)),
        ("full", "[0, 1, 18446744073709551615]", no_such(3, usize::MAX)),
        // Of an actor that is not there nothing is stale.
        ("full", "[0, 7~1]", no_such(2, 7)),
        ("full", "1: [0]", PlayError::NoSuchStart { start: 1, starts: 1 }),
        // An exchange reads the newest value, and the first of all has nothing older to read.
        ("full", "[0~1, 1]", PlayError::Stale { position: 1 }),
        ("full", "[0, 1~1]", PlayError::Stale { position: 2 }),
        ("full", "[0, 1~7]", PlayError::Stale { position: 2 }),
        ("full", "[0, 0~1]", PlayError::Stale { position: 2 }),
        ("put-later", "[1, 1~1, 0]", PlayError::Stale { position: 2 }),
    ];
    for (scenario, text, error) in wrong {
        assert_eq!(play("compare-exchange", scenario, text), Err(error), "{scenario} {text}");
    }
    // A stale turn that is none of the schedule's.
    let beyond = Schedule { stale: vec![(9, 1)], ..schedule("[0, 1]") };
    let case = Which::new("flag-each", "full", 2).case();
    assert_eq!(case.play(&beyond), Err(PlayError::Stale { position: 10 }));
}

/// What is stale may be that old and no older, and not where its own actor has written since.
#[test]
fn what_is_read_is_as_old_as_the_memory_model_allows() {
    let told = play("flag-each", "full", "[0, 1, 1~1]").expect("it may not be seen yet");
    assert_eq!(told.steps[2].label, "load = NO (stale); read");
    let told = play("flag-each", "full", "[0, 1, 1]").expect("or it may");
    assert_eq!(told.steps[2].label, "load = WANTED");
    let stale = |position| Err(PlayError::Stale { position });
    assert_eq!(play("flag-each", "full", "[0, 1, 1~2]"), stale(3));
    assert_eq!(play("flag-each", "full", "[1, 1~1]"), stale(2));
    assert_eq!(play("flag-each", "full", "[0, 1~1]"), stale(2));
}

/// Who plays what nobody has looked at must not wait for ever.
fn within_a_minute<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = channel();
    std::thread::spawn(move || tell.send(act()));
    told.recv_timeout(Duration::from_secs(60)).expect("it comes back, and does not panic")
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let turn = (0..4_usize, prop_oneof![6 => Just(0), 1 => 1..3_usize]);
    (prop_oneof![9 => Just(0), 1 => 1..3_usize], prop::collection::vec(turn, 0..9)).prop_map(
        |(start, turns)| {
            let stale = (0..).zip(&turns).filter(|(_, turn)| turn.1 > 0);
            let stale = stale.map(|(position, turn)| (position, turn.1)).collect();
            Schedule {
                start,
                turns: turns.iter().map(|turn| turn.0).collect(),
                stale,
                ways: vec![],
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Of three threads nothing stale: loom would look for it in thousands of executions.
    #[test]
    fn any_schedule_at_all_is_told_or_refused(
        system in any::<prop::sample::Index>(),
        mut wanted in any_schedule(),
    ) {
        let systems: Vec<Which> = all().collect();
        let which = *system.get(&systems);
        if which.threads > 2 {
            wanted.stale.clear();
        }
        let (case, played) = (which.case(), wanted.clone());
        let told = within_a_minute(move || case.play(&played));
        let is_there = wanted.start == 0 && wanted.turns.iter().all(|it| *it < which.threads);
        match told {
            Ok(trace) => {
                prop_assert!(is_there);
                let turns: Vec<usize> = trace.steps.iter().map(|step| step.actor).collect();
                prop_assert_eq!(turns, wanted.turns);
            }
            Err(PlayError::NoSuchStart { .. } | PlayError::NoSuchActor { .. }) => {
                prop_assert!(!is_there);
            }
            Err(PlayError::Stale { position }) => prop_assert!(wanted.behind(position - 1) > 0),
            Err(PlayError::NoSuchWay { .. }) => prop_assert!(false, "nothing is chosen: {}", wanted),
            Err(PlayError::Waits { .. }) => prop_assert!(false, "nobody holds two locks: {}", wanted),
            // What is done before is the beginning of an interleaving in which the actor has ended.
            Err(PlayError::Ended { position, actor }) => {
                prop_assert!(is_there && wanted.stale.is_empty());
                let before = &wanted.turns[..position - 1];
                let ended = which.interleavings().into_iter().any(|told| {
                    told.turns().starts_with(before)
                        && !told.turns()[position - 1..].contains(&wanted.turns[position - 1])
                });
                prop_assert!(ended, "{} {}", actor, wanted);
            }
        }
    }
}
