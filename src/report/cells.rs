//! Fourth floor, `report`: what stands in a cell of a table of verdicts. Imports
//! [`check`](crate::check) and [`survey`](crate::survey).

use anstyle::Style;

use super::style::{BAD, FAINT, GOOD, UNSURE};
use crate::check::{Bound, Engine, PropertyKind, Verdict};
use crate::survey::{Checked, Subject, Survey};

/// Of what a column tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// The verdict on this property, over the sizes that were checked.
    Property(String),
    /// The verdict on the properties over counts, for any number of clients.
    AnyNumber,
    /// Whether everything that should be reachable was reached.
    Reached,
}

impl Column {
    pub(super) fn head(&self) -> &str {
        match self {
            Column::Property(property) => property,
            Column::AnyNumber => "any number",
            Column::Reached => "all reached",
        }
    }
}

/// What is in a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) style: Style,
    pub(super) as_recorded: bool,
}

impl Cell {
    pub(super) fn told(&self) -> String {
        if self.as_recorded { self.text.clone() } else { format!("{} !", self.text) }
    }
}

pub(super) fn cell_of(survey: &Survey, subject: &Subject, column: &Column) -> Cell {
    match column {
        Column::Property(property) => of_property(survey, subject, property),
        Column::AnyNumber => of_any(survey, subject),
        Column::Reached => of_reachables(survey, subject),
    }
}

/// `deadlock-free`, what is claimed `always` and `finally`, and the two that sum up.
pub(super) fn columns_of(survey: &Survey, rows: &[Subject]) -> Vec<Column> {
    let mut shown = Vec::new();
    let (mut any, mut reachable) = (false, false);
    for system in rows.iter().flat_map(|row| survey.of(row)) {
        for report in &system.reports {
            any |= report.engine == Engine::Any;
            for finding in &report.findings {
                reachable |= finding.kind == PropertyKind::Reachable;
                let column = Column::Property(finding.property.clone());
                if finding.kind != PropertyKind::Reachable && !shown.contains(&column) {
                    shown.push(column);
                }
            }
        }
    }
    if any {
        // Beside what it speaks of: the first property over counts.
        let over_counts = |column: &Column| match column {
            Column::Property(property) => {
                rows.iter().any(|row| decided_by_any(survey, row, property))
            }
            _ => false,
        };
        let at = shown.iter().position(over_counts).map_or(shown.len(), |position| position + 1);
        shown.insert(at, Column::AnyNumber);
    }
    if reachable {
        shown.push(Column::Reached);
    }
    shown
}

fn decided_by_any(survey: &Survey, subject: &Subject, property: &str) -> bool {
    let reports = survey.of(subject).flat_map(|system| &system.reports);
    reports.filter(|report| report.engine == Engine::Any).any(|report| {
        let finding = report.finding(property);
        finding.is_some_and(|finding| !matches!(finding.verdict, Verdict::Unfinished(_)))
    })
}

/// Whether it was too large for every engine, in every size that was asked for.
pub(super) fn is_left_out(survey: &Survey, subject: &Subject) -> bool {
    let mut systems = survey.of(subject).peekable();
    systems.peek().is_some() && systems.all(Checked::is_left_out)
}

/// What is claimed of a subject in some size, each property once.
pub(super) fn properties_of<'s>(survey: &'s Survey, subject: &Subject) -> Vec<&'s str> {
    let mut properties: Vec<&str> = Vec::new();
    let reports = survey.of(subject).flat_map(|system| &system.reports);
    for finding in reports.flat_map(|report| &report.findings) {
        if !properties.contains(&finding.property.as_str()) {
            properties.push(&finding.property);
        }
    }
    properties
}

/// Whether no mismatch speaks of this property.
fn as_recorded(survey: &Survey, subject: &Subject, property: &str) -> bool {
    let mut mismatches = survey.of(subject).flat_map(|system| &system.mismatches);
    !mismatches.any(|mismatch| mismatch.property() == property)
}

pub(super) fn of_property(survey: &Survey, subject: &Subject, property: &str) -> Cell {
    let as_recorded = as_recorded(survey, subject, property);
    let mut undecided = None;
    let mut known = false;
    for system in survey.of(subject) {
        match system.verdict(property) {
            Some(Verdict::Violated(_)) => {
                let text = format!("✗ {}", system.size);
                return Cell { text, style: BAD, as_recorded };
            }
            Some(Verdict::Unfinished(_)) => undecided = undecided.or(Some(system.size)),
            Some(Verdict::Holds(_)) => known = true,
            None => {}
        }
    }
    let (text, style) = match (undecided, known) {
        // What is known is known of smaller ones.
        (Some(size), true) => (format!("? {size}"), UNSURE),
        (Some(_), false) => ("?".to_owned(), UNSURE),
        (None, true) => ("✓".to_owned(), GOOD),
        (None, false) if is_left_out(survey, subject) => ("?".to_owned(), UNSURE),
        (None, false) => ("–".to_owned(), FAINT),
    };
    Cell { text, style, as_recorded }
}

/// Whether `any` says that a property breaks with some number of clients.
pub(super) fn breaks_for_any(survey: &Survey, subject: &Subject, property: &str) -> bool {
    let mut reports = survey.of(subject).flat_map(|system| &system.reports);
    reports.any(|report| {
        let found = || report.finding(property).map(|finding| &finding.verdict);
        report.engine == Engine::Any && matches!(found(), Some(Verdict::Violated(_)))
    })
}

/// What `any` says of what is claimed `always`.
pub(super) fn of_any(survey: &Survey, subject: &Subject) -> Cell {
    let mut told = Cell { text: "–".into(), style: FAINT, as_recorded: true };
    for report in survey.of(subject).flat_map(|system| &system.reports) {
        if report.engine != Engine::Any {
            continue;
        }
        for finding in &report.findings {
            if finding.kind != PropertyKind::Always {
                continue;
            }
            let (text, style) = match &finding.verdict {
                Verdict::Violated(_) => ("✗", BAD),
                Verdict::Holds(_) if told.text != "✗" => ("✓", GOOD),
                Verdict::Unfinished(Bound::Configurations(_)) if told.text == "–" => {
                    ("?", UNSURE)
                }
                Verdict::Holds(_) | Verdict::Unfinished(_) => continue,
            };
            (told.text, told.style) = (text.into(), style);
            told.as_recorded &= as_recorded(survey, subject, &finding.property);
        }
    }
    told
}

/// The first of the `reachable` that is not reached decides; else all are.
fn of_reachables(survey: &Survey, subject: &Subject) -> Cell {
    let mut names: Vec<&str> = Vec::new();
    for finding in survey.of(subject).flat_map(|s| &s.reports).flat_map(|r| &r.findings) {
        if finding.kind == PropertyKind::Reachable && !names.contains(&finding.property.as_str()) {
            names.push(&finding.property);
        }
    }
    let cells: Vec<Cell> = names.iter().map(|name| of_property(survey, subject, name)).collect();
    let as_recorded = cells.iter().all(|cell| cell.as_recorded);
    let worst = ["✗", "?", "✓"].iter().find_map(|sign| {
        cells.iter().filter(|cell| cell.text.starts_with(sign)).min_by_key(|cell| &cell.text)
    });
    match worst {
        Some(worst) => Cell { text: worst.text.clone(), style: worst.style, as_recorded },
        None => Cell { text: "–".into(), style: FAINT, as_recorded },
    }
}
