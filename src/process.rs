//! Ground floor: what a process is, and how one is driven to its end. Imports nothing of this crate.
//!
//! A protocol is written once, as a state machine whose every step is one atomic operation on a
//! *world*. [`check`](crate::check) explores that machine in a simulated world; [`run`] drives the
//! very same machine in the real one.

use std::hash::{BuildHasher, RandomState};

/// One sequential program as a state machine over a world `W`.
///
/// # Why a step is *at most one* operation
///
/// Another process may act between any two steps, and never within one. Take a `step` that looks
/// and then takes:
///
/// ```text
/// fn step(self, shelf) { if shelf.has_item() { shelf.take() } … }
/// ```
///
/// Every engine would report that the property holds, and rightly so of this machine. But the
/// program that the machine stands for makes two system calls, and another client can act between
/// them.
///
/// A model that is more atomic than its program proves nothing about the program. So a step is one
/// system call, one SQL statement or one request.
///
/// # Promises the engines rely on
///
/// `step` depends only on `self` and `world` (no clock, no randomness, no global), so a schedule
/// determines an execution. A step that answers [`Step::Blocked`] has changed nothing. An event
/// that the process does not decide (a payment fails or succeeds) is a [`Step::Choice`]: every
/// engine explores each way.
pub trait Process<W: ?Sized>: Sized {
    /// The output of the process: its answer to the caller that started it.
    type Output;

    /// Performs at most one atomic operation on `world`.
    fn step(self, world: &mut W) -> Step<Self, Self::Output>;

    /// Whether it is within an operation that the real world performs at once: a statement that has
    /// rows still to come. Of schedules that are equally short, one is shown in which nobody else
    /// acts meanwhile, where there is one.
    fn is_underway(&self) -> bool {
        false
    }
}

/// The result of one step of a process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step<P, T> {
    /// The process goes on from here.
    Next(P),
    /// The process has to wait for another one; the step changed nothing. It tries again when it is
    /// scheduled again.
    Blocked(P),
    /// The process has ended with this output.
    Done(T),
    /// The process goes on in any of these ways, each a [`Next`](Step::Next) or a
    /// [`Done`](Step::Done). There is at least one way, and there are at most [256](MOST_WAYS). The
    /// world is as this step left it, whichever way the process goes.
    Choice(Vec<Step<P, T>>),
}

/// The most ways that a [`Step::Choice`] may have.
pub const MOST_WAYS: usize = 256;

impl<P, T> Step<P, T> {
    /// Maps the process that goes on (or waits), for machines that embed another machine.
    pub fn map<Q>(self, mut f: impl FnMut(P) -> Q) -> Step<Q, T> {
        self.map_by(&mut f)
    }

    fn map_by<Q>(self, f: &mut impl FnMut(P) -> Q) -> Step<Q, T> {
        match self {
            Step::Next(process) => Step::Next(f(process)),
            Step::Blocked(process) => Step::Blocked(f(process)),
            Step::Done(output) => Step::Done(output),
            Step::Choice(ways) => Step::Choice(ways.into_iter().map(|way| way.map_by(f)).collect()),
        }
    }

    /// Maps the output of a finished process to what happens next: the end, or another process.
    pub fn and_then<U>(self, mut f: impl FnMut(T) -> Step<P, U>) -> Step<P, U> {
        self.and_then_by(&mut f)
    }

    fn and_then_by<U>(self, f: &mut impl FnMut(T) -> Step<P, U>) -> Step<P, U> {
        match self {
            Step::Next(process) => Step::Next(process),
            Step::Blocked(process) => Step::Blocked(process),
            Step::Done(output) => f(output),
            Step::Choice(ways) => {
                Step::Choice(ways.into_iter().map(|way| way.and_then_by(f)).collect())
            }
        }
    }

    /// The way of this index, if the step is a choice that has it. A step that is no choice has one
    /// way: itself.
    pub fn way(self, which: usize) -> Option<Self> {
        match self {
            Step::Choice(mut ways) if which < ways.len() => Some(ways.swap_remove(which)),
            Step::Choice(_) => None,
            step => (which == 0).then_some(step),
        }
    }
}

/// Drives `process` to its end in `world` and returns its output.
///
/// Real worlds wait in the kernel (see [`OsFs::waiting`](crate::fs::OsFs::waiting)), so there a
/// step does not return blocked. In a world that cannot wait, this function yields the thread and
/// tries again, for ever if no other process makes progress. [`check`](crate::check) finds out
/// whether that can happen.
///
/// At a [choice](Step::Choice) the function goes some way, mostly another one each time.
// Inlined for the same reason as the calls of `OsFs`.
#[inline(always)]
pub fn run<W: ?Sized, P: Process<W>>(mut process: P, world: &mut W) -> P::Output {
    loop {
        match any_way(process.step(world)) {
            Step::Next(next) => process = next,
            Step::Blocked(same) => {
                process = same;
                std::thread::yield_now();
            }
            Step::Done(output) => return output,
            Step::Choice(_) => unreachable!("a way of a choice is no choice"),
        }
    }
}

/// Some way, where there are several: any of them, as far as one can tell.
#[inline(always)]
pub(crate) fn any_way<P, T>(step: Step<P, T>) -> Step<P, T> {
    match step {
        Step::Choice(ways) => some_way(ways),
        step => step,
    }
}

#[cold]
fn some_way<P, T>(mut ways: Vec<Step<P, T>>) -> Step<P, T> {
    assert!(!ways.is_empty(), "a choice has at least one way");
    // Each of these states has keys of its own.
    let random = RandomState::new().hash_one(()) as usize;
    any_way(ways.swap_remove(random % ways.len()))
}
