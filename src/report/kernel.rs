//! Fourth floor, `report`: counterexamples and what came of them on the kernel. Imports
//! [`case`](crate::case) and [`survey`](crate::survey).

use std::fmt::Write;

use super::style::{BAD, FAINT, GOOD, HEAD, PLAIN, cell, columns, paint, wrap};
use super::{WIDTH, grouped};
use crate::case::{CaseError, Comparison};
use crate::replay::ReplayError;
use crate::survey::{Example, Replay, Stressed};

/// Each counterexample in a line: how short it is, how many interleavings show the same, what the
/// kernel made of it, and how often chance finds it.
pub fn counterexamples(examples: &[Example], replays: &[Replay], stressed: &[Stressed]) -> String {
    let width = |of: fn(&Example) -> &str| {
        examples.iter().map(|example| columns(of(example))).max().unwrap_or(0)
    };
    let scenario = width(|example| example.subject.scenario.name);
    let property = width(|example| &example.property);
    let lead = 4 + scenario + 2 + property;
    let mut out = format!(
        "{}{FAINT}{:>7}  {:>5}  {:>20}  {:<13}  by chance{FAINT:#}\n",
        cell(HEAD, "counterexamples", lead + 2),
        "clients",
        "steps",
        "interleavings",
        "on the kernel",
    );
    let mut variant = String::new();
    for (example, replay) in examples.iter().zip(replays) {
        let name = format!("{}/{}", example.subject.model.name(), example.subject.variant.name);
        if name != variant {
            let _ = writeln!(out, "  {name}");
            variant = name;
        }
        let steps = example.schedule.as_ref().map(|schedule| schedule.turns.len().to_string());
        let violating = example.violating.as_ref().map(|number| grouped(&number.to_string()));
        let all = grouped(&example.interleavings.to_string());
        let share = match violating {
            Some(violating) => format!("{violating} of {all}"),
            None if example.schedule.is_none() => format!("none of {all}"),
            None => String::new(),
        };
        let (kernel, style) = match replay {
            None => ("–", FAINT),
            Some(Err(_)) => ("failed", BAD),
            Some(Ok(comparison)) if comparison.agrees() => ("as simulated", GOOD),
            Some(Ok(_)) => ("NOT the same", BAD),
        };
        let chance = stressed.iter().find_map(|stressed| stressed.chance(example));
        let chance =
            chance.map_or("–".into(), |(broken, rounds)| format!("{broken} of {rounds}"));
        let _ = writeln!(
            out,
            "    {}  {}  {:>7}  {:>5}  {share:>20}  {}  {chance}",
            cell(PLAIN, example.subject.scenario.name, scenario),
            cell(PLAIN, &example.property, property),
            example.clients,
            steps.as_deref().unwrap_or("–"),
            cell(style, kernel, 13),
        );
    }
    out
}

/// What did not go as it should on the kernel, one line each; empty where all did. Without a
/// directory to do it in nothing can be done, which is told once.
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
            Some(Err(error)) if no_place(&error) => {}
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

/// Where the kernel and the simulation first part.
pub fn difference(comparison: &Comparison) -> String {
    let (simulated, real) = (&comparison.simulated, &comparison.real);
    let steps = simulated.trace.steps.iter().zip(&real.trace.steps);
    let first = steps.enumerate().find(|(_, (simulated, real))| simulated != real);
    if let Some((position, (simulated, real))) = first {
        let told = |step: &crate::check::TraceStep| match &step.output {
            Some(output) => format!("`{}` and ends with {output}", step.label),
            None => format!("`{}`", step.label),
        };
        return format!(
            "step {}: the kernel says {}, the simulation {}",
            position + 1,
            told(real),
            told(simulated)
        );
    }
    if simulated.tree != real.tree {
        return format!(
            "what is left differs: on the kernel {:?}, in the simulation {:?}",
            real.tree.to_string(),
            simulated.tree.to_string()
        );
    }
    "the kernel and the simulation end differently".into()
}

/// Whether the kernel did as the simulation, and what it left.
pub fn outcome(comparison: &Comparison) -> String {
    let mut out = format!("{}\n", paint(FAINT, "left on disk"));
    for line in comparison.real.tree.to_string().lines() {
        for line in wrap(line, WIDTH - 6) {
            let _ = writeln!(out, "      {line}");
        }
    }
    if comparison.agrees() {
        let said = "the kernel agrees: every answer and everything left is as simulated";
        let _ = writeln!(out, "{}", paint(GOOD, said));
    } else {
        let said = format!("the kernel disagrees: {}", difference(comparison));
        for line in wrap(&said, WIDTH) {
            let _ = writeln!(out, "{}", paint(BAD, &line));
        }
    }
    out
}
