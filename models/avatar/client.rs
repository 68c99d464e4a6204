//! How the download of `avatar` is written: the shipping machine, and the others. Fourth floor: imports
//! [`fetch`](crate::fetch), [`net`](crate::net) and its neighbours.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use url::Host;

use super::actors::Told;
use super::{BYTES, REDIRECTS};
use crate::fetch::{Fetch, FetchError};
use crate::net::{Method, NetError, Network, Policy, Request, Response, Url};
use crate::{Process, Step};

/// Who downloads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Client<C> {
    /// By the machine that ships.
    Ships(Fetch<C>),
    /// In another way.
    Written(Written<C>),
}

impl<N: Network> Process<N> for Client<N::Connection> {
    type Output = Told;

    fn step(self, net: &mut N) -> Step<Self, Told> {
        match self {
            Client::Ships(fetch) => fetch.step(net).map(Client::Ships).and_then(|fetched| {
                Step::Done(match fetched {
                    Ok(fetched) => Told::Fetched(fetched.bytes),
                    Err(FetchError::Refused { .. }) => Told::Refused,
                    Err(_) => Told::Failed,
                })
            }),
            Client::Written(written) => written.step(net).map(Client::Written),
        }
    }
}

/// How it is written where it is not the machine that ships: what is checked, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Manner {
    /// A HEAD first; where that came from is checked; then all of it again with GET.
    HeadThenGet,
    /// Where each response came from is checked when it is there.
    ResponseHook,
    /// Before each request its host is resolved and checked; then the HTTP client resolves it again.
    RequestHook,
    /// Where the socket leads is checked before anything is sent.
    CheckPeer,
    /// A negative control: pinned, and of several addresses the first one alone is checked.
    FirstAddress,
    /// A negative control: pinned, and redirects are not checked.
    FirstHop,
    /// A negative control: pinned, by a policy that has not heard of IPv6 forms of IPv4 addresses.
    IgnoresMapped,
    /// A negative control: pinned, by a policy to which nothing is public.
    RefusesAll,
}

/// A download that follows redirects, as an HTTP client does, with checks here and there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Written<C> {
    manner: Manner,
    policy: Policy,
    method: Method,
    given: Url,
    /// How many redirects it has followed since the URL that was given.
    hop: u32,
    url: Url,
    at: At<C>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum At<C> {
    /// Before the HTTP client begins: its host is to be checked.
    Check,
    /// The HTTP client resolves the host, unless it is an address.
    Resolve,
    /// It connects to the first of these that accepts.
    Connect(VecDeque<SocketAddr>),
    Send(SocketAddr, C),
    Receive(SocketAddr, C),
}

impl<C> At<C> {
    /// Who does not check a hop beforehand begins with what the HTTP client does.
    fn beginning(manner: Manner) -> Self {
        if manner == Manner::RequestHook { At::Check } else { At::Resolve }
    }
}

/// What a step comes to.
type Next<C> = Step<Written<C>, Told>;

impl<C> Written<C> {
    pub(super) fn new(manner: Manner, given: Url, policy: Policy) -> Self {
        let method = if manner == Manner::HeadThenGet { Method::Head } else { Method::Get };
        let (url, at) = (given.clone(), At::beginning(manner));
        Written { manner, policy, method, given, hop: 0, url, at }
    }

    /// At the beginning of a hop.
    fn entering(self) -> Self {
        Written { at: At::beginning(self.manner), ..self }
    }

    /// The address that the host is, if it is one.
    fn literal(&self) -> Option<IpAddr> {
        match self.url.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(v4) => Some(v4.into()),
            Host::Ipv6(v6) => Some(v6.into()),
        }
    }

    /// Whether an address may be connected to, as this manner has it.
    fn is_public(&self, address: IpAddr) -> bool {
        match self.manner {
            Manner::RefusesAll => false,
            Manner::FirstHop if self.hop > 0 => true,
            Manner::IgnoresMapped if address.is_ipv6() => true,
            _ => self.policy.judge(address).is_ok(),
        }
    }

    /// Whether what the HTTP client is about to connect to is checked, and allowed.
    fn may_connect(&self, addresses: &[IpAddr]) -> bool {
        match self.manner {
            Manner::HeadThenGet
            | Manner::ResponseHook
            | Manner::RequestHook
            | Manner::CheckPeer => true,
            Manner::FirstAddress => addresses.first().is_none_or(|first| self.is_public(*first)),
            Manner::FirstHop | Manner::IgnoresMapped | Manner::RefusesAll => {
                addresses.iter().all(|address| self.is_public(*address))
            }
        }
    }

    fn resolved<N: Network<Connection = C>>(&self, net: &mut N) -> Result<Vec<IpAddr>, NetError> {
        net.resolve(self.url.host_str().unwrap_or_default())
    }

    /// The hook before a request.
    fn check<N: Network<Connection = C>>(self, net: &mut N) -> Next<C> {
        let addresses = match self.literal() {
            // That is no act: the HTTP client goes on at once.
            Some(address) if self.is_public(address) => {
                return Written { at: At::Resolve, ..self }.resolve(net);
            }
            Some(_) => return Step::Done(Told::Refused),
            None => self.resolved(net),
        };
        match addresses {
            Err(_) => Step::Done(Told::Failed),
            Ok(addresses) if addresses.iter().all(|address| self.is_public(*address)) => {
                Step::Next(Written { at: At::Resolve, ..self })
            }
            Ok(_) => Step::Done(Told::Refused),
        }
    }

    fn resolve<N: Network<Connection = C>>(self, net: &mut N) -> Next<C> {
        let literal = self.literal();
        let addresses = match literal {
            Some(address) => vec![address],
            None => match self.resolved(net) {
                Ok(addresses) => addresses,
                Err(_) => return Step::Done(Told::Failed),
            },
        };
        if !self.may_connect(&addresses) {
            return Step::Done(Told::Refused);
        }
        let port = self.url.port_or_known_default().unwrap_or_default();
        let addresses: VecDeque<_> =
            addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        match literal {
            Some(_) => self.connect(addresses, net),
            None => Step::Next(Written { at: At::Connect(addresses), ..self }),
        }
    }

    fn connect<N: Network<Connection = C>>(
        self,
        mut addresses: VecDeque<SocketAddr>,
        net: &mut N,
    ) -> Next<C> {
        let Some(address) = addresses.pop_front() else { return Step::Done(Told::Failed) };
        match net.connect(address) {
            Ok(connection) if self.manner == Manner::CheckPeer => match net.peer(&connection) {
                Ok(peer) if self.is_public(peer.ip()) => {
                    Step::Next(Written { at: At::Send(address, connection), ..self })
                }
                _ => Step::Done(Told::Refused),
            },
            Ok(connection) => Step::Next(Written { at: At::Send(address, connection), ..self }),
            Err(_) if addresses.is_empty() => Step::Done(Told::Failed),
            Err(_) => Step::Next(Written { at: At::Connect(addresses), ..self }),
        }
    }

    /// A response is there.
    fn answered(self, from: SocketAddr, response: Response) -> Next<C> {
        if self.manner == Manner::ResponseHook && !self.is_public(from.ip()) {
            return Step::Done(Told::Refused);
        }
        if let Some(location) = response.redirect() {
            return match self.url.join(location) {
                Ok(url) if self.hop < REDIRECTS && url.scheme() == "http" => {
                    Step::Next(Written { hop: self.hop + 1, url, ..self }.entering())
                }
                _ => Step::Done(Told::Failed),
            };
        }
        if response.status != 200 {
            return Step::Done(Told::Failed);
        }
        match self.method {
            Method::Get | Method::Post => Step::Done(Told::Fetched(response.body)),
            // The final address: public, or all of it was for nothing.
            Method::Head if self.is_public(from.ip()) => {
                let url = self.given.clone();
                Step::Next(Written { method: Method::Get, hop: 0, url, ..self }.entering())
            }
            Method::Head => Step::Done(Told::Refused),
        }
    }
}

impl<N: Network> Process<N> for Written<N::Connection> {
    type Output = Told;

    fn step(mut self, net: &mut N) -> Step<Self, Told> {
        match std::mem::replace(&mut self.at, At::Resolve) {
            At::Check => self.check(net),
            At::Resolve => self.resolve(net),
            At::Connect(addresses) => self.connect(addresses, net),
            At::Send(address, mut connection) => {
                let request = Request::new(self.method, self.url.clone());
                match net.send(&mut connection, &request) {
                    Ok(()) => Step::Next(Written { at: At::Receive(address, connection), ..self }),
                    Err(_) => Step::Done(Told::Failed),
                }
            }
            At::Receive(address, connection) => match net.receive(connection, BYTES) {
                Ok(response) => self.answered(address, response),
                Err(_) => Step::Done(Told::Failed),
            },
        }
    }
}
