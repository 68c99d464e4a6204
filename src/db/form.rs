//! First floor, `db`: what is wrong with a statement whatever the database holds. Imports its neighbours
//! in `db`.
//!
//! Databases do not agree on it: one refuses what the other takes, or each has a code of its own. So
//! it is looked at here, by the table that the statement is written for, before any world performs it.

use super::schema::{Column, Kind, Table, Value};
use super::statement::{
    Delete, Expression, Filter, Insert, OnConflict, Returning, Select, Statement, Update, What,
};
use super::{SqlError, SqlState};

impl Statement {
    /// Whether it can be asked at all.
    ///
    /// # Errors
    ///
    /// Those that [`query`](Self::query) lists, but for what a dialect does not have. They name the
    /// column and never a value, which may be a secret.
    pub(super) fn check(&self) -> Result<(), SqlError> {
        match self {
            Statement::Begin(_) | Statement::Commit | Statement::Rollback => Ok(()),
            Statement::Select(select) => select.check(),
            Statement::Insert(insert) => insert.check(),
            Statement::Update(update) => update.check(),
            Statement::Delete(Delete { table, filter }) => compares(table, filter),
        }
    }
}

impl Select {
    fn check(&self) -> Result<(), SqlError> {
        if self.for_update && !matches!(self.what, What::Columns(_)) {
            let said = "FOR UPDATE locks the rows that are answered, so it needs columns to answer";
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, said));
        }
        match &self.what {
            What::Columns(columns) => answers(self.table, columns)?,
            What::Sum(column) => is_number(self.table, column)?,
            What::Exists => {}
        }
        compares(self.table, &self.filter)
    }
}

impl Insert {
    fn check(&self) -> Result<(), SqlError> {
        let Insert { table, row, on_conflict, returning } = self;
        if row.len() != table.columns.len() {
            let (has, gets) = (table.columns.len(), row.len());
            let said = format!("`{}` has {has} columns, and the row {gets} values", table.name);
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, &said));
        }
        for (column, value) in table.columns.iter().zip(&**row) {
            holds(column, value)?;
        }
        if *on_conflict != OnConflict::Fail && table.unique().is_none() {
            let said = format!("no column of `{}` is unique, so there is no conflict", table.name);
            return Err(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, &said));
        }
        if let OnConflict::DoUpdate(columns) = on_conflict {
            sets(table, columns.iter().copied())?;
        }
        match returning {
            Returning::Columns(columns) => answers(table, columns),
            Returning::Count | Returning::Inserted => Ok(()),
        }
    }
}

impl Update {
    fn check(&self) -> Result<(), SqlError> {
        let Update { table, set, filter } = self;
        sets(table, set.iter().map(|(column, _)| *column))?;
        for (name, expression) in set {
            if table.unique == Some(name) {
                let said = format!("`{name}` is unique: delete the row, and insert another one");
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, &said));
            }
            match expression {
                Expression::Value(value) => holds(column(table, name)?, value)?,
                Expression::Plus(_) => is_number(table, name)?,
            }
        }
        compares(table, filter)
    }
}

fn column(table: &'static Table, name: &str) -> Result<&'static Column, SqlError> {
    let found = table.columns.iter().find(|column| column.name == name);
    found.ok_or_else(|| {
        let said = format!("`{}` has no column `{name}`", table.name);
        SqlError::new(SqlState::UNDEFINED_COLUMN, &said)
    })
}

fn is_number(table: &'static Table, name: &str) -> Result<(), SqlError> {
    holds(column(table, name)?, &Value::Int(0))
}

fn holds(column: &Column, value: &Value) -> Result<(), SqlError> {
    let Column { name, kind } = column;
    if !kind.holds(value) {
        let kind = match kind {
            Kind::Int => "numbers",
            Kind::Text => "texts",
        };
        let said =
            format!("`{name}` holds {kind}, and nothing else can be put in, compared, or added");
        return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, &said));
    }
    // PostgreSQL cannot store it; SQLite can, and loses sight of what comes after.
    if value.text().is_some_and(|text| text.contains('\0')) {
        let said = format!("the text for `{name}` has a zero byte in it");
        return Err(SqlError::new(SqlState::CHARACTER_NOT_IN_REPERTOIRE, &said));
    }
    Ok(())
}

fn compares(table: &'static Table, filter: &Filter) -> Result<(), SqlError> {
    filter
        .iter()
        .try_for_each(|condition| holds(column(table, condition.column)?, &condition.value))
}

/// Some columns, and all of them there.
fn answers(table: &'static Table, names: &[&str]) -> Result<(), SqlError> {
    if names.is_empty() {
        let said = format!("no column of `{}` is asked for", table.name);
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, &said));
    }
    names.iter().try_for_each(|name| column(table, name).map(drop))
}

/// Some columns, all of them there, and each of them once.
fn sets<'n>(table: &'static Table, names: impl Iterator<Item = &'n str>) -> Result<(), SqlError> {
    let mut seen = Vec::new();
    for name in names {
        column(table, name)?;
        if seen.contains(&name) {
            let said = format!("`{name}` is set twice");
            return Err(SqlError::new(SqlState::SYNTAX_ERROR, &said));
        }
        seen.push(name);
    }
    if seen.is_empty() {
        let said = format!("no column of `{}` is set", table.name);
        return Err(SqlError::new(SqlState::SYNTAX_ERROR, &said));
    }
    Ok(())
}
