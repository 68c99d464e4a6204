//! Second floor, `direct`: programs that use files and a database. Imports [`db`](crate::db),
//! [`fs`](crate::fs), [`process`](crate::process) and its neighbours in `direct`.

use std::fmt;
use std::sync::Arc;

use super::files::{Mounted, mounted};
use super::held::{Held, Sessions, Slots};
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
use super::run::Run;
use super::sessions::{Connected, connected};
use super::{Code, DirectDb, DirectFs, Files};
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
use crate::calls::untold;
use crate::db::{Database, SimDb, SimSession};
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
use crate::fs::SimFs;
use crate::fs::{FileSystem, SimFile};
use crate::{Process, Step};

/// A world of files and a database.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Machine<F, D> {
    /// The files.
    pub files: F,
    /// The database.
    pub database: D,
}

/// `{lock: 0644 ""} {jobs: [[true]]}`: what is empty is left out.
impl<F: fmt::Debug, D: fmt::Debug> fmt::Debug for Machine<F, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (files, database) = (format!("{:?}", self.files), format!("{:?}", self.database));
        f.write_str(match (files.as_str(), database.as_str()) {
            (files, "{}") => files,
            ("{}", database) => database,
            (files, database) => return write!(f, "{files} {database}"),
        })
    }
}

/// What a program holds in a [`Machine`]: open files, and sessions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Both<F, S> {
    files: Files<F>,
    sessions: Sessions<S>,
}

// By hand, because a derive would ask it of `F` and `S`.
impl<F, S> Clone for Both<F, S> {
    fn clone(&self) -> Self {
        Both { files: self.files.clone(), sessions: self.sessions.clone() }
    }
}

impl<F, S> Default for Both<F, S> {
    fn default() -> Self {
        Both { files: Files::default(), sessions: Sessions(Slots::default()) }
    }
}

impl<F, S> Both<F, S> {
    /// The sessions that the program has.
    pub fn sessions(&self) -> &Sessions<S> {
        &self.sessions
    }
}

/// A program over files and a database, in the simulation.
pub type MachineCode<T> = Code<Both<SimFile, SimSession>, T>;

impl<T> MachineCode<T> {
    /// A program over files and a database. It opens its sessions itself.
    ///
    /// ```
    /// # #[cfg(feature = "sql")] {
    /// use toctou::check::System;
    /// use toctou::db::{Database, SimDb, Statement};
    /// use toctou::direct::{Code, Machine};
    /// use toctou::fs::{FileSystem, Mode, OFlags, SimFs};
    ///
    /// // Marks a job as taken, and leaves a note of that.
    /// let take = Code::machine(|fs, db| {
    ///     let mut session = db.connect().expect("a session");
    ///     let take = Statement::sql("UPDATE jobs SET taken = true WHERE NOT taken", []);
    ///     let took = db.answer(&mut session, &take).is_ok_and(|answer| answer.count() == 1);
    ///     if took {
    ///         let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
    ///         fs.open("note", flags, Mode::RUSR).expect("nobody else has taken it");
    ///     }
    ///     took
    /// });
    /// let setup = "CREATE TABLE jobs (taken BOOLEAN NOT NULL); INSERT INTO jobs VALUES (false)";
    /// let database = SimDb::new().with_setup(setup).expect("SQL that is simulated");
    /// System::new(Machine { files: SimFs::new(), database })
    ///     .clients(2, take)
    ///     .at_most(1, "one-takes-it", |client| client.output().filter(|took| **took).copied())
    ///     .reaches("somebody-takes-it", |client| client.output() == Some(&true))
    ///     .ends_well(|_| true)
    ///     .assert_holds();
    /// # }
    /// ```
    pub fn machine(
        program: impl Fn(&mut DirectFs, &mut DirectDb) -> T + Send + Sync + 'static,
    ) -> Self {
        let program = move || program(&mut DirectFs::new(), &mut DirectDb::new());
        Self::start(Arc::new(program), Both::default())
    }

    /// Whether the program, alone in this world, would go on to sleep so often.
    #[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn sleeps_on(&self, world: &mut Machine<SimFs, SimDb>, sleeps: usize) -> bool {
        let run = Run::new(&self.past, None).that_goes_ahead(sleeps);
        let (run, output) =
            untold(|| self.clone().run_in(run, &mut |held, program| on(world, held, program)));
        output.is_none() && run.has_slept_enough()
    }
}

/// Runs a program where both are there.
fn on<F, D>(
    Machine { files: fs, database }: &mut Machine<F, D>,
    Both { files, sessions: Sessions(sessions) }: &mut Both<F::File, D::Session>,
    program: &mut dyn FnMut(),
) where
    F: FileSystem<File: Held>,
    D: Database<Session: Held>,
{
    let serve = |_: &mut D, _| None;
    mounted(&mut Mounted { fs, files }, || {
        connected(&mut Connected { database, sessions, serve }, program);
    });
}

impl<F, S, T> Code<Both<F, S>, T> {
    /// The same program before its first step, over other files and another database: for a replay.
    pub fn over_machine<G, R>(&self) -> Code<Both<G, R>, T> {
        let code = Code::start(self.program.clone(), Both::default());
        Code { process: self.process, failing: self.failing, ..code }
    }

    /// The same program before its first step, over files alone.
    #[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn over_its_files<G>(&self) -> Code<Files<G>, T> {
        let code = Code::start(self.program.clone(), Files::default());
        Code { process: self.process, failing: self.failing, ..code }
    }
}

impl<F, D, T> Process<Machine<F, D>> for Code<Both<F::File, D::Session>, T>
where
    F: FileSystem<File: Held>,
    D: Database<Session: Held>,
{
    type Output = T;

    fn step(self, machine: &mut Machine<F, D>) -> Step<Self, T> {
        self.step_in(|held, program| on(machine, held, program))
    }

    fn is_underway(&self) -> bool {
        self.held.sessions.iter().any(Held::is_underway)
    }
}

impl Both<SimFile, SimSession> {
    /// Whether one of these sessions has a statement that waits for one of the other sessions.
    pub fn wait_for(&self, others: &Self, database: &SimDb) -> bool {
        self.sessions.wait_for(&others.sessions, database)
    }
}
