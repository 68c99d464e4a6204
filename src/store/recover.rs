//! Third floor, `store`: what to do after a power failure, or after a process was killed. Imports
//! [`fs`](crate::fs).

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Durability;
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
/// .put.…                       unlink
/// content.… (nothing-lost)     renameat2 to content, with RENAME_NOREPLACE
/// content.… (otherwise)        unlink
/// content beside a marker      unlink (its claim had begun)
/// ```
///
/// It can be interrupted, by another power failure too, and begun again.
///
/// # Errors
///
/// That of the first call that failed. What was done until then stays done.
pub fn recover<F: FileSystem>(fs: &mut F, durability: Durability) -> Result<Recovered, Errno> {
    let mut recovered = Recovered::default();
    for download in names(fs, Path::new("."))? {
        match fs.stat(&download, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) if status.kind == Kind::Directory => {}
            Ok(_) | Err(Errno::NOENT) => continue,
            Err(errno) => return Err(errno),
        }
        let names = names(fs, &download)?;
        let has = |name: &str| names.iter().any(|it| it.as_os_str() == name);
        for name in &names {
            let path = download.join(name);
            let bytes = name.as_os_str().as_bytes();
            let is_claimed = bytes.starts_with(b"content.");
            let is_marked = bytes == b"content" && has("claim");
            if is_claimed && durability == Durability::NothingLost {
                let content = download.join("content");
                match fs.rename_with(&path, &content, RenameFlags::NOREPLACE) {
                    Ok(()) => recovered.given_back.push(path),
                    Err(Errno::EXIST) => recovered.left.push(path),
                    Err(errno) => return Err(errno),
                }
            } else if is_claimed || is_marked || bytes.starts_with(b".put.") {
                match fs.unlink(&path) {
                    Ok(()) | Err(Errno::NOENT) => recovered.removed.push(path),
                    Err(errno) => return Err(errno),
                }
            }
        }
    }
    Ok(recovered)
}

/// The names in a directory, sorted.
fn names<F: FileSystem>(fs: &mut F, directory: &Path) -> Result<Vec<PathBuf>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut directory = fs.open(directory, flags, Mode::empty())?;
    let mut names = Vec::new();
    loop {
        let next = fs.getdents(&mut directory)?;
        if next.is_empty() {
            break;
        }
        names.extend(next.into_iter().map(|entry| PathBuf::from(entry.name)));
    }
    names.sort();
    Ok(names)
}
