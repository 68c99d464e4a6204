//! Statements about several rows: in which order they are locked decides who waits for whom. Each is a
//! short story on rows of which the first was updated last, so that it stands behind the second one on
//! the server's disk.

use toctou::case::{Case, DbCase, Method};
use toctou::check::{GraphOptions, System, Verdict};
use toctou::db::Isolation::ReadCommitted;
use toctou::db::{
    Comparison, Delete, Failure, Reply, Select, SimDb, SimSession, Statement, Update, Way, row,
};
use toctou::direct::{Code, SessionCode};
use toctou::handlers::{Next, transact};
use toctou::replay::Threads;

use super::drive::{Run, World, outcomes, told};
use super::generate::ACCOUNT;
use super::server::{Lane, cluster};
use super::story::{accounts, add, assert_story, begin, delete, each, lock, upsert};
use super::wrong::{Mistake, Wrong};

const COMMIT: Statement = Statement::Commit;

fn add_to_all() -> Statement {
    Update::new(&ACCOUNT).add("balance", 1).into()
}

fn lock_all() -> Statement {
    Select::columns(&ACCOUNT, &["id", "balance"]).for_update().into()
}

/// What each statement of the first session's `UPDATE` of all rows, between those of another one, is
/// answered, in each order in which this world may take the rows.
fn deadlock<W: World + Clone + PartialEq>(world: W) -> Vec<Vec<String>> {
    told_in_each_order(world, &deadlocked())
}

fn deadlocked() -> [(usize, Statement); 6] {
    [
        (2, add(1, 5)),
        (1, begin(ReadCommitted)),
        (1, add(1, 1)),
        (0, begin(ReadCommitted)),
        (0, add_to_all()),
        (1, add(2, 1)),
    ]
}

fn told_in_each_order<W: World + Clone + PartialEq>(
    world: W,
    story: &[(usize, Statement)],
) -> Vec<Vec<String>> {
    let Some(((who, statement), rest)) = story.split_first() else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for (after, reply) in outcomes(&world, *who, statement) {
        for rest in told_in_each_order(after, rest) {
            let whole = [vec![told(&reply)], rest].concat();
            if !all.contains(&whole) {
                all.push(whole);
            }
        }
    }
    all
}

/// PostgreSQL locks the second row, waits for the first one, and so two wait for one another. In the order
/// of the keys nothing would be locked by then, and nobody would ever fail: a proof of that would be false.
#[test]
fn an_update_of_several_rows_locks_them_as_they_stand_on_the_disk_and_each_order_is_explored() {
    let stage = accounts(&[(1, 0), (2, 0)]);
    let told_so = |end: [&str; 2]| {
        let told = ["1 row", "ok", "1 row", "ok"].into_iter().chain(end);
        told.map(str::to_owned).collect::<Vec<_>>()
    };
    let (fails, goes_on) = (told_so(["queued", "40P01"]), told_so(["queued", "1 row"]));
    let simulated = deadlock(Run::new(&stage));
    assert_eq!(simulated, [goes_on.clone(), fails.clone()]);
    let wrong = deadlock(Wrong::new(Mistake::KeysInOrder, &stage));
    assert_eq!(wrong, [goes_on]);
    let Some(cluster) = cluster() else { return };
    let mut lane = Lane::new(cluster).expect("sessions on the server");
    lane.reset(&stage).expect("its tables");
    let real = deadlocked().map(|(who, statement)| told(&lane.execute(who, &statement)));
    assert_eq!(real.to_vec(), fails, "the wrong world is found out");
}

/// What it has found stays to be taken. What others have made of it meanwhile is looked at again, and what
/// they add is not found.
#[test]
fn others_may_act_between_two_rows_of_a_statement() {
    let mut run = Run::new(&accounts(&[(1, 10), (2, 20)]));
    let positive = || {
        let update = Update::new(&ACCOUNT).add("balance", 1);
        update.condition("balance", Comparison::AtLeast, 1).into()
    };
    let story: [(usize, Statement, &str); 8] = [
        (0, positive(), "2 rows to go"),
        // The second of them is the first.
        (0, positive(), "takes (2, 20), 1 row to go"),
        (1, upsert(3, 30).into(), "1 row"),
        (1, delete(2), "queued"),
        (2, add(1, -10), "1 row"),
        (0, positive(), "commit to go"),
        (0, positive(), "1 row"),
        (1, delete(2), "1 row"),
    ];
    for (who, statement, expected) in story {
        assert_eq!(told(&run.step(who, &statement, 1)), expected, "{statement}");
    }
    assert_eq!(format!("{:?}", run.rows(&ACCOUNT)), "[[1, 0], [3, 30]]");
}

/// Who is alone takes them all, in a transaction or by itself; who hangs up between two rows takes none.
#[test]
fn a_statement_of_several_rows_happens_as_a_whole_or_not_at_all() {
    let stage = accounts(&[(1, 10), (2, 20)]);
    for (statement, left) in [
        (add_to_all(), "[[1, 11], [2, 21]]"),
        (Delete::new(&ACCOUNT).into(), "[]"),
        (Delete::new(&ACCOUNT).filter("balance", 20).into(), "[[1, 10]]"),
        (Delete::new(&ACCOUNT).filter("balance", 30).into(), "[[1, 10], [2, 20]]"),
    ] {
        each(&stage, |world, place| {
            world.execute(0, &statement);
            assert_eq!(format!("{:?}", world.rows(&ACCOUNT)), left, "{place}: {statement}");
        });
    }
    let mut run = Run::new(&stage);
    let before = run.clone();
    for next in [0, 1] {
        run.step(0, &add_to_all(), next);
        let reply = run.step(0, &add_to_all(), next);
        assert!(matches!(reply, Reply::Underway(ref underway) if underway.left == 1), "{reply:?}");
        run.hang_up(0);
        assert!(run == before, "after {reply:?}");
    }
}

/// Its rows are sorted first, so they are locked in that order, and not as they stand on the disk: it waits
/// for the first one while the second is free.
#[test]
fn for_update_locks_several_rows_in_the_order_in_which_it_answers_them() {
    let stage = accounts(&[(1, 0), (2, 0)]);
    assert_story(
        &stage,
        &[
            (2, add(1, 5), "1 row"),
            (1, begin(ReadCommitted), "ok"),
            (1, add(1, 1), "1 row"),
            (0, begin(ReadCommitted), "ok"),
            (0, lock_all(), "queued"),
            (1, add(2, 1), "1 row"),
            (1, COMMIT, "ok"),
            (0, lock_all(), "(1, 6), (2, 1)"),
        ],
    );
    // And it has the first one while it waits for the second.
    let story = [
        (2, add(1, 5), "1 row"),
        (1, begin(ReadCommitted), "ok"),
        (1, add(2, 1), "1 row"),
        (0, begin(ReadCommitted), "ok"),
        (0, lock_all(), "queued"),
        (2, lock(1), "queued"),
    ];
    each(&stage, |world, place| {
        for (who, statement, expected) in &story {
            assert_eq!(told(&world.execute(*who, statement)), *expected, "{place}: {statement}");
        }
        assert_eq!(world.waits_for(2), [0], "{place}");
    });
    let mut wrong = Wrong::new(Mistake::LastRowFirst, &stage);
    let told_wrong = story.map(|(who, statement, _)| told(&wrong.execute(who, &statement)));
    assert_eq!(told_wrong[5], "5", "a world that locks the last row first is found out");
}

type Adder = SessionCode<Result<u64, Failure>>;

/// One session adds to all accounts, which stand in another order than their keys. The other one adds to
/// these accounts in turn, or to both at once as well.
fn crossing(in_turn: &'static [i64]) -> System<SimDb, Adder> {
    let rows = [2, 1].map(|id: i64| row([id.into(), 0.into()]));
    let way = Way::within(ReadCommitted);
    let all = Code::session(SimSession::new(), move |db, session| {
        transact(db, session, way, |tx| Ok(Next::Commit(tx.ask(add_to_all())?.count())))
    });
    let one_by_one = Code::session(SimSession::new(), move |db, session| {
        transact(db, session, way, |tx| {
            for id in in_turn {
                tx.ask(add(*id, 1))?;
            }
            Ok(Next::Commit(in_turn.len() as u64))
        })
    });
    System::new(SimDb::new().with_table(&ACCOUNT, rows))
        .actor("all", all)
        .actor("in turn", one_by_one)
        .waits_for(|db, one: &Adder, other| one.held().wait_for(other.held(), db))
        .breaks_deadlocks(SimDb::patient)
        .finally("nobody-fails", |state| state.outputs().all(Result::is_ok))
        .finally("all-is-added", |state| {
            let told = |told: &Result<u64, Failure>| told.as_ref().map_or(0, |added| *added as i64);
            let added: i64 = state.outputs().map(told).sum();
            let balances = state.world().rows(&ACCOUNT);
            let balances = balances.iter().filter_map(|row| row[1].int());
            balances.sum::<i64>() == added
        })
        .reachable("both-add", |state| state.outputs().filter(|told| told.is_ok()).count() == 2)
}

/// As PostgreSQL reports it: the schedule happens there, with the same answers.
#[test]
fn an_update_of_all_rows_and_one_of_each_in_turn_wait_for_one_another() {
    for in_turn in [&[1, 2], &[2, 1]] {
        let case = DbCase::direct_on_postgres(crossing(in_turn));
        let report = case.check(&Method::Graph(GraphOptions::default()));
        let holds = |property: &str| {
            let finding = report.finding(property).expect("it is claimed");
            matches!(finding.verdict, Verdict::Holds(_))
        };
        assert!(holds("all-is-added") && holds("both-add") && !holds("nobody-fails"));
        if cluster().is_none() {
            continue;
        }
        let finding = report.finding("nobody-fails").expect("it is claimed");
        let schedule = finding.verdict.schedule().expect("a counterexample");
        let compared = case.replay(schedule, Threads::One).expect("the server performs it");
        let (simulated, real) = (&compared.simulated.trace, &compared.real.trace);
        // There the first account stands first, and PostgreSQL takes it first: the other order is explored,
        // and is not the one that it goes in.
        assert_eq!(compared.agrees(), in_turn == &[2, 1], "{in_turn:?}\n{simulated}\n{real}");
    }
}

/// With one row there is no order, and nobody waits for a second one.
#[test]
fn who_adds_to_one_account_alone_never_fails() {
    crossing(&[1]).assert_holds();
}
