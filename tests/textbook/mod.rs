//! The harnesses that loom's and shuttle's own documentation teaches: the world in a mutex in an
//! `Arc`, a thread an actor, all joined, the outcome looked at in the end. What the checker's
//! engines are measured against, in tests and benches alike.
//!
//! Each returns how many executions it took, counted by an ordinary atomic that neither sees.

use std::sync::atomic::{AtomicU64, Ordering};

use toctou::check::{System, Value};
use toctou::{Process, Step};

/// Explores `system` as a plain loom test would and shows `look` every outcome.
pub(crate) fn loom<W, P>(
    system: &System<W, P>,
    look: impl Fn(&W, &[P::Output]) + Send + Sync + 'static,
) -> u64
where
    W: Value,
    P: Process<W, Output: Value> + Value,
{
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    let (initial, processes) = parts(system);
    let executions = std::sync::Arc::new(AtomicU64::new(0));
    let counted = executions.clone();
    loom::model(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        let world = Arc::new(Mutex::new(initial.clone()));
        let threads: Vec<_> = processes
            .iter()
            .cloned()
            .map(|mut process| {
                let world = world.clone();
                thread::spawn(move || {
                    loop {
                        let step = process.step(&mut world.lock().unwrap());
                        process = match step {
                            Step::Next(next) => next,
                            Step::Blocked(same) => {
                                thread::yield_now();
                                same
                            }
                            Step::Done(output) => return output,
                            Step::Choice(_) => unreachable!("a download leaves nothing open"),
                        };
                    }
                })
            })
            .collect();
        let outputs: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        look(&world.lock().unwrap(), &outputs);
    });
    executions.load(Ordering::Relaxed)
}

/// Explores `system` as a plain shuttle test under shuttle's depth-first scheduler would and shows
/// `look` every outcome.
pub(crate) fn shuttle<W, P>(
    system: &System<W, P>,
    look: impl Fn(&W, &[P::Output]) + Send + Sync + 'static,
) -> u64
where
    W: Value,
    P: Process<W, Output: Value> + Value,
{
    use shuttle::sync::{Arc, Mutex};
    use shuttle::thread;

    let (initial, processes) = parts(system);
    let executions = std::sync::Arc::new(AtomicU64::new(0));
    let counted = executions.clone();
    shuttle::check_dfs(
        move || {
            counted.fetch_add(1, Ordering::Relaxed);
            let world = Arc::new(Mutex::new(initial.clone()));
            let threads: Vec<_> = processes
                .iter()
                .cloned()
                .map(|mut process| {
                    let world = world.clone();
                    thread::spawn(move || {
                        loop {
                            let step = process.step(&mut world.lock().unwrap());
                            process = match step {
                                Step::Next(next) => next,
                                Step::Blocked(same) => {
                                    thread::yield_now();
                                    same
                                }
                                Step::Done(output) => return output,
                                Step::Choice(_) => unreachable!("a download leaves nothing open"),
                            };
                        }
                    })
                })
                .collect();
            let outputs: Vec<_> =
                threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            look(&world.lock().unwrap(), &outputs);
        },
        None,
    );
    executions.load(Ordering::Relaxed)
}

fn parts<W: Value, P: Process<W, Output: Value> + Value>(system: &System<W, P>) -> (W, Vec<P>) {
    let [start] = system.starts() else { panic!("a textbook harness begins in one way") };
    (start.world.clone(), start.processes.clone())
}
