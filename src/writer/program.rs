//! Third floor, `writer`: what a writer does, as a list of operations, and how it ends. Imports
//! [`fs`](crate::fs).
//!
//! A way of writing a file exclusively is short and straight, so it is data: the published ones, the
//! ones that ship, and what remains of them when a step is left out are carried out by the same function.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use crate::fs::{At, Errno, Mode, OFlags, ResolveFlags, Uid};

/// One operation of a writer: one system call, save where it says otherwise. P is the path that is
/// written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Opens P's directory within these limits (`openat2`); whatever follows is relative to it.
    /// Where there is no `openat2`, and links are not to be followed, it is opened one component
    /// after the other, a call each.
    Anchor(OFlags, ResolveFlags),
    /// `access`: notes whether P leads to anything, and ends with `Exists` if it is not to be
    /// replaced.
    Access,
    /// `lstat`: ends with `IsSymlink` if P is one.
    LookForLink,
    /// `lstat`: the same; also notes whether P is there, and ends with `IsDirectory` or `IsSpecial`
    /// if it cannot be replaced, with `Exists` if it is not to be.
    Look,
    /// `unlink` of P, if it was seen to be there.
    Unlink,
    /// `open` of P. `EEXIST` ends with `Exists`, `ELOOP` with `IsSymlink`.
    Create(OFlags),
    /// `mkdir` of a directory in P's directory, for its owner only; opens it, and makes sure that it
    /// is what was made. The temporary name is then in there, and nobody else can touch it,
    /// whatever becomes of the name of the directory. The three calls are three steps.
    PrivateDirectory {
        /// Makes sure; `false` in a mutant.
        inspects: bool,
    },
    /// `open` of a temporary name in P's directory that is this writer's own.
    CreateTemporary(OFlags),
    /// `O_TMPFILE`: a file without a name. Fails with `EOPNOTSUPP` where the file system has none.
    CreateUnnamed,
    /// `fchmod` of the file to the mode asked for, which takes the umask out of the matter.
    SetMode,
    /// `chmod` of P, following links.
    SetModeOfPath,
    /// `fstat`: notes which file it is.
    Identify,
    /// `write` until all is written.
    Write,
    /// `fsync` of the file.
    Sync,
    /// `rename` of the temporary to P, whatever is there.
    Rename,
    /// `renameat2` with `RENAME_NOREPLACE`: `EEXIST` ends with `Exists`.
    RenameNew,
    /// `linkat` of the open file to P. `EEXIST` ends with `IsSymlink` or `Exists`, as another
    /// `lstat` says.
    Link,
    /// Puts the temporary in P's place without destroying a link that is there: see [`Exchange`].
    Exchange(Exchange),
    /// `rmdir` of the private directory, which is empty by now.
    RemovePrivate,
    /// `lstat` of P: ends with `NotPrivate` if it is not the file that was identified.
    Verify,
    /// `fsync` of P's directory.
    SyncDirectory,
}

impl Op {
    /// Whether it opens a file, and keeps it.
    pub(super) fn opens(self) -> bool {
        matches!(
            self,
            Op::Anchor(..)
                | Op::Create(_)
                | Op::PrivateDirectory { .. }
                | Op::CreateTemporary(_)
                | Op::CreateUnnamed
        )
    }
}

/// How [`Op::Exchange`] goes about it. Each call can be overtaken, so each answer is looked at:
///
/// ```text
/// new:      renameat2(temporary → P, NOREPLACE)    EEXIST: exchange
/// exchange: renameat2(temporary ↔ P)               ENOENT: new
/// inspect:  lstat(temporary), what was at P        a file: remove it, done
/// back:     renameat2(temporary ↔ P)               ENOENT: return
/// reinspect: lstat(temporary)                      ours: remove it, `IsSymlink`
/// return:   renameat2(temporary → P, NOREPLACE)    EEXIST: back
/// ```
///
/// For a moment the new file stands where a link was. The link is moved, never removed.
///
/// The fields are all `true` in what ships; a mutant lacks one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exchange {
    /// Looks at what was there.
    pub inspects: bool,
    /// Puts a link back.
    pub puts_back: bool,
    /// Looks again at what it got for the link before it removes it.
    pub reinspects: bool,
    /// Removes what is no link and was replaced, and the file itself where it was taken back.
    pub removes: bool,
}

impl Exchange {
    /// What ships.
    pub const WHOLE: Exchange =
        Exchange { inspects: true, puts_back: true, reinspects: true, removes: true };
}

/// What to write, where, and how. Its `Debug` form does not tell what is written.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Plan<'p> {
    /// How.
    pub program: &'p [Op],
    /// The directory of P, from the anchor of the world.
    pub directory: &'p Path,
    /// P's name in it.
    pub name: &'p Path,
    /// A name in it that nobody else uses, for programs that need one.
    pub temporary: &'p Path,
    /// What is written.
    pub bytes: &'p [u8],
    /// The mode of the file.
    pub mode: Mode,
    /// Who writes: a private directory has to be this user's.
    pub owner: Uid,
    /// Whether what is there is replaced.
    pub replace: bool,
}

impl fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("program", &self.program)
            .field("directory", &self.directory)
            .field("name", &self.name)
            .field("temporary", &self.temporary)
            .field("bytes", &format_args!("{} bytes", self.bytes.len()))
            .field("mode", &self.mode)
            .field("owner", &self.owner)
            .field("replace", &self.replace)
            .finish()
    }
}

impl Plan<'_> {
    /// P, from its directory if that is open.
    #[inline(always)]
    pub fn place<'w, File>(&'w self, directory: Option<&'w File>) -> Place<'w, File> {
        self.named(self.name, directory)
    }

    /// The same of another name in P's directory.
    #[inline(always)]
    pub(super) fn named<'w, File>(
        &'w self,
        name: &'w Path,
        directory: Option<&'w File>,
    ) -> Place<'w, File> {
        let path = match directory {
            Some(_) => Cow::Borrowed(name),
            None => Cow::Owned(self.directory.join(name)),
        };
        Place { directory, path }
    }
}

/// A name in P's directory, by the path it was given as or from that directory once it is open. Calls
/// of a [`FileSystem`](crate::fs::FileSystem) take it as they take a path.
#[derive(Debug)]
pub struct Place<'w, File> {
    directory: Option<&'w File>,
    path: Cow<'w, Path>,
}

impl<'w, File> From<&'w Place<'_, File>> for At<'w, File> {
    #[inline(always)]
    fn from(place: &'w Place<'_, File>) -> Self {
        At::new(place.directory, &place.path)
    }
}

/// How a writer ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WriteEnd<File> {
    /// With what.
    pub outcome: Outcome,
    /// What it could not help leaving behind.
    pub left: Left,
    /// P's directory, if it was opened.
    pub directory: Option<File>,
    /// The file that was written to, if one was opened.
    pub file: Option<File>,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It is written.
    Written,
    /// Something is there, and it was not to be replaced.
    Exists,
    /// There is a symbolic link.
    IsSymlink,
    /// There is a directory.
    IsDirectory,
    /// There is a device, a pipe or a socket.
    IsSpecial,
    /// It was written and put in place, and is not in place any more.
    NotPrivate,
    /// The private directory is not the one that was made: nothing was written.
    Interfered,
    /// It is written and in place, but its directory could not be made durable.
    NotDurable {
        /// The error of `fsync`.
        errno: Errno,
    },
    /// It was written and put in place; whether it is there still could not be seen.
    Unverified {
        /// The error of `lstat`.
        errno: Errno,
    },
    /// A call failed, and it is not in place.
    Failed {
        /// Which: `open`, `write`, …
        call: &'static str,
        /// Its error.
        errno: Errno,
    },
}

/// What a writer leaves behind, beside what it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// The temporary name or the private directory: it could not be removed.
    Temporary,
    /// What was at P, under the temporary name: it could not be put back, and was not this writer's
    /// to remove.
    Displaced,
    /// Perhaps a part at P.
    Part,
}
