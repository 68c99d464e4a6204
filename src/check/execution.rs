//! Second floor, `check`: one execution as it runs, and a record of many executions. Imports
//! [`process`](crate::process) and its neighbours in `check`.
//!
//! loom's and shuttle's harnesses are thin layers around these two types, and so is a harness of
//! your own. The harness decides which actor steps, an [`Execution`] takes the step, and a
//! [`Recorder`] remembers the results.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use num_bigint::BigUint;
use rustc_hash::FxHashSet;

use super::ample::with_room;
use super::fault::{FaultKind, perform};
use super::graph::DEADLOCK_FREE;
use super::intern::{LocalOf, sort_groups};
use super::limits::Meter;
use super::property::PropertyKind;
use super::system::{Local, Locals, State, System};
use super::verdict::{Bound, Engine, Finding, Interleavings, Outcomes, Report, Schedule, Verdict};
use super::{Checker, Value, lock};
use crate::{Process, Step};

/// The result of an actor's step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It took a step and has more to take.
    Stepped,
    /// It waits for another actor; the step changed nothing.
    Blocked,
    /// It took its last step (or had taken it before).
    Ended,
}

/// Remembers the results of many executions of one system.
pub struct Recorder<W, P: Process<W>> {
    checker: Checker<W, P>,
    // Only these two engines look at it.
    #[cfg_attr(not(any(feature = "loom", feature = "shuttle")), allow(dead_code))]
    meter: Option<Mutex<Meter>>,
    seen: Mutex<Seen>,
    #[cfg_attr(not(any(feature = "loom", feature = "shuttle")), allow(dead_code))]
    beginnings: Mutex<Beginnings>,
}

/// An actor that stepped, and which way it went where that was a choice.
pub(super) type Turn = (u8, u8);

/// The ways that the actors go at their choices, in order. An actor goes the first way where the
/// script says nothing.
///
/// loom and shuttle branch only where they schedule threads. So an execution follows a script, and
/// the script grows. Where the script says nothing, the actor goes the first way, and one more
/// script is [noted](Beginnings) for each of the other ways. Every combination of ways has a script
/// in the end, because each one is the first way after a shorter one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Script {
    /// For each actor.
    ways: Vec<Vec<u8>>,
}

impl Script {
    fn way(&self, actor: usize, choice: usize) -> Option<u8> {
        self.ways.get(actor)?.get(choice).copied()
    }

    /// The same, with this way at this choice of this actor.
    fn with(&self, actor: usize, choice: usize, way: u8) -> Self {
        let mut script = self.clone();
        if script.ways.len() <= actor {
            script.ways.resize(actor + 1, Vec::new());
        }
        script.ways[actor].resize(choice, 0);
        script.ways[actor].push(way);
        script
    }
}

/// The beginnings of executions: each is a start and a script of choices. Their list grows while
/// the executions run.
struct Beginnings {
    all: Vec<(usize, Arc<Script>)>,
    known: FxHashSet<(usize, Arc<Script>)>,
}

impl Beginnings {
    fn of(starts: usize) -> Self {
        let mut beginnings = Beginnings { all: Vec::new(), known: FxHashSet::default() };
        (0..starts).for_each(|start| beginnings.add(start, Script::default()));
        beginnings
    }

    fn add(&mut self, start: usize, script: Script) {
        let beginning = (start, Arc::new(script));
        if self.known.insert(beginning.clone()) {
            self.all.push(beginning);
        }
    }
}

/// How an execution goes where it has a choice.
enum Choices {
    /// By a script, and the scripts that it lacks are noted.
    Script(Arc<Script>),
    /// At random: the state of a random number generator.
    #[cfg_attr(not(feature = "shuttle"), allow(dead_code))]
    Random(u64),
}

#[derive(Default)]
struct Seen {
    executions: u64,
    /// For each property, and freedom from deadlock last: the shortest schedule that decides it.
    decided: Vec<Option<Schedule>>,
    outcomes: Outcomes,
    /// Each with its start.
    interleavings: FxHashSet<(usize, Box<[Turn]>)>,
    /// Those from which there was an execution.
    starts: FxHashSet<usize>,
    /// The shortest schedule to a fault.
    fault: Option<(FaultKind, Schedule)>,
    /// A limit that was reached.
    #[cfg_attr(not(any(feature = "loom", feature = "shuttle")), allow(dead_code))]
    limit: Option<Bound>,
    /// Some execution was abandoned because it was too long.
    #[cfg(feature = "shuttle")]
    abandoned: bool,
}

impl<W: Value, P: Process<W, Output: Value> + Value> Checker<W, P> {
    /// A second handle on the same system and the same codes of outcomes.
    pub(super) fn share(&self) -> Self {
        Checker {
            system: self.system.clone(),
            codes: self.codes.clone(),
            limits: self.limits.clone(),
            any_time: self.any_time,
        }
    }

    /// An end state as an outcome: in shared codes, identical actors in a fixed order.
    pub(super) fn outcome(&self, world: &W, locals: &[LocalOf<W, P>]) -> Box<[u32]> {
        let mut state = self.codes.state(world, locals);
        sort_groups(&self.system.groups, &mut state[1..]);
        state.into()
    }

    /// The report of an engine that cannot run this system.
    pub(super) fn not_started(&self, engine: Engine, mode: &'static str, bound: Bound) -> Report {
        let properties = self.system.properties.iter();
        let properties = properties.map(|property| (property.name().to_owned(), property.kind()));
        let deadlock = (DEADLOCK_FREE.to_owned(), PropertyKind::Always);
        Report::not_started(engine, mode, std::iter::once(deadlock).chain(properties), bound)
    }

    /// A recorder for a harness of your own. You can [audit](fn@super::audit) its report together
    /// with this checker's reports.
    ///
    /// # Panics
    ///
    /// With more than 256 actors: a schedule keeps each actor as one byte.
    pub fn recorder(&self) -> Arc<Recorder<W, P>> {
        self.recorder_for(None)
    }

    /// The same for an engine, whose time runs from now on.
    #[cfg(any(feature = "loom", feature = "shuttle"))]
    pub(super) fn metered_recorder(&self, engine: Engine) -> Arc<Recorder<W, P>> {
        self.recorder_for(Some(self.limits.start(engine)))
    }

    fn recorder_for(&self, meter: Option<Meter>) -> Arc<Recorder<W, P>> {
        let actors = self.system.actors.len();
        assert!(actors <= 256, "{actors} actors, and a recorder takes 256 at most");
        let decided = vec![None; self.system.properties.len() + 1];
        Arc::new(Recorder {
            checker: self.share(),
            meter: meter.map(Mutex::new),
            seen: Mutex::new(Seen { decided, ..Seen::default() }),
            beginnings: Mutex::new(Beginnings::of(self.system.starts.len())),
        })
    }
}

impl<W: Value, P: Process<W, Output: Value> + Value> Recorder<W, P> {
    /// Starts an execution from the system's first start, which is mostly its only one.
    pub fn execution(self: &Arc<Self>) -> Execution<W, P> {
        self.execution_from(0)
    }

    /// Starts an execution from the start of this index. At a [choice](Step::Choice) an actor goes
    /// the first way, unless the caller [names another](Execution::step_by).
    ///
    /// # Panics
    ///
    /// If the system has no such start.
    pub fn execution_from(self: &Arc<Self>, start: usize) -> Execution<W, P> {
        with_room(|| self.begin(start, Choices::Script(Arc::default())))
    }

    /// How many beginnings there are by now.
    #[cfg(any(feature = "loom", feature = "shuttle"))]
    pub(super) fn beginnings(&self) -> usize {
        lock(&self.beginnings).all.len()
    }

    /// Starts an execution from the beginning of this index: first come the system's starts, by their
    /// indices, then those with another way to go at some choice.
    #[cfg(any(feature = "loom", feature = "shuttle"))]
    pub(super) fn execution_of(self: &Arc<Self>, beginning: usize) -> Execution<W, P> {
        let (start, script) = lock(&self.beginnings).all[beginning].clone();
        with_room(|| self.begin(start, Choices::Script(script)))
    }

    /// Starts an execution from the start of this index that goes any way at each choice.
    #[cfg(feature = "shuttle")]
    pub(super) fn random_execution_from(
        self: &Arc<Self>,
        start: usize,
        seed: u64,
    ) -> Execution<W, P> {
        let seed = seed.wrapping_add(self.executions().wrapping_mul(0x9e37_79b9_7f4a_7c15));
        with_room(|| self.begin(start, Choices::Random(seed)))
    }

    fn begin(self: &Arc<Self>, start: usize, choices: Choices) -> Execution<W, P> {
        let system = &self.checker.system;
        let from = &system.starts[start];
        {
            let mut seen = self.seen();
            seen.executions += 1;
            seen.starts.insert(start);
        }
        let execution = Execution {
            recorder: self.clone(),
            start,
            world: from.world.clone(),
            locals: from.locals(),
            unfinished: system.actors.len(),
            schedule: Vec::new(),
            choices,
            chosen: vec![0; system.actors.len()],
            waiting: Vec::new(),
            deadlocked: false,
            astray: false,
            #[cfg(any(feature = "loom", feature = "shuttle"))]
            turns: 0,
            #[cfg(any(feature = "loom", feature = "shuttle"))]
            abandoned: false,
        };
        execution.judge();
        if execution.ended() {
            execution.end();
        }
        execution
    }

    pub(super) fn system(&self) -> &System<W, P> {
        &self.checker.system
    }

    /// How many executions have been started.
    pub fn executions(&self) -> u64 {
        self.seen().executions
    }

    /// Whether the engine has to end with what it knows: a step was a fault, or a limit is reached.
    #[cfg(any(feature = "loom", feature = "shuttle"))]
    pub(super) fn is_over(&self) -> bool {
        let (fault, limit, executions) = {
            let seen = self.seen();
            (seen.fault.is_some(), seen.limit.is_some(), seen.executions)
        };
        if fault || limit {
            return true;
        }
        let Some(meter) = &self.meter else { return false };
        let reached = lock(meter).reached(|| format!("{executions} executions"));
        let is_over = reached.is_some();
        if is_over {
            self.seen().limit = reached;
        }
        is_over
    }

    /// What ended the engine before it was through, if something did.
    #[cfg(any(feature = "loom", feature = "shuttle"))]
    pub(super) fn ended_by(&self) -> Option<Bound> {
        let seen = self.seen();
        seen.fault.as_ref().map(|(kind, _)| Bound::Fault(*kind)).or_else(|| seen.limit.clone())
    }

    /// Whether some execution was given up for having had too many turns.
    #[cfg(feature = "shuttle")]
    pub(super) fn abandoned_any(&self) -> bool {
        self.seen().abandoned
    }

    /// The report of the executions so far.
    ///
    /// `bound` is the reason why these are not all executions, if there is one. `distinct_counted`
    /// says whether every execution ran to its end: only then can the number of distinct
    /// interleavings be compared.
    pub fn report(
        &self,
        engine: Engine,
        mode: &'static str,
        bound: Option<Bound>,
        distinct_counted: bool,
        elapsed: Duration,
    ) -> Report {
        let seen = self.seen();
        let system = self.system();
        let fault = seen.fault.clone();
        let bound = fault.as_ref().map(|(kind, _)| Bound::Fault(*kind)).or(bound);
        let finding = |property: &str, kind: PropertyKind, decided: &Option<Schedule>| Finding {
            property: property.to_owned(),
            kind,
            verdict: match (kind, decided, &bound) {
                (PropertyKind::Reachable, Some(_), _) => Verdict::Holds(decided.clone()),
                (_, Some(_), _) => Verdict::Violated(decided.clone()),
                (_, None, Some(bound)) => Verdict::Unfinished(bound.clone()),
                (PropertyKind::Reachable, None, None) => Verdict::Violated(None),
                (_, None, None) => Verdict::Holds(None),
            },
            violating: None,
            lost: None,
        };
        let deadlock = &seen.decided[system.properties.len()];
        let mut findings = vec![finding(DEADLOCK_FREE, PropertyKind::Always, deadlock)];
        findings.extend(
            system
                .properties
                .iter()
                .zip(&seen.decided)
                .map(|(property, decided)| finding(property.name(), property.kind(), decided)),
        );
        findings.extend(fault.map(|(kind, schedule)| Finding::fault(kind, Some(schedule))));
        Report {
            engine,
            mode,
            starts: seen.starts.len() as u64,
            findings,
            executions: Some(seen.executions),
            states: None,
            transitions: None,
            interleavings: if distinct_counted {
                Interleavings::Exactly(BigUint::from(seen.interleavings.len()))
            } else {
                Interleavings::NotCounted
            },
            outcomes: Some(seen.outcomes.clone()),
            bound,
            untested: Vec::new(),
            growth: None,
            elapsed,
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        lock(&self.seen)
    }
}

/// One execution of a system. The owner of the value decides which actor steps.
///
/// Steps are really taken here, on a real value of the world. Nothing is looked up in the tables of
/// the graph engine. So an agreement between the engines is worth something.
pub struct Execution<W, P: Process<W>> {
    recorder: Arc<Recorder<W, P>>,
    start: usize,
    world: W,
    locals: Vec<LocalOf<W, P>>,
    /// How many actors have not ended.
    unfinished: usize,
    schedule: Vec<Turn>,
    choices: Choices,
    /// How many choices each actor has come to.
    chosen: Vec<usize>,
    /// The actors that were found blocked and still are.
    waiting: Vec<usize>,
    deadlocked: bool,
    /// A step was a fault: no actor steps any more.
    astray: bool,
    #[cfg(any(feature = "loom", feature = "shuttle"))]
    turns: usize,
    #[cfg(any(feature = "loom", feature = "shuttle"))]
    abandoned: bool,
}

/// The result of an actor's turn, on threads that sleep while their actor is blocked.
#[cfg(any(feature = "loom", feature = "shuttle"))]
pub(super) struct Turned<T> {
    pub(super) progress: Progress,
    /// No actor steps again: none can, or the execution is too long and was abandoned.
    pub(super) over: bool,
    /// The threads to wake: their actors can step again, or have to find that all is over.
    pub(super) awake: Vec<T>,
}

impl<W: Value, P: Process<W, Output: Value> + Value> Execution<W, P> {
    /// Lets `actor` take a step. Takes from `parked` the threads, each with its actor, that need
    /// not sleep any longer. `None` if all was over before. All is over after `max_turns`.
    #[cfg(any(feature = "loom", feature = "shuttle"))]
    pub(super) fn turn<T>(
        &mut self,
        actor: usize,
        parked: &mut Vec<(usize, T)>,
        max_turns: usize,
    ) -> Option<Turned<T>> {
        if self.deadlocked || self.abandoned {
            return None;
        }
        self.turns += 1;
        let progress = if self.turns > max_turns {
            self.abandoned = true;
            #[cfg(feature = "shuttle")]
            {
                self.recorder.seen().abandoned = true;
            }
            Progress::Stepped
        } else if self.turns.is_multiple_of(64) && self.recorder.is_over() {
            self.abandoned = true;
            Progress::Stepped
        } else {
            let progress = self.step(actor);
            self.abandoned = self.astray;
            progress
        };
        if self.abandoned {
            let awake = std::mem::take(parked).into_iter().map(|(_, thread)| thread).collect();
            return Some(Turned { progress, over: true, awake });
        }
        let (asleep, awake) = std::mem::take(parked)
            .into_iter()
            .partition(|(actor, _)| !self.deadlocked && self.waiting.contains(actor));
        *parked = asleep;
        let awake: Vec<(usize, T)> = awake;
        let awake = awake.into_iter().map(|(_, thread)| thread).collect();
        Some(Turned { progress, over: self.deadlocked, awake })
    }

    /// Lets `actor` (an index into the system's actors) take a step. If the step is a choice, it
    /// goes the first way.
    pub fn step(&mut self, actor: usize) -> Progress {
        with_room(|| self.advance(actor, None))
    }

    /// Lets `actor` take a step. If the step is a choice, it goes the way of this index.
    ///
    /// # Panics
    ///
    /// If the step has no such way.
    pub fn step_by(&mut self, actor: usize, way: usize) -> Progress {
        with_room(|| self.advance(actor, Some(way)))
    }

    /// Which way `actor` goes at a choice of so many.
    fn choose(&mut self, actor: usize, ways: usize) -> usize {
        let choice = self.chosen[actor];
        self.chosen[actor] += 1;
        match &mut self.choices {
            Choices::Random(state) => {
                // Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, 2014.
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut bits = *state;
                bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                ((bits ^ (bits >> 31)) % ways as u64) as usize
            }
            Choices::Script(script) => match script.way(actor, choice) {
                // A script is noted where there are so many ways. Where there are fewer at another time,
                // the execution is one that another script has as well.
                Some(way) => usize::from(way) % ways,
                None => {
                    let mut beginnings = lock(&self.recorder.beginnings);
                    for way in 1..ways {
                        beginnings.add(self.start, script.with(actor, choice, way as u8));
                    }
                    0
                }
            },
        }
    }

    fn advance(&mut self, actor: usize, way: Option<usize>) -> Progress {
        let Local::Running(process) = &self.locals[actor] else { return Progress::Ended };
        if self.astray {
            return Progress::Ended;
        }
        let expected = &self.recorder.system().expected;
        let mut after = self.world.clone();
        let step = match perform(process.clone(), &mut after, expected) {
            Ok(Step::Blocked(same)) if after != self.world || same != *process => {
                Err(FaultKind::Blocked)
            }
            Ok(step) => Ok(step),
            Err(fault) => Err(fault.kind),
        };
        let step = match step {
            Ok(step) => step,
            Err(kind) => {
                self.schedule.push((actor as u8, 0));
                self.astray = true;
                let mut seen = self.recorder.seen();
                let longer =
                    |(_, known): &(FaultKind, Schedule)| known.turns.len() > self.schedule.len();
                if seen.fault.as_ref().is_none_or(longer) {
                    seen.fault = Some((kind, self.schedule()));
                }
                return Progress::Ended;
            }
        };
        self.world = after;
        let which = match (&step, way) {
            (Step::Choice(ways), None) => self.choose(actor, ways.len()),
            (_, way) => way.unwrap_or(0),
        };
        let step = match step.way(which) {
            Some(step) => step,
            None => panic!("actor {actor} goes no way of index {which} here"),
        };
        let (local, progress) = match step {
            Step::Choice(_) => unreachable!("a way of a choice is no choice"),
            Step::Blocked(_) => {
                if !self.waiting.contains(&actor) {
                    self.waiting.push(actor);
                }
                if self.waiting.len() == self.unfinished {
                    self.deadlocked = true;
                    self.end();
                }
                return Progress::Blocked;
            }
            Step::Next(next) => (Local::Running(next), Progress::Stepped),
            Step::Done(output) => {
                self.unfinished -= 1;
                (Local::Done(output), Progress::Ended)
            }
        };
        self.locals[actor] = local;
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|waiting| !self.could_step(*waiting));
        self.waiting = waiting;
        self.schedule.push((actor as u8, which as u8));
        self.judge();
        self.deadlocked = self.unfinished > 0 && self.waiting.len() == self.unfinished;
        if self.unfinished == 0 || self.deadlocked {
            self.end();
        }
        progress
    }

    /// Whether a step was a [fault](super::FaultKind). From then on no actor steps any more, and a
    /// step of any actor reports that it has ended.
    pub fn is_astray(&self) -> bool {
        self.astray
    }

    /// Whether every actor has ended.
    pub fn ended(&self) -> bool {
        self.unfinished == 0
    }

    /// Whether some actors have not ended and all of these are blocked.
    pub fn deadlocked(&self) -> bool {
        self.deadlocked
    }

    /// The actors that were blocked when they last tried, and still are.
    pub fn waiting(&self) -> &[usize] {
        &self.waiting
    }

    /// The schedule so far.
    pub fn schedule(&self) -> Schedule {
        let mut schedule =
            Schedule::from_start(self.start, Vec::with_capacity(self.schedule.len()));
        for (actor, way) in &self.schedule {
            schedule.push(usize::from(*actor), usize::from(*way));
        }
        schedule
    }

    /// Whether the execution was given up: it had too many turns, a limit is reached, or a step was
    /// a fault.
    #[cfg(any(feature = "loom", feature = "shuttle"))]
    pub(super) fn abandoned(&self) -> bool {
        self.abandoned
    }

    /// The index of the start it began with.
    #[cfg(feature = "loom")]
    pub(super) fn start(&self) -> usize {
        self.start
    }

    /// The schedule so far.
    #[cfg(any(feature = "loom", feature = "shuttle"))]
    pub(super) fn prefix(&self) -> &[Turn] {
        &self.schedule
    }

    /// The actors that have not ended.
    #[cfg(feature = "shuttle")]
    pub(super) fn running(&self) -> impl Iterator<Item = usize> {
        let running = |(actor, local)| matches!(local, &Local::Running(_)).then_some(actor);
        self.locals.iter().enumerate().filter_map(running)
    }

    /// Those of them that could step now, without waiting.
    #[cfg(feature = "shuttle")]
    pub(super) fn enabled(&self) -> impl Iterator<Item = usize> {
        (0..self.locals.len()).filter(|actor| with_room(|| self.could_step(*actor)))
    }

    /// Whether an actor could step now, without waiting. (A world is a value: one can try.)
    fn could_step(&self, actor: usize) -> bool {
        let Local::Running(process) = &self.locals[actor] else { return false };
        let expected = &self.recorder.system().expected;
        !matches!(perform(process.clone(), &mut self.world.clone(), expected), Ok(Step::Blocked(_)))
    }

    /// The current state as codes, with the actors as they are named, none exchanged for another.
    /// After them come the ways that each actor still has to go at its choices, where the script
    /// says so: the continuation of a state depends on them, too.
    #[cfg(any(feature = "loom", feature = "shuttle"))]
    pub(super) fn state(&self) -> Box<[u32]> {
        let mut state = with_room(|| self.recorder.checker.codes.state(&self.world, &self.locals));
        if let Choices::Script(script) = &self.choices {
            for (actor, ways) in (0..).zip(&script.ways) {
                let left = ways.get(self.chosen[actor]..).unwrap_or_default();
                if !left.is_empty() {
                    state.extend([actor as u32, left.len() as u32]);
                    state.extend(left.iter().map(|way| u32::from(*way)));
                }
            }
        }
        state.into()
    }

    /// Notes what the state just reached decides.
    fn judge(&self) {
        let state = State { world: &self.world, locals: Locals::Plain(&self.locals) };
        let mut seen = self.recorder.seen();
        let properties = &self.recorder.system().properties;
        for (property, decided) in properties.iter().zip(&mut seen.decided) {
            // Only a shorter schedule than the one known is worth a test.
            if decided.as_ref().is_some_and(|known| known.turns.len() <= self.schedule.len()) {
                continue;
            }
            let decides = match property.kind() {
                PropertyKind::Always => !property.is_true_in(&state),
                PropertyKind::Finally => self.unfinished == 0 && !property.is_true_in(&state),
                PropertyKind::Reachable => property.is_true_in(&state),
            };
            if decides {
                *decided = Some(self.schedule());
            }
        }
    }

    /// Notes a maximal execution.
    fn end(&self) {
        let outcome = self.recorder.checker.outcome(&self.world, &self.locals);
        let mut seen = self.recorder.seen();
        seen.interleavings.insert((self.start, self.schedule.as_slice().into()));
        seen.outcomes.insert(outcome);
        if self.deadlocked {
            let deadlock = seen.decided.last_mut().expect("one more than properties");
            if deadlock.as_ref().is_none_or(|known| known.turns.len() > self.schedule.len()) {
                *deadlock = Some(self.schedule());
            }
        }
    }
}
