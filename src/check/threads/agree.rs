//! That loom and [`races`] say the same of small programs: whether there is a data race.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::super::{NO_DATA_RACE, Program, Source, races};
use super::{Stopped, ThreadsOnLoom, lock};
use crate::atoms::Word;
use crate::atoms::loom::{Atomic, Lock, Ordering, Room, perform, thread};
use crate::check::{Engine, Limits, Verdict};

struct Number;

impl Word for Number {
    const NAMES: &'static [&'static str] = &["0", "1", "2", "3", "4", "5", "6"];
}

/// Of one atomic, one lock and one place that is neither.
#[derive(Clone, Copy, Debug)]
enum Op {
    Load(Ordering),
    /// Goes on only if it reads this.
    Sees(u8, Ordering),
    Store(u8, Ordering),
    Swap(u8, Ordering),
    Read,
    Write,
    /// Writes it, and nobody else with the lock meanwhile.
    WriteLocked,
}

struct Memory {
    atomic: Atomic<Number>,
    lock: Lock<()>,
    room: Room<u8>,
}

// SAFETY: loom runs one thread at a time, and what races is what is to be found out.
unsafe impl Sync for Memory {}
// SAFETY: as above.
unsafe impl Send for Memory {}

impl Memory {
    fn run(&self, ops: &[Op]) -> String {
        for op in ops {
            match *op {
                Op::Load(ordering) => {
                    self.atomic.load(ordering);
                }
                Op::Sees(value, ordering) => {
                    if self.atomic.load(ordering) != value {
                        return "elsewhere".to_owned();
                    }
                }
                Op::Store(value, ordering) => self.atomic.store(value, ordering),
                Op::Swap(value, ordering) => {
                    self.atomic.swap(value, ordering);
                }
                // SAFETY: there is a byte from the start, and one thread runs at a time.
                Op::Read => _ = unsafe { self.room.take() },
                // SAFETY: as above.
                Op::Write => unsafe { self.room.write(1) },
                // SAFETY: as above.
                Op::WriteLocked => self.lock.with(|()| unsafe { self.room.write(2) }),
            }
        }
        "end".to_owned()
    }
}

fn program(threads: &[Vec<Op>]) -> Program {
    let threads = threads.to_vec();
    let actors = (1..=threads.len()).map(|number| format!("thread {number}")).collect();
    let on_loom = move || {
        let (atomic, lock) = (Atomic::new(0), Lock::new(()));
        let memory = Arc::new(Memory { atomic, lock, room: Room::full(0) });
        let mut acts = threads.iter().cloned().enumerate().map(|(actor, ops)| {
            let memory = memory.clone();
            move || perform(actor, || memory.run(&ops))
        });
        let first = acts.next().expect("there is one");
        let others: Vec<_> = acts.map(thread::spawn).collect();
        first();
        others.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    };
    let nothing = || Arc::new(|| {});
    let source =
        Source { on_loom: Arc::new(on_loom), on_shuttle: nothing(), on_threads: nothing() };
    Program::new(actors, source)
}

/// Whether loom stops with a data race, and whether there is one by our own clocks in any of the executions
/// that loom has.
fn by_both(program: &Program) -> (bool, bool) {
    let options = ThreadsOnLoom::default();
    let meter = Arc::new(Mutex::new(Limits::NONE.start(Engine::Loom)));
    let stopped = program.explore(&options, true, &meter, || |_| false);
    let by_loom = match stopped {
        Stopped::Violated(NO_DATA_RACE, _) => true,
        Stopped::Finished => false,
        _ => panic!("it is small"),
    };
    let by_clocks = Arc::new(Mutex::new(false));
    let actors = program.actors.len();
    program.explore(&options, false, &meter, || {
        let found = by_clocks.clone();
        move |notes| {
            *lock(&found) |= races::race(actors, &notes.events).is_some();
            false
        }
    });
    let by_clocks = *lock(&by_clocks);
    (by_loom, by_clocks)
}

const ALL: [Ordering; 3] = [Ordering::Relaxed, Ordering::Acquire, Ordering::Release];

fn loads(index: usize) -> Ordering {
    [Ordering::Relaxed, Ordering::Acquire, Ordering::SeqCst][index % 3]
}

fn stores(index: usize) -> Ordering {
    [Ordering::Relaxed, Ordering::Release, Ordering::SeqCst][index % 3]
}

fn swaps(index: usize) -> Ordering {
    [ALL[0], ALL[1], ALL[2], Ordering::AcqRel, Ordering::SeqCst][index % 5]
}

/// A value handed over, with every ordering of either end; and by way of a third, who swaps or stores.
#[test]
fn loom_and_the_clocks_say_the_same_of_every_way_to_hand_a_value_over() {
    let mut raced = 0;
    let mut both = |threads: &[Vec<Op>], expected: Option<bool>| {
        let (by_loom, by_clocks) = by_both(&program(threads));
        assert_eq!(by_loom, by_clocks, "{threads:?}");
        if let Some(expected) = expected {
            assert_eq!(by_loom, expected, "{threads:?}");
        }
        raced += usize::from(by_loom);
    };
    for store in 0..3 {
        for load in 0..3 {
            let gives = vec![Op::Write, Op::Store(1, stores(store))];
            let takes = |value| vec![Op::Sees(value, loads(load)), Op::Read];
            let is_ordered = store > 0 && load > 0;
            both(&[gives.clone(), takes(1)], Some(!is_ordered));
            // What was there from the start was given by nobody.
            both(&[gives.clone(), takes(0)], Some(true));
            // Stored anew, and the old value may still be read.
            let again = [&gives[..], &[Op::Store(2, Ordering::Relaxed)]].concat();
            both(&[again.clone(), takes(1)], Some(!is_ordered));
            both(&[again, takes(2)], Some(true));
            for swap in 0..5 {
                // It continues what it read, whatever it is itself; but it may also come first.
                let between = vec![Op::Swap(3, swaps(swap))];
                both(&[gives.clone(), between, takes(3)], None);
            }
            both(&[gives, vec![Op::Store(3, stores(store))], takes(3)], Some(true));
        }
    }
    both(&[vec![Op::WriteLocked], vec![Op::WriteLocked]], Some(false));
    both(&[vec![Op::WriteLocked], vec![Op::Write]], Some(true));
    both(&[vec![Op::Read], vec![Op::Read]], Some(false));
    assert!(raced > 20, "{raced}");
}

#[test]
fn what_a_report_says_of_a_data_race_is_the_shortest_way_to_it() {
    let threads = [
        vec![Op::Load(Ordering::Relaxed), Op::Write, Op::Store(1, Ordering::Relaxed)],
        vec![Op::Sees(1, Ordering::Acquire), Op::Read],
    ];
    let report = program(&threads).loom(&ThreadsOnLoom::default());
    assert!(report.exhaustive());
    let verdict = &report.finding(NO_DATA_RACE).expect("of every program").verdict;
    let Verdict::Violated(Some(schedule)) = verdict else { panic!("{verdict:?}") };
    assert_eq!(schedule.to_string(), "[0, 0, 1]");
}

fn any_op() -> impl Strategy<Value = Op> {
    let index = 0..15_usize;
    prop_oneof![
        index.clone().prop_map(|it| Op::Load(loads(it))),
        (0..7_u8, index.clone()).prop_map(|(value, it)| Op::Sees(value, loads(it))),
        index.clone().prop_map(|it| Op::Store(0, stores(it))),
        index.prop_map(|it| Op::Swap(0, swaps(it))),
        Just(Op::Read),
        Just(Op::Write),
        Just(Op::WriteLocked),
    ]
}

/// Every write is of a value of its own: so what is read tells which.
fn numbered(mut threads: Vec<Vec<Op>>) -> Vec<Vec<Op>> {
    let ops = threads.iter_mut().flatten();
    let writes = ops.filter_map(|op| match op {
        Op::Store(value, _) | Op::Swap(value, _) => Some(value),
        _ => None,
    });
    (1..).zip(writes).for_each(|(number, value)| *value = number);
    threads
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn loom_and_the_clocks_say_the_same_of_any_small_program(
        threads in prop::collection::vec(prop::collection::vec(any_op(), 1..4), 2..3),
    ) {
        let threads = numbered(threads);
        let (by_loom, by_clocks) = by_both(&program(&threads));
        prop_assert_eq!(by_loom, by_clocks, "{:?}", threads);
    }
}
