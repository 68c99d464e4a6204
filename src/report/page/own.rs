//! Fourth floor, `report`: the page of a system of one's own. Imports [`check`](crate::check) and
//! [`scene`](crate::scene).

use super::cell::{Cell, Systems};
use super::index::{Case, Index, Mark, Way};
use super::{EXPLORABLE, PageError, filled};
use crate::Process;
use crate::check::{Checker, Engine, Finding, Report, Schedule, System, Trace, Value, Verdict};
use crate::report::{count, grouped};
use crate::scene::Scene;

impl<W: Value, P: Process<W, Output: Value> + Value> System<W, P> {
    /// Puts the system before all engines and tells what they found as one HTML page, to be written to a
    /// file: each property with its verdict, the shortest interleaving that breaks it step by step, with
    /// the world after each step and what changed in it, and what else could be done there. A system of up to
    /// [3,000 states](crate::report::page::EXPLORABLE) can be explored in it. The file loads nothing.
    ///
    /// ```
    /// use toctou::check::System;
    /// use toctou::{Process, Step};
    ///
    /// /// Redeems a coupon, the way it is usually written first.
    /// #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    /// enum Redeem { Look, Mark }
    ///
    /// impl Process<bool> for Redeem {
    ///     type Output = &'static str;
    ///
    ///     fn step(self, used: &mut bool) -> Step<Self, &'static str> {
    ///         match self {
    ///             Redeem::Look if *used => Step::Done("refused"),
    ///             Redeem::Look => Step::Next(Redeem::Mark),
    ///             Redeem::Mark => {
    ///                 *used = true;
    ///                 Step::Done("granted")
    ///             }
    ///         }
    ///     }
    /// }
    ///
    /// let shop = System::new(false).clients(2, Redeem::Look).at_most(1, "one-grant", |local| {
    ///     local.output().filter(|told| **told == "granted").copied()
    /// });
    /// let page = shop.report("coupon")?;
    /// assert!(page.starts_with("<!doctype html>"));
    /// # Ok::<(), toctou::report::page::PageError>(())
    /// ```
    pub fn report(self, name: &str) -> Result<String, PageError> {
        Checker::new(self).page(name)
    }
}

impl<W: Value, P: Process<W, Output: Value> + Value> Checker<W, P> {
    /// The same within [limits](Self::within) of one's own.
    pub fn page(&self, name: &str) -> Result<String, PageError> {
        let examination = self.examine();
        let actors = examination.actors.len();
        let cell = Cell::of(self, &[(actors, &examination.reports)]);
        let certain = examination.reports.iter().filter(|report| report.engine != Engine::Any);
        let findings = certain.flat_map(|report| &report.findings);
        let mut broken: Vec<&str> = Vec::new();
        for finding in findings {
            let is_broken = matches!(finding.verdict, Verdict::Violated(_));
            if is_broken && !broken.contains(&finding.property.as_str()) {
                broken.push(&finding.property);
            }
        }
        let (sign, words) = match (broken.is_empty(), examination.is_proof()) {
            (false, _) => (format!("✗ {actors}"), format!("breaks {}", broken.join(", "))),
            (true, true) => ("✓".to_owned(), "holds".to_owned()),
            (true, false) => ("?".to_owned(), "nothing is violated, and it is no proof".to_owned()),
        };
        let way =
            |name: &str, about: String| Way { name: name.to_owned(), origin: String::new(), about };
        let larger = examination.larger.iter().map(|larger| match larger.clients {
            Some(clients) => {
                format!("{} breaks with {}", larger.property, count(clients, "client"))
            }
            None => format!("{} breaks with some number of clients", larger.property),
        });
        let notes = examination.vacuous.iter().chain(&examination.notes).cloned().chain(larger);
        let about = notes.collect::<Vec<_>>().join(". ");
        let case = Case {
            name: name.to_owned(),
            about,
            sizes: "actors".to_owned(),
            variants: vec![way("system", String::new())],
            scenarios: vec![way("as it is", examination.actors.join(", "))],
            cells: vec![Mark { variant: 0, scenario: 0, sign, words }],
        };
        let index = Index { version: env!("CARGO_PKG_VERSION"), cases: vec![case] };
        filled(&index, &[cell])
    }
}

impl<W: Value, P: Process<W, Output: Value> + Value> Systems for Checker<W, P> {
    fn sized(&self, size: usize) -> String {
        count(size, "actor")
    }

    fn scene(&self, _: usize, start: usize, along: &[&Schedule]) -> Option<Scene> {
        self.scene_of(start, along, EXPLORABLE)
    }

    fn told(&self, _: usize, schedule: &Schedule) -> Option<(Trace, Vec<String>)> {
        let system = self.system();
        let played = system.play(schedule).ok()?;
        let properties = system.properties().iter();
        let counted = properties.filter_map(|it| system.counted(it.name(), &played.locals));
        let counts = counted.map(|counted| played.trace.counted(&counted)).collect();
        Some((played.trace, counts))
    }

    fn closing(&self, finding: &Finding, report: &Report, trace: Option<&Trace>) -> String {
        let (all, noun) = report.counted();
        let all = count(&all, noun);
        let after = trace.map(|trace| count(trace.steps.len(), "step"));
        let after = after.map_or_else(String::new, |steps| format!(" after {steps}"));
        let share = finding.violating.as_ref().map(|it| grouped(&it.to_string()));
        let share =
            share.map_or_else(String::new, |share| format!("; {share} of {all} violate it"));
        format!("{} violated{after}{share}", finding.property)
    }
}
