//! First floor, `db`: what is under way in a simulated database, for whoever draws an execution. Imports its
//! neighbours in `sim`.
#![cfg(feature = "command")]

use super::{Change, Record, SimDb, Slot};
use crate::db::schema::{Row, Table};

/// A row as it is committed, and what is under way with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowInside {
    /// The same for as long as anybody remembers the row.
    pub(crate) id: u32,
    /// Its last committed version; `None` while it is being inserted.
    pub(crate) committed: Option<Row>,
    /// What the transaction that holds it makes of it; `None` for the version that it deletes.
    pub(crate) change: Option<Option<Row>>,
    /// The transaction that holds it.
    pub(crate) locked_by: Option<Slot>,
}

/// A transaction that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransactionInside {
    /// Its number.
    pub(crate) slot: Slot,
    /// `READ COMMITTED`; or that it is a statement by itself.
    pub(crate) isolation: &'static str,
    /// `open`, or `failed`.
    pub(crate) state: &'static str,
    /// Whether it sees what was committed at its first statement, for that is over.
    pub(crate) has_snapshot: bool,
    /// The transactions that it waits for.
    pub(crate) waits_for: Vec<Slot>,
}

impl SimDb {
    /// Each table, and its rows, those under way too.
    pub(crate) fn rows_inside(&self) -> impl Iterator<Item = (&'static Table, Vec<RowInside>)> {
        let inside = |record: &Record| {
            let held = record.held.as_ref();
            let change = held.and_then(|held| held.change.as_ref());
            RowInside {
                id: record.id,
                committed: record.committed.clone(),
                change: change.map(|change| match change {
                    Change::To(row) => Some(row.clone()),
                    Change::Deleted => None,
                }),
                locked_by: held.map(|held| held.by),
            }
        };
        self.tables
            .iter()
            .map(move |stored| (stored.table, stored.records.iter().map(inside).collect()))
    }

    /// The transactions under way.
    pub(crate) fn transactions_inside(&self) -> Vec<TransactionInside> {
        let inside = |(slot, transaction): (Slot, &super::Transaction)| {
            let waits_for = |wait: &super::Wait| {
                let others = self.open().map(|(other, _)| other);
                others.filter(|other| wait.is_for(*other)).collect()
            };
            TransactionInside {
                slot,
                isolation: match transaction.implicit {
                    true => "a statement by itself",
                    false => transaction.isolation.sql(),
                },
                state: if transaction.failed { "failed" } else { "open" },
                has_snapshot: transaction.snapshot.is_some(),
                waits_for: self.waits_of(slot).map(waits_for).unwrap_or_default(),
            }
        };
        self.open().map(inside).collect()
    }
}
