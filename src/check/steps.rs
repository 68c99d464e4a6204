//! Second floor, `check`: the step table. A step depends only on the world and on the process that
//! takes it. So each (world, local state) pair is stepped once, however many states it occurs in.
//! Imports [`process`](crate::process) and its neighbours in `check`.

use std::sync::{Arc, Mutex, MutexGuard};

use rustc_hash::FxHashMap;

use super::fault::{FaultKind, perform};
use super::intern::{Codes, LocalOf};
use super::property::{Count, PropertyKind};
use super::system::{Group, Local, Locals, State, System};
use super::{Value, lock};
use crate::{Process, Step};

/// What a step of one actor leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Successor {
    /// The actor has ended.
    Ended,
    /// It waits.
    Blocked,
    /// The world and the local state that follow.
    To { world: u32, local: u32 },
    /// The world that follows, and one of several local states: [`Worker::ways`] knows which.
    Choice { world: u32, ways: u32 },
    /// It is no step: nothing follows.
    Fault(FaultKind),
}

/// For each start the world's code, and those of where the actors stand.
pub(super) struct Initial {
    worlds: Vec<u32>,
    locals: Vec<u32>,
    actors: usize,
}

impl Initial {
    pub(super) fn states(&self) -> impl Iterator<Item = (u32, &[u32])> {
        let actors = self.actors;
        let locals = (0..).map(move |start| &self.locals[start * actors..(start + 1) * actors]);
        self.worlds.iter().copied().zip(locals)
    }
}

/// What of a system is the same whatever its world and its processes are.
pub(super) struct Shape {
    pub(super) starts: usize,
    pub(super) actors: usize,
    pub(super) groups: Vec<Group>,
    /// Of each property its name and kind.
    pub(super) properties: Vec<(String, PropertyKind)>,
}

/// A system by its codes: what a search needs of it, so that it is compiled once, and not for each world and
/// process.
pub(super) trait Coded: Sync {
    fn shape(&self) -> &Shape;

    /// What a step leads to.
    fn learn(&self, world: u32, local: u32) -> Successor;

    /// Adds the choices that are not known yet.
    fn learn_ways(&self, known: &mut Vec<Arc<[u32]>>);

    /// How many distinct worlds were met, and how many local states of actors.
    fn met(&self) -> (u64, u64);

    /// What one worker knows of the values behind the codes.
    fn view(&self) -> Box<dyn View + '_>;
}

/// The values behind the codes, read without a lock.
pub(super) trait View: Send {
    /// Learns the values of codes given since.
    fn catch_up(&mut self);

    /// Whether a property's condition is true in a state.
    fn is_true(&self, property: usize, world: u32, locals: &[u32]) -> bool;

    /// Whether a property's condition is true of so many actors in these local states; `None` where it is about
    /// whole states.
    fn is_true_of(
        &self,
        property: usize,
        counts: &mut dyn Iterator<Item = (u32, Count)>,
    ) -> Option<bool>;

    /// Whether it is a local state of an actor that has ended.
    fn has_ended(&self, local: u32) -> bool;

    /// Whether it is a local state of an actor within an operation that the real world performs at once.
    fn is_underway(&self, local: u32) -> bool;
}

/// All worlds and all local states that were met, by their codes.
pub(super) type Met<W, P> = (Vec<Arc<W>>, Vec<Arc<LocalOf<W, P>>>);

/// The table all workers share.
pub(super) struct Steps<'s, W, P: Process<W>> {
    system: &'s System<W, P>,
    shape: Shape,
    table: Mutex<Table<W, P>>,
}

struct Table<W, P: Process<W>> {
    codes: Codes<W, P>,
    /// The codes of answers that are no mistake of the model.
    expected: Vec<String>,
    successors: FxHashMap<(u32, u32), Successor>,
    /// The local states of each choice.
    ways: Vec<Arc<[u32]>>,
}

impl<'s, W: Value, P: Process<W, Output: Value> + Value> Steps<'s, W, P> {
    /// An empty table, and the initial states.
    pub(super) fn of(system: &'s System<W, P>) -> (Self, Initial) {
        let mut codes = Codes::default();
        let mut initial = Initial {
            worlds: Vec::with_capacity(system.starts.len()),
            locals: Vec::with_capacity(system.starts.len() * system.actors.len()),
            actors: system.actors.len(),
        };
        for start in &system.starts {
            initial.worlds.push(codes.worlds.code_of(&start.world));
            for process in &start.processes {
                initial.locals.push(codes.locals.code(Local::Running(process.clone())));
            }
        }
        let expected = system.expected.clone();
        let table = Table { codes, expected, successors: FxHashMap::default(), ways: Vec::new() };
        let properties = system.properties.iter();
        let shape = Shape {
            starts: system.starts.len(),
            actors: system.actors.len(),
            groups: system.groups.clone(),
            properties: properties.map(|it| (it.name().to_owned(), it.kind())).collect(),
        };
        (Steps { system, shape, table: Mutex::new(table) }, initial)
    }

    /// What was met.
    pub(super) fn values(&self) -> Met<W, P> {
        let table = self.lock();
        (table.codes.worlds.values().to_vec(), table.codes.locals.values().to_vec())
    }

    /// How many times a `step` was evaluated.
    #[cfg(test)]
    pub(super) fn evaluations(&self) -> usize {
        self.lock().successors.values().filter(|next| **next != Successor::Ended).count()
    }

    fn lock(&self) -> MutexGuard<'_, Table<W, P>> {
        lock(&self.table)
    }
}

impl<W: Value, P: Process<W, Output: Value> + Value> Coded for Steps<'_, W, P> {
    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn learn(&self, world: u32, local: u32) -> Successor {
        self.lock().successor(world, local)
    }

    fn learn_ways(&self, known: &mut Vec<Arc<[u32]>>) {
        known.extend_from_slice(&self.lock().ways[known.len()..]);
    }

    fn met(&self) -> (u64, u64) {
        let table = self.lock();
        let (worlds, locals) = (table.codes.worlds.values(), table.codes.locals.values());
        (worlds.len() as u64, locals.len() as u64)
    }

    fn view(&self) -> Box<dyn View + '_> {
        let mut view = Values { steps: self, worlds: Vec::new(), locals: Vec::new() };
        view.catch_up();
        Box::new(view)
    }
}

/// What one worker has met of the values.
struct Values<'a, 's, W, P: Process<W>> {
    steps: &'a Steps<'s, W, P>,
    worlds: Vec<Arc<W>>,
    locals: Vec<Arc<LocalOf<W, P>>>,
}

impl<W: Value, P: Process<W, Output: Value> + Value> View for Values<'_, '_, W, P> {
    fn catch_up(&mut self) {
        let table = self.steps.lock();
        let (worlds, locals) = (table.codes.worlds.values(), table.codes.locals.values());
        self.worlds.extend_from_slice(&worlds[self.worlds.len()..]);
        self.locals.extend_from_slice(&locals[self.locals.len()..]);
    }

    fn is_true(&self, property: usize, world: u32, locals: &[u32]) -> bool {
        let locals = Locals::Coded(locals, &self.locals);
        let state = State { world: &*self.worlds[world as usize], locals };
        self.steps.system.properties[property].is_true_in(&state)
    }

    fn is_true_of(
        &self,
        property: usize,
        counts: &mut dyn Iterator<Item = (u32, Count)>,
    ) -> Option<bool> {
        let mut counts = counts.map(|(local, count)| (&*self.locals[local as usize], count));
        self.steps.system.properties[property].is_true_of_counts(&mut counts)
    }

    fn has_ended(&self, local: u32) -> bool {
        self.locals[local as usize].output().is_some()
    }

    fn is_underway(&self, local: u32) -> bool {
        self.locals[local as usize].running().is_some_and(Process::is_underway)
    }
}

impl<W: Value, P: Process<W, Output: Value> + Value> Table<W, P> {
    fn successor(&mut self, world: u32, local: u32) -> Successor {
        if let Some(known) = self.successors.get(&(world, local)) {
            return *known;
        }
        let successor = match &*self.codes.locals.values()[local as usize] {
            Local::Done(_) => Successor::Ended,
            Local::Running(process) => {
                let mut after = W::clone(&self.codes.worlds.values()[world as usize]);
                match perform(process.clone(), &mut after, &self.expected) {
                    Err(fault) => Successor::Fault(fault.kind),
                    Ok(Step::Blocked(same)) => {
                        // What `Process` promises, and what waiting again and again relies on.
                        let world = &*self.codes.worlds.values()[world as usize];
                        match after == *world && same == *process {
                            true => Successor::Blocked,
                            false => Successor::Fault(FaultKind::Blocked),
                        }
                    }
                    Ok(Step::Next(next)) => self.follow(after, Local::Running(next)),
                    Ok(Step::Done(output)) => self.follow(after, Local::Done(output)),
                    Ok(Step::Choice(ways)) => {
                        let locals = ways.into_iter().filter_map(Local::after);
                        let locals = locals.map(|local| self.codes.locals.code(local)).collect();
                        self.ways.push(locals);
                        let ways = self.ways.len() as u32 - 1;
                        Successor::Choice { world: self.codes.worlds.code(after), ways }
                    }
                }
            }
        };
        self.successors.insert((world, local), successor);
        successor
    }

    fn follow(&mut self, world: W, local: LocalOf<W, P>) -> Successor {
        Successor::To { world: self.codes.worlds.code(world), local: self.codes.locals.code(local) }
    }
}

/// A copy of the part of the table that one worker has met, read without a lock.
pub(super) struct Worker<'a> {
    steps: &'a dyn Coded,
    /// By [`near`], for the small codes that almost all are.
    near: Vec<Option<Successor>>,
    far: FxHashMap<(u32, u32), Successor>,
    ways: Vec<Arc<[u32]>>,
    view: Box<dyn View + 'a>,
}

/// A place of its own for each of the first 64 local states in each of the first 4,096 worlds: 3 MB
/// at most, where all of them are met.
#[inline]
fn near(world: u32, local: u32) -> Option<usize> {
    (world < 4096 && local < 64).then_some((world as usize) << 6 | local as usize)
}

impl<'a> Worker<'a> {
    /// A worker's own view of the table.
    pub(super) fn new(steps: &'a dyn Coded) -> Self {
        let (near, far, ways) = (Vec::new(), FxHashMap::default(), Vec::new());
        let mut worker = Worker { steps, near, far, ways, view: steps.view() };
        worker.catch_up();
        worker
    }

    /// Where a step from `world` and `local` leads.
    #[inline]
    pub(super) fn successor(&mut self, world: u32, local: u32) -> Successor {
        let known = match near(world, local) {
            Some(place) => self.near.get(place).copied().flatten(),
            None => self.far.get(&(world, local)).copied(),
        };
        known.unwrap_or_else(|| self.learn(world, local))
    }

    #[cold]
    fn learn(&mut self, world: u32, local: u32) -> Successor {
        let successor = self.steps.learn(world, local);
        match near(world, local) {
            Some(place) => {
                if place >= self.near.len() {
                    self.near.resize(place + 1, None);
                }
                self.near[place] = Some(successor);
            }
            None => _ = self.far.insert((world, local), successor),
        }
        self.catch_up();
        successor
    }

    /// Learns what others have met since.
    pub(super) fn catch_up(&mut self) {
        self.steps.learn_ways(&mut self.ways);
        self.view.catch_up();
    }

    /// The local states of a [choice](Successor::Choice), in the order of its ways.
    pub(super) fn ways(&self, ways: u32) -> &[u32] {
        &self.ways[ways as usize]
    }

    /// Where a step from `world` and `local` leads: which way, to which world, to which local state. Nothing
    /// if it leads nowhere.
    pub(super) fn leads(&mut self, world: u32, local: u32) -> Vec<(usize, u32, u32)> {
        match self.successor(world, local) {
            Successor::To { world, local } => vec![(0, world, local)],
            Successor::Choice { world, ways } => {
                let ways = self.ways(ways).iter().enumerate();
                ways.map(|(way, local)| (way, world, *local)).collect()
            }
            Successor::Ended | Successor::Blocked | Successor::Fault(_) => Vec::new(),
        }
    }

    /// The values behind the codes.
    pub(super) fn view(&self) -> &dyn View {
        &*self.view
    }
}
