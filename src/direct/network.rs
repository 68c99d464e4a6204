//! Second floor, `direct`: a network for ordinary code, in whichever world it runs. Imports
//! [`net`](crate::net) and its neighbours in `direct`.

use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};

use super::held::{Held, Slots};
use super::lent::ports;
use super::run::{self, Performed, ask, fingerprint};
use crate::check::Value;
use crate::net::{NetError, Network, Page, Request, Response, Scripted};

/// A [`Network`] and the connections in it, whatever their type.
pub(super) trait Port {
    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, NetError>;
    fn connect_any(
        &mut self,
        first: SocketAddr,
        others: &[SocketAddr],
    ) -> (usize, Result<u32, NetError>);
    fn peer(&mut self, connection: u32) -> Result<SocketAddr, NetError>;
    fn send(&mut self, connection: u32, request: &Request) -> Result<(), NetError>;
    fn receive(&mut self, connection: u32, limit: u64) -> Result<Response, NetError>;
    fn forget(&mut self, connection: u32);
    fn bind(&mut self, name: &str, addresses: &[IpAddr]);
    fn serve(&mut self, server: IpAddr, page: &Page);
    fn listen(&mut self, server: IpAddr, listens: bool);
}

pub(super) struct Online<'m, N: Network> {
    pub(super) net: &'m mut N,
    pub(super) connections: &'m mut Slots<N::Connection>,
}

/// There is no such connection any more.
fn closed() -> NetError {
    NetError::from(std::io::Error::from(std::io::ErrorKind::NotConnected))
}

impl<N: Network<Connection: Held> + Scripted> Port for Online<'_, N> {
    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        self.net.resolve(name)
    }

    fn connect_any(
        &mut self,
        first: SocketAddr,
        others: &[SocketAddr],
    ) -> (usize, Result<u32, NetError>) {
        let (at, connected) = self.net.connect_any(first, others);
        (at, connected.map(|connection| self.connections.add(connection)))
    }

    fn peer(&mut self, connection: u32) -> Result<SocketAddr, NetError> {
        self.net.peer(self.connections.get(connection).ok_or_else(closed)?)
    }

    fn send(&mut self, connection: u32, request: &Request) -> Result<(), NetError> {
        self.net.send(self.connections.get(connection).ok_or_else(closed)?, request)
    }

    fn receive(&mut self, connection: u32, limit: u64) -> Result<Response, NetError> {
        self.net.receive(self.connections.take(connection).ok_or_else(closed)?, limit)
    }

    fn forget(&mut self, connection: u32) {
        self.connections.take(connection);
    }

    fn bind(&mut self, name: &str, addresses: &[IpAddr]) {
        self.net.bind(name, addresses);
    }

    fn serve(&mut self, server: IpAddr, page: &Page) {
        self.net.serve(server, page);
    }

    fn listen(&mut self, server: IpAddr, listens: bool) {
        self.net.listen(server, listens);
    }
}

ports! {
    /// Runs `during` with this as the network of the thread.
    online
}

/// A network for ordinary code that is checked. It is the [`Network`] of the world in which the
/// program runs, simulated or real.
///
/// The program that [`Code::network`](super::Code::network) takes gets one. For an attacker it is
/// also [`Scripted`].
#[derive(Debug)]
pub struct DirectNet(());

/// A connection of a [`DirectNet`]. Dropping it closes it, which is no step.
#[derive(Debug)]
pub struct DirectConnection {
    number: u32,
    run: u64,
}

impl DirectConnection {
    /// Its number, in the run that made it.
    #[track_caller]
    fn number(&self) -> u32 {
        run::of_this(self.run, "connection");
        self.number
    }
}

impl Drop for DirectConnection {
    fn drop(&mut self) {
        if self.run == run::serial() && !run::is_over() && run::is_at_the_end() {
            port(|port| port.forget(self.number));
        }
    }
}

impl DirectNet {
    pub(super) fn new() -> Self {
        DirectNet(())
    }

    /// One act, and its answer. A destructor has none to wait for.
    #[track_caller]
    fn act<A: Value>(
        what: fmt::Arguments<'_>,
        exactly: impl Hash,
        perform: impl FnOnce(&mut dyn Port) -> A,
    ) -> Option<A> {
        ask(&what, fingerprint(&exactly), || {
            Performed::Answer(port(perform).unwrap_or_else(|| not_a_network(&what)))
        })
    }
}

impl Network for DirectNet {
    type Connection = DirectConnection;

    #[track_caller]
    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let asked = Self::act(format_args!("resolve({name})"), ("resolve", name), |port| {
            port.resolve(name)
        });
        asked.unwrap_or_else(|| Err(closed()))
    }

    #[track_caller]
    fn connect(&mut self, to: SocketAddr) -> Result<DirectConnection, NetError> {
        self.connect_any(to, &[]).1
    }

    #[track_caller]
    fn connect_any(
        &mut self,
        first: SocketAddr,
        others: &[SocketAddr],
    ) -> (usize, Result<DirectConnection, NetError>) {
        let exactly = ("connect", first, others);
        let asked = Self::act(format_args!("connect({first})"), exactly, |port| {
            port.connect_any(first, others)
        });
        let (at, number) = asked.unwrap_or_else(|| (0, Err(closed())));
        (at, number.map(|number| DirectConnection { number, run: run::serial() }))
    }

    // What it asks is on this side of the connection, so it is no act.
    #[track_caller]
    fn peer(&self, connection: &DirectConnection) -> Result<SocketAddr, NetError> {
        let number = connection.number();
        let asked = run::observed(|| {
            Self::act(format_args!("peer"), ("peer", number), |port| port.peer(number))
        });
        asked.unwrap_or_else(|| Err(closed()))
    }

    #[track_caller]
    fn send(
        &mut self,
        connection: &mut DirectConnection,
        request: &Request,
    ) -> Result<(), NetError> {
        let number = connection.number();
        let what = format_args!("send({} {})", request.method.word(), request.url);
        let asked = Self::act(what, ("send", number, request), |port| port.send(number, request));
        asked.unwrap_or_else(|| Err(closed()))
    }

    #[track_caller]
    fn receive(&mut self, connection: DirectConnection, limit: u64) -> Result<Response, NetError> {
        let number = connection.number();
        let exactly = ("receive", number, limit);
        let asked = Self::act(format_args!("receive"), exactly, |port| port.receive(number, limit));
        asked.unwrap_or_else(|| Err(closed()))
    }
}

/// For an attacker who owns names and servers. Each operation is a step.
impl Scripted for DirectNet {
    #[track_caller]
    fn bind(&mut self, name: &str, addresses: &[IpAddr]) {
        let exactly = ("bind", name, addresses);
        Self::act(format_args!("bind {name}"), exactly, |port| port.bind(name, addresses));
    }

    #[track_caller]
    fn serve(&mut self, server: IpAddr, page: &Page) {
        let exactly = ("serve", server, page);
        Self::act(format_args!("serve at {server}"), exactly, |port| port.serve(server, page));
    }

    #[track_caller]
    fn listen(&mut self, server: IpAddr, listens: bool) {
        let exactly = ("listen", server, listens);
        Self::act(format_args!("listen at {server}"), exactly, |port| port.listen(server, listens));
    }
}

/// The program was given another kind of world.
fn not_a_network(what: &fmt::Arguments<'_>) -> ! {
    panic!(
        "`{what}`: the program is checked in a world that is no network (`Code::network` takes one that is){}",
        run::line()
    )
}
