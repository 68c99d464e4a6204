//! First floor: the network world. The trait, [`SimNet`] (a pure value), `OsNet` (real sockets), a
//! recorder, and which addresses are [public](policy). Imports [`recorded`](crate::recorded),
//! rustix's `Errno`, and libraries for URLs, HTTP and TLS; nothing above.
//!
//! The trait has the operations of a client that fetches something. Each method is one act: resolve
//! a name, connect to an address, send a request, receive the response. Others can act between any
//! two of them.
//!
//! The caller decides *which* address is connected to: no other method resolves a name, and none
//! follows a redirect. That is the point: code that checks an address has to hold the address that
//! is then used.

mod error;
mod headers;
#[cfg(feature = "command")]
mod loopback;
mod os;
pub mod policy;
mod recorded;
mod script;
mod sim;
mod told;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

pub use rustls::ClientConfig;
use url::Host;
pub use url::Url;

pub use error::NetError;
pub(crate) use error::printable;
pub use headers::{HeaderError, Headers};
#[cfg(feature = "command")]
pub use loopback::{LoopbackConnection, LoopbackNet};
pub use os::{NameServers, OsBody, OsConnection, OsNet, Resolve, SystemResolver};
pub use policy::{
    Block, BlockError, Carried, Name, NameError, Opening, Policy, Special, SpecialName,
};
pub use script::{Page, Scripted, Visit};
pub use sim::{SimConnection, SimNet};

/// The address that a URL's host is, if it is one.
pub(crate) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Domain(_) => None,
        Host::Ipv4(v4) => Some(v4.into()),
        Host::Ipv6(v6) => Some(v6.into()),
    }
}

/// A network, as far as a client needs one to fetch what is at a URL.
///
/// Between any two calls anybody else may act: the owner of a name may bind it to another address,
/// and the owner of a server may answer anything.
pub trait Network {
    /// An established connection to a server, for one request. Dropping it closes it.
    type Connection;

    /// The addresses that a name has at this moment, at least one, in the order in which to try
    /// them.
    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, NetError>;

    /// Connects to this address and to no other. The server learns that somebody connects, and
    /// nothing more.
    fn connect(&mut self, to: SocketAddr) -> Result<Self::Connection, NetError>;

    /// Connects to the first of these addresses that accepts. Returns its index: 0 is `first`, and
    /// `others` follow. If none accepts, the index is that of the last address tried, and those
    /// after it are still to be tried. The connection may lead to any of the addresses, so the
    /// caller has to judge them all before.
    ///
    /// By default only `first` is tried: one act. A real network may try several at once (RFC
    /// 8305), so that a silent address holds nobody up.
    fn connect_any(
        &mut self,
        first: SocketAddr,
        others: &[SocketAddr],
    ) -> (usize, Result<Self::Connection, NetError>) {
        let _ = others;
        (0, self.connect(first))
    }

    /// The address that a connection leads to, from its own socket: `getpeername(2)`. Nobody can
    /// change it.
    fn peer(&self, connection: &Self::Connection) -> Result<SocketAddr, NetError>;

    /// Sends a request. For an `https` URL the server first has to show a certificate for the URL's
    /// host, whatever address the connection leads to.
    fn send(
        &mut self,
        connection: &mut Self::Connection,
        request: &Request,
    ) -> Result<(), NetError>;

    /// Receives the response, with a body of at most `limit` bytes; a longer body is
    /// [`NetError::TooLarge`]. Only a success (2xx) has a body: a redirect, an error, and the
    /// answer to a [`HEAD`](Method::Head) have none.
    fn receive(&mut self, connection: Self::Connection, limit: u64) -> Result<Response, NetError>;
}

/// The method of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// Asks for what is there.
    Get,
    /// Asks for what is there, without the body.
    Head,
    /// Has the server process this request's body.
    Post,
}

impl Method {
    /// `GET`, `HEAD`, `POST`.
    pub fn word(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
        }
    }
}

/// A request: what to fetch, and from which host. Except for headers that the caller adds, nothing
/// in it can tell who asks: no cookie, no authorization, no referrer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The URL. Its host names the server (`Host`, and the name in the server's certificate),
    /// wherever the connection leads.
    pub url: Url,
    /// Headers in addition to those that follow from how the request is sent.
    pub headers: Headers,
    /// The body of a [`POST`](Method::Post); empty otherwise.
    pub body: Arc<[u8]>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, url: Url) -> Self {
        Request { method, url, headers: Headers::new(), body: Arc::from([]) }
    }
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Response {
    /// The status code: 200.
    pub status: u16,
    /// The headers. The server may lie in them.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// Where the response redirects to, as the server wrote it, if it is a redirect to follow (301,
    /// 302, 303, 307, 308).
    pub fn redirect(&self) -> Option<&str> {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
            .then_some(self.headers.get("location"))?
    }

    /// The body's type, as the server states it. The server may lie.
    pub fn content_type(&self) -> Option<&str> {
        self.headers.get("content-type")
    }
}
