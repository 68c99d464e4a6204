// Fourth floor: imports [`writer`] and the floors below.
// What is modelled, and what was found: README.md beside this file.
#![doc = include_str!("README.md")]

mod actors;
mod programs;
mod properties;
mod scripts;

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use super::{Model, Sheet, Size, Verdicts};
use crate::case::{Case, FsCase};
use crate::check::{Start, System};
use crate::direct::Code;
use crate::fs::{
    As, Errno, FileSystem, Mode, OFlags, OsFile, OsFs, Protections, SimFile, SimFs, User, Users,
    recorded_step,
};
use crate::replay::Furnished;
use crate::writer::{Op, Plan};

use actors::write;
pub use actors::{Action, Actor, Attacker, Seen, Told, Victim};
use programs::{Programs, programs};
use properties::{CredentialSystem, claimed};
use scripts::{every_script, scripts};

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

/// Whether writes are short.
const SHORT_OR_NOT: [bool; 2] = [false, true];

/// Where P is, and what the attacker may do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `tmp/P`, where all can write.
    Shared,
    /// `tmp/out/P`, where only the victim can, in a directory where all can.
    Parent,
}

impl Layout {
    fn directory(self) -> &'static str {
        match self {
            Layout::Shared => "tmp",
            Layout::Parent => "tmp/out",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Layout::Shared => "tmp/P",
            Layout::Parent => "tmp/out/P",
        }
    }

    fn repertoire(self) -> &'static [Action] {
        match self {
            Layout::Shared => &[
                Action::Symlink,
                Action::Create,
                Action::Unlink,
                Action::Link,
                Action::Open,
                Action::Move,
                Action::Steal,
                Action::StealForDirectory,
                Action::StealInside,
            ],
            Layout::Parent => &[
                Action::MoveParent,
                Action::LinkParentHome,
                Action::LinkParentNew,
                Action::LinkParentOwn,
                Action::CreateInOwn,
            ],
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

impl First {
    /// What there may be in this layout. Where only the victim can write, the victim made it all.
    fn all(layout: Layout) -> &'static [First] {
        use First::*;
        match layout {
            Layout::Shared => &[Nothing, VictimsFile, AttackersFile, Symlink, OwnSymlink],
            Layout::Parent => &[Nothing, VictimsFile, AttackersFile, Symlink],
        }
    }

    fn told(self, layout: Layout) -> &'static str {
        match self {
            First::Nothing => "absent",
            First::VictimsFile => "victim's file",
            // In a directory where only the victim can write, nobody else made it.
            First::AttackersFile if layout == Layout::Parent => "file 0666",
            First::AttackersFile => "attacker's file",
            First::Symlink => "symlink",
            First::OwnSymlink => "own symlink",
        }
    }
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
    let (force, rest) = match scenario.split_once('-') {
        Some(("new", rest)) => (false, rest),
        Some(("force", rest)) => (true, rest),
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

/// One way to begin.
#[derive(Clone, Debug)]
struct Beginning {
    first: First,
    short: bool,
    protections: Protections,
    script: Vec<Action>,
    /// Goes on with its script where an action fails.
    stubborn: bool,
}

impl Beginning {
    fn is_same_world(&self, other: &Beginning) -> bool {
        (self.first, self.short, self.protections) == (other.first, other.short, other.protections)
    }

    fn told(&self, setting: &Setting) -> String {
        let mut told = self.first.told(setting.layout).to_owned();
        if self.short {
            told.push_str(", short writes");
        }
        match (setting.sticky, self.protections) {
            (true, Protections { symlinks: true, regular: false, .. }) => {
                told.push_str(", protected_symlinks");
            }
            (true, Protections { symlinks: false, regular: true, .. }) => {
                told.push_str(", protected_regular");
            }
            _ => {}
        }
        if !self.script.is_empty() {
            let script: Vec<String> = self.script.iter().map(Action::to_string).collect();
            told.push_str("; script: ");
            told.push_str(&script.join(", "));
        }
        told
    }
}

impl Model for Credential {
    fn sheet(&self) -> &'static Sheet {
        &SHEET
    }

    fn size(&self) -> Size {
        Size::ACTIONS
    }

    /// Every script of the repertoire, in every first world.
    fn conceivable_starts(&self, scenario: &str, size: usize) -> Option<u64> {
        let setting = setting(scenario)?;
        let actions = setting.layout.repertoire().len() as u64;
        let scripts: u64 = (0..=u32::try_from(size).ok()?).map(|length| actions.pow(length)).sum();
        Some(scripts * first_worlds(setting).count() as u64)
    }

    fn case(&self, variant: &str, scenario: &str, size: usize) -> Option<Box<dyn Case>> {
        let (programs, setting) = (programs(variant)?, setting(scenario)?);
        let cast = Cast::apart();
        let beginnings = Arc::new(beginnings(&programs, setting, cast, size)?);
        let system = system(&programs, setting, cast, &beginnings)?;
        let kernel = kernel(&programs, setting, cast, &beginnings);
        let case = FsCase::new(system, kernel).without_free_runs();
        if User::current().is_root() {
            return Some(Box::new(case));
        }
        let cast = Cast::alone();
        let system = self::system(&programs, setting, cast, &beginnings)?;
        let kernel = self::kernel(&programs, setting, cast, &beginnings);
        Some(Box::new(case.standing_in(
            system,
            kernel,
            "one user plays both parts; it takes root to be two",
        )))
    }
}

/// What this variant does, to run it elsewhere: without `force`, or with it.
pub fn program_of(variant: &str, force: bool) -> Option<Cow<'static, [Op]>> {
    let Programs { new, force: forced } = programs(variant)?;
    Some(if force { forced } else { new })
}

/// The simulated system in which the victim follows this program; `None` if there is no such
/// scenario. For a way of writing of one's own, and for what is left of one without a step.
pub fn with_program(
    program: impl Into<Cow<'static, [Op]>>,
    scenario: &str,
    size: usize,
) -> Option<System<SimFs, Actor<SimFile>>> {
    let (programs, setting) = (Programs::both(program.into()), setting(scenario)?);
    let beginnings = beginnings(&programs, setting, Cast::apart(), size)?;
    system(&programs, setting, Cast::apart(), &beginnings)
}

/// The same with every script there is, followed to its end whatever fails: many times as large, and
/// nothing else can come of it.
pub fn with_every_script(
    program: impl Into<Cow<'static, [Op]>>,
    scenario: &str,
    size: usize,
) -> Option<System<SimFs, Actor<SimFile>>> {
    let (programs, setting) = (Programs::both(program.into()), setting(scenario)?);
    let scripts = every_script(setting.layout, size);
    let mut beginnings = Vec::new();
    for (protections, first, short) in first_worlds(setting) {
        beginnings.extend(scripts.iter().map(|script| {
            let (script, stubborn) = (script.clone(), true);
            Beginning { first, short, protections, script, stubborn }
        }));
    }
    system(&programs, setting, Cast::apart(), &beginnings)
}

/// Every world there may be at first.
fn first_worlds(setting: Setting) -> impl Iterator<Item = (Protections, First, bool)> {
    setting.protections.iter().flat_map(move |&protections| {
        First::all(setting.layout).iter().flat_map(move |&first| {
            SHORT_OR_NOT.into_iter().map(move |short| (protections, first, short))
        })
    })
}

/// The same on the kernel.
fn kernel(
    programs: &Programs,
    setting: Setting,
    cast: Cast,
    beginnings: &Arc<Vec<Beginning>>,
) -> Furnished<Actor<OsFile>> {
    let of = |beginnings: &Arc<Vec<Beginning>>| {
        let beginnings = beginnings.clone();
        move |start: usize| beginnings.get(start).cloned()
    };
    let (furnished, acting, adjusted, required) =
        (of(beginnings), of(beginnings), of(beginnings), of(beginnings));
    let victim = victim(programs, setting, cast);
    let furnished = Furnished::family(
        move |start, mut fs| {
            let beginning = furnished(start).ok_or(Errno::INVAL)?;
            furnish(&mut fs, setting, cast, beginning.first)
        },
        move |start| {
            let As { user, process } = &victim;
            let victim = As { user: *user, process: process.over_files() };
            acting(start).map(|it| actors(victim, setting, cast, &it)).unwrap_or_default()
        },
    );
    furnished
        .by_several_users()
        .adjusted(move |start, fs| {
            let is_short = adjusted(start).is_some_and(|beginning| beginning.short);
            fs.with_short_writes(is_short.then_some(SHORT))
        })
        .requiring(move |start| match required(start) {
            Some(beginning) if setting.sticky && cast != Cast::alone() => {
                same_protections(beginning.protections, OsFs::protections())
            }
            _ => Ok(()),
        })
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

/// How the system may begin: in every world, with every script.
fn beginnings(
    programs: &Programs,
    setting: Setting,
    cast: Cast,
    size: usize,
) -> Option<Vec<Beginning>> {
    let mut beginnings = Vec::new();
    let victim = victim(programs, setting, cast);
    for (protections, first, short) in first_worlds(setting) {
        let world = simulated(setting, cast, first, short, protections)?;
        let possible = scripts(&world, &victim, cast.attacker, setting.layout, size);
        beginnings.extend(possible.into_iter().map(|script| {
            let stubborn = false;
            Beginning { first, short, protections, script, stubborn }
        }));
    }
    Some(beginnings)
}

fn simulated(
    setting: Setting,
    cast: Cast,
    first: First,
    short: bool,
    protections: Protections,
) -> Option<SimFs> {
    let world = SimFs::of(cast.root).with_protections(protections);
    let mut world = world.with_short_writes(short.then_some(SHORT));
    furnish(&mut world, setting, cast, first).ok()?;
    Some(world)
}

/// The simulated system.
fn system(
    programs: &Programs,
    setting: Setting,
    cast: Cast,
    beginnings: &[Beginning],
) -> Option<CredentialSystem> {
    let victim = victim(programs, setting, cast);
    let mut initial = 0;
    let mut starts = Vec::with_capacity(beginnings.len());
    let mut last: Option<(&Beginning, SimFs)> = None;
    for beginning in beginnings {
        let world = match &last {
            Some((before, world)) if before.is_same_world(beginning) => world.clone(),
            _ => simulated(setting, cast, beginning.first, beginning.short, beginning.protections)?,
        };
        initial = world.inodes().count();
        last = Some((beginning, world.clone()));
        starts.push(Start {
            name: beginning.told(&setting),
            world,
            processes: actors(victim.clone(), setting, cast, beginning),
        });
    }
    let system = System::family(&["victim", "attacker"], starts).described_by(recorded_step);
    let size = beginnings.iter().map(|beginning| beginning.script.len()).max().unwrap_or(0);
    Some(claimed(system, cast, setting.force, initial, size > 0))
}

/// Makes the world as everybody finds it. Every world has as many inodes, T's being the first that
/// is a file.
fn furnish<F: Users>(fs: &mut F, setting: Setting, cast: Cast, first: First) -> Result<(), Errno> {
    let before = fs.act_as(cast.root.with_umask(Mode::empty()))?;
    let made = furnished(fs, setting, cast, first);
    fs.act_as(before)?;
    made
}

fn furnished<F: Users>(
    fs: &mut F,
    setting: Setting,
    cast: Cast,
    first: First,
) -> Result<(), Errno> {
    let everybody = Mode::from_bits_retain(0o777);
    let readable = Mode::from_bits_retain(0o755);
    // Until everybody has made their own.
    fs.chmod(".", everybody)?;
    fs.mkdir("tmp", everybody)?;
    if setting.sticky {
        fs.chmod("tmp", everybody | Mode::SVTX)?;
    }
    fs.act_as(cast.attacker)?;
    fs.mkdir("evil", readable)?;
    fs.mkdir("tmp/D", everybody)?;
    file(fs, "evil/T", Mode::from_bits_retain(0o666), TARGET)?;
    fs.act_as(cast.victim)?;
    fs.mkdir("home", Mode::RWXU)?;
    file(fs, "home/P", PRIVATE, PRECIOUS)?;
    fs.mkdir("home/new", Mode::RWXU)?;
    if setting.layout == Layout::Parent {
        fs.mkdir("tmp/out", readable)?;
    }
    let path = setting.layout.path();
    match (first, setting.layout) {
        // A world with as many inodes, that is without a file at P.
        (First::Nothing, _) => {
            file(fs, path, PRIVATE, OLD)?;
            fs.act_as(cast.root)?;
            fs.unlink(path)?;
        }
        (First::VictimsFile, _) => file(fs, path, PRIVATE, OLD)?,
        (First::AttackersFile, Layout::Shared) => {
            fs.act_as(cast.attacker)?;
            file(fs, path, Mode::from_bits_retain(0o666), OPEN)?;
        }
        (First::Symlink, Layout::Shared) => {
            fs.act_as(cast.attacker)?;
            fs.symlink(Path::new("../evil/T"), path)?;
        }
        (First::OwnSymlink, _) => fs.symlink(Path::new("../home/P"), path)?,
        // Where only the victim can write, it was the victim who made them.
        (First::AttackersFile, Layout::Parent) => {
            file(fs, path, Mode::from_bits_retain(0o666), OPEN)?;
            fs.chmod(path, Mode::from_bits_retain(0o666))?;
        }
        (First::Symlink, Layout::Parent) => fs.symlink(Path::new("../../evil/T"), path)?,
    }
    fs.act_as(cast.root)?;
    fs.chmod(".", readable)
}

fn file<F: FileSystem>(fs: &mut F, path: &str, mode: Mode, content: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let mut file = fs.open(path, flags, mode)?;
    let mut written = 0;
    while written < content.len() {
        written += fs.write(&mut file, &content[written..])?;
    }
    fs.close(file);
    Ok(())
}

/// Everybody, in the order of the system's actors.
fn actors<File>(
    victim: As<Victim<File>>,
    setting: Setting,
    cast: Cast,
    beginning: &Beginning,
) -> Vec<Actor<File>> {
    let uses_target = beginning.first == First::Symlink
        || beginning.script.iter().any(|action| action.uses_target());
    let attacker = Attacker::new(setting.layout, &beginning.script, uses_target);
    let attacker = if beginning.stubborn { attacker.stubborn() } else { attacker };
    vec![Actor::Victim(victim), Actor::Attacker(As { user: cast.attacker, process: attacker })]
}

fn victim(programs: &Programs, setting: Setting, cast: Cast) -> As<Victim<SimFile>> {
    let program = if setting.force { &programs.force } else { &programs.new };
    let program = program.clone();
    let process = Code::files(move |fs| {
        let plan = Plan {
            program: &program,
            directory: Path::new(setting.layout.directory()),
            name: Path::new("P"),
            temporary: Path::new(TEMPORARY),
            bytes: SECRET,
            mode: PRIVATE,
            owner: cast.victim.uid,
            replace: setting.force,
        };
        write(fs, &plan)
    });
    As { user: cast.victim, process: process.ending_on_errors() }
}
