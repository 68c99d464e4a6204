//! Fourth floor: a small system told as tables that a person can look at, and explore by looking steps up.
//! Imports [`check`](crate::check), [`fs`](crate::fs), [`db`](crate::db) and [`net`](crate::net).
//!
//! A world is told in *sections*: tables with a title, columns, and rows with a key. What changed from one
//! world to the next is then seen row by row and cell by cell. A cell may speak of somebody whom only the
//! actors know: of whoever has inode 3 open. It then has a reference in it, and who that is
//! depends on where the actors stand.

mod database;
mod files;
mod network;
mod plain;
mod state;

use std::any::Any;

use serde::Serialize;

use crate::Process;
use crate::calls::untold;
use crate::check::{Checker, Explored, Local, PropertyKind, Schedule, To, Value, brief};
use crate::db::{Servers, SimDb};
use crate::errno::shown;
use crate::fs::SimFs;
use crate::held::{self, Holding, Kind};
use crate::net::SimNet;

/// A table of a told world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Section {
    /// What it lists: `Files`.
    pub(crate) title: String,
    /// The heads of its columns.
    pub(crate) columns: Vec<String>,
    /// The rows, each with what it is known by in the next world, and its cells.
    pub(crate) rows: Vec<Line>,
}

/// A row of a told world.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Line {
    /// What it is known by.
    pub(crate) key: String,
    /// What is in it.
    pub(crate) cells: Vec<String>,
    /// It is shown only while its reference refers to somebody.
    pub(crate) is_for_holders: bool,
}

impl Section {
    fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Section { title: title.into(), columns, rows: Vec::new() }
    }

    fn row(&mut self, key: impl Into<String>, cells: Vec<String>) {
        self.rows.push(Line { key: key.into(), cells, is_for_holders: false });
    }
}

/// Around a reference: no text that is shown to a person has these in it.
const OPEN: char = '\u{1}';
const CLOSE: char = '\u{2}';

/// A reference to the actors that hold this thing.
fn holders(kind: Kind, thing: u64) -> String {
    format!("{OPEN}{}{thing}{CLOSE}", letter(kind))
}

fn letter(kind: Kind) -> char {
    match kind {
        Kind::File => 'f',
        Kind::Session => 't',
        Kind::Connection => 'c',
        Kind::Section => 's',
    }
}

/// A world as sections: by what it is, where it is one of this crate's; by its `Debug` form otherwise.
pub(crate) fn sections<W: Value>(world: &W) -> Vec<Section> {
    let any: &dyn Any = world;
    untold(|| {
        if let Some(fs) = any.downcast_ref::<SimFs>() {
            files::sections(fs)
        } else if let Some(db) = any.downcast_ref::<SimDb>() {
            database::sections(db)
        } else if let Some(servers) = any.downcast_ref::<Servers<SimDb>>() {
            database::with_servers(servers)
        } else if let Some(net) = any.downcast_ref::<SimNet>() {
            network::sections(net)
        } else {
            vec![plain::section(&shown(world))]
        }
    })
}

/// A small system, told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Scene {
    /// The actors' names.
    actors: Vec<String>,
    /// How it begins, where there are several ways.
    start: Option<String>,
    /// The first and last index of actors that are interchangeable.
    groups: Vec<[usize; 2]>,
    /// All texts that occur below, by number.
    texts: Vec<String>,
    /// Rows of told worlds: the key, whether it is for holders only, the cells.
    rows: Vec<Vec<usize>>,
    /// Sections of told worlds: the title, how many columns, the columns, the rows.
    sections: Vec<Vec<usize>>,
    /// Each world as its sections.
    worlds: Vec<Vec<usize>>,
    /// Each local state.
    locals: Vec<Place>,
    /// The world and the local states before the first step.
    initial: Vec<u32>,
    /// Steps: the world, the local state, the label, and then 0 where it waits; 1, the next world and local
    /// state; 2, the next world and each local state of a choice; 3 and why it is no step.
    steps: Vec<Vec<u32>>,
    /// In this world, somebody there waits for somebody there.
    waits: Vec<[u32; 3]>,
    /// Whether anybody says who waits for whom.
    says_who_waits: bool,
    /// Whether all states are here.
    whole: bool,
    /// How many states.
    states: usize,
    /// The properties, and the states that decide them.
    properties: Vec<Claim>,
}

/// A local state: its text, whether it has ended, and what it holds (the kind, the thing, how).
type Place = (usize, u8, Vec<(char, u64, usize)>);

/// A property, and the states that decide it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Claim {
    name: String,
    kind: &'static str,
    /// One after the other: the world, then the local states, sorted within groups.
    decided: Vec<u32>,
}

/// Where an actor stands, or what it ended with.
fn standing<P: std::fmt::Debug, T: std::fmt::Debug>(local: &Local<P, T>) -> String {
    match local {
        Local::Done(output) => shown(output),
        Local::Running(process) => {
            let told = shown(process);
            code_within(&told).map_or_else(|| brief(&told), str::to_owned)
        }
    }
}

/// Where ordinary code stands: `before open(key)`, of a value that has one program in it.
fn code_within(told: &str) -> Option<&str> {
    const CODE: &str = "Code(";
    let (_, rest) = told.split_once(CODE)?;
    let mut depth = 1;
    let end = rest.char_indices().find(|(_, letter)| {
        depth += match letter {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    });
    let (at, _) = end?;
    (!rest.contains(CODE)).then_some(&rest[..at])
}

/// What an actor holds, by kind and thing.
fn holdings(local: &impl std::hash::Hash) -> Vec<Holding> {
    let mut held = held::of(local);
    held.sort_by_key(|holding| (holding.kind, holding.thing));
    held
}

/// `always`, `finally`, `reachable`.
pub(crate) fn word(kind: PropertyKind) -> &'static str {
    match kind {
        PropertyKind::Always => "always",
        PropertyKind::Finally => "finally",
        PropertyKind::Reachable => "reachable",
    }
}

/// Values by number, each once.
struct Numbered<T> {
    numbers: rustc_hash::FxHashMap<T, usize>,
    all: Vec<T>,
}

impl<T: Clone + Eq + std::hash::Hash> Numbered<T> {
    fn new() -> Self {
        Numbered { numbers: Default::default(), all: Vec::new() }
    }

    fn of(&mut self, value: T) -> usize {
        if let Some(known) = self.numbers.get(&value) {
            return *known;
        }
        self.all.push(value.clone());
        self.numbers.insert(value, self.all.len() - 1);
        self.all.len() - 1
    }
}

impl Scene {
    /// What was explored of a system of these actors, which begins so.
    pub(crate) fn of<W: Value, P: Process<W, Output: Value> + Value>(
        explored: &Explored<W, P>,
        actors: &[String],
        start: Option<String>,
    ) -> Scene {
        let mut texts = Numbered::new();
        let mut rows = Numbered::new();
        let mut known = Numbered::new();
        let worlds = explored.worlds.iter().map(|world| {
            let told = sections(&**world).into_iter().map(|section| {
                let mut numbers = vec![texts.of(section.title), section.columns.len()];
                numbers.extend(section.columns.into_iter().map(|column| texts.of(column)));
                numbers.extend(section.rows.into_iter().map(|line| {
                    let mut cells = vec![texts.of(line.key), usize::from(line.is_for_holders)];
                    cells.extend(line.cells.into_iter().map(|cell| texts.of(cell)));
                    rows.of(cells)
                }));
                known.of(numbers)
            });
            told.collect::<Vec<usize>>()
        });
        let worlds = worlds.collect();
        let locals = explored.locals.iter().map(|local| {
            let ended = u8::from(local.output().is_some());
            let text = standing(local);
            let held = holdings(&**local).into_iter();
            let held =
                held.map(|holding| (letter(holding.kind), holding.thing, texts.of(holding.how)));
            let held = held.collect();
            (texts.of(text), ended, held)
        });
        let locals = locals.collect();
        let steps = explored.steps.iter().map(|entry| {
            let mut step = vec![entry.world, entry.local, texts.of(entry.label.clone()) as u32];
            match &entry.to {
                To::Waits => step.push(0),
                To::Next(world, local) => step.extend([1, *world, *local]),
                To::Choice(world, locals) => {
                    step.extend([2, *world]);
                    step.extend(locals);
                }
                To::Fault(said) => step.extend([3, texts.of(said.clone()) as u32]),
            }
            step
        });
        let steps = steps.collect();
        let waits = explored.waits.iter().flatten();
        let decided = explored.decided.iter().map(|(name, kind, states)| Claim {
            name: name.clone(),
            kind: word(*kind),
            decided: states.iter().flat_map(|state| state.iter().copied()).collect(),
        });
        let (world, places) = &explored.initial;
        Scene {
            actors: actors.to_vec(),
            start,
            groups: explored.groups.iter().map(|group| [group.start, group.end]).collect(),
            worlds,
            locals,
            initial: std::iter::once(*world).chain(places.iter().copied()).collect(),
            steps,
            waits: waits.map(|(world, one, other)| [*world, *one, *other]).collect(),
            says_who_waits: explored.waits.is_some(),
            whole: explored.is_whole,
            states: explored.states,
            properties: decided.collect(),
            sections: known.all,
            rows: rows.all,
            texts: texts.all,
        }
    }
}

impl<W: Value, P: Process<W, Output: Value> + Value> Checker<W, P> {
    /// The steps from the start of this index; of a system of more than `most` states, those along these
    /// schedules. `None` if there is no such start.
    pub(crate) fn scene_of(&self, start: usize, along: &[&Schedule], most: usize) -> Option<Scene> {
        let system = self.system();
        let explored = system.explored(start, along, most)?;
        let name = system.starts().get(start).map(|start| start.name.clone());
        let name = name.filter(|name| system.starts().len() > 1 || !name.is_empty());
        Some(Scene::of(&explored, system.actors(), name))
    }
}
