//! First floor, `db`: the simulated database, a pure value that behaves as PostgreSQL does. Imports
//! [`calls`](crate::calls) and its neighbours in `db`.
//!
//! What is modelled, and after which source:
//!
//! - **Versions.** A row is its last committed version and, beside it, the change of the one
//!   transaction that holds the row. Only a transaction that still sees an older version needs that
//!   version. So a snapshot is a copy of the rows, taken by that transaction. (Chapter 13,
//!   "Concurrency Control".)
//! - **Row locks and queues**, as `heapam.c` has them. A transaction that finds a row held waits
//!   for the holder. A later one waits for those that came before. But a transaction that comes
//!   when the holder has just ended overtakes them all. A key that another transaction is inserting
//!   is waited for without a queue (`nbtinsert.c`).
//! - **After a wait**, READ COMMITTED looks at the row as it is then (`EvalPlanQual`), and keeps it
//!   locked even if it no longer fits. The other levels fail with 40001 if the row was changed.
//! - **Deadlocks** are found when a transaction begins to wait, and that one fails. In PostgreSQL
//!   the first transaction that looks for a deadlock after the cycle is closed fails
//!   (`deadlock_timeout`). That may be one that has waited for longer.
//! - **SERIALIZABLE** fails a transaction that closes a cycle of reads and writes (see `serial`).
//!   PostgreSQL's own test is coarser, so it mostly fails more. Where both fail a transaction, it
//!   need not be the same one. As in PostgreSQL, an `INSERT` that looks at its key does not count
//!   as a read. So two kinds of commits need not be serializable: those with a key that was freed
//!   and taken again, and those with an `ON CONFLICT DO NOTHING` that did nothing (unless that
//!   [counts](SimDb::with_conflicts_as_reads)). An `EXISTS` counts as a read of every row that
//!   fits. PostgreSQL's stops at the first, so the simulation may fail where PostgreSQL does not.
//!
//! [`SimDb`] lists what is simulated, what is refused by name and what is not there at all.

#[cfg_attr(not(feature = "sql"), allow(dead_code, reason = "only text asks for all of it"))]
mod advisory;
#[cfg_attr(not(feature = "sql"), allow(dead_code, reason = "only text asks for all of it"))]
mod expr;
mod inside;
mod keys;
#[cfg_attr(not(feature = "sql"), allow(dead_code, reason = "only text asks for all of it"))]
mod plan;
mod queries;
mod rows;
mod serial;
#[cfg(test)]
mod tests;
#[cfg(feature = "sql")]
mod text;
mod wait;

#[cfg(feature = "sql")]
pub use text::Prepared;
#[cfg(feature = "sql")]
pub(in crate::db) use text::control;
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
pub(in crate::db) use text::level_of;
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
pub(crate) use text::{Described, Says, split};

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use self::advisory::{Backend, Locked};
use self::expr::Expr;
use self::keys::Key;
use self::plan::{Act, Plan};
use self::serial::{Footprint, Reads};
use self::wait::Wait;
use super::recorded::{SESSION_ENDS, Told};
use super::schema::{Row, Table, Value};
use super::statement::{Insert, Isolation, Statement};
use super::{Answer, Database, Reply, SqlError, SqlState, Underway};
use crate::calls::{called, mistaken, untold};
use crate::held::{Holding, Kind, note};

/// A simulated database.
///
/// # What is simulated
///
/// All of this is compared with PostgreSQL 15, in random programs of several sessions
/// (`tests/sql`):
///
/// | | |
/// | --- | --- |
/// | transactions | READ COMMITTED, REPEATABLE READ, SERIALIZABLE and mixtures of them; statements by themselves; sessions that disconnect |
/// | `SELECT` | columns in the order of the table's, `EXISTS`, a sum with its overflow; any rows |
/// | `SELECT … FOR UPDATE` | any rows, up to 256: they are locked one by one, in the order in which they are answered, which is that of the table's columns and not that on the disk |
/// | `INSERT` | one row; `ON CONFLICT` on the unique column, `DO NOTHING` and `DO UPDATE`; `RETURNING` columns or whether the row is new |
/// | `UPDATE`, `DELETE` | any rows, up to 256: they are taken one by one, in each order, since PostgreSQL promises none; others may act between two of them |
/// | conditions | `=`, `<>`, `>=`, `<=` on numbers to their limits and on texts, joined by `AND` |
/// | tables | with one unique column, in any place, of numbers or texts; without one, with equal rows in it |
///
/// As [text](Statement::sql), with the feature `sql`, there is more. It is compared with PostgreSQL in the
/// same way:
///
/// | | |
/// | --- | --- |
/// | tables | [`CREATE TABLE`](Self::with_setup) with `BIGINT`, `INTEGER`, `TEXT` and `BOOLEAN`; `NULL`, `DEFAULT`, `CHECK`; any number of keys: `PRIMARY KEY`, `UNIQUE`, of one column or several, and `CREATE UNIQUE INDEX`, also of some rows (`WHERE`) |
/// | expressions | `+ - * / %`, `\|\|`, comparisons, `AND`, `OR`, `NOT`, `IS [NOT] NULL`, `IS [NOT] TRUE`, `IS [NOT] DISTINCT FROM`, `IN` of a list, `BETWEEN`, `CASE`, `COALESCE`, casts between numbers; with three-valued logic |
/// | subqueries | `EXISTS` and those of one value, unless they speak of the row round them |
/// | `SELECT` | expressions, inner joins, `count`, `sum`, `min`, `max`, `GROUP BY`, `HAVING`, `ORDER BY`, `LIMIT`; rows that `ORDER BY` leaves open come in the order of their columns (two of one key, too: a snapshot may show its own row and one that others have removed) |
/// | `FOR UPDATE` | of one table, with `NOWAIT`, `SKIP LOCKED` and `LIMIT`; without `ORDER BY`, in each order |
/// | `INSERT` | several rows, one by one; `INSERT … SELECT`; `ON CONFLICT` on any key, by its columns or its constraint, with expressions, `EXCLUDED` and `WHERE` |
/// | `UPDATE` | also of keys, row by row: whether two rows can change places depends on the order |
/// | all that change rows | `RETURNING` expressions |
/// | advisory locks | `pg_advisory_lock`, `pg_advisory_xact_lock`, `pg_try_…`, `…_shared`, `pg_advisory_unlock`, `pg_advisory_unlock_all`, each alone in a `SELECT`; of a `BIGINT` or of two `INTEGER` |
///
/// A text that asks for anything else is refused, with the word and its place.
///
/// # What is refused
///
/// PostgreSQL does the following, but the simulation does not know with which result. So it answers
/// `0A000` with the reason, and a check that meets it fails:
///
/// - an `UPDATE` of the unique column that was not written as text;
/// - a statement that changes or locks more than 256 rows.
///
/// A check fails as well on other answers that only a wrong model gets (see
/// [`calls`](crate::calls)):
///
/// - a table or a column that does not exist, a value of another type, a number out of range;
/// - a `BEGIN` inside of a transaction, a `COMMIT` or a `ROLLBACK` outside of one.
///
/// A system that means one of these [expects](crate::check::System::expects) it.
///
/// # What is not there
///
/// **Time between a statement's view and its first row.** PostgreSQL looks at what is committed when
/// a statement starts, and locks its first row a moment later. Here both are one step. So others
/// cannot commit in between, unless the row is held at that moment. That hides two things. An
/// `UPDATE` whose `WHERE` speaks of more than a key may miss a row that others have just made fit. A
/// first statement above READ COMMITTED may fail with 40001.
///
/// **Time between a row and its keys.** That a row is put in or changed, and that it gets into its unique
/// indexes, is one step unless it has to wait. So two statements by themselves that take each other's
/// keys do not wait for one another, as they may in PostgreSQL, where one fails with 40P01.
///
/// A [`Statement`] cannot express these: savepoints, foreign keys, shared locks, outer joins,
/// subqueries about the row round them, triggers, a level for a statement by itself. And no statement fails
/// for a reason of the server's own: none is cancelled, no connection breaks, no disk is full.
///
/// Without a unique column, rows may be equal in every column. A `FOR UPDATE` locks such rows in an
/// order of its own: mostly that of their insertion. PostgreSQL locks them in their order on the
/// disk, where an `UPDATE` puts a row behind the others.
///
/// Texts are compared byte by byte, as with the collation `C`. With another collation `>=`, `<=`
/// and the order of rows may differ.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct SimDb {
    tables: Vec<Stored>,
    /// By slot. A session gets the lowest free slot, so that histories that differ only in the
    /// order of arrival end in one state.
    transactions: Vec<Option<Transaction>>,
    /// The serializable transactions that committed, oldest first. Kept while a transaction is open
    /// that may have to be ordered among them.
    history: Vec<Footprint>,
    /// The advisory locks that somebody has, or waits for; sorted.
    locks: Vec<Locked>,
    /// No transaction fails for closing a cycle of waits; all of them wait.
    patient: bool,
    /// An `ON CONFLICT DO NOTHING` that did nothing has read the row that it found.
    conflicts_are_reads: bool,
}

impl fmt::Debug for SimDb {
    /// The committed rows, as a person reads them: `{coupons: [[1, 'used']]}`. Databases that
    /// differ only in uncommitted changes look the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever prints a database does not look at it in a step.
        untold(|| {
            let tables = self.tables.iter().map(|stored| stored.table);
            f.debug_map().entries(tables.map(|table| (Name(table.name), self.rows(table)))).finish()
        })
    }
}

/// A table's name, without quotation marks.
struct Name<'t>(&'t str);

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A table and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    table: &'static Table,
    also: &'static Also,
    /// By id.
    records: Vec<Record>,
}

/// What a table says that a [`Table`] does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Also {
    /// Its unique indexes, in the order in which they were made.
    keys: Vec<Key>,
    checks: Vec<Check>,
    /// What each column gets where an `INSERT` names it not; of a table that was not made by text, none.
    defaults: Vec<Value>,
}

/// `CHECK (…)`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Check {
    text: String,
    of: Expr,
}

impl Hash for Stored {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.records.hash(state);
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Record {
    /// Stays the same while anybody remembers the row.
    id: u32,
    /// Its last committed version; `None` while it is being inserted.
    committed: Option<Row>,
    held: Option<Held>,
}

/// Who has locked a row, and what it makes of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Held {
    by: Slot,
    change: Option<Change>,
    /// It has changed it more than once, so that between the committed version and this one is another.
    twice: bool,
    /// Such versions, where they have keys of their own.
    between: Vec<Row>,
    /// In how many of its unique indexes the newest version is, if not in all yet.
    entered: Option<Entered>,
}

/// How far a row has got into its unique indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Entered {
    /// In how many of them it is.
    count: u8,
    /// An `INSERT … ON CONFLICT` puts it in, and may take it back. Others wait until that is known.
    is_speculative: bool,
}

/// What a transaction that has not committed makes of a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Change {
    To(Row),
    Deleted,
}

impl Record {
    fn is_held_by(&self, slot: Slot) -> bool {
        self.held.as_ref().is_some_and(|held| held.by == slot)
    }

    /// What this transaction makes of it, if anything.
    fn change_by(&self, slot: Slot) -> Option<&Change> {
        self.held.as_ref().filter(|held| held.by == slot)?.change.as_ref()
    }

    /// The newest version that this transaction may work on: its own or the last committed one.
    fn newest_for(&self, slot: Slot) -> Option<&Row> {
        match self.change_by(slot) {
            Some(Change::To(row)) => Some(row),
            Some(Change::Deleted) => None,
            None => self.committed.as_ref(),
        }
    }
}

type Slot = u8;

/// A transaction that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Transaction {
    isolation: Isolation,
    /// A statement outside of any, which is one by itself.
    implicit: bool,
    /// It has failed, holds nothing any more, and waits to be rolled back.
    failed: bool,
    /// What it sees, from its first statement on, above READ COMMITTED.
    snapshot: Option<Snapshot>,
    /// The statement that waits, as far as it has come.
    statement: Option<InFlight>,
    /// What it has read, if it is serializable.
    reads: Option<Reads>,
    /// Of a statement by itself that has come to its end: what it answers once it has committed.
    answer: Option<Answer>,
    /// Its session, if that has advisory locks, or waits for one.
    backend: Option<Backend>,
}

/// What was committed when a transaction first looked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Snapshot {
    /// For each table, its rows by id, and whether another transaction has changed one since.
    tables: Vec<Vec<Seen>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Seen {
    id: u32,
    row: Row,
    changed: bool,
}

/// A statement that had to wait.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct InFlight {
    table: usize,
    wait: Wait,
    progress: Progress,
}

/// How far a statement has come that goes from row to row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
struct Progress {
    /// The rows to come.
    todo: Vec<ToDo>,
    /// Those that are to be inserted, as they come from its source.
    rows: Vec<Row>,
    /// What it has found so far.
    found: Vec<Row>,
    /// How many rows it has touched so far.
    count: u64,
    /// Those that it has inserted or updated, of an `INSERT`.
    touched: Vec<u32>,
    /// The row that is to get into its unique indexes.
    entering: Option<Entering>,
    /// What its subqueries have answered.
    subqueries: Vec<Value>,
}

/// A row that has been put in or changed, and is not in all of its unique indexes yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Entering {
    /// A row that is put in: its number, if it is in any of them. No other row had its key where `ON CONFLICT`
    /// looks for one.
    New(Option<u32>),
    /// One that was changed, and what it was before.
    Changed(u32, Row),
}

/// A row to come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ToDo {
    id: u32,
    /// Whether it was changed since the statement began.
    changed: bool,
    /// Why it cannot be changed as it was when the statement began: that is computed before it is locked.
    fails: Option<SqlError>,
}

impl Progress {
    /// The one of this number comes next.
    fn choose(&mut self, next: Option<u8>) {
        if let (Some(next), Some(last)) = (next, self.todo.len().checked_sub(1)) {
            self.todo[..=last.min(next.into())].rotate_right(1);
        }
    }
}

/// A session of a [`SimDb`]. All sessions without an open transaction are equal.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SimSession {
    slot: Option<Slot>,
    /// Which one it is, if it has advisory locks, or waits for one.
    backend: Option<Backend>,
    /// Which of the rows to come its statement takes next, where that was asked.
    next: Option<u8>,
    /// It was asked, and not said.
    is_asked: bool,
    /// Its statement has taken a row, and has rows still to come.
    is_underway: bool,
}

impl Hash for SimSession {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Some(slot) = self.slot {
            let how = "a transaction".to_owned();
            note(|| Holding { kind: Kind::Session, thing: u64::from(slot), how });
        }
        (self.slot, self.backend, self.next, self.is_asked, self.is_underway).hash(state);
    }
}

impl SimSession {
    /// A session that has done nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says which row a statement takes next that is [under way](Reply::Underway): one of
    /// [`next`](super::Underway::next), from 0. PostgreSQL promises no order, so each has to be
    /// explored. A check of a program does so by itself.
    pub fn takes_next(&mut self, which: usize) {
        self.next = Some(u8::try_from(which).unwrap_or(u8::MAX));
        self.is_asked = false;
    }

    /// Asks which of several rows comes next.
    fn ask(&mut self, underway: Underway) -> Reply {
        self.next = Some(0);
        self.is_asked = underway.next > 1;
        Reply::Underway(underway)
    }

    /// Whether its statement has taken a row, and has rows still to come.
    pub fn is_underway(&self) -> bool {
        self.is_underway
    }
}

/// How many rows a statement may change or lock.
const MOST_ROWS: usize = crate::process::MOST_WAYS;

/// Why a statement does not go on.
#[derive(Debug)]
enum Stop {
    /// It waits, and the transaction says for whom.
    Waits,
    /// It has rows still to come.
    Pauses(Underway),
    Fails(SqlError),
}

impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Self {
        Stop::Fails(error)
    }
}

impl From<SqlState> for Stop {
    fn from(state: SqlState) -> Self {
        Stop::Fails(state.into())
    }
}

/// A step that looks at the database and then acts has made two calls: no program can do both at once.
fn looked(how: &str) {
    called(format_args!("SimDb::{how}"));
}

impl SimDb {
    /// A database without tables.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same database with one more table and these committed rows in it.
    ///
    /// # Panics
    ///
    /// If there can be [no such table](Table::definition), or there is one of that name already.
    /// Also if a row does not fit the table, or has the key of another row.
    #[track_caller]
    pub fn with_table(
        mut self,
        table: &'static Table,
        rows: impl IntoIterator<Item = Row>,
    ) -> Self {
        let rows: Vec<Row> = rows.into_iter().collect();
        if let Err(error) = table.check().and_then(|()| can_hold(table, &rows)) {
            panic!("{}", error.words());
        }
        let is_there = self.tables.iter().any(|stored| stored.table.name == table.name);
        assert!(!is_there, "there is a table `{}` already: give this one another name", table.name);
        let records = (0..).zip(rows);
        let records =
            records.map(|(id, row)| Record { id, committed: Some(row), held: None }).collect();
        self.tables.push(Stored { table, also: Also::of(table), records });
        self
    }

    /// The same database, with a choice for an `INSERT … ON CONFLICT DO NOTHING` that found its key
    /// and did nothing. At SERIALIZABLE, it either counts as a read of that row or does not. By
    /// default it does not.
    ///
    /// PostgreSQL does either, by its version; 15.18 does not count it. Without the count more
    /// transactions commit, and not all of them are serializable. So a property of committed data
    /// that holds without the count holds with it. A property of which transaction fails (40001)
    /// may not.
    pub fn with_conflicts_as_reads(self, counted: bool) -> Self {
        SimDb { conflicts_are_reads: counted, ..self }
    }

    /// The committed rows of a table, sorted.
    ///
    /// # Panics
    ///
    /// If there is no such table.
    #[track_caller]
    pub fn rows(&self, table: &Table) -> Vec<Row> {
        let mut rows: Vec<Row> = self.committed(table).cloned().collect();
        rows.sort();
        rows
    }

    /// The committed rows of a table, in no particular order.
    ///
    /// # Panics
    ///
    /// If there is no such table: every property of its rows would hold.
    #[track_caller]
    pub fn committed(&self, table: &Table) -> impl Iterator<Item = &Row> {
        looked("committed");
        let stored = self.tables.iter().find(|stored| stored.table.name == table.name);
        let Some(stored) = stored else {
            panic!("there is no table `{}`: `SimDb::with_table` makes one", table.name);
        };
        stored.records.iter().filter_map(|record| record.committed.as_ref())
    }

    /// The tables of this database.
    pub fn tables(&self) -> impl Iterator<Item = &'static Table> {
        self.tables.iter().map(|stored| stored.table)
    }

    /// Whether no transaction is open.
    pub fn is_idle(&self) -> bool {
        looked("is_idle");
        self.transactions.is_empty()
    }

    /// Whether the waiting statement of one session waits for the other session: for the end of its
    /// transaction, or for it to leave the queue before it.
    pub fn waits_for(&self, waiting: &SimSession, other: &SimSession) -> bool {
        looked("waits_for");
        let Some(slot) = waiting.slot else { return false };
        let is_for = |other| self.waits_of(slot).is_some_and(|wait| wait.is_for(other));
        other.slot.is_some_and(is_for)
            || other
                .backend
                .is_some_and(|by| self.blockers(slot, true).any(|blocker| blocker == by))
    }

    /// The same database, in which a transaction that closes a cycle of waits does not fail, but
    /// waits like the others. Then [`waits_for`](Self::waits_for) shows the cycle.
    pub fn patient(&self) -> Self {
        SimDb { patient: true, ..self.clone() }
    }

    /// Whether this session's statement has to wait at this moment.
    pub fn is_waiting(&self, session: &SimSession) -> bool {
        looked("is_waiting");
        session.slot.and_then(|slot| self.waits_of(slot)).is_some_and(|wait| !wait.is_over())
    }

    fn transaction(&self, slot: Slot) -> Option<&Transaction> {
        self.transactions.get(usize::from(slot))?.as_ref()
    }

    fn transaction_mut(&mut self, slot: Slot) -> Option<&mut Transaction> {
        self.transactions.get_mut(usize::from(slot))?.as_mut()
    }

    fn open(&self) -> impl Iterator<Item = (Slot, &Transaction)> {
        let slots = (0..).zip(&self.transactions);
        slots.filter_map(|(slot, transaction)| Some((slot, transaction.as_ref()?)))
    }

    fn open_mut(&mut self) -> impl Iterator<Item = (Slot, &mut Transaction)> {
        let slots = (0..).zip(&mut self.transactions);
        slots.filter_map(|(slot, transaction)| Some((slot, transaction.as_mut()?)))
    }

    /// The statements that wait and are about this table.
    fn waiting_on(&mut self, table: usize) -> impl Iterator<Item = &mut InFlight> {
        let statements = self.open_mut().filter_map(|(_, it)| it.statement.as_mut());
        statements.filter(move |statement| statement.table == table)
    }

    fn begin(&mut self, isolation: Isolation, implicit: bool) -> Result<Slot, SqlError> {
        let transaction = Transaction {
            isolation,
            implicit,
            failed: false,
            snapshot: None,
            statement: None,
            reads: None,
            answer: None,
            backend: None,
        };
        let free = self.transactions.iter().position(Option::is_none);
        let place = free.unwrap_or(self.transactions.len());
        let slot = Slot::try_from(place).map_err(|_| {
            let said = "there is room for 256 transactions at a time, and as many are under way";
            SqlError::new(SqlState::TOO_MANY_CONNECTIONS, said)
        })?;
        match self.transactions.get_mut(place) {
            Some(free) => *free = Some(transaction),
            None => self.transactions.push(Some(transaction)),
        }
        Ok(slot)
    }

    fn free(&mut self, slot: Slot) {
        if let Some(place) = self.transactions.get_mut(usize::from(slot)) {
            *place = None;
        }
        while self.transactions.last().is_some_and(Option::is_none) {
            self.transactions.pop();
        }
        self.forget_history();
    }

    /// Makes permanent what a transaction did, and ends it.
    fn commit(&mut self, slot: Slot) -> Result<Answer, SqlState> {
        if self.transaction(slot).is_none_or(|transaction| transaction.failed) {
            self.free(slot);
            return Ok(Answer::RolledBack);
        }
        if self.is_doomed(slot, None) {
            self.release(slot);
            self.free(slot);
            return Err(SqlState::SERIALIZATION_FAILURE);
        }
        let is_ordered = self.transaction(slot).is_some_and(|it| it.reads.is_some());
        self.remember(slot);
        let mut changed = Vec::new();
        for (index, stored) in self.tables.iter_mut().enumerate() {
            for record in stored.records.iter_mut().filter(|record| record.is_held_by(slot)) {
                let held = record.held.take();
                let twice = held.as_ref().is_some_and(|held| held.twice);
                match held.and_then(|held| held.change) {
                    None => continue,
                    Some(Change::To(row)) => record.committed = Some(row),
                    Some(Change::Deleted) => record.committed = None,
                }
                changed.push((index, record.id, twice));
            }
            stored.records.retain(|record| record.committed.is_some() || record.held.is_some());
        }
        self.let_go_at_end(slot);
        for (table, id, twice) in changed {
            self.tell_of_change(slot, table, id, twice);
            if !is_ordered {
                self.outdates(table, id);
            }
        }
        self.tell_of_end(slot);
        self.free(slot);
        Ok(Answer::Committed)
    }

    /// A committed change of a row: whoever sees an older version of it learns that it is old.
    fn tell_of_change(&mut self, by: Slot, table: usize, id: u32, twice: bool) {
        for (slot, transaction) in self.open_mut() {
            if slot == by {
                continue;
            }
            if let Some(snapshot) = &mut transaction.snapshot {
                let seen = snapshot.tables.get_mut(table).into_iter().flatten();
                seen.filter(|seen| seen.id == id).for_each(|seen| seen.changed = true);
            }
        }
        for statement in self.waiting_on(table) {
            statement.wait.row_changed(id, twice);
            let todo = statement.progress.todo.iter_mut();
            todo.filter(|row| row.id == id).for_each(|row| row.changed = true);
        }
    }

    /// Whether a transaction has changed a row.
    fn has_changed(&self, slot: Slot) -> bool {
        let mut records = self.tables.iter().flat_map(|stored| &stored.records);
        records.any(|record| record.change_by(slot).is_some())
    }

    /// Undoes what a transaction did and lets go of what it holds.
    fn release(&mut self, slot: Slot) {
        let mut undone = Vec::new();
        for (table, stored) in self.tables.iter_mut().enumerate() {
            for record in stored.records.iter_mut().filter(|record| record.is_held_by(slot)) {
                if record.held.take().is_some_and(|held| held.change.is_some()) {
                    undone.push((table, record.id));
                }
            }
            stored.records.retain(|record| record.committed.is_some() || record.held.is_some());
        }
        self.let_go_at_end(slot);
        for (table, id) in undone {
            self.waiting_on(table).for_each(|statement| statement.wait.row_restored(id));
        }
        self.tell_of_end(slot);
    }

    /// Undoes a transaction in which something failed. What is left of it is that it has failed; of a
    /// statement by itself, nothing.
    fn fail(&mut self, slot: Slot) {
        self.release(slot);
        let Some(transaction) = self.transaction_mut(slot) else { return };
        if transaction.implicit {
            self.free(slot);
            return;
        }
        transaction.failed = true;
        transaction.snapshot = None;
        transaction.statement = None;
        transaction.reads = None;
        self.forget_history();
    }

    fn rollback(&mut self, slot: Slot) -> Answer {
        self.release(slot);
        self.free(slot);
        Answer::RolledBack
    }

    /// Commits a statement by itself, which is answered so.
    fn commit_alone(&mut self, session: &mut SimSession, slot: Slot, answer: Answer) -> Reply {
        session.slot = None;
        Reply::Answer(self.commit(slot).map(|_| answer).map_err(SqlError::from))
    }

    /// Takes up a statement, or goes on with one that waited, in its transaction.
    fn perform(&mut self, session: &mut SimSession, slot: Slot, planned: Planned<'_>) -> Reply {
        session.is_underway = false;
        let next = session.next.take();
        if let Some(answer) = self.transaction_mut(slot).and_then(|it| it.answer.take()) {
            return self.commit_alone(session, slot, answer);
        }
        let (result, is_whole) = match planned {
            Ok((plan, parameters)) => {
                let is_whole = plan.is_whole(|table| self.keys(table));
                let done = match &plan.act {
                    Act::Advisory(advisory) => self.advise(session, slot, advisory, parameters),
                    _ => self.attempt(slot, &plan, parameters, next),
                };
                (done, is_whole)
            }
            Err(error) => (Err(Stop::Fails(error)), true),
        };
        let implicit = self.transaction(slot).is_some_and(|transaction| transaction.implicit);
        match result {
            Err(Stop::Waits) => {
                session.slot = Some(slot);
                Reply::Queued
            }
            Err(Stop::Pauses(underway)) => {
                session.slot = Some(slot);
                session.is_underway = true;
                session.ask(underway)
            }
            Err(Stop::Fails(error)) => {
                self.fail(slot);
                session.slot = (!implicit).then_some(slot);
                Reply::Answer(Err(error))
            }
            // Others may act before it commits, and do not see what it did.
            Ok(answer) if implicit && !is_whole && self.has_changed(slot) => {
                if let Some(transaction) = self.transaction_mut(slot) {
                    let (wait, progress) = (Wait::none(), Progress::default());
                    transaction.statement = Some(InFlight { table: 0, wait, progress });
                    transaction.answer = Some(answer);
                }
                session.slot = Some(slot);
                session.is_underway = true;
                session.ask(Underway { took: None, left: 0, next: 1 })
            }
            Ok(answer) if implicit => self.commit_alone(session, slot, answer),
            Ok(answer) => {
                session.slot = Some(slot);
                Reply::Answer(Ok(answer))
            }
        }
    }
}

impl SimDb {
    fn reply(&mut self, session: &mut SimSession, statement: &Statement) -> Reply {
        let answer = |result: Result<Answer, SqlState>| Reply::Answer(result.map_err(Into::into));
        let Some(slot) = session.slot else {
            if matches!(statement, Statement::Commit | Statement::Rollback) {
                return answer(Err(SqlState::NO_ACTIVE_TRANSACTION));
            }
            let (isolation, implicit) = match statement {
                Statement::Begin(isolation) => (*isolation, false),
                _ => (Isolation::ReadCommitted, true),
            };
            let slot = match self.begin(isolation, implicit) {
                Ok(slot) => slot,
                Err(error) => return Reply::Answer(Err(error)),
            };
            if let Some(transaction) = self.transaction_mut(slot) {
                transaction.backend = session.backend;
            }
            if implicit {
                return self.take_up(session, slot, statement);
            }
            session.slot = Some(slot);
            return answer(Ok(Answer::Begun));
        };
        if let Some(wait) = self.waits_of(slot) {
            if wait.is_over() {
                self.choose(slot, session.next.take());
                let planned = self.prepared(statement);
                return self.perform(session, slot, planned);
            }
            return Reply::Waiting;
        }
        match statement {
            Statement::Begin(_) => answer(Err(SqlState::ACTIVE_TRANSACTION)),
            Statement::Commit => {
                session.slot = None;
                answer(self.commit(slot))
            }
            Statement::Rollback => {
                session.slot = None;
                answer(Ok(self.rollback(slot)))
            }
            _ if self.transaction(slot).is_some_and(|transaction| transaction.failed) => {
                answer(Err(SqlState::IN_FAILED_TRANSACTION))
            }
            _ => self.take_up(session, slot, statement),
        }
    }

    /// Begins with a statement; or asks first which of several rows it takes first, and has changed
    /// nothing.
    fn take_up(&mut self, session: &mut SimSession, slot: Slot, statement: &Statement) -> Reply {
        let planned = self.prepared(statement);
        if session.next.is_none()
            && let Ok((plan, parameters)) = &planned
            && let Some(left) = self.several(slot, plan, parameters)
        {
            if self.transaction(slot).is_some_and(|transaction| transaction.implicit) {
                self.free(slot);
            }
            return session.ask(Underway { took: None, left, next: left });
        }
        self.perform(session, slot, planned)
    }

    /// What a statement comes to, and its parameters.
    fn prepared<'s>(&self, statement: &'s Statement) -> Planned<'s> {
        match statement {
            #[cfg(feature = "sql")]
            Statement::Text(text) => self.with_parameters(text),
            statement => self.planned(statement).map(|plan| (Arc::new(plan), &[][..])),
        }
    }
}

/// A statement as it is performed, with its parameters; or why it cannot be.
type Planned<'s> = Result<(Arc<Plan>, &'s [Value]), SqlError>;

impl Database for SimDb {
    type Session = SimSession;

    fn connect(&mut self) -> Result<SimSession, SqlError> {
        Ok(SimSession::new())
    }

    fn execute(&mut self, session: &mut SimSession, statement: &Statement) -> Reply {
        if std::mem::take(&mut session.is_asked) {
            let said = "several rows may come next: `SimSession::takes_next` says which, and each has to \
                        be explored";
            mistaken("order", format_args!("`{statement}`: {said}"));
        }
        let reply = self.reply(session, statement);
        self.forget_backend(session);
        called(format_args!("{}", Told(statement, &reply)));
        if let Reply::Answer(Err(error)) = &reply
            && error.state.is_mistake()
        {
            mistaken(error.state.code(), format_args!("`{statement}`: {}", error.words()));
        }
        reply
    }

    fn disconnect(&mut self, session: SimSession) {
        if let Some(slot) = session.slot {
            self.rollback(slot);
        }
        self.let_go_of_session(&session);
        called(format_args!("{SESSION_ENDS}"));
    }
}

/// Whether a table can hold these rows.
fn can_hold(table: &'static Table, rows: &[Row]) -> Result<(), SqlError> {
    for (index, row) in rows.iter().enumerate() {
        let wrong = |state, said: &str| {
            Err(SqlError::new(
                state,
                &format!("the row {row:?} of the table `{}`: {said}", table.name),
            ))
        };
        if let Err(error) = Statement::from(Insert::new(table, row.clone())).check() {
            return wrong(error.state, error.words());
        }
        let has_its_key =
            |other: &Row| table.unique().is_some_and(|key| other.get(key) == row.get(key));
        if rows[..index].iter().any(has_its_key) {
            return wrong(SqlState::UNIQUE_VIOLATION, "another row before it has its key");
        }
    }
    Ok(())
}
