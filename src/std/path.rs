//! Third floor, `std`: `std::path`, with paths that query the file system. Imports its neighbours
//! in `std`.
//!
//! The paths of the standard library have methods that query the real file system (`exists`,
//! `canonicalize`), and these cannot be removed. So the paths here are types of their own, with the
//! same names.

use std::borrow::{Borrow, Cow};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::ops::Deref;
use std::path as real;
use std::str::FromStr;
use std::{fmt, io};

use super::fs::{self, Metadata, ReadDir, call, relative};
use crate::fs::{Errno, FileSystem};

pub use std::path::{Component, Components, Display, MAIN_SEPARATOR, StripPrefixError};

/// A path: [`std::path::Path`].
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Path(real::Path);

/// An owned path: [`std::path::PathBuf`].
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathBuf(real::PathBuf);

/// So many links are followed before it is `ELOOP`, as on Linux.
const MOST_LINKS: usize = 40;

/// What is the same without asking anybody.
macro_rules! pure {
    ($($name:ident($($arg:ident: $kind:ty),*) -> $output:ty;)*) => {$(
        #[doc = concat!("[`std::path::Path::", stringify!($name), "`].")]
        pub fn $name(&self, $($arg: $kind),*) -> $output {
            self.0.$name($($arg),*)
        }
    )*};
}

/// What asks one question, and takes an error for a no.
macro_rules! queries {
    ($($(#[$doc:meta])* $name:ident by $metadata:ident;)*) => {$(
        $(#[$doc])*
        #[track_caller]
        pub fn $name(&self) -> bool {
            self.$metadata().is_ok_and(|metadata| metadata.$name())
        }
    )*};
}

impl Path {
    /// [`std::path::Path::new`].
    pub fn new<S: AsRef<OsStr> + ?Sized>(path: &S) -> &Path {
        Self::of(real::Path::new(path))
    }

    fn of(path: &real::Path) -> &Path {
        // SAFETY: it is nothing but that path, and laid out like it.
        unsafe { &*(std::ptr::from_ref(path) as *const Path) }
    }

    pure! {
        as_os_str() -> &OsStr;
        to_str() -> Option<&str>;
        to_string_lossy() -> Cow<'_, str>;
        display() -> Display<'_>;
        is_absolute() -> bool;
        is_relative() -> bool;
        has_root() -> bool;
        file_name() -> Option<&OsStr>;
        file_stem() -> Option<&OsStr>;
        extension() -> Option<&OsStr>;
        components() -> Components<'_>;
        starts_with(base: impl AsRef<real::Path>) -> bool;
        ends_with(child: impl AsRef<real::Path>) -> bool;
    }

    /// [`std::path::Path::to_path_buf`].
    pub fn to_path_buf(&self) -> PathBuf {
        PathBuf(self.0.to_path_buf())
    }

    /// [`std::path::Path::parent`].
    pub fn parent(&self) -> Option<&Path> {
        self.0.parent().map(Self::of)
    }

    /// [`std::path::Path::join`].
    pub fn join(&self, path: impl AsRef<real::Path>) -> PathBuf {
        PathBuf(self.0.join(path))
    }

    /// [`std::path::Path::with_file_name`].
    pub fn with_file_name(&self, name: impl AsRef<OsStr>) -> PathBuf {
        PathBuf(self.0.with_file_name(name))
    }

    /// [`std::path::Path::with_extension`].
    pub fn with_extension(&self, extension: impl AsRef<OsStr>) -> PathBuf {
        PathBuf(self.0.with_extension(extension))
    }

    /// [`std::path::Path::strip_prefix`].
    ///
    /// # Errors
    ///
    /// If the path does not begin with `base`.
    pub fn strip_prefix(&self, base: impl AsRef<real::Path>) -> Result<&Path, StripPrefixError> {
        self.0.strip_prefix(base).map(Self::of)
    }

    queries! {
        /// Whether the path names a file, following a final link: `stat`.
        is_file by metadata;
        /// Whether the path names a directory, following a final link: `stat`.
        is_dir by metadata;
        /// Whether the path names a symbolic link: `lstat`.
        is_symlink by symlink_metadata;
    }

    /// Whether the path names something, following a final link: `stat`. An error counts as a no.
    #[track_caller]
    pub fn exists(&self) -> bool {
        self.metadata().is_ok()
    }

    /// As [`fs::exists`].
    ///
    /// # Errors
    ///
    /// As [`std::path::Path::try_exists`].
    #[track_caller]
    pub fn try_exists(&self) -> io::Result<bool> {
        fs::exists(self)
    }

    /// As [`fs::metadata`].
    ///
    /// # Errors
    ///
    /// As [`std::path::Path::metadata`].
    #[track_caller]
    pub fn metadata(&self) -> io::Result<Metadata> {
        fs::metadata(self)
    }

    /// As [`fs::symlink_metadata`].
    ///
    /// # Errors
    ///
    /// As [`std::path::Path::symlink_metadata`].
    #[track_caller]
    pub fn symlink_metadata(&self) -> io::Result<Metadata> {
        fs::symlink_metadata(self)
    }

    /// As [`fs::read_link`].
    ///
    /// # Errors
    ///
    /// As [`std::path::Path::read_link`].
    #[track_caller]
    pub fn read_link(&self) -> io::Result<PathBuf> {
        fs::read_link(self)
    }

    /// As [`fs::read_dir`].
    ///
    /// # Errors
    ///
    /// As [`std::path::Path::read_dir`].
    #[track_caller]
    pub fn read_dir(&self) -> io::Result<ReadDir> {
        fs::read_dir(self)
    }

    /// As [`fs::canonicalize`].
    ///
    /// # Errors
    ///
    /// As [`std::path::Path::canonicalize`].
    #[track_caller]
    pub fn canonicalize(&self) -> io::Result<PathBuf> {
        fs::canonicalize(self)
    }
}

/// What [`fs::canonicalize`] finds in the world.
#[track_caller]
pub(super) fn canonical(path: &real::Path) -> io::Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(Errno::NOENT.into());
    }
    let mut left: VecDeque<OsString> = names(path).collect();
    let (mut found, mut links) = (real::PathBuf::new(), 0);
    while let Some(name) = left.pop_front() {
        if name == ".." {
            assert!(found.pop(), "`canonicalize({})`: it leads out of the world", path.display());
            continue;
        }
        let next = found.join(&name);
        match call(|fs| fs.readlink(&next)) {
            Ok(target) => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = relative("canonicalize", &target);
                left = names(target).chain(left).collect();
            }
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => found = next,
            Err(error) => return Err(error),
        }
    }
    if found.as_os_str().is_empty() {
        found.push(".");
    }
    Ok(PathBuf(found))
}

/// The names on the way, without those that lead nowhere.
fn names(path: &real::Path) -> impl Iterator<Item = OsString> {
    let names = path.components().filter(|part| *part != Component::CurDir);
    names.map(|name| name.as_os_str().to_owned())
}

impl PathBuf {
    /// [`std::path::PathBuf::new`].
    pub fn new() -> Self {
        Self::default()
    }

    /// [`std::path::PathBuf::as_path`].
    pub fn as_path(&self) -> &Path {
        self
    }

    /// [`std::path::PathBuf::push`].
    pub fn push(&mut self, path: impl AsRef<real::Path>) {
        self.0.push(path);
    }

    /// [`std::path::PathBuf::pop`].
    pub fn pop(&mut self) -> bool {
        self.0.pop()
    }

    /// [`std::path::PathBuf::set_file_name`].
    pub fn set_file_name(&mut self, name: impl AsRef<OsStr>) {
        self.0.set_file_name(name);
    }

    /// [`std::path::PathBuf::set_extension`].
    pub fn set_extension(&mut self, extension: impl AsRef<OsStr>) -> bool {
        self.0.set_extension(extension)
    }

    /// [`std::path::PathBuf::into_os_string`].
    pub fn into_os_string(self) -> OsString {
        self.0.into_os_string()
    }
}

impl Deref for PathBuf {
    type Target = Path;

    fn deref(&self) -> &Path {
        Path::of(&self.0)
    }
}

impl Borrow<Path> for PathBuf {
    fn borrow(&self) -> &Path {
        self
    }
}

impl ToOwned for Path {
    type Owned = PathBuf;

    fn to_owned(&self) -> PathBuf {
        self.to_path_buf()
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for PathBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Both are paths to whoever takes one.
macro_rules! paths {
    ($($path:ty),*) => {$(
        impl AsRef<real::Path> for $path {
            fn as_ref(&self) -> &real::Path {
                &self.0
            }
        }

        impl AsRef<OsStr> for $path {
            fn as_ref(&self) -> &OsStr {
                self.0.as_os_str()
            }
        }
    )*};
}

paths!(Path, PathBuf);

/// As the standard library makes paths.
macro_rules! made_of {
    ($($other:ty),*) => {$(
        impl From<$other> for PathBuf {
            fn from(path: $other) -> Self {
                PathBuf(path.into())
            }
        }
    )*};
}

made_of!(real::PathBuf, OsString, String, &str, &OsStr, &real::Path);

impl From<&Path> for PathBuf {
    fn from(path: &Path) -> Self {
        path.to_path_buf()
    }
}

impl From<PathBuf> for real::PathBuf {
    fn from(path: PathBuf) -> Self {
        path.0
    }
}

impl FromStr for PathBuf {
    type Err = Infallible;

    fn from_str(path: &str) -> Result<Self, Infallible> {
        Ok(PathBuf(path.into()))
    }
}
