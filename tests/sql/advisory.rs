//! Advisory locks, of transactions and of sessions, shared and not, waited for and tried: random statements
//! that take them beside the locks of rows, played in both worlds as the others are.

use std::sync::{Mutex, MutexGuard, PoisonError};

use proptest::prelude::*;
use toctou::db::{Isolation, Row, Statement, Table, Value, row};

use super::generate::{Choices, Levels, Program};
use super::story::{assert_story, begin, stage};
use super::text::{self, ITEM};

/// These locks are those of all sessions of a server: one test at a time may have them.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Programs of two or three sessions that lock two keys and two rows.
pub(crate) fn program(levels: Levels) -> impl Strategy<Value = Program> {
    let rows = |_: &mut Choices<'_>| items();
    text::program_of(levels, rows, |choices, _| statement(choices))
}

fn items() -> Vec<(&'static Table, Vec<Row>)> {
    let item = |id: i64| row([id.into(), id.into(), Value::Null, false.into()]);
    vec![(&ITEM, vec![item(1), item(2)]), (&text::LOG, Vec::new())]
}

fn statement(choices: &mut Choices<'_>) -> String {
    let shared = choices.weighed(&[(3, ""), (2, "_shared")]);
    let key = choices.weighed(&[(5, "1"), (5, "2"), (1, "1, 1"), (1, "NULL")]);
    match choices.below(20) {
        0..=3 => format!("SELECT pg_advisory_xact_lock{shared}({key})"),
        4..=7 => format!("SELECT pg_advisory_lock{shared}({key})"),
        8..=9 => format!("SELECT pg_try_advisory_xact_lock{shared}({key})"),
        10..=11 => format!("SELECT pg_try_advisory_lock{shared}({key}) AS got"),
        12..=14 => format!("SELECT pg_advisory_unlock{shared}({key})"),
        15 => "SELECT pg_advisory_unlock_all()".to_owned(),
        16..=17 => format!("UPDATE item SET n = n + 1 WHERE id = {}", choices.of(&[1, 2])),
        _ => format!("SELECT n FROM item WHERE id = {} FOR UPDATE", choices.of(&[1, 2])),
    }
}

/// Whether a session of a program may keep a lock when its transaction is over.
pub(crate) fn takes_locks(program: &Program) -> bool {
    let mut statements = program.sessions.iter().flatten();
    statements.any(|statement| kind_of(&statement.to_string()).is_some())
}

/// Whether a statement is one of the kind that this file writes.
pub(crate) fn kind_of(text: &str) -> Option<&'static str> {
    let has = |words: &str| text.contains(words);
    if !has("advisory") {
        return None;
    }
    Some(match () {
        () if has("unlock_all") => "advisory: unlock all",
        () if has("unlock") => "advisory: unlock",
        () if has("try") && has("xact") => "advisory: try of a transaction",
        () if has("try") => "advisory: try of a session",
        () if has("xact") => "advisory: lock of a transaction",
        () => "advisory: lock of a session",
    })
}

/// What a run has to have seen of them.
pub(crate) const INTERESTING: [(&str, &str); 9] = [
    ("advisory: lock of a transaction", "rows"),
    ("advisory: lock of a transaction", "queued"),
    ("advisory: lock of a transaction", "40P01"),
    ("advisory: lock of a session", "rows"),
    ("advisory: lock of a session", "queued"),
    ("advisory: lock of a session", "40P01"),
    ("advisory: try of a transaction", "rows"),
    ("advisory: try of a session", "rows"),
    ("advisory: unlock", "rows"),
];

/// Words that are taken for others.
pub(crate) const MISREADINGS: [(&str, &str); 6] = [
    ("_shared(", "("),
    ("pg_advisory_lock(", "pg_advisory_xact_lock("),
    ("pg_advisory_xact_lock(", "pg_advisory_lock("),
    ("pg_try_advisory_lock(", "pg_try_advisory_xact_lock("),
    ("pg_advisory_unlock_all()", "pg_advisory_unlock(1)"),
    ("(1, 1)", "(1)"),
];

fn ask(text: &str) -> Statement {
    Statement::sql(text, [])
}

/// A lock of a session outlives its transaction, and one of a transaction does not.
#[test]
fn a_lock_ends_with_its_transaction_or_with_its_session() {
    let _alone = alone();
    let locks = |which: &str| ask(&format!("SELECT pg_advisory_{which}(1)"));
    let tries = || ask("SELECT pg_try_advisory_lock(1)");
    for (which, free) in [("lock", "false"), ("xact_lock", "true")] {
        for end in [Statement::Commit, Statement::Rollback] {
            let ended = if end == Statement::Commit { "ok" } else { "rolled back" };
            assert_story(
                &stage(&ITEM, Vec::new()),
                &[
                    (0, begin(Isolation::ReadCommitted), "ok"),
                    (0, locks(which), "NULL"),
                    (1, tries(), "false"),
                    (0, end, ended),
                    (1, tries(), free),
                    (0, ask("SELECT pg_advisory_unlock_all()"), "NULL"),
                    (1, ask("SELECT pg_advisory_unlock_all()"), "NULL"),
                ],
            );
        }
    }
}

/// At REPEATABLE READ the lock comes too late: what the transaction sees is chosen before it has it.
#[test]
fn a_snapshot_is_older_than_the_lock_that_its_first_statement_waits_for() {
    let _alone = alone();
    let locks = || ask("SELECT pg_advisory_xact_lock(1)");
    let reads = || ask("SELECT n FROM item WHERE id = 1");
    for (level, told) in [(Isolation::ReadCommitted, "2"), (Isolation::RepeatableRead, "1")] {
        assert_story(
            &Program { rows: items(), ..stage(&ITEM, Vec::new()) },
            &[
                (0, begin(Isolation::ReadCommitted), "ok"),
                (0, locks(), "NULL"),
                (0, ask("UPDATE item SET n = n + 1 WHERE id = 1"), "1 row"),
                (1, begin(level), "ok"),
                (1, locks(), "queued"),
                (0, Statement::Commit, "ok"),
                (1, locks(), "NULL"),
                (1, reads(), told),
            ],
        );
    }
}
