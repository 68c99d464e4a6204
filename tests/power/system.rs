//! Programs that crash, in a system.

use toctou::check::System;
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
