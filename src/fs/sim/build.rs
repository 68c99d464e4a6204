//! First floor: building a simulated world, and looking into it. Imports its parent module,
//! [`Tree`] and rustix's vocabulary.

use std::ffi::OsStr;
use std::fmt;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Access, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::super::{Node, Time, Tree, User};
use super::inode::{Body, Ino, Inode};
use super::listing::Listing;
use super::permit::is_permitted;
use super::{Format, MODE_BITS, Protections, ROOT, SimFile, SimFs};
use crate::calls::called;

impl SimFs {
    /// An empty directory that root owns, with mode 0700. Root acts on it with umask 022, all
    /// [`Protections`] are off, and the file system is a [tmpfs](Format::TMPFS).
    pub fn new() -> Self {
        Self::of(User::ROOT)
    }

    /// Like [`new`](SimFs::new), with a directory that `user` owns and acts on.
    pub fn of(user: User) -> Self {
        let root = Inode::new(&user, Mode::RWXU, Body::directory(ROOT));
        SimFs {
            inodes: vec![Arc::new(root)],
            user,
            protections: Protections::NONE,
            format: Format::TMPFS,
            write_limit: None,
            listing: Listing::default(),
            clock: None,
            disk: None,
            ended: 0,
        }
    }

    /// The same world with another umask.
    pub fn with_umask(mut self, umask: Mode) -> Self {
        self.user.umask = umask;
        self
    }

    /// The umask of those who act in it.
    pub fn umask(&self) -> Mode {
        self.user.umask
    }

    /// The same world under a kernel with these settings.
    pub fn with_protections(self, protections: Protections) -> Self {
        // There is one setting for both, and it is that high only with the lesser one in it.
        let regular = protections.regular || protections.regular_in_groups;
        SimFs { protections: Protections { regular, ..protections }, ..self }
    }

    /// The same world on a file system of this format.
    pub fn with_format(self, format: Format) -> Self {
        SimFs { format, ..self }
    }

    /// The same world, in which one `write` writes at most so many bytes, as when a signal arrives
    /// or space gets short. With `None`, it writes all of them.
    pub fn with_short_writes(self, limit: Option<NonZeroUsize>) -> Self {
        SimFs { write_limit: limit, ..self }
    }

    /// The same world, in which one [`getdents`](crate::fs::FileSystem::getdents) answers at most
    /// so many names, as when a directory is larger than the buffer. With `None`, it answers all of
    /// them.
    pub fn with_short_listings(mut self, limit: Option<NonZeroUsize>) -> Self {
        self.listing.limit = limit;
        self
    }

    /// The same world, in which a directory remembers its names when it is opened. Then a name that
    /// was made between the opening and the first call may be answered or not
    /// ([`getdents_answers`](SimFs::getdents_answers)).
    ///
    /// Without this setting, the listing begins at the first call. Then there are fewer worlds
    /// where directories are open only to start paths from.
    pub fn with_listings_from_open(mut self) -> Self {
        self.listing.from_open = true;
        self
    }

    /// The same world with one more directory, whose mode is exactly `mode`.
    ///
    /// # Errors
    ///
    /// Those of [`mkdir`](crate::fs::FileSystem::mkdir).
    pub fn with_directory(mut self, path: impl AsRef<Path>, mode: Mode) -> Result<Self, Errno> {
        self.mkdir_at(path.as_ref().into(), mode)?;
        let inode = self.find(path.as_ref().into(), false)?;
        self.inode_mut(inode)?.mode = mode & MODE_BITS;
        self.settle();
        Ok(self)
    }

    /// The same world with one more file, whose mode is exactly `mode`.
    ///
    /// # Errors
    ///
    /// Those of [`open`](crate::fs::FileSystem::open) with `O_CREAT` and `O_EXCL`.
    pub fn with_file(
        mut self,
        path: impl AsRef<Path>,
        mode: Mode,
        content: &[u8],
    ) -> Result<Self, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let file = self.open_at(path.as_ref().into(), flags, mode)?;
        let inode = self.inode_mut(file.inode)?;
        inode.mode = mode & MODE_BITS;
        inode.body = Body::File { bytes: content.into(), linkable: false };
        self.settle();
        Ok(self)
    }

    /// Everything that has a name.
    ///
    /// This method and those below are for properties, and for observers ([`observed`]). A step
    /// that calls one has [made a call](crate::calls::called): no program sees all of this at once,
    /// and none sees something and acts on it in one call.
    ///
    /// [`observed`]: crate::fs::FileSystem::observed
    pub fn tree(&self) -> Tree {
        looked("tree");
        let mut tree = Tree::default();
        self.collect(ROOT, Path::new(""), &mut tree);
        tree
    }

    fn collect(&self, inode: Ino, path: &Path, tree: &mut Tree) {
        let inode = &self.inodes[inode as usize];
        let (mode, owner, links) = (inode.mode, inode.uid, u64::from(inode.links));
        match &inode.body {
            Body::Directory { entries, .. } => {
                tree.insert(path, Node::Directory { mode, owner });
                for (name, &child) in entries {
                    self.collect(child, &path.join(OsStr::from_bytes(name)), tree);
                }
            }
            Body::File { bytes, .. } => {
                tree.insert(path, Node::File { mode, owner, links, bytes: bytes.to_vec() });
            }
            Body::Symlink { target } => {
                let target = OsStr::from_bytes(target).into();
                tree.insert(path, Node::Symlink { owner, links, target });
            }
            Body::Special(kind) => {
                tree.insert(path, Node::Special { kind: *kind, mode, owner, links });
            }
        }
    }

    /// All inodes that were ever made, in that order, those without a name too.
    pub fn inodes(&self) -> impl Iterator<Item = SimInode<'_>> {
        looked("inodes");
        self.inodes.iter().enumerate().map(|(number, inode)| SimInode { number, inode })
    }

    /// The inode that `path` names, whoever asks. Links in the path are not followed.
    pub fn named(&self, path: impl AsRef<Path>) -> Option<SimInode<'_>> {
        looked("named");
        let names = path.as_ref().as_os_str().as_bytes().split(|byte| *byte == b'/');
        let mut number = ROOT;
        for name in names.filter(|name| !matches!(*name, b"" | b".")) {
            number = *self.entries(number).ok()?.get(name)?;
        }
        let number = number as usize;
        Some(SimInode { number, inode: self.inodes.get(number)? })
    }

    /// The inode of an open file.
    pub fn opened(&self, file: &SimFile) -> Option<SimInode<'_>> {
        looked("opened");
        let number = file.inode as usize;
        Some(SimInode { number, inode: self.inodes.get(number)? })
    }

    /// The content of every file that `user` could open for reading by some path, now or after a
    /// `chmod` of files that `user` owns.
    pub fn readable_by(&self, user: User) -> Vec<&[u8]> {
        looked("readable_by");
        let mut found = Vec::new();
        let mut directories = vec![ROOT];
        while let Some(directory) = directories.pop() {
            let may =
                |inode: &Inode, want| inode.uid == user.uid || is_permitted(&user, inode, want);
            let inode = &self.inodes[directory as usize];
            let Body::Directory { entries, .. } = &inode.body else { continue };
            if !may(inode, Access::EXEC_OK) {
                continue;
            }
            for &child in entries.values() {
                let inode = &self.inodes[child as usize];
                match &inode.body {
                    Body::Directory { .. } => directories.push(child),
                    Body::File { bytes, .. } if may(inode, Access::READ_OK) => found.push(&**bytes),
                    // What a link leads to has a path of its own.
                    Body::File { .. } | Body::Symlink { .. } | Body::Special(_) => {}
                }
            }
        }
        found
    }
}

/// Tells that somebody looked into the world, past its calls.
fn looked(how: &str) {
    called(format_args!("SimFs::{how}"));
}

impl fmt::Debug for SimFs {
    /// Everything that has a name, as a person reads it: `{content: 0600 "s3cret", drop: / 0700}`.
    /// Worlds that differ only in inodes without a name (or in who acts) may look the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tree = self.tree();
        let named = tree.iter().filter(|(path, _)| *path != Path::new("."));
        let told = named.map(|(path, node)| {
            let node = node.to_string();
            (path.display().to_string(), node.trim().to_owned())
        });
        let told: Vec<_> = told.collect();
        f.debug_map().entries(told.iter().map(|(path, node)| (Plain(path), Plain(node)))).finish()
    }
}

/// A text that is shown as it is.
struct Plain<'t>(&'t str);

impl fmt::Debug for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// An inode of a [`SimFs`], as properties look at it.
#[derive(Clone, Copy, Debug)]
pub struct SimInode<'w> {
    number: usize,
    pub(super) inode: &'w Inode,
}

impl<'w> SimInode<'w> {
    /// The inode's number: how many inodes were made before it.
    pub fn number(&self) -> usize {
        self.number
    }

    /// The inode's owner.
    pub fn owner(&self) -> Uid {
        self.inode.uid
    }

    /// The inode's permission bits.
    pub fn mode(&self) -> Mode {
        self.inode.mode
    }

    /// The content of a regular file.
    pub fn bytes(&self) -> Option<&'w [u8]> {
        match &self.inode.body {
            Body::File { bytes, .. } => Some(bytes),
            Body::Directory { .. } | Body::Symlink { .. } | Body::Special(_) => None,
        }
    }

    /// The names in a directory, each with the number of its inode; none for other inodes.
    pub fn entries(&self) -> impl Iterator<Item = (&'w [u8], usize)> + use<'w> {
        let entries = match &self.inode.body {
            Body::Directory { entries, .. } => Some(entries),
            Body::File { .. } | Body::Symlink { .. } | Body::Special(_) => None,
        };
        entries.into_iter().flatten().map(|(name, number)| (&**name, *number as usize))
    }

    /// When the inode was last modified, in a world with a clock.
    pub fn modified(&self) -> Option<Time> {
        self.inode.modified
    }

    /// The user who removed or replaced the inode's last name, if it has no name any more.
    pub fn removed_by(&self) -> Option<Uid> {
        self.inode.removed_by
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{FileSystem, Users};
    use super::*;

    fn mode(bits: u32) -> Mode {
        Mode::from_raw_mode(bits)
    }

    #[test]
    fn readable_is_what_a_path_leads_to_now_or_after_a_chmod_of_ones_own() -> Result<(), Errno> {
        let (alice, bob) = (User::numbered(7), User::numbered(8));
        let mut world = SimFs::new().with_directory("hers", mode(0o777))?;
        world = world.with_directory("hidden", mode(0o700))?;
        world = world.with_file("hidden/public", mode(0o644), b"out of reach")?;
        world = world.with_file("public", mode(0o644), b"public")?;
        world = world.with_file("private", mode(0o600), b"root's")?;
        world.chmod(".", mode(0o755))?;
        world.act_as(alice)?;
        world = world.with_file("hers/locked", mode(0), b"locked")?;
        world = world.with_file("hers/written", mode(0o622), b"written")?;
        assert_eq!(world.readable_by(alice), [&b"public"[..], b"locked", b"written"]);
        assert_eq!(world.readable_by(bob), [&b"public"[..]]);
        assert_eq!(world.readable_by(User::ROOT).len(), 5);
        Ok(())
    }

    #[test]
    fn a_world_is_shown_by_what_has_a_name() -> Result<(), Errno> {
        let world = SimFs::of(User::current()).with_file("content", mode(0o600), b"s3cret")?;
        let mut world = world.with_directory("drop", mode(0o700))?;
        world.link("content", "drop/again")?;
        let file = r#"0600 2 links "s3cret""#;
        let told = format!("{{content: {file}, drop: / 0700, drop/again: {file}}}");
        assert_eq!(format!("{world:?}"), told);
        Ok(())
    }

    #[test]
    fn a_short_write_takes_as_much_as_it_may_and_goes_on_from_there() -> Result<(), Errno> {
        let mut world = SimFs::new().with_short_writes(NonZeroUsize::new(4));
        let mut file = world.open("a", OFlags::CREATE | OFlags::WRONLY, mode(0o600))?;
        assert_eq!(world.write(&mut file, b"s3cret"), Ok(4));
        assert_eq!(world.write(&mut file, b"et"), Ok(2));
        assert_eq!(world.tree().bytes("a"), Some(&b"s3cret"[..]));
        let mut whole = world.with_short_writes(None);
        assert_eq!(whole.write(&mut file, b"0123456789"), Ok(10));
        Ok(())
    }
}
