//! Third floor, `store`: taking a download. Imports [`fs`](crate::fs).
//!
//! [`models::download`](crate::models::download) proves this function; [`OneTimeStore`] calls it.
//!
//! [`OneTimeStore`]: super::OneTimeStore

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::fs::{Errno, FileSystem, FlockOperation, Mode, OFlags, RenameFlags};

/// The step that decides which of several concurrent claims wins.
///
/// With each mechanism, exactly one of any number of claims of one put wins. The mechanisms differ
/// in what else may happen meanwhile. The verdict table of
/// [`models::download`](crate::models::download) has the details and the schedules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// Rename `content` to a name of this claim's own; the rename decides. It stays exactly-once
    /// when new content is put under the same key meanwhile. The default.
    #[default]
    RenameUnique,
    /// Rename `content` to `content.download`; the rename decides. It is not exactly-once when new
    /// content is put under the key meanwhile. Then a second claim's rename may replace the file
    /// that the first one has claimed. And a claim that fails may give back a file that the other
    /// has renamed.
    RenameFixed,
    /// Open `content`, then unlink it; the unlink decides. It takes one system call fewer. It is
    /// not exactly-once when new content is put under the key meanwhile: the unlink may remove
    /// other content than was opened.
    UnlinkDecides,
    /// Create `claim` exclusively; the creation decides. The file stays after delivery and expiry,
    /// so a key can be used once. A claim that comes before the content also uses the key up, and
    /// says so ([`Left::Marker`]). It is not exactly-once when the content is replaced meanwhile,
    /// or expired and put again: the unlink may remove other content than was opened.
    ClaimFile,
    /// Hold an advisory lock on the download's directory from the look to the unlink. It is not
    /// exactly-once when the content is replaced meanwhile, or expired and put again. Neither
    /// operation takes the lock, so the unlink may remove other content than was opened.
    AdvisoryLock,
}

impl Mechanism {
    /// All mechanisms.
    pub const ALL: [Mechanism; 5] = [
        Mechanism::RenameUnique,
        Mechanism::RenameFixed,
        Mechanism::UnlinkDecides,
        Mechanism::ClaimFile,
        Mechanism::AdvisoryLock,
    ];

    /// Whether a claim can keep the content until it is delivered.
    pub(super) fn keeps_content(self) -> bool {
        matches!(self, Mechanism::RenameUnique | Mechanism::RenameFixed)
    }
}

/// What a claim promises about a power failure, or about its own process's death.
///
/// Each promise is proved over every [`Profile`](crate::fs::Profile) of disks, with
/// [`recover()`](super::recover()) after the failure (scenarios `power-…` of
/// [`models::download`](crate::models::download)). Both cannot be had: between the decision and
/// the delivery, one of them has to give.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Durability {
    /// Nothing. After a power failure, content that was delivered may be back and be delivered
    /// again; content that was not may be lost with the process that claimed it. It costs nothing.
    /// The default.
    #[default]
    None,
    /// Nobody gets the content after somebody has got it. The claim is on disk before the content is
    /// handed out. Content whose claim had begun is lost with its process. It costs an `fsync` of
    /// the download's directory.
    AtMostOnce,
    /// The content is kept until the caller says that it is [delivered](super::OneTimeStore::delivered).
    /// If the process dies before that, or the power fails, it can be claimed again. So it may be
    /// delivered twice. A claim costs no `fsync`. It takes a mechanism that renames.
    ///
    /// By [`RenameFixed`](Mechanism::RenameFixed), content is kept as long as no other content is put
    /// under its key. Otherwise the next claim replaces the file that this one keeps.
    ///
    /// A file system on which a rename may be torn (profile
    /// [`Posix`](crate::fs::Profile::Posix)) can lose the content. No file system of Linux that has
    /// a journal is one.
    NothingLost,
}

/// How the name begins that a claim gives the content, before its token.
pub(super) const TAKEN: &[u8] = b"content.";
/// That name where all claims use the same one.
pub(super) const TAKEN_FIXED: &[u8] = b"content.download";
/// How that name begins where the content is kept. It is the whole name where all claims use the same.
pub(super) const KEPT: &[u8] = b"content.kept";
/// The marker of [`Mechanism::ClaimFile`].
pub(super) const MARKER: &[u8] = b"claim";

/// The names of one download's files, as one claim of it sees them.
///
/// All names are stored in one string, one after the other: a claim makes them once, in one
/// allocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Names {
    text: OsString,
    /// Where in it the directory, the content, meta and the claim end.
    ends: [usize; 4],
}

impl Names {
    /// The names in `directory` that a claim by `mechanism` with this promise uses. `token` belongs
    /// to this claim alone. It is part of a name only where the mechanism needs one.
    ///
    /// | mechanism | the claim's name | with `NothingLost` |
    /// | --- | --- | --- |
    /// | `RenameUnique` | `content.<token>` | `content.kept.<token>` |
    /// | `RenameFixed` | `content.download` | `content.kept` |
    /// | `ClaimFile` | `claim` | none: it keeps nothing |
    /// | others | none | none: they keep nothing |
    ///
    /// So a [`recover()`](super::recover()) sees by the name what it has to put back.
    pub fn new(
        directory: &Path,
        mechanism: Mechanism,
        durability: Durability,
        token: &str,
    ) -> Self {
        Names::of(directory, mechanism, durability, token.as_bytes())
    }

    /// The same, where nobody has to look whether the token is text.
    pub(super) fn of(
        directory: &Path,
        mechanism: Mechanism,
        durability: Durability,
        token: &[u8],
    ) -> Self {
        let directory = directory.as_os_str().as_bytes();
        let slash = match directory.last() {
            None | Some(b'/') => &b""[..],
            Some(_) => b"/",
        };
        let keeps = durability == Durability::NothingLost;
        let claim: &[&[u8]] = match mechanism {
            Mechanism::RenameUnique if keeps => &[directory, slash, KEPT, b".", token],
            Mechanism::RenameUnique => &[directory, slash, TAKEN, token],
            Mechanism::RenameFixed if keeps => &[directory, slash, KEPT],
            Mechanism::RenameFixed => &[directory, slash, TAKEN_FIXED],
            Mechanism::ClaimFile => &[directory, slash, MARKER],
            Mechanism::UnlinkDecides | Mechanism::AdvisoryLock => &[],
        };
        let mut text = Vec::with_capacity(3 * (directory.len() + 1) + 40 + token.len());
        let mut end = |parts: &[&[u8]]| {
            parts.iter().for_each(|part| text.extend_from_slice(part));
            text.len()
        };
        let ends = [
            end(&[directory]),
            end(&[slash, b"content"]),
            end(&[directory, slash, b"meta"]),
            end(claim),
        ];
        Names { text: OsString::from_vec(text), ends }
    }

    /// The download's directory.
    pub fn directory(&self) -> &Path {
        self.part(0, self.ends[0])
    }

    /// The file that is handed out once.
    pub fn content(&self) -> &Path {
        self.part(0, self.ends[1])
    }

    /// A file that exists from the first delivery on. Its modification time is the time of that
    /// delivery.
    pub fn meta(&self) -> &Path {
        self.part(self.ends[1], self.ends[2])
    }

    /// The name that this claim gives the content; empty if the mechanism uses none.
    pub fn claim(&self) -> &Path {
        self.part(self.ends[2], self.ends[3])
    }

    fn part(&self, start: usize, end: usize) -> &Path {
        Path::new(OsStr::from_bytes(&self.text.as_bytes()[start..end]))
    }
}

/// How a claim ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClaimEnd<File> {
    /// The claim won. The content can be read from `file`, and from nowhere else any more.
    Claimed {
        /// The content, open for reading, at its start.
        file: File,
        /// Whether the delivery was recorded in `meta`. By then the content was taken, so a failure
        /// here (a full disk, say) does not undo the claim. With [`NothingLost`](Durability::NothingLost)
        /// it is `Ok`, and [`delivered()`] records the delivery.
        recorded: Result<(), Errno>,
    },
    /// There is nothing to claim: the content was claimed before, expired, or never put.
    Gone,
    /// A system call failed.
    Failed(ClaimFailure),
}

/// A system call that failed, and where the content is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClaimFailure {
    /// The name of the call: `rename`, `open`, `unlink`, `flock`, `fsync`.
    pub call: &'static str,
    /// Its error.
    pub errno: Errno,
    /// What is on disk now.
    pub left: Left,
}

/// Where the content is after a failed claim.
///
/// This describes only what the claim itself did. The claim cannot know what others do at the same
/// time. For example, another claim may take the content that this one left in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Left {
    /// In its place, if there was any: it can be claimed again.
    Content,
    /// Under this claim's name: nobody else can claim it, and it is not lost. A
    /// [`recover()`](super::recover()) puts it back with `NothingLost`, and removes it otherwise.
    ClaimName,
    /// This claim has nothing and left nothing: somebody else has the content.
    Nothing,
    /// The content is in its place, but the claim's marker is there too. No claim can succeed until
    /// the marker is removed.
    ContentAndMarker,
    /// There was no content, but the claim's marker is there. Content that is put later cannot be
    /// claimed until the marker is removed.
    Marker,
    /// The content is gone, and nobody got it: it was removed, and it is not certain that this
    /// would survive a power failure.
    Lost,
}

/// Claims the download whose files have these names.
///
/// ```text
/// rename-unique, rename-fixed   rename content → claim; open claim; unlink claim; mark meta
/// unlink-decides                open content; unlink content; mark meta
/// claim-file                    create claim; open content; unlink content; mark meta
/// advisory-lock                 open directory; flock; open content; unlink content; mark meta; unlock
/// ```
///
/// The call that decides returns `ENOENT` (or `EEXIST`, for the marker) to every claim but the
/// winner. Those claims end with `Gone`. A claim by lock or marker also ends with `Gone` if it
/// finds no content when it unlinks. In that case an expiry was told that it removed the content
/// unclaimed, and that stays true.
///
/// If renamed content cannot be opened or unlinked (`EMFILE`, say), it is renamed back. A marker
/// that keeps others from such content is removed. Claims that come in between still end with
/// `Gone`: for them the content was not there.
///
/// It waits for the lock if `fs` [waits](crate::fs::OsFs::waiting).
///
/// ```text
/// at-most-once    after the call that decides: open directory; fsync
/// nothing-lost    the claim's name is not unlinked, and meta not marked, before `delivered`
/// ```
///
/// `durability` is no promise without [`recover()`](super::recover()) after a failure. `names` are
/// those of the same mechanism and promise. `NothingLost` by a mechanism that does not rename fails:
/// `fsync` with `EOPNOTSUPP`.
// Inlined with the system calls it makes, as these are, so that a claim is one function.
#[inline(always)]
pub fn claim<F: FileSystem>(
    fs: &mut F,
    mechanism: Mechanism,
    durability: Durability,
    names: &Names,
) -> ClaimEnd<F::File> {
    let lock = match mechanism {
        Mechanism::AdvisoryLock => match locked(fs, names) {
            Ok(lock) => Some(lock),
            Err(end) => return end,
        },
        _ => None,
    };
    let end = match take(fs, mechanism, durability, names) {
        Ok(file) => {
            let is_recorded_later = durability == Durability::NothingLost;
            let recorded = if is_recorded_later { Ok(()) } else { mark(fs, names.meta()) };
            ClaimEnd::Claimed { file, recorded }
        }
        Err(end) => end,
    };
    // Closing alone would not do where a child process holds the same open file. Where unlocking fails,
    // it is what is left to do.
    if let Some(mut lock) = lock
        && fs.flock(&mut lock, FlockOperation::Unlock).is_err()
    {
        fs.close(lock);
    }
    end
}

/// The content, or how the claim ended without.
type Taken<File> = Result<File, ClaimEnd<File>>;

/// Takes the content, and says so nowhere.
#[inline(always)]
pub(crate) fn take<F: FileSystem>(
    fs: &mut F,
    mechanism: Mechanism,
    durability: Durability,
    names: &Names,
) -> Taken<F::File> {
    let syncs = durability == Durability::AtMostOnce;
    match mechanism {
        Mechanism::RenameUnique | Mechanism::RenameFixed => by_rename(fs, durability, names),
        _ if durability == Durability::NothingLost => {
            Err(failed("fsync", Errno::OPNOTSUPP, Left::Content))
        }
        Mechanism::UnlinkDecides | Mechanism::AdvisoryLock => by_unlink(fs, syncs, names),
        Mechanism::ClaimFile => by_marker(fs, syncs, names),
    }
}

/// A system call that failed while a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeliveryFailure {
    /// The call: `unlink`, `open`.
    pub call: &'static str,
    /// Its error.
    pub errno: Errno,
    /// Whether the content is still there under the claim's name. A [`recover()`](super::recover())
    /// lets it be claimed again. Otherwise it is gone, and only `meta` does not say so.
    pub is_kept: bool,
}

/// Ends a delivery by a claim that keeps its content: `NothingLost`.
///
/// ```text
/// unlink the claim's name; mark meta
/// ```
///
/// It can be called again after a failure.
pub fn delivered<F: FileSystem>(fs: &mut F, names: &Names) -> Result<(), DeliveryFailure> {
    let failed = |call, is_kept| move |errno| DeliveryFailure { call, errno, is_kept };
    match fs.unlink(names.claim()) {
        Ok(()) | Err(Errno::NOENT) => mark(fs, names.meta()).map_err(failed("open", false)),
        Err(errno) => Err(failed("unlink", true)(errno)),
    }
}

/// Makes durable what the directory says now.
#[cold]
fn synced<F: FileSystem>(fs: &mut F, names: &Names) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut directory = fs.open(names.directory(), flags, Mode::empty())?;
    fs.fsync(&mut directory)
}

const READ: OFlags = OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The download's directory, locked.
fn locked<F: FileSystem>(fs: &mut F, names: &Names) -> Taken<F::File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut lock = fs.open(names.directory(), flags, Mode::empty()).map_err(missed("open"))?;
    match fs.flock(&mut lock, FlockOperation::LockExclusive) {
        Ok(()) => Ok(lock),
        Err(errno) => Err(failed("flock", errno, Left::Content)),
    }
}

#[inline(always)]
fn by_rename<F: FileSystem>(fs: &mut F, durability: Durability, names: &Names) -> Taken<F::File> {
    fs.rename(names.content(), names.claim()).map_err(missed("rename"))?;
    if durability == Durability::AtMostOnce
        && let Err(errno) = synced(fs, names)
    {
        return Err(failed("fsync", errno, renamed_back(fs, names)));
    }
    match fs.open(names.claim(), READ, Mode::empty()) {
        Ok(content) if durability == Durability::NothingLost => Ok(content),
        Ok(content) => match fs.unlink(names.claim()) {
            // The rename decided: whoever else removed the claim's name took nothing away.
            Ok(()) | Err(Errno::NOENT) => Ok(content),
            Err(errno) => Err(failed("unlink", errno, renamed_back(fs, names))),
        },
        Err(errno @ Errno::NOENT) => Err(failed("open", errno, Left::Nothing)),
        Err(errno) => Err(failed("open", errno, renamed_back(fs, names))),
    }
}

#[inline(always)]
fn by_unlink<F: FileSystem>(fs: &mut F, syncs: bool, names: &Names) -> Taken<F::File> {
    let content = fs.open(names.content(), READ, Mode::empty()).map_err(missed("open"))?;
    fs.unlink(names.content()).map_err(missed("unlink"))?;
    match if syncs { synced(fs, names) } else { Ok(()) } {
        Ok(()) => Ok(content),
        Err(errno) => Err(failed("fsync", errno, Left::Lost)),
    }
}

#[inline(always)]
fn by_marker<F: FileSystem>(fs: &mut F, syncs: bool, names: &Names) -> Taken<F::File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    match fs.open(names.claim(), flags, PRIVATE_FILE) {
        Ok(_marker) => {}
        Err(Errno::EXIST) => return Err(ClaimEnd::Gone),
        Err(errno) => return Err(missed("open")(errno)),
    }
    if syncs && let Err(errno) = synced(fs, names) {
        return Err(failed("fsync", errno, without_marker(fs, names)));
    }
    let content = match fs.open(names.content(), READ, Mode::empty()) {
        Ok(content) => content,
        // To remove the marker would let any number of claims each make one in turn.
        Err(errno @ Errno::NOENT) => return Err(failed("open", errno, Left::Marker)),
        Err(errno) => return Err(failed("open", errno, without_marker(fs, names))),
    };
    match fs.unlink(names.content()) {
        Ok(()) => Ok(content),
        // It was expired meanwhile. The key was used all the same, and the marker stays.
        Err(Errno::NOENT) => Err(ClaimEnd::Gone),
        Err(errno) => Err(failed("unlink", errno, without_marker(fs, names))),
    }
}

/// How a claim ends whose call failed before it took anything: somebody else has what is not there.
fn missed<File>(call: &'static str) -> impl Fn(Errno) -> ClaimEnd<File> {
    move |errno| match errno {
        Errno::NOENT => ClaimEnd::Gone,
        errno => failed(call, errno, Left::Content),
    }
}

fn failed<File>(call: &'static str, errno: Errno, left: Left) -> ClaimEnd<File> {
    ClaimEnd::Failed(ClaimFailure { call, errno, left })
}

/// Gives the content back, and says where it is then.
#[cold]
fn renamed_back<F: FileSystem>(fs: &mut F, names: &Names) -> Left {
    match fs.rename_with(names.claim(), names.content(), RenameFlags::NOREPLACE) {
        Ok(()) => Left::Content,
        // Somebody removed it, or has renamed other content over it and taken that.
        Err(Errno::NOENT) => Left::Nothing,
        Err(_) => Left::ClaimName,
    }
}

/// Lets others at the content again, and says what is there then.
#[cold]
fn without_marker<F: FileSystem>(fs: &mut F, names: &Names) -> Left {
    match fs.unlink(names.claim()) {
        Ok(()) | Err(Errno::NOENT) => Left::Content,
        Err(_) => Left::ContentAndMarker,
    }
}

/// A file for its owner alone.
pub(crate) const PRIVATE_FILE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Records a delivery: one call, because being there is all that `meta` says. A download that
/// expired meanwhile, directory and all, has nothing to be recorded in.
#[inline(always)]
pub(crate) fn mark<F: FileSystem>(fs: &mut F, meta: &Path) -> Result<(), Errno> {
    match fs.open(meta, OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC, PRIVATE_FILE) {
        Ok(_) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_joining_would_give() {
        for directory in ["key", "a/b", "", "a/"] {
            let directory = Path::new(directory);
            for (mechanism, durability, claim) in [
                (Mechanism::RenameUnique, Durability::None, "content.7"),
                (Mechanism::RenameUnique, Durability::AtMostOnce, "content.7"),
                (Mechanism::RenameUnique, Durability::NothingLost, "content.kept.7"),
                (Mechanism::RenameFixed, Durability::None, "content.download"),
                (Mechanism::RenameFixed, Durability::AtMostOnce, "content.download"),
                (Mechanism::RenameFixed, Durability::NothingLost, "content.kept"),
                (Mechanism::ClaimFile, Durability::None, "claim"),
            ] {
                let names = Names::new(directory, mechanism, durability, "7");
                assert_eq!(names.directory(), directory);
                assert_eq!(names.content(), directory.join("content"));
                assert_eq!(names.meta(), directory.join("meta"));
                assert_eq!(names.claim(), directory.join(claim));
            }
            let names = Names::new(directory, Mechanism::AdvisoryLock, Durability::None, "7");
            assert_eq!(names.claim(), Path::new(""));
        }
    }
}
