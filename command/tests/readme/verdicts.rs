//! What a model's variants break: a mark a cell, and below the table which properties break, and from how
//! many clients on.

use std::collections::BTreeMap;

use toctou::models::{Breaks, Model, Scenario, Variant};

use crate::page::Block;
use crate::table::{Table, WIDTH, letters, wrapped};

/// Those that are not broken on purpose.
pub(crate) fn published(model: &dyn Model) -> Vec<&'static Variant> {
    model.variants().iter().filter(|variant| !variant.is_control()).collect()
}

pub(crate) fn block(model: &dyn Model) -> Block {
    let table = rows(model, &columns(model));
    let tables = match table.width() <= WIDTH {
        true => table.text(),
        false => lettered(model),
    };
    let text = format!("{tables}\n{}", list(model));
    Block::new(format!("verdicts of {}", model.name()), text)
}

/// `✗ 2`: something breaks from two clients on.
fn mark(model: &dyn Model, variant: &Variant, scenario: &Scenario) -> String {
    if !model.has(variant.name, scenario.name) {
        return "–".to_owned();
    }
    let broken = variant.breaks().filter(|breaks| breaks.scenario == scenario.name);
    match broken.map(|breaks| breaks.from_size).min() {
        Some(size) => format!("✗ {size}"),
        None => "✓".to_owned(),
    }
}

/// The table of a model whose names take too much room: letters stand across. A smaller one says which
/// properties break in any scenario.
fn lettered(model: &dyn Model) -> String {
    let columns = columns(model);
    let letters = letters('A', columns.len());
    let (legend, by_property) = (legend(&letters, &columns), properties(model));
    format!(
        "{legend}\n{}\nBy property, over all scenarios:\n\n{by_property}",
        rows(model, &letters).text()
    )
}

/// ``A `new-shared`, B `new-sticky`.``: a letter and its name stay together.
fn legend(letters: &[String], names: &[String]) -> String {
    let meanings =
        letters.iter().zip(names).map(|(letter, name)| format!("{letter}\u{a0}`{name}`"));
    wrapped("", &format!("{}.", meanings.collect::<Vec<_>>().join(", ")))
}

/// Variants down, properties across: from which size on each breaks in some scenario.
fn properties(model: &dyn Model) -> String {
    let variants = published(model);
    let mut names: Vec<String> = Vec::new();
    for breaks in variants.iter().flat_map(|variant| variant.breaks()) {
        if !names.iter().any(|name| name == breaks.property) {
            names.push(breaks.property.to_owned());
        }
    }
    let letters = letters('a', names.len());
    let head = std::iter::once("variant".to_owned()).chain(letters.iter().cloned());
    let mut table = Table::new(head.collect());
    for variant in variants {
        let marks = names.iter().map(|name| {
            let sizes = variant.breaks().filter(|it| it.property == name).map(|it| it.from_size);
            sizes.min().map_or("✓".to_owned(), |size| format!("✗ {size}"))
        });
        table.push(std::iter::once(format!("`{}`", variant.name)).chain(marks).collect());
    }
    format!("{}\n{}", legend(&letters, &names), table.text())
}

/// The scenarios that share a column: where there are too many for a page, those that differ in the disk
/// alone.
fn families(model: &dyn Model) -> Vec<(String, Vec<&Scenario>)> {
    const MOST: usize = 12;
    let scenarios = model.scenarios();
    let mut families: Vec<(String, Vec<&Scenario>)> = Vec::new();
    for scenario in scenarios {
        let name = match scenario.name.starts_with("power-") && scenarios.len() > MOST {
            true => "power-…",
            false => scenario.name,
        };
        match families.last_mut().filter(|(known, _)| known == name) {
            Some((_, of)) => of.push(scenario),
            None => families.push((name.to_owned(), vec![scenario])),
        }
    }
    families
}

/// What stands across.
fn columns(model: &dyn Model) -> Vec<String> {
    match model.has_scenarios_down() {
        true => published(model).iter().map(|variant| variant.name.to_owned()).collect(),
        false => families(model).into_iter().map(|(name, _)| name).collect(),
    }
}

fn rows(model: &dyn Model, columns: &[String]) -> Table {
    let first = if model.has_scenarios_down() { "scenario" } else { "variant" };
    let head = std::iter::once(first.to_owned()).chain(columns.iter().cloned());
    let mut table = Table::new(head.collect());
    let (variants, scenarios) = (published(model), model.scenarios());
    let mut push = |name: &str, marks: Vec<String>| {
        table.push(std::iter::once(format!("`{name}`")).chain(marks).collect());
    };
    if model.has_scenarios_down() {
        for scenario in scenarios {
            let marks = variants.iter().map(|variant| mark(model, variant, scenario));
            push(scenario.name, marks.collect());
        }
    } else {
        for variant in variants {
            let marks = families(model).into_iter().map(|(_, of)| {
                // The first size that breaks something comes first, and what holds comes last.
                let marks = of.iter().map(|scenario| mark(model, variant, scenario));
                marks.min_by_key(|mark| (!mark.starts_with('✗'), mark.clone())).unwrap_or_default()
            });
            push(variant.name, marks.collect());
        }
    }
    table
}

/// Variant by variant, which properties break, and where from which size on.
fn list(model: &dyn Model) -> String {
    let mut text = String::new();
    let mut whole = Vec::new();
    for variant in published(model) {
        let named = format!("`{}` ({})", variant.name, variant.origin);
        if variant.breaks().next().is_none() {
            whole.push(named);
            continue;
        }
        text += &wrapped("- ", &format!("{named} breaks"));
        for (properties, places) in by_place(model, variant) {
            text += &wrapped("  - ", &format!("{} {places}", properties.join(", ")));
        }
    }
    if !whole.is_empty() {
        text += "- Nothing breaks:\n";
    }
    for named in whole {
        text += &wrapped("  - ", &named);
    }
    text
}

/// What a variant breaks, property by property, in the order of the records.
fn by_property(variant: &Variant) -> Vec<(&'static str, Vec<Breaks<'static>>)> {
    let mut known: Vec<(&str, Vec<Breaks<'_>>)> = Vec::new();
    for breaks in variant.breaks() {
        match known.iter_mut().find(|(property, _)| *property == breaks.property) {
            Some((_, places)) => places.push(breaks),
            None => known.push((breaks.property, vec![breaks])),
        }
    }
    known
}

/// The same, those together that break in the same places.
fn by_place(model: &dyn Model, variant: &Variant) -> Vec<(Vec<String>, String)> {
    let mut known: Vec<(Vec<String>, String)> = Vec::new();
    for (property, breaks) in by_property(variant) {
        let (property, places) = (format!("`{property}`"), places(model, variant, &breaks));
        match known.iter_mut().find(|(_, known)| *known == places) {
            Some((properties, _)) => properties.push(property),
            None => known.push((vec![property], places)),
        }
    }
    known
}

/// `from 1 in reupload; from 2 in clients, janitor`.
fn places(model: &dyn Model, variant: &Variant, breaks: &[Breaks<'_>]) -> String {
    let mut by_size: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for scenario in model.scenarios() {
        for breaks in breaks.iter().filter(|breaks| breaks.scenario == scenario.name) {
            by_size.entry(breaks.from_size).or_default().push(scenario.name);
        }
    }
    let has = model.scenarios().iter().filter(|it| model.has(variant.name, it.name)).count();
    let places = by_size
        .iter()
        .map(|(size, names)| format!("from\u{a0}{size} in {}", scenarios_told(has, names)));
    places.collect::<Vec<_>>().join("; ")
}

/// These scenarios; or that they are all that the variant has.
pub(crate) fn scenarios_told(has: usize, names: &[&str]) -> String {
    if names.len() == has { "all scenarios".to_owned() } else { names.join(", ") }
}
