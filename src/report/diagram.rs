//! Fourth floor, `report`: an execution as columns, one an actor, one row a step. Imports
//! [`check`](crate::check) and [`survey`](crate::survey).

use std::fmt::Write;

use super::style::{BAD, FAINT, GOOD, HEAD, PLAIN, UNSURE, cell, columns, paint, wrap};
use super::{WIDTH, count, grouped, share};
use crate::check::{PropertyKind, Trace, TraceStep};
use crate::survey::{Example, Proof};
use anstyle::Style;

/// The number of a step, and the space after it.
const GUTTER: usize = 6;
const GAP: usize = 2;

/// Below this width a column says nothing any more: then steps are listed one below the other.
const NARROWEST: usize = 20;

/// The execution, step by step: what each actor did and saw, and what it ended with.
pub fn diagram(trace: &Trace) -> String {
    match widths(trace) {
        Some(widths) => in_columns(trace, &widths),
        None => listed(trace),
    }
}

/// What the execution shows: `at-most-once violated after 8 steps; 40 of 46 interleavings …`.
pub fn closing(example: &Example, steps: usize) -> String {
    let after = count(steps, "step");
    let property = paint(HEAD, &example.property);
    if !example.is_violated {
        return format!("{property} {} after {after}", paint(GOOD, "reached"));
    }
    let when = match example.kind {
        PropertyKind::Always => "",
        PropertyKind::Finally => " in the end,",
        PropertyKind::Reachable => {
            return format!(
                "{property} {}: none of {} gets there",
                paint(BAD, "violated"),
                count(&example.interleavings, "interleaving")
            );
        }
    };
    let one = example.violating.as_ref().is_some_and(|number| *number == 1u8.into());
    let violate = match (&example.violating, one) {
        (None, _) => String::new(),
        (Some(_), true) => format!("; {} violates it", share(example)),
        (Some(_), false) => format!("; {} violate it", share(example)),
    };
    let (violated, told) = (paint(BAD, "violated"), format!("{when} after {after}{violate}"));
    // Counts can be long.
    let fits = columns(&example.property) + columns(" violated") + columns(&told) <= WIDTH;
    let told = if fits { told } else { told.replacen("; ", ";\n  ", 1) };
    format!("{property} {violated}{told}")
}

/// How often chance found what the checker always finds.
pub fn chance(example: &Example, broken: usize, rounds: usize) -> String {
    let told = format!(
        "  chance: {broken} of {}; the checker: {}, always",
        count(rounds, "free run"),
        share(example)
    );
    if columns(&told) <= WIDTH { told } else { told.replacen("; ", ";\n  ", 1) }
}

/// What holds, scenarios down, numbers of clients across: in how many interleavings.
pub fn proofs(proofs: &[Proof]) -> String {
    let mut claims: Vec<&str> = Vec::new();
    let mut scenarios: Vec<&str> = Vec::new();
    let mut clients: Vec<usize> = Vec::new();
    for proof in proofs {
        push_new(&mut scenarios, proof.subject.scenario.name);
        push_new(&mut clients, proof.clients);
        for claim in &proof.holding {
            push_new(&mut claims, claim);
        }
    }
    let mut out = String::new();
    if let Some(proof) = proofs.first() {
        let model = proof.subject.model.name();
        let _ =
            writeln!(out, "{}", paint(HEAD, &format!("{model}/{}", proof.subject.variant.name)));
    }
    let verb = if claims.len() == 1 { "holds" } else { "hold" };
    let mut lines = wrap(&claims.join(", "), WIDTH - 8);
    // The verb comes last, as one says it.
    if let Some(last) = lines.last_mut() {
        *last += &format!(" {}", paint(GOOD, verb));
    }
    for line in lines {
        let _ = writeln!(out, "  {}", line.trim());
    }
    out.push('\n');
    let name = scenarios.iter().map(|name| columns(name)).max().unwrap_or(0);
    let _ = write!(out, "  {FAINT}{:name$}", "");
    for clients in &clients {
        let _ = write!(out, "  {:>16}", count(clients, "client"));
    }
    let _ = writeln!(out, "{FAINT:#}");
    for scenario in scenarios {
        let _ = write!(out, "  {scenario:name$}");
        for clients in &clients {
            let here = |proof: &&Proof| {
                proof.clients == *clients && proof.subject.scenario.name == scenario
            };
            let counted = proofs.iter().find(here).map_or(String::new(), |proof| {
                let unknown = if proof.undecided.is_empty() { "" } else { "undecided " };
                format!("{unknown}{}", grouped(&proof.interleavings.to_string()))
            });
            let _ = write!(out, "  {counted:>16}");
        }
        out.push('\n');
    }
    let _ = writeln!(out, "  {}", paint(FAINT, "interleavings, all of them accounted for"));
    for proof in proofs {
        for (property, bound) in &proof.undecided {
            let clients = count(proof.clients, "client");
            let undecided = paint(UNSURE, "undecided");
            let scenario = proof.subject.scenario.name;
            let _ = writeln!(out, "  {property} is {undecided}: {scenario}, {clients}: {bound}");
        }
    }
    out
}

fn push_new<T: PartialEq>(known: &mut Vec<T>, new: T) {
    if !known.contains(&new) {
        known.push(new);
    }
}

/// What is shown below an actor's last step.
fn ending(step: &TraceStep) -> Option<String> {
    step.output.as_ref().map(|output| format!("→ {output}"))
}

fn unfinished(waits: bool) -> &'static str {
    if waits { "⋯ waits" } else { "⋯ had not finished" }
}

/// A column as wide as its longest text where all fit; where not, the widest give way first.
fn widths(trace: &Trace) -> Option<Vec<usize>> {
    let mut wanted: Vec<usize> = trace.actors.iter().map(|name| columns(name)).collect();
    let mut want = |actor: usize, text: &str| {
        if let Some(width) = wanted.get_mut(actor) {
            *width = columns(text).max(*width);
        }
    };
    for step in &trace.steps {
        want(step.actor, &step.label);
        want(step.actor, &ending(step).unwrap_or_default());
    }
    for (actor, waits) in &trace.unfinished {
        want(*actor, unfinished(*waits));
    }
    let room = WIDTH.checked_sub(GUTTER + GAP * wanted.len().saturating_sub(1))?;
    let fits = |cap: usize| wanted.iter().map(|width| cap.min(*width)).sum::<usize>() <= room;
    let cap = (NARROWEST..=WIDTH).rev().find(|cap| fits(*cap))?;
    Some(wanted.into_iter().map(|width| width.min(cap)).collect())
}

fn in_columns(trace: &Trace, widths: &[usize]) -> String {
    let mut out = String::new();
    let mut row = |number: &str, cells: &[Option<(Style, &str)>]| {
        let wrapped: Vec<Vec<String>> = cells
            .iter()
            .zip(widths)
            .map(|(text, width)| text.map_or(Vec::new(), |(_, text)| wrap(text, *width)))
            .collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let number = if line == 0 { number } else { "" };
            let mut told = format!("{FAINT}{number:>4}{FAINT:#}  ");
            let mut blank = 0;
            for ((lines, width), text) in wrapped.iter().zip(widths).zip(cells) {
                if let (Some(text), Some((style, _))) = (lines.get(line), text) {
                    told.push_str(&" ".repeat(blank));
                    told.push_str(&paint(*style, text));
                    blank = width - columns(text).min(*width) + GAP;
                } else {
                    blank += width + GAP;
                }
            }
            out.push_str(&told);
            out.push('\n');
        }
    };
    let names: Vec<_> = trace.actors.iter().map(|name| Some((HEAD, name.as_str()))).collect();
    row("", &names);
    let only = |actor: usize, style: Style, text: &str| -> Vec<Option<(Style, String)>> {
        let all = 0..trace.actors.len();
        all.map(|column| (column == actor).then(|| (style, text.to_owned()))).collect()
    };
    for (number, step) in trace.steps.iter().enumerate() {
        let cells = only(step.actor, PLAIN, &step.label);
        row(&(number + 1).to_string(), &borrowed(&cells));
        if let Some(ending) = ending(step) {
            row("", &borrowed(&only(step.actor, HEAD, &ending)));
        }
    }
    if !trace.unfinished.is_empty() {
        let waits = |actor| trace.unfinished.iter().find(|(known, _)| *known == actor);
        let cells: Vec<_> = (0..trace.actors.len())
            .map(|actor| waits(actor).map(|(_, waits)| (FAINT, unfinished(*waits))))
            .collect();
        row("", &cells);
    }
    out
}

fn borrowed(cells: &[Option<(Style, String)>]) -> Vec<Option<(Style, &str)>> {
    cells.iter().map(|cell| cell.as_ref().map(|(style, text)| (*style, text.as_str()))).collect()
}

/// For more actors than there is room for columns.
fn listed(trace: &Trace) -> String {
    let actors = trace.actors.iter().map(|name| columns(name)).max().unwrap_or(0).min(24);
    let room = WIDTH - GUTTER - GAP - actors;
    let name = |actor: usize| trace.actors.get(actor).map_or("?", String::as_str);
    let mut out = String::new();
    let mut row = |number: &str, actor: &str, style: Style, text: &str| {
        for (line, text) in wrap(text, room).iter().enumerate() {
            let (number, actor) = if line == 0 { (number, actor) } else { ("", "") };
            out.push_str(&format!(
                "{FAINT}{number:>4}{FAINT:#}  {}  {}\n",
                cell(HEAD, actor, actors),
                paint(style, text)
            ));
        }
    };
    for (number, step) in trace.steps.iter().enumerate() {
        row(&(number + 1).to_string(), name(step.actor), PLAIN, &step.label);
        if let Some(ending) = ending(step) {
            row("", "", HEAD, &ending);
        }
    }
    for (actor, waits) in &trace.unfinished {
        row("", name(*actor), FAINT, unfinished(*waits));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(actors: usize) -> Trace {
        let step = |actor, output: Option<&str>| TraceStep {
            actor,
            label: "rename(key/content → key/content.download) = ok".into(),
            output: output.map(str::to_owned),
            blocked: false,
        };
        Trace {
            actors: (1..=actors).map(|number| format!("client {number}")).collect(),
            steps: (0..actors).map(|actor| step(actor, Some("Gone"))).collect(),
            unfinished: vec![(0, true)],
        }
    }

    #[test]
    fn every_number_of_actors_fits() {
        for actors in 1..30 {
            let told = anstream::adapter::strip_str(&diagram(&trace(actors))).to_string();
            for line in told.lines() {
                assert!(columns(line) <= WIDTH, "{actors} actors: {line}");
            }
            assert!(told.contains(&format!("client {actors}")));
            assert!(told.contains("⋯ waits"));
            assert_eq!(told.matches("→ Gone").count(), actors);
        }
    }

    #[test]
    fn an_actor_keeps_to_its_column() {
        let told = anstream::adapter::strip_str(&diagram(&trace(2))).to_string();
        let at = |text: &str, line: usize| {
            told.lines().nth(line).and_then(|line| line.find(text)).unwrap_or(0)
        };
        assert_eq!(at("client 2", 0), GUTTER + 46 + GAP);
        assert_eq!(at("rename", 1), GUTTER);
    }
}
