//! Second floor, `check`: a schedule played step by step, with what each actor saw. Imports
//! [`process`](crate::process) and its neighbours in `check`.

use std::collections::VecDeque;
use std::sync::Arc;

use super::columns::columns;
use super::fault::{Fault, FaultKind, perform, watched, whole};
use super::intern::LocalOf;
use super::property::Count;
use super::system::{Local, Locals, Start, State, System};
use super::{Lost, NoReturn, Schedule, Value, told};
use crate::calls::Listen;
use crate::errno::shown;
use crate::recorded::{POWER_FAILS, POWER_RETURNS, TO_GO};
use crate::{Process, Step, marks};

/// Performs a step and says what to call it.
pub(super) type Describe<W, P> =
    Arc<dyn Fn(&mut W, P) -> (Step<P, <P as Process<W>>::Output>, String) + Send + Sync>;

/// Returns the world in which an actor that closes a circle of waits waits, too.
pub(super) type Patient<W> = Arc<dyn Fn(&W) -> W + Send + Sync>;

/// Whether one process waits for another.
pub(super) type WaitsFor<W, P> = Arc<dyn Fn(&W, &P, &P) -> bool + Send + Sync>;

/// One step of an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceStep {
    /// Which actor stepped, by index.
    pub actor: usize,
    /// What it did and saw: `rename(content → content.1) = ok`.
    pub label: String,
    /// The output of the actor, if this was its last step.
    pub output: Option<String>,
    /// The step had to wait and changed nothing.
    pub blocked: bool,
    /// For which actors it waits from here on. `None` if it does not wait, or if the system does
    /// not [say](System::waits_for) who waits for whom.
    pub waits_for: Option<Vec<usize>>,
    /// The circle of waits that this step would have closed, so that the world failed it: its
    /// actor, the actor that this one waits for, and so on back to its actor. `None` if there is no
    /// circle, or if the system does not [say](System::breaks_deadlocks) which.
    pub circle: Option<Vec<usize>>,
}

/// An actor that had not ended when its schedule did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The actor's index.
    pub actor: usize,
    /// Whether it had to wait at the end of the schedule.
    pub waits: bool,
    /// For which actors it waits. `None` if it does not wait, or if the system does not
    /// [say](System::waits_for) who waits for whom.
    pub waits_for: Option<Vec<usize>>,
}

/// The actors that count under a violated property [over counts](System::at_most).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The name of the property.
    pub property: String,
    /// The actors that count, by index: more than the property allows.
    pub actors: Vec<usize>,
    /// How many actors may count.
    pub most: usize,
}

/// An execution described step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// How the system began; `None` if there is only one way and it has no name.
    pub start: Option<String>,
    /// The actors' names, by index.
    pub actors: Vec<String>,
    /// What happened, in order.
    pub steps: Vec<TraceStep>,
    /// The actors that had not ended when the schedule did.
    pub unfinished: Vec<Unfinished>,
    /// A description of the end, in lines, if there is more to tell than the outputs.
    pub end: Option<String>,
    /// When the execution was lost to each property that it violates; empty where that was not
    /// counted.
    pub lost: Vec<Lost>,
}

/// The end of a played schedule.
pub struct Played<W, P: Process<W>> {
    /// How it went.
    pub trace: Trace,
    /// The world at the end.
    pub world: W,
    /// Where each actor stands at the end.
    pub locals: Vec<LocalOf<W, P>>,
}

/// Why a schedule cannot be played: it does not fit the system.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlayError {
    /// The system has no start of this index.
    #[error("the schedule begins with start {start}, and there are only {starts}{}", indices(*starts))]
    NoSuchStart {
        /// The index it names.
        start: usize,
        /// How many starts there are.
        starts: usize,
    },
    /// No actor has this index.
    #[error("step {position} names actor {actor}, and there are only {actors}{}", indices(*actors))]
    NoSuchActor {
        /// Which step of the schedule, from 1.
        position: usize,
        /// The index it names.
        actor: usize,
        /// How many actors there are.
        actors: usize,
    },
    /// The actor waits for a lock that another actor holds.
    #[error("step {position} names {actor}, which waits for a lock")]
    Waits {
        /// Which step of the schedule, from 1.
        position: usize,
        /// The actor's name.
        actor: String,
    },
    /// The value that the turn reads is never as old as the schedule says.
    #[error("step {position} is to read what was there some writes ago, and never does")]
    Stale {
        /// Which step of the schedule, from 1.
        position: usize,
    },
    /// The step has no way of this index.
    #[error("step {position} is to go the way of index {way}, and {actor} has only {ways}{} there", indices(*ways))]
    NoSuchWay {
        /// Which step of the schedule, from 1.
        position: usize,
        /// The actor's name.
        actor: String,
        /// The index it names.
        way: usize,
        /// How many ways there are.
        ways: usize,
    },
    /// The actor has ended.
    #[error("step {position} names {actor}, which ended before")]
    Ended {
        /// Which step of the schedule, from 1.
        position: usize,
        /// The actor's name.
        actor: String,
    },
}

/// ` (0 to 2)` for three.
fn indices(count: usize) -> String {
    count.checked_sub(1).map_or_else(String::new, |last| format!(" (0 to {last})"))
}

impl Trace {
    /// The names of these actors: `client 1, client 2`.
    pub fn names(&self, actors: &[usize]) -> String {
        let name = |actor: &usize| self.actors.get(*actor).map_or("?", String::as_str);
        actors.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    /// The steps that a picture shows, each with its number, from 1: all but the questions that are
    /// [answered no](TraceStep::is_answered_no). Of these, it shows the last step of all, and one at
    /// which the execution is lost.
    pub fn shown(&self) -> impl Iterator<Item = (usize, &TraceStep)> {
        let is_lost = |number: usize| {
            self.lost.iter().any(|lost| lost.no_return() == Some(NoReturn::AtStep(number)))
        };
        (1..).zip(&self.steps).filter(move |(number, step)| {
            !step.is_answered_no() || is_lost(*number) || *number == self.steps.len()
        })
    }

    /// Why no actor can go on. Either actors wait for one another in a circle
    /// (`client 1 → client 2 → client 1`), or an actor waits and no actor is left that could wake
    /// it (`client 1 waits for nobody`: a wake-up was lost, or the owner of a lock has died).
    ///
    /// `None` if some actor can go on, or if the system does not [say](System::waits_for) who waits
    /// for whom.
    pub fn standstill(&self) -> Option<String> {
        if self.unfinished.is_empty() || self.unfinished.iter().any(|actor| !actor.waits) {
            return None;
        }
        let awaited = |actor: usize| {
            let waiting = self.unfinished.iter().find(|waiting| waiting.actor == actor)?;
            waiting.waits_for.as_deref()
        };
        // Whoever waits leads to somebody who waits, and so to a circle; or to the one who should not
        // be waiting.
        let mut way: Vec<usize> = vec![self.unfinished.first()?.actor];
        loop {
            let last = *way.last()?;
            let Some(next) = awaited(last)?.first() else {
                return Some(format!("{} waits for nobody", self.names(&[last])));
            };
            if let Some(before) = way.iter().position(|known| known == next) {
                way.push(*next);
                return Some(self.circle(&way[before..]));
            }
            way.push(*next);
        }
    }

    /// Which actors count, and how many may:
    /// `one-grant: client 1, client 2 count, and at most 1 may`.
    pub fn counted(&self, counted: &Counted) -> String {
        let Counted { property, actors, most } = counted;
        let verb = if actors.len() == 1 { "counts" } else { "count" };
        format!("{property}: {} {verb}, and at most {most} may", self.names(actors))
    }

    /// `client 1 → client 2 → client 1`.
    fn circle(&self, actors: &[usize]) -> String {
        let names = actors.iter().map(|actor| self.names(&[*actor]));
        names.collect::<Vec<_>>().join(" → ")
    }

    /// What one of its steps did and saw. If the world failed the step for a deadlock, also the
    /// circle of waits that it would have closed:
    /// `COMMIT -- 40P01 deadlock: client 2 → client 1 → client 2`.
    pub fn call(&self, step: &TraceStep) -> String {
        match &step.circle {
            Some(circle) => format!("{} deadlock: {}", step.label, self.circle(circle)),
            None => step.label.clone(),
        }
    }

    /// Whether both traces tell the same: which actor did what, which answer it got, and how each
    /// actor ended. Waits are compared only where both traces say who waits for whom.
    pub fn agrees(&self, other: &Trace) -> bool {
        let head = |trace: &Trace| (trace.start.clone(), trace.actors.clone());
        head(self) == head(other)
            && self.steps.len() == other.steps.len()
            && self.steps.iter().zip(&other.steps).all(|(one, other)| one.agrees(other))
            && self.unfinished.len() == other.unfinished.len()
            && self.unfinished.iter().zip(&other.unfinished).all(|(one, other)| {
                (one.actor, one.waits) == (other.actor, other.waits)
                    && same_where_told(&one.waits_for, &other.waits_for)
            })
            && self.end == other.end
    }
}

impl TraceStep {
    /// Whether it concerns every actor: the power fails, or is back.
    pub fn concerns_all(&self) -> bool {
        self.label.starts_with(POWER_FAILS) || self.label.starts_with(POWER_RETURNS)
    }

    /// Whether it asks whether something happens that may happen before any step, and it does not:
    /// `is it killed now? no`.
    pub fn is_answered_no(&self) -> bool {
        self.label.strip_suffix(NO).is_some_and(|question| question.ends_with('?'))
    }

    /// Whether it is a step of a statement that has rows still to come. A real database performs all of
    /// them at once.
    #[cfg(feature = "command")]
    pub(crate) fn is_underway(&self) -> bool {
        self.label.contains(" -- ") && self.label.ends_with(TO_GO)
    }

    /// A step of this actor with this label. The actor has not ended and does not wait.
    pub fn new(actor: usize, label: impl Into<String>) -> Self {
        let label = label.into();
        TraceStep { actor, label, output: None, blocked: false, waits_for: None, circle: None }
    }

    /// The same of two steps whose [marks] are not resolved yet, as far as that can be seen.
    #[cfg(feature = "command")]
    pub(crate) fn agrees_so_far(&self, other: &TraceStep) -> bool {
        let plain = |step: &TraceStep| {
            let label = marks::plain(&step.label).into_owned();
            TraceStep { label, ..step.clone() }
        };
        plain(self).agrees(&plain(other))
    }

    /// Whether both steps tell the same. Waits and their circles are compared only where both steps
    /// report them.
    pub fn agrees(&self, other: &TraceStep) -> bool {
        let told = |step: &TraceStep| (step.actor, step.blocked, step.output.clone());
        told(self) == told(other)
            && self.label == other.label
            && same_where_told(&self.waits_for, &other.waits_for)
            && same_where_told(&self.circle, &other.circle)
    }
}

/// The calls that a world reported of a step; also that the step waits, if no answer says so.
fn in_calls(calls: &[String], waits: bool) -> String {
    let calls = calls.join("; ");
    if waits && !calls.contains("wait") { calls + ", and waits" } else { calls }
}

/// A world is shown whole at the end if it takes no more room than this.
const LEFT: usize = 200;

/// The world that is left: all of it, or only the changes if it is long.
fn left<W: std::fmt::Debug>(when: &str, before: &W, after: &W) -> String {
    let (before, after) = (shown(before), shown(after));
    match told::change(&before, &after) {
        Some(change) if columns(&after) > LEFT => format!("{when}, of the world: {change}"),
        None if columns(&after) > LEFT => format!("{when}: the world as it was"),
        _ => format!("{when}: {after}"),
    }
}

/// The answer to a question about what may happen before a step, if it does not.
const NO: &str = " no";

/// How a step is told that may be a choice: `choose(3) = 1`, or the answer to what it asked, or what it
/// did if that concerns all.
pub(crate) fn told_way<P, T>(step: &Step<P, T>, way: usize, label: String) -> String {
    match step {
        Step::Choice(_) if label.ends_with('?') => {
            format!("{label}{}", if way == 0 { NO } else { " yes" })
        }
        Step::Choice(ways) if label != POWER_FAILS && !label.ends_with(TO_GO) => {
            format!("choose({}) = {way}", ways.len())
        }
        _ => label,
    }
}

/// How many ways a step goes.
fn ways<P, T>(step: &Step<P, T>) -> usize {
    match step {
        Step::Choice(ways) => ways.len(),
        _ => 1,
    }
}

fn same_where_told(one: &Option<Vec<usize>>, other: &Option<Vec<usize>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

/// How to describe a step of which the world tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silent {
    /// By what it changed.
    Changes,
    /// As one that made no call.
    #[cfg(feature = "command")]
    NoCall,
}

/// A schedule of this length is not continued: some process may never end.
const MAX_COMPLETED: usize = 10_000;

impl<W: Value, P: Process<W, Output: Value> + Value> System<W, P> {
    /// Plays a schedule from its start and describes each step.
    pub fn play(&self, schedule: &Schedule) -> Result<Played<W, P>, PlayError> {
        self.play_with(schedule, Silent::Changes)
    }

    /// The same as `play`, for a comparison with the calls that were really made: a step of which
    /// the world tells nothing made none. Its [marks] are not resolved yet.
    #[cfg(feature = "command")]
    pub(crate) fn play_in_calls(&self, schedule: &Schedule) -> Result<Played<W, P>, PlayError> {
        self.play_with(schedule, Silent::NoCall)
    }

    fn play_with(&self, schedule: &Schedule, silent: Silent) -> Result<Played<W, P>, PlayError> {
        // A world is what it is: nothing in it is older for one than for another.
        if let Some((turn, _)) = schedule.stale.first() {
            return Err(PlayError::Stale { position: turn + 1 });
        }
        let start = self.start(schedule.start)?;
        let mut world = start.world.clone();
        let mut locals = start.locals();
        let mut steps = Vec::with_capacity(schedule.turns.len());
        let mut astray = None;
        for (position, &actor) in schedule.turns.iter().enumerate() {
            let position = position + 1;
            let Some(local) = locals.get(actor) else {
                let actors = self.actors.len();
                return Err(PlayError::NoSuchActor { position, actor, actors });
            };
            let Local::Running(process) = local.clone() else {
                return Err(PlayError::Ended { position, actor: self.actors[actor].clone() });
            };
            let closed = self.closes(&world, &locals, actor, &process);
            let (step, label) = self.describe(&mut world, process, silent);
            let step = match step {
                Ok(step) => step,
                Err(fault) => {
                    // The execution ends here: what comes after it says nothing.
                    let output = Some(fault.said);
                    steps.push(TraceStep { output, ..TraceStep::new(actor, label) });
                    astray = Some(actor);
                    break;
                }
            };
            let (which, ways) = (schedule.way(position - 1), ways(&step));
            let label = told_way(&step, which, label);
            let (local, output, blocked) = match step.way(which) {
                Some(Step::Next(next)) => (Local::Running(next), None, false),
                Some(Step::Blocked(same)) => (Local::Running(same), None, true),
                Some(Step::Done(output)) => {
                    let told = shown(&output);
                    (Local::Done(output), Some(told), false)
                }
                Some(Step::Choice(_)) | None => {
                    let actor = self.actors[actor].clone();
                    return Err(PlayError::NoSuchWay { position, actor, way: which, ways });
                }
            };
            locals[actor] = local;
            let waits_for = self.awaited(&world, &locals, actor).filter(|them| !them.is_empty());
            // Who then waits after all was not failed for it.
            let circle = closed.filter(|_| waits_for.is_none());
            let step = TraceStep::new(actor, label);
            steps.push(TraceStep { output, blocked, waits_for, circle, ..step });
        }
        if silent == Silent::Changes {
            marks::resolve(steps.iter_mut().map(|step| &mut step.label));
        }
        let mut unfinished = Vec::new();
        for (actor, local) in locals.iter().enumerate() {
            if let Local::Running(process) = local
                && astray != Some(actor)
            {
                let step = perform(process.clone(), &mut world.clone(), &self.expected);
                let waits = astray.is_none() && matches!(step, Ok(Step::Blocked(_)));
                let waits_for = self.awaited(&world, &locals, actor).filter(|_| waits);
                unfinished.push(Unfinished { actor, waits, waits_for });
            }
        }
        let named = self.starts.len() > 1 || !start.name.is_empty();
        let start = named.then(|| start.name.clone());
        let actors = self.actors.clone();
        let trace = Trace { start, actors, steps, unfinished, end: None, lost: Vec::new() };
        Ok(Played { trace, world, locals })
    }

    /// The actors that this one waits for, by index; `None` if it has ended, or nobody says.
    fn awaited(&self, world: &W, locals: &[LocalOf<W, P>], actor: usize) -> Option<Vec<usize>> {
        let waits_for = self.waits_for.as_ref()?;
        let Some(Local::Running(waiting)) = locals.get(actor) else { return None };
        let is_awaited = |(other, local): (usize, &LocalOf<W, P>)| match local {
            Local::Running(process) => other != actor && waits_for(world, waiting, process),
            Local::Done(_) => false,
        };
        let others = (0..).zip(locals).filter(|other| is_awaited(*other));
        Some(others.map(|(other, _)| other).collect())
    }

    /// The shortest circle of waits that the actor's next step would close, if the world failed no
    /// actor for closing one.
    fn closes(
        &self,
        world: &W,
        locals: &[LocalOf<W, P>],
        actor: usize,
        process: &P,
    ) -> Option<Vec<usize>> {
        let mut world = self.patient.as_ref()?(world);
        let step = perform(process.clone(), &mut world, &self.expected);
        let Ok(Step::Next(after) | Step::Blocked(after)) = step else { return None };
        let mut locals = locals.to_vec();
        locals[actor] = Local::Running(after);
        let mut ways = VecDeque::from([vec![actor]]);
        let mut reached = Vec::new();
        while let Some(way) = ways.pop_front() {
            for next in self.awaited(&world, &locals, *way.last()?).unwrap_or_default() {
                let longer = [&way[..], &[next]].concat();
                if next == actor {
                    return Some(longer);
                }
                if !reached.contains(&next) {
                    reached.push(next);
                    ways.push_back(longer);
                }
            }
        }
        None
    }

    /// The start of this index, if there is one.
    pub(crate) fn start(&self, start: usize) -> Result<&Start<W, P>, PlayError> {
        let starts = self.starts.len();
        self.starts.get(start).ok_or(PlayError::NoSuchStart { start, starts })
    }

    /// Continues `schedule` to an end: it runs the actors one after the other, each as far as it
    /// gets, until all have ended or none can go on.
    ///
    /// This is for replaying a counterexample that stops at the violation. It stops when the whole
    /// schedule has 10,000 steps, because a process may never end.
    pub fn completed(&self, schedule: &Schedule) -> Result<Schedule, PlayError> {
        let Played { mut world, mut locals, .. } = self.play(schedule)?;
        let mut complete = schedule.clone();
        let mut progress = true;
        while progress {
            progress = false;
            for (actor, local) in locals.iter_mut().enumerate() {
                while let Local::Running(process) = local.clone() {
                    if complete.turns.len() >= MAX_COMPLETED {
                        return Ok(complete);
                    }
                    let step = perform(process, &mut world, &self.expected);
                    let Ok(step) = step else { return Ok(complete) };
                    // Of several ways the first.
                    let Some(next) = step.way(0).and_then(Local::after) else { break };
                    *local = next;
                    complete.turns.push(actor);
                    progress = true;
                }
            }
        }
        Ok(complete)
    }

    /// Calls `visit` with every interleaving from every start, until `visit` returns `false`. A
    /// schedule ends where no actor can step, whether or not all actors have ended.
    ///
    /// It walks the interleavings one by one, so it is for systems that have few.
    /// [`Checker::graph`](super::Checker::graph) counts them without walking them. Do not call it
    /// on a system with an execution that never ends: the walk would follow it until the stack
    /// overflows.
    pub fn interleavings(&self, visit: &mut dyn FnMut(&Schedule) -> bool) {
        for (index, start) in self.starts.iter().enumerate() {
            let mut schedule = Schedule::from_start(index, Vec::new());
            if !self.walk(&start.world, &start.locals(), &mut schedule, visit) {
                return;
            }
        }
    }

    fn walk(
        &self,
        world: &W,
        locals: &[LocalOf<W, P>],
        schedule: &mut Schedule,
        visit: &mut dyn FnMut(&Schedule) -> bool,
    ) -> bool {
        let mut stepped = false;
        for (actor, local) in locals.iter().enumerate() {
            let Local::Running(process) = local else { continue };
            let mut world = world.clone();
            let ways = match perform(process.clone(), &mut world, &self.expected) {
                Ok(Step::Blocked(_)) => continue,
                Ok(Step::Choice(ways)) => ways,
                Ok(step) => vec![step],
                // There it ends.
                Err(_) => {
                    stepped = true;
                    schedule.push(actor, 0);
                    let go_on = visit(schedule);
                    schedule.pop();
                    if !go_on {
                        return false;
                    }
                    continue;
                }
            };
            for (way, next) in ways.into_iter().filter_map(Local::after).enumerate() {
                stepped = true;
                let mut locals = locals.to_vec();
                locals[actor] = next;
                schedule.push(actor, way);
                let go_on = self.walk(&world, &locals, schedule, visit);
                schedule.pop();
                if !go_on {
                    return false;
                }
            }
        }
        stepped || visit(schedule)
    }

    /// Plays a schedule step by step. At its end the trace says of these properties which actors
    /// count where too many do. It also shows the world, if all actors have ended or too many
    /// count.
    pub fn show(&self, schedule: &Schedule, properties: &[String]) -> Result<Trace, PlayError> {
        let Played { mut trace, world, locals } = self.play(schedule)?;
        let counted = properties.iter().filter_map(|property| self.counted(property, &locals));
        let mut end: Vec<String> = counted.map(|counted| trace.counted(&counted)).collect();
        let start = &self.start(schedule.start)?.world;
        if trace.unfinished.is_empty() && locals.iter().all(|local| local.output().is_some()) {
            end.push(left("left", start, &world));
        } else if !end.is_empty() {
            // Who counts does so before all have ended: what is there by then.
            end.push(left("by then", start, &world));
        }
        trace.end = (!end.is_empty()).then(|| end.join("\n"));
        Ok(trace)
    }

    /// The actors that count under a property [over counts](System::at_most) that is violated where
    /// the actors stand at `locals`. `None` if the property is not violated, or is not over counts.
    pub fn counted(&self, property: &str, locals: &[LocalOf<W, P>]) -> Option<Counted> {
        let known = self.properties.iter().find(|known| known.name() == property);
        let property = known.filter(|known| known.is_over_counts())?;
        let is_violated_by = |actors: &[usize]| {
            let locals = actors.iter().filter_map(|actor| locals.get(*actor));
            let mut counts = locals.map(|local| (local, Count::Exactly(1)));
            property.is_true_of_counts(&mut counts) == Some(false)
        };
        let everybody: Vec<usize> = (0..locals.len()).collect();
        if !is_violated_by(&everybody) {
            return None;
        }
        // As few as violate it.
        let few = everybody.iter().rev().fold(everybody.clone(), |few, actor| {
            let fewer: Vec<usize> = few.iter().copied().filter(|known| known != actor).collect();
            if is_violated_by(&fewer) { fewer } else { few }
        });
        // And whoever could be there instead of one of them.
        let others = few.get(1..).unwrap_or_default();
        let counts =
            |actor: &usize| few.contains(actor) || is_violated_by(&[others, &[*actor]].concat());
        Some(Counted {
            property: property.name().to_owned(),
            most: others.len(),
            actors: everybody.into_iter().filter(counts).collect(),
        })
    }

    /// Whether the named property's condition is true in this state.
    pub fn is_true_in(&self, property: &str, world: &W, locals: &[LocalOf<W, P>]) -> Option<bool> {
        let state = State { world, locals: Locals::Plain(locals) };
        let property = self.properties.iter().find(|known| known.name() == property)?;
        Some(property.is_true_in(&state))
    }

    /// Performs a step and tells it: as it is [said](System::described_by) how; or in the calls that the
    /// world tells of; or by what it changed.
    pub(super) fn describe(
        &self,
        world: &mut W,
        process: P,
        silent: Silent,
    ) -> (Result<Step<P, P::Output>, Fault>, String) {
        let (process_before, before) = (process.clone(), world.clone());
        let (step, calls) = watched(Listen::Tell, &self.expected, || whole(process.step(world)));
        let waits = matches!(step, Ok(Step::Blocked(_)));
        let told = match calls.told.as_slice() {
            [] => None,
            calls => Some(in_calls(calls, waits)),
        };
        match step {
            Err(fault) => (Err(fault), told.unwrap_or_else(|| format!("{process_before:?}"))),
            Ok(Step::Blocked(same)) if *world != before || same != process_before => {
                let said = "waits, and has changed something".to_owned();
                (Err(Fault { kind: FaultKind::Blocked, said }), told.unwrap_or_default())
            }
            Ok(step) => {
                // Whether it is a step is decided; how it is told is not listened to.
                if let Some(describe) = &self.describe {
                    *world = before;
                    let (step, label) = describe(world, process_before);
                    return (Ok(step), label);
                }
                let label = told.unwrap_or_else(|| match silent {
                    Silent::Changes => told::step(&process_before, &step, &before, world),
                    #[cfg(feature = "command")]
                    Silent::NoCall => crate::recorded::NO_CALL.to_owned(),
                });
                (Ok(step), label)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::called;

    /// A world that tells of itself, if it is to.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Shelf {
        name: &'static str,
        tells: bool,
        taken: u32,
        locked: bool,
    }

    impl Shelf {
        fn try_lock(&mut self) -> bool {
            let free = !self.locked;
            self.locked = true;
            if self.tells {
                called(format_args!("lock = {}", if free { "ok" } else { "EAGAIN" }));
            }
            free
        }

        fn take(&mut self) -> u32 {
            self.taken += 1;
            if self.tells {
                called(format_args!("take = {}", self.taken));
            }
            self.taken
        }
    }

    /// Locks, takes two, and never lets go.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    enum Takes {
        Lock { by: &'static str, with: &'static str },
        First,
        Second,
    }

    impl Process<Shelf> for Takes {
        type Output = Result<u32, rustix::io::Errno>;

        fn step(self, shelf: &mut Shelf) -> Step<Self, Self::Output> {
            match self {
                Takes::Lock { .. } if !shelf.try_lock() => Step::Blocked(self),
                Takes::Lock { .. } => Step::Next(Takes::First),
                Takes::First => {
                    shelf.take();
                    Step::Next(Takes::Second)
                }
                Takes::Second => {
                    shelf.take();
                    Step::Done(Err(rustix::io::Errno::NOLCK))
                }
            }
        }
    }

    fn system(tells: bool) -> System<Shelf, Takes> {
        let shelf =
            Shelf { name: "the one beside the door, upstairs", tells, taken: 0, locked: false };
        System::new(shelf)
            .clients(2, Takes::Lock { by: "a reader", with: "a key of the library of the town" })
    }

    fn labels(system: &System<Shelf, Takes>) -> Vec<String> {
        let played = system.play(&Schedule::of(vec![0, 1, 0, 0])).unwrap();
        played.trace.steps.into_iter().map(|step| step.label).collect()
    }

    #[test]
    fn a_world_that_tells_of_its_calls_is_told_in_them_by_default() {
        let told = ["lock = ok", "lock = EAGAIN, and waits", "take = 1", "take = 2"];
        assert_eq!(labels(&system(true)), told);
        let described = system(true).described_by(|shelf, takes| (takes.step(shelf), "so".into()));
        assert_eq!(labels(&described), ["so"; 4], "unless the system says how");
    }

    #[test]
    fn a_world_that_tells_nothing_is_told_by_what_changed() {
        let told = [
            "Lock { .. } → First; world: Shelf { locked: false → true, .. }",
            "Lock { .. } waits",
            "First → Second; world: Shelf { taken: 0 → 1, .. }",
            "Second; world: Shelf { taken: 1 → 2, .. }",
        ];
        assert_eq!(labels(&system(false)), told);
    }

    #[test]
    fn an_error_code_that_an_actor_ends_with_goes_by_its_name() {
        let played = system(true).play(&Schedule::of(vec![0, 0, 0])).unwrap();
        assert_eq!(played.trace.steps[2].output.as_deref(), Some("Err(ENOLCK)"));
    }

    /// Takes what is there, in two steps.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    enum Borrows {
        Look,
        Take,
    }

    impl Process<u32> for Borrows {
        type Output = &'static str;

        fn step(self, left: &mut u32) -> Step<Self, &'static str> {
            match self {
                Borrows::Look if *left == 0 => Step::Done("too late"),
                Borrows::Look => Step::Next(Borrows::Take),
                Borrows::Take => {
                    *left = left.saturating_sub(1);
                    Step::Done("taken")
                }
            }
        }
    }

    #[test]
    fn who_counts_and_what_is_left_stand_under_the_picture_of_what_they_violate() {
        let system = System::new(1)
            .clients(3, Borrows::Look)
            .at_most(1, "one-taker", |local| {
                local.output().filter(|told| **told == "taken").copied()
            })
            .finally("somebody-is-late", |state| state.outputs().any(|told| *told == "too late"));
        let told = system.examine().complaint();
        let one_taker = "\n      one-taker: client 1, client 2 count, and at most 1 may\n";
        assert!(told.contains(one_taker), "{told}");
        assert!(told.contains("\n      left: 0\n"), "{told}");
    }

    #[test]
    fn all_who_count_are_told_and_nobody_else() {
        let three = || System::new(3).clients(4, Borrows::Look).actor("late", Borrows::Look);
        let key = |local: &Local<Borrows, &'static str>| local.output().copied();
        let system = three().at_most(2, "two-of-a-kind", key).always("any", |_| false);
        let schedule = Schedule::of(vec![0, 0, 1, 1, 3, 3, 4, 2]);
        let locals = system.play(&schedule).unwrap().locals;
        let counted = system.counted("two-of-a-kind", &locals).unwrap();
        assert_eq!((counted.actors, counted.most), (vec![0, 1, 3], 2));
        assert_eq!(system.counted("any", &locals), None, "no property over counts");
        let fewer = system.play(&Schedule::of(vec![0, 0, 1, 1])).unwrap().locals;
        assert_eq!(system.counted("two-of-a-kind", &fewer), None, "not violated");
    }

    #[test]
    fn a_large_world_is_told_by_what_is_left_otherwise() {
        let large = |last| [vec!["kept"; 60], vec![last]].concat();
        assert_eq!(left("left", &1, &2), "left: 2");
        assert_eq!(left("left", &large("old"), &large("old")), "left: the world as it was");
        let change = "left, of the world: [60: \"old\" → \"new\", ..]";
        assert_eq!(left("left", &large("old"), &large("new")), change);
    }
}
