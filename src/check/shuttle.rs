//! Second floor, `check`: shuttle as an engine. Imports [`process`](crate::process), its neighbours
//! in `check`, and shuttle.
//!
//! There is one real shuttle thread for each actor, and a scheduler. The engine's own scheduler
//! knows which states were expanded, and ends an execution that comes to one of them. shuttle's
//! schedulers audit that one (depth first), or sample systems that are too large to exhaust
//! (random, PCT).
//!
//! A thread takes one step each time it is scheduled. The main thread only starts the others,
//! because in shuttle `spawn` is no scheduling point. If the main thread were an actor, it would
//! step before the others could, and the schedules in which they come first would never be seen,
//! silently.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use ::shuttle::scheduler::{
    DfsScheduler, PctScheduler, RandomScheduler, Schedule as TaskSchedule, Scheduler, Task, TaskId,
};
use ::shuttle::sync::atomic::{AtomicUsize, Ordering};
use ::shuttle::thread::{self, Thread};
use ::shuttle::{Config, FailurePersistence, MaxSteps, Runner};
use rustc_hash::FxHashMap;

use super::execution::{Execution, Progress, Recorder, Turn, Turned};
use super::quiet::hook;
use super::verdict::{Bound, Engine, Report};
use super::{Checker, Value, lock};
use crate::Process;

/// Which scheduler [`Checker::shuttle`] runs under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShuttleMode {
    /// The engine's own scheduler: every transition of the state graph once. Each execution ends at
    /// a known state.
    KnownStates,
    /// shuttle's own depth-first search: every interleaving, up to this many executions.
    DepthFirst {
        /// Give up, unfinished, after this many executions.
        max_executions: usize,
    },
    /// Uniformly random choices. It proves nothing and finds much.
    Random {
        /// How many executions.
        executions: usize,
        /// Seeds the choices.
        seed: u64,
    },
    /// Probabilistic concurrency testing (Burckhardt et al., ASPLOS 2010): random priorities that
    /// change at a few random points. It finds a bug of the given depth with known probability.
    Pct {
        /// How many executions.
        executions: usize,
        /// The depth: how many ordering constraints the bug needs.
        depth: usize,
        /// Seeds the choices.
        seed: u64,
    },
}

/// Turns in one execution under shuttle's schedulers, which would follow a loop for ever.
const MAX_TURNS: usize = 10_000;

/// Our scheduler keeps the actors tried in a state as bits.
const MAX_ACTORS: usize = 64;

impl<W: Value, P: Process<W, Output: Value> + Value> Checker<W, P> {
    /// Explores on shuttle's threads, under the scheduler that `mode` names.
    pub fn shuttle(&self, mode: ShuttleMode) -> Report {
        let name = match mode {
            ShuttleMode::KnownStates => "known states",
            ShuttleMode::DepthFirst { .. } => "depth first",
            ShuttleMode::Random { .. } => "random",
            ShuttleMode::Pct { .. } => "PCT",
        };
        let actors = self.system.actors.len();
        if actors > MAX_ACTORS {
            let bound = Bound::Actors { actors, limit: MAX_ACTORS, engine: Engine::Shuttle };
            return self.not_started(Engine::Shuttle, name, bound);
        }
        // shuttle's own hook is to come behind ours.
        hook();
        let started = Instant::now();
        let recorder = self.metered_recorder(Engine::Shuttle);
        let starts = self.system.starts.len();
        let mut executions = 0;
        match mode {
            ShuttleMode::KnownStates => {
                let scheduler = KnownStates::new(recorder.clone());
                let (now, beginning) = (scheduler.now.clone(), scheduler.beginning.clone());
                executions =
                    run(scheduler, &recorder, now, Waits::Retry, From::Beginning(beginning));
            }
            ShuttleMode::DepthFirst { max_executions } => {
                // There may come to be more of them.
                let mut beginning = 0;
                while beginning < recorder.beginnings() {
                    let left = max_executions.saturating_sub(executions);
                    if left == 0 && beginning > 0 {
                        break;
                    }
                    let from = From::Beginning(Arc::new(beginning.into()));
                    let scheduler = DfsScheduler::new(Some(left), false);
                    executions += run(scheduler, &recorder, Arc::default(), Waits::Park, from);
                    beginning += 1;
                }
            }
            ShuttleMode::Random { executions: wanted, seed }
            | ShuttleMode::Pct { executions: wanted, seed, .. } => {
                for start in 0..starts {
                    // As evenly as they can be shared out.
                    let share = wanted / starts + usize::from(start < wanted % starts);
                    let seed = seed.wrapping_add(start as u64);
                    executions += match mode {
                        // PCT panics where nothing is concurrent.
                        ShuttleMode::Pct { depth, .. } if actors > 0 => {
                            let depth = depth.max(1);
                            let pct = PctScheduler::new_from_seed(seed, depth, share);
                            sample(start, seed, pct, &recorder)
                        }
                        _ => {
                            let random = RandomScheduler::new_from_seed(seed, share);
                            sample(start, seed, random, &recorder)
                        }
                    };
                }
            }
        }
        let executed = executions as u64;
        let bound = recorder.ended_by().or(match mode {
            ShuttleMode::KnownStates => None,
            ShuttleMode::DepthFirst { .. } if recorder.abandoned_any() => {
                Some(Bound::Turns(MAX_TURNS as u64))
            }
            ShuttleMode::DepthFirst { max_executions } => {
                (executions >= max_executions).then_some(Bound::Executions(executed))
            }
            ShuttleMode::Random { .. } | ShuttleMode::Pct { .. } => Some(Bound::Sampled(executed)),
        });
        let distinct_counted = mode != ShuttleMode::KnownStates;
        recorder.report(Engine::Shuttle, name, bound, distinct_counted, started.elapsed())
    }
}

/// Runs executions of one start under a scheduler of shuttle's that makes random choices; returns how
/// many.
fn sample<W: Value, P: Process<W, Output: Value> + Value>(
    start: usize,
    seed: u64,
    scheduler: impl Scheduler + 'static,
    recorder: &Arc<Recorder<W, P>>,
) -> usize {
    run(scheduler, recorder, Arc::default(), Waits::Park, From::Start(start, seed))
}

/// How the executions of a run begin.
#[derive(Clone)]
enum From {
    /// From this [beginning](Recorder::execution_of). It is chosen by the scheduler, so nothing that
    /// shuttle's threads could race for, and nothing that it knows of.
    Beginning(Arc<std::sync::atomic::AtomicUsize>),
    /// From this start, with choices made by this seed.
    Start(usize, u64),
}

fn run<W: Value, P: Process<W, Output: Value> + Value>(
    scheduler: impl Scheduler + 'static,
    recorder: &Arc<Recorder<W, P>>,
    now: Now<W, P>,
    waits: Waits,
    from: From,
) -> usize {
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::None;
    config.silence_warnings = true;
    let noted = recorder.clone();
    let scheduler = Until { scheduler, recorder: recorder.clone() };
    Runner::new(scheduler, config).run(move || execute(&noted, &now, waits, &from))
}

/// A scheduler that continues no execution, and begins none, once all is over. (shuttle's own
/// schedulers could not replay an execution that the clock ended early.)
struct Until<S, W, P: Process<W>> {
    scheduler: S,
    recorder: Arc<Recorder<W, P>>,
}

impl<S: Scheduler, W: Value, P: Process<W, Output: Value> + Value> Scheduler for Until<S, W, P> {
    fn new_execution(&mut self) -> Option<TaskSchedule> {
        if self.recorder.is_over() { None } else { self.scheduler.new_execution() }
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        if self.recorder.ended_by().is_some() {
            return None;
        }
        self.scheduler.next_task(runnable, current, is_yielding)
    }

    fn next_u64(&mut self) -> u64 {
        self.scheduler.next_u64()
    }
}

/// The execution now running, for its threads and for our scheduler to look at.
type Now<W, P> = Arc<Mutex<Option<Execution<W, P>>>>;

/// What a thread does whose actor is blocked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// Tries again when scheduled; our scheduler schedules none that would block.
    Retry,
    /// Sleeps until another has stepped; a scheduler that knows nothing of states would try it
    /// again for ever.
    Park,
}

impl Waits {
    /// Our scheduler ends an execution itself where it comes to a known state.
    fn max_turns(self) -> usize {
        match self {
            Waits::Retry => usize::MAX,
            Waits::Park => MAX_TURNS,
        }
    }
}

struct Shared<W, P: Process<W>> {
    now: Now<W, P>,
    point: AtomicUsize,
    parked: Mutex<Vec<(usize, Thread)>>,
    waits: Waits,
}

fn execute<W: Value, P: Process<W, Output: Value> + Value>(
    recorder: &Arc<Recorder<W, P>>,
    now: &Now<W, P>,
    waits: Waits,
    from: &From,
) {
    *lock(now) = Some(match from {
        From::Beginning(beginning) => recorder.execution_of(beginning.load(Ordering::Relaxed)),
        From::Start(start, seed) => recorder.random_execution_from(*start, *seed),
    });
    let shared = Arc::new(Shared {
        now: now.clone(),
        point: AtomicUsize::new(0),
        parked: Mutex::default(),
        waits,
    });
    for actor in 0..recorder.system().actors.len() {
        let shared = shared.clone();
        thread::spawn(move || act(&shared, actor));
    }
}

fn act<W: Value, P: Process<W, Output: Value> + Value>(shared: &Shared<W, P>, actor: usize) {
    loop {
        // No guard of these mutexes lives across a point where shuttle may switch.
        let taken = lock(&shared.now).as_mut().and_then(|execution| {
            execution.turn(actor, &mut lock(&shared.parked), shared.waits.max_turns())
        });
        let Some(Turned { progress, over, awake }) = taken else { return };
        for thread in awake {
            thread.unpark();
        }
        if progress == Progress::Ended || over {
            return;
        }
        if progress == Progress::Blocked && shared.waits == Waits::Park {
            lock(&shared.parked).push((actor, thread::current()));
            thread::park();
            continue;
        }
        // An access of shuttle's is a scheduling point, and unlike a yield it tells the scheduler
        // nothing (PCT would take a yield for a wish to come last).
        shared.point.fetch_add(1, Ordering::SeqCst);
    }
}

/// A state as codes.
type Codes = Box<[u32]>;
/// The actors that have stepped so far, and which way.
type Prefix = Box<[Turn]>;

/// A scheduler that walks every transition of the state graph once.
///
/// An execution replays a schedule to a state that has untried actors, lets one of them step, and
/// goes on from state to new state. Where it comes to a known state it is over. So there are never
/// more executions than transitions, and each step that an execution takes beyond its replay is
/// one that no other has taken. States are known whichever beginning they were reached from.
struct KnownStates<W, P: Process<W>> {
    now: Now<W, P>,
    recorder: Arc<Recorder<W, P>>,
    /// The beginning whose states are being explored; all before it are.
    beginning: Arc<std::sync::atomic::AtomicUsize>,
    /// For each state met, the actors that could step from it and have not yet, as bits.
    untried: FxHashMap<Codes, u64>,
    /// States that may have untried actors, each with the schedule that leads there.
    open: Vec<(Codes, Prefix)>,
    replay: Prefix,
    started: bool,
    deadlocked: bool,
    /// Whether the execution is at the state its replay leads to, or on new ground behind it.
    arrived: bool,
}

impl<W: Value, P: Process<W, Output: Value> + Value> KnownStates<W, P> {
    fn new(recorder: Arc<Recorder<W, P>>) -> Self {
        KnownStates {
            now: Arc::default(),
            recorder,
            beginning: Arc::default(),
            untried: FxHashMap::default(),
            open: Vec::new(),
            replay: Box::default(),
            started: false,
            deadlocked: false,
            arrived: false,
        }
    }

    /// Which actor steps next; none if the execution has come to known ground.
    fn choose(&mut self) -> Option<usize> {
        let now = self.now.clone();
        let now = lock(&now);
        let execution = now.as_ref()?;
        let taken = execution.prefix().len();
        if let Some((actor, _)) = self.replay.get(taken) {
            return Some(usize::from(*actor));
        }
        if execution.abandoned() {
            return None;
        }
        let state = execution.state();
        let is_new = !self.untried.contains_key(&state);
        if is_new {
            let enabled = execution.enabled().fold(0, |actors, actor| actors | 1 << actor);
            self.untried.insert(state.clone(), enabled);
            self.open.push((state.clone(), execution.prefix().into()));
            if enabled == 0 {
                self.deadlocked = true;
            }
        }
        if self.deadlocked {
            // Let those who wait find out, so that it is noted.
            return execution.running().find(|actor| !execution.waiting().contains(actor));
        }
        let arrived = std::mem::replace(&mut self.arrived, true);
        if arrived && !is_new {
            return None;
        }
        let untried = self.untried.get_mut(&state)?;
        if *untried == 0 {
            // A start that another leads to.
            return None;
        }
        let actor = untried.trailing_zeros();
        *untried &= !(1 << actor);
        Some(actor as usize)
    }
}

impl<W: Value, P: Process<W, Output: Value> + Value> Scheduler for KnownStates<W, P> {
    fn new_execution(&mut self) -> Option<TaskSchedule> {
        if self.started {
            // The last state met was tried last: depth first keeps the replays short to find.
            loop {
                let Some((state, schedule)) = self.open.last() else {
                    let next = self.beginning.load(Ordering::Relaxed) + 1;
                    if next >= self.recorder.beginnings() {
                        return None;
                    }
                    self.beginning.store(next, Ordering::Relaxed);
                    self.replay = Box::default();
                    break;
                };
                if self.untried.get(state).is_some_and(|actors| *actors != 0) {
                    self.replay = schedule.clone();
                    break;
                }
                self.open.pop();
            }
        }
        self.started = true;
        self.arrived = false;
        self.deadlocked = false;
        *lock(&self.now) = None;
        Some(TaskSchedule::new(0))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        _current: Option<TaskId>,
        _is_yielding: bool,
    ) -> Option<TaskId> {
        // The main thread is task 0 and has nothing to do but start the others.
        let main = TaskId::from(0);
        if runnable.iter().any(|task| task.id() == main) {
            return Some(main);
        }
        self.choose().map(|actor| TaskId::from(actor + 1))
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("processes make no random choice")
    }
}
