//! Fourth floor, `replay`: schedules on a real database, one session an actor. Imports
//! [`db`](crate::db), the schedules of [`check`](crate::check) and its neighbours in `replay`.

use std::fmt::Debug;

use super::real::no_server;
use super::{Place, Remains, ReplayError, Replayed, Tables, one_after_the_other, told};
use crate::Process;
use crate::check::{Schedule, Trace, TraceStep};
use crate::db::{Cluster, Database, SqlError, SteppedDb, Watch};
use crate::recorded::Recorded;

/// A real database on which schedules can be run.
pub trait RealDb: Database + Sized + 'static {
    /// The place that it is.
    const PLACE: Place;

    /// A fresh database that nobody else uses. It holds these tables with these rows, and nothing
    /// more.
    ///
    /// # Errors
    ///
    /// [`ReplayError::NotHere`] if there is no such database on this machine: it says what to
    /// install. Another error if the database is there and fails.
    fn furnished(tables: &Tables) -> Result<Self, ReplayError>;

    /// Where the database says which session waits for which, if its server tells.
    fn watch(&self) -> Option<Watch> {
        None
    }

    /// The committed rows of these tables, once all sessions are over. This ends the use of the
    /// database, which may then be furnished anew.
    fn remains(self, tables: &Tables) -> Result<Tables, ReplayError>;
}

/// A system on a real database `D`, in a world `R`: the database itself, or a world that contains
/// it.
///
/// The tables and their rows are those of the simulated system's start. Only its processes, `Q`,
/// are given again, with real sessions.
pub struct Stage<D, R, Q> {
    world: Box<dyn Fn(usize, D) -> R + Send + Sync>,
    database: Box<dyn Fn(R) -> D + Send + Sync>,
    actors: Box<Actors<R, Q>>,
}

pub(super) type Actors<R, Q> = dyn Fn(usize, &mut R) -> Result<Vec<Q>, SqlError> + Send + Sync;

impl<D: RealDb, Q> Stage<D, D, Q> {
    /// A stage whose world is the database. `actors` opens the sessions of a start's processes, and
    /// returns the processes in the order of the simulated system's.
    pub fn new(
        actors: impl Fn(usize, &mut D) -> Result<Vec<Q>, SqlError> + Send + Sync + 'static,
    ) -> Self {
        Stage::within(|_, db| db, |db| db, actors)
    }
}

impl<D: RealDb, R, Q> Stage<D, R, Q> {
    /// A stage whose world contains the database: `world` puts it there, `database` gets it out
    /// again.
    pub fn within(
        world: impl Fn(usize, D) -> R + Send + Sync + 'static,
        database: impl Fn(R) -> D + Send + Sync + 'static,
        actors: impl Fn(usize, &mut R) -> Result<Vec<Q>, SqlError> + Send + Sync + 'static,
    ) -> Self {
        Stage { world: Box::new(world), database: Box::new(database), actors: Box::new(actors) }
    }
}

/// A [`Stage`] with any database, world and processes.
pub trait Staged: Send + Sync {
    /// The real database.
    fn place(&self) -> Place;

    /// Replays `schedule` in a fresh database with these `tables`, step by step as long as it goes
    /// as `simulated`. The calling thread takes all steps; only the sessions are concurrent.
    fn replay(
        &self,
        simulated: &Trace,
        tables: &Tables,
        schedule: &Schedule,
    ) -> Result<Replayed, ReplayError>;
}

impl<D, R, Q> Staged for Stage<D, R, Q>
where
    D: RealDb,
    Q: Process<Recorded<R>, Output: Debug>,
{
    fn place(&self) -> Place {
        D::PLACE
    }

    fn replay(
        &self,
        simulated: &Trace,
        tables: &Tables,
        schedule: &Schedule,
    ) -> Result<Replayed, ReplayError> {
        let db = D::furnished(tables)?;
        let watch = db.watch();
        let mut world = Recorded::new((self.world)(schedule.start, db));
        let steps = performed(&mut world, watch, &*self.actors, simulated, schedule)?;
        let rows = (self.database)(world.into_inner()).remains(tables)?;
        Ok(Replayed { trace: told(simulated, steps), remains: Remains::Rows(rows) })
    }
}

/// A system on a PostgreSQL whose tables come from a script, as it is.
pub(crate) struct Scripted<R, Q> {
    /// The statements of the script, one after the other.
    pub(crate) setup: Vec<String>,
    /// Where the database is; `None`: a server of its own.
    pub(crate) url: Option<String>,
    /// A start's world with the database in it.
    pub(crate) world: Box<Furnish<R>>,
    pub(crate) actors: Box<Actors<R, Q>>,
}

type Furnish<R> =
    dyn Fn(usize, SteppedDb) -> Result<R, Box<(SteppedDb, ReplayError)>> + Send + Sync;

/// A world with a database in it.
pub(crate) trait Around {
    fn database(&mut self) -> &mut SteppedDb;

    fn into_database(self) -> SteppedDb;
}

impl Around for SteppedDb {
    fn database(&mut self) -> &mut SteppedDb {
        self
    }

    fn into_database(self) -> SteppedDb {
        self
    }
}

impl<R: Around, Q: Process<Recorded<R>, Output: Debug>> Scripted<R, Q> {
    fn steps(
        &self,
        world: &mut Recorded<R>,
        simulated: &Trace,
        tables: &Tables,
        schedule: &Schedule,
    ) -> Result<Replayed, ReplayError> {
        let db = world.inner_mut().database();
        for statement in &self.setup {
            db.run(statement)?;
        }
        let watch = Some(db.watch());
        let steps = performed(world, watch, &*self.actors, simulated, schedule)?;
        let db = world.inner_mut().database();
        let left = tables.names().into_iter();
        let left =
            left.map(|table| Ok((table, db.rows(table)?))).collect::<Result<Vec<_>, SqlError>>()?;
        let rows = left.into_iter().fold(Tables::new(), |all, (table, rows)| all.with(table, rows));
        Ok(Replayed { trace: told(simulated, steps), remains: Remains::Rows(rows) })
    }
}

impl<R: Around, Q: Process<Recorded<R>, Output: Debug>> Staged for Scripted<R, Q> {
    fn place(&self) -> Place {
        Place::Postgres
    }

    fn replay(
        &self,
        simulated: &Trace,
        tables: &Tables,
        schedule: &Schedule,
    ) -> Result<Replayed, ReplayError> {
        let db = match &self.url {
            Some(url) => SteppedDb::visiting(url)?,
            None => SteppedDb::new(Cluster::shared().map_err(no_server)?)?,
        };
        let (db, replayed) = match (self.world)(schedule.start, db) {
            Ok(world) => {
                let mut world = Recorded::new(world);
                let replayed = self.steps(&mut world, simulated, tables, schedule);
                (world.into_inner().into_database(), replayed)
            }
            Err(failed) => {
                let (db, error) = *failed;
                (db, Err(error))
            }
        };
        // Whatever went wrong: nothing is left behind.
        let left = db.leave();
        let replayed = replayed?;
        left?;
        Ok(replayed)
    }
}

/// The steps of a schedule, performed with sessions that are opened for it.
fn performed<R, Q: Process<Recorded<R>, Output: Debug>>(
    world: &mut Recorded<R>,
    watch: Option<Watch>,
    actors: impl Fn(usize, &mut R) -> Result<Vec<Q>, SqlError>,
    simulated: &Trace,
    schedule: &Schedule,
) -> Result<Vec<TraceStep>, ReplayError> {
    let mut waits = Waits { watch, actors: Vec::new() };
    let actors = actors(schedule.start, world.inner_mut())?;
    let add = &mut |step: &mut TraceStep| waits.add(step);
    one_after_the_other(world, actors, simulated, schedule, add)
}

/// Who waits for whom, told in actors instead of sessions.
struct Waits {
    watch: Option<Watch>,
    /// Sessions, and whose they are: who is waited for has asked something before.
    actors: Vec<(usize, usize)>,
}

impl Waits {
    /// Adds to a step what the server said of it.
    fn add(&mut self, step: &mut TraceStep) {
        let Some(said) = self.watch.as_ref().and_then(Watch::take) else { return };
        let whose = (said.session, step.actor);
        if !self.actors.contains(&whose) {
            self.actors.push(whose);
        }
        let actor = |session: &usize| {
            let whose = self.actors.iter().find(|(known, _)| known == session);
            whose.map(|(_, actor)| *actor)
        };
        let actors = |sessions: Vec<usize>| sessions.iter().map(actor).collect::<Option<Vec<_>>>();
        step.waits_for = said.waits_for.and_then(actors).map(|mut them| {
            them.sort_unstable();
            them
        });
        step.circle = said.circle.and_then(actors);
    }
}
