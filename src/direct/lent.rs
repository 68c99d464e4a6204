//! Second floor, `direct`: values that a thread has on loan while a program runs on it. Imports
//! nothing of this crate.

use std::cell::Cell;
use std::thread::LocalKey;

/// Where the thread finds it.
pub(super) type Place<T> = LocalKey<Cell<Option<T>>>;

/// The thread has the value until this is dropped, also by a panic. Then it has the value from
/// before again.
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

/// Where a thread finds the `Port` of its module, whatever world that leads to, and who lends it one.
macro_rules! ports {
    ($(#[$doc:meta])* $lend:ident) => {
        thread_local! {
            static PORT: std::cell::Cell<Option<std::ptr::NonNull<dyn Port>>> =
                const { std::cell::Cell::new(None) };
        }

        $(#[$doc])*
        pub(super) fn $lend<T>(port: &mut (dyn Port + '_), during: impl FnOnce() -> T) -> T {
            let port: std::ptr::NonNull<dyn Port + '_> = std::ptr::NonNull::from(port);
            // SAFETY: only the bound on its lifetime is changed. It is taken away before this function
            // returns or unwinds, and so before what it borrows ends.
            let port: std::ptr::NonNull<dyn Port + 'static> = unsafe { std::mem::transmute(port) };
            let _lent = super::lent::Lent::at(&PORT, port);
            during()
        }

        /// Does something with the port of the thread; `None` where there is none.
        fn port<T>(with: impl FnOnce(&mut dyn Port) -> T) -> Option<T> {
            // SAFETY: it is exclusively borrowed for as long as it is there, and nobody else finds it there
            // now.
            super::lent::taken(&PORT, |mut port| with(unsafe { port.as_mut() }))
        }
    };
}

pub(super) use ports;
