//! Ground floor, `atoms`: loom's atomics. Use them only inside of `loom::model`.

/// What the source needs of loom.
mod engine {
    pub(super) use ::loom::sync::Mutex;
    pub(super) use ::loom::sync::atomic::AtomicU8;
    use ::loom::sync::atomic::Ordering;
    pub(super) use ::loom::thread;

    use crate::atoms::notes::is_apart;

    /// loom looks at who has access.
    pub(super) type Tracked<T> = ::loom::cell::UnsafeCell<T>;

    /// Something beside an atomic that each access to it writes to as well, where they are to
    /// [exclude one another](crate::atoms::notes::Options::apart).
    ///
    /// Nobody comes between the two: loom does not switch while it explores nothing, and where it finds
    /// that the write should have come after another's, it goes back to before the access. Relaxed, and of a
    /// place of its own: it orders nothing that the program does not.
    pub(super) struct Apart(Option<AtomicU8>);

    impl Apart {
        pub(super) fn new(number: usize) -> Self {
            Apart(is_apart(number).then(|| AtomicU8::new(0)))
        }

        pub(super) fn accessed(&self) {
            if let Some(written) = &self.0 {
                ::loom::stop_exploring();
                written.swap(0, Ordering::Relaxed);
                ::loom::explore();
            }
        }
    }

    pub(super) fn value(atomic: &mut AtomicU8) -> u8 {
        atomic.with_mut(|value| *value)
    }

    /// loom itself decides whose turn it is.
    pub(super) fn enter(_actor: usize) {}
    pub(super) fn arrive() {}
    pub(super) fn leave() {}
}

#[allow(clippy::duplicate_mod, reason = "one source, compiled over each engine")]
#[path = "noted.rs"]
mod noted;

pub use ::loom::thread;
pub(crate) use noted::constructors;
pub use noted::{Atomic, Lock, Ordering, Room, perform};
