//! The variants of `credential`, as lists of operations. Fourth floor: imports
//! [`writer`] and [`fs`](crate::fs).

use crate::fs::{OFlags, ResolveFlags};
use crate::writer::{self, Op};

const WRITE: OFlags = OFlags::WRONLY.union(OFlags::CREATE);
const TRUNCATING: OFlags = WRITE.union(OFlags::TRUNC);
const EXCLUSIVE: OFlags = WRITE.union(OFlags::EXCL);
const NOFOLLOW: OFlags = TRUNCATING.union(OFlags::NOFOLLOW);
const OWN: OFlags = EXCLUSIVE.union(OFlags::NOFOLLOW);
const TEMPORARY: Op = Op::CreateTemporary(OWN);
const ANCHOR: Op =
    Op::Anchor(OFlags::DIRECTORY, ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS));

/// What the variant of this name does without `force`, and with it.
pub(super) fn programs(variant: &str) -> Option<(&'static [Op], &'static [Op])> {
    use Op::{Access, Create, Look, LookForLink, SetModeOfPath, Unlink, Write};
    Some(match variant {
        "check-then-write" => both(&[Access, Create(TRUNCATING), Write, SetModeOfPath]),
        "unlink-then-create" => (&[Create(OWN), Write], &[Access, Unlink, Create(OWN), Write]),
        "lstat-then-create" => both(&[Look, Unlink, Create(OWN), Write]),
        "lstat-then-write" => (
            &[LookForLink, Access, Create(TRUNCATING), Write, SetModeOfPath],
            &[LookForLink, Create(TRUNCATING), Write, SetModeOfPath],
        ),
        "nofollow-only" => both(&[Create(NOFOLLOW), Write, SetModeOfPath]),
        "exclusive-only" => both(&[Look, Unlink, Create(EXCLUSIVE), Write]),
        "temporary-then-rename" => (
            &[Look, TEMPORARY, Write, Op::Sync, Op::RenameNew],
            &[Look, TEMPORARY, Write, Op::Sync, Op::Rename],
        ),
        "rename-without-fsync" => {
            (&[Look, TEMPORARY, Write, Op::RenameNew], &[Look, TEMPORARY, Write, Op::Rename])
        }
        "anchored" => (
            &[ANCHOR, Look, TEMPORARY, Write, Op::Sync, Op::RenameNew],
            &[ANCHOR, Look, TEMPORARY, Write, Op::Sync, Op::Rename],
        ),
        "link-or-exchange" => (writer::NEW, writer::REPLACE),
        "private-then-rename" => (writer::NEW_BY_NAME, writer::REPLACE),
        _ => return None,
    })
}

fn both(program: &'static [Op]) -> (&'static [Op], &'static [Op]) {
    (program, program)
}
