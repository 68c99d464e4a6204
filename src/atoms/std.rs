//! Ground floor, `atoms`: the standard library's. Nothing here costs anything.

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
    /// With this value.
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

    /// The value, by whoever has it alone.
    #[inline]
    pub fn get_mut(&mut self) -> u8 {
        *self.0.get_mut()
    }
}

/// Room for a value that may or may not be there; who knows is an [`Atomic`] beside it.
pub struct Room<T>(UnsafeCell<MaybeUninit<T>>);

impl<T> Room<T> {
    /// With a value in it.
    #[inline]
    pub const fn full(value: T) -> Self {
        Room(UnsafeCell::new(MaybeUninit::new(value)))
    }

    /// With none.
    #[inline]
    pub const fn empty() -> Self {
        Room(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Puts a value in; one that is there already is forgotten.
    ///
    /// # Safety
    ///
    /// Nobody else reads or writes meanwhile: every other access happens before this one, or after it.
    #[inline]
    pub unsafe fn write(&self, value: T) {
        // SAFETY: nobody else has access now, by this function's own condition.
        unsafe { (*self.0.get()).write(value) };
    }

    /// Takes the value out, and leaves a copy of its bytes behind.
    ///
    /// # Safety
    ///
    /// There is one, nobody writes meanwhile, and nobody takes it as well.
    #[inline]
    pub unsafe fn take(&self) -> T {
        // SAFETY: it was written, and nobody else owns it, by this function's own condition.
        unsafe { (*self.0.get()).assume_init_read() }
    }
}
