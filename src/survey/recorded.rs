//! Fourth floor, `survey`: verdicts compared with the recorded ones. Imports
//! [`check`](crate::check) and [`models`](crate::models).

use crate::check::{Bound, Engine, Finding, PropertyKind, Report, Verdict};
use crate::models::Variant;

/// A verdict that differs from the recorded one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The property is violated, and recorded to hold.
    #[error("{property} is violated ({engine}), and is recorded to hold")]
    Violated {
        /// Which property.
        property: String,
        /// The engine that says so.
        engine: Engine,
    },
    /// The property holds, and is recorded to be violated.
    #[error("{property} holds ({engine}), and is recorded to be violated")]
    Holds {
        /// Which property.
        property: String,
        /// The engine that says so.
        engine: Engine,
    },
    /// The model says that there is no such system, so there was nothing to check.
    #[error("the model does not build this system, so nothing was checked")]
    NoSystem,
    /// No engine decided the property.
    #[error("{property} is undecided ({engine}: {bound})")]
    Undecided {
        /// Which property.
        property: String,
        /// The engine that could not decide it.
        engine: Engine,
        /// What stopped the engine.
        bound: Bound,
    },
}

impl Mismatch {
    /// Whether the only mismatch is that no engine decided the property.
    pub fn is_undecided(&self) -> bool {
        matches!(self, Mismatch::Undecided { .. })
    }

    /// The property in question; `None` if all are.
    pub fn property(&self) -> &str {
        match self {
            Mismatch::Violated { property, .. }
            | Mismatch::Holds { property, .. }
            | Mismatch::Undecided { property, .. } => property,
            Mismatch::NoSystem => "",
        }
    }
}

/// Compares the verdicts on a system with those recorded for its variant.
///
/// `any` is compared with what is recorded for all sizes together. If a property breaks with some
/// size, `any` may find it violated, and may not find that it holds. A property that `any` cannot
/// decide is left to the other engines. If no other engine can decide it, or if the state graph
/// gave up, that is a mismatch.
pub fn compare(
    variant: &Variant,
    scenario: &str,
    size: usize,
    reports: &[Report],
) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    for report in reports {
        for finding in &report.findings {
            let property = &finding.property;
            let is_broken = match report.engine {
                Engine::Any => variant.is_known_to_break(scenario, property, usize::MAX),
                _ => variant.is_known_to_break(scenario, property, size),
            };
            let engine = report.engine;
            let mismatch = match (&finding.verdict, is_broken) {
                (Verdict::Violated(_), false) => {
                    Some(Mismatch::Violated { property: property.clone(), engine })
                }
                (Verdict::Holds(_), true) => {
                    Some(Mismatch::Holds { property: property.clone(), engine })
                }
                (Verdict::Unfinished(bound), _)
                    if (!bound.is_by_nature() || is_missed(bound, finding, is_broken))
                        && matters(report, finding, reports) =>
                {
                    let bound = bound.clone();
                    Some(Mismatch::Undecided { property: property.clone(), engine, bound })
                }
                _ => None,
            };
            // Two ways of one engine say it once.
            mismatches.extend(mismatch.filter(|new| !mismatches.contains(new)));
        }
    }
    mismatches
}

/// Whether what is recorded to be violated should have been found within these bounds. (That
/// nothing gets somewhere, no execution shows.)
fn is_missed(bound: &Bound, finding: &Finding, is_broken: bool) -> bool {
    is_broken && matches!(bound, Bound::Preemptions(_)) && finding.kind != PropertyKind::Reachable
}

fn matters(report: &Report, finding: &Finding, reports: &[Report]) -> bool {
    match report.engine {
        Engine::Any => false,
        Engine::Graph => true,
        Engine::Loom | Engine::Shuttle => !reports.iter().any(|other| {
            let answer = other.finding(&finding.property);
            other.engine != Engine::Any
                && answer.is_some_and(|known| !matches!(known.verdict, Verdict::Unfinished(_)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Method;
    use crate::check::GraphOptions;
    use crate::models::{Model, Verdicts, download::Download};

    fn variant(broken: &str) -> Variant {
        let text: &'static str = format!("doctored\n  clients: {broken}").leak();
        let verdicts: &'static Verdicts = Box::leak(Box::new(Verdicts::new(text)));
        verdicts.variant("doctored", "a test", "")
    }

    fn reports() -> Vec<Report> {
        let case = Download.case("open-then-remove", "clients", 2).unwrap();
        vec![
            case.check(&Method::Graph(GraphOptions::default())),
            case.check(&Method::Any(Default::default())),
        ]
    }

    const BOTH: &str = "at-most-once 2, exactly-once 2";

    #[test]
    fn what_is_recorded_is_no_mismatch() {
        assert_eq!(compare(&variant(BOTH), "clients", 2, &reports()), []);
    }

    #[test]
    fn a_violation_that_nobody_recorded_is_a_mismatch() {
        let found = compare(&variant("exactly-once 2"), "clients", 2, &reports());
        let property = "at-most-once".to_owned();
        let by = |engine| Mismatch::Violated { property: property.clone(), engine };
        assert_eq!(found, [by(Engine::Graph), by(Engine::Any)]);
    }

    #[test]
    fn a_recorded_violation_that_does_not_show_is_a_mismatch() {
        let found = compare(&variant(&format!("{BOTH}, meta-agrees 1")), "clients", 2, &reports());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].property(), "meta-agrees");
    }

    #[test]
    fn a_graph_that_gave_up_is_a_mismatch_and_never_a_proof() {
        let mut reports = reports();
        for finding in &mut reports[0].findings {
            if finding.property == "nothing-left" {
                finding.verdict = Verdict::Unfinished(Bound::States(7));
            }
        }
        let found = compare(&variant(BOTH), "clients", 2, &reports);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].to_string(),
            "nothing-left is undecided (graph: stopped after 7 states)"
        );
    }
}
