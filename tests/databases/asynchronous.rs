//! PostgreSQL asked from asynchronous code, which has to do so on a thread for that.

use actix_web::{rt::System, web};
use toctou::db::{Database, PostgresDb, SqlState, row};
use toctou::handlers::{Ended, HandlerError, ORDERS, Orders, PENDING};

use crate::server::{ACCOUNTS, account, add, answer, balance, begin, cluster};

fn one_order(db: &PostgresDb) -> Orders<PostgresDb> {
    db.create(&[&ORDERS]).expect("it is new");
    db.fill(&ORDERS, [row([1.into(), PENDING.into()])]).expect("it is there");
    Orders::new(db.clone())
}

#[test]
fn a_thread_that_runs_tasks_is_told_to_leave_that_to_another() {
    let Some(cluster) = cluster("a handler called in a task") else { return };
    let db = cluster.database().expect("it answers");
    let orders = one_order(&db);
    System::new().block_on(async {
        let refused = orders.cancel(1).expect_err("it would stop all other tasks");
        assert!(matches!(&refused, HandlerError::Refused(_)), "{refused:?}");
        assert!(refused.to_string().contains("web::block"), "{refused}");
        let refused = PostgresDb::connect(&cluster.url()).expect_err("so would this");
        assert_eq!(refused.state, SqlState::FEATURE_NOT_SUPPORTED);
        let ended = web::block(move || orders.cancel(1)).await.expect("it does not panic");
        assert_eq!(ended.expect("it may wait there"), Ended::ByThis);
    });
}

#[test]
fn a_transaction_that_comes_to_such_a_thread_is_undone() {
    let Some(cluster) = cluster("a transaction taken into a task") else { return };
    let mut db = cluster.database().expect("it answers");
    db.create(&[&ACCOUNTS]).expect("it is new");
    db.insert(&ACCOUNTS, [account(1, 100)]).expect("it is new");
    let mut session = db.connect().expect("there is room");
    answer(&mut db, &mut session, &begin()).expect("it is ours");
    answer(&mut db, &mut session, &add(1, 1)).expect("it is ours");
    System::new().block_on(async {
        let error = answer(&mut db, &mut session, &add(1, 1)).expect_err("it must not wait");
        assert_eq!(error.state, SqlState::CONNECTION_FAILURE, "{error}");
        assert!(error.to_string().contains("spawn_blocking"), "{error}");
        drop(session);
    });
    let mut session = db.connect().expect("there is room");
    let left = answer(&mut db, &mut session, &balance(1)).expect("nobody is in the way");
    assert_eq!(left.value(), Some(&100.into()));
    answer(&mut db, &mut session, &add(1, 1)).expect("nobody holds the row");
}
