//! Third floor, `std`: how files are opened and directories made. Imports its neighbours in `std`.

use std::io;
use std::path::Path;

use super::{File, call, metadata, relative, simulated};
use crate::fs::{Errno, FileSystem, Mode, OFlags};

/// How a file is opened: [`std::fs::OpenOptions`].
#[derive(Clone, Debug)]
pub struct OpenOptions {
    read: bool,
    write: bool,
    append: bool,
    truncate: bool,
    create: bool,
    create_new: bool,
    pub(in crate::std) mode: u32,
    pub(in crate::std) custom_flags: i32,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl OpenOptions {
    /// Options with nothing chosen yet.
    pub fn new() -> Self {
        OpenOptions {
            read: false,
            write: false,
            append: false,
            truncate: false,
            create: false,
            create_new: false,
            mode: 0o666,
            custom_flags: 0,
        }
    }

    /// Whether to open the file to read.
    pub fn read(&mut self, read: bool) -> &mut Self {
        self.read = read;
        self
    }

    /// Whether to open the file to write.
    pub fn write(&mut self, write: bool) -> &mut Self {
        self.write = write;
        self
    }

    /// Whether to write at the end of the file, wherever the end is at each write.
    pub fn append(&mut self, append: bool) -> &mut Self {
        self.append = append;
        self
    }

    /// Whether to empty the file when it is opened.
    pub fn truncate(&mut self, truncate: bool) -> &mut Self {
        self.truncate = truncate;
        self
    }

    /// Whether to make the file if it does not exist.
    pub fn create(&mut self, create: bool) -> &mut Self {
        self.create = create;
        self
    }

    /// Whether to make the file, and to fail if it exists.
    pub fn create_new(&mut self, create_new: bool) -> &mut Self {
        self.create_new = create_new;
        self
    }

    /// Opens a file with these options: `open`.
    ///
    /// # Errors
    ///
    /// As [`std::fs::OpenOptions::open`].
    #[track_caller]
    pub fn open<P: AsRef<Path>>(&self, path: P) -> io::Result<File> {
        let path = path.as_ref();
        if !simulated() {
            return self.real().open(path).map(File::real);
        }
        let flags = self.flags()?;
        // The kernel does not look at the mode where no file is made.
        let mode = match flags.intersects(OFlags::CREATE | OFlags::TMPFILE) {
            true => Mode::from_raw_mode(self.mode),
            false => Mode::empty(),
        };
        let path = relative("open", path);
        call(|fs| fs.open(path, flags, mode)).map(File::simulated)
    }

    fn real(&self) -> std::fs::OpenOptions {
        use std::os::unix::fs::OpenOptionsExt;
        let mut real = std::fs::OpenOptions::new();
        real.read(self.read).write(self.write).append(self.append).truncate(self.truncate);
        real.create(self.create).create_new(self.create_new);
        real.mode(self.mode).custom_flags(self.custom_flags);
        real
    }

    /// The flags that `std` gives to `open`.
    fn flags(&self) -> io::Result<OFlags> {
        let access = match (self.read, self.write, self.append) {
            (true, false, false) => OFlags::RDONLY,
            (false, true, false) => OFlags::WRONLY,
            (true, true, false) => OFlags::RDWR,
            (false, _, true) => OFlags::WRONLY | OFlags::APPEND,
            (true, _, true) => OFlags::RDWR | OFlags::APPEND,
            (false, false, false) => return Err(Errno::INVAL.into()),
        };
        let makes_no_sense = match (self.write, self.append) {
            (true, false) => false,
            (false, false) => self.truncate || self.create || self.create_new,
            (_, true) => self.truncate && !self.create_new,
        };
        if makes_no_sense {
            return Err(Errno::INVAL.into());
        }
        let creation = match (self.create, self.truncate, self.create_new) {
            (false, false, false) => OFlags::empty(),
            (true, false, false) => OFlags::CREATE,
            (false, true, false) => OFlags::TRUNC,
            (true, true, false) => OFlags::CREATE | OFlags::TRUNC,
            (_, _, true) => OFlags::CREATE | OFlags::EXCL,
        };
        let custom = OFlags::from_bits_retain(self.custom_flags as u32) - OFlags::ACCMODE;
        Ok(OFlags::CLOEXEC | access | creation | custom)
    }
}

/// How a directory is made: [`std::fs::DirBuilder`].
#[derive(Clone, Debug)]
pub struct DirBuilder {
    recursive: bool,
    pub(in crate::std) mode: u32,
}

impl Default for DirBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl DirBuilder {
    /// Makes one directory, of mode 0o777 less the umask.
    pub fn new() -> Self {
        DirBuilder { recursive: false, mode: 0o777 }
    }

    /// Whether to make the directories above it that do not exist, too. Then it is no error if the
    /// directory itself exists.
    pub fn recursive(&mut self, recursive: bool) -> &mut Self {
        self.recursive = recursive;
        self
    }

    /// Makes the directory.
    ///
    /// # Errors
    ///
    /// As [`std::fs::DirBuilder::create`].
    #[track_caller]
    pub fn create<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let path = path.as_ref();
        if !simulated() {
            use std::os::unix::fs::DirBuilderExt;
            return std::fs::DirBuilder::new()
                .recursive(self.recursive)
                .mode(self.mode)
                .create(path);
        }
        let path = relative("create_dir", path);
        if self.recursive { self.all(path) } else { self.one(path) }
    }

    #[track_caller]
    fn one(&self, path: &Path) -> io::Result<()> {
        call(|fs| fs.mkdir(path, Mode::from_raw_mode(self.mode)))
    }

    #[track_caller]
    fn all(&self, path: &Path) -> io::Result<()> {
        let is_dir = |path: &Path| metadata(path).is_ok_and(|metadata| metadata.is_dir());
        let mut missing = 0;
        for above in path.ancestors() {
            if above == Path::new("") || above.parent().is_none() {
                break;
            }
            match self.one(above) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing += 1,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if is_dir(above) {
                        break;
                    }
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
        }
        let missing: Vec<&Path> = path.ancestors().take(missing).collect();
        for below in missing.into_iter().rev() {
            if let Err(error) = self.one(below)
                && (error.kind() != io::ErrorKind::AlreadyExists || !is_dir(below))
            {
                return Err(error);
            }
        }
        Ok(())
    }
}
