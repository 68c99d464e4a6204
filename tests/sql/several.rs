//! Statements about several rows: in which order they are locked decides who waits for whom. Each is a
//! short story on rows of which the first was updated last, so that it stands behind the second one on
//! the server's disk.

use toctou::db::Isolation::ReadCommitted;
use toctou::db::{Delete, Select, Statement, Update};

use super::drive::{Run, World, told};
use super::generate::ACCOUNT;
use super::server::{Lane, cluster};
use super::story::{accounts, add, assert_story, begin, each, lock};
use super::wrong::{Mistake, Wrong};

const COMMIT: Statement = Statement::Commit;

fn add_to_all() -> Statement {
    Update::new(&ACCOUNT).add("balance", 1).into()
}

fn lock_all() -> Statement {
    Select::columns(&ACCOUNT, &["id", "balance"]).for_update().into()
}

/// What each statement of the first session's `UPDATE` of all rows, between those of another one, is
/// answered.
fn deadlock(world: &mut (impl World + ?Sized)) -> Vec<String> {
    let story = [
        (2, add(1, 5)),
        (1, begin(ReadCommitted)),
        (1, add(1, 1)),
        (0, begin(ReadCommitted)),
        (0, add_to_all()),
        (1, add(2, 1)),
    ];
    story.iter().map(|(who, statement)| told(&world.execute(*who, statement))).collect()
}

/// PostgreSQL locks the second row, waits for the first one, and so two wait for one another. In the order
/// of the keys nothing would be locked by then, and nobody would ever fail: a proof of that would be false.
#[test]
fn an_update_of_several_rows_locks_them_as_they_stand_on_the_disk_and_the_simulation_refuses_it() {
    let stage = accounts(&[(1, 0), (2, 0)]);
    let begins = ["1 row", "ok", "1 row", "ok"];
    let simulated = deadlock(&mut Run::new(&stage));
    assert_eq!(simulated, [&begins[..], &["0A000", "1 row"]].concat());
    let wrong = deadlock(&mut Wrong::new(Mistake::KeysInOrder, &stage));
    assert_eq!(wrong, [&begins[..], &["queued", "1 row"]].concat());
    let Some(cluster) = cluster() else { return };
    let mut lane = Lane::new(cluster).expect("sessions on the server");
    lane.reset(&stage).expect("its tables");
    let real = deadlock(&mut lane);
    assert_eq!(real, [&begins[..], &["queued", "40P01"]].concat());
    assert_ne!(real, wrong, "the wrong world is found out");
}

/// Nor does it delete several rows, whoever else is there; one row, or none, is no matter.
#[test]
fn what_changes_several_rows_is_refused_in_words_and_has_changed_nothing() {
    let delete = Delete::new(&ACCOUNT);
    for (statement, expected) in [
        (add_to_all(), "0A000"),
        (delete.clone().into(), "0A000"),
        (delete.clone().filter("balance", 20).into(), "1 row"),
        (delete.filter("balance", 30).into(), "0 rows"),
    ] {
        let mut run = Run::new(&accounts(&[(1, 10), (2, 20)]));
        let before = run.db.clone();
        let reply = run.execute(0, &statement);
        assert_eq!(told(&reply), expected, "{statement}");
        if let toctou::db::Reply::Answer(Err(error)) = reply {
            let said = error.to_string();
            assert!(said.contains("2 rows fit") && said.contains("one row a statement"), "{said}");
            assert_eq!(run.db, before);
        }
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
