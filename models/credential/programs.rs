//! The variants of `credential`, as lists of operations. Fourth floor: imports
//! [`writer`] and [`fs`](crate::fs).

use crate::fs::{OFlags, ResolveFlags};
use crate::writer::{self, Op};

const WRITE: OFlags = OFlags::WRONLY.union(OFlags::CREATE);
const TRUNCATING: OFlags = WRITE.union(OFlags::TRUNC);
const EXCLUSIVE: OFlags = WRITE.union(OFlags::EXCL);
const OWN: OFlags = EXCLUSIVE.union(OFlags::NOFOLLOW);

/// Without `force`, and with it.
type Pair = (&'static [Op], &'static [Op]);

/// The variant of this name.
pub(super) fn programs(variant: &str) -> Option<Pair> {
    Some(match variant {
        "check-then-write" => CHECK_THEN_WRITE,
        "unlink-then-create" => UNLINK_THEN_CREATE,
        "lstat-then-create" => LSTAT_THEN_CREATE,
        "lstat-then-write" => LSTAT_THEN_WRITE,
        "nofollow-only" => NOFOLLOW_ONLY,
        "exclusive-only" => EXCLUSIVE_ONLY,
        "temporary-then-rename" => TEMPORARY_THEN_RENAME,
        "anchored" => ANCHORED,
        "link-or-exchange" => (writer::NEW, writer::REPLACE),
        "private-then-rename" => (writer::NEW_BY_NAME, writer::REPLACE),
        _ => return None,
    })
}

const CHECK_THEN_WRITE: Pair = {
    const STEPS: &[Op] = &[Op::Access, Op::Create(TRUNCATING), Op::Write, Op::SetModeOfPath];
    (STEPS, STEPS)
};

const UNLINK_THEN_CREATE: Pair =
    (&[Op::Create(OWN), Op::Write], &[Op::Access, Op::Unlink, Op::Create(OWN), Op::Write]);

const LSTAT_THEN_CREATE: Pair = {
    const STEPS: &[Op] = &[Op::Look, Op::Unlink, Op::Create(OWN), Op::Write];
    (STEPS, STEPS)
};

const LSTAT_THEN_WRITE: Pair = (
    &[Op::LookForLink, Op::Access, Op::Create(TRUNCATING), Op::Write, Op::SetModeOfPath],
    &[Op::LookForLink, Op::Create(TRUNCATING), Op::Write, Op::SetModeOfPath],
);

const NOFOLLOW_ONLY: Pair = {
    const FLAGS: OFlags = TRUNCATING.union(OFlags::NOFOLLOW);
    const STEPS: &[Op] = &[Op::Create(FLAGS), Op::Write, Op::SetModeOfPath];
    (STEPS, STEPS)
};

const EXCLUSIVE_ONLY: Pair = {
    const STEPS: &[Op] = &[Op::Look, Op::Unlink, Op::Create(EXCLUSIVE), Op::Write];
    (STEPS, STEPS)
};

const TEMPORARY_THEN_RENAME: Pair = (
    &[Op::Look, Op::CreateTemporary(OWN), Op::Write, Op::Sync, Op::RenameNew],
    &[Op::Look, Op::CreateTemporary(OWN), Op::Write, Op::Sync, Op::Rename],
);

const ANCHORED: Pair = {
    const ANCHOR: Op =
        Op::Anchor(OFlags::DIRECTORY, ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS));
    (
        &[ANCHOR, Op::Look, Op::CreateTemporary(OWN), Op::Write, Op::Sync, Op::RenameNew],
        &[ANCHOR, Op::Look, Op::CreateTemporary(OWN), Op::Write, Op::Sync, Op::Rename],
    )
};
