//! The system of `download` and what is claimed of it. Fourth floor: imports
//! [`check`](crate::check), [`fs`](crate::fs) and its neighbours.

use std::path::Path;

use super::super::{Crash, ends_with};
use super::actors::{
    Actor, Mortals, Told, afterwards, client, download, furnished, mortal, names, on_disk, other,
    power, recovered,
};
use super::{FIRST, KEY, Others, Protocol, SECOND};
use crate::Process;
use crate::check::{Local, State, System, Value};
use crate::crash::Crashing;
use crate::fs::{Node, OWN, Owner, SimFile, SimFs};
use crate::store::Mechanism;

type Simulated = Actor<SimFile>;
pub(super) type DownloadSystem = System<SimFs, Simulated>;
type CrashingSystem = System<SimFs, Mortals<SimFile>>;

/// The same, with clients that are identical but for their own names: for any number of them.
pub(super) fn owners(protocol: Protocol, others: Others) -> System<SimFs, Owner<Simulated>> {
    let clients = 2;
    let mut system = System::new(furnished()).clients(clients, Owner::new(client(protocol, OWN)));
    if let Some((name, actor)) = other(others) {
        system = system.actor(name, Owner::new(actor));
    }
    with_properties(system, protocol, others, clients)
}

pub(super) fn system(protocol: Protocol, others: Others, clients: usize) -> DownloadSystem {
    let mut system = System::new(furnished());
    system = match protocol.mechanism() {
        // Each has a claim name of its own, so they are not identical.
        Some(Mechanism::RenameUnique) => (1..=clients).fold(system, |system, number| {
            system.actor(format!("client {number}"), client(protocol, &number.to_string()))
        }),
        _ => system.clients(clients, client(protocol, "")),
    };
    if let Some((name, actor)) = other(others) {
        system = system.actor(name, actor);
    }
    with_properties(system, protocol, others, clients)
}

/// The system in which clients die.
pub(super) fn crashing(protocol: Protocol, crash: Crash, clients: usize) -> CrashingSystem {
    let world = crash.profile().map_or_else(furnished, on_disk);
    let client = |number: usize| {
        let client = mortal(protocol, &number.to_string());
        if crash == Crash::Killed { client.that_may_be_killed() } else { client }
    };
    let mut system = System::new(world);
    system = match protocol.mechanism() {
        Some(Mechanism::RenameUnique) => (1..=clients).fold(system, |system, number| {
            system.actor(format!("client {number}"), client(number))
        }),
        _ => system.clients(clients, client(0)),
    };
    system = match crash {
        Crash::Killed => afterwards(protocol)
            .into_iter()
            .fold(system, |system, (name, actor)| system.afterwards(name, actor)),
        _ => {
            let (name, power) = power(protocol);
            system.actor(name, power)
        }
    };
    let system = system
        .at_most(1, "at-most-once", |local| match local.output() {
            Some(Told::Delivered(secret)) => Some(secret.clone()),
            _ => None,
        })
        .finally("nothing-lost", move |state| {
            deliveries(state, FIRST) > 0 || {
                let mut world = state.world().clone();
                recovered(&mut world, protocol);
                next_client_gets(&world, protocol, FIRST)
            }
        })
        .finally("gone-not-error", |state| told(state, |t| matches!(t, Told::Failed(..))) == 0)
        .reaches("somebody-gets-it", ends_with(delivered(FIRST)));
    match crash {
        Crash::Killed => system.reaches("somebody-dies", ends_with(Told::Died)),
        // Something was lost before anybody had ended: a claim was cut short after a change. And
        // somebody begins again.
        _ => system.reachable("the-power-fails-amid-a-claim", |state| {
            let nobody_ended = state.outputs().all(|told| *told == Told::Recovered);
            let begins_again = state.locals().any(|local| match local {
                Local::Running(Crashing::Program(program)) => program.began_after_failure(),
                Local::Running(Crashing::Power(_)) | Local::Done(_) => false,
            });
            state.world().has_lost() && nobody_ended && begins_again
        }),
    }
}

fn with_properties<P>(
    system: System<SimFs, P>,
    protocol: Protocol,
    others: Others,
    clients: usize,
) -> System<SimFs, P>
where
    P: Process<SimFs, Output = Told> + Value,
{
    let mut system = system
        .at_most(1, "at-most-once", |local| match local.output() {
            Some(Told::Delivered(secret)) => Some(secret.clone()),
            _ => None,
        })
        .finally("exactly-once", move |state| {
            let one_has = |secret| deliveries(state, secret) == 1;
            let stored = told(state, |told| *told == Told::Stored) > 0;
            // Whoever comes next would get it.
            let still_to_have = || {
                deliveries(state, SECOND) == 0 && next_client_gets(state.world(), protocol, SECOND)
            };
            match others {
                Others::Clients => one_has(FIRST),
                Others::Janitor => {
                    let removed = told(state, |told| *told == Told::Expired) > 0;
                    one_has(FIRST) || (removed && deliveries(state, FIRST) == 0)
                }
                // The first may have been replaced, which is as good as removed.
                Others::Reupload => one_has(SECOND) || still_to_have(),
                Others::PutAgain => {
                    one_has(FIRST) && (!stored || one_has(SECOND) || still_to_have())
                }
            }
        })
        .finally("gone-not-error", |state| told(state, |t| matches!(t, Told::Failed(..))) == 0)
        .finally("meta-agrees", move |state| {
            let marked = state.world().tree().get("key/meta").is_some();
            let somebody_has_one = told(state, is_delivery) > 0;
            // The janitor removes meta with the rest; it must only never speak of no delivery.
            marked == somebody_has_one || (others == Others::Janitor && !marked)
        })
        .finally("nothing-left", |state| {
            state.world().tree().iter().all(|(path, node)| {
                let name = path.strip_prefix(KEY).ok().and_then(Path::to_str).unwrap_or("");
                let is_claim = name == "claim" || name.starts_with("content.");
                let was_delivered = match node {
                    Node::File { bytes, .. } if name == "content" => deliveries(state, bytes) > 0,
                    _ => false,
                };
                !(was_delivered || is_claim && told(state, is_delivery) > 0)
            })
        })
        .reaches("somebody-gets-it", ends_with(delivered(FIRST)));
    if others == Others::Janitor {
        system = system.reaches("expired-unclaimed", ends_with(Told::Expired));
    }
    // Where the first is not replaced, it takes one client to make room for the second.
    if others == Others::Reupload || others == Others::PutAgain && clients > 1 {
        system = system.reaches("second-is-delivered", ends_with(delivered(SECOND)));
    }
    if clients > 1 || others == Others::Janitor {
        system = system.reaches("somebody-is-late", ends_with(Told::Gone));
    }
    system
}

/// How many actors were told such a thing.
fn told<P: Process<SimFs, Output = Told>>(
    state: &State<'_, SimFs, P>,
    such: impl Fn(&Told) -> bool,
) -> usize {
    state.outputs().filter(|told| such(told)).count()
}

fn is_delivery(told: &Told) -> bool {
    matches!(told, Told::Delivered(_))
}

fn deliveries<P: Process<SimFs, Output = Told>>(
    state: &State<'_, SimFs, P>,
    secret: &[u8],
) -> usize {
    told(state, |told| matches!(told, Told::Delivered(got) if got == secret))
}

/// Whether one more client, coming when all is over, gets this secret.
fn next_client_gets(world: &SimFs, protocol: Protocol, secret: &[u8]) -> bool {
    // It stands in no schedule: nothing of it is a step.
    download(&mut world.clone(), protocol, &names(protocol, "another")) == delivered(secret)
}

fn delivered(secret: &[u8]) -> Told {
    Told::Delivered(secret.to_vec())
}
