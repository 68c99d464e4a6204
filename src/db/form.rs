//! First floor, `db`: what is wrong with a table, and with a statement whatever the database holds.
//! Imports its neighbours in `db`.
//!
//! Databases differ here: one refuses what another accepts, or each has a code of its own. So this
//! module checks a table before any world makes it. It checks a statement against the table that it
//! is written for, before any world performs it.

use super::schema::{Column, Kind, Table, Value};
use super::statement::{
    Delete, Expression, Filter, Insert, OnConflict, Returning, Select, Statement, Update, What,
};
use super::{SqlError, SqlState};

/// The words that are no names in PostgreSQL: its reserved ones, and its own columns of every table.
const RESERVED: &str = " all analyse analyze and any array as asc asymmetric authorization binary both \
    case cast check collate collation column concurrently constraint create cross current_catalog \
    current_date current_role current_schema current_time current_timestamp current_user default \
    deferrable desc distinct do else end except false fetch for foreign freeze from full grant group \
    having ilike in initially inner intersect into is isnull join lateral leading left like limit \
    localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing \
    primary references returning right select session_user similar some symmetric table tablesample \
    then to trailing true union unique user using variadic verbose when where window with \
    cmax cmin ctid tableoid xmax xmin ";

/// The bytes of a name that PostgreSQL keeps.
const LONGEST_NAME: usize = 63;

impl Table {
    /// Whether there can be such a table.
    ///
    /// # Errors
    ///
    /// [`SYNTAX_ERROR`](SqlState::SYNTAX_ERROR) for no columns, for one that is there twice, and for a
    /// name that is none; [`UNDEFINED_COLUMN`](SqlState::UNDEFINED_COLUMN) where
    /// [`unique`](Table::unique) names no column.
    pub(super) fn check(&self) -> Result<(), SqlError> {
        let Table { name: table, columns, unique } = self;
        let wrong = |said: String| Err(SqlError::new(SqlState::SYNTAX_ERROR, &said));
        // A table may be named with its schema.
        for part in table.split('.') {
            is_name(part, &format!("the table `{table}`"))?;
        }
        if columns.is_empty() {
            return wrong(format!("the table `{table}` has no column: give it one"));
        }
        for (index, Column { name, .. }) in columns.iter().enumerate() {
            is_name(name, &format!("the column `{name}` of the table `{table}`"))?;
            if columns[..index].iter().any(|other| other.name == *name) {
                return wrong(format!("the table `{table}` has two columns `{name}`: rename one"));
            }
        }
        match unique {
            Some(key) if self.column(key).is_none() => {
                let said =
                    format!("the table `{table}` has no column `{key}` that could be unique");
                Err(SqlError::new(SqlState::UNDEFINED_COLUMN, &said))
            }
            _ => Ok(()),
        }
    }
}

/// Whether every database reads this as a name, and as the same one.
fn is_name(name: &str, whose: &str) -> Result<(), SqlError> {
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
    let goes_on = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    let said = if !begins || !name.chars().all(goes_on) || name.len() > LONGEST_NAME {
        "a name is made of a-z, 0-9 and _, does not begin with a digit, and has 63 characters at most"
    } else if RESERVED.contains(&format!(" {name} ")) {
        "SQL has that word for itself: take another one"
    } else {
        return Ok(());
    };
    Err(SqlError::new(SqlState::SYNTAX_ERROR, &format!("{whose}: {said}")))
}

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
            // The database is the judge of it.
            #[cfg(feature = "sql")]
            Statement::Text(_) => Ok(()),
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
    let Column { name, kind, .. } = column;
    if !column.holds(value) {
        let kind = match kind {
            Kind::Int | Kind::Integer => "numbers",
            Kind::Text => "texts",
            Kind::Bool => "truth values",
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
