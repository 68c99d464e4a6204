//! First floor, `net`: real sockets. Imports its neighbours in `net`, [`tls`], and (its children)
//! rustls, ureq-proto's parser, rustix and the standard library's sockets.

mod body;
mod dns;
mod hosts;
mod http;
mod message;
mod race;
mod resolve;
mod stream;

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use super::{NetError, Network, Request, Response};
use crate::tls;
pub use body::OsBody;
pub use dns::NameServers;
pub use resolve::{Resolve, SystemResolver};
pub use stream::OsConnection;

/// The real network, for one fetch: everything that it does has to be done by one deadline.
///
/// A connection leads to the address that was asked for, and speaks to the host of the request's
/// URL. It names that host in the `Host` header and, for `https`, requires a certificate for it.
/// Nothing else decides where the connection leads: proxies that the environment names are ignored.
///
/// It speaks HTTP/1.1, with one request for each connection. It sends `User-Agent: toctou/` and
/// this crate's version, unless the request has another one.
///
/// Every call blocks, at most until the deadline.
#[derive(Clone)]
pub struct OsNet {
    deadline: Instant,
    connect_timeout: Duration,
    resolver: Arc<dyn Resolve>,
    tls: Arc<ClientConfig>,
}

/// A deadline may be far away, but has to be an instant.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl OsNet {
    /// How long to wait for one address, unless [set otherwise](OsNet::with_connect_timeout).
    pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

    /// How long to wait for one address before the next one is tried beside it.
    pub const CONNECT_DELAY: Duration = Duration::from_millis(250);

    /// The network from now on, until `timeout` is over. It uses the system's [name
    /// servers](NameServers), and trusts the authorities that Mozilla trusts.
    pub fn new(timeout: Duration) -> Self {
        OsNet {
            deadline: Instant::now() + timeout.min(LONGEST),
            connect_timeout: Self::CONNECT_TIMEOUT,
            resolver: NAME_SERVERS.clone(),
            tls: MOZILLAS.clone(),
        }
    }

    /// The same network, which resolves names with this resolver.
    pub fn with_resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = resolver;
        self
    }

    /// The same network with another TLS configuration: with other roots, for example.
    pub fn with_tls(mut self, tls: Arc<ClientConfig>) -> Self {
        self.tls = tls;
        self
    }

    /// The same network, which waits at most `timeout` for each address to accept a connection (and
    /// never beyond the deadline), as another address may answer. The default is
    /// [`OsNet::CONNECT_TIMEOUT`].
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }
}

impl OsNet {
    /// Receives the head of a response, as [`receive`](Network::receive) does, and leaves the body
    /// to be read as it comes, up to `limit` bytes.
    ///
    /// # Errors
    ///
    /// Those of [`receive`](Network::receive), except those of the body.
    pub fn open(
        &mut self,
        connection: OsConnection,
        limit: u64,
    ) -> Result<(Response, OsBody), NetError> {
        http::open(connection, limit)
    }
}

impl fmt::Debug for OsNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OsNet").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl Network for OsNet {
    type Connection = OsConnection;

    /// Asks the resolver once. An address that it answers twice is returned once.
    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let mut addresses = self.resolver.resolve(name, self.deadline)?;
        let mut seen = HashSet::with_capacity(addresses.len());
        addresses.retain(|address| seen.insert(*address));
        if addresses.is_empty() { Err(NetError::NoSuchName) } else { Ok(addresses) }
    }

    fn connect(&mut self, to: SocketAddr) -> Result<OsConnection, NetError> {
        self.connect_any(to, &[]).1
    }

    /// Tries the next address when one has failed, and at the latest after
    /// [`OsNet::CONNECT_DELAY`], while the attempts before go on (RFC 8305). The first address that
    /// accepts is taken, and the other attempts are given up. It fails when all attempts have
    /// failed.
    fn connect_any(
        &mut self,
        first: SocketAddr,
        others: &[SocketAddr],
    ) -> (usize, Result<OsConnection, NetError>) {
        race::connected(first, others, self.connect_timeout, self.deadline)
    }

    fn peer(&self, connection: &OsConnection) -> Result<SocketAddr, NetError> {
        connection.peer()
    }

    fn send(&mut self, connection: &mut OsConnection, request: &Request) -> Result<(), NetError> {
        http::send(connection, request, &self.tls)
    }

    fn receive(&mut self, connection: OsConnection, limit: u64) -> Result<Response, NetError> {
        http::receive(connection, limit)
    }
}

static NAME_SERVERS: LazyLock<Arc<dyn Resolve>> = LazyLock::new(|| Arc::new(NameServers::system()));

/// Mozilla's roots, HTTP/1.1, and no sessions resumed: a server cannot know somebody again.
static MOZILLAS: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let mut config = tls::client(tls::mozillas());
    config.alpn_protocols = vec![stream::HTTP_1_1.to_vec()];
    Arc::new(config)
});
