//! Third floor, `writer`: the machine that carries out a list of operations. Imports
//! [`process`](crate::process), [`fs`](crate::fs) and its neighbours in `writer`.

use std::ffi::OsStr;
use std::path::{Component, Path};
use std::sync::Arc;

use super::program::{Left, Op, Outcome, Plan, WriteEnd};
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use crate::fs::LinuxOpenFlags as _;
use crate::fs::{
    Access, At, AtFlags, Errno, FileSystem, Kind, Mode, OFlags, RenameFlags, ResolveFlags, Status,
};
use crate::{Process, Step};

/// A [`Plan`] being carried out; each step is one system call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Writing<File> {
    plan: Arc<Plan>,
    at: Stage,
    directory: Option<File>,
    /// The private directory, once it is open.
    private: Option<File>,
    file: Option<File>,
    written: usize,
    /// Something was seen at P.
    seen: bool,
    /// The file has the temporary name.
    named: bool,
    /// The file was made at P itself.
    made: bool,
    /// A private directory was made.
    furnished: bool,
    /// Device and inode.
    identity: Option<(u64, u64)>,
    /// P's directory could not be made durable, for this reason.
    volatile: Option<Errno>,
}

/// Where in its program a writer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// About to perform this operation.
    At(usize),
    /// Opening the component of this index, in the operation at this position.
    Walking(usize, usize),
    /// In an exchange at this position.
    Exchanging(usize, Exchanging),
    /// `Link` found P taken: what by?
    Explaining,
    /// Opening the private directory that the operation at this position made.
    Entering(usize),
    /// Looking whether it is what was made.
    Inspecting(usize),
    /// Removing the temporary name, to end so.
    Ending(Outcome),
    /// Removing the private directory, to end so; whether the temporary name is still there.
    Leaving(Outcome, bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Exchanging {
    New,
    Swap,
    Inspect,
    Remove,
    // What was displaced and is to be put back decides how it ends.
    Back(Outcome),
    Reinspect(Outcome),
    Return(Outcome),
}

impl<File> Writing<File> {
    /// A writer, before its first step.
    pub fn new(plan: Plan) -> Self {
        let mut writing = Writing {
            plan: Arc::new(plan),
            at: Stage::At(0),
            directory: None,
            private: None,
            file: None,
            written: 0,
            seen: false,
            named: false,
            made: false,
            furnished: false,
            identity: None,
            volatile: None,
        };
        writing.skip();
        writing
    }

    /// What is being carried out.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    #[inline(always)]
    fn place(&self) -> Place<'_, File> {
        Place { private: self.private.as_ref(), ..self.plan.place(self.directory.as_ref()) }
    }

    /// What is left behind by ending here.
    fn left(&self) -> Left {
        match () {
            () if self.named || self.furnished => Left::Temporary,
            () if self.made => Left::Part,
            () => Left::Nothing,
        }
    }

    /// Goes past operations that have nothing to do.
    #[inline(always)]
    fn skip(&mut self) {
        while let Stage::At(position) = self.at {
            let idle = match self.plan.program.get(position) {
                Some(Op::Unlink) => !self.seen,
                Some(Op::Write) => self.plan.bytes.is_empty(),
                _ => false,
            };
            if !idle {
                return;
            }
            self.at = Stage::At(position + 1);
        }
    }

    #[inline(always)]
    fn goes_on(mut self, at: Stage) -> Step<Self, WriteEnd<File>> {
        self.at = at;
        self.skip();
        match self.at {
            Stage::At(position) if position >= self.plan.program.len() => {
                let is_left = self.named || self.furnished;
                let left = if is_left { Left::Temporary } else { Left::Nothing };
                let outcome = match self.volatile {
                    None => Outcome::Written,
                    Some(errno) => Outcome::NotDurable { errno },
                };
                self.done(outcome, left)
            }
            _ => Step::Next(self),
        }
    }

    fn done(self, outcome: Outcome, left: Left) -> Step<Self, WriteEnd<File>> {
        Step::Done(WriteEnd { outcome, left, directory: self.directory, file: self.file })
    }

    /// Ends, and leaves what the temporary name stands for.
    fn stuck(self, outcome: Outcome) -> Step<Self, WriteEnd<File>> {
        self.done(outcome, Left::Displaced)
    }

    fn ends(self, outcome: Outcome) -> Step<Self, WriteEnd<File>> {
        if self.named {
            return self.goes_on(Stage::Ending(outcome));
        }
        if self.furnished {
            return self.goes_on(Stage::Leaving(outcome, false));
        }
        let left = self.left();
        self.done(outcome, left)
    }

    fn fails(self, call: &'static str, errno: Errno) -> Step<Self, WriteEnd<File>> {
        self.ends(Outcome::Failed { call, errno })
    }
}

/// P, or its temporary name, by the path it was given as or from its directory once that is open.
#[derive(Debug)]
pub struct Place<'w, File> {
    directory: Option<&'w File>,
    private: Option<&'w File>,
    plan: &'w Plan,
}

impl<'w, File> Place<'w, File> {
    pub(super) fn new(plan: &'w Plan, directory: Option<&'w File>) -> Self {
        Place { directory, private: None, plan }
    }
}

impl<File: 'static> Place<'_, File> {
    /// Does something with P.
    #[inline(always)]
    pub fn with<T>(&self, call: impl FnOnce(At<'_, File>) -> T) -> T {
        self.named(&self.plan.name, call)
    }

    #[inline(always)]
    fn with_temporary<T>(&self, call: impl FnOnce(At<'_, File>) -> T) -> T {
        match self.private {
            Some(private) => call(At::new(Some(private), &self.plan.temporary)),
            None => self.named(&self.plan.temporary, call),
        }
    }

    #[inline(always)]
    fn with_private<T>(&self, call: impl FnOnce(At<'_, File>) -> T) -> T {
        self.named(&self.plan.temporary, call)
    }

    #[inline(always)]
    fn named<T>(&self, name: &Path, call: impl FnOnce(At<'_, File>) -> T) -> T {
        match self.directory {
            Some(directory) => call(At::new(Some(directory), name)),
            None => call(At::new(None, &self.plan.directory.join(name))),
        }
    }

    #[inline(always)]
    fn with_both<T>(&self, call: impl FnOnce(At<'_, File>, At<'_, File>) -> T) -> T {
        self.with_temporary(|temporary| self.with(|path| call(temporary, path)))
    }

    /// Does something with the directory itself.
    #[inline(always)]
    fn with_directory<T>(&self, call: impl FnOnce(At<'_, File>) -> T) -> T {
        match self.directory {
            Some(directory) => call(At::new(Some(directory), Path::new("."))),
            None => call(At::new(None, or_dot(&self.plan.directory))),
        }
    }
}

fn or_dot(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// The names on the way to a directory; `.` if there is none.
fn components(directory: &Path) -> Vec<&OsStr> {
    let names: Vec<&OsStr> = directory
        .components()
        .filter(|component| !matches!(component, Component::CurDir | Component::RootDir))
        .map(Component::as_os_str)
        .collect();
    if names.is_empty() { vec![OsStr::new(".")] } else { names }
}

// Inlined, with all that a call passes through, for the same reason as the calls of `OsFs`.
impl<F: FileSystem> Process<F> for Writing<F::File> {
    type Output = WriteEnd<F::File>;

    #[inline(always)]
    fn step(self, fs: &mut F) -> Step<Self, WriteEnd<F::File>> {
        match self.at {
            Stage::At(position) => match self.plan.program.get(position) {
                Some(op) => {
                    let op = *op;
                    self.perform(op, position, fs)
                }
                // An empty program.
                None => self.ends(Outcome::Written),
            },
            Stage::Walking(position, index) => self.walk(position, index, fs),
            Stage::Exchanging(position, stage) => self.exchange(position, stage, fs),
            Stage::Explaining => {
                let status = self.place().with(|at| fs.stat(at, AtFlags::SYMLINK_NOFOLLOW));
                self.ends(match status {
                    Ok(status) => irreplaceable(&status).unwrap_or(Outcome::Exists),
                    // Gone again, perhaps: it was there.
                    Err(_) => Outcome::Exists,
                })
            }
            Stage::Entering(position) => {
                let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
                match self.place().with_private(|at| fs.open(at, flags, Mode::empty())) {
                    Ok(private) => {
                        let op = self.plan.program.get(position);
                        let next = match op {
                            Some(Op::PrivateDirectory { inspects: false }) => {
                                Stage::At(position + 1)
                            }
                            _ => Stage::Inspecting(position),
                        };
                        Writing { private: Some(private), ..self }.goes_on(next)
                    }
                    // What was just made is gone, or something else by now.
                    Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
                        self.ends(Outcome::Interfered)
                    }
                    Err(errno) => self.fails("open", errno),
                }
            }
            Stage::Inspecting(position) => self.inspect(position, fs),
            Stage::Ending(outcome) => {
                let removed = self.place().with_temporary(|at| fs.unlink(at));
                let is_left = !matches!(removed, Ok(()) | Err(Errno::NOENT));
                if self.furnished {
                    return self.goes_on(Stage::Leaving(outcome, is_left));
                }
                self.done(outcome, if is_left { Left::Temporary } else { Left::Nothing })
            }
            Stage::Leaving(outcome, is_left) => {
                let removed = self.place().with_private(|at| fs.rmdir(at));
                let is_left = is_left || !matches!(removed, Ok(()) | Err(Errno::NOENT));
                self.done(outcome, if is_left { Left::Temporary } else { Left::Nothing })
            }
        }
    }
}

impl<File: 'static> Writing<File> {
    #[inline(always)]
    fn perform<F: FileSystem<File = File>>(
        mut self,
        op: Op,
        position: usize,
        fs: &mut F,
    ) -> Step<Self, WriteEnd<File>> {
        let next = Stage::At(position + 1);
        match op {
            Op::Anchor(flags, resolve) => {
                let path = or_dot(&self.plan.directory);
                match fs.open_within(path, flags, Mode::empty(), resolve) {
                    Ok(directory) => self.anchored(directory, next),
                    // A walk through links would leave the directory that it is to stay beneath.
                    Err(Errno::NOSYS) if can_walk(resolve) => {
                        self.goes_on(Stage::Walking(position, 0))
                    }
                    Err(errno) => self.fails("openat2", errno),
                }
            }
            Op::Access => {
                let found = self.place().with(|at| fs.access(at, Access::EXISTS, AtFlags::empty()));
                // Published code takes any error for "not there".
                self.seen = found.is_ok();
                if self.seen && !self.plan.replace {
                    return self.ends(Outcome::Exists);
                }
                self.goes_on(next)
            }
            Op::LookForLink | Op::Look => {
                let status = self.place().with(|at| fs.stat(at, AtFlags::SYMLINK_NOFOLLOW));
                match status {
                    Ok(Status { kind: Kind::Symlink, .. }) => self.ends(Outcome::IsSymlink),
                    Ok(_) if op == Op::LookForLink => self.goes_on(next),
                    Ok(status) => match irreplaceable(&status) {
                        Some(outcome) => self.ends(outcome),
                        None if !self.plan.replace => self.ends(Outcome::Exists),
                        None => {
                            self.seen = true;
                            self.goes_on(next)
                        }
                    },
                    Err(Errno::NOENT) => self.goes_on(next),
                    Err(errno) => self.fails("lstat", errno),
                }
            }
            Op::Unlink => match self.place().with(|at| fs.unlink(at)) {
                Ok(()) | Err(Errno::NOENT) => self.goes_on(next),
                Err(errno) => self.fails("unlink", errno),
            },
            Op::Create(flags) => {
                let opened = self.place().with(|at| fs.open(at, flags, self.plan.mode));
                match opened {
                    Ok(file) => {
                        (self.file, self.made) = (Some(file), true);
                        self.goes_on(next)
                    }
                    Err(Errno::EXIST) => self.ends(Outcome::Exists),
                    Err(Errno::LOOP) => self.ends(Outcome::IsSymlink),
                    Err(Errno::ISDIR) => self.ends(Outcome::IsDirectory),
                    Err(errno) => self.fails("open", errno),
                }
            }
            Op::PrivateDirectory { .. } => {
                match self.place().with_private(|at| fs.mkdir(at, Mode::RWXU)) {
                    Ok(()) => {
                        self.furnished = true;
                        self.goes_on(Stage::Entering(position))
                    }
                    Err(errno) => self.fails("mkdir", errno),
                }
            }
            Op::RemovePrivate => {
                // What cannot be removed is told of in the end.
                let removed = self.place().with_private(|at| fs.rmdir(at));
                self.furnished = !matches!(removed, Ok(()) | Err(Errno::NOENT));
                self.goes_on(next)
            }
            Op::CreateTemporary(flags) => {
                let opened = self.place().with_temporary(|at| fs.open(at, flags, OWNER_ONLY));
                match opened {
                    Ok(file) => {
                        (self.file, self.named) = (Some(file), true);
                        self.goes_on(next)
                    }
                    // Empty, the private directory could be removed by others.
                    Err(Errno::NOENT) if self.private.is_some() => self.ends(Outcome::Interfered),
                    Err(errno) => self.fails("open", errno),
                }
            }
            Op::CreateUnnamed => {
                let unnamed = OFlags::TMPFILE | OFlags::WRONLY;
                let opened = self.place().with_directory(|at| fs.open(at, unnamed, OWNER_ONLY));
                match opened {
                    Ok(file) => {
                        self.file = Some(file);
                        self.goes_on(next)
                    }
                    // How systems say it that know nothing of such files.
                    Err(Errno::ISDIR | Errno::INVAL) => self.fails("open", Errno::OPNOTSUPP),
                    Err(errno) => self.fails("open", errno),
                }
            }
            Op::SetMode => {
                let mode = self.plan.mode;
                let Some(file) = &mut self.file else { return self.fails("fchmod", Errno::BADF) };
                match fs.fchmod(file, mode) {
                    Ok(()) => self.goes_on(next),
                    Err(errno) => self.fails("fchmod", errno),
                }
            }
            Op::SetModeOfPath => match self.place().with(|at| fs.chmod(at, self.plan.mode)) {
                Ok(()) => self.goes_on(next),
                Err(errno) => self.fails("chmod", errno),
            },
            Op::Identify => {
                let Some(file) = &mut self.file else { return self.fails("fstat", Errno::BADF) };
                match fs.fstat(file) {
                    Ok(status) => {
                        self.identity = Some((status.device, status.inode));
                        self.goes_on(next)
                    }
                    Err(errno) => self.fails("fstat", errno),
                }
            }
            Op::Write => {
                let plan = self.plan.clone();
                let Some(file) = &mut self.file else { return self.fails("write", Errno::BADF) };
                match fs.write(file, &plan.bytes[self.written..]) {
                    // No error, and no progress: not to be tried for ever.
                    Ok(0) => self.fails("write", Errno::IO),
                    Ok(count) => {
                        self.written = (self.written + count).min(plan.bytes.len());
                        let done = self.written == plan.bytes.len();
                        self.goes_on(if done { next } else { Stage::At(position) })
                    }
                    Err(errno) => self.fails("write", errno),
                }
            }
            Op::Sync => {
                let Some(file) = &mut self.file else { return self.fails("fsync", Errno::BADF) };
                match fs.fsync(file) {
                    Ok(()) => self.goes_on(next),
                    Err(errno) => self.fails("fsync", errno),
                }
            }
            Op::Rename => {
                match self.place().with_both(|temporary, path| fs.rename(temporary, path)) {
                    Ok(()) => {
                        self.named = false;
                        self.goes_on(next)
                    }
                    Err(Errno::ISDIR) => self.ends(Outcome::IsDirectory),
                    Err(errno) => self.fails("rename", errno),
                }
            }
            Op::RenameNew => {
                let flags = RenameFlags::NOREPLACE;
                let renamed = self
                    .place()
                    .with_both(|temporary, path| fs.rename_with(temporary, path, flags));
                match renamed {
                    Ok(()) => {
                        self.named = false;
                        self.goes_on(next)
                    }
                    Err(Errno::EXIST) => self.ends(Outcome::Exists),
                    Err(errno) => self.fails("renameat2", errno),
                }
            }
            Op::Link => {
                let Some(mut file) = self.file.take() else {
                    return self.fails("linkat", Errno::BADF);
                };
                let linked = self.place().with(|at| fs.link_file(&mut file, at));
                self.file = Some(file);
                match linked {
                    Ok(()) => self.goes_on(next),
                    Err(Errno::EXIST) => self.goes_on(Stage::Explaining),
                    Err(errno) => self.fails("linkat", errno),
                }
            }
            Op::Exchange(_) => self.exchange(position, Exchanging::New, fs),
            Op::Verify => {
                let status = self.place().with(|at| fs.stat(at, AtFlags::SYMLINK_NOFOLLOW));
                match status {
                    Ok(status) if Some((status.device, status.inode)) == self.identity => {
                        self.goes_on(next)
                    }
                    Ok(_) | Err(Errno::NOENT) => self.ends(Outcome::NotPrivate),
                    Err(errno) => self.ends(Outcome::Unverified { errno }),
                }
            }
            Op::SyncDirectory => {
                let Some(directory) = &mut self.directory else {
                    return self.fails("fsync", Errno::BADF);
                };
                // The file is in place by now: that it may not stay is told of in the end.
                self.volatile = fs.fsync(directory).err();
                self.goes_on(next)
            }
        }
    }

    /// Whether the private directory is what was made: in a directory that all can write to,
    /// somebody may have put another in its place.
    #[inline(always)]
    fn inspect<F: FileSystem<File = File>>(
        mut self,
        position: usize,
        fs: &mut F,
    ) -> Step<Self, WriteEnd<File>> {
        let Some(private) = &mut self.private else { return self.fails("fstat", Errno::BADF) };
        match fs.fstat(private) {
            Ok(status) if status.uid == self.plan.owner && !is_open_to_others(status.mode) => {
                self.goes_on(Stage::At(position + 1))
            }
            Ok(_) => self.ends(Outcome::Interfered),
            Err(errno) => self.fails("fstat", errno),
        }
    }

    fn anchored(mut self, directory: File, next: Stage) -> Step<Self, WriteEnd<File>> {
        self.directory = Some(directory);
        self.goes_on(next)
    }

    /// Opens one component of the directory's path, from the one before.
    fn walk<F: FileSystem<File = File>>(
        self,
        position: usize,
        index: usize,
        fs: &mut F,
    ) -> Step<Self, WriteEnd<File>> {
        let Some(Op::Anchor(flags, resolve)) = self.plan.program.get(position).copied() else {
            return self.fails("open", Errno::INVAL);
        };
        let follow = !resolve.contains(ResolveFlags::NO_SYMLINKS);
        let plan = self.plan.clone();
        let names = components(&plan.directory);
        let opened = match names.get(index) {
            // Links may be on the way, so the kernel may as well walk it.
            Some(_) if follow => fs.open(or_dot(&plan.directory), flags, Mode::empty()),
            Some(name) => {
                let at = At::new(self.directory.as_ref(), Path::new(name));
                fs.open(at, flags | OFlags::NOFOLLOW, Mode::empty())
            }
            None => Err(Errno::INVAL),
        };
        match opened {
            Ok(directory) if !follow && index + 1 < names.len() => {
                self.anchored(directory, Stage::Walking(position, index + 1))
            }
            Ok(directory) => self.anchored(directory, Stage::At(position + 1)),
            // A link where a directory is to be is "not a directory" to `O_DIRECTORY`.
            Err(errno) => self.fails("open", errno),
        }
    }

    /// See [`Exchange`](super::Exchange).
    #[inline(always)]
    fn exchange<F: FileSystem<File = File>>(
        mut self,
        position: usize,
        stage: Exchanging,
        fs: &mut F,
    ) -> Step<Self, WriteEnd<File>> {
        let Some(Op::Exchange(how)) = self.plan.program.get(position).copied() else {
            return self.fails("renameat2", Errno::INVAL);
        };
        let to = |stage| Stage::Exchanging(position, stage);
        let rename = |this: &Self, fs: &mut F, flags| {
            this.place().with_both(|temporary, path| fs.rename_with(temporary, path, flags))
        };
        let displaced = |this: &Self, fs: &mut F| {
            this.place().with_temporary(|at| fs.stat(at, AtFlags::SYMLINK_NOFOLLOW))
        };
        match stage {
            Exchanging::New => match rename(&self, fs, RenameFlags::NOREPLACE) {
                Ok(()) => {
                    self.named = false;
                    self.goes_on(Stage::At(position + 1))
                }
                Err(Errno::EXIST) => self.goes_on(to(Exchanging::Swap)),
                Err(errno) => self.fails("renameat2", errno),
            },
            Exchanging::Swap => match rename(&self, fs, RenameFlags::EXCHANGE) {
                Ok(()) if how.inspects => self.goes_on(to(Exchanging::Inspect)),
                Ok(()) => self.goes_on(to(Exchanging::Remove)),
                Err(Errno::NOENT) => self.goes_on(to(Exchanging::New)),
                Err(errno) => self.fails("renameat2", errno),
            },
            Exchanging::Inspect => match displaced(&self, fs) {
                Ok(status) => match irreplaceable(&status).filter(|_| how.puts_back) {
                    Some(outcome) => self.goes_on(to(Exchanging::Back(outcome))),
                    None if how.removes => self.goes_on(to(Exchanging::Remove)),
                    None => self.goes_on(Stage::At(position + 1)),
                },
                // Somebody took it away: nothing to put back or to remove.
                Err(Errno::NOENT) => {
                    self.named = false;
                    self.goes_on(Stage::At(position + 1))
                }
                // Not known to be a link, it may be one.
                Err(errno) if how.puts_back => {
                    self.goes_on(to(Exchanging::Back(Outcome::Failed { call: "lstat", errno })))
                }
                Err(errno) => self.stuck(Outcome::Failed { call: "lstat", errno }),
            },
            Exchanging::Remove => {
                let removed = self.place().with_temporary(|at| fs.unlink(at));
                // Written it is; what cannot be removed is told of in the end.
                self.named = !matches!(removed, Ok(()) | Err(Errno::NOENT));
                self.goes_on(Stage::At(position + 1))
            }
            Exchanging::Back(outcome) => match rename(&self, fs, RenameFlags::EXCHANGE) {
                Ok(()) if how.reinspects => self.goes_on(to(Exchanging::Reinspect(outcome))),
                Ok(()) => self.ends(outcome),
                Err(Errno::NOENT) => self.goes_on(to(Exchanging::Return(outcome))),
                Err(errno) => self.stuck(Outcome::Failed { call: "renameat2", errno }),
            },
            Exchanging::Reinspect(outcome) => match displaced(&self, fs) {
                Ok(status) if Some((status.device, status.inode)) == self.identity => {
                    self.ends(outcome)
                }
                Err(Errno::NOENT) => {
                    self.named = false;
                    self.ends(outcome)
                }
                // Somebody else's: it was put at P between the two exchanges. It stays where it is;
                // so does what cannot be told from it.
                Ok(_) | Err(_) => self.stuck(outcome),
            },
            Exchanging::Return(outcome) => match rename(&self, fs, RenameFlags::NOREPLACE) {
                Ok(()) => {
                    self.named = false;
                    self.ends(outcome)
                }
                Err(Errno::EXIST) => self.goes_on(to(Exchanging::Back(outcome))),
                // What is displaced stays under the temporary name: it may be a link.
                Err(errno) => self.stuck(Outcome::Failed { call: "renameat2", errno }),
            },
        }
    }
}

/// How a writer ends that is not to destroy this. A directory or a device is no more to be destroyed
/// than a link.
fn irreplaceable(status: &Status) -> Option<Outcome> {
    match status.kind {
        Kind::File => None,
        Kind::Symlink => Some(Outcome::IsSymlink),
        Kind::Directory => Some(Outcome::IsDirectory),
        Kind::Fifo | Kind::Socket | Kind::CharacterDevice | Kind::BlockDevice | Kind::Other => {
            Some(Outcome::IsSpecial)
        }
    }
}

/// Whether these limits can be kept without `openat2`.
fn can_walk(resolve: ResolveFlags) -> bool {
    resolve.contains(ResolveFlags::NO_SYMLINKS)
        || !resolve.intersects(ResolveFlags::BENEATH | ResolveFlags::IN_ROOT)
}

fn is_open_to_others(mode: Mode) -> bool {
    mode.intersects(Mode::RWXG | Mode::RWXO)
}

/// The mode of a file that is not in its place yet.
const OWNER_ONLY: Mode = Mode::RUSR.union(Mode::WUSR);
