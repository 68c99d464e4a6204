//! Values whose drops are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How often each value was dropped.
#[derive(Clone)]
pub(crate) struct Ledger(Arc<[AtomicUsize]>);

/// A value that tells its ledger when it is dropped. It owns memory, so that to drop it twice or to
/// leak it is also what memory checkers see.
pub(crate) struct Counted {
    number: Box<usize>,
    ledger: Ledger,
}

impl Ledger {
    /// For values with the numbers below this one.
    pub(crate) fn of(values: usize) -> Ledger {
        Ledger((0..values).map(|_| AtomicUsize::new(0)).collect())
    }

    pub(crate) fn value(&self, number: usize) -> Counted {
        Counted { number: Box::new(number), ledger: self.clone() }
    }

    /// How often each was dropped so far.
    pub(crate) fn drops(&self) -> Vec<usize> {
        self.0.iter().map(|drops| drops.load(Ordering::Relaxed)).collect()
    }

    /// Panics unless every value was made, and dropped once.
    pub(crate) fn assert_all_dropped_once(&self) {
        let drops = self.drops();
        let wrong = drops.iter().enumerate().find(|(_, drops)| **drops != 1);
        assert_eq!(wrong, None, "a value, and how often it was dropped");
    }
}

impl Counted {
    pub(crate) fn number(&self) -> usize {
        *self.number
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.ledger.0[*self.number].fetch_add(1, Ordering::Relaxed);
    }
}
