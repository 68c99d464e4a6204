//! First floor, `net`: the simulated network. Imports its neighbours in `net`.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::script::name_fault;
use super::told::Told;
use super::{Method, NetError, Network, Page, Request, Response, Scripted, Visit};
use crate::calls::{called, mistaken};
use crate::fs::Errno;
use crate::held::{Holding, Kind, note};

/// A network as a value: names with their addresses, and web servers that answer every request with
/// one page. It does not know who owns what; an attacker is a process that [scripts](Scripted) it.
///
/// Servers speak plain HTTP, on port 80. Where there is no server, a connection is refused
/// (`ECONNREFUSED`), as on loopback. An IPv4-mapped IPv6 address leads to the IPv4 server.
/// `0.0.0.0` and `::` lead to `127.0.0.1` and `::1`, as with Linux sockets. A server chooses its
/// answer when the client receives it, so its owner can change the page until then.
///
/// Each act, of a client or of a script, is [told](crate::calls::called). So is a look into the
/// whole network, past its acts. These are [mistakes](crate::calls::mistaken) of the model:
///
/// - a name that no URL can have, and a page that no server can send;
/// - a script for a server that does not exist;
/// - a second request on one connection, and a wait for an answer without a request.
///
/// A request to an `https` URL is no mistake, since a redirect may lead any client to one. It
/// fails, as there is no TLS here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SimNet {
    names: BTreeMap<Arc<str>, Vec<IpAddr>>,
    servers: BTreeMap<IpAddr, Server>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    page: Page,
    listens: bool,
    visits: Vec<Visit>,
}

/// The port of every server.
const PORT: u16 = 80;

/// A connection to a server of [`SimNet`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimConnection {
    peer: SocketAddr,
    said: Said,
}

impl Hash for SimConnection {
    fn hash<H: Hasher>(&self, state: &mut H) {
        note(|| {
            let said = match self.said {
                Said::Nothing => "nothing sent yet",
                Said::Asked(_) => "a request sent",
                Said::Noise => "what is no request sent",
            };
            Holding { kind: Kind::Connection, thing: 0, how: format!("{}, {said}", self.peer) }
        });
        (self.peer, self.said).hash(state);
    }
}

/// What was said by a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Said {
    /// Nothing yet.
    Nothing,
    /// A request.
    Asked(Method),
    /// Something that is no request to this server.
    Noise,
}

/// Where a connection to this address leads: `0.0.0.0` and `::` are the host itself.
fn led(to: SocketAddr) -> SocketAddr {
    let ip = match to.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.to_ipv4_mapped() == Some(Ipv4Addr::UNSPECIFIED) => {
            Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()
        }
        ip => ip,
    };
    SocketAddr::new(ip, to.port())
}

impl SimNet {
    /// No names and no servers.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same network with a name that has these addresses.
    ///
    /// # Panics
    ///
    /// If no URL can have this name as its host: no client would ever ask for it.
    pub fn with_name(mut self, name: &str, addresses: &[IpAddr]) -> Self {
        if let Some(fault) = name_fault(name) {
            panic!("{fault}");
        }
        self.names.insert(name.into(), addresses.to_vec());
        self
    }

    /// The same network with a server at this address that accepts connections and answers with
    /// this page.
    ///
    /// # Panics
    ///
    /// If no server can answer with this page.
    pub fn with_server(mut self, address: IpAddr, page: Page) -> Self {
        if let Some(fault) = page.fault() {
            panic!("{fault}");
        }
        let server = Server { page, listens: true, visits: Vec::new() };
        self.servers.insert(address.to_canonical(), server);
        self
    }

    /// The visits of the server at this address, in order.
    ///
    /// This method and those below are for properties. A step that calls one has [made a
    /// call](crate::calls::called): no program sees any of this, and none sees something and acts
    /// on it in one call.
    ///
    /// # Panics
    ///
    /// If there is no server at this address: it would never have a visit, whatever the model does.
    #[track_caller]
    pub fn visits(&self, server: IpAddr) -> &[Visit] {
        looked("visits");
        &self.there(server).visits
    }

    /// Each server's address, and its visits.
    pub fn servers(&self) -> impl Iterator<Item = (IpAddr, &[Visit])> {
        looked("servers");
        self.servers.iter().map(|(address, server)| (*address, server.visits.as_slice()))
    }

    /// Each name with its addresses.
    pub fn names(&self) -> impl Iterator<Item = (&str, &[IpAddr])> {
        looked("names");
        self.names.iter().map(|(name, addresses)| (&**name, addresses.as_slice()))
    }

    /// The page of the server at this address at the moment; `None` if there is no server.
    pub fn page(&self, server: IpAddr) -> Option<&Page> {
        looked("page");
        self.servers.get(&server.to_canonical()).map(|server| &server.page)
    }

    /// Whether the server at this address accepts connections.
    ///
    /// # Panics
    ///
    /// If there is no server at this address: it would never accept a connection.
    #[track_caller]
    pub fn listens(&self, server: IpAddr) -> bool {
        looked("listens");
        self.there(server).listens
    }

    /// Whether there is a server at this address, whether or not it accepts connections.
    pub fn has_server(&self, address: IpAddr) -> bool {
        looked("has_server");
        self.servers.contains_key(&address.to_canonical())
    }

    #[track_caller]
    fn there(&self, server: IpAddr) -> &Server {
        match self.servers.get(&server.to_canonical()) {
            Some(there) => there,
            None => panic!("{}", no_server(server)),
        }
    }

    fn server(&mut self, address: SocketAddr) -> Option<&mut Server> {
        let server = self.servers.get_mut(&address.ip().to_canonical());
        server.filter(|_| address.port() == PORT)
    }
}

/// Tells that somebody looked into the world, past its acts.
fn looked(how: &str) {
    called(format_args!("SimNet::{how}"));
}

/// What is wrong with an address that was meant to be a server's.
fn no_server(address: IpAddr) -> String {
    format!("there is no server at {address}: `SimNet::with_server` makes one")
}

/// What each act answers; the traits' methods tell it.
impl SimNet {
    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let mut addresses = Vec::new();
        for address in self.names.get(name).into_iter().flatten() {
            if !addresses.contains(address) {
                addresses.push(*address);
            }
        }
        if addresses.is_empty() { Err(NetError::NoSuchName) } else { Ok(addresses) }
    }

    fn connected(&mut self, to: SocketAddr) -> Result<SimConnection, NetError> {
        let peer = led(to);
        match self.server(peer).filter(|server| server.listens) {
            Some(server) => {
                server.visits.push(Visit::Connected);
                Ok(SimConnection { peer, said: Said::Nothing })
            }
            None => Err(NetError::Os(Errno::CONNREFUSED)),
        }
    }

    fn sent(&mut self, connection: &mut SimConnection, request: &Request) -> Result<(), NetError> {
        if connection.said != Said::Nothing {
            return Err(NetError::http(&"a connection is for one request"));
        }
        connection.said = Said::Noise;
        match request.url.scheme() {
            "http" => {}
            "https" => {
                return Err(NetError::Tls("the simulated servers have no certificates".into()));
            }
            scheme => return Err(NetError::http(&format!("there is no `{scheme}` by HTTP"))),
        }
        if let Some(server) = self.server(connection.peer) {
            server.visits.push(Visit::of(request));
        }
        connection.said = Said::Asked(request.method);
        Ok(())
    }

    fn received(&mut self, connection: SimConnection, limit: u64) -> Result<Response, NetError> {
        // Nobody answers who was not asked; a real client would wait until it is tired of it.
        let (Said::Asked(method), Some(server)) = (connection.said, self.server(connection.peer))
        else {
            return Err(NetError::TimedOut);
        };
        let (status, headers) = server.page.head();
        let body = match &server.page {
            Page::Content(_, body) if method != Method::Head => body.as_bytes(),
            Page::Content(..) | Page::Redirect(_) => &[],
        };
        if body.len() as u64 > limit {
            return Err(NetError::TooLarge { limit });
        }
        Ok(Response { status, headers, body: body.to_vec() })
    }
}

impl Network for SimNet {
    type Connection = SimConnection;

    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let answer = self.addresses(name);
        called(format_args!("{}", Told::Resolve(name, answer.as_deref())));
        answer
    }

    fn connect(&mut self, to: SocketAddr) -> Result<SimConnection, NetError> {
        let answer = self.connected(to);
        called(format_args!("{}", Told::Connect(to, answer.as_ref().map(drop))));
        answer
    }

    // What it asks is on this side of the connection, so it is no act.
    fn peer(&self, connection: &SimConnection) -> Result<SocketAddr, NetError> {
        Ok(connection.peer)
    }

    fn send(&mut self, connection: &mut SimConnection, request: &Request) -> Result<(), NetError> {
        let is_second = connection.said != Said::Nothing;
        let answer = self.sent(connection, request);
        let told = Told::Send(request, answer.as_ref().copied());
        called(format_args!("{told}"));
        if is_second {
            let fault =
                "something was sent by this connection before: connect anew for each request";
            mistaken("EINVAL", format_args!("{told}: {fault}"));
        }
        answer
    }

    fn receive(&mut self, connection: SimConnection, limit: u64) -> Result<Response, NetError> {
        // Where a request could not be sent, by what somebody else did, a program may still wait.
        let is_unasked = connection.said == Said::Nothing;
        let answer = self.received(connection, limit);
        let told = Told::Receive(answer.as_ref());
        called(format_args!("{told}"));
        if is_unasked {
            let fault = "nothing was sent by this connection: send a request first";
            mistaken("EINVAL", format_args!("{told}: {fault}"));
        }
        answer
    }
}

impl Scripted for SimNet {
    fn bind(&mut self, name: &str, addresses: &[IpAddr]) {
        let told = Told::Bind(name, addresses);
        called(format_args!("{told}"));
        match name_fault(name) {
            Some(fault) => mistaken("EINVAL", format_args!("{told}: {fault}")),
            None => drop(self.names.insert(name.into(), addresses.to_vec())),
        }
    }

    fn serve(&mut self, server: IpAddr, page: &Page) {
        let told = Told::Serve(server, page);
        called(format_args!("{told}"));
        match (page.fault(), self.servers.get_mut(&server.to_canonical())) {
            (Some(fault), _) => mistaken("EINVAL", format_args!("{told}: {fault}")),
            (None, Some(server)) => server.page = page.clone(),
            (None, None) => mistaken("EINVAL", format_args!("{told}: {}", no_server(server))),
        }
    }

    fn listen(&mut self, server: IpAddr, listens: bool) {
        let told = Told::Listen(server, listens);
        called(format_args!("{told}"));
        match self.servers.get_mut(&server.to_canonical()) {
            Some(server) => server.listens = listens,
            None => mistaken("EINVAL", format_args!("{told}: {}", no_server(server))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::{Calls, Listen, listened};
    use crate::recorded::Recorded;

    const A: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

    fn net() -> SimNet {
        SimNet::new().with_name("a.example", &[A]).with_server(A, Page::text("cat"))
    }

    /// Each act once: those of a client, and those of a script.
    fn every_act<N: Network + Scripted>(net: &mut N) {
        let url = "http://a.example/".parse().unwrap();
        assert_eq!(net.resolve("a.example"), Ok(vec![A]));
        let mut connection = net.connect(SocketAddr::new(A, PORT)).ok().unwrap();
        assert!(net.peer(&connection).is_ok());
        net.send(&mut connection, &Request::new(Method::Get, url)).unwrap();
        net.serve(A, &Page::redirect("/x"));
        net.receive(connection, 9).unwrap();
        net.listen(A, false);
        assert!(net.connect(SocketAddr::new(A, PORT)).is_err());
        net.bind("a.example", &[]);
        net.resolve("a.example").unwrap_err();
    }

    fn heard(how: Listen, step: impl FnOnce(&mut SimNet)) -> Calls {
        let mut net = net();
        listened(how, || step(&mut net)).1
    }

    #[test]
    fn each_act_is_told_as_it_is_recorded_and_counted() {
        let mut recorded = Recorded::new(net());
        every_act(&mut recorded);
        let recorded = recorded.take();
        let calls = heard(Listen::Tell, every_act);
        assert_eq!(calls.told, recorded);
        assert_eq!((calls.count, calls.mistake), (9, None));
        assert_eq!(calls.told[0], "resolve(a.example) = 127.0.0.2");
        assert_eq!(calls.told[4], "receive = 302 → /x");
        assert_eq!(calls.told[7], "bind a.example → ");
        assert_eq!(heard(Listen::Count, every_act).count, 9);
        assert_eq!(heard(Listen::No, every_act), Calls::default());
    }

    #[test]
    fn a_world_that_is_furnished_is_not_acted_on() {
        assert_eq!(listened(Listen::Count, net).1, Calls::default());
    }

    #[test]
    fn a_move_that_nobody_could_make_is_a_mistake_and_changes_nothing() {
        for name in ["A.example", "127.0.0.1", "0x7f.1", "a b", "grün.example", "", "a.example/b"]
        {
            let mut net = net();
            let mistake = listened(Listen::Count, || net.bind(name, &[A])).1.mistake;
            assert_eq!(mistake.map(|mistake| mistake.code), Some("EINVAL".to_owned()), "{name:?}");
            assert_eq!(net, self::net(), "{name:?}");
        }
        for page in [
            Page::redirect("/x\r\nSet-Cookie: a"),
            Page::redirect(" /x"),
            Page::Content("text/plain\n".into(), "".into()),
            Page::Content("\0".into(), "".into()),
        ] {
            let mut net = net();
            let mistake = listened(Listen::Count, || net.serve(A, &page)).1.mistake;
            let what = mistake.map(|mistake| mistake.what).unwrap_or_default();
            assert!(what.contains("no server can say"), "{what}");
            assert_eq!(net, self::net(), "{page:?}");
        }
        let good = heard(Listen::Count, |net| {
            net.bind("xn--grn-hoa.example", &[A]);
            net.serve(A, &Page::redirect("http://grün.example/"));
        });
        assert_eq!(good.mistake, None);
    }

    /// Which mistake a step makes, and that it was one act.
    fn mistake(net: &mut SimNet, step: impl FnOnce(&mut SimNet)) -> Option<String> {
        let calls = listened(Listen::Count, || step(net)).1;
        assert_eq!(calls.count, 1);
        calls.mistake.map(|mistake| {
            assert_eq!(mistake.code, "EINVAL");
            mistake.what
        })
    }

    #[test]
    fn a_script_for_a_server_that_is_not_there_is_a_mistake_and_changes_nothing() {
        let misspelt: IpAddr = [127, 0, 0, 7].into();
        let mut net = net();
        let none = "there is no server at 127.0.0.7: `SimNet::with_server` makes one";
        let serves = mistake(&mut net, |net| net.serve(misspelt, &Page::text("dog")));
        assert_eq!(serves, Some(format!("serve 200 \"dog\" at 127.0.0.7: {none}")));
        for (listens, what) in [(true, "accept"), (false, "refuse")] {
            let told = mistake(&mut net, |net| net.listen(misspelt, listens));
            assert_eq!(told, Some(format!("{what} connections at 127.0.0.7: {none}")));
        }
        assert_eq!(net, self::net());
        // Its other name is a name of it.
        let mapped = Ipv4Addr::new(127, 0, 0, 2).to_ipv6_mapped().into();
        assert_eq!(mistake(&mut net, |net| net.serve(mapped, &Page::text("dog"))), None);
        assert_eq!(mistake(&mut net, |net| net.listen(mapped, false)), None);
        assert_ne!(net, self::net());
    }

    fn asking(url: &str) -> Request {
        Request::new(Method::Get, url.parse().unwrap())
    }

    #[test]
    fn a_second_request_and_a_wait_for_no_answer_are_mistakes() {
        let mut net = net();
        let request = asking("http://a.example/");
        let mut connection = net.connect(SocketAddr::new(A, PORT)).unwrap();
        let unasked = connection.clone();
        let first = mistake(&mut net, |net| net.send(&mut connection, &request).unwrap());
        assert_eq!(first, None);
        let second = mistake(&mut net, |net| drop(net.send(&mut connection, &request)));
        let told = "send(GET http://a.example/) = not HTTP: something was sent by this connection";
        assert!(second.as_ref().is_some_and(|what| what.starts_with(told)), "{second:?}");
        assert_eq!(mistake(&mut net, |net| drop(net.receive(connection, 9).unwrap())), None);
        let waits = mistake(&mut net, |net| drop(net.receive(unasked, 9)));
        let told = "receive = timed out: nothing was sent by this connection: send a request first";
        assert_eq!(waits.as_deref(), Some(told));
    }

    #[test]
    fn a_request_that_a_redirect_may_lead_to_is_no_mistake() {
        for url in ["https://a.example:80/", "ftp://a.example:80/"] {
            let mut net = net();
            let mut connection = net.connect(SocketAddr::new(A, PORT)).unwrap();
            let sends =
                |net: &mut SimNet| drop(net.send(&mut connection, &asking(url)).unwrap_err());
            assert_eq!(mistake(&mut net, sends), None, "{url}");
            assert_eq!(mistake(&mut net, |net| drop(net.receive(connection, 9))), None, "{url}");
        }
    }

    #[test]
    fn a_look_into_the_world_is_told_and_a_picture_of_it_is_not() {
        let looks = heard(Listen::Tell, |net| {
            assert!(net.visits(A).is_empty() && net.listens(A) && net.has_server(A));
            assert_eq!((net.servers().count(), net.names().count()), (1, 1));
            assert_eq!(net.page(A), Some(&Page::text("cat")));
        });
        let told = ["visits", "listens", "has_server", "servers", "names", "page"];
        assert_eq!(looks.told, told.map(|how| format!("SimNet::{how}")));
        assert_eq!(looks.mistake, None);
        let untold = heard(Listen::Tell, |net| {
            let _ = format!("{net:?} {}", *net == net.clone());
            crate::calls::untold(|| assert!(net.visits(A).is_empty()));
        });
        assert_eq!(untold, Calls::default());
    }

    #[test]
    fn a_server_is_there_by_each_of_its_addresses() {
        let net = net();
        let mapped = Ipv4Addr::new(127, 0, 0, 2).to_ipv6_mapped().into();
        assert!(net.visits(mapped).is_empty() && net.has_server(mapped));
        let misspelt = [127, 0, 0, 7].into();
        assert!(!net.has_server(misspelt) && net.page(misspelt).is_none());
    }

    #[test]
    #[should_panic(expected = "there is no server at 127.0.0.7: `SimNet::with_server` makes one")]
    fn what_reached_a_server_that_is_not_there_is_not_nothing() {
        let _ = net().visits([127, 0, 0, 7].into());
    }

    #[test]
    #[should_panic(expected = "there is no server at 127.0.0.7: `SimNet::with_server` makes one")]
    fn a_server_that_is_not_there_does_not_refuse_connections() {
        let _ = net().listens([127, 0, 0, 7].into());
    }

    #[test]
    #[should_panic(expected = "it would be `a.example` there")]
    fn a_world_is_not_furnished_with_a_name_that_nobody_asks_for() {
        let _ = SimNet::new().with_name("A.example", &[A]);
    }

    #[test]
    #[should_panic(expected = "no server can say `Location: ")]
    fn a_world_is_not_furnished_with_a_page_that_nobody_serves() {
        let _ = SimNet::new().with_server(A, Page::redirect("a\nb"));
    }
}
