//! The system of `api_key` and what is claimed of it. Fourth floor: imports
//! [`check`](crate::check), [`db`](crate::db) and its neighbours.

use super::actors::{Client, Response, client};
use super::{Protocol, Surroundings, USERS, requests};
use crate::Process;
use crate::check::{System, Value};
use crate::db::{SimDb, SimSession, SqlState};
use crate::handlers::API_KEYS;
use crate::recorded::recorded_step;

type Simulated = Client<SimSession>;
pub(super) type ApiKeySystem = System<SimDb, Simulated>;

pub(super) fn system(
    protocol: Protocol,
    Surroundings { table, two_users, way }: Surroundings,
    clients: usize,
    numbered: bool,
) -> ApiKeySystem {
    let mut system = System::new(SimDb::new().with_table(table, []))
        .described_by(recorded_step)
        .breaks_deadlocks(SimDb::patient)
        .waits_for(|db, waiting: &Simulated, other| waiting.held().wait_for(other.held(), db));
    // An `ON CONFLICT (user_id)` fails where there is no constraint.
    let names_the_constraint = !matches!(
        protocol,
        Protocol::SelectThenInsert | Protocol::SelectForUpdate | Protocol::InsertDecides
    );
    if table.unique.is_none() && names_the_constraint {
        system = system.expects(SqlState::INVALID_COLUMN_REFERENCE.code());
    }
    let requests = requests(two_users, clients, numbered);
    let users: Vec<i64> = requests.iter().map(|(user, _)| *user).collect();
    // See the head of `mod.rs`: whatever befalls a key befalls the first client's somewhere.
    for (index, alike) in requests.chunk_by(|one, other| one == other).enumerate() {
        let Some((user, key)) = alike.first() else { continue };
        let client = client(protocol, way, *user, key);
        system = match index {
            1.. if !numbered => system.clients(alike.len(), client),
            _ => system.actor(format!("client {}", index + 1), client),
        };
    }
    claimed(system, &users, |db| db)
}

/// Claims of a system of these users' requests all that the model claims, whatever handles the
/// requests, and wherever in its world the database is.
///
/// `one-key` and `key-is-valid` look at the rows. The others are about responses, which stay: what is
/// true of them at the end and what is true of them always is the same, and as counts it can be
/// decided for any number of clients.
pub fn claimed<W, P>(
    system: System<W, P>,
    users: &[i64],
    database: fn(&W) -> &SimDb,
) -> System<W, P>
where
    W: Value,
    P: Process<W, Output = Response> + Value,
{
    let asked: Vec<i64> = USERS.into_iter().filter(|user| users.contains(user)).collect();
    let somebody_is_late = asked.len() < users.len();
    let mut system = system
        .always("one-key", move |state| {
            USERS.iter().all(|user| stored(database(state.world()), *user).count() <= 1)
        })
        .finally("key-is-valid", move |state| {
            state.outputs().all(|response| {
                let mut stored = stored(database(state.world()), response.user);
                response.key().is_none_or(|key| stored.any(|stored| stored == &**key))
            })
        })
        .finally("creator-told", move |state| {
            asked.iter().all(|user| {
                let created =
                    |response: &&Response| response.user == *user && response.is_created();
                state.outputs().filter(created).count() == 1
            })
        })
        .at_most(1, "one-creator", |local| {
            local.output().filter(|response| response.is_created()).map(|response| response.user)
        })
        .at_most(0, "no-server-error", |local| {
            local.output().filter(|response| response.is_server_error()).map(|_| ())
        })
        .reaches("somebody-is-told", |local| {
            local.output().is_some_and(|response| response.key().is_some())
        });
    if somebody_is_late {
        system = system.reaches("somebody-is-late", |local| {
            local.output().is_some_and(|r| !r.is_created() && !r.is_server_error())
        });
    }
    system
}

/// The keys that are stored for a user.
fn stored(db: &SimDb, user: i64) -> impl Iterator<Item = &str> {
    let rows = db.committed(&API_KEYS);
    rows.filter(move |row| row.first().and_then(|id| id.int()) == Some(user))
        .filter_map(|row| row.get(1)?.text())
}
