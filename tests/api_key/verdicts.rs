//! What each variant is known for, and that the engines agree about it.

use toctou::case::Method;
use toctou::check::{
    AnyLimits, Checker, Disagreement, GraphOptions, LoomOptions, PropertyKind, Report, ShuttleMode,
    Verdict, audit,
};
use toctou::db::SqlState;
use toctou::models::Model;
use toctou::models::api_key::{ApiKey, Status, numbered, simulated};

use super::{case, everything, graph, verdict};

#[test]
fn every_variant_has_just_the_verdicts_it_is_known_for_with_up_to_four_clients() {
    for (variant, scenario) in everything() {
        for clients in 1..=4 {
            let report = case(variant.name, scenario.name, clients).check(&graph());
            assert!(report.exhaustive());
            for finding in &report.findings {
                let known = variant.is_known_to_break(scenario.name, &finding.property, clients);
                let expected = if known { "violated" } else { "holds" };
                let what =
                    format!("{} {} {clients} {}", variant.name, scenario.name, finding.property);
                assert_eq!(finding.verdict.word(), expected, "{what}");
            }
        }
    }
}

#[test]
fn each_property_is_broken_by_some_variant_and_kept_by_the_one_that_ships() {
    let properties = case("on-conflict-returning", "unique-autocommit", 2).properties();
    for (name, _) in properties.iter().filter(|(_, kind)| *kind != PropertyKind::Reachable) {
        if name == "deadlock-free" {
            continue;
        }
        let breaks = |(variant, scenario): (&toctou::models::Variant, &toctou::models::Scenario)| {
            variant.is_known_to_break(scenario.name, name, 4)
        };
        assert!(everything().any(breaks), "nobody breaks {name}");
        let mut ships = everything().filter(|(variant, scenario)| {
            variant.name == "on-conflict-returning" && scenario.name == "unique-autocommit"
        });
        assert!(!ships.any(breaks), "the one that ships does not keep {name}");
    }
}

/// What the model's head says of identical clients: nothing is missed by their sharing a key.
#[test]
fn a_key_of_its_own_for_each_client_makes_no_difference() {
    for (variant, scenario) in everything() {
        for clients in 1..=3 {
            let system = numbered(variant.name, scenario.name, clients).expect("a system");
            let report = Checker::new(system).graph(&GraphOptions::default());
            let shared = case(variant.name, scenario.name, clients).check(&graph());
            assert!(report.exhaustive() && shared.exhaustive());
            for (one, other) in report.findings.iter().zip(&shared.findings) {
                let what =
                    format!("{} {} {clients} {}", variant.name, scenario.name, one.property);
                assert_eq!((&one.property, one.verdict.word()), (&other.property, other.verdict.word()), "{what}");
            }
        }
    }
}

/// Why READ COMMITTED and autocommit have no scenario with a retry.
#[test]
fn nothing_asks_for_a_retry_at_read_committed() {
    for (variant, scenario) in everything() {
        let weak = ["autocommit", "read-committed"].iter().any(|it| scenario.name.ends_with(it));
        let failing = scenario.name == "unique-repeatable-read";
        if !weak && !failing {
            continue;
        }
        let system = simulated(variant.name, scenario.name, 4).expect("a system");
        let system = system.reaches("asks-for-a-retry", |local| {
            let status = local.output().map(|response| &response.status);
            matches!(status, Some(Status::ServerError(state)) if state.is_worth_a_retry())
        });
        let report = Checker::new(system).graph(&GraphOptions::default());
        let asks = matches!(verdict(&report, "asks-for-a-retry"), Verdict::Holds(_));
        let what = format!("{} {}", variant.name, scenario.name);
        // Where it is asked for, this test sees it: who inserts first and looks then, at a snapshot.
        let snapshot = failing && !["select-then-insert", "select-for-update", "insert-decides"].contains(&variant.name);
        assert_eq!(asks, snapshot, "{what}");
    }
}

/// loom and shuttle get what they can finish in a test's time: every system of one and two clients,
/// and of three where statements are by themselves.
#[test]
fn the_engines_agree_on_every_system_that_loom_and_shuttle_can_finish() {
    const EVERY_INTERLEAVING: u64 = 1_500;
    for (variant, scenario) in everything() {
        let most = if scenario.name.ends_with("autocommit") { 3 } else { 2 };
        for clients in 1..=most {
            let case = case(variant.name, scenario.name, clients);
            let mut reports: Vec<Report> = vec![case.check(&graph())];
            let apart = GraphOptions { symmetry: false, ..GraphOptions::default() };
            reports.push(case.check(&Method::Graph(apart)));
            let paths: u64 = reports[0].interleavings.to_string().parse().expect("counted");
            let options = LoomOptions {
                skip_known_states: paths > EVERY_INTERLEAVING,
                ..LoomOptions::default()
            };
            reports.push(case.check(&Method::Loom(options)));
            reports.push(case.check(&Method::Shuttle(ShuttleMode::KnownStates)));
            let told: Vec<_> = audit(&reports).iter().map(Disagreement::to_string).collect();
            let what = format!("{} {} {clients}", variant.name, scenario.name);
            assert!(told.is_empty(), "{what}: {told:#?}");
            assert!(reports.iter().all(Report::exhaustive), "{what}");
        }
    }
}

/// A response and its row come of one statement, so at most one 201 is at most one row.
#[test]
fn the_one_that_ships_answers_any_number_of_requests() {
    for scenario in ["unique-autocommit", "two-users-autocommit"] {
        let clients = ApiKey.size().representative;
        let any = |variant| case(variant, scenario, clients).check(&Method::Any(AnyLimits::default()));
        let report = any("on-conflict-returning");
        for property in ["one-creator", "no-server-error", "somebody-is-told", "somebody-is-late"] {
            assert!(matches!(verdict(&report, property), Verdict::Holds(_)), "{property}");
        }
        // And it can say no.
        let trusting = any("control-trusts-the-insert");
        assert!(matches!(verdict(&trusting, "one-creator"), Verdict::Violated(_)));
        let original = any("select-then-insert");
        assert!(matches!(verdict(&original, "no-server-error"), Verdict::Violated(_)));
    }
}

/// What a person would see of a violation: each step's statement, and how it ends.
fn told(variant: &str, scenario: &str, clients: usize, property: &str) -> Vec<String> {
    let case = case(variant, scenario, clients);
    let report = case.check(&graph());
    let schedule = verdict(&report, property).schedule().expect("a counterexample");
    let trace = case.play(schedule).expect("a schedule of this system");
    let told = trace.steps.iter().map(|step| {
        let end = step.output.as_ref().map_or(String::new(), |output| format!(" → {output}"));
        format!("{}: {}{end}", step.actor, step.label)
    });
    told.collect()
}

#[test]
fn the_original_stores_two_keys_or_lets_the_constraint_answer_with_a_500() {
    assert_eq!(told("select-then-insert", "bare-autocommit", 2, "one-key"), ["?"]);
    assert_eq!(told("select-then-insert", "unique-autocommit", 2, "no-server-error"), ["?"]);
}

/// No race is needed: the second request is answered 409, and has replaced the key that the first was
/// told.
#[test]
fn the_upsert_takes_away_the_key_that_was_told() {
    assert_eq!(told("upsert-returning", "unique-autocommit", 2, "key-is-valid"), ["?"]);
}

#[test]
fn the_first_published_fix_never_tells_anybody_that_a_key_was_created() {
    assert_eq!(told("on-conflict-select", "unique-autocommit", 1, "creator-told"), ["?"]);
}

/// There is no row to lock yet.
#[test]
fn for_update_locks_nothing_where_there_is_nothing() {
    assert_eq!(told("select-for-update", "unique-serializable", 2, "no-server-error"), ["?"]);
}

/// As others go on overwriting the row, a bounded number of retries is used up.
#[test]
fn the_upsert_uses_up_any_number_of_retries() {
    let schedule = told("upsert-returning", "unique-serializable-retry", 4, "no-server-error");
    assert_eq!(schedule.last().map(String::as_str), Some("?"));
    let failures = schedule.iter().filter(|step| step.starts_with("1:") && step.contains("40001"));
    assert_eq!(failures.count(), 3, "{schedule:#?}");
}
