//! The anomalies that isolation levels are named after, by the letters that
//! [Hermitage](https://github.com/ept/hermitage) gives them: which level lets which happen, in the
//! simulation and on the server.

use toctou::db::{Insert, Isolation, Reply, Select, Statement, row};

use super::drive::World;
use super::generate::ACCOUNT;
use super::story::{accounts, add, all, begin, each, is_committed, number, played, read, set};
use super::wrong::{Mistake, Wrong};

/// An anomaly: what the sessions ask, and whether it has happened.
struct Anomaly {
    name: &'static str,
    /// What the sessions ask once each has begun a transaction.
    asked: Vec<(usize, Statement)>,
    /// By the replies, and the balances that are left.
    happened: fn(&[Reply], &[i64]) -> bool,
    /// The strongest level that lets it happen.
    up_to: Option<Isolation>,
}

fn rich() -> Select {
    let columns = Select::columns(&ACCOUNT, &["id"]);
    columns.condition("balance", toctou::db::Comparison::AtLeast, 30)
}

fn open(id: i64, balance: i64) -> Statement {
    Insert::new(&ACCOUNT, row([id.into(), balance.into()])).into()
}

const COMMIT: Statement = Statement::Commit;

/// All of them, on accounts 1 with 10 and 2 with 20.
fn anomalies() -> Vec<Anomaly> {
    vec![
        Anomaly {
            name: "G0: writes of two transactions are mixed",
            asked: vec![
                (0, set(1, 11)),
                (1, set(2, 22)),
                (0, set(2, 21)),
                (1, set(1, 12)),
                (0, COMMIT),
                (1, COMMIT),
            ],
            happened: |_, left| !matches!(left, [11, 21] | [12, 22]),
            up_to: None,
        },
        Anomaly {
            name: "G1a: what is read is rolled back",
            asked: vec![
                (0, set(1, 101)),
                (1, read(1)),
                (0, Statement::Rollback),
                (1, read(1)),
                (1, COMMIT),
            ],
            happened: |replies, _| number(&replies[1]) == Some(101),
            up_to: None,
        },
        Anomaly {
            name: "G1b: what is read is not what is committed",
            asked: vec![
                (0, set(1, 101)),
                (1, read(1)),
                (0, set(1, 11)),
                (0, COMMIT),
                (1, read(1)),
                (1, COMMIT),
            ],
            happened: |replies, _| number(&replies[1]) == Some(101),
            up_to: None,
        },
        Anomaly {
            name: "G1c: two read what the other writes",
            asked: vec![
                (0, set(1, 11)),
                (1, set(2, 22)),
                (0, read(2)),
                (1, read(1)),
                (0, COMMIT),
                (1, COMMIT),
            ],
            happened: |replies, _| {
                [number(&replies[2]), number(&replies[3])] == [Some(22), Some(11)]
            },
            up_to: None,
        },
        Anomaly {
            name: "OTV: what was seen of a transaction vanishes",
            asked: vec![
                (0, set(1, 11)),
                (0, set(2, 19)),
                (1, set(1, 12)),
                (0, COMMIT),
                (2, read(1)),
                (2, read(2)),
                (1, set(2, 18)),
                (1, COMMIT),
                (2, read(2)),
                (2, read(1)),
                (2, COMMIT),
            ],
            happened: |replies, _| {
                let seen = [4, 5, 8, 9].map(|index: usize| number(&replies[index]));
                let newer = |seen: &Option<i64>| matches!(seen, Some(12 | 18));
                let first = seen.iter().position(newer);
                first.is_some_and(|first| !seen[first..].iter().all(newer))
            },
            up_to: None,
        },
        Anomaly {
            name: "PMP: rows that meet a condition appear",
            asked: vec![
                (0, rich().into()),
                (1, open(3, 30)),
                (1, COMMIT),
                (0, rich().into()),
                (0, COMMIT),
            ],
            happened: |replies, _| number(&replies[3]) == Some(3),
            up_to: Some(Isolation::ReadCommitted),
        },
        Anomaly {
            name: "P4: an update is lost",
            asked: vec![
                (0, read(1)),
                (1, read(1)),
                (0, set(1, 11)),
                (1, set(1, 11)),
                (0, COMMIT),
                (1, COMMIT),
            ],
            happened: |replies, _| replies[4..].iter().all(is_committed),
            up_to: Some(Isolation::ReadCommitted),
        },
        Anomaly {
            name: "G-single: a read is torn",
            asked: vec![
                (0, read(1)),
                (1, set(1, 12)),
                (1, set(2, 18)),
                (1, COMMIT),
                (0, read(2)),
                (0, COMMIT),
            ],
            happened: |replies, _| {
                [number(&replies[0]), number(&replies[4])] == [Some(10), Some(18)]
            },
            up_to: Some(Isolation::ReadCommitted),
        },
        Anomaly {
            name: "G2-item: write skew",
            asked: vec![
                (0, all()),
                (1, all()),
                (0, set(1, 11)),
                (1, set(2, 21)),
                (0, COMMIT),
                (1, COMMIT),
            ],
            happened: |replies, _| replies[4..].iter().all(is_committed),
            up_to: Some(Isolation::RepeatableRead),
        },
        Anomaly {
            name: "G2: write skew by rows that were not there",
            asked: vec![
                (0, rich().into()),
                (1, rich().into()),
                (0, open(3, 30)),
                (1, open(4, 42)),
                (0, COMMIT),
                (1, COMMIT),
            ],
            happened: |replies, _| replies[4..].iter().all(is_committed),
            up_to: Some(Isolation::RepeatableRead),
        },
        Anomaly {
            name: "read-only: who only reads sees what fits into no order",
            asked: vec![
                (0, all()),
                (1, add(2, 5)),
                (1, COMMIT),
                (2, all()),
                (2, COMMIT),
                (0, set(1, 0)),
                (0, COMMIT),
            ],
            happened: |replies, _| {
                [2, 4, 6].iter().all(|index: &usize| is_committed(&replies[*index]))
            },
            up_to: Some(Isolation::RepeatableRead),
        },
    ]
}

/// Whether an anomaly happens in this world, at this level.
fn happens(anomaly: &Anomaly, level: Isolation, world: &mut (impl World + ?Sized)) -> bool {
    let sessions = anomaly.asked.iter().map(|(who, _)| who + 1).max().unwrap_or(0);
    let begins = (0..sessions).map(|who| (who, begin(level)));
    let asked: Vec<_> = begins.chain(anomaly.asked.iter().cloned()).collect();
    let replies = played(world, &asked);
    let rows = world.rows(&ACCOUNT);
    let left: Vec<_> = rows.iter().filter_map(|row| row.get(1)?.int()).collect();
    (anomaly.happened)(&replies[sessions..], &left)
}

#[test]
fn each_level_lets_those_anomalies_happen_that_postgresql_documents() {
    for anomaly in anomalies() {
        let mut line = String::new();
        for level in Isolation::ALL {
            let expected = anomaly.up_to.is_some_and(|up_to| level <= up_to);
            each(&accounts(&[(1, 10), (2, 20)]), |world, place| {
                let happened = happens(&anomaly, level, world);
                assert_eq!(happened, expected, "{}, {}, {place}", anomaly.name, level.sql());
            });
            line.push_str(if expected { "  happens " } else { "  -       " });
        }
        println!("{line} {}", anomaly.name);
    }
}

#[test]
fn without_transactions_every_anomaly_happens() {
    for anomaly in anomalies() {
        let mut world = Wrong::new(Mistake::NoTransactions, &accounts(&[(1, 10), (2, 20)]));
        assert!(happens(&anomaly, Isolation::Serializable, &mut world), "{}", anomaly.name);
    }
}
