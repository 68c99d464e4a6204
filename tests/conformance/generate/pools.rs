//! What the calls of a sequence are made of: each choice's front is where failures shrink to.

use std::sync::LazyLock;

use toctou::fs::{AtFlags, FileType, FlockOperation, OFlags, RenameFlags, ResolveFlags};

use super::super::ops::{When, Who};

/// Each name as often as it is to be drawn.
pub(super) fn weigh(names: &[(usize, &[&'static str])]) -> Vec<&'static str> {
    let each = names.iter().flat_map(|(times, names)| names.iter().map(move |name| (*times, name)));
    each.flat_map(|(times, name)| std::iter::repeat_n(*name, times)).collect()
}

pub(super) fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

pub(super) static PATHS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let long = [
        leak("x".repeat(255)),
        leak("x".repeat(256)),
        leak(format!("d/{}", "x".repeat(256))),
        leak(format!("{}/a", "x".repeat(256))),
        leak(format!("{}/", "x".repeat(256))),
        leak(format!("{}a", "./".repeat(2047))),
        leak("./".repeat(2048)),
        // In bytes, not in characters.
        leak(format!("{}x", "é".repeat(127))),
        leak("é".repeat(128)),
        // As many links as are followed, and one more.
        leak(format!("{}a", "m/".repeat(40))),
        leak(format!("{}a", "m/".repeat(41))),
    ];
    weigh(&[
        (100, &["a", "t/a", "t/l", "l"]),
        (50, &["d/a", "d", "b", "t", "t/b"]),
        (12, &["e", "d/b", "d/e", "e/a", "l/a", "t/d", "m", "t/n"]),
        (6, &["d/e/a", "e/d", "a/b", "m/a", "t/l/a", "l/l", "t/d/a", "d/l"]),
        (4, &[".", "d/.", "d/..", "d/../a", "./a", "a/", "b/", "d/", "e/", "d/e/", "d//a", "l/"]),
        (3, &["t/l/", "l/..", "l/.", "m/", "l/../a", "t/../l", "t/"]),
        (1, &["a//", "d//", "d///e", "é", "d/é"]),
        (1, &["", "/", "/a", "..", "../a", "d/../..", "a/.", "a/..", "b/../d", "./", "././"]),
        (1, &["d/./a", "d/e/../..", "d/e/../a", "no/a", "no/..", "d/../", "a\0", "../a\0"]),
        (1, &long),
    ])
});

/// What links say that lead to what is below them.
pub(super) static DOWNWARD: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    weigh(&[
        (12, &["a", "d", "t", "l"]),
        (6, &["b", "d/a", "t/a", "t/l", "no", "m", "t/d", "d/e"]),
        (3, &["a/", "d/", "l/", "no/a", "no/", "l/a", "m/a", "a/b"]),
        (1, &["", "d//a", leak("x".repeat(256)), leak("d/".repeat(2047)), "a\0"]),
    ])
});

pub(super) static ANYWHERE: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut targets = DOWNWARD.clone();
    targets.extend(weigh(&[
        (10, &["../a", "/a", "..", "/", "/t/a", "/t/l", "/d"]),
        (6, &["../l", "/l", "/m", "../d", "../t/a", ".", "./a", "../..", "/d/a", "d/.."]),
        (
            3,
            &[
                "/d/", "../", "./", "/..", "/../a", "../../a", "l/..", "./l", "d/../a", "//a",
                "/t/.",
            ],
        ),
        (
            1,
            &[
                leak("./".repeat(2047)),
                leak("./".repeat(2048)),
                leak(format!("{}l", "./".repeat(2047))),
            ],
        ),
    ]));
    targets
});

/// Where a new name likely is free, in the end.
pub(super) const FRESH: [&str; 6] = ["n", "t/n", "d/n", "e/n", "t/d/n", "b"];
pub(super) const FILES: [&str; 8] = ["a", "t/a", "d/a", "t/l", "l", "b", "t/b", "t/n"];
pub(super) const DIRECTORIES: [&str; 7] = ["d", "t", "e", "d/e", "t/d", "n", "d"];

/// What leaves where it starts.
pub(super) const OUTWARD: [&str; 4] = ["/", "..", "../a", "d/../.."];

pub(super) const USERS: [Who; 6] =
    [Who::Alice, Who::Bob, Who::Carol, Who::Dave, Who::Staff, Who::Erin];
pub(super) const ANYBODY: [(usize, Who); 7] = [
    (6, Who::Root),
    (8, Who::Alice),
    (8, Who::Bob),
    (4, Who::Carol),
    (2, Who::Dave),
    (1, Who::Staff),
    (3, Who::Erin),
];
/// To whom something is given, if to anybody.
pub(super) const OWNERS: [(usize, Option<Who>); 6] = [
    (5, None),
    (4, Some(Who::Alice)),
    (4, Some(Who::Bob)),
    (1, Some(Who::Root)),
    (1, Some(Who::Erin)),
    (1, Some(Who::Dave)),
];
pub(super) const UMASKS: [(usize, u32); 6] =
    [(6, 0o022), (9, 0), (3, 0o077), (1, 0o027), (1, 0o7000), (1, 0o7777)];

pub(super) const MODES: [u32; 24] = [
    0o644, 0o600, 0o666, 0o660, 0o640, 0o604, 0o755, 0o777, 0o700, 0, 0o300, 0o111, 0o500, 0o770,
    0o1777, 0o1755, 0o1770, 0o1666, 0o2775, 0o2777, 0o2755, 0o4755, 0o6777, 0o2644,
];
pub(super) const DIRECTORY_MODES: [u32; 14] = [
    0o755, 0o777, 0o777, 0o777, 0o1777, 0o1777, 0o775, 0o1770, 0o2775, 0o2777, 0o711, 0o3777,
    0o7777, 0o700,
];

pub(super) const ACCESS_MODES: [(usize, OFlags); 4] =
    [(10, OFlags::RDWR), (7, OFlags::RDONLY), (5, OFlags::WRONLY), (1, OFlags::RWMODE)];
pub(super) const CREATION: [(usize, OFlags); 5] = [
    (8, OFlags::CREATE),
    (6, OFlags::empty()),
    (3, OFlags::CREATE.union(OFlags::EXCL)),
    (1, OFlags::EXCL),
    (2, OFlags::TMPFILE),
];
pub(super) const REST: [(usize, OFlags); 11] = [
    (8, OFlags::empty()),
    (2, OFlags::TRUNC),
    (2, OFlags::APPEND),
    (1, OFlags::TRUNC.union(OFlags::APPEND)),
    (2, OFlags::DIRECTORY),
    (3, OFlags::NOFOLLOW),
    (1, OFlags::DIRECTORY.union(OFlags::TRUNC)),
    (1, OFlags::DIRECTORY.union(OFlags::NOFOLLOW)),
    (2, OFlags::PATH),
    (1, OFlags::PATH.union(OFlags::NOFOLLOW)),
    (1, OFlags::PATH.union(OFlags::DIRECTORY)),
];
pub(super) const TMPFILE_BIT: OFlags = OFlags::TMPFILE.difference(OFlags::DIRECTORY);
pub(super) const ODD: [(usize, OFlags); 7] = [
    (40, OFlags::empty()),
    (1, OFlags::NONBLOCK.union(OFlags::NOCTTY)),
    (1, OFlags::CLOEXEC),
    (1, OFlags::DSYNC),
    (1, OFlags::SYNC),
    (1, OFlags::from_bits_retain(1 << 30)),
    (1, TMPFILE_BIT),
];
/// All that simulations keep, for whatever combination.
pub(super) const EACH: [OFlags; 15] = [
    OFlags::WRONLY,
    OFlags::RDWR,
    OFlags::CREATE,
    OFlags::EXCL,
    OFlags::TRUNC,
    OFlags::APPEND,
    OFlags::DIRECTORY,
    OFlags::NOFOLLOW,
    OFlags::PATH,
    OFlags::TMPFILE,
    OFlags::CLOEXEC,
    OFlags::NOCTTY,
    OFlags::NONBLOCK,
    OFlags::DSYNC,
    OFlags::SYNC,
];
/// With which a directory opens.
pub(super) const OF_DIRECTORY: [OFlags; 6] = [
    OFlags::DIRECTORY,
    OFlags::PATH.union(OFlags::DIRECTORY),
    OFlags::PATH,
    OFlags::TMPFILE.union(OFlags::RDWR),
    OFlags::TMPFILE.union(OFlags::WRONLY),
    OFlags::TMPFILE.union(OFlags::RDWR).union(OFlags::EXCL),
];
pub(super) const LIMITS: [(usize, ResolveFlags); 8] = [
    (3, ResolveFlags::BENEATH),
    (3, ResolveFlags::IN_ROOT),
    (2, ResolveFlags::NO_SYMLINKS),
    (1, ResolveFlags::empty()),
    (1, ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS)),
    (1, ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_XDEV)),
    (1, ResolveFlags::BENEATH.union(ResolveFlags::IN_ROOT)),
    (1, ResolveFlags::CACHED),
];
pub(super) const EACH_LIMIT: [ResolveFlags; 5] = [
    ResolveFlags::BENEATH,
    ResolveFlags::IN_ROOT,
    ResolveFlags::NO_SYMLINKS,
    ResolveFlags::NO_MAGICLINKS,
    ResolveFlags::NO_XDEV,
];
pub(super) const LOCKS: [FlockOperation; 6] = [
    FlockOperation::LockExclusive,
    FlockOperation::LockShared,
    FlockOperation::Unlock,
    FlockOperation::NonBlockingLockExclusive,
    FlockOperation::NonBlockingLockShared,
    FlockOperation::NonBlockingUnlock,
];
pub(super) const WRITTEN: [&[u8]; 4] = [b"s3cret", b"x", b"", b"0123456789"];
/// Where in a file; and where no file can reach.
pub(super) const OFFSETS: [(usize, u64); 8] =
    [(8, 0), (4, 1), (4, 3), (4, 6), (3, 10), (2, 20), (1, 5000), (1, u64::MAX)];
/// Lengths that both a simulation and a kernel give a file, or neither.
pub(super) const LENGTHS: [(usize, u64); 7] =
    [(4, 0), (3, 3), (3, 6), (3, 10), (2, 5000), (1, 1 << 63), (1, u64::MAX)];
pub(super) const DISTANCES: [(usize, i64); 9] =
    [(4, 0), (3, 1), (3, -1), (2, 3), (2, -3), (2, -6), (1, 5000), (1, -5000), (1, i64::MIN)];
pub(super) const RENAMES: [(usize, RenameFlags); 5] = [
    (10, RenameFlags::NOREPLACE),
    (12, RenameFlags::EXCHANGE),
    (2, RenameFlags::empty()),
    (1, RenameFlags::EXCHANGE.union(RenameFlags::NOREPLACE)),
    (1, RenameFlags::WHITEOUT),
];
pub(super) const LOOKS: [(usize, AtFlags); 5] = [
    (20, AtFlags::empty()),
    (20, AtFlags::SYMLINK_NOFOLLOW),
    (1, AtFlags::EMPTY_PATH),
    (1, AtFlags::SYMLINK_FOLLOW),
    (1, AtFlags::SYMLINK_NOFOLLOW.union(AtFlags::EMPTY_PATH)),
];
pub(super) const TIMES: [(usize, When); 6] = [
    (10, When::Then(5)),
    (5, When::Now),
    (3, When::Omit),
    (2, When::Then(-1)),
    (2, When::Then(2_000_000_000)),
    (1, When::Never),
];
/// What may lie at any name: no pipe, whose opening would wait, and no device, which would do something.
pub(super) const NODES: [(usize, FileType); 5] = [
    (6, FileType::Socket),
    (3, FileType::RegularFile),
    (1, FileType::Directory),
    (1, FileType::Symlink),
    (1, FileType::Unknown),
];
/// Where pipes and devices lie, which nothing opens and nothing renames to another name.
pub(super) const PIPES: [&str; 4] = ["t/p", "p", "d/p", "q"];
/// Where locks begin, and how many bytes they are about.
pub(super) const STARTS: [(usize, u64); 6] =
    [(6, 0), (3, 1), (3, 3), (2, 6), (1, 10), (1, 1 << 63)];
pub(super) const EXTENTS: [(usize, u64); 7] =
    [(4, 0), (4, 1), (4, 3), (2, 4), (2, 10), (1, i64::MAX as u64), (1, u64::MAX)];
pub(super) const FOLLOWED: [(usize, AtFlags); 4] = [
    (12, AtFlags::SYMLINK_FOLLOW),
    (3, AtFlags::empty()),
    (1, AtFlags::SYMLINK_NOFOLLOW),
    (1, AtFlags::SYMLINK_FOLLOW.union(AtFlags::EMPTY_PATH)),
];
/// To read (4), to write (2), to execute (1); 8 and more is nothing.
pub(super) const WANTED: [(usize, u32); 10] =
    [(3, 0), (3, 4), (3, 2), (3, 1), (3, 6), (3, 5), (3, 3), (3, 7), (1, 8), (1, 0o14)];
