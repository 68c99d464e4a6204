//! Fourth floor: the whole catalogue before all engines. Imports [`check`](crate::check),
//! [`case`](crate::case) and [`models`](crate::models).
//!
//! A [`Plan`] says which systems to put before which engines; [`Plan::run`] does so on all cores,
//! [audits](fn@crate::check::audit) the engines against one another, and holds every verdict against
//! the one recorded for the variant.

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

/// One variant in one scenario; with a [size](Model::size) it is a system.
#[derive(Clone, Copy)]
pub struct Subject {
    /// Whose variant.
    pub model: &'static dyn Model,
    /// How the protocol is written.
    pub variant: &'static Variant,
    /// What surrounds it.
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

    /// Whether it is there to be found out: it breaks on purpose.
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

/// Which systems are to be put before which engines.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The systems, but for their size.
    pub subjects: Vec<Subject>,
    /// Of which size each; `None` for [what is usual](crate::models::Size::usual) with its model.
    pub size: Option<usize>,
    /// These engines and no others, however long they take; `None` for all of them, each as far as
    /// the [`Budget`] goes.
    pub engines: Option<Vec<Engine>>,
    /// Only this share of the systems, where several machines do one each.
    pub share: Share,
}

/// One of several shares of the systems of a [`Plan`]: every so-manieth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    number: usize,
    of: usize,
}

impl Share {
    /// All systems.
    pub const ALL: Share = Share { number: 1, of: 1 };

    /// The share of this number, from 1, of so many; `None` if there is no such share.
    pub fn new(number: usize, of: usize) -> Option<Share> {
        (1..=of).contains(&number).then_some(Share { number, of })
    }

    /// Which one, from 1.
    pub fn number(self) -> usize {
        self.number
    }

    /// Of how many.
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

/// Why a text is no [`Share`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a share: 1/2 is the first of two, 2/2 the second")]
pub struct NoShare;

/// Reads `1/2`, and `count:1/2` as cargo-nextest writes it.
impl std::str::FromStr for Share {
    type Err = NoShare;

    fn from_str(text: &str) -> Result<Share, NoShare> {
        let text = text.strip_prefix("count:").unwrap_or(text);
        let (number, of) = text.split_once('/').ok_or(NoShare)?;
        let read = |text: &str| text.parse().map_err(|_| NoShare);
        Share::new(read(number)?, read(of)?).ok_or(NoShare)
    }
}

/// What was found of one system.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Which one, but for its size.
    pub subject: Subject,
    /// How large: how many clients, for most models.
    pub size: usize,
    /// How the ways in which it may begin are called.
    pub starts: Vec<String>,
    /// What each engine found; the state graph may be there twice, with and without symmetry.
    pub reports: Vec<Report>,
    /// Where engines contradict one another.
    pub disagreements: Vec<Disagreement>,
    /// Where verdicts are not the recorded ones.
    pub mismatches: Vec<Mismatch>,
    /// The engines that it was too large for, by the budget.
    pub left_out: Vec<Engine>,
}

impl Checked {
    /// Whether no engine was given it, being too large for all of them; `any` says nothing of one size.
    pub fn is_left_out(&self) -> bool {
        !self.left_out.is_empty() && self.reports.iter().all(|report| report.engine == Engine::Any)
    }

    /// The properties that nobody decided, and what stopped whoever tried first.
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

    /// What decided a property of a system of this size: the first engine that has an answer,
    /// or else the first that has none.
    pub fn verdict(&self, property: &str) -> Option<&Verdict> {
        let certain = self.reports.iter().filter(|report| report.engine != Engine::Any);
        let mut verdicts =
            certain.filter_map(|report| Some(&report.finding(property)?.verdict)).peekable();
        let first = verdicts.peek().copied();
        verdicts.find(|verdict| !matches!(verdict, Verdict::Unfinished(_))).or(first)
    }
}

/// What was found of all systems of a [`Plan`].
#[derive(Clone, Debug)]
pub struct Survey {
    /// Each system, those of a subject together, smallest first.
    pub systems: Vec<Checked>,
    /// Time taken, all cores together working on it.
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

    /// How the start of an example is called, where there are several.
    pub fn start(&self, example: &Example) -> Option<String> {
        let schedule = example.schedule.as_ref()?;
        let system = self.of(&example.subject).find(|system| system.size == example.size)?;
        let name = system.starts.get(schedule.start)?;
        (system.starts.len() > 1).then(|| name.clone())
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
