//! The search for disagreements is able to fail: worlds that are wrong in one way each are found out.

use std::path::Path;

use proptest::test_runner::TestError;
use toctou::fs::{
    Errno, FileSystem, FlockOperation, Mode, OFlags, RenameFlags, SimFile, SimFs, Tree,
};

use super::ops::World;
use super::{Tally, memory, search};

/// In what a [`Wrong`] world differs from [`SimFs`].
#[derive(Clone, Copy, Debug)]
enum Mistake {
    /// Renaming one name of a file to another of the same file removes the first, as POSIX does not
    /// say and many believe.
    RenameOfTwoLinks,
    /// `O_EXCL` opens what is there.
    Exclusive,
    /// A failed conversion of a lock keeps the old one.
    Conversion,
    /// `O_TRUNC` truncates only what is opened for writing.
    Truncation,
}

struct Wrong {
    world: SimFs,
    mistake: Mistake,
}

impl Wrong {
    fn links(&self, path: &Path) -> bool {
        matches!(self.world.tree().get(path), Some(toctou::fs::Node::File { links: 2.., .. }))
    }
}

impl World for Wrong {
    fn tree(&self) -> Result<Tree, Errno> {
        Ok(self.world.tree())
    }
}

impl FileSystem for Wrong {
    type File = SimFile;

    fn open(&mut self, path: &Path, flags: OFlags, mode: Mode) -> Result<SimFile, Errno> {
        let flags = match self.mistake {
            Mistake::Exclusive => flags.difference(OFlags::EXCL),
            Mistake::Truncation if !flags.intersects(OFlags::RWMODE) => {
                flags.difference(OFlags::TRUNC)
            }
            _ => flags,
        };
        self.world.open(path, flags, mode)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> Result<(), Errno> {
        let twins = self.links(from) && self.links(to) && from != to;
        self.world.rename(from, to)?;
        match self.mistake {
            Mistake::RenameOfTwoLinks if twins => self.world.unlink(from).or(Ok(())),
            _ => Ok(()),
        }
    }

    fn flock(&mut self, file: &mut SimFile, operation: FlockOperation) -> Result<(), Errno> {
        let before = (self.world.clone(), file.clone());
        let result = self.world.flock(file, operation);
        if let (Mistake::Conversion, Err(_)) = (self.mistake, result) {
            (self.world, *file) = before;
        }
        result
    }

    fn read(&mut self, file: &mut SimFile, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.world.read(file, buffer)
    }

    fn write(&mut self, file: &mut SimFile, bytes: &[u8]) -> Result<usize, Errno> {
        self.world.write(file, bytes)
    }

    fn fsync(&mut self, file: &mut SimFile) -> Result<(), Errno> {
        self.world.fsync(file)
    }

    fn unlink(&mut self, path: &Path) -> Result<(), Errno> {
        self.world.unlink(path)
    }

    fn rename_with(&mut self, from: &Path, to: &Path, flags: RenameFlags) -> Result<(), Errno> {
        self.world.rename_with(from, to, flags)
    }

    fn link(&mut self, from: &Path, to: &Path) -> Result<(), Errno> {
        self.world.link(from, to)
    }

    fn mkdir(&mut self, path: &Path, mode: Mode) -> Result<(), Errno> {
        self.world.mkdir(path, mode)
    }

    fn rmdir(&mut self, path: &Path) -> Result<(), Errno> {
        self.world.rmdir(path)
    }

    fn access(&mut self, path: &Path) -> Result<(), Errno> {
        self.world.access(path)
    }

    fn close(&mut self, file: SimFile) {
        self.world.close(file);
    }
}

/// Asserts that the search finds the mistake.
fn assert_found(mistake: Mistake) {
    let wrong = || Wrong { world: SimFs::new(), mistake };
    let result = search(20_000, &memory(), &Tally::default(), wrong);
    match result.expect("a directory to try it in") {
        // Mostly shrunk to a handful of calls; how far it gets is up to chance.
        Err(TestError::Fail(difference, ops)) => println!("{mistake:?}: {difference}: {ops:#?}"),
        other => panic!("{mistake:?} was not found: {other:?}"),
    }
}

#[test]
fn a_world_whose_rename_of_two_links_removes_the_source_is_found_out() {
    assert_found(Mistake::RenameOfTwoLinks);
}

#[test]
fn a_world_that_ignores_exclusive_is_found_out() {
    assert_found(Mistake::Exclusive);
}

#[test]
fn a_world_whose_failed_conversion_keeps_the_lock_is_found_out() {
    assert_found(Mistake::Conversion);
}

#[test]
fn a_world_that_truncates_only_for_writing_is_found_out() {
    assert_found(Mistake::Truncation);
}
