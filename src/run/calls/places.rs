//! Third floor, `run`: where the paths and the descriptors of a call lead, and where a process works. Imports
//! [`fs`](crate::fs), [`direct`] and its neighbours in `run`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use super::Answer::{self, Is, Kernel};
use super::{Call, Place, mode};
use crate::direct::{self, DirectFile, DirectFs};
use crate::fs::{At, AtFlags, Errno, FileSystem, Mode, OFlags};
use crate::run::tree::{Open, WorksIn, umask_of};
use crate::run::{WORLD, identity, memory, steps};

impl Call<'_, '_, '_> {
    pub(super) fn text(&self, address: u64) -> Result<PathBuf, Errno> {
        let text = memory::text(self.pid, address);
        let errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::FAULT);
        text.map(|text| PathBuf::from(OsStr::from_bytes(&text))).map_err(errno)
    }

    /// Which file of the world a descriptor stands for.
    pub(super) fn file(&self, descriptor: u64) -> Option<u64> {
        let number = self.tree.file_of(self.pid, descriptor as i32)?;
        if !self.tree.files.contains_key(&number) {
            self.refuse("a file of the world that nobody had open for a while: it was passed through a socket");
        }
        Some(number)
    }

    /// The open file of the world that a descriptor stands for.
    pub(super) fn open_of(&mut self, descriptor: u64) -> Option<&mut Open> {
        let number = self.file(descriptor)?;
        self.tree.files.get_mut(&number)
    }

    /// A path from the world's own directory, of one from an open directory.
    pub(super) fn whole(&self, directory: Option<u64>, path: &Path) -> PathBuf {
        let open = directory.and_then(|number| self.tree.files.get(&number));
        plain(&open.map_or(Path::new(""), |open| open.path.as_path()).join(path))
    }

    /// Where a path leads.
    pub(super) fn place(&self, directory: u64, path: u64) -> Result<Place, Errno> {
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
    pub(super) fn elsewhere(&self, path: PathBuf) -> Result<Place, Errno> {
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
    pub(super) fn inside(&self, directory: Option<u64>, path: PathBuf) -> Place {
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
    pub(super) fn path_of(&self, number: u64) -> PathBuf {
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
    pub(super) fn made(&self, bits: u64) -> Mode {
        let umask = umask_of(self.pid);
        // The world takes these away from everybody.
        let always = steps::umask();
        if umask & always != always {
            self.refuse(&format!(
                "a umask of {umask:03o}, where that of the world is {always:03o}"
            ));
        }
        mode(bits) - Mode::from_bits_truncate(umask)
    }

    /// A call that changes what is outside of the world: it is noted, if that is allowed.
    pub(super) fn outside(&self, path: &Path) -> Answer {
        if !self.tree.program.notes_outside(path) {
            self.refuse(&format!("{} is outside of the world", path.display()));
        }
        Kernel
    }

    /// A call on a place in the world.
    pub(super) fn at(
        &mut self,
        directory: u64,
        path: u64,
        call: impl FnOnce(&mut DirectFs, At<'_, DirectFile>) -> Result<(), Errno>,
    ) -> Answer {
        self.got(directory, path, |fs, at| call(fs, at).map(|()| 0))
    }

    pub(super) fn got(
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
    pub(super) fn changes_what_is_there(&self) -> bool {
        let looks = ["stat", "access", "readlink"];
        !looks.iter().any(|name| self.name.contains(name))
    }

    /// A call on an open file of the world.
    pub(super) fn on(
        &mut self,
        descriptor: u64,
        call: impl FnOnce(&mut DirectFs, &mut DirectFile) -> Result<(), Errno>,
    ) -> Answer {
        match self.open_file(descriptor) {
            Some((fs, file)) => Is(call(fs, file).map(|()| 0)),
            None => Kernel,
        }
    }

    pub(super) fn open_file(
        &mut self,
        descriptor: u64,
    ) -> Option<(&mut DirectFs, &mut DirectFile)> {
        let number = self.file(descriptor)?;
        self.may_be_killed();
        Some((self.fs, &mut self.tree.files.get_mut(&number)?.file))
    }

    /// A call between two files that programs can do without.
    pub(super) fn on_either(&self, one: u64, other: u64, errno: Errno) -> Answer {
        match self.file(one).or_else(|| self.file(other)) {
            Some(_) => Is(Err(errno)),
            None => Kernel,
        }
    }

    /// Two places in the world, or none.
    pub(super) fn two(
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

    /// Whether the process has this descriptor.
    pub(super) fn has(&self, descriptor: u64) -> bool {
        std::fs::symlink_metadata(format!("/proc/{}/fd/{}", self.pid, descriptor as i32)).is_ok()
    }

    /// The descriptor of its own that a path stands for, as `/dev/fd/3` does.
    pub(super) fn descriptor_of(&self, path: &Path) -> Option<u64> {
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

    pub(super) fn getcwd(&mut self) -> Answer {
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

    pub(super) fn chdir(&mut self, path: u64) -> Answer {
        match self.place(libc::AT_FDCWD as u64, path) {
            Ok(Place::World(directory, path)) => {
                let whole = self.whole(directory, &path);
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

    pub(super) fn fchdir(&mut self, descriptor: u64) -> Answer {
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
    pub(super) fn goes(&mut self, to: WorksIn) -> Answer {
        if let Some(process) = self.tree.process(self.pid) {
            process.works_in = to;
        }
        self.tree.close_what_nobody_has(Some(self.pid));
        Is(Ok(0))
    }
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
