//! Third floor: writing a file that nobody else made, in a directory where others may act.
//! Imports [`process`](crate::process) and [`fs`](crate::fs).

mod program;

pub use program::{Exchange, Left, Op, Outcome, Place, Plan, WriteEnd, Writing};

use crate::fs::{OFlags, ResolveFlags};

/// How P's directory is opened: once, through no link.
const ANCHOR: Op = Op::Anchor(OFlags::DIRECTORY.union(OFlags::PATH), ResolveFlags::NO_SYMLINKS);
/// How a temporary file is made.
const OWN: OFlags =
    OFlags::WRONLY.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW);

/// What [`write_exclusive`] does where nothing is to be replaced.
pub const NEW: &[Op] =
    &[ANCHOR, Op::CreateUnnamed(OWN), Op::SetMode, Op::Write, Op::Sync, Op::Link];

/// What [`write_exclusive`] does where what is there is replaced.
pub const REPLACE: &[Op] = &[
    ANCHOR,
    Op::Look,
    Op::PrivateDirectory { inspects: true },
    Op::CreateTemporary(OWN),
    Op::SetMode,
    Op::Identify,
    Op::Write,
    Op::Sync,
    Op::Exchange(Exchange::WHOLE),
    Op::RemovePrivate,
    Op::Verify,
];
