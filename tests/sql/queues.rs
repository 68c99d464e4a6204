//! Who waits for a row, in which queue and for which version of it, each as a short story that the
//! simulation and the server have to tell alike.

use toctou::db::Isolation::{ReadCommitted, RepeatableRead};
use toctou::db::Statement;

use super::story::{Told, accounts, add, assert_story, begin, delete, lock, read, upsert};

const COMMIT: Statement = Statement::Commit;
const ROLLBACK: Statement = Statement::Rollback;

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

/// Nor where that version has been replaced as well by the time it can be locked.
#[test]
fn for_update_does_not_wait_for_the_holder_of_a_version_after_the_next() {
    let story = |between: &[Told<'static>], then| {
        let mut story = vec![
            (0, begin(ReadCommitted), "ok"),
            (0, add(1, 1), "1 row"),
            (1, begin(RepeatableRead), "ok"),
            (1, lock(1), "queued"),
            (0, COMMIT, "ok"),
        ];
        story.extend_from_slice(between);
        story.extend([
            (2, begin(ReadCommitted), "ok"),
            (2, add(1, 1), "1 row"),
            (1, lock(1), then),
        ]);
        assert_story(&accounts(&[(1, 10)]), &story);
    };
    story(&[], "queued");
    story(&[(0, add(1, 1), "1 row")], "40001");
}

/// It then leaves the queue of the version that it came for, and whoever stood behind it is the first.
#[test]
fn who_stands_behind_one_that_follows_the_row_to_its_newest_version_moves_up() {
    assert_story(
        &accounts(&[(1, 10)]),
        &[
            (0, begin(ReadCommitted), "ok"),
            (0, add(1, 1), "1 row"),
            (1, lock(1), "queued"),
            (2, begin(RepeatableRead), "ok"),
            (2, add(1, 1), "queued"),
            (0, COMMIT, "ok"),
            (0, add(1, 1), "1 row"),
            (0, begin(ReadCommitted), "ok"),
            (0, add(1, 1), "1 row"),
            (2, add(1, 1), "waiting"),
            (1, lock(1), "queued"),
            (2, add(1, 1), "40001"),
            (0, COMMIT, "ok"),
            (1, lock(1), "13"),
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
