//! The system of `api_key` and what is claimed of it. Fourth floor: imports
//! [`check`](crate::check), [`db`](crate::db) and its neighbours.

use super::actors::{Client, Response};
use super::{Keys, Protocol, Surroundings, USERS};
use crate::Process;
use crate::check::{System, Value};
use crate::db::{SimDb, SimSession};
use crate::handlers::API_KEYS;
use crate::recorded::recorded_step;

type Simulated = Client<SimSession>;
pub(super) type ApiKeySystem = System<SimDb, Simulated>;

/// The user whose requests are looked at most closely.
const ALICE: i64 = USERS[0];
/// The other one.
const BOB: i64 = USERS[1];

pub(super) fn system(
    protocol: Protocol,
    surroundings: Surroundings,
    clients: usize,
    keys: Keys,
) -> ApiKeySystem {
    let client =
        |user, key: &str| Client::new(protocol, surroundings.way, SimSession::new(), user, key);
    let world = SimDb::new().with_table(surroundings.schema.table(), []);
    let mut system = System::new(world).described_by(recorded_step).waits_for(
        |db: &SimDb, waiting: &Simulated, other| db.waits_for(waiting.session(), other.session()),
    );
    let users = surroundings.users(clients);
    match keys {
        Keys::Numbered => {
            for (number, user) in users.iter().enumerate() {
                system = system
                    .actor(format!("client {number}"), client(*user, &format!("key-{number}")));
            }
        }
        // See the head of `mod.rs`: whatever befalls the key of one, befalls this one's somewhere.
        Keys::OneAndTheOthers => {
            system = system.actor("client 0", client(ALICE, "alpha"));
            for (user, key) in [(ALICE, "bravo"), (BOB, "charlie")] {
                let count = users.iter().skip(1).filter(|other| **other == user).count();
                if count > 0 {
                    system = system.clients(count, client(user, key));
                }
            }
        }
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
    let system = system
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
        system.reaches("somebody-is-late", |local| {
            local.output().is_some_and(|r| !r.is_created() && !r.is_server_error())
        })
    } else {
        system
    }
}

/// The keys that are stored for a user.
fn stored(db: &SimDb, user: i64) -> impl Iterator<Item = &str> {
    let rows = db.committed(&API_KEYS);
    rows.filter(move |row| row.first().and_then(|id| id.int()) == Some(user))
        .filter_map(|row| row.get(1)?.text())
}
