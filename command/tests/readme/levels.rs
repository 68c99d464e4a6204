//! What each isolation level makes of the variants that can be had at several.

use toctou::models::{Model, Scenario, Variant};

use crate::page::Block;
use crate::table::{Table, wrapped};
use crate::verdicts::scenarios_told;

/// With so many clients a way of writing a protocol is told to break at a level.
const CLIENTS: usize = 2;

/// A variant at a level.
struct Cell {
    body: &'static str,
    variant: &'static Variant,
}

pub(crate) fn block(model: &dyn Model) -> Block {
    let text = format!("{}\n{}", table(model).text(), list(model));
    Block::new(format!("levels of {}", model.name()), text)
}

/// The scenarios in which the levels make a difference.
fn told_of(model: &dyn Model) -> impl Iterator<Item = &'static Scenario> {
    model.scenarios().iter().filter(|scenario| model.levels_matter(scenario.name))
}

/// The variants that can be had at some level.
fn bodies(model: &dyn Model) -> Vec<&'static str> {
    let is_levelled = |name| model.levels().iter().any(|level| cell(model, name, level).is_some());
    model.variants().iter().map(|variant| variant.name).filter(|name| is_levelled(name)).collect()
}

fn cell(model: &dyn Model, body: &'static str, level: &str) -> Option<Cell> {
    Some(Cell { body, variant: model.at_level(body, level)? })
}

fn table(model: &dyn Model) -> Table {
    let bodies = bodies(model);
    let head = std::iter::once("level").chain(bodies.iter().copied());
    let mut table = Table::new(head.map(str::to_owned).collect());
    for level in model.levels() {
        let marks = bodies.iter().map(|body| match cell(model, body, level) {
            None => "–",
            Some(cell) if cell.broken(model).is_empty() => "✓",
            Some(_) => "✗",
        });
        table.push(std::iter::once(*level).chain(marks).map(str::to_owned).collect());
    }
    table
}

impl Cell {
    /// What breaks in which scenarios, property by property.
    fn broken(&self, model: &dyn Model) -> Vec<(&'static str, Vec<&'static str>)> {
        let mut broken: Vec<(&str, Vec<&str>)> = Vec::new();
        for scenario in told_of(model) {
            let breaks = self.variant.breaks().filter(|it| it.scenario == scenario.name);
            for breaks in breaks.filter(|it| it.from_size <= CLIENTS) {
                match broken.iter_mut().find(|(property, _)| *property == breaks.property) {
                    Some((_, scenarios)) => scenarios.push(scenario.name),
                    None => broken.push((breaks.property, vec![scenario.name])),
                }
            }
        }
        broken
    }

    /// The name by which the catalogue has it, where that is another one.
    fn other_name(&self, model: &dyn Model) -> Option<&'static str> {
        let name = self.variant.name;
        let is_listed = model.variants().iter().any(|known| known.name == name);
        (is_listed && name != self.body).then_some(name)
    }

    /// The scenarios of which it says nothing.
    fn missing(&self, model: &dyn Model) -> Vec<&'static str> {
        let scenarios = told_of(model).map(|scenario| scenario.name);
        scenarios.filter(|scenario| !model.has(self.variant.name, scenario)).collect()
    }

    /// `conditional-debit`, in the catalogue `two-statements`, breaks …
    fn told(&self, model: &dyn Model) -> Option<String> {
        let broken = self.broken(model);
        let name = self.other_name(model);
        if broken.is_empty() && name.is_none() {
            return None;
        }
        let name = name.map(|name| format!(" (`{name}`)")).unwrap_or_default();
        let has = told_of(model).count() - self.missing(model).len();
        let broken = broken.iter().map(|(property, scenarios)| {
            format!("`{property}` in {}", scenarios_told(has, scenarios))
        });
        let broken: Vec<_> = broken.collect();
        let broken =
            if broken.is_empty() { "breaks nothing".to_owned() } else { broken.join("; ") };
        Some(format!("`{}`{name}: {broken}", self.body))
    }
}

/// What breaks at each level, and which scenarios a body leaves out.
fn list(model: &dyn Model) -> String {
    let bodies = bodies(model);
    let mut text = String::new();
    for level in model.levels() {
        let cells = bodies.iter().filter_map(|body| cell(model, body, level));
        let told: Vec<_> = cells.filter_map(|cell| cell.told(model)).collect();
        if !told.is_empty() {
            text += &format!("- {level}\n");
        }
        for told in told {
            text += &wrapped("  - ", &told);
        }
    }
    for body in bodies {
        let cells = model.levels().iter().filter_map(|level| cell(model, body, level));
        let mut missing: Vec<_> = cells.flat_map(|cell| cell.missing(model)).collect();
        missing.sort_unstable();
        missing.dedup();
        for scenario in missing {
            text += &format!("- `{body}` does not apply to `{scenario}`.\n");
        }
    }
    text
}
