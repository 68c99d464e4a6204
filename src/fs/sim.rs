//! First floor: the file system world as a pure value. Imports the [`FileSystem`] trait and rustix's
//! vocabulary, no system call.
//!
//! Modelled on Linux: each operation names the function of the kernel whose order of checks it
//! follows, since that order decides which error is answered where several apply.

mod build;
mod inode;
mod names;
mod open;
mod permit;
mod walk;

use std::num::NonZeroUsize;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use super::LinuxOpenFlags as _;
use super::ResolveFlags;
use inode::{Body, Held, Ino, Inode};
use rustix::fs::{Access, AtFlags, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use walk::admissible;

use super::path::follows;
use super::{At, FileSystem, Kind, Status, User, Users};

pub use build::SimInode;
pub use permit::Protections;

/// The inode of the directory the world is anchored at.
const ROOT: Ino = 0;
/// The bits of a mode that a call can set.
const MODE_BITS: Mode = Mode::from_bits_retain(0o7777);
/// The bits of a mode that `mkdir` gives a directory: not set-user-ID, not set-group-ID.
const DIRECTORY_BITS: Mode = Mode::from_bits_retain(0o1777);

/// A simulated file system: a pure value with the kernel's answers.
///
/// Two worlds are equal if the same operations led to them in the same order, give or take those
/// that changed nothing. Inodes are numbered as they are made and are kept after their last
/// unlink: an open file may still read them, and the world does not know who has what open.
/// Cloning shares all inodes that do not change.
///
/// What is simulated: directories, regular files, symbolic and hard links; users, permissions, the
/// sticky bit, the umask, and the kernel's [`Protections`]; `flock`; short writes. What is not:
/// supplementary groups and access control lists, timestamps, limits to space, links or locks,
/// mounts, and `fsync` has nothing to do. Symbolic links lead where they would in a process whose
/// root directory is the anchor: an absolute one starts there, and nothing is above it.
///
/// `flock` never waits: see [`SimFs::flock`](#method.flock).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SimFs {
    inodes: Vec<Arc<Inode>>,
    /// Who makes the calls.
    user: User,
    protections: Protections,
    /// How many bytes one `write` takes at most, if not all.
    write_limit: Option<NonZeroUsize>,
}

/// An open file of a [`SimFs`]: a value of the process that holds it.
///
/// It belongs to the world that opened it and to that world's descendants. Dropping it leaves its
/// lock behind; [`close`](FileSystem::close) does not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SimFile {
    inode: Ino,
    /// Access mode, `O_APPEND` and `O_PATH`, which are all that matters once it is open.
    flags: OFlags,
    offset: u64,
    lock: Held,
}

impl Default for SimFs {
    fn default() -> Self {
        Self::new()
    }
}

impl SimFs {
    /// An inode to change, apart from the worlds that share it.
    fn inode_mut(&mut self, inode: Ino) -> Result<&mut Inode, Errno> {
        self.inodes.get_mut(inode as usize).map(Arc::make_mut).ok_or(Errno::BADF)
    }

    /// Adds an inode.
    fn add(&mut self, inode: Inode) -> Result<Ino, Errno> {
        let number = Ino::try_from(self.inodes.len()).map_err(|_| Errno::NOSPC)?;
        self.inodes.push(Arc::new(inode));
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
            inode.mode = inode.mode.difference(self.user.umask);
        }
        Ok(inode)
    }

    /// Makes `name` in `directory` stand for `inode`, or for nothing.
    fn enter(&mut self, directory: Ino, name: &[u8], inode: Option<Ino>) -> Result<(), Errno> {
        let Body::Directory { entries, .. } = &mut self.inode_mut(directory)?.body else {
            return Err(Errno::NOTDIR);
        };
        match inode {
            Some(inode) => entries.insert(name.into(), inode),
            None => entries.remove(name),
        };
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
            Body::Directory { .. } => 0,
        };
        Ok(Status {
            kind: inode.kind(),
            mode: inode.mode,
            uid: inode.uid,
            gid: inode.gid,
            links: if inode.is_directory() { 1 } else { u64::from(inode.links) },
            size: size as u64,
            device: 0,
            inode: u64::from(number),
        })
    }

    /// `chmod_common`, `setattr_prepare`.
    fn change_mode(&mut self, number: Ino, mode: Mode) -> Result<(), Errno> {
        let inode = self.inode(number)?;
        if !self.owns(inode) {
            return Err(Errno::PERM);
        }
        let mode = self.changed_mode(inode, mode & MODE_BITS);
        self.inode_mut(number)?.mode = mode;
        Ok(())
    }
}

impl SimFile {
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

impl Users for SimFs {
    fn act_as(&mut self, user: User) -> Result<User, Errno> {
        Ok(std::mem::replace(&mut self.user, user))
    }
}

impl FileSystem for SimFs {
    type File = SimFile;

    /// `build_open_how`: what `O_PATH` does not speak of is left out, a mode that nothing asks for
    /// too.
    fn open<'p>(
        &mut self,
        at: impl Into<At<'p, SimFile>>,
        flags: OFlags,
        mode: Mode,
    ) -> Result<SimFile, Errno> {
        self.open_at(at.into(), flags, mode)
    }

    fn open_within<'p>(
        &mut self,
        at: impl Into<At<'p, SimFile>>,
        flags: OFlags,
        mode: Mode,
        resolve: ResolveFlags,
    ) -> Result<SimFile, Errno> {
        self.open_at_within(at.into(), flags, mode, resolve)
    }

    fn read(&mut self, file: &mut SimFile, buffer: &mut [u8]) -> Result<usize, Errno> {
        if !file.readable() {
            return Err(Errno::BADF);
        }
        let bytes = match &self.inode(file.inode)?.body {
            Body::File { bytes, .. } => bytes,
            Body::Directory { .. } => return Err(Errno::ISDIR),
            Body::Symlink { .. } => return Err(Errno::BADF),
        };
        let start = usize::try_from(file.offset).unwrap_or(usize::MAX).min(bytes.len());
        let count = buffer.len().min(bytes.len() - start);
        buffer[..count].copy_from_slice(&bytes[start..start + count]);
        file.offset += count as u64;
        Ok(count)
    }

    /// Takes all of `bytes`, or as many as a [short write](SimFs::with_short_writes) does. A hole
    /// between the file's end and the offset reads as zeros.
    fn write(&mut self, file: &mut SimFile, bytes: &[u8]) -> Result<usize, Errno> {
        if !file.writable() {
            return Err(Errno::BADF);
        }
        let limit = self.write_limit.map_or(usize::MAX, NonZeroUsize::get);
        let bytes = &bytes[..bytes.len().min(limit)];
        let appends = file.flags.contains(OFlags::APPEND);
        let mode = self.written_mode(self.inode(file.inode)?);
        let inode = self.inode_mut(file.inode)?;
        let Body::File { bytes: content, .. } = &mut inode.body else {
            return Err(Errno::BADF);
        };
        if bytes.is_empty() {
            return Ok(0);
        }
        let start = match usize::try_from(file.offset) {
            _ if appends => content.len(),
            Ok(offset) => offset,
            Err(_) => return Err(Errno::FBIG),
        };
        let end = start.checked_add(bytes.len()).ok_or(Errno::FBIG)?;
        let mut written = content.to_vec();
        written.resize(content.len().max(end), 0);
        written[start..end].copy_from_slice(bytes);
        *content = written.into();
        inode.mode = mode;
        file.offset = end as u64;
        Ok(bytes.len())
    }

    fn fsync(&mut self, file: &mut SimFile) -> Result<(), Errno> {
        if file.is_path() { Err(Errno::BADF) } else { Ok(()) }
    }

    fn stat<'p>(
        &mut self,
        at: impl Into<At<'p, SimFile>>,
        flags: AtFlags,
    ) -> Result<Status, Errno> {
        let (at, follow) = (at.into(), follows(flags)?);
        admissible([at.path])?;
        self.status(self.find(at, follow)?)
    }

    fn fstat(&mut self, file: &mut SimFile) -> Result<Status, Errno> {
        self.status(file.inode)
    }

    fn access<'p>(
        &mut self,
        at: impl Into<At<'p, SimFile>>,
        access: Access,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let (at, follow) = (at.into(), follows(flags)?);
        admissible([at.path])?;
        let inode = self.inode(self.find(at, follow)?)?;
        // A link has all permissions, whoever asks.
        if inode.is_symlink() { Ok(()) } else { self.permits(inode, access) }
    }

    fn chmod<'p>(&mut self, at: impl Into<At<'p, SimFile>>, mode: Mode) -> Result<(), Errno> {
        let at = at.into();
        admissible([at.path])?;
        self.change_mode(self.find(at, true)?, mode)
    }

    fn fchmod(&mut self, file: &mut SimFile, mode: Mode) -> Result<(), Errno> {
        if file.is_path() {
            return Err(Errno::BADF);
        }
        self.change_mode(file.inode, mode)
    }

    fn unlink<'p>(&mut self, at: impl Into<At<'p, SimFile>>) -> Result<(), Errno> {
        self.unlink_at(at.into())
    }

    fn rename<'p>(
        &mut self,
        from: impl Into<At<'p, SimFile>>,
        to: impl Into<At<'p, SimFile>>,
    ) -> Result<(), Errno> {
        self.rename_at(from.into(), to.into(), RenameFlags::empty())
    }

    fn rename_with<'p>(
        &mut self,
        from: impl Into<At<'p, SimFile>>,
        to: impl Into<At<'p, SimFile>>,
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        self.rename_at(from.into(), to.into(), flags)
    }

    fn link<'p>(
        &mut self,
        from: impl Into<At<'p, SimFile>>,
        to: impl Into<At<'p, SimFile>>,
    ) -> Result<(), Errno> {
        let (from, to) = (from.into(), to.into());
        admissible([from.path, to.path])?;
        let source = self.find(from, false)?;
        self.link_inode(source, to)
    }

    fn link_file<'p>(
        &mut self,
        file: &mut SimFile,
        to: impl Into<At<'p, SimFile>>,
    ) -> Result<(), Errno> {
        let to = to.into();
        admissible([to.path])?;
        self.link_inode(file.inode, to)
    }

    fn symlink<'p>(&mut self, target: &Path, at: impl Into<At<'p, SimFile>>) -> Result<(), Errno> {
        self.symlink_at(target.as_os_str().as_bytes(), at.into())
    }

    fn readlink<'p>(&mut self, at: impl Into<At<'p, SimFile>>) -> Result<PathBuf, Errno> {
        let at = at.into();
        admissible([at.path])?;
        match &self.inode(self.find(at, false)?)?.body {
            Body::Symlink { target } => Ok(std::ffi::OsString::from_vec(target.to_vec()).into()),
            Body::Directory { .. } | Body::File { .. } => Err(Errno::INVAL),
        }
    }

    fn mkdir<'p>(&mut self, at: impl Into<At<'p, SimFile>>, mode: Mode) -> Result<(), Errno> {
        self.mkdir_at(at.into(), mode)
    }

    fn rmdir<'p>(&mut self, at: impl Into<At<'p, SimFile>>) -> Result<(), Errno> {
        self.rmdir_at(at.into())
    }

    /// `flock_lock_inode`. Where the kernel would wait this answers `EWOULDBLOCK`, for blocking and
    /// non-blocking operations alike.
    ///
    /// A conversion (a lock taken by an open file that holds the other kind) lets the old lock go
    /// before it asks for the new one, so one that is answered `EWOULDBLOCK` has changed the world:
    /// the old lock is lost. A second attempt then is no conversion any more.
    fn flock(&mut self, file: &mut SimFile, operation: FlockOperation) -> Result<(), Errno> {
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
        let held = std::mem::replace(&mut file.lock, Held::None);
        let lock = &mut self.inode_mut(file.inode)?.lock;
        *lock = lock.without(held);
        *lock = lock.with(wanted)?;
        file.lock = wanted;
        Ok(())
    }

    fn close(&mut self, mut file: SimFile) {
        if file.lock != Held::None {
            // Letting go never fails: the inode is there as long as the world is the file's own.
            let _ = self.flock(&mut file, FlockOperation::Unlock);
        }
    }
}

impl SimInode<'_> {
    /// Whether it is a directory, a file or a link.
    pub fn kind(&self) -> Kind {
        self.inode.kind()
    }
}
