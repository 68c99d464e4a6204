//! Fourth floor: the catalogue. One file a case: the system in a paragraph, its variants,
//! scenarios and properties. No engine code. Imports every floor below, engines excepted.

pub mod download;

use crate::case::Case;

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

    /// A variant in a scenario with so many clients; `None` if either is none of this model's.
    fn case(&self, variant: &str, scenario: &str, clients: usize) -> Option<Box<dyn Case>>;
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
    /// The verdicts it is known for: the properties that it breaks. It keeps all others.
    pub breaks: &'static [Breaks],
}

impl Variant {
    /// Whether it is there to show that a property can break: broken on purpose.
    pub fn is_control(&self) -> bool {
        self.origin == "negative control"
    }

    /// Whether it is known to break this property, with so many clients in this scenario.
    pub fn is_known_to_break(&self, scenario: &str, property: &str, clients: usize) -> bool {
        self.breaks.iter().any(|breaks| {
            breaks.scenario == scenario
                && breaks.property == property
                && breaks.from_clients <= clients
        })
    }
}

/// A property that a variant is known to break.
#[derive(Clone, Copy, Debug)]
pub struct Breaks {
    /// In which scenario.
    pub scenario: &'static str,
    /// Which property.
    pub property: &'static str,
    /// From how many clients on.
    pub from_clients: usize,
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
pub static ALL: &[&dyn Model] = &[&download::Download];
