//! The file system world: the trait, [`SimFs`] (a pure value), [`OsFs`] (the kernel), and a
//! recorder. First floor: imports [`process`](crate::process) and rustix, nothing above.
//!
//! The trait speaks the kernel's language, in rustix's words: one method a system call, its name
//! the call's, its flags rustix's, its error the kernel's own code. Whoever knows `openat(2)` needs
//! no further guide.

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
pub use sim::{Clock, Format, OWN, Owner, Protections, SimFile, SimFs, SimInode};
pub use status::{Kind, Status, Time};
pub(crate) use told::Call as Asked;
pub use tree::{Node, Tree};
pub use user::{As, Groups, User, Users};

/// A file system, as far as this crate's protocols need one.
///
/// A path starts at the directory the world is anchored at, or at an open one ([`At`]). One that
/// leaves it by its spelling (an absolute one, or more `..` than names before them) is answered
/// `EXDEV`, as by `openat2(2)` with `RESOLVE_BENEATH`. What a symbolic link says is followed
/// wherever it leads. Every method is one system call, and atomic with respect to every other. An
/// open file is a value its process holds, not an entry of a table in the world: [`OsFs`] has
/// descriptors, [`SimFs`] has (inode, flags, offset).
pub trait FileSystem {
    /// An open file description. Dropping it closes it.
    type File: 'static;

    /// Opens a path, creating it with `mode` (less the umask) where `flags` say so:
    /// [openat(2)](https://man7.org/linux/man-pages/man2/openat.2.html). Flags that a simulation
    /// cannot keep (`O_DIRECT`, `O_NOATIME`, …) are answered `EINVAL` by every world.
    fn open<'p>(
        &mut self,
        at: impl Into<At<'p, Self::File>>,
        flags: OFlags,
        mode: Mode,
    ) -> Result<Self::File, Errno>;

    /// Opens a path that is resolved only within limits:
    /// [openat2(2)](https://man7.org/linux/man-pages/man2/openat2.2.html). With no limits it still
    /// differs from [`open`](FileSystem::open) in what it refuses (`EINVAL`): a mode without a file
    /// to make, flags that `O_PATH` ignores. Limits that a simulation cannot keep
    /// (`RESOLVE_CACHED`) are answered `EINVAL` by every world. Systems without it answer `ENOSYS`,
    /// and `EAGAIN` where renames, wherever they are, do not let a walk through `..` be sure.
    fn open_within<'p>(
        &mut self,
        at: impl Into<At<'p, Self::File>>,
        flags: OFlags,
        mode: Mode,
        resolve: ResolveFlags,
    ) -> Result<Self::File, Errno>;

    /// Reads up to `buffer.len()` bytes at the file's offset and advances it; 0 at the end:
    /// [read(2)](https://man7.org/linux/man-pages/man2/read.2.html).
    fn read(&mut self, file: &mut Self::File, buffer: &mut [u8]) -> Result<usize, Errno>;

    /// Writes `bytes` at the file's offset (at its end with `O_APPEND`) and advances it; returns how
    /// many were taken, which may be fewer:
    /// [write(2)](https://man7.org/linux/man-pages/man2/write.2.html).
    fn write(&mut self, file: &mut Self::File, bytes: &[u8]) -> Result<usize, Errno>;

    /// Reads up to `buffer.len()` bytes from `offset` on and leaves the file's offset where it is; 0
    /// at the end: [pread(2)](https://man7.org/linux/man-pages/man2/pread.2.html). An offset of 2⁶³
    /// or more is answered `EINVAL`, here and below.
    fn pread(
        &mut self,
        file: &mut Self::File,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<usize, Errno>;

    /// Writes `bytes` from `offset` on and leaves the file's offset where it is; returns how many
    /// were taken: [pwrite(2)](https://man7.org/linux/man-pages/man2/pwrite.2.html). With
    /// `O_APPEND` Linux writes at the end, whatever the offset.
    fn pwrite(&mut self, file: &mut Self::File, bytes: &[u8], offset: u64) -> Result<usize, Errno>;

    /// Moves the file's offset and returns where it is then:
    /// [lseek(2)](https://man7.org/linux/man-pages/man2/lseek.2.html). It may lie beyond the end. An
    /// open directory goes back to its beginning (`Start(0)`); every other place in a directory,
    /// `Data` and `Hole` are answered `EINVAL` by every world.
    fn lseek(&mut self, file: &mut Self::File, to: SeekFrom) -> Result<u64, Errno>;

    /// Gives a file that is open for writing this length; what is new reads as zeros:
    /// [ftruncate(2)](https://man7.org/linux/man-pages/man2/ftruncate.2.html). (There is no
    /// `truncateat`. `open` with `O_WRONLY` and this are `truncate` in two calls.)
    fn ftruncate(&mut self, file: &mut Self::File, length: u64) -> Result<(), Errno>;

    /// Makes the file's content, or a directory's entries, durable:
    /// [fsync(2)](https://man7.org/linux/man-pages/man2/fsync.2.html).
    fn fsync(&mut self, file: &mut Self::File) -> Result<(), Errno>;

    /// Makes the file's content durable, and of the rest what it takes to read it:
    /// [fdatasync(2)](https://man7.org/linux/man-pages/man2/fdatasync.2.html).
    fn fdatasync(&mut self, file: &mut Self::File) -> Result<(), Errno>;

    /// Says what a path names. The flags say whether a final link is followed: none, or
    /// `SYMLINK_NOFOLLOW` (others are answered `EINVAL`):
    /// [fstatat(2)](https://man7.org/linux/man-pages/man2/stat.2.html).
    fn stat<'p>(
        &mut self,
        at: impl Into<At<'p, Self::File>>,
        flags: AtFlags,
    ) -> Result<Status, Errno>;

    /// Says what is open: [fstat(2)](https://man7.org/linux/man-pages/man2/stat.2.html).
    fn fstat(&mut self, file: &mut Self::File) -> Result<Status, Errno>;

    /// Asks whether the caller may do this with what a path names; with `Access::EXISTS`, whether
    /// it names anything. The flags are [`stat`](FileSystem::stat)'s. It is the *effective* user
    /// whose permissions count, as with `AT_EACCESS`:
    /// [faccessat(2)](https://man7.org/linux/man-pages/man2/faccessat.2.html).
    fn access<'p>(
        &mut self,
        at: impl Into<At<'p, Self::File>>,
        access: Access,
        flags: AtFlags,
    ) -> Result<(), Errno>;

    /// Changes the mode of what a path names, following a final link:
    /// [fchmodat(2)](https://man7.org/linux/man-pages/man2/chmod.2.html).
    fn chmod<'p>(&mut self, at: impl Into<At<'p, Self::File>>, mode: Mode) -> Result<(), Errno>;

    /// The same, with [`stat`](FileSystem::stat)'s flags. A symbolic link that is not followed has no
    /// mode to change: it is answered `EOPNOTSUPP`, everything else as `fchmodat2(2)` does.
    fn chmod_with<'p>(
        &mut self,
        at: impl Into<At<'p, Self::File>>,
        mode: Mode,
        flags: AtFlags,
    ) -> Result<(), Errno>;

    /// Changes the mode of what is open:
    /// [fchmod(2)](https://man7.org/linux/man-pages/man2/chmod.2.html).
    fn fchmod(&mut self, file: &mut Self::File, mode: Mode) -> Result<(), Errno>;

    /// Gives what a path names another owner, another group, or both; `None` leaves it as it is. The
    /// flags are [`stat`](FileSystem::stat)'s, so that a link that is not followed changes hands
    /// itself. Only root gives away; an owner may choose among the groups that it is in. What is no
    /// directory loses its set-user-ID bit, and mostly its set-group-ID bit:
    /// [fchownat(2)](https://man7.org/linux/man-pages/man2/chown.2.html).
    fn chown<'p>(
        &mut self,
        at: impl Into<At<'p, Self::File>>,
        owner: Option<Uid>,
        group: Option<Gid>,
        flags: AtFlags,
    ) -> Result<(), Errno>;

    /// The same of what is open: [fchown(2)](https://man7.org/linux/man-pages/man2/chown.2.html).
    fn fchown(
        &mut self,
        file: &mut Self::File,
        owner: Option<Uid>,
        group: Option<Gid>,
    ) -> Result<(), Errno>;

    /// Sets the times of what a path names. `UTIME_NOW` and `UTIME_OMIT` are understood; the flags are
    /// [`stat`](FileSystem::stat)'s:
    /// [utimensat(2)](https://man7.org/linux/man-pages/man2/utimensat.2.html). A simulation keeps the
    /// time of the last modification alone, and that only where it
    /// [has a clock](SimFs::with_clock): else it answers `ENOSYS`.
    fn utimensat<'p>(
        &mut self,
        at: impl Into<At<'p, Self::File>>,
        times: &Timestamps,
        flags: AtFlags,
    ) -> Result<(), Errno>;

    /// The same of what is open:
    /// [futimens(3)](https://man7.org/linux/man-pages/man3/futimens.3p.html).
    fn futimens(&mut self, file: &mut Self::File, times: &Timestamps) -> Result<(), Errno>;

    /// Removes a name; the file lives on while it has other names or is open:
    /// [unlinkat(2)](https://man7.org/linux/man-pages/man2/unlinkat.2.html).
    fn unlink<'p>(&mut self, at: impl Into<At<'p, Self::File>>) -> Result<(), Errno>;

    /// Renames `from` to `to`, replacing what `to` named:
    /// [renameat(2)](https://man7.org/linux/man-pages/man2/renameat.2.html). Where both name one
    /// file, does nothing and succeeds. Final links are renamed or replaced, not followed.
    fn rename<'p>(
        &mut self,
        from: impl Into<At<'p, Self::File>>,
        to: impl Into<At<'p, Self::File>>,
    ) -> Result<(), Errno>;

    /// Renames with [`RenameFlags`]: none, `NOREPLACE` (`EEXIST` where `to` names something) or
    /// `EXCHANGE` (the two names change places); others are answered `EINVAL`:
    /// [renameat2(2)](https://man7.org/linux/man-pages/man2/renameat2.2.html).
    fn rename_with<'p>(
        &mut self,
        from: impl Into<At<'p, Self::File>>,
        to: impl Into<At<'p, Self::File>>,
        flags: RenameFlags,
    ) -> Result<(), Errno>;

    /// Gives the file `from` a second name `to`, following no final link:
    /// [linkat(2)](https://man7.org/linux/man-pages/man2/linkat.2.html).
    fn link<'p>(
        &mut self,
        from: impl Into<At<'p, Self::File>>,
        to: impl Into<At<'p, Self::File>>,
    ) -> Result<(), Errno>;

    /// The same, with flags: none, or `SYMLINK_FOLLOW`, by which what a final link of `from` leads to
    /// gets the name (others are answered `EINVAL`).
    fn link_with<'p>(
        &mut self,
        from: impl Into<At<'p, Self::File>>,
        to: impl Into<At<'p, Self::File>>,
        flags: AtFlags,
    ) -> Result<(), Errno>;

    /// Gives an open file (one that `O_TMPFILE` made has none yet) the name `to`: `linkat(2)` with
    /// `AT_EMPTY_PATH`.
    fn link_file<'p>(
        &mut self,
        file: &mut Self::File,
        to: impl Into<At<'p, Self::File>>,
    ) -> Result<(), Errno>;

    /// Makes a symbolic link that says `target`:
    /// [symlinkat(2)](https://man7.org/linux/man-pages/man2/symlinkat.2.html).
    fn symlink<'p>(
        &mut self,
        target: &Path,
        at: impl Into<At<'p, Self::File>>,
    ) -> Result<(), Errno>;

    /// Reads what a symbolic link says:
    /// [readlinkat(2)](https://man7.org/linux/man-pages/man2/readlinkat.2.html).
    fn readlink<'p>(&mut self, at: impl Into<At<'p, Self::File>>) -> Result<PathBuf, Errno>;

    /// Makes a directory: [mkdirat(2)](https://man7.org/linux/man-pages/man2/mkdirat.2.html).
    fn mkdir<'p>(&mut self, at: impl Into<At<'p, Self::File>>, mode: Mode) -> Result<(), Errno>;

    /// Makes a regular file, a pipe, a socket or a device:
    /// [mknodat(2)](https://man7.org/linux/man-pages/man2/mknod.2.html). With `FileType::Fifo` it is
    /// `mkfifo(3)`. A device takes root (`EPERM`), but for the character device 0, which everybody
    /// may make. `device` counts for devices alone. Bits of `mode` that are no permissions are
    /// ignored. `ENOSYS` off Linux.
    ///
    /// In a simulation these are names: a pipe or a device opens as a path alone (`O_PATH`). Any other
    /// way to open one is answered `ENXIO`, and is a [mistake](crate::calls::mistaken) of the model.
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
    /// [getdents64(2)](https://man7.org/linux/man-pages/man2/getdents.2.html). The names `.` and `..`
    /// are left out. `lseek` to the beginning reads them all again. `ENOSYS` off Linux.
    ///
    /// The kernel answers as many as fit into 32 KiB, the buffer that the C library has; a simulation
    /// answers all, or [as many as it is told to](SimFs::with_short_listings). The names of one answer
    /// are in order, in every world: in which order a file system has them, it leaves open. It also
    /// leaves open whether a name is answered that was made or removed after the directory was opened
    /// ([`SimFs::getdents_answers`]).
    fn getdents(&mut self, file: &mut Self::File) -> Result<Vec<Dirent>, Errno>;

    /// Takes, converts or releases the advisory lock of an open file description:
    /// [flock(2)](https://man7.org/linux/man-pages/man2/flock.2.html).
    ///
    /// Where the call would wait, a world answers [`Errno::WOULDBLOCK`] at once, and the process
    /// answers [`Step::Blocked`](crate::Step::Blocked); only [`OsFs::waiting`] waits in the kernel.
    /// A conversion (from shared to exclusive, or back) so answered has changed something: the lock
    /// held before is lost, and the process goes on ([`Step::Next`](crate::Step::Next)) to where
    /// it holds none.
    fn flock(&mut self, file: &mut Self::File, operation: FlockOperation) -> Result<(), Errno>;

    /// Takes, converts or releases the lock that an open file description has on some bytes, its open
    /// file description's and not its process's:
    /// [fcntl(2)](https://man7.org/linux/man-pages/man2/fcntl.2.html) with `F_OFD_SETLK`. A shared
    /// lock takes a file that is open for reading, an exclusive one a file that is open for writing
    /// (`EBADF`). It has nothing to do with [`flock`](FileSystem::flock). Bytes from 2⁶³ on are
    /// answered `EINVAL` by every world. `ENOSYS` off Linux.
    ///
    /// Where the call would wait (`F_OFD_SETLKW`), a world answers [`Errno::WOULDBLOCK`], as `flock`
    /// does; unlike there, nothing has changed then.
    fn fcntl_ofd_setlk(
        &mut self,
        file: &mut Self::File,
        operation: FlockOperation,
        bytes: ByteRange,
    ) -> Result<(), Errno>;

    /// Looks at the world without that being a step: for an observer that judges what a process
    /// did, in the same step. Nobody is [told](crate::calls) of it.
    fn observed<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T
    where
        Self: Sized,
    {
        untold(|| look(self))
    }

    /// Says which file is open, for whoever tells of a call: not a call itself, and no step. `None` where
    /// a world does not know.
    fn which(&mut self, _file: &mut Self::File) -> Option<Status> {
        None
    }

    /// How many answers [`getdents`](FileSystem::getdents) may give now, where that is open; not a call
    /// either.
    fn listings(&mut self, _file: &mut Self::File) -> usize {
        1
    }

    /// Reads the next names with the answer of this index, of so many as [there are](FileSystem::listings).
    ///
    /// # Errors
    ///
    /// Those of [`getdents`](FileSystem::getdents).
    fn getdents_as(&mut self, file: &mut Self::File, answer: usize) -> Result<Vec<Dirent>, Errno> {
        let _ = answer;
        self.getdents(file)
    }

    /// A number for the state that the world is in, if it can say so: the same as before means that nobody
    /// has changed anything. Not a call either.
    fn version(&mut self) -> Option<u64> {
        None
    }

    /// Closes the file, releasing its lock. On a real system dropping it does the same; in a
    /// simulated one only this releases a lock, so a process that holds one says so.
    ///
    /// It is a call like any other: a step that closes makes no other. A file that holds no lock is
    /// dropped instead, within whatever step: nobody else can see when it is closed.
    fn close(&mut self, file: Self::File);
}
