//! Third floor, `handlers`: what a web handler calls, over any [`Database`]. Imports [`db`](crate::db)
//! and [`process`](crate::process).
//!
//! Each handler is a machine over the `Database` trait: the one that is proved in the simulated
//! database is the one that runs in the real one. A handler keeps a handle to its database; a call
//! opens a session, runs the machine to its end there, and answers or says what went wrong:
//!
//! | handler | promise |
//! | --- | --- |
//! | [`ApiKeys`] | a user has at most one key, and exactly one request is told it |
//! | [`Orders`] | an order is cancelled or shipped, never both, never twice |
//! | [`Accounts`] | money moves whole, and no account is overdrawn |
//!
//! # The schema
//!
//! The promises stand on constraints that the database enforces. Whoever sets it up runs [`schema`],
//! or has the same names, types and constraints in a schema of their own. Where the unique constraint
//! is missing, [`ApiKeys`] does nothing, and [`Accounts`] nothing between accounts that share an id: both
//! say so ([`HandlerError::Schema`]). Of [`Orders`] that share an id, all end together.

mod keys;
mod orders;
mod transfers;

pub use keys::{API_KEYS, ApiKey, ApiKeys, Issue, Issued, Issuing};
pub use orders::{EndOrder, Ended, Ending, ORDERS, Orders, PENDING};
pub use transfers::{ACCOUNTS, Accounts, Transfer, TransferError, Transferred};

use crate::db::{Database, Failure, SqlError, SqlState, Table};
use crate::{Process, run};

/// The tables that the handlers use.
pub static TABLES: &[&Table] = &[&API_KEYS, &ORDERS, &ACCOUNTS];

/// The statements that create the tables, one each, where they are not there yet.
pub fn schema() -> Vec<String> {
    TABLES.iter().map(|table| table.definition()).collect()
}

/// Why a handler has no answer. Each says whether something was done, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandlerError {
    /// The database cannot be reached, or went away in time. Nothing was done: ask again later (503).
    #[error("nothing was done, the database is not there: {0}; ask again later")]
    Unavailable(#[source] SqlError),
    /// The connection broke when the database may already have done what was asked. Look before
    /// asking again: the handler's own documentation says what a second request comes to. To have
    /// looked is no proof that nothing will happen: a server that does not notice that its client is
    /// gone may still be waiting for a lock, and do it later.
    #[error("whether it was done is not known: {0}; look before asking again")]
    Unknown(#[source] SqlError),
    /// Others came first each time, or held their locks for too long. Nothing was done: ask again (503).
    #[error("nothing was done, too much is going on: {0}; ask again")]
    Busy(#[source] SqlError),
    /// The database lacks a table, a column or a unique constraint. Nothing was done, and nothing
    /// will be until the schema is what [`schema`] says.
    #[error("nothing was done, the database is not set up for this: {0}; see `handlers::schema`")]
    Schema(#[source] SqlError),
    /// Time and again the row was there to be changed, and the database changed none: a trigger or a
    /// policy of row-level security lets the change fall without an error (or others were in between
    /// each time). Nothing was done, and hardly will be until that is mended.
    #[error(
        "nothing was done: time and again there was a row to change, and {0}; look for a trigger or \
         a row-level policy on the table"
    )]
    Unchanged(#[source] SqlError),
    /// The database refused for another reason: its disk is full, or a constraint of its own does not
    /// allow the row. Nothing was done.
    #[error("nothing was done: {0}")]
    Refused(#[source] SqlError),
    /// The operating system has no random numbers to make a secret of. Nothing was done.
    #[error("nothing was done, the system has no random numbers for a key")]
    NoRandomness,
}

impl HandlerError {
    /// Whether the same request may well succeed a little later, and was not done before: what a
    /// web server answers with 503 instead of 500.
    pub fn is_temporary(&self) -> bool {
        matches!(self, HandlerError::Unavailable(_) | HandlerError::Busy(_))
    }
}

impl From<Failure> for HandlerError {
    fn from(Failure { error, may_have_happened }: Failure) -> Self {
        if may_have_happened {
            return HandlerError::Unknown(error);
        }
        let of_crowd = [
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::QUERY_CANCELED,
            SqlState::TOO_MANY_CONNECTIONS,
        ];
        let of_schema = [
            SqlState::INVALID_COLUMN_REFERENCE,
            SqlState::UNDEFINED_TABLE,
            SqlState::UNDEFINED_COLUMN,
            SqlState::DATATYPE_MISMATCH,
        ];
        match error.state {
            state if state.is_connection() => HandlerError::Unavailable(error),
            state if state.is_worth_a_retry() || of_crowd.contains(&state) => {
                HandlerError::Busy(error)
            }
            state if of_schema.contains(&state) => HandlerError::Schema(error),
            SqlState::NO_DATA => HandlerError::Unchanged(error),
            _ => HandlerError::Refused(error),
        }
    }
}

/// How often a handler comes back to a statement that has changed no row though there is one to
/// change. By rights somebody else was in between, and will not be each time; but a database may as
/// well let the change fall without a word, and then it would come back for ever.
const ROUNDS: u8 = 10;

/// One round more; none where there were enough.
fn once_more(rounds: u8) -> Option<u8> {
    (rounds < ROUNDS).then_some(rounds + 1)
}

/// Opens a session, and runs to its end what `process` makes of it.
///
/// `database` is a handle, and so is its clone: both lead to the same rows.
fn perform<D, P, T>(database: &D, process: impl FnOnce(D::Session) -> P) -> Result<T, HandlerError>
where
    D: Database + Clone,
    P: Process<D, Output = Result<T, Failure>>,
{
    let mut database = database.clone();
    // Whatever is wrong with a connection that was never made, nothing was asked over it.
    let session = database.connect().map_err(Failure::from)?;
    Ok(run(process(session), &mut database)?)
}
