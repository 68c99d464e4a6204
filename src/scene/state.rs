//! Fourth floor, `scene`: one state as text, told without the table of steps. Imports
//! [`check`](crate::check).

use super::{CLOSE, OPEN, Section, holdings, letter, sections, standing};
use crate::Process;
use crate::check::{Checker, Local, PlayError, Played, Schedule, Value};
use crate::held::{Holding, Kind};

impl<W: Value, P: Process<W, Output: Value> + Value> Checker<W, P> {
    /// What is there after a schedule: the world, and where the actors stand. The HTML page tells the same of
    /// the state that it has looked up.
    pub(crate) fn state_after(&self, schedule: &Schedule) -> Result<String, PlayError> {
        let Played { trace, world, locals } = self.system().play(schedule)?;
        let held: Vec<Vec<Holding>> = locals.iter().map(holdings).collect();
        let mut told = sections(&world);
        for section in &mut told {
            section.rows.retain(|row| {
                !row.is_for_holders || row.cells.iter().any(|cell| is_held(cell, &held))
            });
            for cell in section.rows.iter_mut().flat_map(|row| &mut row.cells) {
                *cell = resolved(cell, &held, &trace.actors);
            }
        }
        let columns = ["actor", "where it stands", "what it holds"];
        let mut actors = Section::new("Actors", &columns);
        for (actor, local) in locals.iter().enumerate() {
            let left = trace.unfinished.iter().find(|left| left.actor == actor);
            let stands = match (local, left) {
                (Local::Done(_), _) => format!("ended with {}", standing(local)),
                (Local::Running(_), Some(left)) => match &left.waits_for {
                    Some(them) if !them.is_empty() => format!("waits for {}", trace.names(them)),
                    _ if left.waits => "waits".to_owned(),
                    _ => standing(local),
                },
                (Local::Running(_), None) => standing(local),
            };
            let holds: Vec<String> = held[actor].iter().map(owned).collect();
            actors.row(
                actor.to_string(),
                vec![trace.actors[actor].clone(), stands, holds.join("; ")],
            );
        }
        told.push(actors);
        Ok(text(&told))
    }
}

/// `inode 3: read`
fn owned(holding: &Holding) -> String {
    let Holding { kind, thing, how } = holding;
    match kind {
        Kind::File => format!("inode {thing}: {how}"),
        Kind::Connection => format!("connection to {how}"),
        Kind::Session | Kind::Section => how.clone(),
    }
}

/// The text before a reference, its kind and thing, and the text behind it.
fn reference(cell: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = cell.split_once(OPEN)?;
    let (reference, behind) = rest.split_once(CLOSE)?;
    Some((before, reference, behind))
}

fn refers(reference: &str, holding: &Holding) -> bool {
    reference == format!("{}{}", letter(holding.kind), holding.thing)
}

fn is_held(cell: &str, held: &[Vec<Holding>]) -> bool {
    let mut rest = cell;
    while let Some((_, thing, behind)) = reference(rest) {
        if held.iter().flatten().any(|holding| refers(thing, holding)) {
            return true;
        }
        rest = behind;
    }
    false
}

/// The cell with the names of those to whom it refers.
fn resolved(cell: &str, held: &[Vec<Holding>], actors: &[String]) -> String {
    let (mut told, mut rest) = (String::new(), cell);
    while let Some((before, thing, behind)) = reference(rest) {
        told += before;
        let mut names = Vec::new();
        for (holdings, name) in held.iter().zip(actors) {
            for holding in holdings.iter().filter(|holding| refers(thing, holding)) {
                names.push(match holding.kind {
                    Kind::File => format!("{name} ({})", holding.how),
                    Kind::Session | Kind::Connection | Kind::Section => name.clone(),
                });
            }
        }
        match (names.is_empty(), thing.strip_prefix(letter(Kind::Session))) {
            (true, Some(number)) => told += &format!("transaction {number}"),
            _ => told += &names.join(", "),
        }
        rest = behind;
    }
    told + rest
}

fn text(sections: &[Section]) -> String {
    let mut lines = Vec::new();
    for Section { title, columns, rows } in sections {
        lines.push(format!("{title}: {}", columns.join(" | ")));
        lines.extend(rows.iter().map(|row| format!("  {}", row.cells.join(" | "))));
    }
    lines.join("\n")
}
