//! Fourth floor, `case`: in how many free runs each property was violated. Imports
//! [`check`](crate::check) and its neighbours in `case`.

use super::Stress;
use crate::Process;
use crate::check::{Local, PropertyKind, System, Value};

/// What free runs of a system came to, by what is seen when all is over.
pub(super) struct Tally<'s, W, P: Process<W>> {
    system: &'s System<W, P>,
    violations: Vec<(String, usize)>,
    untold: Vec<String>,
}

impl<'s, W: Value, P: Process<W, Output: Value> + Value> Tally<'s, W, P> {
    /// Of no runs yet. What may be reached need not be; nor is judged what is `untold` by an end.
    pub(super) fn of_ends(system: &'s System<W, P>, untold: &[&str]) -> Self {
        let claimed = system.properties().iter();
        let claimed = claimed.filter(|property| property.kind() != PropertyKind::Reachable);
        let names = claimed.map(|property| property.name().to_owned());
        let (untold, judged): (Vec<String>, Vec<String>) =
            names.partition(|name| untold.contains(&name.as_str()));
        Tally { system, violations: judged.into_iter().map(|name| (name, 0)).collect(), untold }
    }

    /// One more, in which the actors ended so (in their order) and left this world.
    pub(super) fn judge(&mut self, world: &W, ended: Vec<P::Output>) {
        let locals: Vec<_> = ended.into_iter().map(Local::Done).collect();
        for (name, count) in &mut self.violations {
            if self.system.is_true_in(name, world, &locals) == Some(false) {
                *count += 1;
            }
        }
    }

    /// The sum after so many rounds.
    pub(super) fn after(self, rounds: usize) -> Stress {
        Stress { rounds, violations: self.violations, unjudged: self.untold }
    }
}
