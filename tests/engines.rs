//! The engines against one another: on systems made to be hard (deadlocks, waits, loops), on random
//! ones, and on a harness that misses schedules and must be found out.

use std::cell::Cell;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use toctou::check::{
    AnyLimits, Bound, Checker, Disagreement, Engine, GraphOptions, Interleavings, Local,
    LoomOptions, Progress, PropertyKind, Recorder, Report, Schedule, ShuttleMode, Start, State,
    System, Verdict, audit,
};
use toctou::{Process, Step};

const EVERY_STATE: GraphOptions = GraphOptions {
    symmetry: false,
    count_interleavings_up_to: 1_000_000,
    max_states: 1_000_000,
    threads: None,
};

/// What every engine says that runs a system of certain size to the end.
fn opinions<W, P>(checker: &Checker<W, P>) -> Vec<Report>
where
    W: toctou::check::Value,
    P: Process<W, Output: toctou::check::Value> + toctou::check::Value,
{
    vec![
        checker.graph(&GraphOptions::default()),
        checker.graph(&EVERY_STATE),
        checker.loom(&LoomOptions::default()),
        checker.loom(&LoomOptions { skip_known_states: true, ..LoomOptions::default() }),
        checker.shuttle(ShuttleMode::KnownStates),
    ]
}

fn assert_agreement(reports: &[Report]) {
    let disagreements = audit(reports);
    let told: Vec<_> = disagreements.iter().map(Disagreement::to_string).collect();
    assert!(disagreements.is_empty(), "{told:#?}");
}

fn verdict<'a>(report: &'a Report, property: &str) -> &'a Verdict {
    &report.finding(property).expect("a property of the system").verdict
}

/// Takes two locks one after the other, then gives both back.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct TakesBoth {
    order: [usize; 2],
    held: usize,
}

impl Process<[bool; 2]> for TakesBoth {
    type Output = ();

    fn step(self, locked: &mut [bool; 2]) -> Step<Self, ()> {
        match self.order.get(self.held) {
            Some(lock) if locked[*lock] => Step::Blocked(self),
            Some(lock) => {
                locked[*lock] = true;
                Step::Next(TakesBoth { held: self.held + 1, ..self })
            }
            None => {
                *locked = [false; 2];
                Step::Done(())
            }
        }
    }
}

fn philosophers(orders: [[usize; 2]; 3]) -> System<[bool; 2], TakesBoth> {
    orders.into_iter().enumerate().fold(System::new([false; 2]), |system, (number, order)| {
        system.actor(format!("taker {number}"), TakesBoth { order, held: 0 })
    })
}

#[test]
fn every_engine_finds_the_deadlock_of_locks_taken_in_opposite_orders() {
    let checker = Checker::new(philosophers([[0, 1], [1, 0], [0, 1]]));
    let reports = opinions(&checker);
    assert_agreement(&reports);
    for report in &reports {
        let Verdict::Violated(Some(schedule)) = verdict(report, "deadlock-free") else {
            panic!("{}: {:?}", report.engine, report.findings);
        };
        let played = checker.system().play(schedule).expect("a schedule of this system");
        assert!(played.trace.unfinished.len() >= 2, "{}", report.engine);
        assert!(played.trace.unfinished.iter().all(|actor| actor.waits), "{}", report.engine);
    }
    assert_eq!(verdict(&reports[0], "deadlock-free").schedule().map(|s| s.turns.len()), Some(2));
}

#[test]
fn locks_taken_in_one_order_never_deadlock() {
    let reports = opinions(&Checker::new(philosophers([[0, 1], [0, 1], [0, 1]])));
    assert_agreement(&reports);
    for report in &reports {
        assert_eq!(*verdict(report, "deadlock-free"), Verdict::Holds(None), "{}", report.engine);
    }
}

/// Has a buffer on the stack that is larger than the whole stack of one of loom's or shuttle's threads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Buffers;

impl Process<u8> for Buffers {
    type Output = u8;

    fn step(self, world: &mut u8) -> Step<Self, u8> {
        let buffer = std::hint::black_box([*world + 1; 512 << 10]);
        *world = buffer[buffer.len() - 1];
        Step::Done(*world)
    }
}

fn has_room(state: &State<'_, u8, Buffers>) -> bool {
    let buffer = std::hint::black_box([*state.world(); 512 << 10]);
    buffer[buffer.len() - 1] <= 3
}

#[test]
fn a_machine_has_as_much_stack_as_an_ordinary_thread() {
    let system = System::new(0).clients(3, Buffers).always("at most three", has_room);
    let reports = opinions(&Checker::new(system));
    assert_agreement(&reports);
    for report in &reports {
        assert_eq!(*verdict(report, "at most three"), Verdict::Holds(None), "{}", report.engine);
    }
}

/// Goes round until the world says stop; who has gone round once may say so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Spins {
    Looks,
    Stops,
}

impl Process<bool> for Spins {
    type Output = ();

    fn step(self, stop: &mut bool) -> Step<Self, ()> {
        match self {
            Spins::Looks if *stop => Step::Done(()),
            Spins::Looks => Step::Next(Spins::Looks),
            Spins::Stops => {
                *stop = true;
                Step::Done(())
            }
        }
    }
}

#[test]
fn a_loop_has_finitely_many_states_and_infinitely_many_interleavings() {
    let report = Checker::new(spins_until_stopped()).graph(&GraphOptions::default());
    assert_eq!(report.interleavings, Interleavings::Infinite);
    assert_eq!(report.states, Some(3));
    assert!(report.exhaustive());
}

fn spins_until_stopped() -> System<bool, Spins> {
    System::new(false).actor("spins", Spins::Looks).actor("stops", Spins::Stops)
}

/// `waiting` wants the lock that `other` has.
fn wants_what_it_has(waiting: &TakesBoth, other: &TakesBoth) -> bool {
    let wanted = waiting.order.get(waiting.held);
    wanted.is_some_and(|lock| other.order[..other.held].contains(lock))
}

#[test]
fn a_deadlock_is_told_with_who_waits_for_whom() {
    let told = || {
        let system = philosophers([[0, 1], [1, 0], [0, 1]]);
        system.waits_for(|_, waiting, other| wants_what_it_has(waiting, other))
    };
    let report = Checker::new(told()).graph(&GraphOptions::default());
    let schedule = verdict(&report, "deadlock-free").schedule().expect("a deadlock");
    let trace = told().play(schedule).expect("a schedule of this system").trace;
    let waits_for = |actor: usize| trace.unfinished[actor].waits_for.clone();
    assert_eq!([waits_for(0), waits_for(1), waits_for(2)], [vec![1], vec![0], vec![0]].map(Some));
    assert_eq!(trace.standstill().as_deref(), Some("taker 0 → taker 1 → taker 0"));
    let text = trace.to_string();
    let last = text.lines().last().expect("a line");
    assert_eq!(
        last.split_whitespace().collect::<Vec<_>>().join(" "),
        "⋯ waits for taker 1 ⋯ waits for taker 0 ⋯ waits for taker 0"
    );
    // In the middle of it, one that can go on is no deadlock.
    let halfway = told().play(&Schedule::from_start(0, vec![0])).expect("its first step").trace;
    assert_eq!(halfway.standstill(), None);
    assert_eq!(halfway.unfinished[2].waits_for, Some(vec![0]));
}

#[test]
fn who_waits_for_nobody_is_told_as_that_and_nothing_is_told_where_nobody_says() {
    // Both locks are taken, and nobody is there who would give them back.
    let lonely = || {
        let take = TakesBoth { order: [0, 1], held: 0 };
        System::new([true; 2]).actor("taker", take)
    };
    let empty = Schedule::from_start(0, Vec::new());
    let trace = lonely().play(&empty).expect("no step").trace;
    assert_eq!(trace.standstill(), None);
    assert!(trace.to_string().ends_with("⋯ waits\n"), "{trace}");
    let told = lonely().waits_for(|_, waiting, other| wants_what_it_has(waiting, other));
    let trace_told = told.play(&empty).expect("no step").trace;
    assert_eq!(trace_told.standstill().as_deref(), Some("taker waits for nobody"));
    assert!(trace_told.to_string().ends_with("⋯ waits for nobody\n"), "{trace_told}");
    assert!(trace.agrees(&trace_told), "one of them says more, and nothing else");
}

#[test]
fn an_execution_without_end_leaves_engines_that_follow_executions_unfinished() {
    let checker = Checker::new(spins_until_stopped());
    let reports = [
        checker.graph(&GraphOptions::default()),
        checker.loom(&LoomOptions::default()),
        checker.loom(&LoomOptions { skip_known_states: true, ..LoomOptions::default() }),
        checker.shuttle(ShuttleMode::DepthFirst { max_executions: 10 }),
        checker.shuttle(ShuttleMode::KnownStates),
    ];
    assert_agreement(&reports);
    for report in &reports[1..4] {
        assert!(matches!(report.bound, Some(Bound::Turns(_))), "{}: {report:?}", report.mode);
        assert_eq!(verdict(report, "deadlock-free").word(), "unfinished", "{}", report.mode);
    }
    assert!(reports[4].exhaustive(), "known states end an execution that goes round");
    // The slower engines' bounds are no reason not to believe the graph.
    spins_until_stopped().assert_holds();
}

#[test]
#[should_panic(expected = "no execution ever ends")]
fn what_is_claimed_of_the_end_is_not_proved_where_there_is_none() {
    let endless = System::new(false).actor("spins", Spins::Looks);
    endless.finally("anything", |_| false).assert_holds();
}

#[test]
fn an_execution_too_long_for_loom_is_a_bound_and_no_panic() {
    let system = System::new(()).actor("counts", CountsDown(5_000));
    let report = Checker::new(system).loom(&LoomOptions::default());
    assert!(matches!(report.bound, Some(Bound::Turns(_))), "{:?}", report.bound);
}

/// Takes so many steps of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct CountsDown(u32);

impl Process<()> for CountsDown {
    type Output = ();

    fn step(self, (): &mut ()) -> Step<Self, ()> {
        match self.0.checked_sub(1) {
            Some(left) => Step::Next(CountsDown(left)),
            None => Step::Done(()),
        }
    }
}

#[test]
fn a_hundred_and_fifty_clients_are_proved_in_bounded_memory() {
    System::new(()).clients(150, CountsDown(1)).assert_holds();
}

#[test]
#[should_panic(expected = "300 actors, and a recorder takes 256 at most")]
fn a_recorder_refuses_actors_that_its_schedules_cannot_name() {
    let checker = Checker::new(System::new(()).clients(300, CountsDown(1)));
    let _ = checker.recorder();
}

#[test]
fn as_many_executions_as_you_like_is_a_bound_loom_takes() {
    let options = LoomOptions { max_executions: u64::MAX, ..LoomOptions::default() };
    let report = Checker::new(race(2)).loom(&options);
    assert!(report.exhaustive());
}

#[test]
fn any_number_says_nothing_of_clients_of_whom_there_is_no_example() {
    let system = System::new(0)
        .clients(0, LooksThenTakes::Takes)
        .clients(1, LooksThenTakes::Looks)
        .at_most(0, "nobody-takes-twice", |local| local.output().copied());
    let report = Checker::new(system).any(&AnyLimits::default());
    assert_eq!(report.bound, Some(Bound::NoClients));
}

#[test]
fn clients_of_two_kinds_have_names_of_their_own() {
    let system = System::new(0).clients(1, LooksThenTakes::Looks).clients(2, LooksThenTakes::Takes);
    let names: Vec<_> = system.actors().iter().map(String::as_str).collect();
    assert_eq!(names, ["client 1", "client 2", "client 3"]);
}

#[test]
fn a_schedule_for_nobody_is_refused_in_words() {
    let nobody = System::<u8, LooksThenTakes>::new(0);
    let error = nobody.play(&Schedule::of(vec![0])).err().expect("there is no actor 0");
    assert_eq!(error.to_string(), "step 1 names actor 0, and there are only 0");
}

#[test]
fn probabilistic_testing_takes_systems_in_which_nothing_is_concurrent() {
    let mode = ShuttleMode::Pct { executions: 5, depth: 0, seed: 1 };
    for actors in [0, 1, 2] {
        let report = Checker::new(race(actors)).shuttle(mode);
        assert_eq!(report.bound, Some(Bound::Sampled(5)));
    }
}

/// Looks, then acts: the smallest race there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum LooksThenTakes {
    Looks,
    Takes,
}

impl Process<u8> for LooksThenTakes {
    type Output = bool;

    fn step(self, taken: &mut u8) -> Step<Self, bool> {
        match self {
            LooksThenTakes::Looks if *taken > 0 => Step::Done(false),
            LooksThenTakes::Looks => Step::Next(LooksThenTakes::Takes),
            LooksThenTakes::Takes => {
                *taken += 1;
                Step::Done(true)
            }
        }
    }
}

fn race(clients: usize) -> System<u8, LooksThenTakes> {
    System::new(0)
        .clients(clients, LooksThenTakes::Looks)
        .at_most(1, "one-taker", |local| local.output().filter(|took| **took).map(|_| ()))
        .reachable("a-taker", |state| *state.world() > 0)
}

#[test]
fn shuttles_own_depth_first_search_walks_every_interleaving_there_is() {
    for clients in [1, 2, 3] {
        let checker = Checker::new(race(clients));
        let depth_first = ShuttleMode::DepthFirst { max_executions: 50_000 };
        let reports = [checker.graph(&EVERY_STATE), checker.shuttle(depth_first)];
        assert_agreement(&reports);
        assert!(reports[1].exhaustive());
        assert_eq!(reports[0].interleavings, reports[1].interleavings);
    }
}

/// A harness on shuttle as one writes it at first: the main thread is actor 0, starts the others
/// and steps. `spawn` is no scheduling point there, so nobody ever steps before it.
fn leaky_harness(checker: &Checker<u8, LooksThenTakes>) -> Report {
    type Shared = Arc<Mutex<toctou::check::Execution<u8, LooksThenTakes>>>;
    fn act(execution: &Shared, actor: usize) {
        loop {
            let progress = execution.lock().expect("no property panics").step(actor);
            if progress != Progress::Stepped {
                return;
            }
            shuttle::thread::yield_now();
        }
    }
    let recorder: Arc<Recorder<_, _>> = checker.recorder();
    let noted = recorder.clone();
    shuttle::check_dfs(
        move || {
            let execution: Shared = Arc::new(Mutex::new(noted.execution()));
            let others: Vec<_> = (1..3)
                .map(|actor| {
                    let execution = execution.clone();
                    shuttle::thread::spawn(move || act(&execution, actor))
                })
                .collect();
            act(&execution, 0);
            for other in others {
                other.join().expect("no property panics");
            }
        },
        None,
    );
    recorder.report(Engine::Shuttle, "leaky", None, true, Duration::ZERO)
}

#[test]
fn the_audit_finds_out_a_harness_that_misses_schedules() {
    // Told apart, so that it shows who came first.
    let system = (0..3).fold(System::new(0), |system, number| {
        system.actor(format!("client {number}"), LooksThenTakes::Looks)
    });
    let checker = Checker::new(system);
    let graph = checker.graph(&GraphOptions::default());
    let leaky = leaky_harness(&checker);
    assert!(leaky.exhaustive(), "it believes to have seen all there is");
    let disagreements = audit(&[graph.clone(), leaky]);
    let counts = disagreements.iter().find_map(|found| match found {
        Disagreement::Interleavings { left_count, right_count, .. } => {
            Some((left_count.clone(), right_count.clone()))
        }
        _ => None,
    });
    let counts = counts.expect("fewer interleavings than there are");
    assert_eq!(graph.interleavings, Interleavings::Exactly(counts.0.clone()));
    assert!(counts.1 < counts.0, "{counts:?}");
    let outcomes = disagreements.iter().any(|d| matches!(d, Disagreement::Outcomes { .. }));
    assert!(outcomes, "the outcomes in which another comes first are missing: {disagreements:?}");
    // The control of the control: our own harness on the same system passes.
    assert_agreement(&opinions(&checker));
}

#[test]
fn sampling_finds_the_race_among_many_and_never_claims_a_proof() {
    let checker = Checker::new(race(12));
    for mode in [
        ShuttleMode::Random { executions: 50, seed: 1 },
        ShuttleMode::Pct { executions: 200, depth: 3, seed: 1 },
    ] {
        let report = checker.shuttle(mode);
        let Verdict::Violated(Some(schedule)) = verdict(&report, "one-taker") else {
            panic!("{mode:?} found nothing: {report:?}");
        };
        assert!(checker.system().play(schedule).is_ok(), "in our notation");
        assert!(!report.exhaustive());
    }
    // One client alone does nothing wrong, and random executions do not prove it.
    let alone = Checker::new(race(1)).shuttle(ShuttleMode::Random { executions: 50, seed: 1 });
    let unfinished = Verdict::Unfinished(Bound::Sampled(50));
    assert_eq!(*verdict(&alone, "one-taker"), unfinished);
}

#[test]
fn bounds_are_told_by_every_engine_and_prove_nothing() {
    let checker = Checker::new(race(4));
    let report = checker.loom(&LoomOptions { max_executions: 1, ..LoomOptions::default() });
    assert!(matches!(report.bound, Some(Bound::Executions(_))), "{:?}", report.bound);
    assert_eq!(report.finding("deadlock-free").map(|f| f.verdict.word()), Some("unfinished"));
    let report = checker.shuttle(ShuttleMode::DepthFirst { max_executions: 3 });
    assert_eq!(report.finding("deadlock-free").map(|f| f.verdict.word()), Some("unfinished"));
    let report = Checker::new(race(6)).loom(&LoomOptions::default());
    let too_many = Bound::Actors { actors: 6, limit: 5, engine: Engine::Loom };
    assert_eq!(report.bound, Some(too_many));
    assert!(report.findings.iter().all(|f| f.verdict.word() == "unfinished"));
}

#[test]
fn any_number_needs_interchangeable_clients_and_a_world_that_does_not_grow_with_them() {
    let named = System::new(0u8).actor("only", LooksThenTakes::Looks);
    let report = Checker::new(named).any(&AnyLimits::default());
    assert_eq!(report.bound, Some(Bound::NoClients));

    /// Adds one and is done.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Adds;
    impl Process<u64> for Adds {
        type Output = u64;
        fn step(self, sum: &mut u64) -> Step<Self, u64> {
            *sum += 1;
            Step::Done(*sum)
        }
    }
    let growing = System::new(0)
        .clients(2, Adds)
        .at_most(1, "numbers-differ", |local| local.output().copied())
        .at_most(0, "nobody-is-third", |local| local.output().filter(|n| **n == 3).copied());
    let report = Checker::new(growing).any(&AnyLimits { max_configurations: 500 });
    assert!(matches!(report.bound, Some(Bound::Configurations(_))));
    assert_eq!(verdict(&report, "numbers-differ").word(), "unfinished");
    assert_eq!(verdict(&report, "nobody-is-third").word(), "violated", "found before the bound");
}

#[test]
fn a_system_without_actors_has_one_interleaving_and_one_outcome() {
    let reports = opinions(&Checker::new(System::<u8, LooksThenTakes>::new(7)));
    assert_agreement(&reports);
    for report in reports {
        assert_eq!(report.outcomes.map(|outcomes| outcomes.len()), Some(1), "{}", report.engine);
    }
}

/// A process given by a table: for each world and place, what a step does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Tabled {
    table: Arc<Vec<Entry>>,
    place: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Entry {
    Blocked,
    Goes { world: usize, ahead: usize },
}

const WORLDS: usize = 3;
const PLACES: usize = 3;

impl Process<usize> for Tabled {
    type Output = usize;

    fn step(self, world: &mut usize) -> Step<Self, usize> {
        match self.table[*world * PLACES + self.place] {
            Entry::Blocked => Step::Blocked(self),
            // Always ahead, so that every execution ends.
            Entry::Goes { world: next, ahead } => {
                let came_from = std::mem::replace(world, next);
                match self.place + ahead {
                    place if place < PLACES => Step::Next(Tabled { place, ..self }),
                    _ => Step::Done(came_from),
                }
            }
        }
    }
}

fn count(of: &Cell<u32>, such: bool) {
    of.set(of.get() + u32::from(such));
}

fn tables() -> impl Strategy<Value = Arc<Vec<Entry>>> {
    let entry = prop_oneof![
        1 => Just(Entry::Blocked),
        5 => (0..WORLDS, 1..3usize).prop_map(|(world, ahead)| Entry::Goes { world, ahead }),
    ];
    prop::collection::vec(entry, WORLDS * PLACES).prop_map(Arc::new)
}

fn tabled(
    clients: usize,
    table: &Arc<Vec<Entry>>,
    other: &Arc<Vec<Entry>>,
) -> System<usize, Tabled> {
    let system = System::new(0)
        .clients(clients, Tabled { table: table.clone(), place: 0 })
        .actor("other", Tabled { table: other.clone(), place: 0 });
    claims(system)
}

fn claims(system: System<usize, Tabled>) -> System<usize, Tabled> {
    system
        .at_most(1, "one-from-each-world", |local| local.output().copied())
        .always("not-all-in-the-middle", |state| {
            !state.locals().all(|local| local.output().is_none() && *state.world() == 2)
        })
        .finally("ends-elsewhere", |state| *state.world() != 1)
        .reachable("comes-to-world-2", |state| *state.world() == 2)
        .reaches("ends-from-world-0", |local| local.output() == Some(&0))
}

#[test]
fn all_engines_agree_on_random_systems() {
    let mut runner =
        TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
    let (deadlocks, violations, proofs) = (Cell::new(0), Cell::new(0), Cell::new(0));
    runner
        .run(&(tables(), tables()), |(table, other)| {
            let reports = opinions(&Checker::new(tabled(2, &table, &other)));
            assert_agreement(&reports);
            count(&deadlocks, verdict(&reports[0], "deadlock-free").word() == "violated");
            count(&violations, verdict(&reports[0], "one-from-each-world").word() == "violated");
            count(&proofs, verdict(&reports[0], "one-from-each-world").word() == "holds");
            Ok(())
        })
        .unwrap();
    assert!(deadlocks.get() > 10 && violations.get() > 10 && proofs.get() > 10);
}

#[test]
fn any_number_of_clients_covers_every_number_of_them() {
    let mut runner =
        TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let (proofs, refutations) = (Cell::new(0), Cell::new(0));
    runner
        .run(&(tables(), tables()), |(table, other)| {
            let any = Checker::new(tabled(1, &table, &other)).any(&AnyLimits::default());
            prop_assert!(any.exhaustive());
            for property in ["one-from-each-world", "ends-from-world-0"] {
                let with = |clients| {
                    let checker = Checker::new(tabled(clients, &table, &other));
                    let report = checker.graph(&GraphOptions::default());
                    verdict(&report, property).word()
                };
                let few: Vec<_> = (0..=6).map(with).collect();
                let for_any = verdict(&any, property).word();
                if property == "one-from-each-world" {
                    // Violated for any number exactly if for some number, and six are enough for
                    // tables as small as these.
                    prop_assert_eq!(for_any == "violated", few.contains(&"violated"), "{:?}", few);
                    count(&proofs, for_any == "holds");
                    count(&refutations, for_any == "violated");
                } else {
                    prop_assert_eq!(for_any == "holds", few.contains(&"holds"), "{:?}", few);
                }
            }
            Ok(())
        })
        .unwrap();
    assert!(proofs.get() > 20 && refutations.get() > 20);
}

#[test]
#[should_panic(
    expected = "always `one-taker` is violated (4 of 6 interleavings), soonest by [0, 1, 1, 0]"
)]
fn a_proof_that_fails_shows_the_shortest_interleaving() {
    race(2).assert_holds();
}

#[test]
fn a_negative_control_passes_only_where_the_property_breaks() {
    let report = race(2).assert_breaks("one-taker");
    assert_eq!(report.finding("one-taker").and_then(|f| f.violating.clone()), Some(4u32.into()));
    assert!(std::panic::catch_unwind(|| race(1).assert_breaks("one-taker")).is_err());
}

fn three(starts: Vec<Start<usize, Tabled>>) -> System<usize, Tabled> {
    claims(System::family(&["client 1", "client 2", "other"], starts))
}

/// Random ways to begin, the first of them there twice, and last one that the first leads to, so
/// that it is known when its turn comes.
fn ways() -> impl Strategy<Value = Vec<Start<usize, Tabled>>> {
    let way = (tables(), tables(), 0..WORLDS).prop_map(|(table, other, world)| {
        let process = |table: &Arc<Vec<Entry>>| Tabled { table: table.clone(), place: 0 };
        let processes = vec![process(&table), process(&table), process(&other)];
        Start { name: format!("world {world}"), world, processes }
    });
    prop::collection::vec(way, 1..4).prop_map(|mut starts| {
        starts.push(starts[0].clone());
        let first = three(vec![starts[0].clone()]);
        let played = first.play(&Schedule::of(vec![0])).expect("an actor can always be tried");
        if let Local::Running(stepped) = &played.locals[0] {
            let mut processes = starts[0].processes.clone();
            processes[0] = stepped.clone();
            starts.push(Start { name: "a step on".into(), world: played.world, processes });
        }
        starts
    })
}

#[test]
fn a_system_that_begins_in_several_ways_is_all_of_them_together() {
    let mut runner =
        TestRunner::new(Config { cases: 150, failure_persistence: None, ..Config::default() });
    let (later, violations, proofs) = (Cell::new(0), Cell::new(0), Cell::new(0));
    runner
        .run(&ways(), |starts| {
            let reports = opinions(&Checker::new(three(starts.clone())));
            assert_agreement(&reports);
            for report in &reports {
                prop_assert_eq!(report.starts, starts.len() as u64, "{}", report.mode);
            }
            let alone: Vec<_> = starts.iter().map(|start| three(vec![start.clone()])).collect();
            let mut ends = HashSet::new();
            for system in &alone {
                system.interleavings(&mut |schedule| {
                    let end = system.play(schedule).expect("one of its own");
                    ends.insert((end.world, end.locals));
                    true
                });
            }
            prop_assert_eq!(reports[0].outcomes.as_ref().map(|set| set.len()), Some(ends.len()));
            let alone: Vec<_> = alone
                .into_iter()
                .map(|system| Checker::new(system).graph(&GraphOptions::default()))
                .collect();
            let number = |report: &Report| match &report.interleavings {
                Interleavings::Exactly(number) => number.clone(),
                other => panic!("every execution ends: {other:?}"),
            };
            prop_assert_eq!(number(&reports[0]), alone.iter().map(number).sum());
            for finding in &reports[0].findings {
                let alone: Vec<_> =
                    alone.iter().filter_map(|report| report.finding(&finding.property)).collect();
                let shown =
                    if finding.kind == PropertyKind::Reachable { "holds" } else { "violated" };
                let some = alone.iter().any(|finding| finding.verdict.word() == shown);
                prop_assert_eq!(finding.verdict.word() == shown, some, "{}", finding.property);
                // A shortest one, from the first start that has one as short.
                let schedules = alone.iter().enumerate().filter_map(|(start, finding)| {
                    Some((finding.verdict.schedule()?.turns.len(), start))
                });
                let found = finding.verdict.schedule();
                let found = found.map(|schedule| (schedule.turns.len(), schedule.start));
                prop_assert_eq!(found, schedules.min(), "{}", finding.property);
                let violating = alone.iter().filter_map(|finding| finding.violating.clone()).sum();
                prop_assert_eq!(finding.violating.clone().unwrap_or_default(), violating);
                count(&violations, finding.verdict.word() == "violated");
                count(&proofs, finding.verdict == Verdict::Holds(None));
                count(&later, found.is_some_and(|(_, start)| start > 0));
            }
            Ok(())
        })
        .unwrap();
    assert!(later.get() > 10 && violations.get() > 10 && proofs.get() > 10);
}

/// Fifty ways to begin, in one of which there is something to race for.
fn one_of_fifty() -> System<u8, LooksThenTakes> {
    let way = |taken: u8| Start {
        name: format!("{taken} taken; both clients are about to look"),
        world: (taken + 33) % 50,
        processes: vec![LooksThenTakes::Looks; 2],
    };
    System::family(&["client 1", "client 2"], (0..50).map(way).collect()).at_most(
        1,
        "one-taker",
        |local| local.output().filter(|took| **took).map(|_| ()),
    )
}

#[test]
fn what_breaks_in_one_of_fifty_ways_to_begin_is_found_and_its_start_named() {
    let checker = Checker::new(one_of_fifty());
    let reports = opinions(&checker);
    assert_agreement(&reports);
    for report in &reports {
        let Verdict::Violated(Some(schedule)) = verdict(report, "one-taker") else {
            panic!("{}: {report:?}", report.engine);
        };
        assert_eq!((schedule.start, schedule.turns.len()), (17, 4), "{}", report.engine);
    }
    let schedule = verdict(&reports[0], "one-taker").schedule().expect("it is violated");
    assert_eq!(schedule.to_string(), "17: [0, 1, 1, 0]");
    let told = checker.system().play(schedule).expect("one of its own").trace.to_string();
    assert_eq!(told.lines().next(), Some("17 taken; both clients are about to look"));
    let mut walked = 0;
    checker.system().interleavings(&mut |schedule| {
        walked += 1;
        assert!(checker.system().play(schedule).is_ok());
        true
    });
    // Two looks in vain in either order; the race has six.
    assert_eq!(walked, 49 * 2 + 6);
    assert_eq!(reports[0].interleavings.to_string(), walked.to_string());
}

#[test]
#[should_panic(
    expected = "soonest by 17: [0, 1, 1, 0]:\n\n17 taken; both clients are about to look\n"
)]
fn a_proof_that_fails_names_the_start() {
    one_of_fifty().assert_holds();
}

#[test]
fn bounds_are_for_all_starts_together() {
    let checker = Checker::new(one_of_fifty());
    let loom = checker.loom(&LoomOptions { max_executions: 64, ..LoomOptions::default() });
    assert!(matches!(loom.bound, Some(Bound::Executions(64..128))), "{:?}", loom.bound);
    let shuttle = checker.shuttle(ShuttleMode::DepthFirst { max_executions: 64 });
    assert_eq!(shuttle.bound, Some(Bound::Executions(64)));
    let random = checker.shuttle(ShuttleMode::Random { executions: 20, seed: 1 });
    assert_eq!(random.bound, Some(Bound::Sampled(20)));
    for report in [loom, shuttle, random] {
        assert!(report.starts < 50, "{}: {}", report.mode, report.starts);
        assert_eq!(verdict(&report, "deadlock-free").word(), "unfinished");
    }
}

#[test]
fn any_number_takes_clients_however_the_system_begins() {
    let with = |worlds: std::ops::Range<u8>| {
        let start = |world| Start { name: format!("{world} taken"), world, processes: Vec::new() };
        let system = System::family(&[], worlds.map(start).collect())
            .clients(1, LooksThenTakes::Looks)
            .at_most(1, "one-taker", |local| local.output().filter(|took| **took).map(|_| ()));
        Checker::new(system).any(&AnyLimits { max_configurations: 100 })
    };
    assert_eq!(verdict(&with(1..4), "one-taker").word(), "holds");
    assert_eq!(verdict(&with(0..1), "one-taker").word(), "violated");
    assert_eq!(
        Checker::new(one_of_fifty()).any(&AnyLimits::default()).bound,
        Some(Bound::NoClients)
    );
}

#[test]
fn a_schedule_is_read_as_it_is_written() {
    for schedule in [
        Schedule::default(),
        Schedule::of(vec![0, 1, 1, 0]),
        Schedule::from_start(7, vec![0, 12]),
        Schedule::from_start(2_000, Vec::new()),
    ] {
        assert_eq!(schedule.to_string().parse(), Ok(schedule));
    }
    assert_eq!(" 7 :0 1".parse(), Ok(Schedule::from_start(7, vec![0, 1])));
    assert_eq!("0: [1]".parse(), Ok(Schedule::of(vec![1])));
    let refused = |text: &str| text.parse::<Schedule>().expect_err(text).to_string();
    assert_eq!(
        refused("x: [0]"),
        "`x` is not a start's index; a schedule from start 7 looks like 7: [0, 1, 1, 0]"
    );
    for half in ["[0, 1", "7: 0, 1]"] {
        assert!(refused(half).contains("has one bracket of two"), "{half}");
    }
    assert_eq!(
        refused("7: [y]"),
        "`y` is not an actor's index; a schedule looks like [0, 1, 1, 0]; or [0, 1#2] where actor 1 goes the way of index 2, or [0, 1~1] where an old value is read"
    );
}

#[test]
fn a_schedule_from_a_start_that_is_not_there_is_refused_in_words() {
    let error = one_of_fifty().play(&Schedule::from_start(50, vec![0])).err();
    let told = error.map(|error| error.to_string());
    let expected = "the schedule begins with start 50, and there are only 50 (0 to 49)";
    assert_eq!(told.as_deref(), Some(expected));
}

#[test]
#[should_panic(expected = "a system begins in one way at least")]
fn a_system_that_cannot_begin_is_refused() {
    let _ = System::<u8, LooksThenTakes>::family(&[], Vec::new());
}

#[test]
#[should_panic(expected = "start `alone` has 1 processes for 2 actors")]
fn a_start_without_a_process_for_every_actor_is_refused() {
    let alone = Start { name: "alone".into(), world: 0, processes: vec![LooksThenTakes::Looks] };
    let _ = System::family(&["client 1", "client 2"], vec![alone]);
}
