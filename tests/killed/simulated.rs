//! The simulated machine, and the schedules that there are on it.

use toctou::crash::Mortal;
use toctou::direct::{Code, FileCode};
use toctou::fs::{FileSystem, Recorded, SimFs, Tree};
use toctou::{Process, Step};

use crate::roles::{Role, Scene};
use crate::schedule::{Event, Machine, Outcome, Schedule, perform};

/// Processes as values over a simulated file system.
#[derive(Clone)]
pub(crate) struct Simulated {
    world: Recorded<SimFs>,
    processes: Vec<Simulation>,
}

#[derive(Clone)]
enum Simulation {
    Runs(FileCode<String>),
    Ended(String),
    Killed,
}

impl Simulated {
    /// A machine that is furnished, without processes.
    fn of(scene: &Scene) -> Self {
        Simulated { world: Recorded::new(scene.simulated()), processes: Vec::new() }
    }

    /// What comes of a schedule in the simulation.
    pub(crate) fn outcome(scene: &Scene, schedule: &Schedule) -> Outcome {
        perform(&mut Simulated::of(scene), scene, schedule)
    }

    /// A machine with the processes of the scene, each before its first call.
    fn with_processes(scene: &Scene) -> Self {
        let mut machine = Simulated::of(scene);
        scene.roles.iter().for_each(|role| machine.start(role));
        machine
    }

    fn running(&self) -> Vec<usize> {
        let runs = |process: &usize| matches!(self.processes[*process], Simulation::Runs(_));
        (0..self.processes.len()).filter(runs).collect()
    }
}

/// `rename(a → b) = EEXIST` as `rename = EEXIST`: as much as is seen of a process from outside.
fn seen(told: &str) -> String {
    let end = told.find(['(', ' ']).unwrap_or(told.len());
    let answer = told.rsplit(" = ").next().unwrap_or_default();
    let is_errno = answer.len() > 3
        && answer.starts_with('E')
        && answer.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    let answer = if is_errno || answer == "would wait" { answer } else { "ok" };
    format!("{} = {answer}", &told[..end])
}

impl Machine for Simulated {
    fn start(&mut self, role: &Role) {
        let role = role.clone();
        self.processes.push(Simulation::Runs(Code::files(move |fs| role.play(fs))));
    }

    fn step(&mut self, process: usize) -> Option<String> {
        loop {
            let Simulation::Runs(code) = &self.processes[process] else { return None };
            self.processes[process] = match code.clone().step(&mut self.world) {
                Step::Next(code) | Step::Blocked(code) => Simulation::Runs(code),
                Step::Done(answer) => Simulation::Ended(answer),
                Step::Choice(_) => panic!("nothing here is left open by a call"),
            };
            // A process that forgets takes a step without a call.
            let told = self.world.take();
            assert!(told.len() <= 1, "one call a step: {told:?}");
            if let [told] = &told[..] {
                return Some(seen(told));
            }
        }
    }

    fn waits(&mut self, process: usize) -> Option<String> {
        self.step(process)
    }

    fn kill(&mut self, process: usize) {
        if let Simulation::Runs(code) = &self.processes[process] {
            code.clone().die(&mut self.world);
            self.processes[process] = Simulation::Killed;
            self.world.take();
        }
    }

    fn answer(&self, process: usize) -> Option<String> {
        match &self.processes[process] {
            Simulation::Ended(answer) => Some(answer.clone()),
            Simulation::Runs(_) | Simulation::Killed => None,
        }
    }

    fn tree(&mut self) -> Tree {
        self.world.inner().tree()
    }

    fn at_once(&mut self, role: &Role) -> String {
        self.world.observed(|world| role.play(world))
    }
}

/// Every schedule of a scene: every order of the calls without a kill. And each with one process killed
/// before one of its calls, at every moment until it would make that call.
pub(crate) fn all(scene: &Scene) -> Vec<Schedule> {
    let mut found = Vec::new();
    walk(&Simulated::with_processes(scene), &mut Vec::new(), false, &mut found);
    found
}

fn walk(machine: &Simulated, events: &mut Vec<Event>, has_killed: bool, found: &mut Vec<Schedule>) {
    let running = machine.running();
    if running.is_empty() {
        found.push(Schedule { events: events.clone(), ..Schedule::default() });
    }
    for process in running {
        let mut next = machine.clone();
        next.step(process);
        events.push(Event::Step(process));
        walk(&next, events, has_killed, found);
        events.pop();
        if !has_killed {
            let mut next = machine.clone();
            next.kill(process);
            events.push(Event::Kill(process));
            walk(&next, events, true, found);
            events.pop();
        }
    }
}

/// How many calls each process of a scene makes if it is alone.
pub(crate) fn calls_alone(scene: &Scene) -> Vec<usize> {
    let begin = Simulated::with_processes(scene);
    let count = |process| {
        let mut machine = begin.clone();
        std::iter::from_fn(|| machine.step(process)).count()
    };
    (0..scene.roles.len()).map(count).collect()
}

/// A schedule of a scene, of which `choose` decides who is next: an index below the number that it is given.
/// Each process of `kills` is killed once it has made so many calls.
pub(crate) fn chosen(
    scene: &Scene,
    kills: &[(usize, usize)],
    mut choose: impl FnMut(usize) -> usize,
) -> Vec<Event> {
    let mut machine = Simulated::with_processes(scene);
    let mut made = vec![0; scene.roles.len()];
    let mut events = Vec::new();
    loop {
        let running = machine.running();
        if running.is_empty() {
            return events;
        }
        let process = running[choose(running.len())];
        let mut next = machine.clone();
        match next.step(process) {
            // It ends without any call.
            None => events.push(Event::Step(process)),
            Some(_) if kills.contains(&(process, made[process])) => {
                machine.kill(process);
                events.push(Event::Kill(process));
                continue;
            }
            Some(call) if call.ends_with("would wait") => events.push(Event::Waits(process)),
            Some(_) => {
                made[process] += 1;
                events.push(Event::Step(process));
            }
        }
        machine = next;
    }
}
