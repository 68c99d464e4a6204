//! Third floor, `run`: a system call of a program, asked of the world and answered. Imports
//! [`fs`](crate::fs), [`direct`] and its neighbours in `run`.
//!
//! A traced process stops before its call. If the call is about the world, it does not happen: the process
//! is given the world's answer instead. An open file of the world is a `memfd` whose name says which it
//! is, so that it survives `dup`, `fork` and `exec`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use libc::{c_long, pid_t, user_regs_struct};

use super::memory;
use super::tree::{PLACEHOLDER, Tree, registers, set_registers};
use crate::direct::{self, DirectFile, DirectFs};
use crate::fs::{
    Access, At, AtFlags, Dirent, Errno, FileSystem, FlockOperation, Kind, Mode, OFlags,
    RenameFlags, SeekFrom, Status,
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
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_setsid,
    libc::SYS_setpgid,
    libc::SYS_ptrace,
    libc::SYS_unshare,
];

/// What becomes of a call.
enum Answer {
    /// It goes to the kernel.
    Kernel,
    /// It does not happen, and this is its answer.
    Is(Result<u64, Errno>),
    /// It opened a file of the world: it makes this placeholder instead.
    Opened(u64, bool),
}

use Answer::{Is, Kernel};

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
    match call.answer(number) {
        Kernel => return,
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
        self.tree.program.refuses(self.name, why)
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
            libc::SYS_mkdir => self.makes().at(here, first, |fs, at| fs.mkdir(at, mode(second))),
            libc::SYS_mkdirat => self.makes().at(first, second, |fs, at| fs.mkdir(at, mode(third))),
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
            libc::SYS_dup2 | libc::SYS_dup3 if first != second => self.close(second),
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
            libc::SYS_utimensat if second == 0 => match self.file(first) {
                // Without a clock there are no times to set.
                Some(_) if third == 0 => Is(Ok(0)),
                Some(_) => self.refuse("a simulated file system keeps no time that it is given"),
                None => Kernel,
            },
            libc::SYS_nanosleep | libc::SYS_clock_nanosleep => {
                direct::let_time_pass("sleep");
                Is(Ok(0))
            }
            libc::SYS_getpid => Is(Ok(direct::process().unwrap_or(1).into())),
            libc::SYS_getrandom => self.getrandom(),
            libc::SYS_chdir => self.chdir(first),
            libc::SYS_setsid
            | libc::SYS_setpgid
            | libc::SYS_ptrace
            | libc::SYS_unshare
            | libc::SYS_chroot
            | libc::SYS_fanotify_init => {
                self.refuse("a program stays in its process group, and is traced already")
            }
            libc::SYS_bind | libc::SYS_connect => self.socket(second, third),
            _ => self.only_elsewhere(number),
        }
    }

    /// The calls that are not simulated: they go to the kernel unless they are about the world.
    fn only_elsewhere(&mut self, number: c_long) -> Answer {
        let [first, second, third, _, fifth, _] = self.of;
        let here = libc::AT_FDCWD as u64;
        let (path, descriptor) = match number {
            libc::SYS_truncate
            | libc::SYS_mknod
            | libc::SYS_chown
            | libc::SYS_lchown
            | libc::SYS_utime
            | libc::SYS_utimes
            | libc::SYS_execve
            | libc::SYS_statfs => (Some((here, first)), None),
            libc::SYS_mknodat
            | libc::SYS_fchownat
            | libc::SYS_utimensat
            | libc::SYS_futimesat
            | libc::SYS_execveat => (Some((first, second)), None),
            libc::SYS_inotify_add_watch => (Some((here, second)), None),
            libc::SYS_mmap => (None, Some(fifth)),
            libc::SYS_close_range if third == 0 && !self.tree.files.is_empty() => {
                self.refuse("close descriptors one by one")
            }
            libc::SYS_close_range => (None, None),
            _ => (None, Some(first)),
        };
        let is_about_a_path = path.is_some_and(|(directory, path)| {
            matches!(self.place(directory, path), Ok(Place::World(..)))
        });
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
        self.tree.file_of(self.pid, descriptor as i32)
    }

    /// Where a path leads.
    fn place(&self, directory: u64, path: u64) -> Result<Place, Errno> {
        let path = self.text(path)?;
        let world = self.tree.program.world();
        if path.is_absolute() {
            return Ok(match path.strip_prefix(world) {
                Ok(rest) if rest.as_os_str().is_empty() => Place::World(None, ".".into()),
                Ok(rest) => Place::World(None, rest.to_owned()),
                Err(_) => Place::Elsewhere(path),
            });
        }
        if directory as i32 != libc::AT_FDCWD {
            return Ok(match self.file(directory) {
                Some(number) => Place::World(Some(number), path),
                None => Place::Elsewhere(path),
            });
        }
        let at = std::fs::read_link(format!("/proc/{}/cwd", self.pid));
        Ok(match at {
            Ok(at) if at == world => Place::World(None, path),
            _ => Place::Elsewhere(path),
        })
    }

    /// A call that makes a file, less the umask: that of a world is 022.
    fn makes(&mut self) -> &mut Self {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid));
        let status = status.unwrap_or_default();
        let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
        if umask.is_some_and(|umask| umask.trim() != "0022") {
            self.refuse("with another umask than 022");
        }
        self
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
                let directory = directory.and_then(|number| self.tree.files.get(&number));
                Is(call(self.fs, At::new(directory, &path)))
            }
            Ok(Place::Elsewhere(path)) => {
                if self.changes_what_is_there() {
                    self.refuse(&format!("{} is outside of the world", path.display()));
                }
                Kernel
            }
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
        Some((self.fs, self.tree.files.get_mut(&number)?))
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
            Ok(Place::Elsewhere(path)) if !writes || path.starts_with("/dev") => return Kernel,
            Ok(Place::Elsewhere(path)) => {
                self.refuse(&format!("{} is outside of the world", path.display()))
            }
            Err(errno) => return Is(Err(errno)),
        };
        let closes_on_exec = flags.contains(OFlags::CLOEXEC);
        // They change nothing here: the kernel sets the second for every program of 64 bits.
        const NEEDLESS: u32 = libc::O_LARGEFILE as u32 | 0o100_000 | libc::O_NOCTTY as u32;
        let kept = OFlags::from_bits_retain(flags.bits() & !NEEDLESS) - OFlags::CLOEXEC;
        let makes = flags.contains(OFlags::CREATE) || flags.contains(OFlags::TMPFILE);
        let with = if makes { mode(with) } else { Mode::empty() };
        if makes {
            self.makes();
        }
        let directory = directory.and_then(|number| self.tree.files.get(&number));
        match self.fs.open(At::new(directory, &path), kept, with) {
            Ok(file) => Answer::Opened(self.tree.keep(file), closes_on_exec),
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
        let mut bytes = vec![0; most.min(1 << 20) as usize];
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
            match memory::read(pid, *address, (*length).min(1 << 24) as usize) {
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
            _ => return self.on_either(descriptor, descriptor, Errno::INVAL),
        };
        match self.open_file(descriptor) {
            Some((fs, file)) => Is(fs.lseek(file, to)),
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
                let file = |number: Option<u64>| self.tree.files.get(&number?);
                let (from, to) =
                    (At::new(file(from_directory), &from), At::new(file(to_directory), &to));
                Is(call(self.fs, from, to).map(|()| 0))
            }
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
            Ok(target) => self.at(directory, path, |fs, at| fs.symlink(&target, at)),
            Err(errno) => Is(Err(errno)),
        }
    }

    fn readlink(&mut self, directory: u64, path: u64, to: u64, room: u64) -> Answer {
        let pid = self.pid;
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
        let bytes: Vec<u8> = names.iter().flat_map(entry).collect();
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
        self.on(self.of[0], |fs, file| fs.flock(file, operation))
    }

    fn fcntl(&mut self) -> Answer {
        if self.file(self.of[0]).is_none() {
            return Kernel;
        }
        match self.of[1] as i32 {
            libc::F_DUPFD | libc::F_DUPFD_CLOEXEC | libc::F_GETFD | libc::F_SETFD => Kernel,
            _ => self.refuse("locks on bytes and flags of an open file of the world"),
        }
    }

    /// The last descriptor of a file closes it.
    fn close(&mut self, descriptor: u64) -> Answer {
        if let Some(number) = self.file(descriptor)
            && self.tree.descriptors().get(&number) == Some(&1)
        {
            self.tree.files.remove(&number);
        }
        Kernel
    }

    /// The same bytes in each run.
    fn getrandom(&mut self) -> Answer {
        let [to, count, ..] = self.of;
        let seed = u64::from(direct::process().unwrap_or(1));
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < count.min(1 << 16) {
            self.tree.random += 1;
            // SplitMix64: looks random, and that is all.
            let mut it = seed.wrapping_add(self.tree.random.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            bytes.extend((it ^ (it >> 31)).to_ne_bytes());
        }
        bytes.truncate(count.min(1 << 16) as usize);
        let written = memory::write(self.pid, to, &bytes).map_err(|_| Errno::FAULT);
        Is(written.map(|()| bytes.len() as u64))
    }

    fn chdir(&mut self, path: u64) -> Answer {
        match self.place(libc::AT_FDCWD as u64, path) {
            Ok(Place::World(None, path)) if path == Path::new(".") => Kernel,
            Ok(Place::World(..)) => self.refuse("a program works in the world's directory itself"),
            Ok(Place::Elsewhere(_)) => Kernel,
            Err(errno) => Is(Err(errno)),
        }
    }

    /// A socket with a name in the world.
    fn socket(&mut self, address: u64, length: u64) -> Answer {
        let bytes = memory::read(self.pid, address, length.min(128) as usize).unwrap_or_default();
        let is_local = bytes.get(..2) == Some(&(libc::AF_UNIX as u16).to_ne_bytes()[..]);
        let path = bytes.get(2..).unwrap_or_default().split(|byte| *byte == 0).next();
        let path = Path::new(OsStr::from_bytes(path.unwrap_or_default()));
        let is_there = path.starts_with(self.tree.program.world());
        if is_local && !path.as_os_str().is_empty() && (path.is_relative() || is_there) {
            self.refuse("a socket with a name in the world");
        }
        Kernel
    }
}

fn mode(bits: u64) -> Mode {
    Mode::from_bits_truncate(bits as u32 & 0o7777)
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
                if let Some(time) = status.modified {
                    (told.st_mtime, told.st_mtime_nsec) = (time.seconds, time.nanoseconds.into());
                }
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
                if let Some(time) = status.modified {
                    (told.stx_mtime.tv_sec, told.stx_mtime.tv_nsec) =
                        (time.seconds, time.nanoseconds);
                }
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
fn entry(name: &Dirent) -> Vec<u8> {
    let kind = match name.kind {
        Some(Kind::Directory) => libc::DT_DIR,
        Some(Kind::File) => libc::DT_REG,
        Some(Kind::Symlink) => libc::DT_LNK,
        Some(Kind::Fifo) => libc::DT_FIFO,
        Some(Kind::Socket) => libc::DT_SOCK,
        Some(Kind::CharacterDevice) => libc::DT_CHR,
        Some(Kind::BlockDevice) => libc::DT_BLK,
        Some(Kind::Other) | None => libc::DT_UNKNOWN,
    };
    let text = name.name.as_bytes();
    let length = (19 + text.len() + 1).next_multiple_of(8);
    let mut entry = Vec::with_capacity(length);
    entry.extend(name.inode.to_ne_bytes());
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
        SYS_pwritev2 = "pwritev2",
    }
}
