//! What `avatar` promises. Fourth floor: imports [`check`](crate::check), [`net`](crate::net) and its
//! neighbours.

use super::actions::Powers;
use super::actors::{Actor, Told};
use super::{LARGE_PICTURE, PICTURE, SECRET, VAULT};
use crate::check::{Local, System};
use crate::net::{SimConnection, SimNet, Visit};
use crate::recorded::recorded_step;

type Simulated = Actor<SimConnection>;

/// Claims all of it.
pub(super) fn claimed(
    system: System<SimNet, Simulated>,
    powers: Powers,
    size: usize,
) -> System<SimNet, Simulated> {
    let fetched = |what: &'static str| move |local: &Local<Simulated, Told>| matches!(local.output(), Some(Told::Fetched(bytes)) if bytes == what.as_bytes());
    let system = system
        .described_by(recorded_step)
        .always("no-internal-request", |state| {
            !state.world().visits(VAULT).iter().any(Visit::is_request)
        })
        .always("no-internal-content", move |state| {
            !state.locals().any(|local| fetched(SECRET)(local))
        })
        .always("no-internal-connection", |state| state.world().visits(VAULT).is_empty())
        .reaches("honest-fetch-works", fetched(PICTURE));
    if size == 0 {
        return system;
    }
    let system =
        system.reaches("an-attack-is-refused", |local| local.output() == Some(&Told::Refused));
    match powers.web_server {
        true => system.reaches("honest-redirect-works", fetched(LARGE_PICTURE)),
        false => system,
    }
}
