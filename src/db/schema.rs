//! First floor, `db`: values, columns and tables. Imports nothing of this crate.

use std::fmt;
use std::sync::Arc;

/// A value in a column, or in the answer to a query.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// `BIGINT`.
    Int(i64),
    /// `TEXT`.
    Text(Arc<str>),
    /// The answer of `EXISTS` and of comparisons; no column holds it.
    Bool(bool),
}

impl Value {
    /// The number, if it is one.
    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            Value::Text(_) | Value::Bool(_) => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Int(_) | Value::Bool(_) => None,
        }
    }

    /// The truth value, if it is one.
    pub fn bool(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            Value::Int(_) | Value::Text(_) => None,
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl From<&Arc<str>> for Value {
    fn from(text: &Arc<str>) -> Self {
        Value::Text(Arc::clone(text))
    }
}

impl fmt::Display for Value {
    /// The value as an SQL literal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(number) => write!(f, "{number}"),
            Value::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
            Value::Bool(truth) => f.write_str(if *truth { "true" } else { "false" }),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A row: the values of its columns, in the table's order, or in the order that a query asks for.
pub type Row = Arc<[Value]>;

/// A row of these values.
pub fn row<const N: usize>(values: [Value; N]) -> Row {
    Arc::from(values)
}

/// A row as a person reads it: its value, or `(1, 'pending')`.
pub(super) fn told(row: &Row) -> String {
    match &row[..] {
        [value] => value.to_string(),
        values => {
            let values: Vec<_> = values.iter().map(Value::to_string).collect();
            format!("({})", values.join(", "))
        }
    }
}

/// What a column can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `BIGINT NOT NULL`.
    Int,
    /// `TEXT NOT NULL`.
    Text,
}

impl Kind {
    /// Whether this value is of this kind.
    pub(super) fn holds(self, value: &Value) -> bool {
        matches!((self, value), (Kind::Int, Value::Int(_)) | (Kind::Text, Value::Text(_)))
    }
}

/// A column's name and what it can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it can hold.
    pub kind: Kind,
}

impl Column {
    /// A column of numbers.
    pub const fn int(name: &'static str) -> Self {
        Column { name, kind: Kind::Int }
    }

    /// A column of texts.
    pub const fn text(name: &'static str) -> Self {
        Column { name, kind: Kind::Text }
    }
}

/// A table: its name, its columns, and the one column that is unique, if there is one.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Table {
    /// Its name, unique in the database.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [Column],
    /// The column that has a unique index: one of `columns`.
    pub unique: Option<&'static str>,
}

impl Table {
    /// The index of the column of this name.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The index of the unique column, if there is one.
    pub fn unique(&self) -> Option<usize> {
        self.unique.and_then(|name| self.column(name))
    }

    /// `CREATE TABLE IF NOT EXISTS …`, for every database that speaks SQL. In PostgreSQL the unique
    /// column has an index.
    ///
    /// # Panics
    ///
    /// If there can be no such table: it has no column, or one of them twice, `unique` names none
    /// of them, or a name is not valid in SQL (`order`, `Id`). Every world refuses to make such a
    /// table.
    #[track_caller]
    pub fn definition(&self) -> String {
        if let Err(error) = self.check() {
            panic!("{}", error.words());
        }
        let columns = self.columns.iter().map(|column| {
            let kind = match column.kind {
                Kind::Int => "BIGINT",
                Kind::Text => "TEXT",
            };
            let unique = if self.unique == Some(column.name) { " UNIQUE" } else { "" };
            format!("{} {kind} NOT NULL{unique}", column.name)
        });
        let columns: Vec<_> = columns.collect();
        format!("CREATE TABLE IF NOT EXISTS {} ({})", self.name, columns.join(", "))
    }
}
