//! Third floor, `store`: what to do after a power failure, or after a process was killed. Imports
//! [`fs`](crate::fs).

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::claim::{KEPT, MARKER, TAKEN, TAKEN_FIXED};
use super::put::TEMPORARY;
use super::{Mechanism, RecoverError};
use crate::fs::{AtFlags, Errno, FileSystem, Kind, Mode, OFlags, RenameFlags};

/// What a [`recover()`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Recovered {
    /// Content that can be claimed again, under these names.
    pub given_back: Vec<PathBuf>,
    /// Claims and puts that had not ended, and were removed.
    pub removed: Vec<PathBuf>,
    /// Content that could not be given back, because other content was put in its place.
    pub left: Vec<PathBuf>,
}

/// Cleans up after processes that died, in a store to which `fs` leads. Nobody else may use the
/// store meanwhile.
///
/// ```text
/// .put.<token>                             unlink
/// content.<token>                          unlink
/// content.kept.<token>                     renameat2 to content, with RENAME_NOREPLACE
/// content.download      (rename-fixed)     unlink
/// content.kept          (rename-fixed)     renameat2 to content, with RENAME_NOREPLACE
/// content beside claim  (claim-file)       unlink: its claim had begun
/// ```
///
/// `is_token` says which texts are tokens of this store's claims and puts. A name without a token
/// could be anybody's, so it counts only with its `mechanism`. Everything else is left alone.
///
/// It can be interrupted, by another power failure too, and begun again.
///
/// # Errors
///
/// The first call that failed. The recovery goes on with all else. What is removed by somebody else
/// meanwhile is no error.
pub fn recover<F: FileSystem>(
    fs: &mut F,
    mechanism: Mechanism,
    is_token: impl Fn(&[u8]) -> bool,
) -> Result<Recovered, RecoverError> {
    let mut recovery = Recovery { fs, done: Recovered::default(), failure: None };
    let mut downloads = recovery.names(Path::new("."));
    downloads.retain(|download| recovery.is_directory(download));
    for download in downloads {
        let names = recovery.names(&download);
        let has_marker = names.iter().any(|name| name.as_os_str().as_bytes() == MARKER);
        for name in &names {
            let path = download.join(name);
            match remains(name.as_os_str().as_bytes(), mechanism, has_marker, &is_token) {
                Some(Remains::Kept) => recovery.give_back(path, &download.join("content")),
                Some(Remains::Unfinished) => recovery.remove(path),
                None => {}
            }
        }
    }
    match recovery.failure {
        None => Ok(recovery.done),
        Some(Failure { path, call, errno }) => {
            Err(RecoverError { path, call, errno, done: recovery.done })
        }
    }
}

/// What a dead process has left.
enum Remains {
    /// Content that was to be kept.
    Kept,
    /// Content that was taken, or not put yet.
    Unfinished,
}

/// What a file of this name is, if it is anything that a dead process has left.
fn remains(
    name: &[u8],
    mechanism: Mechanism,
    has_marker: bool,
    is_token: impl Fn(&[u8]) -> bool,
) -> Option<Remains> {
    let has_token = |prefix: &[u8]| name.strip_prefix(prefix).is_some_and(&is_token);
    let kept_token = name.strip_prefix(KEPT).and_then(|rest| rest.strip_prefix(b"."));
    if kept_token.is_some_and(&is_token) {
        return Some(Remains::Kept);
    }
    match mechanism {
        Mechanism::RenameFixed if name == KEPT => Some(Remains::Kept),
        Mechanism::RenameFixed if name == TAKEN_FIXED => Some(Remains::Unfinished),
        Mechanism::ClaimFile if has_marker && name == b"content" => Some(Remains::Unfinished),
        _ => (has_token(TAKEN) || has_token(TEMPORARY.as_bytes())).then_some(Remains::Unfinished),
    }
}

/// A recovery that goes on past what fails.
struct Recovery<'a, F> {
    fs: &'a mut F,
    done: Recovered,
    /// The first one.
    failure: Option<Failure>,
}

struct Failure {
    path: PathBuf,
    call: &'static str,
    errno: Errno,
}

impl<F: FileSystem> Recovery<'_, F> {
    fn fails(&mut self, path: &Path, call: &'static str, errno: Errno) {
        self.failure.get_or_insert_with(|| Failure { path: path.to_owned(), call, errno });
    }

    fn is_directory(&mut self, path: &Path) -> bool {
        match self.fs.stat(path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => status.kind == Kind::Directory,
            Err(Errno::NOENT) => false,
            Err(errno) => {
                self.fails(path, "stat", errno);
                false
            }
        }
    }

    /// The names in a directory, sorted: as many of them as can be read.
    fn names(&mut self, path: &Path) -> Vec<PathBuf> {
        let mut names = Vec::new();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut directory = match self.fs.open(path, flags, Mode::empty()) {
            Ok(directory) => directory,
            // A download that was removed meanwhile. The store itself has to be there.
            Err(Errno::NOENT) if path != Path::new(".") => return names,
            Err(errno) => {
                self.fails(path, "open", errno);
                return names;
            }
        };
        loop {
            match self.fs.getdents(&mut directory) {
                Ok(next) if next.is_empty() => break,
                Ok(next) => names.extend(next.into_iter().map(|entry| PathBuf::from(entry.name))),
                Err(errno) => {
                    self.fails(path, "getdents", errno);
                    break;
                }
            }
        }
        names.sort();
        names
    }

    fn give_back(&mut self, path: PathBuf, content: &Path) {
        match self.fs.rename_with(&path, content, RenameFlags::NOREPLACE) {
            Ok(()) => self.done.given_back.push(path),
            Err(Errno::EXIST) => self.done.left.push(path),
            Err(errno) => self.fails(&path, "rename", errno),
        }
    }

    fn remove(&mut self, path: PathBuf) {
        match self.fs.unlink(&path) {
            Ok(()) | Err(Errno::NOENT) => self.done.removed.push(path),
            Err(errno) => self.fails(&path, "unlink", errno),
        }
    }
}
