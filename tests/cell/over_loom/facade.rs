//! loom's atomics as the source of the cell wants them, and nothing else. It shares no line with the
//! facade that the checks run over, so that a fault in that one cannot hide here.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU8, Ordering};

/// Functions as they are: nothing of loom's can be made at compile time.
macro_rules! constructors {
    ($($functions:tt)*) => { $($functions)* };
}

/// An `Ordering` whose `Acquire` and `Release` are these of loom's.
macro_rules! orderings {
    (Acquire = $acquire:ident, Release = $release:ident) => {
        pub(super) struct Ordering;

        #[allow(non_upper_case_globals, reason = "they stand in for variants")]
        impl Ordering {
            pub(super) const Relaxed: loom::sync::atomic::Ordering =
                loom::sync::atomic::Ordering::Relaxed;
            pub(super) const Acquire: loom::sync::atomic::Ordering =
                loom::sync::atomic::Ordering::$acquire;
            pub(super) const Release: loom::sync::atomic::Ordering =
                loom::sync::atomic::Ordering::$release;
        }
    };
}

pub(super) use {constructors, orderings};

pub(super) struct Atomic<W>(AtomicU8, PhantomData<W>);

impl<W> Atomic<W> {
    pub(super) fn new(value: u8) -> Self {
        Atomic(AtomicU8::new(value), PhantomData)
    }

    pub(super) fn load(&self, ordering: Ordering) -> u8 {
        self.0.load(ordering)
    }

    pub(super) fn store(&self, value: u8, ordering: Ordering) {
        self.0.store(value, ordering);
    }

    pub(super) fn compare_exchange(
        &self,
        current: u8,
        new: u8,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u8, u8> {
        self.0.compare_exchange(current, new, success, failure)
    }

    /// While loom tells what it has found, the cell is dropped, too: then it is not to look again, as a
    /// second panic would be the end of the process.
    pub(super) fn get_mut(&mut self) -> u8 {
        if std::thread::panicking() {
            return u8::MAX;
        }
        self.0.with_mut(|value| *value)
    }
}

/// An [`Atomic`] whose exchange is two operations.
pub(super) struct Torn<W>(Atomic<W>);

impl<W> Torn<W> {
    pub(super) fn new(value: u8) -> Self {
        Torn(Atomic::new(value))
    }

    pub(super) fn load(&self, ordering: Ordering) -> u8 {
        self.0.load(ordering)
    }

    pub(super) fn store(&self, value: u8, ordering: Ordering) {
        self.0.store(value, ordering);
    }

    pub(super) fn compare_exchange(
        &self,
        current: u8,
        new: u8,
        success: Ordering,
        _: Ordering,
    ) -> Result<u8, u8> {
        match self.0.load(success) {
            found if found == current => {
                // Whoever reads it synchronises with whoever wrote what was there, as with an exchange.
                self.0.store(new, Ordering::Release);
                Ok(found)
            }
            found => Err(found),
        }
    }

    pub(super) fn get_mut(&mut self) -> u8 {
        self.0.get_mut()
    }
}

/// loom panics where a write to it and another access are not ordered.
pub(super) struct Room<T>(UnsafeCell<MaybeUninit<T>>);

impl<T> Room<T> {
    pub(super) fn full(value: T) -> Self {
        Room(UnsafeCell::new(MaybeUninit::new(value)))
    }

    pub(super) fn empty() -> Self {
        Room(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// # Safety
    ///
    /// Nobody else reads or writes meanwhile.
    pub(super) unsafe fn write(&self, value: T) {
        // SAFETY: loom runs one thread at a time, and panics before this where the condition is broken.
        self.0.with_mut(|room| unsafe { (*room).write(value) });
    }

    /// # Safety
    ///
    /// There is a value, and nobody takes it as well.
    pub(super) unsafe fn take(&self) -> T {
        // SAFETY: there is one, by the condition; who wrote it is done, or loom panics before this.
        self.0.with(|room| unsafe { (*room).assume_init_read() })
    }
}
