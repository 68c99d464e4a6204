//! Every error is a sentence that a person can act on.

use std::path::PathBuf;

use toctou::fs::{Errno, Mode};
use toctou::writer::{Leftover, PathFault, WriteError};

fn path() -> PathBuf {
    PathBuf::from("/srv/key")
}

fn remains(displaced: bool) -> Leftover {
    Leftover { path: PathBuf::from("/srv/.toctou.0123"), displaced }
}

#[test]
fn an_error_says_what_is_on_disk_and_what_to_do() {
    let (left, errno) = (None, Errno::ACCESS);
    for (error, text) in [
        (
            WriteError::BadPath { path: PathBuf::new(), fault: PathFault::Empty },
            "\"\" cannot be written to: it is empty",
        ),
        (
            WriteError::BadPath { path: "a/".into(), fault: PathFault::NoName },
            "\"a/\" cannot be written to: it ends without the name of a file",
        ),
        (
            WriteError::BadPath { path: "a\0".into(), fault: PathFault::Nul },
            r#""a\0" cannot be written to: it has a zero byte in it"#,
        ),
        (
            WriteError::BadMode { mode: Mode::from_raw_mode(0o4755) },
            "mode 4755 is more than permissions: set-ID and sticky bits cannot be asked for",
        ),
        (
            WriteError::Exists { path: path(), left: None },
            "/srv/key exists and was left as it is: choose another name, or replace it \
             (`Options::replace`)",
        ),
        (
            WriteError::IsSymlink { path: path(), left: None },
            "/srv/key is a symbolic link and was left as it is: name what it leads to, or remove it",
        ),
        (
            WriteError::IsDirectory { path: path(), left: None },
            "/srv/key is a directory and was left as it is: name a file in it",
        ),
        (
            WriteError::IsSpecial { path: path(), left: None },
            "/srv/key is no regular file (a device, a pipe, a socket) and was left as it is",
        ),
        (
            WriteError::NotPrivate { path: path(), left: None },
            "/srv/key was written, but somebody else replaced or moved it at once: what is there \
             now is not what was written",
        ),
        (
            WriteError::LinkInPath { path: path() },
            "/srv/key was not written: there is a symbolic link on the way; name the directory \
             that it leads to, or follow links (`Options::follow_parents`)",
        ),
        (
            WriteError::NoDirectory { path: path(), left: None },
            "/srv/key was not written: its directory does not exist; create it first",
        ),
        (
            WriteError::Denied { path: path(), call: "openat2", errno, left },
            "/srv/key was not written: openat2 failed: EACCES, permission denied; its directory \
             must be the user's to search and to write to",
        ),
        (
            WriteError::ReadOnly { path: path(), left: None },
            "/srv/key was not written: its file system is read-only; mount it writable",
        ),
        (
            WriteError::Failed { path: path(), call: "openat2", errno: Errno::MFILE, left: None },
            "/srv/key was not written: openat2 failed: EMFILE, too many open files (close some, or \
             raise the limit, and try again)",
        ),
    ] {
        assert_eq!(error.to_string(), text);
        assert_eq!(error.left(), None);
        assert!(!error.is_written());
    }
}

#[test]
fn what_is_left_is_told_with_the_error() {
    let errno = Errno::NOSPC;
    let (left, displaced) = (remains(false), remains(true));
    for (error, text, is_written) in [
        (
            WriteError::NoSpace { path: path(), errno, left: Some(left.clone()) },
            "/srv/key was not written: ENOSPC, no space left on device; free some space and try \
             again; /srv/.toctou.0123 could not be removed: remove it by hand",
            false,
        ),
        (
            WriteError::Unremoved { path: path(), left: left.clone() },
            "/srv/key is written, but /srv/.toctou.0123 could not be removed: remove it by hand",
            true,
        ),
        (
            WriteError::NotDurable { path: path(), errno: Errno::IO, left: Some(left.clone()) },
            "/srv/key is written, but perhaps not there after a power failure: fsync of its \
             directory failed: EIO, input/output error; /srv/.toctou.0123 could not be removed: \
             remove it by hand",
            true,
        ),
        (
            WriteError::IsSymlink { path: path(), left: Some(displaced.clone()) },
            "/srv/key is a symbolic link and was left as it is: name what it leads to, or remove \
             it; /srv/.toctou.0123 may hold what was there: look, then move it back or remove it",
            false,
        ),
        (
            WriteError::NotPutBack {
                path: path(),
                call: "renameat2",
                errno: Errno::IO,
                left: displaced,
            },
            "something came to /srv/key that is not to be replaced, was moved aside, and could not be \
             put back: renameat2 failed: EIO, input/output error; /srv/.toctou.0123 may hold what \
             was there: look, then move it back or remove it",
            false,
        ),
    ] {
        assert_eq!(error.to_string(), text);
        assert!(error.left().is_some());
        assert_eq!(error.is_written(), is_written);
    }
}
