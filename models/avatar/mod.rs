// Fourth floor: imports [`fetch`] and the floors below.
// What is modelled, and what was found: README.md beside this file.
#![doc = include_str!("README.md")]

mod actions;
mod actors;
mod client;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use super::{Model, Sheet, Size, Verdicts, ends_with, every_script, named};
use crate::case::{Case, NetCase, actors_by_start};
use crate::check::{Start, System};
use crate::direct::Code;
use crate::fetch::{Ask, FetchError, Rules, fetch};
use crate::net::{Network, Page, Policy, SimConnection, SimNet, Url, Visit};
use crate::recorded::recorded_step;

use actions::{Action, Powers, changes};
pub use actors::{Actor, Told};
use client::{Manner, Written};

/// The model.
#[derive(Clone, Copy, Debug)]
pub struct Avatar;

static VERDICTS: Verdicts = Verdicts::new(include_str!("verdicts.txt"));
static SHEET: LazyLock<Sheet> = LazyLock::new(|| Sheet::read(include_str!("model.txt"), &VERDICTS));

/// The URL that the user gives.
const GIVEN: &str = "http://evil.example/";
/// The attacker's name.
const NAME: &str = "evil.example";
/// The attacker's server.
const EVIL: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// The internal server.
pub const VAULT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
/// An honest one.
const CDN: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 4));
/// What the attacker's server has while it is honest.
const PICTURE: &str = "cat";
/// What the honest server has.
const LARGE_PICTURE: &str = "large cat";
/// What the internal server has.
const SECRET: &str = "key";

/// So many redirects are followed, whoever follows them.
const REDIRECTS: u32 = 3;
/// So many bytes are read.
const BYTES: u64 = 64;

fn download<N: Network>(net: &mut N, manner: Manner) -> Told {
    let rules = Rules { policy: policy(), bytes: BYTES, redirects: REDIRECTS, https_only: false };
    if manner != Manner::Pinned {
        let given = Url::parse(GIVEN).expect("a URL");
        let written = Written { manner, policy: rules.policy };
        return written.download(net, &given).map_or_else(|told| told, Told::Fetched);
    }
    match fetch(net, GIVEN, Ask::get(), Arc::new(rules)) {
        Ok(fetched) => Told::Fetched(fetched.bytes),
        Err(FetchError::Refused { .. }) => Told::Refused,
        Err(_) => Told::Failed,
    }
}

/// The shipping policy, by which the two public servers would not be public.
fn policy() -> Policy {
    Policy::public().allowing(EVIL).allowing(CDN)
}

/// Before anybody has done anything.
fn world() -> SimNet {
    SimNet::new()
        .with_name(NAME, &[EVIL])
        .with_name("cdn.example", &[CDN])
        .with_name("vault.example", &[VAULT])
        .with_server(EVIL, Page::text(PICTURE))
        .with_server(CDN, Page::text(LARGE_PICTURE))
        .with_server(VAULT, Page::text(SECRET))
}

impl Model for Avatar {
    fn sheet(&self) -> &'static Sheet {
        &SHEET
    }

    fn size(&self) -> Size {
        Size::ACTIONS
    }

    /// Every script, those included in which an action changes nothing.
    fn conceivable_starts(&self, scenario: &str, size: usize) -> Option<u64> {
        let actions = named::<Powers>(scenario)?.actions().len() as u64;
        Some((0..=u32::try_from(size).ok()?).map(|length| actions.pow(length)).sum())
    }

    fn case(&self, variant: &str, scenario: &str, size: usize) -> Option<Box<dyn Case>> {
        let system = simulated(variant, scenario, size)?;
        let actors = actors_by_start(&system, Actor::clone);
        let real = move |start| actors(start).iter().map(Actor::over_network).collect();
        Some(Box::new(NetCase::new(system, real)))
    }
}

/// A system in the simulation.
pub type AvatarSystem = System<SimNet, Actor<SimConnection>>;

/// The simulated system; `None` if either name is none of this model's.
pub fn simulated(variant: &str, scenario: &str, size: usize) -> Option<AvatarSystem> {
    following(variant, scenario, size, changes)
}

/// The same with every script, those included in which an action changes nothing: many times as large,
/// and nothing else can come of it.
pub fn with_every_script(variant: &str, scenario: &str, size: usize) -> Option<AvatarSystem> {
    following(variant, scenario, size, |_| true)
}

fn following(
    variant: &str,
    scenario: &str,
    size: usize,
    is_worth_it: fn(&[Action]) -> bool,
) -> Option<AvatarSystem> {
    let (manner, powers): (Manner, Powers) = (named(variant)?, named(scenario)?);
    let service = || Actor::client(Code::network(move |net| download(net, manner)));
    let scripts = every_script(&powers.actions(), size).into_iter();
    let starts = scripts.filter(|script| is_worth_it(script)).map(|script| Start {
        name: actions::told(&script),
        world: world(),
        processes: vec![service(), Actor::attacker(script)],
    });
    let system = System::family(&["service", "attacker"], starts.collect());
    Some(claimed(system, powers, size))
}

/// Claims what it promises.
fn claimed(system: AvatarSystem, powers: Powers, size: usize) -> AvatarSystem {
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
