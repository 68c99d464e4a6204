//! `claim_cell`: its verdicts, by loom and by shuttle; that each variant fails for the reason it is known
//! for; that the engines agree with one another, with a plain enumeration of what the variants do, and
//! with real threads.

mod engines;
#[path = "../known/mod.rs"]
mod known;
mod play;
#[path = "../../src/check/quiet.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod quiet;
mod real_threads;
mod reasons;
mod small;
mod spec;
mod verdicts;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use toctou::case::{Case, Method};
use toctou::check::threads::Program;
use toctou::check::{LoomOptions, Report, Schedule, ShuttleMode};
use toctou::models::Model;
use toctou::models::claim_cell::{ClaimCell, program};

use known::everything;
use spec::Which;

/// What both engines found of a system.
pub(crate) struct Found {
    pub(crate) loom: Report,
    pub(crate) shuttle: Report,
}

fn by_loom() -> Method {
    Method::Loom(LoomOptions::default())
}

fn by_shuttle() -> Method {
    Method::Shuttle(ShuttleMode::KnownStates)
}

impl Which {
    fn new(variant: &'static str, scenario: &'static str, threads: usize) -> Which {
        Which { variant, scenario, threads }
    }

    fn case(self) -> Box<dyn Case> {
        let case = ClaimCell.case(self.variant, self.scenario, self.threads);
        case.expect("a variant and a scenario of the model")
    }

    fn program(self) -> Program {
        let program = program(self.variant, self.scenario, self.threads);
        program.expect("a variant and a scenario of the model")
    }

    fn find(self) -> Found {
        let case = self.case();
        Found { loom: case.check(&by_loom()), shuttle: case.check(&by_shuttle()) }
    }

    /// What the engines found, with 2 or 3 threads.
    fn found(self) -> &'static Found {
        &FOUND[&self]
    }
}

/// All systems with so many threads.
pub(crate) fn systems(threads: usize) -> impl Iterator<Item = Which> {
    everything(&ClaimCell)
        .map(move |(variant, scenario)| Which::new(variant.name, scenario.name, threads))
}

/// All systems that are explored exhaustively.
pub(crate) fn all() -> impl Iterator<Item = Which> {
    systems(2).chain(systems(3))
}

/// Each is explored once, for all the tests: loom takes seconds for some.
static FOUND: LazyLock<HashMap<Which, Found>> = LazyLock::new(|| {
    // The long ones first.
    let which: Vec<Which> = systems(3).chain(systems(2)).collect();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(HashMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(which) = which.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let one = which.find();
                    found.lock().unwrap_or_else(PoisonError::into_inner).insert(*which, one);
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
});

/// A schedule as it is written.
pub(crate) fn schedule(text: &str) -> Schedule {
    text.parse().expect("a schedule")
}
