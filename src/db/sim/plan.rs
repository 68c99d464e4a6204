//! First floor, `db`: what the simulated database makes of a statement before it performs it: columns by their
//! places, conditions as expressions. Imports its neighbours in `sim`.

use super::SimDb;
use super::advisory::Advisory;
use super::expr::{Expr, Operator, Width};
use super::keys::Key;
use crate::db::schema::{Column, Kind, Table, Value};
use crate::db::statement::{
    Comparison, Expression, Filter, Insert, OnConflict, Returning, Select, Statement, Update, What,
};
use crate::db::{SqlError, SqlState};

/// A statement about rows, as it is performed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Answered when the statement begins, one after the other.
    pub(super) subqueries: Vec<Query>,
    pub(super) act: Act,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Select(Query),
    /// `SELECT … FOR UPDATE` of one table.
    Lock(Query, WhileHeld),
    Insert(Inserts),
    Update(Updates),
    Delete(Updates),
    Advisory(Advisory),
}

/// What a `FOR UPDATE` does about a row that somebody else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhileHeld {
    Waits,
    /// `NOWAIT`.
    Fails,
    /// `SKIP LOCKED`.
    Skips,
}

/// A `SELECT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Their rows side by side, each with each.
    pub(super) tables: Vec<usize>,
    pub(super) filter: Option<Expr>,
    pub(super) what: Asked,
    /// What is answered of each row, or of each group.
    pub(super) answers: Vec<Expr>,
    pub(super) order: Vec<Order>,
    pub(super) limit: Option<usize>,
}

/// What a `SELECT` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Rows,
    /// Whether there is a row.
    Whether,
    /// `GROUP BY … HAVING …`, and the aggregate functions. Without `by`, all rows are one group, even if
    /// there is none.
    Groups {
        by: Vec<Expr>,
        aggregates: Vec<Aggregate>,
        having: Option<Expr>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Aggregate {
    pub(super) function: Function,
    pub(super) of: Expr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    /// Of what is not `NULL`.
    Count,
    Sum,
    Least,
    Greatest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) by: Expr,
    pub(super) descending: bool,
    pub(super) nulls_first: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inserts {
    pub(super) table: usize,
    pub(super) source: Source,
    /// What each column of the table gets of a row of the source.
    pub(super) columns: Vec<Expr>,
    /// The unique indexes that its `ON CONFLICT` is about.
    pub(super) arbiters: Vec<usize>,
    pub(super) conflict: Conflict,
    pub(super) returning: Option<Vec<Expr>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Values(Vec<Vec<Expr>>),
    Query(Query),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Conflict {
    Fails,
    DoesNothing,
    Updates(Vec<(usize, Expr)>, Option<Expr>),
}

/// An `UPDATE`, or a `DELETE`, which sets nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Updates {
    pub(super) table: usize,
    pub(super) set: Vec<(usize, Expr)>,
    pub(super) filter: Option<Expr>,
    pub(super) returning: Option<Vec<Expr>>,
}

impl Kind {
    /// How wide its numbers are, if it has any.
    pub(super) fn width(self) -> Option<Width> {
        match self {
            Kind::Int => Some(Width::Eight),
            Kind::Integer => Some(Width::Four),
            Kind::Text | Kind::Bool => None,
        }
    }
}

impl Query {
    /// Of all rows of a table, and nothing of them yet.
    pub(super) fn of(table: usize) -> Self {
        Query {
            tables: vec![table],
            filter: None,
            what: Asked::Rows,
            answers: Vec::new(),
            order: Vec::new(),
            limit: None,
        }
    }
}

impl Order {
    pub(super) fn by_column(place: usize) -> Self {
        Order { by: Expr::Column(place), descending: false, nulls_first: false }
    }
}

impl Plan {
    /// Whether it makes no difference when others act between its end and its commit, if it is a statement by
    /// itself. What it looks at is the row of one key, or only what it locks: so nobody changes what it looked
    /// at. `keys`: the unique indexes of a table.
    pub(super) fn is_whole(&self, keys: impl Fn(usize) -> &'static [Key]) -> bool {
        let is_keyed = |it: &Updates| {
            let keys = keys(it.table);
            let has_it = |(column, _): &(usize, Expr)| {
                let asks = |only: &Expr| !only.columns_are(&|other| other != *column);
                let in_key =
                    |key: &Key| key.columns.contains(column) || key.only.as_ref().is_some_and(asks);
                keys.iter().any(in_key)
            };
            let is_named = |filter: &Expr| keys.iter().any(|key| key.is_named_by(filter));
            it.filter.as_ref().is_some_and(is_named) && !it.set.iter().any(has_it)
        };
        self.subqueries.is_empty()
            && match &self.act {
                Act::Select(_) | Act::Lock(..) | Act::Advisory(_) => true,
                Act::Insert(insert) => matches!(insert.source, Source::Values(_)),
                Act::Update(it) | Act::Delete(it) => is_keyed(it),
            }
    }
}

impl From<Act> for Plan {
    fn from(act: Act) -> Self {
        Plan { subqueries: Vec::new(), act }
    }
}

impl SimDb {
    /// What a statement comes to, in the tables that there are.
    ///
    /// # Errors
    ///
    /// Where the tables are not those that it was written for.
    pub(super) fn planned(&self, statement: &Statement) -> Result<Plan, SqlError> {
        statement.check()?;
        match statement {
            Statement::Select(select) => self.planned_select(select),
            Statement::Insert(insert) => self.planned_insert(insert).map(Act::Insert),
            Statement::Update(update) => self.planned_update(update).map(Act::Update),
            Statement::Delete(delete) => {
                let table = self.table(delete.table)?;
                let filter = self.planned_filter(table, &delete.filter)?;
                Ok(Act::Delete(Updates { table, set: Vec::new(), filter, returning: None }))
            }
            #[cfg(feature = "sql")]
            Statement::Text(_) => Err(SqlState::INTERNAL_ERROR.into()),
            // It comes here with these only where a session has another statement that waits.
            Statement::Begin(_) | Statement::Commit | Statement::Rollback => {
                let said =
                    "the session has a statement that waits: ask with that one for its answer";
                Err(SqlError::new(SqlState::INTERNAL_ERROR, said))
            }
        }
        .map(Plan::from)
    }

    fn planned_select(&self, select: &Select) -> Result<Act, SqlError> {
        let table = self.table(select.table)?;
        let filter = self.planned_filter(table, &select.filter)?;
        let mut query = Query { filter, ..Query::of(table) };
        match &select.what {
            What::Columns(columns) => {
                query.answers = self.planned_columns(table, columns)?;
                let names = select.table.columns.iter().map(|column| column.name);
                let order = names.map(|name| self.column(table, name).map(Order::by_column));
                query.order = order.collect::<Result<_, _>>()?;
            }
            What::Exists => query.what = Asked::Whether,
            What::Sum(column) => {
                let column = self.column(table, column)?;
                self.check_kind(table, column, &Value::Int(0))?;
                let sum = Aggregate { function: Function::Sum, of: Expr::Column(column) };
                query.what = Asked::Groups { by: Vec::new(), aggregates: vec![sum], having: None };
                let none = Expr::Value(Value::Int(0));
                query.answers = vec![Expr::Coalesce(vec![Expr::Aggregate(0), none])];
            }
        }
        Ok(if select.for_update { Act::Lock(query, WhileHeld::Waits) } else { Act::Select(query) })
    }

    fn planned_insert(&self, insert: &Insert) -> Result<Inserts, SqlError> {
        let table = self.table(insert.table)?;
        let columns = self.tables.get(table).map_or(&[][..], |stored| stored.table.columns);
        let Insert { table: written_for, row, .. } = insert;
        for column in written_for.columns {
            self.column(table, column.name)?;
        }
        // Its values go by the names of their columns, which may stand in another order in the database.
        let value = |(place, column): (usize, &Column)| {
            let value = written_for.column(column.name).and_then(|place| row.get(place));
            let Some(value) = value else {
                let said = format!("`{}` of `{}` gets no value", column.name, written_for.name);
                return Err(SqlError::new(SqlState::INTEGRITY_VIOLATION, &said));
            };
            self.check_kind(table, place, value)?;
            Ok(Expr::Value(value.clone()))
        };
        let columns = columns.iter().enumerate().map(value).collect::<Result<_, _>>()?;
        // The constraint is the database's: who believes in another finds out.
        let key = self.tables.get(table).and_then(|stored| stored.table.unique);
        if insert.on_conflict != OnConflict::Fail && (key.is_none() || key != written_for.unique) {
            let said = format!("no column of `{}` is unique in the database", written_for.name);
            return Err(SqlError::new(SqlState::INVALID_COLUMN_REFERENCE, &said));
        }
        let returning = match &insert.returning {
            Returning::Columns(columns) => Some(self.planned_columns(table, columns)?),
            Returning::Count => None,
            Returning::Inserted => Some(vec![Expr::IsNew]),
        };
        let conflict = match &insert.on_conflict {
            OnConflict::Fail => Conflict::Fails,
            OnConflict::DoNothing => Conflict::DoesNothing,
            OnConflict::DoUpdate(columns) => {
                let set = columns.iter().map(|name| {
                    let place = self.column(table, name)?;
                    Ok((place, Expr::Excluded(place)))
                });
                Conflict::Updates(set.collect::<Result<_, SqlError>>()?, None)
            }
        };
        let source = Source::Values(vec![Vec::new()]);
        let arbiters = match &conflict {
            Conflict::Fails => Vec::new(),
            Conflict::DoesNothing | Conflict::Updates(..) => (0..self.keys(table).len()).collect(),
        };
        Ok(Inserts { table, source, columns, arbiters, conflict, returning })
    }

    fn planned_update(&self, update: &Update) -> Result<Updates, SqlError> {
        let table = self.table(update.table)?;
        let filter = self.planned_filter(table, &update.filter)?;
        let mut set = Vec::with_capacity(update.set.len());
        for (name, expression) in &update.set {
            let column = self.column(table, name)?;
            if self.unique(table) == Some(column) {
                let said = format!("`{name}` is unique in the database, and does not change there");
                return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, &said));
            }
            let new = match expression {
                Expression::Value(value) => {
                    self.check_kind(table, column, value)?;
                    Expr::Value(value.clone())
                }
                Expression::Plus(amount) => {
                    self.check_kind(table, column, &Value::Int(0))?;
                    let kind = self.kind(table, column);
                    let width = kind.and_then(Kind::width).unwrap_or(Width::Eight);
                    Expr::compares(column, Operator::Plus(width), Value::Int(*amount))
                }
            };
            set.push((column, new));
        }
        Ok(Updates { table, set, filter, returning: None })
    }

    fn planned_filter(&self, table: usize, filter: &Filter) -> Result<Option<Expr>, SqlError> {
        let mut planned = None;
        for condition in filter {
            let column = self.column(table, condition.column)?;
            self.check_kind(table, column, &condition.value)?;
            let operator = match condition.comparison {
                Comparison::Equal => Operator::Equal,
                Comparison::NotEqual => Operator::NotEqual,
                Comparison::AtLeast => Operator::AtLeast,
                Comparison::AtMost => Operator::AtMost,
            };
            let compares = Expr::compares(column, operator, condition.value.clone());
            planned = Expr::and(planned, compares);
        }
        Ok(planned)
    }

    fn planned_columns(&self, table: usize, names: &[&str]) -> Result<Vec<Expr>, SqlError> {
        names.iter().map(|name| self.column(table, name).map(Expr::Column)).collect()
    }

    fn table(&self, table: &Table) -> Result<usize, SqlError> {
        let position = self.tables.iter().position(|stored| stored.table.name == table.name);
        position.ok_or_else(|| {
            let said = format!("there is no table `{}`", table.name);
            SqlError::new(SqlState::UNDEFINED_TABLE, &said)
        })
    }

    /// The column of the unique index that there is.
    pub(super) fn unique(&self, table: usize) -> Option<usize> {
        self.tables.get(table)?.table.unique()
    }

    fn kind(&self, table: usize, column: usize) -> Option<Kind> {
        Some(self.tables.get(table)?.table.columns.get(column)?.kind)
    }

    fn column(&self, table: usize, name: &str) -> Result<usize, SqlError> {
        let stored = self.tables.get(table);
        stored.and_then(|stored| stored.table.column(name)).ok_or_else(|| {
            let table = stored.map_or("", |stored| stored.table.name);
            let said = format!("`{table}` has no column `{name}` in the database");
            SqlError::new(SqlState::UNDEFINED_COLUMN, &said)
        })
    }

    fn check_kind(&self, table: usize, column: usize, value: &Value) -> Result<(), SqlError> {
        let stored = self.tables.get(table).ok_or(SqlState::UNDEFINED_TABLE)?;
        let column = stored.table.columns.get(column).ok_or(SqlState::UNDEFINED_COLUMN)?;
        if column.holds(value) {
            return Ok(());
        }
        let said = format!("`{}` holds values of another type in the database", column.name);
        Err(SqlError::new(SqlState::DATATYPE_MISMATCH, &said))
    }
}
