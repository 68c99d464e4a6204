//! Second floor, `check`: the answers of an engine. Imports only its neighbours in `check`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use num_bigint::BigUint;
use rustc_hash::FxHashSet;

use super::fault::FaultKind;
use super::{Lost, PropertyKind};

/// Which start a system begins with, and which actor takes each step, in order, both by index.
///
/// Processes are deterministic, so a schedule determines an execution, in every engine and in the
/// real world. It is written `[0, 1, 1, 0]`, or `7: [0, 1, 1, 0]` if it begins with start 7 instead
/// of start 0.
///
/// Where a step is a [choice](crate::Step::Choice), the schedule names the way that the step goes,
/// unless it is the first: in `[0, 1#2, 1]` actor 1 goes the way of index 2.
///
/// Only [threads](super::threads) may also read an old value, as the memory model allows. In
/// `[0, 1~1]` actor 1 reads the value from one write ago: the one before actor 0's write.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Schedule {
    /// Which of the system's starts; 0 where there is only one.
    pub start: usize,
    /// Which actor steps, in order.
    pub turns: Vec<usize>,
    /// The turns that read an old value. For each: its index in [`turns`](Self::turns), and how
    /// many writes old the value is. In order; no entry is 0 writes old.
    pub stale: Vec<(usize, usize)>,
    /// The turns that go another way than the first. For each: its index in [`turns`](Self::turns),
    /// and the index of the way. In order; no entry is way 0.
    pub ways: Vec<(usize, usize)>,
}

impl Schedule {
    /// These turns from the first start, which is mostly the only one.
    pub fn of(turns: Vec<usize>) -> Self {
        Schedule { turns, ..Schedule::default() }
    }

    /// These turns from the start of this index.
    pub fn from_start(start: usize, turns: Vec<usize>) -> Self {
        Schedule { start, turns, ..Schedule::default() }
    }

    /// Which way the turn of this index goes, if it is a choice.
    pub fn way(&self, turn: usize) -> usize {
        self.ways.iter().find(|(turned, _)| *turned == turn).map_or(0, |(_, way)| *way)
    }

    /// Adds a turn of this actor, which goes this way.
    pub(crate) fn push(&mut self, actor: usize, way: usize) {
        if way > 0 {
            self.ways.push((self.turns.len(), way));
        }
        self.turns.push(actor);
    }

    /// Takes the last turn back.
    pub(crate) fn pop(&mut self) {
        self.turns.pop();
        self.ways.retain(|(turn, _)| *turn < self.turns.len());
    }

    /// How many writes old the value is that the turn of this index reads.
    pub fn behind(&self, turn: usize) -> usize {
        self.stale.iter().find(|(stale, _)| *stale == turn).map_or(0, |(_, behind)| *behind)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.start > 0 {
            write!(f, "{}: ", self.start)?;
        }
        f.write_str("[")?;
        for (position, actor) in self.turns.iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{actor}")?;
            match self.way(position) {
                0 => {}
                way => write!(f, "#{way}")?,
            }
            match self.behind(position) {
                0 => {}
                behind => write!(f, "~{behind}")?,
            }
        }
        f.write_str("]")
    }
}

/// Why a text is not a [`Schedule`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// One of the turns is not a number.
    #[error(
        "`{0}` is not an actor's index; a schedule looks like [0, 1, 1, 0]; or [0, 1#2] where actor 1 goes the way of index 2, or [0, 1~1] where an old value is read"
    )]
    Turn(String),
    /// The text before the colon is not a number.
    #[error("`{0}` is not a start's index; a schedule from start 7 looks like 7: [0, 1, 1, 0]")]
    Start(String),
    /// One of the brackets is missing, so the rest of the schedule may be missing too.
    #[error("`{0}` has one bracket of two; a schedule looks like [0, 1, 1, 0]")]
    Bracket(String),
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    /// Reads `[0, 1, 1, 0]`, `7: [0, 1, 1, 0]`, `[0, 1#2]` and `[0, 1~1]`. The two brackets and the
    /// spaces may be left out.
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let (start, turns) = match text.split_once(':') {
            None => (0, text),
            Some((start, turns)) => {
                let start = start.trim();
                (start.parse().map_err(|_| ScheduleError::Start(start.to_owned()))?, turns)
            }
        };
        let inner = turns.trim();
        let inner = match (inner.strip_prefix('['), inner.ends_with(']')) {
            (None, false) => inner,
            (Some(open), true) => open.strip_suffix(']').unwrap_or(open),
            _ => return Err(ScheduleError::Bracket(inner.to_owned())),
        };
        let mut schedule = Schedule { start, ..Schedule::default() };
        for part in inner.split([',', ' ']).filter(|part| !part.is_empty()) {
            let wrong = |_| ScheduleError::Turn(part.to_owned());
            let (actor, behind) = part.split_once('~').unwrap_or((part, "0"));
            let behind = behind.parse().map_err(wrong)?;
            if behind > 0 {
                schedule.stale.push((schedule.turns.len(), behind));
            }
            let (actor, way) = actor.split_once('#').unwrap_or((actor, "0"));
            schedule.push(actor.parse().map_err(wrong)?, way.parse().map_err(wrong)?);
        }
        Ok(schedule)
    }
}

/// Which engine explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "command", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "command", serde(rename_all = "snake_case"))]
pub enum Engine {
    /// The state graph.
    Graph,
    /// The step table with counts up to ω.
    Any,
    /// loom.
    Loom,
    /// shuttle.
    Shuttle,
}

impl Engine {
    /// All engines, in the order in which results are reported.
    pub const ALL: [Engine; 4] = [Engine::Graph, Engine::Any, Engine::Loom, Engine::Shuttle];

    /// Its name on the command line and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Graph => "graph",
            Engine::Any => "any",
            Engine::Loom => "loom",
            Engine::Shuttle => "shuttle",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What stopped an engine before the end. A verdict that met one is [`Verdict::Unfinished`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[cfg_attr(feature = "command", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "command", serde(rename_all = "snake_case"))]
pub enum Bound {
    /// The engine reached as many states as were allowed.
    #[error("stopped after {0} states")]
    States(u64),
    /// The engine ran as many executions as were allowed.
    #[error("stopped after {0} executions")]
    Executions(u64),
    /// Some execution had more turns than the engine follows; perhaps it never ends.
    #[error("stopped in an execution of more than {0} turns")]
    Turns(u64),
    /// More actors than the engine can run.
    #[error("{actors} actors, and {engine} takes {limit} at most")]
    Actors {
        /// How many there are.
        actors: usize,
        /// How many there may be.
        limit: usize,
        /// Whose limit it is.
        engine: Engine,
    },
    /// `any` needs identical actors, so that it can let there be any number of them.
    #[error("no identical clients, so no `any number` of them")]
    NoClients,
    /// `any` met more configurations than were allowed.
    #[error("stopped after {0} configurations: the worlds keep growing")]
    Configurations(u64),
    /// `any` decides properties over counts only.
    #[error("not a property over counts")]
    NotOverCounts,
    /// Threads were interrupted no more often than this in any execution.
    #[error("explored with at most {0} preemptions an execution, which proves nothing")]
    Preemptions(u64),
    /// The code under test is threads itself: there is no process whose states could be searched.
    #[error("the code under test is threads itself: for loom and shuttle alone")]
    NoMachine,
    /// The engine performs one whole operation after the other, as if there were no memory model.
    #[error(
        "{0} ran every order of whole operations; stale reads and data races are loom's to find"
    )]
    NoMemoryModel(Engine),
    /// A sampling engine looked at random executions and proves nothing.
    #[error("sampled {0} random executions, which proves nothing")]
    Sampled(u64),
    /// The engine ran as long as was [allowed](super::Limits::time).
    #[error("stopped after {:?}, as `Limits::time` says", .0)]
    Time(Duration),
    /// The engine took as much memory as was [allowed](super::Limits::memory), in bytes.
    #[error("stopped after {} MiB of memory, as `Limits::memory` says", .0 >> 20)]
    Memory(u64),
    /// A program sleeps without end, and each of its sleeps leads to a later time: not all of them were explored.
    #[error("stopped at sleeps without end")]
    Sleeps,
    /// A step was a fault, so the steps after it mean nothing. The property that it violates is
    /// among the findings.
    #[error("stopped at a step that violates `{}`", .0.property())]
    Fault(FaultKind),
}

impl Bound {
    /// Whether the engine can never decide the property, whatever its input and however long it
    /// runs.
    pub fn is_by_nature(&self) -> bool {
        match self {
            Bound::NoClients
            | Bound::NotOverCounts
            | Bound::NoMachine
            | Bound::NoMemoryModel(_)
            | Bound::Preemptions(_)
            | Bound::Sampled(_) => true,
            Bound::States(_)
            | Bound::Executions(_)
            | Bound::Turns(_)
            | Bound::Actors { .. }
            | Bound::Configurations(_)
            | Bound::Sleeps
            | Bound::Time(_)
            | Bound::Memory(_)
            | Bound::Fault(_) => false,
        }
    }
}

/// The answer to one property.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// True of every execution. For `reachable`: with the schedule that reaches the state.
    Holds(Option<Schedule>),
    /// Not true; with an execution that shows it, if there is one to show. (A `reachable` fails
    /// because no execution gets there.)
    Violated(Option<Schedule>),
    /// Not known: the engine hit a bound before it found an answer. Never read this as "holds".
    Unfinished(Bound),
}

impl Verdict {
    /// `holds`, `violated` or `unfinished`.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Holds(_) => "holds",
            Verdict::Violated(_) => "violated",
            Verdict::Unfinished(_) => "unfinished",
        }
    }

    /// The counterexample, or the witness of a `reachable`.
    pub fn schedule(&self) -> Option<&Schedule> {
        match self {
            Verdict::Holds(schedule) | Verdict::Violated(schedule) => schedule.as_ref(),
            Verdict::Unfinished(_) => None,
        }
    }
}

/// One property and the answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The property's name; `deadlock-free` for the built-in one.
    pub property: String,
    /// Over which states it speaks.
    pub kind: PropertyKind,
    /// The answer.
    pub verdict: Verdict,
    /// How many interleavings violate the property, if they were counted.
    pub violating: Option<BigUint>,
    /// When its counterexample is lost, if that was counted.
    pub lost: Option<Lost>,
}

/// How many interleavings there are, or were seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interleavings {
    /// Exactly this many.
    Exactly(BigUint),
    /// Some execution can go on for ever.
    Infinite,
    /// Not counted.
    NotCounted,
}

impl fmt::Display for Interleavings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Interleavings::Exactly(number) => f.pad(&number.to_string()),
            Interleavings::Infinite => f.pad("infinite"),
            Interleavings::NotCounted => f.pad("–"),
        }
    }
}

/// The set of outcomes that an engine reached: one for each end state. A deadlock is an end state.
///
/// An outcome is the world and where the actors stand, with identical actors in a fixed order. Both
/// are codes of the [`Checker`](super::Checker) that they come from.
pub type Outcomes = FxHashSet<Box<[u32]>>;

/// What one engine found of one system.
#[derive(Clone, Debug)]
pub struct Report {
    /// Which engine.
    pub engine: Engine,
    /// How the engine works, where it has several modes: `every interleaving`, `skip known states`,
    /// …
    pub mode: &'static str,
    /// How many of the ways in which the system may begin were explored, wholly or in part.
    pub starts: u64,
    /// One answer a property, `deadlock-free` first.
    pub findings: Vec<Finding>,
    /// Executions run from the start, for engines that run any.
    pub executions: Option<u64>,
    /// Distinct states (for `any`: configurations) reached.
    pub states: Option<u64>,
    /// Transitions between them.
    pub transitions: Option<u64>,
    /// Maximal interleavings: counted in the graph, or distinct ones seen by executing.
    pub interleavings: Interleavings,
    /// The outcomes reached, unless the engine does not know end states (as `any`).
    pub outcomes: Option<Outcomes>,
    /// What stopped the engine, if it was not exhaustive.
    pub bound: Option<Bound>,
    /// The properties that no execution could have violated, although all of them were explored.
    /// Either no actor was ever counted under a property over counts, or no execution reached the
    /// end that a [`finally`](super::System::finally) is about.
    pub untested: Vec<String>,
    /// How the states grew, if a limit stopped the engine.
    pub growth: Option<Growth>,
    /// Time taken.
    pub elapsed: Duration,
}

/// How the states of a system grew that an engine could not exhaust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Distinct worlds that were met.
    pub worlds: u64,
    /// Distinct local states of actors that were met.
    pub locals: u64,
    /// A longest schedule that was met.
    pub longest: Schedule,
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Growth { worlds, locals, longest } = self;
        let what = match (*worlds > 1_000, *locals > 1_000) {
            (true, true) => "the worlds and the actors' own states grow",
            (true, false) => "the worlds grow",
            (false, true) => "the actors' own states grow",
            (false, false) => "there are many actors for so few states",
        };
        let turns = longest.turns.len();
        write!(f, "{worlds} worlds and {locals} states of actors after up to {turns} steps: {what}")
    }
}

impl Finding {
    /// That a step was none, as this schedule shows.
    pub(super) fn fault(kind: FaultKind, schedule: Option<Schedule>) -> Finding {
        Finding {
            property: kind.property().to_owned(),
            kind: PropertyKind::Always,
            verdict: Verdict::Violated(schedule),
            violating: None,
            lost: None,
        }
    }
}

impl Report {
    /// Whether every execution was accounted for.
    pub fn exhaustive(&self) -> bool {
        self.bound.is_none()
    }

    /// Whether every property was shown to hold.
    pub fn holds(&self) -> bool {
        self.findings.iter().all(|finding| matches!(finding.verdict, Verdict::Holds(_)))
    }

    /// How many interleavings the engine explored, and the word for one of them: `interleaving`.
    /// The word is `execution` where the engine counts no interleavings, because the memory model
    /// allows several executions of one interleaving.
    pub fn counted(&self) -> (Interleavings, &'static str) {
        match (&self.interleavings, self.executions) {
            (Interleavings::NotCounted, Some(executions)) => {
                (Interleavings::Exactly(executions.into()), "execution")
            }
            (interleavings, _) => (interleavings.clone(), "interleaving"),
        }
    }

    /// Which kind of fault a step was, if there was a fault.
    pub fn fault(&self) -> Option<FaultKind> {
        self.findings.iter().find_map(|finding| FaultKind::of(&finding.property))
    }

    /// The answer to the property of this name.
    pub fn finding(&self, property: &str) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.property == property)
    }

    /// The report of an engine that could not start, because of `bound`.
    pub(super) fn not_started(
        engine: Engine,
        mode: &'static str,
        properties: impl Iterator<Item = (String, PropertyKind)>,
        bound: Bound,
    ) -> Report {
        let findings = properties
            .map(|(property, kind)| Finding {
                property,
                kind,
                verdict: Verdict::Unfinished(bound.clone()),
                violating: None,
                lost: None,
            })
            .collect();
        Report {
            engine,
            mode,
            starts: 0,
            findings,
            executions: None,
            states: None,
            transitions: None,
            interleavings: Interleavings::NotCounted,
            outcomes: None,
            bound: Some(bound),
            untested: Vec::new(),
            growth: None,
            elapsed: Duration::ZERO,
        }
    }
}
