//! Third floor, `run`: a program as a process. Imports [`calls`](crate::calls), [`direct`](crate::direct)
//! and [`fs`](crate::fs).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Ended;
use super::steps::{Failed, Steps};
use crate::calls::told_again;
use crate::direct::{Code, FileCode, Files};
use crate::fs::{OsFile, SimFs};
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

/// A program that sleeps so often, while nothing changes, waits for ever.
pub(super) const FOR_EVER: usize = 256;

/// The same where sleeps move the world's clock on. What waits so is no proof there, so it may be fewer.
pub(super) const FOR_EVER_BY_THE_CLOCK: usize = 64;

impl ProgramCode {
    pub(super) fn new(code: FileCode<Ended>, polls: Arc<AtomicBool>) -> Self {
        ProgramCode { code, steps: Arc::new(Steps::noting(polls)) }
    }

    /// The same program with this number, which tells it from others: its process numbers and its random
    /// bytes come from that.
    ///
    /// Without it, the program may be any of several, and what it asks must not depend on who it is.
    pub fn in_process(self, number: u32) -> Self {
        // What is known of a program with another number is not known of this one.
        let polls = self.steps.notes().clone();
        Self::new(self.code.in_process(number), polls)
    }

    /// The same program over the kernel's file system.
    pub fn on_kernel(&self) -> Code<Files<OsFile>, Ended> {
        self.code.over_files()
    }
}

impl Process<SimFs> for ProgramCode {
    type Output = Ended;

    fn step(self, world: &mut SimFs) -> Step<Self, Ended> {
        let ProgramCode { code, steps } = self;
        let taken = steps.taken((code, world.clone())).unwrap_or_else(|Failed { why, calls }| {
            told_again(&calls);
            resume_unwind(why)
        });
        taken.tell();
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
