//! Answers of PostgreSQL that surprise, each as a short story that the simulation and the server have
//! to tell alike.

use toctou::db::Isolation::{ReadCommitted, RepeatableRead, Serializable};
use toctou::db::{
    Comparison, Delete, Insert, OnConflict, Returning, Select, Statement, Update, row,
};

use super::generate::ACCOUNT;
use super::story::{accounts, add, assert_story, begin, read, set};

const COMMIT: Statement = Statement::Commit;
const ROLLBACK: Statement = Statement::Rollback;

fn insert(id: i64, balance: i64) -> Insert {
    Insert::new(&ACCOUNT, row([id.into(), balance.into()]))
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
