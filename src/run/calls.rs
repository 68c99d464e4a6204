//! Third floor, `run`: a system call of a program, asked of the world and answered. Imports
//! [`fs`](crate::fs), [`direct`] and its neighbours in `run`.
//!
//! A traced process stops before its call. If the call is about the world, it does not happen: the process
//! is given the world's answer instead. An open file of the world is a `memfd` whose name says which it
//! is, so that it survives `dup`, `fork` and `exec`.

mod files;
mod forms;
mod locks;
mod own;
mod places;
mod sockets;
mod table;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use libc::{c_long, pid_t, user_regs_struct};

pub(super) use table::TRACED;

use super::tree::{
    AtReturn, Killed, PLACEHOLDER, Tree, WorksIn, arguments, registers, set_registers,
};
use super::{Program, WORLD, memory};
use forms::Form;
use table::name;

use crate::direct::{self, DirectFs};
use crate::fs::{AtFlags, Errno, FileSystem, Gid, Mode, OFlags, Uid};

/// Whether the call before which a process is stopped names something in the world.
pub(super) fn is_on_the_world(tree: &mut Tree<'_>, pid: pid_t) -> bool {
    let Some(now) = registers(pid) else { return false };
    if sockets::may_be_for_the_database(tree, &now) {
        return true;
    }
    let of = arguments(&now);
    let here = libc::AT_FDCWD as u64;
    let number = now.orig_rax as c_long;
    let named: &[(u64, u64)] = match number {
        libc::SYS_open
        | libc::SYS_creat
        | libc::SYS_stat
        | libc::SYS_lstat
        | libc::SYS_access
        | libc::SYS_unlink
        | libc::SYS_rmdir
        | libc::SYS_mkdir
        | libc::SYS_mknod
        | libc::SYS_chmod
        | libc::SYS_chown
        | libc::SYS_lchown
        | libc::SYS_readlink
        | libc::SYS_truncate
        | libc::SYS_chdir
        | libc::SYS_execve
        | libc::SYS_utime
        | libc::SYS_utimes => &[(here, of[0])],
        libc::SYS_openat
        | libc::SYS_newfstatat
        | libc::SYS_statx
        | libc::SYS_faccessat
        | libc::SYS_faccessat2
        | libc::SYS_unlinkat
        | libc::SYS_mkdirat
        | libc::SYS_mknodat
        | libc::SYS_fchmodat
        | libc::SYS_fchmodat2
        | libc::SYS_fchownat
        | libc::SYS_readlinkat
        | libc::SYS_utimensat => &[(of[0], of[1])],
        libc::SYS_symlink => &[(here, of[1])],
        libc::SYS_symlinkat => &[(of[1], of[2])],
        libc::SYS_rename | libc::SYS_link => &[(here, of[0]), (here, of[1])],
        libc::SYS_renameat | libc::SYS_renameat2 | libc::SYS_linkat => {
            &[(of[0], of[1]), (of[2], of[3])]
        }
        _ => return false,
    };
    let is_in_world = |(directory, path): &(u64, u64)| {
        let Ok(text) = memory::text(pid, *path) else { return false };
        let path = Path::new(OsStr::from_bytes(&text));
        match path.is_absolute() {
            true => path.starts_with(WORLD),
            false if *directory as i32 == libc::AT_FDCWD => {
                !path.as_os_str().is_empty() && !matches!(tree.works_in(pid), WorksIn::Elsewhere)
            }
            false => tree.file_of(pid, *directory as i32).is_some(),
        }
    };
    named.iter().any(is_in_world)
}

/// What is to be done when the kernel has performed a call.
pub(super) fn returned(tree: &mut Tree<'_>, pid: pid_t) {
    let Some(now) = registers(pid) else { return };
    let at_return = tree.task(pid).and_then(|task| task.at_return.take());
    let mut answer = now.rax as i64;
    match at_return {
        Some(AtReturn::Connected(socket)) => sockets::connected(tree, socket, answer),
        Some(AtReturn::Sent(socket)) => sockets::sent(tree, pid, socket, answer),
        Some(AtReturn::Closed) => tree.close_what_nobody_has(Some(pid)),
        Some(AtReturn::Slept(time, then)) if answer == then => tree.sleeps(time),
        Some(AtReturn::Began(child)) if answer > 0 => {
            answer = tree.known_as(child).map_or(answer, i64::from);
        }
        Some(AtReturn::Waited(told)) => {
            /// Where a `siginfo_t` has the process.
            const PROCESS: u64 = 16;
            if answer > 0 {
                answer = tree.known_as(answer as pid_t).map_or(answer, i64::from);
            } else if answer == 0 && told != 0 {
                let of = memory::read(pid, told + PROCESS, 4).ok();
                let of = of.and_then(|it| it.try_into().ok()).map(i32::from_ne_bytes);
                if let Some(known) = of.and_then(|of| tree.known_as(of)) {
                    let _ = memory::write(pid, told + PROCESS, &known.to_ne_bytes());
                }
            }
        }
        Some(AtReturn::Slept(..) | AtReturn::Began(_)) | None => {}
    }
    if answer != now.rax as i64 {
        set_registers(pid, &user_regs_struct { rax: answer as u64, ..now });
    }
}

/// Whether the call before which a process is stopped asks the world for something.
pub(super) fn asks(tree: &mut Tree<'_>, pid: pid_t) -> bool {
    let Some(now) = registers(pid) else { return false };
    let of_file = |descriptor: u64| tree.file_of(pid, descriptor as i32);
    let number = now.orig_rax as c_long;
    if sockets::asks_the_database(tree, pid, &now) {
        return true;
    }
    // In which order they print is open, too.
    if [libc::SYS_write, libc::SYS_writev].contains(&number) && tree.is_output(pid, now.rdi as i32)
    {
        return true;
    }
    match number {
        libc::SYS_read
        | libc::SYS_write
        | libc::SYS_readv
        | libc::SYS_writev
        | libc::SYS_pread64
        | libc::SYS_pwrite64
        | libc::SYS_preadv
        | libc::SYS_pwritev
        | libc::SYS_lseek
        | libc::SYS_fstat
        | libc::SYS_fchmod
        | libc::SYS_fchown
        | libc::SYS_ftruncate
        | libc::SYS_fsync
        | libc::SYS_fdatasync
        | libc::SYS_getdents64
        | libc::SYS_flock => of_file(now.rdi).is_some(),
        libc::SYS_fcntl => locks::LOCKS.contains(&(now.rsi as i32)) && of_file(now.rdi).is_some(),
        libc::SYS_newfstatat | libc::SYS_statx | libc::SYS_utimensat
            if of_file(now.rdi).is_some() =>
        {
            true
        }
        libc::SYS_mmap => now.r10 as i32 & libc::MAP_ANONYMOUS == 0 && of_file(now.r8).is_some(),
        libc::SYS_close => {
            let open = of_file(now.rdi).and_then(|number| tree.files.get(&number));
            open.is_some_and(|open| open.has_lock)
        }
        libc::SYS_nanosleep | libc::SYS_clock_nanosleep => {
            tree.task(pid).is_some_and(|task| task.process == pid)
        }
        libc::SYS_clock_gettime => own::reads_clock(tree, pid, now.rdi as i32),
        libc::SYS_gettimeofday | libc::SYS_time => {
            own::reads_clock(tree, pid, libc::CLOCK_REALTIME)
        }
        _ => is_on_the_world(tree, pid),
    }
}

/// Whether the call before which a process is stopped may have to wait for a lock.
pub(super) fn may_wait(tree: &Tree<'_>, pid: pid_t) -> bool {
    let Some(now) = registers(pid) else { return false };
    match now.orig_rax as c_long {
        _ if sockets::asks_the_database(tree, pid, &now) => true,
        libc::SYS_flock => now.rsi as i32 & (libc::LOCK_NB | libc::LOCK_UN) == 0,
        libc::SYS_fcntl => [libc::F_SETLKW, libc::F_OFD_SETLKW].contains(&(now.rsi as i32)),
        _ => false,
    }
}

/// Refuses a call that may have to wait for a lock, beside another of the same program.
pub(super) fn refuse_to_wait(tree: &mut Tree<'_>, fs: &mut DirectFs, pid: pid_t) -> ! {
    let Some(now) = registers(pid) else {
        tree.program.refuses("a call", None, "its process is gone")
    };
    let call = Call { tree, fs, pid, name: name(now.orig_rax as c_long), of: arguments(&now) };
    call.refuse("it may have to wait for a lock, while another process of the same program goes on")
}

/// What becomes of a call.
enum Answer {
    /// It goes to the kernel.
    Kernel,
    /// It goes to the kernel with these arguments.
    With([u64; 6]),
    /// It does not happen, and this is its answer.
    Is(Result<u64, Errno>),
    /// It opened a file of the world: it makes this placeholder instead.
    Opened(u64, bool),
    /// It sleeps for a while, and is answered then.
    Sleeps,
}

use Answer::{Is, Kernel, With};

/// A place that a path names.
enum Place {
    /// In the world: below this open directory, or below the world's.
    World(Option<u64>, PathBuf),
    Elsewhere(PathBuf),
}

/// One call, before it happens.
struct Call<'t, 'p, 'f> {
    tree: &'t mut Tree<'p>,
    fs: &'f mut DirectFs,
    pid: pid_t,
    name: &'static str,
    of: [u64; 6],
}

/// What a process does once its call is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    GoesOn,
    /// It sleeps, and others of its program act meanwhile.
    Sleeps,
}

/// Answers the call before which a process is stopped.
pub(super) fn answered(tree: &mut Tree<'_>, fs: &mut DirectFs, pid: pid_t) -> Then {
    let Some(mut now) = registers(pid) else { return Then::GoesOn };
    let number = now.orig_rax as c_long;
    let mut call = Call { tree, fs, pid, name: name(number), of: arguments(&now) };
    let answer = call.answer(number);
    match answer {
        Kernel => return Then::GoesOn,
        Answer::Sleeps => return Then::Sleeps,
        With(changed) => [now.rdi, now.rsi, now.rdx, now.r10, now.r8, now.r9] = changed,
        // A world answers so to a path that leads out of it.
        Is(Err(Errno::XDEV)) if number != libc::SYS_copy_file_range => {
            call.refuse("a path that leads out of the world")
        }
        Is(answer) => {
            now.orig_rax = u64::MAX;
            now.rax = answer.unwrap_or_else(|errno| (-i64::from(errno.raw_os_error())) as u64);
        }
        Answer::Opened(file, closes_on_exec) => call.hold_place(&mut now, file, closes_on_exec),
    }
    set_registers(pid, &now);
    Then::GoesOn
}

impl Call<'_, '_, '_> {
    /// Has the process make a placeholder instead. Its name stands below what the stack may be used for.
    fn hold_place(&self, now: &mut user_regs_struct, file: u64, closes_on_exec: bool) {
        let name = format!("{PLACEHOLDER}{file}\0");
        let at = (now.rsp - 1024) & !15;
        if memory::write(self.pid, at, name.as_bytes()).is_err() {
            self.refuse("there is no room on its stack");
        }
        now.orig_rax = libc::SYS_memfd_create as u64;
        now.rdi = at;
        now.rsi = if closes_on_exec { libc::MFD_CLOEXEC.into() } else { 0 };
    }

    fn refuse(&self, why: &str) -> ! {
        self.tree.program.refuses(self.name, comm(self.pid), why)
    }

    fn answer(&mut self, number: c_long) -> Answer {
        let [first, second, third, fourth, fifth, _] = self.of;
        let here = libc::AT_FDCWD as u64;
        let no_follow = AtFlags::SYMLINK_NOFOLLOW;
        if let Some(answer) = self.for_the_database(number) {
            return answer;
        }
        // Whoever has committed may die before it says so.
        if [libc::SYS_write, libc::SYS_writev].contains(&number)
            && self.tree.program.database.is_some()
            && direct::asked_so_far() > 0
            && self.tree.is_output(self.pid, first as i32)
        {
            self.may_be_killed();
        }
        match number {
            libc::SYS_open => self.open(here, first, second, third),
            libc::SYS_openat => self.open(first, second, third, fourth),
            libc::SYS_creat => {
                let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::TRUNC;
                self.open(here, first, flags.bits().into(), second)
            }
            // Programs fall back to what they did before there were these.
            libc::SYS_openat2 | libc::SYS_io_uring_setup | libc::SYS_io_setup => {
                Is(Err(Errno::NOSYS))
            }
            libc::SYS_read => self.read(first, &[(second, third)], None),
            libc::SYS_pread64 => self.read(first, &[(second, third)], Some(fourth)),
            libc::SYS_readv => self.with_parts(|call, parts| call.read(first, parts, None)),
            libc::SYS_preadv => {
                self.with_parts(|call, parts| call.read(first, parts, Some(fourth)))
            }
            libc::SYS_write => self.write(first, &[(second, third)], None),
            libc::SYS_pwrite64 => self.write(first, &[(second, third)], Some(fourth)),
            libc::SYS_writev => self.with_parts(|call, parts| call.write(first, parts, None)),
            libc::SYS_pwritev => {
                self.with_parts(|call, parts| call.write(first, parts, Some(fourth)))
            }
            libc::SYS_lseek => self.lseek(),
            libc::SYS_stat => self.stat(here, first, AtFlags::empty(), second, Form::Stat),
            libc::SYS_lstat => self.stat(here, first, no_follow, second, Form::Stat),
            libc::SYS_fstat => self.fstat(first, second, Form::Stat),
            libc::SYS_newfstatat => self.stat_at(first, second, fourth, third, Form::Stat),
            libc::SYS_statx => self.stat_at(first, second, third, fifth, Form::Statx),
            libc::SYS_access => self.access(here, first, second, 0),
            libc::SYS_faccessat => self.access(first, second, third, 0),
            libc::SYS_faccessat2 => self.access(first, second, third, fourth),
            libc::SYS_rename => self.rename(here, first, here, second, 0),
            libc::SYS_renameat => self.rename(first, second, third, fourth, 0),
            libc::SYS_renameat2 => self.rename(first, second, third, fourth, fifth),
            libc::SYS_link => self.link(here, first, here, second, 0),
            libc::SYS_linkat => self.link(first, second, third, fourth, fifth),
            libc::SYS_symlink => self.symlink(first, here, second),
            libc::SYS_symlinkat => self.symlink(first, second, third),
            libc::SYS_unlink => self.at(here, first, |fs, at| fs.unlink(at)),
            libc::SYS_unlinkat if third & libc::AT_REMOVEDIR as u64 != 0 => {
                self.at(first, second, |fs, at| fs.rmdir(at))
            }
            libc::SYS_unlinkat => self.at(first, second, |fs, at| fs.unlink(at)),
            libc::SYS_rmdir => self.at(here, first, |fs, at| fs.rmdir(at)),
            libc::SYS_mkdir => self.mkdir(here, first, second),
            libc::SYS_mkdirat => self.mkdir(first, second, third),
            libc::SYS_mknod => self.mknod(here, first, second, third),
            libc::SYS_mknodat => self.mknod(first, second, third, fourth),
            libc::SYS_chown => self.chown(here, first, [second, third], AtFlags::empty()),
            libc::SYS_lchown => self.chown(here, first, [second, third], no_follow),
            libc::SYS_fchownat => {
                let flags = AtFlags::from_bits_retain(fifth as u32);
                self.chown(first, second, [third, fourth], flags)
            }
            libc::SYS_fchown => self.on(first, |fs, file| fs.fchown(file, uid(second), gid(third))),
            libc::SYS_chmod => self.at(here, first, |fs, at| fs.chmod(at, mode(second))),
            libc::SYS_fchmodat => self.at(first, second, |fs, at| fs.chmod(at, mode(third))),
            libc::SYS_fchmod => self.on(first, |fs, file| fs.fchmod(file, mode(second))),
            libc::SYS_readlink => self.readlink(here, first, second, third),
            libc::SYS_readlinkat => self.readlink(first, second, third, fourth),
            libc::SYS_ftruncate => self.on(first, |fs, file| fs.ftruncate(file, second)),
            libc::SYS_fsync => self.on(first, |fs, file| fs.fsync(file)),
            libc::SYS_fdatasync => self.on(first, |fs, file| fs.fdatasync(file)),
            libc::SYS_getdents64 => self.getdents(),
            libc::SYS_flock => self.flock(),
            libc::SYS_fcntl => self.fcntl(),
            libc::SYS_close => self.close(first),
            libc::SYS_dup2 | libc::SYS_dup3 if first != second && self.has(first) => {
                self.close(second)
            }
            libc::SYS_dup2 | libc::SYS_dup3 => Kernel,
            libc::SYS_fchmodat2 => {
                let flags = AtFlags::from_bits_retain(fourth as u32);
                self.at(first, second, |fs, at| fs.chmod_with(at, mode(third), flags))
            }
            libc::SYS_ioctl => self.ioctl(),
            libc::SYS_fsetxattr
            | libc::SYS_fgetxattr
            | libc::SYS_flistxattr
            | libc::SYS_fremovexattr => self.on_either(first, first, Errno::OPNOTSUPP),
            libc::SYS_getpgrp => Is(Ok(self.tree.identity.number(0).into())),
            libc::SYS_getpgid | libc::SYS_getsid => match first {
                0 => Is(Ok(self.tree.identity.number(0).into())),
                own if self.tree.real(own).is_some() => Is(Ok(self.tree.identity.number(0).into())),
                _ => self.refuse("of a process that is not of this program"),
            },
            // All processes of a program stay in one group, whatever they ask for.
            libc::SYS_setpgid => Is(Ok(0)),
            libc::SYS_alarm if first == 0 => Kernel,
            libc::SYS_setitimer if self.two_words(second + 16).is_none_or(|it| it == [0, 0]) => {
                Kernel
            }
            libc::SYS_alarm
            | libc::SYS_setitimer
            | libc::SYS_timer_create
            | libc::SYS_timerfd_settime
            | libc::SYS_rt_sigtimedwait
            | libc::SYS_semtimedop => self.refuse("a timer that interrupts a program"),
            // Programs fall back to what they did before there was this.
            libc::SYS_epoll_pwait2 | 463..=469 => Is(Err(Errno::NOSYS)),
            libc::SYS_semget | libc::SYS_shmget | libc::SYS_msgget | libc::SYS_mq_open => {
                self.refuse("what programs share beside files")
            }
            libc::SYS_setuid
            | libc::SYS_setgid
            | libc::SYS_setreuid
            | libc::SYS_setregid
            | libc::SYS_setresuid
            | libc::SYS_setresgid
            | libc::SYS_setgroups
            | libc::SYS_setfsuid
            | libc::SYS_setfsgid => self.changes_user(number),
            libc::SYS_fspick
            | libc::SYS_move_mount
            | libc::SYS_mount_setattr
            | libc::SYS_umount2
            | libc::SYS_pivot_root
            | libc::SYS_swapon
            | libc::SYS_swapoff
            | libc::SYS_acct
            | libc::SYS_fanotify_mark => self.refuse("it is about file systems of the machine"),
            // Of a cached file system it is as it is: programs fall back to reading and writing.
            libc::SYS_copy_file_range => self.on_either(first, third, Errno::XDEV),
            libc::SYS_sendfile => self.on_either(first, second, Errno::INVAL),
            libc::SYS_splice => self.on_either(first, third, Errno::INVAL),
            libc::SYS_setxattr
            | libc::SYS_lsetxattr
            | libc::SYS_getxattr
            | libc::SYS_lgetxattr
            | libc::SYS_listxattr
            | libc::SYS_llistxattr
            | libc::SYS_removexattr
            | libc::SYS_lremovexattr => match self.place(here, first) {
                Ok(Place::World(..)) => Is(Err(Errno::OPNOTSUPP)),
                _ => Kernel,
            },
            libc::SYS_utimensat => self.utimensat(),
            libc::SYS_nanosleep => self.sleep(first, None),
            libc::SYS_clock_nanosleep => {
                let is_absolute = second & libc::TIMER_ABSTIME as u64 != 0;
                self.sleep(third, is_absolute.then_some(first as i32))
            }
            libc::SYS_futex => self.futex(),
            libc::SYS_poll | libc::SYS_epoll_wait | libc::SYS_epoll_pwait => {
                let time = if number == libc::SYS_poll { third } else { fourth } as i32;
                let time = u64::try_from(time).ok().map(Duration::from_millis);
                self.waits(time, 0)
            }
            libc::SYS_ppoll => self.waits(self.timespec(third), 0),
            libc::SYS_pselect6 => self.waits(self.timespec(fifth), 0),
            libc::SYS_select => {
                let time = self.two_words(fifth);
                self.waits(
                    time.map(|[s, us]| Duration::from_secs(s) + Duration::from_micros(us)),
                    0,
                )
            }
            libc::SYS_clock_gettime => {
                let time = self.time(first as i32);
                self.tell(second, [time.as_secs(), time.subsec_nanos().into()])
            }
            libc::SYS_gettimeofday => {
                let time = self.time(libc::CLOCK_REALTIME);
                self.tell(first, [time.as_secs(), time.subsec_micros().into()])
            }
            libc::SYS_time => {
                let time = self.time(libc::CLOCK_REALTIME).as_secs();
                let told = memory::write(self.pid, first, &time.to_ne_bytes());
                if first != 0 && told.is_err() { Is(Err(Errno::FAULT)) } else { Is(Ok(time)) }
            }
            libc::SYS_getpid => {
                let index = self.tree.process(self.pid).map_or(0, |process| process.index);
                Is(Ok(self.tree.identity.number(index).into()))
            }
            libc::SYS_gettid => {
                let index = self.tree.task(self.pid).map_or(0, |task| task.index);
                Is(Ok(self.tree.identity.number(index).into()))
            }
            libc::SYS_getppid => {
                let parent = self.tree.process(self.pid).and_then(|process| process.parent);
                let index = parent.and_then(|it| self.tree.task(it)).map(|task| task.index);
                Is(Ok(index.map_or(1, |index| self.tree.identity.number(index).into())))
            }
            libc::SYS_kill | libc::SYS_tkill | libc::SYS_tgkill | libc::SYS_pidfd_open => {
                self.kill()
            }
            libc::SYS_wait4 => self.wait(0, 0),
            libc::SYS_waitid => self.wait(1, third),
            libc::SYS_getrandom => self.getrandom(),
            libc::SYS_getcwd => self.getcwd(),
            libc::SYS_chdir => self.chdir(first),
            libc::SYS_fchdir => self.fchdir(first),
            libc::SYS_mmap => self.mmap(),
            libc::SYS_close_range => self.close_range(first, second, third),
            libc::SYS_setsid => {
                let index = self.tree.process(self.pid).map_or(0, |process| process.index);
                Is(Ok(self.tree.identity.number(index).into()))
            }
            libc::SYS_prlimit64
            | libc::SYS_sched_getaffinity
            | libc::SYS_sched_setaffinity
            | libc::SYS_sched_getscheduler
            | libc::SYS_sched_getparam
            | libc::SYS_rt_sigqueueinfo => self.of_own(self.of, &[0]),
            libc::SYS_getpriority | libc::SYS_setpriority => self.of_own(self.of, &[1]),
            libc::SYS_rt_tgsigqueueinfo => self.of_own(self.of, &[0, 1]),
            libc::SYS_ptrace | libc::SYS_unshare | libc::SYS_chroot | libc::SYS_fanotify_init => {
                self.refuse("a program is traced already, and stays in the directory of the world")
            }
            libc::SYS_bind => self.socket(second, third, true),
            libc::SYS_connect => self.socket(second, third, false),
            libc::SYS_socket | libc::SYS_sendto | libc::SYS_sendmsg | libc::SYS_shutdown => Kernel,
            libc::SYS_sendmmsg if self.tree.connection(self.pid, first).is_none() => Kernel,
            _ => self.only_elsewhere(number),
        }
    }

    /// The calls that are not simulated: they go to the kernel unless they are about the world.
    fn only_elsewhere(&mut self, number: c_long) -> Answer {
        let [first, second, ..] = self.of;
        let here = libc::AT_FDCWD as u64;
        let (path, descriptor) = match number {
            libc::SYS_truncate
            | libc::SYS_utime
            | libc::SYS_utimes
            | libc::SYS_execve
            | libc::SYS_statfs => (Some((here, first)), None),
            libc::SYS_futimesat
            | libc::SYS_name_to_handle_at
            | libc::SYS_open_tree
            | libc::SYS_execveat => (Some((first, second)), None),
            libc::SYS_mount => (Some((here, second)), None),
            libc::SYS_inotify_add_watch => (Some((here, second)), None),
            _ => (None, Some(first)),
        };
        let is_about_a_path = path.is_some_and(|(directory, path)| {
            matches!(self.place(directory, path), Ok(Place::World(..)))
        });
        if is_about_a_path && [libc::SYS_execve, libc::SYS_execveat].contains(&number) {
            self.refuse(
                "a program that is itself in the world: call its interpreter (`sh ./it`), or keep it elsewhere",
            );
        }
        let is_about_a_file = descriptor.is_some_and(|it| self.file(it).is_some());
        match is_about_a_path || is_about_a_file {
            true => self.refuse("it is about a file of the world"),
            false => Kernel,
        }
    }

    /// Before a call on the world: who may be killed is, or not.
    fn may_be_killed(&self) {
        self.tree.program.may_be_killed_here();
    }
}

impl Program {
    fn may_be_killed_here(&self) {
        if self.may_be_killed && direct::choose(2) == 1 {
            std::panic::resume_unwind(Box::new(Killed));
        }
    }
}

/// What the kernel calls a process: the program that it runs.
fn comm(pid: pid_t) -> Option<String> {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

fn mode(bits: u64) -> Mode {
    Mode::from_bits_truncate(bits as u32 & 0o7777)
}

/// A user, unless it is to stay who it is.
fn uid(number: u64) -> Option<Uid> {
    (number as u32 != u32::MAX).then(|| Uid::from_raw(number as u32))
}

/// A group, unless it is to stay the one it is.
fn gid(number: u64) -> Option<Gid> {
    (number as u32 != u32::MAX).then(|| Gid::from_raw(number as u32))
}
