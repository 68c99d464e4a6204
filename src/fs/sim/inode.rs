//! First floor: what a simulated name stands for. Imports rustix only.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use rustix::fs::{FlockOperation, Mode};
use rustix::io::Errno;

/// The number of an inode: its index in the world's table.
pub(super) type Ino = u32;

/// A file or directory, whatever its names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Inode {
    pub(super) mode: Mode,
    pub(super) lock: Lock,
    pub(super) body: Body,
}

/// What an inode holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Body {
    /// Sorted entries. A directory has one name or, once removed, none.
    Directory(BTreeMap<Box<[u8]>, Ino>),
    /// A regular file's bytes and the number of its names, 0 after the last unlink.
    File { bytes: Arc<[u8]>, links: u32 },
}

/// What all open files together hold of an inode's `flock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Lock {
    Free,
    Shared(NonZeroU32),
    Exclusive,
}

/// What one open file holds of its inode's `flock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Held {
    None,
    Shared,
    Exclusive,
}

impl Inode {
    pub(super) fn directory(mode: Mode) -> Self {
        Inode { mode, lock: Lock::Free, body: Body::Directory(BTreeMap::new()) }
    }

    /// An empty regular file with one name.
    pub(super) fn file(mode: Mode) -> Self {
        let body = Body::File { bytes: Arc::default(), links: 1 };
        Inode { mode, lock: Lock::Free, body }
    }

    pub(super) fn is_directory(&self) -> bool {
        matches!(self.body, Body::Directory(_))
    }
}

impl Lock {
    /// The lock once an open file holding `held` of it let go.
    pub(super) fn without(self, held: Held) -> Self {
        match (self, held) {
            (lock, Held::None) => lock,
            (Lock::Shared(count), Held::Shared) => match NonZeroU32::new(count.get() - 1) {
                Some(count) => Lock::Shared(count),
                None => Lock::Free,
            },
            (Lock::Free | Lock::Exclusive, _) | (Lock::Shared(_), Held::Exclusive) => Lock::Free,
        }
    }

    /// The lock once an open file that holds nothing of it took `wanted`; `EWOULDBLOCK` where it
    /// would have to wait.
    pub(super) fn with(self, wanted: Held) -> Result<Self, Errno> {
        match (self, wanted) {
            (lock, Held::None) => Ok(lock),
            (Lock::Free, Held::Exclusive) => Ok(Lock::Exclusive),
            (Lock::Free, Held::Shared) => Ok(Lock::Shared(NonZeroU32::MIN)),
            (Lock::Shared(count), Held::Shared) => Ok(Lock::Shared(count.saturating_add(1))),
            (Lock::Shared(_), Held::Exclusive) | (Lock::Exclusive, _) => Err(Errno::WOULDBLOCK),
        }
    }
}

impl From<FlockOperation> for Held {
    /// What the open file holds once `operation` succeeded.
    fn from(operation: FlockOperation) -> Self {
        match operation {
            FlockOperation::LockShared | FlockOperation::NonBlockingLockShared => Held::Shared,
            FlockOperation::LockExclusive | FlockOperation::NonBlockingLockExclusive => {
                Held::Exclusive
            }
            FlockOperation::Unlock | FlockOperation::NonBlockingUnlock => Held::None,
        }
    }
}
