//! First floor: how a simulated path is resolved. Imports its parent module and rustix; modelled on
//! Linux's `fs/namei.c` (`getname`, `filename_parentat`, `path_lookupat`).

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::Errno;

use super::super::path::confined;
use super::inode::{Body, Ino, Inode};
use super::{ROOT, SimFs};

/// The longest name, in bytes.
const NAME_MAX: usize = 255;
/// The longest path, in bytes, with the NUL that ends it.
const PATH_MAX: usize = 4096;

/// Where a path leads, resolved up to but not including its last component.
pub(super) struct Place<'p> {
    /// The directories from the root down to the one that holds the last component.
    chain: Vec<Ino>,
    /// The last component.
    pub(super) last: Last<'p>,
    /// Whether a slash follows it: it has to be a directory.
    pub(super) slash: bool,
}

/// The last component of a path.
#[derive(Clone, Copy)]
pub(super) enum Last<'p> {
    Name(&'p [u8]),
    Dot,
    DotDot,
}

impl Place<'_> {
    /// The directory that holds the last component.
    pub(super) fn directory(&self) -> Ino {
        self.chain.last().copied().unwrap_or(ROOT)
    }

    /// The directory above that one; the root is above itself.
    pub(super) fn above(&self) -> Ino {
        self.chain.iter().rev().nth(1).copied().unwrap_or(ROOT)
    }

    /// Whether the way here passes `inode`.
    pub(super) fn is_below(&self, inode: Ino) -> bool {
        self.chain.contains(&inode)
    }
}

/// Refuses what no call hands to the kernel: a path that leaves the anchor (`EXDEV`), a NUL inside
/// one (`EINVAL`). Both paths of a call are looked at before either is walked.
pub(super) fn admissible<const N: usize>(paths: [&Path; N]) -> Result<(), Errno> {
    for path in paths {
        confined(path)?;
    }
    for path in paths {
        if path.as_os_str().as_bytes().contains(&0) {
            return Err(Errno::INVAL);
        }
    }
    Ok(())
}

impl SimFs {
    /// Resolves all of `path` but its last component. `path` is [`admissible`].
    ///
    /// `ENOENT` for the empty path and for a directory on the way that is not there, `ENOTDIR`,
    /// `ENAMETOOLONG`.
    pub(super) fn parent<'p>(&self, path: &'p Path) -> Result<Place<'p>, Errno> {
        let bytes = path.as_os_str().as_bytes();
        if bytes.is_empty() {
            return Err(Errno::NOENT);
        }
        if bytes.len() >= PATH_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        let mut components = bytes.split(|&byte| byte == b'/').filter(|name| !name.is_empty());
        let last = match components.next_back() {
            None | Some(b".") => Last::Dot,
            Some(b"..") => Last::DotDot,
            Some(name) => Last::Name(name),
        };
        let mut chain = vec![ROOT];
        for name in components {
            self.descend(&mut chain, name)?;
        }
        Ok(Place { chain, last, slash: bytes.ends_with(b"/") })
    }

    fn descend(&self, chain: &mut Vec<Ino>, name: &[u8]) -> Result<(), Errno> {
        match name {
            b"." => {}
            b".." => {
                chain.pop();
            }
            _ => {
                let directory = chain.last().copied().unwrap_or(ROOT);
                let child = self.lookup(directory, name)?.ok_or(Errno::NOENT)?;
                if !self.inode(child)?.is_directory() {
                    return Err(Errno::NOTDIR);
                }
                chain.push(child);
            }
        }
        Ok(())
    }

    /// Resolves all of `path`; it is [`admissible`].
    pub(super) fn find(&self, path: &Path) -> Result<Ino, Errno> {
        let place = self.parent(path)?;
        let found = match place.last {
            Last::Dot => place.directory(),
            Last::DotDot => place.above(),
            Last::Name(name) => self.lookup(place.directory(), name)?.ok_or(Errno::NOENT)?,
        };
        if place.slash && !self.inode(found)?.is_directory() {
            return Err(Errno::NOTDIR);
        }
        Ok(found)
    }

    /// What `name` names in `directory`, if anything. `ENAMETOOLONG`.
    pub(super) fn lookup(&self, directory: Ino, name: &[u8]) -> Result<Option<Ino>, Errno> {
        if name.len() > NAME_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        Ok(self.entries(directory)?.get(name).copied())
    }

    /// The entries of a directory, `ENOTDIR` if it is none.
    pub(super) fn entries(&self, directory: Ino) -> Result<&BTreeMap<Box<[u8]>, Ino>, Errno> {
        match &self.inode(directory)?.body {
            Body::Directory(entries) => Ok(entries),
            Body::File { .. } => Err(Errno::NOTDIR),
        }
    }

    /// An inode by its number; `EBADF` for a number of another world.
    pub(super) fn inode(&self, inode: Ino) -> Result<&Inode, Errno> {
        self.inodes.get(inode as usize).map(|inode| &**inode).ok_or(Errno::BADF)
    }
}
