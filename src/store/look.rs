//! Third floor, `store`: what a store shows without taking anything. Imports rustix and its
//! neighbours in `store`.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{self, AtFlags, Dir, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::{KeyError, OneTimeStore, directory};

/// A download's state, as far as it is visible without taking the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// There is content to claim, or there was a moment ago.
    Available,
    /// It was delivered, at this time. For a key that was put again, this is the first delivery.
    Delivered(SystemTime),
    /// Neither: it was never put, it expired, it is just being claimed, or this user may not see
    /// it.
    Absent,
}

/// A file that a claim or a put has left behind or is using now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The path of the file.
    pub path: PathBuf,
    /// When its content was last written. For a claim's file: when it was put.
    pub modified: SystemTime,
    /// When its inode last changed. For a claim's file: about when it was claimed. Use this to tell
    /// which files are old.
    pub changed: SystemTime,
}

impl OneTimeStore {
    /// The state of a download, without taking it. It is for showing, not for deciding: the state
    /// may change before the answer is read.
    pub fn status(&self, key: &str) -> Result<Status, KeyError> {
        let directory = directory(key)?;
        if stat(&self.fs, &directory.join("content")).is_ok() {
            return Ok(Status::Available);
        }
        Ok(match stat(&self.fs, &directory.join("meta")) {
            Ok(meta) => Status::Delivered(times(&meta)[0]),
            Err(_) => Status::Absent,
        })
    }

    /// Lists the files of claims and puts that have not ended: they are still running, or their
    /// process died.
    ///
    /// - A file that has not [changed](Leftover::changed) for long belongs to a process that died.
    /// - The file of a dead claim holds a secret that was taken and perhaps never delivered. Only
    ///   you can know whether to hand it out again (rename it to `content`) or not. A
    ///   [`recover`](OneTimeStore::recover) goes by the promise of the claim.
    /// - A marker is listed if content is beside it: that content cannot be claimed.
    ///
    /// # Errors
    ///
    /// Any error of the system. A file that is removed during the listing is left out; that is no
    /// error.
    pub fn leftovers(&self) -> io::Result<Vec<Leftover>> {
        let mut leftovers = Vec::new();
        for download in names(&self.fs)? {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let directory = match fs::openat(&self.fs, &download, flags, Mode::empty()) {
                Ok(directory) => directory,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => continue,
                Err(errno) => return Err(errno.into()),
            };
            for name in names(&directory)? {
                let bytes = name.as_os_str().as_bytes();
                let is_left = bytes.starts_with(b".put.")
                    || bytes.starts_with(b"content.")
                    || (bytes == b"claim" && stat(&directory, Path::new("content")).is_ok());
                if !is_left {
                    continue;
                }
                match stat(&directory, &name) {
                    Ok(stat) => {
                        let path = self.path.join(&download).join(&name);
                        let [modified, changed] = times(&stat);
                        leftovers.push(Leftover { path, modified, changed });
                    }
                    Err(Errno::NOENT) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
        }
        Ok(leftovers)
    }
}

/// The entries of a directory, but for itself and its parent. None where it was just removed.
fn names(directory: impl AsFd) -> Result<Vec<PathBuf>, Errno> {
    let mut names = Vec::new();
    let mut add = |entries: Dir| {
        for entry in entries {
            match entry?.file_name().to_bytes() {
                b"." | b".." => {}
                name => names.push(OsStr::from_bytes(name).into()),
            }
        }
        Ok(())
    };
    match Dir::read_from(directory).and_then(&mut add) {
        Ok(()) | Err(Errno::NOENT) => Ok(names),
        Err(errno) => Err(errno),
    }
}

fn stat(directory: impl AsFd, path: &Path) -> Result<Stat, Errno> {
    fs::statat(directory, path, AtFlags::SYMLINK_NOFOLLOW)
}

/// When a file was last modified, and when its inode last changed.
#[allow(clippy::unnecessary_cast)] // their widths differ between systems
fn times(stat: &Stat) -> [SystemTime; 2] {
    let modified = (stat.st_mtime as i64, stat.st_mtime_nsec as u64);
    let changed = (stat.st_ctime as i64, stat.st_ctime_nsec as u64);
    [modified, changed].map(|(seconds, nanoseconds)| {
        let (epoch, whole) = (SystemTime::UNIX_EPOCH, Duration::from_secs(seconds.unsigned_abs()));
        let whole = if seconds < 0 { epoch.checked_sub(whole) } else { epoch.checked_add(whole) };
        let time = whole.and_then(|whole| whole.checked_add(Duration::from_nanos(nanoseconds)));
        time.unwrap_or(epoch)
    })
}
