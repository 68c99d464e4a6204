//! The classic shapes: what C11 allows (worked out by hand, in the comment, and by the axioms), what loom
//! says, what shuttle says; each asserted exactly. Outcomes are written as in [`outcome`].
//!
//! Shapes and names are those of Alglave, Maranget and Tautschnig, "Herding cats" (TOPLAS 2014), but for
//! release sequences and updates, which are from Norris and Demsky, "CDSChecker" (OOPSLA 2013), and
//! C++20's [atomics.order].
//!
//! [`outcome`]: crate::program::outcome

use crate::axioms::{C11, allowed};
use crate::on_loom::{Said, explore};
use crate::program::Op::{Add, Fence, Load, Store, Swap};
use crate::program::Place::{X, Y, Z};
use crate::program::*;
use crate::{on_shuttle, sc};

/// What everybody says to a program.
pub(crate) struct Say {
    pub(crate) c11: &'static str,
    pub(crate) loom: &'static str,
    pub(crate) shuttle: &'static str,
}

/// Asserts what everybody says. Shuttle's is held against the interleavings, too.
#[track_caller]
pub(crate) fn they(program: &Program, say: &Say) {
    assert_eq!(allowed(program, C11).outcomes, outcomes(say.c11), "C11: {program}");
    assert_eq!(explore(program), Said::Outcomes(outcomes(say.loom)), "loom: {program}");
    assert_eq!(on_shuttle::explore(program), outcomes(say.shuttle), "shuttle: {program}");
    assert_eq!(sc::interleavings(program), outcomes(say.shuttle), "interleavings: {program}");
}

/// The same where loom is right.
#[track_caller]
fn all_but_shuttle(program: &Program, c11: &'static str, shuttle: &'static str) {
    they(program, &Say { c11, loom: c11, shuttle });
}

pub(crate) fn message_passing(store: Ordering, load: Ordering) -> Program {
    Program::new([&[Store(X, 1, RLX), Store(Y, 1, store)], &[Load(Y, load), Load(X, RLX)]])
}

pub(crate) fn store_buffering(store: Ordering, load: Ordering) -> Program {
    Program::new([&[Store(X, 1, store), Load(Y, load)], &[Store(Y, 1, store), Load(X, load)]])
}

pub(crate) fn load_buffering(load: Ordering, store: Ordering) -> Program {
    Program::new([&[Load(X, load), Store(Y, 1, store)], &[Load(Y, load), Store(X, 1, store)]])
}

pub(crate) fn read_read_coherence() -> Program {
    Program::new([&[Store(X, 1, RLX)], &[Load(X, RLX), Load(X, RLX)]])
}

pub(crate) fn two_swaps() -> Program {
    Program::new([&[Swap(X, 1, RLX)], &[Swap(X, 1, RLX)]])
}

/// `10`, the flag but not the message, unless the store releases *and* the load acquires.
#[test]
fn message_passing_needs_release_and_acquire() {
    for (store, load) in [(RLX, RLX), (REL, RLX), (RLX, ACQ)] {
        all_but_shuttle(&message_passing(store, load), "00; 01; 10; 11", "00; 01; 11");
    }
    for (store, load) in [(REL, ACQ), (SC, SC)] {
        all_but_shuttle(&message_passing(store, load), "00; 01; 11", "00; 01; 11");
    }
}

/// A release fence before the store, an acquire fence after the load: they synchronise as the two would.
#[test]
fn message_passing_goes_by_fences_too() {
    let program = Program::new([
        &[Store(X, 1, RLX), Fence(REL), Store(Y, 1, RLX)],
        &[Load(Y, RLX), Fence(ACQ), Load(X, RLX)],
    ]);
    all_but_shuttle(&program, "00; 01; 11", "00; 01; 11");
}

/// `0 0`: neither store is seen, as nothing orders a load after a store to another place.
#[test]
fn store_buffering_is_not_forbidden_by_release_and_acquire() {
    for (store, load) in [(RLX, RLX), (REL, ACQ)] {
        let all = "0 0; 0 1; 1 0; 1 1";
        all_but_shuttle(&store_buffering(store, load), all, "0 1; 1 0; 1 1");
    }
}

/// One of the fences is the first, and what is stored before it is seen after the other.
#[test]
fn store_buffering_is_forbidden_by_sequentially_consistent_fences() {
    let program = Program::new([
        &[Store(X, 1, RLX), Fence(SC), Load(Y, RLX)],
        &[Store(Y, 1, RLX), Fence(SC), Load(X, RLX)],
    ]);
    all_but_shuttle(&program, "0 1; 1 0; 1 1", "0 1; 1 0; 1 1");
}

/// `1 1`, both loads from the later stores, would have each synchronise before the other.
#[test]
fn load_buffering_is_forbidden_by_release_and_acquire() {
    all_but_shuttle(&load_buffering(ACQ, REL), "0 0; 0 1; 1 0", "0 0; 0 1; 1 0");
}

/// Two loads of one place never go back.
#[test]
fn two_loads_of_a_place_agree_with_the_order_of_its_stores() {
    all_but_shuttle(&read_read_coherence(), "00; 01; 11", "00; 01; 11");
}

/// The later store of a thread is the later one in the place.
#[test]
fn two_stores_of_a_thread_stay_in_order() {
    let program = Program::new([&[Store(X, 1, RLX), Store(X, 2, RLX)]]).with_finals();
    all_but_shuttle(&program, "x=2", "x=2");
}

/// After one's own store one sees it, or what replaced it: never 0, and no `2 x=1`.
#[test]
fn a_load_after_a_store_of_its_own_sees_it_or_a_later_one() {
    let program = Program::new([&[Store(X, 1, RLX), Load(X, RLX)], &[Store(X, 2, RLX)]]);
    let told = "1 x=1; 1 x=2; 2 x=2";
    all_but_shuttle(&program.with_finals(), told, told);
}

/// What was read is replaced by what is stored after: no `2 x=2`.
#[test]
fn a_store_after_a_load_comes_after_what_was_read() {
    let program = Program::new([&[Load(X, RLX), Store(X, 1, RLX)], &[Store(X, 2, RLX)]]);
    let told = "0 x=1; 0 x=2; 2 x=1";
    all_but_shuttle(&program.with_finals(), told, told);
}

pub(crate) fn independent_reads(store: Ordering, load: Ordering) -> Program {
    Program::new([
        &[Store(X, 1, store)],
        &[Store(Y, 1, store)],
        &[Load(X, load), Load(Y, load)],
        &[Load(Y, load), Load(X, load)],
    ])
}

/// Everything but `10 10`: two readers that disagree on which of two stores was the first.
pub(crate) const READERS_AGREE: &str = "00 00; 00 01; 00 10; 00 11; 01 00; 01 01; 01 10; 01 11; \
     10 00; 10 01; 10 11; 11 00; 11 01; 11 10; 11 11";
/// The same with it.
pub(crate) const READERS_DISAGREE: &str = "00 00; 00 01; 00 10; 00 11; 01 00; 01 01; 01 10; 01 11; \
     10 00; 10 01; 10 10; 10 11; 11 00; 11 01; 11 10; 11 11";

/// IRIW, `10 10`: release and acquire order no two stores of different threads. Exhaustive, with loom's
/// five threads.
#[test]
fn independent_readers_may_disagree_under_release_and_acquire() {
    all_but_shuttle(&independent_reads(REL, ACQ), READERS_DISAGREE, READERS_AGREE);
}

/// WRC, `1 10`: who reads from a thread that has read sees what it has, if both synchronise.
#[test]
fn write_to_read_causality_is_cumulative() {
    let program = |store, load| {
        Program::new([
            &[Store(X, 1, store)],
            &[Load(X, load), Store(Y, 1, store)],
            &[Load(Y, load), Load(X, RLX)],
        ])
    };
    let sc = "0 00; 0 01; 0 10; 0 11; 1 00; 1 01; 1 11";
    let all = "0 00; 0 01; 0 10; 0 11; 1 00; 1 01; 1 10; 1 11";
    all_but_shuttle(&program(RLX, RLX), all, sc);
    all_but_shuttle(&program(REL, ACQ), sc, sc);
}

/// ISA2, `1 10`: the same over a third place.
#[test]
fn synchronising_goes_on_over_a_third_thread() {
    let program = |store, load| {
        Program::new([
            &[Store(X, 1, RLX), Store(Y, 1, store)],
            &[Load(Y, load), Store(Z, 1, store)],
            &[Load(Z, load), Load(X, RLX)],
        ])
    };
    let sc = "0 00; 0 01; 0 10; 0 11; 1 00; 1 01; 1 11";
    let all = "0 00; 0 01; 0 10; 0 11; 1 00; 1 01; 1 10; 1 11";
    all_but_shuttle(&program(RLX, RLX), all, sc);
    all_but_shuttle(&program(REL, ACQ), sc, sc);
}

pub(crate) fn two_writes_each(store: Ordering) -> Program {
    let threads: [&[Op]; 2] =
        [&[Store(X, 1, store), Store(Y, 2, store)], &[Store(Y, 1, store), Store(X, 2, store)]];
    Program::new(threads).with_finals()
}

/// 2+2W, `x=1 y=1`: the first store of each thread is the last in its place. Release is for who acquires.
#[test]
fn two_writes_each_may_end_with_the_first_of_both() {
    for store in [RLX, REL] {
        let all = "x=1 y=1; x=1 y=2; x=2 y=1; x=2 y=2";
        all_but_shuttle(&two_writes_each(store), all, "x=1 y=2; x=2 y=1; x=2 y=2");
    }
}

/// `1 20` cannot be: an update that reads from a release goes on with it, relaxed as it is.
#[test]
fn an_update_goes_on_with_a_release_sequence() {
    let program = Program::new([
        &[Store(X, 1, RLX), Store(Y, 1, REL)],
        &[Add(Y, 1, RLX)],
        &[Load(Y, ACQ), Load(X, RLX)],
    ]);
    let told = "0 00; 0 01; 0 10; 0 11; 1 00; 1 01; 1 11; 1 21";
    all_but_shuttle(&program, told, told);
}

/// `20` can: since C++20 a later relaxed store of the same thread ends the release sequence.
#[test]
fn a_relaxed_store_ends_a_release_sequence() {
    let program = Program::new([
        &[Store(X, 1, RLX), Store(Y, 1, REL), Store(Y, 2, RLX)],
        &[Load(Y, ACQ), Load(X, RLX)],
    ]);
    all_but_shuttle(&program, "00; 01; 11; 20; 21", "00; 01; 11; 21");
}

/// An update reads the write before its own: two swaps never both read 0.
#[test]
fn of_two_relaxed_swaps_one_wins() {
    all_but_shuttle(&two_swaps(), "0 1; 1 0", "0 1; 1 0");
}

/// The same of exchanges that claim: one of three gets it, the others fail and see by whom.
#[test]
fn of_three_relaxed_exchanges_one_wins() {
    let claim = |by| [exchange(X, 0, by, RLX, RLX)];
    let program = Program::new([&claim(1), &claim(2), &claim(3)]);
    let told = "0 1! 1!; 2! 0 2!; 3! 3! 0";
    all_but_shuttle(&program, told, told);
}

/// No addition is lost, whatever the order.
#[test]
fn relaxed_additions_are_all_counted() {
    let program = Program::new([&[Add(X, 1, RLX)], &[Add(X, 1, RLX)], &[Add(X, 1, RLX)]]);
    let told = "0 1 2 x=3; 0 2 1 x=3; 1 0 2 x=3; 1 2 0 x=3; 2 0 1 x=3; 2 1 0 x=3";
    all_but_shuttle(&program.with_finals(), told, told);
}
