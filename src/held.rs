//! Ground floor: what a process holds open in its world, for whoever draws the execution. Imports nothing.
//!
//! A file that is open is a value of the process that opened it, somewhere inside of its local state. A
//! local state is hashed whole, so whatever is held is met on the way: while somebody [lists](of) what a
//! state holds, what is hashed [notes](note) itself. Otherwise noting costs one look at a variable of the
//! thread.

use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash};

/// What kind of thing is held.
#[cfg_attr(not(feature = "http"), allow(dead_code))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// An open file, by the number of its inode.
    File,
    /// A session of a database with a transaction under way, by the transaction's number.
    Session,
    /// A connection of a network; it has no number.
    Connection,
    /// A named section that the process is in; it has no number.
    Section,
}

/// Something that a process holds.
#[cfg_attr(not(feature = "command"), allow(dead_code))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holding {
    /// What it is.
    pub(crate) kind: Kind,
    /// Which one of its world.
    pub(crate) thing: u64,
    /// How: `read, at 0, exclusive lock`.
    pub(crate) how: String,
}

thread_local! {
    static IS_LISTING: Cell<bool> = const { Cell::new(false) };
    static NOTED: RefCell<Vec<Holding>> = const { RefCell::new(Vec::new()) };
}

/// Notes that the value that is being hashed holds this, if somebody lists what it holds.
#[inline]
pub(crate) fn note(holding: impl FnOnce() -> Holding) {
    if IS_LISTING.get() {
        NOTED.with_borrow_mut(|noted| noted.push(holding()));
    }
}

/// What this value holds, in the order in which it is hashed.
#[cfg_attr(not(feature = "command"), allow(dead_code))]
pub(crate) fn of(value: &impl Hash) -> Vec<Holding> {
    let before = IS_LISTING.replace(true);
    let outer = NOTED.take();
    value.hash(&mut DefaultHasher::new());
    IS_LISTING.set(before);
    NOTED.replace(outer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::Hasher;

    struct Open(u64);

    impl Hash for Open {
        fn hash<H: Hasher>(&self, state: &mut H) {
            note(|| Holding { kind: Kind::File, thing: self.0, how: "read".to_owned() });
            self.0.hash(state);
        }
    }

    #[test]
    fn what_is_held_is_found_wherever_it_is_and_only_while_it_is_listed() {
        let state = (7, Some(vec![Open(3), Open(1)]), "text");
        state.hash(&mut DefaultHasher::new());
        let things: Vec<u64> = of(&state).into_iter().map(|holding| holding.thing).collect();
        assert_eq!(things, [3, 1]);
        assert_eq!(of(&"nothing"), []);
        state.hash(&mut DefaultHasher::new());
        assert_eq!(NOTED.take(), []);
    }
}
