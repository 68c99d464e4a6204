//! First floor, `db`: what clients are told of a statement before it is performed. Imports its neighbours in
//! `sim`.

use std::sync::Arc;

use sqlparser::ast;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::expressions::Type;
use super::{Compiler, all_parsed, control, level_of, only};
use crate::db::schema::Kind;
use crate::db::sim::plan::Act;
use crate::db::statement::{Isolation, Statement};
use crate::db::{SimDb, SqlError, SqlState};

/// What a statement asks for, and what it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Described {
    /// What its parameters have to be.
    pub(crate) parameters: Arc<[Kind]>,
    /// The name and the kind of each column that it answers, no kind for a function that answers nothing. None
    /// where it counts rows.
    pub(crate) columns: Option<Vec<(String, Option<Kind>)>>,
    /// What stands before the number of rows when it is done.
    pub(crate) tag: &'static str,
    /// Whether it may take a lock that outlives its transaction.
    pub(crate) takes_session_locks: bool,
}

/// What a client says with a statement.
#[derive(Clone, Debug)]
pub(crate) enum Says {
    /// Nothing: it is empty.
    Nothing,
    /// It begins a transaction, of this level if it says one.
    Begins(Option<Isolation>),
    /// It ends a transaction.
    Ends(Statement),
    /// It is about the session: it sets something, or asks how that is set.
    Sets(Box<ast::Statement>),
    /// It is about rows.
    Rows(Described),
}

impl SimDb {
    /// What a client says with this text.
    ///
    /// # Errors
    ///
    /// Those of [`prepare`](Self::prepare).
    pub(crate) fn says(&self, text: &str) -> Result<Says, SqlError> {
        let statements = all_parsed(text)?;
        if statements.is_empty() {
            return Ok(Says::Nothing);
        }
        Ok(match (control(text), only(statements, text)?) {
            (Some(_), ast::Statement::StartTransaction { modes, .. }) => {
                Says::Begins(level_of(&modes).ok().flatten())
            }
            (Some(ends), _) => Says::Ends(ends),
            (
                None,
                statement @ (ast::Statement::Set(_)
                | ast::Statement::ShowVariable { .. }
                | ast::Statement::Discard { .. }
                | ast::Statement::Deallocate { .. }
                | ast::Statement::Close { .. }
                | ast::Statement::UNLISTEN { .. }
                | ast::Statement::Reset(_)),
            ) => Says::Sets(Box::new(statement)),
            (None, statement) => Says::Rows(self.described(&statement, text)?),
        })
    }

    fn described(&self, statement: &ast::Statement, text: &str) -> Result<Described, SqlError> {
        // Whether it is simulated, and what its parameters are.
        let (plan, parameters) = self.compiled(&Arc::from(text))?;
        let mut compiler = Compiler::new(self);
        compiler.act(statement).map_err(|error| error.in_text(text))?;
        let inferred = compiler.inferred.iter().zip(&*parameters);
        let parameters = inferred.map(|(inferred, kind)| inferred.unwrap_or(*kind)).collect();
        let of_nothing = matches!(plan.act, Act::Advisory(_));
        let columns = compiler.answered.into_iter().map(|(name, of)| {
            let kind = match of {
                Type::Is(kind) => Some(kind),
                Type::Unknown if of_nothing => None,
                Type::Unknown | Type::Numeric => Some(Kind::Text),
            };
            (name, kind)
        });
        let columns: Vec<_> = columns.collect();
        let tag = match &plan.act {
            Act::Select(_) | Act::Lock(..) | Act::Advisory(_) => "SELECT",
            Act::Insert(_) => "INSERT 0",
            Act::Update(_) if matches!(statement, ast::Statement::Update(_)) => "UPDATE",
            Act::Update(_) | Act::Delete(_) => "DELETE",
        };
        let answers_rows = tag == "SELECT" || !columns.is_empty();
        Ok(Described {
            parameters,
            columns: answers_rows.then_some(columns),
            tag,
            takes_session_locks: of_nothing,
        })
    }
}

/// The statements of a text, as they stand there.
///
/// # Errors
///
/// Where a quotation mark or a comment has no end.
pub(crate) fn split(text: &str) -> Result<Vec<&str>, SqlError> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location();
    let tokens = tokens
        .map_err(|error| SqlError::new(SqlState::SYNTAX_ERROR, &format!("{error}: {text}")))?;
    // Places are counted in lines and characters.
    let mut starts = vec![0];
    starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
    let at = |line: u64, column: u64| {
        let start = starts.get(line.saturating_sub(1) as usize).copied().unwrap_or(text.len());
        let rest = text.get(start..).unwrap_or_default();
        let within = rest.char_indices().nth(column.saturating_sub(1) as usize);
        within.map_or(text.len(), |(within, _)| start + within)
    };
    let (mut parts, mut from, mut says_something) = (Vec::new(), 0, false);
    for token in &tokens {
        match token.token {
            Token::SemiColon => {
                let to = at(token.span.start.line, token.span.start.column);
                if std::mem::take(&mut says_something) {
                    parts.extend(text.get(from..to).map(str::trim));
                }
                from = to + 1;
            }
            Token::Whitespace(_) | Token::EOF => {}
            _ => says_something = true,
        }
    }
    if says_something {
        parts.extend(text.get(from..).map(str::trim));
    }
    Ok(parts)
}
