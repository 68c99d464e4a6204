//! Second floor, `check`: any number of clients. Imports [`process`](crate::process) and its
//! neighbours in `check`.
//!
//! A configuration is a world and the number of actors in each local state. A number may be ω:
//! arbitrarily many. Steps are looked up in the table that the [graph](super::graph) uses too.
//!
//! Where a configuration repeats an earlier one on its path with more actors in some local state,
//! the steps between the two can be repeated. So that number becomes ω (Karp and Miller, *Parallel
//! program schemata*, 1969).
//!
//! Some configuration found covers each reachable state, and enough clients can reach everything
//! that a configuration covers. That decides properties that more clients can only break
//! (`at_most`) or only help (`reaches`), and no others.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::limits::Meter;
use super::property::{Count, PropertyKind};
use super::steps::{Coded, Initial, Steps, Successor, Worker};
use super::verdict::{Bound, Engine, Finding, Report, Verdict};
use super::{Checker, Value};
use crate::Process;

/// When [`Checker::any`] gives up.
#[derive(Clone, Debug)]
pub struct AnyLimits {
    /// The most configurations to look at. Some protocols have no end of them: those under which
    /// the world grows with each client, for example by a file for each.
    pub max_configurations: usize,
}

impl Default for AnyLimits {
    fn default() -> Self {
        AnyLimits { max_configurations: 20_000 }
    }
}

/// A world and how many actors are in each local state; states with none are left out.
#[derive(Clone, PartialEq, Eq)]
struct Configuration {
    world: u32,
    counts: BTreeMap<u32, Count>,
}

impl Configuration {
    fn count(&self, local: u32) -> Count {
        self.counts.get(&local).copied().unwrap_or(Count::Exactly(0))
    }

    /// Whether this has at least as many of everything, in the same world.
    fn covers(&self, other: &Configuration) -> bool {
        self.world == other.world
            && other.counts.iter().all(|(local, count)| self.count(*local) >= *count)
    }

    /// After one actor has gone from `from` to `to` and made the world `world`.
    fn after(&self, world: u32, from: u32, to: u32) -> Configuration {
        let mut counts = self.counts.clone();
        if let Some(Count::Exactly(number)) = counts.get_mut(&from) {
            *number -= 1;
            if *number == 0 {
                counts.remove(&from);
            }
        }
        match counts.entry(to).or_insert(Count::Exactly(0)) {
            Count::Exactly(number) => *number += 1,
            Count::Unbounded => {}
        }
        Configuration { world, counts }
    }

    /// What there is more of here than in `before`, there can be arbitrarily many of.
    fn accelerate(&mut self, before: &Configuration) {
        for (local, count) in &mut self.counts {
            if *count > before.count(*local) {
                *count = Count::Unbounded;
            }
        }
    }
}

impl<W: Value, P: Process<W, Output: Value> + Value> Checker<W, P> {
    /// Decides the properties over counts for any number of clients: arbitrarily many of every
    /// process declared with [`System::clients`](super::System::clients), and the other actors as
    /// they are.
    ///
    /// If the system has no claim [over counts](super::System::at_most), more clients cannot break
    /// anything, and what a few of them reach, more of them reach too.
    pub fn any(&self, limits: &AnyLimits) -> Report {
        let mut meter = self.limits.start(Engine::Any);
        // Of clients declared with a count of 0 there is none to take for an example, and to leave
        // them out would prove less than is said.
        let mut clients = self.system.groups.iter().filter(|group| group.scalable).peekable();
        if clients.peek().is_none() || clients.any(|group| group.members.is_empty()) {
            return self.not_started(Engine::Any, MODE, Bound::NoClients);
        }
        if !self.system.claims_counts() {
            return self.not_started(Engine::Any, MODE, Bound::NotOverCounts);
        }
        let (steps, initial) = Steps::of(&self.system);
        let (configurations, decided, bound) = cover((&steps, &initial), limits, &mut meter);
        // Whatever is not decided below (freedom from deadlock, which more clients may bring or
        // take away, among it) is not over counts.
        let mut report = self.not_started(Engine::Any, MODE, Bound::NotOverCounts);
        for (finding, decided) in report.findings[1..].iter_mut().zip(decided) {
            finding.verdict = match (decided, finding.kind, &bound) {
                (Decided::NotOverCounts, ..) => continue,
                (Decided::Met, PropertyKind::Reachable, _) => Verdict::Holds(None),
                (Decided::Met, ..) => Verdict::Violated(None),
                (Decided::NotMet, _, Some(bound)) => Verdict::Unfinished(bound.clone()),
                (Decided::NotMet, PropertyKind::Reachable, None) => Verdict::Violated(None),
                (Decided::NotMet, _, None) => Verdict::Holds(None),
            };
        }
        if let Some(Bound::Fault(kind)) = bound {
            report.findings.push(Finding::fault(kind, None));
        }
        report.starts = self.system.starts.len() as u64;
        report.states = Some(configurations as u64);
        report.bound = bound;
        report.elapsed = meter.elapsed();
        report
    }
}

/// Builds the coverability tree; returns its size and what it says of each property.
fn cover(
    (steps, initial): (&dyn Coded, &Initial),
    limits: &AnyLimits,
    meter: &mut Meter,
) -> (usize, Vec<Decided>, Option<Bound>) {
    let shape = steps.shape();
    let mut worker = Worker::new(steps);
    let mut decided = vec![Decided::NotMet; shape.properties.len()];
    // Nodes of the trees, one a start, each with its parent (a root with itself); a node's path
    // is its chain of parents.
    let mut in_world: FxHashMap<u32, Vec<usize>> = FxHashMap::default();
    let mut nodes: Vec<(Configuration, usize)> = Vec::new();
    for (world, locals) in initial.states() {
        let mut root = Configuration { world, counts: BTreeMap::new() };
        for group in &shape.groups {
            for member in group.members.clone() {
                let count = root.counts.entry(locals[member]).or_insert(Count::Exactly(0));
                *count = match *count {
                    Count::Exactly(number) if !group.scalable => Count::Exactly(number + 1),
                    _ => Count::Unbounded,
                };
            }
        }
        in_world.entry(world).or_default().push(nodes.len());
        nodes.push((root, nodes.len()));
    }
    let mut next = 0;
    while next < nodes.len() {
        if nodes.len() > limits.max_configurations {
            return (nodes.len(), decided, Some(Bound::Configurations(nodes.len() as u64)));
        }
        if let Some(bound) = meter.reached(|| format!("{} configurations", nodes.len())) {
            return (nodes.len(), decided, Some(bound));
        }
        let here = nodes[next].0.clone();
        for (index, decided) in decided.iter_mut().enumerate() {
            let sought = shape.properties[index].1 == PropertyKind::Reachable;
            let mut counts = here.counts.iter().map(|(local, count)| (*local, *count));
            match worker.view().is_true_of(index, &mut counts) {
                None => *decided = Decided::NotOverCounts,
                Some(truth) if truth == sought => *decided = Decided::Met,
                Some(_) => {}
            }
        }
        for local in here.counts.keys() {
            if let Successor::Fault(kind) = worker.successor(here.world, *local) {
                return (nodes.len(), decided, Some(Bound::Fault(kind)));
            }
            for (_, world, to) in worker.leads(here.world, *local) {
                let mut after = here.after(world, *local, to);
                let mut ancestor = next;
                loop {
                    let before = &nodes[ancestor].0;
                    if after.covers(before) {
                        after.accelerate(before);
                    }
                    let parent = nodes[ancestor].1;
                    if parent == ancestor {
                        break;
                    }
                    ancestor = parent;
                }
                // What a node covers, its own successors cover: nothing new lies behind it.
                let peers = in_world.entry(after.world).or_default();
                if !peers.iter().any(|peer| nodes[*peer].0.covers(&after)) {
                    peers.push(nodes.len());
                    nodes.push((after, next));
                }
            }
        }
        next += 1;
    }
    (nodes.len(), decided, None)
}

const MODE: &str = "any number";

/// What the tree says of a property's condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decided {
    /// A configuration was found that violates an `always`, or witnesses a `reachable`.
    Met,
    NotMet,
    NotOverCounts,
}
