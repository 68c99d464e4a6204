//! Fourth floor, `report`: an execution in columns, with one column for each actor and one row for
//! each step. Imports [`check`](crate::check), [`db`](crate::db) and [`survey`](crate::survey).

use std::fmt::Write;

use super::style::{BAD, FAINT, GOOD, HEAD, PLAIN, UNSURE, columns, paint, wrap};
use super::{WIDTH, count, grouped, share, sized};
use crate::case::Shown;
use crate::check::{Bound, Counted, DEADLOCK_FREE, Part, PropertyKind, Trace};
use crate::db::SqlState;
use crate::replay::{Place, Remains};
use crate::survey::{Example, Proof};

/// The execution step by step: what each actor did and saw, and its result.
pub fn diagram(trace: &Trace) -> String {
    glossed(trace).told_with_shares(&|part, text| {
        let style = match part {
            Part::Name | Part::Output => HEAD,
            Part::Start | Part::Number | Part::Unfinished | Part::End | Part::Share => FAINT,
            Part::Call => PLAIN,
        };
        paint(style, text)
    })
}

/// The same, with what an SQLSTATE means beside it where that takes no further line:
/// `COMMIT -- 40001 a concurrent transaction came first`.
fn glossed(trace: &Trace) -> Trace {
    let mut glossed = trace.clone();
    let height = |trace: &Trace| {
        let told = trace.told_with_shares(&|_, text| text.to_owned());
        told.lines().count()
    };
    let room = height(trace);
    for (index, step) in trace.steps.iter().enumerate().filter(|(_, step)| step.circle.is_none()) {
        let Some(meaning) = failure(&step.label).map(|state| state.meaning()) else { continue };
        glossed.steps[index].label = format!("{} {meaning}", step.label);
        if height(&glossed) > room {
            glossed.steps[index].label.clone_from(&step.label);
        }
    }
    glossed
}

/// The code that a statement failed with, of those that show something of a race.
fn failure(label: &str) -> Option<SqlState> {
    let (_, answer) = label.rsplit_once(" -- ")?;
    let known = [
        SqlState::SERIALIZATION_FAILURE,
        SqlState::DEADLOCK_DETECTED,
        SqlState::UNIQUE_VIOLATION,
        SqlState::INVALID_COLUMN_REFERENCE,
        SqlState::IN_FAILED_TRANSACTION,
    ];
    known.into_iter().find(|state| state.code() == answer)
}

/// What the execution shows, after the steps of `trace`: `at-most-once violated after 8 steps; 40
/// of 46 interleavings …`. For a deadlock it also says which actor waits for which, if that is
/// known.
pub fn closing(example: &Example, trace: Option<&Trace>) -> String {
    let after = count(trace.map_or(0, |trace| trace.steps.len()), "step");
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
                count(&example.interleavings, example.counted)
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
    let standstill = match example.property == DEADLOCK_FREE {
        true => trace.and_then(Trace::standstill),
        false => None,
    };
    let whom = standstill.iter().flat_map(|standstill| wrap(standstill, WIDTH - 2));
    let whom: String = whom.map(|line| format!("\n  {}", line.trim())).collect();
    format!("{property} {violated}{told}{whom}")
}

/// How often free runs found what the checker always finds.
pub fn chance(example: &Example, broken: usize, rounds: usize) -> String {
    let told = format!(
        "  chance: {broken} of {}; the checker: {}, always",
        count(rounds, "free run"),
        share(example)
    );
    if columns(&told) <= WIDTH { told } else { told.replacen("; ", ";\n  ", 1) }
}

/// The text for a property that the end of a free run cannot show.
pub fn no_chance() -> String {
    "  chance: not judged: it is about moments before the end, and a free run is judged by its end"
        .to_owned()
}

/// For a violated property that allows only so many: the actors that count. Then the end state of
/// the execution. Empty if there is nothing to show.
pub fn coming_to(shown: &Shown, place: Place, properties: &[&str]) -> String {
    let mut out = String::new();
    let asked = |counted: &&Counted| properties.contains(&&*counted.property);
    for counted in shown.counted.iter().filter(asked) {
        for line in wrap(&shown.trace.counted(counted), WIDTH - 2) {
            let _ = writeln!(out, "  {}", line.trim());
        }
    }
    if let Some(remains) = &shown.remains {
        let when = if shown.trace.unfinished.is_empty() { "in the end" } else { "by then" };
        let head = format!("what {} {} {when}", remains.word(), place.within());
        let _ = write!(out, "{}", remaining(&head, remains));
    }
    out
}

/// What is left, under a heading.
pub(super) fn remaining(head: &str, remains: &Remains) -> String {
    let mut out = format!("{}\n", paint(FAINT, head));
    for line in remains.to_string().lines() {
        let text = line.trim_start();
        let margin = 6 + line.len() - text.len();
        for line in wrap(text, WIDTH.saturating_sub(margin)) {
            let _ = writeln!(out, "{:margin$}{line}", "");
        }
    }
    out
}

/// The properties that hold, scenarios down and sizes across: in how many interleavings.
pub fn proofs(proofs: &[Proof]) -> String {
    let mut claims: Vec<&str> = Vec::new();
    let mut scenarios: Vec<&str> = Vec::new();
    let mut sizes: Vec<usize> = Vec::new();
    for proof in proofs {
        push_new(&mut scenarios, proof.subject.scenario.name);
        push_new(&mut sizes, proof.size);
        for claim in &proof.holding {
            push_new(&mut claims, claim);
        }
    }
    let Some(Proof { subject, counted, .. }) = proofs.first() else { return String::new() };
    let name = format!("{}/{}", subject.model.name(), subject.variant.name);
    let mut out = format!("{}\n", paint(HEAD, &name));
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
    for size in &sizes {
        let _ = write!(out, "  {:>16}", sized(subject, *size));
    }
    let _ = writeln!(out, "{FAINT:#}");
    for scenario in scenarios {
        let _ = write!(out, "  {scenario:name$}");
        for size in &sizes {
            let here =
                |proof: &&Proof| proof.size == *size && proof.subject.scenario.name == scenario;
            let counted = proofs.iter().find(here).map_or(String::new(), |proof| {
                let unknown = if proof.undecided.is_empty() { "" } else { "undecided " };
                format!("{unknown}{}", grouped(&proof.interleavings.to_string()))
            });
            let _ = write!(out, "  {counted:>16}");
        }
        out.push('\n');
    }
    let is_all = proofs.iter().all(|proof| proof.undecided.is_empty());
    let all =
        if is_all { "all of them accounted for" } else { "undecided where not all there are" };
    let _ = writeln!(out, "  {}", paint(FAINT, &format!("{counted}s, {all}")));
    for (bound, size, properties) in undecided(proofs) {
        let size = sized(subject, size);
        let told = format!("undecided with {size}: {}: {bound}", properties.join(", "));
        for line in wrap(&told, WIDTH - 2) {
            let _ = writeln!(out, "  {}", paint(UNSURE, &line));
        }
    }
    out
}

/// What is not known and why, the properties of all scenarios together.
fn undecided(proofs: &[Proof]) -> Vec<(&Bound, usize, Vec<&str>)> {
    let mut undecided: Vec<(&Bound, usize, Vec<&str>)> = Vec::new();
    for proof in proofs {
        for (property, bound) in &proof.undecided {
            let alike = undecided
                .iter_mut()
                .find(|(known, size, _)| (*known, *size) == (bound, proof.size));
            match alike {
                Some((_, _, properties)) => push_new(properties, property),
                None => undecided.push((bound, proof.size, vec![property])),
            }
        }
    }
    undecided
}

fn push_new<T: PartialEq>(known: &mut Vec<T>, new: T) {
    if !known.contains(&new) {
        known.push(new);
    }
}
