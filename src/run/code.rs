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
use crate::db::SimDb;
#[cfg(feature = "command")]
use crate::direct::Both;
use crate::direct::{Code, Files, Machine, MachineCode};
use crate::fs::{OsFile, SimFs};
use crate::{Process, Step};

/// A program of the operating system as a process of a system over files, or over files and a database: what
/// [`Command::process`](super::Command::process) makes.
///
/// A program that got the same answers is in the same state. So it is run once for each state and world,
/// however many engines explore it.
#[derive(Clone)]
pub struct ProgramCode {
    code: MachineCode<Ended>,
    steps: Arc<Steps>,
}

/// How a sleep is told.
pub(super) const SLEEP: &str = "sleep";

/// A program that sleeps so often, while nothing changes, waits for ever.
pub(super) const FOR_EVER: usize = 256;

/// The same where sleeps move the world's clock on. What waits so is no proof there, so it may be fewer.
pub(super) const FOR_EVER_BY_THE_CLOCK: usize = 64;

impl ProgramCode {
    pub(super) fn new(code: MachineCode<Ended>, polls: Arc<AtomicBool>) -> Self {
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

    /// Whether a statement of this program waits for a transaction of the other one.
    pub fn waits_for(&self, other: &ProgramCode, database: &SimDb) -> bool {
        self.code.held().wait_for(other.code.held(), database)
    }

    /// The same program before its first step, over real files and a real database.
    #[cfg(feature = "command")]
    pub(crate) fn on_machine<F, S>(&self) -> Code<Both<F, S>, Ended> {
        self.code.over_machine()
    }

    /// The same program over the kernel's file system.
    pub fn on_kernel(&self) -> Code<Files<OsFile>, Ended> {
        self.code.over_its_files()
    }
}

impl Process<Machine<SimFs, SimDb>> for ProgramCode {
    type Output = Ended;

    fn step(self, world: &mut Machine<SimFs, SimDb>) -> Step<Self, Ended> {
        let ProgramCode { code, steps } = self;
        let taken = steps.taken((code, world.clone())).unwrap_or_else(|Failed { why, calls }| {
            told_again(&calls);
            resume_unwind(why)
        });
        taken.tell();
        *world = taken.world;
        taken.step.map(|code| ProgramCode { code, steps: steps.clone() })
    }

    fn is_underway(&self) -> bool {
        Process::<Machine<SimFs, SimDb>>::is_underway(&self.code)
    }
}

/// A program that uses no database.
impl Process<SimFs> for ProgramCode {
    type Output = Ended;

    fn step(self, files: &mut SimFs) -> Step<Self, Ended> {
        let mut machine = Machine { files: files.clone(), database: SimDb::new() };
        let step = self.step(&mut machine);
        *files = machine.files;
        step
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
