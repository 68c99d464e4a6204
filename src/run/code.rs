//! Third floor, `run`: a program as a process. Imports [`calls`](crate::calls), [`direct`](crate::direct)
//! and [`fs`](crate::fs).

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxBuildHasher;

use super::Ended;
use crate::calls::{Calls, Listen, listened, told_again};
use crate::direct::{Code, FileCode, Files, awake};
use crate::fs::{Mode, OsFile, SimFs};
use crate::{Process, Step};

/// A program of the operating system as a process of a system over files: what
/// [`Command::process`](super::Command::process) makes.
///
/// A program that got the same answers is in the same state. So it is run once for each state and world,
/// however many engines explore it.
#[derive(Clone)]
pub struct ProgramCode {
    code: FileCode<Ended>,
    steps: Arc<Steps>,
}

/// How a sleep is told.
pub(super) const SLEEP: &str = "sleep";

/// What is said of a program that is not deterministic.
const DIFFERS: &str = "not deterministic";

/// A program that sleeps so often, while nothing changes, waits for ever.
pub(super) const FOR_EVER: usize = 256;

/// The steps that were taken so far.
type Steps = Mutex<HashMap<(FileCode<Ended>, SimFs), Result<Taken, String>, FxBuildHasher>>;

/// A step, the world after it, and what was called in it.
#[derive(Clone)]
struct Taken {
    step: Step<FileCode<Ended>, Ended>,
    world: SimFs,
    calls: Calls,
}

impl ProgramCode {
    pub(super) fn new(code: FileCode<Ended>) -> Self {
        ProgramCode { code, steps: Arc::default() }
    }

    /// The same program with this number, which tells it from others: its process numbers and its random
    /// bytes come from that.
    ///
    /// Without it, the program may be any of several, and what it asks must not depend on who it is.
    pub fn in_process(self, number: u32) -> Self {
        // What is known of a program with another number is not known of this one.
        Self::new(self.code.in_process(number))
    }

    /// The same program over the kernel's file system.
    pub fn on_kernel(&self) -> Code<Files<OsFile>, Ended> {
        self.code.over_files()
    }
}

thread_local! {
    /// What the world of this step takes away from each mode.
    static UMASK: Cell<Option<Mode>> = const { Cell::new(None) };
}

/// What the world takes away from each mode: on the kernel, what this process does.
pub(super) fn umask() -> u32 {
    if let Some(umask) = UMASK.get() {
        return umask.bits();
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    umask.and_then(|umask| u32::from_str_radix(umask.trim(), 8).ok()).unwrap_or(0)
}

impl Process<SimFs> for ProgramCode {
    type Output = Ended;

    fn step(self, world: &mut SimFs) -> Step<Self, Ended> {
        let ProgramCode { code, steps } = self;
        let key = (code, world.clone());
        UMASK.set(Some(world.umask()));
        let known = steps.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let known = known.map(|known| known.unwrap_or_else(|why| resume_unwind(Box::new(why))));
        let taken = known.unwrap_or_else(|| {
            let before = world.clone();
            let step = AssertUnwindSafe(|| key.0.clone().step(world));
            let (mut step, mut calls) = listened(Listen::Tell, || catch_unwind(step));
            if let Ok(Step::Blocked(code)) = &step
                && code.asks() == Some(SLEEP)
                && !code.sleeps_on(&mut before.clone(), FOR_EVER)
            {
                // It tries for so long and no longer: what it does then is to be seen as well.
                *world = before;
                let step_on = AssertUnwindSafe(|| awake(|| key.0.clone().step(world)));
                (step, calls) = listened(Listen::Tell, || catch_unwind(step_on));
            }
            let step = step.unwrap_or_else(|why| {
                UMASK.set(None);
                told_again(&calls);
                // It takes its time until a program is known not to end.
                if let Some(said) = why.downcast_ref::<String>().filter(|it| !it.contains(DIFFERS))
                {
                    let mut steps = steps.lock().unwrap_or_else(PoisonError::into_inner);
                    steps.insert(key.clone(), Err(said.clone()));
                }
                resume_unwind(why)
            });
            let taken = Taken { step, world: world.clone(), calls };
            let mut steps = steps.lock().unwrap_or_else(PoisonError::into_inner);
            steps.insert(key, Ok(taken.clone()));
            taken
        });
        UMASK.set(None);
        told_again(&taken.calls);
        *world = taken.world;
        taken.step.map(|code| ProgramCode { code, steps: steps.clone() })
    }
}

impl PartialEq for ProgramCode {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

impl Eq for ProgramCode {}

impl Hash for ProgramCode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.code.hash(state);
    }
}

impl fmt::Debug for ProgramCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)
    }
}
