//! Second floor, `check`: what a failed proof says. Imports its neighbours in `check`.

use std::fmt::Write as _;

use super::{Finding, PlayError, Report, Schedule, Verdict, audit};

/// Where engines disagree, and what the first of them says that is not as it should be: for each
/// shortest execution that shows something the properties that it violates, and its picture. `picture`
/// draws an execution of these properties.
pub(super) fn complaint(
    reports: &[Report],
    picture: impl Fn(&Schedule, &[&str]) -> Result<String, PlayError>,
) -> String {
    let mut complaint = String::new();
    for disagreement in audit(reports) {
        let _ = writeln!(complaint, "the engines disagree: {disagreement}");
    }
    let Some(report) = reports.first() else { return complaint };
    let (number, noun) = report.counted();
    let counted = format!("{number} {noun}s");
    for finding in &report.findings {
        let name = format!("{} `{}`", finding.kind.word(), finding.property);
        let _ = match &finding.verdict {
            Verdict::Holds(_) | Verdict::Violated(Some(_)) => Ok(()),
            Verdict::Unfinished(bound) => writeln!(complaint, "{name} is not decided: {bound}"),
            Verdict::Violated(None) => {
                writeln!(complaint, "{name} is not reached by any of {counted}")
            }
        };
    }
    for (schedule, findings) in executions(&report.findings) {
        let told = findings.iter().map(|finding| {
            let often = match &finding.violating {
                Some(violating) => format!(" ({violating} of {counted})"),
                None => String::new(),
            };
            let name = format!("{} `{}`", finding.kind.word(), finding.property);
            format!("{name} is violated{often}, soonest by {schedule}")
        });
        let told = told.collect::<Vec<_>>().join(",\n");
        let names: Vec<&str> = findings.iter().map(|finding| &*finding.property).collect();
        let picture = picture(schedule, &names).unwrap_or_else(|error| format!("{error}\n"));
        let _ = writeln!(complaint, "{told}:\n\n{picture}");
    }
    complaint
}

/// The executions that violate something, in the order in which properties are claimed, each with all
/// that it is the shortest of.
fn executions(findings: &[Finding]) -> Vec<(&Schedule, Vec<&Finding>)> {
    let mut executions: Vec<(&Schedule, Vec<&Finding>)> = Vec::new();
    for finding in findings {
        let Verdict::Violated(Some(schedule)) = &finding.verdict else { continue };
        match executions.iter_mut().find(|(known, _)| *known == schedule) {
            Some((_, alike)) => alike.push(finding),
            None => executions.push((schedule, vec![finding])),
        }
    }
    executions
}

#[cfg(test)]
mod tests {
    use crate::check::{Checker, GraphOptions, System};
    use crate::{Process, Step};

    /// Takes what is there, in one step or in two.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    enum Takes {
        Look,
        Take,
    }

    impl Process<u32> for Takes {
        type Output = &'static str;

        fn step(self, left: &mut u32) -> Step<Self, &'static str> {
            match self {
                Takes::Look if *left == 0 => Step::Done("too late"),
                Takes::Look => Step::Next(Takes::Take),
                Takes::Take => {
                    *left = left.saturating_sub(1);
                    Step::Done("taken")
                }
            }
        }
    }

    fn one_book() -> System<u32, Takes> {
        System::new(1)
            .clients(3, Takes::Look)
            .at_most(1, "one-taker", |local| {
                local.output().filter(|told| **told == "taken").copied()
            })
            .finally("somebody-is-late", |state| state.outputs().any(|told| *told == "too late"))
            .finally("all-but-one-are-late", |state| {
                state.outputs().filter(|told| **told == "too late").count() == 2
            })
    }

    fn complaint_about(system: System<u32, Takes>) -> String {
        let checker = Checker::new(system);
        let reports = [checker.graph(&GraphOptions::default())];
        super::complaint(&reports, |schedule, names| checker.system().picture(schedule, names))
    }

    #[test]
    fn an_execution_is_drawn_once_whatever_it_violates() {
        let told = complaint_about(one_book());
        let pictures = told.matches("client 1     ").count();
        let schedules: std::collections::BTreeSet<&str> = told
            .lines()
            .filter_map(|line| line.split_once("soonest by "))
            .map(|(_, schedule)| schedule.trim_end_matches([',', ':']))
            .collect();
        assert_eq!(told.matches(" is violated (").count(), 3, "{told}");
        assert_eq!(pictures, schedules.len(), "{told}");
    }

    #[test]
    fn who_counts_and_what_is_left_stand_under_the_picture() {
        let told = complaint_about(one_book());
        assert!(
            told.contains("one-taker: client 1, client 2 count, and at most 1 may\n"),
            "{told}"
        );
        assert!(told.contains("left: 1 → 0\n"), "{told}");
    }

    #[test]
    fn what_holds_is_not_complained_of() {
        let alone =
            System::new(1).clients(1, Takes::Look).always("none-or-one", |s| *s.world() < 2);
        assert_eq!(complaint_about(alone), "");
    }
}
