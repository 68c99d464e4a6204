//! Programs before shuttle.

#[path = "interpret.rs"]
mod interpret;

use std::sync::{Arc, Mutex, PoisonError};

use interpret::Memory;
use shuttle::scheduler::{DfsScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, FailurePersistence, Runner, thread};

use crate::program::{Outcomes, Program};

/// The atomics of shuttle. It follows no access that is not atomic.
mod atoms {
    use std::sync::atomic::Ordering::Relaxed;

    pub(super) use shuttle::sync::atomic::{AtomicU8, fence};

    /// shuttle runs one thread at a time and does not switch here: not one of its atomics.
    pub(super) struct Payload(std::sync::atomic::AtomicU8);

    impl Payload {
        pub(super) fn new() -> Self {
            Payload(std::sync::atomic::AtomicU8::new(0))
        }

        pub(super) fn read(&self) -> u8 {
            self.0.load(Relaxed)
        }

        pub(super) fn write(&self, value: u8) {
            self.0.store(value, Relaxed);
        }
    }
}

/// shuttle's depth-first search, but for the main thread, which starts the others and waits for them:
/// when it does so makes no difference, so it is never kept waiting.
struct MainFirst(DfsScheduler);

impl Scheduler for MainFirst {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.0.new_execution()
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let main = runnable.iter().map(|task| task.id()).find(|id| *id == TaskId::from(0));
        main.or_else(|| self.0.next_task(runnable, current, is_yielding))
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// Explores every interleaving; what came of them.
pub(crate) fn explore(program: &Program) -> Outcomes {
    let seen = Arc::new(Mutex::new(Outcomes::new()));
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    config.silence_warnings = true;
    let (program, at_end) = (Arc::new(program.clone()), seen.clone());
    Runner::new(MainFirst(DfsScheduler::new(None, false)), config).run(move || {
        let told = execute(&program);
        at_end.lock().unwrap_or_else(PoisonError::into_inner).insert(told);
    });
    std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner))
}

fn execute(program: &Arc<Program>) -> String {
    let memory = Arc::new(Memory::new());
    let threads: Vec<_> = (0..program.threads.len())
        .map(|index| {
            let (program, memory) = (program.clone(), memory.clone());
            thread::spawn(move || memory.run(&program.threads[index]))
        })
        .collect();
    let reads: Vec<_> =
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect();
    memory.outcome(program, &reads)
}
