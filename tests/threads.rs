//! Programs of threads as somebody else would write them, with `toctou::source!`: what `assert_holds` and
//! `assert_breaks` say of them, and that whatever they do ends with an answer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use toctou::atoms::Word;
use toctou::check::threads::{NO_DATA_RACE, Program, Source};
use toctou::check::{Schedule, Verdict};

struct Flag;

impl Word for Flag {
    const NAMES: &'static [&'static str] = &["NO", "YES"];
}

fn two(source: Source) -> Program {
    Program::new(vec!["giver".to_owned(), "taker".to_owned()], source)
}

/// What it panics with.
fn complaint(act: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(act)).expect_err("a complaint");
    panic.downcast_ref::<String>().expect("a text").clone()
}

/// One raises a flag; the other looks, and has to have seen it if `insists`.
fn looks_once(insists: bool) -> Program {
    two(toctou::source!(|atoms| {
        use atoms::{Atomic, Ordering, perform, thread};
        use std::sync::Arc;

        let flag = Arc::new(Atomic::<Flag>::new(0));
        let theirs = flag.clone();
        let taker = thread::spawn(move || {
            perform(1, || {
                let seen = theirs.load(Ordering::Acquire) == 1;
                assert!(seen || !insists, "nobody has raised it");
                format!("{seen}")
            });
        });
        perform(0, || {
            flag.store(1, Ordering::Release);
            "raised".to_owned()
        });
        let _ = taker.join();
    }))
}

/// The same, waiting for it.
fn waits() -> Program {
    two(toctou::source!(|atoms| {
        use atoms::{Atomic, Ordering, perform, thread};
        use std::sync::Arc;

        let flag = Arc::new(Atomic::<Flag>::new(0));
        let theirs = flag.clone();
        let taker = thread::spawn(move || {
            perform(1, || {
                while theirs.load(Ordering::Acquire) == 0 {}
                "seen".to_owned()
            });
        });
        perform(0, || {
            flag.store(1, Ordering::Release);
            "raised".to_owned()
        });
        let _ = taker.join();
    }))
}

/// Hands a value over with no order, and drops what is left: where loom ends an execution in the middle
/// of it, the drop comes while it panics.
fn hands_over(said: std::sync::atomic::Ordering) -> Program {
    two(toctou::source!(|atoms| {
        use atoms::{Atomic, Ordering, Room, perform, thread};
        use std::sync::Arc;

        struct Place(Atomic<Flag>, Room<u8>);
        // SAFETY: that it is safe is what is to be found out; the engines run one thread at a time.
        unsafe impl Send for Place {}
        // SAFETY: as above.
        unsafe impl Sync for Place {}
        impl Drop for Place {
            fn drop(&mut self) {
                if self.0.get_mut() == 1 {
                    // SAFETY: it was written before the flag was raised.
                    let _ = unsafe { self.1.take() };
                }
            }
        }

        let place = Arc::new(Place(Atomic::new(0), Room::empty()));
        let theirs = place.clone();
        let taker = thread::spawn(move || {
            perform(1, || {
                let there = theirs.0.load(Ordering::Acquire) == 1;
                // SAFETY: it is there.
                format!("{:?}", there.then(|| unsafe { theirs.1.take() }))
            });
        });
        perform(0, || {
            // SAFETY: nobody looks before the flag is up.
            unsafe { place.1.write(7) };
            place.0.store(1, said);
            "given".to_owned()
        });
        let _ = taker.join();
    }))
    .reachable("taken", |end| end.outputs[1].as_deref() == Some("Some(7)"))
    .reachable("too-early", |end| end.outputs[1].as_deref() == Some("None"))
}

#[test]
fn a_hand_over_in_order_holds_and_without_order_is_a_race_that_is_told_with_both_sides() {
    use std::sync::atomic::Ordering::{Relaxed, Release};
    hands_over(Release).assert_holds();
    let report = hands_over(Relaxed).assert_breaks(NO_DATA_RACE);
    assert_eq!(report.executions, Some(6));
    let told = complaint(|| hands_over(Relaxed).assert_holds());
    let expected = "
always `no-data-race` is violated (2 of 6 executions), soonest by [0, 1]:

      giver              taker
   1  write; store(YES)
      → given
   2                     load = YES; read: a data race with the write of giver
                         → Some(7)

";
    assert_eq!(told, expected);
}

#[test]
fn a_control_that_breaks_nothing_is_a_failure() {
    let told = complaint(|| {
        looks_once(false).assert_breaks(NO_DATA_RACE);
    });
    assert_eq!(told, "always `no-data-race` holds");
    let told = complaint(|| {
        looks_once(false).assert_breaks("no-such-thing");
    });
    assert_eq!(told, "no property `no-such-thing` is claimed here");
}

#[test]
fn what_is_never_reached_is_a_failure_and_says_in_how_many_executions() {
    let never = looks_once(false).reachable("dropped", |end| !end.dropped.is_empty());
    let told = complaint(|| never.assert_holds());
    assert_eq!(told, "\nreachable `dropped` is not reached by any of 6 executions\n");
}

#[test]
fn a_claim_that_only_an_old_value_breaks_is_told_with_it_and_can_be_played() {
    let seen = looks_once(false).finally("seen", |end| end.outputs[1].as_deref() == Some("true"));
    // By itself the order of operations shows it, too: the taker comes first.
    let report = seen.assert_breaks("seen");
    let Some(Verdict::Violated(Some(schedule))) =
        report.finding("seen").map(|finding| finding.verdict.clone())
    else {
        panic!("{report:?}")
    };
    assert_eq!(schedule.to_string(), "[1, 0]");
    let stale: Schedule = "[0, 1~1]".parse().expect("a schedule");
    let trace = looks_once(false).play(&stale).expect("an execution of the memory model");
    assert_eq!(trace.steps[1].label, "load = NO (stale)");
    assert_eq!(trace.steps[1].output.as_deref(), Some("false"));
}

#[test]
fn a_thread_that_panics_is_told_with_what_had_happened() {
    let told = complaint(|| looks_once(true).assert_holds());
    assert!(told.contains("nobody has raised it"), "{told}");
    assert!(told.starts_with("the program fails after ["), "{told}");
    assert!(told.contains("load = NO"), "{told}");
}

#[test]
fn a_loop_that_waits_is_undecided_and_ends() {
    let told = complaint(|| waits().assert_holds());
    let expected = "no-data-race` is not decided: stopped in an execution of more than 1000 turns";
    assert!(told.contains(expected), "{told}");
}

/// Who looks first, who looks and passes it on by another atomic, and who writes once it has that: the load
/// of the first is hidden by that of the second, although that one never writes.
#[test]
fn a_race_behind_a_load_that_another_threads_load_hides_is_found() {
    let source = toctou::source!(|atoms| {
        use atoms::{Atomic, Ordering, Room, perform, thread};
        use std::sync::Arc;

        struct Place(Atomic<Flag>, Atomic<Flag>, Room<u8>);
        // SAFETY: that it is safe is what is to be found out; the engines run one thread at a time.
        unsafe impl Send for Place {}
        // SAFETY: as above.
        unsafe impl Sync for Place {}

        let place = Arc::new(Place(Atomic::new(0), Atomic::new(0), Room::full(0)));
        let (second, third) = (place.clone(), place.clone());
        let others = [
            thread::spawn(move || {
                perform(1, || {
                    let _ = second.0.load(Ordering::Relaxed);
                    second.1.store(1, Ordering::Release);
                    String::new()
                });
            }),
            thread::spawn(move || {
                perform(2, || {
                    if third.1.load(Ordering::Acquire) == 1 {
                        // SAFETY: it is not.
                        unsafe { third.2.write(1) };
                        third.0.store(1, Ordering::Relaxed);
                    }
                    String::new()
                });
            }),
        ];
        perform(0, || {
            if place.0.load(Ordering::Relaxed) == 1 {
                // SAFETY: it is not.
                let _ = unsafe { place.2.take() };
            }
            String::new()
        });
        for other in others {
            let _ = other.join();
        }
    });
    let actors = ["looks", "passes on", "writes"].map(str::to_owned).to_vec();
    Program::new(actors, source).assert_breaks(NO_DATA_RACE);
}

/// Two locks, each taken while the other is held.
fn crosswise() -> Program {
    two(toctou::source!(|atoms| {
        use atoms::{Lock, perform, thread};
        use std::sync::Arc;

        let locks = Arc::new([Lock::new(0), Lock::new(0)]);
        let theirs = locks.clone();
        let other = thread::spawn(move || {
            perform(1, || {
                theirs[1].with(|_| theirs[0].with(|_| ()));
                String::new()
            });
        });
        perform(0, || {
            locks[0].with(|_| locks[1].with(|_| ()));
            String::new()
        });
        let _ = other.join();
    }))
}

#[test]
fn a_deadlock_is_a_finding_and_not_a_panic_of_an_engine() {
    let told = complaint(|| crosswise().assert_holds());
    assert!(told.contains("always `deadlock-free` is violated"), "{told}");
    assert!(told.contains("soonest by [0, 1]"), "{told}");
    crosswise().assert_breaks("deadlock-free");
    let report = crosswise().shuttle(toctou::check::ShuttleMode::KnownStates);
    let verdict = report.finding("deadlock-free").map(|finding| finding.verdict.word());
    assert_eq!(verdict, Some("violated"));
    for waits in ["[0, 1, 0]", "[0, 1, 0, 1]"] {
        let played = crosswise().play(&waits.parse().expect("a schedule"));
        assert_eq!(
            played.expect_err("nobody goes on").to_string(),
            "step 3 names giver, which waits for a lock"
        );
    }
    assert!(crosswise().play(&Schedule::of(vec![0, 1])).is_ok());
}

/// Performs these actors: the first two on a thread each, in that order; nobody, or somebody else.
fn performs(on_first: usize, on_second: Option<usize>) -> Program {
    two(toctou::source!(|atoms| {
        use atoms::{perform, thread};

        let other = thread::spawn(move || {
            if let Some(actor) = on_second {
                perform(actor, String::new);
            }
        });
        perform(on_first, String::new);
        let _ = other.join();
    }))
}

#[test]
fn a_program_that_performs_other_actors_than_it_says_is_refused() {
    performs(0, Some(1)).assert_holds();
    for (program, fault) in [
        (performs(0, None), "it does not perform actor 1"),
        (performs(0, Some(0)), "it performs actor 0 twice"),
        (performs(0, Some(7)), "it performs actor 7, and there are only 2"),
    ] {
        let told = complaint(|| program.assert_holds());
        assert!(told.contains(fault), "{told}");
    }
    let told = complaint(|| performs(1, Some(0)).assert_holds());
    assert!(told.contains("on another thread than the one started in its place"), "{told}");
}

#[test]
fn a_panic_that_speaks_of_a_deadlock_is_none() {
    let program = two(toctou::source!(|atoms| {
        use atoms::{perform, thread};

        let other = thread::spawn(|| perform(1, || panic!("a deadlock? Causality violation? no")));
        perform(0, String::new);
        let _ = other.join();
    }));
    let told = complaint(|| {
        program.assert_breaks("deadlock-free");
    });
    assert!(told.starts_with("the program fails after"), "{told}");
}

/// Claimants that look whether the value is gone before they claim it, as `ClaimCell` advises those who come
/// late to: the shipping source, whose load and exchange loom by itself would not try in every order.
#[test]
fn who_looks_before_a_claim_is_told_nothing_wrong() {
    macro_rules! looks_first {
        ($engine:ident, $cell:ident) => {{
            use toctou::atoms::$engine::{perform, thread};
            let cell = std::sync::Arc::new(toctou::claim_cell::$cell::ClaimCell::empty());
            let (second, writer) = (cell.clone(), cell.clone());
            let claims = |cell: &toctou::claim_cell::$cell::ClaimCell<u8>| {
                let was_claimed = cell.is_claimed();
                let claimed = cell.claim();
                format!("{was_claimed} {claimed:?} {}", cell.is_claimed())
            };
            let others = [
                thread::spawn(move || perform(1, || claims(&second))),
                thread::spawn(move || perform(2, || format!("{:?}", writer.put(7)))),
            ];
            perform(0, || claims(&cell));
            for other in others {
                let _ = other.join();
            }
        }};
    }
    let source = Source {
        on_loom: std::sync::Arc::new(|| looks_first!(loom, on_loom)),
        on_shuttle: std::sync::Arc::new(|| looks_first!(shuttle, on_shuttle)),
        on_threads: std::sync::Arc::new(|| looks_first!(real, on_threads)),
    };
    let told = |end: &toctou::check::threads::End<'_>, what: &str| {
        end.outputs.iter().flatten().filter(|told| told.contains(what)).count()
    };
    Program::new(["one", "another", "writer"].map(str::to_owned).to_vec(), source)
        .finally("at-most-once", move |end| told(&end, "Some(7)") <= 1)
        .finally("true-stays-true", move |end| told(&end, "true None false") == 0)
        .finally("claimed-is-gone", move |end| told(&end, "true Some(7)") == 0)
        .finally("who-has-it-sees-it", move |end| told(&end, "Some(7) false") == 0)
        .reachable("seen-to-be-gone", move |end| told(&end, "true None true") == 1)
        .reachable("claimed", move |end| told(&end, "false Some(7) true") == 1)
        .assert_holds();
}
