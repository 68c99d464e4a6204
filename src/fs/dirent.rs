//! First floor: a name in a directory, as a call that reads the directory answers it. Imports
//! [`Kind`].

use std::ffi::OsString;

use super::Kind;

/// A name in a directory, and the file that it names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dirent {
    /// The name.
    pub name: OsString,
    /// What kind of file it names; `None` where the file system does not say.
    pub kind: Option<Kind>,
    /// The inode number of the file.
    pub inode: u64,
}
