//! Second floor, `direct`: what a program holds in its world. Imports the worlds of the first floor.

use std::ops::Deref;
use std::sync::Arc;

use crate::db::{SimDb, SimSession};
use crate::fs::{OsFile, SimFile};

/// What a program holds, by number. A thing that is given back leaves its place empty.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Slots<T>(Vec<Option<Arc<T>>>);

// By hand, because a derive would ask it of `T`.
impl<T> Clone for Slots<T> {
    fn clone(&self) -> Self {
        Slots(self.0.clone())
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots(Vec::new())
    }
}

impl<T> Slots<T> {
    /// The things that the program holds now.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten().map(|held| &**held)
    }

    pub(super) fn of(held: impl IntoIterator<Item = T>) -> Self {
        Slots(held.into_iter().map(|held| Some(Arc::new(held))).collect())
    }

    /// Its number: the smallest that is free.
    pub(super) fn add(&mut self, held: T) -> u32 {
        let held = Some(Arc::new(held));
        let number = self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        match self.0.get_mut(number) {
            Some(free) => *free = held,
            None => self.0.push(held),
        }
        number as u32
    }
}

impl<T: Held> Slots<T> {
    pub(super) fn get(&mut self, number: u32) -> Option<&mut T> {
        T::of_one(self.0.get_mut(number as usize)?.as_mut()?)
    }

    pub(super) fn take(&mut self, number: u32) -> Option<T> {
        let taken = self.0.get_mut(number as usize)?.take();
        while self.0.last().is_some_and(Option::is_none) {
            self.0.pop();
        }
        T::taken(taken?)
    }
}

/// The things that a program holds, of a program that does not go on.
impl<T: Held> IntoIterator for Slots<T> {
    type Item = T;
    type IntoIter = std::iter::FilterMap<
        std::iter::Flatten<std::vec::IntoIter<Option<Arc<T>>>>,
        fn(Arc<T>) -> Option<T>,
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().flatten().filter_map(T::taken)
    }
}

/// Slots of one kind of world.
macro_rules! slots {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, PartialEq, Eq, Hash)]
        pub struct $name<T>(pub(super) Slots<T>);

        impl<T> Clone for $name<T> {
            fn clone(&self) -> Self {
                $name(self.0.clone())
            }
        }

        impl<T> Deref for $name<T> {
            type Target = Slots<T>;

            fn deref(&self) -> &Slots<T> {
                &self.0
            }
        }

        impl<T: Held> IntoIterator for $name<T> {
            type Item = T;
            type IntoIter = <Slots<T> as IntoIterator>::IntoIter;

            fn into_iter(self) -> Self::IntoIter {
                self.0.into_iter()
            }
        }
    )*};
}

slots! {
    /// The sessions that a program has, by the numbers of its
    /// [`DirectSession`](super::DirectSession)s.
    Sessions;
    /// The sessions that a program has in a world of server processes.
    Served;
    /// The connections that a program has, by the numbers of its
    /// [`DirectConnection`](super::DirectConnection)s.
    Connections;
}

impl Slots<SimSession> {
    /// Whether one of these sessions has a statement that waits for one of the other sessions.
    pub fn wait_for(&self, others: &Self, database: &SimDb) -> bool {
        self.iter().any(|one| others.iter().any(|other| database.waits_for(one, other)))
    }
}

/// What a program in direct style holds in its world: an open file, a session. Two of the program's
/// states may share it for a moment.
pub trait Held: Send + Sync + Sized {
    /// This thing, for a change that no other state may see; `None` if that is not possible.
    fn of_one(this: &mut Arc<Self>) -> Option<&mut Self>;

    /// This thing, to end it; `None` if that is not possible.
    fn taken(this: Arc<Self>) -> Option<Self>;

    /// Ends it where its whole world has lost what was held in it.
    fn vanish(self) {}

    /// Says which row its statement takes next.
    fn takes_next(&mut self, _: usize) {}

    /// Whether it has a statement with rows still to come.
    fn is_underway(&self) -> bool {
        false
    }
}

/// Simulated: values, of which each state has its own.
macro_rules! values {
    ($($(#[$when:meta])? $held:ty { $($also:item)* })*) => {$(
        $(#[$when])?
        impl Held for $held {
            $($also)*

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

values! {
    SimFile {
        fn vanish(self) {
            SimFile::vanish(self);
        }
    }
    SimSession {
        fn takes_next(&mut self, which: usize) {
            SimSession::takes_next(self, which);
        }

        fn is_underway(&self) -> bool {
            SimSession::is_underway(self)
        }
    }
    #[cfg(feature = "http")]
    crate::net::SimConnection {}
}
things!(
    OsFile,
    #[cfg(feature = "http")]
    crate::net::OsConnection,
    #[cfg(feature = "command")]
    crate::net::LoopbackConnection,
    #[cfg(feature = "sqlite")]
    crate::db::SqliteSession,
    #[cfg(feature = "postgres")]
    crate::db::PostgresSession,
    #[cfg(feature = "postgres")]
    crate::db::SteppedSession
);
