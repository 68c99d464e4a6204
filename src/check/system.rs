//! Second floor, `check`: a system is a world, named actors, and what is claimed of them.
//! Imports [`process`](crate::process) and its neighbours in `check`.

use std::ops::Range;
use std::sync::Arc;

use super::fault::FaultKind;
use super::graph::DEADLOCK_FREE;
use super::intern::LocalOf;
use super::property::Property;
use super::trace::{Describe, Patient, WaitsFor};
use super::{PropertyKind, Value};
use crate::{Process, Step};

/// Where one actor stands: somewhere in its program, or past its end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Local<P, T> {
    /// It still has steps to take.
    Running(P),
    /// It has ended with this output.
    Done(T),
}

impl<P, T> Local<P, T> {
    /// The output, if the actor has ended.
    pub fn output(&self) -> Option<&T> {
        match self {
            Local::Running(_) => None,
            Local::Done(output) => Some(output),
        }
    }

    /// The process, if the actor has not ended.
    pub fn running(&self) -> Option<&P> {
        match self {
            Local::Running(process) => Some(process),
            Local::Done(_) => None,
        }
    }

    /// The state that a step, or one way of a [choice](Step::Choice), leads to. `None` if the step
    /// waits, or is a choice itself.
    pub(super) fn after(step: Step<P, T>) -> Option<Self> {
        match step {
            Step::Next(process) => Some(Local::Running(process)),
            Step::Done(output) => Some(Local::Done(output)),
            Step::Blocked(_) | Step::Choice(_) => None,
        }
    }
}

/// One way for a system to begin: a world, and each actor's program before its first step.
#[derive(Clone, Debug)]
pub struct Start<W, P> {
    /// What distinguishes this start: `P is absent; attacker: symlink P, open P`. Empty where there
    /// is only one.
    pub name: String,
    /// The world before the first step.
    pub world: W,
    /// The processes, in the order of the system's actors.
    pub processes: Vec<P>,
}

/// A world, its actors, and the properties claimed of every execution.
///
/// A system may also [begin with](System::family) any of several worlds and programs for the same
/// actors. Freedom from deadlock is always among the properties.
///
/// ```
/// use toctou::check::{Checker, GraphOptions, System};
/// use toctou::{Process, Step};
///
/// /// Takes the one ticket there is, without looking twice.
/// #[derive(Clone, Debug, PartialEq, Eq, Hash)]
/// struct Take;
///
/// impl Process<u8> for Take {
///     type Output = bool;
///     fn step(self, tickets: &mut u8) -> Step<Self, bool> {
///         let got = *tickets > 0;
///         *tickets = tickets.saturating_sub(1);
///         Step::Done(got)
///     }
/// }
///
/// let system = System::new(1)
///     .clients(3, Take)
///     .at_most(1, "one-winner", |client| client.output().filter(|got| **got).map(|_| ()))
///     .reachable("somebody-wins", |state| state.outputs().any(|got| *got));
/// let report = Checker::new(system).graph(&GraphOptions::default());
/// assert!(report.holds());
/// assert_eq!(report.interleavings.to_string(), "6");
/// ```
pub struct System<W, P: Process<W>> {
    /// At least one, each with a process for every actor.
    pub(super) starts: Vec<Start<W, P>>,
    pub(super) actors: Vec<String>,
    /// Maximal ranges of interchangeable actors; they partition `actors`.
    pub(super) groups: Vec<Group>,
    pub(super) properties: Vec<Property<W, P>>,
    pub(super) describe: Option<Describe<W, P>>,
    pub(super) waits_for: Option<WaitsFor<W, P>>,
    pub(super) patient: Option<Patient<W>>,
    /// The codes of answers that are no mistake of the model.
    pub(super) expected: Vec<String>,
    pub(super) ends_well: Option<EndsWell<P::Output>>,
}

/// Whether an output is good; see [`System::ends_well`].
type EndsWell<T> = Arc<dyn Fn(&T) -> bool + Send + Sync>;

/// Actors that start out the same, so that it makes no difference which of them does what.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) members: Range<usize>,
    /// Declared with [`System::clients`]: there could as well be any number of them.
    pub(super) scalable: bool,
}

impl<W: Value, P: Process<W, Output: Value> + Value> System<W, P> {
    /// A system of this world, with no actors yet.
    pub fn new(world: W) -> Self {
        Self::of(&[], vec![Start { name: String::new(), world, processes: Vec::new() }])
    }

    /// A system that may begin in several ways: with every script of an attacker in every initial
    /// world, for example.
    ///
    /// The properties are claimed of all executions from all starts. A state that several starts
    /// reach is explored once. No two actors are interchangeable, even if their programs are equal.
    ///
    /// # Panics
    ///
    /// If `starts` is empty, or if a start does not have as many processes as there are `actors`.
    pub fn family(actors: &[&str], starts: Vec<Start<W, P>>) -> Self {
        assert!(!starts.is_empty(), "a system begins in one way at least");
        for Start { name, processes, .. } in &starts {
            let (found, wanted) = (processes.len(), actors.len());
            assert!(found == wanted, "start `{name}` has {found} processes for {wanted} actors");
        }
        Self::of(actors, starts)
    }

    fn of(actors: &[&str], starts: Vec<Start<W, P>>) -> Self {
        System {
            starts,
            actors: actors.iter().map(|name| (*name).to_owned()).collect(),
            groups: (0..actors.len())
                .map(|actor| Group { members: actor..actor + 1, scalable: false })
                .collect(),
            properties: Vec::new(),
            describe: None,
            waits_for: None,
            patient: None,
            expected: Vec::new(),
            ends_well: None,
        }
    }

    /// Adds one actor with this program, in every start.
    pub fn actor(mut self, name: impl Into<String>, process: P) -> Self {
        self.add(name.into(), &process);
        let last = self.actors.len();
        self.groups.push(Group { members: last - 1..last, scalable: false });
        self
    }

    /// Adds `count` identical actors: `client 1` and so on. A second call goes on counting. The
    /// count includes [actors](System::actor) that already have such a name.
    ///
    /// Identical actors are interchangeable, so properties must not tell them apart.
    /// [`graph`](super::Checker::graph) takes states that differ only in which of the identical
    /// actors is where for one state. [`any`](super::Checker::any) lets there be arbitrarily many
    /// of them.
    pub fn clients(mut self, count: usize, process: P) -> Self {
        let first = self.actors.len();
        let before = self.actors.iter().filter(|name| name.starts_with("client ")).count();
        for number in before + 1..=before + count {
            self.add(format!("client {number}"), &process);
        }
        self.groups.push(Group { members: first..first + count, scalable: true });
        self
    }

    /// Adds `count` identical actors with this name and a number. They are interchangeable like
    /// [`clients`](Self::clients), but nobody asks what more of them would do.
    #[cfg(feature = "command")]
    pub(crate) fn alike(mut self, count: usize, name: &str, process: P) -> Self {
        let first = self.actors.len();
        for number in 1..=count {
            self.add(format!("{name} {number}"), &process);
        }
        self.groups.push(Group { members: first..first + count, scalable: false });
        self
    }

    fn add(&mut self, name: String, process: &P) {
        self.actors.push(name);
        for start in &mut self.starts {
            start.processes.push(process.clone());
        }
    }

    /// Claims that no execution ever reaches a state in which `holds` is false.
    pub fn always(
        self,
        name: &str,
        holds: impl Fn(&State<'_, W, P>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.property(Property::on_states(name, PropertyKind::Always, holds))
    }

    /// Claims that at no time more than `max` actors are counted under one key. `key` returns the
    /// key under which an actor is counted where it stands, or `None` if it is not counted.
    ///
    /// This is an [`always`](System::always) over counts. Only this form can be decided for any
    /// number of clients, so prefer it where it fits.
    pub fn at_most<K: Eq + std::hash::Hash>(
        self,
        max: usize,
        name: &str,
        key: impl Fn(&Local<P, P::Output>) -> Option<K> + Send + Sync + 'static,
    ) -> Self {
        self.property(Property::at_most(max, name, key))
    }

    /// Claims that `holds` is true whenever every actor has ended. An execution that never ends
    /// has no such state and is not judged.
    pub fn finally(
        self,
        name: &str,
        holds: impl Fn(&State<'_, W, P>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.property(Property::on_states(name, PropertyKind::Finally, holds))
    }

    /// Claims that some execution reaches a state in which `holds` is true. Such a claim beside a
    /// proof shows that the proof is not vacuous.
    pub fn reachable(
        self,
        name: &str,
        holds: impl Fn(&State<'_, W, P>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.property(Property::on_states(name, PropertyKind::Reachable, holds))
    }

    /// Claims that some execution brings at least one actor to where `there` is true. This is a
    /// [`reachable`](System::reachable) that can also be decided for any number of clients.
    pub fn reaches(
        self,
        name: &str,
        there: impl Fn(&Local<P, P::Output>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.property(Property::reaches(name, there))
    }

    /// Adds a property made elsewhere.
    ///
    /// # Panics
    ///
    /// If the system already has a property of this name: results are reported by name, so the two
    /// could not be told apart.
    #[track_caller]
    pub fn property(mut self, property: Property<W, P>) -> Self {
        let name = property.name();
        let is_known = self.properties.iter().any(|known| known.name() == name);
        let is_built_in = name == DEADLOCK_FREE || FaultKind::of(name).is_some();
        assert!(!is_known && !is_built_in, "there is a property `{name}` already");
        self.properties.push(property);
        self
    }

    /// Sets how a [`Trace`](super::Trace) describes a step: `describe` performs the step and
    /// returns its label.
    ///
    /// Without it, a step is described by the calls that the world [tells](crate::calls::called)
    /// of, or else by what it changed. A description changes no verdict: whether a step is a valid
    /// one is decided without it.
    pub fn described_by(
        mut self,
        describe: impl Fn(&mut W, P) -> (crate::Step<P, P::Output>, String) + Send + Sync + 'static,
    ) -> Self {
        self.describe = Some(Arc::new(describe));
        self
    }

    /// Sets who waits for whom. The function returns whether the first process, where it stands,
    /// waits for something that the second one has.
    ///
    /// A [`Trace`](super::Trace) uses it to say for whom an actor waits, and to show a deadlock as
    /// a circle of waits. It decides nothing: a process is blocked if its step is
    /// [`Step::Blocked`].
    pub fn waits_for(
        mut self,
        waits_for: impl Fn(&W, &P, &P) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.waits_for = Some(Arc::new(waits_for));
        self
    }

    /// Declares that the world breaks deadlocks: it fails the actor that would close a circle of
    /// waits.
    ///
    /// `patient` returns the world as it would be if all of them waited. From it a
    /// [`Trace`](super::Trace) finds [which circle](super::TraceStep::circle) that was. It needs
    /// [`waits_for`](Self::waits_for) as well.
    pub fn breaks_deadlocks(mut self, patient: impl Fn(&W) -> W + Send + Sync + 'static) -> Self {
        self.patient = Some(Arc::new(patient));
        self
    }

    /// Declares that an answer of this code (`42703`, `EINVAL`) is part of the protocol.
    ///
    /// A simulated world takes some answers for [mistakes](crate::calls::mistaken) of the model: a
    /// misspelt column, a write to a file that is open for reading only. The check fails at the
    /// first such answer, because a property may hold only because every actor met the mistake.
    pub fn expects(mut self, code: &str) -> Self {
        self.expected.push(code.to_owned());
        self
    }

    /// Sets which outputs are good: those that an actor runs to get.
    ///
    /// A proof fails where clients end, and none of their outputs is good: its properties may hold
    /// only because every client failed. Clients of several kinds are judged kind by kind. Without this function, an output is good unless its
    /// `Debug` form begins with `Err(`.
    pub fn ends_well(
        mut self,
        is_good: impl Fn(&P::Output) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.ends_well = Some(Arc::new(is_good));
        self
    }

    /// Whether an output is good; see [`System::ends_well`].
    pub(super) fn is_good(&self, output: &P::Output) -> bool {
        match &self.ends_well {
            Some(is_good) => is_good(output),
            None => !format!("{output:?}").starts_with("Err("),
        }
    }

    /// The same system with so many more of each kind of [clients](Self::clients).
    pub(super) fn with_more_clients(&self, more: usize) -> Self {
        let mut grown = System {
            starts: self.starts.clone(),
            actors: Vec::new(),
            groups: Vec::new(),
            properties: self.properties.clone(),
            describe: self.describe.clone(),
            waits_for: self.waits_for.clone(),
            patient: self.patient.clone(),
            expected: self.expected.clone(),
            ends_well: self.ends_well.clone(),
        };
        for start in &mut grown.starts {
            start.processes.clear();
        }
        for group in &self.groups {
            let first = grown.actors.len();
            let added = if group.scalable && !group.members.is_empty() { more } else { 0 };
            // A client more is a copy of the last one.
            let last = group.members.end.saturating_sub(1);
            for member in group.members.clone().chain(std::iter::repeat_n(last, added)) {
                grown.actors.push(self.actors[member].clone());
                for (start, before) in grown.starts.iter_mut().zip(&self.starts) {
                    start.processes.push(before.processes[member].clone());
                }
            }
            let members = first..grown.actors.len();
            grown.groups.push(Group { members, scalable: group.scalable });
        }
        let scalable = grown.groups.iter().filter(|group| group.scalable);
        for (number, member) in (1..).zip(scalable.flat_map(|group| group.members.clone())) {
            grown.actors[member] = format!("client {number}");
        }
        grown
    }

    /// The processes of each start, in the order of the actors. What is done to one of several
    /// interchangeable ones has to be done to all of them.
    pub(crate) fn processes_mut(&mut self) -> impl Iterator<Item = &mut [P]> {
        self.starts.iter_mut().map(|start| &mut start.processes[..])
    }

    /// The same system, where nothing is said about any other number of clients.
    pub(crate) fn for_this_number_alone(mut self) -> Self {
        self.groups.iter_mut().for_each(|group| group.scalable = false);
        self
    }

    /// How many [clients](Self::clients) there are.
    pub(super) fn count_clients(&self) -> usize {
        self.groups.iter().filter(|group| group.scalable).map(|group| group.members.len()).sum()
    }

    /// The ways it may begin; a [`Schedule`](super::Schedule) names one by its index here.
    pub fn starts(&self) -> &[Start<W, P>] {
        &self.starts
    }

    /// The actors' names; a [`Schedule`](super::Schedule) names them by their index here.
    pub fn actors(&self) -> &[String] {
        &self.actors
    }

    /// Whether there are identical actors, which [`graph`](super::Checker::graph) may take for
    /// interchangeable.
    pub fn has_clients(&self) -> bool {
        self.groups.iter().any(|group| group.members.len() > 1)
    }

    /// Whether the system has a claim [over counts](System::at_most): the kind that
    /// [`any`](super::Checker::any) decides.
    pub fn claims_counts(&self) -> bool {
        self.properties.iter().any(Property::is_over_counts)
    }

    /// The properties claimed, without freedom from deadlock.
    pub fn properties(&self) -> &[Property<W, P>] {
        &self.properties
    }
}

impl<W, P: Clone> Start<W, P> {
    /// Where every actor stands before the first step.
    pub(super) fn locals<T>(&self) -> Vec<Local<P, T>> {
        self.processes.iter().map(|process| Local::Running(process.clone())).collect()
    }
}

/// A state of a system, as properties see it.
pub struct State<'a, W, P: Process<W>> {
    pub(super) world: &'a W,
    pub(super) locals: Locals<'a, LocalOf<W, P>>,
}

/// Where the actors stand, in the form in which the engine keeps it.
pub(super) enum Locals<'a, L> {
    Plain(&'a [L]),
    /// Codes into a table.
    Coded(&'a [u32], &'a [Arc<L>]),
}

// By hand, because a derive would ask it of `L`.
impl<L> Clone for Locals<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for Locals<'_, L> {}

impl<'a, W, P: Process<W>> State<'a, W, P> {
    /// The world.
    pub fn world(&self) -> &'a W {
        self.world
    }

    /// Where each actor stands. Identical actors come in no particular order.
    pub fn locals(&self) -> impl Iterator<Item = &'a LocalOf<W, P>> + use<'a, W, P> {
        let locals = self.locals;
        let count = match locals {
            Locals::Plain(plain) => plain.len(),
            Locals::Coded(codes, _) => codes.len(),
        };
        (0..count).map(move |actor| match locals {
            Locals::Plain(plain) => &plain[actor],
            Locals::Coded(codes, table) => &*table[codes[actor] as usize],
        })
    }

    /// The outputs of the actors that have ended.
    pub fn outputs(&self) -> impl Iterator<Item = &'a P::Output> + use<'a, W, P>
    where
        P: 'a,
    {
        self.locals().filter_map(Local::output)
    }
}
