//! Third floor: fetching from a URL that somebody else gave, without reaching anything that is not
//! public. Imports [`net`](crate::net) and the floors below.
//!
//! A server that fetches a picture from any URL that a user gives can reach what the user cannot:
//! the database on its own host, the cloud's metadata service, the printer next door. Looking first
//! where the URL leads is a race: the name can change between the look and the fetch, and the
//! response can be a redirect.
//!
//! The code that runs here is the code that was proved: the function [`fetch()`], on real sockets.
//! The same function is explored against every script of an attacker who owns the name and the
//! server.
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
//!   addresses. This holds whatever the URL, the name servers and the web servers say, and however
//!   an address is written. One such address among several is enough to refuse a name. A
//!   [policy](crate::net::Policy) can open more addresses, at given ports and for given hosts.
//! - [Special names](crate::net::policy::special_name) are not looked up: names with one label,
//!   `localhost`, `.local`, `.internal`, `.onion` and similar ones.
//! - Each name is resolved once for each redirect. The fetch connects only to the addresses that
//!   were judged. A server on `https` has to show a certificate for the URL's host.
//! - Only `http` and `https` are fetched, and no URL with a user name or a password. The number of
//!   redirects and of bytes is limited (more bytes are never held). One deadline ends all of it,
//!   however slowly a server sends.
//! - A silent name server delays only the fetch that needs it. One that drops the questions for one
//!   address family costs [a moment](crate::net::NameServers::PATIENCE). An address that does not
//!   answer costs [a quarter of a second](crate::net::OsNet::CONNECT_DELAY): then the next one is
//!   tried beside it.
//! - A response that is returned is whole: one that is cut short is an error. There is one
//!   exception, where nobody can tell: a server that gives neither the length of a body nor chunks,
//!   and does not encrypt.
//! - The response came from a server of the last hop's host.
//! - No cookie, authorization or referrer is sent, except what you [add](Ask::with). What you add
//!   goes only to the origin of the URL that was given.
//! - An error shows no password, no query and no header, on one line without control characters. It
//!   is for the operator; [`FetchError::public`] is for the person who gave the URL.
//!
//! # Not promised
//!
//! - That a public address does not lead inside. It may be one of your own, behind your firewall.
//!   It may belong to a NAT64 with a prefix of your own. Your cloud's host may have taken it for
//!   itself (Azure: 168.63.129.16). [Deny](crate::net::Policy::denying_block) those. Against a
//!   transparent proxy, or a router that leads a public address inside, you need a firewall.
//! - That a public server does not fetch something itself for somebody who asks it. If it can reach
//!   you from inside, that is between the two of you.
//! - That the body is of the type that the server says, or harmless.
//! - That only web servers are reached. A fetch can connect to any port of a public address, but it
//!   sends only a request.
//! - That a compressed body is read. The fetch asks for none. If one comes all the same, the fetch
//!   refuses it by its encoding.
//! - That names are resolved as the system's C library would. Only [`/etc/hosts` and name
//!   servers](crate::net::NameServers) are asked. If you use
//!   [`SystemResolver`](crate::net::SystemResolver) instead, you share its 64 threads with all
//!   others.
//! - That a host whose label ends with a hyphen is fetched by `https`: no certificate can have such
//!   a name.
//! - That no more bytes cross the wire than are returned: there are chunks of one byte, and
//!   responses before the final response. Only the deadline bounds these.
//! - That nobody notices the fetch. The name server and the web server that a URL names see it. The
//!   name server sees it even if the fetch is then refused.
//! - That nothing is sent in the clear. A redirect may lead from `https` to `http`, unless
//!   [`https_only`](Limits::https_only) is set.
//!
//! # Asynchronous code
//!
//! The functions block. [`Fetcher::ask_later`] gives the same fetch as a future, for any executor:
//! it fetches in a thread of its own. So one function serves both, and this needs no runtime.
//!
//! # Other HTTP clients
//!
//! With the feature `hyper`, `Fetcher::connector` makes a connector for hyper's client. For another
//! client, [`Fetcher::addresses`] gives the addresses that it may connect to, and says what the client
//! has to promise.

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

/// The rules for every hop.
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

/// The result of a fetch.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fetched {
    /// The URL that was fetched, after all redirects.
    pub url: Url,
    /// The address that the response came from.
    pub address: SocketAddr,
    /// The status code: 2xx, or one of a redirect that was [not followed](Ask::unfollowed).
    pub status: u16,
    /// The headers. They may be lying.
    pub headers: Headers,
    /// The type of the body, as the server says. It may be lying.
    pub content_type: Option<Arc<str>>,
    /// The body.
    pub bytes: Vec<u8>,
}

/// The limits of a fetch.
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
    /// How long the whole fetch may take, redirects included: 10 seconds by default.
    pub timeout: Duration,
    /// How long to wait for each address to accept a connection, never beyond `timeout`. The name's
    /// next address is tried beside it [long before](OsNet::CONNECT_DELAY) that. 3 seconds by
    /// default.
    pub connect_timeout: Duration,
    /// Whether `http` is refused, for the URL that is given and for redirects. By default it is
    /// not.
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

/// Fetches from a URL that somebody else gave, and reaches nothing that is not public. The
/// [module](self) says exactly what that means.
///
/// # Errors
///
/// The error says which hop was not fetched, and why:
///
/// - it was [refused](FetchError::is_refusal);
/// - it was answered with another status than 2xx;
/// - a step on the network failed, did not finish in [time](FetchError::is_timed_out), or did not
///   stay within the [limits](FetchError::is_too_large).
pub fn fetch_public(url: &str, limits: Limits) -> Result<Fetched, FetchError> {
    Fetcher::new(limits).fetch(url)
}

/// Fetches as [`fetch_public`] does, with another policy, another resolver or other roots of trust.
/// A fetcher is cheap to clone, and threads can share it.
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
    /// A fetcher with these limits, from public addresses only.
    pub fn new(limits: Limits) -> Self {
        let Limits { bytes, redirects, https_only, .. } = limits;
        let rules = Rules { policy: Policy::public(), bytes, redirects, https_only };
        Fetcher { limits, rules: Arc::new(rules), resolver: None, tls: None }
    }

    /// The same fetcher, from the addresses that this policy allows.
    pub fn with_policy(mut self, policy: Policy) -> Self {
        Arc::make_mut(&mut self.rules).policy = policy;
        self
    }

    /// The same fetcher, with names resolved by this resolver instead of the system's [name
    /// servers](crate::net::NameServers).
    pub fn with_resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// The same fetcher, with another TLS configuration: one that trusts other roots than
    /// Mozilla's, say.
    pub fn with_tls(mut self, tls: Arc<ClientConfig>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Fetches from a URL.
    ///
    /// # Errors
    ///
    /// As [`fetch_public`].
    pub fn fetch(&self, url: &str) -> Result<Fetched, FetchError> {
        self.ask(url, Ask::get())
    }

    /// Sends a request to a URL.
    ///
    /// # Errors
    ///
    /// As [`fetch_public`].
    pub fn ask(&self, url: &str, ask: Ask) -> Result<Fetched, FetchError> {
        fetch(&mut self.net(), url, ask, self.rules.clone())
    }

    /// Sends a request in a thread of its own, for asynchronous code.
    pub fn ask_later(&self, url: &str, ask: Ask) -> Fetching {
        match Errand::new(url, ask, self.rules.clone()) {
            Ok(errand) => {
                let (mut net, hop) = (self.net(), errand.hop.clone());
                let unless = |error| failed(&hop, Act::Resolve, NetError::from(error));
                Fetching::begun(move || errand.run(&mut net), unless)
            }
            Err(error) => Fetching::done(Err(error)),
        }
    }

    /// Sends a request, and returns the response with its body still unread. The body is read as it
    /// comes, within the same limits and by the same deadline.
    ///
    /// # Errors
    ///
    /// As [`fetch_public`], except errors of the body.
    pub fn open(&self, url: &str, ask: Ask) -> Result<Opened, FetchError> {
        let errand = Errand::new(url, ask, self.rules.clone())?;
        // What fetches is what ships: to it, each response is empty.
        let (fetched, body) = errand.run_receiving(&mut self.net(), OsNet::open)?;
        let Fetched { url, address, status, headers, .. } = fetched;
        Ok(Opened { url, address, status, headers, body })
    }

    /// The addresses that another HTTP client may connect to for this URL, in the order in which to
    /// try them. All of them are judged.
    ///
    /// That client has to keep three rules:
    ///
    /// - It connects to exactly these addresses, whatever the URL's host is, *also where the host
    ///   is an address*: most clients ask no resolver then.
    /// - It follows no redirect without asking here again.
    /// - It uses no proxy.
    ///
    /// How a client does that:
    ///
    /// - Some clients ask their resolver for each host of each hop, addresses included (`ureq`
    ///   does). Such a client can use this as its resolver.
    /// - Others connect to addresses in URLs without asking (`reqwest` does). Ask here first, give
    ///   the client the addresses for one request (`resolve_to_addrs`), and turn its redirects and
    ///   proxies off.
    /// - For `hyper-util` there is a connector, with the feature `hyper`.
    ///
    /// # Errors
    ///
    /// As [`fetch_public`], for the steps before a connection.
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

fn failed(hop: &Hop, act: Act, error: NetError) -> FetchError {
    FetchError::Network { hop: Box::new(hop.clone()), act, error }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher")
            .field("limits", &self.limits)
            .field("policy", &self.rules.policy)
            .finish_non_exhaustive()
    }
}
