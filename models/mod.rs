//! Fourth floor: the catalogue. One folder a case: its page for reviewers, its variants,
//! scenarios and properties. No engine code. Imports every floor below, engines excepted.

pub mod api_key;
pub mod avatar;
pub mod claim_cell;
pub mod credential;
pub mod download;
pub mod order;
mod request;
pub mod transfer;
mod verdicts;

use crate::case::Case;
pub use verdicts::{BadVerdicts, Breaks, Verdicts, verdicts_text};

/// A published case, as it can be checked.
pub trait Model: Send + Sync {
    /// What it goes by: `download`.
    fn name(&self) -> &'static str;

    /// The system and the promise, in a sentence or two.
    fn about(&self) -> &'static str;

    /// The ways of writing the protocol, the vulnerable original first.
    fn variants(&self) -> &'static [Variant];

    /// What may surround it.
    fn scenarios(&self) -> &'static [Scenario];

    /// Whether there is such a system: not every way of writing a protocol makes sense in every
    /// scenario (`FOR UPDATE` outside of a transaction, say). Where it does not, the tables have a `–`.
    fn has(&self, _variant: &str, _scenario: &str) -> bool {
        true
    }

    /// Whether its tables have scenarios down and variants across, for models of few variants in many
    /// scenarios (isolation levels, say).
    fn has_scenarios_down(&self) -> bool {
        false
    }

    /// The isolation levels at which some of its variants can be asked for, by name; none for most
    /// models.
    fn levels(&self) -> &'static [&'static str] {
        &[]
    }

    /// What a variant is at one of the [levels](Model::levels): one of the [variants](Model::variants) by
    /// another name, or one beside them, which [`has`](Model::has) and [`case`](Model::case) know as
    /// well. `None` if it is not written for levels, or makes no sense at this one.
    fn at_level(&self, _variant: &str, _level: &str) -> Option<&'static Variant> {
        None
    }

    /// What its systems are sized by: clients, unless it says otherwise.
    fn size(&self) -> Size {
        Size::CLIENTS
    }

    /// In what its clients differ, where they are not identical, so that nothing is said of any number
    /// of them: `each pays into a till of its own`.
    fn clients_differ(&self) -> &'static str {
        "no two of them do the same"
    }

    /// In how many ways a system of this size could begin, those included that come to the same as
    /// another and are left out; `None` where it begins in one.
    fn conceivable_starts(&self, _scenario: &str, _size: usize) -> Option<u64> {
        None
    }

    /// A variant in a scenario of this [size](Model::size); `None` if either is none of this model's,
    /// or it does not [have](Model::has) the one in the other.
    fn case(&self, variant: &str, scenario: &str, size: usize) -> Option<Box<dyn Case>>;
}

/// What the systems of a model are sized by, and which sizes are worth looking at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// One of what is counted: `client`. Its plural takes an `s`.
    pub noun: &'static str,
    /// Whose they are, where the noun alone does not say: `of the attacker`; or nothing.
    pub whose: &'static str,
    /// What is checked when nobody says, smallest first.
    pub usual: &'static [usize],
    /// What is tried one by one for the smallest that shows something, and what an engine other than
    /// the graph gets when it is asked for by name: smallest first.
    pub tried: &'static [usize],
    /// The smallest that makes sense.
    pub least: usize,
    /// The largest: with more, a schedule is no longer for reading, nor a state graph for keeping.
    pub most: usize,
    /// One with which everything is claimed that can be.
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

    /// Every script of an attacker, up to so many actions.
    pub const ACTIONS: Size = Size {
        noun: "action",
        whose: "of the attacker",
        usual: &[0, 1, 2, 3],
        tried: &[0, 1, 2, 3],
        least: 0,
        most: 4,
        representative: 1,
    };

    /// Threads of the code under test, where that is threads itself.
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

    /// Whether it is clients that are counted: then there may be any number of them.
    pub fn is_clients(&self) -> bool {
        self.noun == Size::CLIENTS.noun
    }

    /// Several of what is counted: `clients`.
    pub fn plural(&self) -> String {
        format!("{}s", self.noun)
    }
}

/// One way of writing a protocol.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// What it goes by: `open-then-remove`.
    pub name: &'static str,
    /// Where it comes from: `the vulnerable original`, `the landed fix`, `ours`.
    pub origin: &'static str,
    /// What it does, briefly.
    pub about: &'static str,
    /// Where the verdicts stand that it is known for.
    pub verdicts: &'static Verdicts,
}

impl Variant {
    /// Whether it is there to show that a property can break: broken on purpose.
    pub fn is_control(&self) -> bool {
        self.origin == "negative control"
    }

    /// The verdicts it is known for: the properties that it breaks. It keeps all others.
    pub fn breaks(&self) -> impl Iterator<Item = Breaks<'static>> {
        self.verdicts.of(self.name)
    }

    /// Whether it is known to break this property, with this size in this scenario.
    pub fn is_known_to_break(&self, scenario: &str, property: &str, size: usize) -> bool {
        self.breaks().any(|breaks| {
            breaks.scenario == scenario && breaks.property == property && breaks.from_size <= size
        })
    }
}

/// What surrounds a protocol.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it goes by: `janitor`.
    pub name: &'static str,
    /// Who else acts, and what may happen.
    pub about: &'static str,
}

/// Every model there is.
pub static ALL: &[&dyn Model] = &[
    &download::Download,
    &credential::Credential,
    &api_key::ApiKey,
    &order::Order,
    &transfer::Transfer,
    &avatar::Avatar,
    &claim_cell::ClaimCell,
];
