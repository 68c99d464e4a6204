//! Third floor, `run`: programs of the operating system as processes, unmodified. Imports
//! [`direct`](crate::direct) and [`fs`](crate::fs). Linux on x86-64 only.
//!
//! A program runs under `ptrace`. Its system calls on the world's directory are answered from the file
//! system of the check. All its other calls go to the kernel. A program that got the same answers is in
//! the same state. So a [`Command`] becomes a [process](ProgramCode), like an ordinary function: each engine of
//! [`check`](crate::check) explores it, and a counterexample is replayed on the kernel.
//!
//! ```no_run
//! use toctou::check::System;
//! use toctou::fs::SimFs;
//! use toctou::run::Command;
//!
//! // A lock file as it is often written in a shell script.
//! let lock = Command::shell("[ -e lock ] || { : > lock && echo got; }");
//! System::new(SimFs::new())
//!     .clients(2, lock.process()?)
//!     .at_most(1, "one-holder", |client| client.output().filter(|it| it.says("got")).map(|_| ()))
//!     .assert_breaks("one-holder");
//! # Ok::<(), toctou::run::RunError>(())
//! ```
//!
//! # What a program may be
//!
//! - **Any executable**, with its child processes: a shell script, a Python or Node program, a binary. It
//!   begins in the world's directory, with an empty standard input, a small environment and umask 022.
//! - **It is deterministic.** A program that makes another call after the same answers is found out, and
//!   both calls are told. Time, process numbers, the bytes of `getrandom`, addresses and Python's hash seed
//!   are the same in each run.
//! - **It may sleep.** A sleep returns at once, and is a step. The first four end with
//!   nothing changed. A later one lasts until something in the world changes, unless the program would give up
//!   within 256 sleeps. In a world with [`Clock::Sleeps`](crate::fs::Clock::Sleeps), it begins in one step and
//!   ends in another, and the time passes for all.
//! - **It works in the world.** A path is in the world if it is relative to a directory there, or below
//!   [`WORLD`]. A program that opens a file outside for writing is refused, unless that is
//!   [noted](Command::noting).
//!
//! # A database
//!
//! [`Command::with_database`] gives a program a PostgreSQL server: a [`SimDb`] behind
//! PostgreSQL's protocol. Its world is a [`Machine`](crate::direct::Machine), of files and that
//! database.
//!
//! # What is not simulated
//!
//! A call on the world that is not simulated ends the check as a panic that names the call and the
//! program. It never ends in a verdict. Not simulated are, among
//! others:
//!
//! - signals to processes of others, timers, locks outside of the world;
//! - the network, but for the database;
//! - a shared `mmap` of a file of the world, and `execve` of one;
//! - `truncate`, `fallocate`, `statfs`, `inotify`, and symbolic links with an absolute target;
//! - sockets and pipes with names in the world.
//!
//! `docs/run.md` in the repository has the whole list.
//!
//! The processes of one program that work at the same time (`a | b`) make their calls on the world in every
//! order. A wait for something else than the world that ends by its time-out (`poll`, `futex`) takes its real
//! time, and counts as a sleep.

mod calls;
mod checkpoint;
mod code;
mod connections;
mod identity;
mod memory;
mod reading;
mod spawn;
mod steps;
mod tree;
mod watch;

use std::collections::BTreeSet;
use std::ffi::{CString, NulError, OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::db::SimDb;
use crate::direct::Code;

pub use code::ProgramCode;
pub use reading::{ReadError, empty, read};
pub use tree::runs;

/// What programs call the world's directory: the one in which they begin.
pub const WORLD: &str = "/world";

/// A program and its arguments.
#[derive(Clone, Debug)]
pub struct Command {
    program: OsString,
    arguments: Vec<OsString>,
    path: OsString,
    patience: Duration,
    may_be_killed: bool,
    outside: Option<Outside>,
    database: Option<SimDb>,
}

/// The files outside of the world that programs wrote, made or removed.
///
/// A program that is explored runs many times, and each time it does so for real.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    changed: Arc<Mutex<BTreeSet<PathBuf>>>,
    asked_time: Arc<AtomicBool>,
    polled: Arc<AtomicBool>,
    is_refused: bool,
}

impl Outside {
    /// A program that changes something outside is refused. Whether it asked for the time is noted.
    pub fn refused() -> Self {
        Outside { is_refused: true, ..Outside::default() }
    }

    /// What was changed so far.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Whether a program asked what time it is, after its first call on the world.
    pub fn asked_time(&self) -> bool {
        self.asked_time.load(Ordering::Relaxed)
    }

    /// Whether a program was made to wait that sleeps again and again until a file changes, in a world in which
    /// [time passes while it sleeps](crate::fs::Clock::Sleeps). So not all of that time passed.
    pub fn polled(&self) -> bool {
        self.polled.load(Ordering::Relaxed)
    }
}

/// How a program ended, and what it printed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ended {
    /// The exit status; `None` if a signal killed it.
    pub status: Option<i32>,
    /// The signal that killed it, if one did.
    pub signal: Option<i32>,
    /// What it printed to its standard output.
    pub stdout: String,
    /// What it printed to its standard error.
    pub stderr: String,
}

impl Ended {
    /// Whether this text is in what the program printed.
    pub fn says(&self, text: &str) -> bool {
        self.stdout.contains(text)
    }

    /// Whether it ended with status 0.
    pub fn succeeded(&self) -> bool {
        self.status == Some(0)
    }
}

/// `0 "got"`, `signal 9`.
impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status, self.signal) {
            (Some(status), _) => write!(f, "{status}")?,
            (None, Some(signal)) => write!(f, "signal {signal}")?,
            (None, None) => f.write_str("?")?,
        }
        match self.stdout.trim_end() {
            "" => Ok(()),
            said => write!(f, " {said:?}"),
        }
    }
}

/// Why a program cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no such program, or it may not be executed.
    #[error("cannot run `{}`: {why}", .program.display())]
    Program {
        /// The program, as it was named.
        program: PathBuf,
        /// Why not.
        why: String,
    },
    /// An argument has a NUL byte in it.
    #[error("an argument has a NUL byte in it: {0}")]
    Nul(#[from] NulError),
}

/// How long a program may go on without a call on the world or an end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where programs are looked for.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// What a program finds in its environment, beside `PATH`.
const ENVIRONMENT: [&str; 6] = [
    "LC_ALL=C",
    "HOME=/",
    "TZ=UTC",
    "PYTHONDONTWRITEBYTECODE=1",
    "PYTHONHASHSEED=0",
    "UV_USE_IO_URING=0",
];

impl Command {
    /// A program: a path, or a name that is looked up in the directories of `PATH`, which are
    /// `/usr/local/bin`, `/usr/bin` and `/bin`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Command {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            path: PATH.into(),
            patience: PATIENCE,
            may_be_killed: false,
            outside: None,
            database: None,
        }
    }

    /// A shell script: `sh -c SCRIPT`.
    pub fn shell(script: impl AsRef<OsStr>) -> Self {
        Command::new("/bin/sh").argument("-c").argument(script)
    }

    /// One more argument.
    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Another `PATH`, for the lookup of the program and in its environment.
    #[must_use]
    pub fn with_path(self, path: impl AsRef<OsStr>) -> Self {
        Command { path: path.as_ref().to_owned(), ..self }
    }

    /// How long a run may take before it counts as a program that never ends: 10 seconds, if not set.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Command { patience, ..self }
    }

    /// The same program, which is killed (`SIGKILL`) before any of its calls on the world, or not at all.
    ///
    /// All of its processes die then. Its locks are released, and the others go on.
    #[must_use]
    pub fn that_may_be_killed(self) -> Self {
        Command { may_be_killed: true, ..self }
    }

    /// Lets the program write outside of the world, or [not](Outside::refused). What it writes there is noted.
    ///
    /// Without this, it is refused.
    #[must_use]
    pub fn noting(self, outside: &Outside) -> Self {
        Command { outside: Some(outside.clone()), ..self }
    }

    /// The program finds a PostgreSQL server with these tables: the database of its
    /// [world](crate::direct::Machine), which has to begin with the same ones.
    ///
    /// It is at port 5432 of 127.0.0.1 and asks for no password. `DATABASE_URL` and libpq's variables (`PGHOST`
    /// and so on) say so.
    #[must_use]
    pub fn with_database(self, tables: &SimDb) -> Self {
        Command { database: Some(tables.clone()), ..self }
    }

    /// The program as a process of a system over files, or over files and a database.
    ///
    /// # Errors
    ///
    /// Where the program is not there or may not be executed, and where an argument has a NUL byte.
    pub fn process(&self) -> Result<ProgramCode, RunError> {
        let program = Arc::new(Program::new(self)?);
        let polled = self.outside.as_ref().map(|outside| outside.polled.clone());
        let code = Code::machine(move |fs, _| tree::run(&program, fs)).ending_alike();
        Ok(ProgramCode::new(code, polled.unwrap_or_default()))
    }
}

/// A program that can be started.
#[derive(Debug)]
pub(crate) struct Program {
    /// How messages name it.
    name: String,
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
    patience: Duration,
    may_be_killed: bool,
    outside: Option<Outside>,
    /// What its database begins with, where there is one.
    database: Option<SimDb>,
}

impl Program {
    fn new(command: &Command) -> Result<Program, RunError> {
        let path = found(Path::new(&command.program), &command.path)?;
        let text = |text: &OsStr| CString::new(text.as_bytes());
        let arguments = std::iter::once(&command.program).chain(&command.arguments);
        let mut searched = OsString::from("PATH=");
        searched.push(&command.path);
        let of_database: &[&str] =
            if command.database.is_some() { &connections::ENVIRONMENT } else { &[] };
        let environment = ENVIRONMENT.iter().chain(of_database).map(OsStr::new);
        let environment = environment.chain([searched.as_os_str()]);
        Ok(Program {
            name: command.program.display().to_string(),
            path: text(path.as_os_str())?,
            arguments: arguments.map(|it| text(it)).collect::<Result<_, _>>()?,
            environment: environment.map(text).collect::<Result<_, _>>()?,
            patience: command.patience,
            may_be_killed: command.may_be_killed,
            outside: command.outside.clone(),
            database: command.database.clone(),
        })
    }

    /// Notes that it changes this, which is outside of the world, if that is allowed.
    fn notes_outside(&self, path: &Path) -> bool {
        let Some(outside) = self.outside.as_ref().filter(|it| !it.is_refused) else { return false };
        outside.changed.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned());
        true
    }

    /// Notes that it asked what time it is.
    fn notes_clock(&self) {
        if let Some(outside) = &self.outside {
            outside.asked_time.store(true, Ordering::Relaxed);
        }
    }
}

/// Where the program is.
fn found(program: &Path, searched: &OsStr) -> Result<PathBuf, RunError> {
    let error = |why| RunError::Program { program: program.to_owned(), why };
    let is_path = program.as_os_str().as_bytes().contains(&b'/');
    let folders = match is_path {
        true => vec![PathBuf::new()],
        false => std::env::split_paths(searched).collect(),
    };
    let mut why = match is_path {
        true => "there is no such file".to_owned(),
        false => "there is no such program in the directories of `PATH`".to_owned(),
    };
    for folder in folders {
        let Ok(path) = std::path::absolute(folder.join(program)) else { continue };
        let Ok(metadata) = path.metadata() else { continue };
        let may = rustix::fs::access(&path, rustix::fs::Access::EXEC_OK).is_ok();
        let bits = std::os::unix::fs::MetadataExt::mode(&metadata);
        let changes_user = bits & (libc::S_ISUID | libc::S_ISGID) != 0;
        match (metadata.is_file(), may) {
            (true, true) if changes_user => {
                why =
                    "it is set-user-ID or set-group-ID, and acts as nobody else under trace".into();
            }
            (true, true) => return Ok(path),
            (true, false) => why = "it is not executable".into(),
            (false, _) => why = "it is not a file".into(),
        }
    }
    Err(error(why))
}
