//! What `avatar` promises. Fourth floor: imports [`check`](crate::check), [`net`](crate::net) and its
//! neighbours.

use super::super::ends_with;
use super::actions::Powers;
use super::actors::{Actor, Told};
use super::{LARGE_PICTURE, PICTURE, SECRET, VAULT};
use crate::check::System;
use crate::net::{SimConnection, SimNet, Visit};
use crate::recorded::recorded_step;

type Simulated = Actor<SimConnection>;

/// Claims all of it.
pub(super) fn claimed(
    system: System<SimNet, Simulated>,
    powers: Powers,
    size: usize,
) -> System<SimNet, Simulated> {
    let fetched = |what: &str| ends_with(Told::Fetched(what.into()));
    let has_secret = fetched(SECRET);
    let system = system
        .described_by(recorded_step)
        .always("no-internal-request", |state| {
            !state.world().visits(VAULT).iter().any(Visit::is_request)
        })
        .always("no-internal-content", move |state| !state.locals().any(&has_secret))
        .always("no-internal-connection", |state| state.world().visits(VAULT).is_empty())
        .reaches("honest-fetch-works", fetched(PICTURE));
    if size == 0 {
        return system;
    }
    let system = system.reaches("an-attack-is-refused", ends_with(Told::Refused));
    match powers {
        Powers::NameServer => system,
        Powers::WebServer | Powers::Both => {
            system.reaches("honest-redirect-works", fetched(LARGE_PICTURE))
        }
    }
}
