//! The search for disagreements is able to fail: worlds that are wrong in one way each are found out.

use std::path::Path;
use std::{env, io};

use proptest::test_runner::TestError;
use toctou::fs::{AtFlags, Clock, Errno, FileSystem, Format, OFlags, Protections, SimFs, Tree};

use super::arena::{Apart, Changed, Profile, Settings, apart, format, memory};
use super::ops::{Answer, Call, Cast, Did, Op, Run, Spot, When, Who, World};
use super::{Tally, search};

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
    /// Who may write to a directory may remove anything from it, sticky or not.
    Sticky,
    /// `O_NOFOLLOW` follows.
    NoFollow,
    /// `protected_symlinks` protects nothing.
    ProtectedSymlinks,
    /// Anybody may change any mode.
    Chmod,
    /// What is written to keeps the time that it was given.
    Stale,
    /// What changes hands keeps its set-user-ID bit.
    Chown,
    /// It is of another format than the file system.
    Format,
}

struct Wrong {
    run: Run<SimFs>,
    mistake: Mistake,
}

impl Wrong {
    fn new(mistake: Mistake, (protections, format): Kernel, cast: Cast) -> Self {
        let symlinks = protections.symlinks && !matches!(mistake, Mistake::ProtectedSymlinks);
        let protections = Protections { symlinks, ..protections };
        let is_wrong = matches!(mistake, Mistake::Format);
        let format = Format { unnamed_in_removed: format.unnamed_in_removed != is_wrong, ..format };
        let world = SimFs::of(cast.users[0]).with_protections(protections).with_format(format);
        Wrong { run: Run::new(world.with_clock(Clock::Changes), cast), mistake }
    }

    /// Which file a path from the anchor names, following no final link.
    fn named(&self, Spot(from, path): Spot) -> Option<u64> {
        let mut world = self.run.world.clone();
        let status = world.stat(path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        from.is_none().then_some(status.inode)
    }

    /// The operation as this world misunderstands it.
    fn misread(&self, op: &Op) -> Op {
        let misread = |flags: OFlags| match self.mistake {
            Mistake::Exclusive => flags.difference(OFlags::EXCL),
            Mistake::NoFollow => flags.difference(OFlags::NOFOLLOW),
            Mistake::Truncation if !flags.intersects(OFlags::RWMODE) => {
                flags.difference(OFlags::TRUNC)
            }
            _ => flags,
        };
        let call = match op.call {
            Call::Open(slot, spot, flags, mode) => Call::Open(slot, spot, misread(flags), mode),
            call => call,
        };
        Op { call, ..*op }
    }
}

impl World for Wrong {
    fn perform(&mut self, op: &Op) -> Answer {
        let before = self.run.clone();
        let twins = match op.call {
            Call::Rename(from, to) if from.1 != to.1 => {
                self.named(from).is_some() && self.named(from) == self.named(to)
            }
            _ => false,
        };
        let as_root = Op { by: Who::Root, ..*op };
        let seen = match op.call {
            Call::Write(slot, _) | Call::Pwrite(slot, ..) => {
                let looked = before.clone().perform(&Op { call: Call::Fstat(slot), ..as_root });
                match looked {
                    Some(Ok(Did::Status(status, _))) => Some((slot, status.modified)),
                    _ => None,
                }
            }
            _ => None,
        };
        let answer = self.run.perform(&self.misread(op));
        let keeps_bits = match op.call {
            Call::Chown(spot, ..) if spot.0.is_none() => {
                let mut world = before.world.clone();
                let status = world.stat(spot.1, AtFlags::empty());
                status.ok().map(|status| (spot, status.mode.as_raw_mode()))
            }
            _ => None,
        };
        match (self.mistake, op.call, &answer) {
            (Mistake::RenameOfTwoLinks, Call::Rename(from, _), Some(Ok(_))) if twins => {
                self.run.perform(&Op { call: Call::Unlink(from), ..as_root });
            }
            (Mistake::Stale, _, Some(Ok(_))) => {
                if let Some((slot, Some(time))) = seen {
                    let when = [When::Omit, When::Then(time.seconds)];
                    self.run.perform(&Op { call: Call::Futimens(slot, when), ..as_root });
                }
            }
            (Mistake::Chown, Call::Chown(..), Some(Ok(_))) => {
                if let Some((spot, mode)) = keeps_bits {
                    self.run.perform(&Op { call: Call::Chmod(spot, mode), ..as_root });
                }
            }
            (Mistake::Conversion, Call::Flock(..), Some(Err(_))) => self.run = before,
            (
                Mistake::Sticky,
                Call::Unlink(..) | Call::Rmdir(..) | Call::Rename(..),
                Some(Err(Errno::PERM)),
            )
            | (Mistake::Chmod, Call::Chmod(..) | Call::Fchmod(..), Some(Err(Errno::PERM))) => {
                return self.run.perform(&as_root);
            }
            _ => {}
        }
        answer
    }

    fn tree(&mut self) -> Result<Tree, Errno> {
        self.run.tree()
    }
}

/// The kernel's settings, and the format of the file system.
type Kernel = (Protections, Format);

/// Asserts that the search on this file system finds the mistake, under these settings of the kernel.
fn assert_found(mistake: Mistake, protections: Protections, parent: &Path) {
    let kernel = (protections, format(parent));
    let found = apart(|Apart { cast, .. }| {
        if matches!(mistake, Mistake::Sticky | Mistake::Chmod | Mistake::ProtectedSymlinks)
            && cast.users[0] == cast.users[1]
        {
            println!("not tried: it takes several users, which only root can be");
            return None;
        }
        let wrong = |_, cast| Wrong::new(mistake, kernel, cast);
        Some(search(20_000, parent, (Profile::Tame, cast), &Tally::default(), wrong))
    });
    match found.map(|found| found.expect("a directory to try it in")) {
        None => {}
        // Mostly shrunk to a handful of calls; how far it gets is up to chance.
        Some(Err(TestError::Fail(difference, ops))) => {
            println!("{mistake:?}: {difference}: {ops:#?}");
        }
        Some(other) => panic!("{mistake:?} was not found: {other:?}"),
    }
}

fn assert_found_now(mistake: Mistake) {
    assert_found(mistake, Settings::read().protections, &memory());
}

#[test]
fn a_world_whose_rename_of_two_links_removes_the_source_is_found_out() {
    assert_found_now(Mistake::RenameOfTwoLinks);
}

#[test]
fn a_world_that_ignores_exclusive_is_found_out() {
    assert_found_now(Mistake::Exclusive);
}

#[test]
fn a_world_whose_failed_conversion_keeps_the_lock_is_found_out() {
    assert_found_now(Mistake::Conversion);
}

#[test]
fn a_world_that_truncates_only_for_writing_is_found_out() {
    assert_found_now(Mistake::Truncation);
}

#[test]
fn a_world_that_ignores_the_sticky_bit_is_found_out() {
    assert_found_now(Mistake::Sticky);
}

#[test]
fn a_world_that_follows_a_link_it_was_told_not_to_is_found_out() {
    assert_found_now(Mistake::NoFollow);
}

#[test]
fn a_world_in_which_anybody_changes_modes_is_found_out() {
    assert_found_now(Mistake::Chmod);
}

#[test]
fn a_world_in_which_what_is_written_to_stays_as_old_is_found_out() {
    assert_found_now(Mistake::Stale);
}

#[test]
fn a_world_in_which_programs_change_hands_unchanged_is_found_out() {
    assert_found_now(Mistake::Chown);
}

#[test]
fn a_world_of_another_format_than_the_file_system_is_found_out() {
    for parent in [memory(), env::temp_dir()] {
        assert_found(Mistake::Format, Settings::read().protections, &parent);
    }
}

#[test]
fn a_world_that_does_not_protect_links_in_sticky_directories_is_found_out() -> io::Result<()> {
    if let Some(mut settings) = Changed::allowed()? {
        let protections = settings.set([1, 0, 0])?;
        assert_found(Mistake::ProtectedSymlinks, protections, &memory());
        return Ok(());
    }
    let settings = Settings::read();
    if settings.protections.symlinks {
        assert_found(Mistake::ProtectedSymlinks, settings.protections, &memory());
    } else {
        println!("not tried: fs.protected_symlinks is off, TOCTOU_CONFORMANCE_SYSCTLS=1 sets it");
    }
    Ok(())
}
