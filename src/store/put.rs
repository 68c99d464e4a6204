//! Third floor, `store`: putting a download and expiring it, as state machines. Imports
//! [`process`](crate::process) and [`fs`](crate::fs).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::claim::PRIVATE_FILE;
use crate::fs::{Errno, FileSystem, Mode, OFlags, RenameFlags};
use crate::{Process, Step};

/// How a [`Put`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PutEnd {
    /// The content is there, whole.
    Stored,
    /// There is content under this key that nobody has claimed; it was left as it is.
    Occupied,
    /// A system call failed; nothing of the new content is visible under the key. `rename` with
    /// `EEXIST` says that there is unclaimed content, as [`Occupied`](PutEnd::Occupied) does, where
    /// the temporary file is left too.
    Failed(PutFailure),
    /// The content is there, whole, but a directory could not be flushed to disk.
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
    /// Whether the temporary file could not be removed either: then it is still there.
    pub temporary_left: bool,
}

/// What to put, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PutRequest {
    /// The download's directory, made if it is missing.
    pub directory: PathBuf,
    /// The file it becomes, in the directory.
    pub content: PathBuf,
    /// The file it is written to first, in the directory; nobody else's.
    pub temporary: PathBuf,
    /// The content.
    pub bytes: Vec<u8>,
    /// Whether content that is there is replaced.
    pub replace: bool,
    /// Whether the content is to survive a power failure once it is there.
    pub durable: bool,
}

impl PutRequest {
    /// Puts `bytes` in `directory`, by way of a temporary file that `token` makes this put's own.
    pub fn new(directory: &Path, token: &str, bytes: Vec<u8>) -> Self {
        PutRequest {
            content: directory.join("content"),
            temporary: directory.join(format!(".put.{token}")),
            directory: directory.to_owned(),
            bytes,
            replace: false,
            durable: false,
        }
    }
}

/// Writes a temporary file and renames it to `content`, so that the content appears whole or not
/// at all. Each step is one system call:
///
/// ```text
/// create temporary exclusively, 0600   (no directory: make it, 0700, and again)
/// write                                (again while short)
/// fsync                                (if durable)
/// rename temporary → content           (not replacing: renameat2 with RENAME_NOREPLACE)
/// open directory; fsync                (if durable)
/// open the directory above it; fsync   (if durable, and the directory was missing)
/// ```
///
/// A failure before the rename removes the temporary file, and the directory if it was missing
/// (unless somebody else has put something there by then).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Put<File> {
    request: Arc<PutRequest>,
    /// The directory was missing when this put came.
    was_missing: bool,
    at: At<File>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum At<File> {
    Create,
    MakeDirectory,
    Write { file: File, written: usize },
    Sync { file: File },
    Rename,
    OpenDirectory(Which),
    SyncDirectory { directory: File, which: Which },
    Remove { end: PutEnd },
    RemoveDirectory { end: PutEnd },
}

/// A directory that has to reach the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Which {
    /// The download's own, with the name of the content.
    Download,
    /// The one above it, with the name of the download.
    Above,
}

impl<File> Put<File> {
    /// A put, before its first step.
    pub fn new(request: PutRequest) -> Self {
        Put { request: Arc::new(request), was_missing: false, at: At::Create }
    }

    fn goes_on(self, at: At<File>) -> Step<Self, PutEnd> {
        Step::Next(Put { at, ..self })
    }

    fn gives_up(self, call: &'static str, errno: Errno) -> Step<Self, PutEnd> {
        let failure = PutFailure { call, errno, temporary_left: false };
        self.goes_on(At::Remove { end: PutEnd::Failed(failure) })
    }

    /// Ends without having put anything, and without a directory that nobody else needs.
    fn leaves(self, end: PutEnd) -> Step<Self, PutEnd> {
        if self.was_missing { self.goes_on(At::RemoveDirectory { end }) } else { Step::Done(end) }
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

impl<F: FileSystem> Process<F> for Put<F::File> {
    type Output = PutEnd;

    fn step(self, fs: &mut F) -> Step<Self, PutEnd> {
        let Put { request, was_missing, at } = self;
        let mut rest = Put { request, was_missing, at: At::Create };
        let request = &*rest.request;
        match at {
            At::Create => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                match fs.open(&request.temporary, flags, PRIVATE_FILE) {
                    Ok(file) => rest.goes_on(At::Write { file, written: 0 }),
                    // Not there yet, or removed since: only an expiry, or a put that fails, brings
                    // this back here.
                    Err(Errno::NOENT) => rest.goes_on(At::MakeDirectory),
                    Err(errno) => rest.leaves(failed("open", errno, false)),
                }
            }
            At::MakeDirectory => match fs.mkdir(&request.directory, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {
                    rest.was_missing = true;
                    rest.goes_on(At::Create)
                }
                Err(errno) => Step::Done(failed("mkdir", errno, false)),
            },
            At::Write { mut file, written } => {
                match fs.write(&mut file, &request.bytes[written..]) {
                    // No error, and no progress: not to be tried for ever.
                    Ok(0) if written < request.bytes.len() => rest.gives_up("write", Errno::IO),
                    Ok(count) if written + count < request.bytes.len() => {
                        rest.goes_on(At::Write { file, written: written + count })
                    }
                    Ok(_) if request.durable => rest.goes_on(At::Sync { file }),
                    Ok(_) => rest.goes_on(At::Rename),
                    Err(errno) => rest.gives_up("write", errno),
                }
            }
            At::Sync { mut file } => match fs.fsync(&mut file) {
                Ok(()) => rest.goes_on(At::Rename),
                Err(errno) => rest.gives_up("fsync", errno),
            },
            At::Rename => {
                let renamed = if request.replace {
                    fs.rename(&request.temporary, &request.content)
                } else {
                    let flags = RenameFlags::NOREPLACE;
                    fs.rename_with(&request.temporary, &request.content, flags)
                };
                match renamed {
                    Ok(()) if request.durable => rest.goes_on(At::OpenDirectory(Which::Download)),
                    Ok(()) => Step::Done(PutEnd::Stored),
                    Err(Errno::EXIST) => rest.goes_on(At::Remove { end: PutEnd::Occupied }),
                    Err(errno) => rest.gives_up("rename", errno),
                }
            }
            At::OpenDirectory(which) => {
                let path = match which {
                    Which::Download => &request.directory,
                    Which::Above => above(&request.directory),
                };
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                match fs.open(path, flags, Mode::empty()) {
                    Ok(directory) => rest.goes_on(At::SyncDirectory { directory, which }),
                    // Claimed and expired already: nothing is left to make durable.
                    Err(Errno::NOENT) => Step::Done(PutEnd::Stored),
                    Err(errno) => Step::Done(PutEnd::NotDurable { call: "open", errno }),
                }
            }
            At::SyncDirectory { mut directory, which } => match (fs.fsync(&mut directory), which) {
                (Ok(()), Which::Download) if was_missing => {
                    rest.goes_on(At::OpenDirectory(Which::Above))
                }
                (Ok(()), _) => Step::Done(PutEnd::Stored),
                (Err(errno), _) => Step::Done(PutEnd::NotDurable { call: "fsync", errno }),
            },
            At::Remove { end } => {
                let temporary_left =
                    !matches!(fs.unlink(&request.temporary), Ok(()) | Err(Errno::NOENT));
                rest.leaves(match end {
                    PutEnd::Failed(failure) => {
                        PutEnd::Failed(PutFailure { temporary_left, ..failure })
                    }
                    PutEnd::Occupied if temporary_left => failed("rename", Errno::EXIST, true),
                    end => end,
                })
            }
            At::RemoveDirectory { end } => {
                // Not empty: somebody else's by now. Otherwise empty and harmless.
                let _ = fs.rmdir(&request.directory);
                Step::Done(end)
            }
        }
    }
}

/// How an [`Expire`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpireEnd {
    /// The content was there and was removed unclaimed.
    Expired,
    /// There was no content to remove: claimed, expired before, or never put.
    Gone,
    /// The content, if there is any, could not be removed; it can still be claimed.
    Failed(Errno),
}

/// Removes a download, whether or not it was claimed: `content`, then `meta`, then the directory
/// (which stays while a claim or a put is at work in it, or has left something there).
///
/// A claim that has taken the content already is not stopped: the expiry is told `Gone`, and
/// should that claim fail and give the content back, it is there again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expire {
    directory: Arc<PathBuf>,
    at: Expiring,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Expiring {
    Content,
    Meta(ExpireEnd),
    Directory(ExpireEnd),
}

impl Expire {
    /// Expires the download in `directory`.
    pub fn new(directory: &Path) -> Self {
        Expire { directory: Arc::new(directory.to_owned()), at: Expiring::Content }
    }
}

impl<F: FileSystem> Process<F> for Expire {
    type Output = ExpireEnd;

    fn step(self, fs: &mut F) -> Step<Self, ExpireEnd> {
        match self.at {
            Expiring::Content => {
                let end = match fs.unlink(&self.directory.join("content")) {
                    Ok(()) => ExpireEnd::Expired,
                    Err(Errno::NOENT) => ExpireEnd::Gone,
                    Err(errno) => return Step::Done(ExpireEnd::Failed(errno)),
                };
                Step::Next(Expire { at: Expiring::Meta(end), ..self })
            }
            Expiring::Meta(end) => {
                // What cannot be removed here and below is empty and harmless.
                let _ = fs.unlink(&self.directory.join("meta"));
                Step::Next(Expire { at: Expiring::Directory(end), ..self })
            }
            Expiring::Directory(end) => {
                let _ = fs.rmdir(&*self.directory);
                Step::Done(end)
            }
        }
    }
}
