//! Fourth floor, `report`: what the page shows of one variant in one scenario. Imports
//! [`check`](crate::check), [`scene`](crate::scene) and [`survey`](crate::survey).

use serde::Serialize;

use super::EXPLORABLE;
use crate::check::{Bound, Engine, Finding, Interleavings, Report, Schedule, Trace, Verdict};
use crate::report::{count, grouped};
use crate::scene::{Scene, word};

/// Systems of one variant in one scenario, however they are made.
pub(super) trait Systems {
    /// What a size is called: `2 clients`.
    fn sized(&self, size: usize) -> String;

    /// The steps of the system of this size from this start.
    fn scene(&self, size: usize, start: usize, along: &[&Schedule]) -> Option<Scene>;

    /// An execution, told; and who counts in the end, under each property of which too many do.
    fn told(&self, size: usize, schedule: &Schedule) -> Option<(Trace, Vec<String>)>;

    /// What a counterexample comes to, in a sentence or two.
    fn closing(&self, finding: &Finding, report: &Report, trace: Option<&Trace>) -> String;
}

/// What there is to see.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Cell {
    properties: Vec<Shown>,
    engines: Vec<Row>,
    scenes: Vec<Scene>,
}

/// A property, and an execution that decides it.
#[derive(Clone, Debug, Serialize)]
struct Shown {
    name: String,
    kind: &'static str,
    /// `violated`, `holds`, `unfinished`.
    verdict: &'static str,
    /// The system that it is shown in: `2 clients`.
    size: String,
    /// How large that is.
    number: usize,
    /// Which of the scenes; `None` where there is no machine to explore.
    scene: Option<usize>,
    /// The execution: a counterexample, or a witness.
    schedule: Option<Turns>,
    /// How many interleavings violate it, in digits, where that was counted.
    violating: Option<String>,
    /// Of how many, in digits or a word.
    interleavings: String,
    /// What one of them is called.
    counted: &'static str,
    /// Before the first step and after each: how many continuations violate it, of how many.
    lost: Vec<[String; 2]>,
    closing: String,
    /// Who counts in the end.
    counts: Vec<String>,
    /// Deadlocks that a step was failed for: which step, from 0, and the circle.
    circles: Vec<(usize, String)>,
    /// The execution in words, where there is no scene.
    trace: Option<Traced>,
}

/// A schedule.
#[derive(Clone, Debug, Serialize)]
struct Turns {
    start: usize,
    turns: Vec<usize>,
    ways: Vec<(usize, usize)>,
}

/// An execution of threads: there is nothing to look up, so it is told.
#[derive(Clone, Debug, Serialize)]
struct Traced {
    actors: Vec<String>,
    steps: Vec<TracedStep>,
    unfinished: Vec<(usize, String)>,
    end: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct TracedStep {
    actor: usize,
    call: String,
    waits_for: Option<Vec<usize>>,
    output: Option<String>,
}

/// What one engine did with a system of one size.
#[derive(Clone, Debug, Serialize)]
struct Row {
    size: String,
    engine: String,
    states: String,
    executions: String,
    interleavings: String,
    /// That it is exhaustive, or what stopped it.
    bound: String,
}

/// What was found with one size.
pub(super) type Found<'s> = (usize, &'s [Report]);

impl Cell {
    /// What there is to see of systems of which this was found, smallest first.
    pub(super) fn of(systems: &dyn Systems, found: &[Found<'_>]) -> Cell {
        let mut cell =
            Cell { properties: Vec::new(), engines: engines(systems, found), scenes: Vec::new() };
        let decisions = decisions(found);
        let home = home(found, &decisions);
        let mut decisions = one_each(decisions, home);
        decisions.sort_by_key(|decision| position(found, &decision.finding.property));
        let beginnings = beginnings(&decisions);
        let mut places = Vec::new();
        for Beginning { size, start, along } in &beginnings {
            places.push(systems.scene(*size, *start, along).map(|scene| {
                cell.scenes.push(scene);
                cell.scenes.len() - 1
            }));
        }
        for decision in &decisions {
            let begins = |known: &Beginning<'_>| {
                let start = decision.schedule().map(|schedule| schedule.start);
                known.size == decision.size && start.is_none_or(|start| known.start == start)
            };
            let place = beginnings.iter().position(begins).and_then(|at| places[at]);
            cell.properties.push(decision.shown(systems, place));
        }
        cell
    }
}

/// A system of one size that begins in one way, and the executions of it that are shown.
struct Beginning<'s> {
    size: usize,
    start: usize,
    along: Vec<&'s Schedule>,
}

/// What there is to explore, so that each property has a system to be shown in.
fn beginnings<'s>(decisions: &[Decision<'s>]) -> Vec<Beginning<'s>> {
    let mut beginnings: Vec<Beginning<'s>> = Vec::new();
    for decision in decisions {
        let Some(schedule) = decision.schedule() else { continue };
        let (size, start) = (decision.size, schedule.start);
        match beginnings.iter_mut().find(|known| (known.size, known.start) == (size, start)) {
            Some(known) => known.along.push(schedule),
            None => beginnings.push(Beginning { size, start, along: vec![schedule] }),
        }
    }
    // What holds without an execution that shows it is explored from wherever that size begins.
    for decision in decisions {
        if !beginnings.iter().any(|known| known.size == decision.size) {
            beginnings.push(Beginning { size: decision.size, start: 0, along: Vec::new() });
        }
    }
    beginnings
}

/// A property of a system of one size, and who decided it.
struct Decision<'s> {
    size: usize,
    report: &'s Report,
    finding: &'s Finding,
}

impl<'s> Decision<'s> {
    fn is_violated(&self) -> bool {
        matches!(self.finding.verdict, Verdict::Violated(_))
    }

    fn schedule(&self) -> Option<&'s Schedule> {
        self.finding.verdict.schedule()
    }

    fn shown(&self, systems: &dyn Systems, scene: Option<usize>) -> Shown {
        let Decision { size, report, finding } = *self;
        let told = self.schedule().and_then(|schedule| systems.told(size, schedule));
        let (trace, counts) =
            told.map_or((None, Vec::new()), |(trace, counts)| (Some(trace), counts));
        let (interleavings, counted) = report.counted();
        let circle = |(at, step): (usize, &crate::check::TraceStep)| {
            step.circle.as_ref().map(|circle| (at, circled(trace.as_ref(), circle)))
        };
        let steps = trace.iter().flat_map(|trace| trace.steps.iter().enumerate());
        let circles = steps.filter_map(circle).collect();
        let lost = finding.lost.iter().flat_map(|lost| &lost.shares);
        Shown {
            name: finding.property.clone(),
            kind: word(finding.kind),
            verdict: finding.verdict.word(),
            size: systems.sized(size),
            number: size,
            scene,
            schedule: self.schedule().map(|schedule| Turns {
                start: schedule.start,
                turns: schedule.turns.clone(),
                ways: schedule.ways.clone(),
            }),
            violating: finding.violating.as_ref().map(ToString::to_string),
            interleavings: interleavings.to_string(),
            counted,
            lost: lost.map(|share| [share.violating.to_string(), share.all.to_string()]).collect(),
            closing: match self.is_violated() {
                true => systems.closing(finding, report, trace.as_ref()),
                false => String::new(),
            },
            counts: if self.is_violated() { counts } else { Vec::new() },
            circles,
            trace: trace.filter(|_| scene.is_none()).map(|trace| Traced::of(&trace)),
        }
    }
}

fn circled(trace: Option<&Trace>, circle: &[usize]) -> String {
    let names = circle.iter().map(|actor| trace.map_or_else(String::new, |it| it.names(&[*actor])));
    names.collect::<Vec<_>>().join(" → ")
}

impl Traced {
    fn of(trace: &Trace) -> Traced {
        let steps = trace.steps.iter().map(|step| TracedStep {
            actor: step.actor,
            call: trace.call(step),
            waits_for: step.waits_for.clone(),
            output: step.output.clone(),
        });
        let unfinished = trace.unfinished.iter().map(|left| {
            let told = match (left.waits, &left.waits_for) {
                (false, _) => "had not finished".to_owned(),
                (true, None) => "waits".to_owned(),
                (true, Some(nobody)) if nobody.is_empty() => "waits for nobody".to_owned(),
                (true, Some(them)) => format!("waits for {}", trace.names(them)),
            };
            (left.actor, told)
        });
        Traced {
            actors: trace.actors.clone(),
            steps: steps.collect(),
            unfinished: unfinished.collect(),
            end: trace.end.clone(),
        }
    }
}

/// For each property and size, who decided it; of those that are violated, the smallest size alone.
fn decisions<'s>(found: &[Found<'s>]) -> Vec<Decision<'s>> {
    let mut decisions: Vec<Decision<'s>> = Vec::new();
    let mut broken: Vec<&str> = Vec::new();
    for (size, reports) in found {
        let certain = || reports.iter().filter(|report| report.engine != Engine::Any);
        let mut names: Vec<&str> = Vec::new();
        for name in certain().flat_map(|report| &report.findings).map(|it| it.property.as_str()) {
            if !names.contains(&name) && !broken.contains(&name) {
                names.push(name);
            }
        }
        for name in names {
            let by = |report: &'s Report| Some((report, report.finding(name)?));
            let mut by: Vec<(&Report, &Finding)> = certain().filter_map(by).collect();
            by.sort_by_key(|(_, finding)| matches!(finding.verdict, Verdict::Unfinished(_)));
            let Some((report, finding)) = by.first().copied() else { continue };
            let decision = Decision { size: *size, report, finding };
            if decision.is_violated() {
                broken.push(&finding.property);
            }
            decisions.push(decision);
        }
    }
    decisions
}

/// Of each property one decision: the one that breaks it; or else that of the size which is home, or of the smallest
/// in which it is claimed.
fn one_each(decisions: Vec<Decision<'_>>, home: usize) -> Vec<Decision<'_>> {
    let worth = |decision: &Decision<'_>| match (decision.is_violated(), decision.size == home) {
        (true, _) => 2,
        (false, true) => 1,
        (false, false) => 0,
    };
    let mut best: Vec<Decision<'_>> = Vec::new();
    for decision in decisions {
        let name = &decision.finding.property;
        match best.iter_mut().find(|known| known.finding.property == *name) {
            Some(known) if worth(known) < worth(&decision) => *known = decision,
            Some(_) => {}
            None => best.push(decision),
        }
    }
    best
}

/// Where a property comes among those that are claimed.
fn position(found: &[Found<'_>], property: &str) -> usize {
    let reports = found.iter().flat_map(|(_, reports)| reports.iter());
    let positions = reports.filter_map(|report| {
        report.findings.iter().position(|finding| finding.property == property)
    });
    positions.min().unwrap_or(usize::MAX)
}

/// In which system the properties are shown that hold: the one of the first counterexample; or else the
/// smallest in which most properties are decided and that can be explored.
fn home(found: &[Found<'_>], decisions: &[Decision<'_>]) -> usize {
    if let Some(first) = decisions.iter().find(|decision| decision.is_violated()) {
        return first.size;
    }
    let decided = |size: usize| {
        let here = decisions.iter().filter(|decision| decision.size == size);
        here.filter(|decision| matches!(decision.finding.verdict, Verdict::Holds(_))).count()
    };
    let is_small = |reports: &[Report]| {
        let states = reports.iter().find(|report| report.engine == Engine::Graph);
        states.and_then(|report| report.states).is_none_or(|states| states <= EXPLORABLE as u64)
    };
    let sizes = found.iter().map(|(size, reports)| {
        (std::cmp::Reverse(is_small(reports)), std::cmp::Reverse(decided(*size)), *size)
    });
    sizes.min().map_or(0, |(_, _, size)| size)
}

/// A row for each engine and size.
fn engines(systems: &dyn Systems, found: &[Found<'_>]) -> Vec<Row> {
    let number = |number: Option<u64>| {
        number.map_or_else(String::new, |number| grouped(&number.to_string()))
    };
    let row = |size: usize, report: &Report| {
        let is_any = report.engine == Engine::Any;
        Row {
            size: if is_any { "any number".to_owned() } else { systems.sized(size) },
            engine: format!("{}, {}", report.engine.name(), report.mode),
            states: match (is_any, report.states) {
                (true, Some(states)) => count(states, "configuration"),
                (_, states) => number(states),
            },
            executions: number(report.executions),
            interleavings: match &report.interleavings {
                Interleavings::NotCounted => String::new(),
                counted => grouped(&counted.to_string()),
            },
            bound: report.bound.as_ref().map_or_else(|| "all of it".to_owned(), Bound::to_string),
        }
    };
    found.iter().flat_map(|(size, reports)| reports.iter().map(|it| row(*size, it))).collect()
}
