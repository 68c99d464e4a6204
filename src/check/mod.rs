//! Second floor: systems, properties, verdicts and the engines that decide them. Imports
//! [`process`](crate::process) only; knows no file system, no database, no network.
//!
//! A [`System`] is a world, the actors in it, and what is claimed of them. A [`Checker`] puts one
//! system before several engines, each of which explores every interleaving in its own way:
//!
//! | engine | walks | good for |
//! | --- | --- | --- |
//! | [`graph`](Checker::graph) | states, breadth first | shortest counterexample, exact counts, many clients |
//! | [`any`](Checker::any) | configurations with counts up to ω | *any* number of clients |
//! | [`loom`](Checker::loom) | executions, on loom's threads | an independent second opinion |
//! | [`shuttle`](Checker::shuttle) | executions, on shuttle's threads | a third, and random testing of the very large |
//!
//! Code that is itself threads and atomics has an engine of its own: the module `threads`, with the
//! features `loom` and `shuttle`.
//!
//! No result is believed because one engine reports it: [`audit`](fn@audit) compares what the
//! engines found.

#[cfg(any(feature = "loom", feature = "shuttle"))]
mod ample;
#[cfg(not(any(feature = "loom", feature = "shuttle")))]
mod ample {
    /// Here: the threads are ordinary ones.
    pub(super) fn with_room<T>(run: impl FnOnce() -> T) -> T {
        run()
    }
}
mod any;
mod audit;
mod columns;
mod ends;
mod examination;
mod execution;
#[cfg(feature = "command")]
mod explored;
mod fault;
mod graph;
mod intern;
mod limits;
#[cfg(feature = "loom")]
mod loom;
mod lost;
mod proof;
mod property;
mod quiet;
#[cfg(feature = "run")]
pub(crate) use quiet::quietly;
mod shortest;
#[cfg(feature = "shuttle")]
mod shuttle;
mod steps;
mod system;
#[cfg(all(feature = "loom", feature = "shuttle"))]
pub mod threads;
mod told;
mod trace;
mod verdict;

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use any::AnyLimits;
pub use audit::{Disagreement, audit};
pub use columns::Part;
#[cfg(feature = "command")]
pub(crate) use columns::{columns, wrap};
pub use examination::{Examination, Larger, Shown};
pub use execution::{Execution, Progress, Recorder};
#[cfg(feature = "command")]
pub(crate) use explored::{Explored, To};
pub use fault::{BLOCKED_UNCHANGED, FaultKind, NO_MISTAKE, ONE_CALL_A_STEP, PANIC_FREE};
pub use graph::{DEADLOCK_FREE, End, GraphOptions};
use intern::SharedCodes;
pub use limits::Limits;
#[cfg(feature = "loom")]
pub use loom::LoomOptions;
pub use lost::{Lost, NoReturn, Share};
#[cfg(feature = "command")]
pub(crate) use lost::{cells as lost_cells, lines as lost_lines};
pub use property::{Property, PropertyKind};
#[cfg(feature = "shuttle")]
pub use shuttle::ShuttleMode;
pub use system::{Local, Start, State, System};
#[cfg(feature = "command")]
pub(crate) use told::{brief, fields};
#[cfg(feature = "command")]
pub(crate) use trace::told_way;
pub use trace::{Counted, PlayError, Played, Trace, TraceStep, Unfinished};
pub use verdict::{
    Bound, Engine, Finding, Growth, Interleavings, Outcomes, Report, Schedule, ScheduleError,
    Verdict,
};

use crate::Process;

/// What a simulated world, a process in it and the process's output have to be: pure values. So the
/// checker can keep a state, compare it and send it to another core.
pub trait Value: Clone + Eq + Hash + Debug + Send + Sync + 'static {}

impl<T: Clone + Eq + Hash + Debug + Send + Sync + 'static> Value for T {}

/// Locks a mutex, even if a thread that held it has panicked. A property may panic, and loom ends
/// its threads by a panic. The values in these mutexes are consistent at every moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One system, ready to be put before the engines.
///
/// The outcomes of its [`Report`]s are comparable with one another ([`audit`](fn@audit)). They are
/// not comparable with those of another checker.
pub struct Checker<W, P: Process<W>> {
    system: Arc<System<W, P>>,
    codes: Arc<SharedCodes<W, P>>,
    limits: Limits,
    /// How long `any` may take in an examination, if that is less.
    any_time: Option<std::time::Duration>,
}

impl<W: Value, P: Process<W, Output: Value> + Value> Checker<W, P> {
    /// Takes a system to check.
    pub fn new(system: System<W, P>) -> Self {
        Checker {
            system: Arc::new(system),
            codes: Arc::default(),
            limits: Limits::default(),
            any_time: None,
        }
    }

    /// The same checker, whose [examination](Self::examine) asks [`any`](Self::any) for no longer than this.
    ///
    /// For worlds that grow with each client, such as databases with open transactions: a proof for any number
    /// comes soon there, or never.
    pub fn asking_any_for(self, time: std::time::Duration) -> Self {
        Checker { any_time: Some(time), ..self }
    }

    /// The same checker with other limits on the time and the memory that each engine may take.
    pub fn within(self, limits: Limits) -> Self {
        Checker { limits, ..self }
    }

    #[cfg(feature = "command")]
    pub(crate) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// The system under check.
    pub fn system(&self) -> &System<W, P> {
        &self.system
    }
}
