//! Isolation levels down, ways of writing the transfer across: what breaks with two clients.

use toctou::check::{Checker, GraphOptions, Verdict};
use toctou::models::transfer::{BODIES, LEVELS, at};

/// In which scenarios something breaks, and what: `both-ways: no-server-error`.
fn cell(body: &str, way: toctou::db::Way) -> String {
    let mut broken = Vec::new();
    for scenario in ["out", "both-ways", "sum", "crash"] {
        let system = at(body, way, scenario, 2).expect("a body and a scenario");
        let checker = Checker::new(system);
        let report = checker.graph(&GraphOptions::default());
        assert!(report.exhaustive());
        for finding in report.findings {
            let Verdict::Violated(schedule) = finding.verdict else { continue };
            let schedule = schedule.expect("nothing here is only unreachable");
            assert!(checker.system().play(&schedule).is_ok());
            // What autocommit shows in between is said once, above the table.
            if finding.property != "conserved-at-every-commit" || way.isolation.is_some() {
                broken.push(format!("{scenario}: {}", finding.property));
            }
        }
    }
    if broken.is_empty() { "holds".to_owned() } else { broken.join(", ") }
}

/// Each line a level and a body, and what breaks.
const KNOWN: &str = "\
";

#[test]
fn each_isolation_level_keeps_what_it_is_known_to_keep() {
    let mut table = String::new();
    for (level, way) in LEVELS {
        for body in BODIES {
            table += &format!("{level} | {body} | {}\n", cell(body, way));
        }
    }
    assert_eq!(table, KNOWN, "\n{table}");
}
