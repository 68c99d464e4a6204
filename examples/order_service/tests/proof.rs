//! An example, `order_service`: the cancel and its refund, proved. Imports `shop`.
//!
//! [`cancel`] is a function of its own round that of `Orders`, and so has a proof of its own: every
//! interleaving, in the simulated database.

use toctou::check::{Checker, GraphOptions, Local, Report, System, Verdict};
use toctou::db::{Failure, SimDb, SimSession, Table, Value, Way, row};
use toctou::direct::{Code, SessionCode};
use toctou::handlers::{Ended, ORDERS, PENDING, transact};

use crate::shop::{PAYMENTS, REFUNDS, TOGETHER, cancel};

const ORDER: i64 = 42;
const CENTS: i64 = 100;

type Request = SessionCode<Result<Ended, Failure>>;

/// The committed values of a column, of whose rows there are few.
fn column(db: &SimDb, table: &'static Table, place: usize) -> Vec<Value> {
    db.rows(table).iter().filter_map(|row| row.get(place).cloned()).collect()
}

/// So many requests to cancel one order.
fn system(requests: usize, way: Way) -> System<SimDb, Request> {
    let db = SimDb::new()
        .with_table(&ORDERS, [row([ORDER.into(), PENDING.into()])])
        .with_table(&PAYMENTS, [row([ORDER.into(), CENTS.into()])])
        .with_table(&REFUNDS, []);
    let request = Code::session(SimSession::new(), move |db, session| {
        transact(db, session, way, |tx| cancel(tx, ORDER))
    });
    System::new(db)
        .waits_for(|db, waiting: &Request, other| waiting.held().wait_for(other.held(), db))
        .clients(requests, request)
        // What is committed is what whoever dies in this moment leaves behind.
        .always("cancelled-and-refunded-or-neither", |state| {
            let refunds = column(state.world(), &REFUNDS, 1);
            match &column(state.world(), &ORDERS, 1)[..] {
                [status] if *status == PENDING.into() => refunds.is_empty(),
                [status] => *status == "cancelled".into() && refunds == [CENTS.into()],
                _ => false,
            }
        })
        .finally("one-is-told-and-the-others-why-not", |state| {
            let told =
                |ended: Ended| state.outputs().filter(|told| **told == Ok(ended.clone())).count();
            let late = told(Ended::NotPending("cancelled".into()));
            told(Ended::ByThis) == 1 && late == state.outputs().count() - 1
        })
        .reaches("somebody-cancels", |local| matches!(local, Local::Done(Ok(Ended::ByThis))))
}

fn check(requests: usize, way: Way) -> Report {
    let report = Checker::new(system(requests, way)).graph(&GraphOptions::default());
    assert!(report.exhaustive());
    report
}

#[test]
fn an_order_is_refunded_in_the_very_moment_in_which_it_is_cancelled_and_once() {
    for requests in 1..=4 {
        let report = check(requests, TOGETHER);
        for finding in &report.findings {
            assert!(
                matches!(finding.verdict, Verdict::Holds(_)),
                "{requests} {}",
                finding.property
            );
        }
    }
}

#[test]
fn without_the_transaction_there_is_a_moment_at_which_the_refund_is_owed() {
    let report = check(1, Way::AUTOCOMMIT);
    let finding = report.finding("cancelled-and-refunded-or-neither").unwrap();
    assert!(matches!(finding.verdict, Verdict::Violated(_)));
}
