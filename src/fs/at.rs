//! First floor: the directory where a call starts to resolve its path. Imports nothing of this
//! crate.

use std::path::Path;

/// A path and the directory it starts from: the anchor of the world, or an open directory. The
/// `*at` system calls take these as two arguments.
///
/// A path alone (`"content"`, a `&Path`) converts to an `At` that starts at the anchor. A pair of
/// an open directory and a path converts, too:
///
/// ```
/// # fn main() -> Result<(), toctou::fs::Errno> {
/// use toctou::fs::{FileSystem, Mode, OFlags, SimFs};
///
/// let mut world = SimFs::new();
/// world.mkdir("drop", Mode::RWXU)?;
/// let directory = world.open("drop", OFlags::DIRECTORY, Mode::empty())?;
/// let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
/// world.open((&directory, "secret"), flags, Mode::RUSR | Mode::WUSR)?;
/// assert!(world.tree().bytes("drop/secret").is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct At<'p, D> {
    /// The open directory, or `None` for the anchor.
    pub directory: Option<&'p D>,
    /// The path from there.
    pub path: &'p Path,
}

impl<'p, D> At<'p, D> {
    /// A path from `directory`, or from the anchor if there is none.
    #[inline(always)]
    pub fn new(directory: Option<&'p D>, path: &'p Path) -> Self {
        At { directory, path }
    }

    /// The parts that make two of them the same place.
    pub(crate) fn hashed(self) -> (Option<&'p D>, &'p Path) {
        (self.directory, self.path)
    }
}

impl<'p, D, P: AsRef<Path> + ?Sized> From<&'p P> for At<'p, D> {
    #[inline(always)]
    fn from(path: &'p P) -> Self {
        At { directory: None, path: path.as_ref() }
    }
}

impl<'p, D, P: AsRef<Path> + ?Sized> From<(&'p D, &'p P)> for At<'p, D> {
    #[inline(always)]
    fn from((directory, path): (&'p D, &'p P)) -> Self {
        At { directory: Some(directory), path: path.as_ref() }
    }
}

// By hand, because a derive would ask it of `D`.
impl<D> Clone for At<'_, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<D> Copy for At<'_, D> {}
