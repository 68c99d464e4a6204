//! The variants of `credential`, as lists of operations. Fourth floor: imports
//! [`writer`](crate::writer) and [`fs`](crate::fs).

use crate::fs::{OFlags, ResolveFlags};
use crate::writer::{self, Op};

const WRITE: OFlags = OFlags::WRONLY.union(OFlags::CREATE);
const TRUNCATING: OFlags = WRITE.union(OFlags::TRUNC);
const EXCLUSIVE: OFlags = WRITE.union(OFlags::EXCL);
const OWN: OFlags = EXCLUSIVE.union(OFlags::NOFOLLOW);

/// What a variant does, without `force` and with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Programs {
    pub(super) new: &'static [Op],
    pub(super) force: &'static [Op],
}

pub(super) const CHECK_THEN_WRITE: Programs = {
    const STEPS: &[Op] = &[Op::Access, Op::Create(TRUNCATING), Op::Write, Op::SetModeOfPath];
    Programs { new: STEPS, force: STEPS }
};

pub(super) const UNLINK_THEN_CREATE: Programs = Programs {
    new: &[Op::Create(OWN), Op::Write],
    force: &[Op::Access, Op::Unlink, Op::Create(OWN), Op::Write],
};

pub(super) const LSTAT_THEN_CREATE: Programs = {
    const STEPS: &[Op] = &[Op::Look, Op::Unlink, Op::Create(OWN), Op::Write];
    Programs { new: STEPS, force: STEPS }
};

pub(super) const LSTAT_THEN_WRITE: Programs = Programs {
    new: &[Op::LookForLink, Op::Access, Op::Create(TRUNCATING), Op::Write, Op::SetModeOfPath],
    force: &[Op::LookForLink, Op::Create(TRUNCATING), Op::Write, Op::SetModeOfPath],
};

pub(super) const NOFOLLOW_ONLY: Programs = {
    const FLAGS: OFlags = TRUNCATING.union(OFlags::NOFOLLOW);
    const STEPS: &[Op] = &[Op::Create(FLAGS), Op::Write, Op::SetModeOfPath];
    Programs { new: STEPS, force: STEPS }
};

pub(super) const EXCLUSIVE_ONLY: Programs = {
    const STEPS: &[Op] = &[Op::Look, Op::Unlink, Op::Create(EXCLUSIVE), Op::Write];
    Programs { new: STEPS, force: STEPS }
};

pub(super) const TEMPORARY_THEN_RENAME: Programs = Programs {
    new: &[Op::Look, Op::CreateTemporary(OWN), Op::Write, Op::Sync, Op::RenameNew],
    force: &[Op::Look, Op::CreateTemporary(OWN), Op::Write, Op::Sync, Op::Rename],
};

pub(super) const ANCHORED: Programs = {
    const ANCHOR: Op =
        Op::Anchor(OFlags::DIRECTORY, ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS));
    Programs {
        new: &[ANCHOR, Op::Look, Op::CreateTemporary(OWN), Op::Write, Op::Sync, Op::RenameNew],
        force: &[ANCHOR, Op::Look, Op::CreateTemporary(OWN), Op::Write, Op::Sync, Op::Rename],
    }
};

pub(super) const LINK_OR_EXCHANGE: Programs = Programs { new: writer::NEW, force: writer::REPLACE };
