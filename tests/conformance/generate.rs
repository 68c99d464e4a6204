//! Which sequences of operations are tried, each in a world prepared so that interesting things
//! happen often.
//!
//! An operation is read from a few small numbers, and proptest draws and shrinks only these: its own
//! combinators take longer for a sequence than the kernel does. The smaller a number, the more to
//! the front of a choice, so the front is where failures shrink to.

mod pools;

use proptest::array::uniform16;
use proptest::collection::vec;
use proptest::prelude::*;
use toctou::fs::{
    Access, AtFlags, ByteRange, FileType, FlockOperation, OFlags, ResolveFlags, SeekFrom,
};

use pools::{
    ACCESS_MODES, ANYBODY, ANYWHERE, CREATION, DIRECTORIES, DIRECTORY_MODES, DISTANCES, DOWNWARD,
    EACH, EACH_LIMIT, EXTENTS, FILES, FOLLOWED, FRESH, LENGTHS, LIMITS, LOCKS, LOOKS, MODES, NODES,
    ODD, OF_DIRECTORY, OFFSETS, OUTWARD, OWNERS, PATHS, PIPES, RENAMES, REST, STARTS, TIMES,
    TMPFILE_BIT, UMASKS, USERS, WANTED, WRITTEN,
};

use super::arena::Profile;
use super::ops::{Call, Op, SLOTS, Spot, When, Who};

/// What an operation is read from.
type Numbers = [u16; 16];

/// Numbers, read one after the other; 0 where there are no more.
struct Choices<'n>(std::slice::Iter<'n, u16>, Profile);

impl Choices<'_> {
    fn below(&mut self, bound: usize) -> usize {
        let number = self.0.next().copied().unwrap_or(0);
        (usize::from(number) * bound) >> 16
    }

    /// False if the number is 0.
    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) >= 100 - percent
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    fn weighed<T: Copy>(&mut self, values: &[(usize, T)]) -> T {
        let mut rest = self.below(values.iter().map(|(weight, _)| weight).sum());
        for (weight, value) in values {
            if rest < *weight {
                return *value;
            }
            rest -= weight;
        }
        values[0].1
    }

    fn slot(&mut self) -> usize {
        self.below(SLOTS)
    }

    fn spot(&mut self) -> Spot {
        self.one_of(&[], 100)
    }

    /// One of `likely`, or with this chance any other.
    fn one_of(&mut self, likely: &[&'static str], any: usize) -> Spot {
        let path = if self.chance(any) { self.of(&PATHS) } else { self.of(likely) };
        let from = self.chance(12).then(|| self.slot());
        Spot(from, path)
    }

    /// A place that more likely is a file's, or a link's.
    fn file(&mut self) -> Spot {
        self.one_of(&FILES, 20)
    }

    /// A place that more likely is a directory's.
    fn directory(&mut self) -> Spot {
        self.one_of(&DIRECTORIES, 20)
    }

    /// A place for a new name.
    fn fresh(&mut self) -> Spot {
        self.one_of(&FRESH, 45)
    }

    fn target(&mut self) -> &'static str {
        match self.1 {
            Profile::Tame => self.of(&DOWNWARD),
            Profile::Wild => self.of(&ANYWHERE),
        }
    }

    fn mode(&mut self) -> u32 {
        self.of(&MODES) | self.weighed(&[(30, 0), (1, 0o010_000), (1, 0o100_000)])
    }

    /// Any of `each` together.
    fn together<T: Copy + std::ops::BitOr<Output = T>>(&mut self, none: T, each: &[T]) -> T {
        let bits = self.below(1 << each.len());
        let chosen = each.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
        chosen.fold(none, |all, (_, one)| all | *one)
    }

    /// Where a file can be, or nothing.
    fn seek(&mut self) -> SeekFrom {
        match self.below(16) {
            0..5 => SeekFrom::Start(self.weighed(&OFFSETS)),
            5..10 => SeekFrom::Current(self.weighed(&DISTANCES)),
            10..14 => SeekFrom::End(self.weighed(&DISTANCES)),
            14 => SeekFrom::Start(0),
            _ if self.chance(50) => SeekFrom::Data(0),
            _ => SeekFrom::Hole(0),
        }
    }

    /// How to look, where not following takes `/proc`.
    fn looks(&mut self) -> AtFlags {
        match (self.weighed(&LOOKS), self.1) {
            (AtFlags::SYMLINK_NOFOLLOW, Profile::Wild) => AtFlags::empty(),
            (flags, _) => flags,
        }
    }

    fn at_pipe(&mut self) -> Spot {
        self.one_of(&PIPES, 0)
    }

    /// Calls about names of pipes and devices.
    fn pipe(&mut self) -> Call {
        let (spot, other) = (self.at_pipe(), self.at_pipe());
        match self.below(18) {
            0..6 => Call::Mknod(spot, FileType::Fifo, self.mode(), 0),
            6 => Call::Mknod(spot, FileType::CharacterDevice, self.mode(), 0),
            7 => Call::Mknod(spot, FileType::BlockDevice, self.mode(), 259),
            8..10 => Call::Stat(spot, self.weighed(&LOOKS)),
            10 => Call::Access(spot, Access::WRITE_OK, AtFlags::empty()),
            11 => Call::Chmod(spot, self.mode()),
            12 => Call::Chown(spot, self.weighed(&OWNERS), self.weighed(&OWNERS), AtFlags::empty()),
            13 => Call::Unlink(spot),
            14..16 => Call::Link(spot, other),
            16 => Call::Rename(spot, other),
            _ => {
                let times = self.times();
                Call::Utimensat(spot, times, AtFlags::empty())
            }
        }
    }

    /// Mostly both now or one of them then.
    fn times(&mut self) -> [When; 2] {
        let times = [self.weighed(&TIMES), self.weighed(&TIMES)];
        if self.chance(25) { [When::Now; 2] } else { times }
    }

    /// Calls about the bytes of an open file.
    fn bytes(&mut self) -> Call {
        let slot = self.slot();
        match self.below(12) {
            0..3 => {
                let last = self.chance(5).then_some(i64::MAX as u64);
                let offset = self.weighed(&OFFSETS);
                Call::Pread(slot, self.below(16), last.unwrap_or(offset))
            }
            3..6 => Call::Pwrite(slot, self.of(&WRITTEN), self.weighed(&OFFSETS)),
            6..9 => Call::Lseek(slot, self.seek()),
            9..11 => Call::Ftruncate(slot, self.weighed(&LENGTHS)),
            _ => Call::Fdatasync(slot),
        }
    }

    fn directory_mode(&mut self) -> u32 {
        self.of(&DIRECTORY_MODES)
    }

    fn opening(&mut self) -> (Spot, OFlags) {
        if self.chance(30) {
            let spot = self.directory();
            let itself = self.chance(30).then(|| Spot(Some(self.slot()), "."));
            return (itself.unwrap_or(spot), self.of(&OF_DIRECTORY));
        }
        if self.chance(6) {
            return (self.spot(), self.together(OFlags::empty(), &EACH));
        }
        let access = self.weighed(&ACCESS_MODES);
        let flags = access | self.weighed(&CREATION) | self.weighed(&REST) | self.weighed(&ODD);
        (self.file(), flags)
    }

    /// Mostly a mode only where there is something to make, as `openat2` asks.
    fn opening_within(&mut self) -> (Spot, OFlags, u32) {
        let ((spot, flags), mode, is_odd) = (self.opening(), self.mode(), self.chance(5));
        let spot = if self.chance(5) { Spot(spot.0, self.of(&OUTWARD)) } else { spot };
        let makes = flags.intersects(OFlags::CREATE | TMPFILE_BIT);
        let flags = if flags.contains(OFlags::PATH) && !is_odd {
            flags & (OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW)
        } else {
            flags
        };
        (spot, flags, if makes || is_odd { mode } else { 0 })
    }

    fn call(&mut self) -> Call {
        match self.below(248) {
            0..30 => {
                let (spot, flags) = self.opening();
                Call::Open(self.slot(), spot, flags, self.mode())
            }
            30..40 => {
                let (spot, flags, mode) = self.opening_within();
                let limits = self.weighed(&LIMITS);
                let any =
                    self.chance(15).then(|| self.together(ResolveFlags::empty(), &EACH_LIMIT));
                Call::OpenWithin(self.slot(), spot, flags, mode, any.unwrap_or(limits))
            }
            40..45 => Call::Read(self.slot(), self.below(16)),
            45..50 => Call::Write(self.slot(), self.of(&WRITTEN)),
            50..57 => Call::Flock(self.slot(), self.of(&LOCKS)),
            57..61 => Call::Fstat(self.slot()),
            61..65 => Call::Fchmod(self.slot(), self.mode()),
            65..70 => Call::LinkFile(self.slot(), self.fresh()),
            70..72 => Call::Close(self.slot()),
            72..74 => Call::Fsync(self.slot()),
            74..78 => Call::Stat(self.spot(), self.weighed(&LOOKS)),
            78..81 => {
                let access = Access::from_bits_retain(self.weighed(&WANTED) as _);
                Call::Access(self.spot(), access, self.weighed(&LOOKS))
            }
            81..84 => Call::Chmod(self.directory(), self.directory_mode()),
            84..87 => Call::Chmod(self.file(), self.mode()),
            87..92 => {
                let is_fresh = self.chance(15);
                Call::Unlink(if is_fresh { self.fresh() } else { self.file() })
            }
            92..97 => Call::Link(self.file(), self.fresh()),
            97..101 => Call::Rename(self.file(), self.fresh()),
            101..104 => Call::Rename(self.directory(), self.spot()),
            104..108 => Call::RenameWith(self.file(), self.fresh(), self.weighed(&RENAMES)),
            108..111 => Call::RenameWith(self.directory(), self.spot(), self.weighed(&RENAMES)),
            111..116 => Call::Symlink(self.target(), self.fresh()),
            116..120 => Call::Readlink(self.one_of(&["l", "t/l", "m", "a"], 20)),
            120..125 => {
                let spot = self.one_of(&["t/d", "d/e", "e", "n", "t/n", "d"], 20);
                Call::Mkdir(spot, self.directory_mode())
            }
            125..130 => Call::Rmdir(self.one_of(&["t/d", "d/e", "e", "n", "t/n", "d"], 20)),
            130..146 => self.bytes(),
            146..151 => {
                let looks = self.looks();
                Call::ChmodWith(self.file(), self.mode(), looks)
            }
            151..158 => Call::LinkWith(self.file(), self.fresh(), self.weighed(&FOLLOWED)),
            158..166 => {
                let spot = self.one_of(&["l", "t/l", "a", "t/a"], 0);
                Call::LinkWith(spot, self.fresh(), self.weighed(&FOLLOWED))
            }
            166..173 => {
                let spot = if self.chance(40) { self.directory() } else { self.file() };
                let (uid, gid) = (self.weighed(&OWNERS), self.weighed(&OWNERS));
                Call::Chown(spot, uid, gid, self.weighed(&LOOKS))
            }
            173..180 => Call::Fchown(self.slot(), self.weighed(&OWNERS), self.weighed(&OWNERS)),
            180..186 => {
                let spot = self.directory();
                Call::Open(self.slot(), spot, OFlags::DIRECTORY, 0)
            }
            186..196 => Call::Getdents(self.slot()),
            196..203 => {
                let spot = if self.chance(50) { self.directory() } else { self.file() };
                let times = self.times();
                Call::Utimensat(spot, times, self.weighed(&LOOKS))
            }
            203..207 => Call::Futimens(self.slot(), self.times()),
            207..212 => Call::Stat(self.directory(), self.weighed(&LOOKS)),
            212..218 => {
                let (spot, kind) = (self.fresh(), self.weighed(&NODES));
                Call::Mknod(spot, kind, self.mode(), self.weighed(&[(3, 0), (1, 259)]))
            }
            218..232 => self.pipe(),
            232..236 => Call::Link(self.file(), self.fresh()),
            _ => {
                let (start, length) = (self.weighed(&STARTS), self.weighed(&EXTENTS));
                Call::Ofd(self.slot(), self.of(&LOCKS), ByteRange { start, length })
            }
        }
    }
}

fn op(numbers: &Numbers, profile: Profile) -> Op {
    let mut choices = Choices(numbers.iter(), profile);
    let call = choices.call();
    let umask = choices.weighed(&UMASKS);
    let by = match call {
        Call::LinkFile(..) if profile == Profile::Wild => Who::Root,
        // Whether root may is up to what the machine runs in.
        Call::Mknod(_, FileType::BlockDevice, ..) => Who::Alice,
        _ => choices.weighed(&ANYBODY),
    };
    Op { by, umask, call }
}

/// What a sequence may begin with, so that others are likely to succeed: a directory for all, one
/// of Alice's and one of Bob's, files and links in them. Each is left out now and then.
fn beginning(numbers: &[Numbers], profile: Profile) -> impl Iterator<Item = Op> {
    numbers.iter().enumerate().filter_map(move |(index, numbers)| {
        let mut choices = Choices(numbers.iter(), profile);
        let (likely, ..) = PREPARED[index];
        choices.chance(likely).then(|| prepared(index, &mut choices))
    })
}

const BEGINNING: usize = 19;

/// In percent, how often each step of a beginning is taken, and by whom, if not by any user.
const PREPARED: [(usize, Option<Who>); BEGINNING] = [
    (98, Some(Who::Root)),
    (95, None),
    (90, Some(Who::Alice)),
    (50, Some(Who::Bob)),
    (30, None),
    (90, None),
    (40, None),
    (85, None),
    (30, None),
    (60, Some(Who::Alice)),
    (80, None),
    (80, None),
    (30, None),
    (40, Some(Who::Root)),
    (40, Some(Who::Root)),
    (40, None),
    (40, None),
    (20, None),
    (20, None),
];

fn prepared(index: usize, choices: &mut Choices<'_>) -> Op {
    const ANCHORS: [u32; 6] = [0o777, 0o777, 0o777, 0o1777, 0o2777, 0o755];
    const SHARED: [u32; 6] = [0o1777, 0o777, 0o1770, 0o1775, 0o3777, 0o2777];
    const CONTENTS: [u32; 6] = [0o644, 0o666, 0o600, 0o660, 0o4755, 0o2777];
    const CREATE: OFlags = OFlags::CREATE.union(OFlags::RDWR);
    let by = match PREPARED[index].1 {
        Some(by) => by,
        // Mostly root's, as /tmp is.
        None if index == 1 && !choices.chance(25) => Who::Root,
        None => choices.of(&USERS),
    };
    let mode = choices.of(&CONTENTS);
    let create = |slot, path: &'static str| Call::Open(slot, path.into(), CREATE, mode);
    let call = match index {
        0 => Call::Chmod(".".into(), choices.of(&ANCHORS)),
        1 => Call::Mkdir("t".into(), choices.of(&SHARED)),
        2 => Call::Mkdir("d".into(), choices.directory_mode()),
        3 => Call::Mkdir("e".into(), choices.directory_mode()),
        4 => Call::Mkdir("t/d".into(), choices.directory_mode()),
        5 => create(0, "a"),
        6 => create(1, "b"),
        7 => create(2, "t/a"),
        8 => create(2, "t/b"),
        9 => create(0, "d/a"),
        10 => Call::Symlink(choices.target(), "l".into()),
        11 => Call::Symlink(choices.target(), "t/l".into()),
        12 => Call::Symlink(choices.target(), "m".into()),
        13 => Call::Open(0, "a".into(), OFlags::RDONLY, 0),
        14 => Call::Open(1, "a".into(), OFlags::RDWR, 0),
        15 => Call::Flock(0, FlockOperation::LockShared),
        16 => Call::Flock(1, FlockOperation::LockShared),
        17 => Call::Open(2, "t".into(), OFlags::PATH, 0),
        _ => Call::Open(1, "d".into(), OFlags::DIRECTORY, 0),
    };
    Op { by, umask: 0, call }
}

/// A prepared world, in which something may have been removed or lost while it was open, and up to 50
/// operations on it.
pub(crate) fn sequence(profile: Profile) -> impl Strategy<Value = Vec<Op>> {
    let numbers = || uniform16(any::<u16>());
    (vec(numbers(), BEGINNING), vec(numbers(), 0..=50)).prop_map(move |(start, rest)| {
        let chosen = start.first().map_or(0, |numbers| numbers[15]);
        let removed = match chosen {
            0xE000.. => &REMOVED[..],
            0xD800.. => &UNLINKED[..],
            0xD000.. => &UNNAMED[..],
            0xB000.. => &CONVERTED[..],
            0xA000.. => &RECORDED[..],
            _ => &[],
        };
        let rest = rest.iter().map(|numbers| op(numbers, profile));
        beginning(&start, profile).chain(removed.iter().copied()).chain(rest).collect()
    })
}

/// A directory is removed while it is open.
const REMOVED: [Op; 3] = [
    by_root(Call::Mkdir(Spot(None, "n"), 0o777)),
    by_root(Call::Open(2, Spot(None, "n"), OFlags::DIRECTORY, 0)),
    by_root(Call::Rmdir(Spot(None, "n"))),
];

/// A link is.
const UNLINKED: [Op; 3] = [
    by_root(Call::Symlink("a", Spot(None, "n"))),
    by_root(Call::Open(1, Spot(None, "n"), OFlags::PATH.union(OFlags::NOFOLLOW), 0)),
    by_root(Call::Unlink(Spot(None, "n"))),
];

/// A file that had no name gets one, and loses it.
const UNNAMED: [Op; 3] = [
    by_root(Call::Open(0, Spot(None, "."), OFlags::TMPFILE.union(OFlags::RDWR), 0o600)),
    by_root(Call::LinkFile(0, Spot(None, "n"))),
    by_root(Call::Unlink(Spot(None, "n"))),
];

/// A lock is lost, as it could not be converted.
const CONVERTED: [Op; 5] = [
    by_root(Call::Open(0, Spot(None, "n"), OFlags::CREATE.union(OFlags::RDWR), 0o666)),
    by_root(Call::Open(1, Spot(None, "n"), OFlags::RDWR, 0)),
    by_root(Call::Flock(0, FlockOperation::LockShared)),
    by_root(Call::Flock(1, FlockOperation::LockShared)),
    by_root(Call::Flock(0, FlockOperation::LockExclusive)),
];

/// Some bytes are locked.
const RECORDED: [Op; 3] = [
    by_root(Call::Open(0, Spot(None, "n"), OFlags::CREATE.union(OFlags::RDWR), 0o666)),
    by_root(Call::Open(1, Spot(None, "n"), OFlags::RDWR, 0)),
    by_root(Call::Ofd(0, FlockOperation::LockExclusive, ByteRange { start: 3, length: 4 })),
];

const fn by_root(call: Call) -> Op {
    Op { by: Who::Root, umask: 0, call }
}
