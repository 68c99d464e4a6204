//! What the handlers of `order` ask the database, and what they tell. Fourth floor: imports
//! [`handlers`](crate::handlers), [`db`](crate::db) and its neighbours.

use std::fmt;
use std::sync::Arc;

use super::{ORDER, Protocol, REFUNDS, VERSIONED_ORDERS};
use crate::db::{Answer, Database, Failure, Insert, Select, SqlState, Table, Update, row};
use crate::direct;
use crate::handlers::{Ended, Ending, Next, ORDERS, PENDING, Tx, end_order};

/// What an actor is told in the end.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Told {
    /// This request has cancelled the order: it is refunded.
    Cancelled,
    /// This request has shipped it.
    Shipped,
    /// It was not pending, but this.
    NotPending(Arc<str>),
    /// There is no such order.
    NoSuchOrder,
    /// Of a program beside the service: no row was changed.
    NoRow,
    /// The database had no answer (500).
    Failed(SqlState),
    /// Nothing: the server died.
    Died,
    /// The crash: the server is dead.
    Crashed,
}

impl Told {
    pub(super) fn of(ending: Ending) -> Self {
        match ending {
            Ending::Cancel => Told::Cancelled,
            Ending::Ship => Told::Shipped,
        }
    }

    /// Whether it was told to have ended the order.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self, Told::Cancelled | Told::Shipped)
    }
}

impl From<Failure> for Told {
    fn from(failure: Failure) -> Self {
        Told::Failed(failure.error.state)
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Cancelled => f.write_str("Cancelled"),
            Told::Shipped => f.write_str("Shipped"),
            Told::NotPending(status) => write!(f, "NotPending({status})"),
            Told::NoSuchOrder => f.write_str("NoSuchOrder"),
            Told::NoRow => f.write_str("NoRow"),
            Told::Failed(state) => write!(f, "500 ({state})"),
            Told::Crashed => f.write_str("Crashed"),
            Told::Died => f.write_str("Died"),
        }
    }
}

type Ends = Result<Next<Told>, Failure>;

impl Protocol {
    /// Ends an order as this protocol has it.
    pub(super) fn end<D: Database>(self, tx: &mut Tx<'_, D>, order: i64, ending: Ending) -> Ends {
        let told = Told::of(ending);
        let ended = |ended| match ended {
            Ended::ByThis => Told::of(ending),
            Ended::NotPending(status) => Told::NotPending(status),
            Ended::NoSuchOrder => Told::NoSuchOrder,
        };
        match self {
            Protocol::ConditionalUpdate => Ok(end_order(tx, order, ending)?.map(ended)),
            Protocol::RefundInside => {
                let next = end_order(tx, order, ending)?;
                if next == Next::Commit(Ended::ByThis) && ending == Ending::Cancel {
                    tx.ask(Insert::new(&REFUNDS, row([order.into()])))?;
                }
                Ok(next.map(ended))
            }
            Protocol::CheckThenUpdate
            | Protocol::ProcessMutex
            | Protocol::ReadCommitted
            | Protocol::Snapshot
            | Protocol::SerializableRetry
            | Protocol::SelectForUpdate => {
                let select = Select::columns(&ORDERS, &["status"]).filter("id", order);
                let locks = self == Protocol::SelectForUpdate;
                let seen = tx.ask(if locks { select.for_update() } else { select })?;
                if let Some(why_not) = why_not(&seen) {
                    return Ok(Next::Rollback(why_not));
                }
                tx.ask(Update::new(&ORDERS).set("status", ending.status()).filter("id", order))?;
                Ok(Next::Commit(told))
            }
            Protocol::VersionColumn => direct::retry_over(tx, |tx| {
                let seen = Select::columns(&VERSIONED_ORDERS, &["status", "version"]);
                let seen = match tx.ask(seen.filter("id", order)) {
                    Ok(seen) => seen,
                    Err(failure) => return Some(Err(failure)),
                };
                if let Some(why_not) = why_not(&seen) {
                    return Some(Ok(Next::Rollback(why_not)));
                }
                let version = seen.rows().first().and_then(|row| row.get(1)?.int());
                let update = Update::new(&VERSIONED_ORDERS).set("status", ending.status());
                let update = update.add("version", 1).filter("id", order);
                match tx.ask(update.filter("version", version.unwrap_or_default())) {
                    // Somebody else has changed it since: look again.
                    Ok(updated) if updated.count() == 0 => None,
                    updated => Some(updated.map(|_| Next::Commit(told.clone()))),
                }
            }),
            // Nobody looks at what it answers.
            Protocol::ControlIgnoresCount => {
                conditional(tx, &ORDERS, order, ending)?;
                Ok(Next::Commit(told))
            }
            Protocol::ControlForgetsUpdate => {
                let seen = tx.ask(Select::columns(&ORDERS, &["status"]).filter("id", order))?;
                Ok(why_not(&seen).map_or(Next::Commit(told), Next::Rollback))
            }
            // Where it changes no row, nobody looks why not.
            Protocol::ControlGuessesStatus => {
                let is_ended = conditional(tx, &ORDERS, order, ending)?;
                let guess = || Told::NotPending(Ending::Cancel.status().into());
                Ok(Next::Commit(if is_ended { told } else { guess() }))
            }
        }
    }
}

/// Why an order that was looked at is not to be ended: it is not pending, or not there.
fn why_not(seen: &Answer) -> Option<Told> {
    match seen.rows().first().map(|row| row.first().and_then(|status| status.text())) {
        None => Some(Told::NoSuchOrder),
        Some(Some(PENDING)) => None,
        Some(status) => Some(Told::NotPending(status.unwrap_or_default().into())),
    }
}

/// `UPDATE … WHERE status = 'pending'`: whether it changed the row.
fn conditional<D: Database>(
    tx: &mut Tx<'_, D>,
    table: &'static Table,
    order: i64,
    ending: Ending,
) -> Result<bool, Failure> {
    let update = Update::new(table).set("status", ending.status()).filter("id", order);
    Ok(tx.ask(update.filter("status", PENDING))?.count() > 0)
}

/// A program beside the service, which knows of no mutex and no version: the conditional update, and whoever
/// started it sees how many rows it changed.
pub(super) fn beside<D: Database>(
    tx: &mut Tx<'_, D>,
    table: &'static Table,
    ending: Ending,
) -> Ends {
    let is_ended = conditional(tx, table, ORDER, ending)?;
    Ok(Next::Commit(if is_ended { Told::of(ending) } else { Told::NoRow }))
}
