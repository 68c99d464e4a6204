//! Check, then debit: money moves between accounts. Fourth floor: imports
//! [`handlers`](crate::handlers) and the floors below.
//!
//! # The system
//!
//! A web handler (Actix, signed requests) debits an account after checking its balance, and credits
//! another. The promise: no money appears or vanishes, no account is overdrawn, and who is told that
//! the money moved is told the truth.
//!
//! ```text
//! accounts (id, balance)      1 and 2 are the customers'; in `sum`, both are one customer's
//! ```
//!
//! # The bad interleaving
//!
//! ```text
//! client 1                                      client 2
//! SELECT balance … WHERE id = 1 -- 1
//!                                               SELECT balance … WHERE id = 1 -- 1
//! UPDATE … SET balance = 0 WHERE id = 1
//!                                               UPDATE … SET balance = 0 WHERE id = 1
//! UPDATE … SET balance = balance + 1 WHERE id = 2
//!                                               UPDATE … SET balance = balance + 1 WHERE id = 2
//! ```
//!
//! One was debited, two were credited.
//!
//! # What decides
//!
//! That the condition is in the statement that debits (or the row is locked before it is read), that
//! debit and credit are one transaction, and that the rows are always taken in the same order. That
//! is `ordered`, which ships: it needs no more than READ COMMITTED, and no retry. A rule over several
//! rows (their sum) is in no one statement: it takes SERIALIZABLE with a retry loop, or locks on
//! all of the rows; REPEATABLE READ lets it be broken without an error.

mod bodies;
mod properties;
mod variants;

use super::request::{Request, Round};
use super::{Model, Scenario, Size, Variant};
use crate::case::{Case, DbCase};
use crate::check::System;
use crate::db::{Isolation, Servers, SimDb, SimSession, Way};
use crate::handlers::ACCOUNTS;
use crate::replay::Tables;

pub use bodies::{Actor, Handling, Payment, Told};
use bodies::{Checked, Debit, Rule};
use properties::system;
use variants::{SCENARIOS, VARIANTS};

/// The model.
#[derive(Clone, Copy, Debug)]
pub struct Transfer;

/// Accounts up to this one are the customers'.
const CUSTOMERS: i64 = 2;

/// Enough for those who retry: each failure is another one's success.
const RETRIES: u32 = 4;

/// How a handler is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Protocol {
    body: Written,
    way: Way,
    locks: bool,
}

/// What it asks the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Written {
    Checked(Debit),
    Ordered,
}

impl Protocol {
    const fn new(body: Written, way: Way) -> Self {
        Protocol { body, way, locks: false }
    }

    /// A request before its first step.
    fn request<S>(self, session: S, payment: Payment, rule: Rule) -> Actor<S> {
        let handling = match (self.body, rule) {
            (Written::Ordered, Rule::Balance) => Handling::ships(payment),
            // What ships judges each account by itself. For a rule over several, the same idea is:
            (Written::Ordered, Rule::Sum) => {
                Handling::Checked(Checked::new(payment, rule, Debit::Locked))
            }
            (Written::Checked(debit), _) => Handling::Checked(Checked::new(payment, rule, debit)),
        };
        let round = Round { locks: self.locks, ..Round::default() };
        Actor::Request(payment, Request::new(round, session, handling, self.way))
    }
}

impl Model for Transfer {
    fn name(&self) -> &'static str {
        "transfer"
    }

    fn about(&self) -> &'static str {
        "Money moves between accounts: whole or not at all, and never more than there is."
    }

    fn variants(&self) -> &'static [Variant] {
        VARIANTS
    }

    fn scenarios(&self) -> &'static [Scenario] {
        SCENARIOS
    }

    fn size(&self) -> Size {
        Size { usual: &[1, 2, 3], tried: &[1, 2, 3], ..Size::CLIENTS }
    }

    fn case(&self, variant: &str, scenario: &str, clients: usize) -> Option<Box<dyn Case>> {
        let system = simulated(variant, scenario, clients)?;
        let tables =
            |world: &Servers<SimDb>| Tables::new().with(&ACCOUNTS, world.db.rows(&ACCOUNTS));
        Some(Box::new(DbCase::new(system, tables)))
    }
}

/// The simulated system; `None` if either name is none of this model's.
///
/// [`Model::case`] hides what a system is made of. This is for whoever puts the same world and the
/// same machines before another checker.
pub fn simulated(
    variant: &str,
    scenario: &str,
    clients: usize,
) -> Option<System<Servers<SimDb>, Actor<SimSession>>> {
    Some(system(protocol(variant)?, surroundings(scenario)?, clients))
}

fn protocol(variant: &str) -> Option<Protocol> {
    let checked = |debit, way| Protocol::new(Written::Checked(debit), way);
    let read_committed = Way::within(Isolation::ReadCommitted);
    let snapshot = Way::within(Isolation::RepeatableRead);
    let serializable = Way::within(Isolation::Serializable);
    Some(match variant {
        "check-then-debit" => checked(Debit::Set, Way::AUTOCOMMIT),
        "check-then-subtract" => checked(Debit::Subtract, Way::AUTOCOMMIT),
        "two-statements" => checked(Debit::Conditional, Way::AUTOCOMMIT),
        "conditional-debit" => checked(Debit::Conditional, read_committed),
        "conditional-retry" => checked(Debit::Conditional, read_committed.retrying(RETRIES)),
        "read-committed" => checked(Debit::Set, read_committed),
        "snapshot" => checked(Debit::Set, snapshot),
        "snapshot-retry" => checked(Debit::Set, snapshot.retrying(RETRIES)),
        "serializable" => checked(Debit::Set, serializable),
        "serializable-retry" => checked(Debit::Set, serializable.retrying(RETRIES)),
        "process-mutex" => Protocol { locks: true, ..checked(Debit::Set, Way::AUTOCOMMIT) },
        "ordered" => Protocol::new(Written::Ordered, read_committed),
        "control-ignores-count" => checked(Debit::Blind, read_committed),
        "control-unchecked" => checked(Debit::Unchecked, read_committed),
        _ => return None,
    })
}

/// What surrounds the clients, and what they want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Surroundings {
    Out,
    BothWays,
    Sum,
    Crash,
}

fn surroundings(scenario: &str) -> Option<Surroundings> {
    Some(match scenario {
        "out" => Surroundings::Out,
        "both-ways" => Surroundings::BothWays,
        "sum" => Surroundings::Sum,
        "crash" => Surroundings::Crash,
        _ => return None,
    })
}
