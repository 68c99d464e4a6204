//! First floor, `db`: which serializable transactions may commit. Imports its neighbours in `sim`.
//!
//! Two transactions have an order if one reads what the other writes, or if both write one row. A
//! read is what its `WHERE` says, so that missing rows count as read. A history is serializable if
//! these orders have no cycle. A transaction that closes a cycle with committed ones fails: at the
//! statement that closes it, or at its first statement after another transaction's commit closed
//! it.
//!
//! This admits every serializable history of snapshots. PostgreSQL checks less: two conflicts in a
//! row, without following the cycle, and whole pages and tables in place of conditions. So it fails
//! transactions that this admits.
//!
//! A protocol that is right here may fail too often in PostgreSQL; retries are for that. A protocol
//! that is wrong here is wrong there. Another transaction may fail there, and the order need not be
//! that of real time (see [`db`](crate::db)).

use super::expr::{Expr, Scope};
use super::{Change, SimDb, Slot};
use crate::db::Isolation;
use crate::db::schema::Row;

/// What an open transaction has read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reads {
    /// Which tables, and which of their rows.
    of: Vec<(usize, Option<Expr>)>,
    /// How many of the history's transactions had committed when it took its snapshot.
    seen: usize,
    /// The rows that a transaction of another level has changed since this one read them. A version
    /// stands between the one that this one read and one that a later one writes.
    outdated: Vec<(usize, u32)>,
}

/// What a transaction has read and written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Footprint {
    reads: Reads,
    writes: Vec<Write>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Write {
    pub(super) table: usize,
    pub(super) id: Option<u32>,
    pub(super) before: Option<Row>,
    pub(super) after: Option<Row>,
}

impl SimDb {
    /// Notes the snapshot of a serializable transaction.
    pub(super) fn reads_from_here(&self, isolation: Isolation) -> Option<Reads> {
        let seen = self.history.len();
        let none = Reads { of: Vec::new(), seen, outdated: Vec::new() };
        (isolation == Isolation::Serializable).then_some(none)
    }

    /// Notes that a transaction of another level, which is in no order, has changed a row. The next
    /// transaction that writes the row does not overwrite what serializable transactions have read
    /// so far.
    pub(super) fn outdates(&mut self, table: usize, id: u32) {
        let open = self.transactions.iter_mut().flatten().filter_map(|it| it.reads.as_mut());
        let committed = self.history.iter_mut().map(|footprint| &mut footprint.reads);
        for reads in open.chain(committed) {
            if let Err(place) = reads.outdated.binary_search(&(table, id)) {
                reads.outdated.insert(place, (table, id));
            }
        }
    }

    /// Notes that a serializable transaction has read these rows.
    pub(super) fn has_read(&mut self, slot: Slot, table: usize, filter: Option<Expr>) {
        let transaction = self.transaction_mut(slot);
        let Some(reads) = transaction.and_then(|transaction| transaction.reads.as_mut()) else {
            return;
        };
        let read = (table, filter);
        if !reads.of.contains(&read) {
            reads.of.push(read);
        }
    }

    /// Whether a serializable transaction can no longer commit, or could not if it also made this
    /// write.
    pub(super) fn is_doomed(&self, slot: Slot, and: Option<Write>) -> bool {
        let Some(mut mine) = self.footprint(slot) else { return false };
        mine.writes.extend(and);
        // From mine to whatever has to come after it, until that is mine again.
        let committed = self.history.iter().enumerate();
        let after_mine = committed.filter(|(index, other)| {
            self.comes_first(&mine, other, *index < mine.reads.seen, false)
        });
        let mut next: Vec<usize> = after_mine.map(|(index, _)| index).collect();
        let mut reached = vec![false; self.history.len()];
        while let Some(from) = next.pop() {
            let Some(footprint) = self.history.get(from) else { continue };
            if std::mem::replace(&mut reached[from], true) {
                continue;
            }
            if self.comes_first(footprint, &mine, false, from < mine.reads.seen) {
                return true;
            }
            let others = self.history.iter().enumerate().filter(|(to, other)| {
                let (sees, is_seen) = (*to < footprint.reads.seen, from < other.reads.seen);
                self.comes_first(footprint, other, sees, is_seen)
            });
            next.extend(others.map(|(to, _)| to));
        }
        false
    }

    /// Whether `first` has to come before `second` in any serial order. `sees`: the first one's
    /// snapshot has what the second one committed; `is_seen`: the other way round.
    fn comes_first(
        &self,
        first: &Footprint,
        second: &Footprint,
        sees: bool,
        is_seen: bool,
    ) -> bool {
        let read_before_written = !sees && Self::reads_of(first, second, &first.reads.outdated);
        let written_before_read = is_seen && Self::reads_of(second, first, &[]);
        let rewritten = is_seen
            && first.writes.iter().any(|one| {
                let same = |other: &Write| {
                    one.id.is_some() && (one.table, one.id) == (other.table, other.id)
                };
                second.writes.iter().any(same)
            });
        read_before_written || written_before_read || rewritten
    }

    /// Whether one read what the other wrote, in whichever version, but for these rows.
    fn reads_of(reader: &Footprint, writer: &Footprint, but: &[(usize, u32)]) -> bool {
        let counts = |write: &&Write| write.id.is_none_or(|id| !but.contains(&(write.table, id)));
        reader.reads.of.iter().any(|(table, filter)| {
            let written = writer.writes.iter().filter(|write| write.table == *table);
            let written = written.filter(counts);
            let mut versions = written.flat_map(|write| [&write.before, &write.after]).flatten();
            versions.any(|row| may_fit(filter.as_ref(), row))
        })
    }

    fn footprint(&self, slot: Slot) -> Option<Footprint> {
        let reads = self.transaction(slot)?.reads.clone()?;
        let mut writes = Vec::new();
        for (table, stored) in self.tables.iter().enumerate() {
            for record in &stored.records {
                let Some(change) = record.change_by(slot) else { continue };
                let after = match change {
                    Change::To(row) => Some(row.clone()),
                    Change::Deleted => None,
                };
                let before = record.committed.clone();
                writes.push(Write { table, id: Some(record.id), before, after });
            }
        }
        Some(Footprint { reads, writes })
    }

    /// Keeps what a transaction that commits has read and written.
    pub(super) fn remember(&mut self, slot: Slot) {
        if let Some(footprint) = self.footprint(slot) {
            self.history.push(footprint);
        }
    }

    /// Once nobody is left who could be ordered among them, what came before does not matter.
    pub(super) fn forget_history(&mut self) {
        if !self.open().any(|(_, transaction)| transaction.reads.is_some()) {
            self.history.clear();
        }
    }

    /// The rows whose ids the history remembers.
    pub(super) fn written(&self, table: usize) -> impl Iterator<Item = u32> {
        let writes = self.history.iter().flat_map(|footprint| &footprint.writes);
        let written = writes.filter(move |write| write.table == table).filter_map(|write| write.id);
        let open = self.open().filter_map(|(_, transaction)| transaction.reads.as_ref());
        let reads = open.chain(self.history.iter().map(|footprint| &footprint.reads));
        let outdated = reads.flat_map(|reads| &reads.outdated);
        let outdated = outdated.filter(move |(other, _)| *other == table).map(|(_, id)| *id);
        written.chain(outdated)
    }
}

/// Whether a condition speaks of a row; where it cannot be told, it does.
fn may_fit(filter: Option<&Expr>, row: &Row) -> bool {
    let of = Scope { row, ..Scope::default() };
    filter.is_none_or(|filter| filter.holds(of).unwrap_or(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{
        Column, Database, Delete, Insert, OnConflict, Reply, Select, SimSession, Statement, Table,
        row,
    };

    static ACCOUNT: Table = Table {
        name: "account",
        columns: &[Column::int("id"), Column::int("balance")],
        unique: Some("id"),
    };

    const COMMIT: Statement = Statement::Commit;

    fn read(id: i64) -> Statement {
        Select::columns(&ACCOUNT, &["balance"]).filter("id", id).into()
    }

    fn insert(id: i64) -> Insert {
        Insert::new(&ACCOUNT, row([id.into(), 0.into()]))
    }

    fn upsert(id: i64, balance: i64) -> Statement {
        let upsert = Insert::new(&ACCOUNT, row([id.into(), balance.into()]));
        upsert.on_conflict(OnConflict::DoUpdate(vec!["balance"])).into()
    }

    /// Serializable transactions on accounts of these ids; each begins with its first statement.
    #[track_caller]
    fn assert_told(ids: &[i64], story: &[(usize, Statement, &str)]) {
        let rows = ids.iter().map(|id| row([(*id).into(), 0.into()]));
        let mut db = SimDb::new().with_table(&ACCOUNT, rows);
        let mut sessions = vec![SimSession::new(); 4];
        for (index, (who, statement, expected)) in story.iter().enumerate() {
            let session = &mut sessions[*who];
            if session.slot.is_none() {
                db.execute(session, &Statement::Begin(Isolation::Serializable));
            }
            let told = match db.execute(session, statement) {
                Reply::Answer(Ok(answer)) => answer.to_string(),
                Reply::Answer(Err(error)) => format!("{error:?}"),
                waits => format!("{waits:?}"),
            };
            assert_eq!(told, *expected, "{index}. {who}: {statement}");
        }
        assert!(db.is_idle());
    }

    /// 1 comes before 2, which rewrites what 1 wrote; 2 comes before 0, which writes what 2 read; and 0
    /// comes before 1.
    #[test]
    fn who_writes_a_row_again_comes_after_who_wrote_it() {
        let story = |rewritten: i64, last| {
            assert_told(
                &[1, 2, 3, 4],
                &[
                    (0, read(1), "0"),
                    (1, upsert(1, 5), "1 row"),
                    (1, upsert(2, 5), "1 row"),
                    (1, COMMIT, "ok"),
                    (2, upsert(rewritten, 7), "1 row"),
                    (2, read(3), "0"),
                    (0, upsert(3, 9), "1 row"),
                    (0, COMMIT, "ok"),
                    (2, COMMIT, last),
                ],
            );
        };
        story(2, "40001");
        story(4, "ok");
    }

    /// A row that was inserted and deleted while somebody looks back to before is there for nobody, but
    /// its transactions are still to be ordered: the next row is not to be taken for it.
    #[test]
    fn a_new_row_is_not_one_that_a_transaction_of_the_history_wrote() {
        assert_told(
            &[],
            &[
                (0, read(1), "no row"),
                (1, insert(1).into(), "1 row"),
                (1, COMMIT, "ok"),
                (2, Delete::new(&ACCOUNT).filter("id", 1).into(), "1 row"),
                (2, COMMIT, "ok"),
                (3, insert(2).into(), "1 row"),
                (3, read(9), "no row"),
                (0, insert(9).into(), "1 row"),
                (0, COMMIT, "ok"),
                (3, COMMIT, "ok"),
            ],
        );
    }
}
