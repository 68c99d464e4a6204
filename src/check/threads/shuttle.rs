//! Second floor, `check`: shuttle as the engine for a program of threads. Imports its neighbours in
//! `check`, and shuttle.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};

use ::shuttle::scheduler::{
    DfsScheduler, PctScheduler, RandomScheduler, Schedule as TaskSchedule, Scheduler, Task, TaskId,
};
use ::shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use super::super::limits::{Limits, Meter};
use super::super::lock;
use super::super::quiet::{complain, on_a_silent_thread};
use super::super::shuttle::ShuttleMode;
use super::super::trace::PlayError;
use super::loom::message;
use super::{
    Bound, DEADLOCK_FREE, Engine, Interleavings, Notes, Program, Report, Schedule, Seen, Trace,
    notes, schedule, trace,
};

/// shuttle's own depth-first search gives up after so many executions where nobody says how many.
const MAX_EXECUTIONS: usize = 1_000_000;

impl Program {
    /// Explores every interleaving of whole operations, or samples them.
    ///
    /// A program of threads has no states that could be compared, so [`ShuttleMode::KnownStates`]
    /// is depth first, too.
    ///
    /// shuttle proves nothing here: the memory model has more executions than whole operations have
    /// orders. But a property that it sees violated is violated.
    pub fn shuttle(&self, mode: ShuttleMode) -> Report {
        let meter = Arc::new(Mutex::new(self.limits.start(Engine::Shuttle)));
        let end: End = Arc::default();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let watch = Watch { meter: meter.clone(), end: end.clone() };
        let (name, bound) = match mode {
            ShuttleMode::KnownStates => self.depth_first(&seen, watch, MAX_EXECUTIONS),
            ShuttleMode::DepthFirst { max_executions } => {
                self.depth_first(&seen, watch, max_executions)
            }
            ShuttleMode::Random { executions, seed } => {
                self.run(RandomScheduler::new_from_seed(seed, executions), watch, &seen);
                ("random", Bound::Sampled(executions as u64))
            }
            // It wants a choice to be there.
            ShuttleMode::Pct { .. } if self.actors.len() < 2 => self.depth_first(&seen, watch, 1),
            ShuttleMode::Pct { executions, depth, seed } => {
                let pct = PctScheduler::new_from_seed(seed, depth.max(1), executions);
                self.run(pct, watch, &seen);
                ("PCT", Bound::Sampled(executions as u64))
            }
        };
        let bound = lock(&end).take().unwrap_or(bound);
        let seen = lock(&seen);
        let interleavings = match bound {
            Bound::NoMemoryModel(_) => Interleavings::Exactly(seen.executions.into()),
            _ => Interleavings::NotCounted,
        };
        let elapsed = lock(&meter).elapsed();
        seen.report(self, Engine::Shuttle, name, Some(bound), interleavings, elapsed)
    }

    fn depth_first(
        &self,
        seen: &Arc<Mutex<Seen>>,
        watch: Watch,
        max: usize,
    ) -> (&'static str, Bound) {
        // One more than is wanted: so it is known whether there were more.
        let depth_first = DfsScheduler::new(Some(max.saturating_add(1)), false);
        let executions = self.run(depth_first, watch, seen);
        let is_stuck = lock(seen).decided.contains_key(DEADLOCK_FREE);
        let bound = if is_stuck {
            Bound::Executions(executions as u64)
        } else if lock(seen).executions < executions as u64 {
            Bound::Turns(MAX_TURNS as u64)
        } else if executions > max {
            Bound::Executions(max as u64)
        } else {
            Bound::NoMemoryModel(Engine::Shuttle)
        };
        ("every interleaving", bound)
    }

    /// How many executions were begun. A deadlock ends them.
    fn run(
        &self,
        scheduler: impl Scheduler + Send + 'static,
        watch: Watch,
        seen: &Arc<Mutex<Seen>>,
    ) -> usize {
        let (program, at_end) = (self.clone(), seen.clone());
        let ran = on_shuttle(scheduler, watch, move || {
            notes::begin(program.actors.len(), notes::Options::default());
            (program.source.on_shuttle)();
            let notes = notes::end();
            if let Some(fault) = notes.fault() {
                resume_unwind(Box::new(fault));
            }
            lock(&at_end).ended(&program, &notes);
        });
        ran.unwrap_or_else(|(said, notes)| {
            let schedule = schedule(&notes.events);
            if !is_deadlock(&said) {
                let trace = trace(&self.actors, &notes);
                complain(&format!("the program fails after {schedule}: {said}\n\n{trace}"))
            }
            let mut seen = lock(seen);
            seen.decide(DEADLOCK_FREE, &schedule);
            // The one that ended so is not among those seen.
            seen.executions as usize + 1
        })
    }

    /// Plays a schedule, one operation after the other. If the schedule reads an old value, its
    /// execution is looked for among those that loom explores.
    ///
    /// # Errors
    ///
    /// - If the schedule names an actor that does not exist, that waits for a lock or that has ended.
    /// - If it has another start than the first, or a choice.
    /// - If it reads an old value that cannot be read there.
    pub fn play(&self, schedule: &Schedule) -> Result<Trace, PlayError> {
        self.check(schedule)?;
        let notes = match schedule.stale.first() {
            None => self.followed(schedule, false).0,
            Some((turn, _)) => {
                self.found_by_loom(schedule).ok_or(PlayError::Stale { position: turn + 1 })?
            }
        };
        let done = notes.operations().count();
        match schedule.turns.get(done) {
            Some(&actor) => {
                let (position, name) = (done + 1, self.actors[actor].clone());
                Err(match notes.outputs.get(actor) {
                    Some(Some(_)) => PlayError::Ended { position, actor: name },
                    _ => PlayError::Waits { position, actor: name },
                })
            }
            None => Ok(trace(&self.actors, &notes)),
        }
    }

    /// The same schedule, continued until all actors have ended, and the notes of what happened.
    /// After the schedule, the first actor that can still act goes next. For schedules that read no
    /// old value.
    ///
    /// # Errors
    ///
    /// If the schedule names an actor that does not exist or has ended, or if it reads an old
    /// value.
    pub(crate) fn completed(&self, schedule: &Schedule) -> Result<(Schedule, Notes), PlayError> {
        self.play(schedule)?;
        if let Some((turn, _)) = schedule.stale.first() {
            return Err(PlayError::Stale { position: turn + 1 });
        }
        let (notes, turns) = self.followed(schedule, true);
        // Whoever has not ended then, never will.
        if let Some(actor) = notes.outputs.iter().position(Option::is_none) {
            let actor = self.actors.get(actor).cloned().unwrap_or_default();
            return Err(PlayError::Waits { position: turns.len() + 1, actor });
        }
        Ok((Schedule::of(turns), notes))
    }

    fn check(&self, schedule: &Schedule) -> Result<(), PlayError> {
        if schedule.start > 0 {
            return Err(PlayError::NoSuchStart { start: schedule.start, starts: 1 });
        }
        // Threads choose nothing.
        if let Some((turn, way)) = schedule.ways.first() {
            let actor = schedule
                .turns
                .get(*turn)
                .map_or_else(String::new, |actor| format!("thread {actor}"));
            return Err(PlayError::NoSuchWay { position: turn + 1, actor, way: *way, ways: 1 });
        }
        let actors = self.actors.len();
        for (position, &actor) in (1..).zip(&schedule.turns) {
            if actor >= actors {
                return Err(PlayError::NoSuchActor { position, actor, actors });
            }
        }
        Ok(())
    }

    /// What happens when these operations are done, or as many of them as there are; and whose they were.
    fn followed(&self, schedule: &Schedule, to_the_end: bool) -> (Notes, Vec<usize>) {
        let kept: Arc<Mutex<Option<Notes>>> = Arc::default();
        let turns = schedule.turns.clone();
        let follow = Follow { turns, to_the_end, began: false, kept: kept.clone() };
        let (program, at_end) = (self.clone(), kept.clone());
        let meter = Arc::new(Mutex::new(Limits::NONE.start(Engine::Shuttle)));
        let ran = on_shuttle(follow, Watch { meter, end: Arc::default() }, move || {
            notes::begin(program.actors.len(), notes::Options::default());
            (program.source.on_shuttle)();
            *lock(&at_end) = Some(notes::end());
        });
        let left = ran.err().map(|(_, notes)| *notes);
        let notes = lock(&kept).take().or(left).unwrap_or_default();
        let turns = notes.operations().map(|event| event.actor).collect();
        (notes, turns)
    }
}

/// Runs shuttle on a thread of its own, silently; or says with what it panicked, and what had happened.
fn on_shuttle(
    scheduler: impl Scheduler + Send + 'static,
    watch: Watch,
    execute: impl Fn() + Send + Sync + 'static,
) -> Result<usize, (String, Box<Notes>)> {
    on_a_silent_thread(|| {
        let runner = Runner::new(Operations::of(scheduler, watch), config());
        let ran = catch_unwind(AssertUnwindSafe(|| runner.run(execute)));
        ran.map_err(|panic| {
            let said = message(&*panic).unwrap_or("with no word").to_owned();
            (said, Box::new(notes::end()))
        })
    })
}

/// Whether that is what shuttle says where nobody can go on.
fn is_deadlock(said: &str) -> bool {
    said.starts_with("deadlock! blocked tasks")
}

fn config() -> Config {
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::None;
    config.silence_warnings = true;
    config
}

/// Lets another scheduler choose between operations, and between nothing else.
///
/// shuttle also asks which thread is next where a thread begins, ends, waits for another or
/// releases a lock. That order makes no difference. So a thread that is not about to perform an
/// operation goes on until it is.
struct Operations<S> {
    chooses: S,
    watch: Watch,
    executions: usize,
    /// How often somebody was chosen in this execution.
    turns: usize,
}

/// An execution in which somebody was chosen more often than this is taken for one that never ends, and
/// is the last.
const MAX_TURNS: usize = 1_000;

impl<S> Operations<S> {
    fn of(chooses: S, watch: Watch) -> Self {
        Operations { chooses, watch, executions: 0, turns: 0 }
    }
}

/// The limit that was reached, if one was.
type End = Arc<Mutex<Option<Bound>>>;

/// What shuttle has taken so far, and what ended it.
struct Watch {
    meter: Arc<Mutex<Meter>>,
    end: End,
}

impl<S: Scheduler> Scheduler for Operations<S> {
    fn new_execution(&mut self) -> Option<TaskSchedule> {
        if self.turns > MAX_TURNS {
            return None;
        }
        let far = || format!("{} executions", self.executions);
        if let Some(bound) = lock(&self.watch.meter).reached(far) {
            *lock(&self.watch.end) = Some(bound);
            return None;
        }
        self.executions += 1;
        self.turns = 0;
        // Of an execution before that was left, nothing is to be believed in this one.
        notes::begin(0, notes::Options::default());
        self.chooses.new_execution()
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        // The first actor is on the main thread, which is task 0; the others are started in their order.
        let acts =
            |task: &&&Task| notes::so_far(|notes| notes.is_about_to_act(usize::from(task.id())));
        if let Some(task) = runnable.iter().find(|task| !acts(task)) {
            return Some(task.id());
        }
        self.turns += 1;
        if self.turns > MAX_TURNS {
            return None;
        }
        self.chooses.next_task(runnable, current, is_yielding)
    }

    fn next_u64(&mut self) -> u64 {
        self.chooses.next_u64()
    }
}

/// A scheduler that lets just those operations happen that a schedule names.
struct Follow {
    turns: Vec<usize>,
    /// And whatever can happen then.
    to_the_end: bool,
    began: bool,
    /// What had happened when the schedule was over, or could not be followed.
    kept: Arc<Mutex<Option<Notes>>>,
}

impl Scheduler for Follow {
    fn new_execution(&mut self) -> Option<TaskSchedule> {
        let began = std::mem::replace(&mut self.began, true);
        (!began).then(|| TaskSchedule::new(0))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        _current: Option<TaskId>,
        _is_yielding: bool,
    ) -> Option<TaskId> {
        // Whoever was chosen has done one operation since, or waits for a lock.
        let done = notes::so_far(|notes| notes.operations().count());
        let next = match self.turns.get(done) {
            Some(actor) => Some(TaskId::from(*actor)),
            None if self.to_the_end => runnable.first().map(|task| task.id()),
            None => None,
        };
        let next = next.filter(|task| runnable.iter().any(|runnable| runnable.id() == *task));
        if next.is_none() {
            *lock(&self.kept) = Some(notes::so_far(Notes::clone));
        }
        next
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("the programs make no random choice")
    }
}
