//! Fourth floor, `report`: one JSON object for each verdict, of the catalogue or of a system of
//! your own. Imports [`check`](crate::check) and [`survey`](crate::survey).

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::check::{
    Bound, DEADLOCK_FREE, Engine, Examination, Finding, Interleavings, Lost, PropertyKind, Report,
    Trace, Unfinished, Verdict,
};
use crate::replay::Search;
use crate::survey::{Checked, Share, Survey};

/// What one engine says about one property of one system. A field that does not apply is `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The model.
    pub model: &'static str,
    /// The variant of the protocol.
    pub variant: &'static str,
    /// The scenario: what surrounds the protocol.
    pub scenario: &'static str,
    /// How large the system is: `"clients": 2`.
    #[serde(flatten)]
    pub size: Sized,
    /// The verdict on the property.
    #[serde(flatten)]
    pub said: Said,
}

/// What one engine says about one property. A field that does not apply is `null`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Said {
    /// The engine.
    pub engine: &'static str,
    /// The property.
    pub property: String,
    /// `holds`, `violated` or `unfinished`.
    pub verdict: &'static str,
    /// `always`, `finally` or `reachable`.
    pub kind: PropertyKind,
    /// What stopped the engine, if something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
    /// Executions run from the start.
    pub executions: Option<u64>,
    /// Distinct states.
    pub states: Option<u64>,
    /// Maximal interleavings.
    pub interleavings: Option<Number>,
    /// How many distinct outcomes were reached.
    pub outcomes: Option<usize>,
    /// Whether every execution was accounted for.
    pub exhaustive: bool,
    /// The name of the schedule's start; left out if the system has only one start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The index of that start; left out if it is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_index: Option<usize>,
    /// The counterexample, or the witness of a `reachable`.
    pub schedule: Option<Vec<usize>>,
    /// The turns that have a choice and do not take the first way. Each is an index in `schedule`,
    /// with the number of the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ways: Vec<(usize, usize)>,
    /// For threads: the turns that read an old value. Each is an index in `schedule`, with how many
    /// writes old the value is. Left out if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<(usize, usize)>,
    /// For a deadlock: each blocked actor, and the actors it waits for. Left out if that is not
    /// known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Vec<Waits>>,
    /// When the counterexample is lost. Left out if that was not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Losing>,
    /// The time that the engine took, for all properties together.
    pub elapsed_ms: f64,
}

/// An actor that waits, and the actors it waits for, by their indices in schedules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waits {
    /// The actor that waits.
    pub actor: usize,
    /// The actors it waits for.
    pub waits_for: Vec<usize>,
}

/// The point at which a counterexample is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Losing {
    /// The number of the step, from 1, after which every continuation violates the property. `null`
    /// if every interleaving violates it.
    pub point_of_no_return: Option<usize>,
    /// The counts before the first step, and after each step.
    pub continuations: Vec<Continuations>,
}

/// The counts of interleavings that continue from one state. They are strings of digits, as a count
/// may be too large for a JSON number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Continuations {
    /// How many continuations violate the property.
    pub violating: String,
    /// How many continuations there are.
    pub all: String,
}

impl From<&Lost> for Losing {
    fn from(lost: &Lost) -> Losing {
        let continuations = lost.shares.iter().map(|share| Continuations {
            violating: share.violating.to_string(),
            all: share.all.to_string(),
        });
        let continuations = continuations.collect();
        Losing { point_of_no_return: lost.point_of_no_return(), continuations }
    }
}

/// The size of a system. The field's name is what the size counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sized {
    /// The name of the field: `clients`.
    pub plural: String,
    /// The number; `None` for `any`, which speaks of every number.
    pub number: Option<usize>,
}

impl Serialize for Sized {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.plural, &self.number)?;
        map.end()
    }
}

/// A count of any size: a JSON number if every reader takes it exactly, otherwise a string of
/// digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Number {
    /// Up to 2^53.
    Exact(u64),
    /// A larger number, or `infinite`.
    Text(String),
}

impl Number {
    const LARGEST: u64 = 1 << 53;

    fn of(interleavings: &Interleavings) -> Option<Number> {
        match interleavings {
            Interleavings::Exactly(number) => Some(
                u64::try_from(number)
                    .ok()
                    .filter(|number| *number <= Self::LARGEST)
                    .map_or_else(|| Number::Text(number.to_string()), Number::Exact),
            ),
            Interleavings::Infinite => Some(Number::Text("infinite".into())),
            Interleavings::NotCounted => None,
        }
    }
}

/// One row for each system, engine and property.
pub fn rows(survey: &Survey) -> Vec<Row> {
    survey.systems.iter().flat_map(of_system).collect()
}

/// The rows, one a line.
pub fn lines(survey: &Survey) -> Result<String, serde_json::Error> {
    let mut out = String::new();
    for row in rows(survey) {
        out.push_str(&serde_json::to_string(&row)?);
        out.push('\n');
    }
    Ok(out)
}

/// A system that has no rows, or more to say than rows do.
#[derive(Serialize)]
struct Aside {
    model: &'static str,
    variant: &'static str,
    scenario: &'static str,
    #[serde(flatten)]
    size: Sized,
    /// The engines that it was too large for.
    left_out: Vec<Engine>,
    /// Where engines contradict one another.
    disagreements: Vec<String>,
}

/// The lines of one share beside its [rows](lines): one line for each system that has no rows or
/// about which engines disagree, and a last line that says which share it is.
pub fn share(survey: &Survey, share: Share) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Last {
        share: usize,
        of: usize,
        systems: usize,
        elapsed_ms: u64,
    }
    let mut out = String::new();
    for system in &survey.systems {
        if system.left_out.is_empty() && system.disagreements.is_empty() {
            continue;
        }
        let (subject, size) = (&system.subject, system.subject.model.size());
        let aside = Aside {
            model: subject.model.name(),
            variant: subject.variant.name,
            scenario: subject.scenario.name,
            size: Sized { plural: size.plural(), number: Some(system.size) },
            left_out: system.left_out.clone(),
            disagreements: system.disagreements.iter().map(ToString::to_string).collect(),
        };
        out.push_str(&serde_json::to_string(&aside)?);
        out.push('\n');
    }
    let last = Last {
        share: share.number(),
        of: share.of(),
        systems: survey.systems.len(),
        elapsed_ms: survey.elapsed.as_millis() as u64,
    };
    out.push_str(&serde_json::to_string(&last)?);
    out.push('\n');
    Ok(out)
}

/// What all engines say about a system of your own: one object for each engine and property, one on
/// each line. The lines are as for the catalogue, without the names of a model. The last line says
/// whether the whole is a proof, and if not, why.
///
/// ```
/// use toctou::check::System;
/// use toctou::report::json;
/// use toctou::{Process, Step};
///
/// #[derive(Clone, Debug, PartialEq, Eq, Hash)]
/// struct Take;
///
/// impl Process<u8> for Take {
///     type Output = bool;
///     fn step(self, tickets: &mut u8) -> Step<Self, bool> {
///         let got = *tickets > 0;
///         *tickets = tickets.saturating_sub(1);
///         Step::Done(got)
///     }
/// }
///
/// let tickets = System::new(1)
///     .clients(2, Take)
///     .at_most(1, "one-winner", |client| client.output().filter(|got| **got).copied());
/// let lines = json::examination(&tickets.examine())?;
/// assert!(lines.contains(r#""clients":2,"engine":"graph","property":"one-winner","verdict":"holds""#));
/// assert!(lines.contains(r#"{"is_proof":true,"#));
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn examination(examination: &Examination) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Own {
        #[serde(flatten)]
        size: Sized,
        #[serde(flatten)]
        said: Said,
    }
    let mut out = String::new();
    let starts = &examination.starts;
    for report in once_each(&examination.reports) {
        for finding in &report.findings {
            let size = Sized {
                plural: "clients".to_owned(),
                number: (report.engine != Engine::Any).then_some(examination.clients),
            };
            let shown = examination.shown.iter().find(|shown| {
                finding.property == DEADLOCK_FREE && shown.properties.contains(&finding.property)
            });
            let waits = shown.and_then(|shown| waiting(shown.trace.as_ref().ok()?));
            let own = Own { size, said: said(report, finding, starts, waits) };
            out.push_str(&serde_json::to_string(&own)?);
            out.push('\n');
        }
    }
    let larger = examination.larger.iter();
    let judged = Judged {
        is_proof: examination.is_proof(),
        disagreements: examination.disagreements.iter().map(ToString::to_string).collect(),
        breaks_with_more: larger.map(|larger| (&*larger.property, larger.clients)).collect(),
        vacuous: &examination.vacuous,
        notes: &examination.notes,
    };
    out.push_str(&serde_json::to_string(&judged)?);
    out.push('\n');
    Ok(out)
}

/// What a search of the kernel found, as one line.
pub fn search(search: &Search) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Searched {
        engine: &'static str,
        executions: u64,
        outcomes: usize,
        simulated: usize,
        exhaustive: bool,
        agrees: bool,
    }
    serde_json::to_string(&Searched {
        engine: "kernel",
        executions: search.executions,
        outcomes: search.outcomes.len(),
        simulated: search.simulated.len(),
        exhaustive: search.finished,
        agrees: search.agrees(),
    })
}

/// Whether an examination is a proof, and if not, why.
#[derive(Serialize)]
struct Judged<'e> {
    is_proof: bool,
    disagreements: Vec<String>,
    /// Each property, and with how many clients it breaks, if that was found.
    breaks_with_more: Vec<(&'e str, Option<usize>)>,
    vacuous: &'e [String],
    notes: &'e [String],
}

/// Each engine's first report: the graph without symmetry is there for the audit.
fn once_each(reports: &[Report]) -> impl Iterator<Item = &Report> {
    let mut told: Vec<Engine> = Vec::new();
    reports.iter().filter(move |report| {
        let is_new = !told.contains(&report.engine);
        told.push(report.engine);
        is_new
    })
}

fn of_system(system: &Checked) -> Vec<Row> {
    let each = once_each(&system.reports)
        .flat_map(|report| report.findings.iter().map(move |finding| (report, finding)));
    each.map(|(report, finding)| row(system, report, finding)).collect()
}

fn row(system: &Checked, report: &Report, finding: &Finding) -> Row {
    Row {
        model: system.subject.model.name(),
        variant: system.subject.variant.name,
        scenario: system.subject.scenario.name,
        size: Sized {
            plural: system.subject.model.size().plural(),
            number: (report.engine != Engine::Any).then_some(system.size),
        },
        said: said(report, finding, &system.starts, waits(system, finding)),
    }
}

fn said(
    report: &Report,
    finding: &Finding,
    starts: &[String],
    waits_for: Option<Vec<Waits>>,
) -> Said {
    let schedule = finding.verdict.schedule();
    let many = (starts.len() > 1).then_some(starts);
    Said {
        engine: report.engine.name(),
        property: finding.property.clone(),
        verdict: finding.verdict.word(),
        kind: finding.kind,
        bound: match &finding.verdict {
            Verdict::Unfinished(bound) => Some(bound.clone()),
            Verdict::Holds(_) | Verdict::Violated(_) => report.bound.clone(),
        },
        executions: report.executions,
        states: report.states,
        interleavings: Number::of(&report.interleavings),
        outcomes: report.outcomes.as_ref().map(|outcomes| outcomes.len()),
        // An engine may have looked at all there is and yet not decide this property.
        exhaustive: report.exhaustive() && !matches!(finding.verdict, Verdict::Unfinished(_)),
        start: schedule.and_then(|schedule| many?.get(schedule.start).cloned()),
        start_index: schedule.map(|schedule| schedule.start).filter(|start| *start > 0),
        schedule: schedule.map(|schedule| schedule.turns.clone()),
        ways: schedule.map(|schedule| schedule.ways.clone()).unwrap_or_default(),
        stale: schedule.map(|schedule| schedule.stale.clone()).unwrap_or_default(),
        waits_for,
        lost: finding.lost.as_ref().map(Losing::from),
        elapsed_ms: (report.elapsed.as_secs_f64() * 1e6).round() / 1e3,
    }
}

/// Who waits for whom where a deadlock was found: its schedule is played to see.
fn waits(system: &Checked, finding: &Finding) -> Option<Vec<Waits>> {
    if finding.property != DEADLOCK_FREE {
        return None;
    }
    let schedule = finding.verdict.schedule()?;
    waiting(&system.subject.case(system.size)?.play(schedule).ok()?)
}

/// Who waits for whom at the end of a trace in which nobody can go on.
fn waiting(trace: &Trace) -> Option<Vec<Waits>> {
    trace.standstill()?;
    let waiting = trace.unfinished.iter();
    let waits =
        |left: &Unfinished| Some(Waits { actor: left.actor, waits_for: left.waits_for.clone()? });
    waiting.map(waits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_a_field_named_by_what_is_counted() {
        let actions = Sized { plural: "actions".into(), number: Some(2) };
        assert_eq!(serde_json::to_string(&actions).unwrap(), r#"{"actions":2}"#);
        let clients = Sized { plural: "clients".into(), number: None };
        assert_eq!(serde_json::to_string(&clients).unwrap(), r#"{"clients":null}"#);
    }

    #[test]
    fn a_number_that_a_double_cannot_hold_is_text() {
        let number = |n: u128| Number::of(&Interleavings::Exactly(n.into()));
        assert_eq!(number(1 << 53), Some(Number::Exact(1 << 53)));
        assert_eq!(number((1 << 53) + 1), Some(Number::Text("9007199254740993".into())));
        assert_eq!(Number::of(&Interleavings::NotCounted), None);
    }
}
