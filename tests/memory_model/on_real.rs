//! Programs of two threads on the real processor: free, again and again, and counted.

#[path = "interpret.rs"]
mod interpret;

use std::collections::BTreeMap;
use std::hint;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{AcqRel, Acquire};
use std::thread;
use std::time::{Duration, Instant};

use interpret::Memory;

use crate::axioms::{C11, allowed};
use crate::program::{Got, Outcomes, Program, RLX, SC};
use crate::shapes::{
    load_buffering, message_passing, read_read_coherence, store_buffering, two_swaps,
};

/// The processor's own atomics. There is no payload in these programs.
mod atoms {
    pub(super) use std::sync::atomic::{AtomicU8, fence};

    pub(super) struct Payload;

    impl Payload {
        pub(super) fn new() -> Self {
            Payload
        }

        pub(super) fn read(&self) -> u8 {
            unreachable!("a data race is nothing to try")
        }

        pub(super) fn write(&self, _: u8) {
            unreachable!("a data race is nothing to try")
        }
    }
}

/// For how long each program runs.
const FOR: Duration = Duration::from_millis(120);
/// So many memories, at most, before the threads are started anew.
const ROUNDS: usize = 2_000;

/// How often each outcome was seen.
fn run(program: &Program) -> BTreeMap<String, u64> {
    let until = Instant::now() + FOR;
    let all = program.threads.len();
    let mut seen = BTreeMap::new();
    while Instant::now() < until {
        let rounds: Vec<(Memory, AtomicUsize)> =
            (0..ROUNDS).map(|_| (Memory::new(), AtomicUsize::new(0))).collect();
        let of_threads: Vec<Vec<Vec<Got>>> = thread::scope(|scope| {
            let run = |ops| {
                let rounds = &rounds;
                scope.spawn(move || {
                    let begun = rounds.iter().take_while(|(_, here)| all_are(here, all, until));
                    begun.map(|(memory, _)| memory.run(ops)).collect()
                })
            };
            let threads: Vec<_> = program.threads.iter().map(|ops| run(ops)).collect();
            threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
        });
        // One may have given up at the end, and the other not.
        let done = of_threads.iter().map(Vec::len).min().unwrap_or_default();
        for (round, (memory, _)) in rounds.iter().take(done).enumerate() {
            let reads: Vec<_> = of_threads.iter().map(|reads| reads[round].clone()).collect();
            *seen.entry(memory.outcome(program, &reads)).or_default() += 1;
        }
    }
    seen
}

/// Whether all threads are here at once; not if it takes too long.
fn all_are(here: &AtomicUsize, all: usize, until: Instant) -> bool {
    here.fetch_add(1, AcqRel);
    let mut turns = 0u32;
    while here.load(Acquire) < all {
        turns += 1;
        if turns.is_multiple_of(256) {
            if Instant::now() > until {
                return false;
            }
            thread::yield_now();
        }
        hint::spin_loop();
    }
    true
}

/// Never that something is seen: a processor need not do all that it may.
#[test]
fn the_processor_does_nothing_that_c11_forbids() {
    for (name, program) in [
        ("message passing, relaxed", message_passing(RLX, RLX)),
        ("store buffering, relaxed", store_buffering(RLX, RLX)),
        ("store buffering, SeqCst", store_buffering(SC, SC)),
        ("load buffering, relaxed", load_buffering(RLX, RLX)),
        ("coherence of reads", read_read_coherence()),
        ("two swaps, relaxed", two_swaps()),
    ] {
        let seen = run(&program);
        println!("{name}: {seen:?}");
        let outcomes: Outcomes = seen.into_keys().collect();
        let allowed = allowed(&program, C11).outcomes;
        assert!(outcomes.is_subset(&allowed), "{name}: {outcomes:?} of {allowed:?}");
    }
}
