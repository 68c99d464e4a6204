//! Third floor, `handlers`: what a web handler calls, over any [`Database`]. Imports
//! [`db`](crate::db) and [`direct`](crate::direct).
//!
//! Each handler is a function over the `Database` trait. The function that is proved in the
//! simulated database is the one that runs in the real one. A handler keeps a handle to its
//! database. A call opens a session, runs the function there, and returns the answer or an error:
//!
//! | handler | promise |
//! | --- | --- |
//! | [`ApiKeys`] | a user has at most one key, and exactly one request is told it |
//! | [`Orders`] | an order is cancelled or shipped, never both, never twice |
//! | [`Accounts`] | money moves whole, and no account is overdrawn |
//!
//! # The schema
//!
//! The promises rely on constraints that the database enforces. Run [`schema`] to set them up, or
//! give your own schema the same names and constraints.
//!
//! - **Differences that work** (tested): more columns, in any order; `PRIMARY KEY` in place of
//!   `UNIQUE`; `int` ids and balances; a `varchar(20)` status.
//! - **Differences that do not work.** Nothing is done, and the call fails:
//!   - a status that is an enum: [`Schema`](HandlerError::Schema) (42804);
//!   - a `numeric` balance: the same, but only where the handler has to read the balance to give a
//!     reason (too little money, say);
//!   - a `varchar(32)` for a key of 64 digits: [`Refused`](HandlerError::Refused) (22001);
//!   - a `CHECK` that spells a status differently: `Refused` (23514);
//!   - a foreign key, for a `user_id` that does not exist: `Refused` (23503).
//! - **A missing unique constraint.** [`ApiKeys`] does nothing and fails with
//!   [`HandlerError::Schema`]. The other handlers look only at the rows that fit their condition:
//!   - [`Accounts`] does nothing and fails if several accounts of one id fit. If only one of them
//!     has enough money, or room, it uses that one. An answer that there is too little speaks of
//!     any one of them.
//!   - [`Orders`] ends all pending orders of one id together, whatever the status of the others.
//! - **A trigger or a policy of row-level security** that drops a change without an error: the call
//!   fails with [`HandlerError::Unchanged`].
//!
//! # In an async handler
//!
//! Calls of a handler block for as long as the database takes. On a thread that polls tasks they
//! would hold up all other tasks, and PostgreSQL's client cannot be used there at all. So run each
//! call on a thread that may block: with `web::block` in Actix, with `spawn_blocking` in Tokio.
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
//! Some changes have to happen exactly when the handler's own change does: a refund, an entry in a
//! journal. Put them into the same transaction. Then a server or a database that dies in between
//! leaves both changes or none. The functions are public for this: write a body of your own that
//! continues where [`end_order`] or [`Transfer::perform`] would commit.
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
//! `examples/order_service` does this, and its tests prove it in the simulated database.

mod keys;
mod orders;
mod transaction;
mod transfers;

pub use keys::{API_KEYS, ApiKey, ApiKeys, Issued, issue};
pub use orders::{Ended, Ending, ORDERS, Orders, PENDING, end_order};
pub use transaction::{Next, Tx, transact};
pub use transfers::{ACCOUNTS, Accounts, Transfer, TransferError, Transferred};

use crate::db::{Database, Failure, SqlError, SqlState, Table, Way};

/// The tables that the handlers use.
pub static TABLES: &[&Table] = &[&API_KEYS, &ORDERS, &ACCOUNTS];

/// The statements that create the tables, one for each, where they do not exist yet.
pub fn schema() -> Vec<String> {
    TABLES.iter().map(|table| table.definition()).collect()
}

/// Why a handler has no answer. Each error says whether something was done, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandlerError {
    /// The database cannot be reached, or its connection broke before anything was done. Ask again
    /// later (503).
    #[error("nothing was done, the database is not there: {0}; ask again later")]
    Unavailable(#[source] SqlError),
    /// The connection broke when the database may already have carried out the request. Look before
    /// you ask again: each handler's documentation says what a second request does. A look does not
    /// prove that nothing will happen later. A server that does not notice that its client is gone
    /// may still be waiting for a lock, and carry out the request when it gets it.
    #[error("whether it was done is not known: {0}; look before asking again")]
    Unknown(#[source] SqlError),
    /// Other requests came first each time, or held their locks for too long. Nothing was done: ask
    /// again (503).
    #[error("nothing was done, too much is going on: {0}; ask again")]
    Busy(#[source] SqlError),
    /// The database lacks a table, a column or a unique constraint. Nothing was done, and nothing
    /// will be done until the schema is what [`schema`] says.
    #[error("nothing was done, the database is not set up for this: {0}; see `handlers::schema`")]
    Schema(#[source] SqlError),
    /// Again and again the row was there to be changed, and the database changed none. A trigger or
    /// a policy of row-level security drops the change without an error (or others came in between
    /// each time). Nothing was done, and another request will hardly help until that is repaired.
    #[error(
        "nothing was done: time and again there was a row to change, and {0}; look for a trigger or \
         a row-level policy on the table"
    )]
    Unchanged(#[source] SqlError),
    /// The database refused for another reason: its disk is full, or one of its constraints does
    /// not allow the row. Nothing was done.
    #[error("nothing was done: {0}")]
    Refused(#[source] SqlError),
    /// The operating system has no random numbers for a secret. Nothing was done.
    #[error("nothing was done, the system has no random numbers for a key")]
    NoRandomness,
}

impl HandlerError {
    /// Whether nothing was done and the same request may well succeed a little later. A web server
    /// answers 503 then instead of 500.
    pub fn is_temporary(&self) -> bool {
        matches!(self, HandlerError::Unavailable(_) | HandlerError::Busy(_))
    }
}

impl From<Failure> for HandlerError {
    fn from(Failure { error, may_have_happened }: Failure) -> Self {
        if may_have_happened {
            return HandlerError::Unknown(error);
        }
        match error.state {
            state if state.is_connection() => HandlerError::Unavailable(error),
            state if state.is_worth_a_retry() => HandlerError::Busy(error),
            SqlState::LOCK_NOT_AVAILABLE
            | SqlState::QUERY_CANCELED
            | SqlState::TOO_MANY_CONNECTIONS => HandlerError::Busy(error),
            SqlState::INVALID_COLUMN_REFERENCE
            | SqlState::UNDEFINED_TABLE
            | SqlState::UNDEFINED_COLUMN
            | SqlState::DATATYPE_MISMATCH => HandlerError::Schema(error),
            SqlState::NO_DATA => HandlerError::Unchanged(error),
            _ => HandlerError::Refused(error),
        }
    }
}

/// How a handler of single statements runs them: without a transaction. PostgreSQL's usual level never
/// asks for a retry of a statement by itself; a server that makes every statement serializable may.
const BY_STATEMENT: Way = Way::AUTOCOMMIT.retrying(10);

/// How often a handler repeats a statement that changed no row although there is one to change.
/// Usually another request came in between, and does not the next time. But a database may also
/// drop the change without an error, and then the handler would repeat it for ever.
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
