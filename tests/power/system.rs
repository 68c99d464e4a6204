//! Programs that crash, in a system.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};

use toctou::check::{Checker, GraphOptions, ShuttleMode, System, Verdict, audit};
use toctou::crash::Crashing;
use toctou::direct::{Code, Failed};
use toctou::fs::{Mode, Profile, SimFs};
use toctou::std::{fs, io};

type Saved = Result<(), Failed>;

fn before(profile: Profile) -> SimFs {
    SimFs::new().with_file("report", Mode::RUSR, b"old").unwrap().with_disk(profile)
}

fn old_or_new(world: &SimFs) -> bool {
    matches!(world.tree().bytes("report"), Some(b"old" | b"new"))
}

fn saving(
    profile: Profile,
    save: fn() -> io::Result<()>,
) -> System<SimFs, Crashing<Code<toctou::direct::Files<toctou::fs::SimFile>, Saved>, Saved>> {
    System::new(before(profile))
        .actor("saver", Crashing::program(Code::io(save), Ok(())))
        .actor("power", Crashing::power(Ok(())))
        .finally("old-or-new", |state| old_or_new(state.world()))
        .reachable("new", |state| {
            state.world().power_failures() > 0
                && state.world().tree().bytes("report") == Some(b"new")
        })
}

fn without_sync() -> io::Result<()> {
    fs::write("report.new", "new")?;
    fs::rename("report.new", "report")
}

fn with_sync() -> io::Result<()> {
    use std::io::Write;
    let mut file = fs::File::create("report.new")?;
    file.write_all(b"new")?;
    file.sync_all()?;
    fs::rename("report.new", "report")
}

#[test]
fn a_rename_without_an_fsync_leaves_an_empty_file() {
    for profile in Profile::ALL {
        match profile {
            Profile::Sequential => saving(profile, without_sync).assert_holds(),
            _ => drop(saving(profile, without_sync).assert_breaks("old-or-new")),
        }
        saving(profile, with_sync).assert_holds();
    }
}

type Saver = Crashing<Code<toctou::direct::Files<toctou::fs::SimFile>, Saved>, Saved>;

fn saver() -> Saver {
    Crashing::program(Code::io(without_sync), Ok(()))
}

#[test]
fn a_power_failure_without_a_disk_is_a_mistake_of_the_model() {
    let system = |world: SimFs| {
        System::new(world)
            .actor("saver", saver())
            .actor("power", Crashing::power(Ok(())))
            .finally("old-or-new", |state| old_or_new(state.world()))
    };
    let without = SimFs::new().with_file("report", Mode::RUSR, b"old").unwrap();
    let told = system(without.clone()).examine().complaint();
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("this world has no disk: make it with SimFs::with_disk"), "{told}");
    // With one that reorders nothing, it holds.
    system(without.with_disk(Profile::Sequential)).assert_holds();
}

/// What this panics with.
fn panicked<T>(does: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(does()))).expect_err("it panics");
    panic
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| panic.downcast_ref::<&str>().expect("a text").to_string())
}

#[test]
fn what_would_change_nothing_panics_and_says_what_it_is_for() {
    let block = NonZeroUsize::new(4).unwrap();
    let power = || Saver::power(Ok(()));
    let program = || Code::io(without_sync);
    for (told, expected) in [
        (panicked(|| SimFs::new().with_blocks(block)), "with_blocks: this world has no disk"),
        (panicked(|| SimFs::new().with_lost_sync(0)), "with_lost_sync: this world has no disk"),
        (panicked(|| SimFs::new().fail_next_sync()), "fail_next_sync: this world has no disk"),
        (panicked(|| SimFs::new().power_fails()), "power_fails: this world has no disk"),
        (panicked(|| saver().recovering(program())), "`recovering` is for a power"),
        (panicked(|| saver().failing(2)), "`failing` is for a power"),
        (panicked(|| power().failing(0)), "`failing(0)`"),
        (panicked(|| power().again(program())), "`again` is for a program"),
        (panicked(|| power().that_may_be_killed()), "`that_may_be_killed` is for a program"),
        (
            panicked(|| System::new(SimFs::new()).afterwards("power", power())),
            "`afterwards` is for a program",
        ),
        (
            panicked(|| System::new(SimFs::new()).afterwards("next", saver())),
            "there is no program to wait for",
        ),
    ] {
        assert!(told.contains(expected), "{told} and not {expected}");
    }
    // Where each makes sense, none does.
    let _world = SimFs::new().with_disk(Profile::Ext4).with_blocks(block).with_lost_sync(0);
    let _power = power().recovering(program()).failing(2);
    let _program = saver().again(program()).that_may_be_killed();
}

fn first() -> io::Result<()> {
    fs::write("first", "1")?;
    fs::write("first.done", "1")
}

fn second() -> io::Result<()> {
    fs::write("second", "1")?;
    fs::write("second.done", "1")
}

/// Fails where somebody is in the middle, unless it may be.
fn looks() -> io::Result<()> {
    let is_whole = |name: &str| -> io::Result<bool> {
        Ok(fs::exists(name)? == fs::exists(format!("{name}.done"))?)
    };
    match is_whole("first")? && is_whole("second")? {
        true => Ok(()),
        false => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// The last one looks when the others have ended, or at any moment.
fn looking(afterwards: bool, killed: bool) -> System<SimFs, Saver> {
    let program = |code: fn() -> io::Result<()>| Crashing::program(Code::io(code), Ok(()));
    let mortal = |code| if killed { program(code).that_may_be_killed() } else { program(code) };
    let system =
        System::new(SimFs::new()).actor("first", mortal(first)).actor("second", mortal(second));
    let system = match afterwards {
        true => system.afterwards("last", program(looks)),
        false => system.actor("last", program(looks)),
    };
    system.finally("nobody-is-in-the-middle", |state| state.outputs().all(Result::is_ok))
}

#[test]
fn who_comes_afterwards_meets_nobody() {
    looking(true, false).assert_holds();
    // Who died in the middle is met by all.
    looking(true, true).assert_breaks("nobody-is-in-the-middle");
    looking(false, false).assert_breaks("nobody-is-in-the-middle");
    let checker = Checker::new(looking(true, true));
    let graph = checker.graph(&GraphOptions::default());
    let shuttle = checker.shuttle(ShuttleMode::KnownStates);
    assert!(audit(&[graph, shuttle]).is_empty());
}

#[test]
fn who_comes_afterwards_begins_even_if_the_power_failed_before() {
    let program = |code: fn() -> io::Result<()>| Crashing::program(Code::io(code), Ok(()));
    let system = System::new(SimFs::new().with_disk(Profile::Sequential))
        .actor("first", program(first))
        .actor("power", Crashing::power(Ok(())))
        .afterwards("second", program(second))
        .reachable("after-the-failure", |state| {
            state.world().power_failures() > 0
                && state.world().has_lost()
                && state.outputs().count() == 3
                && state.world().tree().bytes("second.done").is_some()
        });
    let report = Checker::new(system).graph(&GraphOptions::default());
    assert!(report.findings.iter().all(|it| matches!(it.verdict, Verdict::Holds(_))), "{report:?}");
}
