//! First floor: whose a simulated file is, and what may be done with it, changed. Imports its parent
//! module and rustix; modelled on Linux's `fs/open.c` (`chmod_common`, `chown_common`) and
//! `fs/attr.c` (`notify_change`, `setattr_prepare`, `setattr_copy`).

use rustix::fs::{AtFlags, Gid, Mode, Uid};
use rustix::io::Errno;

use super::super::At;
use super::super::path::follows;
use super::inode::{Ino, Inode};
use super::walk::admissible;
use super::{MODE_BITS, SimFile, SimFs};

/// The owner and the group that something is to have; `None` leaves it as it is.
pub(super) type Owners = (Option<Uid>, Option<Gid>);

impl SimFs {
    pub(super) fn chmod_at(
        &mut self,
        at: At<'_, SimFile>,
        mode: Mode,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let follow = follows(flags)?;
        admissible([at.path])?;
        let inode = self.find(at, follow)?;
        if self.inode(inode)?.is_symlink() {
            return Err(Errno::OPNOTSUPP);
        }
        self.change_mode(inode, mode)
    }

    pub(super) fn chmod_file(&mut self, file: &SimFile, mode: Mode) -> Result<(), Errno> {
        if file.is_path() {
            return Err(Errno::BADF);
        }
        self.change_mode(file.inode, mode)
    }

    pub(super) fn chown_at(
        &mut self,
        at: At<'_, SimFile>,
        owners: Owners,
        flags: AtFlags,
    ) -> Result<(), Errno> {
        let follow = follows(flags)?;
        admissible([at.path])?;
        self.change_owners(self.find(at, follow)?, owners)
    }

    pub(super) fn chown_file(&mut self, file: &SimFile, owners: Owners) -> Result<(), Errno> {
        if file.is_path() {
            return Err(Errno::BADF);
        }
        self.change_owners(file.inode, owners)
    }

    /// `chmod_common`, `setattr_prepare`.
    fn change_mode(&mut self, number: Ino, mode: Mode) -> Result<(), Errno> {
        let inode = self.inode(number)?;
        if !self.owns(inode) {
            return Err(Errno::PERM);
        }
        let (mode, before) = (self.changed_mode(inode, mode & MODE_BITS), inode.owners());
        self.inode_mut(number)?.mode = mode;
        self.note_owners(number, before);
        Ok(())
    }

    /// `chown_common`. Nobody is asked who they are where nothing changes: neither an owner, nor a
    /// group, nor a bit that is lost.
    fn change_owners(&mut self, number: Ino, (uid, gid): Owners) -> Result<(), Errno> {
        let inode = self.inode(number)?;
        let mode = self.handed_over_mode(inode);
        let is_allowed = uid.is_none_or(|uid| self.may_give_to(inode, uid))
            && gid.is_none_or(|gid| self.may_choose(inode, gid))
            && (mode == inode.mode || self.owns(inode));
        if !is_allowed {
            return Err(Errno::PERM);
        }
        let before = inode.owners();
        let inode = self.inode_mut(number)?;
        inode.uid = uid.unwrap_or(inode.uid);
        inode.gid = gid.unwrap_or(inode.gid);
        inode.mode = mode;
        self.note_owners(number, before);
        Ok(())
    }

    /// `chown_ok`.
    fn may_give_to(&self, inode: &Inode, uid: Uid) -> bool {
        self.user.is_root() || (self.user.uid == inode.uid && uid == inode.uid)
    }

    /// `chgrp_ok`.
    fn may_choose(&self, inode: &Inode, gid: Gid) -> bool {
        let is_own = gid == inode.gid || self.user.is_in(gid);
        self.user.is_root() || (self.user.uid == inode.uid && is_own)
    }
}
