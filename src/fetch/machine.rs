//! Third floor, `fetch`: the machine that ships, and that is proved. Imports [`net`](crate::net),
//! [`process`](crate::process) and its neighbours in `fetch`.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use url::Host;

use super::{Act, Ask, FetchError, Fetched, Hop, Rules, UrlFault};
use crate::net::{NetError, Network, Request, Response, Url};
use crate::{Process, Step};

/// A name with more addresses than this is not fetched from. Those of large sites have a dozen.
pub const MOST_ADDRESSES: usize = 64;

/// So many of a name's addresses are connected to before it is given up, so that nobody has one fetch
/// knock at many doors.
pub const TRIED_ADDRESSES: usize = 8;

/// Fetches from a URL that somebody else gave. `C` are the network's connections.
///
/// For each hop: the host's name is resolved *once*, every address that it has is judged, and those
/// very addresses are connected to, one after the other until one accepts, or [several at
/// once](Network::connect_any). So there is no second look
/// at the name that could come out otherwise. A redirect is one more hop, with all of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Fetch<C> {
    errand: Errand,
    at: At<C>,
}

/// What is being fetched, and by which rules.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Errand {
    rules: Arc<Rules>,
    hop: Hop,
    /// What is asked at this hop.
    ask: Ask,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum At<C> {
    /// The host's name is to be resolved.
    Resolve,
    /// The first address is to be connected to, and the others after it; all of them are public.
    Connect(SocketAddr, VecDeque<SocketAddr>),
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
        Self::asking(url, Ask::get(), rules)
    }

    /// The same, asking something else than for what is there.
    ///
    /// # Errors
    ///
    /// As [`new`](Fetch::new).
    pub fn asking(url: &str, ask: Ask, rules: Arc<Rules>) -> Result<Self, FetchError> {
        let hop = Hop { number: 0, url: parsed(0, url, Url::parse)? };
        Errand { rules, hop, ask }.begun()
    }

    /// The addresses that are to be connected to, once they are known.
    pub(super) fn addresses(&self) -> Option<Vec<SocketAddr>> {
        match &self.at {
            At::Connect(first, others) => {
                Some([first].into_iter().chain(others).copied().collect())
            }
            At::Resolve | At::Send(..) | At::Receive(..) => None,
        }
    }

    /// Where it is.
    pub(super) fn hop(&self) -> &Hop {
        &self.errand.hop
    }
}

/// A URL by its text, if it is one.
fn parsed(
    number: u32,
    text: &str,
    parse: impl FnOnce(&str) -> Result<Url, url::ParseError>,
) -> Result<Url, FetchError> {
    // Long before anything is done that takes longer the longer it is.
    if text.len() > UrlFault::LONGEST {
        return Err(FetchError::bad_url(number, text, UrlFault::TooLong));
    }
    parse(text).map_err(|error| {
        FetchError::bad_url(number, text, UrlFault::NotAUrl(error.to_string().into()))
    })
}

/// Whether a host is a name that can be asked for: labels of letters, digits, hyphens and underscores,
/// as DNS and certificates have them.
fn is_name(host: &str) -> bool {
    let labels = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            && !label.starts_with('-')
    };
    labels.len() <= 253 && labels.split('.').all(is_label)
}

/// The addresses in their order, but for the two families, which take turns: where one leads nowhere, the
/// other is not behind all of it (RFC 8305, section 4).
fn in_turns(addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let is_v4 = addresses.first().is_some_and(IpAddr::is_ipv4);
    let family = |it: bool| addresses.iter().copied().filter(move |ip| ip.is_ipv4() == it);
    let (mut first, mut second) = (family(is_v4), family(!is_v4));
    let turns = std::iter::repeat_with(move || [first.next(), second.next()]);
    turns.take(addresses.len()).flatten().flatten()
}

impl Errand {
    /// At the beginning of the hop, with nothing done of it.
    fn begun<C>(mut self) -> Result<Fetch<C>, FetchError> {
        if let Err(fault) = self.permitted() {
            return Err(FetchError::bad_url(self.hop.number, self.hop.url.as_str(), fault));
        }
        // It is not the server's business which part of a page somebody meant.
        self.hop.url.set_fragment(None);
        match self.hop.url.host() {
            Some(Host::Domain(name)) => match self.rules.policy.judge_name(name) {
                Ok(()) => Ok(Fetch { errand: self, at: At::Resolve }),
                Err(special) => Err(FetchError::RefusedName { hop: Box::new(self.hop), special }),
            },
            Some(Host::Ipv4(v4)) => self.judged(&[v4.into()]),
            Some(Host::Ipv6(v6)) => self.judged(&[v6.into()]),
            None => {
                let Hop { number, url } = &self.hop;
                Err(FetchError::bad_url(*number, url.as_str(), UrlFault::NoHost))
            }
        }
    }

    /// Whether such a URL is fetched, wherever it leads.
    fn permitted(&self) -> Result<(), UrlFault> {
        let url = &self.hop.url;
        match url.scheme() {
            "https" => {}
            "http" if !self.rules.https_only => {}
            scheme => return Err(UrlFault::scheme(scheme)),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlFault::Credentials);
        }
        if let Some(Host::Domain(name)) = url.host()
            && !is_name(name)
        {
            return Err(UrlFault::Host);
        }
        // One that is relative to a long one may have become longer.
        if url.as_str().len() > UrlFault::LONGEST { Err(UrlFault::TooLong) } else { Ok(()) }
    }

    /// These addresses are to be connected to, if every one of them may be.
    fn judged<C>(self, addresses: &[IpAddr]) -> Result<Fetch<C>, FetchError> {
        if addresses.len() > MOST_ADDRESSES {
            let said = format!("it has more than {MOST_ADDRESSES} addresses");
            return Err(self.failed(Act::Resolve, NetError::Resolver(said.into())));
        }
        // The schemes that are fetched have a port of their own.
        let port = self.hop.url.port_or_known_default().unwrap_or_default();
        let host = self.hop.url.host_str().unwrap_or_default();
        for &address in addresses {
            let judged = self.rules.policy.judge_at(host, SocketAddr::new(address, port));
            if let Err(special) = judged {
                let hop = Box::new(self.hop);
                return Err(FetchError::Refused { hop, address, special });
            }
        }
        let tried = in_turns(addresses).take(TRIED_ADDRESSES);
        let tried = tried.map(|address| SocketAddr::new(address, port)).collect();
        self.connecting(tried, Act::Resolve, NetError::NoSuchName)
    }

    /// The first of these addresses is next; where there is none, `error` was the last word.
    fn connecting<C>(
        self,
        mut addresses: VecDeque<SocketAddr>,
        act: Act,
        error: NetError,
    ) -> Result<Fetch<C>, FetchError> {
        match addresses.pop_front() {
            Some(first) => Ok(Fetch { errand: self, at: At::Connect(first, addresses) }),
            None => Err(self.failed(act, error)),
        }
    }

    fn request(&self) -> Request {
        let Ask { method, headers, body, .. } = self.ask.clone();
        Request { method, url: self.hop.url.clone(), headers, body }
    }

    fn failed(self, act: Act, error: NetError) -> FetchError {
        FetchError::Network { hop: Box::new(self.hop), act, error }
    }

    /// What a response comes to: what was to be fetched, or one more hop.
    fn answered<C>(self, from: SocketAddr, response: Response) -> Next<C> {
        let leads = response.redirect();
        if let Some(location) = leads.filter(|_| self.ask.follows) {
            return match self.redirected(response.status, location) {
                Ok(fetch) => Step::Next(fetch),
                Err(error) => Step::Done(Err(error)),
            };
        }
        let is_redirect = leads.is_some();
        let content_type = response.content_type().map(Arc::from);
        let Response { status, headers, body: bytes } = response;
        // A part of it (206) is not what was asked for.
        if !is_redirect && (!(200..300).contains(&status) || status == 206) {
            let hop = Box::new(self.hop);
            return Step::Done(Err(FetchError::Status { hop, status, headers }));
        }
        let url = self.hop.url;
        Step::Done(Ok(Fetched { url, address: from, status, headers, content_type, bytes }))
    }

    fn redirected<C>(self, status: u16, location: &str) -> Result<Fetch<C>, FetchError> {
        let Errand { rules, hop: Hop { number, url: before }, ask } = self;
        let number = number + 1;
        let url = parsed(number, location, |text| before.join(text))?;
        if number > rules.redirects {
            return Err(FetchError::too_many_redirects(number, url, rules.redirects));
        }
        let ask = ask.redirected(status, before.origin() == url.origin());
        Errand { rules, hop: Hop { number, url }, ask }.begun()
    }
}

/// What a step comes to.
type Next<C> = Step<Fetch<C>, Result<Fetched, FetchError>>;

impl<N: Network> Process<N> for Fetch<N::Connection> {
    type Output = Result<Fetched, FetchError>;

    fn step(self, net: &mut N) -> Step<Self, Self::Output> {
        let Fetch { errand, at } = self;
        let next = match at {
            At::Resolve => match net.resolve(errand.hop.url.host_str().unwrap_or_default()) {
                Ok(addresses) => errand.judged(&addresses),
                Err(error) => Err(errand.failed(Act::Resolve, error)),
            },
            At::Connect(first, mut others) => {
                let (at, connected) = net.connect_any(first, others.make_contiguous());
                // Counted from `first` on.
                let address = at.checked_sub(1).and_then(|at| others.get(at)).unwrap_or(&first);
                let address = *address;
                match connected {
                    Ok(connection) => Ok(Fetch { errand, at: At::Send(address, connection) }),
                    Err(error) => {
                        others.drain(..at.min(others.len()));
                        errand.connecting(others, Act::Connect(address), error)
                    }
                }
            }
            At::Send(address, mut connection) => {
                let request = errand.request();
                match net.send(&mut connection, &request) {
                    Ok(()) => Ok(Fetch { errand, at: At::Receive(address, connection) }),
                    Err(error) => Err(errand.failed(Act::Send(address), error)),
                }
            }
            At::Receive(address, connection) => match net.receive(connection, errand.rules.bytes) {
                Ok(response) => return errand.answered(address, response),
                Err(error) => Err(errand.failed(Act::Receive(address), error)),
            },
        };
        match next {
            Ok(next) => Step::Next(next),
            Err(error) => Step::Done(Err(error)),
        }
    }
}
