//! First floor: making, moving and removing names in a simulated world. Imports its parent module
//! and rustix; modelled on Linux's `fs/namei.c` (`do_unlinkat`, `do_renameat2`, `vfs_rename`,
//! `do_linkat`, `do_symlinkat`, `do_mkdirat`, `do_rmdir`).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use rustix::fs::{Access, AtFlags, Dev, FileType, Mode, RenameFlags};
use rustix::io::Errno;

use super::super::path::{links, renames};
use super::super::status::kind_of;
use super::super::{At, Kind};
use super::inode::{Body, Ino};
use super::walk::{Last, PATH_MAX, Place, admissible};
use super::{DIRECTORY_BITS, MODE_BITS, SimFile, SimFs};

/// The character device that stands for nothing, in file systems that lie over others.
const WHITEOUT: Dev = 0;

impl SimFs {
    /// `do_unlinkat`.
    pub(super) fn unlink_at(&mut self, at: At<'_, SimFile>) -> Result<(), Errno> {
        admissible([at.path])?;
        let place = self.parent(at)?;
        let Last::Name(name) = &place.last else {
            return Err(Errno::ISDIR);
        };
        let inode = self.lookup(place.directory, name)?.ok_or(Errno::NOENT)?;
        let is_directory = self.inode(inode)?.is_directory();
        if place.slash {
            return Err(if is_directory { Errno::ISDIR } else { Errno::NOTDIR });
        }
        self.may_delete(place.directory, inode)?;
        if is_directory {
            return Err(Errno::ISDIR);
        }
        self.enter(place.directory, name, None)?;
        self.modified(&[place.directory])?;
        self.drop_link(inode)
    }

    /// `do_rmdir`.
    pub(super) fn rmdir_at(&mut self, at: At<'_, SimFile>) -> Result<(), Errno> {
        admissible([at.path])?;
        let place = self.parent(at)?;
        let name = match &place.last {
            Last::Root => return Err(Errno::BUSY),
            Last::Dot => return Err(Errno::INVAL),
            Last::DotDot => return Err(Errno::NOTEMPTY),
            Last::Name(name) => name,
        };
        let inode = self.lookup(place.directory, name)?.ok_or(Errno::NOENT)?;
        self.may_delete(place.directory, inode)?;
        if !self.entries(inode)?.is_empty() {
            return Err(Errno::NOTEMPTY);
        }
        self.enter(place.directory, name, None)?;
        self.modified(&[place.directory])?;
        self.drop_link(inode)
    }

    /// `filename_create`: where a new name may be made.
    fn free_place(&self, at: At<'_, SimFile>) -> Result<(Place, Box<[u8]>), Errno> {
        let place = self.parent(at)?;
        let Last::Name(name) = place.last.clone() else {
            return Err(Errno::EXIST);
        };
        if self.lookup(place.directory, &name)?.is_some() {
            return Err(Errno::EXIST);
        }
        Ok((place, name))
    }

    /// `do_mkdirat`.
    pub(super) fn mkdir_at(&mut self, at: At<'_, SimFile>, mode: Mode) -> Result<(), Errno> {
        admissible([at.path])?;
        let (place, name) = self.free_place(at)?;
        self.may_create(place.directory)?;
        let mode = mode & DIRECTORY_BITS;
        self.create(place.directory, &name, mode, Body::directory(place.directory)).map(drop)
    }

    /// `do_mknodat`, `may_mknod`, `vfs_mknod`.
    pub(super) fn mknod_at(
        &mut self,
        at: At<'_, SimFile>,
        kind: FileType,
        mode: Mode,
        device: Dev,
    ) -> Result<(), Errno> {
        admissible([at.path])?;
        let takes_root = match kind {
            FileType::CharacterDevice => device != WHITEOUT,
            FileType::BlockDevice => true,
            FileType::RegularFile | FileType::Fifo | FileType::Socket => false,
            FileType::Directory => return Err(Errno::PERM),
            _ => return Err(Errno::INVAL),
        };
        let (place, name) = self.free_place(at)?;
        if place.slash {
            return Err(Errno::NOENT);
        }
        self.may_create(place.directory)?;
        if takes_root && !self.user.is_root() {
            return Err(Errno::PERM);
        }
        let body = match kind_of(kind) {
            Some(Kind::File) | None => Body::file(),
            Some(kind) => Body::Special(kind),
        };
        self.create(place.directory, &name, mode & MODE_BITS, body).map(drop)
    }

    /// `do_symlinkat`.
    pub(super) fn symlink_at(&mut self, target: &[u8], at: At<'_, SimFile>) -> Result<(), Errno> {
        admissible([at.path])?;
        if target.contains(&0) {
            return Err(Errno::INVAL);
        }
        if target.is_empty() {
            return Err(Errno::NOENT);
        }
        if target.len() >= PATH_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        let (place, name) = self.free_place(at)?;
        if place.slash {
            return Err(Errno::NOENT);
        }
        self.may_create(place.directory)?;
        let mode = Mode::from_bits_retain(0o777);
        let body = Body::Symlink { target: target.into() };
        self.create(place.directory, &name, mode, body).map(drop)
    }

    pub(super) fn link_at(
        &mut self,
        from: At<'_, SimFile>,
        to: At<'_, SimFile>,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let follow = links(flags)?;
        admissible([from.path, to.path])?;
        self.link_inode(self.find(from, follow)?, to)
    }

    pub(super) fn link_open(&mut self, file: &SimFile, to: At<'_, SimFile>) -> Result<(), Errno> {
        admissible([to.path])?;
        self.link_inode(file.inode, to)
    }

    /// What a link says; `EINVAL` if it is none.
    pub(super) fn readlink_at(&self, at: At<'_, SimFile>) -> Result<PathBuf, Errno> {
        admissible([at.path])?;
        match &self.inode(self.find(at, false)?)?.body {
            Body::Symlink { target } => Ok(OsString::from_vec(target.to_vec()).into()),
            Body::Directory { .. } | Body::File { .. } | Body::Special(_) => Err(Errno::INVAL),
        }
    }

    /// `do_linkat`, `vfs_link`.
    fn link_inode(&mut self, source: Ino, to: At<'_, SimFile>) -> Result<(), Errno> {
        let (place, name) = self.free_place(to)?;
        if place.slash {
            return Err(Errno::NOENT);
        }
        self.may_link(self.inode(source)?)?;
        self.may_create(place.directory)?;
        let inode = self.inode(source)?;
        let is_linkable = match inode.body {
            Body::Directory { .. } => return Err(Errno::PERM),
            Body::File { linkable, .. } => linkable || inode.links > 0,
            Body::Symlink { .. } | Body::Special(_) => inode.links > 0,
        };
        if !is_linkable {
            return Err(Errno::NOENT);
        }
        self.enter(place.directory, &name, Some(source))?;
        self.modified(&[place.directory])?;
        let inode = self.inode_mut(source)?;
        inode.links += 1;
        if let Body::File { linkable, .. } = &mut inode.body {
            *linkable = false;
        }
        Ok(())
    }

    /// `do_renameat2`, `vfs_rename`.
    pub(super) fn rename_at(
        &mut self,
        from: At<'_, SimFile>,
        to: At<'_, SimFile>,
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        renames(flags)?;
        admissible([from.path, to.path])?;
        let (exchange, replace) = (flags == RenameFlags::EXCHANGE, flags.is_empty());
        let (old, new) = (self.parent(from)?, self.parent(to)?);
        let Last::Name(old_name) = &old.last else {
            return Err(Errno::BUSY);
        };
        let Last::Name(new_name) = &new.last else {
            return Err(if flags == RenameFlags::NOREPLACE { Errno::EXIST } else { Errno::BUSY });
        };
        let source = self.lookup(old.directory, old_name)?.ok_or(Errno::NOENT)?;
        let target = self.lookup(new.directory, new_name)?;
        match target {
            Some(_) if !replace && !exchange => return Err(Errno::EXIST),
            None if exchange => return Err(Errno::NOENT),
            _ => {}
        }
        let source_is_directory = self.inode(source)?.is_directory();
        let target_is_directory = match target {
            Some(target) => self.inode(target)?.is_directory(),
            None => false,
        };
        if exchange && !target_is_directory && new.slash {
            return Err(Errno::NOTDIR);
        }
        if !source_is_directory && (old.slash || (!exchange && new.slash)) {
            return Err(Errno::NOTDIR);
        }
        if self.is_within(new.directory, source)? {
            return Err(Errno::INVAL);
        }
        if let Some(target) = target
            && self.is_within(old.directory, target)?
        {
            return Err(if exchange { Errno::INVAL } else { Errno::NOTEMPTY });
        }
        if target == Some(source) {
            return Ok(());
        }
        self.may_delete(old.directory, source)?;
        match target {
            None => self.may_create(new.directory)?,
            Some(target) => {
                self.may_delete(new.directory, target)?;
                if !exchange && source_is_directory != target_is_directory {
                    return Err(if source_is_directory { Errno::NOTDIR } else { Errno::ISDIR });
                }
            }
        }
        if old.directory != new.directory {
            // A directory that moves gets another `..`, which is writing to it.
            for moved in [Some(source), target.filter(|_| exchange)].into_iter().flatten() {
                let inode = self.inode(moved)?;
                if inode.is_directory() {
                    self.permits(inode, Access::WRITE_OK)?;
                }
            }
        }
        if let Some(target) = target
            && !exchange
        {
            if target_is_directory && !self.entries(target)?.is_empty() {
                return Err(Errno::NOTEMPTY);
            }
            self.drop_link(target)?;
        }
        self.enter_all([
            (old.directory, old_name, target.filter(|_| exchange)),
            (new.directory, new_name, Some(source)),
        ])?;
        self.modified(&[old.directory, new.directory])?;
        self.lies_in(source, new.directory)?;
        match target {
            Some(target) if exchange => self.lies_in(target, old.directory),
            _ => Ok(()),
        }
    }

    /// Notes where a directory is now.
    fn lies_in(&mut self, inode: Ino, directory: Ino) -> Result<(), Errno> {
        if self.inode(inode)?.is_directory()
            && let Body::Directory { above, .. } = &mut self.inode_mut(inode)?.body
        {
            *above = directory;
        }
        Ok(())
    }
}
