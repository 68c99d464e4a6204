//! An example, `order_service`: what a shop asks of its database. Imports `toctou::db`,
//! `toctou::handlers`.

use toctou::db::{
    Answer, Body, Column, Database, Insert, Isolation, Next, OnConflict, Select, Statement, Table,
    Transact, Update, Way, row,
};
use toctou::handlers::{Ended, HandlerError, ORDERS, Orders, PENDING};
use toctou::run;

/// What was paid for an order.
static PAYMENTS: Table = Table {
    name: "payments",
    columns: &[Column::int("order_id"), Column::int("cents")],
    unique: Some("order_id"),
};

/// What was paid back. Here an order may have several, so that those who should not be there are seen;
/// a shop of your own has `order_id` unique, as its second line of defence.
static REFUNDS: Table = Table {
    name: "refunds",
    columns: &[Column::int("order_id"), Column::int("cents")],
    unique: None,
};

/// The tables of the shop.
pub(crate) static TABLES: &[&Table] = &[&ORDERS, &PAYMENTS, &REFUNDS];

/// A shop, over any database. Its calls block.
#[derive(Clone, Debug)]
pub(crate) struct Shop<D> {
    database: D,
}

/// An order, as it stands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) status: String,
    pub(crate) paid_cents: i64,
    pub(crate) refunds: usize,
    pub(crate) refunded_cents: i64,
}

/// Why a cancel came to nothing, or not to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CancelError {
    /// It was not cancelled, or that is not known.
    #[error(transparent)]
    Cancel(#[from] HandlerError),
    /// It was, but the refund may not have been written down.
    #[error("the order is cancelled, its refund may be owed: {0}")]
    Refund(#[source] HandlerError),
}

impl<D: Database + Clone> Shop<D> {
    /// A shop whose orders are in this database, which has the [`TABLES`].
    pub(crate) fn new(database: D) -> Self {
        Shop { database }
    }

    /// Cancels an order and refunds it, once however many ask: `Orders` of this crate.
    pub(crate) fn cancel(&self, order: i64) -> Result<Ended, CancelError> {
        let ended = Orders::new(self.database.clone()).cancel(order)?;
        self.refund(order, ended)
    }

    /// Cancels an order and refunds it, as was published: looks, then acts.
    pub(crate) fn cancel_vulnerable(&self, order: i64) -> Result<Ended, CancelError> {
        let answer = self.ask(Select::columns(&ORDERS, &["status"]).filter("id", order))?;
        let ended = match answer.value().and_then(|status| status.text()) {
            None => Ended::NoSuchOrder,
            // Another request may be told the same before the next statement.
            Some(PENDING) => {
                self.ask(Update::new(&ORDERS).set("status", "cancelled").filter("id", order))?;
                Ended::ByThis
            }
            Some(status) => Ended::NotPending(status.into()),
        };
        self.refund(order, ended)
    }

    /// Who has cancelled an order refunds it. Who dies before that owes the refund: orders that are
    /// cancelled and not refunded are to be looked for.
    fn refund(&self, order: i64, ended: Ended) -> Result<Ended, CancelError> {
        if ended == Ended::ByThis {
            self.write_refund(order).map_err(CancelError::Refund)?;
        }
        Ok(ended)
    }

    fn write_refund(&self, order: i64) -> Result<(), HandlerError> {
        let paid = self.paid(order)?;
        self.ask(Insert::new(&REFUNDS, row([order.into(), paid.into()])))?;
        Ok(())
    }

    fn paid(&self, order: i64) -> Result<i64, HandlerError> {
        let paid = self.ask(Select::sum(&PAYMENTS, "cents").filter("order_id", order))?;
        Ok(paid.value().and_then(|cents| cents.int()).unwrap_or_default())
    }

    /// An order as it stands, if there is one.
    pub(crate) fn order(&self, id: i64) -> Result<Option<Order>, HandlerError> {
        let answer = self.ask(Select::columns(&ORDERS, &["status"]).filter("id", id))?;
        let Some(status) = answer.value().and_then(|status| status.text()) else {
            return Ok(None);
        };
        let refunds = self.ask(Select::columns(&REFUNDS, &["cents"]).filter("order_id", id))?;
        let cents = refunds.rows().iter().filter_map(|row| row.first()?.int());
        Ok(Some(Order {
            id,
            status: status.to_owned(),
            paid_cents: self.paid(id)?,
            refunds: refunds.rows().len(),
            refunded_cents: cents.fold(0, i64::saturating_add),
        }))
    }

    /// Creates an order that is paid; false if there is one of that number.
    pub(crate) fn create(&self, order: i64, cents: i64) -> Result<bool, HandlerError> {
        let way = Way::within(Isolation::ReadCommitted).retrying(10);
        self.perform(Create { order, cents, ordered: false }, way)
    }

    /// One statement, by itself.
    fn ask(&self, statement: impl Into<Statement>) -> Result<Answer, HandlerError> {
        self.perform(One(statement.into()), Way::AUTOCOMMIT)
    }

    fn perform<B: Body>(&self, body: B, way: Way) -> Result<B::Output, HandlerError> {
        let mut database = self.database.clone();
        let session = database.connect().map_err(toctou::db::Failure::from)?;
        Ok(run(Transact::new(session, body, way), &mut database)?)
    }
}

/// A statement, and its answer.
#[derive(Clone)]
struct One(Statement);

impl Body for One {
    type Output = Answer;

    fn statement(&self) -> Statement {
        self.0.clone()
    }

    fn answered(self, answer: Answer) -> Next<Self, Answer> {
        Next::Commit(answer)
    }
}

/// An order and its payment, both or none.
#[derive(Clone)]
struct Create {
    order: i64,
    cents: i64,
    ordered: bool,
}

impl Body for Create {
    type Output = bool;

    fn statement(&self) -> Statement {
        let Create { order, cents, ordered } = *self;
        let insert = if ordered {
            Insert::new(&PAYMENTS, row([order.into(), cents.into()]))
        } else {
            // Whether there is one already is for the unique index to say, not for a look before.
            Insert::new(&ORDERS, row([order.into(), PENDING.into()]))
                .on_conflict(OnConflict::DoNothing)
        };
        insert.into()
    }

    fn answered(self, answer: Answer) -> Next<Self, bool> {
        match (self.ordered, answer.count()) {
            (false, 0) => Next::Rollback(false),
            (false, _) => Next::Ask(Create { ordered: true, ..self }),
            (true, _) => Next::Commit(true),
        }
    }
}
