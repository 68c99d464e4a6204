// Fourth floor: imports [`store`] and the floors below.
// What is modelled, and what was found: README.md beside this file.
#![doc = include_str!("README.md")]

mod actors;
mod properties;

use super::{Model, Scenario, Variant, Verdicts};
use crate::case::{Case, FsCase};
use crate::check::System;
use crate::fs::{FileSystem, SimFile, SimFs};
use crate::store::Mechanism;

pub use actors::{Actor, Told};
use actors::{download, names};
use properties::{owners, system};

/// The model.
#[derive(Clone, Copy, Debug)]
pub struct Download;

/// The secret that is there at first.
pub const FIRST: &[u8] = b"alpha";
/// The secret that an uploader puts under the same key.
pub const SECOND: &[u8] = b"bravo";
/// The download that everybody wants.
const KEY: &str = "key";

/// How a download is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Protocol {
    OpenThenRemove,
    MetaCheckFirst,
    RenameFixedStrict,
    /// One of the shipping ones.
    Claim(Mechanism),
    ControlForgetsMeta,
    ControlMarksFirst,
}

impl Protocol {
    /// How the claim is decided, where it is decided at all.
    fn mechanism(self) -> Option<Mechanism> {
        match self {
            Protocol::OpenThenRemove | Protocol::MetaCheckFirst => None,
            Protocol::RenameFixedStrict => Some(Mechanism::RenameFixed),
            Protocol::Claim(mechanism) => Some(mechanism),
            Protocol::ControlForgetsMeta | Protocol::ControlMarksFirst => {
                Some(Mechanism::RenameUnique)
            }
        }
    }
}

impl Model for Download {
    fn name(&self) -> &'static str {
        "download"
    }

    fn about(&self) -> &'static str {
        "A one-time download: the secret is handed out exactly once, and latecomers are told so."
    }

    fn variants(&self) -> &'static [Variant] {
        VARIANTS
    }

    fn scenarios(&self) -> &'static [Scenario] {
        SCENARIOS
    }

    fn case(&self, variant: &str, scenario: &str, clients: usize) -> Option<Box<dyn Case>> {
        let (protocol, others) = (protocol(variant)?, others(scenario)?);
        let case = FsCase::direct(system(protocol, others, clients));
        Some(match protocol.mechanism() {
            Some(Mechanism::RenameUnique) => {
                Box::new(case.for_any_number(owners(protocol, others)))
            }
            _ => Box::new(case),
        })
    }
}

/// The simulated system; `None` if either name is none of this model's.
///
/// [`Model::case`] hides what a system is made of. This is for whoever puts the same world and the
/// same processes before another checker.
pub fn simulated(
    variant: &str,
    scenario: &str,
    clients: usize,
) -> Option<System<SimFs, Actor<SimFile>>> {
    Some(system(protocol(variant)?, others(scenario)?, clients))
}

/// Downloads `key`, on any file system; `None` if there is no such variant. `number` names the claim where
/// claims have names of their own.
pub fn download_from<F: FileSystem>(fs: &mut F, variant: &str, number: usize) -> Option<Told> {
    let protocol = protocol(variant)?;
    Some(download(fs, protocol, &names(protocol, &number.to_string())))
}

static KNOWN: Verdicts = Verdicts::new(include_str!("verdicts.txt"));

static VARIANTS: &[Variant] = &[
    KNOWN.variant(
        "open-then-remove",
        "the vulnerable original",
        "open content; unlink it, whatever that answers",
    ),
    KNOWN.variant(
        "meta-check-first",
        "looks at meta first",
        "meta is there: gone; then as the original",
    ),
    KNOWN.variant(
        "rename-fixed-name",
        "the landed fix",
        "rename content to content.download decides",
    ),
    KNOWN.variant(
        "rename-fixed-strict",
        "the landed fix, read otherwise",
        "the same, and an unlink that finds nothing is an error",
    ),
    KNOWN.variant(
        "rename-unique-name",
        "what the report suggested; OneTimeStore's default",
        "rename content to a name of the claim's own decides",
    ),
    KNOWN.variant(
        "unlink-decides",
        "ours: one call fewer",
        "open content; unlink it, and only who removes it has it",
    ),
    KNOWN.variant(
        "claim-file",
        "an exclusive marker",
        "creating claim exclusively decides; it stays",
    ),
    KNOWN.variant(
        "advisory-lock",
        "a lock round the original",
        "flock the directory; open and unlink content under the lock",
    ),
    KNOWN.variant(
        "control-forgets-meta",
        "negative control",
        "rename-unique-name without recording the delivery in meta",
    ),
    KNOWN.variant(
        "control-marks-first",
        "negative control",
        "records the delivery in meta, then claims as rename-unique-name",
    ),
];

static SCENARIOS: &[Scenario] = &[
    Scenario { name: "clients", about: "several clients download one key at once" },
    Scenario { name: "janitor", about: "an expiry job removes the download meanwhile" },
    Scenario {
        name: "reupload",
        about: "an uploader replaces the content under the same key meanwhile",
    },
    Scenario {
        name: "put-again",
        about: "an uploader puts new content under the same key as soon as it is free",
    },
];

fn protocol(variant: &str) -> Option<Protocol> {
    Some(match variant {
        "open-then-remove" => Protocol::OpenThenRemove,
        "meta-check-first" => Protocol::MetaCheckFirst,
        "rename-fixed-name" => Protocol::Claim(Mechanism::RenameFixed),
        "rename-fixed-strict" => Protocol::RenameFixedStrict,
        "rename-unique-name" => Protocol::Claim(Mechanism::RenameUnique),
        "unlink-decides" => Protocol::Claim(Mechanism::UnlinkDecides),
        "claim-file" => Protocol::Claim(Mechanism::ClaimFile),
        "advisory-lock" => Protocol::Claim(Mechanism::AdvisoryLock),
        "control-forgets-meta" => Protocol::ControlForgetsMeta,
        "control-marks-first" => Protocol::ControlMarksFirst,
        _ => return None,
    })
}

/// Who acts beside the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    Nobody,
    Janitor,
    Uploader { replaces: bool },
}

fn others(scenario: &str) -> Option<Others> {
    Some(match scenario {
        "clients" => Others::Nobody,
        "janitor" => Others::Janitor,
        "reupload" => Others::Uploader { replaces: true },
        "put-again" => Others::Uploader { replaces: false },
        _ => return None,
    })
}
