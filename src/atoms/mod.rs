//! Ground floor: the atomics and cells that code is written over which is itself threads. Imports nothing
//! of this crate.
//!
//! The same names several times: over [mod@std]'s own, which is what ships; and, each operation
//! [noted](notes), over loom's, over shuttle's, and over [real] threads that are let act when it is their
//! turn. A source that names no other is compiled once with each (`#[path]`), so that what loom explores
//! under the C11 memory model is, word for word, what ships.

#[cfg(all(feature = "loom", feature = "shuttle"))]
pub mod loom;
#[cfg(all(feature = "loom", feature = "shuttle"))]
pub mod notes;
#[cfg(all(feature = "loom", feature = "shuttle"))]
pub mod real;
#[cfg(all(feature = "loom", feature = "shuttle"))]
pub mod shuttle;
pub mod std;

/// What the values of an atomic mean.
///
/// On the machine it is a byte; what the byte is called is told in a trace.
pub trait Word {
    /// The name of each value, from 0 on.
    const NAMES: &'static [&'static str];

    /// What a value is called.
    fn name(value: u8) -> &'static str {
        Self::NAMES.get(usize::from(value)).copied().unwrap_or("?")
    }
}

/// Makes functions `const` where atomics can be made at compile time.
macro_rules! const_on_std {
    ($($(#[$attribute:meta])* $visibility:vis fn $name:ident ( $($argument:tt)* ) -> $result:ty $body:block)*) => {
        $($(#[$attribute])* $visibility const fn $name($($argument)*) -> $result $body)*
    };
}

/// The same where they cannot.
#[cfg(all(feature = "loom", feature = "shuttle"))]
macro_rules! not_const {
    ($($(#[$attribute:meta])* $visibility:vis fn $name:ident ( $($argument:tt)* ) -> $result:ty $body:block)*) => {
        $($(#[$attribute])* $visibility fn $name($($argument)*) -> $result $body)*
    };
}

pub(crate) use const_on_std;
#[cfg(all(feature = "loom", feature = "shuttle"))]
pub(crate) use not_const;
