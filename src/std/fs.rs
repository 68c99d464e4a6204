//! Third floor, `std`: `std::fs`. Imports [`direct`] and [`fs`](crate::fs).
//!
//! Inside of an exploration each function makes the system calls of the standard library of Rust 1.95 on
//! Linux, in its order.

mod dir;
mod file;
mod options;

use std::io;
use std::path::Path;

use super::path::PathBuf;
use crate::direct::{self, DirectFs};
use crate::fs::{AtFlags, Errno, FileSystem, Kind, Mode, Status};

pub use dir::{DirEntry, ReadDir, read_dir};
pub use file::File;
pub use options::{DirBuilder, OpenOptions};
pub use std::fs::TryLockError;

/// Whether this thread runs a program that is explored or replayed.
#[inline]
pub(super) fn simulated() -> bool {
    direct::is_running()
}

/// A call in the world of the exploration.
#[track_caller]
pub(super) fn call<T>(call: impl FnOnce(&mut DirectFs) -> Result<T, Errno>) -> io::Result<T> {
    direct::at_caller(|| call(&mut DirectFs::new())).map_err(io::Error::from)
}

/// A path that a simulated file system has.
#[track_caller]
pub(super) fn relative<'p>(what: &str, path: &'p Path) -> &'p Path {
    assert!(
        !path.is_absolute(),
        "`{what}({})` inside of an exploration: an absolute path. The world is a directory, and what is in it \
         is named from there: make the code take the directory that it works in, and give it a relative one{}",
        path.display(),
        direct::line()
    );
    path
}

/// Reads a file: `open`, `fstat`, `read` until there is no more.
///
/// # Errors
///
/// As [`std::fs::read`].
#[track_caller]
pub fn read<P: AsRef<Path>>(path: P) -> io::Result<Vec<u8>> {
    if !simulated() {
        return std::fs::read(path);
    }
    direct::at_caller(|| {
        let mut file = File::open(path)?;
        let size = file.metadata().map(|metadata| metadata.len() as usize).ok();
        let mut bytes = Vec::with_capacity(size.unwrap_or(0));
        file.read_all(&mut bytes, size)?;
        Ok(bytes)
    })
}

/// Reads a text file: as [`read`].
///
/// # Errors
///
/// As [`std::fs::read_to_string`].
#[track_caller]
pub fn read_to_string<P: AsRef<Path>>(path: P) -> io::Result<String> {
    if !simulated() {
        return std::fs::read_to_string(path);
    }
    text(read(path)?)
}

/// What was read, as text.
fn text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8")
    })
}

/// Writes a file, in place of its old content: `open` with `O_CREAT` and `O_TRUNC`, then `write`
/// until all is written.
///
/// # Errors
///
/// As [`std::fs::write`].
#[track_caller]
pub fn write<P: AsRef<Path>, C: AsRef<[u8]>>(path: P, contents: C) -> io::Result<()> {
    if !simulated() {
        return std::fs::write(path, contents);
    }
    direct::at_caller(|| io::Write::write_all(&mut File::create(path)?, contents.as_ref()))
}

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident($($arg:ident),+) => $call:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        ///
        #[doc = concat!("As [`std::fs::", stringify!($name), "`].")]
        #[track_caller]
        pub fn $name($($arg: impl AsRef<Path>),+) -> io::Result<()> {
            $(let $arg = $arg.as_ref();)+
            if !simulated() {
                return std::fs::$name($($arg),+);
            }
            $(let $arg = relative(stringify!($name), $arg);)+
            let calls: fn(&mut DirectFs, $(replaced!($arg Path)),+) -> Result<(), Errno> = $call;
            call(|fs| calls(fs, $($arg),+))
        }
    )*};
}

macro_rules! replaced {
    ($arg:ident Path) => {
        &Path
    };
}

calls! {
    /// Renames: `rename`.
    rename(from, to) => |fs, from, to| fs.rename(from, to);
    /// Gives a file a second name: `linkat`, which does not follow a final link.
    hard_link(original, link) => |fs, original, link| fs.link(original, link);
    /// Removes a name that is not a directory's: `unlink`.
    remove_file(path) => |fs, path| fs.unlink(path);
    /// Removes an empty directory: `rmdir`.
    remove_dir(path) => |fs, path| fs.rmdir(path);
}

/// Makes a directory: `mkdir`.
///
/// # Errors
///
/// As [`std::fs::create_dir`].
#[track_caller]
pub fn create_dir<P: AsRef<Path>>(path: P) -> io::Result<()> {
    DirBuilder::new().create(path)
}

/// Makes a directory, and those above it that do not exist: as [`DirBuilder::recursive`].
///
/// # Errors
///
/// As [`std::fs::create_dir_all`].
#[track_caller]
pub fn create_dir_all<P: AsRef<Path>>(path: P) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(path)
}

/// The metadata of what a path names, following a final link: `stat`.
///
/// # Errors
///
/// As [`std::fs::metadata`].
#[track_caller]
pub fn metadata<P: AsRef<Path>>(path: P) -> io::Result<Metadata> {
    if !simulated() {
        return std::fs::metadata(path).map(Metadata::from);
    }
    let path = relative("metadata", path.as_ref());
    call(|fs| fs.stat(path, AtFlags::empty())).map(Metadata::simulated)
}

/// The metadata of what a path names; of a final link, the link's own: `lstat`.
///
/// # Errors
///
/// As [`std::fs::symlink_metadata`].
#[track_caller]
pub fn symlink_metadata<P: AsRef<Path>>(path: P) -> io::Result<Metadata> {
    if !simulated() {
        return std::fs::symlink_metadata(path).map(Metadata::from);
    }
    let path = relative("symlink_metadata", path.as_ref());
    call(|fs| fs.stat(path, AtFlags::SYMLINK_NOFOLLOW)).map(Metadata::simulated)
}

/// Whether a path names something: `stat`.
///
/// # Errors
///
/// As [`std::fs::exists`].
#[track_caller]
pub fn exists<P: AsRef<Path>>(path: P) -> io::Result<bool> {
    match metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The target of a symbolic link: `readlink`.
///
/// # Errors
///
/// As [`std::fs::read_link`].
#[track_caller]
pub fn read_link<P: AsRef<Path>>(path: P) -> io::Result<PathBuf> {
    if !simulated() {
        return std::fs::read_link(path).map(PathBuf::from);
    }
    let path = relative("read_link", path.as_ref());
    call(|fs| fs.readlink(path)).map(PathBuf::from)
}

/// The path without links and dots. It makes a `readlink` for each name on the way, like `realpath`
/// of the GNU C library.
///
/// Inside of an exploration the result begins at the world's directory and not at the root, as all
/// paths there do: `.` is that directory itself.
///
/// # Errors
///
/// As [`std::fs::canonicalize`].
///
/// # Panics
///
/// Inside of an exploration, if the path leads out of the world's directory.
#[track_caller]
pub fn canonicalize<P: AsRef<Path>>(path: P) -> io::Result<PathBuf> {
    if !simulated() {
        return std::fs::canonicalize(path).map(PathBuf::from);
    }
    super::path::canonical(relative("canonicalize", path.as_ref()))
}

/// Changes the permissions of what a path names, following a final link: `chmod`.
///
/// # Errors
///
/// As [`std::fs::set_permissions`].
#[track_caller]
pub fn set_permissions<P: AsRef<Path>>(path: P, permissions: Permissions) -> io::Result<()> {
    if !simulated() {
        return std::fs::set_permissions(path, permissions.real());
    }
    let path = relative("set_permissions", path.as_ref());
    call(|fs| fs.chmod(path, permissions.bits()))
}

/// The metadata of a file: [`std::fs::Metadata`], without the fields that no simulation knows.
#[derive(Clone, Debug)]
pub struct Metadata(Told);

#[derive(Clone, Debug)]
enum Told {
    Real(std::fs::Metadata),
    Simulated(Status),
}

impl From<std::fs::Metadata> for Metadata {
    fn from(real: std::fs::Metadata) -> Self {
        Metadata(Told::Real(real))
    }
}

impl Metadata {
    fn simulated(status: Status) -> Self {
        Metadata(Told::Simulated(status))
    }

    pub(super) fn by<T>(
        &self,
        real: impl FnOnce(&std::fs::Metadata) -> T,
        simulated: impl FnOnce(&Status) -> T,
    ) -> T {
        match &self.0 {
            Told::Real(metadata) => real(metadata),
            Told::Simulated(status) => simulated(status),
        }
    }

    /// `st_mode`.
    pub(super) fn raw_mode(&self) -> u32 {
        self.by(std::os::unix::fs::MetadataExt::mode, |status| {
            status.kind.file_type().as_raw_mode() | status.mode.as_raw_mode()
        })
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.file_type().is_dir()
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.file_type().is_file()
    }

    /// Whether it is a symbolic link. Only [`symlink_metadata`] ever says so.
    pub fn is_symlink(&self) -> bool {
        self.file_type().is_symlink()
    }

    /// The kind of the file.
    pub fn file_type(&self) -> FileType {
        FileType(self.raw_mode() & 0o170_000)
    }

    /// The length of the file in bytes.
    #[expect(clippy::len_without_is_empty, reason = "as std's")]
    pub fn len(&self) -> u64 {
        self.by(std::fs::Metadata::len, |status| status.size)
    }

    /// The permissions of the file.
    pub fn permissions(&self) -> Permissions {
        Permissions(self.raw_mode())
    }
}

/// The kind of a file: [`std::fs::FileType`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileType(u32);

impl From<std::fs::FileType> for FileType {
    fn from(real: std::fs::FileType) -> Self {
        use std::os::unix::fs::FileTypeExt;
        let kinds = [
            (real.is_file(), crate::fs::FileType::RegularFile),
            (real.is_dir(), crate::fs::FileType::Directory),
            (real.is_symlink(), crate::fs::FileType::Symlink),
            (real.is_fifo(), crate::fs::FileType::Fifo),
            (real.is_socket(), crate::fs::FileType::Socket),
            (real.is_block_device(), crate::fs::FileType::BlockDevice),
            (real.is_char_device(), crate::fs::FileType::CharacterDevice),
        ];
        let kind = kinds.into_iter().find_map(|(is_it, kind)| is_it.then_some(kind));
        FileType(kind.map_or(0, |kind| kind.as_raw_mode()))
    }
}

impl FileType {
    fn of(kind: Kind) -> Self {
        FileType(kind.file_type().as_raw_mode())
    }

    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.0 == 0o040_000
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.0 == 0o100_000
    }

    /// Whether it is a symbolic link.
    pub fn is_symlink(&self) -> bool {
        self.0 == 0o120_000
    }
}

/// The permissions of a file: [`std::fs::Permissions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permissions(pub(super) u32);

impl Permissions {
    fn real(&self) -> std::fs::Permissions {
        std::os::unix::fs::PermissionsExt::from_mode(self.0)
    }

    fn bits(&self) -> Mode {
        Mode::from_raw_mode(self.0)
    }

    /// Whether writing is forbidden for everybody.
    pub fn readonly(&self) -> bool {
        self.0 & 0o222 == 0
    }

    /// Forbids writing for everybody, or allows it for everybody.
    pub fn set_readonly(&mut self, readonly: bool) {
        if readonly {
            self.0 &= !0o222;
        } else {
            self.0 |= 0o222;
        }
    }
}
