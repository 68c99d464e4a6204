//! A schedule, and one function that performs it on any machine: on the simulated one and on this one.

use std::fmt;

use toctou::fs::Tree;

use crate::roles::{Role, Scene};

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// This process makes its next call.
    Step(usize),
    /// The next call of this process has to wait.
    Waits(usize),
    /// This process is killed before its next call.
    Kill(usize),
}

/// What happens, in this order, until every process has ended or is killed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schedule {
    pub(crate) events: Vec<Event>,
    /// After how many of its calls a first recovery is killed, if there is one.
    pub(crate) recovery_dies_after: Option<usize>,
    /// Only in a negative control: nobody recovers.
    pub(crate) leaves_recovery_out: bool,
}

impl Schedule {
    /// Who is killed, after how many calls.
    pub(crate) fn kills(&self) -> Vec<(usize, usize)> {
        let is_step = |event: &&Event, victim: usize| **event == Event::Step(victim);
        let mut kills = Vec::new();
        for (at, event) in self.events.iter().enumerate() {
            if let Event::Kill(victim) = *event {
                let before = self.events[..at].iter();
                kills.push((victim, before.filter(|event| is_step(event, victim)).count()));
            }
        }
        kills
    }

    /// The same, in which each victim makes one more call before it is killed.
    pub(crate) fn with_later_kills(&self) -> Schedule {
        let later = |event: &Event| match *event {
            Event::Kill(victim) => vec![Event::Step(victim), Event::Kill(victim)],
            event => vec![event],
        };
        Schedule { events: self.events.iter().flat_map(later).collect(), ..self.clone() }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.events {
            match event {
                Event::Step(process) => write!(f, "{process} ")?,
                Event::Waits(process) => write!(f, "({process} waits) ")?,
                Event::Kill(process) => write!(f, "({process} is killed) ")?,
            }
        }
        match self.recovery_dies_after {
            Some(calls) => write!(f, "(a recovery is killed after {calls} calls)"),
            None => Ok(()),
        }
    }
}

/// A machine with processes, each of which stands before its next call.
pub(crate) trait Machine {
    /// Starts a process; the first one is number 0.
    fn start(&mut self, role: &Role);
    /// Lets a process make its next call. Tells the call and its answer; `None` where it has ended.
    fn step(&mut self, process: usize) -> Option<String>;
    /// Tells the call that a process waits with, without letting it wait.
    fn waits(&mut self, process: usize) -> Option<String>;
    /// Kills a process, unless it has ended.
    fn kill(&mut self, process: usize);
    /// The answer of a process that has ended.
    fn answer(&self, process: usize) -> Option<String>;
    /// All that is there.
    fn tree(&mut self) -> Tree;
    /// Does this at once.
    fn at_once(&mut self, role: &Role) -> String;
}

/// What came of a schedule.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// Who made which call, with its answer.
    pub(crate) calls: Vec<(usize, String)>,
    /// `None` for who was killed.
    pub(crate) answers: Vec<Option<String>>,
    /// All that was there right after each kill, and in the end.
    pub(crate) left: Vec<Tree>,
    /// The calls of a recovery that is killed; its answer, if it ended before.
    pub(crate) interrupted: Vec<String>,
    /// What the recovery says that it did.
    pub(crate) recovery: String,
    /// All that was there after it.
    pub(crate) recovered: Tree,
    /// What the last claim was told.
    pub(crate) claim: String,
    /// All that was there after it.
    pub(crate) end: Tree,
}

/// Performs a schedule on a machine that is furnished.
pub(crate) fn perform(machine: &mut impl Machine, scene: &Scene, schedule: &Schedule) -> Outcome {
    let mut outcome = Outcome::default();
    scene.roles.iter().for_each(|role| machine.start(role));
    for event in &schedule.events {
        match *event {
            Event::Step(process) => {
                outcome.calls.extend(machine.step(process).map(|call| (process, call)));
            }
            Event::Waits(process) => {
                outcome.calls.extend(machine.waits(process).map(|call| (process, call)));
            }
            Event::Kill(process) => {
                machine.kill(process);
                outcome.left.push(machine.tree());
            }
        }
    }
    outcome.left.push(machine.tree());
    let number = scene.roles.len();
    outcome.answers = (0..number).map(|process| machine.answer(process)).collect();
    if let Some(calls) = schedule.recovery_dies_after {
        machine.start(&scene.recovery());
        outcome.interrupted = (0..calls).map_while(|_| machine.step(number)).collect();
        machine.kill(number);
        outcome.interrupted.extend(machine.answer(number));
    }
    if !schedule.leaves_recovery_out {
        outcome.recovery = machine.at_once(&scene.recovery());
    }
    outcome.recovered = machine.tree();
    outcome.claim = machine.at_once(&scene.last_claim());
    outcome.end = machine.tree();
    outcome
}

impl Outcome {
    /// Whether a recovery changed something.
    pub(crate) fn has_recovered(&self) -> bool {
        self.left.last() != Some(&self.recovered)
    }

    /// What differs, in words. Nothing if all is equal.
    pub(crate) fn differs(&self, other: &Outcome) -> Vec<String> {
        if self == other {
            return Vec::new();
        }
        let mut told = Vec::new();
        let mut compare = |what: &str, one: String, other: String| {
            if one != other {
                told.push(format!("{what}:\n  simulated: {one}\n  real:      {other}"));
            }
        };
        compare("calls", calls(&self.calls), calls(&other.calls));
        compare("answers", format!("{:?}", self.answers), format!("{:?}", other.answers));
        compare("left", trees(&self.left), trees(&other.left));
        compare("killed recovery", self.interrupted.join("; "), other.interrupted.join("; "));
        compare("recovery", self.recovery.clone(), other.recovery.clone());
        compare("recovered", self.recovered.to_string(), other.recovered.to_string());
        compare("last claim", self.claim.clone(), other.claim.clone());
        compare("end", self.end.to_string(), other.end.to_string());
        told
    }
}

fn calls(calls: &[(usize, String)]) -> String {
    let told: Vec<String> =
        calls.iter().map(|(process, call)| format!("{process}: {call}")).collect();
    told.join("; ")
}

fn trees(trees: &[Tree]) -> String {
    let told: Vec<String> = trees.iter().map(|tree| tree.to_string().replace('\n', ", ")).collect();
    told.join(" | ")
}
