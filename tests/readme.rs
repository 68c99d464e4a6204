//! The README never claims more than was seen: its tables of verdicts are the models' own, and those are
//! what the engines find (`every_variant_has_just_the_verdicts_it_is_known_for…`).

use std::path::Path;

use toctou::models::{self, Model, Scenario, Variant};

const END: &str = "<!-- end of the verdicts -->";

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    std::fs::read_to_string(path).expect("a README")
}

fn begin(model: &dyn Model) -> String {
    let name = model.name();
    format!("<!-- the verdicts of {name}: kept equal to the model's by tests/readme.rs -->\n")
}

/// What a variant is known to break in a scenario, and from which size on.
fn cell(model: &dyn Model, variant: &Variant, scenario: &Scenario) -> String {
    if !model.has(variant.name, scenario.name) {
        return "–".to_owned();
    }
    let broken: Vec<_> = variant
        .breaks
        .iter()
        .filter(|breaks| breaks.scenario == scenario.name)
        .map(|breaks| format!("`{}` {}", breaks.property, breaks.from_size))
        .collect();
    if broken.is_empty() { "✓".to_owned() } else { broken.join(", ") }
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

fn rule(columns: usize) -> String {
    format!("| --- |{}\n", " --- |".repeat(columns))
}

fn published(model: &dyn Model) -> Vec<&'static Variant> {
    model.variants().iter().filter(|variant| !variant.is_control()).collect()
}

fn table(model: &dyn Model) -> String {
    if model.has_scenarios_down() {
        return scenarios_down(model);
    }
    let scenarios = model.scenarios();
    let heads = scenarios.iter().map(|scenario| format!("`{}`", scenario.name));
    let head: Vec<_> = std::iter::once("variant".to_owned()).chain(heads).collect();
    let rows = published(model).into_iter().map(|variant| {
        let name = format!("`{}`: {}", variant.name, variant.origin);
        let cells = scenarios.iter().map(|scenario| cell(model, variant, scenario));
        line(&std::iter::once(name).chain(cells).collect::<Vec<_>>())
    });
    format!("{}{}{}", line(&head), rule(scenarios.len()), rows.collect::<String>())
}

fn scenarios_down(model: &dyn Model) -> String {
    let variants = published(model);
    let heads = variants.iter().map(|variant| format!("`{}`: {}", variant.name, variant.origin));
    let head: Vec<_> = std::iter::once("scenario".to_owned()).chain(heads).collect();
    let rows = model.scenarios().iter().map(|scenario| {
        let cells = variants.iter().map(|variant| cell(model, variant, scenario));
        line(&std::iter::once(format!("`{}`", scenario.name)).chain(cells).collect::<Vec<_>>())
    });
    format!("{}{}{}", line(&head), rule(variants.len()), rows.collect::<String>())
}

#[test]
fn the_tables_in_the_readme_are_the_models() {
    let readme = readme();
    for model in models::ALL {
        let (begin, table) = (begin(*model), table(*model));
        let Some((_, rest)) = readme.split_once(&begin) else {
            panic!("the README should have, of {}:\n{begin}{table}{END}", model.name());
        };
        let (found, _) = rest.split_once(END).expect("the mark after the table");
        assert_eq!(found, table, "the table of {} should be:\n{table}", model.name());
    }
}

/// `1, 2 and 3 clients`.
fn sizes(model: &dyn Model) -> String {
    let size = model.size();
    let numbers: Vec<String> = size.usual.iter().map(usize::to_string).collect();
    match numbers.split_last() {
        Some((last, before)) if !before.is_empty() => {
            format!("{} and {last} {}", before.join(", "), size.plural())
        }
        _ => format!("{} {}", numbers.concat(), size.plural()),
    }
}

#[test]
fn the_readme_says_before_each_table_what_was_checked() {
    let readme = readme();
    for model in models::ALL {
        let (before, _) = readme.split_once(&begin(*model)).expect("the mark before the table");
        let section = before.rsplit("\n## ").next().unwrap_or_default();
        let section = section.split_whitespace().collect::<Vec<_>>().join(" ");
        let sizes = sizes(*model);
        assert!(section.contains(&sizes), "{}: not checked with {sizes}?", model.name());
    }
}
