//! Third floor, `handlers`: an order ends once. Imports [`db`](crate::db) and its neighbours in
//! `handlers`.

use std::sync::Arc;

use super::{HandlerError, once_more, perform};
use crate::db::{
    Answer, Body, Column, Database, Next, Select, SqlState, Statement, Table, Transact, Update, Way,
};

/// An order and where it stands: [`PENDING`], or how it [ended](Ending::status), or whatever else a
/// shop has.
pub static ORDERS: Table = Table {
    name: "orders",
    columns: &[Column::int("id"), Column::text("status")],
    unique: Some("id"),
};

/// The status of an order that can still be cancelled or shipped.
pub const PENDING: &str = "pending";

/// How the handler runs its machine: without a transaction. PostgreSQL's usual level never asks for
/// a retry of a statement by itself; a server that makes every statement serializable may.
const WAY: Way = Way::AUTOCOMMIT.retrying(10);

/// How an order can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// It is cancelled.
    Cancel,
    /// It is shipped.
    Ship,
}

impl Ending {
    /// What the order's status is from then on: `cancelled`, `shipped`.
    pub fn status(self) -> &'static str {
        match self {
            Ending::Cancel => "cancelled",
            Ending::Ship => "shipped",
        }
    }
}

/// What a request to end an order comes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// The order was pending, and this request and no other has ended it (200): refund it, or send it.
    ByThis,
    /// It was not pending, but this (409). Nothing was done.
    NotPending(Arc<str>),
    /// There is no such order (404).
    NoSuchOrder,
}

/// Cancels orders and ships them: each ends once, in one way.
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
/// However many requests come at once, through however many servers on one database, and whatever
/// other programs do to the table as long as they, too, change the status of pending orders only:
///
/// - an order is cancelled or shipped, never both, and never twice;
/// - of the requests that have an answer, at most one is told [`Ended::ByThis`]: what it then does
///   (a refund) is done once;
/// - a status that is told ([`Ended::NotPending`]) is one that the order had during the request.
///
/// It needs no mutex, no transaction and no isolation beyond the statement: one `UPDATE … WHERE id = …
/// AND status = 'pending'` decides, and how many rows it changed is looked at.
///
/// # Its limits
///
/// - A connection that breaks leaves open whether the order was ended: [`HandlerError::Unknown`].
///   To ask again is harmless, and tells how the order stands, but not whose doing that is.
/// - What follows an ending is not in its transaction: a server that dies between
///   [`cancel`](Self::cancel) and a refund of its own owes the refund. Write it down [in the same
///   transaction](super#more-in-the-same-transaction), in a table where it is unique.
/// - A request that is sent again, by its sender or by somebody who recorded it, is one more request.
///   The order still ends once; the second one is told so.
/// - Its calls block: [in an async handler](super#in-an-async-handler),
///   `web::block(move || orders.cancel(id)).await`.
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
    /// See [`HandlerError`]. After [`HandlerError::Unknown`] the order may be cancelled; after any
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
        let body = EndOrder::new(order, ending);
        perform(&self.database, |session| Transact::new(session, body, WAY))
    }
}

/// The shipping machine's [`Body`]: update where pending, and who changed the row has ended it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EndOrder {
    order: i64,
    ending: Ending,
    at: At,
    /// How often it was seen to be pending after nothing was changed.
    rounds: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    Update,
    /// No row was changed: why not?
    Look,
}

impl EndOrder {
    /// Ends this order in this way, if it is pending.
    pub fn new(order: i64, ending: Ending) -> Self {
        EndOrder { order, ending, at: At::Update, rounds: 0 }
    }
}

impl Body for EndOrder {
    type Output = Ended;

    fn statement(&self) -> Statement {
        match self.at {
            At::Update => Update::new(&ORDERS)
                .set("status", self.ending.status())
                .filter("id", self.order)
                .filter("status", PENDING)
                .into(),
            At::Look => Select::columns(&ORDERS, &["status"]).filter("id", self.order).into(),
        }
    }

    fn answered(self, answer: Answer) -> Next<Self, Ended> {
        match self.at {
            At::Update if answer.count() > 0 => Next::Commit(Ended::ByThis),
            At::Update => Next::Ask(EndOrder { at: At::Look, ..self }),
            At::Look => match answer.value().map(|value| value.text()) {
                // A status that is no text, in a table of somebody else's making.
                Some(None) => Next::GiveUp(SqlState::DATATYPE_MISMATCH),
                // It has come (back) since: not to be told as a reason.
                Some(Some(PENDING)) => match once_more(self.rounds) {
                    Some(rounds) => Next::Ask(EndOrder { at: At::Update, rounds, ..self }),
                    None => Next::GiveUp(SqlState::NO_DATA),
                },
                Some(Some(status)) => Next::Commit(Ended::NotPending(status.into())),
                None => Next::Commit(Ended::NoSuchOrder),
            },
        }
    }
}
