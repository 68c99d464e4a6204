//! Third floor, `handlers`: an order ends once. Imports [`db`](crate::db) and its neighbours in
//! `handlers`.

use std::sync::Arc;

use super::{BY_STATEMENT, HandlerError, Next, ROUNDS, Tx, perform, transact};
use crate::db::{Column, Database, Failure, Select, SqlState, Table, Update};

/// An order and its status: [`PENDING`], the one with which it [ended](Ending::status), or any
/// other that a shop uses.
pub static ORDERS: Table = Table {
    name: "orders",
    columns: &[Column::int("id"), Column::text("status")],
    unique: Some("id"),
};

/// The status of an order that can still be cancelled or shipped.
pub const PENDING: &str = "pending";

/// How an order can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Cancel the order.
    Cancel,
    /// Ship the order.
    Ship,
}

impl Ending {
    /// The order's status from then on: `cancelled`, `shipped`.
    pub fn status(self) -> &'static str {
        match self {
            Ending::Cancel => "cancelled",
            Ending::Ship => "shipped",
        }
    }
}

/// The result of a request to end an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// The order was pending, and this request alone has ended it (200): refund it, or send it.
    ByThis,
    /// The order was not pending, but had this status (409). Nothing was done.
    NotPending(Arc<str>),
    /// There is no such order (404).
    NoSuchOrder,
}

/// Cancels orders and ships them. Each order ends once, in one way.
///
/// ```
/// use toctou::handlers::{Ended, HandlerError, Orders};
/// # fn request(orders: &Orders<impl toctou::db::Database + Clone>) -> Result<(), HandlerError> {
/// let (status, body) = match orders.cancel(42)? {
///     Ended::ByThis => (200, "cancelled".to_owned()),
///     Ended::NotPending(status) => (409, format!("it is {status} already")),
///     Ended::NoSuchOrder => (404, "no such order".to_owned()),
/// };
/// # drop((status, body));
/// # Ok(()) }
/// ```
///
/// # The guarantee
///
/// The guarantee holds for any number of concurrent requests, through any number of servers on one
/// database. Other programs may change the table too, as long as they change the status of pending
/// orders only:
///
/// - an order is cancelled or shipped, never both, and never twice;
/// - of the requests that get an answer, at most one is told [`Ended::ByThis`], so what that
///   request then does (a refund) is done once;
/// - a status in an answer ([`Ended::NotPending`]) is one that the order had during the request.
///
/// It needs no mutex, no transaction and no isolation beyond the statement. One `UPDATE … WHERE id
/// = … AND status = 'pending'` decides, and the handler checks how many rows it changed.
///
/// # Its limits
///
/// - A connection that breaks leaves open whether the order was ended: [`HandlerError::Unknown`].
///   To ask again is harmless. The answer then says how the order stands, but not which request
///   ended it.
/// - An action that follows an ending is not in its transaction. A server that dies between
///   [`cancel`](Self::cancel) and the refund still owes the refund. Write the refund down [in the
///   same transaction](super#more-in-the-same-transaction), in a table where it is unique.
/// - A request that is sent again is one more request, whether its sender repeats it or somebody
///   who recorded it. The order still ends once, and the second request is told so.
/// - Its calls [block](super#in-an-async-handler).
#[derive(Clone, Debug)]
pub struct Orders<D> {
    database: D,
}

impl<D: Database + Clone> Orders<D> {
    /// Ends orders of this database. A clone of `database` is another handle to the same rows.
    pub fn new(database: D) -> Self {
        Orders { database }
    }

    /// Cancels an order, if it is pending.
    ///
    /// # Errors
    ///
    /// See [`HandlerError`]. After [`HandlerError::Unknown`] the order may be cancelled. After any
    /// other error this request has changed nothing.
    pub fn cancel(&self, order: i64) -> Result<Ended, HandlerError> {
        self.end(order, Ending::Cancel)
    }

    /// Ships an order, if it is pending.
    ///
    /// # Errors
    ///
    /// As [`cancel`](Self::cancel).
    pub fn ship(&self, order: i64) -> Result<Ended, HandlerError> {
        self.end(order, Ending::Ship)
    }

    fn end(&self, order: i64, ending: Ending) -> Result<Ended, HandlerError> {
        perform(&self.database, |database, session| {
            transact(database, session, BY_STATEMENT, |tx| end_order(tx, order, ending))
        })
    }
}

/// Ends an order, if it is pending, as [`Orders`] does. This is a body, for [`transact`].
///
/// # Errors
///
/// The database's error. `42804` if the status is not text. `02000` if the row was there to be
/// changed again and again, and was not changed.
pub fn end_order<D: Database>(
    tx: &mut Tx<'_, D>,
    order: i64,
    ending: Ending,
) -> Result<Next<Ended>, Failure> {
    for _ in 0..=ROUNDS {
        let update = Update::new(&ORDERS).set("status", ending.status()).filter("id", order);
        if tx.ask(update.filter("status", PENDING))?.count() > 0 {
            return Ok(Next::Commit(Ended::ByThis));
        }
        // No row was changed: why not?
        let seen = tx.ask(Select::columns(&ORDERS, &["status"]).filter("id", order))?;
        match seen.value().map(|value| value.text()) {
            // A status that is no text, in a table of somebody else's making.
            Some(None) => return Err(SqlState::DATATYPE_MISMATCH.into()),
            // It has come (back) since: not to be told as a reason.
            Some(Some(PENDING)) => {}
            Some(Some(status)) => return Ok(Next::Commit(Ended::NotPending(status.into()))),
            None => return Ok(Next::Commit(Ended::NoSuchOrder)),
        }
    }
    Err(SqlState::NO_DATA.into())
}
