//! Second floor, `check`: the one-line proof for a `#[test]`.
//! Imports its neighbours in `check`.

use std::fmt::Write as _;

use super::examination::{Shown, shown};
use super::{Checker, FaultKind, GraphOptions, Report, System, Value, Verdict};
#[cfg(all(feature = "loom", feature = "shuttle"))]
use super::{PlayError, Schedule, Trace, audit};
use crate::Process;

impl<W: Value, P: Process<W, Output: Value> + Value> System<W, P> {
    /// Proves every property, or panics with the shortest interleaving that breaks one, drawn as
    /// columns.
    ///
    /// The state graph decides. Where it is small, loom and shuttle explore the system too, and all
    /// engines have to agree.
    ///
    /// [`any`](super::Checker::any) also decides the properties over counts
    /// ([`at_most`](Self::at_most)). A property that breaks with more clients fails the proof, with
    /// the number of clients that it takes.
    ///
    /// A proof of nothing fails, too:
    ///
    /// - A step panics, makes two calls, or meets a mistake of the model ([`FaultKind`]).
    /// - No execution put a property to the test.
    /// - No execution ends, or no client [ends well](Self::ends_well).
    #[track_caller]
    pub fn assert_holds(self) {
        let proof = Checker::new(self).proof();
        complain_unless_empty(&proof.complaint());
        // Shown with the output of a test that is asked for it.
        for note in &proof.notes {
            eprintln!("{note}");
        }
    }

    /// Panics unless some interleaving breaks the property, and returns the report. It is the
    /// negative control that belongs beside every proof.
    #[track_caller]
    pub fn assert_breaks(self, property: &str) -> Report {
        let checker = Checker::new(self);
        let report = checker.graph(&GraphOptions::default());
        if let Some(kind) = report.fault().filter(|kind| kind.property() != property) {
            let system = checker.system();
            let shown = shown(&report.findings, |schedule, of| system.show(schedule, of));
            let violations = violations(&report, &shown);
            complain_unless_empty(&format!(
                "`{property}` is not what breaks: {kind:?}\n{violations}"
            ));
        }
        assert_broken(&report, property);
        report
    }
}

/// The complaint of a proof: where engines disagree, and what the first engine finds wrong, with
/// the shortest execution that shows it.
#[cfg(all(feature = "loom", feature = "shuttle"))]
pub(super) fn complaint(
    reports: &[Report],
    play: impl Fn(&Schedule) -> Result<Trace, PlayError>,
) -> String {
    let mut complaint = String::new();
    for disagreement in audit(reports) {
        let _ = writeln!(complaint, "the engines disagree: {disagreement}");
    }
    if let Some(report) = reports.first() {
        complaint += &violations(report, &shown(&report.findings, |schedule, _| play(schedule)));
    }
    complaint
}

/// What an engine finds wrong, with each execution that shows it once.
pub(super) fn violations(report: &Report, shown: &[Shown]) -> String {
    let mut told = String::new();
    let (number, noun) = report.counted();
    let counted = format!("{number} {noun}s");
    let fault = report.fault();
    for finding in &report.findings {
        let (kind, name) = (finding.kind.word(), &finding.property);
        match &finding.verdict {
            Verdict::Holds(_) => {}
            // One sentence is enough where a step is none.
            Verdict::Unfinished(_) if fault.is_some() => {}
            Verdict::Unfinished(bound) => {
                let _ = writeln!(told, "{kind} `{name}` is not decided: {bound}");
            }
            Verdict::Violated(None) => {
                let _ = writeln!(told, "{kind} `{name}` is not reached by any of {counted}");
            }
            Verdict::Violated(Some(schedule)) => {
                let often = match &finding.violating {
                    Some(violating) => format!(" ({violating} of {counted})"),
                    None => String::new(),
                };
                let _ = write!(told, "{kind} `{name}` is violated{often}, soonest by {schedule}");
                let trace = shown.iter().find(|shown| shown.schedule == *schedule);
                match trace {
                    Some(shown) if shown.properties.last() == Some(name) => {
                        let trace = match &shown.trace {
                            Ok(trace) => trace.to_string(),
                            Err(error) => format!(
                                "played again, it does not come about: {error}. What is checked is not \
                                 deterministic: it depends on a clock, a random number, a static"
                            ),
                        };
                        let _ = writeln!(told, ":\n\n{trace}");
                    }
                    // The picture comes with the last property that it shows.
                    _ => told.push('\n'),
                }
            }
        }
        if let Some(kind) = FaultKind::of(name) {
            let _ = writeln!(told, "{}", kind.advice());
        }
    }
    if let Some(growth) = &report.growth {
        let _ = writeln!(told, "{growth}");
    }
    told
}

/// Panics with a complaint, if there is one.
#[track_caller]
pub(super) fn complain_unless_empty(complaint: &str) {
    if !complaint.is_empty() {
        super::quiet::complain(&format!("\n{complaint}"));
    }
}

/// Panics unless the report says that the property is violated.
#[track_caller]
pub(super) fn assert_broken(report: &Report, property: &str) {
    let Some(finding) = report.finding(property) else {
        panic!("no property `{property}` is claimed here");
    };
    let broken = matches!(finding.verdict, Verdict::Violated(_));
    assert!(broken, "{} `{property}` {}", finding.kind.word(), finding.verdict.word());
}
