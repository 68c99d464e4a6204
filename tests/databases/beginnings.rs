//! Several processes start at once on a database that is new: each looks whether the tables are there,
//! and creates those that are not.

use std::sync::Barrier;
use std::thread;

use toctou::db::{Database, Insert, SqlError, SqliteDb, SqliteOptions, Synchronous, row};
use toctou::handlers::{Ended, ORDERS, Orders, PENDING, TABLES};

use crate::server::{answer, cluster};

const TOGETHER: usize = 4;

/// Everybody opens the database and creates its tables at the same time.
fn all_at_once<D: Send>(begin: impl Fn() -> Result<D, SqlError> + Sync) -> Vec<D> {
    let go = Barrier::new(TOGETHER);
    let (go, begin) = (&go, &begin);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..TOGETHER)
            .map(|_| {
                scope.spawn(move || {
                    go.wait();
                    begin()
                })
            })
            .collect();
        let began = threads.into_iter().map(|thread| thread.join().expect("it does not panic"));
        began.map(|began| began.expect("whoever comes at the same time is no trouble")).collect()
    })
}

/// The first of all requests, by everybody: one of them ends the order.
fn are_one_database<D: Database + Clone>(databases: Vec<D>) {
    let order = row([1.into(), PENDING.into()]);
    let mut told: Vec<_> = databases
        .into_iter()
        .map(|mut db| {
            let mut session = db.connect().expect("it is there");
            // Of several the first: the others are told that there is such a row.
            let _ = answer(&mut db, &mut session, &Insert::new(&ORDERS, order.clone()).into());
            drop(session);
            Orders::new(db).cancel(1).expect("it is there")
        })
        .collect();
    assert_eq!(told.remove(0), Ended::ByThis);
    let late =
        |ended: &Ended| matches!(ended, Ended::NotPending(status) if &**status == "cancelled");
    assert!(told.len() == TOGETHER - 1 && told.iter().all(late), "{told:?}");
}

#[test]
fn a_new_file_is_opened_and_furnished_by_several_at_once() {
    // What is synced makes no difference to who waits for whom.
    let options = SqliteOptions { synchronous: Synchronous::Off, ..SqliteOptions::default() };
    for _ in 0..100 {
        let folder = tempfile::tempdir().expect("there is room");
        are_one_database(all_at_once(|| {
            let db = SqliteDb::open_with(folder.path().join("db"), options)?;
            db.create(TABLES).map(|()| db)
        }));
    }
}

#[test]
fn a_new_schema_is_furnished_by_several_sessions_at_once() {
    let Some(cluster) = cluster("tables that several create") else { return };
    for _ in 0..20 {
        let db = cluster.database().expect("it answers");
        are_one_database(all_at_once(|| db.create(TABLES).map(|()| db.clone())));
    }
}
