//! Fourth floor, `report`: one JSON object a verdict. Imports [`check`](crate::check) and
//! [`survey`](crate::survey).

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::check::{DEADLOCK_FREE, Engine, Finding, Interleavings, Report, Verdict};
use crate::survey::{Checked, Survey};

/// What one engine says of one property of one system. `null` where a field does not apply.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Whose variant.
    pub model: &'static str,
    /// Which way of writing the protocol.
    pub variant: &'static str,
    /// What surrounds it.
    pub scenario: &'static str,
    /// How large the system is: `"clients": 2`.
    #[serde(flatten)]
    pub size: Sized,
    /// Who says so.
    pub engine: &'static str,
    /// Of which property.
    pub property: String,
    /// `holds`, `violated` or `unfinished`.
    pub verdict: &'static str,
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
    /// How that schedule begins; left out where there is only one way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The counterexample, or the witness of a `reachable`.
    pub schedule: Option<Vec<usize>>,
    /// Of threads: the turns that read an old value, by their index in `schedule`, and how many writes
    /// old; left out where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<(usize, usize)>,
    /// Of a deadlock: each actor that waits, and for whom; left out where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<Vec<Waits>>,
    /// Time the engine took, for all properties together.
    pub elapsed_ms: f64,
}

/// Who waits for whom, by the indices that schedules name actors by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waits {
    /// Who waits.
    pub actor: usize,
    /// For whom.
    pub waits_for: Vec<usize>,
}

/// How large a system is, in a field named by what it is sized by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sized {
    /// `clients`.
    pub plural: String,
    /// How many; none for `any`, which speaks of every number.
    pub number: Option<usize>,
}

impl Serialize for Sized {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.plural, &self.number)?;
        map.end()
    }
}

/// A count of any size: a JSON number where every reader takes it exactly, else its digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Number {
    /// Up to 2^53.
    Exact(u64),
    /// Beyond; or `infinite`.
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

fn of_system(system: &Checked) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut told: Vec<Engine> = Vec::new();
    for report in &system.reports {
        // The graph without symmetry is there for the audit.
        if !told.contains(&report.engine) {
            told.push(report.engine);
            rows.extend(report.findings.iter().map(|finding| row(system, report, finding)));
        }
    }
    rows
}

fn row(system: &Checked, report: &Report, finding: &Finding) -> Row {
    let schedule = finding.verdict.schedule();
    let many = (system.starts.len() > 1).then_some(&system.starts);
    Row {
        model: system.subject.model.name(),
        variant: system.subject.variant.name,
        scenario: system.subject.scenario.name,
        size: Sized {
            plural: system.subject.model.size().plural(),
            number: (report.engine != Engine::Any).then_some(system.size),
        },
        engine: report.engine.name(),
        property: finding.property.clone(),
        verdict: finding.verdict.word(),
        executions: report.executions,
        states: report.states,
        interleavings: Number::of(&report.interleavings),
        outcomes: report.outcomes.as_ref().map(|outcomes| outcomes.len()),
        // An engine may have looked at all there is and yet not decide this property.
        exhaustive: report.exhaustive() && !matches!(finding.verdict, Verdict::Unfinished(_)),
        start: schedule.and_then(|schedule| many?.get(schedule.start).cloned()),
        schedule: schedule.map(|schedule| schedule.turns.clone()),
        stale: schedule.map(|schedule| schedule.stale.clone()).unwrap_or_default(),
        waits_for: waits(system, finding),
        elapsed_ms: (report.elapsed.as_secs_f64() * 1e6).round() / 1e3,
    }
}

/// Who waits for whom where a deadlock was found: its schedule is played to see.
fn waits(system: &Checked, finding: &Finding) -> Option<Vec<Waits>> {
    if finding.property != DEADLOCK_FREE {
        return None;
    }
    let schedule = finding.verdict.schedule()?;
    let trace = system.subject.case(system.size)?.play(schedule).ok()?;
    trace.standstill()?;
    let waiting = trace.unfinished.into_iter();
    waiting.map(|left| Some(Waits { actor: left.actor, waits_for: left.waits_for? })).collect()
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
