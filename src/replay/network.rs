//! Fourth floor, `replay`: schedules on sockets of the loopback interface. Imports
//! [`net`](crate::net), the `Errno` of [`fs`](crate::fs), the schedules of [`check`](crate::check)
//! and its neighbours in `replay`.

use std::fmt::Debug;
use std::io::Error;

use super::{Remains, ReplayError, Replayed, Visits, one_after_the_other, told};
use crate::Process;
use crate::check::{Schedule, Trace};
use crate::fs::{Errno, errno_name};
use crate::net::{LoopbackNet, SimNet};
use crate::recorded::Recorded;

/// Replays `schedule` on a network like this one, step by step as long as it goes as `simulated`.
///
/// # Errors
///
/// [`ReplayError::NotHere`] if this process may not listen on the loopback interface, or there is
/// none.
pub fn replay_on_loopback<Q: Process<Recorded<LoopbackNet>, Output: Debug>>(
    simulated: &Trace,
    furniture: &SimNet,
    actors: Vec<Q>,
    schedule: &Schedule,
) -> Result<Replayed, ReplayError> {
    let net = LoopbackNet::furnished(furniture).map_err(not_furnished)?;
    let mut world = Recorded::new(net);
    let steps = one_after_the_other(&mut world, actors, simulated, schedule, &mut |_| {})?;
    let remains = Remains::Visits(Visits::of(world.inner().servers()));
    Ok(Replayed { trace: told(simulated, steps), remains })
}

fn not_furnished(error: Error) -> ReplayError {
    let not_here = [Errno::ADDRNOTAVAIL, Errno::AFNOSUPPORT, Errno::ACCESS, Errno::PERM];
    match Errno::from_io_error(&error) {
        Some(errno) if not_here.contains(&errno) => ReplayError::NotHere(format!(
            "nobody can listen on the loopback interface ({})",
            errno_name(errno)
        )),
        _ => ReplayError::Network(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_machine_without_loopback_is_not_the_place_for_it() {
        let told = |errno: Errno| not_furnished(errno.into()).to_string();
        let not_here = "not possible here: nobody can listen on the loopback interface";
        assert_eq!(told(Errno::ADDRNOTAVAIL), format!("{not_here} (EADDRNOTAVAIL)"));
        assert_eq!(told(Errno::ACCESS), format!("{not_here} (EACCES)"));
        let failed = not_furnished(Errno::MFILE.into());
        assert!(matches!(failed, ReplayError::Network(_)), "{failed}");
    }
}
