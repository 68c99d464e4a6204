//! Every verdict of the catalogue, and how many interleavings and outcomes each system has, are what they
//! were: `command/tests/golden` has a file a model. A change in how protocols are written is none in what they do.
//!
//! Where a change is meant, `TOCTOU_BLESS=1 cargo test -p toctou-command --test golden` writes the files anew; what differs is to
//! be read line by line before it is committed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use toctou::models::ALL;

/// One property, as one engine found it.
#[derive(Deserialize)]
struct Row {
    variant: String,
    scenario: String,
    clients: Option<usize>,
    actions: Option<usize>,
    threads: Option<usize>,
    engine: String,
    property: String,
    verdict: String,
    interleavings: Option<serde_json::Value>,
    outcomes: Option<u64>,
}

impl Row {
    fn size(&self) -> String {
        let sizes =
            [("clients", self.clients), ("actions", self.actions), ("threads", self.threads)];
        let size = sizes.iter().find_map(|(noun, size)| Some(format!("{noun} {}", (*size)?)));
        size.unwrap_or_default()
    }
}

/// What is told of one system by one engine.
#[derive(Default)]
struct System {
    counts: String,
    broken: Vec<String>,
    proved: Vec<String>,
}

/// The verdicts of a model as text: a line for each variant in each scenario and size.
fn told(model: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_toctou"))
        .args(["check", model, "--format", "json"])
        .output()
        .expect("the command is there");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("JSON is text");
    let rows = text.lines().filter(|line| line.contains("\"engine\":"));
    let rows =
        rows.map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}")));
    let rows: Vec<Row> = rows.collect();
    // Threads have no state graph.
    let counting = if rows.iter().any(|row| row.engine == "graph") { "graph" } else { "loom" };
    let mut order = Vec::new();
    let mut systems: BTreeMap<(String, String), System> = BTreeMap::new();
    for row in rows {
        let is_any = row.engine == "any";
        if row.engine != counting && !is_any {
            continue;
        }
        let of = if is_any { "any number".to_owned() } else { row.size() };
        let place = (format!("{}, {}", row.variant, row.scenario), of);
        if !systems.contains_key(&place) {
            order.push(place.clone());
        }
        let system = systems.entry(place).or_default();
        if !is_any {
            let count = match &row.interleavings {
                Some(serde_json::Value::String(count)) => count.clone(),
                Some(count) => count.to_string(),
                None => "uncounted".to_owned(),
            };
            let outcomes = row.outcomes.unwrap_or_default();
            system.counts = format!("{count} interleavings, {outcomes} outcomes, ");
        }
        match row.verdict.as_str() {
            "holds" if is_any => system.proved.push(row.property),
            "violated" => system.broken.push(row.property),
            _ => {}
        }
    }
    let mut lines = String::new();
    for place in order {
        let System { counts, broken, proved } = &systems[&place];
        let broken = match broken.is_empty() {
            true => "nothing breaks".to_owned(),
            false => format!("breaks {}", broken.join(" ")),
        };
        let proved = match proved.is_empty() {
            true => String::new(),
            false => format!(", proves {}", proved.join(" ")),
        };
        lines.push_str(&format!("{}, {}: {counts}{broken}{proved}\n", place.0, place.1));
    }
    lines
}

fn golden(model: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{model}.txt"))
}

#[test]
fn every_verdict_and_every_count_is_what_it_was() {
    let bless = std::env::var_os("TOCTOU_BLESS").is_some();
    let mut different = Vec::new();
    for model in ALL {
        let (path, now) = (golden(model.name()), told(model.name()));
        assert!(now.lines().count() > 5, "{}: too little to compare", model.name());
        if bless {
            fs::write(&path, &now).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            continue;
        }
        let before = fs::read_to_string(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; see the top of this test", path.display())
        });
        let mut before: Vec<&str> = before.lines().collect();
        for line in now.lines() {
            match before.iter().position(|known| *known == line) {
                Some(at) => drop(before.remove(at)),
                None => different.push(format!("+ {}: {line}", model.name())),
            }
        }
        different.extend(before.iter().map(|line| format!("- {}: {line}", model.name())));
    }
    different.sort_by(|one, other| one[2..].cmp(&other[2..]));
    assert!(different.is_empty(), "not as it was:\n{}", different.join("\n"));
}
