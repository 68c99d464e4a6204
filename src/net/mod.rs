//! First floor: the network world. The trait, [`SimNet`] (a pure value), `OsNet` (real sockets), a
//! recorder, and which addresses are [public](policy). Imports [`recorded`](crate::recorded), rustix's
//! `Errno`, and libraries for URLs, HTTP and TLS; nothing above.
//!
//! The trait has what a client does to fetch something, one method an act that others can come
//! between: resolve a name, connect to an address, send a request, receive the response. *Which*
//! address is connected to is the caller's to say: no method resolves a name by the way, none follows
//! a redirect. That is the point: who wants to check an address has to hold the one that is used.

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

/// A network, as far as somebody needs one who fetches what is at a URL.
///
/// Between any two calls anybody else may act: whoever owns a name may bind it to another address,
/// whoever has a server may answer anything.
pub trait Network {
    /// An established connection to a server, for one request. Dropping it closes it.
    type Connection;

    /// The addresses that a name has at this moment, in the order in which they are to be tried; at
    /// least one.
    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, NetError>;

    /// Connects to this address and to no other. The server learns that somebody connects, and
    /// nothing more.
    fn connect(&mut self, to: SocketAddr) -> Result<Self::Connection, NetError>;

    /// Connects to the first of these addresses that accepts: which one that is, counted from `first` (0) on.
    /// Where none does, the number is that of the last one that was tried; those after it are still to be
    /// tried. Who calls this may be connected to any of them, and has judged them all.
    ///
    /// By default only `first` is tried: one act. A real network may have several under way at once (RFC
    /// 8305), as nobody wants to wait for a silent one.
    fn connect_any(
        &mut self,
        first: SocketAddr,
        others: &[SocketAddr],
    ) -> (usize, Result<Self::Connection, NetError>) {
        let _ = others;
        (0, self.connect(first))
    }

    /// Where a connection leads, by its own socket: `getpeername(2)`. Nobody can change it.
    fn peer(&self, connection: &Self::Connection) -> Result<SocketAddr, NetError>;

    /// Sends a request. For an `https` URL the server has to show a certificate for the URL's host
    /// first, whatever address the connection leads to.
    fn send(
        &mut self,
        connection: &mut Self::Connection,
        request: &Request,
    ) -> Result<(), NetError>;

    /// Receives the response, with a body of at most `limit` bytes: a longer one is
    /// [`NetError::TooLarge`]. Only a success (2xx) has one: of a redirect, of an error, and of
    /// the answer to a [`HEAD`](Method::Head), there is none.
    fn receive(&mut self, connection: Self::Connection, limit: u64) -> Result<Response, NetError>;
}

/// What is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// What is there.
    Get,
    /// What would be there, without its body.
    Head,
    /// What comes of this request's body.
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

/// A request: what, and of which host. There is nothing else in it that could tell who asks, but for the
/// headers that somebody gives it: no cookie, no authorization, no referrer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// What is asked.
    pub method: Method,
    /// Of what: its host is who is spoken to (`Host`, and the name in a server's certificate), wherever
    /// the connection leads.
    pub url: Url,
    /// Headers beside those that follow from how it is sent.
    pub headers: Headers,
    /// What is sent with a [`POST`](Method::Post); nothing otherwise.
    pub body: Arc<[u8]>,
}

impl Request {
    /// Without headers and a body.
    pub fn new(method: Method, url: Url) -> Self {
        Request { method, url, headers: Headers::new(), body: Arc::from([]) }
    }
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Response {
    /// The status code: 200.
    pub status: u16,
    /// The headers. They may be lying.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// Whether it is a redirect that is to be followed: it says so (301, 302, 303, 307, 308), and where
    /// to, as the server wrote it.
    pub fn redirect(&self) -> Option<&str> {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
            .then_some(self.headers.get("location"))?
    }

    /// Of which type the server says that the body is. It may be lying.
    pub fn content_type(&self) -> Option<&str> {
        self.headers.get("content-type")
    }
}
