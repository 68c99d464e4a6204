//! What each variant is known for, and that the engines agree about it.

use toctou::case::{CaseError, Method};
use toctou::check::{
    AnyLimits, Checker, Disagreement, GraphOptions, LoomOptions, PropertyKind, Report, ShuttleMode,
    Verdict, audit,
};
use toctou::db::Cluster;
use toctou::models::api_key::{ApiKey, Status, numbered, simulated};
use toctou::models::{Model, Scenario, Variant};
use toctou::replay::Threads;

use super::{case, everything, graph, known, verdict};

#[test]
fn every_variant_has_just_the_verdicts_it_is_known_for_with_up_to_four_clients() {
    known::assert_verdicts(&ApiKey, 1..=4);
}

#[test]
fn each_property_is_broken_by_some_variant_and_kept_by_the_one_that_ships() {
    let properties = case("on-conflict-returning", "unique-autocommit", 2).properties();
    for (name, _) in properties.iter().filter(|(_, kind)| *kind != PropertyKind::Reachable) {
        if name == "deadlock-free" {
            continue;
        }
        let breaks = |(variant, scenario): (&Variant, &Scenario)| {
            variant.is_known_to_break(scenario.name, name, 4)
        };
        assert!(everything().any(breaks), "nobody breaks {name}");
        let mut ships = everything().filter(|(variant, scenario)| {
            variant.name == "on-conflict-returning" && scenario.name == "unique-autocommit"
        });
        assert!(!ships.any(breaks), "the one that ships does not keep {name}");
    }
}

/// What the model's page says of identical clients: nothing is missed by their sharing a key.
#[test]
fn a_key_of_its_own_for_each_client_makes_no_difference() {
    for (variant, scenario) in everything() {
        for clients in 1..=3 {
            let system = numbered(variant.name, scenario.name, clients).expect("a system");
            let report = Checker::new(system).graph(&GraphOptions::default());
            let shared = case(variant.name, scenario.name, clients).check(&graph());
            assert!(report.exhaustive() && shared.exhaustive());
            for (one, other) in report.findings.iter().zip(&shared.findings) {
                let what = format!("{} {} {clients} {}", variant.name, scenario.name, one.property);
                assert_eq!(
                    (&one.property, one.verdict.word()),
                    (&other.property, other.verdict.word()),
                    "{what}"
                );
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
        let snapshot = failing
            && !["select-then-insert", "select-for-update", "insert-decides"]
                .contains(&variant.name);
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
        let any =
            |variant| case(variant, scenario, clients).check(&Method::Any(AnyLimits::default()));
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
    let common = [
        "0: SELECT EXISTS (SELECT 1 FROM api_keys WHERE user_id = 1) -- false",
        "1: SELECT EXISTS (SELECT 1 FROM api_keys WHERE user_id = 1) -- false",
        "1: INSERT INTO api_keys (user_id, key) VALUES (1, 'bravo') -- 1 row → 201 bravo",
    ];
    let bare = told("select-then-insert", "bare-autocommit", 2, "one-key");
    assert_eq!(bare[..3], common);
    assert_eq!(
        bare[3..],
        ["0: INSERT INTO api_keys (user_id, key) VALUES (1, 'alpha') -- 1 row → 201 alpha"]
    );
    let unique = told("select-then-insert", "unique-autocommit", 2, "no-server-error");
    assert_eq!(unique[..3], common);
    assert_eq!(
        unique[3..],
        ["0: INSERT INTO api_keys (user_id, key) VALUES (1, 'alpha') -- 23505 → 500 (23505)"]
    );
}

/// No race is needed: the second request is answered 409, and has replaced the key that the first was
/// told.
#[test]
fn the_upsert_takes_away_the_key_that_was_told() {
    let upsert = |client, key, answer| {
        let set = "ON CONFLICT (user_id) DO UPDATE SET key = EXCLUDED.key RETURNING (xmax = 0)";
        format!(
            "{client}: INSERT INTO api_keys (user_id, key) VALUES (1, '{key}') {set} -- {answer}"
        )
    };
    assert_eq!(
        told("upsert-returning", "unique-autocommit", 2, "key-is-valid"),
        [upsert(0, "alpha", "true → 201 alpha"), upsert(1, "bravo", "false → 409")]
    );
}

#[test]
fn the_first_published_fix_never_tells_anybody_that_a_key_was_created() {
    assert_eq!(
        told("on-conflict-select", "unique-autocommit", 1, "creator-told"),
        [
            "0: INSERT INTO api_keys (user_id, key) VALUES (1, 'alpha') ON CONFLICT (user_id) DO NOTHING -- 1 row",
            "0: SELECT key FROM api_keys WHERE user_id = 1 -- 'alpha' → 200 alpha",
        ]
    );
}

/// There is no row to lock yet.
#[test]
fn for_update_locks_nothing_where_there_is_nothing() {
    assert_eq!(
        told("select-for-update", "unique-serializable", 2, "no-server-error"),
        [
            "0: BEGIN ISOLATION LEVEL SERIALIZABLE -- ok",
            "0: SELECT key FROM api_keys WHERE user_id = 1 FOR UPDATE -- no row",
            "1: BEGIN ISOLATION LEVEL SERIALIZABLE -- ok",
            "1: SELECT key FROM api_keys WHERE user_id = 1 FOR UPDATE -- no row",
            "1: INSERT INTO api_keys (user_id, key) VALUES (1, 'bravo') -- 1 row",
            "1: COMMIT -- ok → 201 bravo",
            "0: INSERT INTO api_keys (user_id, key) VALUES (1, 'alpha') -- 40001",
            "0: ROLLBACK -- rolled back → 500 (40001)",
        ]
    );
}

/// As others go on overwriting the row, a bounded number of retries is used up.
#[test]
fn the_upsert_uses_up_its_retries() {
    let schedule = told("upsert-returning", "unique-serializable-retry", 4, "no-server-error");
    let last = schedule.last().map(String::as_str);
    assert_eq!(last, Some("1: ROLLBACK -- rolled back → 500 (40001)"));
    let failures =
        schedule.iter().filter(|step| step.starts_with("1:") && step.ends_with("-- 40001"));
    assert_eq!(failures.count(), 3, "{schedule:#?}");
}

/// A replay did not happen, which is said; and it is wrong unless PostgreSQL is missing.
fn left_out(what: &str, error: CaseError) {
    assert!(error.is_not_here() && Cluster::shared().is_err(), "{what}: {error}");
    crate::throwaway::left_out(what, error);
}

/// Every violation that is known of two clients, and of three where there are two users, on the real
/// database of its scenario.
#[test]
fn what_breaks_in_the_simulation_breaks_in_the_real_database() {
    let clients = |scenario: &Scenario| if scenario.name.starts_with("two-users") { 3 } else { 2 };
    known::assert_what_breaks_breaks_for_real(&ApiKey, clients, 1, left_out);
}

/// Every interleaving of two requests, on the real database of the scenario.
#[test]
fn the_one_that_ships_goes_in_every_interleaving_as_in_the_simulation() {
    const MOST: u64 = 300;
    for scenario in ["unique-autocommit", "unique-read-committed"] {
        let case = case("on-conflict-returning", scenario, 2);
        let report = case.check(&graph());
        assert!(report.findings.iter().all(|finding| finding.verdict.word() == "holds"));
        let all: u64 = report.interleavings.to_string().parse().expect("counted");
        assert!(all > 1, "{scenario} is no race");
        let (mut seen, mut agreed, mut absent) = (0, 0, 0);
        case.interleavings(&mut |schedule| {
            seen += 1;
            // Some from all over, where there are too many.
            if (seen - 1) % all.div_ceil(MOST) > 0 {
                return true;
            }
            match case.replay(schedule, Threads::OneEach) {
                Ok(compared) => {
                    assert!(compared.agrees(), "{scenario} {schedule}: {compared:#?}");
                    agreed += 1;
                }
                Err(error) => {
                    left_out(&format!("{scenario} {schedule}"), error);
                    absent += 1;
                }
            }
            absent == 0
        });
        assert!(absent > 0 || (agreed > 0 && seen == all), "{agreed} of {seen}, of {all}");
        println!("{scenario}: {agreed} of {all}");
    }
}
