// Fourth floor: imports [`writer`] and the floors below.
// What is modelled, and what was found: README.md beside this file.
#![doc = include_str!("README.md")]

mod actors;
mod crash;
mod programs;
mod properties;
mod scripts;

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use super::{Crash, Model, Sheet, Size, Verdicts, every_script, named};
use crate::case::{Case, FsCase, actors_by_start};
use crate::check::{Start, System};
use crate::direct::Code;
use crate::fs::{
    As, Errno, FileSystem, Mode, OFlags, OsFile, OsFs, Protections, SimFile, SimFs, User, Users,
    recorded_step,
};
use crate::replay::Furnished;
use crate::writer::{Op, Options, Plan};

use actors::{Action, write};
pub use actors::{Actor, Attacker, Told, Victim};
use programs::programs;
use properties::{CredentialSystem, claimed};
use scripts::scripts;

/// The model.
#[derive(Clone, Copy, Debug)]
pub struct Credential;

static VERDICTS: Verdicts = Verdicts::new(include_str!("verdicts.txt"));
static SHEET: LazyLock<Sheet> = LazyLock::new(|| Sheet::read(include_str!("model.txt"), &VERDICTS));

/// What is written. No other file here has any of its letters.
pub const SECRET: &[u8] = b"KEY";
/// What is at P first, where a file is.
const OLD: &[u8] = b"old";
/// The same where all can write to the file: a change of its mode tells on it.
const OPEN: &[u8] = b"wry";
/// What is in T.
const TARGET: &[u8] = b"t";
/// What is in the victim's home.
const PRECIOUS: &[u8] = b"mine";
/// The mode of a file that is for its owner only.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);
/// The temporary name.
const TEMPORARY: &str = ".P.1";
/// A short write takes so many bytes.
const SHORT: NonZeroUsize = NonZeroUsize::new(2).unwrap();

/// Where P is, and what the attacker may do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// `tmp/P`, where all can write.
    Shared,
    /// `tmp/out/P`, where only the victim can, in a directory where all can.
    Parent,
}

impl Layout {
    fn path(self) -> &'static Path {
        Path::new(match self {
            Layout::Shared => "tmp/P",
            Layout::Parent => "tmp/out/P",
        })
    }

    fn repertoire(self) -> &'static [Action] {
        use Action::*;
        match self {
            Layout::Shared => {
                &[Symlink, Create, Unlink, Link, Open, Move, Steal, StealDir, StealInner]
            }
            Layout::Parent => {
                &[MoveParent, LinkParentHome, LinkParentNew, LinkParentOwn, CreateInOwn]
            }
        }
    }

    /// What there may be at P first. Where only the victim can write, the victim made it all.
    fn firsts(self) -> &'static [First] {
        use First::*;
        match self {
            Layout::Shared => &[Nothing, VictimsFile, AttackersFile, Symlink, OwnSymlink],
            Layout::Parent => &[Nothing, VictimsFile, AttackersFile, Symlink],
        }
    }
}

/// Who is who.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cast {
    root: User,
    victim: User,
    attacker: User,
}

impl Cast {
    /// This process's user in every part: what one who is not root can do.
    fn alone() -> Cast {
        let me = User::current();
        Cast { root: me, victim: me, attacker: me.with_umask(Mode::empty()) }
    }

    /// Two users and root, as is usual.
    fn apart() -> Cast {
        Cast {
            root: User::ROOT,
            victim: User::numbered(61_001),
            attacker: User::numbered(61_002).with_umask(Mode::empty()),
        }
    }
}

/// What is at P first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Nothing,
    VictimsFile,
    AttackersFile,
    Symlink,
    /// The victim's, to the victim's own file.
    OwnSymlink,
}

/// A scenario, taken apart.
#[derive(Clone, Copy, Debug)]
struct Setting {
    force: bool,
    layout: Layout,
    sticky: bool,
    protections: &'static [Protections],
}

const fn protections(symlinks: bool, regular: bool) -> Protections {
    Protections { symlinks, regular, regular_in_groups: false, hardlinks: true }
}

/// Where neither matters.
const EITHER: &[Protections] = &[protections(false, false)];
/// At least one of the two is off.
const LACKING: &[Protections] =
    &[protections(false, false), protections(true, false), protections(false, true)];
/// Both are on.
const GUARDED: &[Protections] = &[protections(true, true)];

fn setting(scenario: &str) -> Option<Setting> {
    let (force, rest) = match scenario.split_once('-')? {
        ("new", rest) => (false, rest),
        ("force", rest) => (true, rest),
        _ => return None,
    };
    let (layout, sticky, protections) = match rest {
        "shared" => (Layout::Shared, false, EITHER),
        "sticky" => (Layout::Shared, true, LACKING),
        "guarded" => (Layout::Shared, true, GUARDED),
        "parent-swap" => (Layout::Parent, false, EITHER),
        _ => return None,
    };
    Some(Setting { force, layout, sticky, protections })
}

/// What is there first, and how the kernel is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct World {
    protections: Protections,
    first: First,
    short_writes: bool,
}

/// One way to begin.
#[derive(Clone, Debug)]
struct Beginning {
    world: World,
    script: Vec<Action>,
    /// Goes on with its script where an action fails.
    is_stubborn: bool,
}

impl Setting {
    /// Every world there may be at first.
    fn worlds(self) -> impl Iterator<Item = World> {
        self.protections.iter().flat_map(move |&protections| {
            self.layout.firsts().iter().flat_map(move |&first| {
                [false, true].map(|short_writes| World { protections, first, short_writes })
            })
        })
    }

    /// How a beginning is called.
    fn told(self, Beginning { world, script, .. }: &Beginning) -> String {
        let first = match world.first {
            First::Nothing => "absent",
            First::VictimsFile => "victim's file",
            // In a directory where only the victim can write, nobody else made it.
            First::AttackersFile if self.layout == Layout::Parent => "file 0666",
            First::AttackersFile => "attacker's file",
            First::Symlink => "symlink",
            First::OwnSymlink => "own symlink",
        };
        let short = if world.short_writes { ", short writes" } else { "" };
        let protected = match world.protections {
            Protections { symlinks: true, regular: false, .. } => ", protected_symlinks",
            Protections { symlinks: false, regular: true, .. } => ", protected_regular",
            _ => "",
        };
        let script: Vec<String> = script.iter().map(Action::to_string).collect();
        let colon = if script.is_empty() { "" } else { "; script: " };
        format!("{first}{short}{protected}{colon}{}", script.join(", "))
    }
}

impl Model for Credential {
    fn sheet(&self) -> &'static Sheet {
        &SHEET
    }

    fn size(&self) -> Size {
        Size::ACTIONS
    }

    /// Nobody attacks where somebody dies.
    fn size_in(&self, scenario: &str) -> Size {
        match named::<Crash>(scenario) {
            Some(_) => Size { usual: &[0], tried: &[0], most: 0, ..Size::ACTIONS },
            None => Size::ACTIONS,
        }
    }

    /// Every script of the repertoire, in every first world.
    fn conceivable_starts(&self, scenario: &str, size: usize) -> Option<u64> {
        if named::<Crash>(scenario).is_some() {
            return Some(crash::STARTS);
        }
        let setting = setting(scenario)?;
        let actions = setting.layout.repertoire().len() as u64;
        let scripts: u64 = (0..=u32::try_from(size).ok()?).map(|length| actions.pow(length)).sum();
        Some(scripts * setting.worlds().count() as u64)
    }

    fn case(&self, variant: &str, scenario: &str, size: usize) -> Option<Box<dyn Case>> {
        if let Some(crash) = named(scenario) {
            return crash::case(variant, crash);
        }
        let setting = setting(scenario)?;
        let program = program_of(variant, setting.force)?;
        let apart = Scene { program: program.clone(), setting, cast: Cast::apart() };
        let beginnings = Arc::new(apart.beginnings(size)?);
        let (system, kernel) = apart.played(&beginnings)?;
        let case = FsCase::new(system, kernel).without_free_runs();
        if User::current().is_root() {
            return Some(Box::new(case));
        }
        let alone = Scene { program, setting, cast: Cast::alone() };
        let (system, kernel) = alone.played(&beginnings)?;
        let why = "one user plays both parts; it takes root to be two";
        Some(Box::new(case.standing_in(system, kernel, why)))
    }
}

/// What this variant does, to run it elsewhere: without `force`, or with it.
pub fn program_of(variant: &str, force: bool) -> Option<Cow<'static, [Op]>> {
    if variant == "durable" {
        let options = Options { replace: force, durable: true, ..Options::default() };
        return Some(Cow::Owned(options.program(false)));
    }
    let (new, forced) = programs(variant)?;
    Some(Cow::Borrowed(if force { forced } else { new }))
}

/// The simulated system in which the victim follows this program; `None` if there is no such
/// scenario. For a way of writing of one's own, and for what is left of one without a step.
pub fn with_program(
    program: impl Into<Cow<'static, [Op]>>,
    scenario: &str,
    size: usize,
) -> Option<System<SimFs, Actor<SimFile>>> {
    let scene = Scene { program: program.into(), setting: setting(scenario)?, cast: Cast::apart() };
    scene.system(&scene.beginnings(size)?)
}

/// The same with every script there is, followed to its end whatever fails: many times as large, and
/// nothing else can come of it.
pub fn with_every_script(
    program: impl Into<Cow<'static, [Op]>>,
    scenario: &str,
    size: usize,
) -> Option<System<SimFs, Actor<SimFile>>> {
    let setting = setting(scenario)?;
    let scripts = every_script(setting.layout.repertoire(), size);
    let beginnings = setting.worlds().flat_map(|world| {
        scripts.iter().map(move |script| {
            let script = script.clone();
            Beginning { world, script, is_stubborn: true }
        })
    });
    let scene = Scene { program: program.into(), setting, cast: Cast::apart() };
    scene.system(&beginnings.collect::<Vec<_>>())
}

/// Whether this machine is set as the simulated one; if not, in what it differs.
fn same_protections(wanted: Protections, found: Protections) -> Result<(), String> {
    let settings = [
        ("protected_symlinks", wanted.symlinks, found.symlinks),
        ("protected_regular", wanted.regular, found.regular),
    ];
    match settings.into_iter().find(|(_, wanted, found)| wanted != found) {
        None => Ok(()),
        Some((name, wanted, found)) => {
            let (wanted, found) = (u8::from(wanted), u8::from(found));
            Err(format!("it takes fs.{name} = {wanted}, and here it is {found}"))
        }
    }
}

/// A program in a scenario, and who plays whom.
struct Scene {
    program: Cow<'static, [Op]>,
    setting: Setting,
    cast: Cast,
}

impl Scene {
    /// How the system may begin: in every world, with every script.
    fn beginnings(&self, size: usize) -> Option<Vec<Beginning>> {
        let mut beginnings = Vec::new();
        let victim = self.victim();
        for world in self.setting.worlds() {
            let (start, attacker) = (self.furnished(world).ok()?, self.cast.attacker);
            let scripts = scripts(&start, &victim, attacker, self.setting.layout, size);
            let beginning = |script| Beginning { world, script, is_stubborn: false };
            beginnings.extend(scripts.into_iter().map(beginning));
        }
        Some(beginnings)
    }

    /// The simulated system.
    fn system(&self, beginnings: &[Beginning]) -> Option<CredentialSystem> {
        let victim = self.victim();
        let mut initial = 0;
        let mut starts = Vec::with_capacity(beginnings.len());
        for alike in beginnings.chunk_by(|one, other| one.world == other.world) {
            let world = self.furnished(alike[0].world).ok()?;
            initial = world.inodes().count();
            starts.extend(alike.iter().map(|beginning| Start {
                name: self.setting.told(beginning),
                world: world.clone(),
                processes: vec![Actor::Victim(victim.clone()), self.attacker(beginning)],
            }));
        }
        let system = System::family(&["victim", "attacker"], starts).described_by(recorded_step);
        let is_attacked = beginnings.iter().any(|beginning| !beginning.script.is_empty());
        Some(claimed(system, self.cast, self.setting.force, initial, is_attacked))
    }

    /// The same, and the same on the kernel.
    fn played(
        &self,
        beginnings: &Arc<Vec<Beginning>>,
    ) -> Option<(CredentialSystem, Furnished<Actor<OsFile>>)> {
        let system = self.system(beginnings)?;
        let asks = self.setting.sticky && self.cast != Cast::alone();
        let (first, second) = (beginnings.clone(), beginnings.clone());
        let actors = actors_by_start(&system, Actor::clone);
        let real = move |start| actors(start).iter().map(Actor::over_files).collect();
        let kernel = Furnished::like(&system, real)
            .by_several_users()
            .adjusted(move |start, fs| {
                let is_short = first.get(start).is_some_and(|it| it.world.short_writes);
                fs.with_short_writes(is_short.then_some(SHORT))
            })
            .requiring(move |start| match second.get(start) {
                Some(it) if asks => same_protections(it.world.protections, OsFs::protections()),
                _ => Ok(()),
            });
        Some((system, kernel))
    }

    /// The world as everybody finds it. Every world has as many inodes, T's being the first that is a
    /// file.
    fn furnished(&self, world: World) -> Result<SimFs, Errno> {
        let Cast { root, victim, attacker } = self.cast;
        let [everybody, readable, open] = [0o777, 0o755, 0o666].map(Mode::from_bits_retain);
        let mut fs = SimFs::of(root).with_protections(world.protections);
        let before = fs.act_as(root.with_umask(Mode::empty()))?;
        // Until everybody has made their own.
        fs.chmod(".", everybody)?;
        fs.mkdir("tmp", everybody)?;
        if self.setting.sticky {
            fs.chmod("tmp", everybody | Mode::SVTX)?;
        }
        fs.act_as(attacker)?;
        fs.mkdir("evil", readable)?;
        fs.mkdir("tmp/D", everybody)?;
        file(&mut fs, Path::new("evil/T"), open, TARGET)?;
        fs.act_as(victim)?;
        fs.mkdir("home", Mode::RWXU)?;
        file(&mut fs, Path::new("home/P"), PRIVATE, PRECIOUS)?;
        fs.mkdir("home/new", Mode::RWXU)?;
        let path = self.setting.layout.path();
        let target = match self.setting.layout {
            Layout::Shared => "../evil/T",
            Layout::Parent => {
                fs.mkdir("tmp/out", readable)?;
                "../../evil/T"
            }
        };
        // Where only the victim can write, it is the victim who makes everything.
        let is_foreign = matches!(world.first, First::AttackersFile | First::Symlink);
        if is_foreign && self.setting.layout == Layout::Shared {
            fs.act_as(attacker)?;
        }
        match world.first {
            // A world with as many inodes, that is without a file at P.
            First::Nothing => {
                file(&mut fs, path, PRIVATE, OLD)?;
                fs.act_as(root)?;
                fs.unlink(path)?;
            }
            First::VictimsFile => file(&mut fs, path, PRIVATE, OLD)?,
            First::AttackersFile => {
                file(&mut fs, path, open, OPEN)?;
                fs.chmod(path, open)?;
            }
            First::Symlink => fs.symlink(Path::new(target), path)?,
            First::OwnSymlink => fs.symlink(Path::new("../home/P"), path)?,
        }
        fs.act_as(root)?;
        fs.chmod(".", readable)?;
        fs.act_as(before)?;
        Ok(fs.with_short_writes(world.short_writes.then_some(SHORT)))
    }

    fn attacker(&self, Beginning { world, script, is_stubborn }: &Beginning) -> Actor<SimFile> {
        let holds_target =
            world.first == First::Symlink || script.iter().any(|action| action.uses_target());
        let process = Attacker::new(script, holds_target, *is_stubborn);
        Actor::Attacker(As { user: self.cast.attacker, process })
    }

    fn victim(&self) -> As<Victim<SimFile>> {
        let (program, setting, owner) = (self.program.clone(), self.setting, self.cast.victim.uid);
        let process = Code::files(move |fs| {
            let plan = Plan {
                program: &program,
                directory: setting.layout.path().parent().unwrap_or(Path::new("")),
                name: Path::new("P"),
                temporary: Path::new(TEMPORARY),
                bytes: SECRET,
                mode: PRIVATE,
                owner,
                replace: setting.force,
            };
            write(fs, &plan)
        });
        As { user: self.cast.victim, process: process.ending_on_errors() }
    }
}

fn file(fs: &mut SimFs, path: &Path, mode: Mode, content: &[u8]) -> Result<(), Errno> {
    let mut file = fs.open(path, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL, mode)?;
    fs.write(&mut file, content).map(drop)
}
