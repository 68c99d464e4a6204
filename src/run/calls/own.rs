//! Third floor, `run`: what a program asks of itself, of its processes and of the time. Imports
//! [`fs`](crate::fs), [`direct`] and its neighbours in `run`.

use std::path::Path;
use std::time::Duration;

use libc::{c_long, pid_t};

use super::Answer::{self, Is, Kernel, With};
use super::{Call, comm};
use crate::direct::{self, Sleep};
use crate::fs::Errno;
use crate::run::tree::{AtReturn, Tree, registers};
use crate::run::{identity, memory};

impl Call<'_, '_, '_> {
    /// Whether a descriptor stands for the kernel's random bytes.
    pub(super) fn is_random(&self, descriptor: u64) -> bool {
        let target = std::fs::read_link(format!("/proc/{}/fd/{}", self.pid, descriptor as i32));
        target.is_ok_and(|it| it == Path::new("/dev/urandom") || it == Path::new("/dev/random"))
    }

    /// The same bytes in each run.
    pub(super) fn getrandom(&mut self) -> Answer {
        let [to, count, ..] = self.of;
        self.random(to, count)
    }

    pub(super) fn random(&mut self, to: u64, count: u64) -> Answer {
        let bytes = self.tree.identity.random(count.min(1 << 16) as usize);
        let written = memory::write(self.pid, to, &bytes).map_err(|_| Errno::FAULT);
        Is(written.map(|()| bytes.len() as u64))
    }

    /// What a clock shows.
    pub(super) fn time(&mut self, clock: i32) -> Duration {
        if clock == libc::CLOCK_REALTIME {
            self.notes_clock();
        }
        if reads_clock(self.tree, self.pid, clock) {
            self.tree.reads_clock();
        }
        self.time_as_told(clock)
    }

    /// What a clock showed when the program read the time last.
    fn time_as_told(&mut self, clock: i32) -> Duration {
        let slept = self.tree.clock.map_or(self.tree.slept, |told| told.passed);
        let asked = self.tree.task(self.pid).map_or(0, |task| {
            task.asked_time += 1;
            task.asked_time
        });
        identity::time(clock, slept, asked)
    }

    /// Notes that the program asked what time it is. Interpreters do when they start, and for nothing else.
    fn notes_clock(&self) {
        // It shows times where it is asked to, and decides nothing by them.
        if comm(self.pid).is_some_and(|name| name == "psql") {
            return;
        }
        let is_beyond_its_start = match self.tree.program.database {
            // Whoever imports a client of a database starts anew in each run.
            Some(_) => direct::asked_so_far() > 0,
            None => direct::answers_known() > 0,
        };
        if is_beyond_its_start || !is_an_interpreter(self.pid) {
            self.tree.program.notes_clock();
        }
    }

    pub(super) fn tell(&self, to: u64, words: [u64; 2]) -> Answer {
        if to == 0 {
            return Is(Ok(0));
        }
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        Is(memory::write(self.pid, to, &bytes).map(|()| 0).map_err(|_| Errno::FAULT))
    }

    pub(super) fn two_words(&self, at: u64) -> Option<[u64; 2]> {
        let bytes =
            memory::read(self.pid, at, 16).ok().filter(|bytes| at != 0 && bytes.len() == 16)?;
        let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
        Some([word(&bytes[..8]), word(&bytes[8..])])
    }

    pub(super) fn timespec(&self, at: u64) -> Option<Duration> {
        self.two_words(at).map(|[seconds, nanoseconds]| {
            Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
        })
    }

    /// Sleeps so long, or until this clock shows that. It takes no time.
    pub(super) fn sleep(&mut self, asked: u64, until: Option<i32>) -> Answer {
        let Some(asked) = self.timespec(asked) else { return Is(Err(Errno::FAULT)) };
        if self.tree.clock.is_some() && !self.is_beside() {
            return self.sleep_by_the_clock(asked, until);
        }
        let time = match until {
            None => asked,
            Some(clock) => asked.saturating_sub(self.time(clock)),
        };
        // A thread beside the first sleeps beside what the program does: that is no step of it.
        if self.is_beside() {
            return Kernel;
        }
        self.tree.sleeps(time);
        Is(Ok(0))
    }

    /// The same where sleeps move the world's clock on: a sleep begins, and it ends.
    fn sleep_by_the_clock(&mut self, asked: Duration, until: Option<i32>) -> Answer {
        let begun = self.tree.task(self.pid).and_then(|task| task.sleep.take());
        if begun.is_none() {
            // Who is killed while it sleeps is killed before: it has not moved the clock on.
            self.may_be_killed();
        }
        let sleep = match (begun, until) {
            (Some(sleep), _) => sleep,
            (None, None) => self.tree.begins_to_sleep(asked),
            // It says itself when it ends.
            (None, Some(clock)) => {
                let since = identity::time(clock, Duration::ZERO, 0);
                Sleep::until(identity::BEGINS + identity::rounded(asked.saturating_sub(since)))
            }
        };
        if begun.is_none() && !self.tree.is_alone() {
            if let Some(task) = self.tree.task(self.pid) {
                task.sleep = Some(sleep);
            }
            return Answer::Sleeps;
        }
        self.tree.wakes(sleep);
        Is(Ok(0))
    }

    /// Whether it is a thread that is not the first of its process.
    pub(super) fn is_beside(&mut self) -> bool {
        let pid = self.pid;
        self.tree.task(pid).is_some_and(|task| task.process != pid)
    }

    /// Waits for something that the world knows nothing of, and no longer than this. If it waits so long, it
    /// has slept.
    pub(super) fn waits(&mut self, time: Option<Duration>, answer_then: i64) -> Answer {
        if let Some(time) = time.filter(|time| *time >= Duration::from_millis(1))
            && let Some(task) = self.tree.task(self.pid)
        {
            task.at_return = Some(AtReturn::Slept(time, answer_then));
        }
        Kernel
    }

    /// Waits in memory, for a while or until a time of the program's clock.
    pub(super) fn futex(&mut self) -> Answer {
        if self.is_beside() {
            return Kernel;
        }
        let [_, operation, _, time, ..] = self.of;
        let late = -i64::from(libc::ETIMEDOUT);
        let command = operation as i32 & libc::FUTEX_CMD_MASK;
        let until = match command {
            libc::FUTEX_WAIT => return self.waits(self.timespec(time), late),
            libc::FUTEX_WAIT_BITSET => self.timespec(time),
            _ => return Kernel,
        };
        let Some(until) = until else { return Kernel };
        let clock = match operation as i32 & libc::FUTEX_CLOCK_REALTIME {
            0 => libc::CLOCK_MONOTONIC,
            _ => libc::CLOCK_REALTIME,
        };
        if clock == libc::CLOCK_REALTIME {
            self.notes_clock();
        }
        let left = until.saturating_sub(self.time_as_told(clock));
        // The same by the kernel's clock. It stands below what the stack may be used for.
        let Some(now) = registers(self.pid) else { return Kernel };
        let at = (now.rsp - 1024) & !15;
        let then = real_time(clock) + left;
        if !matches!(self.tell(at, [then.as_secs(), then.subsec_nanos().into()]), Is(Ok(_))) {
            return Kernel;
        }
        self.waits(Some(left.max(Duration::from_millis(1))), late);
        let mut changed = self.of;
        changed[3] = at;
        With(changed)
    }

    /// A call about a process: about one of this program, or refused.
    pub(super) fn kill(&mut self) -> Answer {
        let [first, second, ..] = self.of;
        let is_of_group = self.name == "kill" && (first as i32) <= 0;
        let is_own = |number: u64| self.tree.real(number).is_some() || self.tree.has(number as i32);
        // `kill(0, …)`: its own group, which is that of this program.
        if is_of_group && first as i32 == 0 {
            return Kernel;
        }
        let other = if self.name == "tgkill" { !is_own(second) } else { false };
        // In the world, there are the programs of the check and nobody else. Who asks whether a process of
        // another number is there hears that it is not.
        let is_asked = self.name == "kill" && second == 0;
        let is_nobody =
            first < u64::from(identity::FIRST_PROCESS) || self.tree.identity.has(first as u32);
        if is_asked && !is_of_group && is_nobody && !is_own(first) {
            return Is(Err(Errno::SRCH));
        }
        if is_of_group || !is_own(first) || other {
            self.refuse("a signal to a process that is not of this program");
        }
        let numbers: &[usize] = if self.name == "tgkill" { &[0, 1] } else { &[0] };
        self.of_own(self.of, numbers)
    }

    /// Waits for a child. Programs know children by numbers of their own.
    pub(super) fn wait(&mut self, number: usize, told: u64) -> Answer {
        if let Some(task) = self.tree.task(self.pid) {
            task.at_return = Some(AtReturn::Waited(told));
        }
        let mut of = self.of;
        // It may have ended: then it is waited for all the same.
        if let Some(real) = self.tree.ever(of[number]) {
            of[number] = real as u64;
        }
        With(of)
    }

    /// A process stays who it is: what it sets has to be what is so already.
    pub(super) fn changes_user(&self, number: c_long) -> Answer {
        let (user, group) =
            (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let count = match number {
            libc::SYS_setresuid | libc::SYS_setresgid => 3,
            libc::SYS_setreuid | libc::SYS_setregid => 2,
            _ => 1,
        };
        let is_group =
            [libc::SYS_setgid, libc::SYS_setregid, libc::SYS_setresgid, libc::SYS_setfsgid];
        let same = if is_group.contains(&number) { group } else { user };
        let stays = |id: &u64| *id as u32 == u32::MAX || *id as u32 == same;
        if number == libc::SYS_setgroups || !self.of[..count].iter().all(stays) {
            self.refuse("a program that becomes another user");
        }
        Kernel
    }

    /// The same call, with the kernel's numbers for those by which the program knows its processes.
    pub(super) fn of_own(&self, mut of: [u64; 6], numbers: &[usize]) -> Answer {
        for number in numbers {
            if let Some(real) = self.tree.real(of[*number]) {
                of[*number] = real as u64;
            }
        }
        With(of)
    }
}

/// Whether it is a step to read this clock: the world's clock is read, unless an interpreter starts or a thread
/// beside the first one asks.
pub(super) fn reads_clock(tree: &mut Tree<'_>, pid: pid_t, clock: i32) -> bool {
    let is_first = tree.task(pid).is_some_and(|task| task.process == pid);
    tree.clock.is_some()
        && is_first
        && !identity::is_of_the_processor(clock)
        && (direct::asked_so_far() > 0 || !is_an_interpreter(pid))
}

/// Whether it runs a program that asks for the time when it starts, and for nothing else.
fn is_an_interpreter(pid: pid_t) -> bool {
    let name = comm(pid).unwrap_or_default();
    ["python", "node", "perl", "ruby"].iter().any(|it| name.starts_with(it))
}

/// What the kernel's clock shows.
pub(super) fn real_time(clock: i32) -> Duration {
    // SAFETY: zeros are a time, and there is room for one.
    let now = unsafe {
        let mut now: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(clock, &mut now);
        now
    };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}
