//! Third floor, `run`: locks of files, and what gives them back. Imports
//! [`fs`](crate::fs), [`direct`](crate::direct) and its neighbours in `run`.

use super::Answer::{self, Is, Kernel};
use super::Call;
use crate::fs::{ByteRange, Errno, FileSystem, FlockOperation, OFlags};
use crate::run::memory;
use crate::run::tree::RecordLock;

/// The operations of `fcntl` that take or release a lock.
pub(super) const LOCKS: [i32; 4] =
    [libc::F_SETLK, libc::F_SETLKW, libc::F_OFD_SETLK, libc::F_OFD_SETLKW];

impl Call<'_, '_, '_> {
    pub(super) fn flock(&mut self) -> Answer {
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

    pub(super) fn fcntl(&mut self) -> Answer {
        if self.file(self.of[0]).is_none() {
            if LOCKS.contains(&(self.of[1] as i32)) {
                self.refuse("a lock outside of the world");
            }
            return Kernel;
        }
        let flags = self.open_of(self.of[0]).map_or(OFlags::empty(), |open| open.flags);
        match self.of[1] as i32 {
            libc::F_DUPFD | libc::F_DUPFD_CLOEXEC | libc::F_GETFD | libc::F_SETFD => Kernel,
            libc::F_GETFL => {
                let told = flags - OFlags::CREATE - OFlags::EXCL - OFlags::TRUNC;
                Is(Ok(u64::from(told.bits()) | 0o100_000))
            }
            libc::F_SETFL => {
                let changed = OFlags::from_bits_retain(self.of[2] as u32) ^ flags;
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
    pub(super) fn lock_bytes(&mut self) -> Answer {
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
    pub(super) fn has_lock(&mut self, descriptor: u64) {
        if let Some(open) = self.open_of(descriptor) {
            open.has_lock = true;
        }
    }

    /// A lock of the process on some bytes of a file. It is taken through one of the files that the process
    /// has open, as a lock of that.
    pub(super) fn lock_record(&mut self, operation: FlockOperation, range: ByteRange) -> Answer {
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

    /// The last descriptor of a file closes it.
    pub(super) fn close(&mut self, descriptor: u64) -> Answer {
        if let Some(number) = self.file(descriptor) {
            self.gives_records_back(number);
            let is_at_rest = self.tree.all_others_wait(Some(self.pid));
            if !is_at_rest {
                self.tree.may_close = true;
            } else if self.tree.descriptors().get(&number) == Some(&1) {
                self.close_file(number);
            }
        }
        Kernel
    }

    /// A process that closes any descriptor of a file loses all its record locks on the file.
    pub(super) fn gives_records_back(&mut self, number: u64) {
        let process = self.tree.task(self.pid).map(|task| task.process);
        if self.tree.records.iter().all(|lock| Some(lock.process) != process) {
            return;
        }
        let inode = self.tree.inode(number);
        self.tree.give_records_back(self.fs, |lock| {
            Some(lock.process) == process && lock.inode == inode
        });
    }

    pub(super) fn close_file(&mut self, number: u64) {
        if self.tree.is_worked_in(number) {
            return;
        }
        self.tree.files.remove(&number);
    }

    /// Closes the descriptors from one to another, or has them closed at the next `execve`.
    pub(super) fn close_range(&mut self, first: u64, last: u64, flags: u64) -> Answer {
        if flags & u64::from(libc::CLOSE_RANGE_CLOEXEC) != 0 || self.tree.files.is_empty() {
            return Kernel;
        }
        let is_at_rest = self.tree.all_others_wait(Some(self.pid));
        self.tree.may_close |= !is_at_rest;
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
            if closed > 0 && is_at_rest && all.get(&number) == Some(&closed) {
                self.close_file(number);
            }
        }
        Kernel
    }
}
