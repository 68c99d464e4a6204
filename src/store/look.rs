//! Third floor, `store`: what can be told of a store without taking anything. Imports rustix and
//! its neighbours in `store`.
//!
//! For showing, not for deciding: whatever is told here may be otherwise by the time it is read.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{self, AtFlags, Dir, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::{KeyError, OneTimeStore, directory};

/// A download's state, as far as it can be told without taking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// There is content to claim (or was, a moment ago).
    Available,
    /// It was delivered, at this time; for a key that was put again, the first time.
    Delivered(SystemTime),
    /// Neither: never put, expired, just being claimed, or not to be seen by this user.
    Absent,
}

/// A file that a claim or a put has left, or is at work on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Where it is.
    pub path: PathBuf,
    /// When its content was last written: for a claim's file, when it was put.
    pub modified: SystemTime,
    /// When its inode last changed: for a claim's file, about when it was claimed. This tells what
    /// is old.
    pub changed: SystemTime,
}

impl OneTimeStore {
    /// What can be told of a download without taking it. It may be another by the time it is read:
    /// for showing, not for deciding.
    pub fn status(&self, key: &str) -> Result<Status, KeyError> {
        let directory = directory(key)?;
        if stat(&self.fs, &directory.join("content")).is_ok() {
            return Ok(Status::Available);
        }
        Ok(match stat(&self.fs, &directory.join("meta")) {
            Ok(meta) => Status::Delivered(modified(&meta)),
            Err(_) => Status::Absent,
        })
    }

    /// Files of claims and puts that have not ended: at work, or dead. One that has not
    /// [changed](Leftover::changed) for long belongs to a process that died; a claim's file then
    /// holds a secret that was taken and perhaps never delivered. Whether to hand it out again
    /// (rename it to `content`) or not, only you can know. A marker is listed where content is
    /// beside it, which cannot be claimed then.
    ///
    /// # Errors
    ///
    /// What the system answers; what is removed in the course of listing is left out, and no error.
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
                    Ok(stat) => leftovers.push(Leftover {
                        path: self.path.join(&download).join(&name),
                        modified: modified(&stat),
                        changed: changed(&stat),
                    }),
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
    let entries = match Dir::read_from(directory) {
        Ok(entries) => entries,
        Err(Errno::NOENT) => return Ok(names),
        Err(errno) => return Err(errno),
    };
    for entry in entries {
        match entry {
            Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
            Ok(entry) => names.push(OsStr::from_bytes(entry.file_name().to_bytes()).into()),
            Err(Errno::NOENT) => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(names)
}

fn stat(directory: impl AsFd, path: &Path) -> Result<Stat, Errno> {
    fs::statat(directory, path, AtFlags::SYMLINK_NOFOLLOW)
}

#[allow(clippy::unnecessary_cast)] // their widths differ between systems
fn modified(stat: &Stat) -> SystemTime {
    time(stat.st_mtime as i64, stat.st_mtime_nsec as u64)
}

#[allow(clippy::unnecessary_cast)] // their widths differ between systems
fn changed(stat: &Stat) -> SystemTime {
    time(stat.st_ctime as i64, stat.st_ctime_nsec as u64)
}

fn time(seconds: i64, nanoseconds: u64) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let whole = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    let time = whole.and_then(|whole| whole.checked_add(Duration::from_nanos(nanoseconds)));
    time.unwrap_or(SystemTime::UNIX_EPOCH)
}
