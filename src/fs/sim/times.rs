//! First floor: when a simulated file was modified, by the clock of a world that has one. Imports
//! its parent module and rustix; modelled on Linux's `fs/utimes.c` and `fs/attr.c` (`may_setattr`,
//! `setattr_prepare`).

use std::time::Duration;

use rustix::fs::{Access, AtFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT};
use rustix::io::Errno;

use super::super::path::follows;
use super::super::{At, Time};
use super::inode::Ino;
use super::walk::admissible;
use super::{SimFile, SimFs};
use crate::calls::called;

/// How time passes in a [world with a clock](SimFs::with_clock).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Clock {
    /// Each call that sets a time sets a later one: of two files, the one that was modified last
    /// has the later time. Linux does so since 6.13 for a process that looks in between.
    Changes,
    /// Time stands still until somebody lets it [pass](SimFs::tick). Files that are modified
    /// meanwhile have the same time, as within a few milliseconds of an older kernel, or a second
    /// of an older file system.
    Ticks,
    /// Time passes while a process sleeps, and at no other moment. A sleep begins in one step and
    /// ends in another: others act in between, and may sleep at the same time.
    Sleeps,
}

/// A clock, and what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Now {
    clock: Clock,
    /// From the beginning of its invented time.
    shows: Duration,
}

/// What a call makes of the time of the last modification.
enum Modified {
    Now,
    Then(Time),
    Unchanged,
}

impl SimFs {
    /// The same world with a clock. From then on, [`Status::modified`](crate::fs::Status) says when
    /// something was modified, in seconds of an invented time. Each existing file is as old as the
    /// clock.
    ///
    /// Worlds that differ only in their times are different worlds. So with [`Clock::Changes`]
    /// there are as many worlds as there are orders of the changes.
    pub fn with_clock(mut self, clock: Clock) -> Self {
        let now = Now { clock, shows: Duration::from_secs(1) };
        self.clock = Some(now);
        let number = Ino::try_from(self.inodes.len()).unwrap_or(Ino::MAX);
        for inode in 0..number {
            if let Ok(inode) = self.inode_mut(inode) {
                inode.modified = Some(now.time());
            }
        }
        self
    }

    /// The same world with this clock, in which each file keeps its time.
    #[must_use]
    pub fn and_clock(mut self, clock: Clock) -> Self {
        match &mut self.clock {
            Some(now) => now.clock = clock,
            None => return self.with_clock(clock),
        }
        self
    }

    /// What the clock shows, if sleeps move it on.
    pub(crate) fn clock_of_sleeps(&self) -> Option<Duration> {
        self.clock.filter(|now| now.clock == Clock::Sleeps).map(|now| now.shows)
    }

    /// Lets time pass until the clock shows this, where sleeps move it on.
    pub(super) fn pass_until(&mut self, time: Duration) {
        if let Some(now) = self.clock.as_mut().filter(|now| now.clock == Clock::Sleeps) {
            now.shows = now.shows.max(time);
        }
    }

    /// The same world at the beginning of its time, where sleeps move its clock on.
    pub(super) fn regardless_of_sleeps(&self) -> Self {
        let mut same = self.clone();
        if let Some(now) = same.clock.as_mut().filter(|now| now.clock == Clock::Sleeps) {
            now.shows = Duration::ZERO;
        }
        same
    }

    /// Lets a second pass, where there is a clock. It is a [call](crate::calls::called): a step of
    /// the process that stands for the time.
    pub fn tick(&mut self) {
        self.pass();
        called(format_args!("tick"));
    }

    fn pass(&mut self) {
        if let Some(now) = &mut self.clock {
            now.shows = now.shows.saturating_add(Duration::from_secs(1));
        }
    }

    /// Notes that these are modified now, all in one call.
    pub(super) fn modified(&mut self, inodes: &[Ino]) -> Result<(), Errno> {
        let Some(now) = self.clock else { return Ok(()) };
        for inode in inodes {
            self.inode_mut(*inode)?.modified = Some(now.time());
        }
        if now.clock == Clock::Changes {
            self.pass();
        }
        Ok(())
    }

    pub(super) fn utimens_at(
        &mut self,
        at: At<'_, SimFile>,
        times: &Timestamps,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let follow = follows(flags)?;
        admissible([at.path])?;
        self.has_clock()?;
        if is_nothing(times) {
            return Ok(());
        }
        self.change_times(self.find(at, follow)?, times)
    }

    pub(super) fn utimens_file(&mut self, file: &SimFile, times: &Timestamps) -> Result<(), Errno> {
        self.has_clock()?;
        if is_nothing(times) {
            return Ok(());
        }
        if file.is_path() {
            return Err(Errno::BADF);
        }
        self.change_times(file.inode, times)
    }

    fn has_clock(&self) -> Result<(), Errno> {
        if self.clock.is_some() { Ok(()) } else { Err(Errno::NOSYS) }
    }

    /// `vfs_utimes`: who may write may set the time to now; any other, owners alone.
    fn change_times(&mut self, number: Ino, times: &Timestamps) -> Result<(), Errno> {
        read(&times.last_access)?;
        let modified = read(&times.last_modification)?;
        let is_touch = [times.last_access, times.last_modification]
            .iter()
            .all(|time| time.tv_nsec == UTIME_NOW);
        let inode = self.inode(number)?;
        if is_touch && !self.owns(inode) {
            self.permits(inode, Access::WRITE_OK)?;
        } else if !self.owns(inode) {
            return Err(Errno::PERM);
        }
        match modified {
            Modified::Now => self.modified(&[number])?,
            Modified::Then(time) => self.inode_mut(number)?.modified = Some(time),
            Modified::Unchanged => {}
        }
        Ok(())
    }
}

impl Now {
    fn time(self) -> Time {
        let seconds = i64::try_from(self.shows.as_secs()).unwrap_or(i64::MAX);
        Time { seconds, nanoseconds: self.shows.subsec_nanos() }
    }
}

/// `nsec_valid`.
fn read(time: &Timespec) -> Result<Modified, Errno> {
    match time.tv_nsec {
        UTIME_NOW => Ok(Modified::Now),
        UTIME_OMIT => Ok(Modified::Unchanged),
        nanoseconds @ 0..1_000_000_000 => {
            let nanoseconds = u32::try_from(nanoseconds).map_err(|_| Errno::INVAL)?;
            Ok(Modified::Then(Time { seconds: time.tv_sec, nanoseconds }))
        }
        _ => Err(Errno::INVAL),
    }
}

/// Where both are to stay, the kernel looks at nothing else.
fn is_nothing(times: &Timestamps) -> bool {
    [times.last_access, times.last_modification].iter().all(|time| time.tv_nsec == UTIME_OMIT)
}

#[cfg(test)]
mod tests {
    use super::super::super::{FileSystem, Mode, OFlags};
    use super::*;

    fn modified(world: &SimFs, path: &str) -> Option<i64> {
        world.named(path).and_then(|inode| inode.modified()).map(|time| time.seconds)
    }

    fn make(world: &mut SimFs, name: &str) -> Result<SimFile, Errno> {
        world.open(name, OFlags::CREATE | OFlags::RDWR, Mode::RWXU)
    }

    #[test]
    fn without_a_clock_worlds_that_differ_in_when_alone_are_one() -> Result<(), Errno> {
        let mut world = SimFs::new().with_file("a", Mode::RUSR, b"x")?;
        let mut file = world.open("a", OFlags::RDWR, Mode::empty())?;
        let before = world.clone();
        world.pwrite(&mut file, b"x", 0)?;
        world.tick();
        assert!(world == before);
        assert_eq!(world.fstat(&mut file)?.modified, None);
        let mut clocked = before.with_clock(Clock::Changes);
        let before = clocked.clone();
        clocked.pwrite(&mut file, b"x", 0)?;
        assert!(clocked != before);
        Ok(())
    }

    #[test]
    fn each_change_is_later_than_the_one_before_and_what_changes_nothing_takes_no_time()
    -> Result<(), Errno> {
        let mut world = SimFs::new().with_clock(Clock::Changes);
        let mut a = make(&mut world, "a")?;
        make(&mut world, "b")?;
        assert_eq!(modified(&world, "a"), Some(1));
        // One call, one time.
        assert_eq!((modified(&world, "b"), modified(&world, ".")), (Some(2), Some(2)));
        world.write(&mut a, b"")?;
        world.chmod("a", Mode::RUSR)?;
        world.stat("a", AtFlags::empty())?;
        assert_eq!(modified(&world, "a"), Some(1));
        world.write(&mut a, b"x")?;
        world.rename("a", "b")?;
        assert_eq!((modified(&world, "b"), modified(&world, ".")), (Some(3), Some(4)));
        Ok(())
    }

    #[test]
    fn a_clock_that_ticks_shows_no_difference_between_what_happened_within_a_tick()
    -> Result<(), Errno> {
        let mut world = SimFs::new().with_clock(Clock::Ticks);
        let mut a = make(&mut world, "a")?;
        let seen = world.fstat(&mut a)?;
        world.write(&mut a, b"unseen")?;
        assert_eq!(world.fstat(&mut a)?.modified, seen.modified);
        world.tick();
        world.write(&mut a, b"seen")?;
        assert!(world.fstat(&mut a)?.modified > seen.modified);
        Ok(())
    }

    #[test]
    fn a_clock_of_sleeps_moves_on_where_one_ends_and_is_no_change_to_wait_for() -> Result<(), Errno>
    {
        let mut world = SimFs::new().with_clock(Clock::Ticks);
        make(&mut world, "a")?;
        world.tick();
        let mut world = world.and_clock(Clock::Sleeps);
        assert_eq!((modified(&world, "a"), world.now()), (Some(1), Some(Duration::from_secs(2))));
        let (before, version) = (world.clone(), world.version());
        world.sleep_until(Duration::from_millis(3_500));
        world.sleep_until(Duration::from_secs(3));
        assert!(world != before && world.version() == version);
        make(&mut world, "b")?;
        let time = world.named("b").and_then(|inode| inode.modified());
        assert_eq!(time, Some(Time { seconds: 3, nanoseconds: 500_000_000 }));
        assert_ne!(world.version(), version);
        Ok(())
    }
}
