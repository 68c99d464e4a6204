//! First floor: record locks of open files in a simulated world. Imports its parent module and
//! rustix; modelled on Linux's `fs/locks.c` (`flock_to_posix_lock`, `fcntl_setlk`,
//! `posix_lock_inode`).

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::super::ByteRange;
use super::super::path::position;
use super::inode::Held;
use super::{SimFile, SimFs};

/// The last byte that any file can have.
const OFFSET_MAX: u64 = i64::MAX as u64;

/// Bytes that an open file holds a lock on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Record {
    first: u64,
    last: u64,
    /// Whether nobody else may hold one there.
    exclusive: bool,
}

impl SimFs {
    /// `fcntl_setlk` with `F_OFD_SETLK`. What the open file holds there is replaced at once, or stays
    /// as it is.
    pub(super) fn lock_record(
        &mut self,
        file: &mut SimFile,
        operation: FlockOperation,
        range: ByteRange,
    ) -> Result<(), Errno> {
        position(range.start)?;
        position(range.length)?;
        if file.is_path() {
            return Err(Errno::BADF);
        }
        let (first, last) = bounds(range)?;
        let wanted = match Held::from(operation) {
            Held::None => None,
            Held::Shared if file.readable() => Some(Record { first, last, exclusive: false }),
            Held::Exclusive if file.writable() => Some(Record { first, last, exclusive: true }),
            Held::Shared | Held::Exclusive => return Err(Errno::BADF),
        };
        let others = self.records_of_others(file)?;
        if let Some(wanted) = wanted
            && others.iter().any(|other| other.excludes(&wanted))
        {
            return Err(Errno::WOULDBLOCK);
        }
        let own = replaced(file.rare.records(), (first, last), wanted);
        let mut all = others;
        all.extend_from_slice(&own);
        all.sort_unstable();
        self.inode_mut(file.inode)?.records = all;
        file.rare.set_records(own);
        Ok(())
    }

    /// What all other open files hold of its inode. `EBADF` where nobody holds any more what this one
    /// says it holds: it is a copy of one that let go.
    fn records_of_others(&self, file: &SimFile) -> Result<Vec<Record>, Errno> {
        let mut others = self.inode(file.inode)?.records.clone();
        for own in file.rare.records() {
            let held = others.iter().position(|record| record == own).ok_or(Errno::BADF)?;
            others.remove(held);
        }
        Ok(others)
    }

    /// Lets go of all record locks that an open file holds.
    pub(super) fn let_go_of_records(&mut self, file: &mut SimFile) -> Result<(), Errno> {
        if file.rare.records().is_empty() {
            return Ok(());
        }
        let others = self.records_of_others(file);
        file.rare.set_records(Vec::new());
        self.inode_mut(file.inode)?.records = others?;
        Ok(())
    }
}

impl Record {
    pub(super) fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    /// The first byte and the last; `None` for the last that there can be.
    pub(super) fn bytes(&self) -> (u64, Option<u64>) {
        (self.first, Some(self.last).filter(|last| *last < OFFSET_MAX))
    }

    fn excludes(&self, other: &Record) -> bool {
        let overlaps = self.first <= other.last && other.first <= self.last;
        overlaps && (self.exclusive || other.exclusive)
    }
}

/// `flock_to_posix_lock`: the first byte and the last.
fn bounds(range: ByteRange) -> Result<(u64, u64), Errno> {
    let last = match range.length.checked_sub(1) {
        None => OFFSET_MAX,
        Some(more) => range.start.checked_add(more).ok_or(Errno::OVERFLOW)?,
    };
    if last > OFFSET_MAX { Err(Errno::OVERFLOW) } else { Ok((range.start, last)) }
}

/// What is held once `wanted` is held on these bytes, or nothing: sorted, neighbours of one kind
/// together.
fn replaced(own: &[Record], (first, last): (u64, u64), wanted: Option<Record>) -> Vec<Record> {
    let around = own.iter().flat_map(|record| {
        let before =
            first.checked_sub(1).map(|end| Record { last: record.last.min(end), ..*record });
        let after =
            last.checked_add(1).map(|start| Record { first: record.first.max(start), ..*record });
        [before, after].into_iter().flatten().filter(|record| record.first <= record.last)
    });
    let mut all: Vec<Record> = around.chain(wanted).collect();
    all.sort_unstable();
    let mut merged: Vec<Record> = Vec::with_capacity(all.len());
    for record in all {
        match merged.last_mut() {
            Some(before)
                if before.exclusive == record.exclusive && before.last + 1 >= record.first =>
            {
                before.last = before.last.max(record.last);
            }
            _ => merged.push(record),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::super::super::{FileSystem, Mode, OFlags};
    use super::*;

    const EXCLUSIVE: FlockOperation = FlockOperation::NonBlockingLockExclusive;
    const SHARED: FlockOperation = FlockOperation::NonBlockingLockShared;
    const UNLOCK: FlockOperation = FlockOperation::NonBlockingUnlock;

    fn range(start: u64, length: u64) -> ByteRange {
        ByteRange { start, length }
    }

    #[test]
    fn worlds_in_which_the_same_is_held_are_one_however_it_came_about() -> Result<(), Errno> {
        let mut world = SimFs::new().with_file("a", Mode::RWXU, b"")?;
        let mut file = world.open("a", OFlags::RDWR, Mode::empty())?;
        let (mut other, mut same) = (world.clone(), file.clone());
        for (operation, range) in
            [(EXCLUSIVE, range(0, 4)), (SHARED, range(4, 4)), (EXCLUSIVE, range(6, 2))]
        {
            world.lock_record(&mut file, operation, range)?;
        }
        for (operation, range) in [
            (EXCLUSIVE, ByteRange::ALL),
            (SHARED, range(4, 2)),
            (UNLOCK, range(8, 0)),
            (UNLOCK, range(100, 1)),
        ] {
            other.lock_record(&mut same, operation, range)?;
        }
        assert!(world == other && file == same);
        world.close(file);
        other.close(same);
        assert!(world == other);
        Ok(())
    }

    #[test]
    fn a_lock_that_cannot_be_had_leaves_what_is_held() -> Result<(), Errno> {
        let mut world = SimFs::new().with_file("a", Mode::RWXU, b"")?;
        let mut one = world.open("a", OFlags::RDWR, Mode::empty())?;
        let mut other = world.open("a", OFlags::RDWR, Mode::empty())?;
        world.lock_record(&mut one, SHARED, range(0, 8))?;
        world.lock_record(&mut other, SHARED, range(4, 8))?;
        let before = world.clone();
        let refused = world.lock_record(&mut one, EXCLUSIVE, range(0, 5));
        assert_eq!(refused, Err(Errno::WOULDBLOCK));
        assert!(world == before);
        world.lock_record(&mut one, EXCLUSIVE, range(0, 4))?;
        world.close(other);
        world.lock_record(&mut one, EXCLUSIVE, range(0, 5))?;
        world.close(one);
        Ok(())
    }
}
