//! First floor: what a simulated name stands for. Imports rustix and [`User`].

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU32;
use std::sync::Arc;

use rustix::fs::{FlockOperation, Gid, Mode, Uid};
use rustix::io::Errno;

use super::super::{Kind, Time, User};
use super::records::Record;

/// The number of an inode: its index in the world's table.
pub(super) type Ino = u32;

/// The names of a directory, sorted.
pub(super) type Entries = BTreeMap<Box<[u8]>, Ino>;

/// A file, directory or symbolic link, whatever its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inode {
    pub(super) mode: Mode,
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    /// How many names it has: 0 after the last unlink, or before the first link of one that
    /// `O_TMPFILE` made. A directory has one or, once removed, none.
    pub(super) links: u32,
    /// Who took the last name away, by removing or replacing it. Nobody on a real system could
    /// say; here properties may ask.
    pub(super) removed_by: Option<Uid>,
    pub(super) lock: Lock,
    /// What all open files together hold of record locks, sorted.
    pub(super) records: Vec<Record>,
    /// When it was modified, in a world with a clock.
    pub(super) modified: Option<Time>,
    pub(super) body: Body,
}

/// What an inode holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Body {
    /// The directory above (the root is above itself), and what is in it.
    Directory { above: Ino, entries: Entries },
    /// A regular file's bytes, and whether it may get a first name: `O_TMPFILE` without `O_EXCL`.
    File { bytes: Arc<[u8]>, linkable: bool },
    /// What the link says.
    Symlink { target: Box<[u8]> },
    /// Nothing: it is a name for a pipe, a socket or a device.
    Special(Kind),
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

impl Body {
    pub(super) fn file() -> Self {
        Body::File { bytes: Arc::default(), linkable: false }
    }

    pub(super) fn directory(above: Ino) -> Self {
        Body::Directory { above, entries: Entries::new() }
    }
}

/// What few worlds have is no part of it where it is not there: no world pays for what it leaves out.
impl Hash for Inode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Inode { mode, uid, gid, links, removed_by, lock, records, modified, body } = self;
        (mode, uid, gid, links, removed_by, lock, body).hash(state);
        if !records.is_empty() {
            records.hash(state);
        }
        if let Some(modified) = modified {
            modified.hash(state);
        }
    }
}

impl Inode {
    /// One that `user` makes, with one name.
    pub(super) fn new(user: &User, mode: Mode, body: Body) -> Self {
        let (uid, gid) = (user.uid, user.gid);
        let lock = Lock::Free;
        let records = Vec::new();
        Inode { mode, uid, gid, links: 1, removed_by: None, lock, records, modified: None, body }
    }

    pub(super) fn kind(&self) -> Kind {
        match self.body {
            Body::Directory { .. } => Kind::Directory,
            Body::File { .. } => Kind::File,
            Body::Symlink { .. } => Kind::Symlink,
            Body::Special(kind) => kind,
        }
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind() == Kind::Directory
    }

    pub(super) fn is_symlink(&self) -> bool {
        self.kind() == Kind::Symlink
    }

    /// Its mode, and whose it is.
    pub(super) fn owners(&self) -> (Mode, Uid, Gid) {
        (self.mode, self.uid, self.gid)
    }

    /// Whether only an owner may remove what is in it.
    pub(super) fn is_sticky(&self) -> bool {
        self.mode.contains(Mode::SVTX)
    }
}

impl Lock {
    /// The lock once an open file holding `held` of it let go; `None` if nobody holds that.
    pub(super) fn without(self, held: Held) -> Option<Self> {
        match (self, held) {
            (lock, Held::None) => Some(lock),
            (Lock::Shared(count), Held::Shared) => Some(match NonZeroU32::new(count.get() - 1) {
                Some(count) => Lock::Shared(count),
                None => Lock::Free,
            }),
            (Lock::Exclusive, Held::Exclusive) => Some(Lock::Free),
            (Lock::Free | Lock::Exclusive, Held::Shared)
            | (Lock::Free | Lock::Shared(_), Held::Exclusive) => None,
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
