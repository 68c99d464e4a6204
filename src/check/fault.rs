//! Second floor, `check`: performs one step and watches it. Imports [`calls`](crate::calls) and
//! [`process`](crate::process).
//!
//! A step is a *fault* if it panics, makes more than one call, or gets an answer that can only mean
//! a mistake of the model. What the system would do after a fault says nothing about the program.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::quiet;
use crate::calls::{Calls, Listen, listened};
use crate::process::MOST_WAYS;
use crate::{Process, Step};

/// The property that a step violates if it panics.
pub const PANIC_FREE: &str = "panic-free";

/// The property that a step violates if it makes more than one call on a simulated world.
pub const ONE_CALL_A_STEP: &str = "one-call-a-step";

/// The property that a step violates if it gets an answer from a simulated world that can only mean
/// that the model is [wrong](crate::calls::mistaken).
pub const NO_MISTAKE: &str = "no-mistake";

/// The property that a step violates if it answers [`Step::Blocked`] and has changed something.
pub const BLOCKED_UNCHANGED: &str = "blocked-unchanged";

/// The ways in which a step can be a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "command", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "command", serde(rename_all = "snake_case"))]
pub enum FaultKind {
    /// It panicked.
    Panic,
    /// It made more than one call.
    Calls,
    /// Its answer means that the model is wrong.
    Mistake,
    /// It had to wait and changed something.
    Blocked,
}

impl FaultKind {
    /// The property that such a fault violates. Only a report in which it is violated lists it.
    pub fn property(self) -> &'static str {
        match self {
            FaultKind::Panic => PANIC_FREE,
            FaultKind::Calls => ONE_CALL_A_STEP,
            FaultKind::Mistake => NO_MISTAKE,
            FaultKind::Blocked => BLOCKED_UNCHANGED,
        }
    }

    /// The kind of fault that violates this property, if there is one.
    pub fn of(property: &str) -> Option<FaultKind> {
        let all = [FaultKind::Panic, FaultKind::Calls, FaultKind::Mistake, FaultKind::Blocked];
        all.into_iter().find(|kind| kind.property() == property)
    }

    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            FaultKind::Panic => "a process ends with an output, whatever it meets: return an error",
            FaultKind::Calls => {
                "another actor can come between these calls in the program: take one call a step; \
                 a look that is no call of the program goes through `observed` or `calls::untold`"
            }
            FaultKind::Mistake => {
                "correct the model; or, if the program does meet this answer, say so with \
                 `System::expects` and its code"
            }
            FaultKind::Blocked => "a step that answers `Step::Blocked` returns as it came",
        }
    }
}

/// A step that is a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    /// What happened, in words.
    pub(super) said: String,
}

/// Performs a step, in whatever way, and returns the fault if it was one. After a fault the world
/// is as the step left it, and must not be used.
pub(super) fn watched<T>(
    how: Listen,
    expected: &[String],
    step: impl FnOnce() -> T,
) -> (Result<T, Fault>, Calls) {
    let (step, calls) = listened(how, || {
        let _inside = quiet::Inside::step();
        catch_unwind(AssertUnwindSafe(step))
    });
    let done = match step {
        Err(panic) => Err(panicked(&*panic)),
        Ok(_) if calls.count > 1 => {
            let said = format!("{} calls in one step", calls.count);
            Err(Fault { kind: FaultKind::Calls, said })
        }
        Ok(done) => match &calls.mistake {
            Some(mistake) if !expected.contains(&mistake.code) => {
                let said = format!("{}: {}", mistake.code, mistake.what);
                Err(Fault { kind: FaultKind::Mistake, said })
            }
            _ => Ok(done),
        },
    };
    (done, calls)
}

/// What a panic said, and where it was.
fn panicked(panic: &(dyn Any + Send)) -> Fault {
    let text = panic.downcast_ref::<&str>().copied();
    let said = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let said = said.unwrap_or("with something that is no text");
    let place = quiet::place().map_or_else(String::new, |place| format!(" ({place})"));
    Fault { kind: FaultKind::Panic, said: format!("panicked: {said}{place}") }
}

/// Performs a step, for whoever explores.
pub(super) fn perform<W: ?Sized, P: Process<W>>(
    process: P,
    world: &mut W,
    expected: &[String],
) -> Result<Step<P, P::Output>, Fault> {
    watched(Listen::Count, expected, || whole(process.step(world))).0
}

/// The step itself. A choice with a forbidden number of ways is a panic, and is reported as one.
pub(super) fn whole<P, T>(step: Step<P, T>) -> Step<P, T> {
    if let Step::Choice(ways) = &step {
        let count = ways.len();
        assert!(
            count > 0 && count <= MOST_WAYS,
            "a choice of {count} ways: there are 1 to {MOST_WAYS}"
        );
        let is_way = |way: &Step<P, T>| matches!(way, Step::Next(_) | Step::Done(_));
        assert!(
            ways.iter().all(is_way),
            "a way of a choice goes on or ends: it neither waits nor chooses"
        );
    }
    step
}
