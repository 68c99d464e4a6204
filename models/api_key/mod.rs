// Fourth floor: imports [`handlers`] and the floors below.
// What is modelled, and what was found: README.md beside this file.
#![doc = include_str!("README.md")]

mod actors;
mod properties;

use std::sync::LazyLock;

use super::{Model, Sheet, Size, Verdicts};
use crate::case::{Case, DbCase};
use crate::check::System;
use crate::db::{Column, Database, Isolation, SimDb, SimSession, Table, Way};
use crate::direct::Held;
use crate::handlers::API_KEYS;
use crate::replay::FreeDb;

use actors::respond;
pub use actors::{Client, Response, Status};
pub use properties::claimed;
use properties::{ApiKeySystem, system};

/// The model.
#[derive(Clone, Copy, Debug)]
pub struct ApiKey;

static VERDICTS: Verdicts = Verdicts::new(include_str!("verdicts.txt"));
static SHEET: LazyLock<Sheet> = LazyLock::new(|| Sheet::read(include_str!("model.txt"), &VERDICTS));

/// Whose requests come in.
pub const USERS: [i64; 2] = [1, 2];

/// How often a transaction is begun anew where it is.
const RETRIES: u32 = 2;

/// The handlers' table where somebody has forgotten its constraint.
pub static WITHOUT_CONSTRAINT: Table = Table {
    name: API_KEYS.name,
    columns: &[Column::int("user_id"), Column::text("key")],
    unique: None,
};

/// How a request is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Protocol {
    SelectThenInsert,
    OnConflictSelect,
    UpsertReturning,
    SelectForUpdate,
    /// The shipping one.
    OnConflictReturning,
    InsertDecides,
    ControlTrustsTheInsert,
}

impl Protocol {
    /// Whether it has an `ON CONFLICT (user_id)`, which fails where there is no constraint.
    fn names_the_constraint(self) -> bool {
        match self {
            Protocol::OnConflictSelect
            | Protocol::UpsertReturning
            | Protocol::OnConflictReturning
            | Protocol::ControlTrustsTheInsert => true,
            Protocol::SelectThenInsert | Protocol::SelectForUpdate | Protocol::InsertDecides => {
                false
            }
        }
    }
}

fn protocol(variant: &str) -> Option<Protocol> {
    Some(match variant {
        "select-then-insert" => Protocol::SelectThenInsert,
        "on-conflict-select" => Protocol::OnConflictSelect,
        "upsert-returning" => Protocol::UpsertReturning,
        "select-for-update" => Protocol::SelectForUpdate,
        "on-conflict-returning" => Protocol::OnConflictReturning,
        "insert-decides" => Protocol::InsertDecides,
        "control-trusts-the-insert" => Protocol::ControlTrustsTheInsert,
        _ => return None,
    })
}

/// Whether a user's key is unique by the database's own doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Schema {
    Unique,
    Bare,
}

impl Schema {
    fn table(self) -> &'static Table {
        match self {
            Schema::Unique => &API_KEYS,
            Schema::Bare => &WITHOUT_CONSTRAINT,
        }
    }
}

/// What a scenario comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Surroundings {
    schema: Schema,
    two_users: bool,
    way: Way,
}

impl Surroundings {
    /// Of so many requests, how many are each user's: all are one's, or half of them the other's.
    fn shares(self, clients: usize) -> [usize; 2] {
        let other = if self.two_users { clients / 2 } else { 0 };
        [clients - other, other]
    }
}

fn surroundings(scenario: &str) -> Option<Surroundings> {
    let (schema, two_users, level) = if let Some(level) = scenario.strip_prefix("unique-") {
        (Schema::Unique, false, level)
    } else if let Some(level) = scenario.strip_prefix("bare-") {
        (Schema::Bare, false, level)
    } else {
        (Schema::Unique, true, scenario.strip_prefix("two-users-")?)
    };
    let way = match level {
        "autocommit" => Way::AUTOCOMMIT,
        "read-committed" => Way::within(Isolation::ReadCommitted),
        "repeatable-read" => Way::within(Isolation::RepeatableRead),
        "repeatable-read-retry" => Way::within(Isolation::RepeatableRead).retrying(RETRIES),
        "serializable" => Way::within(Isolation::Serializable),
        "serializable-retry" => Way::within(Isolation::Serializable).retrying(RETRIES),
        _ => return None,
    };
    Some(Surroundings { schema, two_users, way })
}

/// Which keys the clients would issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// The first client has one, the others another: enough to see all that can befall a key.
    OneAndTheOthers,
    /// Each its own.
    Numbered,
}

/// Whose request each client's is, and the key it would issue; those of one user stand together.
fn requests(surroundings: Surroundings, clients: usize, keys: Keys) -> Vec<(i64, String)> {
    let shares = surroundings.shares(clients);
    let users = USERS.into_iter().zip(shares);
    let users = users.flat_map(|(user, share)| std::iter::repeat_n(user, share));
    let key = |(number, user): (usize, i64)| match (keys, number) {
        (Keys::Numbered, _) => (user, format!("key-{number}")),
        (Keys::OneAndTheOthers, 0) => (user, "alpha".to_owned()),
        (Keys::OneAndTheOthers, _) if user == USERS[0] => (user, "bravo".to_owned()),
        (Keys::OneAndTheOthers, _) => (user, "charlie".to_owned()),
    };
    users.enumerate().map(key).collect()
}

impl Model for ApiKey {
    fn sheet(&self) -> &'static Sheet {
        &SHEET
    }

    fn has(&self, variant: &str, scenario: &str) -> bool {
        // A lock that is let go of at once is none: that is the original.
        !(variant == "select-for-update" && scenario.ends_with("autocommit"))
    }

    fn has_scenarios_down(&self) -> bool {
        true
    }

    fn size(&self) -> Size {
        // With three clients, two users have one request that is late.
        Size { usual: &[1, 2, 3], tried: &[1, 2, 3], most: 8, representative: 3, ..Size::CLIENTS }
    }

    fn case(&self, variant: &str, scenario: &str, clients: usize) -> Option<Box<dyn Case>> {
        let system = simulated(variant, scenario, clients)?;
        // Statements by themselves are the same anywhere; whether a row is new, PostgreSQL alone tells.
        let anywhere = scenario.ends_with("autocommit") && variant != "upsert-returning";
        Some(Box::new(match anywhere {
            true => DbCase::direct_on_sqlite(system),
            false => DbCase::direct_on_postgres(system),
        }))
    }
}

/// The case whose free runs are on a database of one's choice, and which has no other real world; `None`
/// if there is no such system.
///
/// [`Model::case`] has them on PostgreSQL, unless it makes no difference. This is for whoever compares.
pub fn let_loose_on<D: FreeDb<Session: Held>>(
    variant: &str,
    scenario: &str,
    clients: usize,
) -> Option<Box<dyn Case>> {
    Some(Box::new(DbCase::loose::<D>(simulated(variant, scenario, clients)?)))
}

/// Handles a request, in any database; `None` if there is no such variant in that scenario. `key` is the
/// one that it would issue.
pub fn handle<D: Database>(
    db: &mut D,
    session: &mut D::Session,
    (variant, scenario): (&str, &str),
    user: i64,
    key: &str,
) -> Option<Response> {
    let (protocol, surroundings) = (protocol(variant)?, surroundings(scenario)?);
    Some(respond(db, session, protocol, surroundings.way, user, &key.into()))
}

/// The simulated system; `None` if either name is none of this model's.
pub fn simulated(
    variant: &str,
    scenario: &str,
    clients: usize,
) -> Option<System<SimDb, Client<SimSession>>> {
    of(variant, scenario, clients, Keys::OneAndTheOthers)
}

/// The same with a key of its own for each client: larger, and to the same verdicts.
pub fn numbered(
    variant: &str,
    scenario: &str,
    clients: usize,
) -> Option<System<SimDb, Client<SimSession>>> {
    of(variant, scenario, clients, Keys::Numbered)
}

fn of(variant: &str, scenario: &str, clients: usize, keys: Keys) -> Option<ApiKeySystem> {
    let (protocol, surroundings) = (protocol(variant)?, surroundings(scenario)?);
    ApiKey.has(variant, scenario).then(|| system(protocol, surroundings, clients, keys))
}
