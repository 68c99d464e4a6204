//! A directory to write in, and everything in it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use rustix::thread::UnshareFlags;
use tempfile::TempDir;

/// A directory whose path has no link in it.
pub(crate) struct Folder {
    _folder: TempDir,
    pub(crate) path: PathBuf,
}

pub(crate) fn folder() -> Folder {
    let folder = tempfile::tempdir().expect("there is a place for temporary directories");
    let path = folder.path().canonicalize().expect("it was just made");
    Folder { _folder: folder, path }
}

/// Everything below `directory`: the path, the mode, the content or what a link says. What cannot be
/// read has none.
pub(crate) fn contents(directory: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("it is a directory") {
        let path = entry.expect("it can be read").path();
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        let bytes = if metadata.is_dir() {
            found.extend(contents(&path));
            Vec::new()
        } else if metadata.is_symlink() {
            let target = fs::read_link(&path).expect("it is a link");
            target.into_os_string().into_encoded_bytes()
        } else if metadata.is_file() {
            fs::read(&path).unwrap_or_default()
        } else {
            Vec::new()
        };
        found.push((path, mode_of(&metadata), bytes));
    }
    found.sort();
    found
}

fn mode_of(metadata: &fs::Metadata) -> u32 {
    metadata.permissions().mode() & 0o7777
}

/// What a file holds, and its mode.
pub(crate) fn file(path: &Path) -> io::Result<(Vec<u8>, u32)> {
    Ok((fs::read(path)?, mode_of(&fs::symlink_metadata(path)?)))
}

/// Runs `work` on a thread whose working directory, umask and, where `mounts` says so, mounts are
/// its own; `None` where that is not allowed.
pub(crate) fn apart<T: Send>(mounts: bool, work: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let flags =
                if mounts { UnshareFlags::FS | UnshareFlags::NEWNS } else { UnshareFlags::FS };
            // SAFETY: only the table of descriptors must not be parted from other threads', and is
            // not.
            unsafe { rustix::thread::unshare_unsafe(flags) }.ok()?;
            Some(work())
        });
        worker.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}
