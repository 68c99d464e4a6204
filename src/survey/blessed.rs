//! Fourth floor, `survey`: verdicts recorded as they were found. Imports [`check`](crate::check),
//! [`models`](crate::models) and its neighbours in `survey`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{Subject, Survey};
use crate::check::{Engine, PropertyKind, Verdict};
use crate::models::{Breaks, Model, Variant, verdicts_text};

/// The recorded verdicts of a model after they were rewritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blessed {
    /// The file.
    pub path: PathBuf,
    /// The lines that were removed from the record, and those that were added: `- one/clients: once
    /// 2`.
    pub changes: Vec<String>,
    /// The verdicts that could not be recorded, because no engine decided them. Their record stays
    /// as it was.
    pub undecided: Vec<String>,
}

/// Why verdicts are not recorded.
#[derive(Debug, thiserror::Error)]
pub enum BlessError {
    /// Engines contradict one another.
    #[error("{0}: the engines disagree, so there is nothing to record; `check` says where")]
    Disagreement(String),
    /// The property breaks with one size, and holds with a larger one.
    #[error("{what} breaks with size {broken} and holds with {holds}: that cannot be recorded")]
    Between {
        /// The property.
        what: String,
        /// A size with which the property breaks.
        broken: usize,
        /// A larger size with which it holds.
        holds: usize,
    },
    /// There is no such folder.
    #[error("there is no folder {}: name the one that has a folder a model", .0.display())]
    Folder(PathBuf),
    /// The file could not be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error.
        error: io::Error,
    },
}

/// Writes the verdicts that were found to `FOLDER/MODEL/verdicts.txt`, one file for each model. The
/// record of a system that was not checked stays as it is.
pub fn bless(survey: &Survey, folder: &Path) -> Result<Vec<Blessed>, BlessError> {
    if !folder.is_dir() {
        return Err(BlessError::Folder(folder.to_owned()));
    }
    if let Some(system) = survey.systems.iter().find(|system| !system.disagreements.is_empty()) {
        return Err(BlessError::Disagreement(format!("{:?}", system.subject)));
    }
    let mut models: Vec<&'static dyn Model> = Vec::new();
    for Subject { model, .. } in survey.subjects() {
        if !models.iter().any(|known| known.name() == model.name()) {
            models.push(model);
        }
    }
    // Everything is found out before anything is written.
    let told: Result<Vec<_>, _> = models.iter().map(|model| of_model(survey, *model)).collect();
    let told = told?;
    models.iter().zip(told).map(|(model, told)| told.write(folder, *model)).collect()
}

struct Told {
    text: String,
    changes: Vec<String>,
    undecided: Vec<String>,
}

impl Told {
    fn write(self, folder: &Path, model: &dyn Model) -> Result<Blessed, BlessError> {
        let path = folder.join(model.name()).join("verdicts.txt");
        let is_same = fs::read_to_string(&path).is_ok_and(|known| known == self.text);
        let written = match is_same {
            true => Ok(()),
            false => fs::create_dir(folder.join(model.name()))
                .or_else(|error| match error.kind() {
                    ErrorKind::AlreadyExists => Ok(()),
                    _ => Err(error),
                })
                .and_then(|()| fs::write(&path, self.text)),
        };
        match written {
            Ok(()) => Ok(Blessed { path, changes: self.changes, undecided: self.undecided }),
            Err(error) => Err(BlessError::Write { path, error }),
        }
    }
}

/// Its variants, and those that it has at some level beside them.
fn variants(model: &dyn Model) -> Vec<&'static Variant> {
    let mut variants: Vec<_> = model.variants().iter().collect();
    for body in model.variants() {
        for variant in model.levels().iter().filter_map(|level| model.at_level(body.name, level)) {
            if !variants.iter().any(|known| known.name == variant.name) {
                variants.push(variant);
            }
        }
    }
    variants
}

fn of_model(survey: &Survey, model: &'static dyn Model) -> Result<Told, BlessError> {
    let (mut changes, mut undecided, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for variant in variants(model) {
        let mut now = Vec::new();
        for scenario in model.scenarios() {
            let subject = Subject { model, variant, scenario };
            let known = variant.breaks().filter(|breaks| breaks.scenario == scenario.name);
            let known: Vec<Breaks<'_>> = known.collect();
            let found = found(survey, &subject, &known, &mut undecided)?;
            let line = |sign, breaks: &Breaks<'_>| {
                let Breaks { scenario, property, from_size } = breaks;
                format!("{sign} {}, {scenario}: {property} {from_size}", variant.name)
            };
            let gone = known.iter().filter(|breaks| !found.contains(breaks));
            changes.extend(gone.map(|breaks| line('-', breaks)));
            let new = found.iter().filter(|breaks| !known.contains(breaks));
            changes.extend(new.map(|breaks| line('+', breaks)));
            now.extend(found);
        }
        all.push((variant.name, now));
    }
    Ok(Told { text: verdicts_text(all), changes, undecided })
}

/// What a subject breaks, in the order of its properties; `known` is what was recorded.
fn found<'s>(
    survey: &'s Survey,
    subject: &Subject,
    known: &[Breaks<'s>],
    undecided: &mut Vec<String>,
) -> Result<Vec<Breaks<'s>>, BlessError> {
    let mut properties: Vec<&str> = Vec::new();
    for finding in survey.of(subject).flat_map(|system| &system.reports).flat_map(|r| &r.findings) {
        if !properties.contains(&&*finding.property) {
            properties.push(&finding.property);
        }
    }
    let unseen = known.iter().filter(|breaks| !properties.contains(&breaks.property));
    let mut found: Vec<Breaks<'_>> = unseen.copied().collect();
    for property in properties {
        let what = || format!("{subject:?}: {property}");
        let recorded = known.iter().find(|breaks| breaks.property == property);
        let recorded = recorded.map(|breaks| breaks.from_size);
        let (mut broken, mut holds, mut is_open) = (Vec::new(), Vec::new(), false);
        for system in survey.of(subject) {
            match system.verdict(property) {
                Some(Verdict::Violated(_)) => broken.push(system.size),
                Some(Verdict::Holds(_)) => holds.push(system.size),
                Some(Verdict::Unfinished(_)) => is_open = true,
                None => {}
            }
        }
        let is_contradicted = |from: usize| holds.iter().any(|size| *size >= from);
        let first = broken.into_iter().min();
        let from_size = match (first, recorded) {
            (Some(size), Some(from)) if from <= size && !is_contradicted(from) => Some(from),
            (Some(size), _) => Some(size),
            (None, Some(from)) if !is_contradicted(from) => Some(from),
            (None, _) => None,
        };
        if let Some(broken) = first
            && let Some(holds) = holds.iter().copied().find(|size| *size > broken)
        {
            return Err(BlessError::Between { what: what(), broken, holds });
        }
        let by_any = survey.of(subject).flat_map(|system| &system.reports).any(|report| {
            report.engine == Engine::Any
                && report.finding(property).is_some_and(|finding| {
                    matches!(finding.verdict, Verdict::Violated(_))
                        && finding.kind != PropertyKind::Reachable
                })
        });
        if from_size.is_none() && (by_any || is_open && holds.is_empty()) {
            undecided.push(what());
        }
        found.extend(from_size.map(|from_size| Breaks {
            scenario: subject.scenario.name,
            property,
            from_size,
        }));
    }
    Ok(found)
}
