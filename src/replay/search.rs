//! Fourth floor, `replay`: every order of the actors' calls on the kernel's file system. Imports
//! [`fs`](crate::fs), [`check`](crate::check) and its neighbours in `replay`.
//!
//! It is a second way to a verdict, with no state graph: each execution begins anew in a directory of the
//! kernel, and ends where its actors end. Executions that differ only in the order of two steps that commute
//! are one trace, and one of them is enough. Sleep sets (Godefroid, 1996) leave the others out. Whether two
//! steps commute where they stand is asked of the simulation.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use rustc_hash::FxHashSet;

use super::ReplayError;
use super::files::Furnished;
use crate::check::{Local, Schedule, System, Value};
use crate::errno::shown;
use crate::fs::{OsFs, SimFs, Uid, User};
use crate::{Process, Step};

/// Where all actors have ended or wait: what each of them ended with, and the files that are left.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// The actors' outputs, by their indices; `None` of one that waits.
    pub outputs: Vec<Option<String>>,
    /// The files, a line for each.
    pub files: String,
}

/// What a search of the kernel found.
#[derive(Clone, Debug)]
pub struct Search {
    /// How many executions there were on the kernel.
    pub executions: u64,
    /// The outcomes of the kernel.
    pub outcomes: BTreeSet<Outcome>,
    /// The outcomes of the simulation, by a search of its own.
    pub simulated: BTreeSet<Outcome>,
    /// Whether there was time for all.
    pub finished: bool,
    /// The first execution that went otherwise on the kernel than in the simulation.
    pub differs: Option<(Schedule, String)>,
}

impl Search {
    /// Whether the kernel has the outcomes of the simulation, and no others.
    pub fn agrees(&self) -> bool {
        self.finished && self.differs.is_none() && self.outcomes == self.simulated
    }
}

impl fmt::Display for Search {
    /// `14 executions on the kernel: 2 outcomes, the same as simulated`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::report::count;
        write!(
            f,
            "{} on the kernel: {}",
            count(self.executions, "execution"),
            count(self.outcomes.len(), "outcome")
        )?;
        match (&self.differs, self.finished) {
            (Some((schedule, how)), _) => write!(f, "; {schedule} goes otherwise: {how}"),
            (None, false) => f.write_str("; there was no time for all of them"),
            (None, true) if self.agrees() => f.write_str(", the same as simulated"),
            (None, true) => write!(f, ", and {} in the simulation", self.simulated.len()),
        }
    }
}

/// A state of the simulation.
type SimState<P, T> = (SimFs, Vec<Local<P, T>>);

/// A step that an actor may take, in one of its ways.
type Turn = (usize, usize);

/// A place on the way of the execution.
struct Place<P, T> {
    state: SimState<P, T>,
    /// The turns that are still to be tried, in this order.
    open: Vec<Turn>,
    /// The turns that need not be taken: what they lead to is seen elsewhere.
    asleep: Vec<Turn>,
    now: Turn,
}

/// Searches all executions of the first start, for so long.
///
/// # Errors
///
/// Where no directory can be made, or a world cannot be put on disk.
pub fn search<P, Q, T>(
    system: &System<SimFs, P>,
    kernel: &Furnished<Q>,
    limit: Duration,
) -> Result<Search, ReplayError>
where
    P: Process<SimFs, Output = T> + Value,
    Q: for<'a> Process<&'a OsFs, Output = T>,
    T: Value,
{
    let Some(start) = system.starts().first() else {
        return Err(ReplayError::NotHere("the system has no start".to_owned()));
    };
    let begun = Instant::now();
    let locals = start.processes.iter().cloned().map(Local::Running).collect();
    let first: SimState<P, T> = (start.world.clone(), locals);
    let mut found = Search {
        executions: 0,
        outcomes: BTreeSet::new(),
        simulated: simulated(&first, begun, limit),
        finished: false,
        differs: None,
    };
    let mut way: Vec<Place<P, T>> = Vec::new();
    loop {
        if begun.elapsed() > limit {
            return Ok(found);
        }
        found.executions += 1;
        let mut real = Real::new(kernel)?;
        let mut agrees = way.iter().try_for_each(|place| real.take(place.now, &place.state));
        // On to the end: each time the first turn that is not asleep.
        let mut is_whole = true;
        while agrees.is_ok() {
            let (state, asleep) = match way.last() {
                None => (first.clone(), Vec::new()),
                Some(before) => (
                    after(&before.state, before.now).unwrap_or(before.state.clone()),
                    asleep_after(before),
                ),
            };
            let turns = turns_in(&state);
            let mut open: Vec<Turn> =
                turns.iter().filter(|it| !asleep.contains(it)).copied().collect();
            if open.is_empty() {
                is_whole = turns.is_empty();
                break;
            }
            let now = open.remove(0);
            agrees = real.take(now, &state);
            way.push(Place { state, open, asleep, now });
        }
        let schedule = || Schedule::of(way.iter().map(|place| place.now.0).collect());
        match agrees {
            Err(how) => {
                found.differs = Some((schedule(), how));
                return Ok(found);
            }
            Ok(()) if is_whole => _ = found.outcomes.insert(real.outcome()?),
            Ok(()) => {}
        }
        // Back to the last place where there is another turn.
        loop {
            let Some(place) = way.last_mut() else {
                found.finished = true;
                return Ok(found);
            };
            place.asleep.push(place.now);
            if place.open.is_empty() {
                way.pop();
                continue;
            }
            place.now = place.open.remove(0);
            break;
        }
    }
}

/// The turns that lead somewhere.
fn turns_in<P, T>(state: &SimState<P, T>) -> Vec<Turn>
where
    P: Process<SimFs, Output = T> + Value,
    T: Value,
{
    let turns = (0..state.1.len()).flat_map(|actor| {
        let ways = match &state.1[actor] {
            Local::Done(_) => 0,
            Local::Running(process) => match process.clone().step(&mut state.0.clone()) {
                Step::Blocked(_) => 0,
                Step::Next(_) | Step::Done(_) => 1,
                Step::Choice(ways) => ways.len(),
            },
        };
        (0..ways).map(move |way| (actor, way))
    });
    turns.collect()
}

/// The state after a turn, if it can be taken.
fn after<P, T>(state: &SimState<P, T>, (actor, way): Turn) -> Option<SimState<P, T>>
where
    P: Process<SimFs, Output = T> + Value,
    T: Value,
{
    let (mut world, mut locals) = state.clone();
    let Local::Running(process) = locals.get(actor)?.clone() else { return None };
    locals[actor] = match process.step(&mut world).way(way)? {
        Step::Next(process) => Local::Running(process),
        Step::Done(output) => Local::Done(output),
        Step::Blocked(_) | Step::Choice(_) => return None,
    };
    Some((world, locals))
}

/// The turns that stay asleep after the one that is taken: those that commute with it.
fn asleep_after<P, T>(place: &Place<P, T>) -> Vec<Turn>
where
    P: Process<SimFs, Output = T> + Value,
    T: Value,
{
    let commutes = |turn: &&Turn| {
        if turn.0 == place.now.0 {
            return false;
        }
        let both = |one, other| after(&after(&place.state, one)?, other);
        let (one, other) = (both(place.now, **turn), both(**turn, place.now));
        one.is_some() && one == other
    };
    place.asleep.iter().filter(commutes).copied().collect()
}

/// The outcomes of the simulation.
fn simulated<P, T>(first: &SimState<P, T>, begun: Instant, limit: Duration) -> BTreeSet<Outcome>
where
    P: Process<SimFs, Output = T> + Value,
    T: Value,
{
    let (mut seen, mut open) = (FxHashSet::default(), vec![first.clone()]);
    let mut outcomes = BTreeSet::new();
    while let Some(state) = open.pop() {
        if begun.elapsed() > limit || !seen.insert(state.clone()) {
            continue;
        }
        let turns = turns_in(&state);
        if turns.is_empty() {
            let outputs = state.1.iter().map(|local| local.output().map(|it| shown(it)));
            let tree = state.0.tree().handed_over(Uid::ROOT, User::current().uid);
            outcomes.insert(Outcome { outputs: outputs.collect(), files: tree.to_string() });
        }
        open.extend(turns.into_iter().filter_map(|turn| after(&state, turn)));
    }
    outcomes
}

/// How often a step is tried that has to wait on the kernel and nowhere else. A program that another thread starts
/// at this moment has all open files of this process until it is executed. A lock that was given back is held for
/// as long.
const TRIES: usize = 200;

/// An execution on the kernel.
struct Real<Q, T> {
    _directory: tempfile::TempDir,
    fs: OsFs,
    actors: Vec<Option<Q>>,
    outputs: Vec<Option<T>>,
}

impl<Q, T> Real<Q, T>
where
    Q: for<'a> Process<&'a OsFs, Output = T>,
    T: Value,
{
    fn new(kernel: &Furnished<Q>) -> Result<Self, ReplayError> {
        let (directory, fs) = kernel.world(0)?;
        let actors: Vec<Option<Q>> = (kernel.actors)(0).into_iter().map(Some).collect();
        let outputs = actors.iter().map(|_| None).collect();
        Ok(Real { _directory: directory, fs, actors, outputs })
    }

    /// Takes a turn, as it is taken in this state of the simulation. Says how it differs, if it does.
    fn take<P>(&mut self, turn: Turn, state: &SimState<P, T>) -> Result<(), String>
    where
        P: Process<SimFs, Output = T> + Value,
    {
        let (actor, way) = turn;
        let Some(mut process) = self.actors.get_mut(actor).and_then(Option::take) else {
            return Err(format!("actor {actor} has ended on the kernel"));
        };
        let mut left = 0..TRIES;
        let step = loop {
            match process.step(&mut &self.fs) {
                Step::Blocked(same) if left.next().is_some() => {
                    std::thread::sleep(Duration::from_millis(5));
                    process = same;
                }
                step => break step,
            }
        };
        let expected = after(state, turn).map(|(_, mut locals)| locals.swap_remove(actor));
        let expected = expected.as_ref().and_then(Local::output);
        match (step.way(way), expected) {
            (Some(Step::Next(next)), None) => self.actors[actor] = Some(next),
            (Some(Step::Done(output)), Some(simulated)) if output == *simulated => {
                self.outputs[actor] = Some(output);
            }
            (Some(Step::Done(output)), simulated) => {
                let simulated = simulated.map_or("goes on".to_owned(), shown);
                return Err(format!(
                    "actor {actor} ends with {}, simulated {simulated}",
                    shown(&output)
                ));
            }
            (Some(Step::Next(_)), Some(simulated)) => {
                return Err(format!("actor {actor} goes on, simulated {}", shown(simulated)));
            }
            (Some(Step::Blocked(_) | Step::Choice(_)) | None, _) => {
                return Err(format!("actor {actor} waits on the kernel"));
            }
        }
        Ok(())
    }

    fn outcome(&self) -> Result<Outcome, ReplayError> {
        let outputs = self.outputs.iter().map(|output| output.as_ref().map(|it| shown(it)));
        let tree = self.fs.tree().map_err(ReplayError::Tree)?;
        Ok(Outcome { outputs: outputs.collect(), files: tree.to_string() })
    }
}
