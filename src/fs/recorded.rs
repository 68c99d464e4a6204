//! First floor, `fs`: a [`Recorded`] file system records each call. Imports
//! [`recorded`](crate::recorded), the [`FileSystem`] trait and how its calls are told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::told::{Answer, Call, Line};
use super::{
    Access, At, AtFlags, ByteRange, Dev, Dirent, Errno, FileSystem, FileType, FlockOperation, Gid,
    Mode, OFlags, RenameFlags, ResolveFlags, SeekFrom, Status, Timestamps, Uid, User, Users,
};
use crate::calls::untold;
use crate::recorded::Recorded;

impl<F: FileSystem> Recorded<F> {
    fn tell(&mut self, call: &Call<'_, F::File>, answer: &Answer<'_>) {
        self.record(Line(call, answer).to_string());
    }

    fn opened(&mut self, result: &mut Result<F::File, Errno>) -> Answer<'static> {
        match result {
            Ok(file) => Answer::Opened(self.which(file)),
            Err(errno) => Answer::Failed(*errno),
        }
    }
}

impl<F: Users> Users for Recorded<F> {
    fn act_as(&mut self, user: User) -> Result<User, Errno> {
        self.inner_mut().act_as(user)
    }
}

impl<F: FileSystem> FileSystem for Recorded<F> {
    type File = F::File;

    fn listings(&mut self, file: &mut F::File) -> usize {
        self.inner_mut().listings(file)
    }

    fn getdents_as(&mut self, file: &mut F::File, answer: usize) -> Result<Vec<Dirent>, Errno> {
        let result = self.inner_mut().getdents_as(file, answer);
        self.tell(&Call::Getdents, &Answer::with(&result, |names| Answer::Names(names)));
        result
    }

    fn version(&mut self) -> Option<u64> {
        self.inner_mut().version()
    }

    fn let_time_pass(&mut self, why: &str) {
        self.record(why.to_owned());
    }

    fn now(&mut self) -> Option<Duration> {
        self.inner_mut().now()
    }

    fn sleep_until(&mut self, time: Duration) {
        self.inner_mut().sleep_until(time);
    }

    fn open<'p>(
        &mut self,
        at: impl Into<At<'p, F::File>>,
        flags: OFlags,
        mode: Mode,
    ) -> Result<F::File, Errno> {
        let at = at.into();
        let mut result = self.inner_mut().open(at, flags, mode);
        let answer = self.opened(&mut result);
        self.tell(&Call::Open(at, flags), &answer);
        result
    }

    fn open_within<'p>(
        &mut self,
        at: impl Into<At<'p, F::File>>,
        flags: OFlags,
        mode: Mode,
        resolve: ResolveFlags,
    ) -> Result<F::File, Errno> {
        let at = at.into();
        let mut result = self.inner_mut().open_within(at, flags, mode, resolve);
        let answer = self.opened(&mut result);
        self.tell(&Call::OpenWithin(at, flags, mode, resolve), &answer);
        result
    }

    fn read(&mut self, file: &mut F::File, buffer: &mut [u8]) -> Result<usize, Errno> {
        let result = self.inner_mut().read(file, buffer);
        self.tell(
            &Call::Read,
            &Answer::with(&result, |count| Answer::Bytes(buffer.get(..*count).unwrap_or_default())),
        );
        result
    }

    fn write(&mut self, file: &mut F::File, bytes: &[u8]) -> Result<usize, Errno> {
        let result = self.inner_mut().write(file, bytes);
        self.tell(&Call::Write(bytes), &Answer::with(&result, |count| Answer::Count(*count)));
        result
    }

    fn pread(
        &mut self,
        file: &mut F::File,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<usize, Errno> {
        let result = self.inner_mut().pread(file, buffer, offset);
        self.tell(
            &Call::Pread(offset),
            &Answer::with(&result, |count| Answer::Bytes(buffer.get(..*count).unwrap_or_default())),
        );
        result
    }

    fn pwrite(&mut self, file: &mut F::File, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
        let result = self.inner_mut().pwrite(file, bytes, offset);
        self.tell(
            &Call::Pwrite(bytes, offset),
            &Answer::with(&result, |count| Answer::Count(*count)),
        );
        result
    }

    fn lseek(&mut self, file: &mut F::File, to: SeekFrom) -> Result<u64, Errno> {
        let result = self.inner_mut().lseek(file, to);
        self.tell(&Call::Lseek(to), &Answer::with(&result, |offset| Answer::Offset(*offset)));
        result
    }

    fn ftruncate(&mut self, file: &mut F::File, length: u64) -> Result<(), Errno> {
        let result = self.inner_mut().ftruncate(file, length);
        self.tell(&Call::Ftruncate(length), &Answer::done(&result));
        result
    }

    fn fdatasync(&mut self, file: &mut F::File) -> Result<(), Errno> {
        let result = self.inner_mut().fdatasync(file);
        self.tell(&Call::Fdatasync, &Answer::done(&result));
        result
    }

    fn fsync(&mut self, file: &mut F::File) -> Result<(), Errno> {
        let result = self.inner_mut().fsync(file);
        self.tell(&Call::Fsync, &Answer::done(&result));
        result
    }

    fn stat<'p>(
        &mut self,
        at: impl Into<At<'p, F::File>>,
        flags: AtFlags,
    ) -> Result<Status, Errno> {
        let at = at.into();
        let result = self.inner_mut().stat(at, flags);
        self.tell(&Call::Stat(at, flags), &Answer::with(&result, Answer::Status));
        result
    }

    fn fstat(&mut self, file: &mut F::File) -> Result<Status, Errno> {
        let result = self.inner_mut().fstat(file);
        self.tell(&Call::Fstat, &Answer::with(&result, Answer::Status));
        result
    }

    fn access<'p>(
        &mut self,
        at: impl Into<At<'p, F::File>>,
        access: Access,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let at = at.into();
        let result = self.inner_mut().access(at, access, flags);
        self.tell(&Call::Access(at, access, flags), &Answer::done(&result));
        result
    }

    fn chmod<'p>(&mut self, at: impl Into<At<'p, F::File>>, mode: Mode) -> Result<(), Errno> {
        let at = at.into();
        let result = self.inner_mut().chmod(at, mode);
        self.tell(&Call::Chmod(at, mode, AtFlags::empty()), &Answer::done(&result));
        result
    }

    fn chmod_with<'p>(
        &mut self,
        at: impl Into<At<'p, F::File>>,
        mode: Mode,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let at = at.into();
        let result = self.inner_mut().chmod_with(at, mode, flags);
        self.tell(&Call::Chmod(at, mode, flags), &Answer::done(&result));
        result
    }

    fn fchmod(&mut self, file: &mut F::File, mode: Mode) -> Result<(), Errno> {
        let result = self.inner_mut().fchmod(file, mode);
        self.tell(&Call::Fchmod(mode), &Answer::done(&result));
        result
    }

    fn chown<'p>(
        &mut self,
        at: impl Into<At<'p, F::File>>,
        owner: Option<Uid>,
        group: Option<Gid>,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let at = at.into();
        let result = self.inner_mut().chown(at, owner, group, flags);
        self.tell(&Call::Chown(at, (owner, group), flags), &Answer::done(&result));
        result
    }

    fn fchown(
        &mut self,
        file: &mut F::File,
        owner: Option<Uid>,
        group: Option<Gid>,
    ) -> Result<(), Errno> {
        let result = self.inner_mut().fchown(file, owner, group);
        self.tell(&Call::Fchown((owner, group)), &Answer::done(&result));
        result
    }

    fn utimensat<'p>(
        &mut self,
        at: impl Into<At<'p, F::File>>,
        times: &Timestamps,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let at = at.into();
        let result = self.inner_mut().utimensat(at, times, flags);
        self.tell(&Call::Utimensat(at, times, flags), &Answer::done(&result));
        result
    }

    fn futimens(&mut self, file: &mut F::File, times: &Timestamps) -> Result<(), Errno> {
        let result = self.inner_mut().futimens(file, times);
        self.tell(&Call::Futimens(times), &Answer::done(&result));
        result
    }

    fn unlink<'p>(&mut self, at: impl Into<At<'p, F::File>>) -> Result<(), Errno> {
        let at = at.into();
        let result = self.inner_mut().unlink(at);
        self.tell(&Call::Unlink(at), &Answer::done(&result));
        result
    }

    fn rename<'p>(
        &mut self,
        from: impl Into<At<'p, F::File>>,
        to: impl Into<At<'p, F::File>>,
    ) -> Result<(), Errno> {
        let (from, to) = (from.into(), to.into());
        let result = self.inner_mut().rename(from, to);
        self.tell(&Call::Rename(from, to, RenameFlags::empty()), &Answer::done(&result));
        result
    }

    fn rename_with<'p>(
        &mut self,
        from: impl Into<At<'p, F::File>>,
        to: impl Into<At<'p, F::File>>,
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        let (from, to) = (from.into(), to.into());
        let result = self.inner_mut().rename_with(from, to, flags);
        self.tell(&Call::Rename(from, to, flags), &Answer::done(&result));
        result
    }

    fn link<'p>(
        &mut self,
        from: impl Into<At<'p, F::File>>,
        to: impl Into<At<'p, F::File>>,
    ) -> Result<(), Errno> {
        let (from, to) = (from.into(), to.into());
        let result = self.inner_mut().link(from, to);
        self.tell(&Call::Link(from, to, AtFlags::empty()), &Answer::done(&result));
        result
    }

    fn link_with<'p>(
        &mut self,
        from: impl Into<At<'p, F::File>>,
        to: impl Into<At<'p, F::File>>,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let (from, to) = (from.into(), to.into());
        let result = self.inner_mut().link_with(from, to, flags);
        self.tell(&Call::Link(from, to, flags), &Answer::done(&result));
        result
    }

    fn link_file<'p>(
        &mut self,
        file: &mut F::File,
        to: impl Into<At<'p, F::File>>,
    ) -> Result<(), Errno> {
        let to = to.into();
        let result = self.inner_mut().link_file(file, to);
        self.tell(&Call::LinkFile(to), &Answer::done(&result));
        result
    }

    fn symlink<'p>(&mut self, target: &Path, at: impl Into<At<'p, F::File>>) -> Result<(), Errno> {
        let at = at.into();
        let result = self.inner_mut().symlink(target, at);
        self.tell(&Call::Symlink(target, at), &Answer::done(&result));
        result
    }

    fn readlink<'p>(&mut self, at: impl Into<At<'p, F::File>>) -> Result<PathBuf, Errno> {
        let at = at.into();
        let result = self.inner_mut().readlink(at);
        self.tell(&Call::Readlink(at), &Answer::with(&result, |target| Answer::Target(target)));
        result
    }

    fn mkdir<'p>(&mut self, at: impl Into<At<'p, F::File>>, mode: Mode) -> Result<(), Errno> {
        let at = at.into();
        let result = self.inner_mut().mkdir(at, mode);
        self.tell(&Call::Mkdir(at), &Answer::done(&result));
        result
    }

    fn mknod<'p>(
        &mut self,
        at: impl Into<At<'p, F::File>>,
        kind: FileType,
        mode: Mode,
        device: Dev,
    ) -> Result<(), Errno> {
        let at = at.into();
        let result = self.inner_mut().mknod(at, kind, mode, device);
        self.tell(&Call::Mknod(at, kind), &Answer::done(&result));
        result
    }

    fn rmdir<'p>(&mut self, at: impl Into<At<'p, F::File>>) -> Result<(), Errno> {
        let at = at.into();
        let result = self.inner_mut().rmdir(at);
        self.tell(&Call::Rmdir(at), &Answer::done(&result));
        result
    }

    fn getdents(&mut self, file: &mut F::File) -> Result<Vec<Dirent>, Errno> {
        let result = self.inner_mut().getdents(file);
        self.tell(&Call::Getdents, &Answer::with(&result, |names| Answer::Names(names)));
        result
    }

    fn flock(&mut self, file: &mut F::File, operation: FlockOperation) -> Result<(), Errno> {
        let result = self.inner_mut().flock(file, operation);
        let which = self.which(file);
        self.tell(&Call::Flock(operation, which), &Answer::locked(&result));
        result
    }

    fn fcntl_ofd_setlk(
        &mut self,
        file: &mut F::File,
        operation: FlockOperation,
        bytes: ByteRange,
    ) -> Result<(), Errno> {
        let result = self.inner_mut().fcntl_ofd_setlk(file, operation, bytes);
        let which = self.which(file);
        self.tell(&Call::Ofd(operation, bytes, which), &Answer::locked(&result));
        result
    }

    fn which(&mut self, file: &mut F::File) -> Option<Status> {
        self.inner_mut().which(file)
    }

    fn observed<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        untold(|| self.unrecorded(look))
    }

    fn close(&mut self, file: F::File) {
        self.inner_mut().close(file);
        self.tell(&Call::Close, &Answer::Done);
    }
}

#[cfg(test)]
mod tests {
    use super::super::SimFs;
    use super::*;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    use crate::fs::LinuxOpenFlags as _;

    #[test]
    fn every_call_is_told_with_its_answer() -> Result<(), Errno> {
        let path = Path::new;
        let mode = Mode::from_raw_mode(0o600);
        let world = SimFs::new().with_file("content", mode, b"s3cret")?;
        let mut world = Recorded::new(world);
        let mut first = world.open(path("content"), OFlags::RDONLY, mode)?;
        let mut second = world.open(path("content"), OFlags::RDONLY, mode)?;
        world.read(&mut first, &mut [0; 16])?;
        world.flock(&mut first, FlockOperation::LockShared)?;
        assert!(world.flock(&mut second, FlockOperation::LockExclusive).is_err());
        world.rename(path("content"), path("content.download"))?;
        assert!(world.access(path("meta"), Access::EXISTS, AtFlags::empty()).is_err());
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
        let mut claim = world.open(path("claim"), flags, mode)?;
        world.write(&mut claim, b"mine")?;
        world.close(claim);
        world.open(path("."), OFlags::DIRECTORY, mode)?;
        assert_eq!(
            world.take(),
            [
                "open(content) = ok",
                "open(content) = ok",
                "read = \"s3cret\"",
                "flock(shared) = ok",
                "flock(exclusive) = would wait",
                "rename(content → content.download) = ok",
                "access(meta) = ENOENT",
                "open(claim, create exclusive) = ok",
                "write(\"mine\") = 4",
                "close = ok",
                "open(., directory) = ok",
            ]
        );
        assert!(world.take().is_empty());
        Ok(())
    }

    #[test]
    fn whatever_a_path_says_the_line_is_one_and_has_no_marks_of_its_own() {
        let mut world = Recorded::new(SimFs::new());
        let name = "a\n\u{1}0.1\u{2}\u{2}ok\u{2}file\u{2}\u{3}é";
        assert!(world.open(name, OFlags::CREATE, Mode::RUSR).is_ok());
        let told = "open(a\\n\\u{1}0.1\\u{2}\\u{2}ok\\u{2}file\\u{2}\\u{3}é, create) = ok";
        assert_eq!(world.take(), [told]);
    }

    #[test]
    fn calls_about_links_modes_and_open_directories_are_told_as_briefly() -> Result<(), Errno> {
        let mode = Mode::from_raw_mode(0o640);
        let world = SimFs::new().with_file("content", mode, b"")?;
        let mut world = Recorded::new(world.with_directory("drop", Mode::RWXU)?);
        let mut drop = world.open("drop", OFlags::DIRECTORY, Mode::empty())?;
        world.symlink(Path::new("../content"), (&drop, "alias"))?;
        world.readlink((&drop, "alias"))?;
        world.stat((&drop, "alias"), AtFlags::empty())?;
        world.stat((&drop, "alias"), AtFlags::SYMLINK_NOFOLLOW)?;
        world.fstat(&mut drop)?;
        world.access("content", Access::READ_OK | Access::WRITE_OK, AtFlags::empty())?;
        world.chmod("content", Mode::from_raw_mode(0o600))?;
        world.fchmod(&mut drop, Mode::from_raw_mode(0o1777))?;
        let beneath = ResolveFlags::BENEATH;
        let found = world.open_within((&drop, "alias"), OFlags::RDONLY, Mode::empty(), beneath);
        assert!(found.is_err());
        let mut unnamed = world.open("drop", OFlags::TMPFILE | OFlags::WRONLY, mode)?;
        world.link_file(&mut unnamed, (&drop, "fresh"))?;
        world.rename_with("content", (&drop, "fresh"), RenameFlags::EXCHANGE)?;
        let followed = world.open((&drop, "alias"), OFlags::NOFOLLOW, Mode::empty());
        assert!(followed.is_err());
        assert_eq!(
            world.take(),
            [
                "open(drop, directory) = ok",
                "symlink(./alias → ../content) = ok",
                "readlink(./alias) = ../content",
                "stat(./alias) = file 0640",
                "lstat(./alias) = link 0777",
                "fstat = directory 0700",
                "access(content, read write) = ok",
                "chmod(content, 0600) = ok",
                "fchmod(1777) = ok",
                "open(./alias, beneath) = EXDEV",
                "open(drop, unnamed) = ok",
                "link(the open file → ./fresh) = ok",
                "rename(content ↔ ./fresh) = ok",
                "open(./alias, no follow) = ELOOP",
            ]
        );
        Ok(())
    }
}
