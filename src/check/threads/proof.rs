//! Second floor, `check`: the one-line proof of a program of threads, for a `#[test]`. Imports its
//! neighbours in `check`.

use super::super::proof::{assert_broken, complain_unless_empty, complaint};
use super::super::shuttle::ShuttleMode;
use super::{Program, Report, ThreadsOnLoom};

impl Program {
    /// Proves every property, or panics with the shortest execution that breaks one, drawn as
    /// columns.
    ///
    /// loom decides, and shuttle must not have seen what loom says is impossible. It works for up
    /// to three threads. With more, loom is [bounded](ThreadsOnLoom::usual) and proves nothing, so
    /// this panics.
    #[track_caller]
    pub fn assert_holds(self) {
        let loom = self.loom(&ThreadsOnLoom::usual(self.actors().len()));
        let reports = [loom, self.shuttle(ShuttleMode::KnownStates)];
        complain_unless_empty(&complaint(&reports, |schedule| self.play(schedule)));
    }

    /// Panics unless some execution breaks the property, and returns loom's report. It is the
    /// negative control that belongs beside every proof.
    #[track_caller]
    pub fn assert_breaks(self, property: &str) -> Report {
        let report = self.loom(&ThreadsOnLoom::usual(self.actors().len()));
        assert_broken(&report, property);
        report
    }
}
