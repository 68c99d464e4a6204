//! Third floor, `run`: calls on the files and directories of the world. Imports
//! [`fs`](crate::fs), [`direct`](crate::direct) and its neighbours in `run`.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::Answer::{self, Is, Kernel, With};
use super::forms::{Form, entry};
use super::{Call, Place, gid, uid};
use crate::fs::{
    Access, At, AtFlags, Errno, FileSystem, FileType, Kind, Mode, OFlags, RenameFlags, SeekFrom,
    Timespec, Timestamps, UTIME_NOW, UTIME_OMIT,
};
use crate::run::{identity, memory};

impl Call<'_, '_, '_> {
    pub(super) fn open(&mut self, directory: u64, path: u64, flags: u64, with: u64) -> Answer {
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
                    Some(1 | 2) if writes => {
                        let place = if self.name == "open" { 1 } else { 2 };
                        let mut of = self.of;
                        of[place] = ((flags - OFlags::TRUNC) | OFlags::APPEND).bits().into();
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
        let whole = self.whole(directory, &path);
        let directory = directory.and_then(|number| self.tree.files.get(&number));
        match self.fs.open(At::new(directory.map(|it| &it.file), &path), kept, with) {
            Ok(file) => Answer::Opened(self.tree.keep(file, kept, whole), closes_on_exec),
            Err(errno) => Is(Err(errno)),
        }
    }

    /// Buffers of a call that has several: (address, length).
    pub(super) fn with_parts(
        &mut self,
        call: impl FnOnce(&mut Self, &[(u64, u64)]) -> Answer,
    ) -> Answer {
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

    pub(super) fn read(
        &mut self,
        descriptor: u64,
        parts: &[(u64, u64)],
        offset: Option<u64>,
    ) -> Answer {
        let pid = self.pid;
        if let [(to, count)] = parts
            && self.file(descriptor).is_none()
            && self.is_random(descriptor)
        {
            return self.random(*to, *count);
        }
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

    pub(super) fn write(
        &mut self,
        descriptor: u64,
        parts: &[(u64, u64)],
        offset: Option<u64>,
    ) -> Answer {
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

    pub(super) fn lseek(&mut self) -> Answer {
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
                if let Some(open) = self.open_of(descriptor) {
                    open.told_itself &= answer != Ok(0);
                }
                Is(answer)
            }
            None => Kernel,
        }
    }

    pub(super) fn stat_at(
        &mut self,
        directory: u64,
        path: u64,
        flags: u64,
        to: u64,
        form: Form,
    ) -> Answer {
        let is_empty = path == 0 || self.text(path).is_ok_and(|path| path.as_os_str().is_empty());
        if is_empty && flags & libc::AT_EMPTY_PATH as u64 != 0 {
            return self.fstat(directory, to, form);
        }
        self.stat(directory, path, following(flags), to, form)
    }

    pub(super) fn stat(
        &mut self,
        directory: u64,
        path: u64,
        flags: AtFlags,
        to: u64,
        form: Form,
    ) -> Answer {
        let pid = self.pid;
        self.got(directory, path, |fs, at| {
            let status = fs.stat(at, flags)?;
            memory::write(pid, to, &form.of(&status)).map(|()| 0).map_err(|_| Errno::FAULT)
        })
    }

    pub(super) fn fstat(&mut self, descriptor: u64, to: u64, form: Form) -> Answer {
        let pid = self.pid;
        self.on(descriptor, |fs, file| {
            let status = fs.fstat(file)?;
            memory::write(pid, to, &form.of(&status)).map_err(|_| Errno::FAULT)
        })
    }

    pub(super) fn access(&mut self, directory: u64, path: u64, access: u64, flags: u64) -> Answer {
        let access = Access::from_bits_retain(access as u32);
        self.at(directory, path, |fs, at| fs.access(at, access, following(flags)))
    }

    pub(super) fn rename(&mut self, from: u64, old: u64, to: u64, new: u64, flags: u64) -> Answer {
        let flags = RenameFlags::from_bits_retain(flags as u32);
        self.two([from, old, to, new], |fs, from, to| match flags.is_empty() {
            true => fs.rename(from, to),
            false => fs.rename_with(from, to, flags),
        })
    }

    pub(super) fn link(&mut self, from: u64, old: u64, to: u64, new: u64, flags: u64) -> Answer {
        let flags = AtFlags::from_bits_retain(flags as u32);
        if flags.contains(AtFlags::EMPTY_PATH) {
            self.refuse("a link to an open file");
        }
        self.two([from, old, to, new], |fs, from, to| match flags.is_empty() {
            true => fs.link(from, to),
            false => fs.link_with(from, to, flags),
        })
    }

    pub(super) fn symlink(&mut self, target: u64, directory: u64, path: u64) -> Answer {
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

    pub(super) fn readlink(&mut self, directory: u64, path: u64, to: u64, room: u64) -> Answer {
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

    pub(super) fn getdents(&mut self) -> Answer {
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
        if let Some(open) = self.open_of(descriptor)
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

    pub(super) fn utimensat(&mut self) -> Answer {
        let [directory, path, times, flags, ..] = self.of;
        let Some(times) = self.times(times) else { return Is(Err(Errno::FAULT)) };
        if path == 0 {
            return self.on(directory, |fs, file| fs.futimens(file, &times));
        }
        let flags = AtFlags::from_bits_retain(flags as u32);
        self.at(directory, path, |fs, at| fs.utimensat(at, &times, flags))
    }

    /// Two times of a file, by the world's clock.
    pub(super) fn times(&self, at: u64) -> Option<Timestamps> {
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

    pub(super) fn mkdir(&mut self, directory: u64, path: u64, bits: u64) -> Answer {
        let with = self.made(bits);
        self.at(directory, path, |fs, at| fs.mkdir(at, with))
    }

    pub(super) fn mknod(&mut self, directory: u64, path: u64, bits: u64, device: u64) -> Answer {
        let with = self.made(bits);
        let kind = match bits as u32 & libc::S_IFMT {
            0 => FileType::RegularFile,
            kind => FileType::from_raw_mode(kind),
        };
        self.at(directory, path, |fs, at| fs.mknod(at, kind, with, device))
    }

    pub(super) fn chown(
        &mut self,
        directory: u64,
        path: u64,
        ids: [u64; 2],
        flags: AtFlags,
    ) -> Answer {
        if flags.contains(AtFlags::EMPTY_PATH) {
            self.refuse("with `AT_EMPTY_PATH`");
        }
        let [user, group] = ids;
        self.at(directory, path, |fs, at| fs.chown(at, uid(user), gid(group), flags))
    }

    pub(super) fn ioctl(&mut self) -> Answer {
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

    /// A private mapping of a file of the world has what the file has now.
    pub(super) fn mmap(&mut self) -> Answer {
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
}

/// Of all flags of a call, whether it follows a link.
fn following(flags: u64) -> AtFlags {
    AtFlags::from_bits_retain(flags as u32) & AtFlags::SYMLINK_NOFOLLOW
}
