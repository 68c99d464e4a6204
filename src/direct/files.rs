//! Second floor, `direct`: a file system for ordinary code, in whichever world it runs. Imports
//! [`fs`](crate::fs) and its neighbours in `direct`.

use std::cell::Cell;
use std::fmt::Display;
use std::hash::Hash;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
use std::time::Duration;

use super::held::Held;
use super::lent::ports;
use super::run::{self, Performed, ask, fingerprint};
use crate::calls::{called, untold};
use crate::check::Value;
use crate::fs::{
    Access, Asked, At, AtFlags, ByteRange, Dev, Dirent, Errno, FileSystem, FileType,
    FlockOperation, Gid, Mode, OFlags, RenameFlags, ResolveFlags, SeekFrom, Status, Timestamps,
    Uid,
};
use crate::process::MOST_WAYS;

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
    /// Lets go of them all where nobody holds anything any more: the machine has lost power.
    pub(crate) fn vanish(self) {
        self.0.into_iter().flatten().filter_map(|open| F::taken(open.file)).for_each(F::vanish);
    }

    /// Closes them all, as the end of the program does.
    pub(crate) fn close_all<W: FileSystem<File = F>>(self, fs: &mut W) {
        for open in self.0.into_iter().flatten() {
            if let Some(file) = F::taken(open.file) {
                fs.close(file);
            }
        }
    }

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

/// The calls that are only passed on to `$how`: on an open file, on a place, or on two of them.
macro_rules! calls {
    ($how:ident) => {
        $how! {
            file write(bytes: &[u8]) -> usize = Line::Write(bytes);
            file pwrite(bytes: &[u8], offset: u64) -> usize = Line::Pwrite(bytes, offset);
            file lseek(to: SeekFrom) -> u64 = Line::Lseek(to);
            file ftruncate(length: u64) -> () = Line::Ftruncate(length);
            file fsync() -> () = Line::Fsync;
            file fdatasync() -> () = Line::Fdatasync;
            file fstat() -> Status = Line::Fstat;
            file fchmod(mode: Mode) -> () = Line::Fchmod(mode);
            file fchown(owner: Option<Uid>, group: Option<Gid>) -> () = Line::Fchown((owner, group));
            file futimens(times: &Timestamps) -> () = Line::Futimens(times);
            at stat(at, flags: AtFlags) -> Status = Line::Stat(at, flags);
            at access(at, access: Access, flags: AtFlags) -> () = Line::Access(at, access, flags);
            at chmod(at, mode: Mode) -> () = Line::Chmod(at, mode, AtFlags::empty());
            at chmod_with(at, mode: Mode, flags: AtFlags) -> () = Line::Chmod(at, mode, flags);
            at chown(at, owner: Option<Uid>, group: Option<Gid>, flags: AtFlags) -> () =
                Line::Chown(at, (owner, group), flags);
            at utimensat(at, times: &Timestamps, flags: AtFlags) -> () =
                Line::Utimensat(at, times, flags);
            at unlink(at) -> () = Line::Unlink(at);
            at readlink(at) -> PathBuf = Line::Readlink(at);
            at mkdir(at, mode: Mode) -> () = Line::Mkdir(at);
            at mknod(at, kind: FileType, mode: Mode, device: Dev) -> () = Line::Mknod(at, kind);
            at rmdir(at) -> () = Line::Rmdir(at);
            two rename(from, to) -> () = Line::Rename(from, to, RenameFlags::empty());
            two rename_with(from, to, flags: RenameFlags) -> () = Line::Rename(from, to, flags);
            two link(from, to) -> () = Line::Link(from, to, AtFlags::empty());
            two link_with(from, to, flags: AtFlags) -> () = Line::Link(from, to, flags);
        }
    };
}

macro_rules! declared {
    ($(file $file:ident($($f:ident: $ft:ty),*) -> $fr:ty = $fl:expr;)*
     $(at $at:ident($place:ident $(, $a:ident: $aty:ty)*) -> $ar:ty = $al:expr;)*
     $(two $two:ident($from:ident, $to:ident $(, $t:ident: $tt:ty)*) -> $tr:ty = $tl:expr;)*) => {
        $(fn $file(&mut self, file: u32, $($f: $ft),*) -> Result<$fr, Errno>;)*
        $(fn $at(&mut self, $place: At<'_, DirectFile>, $($a: $aty),*) -> Result<$ar, Errno>;)*
        $(fn $two(
            &mut self,
            $from: At<'_, DirectFile>,
            $to: At<'_, DirectFile>,
            $($t: $tt),*
        ) -> Result<$tr, Errno>;)*
    };
}

macro_rules! passed_on {
    ($(file $file:ident($($f:ident: $ft:ty),*) -> $fr:ty = $fl:expr;)*
     $(at $at:ident($place:ident $(, $a:ident: $aty:ty)*) -> $ar:ty = $al:expr;)*
     $(two $two:ident($from:ident, $to:ident $(, $t:ident: $tt:ty)*) -> $tr:ty = $tl:expr;)*) => {
        $(fn $file(&mut self, file: u32, $($f: $ft),*) -> Result<$fr, Errno> {
            self.fs.$file(self.files.get(file)?, $($f),*)
        })*
        $(fn $at(&mut self, $place: At<'_, DirectFile>, $($a: $aty),*) -> Result<$ar, Errno> {
            self.fs.$at(self.files.at($place)?, $($a),*)
        })*
        $(fn $two(
            &mut self,
            $from: At<'_, DirectFile>,
            $to: At<'_, DirectFile>,
            $($t: $tt),*
        ) -> Result<$tr, Errno> {
            self.fs.$two(self.files.at($from)?, self.files.at($to)?, $($t),*)
        })*
    };
}

macro_rules! asked {
    ($(file $file:ident($($f:ident: $ft:ty),*) -> $fr:ty = $fl:expr;)*
     $(at $at:ident($place:ident $(, $a:ident: $aty:ty)*) -> $ar:ty = $al:expr;)*
     $(two $two:ident($from:ident, $to:ident $(, $t:ident: $tt:ty)*) -> $tr:ty = $tl:expr;)*) => {
        $(#[track_caller]
        fn $file(&mut self, file: &mut DirectFile, $($f: $ft),*) -> Result<$fr, Errno> {
            let number = file.number();
            self.ask(&$fl, Some(number), |fs| fs.$file(number, $($f),*))
        })*
        $(#[track_caller]
        fn $at<'p>(
            &mut self,
            $place: impl Into<At<'p, DirectFile>>,
            $($a: $aty),*
        ) -> Result<$ar, Errno> {
            let $place = of_this_run($place.into());
            self.ask(&$al, None, |fs| fs.$at($place, $($a),*))
        })*
        $(#[track_caller]
        fn $two<'p>(
            &mut self,
            $from: impl Into<At<'p, DirectFile>>,
            $to: impl Into<At<'p, DirectFile>>,
            $($t: $tt),*
        ) -> Result<$tr, Errno> {
            let ($from, $to) = (of_this_run($from.into()), of_this_run($to.into()));
            self.ask(&$tl, None, |fs| fs.$two($from, $to, $($t),*))
        })*
    };
}

/// A [`FileSystem`] and the files that are open in it, whatever their type.
pub(super) trait Port {
    calls!(declared);

    fn open(&mut self, at: At<'_, DirectFile>, flags: OFlags, mode: Mode) -> Result<u32, Errno>;
    fn open_within(
        &mut self,
        at: At<'_, DirectFile>,
        flags: OFlags,
        mode: Mode,
        resolve: ResolveFlags,
    ) -> Result<u32, Errno>;
    /// At this offset, or where the file is.
    fn read(&mut self, file: u32, most: usize, offset: Option<u64>) -> Result<Vec<u8>, Errno>;
    fn link_file(&mut self, file: u32, to: At<'_, DirectFile>) -> Result<(), Errno>;
    fn symlink(&mut self, target: &Path, at: At<'_, DirectFile>) -> Result<(), Errno>;
    fn getdents(&mut self, file: u32) -> Performed<Result<Vec<Dirent>, Errno>>;
    fn flock(&mut self, file: u32, operation: FlockOperation) -> Performed<Result<(), Errno>>;
    fn fcntl_ofd_setlk(
        &mut self,
        file: u32,
        operation: FlockOperation,
        bytes: ByteRange,
    ) -> Performed<Result<(), Errno>>;
    fn close(&mut self, file: u32);
    fn forget(&mut self, file: u32);
    fn which(&mut self, file: u32) -> Option<Status>;
    fn version(&mut self) -> Option<u64>;
    #[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
    fn now(&mut self) -> Option<Duration>;
    #[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
    fn sleep_until(&mut self, time: Duration);
    fn let_time_pass(&mut self, why: &str);
    /// Does something that nobody is told of.
    fn unobserved(&mut self, look: &mut dyn FnMut(&mut dyn Port));
}

pub(super) struct Mounted<'m, F: FileSystem> {
    pub(super) fs: &'m mut F,
    pub(super) files: &'m mut Files<F::File>,
}

/// Whether a lock is held after this succeeded.
fn takes(operation: FlockOperation) -> bool {
    !matches!(operation, FlockOperation::Unlock | FlockOperation::NonBlockingUnlock)
}

/// Whether it waits where it must.
fn is_patient(operation: FlockOperation) -> bool {
    matches!(operation, FlockOperation::LockShared | FlockOperation::LockExclusive)
}

impl<F: FileSystem<File: Held>> Port for Mounted<'_, F> {
    calls!(passed_on);

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

    fn read(&mut self, file: u32, most: usize, offset: Option<u64>) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; most];
        let file = self.files.get(file)?;
        let count = match offset {
            None => self.fs.read(file, &mut bytes)?,
            Some(offset) => self.fs.pread(file, &mut bytes, offset)?,
        };
        bytes.truncate(count);
        Ok(bytes)
    }

    fn link_file(&mut self, file: u32, to: At<'_, DirectFile>) -> Result<(), Errno> {
        let is_itself = to.directory.is_some_and(|directory| directory.number == file);
        let open = self.files.0.get_mut(file as usize).ok_or(Errno::BADF)?;
        // The place may start at another open file of the same table, so this one leaves it meanwhile.
        let mut from = if is_itself { open.clone() } else { open.take() }.ok_or(Errno::BADF)?;
        let linked = F::File::of_one(&mut from.file)
            .ok_or(Errno::BADF)
            .and_then(|file| self.fs.link_file(file, self.files.at(to)?));
        self.files.0[file as usize] = Some(from);
        linked
    }

    fn symlink(&mut self, target: &Path, at: At<'_, DirectFile>) -> Result<(), Errno> {
        self.fs.symlink(target, self.files.at(at)?)
    }

    fn getdents(&mut self, file: u32) -> Performed<Result<Vec<Dirent>, Errno>> {
        let file = match self.files.get(file) {
            Ok(file) => file,
            Err(errno) => return Performed::Answer(Err(errno)),
        };
        if let Some(way) = run::way() {
            return Performed::Answer(self.fs.getdents_as(file, way));
        }
        match untold(|| self.fs.listings(file)) {
            0 | 1 => Performed::Answer(self.fs.getdents(file)),
            ways => Performed::Ways(ways.min(MOST_WAYS)),
        }
    }

    fn flock(&mut self, file: u32, operation: FlockOperation) -> Performed<Result<(), Errno>> {
        let called = self.files.get(file).and_then(|file| self.fs.flock(file, operation));
        let Ok(open) = self.files.open(file) else { return Performed::Answer(called) };
        let before = open.is_locked;
        match called {
            Ok(()) => open.is_locked = takes(operation),
            // A conversion has lost the lock that was held before.
            Err(Errno::WOULDBLOCK) => open.is_locked = false,
            Err(_) => {}
        }
        match called {
            Err(Errno::WOULDBLOCK) if is_patient(operation) && before => Performed::Began,
            Err(Errno::WOULDBLOCK) if is_patient(operation) => Performed::Waits,
            _ => Performed::Answer(called),
        }
    }

    fn fcntl_ofd_setlk(
        &mut self,
        file: u32,
        operation: FlockOperation,
        bytes: ByteRange,
    ) -> Performed<Result<(), Errno>> {
        let file = self.files.get(file);
        match file.and_then(|file| self.fs.fcntl_ofd_setlk(file, operation, bytes)) {
            Err(Errno::WOULDBLOCK) if is_patient(operation) => Performed::Waits,
            called => Performed::Answer(called),
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

    #[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
    fn now(&mut self) -> Option<Duration> {
        self.fs.now()
    }

    #[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
    fn sleep_until(&mut self, time: Duration) {
        self.fs.sleep_until(time);
    }

    fn let_time_pass(&mut self, why: &str) {
        self.fs.let_time_pass(why);
    }

    fn unobserved(&mut self, look: &mut dyn FnMut(&mut dyn Port)) {
        let files = &mut *self.files;
        self.fs.observed(|fs| look(&mut Mounted { fs, files }));
    }
}

ports! {
    /// Runs `during` with this as the file system of the thread.
    mounted
}

/// A file system for ordinary code that is checked. It is the [`FileSystem`] of the world in which
/// the program runs, simulated or real.
///
/// The program that [`Code::files`](super::Code::files) takes gets one. It is only a handle: all of
/// them lead to the same file system.
#[derive(Debug)]
pub struct DirectFs(());

/// An open file of a [`DirectFs`]. Dropping it closes it and releases its lock. If it holds a lock,
/// the drop is a step, because others can see it.
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
        run::of_this(self.run, "file");
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
        let number = self.number();
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
            let answer = port(|port| {
                if !run::is_looking() {
                    return call(port);
                }
                let (mut call, mut seen) = (Some(call), None);
                port.unobserved(&mut |port| seen = call.take().map(|call| call(port)));
                seen.expect("a look looks once")
            });
            answer.unwrap_or_else(|| not_a_file_system(told))
        });
        // A destructor of a run that is over: nothing is performed any more.
        answer.unwrap_or(Err(Errno::CANCELED))
    }

    /// Which state the file system is in, as far as the world can say.
    fn version() -> Option<u64> {
        port(|port| port.version()).flatten()
    }
}

/// This many sleeps of a run may pass without any change.
const SHORT_SLEEPS: usize = 4;

thread_local! {
    /// Whether every sleep ends.
    static AWAKE: Cell<bool> = const { Cell::new(false) };
}

/// Does something in which every sleep ends.
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
pub(crate) fn awake<T>(act: impl FnOnce() -> T) -> T {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            AWAKE.set(self.0);
        }
    }
    let _before = Before(AWAKE.replace(true));
    act()
}

/// Lets time pass. Each of a program's first sleeps is a step that changes nothing: others act
/// before and after it, or do not. A further sleep lasts until the file system differs from what it
/// was after the sleep before. A real file system is not waited for.
#[track_caller]
pub(crate) fn let_time_pass(why: &str) {
    sleep(why, || {
        port(|port| port.let_time_pass(why));
        why.to_owned()
    });
}

/// A sleep of this name, which ends with `ends`, and is told as that says.
#[track_caller]
fn sleep(why: &str, ends: impl FnOnce() -> String) {
    let asked = fingerprint(&why);
    let (slept, before) = run::answered_so_far::<Option<u64>>(asked);
    ask(&why, asked, || {
        let now = if slept + 1 < SHORT_SLEEPS { None } else { DirectFs::version() };
        let lasts = match run::sleeps_ahead() {
            Some(ends) => !ends,
            None if AWAKE.get() => false,
            None => slept >= SHORT_SLEEPS && now.is_some() && before.flatten() == now,
        };
        let told = if lasts { format!("{why} waits") } else { ends() };
        called(format_args!("{told}"));
        if lasts { Performed::Waits } else { Performed::Answer(now) }
    });
}

/// Whether sleeps move the clock of the world on: then they [begin and end](Sleep).
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
pub(crate) fn has_clock() -> bool {
    shows().is_some()
}

#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
fn shows() -> Option<Duration> {
    port(|port| port.now()).flatten()
}

/// Tells of something in the world of sleeps, and answers it.
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
fn told<T>(told: &str, answer: T) -> Performed<T> {
    port(|port| port.let_time_pass(told));
    called(format_args!("{told}"));
    Performed::Answer(answer)
}

/// What the world's clock shows. It is an operation: before it and after it, time may pass.
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
#[track_caller]
pub(crate) fn clock(begins: Duration) -> Duration {
    const WHAT: &str = "clock_gettime";
    let clock = ask(&WHAT, fingerprint(&WHAT), || {
        let now = shows().unwrap_or_default();
        told(&format!("{WHAT} = {:?}", now.saturating_sub(begins)), now)
    });
    clock.unwrap_or_default()
}

/// A sleep in a world whose clock sleeps move on.
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sleep {
    until: Duration,
    /// The number of the operation that began it, if one did.
    begun: Option<usize>,
}

#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
impl Sleep {
    /// A sleep that ends when the clock shows this, whenever it begins.
    pub(crate) fn until(until: Duration) -> Self {
        Sleep { until, begun: None }
    }

    /// A sleep of this length begins. It is an operation that changes nothing: the answer is when the sleep
    /// ends. Nobody knows of it once it has ended.
    #[track_caller]
    pub(crate) fn begin(why: &str, length: Duration) -> Self {
        if run::is_known_next(fingerprint(&why)) {
            return Self::until(Duration::ZERO);
        }
        let what = format!("{why}({length:?})");
        let begun = Some(run::asked_so_far());
        let until = ask(&what, fingerprint(&what), || {
            told(&what, shows().unwrap_or_default().saturating_add(length))
        });
        Sleep { until: until.unwrap_or_default(), begun }
    }

    /// It ends: the world's clock shows this time, or more. As with [`let_time_pass`], a sleep after the first
    /// ones lasts until a file has changed.
    #[track_caller]
    pub(crate) fn end(self, why: &str, begins: Duration) {
        sleep(why, || {
            port(|port| port.sleep_until(self.until));
            let now = shows().unwrap_or_default();
            let ended = format!("{why} ends at {:?}", now.saturating_sub(begins));
            port(|port| port.let_time_pass(&ended));
            ended
        });
        if let Some(begun) = self.begun {
            run::forget_before_last(begun);
        }
    }
}

/// The program was given another kind of world.
fn not_a_file_system(what: &dyn Display) -> ! {
    panic!(
        "`{what}`: the program is checked in a world that is no file system (`Code::new` and `Code::files` take \
         one that is){}",
        run::line()
    )
}

impl FileSystem for DirectFs {
    type File = DirectFile;

    calls!(asked);

    #[track_caller]
    fn open<'p>(
        &mut self,
        at: impl Into<At<'p, DirectFile>>,
        flags: OFlags,
        mode: Mode,
    ) -> Result<DirectFile, Errno> {
        let at = of_this_run(at.into());
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
        let at = of_this_run(at.into());
        let line = Line::OpenWithin(at, flags, mode, resolve);
        let number = self.ask(&line, None, |fs| fs.open_within(at, flags, mode, resolve))?;
        Ok(DirectFile::of(number))
    }

    #[track_caller]
    fn read(&mut self, file: &mut DirectFile, buffer: &mut [u8]) -> Result<usize, Errno> {
        let (number, most) = (file.number(), buffer.len());
        let bytes = self.ask(&Line::Read, Some(number), |fs| fs.read(number, most, None))?;
        Ok(copied(&bytes, buffer))
    }

    #[track_caller]
    fn pread(
        &mut self,
        file: &mut DirectFile,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<usize, Errno> {
        let (number, most) = (file.number(), buffer.len());
        let line = Line::Pread(offset);
        let bytes = self.ask(&line, Some(number), |fs| fs.read(number, most, Some(offset)))?;
        Ok(copied(&bytes, buffer))
    }

    #[track_caller]
    fn link_file<'p>(
        &mut self,
        file: &mut DirectFile,
        to: impl Into<At<'p, DirectFile>>,
    ) -> Result<(), Errno> {
        let (number, to) = (file.number(), of_this_run(to.into()));
        self.ask(&Line::LinkFile(to), Some(number), |fs| fs.link_file(number, to))
    }

    #[track_caller]
    fn symlink<'p>(
        &mut self,
        target: &Path,
        at: impl Into<At<'p, DirectFile>>,
    ) -> Result<(), Errno> {
        let at = of_this_run(at.into());
        self.ask(&Line::Symlink(target, at), None, |fs| fs.symlink(target, at))
    }

    /// Where a simulation leaves several answers open, each answer is explored, as a
    /// [choice](crate::Step::Choice).
    #[track_caller]
    fn getdents(&mut self, file: &mut DirectFile) -> Result<Vec<Dirent>, Errno> {
        let number = file.number();
        self.perform(&Line::Getdents, Some(number), |fs| fs.getdents(number))
    }

    /// The program does not notice a wait: an operation that has to wait is answered once it need
    /// not.
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

    /// As [`flock`](FileSystem::flock).
    #[track_caller]
    fn fcntl_ofd_setlk(
        &mut self,
        file: &mut DirectFile,
        operation: FlockOperation,
        bytes: ByteRange,
    ) -> Result<(), Errno> {
        let number = file.number();
        let line = Line::Ofd(operation, bytes, None);
        let call = |fs: &mut dyn Port| fs.fcntl_ofd_setlk(number, operation, bytes);
        self.perform(&line, Some(number), call)?;
        // Others of its bytes may still be locked: only all of them at once are surely not.
        match (takes(operation), bytes) {
            (true, _) => run::lock(number),
            (false, ByteRange::ALL) => run::unlock(number),
            (false, _) => {}
        }
        Ok(())
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

/// A place that starts at nothing that another run has opened.
#[track_caller]
fn of_this_run(at: At<'_, DirectFile>) -> At<'_, DirectFile> {
    if let Some(directory) = at.directory {
        directory.number();
    }
    at
}

/// Puts what was read into a buffer.
fn copied(bytes: &[u8], buffer: &mut [u8]) -> usize {
    let count = bytes.len().min(buffer.len());
    buffer[..count].copy_from_slice(&bytes[..count]);
    count
}
