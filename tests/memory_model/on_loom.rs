//! Programs before loom.

#[path = "interpret.rs"]
mod interpret;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use interpret::Memory;
use loom::thread;

use crate::program::{Outcomes, Program};
use crate::quiet::on_a_silent_thread;

/// The atomics of loom, and a byte whose accesses it follows.
mod atoms {
    use loom::cell::UnsafeCell;
    pub(super) use loom::sync::atomic::{AtomicU8, fence};

    pub(super) struct Payload(UnsafeCell<u8>);

    // SAFETY: loom runs one thread at a time, and panics where an access is not ordered.
    unsafe impl Sync for Payload {}

    impl Payload {
        pub(super) fn new() -> Self {
            Payload(UnsafeCell::new(0))
        }

        pub(super) fn read(&self) -> u8 {
            // SAFETY: loom runs one thread at a time, and has looked before it answers.
            self.0.with(|value| unsafe { *value })
        }

        pub(super) fn write(&self, value: u8) {
            // SAFETY: as above.
            self.0.with_mut(|place| unsafe { *place = value });
        }
    }
}

/// What loom says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It explored everything, and this is what came of it.
    Outcomes(Outcomes),
    /// It saw a data race, and stopped.
    Race,
    /// It stopped with something else.
    Stopped(String),
    /// There was more to explore than was allowed.
    TooLong,
}

/// Explores with loom, every execution that it has.
pub(crate) fn explore(program: &Program) -> Said {
    explore_within(program, usize::MAX)
}

/// Explores with loom, about so many executions.
pub(crate) fn explore_within(program: &Program, max: usize) -> Said {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = None;
    builder.max_branches = 10_000;
    builder.max_duration = None;
    builder.checkpoint_file = None;
    builder.checkpoint_interval = 64;
    builder.max_permutations = Some(max);
    let explored = on_a_silent_thread(|| {
        let (program, seen) = (Arc::new(program.clone()), seen.clone());
        let run = move || execute(&program, &seen);
        catch_unwind(AssertUnwindSafe(|| builder.check(run))).map_err(|panic| message(&*panic))
    });
    let seen = lock(&seen);
    match explored {
        Ok(()) if seen.executions >= max => Said::TooLong,
        Ok(()) => Said::Outcomes(seen.outcomes.clone()),
        Err(said) if said.contains("Causality violation") => Said::Race,
        Err(said) => Said::Stopped(said),
    }
}

#[derive(Default)]
struct Seen {
    outcomes: Outcomes,
    executions: usize,
}

impl Seen {
    fn add(&mut self, outcome: String) {
        self.outcomes.insert(outcome);
        self.executions += 1;
    }
}

/// One execution. The first thread of the program has a thread of its own, too, as in all engines.
fn execute(program: &Arc<Program>, seen: &Arc<Mutex<Seen>>) {
    // The standard library's: who holds the memory, or who is done, is nothing to explore.
    let memory = Arc::new(Memory::new());
    let reads = Arc::new(Mutex::new(vec![None; program.threads.len()]));
    let threads: Vec<_> = (0..program.threads.len())
        .map(|index| {
            let (program, memory) = (program.clone(), memory.clone());
            let (reads, seen) = (reads.clone(), seen.clone());
            thread::spawn(move || {
                let read = memory.run(&program.threads[index]);
                lock(&reads)[index] = Some(read);
                // Waiting for each other makes for many executions more. Who ends last tells, unless
                // the last values are asked for.
                let all: Option<Vec<_>> = lock(&reads).iter().cloned().collect();
                if let (Some(all), []) = (all, &program.told()[..]) {
                    lock(&seen).add(memory.outcome(&program, &all));
                }
            })
        })
        .collect();
    if program.told().is_empty() {
        return;
    }
    threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    let all: Option<Vec<_>> = lock(&reads).iter().cloned().collect();
    let told = memory.outcome(program, &all.expect("all have ended"));
    lock(seen).add(told);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a panic says.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
