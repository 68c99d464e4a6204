//! Third floor, `run`: a program is started under trace, with a filter that stops it at the calls that
//! may concern the world. Imports libc only.

use std::ffi::{CString, c_char};
use std::fs::File;
use std::io;
use std::mem::offset_of;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::ptr;

use libc::{c_int, c_long, pid_t, sock_filter, sock_fprog};

use super::Program;
use super::calls::TRACED;

/// What a child says with its exit status if it could not even be started: this, and the number of the step
/// that failed.
const NOT_STARTED: c_int = 100;

/// Why a program was not started, of the status with which its process ended.
pub(super) fn why_not(status: c_int) -> &'static str {
    match libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status) - NOT_STARTED) {
        Some(2) => "this process may not give up new privileges (`PR_SET_NO_NEW_PRIVS`)",
        Some(3) => "filters of system calls are not allowed here (in a container: allow `seccomp`)",
        Some(4) => "`execve` was refused; is it a program of this machine?",
        _ => "its process could not be set up",
    }
}

/// What a program prints.
#[derive(Debug)]
pub(super) struct Outputs {
    pub(super) stdout: File,
    pub(super) stderr: File,
}

impl Outputs {
    pub(super) fn new() -> io::Result<Outputs> {
        let outputs = Outputs { stdout: nameless(c"stdout")?, stderr: nameless(c"stderr")? };
        // Whoever opens them anew (`> /dev/stderr`) goes on where they end.
        for file in [&outputs.stdout, &outputs.stderr] {
            rustix::fs::fcntl_setfl(file, rustix::fs::OFlags::APPEND)?;
        }
        Ok(outputs)
    }
}

/// A file without a name.
fn nameless(name: &'static std::ffi::CStr) -> io::Result<File> {
    // SAFETY: `name` ends with NUL; a descriptor that comes back is nobody else's.
    unsafe {
        match libc::memfd_create(name.as_ptr(), libc::MFD_CLOEXEC) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(File::from_raw_fd(descriptor)),
        }
    }
}

/// Linux has calls up to this number when this is written.
const FIRST_UNKNOWN: u32 = 470;

/// The filter: `SECCOMP_RET_TRACE` for the traced calls, `SECCOMP_RET_ALLOW` for all others that are known, a
/// trap for calls of another architecture.
fn filter() -> Vec<sock_filter> {
    const ARCHITECTURE: u32 = 0xc000_003e; // AUDIT_ARCH_X86_64
    let load = |offset: usize| sock_filter {
        code: (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16,
        jt: 0,
        jf: 0,
        k: offset as u32,
    };
    let equal = |value: u32, jt: u8, jf: u8| sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt,
        jf,
        k: value,
    };
    let answer = |value: u32| sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: value,
    };
    let at_least = |value: u32, jt: u8, jf: u8| sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16,
        ..equal(value, jt, jf)
    };
    let mut program = vec![
        load(offset_of!(libc::seccomp_data, arch)),
        equal(ARCHITECTURE, 1, 0),
        answer(libc::SECCOMP_RET_TRAP),
        load(offset_of!(libc::seccomp_data, nr)),
        // Numbers of x32, which are calls of another architecture, too.
        at_least(0x4000_0000, 0, 1),
        answer(libc::SECCOMP_RET_TRAP),
        // Calls that nobody here knows: programs fall back to what they did before there were these.
        at_least(FIRST_UNKNOWN, 0, 1),
        answer(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
    ];
    for call in TRACED {
        program.push(equal(*call as u32, 0, 1));
        program.push(answer(libc::SECCOMP_RET_TRACE));
    }
    // A wait in memory, if it is to end at some time.
    let time = offset_of!(libc::seccomp_data, args) + 3 * size_of::<u64>();
    program.push(equal(libc::SYS_futex as u32, 0, 3));
    program.push(load(time));
    program.push(equal(0, 1, 0));
    program.push(answer(libc::SECCOMP_RET_TRACE));
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    program
}

fn pointers(texts: &[CString]) -> Vec<*const c_char> {
    texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect()
}

/// Starts it, stopped before its first instruction and traced by this thread; the leader of a session of its
/// own.
pub(super) fn start(program: &Program, outputs: &Outputs) -> io::Result<pid_t> {
    let nothing = File::open("/dev/null")?;
    let (arguments, environment) = (pointers(&program.arguments), pointers(&program.environment));
    let mut filter = filter();
    let filter = sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    let standard = [&nothing, &outputs.stdout, &outputs.stderr].map(File::as_raw_fd);
    // SAFETY: between `fork` and `execve` the child makes system calls only, and touches memory that was
    // made before.
    unsafe {
        match libc::fork() {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                let failed = child(program, &arguments, &environment, &filter, standard);
                libc::_exit(NOT_STARTED + failed)
            }
            root => stopped(root),
        }
    }
}

/// In the child: comes back only if something failed, with the number of the step that did.
unsafe fn child(
    program: &Program,
    arguments: &[*const c_char],
    environment: &[*const c_char],
    filter: &sock_fprog,
    standard: [RawFd; 3],
) -> c_int {
    const NO_RANDOM_ADDRESSES: libc::c_ulong = 0x0004_0000;
    // SAFETY: as `start` says.
    unsafe {
        libc::setsid();
        libc::umask(0o22);
        // A place without names: a call that is not traced finds nothing there.
        let mut placed = libc::chdir(c"/proc/self/fdinfo".as_ptr()) == 0;
        for (at, from) in (0..).zip(standard) {
            placed = placed && libc::dup2(from, at) >= 0;
        }
        // What this process was given itself is nothing to the program.
        libc::syscall(libc::SYS_close_range, 3, c_int::MAX, 0);
        // Containers often refuse this. Then addresses differ, which few programs notice.
        libc::personality(NO_RANDOM_ADDRESSES);
        if !placed
            || libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) == -1
            || libc::raise(libc::SIGSTOP) != 0
        {
            return 1;
        }
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
            return 2;
        }
        if libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, filter) != 0 {
            return 3;
        }
        libc::execve(program.path.as_ptr(), arguments.as_ptr(), environment.as_ptr());
        4
    }
}

/// In the parent: the child has stopped itself, and its trace is set up.
fn stopped(root: pid_t) -> io::Result<pid_t> {
    let options = libc::PTRACE_O_EXITKILL
        | libc::PTRACE_O_TRACESECCOMP
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_TRACESYSGOOD;
    let mut status = 0;
    // SAFETY: `status` is a place for it; the other calls touch no memory here.
    unsafe {
        if libc::waitpid(root, &mut status, libc::__WALL) != root {
            return Err(io::Error::last_os_error());
        }
        if !libc::WIFSTOPPED(status) {
            let why = "it cannot be traced here: allow ptrace (in a container: SYS_PTRACE)";
            return Err(io::Error::other(why));
        }
        if libc::ptrace(libc::PTRACE_SETOPTIONS, root, 0, c_long::from(options)) == -1 {
            let error = io::Error::last_os_error();
            libc::kill(root, libc::SIGKILL);
            libc::waitpid(root, &mut status, libc::__WALL);
            return Err(error);
        }
    }
    Ok(root)
}
