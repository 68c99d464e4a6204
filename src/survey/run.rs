//! Fourth floor, `survey`: one plan, carried out. Imports [`check`](crate::check),
//! [`case`](crate::case), [`models`](crate::models) and its neighbours in `survey`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::cores::{cores, on_all_cores};
use super::{Checked, Plan, Subject, Survey, compare};
use crate::case::{Case, Method};
use crate::check::{
    AnyLimits, Engine, GraphOptions, Interleavings, LoomOptions, Report, ShuttleMode, audit,
};
use crate::models::Size;

/// The limits of each engine for one system, if nobody asked for the engine by name. They are
/// counted in the numbers that the state graph reports for the system, so they are the same on
/// every machine.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The graph gives up beyond this many states.
    pub graph_states: usize,
    /// loom checks systems with at most this many transitions (identical clients told apart).
    pub loom_transitions: u64,
    /// shuttle likewise. It needs at most one execution for each transition.
    pub shuttle_transitions: u64,
    /// `any` gives up beyond this many configurations. Where it finishes at all, it finishes with
    /// fewer.
    pub any_configurations: usize,
}

impl Budget {
    /// The limits that check the whole catalogue within seconds.
    pub const USUAL: Budget = Budget {
        graph_states: 200_000,
        loom_transitions: 450,
        shuttle_transitions: 2_000,
        any_configurations: 2_000,
    };
}

/// Beyond this many states even a graph that was asked for is given up, before memory or patience
/// is: the larger a system, the larger a state and the more ways lead on from it.
pub(super) fn max_states(size: usize) -> usize {
    (40_000_000 / size.max(8)).max(100_000)
}

/// The graph tells identical clients apart, too, up to this many clients and states: one more
/// opinion for the audit, and the measure for the budget.
const APART_CLIENTS: usize = 4;
const APART_STATES: usize = 200_000;

/// loom walks every interleaving where there are at most so many.
const LOOM_INTERLEAVINGS: u64 = 1_000;

/// loom gives up after so many executions.
const LOOM_EXECUTIONS: u64 = 1_000_000;

/// The progress of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Systems finished.
    pub finished: usize,
    /// Systems altogether.
    pub systems: usize,
    /// The system that was finished last, without its size.
    pub subject: Subject,
    /// The size of that system.
    pub size: usize,
}

impl Plan {
    /// Runs the plan on all cores. It calls `tell` after each system, from several threads.
    pub fn run(&self, tell: &(dyn Fn(Progress) + Sync)) -> Survey {
        let started = Instant::now();
        let systems: Vec<(Subject, usize, bool)> = self
            .subjects
            .iter()
            .flat_map(|subject| {
                let sizes = self.sizes(subject).into_iter().enumerate();
                sizes.map(|(position, size)| (*subject, size, position == 0))
            })
            .enumerate()
            .filter(|(place, _)| self.share.has(*place))
            .map(|(_, system)| system)
            .collect();
        // The largest first, so that no core is left alone with one at the end.
        let mut order: Vec<usize> = (0..systems.len()).collect();
        order.sort_by_key(|index| std::cmp::Reverse(systems[*index].1));
        // With few systems a core would idle: let the graph use it.
        let threads = (systems.len() >= cores()).then_some(1);
        let finished = AtomicUsize::new(0);
        let checked = on_all_cores(&systems, &order, |(subject, size, is_first)| {
            let checked = self.check(*subject, *size, *is_first, threads);
            let finished = finished.fetch_add(1, Ordering::Relaxed) + 1;
            tell(Progress { finished, systems: systems.len(), subject: *subject, size: *size });
            checked
        });
        Survey { systems: checked, elapsed: started.elapsed() }
    }

    /// Of which sizes a subject is checked.
    fn sizes(&self, subject: &Subject) -> Vec<usize> {
        let known = subject.model.size_in(subject.scenario.name);
        match (self.size, &self.engines) {
            // The fewest clients that break something are looked for by name; the shortest script is
            // what is wanted of a model of scripts.
            (Some(size), _) if !known.is_clients() => {
                (known.least..=size.min(known.most)).collect()
            }
            (Some(size), _) => vec![size],
            (None, Some(engines)) if engines.iter().any(|e| *e != Engine::Graph) => {
                known.tried.to_vec()
            }
            (None, _) => known.usual.to_vec(),
        }
    }

    /// What was asked for by size may take longer.
    fn budget(&self, subject: &Subject, size: usize) -> Budget {
        let asked = self.size.is_some() && !subject.model.size().is_clients();
        let graph_states = if asked { max_states(size) } else { Budget::USUAL.graph_states };
        Budget { graph_states, ..Budget::USUAL }
    }

    /// Whether `any` has something to say of a system of a model, or was asked for by name.
    fn asks_for_any_number(&self, case: &dyn Case, size: &Size) -> bool {
        match self.engines.as_deref() {
            None => size.is_clients() && case.claims_counts(),
            Some([Engine::Any]) => true,
            Some(engines) => size.is_clients() && engines.contains(&Engine::Any),
        }
    }

    /// `any` speaks of every number of clients, so it runs with the first number only.
    fn check(
        &self,
        subject: Subject,
        size: usize,
        is_first: bool,
        threads: Option<usize>,
    ) -> Checked {
        let Some(case) = subject.case(size) else { return Checked::missing(subject, size) };
        let starts = case.starts();
        let (mut reports, left_out) = match &self.engines {
            None if !case.is_machine() => (vec![loom(&*case, None), shuttle(&*case)], Vec::new()),
            Some(engines) => (asked_for(&*case, size, engines, threads), Vec::new()),
            None => within(&self.budget(&subject, size), &*case, size, threads),
        };
        let known = subject.model.size();
        if is_first && case.is_machine() && self.asks_for_any_number(&*case, &known) {
            let larger = (known.representative > size).then(|| subject.case(known.representative));
            let case = larger.flatten().unwrap_or(case);
            let limits = match self.engines {
                Some(_) => AnyLimits::default(),
                None => AnyLimits { max_configurations: Budget::USUAL.any_configurations },
            };
            reports.push(case.check(&Method::Any(limits)));
        }
        reports.sort_by_key(|report| report.engine);
        let disagreements = audit(&reports);
        let mismatches = compare(subject.variant, subject.scenario.name, size, &reports);
        Checked { subject, size, starts, reports, disagreements, mismatches, left_out }
    }
}

fn graph(case: &dyn Case, symmetry: bool, max_states: usize, threads: Option<usize>) -> Report {
    case.check(&Method::Graph(GraphOptions {
        symmetry,
        max_states,
        threads,
        ..GraphOptions::default()
    }))
}

/// The graph with identical clients told apart, where that makes a difference and is not too large.
fn told_apart(case: &dyn Case, clients: usize, threads: Option<usize>) -> Option<Report> {
    let worth_it = case.has_clients() && clients <= APART_CLIENTS;
    let report = worth_it.then(|| graph(case, false, APART_STATES, threads));
    report.filter(Report::exhaustive)
}

/// loom: every interleaving where they are few, or else no state twice.
fn loom(case: &dyn Case, interleavings: Option<&Interleavings>) -> Report {
    let few = match interleavings {
        Some(Interleavings::Exactly(number)) => *number <= LOOM_INTERLEAVINGS.into(),
        _ => false,
    };
    let options = LoomOptions { skip_known_states: !few, max_executions: LOOM_EXECUTIONS };
    case.check(&Method::Loom(options))
}

fn shuttle(case: &dyn Case) -> Report {
    case.check(&Method::Shuttle(ShuttleMode::KnownStates))
}

fn asked_for(
    case: &dyn Case,
    size: usize,
    engines: &[Engine],
    threads: Option<usize>,
) -> Vec<Report> {
    let mut reports = Vec::new();
    for engine in engines {
        match engine {
            Engine::Graph => {
                reports.push(graph(case, true, max_states(size), threads));
                reports.extend(told_apart(case, size, threads));
            }
            Engine::Any => {}
            Engine::Loom => {
                let counted = match case.has_clients() {
                    true => told_apart(case, size, threads),
                    false => Some(graph(case, true, APART_STATES, threads)),
                };
                reports.push(loom(case, counted.as_ref().map(|report| &report.interleavings)));
            }
            Engine::Shuttle => reports.push(shuttle(case)),
        }
    }
    reports
}

fn within(
    budget: &Budget,
    case: &dyn Case,
    size: usize,
    threads: Option<usize>,
) -> (Vec<Report>, Vec<Engine>) {
    let mut left_out = Vec::new();
    let symmetric = graph(case, true, budget.graph_states, threads);
    if symmetric.fault().is_some() {
        // It is not too large: a step of it is none, and there is nothing else to say of it.
        return (vec![symmetric], Vec::new());
    }
    let apart = told_apart(case, size, threads);
    // Without symmetry the one graph is the other.
    let measure = if case.has_clients() { apart.as_ref() } else { Some(&symmetric) };
    let measure = measure.filter(|report| report.exhaustive());
    let transitions = measure.and_then(|report| report.transitions).unwrap_or(u64::MAX);
    let mut reports = Vec::new();
    if transitions <= budget.loom_transitions {
        reports.push(loom(case, Some(&symmetric.interleavings)));
    } else {
        left_out.push(Engine::Loom);
    }
    if transitions <= budget.shuttle_transitions {
        reports.push(shuttle(case));
    } else {
        left_out.push(Engine::Shuttle);
    }
    if symmetric.exhaustive() {
        reports.insert(0, symmetric);
    } else {
        left_out.insert(0, Engine::Graph);
    }
    reports.extend(apart);
    (reports, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::DbCase;
    use crate::check::{FaultKind, System};
    use crate::replay::Tables;
    use crate::{Process, Step};

    /// Ends, or panics.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Ends {
        well: bool,
    }

    impl Process<u32> for Ends {
        type Output = ();

        fn step(self, _: &mut u32) -> Step<Self, ()> {
            assert!(self.well, "not so");
            Step::Done(())
        }
    }

    #[test]
    fn a_system_in_which_a_step_is_none_is_not_taken_for_one_that_is_too_large() {
        let usual = |well| {
            let case = DbCase::new(System::new(0).clients(2, Ends { well }), |_| Tables::new());
            within(&Budget::USUAL, &case, 2, None)
        };
        let (reports, left_out) = usual(false);
        let faults: Vec<_> = reports.iter().map(Report::fault).collect();
        assert_eq!((faults, left_out), (vec![Some(FaultKind::Panic)], vec![]));
        let (reports, left_out) = usual(true);
        assert!(reports.len() > 2 && reports.iter().all(Report::holds), "{reports:?}");
        assert_eq!(left_out, []);
    }
}
