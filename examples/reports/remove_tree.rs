//! Remove a tree (Go's `os.RemoveAll`, issue 52745; the first fix of another library's CVE of the same family).
//!
//! Promise: nothing outside of the tree is removed. An attacker who may write in the parent renames the directory
//! away and puts a symbolic link in its place.
//!
//! - `original` opens the directory *following* links: the link's target is emptied.
//! - `by_path` does not follow it, and then removes the entries by path: through the link again.
//! - `by_descriptor` does not follow it, and removes by descriptor: right.
//! - Left over: a directory that is moved while it is open is emptied where it now is.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use toctou::check::System;
use toctou::direct::{Code, DirectFs};
use toctou::fs::{AtFlags, Errno, FileSystem, Kind, Mode, OFlags, SimFs};

use crate::Program;

/// Removes a file, or says that it is a directory: `unlinkat`, and `fstatat` of what it cannot remove.
fn is_directory<F: FileSystem>(fs: &mut F, at: (&F::File, &OsStr)) -> Result<bool, Errno> {
    match fs.unlink(at) {
        Err(Errno::ISDIR) => Ok(fs.stat(at, AtFlags::SYMLINK_NOFOLLOW)?.kind == Kind::Directory),
        Err(Errno::NOENT) => Ok(false),
        removed => removed.map(|()| false),
    }
}

/// Everything by descriptor, with these flags to open a directory.
fn remove<F: FileSystem>(fs: &mut F, at: (&F::File, &OsStr), flags: OFlags) -> Result<(), Errno> {
    if !is_directory(fs, at)? {
        return Ok(());
    }
    let mut directory = fs.open(at, OFlags::RDONLY | flags, Mode::empty())?;
    for name in fs.getdents(&mut directory)? {
        remove(fs, (&directory, &name.name), flags)?;
    }
    fs.rmdir(at)
}

fn original<F: FileSystem>(fs: &mut F, parent: &F::File, name: &Path) -> Result<(), Errno> {
    remove(fs, (parent, name.as_os_str()), OFlags::empty())
}

fn by_descriptor<F: FileSystem>(fs: &mut F, parent: &F::File, name: &Path) -> Result<(), Errno> {
    remove(fs, (parent, name.as_os_str()), OFlags::DIRECTORY | OFlags::NOFOLLOW)
}

/// Does not follow a link where it opens, and then removes by path.
fn by_path<F: FileSystem>(fs: &mut F, parent: &F::File, name: &Path) -> Result<(), Errno> {
    if !is_directory(fs, (parent, name.as_os_str()))? {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let mut directory = fs.open((parent, name), flags, Mode::empty())?;
    for entry in fs.getdents(&mut directory)? {
        by_path(fs, parent, &name.join(entry.name))?;
    }
    fs.rmdir((parent, name))
}

type Remove = fn(&mut DirectFs, &toctou::direct::DirectFile, &Path) -> Result<(), Errno>;

fn tree() -> Result<SimFs, Errno> {
    let fs =
        SimFs::new().with_directory("work", Mode::RWXU)?.with_directory("work/t", Mode::RWXU)?;
    let fs = fs.with_file("work/t/x", Mode::RUSR, b"")?.with_directory("precious", Mode::RWXU)?;
    fs.with_file("precious/x", Mode::RUSR, b"")
}

/// Somebody removes `work/t`, and somebody else moves it to `to`, with a link in its place.
fn attacked(remove: Remove, to: &'static str) -> Program<Result<(), Errno>> {
    let remover = move |fs: &mut DirectFs| {
        let work = fs.open("work", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
        remove(fs, &work, Path::new("t"))
    };
    let attacker = move |fs: &mut DirectFs| {
        fs.rename("work/t", to)?;
        fs.symlink(&PathBuf::from("../precious"), "work/t")
    };
    System::new(tree().expect("a tree"))
        .actor("remover", Code::files(remover))
        .actor("attacker", Code::files(attacker))
        .always("nothing-outside", |state| state.world().tree().get("precious/x").is_some())
        .reachable("removed", |state| state.world().tree().get("work/t").is_none())
}

/// What is moved elsewhere stays as it is.
fn kept(remove: Remove) -> Program<Result<(), Errno>> {
    attacked(remove, "elsewhere").finally("what-is-moved-stays", |state| {
        let tree = state.world().tree();
        tree.get("elsewhere").is_none() || tree.get("elsewhere/x").is_some()
    })
}

pub(crate) fn tell() {
    crate::tell("remove a tree, original", || attacked(original, "work/old"));
    crate::tell("remove a tree, by path", || attacked(by_path, "work/old"));
    crate::tell("remove a tree, by descriptor", || attacked(by_descriptor, "work/old"));
    crate::tell("remove a tree, by descriptor, moved elsewhere", || kept(by_descriptor));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_in_the_place_of_the_directory_leads_outside() {
        for remove in [original as Remove, by_path] {
            attacked(remove, "work/old").assert_breaks("nothing-outside");
            crate::assert_replayed(attacked(remove, "work/old"));
        }
    }

    #[test]
    fn by_descriptor_nothing_outside_is_removed() {
        attacked(by_descriptor, "work/old").assert_holds();
    }

    #[test]
    fn what_is_moved_while_it_is_open_is_emptied_where_it_is() {
        kept(by_descriptor).assert_breaks("what-is-moved-stays");
        crate::assert_replayed(kept(by_descriptor));
    }
}
