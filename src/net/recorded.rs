//! First floor, `net`: how a [`Recorded`] network tells what is done to it. Imports
//! [`recorded`](crate::recorded) and its neighbours in `net`.

use std::net::{IpAddr, SocketAddr};

use super::{NetError, Network, Request, Response};
use crate::recorded::Recorded;

/// Tells each act and its answer:
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
        let told = told(&answer, |addresses| {
            let addresses = addresses.iter().map(IpAddr::to_string);
            addresses.collect::<Vec<_>>().join(", ")
        });
        self.record(format!("resolve({name}) = {told}"));
        answer
    }

    fn connect(&mut self, to: SocketAddr) -> Result<N::Connection, NetError> {
        let answer = self.inner_mut().connect(to);
        self.record(format!("connect({to}) = {}", told(&answer, |_| "ok".to_owned())));
        answer
    }

    // What it asks is on this side of the connection, so it is no act.
    fn peer(&self, connection: &N::Connection) -> Result<SocketAddr, NetError> {
        self.inner().peer(connection)
    }

    fn send(&mut self, connection: &mut N::Connection, request: &Request) -> Result<(), NetError> {
        let answer = self.inner_mut().send(connection, request);
        let (method, url) = (request.method.word(), &request.url);
        let told = told(&answer, |()| "ok".to_owned());
        self.record(format!("send({method} {url}) = {told}"));
        answer
    }

    fn receive(&mut self, connection: N::Connection, limit: u64) -> Result<Response, NetError> {
        let answer = self.inner_mut().receive(connection, limit);
        let told = told(&answer, |response| match response.redirect() {
            Some(to) => format!("{} → {to}", response.status),
            None if response.body.is_empty() => response.status.to_string(),
            None => format!("{} {:?}", response.status, String::from_utf8_lossy(&response.body)),
        });
        self.record(format!("receive = {told}"));
        answer
    }
}

fn told<T>(answer: &Result<T, NetError>, ok: impl FnOnce(&T) -> String) -> String {
    match answer {
        Ok(value) => ok(value),
        Err(error) => error.word(),
    }
}
