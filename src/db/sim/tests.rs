//! First floor, `db`: the simulated database answers by itself as it should; whether PostgreSQL does so
//! too is asked in `tests/sql`. Imports its neighbours in `db`.

use super::*;
use crate::db::{Column, Insert, OnConflict, Returning, Select, Update, Value, row};

static ACCOUNT: Table = Table {
    name: "account",
    columns: &[Column::int("id"), Column::int("balance")],
    unique: Some("id"),
};
static KEY: Table = Table {
    name: "api_key",
    columns: &[Column::int("user_id"), Column::text("key")],
    unique: Some("user_id"),
};

fn bank() -> SimDb {
    let rows = [row([1.into(), 100.into()]), row([2.into(), 100.into()])];
    SimDb::new().with_table(&ACCOUNT, rows).with_table(&KEY, [])
}

fn add(id: i64, amount: i64) -> Statement {
    Update::new(&ACCOUNT).add("balance", amount).filter("id", id).into()
}

fn told(db: &mut SimDb, session: &mut SimSession, statement: impl Into<Statement>) -> String {
    match db.execute(session, &statement.into()) {
        Reply::Answer(Ok(answer)) => answer.to_string(),
        Reply::Answer(Err(error)) => format!("{error:?}"),
        Reply::Queued => "queued".into(),
        Reply::Waiting => "waiting".into(),
    }
}

#[test]
fn an_update_waits_for_the_row_and_works_on_what_it_has_become() {
    let mut db = bank();
    let (mut one, mut two) = (SimSession::new(), SimSession::new());
    assert_eq!(told(&mut db, &mut one, Statement::Begin(Isolation::ReadCommitted)), "ok");
    assert_eq!(told(&mut db, &mut one, add(1, -60)), "1 row");
    let debit = Update::new(&ACCOUNT).add("balance", -60).filter("id", 1).condition(
        "balance",
        crate::db::Comparison::AtLeast,
        60,
    );
    assert_eq!(told(&mut db, &mut two, debit.clone()), "queued");
    let before = db.clone();
    assert_eq!(told(&mut db, &mut two, debit.clone()), "waiting");
    assert_eq!(db, before);
    assert!(db.waits_for(&two, &one) && !db.waits_for(&one, &two));
    assert_eq!(told(&mut db, &mut one, Statement::Commit), "ok");
    assert_eq!(told(&mut db, &mut two, debit), "0 rows");
    assert!(db.is_idle(), "{db:?}");
    assert_eq!(two, SimSession::new());
}

#[test]
fn two_who_wait_for_one_another_are_a_deadlock() {
    let mut db = bank();
    let (mut one, mut two) = (SimSession::new(), SimSession::new());
    for (session, id) in [(&mut one, 1), (&mut two, 2)] {
        told(&mut db, session, Statement::Begin(Isolation::ReadCommitted));
        assert_eq!(told(&mut db, session, add(id, 1)), "1 row");
    }
    assert_eq!(told(&mut db, &mut one, add(2, 1)), "queued");
    assert_eq!(told(&mut db, &mut two, add(1, 1)), "40P01");
    assert_eq!(told(&mut db, &mut two, add(1, 1)), "25P02");
    assert_eq!(told(&mut db, &mut one, add(2, 1)), "1 row");
    assert_eq!(told(&mut db, &mut two, Statement::Commit), "rolled back");
    assert_eq!(told(&mut db, &mut one, Statement::Commit), "ok");
    assert!(db.is_idle());
    assert_eq!(db.rows(&ACCOUNT), [row([1.into(), 101.into()]), row([2.into(), 101.into()])]);
}

#[test]
fn snapshots_do_not_see_write_skew_and_serializable_does() {
    for (isolation, last) in [(Isolation::RepeatableRead, "ok"), (Isolation::Serializable, "40001")]
    {
        let mut db = bank();
        let (mut one, mut two) = (SimSession::new(), SimSession::new());
        for session in [&mut one, &mut two] {
            told(&mut db, session, Statement::Begin(isolation));
            assert_eq!(told(&mut db, session, Select::sum(&ACCOUNT, "balance")), "200");
        }
        assert_eq!(told(&mut db, &mut one, add(1, -200)), "1 row");
        assert_eq!(told(&mut db, &mut two, add(2, -200)), "1 row");
        assert_eq!(told(&mut db, &mut one, Statement::Commit), "ok");
        assert_eq!(told(&mut db, &mut two, Statement::Commit), last);
        assert!(db.is_idle());
    }
}

#[test]
fn the_first_updater_wins_above_read_committed() {
    let mut db = bank();
    let (mut one, mut two) = (SimSession::new(), SimSession::new());
    for session in [&mut one, &mut two] {
        told(&mut db, session, Statement::Begin(Isolation::RepeatableRead));
        told(&mut db, session, Select::columns(&ACCOUNT, &["balance"]));
    }
    assert_eq!(told(&mut db, &mut one, add(1, 0)), "1 row");
    assert_eq!(told(&mut db, &mut two, add(1, 0)), "queued");
    assert_eq!(told(&mut db, &mut one, Statement::Commit), "ok");
    assert_eq!(told(&mut db, &mut two, add(1, 0)), "40001");
}

/// Whoever wrote the statement may believe in a constraint that nobody has made.
#[test]
fn what_is_unique_is_for_the_database_to_say() {
    static BARE: Table = Table { name: KEY.name, columns: KEY.columns, unique: None };
    let mut db = SimDb::new().with_table(&BARE, []);
    let mut session = SimSession::new();
    let insert = Insert::new(&KEY, row([7.into(), "a".into()]));
    let kind = insert.clone().on_conflict(OnConflict::DoNothing);
    assert_eq!(told(&mut db, &mut session, kind), "42P10");
    for _ in 0..2 {
        assert_eq!(told(&mut db, &mut session, insert.clone()), "1 row");
    }
    assert_eq!(db.rows(&KEY).len(), 2);
}

#[test]
fn a_key_that_is_being_inserted_is_waited_for() {
    let insert = |key: &str| {
        Insert::new(&KEY, row([7.into(), Value::from(key)]))
            .on_conflict(OnConflict::DoNothing)
            .returning(Returning::Columns(vec!["key"]))
    };
    for (end, answer) in [(Statement::Commit, "no row"), (Statement::Rollback, "'b'")] {
        let mut db = bank();
        let (mut one, mut two) = (SimSession::new(), SimSession::new());
        told(&mut db, &mut one, Statement::Begin(Isolation::ReadCommitted));
        assert_eq!(told(&mut db, &mut one, insert("a")), "'a'");
        assert_eq!(told(&mut db, &mut two, insert("b")), "queued");
        told(&mut db, &mut one, end);
        assert_eq!(told(&mut db, &mut two, insert("b")), answer);
        assert_eq!(db.rows(&KEY).len(), 1);
    }
}

#[test]
fn a_session_that_ends_in_the_middle_leaves_nothing() {
    let mut db = bank();
    let before = db.clone();
    let mut one = SimSession::new();
    told(&mut db, &mut one, Statement::Begin(Isolation::Serializable));
    told(&mut db, &mut one, add(1, -10));
    db.disconnect(one);
    assert_eq!(db, before);
}
