//! Second floor, `check`: a small system as a table, for whoever lets a person explore it. Imports its
//! neighbours in `check`.
//!
//! A step depends on the world and on one process alone. So the table of all steps, by world and local
//! state, is much smaller than the state graph, and whoever has it can go anywhere in the graph by looking
//! steps up.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::ample::with_room;
use super::intern::{LocalOf, sort_groups};
use super::steps::{Steps, Successor, Worker};
use super::system::{Local, System};
use super::trace::Silent;
use super::{PropertyKind, Schedule, Value};
use crate::Process;

/// The steps of a system that begins in one of its ways, and what is true of its states.
pub(crate) struct Explored<W, P: Process<W>> {
    /// The worlds, by the codes that stand for them everywhere below.
    pub(crate) worlds: Vec<Arc<W>>,
    /// The local states, likewise.
    pub(crate) locals: Vec<Arc<LocalOf<W, P>>>,
    /// The world and the local states before the first step.
    pub(crate) initial: (u32, Vec<u32>),
    /// Actors that are interchangeable, as ranges of their indices.
    pub(crate) groups: Vec<Range<usize>>,
    /// Each step of an actor that has not ended, once a world and local state.
    pub(crate) steps: Vec<Entry>,
    /// In this world, somebody in the first of these local states waits for somebody in the second;
    /// `None` if nobody says who waits for whom.
    pub(crate) waits: Option<Vec<(u32, u32, u32)>>,
    /// Whether all states are here. Otherwise there are those along some schedules, and one step beyond.
    pub(crate) is_whole: bool,
    /// How many states there are here, those alike but for the names of interchangeable actors as one.
    pub(crate) states: usize,
    /// For each property the states that decide it: where an `always` or, at an end, a `finally` is false;
    /// where a `reachable` is true. Each is the world's code, then the local states', sorted within groups.
    pub(crate) decided: Vec<Decided>,
}

/// A property, and the states that decide it.
pub(crate) type Decided = (String, PropertyKind, Vec<Box<[u32]>>);

/// What an actor does in a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// In which world.
    pub(crate) world: u32,
    /// Where the actor stands.
    pub(crate) local: u32,
    /// What it does and sees. Marks are not resolved.
    pub(crate) label: String,
    /// Where that leads.
    pub(crate) to: To,
}

/// Where a step leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// To this world and this local state.
    Next(u32, u32),
    /// To this world, and one of these local states.
    Choice(u32, Vec<u32>),
    /// Nowhere: it waits.
    Waits,
    /// Nowhere: it was no step, and this is why.
    Fault(String),
}

/// States that were met, by their codes, those that begin with no other first.
struct Met {
    all: Vec<Box<[u32]>>,
    known: FxHashSet<Box<[u32]>>,
}

impl Met {
    fn add(&mut self, state: Vec<u32>) {
        let state = Box::from(state);
        if self.known.insert(Box::clone(&state)) {
            self.all.push(state);
        }
    }
}

impl<W: Value, P: Process<W, Output: Value> + Value> System<W, P> {
    /// The steps from the start of this index. If there are more than `most` states, those along these
    /// schedules alone, and what else could be done there. `None` if there is no such start.
    pub(crate) fn explored(
        &self,
        start: usize,
        along: &[&Schedule],
        most: usize,
    ) -> Option<Explored<W, P>> {
        with_room(|| self.explore(start, along, most))
    }

    fn explore(&self, start: usize, along: &[&Schedule], most: usize) -> Option<Explored<W, P>> {
        let (steps, initial) = Steps::of(self);
        let (world, locals) = initial.states().nth(start)?;
        let (world, locals) = (world, locals.to_vec());
        let mut worker = Worker::new(&steps);
        let first = [&[world], &locals[..]].concat();
        let everything = self.everything(&mut worker, &first, most);
        let is_whole = everything.is_some();
        let states = everything.unwrap_or_else(|| self.beside(&mut worker, &first, along));
        // What is one step beyond is met now, so that all codes that follow are known.
        for state in &states {
            for local in &state[1..] {
                worker.successor(state[0], *local);
            }
        }
        worker.catch_up();
        let (all_worlds, all_locals) = steps.values();
        let decided = self.decided(&worker, &all_locals, &states);
        let mut told = Told { system: self, worlds: &all_worlds, locals: &all_locals };
        let mut entries = told.entries(&mut worker, &states);
        let waits = self.waits_for.is_some().then(|| told.waits(&states));
        // Codes of what is not there are given to others, so that they stay small.
        let mut codes = Renumbered::default();
        let initial =
            (codes.world(world), locals.iter().map(|local| codes.local(*local)).collect());
        for entry in &mut entries {
            codes.entry(entry);
        }
        let renumber = |state: &mut Box<[u32]>, codes: &mut Renumbered| {
            state[0] = codes.world(state[0]);
            state[1..].iter_mut().for_each(|local| *local = codes.local(*local));
            sort_groups(&self.groups, &mut state[1..]);
        };
        let mut decided = decided;
        for (_, _, states) in &mut decided {
            states.iter_mut().for_each(|state| renumber(state, &mut codes));
        }
        let waits = waits.map(|waits| {
            let pair =
                |(world, one, other)| (codes.world(world), codes.local(one), codes.local(other));
            waits.into_iter().map(pair).collect()
        });
        Some(Explored {
            worlds: codes
                .worlds
                .order
                .iter()
                .map(|old| all_worlds[*old as usize].clone())
                .collect(),
            locals: codes
                .locals
                .order
                .iter()
                .map(|old| all_locals[*old as usize].clone())
                .collect(),
            initial,
            groups: self.groups.iter().map(|group| group.members.clone()).collect(),
            steps: entries,
            waits,
            is_whole,
            states: states.len(),
            decided,
        })
    }

    /// Every state that can be reached, if there are no more than so many.
    fn everything(
        &self,
        worker: &mut Worker<'_>,
        first: &[u32],
        most: usize,
    ) -> Option<Vec<Box<[u32]>>> {
        let mut met = Met { all: Vec::new(), known: FxHashSet::default() };
        met.add(self.sorted(first));
        let mut at = 0;
        while at < met.all.len() {
            let state = met.all[at].clone();
            at += 1;
            for actor in 1..state.len() {
                for (_, world, local) in worker.leads(state[0], state[actor]) {
                    let mut next = state.to_vec();
                    (next[0], next[actor]) = (world, local);
                    met.add(self.sorted(&next));
                }
            }
            if met.all.len() > most {
                return None;
            }
        }
        Some(met.all)
    }

    /// The states along these schedules.
    fn beside(
        &self,
        worker: &mut Worker<'_>,
        first: &[u32],
        along: &[&Schedule],
    ) -> Vec<Box<[u32]>> {
        let mut met = Met { all: Vec::new(), known: FxHashSet::default() };
        met.add(self.sorted(first));
        for schedule in along {
            let mut state = first.to_vec();
            for (turn, actor) in schedule.turns.iter().enumerate() {
                let Some(local) = state.get(1 + actor) else { break };
                let ways = worker.leads(state[0], *local);
                let Some((_, world, local)) = ways.get(schedule.way(turn)) else { break };
                (state[0], state[1 + actor]) = (*world, *local);
                met.add(self.sorted(&state));
            }
        }
        met.all
    }

    fn sorted(&self, state: &[u32]) -> Vec<u32> {
        let mut sorted = state.to_vec();
        sort_groups(&self.groups, &mut sorted[1..]);
        sorted
    }

    fn decided(
        &self,
        worker: &Worker<'_>,
        locals: &[Arc<LocalOf<W, P>>],
        states: &[Box<[u32]>],
    ) -> Vec<Decided> {
        let decides = |index: usize, kind: PropertyKind, state: &[u32]| {
            let [world, actors @ ..] = state else { return false };
            let is_true = || worker.view().is_true(index, *world, actors);
            match kind {
                PropertyKind::Always => !is_true(),
                PropertyKind::Finally => {
                    let has_ended = |local: &u32| locals[*local as usize].output().is_some();
                    actors.iter().all(has_ended) && !is_true()
                }
                PropertyKind::Reachable => is_true(),
            }
        };
        let of = |(index, property): (usize, &super::Property<W, P>)| {
            let kind = property.kind();
            let states = states.iter().filter(|state| decides(index, kind, state));
            (property.name().to_owned(), kind, states.cloned().collect())
        };
        self.properties.iter().enumerate().map(of).collect()
    }
}

/// What is to be said of codes.
struct Told<'a, W, P: Process<W>> {
    system: &'a System<W, P>,
    worlds: &'a [Arc<W>],
    locals: &'a [Arc<LocalOf<W, P>>],
}

impl<W: Value, P: Process<W, Output: Value> + Value> Told<'_, W, P> {
    /// What can be done in these states.
    fn entries(&mut self, worker: &mut Worker<'_>, states: &[Box<[u32]>]) -> Vec<Entry> {
        let mut known = FxHashSet::default();
        let mut entries = Vec::new();
        for state in states {
            let [world, actors @ ..] = &**state else { continue };
            for local in actors {
                if known.insert((*world, *local)) {
                    entries.extend(self.entry(worker, *world, *local));
                }
            }
        }
        entries
    }

    fn entry(&self, worker: &mut Worker<'_>, world: u32, local: u32) -> Option<Entry> {
        let Local::Running(process) = &*self.locals[local as usize] else { return None };
        let mut after = W::clone(&self.worlds[world as usize]);
        let (step, label) = self.system.describe(&mut after, process.clone(), Silent::Changes);
        let to = match worker.successor(world, local) {
            Successor::Ended => return None,
            Successor::Blocked => To::Waits,
            Successor::To { world, local } => To::Next(world, local),
            Successor::Choice { world, ways } => To::Choice(world, worker.ways(ways).to_vec()),
            Successor::Fault(kind) => To::Fault(match step {
                Err(fault) => fault.said,
                Ok(_) => kind.property().to_owned(),
            }),
        };
        Some(Entry { world, local, label, to })
    }

    /// Who waits for whom in these states.
    fn waits(&self, states: &[Box<[u32]>]) -> Vec<(u32, u32, u32)> {
        let Some(waits_for) = &self.system.waits_for else { return Vec::new() };
        let (mut known, mut found) = (FxHashSet::default(), Vec::new());
        let running = |local: u32| self.locals[local as usize].running();
        for state in states {
            let [world, actors @ ..] = &**state else { continue };
            for (at, one) in actors.iter().enumerate() {
                for (_, other) in actors.iter().enumerate().filter(|(other, _)| *other != at) {
                    let pair = (*world, *one, *other);
                    let (Some(first), Some(second)) = (running(*one), running(*other)) else {
                        continue;
                    };
                    if known.insert(pair) && waits_for(&self.worlds[*world as usize], first, second)
                    {
                        found.push(pair);
                    }
                }
            }
        }
        found
    }
}

/// Codes given anew, in the order of first sight.
#[derive(Default)]
struct Renumbered {
    worlds: Anew,
    locals: Anew,
}

#[derive(Default)]
struct Anew {
    codes: FxHashMap<u32, u32>,
    order: Vec<u32>,
}

impl Anew {
    fn code(&mut self, old: u32) -> u32 {
        *self.codes.entry(old).or_insert_with(|| {
            self.order.push(old);
            self.order.len() as u32 - 1
        })
    }
}

impl Renumbered {
    fn world(&mut self, old: u32) -> u32 {
        self.worlds.code(old)
    }

    fn local(&mut self, old: u32) -> u32 {
        self.locals.code(old)
    }

    fn entry(&mut self, entry: &mut Entry) {
        (entry.world, entry.local) = (self.world(entry.world), self.local(entry.local));
        entry.to = match std::mem::replace(&mut entry.to, To::Waits) {
            To::Next(world, local) => To::Next(self.world(world), self.local(local)),
            To::Choice(world, ways) => {
                let world = self.world(world);
                To::Choice(world, ways.into_iter().map(|local| self.local(local)).collect())
            }
            other => other,
        };
    }
}
