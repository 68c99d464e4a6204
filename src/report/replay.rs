//! Fourth floor, `report`: counterexamples and their replays in the real world. Imports
//! [`case`](crate::case), [`models`](crate::models) and [`survey`](crate::survey).

use std::fmt::Write;

use anstyle::Style;

use super::diagram::remaining;
use super::style::{BAD, FAINT, GOOD, HEAD, PLAIN, UNSURE, cell, columns, paint, wrap};
use super::{WIDTH, grouped, violating};
use crate::case::{CaseError, Comparison};
use crate::check::{Trace, TraceStep};
use crate::models::Scenario;
use crate::replay::{Place, ReplayError};
use crate::survey::{Example, Replay, Stressed, Subject};

/// Each counterexample in a line: how short it is, how many interleavings show the same, how the
/// replay in the real world went, and how often chance finds it. One list for each model.
pub fn counterexamples(examples: &[Example], replays: &[Replay], stressed: &[Stressed]) -> String {
    let both: Vec<(&Example, &Replay)> = examples.iter().zip(replays).collect();
    let of_one_model = |(left, _): &(&Example, &Replay), (right, _): &(&Example, &Replay)| {
        left.subject.model.name() == right.subject.model.name()
    };
    let lists = both.chunk_by(of_one_model).map(|list| of_model(list, stressed));
    lists.collect::<Vec<_>>().join("\n")
}

/// Where there is nothing to tell.
const NOTHING: &str = "–";

fn of_model(list: &[(&Example, &Replay)], stressed: &[Stressed]) -> String {
    let Some((Example { subject, counted, .. }, _)) = list.first() else { return String::new() };
    let mut rows: Vec<_> =
        list.iter().map(|(example, replay)| cells(example, replay, stressed)).collect();
    let number = subject.model.size().plural();
    let places = places(list.iter().map(|(_, replay)| *replay));
    let real = match places.as_slice() {
        [] => String::new(),
        [one] => format!("on {one}"),
        _ => "for real".to_owned(),
    };
    let counted = format!("{counted}s");
    let mut heads = [&*number, "steps", &*counted, &*real, "by chance"];
    // Where free runs cannot be judged, there is nothing to say of chance.
    if rows.iter().all(|cells| cells[4].0 == NOTHING) {
        heads[4] = "";
        rows.iter_mut().for_each(|cells| cells[4].0.clear());
    }
    // Nor of a real world, where there is none.
    if real.is_empty() && rows.iter().all(|cells| cells[3].0 == NOTHING) {
        rows.iter_mut().for_each(|cells| cells[3].0.clear());
    }
    // Where there are several, it stands in each line which.
    if places.len() > 1 {
        for (cells, (_, replay)) in rows.iter_mut().zip(list) {
            if let Some(Ok(comparison)) = replay
                && comparison.agrees()
            {
                cells[3].0 = format!("on {}", comparison.place);
            }
        }
    }
    let widths: [usize; 5] = std::array::from_fn(|column| {
        let texts = rows.iter().map(|cells| columns(&cells[column].0));
        texts.max().unwrap_or(0).max(columns(heads[column]))
    });
    let width = |of: fn(&Example) -> &str| {
        list.iter().map(|(example, _)| columns(of(example))).max().unwrap_or(0)
    };
    let scenario = width(|example| example.subject.scenario.name);
    let property = width(|example| &example.property);
    let wide = |gap: usize| {
        4 + scenario + gap + property + widths.iter().map(|width| gap + width).sum::<usize>()
    };
    let gap = if wide(2) <= WIDTH { 2 } else { 1 };

    let line = |lead: String, texts: [(String, Style); 5]| {
        let mut line = lead;
        for (column, ((text, style), width)) in texts.into_iter().zip(widths).enumerate() {
            let fill = " ".repeat(width.saturating_sub(columns(&text)));
            // Numbers end where their heading ends, words begin where it begins.
            let (before, after) = if column < 3 { (&*fill, "") } else { ("", &*fill) };
            let _ = write!(line, "{:gap$}{before}{style}{text}{style:#}{after}", "");
        }
        format!("{}\n", line.trim_end())
    };
    let lead = 4 + scenario + gap + property;
    let heads = heads.map(|head| (head.to_owned(), FAINT));
    let mut out = line(cell(HEAD, "counterexamples", lead), heads);
    let mut variant = "";
    for ((example, _), cells) in list.iter().zip(rows) {
        let Subject { model, variant: new, scenario: Scenario { name, .. } } = example.subject;
        if new.name != variant {
            let _ = writeln!(out, "  {}/{}", model.name(), new.name);
            variant = new.name;
        }
        let lead = format!("    {name:scenario$}{:gap$}{:property$}", "", example.property);
        out.push_str(&line(lead, cells));
    }
    out
}

/// Its size, its steps, its share of the interleavings, the real world's word, and chance's.
fn cells(example: &Example, replay: &Replay, stressed: &[Stressed]) -> [(String, Style); 5] {
    let steps = example.schedule.as_ref().map(|schedule| schedule.turns.len().to_string());
    let all = grouped(&example.interleavings.to_string());
    let share = match violating(example) {
        Some(violating) => format!("{violating} of {all}"),
        None if example.schedule.is_none() => format!("none of {all}"),
        None => String::new(),
    };
    let (real, style) = match replay {
        None => ("–", FAINT),
        Some(Err(error)) if error.is_not_here() => ("not here", FAINT),
        Some(Err(_)) => ("failed", BAD),
        Some(Ok(comparison)) if comparison.agrees() && comparison.but.is_some() => {
            ("as one user", GOOD)
        }
        Some(Ok(comparison)) if comparison.agrees() => ("as simulated", GOOD),
        Some(Ok(_)) => ("NOT the same", BAD),
    };
    let chance = stressed.iter().find_map(|stressed| stressed.chance(example));
    let chance = chance.map(|(broken, rounds)| format!("{broken} of {rounds}"));
    let nothing = || NOTHING.to_owned();
    [
        (example.size.to_string(), PLAIN),
        (steps.unwrap_or_else(nothing), PLAIN),
        (share, PLAIN),
        (real.to_owned(), style),
        (chance.unwrap_or_else(nothing), PLAIN),
    ]
}

/// Where these were made to happen, each place once.
pub(super) fn places<'a>(replays: impl Iterator<Item = &'a Replay>) -> Vec<Place> {
    let mut places = Vec::new();
    for comparison in replays.flatten().flatten() {
        if !places.contains(&comparison.place) {
            places.push(comparison.place);
        }
    }
    places
}

/// The replays that did not go as they should, one line each; empty if all did. If there is no
/// temporary directory, nothing can be replayed, and one line says so.
pub fn troubles(examples: &[Example], replays: &[Replay], stressed: &[Stressed]) -> Vec<String> {
    let no_place =
        |error: &&CaseError| matches!(error, CaseError::Replay(ReplayError::Directory(..)));
    let replayed = replays.iter().flatten().filter_map(|replay| replay.as_ref().err());
    let mut errors = replayed.chain(stressed.iter().filter_map(Stressed::error));
    let mut troubles: Vec<String> =
        errors.find(no_place).map(ToString::to_string).into_iter().collect();
    for (example, replay) in examples.iter().zip(replays) {
        let name = format!("{:?} {}", example.subject, example.property);
        match replay {
            Some(Err(error)) if no_place(&error) || error.is_not_here() => {}
            Some(Err(error)) => troubles.push(format!("{name}: cannot replay: {error}")),
            Some(Ok(comparison)) if !comparison.agrees() => {
                troubles.push(format!("{name}: {}", difference(comparison)));
            }
            Some(Ok(_)) | None => {}
        }
    }
    let failed = stressed.iter().filter_map(Stressed::error).filter(|error| !no_place(error));
    troubles.extend(failed.map(|error| format!("free runs: {error}")));
    troubles
}

/// The reasons why counterexamples could not be replayed here, or only in part, and how many each
/// concerns.
pub fn limits(replays: &[Replay]) -> Vec<(String, usize)> {
    let mut limits: Vec<(String, usize)> = Vec::new();
    for replay in replays.iter().flatten() {
        let limit = match replay {
            Err(error) if error.is_not_here() => error.to_string(),
            Ok(Comparison { but: Some(but), .. }) => (*but).to_owned(),
            Ok(_) | Err(_) => continue,
        };
        match limits.iter_mut().find(|(known, _)| *known == limit) {
            Some((_, number)) => *number += 1,
            None => limits.push((limit, 1)),
        }
    }
    limits
}

/// The first difference between the real world and the simulation.
pub fn difference(comparison: &Comparison) -> String {
    let (place, simulated, real) = (comparison.place, &comparison.simulated, &comparison.real);
    let steps = simulated.trace.steps.iter().zip(&real.trace.steps);
    let first = steps.enumerate().find(|(_, (simulated, real))| !simulated.agrees(real));
    if let Some((position, (said, really))) = first {
        let (really, said) = (answer(&real.trace, really), answer(&simulated.trace, said));
        let difference =
            format!("step {}: {place} says {really}, the simulation {said}", position + 1);
        return match real.trace.steps.len() < comparison.schedule.turns.len() {
            true => format!("{difference}; what comes after it was not replayed"),
            false => difference,
        };
    }
    if simulated.remains != real.remains {
        return format!(
            "what {} differs: on {place} {:?}, in the simulation {:?}",
            real.remains.word(),
            real.remains.to_string(),
            simulated.remains.to_string()
        );
    }
    format!("{place} and the simulation end differently")
}

/// What a step did and got, and what its actor does then, as far as two worlds can differ in that.
fn answer(trace: &Trace, step: &TraceStep) -> String {
    let mut told = format!("`{}`", trace.call(step));
    match &step.waits_for {
        Some(them) => _ = write!(told, " and waits for {}", trace.names(them)),
        None if step.blocked => told += " and waits",
        None => {}
    }
    if let Some(output) = &step.output {
        let _ = write!(told, " and ends with {output}");
    }
    told
}

/// Whether the real world did the same as the simulation, and what it left.
pub fn outcome(comparison: &Comparison) -> String {
    let (within, remains) = (comparison.place.within(), &comparison.real.remains);
    let head = format!("what {} {within}", remains.word());
    let mut out = remaining(&head, remains);
    if let Some(but) = comparison.but {
        let _ = writeln!(out, "{}", paint(UNSURE, &format!("here: {but}")));
    }
    if comparison.agrees() {
        let said = format!(
            "{} agrees: every answer and all that {} is as simulated",
            comparison.place,
            remains.word()
        );
        let _ = writeln!(out, "{}", paint(GOOD, &said));
    } else {
        let said = format!("{} disagrees: {}", comparison.place, difference(comparison));
        for line in wrap(&said, WIDTH) {
            let _ = writeln!(out, "{}", paint(BAD, &line));
        }
    }
    out
}
