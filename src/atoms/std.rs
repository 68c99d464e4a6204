//! Ground floor, `atoms`: the standard library's atomics. Nothing here costs anything.

use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::mem::MaybeUninit;
use core::sync::atomic::AtomicU8;
pub use core::sync::atomic::Ordering;

use super::Word;
pub(crate) use super::const_on_std as constructors;

/// One atomic byte, whose values mean what `W` says.
pub struct Atomic<W>(AtomicU8, PhantomData<W>);

impl<W: Word> Atomic<W> {
    /// An atomic with this value.
    #[inline]
    pub const fn new(value: u8) -> Self {
        Atomic(AtomicU8::new(value), PhantomData)
    }

    /// See [`AtomicU8::load`].
    #[inline]
    pub fn load(&self, ordering: Ordering) -> u8 {
        self.0.load(ordering)
    }

    /// See [`AtomicU8::store`].
    #[inline]
    pub fn store(&self, value: u8, ordering: Ordering) {
        self.0.store(value, ordering);
    }

    /// See [`AtomicU8::swap`].
    #[inline]
    pub fn swap(&self, value: u8, ordering: Ordering) -> u8 {
        self.0.swap(value, ordering)
    }

    /// See [`AtomicU8::compare_exchange`].
    #[inline]
    pub fn compare_exchange(
        &self,
        current: u8,
        new: u8,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u8, u8> {
        self.0.compare_exchange(current, new, success, failure)
    }

    /// The value, for a caller that has the atomic alone.
    #[inline]
    pub fn get_mut(&mut self) -> u8 {
        *self.0.get_mut()
    }
}

/// Room for a value that may or may not be there. An [`Atomic`] beside it says whether it is.
pub struct Room<T>(UnsafeCell<MaybeUninit<T>>);

impl<T> Room<T> {
    /// A room with a value in it.
    #[inline]
    pub const fn full(value: T) -> Self {
        Room(UnsafeCell::new(MaybeUninit::new(value)))
    }

    /// A room without a value.
    #[inline]
    pub const fn empty() -> Self {
        Room(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Puts a value in. A value that is already there is forgotten.
    ///
    /// # Safety
    ///
    /// No other thread reads or writes the room meanwhile: every other access happens before this
    /// one, or after it.
    #[inline]
    pub unsafe fn write(&self, value: T) {
        // SAFETY: nobody else has access now, by this function's own condition.
        unsafe { (*self.0.get()).write(value) };
    }

    /// Takes the value out, and leaves a copy of its bytes behind.
    ///
    /// # Safety
    ///
    /// There is a value, no other thread writes the room meanwhile, and no other thread takes the
    /// value as well.
    #[inline]
    pub unsafe fn take(&self) -> T {
        // SAFETY: it was written, and nobody else owns it, by this function's own condition.
        unsafe { (*self.0.get()).assume_init_read() }
    }
}
