//! Every error is a sentence that a person can act on.

use toctou::fs::{Errno, Mode};
use toctou::writer::{Leftover, PathFault, WriteError, WriteFault};

const PATH: &str = "/srv/key";

#[test]
fn an_error_says_what_is_on_disk_and_what_to_do() {
    let errno = Errno::ACCESS;
    for (path, fault, text) in [
        ("", WriteFault::BadPath(PathFault::Empty), "\"\" cannot be written to: it is empty"),
        (
            "a/",
            WriteFault::BadPath(PathFault::NoName),
            "\"a/\" cannot be written to: it ends without the name of a file",
        ),
        (
            "a\0",
            WriteFault::BadPath(PathFault::Nul),
            r#""a\0" cannot be written to: it has a zero byte in it"#,
        ),
        (
            PATH,
            WriteFault::BadMode(Mode::from_raw_mode(0o4755)),
            "mode 4755 is more than permissions: set-ID and sticky bits cannot be asked for",
        ),
        (
            PATH,
            WriteFault::Exists,
            "/srv/key exists and was left as it is: choose another name, or replace it \
             (`Options::replace`)",
        ),
        (
            PATH,
            WriteFault::IsSymlink,
            "/srv/key is a symbolic link and was left as it is: name what it leads to, or remove it",
        ),
        (
            PATH,
            WriteFault::IsDirectory,
            "/srv/key is a directory and was left as it is: name a file in it",
        ),
        (
            PATH,
            WriteFault::IsSpecial,
            "/srv/key is no regular file (a device, a pipe, a socket) and was left as it is",
        ),
        (
            PATH,
            WriteFault::NotPrivate,
            "/srv/key was written, but somebody else replaced or moved it at once: what is there \
             now is not what was written",
        ),
        (
            PATH,
            WriteFault::LinkInPath,
            "/srv/key was not written: there is a symbolic link on the way; name the directory \
             that it leads to, or follow links (`Options::follow_parents`)",
        ),
        (
            PATH,
            WriteFault::NoDirectory,
            "/srv/key was not written: its directory does not exist; create it first",
        ),
        (
            PATH,
            WriteFault::Denied { call: "openat2", errno },
            "/srv/key was not written: openat2 failed: EACCES, permission denied; its directory \
             must be the user's to search and to write to",
        ),
        (
            PATH,
            WriteFault::ReadOnly,
            "/srv/key was not written: its file system is read-only; mount it writable",
        ),
        (
            PATH,
            WriteFault::Failed { call: "openat2", errno: Errno::MFILE },
            "/srv/key was not written: openat2 failed: EMFILE, too many open files (close some, or \
             raise the limit, and try again)",
        ),
    ] {
        let error = WriteError { path: path.into(), fault, left: None };
        assert_eq!(error.to_string(), text);
        assert!(!error.is_written());
    }
}

#[test]
fn what_is_left_is_told_with_the_error() {
    for (fault, displaced, text, is_written) in [
        (
            WriteFault::NoSpace(Errno::NOSPC),
            false,
            "/srv/key was not written: ENOSPC, no space left on device; free some space and try \
             again; /srv/.toctou.0123 could not be removed: remove it by hand",
            false,
        ),
        (
            WriteFault::Unremoved,
            false,
            "/srv/key is written, but /srv/.toctou.0123 could not be removed: remove it by hand",
            true,
        ),
        (
            WriteFault::NotDurable(Errno::IO),
            false,
            "/srv/key is written, but perhaps not there after a power failure: fsync of its \
             directory failed: EIO, input/output error; /srv/.toctou.0123 could not be removed: \
             remove it by hand",
            true,
        ),
        (
            WriteFault::IsSymlink,
            true,
            "/srv/key is a symbolic link and was left as it is: name what it leads to, or remove \
             it; /srv/.toctou.0123 may hold what was there: look, then move it back or remove it",
            false,
        ),
        (
            WriteFault::NotPutBack { call: "renameat2", errno: Errno::IO },
            true,
            "something came to /srv/key that is not to be replaced, was moved aside, and could not be \
             put back: renameat2 failed: EIO, input/output error; /srv/.toctou.0123 may hold what \
             was there: look, then move it back or remove it",
            false,
        ),
    ] {
        let left = Leftover { path: "/srv/.toctou.0123".into(), displaced };
        let error = WriteError { path: PATH.into(), fault, left: Some(left) };
        assert_eq!(error.to_string(), text);
        assert_eq!(error.is_written(), is_written);
    }
}
