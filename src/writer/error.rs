//! Third floor, `writer`: what can go wrong, and what is on disk then. Imports [`fs`](crate::fs)
//! and its neighbours in `writer`.

use std::fmt;
use std::path::{Path, PathBuf};

use super::options::Options;
use super::program::{Left, Outcome};
use crate::errno::errno_told;
use crate::fs::{Errno, Mode};

/// Why a path does not name a file that could be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PathFault {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It has a zero byte in it.
    #[error("it has a zero byte in it")]
    Nul,
    /// It ends with `/`, `.` or `..`.
    #[error("it ends without the name of a file")]
    NoName,
    /// It goes up (`..`) further than it went down before: `a/../../b`.
    #[error("it goes up further than it went down; begin it with `..`, or make it absolute")]
    Climbs,
    /// It starts outside the directory that it has to stay beneath.
    #[error("it is to stay beneath a directory, and starts outside")]
    Outside,
}

/// Something that a writer could not remove.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Leftover {
    /// Its path. If this is a private directory, its content is left behind as well.
    pub path: PathBuf,
    /// Whether it may be the former entry at P, moved aside, and not the writer's own file.
    pub displaced: bool,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.displaced {
            true => {
                write!(f, "{path} may hold what was there: look, then move it back or remove it")
            }
            false => write!(f, "{path} could not be removed: remove it by hand"),
        }
    }
}

/// Why [`write_exclusive`](super::write_exclusive) did not do all that it was asked to, and what is
/// on disk now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct WriteError {
    /// The path.
    pub path: PathBuf,
    /// What went wrong. Unless it says otherwise, nothing was written, and the former entry at the
    /// path is still there.
    pub fault: WriteFault,
    /// What was left behind and should not be there: it could not be removed, or put back.
    pub left: Option<Leftover>,
}

/// What went wrong. Its text continues a sentence that begins with the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum WriteFault {
    /// The path names no file.
    #[error("cannot be written to: {0}")]
    BadPath(PathFault),
    /// The mode asked for has more than permission bits. Writing to the file would clear the
    /// others.
    #[error("mode {:o} is more than permissions: set-ID and sticky bits cannot be asked for", .0.as_raw_mode())]
    BadMode(Mode),
    /// There is an entry at the path, and it was not to be replaced.
    #[error(
        "exists and was left as it is: choose another name, or replace it (`Options::replace`)"
    )]
    Exists,
    /// There is a symbolic link at the path, which is neither followed nor replaced.
    #[error("is a symbolic link and was left as it is: name what it leads to, or remove it")]
    IsSymlink,
    /// There is a directory at the path, which is not replaced.
    #[error("is a directory and was left as it is: name a file in it")]
    IsDirectory,
    /// There is a device, a pipe or a socket at the path, which is not replaced.
    #[error("is no regular file (a device, a pipe, a socket) and was left as it is")]
    IsSpecial,
    /// The file was put at the path, whole, and is not there any more. Somebody else has replaced,
    /// moved or removed it since. An entry that is there now is theirs.
    #[error(
        "was written, but somebody else replaced or moved it at once: what is there now is not what was written"
    )]
    NotPrivate,
    /// The file was put at the path, whole. Whether it is still there could not be checked.
    #[error("was written, but whether it is still there could not be seen: lstat failed: {}; look yourself", errno_told(*.0))]
    Unverified(Errno),
    /// Somebody removed or replaced the private directory in which the file was to be written.
    #[error(
        "was not written: somebody else interferes in its directory; choose one that others cannot write to"
    )]
    Interfered,
    /// The file is at the path, whole, but may not survive a power failure.
    #[error("is written, but perhaps not there after a power failure: fsync of its directory failed: {}", errno_told(*.0))]
    NotDurable(Errno),
    /// The file is at the path, whole, but something else could not be removed. That may hold the
    /// former content of the path.
    #[error("is written")]
    Unremoved,
    /// A link, a directory or a device came to the path after the first look. It was moved aside
    /// and could not be put back. The new file is at the path, unless somebody moved it.
    #[error("is not to be replaced, was moved aside, and could not be put back: {call} failed: {}", errno_told(*errno))]
    NotPutBack {
        /// The system call.
        call: &'static str,
        /// Its error.
        errno: Errno,
    },
    /// There is a symbolic link on the way to the file's directory.
    #[error(
        "was not written: there is a symbolic link on the way; name the directory that it leads to, or follow links (`Options::follow_parents`)"
    )]
    LinkInPath,
    /// A link on the way leads out of the directory that the path has to stay beneath.
    #[error(
        "was not written: a link on the way leads out of the directory that it is to stay beneath"
    )]
    Outside,
    /// There is no such directory, or it was removed meanwhile.
    #[error("was not written: its directory does not exist; create it first")]
    NoDirectory,
    /// Something on the way is not a directory.
    #[error("was not written: something on the way to it is not a directory")]
    NotADirectory,
    /// The system does not permit it.
    #[error("was not written: {call} failed: {}; its directory must be the user's to search and to write to", errno_told(*errno))]
    Denied {
        /// The system call.
        call: &'static str,
        /// Its error.
        errno: Errno,
    },
    /// The disk is full, or a quota is used up.
    #[error("was not written: {}; free some space and try again", errno_told(*.0))]
    NoSpace(Errno),
    /// The file system is mounted read-only.
    #[error("was not written: its file system is read-only; mount it writable")]
    ReadOnly,
    /// A name or the path is longer than the system can take.
    #[error(
        "was not written: the name or the path is too long; most systems take 255 bytes a name, 4095 a path"
    )]
    TooLong,
    /// Any other error of the system.
    #[error("was not written: {call} failed: {}{}", errno_told(*errno), advice(call, *errno))]
    Failed {
        /// The system call.
        call: &'static str,
        /// Its error.
        errno: Errno,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WriteError { path, fault, left } = self;
        match fault {
            WriteFault::BadPath(_) => write!(f, "{path:?} {fault}")?,
            WriteFault::BadMode(_) => write!(f, "{fault}")?,
            WriteFault::NotPutBack { .. } => {
                write!(f, "something came to {} that {fault}", path.display())?;
            }
            _ => write!(f, "{} {fault}", path.display())?,
        }
        match left {
            Some(left) if *fault == WriteFault::Unremoved => write!(f, ", but {left}"),
            Some(left) => write!(f, "; {left}"),
            None => Ok(()),
        }
    }
}

impl WriteError {
    /// Whether the file is written all the same: it was whole and in its place when it was last
    /// checked.
    pub fn is_written(&self) -> bool {
        matches!(self.fault, WriteFault::NotDurable(_) | WriteFault::Unremoved)
    }
}

impl WriteFault {
    /// The error with nothing left behind.
    pub(super) fn at(self, path: &Path) -> WriteError {
        WriteError { path: path.to_owned(), fault: self, left: None }
    }

    /// A call failed before anything was written.
    pub(super) fn of(options: &Options, call: &'static str, errno: Errno) -> Self {
        let is_anchoring = matches!(call, "open" | "openat2");
        match errno {
            Errno::LOOP if is_anchoring && !options.follow_parents => WriteFault::LinkInPath,
            Errno::XDEV if is_anchoring => WriteFault::Outside,
            // A file has no name that is not given to it: that is about something else.
            Errno::NOENT if call != "linkat" => WriteFault::NoDirectory,
            Errno::NOTDIR => WriteFault::NotADirectory,
            Errno::ACCESS => WriteFault::Denied { call, errno },
            // Of a link, it says that the file system has none.
            Errno::PERM if call != "linkat" => WriteFault::Denied { call, errno },
            Errno::NOSPC | Errno::DQUOT => WriteFault::NoSpace(errno),
            Errno::ROFS => WriteFault::ReadOnly,
            Errno::NAMETOOLONG => WriteFault::TooLong,
            _ => WriteFault::Failed { call, errno },
        }
    }
}

/// What a writer's end means to whoever asked for it. `temporary` is the name that it may have
/// left.
pub(super) fn result(
    path: &Path,
    temporary: &Path,
    options: &Options,
    outcome: Outcome,
    left: Left,
) -> Result<(), WriteError> {
    let displaced = left == Left::Displaced;
    let fault = match outcome {
        // Of what is made at the path itself, no program that ships leaves a part.
        Outcome::Written if matches!(left, Left::Nothing | Left::Part) => return Ok(()),
        Outcome::Written => WriteFault::Unremoved,
        Outcome::NotDurable { errno } => WriteFault::NotDurable(errno),
        Outcome::Exists => WriteFault::Exists,
        Outcome::IsSymlink => WriteFault::IsSymlink,
        Outcome::IsDirectory => WriteFault::IsDirectory,
        Outcome::IsSpecial => WriteFault::IsSpecial,
        Outcome::NotPrivate => WriteFault::NotPrivate,
        Outcome::Unverified { errno } => WriteFault::Unverified(errno),
        Outcome::Interfered => WriteFault::Interfered,
        Outcome::Failed { call, errno } if displaced => WriteFault::NotPutBack { call, errno },
        Outcome::Failed { call, errno } => WriteFault::of(options, call, errno),
    };
    let is_left = matches!(left, Left::Temporary | Left::Displaced);
    let left = is_left.then(|| Leftover { path: path.with_file_name(temporary), displaced });
    Err(WriteError { left, ..fault.at(path) })
}

fn advice(call: &str, errno: Errno) -> &'static str {
    match (call, errno) {
        (_, Errno::MFILE | Errno::NFILE) => " (close some, or raise the limit, and try again)",
        (_, Errno::FBIG) => " (raise the limit, `ulimit -f`, and try again)",
        ("renameat2", Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            " (its file system cannot exchange two names, so nothing can be replaced safely)"
        }
        ("linkat", Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK) => {
            " (its file system has no hard links)"
        }
        ("linkat", Errno::NOENT) => " (its directory was removed, or /proc is not mounted)",
        ("openat2", Errno::NOSYS) => " (without it links cannot be followed beneath a directory)",
        _ => "",
    }
}
