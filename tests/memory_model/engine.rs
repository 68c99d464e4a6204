//! The project's own engine for threads ([`toctou::check::threads`]) held against what is computed. It has
//! loom try what plain loom does not; here is how far that goes, with the threads in the order given.

use proptest::prelude::*;

use crate::axioms::{Model, allowed};
use crate::on_loom::{Said, explore_within};
use crate::program::Op::{Load, OnlyAfter, ReadPayload, Store, WritePayload};
use crate::program::Place::X;
use crate::program::*;
use crate::random::{ALL, Kinds, RC11, assert_all, within};
use crate::{on_engine, random, sc, shapes};

/// Programs of what the atoms have.
fn programs(kinds: Kinds) -> impl Strategy<Value = Program> {
    let strong = |mut program: Program| {
        for op in program.threads.iter_mut().flatten() {
            if let Op::Exchange { weak, .. } = op {
                *weak = false;
            }
        }
        program
    };
    random::programs(Kinds { fences: false, ..kinds }).prop_map(strong)
}

const SMALL: Kinds = Kinds { threads: 3, ops: 5, ..ALL };

/// What the engine finds with loom, if it is not too much.
fn on_loom(program: &Program) -> Option<Outcomes> {
    on_engine::loom(program, 3_000).map(|explored| explored.outcomes)
}

/// What plain loom misses already, with as few operations as it takes.
#[test]
fn of_two_threads_the_engine_has_the_write_before_the_load_that_plain_loom_misses() {
    let program = Program::new([&[Load(X, RLX)], &[Load(X, RLX), Store(X, 1, RLX)]]);
    assert_eq!(explore_within(&program, 3_000), Said::Outcomes(outcomes("0 0")));
    assert_eq!(on_loom(&program), Some(outcomes("0 0; 1 0")));
}

#[test]
fn the_engine_misses_no_interleaving() {
    assert_all(programs(SMALL), 150, |program| {
        let Some(found) = on_loom(program) else { return Ok(false) };
        within(&sc::interleavings(program), &found).map(|()| true)
    });
}

#[test]
fn without_updates_and_seq_cst_the_engine_is_c11_but_for_load_buffering() {
    assert_all(programs(Kinds { updates: false, seq_cst: false, ..SMALL }), 150, |program| {
        let Some(found) = on_loom(program) else { return Ok(false) };
        let allowed = allowed(program, RC11).outcomes;
        within(&allowed, &found).and_then(|()| within(&found, &allowed)).map(|()| true)
    });
}

/// Loads kept apart by a write before each are not enough for this one: the third thread comes between.
#[test]
fn of_three_threads_the_engine_has_the_write_before_a_load_though_a_third_writes_too() {
    let program =
        Program::new([&[Load(X, RLX)], &[Load(X, RLX), Store(X, 2, RLX)], &[Store(X, 1, RLX)]]);
    let found = on_loom(&program).expect("it is small");
    assert!(found.contains("2 1"), "{found:?}");
    assert_eq!(within(&sc::interleavings(&program), &found), Ok(()));
}

#[test]
fn without_updates_the_engine_shows_nothing_that_c11_forbids_but_what_seq_cst_does() {
    let weaker = Model { seq_cst_accesses: false, ..RC11 };
    assert_all(programs(Kinds { updates: false, ..SMALL }), 25, |program| {
        let Some(found) = on_loom(program) else { return Ok(false) };
        within(&found, &allowed(program, weaker).outcomes).map(|()| true)
    });
}

#[test]
fn the_engine_has_whatever_plain_loom_has() {
    assert_all(programs(SMALL), 30, |program| {
        let (Some(found), Said::Outcomes(plain)) =
            (on_loom(program), explore_within(program, 3_000))
        else {
            return Ok(false);
        };
        within(&plain, &found).map(|()| true)
    });
}

/// Neither more nor less, and none twice.
#[test]
fn with_shuttle_the_engine_runs_each_interleaving_once() {
    assert_all(programs(SMALL), 150, |program| {
        let Some(found) = on_engine::shuttle(program) else { return Ok(false) };
        if found.executions != sc::executions(program) {
            return Err(format!("{} executions", found.executions));
        }
        let interleavings = sc::interleavings(program);
        within(&found.outcomes, &interleavings)?;
        within(&interleavings, &found.outcomes).map(|()| true)
    });
}

#[test]
fn of_the_classic_shapes_the_engine_says_what_c11_does() {
    for program in [
        shapes::message_passing(RLX, RLX),
        shapes::message_passing(REL, ACQ),
        shapes::store_buffering(REL, ACQ),
        shapes::load_buffering(ACQ, REL),
        shapes::read_read_coherence(),
        shapes::two_swaps(),
    ] {
        assert_eq!(on_loom(&program), Some(allowed(&program, RC11).outcomes), "{program}");
        let on_shuttle = on_engine::shuttle(&program).expect("it is small");
        assert_eq!(on_shuttle.outcomes, sc::interleavings(&program), "{program}");
        assert_eq!(on_shuttle.executions, sc::executions(&program), "{program}");
    }
}

/// Two threads with a payload: each has an access somewhere, perhaps only after what it read last.
fn with_payload() -> impl Strategy<Value = Program> {
    let kinds = Kinds { updates: false, seq_cst: false, threads: 2, ops: 5, ..ALL };
    let access = prop_oneof![Just(ReadPayload), Just(WritePayload(1))];
    let place = (any::<prop::sample::Index>(), access, any::<bool>());
    (programs(kinds), place.clone(), place).prop_map(|(mut program, one, other)| {
        for (ops, (at, access, only)) in program.threads.iter_mut().zip([one, other]) {
            let at = at.index(ops.len() + 1);
            let after_load = at > 0 && matches!(ops[at - 1], Load(..));
            ops.insert(at, access);
            if only && after_load {
                ops.insert(at, OnlyAfter(1));
            }
        }
        program
    })
}

#[test]
fn of_two_threads_the_engine_finds_a_data_race_if_and_only_if_there_is_one() {
    assert_all(with_payload(), 80, |program| {
        let Some(found) = on_engine::loom(program, 3_000) else { return Ok(false) };
        let race = allowed(program, RC11).race;
        match (&found.race, race) {
            (None, false) => Ok(true),
            (Some(Ok(trace)), true) if trace.to_string().contains("a data race with") => Ok(true),
            (Some(Ok(trace)), true) => Err(format!("it is not told:\n{trace}")),
            (found, race) => Err(format!("found {found:?}, there is one: {race}")),
        }
    });
}
