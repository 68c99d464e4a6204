//! First floor: everything below a directory of the kernel's, read one entry after the other. Imports
//! [`Tree`] and rustix.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags, RawMode, Stat, Uid};
use rustix::io::Errno;

use super::super::status::kind_of;
use super::super::{Kind, Node, Tree};
use super::uninterrupted;

#[allow(clippy::unnecessary_cast)] // its width differs between systems
/// Adds `directory`, whose path below the anchor is `path`, and all below it to `tree`.
pub(super) fn collect(
    directory: BorrowedFd<'_>,
    path: &Path,
    tree: &mut Tree,
) -> Result<(), Errno> {
    let stat = fs::fstat(directory)?;
    tree.insert(path, Node::Directory { mode: mode_of(&stat), owner: owner_of(&stat) });
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let below = path.join(OsStr::from_bytes(name.to_bytes()));
        let open = |flags| {
            let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            uninterrupted(|| fs::openat(directory, name, flags, Mode::empty()))
        };
        let stat = fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode as RawMode) {
            FileType::Directory => collect(open(OFlags::DIRECTORY)?.as_fd(), &below, tree)?,
            FileType::RegularFile => tree.insert(&below, file_node(open(OFlags::NONBLOCK)?)?),
            FileType::Symlink => {
                let target = fs::readlinkat(directory, name, Vec::new())?.into_bytes();
                let (owner, links) = (owner_of(&stat), stat.st_nlink as u64);
                let target = OsString::from_vec(target).into();
                tree.insert(&below, Node::Symlink { owner, links, target });
            }
            other => {
                let kind = kind_of(other).unwrap_or(Kind::Other);
                let (mode, owner, links) = (mode_of(&stat), owner_of(&stat), stat.st_nlink as u64);
                tree.insert(&below, Node::Special { kind, mode, owner, links });
            }
        }
    }
    Ok(())
}

#[allow(clippy::unnecessary_cast)] // its width differs between systems
fn file_node(file: OwnedFd) -> Result<Node, Errno> {
    let stat = fs::fstat(&file)?;
    let mut bytes = Vec::new();
    File::from(file)
        .read_to_end(&mut bytes)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let (mode, owner) = (mode_of(&stat), owner_of(&stat));
    Ok(Node::File { mode, owner, links: stat.st_nlink as u64, bytes })
}

fn owner_of(stat: &Stat) -> Uid {
    Uid::from_raw(stat.st_uid)
}

fn mode_of(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode as RawMode)
}
