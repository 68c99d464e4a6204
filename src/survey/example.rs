//! Fourth floor, `survey`: the executions that show a verdict. Imports [`check`](crate::check),
//! [`case`](crate::case) and its neighbours in `survey`.

use num_bigint::BigUint;

use super::run::max_states;
use super::{Checked, Subject, Survey};
use crate::case::Method;
use crate::check::{
    Bound, Engine, Finding, GraphOptions, Interleavings, PropertyKind, Report, Schedule, Verdict,
};

/// A shortest execution that violates a property, or witnesses a `reachable`.
#[derive(Clone, Debug)]
pub struct Example {
    /// Of which system, but for the number of clients.
    pub subject: Subject,
    /// With how many clients: the fewest that show it.
    pub clients: usize,
    /// Which property.
    pub property: String,
    /// Over which states that speaks.
    pub kind: PropertyKind,
    /// Whether the property is violated.
    pub is_violated: bool,
    /// The execution; there is none for a `reachable` that nothing reaches.
    pub schedule: Option<Schedule>,
    /// How many interleavings violate it, where that was counted.
    pub violating: Option<BigUint>,
    /// Out of how many.
    pub interleavings: Interleavings,
}

impl Example {
    fn of(subject: Subject, clients: usize, report: &Report, finding: &Finding) -> Example {
        Example {
            subject,
            clients,
            property: finding.property.clone(),
            kind: finding.kind,
            is_violated: matches!(finding.verdict, Verdict::Violated(_)),
            schedule: finding.verdict.schedule().cloned(),
            violating: finding.violating.clone(),
            interleavings: report.interleavings.clone(),
        }
    }

    /// Whether both are one and the same execution of one system.
    pub fn is_same_execution(&self, other: &Example) -> bool {
        self.subject.is(&other.subject)
            && self.clients == other.clients
            && self.schedule == other.schedule
    }
}

impl Survey {
    /// For each property of each subject that is violated: the execution with the fewest clients.
    pub fn counterexamples(&self) -> Vec<Example> {
        let mut examples = Vec::new();
        for subject in self.subjects() {
            let mut shown: Vec<&str> = Vec::new();
            for system in self.of(&subject) {
                for (report, finding) in violations(system) {
                    if !shown.contains(&finding.property.as_str()) {
                        shown.push(&finding.property);
                        examples.push(Example::of(subject, system.clients, report, finding));
                    }
                }
            }
        }
        examples
    }
}

/// Violations with this number of clients, the state graph's first.
fn violations(system: &Checked) -> impl Iterator<Item = (&Report, &Finding)> {
    let certain = system.reports.iter().filter(|report| report.engine != Engine::Any);
    certain.flat_map(|report| {
        let findings = report.findings.iter();
        findings
            .filter(|finding| matches!(finding.verdict, Verdict::Violated(_)))
            .map(move |finding| (report, finding))
    })
}

/// How many clients are tried, one by one, for the fewest that break something.
const TRIED: std::ops::RangeInclusive<usize> = 1..=4;

/// The shortest counterexample to each property that these subjects violate (or only to
/// `property`): in the first of them that does, with the fewest clients; or with `clients`.
pub fn examples(
    subjects: &[Subject],
    property: Option<&str>,
    clients: Option<usize>,
) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    for subject in subjects {
        for (clients, report) in graphs(subject, clients) {
            for finding in &report.findings {
                let asked = property.is_none_or(|property| property == finding.property);
                let is_new = !found.iter().any(|known| known.property == finding.property);
                if asked && is_new && matches!(finding.verdict, Verdict::Violated(_)) {
                    found.push(Example::of(*subject, clients, &report, finding));
                }
            }
        }
    }
    found
}

/// A shortest witness of each `reachable` of these subjects (or only of `property`, if it is one):
/// in the first of them that has it, with the fewest clients; or with `clients`.
pub fn witnesses(
    subjects: &[Subject],
    property: Option<&str>,
    clients: Option<usize>,
) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    for subject in subjects {
        for (clients, report) in graphs(subject, clients) {
            let is_asked = |finding: &&Finding| property == Some(finding.property.as_str());
            let reachable =
                report.findings.iter().filter(|finding| finding.kind == PropertyKind::Reachable);
            let all: Vec<&Finding> = reachable.collect();
            let asked: Vec<&Finding> = all.iter().copied().filter(|f| is_asked(f)).collect();
            for finding in if asked.is_empty() { all } else { asked } {
                let is_new = !found.iter().any(|known| known.property == finding.property);
                if is_new && matches!(finding.verdict, Verdict::Holds(Some(_))) {
                    found.push(Example::of(*subject, clients, &report, finding));
                }
            }
        }
    }
    found
}

/// What the state graph says of a property that it found no violation of.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Of which system, but for the number of clients.
    pub subject: Subject,
    /// With how many clients.
    pub clients: usize,
    /// The properties that hold.
    pub holding: Vec<String>,
    /// Those of which that is not known, and why not.
    pub undecided: Vec<(String, Bound)>,
    /// How many states were looked at.
    pub states: u64,
    /// How many interleavings that accounts for.
    pub interleavings: Interleavings,
}

/// What holds of these subjects (or whether `property` does), with each number of clients that is
/// tried, or with `clients`.
pub fn proofs(subjects: &[Subject], property: Option<&str>, clients: Option<usize>) -> Vec<Proof> {
    let mut proofs = Vec::new();
    for subject in subjects {
        for (clients, report) in graphs(subject, clients) {
            let (mut holding, mut undecided) = (Vec::new(), Vec::new());
            for finding in &report.findings {
                if property.is_some_and(|property| property != finding.property) {
                    continue;
                }
                match &finding.verdict {
                    Verdict::Holds(_) => holding.push(finding.property.clone()),
                    Verdict::Unfinished(bound) => {
                        undecided.push((finding.property.clone(), bound.clone()));
                    }
                    Verdict::Violated(_) => {}
                }
            }
            // Some things are claimed in some scenarios only.
            if !holding.is_empty() || !undecided.is_empty() {
                let states = report.states.unwrap_or(0);
                let interleavings = report.interleavings;
                let subject = *subject;
                proofs.push(Proof { subject, clients, holding, undecided, states, interleavings });
            }
        }
    }
    proofs
}

/// The state graph with one number of clients after the other.
fn graphs(subject: &Subject, clients: Option<usize>) -> impl Iterator<Item = (usize, Report)> {
    let tried = clients.map_or(TRIED, |clients| clients..=clients);
    tried.filter_map(move |clients| {
        let case = subject.case(clients)?;
        let max_states = max_states(clients);
        let options = GraphOptions { max_states, ..GraphOptions::default() };
        Some((clients, case.check(&Method::Graph(options))))
    })
}
