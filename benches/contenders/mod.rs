//! What a value in memory can be claimed from: `ClaimCell`, what is used instead, and the bare exchange.

use std::fmt;
use std::hint::black_box;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use crossbeam_queue::ArrayQueue;
use crossbeam_utils::atomic::AtomicCell;
use toctou::claim_cell::ClaimCell;

/// What is handed over. Never zero, so that an `Option` of it is no larger.
pub(crate) trait Payload: Copy + Send + Sync + PartialEq + fmt::Debug + 'static {
    const NAME: &'static str;
    const VALUE: Self;
}

impl Payload for NonZeroU64 {
    const NAME: &'static str = "word";
    const VALUE: Self = NonZeroU64::MIN;
}

impl Payload for [NonZeroU64; 4] {
    const NAME: &'static str = "32 bytes";
    const VALUE: Self = [NonZeroU64::MIN; 4];
}

/// Something that a value can be claimed from, once.
pub(crate) trait Contender<P>: Send + Sync + 'static {
    fn full(value: P) -> Self;

    /// Whether it was this call that has the value.
    fn claim(&self) -> bool;
}

/// The value is used: otherwise it need not be read.
#[inline(always)]
fn used<P>(value: Option<P>) -> bool {
    match value {
        Some(value) => {
            black_box(value);
            true
        }
        None => false,
    }
}

impl<P: Payload> Contender<P> for ClaimCell<P> {
    fn full(value: P) -> Self {
        ClaimCell::new(value)
    }

    #[inline]
    fn claim(&self) -> bool {
        used(ClaimCell::claim(self))
    }
}

impl<P: Payload> Contender<P> for Mutex<Option<P>> {
    fn full(value: P) -> Self {
        Mutex::new(Some(value))
    }

    #[inline]
    fn claim(&self) -> bool {
        used(self.lock().unwrap_or_else(PoisonError::into_inner).take())
    }
}

impl<P: Payload> Contender<P> for parking_lot::Mutex<Option<P>> {
    fn full(value: P) -> Self {
        parking_lot::Mutex::new(Some(value))
    }

    #[inline]
    fn claim(&self) -> bool {
        used(self.lock().take())
    }
}

/// One atomic word where the value is one; behind one of crossbeam's global locks where it is longer.
impl<P: Payload> Contender<P> for AtomicCell<Option<P>> {
    fn full(value: P) -> Self {
        AtomicCell::new(Some(value))
    }

    #[inline]
    fn claim(&self) -> bool {
        used(self.swap(None))
    }
}

impl<P: Payload> Contender<P> for ArrayQueue<P> {
    fn full(value: P) -> Self {
        let queue = ArrayQueue::new(1);
        queue.push(value).expect("there is room for one");
        queue
    }

    #[inline]
    fn claim(&self) -> bool {
        used(self.pop())
    }
}

/// A value that can be copied, and who sets the lock has it.
pub(crate) struct Once<P> {
    won: OnceLock<()>,
    value: P,
}

impl<P: Payload> Contender<P> for Once<P> {
    fn full(value: P) -> Self {
        Once { won: OnceLock::new(), value }
    }

    #[inline]
    fn claim(&self) -> bool {
        used(self.won.set(()).is_ok().then_some(self.value))
    }
}

const FULL: u8 = 2;
const TAKEN: u8 = 3;

/// The exchange alone, of a byte that lies beside a value as a `ClaimCell`'s does.
pub(crate) struct Bare<P, const READS: bool> {
    stand: AtomicU8,
    value: P,
}

impl<P: Payload, const READS: bool> Contender<P> for Bare<P, READS> {
    fn full(value: P) -> Self {
        Bare { stand: AtomicU8::new(FULL), value }
    }

    #[inline]
    fn claim(&self) -> bool {
        let won = self.stand.compare_exchange(FULL, TAKEN, Ordering::Acquire, Ordering::Relaxed);
        if READS { used(won.is_ok().then_some(self.value)) } else { won.is_ok() }
    }
}

/// A caller that looks whether it comes too late. The losers of a taken cell then leave it to one
/// another's caches; but those of a crowd run up to the winner, and stay there.
pub(crate) struct Looks<P>(ClaimCell<P>);

impl<P: Payload> Contender<P> for Looks<P> {
    fn full(value: P) -> Self {
        Looks(ClaimCell::new(value))
    }

    #[inline]
    fn claim(&self) -> bool {
        !self.0.is_claimed() && used(self.0.claim())
    }
}
