//! Fourth floor: one variant in one scenario with a given number of clients, in any world and with
//! any processes. Imports [`check`](crate::check), [`replay`](crate::replay), [`fs`](crate::fs),
//! [`db`](crate::db), [`net`](crate::net).

mod database;
mod files;
mod free;
#[cfg(all(feature = "command", target_os = "linux", target_arch = "x86_64"))]
mod machine;
mod network;
mod tally;
mod threads;

use std::sync::OnceLock;

use crate::check::{
    AnyLimits, Checker, Counted, GraphOptions, Limits, LoomOptions, PlayError, Played,
    PropertyKind, Report, Schedule, ShuttleMode, System, Trace, Value, Verdict,
};
use crate::replay::{Place, Remains, ReplayError, Replayed, Threads};
use crate::scene::Scene;
use crate::{Process, marks};

pub use database::{DbCase, OnDatabase};
pub use files::{FsCase, OnKernel};
pub use free::AroundDb;
pub use network::{NetCase, OnLoopback};
pub use threads::ThreadsCase;

/// An engine and its options.
#[derive(Clone, Debug)]
pub enum Method {
    /// The state graph.
    Graph(GraphOptions),
    /// Any number of clients.
    Any(AnyLimits),
    /// loom.
    Loom(LoomOptions),
    /// shuttle.
    Shuttle(ShuttleMode),
}

/// A schedule's run in the real world, beside its run in the simulation.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The real world in which it was run.
    pub place: Place,
    /// The schedule, continued until every actor that can reach its end has reached it.
    pub schedule: Schedule,
    /// The run in the simulation, and its end state.
    pub simulated: Replayed,
    /// The real run.
    pub real: Replayed,
    /// How both runs differ from the system in question, if they do.
    pub but: Option<&'static str>,
}

impl Comparison {
    /// Whether every answer, and everything that was left or arrived, is the same in both runs. As
    /// far as both tell who waited for whom, that has to be the same too.
    pub fn agrees(&self) -> bool {
        self.simulated.agrees(&self.real)
    }
}

/// A schedule's run in the simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What each actor did and saw.
    pub trace: Trace,
    /// What is there at its end; `None` where the trace shows it.
    pub remains: Option<Remains>,
    /// For each violated property over counts: the actors that count.
    pub counted: Vec<Counted>,
}

/// How often free runs violated each property. A property is judged by the end of a round: what the
/// actors were told, and what is left. An `always` may have been violated earlier and hold again at
/// the end. The round does not show that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stress {
    /// How many times the actors ran freely.
    pub rounds: usize,
    /// For each property, the number of rounds that violated it.
    pub violations: Vec<(String, usize)>,
    /// The properties that the end of a round cannot show: those about actors that still run, or
    /// about a state that is whole again by then.
    pub unjudged: Vec<String>,
}

/// A system that can be checked, shown and replayed.
pub trait Case: Send + Sync {
    /// Whether the system is a machine in a world, with states that can be searched. The state
    /// graph and `any` need that.
    fn is_machine(&self) -> bool {
        true
    }

    /// The actors' names, in the order of their indices in schedules.
    fn actors(&self) -> Vec<String>;

    /// The names of the possible starts, in the order of their indices in schedules.
    fn starts(&self) -> Vec<String>;

    /// Whether some actors are identical, so that the state graph need not tell them apart.
    fn has_clients(&self) -> bool;

    /// Whether a property says that something happens at most so often. `any` decides such
    /// properties.
    fn claims_counts(&self) -> bool {
        false
    }

    /// The properties that are claimed.
    fn properties(&self) -> Vec<(String, PropertyKind)>;

    /// Sets the engines' limits of time and memory, in place of the [default](Limits::default)
    /// ones.
    fn limit(&mut self, limits: Limits);

    /// Checks the system with an engine. Reports of one case can be
    /// [audited](fn@crate::check::audit).
    fn check(&self, method: &Method) -> Report;

    /// For each property that the state graph shows to be violated, a shortest schedule that
    /// violates it. No schedule is listed twice.
    fn counterexamples(&self) -> Vec<Schedule> {
        let report = self.check(&Method::Graph(GraphOptions::default()));
        let mut schedules: Vec<Schedule> = Vec::new();
        for finding in &report.findings {
            if let Verdict::Violated(Some(schedule)) = &finding.verdict
                && !schedules.contains(schedule)
            {
                schedules.push(schedule.clone());
            }
        }
        schedules
    }

    /// Makes each [counterexample](Case::counterexamples) happen in the real world, and asserts
    /// that it goes as simulated. For a test.
    ///
    /// # Panics
    ///
    /// - If there are no counterexamples.
    /// - If one does not go as simulated. The message shows both runs step by step.
    /// - If a counterexample cannot be tried on this machine.
    fn assert_happens(&self) {
        let counterexamples = self.counterexamples();
        assert!(!counterexamples.is_empty(), "nothing breaks, so there is nothing to replay");
        for schedule in counterexamples {
            let compared = match self.replay(&schedule, Threads::OneEach) {
                Ok(compared) => compared,
                Err(error) => panic!("{schedule} could not be replayed: {error}"),
            };
            let (simulated, real) = (&compared.simulated, &compared.real);
            assert!(
                compared.agrees(),
                "{schedule} goes otherwise at {}:\n\n{}\nsimulated, it was:\n\n{}",
                compared.place,
                real.trace,
                simulated.trace
            );
        }
    }

    /// Runs a schedule in the simulation, and returns it step by step.
    fn play(&self, schedule: &Schedule) -> Result<Trace, PlayError>;

    /// Runs a schedule in the simulation, and returns its steps and its end.
    fn show(&self, schedule: &Schedule) -> Result<Shown, PlayError>;

    /// The steps of the system that begins with the start of this index, as tables to explore it by. Of a
    /// system of more than `most` states, the steps along these schedules. `None` for threads, which have no
    /// states, and where there is no such start.
    fn scene(&self, start: usize, along: &[&Schedule], most: usize) -> Option<Scene> {
        let _ = (start, along, most);
        None
    }

    /// The state after a schedule, as text: the world, and the local states of the actors. `None` for
    /// threads.
    fn state(&self, schedule: &Schedule) -> Result<Option<String>, PlayError> {
        let _ = schedule;
        Ok(None)
    }

    /// Visits every interleaving, shortest prefix first. `visit` returns whether to go on.
    fn interleavings(&self, visit: &mut dyn FnMut(&Schedule) -> bool);

    /// The real world in which schedules are run.
    fn place(&self) -> Place;

    /// Runs a schedule in the real world and in the simulation.
    fn replay(&self, schedule: &Schedule, threads: Threads) -> Result<Comparison, CaseError>;

    /// Whether the end of a free run can be judged.
    fn can_run_free(&self) -> bool;

    /// Runs the actors freely in the real world: `rounds` times, each time from the start with this
    /// index.
    fn stress(&self, start: usize, rounds: usize) -> Result<Stress, CaseError>;
}

/// Why a schedule could not be shown or replayed.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The schedule is not one of this system's.
    #[error(transparent)]
    Play(#[from] PlayError),
    /// The real world could not run it.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl CaseError {
    /// Whether the only reason is that this machine, or this user, cannot do it, or that there is
    /// no real world to do it in.
    pub fn is_not_here(&self) -> bool {
        matches!(self, CaseError::Replay(ReplayError::NotHere(_) | ReplayError::Nowhere))
    }
}

/// A real world for the schedules of a system of `P` in the simulated world `W`.
pub trait RealWorld<W: Value, P: Process<W, Output: Value> + Value>: Send + Sync {
    /// Which real world it is.
    fn place(&self) -> Place;

    /// What is left in a simulated world.
    fn remains(&self, world: &W) -> Remains;

    /// Runs a schedule of the system there and in the simulation.
    fn replay(
        &self,
        system: &System<W, P>,
        schedule: &Schedule,
        threads: Threads,
    ) -> Result<Comparison, CaseError>;

    /// Whether the end of a free run can be judged.
    fn can_run_free(&self) -> bool {
        false
    }

    /// Runs the actors freely there: `rounds` times, each time from the start with this index. The
    /// start has to exist, and the world has to [allow free runs](RealWorld::can_run_free).
    fn stress(
        &self,
        system: &System<W, P>,
        start: usize,
        rounds: usize,
    ) -> Result<Stress, CaseError> {
        let _ = (system, start, rounds);
        Err(ReplayError::Nowhere.into())
    }
}

/// A schedule of the system, continued until every actor that can reach its end has reached it, and
/// its run in the simulation. If all actors are blocked, each tries once more. Only then does the
/// run show that a real actor waits, too.
fn run_on<W: Value, P: Process<W, Output: Value> + Value>(
    system: &System<W, P>,
    schedule: &Schedule,
) -> Result<(Schedule, Played<W, P>), PlayError> {
    let mut schedule = system.completed(schedule)?;
    let unfinished = system.play(&schedule)?.trace.unfinished;
    let waiting = unfinished.iter().filter(|left| left.waits).map(|left| left.actor);
    schedule.turns.extend(waiting);
    let played = system.play_in_calls(&schedule)?;
    Ok((schedule, played))
}

/// How a schedule went in both worlds. Their [marks] are resolved as far as both went.
fn compared(
    place: Place,
    schedule: Schedule,
    mut simulated: Replayed,
    real: Replayed,
    but: Option<&'static str>,
) -> Comparison {
    let steps = &mut simulated.trace.steps;
    let both = real.trace.steps.len().min(steps.len());
    let (both, more) = steps.split_at_mut(both);
    for part in [both, more] {
        marks::resolve(part.iter_mut().map(|step| &mut step.label));
    }
    Comparison { place, schedule, simulated, real, but }
}

/// A simulated system, and the real world `R` that it models.
pub struct CaseOn<W, P: Process<W>, R> {
    checker: Checker<W, P>,
    real: R,
    /// What is said of any number of clients, where another system says it.
    any_number: Option<Box<AnyNumber>>,
    /// What free runs cannot judge, once it is asked for.
    unjudged: OnceLock<Vec<String>>,
}

/// What another system says of any number of clients.
type AnyNumber = dyn Fn(&AnyLimits) -> Report + Send + Sync;

/// Which properties free runs can judge is looked for in no more states than this.
const JUDGED_STATES: usize = 200_000;

/// For each start of a system its processes, as something else: over the real world, say.
pub(crate) fn actors_by_start<
    W: Value,
    P: Process<W, Output: Value> + Value,
    Q: Clone,
    F: Fn(&P) -> Q,
>(
    system: &System<W, P>,
    over: F,
) -> impl Fn(usize) -> Vec<Q> + Clone + use<W, P, Q, F> {
    let starts = system.starts().iter();
    let actors = starts.map(|start| start.processes.iter().map(&over).collect());
    let actors: Vec<Vec<Q>> = actors.collect();
    move |start| actors.get(start).cloned().unwrap_or_default()
}

impl<W: Value, P: Process<W, Output: Value> + Value, R> CaseOn<W, P, R> {
    fn on_real(system: System<W, P>, real: R) -> Self {
        CaseOn { checker: Checker::new(system), real, any_number: None, unjudged: OnceLock::new() }
    }

    /// Sets another system for [`any`](Checker::any) to check. Its clients are identical, where
    /// this system's clients have names of their own ([`Owner`](crate::fs::Owner)). Both systems
    /// claim the same.
    pub fn for_any_number<Q>(mut self, system: System<W, Q>) -> Self
    where
        Q: Process<W, Output: Value> + Value,
    {
        let checker = Checker::new(system).within(Limits::NONE);
        self.any_number = Some(Box::new(move |limits| checker.any(limits)));
        self
    }

    fn unjudged(&self) -> &[String] {
        let options = GraphOptions { max_states: JUDGED_STATES, ..GraphOptions::default() };
        self.unjudged.get_or_init(|| self.checker.unjudged_by_ends(&options))
    }
}

impl<W, P, R> Case for CaseOn<W, P, R>
where
    W: Value,
    P: Process<W, Output: Value> + Value,
    R: RealWorld<W, P>,
{
    fn actors(&self) -> Vec<String> {
        self.checker.system().actors().to_vec()
    }

    fn starts(&self) -> Vec<String> {
        self.checker.system().starts().iter().map(|start| start.name.clone()).collect()
    }

    fn has_clients(&self) -> bool {
        self.checker.system().has_clients()
    }

    fn claims_counts(&self) -> bool {
        self.checker.system().claims_counts()
    }

    fn properties(&self) -> Vec<(String, PropertyKind)> {
        let properties = self.checker.system().properties().iter();
        properties.map(|property| (property.name().to_owned(), property.kind())).collect()
    }

    fn limit(&mut self, limits: Limits) {
        self.checker.limit(limits);
    }

    fn check(&self, method: &Method) -> Report {
        match method {
            Method::Graph(options) => self.checker.graph(options),
            Method::Any(limits) => match &self.any_number {
                Some(any) => any(limits),
                None => self.checker.any(limits),
            },
            Method::Loom(options) => self.checker.loom(options),
            Method::Shuttle(mode) => self.checker.shuttle(*mode),
        }
    }

    fn play(&self, schedule: &Schedule) -> Result<Trace, PlayError> {
        Ok(self.checker.system().play(schedule)?.trace)
    }

    fn show(&self, schedule: &Schedule) -> Result<Shown, PlayError> {
        let system = self.checker.system();
        let Played { trace, world, locals } = system.play(schedule)?;
        let properties = system.properties().iter();
        let counted =
            properties.filter_map(|property| system.counted(property.name(), &locals)).collect();
        Ok(Shown { trace, remains: Some(self.real.remains(&world)), counted })
    }

    fn scene(&self, start: usize, along: &[&Schedule], most: usize) -> Option<Scene> {
        self.checker.scene_of(start, along, most)
    }

    fn state(&self, schedule: &Schedule) -> Result<Option<String>, PlayError> {
        self.checker.state_after(schedule).map(Some)
    }

    fn interleavings(&self, visit: &mut dyn FnMut(&Schedule) -> bool) {
        self.checker.system().interleavings(visit);
    }

    fn place(&self) -> Place {
        self.real.place()
    }

    fn replay(&self, schedule: &Schedule, threads: Threads) -> Result<Comparison, CaseError> {
        self.real.replay(self.checker.system(), schedule, threads)
    }

    fn can_run_free(&self) -> bool {
        self.real.can_run_free()
    }

    fn stress(&self, start: usize, rounds: usize) -> Result<Stress, CaseError> {
        let system = self.checker.system();
        system.start(start)?;
        let mut stress = self.real.stress(system, start, rounds)?;
        for name in self.unjudged() {
            if !stress.unjudged.contains(name) {
                stress.unjudged.push(name.clone());
            }
        }
        stress.violations.retain(|(name, _)| !stress.unjudged.contains(name));
        Ok(stress)
    }
}
