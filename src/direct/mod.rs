//! Second floor, `direct`: ordinary code as a process. Imports [`process`](crate::process), the worlds of
//! the first floor, and [`check`](crate::check).
//!
//! The state of a deterministic program is the answers that it got so far. So a function, its
//! arguments and those answers are a [`Process`].
//!
//! A step runs the function from its start and gives it the known answers. Then it lets the
//! function perform one more operation on the world, and stops it at the next one. Nobody has to
//! rewrite the function as a state machine, and the states are exact: every engine of
//! [`check`](crate::check) takes them.
//!
//! ```
//! use toctou::check::System;
//! use toctou::direct::{Code, DirectFs};
//! use toctou::fs::{Errno, FileSystem, Mode, OFlags, SimFs};
//!
//! /// Takes a lock by making its file.
//! fn lock(fs: &mut DirectFs) -> Result<(), Errno> {
//!     if fs.open("lock", OFlags::RDONLY, Mode::empty()).is_ok() {
//!         return Err(Errno::EXIST);
//!     }
//!     fs.open("lock", OFlags::WRONLY | OFlags::CREATE, Mode::RUSR | Mode::WUSR)?;
//!     Ok(())
//! }
//!
//! System::new(SimFs::new())
//!     .clients(2, Code::files(lock))
//!     .at_most(1, "one-holder", |client| client.output().filter(|told| told.is_ok()).cloned())
//!     .assert_breaks("one-holder");
//! ```
//!
//! # What a program may be
//!
//! Any Rust function: loops, early returns, `?`, recursion, values with a destructor. It has to
//! meet two conditions:
//!
//! - **It is deterministic.** Each operation that it asks for depends only on its arguments and on
//!   the answers that it got. If a program asks for something else at the same place, the check
//!   fails and names both questions.
//! - **All that others can see goes through the world**: through the handle that it is given, or
//!   through `toctou::std`. It runs on one thread. A `Mutex`, a static or a channel that clients
//!   share is not explored.
//!
//! A run is abandoned many times before one comes to its end. Each time its stack is unwound, and
//! the operations that a destructor then asks for are not performed. The program does not notice
//! when a call has to wait (for a lock, for a row): the call is answered once it need not wait.
//!
//! | what to express | how |
//! | --- | --- |
//! | one of several ways (a payment fails, a process dies) | [`choose`] |
//! | where the program is, for a property | [`section`] |
//! | answers that no longer matter | [`forget`], [`forget_over`] |
//! | a loop that tries until it succeeds | [`retry`], [`retry_over`] |
//!
//! An `async fn` is a program, too: [`Code::future`]. Each operation that it awaits is a step.
//!
//! # What it costs
//!
//! A step takes as long as the program takes from its start to its next operation. Each (world,
//! answers) pair is run once. States that differ only in answers that no longer matter stay apart,
//! unless these answers are [forgotten](forget).

mod files;
mod held;
mod lent;
mod machine;
#[cfg(feature = "http")]
mod network;
mod own;
mod run;
mod sessions;
mod tape;
mod tasks;

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;

pub(crate) use files::let_time_pass;
pub use files::{DirectFile, DirectFs, Files};
use files::{Mounted, mounted};
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
pub(crate) use files::{Sleep, awake, clock, has_clock};
pub use held::{Connections, Held, Served, Sessions, Slots};
pub use machine::{Both, Machine, MachineCode};
#[cfg(feature = "http")]
pub use network::{DirectConnection, DirectNet};
use own::within;
pub use own::{Own, Unheld};
#[cfg(feature = "tokio")]
pub(crate) use run::at;
#[cfg(any(feature = "command", feature = "run"))]
pub(crate) use run::observed;
use run::{Run, Stop, Stopped, ended, ends_otherwise};
pub use run::{Section, choose, forget, forget_over, retry, retry_over, section};
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
pub(crate) use run::{answers_known, asked_so_far};
pub(crate) use run::{at_caller, attempt, is_running, line, process, remembered};
use sessions::{Connected, connected};
pub use sessions::{DirectDb, DirectSession};
use tape::{Entry, Past, Question};
pub use tasks::operation;

use crate::calls::untold;
use crate::db::{Database, Service, SimSession};
use crate::fs::{Errno, FileSystem, SimFile, errno_name};
use crate::held::{Holding, Kind, note};
use crate::{Process, Step};

/// A program and the answers that it got so far: a [`Process`] over every world of its kind.
///
/// `H` is what the program holds in its world ([`Files`], [`Sessions`], or nothing); `T` is what it
/// returns. Two values are equal if they are of one program (one is a clone of the other) and got
/// the same answers.
pub struct Code<H, T> {
    program: Arc<dyn Fn() -> T + Send + Sync>,
    past: Past,
    held: H,
    pending: Option<Question>,
    sections: Vec<Arc<str>>,
    process: u32,
    /// How many of its operations fail before a run of it that is over is unwound.
    failing: usize,
    /// Whether two ends of it are alike, if it is run once more at its end to find that out.
    ends_alike: Option<fn(&T, &T) -> bool>,
}

/// A program over files, in the simulation.
pub type FileCode<T> = Code<Files<SimFile>, T>;

/// A program over sessions of a database, in the simulation.
pub type SessionCode<T> = Code<Sessions<SimSession>, T>;

/// An error of the operating system, or another one of [`std::io`], as a value that can be
/// compared. It is the output of a program that fails with an [`io::Error`].
#[derive(Clone, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{text}")]
pub struct Failed {
    /// The error code of the operating system, if the error comes from there.
    pub errno: Option<Errno>,
    /// What kind of error it is.
    pub kind: io::ErrorKind,
    text: String,
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        let errno = Errno::from_io_error(&error);
        Failed { errno, kind: error.kind(), text: error.to_string() }
    }
}

/// `ENOENT`, or what the error says.
impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.errno {
            Some(errno) => f.write_str(&errno_name(errno)),
            None => write!(f, "{:?}: {}", self.kind, self.text),
        }
    }
}

impl<T> FileCode<Result<T, Failed>> {
    /// A program over `toctou::std` that may end with an [`io::Error`]: `|| save("report")`.
    pub fn io(program: impl Fn() -> io::Result<T> + Send + Sync + 'static) -> Self {
        Self::new(move || program().map_err(Failed::from))
    }
}

impl<T> FileCode<T> {
    /// A program over `toctou::std`: `|| claim("key")`.
    pub fn new(program: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self::start(Arc::new(program), Files::default())
    }

    /// A program over a file system: `|fs| claim(fs, "key")`.
    pub fn files(program: impl Fn(&mut DirectFs) -> T + Send + Sync + 'static) -> Self {
        Self::start(Arc::new(move || program(&mut DirectFs::new())), Files::default())
    }

    /// The same program, with a faster way to abandon its runs. The program has to end soon once
    /// its operations fail, and must not panic on any error.
    ///
    /// Each further operation of an abandoned run then fails with `ECANCELED`. The run is unwound
    /// only if it still goes on and on. That takes a fraction of the time.
    pub fn ending_on_errors(self) -> Self {
        Code { failing: run::FAILING, ..self }
    }

    /// A program that is an `async fn` over `toctou::tokio`: `|| async { claim("key").await }`. It
    /// runs on a small executor, on which each operation is a step. For futures that are awaited
    /// together, see [`operation`].
    pub fn future<F: Future<Output = T>>(program: impl Fn() -> F + Send + Sync + 'static) -> Self {
        Self::new(move || tasks::complete(program()))
    }
}

impl<F, T> Code<Files<F>, T> {
    /// The same program before its first step, over another file system: for a replay, over the one
    /// of the kernel.
    pub fn over_files<G>(&self) -> Code<Files<G>, T> {
        let code = Code::start(self.program.clone(), Files::default());
        Code { process: self.process, failing: self.failing, ..code }
    }
}

impl<S, T> Code<Sessions<S>, T> {
    /// A program over a database. Its session exists before the program begins:
    /// `Code::session(SimSession::new(), |db, session| redeem(db, session))`.
    pub fn session(
        session: S,
        program: impl Fn(&mut DirectDb, &mut DirectSession) -> T + Send + Sync + 'static,
    ) -> Self {
        let program = move || program(&mut DirectDb::new(), &mut DirectSession::numbered(0));
        Self::start(Arc::new(program), Sessions(Slots::of([session])))
    }

    /// The same program before its first step, over another database: for a replay, over a real
    /// one.
    pub fn over_session<R>(&self, session: R) -> Code<Sessions<R>, T> {
        Code::start(self.program.clone(), Sessions(Slots::of([session])))
    }
}

impl<S, T> Code<Served<S>, T> {
    /// A program over a database that server processes use. The program also uses the memory of
    /// these processes: its [`DirectDb`] is a [`Service`].
    pub fn served(
        session: S,
        program: impl Fn(&mut DirectDb, &mut DirectSession) -> T + Send + Sync + 'static,
    ) -> Self {
        let Code { program, held, .. } = Code::session(session, program);
        Self::start(program, Served(held.0))
    }

    /// The same program before its first step, over another database: for a replay, over a real
    /// one.
    #[cfg(feature = "command")]
    pub(crate) fn over_service<R>(&self, session: R) -> Code<Served<R>, T> {
        Code::start(self.program.clone(), Served(Slots::of([session])))
    }
}

#[cfg(feature = "http")]
impl<C, T> Code<Connections<C>, T> {
    /// A program over a network: `|net| fetch(net, "http://a.example/")`. `C` is the type of the
    /// network's connections: [`SimConnection`](crate::net::SimConnection) in the simulated
    /// network.
    pub fn network(program: impl Fn(&mut DirectNet) -> T + Send + Sync + 'static) -> Self {
        let program = move || program(&mut DirectNet::new());
        Self::start(Arc::new(program), Connections(Slots::default()))
    }

    /// The same program before its first step, over another network: for a replay, over loopback.
    pub fn over_network<R>(&self) -> Code<Connections<R>, T> {
        Code::start(self.program.clone(), Connections(Slots::default()))
    }
}

impl<W: Clone + 'static, T> Code<Unheld<W>, T> {
    /// A program over a world of your own: `|world| redeem(world)`.
    pub fn over(program: impl Fn(&mut Own<W>) -> T + Send + Sync + 'static) -> Self {
        Self::start(Arc::new(move || program(&mut Own::new())), Unheld::NOTHING)
    }
}

impl<H, T> Code<H, T> {
    /// What the program holds in its world.
    pub fn held(&self) -> &H {
        &self.held
    }

    /// What the program holds in its world, taken from a program that does not go on: a process
    /// that dies.
    pub fn into_held(self) -> H {
        self.held
    }

    fn start(program: Arc<dyn Fn() -> T + Send + Sync>, held: H) -> Self {
        let (past, sections) = (Past::default(), Vec::new());
        let ends_alike = None;
        Code { program, past, held, pending: None, sections, process: 1, failing: 0, ends_alike }
    }

    /// The same program as a part of this process of the operating system:
    /// `toctou::std::process::id` returns this number. Without it, all programs are threads of
    /// process 1.
    pub fn in_process(self, id: u32) -> Self {
        Code { process: id, ..self }
    }

    /// The same program, run once more at its end, to see that it ends so again with the same answers.
    #[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn ending_alike(self) -> Self
    where
        T: PartialEq,
    {
        Code { ends_alike: Some(|one, other| one == other), ..self }
    }

    /// Whether the program is within a [`section`] of this name.
    pub fn is_in(&self, section: &str) -> bool {
        self.sections.iter().any(|known| **known == *section)
    }

    /// How many answers the program got, without those that are [forgotten](forget).
    pub fn answers(&self) -> usize {
        self.past.len()
    }

    /// The operation that the program asks for next, if it has made a step or waits.
    pub fn asks(&self) -> Option<&str> {
        self.pending.as_ref().map(|question| &*question.text)
    }

    fn after(self, run: Run, pending: Option<Question>) -> Self {
        Code { past: run.past, pending, sections: run.sections_then, ..self }
    }

    /// Takes a step. `in_world` runs its argument where the world and the things that the program
    /// holds are there.
    fn step_in(mut self, mut in_world: impl FnMut(&mut H, &mut dyn FnMut())) -> Step<Self, T>
    where
        H: Clone,
    {
        let run = Run::new(&self.past, self.pending.clone());
        let (mut run, output) = self.run_in(run, &mut in_world);
        if let Some(output) = output {
            self.ends_again(run.past, &output, &mut in_world);
            return Step::Done(output);
        }
        // What it looked at before the operation is known from now on, whatever becomes of that.
        let looked = run.past != self.past;
        self.past = run.past.clone();
        match run.stopped.take() {
            // Who has to wait changes nothing: what it looked at is a step of its own.
            Some(Stopped::Waits(asked)) if looked => Step::Next(self.after(run, Some(asked))),
            Some(Stopped::Waits(asked)) => Step::Blocked(Code { pending: Some(asked), ..self }),
            None => Step::Blocked(self),
            Some(Stopped::Began) => Step::Next(self),
            Some(Stopped::Choose(question, count)) if !run.performed => {
                let ways = 0..count;
                Step::Choice(ways.map(|way| self.way(&question, way, &mut in_world)).collect())
            }
            Some(Stopped::Ways(count)) => {
                let ways = 0..count;
                Step::Choice(ways.map(|way| self.answered(way, &mut in_world)).collect())
            }
            Some(Stopped::Before(question) | Stopped::Choose(question, _)) => {
                Step::Next(self.after(run, Some(question)))
            }
        }
    }

    /// Where one of several answers to the next operation leads: the one of this index. It changes
    /// nothing that others see.
    fn answered(
        &self,
        way: usize,
        in_world: &mut impl FnMut(&mut H, &mut dyn FnMut()),
    ) -> Step<Self, T>
    where
        H: Clone,
    {
        let mut next = self.clone();
        let run = Run::new(&next.past, next.pending.clone()).that_goes(way);
        // It is one call, whichever answer it gets.
        let came = untold(|| next.run_in(run, in_world));
        next.having(came)
    }

    /// Runs it once more to its end, where that is asked for: with the same answers, it has to end so again.
    fn ends_again(
        &self,
        past: Past,
        output: &T,
        in_world: &mut impl FnMut(&mut H, &mut dyn FnMut()),
    ) where
        H: Clone,
    {
        let Some(are_alike) = self.ends_alike else { return };
        let run = Run::new(&past, None).that_performs_nothing();
        let (run, again) = untold(|| self.clone().run_in(run, in_world));
        match (again, run.stopped) {
            (Some(again), _) if are_alike(&again, output) => {}
            (_, Some(Stopped::Before(question) | Stopped::Choose(question, _))) => {
                panic!("{}", ended(&question, past.len()))
            }
            _ => panic!("{}", ends_otherwise(past.len())),
        }
    }

    /// What one way of several came to.
    fn having(self, (mut run, output): (Run, Option<T>)) -> Step<Self, T> {
        match (output, run.stopped.take()) {
            (Some(output), _) => Step::Done(output),
            (None, Some(Stopped::Before(question) | Stopped::Choose(question, _))) => {
                Step::Next(self.after(run, Some(question)))
            }
            // Its operation goes on in this way.
            (None, Some(Stopped::Began)) => Step::Next(self),
            (None, _) => Step::Next(self.after(run, None)),
        }
    }

    fn run_in(
        &mut self,
        run: Run,
        in_world: &mut impl FnMut(&mut H, &mut dyn FnMut()),
    ) -> (Run, Option<T>) {
        let run = run.in_process(self.process).failing(self.failing);
        let program = self.program.clone();
        let (mut run, mut took) = (Some(run), None);
        in_world(&mut self.held, &mut || took = run.take().map(|run| take(&*program, run)));
        took.expect("`in_world` runs what it is given")
    }

    /// Where this way of a choice leads: to the next operation, or to the end.
    fn way(
        &self,
        question: &Question,
        way: usize,
        in_world: &mut impl FnMut(&mut H, &mut dyn FnMut()),
    ) -> Step<Self, T>
    where
        H: Clone,
    {
        let mut next = self.clone();
        let answer = Arc::new(way);
        next.past.push(Entry { question: question.clone(), answer, is_look: false });
        let run = Run::new(&next.past, None).that_performs_nothing();
        let came = next.run_in(run, in_world);
        next.having(came)
    }
}

/// Runs a program to where the run ends.
fn take<T>(program: &dyn Fn() -> T, run: Run) -> (Run, Option<T>) {
    let (run, came) = run.of(program);
    match came {
        // Somebody may have caught the unwinding.
        Ok(_) if run.stopped.is_some() => (run, None),
        Ok(output) => {
            if let Some(skipped) = run.skipped() {
                panic!("{}", ended(&skipped, run.asked()));
            }
            (run, Some(output))
        }
        Err(why) if why.is::<Stop>() => (run, None),
        Err(panic) => resume_unwind(explained(panic)),
    }
}

/// A panic over a poisoned lock says whose doing that is.
fn explained(panic: Box<dyn Any + Send>) -> Box<dyn Any + Send> {
    let told = (panic.downcast_ref::<String>().map(String::as_str))
        .or_else(|| panic.downcast_ref::<&str>().copied());
    match told {
        Some(told) if told.contains("PoisonError") => Box::new(format!(
            "{told}. Every run of a checked program but the last is abandoned by unwinding, and a \
             `std::sync::Mutex` that it holds across an operation is poisoned by that. Such a lock is none \
             in an exploration, either: all programs of it run on one thread. A lock between processes \
             belongs to the world: a file's `lock`, a row's, or `wait` in a world of one's own"
        )),
        _ => panic,
    }
}

impl<F, T> Process<F> for Code<Files<F::File>, T>
where
    F: FileSystem<File: Held>,
{
    type Output = T;

    fn step(self, fs: &mut F) -> Step<Self, T> {
        self.step_in(|files, program| mounted(&mut Mounted { fs, files }, program))
    }
}

impl<D, T> Process<D> for Code<Sessions<D::Session>, T>
where
    D: Database<Session: Held>,
{
    type Output = T;

    fn step(self, database: &mut D) -> Step<Self, T> {
        let serve = |_: &mut D, _| None;
        self.step_in(|Sessions(sessions), program| {
            connected(&mut Connected { database, sessions, serve }, program)
        })
    }

    fn is_underway(&self) -> bool {
        self.held.iter().any(Held::is_underway)
    }
}

impl<W, T> Process<W> for Code<Served<W::Session>, T>
where
    W: Service<Session: Held>,
{
    type Output = T;

    fn step(self, world: &mut W) -> Step<Self, T> {
        self.step_in(|Served(sessions), program| {
            let database = &mut *world;
            connected(&mut Connected { database, sessions, serve: Connected::SERVES }, program)
        })
    }

    fn is_underway(&self) -> bool {
        self.held.iter().any(Held::is_underway)
    }
}

#[cfg(feature = "http")]
impl<N, T> Process<N> for Code<Connections<N::Connection>, T>
where
    N: crate::net::Network<Connection: Held> + crate::net::Scripted,
{
    type Output = T;

    fn step(self, net: &mut N) -> Step<Self, T> {
        self.step_in(|Connections(connections), program| {
            network::online(&mut network::Online { net, connections }, program)
        })
    }
}

impl<W: 'static, T> Process<W> for Code<Unheld<W>, T> {
    type Output = T;

    fn step(self, world: &mut W) -> Step<Self, T> {
        self.step_in(|_, program| within(world, program))
    }
}

impl<H: Clone, T> Clone for Code<H, T> {
    fn clone(&self) -> Self {
        Code {
            program: self.program.clone(),
            past: self.past.clone(),
            held: self.held.clone(),
            pending: self.pending.clone(),
            sections: self.sections.clone(),
            process: self.process,
            failing: self.failing,
            ends_alike: self.ends_alike,
        }
    }
}

/// What it asks next and where it is follow from these.
impl<H: PartialEq, T> PartialEq for Code<H, T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.program, &other.program)
            && self.past == other.past
            && self.held == other.held
            && self.process == other.process
    }
}

impl<H: Eq, T> Eq for Code<H, T> {}

impl<H: Hash, T> Hash for Code<H, T> {
    fn hash<S: Hasher>(&self, state: &mut S) {
        for section in &self.sections {
            let how = || section.to_string();
            note(|| Holding { kind: Kind::Section, thing: 0, how: how() });
        }
        self.past.hash(state);
        self.held.hash(state);
    }
}

impl<H, T> fmt::Debug for Code<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.asks() {
            Some(next) => write!(f, "Code(before {next})"),
            None => f.write_str("Code(start)"),
        }
    }
}
