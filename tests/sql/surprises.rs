//! Answers of PostgreSQL that surprise, each as a short story that the simulation and the server have
//! to tell alike.

use toctou::db::Isolation::{self, ReadCommitted, RepeatableRead, Serializable};
use toctou::db::{Comparison, Delete, Insert, OnConflict, Returning, Select, Statement, row};

use super::generate::ACCOUNT;
use super::story::{accounts, add, all, assert_story, begin, read};

const COMMIT: Statement = Statement::Commit;
const ROLLBACK: Statement = Statement::Rollback;

fn insert(id: i64, balance: i64) -> Insert {
    Insert::new(&ACCOUNT, row([id.into(), balance.into()]))
}

fn do_nothing(id: i64, balance: i64) -> Insert {
    insert(id, balance).on_conflict(OnConflict::DoNothing)
}

fn upsert(id: i64, balance: i64) -> Insert {
    insert(id, balance).on_conflict(OnConflict::DoUpdate(vec!["balance"]))
}

fn delete(id: i64) -> Statement {
    Delete::new(&ACCOUNT).filter("id", id).into()
}

fn lock(id: i64) -> Statement {
    Select::columns(&ACCOUNT, &["balance"]).filter("id", id).for_update().into()
}

#[test]
fn a_newcomer_overtakes_who_has_waited_for_the_row() {
    assert_story(
        &accounts(&[(1, 10)]),
        &[
            (0, begin(ReadCommitted), "ok"),
            (0, add(1, 1), "1 row"),
            (1, add(1, 1), "queued"),
            (0, COMMIT, "ok"),
            (2, begin(ReadCommitted), "ok"),
            (2, add(1, 1), "1 row"),
            (1, add(1, 1), "queued"),
            (2, COMMIT, "ok"),
            (1, add(1, 1), "1 row"),
            (1, read(1), "13"),
        ],
    );
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
fn nobody_waits_for_a_row_that_was_changed_since_the_snapshot_whoever_holds_it() {
    assert_story(
        &accounts(&[(1, 10)]),
        &[
            (0, begin(RepeatableRead), "ok"),
            (0, read(1), "10"),
            (1, add(1, 1), "1 row"),
            (1, begin(ReadCommitted), "ok"),
            (1, delete(1), "1 row"),
            (0, lock(1), "40001"),
            (0, ROLLBACK, "rolled back"),
            (1, COMMIT, "ok"),
        ],
    );
}

/// `FOR UPDATE` goes on to the next version before it looks whether it may have it.
#[test]
fn for_update_waits_for_the_next_version_too_and_fails_only_then() {
    assert_story(
        &accounts(&[(1, 10)]),
        &[
            (0, begin(ReadCommitted), "ok"),
            (0, add(1, 1), "1 row"),
            (1, begin(RepeatableRead), "ok"),
            (1, lock(1), "queued"),
            (0, COMMIT, "ok"),
            (0, begin(ReadCommitted), "ok"),
            (0, add(1, 1), "1 row"),
            (1, lock(1), "queued"),
            (2, add(1, 1), "queued"),
            (0, COMMIT, "ok"),
            (2, add(1, 1), "1 row"),
            (1, lock(1), "40001"),
            (1, ROLLBACK, "rolled back"),
        ],
    );
}

/// But not where the row was only locked when it began to wait: then there was no next version to go
/// on to, and what comes after is as with an `UPDATE`.
#[test]
fn for_update_that_waited_for_a_lock_alone_does_not_go_on_to_what_its_holder_made_of_the_row() {
    let story = |level, then: &[_]| {
        let mut story = vec![
            (0, begin(ReadCommitted), "ok"),
            (0, lock(1), "10"),
            (1, begin(level), "ok"),
            (1, lock(1), "queued"),
            (0, add(1, 1), "1 row"),
            (0, COMMIT, "ok"),
            (2, begin(ReadCommitted), "ok"),
            (2, lock(1), "11"),
        ];
        story.extend_from_slice(then);
        assert_story(&accounts(&[(1, 10)]), &story);
    };
    story(
        RepeatableRead,
        &[(1, lock(1), "40001"), (1, ROLLBACK, "rolled back"), (2, COMMIT, "ok")],
    );
    // Whoever comes later stands behind it in the queue of the new version.
    story(
        ReadCommitted,
        &[
            (1, lock(1), "queued"),
            (0, lock(1), "queued"),
            (2, COMMIT, "ok"),
            (0, lock(1), "waiting"),
            (1, lock(1), "11"),
            (1, COMMIT, "ok"),
            (0, lock(1), "11"),
        ],
    );
}

/// Nor where what its holder had made of the row was taken back: the chain of versions ends there, and
/// what somebody else makes of the row later is not the next one.
#[test]
fn for_update_does_not_go_on_to_a_version_made_after_the_one_it_waited_for_was_rolled_back() {
    assert_story(
        &accounts(&[(1, 10)]),
        &[
            (0, begin(RepeatableRead), "ok"),
            (1, begin(ReadCommitted), "ok"),
            (1, add(1, 1), "1 row"),
            (0, lock(1), "queued"),
            (1, ROLLBACK, "rolled back"),
            (2, add(1, 1), "1 row"),
            (2, begin(ReadCommitted), "ok"),
            (2, add(1, 1), "1 row"),
            (0, lock(1), "40001"),
            (2, COMMIT, "ok"),
        ],
    );
}

/// So it stands in the queue of the newest one, before whoever comes later.
#[test]
fn for_update_stands_in_the_queue_after_the_version_it_waited_for_was_rolled_back() {
    assert_story(
        &accounts(&[(1, 10)]),
        &[
            (0, begin(ReadCommitted), "ok"),
            (1, begin(ReadCommitted), "ok"),
            (1, add(1, 1), "1 row"),
            (0, lock(1), "queued"),
            (1, ROLLBACK, "rolled back"),
            (2, add(1, 1), "1 row"),
            (2, begin(ReadCommitted), "ok"),
            (2, lock(1), "11"),
            (0, lock(1), "queued"),
            (1, lock(1), "queued"),
            (2, COMMIT, "ok"),
            (1, lock(1), "waiting"),
            (0, lock(1), "11"),
            (0, COMMIT, "ok"),
            (1, lock(1), "11"),
        ],
    );
}

/// Those who stand behind have come for the same version.
#[test]
fn who_stands_behind_does_not_go_on_to_what_follows_a_rollback_either() {
    assert_story(
        &accounts(&[(1, 10)]),
        &[
            (1, begin(ReadCommitted), "ok"),
            (1, add(1, 1), "1 row"),
            (2, add(1, 1), "queued"),
            (0, begin(RepeatableRead), "ok"),
            (0, lock(1), "queued"),
            (1, ROLLBACK, "rolled back"),
            (2, add(1, 1), "1 row"),
            (2, begin(ReadCommitted), "ok"),
            (2, add(1, 1), "1 row"),
            (0, lock(1), "40001"),
            (2, COMMIT, "ok"),
        ],
    );
}

/// A holder that changes the row twice leaves two versions. The first of them has been replaced by the
/// time it can be locked, so `FOR UPDATE` looks no further, and does not wait for who holds the newest.
#[test]
fn for_update_does_not_wait_for_the_next_holder_of_a_row_that_was_changed_twice() {
    let story = |changes: &[Statement], then| {
        let mut story = vec![
            (0, begin(ReadCommitted), "ok"),
            (0, add(1, 1), "1 row"),
            (1, begin(RepeatableRead), "ok"),
            (1, lock(1), "queued"),
        ];
        story.extend(changes.iter().map(|change| (0, change.clone(), "1 row")));
        story.extend([
            (0, COMMIT, "ok"),
            (2, begin(ReadCommitted), "ok"),
            (2, add(1, 1), "1 row"),
            (1, lock(1), then),
        ]);
        assert_story(&accounts(&[(1, 10)]), &story);
    };
    story(&[], "queued");
    story(&[add(1, 1)], "40001");
}

/// Who follows a row to its newest version waits for whoever is changing that, and stands in no queue.
#[test]
fn who_comes_later_overtakes_one_that_follows_the_row_to_its_newest_version() {
    assert_story(
        &accounts(&[(1, 10)]),
        &[
            (0, begin(ReadCommitted), "ok"),
            (0, add(1, 1), "1 row"),
            (1, add(1, 1), "queued"),
            (0, COMMIT, "ok"),
            (0, begin(ReadCommitted), "ok"),
            (0, add(1, 1), "1 row"),
            (1, add(1, 1), "queued"),
            (2, add(1, 1), "queued"),
            (0, COMMIT, "ok"),
            (2, add(1, 1), "1 row"),
            (1, add(1, 1), "1 row"),
            (1, read(1), "14"),
        ],
    );
}

#[test]
fn a_row_that_was_only_locked_since_the_snapshot_can_still_be_changed() {
    assert_story(
        &accounts(&[(1, 10)]),
        &[
            (0, begin(RepeatableRead), "ok"),
            (0, read(1), "10"),
            (1, begin(ReadCommitted), "ok"),
            (1, lock(1), "10"),
            (0, add(1, 1), "queued"),
            (1, COMMIT, "ok"),
            (0, add(1, 1), "1 row"),
            (0, COMMIT, "ok"),
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

/// It keeps its lock on the row's queue while it waits for the one that overtook it.
#[test]
fn an_upsert_that_was_overtaken_stays_before_those_who_come_later() {
    assert_story(
        &accounts(&[(1, 10)]),
        &[
            (0, begin(ReadCommitted), "ok"),
            (0, lock(1), "10"),
            (2, upsert(1, 12).into(), "queued"),
            (0, COMMIT, "ok"),
            (1, begin(ReadCommitted), "ok"),
            (1, lock(1), "10"),
            (2, upsert(1, 12).into(), "queued"),
            (0, lock(1), "queued"),
            (1, COMMIT, "ok"),
            (0, lock(1), "waiting"),
            (2, upsert(1, 12).into(), "1 row"),
            (0, lock(1), "12"),
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

/// It finds the key and says so; that this is a read, PostgreSQL does not count. The first transaction
/// is before the second (which removes what it found) and after it (for it can insert the key).
#[test]
fn serializable_transactions_are_not_serializable_by_an_insert_that_does_nothing() {
    assert_story(
        &accounts(&[(1, 10)]),
        &[
            (0, begin(Serializable), "ok"),
            (1, begin(Serializable), "ok"),
            (0, do_nothing(1, 1).into(), "0 rows"),
            (1, all(), "(1, 10)"),
            (1, delete(1), "1 row"),
            (1, COMMIT, "ok"),
            (0, do_nothing(1, 1).into(), "1 row"),
            (0, COMMIT, "ok"),
        ],
    );
}
