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
    /// `BOOLEAN`; also the answer of `EXISTS` and of comparisons.
    Bool(bool),
    /// `NULL`: no value. In an order it comes last.
    Null,
}

impl Value {
    /// The number, if it is one.
    pub fn int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn bool(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            _ => None,
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

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
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
            Value::Null => f.write_str("NULL"),
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
    /// `BIGINT`.
    Int,
    /// `INTEGER`, which has four bytes.
    Integer,
    /// `TEXT`.
    Text,
    /// `BOOLEAN`.
    Bool,
}

impl Kind {
    /// Whether this value is of this kind. `NULL` is of none.
    pub(super) fn holds(self, value: &Value) -> bool {
        match (self, value) {
            (Kind::Integer, Value::Int(number)) => i32::try_from(*number).is_ok(),
            (Kind::Int, Value::Int(_))
            | (Kind::Text, Value::Text(_))
            | (Kind::Bool, Value::Bool(_)) => true,
            _ => false,
        }
    }

    /// The value that PostgreSQL reads in a text, if it reads one of this kind.
    #[cfg(feature = "sql")]
    pub(super) fn read(self, text: &str) -> Option<Value> {
        let word = text.trim_matches([' ', '\t', '\n', '\r', '\x0b', '\x0c']);
        let value = match self {
            Kind::Text => Value::from(text),
            Kind::Int | Kind::Integer => Value::Int(word.parse().ok()?),
            Kind::Bool => {
                let word = word.to_ascii_lowercase();
                let begins = |whole: &str| !word.is_empty() && whole.starts_with(&word);
                match word.as_str() {
                    "1" | "on" => true.into(),
                    "0" | "of" | "off" => false.into(),
                    _ if begins("true") || begins("yes") => true.into(),
                    _ if begins("false") || begins("no") => false.into(),
                    _ => return None,
                }
            }
        };
        self.holds(&value).then_some(value)
    }

    /// Its name in SQL.
    pub(super) fn sql(self) -> &'static str {
        match self {
            Kind::Int => "BIGINT",
            Kind::Integer => "INTEGER",
            Kind::Text => "TEXT",
            Kind::Bool => "BOOLEAN",
        }
    }
}

/// A column's name and what it can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it can hold.
    pub kind: Kind,
    /// Whether it may be `NULL`.
    pub nullable: bool,
}

impl Column {
    /// A column of numbers, none of them `NULL`.
    pub const fn int(name: &'static str) -> Self {
        Column { name, kind: Kind::Int, nullable: false }
    }

    /// A column of texts, none of them `NULL`.
    pub const fn text(name: &'static str) -> Self {
        Column { name, kind: Kind::Text, nullable: false }
    }

    /// A column of truth values, none of them `NULL`.
    pub const fn bool(name: &'static str) -> Self {
        Column { name, kind: Kind::Bool, nullable: false }
    }

    /// The same column, which may be `NULL`.
    pub const fn nullable(self) -> Self {
        Column { nullable: true, ..self }
    }

    /// Whether it can hold this value.
    pub(super) fn holds(&self, value: &Value) -> bool {
        if *value == Value::Null { self.nullable } else { self.kind.holds(value) }
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
            let not_null = if column.nullable { "" } else { " NOT NULL" };
            let unique = if self.unique == Some(column.name) { " UNIQUE" } else { "" };
            format!("{} {}{not_null}{unique}", column.name, column.kind.sql())
        });
        let columns: Vec<_> = columns.collect();
        format!("CREATE TABLE IF NOT EXISTS {} ({})", self.name, columns.join(", "))
    }
}
