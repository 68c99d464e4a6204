//! Ground floor: atomics and cells for code that is itself threads. Imports nothing of this crate.
//!
//! Several modules offer the same names. Those over the atomics of [mod@std] ship. The others
//! [note](notes) each operation: one over loom's atomics, one over shuttle's, and one over [real]
//! threads that act when it is their turn.
//!
//! A source that names none of these modules is compiled once with each (`#[path]`). So loom
//! explores, under the C11 memory model, word for word the code that ships.

#[cfg(all(feature = "loom", feature = "shuttle"))]
pub mod loom;
#[cfg(all(feature = "loom", feature = "shuttle"))]
pub mod notes;
#[cfg(all(feature = "loom", feature = "shuttle"))]
pub mod real;
#[cfg(all(feature = "loom", feature = "shuttle"))]
pub mod shuttle;
pub mod std;

/// The meaning of an atomic's values.
///
/// On the machine a value is a byte; a trace shows its name.
pub trait Word {
    /// The name of each value, from 0 on.
    const NAMES: &'static [&'static str];

    /// The name of a value.
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
