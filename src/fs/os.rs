//! First floor: the file system world of the kernel. Imports the [`FileSystem`] trait, [`Tree`] and
//! rustix.

use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{
    self, Access, AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RawMode, RenameFlags, Stat,
};
use rustix::io::{self, Errno};

use super::path::{confined, understood};
use super::{FileSystem, Node, Tree};

/// The kernel's file system, anchored at a directory.
///
/// The directory is held open: renaming it or changing the working directory moves nothing. A
/// shared reference is a world (as `&File` is a `Read`), so threads share one:
///
/// ```
/// # fn main() -> Result<(), toctou::fs::Errno> {
/// use std::path::Path;
/// use toctou::fs::{FileSystem, Mode, OFlags, OsFs};
///
/// # let folder = tempfile::tempdir().map_err(|_| toctou::fs::Errno::IO)?;
/// let world = OsFs::open(folder.path())?;
/// let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
/// (&world).open(Path::new("claim"), flags, Mode::from_raw_mode(0o600))?;
/// # Ok(())
/// # }
/// ```
///
/// `O_CLOEXEC` is always added, and a call that a signal interrupted (`EINTR`) is made again.
/// Paths and flags that [`FileSystem`] does not speak of are refused as there described. The
/// answers are Linux's of version 6.4 or later where systems differ; `access` needs 5.8.
#[derive(Debug)]
pub struct OsFs {
    anchor: OwnedFd,
    waiting: bool,
}

/// An open file description of the kernel.
#[derive(Debug)]
pub struct OsFile(OwnedFd);

impl OsFs {
    /// The file system below the directory `path`.
    ///
    /// # Errors
    ///
    /// What `open(2)` answers: `ENOENT`, `ENOTDIR`, `EACCES` (the directory must be readable).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let anchor = uninterrupted(|| fs::open(path.as_ref(), flags, Mode::empty()))?;
        Ok(OsFs { anchor, waiting: false })
    }

    /// The same world, in which [`flock`](FileSystem::flock) waits in the kernel where another open
    /// file holds the lock, unless its operation is one of the non-blocking.
    pub fn waiting(self) -> Self {
        OsFs { waiting: true, ..self }
    }

    /// Everything below the anchor.
    ///
    /// Reads one entry after the other, so only what nobody changes meanwhile is told truly.
    ///
    /// # Errors
    ///
    /// What the system calls answer; among them `EACCES` for what the caller may not read, and
    /// `ENOENT` where an entry was removed meanwhile.
    pub fn tree(&self) -> Result<Tree, Errno> {
        let mut tree = Tree::default();
        collect(self.anchor.as_fd(), Path::new(""), &mut tree)?;
        Ok(tree)
    }

    fn flock_operation(&self, operation: FlockOperation) -> FlockOperation {
        match operation {
            FlockOperation::LockShared if !self.waiting => FlockOperation::NonBlockingLockShared,
            FlockOperation::LockExclusive if !self.waiting => {
                FlockOperation::NonBlockingLockExclusive
            }
            other => other,
        }
    }
}

/// Makes a call again that a signal interrupted. rustix's own is not always inlined: see below.
#[inline(always)]
fn uninterrupted<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            answer => return answer,
        }
    }
}

/// Passes a path as the kernel takes it, from the stack where it is of common length. rustix would
/// do the same, but not always inlined.
#[inline(always)]
fn with_c_str<T>(path: &Path, call: impl FnOnce(&CStr) -> Result<T, Errno>) -> Result<T, Errno> {
    let bytes = path.as_os_str().as_bytes();
    let mut short = [0; 256];
    let long;
    let path = match short.get_mut(..bytes.len() + 1) {
        Some(short) => {
            short[..bytes.len()].copy_from_slice(bytes);
            CStr::from_bytes_with_nul(short).map_err(|_| Errno::INVAL)?
        }
        None => {
            long = CString::new(bytes).map_err(|_| Errno::INVAL)?;
            &long
        }
    };
    call(path)
}

/// All inlined where they are called: returning from a function right after a system call is slow
/// (three calls not inlined make a claim a twentieth longer; presumably the kernel's protection of
/// return prediction, whose price the first returns after it pay).
impl FileSystem for &OsFs {
    type File = OsFile;

    #[inline(always)]
    fn open(&mut self, path: &Path, flags: OFlags, mode: Mode) -> Result<OsFile, Errno> {
        understood(flags)?;
        confined(path)?;
        let flags = flags | OFlags::CLOEXEC;
        with_c_str(path, |path| {
            uninterrupted(|| fs::openat(&self.anchor, path, flags, mode)).map(OsFile)
        })
    }

    #[inline(always)]
    fn read(&mut self, file: &mut OsFile, buffer: &mut [u8]) -> Result<usize, Errno> {
        uninterrupted(|| io::read(&file.0, &mut *buffer))
    }

    #[inline(always)]
    fn write(&mut self, file: &mut OsFile, bytes: &[u8]) -> Result<usize, Errno> {
        uninterrupted(|| io::write(&file.0, bytes))
    }

    #[inline(always)]
    fn fsync(&mut self, file: &mut OsFile) -> Result<(), Errno> {
        uninterrupted(|| fs::fsync(&file.0))
    }

    #[inline(always)]
    fn unlink(&mut self, path: &Path) -> Result<(), Errno> {
        confined(path)?;
        with_c_str(path, |path| fs::unlinkat(&self.anchor, path, AtFlags::empty()))
    }

    #[inline(always)]
    fn rename(&mut self, from: &Path, to: &Path) -> Result<(), Errno> {
        confined(from)?;
        confined(to)?;
        with_c_str(from, |from| {
            with_c_str(to, |to| fs::renameat(&self.anchor, from, &self.anchor, to))
        })
    }

    #[inline(always)]
    fn rename_with(&mut self, from: &Path, to: &Path, flags: RenameFlags) -> Result<(), Errno> {
        if !flags.difference(RenameFlags::NOREPLACE).is_empty() {
            return Err(Errno::INVAL);
        }
        confined(from)?;
        confined(to)?;
        with_c_str(from, |from| {
            with_c_str(to, |to| fs::renameat_with(&self.anchor, from, &self.anchor, to, flags))
        })
    }

    #[inline(always)]
    fn link(&mut self, from: &Path, to: &Path) -> Result<(), Errno> {
        confined(from)?;
        confined(to)?;
        fs::linkat(&self.anchor, from, &self.anchor, to, AtFlags::empty())
    }

    #[inline(always)]
    fn mkdir(&mut self, path: &Path, mode: Mode) -> Result<(), Errno> {
        confined(path)?;
        fs::mkdirat(&self.anchor, path, mode)
    }

    #[inline(always)]
    fn rmdir(&mut self, path: &Path) -> Result<(), Errno> {
        confined(path)?;
        fs::unlinkat(&self.anchor, path, AtFlags::REMOVEDIR)
    }

    #[inline(always)]
    fn access(&mut self, path: &Path) -> Result<(), Errno> {
        confined(path)?;
        fs::accessat(&self.anchor, path, Access::EXISTS, AtFlags::SYMLINK_NOFOLLOW)
    }

    #[inline(always)]
    fn flock(&mut self, file: &mut OsFile, operation: FlockOperation) -> Result<(), Errno> {
        let operation = self.flock_operation(operation);
        uninterrupted(|| fs::flock(&file.0, operation))
    }

    #[inline(always)]
    fn close(&mut self, file: OsFile) {
        drop(file);
    }
}

/// Adds `directory`, whose path below the anchor is `path`, and all below it to `tree`.
fn collect(directory: BorrowedFd<'_>, path: &Path, tree: &mut Tree) -> Result<(), Errno> {
    tree.insert(path, Node::Directory { mode: mode_of(&fs::fstat(directory)?) });
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let below = path.join(OsStr::from_bytes(name.to_bytes()));
        let open = |flags| {
            let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            uninterrupted(|| fs::openat(directory, name, flags, Mode::empty()))
        };
        let stat = fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode as RawMode) {
            FileType::Directory => collect(open(OFlags::DIRECTORY)?.as_fd(), &below, tree)?,
            FileType::RegularFile => tree.insert(&below, file_node(open(OFlags::NONBLOCK)?)?),
            _ => tree.insert(&below, Node::Other),
        }
    }
    Ok(())
}

#[allow(clippy::unnecessary_cast)] // its width differs between systems
fn file_node(file: OwnedFd) -> Result<Node, Errno> {
    let stat = fs::fstat(&file)?;
    let mut bytes = Vec::new();
    File::from(file)
        .read_to_end(&mut bytes)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(Node::File { mode: mode_of(&stat), links: stat.st_nlink as u64, bytes })
}

fn mode_of(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode as RawMode)
}

impl AsFd for OsFs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.anchor.as_fd()
    }
}

impl AsFd for OsFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for OsFile {
    fn from(descriptor: OwnedFd) -> Self {
        OsFile(descriptor)
    }
}

impl From<OsFile> for OwnedFd {
    fn from(file: OsFile) -> Self {
        file.0
    }
}

impl From<File> for OsFile {
    fn from(file: File) -> Self {
        OsFile(file.into())
    }
}

impl From<OsFile> for File {
    fn from(file: OsFile) -> Self {
        file.0.into()
    }
}
