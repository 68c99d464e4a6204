//! Which sequences of operations are tried, each in a world prepared so that interesting things
//! happen often. Failures shrink towards the front of each choice.

use std::sync::LazyLock;

use proptest::bool::weighted;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use toctou::fs::{Access, AtFlags, FlockOperation, OFlags, RenameFlags, ResolveFlags};

use super::arena::Profile;
use super::ops::{Call, Op, SLOTS, Spot, Who};

/// Each name as often as it is to be drawn.
fn weigh(names: &[(usize, &[&'static str])]) -> Vec<&'static str> {
    let each = names.iter().flat_map(|(times, names)| names.iter().map(move |name| (*times, name)));
    each.flat_map(|(times, name)| std::iter::repeat_n(*name, times)).collect()
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

static PATHS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let long = [
        leak("x".repeat(255)),
        leak("x".repeat(256)),
        leak(format!("d/{}", "x".repeat(256))),
        leak(format!("{}/a", "x".repeat(256))),
        leak(format!("{}/", "x".repeat(256))),
        leak(format!("{}a", "./".repeat(2047))),
        leak("./".repeat(2048)),
    ];
    weigh(&[
        (100, &["a", "t/a", "t/l", "l"]),
        (50, &["d/a", "d", "b", "t", "t/b"]),
        (12, &["e", "d/b", "d/e", "e/a", "l/a", "t/d", "m", "t/n"]),
        (6, &["d/e/a", "e/d", "a/b", "m/a", "t/l/a", "l/l", "t/d/a", "d/l"]),
        (4, &[".", "d/.", "d/..", "d/../a", "./a", "a/", "b/", "d/", "e/", "d/e/", "d//a", "l/"]),
        (3, &["t/l/", "l/..", "l/.", "m/", "l/../a", "t/../l", "t/"]),
        (1, &["", "/", "/a", "..", "../a", "d/../..", "a/.", "a/..", "b/../d", "./", "././"]),
        (1, &["d/./a", "d/e/../..", "d/e/../a", "no/a", "no/..", "d/../", "a\0", "../a\0"]),
        (1, &long),
    ])
});

/// What links say that lead to what is below them.
static DOWNWARD: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    weigh(&[
        (12, &["a", "d", "t", "l"]),
        (6, &["b", "d/a", "t/a", "t/l", "no", "m", "t/d", "d/e"]),
        (3, &["a/", "d/", "l/", "no/a", "no/", "l/a", "m/a", "a/b"]),
        (1, &["", "d//a", leak("x".repeat(256)), leak("d/".repeat(2047)), "a\0"]),
    ])
});

static ANYWHERE: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
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

fn any_path() -> impl Strategy<Value = &'static str> {
    (0..PATHS.len()).prop_map(|index| PATHS[index])
}

fn from() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![7 => Just(None), 1 => (0..SLOTS).prop_map(Some)]
}

fn spot() -> impl Strategy<Value = Spot> {
    (from(), any_path()).prop_map(|(from, path)| Spot(from, path))
}

/// A place that more likely is a file's, or a link's.
fn file() -> impl Strategy<Value = Spot> {
    const FILES: [&str; 8] = ["a", "t/a", "d/a", "t/l", "l", "b", "t/b", "a"];
    let path = prop_oneof![6 => select(&FILES[..]), 1 => any_path()];
    (from(), path).prop_map(|(from, path)| Spot(from, path))
}

/// A place that more likely is a directory's.
fn directory() -> impl Strategy<Value = Spot> {
    const DIRECTORIES: [&str; 6] = ["d", "t", "e", "d/e", "t/d", "d"];
    let path = prop_oneof![4 => select(&DIRECTORIES[..]), 1 => any_path()];
    (from(), path).prop_map(|(from, path)| Spot(from, path))
}

fn target(profile: Profile) -> impl Strategy<Value = &'static str> {
    let targets: &'static Vec<&'static str> = match profile {
        Profile::Tame => &DOWNWARD,
        Profile::Wild => &ANYWHERE,
    };
    (0..targets.len()).prop_map(|index| targets[index])
}

fn slot() -> impl Strategy<Value = usize> {
    0..SLOTS
}

fn who() -> impl Strategy<Value = Who> {
    prop_oneof![
        3 => Just(Who::Root),
        4 => Just(Who::Alice),
        4 => Just(Who::Bob),
        2 => Just(Who::Carol),
    ]
}

fn umask() -> impl Strategy<Value = u32> {
    prop_oneof![2 => Just(0o022), 3 => Just(0), 1 => Just(0o077)]
}

fn mode() -> impl Strategy<Value = u32> {
    const MODES: [u32; 24] = [
        0o644, 0o600, 0o666, 0o660, 0o640, 0o604, 0o755, 0o777, 0o700, 0, 0o300, 0o111, 0o500,
        0o770, 0o1777, 0o1755, 0o1770, 0o1666, 0o2775, 0o2777, 0o2755, 0o4755, 0o6777, 0o2644,
    ];
    select(&MODES[..])
}

fn directory_mode() -> impl Strategy<Value = u32> {
    const MODES: [u32; 12] =
        [0o755, 0o777, 0o700, 0o1777, 0o1777, 0o770, 0o1770, 0o2775, 0o2777, 0o711, 0o3777, 0o7777];
    select(&MODES[..])
}

fn open_flags() -> impl Strategy<Value = OFlags> {
    let access = prop_oneof![
        10 => Just(OFlags::RDWR),
        7 => Just(OFlags::RDONLY),
        5 => Just(OFlags::WRONLY),
        1 => Just(OFlags::RWMODE),
    ];
    let creation = prop_oneof![
        8 => Just(OFlags::CREATE),
        6 => Just(OFlags::empty()),
        3 => Just(OFlags::CREATE | OFlags::EXCL),
        1 => Just(OFlags::EXCL),
        2 => Just(OFlags::TMPFILE),
    ];
    let rest = prop_oneof![
        8 => Just(OFlags::empty()),
        2 => Just(OFlags::TRUNC),
        2 => Just(OFlags::APPEND),
        1 => Just(OFlags::TRUNC | OFlags::APPEND),
        2 => Just(OFlags::DIRECTORY),
        3 => Just(OFlags::NOFOLLOW),
        1 => Just(OFlags::DIRECTORY | OFlags::TRUNC),
        1 => Just(OFlags::DIRECTORY | OFlags::NOFOLLOW),
        2 => Just(OFlags::PATH),
        1 => Just(OFlags::PATH | OFlags::NOFOLLOW),
        1 => Just(OFlags::PATH | OFlags::DIRECTORY),
    ];
    let odd = prop_oneof![
        40 => Just(OFlags::empty()),
        1 => Just(OFlags::NONBLOCK),
        1 => Just(OFlags::CLOEXEC),
        1 => Just(OFlags::from_bits_retain(1 << 30)),
        1 => Just(OFlags::TMPFILE.difference(OFlags::DIRECTORY)),
    ];
    (access, creation, rest, odd)
        .prop_map(|(access, creation, rest, odd)| access | creation | rest | odd)
}

/// Those with which a directory opens, and any.
fn opening() -> impl Strategy<Value = (Spot, OFlags)> {
    let path = OFlags::PATH | OFlags::DIRECTORY;
    prop_oneof![
        1 => (directory(), select(vec![OFlags::DIRECTORY, path, OFlags::PATH])),
        1 => (directory(), select(vec![OFlags::TMPFILE | OFlags::RDWR,
            OFlags::TMPFILE | OFlags::WRONLY, OFlags::TMPFILE | OFlags::RDWR | OFlags::EXCL])),
        5 => (file(), open_flags()),
    ]
}

fn limits() -> impl Strategy<Value = ResolveFlags> {
    prop_oneof![
        3 => Just(ResolveFlags::BENEATH),
        3 => Just(ResolveFlags::IN_ROOT),
        2 => Just(ResolveFlags::NO_SYMLINKS),
        1 => Just(ResolveFlags::empty()),
        1 => Just(ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS),
        1 => Just(ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV),
        1 => Just(ResolveFlags::BENEATH | ResolveFlags::IN_ROOT),
        1 => Just(ResolveFlags::CACHED),
    ]
}

/// Mostly a mode only where there is something to make, as `openat2` asks.
fn opening_within() -> impl Strategy<Value = (Spot, OFlags, u32)> {
    let tmpfile = OFlags::TMPFILE.difference(OFlags::DIRECTORY);
    (opening(), mode(), weighted(0.05)).prop_map(move |((spot, flags), mode, is_odd)| {
        let makes = flags.intersects(OFlags::CREATE | tmpfile);
        let flags = if flags.contains(OFlags::PATH) && !is_odd {
            flags & (OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW)
        } else {
            flags
        };
        (spot, flags, if makes || is_odd { mode } else { 0 })
    })
}

fn flock_operation() -> impl Strategy<Value = FlockOperation> {
    const OPERATIONS: [FlockOperation; 6] = [
        FlockOperation::LockExclusive,
        FlockOperation::LockShared,
        FlockOperation::Unlock,
        FlockOperation::NonBlockingLockExclusive,
        FlockOperation::NonBlockingLockShared,
        FlockOperation::NonBlockingUnlock,
    ];
    select(&OPERATIONS[..])
}

fn bytes() -> impl Strategy<Value = &'static [u8]> {
    const WRITTEN: [&[u8]; 4] = [b"s3cret", b"x", b"", b"0123456789"];
    select(&WRITTEN[..])
}

fn rename_flags() -> impl Strategy<Value = RenameFlags> {
    prop_oneof![
        10 => Just(RenameFlags::NOREPLACE),
        12 => Just(RenameFlags::EXCHANGE),
        2 => Just(RenameFlags::empty()),
        1 => Just(RenameFlags::EXCHANGE | RenameFlags::NOREPLACE),
    ]
}

fn at_flags() -> impl Strategy<Value = AtFlags> {
    prop_oneof![
        10 => Just(AtFlags::empty()),
        10 => Just(AtFlags::SYMLINK_NOFOLLOW),
        1 => Just(AtFlags::EMPTY_PATH),
    ]
}

fn access() -> impl Strategy<Value = Access> {
    (0..8_u32).prop_map(Access::from_bits_retain)
}

fn file_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        6 => (slot(), 0..16_usize).prop_map(|(slot, length)| Call::Read(slot, length)),
        7 => (slot(), bytes()).prop_map(|(slot, bytes)| Call::Write(slot, bytes)),
        9 => (slot(), flock_operation())
            .prop_map(|(slot, operation)| Call::Flock(slot, operation)),
        5 => slot().prop_map(Call::Fstat),
        5 => (slot(), mode()).prop_map(|(slot, mode)| Call::Fchmod(slot, mode)),
        6 => (slot(), file()).prop_map(|(slot, to)| Call::LinkFile(slot, to)),
        3 => slot().prop_map(Call::Close),
        2 => slot().prop_map(Call::Fsync),
    ]
}

fn name_call(profile: Profile) -> impl Strategy<Value = Call> {
    prop_oneof![
        4 => (spot(), at_flags()).prop_map(|(spot, flags)| Call::Stat(spot, flags)),
        3 => (spot(), access(), at_flags())
            .prop_map(|(spot, access, flags)| Call::Access(spot, access, flags)),
        3 => (directory(), directory_mode()).prop_map(|(spot, mode)| Call::Chmod(spot, mode)),
        3 => (file(), mode()).prop_map(|(spot, mode)| Call::Chmod(spot, mode)),
        5 => file().prop_map(Call::Unlink),
        5 => (file(), spot()).prop_map(|(from, to)| Call::Link(from, to)),
        4 => (file(), file()).prop_map(|(from, to)| Call::Rename(from, to)),
        3 => (directory(), spot()).prop_map(|(from, to)| Call::Rename(from, to)),
        4 => (file(), spot(), rename_flags())
            .prop_map(|(from, to, flags)| Call::RenameWith(from, to, flags)),
        3 => (directory(), spot(), rename_flags())
            .prop_map(|(from, to, flags)| Call::RenameWith(from, to, flags)),
        5 => (target(profile), file()).prop_map(|(target, spot)| Call::Symlink(target, spot)),
        3 => file().prop_map(Call::Readlink),
        5 => (directory(), directory_mode()).prop_map(|(spot, mode)| Call::Mkdir(spot, mode)),
        4 => directory().prop_map(Call::Rmdir),
    ]
}

fn open_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        3 => (slot(), opening(), mode())
            .prop_map(|(slot, (spot, flags), mode)| Call::Open(slot, spot, flags, mode)),
        1 => (slot(), opening_within(), limits()).prop_map(|(slot, (spot, flags, mode), limits)| {
            Call::OpenWithin(slot, spot, flags, mode, limits)
        }),
    ]
}

fn op(profile: Profile) -> impl Strategy<Value = Op> {
    let call = prop_oneof![5 => name_call(profile), 4 => file_call(), 4 => open_call()];
    (who(), umask(), call).prop_map(move |(by, umask, call)| match call {
        Call::LinkFile(..) if profile == Profile::Wild => Op { by: Who::Root, umask, call },
        _ => Op { by, umask, call },
    })
}

/// Somebody's operation with umask 0.
fn by(
    who: impl Strategy<Value = Who> + 'static,
    call: impl Strategy<Value = Call> + 'static,
) -> BoxedStrategy<Op> {
    (who, call).prop_map(|(by, call)| Op { by, umask: 0, call }).boxed()
}

/// What a sequence may begin with, so that others are likely to succeed: a directory for all, one
/// of Alice's and one of Bob's, files and links in them. Each is left out now and then.
fn beginning(profile: Profile) -> impl Strategy<Value = Vec<Op>> {
    let users = || select(&[Who::Alice, Who::Bob, Who::Carol][..]);
    let file_mode = || select(&[0o644, 0o666, 0o600, 0o660, 0o4755, 0o2777][..]);
    let shared_mode = select(&[0o1777, 0o777, 0o1770, 0o1775, 0o3777, 0o2777][..]);
    let create = |slot, path: &'static str| {
        let flags = OFlags::CREATE | OFlags::RDWR;
        file_mode().prop_map(move |mode| Call::Open(slot, path.into(), flags, mode))
    };
    let mkdir =
        |path: &'static str| directory_mode().prop_map(move |mode| Call::Mkdir(path.into(), mode));
    let link = |path: &'static str| {
        target(profile).prop_map(move |target| Call::Symlink(target, path.into()))
    };
    let lock = |slot| Just(Call::Flock(slot, FlockOperation::LockShared));
    let open = |slot, path: &'static str, flags| Just(Call::Open(slot, path.into(), flags, 0));
    let anchor_mode = select(&[0o777, 0o777, 0o777, 0o1777, 0o2777, 0o755][..]);
    let ops = vec![
        by(Just(Who::Root), anchor_mode.prop_map(|mode| Call::Chmod(".".into(), mode))),
        by(
            prop_oneof![3 => Just(Who::Root), 1 => users()],
            shared_mode.prop_map(|mode| Call::Mkdir("t".into(), mode)),
        ),
        by(Just(Who::Alice), mkdir("d")),
        by(Just(Who::Bob), mkdir("e")),
        by(users(), mkdir("t/d")),
        by(who(), create(0, "a")),
        by(who(), create(1, "b")),
        by(users(), create(2, "t/a")),
        by(users(), create(2, "t/b")),
        by(Just(Who::Alice), create(0, "d/a")),
        by(who(), link("l")),
        by(users(), link("t/l")),
        by(users(), link("m")),
        by(Just(Who::Root), open(0, "a", OFlags::RDONLY)),
        by(Just(Who::Root), open(1, "a", OFlags::RDWR)),
        by(Just(Who::Root), lock(0)),
        by(Just(Who::Root), lock(1)),
        by(who(), open(2, "t", OFlags::PATH)),
        by(who(), open(1, "d", OFlags::DIRECTORY)),
    ];
    let kept = vec![
        0.98, 0.95, 0.9, 0.5, 0.3, 0.9, 0.4, 0.85, 0.3, 0.6, 0.8, 0.8, 0.3, 0.4, 0.4, 0.4, 0.4,
        0.2, 0.2,
    ];
    let kept: Vec<_> = kept.into_iter().map(weighted).collect();
    (ops, kept).prop_map(|(ops, kept)| {
        ops.into_iter().zip(kept).filter_map(|(op, kept)| kept.then_some(op)).collect()
    })
}

/// A prepared world and up to 30 operations on it.
pub(crate) fn sequence(profile: Profile) -> impl Strategy<Value = Vec<Op>> {
    (beginning(profile), vec(op(profile), 0..=30)).prop_map(|(mut ops, rest)| {
        ops.extend(rest);
        ops
    })
}
