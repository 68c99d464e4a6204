//! Third floor, `claim_cell`: the one source. Imports the `atoms` that the module above it brings
//! along: the standard library's, loom's or shuttle's.

use core::fmt;
use core::panic::{RefUnwindSafe, UnwindSafe};

use super::atoms::{Atomic, Ordering, Room, constructors};
use crate::atoms::Word;

/// Where a cell stands. It only ever goes on: `EMPTY`, `WRITING`, `FULL`, `TAKEN`.
struct Stand;

impl Word for Stand {
    const NAMES: &'static [&'static str] = &["EMPTY", "WRITING", "FULL", "TAKEN"];
}

/// There was no value yet.
const EMPTY: u8 = 0;
/// Somebody is putting one in.
const WRITING: u8 = 1;
/// There is one.
const FULL: u8 = 2;
/// It was taken.
const TAKEN: u8 = 3;

/// A value that the first of many threads takes, and no other thread.
///
/// It does what `Mutex<Option<T>>` and its `take` are used for, without a lock. No thread waits,
/// nothing is poisoned, and the cell can be a `static`.
///
/// ```
/// use std::thread;
/// use toctou::claim_cell::ClaimCell;
///
/// static SECRET: ClaimCell<&str> = ClaimCell::new("the launch code");
///
/// let claims = thread::scope(|scope| {
///     let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| SECRET.claim())).collect();
///     let claims = threads.into_iter().filter_map(|thread| thread.join().ok()?);
///     claims.collect::<Vec<_>>()
/// });
/// assert_eq!(claims, ["the launch code"]);
/// assert!(SECRET.is_claimed());
/// ```
///
/// # The guarantee
///
/// - **At most once.** No two calls get the value, whoever makes them and in whatever order.
/// - **At least once.** If the value was put in before a call to [`claim`](Self::claim) (in the
///   sense of *happens before*), one call gets it: this call or another.
/// - **Whole.** The [`put`](Self::put), and everything that its thread did before, happens before
///   what the claimant does next. There is no other synchronisation: see below.
/// - **Dropped once.** A value that nobody claimed is dropped with the cell. A claimed value
///   belongs to its claimant. A refused value belongs to the caller of [`put`](Self::put).
/// - **No waiting.** A call makes at most two atomic operations, whatever other threads do, even if
///   one of them never runs again. It is wait-free where the machine's compare-exchange is one
///   instruction (x86, ARM with LSE), and lock-free where it is a loop (`ll`/`sc`). No call
///   allocates or panics. No call runs code of `T`; its destructor runs when the cell is dropped.
///
/// # Not promised
///
/// - A failed claim synchronises with nobody, and neither does [`is_claimed`](Self::is_claimed).
///   What the claimant does with the value is not ordered for the threads that came too late. A
///   thread that waits for the claimant to finish needs a channel, a `join` or a lock.
/// - A `put` takes effect with its last store. A claim that comes before does not wait for it:
///   there is no value *yet*, and the claim gets none.
/// - A refused `put` does not mean that there is a value: the earlier `put` may still be writing
///   it.
/// - The bytes of a value are not wiped when it is claimed.
///
/// # Orderings
///
/// | | operation | ordering | why no weaker one, or why none stronger |
/// | --- | --- | --- | --- |
/// | `claim` | exchange `FULL` for `TAKEN` | acquire, relaxed if it fails | the value could be read before it is written: a data race; a failed claim reads nothing |
/// | `put` | exchange `EMPTY` for `WRITING` | relaxed | it decides which thread writes, and the writer reads nothing |
/// | `put` | store `FULL` | release | the value could be written after the store: the same data race |
/// | `is_claimed` | load | relaxed | nothing is read because of its result |
/// | `into_inner`, `drop` | no exchange | | no other thread has the cell |
///
/// None is `SeqCst`. There is one atomic, and only the order of its own values matters. Every
/// ordering keeps that order.
pub struct ClaimCell<T> {
    stand: Atomic<Stand>,
    room: Room<T>,
}

// SAFETY: a cell owns its value and nothing else; to send the one is to send the other.
unsafe impl<T: Send> Send for ClaimCell<T> {}

// SAFETY: all that can be done with a shared cell is to move a value in (`put`) and out (`claim`), each
// on whatever thread: that takes `Send`. No reference to a value inside is ever given out, so it need not
// be `Sync`. That the two never meet is what the states are for: see `put` and `claim`.
unsafe impl<T: Send> Sync for ClaimCell<T> {}

// No panic leaves a cell half way, as no code of `T` runs in a call. A value goes in and out whole, and only
// by being moved: so a shared cell is as safe as an owned value is, whatever a reference to one may be.
impl<T: UnwindSafe> UnwindSafe for ClaimCell<T> {}
impl<T: UnwindSafe> RefUnwindSafe for ClaimCell<T> {}

impl<T> ClaimCell<T> {
    constructors! {
        /// A cell with a value to be claimed.
        #[inline]
        #[must_use]
        pub fn new(value: T) -> Self {
            ClaimCell { stand: Atomic::new(FULL), room: Room::full(value) }
        }

        /// A cell into which a value can be [put](Self::put) later.
        #[inline]
        #[must_use]
        pub fn empty() -> Self {
            ClaimCell { stand: Atomic::new(EMPTY), room: Room::empty() }
        }
    }

    /// Puts the value in, once in the life of a cell.
    ///
    /// ```
    /// use toctou::claim_cell::ClaimCell;
    ///
    /// let cell = ClaimCell::empty();
    /// assert_eq!(cell.claim(), None);
    /// assert_eq!(cell.put("first"), Ok(()));
    /// assert_eq!(cell.put("second"), Err("second"));
    /// assert_eq!(cell.claim(), Some("first"));
    /// // It had its value.
    /// assert_eq!(cell.put("third"), Err("third"));
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the value if the cell has one, had one before, or if another thread is putting one
    /// in at this moment.
    #[inline]
    pub fn put(&self, value: T) -> Result<(), T> {
        // Relaxed: it decides who writes, and whoever made the cell has shared it since.
        let won = self.stand.compare_exchange(EMPTY, WRITING, Ordering::Relaxed, Ordering::Relaxed);
        if won.is_err() {
            return Err(value);
        }
        // SAFETY: one thread ever gets here, as nothing leads back to `EMPTY`; nobody has written before,
        // and nobody reads before it is `FULL`. A claim that comes now finds `WRITING`, and no value: to
        // read one would be a race, and to wait for it would be to wait for this thread, which may not
        // run again for long. It came before the value did.
        unsafe { self.room.write(value) };
        // Release: whoever finds `FULL` sees the value written.
        self.stand.store(FULL, Ordering::Release);
        Ok(())
    }

    /// Takes the value, if it is there and nobody has taken it.
    ///
    /// `None` is final if the value was there from the start, or was put in before this call. If
    /// the value may still come, ask [`is_claimed`](Self::is_claimed): `true` means that it was
    /// taken.
    ///
    /// A failed claim costs as much as a successful one, and takes the cell's cache line from the
    /// core that has it. If most claims come long after the value is gone, call
    /// [`is_claimed`](Self::is_claimed) first, which is a load. `claim` does not do so itself: for
    /// threads that want a value at the same time, the line would have to come twice.
    ///
    /// ```
    /// use toctou::claim_cell::ClaimCell;
    ///
    /// let cell = ClaimCell::new(String::from("the launch code"));
    /// assert_eq!(cell.claim().as_deref(), Some("the launch code"));
    /// assert_eq!(cell.claim(), None);
    /// ```
    #[inline]
    #[must_use = "whoever claims the value owns it, and drops it here if it is not used"]
    pub fn claim(&self) -> Option<T> {
        // Acquire: the value was written before the cell was `FULL`. Who loses reads nothing.
        // No look first: of a value long gone a claim would be two to eight times as fast; but two to four
        // threads after the same values can be up to five times as slow, slower than behind a mutex.
        self.stand.compare_exchange(FULL, TAKEN, Ordering::Acquire, Ordering::Relaxed).ok()?;
        // SAFETY: it was `FULL`, so the value is there, written before by whoever put it in, with whom
        // this thread has synchronised. One thread ever gets here, as nothing leads back to `FULL`.
        Some(unsafe { self.room.take() })
    }

    /// Whether the value was taken. `true` stays true; `false` may be out of date when you look at
    /// it. After a failed claim by this thread, `false` means that there was no value yet.
    ///
    /// It synchronises with nobody. Do not rely on anything that the claimant did, before or since.
    #[inline]
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        self.stand.load(Ordering::Relaxed) == TAKEN
    }

    /// The value, if it is there and nobody has taken it. No other thread has the cell, so this
    /// needs no exchange.
    ///
    /// ```
    /// use toctou::claim_cell::ClaimCell;
    ///
    /// assert_eq!(ClaimCell::new(7).into_inner(), Some(7));
    /// assert_eq!(ClaimCell::<u8>::empty().into_inner(), None);
    /// ```
    #[inline]
    #[must_use = "the value is dropped here if it is not used: to do just that, drop the cell"]
    pub fn into_inner(mut self) -> Option<T> {
        if self.stand.get_mut() != FULL {
            return None;
        }
        // For `drop`, which comes next, on this thread.
        self.stand.store(TAKEN, Ordering::Relaxed);
        // SAFETY: it was `FULL`, so the value is there; whoever put it in is done, as nobody else has the
        // cell any more. Nobody takes it as well, as it is `TAKEN` now.
        Some(unsafe { self.room.take() })
    }
}

impl<T> Drop for ClaimCell<T> {
    #[inline]
    fn drop(&mut self) {
        if self.stand.get_mut() == FULL {
            // SAFETY: nobody else has the cell any more; the value is there, and nobody has taken it.
            // Should its destructor panic, it was called, and the cell is gone all the same.
            drop(unsafe { self.room.take() });
        }
    }
}

impl<T> Default for ClaimCell<T> {
    /// An [empty](Self::empty) cell.
    fn default() -> Self {
        Self::empty()
    }
}

impl<T> From<T> for ClaimCell<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T> fmt::Debug for ClaimCell<T> {
    /// Shows the cell's state, and never the value, which is a secret until it is claimed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stand = Stand::name(self.stand.load(Ordering::Relaxed));
        f.debug_tuple("ClaimCell").field(&format_args!("{stand}")).finish()
    }
}
