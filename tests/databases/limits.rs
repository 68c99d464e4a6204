//! PostgreSQL that takes its time, or has stopped: an answer within the limits, and never a wrong one.

use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use rustix::process::{Pid, Signal, kill_process};
use toctou::db::{
    Cluster, Column, Database, Pooling, PostgresDb, PostgresOptions, Select, SqlState, Statement,
    SteppedDb, Table, Way,
};
use toctou::handlers::{
    API_KEYS, Accounts, ApiKey, ApiKeys, HandlerError, Issued, TransferError, Transferred, issue,
};

use crate::server::{ACCOUNTS, account, add, answer, balance, begin, cluster, cluster_of_ones_own};

/// A session's own settings.
static SETTINGS: Table = Table {
    name: "pg_settings",
    columns: &[Column::text("name"), Column::text("setting")],
    unique: None,
};

/// The limit of a statement.
const LIMIT: Duration = Duration::from_millis(400);

const PATIENCE: Duration = Duration::from_secs(1);

/// Longer than anything takes that is limited.
const FOR_EVER: Duration = Duration::from_secs(10);

fn limited(cluster: &Cluster, name: &str, statement: Option<Duration>) -> PostgresDb {
    let pooling = Pooling { sessions: 2, patience: PATIENCE };
    let options = PostgresOptions { statement, pooling, ..PostgresOptions::default() };
    with(cluster, name, "", options)
}

/// A database in a schema of this name, over sessions of this name.
fn with(cluster: &Cluster, name: &str, more: &str, options: PostgresOptions) -> PostgresDb {
    let mut admin = admin(cluster);
    admin.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {name}")).unwrap();
    let url = cluster.url();
    let url = format!("{url} application_name={name} options='-c search_path={name} {more}'");
    let db = PostgresDb::connect_with(&url, options).unwrap();
    db.create(&[&ACCOUNTS, &API_KEYS]).unwrap();
    db.fill(&ACCOUNTS, [account(1, 100), account(2, 100)]).unwrap();
    db
}

fn admin(cluster: &Cluster) -> Client {
    Client::connect(&cluster.url(), NoTls).unwrap()
}

/// The server's processes for sessions of this name.
fn processes(cluster: &Cluster, name: &str) -> Vec<i32> {
    let sql = "SELECT pid FROM pg_stat_activity WHERE application_name = $1 ORDER BY 1";
    let rows = admin(cluster).query(sql, &[&name]).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn signal(process: i32, signal: Signal) {
    kill_process(Pid::from_raw(process).unwrap(), signal).unwrap();
}

/// What it comes to, and that it did so in time.
#[track_caller]
fn within<T>(least: Duration, most: Duration, work: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let told = work();
    let took = begun.elapsed();
    assert!(took >= least && took < most, "{took:?}");
    told
}

#[track_caller]
fn is_busy<T>(told: Result<T, HandlerError>, state: SqlState) {
    match told.map(drop).expect_err("it cannot succeed") {
        error @ HandlerError::Busy(_) => {
            assert!(error.is_temporary());
            assert!(error.to_string().contains(state.code()), "{error}");
        }
        other => panic!("{other}"),
    }
}

fn transferred(told: Result<Transferred, TransferError>) -> Result<Transferred, HandlerError> {
    told.map_err(|error| match error {
        TransferError::Handler(error) => error,
        other => panic!("{other}"),
    })
}

#[test]
fn who_waits_for_a_row_for_too_long_is_told_so_and_nothing_has_happened() {
    let Some(cluster) = cluster("a statement with a limit") else { return };
    let mut db = limited(cluster, "too_long", Some(LIMIT));
    let accounts = Accounts::new(db.clone());
    let mut holder = db.connect().unwrap();
    answer(&mut db, &mut holder, &begin()).unwrap();
    answer(&mut db, &mut holder, &add(2, 1)).unwrap();
    let before = processes(cluster, "too_long");
    for _ in 0..3 {
        let told = within(LIMIT, FOR_EVER, || accounts.transfer(1, 2, 30));
        is_busy(transferred(told), SqlState::QUERY_CANCELED);
    }
    answer(&mut db, &mut holder, &Statement::Rollback).unwrap();
    drop(holder);
    assert_eq!(db.rows(&ACCOUNTS).unwrap(), [account(1, 100), account(2, 100)]);
    assert_eq!(accounts.transfer(1, 2, 30), Ok(Transferred::Done));
    assert_eq!(db.rows(&ACCOUNTS).unwrap(), [account(1, 70), account(2, 130)]);
    let after = processes(cluster, "too_long");
    assert!(before.iter().all(|process| after.contains(process)), "{before:?} {after:?}");
}

#[test]
fn without_a_limit_a_row_is_waited_for_until_it_is_free() {
    let Some(cluster) = cluster("a statement without a limit") else { return };
    let mut db = limited(cluster, "no_limit", None);
    let mut holder = db.connect().unwrap();
    answer(&mut db, &mut holder, &begin()).unwrap();
    answer(&mut db, &mut holder, &add(2, 1)).unwrap();
    let accounts = Accounts::new(db.clone());
    let waits = thread::spawn(move || accounts.transfer(1, 2, 30));
    thread::sleep(3 * LIMIT + PATIENCE);
    assert!(!waits.is_finished());
    answer(&mut db, &mut holder, &Statement::Commit).unwrap();
    assert_eq!(waits.join().unwrap(), Ok(Transferred::Done));
}

#[test]
fn a_key_that_waits_for_somebody_elses_is_not_issued_and_may_be_asked_for_again() {
    let Some(cluster) = cluster("a key with a limit") else { return };
    let db = limited(cluster, "late_key", Some(LIMIT));
    let mut other = admin(cluster);
    let mut transaction = other.transaction().unwrap();
    transaction.batch_execute("INSERT INTO late_key.api_keys VALUES (7, 'theirs')").unwrap();
    let keys = ApiKeys::new(db.clone());
    is_busy(within(LIMIT, FOR_EVER, || keys.issue(7)), SqlState::QUERY_CANCELED);
    transaction.rollback().unwrap();
    assert_eq!(db.rows(&API_KEYS).unwrap(), []);
    assert!(matches!(keys.issue(7), Ok(Issued::Created(_))));
}

#[test]
fn a_limit_for_locks_tells_that_somebody_else_was_in_the_way() {
    let Some(cluster) = cluster("a lock with a limit") else { return };
    let options = PostgresOptions { lock: Some(LIMIT), ..PostgresOptions::default() };
    let mut db = with(cluster, "locked", "", options);
    let mut holder = db.connect().unwrap();
    answer(&mut db, &mut holder, &begin()).unwrap();
    answer(&mut db, &mut holder, &add(2, 1)).unwrap();
    let told = within(LIMIT, FOR_EVER, || Accounts::new(db.clone()).transfer(1, 2, 30));
    is_busy(transferred(told), SqlState::LOCK_NOT_AVAILABLE);
    drop(holder);
    assert_eq!(db.rows(&ACCOUNTS).unwrap(), [account(1, 100), account(2, 100)]);
}

fn setting<D: Database>(db: &mut D, name: &str) -> String {
    let mut session = db.connect().unwrap();
    let select = Select::columns(&SETTINGS, &["setting"]).filter("name", name).into();
    let told = answer(db, &mut session, &select).unwrap();
    told.value().and_then(|value| value.text()).unwrap().to_owned()
}

#[test]
fn the_server_has_the_limits_of_the_url_before_those_of_the_options() {
    let Some(cluster) = cluster("limits in the server") else { return };
    let default = PostgresOptions::default();
    let mut db = with(cluster, "settings", "", default);
    assert_eq!(setting(&mut db, "statement_timeout"), "30000");
    assert_eq!(setting(&mut db, "lock_timeout"), "0");
    let mut db = with(cluster, "settings", "-c statement_timeout=5min", default);
    assert_eq!(setting(&mut db, "statement_timeout"), "300000");
    // As the role has it.
    let mut admin = admin(cluster);
    admin.batch_execute("CREATE ROLE patient LOGIN SUPERUSER").unwrap();
    admin.batch_execute("ALTER ROLE patient SET statement_timeout = '7s'").unwrap();
    let url = cluster.url().replace("user=toctou", "user=patient");
    for (statement, told) in [(None, "7000"), (Some(LIMIT), "400")] {
        let options = PostgresOptions { statement, ..default };
        let mut db = PostgresDb::connect_with(&url, options).unwrap();
        assert_eq!(setting(&mut db, "statement_timeout"), told);
    }
    // Sessions that are stopped on purpose have none.
    let mut stepped = SteppedDb::new(cluster).unwrap();
    assert_eq!(setting(&mut stepped, "statement_timeout"), "0");
}

#[test]
fn a_session_whose_process_has_stopped_in_a_statement_is_replaced_and_no_key_is_issued_twice() {
    let Some(cluster) = cluster("a process that has stopped") else { return };
    let mut db = limited(cluster, "stopped", Some(LIMIT));
    let mut session = db.connect().unwrap();
    let [process] = processes(cluster, "stopped")[..] else { panic!("one session") };
    signal(process, Signal::STOP);
    let key = ApiKey::new("ours");
    let told = within(LIMIT + PATIENCE, FOR_EVER, || {
        issue(&mut db, &mut session, Way::AUTOCOMMIT, 7, &key)
    });
    assert_eq!(told, Ok(Issued::Created(key)));
    assert_eq!(db.rows(&API_KEYS).unwrap().len(), 1);
    // What it was sent, it does now.
    signal(process, Signal::CONT);
    let until = Instant::now() + FOR_EVER;
    while processes(cluster, "stopped").contains(&process) && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    assert!(!processes(cluster, "stopped").contains(&process), "it has noticed");
    assert_eq!(db.rows(&API_KEYS).unwrap()[0][1].text(), Some("ours"));
}

#[test]
fn a_statement_that_a_stopped_process_was_sent_is_not_known_to_have_failed() {
    let Some(cluster) = cluster("a statement in a stopped process") else { return };
    let mut db = limited(cluster, "unknown", Some(LIMIT));
    let mut session = db.connect().unwrap();
    let [process] = processes(cluster, "unknown")[..] else { panic!("one session") };
    signal(process, Signal::STOP);
    let wait = LIMIT + PATIENCE;
    let told = within(wait, FOR_EVER, || answer(&mut db, &mut session, &add(1, 1)));
    let error = told.expect_err("there is no answer");
    assert_eq!(error.state, SqlState::CONNECTION_FAILURE);
    assert!(error.to_string().ends_with("the server has not answered within 1.4s"), "{error}");
    // Nothing more is asked of it, and nobody waits for it a second time.
    let again = within(Duration::ZERO, wait, || answer(&mut db, &mut session, &balance(1)));
    assert_eq!(again.expect_err("it broke").state, SqlState::CONNECTION_FAILURE);
    within(Duration::ZERO, wait, || drop(session));
    signal(process, Signal::CONT);
    assert_eq!(db.rows(&ACCOUNTS).unwrap().len(), 2, "the next one is a session as good as new");
}

#[test]
fn sessions_that_have_stopped_while_nobody_used_them_cost_half_the_patience_once() {
    let Some(cluster) = cluster("idle processes that have stopped") else { return };
    let pooling = Pooling { sessions: 4, patience: 2 * PATIENCE };
    let mut db = with(cluster, "idle", "", PostgresOptions { pooling, ..Default::default() });
    let all = [(); 4].map(|()| db.connect().unwrap());
    drop(all);
    let stopped = processes(cluster, "idle");
    assert_eq!(stopped.len(), 4);
    stopped.iter().for_each(|process| signal(*process, Signal::STOP));
    let key = within(PATIENCE, 3 * PATIENCE, || ApiKeys::new(db.clone()).issue(7));
    assert!(matches!(key, Ok(Issued::Created(_))), "{key:?}");
    stopped.iter().for_each(|process| signal(*process, Signal::CONT));
}

#[test]
fn a_server_that_has_stopped_is_not_waited_for_longer_than_the_patience() {
    let Some(cluster) = cluster_of_ones_own("a server that has stopped") else { return };
    let db = limited(&cluster, "down", Some(LIMIT));
    let file = std::fs::read_to_string(cluster.directory().join("data/postmaster.pid")).unwrap();
    let server = file.lines().next().unwrap().parse().unwrap();
    let mut busy = db.clone();
    let held = busy.connect().unwrap();
    signal(server, Signal::STOP);
    let pooling = Pooling { sessions: 1, patience: PATIENCE };
    let begin = || PostgresDb::pooled(&cluster.url(), pooling).map(drop);
    let error = within(PATIENCE, FOR_EVER, begin).expect_err("nobody is let in");
    assert_eq!(error.state, SqlState::CONNECTION_REFUSED, "{error}");
    assert!(
        error.to_string().contains("has not let us in within 1s: it may be stopped"),
        "{error}"
    );
    // Nor is it said that the pool's sessions are all in use, where there is only one.
    let told = within(PATIENCE, FOR_EVER, || ApiKeys::new(db.clone()).issue(7));
    match told.expect_err("there is no second session") {
        HandlerError::Unavailable(error) => {
            assert_eq!(error.state, SqlState::CONNECTION_REFUSED, "{error}");
        }
        other => panic!("{other}"),
    }
    signal(server, Signal::CONT);
    drop(held);
    let until = Instant::now() + FOR_EVER;
    let issued = loop {
        match ApiKeys::new(db.clone()).issue(7) {
            Err(error) if error.is_temporary() && Instant::now() < until => {}
            issued => break issued,
        }
    };
    assert!(matches!(issued, Ok(Issued::Created(_))), "{issued:?}");
}

#[test]
fn a_database_may_be_dropped_in_asynchronous_code() {
    let Some(cluster) = cluster("a database dropped in asynchronous code") else { return };
    let mut db = limited(cluster, "dropped", Some(LIMIT));
    let session = db.connect().unwrap();
    assert_eq!(processes(cluster, "dropped").len(), 1);
    actix_web::rt::System::new().block_on(async {
        drop(session);
        drop(db);
    });
    let until = Instant::now() + FOR_EVER;
    while !processes(cluster, "dropped").is_empty() && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(processes(cluster, "dropped"), [0; 0], "the server has noticed");
}
