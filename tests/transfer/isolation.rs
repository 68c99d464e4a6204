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
autocommit | check-then-debit | out: money-conserved, out: told-the-truth, \
both-ways: money-conserved, both-ways: told-the-truth, sum: no-overdraft, \
crash: money-conserved, crash: told-the-truth\n\
autocommit | conditional-debit | sum: no-overdraft, crash: money-conserved, \
crash: told-the-truth\n\
autocommit | ordered | sum: no-overdraft, crash: money-conserved, crash: told-the-truth\n\
READ COMMITTED | check-then-debit | out: conserved-at-every-commit, out: money-conserved, \
out: told-the-truth, both-ways: conserved-at-every-commit, both-ways: money-conserved, \
both-ways: told-the-truth, both-ways: no-server-error, sum: no-overdraft, \
crash: conserved-at-every-commit, crash: money-conserved, crash: told-the-truth\n\
READ COMMITTED | conditional-debit | both-ways: no-server-error, sum: no-overdraft\n\
READ COMMITTED | ordered | holds\n\
READ COMMITTED, retried | check-then-debit | out: conserved-at-every-commit, \
out: money-conserved, out: told-the-truth, both-ways: conserved-at-every-commit, \
both-ways: money-conserved, both-ways: told-the-truth, both-ways: no-server-error, \
sum: no-overdraft, crash: conserved-at-every-commit, crash: money-conserved, \
crash: told-the-truth\n\
READ COMMITTED, retried | conditional-debit | both-ways: no-server-error, sum: no-overdraft\n\
READ COMMITTED, retried | ordered | holds\n\
REPEATABLE READ | check-then-debit | out: no-server-error, both-ways: no-server-error, \
sum: no-overdraft, crash: no-server-error\n\
REPEATABLE READ | conditional-debit | out: no-server-error, both-ways: no-server-error, \
sum: no-overdraft, crash: no-server-error\n\
REPEATABLE READ | ordered | out: no-server-error, both-ways: no-server-error, \
sum: no-server-error, crash: no-server-error\n\
REPEATABLE READ, retried | check-then-debit | both-ways: no-server-error, sum: no-overdraft\n\
REPEATABLE READ, retried | conditional-debit | both-ways: no-server-error, sum: no-overdraft\n\
REPEATABLE READ, retried | ordered | holds\n\
SERIALIZABLE | check-then-debit | out: no-server-error, both-ways: no-server-error, \
sum: no-server-error, crash: no-server-error\n\
SERIALIZABLE | conditional-debit | out: no-server-error, both-ways: no-server-error, \
sum: no-server-error, crash: no-server-error\n\
SERIALIZABLE | ordered | out: no-server-error, both-ways: no-server-error, \
sum: no-server-error, crash: no-server-error\n\
SERIALIZABLE, retried | check-then-debit | both-ways: no-server-error\n\
SERIALIZABLE, retried | conditional-debit | both-ways: no-server-error\n\
SERIALIZABLE, retried | ordered | holds\n\
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
