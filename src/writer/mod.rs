//! Third floor: writing a file that nobody else made, in a directory where others may act.
//! Imports [`fs`](crate::fs).
//!
//! [`write_exclusive`] [carries out](carry_out()) a list of operations: [`NEW`] or [`REPLACE`].
//! [`models::credential`](crate::models::credential) explores the same lists and the same function.

mod carry_out;
mod error;
mod options;
mod path;
mod program;

use std::path::{Path, PathBuf};

pub use carry_out::carry_out;
pub use error::{Leftover, PathFault, WriteError, WriteFault};
pub use options::Options;
pub use program::{Exchange, Left, Op, Outcome, Place, Plan, WriteEnd};

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use crate::fs::LinuxOpenFlags as _;
use crate::fs::{Errno, Mode, OFlags, OsFs, ResolveFlags, Uid};
use crate::nonce::nonce;

/// How P's directory is opened: once, through no link.
const ANCHOR: Op = Op::Anchor(OFlags::DIRECTORY.union(OFlags::PATH), ResolveFlags::NO_SYMLINKS);
/// How a temporary file is made.
const OWN: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW);

/// The operations of [`write_exclusive`] when it does not replace.
pub const NEW: &[Op] = &[ANCHOR, Op::CreateUnnamed, Op::SetMode, Op::Write, Op::Sync, Op::Link];

/// The operations of [`write_exclusive`] in place of [`NEW`] on two kinds of system: a file system
/// that has no files without a name, and any system but Linux, where such a file cannot be given a
/// name.
///
/// It differs from [`NEW`] in two ways. If the process dies, it leaves its private directory
/// behind. And somebody else can move that directory away, and so keep the file from being written.
pub const NEW_BY_NAME: &[Op] = &by_name(Op::RenameNew);

/// The operations of [`write_exclusive`] when it replaces an existing file.
pub const REPLACE: &[Op] = &by_name(Op::Exchange(Exchange::WHOLE));

/// Writes a file in a private directory, and puts it in place.
const fn by_name(put: Op) -> [Op; 11] {
    [
        ANCHOR,
        Op::Look,
        Op::PrivateDirectory { inspects: true },
        Op::CreateTemporary(OWN),
        Op::SetMode,
        Op::Identify,
        Op::Write,
        Op::Sync,
        put,
        Op::RemovePrivate,
        Op::Verify,
    ]
}

/// Writes `bytes` to a file at `path` that this call makes. The file is written whole or not at
/// all, with exactly the mode asked for, whoever else acts in the directory meanwhile. No link is
/// followed, unless [`follow_parents`](Options::follow_parents) is set.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use toctou::writer::{Options, WriteFault, write_exclusive};
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path().canonicalize()?;
/// let path = folder.join("credential");
/// write_exclusive(&path, b"4242 4242 4242 4242", &Options::default())?;
///
/// // It is there now, so it is not made again.
/// let again = write_exclusive(&path, b"another", &Options::default());
/// assert_eq!(again.unwrap_err().fault, WriteFault::Exists);
/// assert_eq!(std::fs::read(&path)?, b"4242 4242 4242 4242");
///
/// let replacing = Options { replace: true, ..Options::default() };
/// write_exclusive(&path, b"another", &replacing)?;
/// assert_eq!(std::fs::read(&path)?, b"another");
/// # Ok(())
/// # }
/// ```
///
/// # Promised
///
/// | | not replacing | with [`replace`](Options::replace) |
/// | --- | --- | --- |
/// | what is at the path is | what was there, or all of `bytes` | what was there, or all of `bytes` |
/// | a file that is there | is never touched: [`Exists`](WriteFault::Exists) | is replaced; its other names keep it |
/// | a symbolic link that is there | is neither followed nor touched | is not followed; put back if it appeared after the first look |
/// | a directory, a device, a pipe | is never touched | likewise put back |
/// | before it is whole | the file has no name | it is in a directory that only its owner can enter |
/// | the mode | is set before the first byte is written | likewise |
/// | the parents | are opened once, through no link | likewise |
/// | success means | it got the name; if durable, it was still there afterwards | it was still at the path afterwards |
/// | of several calls at once | exactly one succeeds | the last one does; see below |
///
/// A call that fails removes what it made. If it cannot even do that, the error says what is left
/// and where ([`WriteError::left`]).
///
/// With [`durable`](Options::durable), the file survives a power failure once this returns. Without
/// it, a power failure soon after may leave an empty or short file under the right name on some
/// file systems.
///
/// # Replacing, several at once
///
/// Each call puts a whole file in place and then looks whether that file is there. If another call
/// replaces the file between the two steps, the first call is told
/// [`NotPrivate`](WriteFault::NotPrivate), although the other meant no harm. At least one call
/// succeeds, and the path holds a whole file at every moment.
///
/// A link may appear at the path after the first look. Then the new file stands in its place for a
/// moment, and the link is put back. If somebody puts a file of their own there in that same
/// moment, that file is left behind ([`Leftover::displaced`]) and not destroyed.
///
/// # Not promised
///
/// - That the file *stays*, in a directory that others may write to and that is not sticky. They
///   can rename or remove it a moment later. They cannot read it or change it.
/// - Anything against root, or against other programs of the same user. They can enter the private
///   directory and open the file.
/// - That only its owner can read the file, where the directory has a default ACL. Users named
///   there get what the group bits of [`mode`](Options::mode) grant; 0600 grants nothing.
/// - Atomicity that a network file system does not give: `linkat` and `renameat2` have to be atomic
///   for all hosts. NFS has no exchange of names, so nothing is replaced there (a
///   [`Failed`](WriteFault::Failed) `renameat2`). Without hard links (FAT), no file is made.
/// - To replace a file under a umask that takes permissions from the owner. Then the call cannot
///   use the private directory that it made ([`Denied`](WriteFault::Denied)).
/// - That a new file has no name before it is whole, where the file system makes no files without a
///   name (`O_TMPFILE`). There its name is in a directory that only its owner can enter, as when a
///   file is replaced.
/// - That a process that dies cleans up. Where a file is replaced, or none is made without a name,
///   it leaves its private directory `.toctou.…`. In it may be the new file, or the one that was
///   replaced. Remove it when no writer is running.
/// - That the call ends. Somebody who answers each of its system calls with one of their own can
///   keep it trying for ever.
/// - To keep the owner, ACL, extended attributes and other names of a file that is replaced. The
///   new file is a new file.
///
/// # Off Linux
///
/// On macOS:
///
/// - A new file is written in a private directory and renamed ([`NEW_BY_NAME`]), as a replacing
///   file is everywhere. A process that dies leaves that directory behind.
/// - There is no `openat2`. The parents are opened one by one, through no link either. A path with
///   `..` after a name is refused, and so is following links beneath a directory.
/// - Directories on the way have to be readable.
/// - `fsync` reaches the drive, but perhaps not the disk in it.
/// - `/tmp` and `/var` are links: name `/private/tmp`, or follow parents.
///
/// This crate does not build for other systems: they lack a rename that does not replace.
pub fn write_exclusive(
    path: impl AsRef<Path>,
    bytes: &[u8],
    options: &Options,
) -> Result<(), WriteError> {
    let path = path.as_ref();
    let parts = path::parts(path).map_err(|fault| WriteFault::BadPath(fault).at(path))?;
    let anchor = OsFs::open_unread(parts.anchor)
        .map_err(|errno| WriteFault::of(options, "open", errno).at(path))?;
    Request { anchor: &anchor, path, parts, bytes, options }.write(false)
}

/// Writes like [`write_exclusive`], beneath an open directory. Neither `..` nor a link leads out of
/// that directory, even where links are followed.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use toctou::fs::OsFs;
/// use toctou::writer::{Options, PathFault, WriteFault, write_exclusive_in};
///
/// # let folder = tempfile::tempdir()?;
/// let uploads = OsFs::open(folder.path())?;
/// write_exclusive_in(&uploads, "report.pdf", b"%PDF", &Options::default())?;
///
/// let outside = write_exclusive_in(&uploads, "../report.pdf", b"%PDF", &Options::default());
/// assert_eq!(outside.unwrap_err().fault, WriteFault::BadPath(PathFault::Outside));
/// # Ok(())
/// # }
/// ```
///
/// Without `openat2`, links cannot be followed: a call that asks for it ends with
/// [`Failed`](WriteFault::Failed).
pub fn write_exclusive_in(
    directory: &OsFs,
    path: impl AsRef<Path>,
    bytes: &[u8],
    options: &Options,
) -> Result<(), WriteError> {
    let path = path.as_ref();
    let parts = path::parts(path).map_err(|fault| WriteFault::BadPath(fault).at(path))?;
    if parts.anchor != Path::new(".") {
        return Err(WriteFault::BadPath(PathFault::Outside).at(path));
    }
    Request { anchor: directory, path, parts, bytes, options }.write(true)
}

/// What to write, and where.
struct Request<'a> {
    anchor: &'a OsFs,
    path: &'a Path,
    parts: path::Parts<'a>,
    bytes: &'a [u8],
    options: &'a Options,
}

impl Request<'_> {
    fn write(self, beneath: bool) -> Result<(), WriteError> {
        let mode = self.options.mode;
        if !(Mode::RWXU | Mode::RWXG | Mode::RWXO).contains(mode) {
            return Err(WriteFault::BadMode(mode).at(self.path));
        }
        let program = self.options.program(beneath);
        let is_named = |op: &Op| matches!(op, Op::PrivateDirectory { .. } | Op::CreateTemporary(_));
        // A file without a name needs no random one, which would take as long as a system call.
        if program.iter().any(is_named) {
            return self.carry_out(&program, &self.temporary()?);
        }
        match self.carry_out(&program, Path::new("")) {
            // The file system has none.
            Err(WriteError {
                fault: WriteFault::Failed { call: "open", errno: Errno::OPNOTSUPP },
                ..
            }) => {
                let program = self.options.adapted(NEW_BY_NAME, beneath);
                self.carry_out(&program, &self.temporary()?)
            }
            done => done,
        }
    }

    fn carry_out(&self, program: &[Op], temporary: &Path) -> Result<(), WriteError> {
        let is_private = |op: &Op| matches!(op, Op::PrivateDirectory { .. });
        let owner = match program.iter().any(is_private) {
            true => rustix::process::geteuid(),
            // Nobody asks.
            false => Uid::ROOT,
        };
        let plan = Plan {
            program,
            directory: self.parts.directory,
            name: self.parts.name,
            temporary,
            bytes: self.bytes,
            mode: self.options.mode,
            owner,
            replace: self.options.replace,
        };
        let end = carry_out(&mut &*self.anchor, &plan);
        error::result(self.path, temporary, self.options, end.outcome, end.left)
    }

    /// A name that nobody else uses or can guess.
    fn temporary(&self) -> Result<PathBuf, WriteError> {
        let nonce = nonce();
        let nonce = nonce.as_ref().and_then(|nonce| str::from_utf8(nonce).ok());
        nonce
            .map(|nonce| format!(".toctou.{nonce}").into())
            .ok_or_else(|| WriteFault::Failed { call: "getrandom", errno: Errno::IO }.at(self.path))
    }
}
