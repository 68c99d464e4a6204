//! `write_exclusive`'s operations across power failures: which of its flushes are needed.

use std::path::Path;

use toctou::check::{Checker, GraphOptions, System, Verdict};
use toctou::crash::Crashing;
use toctou::direct::{Code, FileCode};
use toctou::fs::{Mode, Profile, SimFs, User};
use toctou::writer::{NEW_BY_NAME, Op, Options, Outcome, Plan, carry_out};

/// Whether it was written, or somebody died.
type Told = Option<bool>;

fn writer(program: Vec<Op>, replace: bool) -> FileCode<Told> {
    Code::files(move |fs| {
        let plan = Plan {
            program: &program,
            directory: Path::new("d"),
            name: Path::new("P"),
            temporary: Path::new(".P.1"),
            bytes: b"new",
            mode: Mode::RUSR | Mode::WUSR,
            owner: User::current().uid,
            replace,
        };
        Some(carry_out(fs, &plan).outcome == Outcome::Written)
    })
}

/// Writes on this disk, where there is a file or not.
fn writes(
    program: &[Op],
    replace: bool,
    profile: Profile,
    lost_sync: Option<u32>,
) -> System<SimFs, Crashing<FileCode<Told>, Told>> {
    let mut world = SimFs::of(User::current()).with_directory("d", Mode::RWXU).unwrap();
    if replace {
        world = world.with_file("d/P", Mode::RUSR | Mode::WUSR, b"old").unwrap();
    }
    let mut world = world.with_disk(profile);
    if let Some(lost) = lost_sync {
        world = world.with_lost_sync(lost);
    }
    System::new(world)
        .actor("writer", Crashing::program(writer(program.to_vec(), replace), None))
        .actor("power", Crashing::power(None))
        .finally("old-or-new", move |state| {
            let tree = state.world().tree();
            match tree.bytes("d/P") {
                Some(b"old") => replace,
                Some(bytes) => bytes == b"new",
                None => !replace,
            }
        })
        .finally("success-is-kept", |state| {
            let is_written = state.outputs().any(|told| *told == Some(true));
            !is_written || state.world().tree().bytes("d/P") == Some(b"new")
        })
        .reaches("it-is-written", |local| local.output() == Some(&Some(true)))
        .reachable("something-is-lost", |state| state.world().has_lost())
}

/// The profiles with which something breaks.
fn broken(program: &[Op], replace: bool, lost_sync: Option<u32>) -> Vec<Profile> {
    let breaks = |profile: &Profile| {
        let system = writes(program, replace, *profile, lost_sync);
        let report = Checker::new(system).graph(&GraphOptions::default());
        assert!(report.exhaustive());
        for name in ["it-is-written", "something-is-lost"] {
            let reached = &report.finding(name).expect("it is claimed").verdict;
            assert!(matches!(reached, Verdict::Holds(_)), "{profile:?} {name}: {reached:?}");
        }
        !report.holds()
    };
    Profile::ALL.into_iter().filter(breaks).collect()
}

/// What ships: to replace, to make a file, and to make one where there are no files without a name.
fn shipped(durable: bool) -> [(&'static str, bool, Vec<Op>); 3] {
    let options = Options { durable, ..Options::default() };
    let replacing = Options { replace: true, ..options };
    [
        ("new", false, options.program(false)),
        ("new by name", false, options.adapted(NEW_BY_NAME, false)),
        ("replace", true, replacing.program(false)),
    ]
}

#[test]
fn what_is_to_be_durable_is_and_every_flush_is_needed_for_that() {
    for (name, replace, program) in shipped(true) {
        assert_eq!(broken(&program, replace, None), [], "{name}");
        // The file, then its directory.
        for lost in 0..2 {
            let broken = broken(&program, replace, Some(lost));
            assert!(!broken.is_empty(), "the flush {lost} is not needed: {name}");
            println!("{name} without flush {lost} breaks with {broken:?}");
        }
        assert_eq!(broken(&program, replace, Some(2)), [], "{name} flushes twice");
    }
    // Without it, nothing is promised.
    for (name, replace, program) in shipped(false) {
        assert_eq!(broken(&program, replace, None), Profile::ALL, "{name}");
    }
}
