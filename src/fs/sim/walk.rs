//! First floor: how a simulated path is resolved. Imports its parent module and rustix; modelled on
//! Linux's `fs/namei.c` (`getname`, `link_path_walk`, `path_lookupat`, `pick_link`).

use std::collections::VecDeque;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::fs::ResolveFlags;
use rustix::fs::Access;
use rustix::io::Errno;

use super::super::At;
use super::super::path::confined;
use super::inode::{Body, Entries, Ino, Inode};
use super::{ROOT, SimFile, SimFs};

/// The longest name, in bytes.
const NAME_MAX: usize = 255;
/// The longest path, in bytes, with the NUL that ends it.
pub(super) const PATH_MAX: usize = 4096;
/// How many symbolic links one walk follows.
const MAXSYMLINKS: u32 = 40;

/// Where a path leads, resolved up to but not including its last component.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The directory that holds the last component.
    pub(super) directory: Ino,
    /// The last component.
    pub(super) last: Last,
    /// Whether a slash follows it: it has to be a directory.
    pub(super) slash: bool,
}

/// The last component of a path.
#[derive(Clone, Debug)]
pub(super) enum Last {
    Name(Box<[u8]>),
    Dot,
    DotDot,
    /// There is none: the path is `/`.
    Root,
}

/// What a name stands for, and what that says, if it is a link.
pub(super) type Named = (Ino, Option<Box<[u8]>>);

/// Refuses what no call hands to the kernel: a path that leaves where it starts (`EXDEV`), a NUL
/// inside one (`EINVAL`). Both paths of a call are looked at before either is walked.
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

/// One walk: what it has spent, and how far it may go.
pub(super) struct Walk<'w> {
    fs: &'w SimFs,
    /// Where absolute links lead, and what nothing is above.
    root: Ino,
    /// Whether the walk has met its root, by being limited to it or by a `..`. The kernel looks it up
    /// no earlier, and where mounts must not be crossed, takes a root that it does not know for one
    /// beyond.
    met_root: bool,
    resolve: ResolveFlags,
    followed: u32,
}

impl<'w> Walk<'w> {
    /// Resolves all of a path but its last component. The path is [`admissible`].
    ///
    /// `ENOENT` for the empty path and for a directory on the way that is not there, `ENOTDIR`,
    /// `EACCES`, `ELOOP`, `ENAMETOOLONG`.
    pub(super) fn start(
        fs: &'w SimFs,
        at: At<'_, SimFile>,
        resolve: ResolveFlags,
    ) -> Result<(Self, Place), Errno> {
        let path = at.path.as_os_str().as_bytes();
        if path.is_empty() {
            return Err(Errno::NOENT);
        }
        if path.len() >= PATH_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        let from = at.directory.map_or(ROOT, |directory| directory.inode);
        if !fs.inode(from)?.is_directory() {
            return Err(Errno::NOTDIR);
        }
        let limited = resolve.intersects(ResolveFlags::BENEATH | ResolveFlags::IN_ROOT);
        let root = if limited { from } else { ROOT };
        let mut walk = Walk { fs, root, met_root: limited, resolve, followed: 0 };
        let place = walk.parent(from, path)?;
        Ok((walk, place))
    }

    /// `link_path_walk`.
    fn parent(&mut self, from: Ino, path: &[u8]) -> Result<Place, Errno> {
        let mut directory = from;
        if path.first() == Some(&b'/') {
            directory = self.jump_to_root()?;
        }
        let mut components: VecDeque<&[u8]> =
            path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()).collect();
        let Some(last) = components.pop_back() else {
            return Ok(Place { directory, last: Last::Root, slash: true });
        };
        for name in components {
            self.may_search(directory)?;
            directory = self.descend(directory, name)?;
        }
        self.may_search(directory)?;
        let last = match last {
            b"." => Last::Dot,
            b".." => Last::DotDot,
            name => Last::Name(name.into()),
        };
        Ok(Place { directory, last, slash: path.ends_with(b"/") })
    }

    fn may_search(&self, directory: Ino) -> Result<(), Errno> {
        self.fs.permits(self.fs.inode(directory)?, Access::EXEC_OK)
    }

    /// `nd_jump_root`.
    fn jump_to_root(&mut self) -> Result<Ino, Errno> {
        let is_beyond = !self.met_root && self.resolve.contains(ResolveFlags::NO_XDEV);
        if self.resolve.contains(ResolveFlags::BENEATH) || is_beyond {
            return Err(Errno::XDEV);
        }
        self.met_root = true;
        Ok(self.root)
    }

    /// A component on the way: it has to lead to a directory, through links if need be.
    fn descend(&mut self, directory: Ino, name: &[u8]) -> Result<Ino, Errno> {
        let child = match name {
            b"." => directory,
            b".." => self.above(directory)?,
            _ => {
                let child = self.fs.lookup(directory, name)?.ok_or(Errno::NOENT)?;
                match &self.fs.inode(child)?.body {
                    Body::Symlink { target } => {
                        self.count_link()?;
                        let place = self.parent(directory, target)?;
                        self.end(place, true, false)?.ok_or(Errno::NOENT)?.0
                    }
                    _ => child,
                }
            }
        };
        if self.fs.inode(child)?.is_directory() { Ok(child) } else { Err(Errno::NOTDIR) }
    }

    /// `follow_dotdot`.
    fn above(&mut self, directory: Ino) -> Result<Ino, Errno> {
        self.met_root = true;
        if directory != self.root {
            return self.fs.above(directory);
        }
        if self.resolve.contains(ResolveFlags::BENEATH) {
            return Err(Errno::XDEV);
        }
        Ok(directory)
    }

    fn count_link(&mut self) -> Result<(), Errno> {
        if self.resolve.contains(ResolveFlags::NO_SYMLINKS) || self.followed >= MAXSYMLINKS {
            return Err(Errno::LOOP);
        }
        self.followed += 1;
        Ok(())
    }

    /// The last component: what it names and where that name is, following links if `follow` or if
    /// a slash asks for a directory. `None` where the name stands for nothing (then `place` is where
    /// it would be). `trailing`: it is the last of the whole path, to which `protected_symlinks`
    /// applies.
    pub(super) fn end(
        &mut self,
        mut place: Place,
        follow: bool,
        trailing: bool,
    ) -> Result<Option<(Ino, Place)>, Errno> {
        loop {
            match self.look(&place)? {
                Some((_, Some(target))) if follow || place.slash => {
                    place = self.follow(place, &target, trailing)?;
                }
                Some((inode, _)) => {
                    if place.slash && !self.fs.inode(inode)?.is_directory() {
                        return Err(Errno::NOTDIR);
                    }
                    return Ok(Some((inode, place)));
                }
                None => return Ok(None),
            }
        }
    }

    /// What the last component names, if anything.
    pub(super) fn look(&mut self, place: &Place) -> Result<Option<Named>, Errno> {
        let inode = match &place.last {
            Last::Root | Last::Dot => place.directory,
            Last::DotDot => self.above(place.directory)?,
            Last::Name(name) => match self.fs.lookup(place.directory, name)? {
                Some(inode) => inode,
                None => return Ok(None),
            },
        };
        Ok(Some(match &self.fs.inode(inode)?.body {
            Body::Symlink { target } => (inode, Some(target.clone())),
            _ => (inode, None),
        }))
    }

    /// `pick_link`: where a final link leads.
    pub(super) fn follow(
        &mut self,
        place: Place,
        target: &[u8],
        trailing: bool,
    ) -> Result<Place, Errno> {
        if self.followed >= MAXSYMLINKS {
            return Err(Errno::LOOP);
        }
        if let (true, Last::Name(name)) = (trailing, &place.last)
            && let Some(link) = self.fs.lookup(place.directory, name)?
        {
            self.fs.may_follow(place.directory, self.fs.inode(link)?)?;
        }
        self.count_link()?;
        let mut next = self.parent(place.directory, target)?;
        // What a slash after the link asked for is asked of what it leads to.
        next.slash |= place.slash;
        Ok(next)
    }
}

impl SimFs {
    /// Resolves all of a path but its last component, without limits.
    pub(super) fn parent(&self, at: At<'_, SimFile>) -> Result<Place, Errno> {
        Walk::start(self, at, ResolveFlags::empty()).map(|(_, place)| place)
    }

    /// Resolves all of a path, following a final link or not; it is [`admissible`].
    pub(super) fn find(&self, at: At<'_, SimFile>, follow: bool) -> Result<Ino, Errno> {
        let (mut walk, place) = Walk::start(self, at, ResolveFlags::empty())?;
        walk.end(place, follow, true)?.map(|(inode, _)| inode).ok_or(Errno::NOENT)
    }

    /// What `name` names in `directory`, if anything. `ENAMETOOLONG`; `ENOENT` if the directory was
    /// removed.
    pub(super) fn lookup(&self, directory: Ino, name: &[u8]) -> Result<Option<Ino>, Errno> {
        if self.inode(directory)?.links == 0 {
            return Err(Errno::NOENT);
        }
        if name.len() > NAME_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        Ok(self.entries(directory)?.get(name).copied())
    }

    /// The entries of a directory, `ENOTDIR` if it is none.
    pub(super) fn entries(&self, directory: Ino) -> Result<&Entries, Errno> {
        match &self.inode(directory)?.body {
            Body::Directory { entries, .. } => Ok(entries),
            Body::File { .. } | Body::Symlink { .. } | Body::Special(_) => Err(Errno::NOTDIR),
        }
    }

    /// The directory above a directory; the root is above itself.
    pub(super) fn above(&self, directory: Ino) -> Result<Ino, Errno> {
        match &self.inode(directory)?.body {
            Body::Directory { above, .. } => Ok(*above),
            Body::File { .. } | Body::Symlink { .. } | Body::Special(_) => Err(Errno::NOTDIR),
        }
    }

    /// Whether the way from the root to `directory` passes `inode`, or ends there.
    pub(super) fn is_within(&self, mut directory: Ino, inode: Ino) -> Result<bool, Errno> {
        loop {
            if directory == inode {
                return Ok(true);
            }
            if directory == ROOT {
                return Ok(false);
            }
            directory = self.above(directory)?;
        }
    }

    /// An inode by its number; `EBADF` for a number of another world.
    pub(super) fn inode(&self, inode: Ino) -> Result<&Inode, Errno> {
        self.inodes.get(inode as usize).map(|inode| &**inode).ok_or(Errno::BADF)
    }
}
