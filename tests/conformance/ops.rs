//! The operations of a random sequence, how they are performed on any world, and how they are
//! generated.

use std::path::Path;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use toctou::fs::{
    Errno, FileSystem, FlockOperation, Mode, OFlags, OsFs, Recorded, RenameFlags, SimFs, Tree,
};

/// How many files a sequence has open at most.
pub(crate) const SLOTS: usize = 2;

/// One call. An open file is named by the slot that the opening stored it in.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Open(usize, &'static str, OFlags, u32),
    Read(usize, usize),
    Write(usize, &'static [u8]),
    Fsync(usize),
    Unlink(&'static str),
    Rename(&'static str, &'static str),
    RenameWith(&'static str, &'static str, RenameFlags),
    Link(&'static str, &'static str),
    Mkdir(&'static str, u32),
    Rmdir(&'static str),
    Access(&'static str),
    Flock(usize, FlockOperation),
    Close(usize),
}

/// The names of the kinds of [`Op`], by [`Op::kind`].
pub(crate) const KINDS: [&str; 13] = [
    "open",
    "read",
    "write",
    "fsync",
    "unlink",
    "rename",
    "rename_with",
    "link",
    "mkdir",
    "rmdir",
    "access",
    "flock",
    "close",
];

impl Op {
    pub(crate) fn kind(&self) -> usize {
        match self {
            Op::Open(..) => 0,
            Op::Read(..) => 1,
            Op::Write(..) => 2,
            Op::Fsync(..) => 3,
            Op::Unlink(..) => 4,
            Op::Rename(..) => 5,
            Op::RenameWith(..) => 6,
            Op::Link(..) => 7,
            Op::Mkdir(..) => 8,
            Op::Rmdir(..) => 9,
            Op::Access(..) => 10,
            Op::Flock(..) => 11,
            Op::Close(..) => 12,
        }
    }
}

/// What a call answered: the bytes read, the count written, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    Bytes(Vec<u8>),
    Count(usize),
    Done,
}

/// A world whose files can be listed when a sequence is over.
pub(crate) trait World: FileSystem {
    fn tree(&self) -> Result<Tree, Errno>;
}

impl World for SimFs {
    fn tree(&self) -> Result<Tree, Errno> {
        Ok(SimFs::tree(self))
    }
}

impl World for &OsFs {
    fn tree(&self) -> Result<Tree, Errno> {
        OsFs::tree(self)
    }
}

impl<W: World> World for Recorded<W> {
    fn tree(&self) -> Result<Tree, Errno> {
        self.inner().tree()
    }
}

/// A world and the files that a sequence has open in it.
pub(crate) struct Run<W: World> {
    pub(crate) world: W,
    slots: [Option<W::File>; SLOTS],
}

impl<W: World> Run<W> {
    pub(crate) fn new(world: W) -> Self {
        Run { world, slots: std::array::from_fn(|_| None) }
    }

    /// Performs `op`; `None` if it needs an open file and its slot is empty.
    pub(crate) fn perform(&mut self, op: &Op) -> Option<Result<Did, Errno>> {
        let Run { world, slots } = self;
        let path = Path::new;
        let answer = match *op {
            Op::Open(slot, name, flags, mode) => {
                world.open(path(name), flags, Mode::from_raw_mode(mode)).map(|file| {
                    if let Some(previous) = slots[slot].replace(file) {
                        world.close(previous);
                    }
                })
            }
            Op::Read(slot, length) => {
                let mut buffer = vec![0; length];
                let count = world.read(slots[slot].as_mut()?, &mut buffer);
                return Some(count.map(|count| Did::Bytes(buffer[..count].to_vec())));
            }
            Op::Write(slot, bytes) => {
                return Some(world.write(slots[slot].as_mut()?, bytes).map(Did::Count));
            }
            Op::Fsync(slot) => world.fsync(slots[slot].as_mut()?),
            Op::Unlink(name) => world.unlink(path(name)),
            Op::Rename(from, to) => world.rename(path(from), path(to)),
            Op::RenameWith(from, to, flags) => world.rename_with(path(from), path(to), flags),
            Op::Link(from, to) => world.link(path(from), path(to)),
            Op::Mkdir(name, mode) => world.mkdir(path(name), Mode::from_raw_mode(mode)),
            Op::Rmdir(name) => world.rmdir(path(name)),
            Op::Access(name) => world.access(path(name)),
            Op::Flock(slot, operation) => world.flock(slots[slot].as_mut()?, operation),
            Op::Close(slot) => {
                world.close(slots[slot].take()?);
                Ok(())
            }
        };
        Some(answer.map(|()| Did::Done))
    }
}

/// The paths of a sequence, each as often as it is to be drawn, simplest first (failures shrink
/// towards the front).
static PATHS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut paths = Vec::new();
    let mut add = |times: usize, names: &[&'static str]| {
        paths.extend(names.iter().flat_map(|name| std::iter::repeat_n(*name, times)));
    };
    add(60, &["a", "b", "d"]);
    add(25, &["e", "d/a", "d/b", "d/e", "e/a"]);
    add(8, &["d/e/a", "e/d", "a/b"]);
    add(4, &[".", "d/.", "d/..", "d/../a", "./a", "a/", "b/", "d/", "e/", "d/e/", "d//a"]);
    add(1, &["", "/", "/a", "..", "../a", "d/../..", "a/.", "a/..", "b/../d", "./", "././"]);
    add(1, &["d/./a", "d/e/../..", "d/e/../a", "no/a", "no/..", "d/../", "a\0", "../a\0"]);
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    add(1, &[leak("x".repeat(255)), leak("x".repeat(256)), leak(format!("d/{}", "x".repeat(256)))]);
    add(1, &[leak(format!("{}/a", "x".repeat(256))), leak(format!("{}/", "x".repeat(256)))]);
    add(1, &[leak(format!("{}a", "./".repeat(2047))), leak("./".repeat(2048))]);
    paths
});

fn path() -> impl Strategy<Value = &'static str> {
    (0..PATHS.len()).prop_map(|index| PATHS[index])
}

/// A path that more likely is a file's.
fn file() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => select(&["a", "b", "d/a"][..]), 1 => path()]
}

/// A path that more likely is a directory's.
fn directory() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => select(&["d", "e", "d/e"][..]), 1 => path()]
}

fn slot() -> impl Strategy<Value = usize> {
    0..SLOTS
}

fn mode() -> impl Strategy<Value = u32> {
    select(&[0o600, 0o644, 0o700, 0o755, 0o666, 0o777, 0o1755][..])
}

/// Modes that grant their owner all of a directory, whatever the file system asks for.
fn directory_mode() -> impl Strategy<Value = u32> {
    select(&[0o700, 0o755, 0o777, 0o1777, 0o7777][..])
}

fn open_flags() -> impl Strategy<Value = OFlags> {
    let access = prop_oneof![
        10 => Just(OFlags::RDWR),
        5 => Just(OFlags::RDONLY),
        5 => Just(OFlags::WRONLY),
        1 => Just(OFlags::RWMODE),
    ];
    let creation = prop_oneof![
        8 => Just(OFlags::CREATE),
        6 => Just(OFlags::empty()),
        3 => Just(OFlags::CREATE | OFlags::EXCL),
        1 => Just(OFlags::EXCL),
    ];
    let rest = prop_oneof![
        8 => Just(OFlags::empty()),
        2 => Just(OFlags::TRUNC),
        2 => Just(OFlags::APPEND),
        1 => Just(OFlags::TRUNC | OFlags::APPEND),
        2 => Just(OFlags::DIRECTORY),
        1 => Just(OFlags::NOFOLLOW | OFlags::CLOEXEC),
        1 => Just(OFlags::DIRECTORY | OFlags::TRUNC),
    ];
    let odd = prop_oneof![
        30 => Just(OFlags::empty()),
        1 => Just(OFlags::NONBLOCK),
        1 => Just(OFlags::from_bits_retain(1 << 30)),
    ];
    (access, creation, rest, odd)
        .prop_map(|(access, creation, rest, odd)| access | creation | rest | odd)
}

fn flock_operation() -> impl Strategy<Value = FlockOperation> {
    select(
        &[
            FlockOperation::LockExclusive,
            FlockOperation::LockShared,
            FlockOperation::Unlock,
            FlockOperation::NonBlockingLockExclusive,
            FlockOperation::NonBlockingLockShared,
            FlockOperation::NonBlockingUnlock,
        ][..],
    )
}

fn bytes() -> impl Strategy<Value = &'static [u8]> {
    const WRITTEN: [&[u8]; 4] = [b"s3cret", b"x", b"", b"0123456789"];
    select(&WRITTEN[..])
}

fn rename_flags() -> impl Strategy<Value = RenameFlags> {
    prop_oneof![
        20 => Just(RenameFlags::NOREPLACE),
        2 => Just(RenameFlags::empty()),
        1 => Just(RenameFlags::EXCHANGE),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let file_op = prop_oneof![
        8 => (slot(), 0..16_usize).prop_map(|(slot, length)| Op::Read(slot, length)),
        8 => (slot(), bytes()).prop_map(|(slot, bytes)| Op::Write(slot, bytes)),
        12 => (slot(), flock_operation()).prop_map(|(slot, operation)| Op::Flock(slot, operation)),
        3 => slot().prop_map(Op::Close),
        2 => slot().prop_map(Op::Fsync),
    ];
    let name_op = prop_oneof![
        3 => path().prop_map(Op::Access),
        6 => file().prop_map(Op::Unlink),
        6 => (file(), path()).prop_map(|(from, to)| Op::Link(from, to)),
        6 => (file(), file()).prop_map(|(from, to)| Op::Rename(from, to)),
        4 => (directory(), path()).prop_map(|(from, to)| Op::Rename(from, to)),
        6 => (file(), path(), rename_flags())
            .prop_map(|(from, to, flags)| Op::RenameWith(from, to, flags)),
        6 => (directory(), directory_mode()).prop_map(|(path, mode)| Op::Mkdir(path, mode)),
        6 => directory().prop_map(Op::Rmdir),
    ];
    prop_oneof![
        5 => name_op,
        4 => file_op,
        3 => (slot(), file(), open_flags(), mode())
            .prop_map(|(slot, path, flags, mode)| Op::Open(slot, path, flags, mode)),
    ]
}

/// A sequence of up to 27 operations. Most begin with some that make others likely to succeed.
pub(crate) fn sequence() -> impl Strategy<Value = Vec<Op>> {
    let flags = OFlags::CREATE | OFlags::RDWR;
    let beginning = vec![
        Op::Open(0, "a", flags, 0o600),
        Op::Open(1, "a", flags, 0o600),
        Op::Mkdir("d", 0o700),
        Op::Mkdir("e", 0o700),
        Op::Link("a", "d/a"),
        Op::Flock(0, FlockOperation::LockShared),
        Op::Flock(1, FlockOperation::LockShared),
    ];
    (subsequence(beginning, 0..=7), vec(op(), 0..=20)).prop_map(|(mut ops, rest)| {
        ops.extend(rest);
        ops
    })
}
