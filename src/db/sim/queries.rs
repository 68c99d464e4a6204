//! First floor, `db`: what a query answers, of rows that are given. Imports its neighbours in `sim`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::expr::{Expr, Scope};
use super::plan::{Aggregate, Asked, Function, Order, Query};
use crate::db::schema::{Row, Value};
use crate::db::{SqlError, SqlState};

/// What a query answers where its tables have these rows. Rows that its `ORDER BY` leaves open come in the
/// order of their columns.
pub(super) fn answered(
    query: &Query,
    rows: impl Fn(usize) -> Vec<Row>,
    of: Scope<'_>,
) -> Result<Vec<Row>, SqlError> {
    let mut found = Vec::new();
    for row in joined(&query.tables, rows)? {
        let of = Scope { row: &row, ..of };
        if query.filter.as_ref().map_or(Ok(true), |filter| filter.holds(of))? {
            found.push(row);
        }
    }
    // Each group with one of its rows, and the answers of its aggregate functions.
    let mut answers: Vec<(Row, Vec<Value>)> = match &query.what {
        Asked::Whether => {
            return Ok(vec![Row::from([Value::Bool(!found.is_empty())])]);
        }
        Asked::Rows => found.into_iter().map(|row| (row, Vec::new())).collect(),
        Asked::Groups { by, aggregates, having } => {
            let mut groups: BTreeMap<Row, Vec<Row>> = BTreeMap::new();
            if by.is_empty() {
                groups.insert(Row::default(), Vec::new());
            }
            for row in found {
                let key = projected(by, Scope { row: &row, ..of })?;
                groups.entry(key).or_default().push(row);
            }
            let mut kept = Vec::new();
            for rows in groups.into_values() {
                let totals = aggregates.iter().map(|it| it.over(&rows, of));
                let totals = totals.collect::<Result<Vec<_>, SqlError>>()?;
                let one = rows.first().cloned().unwrap_or_default();
                let of = Scope { row: &one, aggregates: &totals, ..of };
                if having.as_ref().map_or(Ok(true), |having| having.holds(of))? {
                    kept.push((one, totals));
                }
            }
            kept
        }
    };
    sort(&mut answers, &query.order, of, |(row, totals)| (row, totals))?;
    answers.truncate(query.limit.unwrap_or(usize::MAX));
    let told = answers.iter().map(|(row, totals)| {
        projected(&query.answers, Scope { row, aggregates: totals, ..of }).map_err(SqlError::from)
    });
    told.collect()
}

/// So many rows of several tables side by side are looked at.
const MOST_JOINED: usize = 65_536;

/// The rows of several tables side by side, each with each. Of no table, one row without columns.
fn joined(tables: &[usize], rows: impl Fn(usize) -> Vec<Row>) -> Result<Vec<Row>, SqlError> {
    if let [table] = tables {
        return Ok(rows(*table));
    }
    let mut joined = vec![Row::default()];
    for table in tables {
        let more = rows(*table);
        if joined.len().saturating_mul(more.len()) > MOST_JOINED {
            let said = format!("more than {MOST_JOINED} pairs of rows would be looked at");
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, &said));
        }
        let pairs = joined.iter().flat_map(|one| more.iter().map(move |other| (one, other)));
        joined = pairs.map(|(one, other)| one.iter().chain(&**other).cloned().collect()).collect();
    }
    Ok(joined)
}

/// The values of these expressions, as a row.
pub(super) fn projected(answers: &[Expr], of: Scope<'_>) -> Result<Row, SqlState> {
    answers.iter().map(|it| it.value(of)).collect()
}

/// Sorts by these, and then by the rows themselves. `columns`: a row, and the aggregates over it.
pub(super) fn sort<T>(
    rows: &mut Vec<T>,
    order: &[Order],
    of: Scope<'_>,
    columns: impl Fn(&T) -> (&Row, &[Value]),
) -> Result<(), SqlState> {
    let keys = rows.iter().map(|it| {
        let (row, aggregates) = columns(it);
        let of = Scope { row, aggregates, ..of };
        let key = order.iter().map(|it| it.by.value(of)).collect::<Result<Row, _>>()?;
        Ok((key, row.clone()))
    });
    let keys = keys.collect::<Result<Vec<(Row, Row)>, SqlState>>()?;
    let mut keyed: Vec<_> = keys.into_iter().zip(rows.drain(..)).collect();
    keyed.sort_by(|((one, one_row), _), ((other, other_row), _)| {
        let compared = order.iter().zip(one.iter().zip(&**other));
        let compared = compared.map(|(order, (one, other))| order.compares(one, other));
        compared.fold(Ordering::Equal, Ordering::then).then_with(|| one_row.cmp(other_row))
    });
    rows.extend(keyed.into_iter().map(|(_, row)| row));
    Ok(())
}

impl Order {
    fn compares(&self, one: &Value, other: &Value) -> Ordering {
        let nulls = (*one == Value::Null).cmp(&(*other == Value::Null));
        let nulls = if self.nulls_first { nulls.reverse() } else { nulls };
        let values = one.cmp(other);
        nulls.then(if self.descending { values.reverse() } else { values })
    }
}

impl Aggregate {
    fn over(&self, rows: &[Row], of: Scope<'_>) -> Result<Value, SqlError> {
        let values = rows.iter().map(|row| self.of.value(Scope { row, ..of }));
        let values = values.collect::<Result<Vec<_>, SqlState>>()?;
        let mut values = values.into_iter().filter(|value| *value != Value::Null);
        Ok(match self.function {
            Function::Count => Value::Int(values.count() as i64),
            Function::Least => values.min().unwrap_or(Value::Null),
            Function::Greatest => values.max().unwrap_or(Value::Null),
            Function::Sum => {
                let Some(first) = values.next() else { return Ok(Value::Null) };
                let all = std::iter::once(first).chain(values);
                let sum: i128 = all.filter_map(|it| it.int()).map(i128::from).sum();
                let sum = i64::try_from(sum).map_err(|_| SqlState::NUMERIC_OUT_OF_RANGE)?;
                Value::Int(sum)
            }
        })
    }
}
