//! Fourth floor: one variant in one scenario with so many clients, whatever its world and its
//! processes are made of. Imports [`check`](crate::check), [`replay`](crate::replay), [`fs`](crate::fs),
//! [`db`](crate::db).

mod database;
mod files;

use crate::Process;
use crate::check::{
    AnyLimits, Checker, GraphOptions, LoomOptions, PlayError, PropertyKind, Report, Schedule,
    ShuttleMode, System, Trace, Value,
};
use crate::replay::{Place, ReplayError, Replayed, Threads};

pub use database::DbCase;
pub use files::FsCase;

/// An engine, and how it is to go about it.
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

/// A schedule in the real world beside what the simulation said of it.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Where it was made to happen.
    pub place: Place,
    /// The schedule, run on to the end of every actor that can get there.
    pub schedule: Schedule,
    /// How it went in the simulation, and what was there at the end.
    pub simulated: Replayed,
    /// How it really went.
    pub real: Replayed,
    /// In what both differ from the system in question, if they do.
    pub but: Option<&'static str>,
}

impl Comparison {
    /// Whether every answer and everything left is the same, and, as far as both tell, who waited for
    /// whom.
    pub fn agrees(&self) -> bool {
        self.simulated.agrees(&self.real)
    }
}

/// How often a property broke by chance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stress {
    /// How many times the actors were let loose.
    pub rounds: usize,
    /// For each property, in how many of these rounds it was violated.
    pub violations: Vec<(String, usize)>,
}

/// A system that can be checked, told and replayed.
pub trait Case: Send + Sync {
    /// The actors' names, in the order in which schedules count them.
    fn actors(&self) -> Vec<String>;

    /// How the ways in which it may begin are called, in the order in which schedules count them.
    fn starts(&self) -> Vec<String>;

    /// Whether there are identical actors that the state graph need not tell apart.
    fn has_clients(&self) -> bool;

    /// The properties claimed.
    fn properties(&self) -> Vec<(String, PropertyKind)>;

    /// Puts it before an engine. Reports of one case can be [audited](fn@crate::check::audit).
    fn check(&self, method: &Method) -> Report;

    /// Tells a schedule step by step.
    fn play(&self, schedule: &Schedule) -> Result<Trace, PlayError>;

    /// Every interleaving, shortest prefix first; `visit` says whether to go on.
    fn interleavings(&self, visit: &mut dyn FnMut(&Schedule) -> bool);

    /// Where schedules are made to happen.
    fn place(&self) -> Place;

    /// Makes a schedule happen in the real world and in the simulation.
    fn replay(&self, schedule: &Schedule, threads: Threads) -> Result<Comparison, CaseError>;

    /// Whether what free runs leave can be judged.
    fn can_run_free(&self) -> bool;

    /// Lets the actors loose in the real world, so many times, each time from the start of this index.
    fn stress(&self, start: usize, rounds: usize) -> Result<Stress, CaseError>;
}

/// Why a schedule could not be told or replayed.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// It is none of this system's.
    #[error(transparent)]
    Play(#[from] PlayError),
    /// The real world would not have it.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

impl CaseError {
    /// Whether it is only that this machine, or this user, cannot do it, or that there is no real world
    /// to do it in.
    pub fn is_not_here(&self) -> bool {
        matches!(self, CaseError::Replay(ReplayError::NotHere(_) | ReplayError::Nowhere))
    }
}

/// Puts a system before an engine.
fn check<W: Value, P: Process<W, Output: Value> + Value>(
    checker: &Checker<W, P>,
    method: &Method,
) -> Report {
    match method {
        Method::Graph(options) => checker.graph(options),
        Method::Any(limits) => checker.any(limits),
        Method::Loom(options) => checker.loom(options),
        Method::Shuttle(mode) => checker.shuttle(*mode),
    }
}

/// How the starts of a system are called.
fn starts<W: Value, P: Process<W, Output: Value> + Value>(system: &System<W, P>) -> Vec<String> {
    system.starts().iter().map(|start| start.name.clone()).collect()
}

/// What is claimed of a system.
fn properties<W: Value, P: Process<W, Output: Value> + Value>(
    system: &System<W, P>,
) -> Vec<(String, PropertyKind)> {
    let properties = system.properties().iter();
    properties.map(|property| (property.name().to_owned(), property.kind())).collect()
}
