//! Fourth floor, `report`: what the signs in a table of verdicts mean. Imports
//! [`check`](crate::check), [`models`](crate::models) and [`survey`](crate::survey).

use std::collections::BTreeSet;
use std::fmt::Write;

use anstyle::Style;

use super::layout::INDENT;
use super::style::{BAD, FAINT, GOOD, UNSURE, paint, wrap};
use super::{WIDTH, count, grouped, sized};
use crate::check::{Bound, Engine, PropertyKind, Report};
use crate::models::{Model, Size};
use crate::survey::{Checked, Survey};

/// Systems that no engine was given: which sizes a `✓` does not speak of.
fn not_checked(systems: &[&Checked]) -> Vec<String> {
    let mut left: Vec<(String, Vec<&str>)> = Vec::new();
    for system in systems.iter().filter(|system| system.is_left_out()) {
        let size = sized(&system.subject, system.size);
        let what = format!("{} with {size}", system.subject.variant.name);
        let scenario = system.subject.scenario.name;
        match left.iter_mut().find(|(known, _)| *known == what) {
            Some((_, scenarios)) => scenarios.push(scenario),
            None => left.push((what, vec![scenario])),
        }
    }
    left.iter().map(|(what, scenarios)| format!("{what} ({})", scenarios.join(", "))).collect()
}

/// The sizes that were checked, and in which scenarios: those of the first scenario come first.
fn by_scenario<'s>(systems: &[&'s Checked]) -> Vec<(Vec<usize>, Vec<&'s str>)> {
    let mut names: Vec<&str> = Vec::new();
    for system in systems {
        let name = system.subject.scenario.name;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut found: Vec<(Vec<usize>, Vec<&str>)> = Vec::new();
    for name in names {
        let its = systems.iter().filter(|system| system.subject.scenario.name == name);
        let sizes: BTreeSet<usize> = its.map(|system| system.size).collect();
        let sizes: Vec<usize> = sizes.into_iter().collect();
        match found.iter_mut().find(|(known, _)| *known == sizes) {
            Some((_, scenarios)) => scenarios.push(name),
            None => found.push((sizes, vec![name])),
        }
    }
    found
}

/// `1, 2, 3 clients`.
fn all_of(size: &Size, sizes: &[usize]) -> String {
    let noun = if sizes == [1] { size.noun.to_owned() } else { size.plural() };
    let numbers: Vec<String> = sizes.iter().map(usize::to_string).collect();
    format!("{} {noun}", numbers.join(", "))
}

/// `✓ holds with 1, 2, 3 clients` and `✗ 2 broken from 2 clients on`, for these sizes of a model.
fn signs(size: &Size, sizes: &[usize]) -> [(Style, String, String); 2] {
    let whose = if size.whose.is_empty() { String::new() } else { format!(" {}", size.whose) };
    let all = all_of(size, sizes);
    let holds = format!("holds with {all}{whose}");
    // With one number alone, nothing is known of fewer.
    let (broken, since) = match sizes {
        [one] => (format!("✗ {one}"), format!("broken with {all}")),
        _ => ("✗ 2".into(), format!("broken from 2 {} on", size.plural())),
    };
    [(GOOD, "✓".into(), holds), (BAD, broken, since)]
}

/// Whether `any` was not done with what it is made for.
fn gave_up(report: &Report) -> bool {
    report.engine == Engine::Any && report.bound.as_ref().is_some_and(|bound| !bound.is_by_nature())
}

/// What the signs in a model's tables mean, as far as any is there.
pub(super) fn legend(survey: &Survey, model: &dyn Model, has_unclaimed: bool) -> String {
    let of_model = |system: &&Checked| system.subject.model.name() == model.name();
    let systems: Vec<&Checked> = survey.systems.iter().filter(of_model).collect();
    let mut by_scenario = by_scenario(&systems).into_iter();
    let sizes = by_scenario.next().map_or_else(Vec::new, |(sizes, _)| sizes);
    let down = model.has_scenarios_down();
    let undecided_from = systems.iter().filter(|system| !system.undecided().is_empty());
    let undecided_from = undecided_from.map(|system| system.size).min();
    let mut known = sizes.clone();
    known.retain(|size| undecided_from.is_none_or(|from| *size < from));
    let mut signs = signs(&model.size(), if known.is_empty() { &sizes } else { &known }).to_vec();
    let reports = || systems.iter().flat_map(|system| &system.reports);
    let bounds: Vec<&Bound> = reports().filter_map(|report| report.bound.as_ref()).collect();
    let is_left_out = systems.iter().any(|system| system.is_left_out());
    if undecided_from.is_some() || is_left_out || reports().any(gave_up) {
        let least = sizes.first();
        signs.push(match undecided_from.filter(|from| least.is_some_and(|least| least < from)) {
            Some(size) => {
                let told = format!("undecided from {size} {} on", model.size().plural());
                (UNSURE, format!("? {size}"), told)
            }
            None => (UNSURE, "?".into(), "undecided".into()),
        });
    }
    if systems.iter().any(|system| !system.mismatches.is_empty()) {
        signs.push((BAD, "!".into(), "not as recorded".into()));
    }
    if has_unclaimed {
        let gap = if down { "no such system" } else { "not claimed" };
        signs.push((FAINT, "–".into(), gap.into()));
    }
    let mut out = String::new();
    for (style, sign, meaning) in signs {
        let _ = write!(
            out,
            "{}{} {meaning}",
            if out.is_empty() { "  " } else { "   " },
            paint(style, &sign)
        );
    }
    out.push('\n');
    let mut note = |text: &str| {
        for line in wrap(text, WIDTH - INDENT) {
            let _ = writeln!(out, "  {}", line.trim());
        }
    };
    for (others, scenarios) in by_scenario {
        let others = all_of(&model.size(), &others);
        note(&format!("{}: checked with {others}", scenarios.join(", ")));
    }
    let not_checked = not_checked(&systems);
    if !not_checked.is_empty() {
        note(&format!("not checked, as too large for a quick answer: {}", not_checked.join("; ")));
    }
    // Where scenarios stand down, these have no columns.
    if !down && reports().any(|report| report.engine == Engine::Any) {
        note("any number: the column before, for however many clients");
    }
    if !down && bounds.iter().any(|bound| matches!(bound, Bound::NoClients)) {
        note(&match model.size().is_clients() {
            true => {
                let how = model.clients_differ();
                format!("– not applicable: its clients are not identical: {how}")
            }
            false => {
                "– not applicable: there are no clients of whom there could be any number".into()
            }
        });
    }
    if !down && bounds.iter().any(|bound| matches!(bound, Bound::NotOverCounts)) {
        note(
            "– not applicable: no property is over counts, and no others are decided for any number",
        );
    }
    let mut findings = reports().flat_map(|report| &report.findings);
    if !down && findings.any(|finding| finding.kind == PropertyKind::Reachable) {
        note("all reached: what must be possible is, so no proof is empty");
    }
    let largest = systems.iter().map(|system| system.size).max();
    if let Some(told) = beginnings(model, &systems, largest) {
        note(&told);
    }
    out
}

/// How many ways to begin the systems of the largest size were given.
fn beginnings(model: &dyn Model, systems: &[&Checked], size: Option<usize>) -> Option<String> {
    let largest = systems.iter().filter(|system| Some(system.size) == size);
    let (mut explored, mut conceivable) = (0, 0);
    for system in largest {
        explored += system.starts.len() as u64;
        conceivable += model.conceivable_starts(system.subject.scenario.name, system.size)?;
    }
    if explored == 0 {
        return None;
    }
    let others = grouped(&conceivable.saturating_sub(explored).to_string());
    let explored = grouped(&explored.to_string());
    let size = count(size?, model.size().noun);
    Some(format!(
        "with {size}: {explored} ways to begin (a script in a first world); {others} more come to the \
         same as one of these"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(size: &Size, sizes: &[usize]) -> String {
        signs(size, sizes).map(|(_, sign, meaning)| format!("{sign} {meaning}")).join("; ")
    }

    #[test]
    fn the_legend_speaks_of_what_the_model_is_sized_by() {
        let clients = Size::CLIENTS;
        assert_eq!(
            told(&clients, &[1, 2, 3]),
            "✓ holds with 1, 2, 3 clients; ✗ 2 broken from 2 clients on"
        );
        assert_eq!(told(&clients, &[1]), "✓ holds with 1 client; ✗ 1 broken with 1 client");
        let actions = Size { noun: "action", whose: "of the attacker", ..clients };
        assert_eq!(
            told(&actions, &[0, 1, 2]),
            "✓ holds with 0, 1, 2 actions of the attacker; ✗ 2 broken from 2 actions on"
        );
    }
}
