//! SQLite fed what is no good: locked files, full disks, files that are no database.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use toctou::db::{
    Answer, Column, Database, Insert, Pooling, Row, SqlError, SqlState, SqliteDb, SqliteOptions,
    Statement, Table, row,
};

use crate::apart::{as_nobody, with_tmpfs};
use crate::server::{ACCOUNTS, account, add, answer, balance, begin, insert, open};

static NOTES: Table =
    Table { name: "notes", columns: &[Column::int("id"), Column::text("text")], unique: None };

fn note(id: i64) -> Row {
    row([id.into(), "x".repeat(10_000).as_str().into()])
}

fn impatient() -> SqliteOptions {
    let pooling = Pooling { sessions: 2, patience: Duration::from_secs(1) };
    let busy_timeout = Duration::from_millis(50);
    SqliteOptions { busy_timeout, pooling, ..SqliteOptions::default() }
}

fn state<T: std::fmt::Debug>(result: Result<T, SqlError>) -> SqlState {
    result.expect_err("it cannot work").state
}

#[test]
fn a_file_that_somebody_else_has_locked_is_told_so_and_is_there_again_afterwards() {
    let folder = tempfile::tempdir().expect("there is room");
    let path = folder.path().join("db");
    let mut db = SqliteDb::open_with(&path, impatient()).expect("it is new");
    db.create(&[&ACCOUNTS]).expect("it is new");
    db.insert(&ACCOUNTS, [account(1, 100)]).expect("it is new");
    let other = Connection::open(&path).expect("it is there");
    other.execute_batch("BEGIN IMMEDIATE; UPDATE accounts SET balance = 0").expect("it is free");
    let mut session = db.connect().expect("a lock keeps nobody from looking");
    for statement in [begin(), add(1, 1), insert(2, 0)] {
        let begun = Instant::now();
        let refused = answer(&mut db, &mut session, &statement).expect_err("it is locked");
        assert!(begun.elapsed() >= Duration::from_millis(40), "{:?}", begun.elapsed());
        assert_eq!(
            refused.to_string(),
            "the database is locked by somebody else (SQLSTATE 55P03): database is locked"
        );
    }
    let failure = open(&mut db, 3).expect_err("it is locked");
    assert!(!failure.may_have_happened, "{failure}");
    assert_eq!(db.rows(&ACCOUNTS), Ok(vec![account(1, 100)]));
    other.execute_batch("ROLLBACK").expect("it is ours");
    assert_eq!(answer(&mut db, &mut session, &add(1, 1)), Ok(Answer::Count(1)));
    open(&mut db, 3).expect("nobody else has it");
    assert_eq!(db.rows(&ACCOUNTS), Ok(vec![account(1, 101), account(3, 0)]));
}

/// Writes notes until there is no room, and asserts that what was said to be there is.
fn fill_up(db: &SqliteDb) -> usize {
    let mut db = db.clone();
    let mut written = 0;
    let error = loop {
        match db.insert(&NOTES, [note(written), note(-written)]) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
        assert!(written < 1000, "there is an end to it");
    };
    assert_eq!(error.state, SqlState::DISK_FULL, "{error}");
    assert!(error.to_string().starts_with("the database's disk is full (SQLSTATE 53100): "));
    let mut session = db.connect().expect("reading is possible");
    let statement: Statement = Insert::new(&NOTES, note(7777)).into();
    let alone = answer(&mut db, &mut session, &statement);
    if alone.is_err() {
        assert_eq!(state(alone), SqlState::DISK_FULL, "by itself as well");
    } else {
        let gone = toctou::db::Delete::new(&NOTES).filter("id", 7777);
        answer(&mut db, &mut session, &gone.into()).expect("there is room for less");
    }
    let rows = db.rows(&NOTES).expect("reading is possible");
    assert_eq!(rows.len(), 2 * written as usize, "both of a transaction, or none");
    written as usize
}

#[test]
fn a_database_with_no_more_pages_is_full_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().expect("there is room");
    let options = SqliteOptions { max_pages: Some(60), ..impatient() };
    let db = SqliteDb::open_with(folder.path().join("db"), options).expect("it is new");
    db.create(&[&NOTES]).expect("it is new");
    assert!(fill_up(&db) > 2);
    db.fill(&NOTES, [note(1)]).expect("there is room for less");
}

#[test]
fn on_a_full_disk_nothing_is_told_to_be_there_that_is_not() {
    with_tmpfs("SQLite on a full disk", "size=512k,mode=700", |directory| {
        let filler = directory.join("filler");
        fs::write(&filler, vec![b'x'; 200_000]).expect("there is room");
        let db = SqliteDb::open_with(directory.join("db"), impatient()).expect("it is new");
        db.create(&[&NOTES]).expect("it is new");
        let written = fill_up(&db);
        assert!(written > 0);
        fs::remove_file(filler).expect("it is ours");
        db.insert(&NOTES, [note(500)]).expect("there is room again");
        assert_eq!(db.rows(&NOTES).expect("it is there").len(), 2 * written + 1);
    });
}

fn refused(path: &Path) -> SqlError {
    SqliteDb::open_with(path, impatient()).map(drop).expect_err("it cannot be opened")
}

#[test]
fn what_is_no_database_is_told_so() {
    let folder = tempfile::tempdir().expect("there is room");
    let text = folder.path().join("text");
    fs::write(&text, "no database, and longer than a header of a hundred bytes. ".repeat(9))
        .expect("it is new");
    assert_eq!(
        refused(&text).to_string(),
        "the database's file is damaged, or not one (SQLSTATE XX001): file is not a database"
    );
    for path in [folder.path().join("missing/db"), folder.path().to_owned()] {
        let told = refused(&path).to_string();
        let expected = "the database cannot be reached (SQLSTATE 08001): unable to open database";
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn a_file_of_somebody_else_is_told_so() {
    let folder = tempfile::tempdir().expect("there is room");
    let chmod = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
    };
    chmod(folder.path(), 0o755);
    let [readable, closed] = ["readable", "closed"].map(|name| folder.path().join(name));
    for path in [&readable, &closed] {
        let connection = Connection::open(path).expect("it is new");
        connection.execute_batch("CREATE TABLE t (x)").expect("it is new");
    }
    chmod(&closed, 0o600);
    as_nobody("SQLite files of another user", || {
        let told = refused(&readable).to_string();
        assert_eq!(
            told,
            "the database cannot be written to (SQLSTATE 25006): attempt to write a readonly \
             database"
        );
        assert_eq!(refused(&closed).state, SqlState::CONNECTION_REFUSED);
        assert_eq!(refused(&folder.path().join("new")).state, SqlState::CONNECTION_REFUSED);
    });
}

#[test]
fn with_all_sessions_in_use_the_next_is_an_error_and_not_a_wait_for_ever() {
    let folder = tempfile::tempdir().expect("there is room");
    let mut db = SqliteDb::open_with(folder.path().join("db"), impatient()).expect("it is new");
    let first = db.connect().expect("there is room");
    let _second = db.connect().expect("there is room");
    let told = db.connect().map(drop).expect_err("there is no third");
    assert_eq!(
        told.to_string(),
        "no connection to the database is free (SQLSTATE 53300): all 2 of the pool's sessions are \
         in use"
    );
    db.disconnect(first);
    db.connect().expect("one is free again");
}

#[test]
fn a_session_dropped_in_a_transaction_hands_it_to_nobody() {
    let folder = tempfile::tempdir().expect("there is room");
    let pooling = Pooling { sessions: 1, ..Pooling::default() };
    let options = SqliteOptions { pooling, ..SqliteOptions::default() };
    let mut db = SqliteDb::open_with(folder.path().join("db"), options).expect("it is new");
    db.create(&[&ACCOUNTS]).expect("it is new");
    let mut session = db.connect().expect("there is room");
    answer(&mut db, &mut session, &begin()).expect("it is free");
    answer(&mut db, &mut session, &insert(1, 0)).expect("it is new");
    drop(session);
    let mut session = db.connect().expect("there is room");
    assert_eq!(answer(&mut db, &mut session, &balance(1)), Ok(Answer::Rows(vec![])));
    let over = answer(&mut db, &mut session, &Statement::Commit);
    assert_eq!(state(over), SqlState::NO_ACTIVE_TRANSACTION);
}

#[test]
fn a_database_in_memory_has_several_sessions_and_goes_with_the_last() {
    let mut db = SqliteDb::in_memory().expect("there is room");
    db.create(&[&ACCOUNTS]).expect("it is new");
    let mut sessions = [(); 3].map(|()| db.connect().expect("there is room"));
    for (id, session) in (0..).zip(&mut sessions) {
        assert_eq!(answer(&mut db, session, &insert(id, 0)), Ok(Answer::Count(1)));
        let seen = db.rows(&ACCOUNTS).expect("it is there").len() as i64;
        assert_eq!(seen, id + 1, "by everybody");
    }
}
