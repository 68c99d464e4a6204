// Fourth floor: imports [`store`] and the floors below.
// What is modelled, and what was found: README.md beside this file.
#![doc = include_str!("README.md")]

mod actors;
mod properties;

use std::sync::LazyLock;

use serde::Deserialize;

use super::{Crash, Model, Sheet, Size, Verdicts, named};
use crate::case::{Case, FsCase, actors_by_start};
use crate::check::System;
use crate::fs::{FileSystem, SimFile, SimFs};
use crate::replay::Furnished;
use crate::store::{Durability, Mechanism};

pub use actors::{Actor, Told};
pub use actors::{Client, Mortals};
use actors::{download, names};
use properties::{crashing, owners, system};

/// The model.
#[derive(Clone, Copy, Debug)]
pub struct Download;

static VERDICTS: Verdicts = Verdicts::new(include_str!("verdicts.txt"));
static SHEET: LazyLock<Sheet> = LazyLock::new(|| Sheet::read(include_str!("model.txt"), &VERDICTS));

/// The secret that is there at first.
pub const FIRST: &[u8] = b"alpha";
/// The secret that an uploader puts under the same key.
pub const SECOND: &[u8] = b"bravo";
/// The download that everybody wants.
const KEY: &str = "key";

/// How a download is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Protocol {
    OpenThenRemove,
    MetaCheckFirst,
    RenameFixedName,
    RenameFixedStrict,
    RenameUniqueName,
    UnlinkDecides,
    ClaimFile,
    AdvisoryLock,
    DurableOnce,
    DurableKept,
    ControlForgetsMeta,
    ControlMarksFirst,
}

impl Protocol {
    /// What a claim promises about failures.
    fn durability(self) -> Durability {
        match self {
            Protocol::DurableOnce => Durability::AtMostOnce,
            Protocol::DurableKept => Durability::NothingLost,
            _ => Durability::None,
        }
    }

    /// How the claim is decided, where it is decided at all.
    fn mechanism(self) -> Option<Mechanism> {
        use Protocol::*;
        Some(match self {
            OpenThenRemove | MetaCheckFirst => return None,
            RenameFixedName | RenameFixedStrict => Mechanism::RenameFixed,
            RenameUniqueName | DurableOnce | DurableKept | ControlForgetsMeta
            | ControlMarksFirst => Mechanism::RenameUnique,
            UnlinkDecides => Mechanism::UnlinkDecides,
            ClaimFile => Mechanism::ClaimFile,
            AdvisoryLock => Mechanism::AdvisoryLock,
        })
    }
}

/// Who acts beside the clients: nobody, a job that expires the download, or an uploader, who replaces
/// the content or waits until there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Others {
    Clients,
    Janitor,
    Reupload,
    PutAgain,
}

impl Model for Download {
    fn sheet(&self) -> &'static Sheet {
        &SHEET
    }

    /// Whoever dies comes back under another name, so that worlds are many.
    fn size_in(&self, scenario: &str) -> Size {
        match named::<Crash>(scenario) {
            Some(Crash::Killed) => Size { usual: &[1, 2], tried: &[1, 2], ..Size::CLIENTS },
            Some(_) => Size { usual: &[1, 2, 3], tried: &[1, 2, 3], ..Size::CLIENTS },
            None => Size::CLIENTS,
        }
    }

    fn case(&self, variant: &str, scenario: &str, clients: usize) -> Option<Box<dyn Case>> {
        let protocol: Protocol = named(variant)?;
        if let Some(crash) = named::<Crash>(scenario) {
            let system = crashing(protocol, crash, clients);
            let actors = actors_by_start(&system, |actor| actor.map(Client::on_kernel));
            let kernel = Furnished::like(&system, actors).requiring(move |_| crash.happens_here());
            return Some(Box::new(FsCase::new(system, kernel).without_free_runs()));
        }
        let others = named(scenario)?;
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
pub fn simulated(
    variant: &str,
    scenario: &str,
    clients: usize,
) -> Option<System<SimFs, Actor<SimFile>>> {
    Some(system(named(variant)?, named(scenario)?, clients))
}

/// Downloads `key`, on any file system; `None` if there is no such variant. `number` names the claim where
/// claims have names of their own.
pub fn download_from<F: FileSystem>(fs: &mut F, variant: &str, number: usize) -> Option<Told> {
    let protocol = named(variant)?;
    Some(download(fs, protocol, &names(protocol, &number.to_string())))
}
