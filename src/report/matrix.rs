//! Fourth floor, `report`: the table of a model of few variants in many scenarios: scenarios down,
//! variants across. Imports [`check`](crate::check), [`models`](crate::models) and
//! [`survey`](crate::survey).

use std::fmt::Write;
use std::ops::Range;

use super::WIDTH;
use super::cells::{Cell, Column, breaks_for_any, columns_of, is_left_out, of_any, of_property};
use super::layout::{INDENT, Layout};
use super::style::{BAD, FAINT, GOOD, UNSURE, cell, columns, wrap};
use crate::check::PropertyKind;
use crate::models::{Model, Variant};
use crate::survey::{Subject, Survey};

/// What stands behind a `✓` that is one for any number of clients.
const ANY_NUMBER: &str = "∞";

/// A model's verdicts. A cell says which properties break, by letter, and from which size on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Matrix {
    variants: Vec<&'static str>,
    rows: Vec<Row>,
    /// By letter, from `a` on: what is claimed `always` and `finally`, and of what should be reachable
    /// that which is not everywhere.
    properties: Vec<String>,
    /// Whether all that should be reachable is, and something should.
    all_reached: bool,
}

/// A scenario's line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    scenario: &'static str,
    /// By variant; none where there is no such system, or it was not asked for.
    cells: Vec<Option<Cell>>,
}

impl Matrix {
    pub(super) fn of(survey: &Survey, model: &dyn Model, subjects: &[Subject]) -> Matrix {
        let subjects: Vec<Subject> =
            subjects.iter().filter(|known| known.model.name() == model.name()).copied().collect();
        let is_there = |name: &str| subjects.iter().any(|known| known.variant.name == name);
        let (controls, others): (Vec<&Variant>, Vec<&Variant>) = model
            .variants()
            .iter()
            .filter(|variant| is_there(variant.name))
            .partition(|variant| variant.is_control());
        let variants: Vec<&'static str> =
            others.into_iter().chain(controls).map(|variant| variant.name).collect();

        let claimed = columns_of(survey, &subjects).into_iter().filter_map(|column| match column {
            Column::Property(property) => Some(property),
            Column::AnyNumber | Column::Reached => None,
        });
        let mut properties: Vec<String> = claimed.collect();
        // What every system has comes last.
        let first = 1.min(properties.len());
        properties.rotate_left(first);
        let reachables = reachables(survey, &subjects);
        let is_missed = |property: &&String| {
            let holds = |subject: &Subject| {
                matches!(&*of_property(survey, subject, property).text, "✓" | "–")
            };
            !subjects.iter().filter(|subject| !is_left_out(survey, subject)).all(holds)
        };
        let missed: Vec<String> = reachables.iter().filter(is_missed).cloned().collect();
        let all_checked = !subjects.iter().any(|subject| is_left_out(survey, subject));
        let all_reached = missed.is_empty() && !reachables.is_empty() && all_checked;
        properties.extend(missed);

        let row = |scenario: &'static str| {
            let cells = variants.iter().map(|variant| {
                let here = |known: &&Subject| {
                    known.variant.name == *variant && known.scenario.name == scenario
                };
                subjects.iter().find(here).map(|subject| summed_up(survey, subject, &properties))
            });
            Row { scenario, cells: cells.collect() }
        };
        let rows = model.scenarios().iter().map(|scenario| row(scenario.name));
        let rows = rows.filter(|row| row.cells.iter().any(Option::is_some)).collect();
        Matrix { variants, rows, properties, all_reached }
    }

    /// Whether some variant is not there in some scenario.
    pub(super) fn has_gaps(&self) -> bool {
        self.rows.iter().flat_map(|row| &row.cells).any(Option::is_none)
    }

    pub(super) fn tell(&self, out: &mut String) {
        let name = self.rows.iter().map(|row| columns(row.scenario)).max().unwrap_or(0);
        let heads = self.variants.iter().enumerate().map(|(position, variant)| {
            let cells = self.rows.iter().filter_map(|row| row.cells[position].as_ref());
            (*variant, cells.map(|cell| columns(&cell.told())).max().unwrap_or(0))
        });
        let layout = Layout::of(&heads.collect::<Vec<_>>(), name);
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
        for row in &self.rows {
            let mut line = format!("  {:name$}", row.scenario);
            for (told, width) in row.cells[block.clone()].iter().zip(widths) {
                let told = match told {
                    Some(told) => cell(told.style, &told.told(), *width),
                    None => cell(FAINT, "–", *width),
                };
                let _ = write!(line, "{:gap$}{told}", "");
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }

    /// Which letter is which property.
    pub(super) fn letters(&self) -> String {
        let mut out = String::new();
        let letters = self.properties.iter().enumerate();
        let letters: Vec<String> =
            letters.map(|(position, name)| format!("{}\u{a0}{name}", letter(position))).collect();
        let mut note = |text: &str| {
            for line in wrap(text, WIDTH - INDENT) {
                // A letter and its property stay together.
                let _ = writeln!(out, "  {}", line.trim().replace('\u{a0}', " "));
            }
        };
        note(&format!("what is broken: {}", letters.join(", ")));
        let told = |sign: &str| {
            let mut cells = self.rows.iter().flat_map(|row| row.cells.iter().flatten());
            cells.any(|cell| cell.text.starts_with(sign) && cell.text.ends_with(ANY_NUMBER))
        };
        if told("✗") {
            note("✗ … ∞ broken with some number of clients, and nobody has looked with which");
        }
        if told("✓") {
            note("∞ what is counted among clients, at every moment, holds for any number of them");
        }
        if self.all_reached {
            note("in every system all is reached that must be possible, so no proof is empty");
        }
        out
    }
}

/// The letter of the property, or of the column, in this position.
pub(super) fn letter(position: usize) -> char {
    ('a'..='z').nth(position).unwrap_or('*')
}

/// The names of what should be reachable.
fn reachables(survey: &Survey, subjects: &[Subject]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let systems = subjects.iter().flat_map(|subject| survey.of(subject));
    for finding in systems.flat_map(|system| &system.reports).flat_map(|report| &report.findings) {
        if finding.kind == PropertyKind::Reachable && !names.contains(&finding.property) {
            names.push(finding.property.clone());
        }
    }
    names
}

/// What breaks of a subject, and from which sizes on; or what is not known; or that all holds.
fn summed_up(survey: &Survey, subject: &Subject, properties: &[String]) -> Cell {
    let cells: Vec<Cell> =
        properties.iter().map(|property| of_property(survey, subject, property)).collect();
    let any = of_any(survey, subject);
    let as_recorded = any.as_recorded && cells.iter().all(|cell| cell.as_recorded);
    let of_sign = |sign: &'static str| {
        let lettered = cells.iter().enumerate();
        lettered.filter_map(move |(position, cell)| {
            Some((letter(position), cell.text.strip_prefix(sign)?.trim()))
        })
    };
    // Letters that have the size in common stand together.
    let mut broken: Vec<(&str, String)> = Vec::new();
    for (letter, size) in of_sign("✗") {
        match broken.iter_mut().find(|(known, _)| *known == size) {
            Some((_, letters)) => letters.push(letter),
            None => broken.push((size, letter.to_string())),
        }
    }
    broken.sort_by_key(|(size, _)| size.parse::<usize>().unwrap_or(usize::MAX));
    let unknown: String = of_sign("?").map(|(letter, _)| letter).collect();
    // What breaks with some number of clients, of which no size tells.
    let some: String = (properties.iter().enumerate())
        .filter(|(_, property)| breaks_for_any(survey, subject, property))
        .map(|(position, _)| letter(position))
        .collect();
    let (text, style) = if !broken.is_empty() {
        let told = broken.iter().map(|(size, letters)| format!("{letters} {size}"));
        (format!("✗ {}", told.collect::<Vec<_>>().join(", ")), BAD)
    } else if any.text == "✗" {
        (format!("✗ {some} {ANY_NUMBER}"), BAD)
    } else if is_left_out(survey, subject) {
        ("?".to_owned(), UNSURE)
    } else if !unknown.is_empty() {
        (format!("? {unknown}"), UNSURE)
    } else if cells.iter().all(|cell| cell.text == "–") {
        ("–".to_owned(), FAINT)
    } else if any.text == "✓" {
        (format!("✓ {ANY_NUMBER}"), GOOD)
    } else {
        ("✓".to_owned(), GOOD)
    };
    Cell { text, style, as_recorded }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::super::table::tables;
    use crate::case::Case;
    use crate::check::Engine;
    use crate::models::download::Download;
    use crate::models::{Model, Sheet};
    use crate::survey::{Plan, Share, Target};

    /// Two scenarios of `download`, the other way round; one variant is missing in one of them.
    struct Turned;

    impl Model for Turned {
        fn sheet(&self) -> &'static Sheet {
            static SHEET: LazyLock<Sheet> = LazyLock::new(|| {
                let scenarios = Download.scenarios()[..2].to_vec();
                let about = "What it says does not matter.";
                Sheet { name: "turned", about, scenarios, ..Download.sheet().clone() }
            });
            &SHEET
        }

        fn has(&self, variant: &str, scenario: &str) -> bool {
            (variant, scenario) != ("meta-check-first", "janitor")
        }

        fn has_scenarios_down(&self) -> bool {
            true
        }

        fn case(&self, variant: &str, scenario: &str, size: usize) -> Option<Box<dyn Case>> {
            Download.case(variant, scenario, size)
        }
    }

    #[test]
    fn scenarios_stand_down_and_a_cell_says_what_breaks_and_from_which_size_on() {
        let subjects = Target { model: &Turned, variant: None }.subjects(None);
        let plan =
            Plan { subjects, size: Some(2), engines: Some(vec![Engine::Graph]), share: Share::ALL };
        let told = anstream::adapter::strip_str(&tables(&plan.run(&|_| {}))).to_string();
        assert!(told.lines().all(|line| line.chars().count() <= 100), "{told}");
        let cells = |scenario: &str| {
            let line = told.lines().find(|line| line.trim().starts_with(scenario)).unwrap();
            line.trim().split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect()
        };
        let clients: Vec<&str> = cells("clients ");
        assert_eq!(clients[..4], ["clients", "✗ ab 2", "✗ ab 2", "✓"], "{told}");
        let janitor: Vec<&str> = cells("janitor ");
        assert_eq!(janitor[..4], ["janitor", "✗ ab 2", "–", "✓"], "{told}");
        assert!(told.contains("what is broken: a at-most-once, b exactly-once"), "{told}");
        assert!(told.contains("– no such system"), "{told}");
        assert!(told.contains("all is reached that must be possible"), "{told}");
    }
}
