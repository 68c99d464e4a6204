//! First floor, `net`: how an act on a network is told, with its answer. Imports its neighbours in
//! `net`. The simulated network and a [`Recorded`](crate::recorded::Recorded) one tell alike.

use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, SocketAddr};

use super::{NetError, Page, Request, Response};

/// An act and its answer, as one line.
#[derive(Clone, Copy)]
pub(super) enum Told<'a> {
    /// `resolve(a.example) = 127.0.0.2`
    Resolve(&'a str, Result<&'a [IpAddr], &'a NetError>),
    /// `connect(127.0.0.2:80) = ok`
    Connect(SocketAddr, Result<(), &'a NetError>),
    /// `send(GET http://a.example/) = ok`
    Send(&'a Request, Result<(), &'a NetError>),
    /// `receive = 302 → http://127.0.0.3/`
    Receive(Result<&'a Response, &'a NetError>),
    /// `bind a.example → 10.0.0.1`
    Bind(&'a str, &'a [IpAddr]),
    /// `serve 200 "cat" at 127.0.0.2`
    Serve(IpAddr, &'a Page),
    /// `refuse connections at 127.0.0.2`
    Listen(IpAddr, bool),
}

impl Display for Told<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Told::Resolve(name, answer) => {
                write!(f, "resolve({name}) = ")?;
                answered(f, answer, listed)
            }
            Told::Connect(to, answer) => {
                write!(f, "connect({to}) = ")?;
                answered(f, answer, |f, ()| f.write_str("ok"))
            }
            Told::Send(Request { method, url, .. }, answer) => {
                write!(f, "send({} {url}) = ", method.word())?;
                answered(f, answer, |f, ()| f.write_str("ok"))
            }
            Told::Receive(answer) => {
                f.write_str("receive = ")?;
                answered(f, answer, |f, response| match response.redirect() {
                    Some(to) => write!(f, "{} → {to}", response.status),
                    None if response.body.is_empty() => response.status.fmt(f),
                    None => {
                        let body = String::from_utf8_lossy(&response.body);
                        write!(f, "{} {body:?}", response.status)
                    }
                })
            }
            Told::Bind(name, addresses) => {
                write!(f, "bind {name} → ")?;
                listed(f, addresses)
            }
            Told::Serve(server, page) => write!(f, "serve {page} at {server}"),
            Told::Listen(server, true) => write!(f, "accept connections at {server}"),
            Told::Listen(server, false) => write!(f, "refuse connections at {server}"),
        }
    }
}

fn answered<T>(
    f: &mut Formatter<'_>,
    answer: Result<T, &NetError>,
    ok: impl FnOnce(&mut Formatter<'_>, T) -> fmt::Result,
) -> fmt::Result {
    match answer {
        Ok(value) => ok(f, value),
        Err(error) => f.write_str(&error.word()),
    }
}

fn listed(f: &mut Formatter<'_>, addresses: &[IpAddr]) -> fmt::Result {
    for (at, address) in addresses.iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        write!(f, "{comma}{address}")?;
    }
    Ok(())
}
