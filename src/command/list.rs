//! Top floor, the command: the catalogue. Imports [`models`](toctou::models).

use anstyle::Style;
use toctou::models::{self, Model};

use super::out::Out;
use super::{AsItShould, Failure};

const HEAD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

pub(crate) fn list() -> Result<AsItShould, Failure> {
    let mut out = Out::new();
    for (position, model) in models::ALL.iter().enumerate() {
        if position > 0 {
            out.line("")?;
        }
        out.say(&of_model(*model))?;
    }
    Ok(AsItShould::Be)
}

fn of_model(model: &dyn Model) -> String {
    let mut told = format!("{HEAD}{}{HEAD:#}\n  {}\n", model.name(), model.about());
    let variants = model.variants().iter();
    let width = variants.clone().map(|variant| variant.name.len()).max().unwrap_or(0);
    told += "\n  variants\n";
    for variant in variants {
        told += &format!("    {:width$}  {}\n", variant.name, variant.origin);
        told += &format!("    {:width$}  {FAINT}{}{FAINT:#}\n", "", variant.about);
    }
    told += "\n  scenarios\n";
    for scenario in model.scenarios() {
        told += &format!("    {:width$}  {}\n", scenario.name, scenario.about);
    }
    let size = model.size();
    let usual: Vec<String> = size.usual.iter().map(usize::to_string).collect();
    told += &format!("\n  sized by {}\n", size.plural());
    told += &format!("    {}\n", usual.join(", "));
    told += "\n  properties\n";
    told += &format!("    {:width$}  always\n", "deadlock-free");
    for (property, kind, scenarios) in properties(model) {
        let scenarios = if scenarios.len() == model.scenarios().len() {
            String::new()
        } else {
            format!(" ({})", scenarios.join(", "))
        };
        told += &format!("    {property:width$}  {kind}{scenarios}\n");
    }
    told
}

/// Each property, what kind it is, and in which scenarios it is claimed.
fn properties(model: &dyn Model) -> Vec<(String, &'static str, Vec<&'static str>)> {
    let mut known: Vec<(String, &'static str, Vec<&'static str>)> = Vec::new();
    let Some(variant) = model.variants().first() else { return known };
    for scenario in model.scenarios() {
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
