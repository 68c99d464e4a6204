// Fourth floor: imports [`claim_cell`] and the floors below.
// What is modelled, and what was found: README.md beside this file.
#![doc = include_str!("README.md")]

mod on_loom;
mod on_shuttle;
mod on_threads;

use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use super::{Model, Sheet, Size, Verdicts, named};
use crate::case::{Case, ThreadsCase};
use crate::check::threads::{End, Program, Source};

/// The model.
#[derive(Clone, Copy, Debug)]
pub struct ClaimCell;

static VERDICTS: Verdicts = Verdicts::new(include_str!("verdicts.txt"));
static SHEET: LazyLock<Sheet> = LazyLock::new(|| Sheet::read(include_str!("model.txt"), &VERDICTS));

/// How the cell is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Protocol {
    LoadThenStore,
    FlagEach,
    SwapRelaxed,
    /// The source that ships.
    CompareExchange,
    MutexTake,
    ControlForgetsDrop,
    ControlDropsAgain,
    ControlNeverClaims,
}

/// Who acts beside the claimants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scene {
    /// How many threads claim.
    claims: usize,
    /// How many threads put a value in; the value is there from the start where none does.
    puts: usize,
}

impl Scene {
    fn of(scenario: &str, threads: usize) -> Option<Scene> {
        let puts = match scenario {
            "full" => 0,
            "put-later" => 1,
            "two-puts" => 2,
            _ => return None,
        };
        Some(Scene { claims: threads.checked_sub(puts)?, puts })
    }

    /// Those who claim, then those who put.
    fn actors(self) -> Vec<String> {
        let clients = (1..=self.claims).map(|number| format!("client {number}"));
        let writers = (1..=self.puts).map(|number| match self.puts {
            1 => "writer".to_owned(),
            _ => format!("writer {number}"),
        });
        clients.chain(writers).collect()
    }
}

/// What somebody who claims ends with.
const NOTHING: &str = "Nothing";
/// Somebody who puts: it is in.
const PUT: &str = "Put";
/// Somebody who puts: there was one.
const REFUSED: &str = "Refused";

/// What somebody who claims ends with that has it.
fn told_claimed(token: usize) -> String {
    format!("Claimed({token})")
}

/// So many threads of a variant in a scenario; `None` if there are no such.
pub fn program(variant: &str, scenario: &str, threads: usize) -> Option<Program> {
    let (protocol, scene) = (named(variant)?, Scene::of(scenario, threads)?);
    let source = Source {
        on_loom: Arc::new(move || on_loom::execute(protocol, scene)),
        on_shuttle: Arc::new(move || on_shuttle::execute(protocol, scene)),
        on_threads: Arc::new(move || on_threads::execute(protocol, scene)),
    };
    Some(claimed(Program::new(scene.actors(), source), scene))
}

impl Model for ClaimCell {
    fn sheet(&self) -> &'static Sheet {
        &SHEET
    }

    fn size(&self) -> Size {
        Size::THREADS
    }

    fn case(&self, variant: &str, scenario: &str, threads: usize) -> Option<Box<dyn Case>> {
        let case = ThreadsCase::new(program(variant, scenario, threads)?);
        // Only what has no data race in it may be let loose.
        let is_sound = named(variant) != Some(Protocol::SwapRelaxed);
        Some(Box::new(if is_sound { case } else { case.without_free_runs() }))
    }
}

/// How many have claimed a value, this one if there are several.
fn claims(end: End<'_>, token: usize) -> usize {
    let told = told_claimed(token);
    end.outputs.iter().filter(|output| output.as_deref() == Some(&*told)).count()
}

/// How many have put theirs in.
fn puts(end: End<'_>) -> usize {
    end.outputs.iter().filter(|output| output.as_deref() == Some(PUT)).count()
}

fn tokens(end: End<'_>) -> impl Iterator<Item = usize> + Clone {
    1..=end.dropped.len()
}

/// Claims what it promises.
fn claimed(program: Program, scene: Scene) -> Program {
    let program =
        program.finally("at-most-once", |end| tokens(end).all(|token| claims(end, token) <= 1));
    let program = match scene.puts {
        // Where the value may come too late for everybody, there need not be one who has it.
        0 => program.finally("exactly-once", |end| claims(end, 1) == 1),
        _ => program.finally("put-once", |end| puts(end) == 1),
    };
    let program = program
        .finally("no-leak", |end| end.dropped.iter().all(|times| *times > 0))
        .finally("no-double-drop", |end| end.dropped.iter().all(|times| *times <= 1));
    match scene.claims {
        0 => program.reachable("somebody-puts", |end| puts(end) > 0),
        _ => program
            .reachable("somebody-claims", |end| tokens(end).any(|token| claims(end, token) > 0)),
    }
}
