//! First floor: who may do what in a simulated world. Imports its parent module and rustix;
//! modelled on Linux's `fs/namei.c` and `fs/attr.c`.

use rustix::fs::{Access, Mode};
use rustix::io::Errno;

use super::super::User;
use super::SimFs;
use super::inode::{Body, Ino, Inode};
use super::walk::Place;

/// Kernel settings that decide whether some attacks work. Each is a file of the same name in
/// `/proc/sys/fs`, documented in
/// [proc_sys_fs(5)](https://man7.org/linux/man-pages/man5/proc_sys_fs.5.html).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protections {
    /// `protected_symlinks`: in a sticky directory that everybody can write to, a symbolic link is
    /// followed only for the link's owner, or where the directory's owner made the link.
    pub symlinks: bool,
    /// `protected_regular`: in such a directory, `O_CREAT` does not open an existing file whose
    /// owner is neither the directory's owner nor the caller.
    pub regular: bool,
    /// `protected_regular` with the value 2: also in a sticky directory that its group can write to.
    pub regular_in_groups: bool,
    /// `protected_hardlinks`: a caller can link only to a file that it owns, or may read and write.
    pub hardlinks: bool,
}

impl Protections {
    /// All off, as the kernel starts and as older systems have them.
    pub const NONE: Protections =
        Protections { symlinks: false, regular: false, regular_in_groups: false, hardlinks: false };
    /// All on, as most distributions set them.
    pub const ALL: Protections =
        Protections { symlinks: true, regular: true, regular_in_groups: true, hardlinks: true };
}

/// The differences between file systems under one kernel, as far as a call here can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Format {
    /// Whether `O_TMPFILE` makes a file in a directory that was removed while it was open. If not,
    /// the answer is `EPERM`.
    pub unnamed_in_removed: bool,
    /// Whether a directory that was read to its end is at the greatest possible offset. If so,
    /// `read` is then answered `EINVAL`. If not, it is answered `EISDIR`, as it is before the end.
    pub directories_end_last: bool,
}

impl Format {
    /// As in tmpfs, and in a world here by default.
    pub const TMPFS: Format = Format { unnamed_in_removed: true, directories_end_last: false };
    /// As in ext4.
    pub const EXT4: Format = Format { unnamed_in_removed: false, directories_end_last: true };
}

/// What a call wants to do with an inode: `MAY_READ`, `MAY_WRITE`, `MAY_EXEC`.
pub(super) type Want = Access;

/// To make or remove a name in a directory.
pub(super) const CHANGE: Want = Access::WRITE_OK.union(Access::EXEC_OK);

impl SimFs {
    /// `inode_permission`, `generic_permission`: `EACCES` where the mode forbids it.
    pub(super) fn permits(&self, inode: &Inode, want: Want) -> Result<(), Errno> {
        if is_permitted(&self.user, inode, want) { Ok(()) } else { Err(Errno::ACCESS) }
    }

    /// `inode_owner_or_capable`.
    pub(super) fn owns(&self, inode: &Inode) -> bool {
        self.user.is_root() || self.user.uid == inode.uid
    }

    /// `inode_permission` of a directory in which a name is to be made; `ENOENT` if it was removed.
    pub(super) fn may_create(&self, directory: Ino) -> Result<(), Errno> {
        let directory = self.inode(directory)?;
        if directory.links == 0 {
            return Err(Errno::NOENT);
        }
        self.permits(directory, CHANGE)
    }

    /// `may_delete`, without what it says of directories: whether the name of `inode` may be taken
    /// out of `directory`.
    pub(super) fn may_delete(&self, directory: Ino, inode: Ino) -> Result<(), Errno> {
        let directory = self.inode(directory)?;
        self.permits(directory, CHANGE)?;
        let is_forbidden =
            directory.is_sticky() && !self.owns(self.inode(inode)?) && !self.owns(directory);
        if is_forbidden { Err(Errno::PERM) } else { Ok(()) }
    }

    /// `may_follow_link`: whether a final link may be followed.
    pub(super) fn may_follow(&self, directory: Ino, link: &Inode) -> Result<(), Errno> {
        let directory = self.inode(directory)?;
        let is_allowed = !self.protections.symlinks
            || link.uid == self.user.uid
            || !is_shared(directory)
            || directory.uid == link.uid;
        if is_allowed { Ok(()) } else { Err(Errno::ACCESS) }
    }

    /// `may_create_in_sticky`: whether `O_CREAT` may open what is there already.
    pub(super) fn may_open_in_sticky(&self, place: &Place, inode: &Inode) -> Result<(), Errno> {
        let directory = self.inode(place.directory)?;
        // Pipes have a setting of their own, and what is neither is always protected from all, but
        // not from a group.
        let is_file = matches!(inode.body, Body::File { .. });
        let is_exposed = if directory.mode.contains(Mode::WOTH) {
            !is_file || self.protections.regular
        } else {
            is_file && self.protections.regular_in_groups && directory.mode.contains(Mode::WGRP)
        };
        let is_allowed = !directory.is_sticky()
            || !is_exposed
            || inode.uid == directory.uid
            || inode.uid == self.user.uid;
        if is_allowed { Ok(()) } else { Err(Errno::ACCESS) }
    }

    /// `may_linkat`: whether `inode` may get another name.
    pub(super) fn may_link(&self, inode: &Inode) -> Result<(), Errno> {
        let is_allowed = !self.protections.hardlinks || self.owns(inode) || self.is_safe(inode);
        if is_allowed { Ok(()) } else { Err(Errno::PERM) }
    }

    /// `safe_hardlink_source`.
    fn is_safe(&self, inode: &Inode) -> bool {
        let runs_as_group = inode.mode.contains(Mode::SGID | Mode::XGRP);
        matches!(inode.body, Body::File { .. })
            && !inode.mode.contains(Mode::SUID)
            && !runs_as_group
            && self.permits(inode, Access::READ_OK | Access::WRITE_OK).is_ok()
    }

    /// The mode that a `chmod` to `mode` gives.
    pub(super) fn changed_mode(&self, inode: &Inode, mode: Mode) -> Mode {
        if self.user.is_in(inode.gid) || self.user.is_root() {
            mode
        } else {
            mode.difference(Mode::SGID)
        }
    }

    /// `setattr_should_drop_suidgid`: what remains of a file's mode once somebody wrote to it.
    pub(super) fn written_mode(&self, inode: &Inode) -> Mode {
        if self.user.is_root() {
            return inode.mode;
        }
        inode.mode.difference(Mode::SUID | self.lost_of_group(inode))
    }

    /// `chown_common`: what remains of a mode once a file was given to somebody, whoever gave it.
    pub(super) fn handed_over_mode(&self, inode: &Inode) -> Mode {
        if inode.is_directory() {
            return inode.mode;
        }
        inode.mode.difference(Mode::SUID | self.lost_of_group(inode))
    }

    /// `setattr_should_drop_sgid`.
    fn lost_of_group(&self, inode: &Inode) -> Mode {
        let is_kept = self.user.is_in(inode.gid) || self.user.is_root();
        if inode.mode.contains(Mode::XGRP) || !is_kept { Mode::SGID } else { Mode::empty() }
    }
}

/// Whether `user` may do this with the inode by its mode.
pub(super) fn is_permitted(user: &User, inode: &Inode, want: Want) -> bool {
    let class = match () {
        () if inode.uid == user.uid => 6,
        () if user.is_in(inode.gid) => 3,
        () => 0,
    };
    // Its width differs between systems.
    let granted = Access::from_bits_retain((inode.mode.as_raw_mode() >> class & 0o7) as _);
    if granted.contains(want) {
        return true;
    }
    // CAP_DAC_OVERRIDE: all but executing what nobody may execute.
    let executable = inode.is_directory() || inode.mode.as_raw_mode() & 0o111 != 0;
    user.is_root() && (executable || !want.contains(Access::EXEC_OK))
}

/// A sticky directory that all can write to, such as `/tmp`.
fn is_shared(directory: &Inode) -> bool {
    directory.mode.contains(Mode::SVTX | Mode::WOTH)
}
