//! The operations of a sequence, and how they are performed on any world.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toctou::fs::{
    Access, At, AtFlags, ByteRange, Dev, Dirent, Errno, FileType, FlockOperation, Kind, Mode,
    OFlags, OsFs, RenameFlags, ResolveFlags, SeekFrom, SimFs, Status, Time, Timespec, Timestamps,
    Tree, UTIME_NOW, UTIME_OMIT, User, Users,
};

/// How many files a sequence has open at most.
pub(crate) const SLOTS: usize = 3;

/// Who makes a call. Where the run cannot act as several, all are the one user it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Root,
    Alice,
    Bob,
    /// A user of Alice's group.
    Carol,
    /// A user of root's group.
    Dave,
    /// Root, in Alice's group.
    Staff,
    /// A user who is in Alice's group and in Bob's, besides its own.
    Erin,
}

/// Where a call looks: from the directory open in a slot (from the anchor, if nothing is open
/// there).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot(pub(crate) Option<usize>, pub(crate) &'static str);

/// To what a time is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Now,
    Omit,
    /// So many seconds, and [`MARK`] nanoseconds.
    Then(i64),
    /// More nanoseconds than there are.
    Never,
}

/// By its nanoseconds a time is known as one that a sequence has set: no clock shows them.
const MARK: u32 = 7;

impl When {
    fn time(self) -> Timespec {
        match self {
            When::Now => Timespec { tv_sec: 0, tv_nsec: UTIME_NOW },
            When::Omit => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            When::Then(seconds) => Timespec { tv_sec: seconds, tv_nsec: MARK.into() },
            When::Never => Timespec { tv_sec: 0, tv_nsec: 1_000_000_000 },
        }
    }
}

/// One call, by whom, with which umask.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub(crate) by: Who,
    pub(crate) umask: u32,
    pub(crate) call: Call,
}

/// What is called. An open file is named by the slot that the opening stored it in.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    Open(usize, Spot, OFlags, u32),
    OpenWithin(usize, Spot, OFlags, u32, ResolveFlags),
    Read(usize, usize),
    Write(usize, &'static [u8]),
    Pread(usize, usize, u64),
    Pwrite(usize, &'static [u8], u64),
    Lseek(usize, SeekFrom),
    Ftruncate(usize, u64),
    Fdatasync(usize),
    Fsync(usize),
    Stat(Spot, AtFlags),
    Fstat(usize),
    Access(Spot, Access, AtFlags),
    Chmod(Spot, u32),
    ChmodWith(Spot, u32, AtFlags),
    Fchmod(usize, u32),
    Chown(Spot, Option<Who>, Option<Who>, AtFlags),
    Fchown(usize, Option<Who>, Option<Who>),
    Utimensat(Spot, [When; 2], AtFlags),
    Futimens(usize, [When; 2]),
    Unlink(Spot),
    Rename(Spot, Spot),
    RenameWith(Spot, Spot, RenameFlags),
    Link(Spot, Spot),
    LinkWith(Spot, Spot, AtFlags),
    LinkFile(usize, Spot),
    Symlink(&'static str, Spot),
    Readlink(Spot),
    Mkdir(Spot, u32),
    Mknod(Spot, FileType, u32, Dev),
    Rmdir(Spot),
    Getdents(usize),
    Ofd(usize, FlockOperation, ByteRange),
    Flock(usize, FlockOperation),
    Close(usize),
}

/// The names of the kinds of [`Call`], by [`Call::kind`].
pub(crate) const KINDS: [&str; 35] = [
    "open",
    "open_within",
    "read",
    "write",
    "fsync",
    "stat",
    "fstat",
    "access",
    "chmod",
    "fchmod",
    "unlink",
    "rename",
    "rename_with",
    "link",
    "link_file",
    "symlink",
    "readlink",
    "mkdir",
    "rmdir",
    "flock",
    "close",
    "pread",
    "pwrite",
    "lseek",
    "ftruncate",
    "fdatasync",
    "chmod_with",
    "link_with",
    "chown",
    "fchown",
    "getdents",
    "utimensat",
    "futimens",
    "mknod",
    "fcntl",
];

impl Call {
    pub(crate) fn kind(&self) -> usize {
        match self {
            Call::Open(..) => 0,
            Call::OpenWithin(..) => 1,
            Call::Read(..) => 2,
            Call::Write(..) => 3,
            Call::Fsync(..) => 4,
            Call::Stat(..) => 5,
            Call::Fstat(..) => 6,
            Call::Access(..) => 7,
            Call::Chmod(..) => 8,
            Call::Fchmod(..) => 9,
            Call::Unlink(..) => 10,
            Call::Rename(..) => 11,
            Call::RenameWith(..) => 12,
            Call::Link(..) => 13,
            Call::LinkFile(..) => 14,
            Call::Symlink(..) => 15,
            Call::Readlink(..) => 16,
            Call::Mkdir(..) => 17,
            Call::Rmdir(..) => 18,
            Call::Flock(..) => 19,
            Call::Close(..) => 20,
            Call::Pread(..) => 21,
            Call::Pwrite(..) => 22,
            Call::Lseek(..) => 23,
            Call::Ftruncate(..) => 24,
            Call::Fdatasync(..) => 25,
            Call::ChmodWith(..) => 26,
            Call::LinkWith(..) => 27,
            Call::Chown(..) => 28,
            Call::Fchown(..) => 29,
            Call::Getdents(..) => 30,
            Call::Utimensat(..) => 31,
            Call::Futimens(..) => 32,
            Call::Mknod(..) => 33,
            Call::Ofd(..) => 34,
        }
    }
}

/// A path from the anchor.
impl From<&'static str> for Spot {
    fn from(path: &'static str) -> Self {
        Spot(None, path)
    }
}

/// What a call answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Did {
    Bytes(Vec<u8>),
    Count(usize),
    Offset(u64),
    /// The status without its numbers (worlds number as they like) and without a time that no
    /// sequence has set, and in which slots the same
    /// file is open.
    Status(Status, [bool; SLOTS]),
    Target(PathBuf),
    Names(Vec<(OsString, Option<Kind>)>),
    Done,
}

/// The answer of a call; `None` if it needs an open file and its slot is empty.
pub(crate) type Answer = Option<Result<Did, Errno>>;

/// Who [`Who`] is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cast {
    pub(crate) users: [User; 7],
    /// Whether the umask may be changed.
    pub(crate) umask: bool,
}

impl Cast {
    pub(crate) fn user(&self, who: Who, umask: u32) -> User {
        let umask = if self.umask { umask } else { 0o022 };
        let user = match who {
            Who::Root => self.users[0],
            Who::Alice => self.users[1],
            Who::Bob => self.users[2],
            Who::Carol => self.users[3],
            Who::Dave => self.users[4],
            Who::Staff => self.users[5],
            Who::Erin => self.users[6],
        };
        user.with_umask(Mode::from_raw_mode(umask))
    }
}

/// What the search compares.
pub(crate) trait World {
    fn perform(&mut self, op: &Op) -> Answer;

    /// All that is there when a sequence is over.
    fn tree(&mut self) -> Result<Tree, Errno>;
}

impl World for Run<SimFs> {
    fn perform(&mut self, op: &Op) -> Answer {
        Run::perform(self, op)
    }

    fn tree(&mut self) -> Result<Tree, Errno> {
        Ok(self.world.tree())
    }
}

impl World for Run<&OsFs> {
    fn perform(&mut self, op: &Op) -> Answer {
        Run::perform(self, op)
    }

    fn tree(&mut self) -> Result<Tree, Errno> {
        self.leave()?;
        self.world.tree()
    }
}

/// A world and the files that a sequence has open in it.
///
/// Whoever drops it has [left](Run::leave), as [`World::tree`] does: on the kernel, who makes the
/// calls is about the thread.
#[derive(Clone)]
pub(crate) struct Run<W: Users> {
    pub(crate) world: W,
    pub(crate) cast: Cast,
    /// Who makes the calls.
    user: User,
    slots: [Option<W::File>; SLOTS],
}

impl<W: Users> Run<W> {
    pub(crate) fn new(world: W, cast: Cast) -> Self {
        Run { world, cast, user: cast.user(Who::Root, 0o022), slots: std::array::from_fn(|_| None) }
    }

    /// Performs `op`, and remains whoever made it.
    pub(crate) fn perform(&mut self, op: &Op) -> Answer {
        if let Err(errno) = self.become_user(self.cast.user(op.by, op.umask)) {
            return Some(Err(errno));
        }
        self.call(&op.call)
    }

    /// Becomes who it was in the beginning.
    pub(crate) fn leave(&mut self) -> Result<(), Errno> {
        self.become_user(self.cast.user(Who::Root, 0o022))
    }

    fn become_user(&mut self, user: User) -> Result<(), Errno> {
        if user != self.user {
            self.world.act_as(user)?;
            self.user = user;
        }
        Ok(())
    }

    fn call(&mut self, call: &Call) -> Answer {
        let Run { world, slots, cast, .. } = self;
        let mode = Mode::from_raw_mode;
        let owner = |who: Option<Who>| who.map(|who| cast.user(who, 0).uid);
        let group = |who: Option<Who>| who.map(|who| cast.user(who, 0).gid);
        let done = match *call {
            Call::Open(slot, spot, flags, bits) => {
                let opened = world.open(at(slots, spot), flags, mode(bits));
                return Some(opened.map(|file| self.keep(slot, file)));
            }
            Call::OpenWithin(slot, spot, flags, bits, resolve) => {
                let opened = world.open_within(at(slots, spot), flags, mode(bits), resolve);
                return Some(opened.map(|file| self.keep(slot, file)));
            }
            Call::Read(slot, length) => {
                let mut buffer = vec![0; length];
                let count = world.read(slots[slot].as_mut()?, &mut buffer);
                return Some(count.map(|count| Did::Bytes(buffer[..count].to_vec())));
            }
            Call::Write(slot, bytes) => {
                return Some(world.write(slots[slot].as_mut()?, bytes).map(Did::Count));
            }
            Call::Pread(slot, length, offset) => {
                let mut buffer = vec![0; length];
                let count = world.pread(slots[slot].as_mut()?, &mut buffer, offset);
                return Some(count.map(|count| Did::Bytes(buffer[..count].to_vec())));
            }
            Call::Pwrite(slot, bytes, offset) => {
                return Some(world.pwrite(slots[slot].as_mut()?, bytes, offset).map(Did::Count));
            }
            Call::Lseek(slot, to) => {
                return Some(world.lseek(slots[slot].as_mut()?, to).map(Did::Offset));
            }
            Call::Stat(spot, flags) => {
                let status = world.stat(at(slots, spot), flags);
                return Some(status.map(|status| self.told(status)));
            }
            Call::Fstat(slot) => {
                let status = world.fstat(slots[slot].as_mut()?);
                return Some(status.map(|status| self.told(status)));
            }
            Call::Getdents(slot) => {
                let names = world.getdents(slots[slot].as_mut()?);
                let told = |names: Vec<Dirent>| {
                    names.into_iter().map(|Dirent { name, kind, .. }| (name, kind)).collect()
                };
                return Some(names.map(|names| Did::Names(told(names))));
            }
            Call::Readlink(spot) => {
                return Some(world.readlink(at(slots, spot)).map(Did::Target));
            }
            Call::LinkFile(slot, spot) => {
                // Out of its slot, so that the target may start at another.
                let mut file = slots[slot].take()?;
                let linked = world.link_file(&mut file, at(slots, spot));
                slots[slot] = Some(file);
                linked
            }
            Call::Ftruncate(slot, length) => world.ftruncate(slots[slot].as_mut()?, length),
            Call::Fdatasync(slot) => world.fdatasync(slots[slot].as_mut()?),
            Call::Fsync(slot) => world.fsync(slots[slot].as_mut()?),
            Call::Access(spot, access, flags) => world.access(at(slots, spot), access, flags),
            Call::Chmod(spot, bits) => world.chmod(at(slots, spot), mode(bits)),
            Call::ChmodWith(spot, bits, flags) => {
                world.chmod_with(at(slots, spot), mode(bits), flags)
            }
            Call::Fchmod(slot, bits) => world.fchmod(slots[slot].as_mut()?, mode(bits)),
            Call::Chown(spot, uid, gid, flags) => {
                world.chown(at(slots, spot), owner(uid), group(gid), flags)
            }
            Call::Fchown(slot, uid, gid) => {
                world.fchown(slots[slot].as_mut()?, owner(uid), group(gid))
            }
            Call::Utimensat(spot, when, flags) => {
                world.utimensat(at(slots, spot), &times(when), flags)
            }
            Call::Futimens(slot, when) => world.futimens(slots[slot].as_mut()?, &times(when)),
            Call::Unlink(spot) => world.unlink(at(slots, spot)),
            Call::Rename(from, to) => world.rename(at(slots, from), at(slots, to)),
            Call::RenameWith(from, to, flags) => {
                world.rename_with(at(slots, from), at(slots, to), flags)
            }
            Call::Link(from, to) => world.link(at(slots, from), at(slots, to)),
            Call::LinkWith(from, to, flags) => {
                world.link_with(at(slots, from), at(slots, to), flags)
            }
            Call::Symlink(target, spot) => world.symlink(Path::new(target), at(slots, spot)),
            Call::Mkdir(spot, bits) => world.mkdir(at(slots, spot), mode(bits)),
            Call::Mknod(spot, kind, bits, device) => {
                world.mknod(at(slots, spot), kind, mode(bits), device)
            }
            Call::Rmdir(spot) => world.rmdir(at(slots, spot)),
            Call::Ofd(slot, operation, bytes) => {
                world.fcntl_ofd_setlk(slots[slot].as_mut()?, operation, bytes)
            }
            Call::Flock(slot, operation) => world.flock(slots[slot].as_mut()?, operation),
            Call::Close(slot) => {
                world.close(slots[slot].take()?);
                Ok(())
            }
        };
        Some(done.map(|()| Did::Done))
    }

    fn keep(&mut self, slot: usize, file: W::File) -> Did {
        if let Some(previous) = self.slots[slot].replace(file) {
            self.world.close(previous);
        }
        Did::Done
    }

    fn told(&mut self, status: Status) -> Did {
        let Run { world, slots, .. } = self;
        let same = slots.each_mut().map(|slot| {
            let open = slot.as_mut().and_then(|file| world.fstat(file).ok());
            open.is_some_and(|open| open.is_same_file(&status))
        });
        // When it is now differs between worlds; whether it was modified does not.
        let modified = status.modified.filter(|time: &Time| time.nanoseconds == MARK);
        Did::Status(Status { device: 0, inode: 0, modified, ..status }, same)
    }
}

fn times([access, modification]: [When; 2]) -> Timestamps {
    Timestamps { last_access: access.time(), last_modification: modification.time() }
}

fn at<F>(slots: &[Option<F>; SLOTS], Spot(from, path): Spot) -> At<'_, F> {
    At::new(from.and_then(|slot| slots[slot].as_ref()), Path::new(path))
}
