//! First floor, `db`: SQL statements, as values. Imports its neighbours in `db`.

#[cfg(feature = "sql")]
use std::sync::Arc;

use super::schema::{Row, Table, Value};

/// A transaction's isolation level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Isolation {
    /// Each statement sees what was committed when it began. It sees a row that it had to wait for
    /// as the row is after the wait.
    ReadCommitted,
    /// The transaction sees what was committed at its first statement. If it updates a row that was
    /// updated since, it fails. (PostgreSQL's is snapshot isolation.)
    RepeatableRead,
    /// As if transactions ran one after the other. A transaction that does not fit into such an
    /// order fails.
    Serializable,
}

impl Isolation {
    /// All levels, the weakest first.
    pub const ALL: [Isolation; 3] =
        [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable];

    /// The level's name in SQL.
    pub fn sql(self) -> &'static str {
        match self {
            Isolation::ReadCommitted => "READ COMMITTED",
            Isolation::RepeatableRead => "REPEATABLE READ",
            Isolation::Serializable => "SERIALIZABLE",
        }
    }
}

/// One statement: what a process can do in one step. Outside of a transaction, a statement is a
/// transaction by itself (autocommit).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Statement {
    /// `BEGIN ISOLATION LEVEL …`.
    Begin(Isolation),
    /// `COMMIT`. If the transaction has failed, it is a rollback and
    /// [answered](super::Answer::RolledBack) so.
    Commit,
    /// `ROLLBACK`.
    Rollback,
    /// `SELECT`.
    Select(Select),
    /// `INSERT`.
    Insert(Insert),
    /// `UPDATE`.
    Update(Update),
    /// `DELETE`.
    Delete(Delete),
    /// Any statement about rows, as [text](Statement::sql).
    #[cfg(feature = "sql")]
    Text(Text),
}

/// A statement as text, with the values of its parameters: what [`Statement::sql`] makes.
#[cfg(feature = "sql")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text {
    pub(super) text: Arc<str>,
    pub(super) parameters: Vec<Value>,
}

#[cfg(feature = "sql")]
impl Text {
    /// The text, with its parameters by number.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The values of `$1`, `$2` and so on.
    pub fn parameters(&self) -> &[Value] {
        &self.parameters
    }
}

#[cfg(feature = "sql")]
impl Statement {
    /// A statement as text, in PostgreSQL's dialect, with the values of `$1`, `$2` and so on.
    ///
    /// A real database gets the text as it is. A simulated one compiles it against its tables;
    /// [`SimDb`](super::SimDb) lists what is simulated. [`SimDb::prepare`](super::SimDb::prepare) says
    /// before a check whether a text is.
    ///
    /// Numbers are sent as `BIGINT`.
    pub fn sql(text: &str, parameters: impl IntoIterator<Item = Value>) -> Self {
        let parameters: Vec<Value> = parameters.into_iter().collect();
        let control = parameters.is_empty().then(|| super::sim::control(text)).flatten();
        control.unwrap_or_else(|| Statement::Text(Text { text: text.into(), parameters }))
    }
}

/// How a column is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`.
    Equal,
    /// `<>`.
    NotEqual,
    /// `>=`.
    AtLeast,
    /// `<=`.
    AtMost,
}

/// One comparison in a `WHERE`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Condition {
    /// The column's name.
    pub column: &'static str,
    /// How the column is compared.
    pub comparison: Comparison,
    /// The value that it is compared with.
    pub value: Value,
}

/// A `WHERE`: all of these conditions. An empty filter is no `WHERE`.
pub type Filter = Vec<Condition>;

/// What a `SELECT` asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// These columns of each row. At least one; rows are ordered by the table's first column, then
    /// by the others.
    Columns(Vec<&'static str>),
    /// Whether there is such a row: one row with one boolean.
    Exists,
    /// The sum of a column, 0 where there is no row: one row with one number.
    Sum(&'static str),
}

/// `SELECT … FROM … WHERE … [FOR UPDATE]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Select {
    /// The table.
    pub table: &'static Table,
    /// What to select.
    pub what: What,
    /// Which rows.
    pub filter: Filter,
    /// Locks the rows until the transaction ends. Only with [`What::Columns`].
    pub for_update: bool,
}

/// What an `INSERT` does where a row with its key exists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OnConflict {
    /// It fails with [`UNIQUE_VIOLATION`](super::SqlState::UNIQUE_VIOLATION).
    Fail,
    /// `ON CONFLICT (the unique column) DO NOTHING`.
    DoNothing,
    /// `ON CONFLICT (the unique column) DO UPDATE SET column = EXCLUDED.column, …`: at least one
    /// column, and none twice.
    DoUpdate(Vec<&'static str>),
}

/// What an `INSERT` answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Returning {
    /// How many rows it touched.
    Count,
    /// `RETURNING` these columns: one row if a row was inserted or updated, no row otherwise.
    Columns(Vec<&'static str>),
    /// `RETURNING (xmax = 0)`: one boolean, whether the row is new and not an updated one. Only
    /// PostgreSQL has it; elsewhere it is
    /// [`FEATURE_NOT_SUPPORTED`](super::SqlState::FEATURE_NOT_SUPPORTED).
    Inserted,
}

/// `INSERT INTO … (…) VALUES … [ON CONFLICT …] [RETURNING …]`, one row.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Insert {
    /// The table.
    pub table: &'static Table,
    /// A value for each of its columns.
    pub row: Row,
    /// What to do where a row with its key exists.
    pub on_conflict: OnConflict,
    /// What to answer.
    pub returning: Returning,
}

/// What a column is set to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expression {
    /// This value.
    Value(Value),
    /// The column's value, plus this number.
    Plus(i64),
}

/// `UPDATE … SET … WHERE …`; answers how many rows it changed. It takes the rows that fit one by
/// one, in no promised order: the [simulated database](super::SimDb) explores each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Update {
    /// The table.
    pub table: &'static Table,
    /// The columns to set: at least one, none twice, and not the unique one.
    pub set: Vec<(&'static str, Expression)>,
    /// Which rows.
    pub filter: Filter,
}

/// `DELETE FROM … WHERE …`; answers how many rows it removed. Several rows are treated as by an
/// [`Update`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delete {
    /// The table.
    pub table: &'static Table,
    /// Which rows.
    pub filter: Filter,
}

macro_rules! filtered {
    ($statement:ident) => {
        impl $statement {
            /// `WHERE column = value`, besides the other conditions.
            pub fn filter(self, column: &'static str, value: impl Into<Value>) -> Self {
                self.condition(column, Comparison::Equal, value)
            }

            /// Another condition that a row has to meet.
            pub fn condition(
                mut self,
                column: &'static str,
                comparison: Comparison,
                value: impl Into<Value>,
            ) -> Self {
                self.filter.push(Condition { column, comparison, value: value.into() });
                self
            }
        }

        impl From<$statement> for Statement {
            fn from(statement: $statement) -> Self {
                Statement::$statement(statement)
            }
        }
    };
}

filtered!(Select);
filtered!(Update);
filtered!(Delete);

impl Select {
    fn new(table: &'static Table, what: What) -> Self {
        Select { table, what, filter: Filter::new(), for_update: false }
    }

    /// `SELECT columns FROM table`.
    pub fn columns(table: &'static Table, columns: &[&'static str]) -> Self {
        Self::new(table, What::Columns(columns.to_vec()))
    }

    /// `SELECT EXISTS (SELECT 1 FROM table …)`.
    pub fn exists(table: &'static Table) -> Self {
        Self::new(table, What::Exists)
    }

    /// `SELECT sum(column) FROM table`.
    pub fn sum(table: &'static Table, column: &'static str) -> Self {
        Self::new(table, What::Sum(column))
    }

    /// `… FOR UPDATE`.
    pub fn for_update(self) -> Self {
        Select { for_update: true, ..self }
    }
}

impl Insert {
    /// `INSERT INTO table VALUES row`.
    pub fn new(table: &'static Table, row: Row) -> Self {
        Insert { table, row, on_conflict: OnConflict::Fail, returning: Returning::Count }
    }

    /// `… ON CONFLICT …`.
    pub fn on_conflict(self, on_conflict: OnConflict) -> Self {
        Insert { on_conflict, ..self }
    }

    /// `… RETURNING …`.
    pub fn returning(self, returning: Returning) -> Self {
        Insert { returning, ..self }
    }
}

impl From<Insert> for Statement {
    fn from(insert: Insert) -> Self {
        Statement::Insert(insert)
    }
}

impl Update {
    /// `UPDATE table`, with nothing set yet.
    pub fn new(table: &'static Table) -> Self {
        Update { table, set: Vec::new(), filter: Filter::new() }
    }

    /// `SET column = value`.
    pub fn set(mut self, column: &'static str, value: impl Into<Value>) -> Self {
        self.set.push((column, Expression::Value(value.into())));
        self
    }

    /// `SET column = column + amount`.
    pub fn add(mut self, column: &'static str, amount: i64) -> Self {
        self.set.push((column, Expression::Plus(amount)));
        self
    }
}

impl Delete {
    /// `DELETE FROM table`.
    pub fn new(table: &'static Table) -> Self {
        Delete { table, filter: Filter::new() }
    }
}
