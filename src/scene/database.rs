//! Fourth floor, `scene`: a simulated database, and the server processes that use it. Imports
//! [`db`](crate::db).

use super::{Section, holders};
use crate::db::{Row, Servers, SimDb, Value};
use crate::held::Kind;

/// The tables with their rows, and the transactions under way.
pub(super) fn sections(db: &SimDb) -> Vec<Section> {
    let mut sections = Vec::new();
    for (table, rows) in db.rows_inside() {
        let columns = table.columns.iter().map(|column| column.name);
        let columns: Vec<&str> = columns.chain(["not committed yet", "locked by"]).collect();
        let mut section = Section::new(format!("Table {}", table.name), &columns);
        for row in rows {
            let none = || vec![String::new(); table.columns.len()];
            let mut cells = row.committed.as_ref().map_or_else(none, cells);
            cells.push(match &row.change {
                None => String::new(),
                Some(None) => "deleted".to_owned(),
                Some(Some(to)) if row.committed.is_none() => format!("inserted: {}", listed(to)),
                Some(Some(to)) => format!("changed to {}", listed(to)),
            });
            cells.push(row.locked_by.map(by).unwrap_or_default());
            section.row(row.id.to_string(), cells);
        }
        sections.push(section);
    }
    let columns = ["of", "level", "state", "sees", "waits for"];
    let mut open = Section::new("Transactions", &columns);
    for transaction in db.transactions_inside() {
        let waits_for: Vec<String> = transaction.waits_for.iter().map(|slot| by(*slot)).collect();
        let sees = match transaction.has_snapshot {
            true => "what was committed at its first statement",
            false => "what is committed",
        };
        let cells = vec![
            by(transaction.slot),
            transaction.isolation.to_owned(),
            transaction.state.to_owned(),
            sees.to_owned(),
            waits_for.join(", "),
        ];
        open.row(transaction.slot.to_string(), cells);
    }
    sections.push(open);
    sections
}

/// The same, and what the server processes have in memory.
pub(super) fn with_servers(servers: &Servers<SimDb>) -> Vec<Section> {
    let mut all = sections(&servers.db);
    let mut processes = Section::new("Server processes", &["process", "mutex", "worker", "state"]);
    for (server, memory) in servers.memory().servers().enumerate() {
        let (locked, polling, dead) = memory;
        let name = (server + 1).to_string();
        let cells = vec![
            name.clone(),
            if locked { "locked" } else { "free" }.to_owned(),
            if polling { "polls a task" } else { "free" }.to_owned(),
            if dead { "killed" } else { "runs" }.to_owned(),
        ];
        processes.row(name, cells);
    }
    if !processes.rows.is_empty() {
        all.push(processes);
    }
    all
}

fn by(slot: u8) -> String {
    holders(Kind::Session, u64::from(slot))
}

fn cells(row: &Row) -> Vec<String> {
    row.iter().map(Value::to_string).collect()
}

fn listed(row: &Row) -> String {
    cells(row).join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::{Section, sections};
    use crate::db::{
        Column, Database, Isolation, SimDb, SimSession, Statement, Table, Update, row,
    };

    static COUPONS: Table = Table {
        name: "coupons",
        columns: &[Column::int("id"), Column::text("state")],
        unique: Some("id"),
    };

    #[test]
    fn who_has_locked_a_row_and_who_waits_for_it_is_told() {
        let mut db = SimDb::new().with_table(&COUPONS, [row([1.into(), "new".into()])]);
        let (mut one, mut other) = (SimSession::new(), SimSession::new());
        let mut does = |session: &mut SimSession, statement: Statement| {
            let _ = db.execute(session, &statement);
        };
        let update = || Update::new(&COUPONS).set("state", "used").filter("id", 1);
        does(&mut one, Statement::Begin(Isolation::ReadCommitted));
        does(&mut one, update().into());
        does(&mut other, Statement::Begin(Isolation::RepeatableRead));
        does(&mut other, update().into());
        let told = |section: &Section| -> Vec<String> {
            section.rows.iter().map(|row| row.cells.join(" | ")).collect()
        };
        let sections = sections(&db);
        assert_eq!(sections[0].title, "Table coupons");
        assert_eq!(told(&sections[0]), ["1 | 'new' | changed to 1, 'used' | \u{1}t0\u{2}"]);
        let first = "\u{1}t0\u{2} | READ COMMITTED | open | what is committed | ";
        let second = "\u{1}t1\u{2} | REPEATABLE READ | open | what was committed at its first \
                      statement | \u{1}t0\u{2}";
        assert_eq!(told(&sections[1]), [first, second]);
    }
}
