//! Third floor, `store`: taking a download, as a state machine. Imports
//! [`process`](crate::process) and [`fs`](crate::fs).
//!
//! [`models::download`](crate::models::download) proves this machine, [`OneTimeStore`] runs it.
//!
//! [`OneTimeStore`]: super::OneTimeStore

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::fs::{Errno, FileSystem, FlockOperation, Mode, OFlags, RenameFlags};
use crate::{Process, Step};

/// What makes one of several concurrent claims the winner.
///
/// With any of them, however many claims of one put there are, one wins. They differ in what else
/// may happen meanwhile; the verdict table of [`models::download`](crate::models::download) has
/// the details and the schedules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// Rename `content` to a name of this claim's own; the rename decides. Stays exactly-once when
    /// new content is put under the same key meanwhile. The default.
    #[default]
    RenameUnique,
    /// Rename `content` to `content.download`; the rename decides. Not when the key is put anew
    /// meanwhile: a second claim's rename lands on the first one's claimed file, and a claim that
    /// fails may give back what the other has renamed.
    RenameFixed,
    /// Open `content`, then unlink it; the unlink decides. One system call fewer. Not when the key
    /// is put anew meanwhile: the unlink may remove other content than was opened.
    UnlinkDecides,
    /// Create `claim` exclusively; the creation decides. The file stays, delivered or expired, so a
    /// key can be used once; a claim that comes before the content uses it up too, and says so
    /// ([`Left::Marker`]). Not when the content is replaced, or expired and put anew,
    /// meanwhile: the unlink may remove other content than was opened.
    ClaimFile,
    /// Hold an advisory lock on the download's directory from looking to unlinking. Not when the
    /// content is replaced, or expired and put anew, meanwhile: neither takes the lock, so the unlink
    /// may remove other content than was opened.
    AdvisoryLock,
}

impl Mechanism {
    /// All of them.
    pub const ALL: [Mechanism; 5] = [
        Mechanism::RenameUnique,
        Mechanism::RenameFixed,
        Mechanism::UnlinkDecides,
        Mechanism::ClaimFile,
        Mechanism::AdvisoryLock,
    ];
}

/// The names of one download's files, as one claim of it sees them.
///
/// They stand one behind the other in one text: a claim makes its names once, in one allocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Names {
    text: OsString,
    /// Where in it the directory, the content, meta and the claim end.
    ends: [usize; 4],
}

impl Names {
    /// The names in `directory` that a claim by `mechanism` uses. `token` is this claim's own, and
    /// part of a name only where the mechanism needs one.
    pub fn new(directory: &Path, mechanism: Mechanism, token: &str) -> Self {
        let directory = directory.as_os_str();
        let slash = match directory.as_bytes().last() {
            None | Some(b'/') => "",
            Some(_) => "/",
        };
        let claim = match mechanism {
            Mechanism::RenameUnique => ["content.", token],
            Mechanism::RenameFixed => ["content.download", ""],
            Mechanism::ClaimFile => ["claim", ""],
            Mechanism::UnlinkDecides | Mechanism::AdvisoryLock => ["", ""],
        };
        let mut text = OsString::with_capacity(3 * (directory.len() + 1) + 40 + token.len());
        let mut ends = [0; 4];
        text.push(directory);
        ends[0] = text.len();
        text.push(slash);
        text.push("content");
        ends[1] = text.len();
        text.push(directory);
        text.push(slash);
        text.push("meta");
        ends[2] = text.len();
        if !claim[0].is_empty() {
            text.push(directory);
            text.push(slash);
            text.push(claim[0]);
            text.push(claim[1]);
        }
        ends[3] = text.len();
        Names { text, ends }
    }

    /// The download's directory.
    pub fn directory(&self) -> &Path {
        self.part(0, self.ends[0])
    }

    /// What is to be handed out once.
    pub fn content(&self) -> &Path {
        self.part(0, self.ends[1])
    }

    /// There from the first delivery on; its modification time says when that was.
    pub fn meta(&self) -> &Path {
        self.part(self.ends[1], self.ends[2])
    }

    /// The name that this claim takes the content by; empty where it takes it by none.
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
    /// It won. The content can be read from `file`, and from nowhere else any more.
    Claimed {
        /// The content, open for reading, at its start.
        file: File,
        /// Whether the delivery could be recorded in `meta`. The content had been taken by then,
        /// so a failure here (a full disk, say) does not take it back.
        recorded: Result<(), Errno>,
    },
    /// There is nothing to claim: claimed before, expired, or never put.
    Gone,
    /// A system call failed.
    Failed(ClaimFailure),
}

/// A system call that failed, and where that leaves the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClaimFailure {
    /// The call: `rename`, `open`, `unlink`, `flock`.
    pub call: &'static str,
    /// Its error.
    pub errno: Errno,
    /// What is on disk now.
    pub left: Left,
}

/// Where a failed claim leaves the content.
///
/// This speaks of what the claim itself did. What others do at the same time, such as claiming the
/// content that this claim left where it was, it cannot know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Left {
    /// Where it was, if there was any: it can be claimed again.
    Content,
    /// Under this claim's name: nobody else can claim it, and it is not lost.
    ClaimName,
    /// This claim has nothing, and left nothing: somebody else has the content.
    Nothing,
    /// The content is where it was, but the claim's marker is there too: no claim can succeed until
    /// the marker is removed.
    ContentAndMarker,
    /// There was no content, but the claim's marker is there: what is put later cannot be claimed
    /// until the marker is removed.
    Marker,
}

/// One claim. Each step is one system call.
///
/// ```text
/// rename-unique, rename-fixed   rename content → claim; open claim; unlink claim; mark meta
/// unlink-decides                open content; unlink content; mark meta
/// claim-file                    create claim; open content; unlink content; mark meta
/// advisory-lock                 open directory; flock; open content; unlink content; mark meta; unlock
/// ```
///
/// The call that decides answers `ENOENT` (or `EEXIST`, for the marker) to everyone but the winner,
/// who is told `Gone`. So is a claim by lock or marker that finds no content any more when it
/// unlinks: then an expiry was told that it removed the content unclaimed, and that stays true.
///
/// Once renamed, content that cannot be opened or unlinked (`EMFILE`, say) is renamed back, and a
/// marker that keeps others from such content is removed. Claims that come in between are told
/// `Gone` all the same: to them it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim<File> {
    names: Arc<Names>,
    mechanism: Mechanism,
    /// Always, but in a negative control of the model.
    marks: bool,
    at: At<File>,
}

/// The step to take next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum At<File> {
    Rename,
    CreateMarker,
    OpenDirectory,
    Lock(File),
    Open { lock: Option<File> },
    Unlink { content: File, lock: Option<File> },
    Mark { content: File, lock: Option<File> },
    Unlock { lock: File, end: ClaimEnd<File> },
    RenameBack { call: &'static str, errno: Errno },
    RemoveMarker { call: &'static str, errno: Errno },
}

impl<File> Claim<File> {
    /// A claim by `mechanism` of the download that goes by these names.
    pub fn new(mechanism: Mechanism, names: impl Into<Arc<Names>>) -> Self {
        let at = match mechanism {
            Mechanism::RenameUnique | Mechanism::RenameFixed => At::Rename,
            Mechanism::UnlinkDecides => At::Open { lock: None },
            Mechanism::ClaimFile => At::CreateMarker,
            Mechanism::AdvisoryLock => At::OpenDirectory,
        };
        Claim { names: names.into(), mechanism, marks: true, at }
    }

    /// A claim that does not record its delivery: a negative control for the model.
    #[cfg(feature = "command")]
    pub(crate) fn without_meta(self) -> Self {
        Claim { marks: false, ..self }
    }

    /// The name that holds the content when it is opened and unlinked.
    #[inline(always)]
    fn held(&self) -> &Path {
        match self.mechanism {
            Mechanism::RenameUnique | Mechanism::RenameFixed => self.names.claim(),
            Mechanism::UnlinkDecides | Mechanism::ClaimFile | Mechanism::AdvisoryLock => {
                self.names.content()
            }
        }
    }

    #[inline(always)]
    fn goes_on(self, at: At<File>) -> Step<Self, ClaimEnd<File>> {
        Step::Next(Claim { at, ..self })
    }

    /// Ends, giving back the lock first where there is one.
    #[inline(always)]
    fn ends(self, lock: Option<File>, end: ClaimEnd<File>) -> Step<Self, ClaimEnd<File>> {
        match lock {
            None => Step::Done(end),
            Some(lock) => self.goes_on(At::Unlock { lock, end }),
        }
    }
}

fn failed<File>(call: &'static str, errno: Errno, left: Left) -> ClaimEnd<File> {
    ClaimEnd::Failed(ClaimFailure { call, errno, left })
}

impl<F: FileSystem> Process<F> for Claim<F::File> {
    type Output = ClaimEnd<F::File>;

    // Inlined with the system calls it makes, as these are, so that a claim is one function.
    #[inline(always)]
    fn step(self, fs: &mut F) -> Step<Self, Self::Output> {
        let Claim { names, mechanism, marks, at } = self;
        // What goes on from here, with the step to take next still to be said.
        let rest = Claim { names, mechanism, marks, at: At::Rename };
        match at {
            At::Rename => match fs.rename(rest.names.content(), rest.names.claim()) {
                Ok(()) => rest.goes_on(At::Open { lock: None }),
                Err(Errno::NOENT) => Step::Done(ClaimEnd::Gone),
                Err(errno) => Step::Done(failed("rename", errno, Left::Content)),
            },
            At::CreateMarker => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                match fs.open(rest.names.claim(), flags, PRIVATE_FILE) {
                    Ok(_marker) => rest.goes_on(At::Open { lock: None }),
                    Err(Errno::EXIST | Errno::NOENT) => Step::Done(ClaimEnd::Gone),
                    Err(errno) => Step::Done(failed("open", errno, Left::Content)),
                }
            }
            At::OpenDirectory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                match fs.open(rest.names.directory(), flags, Mode::empty()) {
                    Ok(directory) => rest.goes_on(At::Lock(directory)),
                    Err(Errno::NOENT) => Step::Done(ClaimEnd::Gone),
                    Err(errno) => Step::Done(failed("open", errno, Left::Content)),
                }
            }
            At::Lock(mut lock) => match fs.flock(&mut lock, FlockOperation::LockExclusive) {
                Ok(()) => rest.goes_on(At::Open { lock: Some(lock) }),
                Err(Errno::WOULDBLOCK) => Step::Blocked(Claim { at: At::Lock(lock), ..rest }),
                Err(errno) => Step::Done(failed("flock", errno, Left::Content)),
            },
            At::Open { lock } => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                match (fs.open(rest.held(), flags, Mode::empty()), mechanism) {
                    (Ok(content), _) => rest.goes_on(At::Unlink { content, lock }),
                    (Err(Errno::NOENT), Mechanism::UnlinkDecides | Mechanism::AdvisoryLock) => {
                        rest.ends(lock, ClaimEnd::Gone)
                    }
                    // To remove the marker would let any number of claims each make one in turn.
                    (Err(errno @ Errno::NOENT), Mechanism::ClaimFile) => {
                        Step::Done(failed("open", errno, Left::Marker))
                    }
                    (
                        Err(errno @ Errno::NOENT),
                        Mechanism::RenameUnique | Mechanism::RenameFixed,
                    ) => Step::Done(failed("open", errno, Left::Nothing)),
                    (Err(errno), Mechanism::RenameUnique | Mechanism::RenameFixed) => {
                        rest.goes_on(At::RenameBack { call: "open", errno })
                    }
                    (Err(errno), Mechanism::ClaimFile) => {
                        rest.goes_on(At::RemoveMarker { call: "open", errno })
                    }
                    (Err(errno), Mechanism::UnlinkDecides | Mechanism::AdvisoryLock) => {
                        rest.ends(lock, failed("open", errno, Left::Content))
                    }
                }
            }
            At::Unlink { content, lock } => match (fs.unlink(rest.held()), mechanism) {
                (Ok(()), _) if !marks => {
                    rest.ends(lock, ClaimEnd::Claimed { file: content, recorded: Ok(()) })
                }
                (Ok(()), _) => rest.goes_on(At::Mark { content, lock }),
                (Err(Errno::NOENT), Mechanism::UnlinkDecides | Mechanism::AdvisoryLock) => {
                    rest.ends(lock, ClaimEnd::Gone)
                }
                // It was expired meanwhile. The key was used all the same, and the marker stays.
                (Err(Errno::NOENT), Mechanism::ClaimFile) => Step::Done(ClaimEnd::Gone),
                // The rename decided: whoever else removed the claim's name took nothing away.
                (Err(Errno::NOENT), Mechanism::RenameUnique | Mechanism::RenameFixed) => {
                    rest.goes_on(At::Mark { content, lock })
                }
                (Err(errno), Mechanism::RenameUnique | Mechanism::RenameFixed) => {
                    rest.goes_on(At::RenameBack { call: "unlink", errno })
                }
                (Err(errno), Mechanism::ClaimFile) => {
                    rest.goes_on(At::RemoveMarker { call: "unlink", errno })
                }
                (Err(errno), Mechanism::UnlinkDecides | Mechanism::AdvisoryLock) => {
                    rest.ends(lock, failed("unlink", errno, Left::Content))
                }
            },
            At::Mark { content, lock } => {
                let recorded = mark(fs, rest.names.meta());
                rest.ends(lock, ClaimEnd::Claimed { file: content, recorded })
            }
            At::Unlock { mut lock, end } => {
                // Closing alone would not do where a child process holds the same open file. Where
                // unlocking fails, it is what is left to do.
                if fs.flock(&mut lock, FlockOperation::Unlock).is_err() {
                    fs.close(lock);
                }
                Step::Done(end)
            }
            At::RenameBack { call, errno } => {
                let back = fs.rename_with(
                    rest.names.claim(),
                    rest.names.content(),
                    RenameFlags::NOREPLACE,
                );
                let left = match back {
                    Ok(()) => Left::Content,
                    // Somebody removed it, or has renamed other content over it and taken that.
                    Err(Errno::NOENT) => Left::Nothing,
                    Err(_) => Left::ClaimName,
                };
                Step::Done(failed(call, errno, left))
            }
            At::RemoveMarker { call, errno } => {
                let left = match fs.unlink(rest.names.claim()) {
                    Ok(()) | Err(Errno::NOENT) => Left::Content,
                    Err(_) => Left::ContentAndMarker,
                };
                Step::Done(failed(call, errno, left))
            }
        }
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
            let names = Names::new(directory, Mechanism::RenameUnique, "7");
            assert_eq!(names.directory(), directory);
            assert_eq!(names.content(), directory.join("content"));
            assert_eq!(names.meta(), directory.join("meta"));
            assert_eq!(names.claim(), directory.join("content.7"));
            let names = Names::new(directory, Mechanism::ClaimFile, "7");
            assert_eq!(names.claim(), directory.join("claim"));
            let names = Names::new(directory, Mechanism::AdvisoryLock, "7");
            assert_eq!(names.claim(), Path::new(""));
        }
    }
}
