//! Who acts in `download`, and how. Fourth floor: imports [`store`] and the floors below.

use std::fmt;
use std::path::Path;

use super::{FIRST, KEY, Others, Protocol, SECOND};
use crate::crash::{Crashing, Mortal};
use crate::direct::{Code, DirectFs, Files, Held, section};
use crate::fs::{
    Access, AtFlags, Errno, FileSystem, Mode, OFlags, OsFile, Profile, SimFile, SimFs, errno_name,
};
use crate::store::{
    self, ClaimEnd, ClaimFailure, Durability, ExpireEnd, Names, PutEnd, PutFailure, PutRequest,
    claim, expire, mark, put, take,
};
use crate::{Process, Step};

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
    /// A client: nothing, for it died.
    Died,
    /// What recovers: all is as it should be.
    Recovered,
    /// What recovers: nothing, for it died.
    CutShort,
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
            Told::Died => f.write_str("Died"),
            Told::Recovered => f.write_str("Recovered"),
            Told::CutShort => f.write_str("CutShort"),
            Told::Failed(call, errno) => write!(f, "Error({call}: {})", errno_name(*errno)),
        }
    }
}

/// Anybody who acts, on a file system whose files are these.
pub type Actor<File> = Code<Files<File>, Told>;

/// What a client is told of a call that failed: where nothing is there, that it is gone.
fn failed(call: &'static str) -> impl Fn(Errno) -> Told {
    move |errno| if errno == Errno::NOENT { Told::Gone } else { Told::Failed(call, errno) }
}

/// The original, as published: nobody looks at what the unlink answers.
fn open_then_remove<F: FileSystem>(fs: &mut F) -> Result<F::File, Told> {
    let content = fs.open("key/content", OFlags::RDONLY, Mode::empty()).map_err(failed("open"))?;
    let _ = fs.unlink("key/content");
    recorded(fs)?;
    Ok(content)
}

/// Looks at meta first.
fn meta_check_first<F: FileSystem>(fs: &mut F) -> Result<F::File, Told> {
    match fs.access("key/meta", Access::EXISTS, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(()) => Err(Told::Gone),
        Err(Errno::NOENT) => open_then_remove(fs),
        Err(errno) => Err(Told::Failed("access", errno)),
    }
}

/// The landed fix, where an unlink that finds nothing is an error.
fn rename_fixed_strict<F: FileSystem>(fs: &mut F) -> Result<F::File, Told> {
    let claimed = "key/content.download";
    fs.rename("key/content", claimed).map_err(failed("rename"))?;
    let error = |call| move |errno| Told::Failed(call, errno);
    let content = fs.open(claimed, OFlags::RDONLY, Mode::empty()).map_err(error("open"))?;
    fs.unlink(claimed).map_err(error("unlink"))?;
    recorded(fs)?;
    Ok(content)
}

/// Records the delivery.
fn recorded<F: FileSystem>(fs: &mut F) -> Result<(), Told> {
    mark(fs, Path::new("key/meta")).map_err(|errno| Told::Failed("open", errno))
}

/// What a client makes of how its claim ended.
fn claimed<File>(end: ClaimEnd<File>) -> Result<File, Told> {
    match end {
        ClaimEnd::Claimed { file, recorded: Ok(()) } => Ok(file),
        ClaimEnd::Claimed { recorded: Err(errno), .. } => Err(Told::Failed("open", errno)),
        ClaimEnd::Gone => Err(Told::Gone),
        ClaimEnd::Failed(ClaimFailure { call, errno, .. }) => Err(Told::Failed(call, errno)),
    }
}

/// One download, from the request to the secret.
pub(super) fn download<F: FileSystem>(fs: &mut F, protocol: Protocol, names: &Names) -> Told {
    delivered(fs, protocol, names).unwrap_or_else(|told| told)
}

fn delivered<F: FileSystem>(fs: &mut F, protocol: Protocol, names: &Names) -> Result<Told, Told> {
    let mechanism = protocol.mechanism().unwrap_or_default();
    let durability = protocol.durability();
    let mut content = match protocol {
        Protocol::OpenThenRemove => open_then_remove(fs),
        Protocol::MetaCheckFirst => meta_check_first(fs),
        Protocol::RenameFixedStrict => rename_fixed_strict(fs),
        Protocol::ControlForgetsMeta => take(fs, mechanism, durability, names).or_else(claimed),
        Protocol::ControlMarksFirst => {
            recorded(fs)?;
            take(fs, mechanism, durability, names).or_else(claimed)
        }
        _ => claimed(claim(fs, mechanism, durability, names)),
    }?;
    let mut buffer = [0; 64];
    let count = fs.read(&mut content, &mut buffer).map_err(|errno| Told::Failed("read", errno))?;
    let secret = buffer[..count].to_vec();
    if durability == Durability::NothingLost {
        // It is handed on before it is removed.
        let _handed_on = section(&String::from_utf8_lossy(&secret));
        store::delivered(fs, names).map_err(|it| Told::Failed(it.call, it.errno))?;
    }
    Ok(Told::Delivered(secret))
}

fn expired(end: ExpireEnd) -> Told {
    match end {
        ExpireEnd::Expired => Told::Expired,
        ExpireEnd::Gone => Told::NothingToExpire,
        ExpireEnd::Failed(errno) => Told::Failed("unlink", errno),
        ExpireEnd::NotDurable { call, errno } => Told::Failed(call, errno),
    }
}

fn stored(end: PutEnd) -> Told {
    match end {
        PutEnd::Stored => Told::Stored,
        PutEnd::Occupied => Told::Occupied,
        PutEnd::Failed(PutFailure { call, errno, .. }) | PutEnd::NotDurable { call, errno } => {
            Told::Failed(call, errno)
        }
    }
}

/// The world as everybody finds it: with one download, put by the store's own function.
pub(super) fn furnished() -> SimFs {
    let mut world = SimFs::new();
    let end = put(&mut world, &PutRequest::new(Path::new(KEY), "first", FIRST.to_vec()));
    assert_eq!(end, PutEnd::Stored, "an empty simulated file system takes one file");
    world
}

/// The names that a client uses, this one where claims have names of their own.
pub(super) fn names(protocol: Protocol, own: &str) -> Names {
    let mechanism = protocol.mechanism().unwrap_or_default();
    Names::new(Path::new(KEY), mechanism, protocol.durability(), own)
}

/// A client; `own` names its claim where claims have names of their own.
pub(super) fn client(protocol: Protocol, own: &str) -> Actor<SimFile> {
    let names = names(protocol, own);
    Code::files(move |fs| download(fs, protocol, &names))
}

/// The actor beside the clients, if there is one.
pub(super) fn other(others: Others) -> Option<(&'static str, Actor<SimFile>)> {
    match others {
        Others::Clients => None,
        Others::Janitor => {
            let janitor = |fs: &mut DirectFs| expired(expire(fs, Path::new(KEY), false));
            Some(("janitor", Code::files(janitor)))
        }
        Others::Reupload | Others::PutAgain => {
            let request = PutRequest::new(Path::new(KEY), "second", SECOND.to_vec());
            let request = PutRequest { replace: others == Others::Reupload, ..request };
            Some(("uploader", Code::files(move |fs| stored(put(fs, &request)))))
        }
    }
}

/// Anybody in a system that crashes.
pub type Mortals<File> = Crashing<Client<Actor<File>>, Told>;

/// A program that may die after it has handed a secret on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Client<A>(A);

impl<F: FileSystem<File: Held>> Process<F> for Client<Actor<F::File>> {
    type Output = Told;

    fn step(self, fs: &mut F) -> Step<Self, Told> {
        self.0.step(fs).map(Client)
    }
}

impl<F: FileSystem<File: Held>> Mortal<F> for Client<Actor<F::File>> {
    fn die(self, fs: &mut F) {
        self.0.die(fs);
    }

    fn vanish(self) {
        Mortal::<F>::vanish(self.0);
    }

    fn last_words(&self) -> Option<Told> {
        let has = |secret: &&[u8]| self.0.is_in(&String::from_utf8_lossy(secret));
        [FIRST, SECOND].into_iter().find(has).map(|secret| Told::Delivered(secret.to_vec()))
    }
}

impl Client<Actor<SimFile>> {
    /// The same before its first step, on the kernel.
    pub(super) fn on_kernel(&self) -> Client<Actor<OsFile>> {
        Client(self.0.over_files())
    }
}

/// A client that may die, and who comes in its place when the power is back.
pub(super) fn mortal(protocol: Protocol, own: &str) -> Mortals<SimFile> {
    let next = Client(client(protocol, &format!("{own}-again")));
    Crashing::program(Client(client(protocol, own)), Told::Died).again(next)
}

/// Whether a variant says what to do after a failure.
fn recovers(protocol: Protocol) -> bool {
    protocol.durability() != Durability::None
}

/// The power of the machine, and what runs when it is back.
pub(super) fn power(protocol: Protocol) -> (&'static str, Mortals<SimFile>) {
    let power = Crashing::power(Told::Recovered);
    match recovers(protocol) {
        true => ("power and recovery", power.recovering(Client(recovery(protocol)))),
        false => ("power", power),
    }
}

/// Who comes when all clients have ended or died, one after the other. A recovery, which may be killed,
/// too. Then a client that recovers first. Where nothing is to be recovered, nobody: whoever comes later
/// is one of the clients.
pub(super) fn afterwards(protocol: Protocol) -> Vec<(&'static str, Mortals<SimFile>)> {
    if !recovers(protocol) {
        return Vec::new();
    }
    let recovery = Crashing::program(Client(recovery(protocol)), Told::CutShort);
    let names = names(protocol, "next");
    let next = move |fs: &mut DirectFs| match recovered(fs, protocol) {
        Told::Recovered => download(fs, protocol, &names),
        failed => failed,
    };
    let next = Crashing::program(Client(Code::files(next)), Told::Died);
    vec![("recovery", recovery.that_may_be_killed()), ("next client", next)]
}

fn recovery(protocol: Protocol) -> Actor<SimFile> {
    Code::files(move |fs| recovered(fs, protocol))
}

/// What the store does after a failure.
pub(super) fn recovered<F: FileSystem>(fs: &mut F, protocol: Protocol) -> Told {
    match store::recover(fs, protocol.mechanism().unwrap_or_default(), |_| true) {
        Ok(_) => Told::Recovered,
        Err(error) => Told::Failed(error.call, error.errno),
    }
}

/// The world as everybody finds it, on such a disk.
pub(super) fn on_disk(profile: Profile) -> SimFs {
    furnished().with_disk(profile)
}
