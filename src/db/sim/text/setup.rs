//! First floor, `db`: tables from `CREATE TABLE` text, and what is in them. Imports its neighbours in `text`.

use std::sync::Arc;

use sqlparser::ast::{self, ColumnOption, CreateTable, Spanned, TableConstraint};

use super::expressions::{Names, kind};
use super::{At, Compiler, Compiles, all_parsed, folded, not_simulated, plain, wrong};
use crate::calls::untold;
use crate::db::schema::{Column, Table, Value};
use crate::db::sim::expr::Scope;
use crate::db::sim::{Also, Check, SimDb, SimSession, Stored};
use crate::db::statement::{Statement, Text};
use crate::db::{Reply, SqlError, SqlState};

impl SimDb {
    /// The same database, after these statements: `CREATE TABLE`, and what fills the tables. They are
    /// separated by semicolons.
    ///
    /// The text of a table says what its columns hold (`BIGINT`, `INTEGER`, `TEXT` or `BOOLEAN`, with
    /// `NOT NULL`, `DEFAULT`, `CHECK`) and which one of them is unique (`PRIMARY KEY` or `UNIQUE`).
    ///
    /// A table that was made so stays in memory until the program ends.
    ///
    /// # Errors
    ///
    /// Where the text is not SQL, and where something in it is not simulated. The error names it, and its
    /// place in the text.
    pub fn with_setup(mut self, text: &str) -> Result<Self, SqlError> {
        for statement in all_parsed(text)? {
            let said = statement.to_string();
            match &statement {
                ast::Statement::CreateTable(table) => {
                    self.create(table).map_err(|error| error.in_text(&said))?;
                }
                _ => untold(|| self.set_up(&said))?,
            }
        }
        Ok(self)
    }

    /// Performs one statement by itself.
    fn set_up(&mut self, said: &str) -> Result<(), SqlError> {
        let statement = Statement::Text(Text { text: Arc::from(said), parameters: Vec::new() });
        let mut session = SimSession::new();
        // In which order it takes its rows makes no difference to who is alone.
        loop {
            match self.reply(&mut session, &statement) {
                Reply::Answer(answer) => {
                    return answer.map(drop).map_err(|error| {
                        SqlError::new(error.state, &format!("{}: {said}", error.words()))
                    });
                }
                Reply::Underway(_) => session.takes_next(0),
                Reply::Queued | Reply::Waiting => {
                    return Err(SqlState::INTERNAL_ERROR.into());
                }
            }
        }
    }

    fn create(&mut self, create: &CreateTable) -> Compiles<()> {
        let name = plain(&create.name)?;
        let minimal = format!("CREATE TABLE {} (x INT)", create.name);
        let minimal = all_parsed(&minimal);
        let Ok([ast::Statement::CreateTable(minimal)]) = minimal.as_deref() else {
            return Err(not_simulated(format!("a table named `{name}`"), &create.name));
        };
        let plain_table = CreateTable {
            columns: create.columns.clone(),
            constraints: create.constraints.clone(),
            if_not_exists: create.if_not_exists,
            unlogged: create.unlogged,
            ..minimal.clone()
        };
        if *create != plain_table {
            return Err(not_simulated("this form of CREATE TABLE", &create.name));
        }
        if self.tables.iter().any(|stored| stored.table.name == name) {
            let said = format!("there is a table `{name}` already");
            return Err(wrong(SqlState::DUPLICATE_TABLE, said, &create.name));
        }
        let mut columns = Vec::with_capacity(create.columns.len());
        let mut keys: Vec<(String, bool)> = Vec::new();
        let mut checks: Vec<&ast::Expr> = Vec::new();
        let mut defaults = Vec::new();
        for column in &create.columns {
            let column_name = folded(&column.name);
            let kind = kind(&column.data_type)
                .map_err(|what| not_simulated(what, &At(column.name.span)))?;
            let mut nullable = true;
            let mut default = None;
            for option in &column.options {
                match &option.option {
                    ColumnOption::Null => {}
                    ColumnOption::NotNull => nullable = false,
                    ColumnOption::Default(value) => default = Some(value),
                    ColumnOption::PrimaryKey(key) if key.characteristics.is_none() => {
                        keys.push((column_name.clone(), true));
                    }
                    ColumnOption::Unique(key) if key.characteristics.is_none() => {
                        keys.push((column_name.clone(), false));
                    }
                    ColumnOption::Check(check) => checks.push(&check.expr),
                    ColumnOption::ForeignKey(_) => {
                        return Err(not_simulated(
                            "a foreign key (REFERENCES)",
                            &At(column.name.span),
                        ));
                    }
                    other => {
                        return Err(not_simulated(format!("`{other}`"), &At(column.name.span)));
                    }
                }
            }
            defaults.push(default);
            columns.push(Column { name: String::leak(column_name), kind, nullable });
        }
        for constraint in &create.constraints {
            match constraint {
                TableConstraint::PrimaryKey(key) if key.characteristics.is_none() => {
                    keys.push((only_column(&key.columns, &create.name)?, true));
                }
                TableConstraint::Unique(key) if key.characteristics.is_none() => {
                    keys.push((only_column(&key.columns, &create.name)?, false));
                }
                TableConstraint::Check(check) => checks.push(&check.expr),
                TableConstraint::ForeignKey(_) => {
                    return Err(not_simulated("a foreign key", &create.name));
                }
                other => return Err(not_simulated(format!("`{other}`"), &create.name)),
            }
        }
        for (key, is_primary) in &keys {
            let column = columns.iter_mut().find(|column| column.name == key);
            let Some(column) = column else {
                let said = format!("`{name}` has no column `{key}`");
                return Err(wrong(SqlState::UNDEFINED_COLUMN, said, &create.name));
            };
            column.nullable &= !is_primary;
        }
        let unique = match &keys[..] {
            [] => None,
            [(key, _), others @ ..] if others.iter().all(|(other, _)| other == key) => {
                columns.iter().find(|column| column.name == key).map(|column| column.name)
            }
            _ => return Err(not_simulated("a second unique column", &create.name)),
        };
        let table = Table { name: String::leak(name), columns: Vec::leak(columns), unique };
        table
            .check()
            .map_err(|error| wrong(error.state, error.words().to_owned(), &create.name))?;
        let table: &'static Table = Box::leak(Box::new(table));
        let also = self.also(table, &checks, &defaults)?;
        self.tables.push(Stored { table, also: Box::leak(Box::new(also)), records: Vec::new() });
        Ok(())
    }

    /// What a table says that a [`Table`] does not.
    fn also(
        &self,
        table: &'static Table,
        checks: &[&ast::Expr],
        defaults: &[Option<&ast::Expr>],
    ) -> Compiles<Also> {
        let mut compiler = Compiler::new(self);
        let names = Names::of(None, table);
        let mut checked = Vec::with_capacity(checks.len());
        for check in checks {
            let of = compiler.truth(check, &names)?;
            compiler.is_closed(*check)?;
            checked.push(Check { text: check.to_string(), of });
        }
        let mut values = Vec::with_capacity(defaults.len());
        for (column, default) in table.columns.iter().zip(defaults) {
            let Some(default) = default else {
                values.push(Value::Null);
                continue;
            };
            let (of, found) = compiler.expression(default, &Names::default(), Some(column.kind))?;
            compiler.is_closed(*default)?;
            let value = of
                .value(Scope::default())
                .map_err(|state| wrong(state, state.meaning(), *default))?;
            if !found.goes_into(column.kind) || !(column.kind.holds(&value) || value == Value::Null)
            {
                let said = format!("the default of `{}` is of another type", column.name);
                return Err(wrong(SqlState::DATATYPE_MISMATCH, said, *default));
            }
            values.push(value);
        }
        Ok(Also { checks: checked, defaults: values })
    }
}

/// The column of a key that has one.
fn only_column(columns: &[ast::IndexColumn], at: &impl Spanned) -> Compiles<String> {
    match columns {
        [ast::IndexColumn { column, .. }] => match &column.expr {
            ast::Expr::Identifier(name) => Ok(folded(name)),
            _ => Err(not_simulated("a unique expression", at)),
        },
        _ => Err(not_simulated("a key of several columns", at)),
    }
}

impl Compiler<'_> {
    /// Whether an expression speaks of nothing but its row.
    fn is_closed(&self, of: &impl Spanned) -> Compiles<()> {
        if self.parameters.is_empty() && self.subqueries.is_empty() {
            return Ok(());
        }
        Err(not_simulated("a parameter or a subquery in the definition of a table", of))
    }
}
