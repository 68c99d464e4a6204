//! Where loom is not C11: one test a gap, which fails should loom ever close it. A *false alarm* is an
//! outcome that cannot be, a *missed* one can be and is not shown. What each means for code like
//! `ClaimCell`'s, in which one atomic goes from state to state by exchanges that nothing leads back from,
//! is said with it.

use crate::axioms::{C11, Model, allowed};
use crate::on_loom::{Said, explore};
use crate::program::Op::{Fence, Load, OnlyAfter, ReadPayload, Store, Swap, WritePayload};
use crate::program::Place::{X, Y, Z};
use crate::program::*;
use crate::shapes::{
    READERS_AGREE, READERS_DISAGREE, Say, independent_reads, load_buffering, store_buffering, they,
    two_writes_each,
};

/// Missed (tokio-rs/loom#166, #392, open). Of the accesses to a place loom remembers the last one: a
/// write by a thread that has just loaded the place is never tried before the load of another thread, if that
/// was started before. Not a matter of the memory model: the interleaving is one that shuttle has.
///
/// It matters: `is_claimed` before a claim is such a load. What shuttle explores beside loom has it, and
/// so does loom with the threads in another order.
#[test]
fn loom_misses_a_write_before_the_load_of_another_thread_if_its_own_thread_has_loaded() {
    let (one, other) = ([Load(X, RLX)], [Load(X, RLX), Store(X, 1, RLX)]);
    they(&Program::new([&one, &other]), &Say { c11: "0 0; 1 0", loom: "0 0", shuttle: "0 0; 1 0" });
    // The other way round it is complete.
    they(
        &Program::new([&other, &one]),
        &Say { c11: "0 0; 0 1", loom: "0 0; 0 1", shuttle: "0 0; 0 1" },
    );
    // As with a claim.
    let claim = [Load(X, RLX), exchange(X, 0, 1, ACQ, RLX)];
    they(
        &Program::new([&one, &claim]),
        &Say { c11: "0 00; 1 00", loom: "0 00", shuttle: "0 00; 1 00" },
    );
}

/// Missed: `1 1`, each load from the other's later store. No processor that keeps loads before later
/// stores shows it; Arm's and compilers may. No code that decides by an exchange which others it lets go on
/// depends on it: a load that leads to a store by way of a branch cannot be overtaken by it.
#[test]
fn loom_never_lets_a_load_read_from_a_store_that_is_later() {
    let (rc11, c11) = ("0 0; 0 1; 1 0", "0 0; 0 1; 1 0; 1 1");
    let program = load_buffering(RLX, RLX);
    they(&program, &Say { c11, loom: rc11, shuttle: rc11 });
    let without = allowed(&program, Model { load_buffering: false, ..C11 });
    assert_eq!(without.outcomes, outcomes(rc11));
}

/// False alarm: `SeqCst` accesses are acquire and release to loom. Code that needs more than those of
/// two places (Dekker's) is called broken; of a single place it makes no difference.
#[test]
fn loom_takes_sequentially_consistent_accesses_for_acquire_and_release() {
    let both = "0 1; 1 0; 1 1";
    they(&store_buffering(SC, SC), &Say { c11: both, loom: "0 0; 0 1; 1 0; 1 1", shuttle: both });

    let program = Program::new([&[Swap(X, 1, SC), Load(Y, SC)], &[Swap(Y, 1, SC), Load(X, SC)]]);
    let c11 = "00 01; 01 00; 01 01";
    they(&program, &Say { c11, loom: "00 00; 00 01; 01 00; 01 01", shuttle: c11 });

    let c11 = "x=1 y=2; x=2 y=1; x=2 y=2";
    let loom = "x=1 y=1; x=1 y=2; x=2 y=1; x=2 y=2";
    they(&two_writes_each(SC), &Say { c11, loom, shuttle: c11 });

    let say = Say { c11: READERS_AGREE, loom: READERS_DISAGREE, shuttle: READERS_AGREE };
    they(&independent_reads(SC, SC), &say);
}

/// Missed: `11`, a `SeqCst` load of an older `SeqCst` store, though nothing puts it after the newer one.
#[test]
fn loom_lets_no_sequentially_consistent_load_read_what_another_such_store_has_replaced() {
    let program = Program::new([
        &[Store(X, 1, SC), Store(X, 2, SC), Store(Y, 1, RLX)],
        &[Load(Y, RLX), Load(X, SC)],
    ]);
    let say = Say {
        c11: "00; 01; 02; 10; 11; 12",
        loom: "00; 01; 02; 10; 12",
        shuttle: "00; 01; 02; 12",
    };
    they(&program, &say);
}

/// Missed: `10!`. A failing exchange is a load, and may read what is no longer there. To `ClaimCell` that
/// is a claim which fails though a value has been put in that its thread has no other way to know of: no
/// different from one that came earlier, as what is stale is what was there before.
#[test]
fn loom_lets_a_failing_exchange_read_the_newest_value_only() {
    let program = Program::new([
        &[Store(X, 1, RLX), Store(Y, 1, RLX)],
        &[Load(Y, RLX), exchange(X, 1, 2, RLX, RLX)],
    ]);
    they(&program, &Say { c11: "00!; 01; 10!; 11", loom: "00!; 01; 11", shuttle: "00!; 01; 11" });
}

/// Missed: `10 x=1`. An update may be ordered before a store that was done already where nothing says
/// otherwise; loom's updates read what nothing has replaced. Only where stores and updates of one place
/// meet: in `ClaimCell`, all writers but the one that has exchanged its way to `WRITING` are exchanges.
///
/// And a false alarm: `00 x=2`, see below.
#[test]
fn loom_lets_an_update_read_the_newest_value_only() {
    let program =
        Program::new([&[Store(X, 1, RLX), Store(Y, 1, RLX)], &[Load(Y, RLX), Swap(X, 2, RLX)]]);
    let say = Say {
        c11: "00 x=1 y=1; 01 x=2 y=1; 10 x=1 y=1; 11 x=2 y=1",
        loom: "00 x=1 y=1; 00 x=2 y=1; 01 x=2 y=1; 11 x=2 y=1",
        shuttle: "00 x=1 y=1; 01 x=2 y=1; 11 x=2 y=1",
    };
    they(&program.with_finals(), &say);
}

/// False alarm: `0 x=1`. The swap read 0, so the store of 2 came after it, and is what is left; loom
/// may put the store between the two halves of the swap. As above, `ClaimCell` has no such store.
#[test]
fn loom_may_order_a_store_between_what_an_update_reads_and_what_it_writes() {
    let program = Program::new([&[Swap(X, 1, RLX)], &[Store(X, 2, RLX)]]).with_finals();
    let c11 = "0 x=2; 2 x=1";
    let loom = "0 x=1; 0 x=2; 2 x=1";
    they(&program, &Say { c11, loom, shuttle: c11 });
    let torn = allowed(&program, Model { atomicity: false, ..C11 });
    assert_eq!(torn.outcomes, outcomes(loom));
}

/// Missed: `0!`. To loom, and to shuttle, the weak exchange is the strong one. `ClaimCell` uses the strong
/// one; a claim by the weak one could fail with nobody else there, and neither would say so.
#[test]
fn loom_and_shuttle_have_no_spurious_failures() {
    let (success, failure) = (ACQ, RLX);
    let weak = Op::Exchange { place: X, from: 0, to: 1, success, failure, weak: true };
    they(&Program::new([&[weak]]), &Say { c11: "0; 0!", loom: "0", shuttle: "0" });
}

/// Missed: a data race. In C11 two `SeqCst` fences are ordered, and do not synchronise by that alone; in
/// loom the second has seen whatever the first had. `ClaimCell` has no fence.
#[test]
fn loom_takes_any_two_sequentially_consistent_fences_for_synchronising() {
    let program = Program::new([
        &[WritePayload(1), Fence(SC), Load(Y, RLX), OnlyAfter(0), Store(Z, 1, RLX)],
        &[Store(Y, 1, RLX), Fence(SC), Load(Z, RLX), OnlyAfter(1), ReadPayload],
    ]);
    assert!(allowed(&program, C11).race);
    assert_eq!(explore(&program), Said::Outcomes(outcomes("0 0; 0 11; 1 0")));
}

/// Missed: loom keeps the last seven stores of a place. Older ones cannot be read, stale as they might be.
#[test]
fn loom_forgets_all_but_the_last_seven_stores() {
    let stores = |count| -> Vec<Op> { (1..=count).map(|value| Store(X, value, RLX)).collect() };
    let after = |count| {
        let mut writer = stores(count);
        writer.push(Store(Y, 1, RLX));
        Program::new([&writer, &[Load(Y, RLX), OnlyAfter(1), Load(X, RLX)]])
    };
    let all = |from: u8, to| -> Outcomes {
        (from..=to).map(|value| format!("1{value}")).chain(["0".to_owned()]).collect()
    };
    for count in [6, 7] {
        assert_eq!(allowed(&after(count), C11).outcomes, all(0, count));
        assert_eq!(explore(&after(count)), Said::Outcomes(all(count - 6, count)));
    }
}
