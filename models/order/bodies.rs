//! What the handlers of `order` ask the database, and what they tell. Fourth floor: imports
//! [`handlers`](crate::handlers), [`db`](crate::db) and its neighbours.

use std::fmt;
use std::sync::Arc;

use super::super::request::{End, Request};
use super::ORDER;
use crate::db::{Answer, Body, Next, Select, Service, SqlState, Statement, Table, Update};
use crate::handlers::{EndOrder, Ended, Ending, ORDERS, PENDING};
use crate::{Process, Step};

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

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Cancelled => f.write_str("Cancelled"),
            Told::Shipped => f.write_str("Shipped"),
            Told::NotPending(status) => write!(f, "NotPending({status})"),
            Told::NoSuchOrder => f.write_str("NoSuchOrder"),
            Told::NoRow => f.write_str("NoRow"),
            Told::Failed(state) => write!(f, "500 ({state})"),
            Told::Died => f.write_str("Died"),
        }
    }
}

/// What a handler asks the database.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Handling {
    /// The shipping body.
    Ships(Ending, EndOrder),
    /// Looks first.
    Published(Published),
    /// A negative control: the conditional update, and nobody looks at what it answers.
    Blind(i64, Ending),
    /// A negative control: the conditional update, and where it changes no row, nobody looks why not.
    Guesses(i64, Ending),
    /// A program beside the service, which knows of no mutex and no version: the conditional update,
    /// and whoever started it sees how many rows it changed.
    Direct(&'static Table, Ending),
}

/// Looks at the status, then updates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Published {
    table: &'static Table,
    order: i64,
    ending: Ending,
    writes: Writes,
    /// `SELECT … FOR UPDATE`.
    locks_row: bool,
    /// It was pending, and of this version where versions are counted.
    seen: Option<i64>,
}

/// What becomes of an order that was pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Writes {
    /// It is updated, whatever it is by now.
    Anyway,
    /// It is updated if it has the version that was seen; if not, one looks again.
    SameVersion,
    /// A negative control: nothing.
    Nothing,
}

impl Published {
    pub(super) fn new(
        table: &'static Table,
        order: i64,
        ending: Ending,
        writes: Writes,
        locks_row: bool,
    ) -> Self {
        Published { table, order, ending, writes, locks_row, seen: None }
    }

    fn statement(&self) -> Statement {
        let versioned = self.writes == Writes::SameVersion;
        let Some(seen) = self.seen else {
            let columns: &[&str] = if versioned { &["status", "version"] } else { &["status"] };
            let select = Select::columns(self.table, columns).filter("id", self.order);
            return if self.locks_row { select.for_update() } else { select }.into();
        };
        let update = Update::new(self.table).set("status", self.ending.status());
        match versioned {
            true => {
                update.add("version", 1).filter("id", self.order).filter("version", seen).into()
            }
            false => update.filter("id", self.order).into(),
        }
    }

    fn again(self, seen: Option<i64>) -> Next<Handling, Told> {
        Next::Ask(Handling::Published(Published { seen, ..self }))
    }

    fn answered(self, answer: Answer) -> Next<Handling, Told> {
        let told = Told::of(self.ending);
        if self.seen.is_some() {
            let lost = self.writes == Writes::SameVersion && answer.count() == 0;
            return if lost { self.again(None) } else { Next::Commit(told) };
        }
        let Some(row) = answer.rows().first() else { return Next::Rollback(Told::NoSuchOrder) };
        let version = row.get(1).and_then(|value| value.int()).unwrap_or_default();
        match row.first().and_then(|value| value.text()) {
            Some(PENDING) if self.writes == Writes::Nothing => Next::Commit(told),
            Some(PENDING) => self.again(Some(version)),
            status => Next::Rollback(Told::NotPending(status.unwrap_or_default().into())),
        }
    }
}

impl Handling {
    /// The shipping body.
    pub(super) fn ships(order: i64, ending: Ending) -> Self {
        Handling::Ships(ending, EndOrder::new(order, ending))
    }
}

impl Body for Handling {
    type Output = Told;

    fn statement(&self) -> Statement {
        let conditional = |table, order: i64, ending: Ending| {
            let update = Update::new(table).set("status", ending.status());
            update.filter("id", order).filter("status", PENDING).into()
        };
        match self {
            Handling::Ships(_, body) => body.statement(),
            Handling::Published(body) => body.statement(),
            Handling::Blind(order, ending) | Handling::Guesses(order, ending) => {
                conditional(&ORDERS, *order, *ending)
            }
            Handling::Direct(table, ending) => conditional(table, ORDER, *ending),
        }
    }

    fn answered(self, answer: Answer) -> Next<Self, Told> {
        match self {
            Handling::Ships(ending, body) => {
                let next = body.answered(answer);
                next.map(|body| Handling::Ships(ending, body), |ended| told(ending, ended))
            }
            Handling::Published(body) => body.answered(answer),
            Handling::Direct(..) if answer.count() == 0 => Next::Commit(Told::NoRow),
            Handling::Guesses(..) if answer.count() == 0 => {
                Next::Commit(Told::NotPending(Ending::Cancel.status().into()))
            }
            Handling::Blind(_, ending)
            | Handling::Guesses(_, ending)
            | Handling::Direct(_, ending) => Next::Commit(Told::of(ending)),
        }
    }
}

fn told(ending: Ending, ended: Ended) -> Told {
    match ended {
        Ended::ByThis => Told::of(ending),
        Ended::NotPending(status) => Told::NotPending(status),
        Ended::NoSuchOrder => Told::NoSuchOrder,
    }
}

/// Anybody who acts: a request, and what its sender is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor<S>(pub(super) Request<S, Handling>);

impl<W: Service> Process<W> for Actor<W::Session> {
    type Output = Told;

    fn step(self, world: &mut W) -> Step<Self, Told> {
        self.0.step(world).map(Actor).and_then(|end| {
            Step::Done(match end {
                End::Answered(Ok(told)) => told,
                End::Answered(Err(failure)) => Told::Failed(failure.error.state),
                End::Died => Told::Died,
            })
        })
    }
}
