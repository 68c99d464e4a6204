//! Third floor, `writer`: the function that carries out a list of operations. Imports
//! [`fs`](crate::fs), of [`direct`](crate::direct) what an exploration may forget, and its
//! neighbours in `writer`.

use std::path::{Component, Path};

use super::program::{Exchange, Left, Op, Outcome, Place, Plan, WriteEnd};
use crate::direct::remembered;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
use crate::fs::LinuxOpenFlags as _;
use crate::fs::{
    Access, At, AtFlags, Errno, FileSystem, Kind, Mode, OFlags, RenameFlags, ResolveFlags, Status,
};

/// Carries out a plan: one operation after the other, until one of them ends it.
///
/// A plan that ends early removes what it made, as far as it can. The [outcome](WriteEnd::outcome)
/// says how it ended, errors of calls included.
// Inlined, with all that a call passes through, for the same reason as the calls of `OsFs`.
#[inline(always)]
pub fn carry_out<F: FileSystem>(fs: &mut F, plan: &Plan<'_>) -> WriteEnd<F::File> {
    let known = Known::default();
    let mut writer = Writer::<F> { plan, directory: None, private: None, file: None, known };
    let came = plan.program.iter().try_for_each(|op| writer.remembered(fs, *op));
    let (outcome, left) = match came {
        Ok(()) => {
            let written = |errno| Outcome::NotDurable { errno };
            (writer.known.volatile.map_or(Outcome::Written, written), writer.left())
        }
        Err(outcome) if writer.known.stuck => (outcome, Left::Displaced),
        Err(outcome) => (outcome, writer.clean_up(fs)),
    };
    WriteEnd { outcome, left, directory: writer.directory, file: writer.file }
}

/// This call failed.
fn failed(call: &'static str) -> impl Fn(Errno) -> Outcome {
    move |errno| Outcome::Failed { call, errno }
}

/// A plan that is being carried out.
struct Writer<'p, F: FileSystem> {
    plan: &'p Plan<'p>,
    directory: Option<F::File>,
    /// The private directory, once it is open.
    private: Option<F::File>,
    file: Option<F::File>,
    known: Known,
}

/// What a writer knows, apart from the files it has open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Known {
    /// Something was seen at P.
    seen: bool,
    /// The file has the temporary name.
    named: bool,
    /// The file was made at P itself.
    made: bool,
    /// A private directory was made.
    furnished: bool,
    /// The entry with the temporary name stays, as this writer has no right to remove it.
    stuck: bool,
    /// Device and inode.
    identity: Option<(u64, u64)>,
    /// P's directory could not be made durable, for this reason.
    volatile: Option<Errno>,
}

impl<F: FileSystem> Writer<'_, F> {
    #[inline(always)]
    fn path(&self) -> Place<'_, F::File> {
        self.plan.place(self.directory.as_ref())
    }

    /// The private directory, or the temporary file where there is none.
    #[inline(always)]
    fn aside(&self) -> Place<'_, F::File> {
        self.plan.named(self.plan.temporary, self.directory.as_ref())
    }

    /// The temporary file.
    #[inline(always)]
    fn temporary(&self) -> Place<'_, F::File> {
        let directory = self.private.as_ref().or(self.directory.as_ref());
        self.plan.named(self.plan.temporary, directory)
    }

    /// Calls this one on the file.
    #[inline(always)]
    fn on_file<T>(
        &mut self,
        call: &'static str,
        on: impl FnOnce(&mut F::File) -> Result<T, Errno>,
    ) -> Result<T, Outcome> {
        self.file.as_mut().ok_or(Errno::BADF).and_then(on).map_err(failed(call))
    }

    fn is_own(&self, status: &Status) -> bool {
        Some((status.device, status.inode)) == self.known.identity
    }

    /// Performs an operation. Afterwards an exploration forgets everything but what is known then,
    /// so states that differ in nothing else are one.
    #[inline(always)]
    fn remembered(&mut self, fs: &mut F, op: Op) -> Result<(), Outcome> {
        if op.opens() {
            return self.perform(fs, op);
        }
        let (known, came) = remembered(|| {
            let came = self.perform(fs, op);
            (self.known, came)
        });
        self.known = known;
        came
    }

    #[inline(always)]
    fn perform(&mut self, fs: &mut F, op: Op) -> Result<(), Outcome> {
        let plan = self.plan;
        match op {
            Op::Anchor(flags, resolve) => self.anchor(fs, flags, resolve)?,
            Op::Access => {
                // Published code takes any error for "not there".
                self.known.seen = fs.access(&self.path(), Access::EXISTS, AtFlags::empty()).is_ok();
                if self.known.seen && !plan.replace {
                    return Err(Outcome::Exists);
                }
            }
            Op::LookForLink | Op::Look => match fs.stat(&self.path(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(Status { kind: Kind::Symlink, .. }) => return Err(Outcome::IsSymlink),
                Ok(_) if op == Op::LookForLink => {}
                Ok(status) => {
                    replaceable(&status)?;
                    if !plan.replace {
                        return Err(Outcome::Exists);
                    }
                    self.known.seen = true;
                }
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed("lstat")(errno)),
            },
            Op::Unlink if !self.known.seen => {}
            Op::Unlink => gone(fs.unlink(&self.path())).map_err(failed("unlink"))?,
            Op::Create(flags) => {
                let opened = fs.open(&self.path(), flags, plan.mode);
                self.file = Some(opened.map_err(|errno| match errno {
                    Errno::EXIST => Outcome::Exists,
                    Errno::LOOP => Outcome::IsSymlink,
                    Errno::ISDIR => Outcome::IsDirectory,
                    errno => failed("open")(errno),
                })?);
                self.known.made = true;
            }
            Op::PrivateDirectory { inspects } => self.private_directory(fs, inspects)?,
            Op::RemovePrivate => {
                // What cannot be removed is told of in the end.
                self.known.furnished = gone(fs.rmdir(&self.aside())).is_err();
            }
            Op::CreateTemporary(flags) => {
                let opened = fs.open(&self.temporary(), flags, OWNER_ONLY);
                self.file = Some(opened.map_err(|errno| match errno {
                    // Empty, the private directory could be removed by others.
                    Errno::NOENT if self.private.is_some() => Outcome::Interfered,
                    errno => failed("open")(errno),
                })?);
                self.known.named = true;
            }
            Op::CreateUnnamed => {
                let at = match &self.directory {
                    Some(directory) => At::new(Some(directory), Path::new(".")),
                    None => At::new(None, or_dot(plan.directory)),
                };
                let opened = fs.open(at, OFlags::TMPFILE | OFlags::WRONLY, OWNER_ONLY);
                self.file = Some(opened.map_err(|errno| match errno {
                    // How systems say it that know nothing of such files.
                    Errno::ISDIR | Errno::INVAL => failed("open")(Errno::OPNOTSUPP),
                    errno => failed("open")(errno),
                })?);
            }
            Op::SetMode => self.on_file("fchmod", |file| fs.fchmod(file, plan.mode))?,
            Op::SetModeOfPath => fs.chmod(&self.path(), plan.mode).map_err(failed("chmod"))?,
            Op::Identify => {
                let status = self.on_file("fstat", |file| fs.fstat(file))?;
                self.known.identity = Some((status.device, status.inode));
            }
            Op::Write => {
                let mut rest = plan.bytes;
                while !rest.is_empty() {
                    match self.on_file("write", |file| fs.write(file, rest))? {
                        // No error, and no progress: not to be tried for ever.
                        0 => return Err(failed("write")(Errno::IO)),
                        count => rest = rest.get(count..).unwrap_or_default(),
                    }
                }
            }
            Op::Sync => self.on_file("fsync", |file| fs.fsync(file))?,
            Op::Rename => {
                fs.rename(&self.temporary(), &self.path()).map_err(|errno| match errno {
                    Errno::ISDIR => Outcome::IsDirectory,
                    errno => failed("rename")(errno),
                })?;
                self.known.named = false;
            }
            Op::RenameNew => {
                self.rename(fs, RenameFlags::NOREPLACE).map_err(|errno| match errno {
                    Errno::EXIST => Outcome::Exists,
                    errno => failed("renameat2")(errno),
                })?;
            }
            Op::Link => {
                let path = plan.place(self.directory.as_ref());
                let file = self.file.as_mut().ok_or(Errno::BADF);
                match file.and_then(|file| fs.link_file(file, &path)) {
                    Ok(()) => {}
                    Err(Errno::EXIST) => {
                        // Gone again, perhaps: it was there.
                        if let Ok(status) = fs.stat(&path, AtFlags::SYMLINK_NOFOLLOW) {
                            replaceable(&status)?;
                        }
                        return Err(Outcome::Exists);
                    }
                    Err(errno) => return Err(failed("linkat")(errno)),
                }
            }
            Op::Exchange(how) => self.exchange(fs, how)?,
            Op::Verify => match fs.stat(&self.path(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(status) if self.is_own(&status) => {}
                Ok(_) | Err(Errno::NOENT) => return Err(Outcome::NotPrivate),
                Err(errno) => return Err(Outcome::Unverified { errno }),
            },
            Op::SyncDirectory => {
                let directory = self.directory.as_mut().ok_or(Errno::BADF);
                // The file is in place by now: that it may not stay is told of in the end.
                self.known.volatile = fs.fsync(directory.map_err(failed("fsync"))?).err();
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn anchor(&mut self, fs: &mut F, flags: OFlags, resolve: ResolveFlags) -> Result<(), Outcome> {
        let path = or_dot(self.plan.directory);
        match fs.open_within(path, flags, Mode::empty(), resolve) {
            Ok(directory) => self.directory = Some(directory),
            // A walk through links would leave the directory that it is to stay beneath.
            Err(Errno::NOSYS) if can_walk(resolve) => self.walk(fs, flags, resolve)?,
            Err(errno) => return Err(failed("openat2")(errno)),
        }
        Ok(())
    }

    /// Opens the directory without `openat2`: one component after the other, each from the one
    /// before.
    #[cold]
    fn walk(&mut self, fs: &mut F, flags: OFlags, resolve: ResolveFlags) -> Result<(), Outcome> {
        let path = or_dot(self.plan.directory);
        if !resolve.contains(ResolveFlags::NO_SYMLINKS) {
            // Links may be on the way, so the kernel may as well walk it.
            let opened = fs.open(path, flags, Mode::empty());
            self.directory = Some(opened.map_err(failed("open"))?);
            return Ok(());
        }
        let is_name = |it: &Component<'_>| !matches!(it, Component::CurDir | Component::RootDir);
        let mut names: Vec<Component<'_>> = path.components().filter(is_name).collect();
        if names.is_empty() {
            names.push(Component::CurDir);
        }
        for name in &names {
            let at = At::new(self.directory.as_ref(), name.as_ref());
            let opened = fs.open(at, flags | OFlags::NOFOLLOW, Mode::empty());
            // A link where a directory is to be is "not a directory" to `O_DIRECTORY`.
            self.directory = Some(opened.map_err(failed("open"))?);
        }
        Ok(())
    }

    #[inline(always)]
    fn private_directory(&mut self, fs: &mut F, inspects: bool) -> Result<(), Outcome> {
        fs.mkdir(&self.aside(), Mode::RWXU).map_err(failed("mkdir"))?;
        self.known.furnished = true;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let opened = fs.open(&self.aside(), flags, Mode::empty()).map_err(|errno| match errno {
            // What was just made is gone, or something else by now.
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP => Outcome::Interfered,
            errno => failed("open")(errno),
        });
        let private = self.private.insert(opened?);
        if !inspects {
            return Ok(());
        }
        // In a directory that all can write to, somebody may have put another in its place.
        let status = fs.fstat(private).map_err(failed("fstat"))?;
        let is_open = status.mode.intersects(Mode::RWXG | Mode::RWXO);
        let is_own = status.uid == self.plan.owner && !is_open;
        if is_own { Ok(()) } else { Err(Outcome::Interfered) }
    }

    /// Renames the temporary to P, or exchanges the two.
    #[inline(always)]
    fn rename(&mut self, fs: &mut F, flags: RenameFlags) -> Result<(), Errno> {
        fs.rename_with(&self.temporary(), &self.path(), flags)?;
        self.known.named = flags == RenameFlags::EXCHANGE;
        Ok(())
    }

    /// Tries to rename and to exchange by turns, beginning with this one: as long as the one finds
    /// something at P, and the other nothing. Says whether it has exchanged.
    #[inline(always)]
    fn swap(&mut self, fs: &mut F, mut flags: RenameFlags) -> Result<bool, Outcome> {
        loop {
            let exchanges = flags == RenameFlags::EXCHANGE;
            flags = match (self.rename(fs, flags), exchanges) {
                (Ok(()), _) => return Ok(exchanges),
                (Err(Errno::EXIST), false) => RenameFlags::EXCHANGE,
                (Err(Errno::NOENT), true) => RenameFlags::NOREPLACE,
                (Err(errno), _) => return Err(failed("renameat2")(errno)),
            };
        }
    }

    /// What was at P, after an exchange. `None` where somebody took it away: then there is nothing
    /// to put back or to remove.
    #[inline(always)]
    fn displaced(&mut self, fs: &mut F) -> Result<Option<Status>, Errno> {
        match fs.stat(&self.temporary(), AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {
                self.known.named = false;
                Ok(None)
            }
            status => status.map(Some),
        }
    }

    /// See [`Exchange`].
    #[inline(always)]
    fn exchange(&mut self, fs: &mut F, how: Exchange) -> Result<(), Outcome> {
        if !self.swap(fs, RenameFlags::NOREPLACE)? {
            return Ok(());
        }
        if how.inspects {
            let wrong = match self.displaced(fs) {
                Ok(None) => return Ok(()),
                Ok(Some(status)) => replaceable(&status),
                // Not known to be a link, it may be one.
                Err(errno) if !how.puts_back => return Err(self.stuck(failed("lstat")(errno))),
                Err(errno) => Err(failed("lstat")(errno)),
            };
            match wrong {
                Err(outcome) if how.puts_back => return Err(self.put_back(fs, how, outcome)),
                _ if how.removes => {}
                _ => return Ok(()),
            }
        }
        // Written it is; what cannot be removed is told of in the end.
        self.known.named = gone(fs.unlink(&self.temporary())).is_err();
        Ok(())
    }

    /// Puts back what was displaced, which decides the outcome.
    #[cold]
    fn put_back(&mut self, fs: &mut F, how: Exchange, outcome: Outcome) -> Outcome {
        match self.swap(fs, RenameFlags::EXCHANGE) {
            Ok(true) if how.reinspects => {}
            Ok(_) => return outcome,
            // What is displaced stays under the temporary name: it may be a link.
            Err(failure) => return self.stuck(failure),
        }
        match self.displaced(fs) {
            Ok(None) => outcome,
            Ok(Some(status)) if self.is_own(&status) => outcome,
            // Somebody else's: it was put at P between the two exchanges. It stays where it is;
            // so does what cannot be told from it.
            Ok(Some(_)) | Err(_) => self.stuck(outcome),
        }
    }

    fn stuck(&mut self, outcome: Outcome) -> Outcome {
        self.known.stuck = true;
        outcome
    }

    /// What is left behind at the end of the list.
    fn left(&self) -> Left {
        if self.known.named || self.known.furnished { Left::Temporary } else { Left::Nothing }
    }

    /// Removes what was made, and says what is left behind by ending here.
    #[cold]
    fn clean_up(&mut self, fs: &mut F) -> Left {
        if !self.known.named && !self.known.furnished && self.known.made {
            return Left::Part;
        }
        if self.known.named {
            self.known.named = gone(fs.unlink(&self.temporary())).is_err();
        }
        if self.known.furnished {
            self.known.furnished = gone(fs.rmdir(&self.aside())).is_err();
        }
        self.left()
    }
}

fn or_dot(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

/// What is not there need not be removed.
fn gone(removed: Result<(), Errno>) -> Result<(), Errno> {
    if removed == Err(Errno::NOENT) { Ok(()) } else { removed }
}

/// The outcome if this entry must not be destroyed. A directory or a device must not be destroyed
/// either.
fn replaceable(status: &Status) -> Result<(), Outcome> {
    match status.kind {
        Kind::File => Ok(()),
        Kind::Symlink => Err(Outcome::IsSymlink),
        Kind::Directory => Err(Outcome::IsDirectory),
        Kind::Fifo | Kind::Socket | Kind::CharacterDevice | Kind::BlockDevice | Kind::Other => {
            Err(Outcome::IsSpecial)
        }
    }
}

/// Whether these limits can be kept without `openat2`.
fn can_walk(resolve: ResolveFlags) -> bool {
    resolve.contains(ResolveFlags::NO_SYMLINKS)
        || !resolve.intersects(ResolveFlags::BENEATH | ResolveFlags::IN_ROOT)
}

/// The mode of a file that is not in its place yet.
const OWNER_ONLY: Mode = Mode::RUSR.union(Mode::WUSR);
