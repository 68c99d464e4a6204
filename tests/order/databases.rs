//! The handler on SQLite and on PostgreSQL, by several threads at once; and on a server that dies.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use toctou::db::{Cluster, Database, PostgresDb, SqlError, SqliteDb, row};
use toctou::handlers::{Ended, Ending, HandlerError, ORDERS, Orders, PENDING};

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

fn pending(orders: i64) -> impl Iterator<Item = toctou::db::Row> {
    (1..=orders).map(|id| row([id.into(), PENDING.into()]))
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
    db.fill(&ORDERS, pending(ROUNDS))?;
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
    db.fill(&ORDERS, pending(ROUNDS))?;
    assert_each_ended_once(&race(&db), &db.rows(&ORDERS)?);
    assert_eq!(Orders::new(db).ship(0), Ok(Ended::NoSuchOrder));
    Ok(())
}

/// So many that nobody comes to the last one before the server has died.
const MANY: i64 = 2_000;

/// An order, whether it was to be shipped and not cancelled, and what was told.
type Told = (i64, bool, Result<Ended, HandlerError>);

/// Four threads end one order after the other, two of them in either way, while the server is killed and
/// started again.
fn ended_across_a_death(cluster: &Cluster, db: &PostgresDb) -> Vec<Told> {
    let (answered, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let is_over = AtomicBool::new(false);
    let end_all = |ships: bool| {
        let orders = Orders::new(db.clone());
        let (mut told, mut order) = (Vec::new(), 0);
        while !is_over.load(Ordering::Relaxed) {
            let id = order % MANY + 1;
            let ended = if ships { orders.ship(id) } else { orders.cancel(id) };
            failed.fetch_or(ended.is_err(), Ordering::Relaxed);
            match &ended {
                // Nothing was done: asked again a little later.
                Err(error) if error.is_temporary() => thread::sleep(Duration::from_millis(1)),
                Err(_) => order += 1,
                Ok(_) => {
                    order += 1;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
            told.push((id, ships, ended));
        }
        told
    };
    let several_more = || {
        let enough = answered.load(Ordering::Relaxed) + 400;
        while answered.load(Ordering::Relaxed) < enough {
            thread::sleep(Duration::from_millis(1));
        }
    };
    thread::scope(|scope| {
        let end_all = &end_all;
        let threads = [false, true, false, true].map(|ships| scope.spawn(move || end_all(ships)));
        several_more();
        failed.store(false, Ordering::Relaxed);
        cluster.kill().expect("it runs");
        // At the latest those who wait for a connection give up.
        while !failed.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(1));
        }
        cluster.restart().expect("it starts again");
        several_more();
        is_over.store(true, Ordering::Relaxed);
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    })
}

/// Whoever was told that an order is ended finds it so when the server is back; where nobody was told,
/// somebody was told that it is not known.
#[test]
fn orders_that_were_told_to_be_ended_stay_so_when_the_server_dies() -> Result<(), Box<dyn Error>> {
    let test = "orders_that_were_told_to_be_ended_stay_so_when_the_server_dies";
    let Some(cluster) = crate::throwaway::own(test) else { return Ok(()) };
    let db = cluster.database()?;
    db.create(&[&ORDERS])?;
    db.fill(&ORDERS, pending(MANY))?;
    let told = ended_across_a_death(&cluster, &db);
    let mut of_order = BTreeMap::<i64, Vec<(&str, Result<Ended, HandlerError>)>>::new();
    for (id, ships, ended) in told {
        let ending = if ships { Ending::Ship } else { Ending::Cancel };
        of_order.entry(id).or_default().push((ending.status(), ended));
    }
    let (mut won, mut failed) = (0, 0);
    for row in db.rows(&ORDERS)? {
        let (id, status) = (row[0].int().expect("an id"), row[1].text().expect("a status"));
        let told = of_order.remove(&id).unwrap_or_default();
        let (mut winners, mut unknown) = (0, 0);
        for (wanted, ended) in &told {
            match ended {
                Ok(Ended::ByThis) => {
                    assert_eq!(status, *wanted, "order {id}: {told:?}");
                    winners += 1;
                }
                Ok(Ended::NotPending(other)) => assert_eq!(status, &**other, "{id}: {told:?}"),
                Ok(Ended::NoSuchOrder) => panic!("order {id} is there: {told:?}"),
                Err(HandlerError::Unknown(_)) => unknown += usize::from(status == *wanted),
                Err(error) => assert!(error.is_temporary(), "{error:?}"),
            }
        }
        assert!(winners <= 1, "order {id} was ended twice: {told:?}");
        assert!(status == PENDING || winners + unknown > 0, "who ended order {id}? {told:?}");
        won += winners;
        failed += told.iter().filter(|(_, ended)| ended.is_err()).count();
    }
    println!("{won} orders ended, {failed} requests without an answer");
    assert!(won > 0 && failed > 0, "{won} orders ended, {failed} requests without an answer");
    Ok(())
}
