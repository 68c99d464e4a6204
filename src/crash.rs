//! Second floor, `crash`: programs that are killed, and machines that lose power. Imports
//! [`process`](crate::process), [`fs`](crate::fs) and [`direct`](crate::direct).
//!
//! A program that is killed has made some of its calls and makes no other. Its locks and open files
//! go, and everybody else goes on. When a machine loses power, that happens to all programs at
//! once. What they had done and not [synced](crate::fs::FileSystem::fsync) survives or does not
//! ([`Profile`](crate::fs::Profile)). Then a recovery runs, alone, and then programs start again.
//!
//! Both are actors and steps of a [system](crate::check::System) like any other. Every engine
//! explores them together with every interleaving, and a counterexample shows them.
//!
//! ```
//! use toctou::check::{Schedule, System};
//! use toctou::crash::Crashing;
//! use toctou::direct::{Code, Failed, FileCode};
//! use toctou::fs::{Mode, Profile, SimFs};
//! use toctou::std::{fs, io};
//!
//! /// The usual advice: write to the side, then rename.
//! fn save() -> io::Result<()> {
//!     fs::write("report.new", "new")?;
//!     fs::rename("report.new", "report")
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let before = SimFs::new().with_file("report", Mode::RUSR, b"old")?;
//! let system = System::new(before.with_disk(Profile::Ext4))
//!     .actor("saver", Crashing::program(Code::io(save), Ok(())))
//!     .actor("power", Crashing::power(Ok(())))
//!     .finally("old-or-new", |state| {
//!         let left = state.world().tree().bytes("report").map(<[u8]>::to_vec);
//!         left == Some(b"old".to_vec()) || left == Some(b"new".to_vec())
//!     });
//! // The rename survives, the bytes do not: the report is empty.
//! system.assert_breaks("old-or-new");
//! # Ok(())
//! # }
//! ```

use std::sync::Arc;

use crate::calls::{called, untold};
use crate::direct::{Code, Files, Held};
use crate::fs::{FileSystem, OsFs, Recorded, SimFs};
use crate::process::MOST_WAYS;
use crate::recorded::{POWER_FAILS, POWER_RETURNS};
use crate::{Process, Step};

/// A process that can die before its end.
pub trait Mortal<W>: Process<W> {
    /// Lets go of what the process holds, as its end does: locks and open files. It is no call.
    fn die(self, world: &mut W);

    /// The same where the whole machine has died: nobody holds anything any more.
    fn vanish(self);

    /// What the process has said before it died, if that is as good as its end: a client that has
    /// handed the content on, and only cleans up.
    fn last_words(&self) -> Option<Self::Output> {
        None
    }
}

impl<F: FileSystem<File: Held>, T> Mortal<F> for Code<Files<F::File>, T> {
    fn die(self, world: &mut F) {
        world.observed(|world| self.into_held().close_all(world));
    }

    fn vanish(self) {
        self.into_held().vanish();
    }
}

/// A world that may lose power: the simulated file system. The kernel's never does here.
pub trait Machine {
    /// Whether programs run; they wait while the power is off, and while the recovery runs.
    fn is_running(&self) -> bool {
        true
    }

    /// How often the power has failed.
    fn power_failures(&self) -> u32 {
        0
    }

    /// Lets the power fail, and answers how many worlds there may be when it is back. Nobody is told.
    fn power_fails(&mut self) -> usize {
        0
    }

    /// Lets the power return, with this one of them, and answers what did not survive. `None` where
    /// there is none. Nobody is told.
    fn power_returns(&mut self, survival: usize) -> Option<Vec<String>> {
        let _ = survival;
        None
    }

    /// Ends the recovery.
    fn recovered(&mut self) {}

    /// Tells of something that is no call of a program.
    fn happens(&mut self, what: &str);
}

impl Machine for SimFs {
    fn is_running(&self) -> bool {
        SimFs::is_running(self)
    }

    fn power_failures(&self) -> u32 {
        SimFs::power_failures(self)
    }

    fn power_fails(&mut self) -> usize {
        untold(|| {
            SimFs::power_fails(self);
            self.survivals().len()
        })
    }

    fn power_returns(&mut self, survival: usize) -> Option<Vec<String>> {
        untold(|| SimFs::power_returns(self, survival).ok())
    }

    fn recovered(&mut self) {
        SimFs::recovered(self);
    }

    fn happens(&mut self, what: &str) {
        called(format_args!("{what}"));
    }
}

impl Machine for &OsFs {
    fn happens(&mut self, _: &str) {}
}

impl<W: Machine> Machine for Recorded<W> {
    fn is_running(&self) -> bool {
        self.inner().is_running()
    }

    fn power_failures(&self) -> u32 {
        self.inner().power_failures()
    }

    fn power_fails(&mut self) -> usize {
        self.inner_mut().power_fails()
    }

    fn power_returns(&mut self, survival: usize) -> Option<Vec<String>> {
        self.inner_mut().power_returns(survival)
    }

    fn recovered(&mut self) {
        self.inner_mut().recovered();
    }

    fn happens(&mut self, what: &str) {
        self.record(what.to_owned());
    }
}

/// An actor of a system that crashes: a program that may die, or the power of the machine.
///
/// `P` is the program, `T` its output. A step of a program while the power is off waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Crashing<P, T> {
    /// A program.
    Program(Program<P, T>),
    /// What lets the power fail.
    Power(Power<P, T>),
}

/// A program that dies when the power fails, and when it is killed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Program<P, T> {
    life: P,
    /// How often the power had failed when this life began.
    since: u32,
    again: Option<Arc<P>>,
    died: T,
    fate: Fate,
}

impl<P, T> Program<P, T> {
    /// Whether it runs in place of one that died when the power failed.
    pub fn has_died(&self) -> bool {
        self.since > 0
    }
}

/// Whether a program is killed before its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Fate {
    /// It is never killed.
    Safe,
    /// That is still open.
    Open,
    /// It is not.
    Spared,
    /// It is.
    Killed,
}

/// What lets the power fail, and recovers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Power<P, T> {
    recovery: Option<Box<P>>,
    /// How often it still fails, at most.
    left: u32,
    at: At<P>,
    ended: T,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum At<P> {
    On,
    /// Off, and one of these survivals is what there is when it is back.
    Off(usize, usize),
    /// On again, with this survival.
    Returns(usize),
    Recovers(Box<P>, Fate),
    /// The recovery has ended.
    Recovered,
}

impl<P, T> Crashing<P, T> {
    /// A program, and its output where it dies.
    pub fn program(life: P, died: T) -> Self {
        let fate = Fate::Safe;
        Crashing::Program(Program { life, since: 0, again: None, died, fate })
    }

    /// The power of the machine. It fails once, at any moment: before all others begin, between any
    /// two steps, or after all have ended. `ended` is this actor's output where no recovery has one.
    pub fn power(ended: T) -> Self {
        Crashing::Power(Power { recovery: None, left: 1, at: At::On, ended })
    }

    /// Starts this program once the power is back, in place of one that was running then. A program
    /// that had ended before stays ended. It changes nothing of a [power](Crashing::power).
    pub fn again(mut self, life: P) -> Self {
        if let Crashing::Program(program) = &mut self {
            program.again = Some(Arc::new(life));
        }
        self
    }

    /// The same program, which may be killed before each of its steps. It changes nothing of a
    /// [power](Crashing::power).
    pub fn that_may_be_killed(mut self) -> Self {
        if let Crashing::Program(program) = &mut self {
            program.fate = Fate::Open;
        }
        self
    }

    /// Runs this program each time the power is back, before any other. It changes nothing of a
    /// [program](Crashing::program).
    pub fn recovering(mut self, recovery: P) -> Self {
        if let Crashing::Power(power) = &mut self {
            power.recovery = Some(Box::new(recovery));
        }
        self
    }

    /// Lets the power fail once or more, up to so often: also while the recovery runs, and after
    /// it. It changes nothing of a [program](Crashing::program).
    pub fn failing(mut self, times: u32) -> Self {
        if let Crashing::Power(power) = &mut self {
            power.left = times;
        }
        self
    }

    /// The same actor with other programs: the same ones before their first step, over another
    /// world.
    pub fn map<Q>(&self, of: impl Fn(&P) -> Q) -> Crashing<Q, T>
    where
        T: Clone,
    {
        match self {
            Crashing::Program(Program { life, since, again, died, fate }) => {
                let again = again.as_deref().map(&of).map(Arc::new);
                let (life, died) = (of(life), died.clone());
                Crashing::Program(Program { life, since: *since, again, died, fate: *fate })
            }
            Crashing::Power(Power { recovery, left, ended, .. }) => {
                let recovery = recovery.as_deref().map(&of).map(Box::new);
                let (at, ended) = (At::On, ended.clone());
                Crashing::Power(Power { recovery, left: *left, at, ended })
            }
        }
    }
}

impl<W, P, T> Process<W> for Crashing<P, T>
where
    W: Machine,
    P: Mortal<W, Output = T> + Clone,
    T: Clone,
{
    type Output = T;

    fn step(self, world: &mut W) -> Step<Self, T> {
        match self {
            Crashing::Program(program) => program.step(world).map(Crashing::Program),
            Crashing::Power(power) => power.step(world).map(Crashing::Power),
        }
    }

    fn is_underway(&self) -> bool {
        matches!(self, Crashing::Program(program) if program.life.is_underway())
    }
}

impl<P, T: Clone> Program<P, T> {
    fn step<W: Machine>(mut self, world: &mut W) -> Step<Self, T>
    where
        P: Mortal<W, Output = T> + Clone,
    {
        if !world.is_running() {
            return Step::Blocked(self);
        }
        let now = world.power_failures();
        if self.since != now {
            let told = self.life.last_words();
            let next =
                self.again.as_ref().filter(|_| told.is_none()).map(|again| (**again).clone());
            let Some(life) = next else {
                self.life.vanish();
                world.happens("has died with the machine");
                return Step::Done(told.unwrap_or(self.died));
            };
            std::mem::replace(&mut self.life, life).vanish();
            self = Program { since: now, fate: self.fate.after(), ..self };
        }
        match self.fate {
            Fate::Open => {
                world.happens("is it killed now?");
                Step::Choice(vec![
                    Step::Next(Program { fate: Fate::Spared, ..self.clone() }),
                    Step::Next(Program { fate: Fate::Killed, ..self }),
                ])
            }
            Fate::Killed => {
                let told = self.life.last_words().unwrap_or(self.died);
                self.life.die(world);
                world.happens("is killed");
                Step::Done(told)
            }
            Fate::Safe | Fate::Spared => {
                let Program { life, since, again, died, fate } = self;
                let having = |life, fate| Program {
                    life,
                    since,
                    again: again.clone(),
                    died: died.clone(),
                    fate,
                };
                match life.step(world) {
                    Step::Blocked(life) => Step::Blocked(having(life, fate)),
                    step => step.map(|life| having(life, fate.after())),
                }
            }
        }
    }
}

impl Fate {
    /// What there is to decide after a step.
    fn after(self) -> Self {
        if self == Fate::Safe { Fate::Safe } else { Fate::Open }
    }
}

impl<P, T: Clone> Power<P, T> {
    fn step<W: Machine>(self, world: &mut W) -> Step<Self, T>
    where
        P: Mortal<W, Output = T> + Clone,
    {
        match self.at.clone() {
            At::On => self.fails(world),
            At::Off(first, end) => self.decides(first, end),
            At::Returns(survival) => {
                let Some(lost) = world.power_returns(survival) else { return Step::Blocked(self) };
                world.happens(&returned(&lost));
                match self.recovery.clone() {
                    Some(recovery) => self.recovers(recovery),
                    None => self.comes_up(world),
                }
            }
            At::Recovers(_, Fate::Open) => {
                world.happens("does the power fail again?");
                Step::Choice(vec![
                    Step::Next(self.clone().spared()),
                    Step::Next(Power { at: At::On, ..self }),
                ])
            }
            At::Recovered => self.comes_up(world),
            At::Recovers(recovery, _) => match recovery.step(world) {
                Step::Blocked(_) => Step::Blocked(self),
                step => self.goes_on(step, world),
            },
        }
    }

    /// The recovery dies with all others.
    fn fails<W: Machine>(mut self, world: &mut W) -> Step<Self, T>
    where
        P: Clone,
    {
        let Some(left) = self.left.checked_sub(1) else { return Step::Done(self.ended) };
        self.left = left;
        match world.power_fails() {
            // Where power cannot fail, nothing does.
            0 => Step::Done(self.ended),
            count => {
                world.happens(POWER_FAILS);
                self.decides(0, count)
            }
        }
    }

    /// Which survival of these it is; in several steps where there are more than one step decides.
    fn decides(self, first: usize, end: usize) -> Step<Self, T>
    where
        P: Clone,
    {
        let mut each = 1;
        while (end - first).div_ceil(each) > MOST_WAYS {
            each *= MOST_WAYS;
        }
        let parts = (first..end).step_by(each).map(|from| match each {
            1 => At::Returns(from),
            _ => At::Off(from, end.min(from + each)),
        });
        Step::Choice(parts.map(|at| Step::Next(Power { at, ..self.clone() })).collect())
    }

    fn recovers(self, recovery: Box<P>) -> Step<Self, T> {
        // It may fail again before each step of the recovery.
        let fate = if self.left > 0 { Fate::Open } else { Fate::Safe };
        Step::Next(Power { at: At::Recovers(recovery, fate), ..self })
    }

    fn spared(mut self) -> Self {
        if let At::Recovers(_, fate) = &mut self.at {
            *fate = Fate::Spared;
        }
        self
    }

    fn goes_on<W: Machine>(mut self, step: Step<P, T>, world: &mut W) -> Step<Self, T>
    where
        P: Clone,
    {
        match step {
            Step::Next(recovery) | Step::Blocked(recovery) => self.recovers(Box::new(recovery)),
            Step::Done(told) => {
                self.ended = told;
                self.comes_up(world)
            }
            Step::Choice(ways) => {
                // The world is one for all ways, so that one of them cannot end the recovery here.
                let next = |way| match way {
                    Step::Done(ended) => {
                        Step::Next(Power { at: At::Recovered, ended, ..self.clone() })
                    }
                    way => self.clone().goes_on(way, world),
                };
                Step::Choice(ways.into_iter().map(next).collect())
            }
        }
    }

    /// All programs run again.
    fn comes_up<W: Machine>(self, world: &mut W) -> Step<Self, T> {
        world.recovered();
        match self.left {
            0 => Step::Done(self.ended),
            _ => Step::Next(Power { at: At::On, ..self }),
        }
    }
}

/// `the power is back, without bytes of report.new`.
fn returned(lost: &[String]) -> String {
    match lost {
        [] => format!("{POWER_RETURNS}, and all is there"),
        lost => format!("{POWER_RETURNS}, without {}", lost.join(", ")),
    }
}
