//! Third floor, `fetch`: the machine that ships, and that is proved. Imports [`net`](crate::net),
//! [`process`](crate::process) and its neighbours in `fetch`.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use url::Host;

use super::{Act, FetchError, Fetched, Hop, Rules, UrlFault};
use crate::net::{Method, NetError, Network, Request, Response, Url};
use crate::{Process, Step};

/// Fetches from a URL that somebody else gave. `C` are the network's connections.
///
/// For each hop: the host's name is resolved *once*, every address that it has is judged, and those
/// very addresses are connected to, one after the other until one accepts. So there is no second look
/// at the name that could come out otherwise. A redirect is one more hop, with all of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fetch<C> {
    rules: Arc<Rules>,
    hop: Hop,
    at: At<C>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum At<C> {
    /// The host's name is to be resolved.
    Resolve,
    /// The first of these, all of which are public, is to be connected to.
    Connect(VecDeque<SocketAddr>),
    /// The request is to be sent.
    Send(SocketAddr, C),
    /// The response is to be received.
    Receive(SocketAddr, C),
}

impl<C> Fetch<C> {
    /// Before the first step.
    ///
    /// # Errors
    ///
    /// What can be said of the URL without asking anybody: that it is none, or not one to be fetched
    /// ([`FetchError::BadUrl`]), or that its host is an address that is not public
    /// ([`FetchError::Refused`]).
    pub fn new(url: &str, rules: Arc<Rules>) -> Result<Self, FetchError> {
        let parsed = Url::parse(url).map_err(|error| FetchError::BadUrl {
            number: 0,
            url: url.into(),
            fault: UrlFault::NotAUrl(error.to_string().into()),
        })?;
        Self::enter(0, parsed, rules)
    }

    /// At a hop, with nothing done of it.
    fn enter(number: u32, mut url: Url, rules: Arc<Rules>) -> Result<Self, FetchError> {
        // It is not the server's business which part of a page somebody meant.
        url.set_fragment(None);
        let bad = |fault| FetchError::BadUrl { number, url: url.as_str().into(), fault };
        let is_allowed = match url.scheme() {
            "https" => true,
            "http" => !rules.https_only,
            _ => false,
        };
        if !is_allowed {
            return Err(bad(UrlFault::Scheme(url.scheme().into())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad(UrlFault::Credentials));
        }
        let literal: Option<IpAddr> = match url.host() {
            Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(v4)) => Some(v4.into()),
            Some(Host::Ipv6(v6)) => Some(v6.into()),
            None => return Err(bad(UrlFault::NoHost)),
        };
        let fetch = Fetch { rules, hop: Hop { number, url }, at: At::Resolve };
        match literal {
            Some(address) => fetch.judged(&[address]),
            None => Ok(fetch),
        }
    }

    /// These addresses are to be connected to, if every one of them may be.
    fn judged(self, addresses: &[IpAddr]) -> Result<Self, FetchError> {
        for &address in addresses {
            if let Err(special) = self.rules.policy.judge(address) {
                return Err(FetchError::Refused { hop: self.hop, address, special });
            }
        }
        // The schemes that are fetched have a port of their own.
        let port = self.hop.url.port_or_known_default().unwrap_or_default();
        let addresses = addresses.iter().map(|address| SocketAddr::new(*address, port));
        Ok(Fetch { at: At::Connect(addresses.collect()), ..self })
    }

    fn failed(self, act: Act, error: NetError) -> FetchError {
        FetchError::Network { hop: self.hop, act, error }
    }

    /// What a response comes to: what was to be fetched, or one more hop.
    fn answered(self, from: SocketAddr, response: Response) -> Result<Answered<C>, FetchError> {
        if let Some(location) = response.redirect() {
            return self.redirected(location).map(Answered::Redirected);
        }
        let Response { status, content_type, body: bytes, .. } = response;
        if !(200..300).contains(&status) {
            return Err(FetchError::Status { hop: self.hop, status });
        }
        let url = self.hop.url;
        Ok(Answered::Fetched(Fetched { url, address: from, content_type, bytes }))
    }

    fn redirected(self, location: &str) -> Result<Self, FetchError> {
        let Fetch { rules, hop: Hop { number, url }, .. } = self;
        let number = number + 1;
        let to = url.join(location).map_err(|error| FetchError::BadUrl {
            number,
            url: location.into(),
            fault: UrlFault::NotAUrl(error.to_string().into()),
        })?;
        if number > rules.redirects {
            let limit = rules.redirects;
            return Err(FetchError::TooManyRedirects { hop: Hop { number, url: to }, limit });
        }
        Self::enter(number, to, rules)
    }
}

enum Answered<C> {
    Fetched(Fetched),
    Redirected(Fetch<C>),
}

impl<N: Network> Process<N> for Fetch<N::Connection> {
    type Output = Result<Fetched, FetchError>;

    fn step(self, net: &mut N) -> Step<Self, Self::Output> {
        let next = match self.at {
            At::Resolve => {
                let resolved = net.resolve(self.hop.url.host_str().unwrap_or_default());
                let this = Fetch { at: At::Resolve, ..self };
                match resolved {
                    Ok(addresses) if addresses.is_empty() => {
                        Err(this.failed(Act::Resolve, NetError::NoSuchName))
                    }
                    Ok(addresses) => this.judged(&addresses),
                    Err(error) => Err(this.failed(Act::Resolve, error)),
                }
            }
            At::Connect(mut addresses) => {
                // There is one at least: `judged` is given some, and the last one decides.
                let Some(address) = addresses.pop_front() else {
                    let this = Fetch { at: At::Resolve, ..self };
                    return Step::Done(Err(this.failed(Act::Resolve, NetError::NoSuchName)));
                };
                match net.connect(address) {
                    Ok(connection) => Ok(Fetch { at: At::Send(address, connection), ..self }),
                    Err(error) if addresses.is_empty() => {
                        let this: Fetch<N::Connection> = Fetch { at: At::Resolve, ..self };
                        Err(this.failed(Act::Connect(address), error))
                    }
                    Err(_) => Ok(Fetch { at: At::Connect(addresses), ..self }),
                }
            }
            At::Send(address, mut connection) => {
                let request = Request { method: Method::Get, url: self.hop.url.clone() };
                match net.send(&mut connection, &request) {
                    Ok(()) => Ok(Fetch { at: At::Receive(address, connection), ..self }),
                    Err(error) => {
                        let this: Fetch<N::Connection> = Fetch { at: At::Resolve, ..self };
                        Err(this.failed(Act::Send(address), error))
                    }
                }
            }
            At::Receive(address, connection) => {
                let received = net.receive(connection, self.rules.bytes);
                let this: Fetch<N::Connection> = Fetch { at: At::Resolve, ..self };
                match received.map_err(|error| (Act::Receive(address), error)) {
                    Ok(response) => match this.answered(address, response) {
                        Ok(Answered::Fetched(fetched)) => return Step::Done(Ok(fetched)),
                        Ok(Answered::Redirected(next)) => Ok(next),
                        Err(error) => Err(error),
                    },
                    Err((act, error)) => Err(this.failed(act, error)),
                }
            }
        };
        match next {
            Ok(next) => Step::Next(next),
            Err(error) => Step::Done(Err(error)),
        }
    }
}
