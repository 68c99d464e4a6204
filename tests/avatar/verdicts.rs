//! What the model says of each variant, and that it can say otherwise.

use std::time::Duration;

use toctou::case::Method;
use toctou::check::{Limits, LoomOptions, Report, ShuttleMode, audit};
use toctou::models::Model;
use toctou::models::avatar::{Avatar, simulated, with_every_script};

use super::known::{
    assert_each_can_fail, assert_engines_agree, assert_records_speak_of_what_is_there,
    assert_verdicts, broken, claimed, everything,
};
use super::{case, graph, verdict};

#[test]
fn every_verdict_is_what_is_recorded_of_every_script_up_to_three_actions() {
    assert_verdicts(&Avatar, 0..=3);
}

#[test]
fn what_ships_holds_against_every_script_of_four_actions() {
    let mut case = case("pinned", "both", 4);
    // It takes half a minute alone, and longer beside others.
    case.limit(Limits { time: Some(Duration::from_secs(600)), ..Limits::default() });
    let report = case.check(&graph());
    assert!(report.exhaustive() && report.holds(), "{report:#?}");
}

#[test]
fn nothing_is_recorded_of_what_is_not_claimed() {
    assert_records_speak_of_what_is_there(&Avatar);
}

#[test]
fn every_claim_is_broken_by_somebody_and_kept_by_what_ships() {
    let claimed = claimed(&*case("pinned", "both", 1));
    let claimed: Vec<&str> = claimed.iter().map(String::as_str).collect();
    assert_eq!(claimed, ["no-internal-request", "no-internal-content", "no-internal-connection"]);
    let reachable = ["honest-fetch-works", "honest-redirect-works", "an-attack-is-refused"];
    assert_each_can_fail(&Avatar, "pinned", &[&claimed[..], &reachable].concat(), 2);
}

#[test]
fn all_engines_agree_where_they_are_small_enough_to_walk_each_interleaving() {
    assert_engines_agree(&Avatar, 0..=1);
}

/// Each engine finishes this system, no state twice, and finds the same.
fn assert_all_finish_and_agree(variant: &str, scenario: &str, actions: usize) {
    let case = case(variant, scenario, actions);
    let skipping = LoomOptions { skip_known_states: true, ..LoomOptions::default() };
    let methods = [graph(), Method::Loom(skipping), Method::Shuttle(ShuttleMode::KnownStates)];
    let reports = methods.map(|method| case.check(&method));
    assert_eq!(audit(&reports), [], "{variant} {scenario} {actions}");
    assert!(reports.iter().all(Report::exhaustive), "{variant} {scenario} {actions}");
}

/// Two actions are what it takes to break what can be broken: there, too, each engine finishes every
/// variant in every scenario.
#[test]
fn all_engines_agree_about_every_script_of_two_actions() {
    let mut compared = 0;
    for (variant, scenario) in everything(&Avatar) {
        assert_all_finish_and_agree(variant.name, scenario.name, 2);
        compared += 1;
    }
    assert_eq!(compared, Avatar.variants().len() * Avatar.scenarios().len());
}

#[test]
fn loom_and_shuttle_agree_with_the_graph_about_what_ships_and_three_actions() {
    for variant in ["request-hook", "pinned"] {
        assert_all_finish_and_agree(variant, "name-server", 3);
    }
}

/// The published fix looks at the name, and its client looks again.
#[test]
fn the_published_fix_is_overtaken_between_its_own_look_and_its_clients() {
    let case = case("request-hook", "name-server", 1);
    let report = case.check(&graph());
    let schedule = verdict(&report, "no-internal-content").schedule().expect("it is broken");
    let told = case.play(schedule).expect("a schedule of this system");
    let labels: Vec<&str> = told.steps.iter().map(|step| step.label.as_str()).collect();
    assert_eq!(
        labels,
        [
            "resolve(evil.example) = 127.0.0.2",
            "bind evil.example → 127.0.0.3",
            "resolve(evil.example) = 127.0.0.3",
            "connect(127.0.0.3:80) = ok",
            "send(GET http://evil.example/) = ok",
            "receive = 200 \"key\"",
        ]
    );
    assert_eq!(told.steps.last().and_then(|step| step.output.as_deref()), Some("Fetched(\"key\")"));
}

/// It checks each redirect anew, so without another address for the name it is right.
#[test]
fn the_published_fix_holds_where_only_redirects_are_the_attackers() {
    assert!(case("request-hook", "web-server", 3).check(&graph()).holds());
}

/// One address after the other: the first one refuses, and the second is not what was checked.
#[test]
fn of_a_name_with_several_addresses_each_has_to_be_checked() {
    let case = case("control-first-address", "both", 2);
    let report = case.check(&graph());
    let schedule = verdict(&report, "no-internal-request").schedule().expect("it is broken");
    let told = case.play(schedule).expect("a schedule of this system").to_string();
    assert!(told.contains("connect(127.0.0.2:80) = ECONNREFUSED"), "{told}");
    assert!(told.contains("connect(127.0.0.3:80) = ok"), "{told}");
}

#[test]
fn the_scripts_that_are_left_out_change_no_verdict() {
    for (variant, scenario) in everything(&Avatar) {
        for actions in 1..=2 {
            let few = simulated(variant.name, scenario.name, actions).expect("a system");
            let all = with_every_script(variant.name, scenario.name, actions).expect("a system");
            assert!(few.starts().len() < all.starts().len());
            assert_eq!(
                Avatar.conceivable_starts(scenario.name, actions),
                Some(all.starts().len() as u64)
            );
            let (name, scenario) = (variant.name, scenario.name);
            assert_eq!(broken(few), broken(all), "{name} {scenario} {actions}");
        }
    }
    for variant in ["request-hook", "pinned"] {
        let few = simulated(variant, "both", 3).expect("a system");
        let all = with_every_script(variant, "both", 3).expect("a system");
        assert_eq!(broken(few), broken(all), "{variant}");
    }
}
