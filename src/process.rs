//! Ground floor: what a process is, and how one is driven to its end. Imports nothing of this crate.
//!
//! A protocol is written once, as a state machine whose every step is one atomic operation on a
//! *world*. [`check`](crate::check) explores that machine in a simulated world; [`run`] drives the
//! very same machine in the real one.

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
/// Every engine would report that it holds, and rightly so of this machine. But the program it
/// stands for makes two system calls, and another client fits between them. A model that is more
/// atomic than its program proves nothing about the program, so: one system call, one SQL
/// statement, one request a step.
///
/// # Promises the engines rely on
///
/// `step` depends on `self` and `world` alone (no clock, no randomness, no global), so that a
/// schedule determines an execution. A step that answers [`Step::Blocked`] has changed nothing.
pub trait Process<W: ?Sized>: Sized {
    /// What the process ends with: its answer to whoever started it.
    type Output;

    /// Performs at most one atomic operation on `world`.
    fn step(self, world: &mut W) -> Step<Self, Self::Output>;
}

/// What became of a process by one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step<P, T> {
    /// It goes on from here.
    Next(P),
    /// It has to wait for another process; nothing was changed. It tries again when scheduled again.
    Blocked(P),
    /// It is over.
    Done(T),
}

impl<P, T> Step<P, T> {
    /// Maps the process that goes on (or waits), for machines that embed another machine.
    pub fn map<Q>(self, f: impl FnOnce(P) -> Q) -> Step<Q, T> {
        match self {
            Step::Next(process) => Step::Next(f(process)),
            Step::Blocked(process) => Step::Blocked(f(process)),
            Step::Done(output) => Step::Done(output),
        }
    }

    /// Maps the output of a finished process to what happens next: the end, or another process.
    pub fn and_then<U>(self, f: impl FnOnce(T) -> Step<P, U>) -> Step<P, U> {
        match self {
            Step::Next(process) => Step::Next(process),
            Step::Blocked(process) => Step::Blocked(process),
            Step::Done(output) => f(output),
        }
    }
}

/// Drives `process` to its end in `world` and returns its output.
///
/// Real worlds wait in the kernel (see [`OsFs::waiting`](crate::fs::OsFs::waiting)), so a step
/// does not come back blocked there. In a world that cannot wait, this yields the thread and tries
/// again, for ever if nobody else makes progress: to find out whether that can happen is what
/// [`check`](crate::check) is for.
// Inlined for the same reason as the calls of `OsFs`.
#[inline(always)]
pub fn run<W: ?Sized, P: Process<W>>(mut process: P, world: &mut W) -> P::Output {
    loop {
        match process.step(world) {
            Step::Next(next) => process = next,
            Step::Blocked(same) => {
                process = same;
                std::thread::yield_now();
            }
            Step::Done(output) => return output,
        }
    }
}
