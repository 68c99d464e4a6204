//! Random small programs, three ways. The first is the state graph over the simulated file system. The second
//! searches the orders of their calls on the kernel. In the third, the programs run by themselves on the
//! kernel, and are let through one call at a time.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use toctou::case::FsCase;
use toctou::check::System;
use toctou::fs::{Clock, FileSystem, Mode, OFlags, OsFs, SimFs};
use toctou::replay::Outcome;
use toctou::run::{Command, Ended, empty};

/// How many programs of each kind; `TOCTOU_RUN_CASES` sets another number.
fn cases(usual: usize) -> usize {
    std::env::var("TOCTOU_RUN_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn driver() -> &'static Path {
    static ONCE: std::sync::OnceLock<(tempfile::TempDir, PathBuf)> = std::sync::OnceLock::new();
    &ONCE
        .get_or_init(|| {
            let folder = tempfile::tempdir().expect("a temporary directory");
            let program = folder.path().join("driver");
            let code = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/run/driver.c");
            let compiled = Process::new("cc").args(["-O1", "-o"]).arg(&program).arg(code).status();
            assert!(compiled.expect("a C compiler").success());
            (folder, program)
        })
        .1
}

/// The files that the programs begin with.
fn world() -> SimFs {
    let mut world = empty();
    world.mkdir("d", Mode::RWXU).expect("room");
    let flags = OFlags::CREATE | OFlags::WRONLY;
    let mut file = world.open("a", flags, Mode::RUSR | Mode::WUSR).expect("room");
    world.write(&mut file, b"one").expect("room");
    world
}

/// The same on disk.
fn furnish(folder: &Path) {
    std::fs::create_dir(folder.join("d")).expect("room");
    std::fs::write(folder.join("a"), "one").expect("room");
    let mode = |name: &str, mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(folder.join(name), mode).expect("it is there");
    };
    mode("d", 0o700);
    mode("a", 0o600);
}

/// Few names, so that the programs meet.
fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => Just("a"),
        2 => Just("b"),
        1 => Just("d"),
        1 => Just("d/e"),
    ]
}

/// A call of the driver, but for locks.
fn call() -> impl Strategy<Value = String> {
    // What changes something comes more often than what only looks.
    let kinds =
        ["create", "create", "open", "truncate", "unlink", "unlink", "mkdir", "rmdir", "stat"];
    let one = (select(kinds.to_vec()), name());
    let two = (select(vec!["rename", "link", "symlink"]), name(), name());
    prop_oneof![
        4 => one.prop_map(|(call, name)| format!("{call} {name}")),
        3 => two.prop_map(|(call, from, to)| format!("{call} {from} {to}")),
        1 => Just("read".to_owned()),
        1 => select(vec!["write x", "write yy"]).prop_map(str::to_owned),
    ]
}

/// The calls of one program: it may take a lock, once.
fn calls(most: usize) -> impl Strategy<Value = Vec<String>> {
    let plain = prop::collection::vec(call(), most.min(2)..=most);
    let locked = prop::collection::vec(call(), 1..most.max(2)).prop_map(|calls| {
        let lock = ["open a".to_owned(), "lock".to_owned()];
        lock.into_iter().chain(calls).collect::<Vec<_>>()
    });
    prop_oneof![4 => plain, 1 => locked]
}

/// The outcomes of the simulation, which have to be those of the kernel.
fn searched(commands: &[Command]) -> (BTreeSet<Outcome>, u64) {
    searched_in(&world(), commands)
}

/// The same in this world.
fn searched_in(world: &SimFs, commands: &[Command]) -> (BTreeSet<Outcome>, u64) {
    let system = || {
        let all = (2..).zip(commands);
        all.fold(System::new(world.clone()), |system, (number, command)| {
            let process = command.process().expect("it can be run").in_process(number);
            let system = ["EBADF", "EFBIG", "EINVAL"]
                .iter()
                .fold(system, |system, code| system.expects(code));
            system.actor(format!("actor {number}"), process)
        })
        .ends_well(|_| true)
    };
    let examination = system().examine();
    let graph = &examination.reports[0];
    assert!(graph.exhaustive(), "{commands:?}: {examination}");
    let found = FsCase::programs(system()).search(Duration::from_secs(60)).expect("a directory");
    assert!(found.agrees(), "{commands:?}: {found}\n{:#?}\n{:#?}", found.outcomes, found.simulated);
    // The graph has ends of its own, one for each world: what the actors ended with has to be the same.
    let of_graph: BTreeSet<Vec<Option<String>>> =
        examination.ends.iter().map(|end| end.outputs.clone()).collect();
    let of_search: BTreeSet<Vec<Option<String>>> =
        found.simulated.iter().map(|outcome| outcome.outputs.clone()).collect();
    assert_eq!(of_graph, of_search, "{commands:?}");
    (found.outcomes, found.executions)
}

/// A program that stands before its next call, and makes it when it is let.
struct Gated(Child);

impl Gated {
    fn new(calls: &[String], folder: &Path) -> Self {
        let mut driver = Process::new(driver());
        let driver = driver.args(calls).current_dir(folder).env("GATE", "");
        let driver = driver.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Gated(driver.spawn().expect("the driver starts"))
    }

    /// Lets it make its next call, or try to. Whether it has made it.
    fn turn(&mut self) -> bool {
        self.0.stdin.as_mut().expect("a pipe").write_all(b"g").expect("it waits");
        let mut told = [0];
        self.0.stderr.as_mut().expect("a pipe").read_exact(&mut told).expect("it tells");
        told == *b"d"
    }

    fn ended(&mut self) -> Ended {
        let status = self.0.wait().expect("it ends");
        let mut stdout = String::new();
        self.0
            .stdout
            .as_mut()
            .expect("a pipe")
            .read_to_string(&mut stdout)
            .expect("it prints text");
        Ended { status: status.code(), signal: None, stdout, stderr: String::new() }
    }
}

/// The outcomes of the programs by themselves, one call at a time in every order. How many orders there were.
fn by_themselves(programs: &[Vec<String>]) -> (BTreeSet<Outcome>, usize) {
    let (mut outcomes, mut orders) = (BTreeSet::new(), 0);
    // At each place of the way: who goes, and who else could.
    let mut way: Vec<Vec<usize>> = Vec::new();
    loop {
        let folder = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .tempdir_in("/dev/shm")
            .expect("a directory");
        furnish(folder.path());
        let mut actors: Vec<Gated> =
            programs.iter().map(|calls| Gated::new(calls, folder.path())).collect();
        let mut left: Vec<usize> = programs.iter().map(Vec::len).collect();
        let mut outputs: Vec<Option<String>> = vec![None; programs.len()];
        let mut place = 0;
        // Where only those are left to try who wait, and others went before, nothing ends.
        let is_end = loop {
            let is_new = place == way.len();
            if is_new {
                let able = (0..programs.len()).filter(|actor| left[*actor] > 0);
                way.push(able.rev().collect());
            }
            // Who has to wait here is not able to go here.
            let went = loop {
                let Some(actor) = way[place].last().copied() else { break None };
                if actors[actor].turn() {
                    break Some(actor);
                }
                way[place].pop();
            };
            let Some(actor) = went else { break is_new };
            left[actor] -= 1;
            if left[actor] == 0 {
                outputs[actor] = Some(format!("{:?}", actors[actor].ended()));
            }
            place += 1;
        };
        if is_end {
            orders += 1;
            let files = OsFs::open(folder.path()).and_then(|fs| fs.tree()).expect("it can be read");
            outcomes.insert(Outcome { outputs, files: files.to_string() });
        }
        for mut waiting in actors {
            let _ = waiting.0.kill();
            let _ = waiting.0.wait();
        }
        while let Some(place) = way.last_mut() {
            place.pop();
            if place.is_empty() {
                way.pop();
            } else {
                break;
            }
        }
        if way.is_empty() {
            return (outcomes, orders);
        }
    }
}

#[test]
fn random_lists_of_calls_have_the_same_outcomes_three_ways() {
    let mut runner = TestRunner::deterministic();
    let several = prop_oneof![
        3 => prop::collection::vec(calls(3), 2..=2),
        1 => prop::collection::vec(calls(1), 3..=3),
    ];
    let (mut different, mut executions, mut orders) = (0, 0, 0);
    for _ in 0..cases(150) {
        let programs = several.new_tree(&mut runner).expect("a program").current();
        let command = |calls: &Vec<String>| {
            calls.iter().fold(Command::new(driver()), |command, call| command.argument(call))
        };
        let commands: Vec<Command> = programs.iter().map(command).collect();
        let (outcomes, searched) = searched(&commands);
        let (plain, all) = by_themselves(&programs);
        assert_eq!(outcomes, plain, "{programs:?}");
        different += usize::from(outcomes.len() > 1);
        (executions, orders) = (executions + searched, orders + all);
    }
    eprintln!("{different} with several outcomes; {executions} executions for {orders} orders");
    assert!(different * 3 > cases(150), "the order has to make a difference in many of them");
    assert!(executions < orders as u64, "steps that commute are not tried in both orders");
}

/// A call of the driver that takes time, asks for a time or sets one.
fn timed() -> impl Strategy<Value = String> {
    let name = || select(vec!["a", "a", "b", "d", "."]);
    prop_oneof![
        3 => select(vec!["sleep 1", "sleep 2", "sleep 5"]).prop_map(str::to_owned),
        3 => name().prop_map(|name| format!("age {name}")),
        1 => name().prop_map(|name| format!("touch {name}")),
        1 => Just("truncate b".to_owned()),
        1 => select(vec!["rename a b", "unlink a", "link a d/e", "mkdir d/e"]).prop_map(str::to_owned),
    ]
}

/// The kernel's files have the ages that they have in the simulation, in every order.
#[test]
fn random_sleeps_have_the_same_outcomes_on_the_kernel() {
    let mut runner = TestRunner::deterministic();
    let several = prop::collection::vec(prop::collection::vec(timed(), 1..=3), 2..=2);
    let world = world().and_clock(Clock::Sleeps);
    let mut different = 0;
    for _ in 0..cases(60) {
        let programs = several.new_tree(&mut runner).expect("a program").current();
        let command = |calls: &Vec<String>| {
            calls.iter().fold(Command::new(driver()), |command, call| command.argument(call))
        };
        let commands: Vec<Command> = programs.iter().map(command).collect();
        different += usize::from(searched_in(&world, &commands).0.len() > 1);
    }
    eprintln!("{different} with several outcomes");
    assert!(different * 4 > cases(60), "the order has to make a difference in many of them");
}

/// A line of a shell script that does something with files.
fn line() -> impl Strategy<Value = String> {
    let name = || select(vec!["a", "b", "d/e"]);
    prop_oneof![
        name().prop_map(|name| format!("[ -e {name} ] && echo {name}")),
        name().prop_map(|name| format!("echo x > {name}")),
        name().prop_map(|name| format!("echo y >> {name}")),
        name().prop_map(|name| format!("rm {name}")),
        name().prop_map(|name| format!("cat {name}")),
        (name(), name()).prop_map(|(from, to)| format!("mv {from} {to}")),
        (name(), name()).prop_map(|(from, to)| format!("ln {from} {to}")),
        Just("mkdir m && echo made".to_owned()),
        Just("(set -C; : > b) && echo new".to_owned()),
        Just("cd d && echo here > e; cd ..".to_owned()),
    ]
}

#[test]
fn random_shell_scripts_have_the_same_outcomes_on_the_kernel() {
    let mut runner = TestRunner::deterministic();
    let scripts = prop::collection::vec(prop::collection::vec(line(), 1..=2), 2..=2);
    let mut different = 0;
    for _ in 0..cases(50) {
        let scripts = scripts.new_tree(&mut runner).expect("a script").current();
        let commands = scripts.iter().map(|lines| {
            let script = lines.iter().fold(String::new(), |mut script, line| {
                let _ = writeln!(script, "{{ {line}; }} 2>/dev/null");
                script
            });
            Command::shell(script)
        });
        different += usize::from(searched(&commands.collect::<Vec<_>>()).0.len() > 1);
    }
    eprintln!("{different} with several outcomes");
    assert!(different * 4 > cases(50), "the order has to make a difference in many of them");
}
