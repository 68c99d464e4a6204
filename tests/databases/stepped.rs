//! Sessions of PostgreSQL in lockstep: a wait is seen to begin, and its end moves nobody before their
//! turn.

use toctou::db::{Answer, Database, Isolation, Reply, SqlState, Statement, SteppedDb};
use toctou::db::{SteppedSession, Value};

use crate::server::{ACCOUNTS, account, add, answer, balance, begin, cluster, insert};

/// A database with two accounts of 100, and three sessions.
fn bank(test: &str) -> Option<(SteppedDb, [SteppedSession; 3])> {
    let mut db = SteppedDb::new(cluster(test)?).expect("the server answers");
    db.database().create(&[&ACCOUNTS]).expect("it is new");
    db.database().insert(&ACCOUNTS, [account(1, 100), account(2, 100)]).expect("they are new");
    let sessions = std::array::from_fn(|_| db.connect().expect("there is room"));
    Some((db, sessions))
}

fn count(count: u64) -> Reply {
    Reply::Answer(Ok(Answer::Count(count)))
}

fn failed(reply: &Reply) -> Option<SqlState> {
    match reply {
        Reply::Answer(Err(error)) => Some(error.state),
        _ => None,
    }
}

#[test]
fn a_woken_statement_waits_for_its_turn_and_a_third_session_comes_in_between() {
    let Some((mut db, [mut a, mut b, mut c])) = bank("a wait and a third session") else { return };
    answer(&mut db, &mut a, &begin()).expect("it is ours");
    assert_eq!(db.execute(&mut a, &add(1, 10)), count(1));
    assert_eq!(db.execute(&mut b, &add(1, 1)), Reply::Queued);
    assert_eq!(db.blockers(&b), Ok(vec![a.index()]));
    assert_eq!(db.execute(&mut b, &add(1, 1)), Reply::Waiting);
    assert_eq!(db.execute(&mut b, &add(1, 1)), Reply::Waiting);
    answer(&mut db, &mut a, &Statement::Rollback).expect("it is ours");
    assert_eq!(db.blockers(&b), Ok(vec![]));
    // The row is free, and the one that has waited is not the one that goes.
    answer(&mut db, &mut c, &begin()).expect("it is ours");
    assert_eq!(db.execute(&mut c, &add(1, 5)), count(1));
    assert_eq!(db.execute(&mut b, &add(1, 1)), Reply::Queued, "anew, for another");
    assert_eq!(db.blockers(&b), Ok(vec![c.index()]));
    answer(&mut db, &mut c, &Statement::Commit).expect("it is ours");
    assert_eq!(
        answer(&mut db, &mut c, &balance(1)).expect("it is there").value(),
        Some(&Value::Int(105)),
        "the woken one has not moved yet"
    );
    assert_eq!(db.execute(&mut b, &add(1, 1)), count(1));
    assert_eq!(db.database().rows(&ACCOUNTS), Ok(vec![account(1, 106), account(2, 100)]));
}

#[test]
fn who_waits_behind_another_who_waits_is_queued_twice() {
    let Some((mut db, [mut a, mut b, mut c])) = bank("a queue") else { return };
    answer(&mut db, &mut a, &begin()).expect("it is ours");
    assert_eq!(db.execute(&mut a, &add(1, 10)), count(1));
    for session in [&mut b, &mut c] {
        answer(&mut db, session, &begin()).expect("it is ours");
        assert_eq!(db.execute(session, &add(1, 1)), Reply::Queued);
    }
    assert_eq!(db.blockers(&c), Ok(vec![b.index()]));
    answer(&mut db, &mut a, &Statement::Commit).expect("it is ours");
    assert_eq!(db.execute(&mut c, &add(1, 1)), Reply::Waiting, "the first in the queue is next");
    assert_eq!(db.execute(&mut b, &add(1, 1)), count(1));
    assert_eq!(db.execute(&mut c, &add(1, 1)), Reply::Queued, "for the row itself");
    assert_eq!(db.execute(&mut c, &add(1, 1)), Reply::Waiting);
    answer(&mut db, &mut b, &Statement::Commit).expect("it is ours");
    assert_eq!(db.execute(&mut c, &add(1, 1)), count(1));
    answer(&mut db, &mut c, &Statement::Commit).expect("it is ours");
    assert_eq!(db.database().rows(&ACCOUNTS), Ok(vec![account(1, 112), account(2, 100)]));
}

#[test]
fn whose_wait_would_be_for_itself_is_the_one_that_fails() {
    for victim in [0, 1] {
        let Some((mut db, [a, b, _c])) = bank("a deadlock") else { return };
        let mut sessions = [a, b];
        for (session, id) in sessions.iter_mut().zip([1, 2]) {
            answer(&mut db, session, &begin()).expect("it is ours");
            assert_eq!(db.execute(session, &add(id, 10)), count(1));
        }
        let other = 1 - victim;
        let wants = [add(2, 1), add(1, 1)];
        assert_eq!(db.execute(&mut sessions[other], &wants[other]), Reply::Queued);
        let reply = db.execute(&mut sessions[victim], &wants[victim]);
        assert_eq!(failed(&reply), Some(SqlState::DEADLOCK_DETECTED), "{reply:?}");
        let again = db.execute(&mut sessions[victim], &balance(1));
        assert_eq!(failed(&again), Some(SqlState::IN_FAILED_TRANSACTION));
        // PostgreSQL has released its locks, and the other one has not moved.
        assert_eq!(db.blockers(&sessions[other]), Ok(vec![]));
        assert_eq!(db.execute(&mut sessions[other], &wants[other]), count(1));
        let ended = answer(&mut db, &mut sessions[victim], &Statement::Commit);
        assert_eq!(ended, Ok(Answer::RolledBack));
        let ended = answer(&mut db, &mut sessions[other], &Statement::Commit);
        assert_eq!(ended, Ok(Answer::Committed));
    }
}

#[test]
fn a_key_is_waited_for_as_a_row_is() {
    let Some((mut db, [mut a, mut b, mut c])) = bank("a key") else { return };
    for (end, told) in
        [(Statement::Commit, Some(SqlState::UNIQUE_VIOLATION)), (Statement::Rollback, None)]
    {
        let id = if told.is_some() { 3 } else { 4 };
        answer(&mut db, &mut a, &begin()).expect("it is ours");
        assert_eq!(db.execute(&mut a, &insert(id, 0)), count(1));
        assert_eq!(db.execute(&mut b, &insert(id, 1)), Reply::Queued);
        assert_eq!(answer(&mut db, &mut c, &balance(id)), Ok(Answer::Rows(vec![])));
        answer(&mut db, &mut a, &end).expect("it is ours");
        let reply = db.execute(&mut b, &insert(id, 1));
        assert_eq!(failed(&reply), told, "{reply:?}");
    }
}

#[test]
fn a_snapshot_that_is_too_old_fails_after_the_wait() {
    let Some((mut db, [mut a, mut b, _c])) = bank("a snapshot") else { return };
    for isolation in [Isolation::RepeatableRead, Isolation::Serializable] {
        for session in [&mut a, &mut b] {
            answer(&mut db, session, &Statement::Begin(isolation)).expect("it is ours");
            answer(&mut db, session, &balance(1)).expect("it is there");
        }
        assert_eq!(db.execute(&mut a, &add(1, 1)), count(1));
        assert_eq!(db.execute(&mut b, &add(1, 1)), Reply::Queued);
        assert_eq!(answer(&mut db, &mut a, &Statement::Commit), Ok(Answer::Committed));
        let reply = db.execute(&mut b, &add(1, 1));
        assert_eq!(failed(&reply), Some(SqlState::SERIALIZATION_FAILURE));
        answer(&mut db, &mut b, &Statement::Rollback).expect("it is ours");
    }
}

#[test]
fn a_session_that_ends_in_a_wait_leaves_nothing_and_holds_up_nobody() {
    let Some((mut db, [mut a, mut b, mut c])) = bank("a session that ends") else { return };
    // b holds the second account and waits for the first; c waits for b.
    answer(&mut db, &mut a, &begin()).expect("it is ours");
    answer(&mut db, &mut b, &begin()).expect("it is ours");
    assert_eq!(db.execute(&mut a, &add(1, 10)), count(1));
    assert_eq!(db.execute(&mut b, &add(2, 10)), count(1));
    assert_eq!(db.execute(&mut b, &add(1, 1)), Reply::Queued);
    assert_eq!(db.execute(&mut c, &add(2, 1)), Reply::Queued);
    // Once with its wait under way, and once with its wait over.
    answer(&mut db, &mut a, &Statement::Commit).expect("it is ours");
    db.disconnect(b);
    assert_eq!(db.execute(&mut c, &add(2, 1)), count(1));
    answer(&mut db, &mut a, &begin()).expect("it is ours");
    assert_eq!(db.execute(&mut a, &add(1, 10)), count(1));
    assert_eq!(db.execute(&mut c, &add(1, 1)), Reply::Queued);
    db.disconnect(c);
    answer(&mut db, &mut a, &Statement::Commit).expect("it is ours");
    assert_eq!(db.database().rows(&ACCOUNTS), Ok(vec![account(1, 120), account(2, 101)]));
    // A transaction under way ends with its session too.
    answer(&mut db, &mut a, &begin()).expect("it is ours");
    assert_eq!(db.execute(&mut a, &add(1, 10)), count(1));
    db.disconnect(a);
    let mut next = db.connect().expect("there is room");
    assert_eq!(db.execute(&mut next, &add(1, 1)), count(1));
    assert_eq!(db.database().rows(&ACCOUNTS), Ok(vec![account(1, 121), account(2, 101)]));
}
