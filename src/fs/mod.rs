//! The file system world: the trait, [`SimFs`] (a pure value), [`OsFs`] (the kernel), and a
//! recorder. First floor: imports [`process`](crate::process) and rustix, nothing above.
//!
//! The trait uses the kernel's terms, as rustix spells them. Each method is one system call and has
//! the call's name. Its flags are rustix's, and its error is the kernel's own code. A reader who
//! knows `openat(2)` needs no further guide.

mod at;
mod dirent;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod elsewhere;
mod os;
mod path;
mod range;
mod recorded;
mod sim;
mod status;
mod told;
mod tree;
mod user;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::calls::untold;

pub use crate::errno::errno_name;
pub use crate::recorded::{Recorded, recorded_step};
pub use at::At;
pub use dirent::Dirent;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub use elsewhere::{LinuxOpenFlags, ResolveFlags};
pub use os::{OsFile, OsFs};
pub use range::ByteRange;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use rustix::fs::ResolveFlags;
pub use rustix::fs::{
    Access, AtFlags, Dev, FileType, FlockOperation, Gid, Mode, OFlags, RenameFlags, SeekFrom,
    Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, Uid,
};
pub use rustix::io::Errno;
pub use sim::{
    Clock, Format, OWN, Owner, Profile, Protections, SimFile, SimFs, SimInode, Survival,
};
pub use status::{Kind, Status, Time};
pub(crate) use told::Call as Asked;
pub use tree::{Node, Tree};
pub use user::{As, Groups, User, Users};

/// A file system, as far as this crate's protocols need one.
///
/// A path starts at the directory that the world is anchored at, or at an open directory ([`At`]).
/// A path that leaves this directory by its spelling is answered `EXDEV`, as by `openat2(2)` with
/// `RESOLVE_BENEATH`: an absolute path, or one with more `..` than names before them. A symbolic
/// link is followed wherever it leads.
///
/// Every method is one system call, and atomic with respect to every other. An open file is a value
/// that its process holds, not an entry of a table in the world. In [`OsFs`] it is a descriptor; in
/// [`SimFs`] it is (inode, flags, offset).
pub trait FileSystem {
    /// An open file description. Dropping it closes it.
    type File: 'static;

    /// Opens a path, and creates the file with `mode` (less the umask) where `flags` say so:
    /// [openat(2)](https://man7.org/linux/man-pages/man2/openat.2.html). Every world answers
    /// `EINVAL` to flags that a simulation cannot keep (`O_DIRECT`, `O_NOATIME`, …).
    fn open<'p>(
        &mut self,
        at: impl Into<At<'p, Self::File>>,
        flags: OFlags,
        mode: Mode,
    ) -> Result<Self::File, Errno>;

    /// Opens a path that is resolved only within limits:
    /// [openat2(2)](https://man7.org/linux/man-pages/man2/openat2.2.html). Without limits it still
    /// refuses (`EINVAL`) some calls that [`open`](FileSystem::open) accepts: a mode without a file
    /// to make, and flags that `O_PATH` ignores.
    ///
    /// Every world answers `EINVAL` to limits that a simulation cannot keep (`RESOLVE_CACHED`).
    /// Systems without this call answer `ENOSYS`. The answer is `EAGAIN` where renames, anywhere on
    /// the system, keep the kernel from being sure about a walk through `..`.
    fn open_within<'p>(
        &mut self,
        at: impl Into<At<'p, Self::File>>,
        flags: OFlags,
        mode: Mode,
        resolve: ResolveFlags,
    ) -> Result<Self::File, Errno>;

    /// Reads up to `buffer.len()` bytes at the file's offset and advances the offset; answers 0 at
    /// the end: [read(2)](https://man7.org/linux/man-pages/man2/read.2.html).
    fn read(&mut self, file: &mut Self::File, buffer: &mut [u8]) -> Result<usize, Errno>;

    /// Writes `bytes` at the file's offset (at its end with `O_APPEND`) and advances the offset.
    /// Returns how many bytes were written, which may be fewer than all:
    /// [write(2)](https://man7.org/linux/man-pages/man2/write.2.html).
    fn write(&mut self, file: &mut Self::File, bytes: &[u8]) -> Result<usize, Errno>;

    /// Reads up to `buffer.len()` bytes at `offset`, and does not move the file's offset. Answers 0
    /// at the end: [pread(2)](https://man7.org/linux/man-pages/man2/pread.2.html). An offset of 2⁶³
    /// or more is answered `EINVAL`, here and below.
    fn pread(
        &mut self,
        file: &mut Self::File,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<usize, Errno>;

    /// Writes `bytes` at `offset`, and does not move the file's offset. Returns how many bytes were
    /// written: [pwrite(2)](https://man7.org/linux/man-pages/man2/pwrite.2.html). With `O_APPEND`
    /// Linux writes at the end, whatever the offset.
    fn pwrite(&mut self, file: &mut Self::File, bytes: &[u8], offset: u64) -> Result<usize, Errno>;

    /// Moves the file's offset and returns the new one:
    /// [lseek(2)](https://man7.org/linux/man-pages/man2/lseek.2.html). The offset may lie beyond
    /// the end. An open directory can only go back to its beginning (`Start(0)`). Every world
    /// answers `EINVAL` to every other place in a directory, to `Data` and to `Hole`.
    fn lseek(&mut self, file: &mut Self::File, to: SeekFrom) -> Result<u64, Errno>;

    /// Sets the length of a file that is open for writing; new bytes read as zeros:
    /// [ftruncate(2)](https://man7.org/linux/man-pages/man2/ftruncate.2.html). (There is no
    /// `truncateat`. `open` with `O_WRONLY`, followed by this call, is `truncate` in two calls.)
    fn ftruncate(&mut self, file: &mut Self::File, length: u64) -> Result<(), Errno>;

    /// Makes the file's content, or a directory's entries, durable:
    /// [fsync(2)](https://man7.org/linux/man-pages/man2/fsync.2.html).
    fn fsync(&mut self, file: &mut Self::File) -> Result<(), Errno>;

    /// Makes the file's content durable, and as much of its metadata as reading it takes:
    /// [fdatasync(2)](https://man7.org/linux/man-pages/man2/fdatasync.2.html).
    fn fdatasync(&mut self, file: &mut Self::File) -> Result<(), Errno>;

    /// Returns the status of the file that a path names:
    /// [fstatat(2)](https://man7.org/linux/man-pages/man2/stat.2.html). A final link is followed
    /// without flags, and not with `SYMLINK_NOFOLLOW`. Other flags are answered `EINVAL`.
    fn stat<'p>(
        &mut self,
        at: impl Into<At<'p, Self::File>>,
        flags: AtFlags,
    ) -> Result<Status, Errno>;

    /// Returns the status of an open file:
    /// [fstat(2)](https://man7.org/linux/man-pages/man2/stat.2.html).
    fn fstat(&mut self, file: &mut Self::File) -> Result<Status, Errno>;

    /// Asks whether the caller has this access to the file that a path names; with
    /// `Access::EXISTS`, whether the path names anything. The flags are
    /// [`stat`](FileSystem::stat)'s. The *effective* user's permissions count, as with
    /// `AT_EACCESS`: [faccessat(2)](https://man7.org/linux/man-pages/man2/faccessat.2.html).
    fn access<'p>(
        &mut self,
        at: impl Into<At<'p, Self::File>>,
        access: Access,
        flags: AtFlags,
    ) -> Result<(), Errno>;

    /// Changes the mode of the file that a path names, and follows a final link:
    /// [fchmodat(2)](https://man7.org/linux/man-pages/man2/chmod.2.html).
    fn chmod<'p>(&mut self, at: impl Into<At<'p, Self::File>>, mode: Mode) -> Result<(), Errno>;

    /// Like [`chmod`](FileSystem::chmod), with [`stat`](FileSystem::stat)'s flags. A symbolic link
    /// that is not followed has no mode to change, so the answer is `EOPNOTSUPP`. In all else it
    /// answers as `fchmodat2(2)` does.
    fn chmod_with<'p>(
        &mut self,
        at: impl Into<At<'p, Self::File>>,
        mode: Mode,
        flags: AtFlags,
    ) -> Result<(), Errno>;

    /// Changes the mode of an open file:
    /// [fchmod(2)](https://man7.org/linux/man-pages/man2/chmod.2.html).
    fn fchmod(&mut self, file: &mut Self::File, mode: Mode) -> Result<(), Errno>;

    /// Changes the owner, the group, or both, of the file that a path names; `None` leaves one as
    /// it is: [fchownat(2)](https://man7.org/linux/man-pages/man2/chown.2.html). The flags are
    /// [`stat`](FileSystem::stat)'s, so that a link that is not followed changes its own owner.
    ///
    /// Only root changes the owner. An owner may set the group to one that the owner is in.
    /// Anything but a directory loses its set-user-ID bit, and mostly its set-group-ID bit.
    fn chown<'p>(
        &mut self,
        at: impl Into<At<'p, Self::File>>,
        owner: Option<Uid>,
        group: Option<Gid>,
        flags: AtFlags,
    ) -> Result<(), Errno>;

    /// Like [`chown`](FileSystem::chown), of an open file:
    /// [fchown(2)](https://man7.org/linux/man-pages/man2/chown.2.html).
    fn fchown(
        &mut self,
        file: &mut Self::File,
        owner: Option<Uid>,
        group: Option<Gid>,
    ) -> Result<(), Errno>;

    /// Sets the times of the file that a path names:
    /// [utimensat(2)](https://man7.org/linux/man-pages/man2/utimensat.2.html). `UTIME_NOW` and
    /// `UTIME_OMIT` are understood. The flags are [`stat`](FileSystem::stat)'s. A simulation keeps
    /// only the time of the last modification, and only where it [has a clock](SimFs::with_clock).
    /// Without one it answers `ENOSYS`.
    fn utimensat<'p>(
        &mut self,
        at: impl Into<At<'p, Self::File>>,
        times: &Timestamps,
        flags: AtFlags,
    ) -> Result<(), Errno>;

    /// Like [`utimensat`](FileSystem::utimensat), of an open file:
    /// [futimens(3)](https://man7.org/linux/man-pages/man3/futimens.3p.html).
    fn futimens(&mut self, file: &mut Self::File, times: &Timestamps) -> Result<(), Errno>;

    /// Removes a name; the file lives on while it has other names or is open:
    /// [unlinkat(2)](https://man7.org/linux/man-pages/man2/unlinkat.2.html).
    fn unlink<'p>(&mut self, at: impl Into<At<'p, Self::File>>) -> Result<(), Errno>;

    /// Renames `from` to `to`, and replaces what `to` named:
    /// [renameat(2)](https://man7.org/linux/man-pages/man2/renameat.2.html). Where both name one
    /// file, it does nothing and succeeds. Final links are renamed or replaced, not followed.
    fn rename<'p>(
        &mut self,
        from: impl Into<At<'p, Self::File>>,
        to: impl Into<At<'p, Self::File>>,
    ) -> Result<(), Errno>;

    /// Renames with [`RenameFlags`]:
    /// [renameat2(2)](https://man7.org/linux/man-pages/man2/renameat2.2.html). The flags are none,
    /// `NOREPLACE` (`EEXIST` where `to` names something) or `EXCHANGE` (the two names change
    /// places). Others are answered `EINVAL`.
    fn rename_with<'p>(
        &mut self,
        from: impl Into<At<'p, Self::File>>,
        to: impl Into<At<'p, Self::File>>,
        flags: RenameFlags,
    ) -> Result<(), Errno>;

    /// Gives the file `from` a second name `to`, and follows no final link:
    /// [linkat(2)](https://man7.org/linux/man-pages/man2/linkat.2.html).
    fn link<'p>(
        &mut self,
        from: impl Into<At<'p, Self::File>>,
        to: impl Into<At<'p, Self::File>>,
    ) -> Result<(), Errno>;

    /// Like [`link`](FileSystem::link), with flags: none, or `SYMLINK_FOLLOW`, which gives the name
    /// to the file that a final link of `from` leads to. Others are answered `EINVAL`.
    fn link_with<'p>(
        &mut self,
        from: impl Into<At<'p, Self::File>>,
        to: impl Into<At<'p, Self::File>>,
        flags: AtFlags,
    ) -> Result<(), Errno>;

    /// Gives an open file the name `to`: `linkat(2)` with `AT_EMPTY_PATH`. A file that `O_TMPFILE`
    /// made has no name before.
    fn link_file<'p>(
        &mut self,
        file: &mut Self::File,
        to: impl Into<At<'p, Self::File>>,
    ) -> Result<(), Errno>;

    /// Makes a symbolic link to `target`:
    /// [symlinkat(2)](https://man7.org/linux/man-pages/man2/symlinkat.2.html).
    fn symlink<'p>(
        &mut self,
        target: &Path,
        at: impl Into<At<'p, Self::File>>,
    ) -> Result<(), Errno>;

    /// Reads the target of a symbolic link:
    /// [readlinkat(2)](https://man7.org/linux/man-pages/man2/readlinkat.2.html).
    fn readlink<'p>(&mut self, at: impl Into<At<'p, Self::File>>) -> Result<PathBuf, Errno>;

    /// Makes a directory: [mkdirat(2)](https://man7.org/linux/man-pages/man2/mkdirat.2.html).
    fn mkdir<'p>(&mut self, at: impl Into<At<'p, Self::File>>, mode: Mode) -> Result<(), Errno>;

    /// Makes a regular file, a pipe, a socket or a device:
    /// [mknodat(2)](https://man7.org/linux/man-pages/man2/mknod.2.html). With `FileType::Fifo` it
    /// is `mkfifo(3)`. Only root makes a device (else `EPERM`), except the character device 0,
    /// which everybody may make. `device` counts for devices alone. Bits of `mode` that are not
    /// permissions are ignored. `ENOSYS` off Linux.
    ///
    /// In a simulation, pipes and devices are names alone, and open only as a path (`O_PATH`). Any
    /// other way to open one is answered `ENXIO`, and is a [mistake](crate::calls::mistaken) of the
    /// model.
    fn mknod<'p>(
        &mut self,
        at: impl Into<At<'p, Self::File>>,
        kind: FileType,
        mode: Mode,
        device: Dev,
    ) -> Result<(), Errno>;

    /// Removes an empty directory: `unlinkat(2)` with `AT_REMOVEDIR`.
    fn rmdir<'p>(&mut self, at: impl Into<At<'p, Self::File>>) -> Result<(), Errno>;

    /// Reads the next names in an open directory; none at the end:
    /// [getdents64(2)](https://man7.org/linux/man-pages/man2/getdents.2.html). The names `.` and
    /// `..` are left out. `lseek` to the beginning reads all names again. `ENOSYS` off Linux.
    ///
    /// The kernel answers as many names as fit into 32 KiB, the size of the C library's buffer. A
    /// simulation answers all, or [as many as it is told to](SimFs::with_short_listings).
    ///
    /// The names of one answer are sorted, in every world, because each file system has an order of
    /// its own. A name that was made or removed after the directory was opened may be answered or
    /// not ([`SimFs::getdents_answers`]).
    fn getdents(&mut self, file: &mut Self::File) -> Result<Vec<Dirent>, Errno>;

    /// Takes, converts or releases the advisory lock of an open file description:
    /// [flock(2)](https://man7.org/linux/man-pages/man2/flock.2.html).
    ///
    /// Where the call would wait, a world answers [`Errno::WOULDBLOCK`] at once, and the process
    /// answers [`Step::Blocked`](crate::Step::Blocked). Only [`OsFs::waiting`] waits in the kernel.
    ///
    /// A conversion (from shared to exclusive, or back) that is answered so has changed something:
    /// the lock held before is lost. The process then goes on ([`Step::Next`](crate::Step::Next))
    /// to where it holds no lock.
    fn flock(&mut self, file: &mut Self::File, operation: FlockOperation) -> Result<(), Errno>;

    /// Takes, converts or releases the lock of an open file description on some bytes:
    /// [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html) with `F_OFD_SETLK`. The lock
    /// belongs to the open file description, not to the process. It has nothing to do with
    /// [`flock`](FileSystem::flock).
    ///
    /// A shared lock requires a file that is open for reading, an exclusive one a file that is open
    /// for writing (else `EBADF`). Every world answers `EINVAL` to bytes from 2⁶³ on. `ENOSYS` off
    /// Linux.
    ///
    /// Where the call would wait (`F_OFD_SETLKW`), a world answers [`Errno::WOULDBLOCK`], as
    /// `flock` does. Unlike with `flock`, nothing has changed then.
    fn fcntl_ofd_setlk(
        &mut self,
        file: &mut Self::File,
        operation: FlockOperation,
        bytes: ByteRange,
    ) -> Result<(), Errno>;

    /// Looks at the world without making a step. For an observer that judges what a process did, in
    /// the same step. The look is not [told](crate::calls) to anybody.
    fn observed<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T
    where
        Self: Sized,
    {
        untold(|| look(self))
    }

    /// Says which file is open, for code that tells of a call. It is neither a call nor a step.
    /// `None` where a world does not know.
    fn which(&mut self, _file: &mut Self::File) -> Option<Status> {
        None
    }

    /// How many answers [`getdents`](FileSystem::getdents) may give now: more than one where the
    /// world leaves the answer open. It is not a call.
    fn listings(&mut self, _file: &mut Self::File) -> usize {
        1
    }

    /// Reads the next names, with the answer of this index among [all those
    /// possible](FileSystem::listings).
    ///
    /// # Errors
    ///
    /// Those of [`getdents`](FileSystem::getdents).
    fn getdents_as(&mut self, file: &mut Self::File, answer: usize) -> Result<Vec<Dirent>, Errno> {
        let _ = answer;
        self.getdents(file)
    }

    /// A number for the state that the world is in, if the world has one. The same number as before
    /// means that nobody has changed anything. It is not a call.
    fn version(&mut self) -> Option<u64> {
        None
    }

    /// Says that the process lets time pass, for code that tells of what it does. It is not a call.
    fn let_time_pass(&mut self, why: &str) {
        let _ = why;
    }

    /// What the clock of the world shows, if [sleeps move it on](Clock::Sleeps). It is not a call.
    fn now(&mut self) -> Option<Duration> {
        None
    }

    /// Lets time pass until the clock of the world shows this, or more. It is not a call.
    fn sleep_until(&mut self, time: Duration) {
        let _ = time;
    }

    /// Closes the file and releases its lock. On a real system dropping the file does the same. In
    /// a simulated one only this call releases a lock, so a process that holds a lock has to call
    /// it.
    ///
    /// It is a call like any other: a step that closes a file makes no other call. A file that
    /// holds no lock is dropped instead, within any step: nobody else can see when it is closed.
    fn close(&mut self, file: Self::File);
}
