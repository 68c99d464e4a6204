//! First floor: a name in a directory, as reading the directory answers it. Imports [`Kind`].

use std::ffi::OsString;

use super::Kind;

/// A name in a directory, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dirent {
    /// The name.
    pub name: OsString,
    /// What kind of thing it names; `None` where the file system does not say.
    pub kind: Option<Kind>,
    /// The number of what it names.
    pub inode: u64,
}
