//! Top floor, the command: what is done when asked. Imports every floor below.

mod check;
mod execution;
mod list;
mod out;
mod size;

use toctou::case::CaseError;
use toctou::check::PlayError;
use toctou::survey::{NoSuch, UnknownName};

pub(crate) use check::{check, everything};
pub(crate) use execution::{replay, show};
pub(crate) use list::list;
pub(crate) use out::complain;

/// Whether all came out as recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AsItShould {
    Be,
    NotBe,
}

impl AsItShould {
    fn be_if(all_is_well: bool) -> AsItShould {
        if all_is_well { AsItShould::Be } else { AsItShould::NotBe }
    }
}

/// Why it was not done at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}\n`toctou list` lists what there is")]
    NoSuch(#[from] NoSuch),
    #[error("{0}")]
    Usage(String),
    #[error("bad schedule: {error}; the actors are {actors}")]
    Schedule { actors: String, error: PlayError },
    #[error("{0}")]
    Case(#[from] CaseError),
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<UnknownName> for Failure {
    fn from(unknown: UnknownName) -> Self {
        NoSuch::from(unknown).into()
    }
}

impl Failure {
    /// The exit status it means.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Failure::NoSuch(_) | Failure::Usage(_) | Failure::Schedule { .. } => 2,
            Failure::Case(_) | Failure::Output(_) | Failure::Json(_) => 1,
        }
    }
}
