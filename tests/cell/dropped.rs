//! Who drops the value, also where something panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use toctou::claim_cell::ClaimCell;

use super::ledger::Ledger;

#[test]
fn a_value_that_nobody_claimed_is_dropped_with_the_cell() {
    let ledger = Ledger::of(2);
    let (made, put) = (ClaimCell::new(ledger.value(0)), ClaimCell::empty());
    assert!(put.put(ledger.value(1)).is_ok());
    assert_eq!(ledger.drops(), [0, 0]);
    drop((made, put));
    ledger.assert_all_dropped_once();
}

#[test]
fn a_value_that_was_claimed_outlives_the_cell() {
    let ledger = Ledger::of(1);
    let cell = ClaimCell::new(ledger.value(0));
    let claimed = cell.claim();
    drop(cell);
    assert_eq!(ledger.drops(), [0]);
    drop(claimed);
    ledger.assert_all_dropped_once();
}

#[test]
fn a_value_that_was_refused_is_its_owners() {
    let ledger = Ledger::of(2);
    let cell = ClaimCell::new(ledger.value(0));
    let refused = cell.put(ledger.value(1)).err();
    drop(cell);
    assert_eq!(ledger.drops(), [1, 0]);
    assert_eq!(refused.as_ref().map(|value| value.number()), Some(1));
    drop(refused);
    ledger.assert_all_dropped_once();
}

#[test]
fn a_value_that_came_out_with_into_inner_is_not_dropped_with_the_cell() {
    let ledger = Ledger::of(1);
    let value = ClaimCell::new(ledger.value(0)).into_inner();
    assert_eq!(ledger.drops(), [0]);
    drop(value);
    ledger.assert_all_dropped_once();
}

#[test]
fn a_claimed_cell_has_nothing_left_for_into_inner() {
    let ledger = Ledger::of(1);
    let cell = ClaimCell::new(ledger.value(0));
    let claimed = cell.claim();
    assert!(cell.into_inner().is_none());
    drop(claimed);
    ledger.assert_all_dropped_once();
}

/// Panics when it is dropped, and counts that first.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("boom");
    }
}

#[test]
fn a_destructor_that_panics_is_called_once_and_its_panic_is_told() {
    let drops = Arc::new(AtomicUsize::new(0));
    let cell = ClaimCell::new(Bomb(drops.clone()));
    let told = catch_unwind(AssertUnwindSafe(|| drop(cell))).expect_err("it panics");
    assert_eq!(told.downcast_ref(), Some(&"boom"));
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    // What the value owned is gone with it.
    assert_eq!(Arc::strong_count(&drops), 1);
}

#[test]
fn a_destructor_that_panics_does_not_keep_the_next_cell_from_being_dropped() {
    let (drops, ledger) = (Arc::new(AtomicUsize::new(0)), Ledger::of(1));
    let cells = (ClaimCell::new(Bomb(drops.clone())), ClaimCell::new(ledger.value(0)));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(cells))).is_err());
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    ledger.assert_all_dropped_once();
}

#[test]
fn a_claimant_that_panics_drops_the_value_and_leaves_a_cell_that_can_be_asked() {
    let ledger = Ledger::of(1);
    let cell = ClaimCell::new(ledger.value(0));
    let panicked = thread::scope(|scope| {
        let claimant = scope.spawn(|| {
            let _claimed = cell.claim();
            panic!("boom");
        });
        claimant.join().is_err()
    });
    assert!(panicked);
    ledger.assert_all_dropped_once();
    assert!(cell.is_claimed());
    assert!(cell.claim().is_none());
    drop(cell);
    ledger.assert_all_dropped_once();
}
