//! First floor: what of a simulated file system is on disk, and what a power failure leaves. Imports
//! its parent module and rustix.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::inode::{Body, Ino, Inode, Lock};
use super::{ROOT, SimFile, SimFs};
use crate::calls::{called, mistaken};

/// Which changes may survive a power failure without which others.
///
/// A call changes one or several things that the disk takes one by one: names, bytes of a block, a
/// length, a mode with its owners. They are pending until the disk has them. A power failure lets
/// some of the pending ones survive: any set of them in which each one is there with all those that
/// it needs. [`fsync`](crate::fs::FileSystem::fsync) makes some of them permanent. The profiles say
/// what needs what, and what `fsync` does.
///
/// What survives in `Sequential` may survive in every other profile. What survives in any of them
/// may survive in `Posix`. `MetadataPrefix` and `Ext4` each let something survive that the other
/// one does not.
///
/// | | needs | an `fsync` makes permanent |
/// | --- | --- | --- |
/// | `Sequential` | all that came before | everything |
/// | `MetadataPrefix` | names, lengths and modes: all earlier names, lengths and modes; bytes: earlier bytes of the same block | all names, lengths and modes; the file's bytes |
/// | `Ext4` | see there | the file's bytes, length, mode and names, with all that these need |
/// | `Posix` | earlier bytes of the same block; earlier lengths and modes of the same file, but not one that a write gave it; earlier changes of the same name | of a file: its bytes, length and mode; of a directory: the names in it |
///
/// `fdatasync` does the same, but leaves modes and owners pending where nothing else needs them. In
/// `Ext4` it leaves names pending, too, but for the first one of a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Nothing is reordered: what survives is how far the calls had come (Bornholt and others,
    /// “Specifying and Checking File System Crash-Consistency Models”, ASPLOS 2016, definition 5).
    Sequential,
    /// Names, lengths and modes survive in their order; the bytes of each block survive or do not.
    /// A file that grew may show zeros (Chen and others, “Verifying a high-performance crash-safe
    /// file system using a tree specification”, SOSP 2017: DFSCQ's metadata-prefix
    /// specification).
    MetadataPrefix,
    /// What ext4 of Linux 6 leaves, with and without `auto_da_alloc`: definition 7 of Bornholt and
    /// others, ASPLOS 2016, with what has been seen on ext4 besides.
    ///
    /// What needs what: changes of length or mode of one file, in order; bytes of one block, in
    /// order; names that have a directory or a file in common, in order. A rename is one change.
    ///
    /// Other than in definition 7:
    ///
    /// - A new block may show zeros, and needs no earlier bytes of its file. A mode, or a length that
    ///   was set, does not need the length that a write gave the file: what was written comes late.
    /// - `auto_da_alloc`, which is on by default, is not simulated. With it, ext4 writes the bytes of a
    ///   file before a rename that replaces another one, and of one that was cut to nothing when it
    ///   is closed. So a program that leaves out that `fsync` loses more here than there. It loses
    ///   as much with `noauto_da_alloc`, on other file systems, and where its rename replaces nothing.
    /// - A shorter length may be preceded by zeros up to the end of the block.
    /// - `fdatasync` makes no name permanent but the first one of a new file.
    Ext4,
    /// What POSIX leaves open, as the default model of ALICE does (Pillai and others, “All File
    /// Systems Are Not Created Equal”, OSDI 2014). A rename may be torn: both names, or neither.
    /// The `fsync` of a file does not make its name permanent.
    Posix,
}

impl Profile {
    /// All profiles, the strictest first.
    pub const ALL: [Profile; 4] =
        [Profile::Sequential, Profile::MetadataPrefix, Profile::Ext4, Profile::Posix];

    /// Its name: `metadata-prefix`.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Sequential => "sequential",
            Profile::MetadataPrefix => "metadata-prefix",
            Profile::Ext4 => "ext4",
            Profile::Posix => "posix",
        }
    }

    /// Whether a new block comes with its length.
    fn extends_at_once(self) -> bool {
        matches!(self, Profile::Sequential)
    }

    /// Whether what was cut off a block is overwritten with zeros before the length is set.
    fn clears_what_is_cut_off(self) -> bool {
        matches!(self, Profile::Ext4 | Profile::Posix)
    }

    /// Whether a change that came `later` needs an earlier one.
    fn needs(self, block: NonZeroUsize, earlier: &Change, later: &Change) -> bool {
        let same_block = || match (earlier.bytes_at(), later.bytes_at()) {
            (Some((one, first)), Some((other, second))) => {
                one == other && first / block == second / block
            }
            _ => false,
        };
        let same_inode =
            || earlier.sets_inode().is_some() && earlier.sets_inode() == later.sets_inode();
        // A length that comes by writing is set late.
        let ordered_inode =
            || same_inode() && (later.is_written_length() || !earlier.is_written_length());
        match self {
            // What is given up may be lost alone.
            Profile::Sequential => !earlier.is_given_up() || same_block(),
            Profile::MetadataPrefix => earlier.is_metadata() && later.is_metadata() || same_block(),
            Profile::Ext4 => ordered_inode() || same_block() || earlier.has_in_common(later),
            Profile::Posix => {
                let is_clearing = matches!(earlier, Change::Bytes { clears: true, .. });
                ordered_inode() || same_block() && !is_clearing || earlier.is_of_same_name(later)
            }
        }
    }

    /// Whether `fsync` (or `fdatasync`) of this file asks for this change itself.
    fn is_asked_for(self, change: &Change, file: Ino, data_alone: bool) -> bool {
        let is_mode = matches!(change, Change::Owners { .. });
        let is_its_own = change.sets_inode() == Some(file) && !(data_alone && is_mode)
            || change.bytes_at().is_some_and(|at| at.0 == file);
        match (self, change) {
            (_, Change::Bytes { given_up: true, .. }) => false,
            (Profile::Sequential, _) => true,
            (Profile::MetadataPrefix, _) if !data_alone => is_its_own || change.is_metadata(),
            (Profile::Ext4, Change::Names(names)) if data_alone => {
                names.iter().any(|name| name.directory == file)
            }
            (Profile::Ext4, Change::Names(names)) => names.iter().any(|name| name.is_about(file)),
            (Profile::Posix, Change::Names(names)) => {
                names.iter().any(|name| name.directory == file)
            }
            _ => is_its_own,
        }
    }
}

/// The disk of a world: what is on it for certain, and what may be.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Disk {
    profile: Profile,
    block: NonZeroUsize,
    /// What every power failure leaves. An inode that nobody made permanent is as it was made.
    inodes: Vec<Arc<Inode>>,
    /// What came after that, in order.
    pending: Vec<Change>,
    failures: u32,
    power: Power,
    lost: Lost,
    /// Whether the next `fsync` fails.
    fails: bool,
    /// How many are still flushed before one is not.
    lies_after: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Power {
    On,
    Off {
        /// Whether it failed while the recovery ran.
        in_recovery: bool,
    },
    /// It is on again, and nobody but the recovery runs.
    Recovering,
}

impl Power {
    fn is_in_recovery(self) -> bool {
        matches!(self, Power::Recovering | Power::Off { in_recovery: true })
    }
}

/// Whether a power failure has lost a change: one that came while programs ran, and one that came while
/// the recovery ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Lost {
    running: bool,
    recovering: bool,
}

/// What the disk takes at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Change {
    Names(Vec<Name>),
    /// Within what the file has of blocks, or where its length follows by itself.
    Bytes {
        inode: Ino,
        at: usize,
        bytes: Box<[u8]>,
        /// Whether these are zeros in the place of what a shorter length cuts off.
        clears: bool,
        /// Whether an `fsync` has failed to write them: no later one writes them.
        given_up: bool,
    },
    Length {
        inode: Ino,
        length: usize,
        /// Whether it comes by writing.
        written: bool,
    },
    /// A new block, with the length that comes with it.
    Extend {
        inode: Ino,
        at: usize,
        bytes: Box<[u8]>,
        length: usize,
    },
    Owners {
        inode: Ino,
        mode: Mode,
        uid: Uid,
        gid: Gid,
    },
}

/// A name that stands for something else from then on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name {
    pub(super) directory: Ino,
    pub(super) name: Box<[u8]>,
    pub(super) before: Option<Ino>,
    pub(super) after: Option<Ino>,
}

impl Name {
    fn is_about(&self, inode: Ino) -> bool {
        self.directory == inode || self.before == Some(inode) || self.after == Some(inode)
    }
}

impl Change {
    fn is_given_up(&self) -> bool {
        matches!(self, Change::Bytes { given_up: true, .. })
    }

    fn is_written_length(&self) -> bool {
        matches!(self, Change::Length { written: true, .. } | Change::Extend { .. })
    }

    fn is_metadata(&self) -> bool {
        !matches!(self, Change::Bytes { .. })
    }

    /// The file whose bytes it changes, and where.
    fn bytes_at(&self) -> Option<(Ino, usize)> {
        match self {
            Change::Bytes { inode, at, .. } | Change::Extend { inode, at, .. } => {
                Some((*inode, *at))
            }
            _ => None,
        }
    }

    /// Cuts off what a later truncation of this file has cut off: it is in no cache any more, and its
    /// blocks are not the file's. Whether something is left.
    fn is_left_by(&mut self, file: Ino, length: usize) -> bool {
        match self {
            Change::Bytes { inode, at, bytes, .. } if *inode == file => {
                let left = length.saturating_sub(*at).min(bytes.len());
                if left < bytes.len() {
                    *bytes = bytes[..left].into();
                }
                left > 0
            }
            _ => true,
        }
    }

    /// The inode whose length, mode or owners it sets.
    fn sets_inode(&self) -> Option<Ino> {
        match self {
            Change::Length { inode, .. }
            | Change::Extend { inode, .. }
            | Change::Owners { inode, .. } => Some(*inode),
            Change::Names(_) | Change::Bytes { .. } => None,
        }
    }

    fn names(&self) -> &[Name] {
        match self {
            Change::Names(names) => names,
            _ => &[],
        }
    }

    /// Whether both are about a name of the same directory, or of the same file.
    fn has_in_common(&self, other: &Change) -> bool {
        self.names().iter().any(|one| {
            let mut inodes = [Some(one.directory), one.before, one.after].into_iter().flatten();
            inodes.any(|inode| other.names().iter().any(|name| name.is_about(inode)))
        })
    }

    fn is_of_same_name(&self, other: &Change) -> bool {
        self.names().iter().any(|one| {
            let is_same = |name: &Name| name.directory == one.directory && name.name == one.name;
            other.names().iter().any(is_same)
        })
    }
}

/// What a power failure may leave.
#[derive(Clone, Debug)]
pub struct Survival {
    /// The file system that there is then, before anybody recovers it.
    pub world: SimFs,
    /// What did not survive, in the order in which it was done: `the name content.1`. Of several
    /// ways to the same world, the one that lost least.
    pub lost: Vec<String>,
}

/// So many sets of changes are looked at.
const MOST_SETS: usize = 1 << 18;

impl SimFs {
    /// The same world on a disk that can lose power. All that is there is on the disk; each change
    /// from now on is pending until it is [synced](crate::fs::FileSystem::fsync).
    ///
    /// Times of modification are not simulated across a power failure: they stay as they were set.
    pub fn with_disk(mut self, profile: Profile) -> Self {
        /// A page of the machines that most programs run on, and a block of most file systems.
        const BLOCK: NonZeroUsize = NonZeroUsize::new(4096).unwrap();
        let inodes = self.inodes.clone();
        let (pending, failures, power, fails) = (Vec::new(), 0, Power::On, false);
        let (block, lost, lies_after) = (BLOCK, Lost::default(), None);
        let disk =
            Disk { profile, block, inodes, pending, failures, power, lost, fails, lies_after };
        self.disk = Some(Arc::new(disk));
        self
    }

    /// The same world, whose disk has blocks of this size (4,096 bytes otherwise): so many bytes are
    /// written at once.
    ///
    /// # Panics
    ///
    /// If the world has no [disk](SimFs::with_disk) yet.
    #[track_caller]
    pub fn with_blocks(mut self, block: NonZeroUsize) -> Self {
        self.its_disk("with_blocks").block = block;
        self
    }

    /// The same world, whose disk lies once: of its calls of `fsync` and `fdatasync` this one, counted
    /// from 0, answers that all is well and makes nothing permanent. It shows which of them a
    /// program needs.
    ///
    /// # Panics
    ///
    /// If the world has no [disk](SimFs::with_disk) yet.
    #[track_caller]
    pub fn with_lost_sync(mut self, which: u32) -> Self {
        self.its_disk("with_lost_sync").lies_after = Some(which);
        self
    }

    /// How often this world has lost power.
    pub fn power_failures(&self) -> u32 {
        self.disk.as_ref().map_or(0, |disk| disk.failures)
    }

    /// Whether a power failure has lost a change so far. Claim that this is
    /// [reachable](crate::check::System::reachable): a proof says little where nothing is ever lost.
    pub fn has_lost(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.lost.running || disk.lost.recovering)
    }

    /// Whether a power failure came while the recovery ran, and has lost a change: one that the
    /// recovery had made.
    pub fn has_lost_of_recovery(&self) -> bool {
        self.disk.as_ref().is_some_and(|disk| disk.lost.recovering)
    }

    /// Whether programs run: not from a power failure until [the recovery has
    /// ended](SimFs::recovered). Only [`crash`](crate::crash) asks and keeps to it; the calls of a
    /// world are answered always.
    pub fn is_running(&self) -> bool {
        self.disk.as_ref().is_none_or(|disk| disk.power == Power::On)
    }

    /// Lets the power fail. It is a call. What the disk has is decided by
    /// [`power_returns`](SimFs::power_returns); until then nobody shall make a call.
    ///
    /// # Panics
    ///
    /// If the world has no [disk](SimFs::with_disk).
    #[track_caller]
    pub fn power_fails(&mut self) {
        let disk = self.its_disk("power_fails");
        disk.power = Power::Off { in_recovery: disk.power.is_in_recovery() };
        called(format_args!("power_fails"));
    }

    /// What there may be after a power failure now: each possible file system once. Without a disk
    /// that is the world as it is.
    ///
    /// All open files, locks and processes are gone. It is a look, as [`tree`](SimFs::tree) is.
    pub fn survivals(&self) -> Vec<Survival> {
        called(format_args!("SimFs::survivals"));
        self.all_survivals()
    }

    /// Lets the power return, with the file system of this index among the
    /// [survivals](SimFs::survivals); returns what did not survive. It is a call. From then on, the
    /// recovery runs, until [it says so](SimFs::recovered).
    ///
    /// # Errors
    ///
    /// `EINVAL` where there is no survival of this index.
    pub fn power_returns(&mut self, survival: usize) -> Result<Vec<String>, Errno> {
        let mut survivals = self.all_survivals();
        if survival >= survivals.len() {
            return Err(Errno::INVAL);
        }
        let Survival { world, lost } = survivals.swap_remove(survival);
        let user = self.user;
        *self = world;
        self.user = user;
        called(format_args!("power_returns = without {}", lost.join(", ")));
        Ok(lost)
    }

    /// Says that the recovery has ended: programs run. It is no call of its own, but a part of the
    /// recovery's last step.
    pub fn recovered(&mut self) {
        if let Some(disk) = self.disk_mut() {
            disk.power = Power::On;
        }
    }

    /// Lets the next `fsync` or `fdatasync` fail. It is a call.
    ///
    /// The `fsync` is then answered `EIO`, and the bytes that it should have written are given up.
    /// Everybody sees them until the power fails. No later `fsync` writes them, although it
    /// succeeds. Some of them may be on disk all the same. So do Linux's file systems since pages
    /// whose writing failed are taken for clean (Rebello and others, “Can Applications Recover from
    /// fsync Failures?”, USENIX ATC 2020). A later write to the same block writes the whole block.
    ///
    /// A truncation (`ftruncate`, `O_TRUNC`) that an `fsync` makes permanent cuts given-up bytes off like
    /// any others: they never come back. In the block that it ends in, [`Ext4`](Profile::Ext4) and
    /// [`Posix`](Profile::Posix) write zeros behind the new end, and so the bytes before it. With the
    /// other profiles it writes none, and what is left of them stays given up.
    ///
    /// # Panics
    ///
    /// If the world has no [disk](SimFs::with_disk).
    #[track_caller]
    pub fn fail_next_sync(&mut self) {
        self.its_disk("fail_next_sync").fails = true;
        called(format_args!("fail_next_sync"));
    }

    /// The disk, for a call that makes no sense without one.
    #[track_caller]
    fn its_disk(&mut self, call: &str) -> &mut Disk {
        match self.disk_mut() {
            Some(disk) => disk,
            None => panic!("{call}: this world has no disk; make it one before: SimFs::with_disk"),
        }
    }

    /// The disk, apart from the worlds that share it.
    fn disk_mut(&mut self) -> Option<&mut Disk> {
        self.disk.as_mut().map(Arc::make_mut)
    }

    pub(crate) fn has_disk(&self) -> bool {
        self.disk.is_some()
    }

    /// Whether each write through this file is synced: `O_DSYNC`, `O_SYNC`.
    pub(super) fn syncs_each_write(&self, file: &SimFile) -> bool {
        self.disk.is_some() && file.flags.intersects(OFlags::SYNC | OFlags::DSYNC)
    }

    /// All that is there is on disk.
    pub(super) fn settle(&mut self) {
        if self.disk.is_some() {
            let inodes = self.inodes.clone();
            if let Some(disk) = self.disk_mut() {
                disk.pending.clear();
                disk.inodes = inodes;
            }
        }
    }

    /// Notes an inode that has just been made, and has no name on disk.
    pub(super) fn note_made(&mut self, inode: &Arc<Inode>) {
        if let Some(disk) = self.disk_mut() {
            disk.inodes.push(inode.clone());
        }
    }

    /// Notes what names stand for from now on, all at once.
    pub(super) fn note_names(&mut self, names: impl FnOnce() -> Vec<Name>) {
        let Some(disk) = self.disk_mut() else { return };
        match disk.profile {
            Profile::Posix => {
                disk.pending.extend(names().into_iter().map(|name| Change::Names(vec![name])));
            }
            _ => disk.pending.push(Change::Names(names())),
        }
    }

    /// Notes bytes that were written to a file of this length.
    pub(super) fn note_bytes(&mut self, inode: Ino, start: usize, bytes: &[u8], length: usize) {
        let Some(disk) = self.disk_mut() else { return };
        let block = disk.block;
        let allocated = length.div_ceil(block.get()) * block.get();
        let (mut at, mut length, mut rest) = (start, length, bytes);
        while !rest.is_empty() {
            let (now, then) = rest.split_at(rest.len().min(block.get() - at % block));
            let end = at + now.len();
            let bytes: Box<[u8]> = now.into();
            if at >= allocated && disk.profile.extends_at_once() {
                disk.pending.push(Change::Extend { inode, at, bytes, length: end });
            } else {
                disk.pending.push(Change::Bytes {
                    inode,
                    at,
                    bytes,
                    clears: false,
                    given_up: false,
                });
                if end > length {
                    disk.pending.push(Change::Length { inode, length: end, written: true });
                }
            }
            (at, length, rest) = (end, length.max(end), then);
        }
    }

    /// Notes a length that was set, of a file that had another one.
    pub(super) fn note_length(&mut self, inode: Ino, before: usize, length: usize) {
        let Some(disk) = self.disk_mut() else { return };
        let end = before.min(length.next_multiple_of(disk.block.get()));
        if length < end && disk.profile.clears_what_is_cut_off() {
            let bytes = vec![0; end - length].into();
            disk.pending.push(Change::Bytes {
                inode,
                at: length,
                bytes,
                clears: true,
                given_up: false,
            });
        }
        disk.pending.push(Change::Length { inode, length, written: false });
    }

    /// Notes a mode or owners, if they are others than `before`.
    pub(super) fn note_owners(&mut self, number: Ino, before: (Mode, Uid, Gid)) {
        if self.disk.is_none() {
            return;
        }
        let Ok(inode) = self.inode(number) else { return };
        let (mode, uid, gid) = (inode.mode, inode.uid, inode.gid);
        if (mode, uid, gid) != before
            && let Some(disk) = self.disk_mut()
        {
            disk.pending.push(Change::Owners { inode: number, mode, uid, gid });
        }
    }

    /// Makes permanent what `fsync` or `fdatasync` does, or fails.
    pub(super) fn sync(&mut self, file: Ino, data_alone: bool) -> Result<(), Errno> {
        let Some(disk) = self.disk_mut() else { return Ok(()) };
        if std::mem::take(&mut disk.fails) {
            disk.give_up_bytes(file);
            return Err(Errno::IO);
        }
        match disk.lies_after {
            Some(0) => disk.lies_after = None,
            left => {
                disk.lies_after = left.map(|left| left - 1);
                disk.sync(file, data_alone);
            }
        }
        Ok(())
    }

    fn all_survivals(&self) -> Vec<Survival> {
        let Some(disk) = &self.disk else {
            return vec![Survival { world: self.clone(), lost: Vec::new() }];
        };
        let sets = disk.closed_sets();
        let mut seen = FxHashSet::default();
        let mut survivals = Vec::new();
        for kept in sets {
            let mut world = self.after_failure(disk, &kept);
            if seen.insert(world.clone()) {
                let lost = disk.pending.iter().zip(&kept).filter(|(_, kept)| !**kept);
                let lost: Vec<_> =
                    lost.map(|(change, _)| self.told(disk, change).to_string()).collect();
                if !lost.is_empty() {
                    world.note_lost(disk.power.is_in_recovery());
                }
                survivals.push(Survival { world, lost });
            }
        }
        survivals
    }

    fn note_lost(&mut self, in_recovery: bool) {
        if let Some(disk) = self.disk_mut() {
            match in_recovery {
                true => disk.lost.recovering = true,
                false => disk.lost.running = true,
            }
        }
    }

    /// The world in which these pending changes survived.
    fn after_failure(&self, disk: &Disk, kept: &[bool]) -> SimFs {
        let mut inodes = disk.inodes.clone();
        let survived = disk.pending.iter().zip(kept).filter(|(_, kept)| **kept);
        apply(&mut inodes, survived.map(|(change, _)| change));
        count_links(&mut inodes, &self.inodes);
        let (pending, power, fails) = (Vec::new(), Power::Recovering, false);
        let failures = disk.failures + 1;
        let disk = Disk { inodes: inodes.clone(), pending, failures, power, fails, ..disk.clone() };
        SimFs { inodes, disk: Some(Arc::new(disk)), ..self.clone() }
    }

    fn told<'t>(&'t self, disk: &'t Disk, change: &'t Change) -> Told<'t> {
        Told { world: self, disk, change }
    }

    /// Some name of an inode: one that it has, or had.
    fn some_name(&self, disk: &Disk, inode: Ino) -> Option<Box<[u8]>> {
        let tables = [&self.inodes, &disk.inodes];
        let entries = tables.into_iter().flatten().filter_map(|directory| match &directory.body {
            Body::Directory { entries, .. } => Some(entries),
            _ => None,
        });
        let named = entries.flatten().find(|(_, child)| **child == inode);
        named.map(|(name, _)| name.clone()).or_else(|| {
            let names = disk.pending.iter().flat_map(Change::names);
            names.rev().find(|name| name.is_about(inode)).map(|name| name.name.clone())
        })
    }
}

impl Disk {
    /// Every set of pending changes in which each has what it needs, the largest first.
    fn closed_sets(&self) -> Vec<Vec<bool>> {
        let count = self.pending.len();
        let needed: Vec<Vec<usize>> = (0..count)
            .map(|later| {
                let needs = |earlier: &usize| {
                    let (one, other) = (&self.pending[*earlier], &self.pending[later]);
                    self.profile.needs(self.block, one, other)
                };
                (0..later).filter(needs).collect()
            })
            .collect();
        let mut sets = vec![Vec::with_capacity(count)];
        for needed in &needed {
            let mut next = Vec::with_capacity(2 * sets.len());
            for set in sets {
                if needed.iter().all(|earlier| set[*earlier]) {
                    next.push(with(&set, true));
                }
                next.push(with(&set, false));
            }
            sets = next;
            if sets.len() > MOST_SETS {
                mistaken(
                    "power",
                    format_args!(
                        "a power failure with {count} changes that are not synced leaves more than \
                         {MOST_SETS} sets of them: sync more often, or check less at once"
                    ),
                );
                break;
            }
        }
        // Where too many were left out, the sets are too short: nothing more survives.
        sets.iter_mut().for_each(|set| set.resize(count, false));
        sets
    }

    fn sync(&mut self, file: Ino, data_alone: bool) {
        let count = self.pending.len();
        let mut permanent = vec![false; count];
        let made = (self.profile == Profile::Ext4).then(|| self.making(file)).flatten();
        for later in (0..count).rev() {
            let change = &self.pending[later];
            let is_needed = (later + 1..count).any(|other| {
                permanent[other] && self.profile.needs(self.block, change, &self.pending[other])
            });
            permanent[later] = is_needed
                || made == Some(later)
                || self.profile.is_asked_for(change, file, data_alone);
        }
        let (mut synced, mut pending) = (Vec::new(), Vec::new());
        for (change, is_permanent) in std::mem::take(&mut self.pending).into_iter().zip(permanent) {
            if !is_permanent {
                pending.push(change);
                continue;
            }
            if let Change::Length { inode, length, written: false } = change {
                pending.retain_mut(|earlier: &mut Change| earlier.is_left_by(inode, length));
            }
            synced.push(change);
        }
        apply(&mut self.inodes, &synced);
        self.pending = pending;
    }

    /// Which change gives this file its first name, if that is pending.
    fn making(&self, file: Ino) -> Option<usize> {
        let is_named = self.inodes.iter().any(|inode| match &inode.body {
            Body::Directory { entries, .. } => entries.values().any(|child| *child == file),
            Body::File { .. } | Body::Symlink { .. } | Body::Special(_) => false,
        });
        let names = |change: &Change| change.names().iter().any(|it| it.after == Some(file));
        if is_named { None } else { self.pending.iter().position(names) }
    }

    /// No later `fsync` writes the bytes of this file that are pending; its length is written.
    fn give_up_bytes(&mut self, file: Ino) {
        for change in std::mem::take(&mut self.pending) {
            match change {
                Change::Bytes { inode, at, bytes, clears, .. } if inode == file => {
                    self.pending.push(Change::Bytes { inode, at, bytes, clears, given_up: true });
                }
                Change::Extend { inode, at, bytes, length } if inode == file => {
                    let given_up =
                        Change::Bytes { inode, at, bytes, clears: false, given_up: true };
                    let length = Change::Length { inode, length, written: true };
                    self.pending.extend([length, given_up]);
                }
                change => self.pending.push(change),
            }
        }
    }
}

fn with(set: &[bool], kept: bool) -> Vec<bool> {
    let mut longer = Vec::with_capacity(set.len() + 1);
    longer.extend_from_slice(set);
    longer.push(kept);
    longer
}

/// Makes these changes, in order.
fn apply<'c>(inodes: &mut [Arc<Inode>], changes: impl IntoIterator<Item = &'c Change>) {
    // Of each file what its blocks hold, and how long it is: bytes beyond its end are cut off at last.
    let mut files: FxHashMap<Ino, (Vec<u8>, usize)> = FxHashMap::default();
    for change in changes {
        if let Some(inode) = change.bytes_at().map(|at| at.0).or(change.sets_inode()) {
            files.entry(inode).or_insert_with(|| match inodes.get(inode as usize) {
                Some(inode) => match &inode.body {
                    Body::File { bytes, .. } => (bytes.to_vec(), bytes.len()),
                    _ => Default::default(),
                },
                None => Default::default(),
            });
        }
        match change {
            Change::Bytes { inode, at, bytes, .. } | Change::Extend { inode, at, bytes, .. } => {
                let Some((content, length)) = files.get_mut(inode) else { continue };
                let end = at + bytes.len();
                content.resize(content.len().max(end), 0);
                content[*at..end].copy_from_slice(bytes);
                if let Change::Extend { length: extended, .. } = change {
                    *length = *extended;
                }
            }
            Change::Length { inode, length, written } => {
                let Some((content, now)) = files.get_mut(inode) else { continue };
                if !written || *length < *now {
                    content.truncate(*length);
                }
                *now = *length;
            }
            Change::Owners { inode, mode, uid, gid } => {
                if let Some(inode) = inodes.get_mut(*inode as usize).map(Arc::make_mut) {
                    (inode.mode, inode.uid, inode.gid) = (*mode, *uid, *gid);
                }
            }
            Change::Names(names) => {
                for Name { directory, name, after, .. } in names {
                    let Some(inode) = inodes.get_mut(*directory as usize) else { continue };
                    if let Body::Directory { entries, .. } = &mut Arc::make_mut(inode).body {
                        match after {
                            Some(after) => entries.insert(name.clone(), *after),
                            None => entries.remove(name),
                        };
                    }
                }
            }
        }
    }
    for (number, (mut content, length)) in files {
        content.resize(length, 0);
        if let Some(inode) = inodes.get_mut(number as usize)
            && let Body::File { bytes, .. } = &mut Arc::make_mut(inode).body
        {
            *bytes = content.into();
        }
    }
}

/// Makes the table whole again, as `fsck` and a journal do: names lead to something, what no name leads
/// to is empty, and nobody holds anything. `before` is the table when the power failed.
fn count_links(inodes: &mut [Arc<Inode>], before: &[Arc<Inode>]) {
    let mut links: BTreeMap<Ino, (u32, Ino)> = BTreeMap::from([(ROOT, (1, ROOT))]);
    let mut directories = vec![ROOT];
    while let Some(directory) = directories.pop() {
        let Some(inode) = inodes.get(directory as usize).cloned() else { continue };
        let Body::Directory { entries, .. } = &inode.body else { continue };
        for (name, child) in entries {
            let is_directory =
                inodes.get(*child as usize).is_some_and(|child| child.is_directory());
            let is_first = !links.contains_key(child);
            if is_directory && !is_first {
                // A directory that was moved by a rename that was torn has one name.
                if let Some(inode) = inodes.get_mut(directory as usize)
                    && let Body::Directory { entries, .. } = &mut Arc::make_mut(inode).body
                {
                    entries.remove(name);
                }
                continue;
            }
            links.entry(*child).or_insert((0, directory)).0 += 1;
            if is_directory {
                directories.push(*child);
            }
        }
    }
    for (number, (slot, before)) in inodes.iter_mut().zip(before).enumerate() {
        let found = Ino::try_from(number).ok().and_then(|number| links.get(&number));
        let inode = Arc::make_mut(slot);
        (inode.lock, inode.records) = (Lock::Free, Vec::new());
        inode.modified = before.modified;
        match found {
            Some((count, above)) => {
                (inode.links, inode.removed_by) = (*count, None);
                if let Body::Directory { above: now, .. } = &mut inode.body {
                    *now = *above;
                }
            }
            None => {
                (inode.links, inode.removed_by) = (0, before.removed_by);
                match &mut inode.body {
                    Body::Directory { above, entries } => {
                        *above = ROOT;
                        entries.clear();
                    }
                    body @ Body::File { .. } => *body = Body::file(),
                    Body::Symlink { .. } | Body::Special(_) => {}
                }
            }
        }
    }
}

/// A change, as a person reads it.
struct Told<'t> {
    world: &'t SimFs,
    disk: &'t Disk,
    change: &'t Change,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |inode: Ino| match self.world.some_name(self.disk, inode) {
            Some(name) => String::from_utf8_lossy(&name).into_owned(),
            None if inode == ROOT => ".".to_owned(),
            None => "a file without a name".to_owned(),
        };
        match self.change {
            Change::Names(names) => {
                let text = |name: &Name| String::from_utf8_lossy(&name.name).into_owned();
                match &names[..] {
                    [name] if name.after.is_none() => write!(f, "the removal of {}", text(name)),
                    [name] => write!(f, "the name {}", text(name)),
                    [from, to] if from.after.is_some() => {
                        write!(f, "the exchange of {} and {}", text(from), text(to))
                    }
                    [from, to] => write!(f, "the rename of {} to {}", text(from), text(to)),
                    _ => f.write_str("names"),
                }
            }
            Change::Bytes { inode, clears: true, .. } => {
                write!(f, "zeros at the end of {}", of(*inode))
            }
            Change::Bytes { inode, .. } => write!(f, "bytes of {}", of(*inode)),
            Change::Length { inode, length, .. } => {
                write!(f, "the length {length} of {}", of(*inode))
            }
            Change::Extend { inode, length, .. } => {
                write!(f, "bytes of {}, up to {length}", of(*inode))
            }
            Change::Owners { inode, mode, .. } => {
                write!(f, "the mode {:04o} of {}", mode.as_raw_mode(), of(*inode))
            }
        }
    }
}
