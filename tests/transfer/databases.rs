//! The handler on SQLite and on PostgreSQL, by several threads at once.

use std::thread;

use toctou::db::{Database, Row, SqliteDb, row};
use toctou::handlers::{ACCOUNTS, Accounts, TransferError, Transferred};

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
fn on_sqlite_money_is_conserved_and_everybody_told_the_truth()
-> Result<(), Box<dyn std::error::Error>> {
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
fn on_postgresql_money_is_conserved_and_everybody_told_the_truth()
-> Result<(), Box<dyn std::error::Error>> {
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
