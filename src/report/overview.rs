//! Fourth floor, `report`: all verdicts on one screen: a small matrix a model, variants down and
//! scenarios across. Imports [`models`](crate::models) and [`survey`](crate::survey).

use std::fmt::Write;

use anstyle::Style;

use super::WIDTH;
use super::cells::{is_left_out, of_property, properties_of};
use super::matrix::letter;
use super::style::{BAD, FAINT, GOOD, HEAD, PLAIN, UNSURE, columns, paint, wrap};
use crate::models::{Model, Scenario, Variant};
use crate::survey::{Subject, Survey};

/// Two matrices stand side by side where each fits into this width.
const HALF: usize = (WIDTH - GAP) / 2;
const GAP: usize = 2;
const INDENT: usize = 2;

/// A model of more scenarios has one column that sums them up.
const MOST_SCENARIOS: usize = 8;

/// What is said of one system, or of several together.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mark {
    /// Every property holds, in every size that was checked.
    Holds,
    /// Some property breaks, from this size on.
    Breaks(usize),
    /// Some property is undecided.
    Unknown,
}

/// What is said, and whether it is as recorded.
type Known = (Mark, bool);

/// The same of a variant in a scenario.
type Marked = (Subject, Known);

/// What a cell says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cell {
    text: String,
    style: Style,
}

/// A line, and how many columns it takes without its escapes.
struct Line {
    text: String,
    width: usize,
    /// Spaces to come before a further cell.
    missing: usize,
}

impl Line {
    fn plain(style: Style, text: &str) -> Line {
        Line { text: paint(style, text), width: columns(text), missing: 0 }
    }

    /// Adds a cell that begins so far from the one before that this takes up its width.
    fn push(&mut self, told: &Cell, width: usize) {
        let missing = width.saturating_sub(columns(&told.text));
        self.text += &format!("{:1$}{2}", "", 1 + self.missing, paint(told.style, &told.text));
        self.width += 1 + self.missing + columns(&told.text);
        self.missing = missing;
    }
}

/// A matrix for each model that something was checked of, two side by side, and below them what the marks
/// mean. Negative controls are left out: the verdicts of all that are not as recorded are in
/// [`audit`](super::summary::audit).
pub fn overview(survey: &Survey) -> String {
    let marked = survey.subjects().into_iter().map(|subject| {
        let known = mark(survey, &subject);
        (subject, known)
    });
    let marked: Vec<Marked> = marked.collect();
    let blocks: Vec<Vec<Line>> =
        survey.models().into_iter().map(|model| block(model, &marked)).collect();
    let mut out = match blocks.iter().flatten().all(|line| line.width <= HALF) {
        true => side_by_side(blocks),
        false => joined(blocks).into_iter().map(|line| line.text + "\n").collect(),
    };
    out.push('\n');
    out.push_str(&key(survey, &marked));
    out
}

/// What the marks mean, as far as they are there.
fn key(survey: &Survey, marked: &[Marked]) -> String {
    let marks = || marked.iter().map(|(_, (mark, _))| mark);
    let mut told = vec![
        "✓ every property holds, in every interleaving, with each size that was checked".to_owned(),
    ];
    let breaks = marks().find_map(|mark| match mark {
        Mark::Breaks(size) if *size > 1 => Some(*size),
        _ => None,
    });
    if let Some(size) = breaks {
        let nouns: Vec<String> = nouns(marked);
        told.push(format!("✗{size} a property breaks with {size} {}", nouns.join(", ")));
    }
    if marks().any(|mark| *mark == Mark::Unknown) {
        told.push("? not decided".to_owned());
    }
    let left_out = survey.systems.iter().filter(|system| system.is_left_out()).count();
    if left_out > 0 {
        told.push(format!("{left_out} systems were too large to check"));
    }
    let (broken, controls) = controls(marked);
    if controls > 0 {
        told.push(format!("{broken} of {controls} negative controls break somewhere"));
    }
    let lines = wrap(&told.join("; "), WIDTH);
    lines.iter().map(|line| format!("{}\n", paint(FAINT, line.trim()))).collect()
}

/// How many negative controls break in some scenario, and how many there are.
fn controls(marked: &[Marked]) -> (usize, usize) {
    let mut controls: Vec<([&str; 2], bool)> = Vec::new();
    for (subject, (mark, _)) in marked.iter().filter(|(subject, _)| subject.is_control()) {
        let name = [subject.model.name(), subject.variant.name];
        let breaks = matches!(mark, Mark::Breaks(_));
        match controls.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known |= breaks,
            None => controls.push((name, breaks)),
        }
    }
    (controls.iter().filter(|(_, breaks)| *breaks).count(), controls.len())
}

/// What the models of these subjects are sized by, each noun once: `clients or more`.
fn nouns(marked: &[Marked]) -> Vec<String> {
    let mut nouns: Vec<String> = Vec::new();
    for (subject, _) in marked {
        let plural = subject.model.size().plural();
        if !nouns.contains(&plural) {
            nouns.push(plural);
        }
    }
    if let Some(last) = nouns.last_mut() {
        last.push_str(" or more");
    }
    nouns
}

/// The matrix of one model: its name, its scenarios, a line a variant.
fn block(model: &dyn Model, marked: &[Marked]) -> Vec<Line> {
    let of_model: Vec<&Marked> =
        marked.iter().filter(|(known, _)| known.model.name() == model.name()).collect();
    let has_variant = |variant: &&Variant| {
        !variant.is_control()
            && of_model.iter().any(|(known, _)| known.variant.name == variant.name)
    };
    let variants: Vec<&Variant> = model.variants().iter().filter(has_variant).collect();
    // Scenarios that differ in the disk alone share a column.
    let mut scenarios: Vec<&str> = (model.scenarios().iter())
        .filter(|scenario| of_model.iter().any(|(known, _)| known.scenario.name == scenario.name))
        .map(Scenario::family)
        .collect();
    scenarios.dedup();
    let rows = variants.iter().map(|variant| {
        let here = |scenario: &str| {
            let known = of_model.iter().filter(|(known, _)| {
                known.variant.name == variant.name && known.scenario.family() == scenario
            });
            known.map(|(_, known)| known.clone()).reduce(worse)
        };
        (variant.name, scenarios.iter().map(|scenario| here(scenario)).collect::<Vec<_>>())
    });
    let rows: Vec<(&str, Vec<Option<Known>>)> = rows.collect();
    let name = rows.iter().map(|(name, _)| columns(name)).max().unwrap_or(0);
    let mut lines = heading(model.name(), &scenarios);
    match scenarios.len() > MOST_SCENARIOS {
        true => lines.extend(rows.iter().map(|(variant, row)| summed_up(variant, name, row))),
        false => {
            let cells = rows.iter().map(|(variant, row)| {
                (*variant, row.iter().map(|known| of_mark(known.as_ref())).collect::<Vec<_>>())
            });
            lines.extend(matrix(name, cells.collect()));
        }
    }
    lines
}

/// What is said of two systems together.
fn worse((one, as_recorded): Known, (other, is_too): Known) -> Known {
    let mark = match (one, other) {
        (Mark::Breaks(one), Mark::Breaks(other)) => Mark::Breaks(one.min(other)),
        (Mark::Breaks(size), _) | (_, Mark::Breaks(size)) => Mark::Breaks(size),
        (Mark::Unknown, _) | (_, Mark::Unknown) => Mark::Unknown,
        (Mark::Holds, Mark::Holds) => Mark::Holds,
    };
    (mark, as_recorded && is_too)
}

/// The model's name and its scenarios, with the letters that stand over the columns.
fn heading(model: &str, scenarios: &[&str]) -> Vec<Line> {
    let numbered: Vec<String> = match scenarios {
        [] => Vec::new(),
        many if many.len() > MOST_SCENARIOS => {
            vec![format!("{} scenarios", many.len())]
        }
        some => (some.iter().enumerate())
            .map(|(position, name)| format!("{}\u{a0}{name}", letter(position)))
            .collect(),
    };
    let text = format!("{model} {}", numbered.join(", "));
    let mut lines = Vec::new();
    for (position, line) in wrap(&text, HALF).iter().enumerate() {
        let line = line.trim().replace('\u{a0}', " ");
        lines.push(match line.strip_prefix(model).filter(|_| position == 0) {
            Some(rest) => Line {
                text: format!("{}{}", paint(HEAD, model), paint(FAINT, rest)),
                width: columns(&line),
                missing: 0,
            },
            None => Line::plain(FAINT, &format!("  {line}")),
        });
    }
    lines
}

/// The letters of the columns, and a line a variant.
fn matrix(name: usize, rows: Vec<(&str, Vec<Cell>)>) -> Vec<Line> {
    let count = rows.first().map_or(0, |(_, cells)| cells.len());
    let width = |column: usize| {
        let told = rows.iter().map(|(_, cells)| columns(&cells[column].text));
        told.max().unwrap_or(1)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let letters = (0..count).map(|column| Cell { text: letter(column).to_string(), style: FAINT });
    let head = (count > 1).then(|| ("", letters.collect()));
    let line = |(variant, cells): (&str, Vec<Cell>)| {
        let mut line = Line::plain(PLAIN, &format!("{:INDENT$}{variant:name$}", ""));
        for (told, width) in cells.iter().zip(&widths) {
            line.push(told, *width);
        }
        line
    };
    head.into_iter().chain(rows.iter().cloned()).map(line).collect()
}

/// `✓ 12 of 17` where a variant holds, or from which size on it breaks in the others.
fn summed_up(variant: &str, name: usize, row: &[Option<Known>]) -> Line {
    let known: Vec<&Known> = row.iter().flatten().collect();
    let holds = known.iter().filter(|(mark, _)| *mark == Mark::Holds).count();
    let least = known.iter().filter_map(|(mark, _)| match mark {
        Mark::Breaks(size) => Some(*size),
        Mark::Holds | Mark::Unknown => None,
    });
    let unknown = known.iter().filter(|(mark, _)| *mark == Mark::Unknown).count();
    let warned = if known.iter().all(|(_, as_recorded)| *as_recorded) { "" } else { "!" };
    let (text, style) = match least.min() {
        Some(size) if holds == 0 => (format!("✗{size} in all {}{warned}", known.len()), BAD),
        Some(size) => (
            format!("✗{size} in {} of {}{warned}", known.len() - holds - unknown, known.len()),
            BAD,
        ),
        None if unknown > 0 => (format!("? in {unknown} of {}{warned}", known.len()), UNSURE),
        None => (format!("✓ in all {}{warned}", known.len()), GOOD),
    };
    let width = INDENT + name + 1 + columns(&text);
    Line {
        text: format!("{:INDENT$}{variant:name$} {}", "", paint(style, &text)),
        width,
        missing: 0,
    }
}

fn of_mark(mark: Option<&Known>) -> Cell {
    let Some((mark, as_recorded)) = mark else {
        return Cell { text: "–".to_owned(), style: FAINT };
    };
    let (text, style) = match mark {
        Mark::Holds => ("✓".to_owned(), GOOD),
        Mark::Breaks(size) => (format!("✗{size}"), BAD),
        Mark::Unknown => ("?".to_owned(), UNSURE),
    };
    let warned = if *as_recorded { "" } else { "!" };
    Cell { text: text + warned, style }
}

/// What is known of a subject over all properties and sizes, and whether all of it is as recorded.
fn mark(survey: &Survey, subject: &Subject) -> Known {
    let mut as_recorded = true;
    let (mut breaks, mut unknown) = (None, is_left_out(survey, subject));
    for property in properties_of(survey, subject) {
        let told = of_property(survey, subject, property);
        as_recorded &= told.as_recorded;
        match told.text.split_once(' ') {
            Some(("✗", size)) => breaks = breaks.into_iter().chain(size.parse().ok()).min(),
            Some(("?", _)) => unknown = true,
            _ if told.text == "?" => unknown = true,
            _ => {}
        }
    }
    let mark = match breaks {
        Some(size) => Mark::Breaks(size),
        None if unknown => Mark::Unknown,
        None => Mark::Holds,
    };
    (mark, as_recorded)
}

/// One below the other, with an empty line between.
fn joined(blocks: Vec<Vec<Line>>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for block in blocks {
        if !lines.is_empty() {
            lines.push(Line::plain(PLAIN, ""));
        }
        lines.extend(block);
    }
    lines
}

/// In two columns that are as equally long as can be; each has its matrices in their order.
fn side_by_side(blocks: Vec<Vec<Line>>) -> String {
    let heights: Vec<usize> = blocks.iter().map(|block| block.len() + 1).collect();
    let all: usize = heights.iter().sum();
    // Which go to the left, one bit each. Of many matrices it is the first ones.
    let ways = (1_u64..1 << blocks.len().min(12)).map(|way| {
        let left = heights.iter().enumerate().filter(|(at, _)| way >> at & 1 == 1);
        let left: usize = left.map(|(_, height)| *height).sum();
        (left.max(all - left), way ^ 1, way)
    });
    let (_, _, way) = ways.min().unwrap_or_default();
    let (left, right): (Vec<_>, Vec<_>) =
        blocks.into_iter().enumerate().partition(|(at, _)| *at < 64 && way >> at & 1 == 1);
    let column = |blocks: Vec<(usize, Vec<Line>)>| {
        joined(blocks.into_iter().map(|(_, block)| block).collect())
    };
    let (left, right) = (column(left), column(right));
    let mut out = String::new();
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return out,
            (Some(left), None) => _ = writeln!(out, "{}", left.text),
            (left, Some(right)) => {
                let (text, width) = left.map_or((String::new(), 0), |line| (line.text, line.width));
                let fill = HALF + GAP - width;
                let line = match right.width {
                    0 => text,
                    _ => format!("{text}{:fill$}{}", "", right.text),
                };
                let _ = writeln!(out, "{line}");
            }
        }
    }
}
