//! Fourth floor, `case`: cases whose world is a database, or contains one. Imports
//! [`check`](crate::check), [`replay`](crate::replay), [`db`](crate::db).

use super::{Case, CaseError, Comparison, Method, Stress, check, properties, starts};
use crate::Process;
use crate::check::{Checker, PlayError, PropertyKind, Report, Schedule, System, Trace, Value};
use crate::replay::{Place, Remains, ReplayError, Replayed, Stage, Staged, Tables, Threads};

/// A case whose world is a simulated database, or contains one; on a real one, where it is
/// [said](DbCase::on) how.
///
/// ```text
/// DbCase::new(system, |db| Tables::new().with(&KEYS, db.rows(&KEYS)))
///     .on(Stage::<SteppedDb, _, _>::new(move |_, db| actors(variant, db)))
/// ```
pub struct DbCase<W, P: Process<W>> {
    checker: Checker<W, P>,
    tables: Box<dyn Fn(&W) -> Tables + Send + Sync>,
    stage: Option<Box<dyn Staged>>,
}

impl<W: Value, P: Process<W, Output: Value> + Value> DbCase<W, P> {
    /// A simulated system, and the tables of its world with their committed rows. A real database is
    /// furnished with those of a start, and compared with those of the end.
    pub fn new(
        system: System<W, P>,
        tables: impl Fn(&W) -> Tables + Send + Sync + 'static,
    ) -> Self {
        DbCase { checker: Checker::new(system), tables: Box::new(tables), stage: None }
    }

    /// Schedules are made to happen there.
    pub fn on<D, R, Q>(self, stage: Stage<D, R, Q>) -> Self
    where
        Stage<D, R, Q>: Staged + 'static,
    {
        DbCase { stage: Some(Box::new(stage)), ..self }
    }
}

impl<W: Value, P: Process<W, Output: Value> + Value> Case for DbCase<W, P> {
    fn actors(&self) -> Vec<String> {
        self.checker.system().actors().to_vec()
    }

    fn starts(&self) -> Vec<String> {
        starts(self.checker.system())
    }

    fn has_clients(&self) -> bool {
        self.checker.system().has_clients()
    }

    fn properties(&self) -> Vec<(String, PropertyKind)> {
        properties(self.checker.system())
    }

    fn check(&self, method: &Method) -> Report {
        check(&self.checker, method)
    }

    fn play(&self, schedule: &Schedule) -> Result<Trace, PlayError> {
        Ok(self.checker.system().play(schedule)?.trace)
    }

    fn interleavings(&self, visit: &mut dyn FnMut(&Schedule) -> bool) {
        self.checker.system().interleavings(visit);
    }

    fn place(&self) -> Place {
        self.stage.as_ref().map_or(Place::Nowhere, |stage| stage.place())
    }

    /// On the sessions of a real database. These are worked on by the server, beside one another, so
    /// `threads` makes no difference.
    fn replay(&self, schedule: &Schedule, _threads: Threads) -> Result<Comparison, CaseError> {
        let system = self.checker.system();
        let schedule = system.completed(schedule)?;
        let played = system.play(&schedule)?;
        let Some(stage) = &self.stage else {
            return Err(ReplayError::Nowhere.into());
        };
        let remains = Remains::Rows((self.tables)(&played.world));
        let simulated = Replayed { trace: played.trace, remains };
        let furniture = (self.tables)(&system.start(schedule.start)?.world);
        let Trace { start, actors, .. } = &simulated.trace;
        let real = stage.replay(start.as_deref(), actors, &furniture, &schedule)?;
        Ok(Comparison { place: stage.place(), schedule, simulated, real, but: None })
    }

    fn can_run_free(&self) -> bool {
        false
    }

    fn stress(&self, start: usize, rounds: usize) -> Result<Stress, CaseError> {
        self.checker.system().start(start)?;
        let _ = rounds;
        Err(ReplayError::Nowhere.into())
    }
}
