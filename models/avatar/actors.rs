//! Who acts in `avatar`. Fourth floor: imports [`net`](crate::net) and its neighbours.

use std::collections::VecDeque;
use std::fmt;

use super::actions::Action;
use crate::direct::{Code, Connections, Held};
use crate::net::{Network, Scripted};
use crate::{Process, Step};

/// What an actor ends with.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Told {
    /// The service: it has this.
    Fetched(Vec<u8>),
    /// The service: something on the way is not public.
    Refused,
    /// The service: it could not be fetched.
    Failed,
    /// The attacker: the script is over.
    Over,
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Fetched(bytes) => write!(f, "Fetched({:?})", String::from_utf8_lossy(bytes)),
            Told::Refused => f.write_str("Refused"),
            Told::Failed => f.write_str("Failed"),
            Told::Over => f.write_str("Over"),
        }
    }
}

/// Anybody who acts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor<C>(Part<C>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Part<C> {
    /// Downloads.
    Service(Code<Connections<C>, Told>),
    /// Follows its script.
    Attacker(VecDeque<Action>),
}

impl<C> Actor<C> {
    pub(super) fn client(download: Code<Connections<C>, Told>) -> Self {
        Actor(Part::Service(download))
    }

    pub(super) fn attacker(script: Vec<Action>) -> Self {
        Actor(Part::Attacker(script.into()))
    }

    /// The same before its first step, over another network.
    pub(super) fn over_network<R>(&self) -> Actor<R> {
        Actor(match &self.0 {
            Part::Service(download) => Part::Service(download.over_network()),
            Part::Attacker(script) => Part::Attacker(script.clone()),
        })
    }
}

impl<N: Network<Connection: Held> + Scripted> Process<N> for Actor<N::Connection> {
    type Output = Told;

    fn step(self, net: &mut N) -> Step<Self, Told> {
        match self.0 {
            Part::Service(download) => download.step(net).map(Actor::client),
            Part::Attacker(mut script) => {
                if let Some(action) = script.pop_front() {
                    action.perform(net);
                }
                // Nobody is there who would have to be told that it is over, so this is no step.
                match script.is_empty() {
                    true => Step::Done(Told::Over),
                    false => Step::Next(Actor(Part::Attacker(script))),
                }
            }
        }
    }
}
