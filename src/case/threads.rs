//! Fourth floor, `case`: cases that are threads themselves. Imports [`check`](crate::check),
//! [`replay`](crate::replay).

use super::{Case, CaseError, Comparison, Method, Shown, Stress};
use crate::check::threads::{NO_DATA_RACE, Program, ThreadsOnLoom};
use crate::check::{
    Bound, Engine, Limits, PlayError, PropertyKind, Report, Schedule, ShuttleMode, Trace,
};
use crate::replay::{Place, ReplayError, Threads, let_loose, on_real_threads};

/// A case whose code under test is threads and atomics. loom and shuttle run its source: there is
/// no machine with states to search. The real run is on threads of this process.
pub struct ThreadsCase {
    program: Program,
    judges_free_runs: bool,
}

/// As many threads as shuttle explores exhaustively.
const DEPTH_FIRST: usize = 3;
/// Beyond, it samples.
const SAMPLED: ShuttleMode = ShuttleMode::Pct { executions: 2_000, depth: 3, seed: 1 };

impl ThreadsCase {
    /// A case of this program.
    pub fn new(program: Program) -> Self {
        ThreadsCase { program, judges_free_runs: true }
    }

    /// Excludes free runs: the threads have a data race, which is undefined behaviour.
    pub fn without_free_runs(self) -> Self {
        ThreadsCase { judges_free_runs: false, ..self }
    }

    fn threads(&self) -> usize {
        self.program.actors().len()
    }
}

impl Case for ThreadsCase {
    fn is_machine(&self) -> bool {
        false
    }

    fn actors(&self) -> Vec<String> {
        self.program.actors().to_vec()
    }

    fn starts(&self) -> Vec<String> {
        vec![String::new()]
    }

    fn has_clients(&self) -> bool {
        false
    }

    fn properties(&self) -> Vec<(String, PropertyKind)> {
        self.program.properties()
    }

    fn limit(&mut self, limits: Limits) {
        self.program = self.program.clone().within(limits);
    }

    /// loom explores up to three threads exhaustively, and more with [few
    /// preemptions](ThreadsOnLoom::usual). shuttle also explores up to three exhaustively, and more
    /// by PCT.
    fn check(&self, method: &Method) -> Report {
        match method {
            Method::Graph(_) => self.program.not_started(Engine::Graph, Bound::NoMachine),
            Method::Any(_) => self.program.not_started(Engine::Any, Bound::NoMachine),
            Method::Loom(options) => self.program.loom(&ThreadsOnLoom {
                max_executions: options.max_executions,
                ..ThreadsOnLoom::usual(self.threads())
            }),
            Method::Shuttle(ShuttleMode::KnownStates) if self.threads() > DEPTH_FIRST => {
                self.program.shuttle(SAMPLED)
            }
            Method::Shuttle(mode) => self.program.shuttle(*mode),
        }
    }

    fn play(&self, schedule: &Schedule) -> Result<Trace, PlayError> {
        self.program.play(schedule)
    }

    /// The trace shows what was dropped.
    fn show(&self, schedule: &Schedule) -> Result<Shown, PlayError> {
        Ok(Shown { trace: self.play(schedule)?, remains: None, counted: Vec::new() })
    }

    /// Visits nothing: an execution depends on more than whose turn it is.
    fn interleavings(&self, _visit: &mut dyn FnMut(&Schedule) -> bool) {}

    fn place(&self) -> Place {
        Place::Threads
    }

    /// Always uses one thread for each actor.
    fn replay(&self, schedule: &Schedule, _threads: Threads) -> Result<Comparison, CaseError> {
        let (schedule, simulated, real) = on_real_threads(&self.program, schedule)??;
        Ok(Comparison { place: Place::Threads, schedule, simulated, real, but: None })
    }

    fn can_run_free(&self) -> bool {
        self.judges_free_runs
    }

    fn stress(&self, start: usize, rounds: usize) -> Result<Stress, CaseError> {
        if start > 0 {
            return Err(PlayError::NoSuchStart { start, starts: 1 }.into());
        }
        if !self.judges_free_runs {
            let why = "a data race is undefined behaviour, which nobody lets loose";
            return Err(ReplayError::NotHere(why.to_owned()).into());
        }
        // A race is nothing that is left.
        let unjudged = vec![NO_DATA_RACE.to_owned()];
        Ok(Stress { rounds, violations: let_loose(&self.program, rounds), unjudged })
    }
}
