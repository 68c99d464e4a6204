//! First floor: opening in a simulated world. Imports its parent module and rustix; modelled on
//! Linux's `fs/open.c` and `fs/namei.c` (`build_open_flags`, `path_openat`, `open_last_lookups`,
//! `do_open`, `may_open`, `do_tmpfile`, `do_o_path`).

use std::sync::Arc;

#[cfg(not(any(target_os = "linux", target_os = "android")))]
use crate::fs::LinuxOpenFlags as _;
use crate::fs::ResolveFlags;
use rustix::fs::{Access, Mode, OFlags};
use rustix::io::Errno;

use super::super::path::{limits, understood};
use super::super::{At, Kind};
use super::inode::{Body, Held, Ino, Inode};
use super::permit::CHANGE;
use super::rare::Rare;
use super::walk::{Last, Place, Walk, admissible};
use super::{MODE_BITS, SimFile, SimFs};

/// All that `O_PATH` takes notice of.
pub(super) const PATH_FLAGS: OFlags =
    OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// What is at the end of a path that is to be opened.
enum Found {
    /// This inode, by the name at this place.
    There(Ino, Place),
    /// Nothing; it could be made at this place.
    Nothing(Place),
}

/// `O_TMPFILE` without the `O_DIRECTORY` in it.
pub(super) const TMPFILE_BIT: OFlags = OFlags::TMPFILE.difference(OFlags::DIRECTORY);

impl SimFs {
    pub(super) fn open_at(
        &mut self,
        at: At<'_, SimFile>,
        flags: OFlags,
        mode: Mode,
    ) -> Result<SimFile, Errno> {
        understood(flags)?;
        admissible([at.path])?;
        let flags = if flags.contains(OFlags::PATH) { flags & PATH_FLAGS } else { flags };
        self.open_checked(at, flags, mode & MODE_BITS, ResolveFlags::empty())
    }

    /// What `openat2` refuses that `openat` ignores, then the same.
    pub(super) fn open_at_within(
        &mut self,
        at: At<'_, SimFile>,
        flags: OFlags,
        mode: Mode,
        resolve: ResolveFlags,
    ) -> Result<SimFile, Errno> {
        understood(flags)?;
        limits(resolve)?;
        admissible([at.path])?;
        let makes = flags.intersects(OFlags::CREATE | TMPFILE_BIT);
        let is_meaningless = resolve.contains(ResolveFlags::BENEATH | ResolveFlags::IN_ROOT)
            || (flags.contains(OFlags::PATH) && !PATH_FLAGS.contains(flags))
            || (!makes && !mode.is_empty())
            || !MODE_BITS.contains(mode);
        if is_meaningless {
            return Err(Errno::INVAL);
        }
        self.open_checked(at, flags, mode, resolve)
    }

    /// `build_open_flags`, `path_openat`. `O_CREAT` with `O_DIRECTORY` is answered `EINVAL`, as Linux
    /// does since 6.4.
    fn open_checked(
        &mut self,
        at: At<'_, SimFile>,
        flags: OFlags,
        mode: Mode,
        resolve: ResolveFlags,
    ) -> Result<SimFile, Errno> {
        let is_writing = flags.intersects(OFlags::RWMODE);
        let is_tmpfile = flags.contains(TMPFILE_BIT);
        if flags.contains(OFlags::CREATE | OFlags::DIRECTORY)
            || (is_tmpfile && (!flags.contains(OFlags::DIRECTORY) || !is_writing))
        {
            return Err(Errno::INVAL);
        }
        let found = self.find_to_open(at, flags, resolve)?;
        let inode = match found {
            Found::There(directory, _) if is_tmpfile => {
                self.make_unnamed(directory, flags, mode)?
            }
            Found::There(inode, place) if flags.contains(OFlags::PATH) => {
                self.may_be_no_directory(&place, inode, flags)?;
                inode
            }
            Found::There(inode, place) => {
                self.may_open(&place, inode, flags)?;
                self.truncate(inode, flags)?;
                inode
            }
            Found::Nothing(place) if flags.contains(OFlags::CREATE) => self.make(&place, mode)?,
            Found::Nothing(_) => return Err(Errno::NOENT),
        };
        // Without a disk, it makes no difference when bytes get there.
        let synced = if self.has_disk() { OFlags::SYNC | OFlags::DSYNC } else { OFlags::empty() };
        let flags = flags & (OFlags::RWMODE | OFlags::APPEND | OFlags::PATH | synced);
        let mut rare = Rare::default();
        rare.set_stream(self.beginning(inode));
        Ok(SimFile { inode, flags, offset: 0, lock: Held::None, rare })
    }

    /// `open_last_lookups`: the last component, through links where they are to be followed.
    fn find_to_open(
        &self,
        at: At<'_, SimFile>,
        flags: OFlags,
        resolve: ResolveFlags,
    ) -> Result<Found, Errno> {
        let creates = flags.contains(OFlags::CREATE);
        let exclusive = creates && flags.contains(OFlags::EXCL);
        let follows = !exclusive && !flags.contains(OFlags::NOFOLLOW);
        let (mut walk, mut place) = Walk::start(self, at, resolve)?;
        loop {
            if creates && place.slash && matches!(place.last, Last::Name(_)) {
                return Err(Errno::ISDIR);
            }
            match walk.look(&place)? {
                None => return Ok(Found::Nothing(place)),
                Some((_, Some(target))) if follows || place.slash => {
                    place = walk.follow(place, &target, true)?;
                }
                Some((inode, _)) => return Ok(Found::There(inode, place)),
            }
        }
    }

    /// `may_o_create`, `vfs_create`.
    fn make(&mut self, place: &Place, mode: Mode) -> Result<Ino, Errno> {
        let Last::Name(name) = &place.last else { return Err(Errno::NOENT) };
        self.may_create(place.directory)?;
        self.create(place.directory, name, mode, Body::file())
    }

    /// `vfs_tmpfile`: a file without a name.
    fn make_unnamed(&mut self, directory: Ino, flags: OFlags, mode: Mode) -> Result<Ino, Errno> {
        if !self.inode(directory)?.is_directory() {
            return Err(Errno::NOTDIR);
        }
        self.permits(self.inode(directory)?, CHANGE)?;
        if self.inode(directory)?.links == 0 && !self.format.unnamed_in_removed {
            return Err(Errno::PERM);
        }
        let linkable = !flags.contains(OFlags::EXCL);
        let body = Body::File { bytes: Arc::default(), linkable };
        let inode = self.made_in(directory, mode, body)?;
        let number = self.add(Inode { links: 0, ..inode })?;
        self.modified(&[number])?;
        Ok(number)
    }

    /// `LOOKUP_DIRECTORY`: `ENOTDIR` where a directory is asked for, by a flag or by a slash.
    fn may_be_no_directory(&self, place: &Place, inode: Ino, flags: OFlags) -> Result<(), Errno> {
        let is_asked_for = place.slash || flags.contains(OFlags::DIRECTORY);
        if is_asked_for && !self.inode(inode)?.is_directory() {
            return Err(Errno::NOTDIR);
        }
        Ok(())
    }

    /// `do_open`, `may_open`: whether what is there may be opened so.
    fn may_open(&self, place: &Place, number: Ino, flags: OFlags) -> Result<(), Errno> {
        let inode = self.inode(number)?;
        if flags.contains(OFlags::CREATE) {
            if flags.contains(OFlags::EXCL) {
                return Err(Errno::EXIST);
            }
            if inode.is_directory() {
                return Err(Errno::ISDIR);
            }
            // Whether a pipe is protected there, a setting says that is not simulated.
            if inode.kind() == Kind::Fifo {
                return Err(Errno::NXIO);
            }
            self.may_open_in_sticky(place, inode)?;
        }
        self.may_be_no_directory(place, number, flags)?;
        let want = wanted(flags);
        if inode.is_symlink() {
            return Err(Errno::LOOP);
        }
        if inode.is_directory() && want.contains(Access::WRITE_OK) {
            return Err(Errno::ISDIR);
        }
        self.permits(inode, want)?;
        if let Body::Special(_) = inode.body { Err(Errno::NXIO) } else { Ok(()) }
    }

    /// `O_TRUNC` truncates whatever the access mode.
    fn truncate(&mut self, number: Ino, flags: OFlags) -> Result<(), Errno> {
        if flags.contains(OFlags::TRUNC) { self.resize(number, 0) } else { Ok(()) }
    }
}

/// `ACC_MODE`: what opening with these flags asks for. The access mode 3 asks for both and gets
/// neither.
fn wanted(flags: OFlags) -> Access {
    let mut want = match flags & OFlags::RWMODE {
        OFlags::RDONLY => Access::READ_OK,
        OFlags::WRONLY => Access::WRITE_OK,
        _ => Access::READ_OK | Access::WRITE_OK,
    };
    if flags.contains(OFlags::TRUNC) {
        want |= Access::WRITE_OK;
    }
    want
}
