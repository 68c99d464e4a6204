//! The file system world: the trait, [`SimFs`] (a pure value), [`OsFs`] (the kernel), and a
//! recorder. First floor: imports [`process`](crate::process) and rustix, nothing above.
//!
//! The trait speaks the kernel's language, in rustix's words: one method a system call, its name
//! the call's, its flags rustix's, its error the kernel's own code. Whoever knows `openat(2)` needs
//! no further guide.

mod errno;
mod os;
mod path;
mod recorded;
mod sim;
mod tree;

use std::path::Path;

pub use errno::errno_name;
pub use os::{OsFile, OsFs};
pub use recorded::{Recorded, recorded_step};
pub use rustix::fs::{FlockOperation, Mode, OFlags, RenameFlags};
pub use rustix::io::Errno;
pub use sim::{SimFile, SimFs};
pub use tree::{Node, Tree};

/// A file system, as far as this crate's protocols need one.
///
/// Paths are relative to the directory the world is anchored at; one that leaves it (an absolute
/// one, or more `..` than names before them) is answered `EXDEV`, as by `openat2(2)` with
/// `RESOLVE_BENEATH`. Every method is one system call, and atomic with respect to every other. An
/// open file is a value its process holds, not an entry of a table in the world: [`OsFs`] has
/// descriptors, [`SimFs`] has (inode, flags, offset).
pub trait FileSystem {
    /// An open file description. Dropping it closes it.
    type File;

    /// Opens `path`, creating it with `mode` (less the umask) where `flags` say so:
    /// [openat(2)](https://man7.org/linux/man-pages/man2/openat.2.html). Flags that a simulation
    /// cannot keep (`O_PATH`, `O_TMPFILE`, `O_DIRECT`, …) are answered `EINVAL` by every world.
    fn open(&mut self, path: &Path, flags: OFlags, mode: Mode) -> Result<Self::File, Errno>;

    /// Reads up to `buffer.len()` bytes at the file's offset and advances it; 0 at the end:
    /// [read(2)](https://man7.org/linux/man-pages/man2/read.2.html).
    fn read(&mut self, file: &mut Self::File, buffer: &mut [u8]) -> Result<usize, Errno>;

    /// Writes `bytes` at the file's offset (at its end with `O_APPEND`) and advances it; returns how
    /// many were taken: [write(2)](https://man7.org/linux/man-pages/man2/write.2.html).
    fn write(&mut self, file: &mut Self::File, bytes: &[u8]) -> Result<usize, Errno>;

    /// Makes the file's content durable:
    /// [fsync(2)](https://man7.org/linux/man-pages/man2/fsync.2.html).
    fn fsync(&mut self, file: &mut Self::File) -> Result<(), Errno>;

    /// Removes the name `path`; the file lives on while it has other names or is open:
    /// [unlinkat(2)](https://man7.org/linux/man-pages/man2/unlinkat.2.html).
    fn unlink(&mut self, path: &Path) -> Result<(), Errno>;

    /// Renames `from` to `to`, replacing what `to` named:
    /// [renameat(2)](https://man7.org/linux/man-pages/man2/renameat.2.html). Where both name one
    /// file, does nothing and succeeds.
    fn rename(&mut self, from: &Path, to: &Path) -> Result<(), Errno>;

    /// Renames with [`RenameFlags`] (only `NOREPLACE` is understood by every world here):
    /// [renameat2(2)](https://man7.org/linux/man-pages/man2/renameat2.2.html).
    fn rename_with(&mut self, from: &Path, to: &Path, flags: RenameFlags) -> Result<(), Errno>;

    /// Gives the file `from` a second name `to`:
    /// [linkat(2)](https://man7.org/linux/man-pages/man2/linkat.2.html).
    fn link(&mut self, from: &Path, to: &Path) -> Result<(), Errno>;

    /// Makes a directory: [mkdirat(2)](https://man7.org/linux/man-pages/man2/mkdirat.2.html).
    fn mkdir(&mut self, path: &Path, mode: Mode) -> Result<(), Errno>;

    /// Removes an empty directory: `unlinkat(2)` with `AT_REMOVEDIR`.
    fn rmdir(&mut self, path: &Path) -> Result<(), Errno>;

    /// Says whether `path` names anything, following no final link:
    /// [faccessat(2)](https://man7.org/linux/man-pages/man2/faccessat.2.html) with `F_OK`.
    fn access(&mut self, path: &Path) -> Result<(), Errno>;

    /// Takes, converts or releases the advisory lock of an open file description:
    /// [flock(2)](https://man7.org/linux/man-pages/man2/flock.2.html).
    ///
    /// Where the call would wait, a world answers [`Errno::WOULDBLOCK`] at once, and the process
    /// answers [`Step::Blocked`](crate::Step::Blocked); only [`OsFs::waiting`] waits in the kernel.
    /// A conversion (from shared to exclusive, or back) so answered has changed something: the lock
    /// held before is lost, and the process goes on ([`Step::Next`](crate::Step::Next)) to where
    /// it holds none.
    fn flock(&mut self, file: &mut Self::File, operation: FlockOperation) -> Result<(), Errno>;

    /// Closes the file, releasing its lock. On a real system dropping it does the same; in a
    /// simulated one only this releases a lock, so a process that holds one says so.
    fn close(&mut self, file: Self::File);
}
