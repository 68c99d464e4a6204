//! Fourth floor, `survey`: counterexamples in the real world, by schedule and by chance. Imports
//! [`case`](crate::case), [`replay`](crate::replay) and its neighbours in `survey`.

use std::time::{Duration, Instant};

use super::cores::on_all_cores;
use super::{Example, Subject};
use crate::case::{Case, CaseError, Comparison, Stress};
use crate::replay::{Place, Threads};

/// The result of an example in the real world. `None` if the example has no schedule to replay, or
/// exists only in the simulation.
pub type Replay = Option<Result<Comparison, CaseError>>;

/// Replays each example, several at a time, with a real thread, session or connection for each
/// actor.
pub fn for_real(examples: &[Example]) -> Vec<Replay> {
    let order: Vec<usize> = (0..examples.len()).collect();
    on_all_cores(examples, &order, |example| {
        let case = example.subject.case(example.size)?;
        if case.place() == Place::Nowhere {
            return None;
        }
        Some(case.replay(example.schedule.as_ref()?, Threads::OneEach))
    })
}

/// The results of the free runs of one system.
#[derive(Debug)]
pub struct Stressed {
    subject: Subject,
    size: usize,
    start: usize,
    stress: Result<Stress, CaseError>,
}

impl Stressed {
    /// In how many free runs the example's property was violated, and how many runs there were.
    /// `None` if free runs of its system cannot tell.
    pub fn chance(&self, example: &Example) -> Option<(usize, usize)> {
        let schedule = example.schedule.as_ref()?;
        if !self.is_of(&example.subject, example.size, schedule.start) {
            return None;
        }
        let stress = self.stress.as_ref().ok()?;
        let (_, broken) = stress.violations.iter().find(|(name, _)| *name == example.property)?;
        Some((*broken, stress.rounds))
    }

    /// Whether the end of a free run of the example's system does not show its property.
    pub fn is_unjudged(&self, example: &Example) -> bool {
        let Some(schedule) = &example.schedule else { return false };
        let unjudged = self.stress.as_ref().is_ok_and(|it| it.unjudged.contains(&example.property));
        unjudged && self.is_of(&example.subject, example.size, schedule.start)
    }

    fn is_of(&self, subject: &Subject, size: usize, start: usize) -> bool {
        self.subject.is(subject) && (self.size, self.start) == (size, start)
    }

    /// Why the free runs failed, if they did.
    pub fn error(&self) -> Option<&CaseError> {
        self.stress.as_ref().err()
    }
}

/// How many rounds are run before the clock is looked at.
const BATCH: usize = 25;

/// Lets each system that has an example run freely from the example's start, `rounds` times. It
/// runs fewer rounds if they would take longer than `limit`. The systems run one after the other,
/// so that the threads of each have the cores to themselves.
///
/// If there is a limit, systems on a database are left out. On PostgreSQL few rounds would fit. On
/// SQLite chance finds almost nothing in so few.
pub fn by_chance(
    examples: &[Example],
    rounds: usize,
    limit: Option<Duration>,
    tell: &dyn Fn(&Example),
) -> Vec<Stressed> {
    let mut stressed: Vec<Stressed> = Vec::new();
    for example in examples {
        let Some(schedule) = &example.schedule else { continue };
        let (subject, size, start) = (example.subject, example.size, schedule.start);
        if stressed.iter().any(|known| known.is_of(&subject, size, start)) {
            continue;
        }
        if let Some(case) = subject.case(size).filter(|case| is_meant(&**case, limit)) {
            tell(example);
            let stress = in_batches(&*case, start, rounds, limit);
            stressed.push(Stressed { subject, size, start, stress });
        }
    }
    stressed
}

fn is_meant(case: &dyn Case, limit: Option<Duration>) -> bool {
    let is_database = matches!(case.place(), Place::Postgres | Place::Sqlite);
    case.can_run_free() && !(limit.is_some() && is_database)
}

fn in_batches(
    case: &dyn Case,
    start: usize,
    rounds: usize,
    limit: Option<Duration>,
) -> Result<Stress, CaseError> {
    let Some(limit) = limit else { return case.stress(start, rounds) };
    let started = Instant::now();
    let mut sum = case.stress(start, BATCH.min(rounds))?;
    while sum.rounds < rounds && started.elapsed() < limit {
        let more = case.stress(start, BATCH.min(rounds - sum.rounds))?;
        sum.rounds += more.rounds;
        for ((_, sum), (_, more)) in sum.violations.iter_mut().zip(more.violations) {
            *sum += more;
        }
    }
    Ok(sum)
}
