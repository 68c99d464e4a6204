//! `write_exclusive`'s operations across power failures: which of its flushes are needed.

use std::path::Path;

use toctou::check::{Checker, GraphOptions, System};
use toctou::crash::Crashing;
use toctou::direct::{Code, FileCode};
use toctou::fs::{Mode, Profile, SimFs, User};
use toctou::writer::{Op, Options, Outcome, Plan, carry_out};

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
    options: &Options,
    profile: Profile,
    lost_sync: Option<u32>,
) -> System<SimFs, Crashing<FileCode<Told>, Told>> {
    let replace = options.replace;
    let mut world = SimFs::of(User::current()).with_directory("d", Mode::RWXU).unwrap();
    if replace {
        world = world.with_file("d/P", Mode::RUSR | Mode::WUSR, b"old").unwrap();
    }
    let mut world = world.with_disk(profile);
    if let Some(lost) = lost_sync {
        world = world.with_lost_sync(lost);
    }
    System::new(world)
        .actor("writer", Crashing::program(writer(options.program(false), replace), None))
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
}

/// The profiles with which something breaks.
fn broken(options: &Options, lost_sync: Option<u32>) -> Vec<Profile> {
    let breaks = |profile: &Profile| {
        let report =
            Checker::new(writes(options, *profile, lost_sync)).graph(&GraphOptions::default());
        assert!(report.exhaustive());
        !report.holds()
    };
    Profile::ALL.into_iter().filter(breaks).collect()
}

#[test]
fn what_is_to_be_durable_is_and_every_flush_is_needed_for_that() {
    for replace in [false, true] {
        let options = Options { replace, durable: true, ..Options::default() };
        assert_eq!(broken(&options, None), [], "{options:?}");
        // The file, then its directory.
        for lost in 0..2 {
            let broken = broken(&options, Some(lost));
            assert!(!broken.is_empty(), "the flush {lost} is not needed: {options:?}");
            println!("{options:?} without flush {lost} breaks with {broken:?}");
        }
        assert_eq!(broken(&options, Some(2)), [], "{options:?} flushes twice");
        // Without it, nothing is promised.
        let options = Options { durable: false, ..options };
        assert_eq!(broken(&options, None), Profile::ALL, "{options:?}");
    }
}
