//! Answers of PostgreSQL that surprise, each as a short story that the simulation and the server have
//! to tell alike.

use toctou::db::Isolation::{self, ReadCommitted, RepeatableRead, Serializable};
use toctou::db::{Comparison, Insert, OnConflict, Returning, Select, Statement, row};

use super::drive::{Run, World, told};
use super::generate::ACCOUNT;
use super::server::conflicts_are_reads;
use super::story::{
    accounts, add, all, assert_story, begin, delete, each, idle_insert, read, upsert,
};

const COMMIT: Statement = Statement::Commit;

fn insert(id: i64, balance: i64) -> Insert {
    Insert::new(&ACCOUNT, row([id.into(), balance.into()]))
}

fn do_nothing(id: i64, balance: i64) -> Insert {
    insert(id, balance).on_conflict(OnConflict::DoNothing)
}

/// What the new row would be is computed first, so the error comes before the wait.
#[test]
fn an_update_that_overflows_fails_without_waiting_for_the_row() {
    assert_story(
        &accounts(&[(1, 10)]),
        &[
            (0, begin(ReadCommitted), "ok"),
            (0, add(1, 1), "1 row"),
            (1, add(1, i64::MAX), "22003"),
            (0, COMMIT, "ok"),
        ],
    );
}

/// And is computed again after the wait.
#[test]
fn an_update_overflows_after_the_wait_by_what_it_waited_for() {
    assert_story(
        &accounts(&[(1, 0)]),
        &[
            (0, begin(ReadCommitted), "ok"),
            (0, add(1, 1), "1 row"),
            (1, add(1, i64::MAX), "queued"),
            (0, COMMIT, "ok"),
            (1, add(1, i64::MAX), "22003"),
        ],
    );
}

#[test]
fn a_key_that_was_inserted_and_deleted_again_is_waited_for_until_its_transaction_ends() {
    assert_story(
        &accounts(&[]),
        &[
            (0, begin(ReadCommitted), "ok"),
            (0, insert(1, 1).into(), "1 row"),
            (0, delete(1), "1 row"),
            (1, insert(1, 2).into(), "queued"),
            (0, COMMIT, "ok"),
            (1, insert(1, 2).into(), "1 row"),
        ],
    );
}

#[test]
fn a_row_that_no_longer_fits_after_the_wait_stays_locked() {
    let debit = toctou::db::Update::new(&ACCOUNT).add("balance", -5).filter("id", 1);
    let debit = Statement::from(debit.condition("balance", Comparison::AtLeast, 5));
    assert_story(
        &accounts(&[(1, 5)]),
        &[
            (0, begin(ReadCommitted), "ok"),
            (1, begin(ReadCommitted), "ok"),
            (0, debit.clone(), "1 row"),
            (1, debit.clone(), "queued"),
            (0, COMMIT, "ok"),
            (1, debit, "0 rows"),
            (2, add(1, 1), "queued"),
            (1, COMMIT, "ok"),
            (2, add(1, 1), "1 row"),
        ],
    );
}

/// The row that was waited for is gone; the one that has its key now was not there when the statement
/// began.
#[test]
fn an_update_misses_the_row_that_was_put_in_place_of_the_one_it_waited_for() {
    assert_story(
        &accounts(&[(1, 10)]),
        &[
            (0, begin(ReadCommitted), "ok"),
            (0, delete(1), "1 row"),
            (0, insert(1, 20).into(), "1 row"),
            (1, add(1, 1), "queued"),
            (0, COMMIT, "ok"),
            (1, add(1, 1), "0 rows"),
            (1, read(1), "20"),
        ],
    );
}

#[test]
fn rows_locked_after_a_wait_come_in_the_order_they_had_before_it() {
    let richest = || -> Statement {
        let balances = Select::columns(&super::generate::TOKEN, &["uses", "code"]);
        balances.for_update().into()
    };
    let token = |uses: i64, code: &str| row([uses.into(), code.into(), 1_i64.into()]);
    let used = toctou::db::Update::new(&super::generate::TOKEN).add("uses", 9).filter("code", "a");
    assert_story(
        &super::story::stage(&super::generate::TOKEN, vec![token(1, "a"), token(2, "b")]),
        &[
            (0, begin(ReadCommitted), "ok"),
            (0, used.into(), "1 row"),
            (1, richest(), "queued"),
            (0, COMMIT, "ok"),
            (1, richest(), "(10, 'a'), (2, 'b')"),
            (1, richest(), "(2, 'b'), (10, 'a')"),
        ],
    );
}

#[test]
fn the_snapshot_is_taken_by_the_first_statement_and_not_by_begin() {
    assert_story(
        &accounts(&[(1, 10)]),
        &[
            (0, begin(RepeatableRead), "ok"),
            (1, add(1, 1), "1 row"),
            (0, read(1), "11"),
            (1, add(1, 1), "1 row"),
            (0, read(1), "11"),
            (0, COMMIT, "ok"),
        ],
    );
}

/// At READ COMMITTED, by way of the conflict.
#[test]
fn an_upsert_changes_a_row_that_its_own_statement_does_not_see() {
    assert_story(
        &accounts(&[]),
        &[
            (0, begin(ReadCommitted), "ok"),
            (0, insert(1, 1).into(), "1 row"),
            (1, upsert(1, 2).returning(Returning::Inserted).into(), "queued"),
            (0, COMMIT, "ok"),
            (1, upsert(1, 2).returning(Returning::Inserted).into(), "false"),
        ],
    );
}

#[test]
fn a_row_inserted_by_the_same_transaction_counts_as_updated_by_its_upsert() {
    assert_story(
        &accounts(&[]),
        &[
            (0, begin(ReadCommitted), "ok"),
            (0, upsert(1, 1).returning(Returning::Inserted).into(), "true"),
            (0, upsert(1, 2).returning(Returning::Inserted).into(), "false"),
            (0, COMMIT, "ok"),
        ],
    );
}

#[test]
fn a_key_that_the_snapshot_does_not_see_fails_each_kind_of_insert_in_its_own_way() {
    let told = |statement: Insert, isolation: Isolation, told: &str| {
        assert_story(
            &accounts(&[]),
            &[
                (0, begin(isolation), "ok"),
                (0, all(), "no row"),
                (1, insert(1, 1).into(), "1 row"),
                (0, statement.into(), told),
            ],
        );
    };
    told(insert(1, 2), ReadCommitted, "23505");
    told(do_nothing(1, 2), ReadCommitted, "0 rows");
    told(upsert(1, 2), ReadCommitted, "1 row");
    told(insert(1, 2), RepeatableRead, "23505");
    told(do_nothing(1, 2), RepeatableRead, "40001");
    told(upsert(1, 2), RepeatableRead, "40001");
    // Others have written since what it read, but only it has read: it may come first.
    told(insert(1, 2), Serializable, "23505");
    told(do_nothing(1, 2), Serializable, "40001");
}

#[test]
fn an_insert_that_does_nothing_has_read_what_it_found_or_has_not() {
    let told_by = |counted| {
        let mut run = Run::counting(&accounts(&[(1, 10)]), counted);
        idle_insert().map(|(who, statement)| told(&run.execute(who, &statement)))
    };
    let begins = ["ok", "ok", "0 rows", "(1, 10)", "1 row", "ok"];
    assert_eq!(told_by(false), [&begins[..], &["1 row", "ok"]].concat()[..]);
    assert_eq!(told_by(true), [&begins[..], &["40001", "rolled back"]].concat()[..]);
}

/// Write skew, each by way of what the other one's insert has found: the server's own way is the
/// simulation's that is set up so.
#[test]
fn serializable_transactions_are_serializable_by_inserts_that_do_nothing_if_these_count() {
    let counted = conflicts_are_reads();
    let (last, end) = if counted { ("40001", "rolled back") } else { ("1 row", "ok") };
    assert_story(
        &accounts(&[(1, 10), (2, 20)]),
        &[
            (0, begin(Serializable), "ok"),
            (1, begin(Serializable), "ok"),
            (0, do_nothing(1, 1).into(), "0 rows"),
            (1, do_nothing(2, 1).into(), "0 rows"),
            (0, upsert(2, 21).into(), "1 row"),
            (0, COMMIT, "ok"),
            (1, upsert(1, 11).into(), last),
            (1, COMMIT, end),
        ],
    );
}

/// The first transaction read that there is no such row, and the second one changes it: but it was put in
/// between by somebody who stands in no order, and that is what the second one comes after. (Found by 3,000
/// random programs.)
#[test]
fn who_changes_what_another_level_has_put_in_has_not_written_what_was_read_before() {
    assert_story(
        &accounts(&[]),
        &[
            (2, begin(ReadCommitted), "ok"),
            (2, insert(1, 2).into(), "1 row"),
            (0, begin(Serializable), "ok"),
            (0, insert(2, 1).into(), "1 row"),
            (0, add(1, 2), "0 rows"),
            (1, begin(Serializable), "ok"),
            (2, COMMIT, "ok"),
            (1, read(1), "2"),
            (0, COMMIT, "ok"),
            (1, add(1, 2), "1 row"),
            (1, read(2), "no row"),
            (1, COMMIT, "ok"),
        ],
    );
}

/// Who can no longer commit is told so at once in the simulation. The server finds out where it looks for
/// conflicts: an insert that does nothing waits for the other's key before that, and so may close a
/// circle first. Either is begun anew. (Found by 10,000 random programs.)
#[test]
fn who_can_no_longer_commit_may_close_a_circle_before_the_server_says_so() {
    let story = [
        (2, begin(Serializable), "ok"),
        (2, do_nothing(2, 3).into(), "1 row"),
        (0, begin(Serializable), "ok"),
        (0, add(1, 1), "1 row"),
        (0, all(), "(1, 11)"),
        (1, begin(Serializable), "ok"),
        (1, insert(3, 1).into(), "1 row"),
        (1, read(1), "10"),
        (1, COMMIT, "ok"),
        (2, add(1, 1), "queued"),
    ];
    each(&accounts(&[(1, 10)]), |world, place| {
        for (who, statement, expected) in &story {
            assert_eq!(told(&world.execute(*who, statement)), *expected, "{place}: {statement}");
        }
        let closes = told(&world.execute(0, &do_nothing(2, 1).into()));
        assert_eq!(closes, if place == "on the server" { "40P01" } else { "40001" }, "{place}");
        assert_eq!(told(&world.execute(0, &Statement::Rollback)), "rolled back", "{place}");
    });
}
