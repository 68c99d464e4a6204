//! First floor, `db`: what each statement does to the rows of the simulated database. Imports its
//! neighbours in `sim`.

use std::cmp::Ordering;

use super::serial::Write;
use super::wait::Wait;
use super::{
    Change, Held, InFlight, MOST_ROWS, Progress, Record, Seen, SimDb, Slot, Snapshot, Stop,
};
use crate::db::schema::{Column, Row, Table, Value};
use crate::db::statement::{
    Comparison, Condition, Delete, Expression, Filter, Insert, Isolation, OnConflict, Returning,
    Select, Statement, Update, What,
};
use crate::db::{Answer, SqlError, SqlState, Underway};

/// What a statement does to the rows it goes through.
enum Action<'a> {
    /// `SELECT … FOR UPDATE`: the columns to answer, and those by which the rows are sorted.
    Lock(&'a [usize], &'a [usize]),
    Update(&'a [(usize, &'a Expression)]),
    Delete,
}

impl Action<'_> {
    /// Whether it takes its rows in a known order. PostgreSQL promises none for those that it changes: it
    /// depends on the plan, and on where the rows stand on the disk.
    fn is_sorted(&self) -> bool {
        matches!(self, Action::Lock(..))
    }
}

impl SimDb {
    /// Performs a statement from where it stands. If it begins, and does not sort its rows, the one of the
    /// number `first` comes first.
    pub(super) fn attempt(
        &mut self,
        slot: Slot,
        statement: &Statement,
        first: Option<u8>,
    ) -> Result<Answer, Stop> {
        statement.check()?;
        self.look(slot);
        if self.is_doomed(slot, None) {
            return Err(SqlState::SERIALIZATION_FAILURE.into());
        }
        let answer = match statement {
            Statement::Select(select) => self.select(slot, select),
            Statement::Insert(insert) => self.insert(slot, insert),
            Statement::Update(update) => self.update(slot, update, first),
            Statement::Delete(delete) => self.delete(slot, delete, first),
            // It comes here with these only where a session has another statement that waits.
            Statement::Begin(_) | Statement::Commit | Statement::Rollback => {
                let said =
                    "the session has a statement that waits: ask with that one for its answer";
                Err(SqlError::new(SqlState::INTERNAL_ERROR, said).into())
            }
        }?;
        if self.is_doomed(slot, None) {
            return Err(SqlState::SERIALIZATION_FAILURE.into());
        }
        self.leave_queue(slot);
        if let Some(transaction) = self.transaction_mut(slot) {
            transaction.statement = None;
        }
        Ok(answer)
    }

    /// Takes the transaction's snapshot, if it is to have one and has none.
    fn look(&mut self, slot: Slot) {
        let Some(transaction) = self.transaction(slot) else { return };
        if transaction.isolation == Isolation::ReadCommitted || transaction.snapshot.is_some() {
            return;
        }
        let reads = self.reads_from_here(transaction.isolation);
        let tables = self.tables.iter().map(|stored| {
            let rows = stored.records.iter().filter_map(|record| {
                let row = record.committed.clone()?;
                Some(Seen { id: record.id, row, changed: false })
            });
            rows.collect()
        });
        let snapshot = Snapshot { tables: tables.collect() };
        if let Some(transaction) = self.transaction_mut(slot) {
            transaction.snapshot = Some(snapshot);
            transaction.reads = reads;
        }
    }

    /// The rows that a transaction sees: its own, and of others what is committed, or was.
    fn visible(&self, slot: Slot, table: usize) -> Vec<(u32, Row)> {
        let records = self.tables.get(table).map_or(&[][..], |stored| &stored.records);
        let Some(snapshot) = self.snapshot(slot) else {
            let newest = records.iter();
            return newest
                .filter_map(|record| Some((record.id, record.newest_for(slot)?.clone())))
                .collect();
        };
        let own = |id| {
            let record = records.iter().find(|record| record.id == id)?;
            record.change_by(slot)
        };
        let seen = snapshot.tables.get(table).into_iter().flatten();
        let seen = seen.filter_map(|seen| match own(seen.id) {
            Some(Change::To(row)) => Some((seen.id, row.clone())),
            Some(Change::Deleted(_)) => None,
            None => Some((seen.id, seen.row.clone())),
        });
        let inserted = records.iter().filter(|record| record.committed.is_none());
        let inserted = inserted.filter_map(|record| match record.change_by(slot)? {
            Change::To(row) => Some((record.id, row.clone())),
            Change::Deleted(_) => None,
        });
        seen.chain(inserted).collect()
    }

    fn snapshot(&self, slot: Slot) -> Option<&Snapshot> {
        self.transaction(slot)?.snapshot.as_ref()
    }

    fn select(&mut self, slot: Slot, select: &Select) -> Result<Answer, Stop> {
        let table = self.table(select.table)?;
        self.check(table, &select.filter)?;
        if select.for_update {
            let What::Columns(columns) = &select.what else {
                return Err(SqlState::FEATURE_NOT_SUPPORTED.into());
            };
            let columns = self.columns(table, columns)?;
            let order = self.order(table, select.table)?;
            let action = Action::Lock(&columns, &order);
            let progress = self.each(slot, table, &select.filter, &action, None)?;
            return Ok(Answer::Rows(progress.found));
        }
        self.has_read(slot, table, &select.filter);
        let mut rows = self.found(slot, table, &select.filter);
        if let What::Columns(_) = &select.what {
            sort(&mut rows, &self.order(table, select.table)?);
        }
        let rows = rows.iter().map(|(_, row)| row);
        Ok(Answer::Rows(match &select.what {
            What::Columns(columns) => {
                let columns = self.columns(table, columns)?;
                rows.map(|row| project(row, &columns)).collect()
            }
            What::Exists => vec![Row::from([Value::Bool(rows.len() > 0)])],
            What::Sum(column) => {
                let column = self.column(table, column)?;
                self.check_kind(table, column, &Value::Int(0))?;
                let numbers = rows.filter_map(|row| row.get(column)?.int());
                let sum = numbers.map(i128::from).sum::<i128>();
                let sum = i64::try_from(sum).map_err(|_| SqlState::NUMERIC_OUT_OF_RANGE)?;
                vec![Row::from([Value::Int(sum)])]
            }
        }))
    }

    /// The rows that a transaction sees and that fit.
    fn found(&self, slot: Slot, table: usize, filter: &Filter) -> Vec<(u32, Row)> {
        let mut rows = self.visible(slot, table);
        rows.retain(|(_, row)| self.fits(table, filter, row));
        rows
    }

    /// The columns by which the rows of a `SELECT` are sorted: those of the table that it is written for.
    fn order(&self, table: usize, written_for: &Table) -> Result<Vec<usize>, SqlError> {
        written_for.columns.iter().map(|column| self.column(table, column.name)).collect()
    }

    fn update(&mut self, slot: Slot, update: &Update, first: Option<u8>) -> Result<Answer, Stop> {
        let table = self.table(update.table)?;
        self.check(table, &update.filter)?;
        let mut set = Vec::with_capacity(update.set.len());
        for (column, expression) in &update.set {
            let index = self.column(table, column)?;
            if self.unique(table) == Some(index) {
                let said =
                    format!("`{column}` is unique in the database, and does not change there");
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, &said).into());
            }
            match expression {
                Expression::Value(value) => self.check_kind(table, index, value)?,
                Expression::Plus(_) => self.check_kind(table, index, &Value::Int(0))?,
            }
            set.push((index, expression));
        }
        let progress = self.each(slot, table, &update.filter, &Action::Update(&set), first)?;
        Ok(Answer::Count(progress.count))
    }

    fn delete(&mut self, slot: Slot, delete: &Delete, first: Option<u8>) -> Result<Answer, Stop> {
        let table = self.table(delete.table)?;
        self.check(table, &delete.filter)?;
        let progress = self.each(slot, table, &delete.filter, &Action::Delete, first)?;
        Ok(Answer::Count(progress.count))
    }

    /// Goes through the rows that fit, or on from where it stands: one row at a time.
    fn each(
        &mut self,
        slot: Slot,
        table: usize,
        filter: &Filter,
        action: &Action<'_>,
        first: Option<u8>,
    ) -> Result<Progress, Stop> {
        let waited = self.transaction_mut(slot).and_then(|it| it.statement.as_mut());
        let mut progress = match waited {
            Some(statement) => std::mem::take(&mut statement.progress),
            None => {
                self.has_read(slot, table, filter);
                let mut found = self.found(slot, table, filter);
                in_order(&mut found, action)?;
                let todo = found.into_iter().map(|(id, _)| (id, false)).collect();
                let mut progress = Progress { todo, ..Progress::default() };
                progress.choose(first);
                progress
            }
        };
        if let Some((id, changed)) = progress.todo.first().copied() {
            // What becomes of the row is computed before it is asked who holds it.
            if let (Action::Update(set), false) = (action, changed)
                && let Some(row) = self.seen(slot, table, id)
            {
                updated(row, set)?;
            }
            if let (Action::Lock(..), Some(holder)) = (action, self.holder_beside(slot, table, id))
                && self.waits_of(slot).is_some_and(|wait| wait.goes_on_to_next(id))
            {
                return Err(self.wait_for_next(slot, (table, id), holder, progress));
            }
            // One that was changed since the snapshot is not waited for.
            if !self.is_as_seen(slot, table, id) {
                return Err(SqlState::SERIALIZATION_FAILURE.into());
            }
            if let Some(holder) = self.holder_beside(slot, table, id) {
                let is_changing = self.is_changed_by(holder, table, id);
                let stands = self.waits_of(slot).is_some_and(|wait| wait.stands_for(id));
                if changed && is_changing && !stands {
                    return Err(self.wait_for_change(slot, (table, id), holder, progress));
                }
                let goes_on = is_changing && matches!(action, Action::Lock(..));
                return Err(self.queue_for_row(slot, (table, id), holder, goes_on, progress));
            }
            let took = self.one(slot, (table, id), changed, filter, action, &mut progress)?;
            progress.todo.remove(0);
            if !progress.todo.is_empty() {
                return Err(self.pause(slot, table, took, progress, action));
            }
        }
        Ok(progress)
    }

    /// Lets others act before the next row.
    fn pause(
        &mut self,
        slot: Slot,
        table: usize,
        took: Option<Row>,
        progress: Progress,
        action: &Action<'_>,
    ) -> Stop {
        self.leave_queue(slot);
        let left = progress.todo.len();
        let next = if action.is_sorted() { 1 } else { left };
        if let Some(transaction) = self.transaction_mut(slot) {
            transaction.statement = Some(InFlight { table, wait: Wait::none(), progress });
        }
        Stop::Pauses(Underway { took, left, next })
    }

    /// Chooses the next row of a statement that has rows to come, unless that is known.
    pub(super) fn choose(&mut self, slot: Slot, next: Option<u8>) {
        let statement = self.transaction_mut(slot).and_then(|it| it.statement.as_mut());
        if let Some(statement) = statement {
            statement.progress.choose(next);
        }
    }

    /// How many rows a statement finds if these are several and any of them may be the first.
    pub(super) fn several(&self, slot: Slot, statement: &Statement) -> Option<usize> {
        let (table, filter) = match statement {
            Statement::Update(update) => (update.table, &update.filter),
            Statement::Delete(delete) => (delete.table, &delete.filter),
            _ => return None,
        };
        statement.check().ok()?;
        let table = self.table(table).ok()?;
        let count = self.found(slot, table, filter).len();
        (2..=MOST_ROWS).contains(&count).then_some(count)
    }

    /// A row as a transaction sees it.
    fn seen(&self, slot: Slot, table: usize, id: u32) -> Option<&Row> {
        let record = self.record(table, id);
        let own = record.is_some_and(|record| record.change_by(slot).is_some());
        let Some(snapshot) = self.snapshot(slot).filter(|_| !own) else {
            return record?.newest_for(slot);
        };
        let mut seen = snapshot.tables.get(table)?.iter();
        seen.find(|seen| seen.id == id).map(|seen| &seen.row)
    }

    /// Who else holds a row.
    fn holder_beside(&self, slot: Slot, table: usize, id: u32) -> Option<Slot> {
        let held = self.record(table, id)?.held.as_ref()?;
        (held.by != slot).then_some(held.by)
    }

    fn is_changed_by(&self, slot: Slot, table: usize, id: u32) -> bool {
        self.record(table, id).is_some_and(|record| record.change_by(slot).is_some())
    }

    /// One row, which nobody else holds. Answers with the row that it has taken, if it has.
    fn one(
        &mut self,
        slot: Slot,
        (table, id): (usize, u32),
        changed: bool,
        filter: &Filter,
        action: &Action<'_>,
        progress: &mut Progress,
    ) -> Result<Option<Row>, Stop> {
        let Some(row) = self.record(table, id).and_then(|record| record.newest_for(slot)).cloned()
        else {
            return Ok(None);
        };
        // A row that was changed since the statement looked is locked before it is looked at again.
        if changed && !self.fits(table, filter, &row) {
            self.hold(slot, table, id, None);
            return Ok(Some(row));
        }
        let change = match action {
            Action::Lock(columns, _) => {
                progress.found.push(project(&row, columns));
                None
            }
            Action::Update(set) => Some(Change::To(updated(&row, set)?)),
            Action::Delete => {
                let is_new = self.record(table, id).is_some_and(|it| it.committed.is_none());
                Some(Change::Deleted(is_new.then(|| row.clone())))
            }
        };
        self.hold(slot, table, id, change);
        progress.count += 1;
        Ok(Some(row))
    }

    /// Whether a row is still what the transaction's snapshot has, or its own, or there is no snapshot.
    fn is_as_seen(&self, slot: Slot, table: usize, id: u32) -> bool {
        let Some(snapshot) = self.snapshot(slot) else { return true };
        if self.record(table, id).is_some_and(|record| record.change_by(slot).is_some()) {
            return true;
        }
        let mut seen = snapshot.tables.get(table).into_iter().flatten();
        seen.any(|seen| seen.id == id && !seen.changed)
    }

    /// Locks a row, and changes it if there is something to change.
    fn hold(&mut self, slot: Slot, table: usize, id: u32, change: Option<Change>) {
        let Some(stored) = self.tables.get_mut(table) else { return };
        let Some(record) = stored.records.iter_mut().find(|record| record.id == id) else { return };
        let held = record.held.get_or_insert(Held { by: slot, change: None, twice: false });
        if change.is_some() {
            held.twice |= held.change.is_some();
            held.change = change;
        }
    }

    fn insert(&mut self, slot: Slot, insert: &Insert) -> Result<Answer, Stop> {
        let table = self.table(insert.table)?;
        let row = self.stored_row(table, insert)?;
        // The constraint is the database's: who believes in another finds out.
        let key = self.unique(table);
        let names_it = self.unique_name(table) == insert.table.unique && key.is_some();
        if insert.on_conflict != OnConflict::Fail && !names_it {
            let said = format!("no column of `{}` is unique in the database", insert.table.name);
            return Err(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, &said).into());
        }
        let returned = match &insert.returning {
            Returning::Columns(columns) => Some(self.columns(table, columns)?),
            Returning::Count | Returning::Inserted => None,
        };
        let replaced = match &insert.on_conflict {
            OnConflict::DoUpdate(columns) => self.columns(table, columns)?,
            OnConflict::Fail | OnConflict::DoNothing => Vec::new(),
        };
        let answer = |row: Option<(&Row, bool)>| match (&insert.returning, &returned) {
            (Returning::Inserted, _) => {
                let inserted = row.map(|(_, inserted)| Row::from([Value::Bool(inserted)]));
                Answer::Rows(inserted.into_iter().collect())
            }
            (_, Some(columns)) => {
                Answer::Rows(row.iter().map(|(row, _)| project(row, columns)).collect())
            }
            (_, None) => Answer::Count(u64::from(row.is_some())),
        };
        let found = match self.waits_of(slot).and_then(Wait::row) {
            // It has found its row, and has waited for nothing but the lock.
            Some((id, false)) => Some(id),
            Some((_, true)) if self.snapshot(slot).is_some() => {
                return Err(SqlState::SERIALIZATION_FAILURE.into());
            }
            Some((_, true)) | None => self.same_key(slot, table, key, &row)?,
        };
        let Some(id) = found else {
            self.add(slot, table, row.clone());
            return Ok(answer(Some((&row, true))));
        };
        match &insert.on_conflict {
            OnConflict::Fail => {
                let after = Some(row.clone());
                let write = Write { table, id: None, before: None, after };
                Err(if self.is_doomed(slot, Some(write)) {
                    SqlState::SERIALIZATION_FAILURE.into()
                } else {
                    SqlState::UNIQUE_VIOLATION.into()
                })
            }
            OnConflict::DoNothing if self.is_as_seen(slot, table, id) => {
                if self.conflicts_are_reads {
                    self.has_read_key(slot, table, &row);
                }
                Ok(answer(None))
            }
            OnConflict::DoNothing => Err(SqlState::SERIALIZATION_FAILURE.into()),
            OnConflict::DoUpdate(_) => {
                if let Some(holder) = self.holder_beside(slot, table, id) {
                    let progress = Progress::default();
                    return Err(self.queue_for_row(slot, (table, id), holder, false, progress));
                }
                if !self.is_as_seen(slot, table, id) {
                    return Err(SqlState::SERIALIZATION_FAILURE.into());
                }
                let there = self.record(table, id).and_then(|record| record.newest_for(slot));
                let mut values: Vec<Value> = there.map_or_else(Vec::new, |there| there.to_vec());
                for column in replaced {
                    if let (Some(value), Some(new)) = (values.get_mut(column), row.get(column)) {
                        *value = new.clone();
                    }
                }
                let updated = Row::from(values);
                self.hold(slot, table, id, Some(Change::To(updated.clone())));
                Ok(answer(Some((&updated, false))))
            }
        }
    }

    /// What an `INSERT` puts in: its values by the names of their columns, which may stand in another
    /// order in the database.
    fn stored_row(&self, table: usize, insert: &Insert) -> Result<Row, SqlError> {
        let columns = self.tables.get(table).map_or(&[][..], |stored| stored.table.columns);
        let Insert { table: written_for, row, .. } = insert;
        if columns == written_for.columns {
            return Ok(row.clone());
        }
        for column in written_for.columns {
            self.column(table, column.name)?;
        }
        let value = |(index, column): (usize, &Column)| {
            let place = written_for.column(column.name);
            let Some(value) = place.and_then(|place| row.get(place)) else {
                let said = format!("`{}` of `{}` gets no value", column.name, written_for.name);
                return Err(SqlError::new(SqlState::INTEGRITY_VIOLATION, &said));
            };
            self.check_kind(table, index, value)?;
            Ok(value.clone())
        };
        columns.iter().enumerate().map(value).collect()
    }

    /// Notes that a serializable transaction has read the row of this one's key.
    fn has_read_key(&mut self, slot: Slot, table: usize, row: &Row) {
        let key = self.unique_name(table).zip(self.unique(table).and_then(|key| row.get(key)));
        if let Some((column, value)) = key {
            let comparison = Comparison::Equal;
            let condition = Condition { column, comparison, value: value.clone() };
            self.has_read(slot, table, &vec![condition]);
        }
    }

    /// The row that has the same key, if there is one. One that another transaction inserts, changes
    /// or removes is waited for.
    fn same_key(
        &mut self,
        slot: Slot,
        table: usize,
        key: Option<usize>,
        row: &Row,
    ) -> Result<Option<u32>, Stop> {
        let Some(key) = key else { return Ok(None) };
        let is_same = |other: &Row| other.get(key) == row.get(key);
        let records = self.tables.get(table).map_or(&[][..], |stored| &stored.records);
        let mut found = None;
        let mut waits_for = None;
        for record in records {
            let committed = record.committed.as_ref().is_some_and(is_same);
            match &record.held {
                Some(Held { by, change: Some(change), .. }) if *by != slot => {
                    let is_coming = match change {
                        Change::To(row) | Change::Deleted(Some(row)) => is_same(row),
                        Change::Deleted(None) => false,
                    };
                    if committed || is_coming {
                        waits_for = Some(*by);
                    }
                }
                _ if record.newest_for(slot).is_some_and(is_same) => found = Some(record.id),
                _ => {}
            }
        }
        match waits_for {
            Some(holder) => Err(self.wait_for_key(slot, table, holder)),
            None => Ok(found),
        }
    }

    /// Inserts a row under an id that nobody remembers.
    fn add(&mut self, slot: Slot, table: usize, row: Row) {
        let seen = self.open().flat_map(|(_, transaction)| {
            let snapshot = transaction.snapshot.as_ref();
            let seen = snapshot.and_then(|snapshot| snapshot.tables.get(table));
            let statement = transaction.statement.as_ref().filter(|it| it.table == table);
            let todo = statement.into_iter().flat_map(|it| &it.progress.todo).map(|(id, _)| *id);
            let waiting = statement.and_then(|it| it.wait.remembered());
            seen.into_iter().flatten().map(|seen| seen.id).chain(todo).chain(waiting)
        });
        let records = self.tables.get(table).map_or(&[][..], |stored| &stored.records);
        let taken: Vec<u32> =
            records.iter().map(|record| record.id).chain(seen).chain(self.written(table)).collect();
        let id = (0..).find(|id| !taken.contains(id)).unwrap_or(u32::MAX);
        let held = Some(Held { by: slot, change: Some(Change::To(row)), twice: false });
        if let Some(stored) = self.tables.get_mut(table) {
            let at = stored.records.partition_point(|record| record.id < id);
            stored.records.insert(at, Record { id, committed: None, held });
        }
    }

    fn record(&self, table: usize, id: u32) -> Option<&Record> {
        self.tables.get(table)?.records.iter().find(|record| record.id == id)
    }

    fn table(&self, table: &Table) -> Result<usize, SqlError> {
        let position = self.tables.iter().position(|stored| stored.table.name == table.name);
        position.ok_or_else(|| {
            let said = format!("there is no table `{}`", table.name);
            SqlError::new(SqlState::UNDEFINED_TABLE, &said)
        })
    }

    /// The column of the unique index that there is.
    fn unique(&self, table: usize) -> Option<usize> {
        self.tables.get(table)?.table.unique()
    }

    fn unique_name(&self, table: usize) -> Option<&'static str> {
        self.tables.get(table)?.table.unique
    }

    fn column(&self, table: usize, name: &str) -> Result<usize, SqlError> {
        let stored = self.tables.get(table);
        stored.and_then(|stored| stored.table.column(name)).ok_or_else(|| {
            let table = stored.map_or("", |stored| stored.table.name);
            let said = format!("`{table}` has no column `{name}` in the database");
            SqlError::new(SqlState::UNDEFINED_COLUMN, &said)
        })
    }

    fn columns(&self, table: usize, names: &[&'static str]) -> Result<Vec<usize>, SqlError> {
        names.iter().map(|name| self.column(table, name)).collect()
    }

    fn check(&self, table: usize, filter: &Filter) -> Result<(), SqlError> {
        for condition in filter {
            let column = self.column(table, condition.column)?;
            self.check_kind(table, column, &condition.value)?;
        }
        Ok(())
    }

    fn check_kind(&self, table: usize, column: usize, value: &Value) -> Result<(), SqlError> {
        let stored = self.tables.get(table).ok_or(SqlState::UNDEFINED_TABLE)?;
        let column = stored.table.columns.get(column).ok_or(SqlState::UNDEFINED_COLUMN)?;
        if column.kind.holds(value) {
            return Ok(());
        }
        let said = format!("`{}` holds values of another type in the database", column.name);
        Err(SqlError::new(SqlState::DATATYPE_MISMATCH, &said))
    }

    /// Whether a row meets all conditions.
    pub(super) fn fits(&self, table: usize, filter: &Filter, row: &Row) -> bool {
        filter.iter().all(|condition| {
            let stored = self.tables.get(table);
            let column = stored.and_then(|stored| stored.table.column(condition.column));
            let Some(value) = column.and_then(|column| row.get(column)) else { return false };
            match condition.comparison {
                Comparison::Equal => *value == condition.value,
                Comparison::NotEqual => *value != condition.value,
                Comparison::AtLeast => *value >= condition.value,
                Comparison::AtMost => *value <= condition.value,
            }
        })
    }
}

/// Puts the rows that a statement is about in the order in which it locks them, if it has one.
///
/// # Errors
///
/// [`FEATURE_NOT_SUPPORTED`](SqlState::FEATURE_NOT_SUPPORTED) for more than [`MOST_ROWS`].
fn in_order(rows: &mut [(u32, Row)], action: &Action<'_>) -> Result<(), SqlError> {
    if rows.len() > MOST_ROWS {
        let said = format!(
            "{} rows fit: the simulation changes or locks {MOST_ROWS} in a statement at most",
            rows.len()
        );
        return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, &said));
    }
    if let Action::Lock(_, order) = action {
        sort(rows, order);
    }
    Ok(())
}

fn sort(rows: &mut [(u32, Row)], order: &[usize]) {
    rows.sort_by(|(_, one), (_, other)| compared(one, other, order));
}

/// Compares two rows by these columns, the first of them first.
fn compared(one: &Row, other: &Row, order: &[usize]) -> Ordering {
    let columns = order.iter().map(|column| one.get(*column).cmp(&other.get(*column)));
    columns.fold(Ordering::Equal, Ordering::then)
}

fn project(row: &Row, columns: &[usize]) -> Row {
    columns.iter().filter_map(|column| row.get(*column).cloned()).collect()
}

fn updated(row: &Row, set: &[(usize, &Expression)]) -> Result<Row, SqlState> {
    let mut values = row.to_vec();
    for (column, expression) in set {
        let Some(value) = values.get_mut(*column) else { continue };
        *value = match expression {
            Expression::Value(new) => new.clone(),
            Expression::Plus(amount) => {
                let number = row.get(*column).and_then(Value::int).unwrap_or(0);
                let sum = number.checked_add(*amount).ok_or(SqlState::NUMERIC_OUT_OF_RANGE)?;
                Value::Int(sum)
            }
        };
    }
    Ok(Row::from(values))
}
