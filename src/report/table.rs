//! Fourth floor, `report`: the table that is the answer: variants down, properties across.
//! Imports [`check`](crate::check), [`models`](crate::models) and [`survey`](crate::survey).

use std::fmt::Write;

use anstyle::Style;

use super::WIDTH;
use super::style::{BAD, FAINT, GOOD, HEAD, UNSURE, cell, columns, paint, wrap};
use crate::check::{Bound, Engine, PropertyKind, Verdict};
use crate::models::Model;
use crate::survey::{Subject, Survey};

const GAP: usize = 2;

/// Of what a column tells.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    /// The verdict on this property, over the numbers of clients that were checked.
    Property(String),
    /// The verdict on the properties over counts, for any number of clients.
    AnyNumber,
    /// Whether everything that should be reachable was reached.
    Reached,
}

/// What is in a cell.
struct Cell {
    text: String,
    style: Style,
    as_recorded: bool,
}

/// One table a model and scenario, and what its signs mean.
pub fn tables(survey: &Survey) -> String {
    let subjects = survey.subjects();
    let mut out = String::new();
    let mut models: Vec<&dyn Model> = Vec::new();
    for subject in &subjects {
        if !models.iter().any(|known| known.name() == subject.model.name()) {
            models.push(subject.model);
        }
    }
    for model in models {
        let _ = writeln!(out, "{}", paint(HEAD, model.name()));
        for line in wrap(model.about(), WIDTH - 2) {
            let _ = writeln!(out, "  {}", line.trim());
        }
        for scenario in model.scenarios() {
            let rows: Vec<Subject> = subjects
                .iter()
                .filter(|subject| subject.model.name() == model.name())
                .filter(|subject| subject.scenario.name == scenario.name)
                .copied()
                .collect();
            if !rows.is_empty() {
                out.push('\n');
                table(&mut out, survey, &rows);
            }
        }
    }
    out.push('\n');
    out.push_str(&legend(survey));
    out
}

fn table(out: &mut String, survey: &Survey, rows: &[Subject]) {
    let Some(scenario) = rows.first().map(|subject| subject.scenario) else { return };
    let columns_shown = columns_of(survey, rows);
    let name_width = rows.iter().map(|row| columns(row.variant.name)).max().unwrap_or(0);
    let heads: Vec<Vec<String>> = columns_shown.iter().map(head).collect();
    let widths: Vec<usize> = heads
        .iter()
        .map(|lines| lines.iter().map(|line| columns(line)).max().unwrap_or(0).max(4))
        .collect();
    let height = heads.iter().map(Vec::len).max().unwrap_or(0);
    let title = format!("  {}  {}", paint(HEAD, scenario.name), paint(FAINT, scenario.about));
    let _ = writeln!(out, "{title}");
    for line in 0..height {
        let mut told = format!("  {:name_width$}", "");
        for (lines, width) in heads.iter().zip(&widths) {
            let text = lines.get(line).map_or("", String::as_str);
            let _ = write!(told, "{:GAP$}{text:width$}", "");
        }
        let _ = writeln!(out, "{}", paint(FAINT, told.trim_end()));
    }
    let (controls, variants): (Vec<Subject>, Vec<Subject>) =
        rows.iter().partition(|row| row.is_control());
    for row in &variants {
        line(out, survey, row, &columns_shown, name_width, &widths);
    }
    if !controls.is_empty() {
        let dashes = name_width + widths.iter().map(|width| GAP + width).sum::<usize>();
        let label = "negative controls, broken on purpose ";
        let rule = "╌".repeat(dashes.saturating_sub(columns(label)));
        let _ = writeln!(out, "  {}", paint(FAINT, &format!("{label}{rule}")));
        for row in &controls {
            line(out, survey, row, &columns_shown, name_width, &widths);
        }
    }
}

fn line(
    out: &mut String,
    survey: &Survey,
    subject: &Subject,
    columns_shown: &[Column],
    name_width: usize,
    widths: &[usize],
) {
    let _ = write!(out, "  {:name_width$}", subject.variant.name);
    let last = columns_shown.len().saturating_sub(1);
    for (position, (column, width)) in columns_shown.iter().zip(widths).enumerate() {
        let told = match column {
            Column::Property(property) => of_property(survey, subject, property),
            Column::AnyNumber => of_any(survey, subject),
            Column::Reached => of_reachables(survey, subject),
        };
        let text = if told.as_recorded { told.text } else { format!("{} !", told.text) };
        let width = if position == last { 0 } else { *width };
        let _ = write!(out, "{:GAP$}{}", "", cell(told.style, &text, width));
    }
    out.push('\n');
}

/// `deadlock-free`, what is claimed `always` and `finally`, and the two that sum up.
fn columns_of(survey: &Survey, rows: &[Subject]) -> Vec<Column> {
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

/// The heading, broken after hyphens into lines of about equal length.
fn head(column: &Column) -> Vec<String> {
    let name = match column {
        Column::Property(property) => property.as_str(),
        Column::AnyNumber => return vec!["any".into(), "number".into()],
        Column::Reached => return vec!["all".into(), "reached".into()],
    };
    let breaks = name.char_indices().filter(|(_, letter)| *letter == '-').map(|(at, _)| at + 1);
    match breaks.min_by_key(|at| (*at).max(name.len() - at)) {
        Some(at) => vec![name[..at].to_owned(), name[at..].to_owned()],
        None => vec![name.to_owned()],
    }
}

/// Whether no mismatch speaks of this property.
fn as_recorded(survey: &Survey, subject: &Subject, property: &str) -> bool {
    let mut mismatches = survey.of(subject).flat_map(|system| &system.mismatches);
    !mismatches.any(|mismatch| mismatch.property() == property)
}

fn of_property(survey: &Survey, subject: &Subject, property: &str) -> Cell {
    let as_recorded = as_recorded(survey, subject, property);
    let mut undecided = false;
    let mut known = false;
    for system in survey.of(subject) {
        match system.verdict(property) {
            Some(Verdict::Violated(_)) => {
                let text = format!("✗ {}", system.size);
                return Cell { text, style: BAD, as_recorded };
            }
            Some(Verdict::Unfinished(_)) => undecided = true,
            Some(Verdict::Holds(_)) => known = true,
            None => {}
        }
    }
    let (text, style) = match (undecided, known) {
        (true, _) => ("?", UNSURE),
        (false, true) => ("✓", GOOD),
        (false, false) => ("–", FAINT),
    };
    Cell { text: text.into(), style, as_recorded }
}

/// What `any` says of what is claimed `always`.
fn of_any(survey: &Survey, subject: &Subject) -> Cell {
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

/// Systems that no engine was given: which numbers of clients a `✓` does not speak of.
fn not_checked(survey: &Survey) -> Vec<String> {
    let mut left: Vec<(String, Vec<&str>)> = Vec::new();
    for system in survey.systems.iter().filter(|system| {
        // `any` alone answers once for all numbers: nothing is left out then.
        system.reports.is_empty() && !system.left_out.is_empty()
    }) {
        let what = format!("{} with {} clients", system.subject.variant.name, system.size);
        let scenario = system.subject.scenario.name;
        match left.iter_mut().find(|(known, _)| *known == what) {
            Some((_, scenarios)) => scenarios.push(scenario),
            None => left.push((what, vec![scenario])),
        }
    }
    left.iter().map(|(what, scenarios)| format!("{what} ({})", scenarios.join(", "))).collect()
}

/// What the signs mean, as far as any is there.
fn legend(survey: &Survey) -> String {
    let mut clients: Vec<usize> = survey.systems.iter().map(|system| system.size).collect();
    clients.sort_unstable();
    clients.dedup();
    let numbers: Vec<String> = clients.iter().map(usize::to_string).collect();
    let noun = if numbers == ["1"] { "client" } else { "clients" };
    // With one number alone, nothing is known of fewer.
    let (broken, since) = match numbers.as_slice() {
        [one] => (format!("✗ {one}"), format!("broken with {one} {noun}")),
        _ => ("✗ 2".into(), "broken from 2 clients on".into()),
    };
    let mut out = format!(
        "  {} holds with {} {noun}   {} {since}",
        paint(GOOD, "✓"),
        numbers.join(", "),
        paint(BAD, &broken),
    );
    let bounds: Vec<&Bound> =
        survey.systems.iter().flat_map(|s| &s.reports).filter_map(|r| r.bound.as_ref()).collect();
    if bounds.iter().any(|bound| !matches!(bound, Bound::NoClients)) {
        let _ = write!(out, "   {} undecided", paint(UNSURE, "?"));
    }
    if !survey.is_as_recorded() {
        let _ = write!(out, "   {} not as recorded", paint(BAD, "!"));
    }
    out.push('\n');
    let not_checked = not_checked(survey);
    if !not_checked.is_empty() {
        let note =
            format!("not checked, as too large for a quick answer: {}", not_checked.join("; "));
        for line in wrap(&note, WIDTH - 2) {
            let _ = writeln!(out, "  {}", line.trim());
        }
    }
    let is_any = |engine| engine == Engine::Any;
    if survey.systems.iter().flat_map(|s| &s.reports).any(|report| is_any(report.engine)) {
        let _ = writeln!(out, "  any number: the column before, for however many clients");
    }
    if bounds.iter().any(|bound| matches!(bound, Bound::NoClients)) {
        let _ = writeln!(
            out,
            "  – not applicable: its clients are not identical, each has a claim name of its own"
        );
    }
    let _ = writeln!(out, "  all reached: what must be possible is, so no proof is empty");
    out
}
