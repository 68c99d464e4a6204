//! Schedules on real sockets: what breaks in the simulation reaches the internal server, by its own
//! account, and what holds does not.

use toctou::check::{Schedule, Verdict};
use toctou::models::Model;
use toctou::models::avatar::{Avatar, VAULT};
use toctou::net::Visit;
use toctou::replay::{Place, Remains, Replayed, Threads};

use super::known::{assert_what_breaks_breaks_for_real, everything};
use super::{case, graph};

/// What reached the internal server, as it saw it.
fn visits(replayed: &Replayed) -> &[Visit] {
    let Remains::Visits(visits) = &replayed.remains else { panic!("{:?}", replayed.remains) };
    visits.at(VAULT)
}

#[test]
fn every_counterexample_happens_on_loopback_as_simulated() {
    assert_what_breaks_breaks_for_real(&Avatar, |_| 2, 40, |what, error| panic!("{what}: {error}"));
}

#[test]
fn the_forbidden_request_of_every_counterexample_is_in_the_internal_servers_own_log() {
    let mut seen = 0;
    for (variant, scenario) in everything(&Avatar) {
        let case = case(variant.name, scenario.name, 2);
        assert_eq!(case.place(), Place::Loopback);
        for finding in &case.check(&graph()).findings {
            // What cannot be reached has no schedule.
            let Verdict::Violated(Some(schedule)) = &finding.verdict else { continue };
            let what = format!("{} {} {}", variant.name, scenario.name, finding.property);
            let compared = case.replay(schedule, Threads::One).expect("a replay");
            let visits = visits(&compared.real);
            match finding.property.as_str() {
                "no-internal-request" | "no-internal-content" => {
                    assert!(visits.iter().any(Visit::is_request), "{what}: {visits:?}");
                }
                "no-internal-connection" => {
                    assert!(visits.contains(&Visit::Connected), "{what}: {visits:?}");
                }
                other => panic!("{what}: {other}"),
            }
            if finding.property == "no-internal-content" {
                let outputs =
                    compared.real.trace.steps.iter().filter_map(|it| it.output.as_deref());
                assert!(outputs.clone().any(|told| told == "Fetched(\"key\")"), "{what}");
            }
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen}");
}

/// How many of a case's interleavings were made to happen.
fn replayed(variant: &str, scenario: &str, actions: usize, every: usize, most: usize) -> usize {
    let case = case(variant, scenario, actions);
    let mut schedules: Vec<Schedule> = Vec::new();
    let mut count = 0;
    case.interleavings(&mut |schedule| {
        if count % every == 0 {
            schedules.push(schedule.clone());
        }
        count += 1;
        schedules.len() < most
    });
    for schedule in &schedules {
        let compared = case.replay(schedule, Threads::One).expect("a replay");
        let told = &compared.real.trace;
        assert!(compared.agrees(), "{variant} {scenario} {schedule}\n{told}\n{compared:?}");
        if variant == "pinned" {
            assert_eq!(visits(&compared.real), [], "{variant} {scenario} {schedule}\n{told}");
        }
    }
    schedules.len()
}

#[test]
fn what_ships_reaches_nothing_internal_in_any_interleaving_with_one_action() {
    let seen: usize =
        ["name-server", "web-server"].map(|it| replayed("pinned", it, 1, 1, 2_000)).iter().sum();
    println!("{seen} interleavings");
    assert!(seen > 60, "{seen}");
}

#[test]
fn interleavings_with_two_actions_go_on_loopback_as_simulated() {
    for variant in Avatar.variants() {
        let seen = replayed(variant.name, "both", 2, 37, 200);
        assert!(seen > 10, "{} {seen}", variant.name);
    }
}
