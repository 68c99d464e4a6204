//! What ships is no longer than it has to be: without any one of its conditions, without its
//! transaction, or blind to an answer, some property breaks.

use std::mem::discriminant;

use toctou::check::{Checker, GraphOptions, System, Verdict};
use toctou::db::{
    Answer, Database, Failure, Isolation, SimDb, SimSession, SqlState, Statement, Way, row,
};
use toctou::direct::{Code, SessionCode};
use toctou::handlers::{ACCOUNTS, Transfer, Transferred, transact};
use toctou::{Process, Step};

use super::mutated::{Canned, Mutated, Mutation, Part};

type Request = SessionCode<Result<Transferred, Failure>>;

/// Balances of the accounts 1, 2 and so on; transfers of 1, from and to; and how the first one ends
/// if that is the same in every execution.
type Setting = (&'static [i64], &'static [(i64, i64)], Option<Transferred>);

const SETTINGS: &[Setting] = &[
    (&[1, 0, 5], &[(1, 2), (1, 2)], None),
    (&[0, 1, 5], &[(2, 1), (2, 1)], None),
    (&[1, 1, 5], &[(1, 2), (2, 1)], None),
    (&[5, i64::MAX], &[(1, 2)], Some(Transferred::Overflow)),
    (&[i64::MAX, 5], &[(2, 1)], Some(Transferred::Overflow)),
    (&[5], &[(1, 9)], Some(Transferred::NoSuchAccount(9))),
    (&[5], &[(9, 1)], Some(Transferred::NoSuchAccount(9))),
    (&[5, 0], &[(2, 1)], Some(Transferred::Insufficient)),
    (&[5, 0], &[(0, 1)], Some(Transferred::NoSuchAccount(0))),
];

fn balances(db: &SimDb) -> Vec<i64> {
    db.rows(&ACCOUNTS).iter().filter_map(|row| row[1].int()).collect()
}

/// A mutant may tell of what no balance can be.
fn add(balances: &mut [i64], id: i64, amount: i64) {
    let place = usize::try_from(id - 1).ok();
    if let Some(balance) = place.and_then(|place| balances.get_mut(place)) {
        *balance = balance.wrapping_add(amount);
    }
}

fn total(balances: &[i64]) -> i128 {
    balances.iter().copied().map(i128::from).sum()
}

fn system(
    (first, transfers, end): Setting,
    mutation: Mutation,
    way: Way,
) -> System<SimDb, Request> {
    let rows = (1..).zip(first).map(|(id, balance)| row([i64::from(id).into(), (*balance).into()]));
    // A mutant may be about several accounts, which the simulated database refuses, or have no room.
    let system = System::new(SimDb::new().with_table(&ACCOUNTS, rows));
    let system = system.expects("0A000").expects("22003");
    let system = transfers.iter().enumerate().fold(system, |system, (number, (from, to))| {
        let transfer = Transfer::new(*from, *to, 1).expect("a transfer");
        let request = Code::session(SimSession::new(), move |db, session| {
            let mut db = Mutated { db, mutation };
            transact(&mut db, session, way, |tx| transfer.perform(tx))
        });
        system.actor(format!("client {}", number + 1), request)
    });
    system
        .always("conserved", move |state| total(&balances(state.world())) == total(first))
        .always("no-overdraft", |state| balances(state.world()).iter().all(|it| *it >= 0))
        .finally("told-the-truth", move |state| {
            let mut expected = first.to_vec();
            for ((from, to), told) in transfers.iter().zip(state.outputs()) {
                if *told == Ok(Transferred::Done) {
                    add(&mut expected, *from, -1);
                    add(&mut expected, *to, 1);
                }
            }
            expected == balances(state.world())
        })
        .finally("no-error", |state| state.outputs().all(Result::is_ok))
        .finally("as-it-must", move |state| {
            end.is_none_or(|end| state.outputs().next() == Some(&Ok(end)))
        })
        .reachable("all-end", |state| state.outputs().count() == transfers.len())
}

/// The properties that break, in whichever setting.
fn broken(mutation: Mutation, way: Way) -> Vec<String> {
    let mut broken = Vec::new();
    for setting in SETTINGS {
        let report = Checker::new(system(*setting, mutation, way)).graph(&GraphOptions::default());
        assert!(report.exhaustive());
        for finding in report.findings {
            if matches!(finding.verdict, Verdict::Violated(_)) {
                broken.push(format!("{} with {setting:?}", finding.property));
            }
        }
    }
    broken
}

#[test]
fn no_condition_of_what_ships_can_be_left_out() {
    let way = Way::within(Isolation::ReadCommitted);
    let whole = broken(Mutation::Whole, way);
    assert!(whole.is_empty(), "{whole:#?}");
    assert!(!broken(Mutation::Whole, Way::AUTOCOMMIT).is_empty(), "it needs its transaction");
    for mutation in [
        Mutation::Without(Part::Debit, "id"),
        Mutation::Without(Part::Debit, "balance"),
        Mutation::Without(Part::Credit, "id"),
        Mutation::Without(Part::Credit, "balance"),
        Mutation::Without(Part::Look, "id"),
        Mutation::Blind(Part::Debit),
        Mutation::Blind(Part::Credit),
    ] {
        let broken = broken(mutation, way);
        assert!(!broken.is_empty(), "nothing tells {mutation:?} apart");
        println!("{mutation:?}: {broken:?}");
    }
}

#[test]
fn stricter_levels_keep_every_promise_but_may_ask_for_a_retry() {
    for isolation in [Isolation::RepeatableRead, Isolation::Serializable] {
        let once = broken(Mutation::Whole, Way::within(isolation));
        assert!(!once.is_empty() && once.iter().all(|it| it.starts_with("no-error")), "{once:#?}");
        let retried = broken(Mutation::Whole, Way::within(isolation).retrying(2));
        assert!(retried.is_empty(), "{isolation:?}: {retried:#?}");
    }
}

fn balance(of: i64) -> Answer {
    Answer::Rows(vec![row([of.into()])])
}

/// What a transfer of 3 is told by a database that answers so, and what it asked.
fn told(
    (from, to): (i64, i64),
    answers: &[Answer],
) -> (Result<Transferred, Failure>, Vec<Statement>) {
    let mut db = Canned::new(answers.to_vec());
    let transfer = Transfer::new(from, to, 3).expect("a transfer");
    let told = transact(&mut db, &mut (), Way::AUTOCOMMIT, |tx| transfer.perform(tx));
    (told, db.asked)
}

#[test]
fn what_has_come_or_gone_since_is_not_told_as_a_reason_but_tried_again() {
    const MOST: i64 = i64::MAX;
    let (none, one) = (Answer::Count(0), Answer::Count(1));
    // Debited first, credited first; a balance that was no reason, and one that is.
    for (way, enough, too_little, end) in [
        ((1, 2), 3, 2, Transferred::Insufficient),
        ((2, 1), MOST - 3, MOST - 2, Transferred::Overflow),
    ] {
        let (done, asked) = told(way, &[none.clone(), balance(enough), one.clone(), one.clone()]);
        assert_eq!((done, asked.len()), (Ok(Transferred::Done), 4), "{way:?}");
        assert!(matches!(asked[1], Statement::Select(_)), "it looks");
        assert_eq!(asked[2], asked[0], "it could be done now: {way:?}");
        assert_eq!(told(way, &[none.clone(), balance(too_little)]).0, Ok(end));
    }
    // And as the second half.
    for (way, enough, too_little, end) in [
        ((1, 2), MOST - 3, MOST - 2, Transferred::Overflow),
        ((2, 1), 3, 2, Transferred::Insufficient),
    ] {
        let (done, asked) = told(way, &[one.clone(), none.clone(), balance(enough), one.clone()]);
        assert_eq!((done, asked.len()), (Ok(Transferred::Done), 4), "{way:?}");
        assert_eq!(asked[3], asked[1], "it could be done now: {way:?}");
        assert_eq!(told(way, &[one.clone(), none.clone(), balance(too_little)]).0, Ok(end));
    }
}

#[test]
fn a_balance_that_stays_whatever_is_asked_is_given_up_after_ten_more_tries() {
    for way in [(1, 2), (2, 1)] {
        let (told, asked) = told(way, &[Answer::Count(0), balance(5)]);
        assert_eq!(told, Err(SqlState::NO_DATA.into()), "and nothing has happened");
        assert_eq!(asked.len(), 22);
    }
}

/// One who pays, or who dies after so many steps and leaves its session to the database; or to nobody, if
/// that does not notice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Payer {
    Lives(Request),
    Dies { request: Request, steps: usize, is_noticed: bool },
}

impl Process<SimDb> for Payer {
    type Output = Option<Transferred>;

    fn step(self, db: &mut SimDb) -> Step<Self, Self::Output> {
        match self {
            Payer::Lives(request) => {
                request.step(db).map(Payer::Lives).and_then(|told| Step::Done(told.ok()))
            }
            Payer::Dies { request, steps: 0, is_noticed } => {
                if is_noticed {
                    request.into_held().into_iter().for_each(|session| db.disconnect(session));
                }
                Step::Done(None)
            }
            Payer::Dies { request, steps, is_noticed } => request
                .step(db)
                .map(|request| Payer::Dies { request, steps: steps - 1, is_noticed })
                .and_then(|told| Step::Done(told.ok())),
        }
    }
}

#[test]
fn who_waits_for_a_dead_one_waits_for_ever_unless_its_session_ends_with_it() {
    let payer = || {
        let transfer = Transfer::new(1, 2, 1).expect("a transfer");
        Code::session(SimSession::new(), move |db, session| {
            let way = Way::within(Isolation::ReadCommitted);
            transact(db, session, way, |tx| transfer.perform(tx))
        })
    };
    for (is_noticed, expected) in [(true, Verdict::Holds(None)), (false, Verdict::Violated(None))] {
        let accounts = [row([1.into(), 1.into()]), row([2.into(), 0.into()])];
        // BEGIN and the debit.
        let dies = Payer::Dies { request: payer(), steps: 2, is_noticed };
        let system = System::new(SimDb::new().with_table(&ACCOUNTS, accounts))
            .actor("dies", dies)
            .actor("lives", Payer::Lives(payer()))
            .reachable("the-other-pays", |state| {
                state.outputs().any(|told| *told == Some(Transferred::Done))
            });
        let report = Checker::new(system).graph(&GraphOptions::default());
        let found = &report.finding("deadlock-free").expect("always claimed").verdict;
        assert_eq!(discriminant(found), discriminant(&expected), "noticed: {is_noticed}");
        let pays = &report.finding("the-other-pays").expect("as claimed").verdict;
        assert!(matches!(pays, Verdict::Holds(_)), "who is first pays in any case");
    }
}
