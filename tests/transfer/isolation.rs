//! Isolation levels down, ways of writing the transfer across: what breaks with two clients.

use toctou::check::{Checker, GraphOptions, Verdict};
use toctou::models::transfer::{BODIES, LEVELS, at};

/// In which scenarios something breaks, and what: `both-ways: no-server-error`; and in which there is
/// no such system.
fn cell(body: &str, way: toctou::db::Way) -> String {
    let (mut broken, mut missing) = (Vec::new(), Vec::new());
    for scenario in ["out", "both-ways", "sum", "crash"] {
        let Some(system) = at(body, way, scenario, 2) else {
            missing.push(scenario);
            continue;
        };
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
    match (broken.is_empty(), missing.as_slice()) {
        (_, ["out", "both-ways", "sum", "crash"]) => "–".to_owned(),
        (true, []) => "holds".to_owned(),
        (true, _) => format!("holds (not in {})", missing.join(", ")),
        (false, []) => broken.join(", "),
        (false, _) => format!("{} (not in {})", broken.join(", "), missing.join(", ")),
    }
}

/// Each line a level and a body, and what breaks.
const KNOWN: &str = "\
autocommit | check-then-debit | out: money-conserved, out: told-the-truth, \
both-ways: money-conserved, both-ways: told-the-truth, sum: no-overdraft, \
crash: money-conserved, crash: told-the-truth\n\
autocommit | conditional-debit | sum: no-overdraft, crash: money-conserved, \
crash: told-the-truth\n\
autocommit | select-for-update | –\n\
autocommit | ordered | crash: money-conserved, crash: told-the-truth (not in sum)\n\
READ COMMITTED | check-then-debit | out: conserved-at-every-commit, out: money-conserved, \
out: told-the-truth, both-ways: conserved-at-every-commit, both-ways: money-conserved, \
both-ways: told-the-truth, both-ways: no-server-error, sum: no-overdraft, \
crash: conserved-at-every-commit, crash: money-conserved, crash: told-the-truth\n\
READ COMMITTED | conditional-debit | both-ways: no-server-error, sum: no-overdraft\n\
READ COMMITTED | select-for-update | holds\n\
READ COMMITTED | ordered | holds (not in sum)\n\
READ COMMITTED, retried | check-then-debit | out: conserved-at-every-commit, \
out: money-conserved, out: told-the-truth, both-ways: conserved-at-every-commit, \
both-ways: money-conserved, both-ways: told-the-truth, both-ways: no-server-error, \
sum: no-overdraft, crash: conserved-at-every-commit, crash: money-conserved, \
crash: told-the-truth\n\
READ COMMITTED, retried | conditional-debit | both-ways: no-server-error, sum: no-overdraft\n\
READ COMMITTED, retried | select-for-update | holds\n\
READ COMMITTED, retried | ordered | holds (not in sum)\n\
REPEATABLE READ | check-then-debit | out: no-server-error, both-ways: no-server-error, \
sum: no-overdraft, crash: no-server-error\n\
REPEATABLE READ | conditional-debit | out: no-server-error, both-ways: no-server-error, \
sum: no-overdraft, crash: no-server-error\n\
REPEATABLE READ | select-for-update | out: no-server-error, both-ways: no-server-error, \
sum: no-server-error, crash: no-server-error\n\
REPEATABLE READ | ordered | out: no-server-error, both-ways: no-server-error, \
crash: no-server-error (not in sum)\n\
REPEATABLE READ, retried | check-then-debit | both-ways: no-server-error, sum: no-overdraft\n\
REPEATABLE READ, retried | conditional-debit | both-ways: no-server-error, sum: no-overdraft\n\
REPEATABLE READ, retried | select-for-update | holds\n\
REPEATABLE READ, retried | ordered | holds (not in sum)\n\
SERIALIZABLE | check-then-debit | out: no-server-error, both-ways: no-server-error, \
sum: no-server-error, crash: no-server-error\n\
SERIALIZABLE | conditional-debit | out: no-server-error, both-ways: no-server-error, \
sum: no-server-error, crash: no-server-error\n\
SERIALIZABLE | select-for-update | out: no-server-error, both-ways: no-server-error, \
sum: no-server-error, crash: no-server-error\n\
SERIALIZABLE | ordered | out: no-server-error, both-ways: no-server-error, \
crash: no-server-error (not in sum)\n\
SERIALIZABLE, retried | check-then-debit | both-ways: no-server-error\n\
SERIALIZABLE, retried | conditional-debit | both-ways: no-server-error\n\
SERIALIZABLE, retried | select-for-update | holds\n\
SERIALIZABLE, retried | ordered | holds (not in sum)\n\
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
