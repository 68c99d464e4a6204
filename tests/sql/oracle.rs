//! Whether what committed is serializable, by trying every serial order: nothing is known here of
//! snapshots, locks or conflicts, only what statements mean to somebody who is alone.

use toctou::db::{
    Answer, Comparison, Expression, Filter, Insert, OnConflict, Returning, Row, Select, Statement,
    Table, Value, What,
};

/// What a transaction asked, and what it was answered.
pub(crate) type Transaction = Vec<(Statement, Answer)>;

/// The tables and their rows, in no order.
pub(crate) type Tables = Vec<(&'static Table, Vec<Row>)>;

/// An order in which the transactions, one after the other, get the same answers and leave the same
/// rows; none if there is no such order.
pub(crate) fn serial_order(
    before: &Tables,
    transactions: &[Transaction],
    after: &Tables,
) -> Option<Vec<usize>> {
    let mut order = Vec::with_capacity(transactions.len());
    search(before, transactions, after, &mut order).then_some(order)
}

fn search(
    tables: &Tables,
    transactions: &[Transaction],
    after: &Tables,
    order: &mut Vec<usize>,
) -> bool {
    if order.len() == transactions.len() {
        return sorted(tables) == sorted(after);
    }
    for (index, transaction) in transactions.iter().enumerate() {
        if order.contains(&index) {
            continue;
        }
        if let Some(tables) = replayed(tables, transaction) {
            order.push(index);
            if search(&tables, transactions, after, order) {
                return true;
            }
            order.pop();
        }
    }
    false
}

fn sorted(tables: &Tables) -> Vec<(&'static str, Vec<Row>)> {
    let mut sorted: Vec<_> =
        tables.iter().map(|(table, rows)| (table.name, rows.clone())).collect();
    sorted.iter_mut().for_each(|(_, rows)| rows.sort());
    sorted.sort();
    sorted
}

/// The transactions without what PostgreSQL does not count as a read: an
/// `INSERT … ON CONFLICT DO NOTHING` that found the key and did nothing.
pub(crate) fn without_idle_inserts(transactions: &[Transaction]) -> Vec<Transaction> {
    let is_counted = |(statement, answer): &&(Statement, Answer)| match statement {
        Statement::Insert(insert) if insert.on_conflict == OnConflict::DoNothing => {
            answer.count() > 0 || !answer.rows().is_empty()
        }
        _ => true,
    };
    let counted = |it: &Transaction| it.iter().filter(is_counted).cloned().collect();
    transactions.iter().map(counted).collect()
}

/// Asks for the rows that a statement is about; none for one that is about no rows that are there.
pub(crate) fn rows_that_fit(statement: &Statement) -> Option<Statement> {
    let (table, filter) = match statement {
        Statement::Select(select) => (select.table, &select.filter),
        Statement::Update(update) => (update.table, &update.filter),
        Statement::Delete(delete) => (delete.table, &delete.filter),
        _ => return None,
    };
    let columns: Vec<_> = table.columns.iter().map(|column| column.name).collect();
    Some(Select { filter: filter.clone(), ..Select::columns(table, &columns) }.into())
}

/// What a transaction makes of the tables, if it is answered as it was.
fn replayed(tables: &Tables, transaction: &Transaction) -> Option<Tables> {
    let mut tables = tables.clone();
    let same = transaction
        .iter()
        .all(|(statement, answer)| alone(&mut tables, statement).as_ref() == Some(answer));
    same.then_some(tables)
}

/// Performs a statement of somebody who is alone. None for what fails.
pub(crate) fn alone(tables: &mut Tables, statement: &Statement) -> Option<Answer> {
    match statement {
        Statement::Begin(_) => Some(Answer::Begun),
        Statement::Commit => Some(Answer::Committed),
        Statement::Rollback => Some(Answer::RolledBack),
        Statement::Text(_) => unreachable!("it judges no text"),
        Statement::Select(select) => {
            let table = select.table;
            let mut rows = rows_of(tables, table)?.clone();
            rows.retain(|row| fits(table, &select.filter, row));
            rows.sort();
            Some(Answer::Rows(match &select.what {
                What::Columns(columns) => {
                    rows.iter().map(|row| projected(table, row, columns)).collect()
                }
                What::Exists => vec![Row::from([Value::Bool(!rows.is_empty())])],
                What::Sum(column) => {
                    let numbers = rows.iter().filter_map(|row| of(table, row, column).int());
                    let sum = numbers.map(i128::from).sum::<i128>();
                    vec![Row::from([Value::Int(sum.try_into().ok()?)])]
                }
            }))
        }
        Statement::Update(update) => {
            let table = update.table;
            let mut count = 0;
            for row in
                rows_of(tables, table)?.iter_mut().filter(|row| fits(table, &update.filter, row))
            {
                let mut values = row.to_vec();
                for (column, expression) in &update.set {
                    values[table.column(column)?] = match expression {
                        Expression::Value(value) => value.clone(),
                        Expression::Plus(amount) => {
                            Value::Int(of(table, row, column).int()?.checked_add(*amount)?)
                        }
                    };
                }
                *row = values.into();
                count += 1;
            }
            Some(Answer::Count(count))
        }
        Statement::Delete(delete) => {
            let rows = rows_of(tables, delete.table)?;
            let before = rows.len();
            rows.retain(|row| !fits(delete.table, &delete.filter, row));
            Some(Answer::Count((before - rows.len()) as u64))
        }
        Statement::Insert(insert) => inserted(rows_of(tables, insert.table)?, insert),
    }
}

fn rows_of<'t>(tables: &'t mut Tables, table: &Table) -> Option<&'t mut Vec<Row>> {
    tables.iter_mut().find(|(other, _)| *other == table).map(|(_, rows)| rows)
}

fn inserted(rows: &mut Vec<Row>, insert: &Insert) -> Option<Answer> {
    let table = insert.table;
    let key = table.unique;
    let same =
        |row: &&mut Row| key.is_some_and(|key| of(table, row, key) == of(table, &insert.row, key));
    let there = rows.iter_mut().find(same);
    let (row, is_new) = match (there, &insert.on_conflict) {
        (None, _) => {
            rows.push(insert.row.clone());
            (Some(insert.row.clone()), true)
        }
        (Some(_), OnConflict::Fail) => return None,
        (Some(_), OnConflict::DoNothing) => (None, false),
        (Some(row), OnConflict::DoUpdate(columns)) => {
            let mut values = row.to_vec();
            for column in columns {
                values[table.column(column)?] = of(table, &insert.row, column);
            }
            *row = values.into();
            (Some(row.clone()), false)
        }
    };
    Some(match &insert.returning {
        Returning::Count => Answer::Count(row.is_some().into()),
        Returning::Columns(columns) => {
            Answer::Rows(row.iter().map(|row| projected(table, row, columns)).collect())
        }
        Returning::Inserted => {
            Answer::Rows(row.iter().map(|_| Row::from([Value::Bool(is_new)])).collect())
        }
    })
}

fn of(table: &Table, row: &Row, column: &str) -> Value {
    let index = table.column(column).expect("a column of the table");
    row[index].clone()
}

fn projected(table: &Table, row: &Row, columns: &[&'static str]) -> Row {
    columns.iter().map(|column| of(table, row, column)).collect()
}

fn fits(table: &Table, filter: &Filter, row: &Row) -> bool {
    filter.iter().all(|condition| {
        let value = of(table, row, condition.column);
        match condition.comparison {
            Comparison::Equal => value == condition.value,
            Comparison::NotEqual => value != condition.value,
            Comparison::AtLeast => value >= condition.value,
            Comparison::AtMost => value <= condition.value,
        }
    })
}
