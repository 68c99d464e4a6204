//! `credential` where the writer dies: it is killed, or its machine loses power. Fourth floor: imports
//! [`crash`](crate::crash) and its neighbours.

use std::path::Path;

use super::actors::{Told, Victim, write};
use super::{OLD, PRIVATE, SECRET, SHORT, TEMPORARY, file, program_of};
use crate::case::{Case, FsCase, actors_by_start};
use crate::check::{Local, Start, System};
use crate::crash::Crashing;
use crate::direct::Code;
use crate::fs::{Errno, FileSystem, Mode, OsFs, SimFile, SimFs, User, recorded_step};
use crate::models::{Crash, ends_with};
use crate::replay::Furnished;
use crate::writer::Plan;

/// Anybody in a system that crashes.
type Mortals<File> = Crashing<Victim<File>, Told>;

/// How it begins: whether a file is there, whether it is replaced, and whether writes are short.
#[derive(Clone, Copy, Debug)]
struct Beginning {
    has_file: bool,
    force: bool,
    is_short: bool,
}

/// There is nothing to replace, or it is replaced.
const BEGINNINGS: [Beginning; 6] = {
    const fn begins(has_file: bool, force: bool, is_short: bool) -> Beginning {
        Beginning { has_file, force, is_short }
    }
    [
        begins(false, false, false),
        begins(false, false, true),
        begins(false, true, false),
        begins(false, true, true),
        begins(true, true, false),
        begins(true, true, true),
    ]
};

/// How many ways there are to begin.
pub(super) const STARTS: u64 = BEGINNINGS.len() as u64;

/// The directory that is there where a file was.
const HAD: &str = "had";

impl Beginning {
    fn told(self) -> String {
        let first = if self.has_file { "victim's file" } else { "absent" };
        let force = if self.force { ", force" } else { "" };
        let short = if self.is_short { ", short writes" } else { "" };
        format!("{first}{force}{short}")
    }

    fn world(self, crash: Crash) -> Result<SimFs, Errno> {
        let mut fs = SimFs::of(User::current()).with_directory("tmp", Mode::RWXU)?;
        if self.has_file {
            fs.mkdir(HAD, Mode::RWXU)?;
            file(&mut fs, Path::new("tmp/P"), PRIVATE, OLD)?;
        }
        let fs = fs.with_short_writes(self.is_short.then_some(SHORT));
        Ok(match crash.profile() {
            Some(profile) => fs.with_disk(profile),
            None => fs,
        })
    }

    fn victim(self, variant: &str) -> Option<Victim<SimFile>> {
        let program = program_of(variant, self.force)?;
        Some(Code::files(move |fs| {
            let plan = Plan {
                program: &program,
                directory: Path::new("tmp"),
                name: Path::new("P"),
                temporary: Path::new(TEMPORARY),
                bytes: SECRET,
                mode: PRIVATE,
                owner: User::current().uid,
                replace: self.force,
            };
            write(fs, &plan)
        }))
    }
}

/// The system, and the same on the kernel.
pub(super) fn case(variant: &str, crash: Crash) -> Option<Box<dyn Case>> {
    let mut starts = Vec::new();
    for beginning in BEGINNINGS {
        let victim = Crashing::program(beginning.victim(variant)?, Told::Died);
        let processes = match crash {
            Crash::Killed => vec![victim.that_may_be_killed()],
            _ => vec![victim, Crashing::power(Told::Recovered)],
        };
        let (name, world) = (beginning.told(), beginning.world(crash).ok()?);
        starts.push(Start { name, world, processes });
    }
    let actors: &[&str] = if crash == Crash::Killed { &["victim"] } else { &["victim", "power"] };
    let system = claimed(System::family(actors, starts).described_by(recorded_step), crash);
    let actors = actors_by_start(&system, |actor| actor.map(|victim| victim.over_files()));
    let kernel = Furnished::like(&system, actors)
        .adjusted(|start, fs: OsFs| {
            let is_short = BEGINNINGS.get(start).is_some_and(|it| it.is_short);
            fs.with_short_writes(is_short.then_some(SHORT))
        })
        .requiring(move |_| crash.happens_here());
    Some(Box::new(FsCase::new(system, kernel).without_free_runs()))
}

fn claimed(
    system: System<SimFs, Mortals<SimFile>>,
    crash: Crash,
) -> System<SimFs, Mortals<SimFile>> {
    let is_whole = |world: &SimFs| {
        let file = world.named("tmp/P");
        file.is_some_and(|file| file.bytes() == Some(SECRET) && file.mode() == PRIVATE)
    };
    let is_as_before = |world: &SimFs| match (world.named("tmp/P"), world.named(HAD)) {
        (None, None) => true,
        (Some(file), Some(_)) => file.bytes() == Some(OLD),
        _ => false,
    };
    let system = system
        .finally("old-or-new", move |state| {
            let world = state.world();
            is_whole(world) || is_as_before(world)
        })
        .finally("success-is-kept", move |state| {
            let was_told = state.outputs().any(|told| matches!(told, Told::Written { .. }));
            !was_told || is_whole(state.world())
        })
        .reaches("it-is-written", ends_with(Told::Written { is_private: true }));
    match crash {
        Crash::Killed => system.reaches("it-dies", ends_with(Told::Died)),
        // Something was lost, so that the writer had begun.
        _ => system.reachable("the-power-fails-amid-writing", |state| {
            let has_died = |local: &_| matches!(local, Local::Done(Told::Died));
            state.world().has_lost() && state.locals().any(has_died)
        }),
    }
}
