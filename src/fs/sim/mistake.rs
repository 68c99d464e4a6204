//! First floor: which answers of a simulated file system can only mean that the model is wrong, and
//! what is wrong then. Imports its parent module and how calls are told.
//!
//! A mistake can be seen from the call alone: its flags, the spelling of its path, how its file was
//! opened. An answer that other processes can cause is no mistake, whatever its error code.
//! `readlink` answers `EINVAL` where somebody replaced the link by a file. So does `rename` where
//! somebody moved the target's directory below the source.

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use crate::fs::LinuxOpenFlags as _;
use rustix::fs::{Mode, OFlags, SeekFrom};
use rustix::io::Errno;
use std::os::unix::ffi::OsStrExt;

use super::super::path::{
    confined, follows, limits, links, position, renames, seekable, understood,
};
use super::super::status::kind_of;
use super::super::told::Call;
use super::super::{At, Kind, ResolveFlags};
use super::open::{PATH_FLAGS, TMPFILE_BIT};
use super::{ACCESS_BITS, MODE_BITS, OWN, SimFile};

/// The code and the words of the mistake that this answer to a call tells of, if it tells of one. `file`
/// is the open file that the call is about.
pub(super) fn mistake(
    call: &Call<'_, SimFile>,
    file: Option<&SimFile>,
    errno: Errno,
) -> Option<(&'static str, &'static str)> {
    let mut paths = paths(call).into_iter().flatten();
    match errno {
        Errno::XDEV => {
            let leaves = paths.any(|at| confined(at.path).is_err());
            leaves.then_some(("EXDEV", "the path leaves the directory that it starts at"))
        }
        Errno::INVAL if paths.any(|at| at.path.as_os_str().as_bytes().contains(&0)) => {
            Some(("EINVAL", "the path has a NUL byte in it"))
        }
        Errno::INVAL => Some(("EINVAL", meaningless(call, file)?)),
        Errno::NOSYS => Some(("ENOSYS", "the world has no clock (SimFs::with_clock)")),
        Errno::FBIG => Some(("EFBIG", "no simulated file is so large (16 MiB)")),
        Errno::BADF => Some(("EBADF", unfit(call, file))),
        _ => None,
    }
}

/// What is wrong with a call by which others could learn a name that is a process's [own](super::Owner), or by
/// which one such name would stand for those of all.
pub(super) fn shared_name(call: &Call<'_, SimFile>) -> Option<&'static str> {
    let has = |bytes: &[u8]| bytes.windows(OWN.len()).any(|part| part == OWN.as_bytes());
    let is_told = match *call {
        Call::Write(bytes) | Call::Pwrite(bytes, _) => has(bytes),
        Call::Symlink(target, _) => has(target.as_os_str().as_bytes()),
        _ => false,
    };
    if is_told {
        return Some("somebody who reads it learns a name that is another's own");
    }
    let is_within = |at: At<'_, SimFile>| {
        let names = at.path.as_os_str().as_bytes().split(|byte| *byte == b'/');
        names.into_iter().any(|name| has(name.strip_suffix(OWN.as_bytes()).unwrap_or(name)))
    };
    let is_anywhere = paths(call).into_iter().flatten().any(is_within);
    is_anywhere.then_some("a name of one's own ends with `OWN`, and has it nowhere else")
}

/// Where a call looks.
fn paths<'c>(call: &Call<'c, SimFile>) -> [Option<At<'c, SimFile>>; 2] {
    match *call {
        Call::Open(at, ..)
        | Call::OpenWithin(at, ..)
        | Call::Stat(at, _)
        | Call::Access(at, ..)
        | Call::Chmod(at, ..)
        | Call::Chown(at, ..)
        | Call::Utimensat(at, ..)
        | Call::Unlink(at)
        | Call::LinkFile(at)
        | Call::Symlink(_, at)
        | Call::Readlink(at)
        | Call::Mkdir(at)
        | Call::Mknod(at, _)
        | Call::Rmdir(at) => [Some(at), None],
        Call::Rename(from, to, _) | Call::Link(from, to, _) => [Some(from), Some(to)],
        Call::Read
        | Call::Write(_)
        | Call::Pread(_)
        | Call::Pwrite(..)
        | Call::Lseek(_)
        | Call::Ftruncate(_)
        | Call::Fsync
        | Call::Fdatasync
        | Call::Fstat
        | Call::Fchmod(_)
        | Call::Fchown(_)
        | Call::Futimens(_)
        | Call::Getdents
        | Call::Flock(..)
        | Call::Ofd(..)
        | Call::Close => [None, None],
    }
}

/// What about a call that was answered `EINVAL` makes no sense, whatever the world holds.
fn meaningless(call: &Call<'_, SimFile>, file: Option<&SimFile>) -> Option<&'static str> {
    match *call {
        Call::Open(_, flags) => meaningless_flags(flags),
        Call::OpenWithin(_, flags, mode, resolve) => meaningless_flags(flags)
            .or_else(|| meaningless_limits(resolve))
            .or_else(|| meaningless_how(flags, mode)),
        Call::Stat(_, flags)
        | Call::Access(_, _, flags)
        | Call::Chmod(_, _, flags)
        | Call::Chown(_, _, flags)
        | Call::Utimensat(_, _, flags)
            if follows(flags).is_err() =>
        {
            Some("no flag is understood but AT_SYMLINK_NOFOLLOW")
        }
        Call::Link(_, _, flags) if links(flags).is_err() => {
            Some("no flag is understood but AT_SYMLINK_FOLLOW")
        }
        Call::Access(_, access, _) if !ACCESS_BITS.contains(access) => {
            Some("it asks for more than to read, to write and to execute")
        }
        Call::Rename(_, _, flags) if renames(flags).is_err() => {
            Some("no flag is understood but RENAME_NOREPLACE or RENAME_EXCHANGE, one of them")
        }
        Call::Mknod(_, kind) if kind_of(kind).is_none_or(|kind| kind == Kind::Symlink) => {
            Some("there is no such file to make; symlink makes links")
        }
        Call::Symlink(target, _) if target.as_os_str().as_bytes().contains(&0) => {
            Some("what the link is to say has a NUL byte in it")
        }
        Call::Lseek(to) if seekable(to).is_err() => {
            Some("simulations keep no holes: where data is cannot be asked")
        }
        Call::Lseek(SeekFrom::Start(offset)) if position(offset).is_err() => Some(NOWHERE),
        Call::Lseek(SeekFrom::Start(_) | SeekFrom::Current(0..)) => {
            Some("in a directory there is one place to go to: its beginning")
        }
        Call::Pread(offset) | Call::Pwrite(_, offset) | Call::Ftruncate(offset)
            if position(offset).is_err() =>
        {
            Some(NOWHERE)
        }
        Call::Ofd(..) => Some(NOWHERE),
        Call::Ftruncate(_) if file.is_some_and(|file| !file.writable()) => {
            Some("the file is not open for writing")
        }
        Call::Utimensat(..) | Call::Futimens(_) => {
            Some("a time has fewer nanoseconds than a second")
        }
        Call::Rmdir(_) => Some("a path that ends in `.` names nothing that can be removed"),
        _ => None,
    }
}

/// What is wrong with an offset that no file has.
const NOWHERE: &str = "it is about bytes beyond the end of any file (2⁶³)";

fn meaningless_flags(flags: OFlags) -> Option<&'static str> {
    let is_tmpfile = flags.contains(TMPFILE_BIT);
    if understood(flags).is_err() {
        Some("it has a flag that simulations do not keep (O_DIRECT, O_NOATIME, …)")
    } else if flags.contains(OFlags::PATH) {
        // What O_PATH does not speak of is ignored.
        None
    } else if flags.contains(OFlags::CREATE | OFlags::DIRECTORY) {
        Some("O_CREAT makes no directory; mkdir does")
    } else if is_tmpfile && !flags.contains(OFlags::DIRECTORY) {
        Some("O_TMPFILE lacks the O_DIRECTORY that is part of it")
    } else if is_tmpfile && !flags.intersects(OFlags::RWMODE) {
        Some("a file without a name has to be opened for writing")
    } else {
        None
    }
}

fn meaningless_limits(resolve: ResolveFlags) -> Option<&'static str> {
    if limits(resolve).is_err() {
        Some("it has a limit that simulations do not keep (RESOLVE_CACHED)")
    } else if resolve.contains(ResolveFlags::BENEATH | ResolveFlags::IN_ROOT) {
        Some("RESOLVE_BENEATH and RESOLVE_IN_ROOT exclude one another")
    } else {
        None
    }
}

fn meaningless_how(flags: OFlags, mode: Mode) -> Option<&'static str> {
    if flags.contains(OFlags::PATH) && !PATH_FLAGS.contains(flags) {
        Some("O_PATH goes with O_DIRECTORY, O_NOFOLLOW and O_CLOEXEC only")
    } else if !MODE_BITS.contains(mode) {
        Some("the mode has bits that no file has")
    } else if !mode.is_empty() {
        Some("there is a mode, and no file to make with it")
    } else {
        None
    }
}

/// Why an open file is not good for what was called.
fn unfit(call: &Call<'_, SimFile>, file: Option<&SimFile>) -> &'static str {
    match (call, file) {
        (_, Some(file)) if file.is_path() => "the file is open as a path alone (O_PATH)",
        (Call::Read | Call::Pread(_), Some(file)) if !file.readable() && file.writable() => {
            "the file is open for writing only"
        }
        (Call::Write(_) | Call::Pwrite(..), Some(file)) if !file.writable() && file.readable() => {
            "the file is open for reading only"
        }
        (
            Call::Read
            | Call::Pread(_)
            | Call::Write(_)
            | Call::Pwrite(..)
            | Call::Flock(..)
            | Call::Ofd(..),
            Some(file),
        ) if !file.readable() && !file.writable() => {
            "the file is open neither for reading nor for writing"
        }
        (Call::Ofd(..), Some(file)) if !file.readable() && file.writable() => {
            "a shared lock takes a file that is open for reading"
        }
        (Call::Ofd(..), Some(file)) if file.readable() && !file.writable() => {
            "an exclusive lock takes a file that is open for writing"
        }
        (Call::Flock(..) | Call::Ofd(..) | Call::Close, _) => {
            "the file is a copy of one that has let go of the lock meanwhile"
        }
        _ => "the open file is one of another world",
    }
}
