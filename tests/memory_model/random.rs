//! Random programs: the engines are held against what is computed.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

use crate::axioms::{C11, Model, allowed};
use crate::on_loom::{Said, explore_within};
use crate::program::Place::{X, Y};
use crate::program::*;
use crate::tries::Tries;
use crate::{on_shuttle, sc};

/// How many programs each search tries.
pub(crate) const TRIES: Tries = Tries("TOCTOU_MEMORY_CASES");

/// What is in the programs of a search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kinds {
    pub(crate) updates: bool,
    pub(crate) fences: bool,
    pub(crate) seq_cst: bool,
    pub(crate) finals: bool,
    pub(crate) threads: usize,
    /// At most, of all threads.
    pub(crate) ops: usize,
}

fn op(kinds: Kinds) -> impl Strategy<Value = Op> {
    let with = move |orders: &[Ordering]| {
        let orders = orders.iter().copied().filter(|order| kinds.seq_cst || *order != SC);
        prop::sample::select(orders.collect::<Vec<_>>())
    };
    let place = || prop::sample::select(vec![X, Y]);
    let all = [RLX, ACQ, REL, ACQ_REL, SC];
    let load = (place(), with(&[RLX, ACQ, SC])).prop_map(|(place, order)| Op::Load(place, order));
    let store = (place(), 1..3u8, with(&[RLX, REL, SC]))
        .prop_map(|(place, value, order)| Op::Store(place, value, order));
    let swap = (place(), 3..5u8, with(&all))
        .prop_map(|(place, value, order)| Op::Swap(place, value, order));
    let exchanged = (place(), 0..3u8, 5..7u8, with(&all), with(&[RLX, ACQ, SC]), any::<bool>())
        .prop_map(|(place, from, to, success, failure, weak)| Op::Exchange {
            place,
            from,
            to,
            success,
            failure,
            weak,
        });
    let fence = with(&[ACQ, REL, ACQ_REL, SC]).prop_map(Op::Fence);
    let updates = u32::from(kinds.updates);
    prop_oneof![
        4 => load,
        4 => store,
        2 * updates => swap,
        2 * updates => exchanged,
        2 * u32::from(kinds.fences) => fence,
    ]
}

pub(crate) fn programs(kinds: Kinds) -> impl Strategy<Value = Program> {
    let threads = prop::collection::vec(prop::collection::vec(op(kinds), 1..=3), 2..=kinds.threads);
    let small =
        move |threads: &Vec<Vec<Op>>| threads.iter().map(Vec::len).sum::<usize>() <= kinds.ops;
    threads
        .prop_filter("small", small)
        .prop_map(move |threads| Program { threads, finals: kinds.finals })
}

/// The first program, shrunk, of which something is said.
pub(crate) fn search<S: Strategy<Value = Program>>(
    programs: S,
    (rng_seed, cases): (RngSeed, usize),
    judge: impl Fn(&Program) -> Result<(), String>,
) -> Option<(Program, String)> {
    let config = Config {
        cases: u32::try_from(cases).unwrap_or(u32::MAX),
        failure_persistence: None,
        rng_seed,
        max_shrink_iters: 300,
        ..Config::default()
    };
    let run = TestRunner::new(config)
        .run(&programs, |program| judge(&program).map_err(TestCaseError::fail));
    match run {
        Ok(()) => None,
        Err(TestError::Fail(said, program)) => Some((program, said.to_string())),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

fn only(one: &Outcomes, other: &Outcomes) -> String {
    one.difference(other).cloned().collect::<Vec<_>>().join("; ")
}

/// What loom says to a program under every order of its threads, which is to make no difference; nothing
/// where there is too much to explore.
fn under_every_order(program: &Program) -> Option<Outcomes> {
    let mut seen = Outcomes::new();
    for order in orders(program.threads.len()) {
        let threads = order.iter().map(|at| program.threads[*at].clone()).collect();
        let reordered = Program { threads, finals: program.finals };
        let Said::Outcomes(outcomes) = explore_within(&reordered, 1_500) else {
            return None;
        };
        seen.extend(outcomes.iter().map(|told| in_the_old_order(program, &order, told)));
    }
    Some(seen)
}

/// An outcome of reordered threads, as those in their old order would have it.
fn in_the_old_order(program: &Program, order: &[usize], told: &str) -> String {
    let mut words = told.split(' ');
    let reads = |at: &usize| program.threads[*at].iter().any(Op::reads);
    let mut of_threads: Vec<(usize, &str)> = order
        .iter()
        .copied()
        .filter(reads)
        .filter_map(|at| words.next().map(|word| (at, word)))
        .collect();
    of_threads.sort_unstable();
    of_threads.into_iter().map(|(_, word)| word).chain(words).collect::<Vec<_>>().join(" ")
}

/// Every order of so many.
fn orders(of: usize) -> Vec<Vec<usize>> {
    let mut found = vec![Vec::new()];
    for at in 0..of {
        found = found
            .iter()
            .flat_map(|order: &Vec<usize>| {
                (0..=order.len()).map(move |place| {
                    let mut order = order.clone();
                    order.insert(place, at);
                    order
                })
            })
            .collect();
    }
    found
}

/// Nothing random in a proof: the same programs each time, unless others are asked for. Asserts that a
/// judge finds nothing, and that it did not pass over many: it says whether it has judged.
#[track_caller]
pub(crate) fn assert_all<S: Strategy<Value = Program>>(
    programs: S,
    usual: usize,
    judge: impl Fn(&Program) -> Result<bool, String>,
) {
    let (cases, judged) = (TRIES.number(usual), Cell::new(0));
    let found = search(programs, (TRIES.seed(1), cases), |program| {
        judged.set(judged.get() + usize::from(judge(program)?));
        Ok(())
    });
    if let Some((program, said)) = found {
        panic!("{program}\n{said}");
    }
    println!("{} of {cases} programs compared", judged.get());
    assert!(judged.get() * 4 > cases * 3, "{} of {cases} compared", judged.get());
}

/// Asserts that one set is within the other.
pub(crate) fn within(less: &Outcomes, more: &Outcomes) -> Result<(), String> {
    match less.is_subset(more) {
        true => Ok(()),
        false => Err(format!("only in one: {}", only(less, more))),
    }
}

/// C11 but for load buffering, which loom has not, and failures for no reason.
pub(crate) const RC11: Model = Model { load_buffering: false, spurious_failures: false, ..C11 };

pub(crate) const PLAIN: Kinds =
    Kinds { updates: false, fences: true, seq_cst: false, finals: false, threads: 3, ops: 7 };
pub(crate) const ALL: Kinds = Kinds { updates: true, seq_cst: true, ..PLAIN };

/// Loads, stores and fences, all orderings but `SeqCst`: what loom shows is what C11 allows, no more, no
/// less, but for load buffering; if it is asked under every order of the threads.
#[test]
fn without_updates_and_seq_cst_loom_is_c11_but_for_load_buffering() {
    assert_all(programs(PLAIN), 60, |program| {
        let Some(loom) = under_every_order(program) else { return Ok(false) };
        let allowed = allowed(program, RC11).outcomes;
        within(&allowed, &loom).and_then(|()| within(&loom, &allowed)).map(|()| true)
    });
}

/// All kinds of operations: whatever loom shows, C11 allows, if `SeqCst` accesses are taken for acquire and
/// release, and stores may come between the halves of an update.
#[test]
fn loom_shows_nothing_else_that_c11_forbids() {
    let weaker = Model { seq_cst_accesses: false, atomicity: false, ..RC11 };
    assert_all(programs(ALL), 100, |program| match explore_within(program, 3_000) {
        Said::Outcomes(loom) => within(&loom, &allowed(program, weaker).outcomes).map(|()| true),
        Said::TooLong => Ok(false),
        other => Err(format!("{other:?}")),
    });
}

/// All kinds of operations: asked under every order of the threads, loom misses no interleaving.
#[test]
fn under_every_order_of_the_threads_loom_misses_no_interleaving() {
    assert_all(programs(ALL), 60, |program| {
        let Some(loom) = under_every_order(program) else { return Ok(false) };
        within(&sc::interleavings(program), &loom).map(|()| true)
    });
}

/// shuttle has one memory and every interleaving, whatever the orderings; and C11 allows them all.
#[test]
fn shuttle_shows_the_interleavings_and_nothing_else() {
    assert_all(programs(Kinds { finals: true, ops: 5, ..ALL }), 50, |program| {
        let interleavings = sc::interleavings(program);
        if on_shuttle::explore(program) != interleavings {
            return Err("shuttle has others than there are".to_owned());
        }
        within(&interleavings, &allowed(program, C11).outcomes).map(|()| true)
    });
}

/// The comparisons can fail: each finds, and shrinks, the gap that it leaves room for.
#[test]
fn what_is_left_out_of_the_comparisons_is_found_by_them() {
    let missed = |program: &Program| match explore_within(program, 3_000) {
        Said::Outcomes(loom) => within(&sc::interleavings(program), &loom),
        _ => Ok(()),
    };
    let (program, said) =
        search(programs(PLAIN), (RngSeed::Fixed(1), 300), missed).expect("loads before writes");
    assert_eq!(program.ops().count(), 3, "{program}\n{said}");

    let invented = |model: Model| {
        move |program: &Program| match explore_within(program, 3_000) {
            Said::Outcomes(loom) => within(&loom, &allowed(program, model).outcomes),
            _ => Ok(()),
        }
    };
    let torn = Model { seq_cst_accesses: false, ..RC11 };
    let found =
        search(programs(Kinds { seq_cst: false, ..ALL }), (RngSeed::Fixed(1), 300), invented(torn));
    let (program, said) = found.expect("a store between the halves of an update");
    assert!(program.ops().any(|op| matches!(op, Op::Swap(..) | Op::Exchange { .. })), "{said}");

    let found = search(
        programs(Kinds { seq_cst: true, ..PLAIN }),
        (RngSeed::Fixed(1), 600),
        invented(RC11),
    );
    let (program, said) = found.expect("store buffering");
    assert!(program.ops().count() >= 4, "{program}\n{said}");
}
