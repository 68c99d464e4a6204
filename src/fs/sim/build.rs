//! First floor: a simulated world made ready, and listed. Imports its parent module, [`Tree`] and
//! rustix's vocabulary.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::super::{FileSystem, Node, Tree};
use super::inode::{Body, Ino};
use super::{FILE_BITS, ROOT, SimFs};

impl SimFs {
    /// The same world with one more directory, of exactly `mode`.
    ///
    /// # Errors
    ///
    /// Those of [`mkdir`](FileSystem::mkdir).
    pub fn with_directory(mut self, path: impl AsRef<Path>, mode: Mode) -> Result<Self, Errno> {
        self.mkdir(path.as_ref(), mode)?;
        let inode = self.find(path.as_ref())?;
        self.inode_mut(inode)?.mode = mode & FILE_BITS;
        Ok(self)
    }

    /// The same world with one more file, of exactly `mode`.
    ///
    /// # Errors
    ///
    /// Those of [`open`](FileSystem::open) with `O_CREAT` and `O_EXCL`.
    pub fn with_file(
        mut self,
        path: impl AsRef<Path>,
        mode: Mode,
        content: &[u8],
    ) -> Result<Self, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let file = self.open(path.as_ref(), flags, mode)?;
        let inode = self.inode_mut(file.inode)?;
        inode.mode = mode & FILE_BITS;
        inode.body = Body::File { bytes: content.into(), links: 1 };
        Ok(self)
    }

    /// Everything that has a name.
    pub fn tree(&self) -> Tree {
        let mut tree = Tree::default();
        self.collect(ROOT, Path::new(""), &mut tree);
        tree
    }

    fn collect(&self, inode: Ino, path: &Path, tree: &mut Tree) {
        let inode = &self.inodes[inode as usize];
        let mode = inode.mode;
        match &inode.body {
            Body::Directory(entries) => {
                tree.insert(path, Node::Directory { mode });
                for (name, &child) in entries {
                    self.collect(child, &path.join(OsStr::from_bytes(name)), tree);
                }
            }
            Body::File { bytes, links } => {
                let links = u64::from(*links);
                tree.insert(path, Node::File { mode, links, bytes: bytes.to_vec() });
            }
        }
    }
}
