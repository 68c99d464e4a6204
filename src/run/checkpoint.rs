//! Third floor, `run`: the state of a program before its first call on the world, from which its further runs
//! begin. Imports its neighbours in `run`.
//!
//! A loader, an interpreter and its imports take longer than all that a check is about. So a program is
//! started once for each thread that runs it. It stands before its first call on the world from then on, and
//! each run is a copy of it (`clone`).

use std::cell::RefCell;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::{Arc, Weak};

use libc::{c_int, c_long, pid_t, user_regs_struct};

use super::Program;
use super::spawn::Outputs;
use super::tree::{Start, is_output, registers, set_registers};

/// A process that stands before a call.
struct Checkpoint {
    program: Weak<Program>,
    number: u32,
    pid: pid_t,
    /// How it stands there.
    registers: user_regs_struct,
    outputs: Rc<Outputs>,
    /// How much it has printed by then.
    printed: [u64; 2],
    /// The other files that it has open, and where it is in them.
    open: Vec<(File, u64)>,
    start: Start,
}

/// So many are kept for each thread.
const MOST: usize = 8;

thread_local! {
    static CHECKPOINTS: RefCell<Vec<Checkpoint>> = const { RefCell::new(Vec::new()) };
}

/// A copy of a program that stands before its first call, if there is one: where it stands, and what it
/// prints.
pub(super) fn resumed(program: &Arc<Program>, number: u32) -> Option<(Start, Rc<Outputs>)> {
    CHECKPOINTS.with_borrow_mut(|all| {
        // An address may be another program's by now.
        all.retain(|it| it.program.strong_count() > 0);
        let is_it =
            |it: &Checkpoint| it.program.as_ptr() == Arc::as_ptr(program) && it.number == number;
        let at = all.iter().position(is_it)?;
        match all[at].copied() {
            Ok(root) => Some((Start { root, ..all[at].start.clone() }, all[at].outputs.clone())),
            Err(_) => {
                all.remove(at);
                None
            }
        }
    })
}

/// Keeps a process that is stopped before a call, with whatever it has done so far. Not if it has something
/// open that a copy of it would change.
pub(super) fn kept(
    program: &Arc<Program>,
    number: u32,
    pid: pid_t,
    outputs: &Rc<Outputs>,
    start: &Start,
) -> bool {
    let Some(registers) = registers(pid).filter(|_| !shares_memory(pid)) else { return false };
    let Ok(open) = files_of(pid) else { return false };
    let printed =
        [&outputs.stdout, &outputs.stderr].map(|it| it.metadata().map_or(0, |it| it.len()));
    let outputs = outputs.clone();
    let (program, start) = (Arc::downgrade(program), start.clone());
    let kept = Checkpoint { program, number, pid, registers, outputs, printed, open, start };
    CHECKPOINTS.with_borrow_mut(|all| {
        if all.len() >= MOST {
            all.remove(0);
        }
        all.push(kept);
    });
    true
}

/// Whether what it writes in its memory is seen by a copy of it.
fn shares_memory(pid: pid_t) -> bool {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"));
    let is_shared = |line: &str| {
        line.split(' ').nth(1).is_some_and(|how| how.contains('w') && how.contains('s'))
    };
    maps.is_ok_and(|maps| maps.lines().any(is_shared))
}

/// A descriptor of a process.
pub(super) fn handle_of(pid: pid_t) -> io::Result<OwnedFd> {
    // SAFETY: no memory is touched.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// A descriptor of what a descriptor of that process stands for.
pub(super) fn same_file(process: &OwnedFd, number: c_int) -> io::Result<OwnedFd> {
    // SAFETY: no memory is touched.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) })
}

/// The descriptor that a call answered.
fn owned(answer: c_long) -> io::Result<OwnedFd> {
    match answer {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: it has just been opened, and is nobody else's.
        descriptor => Ok(unsafe { OwnedFd::from_raw_fd(descriptor as c_int) }),
    }
}

/// The files that a process has open, beside its output, and where it is in them.
fn files_of(pid: pid_t) -> io::Result<Vec<(File, u64)>> {
    let mut files = Vec::new();
    let process = handle_of(pid)?;
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let entry = entry?;
        let target = fs::read_link(entry.path())?;
        let metadata = entry.path().metadata()?;
        if is_output(&target)
            || target.as_os_str() == "/dev/null"
            || target.as_os_str() == "/dev/urandom"
        {
            continue;
        }
        // Pipes, sockets and the like would be shared by all copies.
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let number: c_int = entry.file_name().to_string_lossy().parse().unwrap_or(-1);
        let told = fs::read_to_string(format!("/proc/{pid}/fdinfo/{number}"))?;
        let flags = told.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags =
            flags.and_then(|flags| c_int::from_str_radix(flags.trim(), 8).ok()).unwrap_or(0);
        if flags & libc::O_ACCMODE != libc::O_RDONLY {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let at = told.lines().find_map(|line| line.strip_prefix("pos:"));
        let at = at.and_then(|at| at.trim().parse().ok()).unwrap_or(0);
        files.push((File::from(same_file(&process, number)?), at));
    }
    Ok(files)
}

impl Checkpoint {
    /// A copy of the process, before the same call, in a process group of its own.
    fn copied(&mut self) -> io::Result<pid_t> {
        use std::io::{Seek, SeekFrom};
        for (mut file, length) in
            [&self.outputs.stdout, &self.outputs.stderr].into_iter().zip(self.printed)
        {
            file.set_len(length)?;
            file.seek(SeekFrom::Start(length))?;
        }
        for (file, at) in &mut self.open {
            file.seek(SeekFrom::Start(*at))?;
        }
        let copy = self.cloned()?;
        let stays = Stays(copy);
        // It is stopped at its beginning. It takes one call more than the program knows of.
        if waited(copy)? != libc::SIGSTOP {
            return Err(io::Error::other("a copy of a process did not stop"));
        }
        let mut now = self.before_call();
        (now.rax, now.rdi, now.rsi) = (libc::SYS_setpgid as u64, 0, 0);
        set_registers(copy, &now);
        through_call(copy)?;
        set_registers(copy, &self.before_call());
        std::mem::forget(stays);
        Ok(copy)
    }

    /// The registers with which the call is made, once more.
    fn before_call(&self) -> user_regs_struct {
        /// The length of the instruction `syscall`.
        const SYSCALL: u64 = 2;
        let then = self.registers;
        user_regs_struct { rip: then.rip - SYSCALL, rax: then.orig_rax, orig_rax: u64::MAX, ..then }
    }

    /// Has the process clone itself, where it stands before its call; it stands there again afterwards.
    fn cloned(&mut self) -> io::Result<pid_t> {
        let mut now = self.registers;
        // A child of this thread, as the process is.
        now.orig_rax = libc::SYS_clone as u64;
        now.rdi = (libc::CLONE_PARENT | libc::SIGCHLD) as u64;
        (now.rsi, now.rdx, now.r10, now.r8) = (0, 0, 0, 0);
        set_registers(self.pid, &now);
        resume(self.pid, libc::PTRACE_SYSCALL)?;
        let mut copy: libc::c_ulong = 0;
        loop {
            match waited(self.pid)? {
                CALL => break,
                it if it >> 8 == libc::PTRACE_EVENT_FORK || it >> 8 == libc::PTRACE_EVENT_CLONE => {
                    // SAFETY: `copy` is a place for it.
                    unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, self.pid, 0, &raw mut copy) };
                }
                _ => {}
            }
            resume(self.pid, libc::PTRACE_SYSCALL)?;
        }
        set_registers(self.pid, &self.before_call());
        // On to where it stood: the filter stops it before its call.
        resume(self.pid, libc::PTRACE_CONT)?;
        while waited(self.pid)? >> 8 != libc::PTRACE_EVENT_SECCOMP {
            resume(self.pid, libc::PTRACE_CONT)?;
        }
        match copy as pid_t {
            0 => Err(io::Error::other("a process was not copied")),
            copy => Ok(copy),
        }
    }
}

/// A copy that is killed, unless all went well.
struct Stays(pid_t);

impl Drop for Stays {
    fn drop(&mut self) {
        gone(self.0);
    }
}

impl Drop for Checkpoint {
    fn drop(&mut self) {
        gone(self.pid);
    }
}

fn gone(pid: pid_t) {
    let mut status = 0;
    // SAFETY: `status` is a place for it.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        while libc::waitpid(pid, &mut status, libc::__WALL) == pid && libc::WIFSTOPPED(status) {}
    }
}

/// How a process says that a call begins or ends.
const CALL: c_int = libc::SIGTRAP | 0x80;

/// Waits for the next stop: its signal, and above that its event.
fn waited(pid: pid_t) -> io::Result<c_int> {
    let mut status = 0;
    loop {
        // SAFETY: `status` is a place for it.
        let told = unsafe { libc::waitpid(pid, &mut status, libc::__WALL) };
        match told {
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            -1 => return Err(io::Error::last_os_error()),
            _ if libc::WIFSTOPPED(status) => return Ok(status >> 8),
            _ => return Err(io::Error::other("a process ended that was to be copied")),
        }
    }
}

fn resume(pid: pid_t, how: libc::c_uint) -> io::Result<()> {
    // SAFETY: no memory is touched.
    match unsafe { libc::ptrace(how, pid, 0, 0 as c_long) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Lets a process that is stopped before a call make it, and stops it behind that.
fn through_call(pid: pid_t) -> io::Result<()> {
    // At its beginning and at its end; the filter stops it in between.
    let mut stops = 0;
    while stops < 2 {
        resume(pid, libc::PTRACE_SYSCALL)?;
        if waited(pid)? == CALL {
            stops += 1;
        }
    }
    Ok(())
}
