//! Second floor, `check`: code that is itself threads and atomics, before loom and shuttle. Imports
//! [`atoms`](crate::atoms) and its neighbours in `check`.
//!
//! Elsewhere in this crate a protocol is a state machine, and each of its steps is atomic because
//! it is one operation on the world. Here the code under test consists of a few atomic operations
//! of its own, and the memory model decides what may happen between them.
//!
//! So there is no machine and no state graph. The engines run the source itself, compiled over
//! their [`atoms`](crate::atoms), and [`notes`] record what happened. Every atomic operation is a
//! turn, so an execution has a [`Schedule`] and a [`Trace`] like any other.
//!
//! Some executions are allowed by the memory model and by no order of whole operations. Their
//! schedules say where they [read an old value](Schedule::stale).
//!
//! # Checking threads of your own
//!
//! A test consists of the actors' code, over whatever [atoms](crate::atoms), the properties
//! claimed, and one line that checks them. In this example one thread leaves a value and sets a
//! flag. Another thread looks at the flag, and takes the value if it is there:
//!
//! ```
//! use toctou::check::threads::{NO_DATA_RACE, Program};
//!
//! fn hand_over(said: std::sync::atomic::Ordering) -> Program {
//!     let source = toctou::source!(|atoms| {
//!         use atoms::{Atomic, Ordering, Room, perform, thread};
//!         use std::sync::Arc;
//!
//!         struct Place { flag: Atomic<Flag>, room: Room<u32> }
//!         struct Flag;
//!         impl toctou::atoms::Word for Flag {
//!             const NAMES: &[&str] = &["EMPTY", "THERE"];
//!         }
//!         // SAFETY: the room is written before the flag says so, and read after.
//!         unsafe impl Send for Place {}
//!         // SAFETY: as above.
//!         unsafe impl Sync for Place {}
//!
//!         let place = Arc::new(Place { flag: Atomic::new(0), room: Room::empty() });
//!         let theirs = place.clone();
//!         let taker = thread::spawn(move || perform(1, || {
//!             let there = theirs.flag.load(Ordering::Acquire) == 1;
//!             // SAFETY: it is there.
//!             format!("{:?}", there.then(|| unsafe { theirs.room.take() }))
//!         }));
//!         perform(0, || {
//!             // SAFETY: nobody looks before the flag says so.
//!             unsafe { place.room.write(7) };
//!             place.flag.store(1, said);
//!             "Left".to_owned()
//!         });
//!         taker.join().unwrap();
//!     });
//!     let actors = ["giver", "taker"].map(str::to_owned).to_vec();
//!     Program::new(actors, source)
//!         .reachable("taken", |end| end.outputs[1].as_deref() == Some("Some(7)"))
//!         .reachable("too-early", |end| end.outputs[1].as_deref() == Some("None"))
//! }
//!
//! hand_over(std::sync::atomic::Ordering::Release).assert_holds();
//! hand_over(std::sync::atomic::Ordering::Relaxed).assert_breaks(NO_DATA_RACE);
//! ```
//!
//! # Who sees what
//!
//! | engine | explores | sees |
//! | --- | --- | --- |
//! | [loom](Program::loom) | every execution of C11 as C++20 words it, but for the gaps below | stale values, data races, and all that follows from them |
//! | [shuttle](Program::shuttle) | every interleaving of whole operations, each once | results of whole operations in a single order; so it finds violations, and never proves anything |
//!
//! loom has gaps, each fixed by a test. (`tests/memory_model` compares loom, shuttle, every
//! interleaving and the axioms of C11 on classic litmus programs and on random ones.)
//!
//! - It treats `SeqCst` loads, stores and exchanges as acquire and release. So it may show an
//!   execution that cannot happen: a false alarm (store buffering).
//! - Two `SeqCst` *fences* synchronise in loom, where in C11 they only order. So it may miss a data
//!   race. These atoms have no fence.
//! - *Load buffering*: in loom a load never reads a value that is stored later. It misses
//!   executions where a store does not depend on a load before it.
//! - An exchange, whether it succeeds or fails, reads the newest value only, and a plain store may
//!   come between its halves.
//! - It keeps only the last seven stores of an atomic.
//! - It does not try a write ahead of another thread's load if a later load comes before the write:
//!   for example, the writer's own load (tokio-rs/loom#166, #392). So it misses whole
//!   interleavings. **This gap is closed here**: see [`Program::loom`].
//!
//! A loop that waits for another thread is explored until an execution has more than 1,000 turns.
//! Then nothing is decided.
//!
//! The age of a value that was read is derived from the value itself. Where the same value is
//! written several times, the newest of these writes is meant.
//!
//! Of the faults that Miri looks for, loom covers data races and stale values, in *all* executions
//! and not in one. [Tokens](notes::Token) cover leaks and double drops of the values that they
//! stand for. Not covered: aliasing and provenance, alignment, uninitialised memory, bounds, use
//! after free, leaks of other memory. Miri needs a toolchain of its own.

mod loom;
mod proof;
mod races;
mod shuttle;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::graph::DEADLOCK_FREE;
use super::limits::Limits;
use super::property::PropertyKind;
use super::trace::{Trace, TraceStep, Unfinished};
use super::verdict::{Bound, Engine, Finding, Interleavings, Outcomes, Report, Schedule, Verdict};
use crate::atoms::notes::{self, Act, Event, Notes};

pub use loom::ThreadsOnLoom;

/// The name of a property that every program has. It says that no two threads access the same
/// memory unordered: with one of them writing, and nothing that puts one access before the other.
pub const NO_DATA_RACE: &str = "no-data-race";

/// The end of an execution, for properties to judge.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    /// The output of each actor; `None` if it never ended.
    pub outputs: &'a [Option<String>],
    /// For each [token](notes::Token) that was made, how many times it was dropped.
    pub dropped: &'a [usize],
}

type Test = Arc<dyn Fn(End<'_>) -> bool + Send + Sync>;

/// Runs one execution.
///
/// It starts a thread for each actor but the first, in their order, and lets the thread perform its
/// actor (`perform` in each of the [`atoms`](crate::atoms)). Then it performs the first actor on
/// the thread that it is called on, and waits for the others.
pub type Run = Arc<dyn Fn() + Send + Sync>;

/// One source, compiled over the atoms of each engine.
#[derive(Clone)]
pub struct Source {
    /// Over loom's atoms.
    pub on_loom: Run,
    /// Over shuttle's atoms.
    pub on_shuttle: Run,
    /// Over the atoms of real threads.
    pub on_threads: Run,
}

/// One source for all engines: `source!(|atoms| { … })`, where `atoms` stands for the
/// [`atoms`](crate::atoms) of each engine.
///
/// The block is one execution: see `check::threads::Run`. It moves nothing, so the values that it
/// uses from around it have to be `Copy`.
#[macro_export]
macro_rules! source {
    (|$atoms:ident| $body:block) => {
        $crate::check::threads::Source {
            on_loom: ::std::sync::Arc::new(move || {
                use $crate::atoms::loom as $atoms;
                $body
            }),
            on_shuttle: ::std::sync::Arc::new(move || {
                use $crate::atoms::shuttle as $atoms;
                $body
            }),
            on_threads: ::std::sync::Arc::new(move || {
                use $crate::atoms::real as $atoms;
                $body
            }),
        }
    };
}

/// A few threads, the code of each, and the properties claimed.
#[derive(Clone)]
pub struct Program {
    actors: Vec<String>,
    source: Source,
    properties: Vec<(String, PropertyKind, Test)>,
    limits: Limits,
}

impl Program {
    /// A program of these actors, by name, and their code.
    pub fn new(actors: Vec<String>, source: Source) -> Self {
        Program { actors, source, properties: Vec::new(), limits: Limits::default() }
    }

    /// The same program with other limits on the time and the memory that each engine may take.
    pub fn within(self, limits: Limits) -> Self {
        Program { limits, ..self }
    }

    /// The actors' code.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Claims that `holds` is true at the end of every execution.
    ///
    /// # Panics
    ///
    /// If the program already has a property of this name.
    pub fn finally(
        self,
        name: &str,
        holds: impl Fn(End<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.with(name, PropertyKind::Finally, Arc::new(holds))
    }

    /// Claims that `holds` is true at the end of some execution.
    ///
    /// # Panics
    ///
    /// If the program already has a property of this name.
    pub fn reachable(
        self,
        name: &str,
        holds: impl Fn(End<'_>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.with(name, PropertyKind::Reachable, Arc::new(holds))
    }

    fn with(mut self, name: &str, kind: PropertyKind, test: Test) -> Self {
        let is_known = self.properties().iter().any(|(known, _)| known == name);
        assert!(!is_known && name != DEADLOCK_FREE, "there is a property `{name}` already");
        self.properties.push((name.to_owned(), kind, test));
        self
    }

    /// The actors' names, in the order in which schedules count them.
    pub fn actors(&self) -> &[String] {
        &self.actors
    }

    /// The properties claimed, without freedom from deadlock.
    pub fn properties(&self) -> Vec<(String, PropertyKind)> {
        let claimed = self.properties.iter().map(|(name, kind, _)| (name.clone(), *kind));
        std::iter::once((NO_DATA_RACE.to_owned(), PropertyKind::Always)).chain(claimed).collect()
    }

    /// Which claims about the end of every execution this end violates, in the order claimed.
    pub fn violated(&self, end: End<'_>) -> Vec<(String, bool)> {
        let claims = self.properties.iter().filter(|(_, kind, _)| *kind == PropertyKind::Finally);
        claims.map(|(name, _, holds)| (name.clone(), !holds(end))).collect()
    }

    /// The report of an engine that cannot run this program, because of `bound`.
    pub fn not_started(&self, engine: Engine, bound: Bound) -> Report {
        let deadlock = (DEADLOCK_FREE.to_owned(), PropertyKind::Always);
        let properties = std::iter::once(deadlock).chain(self.properties());
        Report::not_started(engine, "source", properties, bound)
    }
}

/// What the executions of one engine came to.
#[derive(Debug, Default)]
struct Seen {
    executions: u64,
    /// By property: the shortest schedule that decides it, and how many executions do.
    decided: BTreeMap<String, (Schedule, u64)>,
    outcomes: Outcomes,
}

impl Seen {
    /// An execution has ended.
    fn ended(&mut self, program: &Program, notes: &Notes) {
        self.executions += 1;
        let schedule = schedule(&notes.events);
        let end = End { outputs: &notes.outputs, dropped: &notes.dropped };
        for (name, kind, test) in &program.properties {
            if test(end) == (*kind == PropertyKind::Reachable) {
                self.decide(name, &schedule);
            }
        }
        self.outcomes.insert(outcome(notes));
    }

    /// An execution shows how it stands with a property. One in which nothing old is read is simpler than
    /// any other.
    fn decide(&mut self, property: &str, schedule: &Schedule) {
        let key = |schedule: &Schedule| {
            (schedule.stale.clone(), schedule.turns.len(), schedule.turns.clone())
        };
        let (known, count) =
            self.decided.entry(property.to_owned()).or_insert_with(|| (schedule.clone(), 0));
        *count += 1;
        if key(schedule) < key(known) {
            *known = schedule.clone();
        }
    }

    /// What that says of each property.
    fn report(
        &self,
        program: &Program,
        engine: Engine,
        mode: &'static str,
        bound: Option<Bound>,
        interleavings: Interleavings,
        elapsed: Duration,
    ) -> Report {
        let deadlock = (DEADLOCK_FREE.to_owned(), PropertyKind::Always);
        let properties = std::iter::once(deadlock).chain(program.properties());
        let findings = properties.map(|(property, kind)| {
            let decided = self.decided.get(&property);
            let schedule = || decided.map(|(schedule, _)| schedule.clone());
            let verdict = match (kind, decided, &bound) {
                (PropertyKind::Reachable, Some(_), _) => Verdict::Holds(schedule()),
                (_, Some(_), _) => Verdict::Violated(schedule()),
                (_, None, Some(bound)) => Verdict::Unfinished(bound.clone()),
                (PropertyKind::Reachable, None, None) => Verdict::Violated(None),
                (_, None, None) => Verdict::Holds(None),
            };
            let violating = decided.filter(|_| matches!(verdict, Verdict::Violated(_)));
            let violating = violating.map(|(_, count)| (*count).into());
            Finding { property, kind, verdict, violating, lost: None }
        });
        Report {
            engine,
            mode,
            starts: 1,
            findings: findings.collect(),
            executions: Some(self.executions),
            states: None,
            transitions: None,
            interleavings,
            outcomes: Some(self.outcomes.clone()),
            bound,
            untested: Vec::new(),
            growth: None,
            elapsed,
        }
    }
}

/// Whose operations they were, in order, and which of them read something old.
fn schedule(events: &[Event]) -> Schedule {
    let mut schedule = Schedule::default();
    for event in events.iter().filter(|event| event.act.is_operation()) {
        if event.behind > 0 {
            schedule.stale.push((schedule.turns.len(), event.behind));
        }
        schedule.turns.push(event.actor);
    }
    schedule
}

/// What actors ended with and what was dropped, spelt out: equal just if all of it is.
fn outcome(notes: &Notes) -> Box<[u32]> {
    const BETWEEN: u32 = u32::MAX;
    let outputs = notes.outputs.iter().flat_map(|output| {
        output.iter().flat_map(|told| told.chars().map(u32::from)).chain([BETWEEN])
    });
    let dropped = notes.dropped.iter().map(|times| u32::try_from(*times).unwrap_or(BETWEEN - 1));
    outputs.chain(dropped).collect()
}

/// What these actors did, operation by operation: what else was done is told with the operation before it.
pub(crate) fn trace(actors: &[String], notes: &Notes) -> Trace {
    let race = races::race(actors.len(), &notes.events);
    let mut steps: Vec<TraceStep> = Vec::new();
    // What an actor did before its first operation is told with that.
    let mut before: Vec<String> = vec![String::new(); actors.len()];
    for (index, event) in notes.events.iter().enumerate() {
        if event.act.is_operation() {
            let label = format!("{}{}", std::mem::take(&mut before[event.actor]), event.label);
            let step = TraceStep::new(event.actor, label);
            steps.push(TraceStep { output: event.output.clone(), ..step });
            continue;
        }
        // Who lets go of a lock is not worth a word.
        if matches!(event.act, Act::Unlock(_)) {
            continue;
        }
        let mut label = event.label.clone();
        if let Some(race) = race.filter(|race| race.second == index) {
            let first = &notes.events[race.first];
            let whose = actors.get(first.actor).map_or("?", String::as_str);
            let _ = write!(label, ": a data race with the {} of {whose}", first.label);
        }
        match steps.iter_mut().rev().find(|step| step.actor == event.actor) {
            Some(last) => last.label = format!("{}; {label}", last.label),
            None => before[event.actor].push_str(&format!("{label}; ")),
        }
    }
    // Or by itself, where there is no operation yet.
    let alone = (0..).zip(before).filter(|(_, before)| !before.is_empty());
    steps.extend(alone.map(|(actor, before)| TraceStep::new(actor, before.trim_end_matches("; "))));
    let unfinished = (0..).zip(&notes.outputs).filter(|(_, output)| output.is_none());
    let unfinished: Vec<Unfinished> =
        unfinished.map(|(actor, _)| Unfinished { actor, waits: false, waits_for: None }).collect();
    let all_is_over = unfinished.is_empty() && !notes.dropped.is_empty();
    Trace {
        start: None,
        actors: actors.to_vec(),
        steps,
        unfinished,
        end: all_is_over.then(|| fates(&notes.dropped)),
        lost: Vec::new(),
    }
}

/// What became of each value: `value 1 dropped once`.
pub(crate) fn fates(dropped: &[usize]) -> String {
    let fate = |(number, times): (usize, &usize)| match times {
        0 => format!("value {number} never dropped"),
        1 => format!("value {number} dropped once"),
        2 => format!("value {number} dropped twice"),
        times => format!("value {number} dropped {times} times"),
    };
    (1..).zip(dropped).map(fate).collect::<Vec<_>>().join(", ")
}
