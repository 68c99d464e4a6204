//! Fourth floor, `survey`: the executions that show a verdict. Imports [`check`](crate::check),
//! [`case`](crate::case) and its neighbours in `survey`.

use num_bigint::BigUint;

use super::run::max_states;
use super::{Checked, Subject, Survey};
use crate::case::Method;
use crate::check::{
    Bound, Engine, Finding, GraphOptions, Interleavings, LoomOptions, Lost, PropertyKind, Report,
    Schedule, Verdict,
};

/// A shortest execution that violates a property, or that witnesses a `reachable`.
#[derive(Clone, Debug)]
pub struct Example {
    /// The system, without its size.
    pub subject: Subject,
    /// The size: the smallest that shows the property.
    pub size: usize,
    /// The property.
    pub property: String,
    /// The kind of the property: which states it speaks of.
    pub kind: PropertyKind,
    /// Whether the property is violated.
    pub is_violated: bool,
    /// The execution. There is none for a `reachable` that no execution reaches.
    pub schedule: Option<Schedule>,
    /// How many interleavings violate it, where that was counted.
    pub violating: Option<BigUint>,
    /// When the execution is lost, where that was counted.
    pub lost: Option<Lost>,
    /// How many interleavings there are.
    pub interleavings: Interleavings,
    /// What one of them is called: `interleaving`, or `execution` where the memory model makes
    /// several out of one interleaving.
    pub counted: &'static str,
}

impl Example {
    pub(crate) fn of(subject: Subject, size: usize, report: &Report, finding: &Finding) -> Example {
        let (interleavings, counted) = report.counted();
        Example {
            subject,
            size,
            property: finding.property.clone(),
            kind: finding.kind,
            is_violated: matches!(finding.verdict, Verdict::Violated(_)),
            schedule: finding.verdict.schedule().cloned(),
            violating: finding.violating.clone(),
            lost: finding.lost.clone(),
            interleavings,
            counted,
        }
    }

    /// Whether both examples are the same execution of the same system.
    pub fn is_same_execution(&self, other: &Example) -> bool {
        self.subject.is(&other.subject)
            && self.size == other.size
            && self.schedule == other.schedule
    }
}

impl Survey {
    /// For each violated property of each subject: the execution of the smallest system.
    pub fn counterexamples(&self) -> Vec<Example> {
        let mut examples = Vec::new();
        for subject in self.subjects() {
            let mut shown: Vec<&str> = Vec::new();
            for system in self.of(&subject) {
                for (report, finding) in violations(system) {
                    if !shown.contains(&finding.property.as_str()) {
                        shown.push(&finding.property);
                        examples.push(Example::of(subject, system.size, report, finding));
                    }
                }
            }
        }
        examples
    }
}

/// Violations in a system of this size, the state graph's first.
fn violations(system: &Checked) -> impl Iterator<Item = (&Report, &Finding)> {
    let certain = system.reports.iter().filter(|report| report.engine != Engine::Any);
    certain.flat_map(|report| {
        let findings = report.findings.iter();
        findings
            .filter(|finding| matches!(finding.verdict, Verdict::Violated(_)))
            .map(move |finding| (report, finding))
    })
}

/// The shortest counterexample to each property that these subjects violate (or only to
/// `property`). It comes from the first subject that violates it, with the smallest size (or with
/// `size`).
pub fn examples(subjects: &[Subject], property: Option<&str>, size: Option<usize>) -> Vec<Example> {
    first_of_each(subjects, property, size, |report| {
        let asked =
            |finding: &&Finding| property.is_none_or(|property| property == finding.property);
        let violated = |finding: &&Finding| matches!(finding.verdict, Verdict::Violated(_));
        report.findings.iter().filter(asked).filter(violated).collect()
    })
}

/// A shortest witness of each `reachable` of these subjects (or only of `property`, if it is one).
/// It comes from the first subject that has one, with the smallest size (or with `size`).
pub fn witnesses(
    subjects: &[Subject],
    property: Option<&str>,
    size: Option<usize>,
) -> Vec<Example> {
    first_of_each(subjects, property, size, |report| {
        let reachable = |finding: &&Finding| finding.kind == PropertyKind::Reachable;
        let mut wanted: Vec<&Finding> = report.findings.iter().filter(reachable).collect();
        let is_asked = |finding: &Finding| property == Some(finding.property.as_str());
        if wanted.iter().any(|finding| is_asked(finding)) {
            wanted.retain(|finding| is_asked(finding));
        }
        wanted.retain(|finding| matches!(finding.verdict, Verdict::Holds(Some(_))));
        wanted
    })
}

/// The first wanted example of each property: subject by subject, smallest system first.
fn first_of_each(
    subjects: &[Subject],
    property: Option<&str>,
    size: Option<usize>,
    wanted: impl Fn(&Report) -> Vec<&Finding>,
) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    for subject in subjects {
        for (size, report) in decided(subject, size, property) {
            for finding in wanted(&report) {
                if !found.iter().any(|known| known.property == finding.property) {
                    found.push(Example::of(*subject, size, &report, finding));
                }
            }
        }
    }
    found
}

/// The result of the state graph, or of loom, for the properties without a violation.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The system, without its size.
    pub subject: Subject,
    /// The size.
    pub size: usize,
    /// The properties that hold.
    pub holding: Vec<String>,
    /// The properties that were not decided, and why.
    pub undecided: Vec<(String, Bound)>,
    /// How many states were explored.
    pub states: u64,
    /// How many interleavings these states account for.
    pub interleavings: Interleavings,
    /// What one of them is called.
    pub counted: &'static str,
}

/// What holds for these subjects (or whether `property` does), for each size that is tried (or for
/// `size`).
pub fn proofs(subjects: &[Subject], property: Option<&str>, size: Option<usize>) -> Vec<Proof> {
    let mut proofs = Vec::new();
    for subject in subjects {
        for (size, report) in decided(subject, size, property) {
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
                let (interleavings, counted) = report.counted();
                let subject = *subject;
                proofs.push(Proof {
                    subject,
                    size,
                    holding,
                    undecided,
                    states,
                    interleavings,
                    counted,
                });
            }
        }
    }
    proofs
}

/// The reports of the state graph for one size after the other; or loom's, where there is no graph.
fn decided(
    subject: &Subject,
    size: Option<usize>,
    property: Option<&str>,
) -> impl Iterator<Item = (usize, Report)> {
    let tried = size.map_or_else(|| sizes(subject, property), |size| vec![size]);
    tried.into_iter().filter_map(move |size| {
        let case = subject.case(size)?;
        let options = GraphOptions { max_states: max_states(size), ..GraphOptions::default() };
        let method = match case.is_machine() {
            true => Method::Graph(options),
            false => Method::Loom(LoomOptions::default()),
        };
        Some((size, case.check(&method)))
    })
}

/// The sizes that are tried if nobody asks for a size. They include the sizes from which on a
/// property is known to break, even if these are larger.
fn sizes(subject: &Subject, property: Option<&str>) -> Vec<usize> {
    let known = subject.variant.breaks().filter(|breaks| {
        breaks.scenario == subject.scenario.name
            && property.is_none_or(|property| property == breaks.property)
    });
    let mut sizes = subject.model.size().tried.to_vec();
    sizes.extend(known.map(|breaks| breaks.from_size));
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}
