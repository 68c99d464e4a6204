//! Fourth floor, `report`: the table that is the answer: variants down, properties across.
//! Imports [`check`](crate::check), [`models`](crate::models) and [`survey`](crate::survey).

use std::fmt::Write;
use std::ops::Range;

use anstyle::Style;

use super::layout::{INDENT, Layout};
use super::style::{BAD, FAINT, GOOD, HEAD, UNSURE, cell, columns, paint, wrap};
use super::{WIDTH, count, grouped, sized};
use crate::check::{Bound, Engine, PropertyKind, Verdict};
use crate::models::{Model, Scenario, Size};
use crate::survey::{Checked, Subject, Survey};

/// Of what a column tells.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    /// The verdict on this property, over the sizes that were checked.
    Property(String),
    /// The verdict on the properties over counts, for any number of clients.
    AnyNumber,
    /// Whether everything that should be reachable was reached.
    Reached,
}

impl Column {
    fn head(&self) -> &str {
        match self {
            Column::Property(property) => property,
            Column::AnyNumber => "any number",
            Column::Reached => "all reached",
        }
    }
}

/// What is in a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cell {
    text: String,
    style: Style,
    as_recorded: bool,
}

impl Cell {
    fn told(&self) -> String {
        if self.as_recorded { self.text.clone() } else { format!("{} !", self.text) }
    }
}

/// A variant's line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    variant: &'static str,
    is_control: bool,
    cells: Vec<Cell>,
}

/// What a scenario's table says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Table {
    columns: Vec<Column>,
    rows: Vec<Row>,
    /// Whether a property is not claimed of every variant.
    has_unclaimed: bool,
    /// A column that was left out for want of room: all of it holds.
    left_out: Option<String>,
}

/// One table a model and scenario, and under each model's what its signs mean. A scenario in which
/// all is as in an earlier one is told in a line.
pub fn tables(survey: &Survey) -> String {
    let subjects = survey.subjects();
    let mut out = String::new();
    let mut models: Vec<&dyn Model> = Vec::new();
    for subject in &subjects {
        if !models.iter().any(|known| known.name() == subject.model.name()) {
            models.push(subject.model);
        }
    }
    for (position, model) in models.into_iter().enumerate() {
        if position > 0 {
            out.push('\n');
        }
        let _ = writeln!(out, "{}", paint(HEAD, model.name()));
        for line in wrap(model.about(), WIDTH - INDENT) {
            let _ = writeln!(out, "  {}", line.trim());
        }
        let mut told: Vec<(&str, Table)> = Vec::new();
        let mut after_table = true;
        for scenario in model.scenarios() {
            let rows: Vec<Subject> = subjects
                .iter()
                .filter(|subject| subject.model.name() == model.name())
                .filter(|subject| subject.scenario.name == scenario.name)
                .copied()
                .collect();
            if rows.is_empty() {
                continue;
            }
            let table = Table::of(survey, &rows);
            let same = told.iter().find(|(_, known)| *known == table).map(|(name, _)| *name);
            // What is told in a line stands with its like.
            if same.is_none() || after_table {
                out.push('\n');
            }
            title(&mut out, scenario, same);
            after_table = same.is_none();
            if same.is_none() {
                table.tell(&mut out);
                told.push((scenario.name, table));
            }
        }
        out.push('\n');
        let has_unclaimed = told.iter().any(|(_, table)| table.has_unclaimed);
        out.push_str(&legend(survey, model, has_unclaimed));
        let left_out = told.iter().find_map(|(_, table)| table.left_out.as_deref());
        if let Some(property) = left_out {
            let _ = writeln!(out, "  {property}: {} wherever it has no column", paint(GOOD, "✓"));
        }
    }
    out
}

/// A scenario's name and what happens in it; and that all is `same` as in another one.
fn title(out: &mut String, scenario: &Scenario, same: Option<&str>) {
    let about = match same {
        None => scenario.about.to_owned(),
        Some(other) => format!("{}: as in {other}", scenario.about),
    };
    let lead = INDENT + columns(scenario.name) + 2;
    for (position, line) in wrap(&about, WIDTH.saturating_sub(lead)).iter().enumerate() {
        let line = paint(FAINT, line.trim());
        let _ = match position {
            0 => writeln!(out, "  {}  {line}", paint(HEAD, scenario.name)),
            _ => writeln!(out, "{:lead$}{line}", ""),
        };
    }
}

impl Table {
    fn of(survey: &Survey, subjects: &[Subject]) -> Table {
        let columns = columns_of(survey, subjects);
        let row = |subject: &Subject| Row {
            variant: subject.variant.name,
            is_control: subject.is_control(),
            cells: columns.iter().map(|column| cell_of(survey, subject, column)).collect(),
        };
        let rows = subjects.iter().map(row).collect();
        // `any` speaks of some properties only; every other engine of all there are.
        let says = |system: &Checked| system.reports.iter().any(|r| r.engine != Engine::Any);
        let is_unclaimed = |(subject, column): (&Subject, &Column)| match column {
            Column::Property(name) => {
                let mut systems = survey.of(subject).filter(|system| says(system)).peekable();
                systems.peek().is_some() && systems.all(|system| system.verdict(name).is_none())
            }
            Column::AnyNumber | Column::Reached => false,
        };
        let mut cells =
            subjects.iter().flat_map(|subject| columns.iter().map(move |column| (subject, column)));
        let has_unclaimed = cells.any(is_unclaimed);
        Table { columns, rows, has_unclaimed, left_out: None }.fitted()
    }

    /// Where there is no room for all columns beside one another, the first is told in a line if all
    /// of it holds: that nobody waits for ever is seldom the question.
    fn fitted(mut self) -> Table {
        let holds = |cell: &Cell| cell.as_recorded && cell.text == "✓";
        let is_needless = self.rows.iter().all(|row| row.cells.first().is_some_and(holds));
        if self.layout().blocks.len() > 1 && is_needless && !self.rows.is_empty() {
            self.left_out = Some(self.columns.remove(0).head().to_owned());
            for row in &mut self.rows {
                row.cells.remove(0);
            }
        }
        self
    }

    fn name_width(&self) -> usize {
        self.rows.iter().map(|row| columns(row.variant)).max().unwrap_or(0)
    }

    fn layout(&self) -> Layout {
        let heads = self.columns.iter().enumerate().map(|(position, column)| {
            let cells = self.rows.iter().map(|row| columns(&row.cells[position].told()));
            (column.head(), cells.max().unwrap_or(0))
        });
        Layout::of(&heads.collect::<Vec<_>>(), self.name_width())
    }

    fn tell(&self, out: &mut String) {
        let (name, layout) = (self.name_width(), self.layout());
        for (position, block) in layout.blocks.iter().enumerate() {
            if position > 0 {
                out.push('\n');
            }
            self.tell_block(out, &layout, block.clone(), name);
        }
    }

    fn tell_block(&self, out: &mut String, layout: &Layout, block: Range<usize>, name: usize) {
        let (gap, widths) = (layout.gap, &layout.widths[block.clone()]);
        let heads = &layout.heads[block.clone()];
        for line in 0..heads.iter().map(Vec::len).max().unwrap_or(0) {
            let mut told = format!("  {:name$}", "");
            for (lines, width) in heads.iter().zip(widths) {
                let text = lines.get(line).map_or("", String::as_str);
                let _ = write!(told, "{:gap$}{text:width$}", "");
            }
            let _ = writeln!(out, "{}", paint(FAINT, told.trim_end()));
        }
        let (controls, variants): (Vec<&Row>, Vec<&Row>) =
            self.rows.iter().partition(|row| row.is_control);
        let tell = |out: &mut String, row: &Row| {
            let _ = write!(out, "  {:name$}", row.variant);
            let last = widths.len().saturating_sub(1);
            let cells = row.cells[block.clone()].iter().zip(widths).enumerate();
            for (position, (told, width)) in cells {
                let width = if position == last { 0 } else { *width };
                let _ = write!(out, "{:gap$}{}", "", cell(told.style, &told.told(), width));
            }
            out.push('\n');
        };
        variants.into_iter().for_each(|row| tell(out, row));
        if !controls.is_empty() {
            let dashes = layout.width(name, block.clone()) - INDENT;
            let label = "negative controls, broken on purpose ";
            let rule = "╌".repeat(dashes.saturating_sub(columns(label)));
            let _ = writeln!(out, "  {}", paint(FAINT, &format!("{label}{rule}")));
            controls.into_iter().for_each(|row| tell(out, row));
        }
    }
}

fn cell_of(survey: &Survey, subject: &Subject, column: &Column) -> Cell {
    match column {
        Column::Property(property) => of_property(survey, subject, property),
        Column::AnyNumber => of_any(survey, subject),
        Column::Reached => of_reachables(survey, subject),
    }
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

/// Systems that no engine was given: which sizes a `✓` does not speak of.
fn not_checked(systems: &[&Checked]) -> Vec<String> {
    let mut left: Vec<(String, Vec<&str>)> = Vec::new();
    for system in systems.iter().filter(|system| {
        // `any` alone answers once for all numbers: nothing is left out then.
        system.reports.is_empty() && !system.left_out.is_empty()
    }) {
        let size = sized(&system.subject, system.size);
        let what = format!("{} with {size}", system.subject.variant.name);
        let scenario = system.subject.scenario.name;
        match left.iter_mut().find(|(known, _)| *known == what) {
            Some((_, scenarios)) => scenarios.push(scenario),
            None => left.push((what, vec![scenario])),
        }
    }
    left.iter().map(|(what, scenarios)| format!("{what} ({})", scenarios.join(", "))).collect()
}

/// `✓ holds with 1, 2, 3 clients` and `✗ 2 broken from 2 clients on`, for these sizes of a model.
fn signs(size: &Size, sizes: &[usize]) -> [(Style, String, String); 2] {
    let numbers: Vec<String> = sizes.iter().map(usize::to_string).collect();
    let noun = if numbers == ["1"] { size.noun.to_owned() } else { size.plural() };
    let whose = if size.whose.is_empty() { String::new() } else { format!(" {}", size.whose) };
    let holds = format!("holds with {} {noun}{whose}", numbers.join(", "));
    // With one number alone, nothing is known of fewer.
    let (broken, since) = match numbers.as_slice() {
        [one] => (format!("✗ {one}"), format!("broken with {one} {noun}")),
        _ => ("✗ 2".into(), format!("broken from 2 {noun} on")),
    };
    [(GOOD, "✓".into(), holds), (BAD, broken, since)]
}

/// What the signs in a model's tables mean, as far as any is there.
fn legend(survey: &Survey, model: &dyn Model, has_unclaimed: bool) -> String {
    let of_model = |system: &&Checked| system.subject.model.name() == model.name();
    let systems: Vec<&Checked> = survey.systems.iter().filter(of_model).collect();
    let mut sizes: Vec<usize> = systems.iter().map(|system| system.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut signs = signs(&model.size(), &sizes).to_vec();
    let reports = || systems.iter().flat_map(|system| &system.reports);
    let bounds: Vec<&Bound> = reports().filter_map(|report| report.bound.as_ref()).collect();
    if bounds.iter().any(|bound| !matches!(bound, Bound::NoClients)) {
        signs.push((UNSURE, "?".into(), "undecided".into()));
    }
    if systems.iter().any(|system| !system.mismatches.is_empty()) {
        signs.push((BAD, "!".into(), "not as recorded".into()));
    }
    if has_unclaimed {
        signs.push((FAINT, "–".into(), "not claimed".into()));
    }
    let mut out = String::new();
    for (style, sign, meaning) in signs {
        let _ = write!(
            out,
            "{}{} {meaning}",
            if out.is_empty() { "  " } else { "   " },
            paint(style, &sign)
        );
    }
    out.push('\n');
    let mut note = |text: &str| {
        for line in wrap(text, WIDTH - INDENT) {
            let _ = writeln!(out, "  {}", line.trim());
        }
    };
    let not_checked = not_checked(&systems);
    if !not_checked.is_empty() {
        note(&format!("not checked, as too large for a quick answer: {}", not_checked.join("; ")));
    }
    if reports().any(|report| report.engine == Engine::Any) {
        note("any number: the column before, for however many clients");
    }
    if bounds.iter().any(|bound| matches!(bound, Bound::NoClients)) {
        note(match model.size().is_clients() {
            true => {
                "– not applicable: its clients are not identical, each has a claim name of its own"
            }
            false => "– not applicable: there are no clients of whom there could be any number",
        });
    }
    let mut findings = reports().flat_map(|report| &report.findings);
    if findings.any(|finding| finding.kind == PropertyKind::Reachable) {
        note("all reached: what must be possible is, so no proof is empty");
    }
    if let Some(told) = beginnings(model, &systems, sizes.last().copied()) {
        note(&told);
    }
    out
}

/// How many ways to begin the systems of the largest size were given.
fn beginnings(model: &dyn Model, systems: &[&Checked], size: Option<usize>) -> Option<String> {
    let largest = systems.iter().filter(|system| Some(system.size) == size);
    let (mut explored, mut conceivable) = (0, 0);
    for system in largest {
        explored += system.starts.len() as u64;
        conceivable += model.conceivable_starts(system.subject.scenario.name, system.size)?;
    }
    if explored == 0 {
        return None;
    }
    let others = grouped(&conceivable.saturating_sub(explored).to_string());
    let explored = grouped(&explored.to_string());
    let size = count(size?, model.size().noun);
    Some(format!(
        "with {size}: {explored} ways to begin (a script, a first world); {others} more come to the \
         same as one of these"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(size: &Size, sizes: &[usize]) -> String {
        signs(size, sizes).map(|(_, sign, meaning)| format!("{sign} {meaning}")).join("; ")
    }

    #[test]
    fn the_legend_speaks_of_what_the_model_is_sized_by() {
        let clients = Size::CLIENTS;
        assert_eq!(
            told(&clients, &[1, 2, 3]),
            "✓ holds with 1, 2, 3 clients; ✗ 2 broken from 2 clients on"
        );
        assert_eq!(told(&clients, &[1]), "✓ holds with 1 client; ✗ 1 broken with 1 client");
        let actions = Size { noun: "action", whose: "of the attacker", ..clients };
        assert_eq!(
            told(&actions, &[0, 1, 2]),
            "✓ holds with 0, 1, 2 actions of the attacker; ✗ 2 broken from 2 actions on"
        );
    }
}
