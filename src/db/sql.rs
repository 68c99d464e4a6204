//! First floor, `db`: statements as SQL. Imports its neighbours in `db`.

use std::fmt::{self, Write};

use super::error::{SqlError, SqlState};
use super::schema::Value;
#[cfg(feature = "sql")]
use super::statement::Text;
use super::statement::{
    Comparison, Condition, Expression, Insert, OnConflict, Returning, Select, Statement, Update,
    What,
};

/// A dialect of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// PostgreSQL's, and that of databases that speak its protocol.
    Postgres,
    /// SQLite's. A transaction takes the write lock when it begins (`BEGIN IMMEDIATE`), so it is
    /// serial whatever isolation was asked for. `FOR UPDATE`, which SQLite does not have, is then
    /// not needed.
    Sqlite,
}

/// A statement's text with numbered parameters (`$1`, or `?1` for SQLite), and their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The text. Statements that differ only in their values have the same text, so it can be
    /// prepared.
    pub text: String,
    /// The parameters' values.
    pub parameters: Vec<Value>,
}

impl Statement {
    /// The query to send to a database.
    ///
    /// # Errors
    ///
    /// If the statement does not fit the table that it is written for. Every world refuses it with
    /// the same code:
    ///
    /// - [`SYNTAX_ERROR`](SqlState::SYNTAX_ERROR) where no column is asked for or set, where one is
    ///   set twice, and for a row that does not have one value for each column;
    /// - [`UNDEFINED_COLUMN`](SqlState::UNDEFINED_COLUMN) for a column that the table does not
    ///   have;
    /// - [`DATATYPE_MISMATCH`](SqlState::DATATYPE_MISMATCH) for a value of another type than its
    ///   column, and for a sum of texts;
    /// - [`CHARACTER_NOT_IN_REPERTOIRE`](SqlState::CHARACTER_NOT_IN_REPERTOIRE) for a text with a
    ///   zero byte in it;
    /// - [`INVALID_COLUMN_REFERENCE`](SqlState::INVALID_COLUMN_REFERENCE) for an `ON CONFLICT` if
    ///   no column is unique;
    /// - [`FEATURE_NOT_SUPPORTED`](SqlState::FEATURE_NOT_SUPPORTED) for a `FOR UPDATE` of anything
    ///   but columns, and for an `UPDATE` that sets the unique one.
    ///
    /// Also `FEATURE_NOT_SUPPORTED` for a feature that the dialect does not have.
    pub fn query(&self, dialect: Dialect) -> Result<Query, SqlError> {
        self.check()?;
        #[cfg(feature = "sql")]
        if let Statement::Text(Text { text, parameters }) = self {
            if dialect == Dialect::Sqlite {
                let said = "a statement as text is in PostgreSQL's dialect";
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, said));
            }
            return Ok(Query { text: text.to_string(), parameters: parameters.clone() });
        }
        let inserted = matches!(self, Statement::Insert(i) if i.returning == Returning::Inserted);
        if inserted && dialect == Dialect::Sqlite {
            let said = "whether a row is new is PostgreSQL's alone to say (`RETURNING (xmax = 0)`)";
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, said));
        }
        let mut parameters = Vec::new();
        let sign = if dialect == Dialect::Postgres { '$' } else { '?' };
        let text = text(self, Some(dialect), &mut |text, value| {
            parameters.push(value.clone());
            let _ = write!(text, "{sign}{}", parameters.len());
        });
        Ok(Query { text, parameters })
    }
}

impl fmt::Display for Statement {
    /// The statement as a person would type it for PostgreSQL, with its values in place. Several
    /// rows are ordered by their columns even where no `ORDER BY` is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = text(self, None, &mut |text, value| {
            let _ = write!(text, "{value}");
        });
        f.pad(&text)
    }
}

type Put<'a> = &'a mut dyn FnMut(&mut String, &Value);

/// The statement for a dialect, or for a reader.
fn text(statement: &Statement, dialect: Option<Dialect>, put: Put<'_>) -> String {
    let mut text = String::with_capacity(96);
    match statement {
        Statement::Begin(_) if dialect == Some(Dialect::Sqlite) => text.push_str("BEGIN IMMEDIATE"),
        Statement::Begin(isolation) => {
            let _ = write!(text, "BEGIN ISOLATION LEVEL {}", isolation.sql());
        }
        Statement::Commit => text.push_str("COMMIT"),
        Statement::Rollback => text.push_str("ROLLBACK"),
        #[cfg(feature = "sql")]
        Statement::Text(statement) => filled(&mut text, statement, put),
        Statement::Select(select) => select_text(&mut text, select, dialect, put),
        Statement::Insert(insert) => insert_text(&mut text, insert, put),
        Statement::Update(update) => update_text(&mut text, update, dialect, put),
        Statement::Delete(delete) => {
            let _ = write!(text, "DELETE FROM {}", delete.table.name);
            filter_text(&mut text, &delete.filter, put);
        }
    }
    text
}

/// A text with the values of its parameters in place, but for what is between quotation marks.
#[cfg(feature = "sql")]
fn filled(text: &mut String, Text { text: from, parameters }: &Text, put: Put<'_>) {
    let mut quote = None;
    let mut rest = from.chars().peekable();
    while let Some(next) = rest.next() {
        match (quote, next) {
            (None, '\'' | '"') => quote = Some(next),
            (Some(open), next) if open == next => quote = None,
            (None, '$') => {
                let mut digits = String::new();
                while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                    digits.push(digit);
                }
                let number = digits.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                match number.and_then(|number| parameters.get(number)) {
                    Some(value) => put(text, value),
                    None => {
                        text.push('$');
                        text.push_str(&digits);
                    }
                }
                continue;
            }
            // On one line.
            (None, '\n' | '\r' | '\t' | ' ') => {
                if !text.ends_with(' ') {
                    text.push(' ');
                }
                continue;
            }
            _ => {}
        }
        text.push(next);
    }
}

fn select_text(text: &mut String, select: &Select, dialect: Option<Dialect>, put: Put<'_>) {
    let from = select.table.name;
    let _ = match &select.what {
        What::Columns(columns) => write!(text, "SELECT {} FROM {from}", columns.join(", ")),
        What::Exists => write!(text, "SELECT EXISTS (SELECT 1 FROM {from}"),
        // PostgreSQL's sum of BIGINT is a NUMERIC.
        What::Sum(column) if dialect.is_some() => {
            write!(text, "SELECT CAST(COALESCE(sum({column}), 0) AS BIGINT) FROM {from}")
        }
        What::Sum(column) => write!(text, "SELECT sum({column}) FROM {from}"),
    };
    filter_text(text, &select.filter, put);
    match &select.what {
        What::Exists => text.push(')'),
        What::Columns(_) if dialect.is_some() => {
            let order: Vec<_> = select.table.columns.iter().map(|column| column.name).collect();
            let _ = write!(text, " ORDER BY {}", order.join(", "));
        }
        What::Columns(_) | What::Sum(_) => {}
    }
    if select.for_update && dialect != Some(Dialect::Sqlite) {
        text.push_str(" FOR UPDATE");
    }
}

fn insert_text(text: &mut String, insert: &Insert, put: Put<'_>) {
    // A table may have its columns in another order, and more of them.
    let names: Vec<_> = insert.table.columns.iter().map(|column| column.name).collect();
    let _ = write!(text, "INSERT INTO {} ({}) VALUES (", insert.table.name, names.join(", "));
    for (index, value) in insert.row.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        put(text, value);
    }
    text.push(')');
    let key = insert.table.unique.unwrap_or("");
    let _ = match &insert.on_conflict {
        OnConflict::Fail => Ok(()),
        OnConflict::DoNothing => write!(text, " ON CONFLICT ({key}) DO NOTHING"),
        OnConflict::DoUpdate(columns) => {
            let set = columns.iter().map(|column| format!("{column} = EXCLUDED.{column}"));
            let set: Vec<_> = set.collect();
            write!(text, " ON CONFLICT ({key}) DO UPDATE SET {}", set.join(", "))
        }
    };
    let _ = match &insert.returning {
        Returning::Count => Ok(()),
        Returning::Columns(columns) => write!(text, " RETURNING {}", columns.join(", ")),
        Returning::Inserted => write!(text, " RETURNING (xmax = 0)"),
    };
}

fn update_text(text: &mut String, update: &Update, dialect: Option<Dialect>, put: Put<'_>) {
    let _ = write!(text, "UPDATE {} SET ", update.table.name);
    for (index, (column, expression)) in update.set.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        let _ = write!(text, "{column} = ");
        match expression {
            Expression::Value(value) => put(text, value),
            Expression::Plus(amount) if *amount < 0 && dialect.is_none() => {
                let _ = write!(text, "{column} - {}", amount.unsigned_abs());
            }
            Expression::Plus(amount) => {
                let _ = write!(text, "{column} + ");
                put(text, &Value::Int(*amount));
            }
        }
    }
    filter_text(text, &update.filter, put);
}

fn filter_text(text: &mut String, filter: &[Condition], put: Put<'_>) {
    for (index, Condition { column, comparison, value }) in filter.iter().enumerate() {
        let comparison = match comparison {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::AtLeast => ">=",
            Comparison::AtMost => "<=",
        };
        let and = if index == 0 { " WHERE" } else { " AND" };
        let _ = write!(text, "{and} {column} {comparison} ");
        put(text, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Column, Delete, Isolation, Table, row};

    static ACCOUNT: Table = Table {
        name: "account",
        columns: &[Column::int("id"), Column::text("owner"), Column::int("balance")],
        unique: Some("id"),
    };

    #[track_caller]
    fn assert_sql(statement: impl Into<Statement>, shown: &str, postgres: &str, sqlite: &str) {
        let statement = statement.into();
        assert_eq!(statement.to_string(), shown);
        assert_eq!(statement.query(Dialect::Postgres).unwrap().text, postgres);
        let sent = statement.query(Dialect::Sqlite);
        assert_eq!(sent.map_or_else(|error| error.state.to_string(), |query| query.text), sqlite);
    }

    #[test]
    fn statements_are_written_as_each_database_reads_them() {
        assert_sql(
            Select::columns(&ACCOUNT, &["owner"]).filter("id", 7).for_update(),
            "SELECT owner FROM account WHERE id = 7 FOR UPDATE",
            "SELECT owner FROM account WHERE id = $1 ORDER BY id, owner, balance FOR UPDATE",
            "SELECT owner FROM account WHERE id = ?1 ORDER BY id, owner, balance",
        );
        assert_sql(
            Select::exists(&ACCOUNT).condition("balance", Comparison::NotEqual, 0),
            "SELECT EXISTS (SELECT 1 FROM account WHERE balance <> 0)",
            "SELECT EXISTS (SELECT 1 FROM account WHERE balance <> $1)",
            "SELECT EXISTS (SELECT 1 FROM account WHERE balance <> ?1)",
        );
        assert_sql(
            Select::sum(&ACCOUNT, "balance"),
            "SELECT sum(balance) FROM account",
            "SELECT CAST(COALESCE(sum(balance), 0) AS BIGINT) FROM account",
            "SELECT CAST(COALESCE(sum(balance), 0) AS BIGINT) FROM account",
        );
        assert_sql(
            Update::new(&ACCOUNT)
                .add("balance", -5)
                .set("owner", "O'Neill")
                .filter("id", 1)
                .condition("balance", Comparison::AtLeast, 5),
            "UPDATE account SET balance = balance - 5, owner = 'O''Neill' WHERE id = 1 AND balance >= 5",
            "UPDATE account SET balance = balance + $1, owner = $2 WHERE id = $3 AND balance >= $4",
            "UPDATE account SET balance = balance + ?1, owner = ?2 WHERE id = ?3 AND balance >= ?4",
        );
        let insert = Insert::new(&ACCOUNT, row([1.into(), "ada".into(), 0.into()]));
        assert_sql(
            insert
                .clone()
                .on_conflict(OnConflict::DoNothing)
                .returning(Returning::Columns(vec!["owner"])),
            "INSERT INTO account (id, owner, balance) VALUES (1, 'ada', 0) ON CONFLICT (id) DO NOTHING RETURNING owner",
            "INSERT INTO account (id, owner, balance) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING RETURNING owner",
            "INSERT INTO account (id, owner, balance) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING RETURNING owner",
        );
        assert_sql(
            insert
                .on_conflict(OnConflict::DoUpdate(vec!["owner", "balance"]))
                .returning(Returning::Inserted),
            "INSERT INTO account (id, owner, balance) VALUES (1, 'ada', 0) ON CONFLICT (id) DO UPDATE SET \
             owner = EXCLUDED.owner, balance = EXCLUDED.balance RETURNING (xmax = 0)",
            "INSERT INTO account (id, owner, balance) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET \
             owner = EXCLUDED.owner, balance = EXCLUDED.balance RETURNING (xmax = 0)",
            "0A000",
        );
        assert_sql(
            Delete::new(&ACCOUNT).condition("balance", Comparison::AtMost, 0),
            "DELETE FROM account WHERE balance <= 0",
            "DELETE FROM account WHERE balance <= $1",
            "DELETE FROM account WHERE balance <= ?1",
        );
        assert_sql(
            Statement::Begin(Isolation::RepeatableRead),
            "BEGIN ISOLATION LEVEL REPEATABLE READ",
            "BEGIN ISOLATION LEVEL REPEATABLE READ",
            "BEGIN IMMEDIATE",
        );
    }

    #[test]
    fn parameters_come_in_the_order_of_their_numbers() {
        let update = Update::new(&ACCOUNT).add("balance", -5).filter("id", 1);
        let query = Statement::from(update).query(Dialect::Postgres).unwrap();
        assert_eq!(query.parameters, [Value::Int(-5), Value::Int(1)]);
    }
}
