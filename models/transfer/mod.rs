// Fourth floor: imports [`handlers`] and the floors below.
// What is modelled, and what was found: README.md beside this file.
#![doc = include_str!("README.md")]

mod bodies;
mod levels;
mod properties;

use std::sync::LazyLock;

use serde::Deserialize;

use super::request::{self, RETRIES, Request, Round, handle};
use super::{Model, Sheet, Size, Variant, Verdicts, named};
use crate::case::Case;
use crate::check::System;
use crate::db::{Column, Isolation, Servers, Service, SimDb, SimSession, Table, Way};

use bodies::{Debit, Rule, keyed, paid};
pub use bodies::{Payment, Told};
pub use levels::BODIES;
use properties::system;

/// Anybody who acts: a request, and what its sender is told; or the crash.
pub type Actor<S> = Request<S, Told>;

/// The model.
#[derive(Clone, Copy, Debug)]
pub struct Transfer;

static VERDICTS: Verdicts = Verdicts::new(include_str!("verdicts.txt"));
static SHEET: LazyLock<Sheet> = LazyLock::new(|| Sheet::read(include_str!("model.txt"), &VERDICTS));

/// The table of payments that were made, each with the key that its client gave it.
pub static PAYMENTS: Table =
    Table { name: "payments", columns: &[Column::int("key")], unique: Some("key") };

/// Accounts up to this one are the customers'.
const CUSTOMERS: i64 = 2;

/// How a handler is written: what it asks the database, how it is isolated, and whether it holds a
/// mutex meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Protocol {
    debit: Debit,
    way: Way,
    locks: bool,
}

impl Model for Transfer {
    fn sheet(&self) -> &'static Sheet {
        &SHEET
    }

    fn has(&self, variant: &str, scenario: &str) -> bool {
        scene(variant, scenario, 1).is_some()
    }

    fn clients_differ(&self) -> &'static str {
        "in `sum`, each pays into a till of its own; with keys, each has its own"
    }

    fn levels(&self) -> &'static [&'static str] {
        &levels::LEVELS
    }

    fn levels_matter(&self, scenario: &str) -> bool {
        named(scenario) != Some(Surroundings::AsksAgain)
    }

    fn at_level(&self, variant: &str, level: &str) -> Option<&'static Variant> {
        levels::at(variant, level)
    }

    fn size(&self) -> Size {
        Size { usual: &[1, 2, 3], tried: &[1, 2, 3], ..Size::CLIENTS }
    }

    fn case(&self, variant: &str, scenario: &str, clients: usize) -> Option<Box<dyn Case>> {
        let scene = scene(variant, scenario, clients)?;
        Some(request::case(system(scene), scene.protocol.way, PASSING))
    }
}

/// When all is over, the last commit is all that there is to see of them.
pub(super) const PASSING: &[&str] = &["conserved-at-every-commit"];

/// The simulated system; `None` if either name is none of this model's, or it does not
/// [have](Model::has) the one in the other.
pub fn simulated(
    variant: &str,
    scenario: &str,
    clients: usize,
) -> Option<System<Servers<SimDb>, Actor<SimSession>>> {
    Some(system(scene(variant, scenario, clients)?))
}

/// Makes any payment, on the first server of any [`Service`]; `None` if there is no such variant, or if
/// it takes a key.
///
/// The payments of the model's own scenarios are few. This is for whoever has many: a benchmark of
/// the real databases.
pub fn pay<W: Service>(
    world: &mut W,
    session: &mut W::Session,
    variant: &str,
    payment: Payment,
) -> Option<Told> {
    let protocol = protocol(variant).filter(|protocol| !protocol.debit.is_keyed())?;
    let round = Round { locks: protocol.locks, ..Round::default() };
    let told = handle(world, session, round, protocol.way, |tx| {
        paid(tx, payment, Rule::Balance, protocol.debit)
    });
    Some(told.unwrap_or_else(Told::from))
}

/// A variant in a scenario.
#[derive(Clone, Copy, Debug)]
struct Scene {
    protocol: Protocol,
    around: Surroundings,
    clients: usize,
}

/// `None` if that makes no sense: what ships knows no rule but that of each account, and what is
/// locked by a statement outside of a transaction is free again right after it. A level makes no
/// difference to who asks again.
fn scene(variant: &str, scenario: &str, clients: usize) -> Option<Scene> {
    let (protocol, around) = (protocol(variant)?, named(scenario)?);
    let makes_sense = match protocol.debit {
        Debit::Ordered | Debit::Keyed | Debit::KeyedBlindly => around != Surroundings::Sum,
        Debit::Locked => protocol.way.isolation.is_some(),
        _ => true,
    };
    let makes_sense = makes_sense
        && (around != Surroundings::AsksAgain
            || SHEET.variants.iter().any(|it| it.name == variant));
    makes_sense.then_some(Scene { protocol, around, clients })
}

impl Scene {
    /// What must not fall below zero.
    fn rule(self) -> Rule {
        if self.around == Surroundings::Sum { Rule::Sum } else { Rule::Balance }
    }

    /// What is in the accounts at first: there is not enough for two who want the same.
    fn balances(self) -> Vec<i64> {
        match self.around {
            Surroundings::Out | Surroundings::Crash => vec![1, 0],
            // Enough for all, and for one who pays twice.
            Surroundings::AsksAgain => vec![1 + i64::try_from(self.clients).unwrap_or_default(), 0],
            Surroundings::BothWays => vec![1, 1],
            // A till for each: payments into the same one would be in each other's way.
            Surroundings::Sum => [1, 1].into_iter().chain((0..self.clients).map(|_| 0)).collect(),
        }
    }

    /// What the client of this number wants. In `both-ways` the first half pays in one direction.
    fn payment(self, client: usize) -> Payment {
        let there = Payment { from: 1, to: 2, amount: 1 };
        match self.around {
            Surroundings::Out | Surroundings::Crash | Surroundings::AsksAgain => there,
            Surroundings::BothWays if client < self.clients.div_ceil(2) => there,
            Surroundings::BothWays => Payment { from: 2, to: 1, amount: 1 },
            Surroundings::Sum => {
                let client = i64::try_from(client).unwrap_or_default();
                Payment { from: 1 + client % 2, to: CUSTOMERS + 1 + client, amount: 2 }
            }
        }
    }

    /// Which server the client of this number asks. In `crash` the last one asks the server that lives,
    /// unless it is the only one.
    fn server(self, client: usize) -> usize {
        let lives = self.around == Surroundings::Crash && client > 0 && client + 1 == self.clients;
        usize::from(lives)
    }

    /// The client of this number before its first step. In `asks-again` it turns to the second server,
    /// if the first one dies.
    fn client(self, number: usize) -> Actor<SimSession> {
        let request = self.request(number, self.server(number));
        match self.around {
            Surroundings::AsksAgain => request.asking_again(self.request(number, 1)),
            _ => request,
        }
    }

    /// What the client of this number asks a server for.
    fn request(self, number: usize, server: usize) -> Actor<SimSession> {
        let Scene { protocol, .. } = self;
        let (payment, rule) = (self.payment(number), self.rule());
        let (locks, answers) = (protocol.locks, self.around.server_dies());
        let round = Round { server, locks, answers, ..Round::default() };
        let key = i64::try_from(number).unwrap_or_default() + 1;
        Request::new(round, protocol.way, Told::Died(payment), move |tx| match protocol.debit {
            Debit::Keyed => keyed(tx, payment, key, true),
            Debit::KeyedBlindly => keyed(tx, payment, key, false),
            debit => paid(tx, payment, rule, debit),
        })
    }
}

fn protocol(variant: &str) -> Option<Protocol> {
    let read_committed = Way::within(Isolation::ReadCommitted);
    let snapshot = Way::within(Isolation::RepeatableRead);
    let serializable = Way::within(Isolation::Serializable);
    let (debit, way) = match variant {
        "check-then-debit" | "process-mutex" => (Debit::Set, Way::AUTOCOMMIT),
        "check-then-subtract" => (Debit::Subtract, Way::AUTOCOMMIT),
        "two-statements" => (Debit::Conditional, Way::AUTOCOMMIT),
        "conditional-debit" => (Debit::Conditional, read_committed),
        "conditional-retry" => (Debit::Conditional, read_committed.retrying(RETRIES)),
        "read-committed" => (Debit::Set, read_committed),
        "snapshot" => (Debit::Set, snapshot),
        "snapshot-retry" => (Debit::Set, snapshot.retrying(RETRIES)),
        "serializable" => (Debit::Set, serializable),
        "serializable-retry" => (Debit::Set, serializable.retrying(RETRIES)),
        "select-for-update" => (Debit::Locked, read_committed),
        "ordered" => (Debit::Ordered, read_committed),
        "idempotency-key" => (Debit::Keyed, read_committed),
        "control-ignores-count" => (Debit::Blind, read_committed),
        "control-unchecked" => (Debit::Unchecked, read_committed),
        "control-refuses-blindly" => (Debit::Refuses, read_committed),
        "control-ignores-key" => (Debit::KeyedBlindly, read_committed),
        _ => return levels::called(variant),
    };
    Some(Protocol { debit, way, locks: variant == "process-mutex" })
}

/// What surrounds the clients, and what they want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Surroundings {
    Out,
    BothWays,
    Sum,
    Crash,
    AsksAgain,
}

impl Surroundings {
    /// Whether the first server dies at some moment.
    fn server_dies(self) -> bool {
        matches!(self, Surroundings::Crash | Surroundings::AsksAgain)
    }
}
