//! A program of its own before the engines: the one on which loom by itself misses what can be.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use toctou::atoms::notes;
use toctou::check::threads::{Program, Source, ThreadsOnLoom};
use toctou::check::{Disagreement, ShuttleMode, Verdict, audit};

use super::quiet::on_a_silent_thread;

/// One looks; the other looks, and then writes.
macro_rules! look_and_look_then_write {
    ($atoms:ident) => {{
        use toctou::atoms::$atoms::{Atomic, Ordering, perform, thread};
        let x = Arc::new(Atomic::<crate::small::Bit>::new(0));
        let other = x.clone();
        let other = thread::spawn(move || {
            perform(1, || {
                let seen = other.load(Ordering::Relaxed);
                other.store(1, Ordering::Relaxed);
                seen.to_string()
            });
        });
        perform(0, || x.load(Ordering::Relaxed).to_string());
        other.join().expect("it does not panic");
    }};
}

/// What the atomic is.
pub(crate) struct Bit;

impl toctou::atoms::Word for Bit {
    const NAMES: &'static [&'static str] = &["0", "1"];
}

mod sources {
    use std::sync::Arc;

    pub(super) fn on_loom() {
        look_and_look_then_write!(loom);
    }
    pub(super) fn on_shuttle() {
        look_and_look_then_write!(shuttle);
    }
    pub(super) fn on_threads() {
        look_and_look_then_write!(real);
    }
}

fn program() -> Program {
    let source = Source {
        on_loom: Arc::new(sources::on_loom),
        on_shuttle: Arc::new(sources::on_shuttle),
        on_threads: Arc::new(sources::on_threads),
    };
    let program = Program::new(vec!["looks".to_owned(), "writes".to_owned()], source);
    let first = |told: &'static str| {
        move |end: toctou::check::threads::End<'_>| end.outputs[0].as_deref() == Some(told)
    };
    program.reachable("seen", first("1")).reachable("not-seen", first("0"))
}

/// loom as it comes, over the same source.
fn by_loom_alone() -> BTreeSet<Vec<Option<String>>> {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let keep = seen.clone();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = None;
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.checkpoint_file = None;
    let explored = on_a_silent_thread(|| {
        catch_unwind(AssertUnwindSafe(|| {
            builder.check(move || {
                notes::begin(2, notes::Options::default());
                sources::on_loom();
                let mut seen = keep.lock().unwrap_or_else(PoisonError::into_inner);
                seen.insert(notes::end().outputs);
            });
        }))
    });
    assert!(explored.is_ok());
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    seen.clone()
}

#[test]
fn the_write_that_loom_by_itself_does_not_try_is_tried_here() {
    let ended = |one: &str, other: &str| vec![Some(one.to_owned()), Some(other.to_owned())];
    // Should loom ever have the other as well, loads need no longer exclude one another.
    assert_eq!(by_loom_alone(), BTreeSet::from([ended("0", "0")]));

    let loom = program().loom(&ThreadsOnLoom::default());
    let shuttle = program().shuttle(ShuttleMode::KnownStates);
    assert!(loom.exhaustive());
    for report in [&loom, &shuttle] {
        assert_eq!(report.outcomes.as_ref().map(|it| it.len()), Some(2));
        for property in ["seen", "not-seen"] {
            let verdict = &report.finding(property).expect("it is claimed").verdict;
            assert!(matches!(verdict, Verdict::Holds(Some(_))), "{verdict:?}");
        }
    }
    assert_eq!(loom.outcomes, shuttle.outcomes);
    // Without, the audit would have said so.
    let mut misses = loom;
    let outcomes = misses.outcomes.as_mut().expect("it has them");
    let one = outcomes.iter().next().expect("there are two").clone();
    outcomes.remove(&one);
    assert!(matches!(audit(&[misses, shuttle])[..], [Disagreement::Outcomes { missing: 1, .. }]));
}

#[test]
fn what_is_seen_can_be_told_and_happens_for_real() {
    let loom = program().loom(&ThreadsOnLoom::default());
    let seen = loom.finding("seen").and_then(|finding| finding.verdict.schedule()).cloned();
    let (_, simulated, real) =
        toctou::replay::on_real_threads(&program(), &seen.expect("it is reached"))
            .expect("a schedule of this program")
            .expect("nothing is stale");
    assert!(simulated.agrees(&real), "{}\n{}", simulated.trace, real.trace);
}

#[test]
fn what_was_written_may_be_seen_late_and_never_early() {
    let told = program().play(&"[1, 1, 0~1]".parse().expect("a schedule"));
    assert_eq!(told.expect("it may not be seen yet").steps[2].label, "load = 0 (stale)");
    let told = program().play(&"[1, 1, 0]".parse().expect("a schedule"));
    assert_eq!(told.expect("it may be seen").steps[2].label, "load = 1");
    assert!(program().play(&"[0, 1~1, 1]".parse().expect("a schedule")).is_err());
}
