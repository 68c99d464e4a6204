//! Second floor, `direct`: what a program holds in its world. Imports the worlds of the first floor.

use std::sync::Arc;

use crate::db::SimSession;
use crate::fs::{OsFile, SimFile};

/// What a program in direct style holds in its world: an open file, a session. Two of its states may share
/// it for a moment.
pub trait Held: Sized {
    /// This, to do something with that no other state is to notice; `None` if it cannot be had so.
    fn of_one(this: &mut Arc<Self>) -> Option<&mut Self>;

    /// This, to end it; `None`, likewise.
    fn taken(this: Arc<Self>) -> Option<Self>;
}

/// Simulated: values, of which each state has its own.
macro_rules! values {
    ($($held:ty),*) => {$(
        impl Held for $held {
            fn of_one(this: &mut Arc<Self>) -> Option<&mut Self> {
                Some(Arc::make_mut(this))
            }

            fn taken(this: Arc<Self>) -> Option<Self> {
                Some(Arc::unwrap_or_clone(this))
            }
        }
    )*};
}

/// Real: a program is in one state, and that has them.
macro_rules! things {
    ($($(#[$when:meta])? $held:ty),*) => {$(
        $(#[$when])?
        impl Held for $held {
            fn of_one(this: &mut Arc<Self>) -> Option<&mut Self> {
                Arc::get_mut(this)
            }

            fn taken(this: Arc<Self>) -> Option<Self> {
                Arc::into_inner(this)
            }
        }
    )*};
}

values!(SimFile, SimSession);
things!(
    OsFile,
    #[cfg(feature = "sqlite")]
    crate::db::SqliteSession,
    #[cfg(feature = "postgres")]
    crate::db::PostgresSession,
    #[cfg(feature = "postgres")]
    crate::db::SteppedSession
);
