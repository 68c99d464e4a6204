//! One real process, which is stopped before each of its calls on files: forked from this one, which has no
//! other thread.

use std::ffi::c_void;
use std::io;
use std::mem::offset_of;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{c_int, c_long, pid_t, sock_filter, sock_fprog, user_regs_struct};
use toctou::fs::{Errno, errno_name};

/// The calls that are counted. `close` is none: nobody sees it of a file without a lock. Neither is `fcntl`, by
/// which `std` looks at each descriptor that it closes.
const CALLS: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync,
    libc::SYS_syncfs,
    libc::SYS_sync_file_range,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_access,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_chmod,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_unlink,
    libc::SYS_rmdir,
    libc::SYS_unlinkat,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_link,
    libc::SYS_linkat,
    libc::SYS_symlink,
    libc::SYS_symlinkat,
    libc::SYS_readlink,
    libc::SYS_readlinkat,
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    libc::SYS_mknod,
    libc::SYS_mknodat,
    libc::SYS_getdents64,
    libc::SYS_flock,
];

/// Stops a process at each of these calls, and at no other.
fn filter() -> Vec<sock_filter> {
    let is = |code: u32, k: u32| sock_filter { code: code as u16, jt: 0, jf: 1, k };
    let plain = |code: u32, k: u32| sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let number = offset_of!(libc::seccomp_data, nr) as u32;
    let argument = offset_of!(libc::seccomp_data, args) as u32;
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    // The first load is for nothing, and keeps the kernel from working out the answer for every call there
    // is. That would take longer than all calls of a process.
    let mut filter = vec![plain(load, argument), plain(load, number)];
    for call in CALLS {
        filter.push(is(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, *call as u32));
        filter.push(plain(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_TRACE));
    }
    filter.push(plain(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW));
    filter
}

/// Memory that is shared with a child: it leaves its answer there.
pub(crate) struct Page(*mut u8);

impl Page {
    const SIZE: usize = 16 << 10;

    pub(crate) fn new() -> Self {
        let (how, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: new memory, at a place that the kernel chooses.
        let page = unsafe { libc::mmap(ptr::null_mut(), Self::SIZE, how, flags, -1, 0) };
        assert_ne!(page, libc::MAP_FAILED, "{}", io::Error::last_os_error());
        Page(page.cast())
    }

    fn write(&self, text: &str) {
        let text = text.as_bytes().get(..Self::SIZE - 8).unwrap_or(text.as_bytes());
        // SAFETY: the page has room for both, and nobody reads before this process has ended.
        unsafe {
            self.0.cast::<u64>().write(text.len() as u64);
            ptr::copy_nonoverlapping(text.as_ptr(), self.0.add(8), text.len());
        }
    }

    fn take(&self) -> String {
        // SAFETY: it has that many bytes, and the process that wrote them has ended.
        unsafe {
            let length = self.0.cast::<u64>().replace(0) as usize;
            let text = std::slice::from_raw_parts(self.0.add(8), length);
            String::from_utf8_lossy(text).into_owned()
        }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: it was mapped so, and no reference into it is left.
        unsafe { libc::munmap(self.0.cast::<c_void>(), Self::SIZE) };
    }
}

/// A process that stands before a call, or has ended. Dropping it kills it.
pub(crate) struct Traced {
    pid: pid_t,
    state: State,
}

enum State {
    /// It runs, until it is waited for.
    Running,
    /// It stands before this call.
    Before(user_regs_struct),
    Ended(String),
    Killed,
}

impl Traced {
    /// Starts a process, and lets it come to its first call. What it does before `prepare` returns is not
    /// traced; what that returns is.
    pub(crate) fn start<P: FnOnce() -> String>(
        page: &Page,
        prepare: impl FnOnce() -> Option<P>,
    ) -> io::Result<Self> {
        let parent = std::process::id();
        let mut filter = filter();
        let filter = sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
        // SAFETY: this process has one thread, so the child has all that it had.
        let pid = match unsafe { libc::fork() } {
            -1 => return Err(io::Error::last_os_error()),
            0 => be_traced(parent, &filter, page, prepare),
            pid => pid,
        };
        let mut process = Traced { pid, state: State::Running };
        let status = process.wait();
        if !libc::WIFSTOPPED(status) {
            let why = "a process cannot be traced here: allow ptrace and seccomp";
            return Err(io::Error::other(why));
        }
        let options =
            libc::PTRACE_O_EXITKILL | libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_TRACESECCOMP;
        process.ask(libc::PTRACE_SETOPTIONS, options as usize);
        process.comes_to_its_next_call(page);
        Ok(process)
    }

    /// Makes the next call: what it was, and its answer. `None` where it has ended.
    pub(crate) fn step(&mut self, page: &Page) -> Option<String> {
        loop {
            let State::Before(call) = self.state else { return None };
            self.ask(libc::PTRACE_SYSCALL, 0);
            let status = self.wait();
            let is_return =
                libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGTRAP | 0x80;
            assert!(is_return, "a call returns: {status:x}");
            let answer = self.registers().rax as i64;
            self.comes_to_its_next_call(page);
            if !is_half(&call, answer) {
                return Some(told(&call, answer));
            }
        }
    }

    /// The call that it stands before.
    pub(crate) fn next(&self) -> Option<&'static str> {
        match &self.state {
            State::Before(call) => Some(name(call)),
            State::Running | State::Ended(_) | State::Killed => None,
        }
    }

    /// Kills it before its next call, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        if matches!(self.state, State::Before(_)) {
            // SAFETY: it is a child that was not waited for, so the number is still its own.
            unsafe { libc::kill(self.pid, libc::SIGKILL) };
            let status = self.wait();
            assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL);
        }
    }

    /// What it answered, if it has ended.
    pub(crate) fn answer(&self) -> Option<&str> {
        match &self.state {
            State::Ended(answer) => Some(answer),
            State::Running | State::Before(_) | State::Killed => None,
        }
    }

    fn comes_to_its_next_call(&mut self, page: &Page) {
        self.state = State::Running;
        self.ask(libc::PTRACE_CONT, 0);
        let status = self.wait();
        self.state = if libc::WIFSTOPPED(status) {
            let is_call = status >> 8 == libc::SIGTRAP | libc::PTRACE_EVENT_SECCOMP << 8;
            assert!(is_call, "a process stops before calls alone: {status:x}");
            State::Before(self.registers())
        } else if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 {
            State::Ended(page.take())
        } else {
            State::Ended(format!("it ended with status {status:x}"))
        };
    }

    fn registers(&self) -> user_regs_struct {
        // SAFETY: all zeros are registers, and the process is stopped and traced by this one.
        unsafe {
            let mut registers: user_regs_struct = std::mem::zeroed();
            libc::ptrace(libc::PTRACE_GETREGS, self.pid, 0, &raw mut registers);
            registers
        }
    }

    fn ask(&self, request: u32, value: usize) {
        // SAFETY: the process is stopped and traced by this one; no memory of this one is touched.
        let answer = unsafe { libc::ptrace(request, self.pid, 0, value) };
        assert_ne!(answer, -1, "ptrace: {}", io::Error::last_os_error());
    }

    /// Waits until it stops or ends.
    fn wait(&mut self) -> c_int {
        let mut status = 0;
        loop {
            // SAFETY: `status` is a place for it.
            let pid = unsafe { libc::waitpid(self.pid, &mut status, libc::__WALL) };
            if pid == self.pid {
                if !libc::WIFSTOPPED(status) {
                    self.state = State::Killed;
                }
                return status;
            }
            let is_late = TIME_IS_OVER.load(Ordering::Relaxed);
            assert!(!is_late, "a process neither stops nor ends: does a call wait?");
            let error = io::Error::last_os_error();
            assert_eq!(error.kind(), io::ErrorKind::Interrupted, "waitpid: {error}");
        }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if matches!(self.state, State::Running | State::Before(_)) {
            let mut status = 0;
            // SAFETY: as in `kill`. Here nothing may panic.
            unsafe {
                libc::kill(self.pid, libc::SIGKILL);
                libc::waitpid(self.pid, &mut status, libc::__WALL);
            }
        }
    }
}

/// Whether a process took too long for a step.
static TIME_IS_OVER: AtomicBool = AtomicBool::new(false);

extern "C" fn time_is_over(_: c_int) {
    TIME_IS_OVER.store(true, Ordering::Relaxed);
}

/// Lets every wait fail that is not over in so many seconds, from now.
pub(crate) fn within(seconds: u32) {
    TIME_IS_OVER.store(false, Ordering::Relaxed);
    // SAFETY: the handler does nothing but store; all zeros are an action, which does not restart calls.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = time_is_over as extern "C" fn(c_int) as usize;
        libc::sigaction(libc::SIGALRM, &raw const action, ptr::null_mut());
        libc::alarm(seconds);
    }
}

/// In the child: prepares, waits for its tracer, does what it is to do, and ends.
fn be_traced<P: FnOnce() -> String>(
    parent: u32,
    filter: &sock_fprog,
    page: &Page,
    prepare: impl FnOnce() -> Option<P>,
) -> ! {
    // SAFETY: none of these touches memory, but for the filter, which is there.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if libc::getppid() as u32 != parent {
            libc::_exit(1);
        }
    }
    let Some(play) = prepare() else {
        // SAFETY: the process ends here.
        unsafe { libc::_exit(2) }
    };
    // SAFETY: as above.
    unsafe {
        if libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) == -1
            || libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, filter) != 0
            || libc::raise(libc::SIGSTOP) != 0
        {
            libc::_exit(3);
        }
    }
    let played = catch_unwind(AssertUnwindSafe(play));
    let status = c_int::from(played.is_err());
    page.write(played.as_deref().unwrap_or_default());
    // SAFETY: nothing of the parent's is cleaned up here.
    unsafe { libc::_exit(status) }
}

/// Whether the process makes another call for the same purpose, in one method of the file system.
///
/// - `getdents64` that answers `.` and `..` alone says nothing of the directory.
/// - A kernel that gives no name to an open file (`AT_EMPTY_PATH`) is asked by way of `/proc`.
fn is_half(call: &user_regs_struct, answer: i64) -> bool {
    /// The length of two names of one or two letters.
    const TWO: i64 = 48;
    match call.orig_rax as c_long {
        libc::SYS_getdents64 => answer == TWO,
        libc::SYS_linkat => {
            call.r8 as c_int & libc::AT_EMPTY_PATH != 0 && answer == -i64::from(libc::ENOENT)
        }
        _ => false,
    }
}

fn told(call: &user_regs_struct, answer: i64) -> String {
    let name = name(call);
    match answer {
        0.. => format!("{name} = ok"),
        error => format!("{name} = {}", errno_name(Errno::from_raw_os_error(-error as i32))),
    }
}

/// What it is called in a simulation.
fn name(call: &user_regs_struct) -> &'static str {
    let looks = |flags: u64| match flags as c_int {
        flags if flags & libc::AT_EMPTY_PATH != 0 => "fstat",
        flags if flags & libc::AT_SYMLINK_NOFOLLOW != 0 => "lstat",
        _ => "stat",
    };
    match call.orig_rax as c_long {
        libc::SYS_openat | libc::SYS_openat2 => "open",
        libc::SYS_read => "read",
        libc::SYS_write => "write",
        libc::SYS_fsync => "fsync",
        libc::SYS_fdatasync => "fdatasync",
        libc::SYS_fstat => "fstat",
        libc::SYS_newfstatat => looks(call.r10),
        libc::SYS_statx => looks(call.rdx),
        libc::SYS_faccessat | libc::SYS_faccessat2 => "access",
        libc::SYS_fchmod => "fchmod",
        libc::SYS_unlinkat if call.rdx as c_int & libc::AT_REMOVEDIR != 0 => "rmdir",
        libc::SYS_unlinkat => "unlink",
        libc::SYS_renameat | libc::SYS_renameat2 => "rename",
        libc::SYS_linkat => "link",
        libc::SYS_symlinkat => "symlink",
        libc::SYS_mkdirat => "mkdir",
        libc::SYS_getdents64 => "getdents",
        libc::SYS_flock => "flock",
        _ => "a call that no simulation makes",
    }
}

/// Starts a process from a child of this one, kills that child, and asserts that the process dies of it.
pub(crate) fn dies_with_its_parent(start: impl FnOnce() -> io::Result<Traced>) {
    let pids = Page::new();
    let mut status = 0;
    // SAFETY: this process has one thread; `status` is a place for it.
    unsafe {
        // Whoever loses its parent becomes a child of this process.
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        let parent = libc::fork();
        if parent == 0 {
            let started = start();
            let told = |process: &Traced| process.pid.to_string();
            pids.write(&started.as_ref().map_or_else(io::Error::to_string, told));
            libc::raise(libc::SIGKILL);
        }
        assert_eq!(libc::waitpid(parent, &mut status, 0), parent);
        let started = pids.take();
        let started = started.parse().unwrap_or_else(|_| panic!("{started}"));
        let waited = libc::waitpid(started, &mut status, libc::__WALL);
        assert_eq!(waited, started, "{}", io::Error::last_os_error());
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
    }
    assert!(libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGKILL, "{status:x}");
}

/// Whether this process has a child, running or not.
pub(crate) fn has_children() -> bool {
    let mut status = 0;
    // SAFETY: `status` is a place for it.
    let answer = unsafe { libc::waitpid(-1, &mut status, libc::__WALL | libc::WNOHANG) };
    answer != -1
}
