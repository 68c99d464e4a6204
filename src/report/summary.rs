//! Fourth floor, `report`: what each engine did, and whether all results are as they should be.
//! Imports [`check`](crate::check) and [`survey`](crate::survey).

use std::fmt::Write;
use std::time::Duration;

use num_bigint::BigUint;

use super::replay::{limits, places};
use super::style::{BAD, FAINT, GOOD, HEAD, PLAIN, UNSURE, cell, columns, paint, wrap};
use super::{WIDTH, count, grouped, sized};
use crate::case::CaseError;
use crate::check::{Bound, Engine, Interleavings, Report, Verdict};
use crate::survey::{Checked, Mismatch, Replay, Survey};

/// What one engine did altogether.
struct Total {
    engine: Engine,
    systems: usize,
    executions: u64,
    states: u64,
    interleavings: BigUint,
    elapsed: Duration,
    left_out: usize,
}

fn totals(survey: &Survey) -> Vec<Total> {
    let total = |engine: Engine| {
        let mut total = Total {
            engine,
            systems: 0,
            executions: 0,
            states: 0,
            interleavings: BigUint::ZERO,
            elapsed: Duration::ZERO,
            left_out: 0,
        };
        for system in &survey.systems {
            total.left_out += usize::from(system.left_out.contains(&engine));
            let not_its_kind = |report: &Report| {
                let bounds = [Bound::NoClients, Bound::NotOverCounts, Bound::NoMachine];
                report.bound.as_ref().is_some_and(|bound| bounds.contains(bound))
            };
            let mut reports = system
                .reports
                .iter()
                .filter(|report| report.engine == engine && !not_its_kind(report));
            let Some(first) = reports.next() else { continue };
            total.systems += 1;
            total.elapsed += first.elapsed + reports.map(|report| report.elapsed).sum();
            total.executions += first.executions.unwrap_or(0);
            total.states += first.states.unwrap_or(0);
            if let Interleavings::Exactly(number) = &first.interleavings {
                total.interleavings += number;
            }
        }
        total
    };
    let all = Engine::ALL.into_iter().map(total);
    all.filter(|total| total.systems + total.left_out > 0).collect()
}

/// An engine's line, column by column.
fn cells(total: &Total) -> [String; 6] {
    let states = if total.engine == Engine::Any { "configuration" } else { "state" };
    let counted = |number: u64, noun: &str| match number {
        0 => String::new(),
        number => count(number, noun),
    };
    let interleavings = match total.interleavings == BigUint::ZERO {
        true => String::new(),
        false => count(&total.interleavings, "interleaving"),
    };
    [
        total.engine.name().to_owned(),
        count(total.systems, "system"),
        counted(total.executions, "execution"),
        counted(total.states, states),
        interleavings,
        format!("{:.2} s", total.elapsed.as_secs_f64()),
    ]
}

/// One line for each engine, and the systems that were too large for it.
pub fn engines(survey: &Survey) -> String {
    let totals = totals(survey);
    if totals.is_empty() {
        return String::new();
    }
    let mut out = format!("{}\n", paint(HEAD, "engines"));
    let mut lines: Vec<[String; 6]> = totals.iter().map(cells).collect();
    let needed = |lines: &[[String; 6]]| -> [usize; 6] {
        let of_column = |column: usize| lines.iter().map(move |line| columns(&line[column]));
        std::array::from_fn(|column| of_column(column).max().unwrap_or(0))
    };
    let mut widths = needed(&lines);
    if 2 + widths.iter().sum::<usize>() + widths.len() - 1 > WIDTH {
        for line in &mut lines {
            line[4] = line[4].replace("interleaving", "schedule");
        }
        widths = needed(&lines);
    }
    // Wide apart where there is room.
    let room = WIDTH.saturating_sub(2 + widths.iter().sum::<usize>());
    let gap = (room / (widths.len() - 1)).clamp(1, 3);
    for [name, counts @ ..] in &lines {
        let _ = write!(out, "  {}", cell(PLAIN, name, widths[0]));
        for (text, width) in counts.iter().zip(&widths[1..]) {
            let _ = write!(out, "{:gap$}{text:>width$}", "");
        }
        out.push('\n');
    }
    let left_out: Vec<String> = totals
        .iter()
        .filter(|total| total.left_out > 0)
        .map(|total| format!("{} by {}", total.left_out, total.engine))
        .collect();
    if !left_out.is_empty() {
        let note = format!(
            "systems too large for a quick answer are left out: {}; `--engine all` forces them",
            left_out.join(", ")
        );
        for line in wrap(&note, WIDTH - 2) {
            let _ = writeln!(out, "  {}", paint(FAINT, line.trim()));
        }
    }
    out
}

/// Whether the engines agree and the verdicts are the recorded ones. If not, every difference.
pub fn audit(survey: &Survey) -> String {
    let checked = survey.systems.iter().filter(|system| !system.reports.is_empty()).count();
    let systems = count(checked, "system");
    let seconds = format!("{:.1} s", survey.elapsed.as_secs_f64());
    if checked == 0 {
        return format!("{}\n", paint(BAD, "nothing was checked"));
    }
    let mut out = String::new();
    let several = survey
        .systems
        .iter()
        .any(|system| system.reports.windows(2).any(|pair| pair[0].engine != pair[1].engine));
    if survey.is_as_recorded() && !is_checked(survey) {
        let said = format!("{systems} in {seconds}: not checked, as too large for a quick answer");
        return format!("{}\n", paint(UNSURE, &said));
    }
    if survey.is_as_recorded() && !decides(survey) {
        let said = format!("{systems} in {seconds}: nothing was decided");
        return format!("{}\n{}", paint(UNSURE, &said), undecidable(survey));
    }
    if survey.is_as_recorded() {
        let agree = if several { "all engines agree; " } else { "" };
        let _ = writeln!(
            out,
            "{}",
            paint(GOOD, &format!("{systems} in {seconds}: {agree}every verdict is as recorded"))
        );
        out.push_str(&undecidable(survey));
        return out;
    }
    for system in &survey.systems {
        let said = system.disagreements.iter().map(ToString::to_string);
        let wrong = system.mismatches.iter().filter(|mismatch| !mismatch.is_undecided());
        let said = said.chain(wrong.map(ToString::to_string)).chain(undecided(system));
        for said in said {
            let line = format!("{}: {said}", name(system));
            for line in wrap(&line, WIDTH - 2) {
                let _ = writeln!(out, "  {}", paint(BAD, &line));
            }
        }
    }
    let count = |number: usize, noun: &str| grouped(&number.to_string()) + noun;
    let disagreements = survey.systems.iter().map(|system| system.disagreements.len()).sum();
    let mismatches = || survey.systems.iter().flat_map(|system| &system.mismatches);
    let undecided = mismatches().filter(|mismatch| mismatch.is_undecided()).count();
    let parts = [
        (disagreements, " times engines disagree"),
        (mismatches().count() - undecided, " verdicts not as recorded"),
        (undecided, " verdicts undecided"),
    ];
    let parts = parts.into_iter().filter(|(number, _)| *number > 0);
    let parts: Vec<_> = parts.map(|(number, what)| count(number, what)).collect();
    let _ =
        writeln!(out, "{}", paint(BAD, &format!("{systems} in {seconds}: {}", parts.join(", "))));
    out
}

/// Whether at least one system was small enough for an engine.
pub fn is_checked(survey: &Survey) -> bool {
    !survey.systems.iter().all(Checked::is_left_out)
}

/// Whether any property was decided.
pub fn decides(survey: &Survey) -> bool {
    !survey.systems.iter().all(|system| is_unknown(system) || system.is_left_out())
}

/// Whether nothing is known of a system that was looked at.
fn is_unknown(system: &Checked) -> bool {
    let mut findings = system.reports.iter().flat_map(|report| &report.findings);
    findings.all(|finding| matches!(finding.verdict, Verdict::Unfinished(_)))
}

/// For how many systems some property could not be decided by any engine, and why.
fn undecidable(survey: &Survey) -> String {
    let mut reasons: Vec<(&Bound, usize)> = Vec::new();
    for system in &survey.systems {
        let mut told: Vec<&Bound> = Vec::new();
        for (_, bound) in system.undecided() {
            if told.contains(&bound) {
                continue;
            }
            told.push(bound);
            match reasons.iter_mut().find(|(known, _)| *known == bound) {
                Some((_, systems)) => *systems += 1,
                None => reasons.push((bound, 1)),
            }
        }
    }
    let mut out = String::new();
    for (bound, systems) in reasons {
        let line = format!("{} not decided: {bound}", count(systems, "system"));
        for line in wrap(&line, WIDTH) {
            let _ = writeln!(out, "{}", paint(UNSURE, &line));
        }
    }
    out
}

/// What nobody could decide of a system, each reason once.
fn undecided(system: &Checked) -> Vec<String> {
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for mismatch in &system.mismatches {
        let Mismatch::Undecided { property, engine, bound } = mismatch else { continue };
        let reason = format!("undecided by {engine} ({bound})");
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, properties)) => properties.push(property),
            None => reasons.push((reason, vec![property])),
        }
    }
    let tell =
        |(reason, properties): (String, Vec<&str>)| format!("{reason}: {}", properties.join(", "));
    reasons.into_iter().map(tell).collect()
}

fn name(system: &Checked) -> String {
    format!("{:?} with {}", system.subject, sized(&system.subject, system.size))
}

/// Whether the real world did as the simulation said, and if not, where. It also says how many
/// counterexamples could not be replayed here, or only in part, and why.
pub fn real(replays: &[Replay], troubles: &[String]) -> String {
    let not_here =
        |replay: &&Result<_, CaseError>| replay.as_ref().err().is_some_and(CaseError::is_not_here);
    let all = replays.iter().flatten().count();
    let replayed = count(all - replays.iter().flatten().filter(not_here).count(), "counterexample");
    let mut out = String::new();
    for (limit, number) in limits(replays) {
        let number = count(number, "counterexample");
        let said = match limit.strip_prefix("not possible here: ") {
            Some(why) => format!("{number} not replayed: {why}"),
            None => format!("{number} replayed in part: {limit}"),
        };
        for line in wrap(&said, WIDTH) {
            let _ = writeln!(out, "{}", paint(UNSURE, &line));
        }
    }
    if troubles.is_empty() {
        let places: Vec<String> =
            places(replays.iter()).iter().map(|place| format!("on {place}")).collect();
        let on = if places.is_empty() { String::new() } else { format!(" {}", listed(&places)) };
        let said = format!("{replayed} replayed{on}: every answer is as simulated");
        for line in wrap(&said, WIDTH) {
            let _ = writeln!(out, "{}", paint(GOOD, &line));
        }
        return out;
    }
    for trouble in troubles {
        for line in wrap(trouble, WIDTH - 2) {
            let _ = writeln!(out, "  {}", paint(BAD, &line));
        }
    }
    let said = format!("{replayed} to replay: not all went as simulated");
    let _ = writeln!(out, "{}", paint(BAD, &said));
    out
}

/// `one, another and a third`.
fn listed(parts: &[String]) -> String {
    match parts.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => parts.concat(),
    }
}
