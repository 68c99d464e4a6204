//! Third floor, `store`: what can go wrong, and what is on disk then. Imports [`fs`](crate::fs).

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Recovered;
use super::claim::{KEPT, Left, Mechanism};
use crate::errno::errno_told;
use crate::fs::Errno;

/// Why a text is not a valid key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It is empty.
    #[error("a key must not be empty")]
    Empty,
    /// It is longer than a file name can be.
    #[error("a key is a file name, so at most 255 bytes; this one has {0}")]
    TooLong(usize),
    /// It names something outside the store, or the store itself.
    #[error("`{0}` is no key: it would not name an entry of the store's own directory")]
    NotAName(String),
    /// It has a character that no plain file name has.
    #[error("`{}` is no key: {character:?} is not allowed in one", key.escape_debug())]
    Character {
        /// The key.
        key: String,
        /// The first such character.
        character: char,
    },
}

/// Why a store cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is nothing at this path.
    #[error("no directory {path}: create it first, for its owner only (mkdir -m 700)")]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// Not a directory.
    #[error("{path} is not a directory")]
    NotADirectory {
        /// The path.
        path: PathBuf,
    },
    /// Others may write there, so they could put their own directory in a download's place.
    #[error("others than its owner may write to {path} (mode {mode:o}): chmod 700 it first")]
    NotPrivate {
        /// The path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Any other error of the system.
    #[error("cannot open the store {path}: {}", told(*errno))]
    Failed {
        /// The path.
        path: PathBuf,
        /// The error.
        errno: Errno,
    },
}

/// Why nothing was put.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// The key is not valid.
    #[error(transparent)]
    BadKey(#[from] KeyError),
    /// Unclaimed content is there; it was left as it is.
    #[error("`{key}` holds content that nobody has claimed; it was left as it is")]
    Occupied {
        /// The key.
        key: String,
    },
    /// A system call failed. Nothing of the new content is visible under the key, and content that
    /// was there before still is.
    #[error("cannot put `{key}`: {call} failed: {}{}", told(*errno), temporary(left))]
    Failed {
        /// The key.
        key: String,
        /// The system call.
        call: &'static str,
        /// Its error.
        errno: Errno,
        /// A temporary file that could not be removed either, relative to the store.
        left: Option<PathBuf>,
    },
    /// The key was used before. A store that claims by [`ClaimFile`](super::Mechanism::ClaimFile)
    /// uses a key once: nobody could claim content that is put there now.
    #[error("`{key}` was used before: choose another key, or remove {} to use it again", marker.display())]
    Used {
        /// The key.
        key: String,
        /// The marker that shows this, relative to the store.
        marker: PathBuf,
    },
    /// The content is there and can be claimed, but it may not survive a power failure: making it
    /// durable failed.
    #[error("`{key}` is there, but perhaps not after a power failure: {call} failed: {}", told(*errno))]
    NotDurable {
        /// The key.
        key: String,
        /// The system call.
        call: &'static str,
        /// Its error.
        errno: Errno,
    },
}

/// Why a claim got no content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// The key is not valid.
    #[error(transparent)]
    BadKey(#[from] KeyError),
    /// The store promises [`NothingLost`](super::Durability::NothingLost), and its mechanism cannot
    /// keep content that is claimed.
    #[error("nothing can be kept by {0:?}: claim by RenameUnique or RenameFixed, or promise less")]
    CannotKeep(Mechanism),
    /// Somebody else has the content, it expired, or there never was any. A claim cannot tell
    /// which.
    #[error("`{key}` is gone: claimed, expired, or never put")]
    Gone {
        /// The key.
        key: String,
    },
    /// A system call failed.
    #[error("cannot claim `{key}`: {call} failed: {}; {}", told(*errno), whereabouts(*left, claim_name))]
    Failed {
        /// The key.
        key: String,
        /// The system call.
        call: &'static str,
        /// Its error.
        errno: Errno,
        /// Where the content is now.
        left: Left,
        /// The name that this claim gave the content, relative to the store. It matters where
        /// `left` says so.
        claim_name: PathBuf,
    },
}

/// Why a download was not expired.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpireError {
    /// The key is not valid.
    #[error(transparent)]
    BadKey(#[from] KeyError),
    /// The content, if there is any, could not be removed and can still be claimed.
    #[error("cannot expire `{key}`, it can still be claimed: unlink failed: {}", told(*errno))]
    Failed {
        /// The key.
        key: String,
        /// The error.
        errno: Errno,
    },
    /// The content is gone, but it may be back after a power failure: making that durable failed.
    #[error(
        "`{key}` is gone, but perhaps not after a power failure: {call} failed: {}; expire it again",
        told(*errno)
    )]
    NotDurable {
        /// The key.
        key: String,
        /// The system call.
        call: &'static str,
        /// Its error.
        errno: Errno,
    },
}

/// Why a delivery could not be ended. The content was delivered all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// The content is still there. A [`recover`](super::OneTimeStore::recover) lets it be claimed
    /// again.
    #[error(
        "cannot remove what was delivered: unlink failed: {}; remove {}, or a recover puts it back",
        told(*errno), claim_name.display()
    )]
    Kept {
        /// The error.
        errno: Errno,
        /// The name that the claim gave the content, relative to the store.
        claim_name: PathBuf,
    },
    /// The content is gone, as it should be. Only [`status`](super::OneTimeStore::status) does not
    /// say that it was delivered.
    #[error("it was delivered and is gone, but that could not be recorded: open failed: {}", told(*errno))]
    NotRecorded {
        /// The error.
        errno: Errno,
    },
}

/// Why a recovery is not complete. It went on with all else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot recover {}: {call} failed: {}; all else was recovered: put this right, then recover again",
    path.display(), told(*errno)
)]
pub struct RecoverError {
    /// What the first call that failed was about, relative to the store: a download's directory, a file
    /// in it, or `.`, the store itself.
    pub path: PathBuf,
    /// The first call that failed: `open`, `getdents`, `stat`, `rename`, `unlink`.
    pub call: &'static str,
    /// Its error.
    pub errno: Errno,
    /// What the recovery did, before and after that call.
    pub done: Recovered,
}

/// `ENOSPC, no space left on device`, and what to do about it.
fn told(errno: Errno) -> String {
    let told = errno_told(errno);
    match errno {
        Errno::ROFS => told + " (mount it writable)",
        Errno::NOSPC | Errno::DQUOT => told + " (free some space and try again)",
        Errno::MFILE | Errno::NFILE => told + " (close some, or raise the limit, and try again)",
        Errno::ACCESS | Errno::PERM => told + " (the store must be the user's own)",
        _ => told,
    }
}

fn temporary(left: &Option<PathBuf>) -> String {
    left.as_ref().map_or_else(String::new, |path| {
        format!("; {} could not be removed: remove it by hand", path.display())
    })
}

/// Whether this is the name of a claim that keeps its content.
fn is_kept(claim_name: &Path) -> bool {
    claim_name.file_name().is_some_and(|name| name.as_bytes().starts_with(KEPT))
}

fn whereabouts(left: Left, claim_name: &Path) -> String {
    let name = claim_name.display();
    match left {
        Left::Content => "the content is untouched and can be claimed again".to_owned(),
        Left::ClaimName if is_kept(claim_name) => {
            format!("the content is safe in {name}: rename it to content, as a recover does")
        }
        Left::ClaimName => format!(
            "the content is in {name}: rename it to content before a recover, which removes it"
        ),
        Left::Nothing => "somebody else took the content".to_owned(),
        Left::ContentAndMarker => format!(
            "the content is untouched; remove {name} before a recover, which removes the content"
        ),
        Left::Lost => "the content is gone, and nobody got it".to_owned(),
        Left::Marker => format!("there was no content; remove {name} to let the key be used"),
    }
}
