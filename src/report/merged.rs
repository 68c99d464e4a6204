//! Fourth floor, `report`: the rows of several shares of one plan, read back and put together. Imports
//! [`check`](crate::check), [`models`](crate::models) and [`survey`](crate::survey).

use std::time::Duration;

use serde::Deserialize;

use crate::check::{
    Bound, Engine, Finding, Interleavings, PropertyKind, Report, Schedule, Verdict, audit,
};
use crate::survey::{Checked, Names, Share, Subject, Survey, compare};

/// Why rows do not make one table.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A line that `check --partition --format json` does not print.
    #[error("{file}, line {line}: {why}")]
    Line {
        /// In which file.
        file: String,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A run that was cut short, or that had no share.
    #[error(
        "{0} does not say which share it is: was it printed to its end, by `check --partition K/N --format json`?"
    )]
    NoShare(String),
    /// Shares of several plans.
    #[error("{0} is one of {1} shares, {2} one of {3}")]
    Counts(String, usize, String, usize),
    /// The same share twice.
    #[error("{0} and {1} are both share {2}")]
    Twice(String, String, Share),
    /// Shares that nobody has.
    #[error("of {of} shares, {} missing", listed(.missing))]
    Missing {
        /// Which, from 1.
        missing: Vec<usize>,
        /// Of how many.
        of: usize,
    },
    /// Fewer systems than the share says that it had.
    #[error("{file} has {found} systems, and says at its end that it had {told}")]
    Systems {
        /// Which file.
        file: String,
        /// How many there are.
        found: usize,
        /// How many there were.
        told: usize,
    },
}

fn listed(numbers: &[usize]) -> String {
    let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
    match numbers.as_slice() {
        [one] => format!("share {one} is"),
        _ => format!("shares {} are", numbers.join(", ")),
    }
}

/// What several shares found together.
#[derive(Debug)]
pub struct Merged {
    /// As if one machine had done it all. The time is that of the slowest share.
    pub survey: Survey,
    /// Where engines of one share contradict one another, a line each.
    pub disagreements: Vec<String>,
}

/// A line of a share.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Said(Box<Said>),
    Aside(Aside),
    Last { share: usize, of: usize, systems: usize, elapsed_ms: u64 },
}

#[derive(Deserialize)]
struct System {
    model: String,
    variant: String,
    scenario: String,
    clients: Option<usize>,
    actions: Option<usize>,
    threads: Option<usize>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(flatten)]
    system: System,
    engine: Engine,
    property: String,
    verdict: Word,
    kind: PropertyKind,
    bound: Option<Bound>,
    executions: Option<u64>,
    states: Option<u64>,
    interleavings: Option<Number>,
    #[serde(default)]
    start_index: usize,
    schedule: Option<Vec<usize>>,
    #[serde(default)]
    ways: Vec<(usize, usize)>,
    #[serde(default)]
    stale: Vec<(usize, usize)>,
    elapsed_ms: f64,
}

#[derive(Deserialize)]
struct Aside {
    #[serde(flatten)]
    system: System,
    left_out: Vec<Engine>,
    disagreements: Vec<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Holds,
    Violated,
    Unfinished,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Exact(u64),
    Text(String),
}

/// One file: its name, and what is in it.
pub struct Rows {
    /// How errors name it.
    pub name: String,
    /// Its lines.
    pub text: String,
}

/// Puts the shares of one plan together, whatever their order.
///
/// # Errors
///
/// Where a line cannot be read, a model does not know what it names, or a share is missing, there twice, or
/// incomplete.
pub fn merged(names: Names, files: &[Rows]) -> Result<Merged, MergeError> {
    let mut whole =
        Whole { names, systems: Vec::new(), any: Vec::new(), disagreements: Vec::new() };
    let mut shares: Vec<(Share, &str)> = Vec::new();
    let mut elapsed = Duration::ZERO;
    for Rows { name, text } in files {
        let before = whole.systems.len();
        let mut told = None;
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let bad = |why: String| MergeError::Line { file: name.clone(), line: number + 1, why };
            let line = serde_json::from_str(line).map_err(|_| {
                bad("not a row of `check --partition K/N --format json`".to_owned())
            })?;
            match line {
                Line::Said(said) => whole.add(*said).map_err(bad)?,
                Line::Aside(aside) => whole.note(aside).map_err(bad)?,
                Line::Last { share, of, systems, elapsed_ms } => {
                    let share = Share::new(share, of)
                        .ok_or_else(|| bad(format!("there is no share {share}/{of}")))?;
                    elapsed = elapsed.max(Duration::from_millis(elapsed_ms));
                    told = Some((share, systems));
                }
            }
        }
        let (share, told) = told.ok_or_else(|| MergeError::NoShare(name.clone()))?;
        if let Some((known, other)) = shares.iter().find(|(known, _)| known.of() != share.of()) {
            return Err(MergeError::Counts((*other).into(), known.of(), name.clone(), share.of()));
        }
        if let Some((_, other)) = shares.iter().find(|(known, _)| *known == share) {
            return Err(MergeError::Twice((*other).into(), name.clone(), share));
        }
        let found = whole.systems.len() - before;
        if found != told {
            return Err(MergeError::Systems { file: name.clone(), found, told });
        }
        shares.push((share, name));
    }
    let of = shares.first().map_or(1, |(share, _)| share.of());
    let is_there = |number: &usize| shares.iter().any(|(share, _)| share.number() == *number);
    let missing: Vec<usize> = (1..=of).filter(|number| !is_there(number)).collect();
    if !missing.is_empty() {
        return Err(MergeError::Missing { missing, of });
    }
    Ok(whole.survey(elapsed))
}

/// What is known so far.
struct Whole {
    names: Names,
    systems: Vec<Checked>,
    /// What `any` says: of every size, and told with one.
    any: Vec<(Subject, Report)>,
    disagreements: Vec<String>,
}

impl Whole {
    fn add(&mut self, said: Said) -> Result<(), String> {
        let subject = self.subject(&said.system)?;
        let report = match (said.engine, said.system.size()) {
            (Engine::Any, _) => {
                let known = self.any.iter().position(|(known, _)| known.is(&subject));
                let at = known.unwrap_or(self.any.len());
                if known.is_none() {
                    self.any.push((subject, said.report()));
                }
                &mut self.any[at].1
            }
            (engine, Some(size)) => {
                let reports = &mut self.system(subject, size).reports;
                let known = reports.iter().position(|report| report.engine == engine);
                let at = known.unwrap_or(reports.len());
                if known.is_none() {
                    reports.push(said.report());
                }
                &mut reports[at]
            }
            (engine, None) => {
                return Err(format!("`{engine}` speaks of one size, and there is none"));
            }
        };
        // A decided row says what stopped the engine. Of others, a limit says more than a property
        // that the engine never decides.
        let is_decided = !matches!(said.verdict, Word::Unfinished);
        let by_nature = |bound: &Option<Bound>| bound.as_ref().is_none_or(Bound::is_by_nature);
        let is_decided_before =
            report.findings.iter().any(|it| !matches!(it.verdict, Verdict::Unfinished(_)));
        if is_decided || !is_decided_before && by_nature(&report.bound) {
            report.bound.clone_from(&said.bound);
        }
        report.findings.push(said.finding()?);
        Ok(())
    }

    fn note(&mut self, aside: Aside) -> Result<(), String> {
        let subject = self.subject(&aside.system)?;
        let size = aside.system.size().ok_or("it has no size")?;
        self.system(subject, size).left_out = aside.left_out;
        let noun = subject.model.size().noun;
        let told = aside.disagreements.iter();
        self.disagreements.extend(
            told.map(|told| format!("{subject:?} with {}: {told}", super::count(size, noun))),
        );
        Ok(())
    }

    fn subject(&self, system: &System) -> Result<Subject, String> {
        let target = self.names.target(&format!("{}/{}", system.model, system.variant));
        let target = target.map_err(|error| error.to_string())?;
        let scenario = target.scenarios(&system.scenario).map_err(|error| error.to_string())?;
        let mut subjects = target.subjects(Some(&scenario)).into_iter();
        subjects.next().ok_or_else(|| format!("{} has no `{}`", target.name(), system.scenario))
    }

    fn system(&mut self, subject: Subject, size: usize) -> &mut Checked {
        let is_it = |known: &Checked| known.size == size && known.subject.is(&subject);
        // Rows of one system stand together.
        let at = self.systems.iter().rposition(is_it).unwrap_or(self.systems.len());
        if at == self.systems.len() {
            self.systems.push(Checked {
                subject,
                size,
                starts: Vec::new(),
                reports: Vec::new(),
                disagreements: Vec::new(),
                mismatches: Vec::new(),
                left_out: Vec::new(),
            });
        }
        &mut self.systems[at]
    }

    /// All systems in the order of the catalogue, judged again.
    fn survey(self, elapsed: Duration) -> Merged {
        let Whole { names, mut systems, any, disagreements } = self;
        let place = |system: &Checked| {
            let subject = &system.subject;
            let of = |mut all: Box<dyn Iterator<Item = &'static str>>, name| {
                all.position(|it| it == name)
            };
            (
                of(Box::new(names.0.iter().map(|model| model.name())), subject.model.name()),
                of(
                    Box::new(subject.model.variants().iter().map(|it| it.name)),
                    subject.variant.name,
                ),
                of(
                    Box::new(subject.model.scenarios().iter().map(|it| it.name)),
                    subject.scenario.name,
                ),
                system.size,
            )
        };
        systems.sort_by_key(place);
        for (subject, report) in any {
            let smallest = systems.iter_mut().find(|system| system.subject.is(&subject));
            if let Some(system) = smallest {
                system.reports.push(report);
            }
        }
        for system in &mut systems {
            system.reports.sort_by_key(|report| report.engine);
            system.disagreements = audit(&system.reports);
            let Subject { variant, scenario, .. } = system.subject;
            system.mismatches = compare(variant, scenario.name, system.size, &system.reports);
        }
        Merged { survey: Survey { systems, elapsed }, disagreements }
    }
}

impl System {
    fn size(&self) -> Option<usize> {
        self.clients.or(self.actions).or(self.threads)
    }
}

impl Said {
    /// The engine's report, without findings.
    fn report(&self) -> Report {
        Report {
            engine: self.engine,
            mode: "as told",
            starts: 0,
            findings: Vec::new(),
            executions: self.executions,
            states: self.states,
            transitions: None,
            interleavings: match &self.interleavings {
                None => Interleavings::NotCounted,
                Some(Number::Exact(number)) => Interleavings::Exactly((*number).into()),
                Some(Number::Text(digits)) => match digits.parse() {
                    Ok(number) => Interleavings::Exactly(number),
                    Err(_) => Interleavings::Infinite,
                },
            },
            outcomes: None,
            bound: self.bound.clone(),
            untested: Vec::new(),
            growth: None,
            elapsed: Duration::from_secs_f64((self.elapsed_ms / 1e3).clamp(0.0, 1e9)),
        }
    }

    fn finding(self) -> Result<Finding, String> {
        let Said { start_index: start, ways, stale, .. } = self;
        let schedule = self.schedule.map(|turns| Schedule { start, turns, stale, ways });
        let verdict = match (self.verdict, self.bound) {
            (Word::Holds, _) => Verdict::Holds(schedule),
            (Word::Violated, _) => Verdict::Violated(schedule),
            (Word::Unfinished, Some(bound)) => Verdict::Unfinished(bound),
            (Word::Unfinished, None) => return Err("unfinished, and does not say why".to_owned()),
        };
        let (property, kind) = (self.property, self.kind);
        Ok(Finding { property, kind, verdict, violating: None, lost: None })
    }
}
