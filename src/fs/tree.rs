//! First floor: everything in a world, as a value that is compared between worlds and read by a
//! person. Imports rustix and [`Kind`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, Uid};

use super::Kind;
use super::status::word;

/// Everything that has a name in a world, by path; the directory the world is anchored at is `.`.
///
/// Displayed with one line for each entry: a file as `content 0600 "s3cret"`, a directory as `./
/// 0700`, a link as `alias → content`. The line names the owner where that is not the user of this
/// process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tree(BTreeMap<PathBuf, Node>);

/// The file that a path names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A directory. Its link count is left out: file systems disagree about it.
    Directory {
        /// The owner.
        mode: Mode,
        /// Whose it is.
        owner: Uid,
    },
    /// A regular file.
    File {
        /// Permission bits.
        mode: Mode,
        /// The owner.
        owner: Uid,
        /// How many names it has.
        links: u64,
        /// Its whole content.
        bytes: Vec<u8>,
    },
    /// A symbolic link.
    Symlink {
        /// The owner.
        owner: Uid,
        /// How many names it has.
        links: u64,
        /// The link's target.
        target: PathBuf,
    },
    /// Anything else: a pipe, a socket, a device.
    Special {
        /// What kind of file it is.
        kind: Kind,
        /// Permission bits.
        mode: Mode,
        /// The owner.
        owner: Uid,
        /// How many names it has.
        links: u64,
    },
}

impl Tree {
    /// The node that `path` names. `path` is spelled as in the tree: `sub/content`, without `.` or
    /// an additional slash.
    pub fn get(&self, path: impl AsRef<Path>) -> Option<&Node> {
        self.0.get(path.as_ref())
    }

    /// The content of the regular file `path`; `None` if there is no such regular file.
    pub fn bytes(&self, path: impl AsRef<Path>) -> Option<&[u8]> {
        match self.get(path)? {
            Node::File { bytes, .. } => Some(bytes),
            Node::Directory { .. } | Node::Symlink { .. } | Node::Special { .. } => None,
        }
    }

    /// The same tree, in which everything that `from` owned belongs to `to`.
    pub fn handed_over(self, from: Uid, to: Uid) -> Tree {
        let hand_over = |mut node| {
            match &mut node {
                Node::Directory { owner, .. }
                | Node::File { owner, .. }
                | Node::Symlink { owner, .. }
                | Node::Special { owner, .. } => {
                    if *owner == from {
                        *owner = to;
                    }
                }
            }
            node
        };
        self.0.into_iter().map(|(path, node)| (path, hand_over(node))).collect()
    }

    /// Every entry, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &Node)> {
        self.0.iter().map(|(path, node)| (path.as_path(), node))
    }

    /// Adds an entry. `path` is empty for the anchor itself.
    pub(super) fn insert(&mut self, path: &Path, node: Node) {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        self.0.insert(path.to_path_buf(), node);
    }
}

impl FromIterator<(PathBuf, Node)> for Tree {
    fn from_iter<I: IntoIterator<Item = (PathBuf, Node)>>(entries: I) -> Self {
        Tree(entries.into_iter().collect())
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, node) in &self.0 {
            writeln!(f, "{}{node}", path.display())?;
        }
        Ok(())
    }
}

/// What follows the path in a line of [`Tree`].
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Directory { mode, owner } => {
                write!(f, "/ {:04o}{}", mode.as_raw_mode(), Owned(*owner))
            }
            Node::Symlink { links, target, owner } => {
                write!(f, " → {}{}", target.display(), Owned(*owner))?;
                if *links == 1 { Ok(()) } else { write!(f, " {links} links") }
            }
            Node::File { mode, owner, links, bytes } => {
                write!(f, " {:04o}{} ", mode.as_raw_mode(), Owned(*owner))?;
                if *links != 1 {
                    write!(f, "{links} links ")?;
                }
                write!(f, "{}", Quoted(bytes))
            }
            Node::Special { kind, mode, owner, links } => {
                let (kind, mode) = (word(*kind), mode.as_raw_mode());
                write!(f, " {mode:04o}{} ({kind})", Owned(*owner))?;
                if *links == 1 { Ok(()) } else { write!(f, " {links} links") }
            }
        }
    }
}

/// Whose something is, where it is not the caller's own: ` of user 7`.
struct Owned(Uid);

impl fmt::Display for Owned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == rustix::process::geteuid() {
            return Ok(());
        }
        write!(f, " of user {}", self.0.as_raw())
    }
}

/// Bytes as a person reads them: quoted, escaped, and cut where they are many.
pub(super) struct Quoted<'b>(pub(super) &'b [u8]);

impl Quoted<'_> {
    /// How many bytes are shown at most.
    const SHOWN: usize = 64;
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get(..Self::SHOWN) {
            Some(head) if head.len() < self.0.len() => {
                write!(f, "\"{}…\" ({} bytes)", head.escape_ascii(), self.0.len())
            }
            _ => write!(f, "\"{}\"", self.0.escape_ascii()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_told_one_line_an_entry() {
        let owner = rustix::process::geteuid();
        let file = |links, bytes: &[u8]| Node::File {
            mode: Mode::from_raw_mode(0o600),
            owner,
            links,
            bytes: bytes.to_vec(),
        };
        let tree: Tree = [
            ("sub".into(), Node::Directory { mode: Mode::from_raw_mode(0o755), owner }),
            ("sub/b".into(), file(2, b"\n")),
            ("a".into(), file(1, b"s3cret")),
            ("long".into(), file(1, &[b'x'; 65])),
        ]
        .into_iter()
        .collect();
        let xs = "x".repeat(64);
        assert_eq!(
            tree.to_string(),
            format!(
                "a 0600 \"s3cret\"\nlong 0600 \"{xs}…\" (65 bytes)\nsub/ 0755\nsub/b 0600 2 links \"\\n\"\n"
            )
        );
        assert_eq!(tree.bytes("a"), Some(&b"s3cret"[..]));
        assert_eq!(tree.bytes("sub"), None);
    }
}
