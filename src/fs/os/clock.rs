//! First floor: the clock of a simulated world beside the kernel's files, where a schedule of that world is
//! replayed. Imports its parent module and rustix.
//!
//! The kernel gives each file that changes the time of the machine. Such a time stands for what the world's
//! clock shows. Before that clock moves on, it is written down in all files that have changed. So a file's time
//! is as simulated, however long the replay takes.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, RawMode, Stat, Timespec, Timestamps};
use rustix::io::Errno;

use super::super::{Status, Time};
use super::{OsFs, uninterrupted};

/// A time of the machine is later, and a time of an invented clock earlier: in seconds since 1970.
const OF_THE_MACHINE: i64 = 1_000_000_000;

/// What a clock shows.
pub(super) fn shows(clock: &Mutex<Duration>) -> Duration {
    *clock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OsFs {
    /// The same world with a clock of its own, which shows this and moves on by sleeps alone.
    #[cfg(any(test, feature = "command"))]
    pub(crate) fn with_clock(self, shows: Duration) -> Self {
        OsFs { clock: Some(Mutex::new(shows)), ..self }
    }

    /// The same status with the time of the world's clock, where the world has one.
    #[inline(always)]
    pub(super) fn by_its_clock(&self, status: Status) -> Status {
        match &self.clock {
            None => status,
            Some(clock) => told(status, clock),
        }
    }

    /// Moves the clock on to this time, if it is not there yet.
    pub(super) fn pass_until(&self, time: Duration) {
        let Some(clock) = &self.clock else { return };
        let mut shows = clock.lock().unwrap_or_else(PoisonError::into_inner);
        if *shows >= time {
            return;
        }
        let then = timestamps(*shows);
        // A directory that cannot be read has files whose times nobody asks for.
        let _ = note_below(self.anchor.as_fd(), &then);
        let held = self.held.iter().flat_map(|held| {
            let held = held.lock().unwrap_or_else(PoisonError::into_inner);
            held.iter().filter_map(|(_, file)| file.try_clone().ok()).collect::<Vec<_>>()
        });
        // Among them are those that have no name any more.
        for file in held {
            let own = format!("/proc/self/fd/{}", file.as_raw_fd());
            if fs::fstat(&file).is_ok_and(|stat| has_changed(&stat)) {
                let _ = fs::utimensat(fs::CWD, own, &then, AtFlags::empty());
            }
        }
        *shows = time;
    }
}

#[cold]
fn told(status: Status, clock: &Mutex<Duration>) -> Status {
    match status.modified {
        Some(time) if is_new(time.seconds) => {
            let shows = shows(clock);
            let seconds = i64::try_from(shows.as_secs()).unwrap_or(i64::MAX);
            let modified = Time { seconds, nanoseconds: shows.subsec_nanos() };
            Status { modified: Some(modified), ..status }
        }
        _ => status,
    }
}

/// Whether it is a time of the machine.
fn is_new(seconds: i64) -> bool {
    seconds >= OF_THE_MACHINE
}

#[allow(clippy::unnecessary_cast)] // its width differs between systems
fn has_changed(stat: &Stat) -> bool {
    is_new(stat.st_mtime as i64)
}

fn timestamps(time: Duration) -> Timestamps {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let time = Timespec { tv_sec: seconds, tv_nsec: time.subsec_nanos().into() };
    Timestamps { last_access: time, last_modification: time }
}

/// Gives this time to a directory and to all below it that have changed.
fn note_below(directory: BorrowedFd<'_>, then: &Timestamps) -> Result<(), Errno> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let stat = fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode as RawMode) == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let below = uninterrupted(|| fs::openat(directory, name, flags, Mode::empty()));
            if let Ok(below) = below {
                note_below(below.as_fd(), then)?;
            }
        }
        if has_changed(&stat) {
            fs::utimensat(directory, name, then, AtFlags::SYMLINK_NOFOLLOW)?;
        }
    }
    if fs::fstat(directory).is_ok_and(|stat| has_changed(&stat)) {
        fs::utimensat(directory, c".", then, AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::FileSystem;
    use super::*;

    const FLAGS: OFlags = OFlags::CREATE.union(OFlags::RDWR);

    fn modified(fs: &OsFs, path: &str) -> Option<i64> {
        let mut fs = fs;
        fs.stat(Path::new(path), AtFlags::empty()).ok()?.modified.map(|time| time.seconds)
    }

    /// What changes has the time of the clock, and keeps it while the clock moves on.
    #[test]
    fn a_file_is_as_old_as_the_clock_says() -> Result<(), Errno> {
        let folder = tempfile::tempdir().map_err(|_| Errno::IO)?;
        let fs = OsFs::open(folder.path())?.telling_apart().with_clock(Duration::from_secs(1));
        let mut world = &fs;
        let mut open = world.open("a", FLAGS, Mode::RWXU)?;
        world.mkdir("d", Mode::RWXU)?;
        assert_eq!((modified(&fs, "a"), modified(&fs, ".")), (Some(1), Some(1)));
        world.sleep_until(Duration::from_secs(11));
        world.sleep_until(Duration::from_secs(5));
        assert_eq!(world.now(), Some(Duration::from_secs(11)));
        world.open("d/b", FLAGS, Mode::RWXU)?;
        let all = ["a", ".", "d", "d/b"].map(|path| modified(&fs, path));
        assert_eq!(all, [Some(1), Some(1), Some(11), Some(11)]);
        world.write(&mut open, b"x")?;
        world.unlink("a")?;
        world.sleep_until(Duration::from_secs(12));
        let status = world.which(&mut open).and_then(|status| status.modified);
        assert_eq!(status.map(|time| time.seconds), Some(11), "also without a name");
        assert_eq!(["d", "d/b"].map(|path| modified(&fs, path)), [Some(11), Some(11)]);
        Ok(())
    }
}
