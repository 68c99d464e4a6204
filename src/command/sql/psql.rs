//! Top floor, the command: scripts of `sql` as they are performed. Imports [`db`](crate::db) and its neighbours in
//! `sql`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::statements::{Condition, Part, Piece, Sql, truth};
use crate::db::{Answer, Isolation, Row, SqlError, SqlState, Statement, Value};

/// What is known of the statements of a script, by their places.
pub(super) type Statements = BTreeMap<usize, Known>;

/// What is known of a statement.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The names of the columns that it answers, for a `\gset`.
    pub(super) columns: Vec<String>,
    /// It changes no row and locks none.
    pub(super) only_reads: bool,
}

/// What a session ends with: the errors that it was told, in order.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Told(Vec<Arc<str>>);

impl Told {
    /// Whether it met no error.
    pub(super) fn is_well(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Told {
    /// `ok`; `40001, 25P02`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0[..] {
            [] => f.write_str("ok"),
            errors => f.write_str(&errors.join(", ")),
        }
    }
}

/// A session's side of the connection.
#[derive(Clone, Debug)]
pub(super) struct Terminal {
    /// What a `BEGIN` without a level of its own begins.
    level: Isolation,
    statements: Arc<Statements>,
    variables: BTreeMap<String, Value>,
    transaction: Transaction,
    errors: Vec<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transaction {
    None,
    Open,
    /// Everything but its end is answered 25P02.
    Failed,
}

/// Sends a statement and waits for its answer.
pub(super) type Send<'a> = &'a mut dyn FnMut(&Statement) -> Result<Answer, SqlError>;

impl Terminal {
    pub(super) fn new(level: Isolation, statements: Arc<Statements>) -> Self {
        Terminal {
            level,
            statements,
            variables: BTreeMap::new(),
            transaction: Transaction::None,
            errors: Vec::new(),
        }
    }

    /// Performs a script. An error is noted, and the script goes on.
    pub(super) fn performs(&mut self, parts: &[Part], send: Send<'_>) {
        for part in parts {
            match part {
                Part::Statement(sql) if self.is_alone(sql) => {
                    self.within_one(std::slice::from_ref(part), send);
                }
                Part::Statement(sql) => self.statement(sql, send),
                Part::Set(name, pieces) => {
                    let value = self.value(pieces);
                    self.variables.insert(name.clone(), value);
                }
                Part::Unset(name) => {
                    self.variables.remove(name);
                }
                Part::If(branches, otherwise) => {
                    let taken = branches.iter().find(|(condition, _)| self.is_true(condition));
                    self.performs(taken.map_or(otherwise, |(_, parts)| parts), send);
                }
                Part::Together(parts) => self.message(parts, send),
            }
        }
    }

    /// Ends the session: what it left open is rolled back.
    pub(super) fn ends(mut self, send: Send<'_>) -> Told {
        if self.transaction != Transaction::None {
            self.transaction = Transaction::None;
            self.noted(send(&Statement::Rollback));
        }
        Told(self.errors)
    }

    /// Several statements in one message are one transaction, unless they begin or end some themselves. After an
    /// error the others are left out.
    fn message(&mut self, parts: &[Part], send: Send<'_>) {
        let is_one = parts.len() > 1
            && self.transaction == Transaction::None
            && !parts.iter().any(|part| matches!(part, Part::Statement(sql) if is_control(sql)));
        match is_one {
            true => self.within_one(parts, send),
            false => self.up_to_an_error(parts, send),
        }
    }

    /// Whether a statement is a transaction by itself, of which others may see that it has not committed yet.
    fn is_alone(&self, sql: &Sql) -> bool {
        let known = self.statements.get(&sql.at);
        self.transaction == Transaction::None && known.is_some_and(|known| !known.only_reads)
    }

    /// Begins a transaction of these statements and ends it, as the server does by itself.
    fn within_one(&mut self, parts: &[Part], send: Send<'_>) {
        let begun = send(&Statement::Begin(Isolation::ReadCommitted));
        self.noted(begun);
        self.transaction = Transaction::Open;
        self.up_to_an_error(parts, send);
        let end = match self.transaction {
            Transaction::Failed => Statement::Rollback,
            Transaction::None | Transaction::Open => Statement::Commit,
        };
        self.transaction = Transaction::None;
        self.noted(send(&end));
    }

    fn up_to_an_error(&mut self, parts: &[Part], send: Send<'_>) {
        let before = self.errors.len();
        for part in parts {
            self.performs(std::slice::from_ref(part), send);
            if self.errors.len() > before {
                break;
            }
        }
    }

    fn statement(&mut self, sql: &Sql, send: Send<'_>) {
        let statement = match Statement::sql(&self.filled(&sql.pieces), []) {
            Statement::Begin(_) if !has_level(sql) => Statement::Begin(self.level),
            statement => statement,
        };
        match (&statement, self.transaction) {
            // The server warns of these, and goes on.
            (Statement::Begin(_), Transaction::Open)
            | (Statement::Commit | Statement::Rollback, Transaction::None) => return,
            (Statement::Begin(_), Transaction::Failed) => {
                return self.fails(SqlState::IN_FAILED_TRANSACTION.code());
            }
            _ => {}
        }
        let answer = send(&statement);
        self.transaction = match (&statement, &answer) {
            (Statement::Begin(_), Ok(_)) => Transaction::Open,
            (Statement::Commit | Statement::Rollback, _) => Transaction::None,
            (_, Err(_)) if self.transaction == Transaction::Open => Transaction::Failed,
            _ => self.transaction,
        };
        if let (Ok(answer), Some(prefix)) = (&answer, &sql.gset) {
            self.gset(answer.rows(), prefix, sql.at);
        }
        self.noted(answer);
    }

    fn noted(&mut self, answer: Result<Answer, SqlError>) {
        if let Err(error) = answer {
            self.fails(error.state.code());
        }
    }

    fn fails(&mut self, error: &str) {
        self.errors.push(Arc::from(error));
    }

    /// The values of the one row that was answered, as variables. `NULL` is no value: its variable is unset.
    fn gset(&mut self, rows: &[Row], prefix: &str, at: usize) {
        let row = match rows {
            [row] => row.clone(),
            [] => return self.fails("no row for \\gset"),
            _ => return self.fails("several rows for \\gset"),
        };
        let statements = Arc::clone(&self.statements);
        let names = statements.get(&at).into_iter().flat_map(|known| &known.columns);
        for (name, value) in names.zip(row.iter()) {
            let name = format!("{prefix}{name}");
            match value {
                Value::Null => self.variables.remove(&name),
                value => self.variables.insert(name, value.clone()),
            };
        }
    }

    fn value(&self, pieces: &[Piece]) -> Value {
        match pieces {
            [Piece::Variable { name, .. }] => match self.variables.get(name) {
                Some(value) => value.clone(),
                None => typed(&format!(":{name}")),
            },
            pieces => typed(&pieces.iter().map(|piece| self.said(piece)).collect::<String>()),
        }
    }

    fn said(&self, piece: &Piece) -> String {
        match piece {
            Piece::Text(text) => text.clone(),
            Piece::Variable { name, .. } | Piece::Quoted { name, .. } => {
                self.variables.get(name).map_or_else(|| format!(":{name}"), plain)
            }
        }
    }

    fn filled(&self, pieces: &[Piece]) -> String {
        filled(pieces, |name| self.variables.get(name).cloned())
    }

    fn is_true(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Is(truth) => *truth,
            Condition::IsSet(name) => self.variables.contains_key(name),
            Condition::Variable { name, .. } => match self.variables.get(name) {
                Some(Value::Bool(is_true)) => *is_true,
                Some(value) => truth(&plain(value)).unwrap_or(false),
                None => false,
            },
        }
    }
}

/// A statement with the values of its variables. A variable without one stays as it is written.
pub(super) fn filled(pieces: &[Piece], value: impl Fn(&str) -> Option<Value>) -> String {
    let told = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Variable { name, .. } => match value(name) {
            Some(Value::Int(number)) if number < 0 => format!("({number})"),
            Some(value) => value.to_string(),
            None => format!(":{name}"),
        },
        Piece::Quoted { name, .. } => match value(name) {
            Some(value) => Value::from(plain(&value).as_str()).to_string(),
            None => format!(":'{name}'"),
        },
    });
    told.collect()
}

/// A value without quotation marks, as `psql` prints it.
fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.to_string(),
        Value::Bool(true) => "t".to_owned(),
        Value::Bool(false) => "f".to_owned(),
        value => value.to_string(),
    }
}

/// The value of a `\set`: a number or a truth value where it looks like one, or else a text.
pub(super) fn typed(said: &str) -> Value {
    match (said.parse::<i64>(), said) {
        (Ok(number), _) => Value::Int(number),
        (Err(_), "true") => Value::Bool(true),
        (Err(_), "false") => Value::Bool(false),
        (Err(_), text) => Value::from(text),
    }
}

/// Whether a `BEGIN` says at which level.
fn has_level(sql: &Sql) -> bool {
    let text = filled(&sql.pieces, |_| None).to_ascii_lowercase();
    text.split(|it: char| !it.is_ascii_alphabetic()).any(|word| word == "isolation")
}

/// Whether a statement begins or ends a transaction.
fn is_control(sql: &Sql) -> bool {
    let statement = Statement::sql(&filled(&sql.pieces, |_| None), []);
    matches!(statement, Statement::Begin(_) | Statement::Commit | Statement::Rollback)
}
