//! First floor: the file system world as a pure value. Imports the
//! [`FileSystem`](crate::fs::FileSystem) trait and rustix's vocabulary, no system call.
//!
//! Modelled on Linux. Each operation names the kernel function whose order of checks it follows:
//! where several errors apply, that order decides which one is answered.

mod build;
mod bytes;
mod calls;
mod disk;
mod holding;
mod inode;
mod listing;
mod mistake;
mod names;
mod open;
mod owned;
mod owners;
mod permit;
mod rare;
mod records;
mod times;
mod walk;

use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::Arc;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use super::LinuxOpenFlags as _;
use disk::{Disk, Name};
use inode::{Body, Held, Ino, Inode};
use listing::Listing;
use rare::Rare;
use rustix::fs::{Access, AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use times::Now;
use walk::admissible;

use super::path::follows;
use super::{At, Kind, Status, User};
use crate::calls::mistaken;
use crate::held::note;

pub use build::SimInode;
pub use disk::{Profile, Survival};
pub use owned::{OWN, Owner};
pub use permit::{Format, Protections};
pub use times::Clock;

/// The inode of the directory the world is anchored at.
const ROOT: Ino = 0;
/// The bits of a mode that a call can set.
const MODE_BITS: Mode = Mode::from_bits_retain(0o7777);
/// The bits of a mode that a umask takes away.
const UMASK_BITS: Mode = Mode::from_bits_retain(0o777);
/// What `access` can ask for.
const ACCESS_BITS: Access = Access::READ_OK.union(Access::WRITE_OK).union(Access::EXEC_OK);
/// The bits of a mode that `mkdir` gives a directory: not set-user-ID, not set-group-ID.
const DIRECTORY_BITS: Mode = Mode::from_bits_retain(0o1777);

/// A simulated file system: a pure value with the kernel's answers.
///
/// Two worlds are equal if the same operations led to them in the same order, apart from operations
/// that changed nothing. Inodes are numbered in the order in which they are made. They are kept
/// after their last unlink: an open file may still read one, and the world does not know which
/// files are open. Cloning shares all inodes that do not change.
///
/// A symbolic link leads where it would in a process whose root directory is the anchor: an
/// absolute link starts there, and nothing is above the anchor. `flock` never waits: see
/// [`SimFs::flock`](#method.flock).
///
/// # What is simulated
///
/// All of this is compared with the kernel's answers, call by call, in random sequences
/// (`tests/conformance`).
///
/// | what | how far |
/// | --- | --- |
/// | names | directories, regular files, symbolic and hard links; pipes, sockets and devices as names alone; files without a name; what is removed while it is open |
/// | paths | dots, slashes, names of 255 and paths of 4,095 bytes, 40 links a walk |
/// | who | users with their groups, root; a umask; permissions, sticky, set-user-ID and set-group-ID bits |
/// | `open` | `O_CREAT`, `O_EXCL`, `O_TRUNC`, `O_APPEND`, `O_DIRECTORY`, `O_NOFOLLOW`, `O_PATH`, `O_TMPFILE`, all access modes, in every combination; `O_CLOEXEC`, `O_NOCTTY`, `O_NONBLOCK`, `O_DSYNC` and `O_SYNC` change nothing here |
/// | limits of `openat2` | `RESOLVE_BENEATH`, `_IN_ROOT`, `_NO_SYMLINKS`, `_NO_MAGICLINKS`, `_NO_XDEV`, in every combination |
/// | `rename` | `RENAME_NOREPLACE`, `RENAME_EXCHANGE` |
/// | `stat`, `access`, `chmod`, `chown` | `AT_SYMLINK_NOFOLLOW` |
/// | `link` | `AT_SYMLINK_FOLLOW`; an open file, too |
/// | bytes | `read`, `write`, `pread`, `pwrite`, `lseek`, `ftruncate`; holes read as zeros; files of up to 16 MiB |
/// | `getdents` | all names at once or a few a call, in order; every answer that is possible about names made or removed meanwhile |
/// | `utimensat` | the time of the last modification, by a [`Clock`] that a world has if it asks for it |
/// | `flock` | shared, exclusive, conversions that lose the lock |
/// | `fcntl` | record locks of open files (`F_OFD_SETLK`), on any bytes |
/// | settings | the kernel's [`Protections`], the file system's [`Format`], short writes |
///
/// # What is refused
///
/// Every other flag, limit and mode of `access` is answered `EINVAL`, by [`OsFs`](super::OsFs) too:
/// `O_DIRECT`, `O_NOATIME`, `O_ASYNC`, `RESOLVE_CACHED`, `RENAME_WHITEOUT`, `AT_EMPTY_PATH`,
/// `SEEK_DATA`, a position in a directory other than its beginning. A simulated file that would
/// grow beyond 16 MiB is answered `EFBIG`. In a [check](crate::check) each of these answers is a
/// [mistake](crate::calls::mistaken) of the model.
///
/// # What is not simulated
///
/// Capabilities, access control lists and attributes; times of access and of status change; limits
/// to space, links, open files or locks; mounts; the data in pipes; record locks of processes
/// (`F_SETLK`).
///
/// # What is on disk
///
/// All of it, unless the world has [a disk](SimFs::with_disk) that can lose power. Then a change is
/// pending until an `fsync` makes it permanent, by one of several [`Profile`]s. They are compared
/// with published models, and not with a kernel, call by call.
#[derive(Clone, PartialEq, Eq)]
pub struct SimFs {
    inodes: Vec<Arc<Inode>>,
    /// Who makes the calls.
    user: User,
    protections: Protections,
    format: Format,
    /// How many bytes one `write` takes at most, if not all.
    write_limit: Option<NonZeroUsize>,
    listing: Listing,
    /// Absent unless the world asks for it: what happened when makes worlds many.
    clock: Option<Now>,
    /// Likewise: what is not yet on disk makes worlds many.
    disk: Option<Arc<Disk>>,
    /// How many programs have ended, of those that another one waits for.
    ended: u32,
}

/// An open file of a [`SimFs`]: a value of the process that holds it.
///
/// It belongs to the world that opened it and to that world's descendants. Dropping it does not
/// release its lock, unlike in the kernel; [`close`](super::FileSystem::close) releases it. So a
/// step that drops an open file that holds a lock is a [mistake](crate::calls::mistaken) of the
/// model (its code is `flock`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimFile {
    inode: Ino,
    /// Access mode, `O_APPEND` and `O_PATH`, which are all that matters once it is open.
    flags: OFlags,
    offset: u64,
    lock: Held,
    rare: Rare,
}

/// As of an inode: no world pays for what it leaves out.
impl Hash for SimFs {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let SimFs { inodes, user, protections, format, write_limit, listing, clock, disk, ended } =
            self;
        (inodes, user, protections, format, write_limit).hash(state);
        if *listing != Listing::default() {
            listing.hash(state);
        }
        if let Some(clock) = clock {
            clock.hash(state);
        }
        if let Some(disk) = disk {
            disk.hash(state);
        }
        if *ended > 0 {
            ended.hash(state);
        }
    }
}

/// Likewise.
impl Hash for SimFile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        note(|| self.holding());
        let SimFile { inode, flags, offset, lock, rare } = self;
        (inode, flags, offset, lock).hash(state);
        if !rare.is_nothing() {
            rare.hash(state);
        }
    }
}

impl Default for SimFs {
    fn default() -> Self {
        Self::new()
    }
}

impl SimFs {
    /// Counts the end of a program that another one waits for. It is no call.
    pub(crate) fn program_ends(&mut self) {
        self.ended += 1;
    }

    /// How many have been counted.
    pub(crate) fn ended_programs(&self) -> u32 {
        self.ended
    }

    /// An inode to change, apart from the worlds that share it.
    fn inode_mut(&mut self, inode: Ino) -> Result<&mut Inode, Errno> {
        self.inodes.get_mut(inode as usize).map(Arc::make_mut).ok_or(Errno::BADF)
    }

    /// Adds an inode.
    fn add(&mut self, inode: Inode) -> Result<Ino, Errno> {
        let number = Ino::try_from(self.inodes.len()).map_err(|_| Errno::NOSPC)?;
        let inode = Arc::new(inode);
        self.note_made(&inode);
        self.inodes.push(inode);
        Ok(number)
    }

    /// Adds an inode of the caller's and enters it as `name` in `directory`.
    fn create(
        &mut self,
        directory: Ino,
        name: &[u8],
        mode: Mode,
        body: Body,
    ) -> Result<Ino, Errno> {
        let inode = self.made_in(directory, mode, body)?;
        let number = self.add(inode)?;
        self.enter(directory, name, Some(number))?;
        self.modified(&[directory, number])?;
        Ok(number)
    }

    /// `vfs_prepare_mode`, `inode_init_owner`: an inode of the caller's. In a set-group-ID directory
    /// it belongs to the directory's group, whose set-group-ID program only its members make; that
    /// is seen before the umask is applied.
    fn made_in(&self, directory: Ino, mode: Mode, body: Body) -> Result<Inode, Errno> {
        let mut inode = Inode::new(&self.user, mode, body);
        let directory = self.inode(directory)?;
        if directory.mode.contains(Mode::SGID) {
            inode.gid = directory.gid;
            if inode.is_directory() {
                inode.mode |= Mode::SGID;
            } else if inode.mode.contains(Mode::SGID | Mode::XGRP) {
                inode.mode = self.changed_mode(&inode, inode.mode);
            }
        }
        if !inode.is_symlink() {
            inode.mode = inode.mode.difference(self.user.umask & UMASK_BITS);
        }
        Ok(inode)
    }

    /// Makes `name` in `directory` stand for `inode`, or for nothing.
    fn enter(&mut self, directory: Ino, name: &[u8], inode: Option<Ino>) -> Result<(), Errno> {
        self.enter_all([(directory, name, inode)])
    }

    /// The same of several names, all at once.
    fn enter_all<const N: usize>(
        &mut self,
        names: [(Ino, &[u8], Option<Ino>); N],
    ) -> Result<(), Errno> {
        let mut before = [None; N];
        for ((directory, name, inode), before) in names.into_iter().zip(&mut before) {
            let Body::Directory { entries, .. } = &mut self.inode_mut(directory)?.body else {
                return Err(Errno::NOTDIR);
            };
            *before = match inode {
                Some(inode) => entries.insert(name.into(), inode),
                None => entries.remove(name),
            };
        }
        self.note_names(|| {
            let noted = names.into_iter().zip(before).map(|((directory, name, after), before)| {
                Name { directory, name: name.into(), before, after }
            });
            noted.collect()
        });
        Ok(())
    }

    /// Counts one name less of an inode.
    fn drop_link(&mut self, inode: Ino) -> Result<(), Errno> {
        let who = self.user.uid;
        let inode = self.inode_mut(inode)?;
        inode.links = inode.links.saturating_sub(1);
        if inode.links == 0 {
            inode.removed_by = Some(who);
        }
        Ok(())
    }

    fn status(&self, number: Ino) -> Result<Status, Errno> {
        let inode = self.inode(number)?;
        let size = match &inode.body {
            Body::File { bytes, .. } => bytes.len(),
            Body::Symlink { target } => target.len(),
            Body::Directory { .. } | Body::Special(_) => 0,
        };
        Ok(Status {
            kind: inode.kind(),
            mode: inode.mode,
            uid: inode.uid,
            gid: inode.gid,
            links: if inode.is_directory() { 1 } else { u64::from(inode.links) },
            size: size as u64,
            modified: inode.modified,
            device: 0,
            inode: u64::from(number),
        })
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        if self.lock != Held::None {
            let what =
                "an open file that holds a lock is dropped: close it, which releases the lock";
            mistaken("flock", format_args!("{what}"));
        } else if !self.rare.records().is_empty() {
            let what =
                "an open file that holds record locks is dropped: close it, which releases them";
            mistaken("fcntl", format_args!("{what}"));
        }
    }
}

impl SimFile {
    /// Ends it where the machine has lost power, and its locks with it.
    pub(crate) fn vanish(mut self) {
        self.lock = Held::None;
        self.rare.set_records(Vec::new());
    }

    /// Opened with `O_PATH`: good for being a directory to start from, and for `fstat`.
    fn is_path(&self) -> bool {
        self.flags.contains(OFlags::PATH)
    }

    /// The access mode 3 is neither: such a file is good for `fsync` and `close` only.
    fn readable(&self) -> bool {
        !self.is_path() && matches!(self.flags & OFlags::RWMODE, OFlags::RDONLY | OFlags::RDWR)
    }

    fn writable(&self) -> bool {
        !self.is_path() && matches!(self.flags & OFlags::RWMODE, OFlags::WRONLY | OFlags::RDWR)
    }
}

// The calls as such, which nobody is told of. Those about names are in `names` and `open`,
// those about bytes in `bytes`, those about modes and owners in `owners`.
impl SimFs {
    fn stat_at(&self, at: At<'_, SimFile>, flags: AtFlags) -> Result<Status, Errno> {
        let follow = follows(flags)?;
        admissible([at.path])?;
        self.status(self.find(at, follow)?)
    }

    fn access_at(&self, at: At<'_, SimFile>, access: Access, flags: AtFlags) -> Result<(), Errno> {
        let follow = follows(flags)?;
        admissible([at.path])?;
        if !ACCESS_BITS.contains(access) {
            return Err(Errno::INVAL);
        }
        let inode = self.inode(self.find(at, follow)?)?;
        // A link has all permissions, whoever asks.
        if inode.is_symlink() { Ok(()) } else { self.permits(inode, access) }
    }

    fn lock(&mut self, file: &mut SimFile, operation: FlockOperation) -> Result<(), Errno> {
        let wanted = Held::from(operation);
        if file.is_path() {
            return Err(Errno::BADF);
        }
        if wanted != Held::None && !file.readable() && !file.writable() {
            return Err(Errno::BADF);
        }
        if wanted == file.lock {
            return Ok(());
        }
        self.let_go(file)?;
        let lock = &mut self.inode_mut(file.inode)?.lock;
        *lock = lock.with(wanted)?;
        file.lock = wanted;
        Ok(())
    }

    /// Lets go of the lock that an open file holds. `EBADF` where nobody holds it any more: the file is
    /// a copy of one that let go.
    fn let_go(&mut self, file: &mut SimFile) -> Result<(), Errno> {
        if file.lock == Held::None {
            return Ok(());
        }
        let held = std::mem::replace(&mut file.lock, Held::None);
        let lock = &mut self.inode_mut(file.inode)?.lock;
        *lock = lock.without(held).ok_or(Errno::BADF)?;
        Ok(())
    }
}

impl SimInode<'_> {
    /// Whether the inode is a directory, a regular file, a link or something else.
    pub fn kind(&self) -> Kind {
        self.inode.kind()
    }
}
