//! First floor, `db`: the SQLSTATE of whatever goes wrong with PostgreSQL. Imports its neighbours in
//! `db`, and tokio-postgres.

use std::error::Error;
use std::iter;

use tokio_postgres::error::{DbError, Severity};

use super::super::{SqlError, SqlState};

/// An error of making a connection.
pub(super) fn refused(error: &tokio_postgres::Error) -> SqlError {
    match error.as_db_error() {
        Some(db) => told(db),
        None => SqlError::new(SqlState::CONNECTION_REFUSED, &said(error)),
    }
}

/// An error in a session. After one that did not come from the server, nobody knows what the server
/// makes of what it was sent: the connection counts as broken.
pub(super) fn failed(error: &tokio_postgres::Error) -> SqlError {
    match error.as_db_error() {
        // Whatever it was about, the session is over.
        Some(db) if is_fatal(db) => fatal(db),
        Some(db) => told(db),
        None => SqlError::new(SqlState::CONNECTION_FAILURE, &said(error)),
    }
}

/// The server has ended the session.
fn is_fatal(error: &DbError) -> bool {
    match error.parsed_severity() {
        Some(severity) => matches!(severity, Severity::Fatal | Severity::Panic),
        // Where it is told in some language only; mostly this one.
        None => matches!(error.severity(), "FATAL" | "PANIC"),
    }
}

fn fatal(error: &DbError) -> SqlError {
    let told = told(error);
    if told.state.is_connection() {
        return told;
    }
    let said = format!("{} (SQLSTATE {})", error.message(), error.code().code());
    SqlError::new(SqlState::CONNECTION_FAILURE, &said)
}

/// An error as the server told it.
fn told(error: &DbError) -> SqlError {
    let state = match error.code().code() {
        // No `=` or `sum` for such a type.
        "42883" => SqlState::DATATYPE_MISMATCH,
        // CockroachDB does not know whether it has committed, which is what a broken connection
        // comes to.
        code => SqlState::of(code),
    };
    match error.detail() {
        // Who waits for whom is in the details, a line each.
        Some(detail) if state == SqlState::DEADLOCK_DETECTED => {
            let detail = detail.lines().collect::<Vec<_>>().join(" ");
            SqlError::new(state, &format!("{}: {detail}", error.message()))
        }
        _ => SqlError::new(state, error.message()),
    }
}

/// An error and its causes, on one line.
pub(super) fn said(error: &(dyn Error + 'static)) -> String {
    let said: Vec<_> = causes(error).map(|error| error.to_string()).collect();
    said.join(": ")
}

/// An error and its causes.
pub(super) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}
