//! Fourth floor, `replay`: programs of threads on real threads. Imports [`atoms`](crate::atoms) and
//! [`check`](crate::check).

use super::{Remains, ReplayError, Replayed};
use crate::atoms::notes::Notes;
use crate::atoms::real;
use crate::check::threads::{End, Program, trace};
use crate::check::{PlayError, Schedule};

/// Runs a schedule on real threads, continued until every actor ends. Each actor makes its next
/// operation when the schedule says so, and no earlier. Returns the schedule as it went, the run in
/// shuttle, and the real run.
///
/// # Errors
///
/// [`ReplayError::NotHere`] for a schedule that reads an old value: no processor can be told to do
/// that.
pub fn on_real_threads(
    program: &Program,
    schedule: &Schedule,
) -> Result<Result<(Schedule, Replayed, Replayed), ReplayError>, PlayError> {
    if !schedule.stale.is_empty() {
        program.play(schedule)?;
        let why = "no processor can be told to read what was there some writes ago";
        return Ok(Err(ReplayError::NotHere(why.to_owned())));
    }
    let (schedule, simulated) = program.completed(schedule)?;
    let actors = program.actors();
    let run = || (program.source().on_threads)();
    let real = real::in_turn(actors.len(), &schedule.turns, run);
    Ok(Ok((schedule, replayed(program, simulated), replayed(program, real))))
}

/// What was dropped is told with what remains.
fn replayed(program: &Program, notes: Notes) -> Replayed {
    let mut trace = trace(program.actors(), &notes);
    trace.end = None;
    Replayed { trace, remains: Remains::Drops(notes.dropped) }
}

/// Lets all actors run freely on real threads, `rounds` times. Returns each property that is
/// claimed of the end of every execution, with the number of rounds that violated it.
pub fn let_loose(program: &Program, rounds: usize) -> Vec<(String, usize)> {
    let mut violations: Vec<(String, usize)> = Vec::new();
    for _ in 0..rounds {
        let notes = real::at_once(program.actors().len(), || (program.source().on_threads)());
        let end = End { outputs: &notes.outputs, dropped: &notes.dropped };
        for (index, (name, is_violated)) in program.violated(end).into_iter().enumerate() {
            if violations.len() == index {
                violations.push((name, 0));
            }
            violations[index].1 += usize::from(is_violated);
        }
    }
    violations
}
