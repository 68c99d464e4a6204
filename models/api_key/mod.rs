// Fourth floor: imports [`handlers`] and the floors below.
// What is modelled, and what was found: README.md beside this file.
#![doc = include_str!("README.md")]

mod actors;
mod properties;

use std::sync::LazyLock;

use serde::Deserialize;

use super::request::RETRIES;
use super::{Model, Sheet, Size, Verdicts, named};
use crate::case::{Case, DbCase};
use crate::check::System;
use crate::db::{Column, Database, Isolation, SimDb, SimSession, Table, Way};
use crate::handlers::API_KEYS;

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

/// The handlers' table where somebody has forgotten its constraint.
pub static WITHOUT_CONSTRAINT: Table = Table {
    name: API_KEYS.name,
    columns: &[Column::int("user_id"), Column::text("key")],
    unique: None,
};

/// How a request is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

/// What a scenario comes to.
#[derive(Clone, Copy, Debug)]
struct Surroundings {
    table: &'static Table,
    two_users: bool,
    way: Way,
}

fn surroundings(scenario: &str) -> Option<Surroundings> {
    let (table, two_users, level) = if let Some(level) = scenario.strip_prefix("unique-") {
        (&API_KEYS, false, level)
    } else if let Some(level) = scenario.strip_prefix("bare-") {
        (&WITHOUT_CONSTRAINT, false, level)
    } else {
        (&API_KEYS, true, scenario.strip_prefix("two-users-")?)
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
    Some(Surroundings { table, two_users, way })
}

/// Whose request each client's is, and the key it would issue; those of one user stand together. Either
/// each key is its own, or the first client has one and the others of a user another: enough to see all
/// that can befall a key.
fn requests(two_users: bool, clients: usize, numbered: bool) -> Vec<(i64, String)> {
    let first_users = if two_users { clients.div_ceil(2) } else { clients };
    let request = |number: usize| {
        let is_other = number >= first_users;
        let key = match number {
            _ if numbered => format!("key-{number}"),
            0 => "alpha".to_owned(),
            _ if is_other => "charlie".to_owned(),
            _ => "bravo".to_owned(),
        };
        (USERS[usize::from(is_other)], key)
    };
    (0..clients).map(request).collect()
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

/// Handles a request, in any database; `None` if there is no such variant in that scenario. `key` is the
/// one that it would issue.
pub fn handle<D: Database>(
    db: &mut D,
    session: &mut D::Session,
    (variant, scenario): (&str, &str),
    user: i64,
    key: &str,
) -> Option<Response> {
    let (protocol, surroundings) = (named(variant)?, surroundings(scenario)?);
    Some(respond(db, session, protocol, surroundings.way, user, &key.into()))
}

/// The simulated system; `None` if either name is none of this model's.
pub fn simulated(
    variant: &str,
    scenario: &str,
    clients: usize,
) -> Option<System<SimDb, Client<SimSession>>> {
    of(variant, scenario, clients, false)
}

/// The same with a key of its own for each client: larger, and to the same verdicts.
pub fn numbered(
    variant: &str,
    scenario: &str,
    clients: usize,
) -> Option<System<SimDb, Client<SimSession>>> {
    of(variant, scenario, clients, true)
}

fn of(variant: &str, scenario: &str, clients: usize, numbered: bool) -> Option<ApiKeySystem> {
    let (protocol, surroundings) = (named(variant)?, surroundings(scenario)?);
    ApiKey.has(variant, scenario).then(|| system(protocol, surroundings, clients, numbered))
}
