//! Fourth floor, `replay`: what is left when all is over. Imports [`fs`](crate::fs) and
//! [`db`](crate::db).

use std::fmt;

use crate::db::{Row, Table, Value};
use crate::fs::Tree;

/// What is there at the end of a replay, as a value that can be compared between worlds and read by a
/// person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remains {
    /// Files and directories.
    Files(Tree),
    /// The committed rows of a database.
    Rows(Tables),
}

impl fmt::Display for Remains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remains::Files(tree) => tree.fmt(f),
            Remains::Rows(tables) => tables.fmt(f),
        }
    }
}

/// The tables of a database with their rows, in no particular order of these.
///
/// Displayed as `psql` does it, the table's name above.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tables(Vec<(&'static Table, Vec<Row>)>);

impl Tables {
    /// No tables yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with this table, which it does not have yet, and these rows in it.
    pub fn with(mut self, table: &'static Table, rows: impl IntoIterator<Item = Row>) -> Self {
        let mut rows: Vec<Row> = rows.into_iter().collect();
        rows.sort();
        self.0.push((table, rows));
        self
    }

    /// Each table, and its rows sorted.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Column, row};

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
}
