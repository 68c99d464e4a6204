//! First floor, `db`: the settings of a session that clients of PostgreSQL ask for. Imports its neighbours in
//! `db`.

use sqlparser::ast::{self, Expr, Set};

use crate::db::Isolation;
use crate::db::sim::level_of;

/// A statement that sets something, or asks how it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// The level of the transactions to come.
    Level(Isolation),
    /// The level of the transaction that has just begun.
    LevelOfThis(Isolation),
    /// The session is to forget what it prepared.
    Forgets,
    /// What makes no difference here. The text is how it is answered.
    NoMatter(&'static str),
    /// How this is set; `None` for the level.
    Shows(&'static str, Option<&'static str>),
    /// A question of the server itself: its name, and the answer.
    Asks(&'static str, &'static str),
}

/// Settings that change nothing that is simulated, whatever they are set to.
const NO_MATTER: [&str; 7] = [
    "application_name",
    "client_min_messages",
    "extra_float_digits",
    "idle_in_transaction_session_timeout",
    "jit",
    "synchronous_commit",
    "timezone",
];

/// Settings that have to be as they are, or their words in lower case for which they are.
const AS_IT_IS: [(&str, &[&str]); 10] = [
    ("client_encoding", &["utf8", "utf-8", "unicode"]),
    ("datestyle", &["iso", "iso, mdy", "iso,mdy"]),
    ("intervalstyle", &["postgres", "iso_8601"]),
    ("standard_conforming_strings", &["on", "true"]),
    ("bytea_output", &["hex", "escape"]),
    ("default_transaction_read_only", &["off", "false"]),
    ("statement_timeout", &["0"]),
    ("lock_timeout", &["0"]),
    ("search_path", &["public", "$user, public", "\"$user\", public"]),
    ("default_transaction_deferrable", &["off", "false"]),
];

/// What is answered to `SHOW`.
const SHOWN: [(&str, Option<&str>); 8] = [
    ("transaction_isolation", None),
    ("default_transaction_isolation", None),
    ("standard_conforming_strings", Some("on")),
    ("server_version", Some("15.0")),
    ("client_encoding", Some("UTF8")),
    ("server_encoding", Some("UTF8")),
    ("timezone", Some("UTC")),
    ("search_path", Some("\"$user\", public")),
];

/// What clients ask of a server before anything else, without blanks and in lower case.
const ASKED: [(&str, &str, &str); 5] = [
    ("selectversion()", "version", "PostgreSQL 15.0"),
    ("selectpg_catalog.version()", "version", "PostgreSQL 15.0"),
    ("selectcurrent_schema()", "current_schema", "public"),
    ("selectcurrent_database()", "current_database", "toctou"),
    ("selectcurrent_user", "current_user", "toctou"),
];

impl Setting {
    /// What a text asks of the server itself, if it does.
    pub(super) fn asked(text: &str) -> Option<Setting> {
        let words: String = text.to_ascii_lowercase().split_whitespace().collect();
        let asked = ASKED.iter().find(|(known, _, _)| *known == words)?;
        Some(Setting::Asks(asked.1, asked.2))
    }

    /// What it means that this is set so.
    ///
    /// # Errors
    ///
    /// Where that is not simulated: what is set.
    pub(super) fn of(name: &str, value: &str) -> Result<Setting, String> {
        let name = name.to_ascii_lowercase();
        let value = value.trim().trim_matches(['\'', '"']).to_ascii_lowercase();
        if name == "default_transaction_isolation" || name == "transaction_isolation" {
            let level = match value.as_str() {
                "read committed" | "read uncommitted" => Some(Isolation::ReadCommitted),
                "repeatable read" => Some(Isolation::RepeatableRead),
                "serializable" => Some(Isolation::Serializable),
                _ => None,
            };
            let level = level.ok_or_else(|| format!("`{name}` set to `{value}`"))?;
            return Ok(match name.starts_with("default") {
                true => Setting::Level(level),
                false => Setting::LevelOfThis(level),
            });
        }
        let as_it_is = AS_IT_IS.iter().find(|(known, _)| *known == name);
        if NO_MATTER.contains(&name.as_str())
            || value == "default"
            || as_it_is.is_some_and(|(_, values)| values.contains(&value.as_str()))
        {
            return Ok(Setting::NoMatter("SET"));
        }
        Err(format!("`{name}` set to `{value}`"))
    }

    /// What a statement sets or asks for.
    ///
    /// # Errors
    ///
    /// Where that is not simulated: what it is.
    pub(super) fn said(statement: &ast::Statement) -> Result<Setting, String> {
        match statement {
            ast::Statement::Set(Set::SingleAssignment { variable, values, .. }) => {
                let values: Vec<String> = values.iter().map(word).collect();
                Setting::of(&variable.to_string(), &values.join(", "))
            }
            ast::Statement::Set(Set::SetTransaction { modes, snapshot: None, session }) => {
                Ok(match level_of(modes)? {
                    Some(level) if *session => Setting::Level(level),
                    Some(level) => Setting::LevelOfThis(level),
                    None => Setting::NoMatter("SET"),
                })
            }
            ast::Statement::Set(Set::SetTimeZone { .. }) => Ok(Setting::NoMatter("SET")),
            ast::Statement::Set(Set::SetNames { charset_name, .. }) => {
                Setting::of("client_encoding", &charset_name.to_string())
            }
            ast::Statement::ShowVariable { variable } => {
                let words: Vec<String> =
                    variable.iter().map(|word| word.value.to_ascii_lowercase()).collect();
                let name = match words.join(" ").as_str() {
                    "transaction isolation level" => "transaction_isolation".to_owned(),
                    "time zone" => "timezone".to_owned(),
                    name => name.to_owned(),
                };
                let shown = SHOWN.iter().find(|(known, _)| *known == name);
                let (name, shown) = shown.ok_or_else(|| format!("`SHOW {name}`"))?;
                Ok(Setting::Shows(name, *shown))
            }
            ast::Statement::Discard { .. } => Ok(Setting::Forgets),
            ast::Statement::Deallocate { .. } => Ok(Setting::NoMatter("DEALLOCATE")),
            ast::Statement::Close { .. } => Ok(Setting::NoMatter("CLOSE CURSOR ALL")),
            ast::Statement::UNLISTEN { .. } => Ok(Setting::NoMatter("UNLISTEN")),
            ast::Statement::Reset(_) => Ok(Setting::NoMatter("RESET")),
            other => {
                let text = other.to_string();
                let words: Vec<&str> = text.split(' ').take(2).collect();
                Err(format!("`{}`", words.join(" ")))
            }
        }
    }

    /// How it is answered that it was done.
    pub(super) fn tag(&self) -> &'static str {
        match self {
            Setting::Level(_) | Setting::LevelOfThis(_) => "SET",
            Setting::Forgets => "DISCARD ALL",
            Setting::NoMatter(tag) => tag,
            Setting::Shows(..) => "SHOW",
            Setting::Asks(..) => "SELECT 1",
        }
    }
}

/// A value that something is set to.
fn word(value: &Expr) -> String {
    match value {
        Expr::Value(value) => value.to_string(),
        Expr::Identifier(name) => name.value.clone(),
        other => other.to_string(),
    }
}
