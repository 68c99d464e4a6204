//! Data races and leaks: what loom sees of what Miri would look for, and what it does not.

use std::panic::{AssertUnwindSafe, catch_unwind};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use crate::axioms::{C11, allowed};
use crate::on_loom::{Said, explore, message};
use crate::on_shuttle;
use crate::program::Op::{Fence, Load, OnlyAfter, ReadPayload, Store, Swap, WritePayload};
use crate::program::Place::X;
use crate::program::*;
use crate::quiet::on_a_silent_thread;

/// What loom ends with, if it does.
fn panics(model: impl Fn() + Sync + Send + 'static) -> Option<String> {
    on_a_silent_thread(|| {
        let explored = catch_unwind(AssertUnwindSafe(|| loom::model::Builder::new().check(model)));
        explored.err().map(|panic| message(&*panic))
    })
}

fn passes_a_payload(store: Ordering, load: Ordering) -> Program {
    Program::new([
        &[WritePayload(1), Store(X, 1, store)],
        &[Load(X, load), OnlyAfter(1), ReadPayload],
    ])
}

#[track_caller]
fn race(program: &Program) {
    assert!(allowed(program, C11).race, "{program}");
    assert_eq!(explore(program), Said::Race, "{program}");
}

#[track_caller]
fn no_race(program: &Program, told: &str) {
    let allowed = allowed(program, C11);
    assert!(!allowed.race, "{program}");
    assert_eq!(allowed.outcomes, outcomes(told), "{program}");
    assert_eq!(explore(program), Said::Outcomes(outcomes(told)), "{program}");
}

/// The payload is read after the flag, which is not enough: nothing synchronises. shuttle sees nothing wrong.
#[test]
fn a_payload_passed_by_a_relaxed_flag_is_a_data_race() {
    for (store, load) in [(RLX, RLX), (REL, RLX), (RLX, ACQ)] {
        let program = passes_a_payload(store, load);
        race(&program);
        assert_eq!(on_shuttle::explore(&program), outcomes("0; 11"));
    }
}

#[test]
fn a_payload_passed_by_release_and_acquire_is_none() {
    no_race(&passes_a_payload(REL, ACQ), "0; 11");
    no_race(&passes_a_payload(SC, SC), "0; 11");
    let by_fences = Program::new([
        &[WritePayload(1), Fence(REL), Store(X, 1, RLX)],
        &[Load(X, RLX), OnlyAfter(1), Fence(ACQ), ReadPayload],
    ]);
    no_race(&by_fences, "0; 11");
}

/// Who wins a relaxed exchange is alone, and yet races with who has put the payload there.
#[test]
fn a_payload_claimed_by_a_relaxed_exchange_is_a_data_race() {
    let claim = |success| {
        let claim = [exchange(X, 1, 2, success, RLX), OnlyAfter(1), ReadPayload];
        Program::new([&[WritePayload(1), Store(X, 1, REL)], &claim, &claim])
    };
    race(&claim(RLX));
    no_race(&claim(ACQ), "0! 0!; 0! 11; 11 0!; 11 2!; 2! 11");
}

/// One of two swaps wins, and reads what was written before all threads.
#[test]
fn reading_together_is_no_data_race() {
    no_race(&Program::new([&[ReadPayload], &[ReadPayload]]), "0 0");
    let winner = [Swap(X, 1, RLX), OnlyAfter(0), WritePayload(1)];
    no_race(&Program::new([&winner, &winner]), "0 1; 1 0");
}

#[test]
fn writing_together_or_while_another_reads_is_a_data_race() {
    race(&Program::new([&[WritePayload(1)], &[WritePayload(1)]]));
    race(&Program::new([&[WritePayload(1)], &[ReadPayload]]));
}

#[test]
fn loom_sees_a_leak_of_what_it_follows() {
    let arc = panics(|| std::mem::forget(Arc::new(1)));
    assert!(arc.is_some_and(|said| said.contains("Arc leaked")));
    let track = panics(|| std::mem::forget(loom::alloc::Track::new(1)));
    assert!(track.is_some_and(|said| said.contains("Allocation leaked")));
    assert_eq!(panics(|| drop((Arc::new(1), loom::alloc::Track::new(1)))), None);
}

/// A box is nothing to loom: a value that is to be counted has to be a [`Track`](loom::alloc::Track), or to
/// count its drops itself, as the models' tokens do.
#[test]
fn loom_sees_no_leak_of_what_it_does_not_follow() {
    // Not lost: freed below, where loom has no part in it.
    static KEPT: std::sync::Mutex<Option<Box<u8>>> = std::sync::Mutex::new(None);
    assert_eq!(panics(|| *KEPT.lock().expect("nobody panics here") = Some(Box::new(1))), None);
    assert_eq!(KEPT.lock().expect("nobody panics here").take(), Some(Box::new(1)));
}

/// A cell lent to be written while it is lent already, in one thread: the one rule of aliasing that loom has.
#[test]
fn loom_sees_a_cell_lent_twice_at_once() {
    let said = panics(|| {
        let cell = UnsafeCell::new(0);
        cell.with(|_| cell.with_mut(|_| ()));
    });
    assert!(said.is_some_and(|said| said.contains("currently reading from cell")));
}

/// A pointer kept from a cell, and read after the cell has lent it: loom sees the lending alone.
#[test]
fn loom_does_not_see_an_access_outside_of_the_cell_that_lends() {
    let said = panics(|| {
        let cell = std::sync::Arc::new(Shared(UnsafeCell::new(0)));
        let other = cell.clone();
        let kept = cell.0.with(|value| value);
        let writer = thread::spawn(move || {
            // SAFETY: loom runs one thread at a time.
            other.0.with_mut(|value| unsafe { *value = 1 });
        });
        // SAFETY: as above. Under C11 this is a data race.
        let _ = unsafe { *kept };
        writer.join().expect("it does not panic");
    });
    assert_eq!(said, None);

    struct Shared(UnsafeCell<u8>);

    // SAFETY: loom runs one thread at a time.
    unsafe impl Sync for Shared {}
}
