//! Check, then update: an order is cancelled. Fourth floor: imports [`handlers`](crate::handlers) and
//! the floors below.
//!
//! # The system
//!
//! A web handler (Actix, signed requests) cancels an order where it is pending, and refunds it; a
//! fulfilment job ships orders. The promise: an order ends once, cancelled or shipped, whoever did
//! it is told so, and nobody else is.
//!
//! ```text
//! orders (id, status, version)        one row: 1, 'pending', 0
//! ```
//!
//! # The bad interleaving
//!
//! ```text
//! client 1                                      client 2
//! SELECT status FROM orders … -- 'pending'
//!                                               SELECT status FROM orders … -- 'pending'
//! UPDATE orders SET status = 'cancelled' …
//!                                               UPDATE orders SET status = 'cancelled' …
//! → Cancelled: refunded                         → Cancelled: refunded again
//! ```
//!
//! # What decides
//!
//! A lock that everybody takes who can change the row, or one statement that decides and whose answer
//! is looked at. The published fix is a lock in the memory of one process: a second server has one of
//! its own, a program that updates the table directly has none, and held across an `await` it stops
//! the one thread that could release it. `conditional-update` needs none of it, and ships. A version
//! column does as much, as long as *everybody* counts it up.

mod bodies;
mod properties;
mod variants;

use super::request::{Request, Round};
use super::{Model, Scenario, Size, Variant};
use crate::case::{Case, DbCase};
use crate::check::System;
use crate::db::{Column, Isolation, Servers, SimDb, SimSession, Table, Way};
use crate::handlers::{Ending, ORDERS};
use crate::replay::Tables;

pub use bodies::{Actor, Handling, Told};
use bodies::{Published, Writes};
use properties::system;
use variants::{SCENARIOS, VARIANTS};

/// The model.
#[derive(Clone, Copy, Debug)]
pub struct Order;

/// The order that everybody wants to end.
const ORDER: i64 = 1;

/// The table of those who count its changes.
pub static VERSIONED_ORDERS: Table = Table {
    name: "orders",
    columns: &[Column::int("id"), Column::text("status"), Column::int("version")],
    unique: Some("id"),
};

/// How a handler is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Protocol {
    /// Looks, then updates, in this way.
    CheckThenUpdate(Way),
    ProcessMutex,
    ConditionalUpdate,
    VersionColumn,
    SelectForUpdate,
    ControlIgnoresCount,
    ControlForgetsUpdate,
}

impl Protocol {
    fn table(self) -> &'static Table {
        if self == Protocol::VersionColumn { &VERSIONED_ORDERS } else { &ORDERS }
    }

    fn way(self) -> Way {
        match self {
            Protocol::CheckThenUpdate(way) => way,
            Protocol::SelectForUpdate => Way::within(Isolation::ReadCommitted),
            _ => Way::AUTOCOMMIT,
        }
    }

    fn handling(self, ending: Ending) -> Handling {
        let table = self.table();
        let published = |writes, locks_row| {
            Handling::Published(Published::new(table, ending, writes, locks_row))
        };
        match self {
            Protocol::CheckThenUpdate(_) | Protocol::ProcessMutex => {
                published(Writes::Anyway, false)
            }
            Protocol::ConditionalUpdate => Handling::ships(ending),
            Protocol::VersionColumn => published(Writes::SameVersion, false),
            Protocol::SelectForUpdate => published(Writes::Anyway, true),
            Protocol::ControlIgnoresCount => Handling::Blind(ending),
            Protocol::ControlForgetsUpdate => published(Writes::Nothing, false),
        }
    }

    /// A request before its first step.
    fn request<S>(self, session: S, ending: Ending, round: Round) -> Actor<S> {
        let round = Round { locks: self == Protocol::ProcessMutex, ..round };
        Actor(Request::new(round, session, self.handling(ending), self.way()))
    }
}

impl Model for Order {
    fn name(&self) -> &'static str {
        "order"
    }

    fn about(&self) -> &'static str {
        "Signed requests cancel an order: it ends once, cancelled or shipped, and who did it is told so."
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
        let table = protocol(variant)?.table();
        let system = simulated(variant, scenario, clients, true)?;
        let tables =
            move |world: &Servers<SimDb>| Tables::new().with(table, world.db.rows(table));
        Some(Box::new(DbCase::new(system, tables)))
    }
}

/// The simulated system, with requests that are signed or not; `None` if either name is none of this
/// model's.
///
/// [`Model::case`] hides what a system is made of, and has all requests signed. This is for whoever
/// puts the same world and the same machines before another checker.
pub fn simulated(
    variant: &str,
    scenario: &str,
    clients: usize,
    signed: bool,
) -> Option<System<Servers<SimDb>, Actor<SimSession>>> {
    Some(system(protocol(variant)?, surroundings(scenario)?, clients, signed))
}

fn protocol(variant: &str) -> Option<Protocol> {
    let within = |isolation| Protocol::CheckThenUpdate(Way::within(isolation));
    Some(match variant {
        "check-then-update" => Protocol::CheckThenUpdate(Way::AUTOCOMMIT),
        "process-mutex" => Protocol::ProcessMutex,
        "conditional-update" => Protocol::ConditionalUpdate,
        "version-column" => Protocol::VersionColumn,
        "select-for-update" => Protocol::SelectForUpdate,
        "read-committed" => within(Isolation::ReadCommitted),
        "snapshot" => within(Isolation::RepeatableRead),
        "serializable-retry" => {
            Protocol::CheckThenUpdate(Way::within(Isolation::Serializable).retrying(RETRIES))
        }
        "control-ignores-count" => Protocol::ControlIgnoresCount,
        "control-forgets-update" => Protocol::ControlForgetsUpdate,
        _ => return None,
    })
}

/// Enough for those who retry: each failure is another one's success.
const RETRIES: u32 = 4;

/// What surrounds the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Surroundings {
    Nobody,
    Fulfilment,
    UnlockedWriter,
    TwoServers,
    OneWorker,
    Replay,
}

fn surroundings(scenario: &str) -> Option<Surroundings> {
    Some(match scenario {
        "cancels" => Surroundings::Nobody,
        "ship" => Surroundings::Fulfilment,
        "unlocked-writer" => Surroundings::UnlockedWriter,
        "two-servers" => Surroundings::TwoServers,
        "one-worker" => Surroundings::OneWorker,
        "replay" => Surroundings::Replay,
        _ => return None,
    })
}
