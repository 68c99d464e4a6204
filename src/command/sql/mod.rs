//! Top floor, the command: `sql`. Imports [`check`](crate::check), [`db`](crate::db) and
//! [`report`](crate::report).

mod check;
mod grammar;
mod levels;
mod place;
mod psql;
mod race;
mod statements;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::check::{Checker, Examination, FaultKind, Limits, Verdict, quietly};
use crate::db::{Isolation, SqlError};
use crate::report::{json, mermaid::mermaid};

use super::arguments::{Shape, Sql};
use super::execution;
use super::out::{Bar, Out};
use super::{AsItShould, Failure};
use place::Place;
use race::Race;

pub(super) fn sql(asked: &Sql) -> Result<AsItShould, Failure> {
    let path = &asked.file;
    let text = fs::read_to_string(path).map_err(|error| Failure::Read(path.clone(), error))?;
    let race = Race::of(&text, asked.clients).map_err(|wrong| {
        let place = Place::of(&text, wrong.at);
        Failure::Usage(format!("{}:{place}: {}", path.display(), wrong.said))
    })?;
    if asked.replay && race.names_a_schema() {
        return Err(Failure::Usage(format!(
            "{}: a statement names the schema `public`. A replay uses a schema of its own: leave the name out",
            path.display()
        )));
    }
    let mut out = Out::new();
    if asked.levels {
        return levels::levels(&mut out, asked, &race);
    }
    let level = asked.isolation.map_or(Isolation::ReadCommitted, Isolation::from);
    let examination = examined(asked, &race, level)?;
    match asked.format {
        Shape::Json => out.say(&json::examination(&examination)?)?,
        Shape::Mermaid => pictures(&mut out, &examination)?,
        Shape::Text => tell(&mut out, &race, &examination)?,
    }
    let mut is_well = is_well(&examination);
    if asked.replay {
        is_well &= replayed(&mut out, asked, &race, level, &examination)?;
    }
    Ok(AsItShould::be_if(is_well))
}

/// Whether every property was shown to hold.
fn is_well(examination: &Examination) -> bool {
    unfinished(examination).is_none() && examination.is_proof()
}

/// What cannot be done here with the file as it is.
fn usage(error: &SqlError) -> Failure {
    Failure::Usage(error.words().to_owned())
}

/// What all engines say of a file at this level.
fn examined(asked: &Sql, race: &Race, level: Isolation) -> Result<Examination, Failure> {
    let (system, changed) = race.system(level).map_err(|error| usage(&error))?;
    let limits = Limits::default();
    let limits =
        Limits { time: asked.time_limit.map(Duration::from_secs).or(limits.time), ..limits };
    let bar = Bar::spinner("explores every interleaving");
    let checker = Checker::new(system).within(limits);
    // A query that fails in the middle ends it by a panic.
    let examined = catch_unwind(AssertUnwindSafe(|| quietly(|| checker.examine())));
    bar.clear();
    let mut examination = examined.map_err(|why| {
        let why = why.downcast_ref::<String>().cloned();
        let why = why.unwrap_or_else(|| "the check failed".to_owned());
        Failure::Usage(format!("{}: {why}", asked.file.display()))
    })?;
    examination.clients = race.sessions();
    examination.notes.extend(race.notes.iter().cloned());
    for vacuous in &mut examination.vacuous {
        *vacuous = vacuous.replace("actor", "session").replace(
            "`System::ends_well` says which outputs are good.",
            "With `reachable:`, the file says what is to be reached.",
        );
    }
    let graph = examination.reports.first();
    if graph.is_some_and(|graph| graph.exhaustive()) && !race.says_what_is_reached() {
        for (number, claim) in race.claims.iter().enumerate() {
            let finding = graph.and_then(|graph| graph.finding(&claim.name));
            let holds = finding.is_some_and(|it| matches!(it.verdict, Verdict::Holds(_)));
            if holds && claim.may_be_empty() && !changed.has(number) {
                examination.vacuous.push(format!(
                    "`{}` was never put to the test: no session ever changes its tables",
                    claim.name
                ));
            }
        }
    }
    Ok(examination)
}

/// Why it could not be checked, if a statement did what is not simulated.
fn unfinished(examination: &Examination) -> Option<String> {
    let is_fault = |property: &String| FaultKind::of(property).is_some();
    let shown = examination.shown.iter().find(|shown| shown.properties.iter().any(is_fault))?;
    Some(match &shown.trace {
        Ok(trace) => {
            let last = trace.steps.last().and_then(|step| step.output.clone());
            let said = last.unwrap_or_default();
            said.strip_prefix("panicked: ").unwrap_or(&said).to_owned()
        }
        Err(error) => error.to_string(),
    })
}

fn tell(out: &mut Out, race: &Race, examination: &Examination) -> Result<(), Failure> {
    if let Some(why) = unfinished(examination) {
        return out.wrapped(&format!("? unfinished: {why}"));
    }
    out.say(&examination.to_string())?;
    if race.claims.is_empty() {
        out.line("")?;
        out.wrapped(
            "the file claims nothing: a property such as `never: SELECT … FROM … WHERE …` says what must not be",
        )?;
    }
    Ok(())
}

fn pictures(out: &mut Out, examination: &Examination) -> Result<(), Failure> {
    for shown in &examination.shown {
        if let Ok(trace) = &shown.trace {
            out.say(&mermaid(trace, "the database", &shown.properties.join(", ")))?;
        }
    }
    Ok(())
}

/// Makes each counterexample happen on PostgreSQL; whether all of them did.
fn replayed(
    out: &mut Out,
    asked: &Sql,
    race: &Race,
    level: Isolation,
    examination: &Examination,
) -> Result<bool, Failure> {
    let case = race.case(level, asked.database.as_deref()).map_err(|error| usage(&error))?;
    let all_agree =
        execution::replayed(out, asked.format, &case, examination, "PostgreSQL", |_| {})?;
    if examination.shown.is_empty() && asked.format == Shape::Text {
        out.line("")?;
        out.line("nothing was replayed: no property is violated")?;
    }
    Ok(all_agree)
}
