// Fourth floor: imports [`handlers`] and the floors below.
// What is modelled, and what was found: README.md beside this file.
#![doc = include_str!("README.md")]

mod bodies;
mod properties;

use std::sync::LazyLock;

use serde::Deserialize;

use super::request::{self, RETRIES, Request, Round, crash, handle};
use super::{Model, Sheet, Size, Verdicts, named};
use crate::case::Case;
use crate::check::System;
use crate::db::{Column, Isolation, Servers, Service, SimDb, SimSession, Table, Way};
use crate::handlers::{Ending, ORDERS};

pub use bodies::Told;
use bodies::beside;
use properties::system;

/// Anybody who acts: a request, and what its sender is told.
pub type Actor<S> = Request<S, Told>;

/// The model.
#[derive(Clone, Copy, Debug)]
pub struct Order;

static VERDICTS: Verdicts = Verdicts::new(include_str!("verdicts.txt"));
static SHEET: LazyLock<Sheet> = LazyLock::new(|| Sheet::read(include_str!("model.txt"), &VERDICTS));

/// The order that everybody wants to end.
const ORDER: i64 = 1;

/// The table of those who count its changes.
pub static VERSIONED_ORDERS: Table = Table {
    name: "orders",
    columns: &[Column::int("id"), Column::text("status"), Column::int("version")],
    unique: Some("id"),
};

/// The table of refunds, for those who write them down with the ending.
pub static REFUNDS: Table =
    Table { name: "refunds", columns: &[Column::int("order_id")], unique: Some("order_id") };

/// How a handler is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Protocol {
    CheckThenUpdate,
    ProcessMutex,
    ConditionalUpdate,
    VersionColumn,
    SelectForUpdate,
    ReadCommitted,
    Snapshot,
    SerializableRetry,
    RefundInside,
    ControlIgnoresCount,
    ControlForgetsUpdate,
    ControlGuessesStatus,
}

impl Protocol {
    fn table(self) -> &'static Table {
        if self == Protocol::VersionColumn { &VERSIONED_ORDERS } else { &ORDERS }
    }

    fn way(self) -> Way {
        match self {
            Protocol::SelectForUpdate | Protocol::ReadCommitted | Protocol::RefundInside => {
                Way::within(Isolation::ReadCommitted)
            }
            Protocol::Snapshot => Way::within(Isolation::RepeatableRead),
            Protocol::SerializableRetry => Way::within(Isolation::Serializable).retrying(RETRIES),
            _ => Way::AUTOCOMMIT,
        }
    }
}

impl Model for Order {
    fn sheet(&self) -> &'static Sheet {
        &SHEET
    }

    fn size(&self) -> Size {
        Size { usual: &[1, 2, 3], tried: &[1, 2, 3], ..Size::CLIENTS }
    }

    fn case(&self, variant: &str, scenario: &str, clients: usize) -> Option<Box<dyn Case>> {
        let scene = scene(variant, scenario, clients, true)?;
        Some(request::case(system(scene), scene.protocol.way(), &[]))
    }
}

/// The simulated system, with requests that are signed or not; `None` if either name is none of this
/// model's. [`Model::case`] has all requests signed.
pub fn simulated(
    variant: &str,
    scenario: &str,
    clients: usize,
    signed: bool,
) -> Option<System<Servers<SimDb>, Actor<SimSession>>> {
    Some(system(scene(variant, scenario, clients, signed)?))
}

/// Cancels any order, unsigned, on the first server of any [`Service`]; `None` if there is no such variant.
///
/// The model's own is about one order. This is for whoever has many: a benchmark of the real
/// databases.
pub fn cancel<W: Service>(
    world: &mut W,
    session: &mut W::Session,
    variant: &str,
    order: i64,
) -> Option<Told> {
    let protocol: Protocol = named(variant)?;
    let round = Round { locks: protocol == Protocol::ProcessMutex, ..Round::default() };
    let told =
        handle(world, session, round, protocol.way(), |tx| protocol.end(tx, order, Ending::Cancel));
    Some(told.unwrap_or_else(Told::from))
}

/// A variant in a scenario.
#[derive(Clone, Copy, Debug)]
struct Scene {
    protocol: Protocol,
    around: Surroundings,
    clients: usize,
    signed: bool,
}

fn scene(variant: &str, scenario: &str, clients: usize, signed: bool) -> Option<Scene> {
    Some(Scene { protocol: named(variant)?, around: named(scenario)?, clients, signed })
}

impl Scene {
    /// How many clients there are of each server.
    fn clients(self) -> Vec<(usize, usize)> {
        match self.around {
            Surroundings::TwoServers => {
                vec![(0, self.clients.div_ceil(2)), (1, self.clients / 2)]
            }
            // The last of several asks the server that lives.
            Surroundings::Crash => {
                let others = usize::from(self.clients > 1);
                vec![(0, self.clients - others), (1, others)]
            }
            _ => vec![(0, self.clients)],
        }
    }

    /// A request of the service, before its first step.
    fn request(self, ending: Ending, server: usize) -> Actor<SimSession> {
        let Scene { protocol, around, signed, .. } = self;
        let locks = protocol == Protocol::ProcessMutex;
        let is_task = around == Surroundings::OneWorker;
        let answers = around.server_dies();
        let round = Round { server, verifies: signed, locks, is_task, answers };
        Request::new(round, protocol.way(), Told::Died, move |tx| protocol.end(tx, ORDER, ending))
    }

    /// A client before its first step. In `asks-again` it turns to the second server, if the first one
    /// dies.
    fn client(self, server: usize) -> Actor<SimSession> {
        let request = self.request(Ending::Cancel, server);
        match self.around {
            Surroundings::AsksAgain => request.asking_again(self.request(Ending::Cancel, 1)),
            _ => request,
        }
    }

    /// Who acts beside the clients.
    fn other(self) -> Option<(&'static str, Actor<SimSession>)> {
        Some(match self.around {
            Surroundings::Ship => ("fulfilment", self.request(Ending::Ship, 0)),
            Surroundings::UnlockedWriter => {
                let (table, round) = (self.protocol.table(), Round::default());
                let writer = Request::new(round, Way::AUTOCOMMIT, Told::Died, move |tx| {
                    beside(tx, table, Ending::Ship)
                });
                ("writer", writer)
            }
            Surroundings::Replay => ("replay", self.request(Ending::Cancel, 0)),
            Surroundings::Crash | Surroundings::AsksAgain => ("crash", crash(Told::Crashed)),
            Surroundings::Cancels | Surroundings::TwoServers | Surroundings::OneWorker => {
                return None;
            }
        })
    }
}

/// What surrounds the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Surroundings {
    Cancels,
    Ship,
    UnlockedWriter,
    TwoServers,
    OneWorker,
    Replay,
    Crash,
    AsksAgain,
}

impl Surroundings {
    /// Whether the first server dies at some moment.
    fn server_dies(self) -> bool {
        matches!(self, Surroundings::Crash | Surroundings::AsksAgain)
    }
}
