//! First floor, `db`: tables from `CREATE TABLE` text, and what is in them. Imports its neighbours in `text`.

use std::sync::Arc;

use sqlparser::ast::{
    self, ColumnOption, CreateIndex, CreateTable, IndexType, KeyOrIndexDisplay,
    NullsDistinctOption, PrimaryKeyConstraint, Spanned, TableConstraint, UniqueConstraint,
};

use super::expressions::{Names, kind};
use super::{At, Compiler, Compiles, all_parsed, folded, not_simulated, plain, wrong};
use crate::calls::untold;
use crate::db::schema::{Column, Row, Table, Value};
use crate::db::sim::expr::Scope;
use crate::db::sim::keys::Key;
use crate::db::sim::{Also, Check, SimDb, SimSession, Stored};
use crate::db::statement::{Statement, Text};
use crate::db::{Reply, SqlError, SqlState};

impl SimDb {
    /// The same database, after these statements: `CREATE TABLE`, `CREATE INDEX`, and what fills the tables.
    /// They are separated by semicolons.
    ///
    /// The text of a table says what its columns hold (`BIGINT`, `INTEGER`, `TEXT` or `BOOLEAN`, with
    /// `NOT NULL`, `DEFAULT`, `CHECK`) and what of them is unique (`PRIMARY KEY`, `UNIQUE`). `CREATE UNIQUE INDEX`
    /// may say so of some rows only. Another index makes no difference to what a statement does.
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
                ast::Statement::CreateIndex(index) => {
                    self.create_index(index).map_err(|error| error.in_text(&said))?;
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
        let mut keys = Vec::new();
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
                    ColumnOption::PrimaryKey(key) if is_plain_primary(key) => {
                        let name = option.name.as_ref();
                        keys.push(Declared {
                            name,
                            columns: vec![column_name.clone()],
                            primary: true,
                        });
                    }
                    ColumnOption::Unique(key) if is_plain_unique(key) => {
                        let name = option.name.as_ref();
                        keys.push(Declared {
                            name,
                            columns: vec![column_name.clone()],
                            primary: false,
                        });
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
                TableConstraint::PrimaryKey(key) if is_plain_primary(key) => {
                    let columns = key_columns(&key.columns, &create.name)?;
                    keys.push(Declared { name: key.name.as_ref(), columns, primary: true });
                }
                TableConstraint::Unique(key) if is_plain_unique(key) => {
                    let columns = key_columns(&key.columns, &create.name)?;
                    keys.push(Declared { name: key.name.as_ref(), columns, primary: false });
                }
                TableConstraint::Check(check) => checks.push(&check.expr),
                TableConstraint::ForeignKey(_) => {
                    return Err(not_simulated("a foreign key", &create.name));
                }
                other => return Err(not_simulated(format!("`{other}`"), &create.name)),
            }
        }
        // As PostgreSQL makes them: the primary one first, and none twice.
        keys.sort_by_key(|key| !key.primary);
        let mut made: Vec<Key> = Vec::with_capacity(keys.len());
        for declared in keys {
            let mut places = Vec::with_capacity(declared.columns.len());
            for key in &declared.columns {
                let Some(place) = columns.iter().position(|column| column.name == key) else {
                    let said = format!("`{name}` has no column `{key}`");
                    return Err(wrong(SqlState::UNDEFINED_COLUMN, said, &create.name));
                };
                columns[place].nullable &= !declared.primary;
                places.push(place);
            }
            if made.iter().any(|key| key.columns == places) {
                continue;
            }
            let named = declared.name.map(folded);
            let (middle, end) = match declared.primary {
                true => (String::new(), "pkey"),
                false => (format!("{}_", declared.columns.join("_")), "key"),
            };
            let named = named.unwrap_or_else(|| format!("{name}_{middle}{end}"));
            made.push(Key { name: named, is_constraint: true, columns: places, only: None });
        }
        // As far as a `Table` can say it.
        let unique = made.iter().find_map(|key| match key.columns[..] {
            [column] => columns.get(column).map(|column| column.name),
            _ => None,
        });
        let table = Table { name: String::leak(name), columns: Vec::leak(columns), unique };
        table
            .check()
            .map_err(|error| wrong(error.state, error.words().to_owned(), &create.name))?;
        let table: &'static Table = Box::leak(Box::new(table));
        let also = Also { keys: made, ..self.also(table, &checks, &defaults)? };
        self.tables.push(Stored { table, also: Box::leak(Box::new(also)), records: Vec::new() });
        Ok(())
    }

    fn create_index(&mut self, create: &CreateIndex) -> Compiles<()> {
        let plain_index = CreateIndex {
            using: None,
            r#async: false,
            include: Vec::new(),
            with: Vec::new(),
            index_options: Vec::new(),
            alter_options: Vec::new(),
            nulls_distinct: create.nulls_distinct.filter(|distinct| *distinct),
            ..create.clone()
        };
        let uses = [None, Some(IndexType::BTree)];
        if (CreateIndex { using: None, ..create.clone() }) != plain_index
            || !uses.contains(&create.using)
        {
            return Err(not_simulated("this form of CREATE INDEX", &create.table_name));
        }
        let mut compiler = Compiler::new(self);
        let table = compiler.table(&create.table_name)?;
        // It says nothing about what there may be.
        if !create.unique {
            return Ok(());
        }
        let definition = compiler.definition(table);
        let columns = key_columns(&create.columns, &create.table_name)?;
        let mut places = Vec::with_capacity(columns.len());
        for column in &columns {
            let Some(place) = definition.column(column) else {
                let said = format!("`{}` has no column `{column}`", definition.name);
                return Err(wrong(SqlState::UNDEFINED_COLUMN, said, &create.table_name));
            };
            places.push(place);
        }
        let names = Names::of(None, definition);
        let only = compiler.condition(create.predicate.as_ref(), &names)?;
        compiler.is_closed(&create.table_name)?;
        let name = match &create.name {
            Some(name) => plain(name)?,
            None => format!("{}_{}_idx", definition.name, columns.join("_")),
        };
        let key = Key { name, is_constraint: false, columns: places, only };
        let stored = &self.tables[table];
        let rows: Vec<&Row> =
            stored.records.iter().filter_map(|record| record.committed.as_ref()).collect();
        for (index, row) in rows.iter().enumerate() {
            let refused = |state: SqlState| wrong(state, state.meaning(), &create.table_name);
            if key.has(row).map_err(refused)?
                && rows[..index].iter().any(|other| key.is_same(row, other))
            {
                return Err(refused(SqlState::UNIQUE_VIOLATION));
            }
        }
        let mut also = stored.also.clone();
        also.keys.push(key);
        self.tables[table].also = Box::leak(Box::new(also));
        Ok(())
    }

    /// What a table says that a [`Table`] does not, but for its keys.
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
        Ok(Also { keys: Vec::new(), checks: checked, defaults: values })
    }
}

/// What is said to be unique.
struct Declared<'a> {
    name: Option<&'a ast::Ident>,
    columns: Vec<String>,
    primary: bool,
}

fn is_plain_primary(key: &PrimaryKeyConstraint) -> bool {
    let PrimaryKeyConstraint {
        name: _,
        index_name: None,
        index_type: None,
        columns: _,
        include,
        index_options,
        characteristics: None,
    } = key
    else {
        return false;
    };
    include.is_empty() && index_options.is_empty()
}

fn is_plain_unique(key: &UniqueConstraint) -> bool {
    let UniqueConstraint {
        name: _,
        index_name: None,
        index_type_display: KeyOrIndexDisplay::None,
        index_type: None,
        columns: _,
        include,
        index_options,
        characteristics: None,
        nulls_distinct: NullsDistinctOption::None | NullsDistinctOption::Distinct,
    } = key
    else {
        return false;
    };
    include.is_empty() && index_options.is_empty()
}

/// The columns of a key.
fn key_columns(columns: &[ast::IndexColumn], at: &impl Spanned) -> Compiles<Vec<String>> {
    let names = columns.iter().map(|it| match (&it.column.expr, &it.operator_class) {
        (ast::Expr::Identifier(name), None) => Ok(folded(name)),
        (ast::Expr::Identifier(_), Some(_)) => Err(not_simulated("an operator class", at)),
        _ => Err(not_simulated("a unique expression", at)),
    });
    let names = names.collect::<Compiles<Vec<_>>>()?;
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            return Err(wrong(SqlState::SYNTAX_ERROR, format!("`{name}` is there twice"), at));
        }
    }
    Ok(names)
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
