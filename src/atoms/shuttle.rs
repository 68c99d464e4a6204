//! Ground floor, `atoms`: shuttle's atomics. Use them only inside of a check by shuttle. Whatever
//! ordering the code asks for, the operation is sequentially consistent.

/// What the source needs of shuttle.
mod engine {
    pub(super) use ::shuttle::sync::Mutex;
    pub(super) use ::shuttle::sync::atomic::AtomicU8;
    pub(super) use ::shuttle::thread;

    use crate::atoms::notes;
    pub(super) use crate::atoms::real::{NotApart as Apart, Untracked as Tracked};

    pub(super) fn value(atomic: &mut AtomicU8) -> u8 {
        *atomic.get_mut()
    }

    /// shuttle itself decides whose turn it is, and its threads are known by the order in which they started.
    pub(super) fn enter(actor: usize) {
        if usize::from(::shuttle::current::me()) != actor {
            notes::is_misplaced(actor);
        }
    }

    pub(super) fn arrive() {}
    pub(super) fn leave() {}
}

#[allow(clippy::duplicate_mod, reason = "one source, compiled over each engine")]
#[path = "noted.rs"]
mod noted;

pub use ::shuttle::thread;
pub(crate) use noted::constructors;
pub use noted::{Atomic, Lock, Ordering, Room, perform};
