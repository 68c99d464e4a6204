//! Second floor, `direct`: a file system for ordinary code, whichever world it runs in. Imports
//! [`fs`](crate::fs) and its neighbours in `direct`.

use std::cell::Cell;
use std::fmt::Display;
use std::hash::Hash;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;

use super::held::Held;
use super::run::{self, Performed, ask, fingerprint};
use crate::calls::called;
use crate::check::Value;
use crate::fs::{
    Access, Asked, At, AtFlags, Errno, FileSystem, FlockOperation, Mode, OFlags, RenameFlags,
    ResolveFlags, Status,
};

/// The files that a program has open, by the numbers of its [`DirectFile`]s.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Files<F>(Vec<Option<Open<F>>>);

/// An open file, and whether a lock is held through it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Open<F> {
    file: Arc<F>,
    is_locked: bool,
}

// By hand, because a derive would ask it of `F`.
impl<F> Clone for Open<F> {
    fn clone(&self) -> Self {
        Open { file: self.file.clone(), is_locked: self.is_locked }
    }
}

impl<F> Clone for Files<F> {
    fn clone(&self) -> Self {
        Files(self.0.clone())
    }
}

impl<F> Default for Files<F> {
    fn default() -> Self {
        Files(Vec::new())
    }
}

impl<F: Held> Files<F> {
    fn add(&mut self, file: F) -> u32 {
        let open = Some(Open { file: Arc::new(file), is_locked: false });
        match self.0.iter().position(Option::is_none) {
            Some(free) => {
                self.0[free] = open;
                free as u32
            }
            None => {
                self.0.push(open);
                self.0.len() as u32 - 1
            }
        }
    }

    fn get(&mut self, number: u32) -> Result<&mut F, Errno> {
        F::of_one(&mut self.open(number)?.file).ok_or(Errno::BADF)
    }

    fn open(&mut self, number: u32) -> Result<&mut Open<F>, Errno> {
        self.0.get_mut(number as usize).and_then(Option::as_mut).ok_or(Errno::BADF)
    }

    fn take(&mut self, number: u32) -> Option<Open<F>> {
        let taken = self.0.get_mut(number as usize).and_then(Option::take);
        while self.0.last().is_some_and(Option::is_none) {
            self.0.pop();
        }
        taken
    }

    /// The same place, in the words of the world.
    fn at<'p>(&'p self, at: At<'p, DirectFile>) -> Result<At<'p, F>, Errno> {
        let Some(directory) = at.directory else { return Ok(At::new(None, at.path)) };
        let open = self.0.get(directory.number as usize).and_then(Option::as_ref);
        Ok(At::new(Some(&open.ok_or(Errno::BADF)?.file), at.path))
    }
}

/// A [`FileSystem`] and the files that are open in it, whatever their type.
pub(super) trait Port {
    fn open(&mut self, at: At<'_, DirectFile>, flags: OFlags, mode: Mode) -> Result<u32, Errno>;
    fn open_within(
        &mut self,
        at: At<'_, DirectFile>,
        flags: OFlags,
        mode: Mode,
        resolve: ResolveFlags,
    ) -> Result<u32, Errno>;
    fn read(&mut self, file: u32, most: usize) -> Result<Vec<u8>, Errno>;
    fn write(&mut self, file: u32, bytes: &[u8]) -> Result<usize, Errno>;
    fn fsync(&mut self, file: u32) -> Result<(), Errno>;
    fn stat(&mut self, at: At<'_, DirectFile>, flags: AtFlags) -> Result<Status, Errno>;
    fn fstat(&mut self, file: u32) -> Result<Status, Errno>;
    fn access(
        &mut self,
        at: At<'_, DirectFile>,
        access: Access,
        flags: AtFlags,
    ) -> Result<(), Errno>;
    fn chmod(&mut self, at: At<'_, DirectFile>, mode: Mode) -> Result<(), Errno>;
    fn fchmod(&mut self, file: u32, mode: Mode) -> Result<(), Errno>;
    fn unlink(&mut self, at: At<'_, DirectFile>) -> Result<(), Errno>;
    fn rename(
        &mut self,
        from: At<'_, DirectFile>,
        to: At<'_, DirectFile>,
        flags: Option<RenameFlags>,
    ) -> Result<(), Errno>;
    fn link(&mut self, from: At<'_, DirectFile>, to: At<'_, DirectFile>) -> Result<(), Errno>;
    fn link_file(&mut self, file: u32, to: At<'_, DirectFile>) -> Result<(), Errno>;
    fn symlink(&mut self, target: &Path, at: At<'_, DirectFile>) -> Result<(), Errno>;
    fn readlink(&mut self, at: At<'_, DirectFile>) -> Result<PathBuf, Errno>;
    fn mkdir(&mut self, at: At<'_, DirectFile>, mode: Mode) -> Result<(), Errno>;
    fn rmdir(&mut self, at: At<'_, DirectFile>) -> Result<(), Errno>;
    fn flock(&mut self, file: u32, operation: FlockOperation) -> Performed<Result<(), Errno>>;
    fn close(&mut self, file: u32);
    fn forget(&mut self, file: u32);
    fn which(&mut self, file: u32) -> Option<Status>;
    fn version(&mut self) -> Option<u64>;
}

pub(super) struct Mounted<'m, F: FileSystem> {
    pub(super) fs: &'m mut F,
    pub(super) files: &'m mut Files<F::File>,
}

/// Whether a lock is held after this succeeded.
fn takes(operation: FlockOperation) -> bool {
    !matches!(operation, FlockOperation::Unlock | FlockOperation::NonBlockingUnlock)
}

impl<F: FileSystem<File: Held>> Port for Mounted<'_, F> {
    fn open(&mut self, at: At<'_, DirectFile>, flags: OFlags, mode: Mode) -> Result<u32, Errno> {
        let file = self.fs.open(self.files.at(at)?, flags, mode)?;
        Ok(self.files.add(file))
    }

    fn open_within(
        &mut self,
        at: At<'_, DirectFile>,
        flags: OFlags,
        mode: Mode,
        resolve: ResolveFlags,
    ) -> Result<u32, Errno> {
        let file = self.fs.open_within(self.files.at(at)?, flags, mode, resolve)?;
        Ok(self.files.add(file))
    }

    fn read(&mut self, file: u32, most: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; most];
        let count = self.fs.read(self.files.get(file)?, &mut bytes)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    fn write(&mut self, file: u32, bytes: &[u8]) -> Result<usize, Errno> {
        self.fs.write(self.files.get(file)?, bytes)
    }

    fn fsync(&mut self, file: u32) -> Result<(), Errno> {
        self.fs.fsync(self.files.get(file)?)
    }

    fn stat(&mut self, at: At<'_, DirectFile>, flags: AtFlags) -> Result<Status, Errno> {
        self.fs.stat(self.files.at(at)?, flags)
    }

    fn fstat(&mut self, file: u32) -> Result<Status, Errno> {
        self.fs.fstat(self.files.get(file)?)
    }

    fn access(
        &mut self,
        at: At<'_, DirectFile>,
        access: Access,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        self.fs.access(self.files.at(at)?, access, flags)
    }

    fn chmod(&mut self, at: At<'_, DirectFile>, mode: Mode) -> Result<(), Errno> {
        self.fs.chmod(self.files.at(at)?, mode)
    }

    fn fchmod(&mut self, file: u32, mode: Mode) -> Result<(), Errno> {
        self.fs.fchmod(self.files.get(file)?, mode)
    }

    fn unlink(&mut self, at: At<'_, DirectFile>) -> Result<(), Errno> {
        self.fs.unlink(self.files.at(at)?)
    }

    fn rename(
        &mut self,
        from: At<'_, DirectFile>,
        to: At<'_, DirectFile>,
        flags: Option<RenameFlags>,
    ) -> Result<(), Errno> {
        let (from, to) = (self.files.at(from)?, self.files.at(to)?);
        match flags {
            None => self.fs.rename(from, to),
            Some(flags) => self.fs.rename_with(from, to, flags),
        }
    }

    fn link(&mut self, from: At<'_, DirectFile>, to: At<'_, DirectFile>) -> Result<(), Errno> {
        self.fs.link(self.files.at(from)?, self.files.at(to)?)
    }

    fn link_file(&mut self, file: u32, to: At<'_, DirectFile>) -> Result<(), Errno> {
        // The place may start at another open file of the same table.
        let mut from = self.files.open(file)?.file.clone();
        let linked = self.fs.link_file(F::File::of_one(&mut from).ok_or(Errno::BADF)?, self.files.at(to)?);
        self.files.open(file)?.file = from;
        linked
    }

    fn symlink(&mut self, target: &Path, at: At<'_, DirectFile>) -> Result<(), Errno> {
        self.fs.symlink(target, self.files.at(at)?)
    }

    fn readlink(&mut self, at: At<'_, DirectFile>) -> Result<PathBuf, Errno> {
        self.fs.readlink(self.files.at(at)?)
    }

    fn mkdir(&mut self, at: At<'_, DirectFile>, mode: Mode) -> Result<(), Errno> {
        self.fs.mkdir(self.files.at(at)?, mode)
    }

    fn rmdir(&mut self, at: At<'_, DirectFile>) -> Result<(), Errno> {
        self.fs.rmdir(self.files.at(at)?)
    }

    fn flock(&mut self, file: u32, operation: FlockOperation) -> Performed<Result<(), Errno>> {
        let called =
            self.files.get(file).and_then(|file| self.fs.flock(file, operation));
        let Ok(open) = self.files.open(file) else { return Performed::Answer(called) };
        let before = open.is_locked;
        match called {
            Ok(()) => open.is_locked = takes(operation),
            // A conversion has lost the lock that was held before.
            Err(Errno::WOULDBLOCK) => open.is_locked = false,
            Err(_) => {}
        }
        let is_patient =
            matches!(operation, FlockOperation::LockShared | FlockOperation::LockExclusive);
        match called {
            Err(Errno::WOULDBLOCK) if is_patient && before => Performed::Began,
            Err(Errno::WOULDBLOCK) if is_patient => Performed::Waits,
            _ => Performed::Answer(called),
        }
    }

    fn close(&mut self, file: u32) {
        if let Some(open) = self.files.take(file)
            && let Some(file) = F::File::taken(open.file)
        {
            self.fs.close(file);
        }
    }

    fn forget(&mut self, file: u32) {
        self.files.take(file);
    }

    fn which(&mut self, file: u32) -> Option<Status> {
        self.fs.which(self.files.get(file).ok()?)
    }

    fn version(&mut self) -> Option<u64> {
        self.fs.version()
    }
}

thread_local! {
    static PORT: Cell<Option<NonNull<dyn Port>>> = const { Cell::new(None) };
}

/// Puts back what was there before.
struct Before(Option<NonNull<dyn Port>>);

impl Drop for Before {
    fn drop(&mut self) {
        PORT.set(self.0);
    }
}

/// Runs `during` with this as the file system of the thread.
pub(super) fn mounted<T>(port: &mut (dyn Port + '_), during: impl FnOnce() -> T) -> T {
    let port: NonNull<dyn Port + '_> = NonNull::from(port);
    // SAFETY: only the bound on its lifetime is changed. It is taken away before this function returns
    // or unwinds, and so before what it borrows ends.
    let port: NonNull<dyn Port + 'static> = unsafe { std::mem::transmute(port) };
    let _before = Before(PORT.replace(Some(port)));
    during()
}

/// Whether the program of this thread has a file system of the check's.
#[inline]
pub(crate) fn is_mounted() -> bool {
    PORT.get().is_some()
}

/// Does something with the file system of the thread; `None` where there is none.
fn port<T>(with: impl FnOnce(&mut dyn Port) -> T) -> Option<T> {
    let mut port = PORT.take()?;
    let _back = Before(Some(port));
    // SAFETY: it is exclusively borrowed for as long as it is there, and nobody else finds it there now.
    Some(with(unsafe { port.as_mut() }))
}

/// A file system for ordinary code that is checked: the [`FileSystem`] of the world that the program is run
/// in, whether simulated or real.
///
/// The program that [`Code::files`](super::Code::files) takes gets one. It is a handle: all of them are
/// the same.
#[derive(Debug)]
pub struct DirectFs(());

/// An open file of a [`DirectFs`]. Dropping it closes it, and releases its lock: that is a step where
/// it holds one, because others can see it.
#[derive(Debug)]
pub struct DirectFile {
    number: u32,
    run: u64,
}

impl Hash for DirectFile {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl Drop for DirectFile {
    fn drop(&mut self) {
        if self.run != run::serial() || run::is_over() {
            return;
        }
        if run::has_lock(self.number) {
            self.give_back();
        } else if run::is_at_the_end() {
            // Earlier, it was closed in the run in which it was there.
            port(|port| port.forget(self.number));
        }
    }
}

type Line<'a> = Asked<'a, DirectFile>;

impl DirectFile {
    fn of(number: u32) -> Self {
        run::unlock(number);
        DirectFile { number, run: run::serial() }
    }

    /// Its number, in the run that opened it.
    #[track_caller]
    fn number(&self) -> u32 {
        assert!(
            self.run == run::serial(),
            "a file of another run: what a program has opened does not outlive its run"
        );
        self.number
    }

    /// The same file, for a call that takes it exclusively.
    pub(crate) fn lent<T>(&self, call: impl FnOnce(&mut DirectFile) -> T) -> T {
        // A number, and closed by whoever lends it.
        let mut same = ManuallyDrop::new(DirectFile { number: self.number, run: self.run });
        call(&mut same)
    }

    /// Closes it by a call.
    #[track_caller]
    fn give_back(&self) {
        let number = self.number;
        let line = Line::Close;
        ask(&line, fingerprint(&(&line, number)), || {
            port(|port| port.close(number));
            Performed::Answer(())
        });
        run::unlock(number);
    }
}

impl DirectFs {
    /// The file system of the program that is run on this thread.
    pub(crate) fn new() -> Self {
        DirectFs(())
    }

    #[track_caller]
    fn ask<T: Value>(
        &self,
        line: &Line<'_>,
        file: Option<u32>,
        call: impl FnOnce(&mut dyn Port) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        self.perform(line, file, |port| Performed::Answer(call(port)))
    }

    #[track_caller]
    fn perform<T: Value>(
        &self,
        line: &Line<'_>,
        file: Option<u32>,
        call: impl FnOnce(&mut dyn Port) -> Performed<Result<T, Errno>>,
    ) -> Result<T, Errno> {
        let told: &dyn Display = line;
        let answer = ask(told, fingerprint(&(line, file)), || {
            port(call).unwrap_or_else(|| not_a_file_system(told))
        });
        // A destructor of a run that is over: nothing is performed any more.
        answer.unwrap_or(Err(Errno::CANCELED))
    }

    /// Which state the file system is in, as far as the world can say.
    fn version() -> Option<u64> {
        port(|port| port.version()).flatten()
    }
}

/// Waits until somebody has changed the file system: a step that notes how it is, and one that goes on once
/// it is otherwise. A real one is not waited for.
#[track_caller]
pub(crate) fn wait_for_a_change(why: &str) {
    let before = ask(&why, fingerprint(&why), || {
        called(format_args!("{why}"));
        Performed::Answer(DirectFs::version())
    });
    let wake = "wake up";
    ask(&wake, fingerprint(&wake), || {
        let is_as_before = before.flatten().is_some() && before.flatten() == DirectFs::version();
        let waits = if is_as_before { " waits" } else { "" };
        called(format_args!("{wake}{waits}"));
        if is_as_before { Performed::Waits } else { Performed::Answer(()) }
    });
}

/// The program was given another kind of world.
#[track_caller]
fn not_a_file_system(what: &dyn Display) -> ! {
    panic!("`{what}`: the program is checked in a world that is no file system (`Code::new` and `Code::files` take one that is)")
}

impl FileSystem for DirectFs {
    type File = DirectFile;

    #[track_caller]
    fn open<'p>(
        &mut self,
        at: impl Into<At<'p, DirectFile>>,
        flags: OFlags,
        mode: Mode,
    ) -> Result<DirectFile, Errno> {
        let at = at.into();
        let number = self.ask(&Line::Open(at, flags), None, |fs| fs.open(at, flags, mode))?;
        Ok(DirectFile::of(number))
    }

    #[track_caller]
    fn open_within<'p>(
        &mut self,
        at: impl Into<At<'p, DirectFile>>,
        flags: OFlags,
        mode: Mode,
        resolve: ResolveFlags,
    ) -> Result<DirectFile, Errno> {
        let at = at.into();
        let line = Line::OpenWithin(at, flags, mode, resolve);
        let number = self.ask(&line, None, |fs| fs.open_within(at, flags, mode, resolve))?;
        Ok(DirectFile::of(number))
    }

    #[track_caller]
    fn read(&mut self, file: &mut DirectFile, buffer: &mut [u8]) -> Result<usize, Errno> {
        let (number, most) = (file.number(), buffer.len());
        let bytes = self.ask(&Line::Read, Some(number), |fs| fs.read(number, most))?;
        let count = bytes.len().min(most);
        buffer[..count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    #[track_caller]
    fn write(&mut self, file: &mut DirectFile, bytes: &[u8]) -> Result<usize, Errno> {
        let number = file.number();
        self.ask(&Line::Write(bytes), Some(number), |fs| fs.write(number, bytes))
    }

    #[track_caller]
    fn fsync(&mut self, file: &mut DirectFile) -> Result<(), Errno> {
        let number = file.number();
        self.ask(&Line::Fsync, Some(number), |fs| fs.fsync(number))
    }

    #[track_caller]
    fn stat<'p>(
        &mut self,
        at: impl Into<At<'p, DirectFile>>,
        flags: AtFlags,
    ) -> Result<Status, Errno> {
        let at = at.into();
        self.ask(&Line::Stat(at, flags), None, |fs| fs.stat(at, flags))
    }

    #[track_caller]
    fn fstat(&mut self, file: &mut DirectFile) -> Result<Status, Errno> {
        let number = file.number();
        self.ask(&Line::Fstat, Some(number), |fs| fs.fstat(number))
    }

    #[track_caller]
    fn access<'p>(
        &mut self,
        at: impl Into<At<'p, DirectFile>>,
        access: Access,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let at = at.into();
        self.ask(&Line::Access(at, access, flags), None, |fs| fs.access(at, access, flags))
    }

    #[track_caller]
    fn chmod<'p>(&mut self, at: impl Into<At<'p, DirectFile>>, mode: Mode) -> Result<(), Errno> {
        let at = at.into();
        self.ask(&Line::Chmod(at, mode), None, |fs| fs.chmod(at, mode))
    }

    #[track_caller]
    fn fchmod(&mut self, file: &mut DirectFile, mode: Mode) -> Result<(), Errno> {
        let number = file.number();
        self.ask(&Line::Fchmod(mode), Some(number), |fs| fs.fchmod(number, mode))
    }

    #[track_caller]
    fn unlink<'p>(&mut self, at: impl Into<At<'p, DirectFile>>) -> Result<(), Errno> {
        let at = at.into();
        self.ask(&Line::Unlink(at), None, |fs| fs.unlink(at))
    }

    #[track_caller]
    fn rename<'p>(
        &mut self,
        from: impl Into<At<'p, DirectFile>>,
        to: impl Into<At<'p, DirectFile>>,
    ) -> Result<(), Errno> {
        let (from, to) = (from.into(), to.into());
        let line = Line::Rename(from, to, RenameFlags::empty());
        self.ask(&line, None, |fs| fs.rename(from, to, None))
    }

    #[track_caller]
    fn rename_with<'p>(
        &mut self,
        from: impl Into<At<'p, DirectFile>>,
        to: impl Into<At<'p, DirectFile>>,
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        let (from, to) = (from.into(), to.into());
        let line = Line::Rename(from, to, flags);
        self.ask(&line, None, |fs| fs.rename(from, to, Some(flags)))
    }

    #[track_caller]
    fn link<'p>(
        &mut self,
        from: impl Into<At<'p, DirectFile>>,
        to: impl Into<At<'p, DirectFile>>,
    ) -> Result<(), Errno> {
        let (from, to) = (from.into(), to.into());
        self.ask(&Line::Link(from, to), None, |fs| fs.link(from, to))
    }

    #[track_caller]
    fn link_file<'p>(
        &mut self,
        file: &mut DirectFile,
        to: impl Into<At<'p, DirectFile>>,
    ) -> Result<(), Errno> {
        let (number, to) = (file.number(), to.into());
        self.ask(&Line::LinkFile(to), Some(number), |fs| fs.link_file(number, to))
    }

    #[track_caller]
    fn symlink<'p>(
        &mut self,
        target: &Path,
        at: impl Into<At<'p, DirectFile>>,
    ) -> Result<(), Errno> {
        let at = at.into();
        self.ask(&Line::Symlink(target, at), None, |fs| fs.symlink(target, at))
    }

    #[track_caller]
    fn readlink<'p>(&mut self, at: impl Into<At<'p, DirectFile>>) -> Result<PathBuf, Errno> {
        let at = at.into();
        self.ask(&Line::Readlink(at), None, |fs| fs.readlink(at))
    }

    #[track_caller]
    fn mkdir<'p>(&mut self, at: impl Into<At<'p, DirectFile>>, mode: Mode) -> Result<(), Errno> {
        let at = at.into();
        self.ask(&Line::Mkdir(at), None, |fs| fs.mkdir(at, mode))
    }

    #[track_caller]
    fn rmdir<'p>(&mut self, at: impl Into<At<'p, DirectFile>>) -> Result<(), Errno> {
        let at = at.into();
        self.ask(&Line::Rmdir(at), None, |fs| fs.rmdir(at))
    }

    /// Waits without the program knowing: an operation that may wait is answered once it need not.
    #[track_caller]
    fn flock(&mut self, file: &mut DirectFile, operation: FlockOperation) -> Result<(), Errno> {
        let number = file.number();
        let line = Line::Flock(operation, None);
        let answer = self.perform(&line, Some(number), |fs| fs.flock(number, operation));
        match answer {
            Ok(()) if takes(operation) => run::lock(number),
            Ok(()) | Err(Errno::WOULDBLOCK) => run::unlock(number),
            Err(_) => {}
        }
        answer
    }

    fn observed<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        run::observed(|| look(self))
    }

    fn which(&mut self, file: &mut DirectFile) -> Option<Status> {
        port(|port| port.which(file.number())).flatten()
    }

    #[track_caller]
    fn close(&mut self, file: DirectFile) {
        file.give_back();
        // It is closed.
        std::mem::forget(file);
    }
}
