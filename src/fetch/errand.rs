//! Third floor, `fetch`: the function that ships and that is proved. Imports [`net`](crate::net)
//! and its neighbours in `fetch`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use url::Host;

use super::{Act, Ask, FetchError, Fetched, Hop, Rules, UrlFault, failed};
use crate::net::{NetError, Network, Request, Response, Url, literal};

/// The most addresses a name may have. Nothing is fetched from a name with more. Large sites have a
/// dozen.
pub const MOST_ADDRESSES: usize = 64;

/// The most addresses of a name that are tried before the fetch gives up. The limit keeps one fetch
/// from connecting to many servers.
pub const TRIED_ADDRESSES: usize = 8;

/// Fetches from a URL that somebody else gave.
///
/// For each hop, the host's name is resolved *once*, and every address of the name is judged. The
/// fetch then connects to exactly these addresses: one after the other until one accepts, or
/// [several at once](Network::connect_any). So there is no second lookup that could have another
/// result. A redirect is one more hop, with the same steps.
///
/// # Errors
///
/// Some errors come before anybody is asked about a URL. The URL is not valid or not one to be
/// fetched ([`FetchError::BadUrl`]). Its host is an address that is not public
/// ([`FetchError::Refused`]), or a special name ([`FetchError::RefusedName`]). All other errors of
/// [`FetchError`] can follow.
pub fn fetch<N: Network>(
    net: &mut N,
    url: &str,
    ask: Ask,
    rules: Arc<Rules>,
) -> Result<Fetched, FetchError> {
    Errand::new(url, ask, rules)?.run(net)
}

/// What is being fetched, and by which rules.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    rules: Arc<Rules>,
    pub(super) hop: Hop,
    /// What is asked at this hop.
    ask: Ask,
}

/// A URL by its text, if it is one.
fn parsed(
    number: u32,
    text: &str,
    parse: impl FnOnce(&str) -> Result<Url, url::ParseError>,
) -> Result<Url, FetchError> {
    let bad = |fault| FetchError::bad_url(number, text, fault);
    // Long before anything is done that takes longer the longer it is.
    if text.len() > UrlFault::LONGEST {
        return Err(bad(UrlFault::TooLong));
    }
    parse(text).map_err(|error| bad(UrlFault::NotAUrl(error.to_string().into())))
}

/// Whether a host is a name that can be asked for: labels of letters, digits, hyphens and
/// underscores, as DNS and certificates have them.
fn is_name(host: &str) -> bool {
    let labels = host.strip_suffix('.').unwrap_or(host);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
            && !label.starts_with('-')
    };
    labels.len() <= 253 && labels.split('.').all(is_label)
}

/// The addresses in their order, except that the two families take turns. If one family leads
/// nowhere, the fetch need not try all of it before it tries the other (RFC 8305, section 4).
fn in_turns(addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
    let is_v4 = addresses.first().is_some_and(IpAddr::is_ipv4);
    let family = |it: bool| addresses.iter().copied().filter(move |ip| ip.is_ipv4() == it);
    let (mut first, mut second) = (family(is_v4), family(!is_v4));
    let turns = std::iter::repeat_with(move || [first.next(), second.next()]);
    turns.take(addresses.len()).flatten().flatten()
}

impl Errand {
    pub(super) fn new(url: &str, ask: Ask, rules: Arc<Rules>) -> Result<Self, FetchError> {
        let hop = Hop { number: 0, url: parsed(0, url, Url::parse)? };
        Errand { rules, hop, ask }.permitted()
    }

    pub(super) fn run<N: Network>(self, net: &mut N) -> Result<Fetched, FetchError> {
        let receive = |net: &mut N, from, limit| Ok((net.receive(from, limit)?, ()));
        self.run_receiving(net, receive).map(|(fetched, ())| fetched)
    }

    /// The same, with the responses received in this way: with something else in place of a body, say.
    pub(super) fn run_receiving<N: Network, B>(
        mut self,
        net: &mut N,
        receive: impl Fn(&mut N, N::Connection, u64) -> Result<(Response, B), NetError>,
    ) -> Result<(Fetched, B), FetchError> {
        loop {
            let (from, connection) = self.asked(net)?;
            let received = receive(net, connection, self.rules.bytes);
            let (response, body) =
                received.map_err(|error| self.failed(Act::Receive(from), error))?;
            let leads = response.redirect();
            let Some(location) = leads.filter(|_| self.ask.follows) else {
                return Ok((self.answered(from, response)?, body));
            };
            self = self.redirected(response.status, location)?;
        }
    }

    /// This errand at the beginning of a hop, if its URL may be fetched wherever it leads. If the
    /// host is an address or a name, that is judged here.
    fn permitted(mut self) -> Result<Self, FetchError> {
        if let Err(fault) = self.fault() {
            return Err(FetchError::bad_url(self.hop.number, self.hop.url.as_str(), fault));
        }
        // It is not the server's business which part of a page somebody meant.
        self.hop.url.set_fragment(None);
        match literal(&self.hop.url) {
            Some(address) => self.judge(&[address])?,
            None => {
                let name = self.hop.url.host_str().unwrap_or_default();
                if let Err(special) = self.rules.policy.judge_name(name) {
                    return Err(FetchError::RefusedName { hop: Box::new(self.hop), special });
                }
            }
        }
        Ok(self)
    }

    /// What is wrong with the URL.
    fn fault(&self) -> Result<(), UrlFault> {
        let url = &self.hop.url;
        match url.scheme() {
            "https" => {}
            "http" if !self.rules.https_only => {}
            scheme => return Err(UrlFault::scheme(scheme)),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlFault::Credentials);
        }
        match url.host() {
            Some(Host::Domain(name)) if !is_name(name) => return Err(UrlFault::Host),
            Some(_) => {}
            None => return Err(UrlFault::NoHost),
        }
        // One that is relative to a long one may have become longer.
        if url.as_str().len() > UrlFault::LONGEST { Err(UrlFault::TooLong) } else { Ok(()) }
    }

    /// Whether every one of these addresses may be connected to.
    fn judge(&self, addresses: &[IpAddr]) -> Result<(), FetchError> {
        let host = self.hop.url.host_str().unwrap_or_default();
        for &address in addresses {
            let to = SocketAddr::new(address, self.port());
            if let Err(special) = self.rules.policy.judge_at(host, to) {
                let hop = Box::new(self.hop.clone());
                return Err(FetchError::Refused { hop, address, special });
            }
        }
        Ok(())
    }

    /// The schemes that are fetched have a port of their own.
    fn port(&self) -> u16 {
        self.hop.url.port_or_known_default().unwrap_or_default()
    }

    /// The addresses to connect to, in the order in which they are to be tried, all of them judged.
    pub(super) fn addresses<N: Network>(&self, net: &mut N) -> Result<Vec<SocketAddr>, FetchError> {
        let addresses = match literal(&self.hop.url) {
            Some(address) => vec![address],
            None => {
                let resolved = net.resolve(self.hop.url.host_str().unwrap_or_default());
                let addresses = resolved.map_err(|error| self.failed(Act::Resolve, error))?;
                if addresses.len() > MOST_ADDRESSES {
                    let said = format!("it has more than {MOST_ADDRESSES} addresses");
                    return Err(self.failed(Act::Resolve, NetError::Resolver(said.into())));
                }
                self.judge(&addresses)?;
                addresses
            }
        };
        let tried = in_turns(&addresses).take(TRIED_ADDRESSES);
        Ok(tried.map(|address| SocketAddr::new(address, self.port())).collect())
    }

    /// A connection over which this hop is asked, and where it leads.
    fn asked<N: Network>(&self, net: &mut N) -> Result<(SocketAddr, N::Connection), FetchError> {
        let addresses = self.addresses(net)?;
        let (address, mut connection) = self.connected(net, &addresses)?;
        let sent = net.send(&mut connection, &self.request());
        sent.map_err(|error| self.failed(Act::Send(address), error))?;
        Ok((address, connection))
    }

    /// Connects to the first of these that accepts.
    fn connected<N: Network>(
        &self,
        net: &mut N,
        mut addresses: &[SocketAddr],
    ) -> Result<(SocketAddr, N::Connection), FetchError> {
        let (mut act, mut last) = (Act::Resolve, NetError::NoSuchName);
        while let Some((first, others)) = addresses.split_first() {
            let (at, connected) = net.connect_any(*first, others);
            let address = *addresses.get(at).unwrap_or(first);
            match connected {
                Ok(connection) => return Ok((address, connection)),
                Err(error) => (act, last) = (Act::Connect(address), error),
            }
            addresses = addresses.get(at + 1..).unwrap_or_default();
        }
        Err(self.failed(act, last))
    }

    fn request(&self) -> Request {
        let Ask { method, headers, body, .. } = self.ask.clone();
        Request { method, url: self.hop.url.clone(), headers, body }
    }

    fn failed(&self, act: Act, error: NetError) -> FetchError {
        failed(&self.hop, act, error)
    }

    /// What a response comes to that leads no further.
    fn answered(self, from: SocketAddr, response: Response) -> Result<Fetched, FetchError> {
        let is_redirect = response.redirect().is_some();
        let content_type = response.content_type().map(Arc::from);
        let Response { status, headers, body: bytes } = response;
        // A part of it (206) is not what was asked for.
        if !is_redirect && (!(200..300).contains(&status) || status == 206) {
            return Err(FetchError::Status { hop: Box::new(self.hop), status, headers });
        }
        let url = self.hop.url;
        Ok(Fetched { url, address: from, status, headers, content_type, bytes })
    }

    /// The same at the next hop.
    fn redirected(self, status: u16, location: &str) -> Result<Self, FetchError> {
        let Errand { rules, hop: Hop { number, url: before }, ask } = self;
        let number = number + 1;
        let url = parsed(number, location, |text| before.join(text))?;
        if number > rules.redirects {
            let (hop, limit) = (Box::new(Hop { number, url }), rules.redirects);
            return Err(FetchError::TooManyRedirects { hop, limit });
        }
        let ask = ask.redirected(status, before.origin() == url.origin());
        Errand { rules, hop: Hop { number, url }, ask }.permitted()
    }
}
