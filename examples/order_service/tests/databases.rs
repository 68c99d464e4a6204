//! An example, `order_service`: databases that fail, and requests that meet. Imports all of it.

use std::sync::{Arc, Barrier};

use toctou::db::Insert;
use toctou::handlers::Ended;

use super::*;

#[actix_web::test]
async fn a_failing_database_is_never_told_as_success_nor_what_it_said() {
    for (state, status, word) in [
        (SqlState::CONNECTION_REFUSED, 500, "unknown"),
        (SqlState::CONNECTION_FAILURE, 500, "unknown"),
        (SqlState::LOCK_NOT_AVAILABLE, 503, "unavailable"),
        (SqlState::SERIALIZATION_FAILURE, 503, "unavailable"),
        (SqlState::DISK_FULL, 500, "failed"),
        (SqlState::UNDEFINED_TABLE, 500, "failed"),
    ] {
        let db = furnished();
        let service = service!(Changed { db: db.clone(), change: Failing(state) });
        for path in ["/orders/42/cancel", "/vulnerable/orders/42/cancel"] {
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
        let refund =
            matches!(statement, Statement::Insert(Insert { table, .. }) if table.name == "refunds");
        refund.then_some(SqlState::DISK_FULL)
    }
}

#[actix_web::test]
async fn a_cancel_whose_refund_fails_says_that_it_is_owed() {
    let db = furnished();
    let service = service!(Changed { db: db.clone(), change: NoRefunds });
    assert_eq!(told!(service, Ask::cancel(42).request()), refused(500, "refund_owed"));
    assert_eq!((&*order(&db, 42).status, order(&db, 42).refunds), ("cancelled", 0));
}

/// Two requests are both about to update an order before either does.
#[derive(Clone)]
struct Meeting(Arc<Barrier>);

impl Change for Meeting {
    fn before(&self, statement: &mut Statement) -> Option<SqlState> {
        if updates_an_order(statement) {
            self.0.wait();
        }
        None
    }
}

/// What two requests are told that meet before their updates, sorted, and how often the order is
/// refunded.
fn meet(cancel: fn(&Shop<Changed<Meeting>>) -> Ended) -> (Vec<bool>, usize) {
    let db = furnished();
    let change = Meeting(Arc::new(Barrier::new(2)));
    let shop = Shop::new(Changed { db: db.clone(), change });
    let mut told: Vec<_> = std::thread::scope(|scope| {
        let threads = [(); 2].map(|()| scope.spawn(|| cancel(&shop) == Ended::ByThis));
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    told.sort_unstable();
    (told, order(&db, 42).refunds)
}

#[test]
fn two_that_meet_before_the_update_are_both_refunded_by_the_vulnerable_endpoint() {
    let (told, refunds) = meet(|shop| shop.cancel_vulnerable(42).unwrap());
    assert_eq!((told, refunds), (vec![true, true], 2));
}

#[test]
fn of_two_that_meet_before_the_update_one_is_refunded_by_the_fixed_endpoint() {
    let (told, refunds) = meet(|shop| shop.cancel(42).unwrap());
    assert_eq!((told, refunds), (vec![false, true], 1));
}
