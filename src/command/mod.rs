//! Top floor: the `toctou` command. Imports every floor below.
//!
//! [`main`] puts a catalogue behind it: the published one, or one of your own, whose [`Model`]s are
//! checked, shown, replayed and recorded as those are. `examples/own_catalogue.rs` is one.

mod arguments;
mod check;
mod execution;
mod list;
mod merge;
mod out;
mod report;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod run;
mod size;
mod sql;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::case::CaseError;
use crate::check::PlayError;
use crate::models::{BadVerdicts, Model};
use crate::report::merged::MergeError;
use crate::survey::{BlessError, Names, NoSuch, UnknownName};
use arguments::{Arguments, Command};
use out::complain;

/// Does what the arguments of this process ask, with the models of this catalogue: the `main` of a command.
///
/// Answers with its exit status: 0 if every verdict is as recorded and the engines agree, 1 if not, 2 for
/// bad usage.
pub fn main(catalogue: &'static [&'static dyn Model]) -> ExitCode {
    let arguments = Arguments::parse();
    match answered(Names(catalogue), arguments) {
        Ok(AsItShould::Be) => ExitCode::SUCCESS,
        Ok(AsItShould::NotBe) => ExitCode::from(1),
        Err(failure) => {
            complain(&failure);
            ExitCode::from(failure.status())
        }
    }
}

fn answered(names: Names, arguments: Arguments) -> Result<AsItShould, Failure> {
    for model in names.0 {
        for variant in model.variants() {
            let read = variant.verdicts.check();
            let told = |bad: &BadVerdicts| Failure::Verdicts(model.name(), bad.clone());
            read.map_err(told)?;
        }
    }
    match arguments.command {
        None => check::everything(names, arguments.verbose),
        Some(Command::Check(asked)) => check::check(names, &asked),
        Some(Command::Show(asked)) => execution::show(names, &asked),
        Some(Command::Replay(asked)) => execution::replay(names, &asked),
        Some(Command::Run(asked)) => run(&asked),
        Some(Command::Sql(asked)) => sql::sql(&asked),
        Some(Command::Merge(asked)) => merge::merge(names, &asked, arguments.verbose),
        Some(Command::Report(asked)) => report::report(names, &asked),
        Some(Command::List) => list::list(names),
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn run(asked: &arguments::Run) -> Result<AsItShould, Failure> {
    run::run(asked)
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn run(_: &arguments::Run) -> Result<AsItShould, Failure> {
    Err(Failure::Usage("programs can be run under check on Linux on x86-64 only".to_owned()))
}

/// Whether all came out as recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AsItShould {
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
pub(super) enum Failure {
    #[error("{0}\n`toctou list` lists what there is")]
    NoSuch(#[from] NoSuch),
    #[error("{0}")]
    Usage(String),
    #[error("bad schedule: {error}; the actors are {actors}")]
    Schedule { actors: String, error: PlayError },
    #[error("{0}: {1}")]
    Verdicts(&'static str, BadVerdicts),
    #[error(transparent)]
    Bless(#[from] BlessError),
    #[error("{0}")]
    Case(#[from] CaseError),
    #[error("cannot write the output: {0}")]
    Output(#[from] std::io::Error),
    #[error("cannot read {}: {}", .0.display(), .1)]
    Read(PathBuf, std::io::Error),
    #[error("cannot merge: {0}")]
    Merge(#[from] MergeError),
    #[error("cannot write {}: {}", .0.display(), .1)]
    Report(PathBuf, std::io::Error),
    #[error(transparent)]
    Page(#[from] crate::report::page::PageError),
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
    pub(super) fn status(&self) -> u8 {
        match self {
            Failure::NoSuch(_)
            | Failure::Usage(_)
            | Failure::Schedule { .. }
            | Failure::Verdicts(..)
            | Failure::Read(..)
            | Failure::Merge(_) => 2,
            Failure::Case(_)
            | Failure::Output(_)
            | Failure::Report(..)
            | Failure::Page(_)
            | Failure::Json(_)
            | Failure::Bless(_) => 1,
        }
    }
}
