//! Second floor, `direct`: what a thread is lent for as long as a program runs on it. Imports nothing of this
//! crate.

use std::cell::Cell;
use std::thread::LocalKey;

/// Where the thread finds it.
pub(super) type Place<T> = LocalKey<Cell<Option<T>>>;

/// It is there until this is dropped, also by a panic; then what was there before is there again.
pub(super) struct Lent<T: Copy + 'static> {
    place: &'static Place<T>,
    before: Option<T>,
}

impl<T: Copy> Lent<T> {
    pub(super) fn at(place: &'static Place<T>, thing: T) -> Self {
        Lent { place, before: place.replace(Some(thing)) }
    }
}

impl<T: Copy + 'static> Drop for Lent<T> {
    fn drop(&mut self) {
        self.place.set(self.before);
    }
}

/// Does something with what is there, where nobody else finds it meanwhile; `None` if nothing is there.
pub(super) fn taken<T: Copy, R>(place: &'static Place<T>, with: impl FnOnce(T) -> R) -> Option<R> {
    let thing = place.take()?;
    let _back = Lent { place, before: Some(thing) };
    Some(with(thing))
}
