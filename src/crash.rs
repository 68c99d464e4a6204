//! Second floor, `crash`: programs that are killed, and machines that lose power. Imports
//! [`process`](crate::process), [`fs`](crate::fs), [`direct`](crate::direct) and the systems of
//! [`check`](crate::check).
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

use crate::calls::{added, called, mistaken, untold};
use crate::check::{System, Value};
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

    /// Counts the end of a program that [another one waits for](System::afterwards). Nobody is told.
    fn program_ends(&mut self);

    /// Whether so many have been counted. Where nobody counts, the schedule alone says who runs when,
    /// and this is true.
    fn have_ended(&self, programs: u32) -> bool;

    /// Tells of something that is no call of a program.
    fn happens(&mut self, what: &str);

    /// Adds to what is told of the last call.
    fn adds(&mut self, what: &str);
}

impl Machine for SimFs {
    fn is_running(&self) -> bool {
        SimFs::is_running(self)
    }

    fn power_failures(&self) -> u32 {
        SimFs::power_failures(self)
    }

    fn power_fails(&mut self) -> usize {
        if !self.has_disk() {
            let advice = "make it with SimFs::with_disk, or nothing can be lost";
            mistaken(
                "power",
                format_args!("the power fails, and this world has no disk: {advice}"),
            );
            return 0;
        }
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

    fn program_ends(&mut self) {
        SimFs::program_ends(self);
    }

    fn have_ended(&self, programs: u32) -> bool {
        self.ended_programs() >= programs
    }

    fn happens(&mut self, what: &str) {
        called(format_args!("{what}"));
    }

    fn adds(&mut self, what: &str) {
        added(what);
    }
}

impl Machine for &OsFs {
    fn program_ends(&mut self) {}

    fn have_ended(&self, _: u32) -> bool {
        true
    }

    fn happens(&mut self, _: &str) {}

    fn adds(&mut self, _: &str) {}
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

    fn program_ends(&mut self) {
        self.inner_mut().program_ends();
    }

    fn have_ended(&self, programs: u32) -> bool {
        self.inner().have_ended(programs)
    }

    fn happens(&mut self, what: &str) {
        self.record(what.to_owned());
    }

    fn adds(&mut self, what: &str) {
        self.add(what);
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
    /// How many programs have to end before it begins, until it has begun.
    after: Option<u32>,
    /// Whether another one waits for its end.
    is_awaited: bool,
    /// How often the power had failed when this life began.
    since: u32,
    again: Option<Arc<P>>,
    died: T,
    fate: Fate,
}

impl<P, T> Program<P, T> {
    /// Whether its life began after a power failure. The one before it was cut short, or had not begun.
    pub fn began_after_failure(&self) -> bool {
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
        let (after, is_awaited, fate) = (None, false, Fate::Safe);
        Crashing::Program(Program { life, after, is_awaited, since: 0, again: None, died, fate })
    }

    /// The power of the machine. It fails once, at any moment: before all others begin, between any
    /// two steps, or after all have ended. `ended` is this actor's output where no recovery has one.
    pub fn power(ended: T) -> Self {
        Crashing::Power(Power { recovery: None, left: 1, at: At::On, ended })
    }

    /// Starts this program once the power is back, in place of one that was running then, or had not
    /// begun. A program that had ended before stays ended.
    ///
    /// # Panics
    ///
    /// If this is a [power](Crashing::power).
    #[track_caller]
    pub fn again(mut self, life: P) -> Self {
        self.its_program("again").again = Some(Arc::new(life));
        self
    }

    /// The same program, which may be killed before each of its steps.
    ///
    /// # Panics
    ///
    /// If this is a [power](Crashing::power).
    #[track_caller]
    pub fn that_may_be_killed(mut self) -> Self {
        self.its_program("that_may_be_killed").fate = Fate::Open;
        self
    }

    /// Runs this program each time the power is back, before any other.
    ///
    /// # Panics
    ///
    /// If this is a [program](Crashing::program).
    #[track_caller]
    pub fn recovering(mut self, recovery: P) -> Self {
        self.its_power("recovering").recovery = Some(Box::new(recovery));
        self
    }

    /// Lets the power fail once or more, up to so often: also while the recovery runs, and after
    /// it.
    ///
    /// # Panics
    ///
    /// If this is a [program](Crashing::program), or if it is never to fail.
    #[track_caller]
    pub fn failing(mut self, times: u32) -> Self {
        assert!(times > 0, "`failing(0)`: a power that never fails shows nothing; leave it out");
        self.its_power("failing").left = times;
        self
    }

    #[track_caller]
    fn its_program(&mut self, what: &str) -> &mut Program<P, T> {
        match self {
            Crashing::Program(program) => program,
            Crashing::Power(_) => panic!("`{what}` is for a program, and this is a power"),
        }
    }

    #[track_caller]
    fn its_power(&mut self, what: &str) -> &mut Power<P, T> {
        match self {
            Crashing::Power(power) => power,
            Crashing::Program(_) => panic!("`{what}` is for a power, and this is a program"),
        }
    }

    /// The same actor with other programs: the same ones before their first step, over another
    /// world.
    pub fn map<Q>(&self, of: impl Fn(&P) -> Q) -> Crashing<Q, T>
    where
        T: Clone,
    {
        match self {
            Crashing::Program(Program { life, after, is_awaited, since, again, died, fate }) => {
                let again = again.as_deref().map(&of).map(Arc::new);
                let (life, died) = (of(life), died.clone());
                let (after, is_awaited, since) = (*after, *is_awaited, *since);
                let fate = *fate;
                Crashing::Program(Program { life, after, is_awaited, since, again, died, fate })
            }
            Crashing::Power(Power { recovery, left, ended, .. }) => {
                let recovery = recovery.as_deref().map(&of).map(Box::new);
                let (at, ended) = (At::On, ended.clone());
                Crashing::Power(Power { recovery, left: *left, at, ended })
            }
        }
    }
}

impl<W, P, T> System<W, Crashing<P, T>>
where
    W: Machine + Value,
    P: Mortal<W, Output = T> + Value,
    T: Value,
{
    /// Adds a program that begins when all programs before it have ended or died. That is what a
    /// recovery needs, which may run only where nobody else does. Nobody waits for a
    /// [power](Crashing::power).
    ///
    /// Call it several times to have one after the other. A program that is added later in another way
    /// runs beside it. The system is then for this number of clients, not for any number.
    ///
    /// ```
    /// use toctou::check::System;
    /// use toctou::crash::Crashing;
    /// use toctou::direct::Code;
    /// use toctou::fs::SimFs;
    /// use toctou::std::{fs, io};
    ///
    /// fn lock() -> io::Result<()> {
    ///     fs::create_dir("lock")?;
    ///     fs::remove_dir("lock")
    /// }
    ///
    /// fn recover() -> io::Result<()> {
    ///     match fs::remove_dir("lock") {
    ///         Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
    ///         done => done,
    ///     }
    /// }
    ///
    /// let program = |code: fn() -> io::Result<()>| Crashing::program(Code::io(code), Ok(()));
    /// let system = System::new(SimFs::new())
    ///     .actor("first", program(lock).that_may_be_killed())
    ///     .afterwards("recovery", program(recover))
    ///     .afterwards("second", program(lock))
    ///     .finally("all-are-well", |state| state.outputs().all(Result::is_ok));
    /// system.assert_holds();
    /// ```
    ///
    /// # Panics
    ///
    /// If `actor` is a [power](Crashing::power), or if there is no program to wait for.
    #[track_caller]
    pub fn afterwards(mut self, name: impl Into<String>, mut actor: Crashing<P, T>) -> Self {
        actor.its_program("afterwards").after = Some(0);
        self = self.for_this_number_alone().actor(name, actor);
        for processes in self.processes_mut() {
            let programs = processes.iter_mut().filter_map(|process| match process {
                Crashing::Program(program) => Some(program),
                Crashing::Power(_) => None,
            });
            let mut programs: Vec<_> = programs.collect();
            let Some(last) = programs.pop() else { continue };
            assert!(!programs.is_empty(), "`afterwards`: there is no program to wait for");
            last.after = u32::try_from(programs.len()).ok();
            programs.into_iter().for_each(|program| program.is_awaited = true);
        }
        self
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
        if !world.is_running() || !world.have_ended(self.after.unwrap_or_default()) {
            return Step::Blocked(self);
        }
        let now = world.power_failures();
        let before = (self.after, self.since);
        if self.after.take().is_some() {
            // It begins here, whatever failed before.
            self.since = now;
        }
        if self.since != now {
            let told = self.life.last_words();
            let next =
                self.again.as_ref().filter(|_| told.is_none()).map(|again| (**again).clone());
            let Some(life) = next else {
                self.life.vanish();
                world.happens(&died("has died with the machine", told.is_some()));
                ends(world, self.is_awaited);
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
                let told = self.life.last_words();
                self.life.die(world);
                world.happens(&died("is killed", told.is_some()));
                ends(world, self.is_awaited);
                Step::Done(told.unwrap_or(self.died))
            }
            Fate::Safe | Fate::Spared => {
                let Program { life, after, is_awaited, since, again, died, fate } = self;
                let having = |life, fate| {
                    let (again, died) = (again.clone(), died.clone());
                    Program { life, after, is_awaited, since, again, died, fate }
                };
                let had_answered = life.last_words().is_some();
                let step = life.step(world);
                match &step {
                    Step::Done(_) => ends(world, is_awaited),
                    Step::Next(life) if !had_answered && life.last_words().is_some() => {
                        world.adds(", and answers");
                    }
                    // The world is one for all ways, and the end of one of them would count in all.
                    Step::Choice(ways) if is_awaited => assert!(
                        !ways.iter().any(|way| matches!(way, Step::Done(_))),
                        "a program that another one waits for ends with a choice: let it make a call \
                         after that"
                    ),
                    _ => {}
                }
                match step {
                    // It has not begun yet, where it waits at its first step.
                    Step::Blocked(life) if before.0.is_some() => {
                        let (after, since) = before;
                        Step::Blocked(Program { after, since, ..having(life, fate) })
                    }
                    Step::Blocked(life) => Step::Blocked(having(life, fate)),
                    step => step.map(|life| having(life, fate.after())),
                }
            }
        }
    }
}

/// Says that a program has ended, if another one waits for that.
fn ends<W: Machine>(world: &mut W, is_awaited: bool) {
    if is_awaited {
        world.program_ends();
    }
}

/// How a program died, and whether it had given its answer before.
fn died(how: &str, had_answered: bool) -> String {
    let before = if had_answered { ", and had answered before" } else { "" };
    format!("{how}{before}")
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
