//! Third floor, `store`: putting a download and expiring it. Imports [`fs`](crate::fs).

use std::path::{Path, PathBuf};

use super::claim::PRIVATE_FILE;
use crate::fs::{Errno, FileSystem, Mode, OFlags, RenameFlags};

/// How a [`put`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PutEnd {
    /// The content is in its place, whole.
    Stored,
    /// There is unclaimed content under this key; it was left as it is.
    Occupied,
    /// A system call failed; nothing of the new content is visible under the key. `rename` with
    /// `EEXIST` means that there is unclaimed content, as [`Occupied`](PutEnd::Occupied) does, and
    /// that the temporary file is left too.
    Failed(PutFailure),
    /// The content is in its place, whole, but a directory could not be flushed to disk.
    NotDurable {
        /// The call: `open`, `fsync`.
        call: &'static str,
        /// Its error.
        errno: Errno,
    },
}

/// A system call that failed while putting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PutFailure {
    /// The call: `open`, `mkdir`, `write`, `fsync`, `rename`.
    pub call: &'static str,
    /// Its error.
    pub errno: Errno,
    /// Whether the temporary file is still there, because it could not be removed either.
    pub temporary_left: bool,
}

/// How the name of a put's temporary file begins, before its token.
pub(super) const TEMPORARY: &str = ".put.";

/// What to put, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PutRequest {
    /// The download's directory. It is made if it is missing.
    pub directory: PathBuf,
    /// The file that the content is renamed to, in the directory.
    pub content: PathBuf,
    /// The file that the content is written to first, in the directory. No other put uses it.
    pub temporary: PathBuf,
    /// The content.
    pub bytes: Vec<u8>,
    /// Whether existing content is replaced.
    pub replace: bool,
    /// Whether the content has to survive a power failure once it is in its place.
    pub durable: bool,
}

impl PutRequest {
    /// A request to put `bytes` in `directory`. `token` makes the temporary file's name unique to
    /// this put.
    pub fn new(directory: &Path, token: &str, bytes: Vec<u8>) -> Self {
        PutRequest {
            content: directory.join("content"),
            temporary: directory.join(format!("{TEMPORARY}{token}")),
            directory: directory.to_owned(),
            bytes,
            replace: false,
            durable: false,
        }
    }
}

/// Writes a temporary file and renames it to `content`, so that the content appears whole or not
/// at all:
///
/// ```text
/// create temporary exclusively, 0600   (no directory: make it, 0700, and again)
/// write                                (again while short)
/// fsync                                (if durable)
/// rename temporary → content           (not replacing: renameat2 with RENAME_NOREPLACE)
/// open directory; fsync                (if durable)
/// open the directory above it; fsync   (if durable)
/// ```
///
/// The directory above is flushed although this put may not have made its own: somebody else may
/// have made that a moment before, and not flushed it yet.
///
/// A failure before the rename removes the temporary file. It also removes the directory if that
/// was missing, unless somebody else has put something there by then.
pub fn put<F: FileSystem>(fs: &mut F, request: &PutRequest) -> PutEnd {
    let mut was_missing = false;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = loop {
        match fs.open(&request.temporary, flags, PRIVATE_FILE) {
            Ok(file) => break file,
            // Not there yet, or removed since: only an expiry, or a put that fails, brings this back here.
            Err(Errno::NOENT) => match fs.mkdir(&request.directory, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => was_missing = true,
                Err(errno) => return failed("mkdir", errno, false),
            },
            Err(errno) => {
                leave(fs, request, was_missing);
                return failed("open", errno, false);
            }
        }
    };
    match placed(fs, file, request) {
        Ok(()) if request.durable => made_durable(fs, request),
        Ok(()) => PutEnd::Stored,
        Err((call, errno)) => {
            let removed = fs.unlink(&request.temporary);
            let temporary_left = !matches!(removed, Ok(()) | Err(Errno::NOENT));
            leave(fs, request, was_missing);
            match (call, errno) {
                ("rename", Errno::EXIST) if !temporary_left => PutEnd::Occupied,
                (call, errno) => failed(call, errno, temporary_left),
            }
        }
    }
}

/// A call, and the error that it failed with.
type Broken = (&'static str, Errno);

/// Writes the temporary file, and renames it.
fn placed<F: FileSystem>(
    fs: &mut F,
    mut file: F::File,
    request: &PutRequest,
) -> Result<(), Broken> {
    let mut left = &request.bytes[..];
    loop {
        match fs.write(&mut file, left).map_err(|errno| ("write", errno))? {
            // No error, and no progress: not to be tried for ever.
            0 if !left.is_empty() => return Err(("write", Errno::IO)),
            count => left = left.get(count..).unwrap_or_default(),
        }
        if left.is_empty() {
            break;
        }
    }
    if request.durable {
        fs.fsync(&mut file).map_err(|errno| ("fsync", errno))?;
    }
    drop(file);
    let (from, to) = (&request.temporary, &request.content);
    let renamed = match request.replace {
        true => fs.rename(from, to),
        false => fs.rename_with(from, to, RenameFlags::NOREPLACE),
    };
    renamed.map_err(|errno| ("rename", errno))
}

/// Makes the name of the content durable, and that of its directory.
fn made_durable<F: FileSystem>(fs: &mut F, request: &PutRequest) -> PutEnd {
    for path in [&*request.directory, above(&request.directory)] {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut directory = match fs.open(path, flags, Mode::empty()) {
            Ok(directory) => directory,
            // Claimed and expired already: nothing is left to make durable.
            Err(Errno::NOENT) => return PutEnd::Stored,
            Err(errno) => return PutEnd::NotDurable { call: "open", errno },
        };
        if let Err(errno) = fs.fsync(&mut directory) {
            return PutEnd::NotDurable { call: "fsync", errno };
        }
    }
    PutEnd::Stored
}

/// Ends without having put anything: removes a directory that nobody else needs.
fn leave<F: FileSystem>(fs: &mut F, request: &PutRequest, was_missing: bool) {
    if was_missing {
        // Not empty: somebody else's by now. Otherwise empty and harmless.
        let _ = fs.rmdir(&request.directory);
    }
}

fn failed(call: &'static str, errno: Errno, temporary_left: bool) -> PutEnd {
    PutEnd::Failed(PutFailure { call, errno, temporary_left })
}

/// The directory that `path` is an entry of.
fn above(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// How an [`expire`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpireEnd {
    /// The content was there and was removed unclaimed.
    Expired,
    /// There was no content to remove: claimed, expired before, or never put.
    Gone,
    /// The content, if there is any, could not be removed; it can still be claimed.
    Failed(Errno),
    /// There is no content, but there may be some again after a power failure: the directory could
    /// not be flushed to disk. An expiry can be tried again.
    NotDurable {
        /// The call: `open`, `fsync`.
        call: &'static str,
        /// Its error.
        errno: Errno,
    },
}

/// Removes the download in `directory`, whether or not it was claimed. The directory stays while a
/// claim or a put is using it, or has left something there.
///
/// ```text
/// open directory       (if durable)
/// unlink content
/// fsync the directory  (if durable)
/// unlink meta; rmdir the directory
/// ```
///
/// The directory is opened first, so that the flush is of the directory that held the content.
/// Meanwhile somebody else may remove it and make another one. It is flushed although this expiry
/// may have found no content: somebody else may have removed that a moment before.
///
/// An expiry does not stop a claim that has taken the content already. The expiry is told `Gone`.
/// If that claim then fails and gives the content back, the content is there again.
pub fn expire<F: FileSystem>(fs: &mut F, directory: &Path, durable: bool) -> ExpireEnd {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = match durable.then(|| fs.open(directory, flags, Mode::empty())) {
        Some(Err(Errno::NOENT)) => return ExpireEnd::Gone,
        opened => opened,
    };
    let end = match fs.unlink(&directory.join("content")) {
        Ok(()) => ExpireEnd::Expired,
        Err(Errno::NOENT) => ExpireEnd::Gone,
        Err(errno) => return ExpireEnd::Failed(errno),
    };
    let flushed = match opened {
        None => Ok(()),
        Some(Ok(mut directory)) => fs.fsync(&mut directory).map_err(|errno| ("fsync", errno)),
        Some(Err(errno)) => Err(("open", errno)),
    };
    if let Err((call, errno)) = flushed {
        // The directory stays: its content may come back, and another expiry has to find it.
        return ExpireEnd::NotDurable { call, errno };
    }
    // What cannot be removed here and below is empty and harmless.
    let _ = fs.unlink(&directory.join("meta"));
    let _ = fs.rmdir(directory);
    end
}
