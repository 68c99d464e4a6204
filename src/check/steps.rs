//! Second floor, `check`: the step table. A step depends on the world and on that one process
//! alone, so each (world, local state) pair is stepped once, however many states it occurs in.
//! Imports [`process`](crate::process) and its neighbours in `check`.

use std::sync::{Arc, Mutex, MutexGuard};

use rustc_hash::FxHashMap;

use super::fault::{FaultKind, perform};
use super::intern::{Codes, LocalOf};
use super::system::{Local, System};
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

/// The table all workers share.
pub(super) struct Steps<W, P: Process<W>>(Mutex<Table<W, P>>);

struct Table<W, P: Process<W>> {
    codes: Codes<W, P>,
    /// The codes of answers that are no mistake of the model.
    expected: Vec<String>,
    successors: FxHashMap<(u32, u32), Successor>,
    /// The local states of each choice.
    ways: Vec<Arc<[u32]>>,
}

impl<W: Value, P: Process<W, Output: Value> + Value> Steps<W, P> {
    /// An empty table, and the initial states.
    pub(super) fn of(system: &System<W, P>) -> (Self, Initial) {
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
        (Steps(Mutex::new(table)), initial)
    }

    /// A worker's own view of the table.
    pub(super) fn worker(&self) -> Worker<'_, W, P> {
        let mut worker = Worker {
            steps: self,
            near: Vec::new(),
            far: FxHashMap::default(),
            worlds: Vec::new(),
            locals: Vec::new(),
            ways: Vec::new(),
        };
        worker.catch_up();
        worker
    }

    /// How many distinct worlds were met, and how many local states of actors.
    pub(super) fn met(&self) -> (u64, u64) {
        let table = self.lock();
        let (worlds, locals) = (table.codes.worlds.values(), table.codes.locals.values());
        (worlds.len() as u64, locals.len() as u64)
    }

    /// How many times a `step` was evaluated.
    #[cfg(test)]
    pub(super) fn evaluations(&self) -> usize {
        self.lock().successors.values().filter(|next| **next != Successor::Ended).count()
    }

    fn lock(&self) -> MutexGuard<'_, Table<W, P>> {
        lock(&self.0)
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
pub(super) struct Worker<'a, W, P: Process<W>> {
    steps: &'a Steps<W, P>,
    /// By [`near`], for the small codes that almost all are.
    near: Vec<Option<Successor>>,
    far: FxHashMap<(u32, u32), Successor>,
    worlds: Vec<Arc<W>>,
    locals: Vec<Arc<LocalOf<W, P>>>,
    ways: Vec<Arc<[u32]>>,
}

/// A place of its own for each of the first 64 local states in each of the first 4,096 worlds: 3 MB
/// at most, where all of them are met.
#[inline]
fn near(world: u32, local: u32) -> Option<usize> {
    (world < 4096 && local < 64).then_some((world as usize) << 6 | local as usize)
}

impl<W: Value, P: Process<W, Output: Value> + Value> Worker<'_, W, P> {
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
        let successor = self.steps.lock().successor(world, local);
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

    /// Learns the values of codes given since.
    pub(super) fn catch_up(&mut self) {
        let table = self.steps.lock();
        let (worlds, locals) = (table.codes.worlds.values(), table.codes.locals.values());
        self.worlds.extend_from_slice(&worlds[self.worlds.len()..]);
        self.locals.extend_from_slice(&locals[self.locals.len()..]);
        self.ways.extend_from_slice(&table.ways[self.ways.len()..]);
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

    pub(super) fn world(&self, code: u32) -> &W {
        &self.worlds[code as usize]
    }

    pub(super) fn locals(&self) -> &[Arc<LocalOf<W, P>>] {
        &self.locals
    }
}
