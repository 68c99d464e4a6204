//! First floor, `net`: a [`Recorded`] network records each act. Imports
//! [`recorded`](crate::recorded) and its neighbours in `net`.

use std::net::{IpAddr, SocketAddr};

use super::told::Told;
use super::{NetError, Network, Page, Request, Response, Scripted};
use crate::recorded::Recorded;

/// Records each act and its answer:
///
/// ```text
/// resolve(a.example) = 127.0.0.2
/// connect(127.0.0.2:80) = ok
/// send(GET http://a.example/) = ok
/// receive = 302 → http://127.0.0.3/
/// ```
impl<N: Network> Network for Recorded<N> {
    type Connection = N::Connection;

    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let answer = self.inner_mut().resolve(name);
        self.record(Told::Resolve(name, answer.as_deref()).to_string());
        answer
    }

    fn connect(&mut self, to: SocketAddr) -> Result<N::Connection, NetError> {
        let answer = self.inner_mut().connect(to);
        self.record(Told::Connect(to, answer.as_ref().map(drop)).to_string());
        answer
    }

    // What it asks is on this side of the connection, so it is no act.
    fn peer(&self, connection: &N::Connection) -> Result<SocketAddr, NetError> {
        self.inner().peer(connection)
    }

    fn send(&mut self, connection: &mut N::Connection, request: &Request) -> Result<(), NetError> {
        let answer = self.inner_mut().send(connection, request);
        self.record(Told::Send(request, answer.as_ref().copied()).to_string());
        answer
    }

    fn receive(&mut self, connection: N::Connection, limit: u64) -> Result<Response, NetError> {
        let answer = self.inner_mut().receive(connection, limit);
        self.record(Told::Receive(answer.as_ref()).to_string());
        answer
    }
}

/// Records each act of a script: `bind a.example → 10.0.0.1`.
impl<N: Scripted> Scripted for Recorded<N> {
    fn bind(&mut self, name: &str, addresses: &[IpAddr]) {
        self.inner_mut().bind(name, addresses);
        self.record(Told::Bind(name, addresses).to_string());
    }

    fn serve(&mut self, server: IpAddr, page: &Page) {
        self.inner_mut().serve(server, page);
        self.record(Told::Serve(server, page).to_string());
    }

    fn listen(&mut self, server: IpAddr, listens: bool) {
        self.inner_mut().listen(server, listens);
        self.record(Told::Listen(server, listens).to_string());
    }
}
