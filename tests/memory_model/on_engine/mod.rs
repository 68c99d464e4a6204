//! Programs before the project's own engine for threads, compiled over the atoms of loom and of shuttle.

mod over_loom;
mod over_shuttle;

use std::sync::{Arc, Mutex, PoisonError};

use toctou::check::threads::{NO_DATA_RACE, Program as Threads, Source, ThreadsOnLoom};
use toctou::check::{Bound, PlayError, Report, ShuttleMode, Trace, Verdict};

use crate::program::{Op, Outcomes, Program};

/// What an engine explored to the end.
#[derive(Debug)]
pub(crate) struct Explored {
    pub(crate) outcomes: Outcomes,
    pub(crate) executions: u64,
    /// An execution that ends in a data race, if there is one.
    pub(crate) race: Option<Result<Trace, PlayError>>,
}

/// Whether the atoms have all of its operations.
pub(crate) fn is_within_the_atoms(program: &Program) -> bool {
    let has = |op: &Op| !matches!(op, Op::Fence(_) | Op::Add(..) | Op::Exchange { weak: true, .. });
    !program.finals && program.ops().all(has)
}

/// What the engine finds with loom; nothing where there is more than so many executions.
pub(crate) fn loom(program: &Program, max_executions: u64) -> Option<Explored> {
    let (threads, seen) = threads(program);
    let options = ThreadsOnLoom { max_executions, ..ThreadsOnLoom::default() };
    explored(&threads, &threads.loom(&options), &seen)
}

/// What it finds with shuttle.
pub(crate) fn shuttle(program: &Program) -> Option<Explored> {
    let (threads, seen) = threads(program);
    let mode = ShuttleMode::DepthFirst { max_executions: 20_000 };
    explored(&threads, &threads.shuttle(mode), &seen)
}

/// The program, and what will have come of it: told by what each actor ends with.
fn threads(program: &Program) -> (Threads, Arc<Mutex<Outcomes>>) {
    assert!(is_within_the_atoms(program), "{program}");
    let all = Arc::new(program.clone());
    let source = Source {
        on_loom: over_loom::source(all.clone()),
        on_shuttle: over_shuttle::source(all),
        on_threads: Arc::new(|| unreachable!("nobody asks for real threads")),
    };
    let actors = (1..=program.threads.len()).map(|actor| format!("thread {actor}")).collect();
    let seen = Arc::new(Mutex::new(Outcomes::new()));
    let at_end = seen.clone();
    let threads = Threads::new(actors, source).finally("is-seen", move |end| {
        let read = end.outputs.iter().flatten().filter(|read| !read.is_empty());
        let told = read.cloned().collect::<Vec<_>>().join(" ");
        at_end.lock().unwrap_or_else(PoisonError::into_inner).insert(told);
        end.outputs.iter().all(Option::is_some)
    });
    (threads, seen)
}

fn explored(threads: &Threads, report: &Report, seen: &Mutex<Outcomes>) -> Option<Explored> {
    let verdict = |property| report.finding(property).map(|finding| &finding.verdict);
    let race = match verdict(NO_DATA_RACE) {
        Some(Verdict::Violated(Some(schedule))) => Some(threads.play(schedule)),
        _ => None,
    };
    // shuttle proves nothing for want of a memory model, and yet has run all it has.
    let is_all = matches!(report.bound, None | Some(Bound::NoMemoryModel(_)));
    if !is_all {
        return None;
    }
    assert!(!matches!(verdict("is-seen"), None | Some(Verdict::Violated(_))), "{report:?}");
    let outcomes = seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // What was seen before all began anew is seen again.
    assert_eq!(report.outcomes.as_ref().map(|all| all.len()), Some(outcomes.len()), "{report:?}");
    Some(Explored { outcomes, executions: report.executions.unwrap_or_default(), race })
}
