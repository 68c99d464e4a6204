//! Top floor, the command: single executions, shown and replayed. Imports
//! [`report`] and [`survey`](crate::survey).

use crate::case::{Case, CaseError, Comparison, Shown};
use crate::check::{DEADLOCK_FREE, Examination, FaultKind, Schedule, Trace};
use crate::replay::{Place, Threads};
use crate::report::{self, count, diagram, mermaid, sized, svg};
use crate::survey::{Example, Names, Proof, Subject, by_chance, examples, proofs, witnesses};
use anstyle::Style;

use super::arguments::{Picture, Replay, Shape, Show, What};
use super::out::{Bar, Out, note};
use super::size::AskedSize;
use super::{AsItShould, Failure};

pub(super) const HEAD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// Makes each counterexample of an examination happen at a real place; whether all of them did. `relabel` tells
/// the real steps as the simulated ones are told.
pub(super) fn replayed(
    out: &mut Out,
    format: Shape,
    case: &impl Case,
    examination: &Examination,
    place: &str,
    relabel: impl Fn(&mut Trace),
) -> Result<bool, Failure> {
    let mut all_agree = true;
    for shown in &examination.shown {
        if shown.properties.iter().any(|property| FaultKind::of(property).is_some()) {
            continue;
        }
        let comparison =
            case.replay(&shown.schedule, Threads::OneEach).map_err(|error| match error {
                CaseError::Play(error) => Failure::Usage(error.to_string()),
                error => error.into(),
            })?;
        all_agree &= comparison.agrees();
        if format != Shape::Text {
            continue;
        }
        out.line("")?;
        out.line(&format!("{HEAD}on {place}{HEAD:#}: {}", shown.properties.join(", ")))?;
        out.line("")?;
        let mut trace = comparison.real.trace.clone();
        relabel(&mut trace);
        out.say(&diagram::diagram(&trace))?;
        out.line("")?;
        out.say(&report::replay::outcome(&comparison))?;
    }
    Ok(all_agree)
}

/// What is asked for, looked up.
struct Asked {
    subjects: Vec<Subject>,
    property: Option<String>,
    size: Option<usize>,
}

impl Asked {
    fn new(names: Names, what: &What) -> Result<Asked, Failure> {
        let mut target = names.target(&what.target)?;
        if target.variant.is_none() {
            let first = target.model.variants().first().map_or("…", |variant| variant.name);
            let model = target.model.name();
            return Err(Failure::Usage(format!(
                "which variant of {model}? For example `{model}/{first}`; `toctou list` lists them"
            )));
        }
        if let Some(level) = &what.level
            && let Some(there) = names.at_level(&target, level)?.into_iter().next()
        {
            let mut listed = target.model.variants().iter().map(|variant| variant.name);
            if listed.any(|name| there.variant.is_some_and(|there| there.name == name)) {
                note(&format!("{} at {level} is {}", target.name(), there.name()));
            }
            target = there;
        }
        let subjects = target.some_subjects(what.scenario.as_deref())?;
        let size = AskedSize::new(what.clients, what.actions, what.threads);
        let size = size.map(|size| size.of(target.model)).transpose()?;
        if let Some(property) = &what.property {
            names.property(&subjects, property)?;
            assert_claimed(&subjects, property, size)?;
        }
        Ok(Asked { subjects, property: what.property.clone(), size })
    }

    /// Counterexamples; where there are none, proofs and witnesses.
    fn found(&self) -> (Vec<Example>, Vec<Proof>) {
        let bar = Bar::spinner("searching every interleaving");
        let property = self.property.as_deref();
        let broken = examples(&self.subjects, property, self.size);
        let found = if broken.is_empty() {
            let proofs = proofs(&self.subjects, property, self.size);
            (witnesses(&self.subjects, property, self.size), proofs)
        } else {
            (broken, Vec::new())
        };
        bar.clear();
        found
    }
}

/// Some things are claimed only where there are enough of whom they speak.
fn assert_claimed(
    subjects: &[Subject],
    property: &str,
    size: Option<usize>,
) -> Result<(), Failure> {
    let Some((size, first)) = size.zip(subjects.first()) else { return Ok(()) };
    let cases = subjects.iter().filter_map(|subject| subject.case(size));
    let mut claimed = cases.flat_map(|case| case.properties()).map(|(name, _)| name);
    if property == DEADLOCK_FREE || claimed.any(|name| name == property) {
        return Ok(());
    }
    let size = sized(first, size);
    Err(Failure::Usage(format!("nothing is claimed of `{property}` with {size}")))
}

pub(super) fn show(names: Names, asked: &Show) -> Result<AsItShould, Failure> {
    let (examples, proofs) = Asked::new(names, &asked.what)?.found();
    let mut out = Out::new();
    if asked.format == Picture::Text {
        holds(&mut out, &proofs)?;
    }
    // A document of Mermaid or SVG is one picture.
    let most = if asked.format == Picture::Text { usize::MAX } else { 1 };
    let more = executions(&examples).len().saturating_sub(most);
    if more > 0 {
        note(&format!("{more} more; --scenario and --property choose another"));
    }
    for (position, alike) in executions(&examples).iter().take(most).enumerate() {
        if position > 0 {
            out.line("")?;
        }
        let Some(example) = alike.first() else { continue };
        let (place, mut shown) = shown(example)?;
        if let Some(shown) = &mut shown {
            shown.trace.lost = alike.iter().filter_map(|example| example.lost.clone()).collect();
        }
        let trace = shown.as_ref().map(|shown| &shown.trace);
        let closings = alike.iter().map(|example| diagram::closing(example, trace));
        let closings: Vec<String> = closings.collect();
        match (asked.format, trace) {
            (Picture::Text, _) => {
                out.line(&heading(&example.subject, example.size))?;
                out.line("")?;
                if let Some(trace) = &trace {
                    out.say(&diagram::diagram(trace))?;
                    out.line("")?;
                }
                out.line(&closings.join("\n"))?;
                if let Some(shown) = &shown {
                    let names: Vec<&str> = alike.iter().map(|alike| &*alike.property).collect();
                    out.say(&diagram::coming_to(shown, place, &names))?;
                }
                if let Some(schedule) = &example.schedule {
                    out.line(&format!("{FAINT}schedule {schedule}{FAINT:#}"))?;
                }
            }
            (picture, Some(trace)) => {
                let closing = closings.join(", and ");
                let closing = anstream::adapter::strip_str(&closing).to_string();
                let drawn = match picture {
                    Picture::Svg => {
                        let title = heading(&example.subject, example.size);
                        let title = anstream::adapter::strip_str(&title).to_string();
                        svg::svg(trace, &title, &closing.replace("\n  ", " "))
                    }
                    Picture::Mermaid | Picture::Text => {
                        mermaid::mermaid(trace, place.world(), &closing)
                    }
                };
                out.say(&drawn)?;
            }
            (Picture::Mermaid | Picture::Svg, None) => {}
        }
    }
    let mut bounds = proofs.iter().flat_map(|proof| &proof.undecided);
    Ok(AsItShould::be_if(bounds.all(|(_, bound)| bound.is_by_nature())))
}

/// Examples of several properties that are one execution, together.
fn executions(examples: &[Example]) -> Vec<Vec<&Example>> {
    let mut executions: Vec<Vec<&Example>> = Vec::new();
    for example in examples {
        let is_same = |alike: &&mut Vec<&Example>| alike[0].is_same_execution(example);
        match executions.iter_mut().find(is_same) {
            Some(alike) => alike.push(example),
            None => executions.push(vec![example]),
        }
    }
    executions
}

pub(super) fn replay(names: Names, asked: &Replay) -> Result<AsItShould, Failure> {
    let looked_up = Asked::new(names, &asked.what)?;
    let mut out = Out::new();
    if let Some(schedule) = &asked.schedule {
        return replay_schedule(&mut out, &looked_up, schedule, asked.stress);
    }
    let (examples, proofs) = looked_up.found();
    holds(&mut out, &proofs)?;
    let stressed = match asked.stress {
        0 => Vec::new(),
        rounds => by_chance(&examples, rounds, None, &|_| {}),
    };
    let mut all_agree = true;
    let mut replayed = 0;
    for (position, alike) in executions(&examples).iter().enumerate() {
        if position > 0 {
            out.line("")?;
        }
        let Some(example) = alike.first() else { continue };
        out.line(&heading(&example.subject, example.size))?;
        let case = example.subject.case(example.size);
        if let (Some(case), Some(schedule)) = (case, &example.schedule) {
            match case.replay(schedule, Threads::OneEach) {
                Err(error) if error.is_not_here() => {
                    out.wrapped(&error.to_string())?;
                }
                comparison => {
                    let comparison = comparison?;
                    replayed += 1;
                    all_agree &= comparison.agrees();
                    tell(&mut out, &comparison)?;
                }
            }
            out.line("")?;
        }
        let (_, shown) = shown(example)?;
        let trace = shown.as_ref().map(|shown| &shown.trace);
        for example in alike {
            out.line(&diagram::closing(example, trace))?;
            if let Some((broken, rounds)) =
                stressed.iter().find_map(|stressed| stressed.chance(example))
            {
                out.line(&diagram::chance(example, broken, rounds))?;
            } else if stressed.iter().any(|stressed| stressed.is_unjudged(example)) {
                out.line(&diagram::no_chance())?;
            }
        }
    }
    // That there is no place for it here was told where it was to be replayed.
    let failed = stressed.iter().filter_map(|stressed| stressed.error());
    for error in failed.filter(|error| !error.is_not_here()) {
        all_agree = false;
        out.line(&format!("free runs: {error}"))?;
    }
    // Whoever named what is to be replayed is not told that all is well.
    if replayed == 0 && !examples.is_empty() {
        out.line("")?;
        out.line("nothing was replayed")?;
        all_agree = false;
    }
    Ok(AsItShould::be_if(all_agree))
}

/// A schedule that somebody thought of.
fn replay_schedule(
    out: &mut Out,
    asked: &Asked,
    schedule: &Schedule,
    rounds: usize,
) -> Result<AsItShould, Failure> {
    let found = asked.subjects.first().and_then(|subject| {
        let size = asked.size.unwrap_or(subject.model.size().representative);
        Some((subject, size, subject.case(size)?))
    });
    let Some((subject, size, case)) = found else {
        return Err(Failure::Usage("there is no such system".into()));
    };
    let comparison = match case.replay(schedule, Threads::OneEach) {
        Err(CaseError::Play(error)) => {
            let numbered = case.actors().into_iter().enumerate();
            let actors: Vec<String> =
                numbered.map(|(index, name)| format!("{index} = {name}")).collect();
            return Err(Failure::Schedule { actors: actors.join(", "), error });
        }
        replayed => replayed?,
    };
    out.line(&heading(subject, size))?;
    tell(out, &comparison)?;
    if rounds > 0 && case.can_run_free() {
        let stress = case.stress(schedule.start, rounds)?;
        let broken: Vec<String> = stress
            .violations
            .iter()
            .filter(|(name, _)| asked.property.as_ref().is_none_or(|property| property == name))
            .filter(|(_, broken)| *broken > 0)
            .map(|(name, broken)| format!("{name} {broken} times"))
            .collect();
        let runs = count(stress.rounds, "free run");
        let broken = if broken.is_empty() { "nothing".to_owned() } else { broken.join(", ") };
        out.line(&format!("broken by chance in {runs}: {broken}"))?;
        if !stress.unjudged.is_empty() {
            let unjudged = stress.unjudged.join(", ");
            let told = format!("not judged, being about moments before the end: {unjudged}");
            out.wrapped(&told)?;
        }
    }
    Ok(AsItShould::be_if(comparison.agrees()))
}

/// What each actor really got, and what is left.
fn tell(out: &mut Out, comparison: &Comparison) -> Result<(), Failure> {
    out.line("")?;
    out.say(&diagram::diagram(&comparison.real.trace))?;
    out.line("")?;
    out.say(&report::replay::outcome(comparison))
}

fn holds(out: &mut Out, proofs: &[Proof]) -> Result<(), Failure> {
    if proofs.is_empty() {
        return Ok(());
    }
    out.say(&diagram::proofs(proofs))?;
    out.line("")
}

/// An example as it goes in the simulation, and where it would happen for real.
fn shown(example: &Example) -> Result<(Place, Option<Shown>), Failure> {
    let Some(case) = example.subject.case(example.size) else { return Ok((Place::Nowhere, None)) };
    let shown = example.schedule.as_ref().map(|schedule| case.show(schedule));
    Ok((case.place(), shown.transpose().map_err(CaseError::from)?))
}

fn heading(subject: &Subject, size: usize) -> String {
    format!(
        "{HEAD}{}/{}{HEAD:#} · {} · {}",
        subject.model.name(),
        subject.variant.name,
        subject.scenario.name,
        sized(subject, size)
    )
}
