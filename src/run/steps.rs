//! Third floor, `run`: the steps of a program, each taken once, on all cores. Imports
//! [`calls`](crate::calls), [`direct`](crate::direct) and [`fs`](crate::fs).
//!
//! After each step, the next step of the same program in the world that it left is possible as well. Threads
//! beside the engine's take that meanwhile. So nothing is run that no engine asks for.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::thread;

use rustc_hash::FxBuildHasher;

use super::Ended;
use super::code::{FOR_EVER, FOR_EVER_BY_THE_CLOCK, SLEEP};
use super::tree::umask_of;
use crate::calls::{Calls, Listen, listened, told_again};
use crate::check::quietly;
use crate::db::SimDb;
use crate::direct::{Machine, MachineCode, awake};
use crate::fs::{Mode, SimFs};
use crate::{Process, Step};

/// A program that got these answers, and the world in which it goes on.
type Key = (MachineCode<Ended>, Machine<SimFs, SimDb>);

/// A step, the world after it, and what was called in it.
#[derive(Clone)]
pub(super) struct Taken {
    pub(super) step: Step<MachineCode<Ended>, Ended>,
    pub(super) world: Machine<SimFs, SimDb>,
    pub(super) calls: Calls,
}

/// What a step was ended with that is none, and what was called until then.
pub(super) struct Failed {
    pub(super) why: Box<dyn std::any::Any + Send>,
    pub(super) calls: Calls,
}

enum Known {
    /// Some thread takes it.
    Running,
    Taken(Box<Taken>),
    /// The program cannot be explored further, for this reason.
    Failed(String),
}

/// The steps that were taken so far.
#[derive(Default)]
pub(super) struct Steps {
    known: Mutex<HashMap<Key, Known, FxBuildHasher>>,
    changed: Condvar,
    /// Whether a program was made to wait for a change, in a world whose clock its sleeps would move on.
    polls: Arc<AtomicBool>,
}

/// What is said of a program that is not deterministic.
const DIFFERS: &str = "not deterministic";

thread_local! {
    /// What the world of this step takes away from each mode.
    static UMASK: Cell<Option<Mode>> = const { Cell::new(None) };
}

/// What the world takes away from each mode: on the kernel, what this process does.
pub(super) fn umask() -> u32 {
    if let Some(umask) = UMASK.get() {
        return umask.bits();
    }
    umask_of("self")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Steps {
    pub(super) fn noting(polls: Arc<AtomicBool>) -> Self {
        Steps { polls, ..Steps::default() }
    }

    pub(super) fn notes(&self) -> &Arc<AtomicBool> {
        &self.polls
    }

    /// What a step leads to. It is taken now, unless it was before.
    pub(super) fn taken(self: &Arc<Self>, key: Key) -> Result<Taken, Failed> {
        let mut known = lock(&self.known);
        loop {
            match known.get(&key) {
                Some(Known::Running) => {
                    known = self.changed.wait(known).unwrap_or_else(PoisonError::into_inner);
                }
                Some(Known::Taken(taken)) => return Ok((**taken).clone()),
                Some(Known::Failed(why)) => {
                    return Err(Failed { why: Box::new(why.clone()), calls: Calls::default() });
                }
                None => break,
            }
        }
        known.insert(key.clone(), Known::Running);
        drop(known);
        let taken = take(&key);
        if key.1.files.clock_of_sleeps().is_some() && taken.as_ref().is_ok_and(Taken::is_asleep) {
            self.polls.store(true, Ordering::Relaxed);
        }
        let mut known = lock(&self.known);
        match &taken {
            Ok(taken) => _ = known.insert(key, Known::Taken(Box::new(taken.clone()))),
            // It takes its time until a program is known not to end.
            Err(Failed { why, .. }) => match why.downcast_ref::<String>() {
                Some(why) if !why.contains(DIFFERS) => {
                    known.insert(key, Known::Failed(why.clone()));
                }
                _ => _ = known.remove(&key),
            },
        }
        self.changed.notify_all();
        if let Ok(Taken { step: Step::Next(next), world, .. }) = &taken {
            let key = (next.clone(), world.clone());
            if !known.contains_key(&key) {
                drop(known);
                helped(Arc::downgrade(self), key);
            }
        }
        taken
    }
}

/// Takes a step.
fn take((code, world): &Key) -> Result<Taken, Failed> {
    UMASK.set(Some(world.files.umask()));
    let for_ever =
        if world.files.clock_of_sleeps().is_some() { FOR_EVER_BY_THE_CLOCK } else { FOR_EVER };
    let mut after = world.clone();
    let step = AssertUnwindSafe(|| code.clone().step(&mut after));
    let (mut step, mut calls) = listened(Listen::Tell, || catch_unwind(step));
    if let Ok(Step::Blocked(blocked)) = &step
        && blocked.asks() == Some(SLEEP)
        && !blocked.sleeps_on(&mut world.clone(), for_ever)
    {
        // It tries for so long and no longer: what it does then is to be seen as well.
        after = world.clone();
        let step_on = AssertUnwindSafe(|| awake(|| code.clone().step(&mut after)));
        (step, calls) = listened(Listen::Tell, || catch_unwind(step_on));
    }
    UMASK.set(None);
    match step {
        Ok(step) => Ok(Taken { step, world: after, calls }),
        Err(why) => Err(Failed { why, calls }),
    }
}

impl Taken {
    /// Whether it sleeps until something changes.
    fn is_asleep(&self) -> bool {
        matches!(&self.step, Step::Blocked(blocked) if blocked.asks() == Some(SLEEP))
    }

    /// Tells of it as if it were taken now.
    pub(super) fn tell(&self) {
        told_again(&self.calls);
    }
}

/// A step that is still to be taken, as long as somebody may ask for it.
type Job = (Weak<Steps>, Key);

struct Helpers {
    jobs: Mutex<VecDeque<Job>>,
    there: Condvar,
}

/// The threads that help: one for each core but the engine's.
fn helpers() -> Option<&'static Helpers> {
    static HELPERS: OnceLock<Option<&'static Helpers>> = OnceLock::new();
    *HELPERS.get_or_init(|| {
        let count = thread::available_parallelism().map_or(0, |cores| cores.get() - 1);
        let helpers: &Helpers =
            Box::leak(Box::new(Helpers { jobs: Mutex::default(), there: Condvar::new() }));
        let started = (0..count).filter(|number| {
            let helper = thread::Builder::new().name(format!("toctou-run-{number}"));
            helper.spawn(|| helpers.help()).is_ok()
        });
        (started.count() > 0).then_some(helpers)
    })
}

/// Has a step taken by another thread.
fn helped(steps: Weak<Steps>, key: Key) {
    if let Some(helpers) = helpers() {
        lock(&helpers.jobs).push_back((steps, key));
        helpers.there.notify_one();
    }
}

impl Helpers {
    fn help(&self) {
        loop {
            let mut jobs = lock(&self.jobs);
            let (steps, key) = loop {
                match jobs.pop_front() {
                    Some(job) => break job,
                    None => jobs = self.there.wait(jobs).unwrap_or_else(PoisonError::into_inner),
                }
            };
            drop(jobs);
            // Who explored it may have ended. What it fails with is told to whoever asks for it.
            if let Some(steps) = steps.upgrade() {
                let _ = quietly(|| steps.taken(key));
            }
        }
    }
}
