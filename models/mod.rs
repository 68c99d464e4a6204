//! Fourth floor: the catalogue. One folder for each case: its page for reviewers, its variants,
//! scenarios and properties. No engine code. Imports every floor below, except the engines.

pub mod api_key;
pub mod avatar;
pub mod claim_cell;
pub mod credential;
pub mod download;
pub mod order;
mod request;
mod sheet;
pub mod transfer;
mod verdicts;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};

use crate::case::{Case, DbCase};
use crate::check::Local;
use crate::direct::Held;
use crate::fs::Profile;
use crate::replay::FreeDb;
pub use sheet::Sheet;
pub use verdicts::{BadVerdicts, Breaks, Verdicts, verdicts_text};

/// A published case that can be checked.
pub trait Model: Send + Sync {
    /// Its name, variants and scenarios, and what it is about.
    fn sheet(&self) -> &'static Sheet;

    /// The model's name: `download`.
    fn name(&self) -> &'static str {
        self.sheet().name
    }

    /// The system and its promise, in one or two sentences.
    fn about(&self) -> &'static str {
        self.sheet().about
    }

    /// The variants of the protocol, the vulnerable original first.
    fn variants(&self) -> &'static [Variant] {
        &self.sheet().variants
    }

    /// The scenarios: what may surround the protocol.
    fn scenarios(&self) -> &'static [Scenario] {
        &self.sheet().scenarios
    }

    /// Whether the variant exists in the scenario. Not every combination makes sense (`FOR UPDATE`
    /// outside of a transaction does not, say). The tables show a `–` where it does not exist.
    fn has(&self, _variant: &str, _scenario: &str) -> bool {
        true
    }

    /// Whether its tables have scenarios down and variants across. This suits a model with few
    /// variants in many scenarios (isolation levels, say).
    fn has_scenarios_down(&self) -> bool {
        false
    }

    /// The names of the isolation levels that some of its variants can run at. Most models have
    /// none.
    fn levels(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether the [levels](Model::levels) make a difference in a scenario. Where they make none, the
    /// table of levels leaves it out.
    fn levels_matter(&self, _scenario: &str) -> bool {
        true
    }

    /// The variant that runs at one of the [levels](Model::levels). It is one of the
    /// [variants](Model::variants) under another name, or an additional one, which
    /// [`has`](Model::has) and [`case`](Model::case) know as well. `None` if the variant is not
    /// written for levels, or makes no sense at this one.
    fn at_level(&self, _variant: &str, _level: &str) -> Option<&'static Variant> {
        None
    }

    /// What the size of its systems counts: clients, unless the model says otherwise.
    fn size(&self) -> Size {
        Size::CLIENTS
    }

    /// The same in one scenario, if fewer sizes are worth checking there.
    fn size_in(&self, _scenario: &str) -> Size {
        self.size()
    }

    /// How its clients differ, if they are not identical: `each pays into a till of its own`. Then
    /// nothing is said about any number of them.
    fn clients_differ(&self) -> &'static str {
        "no two of them do the same"
    }

    /// In how many ways a system of this size could begin. This includes the ways that are left out
    /// because they are equivalent to another one. `None` if it begins in one way.
    fn conceivable_starts(&self, _scenario: &str, _size: usize) -> Option<u64> {
        None
    }

    /// The system of a variant in a scenario, with this [size](Model::size). `None` if the model
    /// has no such variant or scenario, or does not [have](Model::has) the variant in the scenario.
    ///
    /// It hides what the system is made of. Most models here have a function `simulated` as well, for
    /// whoever puts the same world and the same processes before another checker.
    fn case(&self, variant: &str, scenario: &str, size: usize) -> Option<Box<dyn Case>>;
}

/// What the size of a model's systems counts, and which sizes are worth checking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The noun for one of what is counted: `client`. Its plural takes an `s`.
    pub noun: &'static str,
    /// Whose they are, if the noun alone does not say it: `of the attacker`; otherwise empty.
    pub whose: &'static str,
    /// The sizes that are checked by default, smallest first.
    pub usual: &'static [usize],
    /// The sizes that are tried one by one to find the smallest that shows something, smallest
    /// first. An engine other than the graph gets these when it is asked for by name.
    pub tried: &'static [usize],
    /// The smallest size that makes sense.
    pub least: usize,
    /// The largest size. With more, nobody can read a schedule, and a state graph does not fit in
    /// memory.
    pub most: usize,
    /// A size with which the model claims every property that it can claim.
    pub representative: usize,
}

impl Size {
    /// Several clients.
    pub const CLIENTS: Size = Size {
        noun: "client",
        whose: "",
        usual: &[1, 2, 3, 4, 8],
        tried: &[1, 2, 3, 4],
        least: 1,
        most: 200,
        // Some things take two clients to be claimed at all.
        representative: 2,
    };

    /// Every script of an attacker with up to so many actions.
    pub const ACTIONS: Size = Size {
        noun: "action",
        whose: "of the attacker",
        usual: &[0, 1, 2, 3],
        tried: &[0, 1, 2, 3],
        least: 0,
        most: 4,
        representative: 1,
    };

    /// Threads of the code under test, if that code is threads itself.
    pub const THREADS: Size = Size {
        noun: "thread",
        whose: "",
        usual: &[2, 3],
        tried: &[2, 3],
        least: 2,
        // loom takes one more, and that takes minutes.
        most: 4,
        representative: 3,
    };

    /// Whether the size counts clients: then there may be any number of them.
    pub fn is_clients(&self) -> bool {
        self.noun == Size::CLIENTS.noun
    }

    /// The plural of the noun: `clients`.
    pub fn plural(&self) -> String {
        format!("{}s", self.noun)
    }
}

/// One variant of a protocol.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// The variant's name: `open-then-remove`.
    pub name: &'static str,
    /// The variant's origin: `the vulnerable original`, `the landed fix`, `ours`.
    pub origin: &'static str,
    /// What the variant does, briefly.
    pub about: &'static str,
    /// The verdicts that are recorded for the variant's model.
    pub verdicts: &'static Verdicts,
}

impl Variant {
    /// Whether the variant is a negative control: it is broken on purpose, to show that a property
    /// can break.
    pub fn is_control(&self) -> bool {
        self.origin == "negative control"
    }

    /// The recorded verdicts of the variant: the properties that it breaks. It keeps all others.
    pub fn breaks(&self) -> impl Iterator<Item = Breaks<'static>> {
        self.verdicts.of(self.name)
    }

    /// Whether it is recorded to break this property, with this size in this scenario.
    pub fn is_known_to_break(&self, scenario: &str, property: &str, size: usize) -> bool {
        self.breaks().any(|breaks| {
            breaks.scenario == scenario && breaks.property == property && breaks.from_size <= size
        })
    }
}

/// What surrounds a protocol.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The scenario's name: `janitor`.
    pub name: &'static str,
    /// Who else acts, and what may happen.
    pub about: &'static str,
}

impl Scenario {
    /// The name that it shares with scenarios that differ from it in the disk alone: `power`.
    /// Otherwise its own.
    pub fn family(&self) -> &'static str {
        const POWER: &str = "power";
        let disk = self.name.strip_prefix(POWER);
        if disk.is_some_and(|disk| disk.starts_with('-')) { POWER } else { self.name }
    }
}

/// All models.
pub static ALL: &[&dyn Model] = &[
    &download::Download,
    &credential::Credential,
    &api_key::ApiKey,
    &order::Order,
    &transfer::Transfer,
    &avatar::Avatar,
    &claim_cell::ClaimCell,
];

/// The case of a model on a database, with free runs on a database of one's choice, and no other real
/// world; `None` if there is no such system.
///
/// [`Model::case`] lets the statements of a transaction loose on PostgreSQL, and those that stand by
/// themselves on SQLite. This is for whoever compares them.
pub fn let_loose_on<D: FreeDb<Session: Held>>(
    model: &str,
    variant: &str,
    scenario: &str,
    clients: usize,
) -> Option<Box<dyn Case>> {
    Some(match model {
        "api_key" => Box::new(DbCase::loose::<D>(api_key::simulated(variant, scenario, clients)?)),
        "order" => {
            let system = order::simulated(variant, scenario, clients, true)?;
            Box::new(request::loose::<D, _>(system, &[]))
        }
        "transfer" => {
            let system = transfer::simulated(variant, scenario, clients)?;
            Box::new(request::loose::<D, _>(system, transfer::PASSING))
        }
        _ => return None,
    })
}

/// The variant or the scenario of this name: an enum of all of them has the names in kebab case.
fn named<T: DeserializeOwned>(name: &str) -> Option<T> {
    T::deserialize(StrDeserializer::<Error>::new(name)).ok()
}

/// Whether an actor has ended with this: for what has to be possible.
fn ends_with<P, T>(end: T) -> impl Fn(&Local<P, T>) -> bool + Send + Sync + 'static
where
    T: PartialEq + Send + Sync + 'static,
{
    move |local| local.output() == Some(&end)
}

/// Every script of at most so many of these actions, shortest first.
fn every_script<A: Copy>(actions: &[A], length: usize) -> Vec<Vec<A>> {
    let mut all = vec![Vec::new()];
    let mut from = 0;
    for _ in 0..length {
        let shorter = from..all.len();
        from = all.len();
        for index in shorter {
            let longer = |action: &A| [&all[index][..], &[*action]].concat();
            all.extend(actions.iter().map(longer).collect::<Vec<_>>());
        }
    }
    all
}

/// How a process dies: alone, or with all others, on such a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Crash {
    Killed,
    PowerSequential,
    PowerMetadataPrefix,
    PowerExt4,
    PowerPosix,
}

impl Crash {
    /// On which disk the power fails, if it does.
    pub(crate) fn profile(self) -> Option<Profile> {
        Some(match self {
            Crash::Killed => return None,
            Crash::PowerSequential => Profile::Sequential,
            Crash::PowerMetadataPrefix => Profile::MetadataPrefix,
            Crash::PowerExt4 => Profile::Ext4,
            Crash::PowerPosix => Profile::Posix,
        })
    }

    /// Why it cannot be made to happen on the kernel, if it cannot.
    pub(crate) fn happens_here(self) -> Result<(), String> {
        match self.profile() {
            None => Ok(()),
            Some(_) => Err("no disk here can be made to forget".to_owned()),
        }
    }
}
