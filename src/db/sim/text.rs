//! First floor, `db`: statements as text, as they are performed: parsed by `sqlparser` and compiled against the
//! tables of a simulated database. Imports its neighbours in `sim`.

#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
mod described;
mod expressions;
mod queries;
mod setup;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use sqlparser::ast::{
    self, Assignment, AssignmentTarget, ConflictTarget, FromTable, OnConflictAction, OnInsert,
    SetExpr, Spanned, TableObject, TransactionIsolationLevel, TransactionMode,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Span;

#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
pub(crate) use self::described::{Described, Says, split};
use self::expressions::{Names, Type};
use super::expr::{Expr, Scope};
use super::keys::Key;
use super::looked;
use super::plan::{Act, Conflict, Inserts, Plan, Source, Updates};
use super::rows::subqueries;
use super::{Also, SimDb};
use crate::db::schema::{Kind, Row, Table, Value};
use crate::db::statement::{Isolation, Statement, Text};
use crate::db::{SqlError, SqlState};

/// A statement that was compiled, and what its parameters have to be.
pub(super) type Compiled = (Arc<Plan>, Arc<[Kind]>);

thread_local! {
    /// By the text, and by the tables for which it was compiled.
    static COMPILED: RefCell<HashMap<Arc<str>, Vec<ForTables>>> = RefCell::default();
}

/// The addresses of some tables and of what is said of them, and what a text comes to there.
type ForTables = (Vec<(*const Table, *const Also)>, Result<Compiled, SqlError>);

impl SimDb {
    /// A text as it is performed here. It is compiled once for the same tables.
    pub(super) fn compiled(&self, text: &Arc<str>) -> Result<Compiled, SqlError> {
        let tables = self.tables.iter();
        let tables: Vec<(*const Table, *const Also)> =
            tables.map(|stored| (&raw const *stored.table, &raw const *stored.also)).collect();
        let known = COMPILED.with_borrow(|all| {
            let of_text = all.get(text)?;
            of_text.iter().find(|(of, _)| *of == tables).map(|(_, compiled)| compiled.clone())
        });
        known.unwrap_or_else(|| {
            let compiled = self.compile(text);
            COMPILED.with_borrow_mut(|all| {
                all.entry(text.clone()).or_default().push((tables, compiled.clone()));
            });
            compiled
        })
    }

    /// A text and its parameters as they are performed here.
    pub(super) fn with_parameters<'s>(
        &self,
        Text { text, parameters }: &'s Text,
    ) -> Result<(Arc<Plan>, &'s [Value]), SqlError> {
        let (plan, kinds) = self.compiled(text)?;
        if kinds.len() != parameters.len() {
            let (needs, gets) = (kinds.len(), parameters.len());
            let said = format!("{needs} parameters are needed, and it gets {gets}: {text}");
            return Err(SqlError::new(SqlState::PROTOCOL_VIOLATION, &said));
        }
        for (index, (kind, value)) in kinds.iter().zip(parameters).enumerate() {
            if *value != Value::Null && !kind.holds(value) {
                let said = format!("${} is of type {}: {text}", index + 1, kind.sql());
                return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, &said));
            }
        }
        Ok((plan, parameters))
    }

    /// Compiles a statement against the tables of this database. What is not simulated is said now, and not
    /// in the middle of a check.
    ///
    /// # Errors
    ///
    /// Where the text is not SQL, names what is not there, or has something in it that is not simulated. The
    /// error names it, and its place in the text.
    pub fn prepare(&self, text: &str) -> Result<Prepared, SqlError> {
        let text: Arc<str> = text.into();
        if control(&text).is_none() {
            self.compiled(&text)?;
        }
        Ok(Prepared(text))
    }

    /// What a query answers over the rows that are committed: what a session sees that begins now.
    ///
    /// # Errors
    ///
    /// Those of [`prepare`](Self::prepare). Also where the text is anything but a `SELECT` without locks and
    /// parameters, and those of the query itself, such as a division by zero.
    pub fn query(&self, text: &str) -> Result<Vec<Row>, SqlError> {
        looked("query");
        let (plan, parameters) = self.compiled(&Arc::from(text))?;
        let refused = |said: &str| {
            Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, &format!("{said}: {text}")))
        };
        let query = match &plan.act {
            _ if !parameters.is_empty() => return refused("a parameter has no value here"),
            Act::Select(query) => query,
            Act::Lock(..) | Act::Advisory(_) => {
                return refused("a query of committed rows locks nothing");
            }
            Act::Insert(_) | Act::Update(_) | Act::Delete(_) => {
                return refused("it changes rows, and should ask for them: a SELECT");
            }
        };
        let rows = |table: usize| {
            let records = self.tables.get(table).into_iter().flat_map(|stored| &stored.records);
            records.filter_map(|record| record.committed.clone()).collect()
        };
        let subqueries =
            subqueries(&plan, &[], |query, of| super::queries::answered(query, rows, of))?;
        let of = Scope { subqueries: &subqueries, ..Scope::default() };
        super::queries::answered(query, rows, of)
    }

    /// What a statement answers: the name and the kind of each column. Nothing, where it counts rows. Also
    /// whether it only reads: it changes no row and locks none.
    #[cfg(feature = "command")]
    pub(crate) fn columns_of(&self, text: &str) -> Result<(Vec<(String, Kind)>, bool), SqlError> {
        let statement = parsed(text)?;
        let mut compiler = Compiler::new(self);
        let act = compiler.act(&statement).map_err(|error| error.in_text(text))?;
        if !compiler.parameters.is_empty() {
            let said = format!("a parameter has no value here: {text}");
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, &said));
        }
        let columns = compiler.answered.into_iter().map(|(name, of)| match of {
            Type::Is(kind) => (name, kind),
            Type::Unknown | Type::Numeric => (name, Kind::Text),
        });
        Ok((columns.collect(), matches!(act, Act::Select(_))))
    }

    /// The tables of which a query asks.
    #[cfg(feature = "command")]
    pub(crate) fn tables_of(&self, text: &str) -> Result<Vec<&'static Table>, SqlError> {
        let (plan, _) = self.compiled(&Arc::from(text))?;
        let own = match &plan.act {
            Act::Select(query) | Act::Lock(query, _) => Some(query),
            Act::Insert(_) | Act::Update(_) | Act::Delete(_) | Act::Advisory(_) => None,
        };
        let places = own.into_iter().chain(&plan.subqueries).flat_map(|query| &query.tables);
        let mut places: Vec<usize> = places.copied().collect();
        places.sort_unstable();
        places.dedup();
        Ok(places.into_iter().filter_map(|it| Some(self.tables.get(it)?.table)).collect())
    }

    fn compile(&self, text: &str) -> Result<Compiled, SqlError> {
        let statement = parsed(text)?;
        let mut compiler = Compiler::new(self);
        let act = compiler.act(&statement).map_err(|error| error.in_text(text))?;
        let parameters = compiler.parameters.iter().enumerate().map(|(index, kind)| {
            kind.ok_or_else(|| {
                let said = format!("the type of ${} is not known: cast it", index + 1);
                SqlError::new(SqlState::AMBIGUOUS, &said)
            })
        });
        let parameters = parameters.collect::<Result<_, _>>()?;
        Ok((Arc::new(Plan { subqueries: compiler.subqueries, act }), parameters))
    }
}

/// A statement that was [compiled](SimDb::prepare) before the check that performs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Prepared(Arc<str>);

impl Prepared {
    /// The statement with these values of `$1`, `$2` and so on.
    pub fn with(&self, parameters: impl IntoIterator<Item = Value>) -> Statement {
        Statement::sql(&self.0, parameters)
    }
}

/// The one statement of a text.
fn parsed(text: &str) -> Result<ast::Statement, SqlError> {
    only(all_parsed(text)?, text)
}

/// The one statement of these.
fn only(mut statements: Vec<ast::Statement>, text: &str) -> Result<ast::Statement, SqlError> {
    match statements.len() {
        1 => Ok(statements.remove(0)),
        count => {
            let said = format!("{count} statements where there should be one: {text}");
            Err(SqlError::new(SqlState::SYNTAX_ERROR, &said))
        }
    }
}

/// The statements of a text.
fn all_parsed(text: &str) -> Result<Vec<ast::Statement>, SqlError> {
    Parser::parse_sql(&PostgreSqlDialect {}, text).map_err(|error| {
        let said = match error {
            ParserError::TokenizerError(said) | ParserError::ParserError(said) => said,
            ParserError::RecursionLimitExceeded => "it is nested too deeply".to_owned(),
        };
        SqlError::new(SqlState::SYNTAX_ERROR, &format!("{said}: {text}"))
    })
}

/// What a text is if it begins or ends a transaction.
pub(in crate::db) fn control(text: &str) -> Option<Statement> {
    let first = text.trim_start().split(|it: char| !it.is_ascii_alphabetic()).next()?;
    let words = ["begin", "start", "commit", "end", "rollback", "abort"];
    words.iter().find(|word| first.eq_ignore_ascii_case(word))?;
    match parsed(text).ok()? {
        ast::Statement::StartTransaction { modes, modifier: None, statements, .. }
            if statements.is_empty() =>
        {
            let level = level_of(&modes).ok()?;
            Some(Statement::Begin(level.unwrap_or(Isolation::ReadCommitted)))
        }
        ast::Statement::Commit { chain: false, modifier: None, .. } => Some(Statement::Commit),
        ast::Statement::Rollback { chain: false, savepoint: None } => Some(Statement::Rollback),
        _ => None,
    }
}

/// The level that these modes of a transaction name, if they name one; the last of several.
///
/// # Errors
///
/// What is not simulated of them.
pub(in crate::db) fn level_of(
    modes: &[TransactionMode],
) -> Result<Option<Isolation>, &'static str> {
    let mut named = None;
    for mode in modes {
        named = match mode {
            TransactionMode::IsolationLevel(level) => Some(match level {
                TransactionIsolationLevel::ReadUncommitted
                | TransactionIsolationLevel::ReadCommitted => Isolation::ReadCommitted,
                TransactionIsolationLevel::RepeatableRead => Isolation::RepeatableRead,
                TransactionIsolationLevel::Serializable => Isolation::Serializable,
                TransactionIsolationLevel::Snapshot => return Err("the level SNAPSHOT"),
            }),
            TransactionMode::AccessMode(ast::TransactionAccessMode::ReadWrite) => named,
            TransactionMode::AccessMode(ast::TransactionAccessMode::ReadOnly) => {
                return Err("a transaction that only reads");
            }
        };
    }
    Ok(named)
}

/// Why a text cannot be performed, and where in it.
#[derive(Debug)]
struct Refused {
    state: SqlState,
    said: String,
    at: Span,
}

/// A place in the text.
struct At(Span);

impl Spanned for At {
    fn span(&self) -> Span {
        self.0
    }
}

type Compiles<T> = Result<T, Refused>;

impl Refused {
    fn in_text(self, text: &str) -> SqlError {
        let start = self.at.start;
        let place = match (start.line, start.column) {
            (0, _) | (_, 0) => String::new(),
            (1, column) => format!(" at character {column}"),
            (line, column) => format!(" at line {line}, character {column}"),
        };
        SqlError::new(self.state, &format!("{}{place}: {text}", self.said))
    }
}

/// It is not simulated.
fn not_simulated(what: impl std::fmt::Display, at: &impl Spanned) -> Refused {
    let said = format!("{what} is not simulated");
    Refused { state: SqlState::FEATURE_NOT_SUPPORTED, said, at: at.span() }
}

fn wrong(state: SqlState, said: impl Into<String>, at: &impl Spanned) -> Refused {
    Refused { state, said: said.into(), at: at.span() }
}

/// A name as PostgreSQL takes it: in lower case, unless it is quoted.
fn folded(name: &ast::Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_ascii_lowercase(),
    }
}

/// A name without a schema, or in the schema `public`.
fn plain(name: &ast::ObjectName) -> Compiles<String> {
    let parts: Option<Vec<String>> =
        name.0.iter().map(|part| part.as_ident().map(folded)).collect();
    match parts.as_deref() {
        Some([name]) => Ok(name.clone()),
        Some([schema, name]) if schema == "public" => Ok(name.clone()),
        _ => Err(not_simulated(format!("the schema of `{name}`"), name)),
    }
}

/// Compiles one statement.
struct Compiler<'d> {
    db: &'d SimDb,
    /// What is known of each of them so far.
    parameters: Vec<Option<Kind>>,
    /// The same, as PostgreSQL infers it where nobody declares it.
    inferred: Vec<Option<Kind>>,
    subqueries: Vec<super::plan::Query>,
    /// The names of the queries round the one that is compiled, which must not use them.
    outer: Vec<String>,
    /// The names and types of what the query or the `RETURNING` answers that was compiled last.
    answered: Vec<(String, Type)>,
}

impl<'d> Compiler<'d> {
    fn new(db: &'d SimDb) -> Self {
        Compiler {
            db,
            parameters: Vec::new(),
            inferred: Vec::new(),
            subqueries: Vec::new(),
            outer: Vec::new(),
            answered: Vec::new(),
        }
    }
}

impl Compiler<'_> {
    fn act(&mut self, statement: &ast::Statement) -> Compiles<Act> {
        match statement {
            ast::Statement::Query(query) => self.select(query),
            ast::Statement::Insert(insert) => self.inserts(insert).map(Act::Insert),
            ast::Statement::Update(update) => self.updates(update).map(Act::Update),
            ast::Statement::Delete(delete) => self.deletes(delete).map(Act::Delete),
            ast::Statement::Savepoint { .. }
            | ast::Statement::ReleaseSavepoint { .. }
            | ast::Statement::Rollback { savepoint: Some(_), .. } => {
                Err(not_simulated("a savepoint", statement))
            }
            other => {
                let text = other.to_string();
                let words = text.split(' ').take(2).collect::<Vec<_>>().join(" ");
                Err(not_simulated(format!("`{words}`"), other))
            }
        }
    }

    /// The place of a table.
    fn table(&self, name: &ast::ObjectName) -> Compiles<usize> {
        let plain = plain(name)?;
        let place = self.db.tables.iter().position(|stored| stored.table.name == plain);
        place.ok_or_else(|| {
            wrong(SqlState::UNDEFINED_TABLE, format!("there is no table `{plain}`"), name)
        })
    }

    fn definition(&self, table: usize) -> &'static Table {
        self.db.tables[table].table
    }

    /// What is set, with the kinds of the columns looked after.
    fn assignments(
        &mut self,
        table: usize,
        assignments: &[Assignment],
        names: &Names,
    ) -> Compiles<Vec<(usize, Expr)>> {
        let definition = self.definition(table);
        let mut set: Vec<(usize, Expr)> = Vec::with_capacity(assignments.len());
        for assignment in assignments {
            let AssignmentTarget::ColumnName(name) = &assignment.target else {
                return Err(not_simulated("a SET of several columns at once", assignment));
            };
            let column = self.column(definition, name)?;
            let said = &definition.columns[column].name;
            if set.iter().any(|(other, _)| *other == column) {
                return Err(wrong(SqlState::SYNTAX_ERROR, format!("`{said}` is set twice"), name));
            }
            let new = self.stored(&assignment.value, names, definition, column)?;
            set.push((column, new));
        }
        Ok(set)
    }

    /// An expression whose value goes into a column.
    fn stored(
        &mut self,
        value: &ast::Expr,
        names: &Names,
        table: &'static Table,
        column: usize,
    ) -> Compiles<Expr> {
        if expressions::is_default(value) {
            return Ok(Expr::Value(self.default(table, column)));
        }
        let into = &table.columns[column];
        let (new, of) = self.expression(value, names, Some(into.kind))?;
        if of.goes_into(into.kind) {
            return Ok(new);
        }
        let said =
            format!("`{}` holds values of type {}, and this is none", into.name, into.kind.sql());
        Err(wrong(SqlState::DATATYPE_MISMATCH, said, value))
    }

    /// What a column gets where an `INSERT` does not name it.
    fn default(&self, table: &'static Table, column: usize) -> Value {
        let stored = self.db.tables.iter().find(|stored| std::ptr::eq(stored.table, table));
        let default = stored.and_then(|stored| stored.also.defaults.get(column));
        default.cloned().unwrap_or(Value::Null)
    }

    fn column(&self, table: &'static Table, name: &ast::ObjectName) -> Compiles<usize> {
        let said = plain(name)?;
        table.column(&said).ok_or_else(|| {
            let said = format!("`{}` has no column `{said}`", table.name);
            wrong(SqlState::UNDEFINED_COLUMN, said, name)
        })
    }

    fn updates(&mut self, update: &ast::Update) -> Compiles<Updates> {
        let (table, alias) = self.only_table(&update.table)?;
        if update.from.is_some() {
            return Err(not_simulated("UPDATE … FROM", &update.table));
        }
        let names = Names::of(alias, self.definition(table));
        let plain = ast::Update {
            optimizer_hints: Vec::new(),
            on_cluster: None,
            output: None,
            or: None,
            order_by: Vec::new(),
            limit: None,
            settings: None,
            ..update.clone()
        };
        if *update != plain {
            return Err(not_simulated("this form of UPDATE", update));
        }
        let set = self.assignments(table, &update.assignments, &names)?;
        let filter = self.condition(update.selection.as_ref(), &names)?;
        let returning = self.returning(update.returning.as_deref(), &names)?;
        Ok(Updates { table, set, filter, returning })
    }

    fn deletes(&mut self, delete: &ast::Delete) -> Compiles<Updates> {
        let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
        let [one] = &from[..] else {
            return Err(not_simulated("a DELETE from several tables", delete));
        };
        let (table, alias) = self.only_table(one)?;
        let plain = ast::Delete {
            optimizer_hints: Vec::new(),
            tables: Vec::new(),
            on_cluster: None,
            using: None,
            output: None,
            order_by: Vec::new(),
            limit: None,
            settings: None,
            ..delete.clone()
        };
        if *delete != plain {
            let what =
                if delete.using.is_some() { "DELETE … USING" } else { "this form of DELETE" };
            return Err(not_simulated(what, delete));
        }
        let names = Names::of(alias, self.definition(table));
        let filter = self.condition(delete.selection.as_ref(), &names)?;
        let returning = self.returning(delete.returning.as_deref(), &names)?;
        Ok(Updates { table, set: Vec::new(), filter, returning })
    }

    fn inserts(&mut self, insert: &ast::Insert) -> Compiles<Inserts> {
        let plain = ast::Insert {
            optimizer_hints: Vec::new(),
            or: None,
            ignore: false,
            by_name: false,
            overwrite: false,
            assignments: Vec::new(),
            partitioned: None,
            after_columns: Vec::new(),
            overriding: None,
            has_table_keyword: false,
            output: None,
            replace_into: false,
            ..insert.clone()
        };
        if *insert != plain {
            return Err(not_simulated("this form of INSERT", insert));
        }
        let TableObject::TableName(name) = &insert.table else {
            return Err(not_simulated("an INSERT into anything but a table", insert));
        };
        let table = self.table(name)?;
        let definition = self.definition(table);
        let alias = insert.table_alias.as_ref().map(|alias| folded(&alias.alias));
        let names = Names::of(alias, definition);
        let mut columns = Vec::new();
        for name in &insert.columns {
            let column = self.column(definition, name)?;
            if columns.contains(&column) {
                let said = format!("`{name}` is there twice");
                return Err(wrong(SqlState::SYNTAX_ERROR, said, name));
            }
            columns.push(column);
        }
        if columns.is_empty() {
            columns = (0..definition.columns.len()).collect();
        }
        let (source, width) = self.source(insert, definition, &columns)?;
        columns.truncate(width);
        let gets = (0..definition.columns.len()).map(|column| {
            match columns.iter().position(|it| *it == column) {
                Some(place) => Expr::Column(place),
                None => Expr::Value(self.default(definition, column)),
            }
        });
        let gets = gets.collect();
        let (arbiters, conflict) = match &insert.on {
            None => (Vec::new(), Conflict::Fails),
            Some(OnInsert::OnConflict(on)) => self.conflict(on, table, &names, insert)?,
            Some(_) => return Err(not_simulated("ON DUPLICATE KEY", insert)),
        };
        let returning = self.returning(insert.returning.as_deref(), &names.of_insert())?;
        Ok(Inserts { table, source, columns: gets, arbiters, conflict, returning })
    }

    /// The rows that are inserted, and how many columns they have.
    fn source(
        &mut self,
        insert: &ast::Insert,
        table: &'static Table,
        columns: &[usize],
    ) -> Compiles<(Source, usize)> {
        let Some(query) = &insert.source else {
            // DEFAULT VALUES.
            return Ok((Source::Values(vec![Vec::new()]), 0));
        };
        let fits = |width: usize, explicit: bool| match width.cmp(&columns.len()) {
            std::cmp::Ordering::Less if !explicit => Ok(()),
            std::cmp::Ordering::Equal => Ok(()),
            _ => {
                let said = format!("{} columns, and {width} values for them", columns.len());
                Err(wrong(SqlState::SYNTAX_ERROR, said, &**query))
            }
        };
        let explicit = !insert.columns.is_empty();
        if let SetExpr::Values(values) = &*query.body {
            let mut rows = Vec::with_capacity(values.rows.len());
            let mut width = 0;
            for row in &values.rows {
                if !rows.is_empty() && row.content.len() != width {
                    let said = "the rows of VALUES have different lengths";
                    return Err(wrong(SqlState::SYNTAX_ERROR, said, &**query));
                }
                width = row.content.len();
                fits(width, explicit)?;
                let cells = row.content.iter().zip(columns);
                let none = Names::default();
                let cells = cells.map(|(cell, column)| self.stored(cell, &none, table, *column));
                rows.push(cells.collect::<Compiles<_>>()?);
            }
            return Ok((Source::Values(rows), width));
        }
        let kinds: Vec<Kind> = columns.iter().map(|column| table.columns[*column].kind).collect();
        let (query, types) = self.query(query, &kinds)?;
        fits(types.len(), explicit)?;
        for (of, column) in types.iter().zip(columns) {
            let into = &table.columns[*column];
            if !of.goes_into(into.kind) {
                let said = format!("`{}` holds values of type {}", into.name, into.kind.sql());
                return Err(wrong(SqlState::DATATYPE_MISMATCH, said, insert));
            }
        }
        Ok((Source::Query(query), types.len()))
    }

    fn conflict(
        &mut self,
        on: &ast::OnConflict,
        table: usize,
        names: &Names,
        insert: &ast::Insert,
    ) -> Compiles<(Vec<usize>, Conflict)> {
        let keys = self.db.keys(table);
        let arbiters = match &on.conflict_target {
            None if matches!(on.action, OnConflictAction::DoUpdate(_)) => {
                let said = "ON CONFLICT DO UPDATE has to name its column";
                return Err(wrong(SqlState::SYNTAX_ERROR, said, insert));
            }
            None => (0..keys.len()).collect(),
            Some(ConflictTarget::Columns { columns, predicate }) => {
                let only = self.condition(predicate.as_ref(), names)?;
                self.arbiters(table, columns, only.as_ref(), insert)?
            }
            Some(ConflictTarget::OnConstraint(name)) => {
                let said = plain(name)?;
                let is_it = |key: &Key| key.is_constraint && key.name == said;
                let Some(key) = keys.iter().position(is_it) else {
                    let said = format!("there is no unique constraint `{said}`");
                    return Err(wrong(SqlState::UNDEFINED_OBJECT, said, name));
                };
                vec![key]
            }
        };
        let conflict = match &on.action {
            OnConflictAction::DoNothing => Conflict::DoesNothing,
            OnConflictAction::DoUpdate(update) => {
                let names = names.with_excluded();
                let set = self.assignments(table, &update.assignments, &names)?;
                let filter = self.condition(update.selection.as_ref(), &names)?;
                Conflict::Updates(set, filter)
            }
        };
        Ok((arbiters, conflict))
    }

    /// The unique indexes that `ON CONFLICT (…) WHERE …` is about.
    fn arbiters(
        &self,
        table: usize,
        columns: &[ast::Ident],
        only: Option<&Expr>,
        insert: &ast::Insert,
    ) -> Compiles<Vec<usize>> {
        let definition = self.definition(table);
        let mut named = Vec::with_capacity(columns.len());
        for name in columns {
            let said = folded(name);
            let column = definition.column(&said).ok_or_else(|| {
                let said = format!("`{}` has no column `{said}`", definition.name);
                wrong(SqlState::UNDEFINED_COLUMN, said, &At(name.span))
            })?;
            named.push(column);
        }
        named.sort_unstable();
        named.dedup();
        let keys = self.db.keys(table).iter().enumerate().filter(|(_, key)| {
            let mut columns = key.columns.clone();
            columns.sort_unstable();
            columns == named
        });
        let is_about = |key: &Key| {
            key.only.as_ref().is_none_or(|rows| only.is_some_and(|only| only.implies(rows)))
        };
        let found: Vec<usize> =
            keys.clone().filter(|(_, key)| is_about(key)).map(|(number, _)| number).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let columns: Vec<String> = columns.iter().map(folded).collect();
        let columns = columns.join(", ");
        if only.is_some() && keys.count() > 0 {
            let said = format!("a WHERE in other words than those of the index on `{columns}`");
            return Err(not_simulated(said, insert));
        }
        let said = format!("there is no unique index on `{columns}`");
        Err(wrong(SqlState::INVALID_COLUMN_REFERENCE, said, insert))
    }

    /// A condition, if there is one.
    fn condition(
        &mut self,
        condition: Option<&ast::Expr>,
        names: &Names,
    ) -> Compiles<Option<Expr>> {
        condition.map(|condition| self.truth(condition, names)).transpose()
    }

    /// An expression that is true or not.
    fn truth(&mut self, condition: &ast::Expr, names: &Names) -> Compiles<Expr> {
        let (truth, of) = self.expression(condition, names, Some(Kind::Bool))?;
        if of.is_kind(Kind::Bool) {
            return Ok(truth);
        }
        Err(wrong(
            SqlState::DATATYPE_MISMATCH,
            "a condition is a truth value, and this is none",
            condition,
        ))
    }

    fn returning(
        &mut self,
        returning: Option<&[ast::SelectItem]>,
        names: &Names,
    ) -> Compiles<Option<Vec<Expr>>> {
        let Some(items) = returning else {
            self.answered.clear();
            return Ok(None);
        };
        let items = self.items(items, names, &[])?;
        self.answered = items.iter().map(queries::Item::named).collect();
        Ok(Some(items.into_iter().map(|item| item.answer).collect()))
    }
}

impl Type {
    /// Whether a value of it may stand where this is asked for.
    fn is_kind(self, kind: Kind) -> bool {
        match self {
            Type::Is(own) => own == kind,
            Type::Unknown => true,
            Type::Numeric => false,
        }
    }

    /// Whether a value of it can be stored in a column of this kind: a number in one of either width.
    fn goes_into(self, kind: Kind) -> bool {
        self.is_kind(kind) || (kind.width().is_some() && self.is_number())
    }

    fn is_number(self) -> bool {
        match self {
            Type::Is(kind) => kind.width().is_some(),
            Type::Unknown => true,
            Type::Numeric => false,
        }
    }
}
