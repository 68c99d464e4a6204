//! Third floor: fetching what is at a URL that somebody else gave, and reaching nothing that is not
//! public. Imports [`net`](crate::net) and the floors below.
//!
//! A server that fetches a picture from wherever its users say can reach what its users cannot: the
//! database on its own host, the cloud's metadata service, the printer next door. To look where the
//! URL leads first is a race, as names can change between the look and the fetch, and a response can
//! be a redirect. What runs here is what was proved: the function [`fetch()`], on real sockets. The very same function is explored against every script of
//! an attacker who owns the name and the server.
//!
//! ```no_run
//! use toctou::fetch::{FetchError, Limits, fetch_public};
//!
//! # fn main() -> Result<(), FetchError> {
//! let avatar = fetch_public("https://images.example/cat.png", Limits::default())?;
//! println!("{} bytes from {}", avatar.bytes.len(), avatar.address);
//! # Ok(())
//! # }
//! ```
//!
//! # Promised
//!
//! - No connection is made to an address that is not public by IANA's registries of special-purpose
//!   addresses, whatever the URL, the name servers and the web servers say, and however an address is
//!   written. One such address among several is enough to refuse a name. What a
//!   [policy](crate::net::Policy) opens beside that, it opens at ports and for hosts.
//! - [Special names](crate::net::policy::special_name) are not looked up: names of one label, `localhost`,
//!   `.local`, `.internal`, `.onion` and their like.
//! - Each name is resolved once for each redirect, and the addresses that were judged are those that
//!   are connected to. A server on `https` has to show a certificate for the URL's host.
//! - Only `http` and `https`, no user names and passwords, at most so many redirects, at most so many
//!   bytes (never more are held), and all of it by one deadline, however slowly a server trickles.
//! - A silent name server holds up the fetch that needs it, and no other. One that drops a family's questions
//!   costs [a moment](crate::net::NameServers::PATIENCE), and an address that does not answer costs [a quarter
//!   of a second](crate::net::OsNet::CONNECT_DELAY): the next one is tried beside it.
//! - What is returned is whole: a response that is cut short is an error, unless a server gives neither
//!   the length of a body nor chunks, and does not encrypt: then nobody can tell. It came from a server of
//!   the last hop's host. No cookie, authorization or referrer is sent but what you [add](Ask::with), and that
//!   goes to the origin of the URL that was given alone.
//! - An error tells no password, no query and no header, in one line without control characters. It is for the
//!   operator; [`FetchError::public`] is for whoever gave the URL.
//!
//! # Not promised
//!
//! - That a public address does not lead inside: it may be one of your own, behind your firewall; that of
//!   a NAT64 with a prefix of your own; one that your cloud's host has taken for itself (Azure:
//!   168.63.129.16). [Deny](crate::net::Policy::denying_block) those. A transparent proxy, or a router that
//!   leads a public address inside, needs a firewall.
//! - That a public server does not fetch something itself for whoever asks. If it can reach you from
//!   inside, that is between the two of you.
//! - That the body is of the type that the server says, or harmless.
//! - That only web servers are reached: any port of a public address is. A request is all that it gets.
//! - That a compressed body is read. None is asked for; one that comes all the same is refused, by its
//!   encoding.
//! - That names are resolved as the system's C library would: [`/etc/hosts` and name
//!   servers](crate::net::NameServers) are asked, and nothing else. Whoever takes
//!   [`SystemResolver`](crate::net::SystemResolver) instead shares its 64 threads with all others.
//! - That a host whose label ends with a hyphen is fetched by `https`: no certificate can have such a name.
//! - That no more crosses the wire than is returned. Chunks of one byte, answers before the answer: what
//!   bounds these is the time.
//! - That nobody notices. The name server and the web server that a URL names see you come; the name
//!   server also sees it where the fetch is then refused.
//! - That nothing is sent in the clear: a redirect may lead from `https` to `http`, unless
//!   [`https_only`](Limits::https_only) is set.
//!
//! # Asynchronous code
//!
//! It blocks. [`Fetcher::ask_later`] is the same as a future, for any executor: it fetches in a thread of its
//! own. So it is one and the same function, and no runtime comes along.
//!
//! # Other HTTP clients
//!
//! hyper's client takes a connector, and has no other connections than those that it makes. With the feature
//! `hyper`, `Fetcher::connector` is one that connects to nothing that a fetch would not connect to. For
//! another client, [`Fetcher::addresses`] says which addresses it may connect to, and what it has to promise.

mod ask;
mod errand;
mod error;
#[cfg(feature = "hyper")]
mod hyper;
mod later;
mod opened;
mod shown;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::net::{ClientConfig, Headers, NetError, OsNet, Policy, Resolve, Url};

pub use ask::Ask;
use errand::Errand;
pub use errand::{MOST_ADDRESSES, TRIED_ADDRESSES, fetch};
pub use error::{Act, FetchError, Hop, UrlFault};
#[cfg(feature = "hyper")]
pub use hyper::{Connecting, Connector};
pub use later::Fetching;
pub use opened::Opened;

/// What is asked of every hop.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    /// Which addresses may be connected to.
    pub policy: Policy,
    /// How many bytes the body may have.
    pub bytes: u64,
    /// How many redirects are followed.
    pub redirects: u32,
    /// Whether plain HTTP is refused.
    pub https_only: bool,
}

/// What was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fetched {
    /// Where it was, after all redirects.
    pub url: Url,
    /// The address that it came from.
    pub address: SocketAddr,
    /// The status code: 2xx, or one of a redirect that was [not followed](Ask::unfollowed).
    pub status: u16,
    /// The headers. They may be lying.
    pub headers: Headers,
    /// Of which type the server says that it is. It may be lying.
    pub content_type: Option<Arc<str>>,
    /// What it is.
    pub bytes: Vec<u8>,
}

/// How much a fetch may take.
///
/// ```
/// use std::time::Duration;
/// use toctou::fetch::Limits;
///
/// let limits = Limits { bytes: 256 * 1024, timeout: Duration::from_secs(3), ..Limits::default() };
/// # assert_eq!(limits.redirects, 5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// How many bytes the body may have: 5 MiB by default.
    pub bytes: u64,
    /// How many redirects are followed: 5 by default.
    pub redirects: u32,
    /// How long all of it together may take, redirects included: 10 seconds by default.
    pub timeout: Duration,
    /// How long each address is waited for to accept a connection, and never beyond `timeout`; the name's
    /// next one is tried beside it [long before](OsNet::CONNECT_DELAY). 3 seconds by default.
    pub connect_timeout: Duration,
    /// Whether `http` is refused, for the URL that is given and for redirects: no by default.
    pub https_only: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            bytes: 5 * 1024 * 1024,
            redirects: 5,
            timeout: Duration::from_secs(10),
            connect_timeout: OsNet::CONNECT_TIMEOUT,
            https_only: false,
        }
    }
}

/// Fetches what is at a URL that somebody else gave, and reaches nothing that is not public. What
/// exactly that means is [said above](self).
///
/// # Errors
///
/// Which hop was not fetched, and why: it was [refused](FetchError::is_refusal), it was answered with
/// another status than 2xx, or something on the network did not happen (in
/// [time](FetchError::is_timed_out), within [limits](FetchError::is_too_large)).
pub fn fetch_public(url: &str, limits: Limits) -> Result<Fetched, FetchError> {
    Fetcher::new(limits).fetch(url)
}

/// Fetches as [`fetch_public`] does, for those who need another policy, another resolver or other
/// roots of trust. It is cheap to clone, and can be shared by threads.
///
/// ```no_run
/// use toctou::fetch::{FetchError, Fetcher, Limits};
/// use toctou::net::Policy;
///
/// # fn main() -> Result<(), FetchError> {
/// // Our own image server is inside, at port 80.
/// let policy = Policy::public().allowing([10, 0, 0, 7].into());
/// let fetcher = Fetcher::new(Limits::default()).with_policy(policy);
/// let avatar = fetcher.fetch("http://images.corp.example/cat.png")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Fetcher {
    limits: Limits,
    rules: Arc<Rules>,
    resolver: Option<Arc<dyn Resolve>>,
    tls: Option<Arc<ClientConfig>>,
}

impl Fetcher {
    /// Within these limits, from public addresses only.
    pub fn new(limits: Limits) -> Self {
        let Limits { bytes, redirects, https_only, .. } = limits;
        let rules = Rules { policy: Policy::public(), bytes, redirects, https_only };
        Fetcher { limits, rules: Arc::new(rules), resolver: None, tls: None }
    }

    /// The same, from the addresses that this policy allows.
    pub fn with_policy(mut self, policy: Policy) -> Self {
        Arc::make_mut(&mut self.rules).policy = policy;
        self
    }

    /// The same, with names resolved by somebody else than the system's [name
    /// servers](crate::net::NameServers).
    pub fn with_resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// The same, with TLS that is configured otherwise: trusting other roots than Mozilla's, say.
    pub fn with_tls(mut self, tls: Arc<ClientConfig>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Fetches what is at a URL.
    ///
    /// # Errors
    ///
    /// As [`fetch_public`].
    pub fn fetch(&self, url: &str) -> Result<Fetched, FetchError> {
        self.ask(url, Ask::get())
    }

    /// Asks something at a URL.
    ///
    /// # Errors
    ///
    /// As [`fetch_public`].
    pub fn ask(&self, url: &str, ask: Ask) -> Result<Fetched, FetchError> {
        fetch(&mut self.net(), url, ask, self.rules.clone())
    }

    /// The same in a thread of its own, for asynchronous code.
    pub fn ask_later(&self, url: &str, ask: Ask) -> Fetching {
        match Errand::new(url, ask, self.rules.clone()) {
            Ok(errand) => {
                let (mut net, hop) = (self.net(), Box::new(errand.hop().clone()));
                let unless = |error| failed(hop, NetError::from(error));
                Fetching::begun(move || errand.run(&mut net), unless)
            }
            Err(error) => Fetching::done(Err(error)),
        }
    }

    /// The same, with the body still to be read: as it comes, within the same limits and by the same
    /// deadline.
    ///
    /// # Errors
    ///
    /// As [`fetch_public`], of what is not the body.
    pub fn open(&self, url: &str, ask: Ask) -> Result<Opened, FetchError> {
        let errand = Errand::new(url, ask, self.rules.clone())?;
        let hop = Box::new(errand.hop().clone());
        let mut net = opened::Unread { net: self.net(), body: None };
        let fetched = errand.run(&mut net)?;
        match net.body {
            Some(body) => Ok(Opened::new(fetched, body)),
            None => Err(failed(hop, NetError::http(&"there is no response"))),
        }
    }

    /// The addresses that another HTTP client may connect to for this URL, in the order in which they are to
    /// be tried; every one of them is judged.
    ///
    /// That client has to connect to these very addresses, whatever the URL's host is, *also where that is an
    /// address*: most clients ask no resolver then. It has to follow no redirect without asking here again,
    /// and to take no proxy. A client that asks its resolver for each host of each hop, addresses included,
    /// can ask this instead (`ureq`'s does). One that does not (`reqwest` connects to addresses in URLs without
    /// asking) is given the addresses for one request (`resolve_to_addrs`), after they were asked for here,
    /// with redirects and proxies turned off. For `hyper-util` there is a connector, with the feature `hyper`.
    ///
    /// # Errors
    ///
    /// As [`fetch_public`], of what is before a connection.
    pub fn addresses(&self, url: &str) -> Result<Vec<SocketAddr>, FetchError> {
        Errand::new(url, Ask::get(), self.rules.clone())?.addresses(&mut self.net())
    }

    /// The network for one fetch, from now on.
    fn net(&self) -> OsNet {
        let Limits { timeout, connect_timeout, .. } = self.limits;
        let mut net = OsNet::new(timeout).with_connect_timeout(connect_timeout);
        if let Some(resolver) = &self.resolver {
            net = net.with_resolver(resolver.clone());
        }
        if let Some(tls) = &self.tls {
            net = net.with_tls(tls.clone());
        }
        net
    }
}

/// What became of a fetch that was not the network's fault.
fn failed(hop: Box<Hop>, error: NetError) -> FetchError {
    FetchError::Network { hop, act: Act::Resolve, error }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher")
            .field("limits", &self.limits)
            .field("policy", &self.rules.policy)
            .finish_non_exhaustive()
    }
}
