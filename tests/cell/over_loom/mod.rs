//! Each ordering of the cell is needed: the very source that ships, over loom's atomics, passes as it is
//! and is found out with any one of them weaker. What it does not promise does not hold, either.

mod as_it_is;
mod claim_relaxed;
mod facade;
mod put_relaxed;
mod torn;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::cell::UnsafeCell;
use loom::thread;

/// The cell, however it is compiled.
trait Cell: Send + Sync + 'static {
    fn new(value: Value) -> Self;
    fn empty() -> Self;
    fn put(&self, value: Value) -> Result<(), Value>;
    fn claim(&self) -> Option<Value>;
    fn is_claimed(&self) -> bool;
    fn into_inner(self) -> Option<Value>;
}

macro_rules! is_a_cell {
    ($($module:ident),*) => { $(
        impl Cell for $module::ClaimCell<Value> {
            fn new(value: Value) -> Self {
                Self::new(value)
            }

            fn empty() -> Self {
                Self::empty()
            }

            fn put(&self, value: Value) -> Result<(), Value> {
                self.put(value)
            }

            fn claim(&self) -> Option<Value> {
                self.claim()
            }

            fn is_claimed(&self) -> bool {
                self.is_claimed()
            }

            fn into_inner(self) -> Option<Value> {
                self.into_inner()
            }
        }
    )* };
}

is_a_cell!(as_it_is, claim_relaxed, put_relaxed, torn);

/// A value, and how often it was dropped. It owns nothing that a second owner would harm.
struct Value {
    number: usize,
    drops: &'static AtomicUsize,
}

impl Drop for Value {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// The drops of one execution: loom runs them one after the other, on one thread of the system.
#[derive(Clone, Copy)]
struct Drops(&'static AtomicUsize);

impl Drops {
    /// For a test of its own, which lasts as long as the process.
    fn new() -> Drops {
        Drops(Box::leak(Box::default()))
    }

    fn value(self, number: usize) -> Value {
        Value { number, drops: self.0 }
    }

    /// How many there were since this was asked last.
    fn told(self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// Memory beside the cell, which nothing but the cell synchronises. loom panics where that is a race.
struct Elsewhere(UnsafeCell<usize>);

// SAFETY: loom runs one thread at a time, and what is shared here owns nothing.
unsafe impl Sync for Elsewhere {}

impl Elsewhere {
    fn new() -> Elsewhere {
        Elsewhere(UnsafeCell::new(0))
    }

    fn write(&self, value: usize) {
        // SAFETY: loom panics before this where somebody else has access.
        self.0.with_mut(|place| unsafe { *place = value });
    }

    fn read(&self) -> usize {
        // SAFETY: as above.
        self.0.with(|place| unsafe { *place })
    }
}

/// Runs a program in every execution that loom has for it: how many there were, or what went wrong.
/// What loom prints then is kept back by the test harness, as it is on the test's own thread.
fn explore(program: impl Fn() + Send + Sync + 'static) -> Result<usize, String> {
    let executions = Arc::new(AtomicUsize::new(0));
    let mut builder = loom::model::Builder::new();
    // So that no environment variable can quietly make it partial.
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.preemption_bound = None;
    builder.max_branches = 10_000;
    builder.checkpoint_file = None;
    builder.location = false;
    builder.log = false;
    let counted = executions.clone();
    let explored = catch_unwind(AssertUnwindSafe(|| {
        builder.check(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            program();
        });
    }));
    match explored {
        Ok(()) => Ok(executions.load(Ordering::Relaxed)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            Err(text
                .or_else(|| panic.downcast_ref().map(|text: &&str| (*text).to_owned()))
                .unwrap_or_default())
        }
    }
}

fn assert_passes(what: &str, explored: Result<usize, String>) {
    match explored {
        Ok(executions) => {
            println!("{what}: {executions} executions");
            assert!(executions > 1, "{what}: nothing was interleaved");
        }
        Err(panic) => panic!("{what}: {panic}"),
    }
}

fn assert_data_race(explored: Result<usize, String>) {
    let told = explored.expect_err("loom finds it");
    assert!(told.contains("Causality violation"), "{told}");
}

/// One thread puts a value in, others claim it; what they leave is dropped with the cell.
fn put_beside_claims<C: Cell>(claimants: usize) -> Result<usize, String> {
    let drops = Drops::new();
    explore(move || {
        drops.told();
        let cell = Arc::new(C::empty());
        let claims = (0..claimants).map(|_| {
            let cell = cell.clone();
            thread::spawn(move || cell.claim().map(|value| value.number))
        });
        let claims: Vec<_> = claims.collect();
        assert!(cell.put(drops.value(7)).is_ok(), "nobody else puts");
        let claimed: Vec<_> =
            claims.into_iter().filter_map(|claim| claim.join().expect("no panic")).collect();
        assert!(claimed.is_empty() || claimed == [7], "{claimed:?}");
        assert_eq!(cell.is_claimed(), claimed == [7]);
        drop(cell);
        assert_eq!(drops.told(), 1, "drops");
    })
}

/// The value is there, and threads claim it.
fn claims<C: Cell>(claimants: usize) -> Result<usize, String> {
    let drops = Drops::new();
    explore(move || {
        drops.told();
        let cell = Arc::new(C::new(drops.value(7)));
        let claim = |cell: &C| {
            let claimed = cell.claim().map(|value| value.number);
            assert!(cell.is_claimed(), "it was there: by now it is somebody's");
            claimed
        };
        let threads = (1..claimants).map(|_| {
            let cell = cell.clone();
            thread::spawn(move || claim(&cell))
        });
        let threads: Vec<_> = threads.collect();
        let mut claimed: Vec<_> = claim(&cell).into_iter().collect();
        claimed.extend(threads.into_iter().filter_map(|claim| claim.join().expect("no panic")));
        assert_eq!(claimed, [7]);
        drop(cell);
        assert_eq!(drops.told(), 1, "drops");
    })
}

/// A thread writes elsewhere, and then puts; who claims reads what was written.
fn published_with_the_value<C: Cell>() -> Result<usize, String> {
    let drops = Drops::new();
    explore(move || {
        let shared = Arc::new((C::empty(), Elsewhere::new()));
        let putter = shared.clone();
        let putter = thread::spawn(move || {
            putter.1.write(1);
            putter.0.put(drops.value(7)).is_ok()
        });
        if shared.0.claim().is_some() {
            assert_eq!(shared.1.read(), 1);
        }
        assert!(putter.join().expect("no panic"), "nobody else puts");
    })
}

/// Two threads put a value each, and one claims.
fn two_puts<C: Cell>() -> Result<usize, String> {
    let drops = Drops::new();
    explore(move || {
        drops.told();
        let cell = Arc::new(C::empty());
        let put = |number: usize, cell: Arc<C>| {
            move || cell.put(drops.value(number)).map_err(|value| value.number)
        };
        let first = thread::spawn(put(1, cell.clone()));
        let second = thread::spawn(put(2, cell.clone()));
        let claimed = cell.claim().map(|value| value.number);
        let told = (first.join().expect("no panic"), second.join().expect("no panic"));
        let put = match told {
            (Ok(()), Err(2)) => 1,
            (Err(1), Ok(())) => 2,
            told => panic!("{told:?}"),
        };
        let Ok(cell) = Arc::try_unwrap(cell) else { panic!("the threads have ended") };
        let left = cell.into_inner().map(|value| value.number);
        assert_eq!(claimed.or(left), Some(put));
        assert!(claimed.is_none() || left.is_none());
        assert_eq!(drops.told(), 2, "drops");
    })
}

#[test]
fn the_cell_as_it_is_passes_everywhere() {
    assert_passes("a put, a claim", put_beside_claims::<as_it_is::ClaimCell<_>>(1));
    assert_passes("a put, two claims", put_beside_claims::<as_it_is::ClaimCell<_>>(2));
    assert_passes("two claims", claims::<as_it_is::ClaimCell<_>>(2));
    assert_passes("three claims", claims::<as_it_is::ClaimCell<_>>(3));
    assert_passes("published", published_with_the_value::<as_it_is::ClaimCell<_>>());
    assert_passes("two puts, a claim", two_puts::<as_it_is::ClaimCell<_>>());
}

#[test]
fn a_claim_that_does_not_acquire_is_a_data_race() {
    assert_data_race(put_beside_claims::<claim_relaxed::ClaimCell<_>>(1));
    assert_data_race(published_with_the_value::<claim_relaxed::ClaimCell<_>>());
}

#[test]
fn a_put_that_does_not_release_is_a_data_race() {
    assert_data_race(put_beside_claims::<put_relaxed::ClaimCell<_>>(1));
    assert_data_race(published_with_the_value::<put_relaxed::ClaimCell<_>>());
}

/// The value was there before the threads were: so nothing but the exchange decides, and no ordering.
#[test]
fn claims_of_a_value_that_was_there_before_the_threads_need_no_ordering() {
    assert_passes("claim relaxed", claims::<claim_relaxed::ClaimCell<_>>(3));
    assert_passes("put relaxed", claims::<put_relaxed::ClaimCell<_>>(3));
}

#[test]
fn an_exchange_in_two_operations_lets_two_threads_have_the_value() {
    let told = claims::<torn::ClaimCell<_>>(2).expect_err("loom finds it");
    assert!(told.contains("left: [7, 7]"), "{told}");
}

#[test]
fn an_exchange_in_two_operations_lets_two_puts_write_at_once() {
    let told = two_puts::<torn::ClaimCell<_>>().expect_err("loom finds it");
    assert!(told.contains("Causality violation") || told.contains("(Ok(()), Ok(()))"), "{told}");
}

/// Who comes too late is not synchronised with the claimant, whatever the latter has done since.
#[test]
fn that_it_is_claimed_says_nothing_of_what_the_claimant_did() {
    let drops = Drops::new();
    assert_data_race(explore(move || {
        let cell = as_it_is::ClaimCell::new(drops.value(7));
        let shared = Arc::new((cell, Elsewhere::new()));
        let claimant = shared.clone();
        let claimant = thread::spawn(move || {
            claimant.1.write(1);
            claimant.0.claim().is_some()
        });
        if shared.0.is_claimed() {
            shared.1.read();
        }
        claimant.join().expect("no panic");
    }));
}

/// A put that is refused does not wait for the one before it, so the value may not be there yet.
#[test]
fn a_refused_put_may_be_followed_by_a_claim_in_vain_of_a_value_that_comes_yet() {
    let (drops, seen) = (Drops::new(), Arc::new(AtomicUsize::new(0)));
    let counted = seen.clone();
    let explored = explore(move || {
        let cell = Arc::new(as_it_is::ClaimCell::empty());
        let other = cell.clone();
        let other = thread::spawn(move || other.put(drops.value(1)).is_ok());
        let refused = cell.put(drops.value(2)).is_err();
        let claimed = cell.claim().is_some();
        if refused && !claimed {
            assert!(!cell.is_claimed(), "nobody else claims");
            counted.fetch_add(1, Ordering::Relaxed);
        }
        assert_eq!(other.join().expect("no panic"), refused);
        // Now that it is over, it is there.
        assert_eq!(cell.claim().is_some(), !claimed);
    });
    assert_passes("a refused put", explored);
    assert!(seen.load(Ordering::Relaxed) > 0, "it never happened");
}

/// While a value is being put in, the cell tells that, and not the value.
#[test]
fn a_cell_that_is_being_filled_says_so() {
    let (drops, seen) = (Drops::new(), Arc::new(AtomicUsize::new(0)));
    let counted = seen.clone();
    let explored = explore(move || {
        let cell = Arc::new(as_it_is::ClaimCell::empty());
        let other = cell.clone();
        let other = thread::spawn(move || other.put(drops.value(1)).is_ok());
        match &*format!("{cell:?}") {
            "ClaimCell(EMPTY)" | "ClaimCell(FULL)" => {}
            "ClaimCell(WRITING)" => {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            told => panic!("{told}"),
        }
        assert!(other.join().expect("no panic"));
    });
    assert_passes("being filled", explored);
    assert!(seen.load(Ordering::Relaxed) > 0, "it never happened");
}
