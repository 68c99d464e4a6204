//! The README never claims more than was seen: its table of verdicts is the model's own, and those are
//! what the engines find (`every_variant_has_just_the_verdicts_it_is_known_for…`).

use std::path::Path;

use toctou::models::download::Download;
use toctou::models::{Model, Variant};

const BEGIN: &str = "<!-- the verdicts: kept equal to the model's by tests/readme.rs -->\n";
const END: &str = "<!-- end of the verdicts -->";

fn row(variant: &Variant) -> String {
    let cells = Download.scenarios().iter().map(|scenario| {
        let broken: Vec<_> = variant
            .breaks
            .iter()
            .filter(|breaks| breaks.scenario == scenario.name)
            .map(|breaks| format!("`{}` {}", breaks.property, breaks.from_size))
            .collect();
        if broken.is_empty() { "✓".to_owned() } else { broken.join(", ") }
    });
    let cells: Vec<_> = cells.collect();
    format!("| `{}`: {} | {} |\n", variant.name, variant.origin, cells.join(" | "))
}

#[test]
fn the_table_in_the_readme_is_the_models() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(path).expect("a README");
    let (_, rest) = readme.split_once(BEGIN).expect("the mark before the table");
    let (table, _) = rest.split_once(END).expect("the mark after the table");
    let scenarios: Vec<_> =
        Download.scenarios().iter().map(|scenario| format!("`{}`", scenario.name)).collect();
    let head = format!("| variant | {} |\n", scenarios.join(" | "));
    let rule = format!("| --- |{}\n", " --- |".repeat(scenarios.len()));
    let published = Download.variants().iter().filter(|v| v.origin != "negative control");
    let rows: String = published.map(row).collect();
    assert_eq!(table, format!("{head}{rule}{rows}"), "the table should be:\n{head}{rule}{rows}");
}
