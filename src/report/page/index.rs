//! Fourth floor, `report`: the matrix of the page. Imports [`check`](crate::check) and
//! [`survey`](crate::survey).

use serde::Serialize;

use super::EXPLORABLE;
use super::cell::{Cell, Found, Systems};
use crate::check::{Engine, Finding, PropertyKind, Report, Schedule, Trace, Verdict};
use crate::models::Model;
use crate::report::cells::{is_left_out, of_any, of_property, properties_of};
use crate::report::{diagram, sized};
use crate::scene::Scene;
use crate::survey::{Example, Subject, Survey};

/// What is seen first.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Index {
    pub(super) version: &'static str,
    pub(super) cases: Vec<Case>,
}

/// A model.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) about: String,
    /// What its systems are sized by: `clients`.
    pub(super) sizes: String,
    pub(super) variants: Vec<Way>,
    pub(super) scenarios: Vec<Way>,
    pub(super) cells: Vec<Mark>,
}

/// A variant or a scenario.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Way {
    pub(super) name: String,
    pub(super) origin: String,
    pub(super) about: String,
}

/// A cell of the matrix.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Mark {
    /// Which variant, by index.
    pub(super) variant: usize,
    /// Which scenario, by index.
    pub(super) scenario: usize,
    /// `✗ 2`, `✓`, `✓ ∞`, `? 3`.
    pub(super) sign: String,
    /// The same in words.
    pub(super) words: String,
}

impl Index {
    /// The matrix of a survey, and its cells in the order in which they are named there.
    pub(super) fn of(survey: &Survey) -> (Index, Vec<Cell>) {
        let subjects = survey.subjects();
        let mut cells = Vec::new();
        let cases =
            survey.models().into_iter().map(|model| case_of(survey, model, &subjects, &mut cells));
        let cases = cases.collect();
        (Index { version: env!("CARGO_PKG_VERSION"), cases }, cells)
    }
}

fn case_of(
    survey: &Survey,
    model: &'static dyn Model,
    subjects: &[Subject],
    cells: &mut Vec<Cell>,
) -> Case {
    let here = subjects.iter().filter(|subject| subject.model.name() == model.name());
    let here: Vec<&Subject> = here.collect();
    let (mut variants, mut scenarios) = (Vec::new(), Vec::new());
    for subject in &here {
        push_new(
            &mut variants,
            subject.variant.name,
            subject.variant.origin,
            subject.variant.about,
        );
        push_new(&mut scenarios, subject.scenario.name, "", subject.scenario.about);
    }
    let place = |ways: &[Way], name: &str| ways.iter().position(|way| way.name == name);
    let mut marks = Vec::new();
    for subject in here {
        let variant = place(&variants, subject.variant.name).unwrap_or_default();
        let scenario = place(&scenarios, subject.scenario.name).unwrap_or_default();
        let (sign, words) = summed_up(survey, subject);
        marks.push(Mark { variant, scenario, sign, words });
        let found: Vec<Found<'_>> =
            survey.of(subject).map(|system| (system.size, &system.reports[..])).collect();
        cells.push(Cell::of(subject, &found));
    }
    Case {
        name: model.name().to_owned(),
        about: model.about().to_owned(),
        sizes: match model.size().whose {
            "" => model.size().plural(),
            whose => format!("{} {whose}", model.size().plural()),
        },
        variants,
        scenarios,
        cells: marks,
    }
}

fn push_new(ways: &mut Vec<Way>, name: &str, origin: &str, about: &str) {
    if !ways.iter().any(|way| way.name == name) {
        let [name, origin, about] = [name, origin, about].map(str::to_owned);
        ways.push(Way { name, origin, about });
    }
}

/// The sign of a cell, and the same in words: what breaks and with how much; or what is not known; or that all
/// holds.
fn summed_up(survey: &Survey, subject: &Subject) -> (String, String) {
    let properties = properties_of(survey, subject);
    let signs = properties.iter().map(|it| (*it, of_property(survey, subject, it).text));
    let signs: Vec<(&str, String)> = signs.collect();
    let of_sign = |sign: char| {
        let sized = |(name, text): &(&str, String)| {
            let size = text.strip_prefix(sign)?.trim();
            Some(((*name).to_owned(), size.parse::<usize>().ok()))
        };
        signs.iter().filter_map(sized).collect::<Vec<_>>()
    };
    let any = of_any(survey, subject).text;
    let broken: Vec<(String, usize)> =
        of_sign('✗').into_iter().filter_map(|(name, size)| Some((name, size?))).collect();
    if let Some(least) = broken.iter().map(|(_, size)| *size).min() {
        return (format!("✗ {least}"), format!("breaks {}", by_size(subject, &broken)));
    }
    let unknown: Vec<String> = of_sign('?').into_iter().map(|(name, _)| name).collect();
    match (&*any, unknown.is_empty() && !is_left_out(survey, subject)) {
        ("✗", _) => ("✗ ∞".to_owned(), "breaks with some number of clients".to_owned()),
        (_, false) => ("?".to_owned(), format!("undecided {}", unknown.join(", "))),
        (_, true) => {
            let words = format!("holds with every size that was checked{}", later(subject));
            match proved_for_any(survey, subject).as_slice() {
                [] => ("✓".to_owned(), words),
                proved => {
                    let proved = proved.join(", ");
                    ("✓ ∞".to_owned(), format!("{words}; {proved} for any number of clients"))
                }
            }
        }
    }
}

/// `one-key from 2 clients on; no-server-error from 3 clients on`: the smallest first.
fn by_size(subject: &Subject, broken: &[(String, usize)]) -> String {
    let mut sizes: Vec<usize> = broken.iter().map(|(_, size)| *size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let told = sizes.into_iter().map(|size| {
        let of_size = broken.iter().filter(|(_, known)| *known == size);
        let names: Vec<&str> = of_size.map(|(name, _)| name.as_str()).collect();
        format!("{} from {} on", names.join(", "), sized(subject, size))
    });
    told.collect::<Vec<_>>().join("; ")
}

/// The properties that are proved for any number of clients.
fn proved_for_any<'s>(survey: &'s Survey, subject: &Subject) -> Vec<&'s str> {
    let reports = survey.of(subject).flat_map(|system| &system.reports);
    let findings = reports.filter(|it| it.engine == Engine::Any).flat_map(|it| &it.findings);
    let proved = findings
        .filter(|it| it.kind == PropertyKind::Always && matches!(it.verdict, Verdict::Holds(_)));
    proved.map(|it| it.property.as_str()).collect()
}

/// What is known to break with a size that was not checked, as nothing that was checked breaks.
fn later(subject: &Subject) -> String {
    let breaks = subject.variant.breaks().filter(|it| it.scenario == subject.scenario.name);
    let told = breaks.map(|it| format!("{} from {} on", it.property, sized(subject, it.from_size)));
    match told.collect::<Vec<_>>().as_slice() {
        [] => String::new(),
        known => format!("; known to break {}", known.join(", ")),
    }
}

impl Systems for Subject {
    fn sized(&self, size: usize) -> String {
        sized(self, size)
    }

    fn scene(&self, size: usize, start: usize, along: &[&Schedule]) -> Option<Scene> {
        self.case(size)?.scene(start, along, EXPLORABLE)
    }

    fn told(&self, size: usize, schedule: &Schedule) -> Option<(Trace, Vec<String>)> {
        let shown = self.case(size)?.show(schedule).ok()?;
        let counts = shown.counted.iter().map(|counted| shown.trace.counted(counted)).collect();
        Some((shown.trace, counts))
    }

    fn closing(&self, finding: &Finding, report: &Report, trace: Option<&Trace>) -> String {
        let example = Example::of(*self, 0, report, finding);
        let closing = diagram::closing(&example, trace);
        anstream::adapter::strip_str(&closing).to_string().replace("\n  ", " ")
    }
}
