//! Threads that are started once and let go together, round after round.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

/// Lets `threads` do their `work` at once, `rounds` times; each is told which one it is and answers
/// how often it succeeded. Before each round there is `prepare`, and after it `check` is told of all
/// successes together. The time counted is from the first thread's beginning to the last one's end.
pub(crate) fn rounds(
    threads: usize,
    rounds: u64,
    prepare: impl Fn(),
    work: impl Fn(usize) -> usize + Sync,
    check: impl Fn(usize),
) -> Duration {
    let start = Barrier::new(threads + 1);
    let end = Barrier::new(threads + 1);
    let over = AtomicBool::new(false);
    let successes = AtomicUsize::new(0);
    let origin = Instant::now();
    thread::scope(|scope| {
        let (start, end, over, successes, work) = (&start, &end, &over, &successes, &work);
        let (tell, told) = channel();
        for thread in 0..threads {
            let tell = tell.clone();
            scope.spawn(move || {
                loop {
                    start.wait();
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let started = origin.elapsed();
                    let count = work(thread);
                    let _ = tell.send((started, origin.elapsed()));
                    successes.fetch_add(count, Ordering::Relaxed);
                    end.wait();
                }
            });
        }
        let mut took = Duration::ZERO;
        for _ in 0..rounds {
            prepare();
            successes.store(0, Ordering::Relaxed);
            start.wait();
            end.wait();
            let times: Vec<_> = told.try_iter().collect();
            let first = times.iter().map(|(started, _)| *started).min().unwrap_or_default();
            let last = times.iter().map(|(_, ended)| *ended).max().unwrap_or_default();
            took += last - first;
            check(successes.load(Ordering::Relaxed));
        }
        over.store(true, Ordering::Relaxed);
        start.wait();
        took
    })
}
