//! First floor: the file system world as a pure value. Imports the [`FileSystem`] trait and rustix's
//! vocabulary, no system call.
//!
//! Modelled on Linux: each operation names the function of the kernel whose order of checks it
//! follows, since that order decides which error is answered where several apply.

mod build;
mod inode;
mod walk;

use std::path::Path;
use std::sync::Arc;

use inode::{Body, Held, Ino, Inode};
use rustix::fs::{FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use walk::{Last, admissible};

use super::FileSystem;
use super::path::understood;

/// The inode of the directory the world is anchored at.
const ROOT: Ino = 0;
/// The bits of a mode that `open` gives a file.
const FILE_BITS: Mode = Mode::from_bits_retain(0o7777);
/// The bits of a mode that `mkdir` gives a directory: not set-user-ID, not set-group-ID.
const DIRECTORY_BITS: Mode = Mode::from_bits_retain(0o1777);

/// A simulated file system: a pure value with the kernel's answers.
///
/// Two worlds are equal if the same operations led to them in the same order, give or take those
/// that changed nothing. Inodes are numbered as they are made and are kept after their last
/// unlink: an open file may still read them, and the world does not know who has what open.
/// Cloning shares all inodes that do not change.
///
/// What is simulated: directories, regular files, hard links, modes and the umask, `flock`. What
/// is not: everything is done by one user who may do everything (so modes are kept, never checked,
/// and writing leaves set-user-ID alone), there are no symbolic links, no timestamps, no limit to
/// space, links or locks, and `fsync` has nothing to do.
///
/// `flock` never waits: see [`SimFs::flock`](#method.flock).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SimFs {
    inodes: Vec<Arc<Inode>>,
    umask: Mode,
}

/// An open file of a [`SimFs`]: a value of the process that holds it.
///
/// It belongs to the world that opened it and to that world's descendants. Dropping it leaves its
/// lock behind; [`close`](FileSystem::close) does not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SimFile {
    inode: Ino,
    /// Access mode and `O_APPEND`, which are all that matters once it is open.
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
    /// An empty directory of mode 0700, with umask 022.
    pub fn new() -> Self {
        let root = Inode::directory(Mode::RWXU);
        SimFs { inodes: vec![Arc::new(root)], umask: Mode::from_bits_retain(0o022) }
    }

    /// The same world with another umask.
    pub fn with_umask(self, umask: Mode) -> Self {
        SimFs { umask, ..self }
    }

    /// An inode to change, apart from the worlds that share it.
    fn inode_mut(&mut self, inode: Ino) -> Result<&mut Inode, Errno> {
        self.inodes.get_mut(inode as usize).map(Arc::make_mut).ok_or(Errno::BADF)
    }

    /// Adds an inode and enters it as `name` in `directory`.
    fn create(&mut self, directory: Ino, name: &[u8], inode: Inode) -> Result<Ino, Errno> {
        let number = Ino::try_from(self.inodes.len()).map_err(|_| Errno::NOSPC)?;
        self.inodes.push(Arc::new(inode));
        self.enter(directory, name, Some(number))?;
        Ok(number)
    }

    /// Makes `name` in `directory` stand for `inode`, or for nothing.
    fn enter(&mut self, directory: Ino, name: &[u8], inode: Option<Ino>) -> Result<(), Errno> {
        let Body::Directory(entries) = &mut self.inode_mut(directory)?.body else {
            return Err(Errno::NOTDIR);
        };
        match inode {
            Some(inode) => entries.insert(name.into(), inode),
            None => entries.remove(name),
        };
        Ok(())
    }

    /// Counts one name more (or less) of a file.
    fn count(&mut self, inode: Ino, change: impl FnOnce(u32) -> u32) -> Result<(), Errno> {
        match &mut self.inode_mut(inode)?.body {
            Body::File { links, .. } => *links = change(*links),
            Body::Directory(_) => {}
        }
        Ok(())
    }

    /// `do_open`: whether the existing `inode` may be opened so, and its truncation.
    fn open_existing(&mut self, inode: Ino, flags: OFlags, slash: bool) -> Result<(), Errno> {
        let is_directory = self.inode(inode)?.is_directory();
        if flags.contains(OFlags::CREATE) {
            if flags.contains(OFlags::EXCL) {
                return Err(Errno::EXIST);
            }
            if is_directory {
                return Err(Errno::ISDIR);
            }
        }
        if !is_directory && (slash || flags.contains(OFlags::DIRECTORY)) {
            return Err(Errno::NOTDIR);
        }
        if is_directory && (flags.intersects(OFlags::RWMODE | OFlags::TRUNC)) {
            return Err(Errno::ISDIR);
        }
        if flags.contains(OFlags::TRUNC)
            && let Body::File { bytes, .. } = &mut self.inode_mut(inode)?.body
        {
            *bytes = Arc::default();
        }
        Ok(())
    }

    /// `vfs_rename`: whether what is at `target` may be replaced by `source`.
    fn may_replace(&self, source: Ino, target: Ino) -> Result<(), Errno> {
        match (&self.inode(source)?.body, &self.inode(target)?.body) {
            (Body::Directory(_), Body::File { .. }) => Err(Errno::NOTDIR),
            (Body::File { .. }, Body::Directory(_)) => Err(Errno::ISDIR),
            (Body::Directory(_), Body::Directory(entries)) if !entries.is_empty() => {
                Err(Errno::NOTEMPTY)
            }
            (Body::Directory(_), Body::Directory(_)) | (Body::File { .. }, Body::File { .. }) => {
                Ok(())
            }
        }
    }
}

impl SimFile {
    /// The access mode 3 is neither: such a file is good for `fsync` and `close` only.
    fn readable(&self) -> bool {
        matches!(self.flags & OFlags::RWMODE, OFlags::RDONLY | OFlags::RDWR)
    }

    fn writable(&self) -> bool {
        matches!(self.flags & OFlags::RWMODE, OFlags::WRONLY | OFlags::RDWR)
    }
}

impl FileSystem for SimFs {
    type File = SimFile;

    /// `build_open_flags`, `open_last_lookups`, `do_open`. `O_CREAT` with `O_DIRECTORY` is answered
    /// `EINVAL`, as Linux does since 6.4. `O_TRUNC` truncates whatever the access mode.
    fn open(&mut self, path: &Path, flags: OFlags, mode: Mode) -> Result<SimFile, Errno> {
        understood(flags)?;
        admissible([path])?;
        if flags.contains(OFlags::CREATE | OFlags::DIRECTORY) {
            return Err(Errno::INVAL);
        }
        let place = self.parent(path)?;
        let directory = place.directory();
        let inode = match place.last {
            Last::Dot => Ok(directory),
            Last::DotDot => Ok(place.above()),
            Last::Name(_) if place.slash && flags.contains(OFlags::CREATE) => {
                return Err(Errno::ISDIR);
            }
            Last::Name(name) => self.lookup(directory, name)?.ok_or(name),
        };
        let inode = match inode {
            Ok(inode) => {
                self.open_existing(inode, flags, place.slash)?;
                inode
            }
            Err(name) if flags.contains(OFlags::CREATE) => {
                let mode = (mode & FILE_BITS).difference(self.umask);
                self.create(directory, name, Inode::file(mode))?
            }
            Err(_) => return Err(Errno::NOENT),
        };
        let flags = flags & (OFlags::RWMODE | OFlags::APPEND);
        Ok(SimFile { inode, flags, offset: 0, lock: Held::None })
    }

    fn read(&mut self, file: &mut SimFile, buffer: &mut [u8]) -> Result<usize, Errno> {
        if !file.readable() {
            return Err(Errno::BADF);
        }
        let Body::File { bytes, .. } = &self.inode(file.inode)?.body else {
            return Err(Errno::ISDIR);
        };
        let start = usize::try_from(file.offset).unwrap_or(usize::MAX).min(bytes.len());
        let count = buffer.len().min(bytes.len() - start);
        buffer[..count].copy_from_slice(&bytes[start..start + count]);
        file.offset += count as u64;
        Ok(count)
    }

    /// Takes all of `bytes`. A hole between the file's end and the offset reads as zeros.
    fn write(&mut self, file: &mut SimFile, bytes: &[u8]) -> Result<usize, Errno> {
        if !file.writable() {
            return Err(Errno::BADF);
        }
        let appends = file.flags.contains(OFlags::APPEND);
        let Body::File { bytes: content, .. } = &mut self.inode_mut(file.inode)?.body else {
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
        let end = start + bytes.len();
        let mut written = content.to_vec();
        written.resize(content.len().max(end), 0);
        written[start..end].copy_from_slice(bytes);
        *content = written.into();
        file.offset = end as u64;
        Ok(bytes.len())
    }

    fn fsync(&mut self, _file: &mut SimFile) -> Result<(), Errno> {
        Ok(())
    }

    /// `do_unlinkat`.
    fn unlink(&mut self, path: &Path) -> Result<(), Errno> {
        admissible([path])?;
        let place = self.parent(path)?;
        let Last::Name(name) = place.last else {
            return Err(Errno::ISDIR);
        };
        let inode = self.lookup(place.directory(), name)?.ok_or(Errno::NOENT)?;
        if self.inode(inode)?.is_directory() {
            return Err(Errno::ISDIR);
        }
        if place.slash {
            return Err(Errno::NOTDIR);
        }
        self.enter(place.directory(), name, None)?;
        self.count(inode, |links| links - 1)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> Result<(), Errno> {
        self.rename_with(from, to, RenameFlags::empty())
    }

    /// `do_renameat2`, `vfs_rename`.
    fn rename_with(&mut self, from: &Path, to: &Path, flags: RenameFlags) -> Result<(), Errno> {
        if !flags.difference(RenameFlags::NOREPLACE).is_empty() {
            return Err(Errno::INVAL);
        }
        let replace = flags.is_empty();
        admissible([from, to])?;
        let (old, new) = (self.parent(from)?, self.parent(to)?);
        let Last::Name(old_name) = old.last else {
            return Err(Errno::BUSY);
        };
        let Last::Name(new_name) = new.last else {
            return Err(if replace { Errno::BUSY } else { Errno::EXIST });
        };
        let source = self.lookup(old.directory(), old_name)?.ok_or(Errno::NOENT)?;
        let target = self.lookup(new.directory(), new_name)?;
        if target.is_some() && !replace {
            return Err(Errno::EXIST);
        }
        if !self.inode(source)?.is_directory() && (old.slash || new.slash) {
            return Err(Errno::NOTDIR);
        }
        if new.is_below(source) {
            return Err(Errno::INVAL);
        }
        if let Some(target) = target {
            if old.is_below(target) {
                return Err(Errno::NOTEMPTY);
            }
            if source == target {
                return Ok(());
            }
            self.may_replace(source, target)?;
            self.count(target, |links| links - 1)?;
        }
        self.enter(old.directory(), old_name, None)?;
        self.enter(new.directory(), new_name, Some(source))
    }

    /// `do_linkat`, `vfs_link`.
    fn link(&mut self, from: &Path, to: &Path) -> Result<(), Errno> {
        admissible([from, to])?;
        let source = self.find(from)?;
        let new = self.parent(to)?;
        let Last::Name(name) = new.last else {
            return Err(Errno::EXIST);
        };
        if self.lookup(new.directory(), name)?.is_some() {
            return Err(Errno::EXIST);
        }
        if new.slash {
            return Err(Errno::NOENT);
        }
        if self.inode(source)?.is_directory() {
            return Err(Errno::PERM);
        }
        self.enter(new.directory(), name, Some(source))?;
        self.count(source, |links| links + 1)
    }

    /// `do_mkdirat`.
    fn mkdir(&mut self, path: &Path, mode: Mode) -> Result<(), Errno> {
        admissible([path])?;
        let place = self.parent(path)?;
        let Last::Name(name) = place.last else {
            return Err(Errno::EXIST);
        };
        if self.lookup(place.directory(), name)?.is_some() {
            return Err(Errno::EXIST);
        }
        let mode = (mode & DIRECTORY_BITS).difference(self.umask);
        self.create(place.directory(), name, Inode::directory(mode)).map(drop)
    }

    /// `do_rmdir`.
    fn rmdir(&mut self, path: &Path) -> Result<(), Errno> {
        admissible([path])?;
        let place = self.parent(path)?;
        let name = match place.last {
            Last::Dot => return Err(Errno::INVAL),
            Last::DotDot => return Err(Errno::NOTEMPTY),
            Last::Name(name) => name,
        };
        let inode = self.lookup(place.directory(), name)?.ok_or(Errno::NOENT)?;
        if !self.entries(inode)?.is_empty() {
            return Err(Errno::NOTEMPTY);
        }
        self.enter(place.directory(), name, None)
    }

    fn access(&mut self, path: &Path) -> Result<(), Errno> {
        admissible([path])?;
        self.find(path).map(drop)
    }

    /// `flock_lock_inode`. Where the kernel would wait this answers `EWOULDBLOCK`, for blocking and
    /// non-blocking operations alike.
    ///
    /// A conversion (a lock taken by an open file that holds the other kind) lets the old lock go
    /// before it asks for the new one, so one that is answered `EWOULDBLOCK` has changed the world:
    /// the old lock is lost. A second attempt then is no conversion any more.
    fn flock(&mut self, file: &mut SimFile, operation: FlockOperation) -> Result<(), Errno> {
        let wanted = Held::from(operation);
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
