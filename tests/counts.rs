//! Exact counts: how many executions, states and transitions each engine needs, beside the textbook
//! harnesses and beside stateright. A count that changes is a change in what is explored.

#[path = "peer/mod.rs"]
mod peer;
#[path = "textbook/mod.rs"]
mod textbook;

use std::time::Instant;

use peer::{Order, Peer};
use toctou::check::{
    AnyLimits, Bound, Checker, GraphOptions, LoomOptions, Report, ShuttleMode, System, Verdict,
};
use toctou::fs::{SimFile, SimFs};
use toctou::models::Model;
use toctou::models::download::{Actor, Download, Told, simulated};

type DownloadSystem = System<SimFs, Actor<SimFile>>;

const LANDED: &str = "rename-fixed-name";

fn download(variant: &str, scenario: &str, clients: usize) -> DownloadSystem {
    simulated(variant, scenario, clients).expect("the model has this variant and this scenario")
}

fn variants() -> impl Iterator<Item = &'static str> {
    Download.variants().iter().map(|variant| variant.name)
}

fn every_state() -> GraphOptions {
    GraphOptions { symmetry: false, ..GraphOptions::default() }
}

fn executions(report: &Report) -> u64 {
    report.executions.expect("this engine runs executions")
}

fn exactly_one_delivery(_: &SimFs, told: &[Told]) {
    let delivered = told.iter().filter(|told| matches!(told, Told::Delivered(_)));
    assert_eq!(delivered.count(), 1);
}

#[test]
fn loom_needs_a_twentieth_of_a_textbook_tests_executions() {
    let checker = Checker::new(download(LANDED, "clients", 3));
    let report = checker.loom(&LoomOptions::default());
    assert!(report.exhaustive());
    let ours = executions(&report);
    let textbook = textbook::loom(checker.system(), exactly_one_delivery);
    println!("loom: textbook {textbook}, ours {ours}, {:.1} to 1", textbook as f64 / ours as f64);
    assert_eq!(report.interleavings.to_string(), ours.to_string(), "none twice");
    assert_eq!((textbook, ours), (209_958, 90));
    assert!(textbook >= 20 * ours);
}

// With 3 clients shuttle's own search needs 5,043,247 executions (ours 54), which is more than a test
// should wait for.
#[test]
fn shuttle_needs_far_fewer_executions_than_its_stock_search() {
    let checker = Checker::new(download(LANDED, "clients", 2));
    let ours = executions(&checker.shuttle(ShuttleMode::KnownStates));
    let textbook = textbook::shuttle(checker.system(), exactly_one_delivery);
    println!("shuttle: stock {textbook}, ours {ours}, {:.1} to 1", textbook as f64 / ours as f64);
    assert_eq!((textbook, ours), (1_637, 10));
}

#[test]
fn shuttle_never_needs_more_executions_than_the_graph_has_transitions() {
    // In the other scenarios somebody dies: their systems are of another type.
    let plain = |scenario: &&str| simulated(LANDED, scenario, 2).is_some();
    let twos = Download.scenarios().iter().map(|scenario| scenario.name).filter(plain);
    for (scenario, clients) in twos.map(|scenario| (scenario, 2)).chain([("clients", 3)]) {
        for variant in variants() {
            let checker = Checker::new(download(variant, scenario, clients));
            let transitions = checker.graph(&every_state()).transitions;
            let report = checker.shuttle(ShuttleMode::KnownStates);
            assert!(report.exhaustive(), "{variant} in {scenario}");
            assert!(
                executions(&report) <= transitions.expect("the graph engine counts transitions"),
                "{variant} in {scenario}, {clients} clients: {} executions, {transitions:?} \
                 transitions",
                executions(&report),
            );
        }
    }
}

#[test]
fn at_most_once_is_decided_for_any_number_of_identical_clients() {
    let verdict = |variant, scenario| {
        let report = Checker::new(download(variant, scenario, 2)).any(&AnyLimits::default());
        report.finding("at-most-once").expect("the model claims it").verdict.clone()
    };
    for scenario in ["clients", "janitor"] {
        for safe in [LANDED, "unlink-decides", "claim-file", "advisory-lock"] {
            assert_eq!(verdict(safe, scenario), Verdict::Holds(None), "{safe} in {scenario}");
        }
        for racy in ["open-then-remove", "meta-check-first"] {
            assert_eq!(verdict(racy, scenario), Verdict::Violated(None), "{racy} in {scenario}");
        }
        // Its clients each have a claim name of their own, so they are not identical.
        let unique = verdict("rename-unique-name", scenario);
        assert_eq!(unique, Verdict::Unfinished(Bound::NoClients), "{scenario}");
    }
}

#[test]
fn a_hundred_identical_clients_are_few_states() {
    let checker = Checker::new(download(LANDED, "clients", 100));
    let started = Instant::now();
    let report = checker.graph(&GraphOptions::default());
    println!("100 clients: {:?} states in {:?}", report.states, started.elapsed());
    assert!(report.exhaustive());
    assert!(report.holds());
    assert_eq!(report.states, Some(501));
}

#[test]
fn stateright_finds_as_many_states() {
    for clients in [3, 4] {
        for variant in variants() {
            let system = download(variant, "clients", clients);
            let peer = Peer::of(&system);
            let options = GraphOptions { count_interleavings_up_to: 0, ..every_state() };
            let ours = Checker::new(system).graph(&options).states;
            for order in [Order::Breadth, Order::Depth] {
                let theirs = Some(peer.unique_states(order, 1));
                assert_eq!(ours, theirs, "{variant}, {clients} clients, {order:?}");
            }
        }
    }
}
