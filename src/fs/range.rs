//! First floor: the bytes of a file that a record lock covers. Imports nothing of this crate.

use std::fmt;

/// A range of bytes of a file, as `struct flock` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// How many bytes; 0 means all from `start` on, however long the file gets.
    pub length: u64,
}

impl ByteRange {
    /// The whole file, however long it gets.
    pub const ALL: ByteRange = ByteRange { start: 0, length: 0 };
}

impl fmt::Display for ByteRange {
    /// `3..7`, `3..`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..", self.start)?;
        match self.length {
            0 => Ok(()),
            length => write!(f, "{}", u128::from(self.start) + u128::from(length)),
        }
    }
}
