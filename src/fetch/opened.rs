//! Third floor, `fetch`: a response whose body is read as it comes. Imports [`net`](crate::net).

use std::net::{IpAddr, SocketAddr};

use super::Fetched;
use crate::net::{Headers, NetError, Network, OsBody, OsConnection, OsNet, Request, Response, Url};

/// The response from a URL, with its body still to be [read](std::io::Read).
#[derive(Debug)]
pub struct Opened {
    /// The URL of the response, after all redirects.
    pub url: Url,
    /// The address that the response comes from.
    pub address: SocketAddr,
    /// The status code.
    pub status: u16,
    /// The headers. They may be lying.
    pub headers: Headers,
    /// The body: at most as many bytes as the limits allow, by the deadline.
    pub body: OsBody,
}

impl Opened {
    /// `fetched` has no body of its own.
    pub(super) fn new(fetched: Fetched, body: OsBody) -> Self {
        let Fetched { url, address, status, headers, .. } = fetched;
        Opened { url, address, status, headers, body }
    }
}

/// The real network, which keeps the last body instead of reading it. What fetches is what
/// ships: to it, each response is empty.
pub(super) struct Unread {
    pub(super) net: OsNet,
    pub(super) body: Option<OsBody>,
}

impl Network for Unread {
    type Connection = OsConnection;

    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        self.net.resolve(name)
    }

    fn connect(&mut self, to: SocketAddr) -> Result<OsConnection, NetError> {
        self.net.connect(to)
    }

    fn connect_any(
        &mut self,
        first: SocketAddr,
        others: &[SocketAddr],
    ) -> (usize, Result<OsConnection, NetError>) {
        self.net.connect_any(first, others)
    }

    fn peer(&self, connection: &OsConnection) -> Result<SocketAddr, NetError> {
        self.net.peer(connection)
    }

    fn send(&mut self, connection: &mut OsConnection, request: &Request) -> Result<(), NetError> {
        self.net.send(connection, request)
    }

    fn receive(&mut self, connection: OsConnection, limit: u64) -> Result<Response, NetError> {
        // That of the hop before is of no use any more.
        self.body = None;
        let (response, body) = self.net.open(connection, limit)?;
        self.body = Some(body);
        Ok(response)
    }
}
