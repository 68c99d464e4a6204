//! The engines beside their peers, on the same machine, the same world and the same processes:
//! states per second beside stateright, executions and time to verdict beside a textbook loom test
//! and shuttle's own depth-first search. And how the time to verdict grows with what an attacker
//! may do.
//!
//! Nine clients take stateright some twenty seconds a run, four actions of an attacker take our graph
//! some seconds; set `TOCTOU_BENCH_LARGE` for those.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{
    BatchSize, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main,
};
use toctou::Process;
use toctou::check::{
    AnyLimits, Checker, GraphOptions, Interleavings, LoomOptions, Report, ShuttleMode, System,
    Value,
};
use toctou::fs::{SimFile, SimFs};
use toctou::models::credential::{self, program_of, with_program};
use toctou::models::download::{Actor, Told, simulated};
use toctou::models::{api_key, order, transfer};

#[path = "../tests/peer/mod.rs"]
mod peer;
#[path = "../tests/textbook/mod.rs"]
mod textbook;

use peer::{Order, Peer};

const RACY: &str = "open-then-remove";
const LANDED: &str = "rename-fixed-name";

fn download(variant: &str, clients: usize) -> System<SimFs, Actor<SimFile>> {
    simulated(variant, "clients", clients).expect("the model has this variant")
}

/// The racy clients with the one property that the peer has, too.
fn racy(clients: usize) -> System<SimFs, Actor<SimFile>> {
    let full = download(RACY, clients);
    let start = &full.starts()[0];
    System::new(start.world.clone()).clients(clients, start.processes[0].clone()).at_most(
        1,
        "at-most-once",
        |place| match place.output() {
            Some(Told::Delivered(secret)) => Some(secret.clone()),
            _ => None,
        },
    )
}

/// Every state, on so many threads; returns how many there are.
fn graph(system: &Checker<SimFs, Actor<SimFile>>, threads: usize) -> u64 {
    let options = GraphOptions {
        symmetry: false,
        count_interleavings_up_to: 0,
        threads: Some(threads),
        ..GraphOptions::default()
    };
    let report = system.graph(&options);
    assert!(report.exhaustive() && report.interleavings == Interleavings::NotCounted);
    report.states.expect("the graph engine counts states")
}

fn states(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("states");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    for clients in 5..=8 {
        let checker = Checker::new(racy(clients));
        let peer = Peer::of(checker.system());
        let states = graph(&checker, 1);
        group.throughput(Throughput::Elements(states));
        for threads in [1, 2] {
            let id = |name: &str| BenchmarkId::new(format!("{name}, threads {threads}"), clients);
            group.bench_function(id("ours"), |bencher| {
                bencher.iter(|| assert_eq!(graph(&checker, threads), states));
            });
            // Larger ones are compared one run each, below.
            if clients > 6 {
                continue;
            }
            for (name, order) in [
                ("stateright breadth first", Order::Breadth),
                ("stateright depth first", Order::Depth),
            ] {
                group.bench_function(id(name), |bencher| {
                    bencher.iter(|| assert_eq!(peer.unique_states(order, threads), states));
                });
            }
        }
    }
    group.finish();
    let large = std::env::var_os("TOCTOU_BENCH_LARGE").is_some();
    for clients in if large { 7..=9 } else { 7..=8 } {
        beside_stateright(clients);
    }
}

/// Prints states per second of both, and the ratio: one run of the peer, the median of five of ours.
fn beside_stateright(clients: usize) {
    let checker = Checker::new(racy(clients));
    let peer = Peer::of(checker.system());
    for threads in [1, 2] {
        let mut states = 0;
        let mut runs: Vec<_> =
            (0..5).map(|_| timed(|| states = graph(&checker, threads))).collect();
        runs.sort();
        let ours = states as f64 / runs[2].as_secs_f64();
        for order in [Order::Breadth, Order::Depth] {
            let took = timed(|| assert_eq!(peer.unique_states(order, threads), states));
            let theirs = states as f64 / took.as_secs_f64();
            println!(
                "states/{clients} clients, {threads} threads: {states} states; ours {ours:.0}/s, \
                 stateright {order:?} {theirs:.0}/s, ratio {:.1}",
                ours / theirs
            );
        }
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn verdict(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("verdict");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    let checker = Checker::new(download(LANDED, 3));
    let look = |_: &SimFs, told: &[Told]| {
        let delivered = told.iter().filter(|told| matches!(told, Told::Delivered(_)));
        assert_eq!(delivered.count(), 1);
    };
    let skipping = LoomOptions { skip_known_states: true, ..LoomOptions::default() };
    let ours = [
        checker.loom(&LoomOptions::default()),
        checker.loom(&skipping),
        checker.shuttle(ShuttleMode::KnownStates),
    ];
    for report in &ours {
        let executions = report.executions.expect("these run executions");
        println!("verdict/{} {}: {executions} executions", report.engine, report.mode);
    }
    // Too long for more than one run.
    let mut executions = 0;
    let took = timed(|| executions = textbook::loom(checker.system(), look));
    println!("verdict/loom textbook: {executions} executions in {took:.1?}");
    // Three clients are 5,043,247 executions for shuttle's stock search, a minute or more.
    let two = Checker::new(download(LANDED, 2));
    let executions = textbook::shuttle(two.system(), look);
    let ours = two.shuttle(ShuttleMode::KnownStates).executions.unwrap_or_default();
    println!("verdict/shuttle, 2 clients: stock DFS {executions} executions, ours {ours}");
    if std::env::var_os("TOCTOU_BENCH_LARGE").is_some() {
        let executions = textbook::shuttle(checker.system(), look);
        println!("verdict/shuttle stock DFS, 3 clients: {executions} executions");
    }

    group.bench_function("loom, every interleaving", |bencher| {
        bencher.iter(|| black_box(checker.loom(&LoomOptions::default())));
    });
    group.bench_function("loom, skip known states", |bencher| {
        bencher.iter(|| black_box(checker.loom(&skipping)));
    });
    group.bench_function("loom, every interleaving, 2 clients", |bencher| {
        bencher.iter(|| black_box(two.loom(&LoomOptions::default())));
    });
    group.bench_function("loom, textbook, 2 clients", |bencher| {
        bencher.iter(|| textbook::loom(two.system(), look));
    });
    group.bench_function("shuttle, known states", |bencher| {
        bencher.iter(|| black_box(checker.shuttle(ShuttleMode::KnownStates)));
    });
    group.bench_function("shuttle, known states, 2 clients", |bencher| {
        bencher.iter(|| black_box(two.shuttle(ShuttleMode::KnownStates)));
    });
    group.bench_function("shuttle, stock DFS, 2 clients", |bencher| {
        bencher.iter(|| textbook::shuttle(two.system(), look));
    });
    group.bench_function("graph", |bencher| {
        bencher.iter(|| black_box(checker.graph(&GraphOptions::default())));
    });
    group.bench_function("any number of clients", |bencher| {
        bencher.iter(|| black_box(checker.any(&AnyLimits::default())));
    });
    let crowd = Checker::new(download(LANDED, 100));
    group.bench_function("graph, 100 clients", |bencher| {
        bencher.iter(|| assert!(crowd.graph(&GraphOptions::default()).exhaustive()));
    });
    group.finish();
}

/// An attacker's scripts of so many actions at most: to find those that can happen, and to check
/// them all.
fn credential(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("credential");
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    let large = std::env::var_os("TOCTOU_BENCH_LARGE").is_some();
    for variant in ["check-then-write", "link-or-exchange"] {
        for scenario in ["new-shared", "force-shared"] {
            for actions in 1..=if large { 4 } else { 3 } {
                let build = || written(variant, scenario, actions);
                let mut starts = 0;
                let building = timed(|| starts = build().starts().len());
                let checker = Checker::new(build());
                let mut report = None;
                let checking = timed(|| report = Some(checker.graph(&GraphOptions::default())));
                let report = report.expect("it was just made");
                assert!(report.exhaustive());
                eprintln!(
                    "credential/{variant}, {scenario}, {actions} actions: {starts} starts, {} \
                     states; once: {building:.1?} to build, {checking:.1?} to check",
                    report.states.expect("the graph engine counts states"),
                );
                let id = |what: &str| {
                    BenchmarkId::new(format!("{variant}, {scenario}, {what}"), actions)
                };
                group.bench_function(id("build"), |bencher| bencher.iter(build));
                // What a checker has found out it keeps, so each is asked once.
                group.bench_function(id("check"), |bencher| {
                    bencher.iter_batched(
                        || Checker::new(build()),
                        |checker| black_box(checker.graph(&GraphOptions::default())),
                        BatchSize::PerIteration,
                    );
                });
            }
        }
    }
    group.finish();
}

fn written(
    variant: &str,
    scenario: &str,
    actions: usize,
) -> System<SimFs, credential::Actor<SimFile>> {
    let program = program_of(variant, scenario.starts_with("force")).expect("it has this variant");
    with_program(program, scenario, actions).expect("it has this scenario")
}

/// What ships for the database, and what is strictest: the time to its verdict, by every engine.
fn databases(criterion: &mut Criterion) {
    let known = "the model has it";
    for clients in 2..=4 {
        let build =
            || order::simulated("conditional-update", "cancels", clients, true).expect(known);
        engines(criterion, "order/conditional-update, cancels", clients, build);
        let build = || transfer::simulated("ordered", "both-ways", clients).expect(known);
        engines(criterion, "transfer/ordered, both-ways", clients, build);
        let build = || {
            let level = "unique-serializable-retry";
            api_key::simulated("select-for-update", level, clients).expect(known)
        };
        engines(criterion, "api_key/select-for-update, unique-serializable-retry", clients, build);
    }
}

/// The time from a system to its verdict: by the graph, and for two clients by the others, too.
fn engines<W, P>(
    criterion: &mut Criterion,
    name: &str,
    clients: usize,
    build: impl Fn() -> System<W, P>,
) where
    W: Value,
    P: Process<W, Output: Value> + Value,
{
    let mut group = criterion.benchmark_group(format!("databases/{name}"));
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(500));
    let mut report = None;
    let checker = Checker::new(build());
    let took = timed(|| report = Some(checker.graph(&GraphOptions::default())));
    let report = report.expect("it was just made");
    assert!(report.exhaustive() && report.holds());
    let states = report.states.expect("the graph engine counts states");
    println!("databases/{name}: {clients} clients, {states} states; once: {took:.1?}");
    let skipping = LoomOptions { skip_known_states: true, ..LoomOptions::default() };
    type Engine<'a, W, P> = (&'a str, &'a dyn Fn(&Checker<W, P>) -> Report);
    let all: [Engine<'_, W, P>; 3] = [
        ("graph", &|checker| checker.graph(&GraphOptions::default())),
        ("loom, skip known states", &|checker| checker.loom(&skipping)),
        ("shuttle, known states", &|checker| checker.shuttle(ShuttleMode::KnownStates)),
    ];
    for (engine, check) in &all[..if clients == 2 { all.len() } else { 1 }] {
        group.bench_function(BenchmarkId::new(*engine, clients), |bencher| {
            // What a checker has found out it keeps, so each is asked once.
            bencher.iter_batched(
                || Checker::new(build()),
                |checker| assert!(check(&checker).holds()),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, credential, databases, states, verdict);
criterion_main!(benches);
