//! Top floor, the command: the catalogue. Imports [`models`](crate::models) and
//! [`report`](crate::report).

use crate::models::Model;
use crate::report::{WIDTH, wrapped};
use crate::survey::Names;
use anstyle::Style;

use super::execution::HEAD;
use super::out::Out;
use super::{AsItShould, Failure};

const FAINT: Style = Style::new().dimmed();

pub(super) fn list(names: Names) -> Result<AsItShould, Failure> {
    let mut out = Out::new();
    for (position, model) in names.0.iter().enumerate() {
        if position > 0 {
            out.line("")?;
        }
        out.say(&of_model(*model))?;
    }
    Ok(AsItShould::Be)
}

fn of_model(model: &dyn Model) -> String {
    let mut told = format!("{HEAD}{}{HEAD:#}\n", model.name());
    for line in wrapped(model.about(), WIDTH - 2) {
        told += &format!("  {}\n", line);
    }
    let variants = model.variants().iter();
    let properties = properties(model);
    let names = properties.iter().map(|(property, ..)| property.len());
    let scenarios = model.scenarios().iter().map(|scenario| scenario.name.len());
    let names = names.chain(scenarios).chain(variants.clone().map(|variant| variant.name.len()));
    let width = names.max().unwrap_or(0);
    told += "\n  variants\n";
    for variant in variants {
        told += &format!("    {:width$}  {}\n", variant.name, variant.origin);
        for line in wrapped(variant.about, WIDTH.saturating_sub(width + 6)) {
            told += &format!("    {:width$}  {FAINT}{}{FAINT:#}\n", "", line);
        }
    }
    told += "\n  scenarios\n";
    for scenario in model.scenarios() {
        let about = wrapped(scenario.about, WIDTH.saturating_sub(width + 6));
        for (position, line) in about.iter().enumerate() {
            let name = if position == 0 { scenario.name } else { "" };
            told += &format!("    {name:width$}  {}\n", line);
        }
    }
    if !model.levels().is_empty() {
        told += "\n  levels\n";
        for level in model.levels() {
            told += &format!("    {level}\n");
        }
    }
    let size = model.size();
    let usual: Vec<String> = size.usual.iter().map(usize::to_string).collect();
    told += &format!("\n  sized by {}\n", size.plural());
    told += &format!("    {}\n", usual.join(", "));
    told += "\n  properties\n";
    told += &format!("    {:width$}  always\n", "deadlock-free");
    for (property, kind, scenarios) in properties {
        let scenarios = if scenarios.len() == model.scenarios().len() {
            String::new()
        } else {
            format!(" ({})", scenarios.join(", "))
        };
        let told_kind = format!("{kind}{scenarios}");
        for (position, line) in
            wrapped(&told_kind, WIDTH.saturating_sub(width + 6)).iter().enumerate()
        {
            let name = if position == 0 { &*property } else { "" };
            told += &format!("    {name:width$}  {}\n", line);
        }
    }
    told
}

/// Each property, what kind it is, and in which scenarios it is claimed.
fn properties(model: &dyn Model) -> Vec<(String, &'static str, Vec<&'static str>)> {
    let mut known: Vec<(String, &'static str, Vec<&'static str>)> = Vec::new();
    for scenario in model.scenarios() {
        let mut variants = model.variants().iter();
        let Some(variant) = variants.find(|variant| model.has(variant.name, scenario.name)) else {
            continue;
        };
        let case = model.case(variant.name, scenario.name, model.size().representative);
        for (property, kind) in case.into_iter().flat_map(|case| case.properties()) {
            match known.iter_mut().find(|(name, ..)| *name == property) {
                Some((.., scenarios)) => scenarios.push(scenario.name),
                None => known.push((property, kind.word(), vec![scenario.name])),
            }
        }
    }
    known
}
