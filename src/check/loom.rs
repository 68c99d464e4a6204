//! Second floor, `check`: loom as an engine. Imports [`process`](crate::process), its neighbours in
//! `check`, and loom.
//!
//! There is one real loom thread for each actor; the main thread is actor 0. loom sees only that
//! each step holds one loom mutex: the single point at which loom may switch.
//!
//! loom would also explore each of the following, so the engine avoids them:
//!
//! - The state is behind an ordinary mutex, of which loom knows nothing.
//! - There are no joins: the thread that ends last notes the outcome.
//! - Nothing is in a loom `Arc`.
//!
//! Exploring begins only once every thread waits for that mutex, which the main thread holds till
//! then. Otherwise loom also explores when each thread gets to its first step: 56,860 executions
//! instead of 10,836 for 3 clients of `open-then-remove`; with a janitor, skipping known states,
//! 562,684 instead of 7,694.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ::loom::sync::Mutex as LoomMutex;
use ::loom::thread::{self, Thread};
use rustc_hash::FxHashMap;

use super::execution::{Execution, Progress, Recorder, Turn, Turned};
use super::quiet::on_a_quiet_thread;
use super::verdict::{Bound, Engine, Report};
use super::{Checker, Value, lock};
use crate::Process;

/// The options of [`Checker::loom`].
#[derive(Clone, Debug)]
pub struct LoomOptions {
    /// Explore no further from a state that another schedule has reached before
    /// (`loom::skip_branch`).
    ///
    /// This is sound here because every step conflicts with every other: they all hold the one
    /// mutex. The outcomes stay complete, but interleavings are no longer counted.
    pub skip_known_states: bool,
    /// Give up, unfinished, after about this many executions.
    pub max_executions: u64,
}

impl Default for LoomOptions {
    fn default() -> Self {
        LoomOptions { skip_known_states: false, max_executions: 1_000_000 }
    }
}

/// loom looks at its bounds once in so many executions.
const BOUNDS_EVERY: usize = 64;

/// Scheduling points in one execution; loom sets aside room for them all beforehand.
const MAX_BRANCHES: usize = 4_000;

/// Turns in one execution, few enough that loom's branches last for them: beyond, loom would panic.
const MAX_TURNS: usize = 1_000;

/// What a thread of ours panics with, silently, to make loom give up: on an execution too long for it, or
/// altogether.
struct TooLong;

impl<W: Value, P: Process<W, Output: Value> + Value> Checker<W, P> {
    /// Explores every interleaving on loom's threads. loom takes 5 actors at most.
    pub fn loom(&self, options: &LoomOptions) -> Report {
        let mode =
            if options.skip_known_states { "skip known states" } else { "every interleaving" };
        let actors = self.system.actors.len();
        if actors > ::loom::MAX_THREADS {
            let bound = Bound::Actors { actors, limit: ::loom::MAX_THREADS, engine: Engine::Loom };
            return self.not_started(Engine::Loom, mode, bound);
        }
        let started = Instant::now();
        let recorder = self.metered_recorder(Engine::Loom);
        let mut builder = ::loom::model::Builder::new();
        // Each set here, so that no environment variable can quietly make a proof partial.
        builder.max_branches = MAX_BRANCHES;
        builder.max_duration = None;
        builder.preemption_bound = None;
        builder.checkpoint_file = None;
        builder.checkpoint_interval = BOUNDS_EVERY;
        builder.location = false;
        builder.log = false;
        builder.expect_explicit_explore = true;
        // What follows from a state does not depend on the start it was reached from.
        let known: Option<Known> = options.skip_known_states.then(Arc::default);
        let mut complete = true;
        let explored = catch_unwind(AssertUnwindSafe(|| {
            on_a_quiet_thread(|| {
                // There may come to be more of them.
                let mut beginning = 0;
                while beginning < recorder.beginnings() {
                    let before = recorder.executions();
                    let left = options.max_executions.saturating_sub(before);
                    if left == 0 && beginning > 0 {
                        complete = false;
                        break;
                    }
                    let max = usize::try_from(left).unwrap_or(usize::MAX);
                    let max = max.div_ceil(BOUNDS_EVERY).max(1).saturating_mul(BOUNDS_EVERY);
                    builder.max_permutations = Some(max);
                    let (noted, known) = (recorder.clone(), known.clone());
                    builder.check(move || execute(&noted, beginning, known.clone()));
                    if recorder.is_over() || (recorder.executions() - before) as usize + 1 >= max {
                        complete = false;
                        break;
                    }
                    beginning += 1;
                }
            });
        }));
        let executions = recorder.executions();
        let bound = match explored {
            Ok(()) => (!complete).then_some(Bound::Executions(executions)),
            Err(panic) if panic.is::<TooLong>() => Some(Bound::Turns(MAX_TURNS as u64)),
            Err(panic) => resume_unwind(panic),
        };
        let bound = recorder.ended_by().or(bound);
        recorder.report(Engine::Loom, mode, bound, !options.skip_known_states, started.elapsed())
    }
}

/// States reached, each with the start and the schedule that first reached it.
type Known = Arc<Mutex<FxHashMap<Box<[u32]>, (usize, Box<[Turn]>)>>>;

struct Shared<W, P: Process<W>> {
    execution: Mutex<Execution<W, P>>,
    /// The one object that loom sees every step touch.
    turn: LoomMutex<()>,
    parked: Mutex<Vec<(usize, Thread)>>,
    known: Option<Known>,
}

fn execute<W: Value, P: Process<W, Output: Value> + Value>(
    recorder: &Arc<Recorder<W, P>>,
    beginning: usize,
    known: Option<Known>,
) {
    let execution = recorder.execution_of(beginning);
    if recorder.is_over() {
        std::panic::panic_any(TooLong);
    }
    if known.as_ref().is_some_and(|known| was_known(known, &execution)) {
        // An earlier start leads here: nothing is new behind it.
        return;
    }
    let shared = Arc::new(Shared {
        execution: Mutex::new(execution),
        turn: LoomMutex::new(()),
        parked: Mutex::default(),
        known,
    });
    let actors = recorder.system().actors.len();
    let held = shared.turn.lock();
    for actor in 1..actors {
        let shared = shared.clone();
        thread::spawn(move || act(&shared, actor));
    }
    // They run until they wait for the mutex.
    thread::yield_now();
    ::loom::explore();
    drop(held);
    if actors > 0 {
        act(&shared, 0);
    }
}

fn act<W: Value, P: Process<W, Output: Value> + Value>(shared: &Shared<W, P>, actor: usize) {
    loop {
        let turn = shared.turn.lock();
        // No guard of the other mutexes lives across a point where loom may switch.
        let taken = lock(&shared.execution).turn(actor, &mut lock(&shared.parked), MAX_TURNS);
        let Some(Turned { progress, over, awake }) = taken else { return };
        if lock(&shared.execution).abandoned() {
            std::panic::panic_any(TooLong);
        }
        if !awake.is_empty() {
            // As at the start: they run until they wait for the mutex, and nobody explores that.
            ::loom::stop_exploring();
            for thread in awake {
                thread.unpark();
            }
            thread::yield_now();
            ::loom::explore();
        }
        if over {
            return;
        }
        match progress {
            Progress::Ended => return,
            Progress::Blocked => {
                // Nothing was changed, so what can follow, follows from the choice of another actor
                // at this very point too, and is explored there.
                ::loom::skip_branch();
                lock(&shared.parked).push((actor, thread::current()));
                drop(turn);
                thread::park();
            }
            Progress::Stepped => {
                let known = shared.known.as_ref();
                if known.is_some_and(|known| was_known(known, &lock(&shared.execution))) {
                    ::loom::skip_branch();
                }
            }
        }
    }
}

/// Whether another execution reached this state before; notes it if none did.
fn was_known<W: Value, P: Process<W, Output: Value> + Value>(
    known: &Known,
    execution: &Execution<W, P>,
) -> bool {
    match lock(known).entry(execution.state()) {
        std::collections::hash_map::Entry::Vacant(new) => {
            new.insert((execution.start(), execution.prefix().into()));
            false
        }
        std::collections::hash_map::Entry::Occupied(first) => {
            let (start, prefix) = first.get();
            *start != execution.start() || **prefix != *execution.prefix()
        }
    }
}
