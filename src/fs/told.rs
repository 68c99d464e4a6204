//! First floor, `fs`: how a call and its answer are told, by a recorder and by a simulated world
//! alike. Imports the vocabulary of its parent module and [marks](crate::marks).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use super::LinuxOpenFlags as _;
use super::status::{kind_of, word};
use super::tree::Quoted;
use super::{
    Access, At, AtFlags, ByteRange, Dirent, Errno, FileType, FlockOperation, Gid, Kind, Mode,
    OFlags, RenameFlags, ResolveFlags, SeekFrom, Status, Timespec, Timestamps, UTIME_NOW,
    UTIME_OMIT, Uid, errno_name,
};
use crate::marks::Mark;

/// A call of a [`FileSystem`](super::FileSystem), told as `rename(content → content.download)`. The
/// open file that a call is about is not told.
pub(crate) enum Call<'c, D> {
    Open(At<'c, D>, OFlags),
    OpenWithin(At<'c, D>, OFlags, Mode, ResolveFlags),
    Read,
    Write(&'c [u8]),
    Pread(u64),
    Pwrite(&'c [u8], u64),
    Lseek(SeekFrom),
    Ftruncate(u64),
    Fsync,
    Fdatasync,
    Stat(At<'c, D>, AtFlags),
    Fstat,
    Access(At<'c, D>, Access, AtFlags),
    Chmod(At<'c, D>, Mode, AtFlags),
    Fchmod(Mode),
    Chown(At<'c, D>, (Option<Uid>, Option<Gid>), AtFlags),
    Fchown((Option<Uid>, Option<Gid>)),
    Utimensat(At<'c, D>, &'c Timestamps, AtFlags),
    Futimens(&'c Timestamps),
    Unlink(At<'c, D>),
    Rename(At<'c, D>, At<'c, D>, RenameFlags),
    Link(At<'c, D>, At<'c, D>, AtFlags),
    LinkFile(At<'c, D>),
    Symlink(&'c Path, At<'c, D>),
    Readlink(At<'c, D>),
    Mkdir(At<'c, D>),
    Mknod(At<'c, D>, FileType),
    Rmdir(At<'c, D>),
    Getdents,
    /// Of which file, if the world says so.
    Flock(FlockOperation, Option<Status>),
    Ofd(FlockOperation, ByteRange, Option<Status>),
    Close,
}

/// Calls that are alike are hashed alike; of which file a lock is, is not looked at.
impl<D: Hash> Hash for Call<'_, D> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        let owners = |(owner, group): (Option<Uid>, Option<Gid>)| {
            (owner.map(Uid::as_raw), group.map(Gid::as_raw))
        };
        let times = |times: &Timestamps| {
            [times.last_access, times.last_modification].map(|time| (time.tv_sec, time.tv_nsec))
        };
        match *self {
            Call::Open(at, flags) => (At::hashed(at), flags.bits()).hash(state),
            Call::OpenWithin(at, flags, mode, resolve) => {
                (At::hashed(at), flags.bits(), mode.bits(), resolve.bits()).hash(state);
            }
            Call::Read
            | Call::Fsync
            | Call::Fdatasync
            | Call::Fstat
            | Call::Getdents
            | Call::Close => {}
            Call::Write(bytes) => bytes.hash(state),
            Call::Pread(offset) | Call::Ftruncate(offset) => offset.hash(state),
            Call::Pwrite(bytes, offset) => (bytes, offset).hash(state),
            Call::Lseek(to) => Sought(to).to_string().hash(state),
            Call::Stat(at, flags) => (At::hashed(at), flags.bits()).hash(state),
            Call::Access(at, access, flags) => {
                (At::hashed(at), access.bits(), flags.bits()).hash(state);
            }
            Call::Chmod(at, mode, flags) => {
                (At::hashed(at), mode.bits(), flags.bits()).hash(state);
            }
            Call::Fchmod(mode) => mode.bits().hash(state),
            Call::Chown(at, to, flags) => (At::hashed(at), owners(to), flags.bits()).hash(state),
            Call::Fchown(to) => owners(to).hash(state),
            Call::Utimensat(at, to, flags) => (At::hashed(at), times(to), flags.bits()).hash(state),
            Call::Futimens(to) => times(to).hash(state),
            Call::Rename(from, to, flags) => {
                (At::hashed(from), At::hashed(to), flags.bits()).hash(state);
            }
            Call::Link(from, to, flags) => {
                (At::hashed(from), At::hashed(to), flags.bits()).hash(state);
            }
            Call::Symlink(target, at) => (target, At::hashed(at)).hash(state),
            Call::Mknod(at, kind) => (At::hashed(at), kind.as_raw_mode()).hash(state),
            Call::Unlink(at)
            | Call::LinkFile(at)
            | Call::Readlink(at)
            | Call::Mkdir(at)
            | Call::Rmdir(at) => At::hashed(at).hash(state),
            Call::Flock(operation, _) => (operation as u32).hash(state),
            Call::Ofd(operation, bytes, _) => (operation as u32, bytes).hash(state),
        }
    }
}

/// What a call answered: `ok`, `"s3cret"`, `ENOENT`.
pub(super) enum Answer<'a> {
    Done,
    /// This is open now, if the world says so.
    Opened(Option<Status>),
    Bytes(&'a [u8]),
    Count(usize),
    Offset(u64),
    Status(&'a Status),
    Target(&'a Path),
    Names(&'a [Dirent]),
    Failed(Errno),
    /// It would have to wait for a lock.
    Waits,
}

impl<'a> Answer<'a> {
    /// What there is to tell of a success is that it is one.
    pub(super) fn done<T>(result: &Result<T, Errno>) -> Self {
        result.as_ref().map_or_else(|errno| Answer::Failed(*errno), |_| Answer::Done)
    }

    /// The same, of a call that may wait for a lock.
    pub(super) fn locked(result: &Result<(), Errno>) -> Self {
        if *result == Err(Errno::WOULDBLOCK) { Answer::Waits } else { Answer::done(result) }
    }

    /// A success is told so.
    pub(super) fn with<T>(result: &'a Result<T, Errno>, told: impl FnOnce(&'a T) -> Self) -> Self {
        match result {
            Ok(answer) => told(answer),
            Err(errno) => Answer::Failed(*errno),
        }
    }
}

/// A call and its answer, as one line: `rename(content → content.download) = ok`. It has
/// [marks](Mark) where it speaks of a file.
pub(super) struct Line<'l, D>(pub(super) &'l Call<'l, D>, pub(super) &'l Answer<'l>);

impl<D> fmt::Display for Line<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line(call, answer) = self;
        match call {
            Call::Flock(operation, Some(file)) => {
                let mark = Mark { tail: ", ", ..mark(file, None::<Told<'_, D>>, "") };
                write!(f, "flock({mark}{}) = ", locking(*operation))?;
            }
            Call::Ofd(operation, bytes, Some(file)) => {
                let mark = Mark { tail: ", ", ..mark(file, None::<Told<'_, D>>, "") };
                write!(f, "fcntl({mark}{}, {bytes}) = ", locking(*operation))?;
            }
            _ => write!(f, "{call} = ")?,
        }
        let name = match **call {
            Call::Open(at, _) | Call::OpenWithin(at, ..) | Call::Stat(at, _) => Some(Told(at)),
            _ => None,
        };
        match answer {
            Answer::Opened(Some(file)) => mark(file, name, "ok").fmt(f),
            Answer::Status(status) => {
                let mark = Mark { tail: ",", ..mark(status, name, word(status.kind)) };
                write!(f, "{mark} {:04o}", status.mode.as_raw_mode())?;
                match status.links {
                    1 => Ok(()),
                    links => write!(f, ", {links} links"),
                }
            }
            _ => answer.fmt(f),
        }
    }
}

/// Says which file it is, or `plain`.
fn mark<N>(file: &Status, name: Option<N>, plain: &'static str) -> Mark<N> {
    let thing = (file.device, file.inode);
    Mark { thing, name, plain, word: word(file.kind), tail: "" }
}

impl<D> fmt::Display for Call<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Call::Open(at, flags) => write!(f, "open({}{})", Told(at), Flags(flags)),
            Call::OpenWithin(at, flags, _, resolve) => {
                write!(f, "open({}{}{})", Told(at), Flags(flags), Limits(resolve))
            }
            Call::Read => f.write_str("read"),
            Call::Write(bytes) => write!(f, "write({})", Quoted(bytes)),
            Call::Pread(offset) => write!(f, "pread(at {offset})"),
            Call::Pwrite(bytes, offset) => write!(f, "pwrite({}, at {offset})", Quoted(bytes)),
            Call::Lseek(to) => write!(f, "lseek({})", Sought(to)),
            Call::Ftruncate(length) => write!(f, "ftruncate({length})"),
            Call::Fsync => f.write_str("fsync"),
            Call::Fdatasync => f.write_str("fdatasync"),
            Call::Stat(at, AtFlags::SYMLINK_NOFOLLOW) => write!(f, "lstat({})", Told(at)),
            Call::Stat(at, _) => write!(f, "stat({})", Told(at)),
            Call::Fstat => f.write_str("fstat"),
            Call::Access(at, access, _) => write!(f, "access({}{})", Told(at), Wanted(access)),
            Call::Chmod(at, mode, flags) => {
                write!(f, "chmod({}, {:04o}{})", Told(at), mode.as_raw_mode(), Following(flags))
            }
            Call::Fchmod(mode) => write!(f, "fchmod({:04o})", mode.as_raw_mode()),
            Call::Chown(at, owners, flags) => {
                write!(f, "chown({}, {}{})", Told(at), Owners(owners), Following(flags))
            }
            Call::Fchown(owners) => write!(f, "fchown({})", Owners(owners)),
            Call::Utimensat(at, times, flags) => {
                write!(f, "utimensat({}, {}{})", Told(at), Set(times), Following(flags))
            }
            Call::Futimens(times) => write!(f, "futimens({})", Set(times)),
            Call::Unlink(at) => write!(f, "unlink({})", Told(at)),
            Call::Rename(from, to, flags) => {
                let (arrow, how) = match flags {
                    RenameFlags::NOREPLACE => ("→", ", no replace"),
                    RenameFlags::EXCHANGE => ("↔", ""),
                    none if none.is_empty() => ("→", ""),
                    _ => ("→", ", other flags"),
                };
                write!(f, "rename({} {arrow} {}{how})", Told(from), Told(to))
            }
            Call::Link(from, to, flags) => {
                write!(f, "link({} → {}{})", Told(from), Told(to), Following(flags))
            }
            Call::LinkFile(to) => write!(f, "link(the open file → {})", Told(to)),
            Call::Symlink(target, at) => write!(f, "symlink({} → {})", Told(at), Spelled(target)),
            Call::Readlink(at) => write!(f, "readlink({})", Told(at)),
            Call::Mkdir(at) => write!(f, "mkdir({})", Told(at)),
            Call::Mknod(at, kind) => {
                let kind = kind_of(kind).map_or("nothing", word);
                write!(f, "mknod({}, {kind})", Told(at))
            }
            Call::Rmdir(at) => write!(f, "rmdir({})", Told(at)),
            Call::Getdents => f.write_str("getdents"),
            Call::Ofd(operation, bytes, _) => {
                write!(f, "fcntl({}, {bytes})", locking(operation))
            }
            Call::Flock(operation, _) => write!(f, "flock({})", locking(operation)),
            Call::Close => f.write_str("close"),
        }
    }
}

impl fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Answer::Done | Answer::Opened(_) => f.write_str("ok"),
            Answer::Bytes(bytes) => Quoted(bytes).fmt(f),
            Answer::Count(count) => count.fmt(f),
            Answer::Offset(offset) => offset.fmt(f),
            Answer::Status(status) => {
                write!(f, "{} {:04o}", word(status.kind), status.mode.as_raw_mode())
            }
            Answer::Target(target) => Spelled(target).fmt(f),
            Answer::Names([]) => f.write_str("the end"),
            Answer::Names(names) => {
                for (index, Dirent { name, kind, .. }) in names.iter().enumerate() {
                    let separator = if index == 0 { "" } else { " " };
                    let slash = if *kind == Some(Kind::Directory) { "/" } else { "" };
                    write!(f, "{separator}{}{slash}", Spelled(Path::new(name)))?;
                }
                Ok(())
            }
            Answer::Failed(errno) => f.write_str(&errno_name(errno)),
            Answer::Waits => f.write_str("would wait"),
        }
    }
}

fn locking(operation: FlockOperation) -> &'static str {
    match operation {
        FlockOperation::LockShared => "shared",
        FlockOperation::LockExclusive => "exclusive",
        FlockOperation::NonBlockingLockShared => "shared, no wait",
        FlockOperation::NonBlockingLockExclusive => "exclusive, no wait",
        FlockOperation::Unlock | FlockOperation::NonBlockingUnlock => "unlock",
    }
}

/// Where an `lseek` goes: `4`, `+4` from where it is, `end -4`.
struct Sought(SeekFrom);

impl fmt::Display for Sought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SeekFrom::Start(offset) => offset.fmt(f),
            SeekFrom::Current(by) => write!(f, "{by:+}"),
            SeekFrom::End(0) => f.write_str("end"),
            SeekFrom::End(by) => write!(f, "end {by:+}"),
            #[allow(unreachable_patterns)] // which others there are differs between systems
            _ => f.write_str("data or a hole"),
        }
    }
}

/// Where a call looks: the path, with `./` before it where it starts at an open directory.
struct Told<'p, D>(At<'p, D>);

impl<D> fmt::Display for Told<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = if self.0.directory.is_some() { "./" } else { "" };
        write!(f, "{from}{}", Spelled(self.0.path))
    }
}

/// A path as a person reads it: on one line, whatever is in it.
struct Spelled<'p>(&'p Path);

impl fmt::Display for Spelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.to_string_lossy().chars() {
            if character.is_control() {
                character.escape_debug().fmt(f)?;
            } else {
                character.fmt(f)?;
            }
        }
        Ok(())
    }
}

/// What the flags of a call say of a final link: `, no follow`.
struct Following(AtFlags);

impl fmt::Display for Following {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            AtFlags::SYMLINK_NOFOLLOW => ", no follow",
            AtFlags::SYMLINK_FOLLOW => ", follow",
            none if none.is_empty() => "",
            _ => ", other flags",
        })
    }
}

/// Whose something is to be, as `chown(1)` takes it: `7:8`, `7`, `:8`.
struct Owners((Option<Uid>, Option<Gid>));

impl fmt::Display for Owners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (uid, gid) = self.0;
        if let Some(uid) = uid {
            uid.as_raw().fmt(f)?;
        }
        match gid {
            Some(gid) => write!(f, ":{}", gid.as_raw()),
            None if uid.is_none() => f.write_str("nobody else"),
            None => Ok(()),
        }
    }
}

/// Which times are set, of access and of modification: `omit, 5.000000000`.
struct Set<'t>(&'t Timestamps);

impl fmt::Display for Set<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Timestamps { last_access, last_modification } = self.0;
        for (time, separator) in [(last_access, ", "), (last_modification, "")] {
            match time {
                Timespec { tv_nsec, .. } if *tv_nsec == UTIME_NOW => f.write_str("now")?,
                Timespec { tv_nsec, .. } if *tv_nsec == UTIME_OMIT => f.write_str("omit")?,
                Timespec { tv_sec, tv_nsec } => write!(f, "{tv_sec}.{tv_nsec:09}")?,
            }
            f.write_str(separator)?;
        }
        Ok(())
    }
}

/// What an `access` asks beyond existence: `, read write`.
struct Wanted(Access);

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named =
            [(Access::READ_OK, "read"), (Access::WRITE_OK, "write"), (Access::EXEC_OK, "execute")];
        listed(f, named.into_iter().filter(|(bit, _)| self.0.contains(*bit)).map(|(_, name)| name))
    }
}

/// The limits of an `openat2`: `, beneath`.
struct Limits(ResolveFlags);

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            (ResolveFlags::BENEATH, "beneath"),
            (ResolveFlags::IN_ROOT, "in root"),
            (ResolveFlags::NO_SYMLINKS, "no links"),
        ];
        for (flag, name) in named {
            if self.0.contains(flag) {
                write!(f, ", {name}")?;
            }
        }
        Ok(())
    }
}

/// `, one two`, or nothing.
fn listed(f: &mut fmt::Formatter<'_>, names: impl Iterator<Item = &'static str>) -> fmt::Result {
    let mut separator = ", ";
    for name in names {
        write!(f, "{separator}{name}")?;
        separator = " ";
    }
    Ok(())
}

/// The flags of an `open` that decide what it does to the file system: `, create exclusive`.
struct Flags(OFlags);

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            (OFlags::CREATE, "create"),
            (OFlags::EXCL, "exclusive"),
            (OFlags::TRUNC, "truncate"),
            (OFlags::APPEND, "append"),
            (OFlags::NOFOLLOW, "no follow"),
            (OFlags::TMPFILE, "unnamed"),
            (OFlags::DIRECTORY, "directory"),
        ];
        // O_TMPFILE has O_DIRECTORY in it.
        let shown = named.into_iter().filter(|(flag, _)| {
            self.0.contains(*flag)
                && (*flag != OFlags::DIRECTORY || !self.0.contains(OFlags::TMPFILE))
        });
        listed(f, shown.map(|(_, name)| name))
    }
}
