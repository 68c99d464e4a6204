//! Second floor, `check`: the state graph, breadth first over exact states.
//! Imports [`process`](crate::process) and its neighbours in `check`.
//!
//! A state is a tuple of codes; a step is looked up, not evaluated ([`Steps`]). The search goes
//! level by level, so the first violation that it meets is a shortest one. A system that may begin
//! in several ways is searched from all starts at once, in their order.
//!
//! Large graphs are cut into shards by hash. On each level every core expands a part of the
//! frontier, then takes in the states that fell into its shards.

mod paths;
mod search;
mod tuple;

use std::sync::Arc;

use num_bigint::BigUint;
use rustc_hash::FxHashMap;

use super::intern::{LocalOf, sort_groups};
use super::limits::Meter;
use super::property::PropertyKind;
use super::shortest::settled;
use super::steps::{Coded, Initial, Met, Steps};
use super::system::Local;
use super::verdict::{Bound, Engine, Finding, Growth, Interleavings, Outcomes, Report, Verdict};
use super::{Checker, Lost, Schedule, Value};
use crate::Process;
use crate::errno::shown;
use search::{Counts, Paths, Search, Stop};
use tuple::{Few, Small, Tuple, Wide};

/// The name of the property that every system has.
pub const DEADLOCK_FREE: &str = "deadlock-free";

/// A graph that outgrows this many states is started anew on all cores; below, threads cost more
/// than they bring.
const STATES_WORTH_THREADS: usize = 50_000;

/// Into how many parts a large graph is cut. There are so many that the table of a part stays in
/// the core's own cache while the part is taken in. The number is the same on every machine, so
/// that every machine finds the same one of several shortest counterexamples.
const SHARDS: usize = 256;

/// One way in which a system can end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The output of each actor, in the order of the system's actors; `None` for an actor that
    /// waits for ever. The outputs of identical actors are sorted: it makes no difference which of
    /// them it was.
    pub outputs: Vec<Option<String>>,
    /// The world that is left, in its `Debug` form.
    pub world: String,
    /// How many interleavings end so.
    pub interleavings: BigUint,
}

/// The options of [`Checker::graph`].
#[derive(Clone, Debug)]
pub struct GraphOptions {
    /// Treat states as one if they differ only in which of several identical actors is where.
    pub symmetry: bool,
    /// Count interleavings, if there are no more states than this. Counting takes about as long
    /// again as finding the states, and 8 bytes for each transition.
    pub count_interleavings_up_to: usize,
    /// Give up, unfinished, beyond this many states.
    pub max_states: usize,
    /// Threads to use on large graphs; one for each core if `None`.
    pub threads: Option<usize>,
}

impl Default for GraphOptions {
    fn default() -> Self {
        GraphOptions {
            symmetry: true,
            count_interleavings_up_to: 4_000_000,
            max_states: 100_000_000,
            threads: None,
        }
    }
}

impl<W: Value, P: Process<W, Output: Value> + Value> Checker<W, P> {
    /// Searches the state graph breadth first: shortest counterexamples, exact counts.
    pub fn graph(&self, options: &GraphOptions) -> Report {
        let mut meter = self.limits.start(Engine::Graph);
        let threads = options
            .threads
            .or_else(|| std::thread::available_parallelism().ok().map(|cores| cores.get()))
            .unwrap_or(1)
            .max(1);
        // What was stepped for a tuple that turned out too narrow need not be stepped again.
        let (steps, initial) = Steps::of(&self.system);
        let from: From<'_> = (&steps, &initial);
        let found = explored::<Small>(from, options, threads, &mut meter)
            .or_else(|| explored::<Wide>(from, options, threads, &mut meter))
            .or_else(|| explored::<Few>(from, options, threads, &mut meter))
            .or_else(|| explored::<Box<[u32]>>(from, options, threads, &mut meter))
            .expect("a boxed slice holds codes of any size");
        let mut report = self.report_graph(&steps, found, options);
        report.elapsed = meter.elapsed();
        report
    }

    /// Every distinct end with the number of its interleavings, those with the most interleavings
    /// first. `None` if some execution never ends, if a step is a fault, or if there are more than
    /// `max_states` states.
    pub fn ends(&self, max_states: usize) -> Option<Vec<End>> {
        let mut meter = self.limits.start(Engine::Graph);
        let (steps, initial) = Steps::of(&self.system);
        let mut search = Search::<Box<[u32]>>::new(&steps, true, 1, 1);
        if search.run(&initial, max_states, &mut meter) != Stop::Complete {
            return None;
        }
        let mut ends: FxHashMap<(Vec<Option<String>>, String), BigUint> = FxHashMap::default();
        let ended = search.counted_ends()?;
        let (worlds, values) = steps.values();
        for (codes, interleavings) in ended {
            let [world, locals @ ..] = &*codes else { continue };
            let told = |local: &u32| match &*values[*local as usize] {
                Local::Done(output) => Some(shown(output)),
                Local::Running(_) => None,
            };
            let mut outputs: Vec<Option<String>> = locals.iter().map(told).collect();
            for group in &self.system.groups {
                outputs[group.members.clone()].sort();
            }
            let world = format!("{:?}", worlds[*world as usize]);
            *ends.entry((outputs, world)).or_default() += interleavings;
        }
        let ends = ends.into_iter();
        let end = |((outputs, world), interleavings)| End { outputs, world, interleavings };
        let mut ends: Vec<End> = ends.map(end).collect();
        ends.sort_by(|one, other| {
            let order = other.interleavings.cmp(&one.interleavings);
            let told = |end: &End| (end.outputs.clone(), end.world.clone());
            order.then_with(|| told(one).cmp(&told(other)))
        });
        Some(ends)
    }

    fn report_graph(
        &self,
        steps: &Steps<'_, W, P>,
        found: Explored,
        options: &GraphOptions,
    ) -> Report {
        let values = steps.values();
        let untested =
            if found.bound.is_none() { self.untested(&values.1, &found) } else { Vec::new() };
        Report {
            engine: Engine::Graph,
            starts: self.system.starts.len() as u64,
            mode: if options.symmetry { "symmetry" } else { "every state" },
            outcomes: Some(self.outcomes(&values, found.ends)),
            findings: found.findings,
            executions: None,
            states: Some(found.states),
            transitions: Some(found.transitions),
            interleavings: found.interleavings,
            bound: found.bound,
            untested,
            growth: found.growth,
            elapsed: Default::default(),
        }
    }

    /// The properties that no state could have violated; these local states were met.
    fn untested(&self, met: &[Arc<LocalOf<W, P>>], found: &Explored) -> Vec<String> {
        let is_end = |codes: &[u32]| {
            codes.iter().skip(1).all(|local| met[*local as usize].output().is_some())
        };
        let ended = found.ends.iter().any(|codes| is_end(codes));
        let properties = self.system.properties.iter();
        let untested = properties.filter(|property| match property.kind() {
            PropertyKind::Always => {
                // One that lets nobody be counted holds just if nobody is.
                property.most().is_some_and(|most| most > 0)
                    && !met.iter().any(|local| property.counts(local) == Some(true))
            }
            PropertyKind::Finally => !ended,
            PropertyKind::Reachable => false,
        });
        untested.map(|property| property.name().to_owned()).collect()
    }

    /// The search's outcomes in the codes that this checker's engines share. Each world and each
    /// local state is looked up there once, however many outcomes it is part of.
    fn outcomes(
        &self,
        (known_worlds, known_locals): &Met<W, P>,
        ends: Vec<Box<[u32]>>,
    ) -> Outcomes {
        let mut shared = self.codes.lock();
        let mut worlds = FxHashMap::default();
        let mut locals = FxHashMap::default();
        let translated = ends.into_iter().map(|mut codes| {
            if let [world, rest @ ..] = &mut *codes {
                *world = *worlds
                    .entry(*world)
                    .or_insert_with(|| shared.worlds.code_of(&known_worlds[*world as usize]));
                for local in &mut *rest {
                    *local = *locals
                        .entry(*local)
                        .or_insert_with(|| shared.locals.code_of(&known_locals[*local as usize]));
                }
                sort_groups(&self.system.groups, rest);
            }
            codes
        });
        translated.collect()
    }
}

/// The step table, and where it begins.
type From<'a> = (&'a dyn Coded, &'a Initial);

/// What a search comes to, in codes.
struct Explored {
    findings: Vec<Finding>,
    states: u64,
    transitions: u64,
    interleavings: Interleavings,
    /// The end states, deadlocks among them.
    ends: Vec<Box<[u32]>>,
    bound: Option<Bound>,
    growth: Option<Growth>,
}

/// Searches with states as a `K`; `None` if one does not fit.
fn explored<K: Tuple>(
    (steps, initial): From<'_>,
    options: &GraphOptions,
    threads: usize,
    meter: &mut Meter,
) -> Option<Explored> {
    let mut search = Search::<K>::new(steps, options.symmetry, 1, 1);
    let mut stop = search.run(initial, STATES_WORTH_THREADS.min(options.max_states), meter);
    let mut early = Vec::new();
    if stop == Stop::Full && STATES_WORTH_THREADS < options.max_states {
        // What it met, it met in the order of the starts, which shards do not keep.
        early = search.decisions();
        search = Search::new(steps, options.symmetry, threads, SHARDS);
        stop = search.run(initial, options.max_states, meter);
    }
    let bound = match stop {
        Stop::TooNarrow => return None,
        Stop::Complete => None,
        Stop::Full => Some(Bound::States(search.states() as u64)),
        Stop::Limit(bound) => Some(bound),
        Stop::Fault(kind) => Some(Bound::Fault(kind)),
    };
    let growth = match &bound {
        None | Some(Bound::Fault(_)) => None,
        Some(_) => {
            let (worlds, locals) = steps.met();
            Some(Growth { worlds, locals, longest: search.longest() })
        }
    };
    let decided = search.decisions().into_iter().enumerate();
    let decided: Vec<Option<Schedule>> =
        decided.map(|(index, late)| early.get(index).cloned().flatten().or(late)).collect();
    // One that tells identical clients apart is a second opinion: nobody is shown its schedules.
    let decided =
        match options.symmetry && !matches!(bound, Some(Bound::Time(_) | Bound::Memory(_))) {
            true => settled((steps, initial), decided),
            false => decided,
        };
    let countable = bound.is_none() && search.states() <= options.count_interleavings_up_to;
    let paths = countable.then(|| search.paths());
    let properties = &steps.shape().properties;
    let deadlock = decided[properties.len()].clone();
    let mut findings = vec![finding(DEADLOCK_FREE, PropertyKind::Always, deadlock, &bound)];
    for ((name, kind), decided) in properties.iter().zip(decided) {
        findings.push(finding(name, *kind, decided, &bound));
    }
    let interleavings = match paths {
        Some(paths) => match counted(&mut search, &paths, initial, &mut findings) {
            Some(total) => Interleavings::Exactly(total),
            None => Interleavings::Infinite,
        },
        None => Interleavings::NotCounted,
    };
    let fault = search.fault();
    findings.extend(fault.map(|(kind, schedule)| Finding::fault(kind, Some(schedule))));
    Some(Explored {
        findings,
        states: search.states() as u64,
        transitions: search.transitions(),
        interleavings,
        ends: search.ends().collect(),
        bound,
        growth,
    })
}

/// Counts the interleavings. For each of the findings, freedom from deadlock first, it also counts
/// those that violate it: all of them, and those that continue from each step of its
/// counterexample. `None` if some interleaving never ends.
fn counted<K: Tuple>(
    search: &mut Search<'_, K>,
    paths: &Paths,
    initial: &Initial,
    findings: &mut [Finding],
) -> Option<BigUint> {
    let along = findings.iter().map(|finding| match &finding.verdict {
        Verdict::Violated(Some(schedule)) => Some(search.states_along(initial, schedule)),
        _ => None,
    });
    let along: Vec<Option<Vec<u32>>> = along.collect();
    let states: Vec<u32> = along.iter().flatten().flatten().copied().collect();
    let Counts { total, from } = paths.counts(&states)?;
    let mut from = from.into_iter();
    for (index, (finding, states)) in findings.iter_mut().zip(along).enumerate() {
        let Some(states) = states else { continue };
        let sound = search.sound_paths(paths, index.checked_sub(1), &states)?;
        let all = from.by_ref().take(states.len()).collect();
        finding.violating = Some(&total - sound.total);
        finding.lost = Some(Lost::of(&finding.property, all, sound.from));
    }
    Some(total)
}

/// The answer for a property that this schedule decides, if any does.
fn finding(
    name: &str,
    kind: PropertyKind,
    decided: Option<Schedule>,
    bound: &Option<Bound>,
) -> Finding {
    let verdict = match (kind, decided, bound) {
        (PropertyKind::Reachable, Some(witness), _) => Verdict::Holds(Some(witness)),
        (_, Some(counterexample), _) => Verdict::Violated(Some(counterexample)),
        (_, None, Some(bound)) => Verdict::Unfinished(bound.clone()),
        (PropertyKind::Reachable, None, None) => Verdict::Violated(None),
        (_, None, None) => Verdict::Holds(None),
    };
    Finding { property: name.to_owned(), kind, verdict, violating: None, lost: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Step;
    use crate::check::{Start, System};

    /// Counts to `goal` on its own, then adds one to the world.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Counting {
        at: u32,
        goal: u32,
    }

    impl Process<u32> for Counting {
        type Output = ();

        fn step(self, world: &mut u32) -> Step<Self, ()> {
            if self.at < self.goal {
                return Step::Next(Counting { at: self.at + 1, ..self });
            }
            *world += 1;
            Step::Done(())
        }
    }

    fn counting(actors: usize, goal: u32) -> System<u32, Counting> {
        System::new(0).clients(actors, Counting { at: 0, goal })
    }

    #[test]
    fn the_number_of_interleavings_is_the_multinomial_coefficient() {
        // Three processes of 4 steps: 12! / (4!)^3.
        let report = Checker::new(counting(3, 3)).graph(&GraphOptions::default());
        assert_eq!(report.interleavings.to_string(), "34650");
        let plain = GraphOptions { symmetry: false, ..GraphOptions::default() };
        let every_state = Checker::new(counting(3, 3)).graph(&plain);
        assert_eq!(every_state.interleavings.to_string(), "34650");
        assert_eq!(every_state.states, Some(5 * 5 * 5));
        assert_eq!(report.states, Some(35), "multisets of 3 out of 5");
    }

    #[test]
    fn wide_states_are_counted_like_narrow_ones() {
        // 14 actors fit no integer, 300 local states only where there are few.
        let report = Checker::new(counting(14, 1)).graph(&GraphOptions::default());
        assert_eq!(report.states, Some(120), "multisets of 14 out of 3");
        let report = Checker::new(counting(2, 300)).graph(&GraphOptions::default());
        assert_eq!(report.states, Some(302 * 303 / 2));
        assert!(report.exhaustive());
    }

    #[test]
    fn every_number_of_threads_finds_the_same_graph() {
        let one = |threads| {
            let options =
                GraphOptions { symmetry: false, threads: Some(threads), ..Default::default() };
            let report = Checker::new(counting(4, 17)).graph(&options);
            (report.states, report.transitions, report.interleavings.to_string())
        };
        assert_eq!(one(1), one(2));
        assert_eq!(one(1), one(5));
        assert_eq!(one(1).0, Some(19u64.pow(4)));
    }

    #[test]
    fn every_number_of_threads_finds_the_same_start() {
        let start = |world| Start {
            name: format!("from {world}"),
            world,
            processes: vec![Counting { at: 0, goal: 17 }; 4],
        };
        let one = |threads| {
            let names = ["first", "second", "third", "fourth"];
            let system = System::family(&names, [0, 3, 1].map(start).into())
                .always("never-5", |state| *state.world() != 5);
            let options = GraphOptions { threads: Some(threads), ..Default::default() };
            let report = Checker::new(system).graph(&options);
            let schedule = report.finding("never-5").unwrap().verdict.schedule().cloned();
            (schedule.unwrap(), report.states, report.interleavings.to_string())
        };
        let found = one(1);
        // From 3 two of them get there, from 1 it takes all four.
        assert_eq!((found.0.start, found.0.turns.len()), (1, 36));
        assert_eq!(found, one(2));
        assert_eq!(found, one(5));
    }

    #[test]
    fn a_bound_is_reported_and_never_taken_for_a_proof() {
        let options = GraphOptions { max_states: 20, ..GraphOptions::default() };
        let system = counting(3, 3).always("small", |state| *state.world() <= 3);
        let report = Checker::new(system).graph(&options);
        assert!(!report.exhaustive());
        assert!(!report.holds());
        let small = report.finding("small").unwrap();
        assert!(matches!(small.verdict, Verdict::Unfinished(Bound::States(_))));
    }

    #[test]
    fn each_pair_of_world_and_process_is_stepped_once() {
        let system = counting(9, 1);
        let (steps, initial) = Steps::of(&system);
        let mut search = Search::<Wide>::new(&steps, false, 1, 1);
        let mut meter = crate::check::Limits::NONE.start(Engine::Graph);
        assert_eq!(search.run(&initial, usize::MAX, &mut meter), Stop::Complete);
        assert_eq!(search.states(), 3usize.pow(9));
        // Worlds 0 to 8 with a process that has not ended: at 0, or at 1.
        assert_eq!(steps.evaluations(), 18);
    }
}
