//! First floor, `db`: the unique indexes of the simulated database, and how a row gets into them. Imports its
//! neighbours in `sim`.
//!
//! PostgreSQL puts a new version of a row into its table first, and then into one index after the other, in the
//! order in which these were made (`ExecInsertIndexTuples`). So a row that waits for one index is in those
//! before it, and others wait for it there. With `ON CONFLICT` the indexes that this is about are looked
//! through before the row is put in (`ExecCheckIndexConstraints`). If another row gets into one of them
//! while this one waits for a later index, it is taken back, and all begins anew.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::expr::{Expr, Scope};
use super::rows::fits;
use super::{Also, Change, Entered, Held, Record, SimDb, Slot};
use crate::db::schema::{Row, Table, Value};
use crate::db::{SqlError, SqlState};

/// A unique index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: String,
    /// A constraint, which `ON CONFLICT ON CONSTRAINT` may name.
    pub(super) is_constraint: bool,
    pub(super) columns: Vec<usize>,
    /// The rows that it is about, if not about all: its `WHERE`.
    pub(super) only: Option<Expr>,
}

/// What stands in the way of a row that is to enter the indexes.
pub(super) enum Obstacle {
    /// Another transaction is about to have that key, or to give it away. `entering`: its row, if that is not
    /// in all of its indexes yet, and may be taken back.
    Coming {
        by: Slot,
        entering: Option<u32>,
        key: usize,
    },
    /// There is another row of that key, in this index.
    Row {
        id: u32,
        key: usize,
    },
    Fails(SqlError),
}

impl Obstacle {
    /// Whether it is met in one of these indexes.
    pub(super) fn is_in(&self, keys: &[usize]) -> bool {
        match self {
            Obstacle::Coming { key, .. } | Obstacle::Row { key, .. } => keys.contains(key),
            Obstacle::Fails(_) => false,
        }
    }
}

impl From<SqlState> for Obstacle {
    fn from(state: SqlState) -> Self {
        Obstacle::Fails(state.into())
    }
}

impl Key {
    /// Whether a row is in it: it has a value in each column, and the index is about it.
    pub(super) fn has(&self, row: &[Value]) -> Result<bool, SqlState> {
        let is_about = fits(self.only.as_ref(), Scope { row, ..Scope::default() })?;
        Ok(is_about && self.columns.iter().all(|column| row.get(*column) != Some(&Value::Null)))
    }

    /// Whether a row that is stored has the same key as this one, which is in the index.
    pub(super) fn is_same(&self, row: &[Value], other: &[Value]) -> bool {
        let same = |column: &usize| row.get(*column) == other.get(*column);
        // A stored row has been through that condition without an error.
        self.columns.iter().all(same) && self.has(other).unwrap_or(true)
    }

    /// Whether a change of a row from one to the other leaves it where it was in the index.
    fn stays(&self, before: &[Value], after: &[Value]) -> Result<bool, SqlState> {
        Ok(if self.has(after)? { self.is_same(after, before) } else { true })
    }

    /// Whether it tells each two rows of its table apart.
    #[cfg(feature = "sql")]
    pub(super) fn is_total(&self, table: &Table) -> bool {
        let nullable = |column: &usize| table.columns.get(*column).is_none_or(|it| it.nullable);
        self.only.is_none() && !self.columns.iter().any(nullable)
    }

    /// Whether a condition holds for one row of its table at most.
    pub(super) fn is_named_by(&self, filter: &Expr) -> bool {
        self.only.is_none() && self.columns.iter().all(|column| filter.is_of_one(*column))
    }
}

impl Also {
    /// What a table says that was not made by text. What is alike is kept once, for as long as the program runs.
    pub(super) fn of(table: &Table) -> &'static Self {
        static KNOWN: Mutex<Option<HashMap<Option<usize>, &'static Also>>> = Mutex::new(None);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let unique = table.unique();
        known.get_or_insert_default().entry(unique).or_insert_with(|| {
            let key = |column| Key {
                name: String::new(),
                is_constraint: true,
                columns: vec![column],
                only: None,
            };
            let keys = unique.into_iter().map(key).collect();
            Box::leak(Box::new(Also { keys, ..Also::default() }))
        })
    }
}

impl Held {
    /// A row that is locked, and no more.
    pub(super) fn by(by: Slot) -> Self {
        Held { by, change: None, twice: false, between: Vec::new(), entered: None }
    }

    /// Takes note of a version that its transaction has replaced by another one. Its keys count as those of a
    /// row that is being inserted, until the transaction ends.
    pub(super) fn replaced(&mut self, version: &Row, committed: Option<&Row>, keys: &[Key]) {
        let newest = match &self.change {
            Some(Change::To(row)) => Some(row),
            _ => None,
        };
        let is_new = |key: &Key| {
            let mut others = newest.into_iter().chain(committed).chain(&self.between);
            key.has(version).unwrap_or(true) && !others.any(|other| key.is_same(version, other))
        };
        if !keys.iter().any(is_new) {
            return;
        }
        // Of the row nothing counts but its keys.
        let is_needed = |column: usize| {
            keys.iter().any(|key| key.only.is_some() || key.columns.contains(&column))
        };
        let values = version.iter().enumerate();
        let values = values.map(|(column, value)| match is_needed(column) {
            true => value.clone(),
            false => Value::Null,
        });
        self.between.push(values.collect());
    }
}

impl SimDb {
    pub(super) fn keys(&self, table: usize) -> &'static [Key] {
        self.tables.get(table).map_or(&[], |stored| &stored.also.keys)
    }

    /// Looks for a row of the same key in one index, but for this one: of a row that is there, its number.
    fn looks_in(
        &self,
        slot: Slot,
        (table, but): (usize, Option<u32>),
        number: usize,
        row: &Row,
    ) -> Result<(), Obstacle> {
        let Some(key) = self.keys(table).get(number) else { return Ok(()) };
        if !key.has(row)? {
            return Ok(());
        }
        let is_same = |other: &Row| key.is_same(row, other);
        let records = self.tables.get(table).map_or(&[][..], |stored| &stored.records);
        let mut found = Ok(());
        for record in records.iter().filter(|record| Some(record.id) != but) {
            match &record.held {
                Some(held) if held.by != slot && held.change.is_some() => {
                    let newest = match &held.change {
                        Some(Change::To(row)) if held.is_in(number) => Some(row),
                        _ => None,
                    };
                    let mut all = newest.into_iter().chain(&record.committed).chain(&held.between);
                    if all.any(is_same) {
                        let entered = held.entered.filter(|entered| entered.is_speculative);
                        let entering = entered.map(|_| record.id);
                        return Err(Obstacle::Coming { by: held.by, entering, key: number });
                    }
                }
                _ if record.newest_for(slot).is_some_and(is_same) => {
                    found = Err(Obstacle::Row { id: record.id, key: number });
                }
                _ => {}
            }
        }
        found
    }

    /// Looks for a row of the same key in each of these indexes.
    pub(super) fn looks_in_all(
        &self,
        slot: Slot,
        table: usize,
        keys: &[usize],
        row: &Row,
    ) -> Result<(), Obstacle> {
        keys.iter().try_for_each(|key| self.looks_in(slot, (table, None), *key, row))
    }

    /// Puts a row into the table and into its indexes, from the one on to which it has come. Answers with its
    /// number; or with that of the row that has its place so far, if it has one, and what stands in the way.
    pub(super) fn put_in(
        &mut self,
        slot: Slot,
        table: usize,
        row: &Row,
        mut place: Option<u32>,
        is_speculative: bool,
    ) -> Result<u32, (Option<u32>, Obstacle)> {
        let keys = self.keys(table).len();
        let entered = |db: &Self, id| db.record(table, id).and_then(Record::entered);
        for key in place.and_then(|id| entered(self, id)).unwrap_or(0)..keys {
            self.looks_in(slot, (table, place), key, row).map_err(|it| (place, it))?;
            let id = *place.get_or_insert_with(|| self.add(slot, table, row.clone()));
            self.has_entered(table, id, key + 1, is_speculative);
        }
        Ok(place.unwrap_or_else(|| self.add(slot, table, row.clone())))
    }

    /// Puts the new version of a row into the indexes in which it has another place than before; or goes on
    /// with that.
    pub(super) fn move_in(
        &mut self,
        slot: Slot,
        (table, id): (usize, u32),
        before: &Row,
    ) -> Result<(), Obstacle> {
        let newest = self.record(table, id).and_then(|record| record.newest_for(slot)).cloned();
        let Some(row) = newest else { return Ok(()) };
        let from = self.record(table, id).and_then(Record::entered).unwrap_or(0);
        for (number, key) in self.keys(table).iter().enumerate().skip(from) {
            if !key.stays(before, &row)? {
                self.has_entered(table, id, number, false);
                self.looks_in(slot, (table, Some(id)), number, &row)?;
            }
        }
        self.has_entered(table, id, self.keys(table).len(), false);
        Ok(())
    }

    /// Takes note that a row is in the first so many of its indexes.
    fn has_entered(&mut self, table: usize, id: u32, count: usize, is_speculative: bool) {
        let all = self.keys(table).len();
        let stored = self.tables.get_mut(table);
        let record = stored.and_then(|it| it.records.iter_mut().find(|record| record.id == id));
        if let Some(held) = record.and_then(|record| record.held.as_mut()) {
            let count = u8::try_from(count).ok().filter(|_| count < all);
            held.entered = count.map(|count| Entered { count, is_speculative });
        }
        if is_speculative && count == all {
            // Who has waited to see whether it stays looks again, and waits for its transaction.
            self.waiting_on(table).for_each(|statement| statement.wait.entry_is_known(id));
        }
    }

    /// Takes a row back that was not in all of its indexes yet, so that it was never there.
    pub(super) fn take_back(&mut self, slot: Slot, table: usize, id: u32) {
        if let Some(stored) = self.tables.get_mut(table) {
            stored.records.retain(|record| record.id != id || !record.is_held_by(slot));
        }
        self.waiting_on(table).for_each(|statement| statement.wait.entry_is_known(id));
    }
}

impl Record {
    /// In how many of its indexes its newest version is, if not in all.
    fn entered(&self) -> Option<usize> {
        self.held.as_ref()?.entered.map(|entered| usize::from(entered.count))
    }
}

impl Held {
    /// Whether the newest version is in the index of this number.
    fn is_in(&self, key: usize) -> bool {
        self.entered.is_none_or(|entered| key < usize::from(entered.count))
    }
}
