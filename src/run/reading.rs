//! Third floor, `run`: a directory of the kernel as a simulated world. Imports [`fs`](crate::fs).

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::identity;
use crate::fs::{
    AtFlags, Clock, Errno, FileSystem, FileType, Mode, OFlags, SimFs, Timespec, Timestamps, User,
    errno_name,
};

/// The largest world that is read.
const LARGEST: u64 = 64 << 20;

/// Why a directory cannot be a world.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The kernel does not let it be read.
    #[error("cannot read {}: {why}", .path.display())]
    Kernel {
        /// What cannot be read.
        path: PathBuf,
        /// Why not.
        why: io::Error,
    },
    /// The simulated file system does not take it.
    #[error("{} cannot be in a simulated world: {}", .path.display(), errno_name(*.errno))]
    World {
        /// What it does not take.
        path: PathBuf,
        /// What it answers.
        errno: Errno,
    },
    /// It belongs to somebody else.
    #[error("{} belongs to another user (number {owner})", .path.display())]
    Owner {
        /// What belongs to somebody else.
        path: PathBuf,
        /// To whom.
        owner: u32,
    },
    /// It is a socket or a device.
    #[error("{} is neither a file, nor a directory, a link or a pipe", .path.display())]
    Kind {
        /// What it is.
        path: PathBuf,
    },
    /// It is a symbolic link with an absolute target.
    #[error("{} is a link to {}: a link in a simulated world is relative", .path.display(), .target.display())]
    Link {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// There is too much in it.
    #[error("{} is too large for a simulated world: more than {} MiB in all", .path.display(), LARGEST >> 20)]
    Large {
        /// The directory.
        path: PathBuf,
    },
}

/// Reads a directory of the kernel into a simulated world, in which the user of this process acts: files,
/// directories, symbolic links, pipes, with their modes, their further names and their age. Its umask is
/// empty: programs bring their own.
///
/// # Errors
///
/// Where something in it cannot be read, belongs to another user, or is a socket or a device; where there
/// are more than 64 MiB.
pub fn read(directory: &Path) -> Result<SimFs, ReadError> {
    let user = User::current();
    let mut reading = Reading {
        from: directory,
        owner: user.uid.as_raw(),
        world: SimFs::of(user).with_umask(Mode::empty()).with_clock(Clock::Ticks),
        ages: Vec::new(),
        names: HashMap::new(),
        modes: Vec::new(),
        size: 0,
    };
    let metadata = directory.metadata();
    let is_directory = metadata.map_err(|why| reading.kernel(Path::new(""), why))?.is_dir();
    if !is_directory {
        let why = io::Error::from(io::ErrorKind::NotADirectory);
        return Err(reading.kernel(Path::new(""), why));
    }
    reading.directory(Path::new(""))?;
    // Once all is in them: who may not write to a directory makes nothing in it.
    for (path, mode) in std::mem::take(&mut reading.modes).into_iter().rev() {
        let done = reading.world.chmod(path.as_path(), mode);
        done.map_err(|errno| ReadError::World { path, errno })?;
    }
    for (path, age) in std::mem::take(&mut reading.ages) {
        let time = Timespec { tv_sec: identity::WORLD_BEGINS - age, tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        let done = reading.world.utimensat(path.as_path(), &times, AtFlags::SYMLINK_NOFOLLOW);
        done.map_err(|errno| ReadError::World { path, errno })?;
    }
    Ok(reading.world)
}

/// What is younger is new, in seconds: it was made by what made the directory.
const NEW: i64 = 60;

/// An empty world, in which the user of this process acts. Its umask is empty: programs bring their own.
pub fn empty() -> SimFs {
    SimFs::of(User::current()).with_umask(Mode::empty()).with_clock(Clock::Ticks)
}

struct Reading<'a> {
    from: &'a Path,
    owner: u32,
    world: SimFs,
    /// The first name of each file that has several.
    names: HashMap<(u64, u64), PathBuf>,
    modes: Vec<(PathBuf, Mode)>,
    /// How old what is no longer new is, in seconds.
    ages: Vec<(PathBuf, i64)>,
    size: u64,
}

impl Reading<'_> {
    fn kernel(&self, path: &Path, why: io::Error) -> ReadError {
        ReadError::Kernel { path: self.from.join(path), why }
    }

    fn directory(&mut self, path: &Path) -> Result<(), ReadError> {
        let entries = fs::read_dir(self.from.join(path)).and_then(Iterator::collect);
        let entries: Vec<fs::DirEntry> = entries.map_err(|why| self.kernel(path, why))?;
        let mut names: Vec<_> = entries.iter().map(fs::DirEntry::file_name).collect();
        names.sort();
        for name in names {
            self.entry(&path.join(name))?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path) -> Result<(), ReadError> {
        let metadata = self.from.join(path).symlink_metadata();
        let metadata = metadata.map_err(|why| self.kernel(path, why))?;
        if metadata.uid() != self.owner {
            return Err(ReadError::Owner { path: path.to_owned(), owner: metadata.uid() });
        }
        let age = identity::real_now() - metadata.mtime();
        if age >= NEW {
            self.ages.push((path.to_owned(), age));
        }
        let is_known = (!metadata.is_dir() && metadata.nlink() > 1)
            .then(|| self.names.insert((metadata.dev(), metadata.ino()), path.to_owned()))
            .flatten();
        let made = match is_known {
            Some(first) => self.world.link(first.as_path(), path),
            None => self.new_entry(path, &metadata)?,
        };
        made.map_err(|errno| ReadError::World { path: path.to_owned(), errno })?;
        if metadata.is_dir() { self.directory(path) } else { Ok(()) }
    }

    fn new_entry(
        &mut self,
        path: &Path,
        metadata: &Metadata,
    ) -> Result<Result<(), Errno>, ReadError> {
        let (from, mode) = (self.from.join(path), Mode::from_raw_mode(metadata.mode()));
        let kernel = |why| ReadError::Kernel { path: from.clone(), why };
        let kind = metadata.file_type();
        self.size += metadata.len() + 512;
        if self.size > LARGEST {
            return Err(ReadError::Large { path: self.from.to_owned() });
        }
        Ok(if kind.is_dir() {
            self.modes.push((path.to_owned(), mode));
            self.world.mkdir(path, Mode::RWXU)
        } else if kind.is_symlink() {
            let target = fs::read_link(&from).map_err(kernel)?;
            if target.is_absolute() {
                return Err(ReadError::Link { path: from, target });
            }
            self.world.symlink(&target, path)
        } else if kind.is_file() {
            let bytes = fs::read(&from).map_err(kernel)?;
            self.file(path, mode, &bytes)
        } else if kind.is_fifo() {
            self.world.mknod(path, FileType::Fifo, mode, 0)
        } else {
            return Err(ReadError::Kind { path: from });
        })
    }

    fn file(&mut self, path: &Path, mode: Mode, bytes: &[u8]) -> Result<(), Errno> {
        let world = &mut self.world;
        let mut file =
            world.open(path, OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY, Mode::RWXU)?;
        let mut left = bytes;
        while !left.is_empty() {
            left = &left[world.write(&mut file, left)?..];
        }
        world.fchmod(&mut file, mode)
    }
}
