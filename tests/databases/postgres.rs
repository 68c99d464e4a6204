//! PostgreSQL killed in the middle, refused, used up, and back again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use toctou::db::{Answer, Cluster, Database, Pooling, PostgresDb, SqlError, SqlState, Statement};

use crate::server::{
    ACCOUNTS, account, add, answer, balance, begin, cluster, cluster_of_ones_own, insert, open,
};

fn refused(url: &str) -> SqlError {
    PostgresDb::connect(url).map(drop).expect_err("nobody is there")
}

fn impatient(cluster: &Cluster, sessions: u32) -> PostgresDb {
    let pooling = Pooling { sessions, patience: Duration::from_millis(500) };
    PostgresDb::pooled(&cluster.url(), pooling).expect("the server answers")
}

#[test]
fn a_server_that_is_not_there_and_a_url_that_makes_no_sense_are_told_so() {
    for (url, said) in [
        ("postgresql://toctou@127.0.0.1:1/postgres", "Connection refused"),
        ("host=/nonexistent user=toctou", "No such file or directory"),
        ("host=", "invalid connection string"),
        ("nonsense", "invalid connection string"),
        ("mysql://localhost/db", "invalid connection string"),
        ("postgresql://toctou@127.0.0.1:port/db", "invalid connection string"),
    ] {
        let begun = Instant::now();
        let error = refused(url);
        assert_eq!(error.state, SqlState::CONNECTION_REFUSED, "{url}: {error}");
        let told = error.to_string();
        assert!(told.starts_with("the database cannot be reached (SQLSTATE 08001): "), "{told}");
        assert!(told.contains(said), "{url}: {told}");
        assert!(begun.elapsed() < Duration::from_secs(4), "{url}: {:?}", begun.elapsed());
    }
}

#[test]
fn what_a_server_refuses_is_told_in_its_words() {
    let Some(cluster) = cluster("what a server refuses") else { return };
    let host = cluster.directory().display();
    for (rest, code, said) in [
        ("user=toctou dbname=nothing", "3D000", "database \"nothing\" does not exist"),
        ("user=nobody dbname=postgres", "28000", "role \"nobody\" does not exist"),
    ] {
        let error = refused(&format!("host='{host}' {rest}"));
        assert_eq!(error.state, SqlState::of(code), "{error}");
        assert_eq!(error.to_string(), format!("the database failed (SQLSTATE {code}): {said}"));
    }
}

#[test]
fn with_all_sessions_in_use_the_next_is_an_error_and_not_a_wait_for_ever() {
    let Some(cluster) = cluster("a pool that is used up") else { return };
    let mut db = impatient(cluster, 2);
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
    let Some(cluster) = cluster_of_ones_own("a session dropped in a transaction") else { return };
    let mut db = impatient(&cluster, 1);
    db.create(&[&ACCOUNTS]).expect("it is new");
    for failed in [false, true] {
        let mut session = db.connect().expect("there is room");
        answer(&mut db, &mut session, &begin()).expect("it is new");
        answer(&mut db, &mut session, &insert(1, 0)).expect("it is new");
        let again = failed.then(|| answer(&mut db, &mut session, &insert(1, 0)));
        assert!(again.is_none_or(|again| again.is_err()));
        drop(session);
        let mut session = db.connect().expect("there is room");
        assert_eq!(answer(&mut db, &mut session, &balance(1)), Ok(Answer::Rows(vec![])));
        let over = answer(&mut db, &mut session, &Statement::Commit);
        assert_eq!(over.expect_err("there is none").state, SqlState::NO_ACTIVE_TRANSACTION);
    }
}

#[test]
fn a_server_killed_in_the_middle_is_an_error_and_comes_back_with_what_was_committed() {
    let Some(cluster) = cluster_of_ones_own("a server killed in the middle") else { return };
    let mut db = impatient(&cluster, 4);
    db.create(&[&ACCOUNTS]).expect("it is new");
    db.insert(&ACCOUNTS, [account(1, 100)]).expect("it is new");
    let mut holder = db.connect().expect("there is room");
    answer(&mut db, &mut holder, &begin()).expect("it is new");
    answer(&mut db, &mut holder, &add(1, 10)).expect("it is there");
    let mut waiting = db.clone();
    let mut session = waiting.connect().expect("there is room");
    let within = thread::spawn(move || answer(&mut waiting, &mut session, &add(1, 1)));
    thread::sleep(Duration::from_millis(50));
    cluster.kill().expect("it runs");
    let within = within.join().expect("it does not panic").expect_err("in a statement");
    let of = answer(&mut db, &mut holder, &Statement::Commit).expect_err("in a transaction");
    for error in [within, of] {
        assert_eq!(error.state, SqlState::CONNECTION_FAILURE, "{error}");
        assert!(error.to_string().len() > 60, "it says something: {error}");
    }
    drop(holder);
    let begun = Instant::now();
    let down = db.connect().map(drop).expect_err("it is down");
    assert_eq!(down.state, SqlState::CONNECTION_REFUSED, "{down}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    cluster.restart().expect("it was there before");
    assert_eq!(db.rows(&ACCOUNTS), Ok(vec![account(1, 100)]), "the pool is as good as new");
    open(&mut db, 2).expect("it runs");
}

#[test]
fn whatever_was_told_to_be_committed_is_there_after_the_server_was_killed() {
    let Some(cluster) = cluster_of_ones_own("commits while the server is killed") else { return };
    impatient(&cluster, 1).create(&[&ACCOUNTS]).expect("it is new");
    let mut told = 0;
    for round in 0..3 {
        let is_over = AtomicBool::new(false);
        let results = thread::scope(|scope| {
            let workers: Vec<_> = (0..3)
                .map(|worker| {
                    let (cluster, is_over) = (&cluster, &is_over);
                    scope.spawn(move || {
                        let mut db = impatient(cluster, 1);
                        let mut results = Vec::new();
                        for number in 0.. {
                            let id = (round * 3 + worker) * 1_000_000 + number;
                            let result = open(&mut db, id);
                            let failed = result.is_err();
                            results.push((id, result));
                            if failed || is_over.load(Ordering::Relaxed) {
                                break;
                            }
                        }
                        results
                    })
                })
                .collect();
            thread::sleep(Duration::from_millis(150 + 37 * round as u64));
            cluster.kill().expect("it runs");
            is_over.store(true, Ordering::Relaxed);
            let results = workers.into_iter().map(|worker| worker.join().expect("no panic"));
            results.flatten().collect::<Vec<_>>()
        });
        cluster.restart().expect("it was there before");
        let rows = impatient(&cluster, 1).rows(&ACCOUNTS).expect("it is there");
        for (id, result) in results {
            let is_there = rows.contains(&account(id, 0));
            match result {
                Ok(()) => assert!(is_there, "{id} was told to be there"),
                Err(failure) => {
                    assert!(failure.error.state.is_connection(), "{failure}");
                    assert!(!is_there || failure.may_have_happened, "{id}: {failure}");
                }
            }
            told += 1;
        }
    }
    assert!(told > 30, "{told} commits");
}
