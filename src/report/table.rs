//! Fourth floor, `report`: the table of verdicts: variants down, properties across. Imports
//! [`check`](crate::check), [`models`](crate::models) and [`survey`](crate::survey).

use std::fmt::Write;
use std::ops::Range;

use super::WIDTH;
use super::cells::{Cell, Column, cell_of, columns_of};
use super::layout::{INDENT, Layout};
use super::legend::legend;
use super::matrix::Matrix;
use super::style::{FAINT, GOOD, HEAD, cell, columns, paint, wrap};
use crate::check::Engine;
use crate::models::Scenario;
use crate::survey::{Checked, Subject, Survey};

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

/// One table for each model and scenario, or one for each model that [asks for
/// it](crate::models::Model::has_scenarios_down). The signs are explained below each model's
/// tables. If a scenario has the same results as an earlier one, one line says so.
pub fn tables(survey: &Survey) -> String {
    let subjects = survey.subjects();
    let mut out = String::new();
    for (position, model) in survey.models().into_iter().enumerate() {
        if position > 0 {
            out.push('\n');
        }
        let _ = writeln!(out, "{}", paint(HEAD, model.name()));
        for line in wrap(model.about(), WIDTH - INDENT) {
            let _ = writeln!(out, "  {}", line.trim());
        }
        if model.has_scenarios_down() {
            let matrix = Matrix::of(survey, model, &subjects);
            out.push('\n');
            matrix.tell(&mut out);
            out.push('\n');
            out.push_str(&legend(survey, model, matrix.has_gaps()));
            out.push_str(&matrix.letters());
            continue;
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

    /// Where there is no room for all columns beside one another, the first is told in a line if
    /// all of it holds: that nobody waits for ever is seldom the question.
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
        layout.tell_heads(out, block.clone(), name);
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
