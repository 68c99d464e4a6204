//! Third floor, `writer`: what a writer does, as a list of operations, and how it ends. Imports
//! [`fs`](crate::fs).
//!
//! A program that writes a file exclusively is short and straight, so it is data. One function
//! carries out all programs: the published ones, the ones that ship, and those with a step left
//! out.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use crate::fs::{At, Errno, Mode, OFlags, ResolveFlags, Uid};

/// One operation of a writer: one system call, unless its comment says otherwise. P is the path
/// that is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Opens P's directory within these limits (`openat2`). Everything that follows is relative to
    /// it. Without `openat2`, and if links are not followed, it opens one component after the
    /// other, each with a call of its own.
    Anchor(OFlags, ResolveFlags),
    /// `access`: notes whether P leads to anything. Ends with `Exists` if it does and must not be
    /// replaced.
    Access,
    /// `lstat`: ends with `IsSymlink` if P is a symbolic link.
    LookForLink,
    /// `lstat`: the same, and notes whether P is there. Also ends with `IsDirectory` or `IsSpecial`
    /// if P cannot be replaced, and with `Exists` if it must not be.
    Look,
    /// `unlink` of P, if it was seen to be there.
    Unlink,
    /// `open` of P. `EEXIST` ends with `Exists`, `ELOOP` with `IsSymlink`.
    Create(OFlags),
    /// `mkdir` of a directory in P's directory, for its owner only. Opens it, and checks that it is
    /// the one that was made. The temporary name is then in that directory. Nobody else can touch
    /// it, whatever happens to the name of the directory. The three calls are three steps.
    PrivateDirectory {
        /// Whether it checks; `false` in a mutant.
        inspects: bool,
    },
    /// `open` of a temporary name in P's directory that is this writer's own.
    CreateTemporary(OFlags),
    /// `O_TMPFILE`: makes a file without a name. Fails with `EOPNOTSUPP` if the file system has
    /// none.
    CreateUnnamed,
    /// `fchmod` of the file to the mode asked for, so that the umask has no effect.
    SetMode,
    /// `chmod` of P, following links.
    SetModeOfPath,
    /// `fstat`: notes which file it is.
    Identify,
    /// `write` until all bytes are written.
    Write,
    /// `fsync` of the file.
    Sync,
    /// `rename` of the temporary to P, whatever is at P.
    Rename,
    /// `renameat2` with `RENAME_NOREPLACE`: `EEXIST` ends with `Exists`.
    RenameNew,
    /// `linkat` of the open file to P. On `EEXIST` another `lstat` decides whether it ends with
    /// `IsSymlink` or `Exists`.
    Link,
    /// Puts the temporary in P's place without destroying a link at P: see [`Exchange`].
    Exchange(Exchange),
    /// `rmdir` of the private directory, which is empty by now.
    RemovePrivate,
    /// `lstat` of P: ends with `NotPrivate` if P is not the file that was identified.
    Verify,
    /// `fsync` of P's directory.
    SyncDirectory,
}

impl Op {
    /// Whether it opens a file, and keeps it.
    pub(super) fn opens(self) -> bool {
        use Op::{Anchor, Create, CreateTemporary, CreateUnnamed, PrivateDirectory};
        let makes_a_file = matches!(self, Create(_) | CreateTemporary(_) | CreateUnnamed);
        makes_a_file || matches!(self, Anchor(..) | PrivateDirectory { .. })
    }
}

/// The steps of [`Op::Exchange`]. Each call can be overtaken, so each answer is checked:
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
/// All fields are `true` in the code that ships; a mutant lacks one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Exchange {
    /// Looks at what was at P.
    pub inspects: bool,
    /// Puts a link back.
    pub puts_back: bool,
    /// Looks again at the entry that it got for the link before it removes it.
    pub reinspects: bool,
    /// Removes a replaced entry that is no link, and the new file itself where it was taken back.
    pub removes: bool,
}

impl Exchange {
    /// The version that ships.
    pub const WHOLE: Exchange =
        Exchange { inspects: true, puts_back: true, reinspects: true, removes: true };
}

/// What to write, where, and how. Its `Debug` form does not show the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Plan<'p> {
    /// The operations.
    pub program: &'p [Op],
    /// P's directory, as a path from the anchor of the world.
    pub directory: &'p Path,
    /// P's name in it.
    pub name: &'p Path,
    /// A name in that directory that nobody else uses, for programs that need one.
    pub temporary: &'p Path,
    /// The bytes to write.
    pub bytes: &'p [u8],
    /// The mode of the file.
    pub mode: Mode,
    /// The user who writes: a private directory has to belong to this user.
    pub owner: Uid,
    /// Whether an existing file is replaced.
    pub replace: bool,
}

impl fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("program", &self.program)
            .field("directory", &self.directory)
            .field("name", &self.name)
            .field("mode", &self.mode)
            .field("replace", &self.replace)
            .finish_non_exhaustive()
    }
}

impl Plan<'_> {
    /// P as a [`Place`]: relative to its directory if that is open.
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

/// A name in P's directory. It is the full path as given, or relative to that directory once it is
/// open. Calls of a [`FileSystem`](crate::fs::FileSystem) take it as they take a path.
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
    /// The outcome.
    pub outcome: Outcome,
    /// What it could not remove.
    pub left: Left,
    /// P's directory, if it was opened.
    pub directory: Option<File>,
    /// The file that was written to, if one was opened.
    pub file: Option<File>,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The file is written.
    Written,
    /// There is an entry at P, and it must not be replaced.
    Exists,
    /// There is a symbolic link at P.
    IsSymlink,
    /// There is a directory at P.
    IsDirectory,
    /// There is a device, a pipe or a socket at P.
    IsSpecial,
    /// The file was written and put in place, and is not in place any more.
    NotPrivate,
    /// The private directory is not the one that was made. Nothing was written.
    Interfered,
    /// The file is written and in place, but its directory could not be made durable.
    NotDurable {
        /// The error of `fsync`.
        errno: Errno,
    },
    /// The file was written and put in place. Whether it is still there could not be checked.
    Unverified {
        /// The error of `lstat`.
        errno: Errno,
    },
    /// A call failed, and the file is not in place.
    Failed {
        /// Which call: `open`, `write`, …
        call: &'static str,
        /// Its error.
        errno: Errno,
    },
}

/// What a writer leaves behind, apart from the file it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// The temporary name or the private directory, which could not be removed.
    Temporary,
    /// The former entry at P, under the temporary name. It could not be put back, and this writer
    /// had no right to remove it.
    Displaced,
    /// Perhaps a part of the file, at P.
    Part,
}
