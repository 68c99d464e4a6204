//! Fourth floor, `replay`: what is left at the end. Imports [`fs`](crate::fs),
//! [`db`](crate::db), [`net`](crate::net) and [`check`](crate::check).

use std::fmt;
use std::net::IpAddr;

use crate::check::threads::fates;
use crate::db::{Row, SimDb, Table, Value};
use crate::fs::Tree;
use crate::net::Visit;

/// The end state of a replay, as a value. It can be compared between worlds, and a person can read
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remains {
    /// Files and directories.
    Files(Tree),
    /// The committed rows of a database.
    Rows(Tables),
    /// What reached the servers of a network.
    Visits(Visits),
    /// How many times each value was dropped.
    Drops(Vec<usize>),
}

impl Remains {
    /// The verb for how it came to be: files and rows `was left`, visits `arrived`, drops
    /// `happened`.
    pub fn word(&self) -> &'static str {
        match self {
            Remains::Files(_) | Remains::Rows(_) => "was left",
            Remains::Visits(_) => "arrived",
            Remains::Drops(_) => "happened",
        }
    }
}

impl fmt::Display for Remains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remains::Files(tree) => tree.fmt(f),
            Remains::Rows(tables) => tables.fmt(f),
            Remains::Visits(visits) => visits.fmt(f),
            Remains::Drops(dropped) => f.write_str(&fates(dropped)),
        }
    }
}

/// The tables of a database with their rows; the order of the rows does not matter.
///
/// Displayed as `psql` does it, with the table's name above.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables(Vec<(&'static Table, Vec<Row>)>);

impl Tables {
    /// No tables yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// All tables of a simulated database, with their rows.
    pub fn of(db: &SimDb) -> Self {
        db.tables().fold(Tables::new(), |tables, table| tables.with(table, db.rows(table)))
    }

    /// Adds this table with these rows. The table must not be there yet.
    pub fn with(mut self, table: &'static Table, rows: impl IntoIterator<Item = Row>) -> Self {
        let mut rows: Vec<Row> = rows.into_iter().collect();
        rows.sort();
        self.0.push((table, rows));
        self
    }

    /// The tables, without their rows.
    pub fn names(&self) -> Vec<&'static Table> {
        self.iter().map(|(table, _)| table).collect()
    }

    /// Each table with its rows, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Table, &[Row])> {
        self.0.iter().map(|(table, rows)| (*table, rows.as_slice()))
    }
}

impl fmt::Display for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (table, rows) in self.iter() {
            writeln!(f, "{}", table.name)?;
            let cells: Vec<Vec<String>> =
                rows.iter().map(|row| row.iter().map(Value::to_string).collect()).collect();
            let width = |index: usize| {
                let cells = cells.iter().filter_map(|row| row.get(index));
                let head = table.columns.get(index).map_or(0, |column| column.name.len());
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(head)
            };
            let line = |cells: &mut dyn Iterator<Item = &str>| {
                let padded =
                    cells.enumerate().map(|(index, cell)| format!("{cell:0$}", width(index)));
                padded.collect::<Vec<_>>().join(" | ").trim_end().to_owned()
            };
            writeln!(f, "  {}", line(&mut table.columns.iter().map(|column| column.name)))?;
            let rule = (0..table.columns.len()).map(|index| "-".repeat(width(index)));
            writeln!(f, "  {}", rule.collect::<Vec<_>>().join("-+-"))?;
            for row in &cells {
                writeln!(f, "  {}", line(&mut row.iter().map(String::as_str)))?;
            }
            if rows.is_empty() {
                writeln!(f, "  (no row)")?;
            }
        }
        Ok(())
    }
}

/// The visits to each server of a network, in their order.
///
/// Displayed as the server's address, with one line below it for each visit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visits(Vec<(IpAddr, Vec<Visit>)>);

impl Visits {
    /// The visits to these servers.
    pub fn of<'v>(servers: impl Iterator<Item = (IpAddr, &'v [Visit])>) -> Self {
        Visits(servers.map(|(address, visits)| (address, visits.to_vec())).collect())
    }

    /// The visits to the server at this address; none if there is no such server.
    pub fn at(&self, server: IpAddr) -> &[Visit] {
        let found = self.0.iter().find(|(address, _)| *address == server.to_canonical());
        found.map_or(&[], |(_, visits)| visits)
    }
}

impl fmt::Display for Visits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (address, visits) in &self.0 {
            writeln!(f, "{address}")?;
            for visit in visits {
                writeln!(f, "  {visit}")?;
            }
            if visits.is_empty() {
                writeln!(f, "  (nothing)")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Column, row};
    use crate::net::Method;

    static ORDERS: Table = Table {
        name: "orders",
        columns: &[Column::int("id"), Column::text("status")],
        unique: Some("id"),
    };

    #[test]
    fn rows_are_shown_as_a_table_and_compared_whatever_their_order() {
        let (first, second) =
            (row([1.into(), "cancelled".into()]), row([10.into(), "pending".into()]));
        let tables = Tables::new().with(&ORDERS, [second.clone(), first.clone()]);
        assert_eq!(
            tables.to_string().lines().collect::<Vec<_>>(),
            [
                "orders",
                "  id | status",
                "  ---+------------",
                "  1  | 'cancelled'",
                "  10 | 'pending'"
            ]
        );
        assert_eq!(tables, Tables::new().with(&ORDERS, [first.clone(), second]));
        assert_ne!(tables, Tables::new().with(&ORDERS, [first.clone(), first]));
        assert!(Tables::new().with(&ORDERS, []).to_string().ends_with("(no row)\n"));
    }

    #[test]
    fn visits_are_shown_by_server_a_line_each() {
        let [public, internal] = [[127, 0, 0, 2], [127, 0, 0, 3]].map(IpAddr::from);
        let asked = Visit::Asked(Method::Get, "a.example".into(), "/cat".into());
        let seen = [Visit::Connected, asked];
        let visits = Visits::of([(public, &seen[..]), (internal, &[])].into_iter());
        assert_eq!(
            visits.to_string().lines().collect::<Vec<_>>(),
            ["127.0.0.2", "  connected", "  GET /cat of a.example", "127.0.0.3", "  (nothing)"]
        );
        assert_eq!(visits.at(public), seen);
        assert!(visits.at(internal).is_empty());
    }
}
