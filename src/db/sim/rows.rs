//! First floor, `db`: what each statement does to the rows of the simulated database. Imports its
//! neighbours in `sim`.

use super::expr::{Expr, Operator, Scope};
use super::keys::Obstacle;
use super::plan::{Act, Conflict, Inserts, Order, Plan, Query, Source, Updates, WhileHeld};
use super::queries;
use super::serial::Write;
use super::wait::Wait;
use super::{
    Change, Entering, Held, InFlight, MOST_ROWS, Progress, Record, Seen, SimDb, Slot, Snapshot,
    Stop, ToDo,
};
use crate::db::schema::{Row, Value};
use crate::db::statement::Isolation;
use crate::db::{Answer, SqlError, SqlState, Underway};

/// What a statement does to the rows it goes through.
#[derive(Clone, Copy)]
enum Action<'a> {
    /// `SELECT … FOR UPDATE`.
    Lock(&'a Query, WhileHeld),
    Update(&'a Updates),
    Delete(&'a Updates),
}

/// What an `INSERT` has found in the place of its row.
enum Found {
    /// Nothing, and so its row is there, under this number.
    Nothing(u32),
    /// A row of its key.
    There(u32),
    /// The same, which it has changed from this, and which was not in all of its indexes yet.
    Changed(u32, Row),
}

impl<'a> Action<'a> {
    fn of(act: &'a Act) -> Option<Self> {
        match act {
            Act::Lock(query, while_held) => Some(Action::Lock(query, *while_held)),
            Act::Update(update) => Some(Action::Update(update)),
            Act::Delete(delete) => Some(Action::Delete(delete)),
            Act::Select(_) | Act::Insert(_) | Act::Advisory(_) => None,
        }
    }

    fn table(&self) -> usize {
        match self {
            Action::Lock(query, _) => query.tables.first().copied().unwrap_or(usize::MAX),
            Action::Update(it) | Action::Delete(it) => it.table,
        }
    }

    fn filter(&self) -> Option<&'a Expr> {
        match self {
            Action::Lock(query, _) => query.filter.as_ref(),
            Action::Update(it) | Action::Delete(it) => it.filter.as_ref(),
        }
    }

    /// What it answers of each row; nothing where it counts them.
    fn answers(&self) -> Option<&'a [Expr]> {
        match self {
            Action::Lock(query, _) => Some(&query.answers),
            Action::Update(it) | Action::Delete(it) => it.returning.as_deref(),
        }
    }

    /// The order in which it takes its rows, if there is one. PostgreSQL promises none for those that it
    /// changes: it depends on the plan, and on where the rows stand on the disk.
    fn order(&self) -> &'a [Order] {
        match self {
            Action::Lock(query, _) => &query.order,
            Action::Update(_) | Action::Delete(_) => &[],
        }
    }

    /// Whether it has as many rows as it is to have.
    fn is_enough(&self, found: usize) -> bool {
        matches!(self, Action::Lock(query, _) if query.limit.is_some_and(|limit| found >= limit))
    }
}

/// What the subqueries of a statement answer, one after the other.
pub(super) fn subqueries(
    plan: &Plan,
    parameters: &[Value],
    answered: impl Fn(&Query, Scope<'_>) -> Result<Vec<Row>, SqlError>,
) -> Result<Vec<Value>, SqlError> {
    let mut answers = Vec::with_capacity(plan.subqueries.len());
    for query in &plan.subqueries {
        let rows = answered(query, Scope { parameters, subqueries: &answers, ..Scope::default() })?;
        if rows.len() > 1 {
            let said = "a subquery in an expression answers several rows";
            return Err(SqlError::new(SqlState::CARDINALITY_VIOLATION, said));
        }
        let value = rows.first().and_then(|row| row.first().cloned());
        answers.push(value.unwrap_or(Value::Null));
    }
    Ok(answers)
}

impl SimDb {
    /// Performs a statement from where it stands. If it begins, and does not sort its rows, the one of the
    /// number `first` comes first.
    pub(super) fn attempt(
        &mut self,
        slot: Slot,
        plan: &Plan,
        parameters: &[Value],
        first: Option<u8>,
    ) -> Result<Answer, Stop> {
        self.look(slot);
        if self.is_doomed(slot, None) {
            return Err(SqlState::SERIALIZATION_FAILURE.into());
        }
        let waited = self.transaction_mut(slot).and_then(|it| it.statement.as_mut());
        let is_begun = waited.is_some();
        let mut progress = match waited {
            Some(statement) => std::mem::take(&mut statement.progress),
            None => self.begun(slot, plan, parameters, first)?,
        };
        let subqueries = std::mem::take(&mut progress.subqueries);
        let of = Scope { parameters, subqueries: &subqueries, ..Scope::default() };
        let answer = match &plan.act {
            Act::Select(query) => {
                self.notes_reads(slot, query, of);
                Answer::Rows(self.found_by(slot, query, of)?)
            }
            Act::Insert(insert) => {
                if !is_begun {
                    progress.rows = self.source(slot, insert, of)?;
                }
                let done = self.insert(slot, insert, of, progress)?;
                if insert.returning.is_some() {
                    Answer::Rows(done.found)
                } else {
                    Answer::Count(done.count)
                }
            }
            act => match Action::of(act) {
                Some(action) => {
                    let done = self.each(slot, action, of, progress)?;
                    match action.answers() {
                        Some(_) => Answer::Rows(done.found),
                        None => Answer::Count(done.count),
                    }
                }
                None => return Err(SqlState::INTERNAL_ERROR.into()),
            },
        };
        if self.is_doomed(slot, None) {
            return Err(SqlState::SERIALIZATION_FAILURE.into());
        }
        self.leave_queue(slot);
        if let Some(transaction) = self.transaction_mut(slot) {
            transaction.statement = None;
        }
        Ok(answer)
    }

    /// What a statement has found before it does anything: the answers of its subqueries, and its rows.
    fn begun(
        &mut self,
        slot: Slot,
        plan: &Plan,
        parameters: &[Value],
        first: Option<u8>,
    ) -> Result<Progress, SqlError> {
        let subqueries = self.subqueries(slot, plan, parameters)?;
        let of = Scope { parameters, subqueries: &subqueries, ..Scope::default() };
        for query in &plan.subqueries {
            self.notes_reads(slot, query, of);
        }
        let mut progress = Progress::default();
        if let Some(action) = Action::of(&plan.act) {
            self.has_read(slot, action.table(), action.filter().map(|filter| filter.closed(of)));
            let found = self.in_order(slot, action, of)?;
            let todo = found.into_iter().map(|(id, row)| {
                let fails = match action {
                    Action::Update(update) => {
                        self.changed(update.table, &update.set, Scope { row: &row, ..of }).err()
                    }
                    Action::Lock(..) | Action::Delete(_) => None,
                };
                ToDo { id, changed: false, fails }
            });
            progress.todo = todo.collect();
            progress.choose(first);
        }
        Ok(Progress { subqueries, ..progress })
    }

    /// What the subqueries of a statement answer that begins now.
    fn subqueries(
        &self,
        slot: Slot,
        plan: &Plan,
        parameters: &[Value],
    ) -> Result<Vec<Value>, SqlError> {
        subqueries(plan, parameters, |query, of| self.found_by(slot, query, of))
    }

    /// Notes what a query reads, for who is serializable.
    fn notes_reads(&mut self, slot: Slot, query: &Query, of: Scope<'_>) {
        match query.tables[..] {
            [table] => {
                self.has_read(slot, table, query.filter.as_ref().map(|filter| filter.closed(of)));
            }
            // Which rows of which table fit is not looked into: all may.
            ref several => several.iter().for_each(|table| self.has_read(slot, *table, None)),
        }
    }

    /// What a query answers, in what a transaction sees.
    fn found_by(&self, slot: Slot, query: &Query, of: Scope<'_>) -> Result<Vec<Row>, SqlError> {
        let rows = |table| self.visible(slot, table).into_iter().map(|(_, row)| row).collect();
        queries::answered(query, rows, of)
    }

    /// Takes the transaction's snapshot, if it is to have one and has none.
    pub(super) fn look(&mut self, slot: Slot) {
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
            Some(Change::Deleted) => None,
            None => Some((seen.id, seen.row.clone())),
        });
        let inserted = records.iter().filter(|record| record.committed.is_none());
        let inserted = inserted.filter_map(|record| match record.change_by(slot)? {
            Change::To(row) => Some((record.id, row.clone())),
            Change::Deleted => None,
        });
        seen.chain(inserted).collect()
    }

    fn snapshot(&self, slot: Slot) -> Option<&Snapshot> {
        self.transaction(slot)?.snapshot.as_ref()
    }

    /// The rows that a transaction sees and that fit.
    fn found(
        &self,
        slot: Slot,
        action: Action<'_>,
        of: Scope<'_>,
    ) -> Result<Vec<(u32, Row)>, SqlState> {
        let mut found = Vec::new();
        for (id, row) in self.visible(slot, action.table()) {
            if fits(action.filter(), Scope { row: &row, ..of })? {
                found.push((id, row));
            }
        }
        Ok(found)
    }

    /// The same, in the order in which they are locked, if there is one.
    ///
    /// # Errors
    ///
    /// [`FEATURE_NOT_SUPPORTED`](SqlState::FEATURE_NOT_SUPPORTED) for more than [`MOST_ROWS`].
    fn in_order(
        &self,
        slot: Slot,
        action: Action<'_>,
        of: Scope<'_>,
    ) -> Result<Vec<(u32, Row)>, SqlError> {
        let mut found = self.found(slot, action, of)?;
        if found.len() > MOST_ROWS {
            let said = format!(
                "{} rows fit: the simulation changes or locks {MOST_ROWS} in a statement at most",
                found.len()
            );
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, &said));
        }
        if !action.order().is_empty() {
            queries::sort(&mut found, action.order(), of, |(_, row)| (row, &[]))?;
        }
        Ok(found)
    }

    /// Goes through the rows that are to come: one row at a time.
    fn each(
        &mut self,
        slot: Slot,
        action: Action<'_>,
        of: Scope<'_>,
        mut progress: Progress,
    ) -> Result<Progress, Stop> {
        let table = action.table();
        if let Some(ToDo { id, changed, fails }) = progress.todo.first().cloned() {
            if let Some(error) = fails {
                return Err(error.into());
            }
            let holder = self.holder_beside(slot, table, id);
            if let (Action::Lock(_, WhileHeld::Waits), Some(holder)) = (action, holder)
                && self.waits_of(slot).is_some_and(|wait| wait.goes_on_to_next(id))
            {
                let progress = progress.knowing(of);
                return Err(self.wait_for_next(slot, (table, id), holder, progress));
            }
            // One that was changed since the snapshot is not waited for.
            if !self.is_as_seen(slot, table, id) {
                return Err(SqlState::SERIALIZATION_FAILURE.into());
            }
            let took = match (holder, action) {
                (Some(_), Action::Lock(_, WhileHeld::Fails)) => {
                    return Err(SqlState::LOCK_NOT_AVAILABLE.into());
                }
                (Some(_), Action::Lock(_, WhileHeld::Skips)) => None,
                (Some(holder), _) => {
                    let is_changing = self.is_changed_by(holder, table, id);
                    let stands = self.waits_of(slot).is_some_and(|wait| wait.stands_for(id));
                    let progress = progress.knowing(of);
                    if changed && is_changing && !stands {
                        return Err(self.wait_for_change(slot, (table, id), holder, progress));
                    }
                    let goes_on = is_changing && matches!(action, Action::Lock(..));
                    return Err(self.queue_for_row(slot, (table, id), holder, goes_on, progress));
                }
                (None, _) => self.one(slot, id, changed, action, of, &mut progress)?,
            };
            progress.todo.remove(0);
            if !progress.todo.is_empty() && !action.is_enough(progress.found.len()) {
                let left = progress.todo.len();
                let next = if action.order().is_empty() { left } else { 1 };
                let progress = progress.knowing(of);
                return Err(self.pause(slot, table, Underway { took, left, next }, progress));
            }
        }
        Ok(progress)
    }

    /// Lets others act before the next row.
    fn pause(&mut self, slot: Slot, table: usize, underway: Underway, progress: Progress) -> Stop {
        self.leave_queue(slot);
        if let Some(transaction) = self.transaction_mut(slot) {
            transaction.statement = Some(InFlight { table, wait: Wait::none(), progress });
        }
        Stop::Pauses(underway)
    }

    /// Chooses the next row of a statement that has rows to come, unless that is known.
    pub(super) fn choose(&mut self, slot: Slot, next: Option<u8>) {
        let statement = self.transaction_mut(slot).and_then(|it| it.statement.as_mut());
        if let Some(statement) = statement {
            statement.progress.choose(next);
        }
    }

    /// How many rows a statement finds if these are several and any of them may be the first.
    pub(super) fn several(&self, slot: Slot, plan: &Plan, parameters: &[Value]) -> Option<usize> {
        let action = Action::of(&plan.act).filter(|action| action.order().is_empty())?;
        let subqueries = self.subqueries(slot, plan, parameters).ok()?;
        let of = Scope { parameters, subqueries: &subqueries, ..Scope::default() };
        let count = self.found(slot, action, of).ok()?.len();
        (2..=MOST_ROWS).contains(&count).then_some(count)
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
        id: u32,
        changed: bool,
        action: Action<'_>,
        of: Scope<'_>,
        progress: &mut Progress,
    ) -> Result<Option<Row>, Stop> {
        let table = action.table();
        let row = match progress.entering.take() {
            Some(Entering::Changed(_, before)) => before,
            _ => {
                let newest = self.record(table, id).and_then(|record| record.newest_for(slot));
                let Some(row) = newest.cloned() else { return Ok(None) };
                // A row that was changed since the statement looked is locked before it is looked at again.
                if changed && !fits(action.filter(), Scope { row: &row, ..of })? {
                    self.hold(slot, table, id, None);
                    return Ok(Some(row));
                }
                let change = match action {
                    Action::Lock(..) => None,
                    Action::Update(update) => {
                        let set = Scope { row: &row, ..of };
                        Some(Change::To(self.changed(update.table, &update.set, set)?))
                    }
                    Action::Delete(_) => Some(Change::Deleted),
                };
                self.hold(slot, table, id, change);
                row
            }
        };
        let newest = self.moved(slot, (table, id), &row, of, progress)?;
        if let Some(answers) = action.answers() {
            let answered = newest.as_ref().unwrap_or(&row);
            progress.found.push(queries::projected(answers, Scope { row: answered, ..of })?);
        }
        progress.count += 1;
        Ok(Some(row))
    }

    /// Puts the new version of a row into its unique indexes, and answers with it; nothing, where the row is
    /// only locked, or removed.
    fn moved(
        &mut self,
        slot: Slot,
        (table, id): (usize, u32),
        before: &Row,
        of: Scope<'_>,
        progress: &mut Progress,
    ) -> Result<Option<Row>, Stop> {
        if let Err(obstacle) = self.move_in(slot, (table, id), before) {
            let entering = Entering::Changed(id, before.clone());
            return Err(self.obstructed(
                slot,
                table,
                (Some(entering), None),
                obstacle,
                of,
                progress,
            ));
        }
        let change = self.record(table, id).and_then(|record| record.change_by(slot));
        Ok(match change {
            Some(Change::To(row)) => Some(row.clone()),
            Some(Change::Deleted) | None => None,
        })
    }

    /// What comes of a row that does not get into one of its indexes now. `write`: the row, if it is not in
    /// its table yet.
    fn obstructed(
        &mut self,
        slot: Slot,
        table: usize,
        (entering, write): (Option<Entering>, Option<Write>),
        obstacle: Obstacle,
        of: Scope<'_>,
        progress: &mut Progress,
    ) -> Stop {
        match obstacle {
            Obstacle::Coming { by, entering: theirs, .. } => {
                let progress = Progress { entering, ..std::mem::take(progress) }.knowing(of);
                self.wait_for_key(slot, table, (by, theirs), progress)
            }
            Obstacle::Row { .. } if self.is_doomed(slot, write) => {
                SqlState::SERIALIZATION_FAILURE.into()
            }
            Obstacle::Row { key, .. } => match self.keys(table) {
                [_] => SqlState::UNIQUE_VIOLATION.into(),
                keys => {
                    let name = keys.get(key).map_or("", |key| &key.name);
                    let said = format!("there is a row with that key, by `{name}`");
                    SqlError::new(SqlState::UNIQUE_VIOLATION, &said).into()
                }
            },
            Obstacle::Fails(error) => error.into(),
        }
    }

    /// A row with these columns set.
    fn changed(&self, table: usize, set: &[(usize, Expr)], of: Scope<'_>) -> Result<Row, SqlError> {
        let mut values = of.row.to_vec();
        for (column, new) in set {
            let new = new.value(of)?;
            if let Some(value) = values.get_mut(*column) {
                *value = new;
            }
        }
        self.allowed(table, Row::from(values))
    }

    /// A row, if its table can hold it.
    fn allowed(&self, table: usize, row: Row) -> Result<Row, SqlError> {
        let stored = self.tables.get(table).ok_or(SqlState::UNDEFINED_TABLE)?;
        for (column, value) in stored.table.columns.iter().zip(&*row) {
            match value {
                Value::Null if !column.nullable => {
                    let said = format!("`{}` of `{}` is NULL", column.name, stored.table.name);
                    return Err(SqlError::new(SqlState::NOT_NULL_VIOLATION, &said));
                }
                value if !column.holds(value) => return Err(SqlState::NUMERIC_OUT_OF_RANGE.into()),
                _ => {}
            }
        }
        for check in &stored.also.checks {
            let truth = check.of.value(Scope { row: &row, ..Scope::default() })?;
            if truth == Value::Bool(false) {
                let said = format!("`CHECK ({})` of `{}`", check.text, stored.table.name);
                return Err(SqlError::new(SqlState::CHECK_VIOLATION, &said));
            }
        }
        Ok(row)
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
        let held = record.held.get_or_insert_with(|| Held::by(slot));
        let Some(change) = change else { return };
        if let Some(before) = held.change.replace(change) {
            held.twice = true;
            if let Change::To(before) = before {
                held.replaced(&before, record.committed.as_ref(), &stored.also.keys);
            }
        }
    }

    /// The rows that an `INSERT` is to put in, as they come from its source.
    fn source(
        &mut self,
        slot: Slot,
        insert: &Inserts,
        of: Scope<'_>,
    ) -> Result<Vec<Row>, SqlError> {
        match &insert.source {
            Source::Values(rows) => {
                let rows = rows.iter().map(|row| queries::projected(row, of).map_err(Into::into));
                rows.collect()
            }
            Source::Query(query) => {
                self.notes_reads(slot, query, of);
                self.found_by(slot, query, of)
            }
        }
    }

    /// Puts in the rows that are to come: one row at a time.
    fn insert(
        &mut self,
        slot: Slot,
        insert: &Inserts,
        of: Scope<'_>,
        mut progress: Progress,
    ) -> Result<Progress, Stop> {
        let table = insert.table;
        let Some(source) = progress.rows.first() else { return Ok(progress) };
        let row = queries::projected(&insert.columns, Scope { row: source, ..of })?;
        let row = self.allowed(table, row)?;
        let found = match (self.waits_of(slot).and_then(Wait::row), progress.entering.take()) {
            (_, Some(Entering::Changed(id, before))) => Found::Changed(id, before),
            // It has found its row, and has waited for nothing but the lock.
            (Some((id, false)), _) => Found::There(id),
            (Some((_, true)), _) if self.snapshot(slot).is_some() => {
                return Err(SqlState::SERIALIZATION_FAILURE.into());
            }
            (_, entering) => self.placed(slot, insert, &row, entering, of, &mut progress)?,
        };
        let done = match (found, &insert.conflict) {
            (Found::Nothing(id), _) => {
                progress.touched.push(id);
                Some((row.clone(), true))
            }
            (Found::There(_), Conflict::Fails) => return Err(SqlState::INTERNAL_ERROR.into()),
            (Found::There(id), Conflict::DoesNothing) => {
                if !self.is_as_seen(slot, table, id) {
                    return Err(SqlState::SERIALIZATION_FAILURE.into());
                }
                if self.conflicts_are_reads {
                    self.has_read_keys(slot, insert, &row);
                }
                None
            }
            (Found::Changed(id, before), _) => {
                let new = self.moved(slot, (table, id), &before, of, &mut progress)?;
                progress.touched.push(id);
                new.map(|row| (row, false))
            }
            (Found::There(id), Conflict::Updates(set, filter)) => {
                if progress.touched.contains(&id) {
                    return Err(SqlState::CARDINALITY_VIOLATION.into());
                }
                if let Some(holder) = self.holder_beside(slot, table, id) {
                    let progress = progress.knowing(of);
                    return Err(self.queue_for_row(slot, (table, id), holder, false, progress));
                }
                if !self.is_as_seen(slot, table, id) {
                    return Err(SqlState::SERIALIZATION_FAILURE.into());
                }
                let there = self.record(table, id).and_then(|record| record.newest_for(slot));
                let there = there.cloned().unwrap_or_default();
                let of = Scope { row: &there, excluded: &row, ..of };
                // Locked is the row in any case.
                if fits(filter.as_ref(), of)? {
                    let new = self.changed(table, set, of)?;
                    self.hold(slot, table, id, Some(Change::To(new)));
                    let new = self.moved(slot, (table, id), &there, of, &mut progress)?;
                    progress.touched.push(id);
                    new.map(|row| (row, false))
                } else {
                    self.hold(slot, table, id, None);
                    None
                }
            }
        };
        progress.count += u64::from(done.is_some());
        if let (Some(answers), Some((row, is_new))) = (&insert.returning, &done) {
            let of = Scope { row, is_new: *is_new, ..of };
            progress.found.push(queries::projected(answers, of)?);
        }
        progress.rows.remove(0);
        match progress.rows.len() {
            0 => Ok(progress),
            left => {
                let underway = Underway { took: done.map(|(row, _)| row), left, next: 1 };
                let progress = progress.knowing(of);
                Err(self.pause(slot, table, underway, progress))
            }
        }
    }

    /// Puts a row into its table and its unique indexes, from where it has come to. Or answers with the row that
    /// has its key, where the statement says what is to be done then.
    fn placed(
        &mut self,
        slot: Slot,
        insert: &Inserts,
        row: &Row,
        mut entering: Option<Entering>,
        of: Scope<'_>,
        progress: &mut Progress,
    ) -> Result<Found, Stop> {
        let (table, arbiters) = (insert.table, &insert.arbiters);
        loop {
            if entering.is_none() {
                match self.looks_in_all(slot, table, arbiters, row) {
                    Ok(()) => {}
                    Err(Obstacle::Row { id, .. }) => return Ok(Found::There(id)),
                    Err(obstacle) => {
                        return Err(self.obstructed(
                            slot,
                            table,
                            (None, None),
                            obstacle,
                            of,
                            progress,
                        ));
                    }
                }
            }
            let place = match entering.take() {
                Some(Entering::New(place)) => place,
                _ => None,
            };
            let (place, obstacle) = match self.put_in(slot, table, row, place, !arbiters.is_empty())
            {
                Ok(id) => return Ok(Found::Nothing(id)),
                Err(obstructed) => obstructed,
            };
            if obstacle.is_in(arbiters) {
                if let Some(id) = place {
                    self.take_back(slot, table, id);
                }
                continue;
            }
            // Without `ON CONFLICT` it has looked nowhere else before.
            let has_looked = place.is_some() || !arbiters.is_empty();
            let write = Write { table, id: None, before: None, after: Some(row.clone()) };
            let entering = has_looked.then_some(Entering::New(place));
            let entering = (entering, place.is_none().then_some(write));
            return Err(self.obstructed(slot, table, entering, obstacle, of, progress));
        }
    }

    /// Notes that a serializable transaction has read the rows of this one's keys.
    fn has_read_keys(&mut self, slot: Slot, insert: &Inserts, row: &Row) {
        let keys = self.keys(insert.table);
        for key in insert.arbiters.iter().filter_map(|number| keys.get(*number)) {
            let mut is_it = key.only.clone();
            for column in &key.columns {
                let value = row.get(*column).cloned().unwrap_or(Value::Null);
                is_it = Expr::and(is_it, Expr::compares(*column, Operator::Equal, value));
            }
            self.has_read(slot, insert.table, is_it);
        }
    }

    /// Inserts a row under an id that nobody remembers.
    pub(super) fn add(&mut self, slot: Slot, table: usize, row: Row) -> u32 {
        let seen = self.open().flat_map(|(_, transaction)| {
            let snapshot = transaction.snapshot.as_ref();
            let seen = snapshot.and_then(|snapshot| snapshot.tables.get(table));
            let statement = transaction.statement.as_ref().filter(|it| it.table == table);
            let todo = statement.into_iter().flat_map(|it| &it.progress.todo).map(|row| row.id);
            let waiting = statement.and_then(|it| it.wait.remembered());
            seen.into_iter().flatten().map(|seen| seen.id).chain(todo).chain(waiting)
        });
        let records = self.tables.get(table).map_or(&[][..], |stored| &stored.records);
        let taken: Vec<u32> =
            records.iter().map(|record| record.id).chain(seen).chain(self.written(table)).collect();
        let id = (0..).find(|id| !taken.contains(id)).unwrap_or(u32::MAX);
        let held = Some(Held { change: Some(Change::To(row)), ..Held::by(slot) });
        if let Some(stored) = self.tables.get_mut(table) {
            let at = stored.records.partition_point(|record| record.id < id);
            stored.records.insert(at, Record { id, committed: None, held });
        }
        id
    }

    pub(super) fn record(&self, table: usize, id: u32) -> Option<&Record> {
        self.tables.get(table)?.records.iter().find(|record| record.id == id)
    }
}

impl Progress {
    /// The same, with what the statement has found out before it began.
    fn knowing(self, of: Scope<'_>) -> Self {
        Progress { subqueries: of.subqueries.to_vec(), ..self }
    }
}

/// Whether a row meets a condition, if there is one.
pub(super) fn fits(filter: Option<&Expr>, of: Scope<'_>) -> Result<bool, SqlState> {
    filter.map_or(Ok(true), |filter| filter.holds(of))
}
