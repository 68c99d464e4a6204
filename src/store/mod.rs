//! Third floor: the one-time store, first of the shipping primitives. Imports [`fs`](crate::fs).
//!
//! [`OneTimeStore`] hands each secret out exactly once. The code that runs is the code that was
//! proved: its operations are the functions [`put()`], [`claim()`] and [`expire()`], over any
//! [`FileSystem`]. The store runs them on the kernel's file system;
//! [`models::download`](crate::models::download) proves them in a simulated one.

mod claim;
mod error;
mod look;
mod put;
mod recover;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

pub use claim::{
    ClaimEnd, ClaimFailure, DeliveryFailure, Durability, Left, Mechanism, Names, claim, delivered,
};
#[cfg(feature = "command")]
pub(crate) use claim::{mark, take};
pub use error::{
    ClaimError, DeliveryError, ExpireError, KeyError, OpenError, PutError, RecoverError,
};
pub use look::{Leftover, Status};
pub use put::{ExpireEnd, PutEnd, PutFailure, PutRequest, expire, put};
pub use recover::{Recovered, recover};

use crate::fs::{Access, AtFlags, Errno, FileSystem, OsFs};
use crate::nonce::{DIGITS, nonce};

/// Keeps secrets in a directory and hands each out exactly once. Any number of threads, processes
/// and hosts may share the directory.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::io::Read;
/// use toctou::store::{ClaimError, OneTimeStore};
///
/// let directory = tempfile::tempdir()?;
/// let store = OneTimeStore::open(directory.path())?;
/// store.put("k7Qp", b"the launch code")?;
///
/// let mut secret = String::new();
/// store.claim("k7Qp")?.read_to_string(&mut secret)?;
/// assert_eq!(secret, "the launch code");
/// assert!(matches!(store.claim("k7Qp"), Err(ClaimError::Gone { .. })));
/// # Ok(())
/// # }
/// ```
///
/// # Promised
///
/// - Of any number of concurrent claims of one put, exactly one gets the content. All others are
///   told [`ClaimError::Gone`].
/// - Only its owner can read the content: it is a 0600 file in a 0700 directory.
/// - The content appears whole or not at all.
/// - Any other failure keeps the content, or says precisely what is left and where.
///
/// # Not promised
///
/// - That the winner makes good use of the content. A process may die between winning and
///   delivering. The content is then gone, or left under its claim's name: see
///   [`leftovers`](OneTimeStore::leftovers).
/// - Anything across a power failure right after a claim, unless the store is told to
///   ([`durability`](OneTimeStore::durability)). If the file system has not yet made the claim
///   durable, the content is back. A put and an expiry survive one
///   ([`durable`](OneTimeStore::durable)).
/// - A file system on which rename or unlink is not atomic (some network file systems).
#[derive(Debug)]
pub struct OneTimeStore {
    fs: OsFs,
    path: PathBuf,
    mechanism: Mechanism,
    durability: Durability,
    durable: bool,
    /// Makes this store's names its own, among all stores open anywhere on this directory: 16
    /// hexadecimal digits.
    nonce: [u8; 16],
    next: AtomicU64,
}

/// The content of a download, won by this claim. Reading from it reads the secret.
///
/// Nobody else gets the content, so to drop this unread is to lose it. With
/// [`NothingLost`](Durability::NothingLost) it is kept instead, until a
/// [`recover`](OneTimeStore::recover), and nobody can claim it before.
#[derive(Debug)]
#[must_use = "nobody else gets the content: read it, then say that it is delivered"]
pub struct Claimed {
    file: File,
    recorded: Result<(), Errno>,
    /// The names of the files of a claim that keeps its content.
    kept: Option<Box<Names>>,
}

impl Claimed {
    /// The file, open for reading; it has no name any more. With
    /// [`NothingLost`](Durability::NothingLost) it has one, and this gives up saying that the
    /// content is delivered: a recovery lets it be claimed again.
    pub fn into_file(self) -> File {
        self.file
    }

    /// Whether the delivery was recorded for [`status`](OneTimeStore::status). The content is
    /// delivered even if it was not (because the disk is full, say).
    ///
    /// With [`NothingLost`](Durability::NothingLost) this is `Ok` and says nothing:
    /// [`delivered`](OneTimeStore::delivered) records the delivery.
    pub fn recorded(&self) -> Result<(), Errno> {
        self.recorded
    }
}

impl Read for Claimed {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.file.read(buffer)
    }
}

impl OneTimeStore {
    /// Opens the store in an existing directory. Only the directory's owner may be able to write to
    /// it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref().to_owned();
        let fs = match OsFs::open(&path) {
            Ok(fs) => fs.waiting(),
            Err(Errno::NOENT) => return Err(OpenError::Missing { path }),
            Err(Errno::NOTDIR) => return Err(OpenError::NotADirectory { path }),
            Err(errno) => return Err(OpenError::Failed { path, errno }),
        };
        let mode = match rustix::fs::fstat(&fs) {
            #[allow(clippy::useless_conversion)] // its width differs between systems
            Ok(stat) => u32::from(stat.st_mode & 0o7777),
            Err(errno) => return Err(OpenError::Failed { path, errno }),
        };
        if mode & 0o022 != 0 {
            return Err(OpenError::NotPrivate { path, mode });
        }
        let Some(nonce) = nonce() else {
            return Err(OpenError::Failed { path, errno: Errno::IO });
        };
        Ok(OneTimeStore {
            fs,
            path,
            mechanism: Mechanism::default(),
            durability: Durability::default(),
            durable: true,
            nonce,
            next: AtomicU64::new(0),
        })
    }

    /// Selects the [`Mechanism`] that decides claims. All stores on one directory must use the same
    /// one.
    pub fn mechanism(self, mechanism: Mechanism) -> Self {
        OneTimeStore { mechanism, ..self }
    }

    /// What a claim promises about power failures and dead processes: by default nothing.
    ///
    /// A promise holds only if [`recover`](OneTimeStore::recover) is called after each failure. The
    /// names of the files say what their claim promised. So any store on the directory can recover
    /// them, whatever it promises itself.
    pub fn durability(self, durability: Durability) -> Self {
        OneTimeStore { durability, ..self }
    }

    /// Whether a put waits until its content would survive a power failure, and an expiry until the
    /// content would stay away. By default both do.
    ///
    /// With [`NothingLost`](Durability::NothingLost) a put waits in any case: content that is not on
    /// disk could be lost.
    pub fn durable(self, durable: bool) -> Self {
        OneTimeStore { durable, ..self }
    }

    /// Puts content under a key that holds none.
    pub fn put(&self, key: &str, content: &[u8]) -> Result<(), PutError> {
        self.put_request(key, content, false)
    }

    /// Puts content under a key. Replaces content that is there unclaimed.
    pub fn replace(&self, key: &str, content: &[u8]) -> Result<(), PutError> {
        self.put_request(key, content, true)
    }

    /// Claims the content of a key. Of any number of claims of one put, one succeeds.
    pub fn claim(&self, key: &str) -> Result<Claimed, ClaimError> {
        let directory = directory(key)?;
        let keeps = self.durability == Durability::NothingLost;
        if keeps && !self.mechanism.keeps_content() {
            return Err(ClaimError::CannotKeep(self.mechanism));
        }
        let token = match self.mechanism {
            Mechanism::RenameUnique => Some(self.token()),
            _ => None,
        };
        let names = || {
            let token = token.as_ref().map_or(&b""[..], Token::as_bytes);
            Names::of(directory, self.mechanism, self.durability, token)
        };
        match claim(&mut &self.fs, self.mechanism, self.durability, &names()) {
            ClaimEnd::Claimed { file, recorded } => {
                let kept = keeps.then(|| Box::new(names()));
                Ok(Claimed { file: file.into(), recorded, kept })
            }
            ClaimEnd::Gone => Err(ClaimError::Gone { key: key.to_owned() }),
            ClaimEnd::Failed(ClaimFailure { call, errno, left }) => Err(ClaimError::Failed {
                key: key.to_owned(),
                call,
                errno,
                left,
                claim_name: names().claim().to_owned(),
            }),
        }
    }

    /// Says that the content was delivered, and removes what a claim keeps with
    /// [`NothingLost`](Durability::NothingLost). Otherwise there is nothing to do.
    ///
    /// # Errors
    ///
    /// - [`Kept`](DeliveryError::Kept): the content could not be removed. A
    ///   [`recover`](OneTimeStore::recover) lets it be claimed again.
    /// - [`NotRecorded`](DeliveryError::NotRecorded): the content is removed, and nobody can claim
    ///   it again. But [`status`](OneTimeStore::status) does not say that it was delivered.
    pub fn delivered(&self, claimed: Claimed) -> Result<(), DeliveryError> {
        let Some(names) = claimed.kept else { return Ok(()) };
        match delivered(&mut &self.fs, &names) {
            Ok(()) => Ok(()),
            Err(DeliveryFailure { errno, is_kept: true, .. }) => {
                Err(DeliveryError::Kept { errno, claim_name: names.claim().to_owned() })
            }
            Err(DeliveryFailure { errno, .. }) => Err(DeliveryError::NotRecorded { errno }),
        }
    }

    /// Cleans up after processes that died, and after a power failure. Content that a claim kept
    /// ([`NothingLost`](Durability::NothingLost)) can be claimed again. Content of any other claim
    /// that had begun is removed.
    ///
    /// **Nobody else may use the store meanwhile**, neither in this process nor in another one, on
    /// any host. What looks like a dead claim may be one that is running: then its content is
    /// delivered twice, or lost. So call it once, before the first server of the store starts, and
    /// not when one of several starts again.
    ///
    /// It touches only files whose names are exactly those that a store of this
    /// [`mechanism`](OneTimeStore::mechanism) makes. It can be interrupted and called again.
    ///
    /// # Errors
    ///
    /// The first system call that failed. The recovery went on with all else:
    /// [`done`](RecoverError::done) says what it did.
    pub fn recover(&self) -> Result<Recovered, RecoverError> {
        recover(&mut &self.fs, self.mechanism, Token::is_one)
    }

    /// Removes a download, claimed or not. Returns whether there was content to remove. If the store
    /// is [`durable`](OneTimeStore::durable), the content stays away after a power failure, too.
    pub fn expire(&self, key: &str) -> Result<bool, ExpireError> {
        let end = expire(&mut &self.fs, directory(key)?, self.durable);
        let key = || key.to_owned();
        match end {
            ExpireEnd::Expired => Ok(true),
            ExpireEnd::Gone => Ok(false),
            ExpireEnd::Failed(errno) => Err(ExpireError::Failed { key: key(), errno }),
            ExpireEnd::NotDurable { call, errno } => {
                Err(ExpireError::NotDurable { key: key(), call, errno })
            }
        }
    }

    fn put_request(&self, key: &str, content: &[u8], replace: bool) -> Result<(), PutError> {
        if self.mechanism == Mechanism::ClaimFile {
            self.refuse_used(key)?;
        }
        let request = PutRequest {
            replace,
            durable: self.flushes_puts(),
            ..PutRequest::new(directory(key)?, self.token().as_str(), content.to_owned())
        };
        let key = key.to_owned();
        match put(&mut &self.fs, &request) {
            PutEnd::Stored => Ok(()),
            PutEnd::Occupied => Err(PutError::Occupied { key }),
            PutEnd::NotDurable { call, errno } => Err(PutError::NotDurable { key, call, errno }),
            PutEnd::Failed(PutFailure { call, errno, temporary_left }) => {
                let left = temporary_left.then_some(request.temporary);
                Err(PutError::Failed { key, call, errno, left })
            }
        }
    }

    fn flushes_puts(&self) -> bool {
        self.durable || self.durability == Durability::NothingLost
    }

    /// Refuses a key whose marker is there. Looking before acting is sound here, with one limit. A
    /// marker goes away only where a claim fails and gives its content back. The limit: a claim
    /// that comes between this look and the content uses the key up, and its own error says so.
    fn refuse_used(&self, key: &str) -> Result<(), PutError> {
        let names = Names::new(directory(key)?, Mechanism::ClaimFile, Durability::None, "");
        let marker = names.claim().to_owned();
        match (&self.fs).access(&marker, Access::EXISTS, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(()) => Err(PutError::Used { key: key.to_owned(), marker }),
            // Anything else that is wrong, the put will tell.
            Err(_) => Ok(()),
        }
    }

    /// A name part that no other claim or put has: not in this process, not in one forked from it,
    /// and not in any other that has this directory open.
    #[inline(always)]
    fn token(&self) -> Token {
        let process = rustix::process::getpid().as_raw_nonzero().get();
        Token::new(&self.nonce, process as u32, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// Part of a file name: a nonce, a process and a number in hexadecimal, `f005…ba11-2a2e-70b`, in
/// place. Of all that a claim does beside its system calls, `format!` would take longest.
struct Token {
    text: [u8; Token::LENGTH],
    start: usize,
}

impl Token {
    /// The nonce, 8 digits, 16 digits, and what is between them.
    const LENGTH: usize = 16 + 1 + 8 + 1 + 16;

    #[inline(always)]
    fn new(nonce: &[u8; 16], process: u32, number: u64) -> Self {
        let mut token = Token { text: [b'-'; Token::LENGTH], start: Token::LENGTH };
        // From the end to the start, as digits come.
        token.prepend(number);
        token.start -= 1;
        token.prepend(process.into());
        token.start -= 1 + nonce.len();
        token.text[token.start..][..nonce.len()].copy_from_slice(nonce);
        token
    }

    #[inline(always)]
    fn prepend(&mut self, mut number: u64) {
        loop {
            self.start -= 1;
            self.text[self.start] = DIGITS[number as usize & 0xf];
            number >>= 4;
            if number == 0 {
                return;
            }
        }
    }

    /// Whether this is the text of a token, as [`Token::new`] makes them.
    fn is_one(text: &[u8]) -> bool {
        let is_number = |text: &[u8], longest: usize| {
            (1..=longest).contains(&text.len())
                && (text.len() == 1 || text[0] != b'0')
                && text.iter().all(|digit| DIGITS.contains(digit))
        };
        let mut parts = text.split(|byte| *byte == b'-');
        let [Some(nonce), Some(process), Some(number), None] = [(); 4].map(|()| parts.next())
        else {
            return false;
        };
        nonce.len() == 16
            && nonce.iter().all(|digit| DIGITS.contains(digit))
            && is_number(process, 8)
            && is_number(number, 16)
    }

    fn as_bytes(&self) -> &[u8] {
        &self.text[self.start..]
    }

    fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

/// The directory of a download: its key, if that is a plain file name.
fn directory(key: &str) -> Result<&Path, KeyError> {
    if key.is_empty() {
        return Err(KeyError::Empty);
    }
    if key.len() > 255 {
        return Err(KeyError::TooLong(key.len()));
    }
    // Almost every key, told at a glance.
    if key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Ok(Path::new(key));
    }
    if key == "." || key == ".." {
        return Err(KeyError::NotAName(key.to_owned()));
    }
    if let Some(character) = key.chars().find(|c| matches!(c, '/' | '\\') || c.is_control()) {
        return Err(KeyError::Character { key: key.to_owned(), character });
    }
    Ok(Path::new(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_put_is_flushed_where_nothing_may_be_lost_whatever_else_was_asked_for() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let store = |durable, durability| {
            let store = OneTimeStore::open(folder.path()).expect("it is private");
            store.durable(durable).durability(durability).flushes_puts()
        };
        assert!(store(true, Durability::None) && store(true, Durability::NothingLost));
        assert!(!store(false, Durability::None) && !store(false, Durability::AtMostOnce));
        assert!(store(false, Durability::NothingLost));
    }

    #[test]
    fn a_token_is_a_nonce_and_two_numbers_in_hexadecimal() {
        let nonce = b"f00500000000ba11";
        assert_eq!(Token::new(nonce, 0x2a2e, 0x70b).as_str(), "f00500000000ba11-2a2e-70b");
        assert_eq!(Token::new(nonce, 0, 0).as_str(), "f00500000000ba11-0-0");
        let longest = Token::new(nonce, u32::MAX, u64::MAX);
        assert_eq!(longest.as_str(), "f00500000000ba11-ffffffff-ffffffffffffffff");
        for number in [0, 1, 15, 16, 0x70b, u64::MAX] {
            for process in [0, 1, 0x2a2e, u32::MAX] {
                assert!(Token::is_one(Token::new(nonce, process, number).as_str().as_bytes()));
            }
        }
    }

    #[test]
    fn nothing_else_is_a_token() {
        for text in [
            "",
            "html",
            "1",
            "download",
            "kept",
            "f00500000000ba11",
            "f00500000000ba11-2a2e",
            "f00500000000ba11-2a2e-",
            "f00500000000ba11--70b",
            "f00500000000ba11-2a2e-70b-1",
            "f00500000000ba11-2a2e-70b.gz",
            "f00500000000ba11-02a2e-70b",
            "f00500000000ba11-2a2e-00",
            "f00500000000ba11-123456789-70b",
            "f00500000000ba11-2a2e-12345678901234567",
            "F00500000000BA11-2A2E-70B",
            "f00500000000ba1-2a2e-70b",
            "g00500000000ba11-2a2e-70b",
        ] {
            assert!(!Token::is_one(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_key_is_a_plain_file_name() {
        for key in ["k7Qp", "a-b_c", "a.b", "...", "ä ö", &"k".repeat(255)] {
            assert_eq!(directory(key), Ok(Path::new(key)), "{key}");
        }
        assert_eq!(directory(""), Err(KeyError::Empty));
        assert_eq!(directory(&"k".repeat(256)), Err(KeyError::TooLong(256)));
        for key in [".", ".."] {
            assert_eq!(directory(key), Err(KeyError::NotAName(key.to_owned())));
        }
        for (key, character) in [("a/b", '/'), ("a\\b", '\\'), ("a\0", '\0'), ("\u{85}", '\u{85}')]
        {
            assert_eq!(directory(key), Err(KeyError::Character { key: key.to_owned(), character }));
        }
    }
}
