//! Second floor, `check`: the audit. Imports its neighbours in `check`.
//!
//! A harness that misses schedules passes silently: every assertion in it stays green. So the audit
//! compares the engines with one another:
//!
//! - Exhaustive engines must have reached the same outcomes and the same verdicts.
//! - An engine that claims to have walked every interleaving must have walked as many as the state
//!   graph counts.
//! - No engine may have seen what an exhaustive engine says is impossible.

use num_bigint::BigUint;

use super::verdict::{Engine, Interleavings, Report, Verdict};

/// A contradiction between two engines: at least one of them is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    /// Both were exhaustive, and one reached end states that the other did not.
    #[error(
        "{left} ({left_mode}) reached {left_count} outcomes and {right} ({right_mode}) \
         {right_count}: {missing} of them only one of the two"
    )]
    Outcomes {
        /// One engine.
        left: Engine,
        /// Its way of working.
        left_mode: &'static str,
        /// How many outcomes it reached.
        left_count: usize,
        /// The other engine.
        right: Engine,
        /// Its way of working.
        right_mode: &'static str,
        /// How many outcomes it reached.
        right_count: usize,
        /// How many outcomes only one of them reached.
        missing: usize,
    },
    /// Both counted every interleaving, but not the same number.
    #[error(
        "{left} ({left_mode}) counts {left_count} interleavings, {right} ({right_mode}) {right_count}"
    )]
    Interleavings {
        /// One engine.
        left: Engine,
        /// Its way of working.
        left_mode: &'static str,
        /// How many it counts.
        left_count: BigUint,
        /// The other engine.
        right: Engine,
        /// Its way of working.
        right_mode: &'static str,
        /// How many it counts.
        right_count: BigUint,
    },
    /// One says `holds` and the other `violated`.
    #[error(
        "{left} ({left_mode}) says {property} {left_verdict}, {right} ({right_mode}) {right_verdict}"
    )]
    Verdict {
        /// The property.
        property: String,
        /// One engine.
        left: Engine,
        /// Its way of working.
        left_mode: &'static str,
        /// What it says.
        left_verdict: &'static str,
        /// The other engine.
        right: Engine,
        /// Its way of working.
        right_mode: &'static str,
        /// What it says.
        right_verdict: &'static str,
    },
}

/// Compares what the engines of one [`Checker`](super::Checker) found of one system, each with the
/// first. Returns nothing if all agree.
///
/// [`any`](super::Checker::any) is about every number of clients. So its `holds` binds the other
/// engines, but they need not see its `violated` with the few clients that they had.
pub fn audit(reports: &[Report]) -> Vec<Disagreement> {
    let mut disagreements = Vec::new();
    for (position, left) in reports.iter().enumerate() {
        for right in &reports[position + 1..] {
            compare(left, right, &mut disagreements);
        }
    }
    disagreements
}

fn compare(left: &Report, right: &Report, disagreements: &mut Vec<Disagreement>) {
    if let (Some(left_outcomes), Some(right_outcomes)) = (&left.outcomes, &right.outcomes) {
        let only_left = left_outcomes.difference(right_outcomes).count();
        let only_right = right_outcomes.difference(left_outcomes).count();
        // An engine that stopped early may have missed outcomes, but cannot have seen others than
        // an exhaustive one.
        let missing = if left.exhaustive() { only_right } else { 0 }
            + if right.exhaustive() { only_left } else { 0 };
        if missing > 0 {
            disagreements.push(Disagreement::Outcomes {
                left: left.engine,
                left_mode: left.mode,
                left_count: left_outcomes.len(),
                right: right.engine,
                right_mode: right.mode,
                right_count: right_outcomes.len(),
                missing,
            });
        }
    }
    if let (Interleavings::Exactly(left_count), Interleavings::Exactly(right_count)) =
        (&left.interleavings, &right.interleavings)
        && left.exhaustive()
        && right.exhaustive()
        && left_count != right_count
    {
        disagreements.push(Disagreement::Interleavings {
            left: left.engine,
            left_mode: left.mode,
            left_count: left_count.clone(),
            right: right.engine,
            right_mode: right.mode,
            right_count: right_count.clone(),
        });
    }
    for left_finding in &left.findings {
        let Some(right_finding) = right.finding(&left_finding.property) else { continue };
        if contradict(left, &left_finding.verdict, right, &right_finding.verdict) {
            disagreements.push(Disagreement::Verdict {
                property: left_finding.property.clone(),
                left: left.engine,
                left_mode: left.mode,
                left_verdict: left_finding.verdict.word(),
                right: right.engine,
                right_mode: right.mode,
                right_verdict: right_finding.verdict.word(),
            });
        }
    }
}

fn contradict(
    left: &Report,
    left_verdict: &Verdict,
    right: &Report,
    right_verdict: &Verdict,
) -> bool {
    // `any` against an engine with a certain number of clients: only what the latter has *seen*
    // (a counterexample, a witness) can contradict it.
    let seen = |verdict: &Verdict| verdict.schedule().is_some();
    match (left_verdict, right_verdict) {
        (Verdict::Holds(_), Verdict::Violated(_)) | (Verdict::Violated(_), Verdict::Holds(_)) => {
            match (left.engine, right.engine) {
                (Engine::Any, Engine::Any) => true,
                (Engine::Any, _) => seen(right_verdict),
                (_, Engine::Any) => seen(left_verdict),
                _ => true,
            }
        }
        _ => false,
    }
}
