//! Third floor, `run`: the processes of one program, from its start to its end or to where the check stops
//! it. Imports libc and its neighbours in `run`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::sync::Arc;

use libc::{c_int, pid_t, user_regs_struct};

use super::watch::Watch;
use super::{Ended, Program, calls, spawn};
use crate::direct::{DirectFile, DirectFs};

/// The processes of a program. Dropping it kills those that are left, and waits until they are gone.
pub(super) struct Tree<'p> {
    pub(super) program: &'p Program,
    root: pid_t,
    /// Processes and threads that have begun and not ended.
    alive: Vec<pid_t>,
    /// The open files of the world, by the numbers in the names of their placeholders.
    pub(super) files: BTreeMap<u64, DirectFile>,
    opened: u64,
    /// How many random bytes were given.
    pub(super) random: u64,
    has_begun: bool,
}

/// Runs a program: each of its calls on the world is asked of `fs`.
pub(super) fn run(program: &Arc<Program>, fs: &mut DirectFs) -> Ended {
    let stdout = spawn::nameless(c"stdout");
    let mut stdout = stdout.unwrap_or_else(|error| program.fails("no file for its output", &error));
    let root = spawn::start(program, &stdout);
    let root = root.unwrap_or_else(|error| program.fails("cannot start it", &error));
    let mut tree = Tree {
        program,
        root,
        alive: vec![root],
        files: BTreeMap::new(),
        opened: 0,
        random: 0,
        has_begun: false,
    };
    let watch = Watch::new(root, program.patience);
    tree.go_on(root, 0);
    let status = tree.until_it_ends(fs);
    if watch.killed() {
        let patience = program.patience;
        panic!("`{}` does not end within {patience:?}: does it wait for something?", program.name);
    }
    if !tree.has_begun {
        panic!(
            "`{}` cannot be started: `execve` or the filter of its calls was refused",
            program.name
        );
    }
    Ended {
        status: libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status)),
        signal: libc::WIFSIGNALED(status).then(|| libc::WTERMSIG(status)),
        stdout: read_back(&mut stdout),
    }
}

impl Program {
    fn fails(&self, what: &str, why: &std::io::Error) -> ! {
        panic!("`{}`: {what}: {why}", self.name)
    }

    /// A call that is not simulated.
    pub(super) fn refuses(&self, call: &str, why: &str) -> ! {
        panic!("{call} in `{}` is not simulated: {why}", self.name)
    }

    /// The world's directory, as the program can name it.
    pub(super) fn world(&self) -> &Path {
        use std::os::unix::ffi::OsStrExt;
        Path::new(std::ffi::OsStr::from_bytes(self.directory_path.as_bytes()))
    }
}

fn read_back(stdout: &mut File) -> String {
    let mut bytes = Vec::new();
    let read = stdout.rewind().and_then(|()| stdout.read_to_end(&mut bytes));
    read.map_or_else(|_| String::new(), |_| String::from_utf8_lossy(&bytes).into_owned())
}

impl Tree<'_> {
    /// Waits for one stop after the other; the status with which the first process ended.
    fn until_it_ends(&mut self, fs: &mut DirectFs) -> c_int {
        let mut ended = 0;
        while !self.alive.is_empty() {
            let mut status = 0;
            // Only of this group, and only children of this thread: others wait for theirs.
            // SAFETY: `status` is a place for it.
            let pid =
                unsafe { libc::waitpid(-self.root, &mut status, libc::__WALL | libc::__WNOTHREAD) };
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
            self.alive.retain(|known| *known != pid);
            self.close_what_nobody_has();
        }
        ended
    }

    fn stopped(&mut self, fs: &mut DirectFs, pid: pid_t, status: c_int) {
        let is_new = !self.alive.contains(&pid);
        if is_new {
            self.alive.push(pid);
        }
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        let delivered = match event {
            libc::PTRACE_EVENT_SECCOMP => {
                calls::answered(self, fs, pid);
                0
            }
            libc::PTRACE_EVENT_EXEC => {
                self.has_begun = true;
                // Descriptors that are closed on exec are closed by now.
                self.close_what_nobody_has();
                0
            }
            0 if is_new || signal == libc::SIGSTOP || signal == libc::SIGTRAP => 0,
            0 => signal,
            _ => 0,
        };
        self.go_on(pid, delivered);
    }

    fn go_on(&self, pid: pid_t, signal: c_int) {
        // It may have been killed meanwhile: then its end is told next.
        // SAFETY: no memory is touched.
        unsafe { libc::ptrace(libc::PTRACE_CONT, pid, 0, signal) };
    }

    /// A number for the placeholder of a file that has just been opened.
    pub(super) fn keep(&mut self, file: DirectFile) -> u64 {
        let number = self.opened;
        self.opened += 1;
        self.files.insert(number, file);
        number
    }

    /// Which file of the world a descriptor stands for, if for one.
    pub(super) fn file_of(&self, pid: pid_t, descriptor: i32) -> Option<u64> {
        if self.files.is_empty() || descriptor < 0 {
            return None;
        }
        number_of(&fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).ok()?)
    }

    /// How many descriptors stand for each file.
    pub(super) fn descriptors(&self) -> BTreeMap<u64, usize> {
        let mut counts = BTreeMap::new();
        let processes = self.alive.iter().filter(|pid| is_process(**pid));
        for pid in processes {
            let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { continue };
            for entry in entries.flatten() {
                if let Some(number) = fs::read_link(entry.path()).ok().and_then(|it| number_of(&it))
                {
                    *counts.entry(number).or_default() += 1;
                }
            }
        }
        counts
    }

    /// Closes the files for which no descriptor stands any more, the oldest first.
    fn close_what_nobody_has(&mut self) {
        if self.files.is_empty() {
            return;
        }
        let held = self.descriptors();
        let gone = self.files.keys().filter(|number| !held.contains_key(number));
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
            for pid in &self.alive {
                libc::kill(*pid, libc::SIGKILL);
            }
            let mut status = 0;
            while libc::waitpid(-self.root, &mut status, libc::__WALL | libc::__WNOTHREAD) > 0 {}
        }
    }
}

/// Whether it is a process, and no further thread of one.
fn is_process(pid: pid_t) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status
        .lines()
        .any(|line| line.strip_prefix("Tgid:").is_some_and(|of| of.trim() == pid.to_string()))
}

/// The name of a file's placeholder.
pub(super) const PLACEHOLDER: &str = "toctou-world-";

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
