//! First floor, `net`: the network of [`SimNet`] on real sockets. Imports its neighbours in `net`,
//! rustix, and the parser of the HTTP library.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_reuseaddr, set_socket_timeout};
use rustix::net::{self, AddressFamily, Shutdown, SocketFlags, SocketType};
use ureq_proto::http::header::{CONTENT_LENGTH, HOST};
use ureq_proto::parser::try_parse_request;

use super::{
    Method, NetError, Network, OsConnection, OsNet, Page, Request, Resolve, Response, Scripted,
    SimNet, Visit,
};
use crate::calls::untold;
use crate::fs::Errno;

/// The real counterpart of [`SimNet`]: its servers listen on sockets of the loopback interface.
/// Each has the same address as in the simulation. Clients connect with [`OsNet`], as the code that
/// ships does.
///
/// Nothing leaves the machine. An address that is not a loopback address is refused
/// (`ECONNREFUSED`, as in the simulation), and no packet is sent.
///
/// Everything happens on the calling thread, in lockstep, so that a program has one outcome:
///
/// - a connection is accepted before [`connect`](Network::connect) returns;
/// - a request is read to its end before [`send`](Network::send) returns;
/// - a server answers with the page that it has when the client calls
///   [`receive`](Network::receive).
///
/// The visits of a server are what its own end of each connection received. A page has to fit into
/// the buffers of a socket, since nobody reads while it is written.
///
/// A connection to an IPv4-mapped address uses an IPv6 socket; the kernel leads it to the IPv4
/// server.
///
/// # Ports
///
/// Only root can listen on port 80, and another program may already do so. So the servers listen on
/// one port that the kernel chooses. A connection to port 80 is led there, and
/// [`peer`](Network::peer) says 80. Nobody listens on any other port. The port stays bound while a
/// server refuses connections, so that no other program accepts them in its place.
pub struct LoopbackNet {
    names: Arc<Names>,
    servers: BTreeMap<IpAddr, Server>,
    port: u16,
}

/// A server: its socket, bound to its address, and what the owner made of it.
struct Server {
    socket: OwnedFd,
    page: Page,
    visits: Vec<Visit>,
    /// Why it could not open or close when it was to.
    fault: Option<Errno>,
}

/// A connection to a server of [`LoopbackNet`], with both its ends.
// The client's end is closed first: whoever closes first keeps a port waiting for a minute, and the
// client's is nobody's.
pub struct LoopbackConnection {
    client: OsConnection,
    server: TcpStream,
    address: IpAddr,
    asked: Option<Method>,
}

/// The port that servers have in URLs.
const PORT: u16 = 80;
/// How long one end waits for the other, and how long a connection lasts: longer than anything takes
/// that is not stuck.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a port is looked for that is free at the address of every server.
const TRIES: usize = 64;
/// A server reads a request's head up to this length.
const LONGEST_HEAD: usize = 64 * 1024;

impl LoopbackNet {
    /// The names, servers and pages of a simulated network. No server has any visits yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`] if a server's address is not a loopback address. Otherwise the
    /// kernel's error, if there is no such interface or no program may listen on it.
    pub fn furnished(net: &SimNet) -> io::Result<Self> {
        untold(|| Self::like(net))
    }

    fn like(net: &SimNet) -> io::Result<Self> {
        let names = net.names().map(|(name, addresses)| (name.into(), addresses.to_vec()));
        let names = Arc::new(Names(Mutex::new(names.collect())));
        let addresses: Vec<IpAddr> = net.servers().map(|(address, _)| address).collect();
        if let Some(elsewhere) = addresses.iter().find(|address| !address.is_loopback()) {
            let said = format!("{elsewhere} is not an address of the loopback interface");
            return Err(io::Error::new(ErrorKind::InvalidInput, said));
        }
        let (port, sockets) = on_one_port(&addresses)?;
        let mut servers = BTreeMap::new();
        for (address, socket) in addresses.into_iter().zip(sockets) {
            let page = net.page(address).cloned().unwrap_or_else(|| Page::text(""));
            let server = Server { socket, page, visits: Vec::new(), fault: None };
            if net.listens(address) {
                server.accept_connections()?;
            }
            servers.insert(address, server);
        }
        Ok(LoopbackNet { names, servers, port })
    }

    /// Who fetches, from now on and as long as one has patience with each connection.
    fn client(&self) -> OsNet {
        OsNet::new(PATIENCE).with_resolver(self.names.clone())
    }

    /// Each server's address, and its visits.
    pub fn servers(&self) -> impl Iterator<Item = (IpAddr, &[Visit])> {
        self.servers.iter().map(|(address, server)| (*address, server.visits.as_slice()))
    }
}

/// A socket for each address, bound to one port at all of them, on which nobody listens yet.
fn on_one_port(addresses: &[IpAddr]) -> io::Result<(u16, Vec<OwnedFd>)> {
    let Some(first) = addresses.first() else { return Ok((0, Vec::new())) };
    let mut taken = io::Error::from(ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        // Only a port that is asked for is kept when the socket stops to listen. So the kernel's choice
        // is found out first, and then asked for.
        let (_, port) = bound(*first, 0)?;
        let sockets = addresses.iter().map(|address| Ok(bound(*address, port)?.0));
        match sockets.collect::<io::Result<Vec<_>>>() {
            Ok(sockets) => return Ok((port, sockets)),
            Err(error) if error.kind() == ErrorKind::AddrInUse => taken = error,
            Err(error) => return Err(error),
        }
    }
    Err(taken)
}

/// A socket that has this address, and a port, to itself; the kernel chooses port 0.
fn bound(address: IpAddr, port: u16) -> io::Result<(OwnedFd, u16)> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    net::bind(&socket, &SocketAddr::new(address, port))?;
    let name = SocketAddr::try_from(net::getsockname(&socket)?)?;
    Ok((socket, name.port()))
}

impl Server {
    /// From now on, until it refuses them.
    fn accept_connections(&self) -> Result<(), Errno> {
        // It has the port already; connections from before, which have it too, are not in its way.
        set_socket_reuseaddr(&self.socket, true)?;
        set_socket_timeout(&self.socket, Timeout::Recv, Some(PATIENCE))?;
        net::listen(&self.socket, 128)
    }

    /// Closes the socket for all who come, and keeps its port.
    fn refuse_connections(&self) -> Result<(), Errno> {
        match net::shutdown(&self.socket, Shutdown::Read) {
            Ok(()) | Err(Errno::NOTCONN) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// The server's end of a connection that was made.
    fn accepted(&mut self) -> io::Result<TcpStream> {
        let stream = TcpStream::from(net::accept_with(&self.socket, SocketFlags::CLOEXEC)?);
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        self.visits.push(Visit::Connected);
        Ok(stream)
    }
}

impl Network for LoopbackNet {
    type Connection = LoopbackConnection;

    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        self.client().resolve(name)
    }

    fn connect(&mut self, to: SocketAddr) -> Result<LoopbackConnection, NetError> {
        // The kernel leads these to the host itself; where that is, is told below.
        let address = match to.ip().to_canonical() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        if !address.is_loopback() {
            return Err(NetError::Os(Errno::CONNREFUSED));
        }
        let led = |port| {
            let mut led = to;
            led.set_port(port);
            led
        };
        let mut client = self.client();
        match self.servers.get_mut(&address).filter(|_| to.port() == PORT) {
            Some(Server { fault: Some(errno), .. }) => Err(NetError::Os(*errno)),
            Some(server) => {
                let client = client.connect(led(self.port))?;
                let server = server.accepted()?;
                Ok(LoopbackConnection { client, server, address, asked: None })
            }
            None => {
                // A port that somebody has and nobody listens on.
                let (_held, port) = bound(address, 0)?;
                match client.connect(led(port)) {
                    Ok(_) => Err(NetError::http(&"somebody listens where nobody can")),
                    Err(error) => Err(error),
                }
            }
        }
    }

    fn peer(&self, connection: &LoopbackConnection) -> Result<SocketAddr, NetError> {
        let mut peer = self.client().peer(&connection.client)?;
        if peer.port() == self.port {
            peer.set_port(PORT);
        }
        Ok(peer)
    }

    fn send(
        &mut self,
        connection: &mut LoopbackConnection,
        request: &Request,
    ) -> Result<(), NetError> {
        if request.url.scheme() == "https" && connection.asked.is_none() {
            // What a server says that knows no TLS. Here it has to be there before it is asked: the
            // client waits for an answer while it sends.
            let said = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
            connection.server.write_all(said)?;
        }
        self.client().send(&mut connection.client, request)?;
        let visit = asked(&mut connection.server)?;
        connection.asked = Some(request.method);
        if let Some(server) = self.servers.get_mut(&connection.address) {
            server.visits.push(visit);
        }
        Ok(())
    }

    fn receive(
        &mut self,
        connection: LoopbackConnection,
        limit: u64,
    ) -> Result<Response, NetError> {
        let LoopbackConnection { client, mut server, address, asked } = connection;
        if let (Some(method), Some(Server { page, .. })) = (asked, self.servers.get(&address)) {
            server.write_all(&answer(page, method))?;
        }
        // The client knows how long the answer is and hangs up first, as ever: who does so has a port
        // that waits, and the server's is not to.
        let received = self.client().receive(client, limit);
        drop(server);
        received
    }
}

/// Reads a request to its end.
fn asked(from: &mut TcpStream) -> Result<Visit, NetError> {
    let strange = |said: &str| NetError::http(&format!("the server was asked {said}"));
    let mut head = Vec::new();
    let mut part = [0; 4096];
    while head.len() < LONGEST_HEAD {
        let request =
            try_parse_request::<32>(&head).map_err(|error| strange(&error.to_string()))?;
        if let Some((length, request)) = request {
            let method = match request.method().as_str() {
                "GET" => Method::Get,
                "HEAD" => Method::Head,
                "POST" => Method::Post,
                other => return Err(strange(&format!("to {other}"))),
            };
            let mut hosts = request.headers().get_all(HOST).iter();
            let host = match (hosts.next().map(|host| host.to_str()), hosts.next()) {
                (Some(Ok(host)), None) => host,
                _ => return Err(strange("without saying of which host")),
            };
            let body = request.headers().get(CONTENT_LENGTH).map(|said| said.to_str());
            let body = match body.map(|said| said.unwrap_or_default().parse::<usize>()) {
                None => 0,
                Some(Ok(body)) => body,
                Some(Err(error)) => return Err(strange(&error.to_string())),
            };
            match (length + body).cmp(&head.len()) {
                Ordering::Less => return Err(strange("more than one thing at a time")),
                Ordering::Equal => {}
                Ordering::Greater => from.read_exact(&mut vec![0; length + body - head.len()])?,
            }
            return Ok(Visit::Asked(method, host.into(), request.uri().to_string().into()));
        }
        match from.read(&mut part)? {
            0 => return Err(strange("half a request")),
            length => head.extend_from_slice(&part[..length]),
        }
    }
    Err(strange("at too great a length"))
}

/// A page as a server says it.
fn answer(page: &Page, method: Method) -> Vec<u8> {
    let (status, headers) = page.head();
    let lines = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    let head = format!("HTTP/1.1 {status} said\r\n{}\r\n", lines.collect::<String>());
    let body = match page {
        Page::Content(_, body) if method != Method::Head => &**body,
        Page::Content(..) | Page::Redirect(_) => "",
    };
    [head.as_bytes(), body.as_bytes()].concat()
}

impl Scripted for LoopbackNet {
    fn bind(&mut self, name: &str, addresses: &[IpAddr]) {
        self.names.all().insert(name.into(), addresses.to_vec());
    }

    fn serve(&mut self, server: IpAddr, page: &Page) {
        if let Some(server) = self.servers.get_mut(&server.to_canonical()) {
            server.page = page.clone();
        }
    }

    /// If the kernel refuses, for which it has no reason, those who connect later get its error.
    fn listen(&mut self, server: IpAddr, listens: bool) {
        if let Some(server) = self.servers.get_mut(&server.to_canonical()) {
            let done = match listens {
                true => server.accept_connections(),
                false => server.refuse_connections(),
            };
            server.fault = done.err();
        }
    }
}

/// The name server: a table that somebody writes.
struct Names(Mutex<BTreeMap<Arc<str>, Vec<IpAddr>>>);

impl Names {
    fn all(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Vec<IpAddr>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolve for Names {
    fn resolve(&self, name: &str, _: Instant) -> Result<Vec<IpAddr>, NetError> {
        let all = self.all();
        let addresses = all.get(name).filter(|addresses| !addresses.is_empty());
        addresses.cloned().ok_or(NetError::NoSuchName)
    }
}
