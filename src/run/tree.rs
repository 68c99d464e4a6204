//! Third floor, `run`: the processes of one program, from its start to its end or to where the check stops
//! it. Imports libc and its neighbours in `run`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use libc::{c_int, pid_t, user_regs_struct};

use super::calls::Then;
use super::code::SLEEP;
use super::connections::Connections;
use super::identity::Identity;
use super::spawn::Outputs;
use super::watch::Watch;
use super::{Ended, Program, calls, checkpoint, identity, memory, spawn};
use crate::direct::{self, DirectFile, DirectFs, Sleep};
use crate::fs::{ByteRange, FileSystem, FlockOperation, OFlags};

/// The processes of a program. Dropping it kills those that are left, and waits until they are gone.
pub(super) struct Tree<'p> {
    pub(super) program: &'p Arc<Program>,
    root: pid_t,
    watch: Watch,
    /// Processes and threads that have begun and not ended.
    tasks: BTreeMap<pid_t, Task>,
    /// New ones that stopped before it was told whose they are.
    early: Vec<pid_t>,
    /// Those that are stopped before a call on the world.
    held: Vec<pid_t>,
    /// The index of each that ever was.
    indices: BTreeMap<pid_t, u32>,
    begun: u32,
    /// The open files of the world, by the numbers in the names of their placeholders.
    pub(super) files: BTreeMap<u64, Open>,
    opened: u64,
    pub(super) connections: Connections,
    /// A file may be without a descriptor by now: to be looked at once nobody runs.
    pub(super) may_close: bool,
    pub(super) records: Vec<RecordLock>,
    pub(super) identity: Identity,
    /// How long it slept.
    pub(super) slept: Duration,
    /// Where sleeps move the world's clock on: what the program was last told of it.
    pub(super) clock: Option<ToldTime>,
    has_begun: bool,
    /// What it prints, as long as it may be [kept](checkpoint) before its first call.
    may_be_kept: Option<Rc<Outputs>>,
}

/// Record locks of a process on a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordLock {
    pub(super) inode: Option<u64>,
    pub(super) process: pid_t,
    /// The open file through which they are held.
    pub(super) through: u64,
}

/// Where a run begins: at a program's beginning, or before its first call on the world.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) root: pid_t,
    pub(super) task: Option<Task>,
    pub(super) identity: Identity,
}

/// What a program was told of the world's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ToldTime {
    /// How long after the beginning of all programs it is.
    pub(super) passed: Duration,
    /// After how many operations it was told so, if it was.
    after: Option<usize>,
}

/// A process or a thread.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// The process that it is a thread of.
    pub(super) process: pid_t,
    pub(super) parent: Option<pid_t>,
    /// The how manieth of its program it is.
    pub(super) index: u32,
    /// How often it asked for the time.
    pub(super) asked_time: u32,
    /// What to do when the call in which it is ends.
    pub(super) at_return: Option<AtReturn>,
    /// Of a process: where it works.
    pub(super) works_in: WorksIn,
    /// It waits until this child begins another program or ends (`vfork`).
    waits_for: Option<pid_t>,
    /// It sleeps, and the world's clock moves on.
    pub(super) sleep: Option<Sleep>,
}

/// Where a process works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WorksIn {
    /// In the world: in this open directory, or in the world's own.
    World(Option<u64>),
    /// Where the kernel says.
    Elsewhere,
}

/// What to do when a call ends that the kernel performs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtReturn {
    /// It has slept so long, if it answers this.
    Slept(Duration, i64),
    /// It has a child, of which it is told by the number that programs know.
    Began(pid_t),
    /// The same of a child that it waited for, and of what is told there of it.
    Waited(u64),
    /// This socket of it is connected with the database.
    Connected(u64),
    /// It has sent something there through this socket.
    Sent(u64),
    /// It has closed a descriptor of such a socket.
    Closed,
}

/// An open file of the world.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) file: DirectFile,
    pub(super) flags: OFlags,
    /// The path in the world by which it was opened.
    pub(super) path: PathBuf,
    /// Whether it may hold a lock, so that its end is a call on the world.
    pub(super) has_lock: bool,
    /// Whether `.` and `..` were told of it.
    pub(super) told_itself: bool,
}

/// What a run is unwound with when its program is killed.
pub(super) struct Killed;

/// How many runs of programs there were in this process so far.
static RUNS: AtomicU64 = AtomicU64::new(0);

/// How many runs of programs there were in this process so far, whole ones and parts.
pub fn runs() -> u64 {
    RUNS.load(Ordering::Relaxed)
}

/// Runs a program: each of its calls on the world is asked of `fs`.
pub(super) fn run(program: &Arc<Program>, fs: &mut DirectFs) -> Ended {
    RUNS.fetch_add(1, Ordering::Relaxed);
    let identity = Identity::of_this_run();
    let number = identity.number(0);
    let resumed = checkpoint::resumed(program, number);
    let is_new = resumed.is_none();
    let (start, outputs) = resumed.unwrap_or_else(|| {
        let outputs = Outputs::new();
        let outputs =
            outputs.unwrap_or_else(|error| program.fails("no file for its output", &error));
        let root = spawn::start(program, &outputs);
        let root = root.unwrap_or_else(|error| program.fails("cannot start it", &error));
        (Start { root, task: None, identity }, Rc::new(outputs))
    });
    let mut tree = Tree {
        program,
        root: start.root,
        watch: Watch::new(start.root, program.patience),
        tasks: BTreeMap::new(),
        early: Vec::new(),
        held: Vec::new(),
        indices: BTreeMap::new(),
        begun: 0,
        files: BTreeMap::new(),
        opened: 0,
        connections: Connections::default(),
        may_close: false,
        records: Vec::new(),
        identity: start.identity,
        slept: Duration::ZERO,
        clock: direct::has_clock().then(ToldTime::default),
        has_begun: !is_new,
        may_be_kept: is_new.then(|| outputs.clone()),
    };
    tree.begins(start.root, None);
    if let (Some(then), Some(now)) = (start.task, tree.tasks.get_mut(&start.root)) {
        *now = Task { process: start.root, ..then };
    }
    tree.go_on(start.root, 0);
    let status = match catch_unwind(AssertUnwindSafe(|| tree.until_it_ends(fs))) {
        Ok(status) => status,
        Err(why) if why.is::<Killed>() => libc::SIGKILL,
        Err(why) => resume_unwind(why),
    };
    if tree.watch.killed() {
        let patience = program.patience;
        stop(format!(
            "`{}` does not end within {patience:?}: does it wait for a terminal, for the network, or for \
             something that is not in the world?",
            program.name
        ));
    }
    if !tree.has_begun {
        let why = spawn::why_not(status);
        stop(format!("`{}` cannot be started: {why}", program.name));
    }
    Ended {
        status: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        stdout: read_back(&outputs.stdout),
        stderr: read_back(&outputs.stderr),
    }
}

/// Ends the check with this. It is about the program, so no line of this crate is named.
pub(super) fn stop(why: String) -> ! {
    resume_unwind(Box::new(why))
}

impl Program {
    pub(super) fn fails(&self, what: &str, why: &std::io::Error) -> ! {
        stop(format!("`{}`: {what}: {why}", self.name))
    }

    /// A call that is not simulated.
    pub(super) fn refuses(&self, call: &str, by: Option<String>, why: &str) -> ! {
        let by = by.unwrap_or_else(|| self.name.clone());
        stop(format!("{call} in `{by}` is not simulated: {why}"))
    }
}

fn read_back(mut output: &File) -> String {
    let mut bytes = Vec::new();
    let read = output.rewind().and_then(|()| output.read_to_end(&mut bytes));
    read.map_or_else(|_| String::new(), |_| String::from_utf8_lossy(&bytes).into_owned())
}

impl Tree<'_> {
    /// Waits for one stop after the other; the status with which the first process ended.
    fn until_it_ends(&mut self, fs: &mut DirectFs) -> c_int {
        let mut ended = 0;
        while !self.tasks.is_empty() {
            let mut status = 0;
            // Only of this group, and only children of this thread: others wait for theirs.
            let wait = if self.held.is_empty() { 0 } else { libc::WNOHANG };
            // SAFETY: `status` is a place for it.
            let pid = unsafe {
                let how = libc::__WALL | libc::__WNOTHREAD | wait;
                libc::waitpid(-self.root, &mut status, how)
            };
            if pid == 0 {
                match self.all_others_wait(None) {
                    true => {
                        if self.may_close {
                            self.close_what_nobody_has(None);
                        }
                        self.one_goes_on(fs);
                    }
                    false => std::thread::yield_now(),
                }
                continue;
            }
            if pid <= 0 {
                match std::io::Error::last_os_error().kind() {
                    std::io::ErrorKind::Interrupted => continue,
                    _ => break,
                }
            }
            if libc::WIFSTOPPED(status) {
                self.stopped(fs, pid, status);
                continue;
            }
            if pid == self.root {
                ended = status;
            }
            // Its descriptors may be others' as well; its locks are its own.
            self.give_records_back(fs, |lock| lock.process == pid);
            self.tasks.remove(&pid);
            self.held.retain(|held| *held != pid);
            self.wakes_who_waits_for(pid);
            self.close_what_nobody_has(None);
        }
        ended
    }

    fn stopped(&mut self, fs: &mut DirectFs, pid: pid_t, status: c_int) {
        const CALL_RETURNS: c_int = libc::SIGTRAP | 0x80;
        if !self.tasks.contains_key(&pid) {
            // It goes on when its parent's stop has told whose it is.
            self.early.push(pid);
            return;
        }
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        let delivered = match event {
            libc::PTRACE_EVENT_SECCOMP if self.is_kept_before(pid) => return,
            // Others of the program may come to a call, too: then it is open whose is the first.
            libc::PTRACE_EVENT_SECCOMP
                if (self.tasks.len() > 1 || self.may_close) && calls::asks(self, pid) =>
            {
                self.held.push(pid);
                return;
            }
            libc::PTRACE_EVENT_SECCOMP => {
                calls::answered(self, fs, pid);
                0
            }
            libc::PTRACE_EVENT_EXEC => {
                self.has_begun = true;
                if let Some(Err(error)) = registers(pid).map(|now| memory::read(pid, now.rsp, 8)) {
                    let what = "its memory cannot be read (in a container: allow SYS_PTRACE, and `process_vm_readv`)";
                    self.program.fails(what, &error);
                }
                self.wakes_who_waits_for(pid);
                self.identity.of_new_program(pid, self.tasks.get(&pid).map_or(0, |it| it.index));
                // Descriptors that are closed on exec are closed by now.
                self.close_what_nobody_has(Some(pid));
                0
            }
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                let mut child: libc::c_ulong = 0;
                // SAFETY: `child` is a place for it.
                unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, pid, 0, &raw mut child) };
                let child = child as pid_t;
                self.begins(child, Some(pid));
                let is_process = self.tasks.get(&child).is_some_and(|it| it.process == child);
                if let Some(task) = self.tasks.get_mut(&pid).filter(|_| is_process) {
                    task.at_return = Some(AtReturn::Began(child));
                    task.waits_for = (event == libc::PTRACE_EVENT_VFORK).then_some(child);
                }
                0
            }
            0 if signal == libc::SIGSYS => self.program.refuses(
                "a system call of another architecture",
                None,
                "of 32 bits, or x32",
            ),
            0 if signal == CALL_RETURNS => {
                calls::returned(self, pid);
                0
            }
            0 if signal == libc::SIGSTOP || signal == libc::SIGTRAP => 0,
            0 => signal,
            _ => 0,
        };
        self.go_on(pid, delivered);
    }

    /// Whether all wait for something that do not stand before a call on the world, beside the one that is
    /// looked at.
    pub(super) fn all_others_wait(&self, but: Option<pid_t>) -> bool {
        let is_other = |pid: &pid_t| Some(*pid) != but && !self.held.contains(pid);
        let mut others = self.tasks.iter().filter(|(pid, _)| is_other(pid));
        let waits = |(pid, task): (&pid_t, &Task)| {
            let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let state = status.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
            match state {
                Some('S' | 'X') | None => true,
                // Its end is told next, unless threads of it go on.
                Some('Z') => self.tasks.iter().any(|(it, task)| it != pid && task.process == *pid),
                Some('D') => task.waits_for.is_some(),
                // It runs, or its stop has not been told yet.
                Some(_) => false,
            }
        };
        self.early.is_empty() && others.all(waits)
    }

    /// Lets one of those go on that stand before a call on the world. Which of them is first is not up to
    /// the program: each is, in some execution.
    fn one_goes_on(&mut self, fs: &mut DirectFs) {
        self.held.sort_by_key(|pid| self.indices.get(pid));
        let first = match self.held.len() {
            1 => 0,
            several => {
                if let Some(pid) = self.held.iter().copied().find(|pid| calls::may_wait(self, *pid))
                {
                    calls::refuse_to_wait(self, fs, pid);
                }
                direct::choose(several)
            }
        };
        let pid = self.held.remove(first);
        match calls::answered(self, fs, pid) {
            Then::GoesOn => self.go_on(pid, 0),
            Then::Sleeps => self.held.push(pid),
        }
    }

    fn wakes_who_waits_for(&mut self, child: pid_t) {
        for task in self.tasks.values_mut().filter(|task| task.waits_for == Some(child)) {
            task.waits_for = None;
        }
    }

    /// The number by which the program knows a process, of the kernel's.
    pub(super) fn known_as(&self, pid: pid_t) -> Option<u32> {
        self.indices.get(&pid).map(|index| self.identity.number(*index))
    }

    /// Keeps the first process where it stands, if that is before its first call on the world. A copy of it
    /// goes on.
    fn is_kept_before(&mut self, pid: pid_t) -> bool {
        let is_alone = self.tasks.len() == 1 && self.early.is_empty() && pid == self.root;
        if self.may_be_kept.is_none() || !calls::is_on_the_world(self, pid) {
            return false;
        }
        let Some(outputs) = self.may_be_kept.take().filter(|_| is_alone) else { return false };
        let start = Start {
            root: pid,
            task: self.tasks.get(&pid).cloned(),
            identity: self.identity.clone(),
        };
        let number = self.identity.number(0);
        if !checkpoint::kept(self.program, number, pid, &outputs, &start) {
            return false;
        }
        let Some((Start { root, task: Some(task), .. }, _)) =
            checkpoint::resumed(self.program, number)
        else {
            self.program.fails("cannot copy it", &std::io::Error::last_os_error());
        };
        self.tasks.clear();
        self.indices.insert(root, task.index);
        self.tasks.insert(root, Task { process: root, ..task });
        self.root = root;
        self.watch.moves_to(root);
        self.go_on(root, 0);
        true
    }

    /// A process or a thread has begun.
    fn begins(&mut self, pid: pid_t, by: Option<pid_t>) {
        let process = process_of(pid);
        let by = by.and_then(|by| self.tasks.get(&by));
        let task = Task {
            process,
            parent: by.map(|by| by.process),
            index: self.begun,
            asked_time: 0,
            at_return: None,
            waits_for: None,
            sleep: None,
            works_in: by.map_or(WorksIn::World(None), |by| {
                self.tasks.get(&by.process).map_or(by.works_in.clone(), |of| of.works_in.clone())
            }),
        };
        self.indices.insert(pid, self.begun);
        self.begun += 1;
        self.tasks.insert(pid, task);
        if self.early.contains(&pid) {
            self.early.retain(|early| *early != pid);
            self.go_on(pid, 0);
        }
    }

    /// Gives back these record locks: each is a call of its own, unless its file is closed anyway.
    pub(super) fn give_records_back(
        &mut self,
        fs: &mut DirectFs,
        of: impl Fn(&RecordLock) -> bool,
    ) {
        let (gone, kept) = self.records.drain(..).partition(|lock| of(lock));
        self.records = kept;
        let gone: Vec<RecordLock> = gone;
        let held = if gone.is_empty() { BTreeMap::new() } else { self.descriptors() };
        for lock in gone.iter().filter(|lock| held.contains_key(&lock.through)) {
            if let Some(open) = self.files.get_mut(&lock.through) {
                let all = ByteRange { start: 0, length: 0 };
                let _ = fs.fcntl_ofd_setlk(&mut open.file, FlockOperation::Unlock, all);
            }
        }
    }

    /// The inode of an open file of the world.
    pub(super) fn inode(&self, number: u64) -> Option<u64> {
        let open = self.files.get(&number)?;
        let status = direct::observed(|| open.file.lent(|file| self.look().fstat(file)));
        status.ok().map(|status| status.inode)
    }

    /// The world, for a look that is no call of the program.
    pub(super) fn look(&self) -> DirectFs {
        DirectFs::new()
    }

    pub(super) fn task(&mut self, pid: pid_t) -> Option<&mut Task> {
        self.tasks.get_mut(&pid)
    }

    /// The process that a process or a thread belongs to.
    pub(super) fn process(&mut self, pid: pid_t) -> Option<&mut Task> {
        let process = self.tasks.get(&pid)?.process;
        // Its first thread may have ended.
        let of = if self.tasks.contains_key(&process) { process } else { pid };
        self.tasks.get_mut(&of)
    }

    /// Where the process works.
    pub(super) fn works_in(&self, pid: pid_t) -> &WorksIn {
        let process = self.tasks.get(&pid).and_then(|it| self.tasks.get(&it.process));
        process.or(self.tasks.get(&pid)).map_or(&WorksIn::Elsewhere, |it| &it.works_in)
    }

    /// The kernel's number of a process of this program that may have ended, of the number that the program
    /// knows.
    pub(super) fn ever(&self, number: u64) -> Option<pid_t> {
        let has_it =
            |(_, index): &(&pid_t, &u32)| u64::from(self.identity.number(**index)) == number;
        self.indices.iter().find(has_it).map(|(pid, _)| *pid)
    }

    /// The same of one that has not ended.
    pub(super) fn real(&self, number: u64) -> Option<pid_t> {
        let has_it =
            |(_, task): &(&pid_t, &Task)| u64::from(self.identity.number(task.index)) == number;
        self.tasks.iter().find(has_it).map(|(pid, _)| *pid)
    }

    /// Whether it is the only process of its program.
    pub(super) fn is_alone(&self) -> bool {
        self.tasks.len() == 1
    }

    pub(super) fn has(&self, pid: pid_t) -> bool {
        self.tasks.contains_key(&pid)
    }

    fn go_on(&self, pid: pid_t, signal: c_int) {
        let returns = self.tasks.get(&pid).is_some_and(|task| task.at_return.is_some());
        let how = if returns { libc::PTRACE_SYSCALL } else { libc::PTRACE_CONT };
        // It may have been killed meanwhile: then its end is told next.
        // SAFETY: no memory is touched.
        unsafe { libc::ptrace(how, pid, 0, signal) };
    }

    /// It has slept so long. Others may have acted meanwhile.
    pub(super) fn sleeps(&mut self, time: Duration) {
        if self.clock.is_some() {
            let sleep = self.begins_to_sleep(time);
            return self.wakes(sleep);
        }
        self.slept += time;
        self.may_be_kept = None;
        direct::let_time_pass(SLEEP);
    }

    /// A sleep begins.
    pub(super) fn begins_to_sleep(&mut self, time: Duration) -> Sleep {
        self.may_be_kept = None;
        Sleep::begin(SLEEP, identity::rounded(time))
    }

    /// A sleep ends.
    pub(super) fn wakes(&mut self, sleep: Sleep) {
        self.may_be_kept = None;
        sleep.end(SLEEP, identity::BEGINS);
    }

    /// It reads the world's clock: an operation, unless there was none since it read it last.
    pub(super) fn reads_clock(&mut self) {
        let Some(told) = self.clock else { return };
        if told.after != Some(direct::asked_so_far()) {
            self.may_be_kept = None;
            let passed = direct::clock(identity::BEGINS).saturating_sub(identity::BEGINS);
            self.clock = Some(ToldTime { passed, after: Some(direct::asked_so_far()) });
        }
    }

    /// A number for the placeholder of a file that has just been opened.
    pub(super) fn keep(&mut self, file: DirectFile, flags: OFlags, path: PathBuf) -> u64 {
        let number = self.opened;
        self.opened += 1;
        self.files.insert(number, Open { file, flags, path, has_lock: false, told_itself: false });
        number
    }

    /// Which file of the world a descriptor stands for, if for one.
    pub(super) fn file_of(&self, pid: pid_t, descriptor: i32) -> Option<u64> {
        if self.opened == 0 || descriptor < 0 {
            return None;
        }
        number_of(&fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).ok()?)
    }

    /// Whether a descriptor is what the program prints.
    pub(super) fn is_output(&self, pid: pid_t, descriptor: i32) -> bool {
        fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).is_ok_and(|link| is_output(&link))
    }

    /// Whether some process works in this open directory.
    pub(super) fn is_worked_in(&self, number: u64) -> bool {
        self.tasks.values().any(|task| task.holds() == Some(number))
    }

    /// The descriptors of a process that stand for files of the world, and for which.
    pub(super) fn descriptors_of(&self, pid: pid_t) -> Vec<(u32, u64)> {
        let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
        let of_world = entries.flatten().filter_map(|entry| {
            let number = number_of(&fs::read_link(entry.path()).ok()?)?;
            Some((entry.file_name().to_str()?.parse().ok()?, number))
        });
        of_world.collect()
    }

    /// The processes that have threads which have not ended.
    pub(super) fn processes(&self) -> Vec<pid_t> {
        let mut processes: Vec<pid_t> = self.tasks.values().map(|task| task.process).collect();
        processes.sort_unstable();
        processes.dedup();
        processes
    }

    /// How many descriptors stand for each file.
    pub(super) fn descriptors(&self) -> BTreeMap<u64, usize> {
        let mut counts = BTreeMap::new();
        for pid in self.processes() {
            for (_, number) in self.descriptors_of(pid) {
                *counts.entry(number).or_default() += 1;
            }
        }
        counts
    }

    /// Closes the files for which no descriptor stands any more, the oldest first. If others than `stopped`
    /// may be opening or closing some meanwhile, that is done before the next call on the world.
    pub(super) fn close_what_nobody_has(&mut self, stopped: Option<pid_t>) {
        let has_some = !self.files.is_empty() || !self.connections.is_empty();
        self.may_close = has_some && !self.all_others_wait(stopped);
        if !has_some || self.may_close {
            return;
        }
        if !self.connections.is_empty() {
            self.end_what_nobody_talks_on();
        }
        let held = self.descriptors();
        let gone = self.files.keys();
        let gone = gone.filter(|it| !held.contains_key(it) && !self.is_worked_in(**it));
        for number in gone.copied().collect::<Vec<_>>() {
            self.files.remove(&number);
        }
    }
}

impl Drop for Tree<'_> {
    fn drop(&mut self) {
        // What is open here belongs to the run, and goes with it.
        // SAFETY: no memory is touched; `status` is a place for it.
        unsafe {
            libc::kill(-self.root, libc::SIGKILL);
            for pid in self.tasks.keys().chain(&self.early) {
                libc::kill(*pid, libc::SIGKILL);
            }
            let mut status = 0;
            while libc::waitpid(-self.root, &mut status, libc::__WALL | libc::__WNOTHREAD) > 0 {}
        }
    }
}

impl Task {
    /// The directory that it works in, where it holds one open for that.
    fn holds(&self) -> Option<u64> {
        match self.works_in {
            WorksIn::World(directory) => directory,
            WorksIn::Elsewhere => None,
        }
    }
}

/// The process that a thread belongs to.
fn process_of(pid: pid_t) -> pid_t {
    status_of(pid, "Tgid:").and_then(|of| of.parse().ok()).unwrap_or(pid)
}

/// What the kernel says of a process under this name, in `/proc/PID/status`.
fn status_of(process: impl fmt::Display, name: &str) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)).map(|it| it.trim().to_owned())
}

/// The umask of a process, or of `self`; 0 where the kernel does not say.
pub(super) fn umask_of(process: impl fmt::Display) -> u32 {
    let umask = status_of(process, "Umask:");
    umask.and_then(|umask| u32::from_str_radix(&umask, 8).ok()).unwrap_or(0)
}

/// The arguments of the call before which a process is stopped.
pub(super) fn arguments(now: &user_regs_struct) -> [u64; 6] {
    [now.rdi, now.rsi, now.rdx, now.r10, now.r8, now.r9]
}

/// The name of a file's placeholder.
pub(super) const PLACEHOLDER: &str = "toctou-world-";

/// Whether a link in `/proc/PID/fd` stands for what a program prints.
pub(super) fn is_output(link: &Path) -> bool {
    link.to_str().is_some_and(|link| link.starts_with("/memfd:std"))
}

fn number_of(link: &Path) -> Option<u64> {
    let name = link.to_str()?.strip_prefix("/memfd:")?.strip_prefix(PLACEHOLDER)?;
    name.split(' ').next()?.parse().ok()
}

/// The registers of a process that is stopped.
pub(super) fn registers(pid: pid_t) -> Option<user_regs_struct> {
    // SAFETY: all zeros are registers, and there is room for them.
    unsafe {
        let mut registers: user_regs_struct = std::mem::zeroed();
        let got = libc::ptrace(libc::PTRACE_GETREGS, pid, 0, &raw mut registers);
        (got != -1).then_some(registers)
    }
}

pub(super) fn set_registers(pid: pid_t, registers: &user_regs_struct) {
    // SAFETY: they are only read.
    unsafe { libc::ptrace(libc::PTRACE_SETREGS, pid, 0, std::ptr::from_ref(registers)) };
}
