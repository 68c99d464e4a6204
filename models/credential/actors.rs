//! Who acts in `credential`, and how. Fourth floor: imports [`writer`](crate::writer) and the floors
//! below.

use std::collections::VecDeque;
use std::fmt;
use std::path::Path;

use super::{Layout, PRIVATE, SECRET, TEMPORARY};
use crate::direct::{Code, Files, Held};
use crate::fs::{
    As, AtFlags, Errno, FileSystem, Kind, Mode, OFlags, RenameFlags, Users, errno_name,
};
use crate::writer::{Outcome, Plan, WriteEnd, carry_out};
use crate::{Process, Step};

/// What an actor is told in the end.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Told {
    /// The victim: it is written. An observer who looks at P in that moment sees this.
    Written(Seen),
    /// The victim: it is not, for this reason.
    Not(Outcome),
    /// The attacker: these bytes were in its hands when all was over.
    Read(Vec<u8>),
}

/// What is at P.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seen {
    /// The file that was written to, the victim's own, mode 0600, of the secret's length.
    Private,
    /// Anything else, or nothing.
    SomethingElse,
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Written(Seen::Private) => f.write_str("Written"),
            Told::Written(Seen::SomethingElse) => f.write_str("Written, but not in private"),
            Told::Not(Outcome::Failed { call, errno }) => {
                write!(f, "Error({call}: {})", errno_name(*errno))
            }
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
    let private = at_path.zip(written).is_some_and(|(at_path, written)| {
        at_path.is_same_file(&written)
            && (at_path.kind, at_path.mode, at_path.uid) == (Kind::File, PRIVATE, plan.owner)
            && at_path.size == SECRET.len() as u64
    });
    Told::Written(if private { Seen::Private } else { Seen::SomethingElse })
}

/// What an attacker can do, each a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Makes P a symbolic link to T.
    Symlink,
    /// Makes P a file that all can write to, and keeps it open.
    Create,
    /// Removes P.
    Unlink,
    /// Makes P a second name of T.
    Link,
    /// Opens P for reading.
    Open,
    /// Moves P away.
    Move,
    /// Exchanges the writer's temporary file with T; who may list the directory can guess its name.
    Steal,
    /// Exchanges it with a directory of the attacker's.
    StealForDirectory,
    /// Exchanges what the writer keeps in a directory of its own with T.
    StealInside,
    /// Moves P's directory away.
    MoveParent,
    /// Makes P's directory a symbolic link to the victim's home.
    LinkParentHome,
    /// Makes it one to a directory in there that has no P yet.
    LinkParentNew,
    /// Makes P's directory a symbolic link to the attacker's own.
    LinkParentOwn,
    /// Makes a file named like P in the attacker's own directory, and keeps it open.
    CreateInOwn,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Action::Symlink => "symlink P",
            Action::Create => "create P",
            Action::Unlink => "unlink P",
            Action::Link => "link T to P",
            Action::Open => "open P",
            Action::Move => "move P",
            Action::Steal => "swap temp/T",
            Action::StealForDirectory => "swap temp/D",
            Action::StealInside => "swap inner/T",
            Action::MoveParent => "move out/",
            Action::LinkParentHome => "out/ → home/",
            Action::LinkParentNew => "out/ → home/new/",
            Action::LinkParentOwn => "out/ → evil/",
            Action::CreateInOwn => "create evil/P",
        })
    }
}

impl Action {
    /// Whether it brings T into play.
    pub(super) fn uses_target(self) -> bool {
        matches!(self, Action::Symlink | Action::Link | Action::Steal | Action::StealInside)
    }

    /// Does it. What it opens, the attacker keeps.
    pub(super) fn perform<F: FileSystem>(
        self,
        layout: Layout,
        fs: &mut F,
    ) -> Result<Option<F::File>, Errno> {
        let path = layout.path();
        let everybody = Mode::from_bits_retain(0o666);
        let create = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        match self {
            Action::Symlink => fs.symlink(Path::new("../evil/T"), path)?,
            Action::Create => return fs.open(path, create, everybody).map(Some),
            Action::Unlink => fs.unlink(path)?,
            Action::Link => fs.link("evil/T", path)?,
            Action::Open => return fs.open(path, OFlags::RDONLY, Mode::empty()).map(Some),
            Action::Move => fs.rename(path, "evil/loot")?,
            Action::Steal | Action::StealForDirectory => {
                // A directory can be moved only within the one it is in, unless it is one's own.
                let own = if self == Action::Steal { "evil/T" } else { "tmp/D" };
                let temporary = Path::new(layout.directory()).join(TEMPORARY);
                fs.rename_with(&temporary, own, RenameFlags::EXCHANGE)?;
            }
            Action::StealInside => {
                let private = Path::new(layout.directory()).join(TEMPORARY);
                let inside = private.join(TEMPORARY);
                fs.rename_with(&inside, "evil/T", RenameFlags::EXCHANGE)?;
            }
            Action::MoveParent => fs.rename("tmp/out", "tmp/away")?,
            Action::LinkParentHome => fs.symlink(Path::new("../home"), "tmp/out")?,
            Action::LinkParentNew => fs.symlink(Path::new("../home/new"), "tmp/out")?,
            Action::LinkParentOwn => fs.symlink(Path::new("../evil"), "tmp/out")?,
            Action::CreateInOwn => return fs.open("evil/P", create, everybody).map(Some),
        }
        Ok(None)
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
    layout: Layout,
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
    pub(super) fn new(layout: Layout, script: &[Action], holds_target: bool) -> Self {
        let script = script.iter().copied().collect();
        let (held, read) = (VecDeque::new(), Vec::new());
        Attacker { layout, holds_target, is_stubborn: false, script, held, read }
    }

    /// The same, but it goes on where an action fails.
    pub(super) fn stubborn(self) -> Self {
        Attacker { is_stubborn: true, ..self }
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
            return self.goes_on();
        }
        if let Some(action) = self.script.pop_front() {
            match action.perform(self.layout, fs) {
                Ok(opened) => self.held.extend(opened),
                Err(_) if self.is_stubborn => {}
                Err(_) => self.script.clear(),
            }
            return self.goes_on();
        }
        if let Some(mut file) = self.held.pop_front() {
            let mut buffer = [0; 64];
            if let Ok(count) = fs.read(&mut file, &mut buffer) {
                self.read.extend_from_slice(&buffer[..count]);
            }
        }
        self.goes_on()
    }
}

impl<File> Attacker<File> {
    /// Ends once there is nothing left to do or to read.
    fn goes_on(self) -> Step<Self, Told> {
        if !self.holds_target && self.script.is_empty() && self.held.is_empty() {
            return Step::Done(Told::Read(self.read));
        }
        Step::Next(self)
    }
}
