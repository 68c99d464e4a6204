//! Who acts in `credential`, and how. Fourth floor: imports [`writer`](crate::writer) and the floors
//! below.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;

use super::{PRIVATE, SECRET};
use crate::direct::{Code, Files, Held};
use crate::fs::{
    As, AtFlags, Errno, FileSystem, Kind, Mode, OFlags, OsFile, RenameFlags, SimFile, Users,
    errno_name,
};
use crate::writer::{Outcome, Plan, WriteEnd, carry_out};
use crate::{Process, Step};

/// What an actor is told in the end.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Told {
    /// The victim: it is written.
    Written {
        /// Whether an observer who looks at P in that moment sees the file that was written to: the
        /// victim's own, mode 0600, of the secret's length.
        is_private: bool,
    },
    /// The victim: it is not, for this reason.
    Not(Outcome),
    /// The victim: nothing, for it died.
    Died,
    /// What lets the power fail: it is back.
    Recovered,
    /// The attacker: these bytes were in its hands when all was over.
    Read(Vec<u8>),
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Written { is_private: true } => f.write_str("Written"),
            Told::Written { is_private: false } => f.write_str("Written, but not in private"),
            Told::Not(Outcome::Failed { call, errno }) => {
                write!(f, "Error({call}: {})", errno_name(*errno))
            }
            Told::Died => f.write_str("Died"),
            Told::Recovered => f.write_str("Recovered"),
            Told::Not(outcome) => write!(f, "{outcome:?}"),
            Told::Read(bytes) => write!(f, "Has({:?})", String::from_utf8_lossy(bytes)),
        }
    }
}

/// The writer, and the observer of its success, on a file system whose files are these.
pub type Victim<File> = Code<Files<File>, Told>;

/// Anybody who acts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor<File> {
    /// Writes the secret.
    Victim(As<Victim<File>>),
    /// Follows its script.
    Attacker(As<Attacker<File>>),
}

impl<F: Users<File: Held>> Process<F> for Actor<F::File> {
    type Output = Told;

    fn step(self, fs: &mut F) -> Step<Self, Told> {
        match self {
            Actor::Victim(victim) => victim.step(fs).map(Actor::Victim),
            Actor::Attacker(attacker) => attacker.step(fs).map(Actor::Attacker),
        }
    }
}

/// Writes, and looks at P in the step that succeeds: a success is judged as of that moment, since a
/// moment later anybody who may do so can have moved the file. The look is no step of the program's.
pub(super) fn write<F: FileSystem>(fs: &mut F, plan: &Plan<'_>) -> Told {
    let WriteEnd { outcome, directory, file, .. } = carry_out(fs, plan);
    if outcome != Outcome::Written {
        return Told::Not(outcome);
    }
    let (at_path, written) = fs.observed(|fs| {
        let at_path = fs.stat(&plan.place(directory.as_ref()), AtFlags::SYMLINK_NOFOLLOW).ok();
        (at_path, file.and_then(|mut file| fs.fstat(&mut file).ok()))
    });
    let is_private = at_path.zip(written).is_some_and(|(at_path, written)| {
        at_path.is_same_file(&written)
            && (at_path.kind, at_path.mode, at_path.uid) == (Kind::File, PRIVATE, plan.owner)
            && at_path.size == SECRET.len() as u64
    });
    Told::Written { is_private }
}

impl Actor<SimFile> {
    /// The same before its first step, on the kernel.
    pub(super) fn over_files(&self) -> Actor<OsFile> {
        match self {
            Actor::Victim(As { user, process }) => {
                Actor::Victim(As { user: *user, process: process.over_files() })
            }
            Actor::Attacker(As { user, process }) => {
                let script: Vec<Action> = process.script.iter().copied().collect();
                let process = Attacker::new(&script, process.holds_target, process.is_stubborn);
                Actor::Attacker(As { user: *user, process })
            }
        }
    }
}

/// What an attacker can do: `Steal` and the like exchange what the writer makes under its temporary
/// name, which anybody can guess who may list the directory. The others are about P and its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Action {
    Symlink,
    Create,
    Unlink,
    Link,
    Open,
    Move,
    Steal,
    StealDir,
    StealInner,
    MoveParent,
    LinkParentHome,
    LinkParentNew,
    LinkParentOwn,
    CreateInOwn,
}

/// A system call of an attacker's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    /// Makes a file that all can write to, and keeps it open.
    Create(&'static str),
    /// Opens a file for reading.
    Open(&'static str),
    Unlink(&'static str),
    Link(&'static str, &'static str),
    Symlink(&'static str, &'static str),
    Rename(&'static str, &'static str),
    Exchange(&'static str, &'static str),
}

impl Action {
    /// How it is called, and which system call it is.
    fn told(self) -> (&'static str, Call) {
        match self {
            Action::Symlink => ("symlink P", Call::Symlink("../evil/T", "tmp/P")),
            Action::Create => ("create P", Call::Create("tmp/P")),
            Action::Unlink => ("unlink P", Call::Unlink("tmp/P")),
            Action::Link => ("link T to P", Call::Link("evil/T", "tmp/P")),
            Action::Open => ("open P", Call::Open("tmp/P")),
            Action::Move => ("move P", Call::Rename("tmp/P", "evil/loot")),
            Action::Steal => ("swap temp/T", Call::Exchange("tmp/.P.1", "evil/T")),
            // A directory can be moved only within the one it is in, unless it is one's own.
            Action::StealDir => ("swap temp/D", Call::Exchange("tmp/.P.1", "tmp/D")),
            Action::StealInner => ("swap inner/T", Call::Exchange("tmp/.P.1/.P.1", "evil/T")),
            Action::MoveParent => ("move out/", Call::Rename("tmp/out", "tmp/away")),
            Action::LinkParentHome => ("out/ → home/", Call::Symlink("../home", "tmp/out")),
            // There is no P in it yet.
            Action::LinkParentNew => ("out/ → home/new/", Call::Symlink("../home/new", "tmp/out")),
            Action::LinkParentOwn => ("out/ → evil/", Call::Symlink("../evil", "tmp/out")),
            Action::CreateInOwn => ("create evil/P", Call::Create("evil/P")),
        }
    }

    /// Whether it brings T into play.
    pub(super) fn uses_target(self) -> bool {
        matches!(self, Action::Symlink | Action::Link | Action::Steal | Action::StealInner)
    }

    /// Does it. What it opens, the attacker keeps.
    pub(super) fn perform<F: FileSystem>(self, fs: &mut F) -> Result<Option<F::File>, Errno> {
        let create = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        match self.told().1 {
            Call::Create(path) => {
                return fs.open(path, create, Mode::from_bits_retain(0o666)).map(Some);
            }
            Call::Open(path) => return fs.open(path, OFlags::RDONLY, Mode::empty()).map(Some),
            Call::Unlink(path) => fs.unlink(path)?,
            Call::Link(from, to) => fs.link(from, to)?,
            Call::Symlink(target, path) => fs.symlink(Path::new(target), path)?,
            Call::Rename(from, to) => fs.rename(from, to)?,
            Call::Exchange(one, other) => fs.rename_with(one, other, RenameFlags::EXCHANGE)?,
        }
        Ok(None)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.told().0)
    }
}

/// One who acts by a script, and in the end reads whatever it holds open.
///
/// It gives up its script at the first action that fails: what would follow is a script of its own.
///
/// It is a state machine, not a function, because there are hundreds of attackers in a system. What is
/// left of one script may be left of another: then the two go on as one state, and are explored once.
/// Two functions stay apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attacker<File> {
    /// Opens T first, and holds it.
    holds_target: bool,
    /// Goes on where an action fails.
    is_stubborn: bool,
    /// What it still has to do.
    script: VecDeque<Action>,
    held: VecDeque<File>,
    read: Vec<u8>,
}

impl<File> Attacker<File> {
    /// An attacker before its first step.
    pub(super) fn new(script: &[Action], holds_target: bool, is_stubborn: bool) -> Self {
        let script = script.iter().copied().collect();
        Attacker { holds_target, is_stubborn, script, held: VecDeque::new(), read: Vec::new() }
    }

    /// Whether its next step is an action.
    pub(super) fn is_about_to_act(&self) -> bool {
        !self.holds_target && !self.script.is_empty()
    }

    /// What it holds open.
    pub(super) fn held(&self) -> impl Iterator<Item = &File> {
        self.held.iter()
    }
}

impl<F: FileSystem> Process<F> for Attacker<F::File> {
    type Output = Told;

    fn step(mut self, fs: &mut F) -> Step<Self, Told> {
        if std::mem::take(&mut self.holds_target) {
            self.held.extend(fs.open("evil/T", OFlags::RDONLY, Mode::empty()).ok());
        } else if let Some(action) = self.script.pop_front() {
            match action.perform(fs) {
                Ok(opened) => self.held.extend(opened),
                Err(_) if self.is_stubborn => {}
                Err(_) => self.script.clear(),
            }
        } else if let Some(mut file) = self.held.pop_front() {
            let mut buffer = [0; 64];
            if let Ok(count) = fs.read(&mut file, &mut buffer) {
                self.read.extend_from_slice(&buffer[..count]);
            }
        }
        // It ends once there is nothing left to do or to read.
        match self.script.is_empty() && self.held.is_empty() {
            true => Step::Done(Told::Read(self.read)),
            false => Step::Next(self),
        }
    }
}
