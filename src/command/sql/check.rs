//! Top floor, the command: whether all that a file of `sql` says can be simulated. Imports [`db`](crate::db) and its
//! neighbours in `sql`.

use std::collections::BTreeMap;

use super::grammar::{Claim, File, Session};
use super::place::{Parses, Place, Wrong, in_file, wrong};
use super::psql::{Known, Statements, filled, typed};
use super::statements::{Condition, Part, Piece, Sql};
use crate::db::{Kind, SimDb, SqlError, Statement, Table, Value};

/// The database after the setup.
pub(super) fn database(file: &File, text: &str) -> Parses<SimDb> {
    file.setup.iter().try_fold(SimDb::new(), |db, sql| {
        let padded = padded(sql, text, |_| None);
        db.with_setup(&padded).map_err(|error| told(sql, text, &error))
    })
}

/// Compiles what a session does; what is known of its statements.
pub(super) fn session(db: &SimDb, session: &Session, text: &str) -> Parses<Statements> {
    let mut checker =
        Checker { db, text, variables: BTreeMap::new(), statements: Statements::new() };
    checker.parts(&session.setup)?;
    checker.parts(&session.script)?;
    Ok(checker.statements)
}

/// Compiles the query of a property; the tables of which it asks.
pub(super) fn claim(db: &SimDb, claim: &Claim, text: &str) -> Parses<Vec<&'static Table>> {
    let sql = &claim.query;
    for piece in &sql.pieces {
        if let Piece::Variable { name, at } | Piece::Quoted { name, at } = piece {
            return wrong(*at, format!("a property has no variables, and `:{name}` is one"));
        }
    }
    let query = padded(sql, text, |_| None);
    // The database is at its start: a query that fails on the rows of then may not fail on others.
    if let Err(error) = db.columns_of(&query).and_then(|_| db.query(&query))
        && is_refusal(&error)
    {
        return Err(told(sql, text, &error));
    }
    db.tables_of(&query).map_err(|error| told(sql, text, &error))
}

/// Whether an error comes of the text, and not of the rows that there are.
fn is_refusal(error: &SqlError) -> bool {
    ["0A", "42", "08"].iter().any(|class| error.state.code().starts_with(class))
}

const NO_ROW: &str = "this answers no row, so `\\gset` has nothing to take from it";

struct Checker<'c> {
    db: &'c SimDb,
    text: &'c str,
    /// Those that there may be, each with a value of its kind.
    variables: BTreeMap<String, Value>,
    statements: Statements,
}

impl Checker<'_> {
    fn parts(&mut self, parts: &[Part]) -> Parses<()> {
        parts.iter().try_for_each(|part| self.part(part))
    }

    fn part(&mut self, part: &Part) -> Parses<()> {
        match part {
            Part::Statement(sql) => self.statement(sql),
            Part::Set(name, pieces) => {
                self.knows(pieces)?;
                let value = match &pieces[..] {
                    [Piece::Variable { name, .. }] => self.variables.get(name).cloned(),
                    pieces => Some(typed(&filled(pieces, |_| None))),
                };
                self.variables.insert(name.clone(), value.unwrap_or(Value::Null));
                Ok(())
            }
            // On another way it may be there.
            Part::Unset(_) => Ok(()),
            Part::If(branches, otherwise) => {
                for (condition, parts) in branches {
                    if let Condition::Variable { name, at } = condition {
                        self.knows(&[Piece::Variable { name: name.clone(), at: *at }])?;
                    }
                    self.parts(parts)?;
                }
                self.parts(otherwise)
            }
            Part::Together(parts) => self.parts(parts),
        }
    }

    fn knows(&self, pieces: &[Piece]) -> Parses<()> {
        for piece in pieces {
            let (Piece::Variable { name, at } | Piece::Quoted { name, at }) = piece else {
                continue;
            };
            if !self.variables.contains_key(name) {
                let said = format!(
                    "there is no variable `{name}` here: `\\set {name} …` or a query with `\\gset` makes one"
                );
                return wrong(*at, said);
            }
        }
        Ok(())
    }

    fn statement(&mut self, sql: &Sql) -> Parses<()> {
        self.knows(&sql.pieces)?;
        let value = |name: &str| self.variables.get(name).cloned();
        let is_control = matches!(
            Statement::sql(&filled(&sql.pieces, value), []),
            Statement::Begin(_) | Statement::Commit | Statement::Rollback
        );
        if is_control {
            return match sql.gset {
                Some(_) => wrong(sql.at, NO_ROW),
                None => Ok(()),
            };
        }
        let columns = self.db.columns_of(&padded(sql, self.text, value));
        let (columns, only_reads) = columns.map_err(|error| told(sql, self.text, &error))?;
        let names = columns.iter().map(|(name, _)| name.clone()).collect();
        self.statements.insert(sql.at, Known { columns: names, only_reads });
        let Some(prefix) = &sql.gset else { return Ok(()) };
        if columns.is_empty() {
            return wrong(sql.at, NO_ROW);
        }
        for (name, kind) in &columns {
            let example = match kind {
                Kind::Int | Kind::Integer => Value::Int(1),
                Kind::Text => Value::from(""),
                Kind::Bool => Value::Bool(true),
            };
            self.variables.insert(format!("{prefix}{name}"), example);
        }
        Ok(())
    }
}

/// A statement as it stands in the file, at its place, with values of variables.
fn padded(sql: &Sql, text: &str, value: impl Fn(&str) -> Option<Value>) -> String {
    let place = Place::of(text, sql.at).padding();
    let has_variables = sql.pieces.iter().any(|piece| !matches!(piece, Piece::Text(_)));
    match text.get(sql.at..sql.at + sql.length) {
        Some(own) if !has_variables => place + own,
        _ => place + &filled(&sql.pieces, value),
    }
}

/// What a database said of a statement, as an error of the file.
fn told(sql: &Sql, text: &str, error: &SqlError) -> Wrong {
    let (place, said) = in_file(error.words(), Place::of(text, sql.at));
    let lines: usize =
        text.split_inclusive('\n').take(place.line.saturating_sub(1)).map(str::len).sum::<usize>();
    let line = text.get(lines..).unwrap_or_default();
    let column = line.char_indices().nth(place.column.saturating_sub(1)).map_or(0, |(at, _)| at);
    Wrong { at: lines + column, said }
}
