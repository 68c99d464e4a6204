//! First floor: what there is to see of an open file and of locks, for whoever draws an execution. Imports its
//! parent module and rustix's vocabulary.

use std::fmt::Write;

use rustix::fs::OFlags;

use super::SimFile;
#[cfg(feature = "command")]
use super::SimInode;
use super::inode::Held;
#[cfg(feature = "command")]
use super::inode::{Body, Lock};
use super::records::Record;
use crate::held::{Holding, Kind};

impl SimFile {
    /// How it is open: `read, at 3, exclusive lock`.
    pub(super) fn holding(&self) -> Holding {
        let mut how = match (self.is_path(), self.readable(), self.writable()) {
            (true, ..) => "as a path".to_owned(),
            (_, true, true) => "read and write".to_owned(),
            (_, true, false) => "read".to_owned(),
            (_, false, true) => "write".to_owned(),
            (_, false, false) => "neither read nor write".to_owned(),
        };
        if self.flags.contains(OFlags::APPEND) {
            how += ", append";
        }
        if self.offset > 0 {
            let _ = write!(how, ", at {}", self.offset);
        }
        match self.lock {
            Held::None => {}
            Held::Shared => how += ", shared lock",
            Held::Exclusive => how += ", exclusive lock",
        }
        for record in self.rare.records() {
            let _ = write!(how, ", {}", record.told());
        }
        Holding { kind: Kind::File, thing: u64::from(self.inode), how }
    }
}

impl Record {
    /// `exclusive lock on bytes 0 to 7`.
    fn told(&self) -> String {
        let kind = if self.is_exclusive() { "exclusive" } else { "shared" };
        match self.bytes() {
            (first, Some(last)) => format!("{kind} lock on bytes {first} to {last}"),
            (first, None) => format!("{kind} lock on bytes {first} to the end"),
        }
    }
}

#[cfg(feature = "command")]
impl SimInode<'_> {
    /// How many names it has.
    pub(crate) fn links(&self) -> u32 {
        self.inode.links
    }

    /// What a symbolic link says.
    pub(crate) fn target(&self) -> Option<String> {
        match &self.inode.body {
            Body::Symlink { target } => Some(String::from_utf8_lossy(target).into_owned()),
            Body::Directory { .. } | Body::File { .. } | Body::Special(_) => None,
        }
    }

    /// What all open files together hold of its locks: `exclusive`; nothing where it is free.
    pub(crate) fn locks(&self) -> String {
        let lock = match self.inode.lock {
            Lock::Free => None,
            Lock::Shared(holders) => Some(format!("shared by {holders}")),
            Lock::Exclusive => Some("exclusive".to_owned()),
        };
        let records = self.inode.records.iter().map(Record::told);
        lock.into_iter().chain(records).collect::<Vec<_>>().join(", ")
    }
}
