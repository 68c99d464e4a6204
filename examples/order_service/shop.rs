//! An example, `order_service`: what a shop asks of its database. Imports `toctou::db`,
//! `toctou::handlers`.

use toctou::db::{
    Answer, Column, Database, Failure, Insert, Isolation, OnConflict, Select, Statement, Table,
    Update, Way, row,
};
use toctou::handlers::{
    Ended, Ending, HandlerError, Next, ORDERS, PENDING, Tx, end_order, transact,
};

/// What was paid for an order.
pub(crate) static PAYMENTS: Table = Table {
    name: "payments",
    columns: &[Column::int("order_id"), Column::int("cents")],
    unique: Some("order_id"),
};

/// What was paid back. Here an order may have several, so that those who should not be there are seen;
/// a shop of your own has `order_id` unique, as its second line of defence.
pub(crate) static REFUNDS: Table = Table {
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

/// How statements are run that take effect together or not at all.
pub(crate) const TOGETHER: Way = Way::within(Isolation::ReadCommitted).retrying(10);

/// Why a cancel, as was published, came to nothing, or not to its end.
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

    /// Cancels an order and refunds it, once however many ask, and both or none whenever anybody dies:
    /// what `Orders` runs, and the refund in the same transaction.
    pub(crate) fn cancel(&self, order: i64) -> Result<Ended, HandlerError> {
        self.perform(TOGETHER, |tx| cancel(tx, order))
    }

    /// Cancels an order and refunds it, as was published: looks, then acts.
    pub(crate) fn cancel_vulnerable(&self, order: i64) -> Result<Ended, CancelError> {
        let answer = self.ask(Select::columns(&ORDERS, &["status"]).filter("id", order))?;
        let ended = match answer.value().and_then(|status| status.text()) {
            None => Ended::NoSuchOrder,
            // Another request may be told the same before the next statement.
            Some(PENDING) => {
                self.ask(Update::new(&ORDERS).set("status", "cancelled").filter("id", order))?;
                // Who dies here owes the refund.
                self.refund(order).map_err(CancelError::Refund)?;
                Ended::ByThis
            }
            Some(status) => Ended::NotPending(status.into()),
        };
        Ok(ended)
    }

    fn refund(&self, order: i64) -> Result<(), HandlerError> {
        self.ask(refund(order, self.paid(order)?))?;
        Ok(())
    }

    fn paid(&self, order: i64) -> Result<i64, HandlerError> {
        Ok(cents(&self.ask(paid(order))?))
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
        self.perform(TOGETHER, |tx| create(tx, order, cents))
    }

    /// One statement, by itself.
    fn ask(&self, statement: impl Into<Statement>) -> Result<Answer, HandlerError> {
        let statement = statement.into();
        self.perform(Way::AUTOCOMMIT, |tx| tx.ask(statement.clone()).map(Next::Commit))
    }

    fn perform<T>(
        &self,
        way: Way,
        body: impl Fn(&mut Tx<'_, D>) -> Result<Next<T>, Failure>,
    ) -> Result<T, HandlerError> {
        let mut database = self.database.clone();
        let mut session = database.connect().map_err(Failure::from)?;
        Ok(transact(&mut database, &mut session, way, body)?)
    }
}

/// What was paid for an order.
fn paid(order: i64) -> Select {
    Select::sum(&PAYMENTS, "cents").filter("order_id", order)
}

fn cents(answer: &Answer) -> i64 {
    answer.value().and_then(|cents| cents.int()).unwrap_or_default()
}

fn refund(order: i64, cents: i64) -> Insert {
    Insert::new(&REFUNDS, row([order.into(), cents.into()]))
}

/// Cancels an order as `Orders` does, and where that has cancelled it, refunds it before anything is committed.
pub(crate) fn cancel(tx: &mut Tx<'_, impl Database>, order: i64) -> Result<Next<Ended>, Failure> {
    let next = end_order(tx, order, Ending::Cancel)?;
    if next == Next::Commit(Ended::ByThis) {
        let paid = cents(&tx.ask(paid(order))?);
        tx.ask(refund(order, paid))?;
    }
    Ok(next)
}

/// An order and its payment, both or none.
fn create(tx: &mut Tx<'_, impl Database>, order: i64, cents: i64) -> Result<Next<bool>, Failure> {
    // Whether there is one already is for the unique index to say, not for a look before.
    let insert = Insert::new(&ORDERS, row([order.into(), PENDING.into()]));
    if tx.ask(insert.on_conflict(OnConflict::DoNothing))?.count() == 0 {
        return Ok(Next::Rollback(false));
    }
    tx.ask(Insert::new(&PAYMENTS, row([order.into(), cents.into()])))?;
    Ok(Next::Commit(true))
}
