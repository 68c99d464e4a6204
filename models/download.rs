//! The claim-by-rename store. Fourth floor: imports [`store`](crate::store) and the floors below.
//!
//! # The system
//!
//! A one-time download server (`once`, issue 49 of its tracker). A directory a download holds
//! `content`, the secret; `meta` is there once it was downloaded. The promise: a secret is handed
//! out exactly once, and whoever comes late is told that it is gone.
//!
//! # The bad interleaving
//!
//! ```text
//! client 1                 client 2
//! open(content) = ok
//!                          open(content) = ok      both hold the secret now
//! unlink(content) = ok
//!                          unlink(content) = ENOENT, and nobody looks
//! read = "alpha"
//!                          read = "alpha"
//! ```
//!
//! # What decides
//!
//! One call has to fail for everyone but the winner, and its answer has to be looked at. The
//! variants differ in which call that is. `rename-fixed-name`, the landed fix, hands a
//! secret out once however many clients there are, and breaks its promise as soon as the key is
//! used again meanwhile: the second claim's rename lands on the file that the first is about to
//! open. `unlink-decides` saves a call and breaks in the same place. A claim name of one's own does
//! not.

use std::fmt;
use std::path::Path;

use super::{Breaks, Model, Scenario, Variant};
use crate::case::{Case, FsCase};
use crate::check::{Local, State, System};
use crate::fs::{Errno, FileSystem, Mode, Node, OFlags, SimFile, SimFs, errno_name, recorded_step};
use crate::replay::Furnished;
use crate::store::{
    Claim, ClaimEnd, ClaimFailure, Expire, ExpireEnd, Mechanism, Names, Put, PutEnd, PutFailure,
    PutRequest, mark,
};
use crate::{Process, Step, run};

/// The model.
#[derive(Clone, Copy, Debug)]
pub struct Download;

/// The secret that is there at first.
pub const FIRST: &[u8] = b"alpha";
/// The secret that an uploader puts under the same key.
pub const SECOND: &[u8] = b"bravo";
/// The download that everybody wants.
const KEY: &str = "key";

/// How a download is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Protocol {
    OpenThenRemove,
    MetaCheckFirst,
    /// One of the shipping ones.
    Claim(Mechanism),
    ControlForgetsMeta,
    ControlMarksFirst,
}

impl Protocol {
    /// How the claim is decided, where it is decided at all.
    fn mechanism(self) -> Option<Mechanism> {
        match self {
            Protocol::OpenThenRemove | Protocol::MetaCheckFirst => None,
            Protocol::Claim(mechanism) => Some(mechanism),
            Protocol::ControlForgetsMeta | Protocol::ControlMarksFirst => {
                Some(Mechanism::RenameUnique)
            }
        }
    }
}

impl Model for Download {
    fn name(&self) -> &'static str {
        "download"
    }

    fn about(&self) -> &'static str {
        "A one-time download: the secret is handed out exactly once, and late comers are told so."
    }

    fn variants(&self) -> &'static [Variant] {
        VARIANTS
    }

    fn scenarios(&self) -> &'static [Scenario] {
        SCENARIOS
    }

    fn case(&self, variant: &str, scenario: &str, clients: usize) -> Option<Box<dyn Case>> {
        let (protocol, others) = (protocol(variant)?, others(scenario)?);
        let system = system(protocol, others, clients);
        let kernel =
            Furnished::new(|mut fs| furnish(&mut fs), move || actors(protocol, others, clients));
        Some(Box::new(FsCase::new(system, kernel)))
    }
}

const fn breaks(scenario: &'static str, property: &'static str, from_clients: usize) -> Breaks {
    Breaks { scenario, property, from_clients }
}

static VARIANTS: &[Variant] = &[
    Variant {
        name: "open-then-remove",
        origin: "the vulnerable original",
        about: "open content; unlink it, whatever that answers",
        breaks: &[
            breaks("clients", "at-most-once", 2),
            breaks("clients", "exactly-once", 2),
            breaks("janitor", "at-most-once", 2),
            breaks("janitor", "exactly-once", 2),
            breaks("reupload", "at-most-once", 2),
            breaks("reupload", "exactly-once", 1),
            breaks("put-again", "at-most-once", 2),
            breaks("put-again", "exactly-once", 2),
        ],
    },
    Variant {
        name: "meta-check-first",
        origin: "looks at meta first",
        about: "meta is there: gone; then as the original",
        breaks: &[
            breaks("clients", "at-most-once", 2),
            breaks("clients", "exactly-once", 2),
            breaks("janitor", "at-most-once", 2),
            breaks("janitor", "exactly-once", 2),
            breaks("reupload", "at-most-once", 2),
            breaks("reupload", "exactly-once", 1),
            breaks("put-again", "at-most-once", 2),
            breaks("put-again", "exactly-once", 1),
        ],
    },
    Variant {
        name: "rename-fixed-name",
        origin: "the landed fix",
        about: "rename content to content.download decides",
        breaks: &[
            breaks("reupload", "at-most-once", 2),
            breaks("reupload", "exactly-once", 2),
            breaks("reupload", "gone-not-error", 2),
            breaks("put-again", "at-most-once", 2),
            breaks("put-again", "exactly-once", 2),
            breaks("put-again", "gone-not-error", 2),
        ],
    },
    Variant {
        name: "rename-unique-name",
        origin: "what the report suggested; OneTimeStore's default",
        about: "rename content to a name of the claim's own decides",
        breaks: &[],
    },
    Variant {
        name: "unlink-decides",
        origin: "ours: one call fewer",
        about: "open content; unlink it, and only who removes it has it",
        breaks: &[
            breaks("reupload", "at-most-once", 2),
            breaks("reupload", "exactly-once", 1),
            breaks("put-again", "at-most-once", 2),
            breaks("put-again", "exactly-once", 2),
        ],
    },
    Variant {
        name: "claim-file",
        origin: "an exclusive marker",
        about: "creating claim exclusively decides; it stays",
        breaks: &[
            breaks("clients", "nothing-left", 1),
            breaks("janitor", "gone-not-error", 1),
            breaks("janitor", "nothing-left", 1),
            breaks("reupload", "exactly-once", 1),
            breaks("reupload", "nothing-left", 1),
            breaks("put-again", "exactly-once", 1),
            breaks("put-again", "nothing-left", 1),
            breaks("put-again", "second-is-delivered", 2),
        ],
    },
    Variant {
        name: "advisory-lock",
        origin: "a lock round the original",
        about: "flock the directory; open and unlink content under the lock",
        breaks: &[breaks("reupload", "exactly-once", 1)],
    },
    Variant {
        name: "control-forgets-meta",
        origin: "negative control",
        about: "rename-unique-name without recording the delivery in meta",
        breaks: &[
            breaks("clients", "meta-agrees", 1),
            breaks("reupload", "meta-agrees", 1),
            breaks("put-again", "meta-agrees", 1),
        ],
    },
    Variant {
        name: "control-marks-first",
        origin: "negative control",
        about: "records the delivery in meta, then claims as rename-unique-name",
        breaks: &[breaks("janitor", "meta-agrees", 1)],
    },
];

static SCENARIOS: &[Scenario] = &[
    Scenario { name: "clients", about: "several clients download one key at once" },
    Scenario { name: "janitor", about: "an expiry job removes the download meanwhile" },
    Scenario {
        name: "reupload",
        about: "an uploader replaces the content under the same key meanwhile",
    },
    Scenario {
        name: "put-again",
        about: "an uploader puts new content under the same key as soon as it is free",
    },
];

fn protocol(variant: &str) -> Option<Protocol> {
    Some(match variant {
        "open-then-remove" => Protocol::OpenThenRemove,
        "meta-check-first" => Protocol::MetaCheckFirst,
        "rename-fixed-name" => Protocol::Claim(Mechanism::RenameFixed),
        "rename-unique-name" => Protocol::Claim(Mechanism::RenameUnique),
        "unlink-decides" => Protocol::Claim(Mechanism::UnlinkDecides),
        "claim-file" => Protocol::Claim(Mechanism::ClaimFile),
        "advisory-lock" => Protocol::Claim(Mechanism::AdvisoryLock),
        "control-forgets-meta" => Protocol::ControlForgetsMeta,
        "control-marks-first" => Protocol::ControlMarksFirst,
        _ => return None,
    })
}

/// Who acts beside the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    Nobody,
    Janitor,
    Uploader { replaces: bool },
}

fn others(scenario: &str) -> Option<Others> {
    Some(match scenario {
        "clients" => Others::Nobody,
        "janitor" => Others::Janitor,
        "reupload" => Others::Uploader { replaces: true },
        "put-again" => Others::Uploader { replaces: false },
        _ => return None,
    })
}

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
            Client::CheckMeta => match fs.access(&directory.join("meta")) {
                Ok(()) => Step::Done(Told::Gone),
                Err(Errno::NOENT) => Step::Next(Client::Open),
                Err(errno) => Step::Done(Told::Failed("access", errno)),
            },
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
fn furnish<F: FileSystem>(fs: &mut F) -> Result<(), Errno> {
    match run(Put::<F::File>::new(PutRequest::new(Path::new(KEY), "first", FIRST.to_vec())), fs) {
        PutEnd::Stored => Ok(()),
        PutEnd::Occupied => Err(Errno::EXIST),
        PutEnd::Failed(PutFailure { errno, .. }) | PutEnd::NotDurable { errno, .. } => Err(errno),
    }
}

/// A client before its first step; `number` names its claim where claims have names of their own.
fn client<File>(protocol: Protocol, number: usize) -> Actor<File> {
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
fn other<File>(others: Others) -> Option<(&'static str, Actor<File>)> {
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
fn actors<File>(protocol: Protocol, others: Others, clients: usize) -> Vec<Actor<File>> {
    let clients = (1..=clients).map(|number| client(protocol, number));
    clients.chain(other(others).map(|(_, actor)| actor)).collect()
}

/// The simulated system; `None` if either name is none of this model's.
///
/// [`Model::case`] hides what a system is made of. This is for whoever puts the same world and the
/// same machines before another checker.
pub fn simulated(
    variant: &str,
    scenario: &str,
    clients: usize,
) -> Option<System<SimFs, Actor<SimFile>>> {
    Some(system(protocol(variant)?, others(scenario)?, clients))
}

/// A client of the download `key`, before its first step, for any file system; `None` if there is
/// no such variant. `number` names its claim where claims have names of their own.
pub fn client_of<File>(variant: &str, number: usize) -> Option<Actor<File>> {
    Some(client(protocol(variant)?, number))
}

type Simulated = Actor<SimFile>;
type DownloadSystem = System<SimFs, Simulated>;
type DownloadState<'a> = State<'a, SimFs, Simulated>;

fn system(protocol: Protocol, others: Others, clients: usize) -> DownloadSystem {
    let mut world = SimFs::new();
    furnish(&mut world).expect("an empty simulated file system takes one file");
    let mut system = System::new(world).described_by(recorded_step);
    system = match protocol.mechanism() {
        // Each has a claim name of its own, so they are not identical.
        Some(Mechanism::RenameUnique) => (1..=clients).fold(system, |system, number| {
            system.actor(format!("client {number}"), client(protocol, number))
        }),
        _ => system.clients(clients, client(protocol, 0)),
    };
    if let Some((name, actor)) = other(others) {
        system = system.actor(name, actor);
    }
    with_properties(system, protocol, others, clients)
}

fn with_properties(
    system: DownloadSystem,
    protocol: Protocol,
    others: Others,
    clients: usize,
) -> DownloadSystem {
    let system = system
        .at_most(1, "at-most-once", |local| match local.output() {
            Some(Told::Delivered(secret)) => Some(secret.clone()),
            _ => None,
        })
        .finally("exactly-once", move |state| {
            let one_has = |secret| deliveries(state, secret) == 1;
            let stored = told(state, |told| *told == Told::Stored) > 0;
            // Whoever comes next would get it.
            let still_to_have = || {
                deliveries(state, SECOND) == 0 && next_client_gets(state.world(), protocol, SECOND)
            };
            match others {
                Others::Nobody => one_has(FIRST),
                Others::Janitor => {
                    let removed = told(state, |told| *told == Told::Expired) > 0;
                    one_has(FIRST) || (removed && deliveries(state, FIRST) == 0)
                }
                // The first may have been replaced, which is as good as removed.
                Others::Uploader { replaces: true } => one_has(SECOND) || still_to_have(),
                Others::Uploader { replaces: false } => {
                    one_has(FIRST) && (!stored || one_has(SECOND) || still_to_have())
                }
            }
        })
        .finally("gone-not-error", |state| told(state, |t| matches!(t, Told::Failed(..))) == 0)
        .finally("meta-agrees", move |state| {
            let marked = state.world().tree().get("key/meta").is_some();
            let somebody_has_one = told(state, |told| matches!(told, Told::Delivered(_))) > 0;
            // The janitor removes meta with the rest; it must only never speak of no delivery.
            marked == somebody_has_one || (others == Others::Janitor && !marked)
        })
        .finally("nothing-left", |state| {
            state.world().tree().iter().all(|(path, node)| {
                let name = path.strip_prefix(KEY).ok().and_then(Path::to_str).unwrap_or("");
                let is_claim = name == "claim" || name.starts_with("content.");
                let was_delivered = match node {
                    Node::File { bytes, .. } if name == "content" => deliveries(state, bytes) > 0,
                    _ => false,
                };
                !(was_delivered || is_claim && deliveries_of_any(state) > 0)
            })
        })
        .reaches(
            "somebody-gets-it",
            |local| matches!(local, Local::Done(Told::Delivered(secret)) if secret == FIRST),
        );
    let system = match others {
        Others::Janitor => {
            system.reaches("expired-unclaimed", |local| matches!(local, Local::Done(Told::Expired)))
        }
        // Where the first is not replaced, it takes one client to make room for the second.
        Others::Uploader { replaces } if replaces || clients > 1 => system.reaches(
            "second-is-delivered",
            |local| matches!(local, Local::Done(Told::Delivered(secret)) if secret == SECOND),
        ),
        Others::Uploader { .. } | Others::Nobody => system,
    };
    if clients > 1 || others == Others::Janitor {
        system.reaches("somebody-is-late", |local| matches!(local, Local::Done(Told::Gone)))
    } else {
        system
    }
}

/// How many actors were told such a thing.
fn told(state: &DownloadState<'_>, such: impl Fn(&Told) -> bool) -> usize {
    state.outputs().filter(|told| such(told)).count()
}

fn deliveries(state: &DownloadState<'_>, secret: &[u8]) -> usize {
    told(state, |told| matches!(told, Told::Delivered(got) if got == secret))
}

fn deliveries_of_any(state: &DownloadState<'_>) -> usize {
    told(state, |told| matches!(told, Told::Delivered(_)))
}

/// Whether one more client, coming when all is over, gets this secret.
fn next_client_gets(world: &SimFs, protocol: Protocol, secret: &[u8]) -> bool {
    let late: Simulated = client(protocol, usize::MAX);
    run(late, &mut world.clone()) == Told::Delivered(secret.to_vec())
}
