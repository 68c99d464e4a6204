//! Claims of a value in memory: `ClaimCell` beside what else a value could be handed over by, and beside
//! the bare exchange that it cannot do without.
//!
//! Uncontended; by 1 to 16 threads that all want every cell of many; and in vain, of one cell that was
//! taken long ago. A crowd walks the same cells in the same order, with no barrier between two claims,
//! which would cost more than they do. Each cell has to have one winner, in every round.
//!
//! After each group a table tells what the others take as a multiple of `ClaimCell`: they take turns,
//! round by round, so that what the machine does meanwhile falls on all. A crowd's claim is a round's
//! time by the number of cells: that of one winner, and of a try by each of the others.

mod contenders;
mod crowd;

use std::hint::black_box;
use std::num::NonZeroU64;
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant};

use contenders::{Bare, Contender, Looks, Once, Payload};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use crossbeam_queue::ArrayQueue;
use crossbeam_utils::atomic::AtomicCell;
use toctou::claim_cell::ClaimCell;

/// As many cells as fit in a first-level cache whatever they hold.
const FEW: usize = 512;
/// So many that a round takes longer than it takes to wake a crowd.
const MANY: usize = 1 << 15;
/// Claims in vain that are timed in one go.
const TRIES: usize = 1 << 12;
const THREADS: [usize; 5] = [1, 2, 4, 8, 16];

/// Does so many rounds, and says how long they took.
type Run = Box<dyn FnMut(u64) -> Duration>;

/// What a contender is put through.
trait Course {
    fn name(&self) -> String;

    fn threads(&self) -> usize;

    /// How many claims of one thread make a round.
    fn claims(&self) -> usize;

    /// Whether criterion is to be told of whole rounds, and not of single claims.
    fn whole_rounds(&self) -> bool {
        self.threads() > 1
    }

    fn run<P: Payload, C: Contender<P>>(&self) -> Run;
}

/// Everybody who could be asked for the value, `ClaimCell` first.
fn contenders<P: Payload>(course: &impl Course) -> Vec<(&'static str, Run)> {
    vec![
        ("ClaimCell", course.run::<P, ClaimCell<P>>()),
        ("ClaimCell, looked at", course.run::<P, Looks<P>>()),
        ("bare exchange", course.run::<P, Bare<P, false>>()),
        ("bare exchange, read", course.run::<P, Bare<P, true>>()),
        ("Mutex", course.run::<P, Mutex<Option<P>>>()),
        ("parking_lot Mutex", course.run::<P, parking_lot::Mutex<Option<P>>>()),
        ("AtomicCell", course.run::<P, AtomicCell<Option<P>>>()),
        ("ArrayQueue", course.run::<P, ArrayQueue<P>>()),
        ("OnceLock", course.run::<P, Once<P>>()),
    ]
}

fn full<P: Payload, C: Contender<P>>(count: usize) -> Vec<C> {
    (0..count).map(|_| C::full(P::VALUE)).collect()
}

fn fill_again<P: Payload, C: Contender<P>>(cells: &mut [C]) {
    cells.iter_mut().for_each(|cell| *cell = C::full(P::VALUE));
}

/// How many of these were won.
#[inline(always)]
fn claim_all<P: Payload, C: Contender<P>>(cells: &[C]) -> usize {
    cells.iter().filter(|cell| black_box(*cell).claim()).count()
}

/// One thread, which wins each time.
struct Uncontended;

impl Course for Uncontended {
    fn name(&self) -> String {
        "uncontended".to_owned()
    }

    fn threads(&self) -> usize {
        1
    }

    fn claims(&self) -> usize {
        FEW
    }

    fn run<P: Payload, C: Contender<P>>(&self) -> Run {
        let mut cells = full::<P, C>(FEW);
        Box::new(move |rounds| {
            let mut took = Duration::ZERO;
            for _ in 0..rounds {
                fill_again(&mut cells);
                let started = Instant::now();
                let won = claim_all(&cells);
                took += started.elapsed();
                assert_eq!(won, FEW, "nobody else claims");
            }
            took
        })
    }
}

/// So many threads, which all want everything.
struct Crowd(usize);

impl Course for Crowd {
    fn name(&self) -> String {
        format!("crowd of {}", self.0)
    }

    fn threads(&self) -> usize {
        self.0
    }

    fn claims(&self) -> usize {
        MANY
    }

    fn run<P: Payload, C: Contender<P>>(&self) -> Run {
        let threads = self.0;
        let cells = RwLock::new(full::<P, C>(MANY));
        Box::new(move |rounds| {
            let prepare = || fill_again(&mut cells.write().expect("nobody panics"));
            let work = |_| claim_all(&cells.read().expect("nobody panics"));
            let check = |winners| assert_eq!(winners, MANY, "one winner each");
            crowd::rounds(threads, rounds, prepare, work, check)
        })
    }
}

/// So many threads, which all want what was taken long ago.
struct InVain(usize);

impl Course for InVain {
    fn name(&self) -> String {
        format!("in vain by {}", self.0)
    }

    fn threads(&self) -> usize {
        self.0
    }

    fn claims(&self) -> usize {
        TRIES
    }

    fn run<P: Payload, C: Contender<P>>(&self) -> Run {
        let threads = self.0;
        let cell = C::full(P::VALUE);
        assert!(cell.claim(), "nobody else claims");
        Box::new(move |rounds| {
            let work = |_| (0..TRIES).filter(|_| black_box(&cell).claim()).count();
            let check = |winners| assert_eq!(winners, 0, "it was taken");
            crowd::rounds(threads, rounds, || (), work, check)
        })
    }
}

/// Puts everybody through a course, and tells how they compare.
fn compare<P: Payload>(criterion: &mut Criterion, course: &impl Course) {
    let name = format!("claim_cell/{}/{}", course.name(), P::NAME);
    let mut contenders = contenders::<P>(course);
    let mut group = criterion.benchmark_group(&*name);
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(150));
    let claims = course.claims() as u64;
    let (elements, steps) = if course.whole_rounds() { (claims, 1) } else { (1, claims) };
    group.throughput(Throughput::Elements(elements));
    for (contender, run) in &mut contenders {
        group.bench_function(*contender, |bencher| {
            bencher.iter_custom(|count| {
                let rounds = count.div_ceil(steps);
                run(rounds).mul_f64(count as f64 / (rounds * steps) as f64)
            });
        });
    }
    group.finish();
    print_table(&name, course, &mut contenders);
}

/// Prints what a claim takes and how many are tried in a second, and how often as much that is as
/// `ClaimCell`.
fn print_table(name: &str, course: &impl Course, contenders: &mut [(&'static str, Run)]) {
    const TURNS: usize = 21;
    const ROUNDS: u64 = 5;
    let mut all = vec![Vec::with_capacity(TURNS); contenders.len()];
    for turn in 0..TURNS {
        // Who goes first takes turns, too.
        for position in 0..contenders.len() {
            let contender = (turn + position) % contenders.len();
            let took = (contenders[contender].1)(ROUNDS).as_nanos() as f64;
            all[contender].push(took / (ROUNDS * course.claims() as u64) as f64);
        }
    }
    let medians: Vec<f64> = all.iter_mut().map(|times| median(times)).collect();
    for ((contender, _), nanoseconds) in contenders.iter().zip(&medians) {
        let ratio = nanoseconds / medians[0];
        let tries = course.threads() as f64 * 1000.0 / nanoseconds;
        println!(
            "{name}/{contender:<21} {nanoseconds:8.2} ns a claim, {tries:6.0} million tries a \
             second: {ratio:5.2} times"
        );
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn compare_payloads(criterion: &mut Criterion, course: &impl Course) {
    compare::<NonZeroU64>(criterion, course);
    compare::<[NonZeroU64; 4]>(criterion, course);
}

fn uncontended(criterion: &mut Criterion) {
    compare_payloads(criterion, &Uncontended);
}

fn crowds(criterion: &mut Criterion) {
    THREADS.iter().for_each(|threads| compare_payloads(criterion, &Crowd(*threads)));
}

/// The value plays no part: one payload will do.
fn in_vain(criterion: &mut Criterion) {
    THREADS.iter().for_each(|threads| compare::<NonZeroU64>(criterion, &InVain(*threads)));
}

criterion_group!(benches, uncontended, crowds, in_vain);
criterion_main!(benches);
