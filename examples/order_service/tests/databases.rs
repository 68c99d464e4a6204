//! An example, `order_service`: databases that fail, and requests that meet. Imports all of it.

use std::sync::{Arc, Barrier};

use toctou::db::Cluster;
use toctou::handlers::{Ended, HandlerError};

use super::*;
use crate::shop::CancelError;

#[actix_web::test]
async fn a_failing_database_is_never_told_as_success_nor_what_it_said() {
    // What is not committed has not happened; an update by itself may have.
    let away = [(503, "unavailable"), (500, "unknown")];
    for (state, told) in [
        (SqlState::CONNECTION_REFUSED, away),
        (SqlState::CONNECTION_FAILURE, away),
        (SqlState::LOCK_NOT_AVAILABLE, [(503, "unavailable"); 2]),
        (SqlState::SERIALIZATION_FAILURE, [(503, "unavailable"); 2]),
        (SqlState::DISK_FULL, [(500, "failed"); 2]),
        (SqlState::UNDEFINED_TABLE, [(500, "failed"); 2]),
    ] {
        let db = furnished();
        let service = service!(Changed { db: db.clone(), change: Failing(state) });
        let paths = ["/orders/42/cancel", "/vulnerable/orders/42/cancel"];
        for (path, (status, word)) in paths.into_iter().zip(told) {
            let ask = Ask::new(Method::POST, path, "");
            let (told, body) = call(&service, ask.request().to_request()).await;
            assert_eq!((told, &body["error"]), (status, &word.into()), "{state} {path}");
            assert!(!body.to_string().contains("secret"), "{body}");
        }
        assert_eq!((&*order(&db, 42).status, order(&db, 42).refunds), ("pending", 0));
    }
}

/// Fails whenever a refund would be written down.
#[derive(Clone)]
struct NoRefunds;

impl Change for NoRefunds {
    fn before(&self, statement: &mut Statement) -> Option<SqlState> {
        writes_a_refund(statement).then_some(SqlState::DISK_FULL)
    }
}

#[actix_web::test]
async fn a_cancel_whose_refund_fails_is_none_and_the_vulnerable_one_says_that_it_is_owed() {
    let db = furnished();
    let service = service!(Changed { db: db.clone(), change: NoRefunds });
    assert_eq!(told!(service, Ask::cancel(42).request()), refused(500, "failed"));
    assert_eq!((&*order(&db, 42).status, order(&db, 42).refunds), ("pending", 0));
    let vulnerable = Ask::new(Method::POST, "/vulnerable/orders/42/cancel", "");
    assert_eq!(told!(service, vulnerable.request()), refused(500, "refund_owed"));
    assert_eq!((&*order(&db, 42).status, order(&db, 42).refunds), ("cancelled", 0));
}

/// Kills the server when an order is updated and its refund is about to be written.
#[derive(Clone)]
struct Killing(Arc<Cluster>);

impl Change for Killing {
    fn before(&self, statement: &mut Statement) -> Option<SqlState> {
        if writes_a_refund(statement) {
            self.0.kill().unwrap();
        }
        None
    }
}

#[test]
fn a_database_that_dies_before_the_refund_has_not_cancelled_the_order_either() {
    let test = "a_database_that_dies_before_the_refund_has_not_cancelled_the_order_either";
    let Some(cluster) = super::throwaway::own(test) else { return };
    let cluster = Arc::new(cluster);
    let db = cluster.database().unwrap();
    db.create(TABLES).unwrap();
    let whole = Shop::new(db.clone());
    assert!(whole.create(42, 100).unwrap() && whole.create(43, 100).unwrap());
    let killing = Shop::new(Changed { db: db.clone(), change: Killing(Arc::clone(&cluster)) });
    let told = killing.cancel(42).unwrap_err();
    assert!(matches!(told, HandlerError::Unavailable(_)), "nothing was done: {told:?}");
    cluster.restart().unwrap();
    assert_eq!((&*order(&db, 42).status, order(&db, 42).refunds), ("pending", 0));
    assert_eq!(whole.cancel(42), Ok(Ended::ByThis));
    assert_eq!((&*order(&db, 42).status, order(&db, 42).refunds), ("cancelled", 1));
    // As published, the refund is lost.
    assert!(matches!(killing.cancel_vulnerable(43), Err(CancelError::Refund(_))));
    cluster.restart().unwrap();
    assert_eq!((&*order(&db, 43).status, order(&db, 43).refunds), ("cancelled", 0));
}

/// Two requests are both about to send such a statement before either does.
#[derive(Clone)]
struct Meeting(Arc<Barrier>, fn(&Statement) -> bool);

impl Change for Meeting {
    fn before(&self, statement: &mut Statement) -> Option<SqlState> {
        if self.1(statement) {
            self.0.wait();
        }
        None
    }
}

/// What two requests are told that meet before such statements, sorted, and how often the order is
/// refunded.
fn meet<D: Database + Clone + Sync>(
    db: &D,
    before: fn(&Statement) -> bool,
    cancel: fn(&Shop<Changed<Meeting, D>>) -> Ended,
) -> (Vec<bool>, usize) {
    let change = Meeting(Arc::new(Barrier::new(2)), before);
    let shop = Shop::new(Changed { db: db.clone(), change });
    let mut told: Vec<_> = std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(|| cancel(&shop) == Ended::ByThis));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    told.sort_unstable();
    (told, order(db, 42).refunds)
}

#[test]
fn two_that_meet_before_the_update_are_both_refunded_by_the_vulnerable_endpoint() {
    let met = meet(&furnished(), updates_an_order, |shop| shop.cancel_vulnerable(42).unwrap());
    assert_eq!(met, (vec![true, true], 2));
}

#[test]
fn of_two_that_meet_one_is_refunded_by_the_fixed_endpoint() {
    let once = (vec![false, true], 1);
    // In SQLite, who has begun has the lock for writing.
    let begins = |statement: &Statement| matches!(statement, Statement::Begin(_));
    assert_eq!(meet(&furnished(), begins, |shop| shop.cancel(42).unwrap()), once);
    let test = "of_two_that_meet_one_is_refunded_by_the_fixed_endpoint";
    let Some(cluster) = super::throwaway::shared(test) else { return };
    let db = cluster.database().unwrap();
    db.create(TABLES).unwrap();
    assert!(Shop::new(db.clone()).create(42, 100).unwrap());
    assert_eq!(meet(&db, updates_an_order, |shop| shop.cancel(42).unwrap()), once);
}
