//! Fourth floor, `replay`: schedules on sockets of the loopback interface. Imports
//! [`net`](crate::net), the schedules of [`check`](crate::check) and its neighbours in `replay`.

use std::fmt::Debug;
use std::io::{Error, ErrorKind};

use super::{Remains, ReplayError, Replayed, Visits, one_after_the_other, told};
use crate::Process;
use crate::check::Schedule;
use crate::net::{LoopbackNet, SimNet};
use crate::recorded::Recorded;

/// Replays `schedule` step by step on a network furnished as this one. `start` and `names` are how its
/// start and the actors are called.
///
/// # Errors
///
/// [`ReplayError::NotHere`] where nobody may listen on the loopback interface, or there is none.
pub fn replay_on_loopback<Q: Process<Recorded<LoopbackNet>, Output: Debug>>(
    start: Option<&str>,
    names: &[String],
    furniture: &SimNet,
    actors: Vec<Q>,
    schedule: &Schedule,
) -> Result<Replayed, ReplayError> {
    let net = LoopbackNet::furnished(furniture).map_err(not_furnished)?;
    let mut world = Recorded::new(net);
    let steps = one_after_the_other(&mut world, actors, schedule)?;
    let remains = Remains::Visits(Visits::of(world.inner().servers()));
    Ok(Replayed { trace: told(start, names, steps), remains })
}

fn not_furnished(error: Error) -> ReplayError {
    match error.kind() {
        ErrorKind::AddrNotAvailable | ErrorKind::PermissionDenied | ErrorKind::Unsupported => {
            ReplayError::NotHere(format!("nobody can listen on the loopback interface ({error})"))
        }
        _ => ReplayError::Network(error),
    }
}
