//! First floor: the calls of a simulated file system, each told to whoever listens to the step.
//! Imports its parent module and how calls are told.

use std::fmt;
use std::hash::BuildHasher;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{
    Access, AtFlags, Dev, FileType, FlockOperation, Gid, Mode, OFlags, RenameFlags, SeekFrom,
    Timestamps, Uid,
};
use rustix::io::Errno;

use super::super::told::{Answer, Call, Line};
use super::super::{At, ByteRange, Dirent, FileSystem, Kind, ResolveFlags, Status, User, Users};
use super::inode::Inode;
use super::mistake::{mistake, shared_name};
use super::{SimFile, SimFs};
use crate::calls::{called, is_listened_to, mistaken};

/// Tells of a call that was answered so; and of what is wrong with it, if its answer can only mean that
/// the model is. `file` is the open file that it is about. `line` is the call and what there is to tell of
/// its answer: nothing of that is made up unless somebody listens, or it failed.
#[inline]
fn tell<'c, T>(
    result: &Result<T, Errno>,
    file: Option<&SimFile>,
    line: impl Fn() -> (Call<'c, SimFile>, Answer<'c>),
) {
    called(format_args!("{}", Lazy(&line)));
    if is_listened_to() {
        let (call, _) = line();
        if let Some(why) = shared_name(&call) {
            mistaken("own", format_args!("{call}: {why}"));
        }
    }
    if let Err(errno) = result
        && matches!(*errno, Errno::BADF | Errno::FBIG | Errno::INVAL | Errno::NOSYS | Errno::XDEV)
    {
        let (call, _) = line();
        if let Some((code, why)) = mistake(&call, file, *errno) {
            mistaken(code, format_args!("{call}: {why}"));
        }
    }
}

/// A line that is made up when it is written.
struct Lazy<L>(L);

impl<'c, L: Fn() -> (Call<'c, SimFile>, Answer<'c>)> fmt::Display for Lazy<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (call, answer) = self.0();
        Line(&call, &answer).fmt(f)
    }
}

impl Users for SimFs {
    /// No call: it says on whose behalf the next one is made.
    fn act_as(&mut self, user: User) -> Result<User, Errno> {
        Ok(std::mem::replace(&mut self.user, user))
    }
}

impl FileSystem for SimFs {
    type File = SimFile;

    fn listings(&mut self, file: &mut SimFile) -> usize {
        self.getdents_answers(file).map_or(1, |answers| answers.len())
    }

    fn getdents_as(&mut self, file: &mut SimFile, answer: usize) -> Result<Vec<Dirent>, Errno> {
        SimFs::getdents_as(self, file, answer)
    }

    fn version(&mut self) -> Option<u64> {
        let hash = |world: &SimFs| rustc_hash::FxBuildHasher.hash_one(world);
        Some(match self.clock_of_sleeps() {
            // Who waits for a change does not wait for the time: it sleeps itself.
            Some(_) => hash(&self.regardless_of_sleeps()),
            None => hash(self),
        })
    }

    fn now(&mut self) -> Option<Duration> {
        self.clock_of_sleeps()
    }

    fn sleep_until(&mut self, time: Duration) {
        self.pass_until(time);
    }

    /// `build_open_how`: leaves out flags that `O_PATH` does not name, and a mode that no flag asks
    /// for.
    fn open<'p>(
        &mut self,
        at: impl Into<At<'p, SimFile>>,
        flags: OFlags,
        mode: Mode,
    ) -> Result<SimFile, Errno> {
        let at = at.into();
        let result = self.open_at(at, flags, mode);
        self.unsimulated(&Call::Open(at, flags), at, &result);
        tell(&result, None, || {
            (
                Call::Open(at, flags),
                Answer::with(&result, |file| Answer::Opened(self.status(file.inode).ok())),
            )
        });
        result
    }

    fn open_within<'p>(
        &mut self,
        at: impl Into<At<'p, SimFile>>,
        flags: OFlags,
        mode: Mode,
        resolve: ResolveFlags,
    ) -> Result<SimFile, Errno> {
        let at = at.into();
        let result = self.open_at_within(at, flags, mode, resolve);
        self.unsimulated(&Call::OpenWithin(at, flags, mode, resolve), at, &result);
        tell(&result, None, || {
            (
                Call::OpenWithin(at, flags, mode, resolve),
                Answer::with(&result, |file| Answer::Opened(self.status(file.inode).ok())),
            )
        });
        result
    }

    fn read(&mut self, file: &mut SimFile, buffer: &mut [u8]) -> Result<usize, Errno> {
        let result = self.read_file(file, buffer);
        tell(&result, Some(&*file), || {
            (
                Call::Read,
                Answer::with(&result, |count| {
                    Answer::Bytes(buffer.get(..*count).unwrap_or_default())
                }),
            )
        });
        result
    }

    /// Writes all of `bytes`, or as many as a [short write](SimFs::with_short_writes) does. A hole
    /// between the file's end and the offset reads as zeros.
    fn write(&mut self, file: &mut SimFile, bytes: &[u8]) -> Result<usize, Errno> {
        let result = self.write_file(file, bytes);
        tell(&result, Some(&*file), || {
            (Call::Write(bytes), Answer::with(&result, |count| Answer::Count(*count)))
        });
        result
    }

    fn pread(
        &mut self,
        file: &mut SimFile,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<usize, Errno> {
        let result = self.pread_file(file, buffer, offset);
        tell(&result, Some(&*file), || {
            (
                Call::Pread(offset),
                Answer::with(&result, |count| {
                    Answer::Bytes(buffer.get(..*count).unwrap_or_default())
                }),
            )
        });
        result
    }

    /// Writes as many bytes as [`write`](#method.write) does.
    fn pwrite(&mut self, file: &mut SimFile, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
        let result = self.pwrite_file(file, bytes, offset);
        tell(&result, Some(&*file), || {
            (Call::Pwrite(bytes, offset), Answer::with(&result, |count| Answer::Count(*count)))
        });
        result
    }

    fn lseek(&mut self, file: &mut SimFile, to: SeekFrom) -> Result<u64, Errno> {
        let result = self.seek_file(file, to);
        tell(&result, Some(&*file), || {
            (Call::Lseek(to), Answer::with(&result, |offset| Answer::Offset(*offset)))
        });
        result
    }

    fn ftruncate(&mut self, file: &mut SimFile, length: u64) -> Result<(), Errno> {
        let result = self.truncate_file(file, length);
        tell(&result, Some(&*file), || (Call::Ftruncate(length), Answer::done(&result)));
        result
    }

    fn fdatasync(&mut self, file: &mut SimFile) -> Result<(), Errno> {
        let result = self.fsync_file(file, true);
        tell(&result, Some(&*file), || (Call::Fdatasync, Answer::done(&result)));
        result
    }

    fn fsync(&mut self, file: &mut SimFile) -> Result<(), Errno> {
        let result = self.fsync_file(file, false);
        tell(&result, Some(&*file), || (Call::Fsync, Answer::done(&result)));
        result
    }

    fn stat<'p>(
        &mut self,
        at: impl Into<At<'p, SimFile>>,
        flags: AtFlags,
    ) -> Result<Status, Errno> {
        let at = at.into();
        let result = self.stat_at(at, flags);
        tell(&result, None, || (Call::Stat(at, flags), Answer::with(&result, Answer::Status)));
        result
    }

    fn fstat(&mut self, file: &mut SimFile) -> Result<Status, Errno> {
        let result = self.status(file.inode);
        tell(&result, Some(&*file), || (Call::Fstat, Answer::with(&result, Answer::Status)));
        result
    }

    fn access<'p>(
        &mut self,
        at: impl Into<At<'p, SimFile>>,
        access: Access,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let at = at.into();
        let result = self.access_at(at, access, flags);
        tell(&result, None, || (Call::Access(at, access, flags), Answer::done(&result)));
        result
    }

    fn chmod<'p>(&mut self, at: impl Into<At<'p, SimFile>>, mode: Mode) -> Result<(), Errno> {
        let at = at.into();
        let result = self.chmod_at(at, mode, AtFlags::empty());
        tell(&result, None, || (Call::Chmod(at, mode, AtFlags::empty()), Answer::done(&result)));
        result
    }

    fn chmod_with<'p>(
        &mut self,
        at: impl Into<At<'p, SimFile>>,
        mode: Mode,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let at = at.into();
        let result = self.chmod_at(at, mode, flags);
        tell(&result, None, || (Call::Chmod(at, mode, flags), Answer::done(&result)));
        result
    }

    fn fchmod(&mut self, file: &mut SimFile, mode: Mode) -> Result<(), Errno> {
        let result = self.chmod_file(file, mode);
        tell(&result, Some(&*file), || (Call::Fchmod(mode), Answer::done(&result)));
        result
    }

    fn chown<'p>(
        &mut self,
        at: impl Into<At<'p, SimFile>>,
        owner: Option<Uid>,
        group: Option<Gid>,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let at = at.into();
        let result = self.chown_at(at, (owner, group), flags);
        tell(&result, None, || (Call::Chown(at, (owner, group), flags), Answer::done(&result)));
        result
    }

    fn fchown(
        &mut self,
        file: &mut SimFile,
        owner: Option<Uid>,
        group: Option<Gid>,
    ) -> Result<(), Errno> {
        let result = self.chown_file(file, (owner, group));
        tell(&result, Some(&*file), || (Call::Fchown((owner, group)), Answer::done(&result)));
        result
    }

    fn utimensat<'p>(
        &mut self,
        at: impl Into<At<'p, SimFile>>,
        times: &Timestamps,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let at = at.into();
        let result = self.utimens_at(at, times, flags);
        tell(&result, None, || (Call::Utimensat(at, times, flags), Answer::done(&result)));
        result
    }

    fn futimens(&mut self, file: &mut SimFile, times: &Timestamps) -> Result<(), Errno> {
        let result = self.utimens_file(file, times);
        tell(&result, Some(&*file), || (Call::Futimens(times), Answer::done(&result)));
        result
    }

    fn unlink<'p>(&mut self, at: impl Into<At<'p, SimFile>>) -> Result<(), Errno> {
        let at = at.into();
        let result = self.unlink_at(at);
        tell(&result, None, || (Call::Unlink(at), Answer::done(&result)));
        result
    }

    fn rename<'p>(
        &mut self,
        from: impl Into<At<'p, SimFile>>,
        to: impl Into<At<'p, SimFile>>,
    ) -> Result<(), Errno> {
        let (from, to) = (from.into(), to.into());
        let result = self.rename_at(from, to, RenameFlags::empty());
        tell(&result, None, || {
            (Call::Rename(from, to, RenameFlags::empty()), Answer::done(&result))
        });
        result
    }

    fn rename_with<'p>(
        &mut self,
        from: impl Into<At<'p, SimFile>>,
        to: impl Into<At<'p, SimFile>>,
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        let (from, to) = (from.into(), to.into());
        let result = self.rename_at(from, to, flags);
        tell(&result, None, || (Call::Rename(from, to, flags), Answer::done(&result)));
        result
    }

    fn link<'p>(
        &mut self,
        from: impl Into<At<'p, SimFile>>,
        to: impl Into<At<'p, SimFile>>,
    ) -> Result<(), Errno> {
        let (from, to) = (from.into(), to.into());
        let result = self.link_at(from, to, AtFlags::empty());
        tell(&result, None, || (Call::Link(from, to, AtFlags::empty()), Answer::done(&result)));
        result
    }

    fn link_with<'p>(
        &mut self,
        from: impl Into<At<'p, SimFile>>,
        to: impl Into<At<'p, SimFile>>,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let (from, to) = (from.into(), to.into());
        let result = self.link_at(from, to, flags);
        tell(&result, None, || (Call::Link(from, to, flags), Answer::done(&result)));
        result
    }

    fn link_file<'p>(
        &mut self,
        file: &mut SimFile,
        to: impl Into<At<'p, SimFile>>,
    ) -> Result<(), Errno> {
        let to = to.into();
        let result = self.link_open(file, to);
        tell(&result, Some(&*file), || (Call::LinkFile(to), Answer::done(&result)));
        result
    }

    fn symlink<'p>(&mut self, target: &Path, at: impl Into<At<'p, SimFile>>) -> Result<(), Errno> {
        let at = at.into();
        let result = self.symlink_at(target.as_os_str().as_bytes(), at);
        tell(&result, None, || (Call::Symlink(target, at), Answer::done(&result)));
        result
    }

    fn readlink<'p>(&mut self, at: impl Into<At<'p, SimFile>>) -> Result<PathBuf, Errno> {
        let at = at.into();
        let result = self.readlink_at(at);
        tell(&result, None, || {
            (Call::Readlink(at), Answer::with(&result, |target| Answer::Target(target)))
        });
        result
    }

    fn mkdir<'p>(&mut self, at: impl Into<At<'p, SimFile>>, mode: Mode) -> Result<(), Errno> {
        let at = at.into();
        let result = self.mkdir_at(at, mode);
        tell(&result, None, || (Call::Mkdir(at), Answer::done(&result)));
        result
    }

    fn mknod<'p>(
        &mut self,
        at: impl Into<At<'p, SimFile>>,
        kind: FileType,
        mode: Mode,
        device: Dev,
    ) -> Result<(), Errno> {
        let at = at.into();
        let result = self.mknod_at(at, kind, mode, device);
        tell(&result, None, || (Call::Mknod(at, kind), Answer::done(&result)));
        result
    }

    fn rmdir<'p>(&mut self, at: impl Into<At<'p, SimFile>>) -> Result<(), Errno> {
        let at = at.into();
        let result = self.rmdir_at(at);
        tell(&result, None, || (Call::Rmdir(at), Answer::done(&result)));
        result
    }

    /// Answers the names that have been there since the first call (or since the opening, see
    /// [`with_listings_from_open`](SimFs::with_listings_from_open)).
    /// [`getdents_answers`](SimFs::getdents_answers) lists the other possible answers.
    fn getdents(&mut self, file: &mut SimFile) -> Result<Vec<Dirent>, Errno> {
        let result = self.list(file);
        tell(&result, Some(&*file), || {
            (Call::Getdents, Answer::with(&result, |names| Answer::Names(names)))
        });
        result
    }

    /// `flock_lock_inode`. Where the kernel would wait, this answers `EWOULDBLOCK`, for blocking
    /// and non-blocking operations alike.
    ///
    /// A conversion is a lock taken by an open file that holds the other kind. It releases the old
    /// lock before it asks for the new one. So a conversion that is answered `EWOULDBLOCK` has
    /// changed the world: the old lock is lost. A second attempt is then no longer a conversion.
    fn flock(&mut self, file: &mut SimFile, operation: FlockOperation) -> Result<(), Errno> {
        let result = self.lock(file, operation);
        tell(&result, Some(&*file), || {
            (Call::Flock(operation, self.status(file.inode).ok()), Answer::locked(&result))
        });
        result
    }

    /// Where the kernel would wait, this answers `EWOULDBLOCK`, for blocking and non-blocking
    /// operations alike.
    fn fcntl_ofd_setlk(
        &mut self,
        file: &mut SimFile,
        operation: FlockOperation,
        bytes: ByteRange,
    ) -> Result<(), Errno> {
        let result = self.lock_record(file, operation, bytes);
        tell(&result, Some(&*file), || {
            (Call::Ofd(operation, bytes, self.status(file.inode).ok()), Answer::locked(&result))
        });
        result
    }

    fn which(&mut self, file: &mut SimFile) -> Option<Status> {
        self.status(file.inode).ok()
    }

    fn close(&mut self, mut file: SimFile) {
        let records = self.let_go_of_records(&mut file);
        let closed = self.let_go(&mut file).and(records);
        tell(&closed, Some(&file), || (Call::Close, Answer::done(&closed)));
    }
}

impl SimFs {
    /// Tells where a pipe or a device was to be opened. A socket answers `ENXIO` on the kernel, too.
    fn unsimulated(
        &self,
        call: &Call<'_, SimFile>,
        at: At<'_, SimFile>,
        opened: &Result<SimFile, Errno>,
    ) {
        if !matches!(opened, Err(Errno::NXIO)) {
            return;
        }
        let kind = self.find(at, true).and_then(|found| self.inode(found)).map(Inode::kind);
        if kind != Ok(Kind::Socket) {
            mistaken("ENXIO", format_args!("{call}: pipes and devices open with O_PATH only"));
        }
    }

    /// [`getdents`](FileSystem::getdents) with the answer of this index among
    /// [`getdents_answers`](SimFs::getdents_answers). It is one branch of a step that tries all
    /// answers.
    ///
    /// # Errors
    ///
    /// Those of `getdents`; `EINVAL` where no answer has this index.
    pub fn getdents_as(&mut self, file: &mut SimFile, answer: usize) -> Result<Vec<Dirent>, Errno> {
        let result = self.list_as(file, answer);
        tell(&result, Some(&*file), || {
            (Call::Getdents, Answer::with(&result, |names| Answer::Names(names)))
        });
        result
    }
}

#[cfg(test)]
mod tests;
