//! The handler on SQLite and on PostgreSQL, by several threads at once.

use std::sync::Barrier;
use std::thread;

use toctou::db::{Database, SqlError, SqliteDb, row};
use toctou::handlers::{Ended, HandlerError, ORDERS, Orders};

const THREADS: usize = 8;
const ROUNDS: i64 = 40;

/// Half of the threads cancel and half ship, an order a round; returns how each order ended, and
/// how its enders were told.
fn race<D>(db: &D) -> Vec<Vec<Result<Ended, HandlerError>>>
where
    D: Database + Clone + Send + Sync,
{
    let start = Barrier::new(THREADS);
    let by_thread: Vec<Vec<_>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let (orders, start) = (Orders::new(db.clone()), &start);
                scope.spawn(move || {
                    let end = |order| {
                        start.wait();
                        if number % 2 == 0 { orders.cancel(order) } else { orders.ship(order) }
                    };
                    (1..=ROUNDS).map(end).collect()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
    });
    let rounds = usize::try_from(ROUNDS).expect("a few");
    (0..rounds).map(|round| by_thread.iter().map(|told| told[round].clone()).collect()).collect()
}

fn pending() -> impl Iterator<Item = toctou::db::Row> {
    (1..=ROUNDS).map(|id| row([id.into(), "pending".into()]))
}

fn assert_each_ended_once(told: &[Vec<Result<Ended, HandlerError>>], left: &[toctou::db::Row]) {
    assert_eq!(told.len(), left.len());
    for (told, row) in told.iter().zip(left) {
        let status = row[1].text().expect("a status");
        let winners: Vec<_> =
            (0..THREADS).filter(|thread| told[*thread] == Ok(Ended::ByThis)).collect();
        let [winner] = winners[..] else { panic!("{told:?}") };
        assert_eq!(status, if winner % 2 == 0 { "cancelled" } else { "shipped" });
        for (thread, told) in told.iter().enumerate() {
            assert!(thread == winner || *told == Ok(Ended::NotPending(status.into())), "{told:?}");
        }
    }
}

#[test]
fn on_sqlite_each_order_ends_once_and_everybody_is_told_how() -> Result<(), SqlError> {
    let db = SqliteDb::in_memory()?;
    db.create(&[&ORDERS])?;
    db.fill(&ORDERS, pending())?;
    assert_each_ended_once(&race(&db), &db.rows(&ORDERS)?);
    assert_eq!(Orders::new(db).cancel(0), Ok(Ended::NoSuchOrder));
    Ok(())
}

#[test]
fn on_postgresql_each_order_ends_once_and_everybody_is_told_how() -> Result<(), SqlError> {
    let Some(cluster) = crate::throwaway::shared("on_postgresql_each_order_ends_once") else {
        return Ok(());
    };
    let db = cluster.database()?;
    db.create(&[&ORDERS])?;
    db.fill(&ORDERS, pending())?;
    assert_each_ended_once(&race(&db), &db.rows(&ORDERS)?);
    assert_eq!(Orders::new(db).ship(0), Ok(Ended::NoSuchOrder));
    Ok(())
}
