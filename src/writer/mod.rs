//! Third floor: writing a file that nobody else made, in a directory where others may act.
//! Imports [`fs`](crate::fs).
//!
//! [`write_exclusive`] [carries out](carry_out()) a list of operations ([`NEW`] or [`REPLACE`]); the very
//! same lists and function are explored in [`models::credential`](crate::models::credential).

mod carry_out;
mod error;
mod options;
mod path;
mod program;

use std::path::{Path, PathBuf};

pub use carry_out::carry_out;
pub use error::{Leftover, PathFault, WriteError};
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

/// What [`write_exclusive`] does where nothing is to be replaced.
pub const NEW: &[Op] = &[ANCHOR, Op::CreateUnnamed, Op::SetMode, Op::Write, Op::Sync, Op::Link];

/// What [`write_exclusive`] does instead of [`NEW`] where the file system has no files without a
/// name, and off Linux, where none can be given one.
///
/// It differs in what it leaves behind if the process dies, and in that somebody else can move its
/// private directory away and so keep it from writing.
pub const NEW_BY_NAME: &[Op] = &[
    ANCHOR,
    Op::Look,
    Op::PrivateDirectory { inspects: true },
    Op::CreateTemporary(OWN),
    Op::SetMode,
    Op::Identify,
    Op::Write,
    Op::Sync,
    Op::RenameNew,
    Op::RemovePrivate,
    Op::Verify,
];

/// What [`write_exclusive`] does where what is there is replaced.
pub const REPLACE: &[Op] = &[
    ANCHOR,
    Op::Look,
    Op::PrivateDirectory { inspects: true },
    Op::CreateTemporary(OWN),
    Op::SetMode,
    Op::Identify,
    Op::Write,
    Op::Sync,
    Op::Exchange(Exchange::WHOLE),
    Op::RemovePrivate,
    Op::Verify,
];

/// Writes `bytes` to a file at `path` that this call makes: whole or not at all, with exactly the
/// mode asked for, through no link, whoever else acts in its directory meanwhile.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use toctou::writer::{Options, WriteError, write_exclusive};
///
/// # let folder = tempfile::tempdir()?;
/// # let folder = folder.path().canonicalize()?;
/// let path = folder.join("credential");
/// write_exclusive(&path, b"4242 4242 4242 4242", &Options::default())?;
///
/// // It is there now, so it is not made again.
/// let again = write_exclusive(&path, b"another", &Options::default());
/// assert!(matches!(again, Err(WriteError::Exists { .. })));
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
/// | a file that is there | is never touched: [`Exists`](WriteError::Exists) | is replaced; its other names keep it |
/// | a symbolic link that is there | is neither followed nor touched | is not followed, and put back where it came in the last moment |
/// | a directory, a device, a pipe | is never touched | likewise put back |
/// | before it is whole | the file has no name | it is in a directory that only its owner can enter |
/// | the mode | is set before the first byte is written | likewise |
/// | the parents | are opened once, through no link | likewise |
/// | success means | it got the name; if durable, it was still there afterwards | it was still at the path afterwards |
/// | of several calls at once | exactly one succeeds | the last one does; see below |
///
/// A call that fails removes what it made. Where it cannot even do that, the error says what is left
/// and where ([`WriteError::left`]).
///
/// With [`durable`](Options::durable) the file survives a power failure once this returns. Without,
/// a power failure soon after may leave, on some file systems, a file of the right name that is
/// empty or short.
///
/// # Replacing, several at once
///
/// Each call puts a whole file in place, and then looks whether it is there. One that was replaced
/// by another between the two is told [`NotPrivate`](WriteError::NotPrivate), although the other
/// meant no harm. At least one succeeds, and the path holds a whole file at every moment.
///
/// For a moment the new file stands where a link was that came after the first look; then the link
/// is put back. Should somebody take the link's place in that same moment, theirs is what is left
/// ([`Leftover::displaced`]), and not destroyed.
///
/// # Not promised
///
/// - In a directory that others may write to and that is not sticky, that the file *stays*: they can
///   rename or remove it a moment after. They cannot read it or change it.
/// - Anything against root, or against other programs of the same user: they can enter the private
///   directory and open the file.
/// - That only its owner can read it where the directory has a default ACL: users named there get
///   what the group bits of [`mode`](Options::mode) grant; 0600 grants nothing.
/// - On network file systems, what they do not keep themselves: that `linkat` and `renameat2` are
///   atomic for all hosts. NFS has no exchange of names, so nothing is replaced there (a
///   [`Failed`](WriteError::Failed) `renameat2`); without hard links (FAT), nothing is made.
/// - To replace under a umask that takes permissions from the owner: then the private directory is
///   no use to its own maker ([`Denied`](WriteError::Denied)).
/// - Where the file system makes no file without a name (`O_TMPFILE`), that a new file has none before
///   it is whole: it has one in a directory that only its owner can enter, as one that replaces does.
/// - That it ends: who answers each of its calls with one of their own can keep it trying for ever.
/// - Owner, ACL, extended attributes and other names of a file that is replaced: the new file is a new
///   file.
///
/// # Off Linux
///
/// On macOS a new file is written in a private directory and renamed ([`NEW_BY_NAME`]), as one that
/// replaces is everywhere: a process that dies leaves that directory behind. There is no `openat2`:
/// the parents are opened one by one, through no link either, a `..` after a name is refused, and so
/// is following links beneath a directory. Directories on the way have to be readable. `fsync`
/// reaches the drive, and perhaps not the disk in it. (`/tmp` and `/var` are links there: name
/// `/private/tmp`, or follow parents.) This crate does not build for other systems, which lack a
/// rename that does not replace.
pub fn write_exclusive(
    path: impl AsRef<Path>,
    bytes: &[u8],
    options: &Options,
) -> Result<(), WriteError> {
    let path = path.as_ref();
    let parts = path::parts(path).map_err(|fault| bad_path(path, fault))?;
    let anchor = OsFs::open_unread(parts.anchor)
        .map_err(|errno| WriteError::of(path, options, "open", errno, None))?;
    Request { anchor: &anchor, path, parts, beneath: false }.write(bytes, options)
}

/// The same beneath an open directory: neither `..` nor a link leads out of it, even where links are
/// followed.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use toctou::fs::OsFs;
/// use toctou::writer::{Options, WriteError, write_exclusive_in};
///
/// # let folder = tempfile::tempdir()?;
/// let uploads = OsFs::open(folder.path())?;
/// write_exclusive_in(&uploads, "report.pdf", b"%PDF", &Options::default())?;
///
/// let outside = write_exclusive_in(&uploads, "../report.pdf", b"%PDF", &Options::default());
/// assert!(matches!(outside, Err(WriteError::BadPath { .. })));
/// # Ok(())
/// # }
/// ```
///
/// Without `openat2`, links are not followed: [`Failed`](WriteError::Failed) where they are to be.
pub fn write_exclusive_in(
    directory: &OsFs,
    path: impl AsRef<Path>,
    bytes: &[u8],
    options: &Options,
) -> Result<(), WriteError> {
    let path = path.as_ref();
    let parts = path::parts(path).map_err(|fault| bad_path(path, fault))?;
    if parts.anchor != Path::new(".") {
        return Err(bad_path(path, PathFault::Outside));
    }
    Request { anchor: directory, path, parts, beneath: true }.write(bytes, options)
}

fn bad_path(path: &Path, fault: PathFault) -> WriteError {
    WriteError::BadPath { path: path.to_owned(), fault }
}

/// Where to write.
struct Request<'a> {
    anchor: &'a OsFs,
    path: &'a Path,
    parts: path::Parts<'a>,
    beneath: bool,
}

impl Request<'_> {
    fn write(self, bytes: &[u8], options: &Options) -> Result<(), WriteError> {
        let mode = options.mode;
        if !(Mode::RWXU | Mode::RWXG | Mode::RWXO).contains(mode) {
            return Err(WriteError::BadMode { mode });
        }
        let program = options.program(self.beneath);
        let is_named = |op: &Op| matches!(op, Op::PrivateDirectory { .. } | Op::CreateTemporary(_));
        // A file without a name needs no random one, which would take as long as a system call.
        if program.iter().any(is_named) {
            return self.carry_out(&program, &self.temporary(options)?, bytes, options);
        }
        match self.carry_out(&program, Path::new(""), bytes, options) {
            // The file system has none.
            Err(WriteError::Failed { call: "open", errno: Errno::OPNOTSUPP, .. }) => {
                let program = options.adapted(NEW_BY_NAME, self.beneath);
                self.carry_out(&program, &self.temporary(options)?, bytes, options)
            }
            done => done,
        }
    }

    fn carry_out(
        &self,
        program: &[Op],
        temporary: &Path,
        bytes: &[u8],
        options: &Options,
    ) -> Result<(), WriteError> {
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
            bytes,
            mode: options.mode,
            owner,
            replace: options.replace,
        };
        let end = carry_out(&mut &*self.anchor, &plan);
        error::result(self.path, temporary, options, end.outcome, end.left)
    }

    fn temporary(&self, options: &Options) -> Result<PathBuf, WriteError> {
        temporary().ok_or_else(|| WriteError::of(self.path, options, "getrandom", Errno::IO, None))
    }
}

/// A name that nobody else uses or can guess.
fn temporary() -> Option<PathBuf> {
    let nonce = nonce()?;
    let nonce = str::from_utf8(&nonce).ok()?;
    Some(PathBuf::from(format!(".toctou.{nonce}")))
}
