//! First floor, `net`: the simulated network. Imports its neighbours in `net`.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::{Method, NetError, Network, Page, Request, Response, Scripted, Visit};
use crate::fs::Errno;

/// A network as a value: names with their addresses, and web servers that answer every request with
/// one page. Who owns which is not its business; an attacker is whoever [scripts](Scripted) it.
///
/// Servers speak plain HTTP, on port 80. Where there is none, a connection is refused
/// (`ECONNREFUSED`), as on loopback. An IPv4-mapped IPv6 address leads to the IPv4 server, as with
/// the sockets of Linux. A server decides what to answer when the client comes to receive it, so its
/// owner may think it over until then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SimNet {
    names: BTreeMap<Arc<str>, Vec<IpAddr>>,
    servers: BTreeMap<IpAddr, Server>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    page: Page,
    listens: bool,
    visits: Vec<Visit>,
}

/// The port of every server.
const PORT: u16 = 80;

/// A connection to a server of [`SimNet`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SimConnection {
    peer: SocketAddr,
    asked: Option<Method>,
}

impl SimNet {
    /// No names and no servers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with a name that has these addresses.
    pub fn with_name(mut self, name: &str, addresses: &[IpAddr]) -> Self {
        self.bind(name, addresses);
        self
    }

    /// The same with a server at this address that accepts connections and answers so.
    pub fn with_server(mut self, address: IpAddr, page: Page) -> Self {
        let server = Server { page, listens: true, visits: Vec::new() };
        self.servers.insert(address.to_canonical(), server);
        self
    }

    /// What reached the server at this address, in order; nothing where there is none.
    pub fn visits(&self, server: IpAddr) -> &[Visit] {
        self.servers.get(&server.to_canonical()).map_or(&[], |server| &server.visits)
    }

    /// Each server's address, and what reached it.
    pub fn servers(&self) -> impl Iterator<Item = (IpAddr, &[Visit])> {
        self.servers.iter().map(|(address, server)| (*address, server.visits.as_slice()))
    }

    /// Each name with its addresses.
    pub fn names(&self) -> impl Iterator<Item = (&str, &[IpAddr])> {
        self.names.iter().map(|(name, addresses)| (&**name, addresses.as_slice()))
    }

    /// What the server at this address answers at the moment.
    pub fn page(&self, server: IpAddr) -> Option<&Page> {
        self.servers.get(&server.to_canonical()).map(|server| &server.page)
    }

    /// Whether the server at this address accepts connections.
    pub fn listens(&self, server: IpAddr) -> bool {
        self.servers.get(&server.to_canonical()).is_some_and(|server| server.listens)
    }

    fn server(&mut self, address: SocketAddr) -> Option<&mut Server> {
        let server = self.servers.get_mut(&address.ip().to_canonical());
        server.filter(|_| address.port() == PORT)
    }
}

impl Network for SimNet {
    type Connection = SimConnection;

    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let addresses = self.names.get(name).filter(|addresses| !addresses.is_empty());
        addresses.cloned().ok_or(NetError::NoSuchName)
    }

    fn connect(&mut self, to: SocketAddr) -> Result<SimConnection, NetError> {
        match self.server(to).filter(|server| server.listens) {
            Some(server) => {
                server.visits.push(Visit::Connected);
                Ok(SimConnection { peer: to, asked: None })
            }
            None => Err(NetError::Os(Errno::CONNREFUSED)),
        }
    }

    fn peer(&self, connection: &SimConnection) -> Result<SocketAddr, NetError> {
        Ok(connection.peer)
    }

    fn send(&mut self, connection: &mut SimConnection, request: &Request) -> Result<(), NetError> {
        if request.url.scheme() != "http" {
            return Err(NetError::Tls("the simulated servers have no certificates".into()));
        }
        if let Some(server) = self.server(connection.peer) {
            server.visits.push(Visit::of(request));
        }
        connection.asked = Some(request.method);
        Ok(())
    }

    fn receive(&mut self, connection: SimConnection, limit: u64) -> Result<Response, NetError> {
        // Nobody answers who was not asked; a real client would wait until it is tired of it.
        let (Some(method), Some(server)) = (connection.asked, self.server(connection.peer)) else {
            return Err(NetError::TimedOut);
        };
        match &server.page {
            Page::Redirect(to) => Ok(Response {
                status: 302,
                location: Some(to.clone()),
                content_type: None,
                body: Vec::new(),
            }),
            Page::Content(content_type, body) => {
                let body = if method == Method::Head { &[][..] } else { body.as_bytes() };
                if body.len() as u64 > limit {
                    return Err(NetError::TooLarge { limit });
                }
                let content_type = Some(content_type.clone());
                Ok(Response { status: 200, location: None, content_type, body: body.to_vec() })
            }
        }
    }
}

impl Scripted for SimNet {
    fn bind(&mut self, name: &str, addresses: &[IpAddr]) {
        self.names.insert(name.into(), addresses.to_vec());
    }

    fn serve(&mut self, server: IpAddr, page: &Page) {
        if let Some(server) = self.servers.get_mut(&server.to_canonical()) {
            server.page = page.clone();
        }
    }

    fn listen(&mut self, server: IpAddr, listens: bool) {
        if let Some(server) = self.servers.get_mut(&server.to_canonical()) {
            server.listens = listens;
        }
    }
}
