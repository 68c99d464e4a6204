//! Third floor, `handlers`: what a web handler calls, over any [`Database`]. Imports [`db`](crate::db)
//! and [`direct`](crate::direct).
//!
//! Each handler is a function over the `Database` trait: the one that is proved in the simulated
//! database is the one that runs in the real one. A handler keeps a handle to its database; a call
//! opens a session, runs the function there, and answers or says what went wrong:
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
//! or has the same names and constraints in a schema of their own.
//!
//! - **What was seen to fit**: more columns, in any order; `PRIMARY KEY` in place of `UNIQUE`; `int`
//!   ids and balances, a `varchar(20)` status.
//! - **What does not**, with what is told then (and nothing is done): a status that is an enum
//!   ([`Schema`](HandlerError::Schema), 42804); a `numeric` balance (the same, where the reason has to be
//!   read: there is too little); a `varchar(32)` for a key of 64 digits (22001), a `CHECK` that spells a
//!   status otherwise (23514), a foreign key of a `user_id` that is not there (23503): these three are
//!   [`Refused`](HandlerError::Refused).
//! - **Where the unique constraint is missing**, [`ApiKeys`] does nothing and says so
//!   ([`HandlerError::Schema`]). The others look only at the rows that fit their condition. [`Accounts`]
//!   does nothing and says so where several do; where one of several accounts of an id has enough, or room,
//!   that one is taken, and who is told that there is too little was told of any one of them. Of
//!   [`Orders`] that share an id, all that are pending end together, whatever the others are.
//! - **A trigger or a policy of row-level security** that lets a change fall without an error:
//!   [`HandlerError::Unchanged`].
//!
//! # In an async handler
//!
//! Calls of a handler block, for as long as the database takes: on a thread that polls tasks they would
//! hold up all of them, and PostgreSQL's client cannot be used there at all. So each call goes to a thread
//! where nothing else has to go on: `web::block` in Actix, `spawn_blocking` in Tokio.
//!
//! ```
//! use actix_web::{HttpResponse, error, web};
//! use toctou::db::Database;
//! use toctou::handlers::{Ended, Orders};
//!
//! async fn cancel<D>(orders: web::Data<Orders<D>>, id: web::Path<i64>) -> actix_web::Result<HttpResponse>
//! where
//!     D: Database + Clone + Send + Sync + 'static,
//! {
//!     Ok(match web::block(move || orders.cancel(*id)).await? {
//!         Ok(Ended::ByThis) => HttpResponse::Ok().body("cancelled"),
//!         Ok(Ended::NotPending(status)) => HttpResponse::Conflict().body(format!("it is {status}")),
//!         Ok(Ended::NoSuchOrder) => HttpResponse::NotFound().finish(),
//!         Err(error) if error.is_temporary() => HttpResponse::ServiceUnavailable().finish(),
//!         Err(error) => return Err(error::ErrorInternalServerError(error)),
//!     })
//! }
//! # let _ = cancel::<toctou::db::SimDb>;
//! ```
//!
//! # More in the same transaction
//!
//! What has to happen exactly where the handler's own change does (a refund, an entry in a journal) goes
//! into one transaction with it. Then a server or a database that dies in between leaves both or none.
//! The functions are public for this: a body of one's own that goes on where [`end_order`] or
//! [`Transfer::perform`] would commit.
//!
//! ```
//! use toctou::db::{Column, Database, Failure, Insert, Isolation, Table, Way, row};
//! use toctou::handlers::{Ended, Ending, HandlerError, Next, Tx, end_order, transact};
//!
//! static REFUNDS: Table =
//!     Table { name: "refunds", columns: &[Column::int("order_id")], unique: Some("order_id") };
//!
//! fn cancel_and_refund(tx: &mut Tx<'_, impl Database>, order: i64) -> Result<Next<Ended>, Failure> {
//!     let next = end_order(tx, order, Ending::Cancel)?;
//!     if next == Next::Commit(Ended::ByThis) {
//!         tx.ask(Insert::new(&REFUNDS, row([order.into()])))?;
//!     }
//!     Ok(next)
//! }
//!
//! fn cancel(mut db: impl Database, order: i64) -> Result<Ended, HandlerError> {
//!     let way = Way::within(Isolation::ReadCommitted).retrying(10);
//!     let mut session = db.connect().map_err(Failure::from)?;
//!     Ok(transact(&mut db, &mut session, way, |tx| cancel_and_refund(tx, order))?)
//! }
//! # use toctou::db::SimDb;
//! # use toctou::handlers::ORDERS;
//! # let db = SimDb::new().with_table(&ORDERS, [row([42.into(), "pending".into()])]);
//! # assert_eq!(cancel(db.with_table(&REFUNDS, []), 42), Ok(Ended::ByThis));
//! ```
//!
//! `examples/order_service` does so, and its tests prove it in the simulated database.

mod keys;
mod orders;
mod transaction;
mod transfers;

pub use keys::{API_KEYS, ApiKey, ApiKeys, Issued, issue};
pub use orders::{Ended, Ending, ORDERS, Orders, PENDING, end_order};
pub use transaction::{Next, Tx, transact};
pub use transfers::{ACCOUNTS, Accounts, Transfer, TransferError, Transferred};

use crate::db::{Database, Failure, SqlError, SqlState, Table};

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
const ROUNDS: usize = 10;

/// Opens a session, and does something there.
///
/// `database` is a handle, and so is its clone: both lead to the same rows.
fn perform<D: Database + Clone, T>(
    database: &D,
    perform: impl FnOnce(&mut D, &mut D::Session) -> Result<T, Failure>,
) -> Result<T, HandlerError> {
    let mut database = database.clone();
    // Whatever is wrong with a connection that was never made, nothing was asked over it.
    let mut session = database.connect().map_err(Failure::from)?;
    Ok(perform(&mut database, &mut session)?)
}
