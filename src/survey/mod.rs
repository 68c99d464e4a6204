//! Fourth floor: the whole catalogue, checked with all engines. Imports [`check`](crate::check),
//! [`case`](crate::case) and [`models`](crate::models).
//!
//! A [`Plan`] says which systems to check with which engines. [`Plan::run`] does so on all cores.
//! It [audits](fn@crate::check::audit) the engines against one another, and compares every verdict
//! with the one recorded for the variant.

mod blessed;
mod cores;
mod example;
mod names;
mod recorded;
mod replay;
mod run;

use std::fmt;
use std::time::Duration;

use crate::case::Case;
use crate::check::{Bound, Disagreement, Engine, Limits, Report, Verdict};
use crate::models::{Model, Scenario, Variant};

pub use blessed::{BlessError, Blessed, bless};
pub use example::{Example, Proof, examples, proofs, witnesses};
pub use names::{Names, NoSuch, Target, UnknownName};
pub use recorded::{Mismatch, compare};
pub use replay::{Replay, Stressed, by_chance, for_real};
pub use run::{Budget, Progress};

/// One variant in one scenario. With a [size](Model::size) it is a system.
#[derive(Clone, Copy)]
pub struct Subject {
    /// The model of the variant.
    pub model: &'static dyn Model,
    /// The variant.
    pub variant: &'static Variant,
    /// The scenario.
    pub scenario: &'static Scenario,
}

impl Subject {
    /// The system of this size; `None` if the model does not know its own variant.
    pub fn case(&self, size: usize) -> Option<Box<dyn Case>> {
        let mut case = self.model.case(self.variant.name, self.scenario.name, size)?;
        // What a plan gives an engine it counts in states and executions, the same on every machine.
        case.limit(Limits::NONE);
        Some(case)
    }

    /// Whether the variant is a negative control: it breaks on purpose.
    pub fn is_control(&self) -> bool {
        self.variant.is_control()
    }

    /// Whether both are the same.
    pub fn is(&self, other: &Subject) -> bool {
        self.names() == other.names()
    }

    fn names(&self) -> [&'static str; 3] {
        [self.model.name(), self.variant.name, self.scenario.name]
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join("/"))
    }
}

/// Which systems are checked with which engines.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The systems, without their size.
    pub subjects: Vec<Subject>,
    /// The size of every system; `None` for the [usual sizes](crate::models::Size::usual) of its
    /// model.
    pub size: Option<usize>,
    /// The only engines to use, however long they take. `None` for all engines, each within the
    /// [`Budget`].
    pub engines: Option<Vec<Engine>>,
    /// The share of the systems to check, where several machines check one share each.
    pub share: Share,
}

/// One of several shares of the systems of a [`Plan`]: every n-th system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    number: usize,
    of: usize,
}

impl Share {
    /// All systems.
    pub const ALL: Share = Share { number: 1, of: 1 };

    /// The share with this number, counted from 1, of `of` shares; `None` if there is no such
    /// share.
    pub fn new(number: usize, of: usize) -> Option<Share> {
        (1..=of).contains(&number).then_some(Share { number, of })
    }

    /// The number of the share, from 1.
    pub fn number(self) -> usize {
        self.number
    }

    /// How many shares there are.
    pub fn of(self) -> usize {
        self.of
    }

    /// Whether the system at this place of the plan belongs to it.
    fn has(self, place: usize) -> bool {
        place % self.of == self.number - 1
    }
}

/// `1/2`.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// Why a text is not a [`Share`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a share; the first of two is 1/2")]
pub struct NoShare;

/// Parses `1/2`, and `count:1/2` as cargo-nextest writes it.
impl std::str::FromStr for Share {
    type Err = NoShare;

    fn from_str(text: &str) -> Result<Share, NoShare> {
        let text = text.strip_prefix("count:").unwrap_or(text);
        let (number, of) = text.split_once('/').ok_or(NoShare)?;
        let read = |text: &str| text.parse().map_err(|_| NoShare);
        Share::new(read(number)?, read(of)?).ok_or(NoShare)
    }
}

/// The results for one system.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The system, without its size.
    pub subject: Subject,
    /// The size: the number of clients, for most models.
    pub size: usize,
    /// The names of the ways in which the system may begin.
    pub starts: Vec<String>,
    /// The report of each engine. The state graph may have two, with and without symmetry.
    pub reports: Vec<Report>,
    /// Where engines contradict one another.
    pub disagreements: Vec<Disagreement>,
    /// Verdicts that differ from the recorded ones.
    pub mismatches: Vec<Mismatch>,
    /// The engines that did not run, because the system is too large for them by the budget.
    pub left_out: Vec<Engine>,
}

impl Checked {
    /// Whether the system was too large for all engines, so that none of them ran. `any` does not
    /// count: it says nothing about one size.
    pub fn is_left_out(&self) -> bool {
        !self.left_out.is_empty() && self.reports.iter().all(|report| report.engine == Engine::Any)
    }

    /// The properties that no engine decided, and what stopped the first engine that tried.
    pub fn undecided(&self) -> Vec<(&str, &Bound)> {
        let mut undecided: Vec<(&str, &Bound)> = Vec::new();
        let certain = self.reports.iter().filter(|report| report.engine != Engine::Any);
        for finding in certain.flat_map(|report| &report.findings) {
            let property = finding.property.as_str();
            if let Some(Verdict::Unfinished(bound)) = self.verdict(property)
                && !undecided.iter().any(|(known, _)| *known == property)
            {
                undecided.push((property, bound));
            }
        }
        undecided
    }

    /// A system that its own model does not know.
    fn missing(subject: Subject, size: usize) -> Checked {
        Checked {
            subject,
            size,
            starts: Vec::new(),
            reports: Vec::new(),
            disagreements: Vec::new(),
            mismatches: vec![Mismatch::NoSystem],
            left_out: Vec::new(),
        }
    }

    /// The verdict on a property of a system of this size: that of the first engine that decided
    /// it, or else of the first that did not.
    pub fn verdict(&self, property: &str) -> Option<&Verdict> {
        let certain = self.reports.iter().filter(|report| report.engine != Engine::Any);
        let mut verdicts =
            certain.filter_map(|report| Some(&report.finding(property)?.verdict)).peekable();
        let first = verdicts.peek().copied();
        verdicts.find(|verdict| !matches!(verdict, Verdict::Unfinished(_))).or(first)
    }
}

/// The results for all systems of a [`Plan`].
#[derive(Clone, Debug)]
pub struct Survey {
    /// All systems. Those of one subject stand together, smallest first.
    pub systems: Vec<Checked>,
    /// The time taken, with all cores working together.
    pub elapsed: Duration,
}

impl Survey {
    /// Whether all engines agree and every verdict is the recorded one.
    pub fn is_as_recorded(&self) -> bool {
        self.systems
            .iter()
            .all(|system| system.disagreements.is_empty() && system.mismatches.is_empty())
    }

    /// The systems of one variant in one scenario, smallest first.
    pub fn of(&self, subject: &Subject) -> impl Iterator<Item = &Checked> {
        self.systems.iter().filter(move |system| system.subject.is(subject))
    }

    /// The name of the example's start, if the system has several.
    pub fn start(&self, example: &Example) -> Option<String> {
        let schedule = example.schedule.as_ref()?;
        let system = self.of(&example.subject).find(|system| system.size == example.size)?;
        let name = system.starts.get(schedule.start)?;
        (system.starts.len() > 1).then(|| name.clone())
    }

    /// The models that it has systems of, in their order.
    pub fn models(&self) -> Vec<&'static dyn Model> {
        let mut models: Vec<&'static dyn Model> = Vec::new();
        for system in &self.systems {
            let model = system.subject.model;
            if !models.iter().any(|known| known.name() == model.name()) {
                models.push(model);
            }
        }
        models
    }

    /// Each variant in each scenario, once.
    pub fn subjects(&self) -> Vec<Subject> {
        let mut subjects: Vec<Subject> = Vec::new();
        for system in &self.systems {
            if !subjects.iter().any(|known| known.is(&system.subject)) {
                subjects.push(system.subject);
            }
        }
        subjects
    }
}
