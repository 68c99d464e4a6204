//! Second floor, `check`: loom as the engine for a program of threads. Imports its neighbours in
//! `check`, and loom.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};

use super::super::limits::Meter;
use super::super::lock;
use super::super::quiet::{complain, on_a_silent_thread};
use super::notes::Options;
use super::{
    Bound, DEADLOCK_FREE, Engine, Interleavings, NO_DATA_RACE, Notes, Program, Report, Schedule,
    Seen, notes, races, schedule, trace,
};

/// The options of [`Program::loom`].
#[derive(Clone, Copy, Debug)]
pub struct ThreadsOnLoom {
    /// How often an execution may take the turn from a thread that could go on; without limit if
    /// `None`. With a limit nothing is proved.
    pub preemptions: Option<usize>,
    /// Give up, unfinished, after about this many executions.
    pub max_executions: u64,
}

impl Default for ThreadsOnLoom {
    fn default() -> Self {
        ThreadsOnLoom { preemptions: None, max_executions: 1_000_000 }
    }
}

impl ThreadsOnLoom {
    /// Options that finish in reasonable time: exhaustive with up to three threads, and at most two
    /// preemptions in each execution with more.
    pub fn usual(threads: usize) -> Self {
        let preemptions = (threads > 3).then_some(2);
        ThreadsOnLoom { preemptions, ..ThreadsOnLoom::default() }
    }
}

/// loom looks at its bounds once in so many executions.
const BOUNDS_EVERY: usize = 64;

/// An execution with more operations than this is taken for one that never ends.
const MAX_TURNS: usize = 1_000;

/// Why loom stopped.
enum Stopped {
    /// There is nothing more to explore.
    Finished,
    /// It was as many executions as it should be.
    Executions,
    /// Somebody had seen enough.
    Enough,
    /// An execution had more operations than it follows one for.
    Turns,
    /// A limit was reached.
    Limit(Bound),
    /// One execution came to a bad end: this property is violated.
    Violated(&'static str, Box<Notes>),
}

/// What ends loom when somebody has seen enough.
struct Enough;

/// What ends loom when a limit is reached.
struct Late(Bound);

/// What an engine has taken so far, over all the times that it begins anew.
type SharedMeter = Arc<Mutex<Meter>>;

/// The panic that ends loom when it would miss some order: accesses to these atomics have to
/// exclude one another.
struct Apart(Vec<usize>);

impl Program {
    /// Explores every execution that loom's model of C11 has, with all the values that a load may
    /// read.
    ///
    /// It also explores executions that loom by itself would miss. loom remembers only the last
    /// access to an atomic. So a load that comes before a write, by the same thread or by way of
    /// others, hides an earlier load of another thread. loom then does not try the write ahead of
    /// the hidden load.
    ///
    /// So if loom would not see some load of an atomic, no two accesses to that atomic are taken to
    /// be independent.
    ///
    /// A data race ends loom's exploring. The other properties are then decided by exploring once
    /// more, while loom ignores who accesses memory that is not atomic.
    ///
    /// # Panics
    ///
    /// If a thread of the program panics. The message says after which operations.
    pub fn loom(&self, options: &ThreadsOnLoom) -> Report {
        let mode =
            if options.preemptions.is_some() { "few preemptions" } else { "every execution" };
        // The first actor is on the thread that starts the others.
        let (actors, limit) = (self.actors.len(), ::loom::MAX_THREADS);
        if actors > limit {
            let bound = Bound::Actors { actors, limit, engine: Engine::Loom };
            return self.not_started(Engine::Loom, bound);
        }
        let meter: SharedMeter = Arc::new(Mutex::new(self.limits.start(Engine::Loom)));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut stopped = self.explore_all(options, true, &seen, &meter);
        if let Stopped::Violated(NO_DATA_RACE, race) = stopped {
            let until_race = lock(&seen).executions + 1;
            stopped = self.explore_all(options, false, &seen, &meter);
            // What loom found is one, whether or not it is found again.
            if !lock(&seen).decided.contains_key(NO_DATA_RACE) {
                lock(&seen).decide(NO_DATA_RACE, &schedule(&race.events));
            }
            // The race itself was one.
            let executions = lock(&seen).executions.max(until_race);
            lock(&seen).executions = executions;
        }
        let executions = lock(&seen).executions;
        let preemptions = options.preemptions.map(|most| Bound::Preemptions(most as u64));
        let bound = match stopped {
            Stopped::Finished => preemptions,
            Stopped::Turns => Some(Bound::Turns(MAX_TURNS as u64)),
            Stopped::Limit(bound) => Some(bound),
            Stopped::Executions | Stopped::Enough => Some(Bound::Executions(executions)),
            Stopped::Violated(property, notes) => {
                lock(&seen).decide(property, &schedule(&notes.events));
                Some(Bound::Executions(executions))
            }
        };
        let (seen, interleavings) = (lock(&seen), Interleavings::NotCounted);
        let elapsed = lock(&meter).elapsed();
        seen.report(self, Engine::Loom, mode, bound, interleavings, elapsed)
    }

    /// Lets every execution be seen. Where loom does not look for races, ours are the shortest to tell of
    /// what it has found.
    fn explore_all(
        &self,
        options: &ThreadsOnLoom,
        looks_for_races: bool,
        seen: &Arc<Mutex<Seen>>,
        meter: &SharedMeter,
    ) -> Stopped {
        self.explore(options, looks_for_races, meter, || {
            *lock(seen) = Seen::default();
            let (program, seen) = (self.clone(), seen.clone());
            move |notes| {
                let mut seen = lock(&seen);
                seen.ended(&program, notes);
                if !looks_for_races
                    && let Some(race) = races::race(program.actors.len(), &notes.events)
                {
                    seen.decide(NO_DATA_RACE, &schedule(&notes.events[..race.second]));
                }
                false
            }
        })
    }

    /// The first execution that goes as this schedule says, up to where that ends.
    pub(super) fn found_by_loom(&self, wanted: &Schedule) -> Option<Notes> {
        let found: Arc<Mutex<Option<Notes>>> = Arc::default();
        let options = ThreadsOnLoom::usual(self.actors.len());
        let meter = Arc::new(Mutex::new(self.limits.start(Engine::Loom)));
        self.explore(&options, false, &meter, || {
            let (wanted, keep) = (wanted.clone(), found.clone());
            move |notes| {
                let cut = notes.cut_after(wanted.turns.len());
                let is_it = schedule(&cut.events) == wanted;
                if is_it {
                    *lock(&keep) = Some(cut);
                }
                is_it
            }
        });
        lock(&found).take()
    }

    /// Runs executions until there are no more, or `look` has seen enough.
    ///
    /// As soon as a load is [hidden](Notes::hidden_looks), the exploring begins anew, `look`
    /// included, with the accesses to its atomic [apart](Options::apart). Then loom tries these
    /// accesses in every order, and nothing is hidden from it. If no execution has a hidden load,
    /// none is missed.
    fn explore<L: Fn(&Notes) -> bool + Send + Sync + 'static>(
        &self,
        options: &ThreadsOnLoom,
        looks_for_races: bool,
        meter: &SharedMeter,
        look: impl Fn() -> L,
    ) -> Stopped {
        let mut apart: Vec<usize> = Vec::new();
        loop {
            let notes_options =
                Options { looks_for_races, apart: apart.clone().into(), ..Options::default() };
            match self.explore_once(options, notes_options, meter, look()) {
                Ok(stopped) => return stopped,
                Err(Apart(more)) => apart.extend(more),
            }
        }
    }

    fn explore_once(
        &self,
        options: &ThreadsOnLoom,
        notes_options: Options,
        meter: &SharedMeter,
        look: impl Fn(&Notes) -> bool + Send + Sync + 'static,
    ) -> Result<Stopped, Apart> {
        let mut builder = ::loom::model::Builder::new();
        // Each set here, so that no environment variable can quietly make a proof partial.
        builder.max_branches = MAX_TURNS;
        builder.max_duration = None;
        builder.preemption_bound = options.preemptions;
        builder.checkpoint_file = None;
        builder.checkpoint_interval = BOUNDS_EVERY;
        builder.location = false;
        builder.log = false;
        builder.expect_explicit_explore = false;
        let max = usize::try_from(options.max_executions).unwrap_or(usize::MAX);
        let max = max.div_ceil(BOUNDS_EVERY).max(1).saturating_mul(BOUNDS_EVERY);
        builder.max_permutations = Some(max);
        let (program, meter) = (self.clone(), meter.clone());
        let executions = Arc::new(Mutex::new(0));
        let counted = executions.clone();
        let explored = on_a_silent_thread(|| {
            let explored = catch_unwind(AssertUnwindSafe(|| {
                builder.check(move || {
                    let far = || format!("{} executions", lock(&counted));
                    if let Some(bound) = lock(&meter).reached(far) {
                        resume_unwind(Box::new(Late(bound)));
                    }
                    notes::begin(program.actors.len(), notes_options.clone());
                    (program.source.on_loom)();
                    *lock(&counted) += 1;
                    let notes = notes::end();
                    if let Some(fault) = notes.fault() {
                        resume_unwind(Box::new(fault));
                    }
                    let mut hidden = notes.hidden_looks();
                    hidden.retain(|number| !notes_options.apart.contains(number));
                    if !hidden.is_empty() {
                        resume_unwind(Box::new(Apart(hidden)));
                    }
                    if look(&notes) {
                        resume_unwind(Box::new(Enough));
                    }
                });
            }));
            explored.map_err(|panic| (panic, Box::new(notes::end())))
        });
        match explored {
            // loom stops where that many have begun, and the last of them is not run.
            Ok(()) if *lock(&executions) + 1 >= max => Ok(Stopped::Executions),
            Ok(()) => Ok(Stopped::Finished),
            Err(ended) => self.ended_by(ended),
        }
    }

    /// Why loom stopped, if it was by this panic and with these notes.
    fn ended_by(
        &self,
        (panic, notes): (Box<dyn Any + Send>, Box<Notes>),
    ) -> Result<Stopped, Apart> {
        let panic = match panic.downcast::<Apart>() {
            Ok(apart) => return Err(*apart),
            Err(panic) => panic,
        };
        let panic = match panic.downcast::<Late>() {
            Ok(late) => return Ok(Stopped::Limit(late.0)),
            Err(panic) => panic,
        };
        Ok(match message(&*panic).map(str::trim_start) {
            _ if panic.is::<Enough>() => Stopped::Enough,
            Some(said) if said.starts_with("Causality violation") => {
                Stopped::Violated(NO_DATA_RACE, notes)
            }
            Some(said) if said.starts_with("deadlock; threads") => {
                Stopped::Violated(DEADLOCK_FREE, notes)
            }
            Some(said) if said.starts_with("Model exceeded maximum number of branches") => {
                Stopped::Turns
            }
            said => {
                let (said, schedule) = (said.unwrap_or("with no word"), schedule(&notes.events));
                let trace = trace(&self.actors, &notes);
                complain(&format!("the program fails after {schedule}: {said}\n\n{trace}"))
            }
        })
    }
}

/// What a panic says.
pub(super) fn message(panic: &(dyn Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
}

#[cfg(test)]
#[path = "agree.rs"]
mod agree;
