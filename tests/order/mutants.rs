//! What ships is no longer than it has to be: without any one of its conditions, or blind to an answer,
//! some property breaks.

use toctou::check::System;
use toctou::db::{Answer, Failure, Row, SimDb, SimSession, SqlState, Statement, Way, row};
use toctou::direct::{Code, SessionCode};
use toctou::handlers::{Ended, Ending, ORDERS, end_order, transact};

use super::known;
use super::mutated::{Canned, Mutated, Mutation, Part};

type Request = SessionCode<Result<Ended, Failure>>;

fn order(id: i64, status: &str) -> Row {
    row([id.into(), status.into()])
}

/// Two cancels and a shipment of one order between two others, and a cancel of one that is not there.
fn system(mutation: Mutation) -> System<SimDb, Request> {
    let request = |order, ending| {
        Code::session(SimSession::new(), move |db, session| {
            let mut db = Mutated { db, mutation };
            transact(&mut db, session, Way::AUTOCOMMIT, |tx| end_order(tx, order, ending))
        })
    };
    let rows = [order(0, "shipped"), order(1, "pending"), order(2, "pending")];
    System::new(SimDb::new().with_table(&ORDERS, rows))
        // A mutant may be about several orders, which the simulated database refuses.
        .expects("0A000")
        .clients(2, request(1, Ending::Cancel))
        .actor("fulfilment", request(1, Ending::Ship))
        .actor("stranger", request(9, Ending::Cancel))
        .at_most(1, "one-ending", |local| {
            local.output().filter(|told| **told == Ok(Ended::ByThis)).map(|_| ())
        })
        .finally("told-the-truth", |state| {
            let rows = state.world().rows(&ORDERS);
            let status = rows.get(1).and_then(|row| row[1].text()).unwrap_or_default();
            let late = Ok(Ended::NotPending(status.into()));
            status != "pending"
                && state.outputs().filter(|told| **told == Ok(Ended::ByThis)).count() == 1
                && state.outputs().filter(|told| **told == late).count() == 2
                && state.outputs().filter(|told| **told == Ok(Ended::NoSuchOrder)).count() == 1
        })
        .finally("others-untouched", |state| {
            let rows = state.world().rows(&ORDERS);
            rows.first() == Some(&order(0, "shipped")) && rows.get(2) == Some(&order(2, "pending"))
        })
        .reachable("all-end", |state| state.outputs().count() == 4)
}

fn broken(mutation: Mutation) -> Vec<String> {
    known::broken(system(mutation))
}

#[test]
fn no_condition_of_what_ships_can_be_left_out() {
    assert!(broken(Mutation::Whole).is_empty(), "{:?}", broken(Mutation::Whole));
    for mutation in [
        Mutation::Without(Part::Set, "id"),
        Mutation::Without(Part::Set, "status"),
        Mutation::Without(Part::Look, "id"),
        Mutation::Blind(Part::Set),
    ] {
        let broken = broken(mutation);
        assert!(!broken.is_empty(), "nothing tells {mutation:?} apart");
        println!("{mutation:?}: {broken:?}");
    }
}

fn pending() -> Answer {
    Answer::Rows(vec![row(["pending".into()])])
}

/// What a cancel is told by a database that answers so, and what it asked.
fn told(answers: &[Answer]) -> (Result<Ended, Failure>, Vec<Statement>) {
    let mut db = Canned::new(answers.to_vec());
    let told = transact(&mut db, &mut (), Way::AUTOCOMMIT, |tx| end_order(tx, 1, Ending::Cancel));
    (told, db.asked)
}

#[test]
fn an_order_that_has_become_pending_again_is_ended_and_not_told_to_be_pending() {
    let (told, asked) = told(&[Answer::Count(0), pending(), Answer::Count(1)]);
    assert_eq!(told, Ok(Ended::ByThis));
    assert!(matches!(asked[1], Statement::Select(_)), "it looks");
    assert_eq!((asked.len(), &asked[2]), (3, &asked[0]));
}

#[test]
fn an_order_that_stays_pending_whatever_is_asked_is_given_up_after_ten_more_tries() {
    let (told, asked) = told(&[Answer::Count(0), pending()]);
    assert_eq!(told, Err(SqlState::NO_DATA.into()), "and nothing has happened");
    assert_eq!(asked.len(), 22);
    assert_eq!(asked.iter().filter(|asked| matches!(asked, Statement::Update(_))).count(), 11);
}
