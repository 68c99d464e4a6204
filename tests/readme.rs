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
        .breaks()
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

/// With so many clients a way of writing a protocol is told to break at a level.
const AT_LEVELS: usize = 2;

/// What breaks in which scenarios, property by property, after the name by which the catalogue has it.
fn cell_at_level(model: &dyn Model, body: &str, level: &str) -> String {
    let Some(variant) = model.at_level(body, level) else { return "–".to_owned() };
    let listed = model.variants().iter().any(|known| known.name == variant.name);
    let name = match listed && variant.name != body {
        true => format!("(`{}`) ", variant.name),
        false => String::new(),
    };
    let mut broken: Vec<(&str, Vec<&str>)> = Vec::new();
    for scenario in model.scenarios() {
        for breaks in variant.breaks() {
            if breaks.scenario != scenario.name || breaks.from_size > AT_LEVELS {
                continue;
            }
            match broken.iter_mut().find(|(known, _)| *known == breaks.property) {
                Some((_, scenarios)) => scenarios.push(scenario.name),
                None => broken.push((breaks.property, vec![scenario.name])),
            }
        }
    }
    let told = broken.iter().map(|(name, within)| format!("`{name}`: {}", within.join(", ")));
    let told =
        if broken.is_empty() { "✓".to_owned() } else { told.collect::<Vec<_>>().join("; ") };
    let missing = model.scenarios().iter().filter(|it| !model.has(variant.name, it.name));
    let missing: Vec<_> = missing.map(|scenario| format!("`{}`", scenario.name)).collect();
    let but = match missing.as_slice() {
        [] => String::new(),
        missing => format!(" (not {})", missing.join(", ")),
    };
    format!("{name}{told}{but}")
}

/// Levels down, the variants that can be had at several across.
fn levels(model: &dyn Model) -> String {
    let levels = model.levels();
    let is_levelled = |name: &str| levels.iter().any(|level| model.at_level(name, level).is_some());
    let bodies: Vec<_> =
        model.variants().iter().map(|it| it.name).filter(|name| is_levelled(name)).collect();
    let heads = bodies.iter().map(|body| format!("`{body}`"));
    let head: Vec<_> = std::iter::once("level".to_owned()).chain(heads).collect();
    let rows = levels.iter().map(|level| {
        let cells = bodies.iter().map(|body| cell_at_level(model, body, level));
        line(&std::iter::once((*level).to_owned()).chain(cells).collect::<Vec<_>>())
    });
    format!("{}{}{}", line(&head), rule(bodies.len()), rows.collect::<String>())
}

#[test]
fn the_tables_of_levels_in_the_readme_are_the_models() {
    let readme = readme();
    let mut seen = 0;
    for model in models::ALL.iter().filter(|model| !model.levels().is_empty()) {
        let name = model.name();
        let begin = format!(
            "<!-- the levels of {name}: kept equal to the model's by tests/readme.rs -->\n"
        );
        let table = levels(*model);
        let Some((_, rest)) = readme.split_once(&begin) else {
            panic!("the README should have, of {name}:\n{begin}{table}{END}");
        };
        let (found, _) = rest.split_once(END).expect("the mark after the table");
        assert_eq!(found, table, "the levels of {name} should be:\n{table}");
        seen += 1;
    }
    assert!(seen > 0);
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
