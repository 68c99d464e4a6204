//! Fourth floor, `case`: programs that use files and a database. Imports [`check`](crate::check),
//! [`replay`](crate::replay), [`run`](mod@crate::run) and the worlds.

use tempfile::TempDir;

use super::{DbCase, actors_by_start};
use crate::check::System;
use crate::db::{SimDb, SteppedDb, SteppedSession};
use crate::direct::{Both, Code, Machine};
use crate::fs::{OsFile, OsFs, SimFs};
use crate::recorded::Recorded;
use crate::replay::{Around, ReplayError, Scripted, Tables, place, put_on_disk};
use crate::run::{Ended, ProgramCode};
use crate::{Process, Step};

/// A directory of the kernel, and a PostgreSQL server.
struct Disk {
    files: OsFs,
    database: SteppedDb,
    _directory: TempDir,
}

impl Around for Disk {
    fn database(&mut self) -> &mut SteppedDb {
        &mut self.database
    }

    fn into_database(self) -> SteppedDb {
        self.database
    }
}

/// A program there.
struct OnDisk(Code<Both<OsFile, SteppedSession>, Ended>);

impl Process<Recorded<Disk>> for OnDisk {
    type Output = Ended;

    fn step(self, world: &mut Recorded<Disk>) -> Step<Self, Ended> {
        let Disk { files, database, .. } = world.inner_mut();
        let files = Recorded::new(&*files);
        let mut machine = Machine { files, database: Recorded::new(database) };
        let step = self.0.step(&mut machine);
        let Machine { mut files, mut database } = machine;
        let mut labels = Recorded::new(());
        labels.takes_over(&mut files);
        labels.takes_over(&mut database);
        world.takes_over(&mut labels);
        step.map(OnDisk)
    }

    fn is_underway(&self) -> bool {
        Process::<Machine<Recorded<&OsFs>, SteppedDb>>::is_underway(&self.0)
    }
}

impl DbCase<Machine<SimFs, SimDb>, ProgramCode> {
    /// A case of programs that use a database: the simulated system, and the same programs, whose calls are
    /// passed on to the kernel and whose statements to PostgreSQL. `setup` makes the tables there.
    ///
    /// What is left is compared in the tables.
    pub(crate) fn programs(
        system: System<Machine<SimFs, SimDb>, ProgramCode>,
        setup: Vec<String>,
    ) -> Self {
        let actors = actors_by_start(&system, ProgramCode::clone);
        let worlds: Vec<SimFs> =
            system.starts().iter().map(|start| start.world.files.clone()).collect();
        let world = move |start: usize, database: SteppedDb| {
            let furnished = || {
                let directory = tempfile::Builder::new().prefix("toctou-").tempdir_in(place());
                let directory = directory
                    .map_err(|error| ReplayError::Directory(place().into_boxed_path(), error))?;
                if let Some(files) = worlds.get(start) {
                    put_on_disk(files, directory.path())?;
                }
                let files = OsFs::open(directory.path()).map_err(ReplayError::Furnish)?;
                Ok((files.telling_apart(), directory))
            };
            match furnished() {
                Ok((files, _directory)) => Ok(Disk { files, database, _directory }),
                Err(error) => Err(Box::new((database, error))),
            }
        };
        let stage = Scripted {
            setup,
            url: None,
            world: Box::new(world),
            actors: Box::new(move |start, _: &mut Disk| {
                Ok(actors(start).iter().map(|code| OnDisk(code.on_machine())).collect())
            }),
        };
        DbCase::new(system, |world: &Machine<SimFs, SimDb>| Tables::of(&world.database))
            .staged(stage)
    }
}
