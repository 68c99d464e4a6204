//! Second floor, `check`: the one-line proof for a `#[test]`.
//! Imports its neighbours in `check`.

use std::fmt::Write as _;

use super::complaint::complaint;
use super::{Checker, GraphOptions, Report, System, Value, Verdict};
use crate::Process;

/// Graphs with more transitions than this are not put before the slower engines as well.
const WORTH_A_SECOND_OPINION: u64 = 1_000;

impl<W: Value, P: Process<W, Output: Value> + Value> System<W, P> {
    /// Proves every property, and that some execution ends, or panics with the shortest
    /// interleaving that breaks one, drawn as columns.
    ///
    /// The state graph decides. Where it is small, loom and shuttle explore the system too, and
    /// all have to agree.
    #[track_caller]
    pub fn assert_holds(self) {
        let checker = Checker::new(self);
        let reports = checker.opinions();
        let mut complaint =
            complaint(&reports, |schedule, names| checker.system().picture(schedule, names));
        let ended = reports[0].outcomes.as_ref().is_some_and(|outcomes| !outcomes.is_empty());
        if complaint.is_empty() && !ended {
            let _ = writeln!(complaint, "no execution ever ends, so nothing is shown of any end");
        }
        complain_unless_empty(&complaint);
    }

    /// Panics unless some interleaving breaks the property, and returns the report: the negative
    /// control that belongs beside every proof.
    #[track_caller]
    pub fn assert_breaks(self, property: &str) -> Report {
        let report = Checker::new(self).graph(&GraphOptions::default());
        assert_broken(&report, property);
        report
    }
}

/// Panics with a complaint, if there is one.
#[track_caller]
pub(super) fn complain_unless_empty(complaint: &str) {
    if complaint.is_empty() {
        return;
    }
    #[cfg(feature = "loom")]
    super::quiet::complain(&format!("\n{complaint}"));
    #[cfg(not(feature = "loom"))]
    panic!("\n{complaint}");
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

impl<W: Value, P: Process<W, Output: Value> + Value> Checker<W, P> {
    /// What the graph says, and where it is small what the others say.
    fn opinions(&self) -> Vec<Report> {
        let graph = self.graph(&GraphOptions::default());
        let mut reports = vec![graph];
        // Without symmetry hundreds of clients have states without end: a second opinion as far
        // as it is cheap.
        let max_states = (1_000_000 / self.system().actors().len().max(1)).min(100_000);
        let plain = GraphOptions { symmetry: false, max_states, ..Default::default() };
        let every_state = self.graph(&plain);
        let small = every_state.transitions.is_some_and(|count| count <= WORTH_A_SECOND_OPINION);
        let small = small && every_state.exhaustive();
        if every_state.exhaustive() {
            reports.push(every_state);
        }
        if small {
            #[cfg(feature = "loom")]
            if self.system().actors().len() <= ::loom::MAX_THREADS {
                let skip = super::LoomOptions { skip_known_states: true, ..Default::default() };
                reports.push(self.loom(&skip));
            }
            #[cfg(feature = "shuttle")]
            reports.push(self.shuttle(super::ShuttleMode::KnownStates));
        }
        reports
    }
}
