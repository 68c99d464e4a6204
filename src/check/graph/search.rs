//! Second floor, `check::graph`: the breadth-first search itself, on one core or several.
//! Imports [`process`](crate::process) and its neighbours in `check`.

use std::hash::BuildHasher;
use std::time::Instant;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use num_bigint::BigUint;
use rustc_hash::FxBuildHasher;

use super::paths::Edges;
use super::tuple::Tuple;
use crate::check::fault::FaultKind;
use crate::check::intern::sort_groups;
use crate::check::limits::Meter;
use crate::check::property::PropertyKind;
use crate::check::steps::{Coded, Initial, Shape, Successor, Worker};
use crate::check::system::Group;
use crate::check::{Bound, Schedule};

/// States expanded in one go, so that what is found waits in bounded memory to be taken in.
const ROUND: usize = 1 << 17;

/// With many actors a state has as many successors and is as wide: fewer of them in one go then.
fn round(actors: usize) -> usize {
    ((1 << 24) / actors.pow(2).max(1)).clamp(256, ROUND)
}

/// Never to go on with an id that stands for another state.
const TOO_MANY: &str = "more states than 32-bit ids";

/// No state's id.
const NONE: u32 = u32::MAX;

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Every reachable state was expanded.
    Complete,
    /// As many states as were allowed.
    Full,
    /// A limit was reached.
    Limit(Bound),
    /// A step was none.
    Fault(FaultKind),
    /// A code does not fit the tuple.
    TooNarrow,
}

/// The states whose hash falls here, in the order they were found.
struct Shard<K> {
    /// Each key once more, with its position: a look at another place in memory would cost more
    /// than the room.
    index: HashTable<(K, u32)>,
    keys: Vec<K>,
    /// The id of the state from which each was first reached; [`NONE`] for a root.
    parents: Vec<u32>,
}

impl<K: Tuple> Shard<K> {
    fn new() -> Self {
        Shard { index: HashTable::new(), keys: Vec::new(), parents: Vec::new() }
    }

    fn find(&self, hash: u64, key: &K) -> Option<u32> {
        self.index.find(hash, |(known, _)| known == key).map(|(_, at)| *at)
    }

    /// Takes in a state, unless it is known. The answer is its position if it is new.
    fn insert(&mut self, hash: u64, key: K, parent: u32) -> Option<u32> {
        let rehash = |(key, _): &(K, u32)| FxBuildHasher.hash_one(key);
        match self.index.entry(hash, |(known, _)| *known == key, rehash) {
            Entry::Occupied(_) => None,
            Entry::Vacant(new) => {
                let at = u32::try_from(self.keys.len()).expect(TOO_MANY);
                self.keys.push(key.clone());
                self.parents.push(parent);
                new.insert((key, at));
                Some(at)
            }
        }
    }
}

/// What expanding a part of the frontier brought.
struct Batch<K> {
    /// For each shard, the states found and whence.
    found: Vec<Vec<(K, u32)>>,
    /// For each property, and for freedom from deadlock last, the first state that decides it.
    decided: Vec<Option<u32>>,
    ends: Vec<u32>,
    /// The first state in which a step was none.
    fault: Option<(u32, FaultKind)>,
    transitions: u64,
    too_narrow: bool,
    late: bool,
}

pub(super) struct Search<'a, K> {
    shape: &'a Shape,
    groups: &'a [Group],
    workers: Vec<Worker<'a>>,
    shards: Vec<Shard<K>>,
    /// For each start its initial state; the same one for starts that are the same.
    roots: Vec<u32>,
    decided: Vec<Option<u32>>,
    ends: Vec<u32>,
    fault: Option<(u32, FaultKind)>,
    /// A state of the last level that was found.
    deepest: Option<u32>,
    transitions: u64,
}

/// The graph's edges, with the states in an order that puts ends first.
pub(super) struct Paths {
    edges: Edges,
    roots: Vec<u32>,
    order: Option<Vec<u32>>,
}

/// How many maximal paths there are, and how many from each of the states that were asked for.
pub(super) struct Counts {
    pub(super) total: BigUint,
    pub(super) from: Vec<BigUint>,
}

impl Paths {
    /// The number of maximal paths; `None` if some path never ends.
    pub(super) fn counts(&self, states: &[u32]) -> Option<Counts> {
        self.counts_where(states, |_| true)
    }

    /// The number of those through states that all are `allowed`.
    fn counts_where(&self, states: &[u32], allowed: impl Fn(u32) -> bool) -> Option<Counts> {
        let asked = [&self.roots, states].concat();
        let mut counts = self.edges.counts_from(self.order.as_ref()?, &asked, allowed);
        let from = counts.split_off(self.roots.len());
        Some(Counts { total: counts.into_iter().sum(), from })
    }
}

impl<'a, K: Tuple> Search<'a, K> {
    pub(super) fn new(steps: &'a dyn Coded, symmetry: bool, threads: usize, shards: usize) -> Self {
        assert!(shards.is_power_of_two(), "the shard of a state is some bits of its hash");
        let shape = steps.shape();
        Search {
            shape,
            groups: if symmetry { &shape.groups } else { &[] },
            workers: (0..threads).map(|_| Worker::new(steps)).collect(),
            shards: (0..shards).map(|_| Shard::new()).collect(),
            roots: Vec::new(),
            decided: vec![None; shape.properties.len() + 1],
            ends: Vec::new(),
            fault: None,
            deepest: None,
            transitions: 0,
        }
    }

    /// Explores from these initial states, all at once, until done, or until there are `max_states`.
    pub(super) fn run(&mut self, initial: &Initial, max_states: usize, meter: &mut Meter) -> Stop {
        let mut roots = Vec::with_capacity(self.shape.starts);
        let mut found: Vec<_> = self.shards.iter().map(|_| Vec::new()).collect();
        let mut sorted = vec![0; self.shape.actors];
        for (world, locals) in initial.states() {
            sorted.copy_from_slice(locals);
            sort_groups(self.groups, &mut sorted);
            let Some(root) = K::pack(world, &sorted) else { return Stop::TooNarrow };
            let hash = FxBuildHasher.hash_one(&root);
            let shard = shard_of(hash, self.shards.len());
            found[shard].push((root.clone(), NONE));
            roots.push((hash, shard, root));
        }
        let mut frontier = self.take_in(vec![found]);
        let count = self.shards.len();
        self.roots = roots
            .into_iter()
            .filter_map(|(hash, shard, root)| {
                Some(self.shards[shard].find(hash, &root)? * count as u32 + shard as u32)
            })
            .collect();
        while !frontier.is_empty() {
            let mut next = Vec::new();
            self.deepest = frontier.first().copied();
            for round in frontier.chunks(round(self.shape.actors)) {
                let batches = self.expand(round, meter);
                if batches.iter().any(|batch| batch.too_narrow) {
                    return Stop::TooNarrow;
                }
                let late = batches.iter().any(|batch| batch.late);
                let mut found = Vec::with_capacity(batches.len());
                for batch in batches {
                    self.fault = self.fault.or(batch.fault);
                    self.transitions += batch.transitions;
                    self.ends.extend(batch.ends);
                    for (decided, new) in self.decided.iter_mut().zip(batch.decided) {
                        *decided = decided.or(new);
                    }
                    found.push(batch.found);
                }
                next.extend(self.take_in(found));
                if let Some((_, kind)) = self.fault {
                    return Stop::Fault(kind);
                }
                if self.states() > max_states {
                    return Stop::Full;
                }
                let far = || format!("{} states", self.states());
                if let Some(bound) = meter.reached(far) {
                    return Stop::Limit(bound);
                }
                if late {
                    // What was left out of this round is past the limit, whatever the clock says now.
                    return Stop::Limit(meter.time());
                }
            }
            frontier = next;
        }
        Stop::Complete
    }

    /// Finds what follows these states, on every core if there are enough of them.
    fn expand(&mut self, round: &[u32], meter: &Meter) -> Vec<Batch<K>> {
        let (shape, groups, shards) = (self.shape, self.groups, &self.shards);
        let until = meter.until();
        let part = round.len().div_ceil(self.workers.len()).max(256);
        let mut parts: Vec<_> = round.chunks(part).zip(&mut self.workers).collect();
        if let [(states, worker)] = &mut parts[..] {
            return vec![expand_part(shape, groups, shards, worker, states, until)];
        }
        std::thread::scope(|scope| {
            let running: Vec<_> = parts
                .into_iter()
                .map(|(states, worker)| {
                    scope.spawn(move || expand_part(shape, groups, shards, worker, states, until))
                })
                .collect();
            running.into_iter().map(join).collect()
        })
    }

    /// Takes in what was found, shard by shard, and returns the states that are new.
    fn take_in(&mut self, mut found: Vec<Vec<Vec<(K, u32)>>>) -> Vec<u32> {
        let count = self.shards.len();
        // For each shard the batches that fell into it, in the order of the frontier.
        let mut incoming: Vec<Vec<Vec<(K, u32)>>> = (0..count)
            .map(|shard| found.iter_mut().map(|batch| std::mem::take(&mut batch[shard])).collect())
            .collect();
        let shape = self.shape;
        let pending: usize = incoming.iter().flatten().map(Vec::len).sum();
        // What has yet to be decided by single states.
        let open: Vec<usize> = (0..shape.properties.len())
            .filter(|index| shape.properties[*index].1 != PropertyKind::Finally)
            .filter(|index| self.decided[*index].is_none())
            .collect();
        let open = &open[..];
        let alone = pending < 4096 || self.workers.len() == 1;
        let each = count.div_ceil(self.workers.len());
        let work = self.shards.chunks_mut(each).zip(incoming.chunks_mut(each));
        let work = work.zip(&mut self.workers).enumerate();
        let taken: Vec<Taken> = if alone {
            work.map(|(part, ((shards, incoming), worker))| {
                take_in_part(shape, worker, shards, incoming, part * each, count, open)
            })
            .collect()
        } else {
            std::thread::scope(|scope| {
                let running: Vec<_> = work
                    .map(|(part, ((shards, incoming), worker))| {
                        scope.spawn(move || {
                            take_in_part(shape, worker, shards, incoming, part * each, count, open)
                        })
                    })
                    .collect();
                running.into_iter().map(join).collect()
            })
        };
        let mut new = Vec::new();
        for part in taken {
            for (decided, found) in self.decided.iter_mut().zip(part.decided) {
                *decided = decided.or(found);
            }
            new.extend(part.new);
        }
        new
    }

    /// How many states were found.
    pub(super) fn states(&self) -> usize {
        self.shards.iter().map(|shard| shard.keys.len()).sum()
    }

    /// How many transitions lead from them; with symmetry, transitions between classes of states.
    pub(super) fn transitions(&self) -> u64 {
        self.transitions
    }

    /// For each property, and for freedom from deadlock last, a shortest schedule to a state that
    /// violates it (for `reachable`: that witnesses it), if one was met.
    pub(super) fn decisions(&mut self) -> Vec<Option<Schedule>> {
        let decided = self.decided.clone();
        decided.into_iter().map(|id| id.map(|id| self.schedule_to(id).0)).collect()
    }

    /// A shortest schedule to the step that was none, if one was met.
    pub(super) fn fault(&mut self) -> Option<(FaultKind, Schedule)> {
        let (id, kind) = self.fault?;
        let (mut schedule, world, locals) = self.schedule_to(id);
        let worker = &mut self.workers[0];
        let is_it = |local: &u32| worker.successor(world, *local) == Successor::Fault(kind);
        schedule.turns.extend(locals.iter().position(is_it));
        Some((kind, schedule))
    }

    /// A schedule to a state of the last level that was reached.
    pub(super) fn longest(&mut self) -> Schedule {
        self.deepest.map(|id| self.schedule_to(id).0).unwrap_or_default()
    }

    /// The end states, deadlocks among them, in codes of the step table: the world's, then where
    /// each actor stands.
    pub(super) fn ends(&self) -> impl Iterator<Item = Box<[u32]>> {
        self.ends.iter().map(|end| {
            let mut codes = vec![0; 1 + self.shape.actors];
            codes[0] = self.key(*end).unpack(&mut codes[1..]);
            codes.into()
        })
    }

    /// The end states with the number of interleavings that lead to each; `None` if some never end.
    pub(super) fn counted_ends(&mut self) -> Option<Vec<(Box<[u32]>, BigUint)>> {
        let Paths { edges, roots, order } = self.paths();
        let mut counts = edges.counts_to(order.as_ref()?, &roots);
        let bases = self.bases();
        let count = self.shards.len();
        let dense = |id: &u32| bases[shard_of_id(*id, count)] + *id / count as u32;
        let counts = self.ends.iter().map(|end| std::mem::take(&mut counts[dense(end) as usize]));
        let counts: Vec<BigUint> = counts.collect();
        Some(self.ends().zip(counts).collect())
    }

    /// For each shard how many states the shards before it have: states numbered densely.
    fn bases(&self) -> Vec<u32> {
        let mut total = 0;
        let base = |shard: &Shard<K>| {
            let base = total;
            total += shard.keys.len() as u32;
            base
        };
        self.shards.iter().map(base).collect()
    }

    /// A shortest schedule to the state `id`, of the actors as they are named, not as sorted; and the codes
    /// of that state's world and of where each of them stands then.
    fn schedule_to(&mut self, id: u32) -> (Schedule, u32, Vec<u32>) {
        let mut chain = vec![id];
        let mut at = id;
        let count = self.shards.len();
        loop {
            let parent = self.shards[shard_of_id(at, count)].parents[at as usize / count];
            if parent == NONE {
                break;
            }
            at = parent;
            chain.push(at);
        }
        // Of starts that are the same the first one; that of the state `at` is always there.
        let start = self.roots.iter().position(|root| *root == at).unwrap_or_default();
        let chain: Vec<K> = chain.into_iter().rev().map(|id| self.key(id).clone()).collect();
        let worker = &mut self.workers[0];
        // Sorting the initial state has changed nothing: identical actors start out identical.
        let mut locals = vec![0; self.shape.actors];
        let mut world = chain[0].unpack(&mut locals);
        let mut schedule = Schedule::from_start(start, Vec::with_capacity(chain.len() - 1));
        for target in &chain[1..] {
            let step = (0..locals.len()).find_map(|actor| {
                let ways = worker.leads(world, locals[actor]);
                ways.into_iter().find_map(|(way, world, local)| {
                    let mut next = locals.clone();
                    next[actor] = local;
                    let mut sorted = next.clone();
                    sort_groups(self.groups, &mut sorted);
                    let is_it = K::pack(world, &sorted).as_ref() == Some(target);
                    is_it.then_some((actor, way, world, next))
                })
            });
            let (actor, way, next_world, next) = step.expect("a state follows from its parent");
            schedule.push(actor, way);
            (world, locals) = (next_world, next);
        }
        (schedule, world, locals)
    }

    /// The edges of the whole graph, for counting.
    pub(super) fn paths(&mut self) -> Paths {
        let base = self.bases();
        let worker = &mut self.workers[0];
        let mut edges = Edges { offsets: vec![0], targets: Vec::new() };
        let mut scratch = Scratch::new(self.shape.actors);
        for shard in &self.shards {
            for key in &shard.keys {
                successors(worker, self.groups, key, &mut scratch, |next, weight| {
                    // Every successor was packed and taken in by the search.
                    if let Some(key) = next {
                        let hash = FxBuildHasher.hash_one(&key);
                        let shard = shard_of(hash, self.shards.len());
                        if let Some(at) = self.shards[shard].find(hash, &key) {
                            edges.targets.push((base[shard] + at, weight));
                        }
                    }
                });
                edges.offsets.push(edges.targets.len());
            }
        }
        let count = self.shards.len();
        let dense = |id: &u32| base[shard_of_id(*id, count)] + *id / count as u32;
        let roots: Vec<u32> = self.roots.iter().map(dense).collect();
        let order = edges.ends_first(&roots);
        Paths { edges, roots, order }
    }

    /// The states that a schedule goes through, the first before its first step, as [`Paths`] knows them.
    pub(super) fn states_along(&mut self, initial: &Initial, schedule: &Schedule) -> Vec<u32> {
        let bases = self.bases();
        let Some((mut world, locals)) = initial.states().nth(schedule.start) else {
            return Vec::new();
        };
        let mut locals = locals.to_vec();
        let mut states = Vec::with_capacity(schedule.turns.len() + 1);
        states.extend(self.state_of(&bases, world, &locals));
        for (turn, actor) in schedule.turns.iter().enumerate() {
            let ways = self.workers[0].leads(world, locals[*actor]);
            let Some((_, next, local)) = ways.get(schedule.way(turn)) else { break };
            world = *next;
            locals[*actor] = *local;
            states.extend(self.state_of(&bases, world, &locals));
        }
        states
    }

    /// The state in which the world and the actors are so, if it was found, by its dense number.
    fn state_of(&self, bases: &[u32], world: u32, locals: &[u32]) -> Option<u32> {
        let mut sorted = locals.to_vec();
        sort_groups(self.groups, &mut sorted);
        let key = K::pack(world, &sorted)?;
        let hash = FxBuildHasher.hash_one(&key);
        let shard = shard_of(hash, self.shards.len());
        Some(bases[shard] + self.shards[shard].find(hash, &key)?)
    }

    /// How many interleavings do *not* violate the property at `index` (none: do not deadlock); `None` if
    /// some never end.
    pub(super) fn sound_paths(
        &mut self,
        paths: &Paths,
        index: Option<usize>,
        states: &[u32],
    ) -> Option<Counts> {
        let mut locals = vec![0; self.shape.actors];
        let worker = &mut self.workers[0];
        let mut allowed =
            Vec::with_capacity(self.shards.iter().map(|shard| shard.keys.len()).sum());
        for key in self.shards.iter().flat_map(|shard| &shard.keys) {
            let world = key.unpack(&mut locals);
            let ended = locals.iter().all(|local| worker.view().has_ended(*local));
            let stuck = !ended
                && locals.iter().all(|local| {
                    let next = worker.successor(world, *local);
                    !matches!(next, Successor::To { .. } | Successor::Choice { .. })
                });
            let is_true = |property| worker.view().is_true(property, world, &locals);
            allowed.push(match index {
                None => !stuck,
                Some(property) => match self.shape.properties[property].1 {
                    PropertyKind::Always => is_true(property),
                    PropertyKind::Finally => !ended || is_true(property),
                    PropertyKind::Reachable => true,
                },
            });
        }
        paths.counts_where(states, |id| allowed[id as usize])
    }

    fn key(&self, id: u32) -> &K {
        let count = self.shards.len();
        &self.shards[shard_of_id(id, count)].keys[id as usize / count]
    }
}

fn join<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    // A property or a step that panics does so here as it would on one core.
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The shard of a state, by bits of its hash that the table inside a shard does not begin with.
fn shard_of(hash: u64, shards: usize) -> usize {
    (hash >> 40) as usize & (shards - 1)
}

/// A state's id is its position in its shard, times the number of shards, plus the shard.
fn shard_of_id(id: u32, shards: usize) -> usize {
    id as usize & (shards - 1)
}

/// Room for one state, reused.
struct Scratch {
    locals: Vec<u32>,
    next: Vec<u32>,
}

impl Scratch {
    fn new(actors: usize) -> Self {
        Scratch { locals: vec![0; actors], next: vec![0; actors] }
    }
}

/// What leads on from a state.
enum Leads {
    On,
    /// A step that is none.
    Astray(FaultKind),
    /// Every actor has ended.
    Ended,
    /// Some actor waits, and none can step.
    Stuck,
}

/// Calls `found` with each state that follows `key` and the number of identical actors whose step
/// leads there; `None` is a state that does not fit `K`.
fn successors<K: Tuple>(
    worker: &mut Worker<'_>,
    groups: &[Group],
    key: &K,
    scratch: &mut Scratch,
    mut found: impl FnMut(Option<K>, u32),
) -> Leads {
    let world = key.unpack(&mut scratch.locals);
    let locals = &scratch.locals;
    let (mut any_step, mut any_blocked, mut fault) = (false, false, None);
    let mut to = |actor: usize, weight: u32, group: Option<&Group>, world: u32, local: u32| {
        let next = match group {
            None => key.with(world, actor, local),
            Some(group) => {
                scratch.next.copy_from_slice(locals);
                scratch.next[actor] = local;
                scratch.next[group.members.clone()].sort_unstable();
                K::pack(world, &scratch.next)
            }
        };
        found(next, weight);
    };
    let mut step = |actor: usize, weight: u32, group: Option<&Group>| match worker
        .successor(world, locals[actor])
    {
        Successor::Ended => {}
        Successor::Blocked => any_blocked = true,
        Successor::Fault(kind) => fault = fault.or(Some(kind)),
        Successor::To { world, local } => {
            any_step = true;
            to(actor, weight, group, world, local);
        }
        Successor::Choice { world, ways } => {
            any_step = true;
            for local in worker.ways(ways) {
                to(actor, weight, group, world, *local);
            }
        }
    };
    if groups.is_empty() {
        for actor in 0..locals.len() {
            step(actor, 1, None);
        }
    }
    for group in groups {
        let mut actor = group.members.start;
        while actor < group.members.end {
            // Members are sorted, so those that stand at the same place are neighbours.
            let same = locals[actor..group.members.end]
                .iter()
                .take_while(|local| **local == locals[actor])
                .count();
            step(actor, same as u32, (group.members.len() > 1).then_some(group));
            actor += same;
        }
    }
    match (fault, any_step, any_blocked) {
        (Some(kind), ..) => Leads::Astray(kind),
        (None, true, _) => Leads::On,
        (None, false, false) => Leads::Ended,
        (None, false, true) => Leads::Stuck,
    }
}

fn expand_part<K: Tuple>(
    shape: &Shape,
    groups: &[Group],
    shards: &[Shard<K>],
    worker: &mut Worker<'_>,
    states: &[u32],
    until: Option<Instant>,
) -> Batch<K> {
    let deadlock = shape.properties.len();
    let mut batch = Batch {
        found: shards.iter().map(|_| Vec::new()).collect(),
        decided: vec![None; deadlock + 1],
        ends: Vec::new(),
        fault: None,
        transitions: 0,
        too_narrow: false,
        late: false,
    };
    let mut scratch = Scratch::new(shape.actors);
    for (position, &id) in states.iter().enumerate() {
        if position % 256 == 255 && until.is_some_and(|until| Instant::now() > until) {
            batch.late = true;
            break;
        }
        let key = &shards[shard_of_id(id, shards.len())].keys[id as usize / shards.len()];
        let Batch { found, transitions, too_narrow, .. } = &mut batch;
        let leads = successors(worker, groups, key, &mut scratch, |next, _| {
            *transitions += 1;
            match next {
                Some(next) => {
                    let shard = shard_of(FxBuildHasher.hash_one(&next), shards.len());
                    found[shard].push((next, id));
                }
                None => *too_narrow = true,
            }
        });
        match leads {
            Leads::On => {}
            Leads::Astray(kind) => batch.fault = batch.fault.or(Some((id, kind))),
            Leads::Stuck => {
                batch.ends.push(id);
                batch.decided[deadlock] = batch.decided[deadlock].or(Some(id));
            }
            Leads::Ended => {
                batch.ends.push(id);
                let world = key.unpack(&mut scratch.locals);
                let properties = shape.properties.iter().enumerate();
                for (decided, (index, (_, kind))) in batch.decided.iter_mut().zip(properties) {
                    if decided.is_none()
                        && *kind == PropertyKind::Finally
                        && !worker.view().is_true(index, world, &scratch.locals)
                    {
                        *decided = Some(id);
                    }
                }
            }
        }
    }
    batch
}

/// What taking in brought: new states, and the properties they decide.
struct Taken {
    new: Vec<u32>,
    decided: Vec<Option<u32>>,
}

fn take_in_part<K: Tuple>(
    shape: &Shape,
    worker: &mut Worker<'_>,
    shards: &mut [Shard<K>],
    incoming: &mut [Vec<Vec<(K, u32)>>],
    first_shard: usize,
    shard_count: usize,
    open: &[usize],
) -> Taken {
    // Others may have met worlds and local states that this worker has not.
    worker.catch_up();
    let mut open = open.to_vec();
    let mut taken = Taken { new: Vec::new(), decided: vec![None; shape.properties.len()] };
    let mut locals = vec![0; shape.actors];
    for (offset, (shard, incoming)) in shards.iter_mut().zip(incoming).enumerate() {
        for (key, parent) in incoming.drain(..).flatten() {
            let hash = FxBuildHasher.hash_one(&key);
            let Some(at) = shard.insert(hash, key, parent) else { continue };
            let id = at
                .checked_mul(shard_count as u32)
                .and_then(|id| id.checked_add((first_shard + offset) as u32))
                .filter(|id| *id != NONE)
                .expect(TOO_MANY);
            taken.new.push(id);
            if open.is_empty() {
                continue;
            }
            let world = shard.keys[at as usize].unpack(&mut locals);
            open.retain(|index| {
                let decides = shape.properties[*index].1 == PropertyKind::Reachable;
                let decided = worker.view().is_true(*index, world, &locals) == decides;
                if decided {
                    taken.decided[*index] = Some(id);
                }
                !decided
            });
        }
    }
    taken
}
