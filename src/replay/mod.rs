//! Fourth floor: schedules in the real world. Imports [`fs`](crate::fs), [`db`](crate::db),
//! [`net`](crate::net), and the schedules and traces of [`check`](crate::check).
//!
//! A counterexample found in a simulated world is made to happen in a real one:
//!
//! - on the kernel's file system, with one real thread for each actor. Each takes its next system
//!   call when the schedule says so, and no earlier;
//! - on a database, with one real session for each actor;
//! - on a network, with real connections, whose two ends take turns;
//! - in memory, with real threads and the processor's own atomics.
//!
//! The same actors can also run freely. This shows how little a test finds that fires requests and
//! hopes.

mod crowd;
mod database;
mod files;
mod loose;
mod network;
mod real;
mod remains;
mod search;
mod stress;
mod threads;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

pub(crate) use database::{Around, Scripted};
pub use database::{RealDb, Stage, Staged};
pub(crate) use files::place;
pub use files::{Furnished, put_on_disk, replay};
pub use loose::{FreeDb, FreeRun, LetLoose, Loose};
pub use network::replay_on_loopback;
pub use remains::{Remains, Tables, Visits};
pub use search::{Outcome, Search, search};
pub use stress::stress;
pub use threads::{let_loose, on_real_threads};

use crate::check::{Schedule, Trace, TraceStep, Unfinished, told_way};
use crate::db::{ClusterError, SqlError};
use crate::errno::shown;
use crate::fs::{Errno, errno_name};
use crate::recorded::Recorded;
use crate::{Process, Step, marks};

/// The real world in which a schedule is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The kernel's file system.
    Kernel,
    /// A PostgreSQL server.
    Postgres,
    /// SQLite, in this process.
    Sqlite,
    /// Sockets of the loopback interface.
    Loopback,
    /// Threads of this process, and the processor's atomics.
    Threads,
    /// None: the system exists in the simulation only.
    Nowhere,
}

impl Place {
    /// The name of its world in a diagram: `file system`, `PostgreSQL`.
    pub fn world(self) -> &'static str {
        match self {
            Place::Kernel => "file system",
            Place::Postgres => "PostgreSQL",
            Place::Sqlite => "SQLite",
            Place::Loopback => "network",
            Place::Threads => "memory",
            Place::Nowhere => "simulation",
        }
    }

    /// Where the end state is left: `on disk`, `in PostgreSQL`, `on loopback`.
    pub fn within(self) -> &'static str {
        match self {
            Place::Kernel => "on disk",
            Place::Postgres => "in PostgreSQL",
            Place::Sqlite => "in SQLite",
            Place::Loopback => "on loopback",
            Place::Threads => "on real threads",
            Place::Nowhere => "in the simulation",
        }
    }
}

impl fmt::Display for Place {
    /// Who answers there: `the kernel`, `PostgreSQL`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Place::Kernel => "the kernel",
            Place::Postgres => "PostgreSQL",
            Place::Sqlite => "SQLite",
            Place::Loopback => "loopback",
            Place::Threads => "the processor",
            Place::Nowhere => "the simulation",
        })
    }
}

/// Why a schedule could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// There is no temporary directory for the replay.
    #[error("cannot make a temporary directory in {}: {}; set TMPDIR to one that is writable", .0.display(), .1)]
    Directory(Box<Path>, #[source] std::io::Error),
    /// This machine, or this user, cannot do what the replay needs.
    #[error("not possible here: {0}")]
    NotHere(String),
    /// There is a server, but it does not start.
    #[error(transparent)]
    Server(&'static ClusterError),
    /// The system exists in the simulation only.
    #[error("there is no real world to do it in: it happens in the simulation alone")]
    Nowhere,
    /// The initial world could not be made there.
    #[error("cannot set the scene: {}", errno_name(*.0))]
    Furnish(Errno),
    /// The schedule names an actor that does not exist, or that had already ended.
    #[error("step {position} of the schedule names actor {actor}, which is not there or has ended")]
    Actor {
        /// The number of the step, from 1.
        position: usize,
        /// The index that the step names.
        actor: usize,
    },
    /// The database could not be furnished, or could not be read at the end.
    #[error("{0}")]
    Database(#[from] SqlError),
    /// The servers could not be set up.
    #[error("cannot set up the servers on loopback: {0}")]
    Network(#[source] std::io::Error),
    /// A process panicked.
    #[error("actor {0} panicked")]
    Panicked(usize),
    /// No further thread could be started.
    #[error("cannot start a thread for each actor: {0}; ask for fewer, or raise `ulimit -u`")]
    Thread(#[source] std::io::Error),
    /// A free run was given up. The actors that wait in it are left behind.
    #[error("no answer within {seconds} seconds: the server hangs, or the machine is overloaded")]
    Late {
        /// How long the run was waited for.
        seconds: f32,
    },
    /// The end state could not be read.
    #[error("cannot read what the replay left: {}", errno_name(*.0))]
    Tree(Errno),
}

impl ReplayError {
    pub(super) fn furnish(errno: Errno) -> Self {
        ReplayError::Furnish(errno)
    }
}

/// A schedule's run, in the real world or in a simulated one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// What each actor did and got.
    pub trace: Trace,
    /// What was there at the end.
    pub remains: Remains,
}

impl Replayed {
    /// Whether every answer and everything left is the same. As far as both tell who waited for
    /// whom, that has to be the same too.
    pub fn agrees(&self, other: &Replayed) -> bool {
        self.trace.agrees(&other.trace) && self.remains == other.remains
    }
}

/// Which threads the actors step on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// One real thread for each actor, and each waits for its turn. (It makes no difference for a
    /// database or a network: the server works on the sessions, and both ends of a connection take
    /// turns.)
    OneEach,
    /// The calling thread, for all actors. It makes the same system calls in the same order, many
    /// times faster. Use it to replay every interleaving.
    One,
}

/// The trace of these steps, with the start and the actors of the simulation.
fn told(simulated: &Trace, mut steps: Vec<TraceStep>) -> Trace {
    marks::resolve(steps.iter_mut().map(|step| &mut step.label));
    let names = &simulated.actors;
    let ended = |actor: &usize| steps.iter().any(|s| s.actor == *actor && s.output.is_some());
    let unfinished = (0..names.len()).filter(|actor| !ended(actor)).map(|actor| {
        let last = steps.iter().rev().find(|step| step.actor == actor);
        let waiting = last.filter(|step| step.blocked);
        let waits_for = waiting.and_then(|step| step.waits_for.clone());
        Unfinished { actor, waits: waiting.is_some(), waits_for }
    });
    let unfinished = unfinished.collect();
    let (start, actors) = (simulated.start.clone(), names.clone());
    Trace { start, actors, steps, unfinished, end: None, lost: Vec::new() }
}

/// Takes the steps of a schedule one after the other, up to the first that differs from
/// `simulated`. The steps after that belong to another execution.
///
/// A real database cannot be stopped between two rows of a statement. So it performs the statement
/// with the last of its steps, or with the one that begins to wait; those before it are told as
/// simulated. If the schedule ends before, it has not performed it, and the last of these says so.
fn while_as_simulated(
    simulated: &Trace,
    schedule: &Schedule,
    mut take: impl FnMut(usize, usize) -> Result<TraceStep, ReplayError>,
) -> Result<Vec<TraceStep>, ReplayError> {
    let mut steps: Vec<TraceStep> = Vec::with_capacity(schedule.turns.len());
    let mut not_sent: BTreeMap<usize, usize> = BTreeMap::new();
    for (position, &actor) in schedule.turns.iter().enumerate() {
        if let Some(told) = simulated.steps.get(position).filter(|told| told.is_underway()) {
            not_sent.insert(actor, position);
            steps.push(told.clone());
            continue;
        }
        not_sent.remove(&actor);
        let step = take(position + 1, actor)?;
        let is_as_told =
            simulated.steps.get(position).is_some_and(|told| told.agrees_so_far(&step));
        steps.push(step);
        if !is_as_told {
            break;
        }
    }
    for position in not_sent.into_values() {
        steps[position].label += " (not sent: a real database cannot stop here)";
    }
    Ok(steps)
}

/// Performs a schedule on the calling thread, [as long as it goes as
/// simulated](while_as_simulated). `add` adds to each step what else is known about it.
fn one_after_the_other<W, Q: Process<Recorded<W>, Output: fmt::Debug>>(
    world: &mut Recorded<W>,
    actors: Vec<Q>,
    simulated: &Trace,
    schedule: &Schedule,
    add: &mut dyn FnMut(&mut TraceStep),
) -> Result<Vec<TraceStep>, ReplayError> {
    let mut actors: Vec<Option<Q>> = actors.into_iter().map(Some).collect();
    while_as_simulated(simulated, schedule, |position, actor| {
        let process = actors.get_mut(actor).and_then(Option::take);
        let gone = ReplayError::Actor { position, actor };
        let way = schedule.way(position - 1);
        let (mut step, left) = take_step(world, (actor, way), process.ok_or(gone)?);
        actors[actor] = left;
        add(&mut step);
        Ok(step)
    })
}

/// Takes one step of an actor in the real world, in the given way. Returns the step, and the
/// process if it goes on.
fn take_step<W, Q: Process<Recorded<W>, Output: fmt::Debug>>(
    world: &mut Recorded<W>,
    (actor, way): (usize, usize),
    process: Q,
) -> (TraceStep, Option<Q>) {
    let step = process.step(world);
    let label = world.marked();
    let label = told_way(&step, way, label);
    let (left, output, blocked) = match step.way(way) {
        Some(Step::Next(next)) => (Some(next), None, false),
        Some(Step::Blocked(same)) => (Some(same), None, true),
        Some(Step::Done(output)) => (None, Some(shown(&output)), false),
        // It goes no such way: told as a step that differs.
        Some(Step::Choice(_)) | None => (None, None, false),
    };
    (TraceStep { output, blocked, ..TraceStep::new(actor, label) }, left)
}
