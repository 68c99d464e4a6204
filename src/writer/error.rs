//! Third floor, `writer`: what can go wrong, and what is on disk then. Imports [`fs`](crate::fs)
//! and its neighbours in `writer`.

use std::fmt;
use std::path::{Path, PathBuf};

use super::options::Options;
use super::program::{Left, Outcome};
use crate::fs::{Errno, Mode, errno_name};

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
///
/// Unless a variant says otherwise, nothing was written, and the former entry at the path is still
/// there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The path names no file.
    #[error("{path:?} cannot be written to: {fault}")]
    BadPath {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        fault: PathFault,
    },
    /// The mode asked for has more than permission bits. Writing to the file would clear the
    /// others.
    #[error("mode {:o} is more than permissions: set-ID and sticky bits cannot be asked for", mode.as_raw_mode())]
    BadMode {
        /// The mode.
        mode: Mode,
    },
    /// There is an entry at the path, and it was not to be replaced.
    #[error("{} exists and was left as it is: choose another name, or replace it (`Options::replace`){}", path.display(), told_left(left))]
    Exists {
        /// The path.
        path: PathBuf,
        /// What could not be removed.
        left: Option<Leftover>,
    },
    /// There is a symbolic link at the path, which is neither followed nor replaced.
    #[error("{} is a symbolic link and was left as it is: name what it leads to, or remove it{}", path.display(), told_left(left))]
    IsSymlink {
        /// The path.
        path: PathBuf,
        /// What could not be removed, or put back.
        left: Option<Leftover>,
    },
    /// There is a directory at the path, which is not replaced.
    #[error("{} is a directory and was left as it is: name a file in it{}", path.display(), told_left(left))]
    IsDirectory {
        /// The path.
        path: PathBuf,
        /// What could not be removed, or put back.
        left: Option<Leftover>,
    },
    /// There is a device, a pipe or a socket at the path, which is not replaced.
    #[error("{} is no regular file (a device, a pipe, a socket) and was left as it is{}", path.display(), told_left(left))]
    IsSpecial {
        /// The path.
        path: PathBuf,
        /// What could not be removed, or put back.
        left: Option<Leftover>,
    },
    /// The file was put at the path, whole, and is not there any more. Somebody else has replaced,
    /// moved or removed it since. An entry that is there now is theirs.
    #[error("{} was written, but somebody else replaced or moved it at once: what is there now is not what was written{}", path.display(), told_left(left))]
    NotPrivate {
        /// The path.
        path: PathBuf,
        /// What could not be removed.
        left: Option<Leftover>,
    },
    /// The file was put at the path, whole. Whether it is still there could not be checked.
    #[error("{} was written, but whether it is still there could not be seen: lstat failed: {}; look yourself{}", path.display(), told(*errno), told_left(left))]
    Unverified {
        /// The path.
        path: PathBuf,
        /// The error.
        errno: Errno,
        /// What could not be removed.
        left: Option<Leftover>,
    },
    /// Somebody removed or replaced the private directory in which the file was to be written.
    #[error("{} was not written: somebody else interferes in its directory; choose one that others cannot write to{}", path.display(), told_left(left))]
    Interfered {
        /// The path.
        path: PathBuf,
        /// What could not be removed.
        left: Option<Leftover>,
    },
    /// The file is at the path, whole, but may not survive a power failure.
    #[error("{} is written, but perhaps not there after a power failure: fsync of its directory failed: {}{}", path.display(), told(*errno), told_left(left))]
    NotDurable {
        /// The path.
        path: PathBuf,
        /// The error.
        errno: Errno,
        /// What could not be removed.
        left: Option<Leftover>,
    },
    /// The file is at the path, whole, but something else could not be removed.
    #[error("{} is written, but {left}", path.display())]
    Unremoved {
        /// The path.
        path: PathBuf,
        /// What could not be removed. It may hold the former content of the path.
        left: Leftover,
    },
    /// A link, a directory or a device came to the path after the first look. It was moved aside
    /// and could not be put back. The new file is at the path, unless somebody moved it.
    #[error("something came to {} that is not to be replaced, was moved aside, and could not be put back: {call} failed: {}; {left}", path.display(), told(*errno))]
    NotPutBack {
        /// The path.
        path: PathBuf,
        /// The system call.
        call: &'static str,
        /// Its error.
        errno: Errno,
        /// The entry that was moved aside.
        left: Leftover,
    },
    /// There is a symbolic link on the way to the file's directory.
    #[error("{} was not written: there is a symbolic link on the way; name the directory that it leads to, or follow links (`Options::follow_parents`)", path.display())]
    LinkInPath {
        /// The path.
        path: PathBuf,
    },
    /// A link on the way leads out of the directory that the path has to stay beneath.
    #[error("{} was not written: a link on the way leads out of the directory that it is to stay beneath", path.display())]
    Outside {
        /// The path.
        path: PathBuf,
    },
    /// There is no such directory, or it was removed meanwhile.
    #[error("{} was not written: its directory does not exist; create it first{}", path.display(), told_left(left))]
    NoDirectory {
        /// The path.
        path: PathBuf,
        /// What could not be removed.
        left: Option<Leftover>,
    },
    /// Something on the way is not a directory.
    #[error("{} was not written: something on the way to it is not a directory{}", path.display(), told_left(left))]
    NotADirectory {
        /// The path.
        path: PathBuf,
        /// What could not be removed.
        left: Option<Leftover>,
    },
    /// The system does not permit it.
    #[error("{} was not written: {call} failed: {}; its directory must be the user's to search and to write to{}", path.display(), told(*errno), told_left(left))]
    Denied {
        /// The path.
        path: PathBuf,
        /// The system call.
        call: &'static str,
        /// Its error.
        errno: Errno,
        /// What could not be removed.
        left: Option<Leftover>,
    },
    /// The disk is full, or a quota is used up.
    #[error("{} was not written: {}; free some space and try again{}", path.display(), told(*errno), told_left(left))]
    NoSpace {
        /// The path.
        path: PathBuf,
        /// The error.
        errno: Errno,
        /// What could not be removed.
        left: Option<Leftover>,
    },
    /// The file system is mounted read-only.
    #[error("{} was not written: its file system is read-only; mount it writable{}", path.display(), told_left(left))]
    ReadOnly {
        /// The path.
        path: PathBuf,
        /// What could not be removed.
        left: Option<Leftover>,
    },
    /// A name or the path is longer than the system can take.
    #[error("{} was not written: the name or the path is too long; most systems take 255 bytes a name, 4095 a path{}", path.display(), told_left(left))]
    TooLong {
        /// The path.
        path: PathBuf,
        /// What could not be removed.
        left: Option<Leftover>,
    },
    /// Any other error of the system.
    #[error("{} was not written: {call} failed: {}{}{}", path.display(), told(*errno), advice(call, *errno), told_left(left))]
    Failed {
        /// The path.
        path: PathBuf,
        /// The system call.
        call: &'static str,
        /// Its error.
        errno: Errno,
        /// What could not be removed.
        left: Option<Leftover>,
    },
}

impl WriteError {
    /// What was left behind and should not be there.
    pub fn left(&self) -> Option<&Leftover> {
        use WriteError::*;
        match self {
            BadPath { .. } | BadMode { .. } | LinkInPath { .. } | Outside { .. } => None,
            Unremoved { left, .. } | NotPutBack { left, .. } => Some(left),
            Exists { left, .. }
            | IsSymlink { left, .. }
            | IsDirectory { left, .. }
            | IsSpecial { left, .. }
            | NotPrivate { left, .. }
            | Unverified { left, .. }
            | Interfered { left, .. }
            | NotDurable { left, .. }
            | NoDirectory { left, .. }
            | NotADirectory { left, .. }
            | Denied { left, .. }
            | NoSpace { left, .. }
            | ReadOnly { left, .. }
            | TooLong { left, .. }
            | Failed { left, .. } => left.as_ref(),
        }
    }

    /// Whether the file is written all the same: it was whole and in its place when it was last
    /// checked.
    pub fn is_written(&self) -> bool {
        matches!(self, WriteError::NotDurable { .. } | WriteError::Unremoved { .. })
    }

    /// The error of a call that failed before anything was written.
    pub(super) fn of(
        path: &Path,
        options: &Options,
        call: &'static str,
        errno: Errno,
        left: Option<Leftover>,
    ) -> Self {
        let path = path.to_owned();
        let left = match left {
            Some(left) if left.displaced => {
                return WriteError::NotPutBack { path, call, errno, left };
            }
            left => left,
        };
        let is_anchoring = matches!(call, "open" | "openat2");
        match errno {
            Errno::LOOP if is_anchoring && !options.follow_parents => {
                WriteError::LinkInPath { path }
            }
            Errno::XDEV if is_anchoring => WriteError::Outside { path },
            // A file has no name that is not given to it: that is about something else.
            Errno::NOENT if call != "linkat" => WriteError::NoDirectory { path, left },
            Errno::NOTDIR => WriteError::NotADirectory { path, left },
            // Of a link, it says that the file system has none.
            Errno::ACCESS => WriteError::Denied { path, call, errno, left },
            Errno::PERM if call != "linkat" => WriteError::Denied { path, call, errno, left },
            Errno::NOSPC | Errno::DQUOT => WriteError::NoSpace { path, errno, left },
            Errno::ROFS => WriteError::ReadOnly { path, left },
            Errno::NAMETOOLONG => WriteError::TooLong { path, left },
            _ => WriteError::Failed { path, call, errno, left },
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
    let leftover = |displaced| Some(Leftover { path: path.with_file_name(temporary), displaced });
    let left = match left {
        // Of what is made at the path itself, no program that ships leaves a part.
        Left::Nothing | Left::Part => None,
        Left::Temporary => leftover(false),
        Left::Displaced => leftover(true),
    };
    let path = path.to_owned();
    Err(match (outcome, left) {
        (Outcome::Written, None) => return Ok(()),
        (Outcome::Written, Some(left)) => WriteError::Unremoved { path, left },
        (Outcome::NotDurable { errno }, left) => WriteError::NotDurable { path, errno, left },
        (Outcome::Exists, left) => WriteError::Exists { path, left },
        (Outcome::IsSymlink, left) => WriteError::IsSymlink { path, left },
        (Outcome::IsDirectory, left) => WriteError::IsDirectory { path, left },
        (Outcome::IsSpecial, left) => WriteError::IsSpecial { path, left },
        (Outcome::NotPrivate, left) => WriteError::NotPrivate { path, left },
        (Outcome::Unverified { errno }, left) => WriteError::Unverified { path, errno, left },
        (Outcome::Interfered, left) => WriteError::Interfered { path, left },
        (Outcome::Failed { call, errno }, left) => {
            WriteError::of(&path, options, call, errno, left)
        }
    })
}

/// `ENOSPC, no space left on device`.
fn told(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    let text = text.split(" (os error").next().unwrap_or_default().to_lowercase();
    format!("{}, {text}", errno_name(errno))
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

fn told_left(left: &Option<Leftover>) -> String {
    left.as_ref().map_or_else(String::new, |left| format!("; {left}"))
}
