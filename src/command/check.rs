//! Top floor, the command: `check`, and everything at once. Imports [`report`](crate::report) and
//! [`survey`](crate::survey).

use std::time::Duration;

use crate::check::Engine;
use crate::report::{attacks, count, json, overview, replay, sized, summary, table};
use crate::survey::{
    Blessed, Names, NoSuch, Plan, Share, Subject, Survey, Target, bless, by_chance, for_real,
};

use super::arguments::{Check, Rows, Systems};
use super::out::{Bar, Out};
use super::size::AskedSize;
use super::{AsItShould, Failure};

/// Free runs of each system that has a counterexample.
const ROUNDS: usize = 150;

/// Where so many take longer than this, there are fewer of them.
const PATIENCE: Duration = Duration::from_millis(60);

pub(super) fn check(names: Names, asked: &Check) -> Result<AsItShould, Failure> {
    let only = Only { level: asked.level.as_deref(), engine: asked.engine.as_deref() };
    let plan = Plan { share: asked.partition, ..plan(names, &asked.systems, only)? };
    let survey = run(&plan);
    let mut out = Out::new();
    // More machines than systems: that is no failure of this one.
    let is_empty = plan.share != Share::ALL && survey.systems.is_empty();
    if is_empty && asked.format == Rows::Table {
        out.line(&format!("share {} has no system: there are fewer", plan.share))?;
        return Ok(AsItShould::Be);
    }
    if let Some(folder) = &asked.bless {
        return record(&mut out, &bless(&survey, folder)?);
    }
    match asked.format {
        Rows::Json => {
            out.say(&json::lines(&survey)?)?;
            if asked.partition != Share::ALL {
                out.say(&json::share(&survey, asked.partition)?)?;
            }
        }
        Rows::Table => {
            out.say(&table::tables(&survey))?;
            out.line("")?;
            let attacks = attacks::attacks(&survey, &|example| survey.start(example));
            if !asked.systems.targets.is_empty() && !attacks.is_empty() {
                out.say(&attacks)?;
                out.line("")?;
            }
            let engines = summary::engines(&survey);
            if !engines.is_empty() {
                out.say(&engines)?;
                out.line("")?;
            }
            out.say(&summary::audit(&survey))?;
        }
    }
    Ok(AsItShould::be_if(is_empty || survey.is_as_recorded() && summary::is_checked(&survey)))
}

/// What was recorded, a line for each change.
fn record(out: &mut Out, blessed: &[Blessed]) -> Result<AsItShould, Failure> {
    let mut all_is_known = true;
    for Blessed { path, changes, undecided } in blessed {
        let changed = match changes.len() {
            0 => "as it was".to_owned(),
            number => count(number, "change"),
        };
        out.line(&format!("{}: {changed}", path.display()))?;
        for change in changes {
            out.line(&format!("  {change}"))?;
        }
        for what in undecided {
            all_is_known = false;
            out.line(&format!("  not decided, not recorded: {what}"))?;
        }
    }
    Ok(AsItShould::be_if(all_is_known))
}

pub(super) fn everything(names: Names, verbose: bool) -> Result<AsItShould, Failure> {
    let mut out = Out::new();
    let plan = Plan {
        subjects: subjects(&all(names), None)?,
        size: None,
        engines: None,
        share: Share::ALL,
    };
    out.line("every system before the engines graph, any, loom and shuttle, which have to agree")?;
    out.line("")?;
    let survey = run(&plan);
    out.say(&if verbose { table::tables(&survey) } else { overview::overview(&survey) })?;
    out.line("")?;

    let examples = survey.counterexamples();
    let bar = Bar::new();
    bar.doing(format!("{} for real", count(examples.len(), "counterexample")));
    let replays = for_real(&examples);
    let stressed = match verbose {
        false => Vec::new(),
        true => by_chance(&examples, ROUNDS, Some(PATIENCE), &|example| {
            let size = sized(&example.subject, example.size);
            bar.doing(format!("{:?} with {size}, {ROUNDS} free runs", example.subject));
        }),
    };
    bar.clear();
    if verbose {
        out.say(&replay::counterexamples(&examples, &replays, &stressed))?;
        out.line("")?;
        out.say(&summary::engines(&survey))?;
        out.line("")?;
    }
    out.say(&summary::audit(&survey))?;
    let troubles = replay::troubles(&examples, &replays, &stressed);
    out.say(&summary::real(&replays, &troubles))?;
    out.line("")?;
    out.say(&hints(&survey, verbose))?;
    Ok(AsItShould::be_if(
        summary::decides(&survey) && survey.is_as_recorded() && troubles.is_empty(),
    ))
}

pub(super) fn run(plan: &Plan) -> Survey {
    let bar = Bar::new();
    let survey = plan.run(&|progress| bar.survey(progress));
    bar.clear();
    survey
}

/// What to type next, with the first counterexample there is.
fn hints(survey: &Survey, verbose: bool) -> String {
    let hint = |command: &str, about: &str| format!("  toctou {command:<34}  {about}\n");
    let mut hints = String::new();
    let examples = survey.counterexamples();
    if let Some(example) = examples.iter().find(|example| example.schedule.is_some()) {
        let model = example.subject.model.name();
        let target = format!("{model}/{}", example.subject.variant.name);
        hints += &hint(
            &format!("check {model}"),
            "each property of this case, and what each engine did",
        );
        hints += &hint(&format!("show {target}"), "the interleaving that breaks it, step by step");
        hints += &hint(&format!("replay {target}"), "the same for real, step by step");
    }
    if !verbose {
        hints += &hint("--verbose", "all tables, all counterexamples, what chance finds");
    }
    hints
}

/// What else is asked of systems.
#[derive(Clone, Copy, Default)]
pub(super) struct Only<'a> {
    level: Option<&'a str>,
    engine: Option<&'a str>,
}

pub(super) fn plan(names: Names, asked: &Systems, only: Only<'_>) -> Result<Plan, Failure> {
    let mut targets: Vec<Target> = match asked.targets.as_slice() {
        [] => all(names),
        named => named.iter().map(|name| names.target(name)).collect::<Result<_, _>>()?,
    };
    let size = match AskedSize::new(asked.clients, asked.actions, asked.threads) {
        None => None,
        Some(size) => {
            // Nobody named the others: those that can be of this size are meant.
            if asked.targets.is_empty() && targets.iter().any(|t| size.of(t.model).is_ok()) {
                targets.retain(|target| size.of(target.model).is_ok());
            }
            let sizes = targets.iter().map(|target| size.of(target.model));
            sizes.collect::<Result<Vec<usize>, _>>()?.first().copied()
        }
    };
    let engines = match only.engine {
        None => None,
        Some(name) => Some(match names.engine(name)? {
            Some(engine) => vec![engine],
            None => Engine::ALL.to_vec(),
        }),
    };
    if let Some(level) = only.level {
        if asked.targets.is_empty() {
            targets.retain(|target| !target.model.levels().is_empty());
        }
        targets = at_level(names, &targets, level)?;
    }
    let subjects = subjects(&targets, asked.scenario.as_deref())?;
    Ok(Plan { subjects, size, engines, share: Share::ALL })
}

fn all(names: Names) -> Vec<Target> {
    names.0.iter().map(|model| Target { model: *model, variant: None }).collect()
}

/// The targets as they are at this level; one of them at least has to be there.
fn at_level(names: Names, targets: &[Target], level: &str) -> Result<Vec<Target>, NoSuch> {
    some_of_each(targets, |target| names.at_level(target, level))
}

/// The targets' subjects, each once. A scenario has to be one of some target's.
fn subjects(targets: &[Target], scenario: Option<&str>) -> Result<Vec<Subject>, NoSuch> {
    let found = some_of_each(targets, |target| target.some_subjects(scenario))?;
    let mut subjects: Vec<Subject> = Vec::new();
    for subject in found {
        if !subjects.iter().any(|known| known.is(&subject)) {
            subjects.push(subject);
        }
    }
    Ok(subjects)
}

/// What there is of each target; where there is nothing of any, why not of the first.
fn some_of_each<T>(
    targets: &[Target],
    of: impl Fn(&Target) -> Result<Vec<T>, NoSuch>,
) -> Result<Vec<T>, NoSuch> {
    let (mut found, mut missing) = (Vec::new(), None);
    for target in targets {
        match of(target) {
            Ok(some) => found.extend(some),
            Err(error) => _ = missing.get_or_insert(error),
        }
    }
    match missing {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}
