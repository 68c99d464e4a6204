//! First floor, `fs`: how the calls of a file system are told by a [`Recorded`] one. Imports
//! [`recorded`](crate::recorded), the [`FileSystem`] trait and its vocabulary.

use std::fmt;
use std::path::{Path, PathBuf};

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use super::LinuxOpenFlags as _;
use super::tree::Quoted;
use super::{
    Access, At, AtFlags, Errno, FileSystem, FlockOperation, Kind, Mode, OFlags, RenameFlags,
    ResolveFlags, Status, User, Users, errno_name,
};
use crate::recorded::Recorded;

impl<F> Recorded<F> {
    fn tell_answer(&mut self, call: fmt::Arguments<'_>, answer: impl fmt::Display) {
        self.record(format!("{call} = {answer}"));
    }

    fn tell_status(&mut self, call: fmt::Arguments<'_>, result: &Result<Status, Errno>) {
        match result {
            Ok(status) => {
                let kind = match status.kind {
                    Kind::File => "file",
                    Kind::Directory => "directory",
                    Kind::Symlink => "link",
                    Kind::Other => "something else",
                };
                let mode = status.mode.as_raw_mode();
                self.tell_answer(call, format_args!("{kind} {mode:04o}"));
            }
            Err(errno) => self.tell_answer(call, errno_name(*errno)),
        }
    }

    fn tell<T>(&mut self, call: fmt::Arguments<'_>, result: Result<T, Errno>) -> Result<T, Errno> {
        match &result {
            Ok(_) => self.tell_answer(call, "ok"),
            Err(errno) => self.tell_answer(call, errno_name(*errno)),
        }
        result
    }
}

impl<F: Users> Users for Recorded<F> {
    fn act_as(&mut self, user: User) -> Result<User, Errno> {
        self.inner_mut().act_as(user)
    }
}

impl<F: FileSystem> FileSystem for Recorded<F> {
    type File = F::File;

    fn open<'p>(
        &mut self,
        at: impl Into<At<'p, F::File>>,
        flags: OFlags,
        mode: Mode,
    ) -> Result<F::File, Errno> {
        let at = at.into();
        let result = self.inner_mut().open(at, flags, mode);
        self.tell(format_args!("open({}{})", Told(at), Flags(flags)), result)
    }

    fn open_within<'p>(
        &mut self,
        at: impl Into<At<'p, F::File>>,
        flags: OFlags,
        mode: Mode,
        resolve: ResolveFlags,
    ) -> Result<F::File, Errno> {
        let at = at.into();
        let result = self.inner_mut().open_within(at, flags, mode, resolve);
        let call = format_args!("open({}{}{})", Told(at), Flags(flags), Limits(resolve));
        self.tell(call, result)
    }

    fn read(&mut self, file: &mut F::File, buffer: &mut [u8]) -> Result<usize, Errno> {
        let result = self.inner_mut().read(file, buffer);
        match result {
            Ok(count) => self.tell_answer(format_args!("read"), Quoted(&buffer[..count])),
            Err(errno) => self.tell_answer(format_args!("read"), errno_name(errno)),
        }
        result
    }

    fn write(&mut self, file: &mut F::File, bytes: &[u8]) -> Result<usize, Errno> {
        let result = self.inner_mut().write(file, bytes);
        let call = format_args!("write({})", Quoted(bytes));
        match result {
            Ok(count) => self.tell_answer(call, count),
            Err(errno) => self.tell_answer(call, errno_name(errno)),
        }
        result
    }

    fn fsync(&mut self, file: &mut F::File) -> Result<(), Errno> {
        let result = self.inner_mut().fsync(file);
        self.tell(format_args!("fsync"), result)
    }

    fn stat<'p>(
        &mut self,
        at: impl Into<At<'p, F::File>>,
        flags: AtFlags,
    ) -> Result<Status, Errno> {
        let at = at.into();
        let result = self.inner_mut().stat(at, flags);
        let name = if flags == AtFlags::SYMLINK_NOFOLLOW { "lstat" } else { "stat" };
        self.tell_status(format_args!("{name}({})", Told(at)), &result);
        result
    }

    fn fstat(&mut self, file: &mut F::File) -> Result<Status, Errno> {
        let result = self.inner_mut().fstat(file);
        self.tell_status(format_args!("fstat"), &result);
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
        self.tell(format_args!("access({}{})", Told(at), Wanted(access)), result)
    }

    fn chmod<'p>(&mut self, at: impl Into<At<'p, F::File>>, mode: Mode) -> Result<(), Errno> {
        let at = at.into();
        let result = self.inner_mut().chmod(at, mode);
        self.tell(format_args!("chmod({}, {:04o})", Told(at), mode.as_raw_mode()), result)
    }

    fn fchmod(&mut self, file: &mut F::File, mode: Mode) -> Result<(), Errno> {
        let result = self.inner_mut().fchmod(file, mode);
        self.tell(format_args!("fchmod({:04o})", mode.as_raw_mode()), result)
    }

    fn unlink<'p>(&mut self, at: impl Into<At<'p, F::File>>) -> Result<(), Errno> {
        let at = at.into();
        let result = self.inner_mut().unlink(at);
        self.tell(format_args!("unlink({})", Told(at)), result)
    }

    fn rename<'p>(
        &mut self,
        from: impl Into<At<'p, F::File>>,
        to: impl Into<At<'p, F::File>>,
    ) -> Result<(), Errno> {
        let (from, to) = (from.into(), to.into());
        let result = self.inner_mut().rename(from, to);
        self.tell(format_args!("rename({} → {})", Told(from), Told(to)), result)
    }

    fn rename_with<'p>(
        &mut self,
        from: impl Into<At<'p, F::File>>,
        to: impl Into<At<'p, F::File>>,
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        let (from, to) = (from.into(), to.into());
        let result = self.inner_mut().rename_with(from, to, flags);
        let (arrow, how) = match flags {
            RenameFlags::NOREPLACE => ("→", ", no replace"),
            RenameFlags::EXCHANGE => ("↔", ""),
            none if none.is_empty() => ("→", ""),
            _ => ("→", ", other flags"),
        };
        self.tell(format_args!("rename({} {arrow} {}{how})", Told(from), Told(to)), result)
    }

    fn link<'p>(
        &mut self,
        from: impl Into<At<'p, F::File>>,
        to: impl Into<At<'p, F::File>>,
    ) -> Result<(), Errno> {
        let (from, to) = (from.into(), to.into());
        let result = self.inner_mut().link(from, to);
        self.tell(format_args!("link({} → {})", Told(from), Told(to)), result)
    }

    fn link_file<'p>(
        &mut self,
        file: &mut F::File,
        to: impl Into<At<'p, F::File>>,
    ) -> Result<(), Errno> {
        let to = to.into();
        let result = self.inner_mut().link_file(file, to);
        self.tell(format_args!("link(the open file → {})", Told(to)), result)
    }

    fn symlink<'p>(&mut self, target: &Path, at: impl Into<At<'p, F::File>>) -> Result<(), Errno> {
        let at = at.into();
        let result = self.inner_mut().symlink(target, at);
        self.tell(format_args!("symlink({} → {})", Told(at), target.display()), result)
    }

    fn readlink<'p>(&mut self, at: impl Into<At<'p, F::File>>) -> Result<PathBuf, Errno> {
        let at = at.into();
        let result = self.inner_mut().readlink(at);
        let call = format_args!("readlink({})", Told(at));
        match &result {
            Ok(target) => self.tell_answer(call, target.display()),
            Err(errno) => self.tell_answer(call, errno_name(*errno)),
        }
        result
    }

    fn mkdir<'p>(&mut self, at: impl Into<At<'p, F::File>>, mode: Mode) -> Result<(), Errno> {
        let at = at.into();
        let result = self.inner_mut().mkdir(at, mode);
        self.tell(format_args!("mkdir({})", Told(at)), result)
    }

    fn rmdir<'p>(&mut self, at: impl Into<At<'p, F::File>>) -> Result<(), Errno> {
        let at = at.into();
        let result = self.inner_mut().rmdir(at);
        self.tell(format_args!("rmdir({})", Told(at)), result)
    }

    fn flock(&mut self, file: &mut F::File, operation: FlockOperation) -> Result<(), Errno> {
        let result = self.inner_mut().flock(file, operation);
        let what = match operation {
            FlockOperation::LockShared => "shared",
            FlockOperation::LockExclusive => "exclusive",
            FlockOperation::NonBlockingLockShared => "shared, no wait",
            FlockOperation::NonBlockingLockExclusive => "exclusive, no wait",
            FlockOperation::Unlock | FlockOperation::NonBlockingUnlock => "unlock",
        };
        let call = format_args!("flock({what})");
        match result {
            Err(Errno::WOULDBLOCK) => self.tell_answer(call, "would wait"),
            Ok(()) => self.tell_answer(call, "ok"),
            Err(errno) => self.tell_answer(call, errno_name(errno)),
        }
        result
    }

    fn observed<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> T {
        self.unrecorded(look)
    }

    fn close(&mut self, file: F::File) {
        self.inner_mut().close(file);
        self.tell_answer(format_args!("close"), "ok");
    }
}

/// Where a call looks: the path, with `./` before it where it starts at an open directory.
struct Told<'p, D>(At<'p, D>);

impl<D> fmt::Display for Told<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = if self.0.directory.is_some() { "./" } else { "" };
        write!(f, "{from}{}", self.0.path.display())
    }
}

/// What an `access` asks beyond existence: `, read write`.
struct Wanted(Access);

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named =
            [(Access::READ_OK, "read"), (Access::WRITE_OK, "write"), (Access::EXEC_OK, "execute")];
        listed(f, named.into_iter().filter(|(bit, _)| self.0.contains(*bit)).map(|(_, name)| name))
    }
}

/// The limits of an `openat2`: `, beneath`.
struct Limits(ResolveFlags);

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            (ResolveFlags::BENEATH, "beneath"),
            (ResolveFlags::IN_ROOT, "in root"),
            (ResolveFlags::NO_SYMLINKS, "no links"),
        ];
        for (flag, name) in named {
            if self.0.contains(flag) {
                write!(f, ", {name}")?;
            }
        }
        Ok(())
    }
}

/// `, one two`, or nothing.
fn listed(f: &mut fmt::Formatter<'_>, names: impl Iterator<Item = &'static str>) -> fmt::Result {
    let mut separator = ", ";
    for name in names {
        write!(f, "{separator}{name}")?;
        separator = " ";
    }
    Ok(())
}

/// The flags of an `open` that decide what it does to the file system: `, create exclusive`.
struct Flags(OFlags);

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            (OFlags::CREATE, "create"),
            (OFlags::EXCL, "exclusive"),
            (OFlags::TRUNC, "truncate"),
            (OFlags::APPEND, "append"),
            (OFlags::NOFOLLOW, "no follow"),
            (OFlags::TMPFILE, "unnamed"),
            (OFlags::DIRECTORY, "directory"),
        ];
        // O_TMPFILE has O_DIRECTORY in it.
        let shown = named.into_iter().filter(|(flag, _)| {
            self.0.contains(*flag)
                && (*flag != OFlags::DIRECTORY || !self.0.contains(OFlags::TMPFILE))
        });
        listed(f, shown.map(|(_, name)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::super::SimFs;
    use super::*;

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
