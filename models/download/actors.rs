//! Who acts in `download`, and how. Fourth floor: imports [`store`](crate::store) and the floors below.

use std::fmt;
use std::path::Path;

use super::{FIRST, KEY, Others, Protocol, SECOND};
use crate::fs::{Access, AtFlags, Errno, FileSystem, Mode, OFlags, errno_name};
use crate::store::{
    Claim, ClaimEnd, ClaimFailure, Expire, ExpireEnd, Mechanism, Names, Put, PutEnd, PutFailure,
    PutRequest, mark,
};
use crate::{Process, Step, run};

/// What an actor is told in the end.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Told {
    /// A client: here is the secret.
    Delivered(Vec<u8>),
    /// A client: it is gone.
    Gone,
    /// The janitor: it was there and is removed.
    Expired,
    /// The janitor: there was nothing.
    NothingToExpire,
    /// The uploader: it is stored.
    Stored,
    /// The uploader: unclaimed content is there.
    Occupied,
    /// Anybody: this call failed.
    Failed(&'static str, Errno),
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Delivered(secret) => {
                write!(f, "Delivered({:?})", String::from_utf8_lossy(secret))
            }
            Told::Gone => f.write_str("Gone"),
            Told::Expired => f.write_str("Expired"),
            Told::NothingToExpire => f.write_str("NothingToExpire"),
            Told::Stored => f.write_str("Stored"),
            Told::Occupied => f.write_str("Occupied"),
            Told::Failed(call, errno) => write!(f, "Error({call}: {})", errno_name(*errno)),
        }
    }
}

/// Anybody who acts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Actor<File> {
    /// Downloads.
    Client(Client<File>),
    /// Expires.
    Janitor(Expire),
    /// Uploads.
    Uploader(Put<File>),
}

/// One download, from the request to the secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Client<File> {
    /// `meta-check-first`: looks whether meta is there.
    CheckMeta,
    /// The original: opens the content.
    Open,
    /// Unlinks it, whatever comes of that.
    Remove(File),
    /// Records the download.
    Mark(File),
    /// A negative control: records the download before there is one.
    MarkFirst(Claim<File>),
    /// Takes it the shipping way.
    Claiming(Claim<File>),
    /// Reads what it has.
    Read(File),
}

impl<F: FileSystem> Process<F> for Client<F::File> {
    type Output = Told;

    fn step(self, fs: &mut F) -> Step<Self, Told> {
        let directory = Path::new(KEY);
        match self {
            Client::CheckMeta => {
                match fs.access(&directory.join("meta"), Access::EXISTS, AtFlags::SYMLINK_NOFOLLOW)
                {
                    Ok(()) => Step::Done(Told::Gone),
                    Err(Errno::NOENT) => Step::Next(Client::Open),
                    Err(errno) => Step::Done(Told::Failed("access", errno)),
                }
            }
            Client::Open => {
                match fs.open(&directory.join("content"), OFlags::RDONLY, Mode::empty()) {
                    Ok(file) => Step::Next(Client::Remove(file)),
                    Err(Errno::NOENT) => Step::Done(Told::Gone),
                    Err(errno) => Step::Done(Told::Failed("open", errno)),
                }
            }
            Client::Remove(file) => {
                // The bug, as published: nobody looks at the answer.
                let _ = fs.unlink(&directory.join("content"));
                Step::Next(Client::Mark(file))
            }
            Client::Mark(file) => match mark(fs, &directory.join("meta")) {
                Ok(()) => Step::Next(Client::Read(file)),
                Err(errno) => Step::Done(Told::Failed("open", errno)),
            },
            Client::MarkFirst(claim) => match mark(fs, &directory.join("meta")) {
                Ok(()) => Step::Next(Client::Claiming(claim)),
                Err(errno) => Step::Done(Told::Failed("open", errno)),
            },
            Client::Claiming(claim) => claim.step(fs).map(Client::Claiming).and_then(claimed),
            Client::Read(mut file) => {
                let mut buffer = [0; 64];
                Step::Done(match fs.read(&mut file, &mut buffer) {
                    Ok(count) => Told::Delivered(buffer[..count].to_vec()),
                    Err(errno) => Told::Failed("read", errno),
                })
            }
        }
    }
}

/// What a client does with the end of its claim.
fn claimed<File>(end: ClaimEnd<File>) -> Step<Client<File>, Told> {
    match end {
        ClaimEnd::Claimed { file, recorded: Ok(()) } => Step::Next(Client::Read(file)),
        ClaimEnd::Claimed { recorded: Err(errno), .. } => Step::Done(Told::Failed("open", errno)),
        ClaimEnd::Gone => Step::Done(Told::Gone),
        ClaimEnd::Failed(ClaimFailure { call, errno, .. }) => Step::Done(Told::Failed(call, errno)),
    }
}

impl<F: FileSystem> Process<F> for Actor<F::File> {
    type Output = Told;

    fn step(self, fs: &mut F) -> Step<Self, Told> {
        match self {
            Actor::Client(client) => client.step(fs).map(Actor::Client),
            Actor::Janitor(expire) => expire.step(fs).map(Actor::Janitor).and_then(|end| {
                Step::Done(match end {
                    ExpireEnd::Expired => Told::Expired,
                    ExpireEnd::Gone => Told::NothingToExpire,
                    ExpireEnd::Failed(errno) => Told::Failed("unlink", errno),
                })
            }),
            Actor::Uploader(put) => put.step(fs).map(Actor::Uploader).and_then(|end| {
                Step::Done(match end {
                    PutEnd::Stored => Told::Stored,
                    PutEnd::Occupied => Told::Occupied,
                    PutEnd::Failed(PutFailure { call, errno, .. })
                    | PutEnd::NotDurable { call, errno } => Told::Failed(call, errno),
                })
            }),
        }
    }
}

/// Makes the world as everybody finds it: one download, put by the store's own machine.
pub(super) fn furnish<F: FileSystem>(fs: &mut F) -> Result<(), Errno> {
    match run(Put::<F::File>::new(PutRequest::new(Path::new(KEY), "first", FIRST.to_vec())), fs) {
        PutEnd::Stored => Ok(()),
        PutEnd::Occupied => Err(Errno::EXIST),
        PutEnd::Failed(PutFailure { errno, .. }) | PutEnd::NotDurable { errno, .. } => Err(errno),
    }
}

/// A client before its first step; `number` names its claim where claims have names of their own.
pub(super) fn client<File>(protocol: Protocol, number: usize) -> Actor<File> {
    let claim = |mechanism| {
        let names = Names::new(Path::new(KEY), mechanism, &number.to_string());
        Claim::new(mechanism, names)
    };
    Actor::Client(match protocol {
        Protocol::OpenThenRemove => Client::Open,
        Protocol::MetaCheckFirst => Client::CheckMeta,
        Protocol::Claim(mechanism) => Client::Claiming(claim(mechanism)),
        Protocol::ControlForgetsMeta => {
            Client::Claiming(claim(Mechanism::RenameUnique).without_meta())
        }
        Protocol::ControlMarksFirst => {
            Client::MarkFirst(claim(Mechanism::RenameUnique).without_meta())
        }
    })
}

/// The actor beside the clients, if there is one.
pub(super) fn other<File>(others: Others) -> Option<(&'static str, Actor<File>)> {
    match others {
        Others::Nobody => None,
        Others::Janitor => Some(("janitor", Actor::Janitor(Expire::new(Path::new(KEY))))),
        Others::Uploader { replaces } => {
            let request = PutRequest::new(Path::new(KEY), "second", SECOND.to_vec());
            let put = Put::new(PutRequest { replace: replaces, ..request });
            Some(("uploader", Actor::Uploader(put)))
        }
    }
}

/// Everybody, in the order of the system's actors.
pub(super) fn actors<File>(protocol: Protocol, others: Others, clients: usize) -> Vec<Actor<File>> {
    let clients = (1..=clients).map(|number| client(protocol, number));
    clients.chain(other(others).map(|(_, actor)| actor)).collect()
}
