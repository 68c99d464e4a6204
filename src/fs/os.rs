//! First floor: the file system world of the kernel. Imports the [`FileSystem`] trait, [`Tree`] and
//! rustix.

mod clock;
mod dirents;
mod records;
mod tree;

use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::num::NonZeroUsize;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsRawFd;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::fs::openat2;
use rustix::fs::{
    self, Access, AtFlags, Dev, FileType, FlockOperation, Gid, Mode, OFlags, RenameFlags, SeekFrom,
    Timestamps, Uid,
};
use rustix::io::{self, Errno};
#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::thread;
use tree::collect;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use super::elsewhere::native;
use super::path::{confined, follows, limits, links, position, renames, seekable, understood};
use super::{
    At, ByteRange, Dirent, FileSystem, Kind, Protections, ResolveFlags, Status, Tree, User, Users,
};

/// The kernel's file system, anchored at a directory.
///
/// The directory is held open, so the anchor stays the same when the directory is renamed or the
/// working directory changes. A shared reference is a world (as `&File` is a `Read`), so threads
/// share one:
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
/// `O_CLOEXEC` is always added. A call is made again when a signal interrupts it (`EINTR`) and,
/// with limits, when a rename elsewhere disturbs it (`EAGAIN`).
///
/// Paths and flags that [`FileSystem`] does not name are refused as described there. Where systems
/// differ, the answers are those of Linux 6.4 or later; `access` needs Linux 5.8.
#[derive(Debug)]
pub struct OsFs {
    anchor: OwnedFd,
    waiting: bool,
    write_limit: Option<NonZeroUsize>,
    /// Every file that was looked at, so that its number becomes no other's once it is removed.
    held: Option<Mutex<Vec<Held>>>,
    /// The clock of a simulated world, where a schedule of it is replayed.
    clock: Option<Mutex<Duration>>,
}

/// A file that is kept from being forgotten: its identity, and a descriptor that keeps it. The
/// descriptor is open as a path alone, and shares no lock with anybody.
type Held = ((u64, u64), OwnedFd);

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
        OsFs::anchored(path.as_ref(), OFlags::RDONLY)
    }

    /// Like [`open`](OsFs::open), but the directory may be one that can be searched and not read.
    /// Then [`tree`](OsFs::tree) cannot read it. Off Linux it has to be readable all the same.
    ///
    /// # Errors
    ///
    /// Those of [`open`](OsFs::open). If the directory cannot be searched, a later call answers
    /// that error.
    pub fn open_unread(path: impl AsRef<Path>) -> Result<Self, Errno> {
        match OsFs::open(path.as_ref()) {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Err(Errno::ACCESS) => OsFs::anchored(path.as_ref(), OFlags::PATH),
            answer => answer,
        }
    }

    fn anchored(path: &Path, flags: OFlags) -> Result<Self, Errno> {
        let flags = flags | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let anchor = uninterrupted(|| fs::open(path, flags, Mode::empty()))?;
        Ok(OsFs { anchor, waiting: false, write_limit: None, held: None, clock: None })
    }

    /// The same world, in which [`flock`](FileSystem::flock) waits in the kernel while another open
    /// file holds the lock, unless the operation is a non-blocking one.
    pub fn waiting(self) -> Self {
        OsFs { waiting: true, ..self }
    }

    /// The same world, in which one `write` writes at most `limit` bytes. It makes writes short
    /// where nothing else does.
    pub fn with_short_writes(self, limit: Option<NonZeroUsize>) -> Self {
        OsFs { write_limit: limit, ..self }
    }

    /// The same world, which [tells](FileSystem::which) any two files apart. It does so also if the
    /// second is made after the first is gone: many file systems then give both the same number.
    #[cfg(any(test, feature = "command"))]
    pub(crate) fn telling_apart(self) -> Self {
        OsFs { held: Some(Mutex::default()), ..self }
    }

    /// Keeps what `open` opens from being forgotten, if it is this file.
    #[cold]
    fn hold(&self, file: Status, open: impl FnOnce() -> Result<OwnedFd, Errno>) {
        let Some(held) = &self.held else { return };
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        let which = (file.device, file.inode);
        if held.iter().any(|(known, _)| *known == which) {
            return;
        }
        // Where there is no way to, its number may come again; that is told as the kernel has it.
        if let Ok(descriptor) = open()
            && fs::fstat(&descriptor).is_ok_and(|stat| Status::from(stat).is_same_file(&file))
        {
            held.push((which, descriptor));
        }
    }

    /// The [`Protections`] of this system, as `/proc/sys/fs` has them; off where it does not say.
    pub fn protections() -> Protections {
        let value = |name| {
            let text = std::fs::read_to_string(Path::new("/proc/sys/fs").join(name));
            text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0_u8)
        };
        let regular = value("protected_regular");
        Protections {
            symlinks: value("protected_symlinks") > 0,
            regular: regular > 0,
            regular_in_groups: regular > 1,
            hardlinks: value("protected_hardlinks") > 0,
        }
    }

    /// Gives the calling thread a umask (and working and root directories) of its own:
    /// [unshare(2)](https://man7.org/linux/man-pages/man2/unshare.2.html) with `CLONE_FS`. Then
    /// [`act_as`](Users::act_as) changes no other thread's umask.
    ///
    /// # Errors
    ///
    /// Those of the system call; a sandbox may forbid it. `ENOSYS` off Linux.
    pub fn unshare_umask() -> Result<(), Errno> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        // SAFETY: what would be unsafe to part is the table of descriptors; this is not it.
        return unsafe { thread::unshare_unsafe(thread::UnshareFlags::FS) };
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        return Err(Errno::NOSYS);
    }

    /// Everything below the anchor.
    ///
    /// It reads one entry after the other. The tree is accurate only where nobody changes anything
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// Those of the system calls; among them `EACCES` where the caller may not read something, and
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

/// How many times a limited walk is made again because of renames, anywhere on the system, while it
/// passed a `..`. After such a rename the kernel cannot tell whether the walk got out.
const RENAMES: usize = 1000;

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

/// Room for a path as the kernel takes it: on the stack, where the path is of common length.
struct Room {
    short: [u8; 128],
    long: Option<CString>,
}

impl Room {
    #[inline(always)]
    fn new() -> Self {
        Room { short: [0; 128], long: None }
    }

    /// The path, with its end. rustix would do the same, but not always inlined.
    #[inline(always)]
    fn with(&mut self, path: &Path) -> Result<&CStr, Errno> {
        let bytes = path.as_os_str().as_bytes();
        match self.short.get_mut(..bytes.len() + 1) {
            Some(short) => {
                short[..bytes.len()].copy_from_slice(bytes);
                CStr::from_bytes_with_nul(short).map_err(|_| Errno::INVAL)
            }
            None => Ok(self.long.insert(CString::new(bytes).map_err(|_| Errno::INVAL)?)),
        }
    }
}

impl OsFs {
    /// The directory a path starts from.
    #[inline(always)]
    fn base<'d>(&'d self, at: At<'d, OsFile>) -> BorrowedFd<'d> {
        at.directory.map_or(self.anchor.as_fd(), |directory| directory.0.as_fd())
    }

    /// Makes a call about one path.
    #[inline(always)]
    fn at<'p, T>(
        &self,
        at: impl Into<At<'p, OsFile>>,
        call: impl FnOnce(BorrowedFd<'_>, &CStr) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let at = at.into();
        confined(at.path)?;
        call(self.base(at), Room::new().with(at.path)?)
    }

    /// Makes a call about two paths.
    #[inline(always)]
    fn between<'p, T>(
        &self,
        from: impl Into<At<'p, OsFile>>,
        to: impl Into<At<'p, OsFile>>,
        call: impl FnOnce(BorrowedFd<'_>, &CStr, BorrowedFd<'_>, &CStr) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let (from, to) = (from.into(), to.into());
        confined(from.path)?;
        confined(to.path)?;
        let (mut old, mut new) = (Room::new(), Room::new());
        call(self.base(from), old.with(from.path)?, self.base(to), new.with(to.path)?)
    }
}

/// The user is that of the calling thread. Only root can become another user, and root again. It
/// gives up the effective user, the effective group and the supplementary groups, and with them
/// every privilege that counts here. All threads share one umask, unless the thread has
/// [`unshare`](https://man7.org/linux/man-pages/man2/unshare.2.html)d `CLONE_FS`.
impl Users for &OsFs {
    fn act_as(&mut self, user: User) -> Result<User, Errno> {
        let before = User { umask: rustix::process::umask(user.umask), ..User::current() };
        if (user.uid, user.gid, user.groups) != (before.uid, before.gid, before.groups)
            && let Err(errno) = become_user(before, user)
        {
            rustix::process::umask(before.umask);
            return Err(errno);
        }
        Ok(before)
    }
}

/// Elsewhere, no thread can be somebody else than its process is.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn become_user(_before: User, _user: User) -> Result<(), Errno> {
    Err(Errno::PERM)
}

/// Groups change as root only: before root is left, after it is come back to.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn become_user(before: User, user: User) -> Result<(), Errno> {
    if !before.is_root() {
        thread::set_thread_res_uid(None, Some(Uid::ROOT), None)?;
    }
    // What groups root is in makes no difference to it.
    let groups = if before.is_root() && user.is_root() { before.groups } else { user.groups };
    let became = thread::set_thread_groups(groups.as_slice())
        .and_then(|()| thread::set_thread_res_gid(None, Some(user.gid), None))
        .and_then(|()| thread::set_thread_res_uid(None, Some(user.uid), None));
    if became.is_err() {
        // Back from half way, as root still.
        let _ = thread::set_thread_groups(before.groups.as_slice());
        let _ = thread::set_thread_res_gid(None, Some(before.gid), None);
        let _ = thread::set_thread_res_uid(None, Some(before.uid), None);
    }
    became
}

/// Elsewhere, there is none.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn openat2(
    _from: BorrowedFd<'_>,
    _path: &CStr,
    _flags: OFlags,
    _mode: Mode,
    _resolve: ResolveFlags,
) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline(always)]
fn link_open(file: &OwnedFd, to: BorrowedFd<'_>, new: &CStr) -> Result<(), Errno> {
    match fs::linkat(file, c"", to, new, AtFlags::EMPTY_PATH) {
        Err(Errno::NOENT) => {
            let own = format!("/proc/self/fd/{}", file.as_raw_fd());
            fs::linkat(fs::CWD, own, to, new, AtFlags::SYMLINK_FOLLOW)
        }
        answer => answer,
    }
}

/// Elsewhere, an open file is given no name.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn link_open(_file: &OwnedFd, _to: BorrowedFd<'_>, _new: &CStr) -> Result<(), Errno> {
    Err(Errno::OPNOTSUPP)
}

/// Changes the mode of what a path names, not following a final link.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn chmod_unfollowed(from: BorrowedFd<'_>, path: &CStr, mode: Mode) -> Result<(), Errno> {
    let file = place(from, path, AtFlags::SYMLINK_NOFOLLOW)?;
    if fs::fstat(&file).map(Status::from)?.kind == Kind::Symlink {
        return Err(Errno::OPNOTSUPP);
    }
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    match uninterrupted(|| fs::chmod(&*own, mode)) {
        Err(Errno::NOENT) => Err(Errno::OPNOTSUPP),
        answer => answer,
    }
}

/// Elsewhere, the system knows how.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn chmod_unfollowed(from: BorrowedFd<'_>, path: &CStr, mode: Mode) -> Result<(), Errno> {
    fs::chmodat(from, path, mode, AtFlags::SYMLINK_NOFOLLOW)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline(always)]
fn make_node(
    from: BorrowedFd<'_>,
    path: &CStr,
    kind: FileType,
    mode: Mode,
    device: Dev,
) -> Result<(), Errno> {
    fs::mknodat(from, path, kind, mode, device)
}

/// Elsewhere, some systems cannot say where.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn make_node(
    _from: BorrowedFd<'_>,
    _path: &CStr,
    _kind: FileType,
    _mode: Mode,
    _device: Dev,
) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}

/// Opens what a path names as a path alone.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn place(from: BorrowedFd<'_>, path: &CStr, flags: AtFlags) -> Result<OwnedFd, Errno> {
    let no_follow = flags == AtFlags::SYMLINK_NOFOLLOW;
    let no_follow = if no_follow { OFlags::NOFOLLOW } else { OFlags::empty() };
    let flags = OFlags::PATH | OFlags::CLOEXEC | no_follow;
    uninterrupted(|| fs::openat(from, path, flags, Mode::empty()))
}

/// Opens what is open once more, as a path alone.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn place_of(file: &OwnedFd) -> Result<OwnedFd, Errno> {
    let own = format!("/proc/self/fd/{}", file.as_raw_fd());
    uninterrupted(|| fs::open(&*own, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()))
}

/// Elsewhere, nothing is open as a path alone.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn place(_from: BorrowedFd<'_>, _path: &CStr, _flags: AtFlags) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn place_of(_file: &OwnedFd) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

/// All inlined where they are called: returning from a function right after a system call is slow
/// (three calls not inlined make a claim a twentieth longer; presumably the kernel's protection of
/// return prediction, whose price the first returns after it pay).
impl FileSystem for &OsFs {
    type File = OsFile;

    #[inline(always)]
    fn open<'p>(
        &mut self,
        at: impl Into<At<'p, OsFile>>,
        flags: OFlags,
        mode: Mode,
    ) -> Result<OsFile, Errno> {
        understood(flags)?;
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        let flags = native(flags)?;
        let flags = flags | OFlags::CLOEXEC;
        self.at(at, |from, path| uninterrupted(|| fs::openat(from, path, flags, mode)).map(OsFile))
    }

    #[inline(always)]
    fn open_within<'p>(
        &mut self,
        at: impl Into<At<'p, OsFile>>,
        flags: OFlags,
        mode: Mode,
        resolve: ResolveFlags,
    ) -> Result<OsFile, Errno> {
        understood(flags)?;
        limits(resolve)?;
        let flags = flags | OFlags::CLOEXEC;
        let limited = resolve.intersects(ResolveFlags::BENEATH | ResolveFlags::IN_ROOT);
        self.at(at, |from, path| {
            let open = || uninterrupted(|| openat2(from, path, flags, mode, resolve));
            let mut answer = open();
            for _ in 0..RENAMES {
                match answer {
                    Err(Errno::AGAIN) if limited => answer = open(),
                    _ => break,
                }
            }
            answer.map(OsFile)
        })
    }

    #[inline(always)]
    fn read(&mut self, file: &mut OsFile, buffer: &mut [u8]) -> Result<usize, Errno> {
        uninterrupted(|| io::read(&file.0, &mut *buffer))
    }

    #[inline(always)]
    fn write(&mut self, file: &mut OsFile, bytes: &[u8]) -> Result<usize, Errno> {
        let limit = self.write_limit.map_or(usize::MAX, NonZeroUsize::get);
        let bytes = &bytes[..bytes.len().min(limit)];
        uninterrupted(|| io::write(&file.0, bytes))
    }

    #[inline(always)]
    fn pread(&mut self, file: &mut OsFile, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
        position(offset)?;
        uninterrupted(|| io::pread(&file.0, &mut *buffer, offset))
    }

    #[inline(always)]
    fn pwrite(&mut self, file: &mut OsFile, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
        position(offset)?;
        let limit = self.write_limit.map_or(usize::MAX, NonZeroUsize::get);
        let bytes = &bytes[..bytes.len().min(limit)];
        uninterrupted(|| io::pwrite(&file.0, bytes, offset))
    }

    /// The kind of an open file does not change, so looking at it first is not a call of its own.
    #[inline(always)]
    fn lseek(&mut self, file: &mut OsFile, to: SeekFrom) -> Result<u64, Errno> {
        seekable(to)?;
        if to != SeekFrom::Start(0) && fs::fstat(&file.0).map(Status::from)?.kind == Kind::Directory
        {
            return Err(Errno::INVAL);
        }
        fs::seek(&file.0, to)
    }

    #[inline(always)]
    fn ftruncate(&mut self, file: &mut OsFile, length: u64) -> Result<(), Errno> {
        position(length)?;
        uninterrupted(|| fs::ftruncate(&file.0, length))
    }

    #[inline(always)]
    fn fdatasync(&mut self, file: &mut OsFile) -> Result<(), Errno> {
        uninterrupted(|| fs::fdatasync(&file.0))
    }

    #[inline(always)]
    fn fsync(&mut self, file: &mut OsFile) -> Result<(), Errno> {
        uninterrupted(|| fs::fsync(&file.0))
    }

    #[inline(always)]
    fn stat<'p>(&mut self, at: impl Into<At<'p, OsFile>>, flags: AtFlags) -> Result<Status, Errno> {
        follows(flags)?;
        let at = at.into();
        let status = self.at(at, |from, path| fs::statat(from, path, flags)).map(Status::from)?;
        if self.held.is_some() {
            self.hold(status, || self.at(at, |from, path| place(from, path, flags)));
        }
        Ok(self.by_its_clock(status))
    }

    #[inline(always)]
    fn fstat(&mut self, file: &mut OsFile) -> Result<Status, Errno> {
        fs::fstat(&file.0).map(Status::from).map(|status| self.by_its_clock(status))
    }

    #[inline(always)]
    fn access<'p>(
        &mut self,
        at: impl Into<At<'p, OsFile>>,
        access: Access,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        follows(flags)?;
        let flags = flags | AtFlags::EACCESS;
        self.at(at, |from, path| fs::accessat(from, path, access, flags))
    }

    #[inline(always)]
    fn chmod<'p>(&mut self, at: impl Into<At<'p, OsFile>>, mode: Mode) -> Result<(), Errno> {
        self.at(at, |from, path| fs::chmodat(from, path, mode, AtFlags::empty()))
    }

    /// Works like the C library where there is no `fchmodat2(2)`: it opens the link as a path
    /// alone, so that the file stays the same, and changes the mode through `/proc`. Without
    /// `/proc` the answer is `EOPNOTSUPP`.
    #[inline(always)]
    fn chmod_with<'p>(
        &mut self,
        at: impl Into<At<'p, OsFile>>,
        mode: Mode,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        if follows(flags)? {
            return self.chmod(at, mode);
        }
        self.at(at, |from, path| chmod_unfollowed(from, path, mode))
    }

    #[inline(always)]
    fn fchmod(&mut self, file: &mut OsFile, mode: Mode) -> Result<(), Errno> {
        uninterrupted(|| fs::fchmod(&file.0, mode))
    }

    #[inline(always)]
    fn chown<'p>(
        &mut self,
        at: impl Into<At<'p, OsFile>>,
        owner: Option<Uid>,
        group: Option<Gid>,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        follows(flags)?;
        self.at(at, |from, path| fs::chownat(from, path, owner, group, flags))
    }

    #[inline(always)]
    fn fchown(
        &mut self,
        file: &mut OsFile,
        owner: Option<Uid>,
        group: Option<Gid>,
    ) -> Result<(), Errno> {
        uninterrupted(|| fs::fchown(&file.0, owner, group))
    }

    #[inline(always)]
    fn utimensat<'p>(
        &mut self,
        at: impl Into<At<'p, OsFile>>,
        times: &Timestamps,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        follows(flags)?;
        self.at(at, |from, path| fs::utimensat(from, path, times, flags))
    }

    #[inline(always)]
    fn futimens(&mut self, file: &mut OsFile, times: &Timestamps) -> Result<(), Errno> {
        uninterrupted(|| fs::futimens(&file.0, times))
    }

    #[inline(always)]
    fn unlink<'p>(&mut self, at: impl Into<At<'p, OsFile>>) -> Result<(), Errno> {
        self.at(at, |from, path| fs::unlinkat(from, path, AtFlags::empty()))
    }

    #[inline(always)]
    fn rename<'p>(
        &mut self,
        from: impl Into<At<'p, OsFile>>,
        to: impl Into<At<'p, OsFile>>,
    ) -> Result<(), Errno> {
        self.between(from, to, |from, old, to, new| fs::renameat(from, old, to, new))
    }

    #[inline(always)]
    fn rename_with<'p>(
        &mut self,
        from: impl Into<At<'p, OsFile>>,
        to: impl Into<At<'p, OsFile>>,
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        renames(flags)?;
        self.between(from, to, |from, old, to, new| fs::renameat_with(from, old, to, new, flags))
    }

    #[inline(always)]
    fn link<'p>(
        &mut self,
        from: impl Into<At<'p, OsFile>>,
        to: impl Into<At<'p, OsFile>>,
    ) -> Result<(), Errno> {
        let flags = AtFlags::empty();
        self.between(from, to, |from, old, to, new| fs::linkat(from, old, to, new, flags))
    }

    #[inline(always)]
    fn link_with<'p>(
        &mut self,
        from: impl Into<At<'p, OsFile>>,
        to: impl Into<At<'p, OsFile>>,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        links(flags)?;
        self.between(from, to, |from, old, to, new| fs::linkat(from, old, to, new, flags))
    }

    /// `AT_EMPTY_PATH` is for root, and since Linux 6.10 for the user who opened the file. Others
    /// are answered `ENOENT`, and go through `/proc`.
    #[inline(always)]
    fn link_file<'p>(
        &mut self,
        file: &mut OsFile,
        to: impl Into<At<'p, OsFile>>,
    ) -> Result<(), Errno> {
        self.at(to, |to, new| link_open(&file.0, to, new))
    }

    #[inline(always)]
    fn symlink<'p>(&mut self, target: &Path, at: impl Into<At<'p, OsFile>>) -> Result<(), Errno> {
        self.at(at, |from, path| fs::symlinkat(target, from, path))
    }

    #[inline(always)]
    fn readlink<'p>(&mut self, at: impl Into<At<'p, OsFile>>) -> Result<PathBuf, Errno> {
        let target = self.at(at, |from, path| fs::readlinkat(from, path, Vec::new()))?;
        Ok(OsString::from_vec(target.into_bytes()).into())
    }

    #[inline(always)]
    fn mkdir<'p>(&mut self, at: impl Into<At<'p, OsFile>>, mode: Mode) -> Result<(), Errno> {
        self.at(at, |from, path| fs::mkdirat(from, path, mode))
    }

    #[inline(always)]
    fn mknod<'p>(
        &mut self,
        at: impl Into<At<'p, OsFile>>,
        kind: FileType,
        mode: Mode,
        device: Dev,
    ) -> Result<(), Errno> {
        let mode = mode & Mode::from_bits_retain(0o7777);
        self.at(at, |from, path| make_node(from, path, kind, mode, device))
    }

    #[inline(always)]
    fn rmdir<'p>(&mut self, at: impl Into<At<'p, OsFile>>) -> Result<(), Errno> {
        self.at(at, |from, path| fs::unlinkat(from, path, AtFlags::REMOVEDIR))
    }

    #[inline(always)]
    fn getdents(&mut self, file: &mut OsFile) -> Result<Vec<Dirent>, Errno> {
        dirents::getdents(&file.0)
    }

    #[inline(always)]
    fn flock(&mut self, file: &mut OsFile, operation: FlockOperation) -> Result<(), Errno> {
        let operation = self.flock_operation(operation);
        uninterrupted(|| fs::flock(&file.0, operation))
    }

    #[inline(always)]
    fn fcntl_ofd_setlk(
        &mut self,
        file: &mut OsFile,
        operation: FlockOperation,
        bytes: ByteRange,
    ) -> Result<(), Errno> {
        position(bytes.start)?;
        position(bytes.length)?;
        let operation = self.flock_operation(operation);
        uninterrupted(|| records::set(&file.0, operation, bytes))
    }

    fn which(&mut self, file: &mut OsFile) -> Option<Status> {
        let status = fs::fstat(&file.0).map(Status::from).ok()?;
        if self.held.is_some() {
            self.hold(status, || place_of(&file.0));
        }
        Some(self.by_its_clock(status))
    }

    fn now(&mut self) -> Option<Duration> {
        self.clock.as_ref().map(clock::shows)
    }

    fn sleep_until(&mut self, time: Duration) {
        self.pass_until(time);
    }

    #[inline(always)]
    fn close(&mut self, file: OsFile) {
        drop(file);
    }
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

// Elsewhere, nothing is held.
#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests;
