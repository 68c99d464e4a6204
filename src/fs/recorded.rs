//! First floor: a world that tells what is done to it. Imports the [`FileSystem`] trait and its
//! vocabulary.

use std::fmt;
use std::path::Path;

use super::tree::Quoted;
use super::{Errno, FileSystem, FlockOperation, Mode, OFlags, RenameFlags, errno_name};
use crate::{Process, Step};

/// A world round another that records each call and its answer as one line of text:
/// `rename(content → content.download) = ok`, `open(claim, create exclusive) = EEXIST`,
/// `read = "s3cret"`, `flock(exclusive) = would wait`.
///
/// Its files are the inner world's, so a process that runs in `F` runs here unchanged. Exploring
/// uses the bare world and pays nothing; only a schedule that is shown is run in this one.
#[derive(Clone, Debug, Default)]
pub struct Recorded<F> {
    world: F,
    labels: Vec<String>,
}

/// Performs a step in a simulated world and says what call it made: how the steps of a file system
/// protocol are told.
pub fn recorded_step<F: Clone, P: Process<Recorded<F>>>(
    world: &mut F,
    process: P,
) -> (Step<P, P::Output>, String) {
    let mut recorded = Recorded::new(world.clone());
    let step = process.step(&mut recorded);
    let label = recorded.take().join("; ");
    *world = recorded.into_inner();
    (step, label)
}

impl<F> Recorded<F> {
    /// Records what happens to `world` from here on.
    pub fn new(world: F) -> Self {
        Recorded { world, labels: Vec::new() }
    }

    /// The world as it is now.
    pub fn inner(&self) -> &F {
        &self.world
    }

    /// The world itself; what is done to it through here is not recorded.
    pub fn inner_mut(&mut self) -> &mut F {
        &mut self.world
    }

    /// The world, without the record.
    pub fn into_inner(self) -> F {
        self.world
    }

    /// The labels of the calls since the last `take`, oldest first.
    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.labels)
    }

    fn record(&mut self, call: fmt::Arguments<'_>, answer: impl fmt::Display) {
        self.labels.push(format!("{call} = {answer}"));
    }

    fn tell<T>(&mut self, call: fmt::Arguments<'_>, result: Result<T, Errno>) -> Result<T, Errno> {
        match &result {
            Ok(_) => self.record(call, "ok"),
            Err(errno) => self.record(call, errno_name(*errno)),
        }
        result
    }
}

impl<F: FileSystem> FileSystem for Recorded<F> {
    type File = F::File;

    fn open(&mut self, path: &Path, flags: OFlags, mode: Mode) -> Result<F::File, Errno> {
        let result = self.world.open(path, flags, mode);
        self.tell(format_args!("open({}{})", path.display(), Flags(flags)), result)
    }

    fn read(&mut self, file: &mut F::File, buffer: &mut [u8]) -> Result<usize, Errno> {
        let result = self.world.read(file, buffer);
        match result {
            Ok(count) => self.record(format_args!("read"), Quoted(&buffer[..count])),
            Err(errno) => self.record(format_args!("read"), errno_name(errno)),
        }
        result
    }

    fn write(&mut self, file: &mut F::File, bytes: &[u8]) -> Result<usize, Errno> {
        let result = self.world.write(file, bytes);
        let call = format_args!("write({})", Quoted(bytes));
        match result {
            Ok(count) => self.record(call, count),
            Err(errno) => self.record(call, errno_name(errno)),
        }
        result
    }

    fn fsync(&mut self, file: &mut F::File) -> Result<(), Errno> {
        let result = self.world.fsync(file);
        self.tell(format_args!("fsync"), result)
    }

    fn unlink(&mut self, path: &Path) -> Result<(), Errno> {
        let result = self.world.unlink(path);
        self.tell(format_args!("unlink({})", path.display()), result)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> Result<(), Errno> {
        let result = self.world.rename(from, to);
        self.tell(format_args!("rename({} → {})", from.display(), to.display()), result)
    }

    fn rename_with(&mut self, from: &Path, to: &Path, flags: RenameFlags) -> Result<(), Errno> {
        let result = self.world.rename_with(from, to, flags);
        let how = match flags {
            RenameFlags::NOREPLACE => ", no replace",
            none if none.is_empty() => "",
            _ => ", other flags",
        };
        self.tell(format_args!("rename({} → {}{how})", from.display(), to.display()), result)
    }

    fn link(&mut self, from: &Path, to: &Path) -> Result<(), Errno> {
        let result = self.world.link(from, to);
        self.tell(format_args!("link({} → {})", from.display(), to.display()), result)
    }

    fn mkdir(&mut self, path: &Path, mode: Mode) -> Result<(), Errno> {
        let result = self.world.mkdir(path, mode);
        self.tell(format_args!("mkdir({})", path.display()), result)
    }

    fn rmdir(&mut self, path: &Path) -> Result<(), Errno> {
        let result = self.world.rmdir(path);
        self.tell(format_args!("rmdir({})", path.display()), result)
    }

    fn access(&mut self, path: &Path) -> Result<(), Errno> {
        let result = self.world.access(path);
        self.tell(format_args!("access({})", path.display()), result)
    }

    fn flock(&mut self, file: &mut F::File, operation: FlockOperation) -> Result<(), Errno> {
        let result = self.world.flock(file, operation);
        let what = match operation {
            FlockOperation::LockShared => "shared",
            FlockOperation::LockExclusive => "exclusive",
            FlockOperation::NonBlockingLockShared => "shared, no wait",
            FlockOperation::NonBlockingLockExclusive => "exclusive, no wait",
            FlockOperation::Unlock | FlockOperation::NonBlockingUnlock => "unlock",
        };
        let call = format_args!("flock({what})");
        match result {
            Err(Errno::WOULDBLOCK) => self.record(call, "would wait"),
            Ok(()) => self.record(call, "ok"),
            Err(errno) => self.record(call, errno_name(errno)),
        }
        result
    }

    fn close(&mut self, file: F::File) {
        self.world.close(file);
        self.record(format_args!("close"), "ok");
    }
}

/// The flags of an `open` that decide what it does to the file system: `, create exclusive`.
struct Flags(OFlags);

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            (OFlags::CREATE, "create"),
            (OFlags::EXCL, "exclusive"),
            (OFlags::TRUNC, "truncate"),
            (OFlags::APPEND, "append"),
            (OFlags::DIRECTORY, "directory"),
        ];
        let mut separator = ", ";
        for (flag, name) in named {
            if self.0.contains(flag) {
                write!(f, "{separator}{name}")?;
                separator = " ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::SimFs;
    use super::*;

    #[test]
    fn every_call_is_told_with_its_answer() -> Result<(), Errno> {
        let path = Path::new;
        let mode = Mode::from_raw_mode(0o600);
        let world = SimFs::new().with_file("content", mode, b"s3cret")?;
        let mut world = Recorded::new(world);
        let mut first = world.open(path("content"), OFlags::RDONLY, mode)?;
        let mut second = world.open(path("content"), OFlags::RDONLY, mode)?;
        world.read(&mut first, &mut [0; 16])?;
        world.flock(&mut first, FlockOperation::LockShared)?;
        assert!(world.flock(&mut second, FlockOperation::LockExclusive).is_err());
        world.rename(path("content"), path("content.download"))?;
        assert!(world.access(path("meta")).is_err());
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
        let mut claim = world.open(path("claim"), flags, mode)?;
        world.write(&mut claim, b"mine")?;
        world.close(claim);
        world.open(path("."), OFlags::DIRECTORY, mode)?;
        assert_eq!(
            world.take(),
            [
                "open(content) = ok",
                "open(content) = ok",
                "read = \"s3cret\"",
                "flock(shared) = ok",
                "flock(exclusive) = would wait",
                "rename(content → content.download) = ok",
                "access(meta) = ENOENT",
                "open(claim, create exclusive) = ok",
                "write(\"mine\") = 4",
                "close = ok",
                "open(., directory) = ok",
            ]
        );
        assert!(world.take().is_empty());
        Ok(())
    }
}
