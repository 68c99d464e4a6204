//! How the download of `avatar` is written where it is not what ships. Fourth floor: imports
//! [`direct`], [`net`](crate::net) and its neighbours.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

use super::actors::Told;
use super::{BYTES, REDIRECTS};
use crate::direct;
use crate::net::{Method, NetError, Network, Policy, Request, Response, Url, literal};

/// How the download is written: what is checked, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Manner {
    /// What ships.
    Pinned,
    /// A HEAD first; where that came from is checked; then all of it again with GET.
    HeadThenGet,
    /// Where each response came from is checked when it is there.
    ResponseHook,
    /// Before each request its host is resolved and checked; then the HTTP client resolves it again.
    RequestHook,
    /// Where the socket leads is checked before anything is sent.
    CheckPeer,
    /// Pinned, and of several addresses the first one alone is checked.
    ControlFirstAddress,
    /// Pinned, and redirects are not checked.
    ControlFirstHop,
    /// Pinned, by a policy that has not heard of IPv6 forms of IPv4 addresses.
    ControlIgnoresMapped,
    /// Pinned, by a policy to which nothing is public.
    ControlRefusesAll,
}

impl From<NetError> for Told {
    fn from(_: NetError) -> Self {
        Told::Failed
    }
}

/// A download that follows redirects, as an HTTP client does, with checks here and there.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) manner: Manner,
    pub(super) policy: Policy,
}

impl Written {
    /// Downloads what is at a URL.
    pub(super) fn download<N: Network>(&self, net: &mut N, given: &Url) -> Result<Vec<u8>, Told> {
        if self.manner == Manner::HeadThenGet {
            let (from, _) = self.followed(net, Method::Head, given.clone())?;
            // The final address: public, or all of it was for nothing.
            if !self.is_public(from.ip(), 0) {
                return Err(Told::Refused);
            }
        }
        Ok(self.followed(net, Method::Get, given.clone())?.1.body)
    }

    /// The response at the end of all redirects, and where it came from.
    fn followed<N: Network>(
        &self,
        net: &mut N,
        method: Method,
        mut url: Url,
    ) -> Result<(SocketAddr, Response), Told> {
        for hop in 0..=REDIRECTS {
            if self.manner == Manner::RequestHook {
                let addresses = addresses(net, &url)?;
                if !addresses.iter().all(|address| self.is_public(*address, hop)) {
                    return Err(refused(&url));
                }
            }
            let addresses = addresses(net, &url)?;
            if !self.may_connect(&addresses, hop) {
                return Err(refused(&url));
            }
            let (from, mut connection) = connected(net, &url, &addresses)?;
            if self.manner == Manner::CheckPeer {
                match net.peer(&connection) {
                    Ok(peer) if self.is_public(peer.ip(), hop) => {}
                    _ => return Err(Told::Refused),
                }
            }
            net.send(&mut connection, &Request::new(method, url.clone()))?;
            let response = net.receive(connection, BYTES)?;
            if self.manner == Manner::ResponseHook && !self.is_public(from.ip(), hop) {
                return Err(Told::Refused);
            }
            match response.redirect() {
                None if response.status == 200 => return Ok((from, response)),
                None => return Err(Told::Failed),
                Some(location) => url = url.join(location).map_err(|_| Told::Failed)?,
            }
            if url.scheme() != "http" {
                return Err(Told::Failed);
            }
        }
        Err(Told::Failed)
    }

    /// Whether an address may be connected to at this hop, as this manner has it.
    fn is_public(&self, address: IpAddr, hop: u32) -> bool {
        match self.manner {
            Manner::ControlRefusesAll => false,
            Manner::ControlFirstHop if hop > 0 => true,
            Manner::ControlIgnoresMapped if address.is_ipv6() => true,
            _ => self.policy.judge(address).is_ok(),
        }
    }

    /// Whether what the HTTP client is about to connect to is checked, and allowed.
    fn may_connect(&self, addresses: &[IpAddr], hop: u32) -> bool {
        let is_public = |address: &IpAddr| self.is_public(*address, hop);
        use Manner::*;
        match self.manner {
            HeadThenGet | ResponseHook | RequestHook | CheckPeer => true,
            ControlFirstAddress => addresses.first().is_none_or(is_public),
            Pinned | ControlFirstHop | ControlIgnoresMapped | ControlRefusesAll => {
                addresses.iter().all(is_public)
            }
        }
    }
}

/// That a URL's host is refused. Where that is an address, nobody was asked: then it is a step of its own, and
/// others may act before it.
fn refused(url: &Url) -> Told {
    if literal(url).is_some() {
        direct::choose(1);
    }
    Told::Refused
}

/// The addresses of a URL's host: itself, if it is one; otherwise it is resolved.
fn addresses<N: Network>(net: &mut N, url: &Url) -> Result<Vec<IpAddr>, NetError> {
    match literal(url) {
        Some(address) => Ok(vec![address]),
        None => net.resolve(url.host_str().unwrap_or_default()),
    }
}

/// Connects to the first of these that accepts.
fn connected<N: Network>(
    net: &mut N,
    url: &Url,
    addresses: &[IpAddr],
) -> Result<(SocketAddr, N::Connection), Told> {
    let port = url.port_or_known_default().unwrap_or_default();
    let mut sockets = addresses.iter().map(|address| SocketAddr::new(*address, port));
    sockets.find_map(|socket| Some((socket, net.connect(socket).ok()?))).ok_or(Told::Failed)
}
