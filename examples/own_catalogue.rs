//! A catalogue of one's own behind the `toctou` command: its tables, pictures, replays and records.
//!
//! ```text
//! cargo run --release --example own_catalogue                    # everything
//! cargo run --release --example own_catalogue -- show lock/look-then-make
//! cargo run --release --example own_catalogue -- check --bless examples/own_catalogue
//! ```

use std::process::ExitCode;
use std::sync::LazyLock;

use toctou::case::{Case, FsCase};
use toctou::check::System;
use toctou::direct::Code;
use toctou::fs::SimFs;
use toctou::models::{Model, Sheet, Verdicts};
use toctou::std::fs::{self, File};
use toctou::std::io;

/// A lock that is a file: who made it holds it.
struct Lock;

static VERDICTS: Verdicts = Verdicts::new(include_str!("own_catalogue/lock/verdicts.txt"));
static SHEET: LazyLock<Sheet> =
    LazyLock::new(|| Sheet::read(include_str!("own_catalogue/lock/model.txt"), &VERDICTS));

fn look_then_make() -> io::Result<()> {
    if fs::exists("lock")? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    File::create("lock").map(drop)
}

fn make_new() -> io::Result<()> {
    File::create_new("lock").map(drop)
}

impl Model for Lock {
    fn sheet(&self) -> &'static Sheet {
        &SHEET
    }

    fn case(&self, variant: &str, scenario: &str, clients: usize) -> Option<Box<dyn Case>> {
        let take = match (variant, scenario) {
            ("look-then-make", "clients") => look_then_make,
            ("make-new", "clients") => make_new,
            _ => return None,
        };
        let system = System::new(SimFs::new())
            .clients(clients, Code::io(take))
            .at_most(1, "one-holder", |client| client.output().filter(|got| got.is_ok()).cloned())
            .reaches("somebody-holds", |client| client.output().is_some_and(Result::is_ok));
        Some(Box::new(FsCase::direct(system)))
    }
}

fn main() -> ExitCode {
    toctou::command::main(&[&Lock])
}

#[cfg(test)]
mod tests {
    use toctou::survey::{Names, Plan, Share, bless};

    use super::*;

    #[test]
    fn its_verdicts_are_recorded_and_found_again() {
        let target = Names(&[&Lock]).target("lock").expect("it has that name");
        let subjects = target.some_subjects(None).expect("it has systems");
        let survey = Plan { subjects, size: None, engines: None, share: Share::ALL }.run(&|_| {});
        assert!(survey.is_as_recorded());
        let folder = tempfile::tempdir().expect("a temporary directory");
        let blessed = bless(&survey, folder.path()).expect("the engines agree");
        assert_eq!((blessed.len(), &*blessed[0].changes), (1, &[][..]));
        let written = std::fs::read_to_string(folder.path().join("lock/verdicts.txt"));
        assert_eq!(
            written.expect("it is written"),
            include_str!("own_catalogue/lock/verdicts.txt")
        );
        assert!(written_says("look-then-make") && !written_says("make-new"));
    }

    fn written_says(variant: &str) -> bool {
        VERDICTS.of(variant).any(|breaks| breaks.property == "one-holder" && breaks.from_size == 2)
    }
}
