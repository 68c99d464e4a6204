//! Third floor, `run`: a system call of a program, asked of the world and answered. Imports
//! [`fs`](crate::fs), [`direct`] and its neighbours in `run`.
//!
//! A traced process stops before its call. If the call is about the world, it does not happen: the process
//! is given the world's answer instead. An open file of the world is a `memfd` whose name says which it
//! is, so that it survives `dup`, `fork` and `exec`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use libc::{c_long, pid_t, user_regs_struct};

use super::tree::{
    AtReturn, Killed, Open, PLACEHOLDER, RecordLock, Tree, WorksIn, registers, set_registers,
};
use super::{WORLD, identity, memory};
use crate::direct::{self, DirectFile, DirectFs};
use crate::fs::{
    Access, At, AtFlags, ByteRange, Errno, FileSystem, FileType, FlockOperation, Gid, Kind, Mode,
    OFlags, RenameFlags, SeekFrom, Status, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, Uid,
};

/// The calls before which a program is stopped.
pub(super) const TRACED: &[c_long] = &[
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_creat,
    libc::SYS_openat2,
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_lseek,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_access,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_link,
    libc::SYS_linkat,
    libc::SYS_symlink,
    libc::SYS_symlinkat,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_readlink,
    libc::SYS_readlinkat,
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    libc::SYS_rmdir,
    libc::SYS_mknod,
    libc::SYS_mknodat,
    libc::SYS_chmod,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_chown,
    libc::SYS_fchown,
    libc::SYS_lchown,
    libc::SYS_fchownat,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync_file_range,
    libc::SYS_getdents,
    libc::SYS_getdents64,
    libc::SYS_flock,
    libc::SYS_fcntl,
    libc::SYS_close,
    libc::SYS_dup2,
    libc::SYS_dup3,
    libc::SYS_close_range,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_utimensat,
    libc::SYS_sendfile,
    libc::SYS_copy_file_range,
    libc::SYS_splice,
    libc::SYS_mmap,
    libc::SYS_chdir,
    libc::SYS_fchdir,
    libc::SYS_chroot,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_getxattr,
    libc::SYS_lgetxattr,
    libc::SYS_listxattr,
    libc::SYS_llistxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_inotify_add_watch,
    libc::SYS_fanotify_init,
    libc::SYS_io_uring_setup,
    libc::SYS_io_setup,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_gettimeofday,
    libc::SYS_time,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_select,
    libc::SYS_pselect6,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getppid,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_pidfd_open,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_getrandom,
    libc::SYS_getcwd,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_tree,
    libc::SYS_mount,
    libc::SYS_setsid,
    libc::SYS_setpgid,
    libc::SYS_ptrace,
    libc::SYS_unshare,
    libc::SYS_fchmodat2,
    libc::SYS_ioctl,
    libc::SYS_fsetxattr,
    libc::SYS_fgetxattr,
    libc::SYS_flistxattr,
    libc::SYS_fremovexattr,
    libc::SYS_prlimit64,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_getparam,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_getpriority,
    libc::SYS_setpriority,
    libc::SYS_getpgrp,
    libc::SYS_getpgid,
    libc::SYS_getsid,
    libc::SYS_alarm,
    libc::SYS_setitimer,
    libc::SYS_timer_create,
    libc::SYS_timerfd_settime,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_semtimedop,
    libc::SYS_epoll_pwait2,
    libc::SYS_semget,
    libc::SYS_shmget,
    libc::SYS_msgget,
    libc::SYS_mq_open,
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_fspick,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_fanotify_mark,
    // `setxattrat` and its like, `open_tree_attr`, `file_getattr`, `file_setattr`.
    463,
    464,
    465,
    466,
    467,
    468,
    469,
];

/// Whether the call before which a process is stopped names something in the world.
pub(super) fn is_on_the_world(tree: &mut Tree<'_>, pid: pid_t) -> bool {
    let Some(now) = registers(pid) else { return false };
    let of = [now.rdi, now.rsi, now.rdx, now.r10, now.r8, now.r9];
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
    match now.orig_rax as c_long {
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
        libc::SYS_fcntl => {
            let locks = [libc::F_SETLK, libc::F_SETLKW, libc::F_OFD_SETLK, libc::F_OFD_SETLKW];
            locks.contains(&(now.rsi as i32)) && of_file(now.rdi).is_some()
        }
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
        _ => is_on_the_world(tree, pid),
    }
}

/// Whether the call before which a process is stopped may have to wait for a lock.
pub(super) fn may_wait(pid: pid_t) -> bool {
    let Some(now) = registers(pid) else { return false };
    match now.orig_rax as c_long {
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
    let of = [now.rdi, now.rsi, now.rdx, now.r10, now.r8, now.r9];
    let call = Call { tree, fs, pid, name: name(now.orig_rax as c_long), of };
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

/// Answers the call before which a process is stopped.
pub(super) fn answered(tree: &mut Tree<'_>, fs: &mut DirectFs, pid: pid_t) {
    let Some(mut now) = registers(pid) else { return };
    let of = [now.rdi, now.rsi, now.rdx, now.r10, now.r8, now.r9];
    let number = now.orig_rax as c_long;
    let mut call = Call { tree, fs, pid, name: name(number), of };
    let answer = call.answer(number);
    match answer {
        Kernel => return,
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
        let name = std::fs::read_to_string(format!("/proc/{}/comm", self.pid));
        let name = name.ok().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        self.tree.program.refuses(self.name, name, why)
    }

    fn answer(&mut self, number: c_long) -> Answer {
        let [first, second, third, fourth, fifth, _] = self.of;
        let here = libc::AT_FDCWD as u64;
        let no_follow = AtFlags::SYMLINK_NOFOLLOW;
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

    fn text(&self, address: u64) -> Result<PathBuf, Errno> {
        let text = memory::text(self.pid, address);
        let errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::FAULT);
        text.map(|text| PathBuf::from(OsStr::from_bytes(&text))).map_err(errno)
    }

    /// Which file of the world a descriptor stands for.
    fn file(&self, descriptor: u64) -> Option<u64> {
        let number = self.tree.file_of(self.pid, descriptor as i32)?;
        if !self.tree.files.contains_key(&number) {
            self.refuse("a file of the world that nobody had open for a while: it was passed through a socket");
        }
        Some(number)
    }

    /// Where a path leads.
    fn place(&self, directory: u64, path: u64) -> Result<Place, Errno> {
        let path = self.text(path)?;
        if path.is_absolute() {
            return Ok(match path.strip_prefix(WORLD) {
                Ok(rest) if rest.as_os_str().is_empty() => Place::World(None, ".".into()),
                Ok(rest) => self.inside(None, rest.to_owned()),
                Err(_) => self.elsewhere(path)?,
            });
        }
        let from = match directory as i32 {
            libc::AT_FDCWD => self.tree.works_in(self.pid).clone(),
            _ => self.file(directory).map_or(WorksIn::Elsewhere, |it| WorksIn::World(Some(it))),
        };
        Ok(match from {
            WorksIn::World(directory) => self.inside(directory, path),
            WorksIn::Elsewhere => Place::Elsewhere(path),
        })
    }

    /// A place outside of the world. What is told of processes there is told of those of this program only.
    fn elsewhere(&self, path: PathBuf) -> Result<Place, Errno> {
        let process = path.strip_prefix("/proc").ok();
        if let Some(process) = process {
            let mut parts = process.components().skip(1);
            if parts
                .next()
                .is_some_and(|part| part.as_os_str() == "cwd" || part.as_os_str() == "root")
            {
                self.refuse("where a process works, by `/proc`");
            }
        }
        let number = process.and_then(|rest| rest.components().next());
        let number = number.and_then(|it| it.as_os_str().to_str()?.parse::<u64>().ok());
        match number {
            Some(number) if number >= u64::from(identity::FIRST_PROCESS) => {
                self.refuse("`/proc` of a process")
            }
            Some(number) if !self.tree.has(number as i32) => Err(Errno::NOENT),
            _ => Ok(Place::Elsewhere(path)),
        }
    }

    /// A place in the world, of a path from a directory in it. A path that leads up is one from the world's
    /// own directory.
    fn inside(&self, directory: Option<u64>, path: PathBuf) -> Place {
        if !path.components().any(|part| part == Component::ParentDir) {
            return Place::World(directory, path);
        }
        let whole = match directory {
            None => path,
            Some(number) => self.path_of(number).join(path),
        };
        let depth = |part: Component<'_>| match part {
            Component::Normal(_) => 1,
            Component::ParentDir => -1,
            _ => 0,
        };
        let depths = whole.components().map(depth).scan(0, |sum, depth| {
            *sum += depth;
            Some(*sum)
        });
        if depths.min() < Some(0) {
            self.refuse(&format!("{} leads out of the world", whole.display()));
        }
        Place::World(None, whole)
    }

    /// The path of an open directory from the world's own. It is the one by which it was opened, if that
    /// still leads there.
    fn path_of(&self, number: u64) -> PathBuf {
        let open = self.tree.files.get(&number);
        let path = open.map_or(Path::new(""), |open| open.path.as_path());
        let inode = |at: At<'_, DirectFile>| {
            let looked = self.tree.look().stat(at, AtFlags::empty());
            looked.map(|status| status.inode).ok()
        };
        let is_there = direct::observed(|| {
            let here = inode(At::new(open.map(|open| &open.file), Path::new(".")));
            here.is_some() && here == inode(At::new(None, path))
        });
        if !is_there {
            self.refuse("from a directory that was moved or removed meanwhile");
        }
        path.to_owned()
    }

    /// The mode of what a call makes, less the umask.
    fn made(&self, bits: u64) -> Mode {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid));
        let status = status.unwrap_or_default();
        let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        let umask = umask.and_then(|umask| u32::from_str_radix(umask.trim(), 8).ok());
        let umask = umask.unwrap_or(0);
        // The world takes these away from everybody.
        let always = super::code::umask();
        if umask & always != always {
            self.refuse(&format!(
                "a umask of {umask:03o}, where that of the world is {always:03o}"
            ));
        }
        mode(bits) - Mode::from_bits_truncate(umask)
    }

    /// Before a call on the world: who may be killed is, or not.
    fn may_be_killed(&self) {
        if self.tree.program.may_be_killed && direct::choose(2) == 1 {
            std::panic::resume_unwind(Box::new(Killed));
        }
    }

    /// A call that changes what is outside of the world: it is noted, if that is allowed.
    fn outside(&self, path: &Path) -> Answer {
        if !self.tree.program.notes_outside(path) {
            self.refuse(&format!("{} is outside of the world", path.display()));
        }
        Kernel
    }

    /// A call on a place in the world.
    fn at(
        &mut self,
        directory: u64,
        path: u64,
        call: impl FnOnce(&mut DirectFs, At<'_, DirectFile>) -> Result<(), Errno>,
    ) -> Answer {
        self.got(directory, path, |fs, at| call(fs, at).map(|()| 0))
    }

    fn got(
        &mut self,
        directory: u64,
        path: u64,
        call: impl FnOnce(&mut DirectFs, At<'_, DirectFile>) -> Result<u64, Errno>,
    ) -> Answer {
        match self.place(directory, path) {
            Ok(Place::World(directory, path)) => {
                self.may_be_killed();
                let directory = directory.and_then(|number| self.tree.files.get(&number));
                Is(call(self.fs, At::new(directory.map(|it| &it.file), &path)))
            }
            Ok(Place::Elsewhere(path)) if self.changes_what_is_there() => self.outside(&path),
            Ok(Place::Elsewhere(_)) => Kernel,
            Err(errno) => Is(Err(errno)),
        }
    }

    /// Whether the call changes the file system, wherever it is made.
    fn changes_what_is_there(&self) -> bool {
        let looks = ["stat", "access", "readlink"];
        !looks.iter().any(|name| self.name.contains(name))
    }

    /// A call on an open file of the world.
    fn on(
        &mut self,
        descriptor: u64,
        call: impl FnOnce(&mut DirectFs, &mut DirectFile) -> Result<(), Errno>,
    ) -> Answer {
        match self.open_file(descriptor) {
            Some((fs, file)) => Is(call(fs, file).map(|()| 0)),
            None => Kernel,
        }
    }

    fn open_file(&mut self, descriptor: u64) -> Option<(&mut DirectFs, &mut DirectFile)> {
        let number = self.file(descriptor)?;
        self.may_be_killed();
        Some((self.fs, &mut self.tree.files.get_mut(&number)?.file))
    }

    /// A call between two files that programs can do without.
    fn on_either(&self, one: u64, other: u64, errno: Errno) -> Answer {
        match self.file(one).or_else(|| self.file(other)) {
            Some(_) => Is(Err(errno)),
            None => Kernel,
        }
    }

    fn open(&mut self, directory: u64, path: u64, flags: u64, with: u64) -> Answer {
        let flags = OFlags::from_bits_retain(flags as u32);
        let writes =
            flags.intersects(OFlags::WRONLY | OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC);
        let (directory, path) = match self.place(directory, path) {
            Ok(Place::World(directory, path)) => (directory, path),
            Ok(Place::Elsewhere(path)) => {
                const DEVICES: [&str; 5] =
                    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
                return match self.descriptor_of(&path) {
                    Some(descriptor) if self.file(descriptor).is_some() => {
                        self.refuse("a file of the world, opened anew by its descriptor")
                    }
                    // Its output is one, however it is opened.
                    Some(1 | 2) if flags.contains(OFlags::TRUNC) => {
                        let place = if self.name == "open" { 1 } else { 2 };
                        let mut of = self.of;
                        of[place] = (flags - OFlags::TRUNC | OFlags::APPEND).bits().into();
                        With(of)
                    }
                    Some(_) => Kernel,
                    None if !writes || DEVICES.iter().any(|known| path == Path::new(known)) => {
                        Kernel
                    }
                    None => self.outside(&path),
                };
            }
            Err(errno) => return Is(Err(errno)),
        };
        let closes_on_exec = flags.contains(OFlags::CLOEXEC);
        // They change nothing here: the kernel sets the second for every program of 64 bits.
        const NEEDLESS: u32 = libc::O_LARGEFILE as u32 | 0o100_000 | libc::O_NOCTTY as u32;
        let kept = OFlags::from_bits_retain(flags.bits() & !NEEDLESS) - OFlags::CLOEXEC;
        let makes = flags.contains(OFlags::CREATE) || flags.contains(OFlags::TMPFILE);
        let with = if makes { self.made(with) } else { Mode::empty() };
        self.may_be_killed();
        let directory = directory.and_then(|number| self.tree.files.get(&number));
        let whole = directory.map_or(Path::new(""), |open| open.path.as_path()).join(&path);
        match self.fs.open(At::new(directory.map(|it| &it.file), &path), kept, with) {
            Ok(file) => Answer::Opened(self.tree.keep(file, kept, plain(&whole)), closes_on_exec),
            Err(errno) => Is(Err(errno)),
        }
    }

    /// Buffers of a call that has several: (address, length).
    fn with_parts(&mut self, call: impl FnOnce(&mut Self, &[(u64, u64)]) -> Answer) -> Answer {
        let [descriptor, address, count, ..] = self.of;
        if self.file(descriptor).is_none() {
            return Kernel;
        }
        let bytes = memory::read(self.pid, address, count.min(1024) as usize * 16);
        let Ok(bytes) = bytes else { return Is(Err(Errno::FAULT)) };
        let number = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
        let parts = bytes.chunks_exact(16).map(|part| (number(&part[..8]), number(&part[8..])));
        let parts: Vec<_> = parts.collect();
        call(self, &parts)
    }

    fn read(&mut self, descriptor: u64, parts: &[(u64, u64)], offset: Option<u64>) -> Answer {
        let pid = self.pid;
        let Some((fs, file)) = self.open_file(descriptor) else { return Kernel };
        let most: u64 = parts.iter().map(|(_, length)| *length).sum();
        // No file of a world is larger.
        let mut bytes = vec![0; most.min(1 << 26) as usize];
        let count = match offset {
            None => fs.read(file, &mut bytes),
            Some(offset) => fs.pread(file, &mut bytes, offset),
        };
        let Ok(count) = count else { return Is(count.map(|count| count as u64)) };
        let mut left = &bytes[..count];
        for (address, length) in parts {
            let (now, later) = left.split_at(left.len().min(*length as usize));
            if memory::write(pid, *address, now).is_err() {
                return Is(Err(Errno::FAULT));
            }
            left = later;
        }
        Is(Ok(count as u64))
    }

    fn write(&mut self, descriptor: u64, parts: &[(u64, u64)], offset: Option<u64>) -> Answer {
        let pid = self.pid;
        let Some((fs, file)) = self.open_file(descriptor) else { return Kernel };
        let mut bytes = Vec::new();
        for (address, length) in parts {
            match memory::read(pid, *address, (*length).min(1 << 26) as usize) {
                Ok(part) => bytes.extend_from_slice(&part),
                Err(_) => return Is(Err(Errno::FAULT)),
            }
        }
        let count = match offset {
            None => fs.write(file, &bytes),
            Some(offset) => fs.pwrite(file, &bytes, offset),
        };
        Is(count.map(|count| count as u64))
    }

    fn lseek(&mut self) -> Answer {
        let [descriptor, offset, whence, ..] = self.of;
        let to = match whence as i32 {
            libc::SEEK_SET => SeekFrom::Start(offset),
            libc::SEEK_CUR => SeekFrom::Current(offset as i64),
            libc::SEEK_END => SeekFrom::End(offset as i64),
            // A file without holes: data up to its end, and a hole there.
            libc::SEEK_DATA | libc::SEEK_HOLE => {
                let Some((fs, file)) = self.open_file(descriptor) else { return Kernel };
                let size = match fs.fstat(file) {
                    Ok(status) => status.size,
                    Err(errno) => return Is(Err(errno)),
                };
                let to = if whence as i32 == libc::SEEK_DATA { offset } else { size };
                return Is(if offset >= size { Err(Errno::NXIO) } else { Ok(to) });
            }
            _ => return self.on_either(descriptor, descriptor, Errno::INVAL),
        };
        match self.open_file(descriptor) {
            Some((fs, file)) => {
                let answer = fs.lseek(file, to);
                let number = self.file(descriptor);
                if let Some(open) = number.and_then(|number| self.tree.files.get_mut(&number)) {
                    open.told_itself &= answer != Ok(0);
                }
                Is(answer)
            }
            None => Kernel,
        }
    }

    fn stat_at(&mut self, directory: u64, path: u64, flags: u64, to: u64, form: Form) -> Answer {
        let is_empty = path == 0 || self.text(path).is_ok_and(|path| path.as_os_str().is_empty());
        if is_empty && flags & libc::AT_EMPTY_PATH as u64 != 0 {
            return self.fstat(directory, to, form);
        }
        let no_follow = flags & libc::AT_SYMLINK_NOFOLLOW as u64 != 0;
        let flags = if no_follow { AtFlags::SYMLINK_NOFOLLOW } else { AtFlags::empty() };
        self.stat(directory, path, flags, to, form)
    }

    fn stat(&mut self, directory: u64, path: u64, flags: AtFlags, to: u64, form: Form) -> Answer {
        let pid = self.pid;
        self.got(directory, path, |fs, at| {
            let status = fs.stat(at, flags)?;
            memory::write(pid, to, &form.of(&status)).map(|()| 0).map_err(|_| Errno::FAULT)
        })
    }

    fn fstat(&mut self, descriptor: u64, to: u64, form: Form) -> Answer {
        let pid = self.pid;
        self.on(descriptor, |fs, file| {
            let status = fs.fstat(file)?;
            memory::write(pid, to, &form.of(&status)).map_err(|_| Errno::FAULT)
        })
    }

    fn access(&mut self, directory: u64, path: u64, access: u64, flags: u64) -> Answer {
        let no_follow = flags & libc::AT_SYMLINK_NOFOLLOW as u64 != 0;
        let flags = if no_follow { AtFlags::SYMLINK_NOFOLLOW } else { AtFlags::empty() };
        let access = Access::from_bits_retain(access as u32);
        self.at(directory, path, |fs, at| fs.access(at, access, flags))
    }

    /// Two places in the world, or none.
    fn two(
        &mut self,
        [from_directory, from, to_directory, to]: [u64; 4],
        call: impl FnOnce(&mut DirectFs, At<'_, DirectFile>, At<'_, DirectFile>) -> Result<(), Errno>,
    ) -> Answer {
        match (self.place(from_directory, from), self.place(to_directory, to)) {
            (Err(errno), _) | (_, Err(errno)) => Is(Err(errno)),
            (Ok(Place::World(from_directory, from)), Ok(Place::World(to_directory, to))) => {
                self.may_be_killed();
                let file = |number: Option<u64>| Some(&self.tree.files.get(&number?)?.file);
                let (from, to) =
                    (At::new(file(from_directory), &from), At::new(file(to_directory), &to));
                Is(call(self.fs, from, to).map(|()| 0))
            }
            (Ok(Place::Elsewhere(_)), Ok(Place::Elsewhere(path))) => self.outside(&path),
            (Ok(Place::Elsewhere(path)), _) | (_, Ok(Place::Elsewhere(path))) => {
                self.refuse(&format!("{} is outside of the world", path.display()))
            }
        }
    }

    fn rename(&mut self, from: u64, old: u64, to: u64, new: u64, flags: u64) -> Answer {
        let flags = RenameFlags::from_bits_retain(flags as u32);
        self.two([from, old, to, new], |fs, from, to| match flags.is_empty() {
            true => fs.rename(from, to),
            false => fs.rename_with(from, to, flags),
        })
    }

    fn link(&mut self, from: u64, old: u64, to: u64, new: u64, flags: u64) -> Answer {
        let flags = AtFlags::from_bits_retain(flags as u32);
        if flags.contains(AtFlags::EMPTY_PATH) {
            self.refuse("a link to an open file");
        }
        self.two([from, old, to, new], |fs, from, to| match flags.is_empty() {
            true => fs.link(from, to),
            false => fs.link_with(from, to, flags),
        })
    }

    fn symlink(&mut self, target: u64, directory: u64, path: u64) -> Answer {
        match self.text(target) {
            Ok(target) => {
                if target.is_absolute() {
                    self.refuse("a link with an absolute target: make it a relative one");
                }
                self.at(directory, path, |fs, at| fs.symlink(&target, at))
            }
            Err(errno) => Is(Err(errno)),
        }
    }

    fn readlink(&mut self, directory: u64, path: u64, to: u64, room: u64) -> Answer {
        if room as i32 <= 0 {
            return Is(Err(Errno::INVAL));
        }
        let pid = self.pid;
        if let Ok(Place::Elsewhere(link)) = self.place(directory, path)
            && self.descriptor_of(&link).is_some_and(|descriptor| self.file(descriptor).is_some())
        {
            self.refuse("the name of a file of the world, by its descriptor");
        }
        self.got(directory, path, |fs, at| {
            let target = fs.readlink(at)?;
            let bytes = target.as_os_str().as_bytes();
            let bytes = &bytes[..bytes.len().min(room as usize)];
            memory::write(pid, to, bytes).map_err(|_| Errno::FAULT)?;
            Ok(bytes.len() as u64)
        })
    }

    fn getdents(&mut self) -> Answer {
        let [descriptor, to, room, ..] = self.of;
        let pid = self.pid;
        let Some((fs, file)) = self.open_file(descriptor) else { return Kernel };
        let names = match fs.getdents(file) {
            Ok(names) => names,
            Err(errno) => return Is(Err(errno)),
        };
        let mut bytes: Vec<u8> = Vec::new();
        let number = self.file(descriptor);
        let inode = number.and_then(|number| self.tree.inode(number)).unwrap_or(1);
        if let Some(open) = number.and_then(|number| self.tree.files.get_mut(&number))
            && !std::mem::replace(&mut open.told_itself, true)
        {
            bytes.extend(entry(b".", Some(Kind::Directory), inode));
            bytes.extend(entry(b"..", Some(Kind::Directory), inode));
        }
        for name in &names {
            bytes.extend(entry(name.name.as_bytes(), name.kind, name.inode));
        }
        if bytes.len() as u64 > room {
            self.refuse("more names than the program has room for");
        }
        let written = memory::write(pid, to, &bytes).map_err(|_| Errno::FAULT);
        Is(written.map(|()| bytes.len() as u64))
    }

    fn flock(&mut self) -> Answer {
        let operation = match self.of[1] as i32 {
            libc::LOCK_SH => FlockOperation::LockShared,
            libc::LOCK_EX => FlockOperation::LockExclusive,
            libc::LOCK_UN => FlockOperation::Unlock,
            it if it == libc::LOCK_SH | libc::LOCK_NB => FlockOperation::NonBlockingLockShared,
            it if it == libc::LOCK_EX | libc::LOCK_NB => FlockOperation::NonBlockingLockExclusive,
            it if it == libc::LOCK_UN | libc::LOCK_NB => FlockOperation::NonBlockingUnlock,
            _ => return self.on_either(self.of[0], self.of[0], Errno::INVAL),
        };
        if self.file(self.of[0]).is_none() && self.has(self.of[0]) {
            self.refuse("a lock outside of the world");
        }
        let answer = self.on(self.of[0], |fs, file| fs.flock(file, operation));
        self.has_lock(self.of[0]);
        answer
    }

    fn fcntl(&mut self) -> Answer {
        if self.file(self.of[0]).is_none() {
            let locks = [libc::F_SETLK, libc::F_SETLKW, libc::F_OFD_SETLK, libc::F_OFD_SETLKW];
            if locks.contains(&(self.of[1] as i32)) {
                self.refuse("a lock outside of the world");
            }
            return Kernel;
        }
        let flags = |call: &mut Self| {
            let number = call.file(call.of[0]);
            let open = number.and_then(|number| call.tree.files.get(&number));
            open.map_or(OFlags::empty(), |open: &Open| open.flags)
        };
        match self.of[1] as i32 {
            libc::F_DUPFD | libc::F_DUPFD_CLOEXEC | libc::F_GETFD | libc::F_SETFD => Kernel,
            libc::F_GETFL => {
                let told = flags(self) - OFlags::CREATE - OFlags::EXCL - OFlags::TRUNC;
                Is(Ok(u64::from(told.bits()) | 0o100_000))
            }
            libc::F_SETFL => {
                let changed = OFlags::from_bits_retain(self.of[2] as u32) ^ flags(self);
                if changed.intersects(OFlags::APPEND | OFlags::DIRECT | OFlags::NOATIME) {
                    self.refuse("`F_SETFL` with `O_APPEND`, `O_DIRECT` or `O_NOATIME`");
                }
                Is(Ok(0))
            }
            libc::F_OFD_SETLK | libc::F_OFD_SETLKW | libc::F_SETLK | libc::F_SETLKW => {
                self.lock_bytes()
            }
            _ => self.refuse("this operation on an open file of the world"),
        }
    }

    /// A lock of an open file on some of its bytes.
    fn lock_bytes(&mut self) -> Answer {
        let bytes = memory::read(self.pid, self.of[2], size_of::<libc::flock>());
        let Some(asked) = bytes.ok().filter(|bytes| bytes.len() == size_of::<libc::flock>()) else {
            return Is(Err(Errno::FAULT));
        };
        // SAFETY: these are as many bytes, and any are a `flock`.
        let asked: libc::flock = unsafe { std::ptr::read_unaligned(asked.as_ptr().cast()) };
        let waits = [libc::F_OFD_SETLKW, libc::F_SETLKW].contains(&(self.of[1] as i32));
        let operation = match (i32::from(asked.l_type), waits) {
            (libc::F_RDLCK, true) => FlockOperation::LockShared,
            (libc::F_RDLCK, false) => FlockOperation::NonBlockingLockShared,
            (libc::F_WRLCK, true) => FlockOperation::LockExclusive,
            (libc::F_WRLCK, false) => FlockOperation::NonBlockingLockExclusive,
            (libc::F_UNLCK, _) => FlockOperation::Unlock,
            _ => return Is(Err(Errno::INVAL)),
        };
        let is_from_start = i32::from(asked.l_whence) == libc::SEEK_SET;
        let (Ok(start), Ok(length)) = (u64::try_from(asked.l_start), u64::try_from(asked.l_len))
        else {
            self.refuse("a lock on bytes before a place")
        };
        if !is_from_start {
            self.refuse(
                "a lock on bytes that are counted from the end or from where the file stands",
            );
        }
        let is_of_file = [libc::F_OFD_SETLK, libc::F_OFD_SETLKW].contains(&(self.of[1] as i32));
        if is_of_file && asked.l_pid != 0 {
            return Is(Err(Errno::INVAL));
        }
        let range = ByteRange { start, length };
        match self.of[1] as i32 {
            libc::F_OFD_SETLK | libc::F_OFD_SETLKW => {
                let answer =
                    self.on(self.of[0], |fs, file| fs.fcntl_ofd_setlk(file, operation, range));
                self.has_lock(self.of[0]);
                answer
            }
            _ => self.lock_record(operation, range),
        }
    }

    /// From now on, the end of this file may be a call on the world.
    fn has_lock(&mut self, descriptor: u64) {
        let number = self.file(descriptor);
        if let Some(open) = number.and_then(|number| self.tree.files.get_mut(&number)) {
            open.has_lock = true;
        }
    }

    /// A lock of the process on some bytes of a file. It is taken through one of the files that the process
    /// has open, as a lock of that.
    fn lock_record(&mut self, operation: FlockOperation, range: ByteRange) -> Answer {
        let Some(number) = self.file(self.of[0]) else { return Kernel };
        let Some(process) = self.tree.task(self.pid).map(|task| task.process) else {
            return Kernel;
        };
        let writes = self
            .tree
            .files
            .get(&number)
            .is_some_and(|open| open.flags.intersects(OFlags::WRONLY | OFlags::RDWR));
        let is_exclusive = matches!(
            operation,
            FlockOperation::LockExclusive | FlockOperation::NonBlockingLockExclusive
        );
        if is_exclusive && !writes {
            return Is(Err(Errno::BADF));
        }
        let inode = self.tree.inode(number);
        let is_of_another = |lock: &&RecordLock| lock.through == number && lock.process != process;
        if self.tree.records.iter().any(|lock| is_of_another(&lock)) {
            self.refuse("a record lock through a file that another process locked and passed on");
        }
        let held = self.tree.records.iter().find(|it| it.inode == inode && it.process == process);
        let through = held.map_or(number, |lock| lock.through);
        let is_new = held.is_none();
        self.may_be_killed();
        let Some(open) = self.tree.files.get_mut(&through) else { return Kernel };
        let locked = self.fs.fcntl_ofd_setlk(&mut open.file, operation, range);
        open.has_lock = true;
        if locked.is_ok() && is_new {
            self.tree.records.push(RecordLock { inode, process, through });
        }
        Is(locked.map(|()| 0))
    }

    fn utimensat(&mut self) -> Answer {
        let [directory, path, times, flags, ..] = self.of;
        let Some(times) = self.times(times) else { return Is(Err(Errno::FAULT)) };
        if path == 0 {
            return self.on(directory, |fs, file| fs.futimens(file, &times));
        }
        let flags = AtFlags::from_bits_retain(flags as u32);
        self.at(directory, path, |fs, at| fs.utimensat(at, &times, flags))
    }

    /// Two times of a file, by the world's clock.
    fn times(&self, at: u64) -> Option<Timestamps> {
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        if at == 0 {
            return Some(Timestamps { last_access: now, last_modification: now });
        }
        let time = |at: u64| {
            let [seconds, nanoseconds] = self.two_words(at)?;
            let nanoseconds = nanoseconds as i64;
            Some(match nanoseconds == UTIME_NOW || nanoseconds == UTIME_OMIT {
                true => Timespec { tv_sec: 0, tv_nsec: nanoseconds },
                false => {
                    Timespec { tv_sec: identity::world_time(seconds as i64), tv_nsec: nanoseconds }
                }
            })
        };
        Some(Timestamps { last_access: time(at)?, last_modification: time(at + 16)? })
    }

    fn mkdir(&mut self, directory: u64, path: u64, bits: u64) -> Answer {
        let with = self.made(bits);
        self.at(directory, path, |fs, at| fs.mkdir(at, with))
    }

    fn mknod(&mut self, directory: u64, path: u64, bits: u64, device: u64) -> Answer {
        let with = self.made(bits);
        let kind = match bits as u32 & libc::S_IFMT {
            0 => FileType::RegularFile,
            kind => FileType::from_raw_mode(kind),
        };
        self.at(directory, path, |fs, at| fs.mknod(at, kind, with, device))
    }

    fn chown(&mut self, directory: u64, path: u64, ids: [u64; 2], flags: AtFlags) -> Answer {
        if flags.contains(AtFlags::EMPTY_PATH) {
            self.refuse("with `AT_EMPTY_PATH`");
        }
        let [user, group] = ids;
        self.at(directory, path, |fs, at| fs.chown(at, uid(user), gid(group), flags))
    }

    /// The last descriptor of a file closes it.
    fn close(&mut self, descriptor: u64) -> Answer {
        if let Some(number) = self.file(descriptor) {
            self.gives_records_back(number);
            if self.tree.descriptors().get(&number) == Some(&1) {
                self.close_file(number);
            }
        }
        Kernel
    }

    /// A process that closes any descriptor of a file loses all its record locks on the file.
    fn gives_records_back(&mut self, number: u64) {
        let process = self.tree.task(self.pid).map(|task| task.process);
        if self.tree.records.iter().all(|lock| Some(lock.process) != process) {
            return;
        }
        let inode = self.tree.inode(number);
        self.tree.give_records_back(self.fs, |lock| {
            Some(lock.process) == process && lock.inode == inode
        });
    }

    fn close_file(&mut self, number: u64) {
        if self.tree.is_worked_in(number) {
            return;
        }
        self.tree.files.remove(&number);
    }

    /// Closes the descriptors from one to another, or has them closed at the next `execve`.
    fn close_range(&mut self, first: u64, last: u64, flags: u64) -> Answer {
        if flags & u64::from(libc::CLOSE_RANGE_CLOEXEC) != 0 || self.tree.files.is_empty() {
            return Kernel;
        }
        let all = self.tree.descriptors();
        let of_this = self.tree.descriptors_of(self.pid);
        for number in self.tree.files.keys().copied().collect::<Vec<_>>() {
            let closed = of_this.iter().filter(|(descriptor, it)| {
                *it == number && (first..=last).contains(&u64::from(*descriptor))
            });
            let closed = closed.count();
            if closed > 0 {
                self.gives_records_back(number);
            }
            if closed > 0 && all.get(&number) == Some(&closed) {
                self.close_file(number);
            }
        }
        Kernel
    }

    /// The same bytes in each run.
    fn getrandom(&mut self) -> Answer {
        let [to, count, ..] = self.of;
        let bytes = self.tree.identity.random(count.min(1 << 16) as usize);
        let written = memory::write(self.pid, to, &bytes).map_err(|_| Errno::FAULT);
        Is(written.map(|()| bytes.len() as u64))
    }

    /// What a clock shows.
    fn time(&mut self, clock: i32) -> Duration {
        if clock == libc::CLOCK_REALTIME && direct::answers_known() > 0 {
            self.tree.program.notes_clock();
        }
        let slept = self.tree.slept;
        let asked = self.tree.task(self.pid).map_or(0, |task| {
            task.asked_time += 1;
            task.asked_time
        });
        identity::time(clock, slept, asked)
    }

    fn tell(&self, to: u64, words: [u64; 2]) -> Answer {
        if to == 0 {
            return Is(Ok(0));
        }
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        Is(memory::write(self.pid, to, &bytes).map(|()| 0).map_err(|_| Errno::FAULT))
    }

    fn two_words(&self, at: u64) -> Option<[u64; 2]> {
        let bytes =
            memory::read(self.pid, at, 16).ok().filter(|bytes| at != 0 && bytes.len() == 16)?;
        let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
        Some([word(&bytes[..8]), word(&bytes[8..])])
    }

    fn timespec(&self, at: u64) -> Option<Duration> {
        self.two_words(at).map(|[seconds, nanoseconds]| {
            Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
        })
    }

    /// Sleeps so long, or until this clock shows that. It takes no time.
    fn sleep(&mut self, asked: u64, until: Option<i32>) -> Answer {
        let Some(asked) = self.timespec(asked) else { return Is(Err(Errno::FAULT)) };
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

    /// Whether it is a thread that is not the first of its process.
    fn is_beside(&mut self) -> bool {
        let pid = self.pid;
        self.tree.task(pid).is_some_and(|task| task.process != pid)
    }

    /// Waits for something that the world knows nothing of, and no longer than this. If it waits so long, it
    /// has slept.
    fn waits(&mut self, time: Option<Duration>, answer_then: i64) -> Answer {
        if let Some(time) = time.filter(|time| *time >= Duration::from_millis(1))
            && let Some(task) = self.tree.task(self.pid)
        {
            task.at_return = Some(AtReturn::Slept(time, answer_then));
        }
        Kernel
    }

    /// Waits in memory, for a while or until a time of the program's clock.
    fn futex(&mut self) -> Answer {
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
        let left = until.saturating_sub(self.time(clock));
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
    fn kill(&mut self) -> Answer {
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
    fn wait(&mut self, number: usize, told: u64) -> Answer {
        if let Some(task) = self.tree.task(self.pid) {
            task.at_return = Some(AtReturn::Waited(told));
        }
        self.of_own(self.of, &[number])
    }

    /// Whether the process has this descriptor.
    fn has(&self, descriptor: u64) -> bool {
        std::fs::symlink_metadata(format!("/proc/{}/fd/{}", self.pid, descriptor as i32)).is_ok()
    }

    /// A process stays who it is: what it sets has to be what is so already.
    fn changes_user(&self, number: c_long) -> Answer {
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

    fn ioctl(&mut self) -> Answer {
        const FIONBIO: u64 = 0x5421;
        const FIONCLEX: u64 = 0x5450;
        const FIOCLEX: u64 = 0x5451;
        let [descriptor, request, ..] = self.of;
        if self.file(descriptor).is_none() {
            return Kernel;
        }
        match request & 0xffff_ffff {
            FIONBIO | FIONCLEX | FIOCLEX => Kernel,
            // What is asked of a terminal.
            0x5401..=0x541a | 0x541c..=0x5420 => Is(Err(Errno::NOTTY)),
            // `FICLONE`, `FICLONERANGE`: programs copy instead.
            0x4004_9409 | 0x4020_940d => Is(Err(Errno::OPNOTSUPP)),
            _ => self.refuse("this request about a file of the world"),
        }
    }

    /// The descriptor of its own that a path stands for, as `/dev/fd/3` does.
    fn descriptor_of(&self, path: &Path) -> Option<u64> {
        let path = path.to_str()?;
        match path {
            "/dev/stdin" => return Some(0),
            "/dev/stdout" => return Some(1),
            "/dev/stderr" => return Some(2),
            _ => {}
        }
        let own = format!("/proc/{}/fd/", self.pid);
        let folders = ["/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/", &own];
        folders.iter().find_map(|folder| path.strip_prefix(folder)?.parse().ok())
    }

    /// The same call, with the kernel's numbers for those by which the program knows its processes.
    fn of_own(&self, mut of: [u64; 6], numbers: &[usize]) -> Answer {
        for number in numbers {
            if let Some(real) = self.tree.real(of[*number]) {
                of[*number] = real as u64;
            }
        }
        With(of)
    }

    fn getcwd(&mut self) -> Answer {
        let [to, room, ..] = self.of;
        let at = match *self.tree.works_in(self.pid) {
            WorksIn::Elsewhere => return Kernel,
            WorksIn::World(None) => PathBuf::from(WORLD),
            WorksIn::World(Some(number)) => Path::new(WORLD).join(self.path_of(number)),
        };
        let mut bytes = at.as_os_str().as_bytes().to_vec();
        bytes.push(0);
        if bytes.len() as u64 > room {
            return Is(Err(Errno::RANGE));
        }
        let written = memory::write(self.pid, to, &bytes).map_err(|_| Errno::FAULT);
        Is(written.map(|()| bytes.len() as u64))
    }

    fn chdir(&mut self, path: u64) -> Answer {
        match self.place(libc::AT_FDCWD as u64, path) {
            Ok(Place::World(directory, path)) => {
                let open = directory.and_then(|number| self.tree.files.get(&number));
                let whole = open.map_or(Path::new(""), |open| open.path.as_path()).join(&path);
                let whole = plain(&whole);
                if whole.as_os_str().is_empty() && directory.is_none() {
                    return self.goes(WorksIn::World(None));
                }
                let flags = OFlags::PATH | OFlags::DIRECTORY;
                self.may_be_killed();
                let open = directory.and_then(|number| self.tree.files.get(&number));
                match self.fs.open(At::new(open.map(|it| &it.file), &path), flags, Mode::empty()) {
                    Ok(file) => {
                        let number = self.tree.keep(file, flags, whole);
                        self.goes(WorksIn::World(Some(number)))
                    }
                    Err(errno) => Is(Err(errno)),
                }
            }
            Ok(Place::Elsewhere(_)) => {
                self.goes(WorksIn::Elsewhere);
                Kernel
            }
            Err(errno) => Is(Err(errno)),
        }
    }

    fn fchdir(&mut self, descriptor: u64) -> Answer {
        let Some(number) = self.file(descriptor) else {
            self.goes(WorksIn::Elsewhere);
            return Kernel;
        };
        let open = self.tree.files.get(&number);
        let status = open.map(|open| {
            direct::observed(|| {
                self.tree.look().stat(At::new(Some(&open.file), Path::new(".")), AtFlags::empty())
            })
        });
        match status {
            Some(Ok(_)) => self.goes(WorksIn::World(Some(number))),
            Some(Err(errno)) => Is(Err(errno)),
            None => Kernel,
        }
    }

    /// It works there from now on.
    fn goes(&mut self, to: WorksIn) -> Answer {
        if let Some(process) = self.tree.process(self.pid) {
            process.works_in = to;
        }
        self.tree.close_what_nobody_has();
        Is(Ok(0))
    }

    /// A private mapping of a file of the world has what the file has now.
    fn mmap(&mut self) -> Answer {
        let [_, length, _, flags, descriptor, offset] = self.of;
        let flags = flags as i32;
        if flags & libc::MAP_ANONYMOUS != 0 || self.file(descriptor).is_none() {
            return Kernel;
        }
        if flags & libc::MAP_TYPE != libc::MAP_PRIVATE {
            self.refuse("a shared mapping of a file of the world");
        }
        let pid = self.pid;
        let Some((fs, file)) = self.open_file(descriptor) else { return Kernel };
        let mut bytes = vec![0; length.min(1 << 26) as usize];
        let count = match fs.pread(file, &mut bytes, offset) {
            Ok(count) => count,
            Err(errno) => return Is(Err(errno)),
        };
        // The placeholder gets it, and the kernel maps that.
        let place = format!("/proc/{pid}/fd/{}", descriptor as i32);
        let placed = std::fs::OpenOptions::new().write(true).open(place).and_then(|file| {
            std::os::unix::fs::FileExt::write_all_at(&file, &bytes[..count], offset)
        });
        match placed {
            Ok(()) => Kernel,
            Err(_) => Is(Err(Errno::NOMEM)),
        }
    }

    /// A socket with a name in the world, or one that others meet outside of it.
    fn socket(&mut self, address: u64, length: u64, is_bound: bool) -> Answer {
        let bytes = memory::read(self.pid, address, length.min(128) as usize).unwrap_or_default();
        let family = bytes.get(..2).and_then(|it| it.try_into().ok()).map_or(0, u16::from_ne_bytes);
        let is_of_network = [libc::AF_INET, libc::AF_INET6].contains(&family.into());
        let has_port = bytes.get(2..4).is_some_and(|port| port != [0, 0]);
        let is_abstract = i32::from(family) == libc::AF_UNIX && bytes.get(2) == Some(&0);
        if is_of_network && has_port {
            self.refuse("the network: it is no part of the world");
        }
        if is_bound && is_abstract && bytes.len() > 2 {
            self.refuse("a socket with a name that all programs share");
        }
        let is_local = bytes.get(..2) == Some(&(libc::AF_UNIX as u16).to_ne_bytes()[..]);
        let path = bytes.get(2..).unwrap_or_default().split(|byte| *byte == 0).next();
        let path = Path::new(OsStr::from_bytes(path.unwrap_or_default()));
        let is_there = match path.is_relative() {
            true => !matches!(self.tree.works_in(self.pid), WorksIn::Elsewhere),
            false => path.starts_with(WORLD),
        };
        if is_local && !path.as_os_str().is_empty() && is_there {
            self.refuse("a socket with a name in the world");
        }
        Kernel
    }
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

/// The same path without `.` and `..`. (If a link is followed before a `..`, it is another one: then
/// [`Call::getcwd`] finds that out.)
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => _ = plain.pop(),
            _ => {}
        }
    }
    plain
}

/// What the kernel's clock shows.
fn real_time(clock: i32) -> Duration {
    // SAFETY: zeros are a time, and there is room for one.
    let now = unsafe {
        let mut now: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(clock, &mut now);
        now
    };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// How a status is written down.
#[derive(Clone, Copy)]
enum Form {
    Stat,
    Statx,
}

impl Form {
    fn of(self, status: &Status) -> Vec<u8> {
        match self {
            // SAFETY: both are plain numbers, for which zeros are fine, and may be read as bytes.
            Form::Stat => unsafe {
                let mut told: libc::stat = std::mem::zeroed();
                told.st_dev = status.device;
                told.st_ino = status.inode;
                told.st_nlink = status.links;
                told.st_mode = raw_mode(status);
                told.st_uid = status.uid.as_raw();
                told.st_gid = status.gid.as_raw();
                told.st_size = status.size as i64;
                told.st_blksize = 4096;
                told.st_blocks = status.size.div_ceil(512) as i64;
                let modified = status
                    .modified
                    .map(|time| (identity::told_time(time.seconds), time.nanoseconds));
                let (seconds, nanoseconds) = modified.unwrap_or((identity::BEGINNING, 0));
                (told.st_mtime, told.st_mtime_nsec) = (seconds, nanoseconds.into());
                (told.st_atime, told.st_ctime) = (told.st_mtime, told.st_mtime);
                bytes_of(&told)
            },
            Form::Statx => unsafe {
                let mut told: libc::statx = std::mem::zeroed();
                told.stx_mask = libc::STATX_BASIC_STATS;
                told.stx_blksize = 4096;
                told.stx_nlink = status.links as u32;
                told.stx_uid = status.uid.as_raw();
                told.stx_gid = status.gid.as_raw();
                told.stx_mode = raw_mode(status) as u16;
                told.stx_ino = status.inode;
                told.stx_size = status.size;
                told.stx_blocks = status.size.div_ceil(512);
                told.stx_dev_minor = status.device as u32;
                let modified = status
                    .modified
                    .map(|time| (identity::told_time(time.seconds), time.nanoseconds));
                (told.stx_mtime.tv_sec, told.stx_mtime.tv_nsec) =
                    modified.unwrap_or((identity::BEGINNING, 0));
                (told.stx_atime, told.stx_ctime) = (told.stx_mtime, told.stx_mtime);
                bytes_of(&told)
            },
        }
    }
}

fn raw_mode(status: &Status) -> u32 {
    status.kind.file_type().as_raw_mode() | status.mode.bits()
}

/// # Safety
///
/// Every byte of it, padding included, has to be initialized.
unsafe fn bytes_of<T>(told: &T) -> Vec<u8> {
    // SAFETY: it is that long, and the caller says that it is initialized.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(told).cast(), size_of::<T>()) }.to_vec()
}

/// A name in a directory, as `getdents64` has it.
fn entry(text: &[u8], kind: Option<Kind>, inode: u64) -> Vec<u8> {
    let kind = match kind {
        Some(Kind::Directory) => libc::DT_DIR,
        Some(Kind::File) => libc::DT_REG,
        Some(Kind::Symlink) => libc::DT_LNK,
        Some(Kind::Fifo) => libc::DT_FIFO,
        Some(Kind::Socket) => libc::DT_SOCK,
        Some(Kind::CharacterDevice) => libc::DT_CHR,
        Some(Kind::BlockDevice) => libc::DT_BLK,
        Some(Kind::Other) | None => libc::DT_UNKNOWN,
    };
    let length = (19 + text.len() + 1).next_multiple_of(8);
    let mut entry = Vec::with_capacity(length);
    entry.extend(inode.to_ne_bytes());
    entry.extend(0_u64.to_ne_bytes());
    entry.extend((length as u16).to_ne_bytes());
    entry.push(kind);
    entry.extend_from_slice(text);
    entry.resize(length, 0);
    entry
}

/// What a call is called in messages.
fn name(number: c_long) -> &'static str {
    macro_rules! names {
        ($($call:ident = $name:literal),* $(,)?) => {
            match number {
                $(libc::$call => $name,)*
                _ => "a system call",
            }
        };
    }
    names! {
        SYS_open = "open", SYS_openat = "openat", SYS_creat = "creat", SYS_stat = "stat",
        SYS_lstat = "lstat", SYS_newfstatat = "newfstatat", SYS_statx = "statx",
        SYS_access = "access", SYS_faccessat = "faccessat", SYS_faccessat2 = "faccessat2",
        SYS_readlink = "readlink", SYS_readlinkat = "readlinkat", SYS_rename = "rename",
        SYS_renameat = "renameat", SYS_renameat2 = "renameat2", SYS_link = "link",
        SYS_linkat = "linkat", SYS_symlink = "symlink", SYS_symlinkat = "symlinkat",
        SYS_unlink = "unlink", SYS_unlinkat = "unlinkat", SYS_mkdir = "mkdir",
        SYS_mkdirat = "mkdirat", SYS_rmdir = "rmdir", SYS_mknod = "mknod", SYS_mknodat = "mknodat",
        SYS_chmod = "chmod", SYS_fchmodat = "fchmodat", SYS_chown = "chown", SYS_lchown = "lchown",
        SYS_fchown = "fchown", SYS_fchownat = "fchownat", SYS_truncate = "truncate",
        SYS_fallocate = "fallocate", SYS_sync_file_range = "sync_file_range", SYS_getdents = "getdents",
        SYS_getdents64 = "getdents64", SYS_fcntl = "fcntl", SYS_utime = "utime",
        SYS_utimes = "utimes", SYS_futimesat = "futimesat", SYS_utimensat = "utimensat",
        SYS_mmap = "mmap", SYS_chdir = "chdir", SYS_fchdir = "fchdir", SYS_chroot = "chroot",  SYS_execve = "execve", SYS_execveat = "execveat", SYS_bind = "bind",
        SYS_connect = "connect", SYS_statfs = "statfs", SYS_fstatfs = "fstatfs",
        SYS_inotify_add_watch = "inotify_add_watch", SYS_fanotify_init = "fanotify_init",
        SYS_setsid = "setsid", SYS_setpgid = "setpgid", SYS_ptrace = "ptrace",
        SYS_unshare = "unshare", SYS_close_range = "close_range", SYS_preadv2 = "preadv2",
        SYS_pwritev2 = "pwritev2", SYS_kill = "kill", SYS_tkill = "tkill", SYS_tgkill = "tgkill",
        SYS_pidfd_open = "pidfd_open", SYS_alarm = "alarm", SYS_setitimer = "setitimer",
        SYS_timer_create = "timer_create", SYS_timerfd_settime = "timerfd_settime",
        SYS_rt_sigtimedwait = "rt_sigtimedwait", SYS_semtimedop = "semtimedop", SYS_semget = "semget",
        SYS_shmget = "shmget", SYS_msgget = "msgget", SYS_mq_open = "mq_open", SYS_setuid = "setuid",
        SYS_setgid = "setgid", SYS_setreuid = "setreuid", SYS_setregid = "setregid",
        SYS_setresuid = "setresuid", SYS_setresgid = "setresgid", SYS_setgroups = "setgroups",
        SYS_ioctl = "ioctl", SYS_flock = "flock", SYS_getpgid = "getpgid", SYS_getsid = "getsid",
        SYS_umount2 = "umount2", SYS_dup2 = "dup2", SYS_dup3 = "dup3", SYS_getcwd = "getcwd", SYS_name_to_handle_at = "name_to_handle_at",
        SYS_open_tree = "open_tree", SYS_mount = "mount",
    }
}
