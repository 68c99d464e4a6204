//! The handler on SQLite and on PostgreSQL, by several threads at once; and on a server that dies.

use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use toctou::db::{Cluster, Database, PostgresDb, Row, SqliteDb, row};
use toctou::handlers::{ACCOUNTS, Accounts, HandlerError, TransferError, Transferred};

const THREADS: i64 = 8;
const TRANSFERS: i64 = 60;
const EACH: [i64; 4] = [5, 5, 5, 5];

/// More than there is in all accounts together.
const TOO_MUCH: i64 = 21;

/// So many ask for too much. Whoever else is refused depends on who comes when.
const REFUSED: i64 = THREADS * TRANSFERS / 10;

fn rows(balances: &[i64]) -> Vec<Row> {
    (1..)
        .zip(balances)
        .map(|(id, balance)| row([i64::from(id).into(), (*balance).into()]))
        .collect()
}

/// Every thread moves 3 between accounts, in all directions, and now and then asks for too much; what the balances then have to be,
/// by what was told.
fn moved<D>(db: &D) -> Result<(Vec<i64>, i64), TransferError>
where
    D: Database + Clone + Send + Sync,
{
    let by_thread = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let accounts = Accounts::new(db.clone());
                scope.spawn(move || {
                    (0..TRANSFERS)
                        .map(|number| {
                            let from = (thread + number) % 4;
                            let to = (from + 1 + (number / 4) % 3) % 4;
                            let amount = if number % 10 == 9 { TOO_MUCH } else { 3 };
                            let told = accounts.transfer(from + 1, to + 1, amount)?;
                            Ok((from, to, amount, told))
                        })
                        .collect::<Result<Vec<_>, TransferError>>()
                })
            })
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join().expect("no panic");
        threads.into_iter().map(join).collect::<Result<Vec<_>, _>>()
    })?;
    let mut balances = EACH.to_vec();
    let mut refused = 0;
    for (from, to, amount, told) in by_thread.into_iter().flatten() {
        match told {
            Transferred::Done => {
                balances[usize::try_from(from).expect("small")] -= amount;
                balances[usize::try_from(to).expect("small")] += amount;
            }
            Transferred::Insufficient => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    Ok((balances, refused))
}

fn assert_answers<D: Database + Clone>(db: D) -> Result<(), TransferError> {
    let accounts = Accounts::new(db);
    assert_eq!(accounts.transfer(1, 9, 1)?, Transferred::NoSuchAccount(9));
    assert_eq!(accounts.transfer(9, 1, 1)?, Transferred::NoSuchAccount(9));
    assert_eq!(accounts.transfer(1, 2, 1)?, Transferred::Overflow);
    assert_eq!(accounts.transfer(2, 1, i64::MAX)?, Transferred::Overflow);
    assert_eq!(accounts.transfer(1, 3, i64::MAX)?, Transferred::Insufficient);
    assert_eq!(accounts.transfer(3, 1, 1)?, Transferred::Insufficient);
    assert_eq!(accounts.transfer(2, 3, i64::MAX)?, Transferred::Done);
    Ok(())
}

/// An account that has something, one that is full, and an empty one.
fn extremes() -> Vec<Row> {
    rows(&[5, i64::MAX, 0])
}

#[test]
fn on_sqlite_money_is_conserved_and_everybody_told_the_truth() -> Result<(), Box<dyn Error>> {
    let db = SqliteDb::in_memory()?;
    db.create(&[&ACCOUNTS])?;
    db.fill(&ACCOUNTS, rows(&EACH))?;
    let (expected, refused) = moved(&db)?;
    assert_eq!(db.rows(&ACCOUNTS)?, rows(&expected));
    assert!(refused >= REFUSED && expected.iter().all(|balance| *balance >= 0), "{expected:?}");
    db.fill(&ACCOUNTS, extremes())?;
    assert_answers(db.clone())?;
    assert_eq!(db.rows(&ACCOUNTS)?, rows(&[5, 0, i64::MAX]));
    Ok(())
}

#[test]
fn on_postgresql_money_is_conserved_and_everybody_told_the_truth() -> Result<(), Box<dyn Error>> {
    let Some(cluster) = crate::throwaway::shared("on_postgresql_money_is_conserved") else {
        return Ok(());
    };
    let db = cluster.database()?;
    db.create(&[&ACCOUNTS])?;
    db.fill(&ACCOUNTS, rows(&EACH))?;
    let (expected, refused) = moved(&db)?;
    assert_eq!(db.rows(&ACCOUNTS)?, rows(&expected));
    assert!(refused >= REFUSED && expected.iter().all(|balance| *balance >= 0), "{expected:?}");
    db.fill(&ACCOUNTS, extremes())?;
    assert_answers(db.clone())?;
    assert_eq!(db.rows(&ACCOUNTS)?, rows(&[5, 0, i64::MAX]));
    Ok(())
}

/// What is in each of two accounts: more than is moved.
const PLENTY: i64 = 1_000_000_000_000_000;
/// What goes there in one transfer, and what comes back: by the balances it is seen how often either
/// happened.
const AMOUNTS: [i64; 2] = [1, 1_000_000];

/// How many transfers in a direction were told to be done, of how many it is not known, and how many
/// were told to have failed.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    done: i64,
    unknown: i64,
    failed: i64,
}

/// Two threads move money there and two move it back, while the server is killed and started again;
/// what was told of either direction.
fn moved_across_a_death(cluster: &Cluster, db: &PostgresDb) -> [Count; 2] {
    let (answered, failed) = (AtomicI64::new(0), AtomicBool::new(false));
    let is_over = AtomicBool::new(false);
    let move_all = |direction: usize| {
        let accounts = Accounts::new(db.clone());
        let [from, to] = [[1, 2], [2, 1]][direction];
        let mut count = Count::default();
        while !is_over.load(Ordering::Relaxed) {
            let told = accounts.transfer(from, to, AMOUNTS[direction]);
            failed.fetch_or(told.is_err(), Ordering::Relaxed);
            match told {
                Ok(Transferred::Done) => {
                    count.done += 1;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(other) => panic!("{other:?}"),
                Err(TransferError::Handler(HandlerError::Unknown(_))) => count.unknown += 1,
                Err(TransferError::Handler(error)) => {
                    assert!(error.is_temporary(), "{error:?}");
                    count.failed += 1;
                    thread::sleep(Duration::from_millis(1));
                }
                Err(error) => panic!("{error:?}"),
            }
        }
        count
    };
    let several_more = || {
        let enough = answered.load(Ordering::Relaxed) + 200;
        while answered.load(Ordering::Relaxed) < enough {
            thread::sleep(Duration::from_millis(1));
        }
    };
    thread::scope(|scope| {
        let move_all = &move_all;
        let threads = [0, 1, 0, 1].map(|way| (way, scope.spawn(move || move_all(way))));
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
        let mut counts = [Count::default(); 2];
        for (direction, thread) in threads {
            let count = thread.join().expect("no panic");
            let sum = &mut counts[direction];
            sum.done += count.done;
            sum.unknown += count.unknown;
            sum.failed += count.failed;
        }
        counts
    })
}

/// No money comes or goes; whatever was told to be done is done, and what was not told is done only
/// where that was told not to be known.
#[test]
fn transfers_that_were_told_outlive_the_server_and_money_is_conserved() -> Result<(), Box<dyn Error>>
{
    let test = "transfers_that_were_told_outlive_the_server_and_money_is_conserved";
    let Some(cluster) = crate::throwaway::own(test) else { return Ok(()) };
    let db = cluster.database()?;
    db.create(&[&ACCOUNTS])?;
    db.fill(&ACCOUNTS, rows(&[PLENTY, PLENTY]))?;
    let counts = moved_across_a_death(&cluster, &db);
    let balances: Vec<i64> = db.rows(&ACCOUNTS)?.iter().filter_map(|row| row[1].int()).collect();
    let [payer, receiver] = balances[..] else { panic!("{balances:?}") };
    assert_eq!(payer + receiver, 2 * PLENTY, "{counts:?}");
    let won = receiver - PLENTY;
    assert!(counts[0].done + counts[0].unknown < AMOUNTS[1], "too many to tell: {counts:?}");
    let moved = [won.rem_euclid(AMOUNTS[1]), -won.div_euclid(AMOUNTS[1])];
    for (moved, Count { done, unknown, .. }) in moved.into_iter().zip(counts) {
        assert!(done <= moved && moved <= done + unknown, "{moved} moved: {counts:?}");
        assert!(done > 0, "{counts:?}");
    }
    let unanswered: i64 = counts.iter().map(|count| count.unknown + count.failed).sum();
    println!("{counts:?}, {moved:?} moved");
    assert!(unanswered > 0, "nobody noticed that the server died: {counts:?}");
    Ok(())
}
