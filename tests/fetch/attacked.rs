//! What fetches alone, in the simulated network: whatever names and servers answer, nobody is connected
//! to whom the policy refuses. And ways that are wrong are found out by the same test.

use std::cell::Cell;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRng, TestRunner};
use toctou::direct::{Code, Connections};
use toctou::fetch::{Ask, FetchError, Fetched, Rules, fetch};
use toctou::net::{
    Method, NetError, Network, Page, Policy, Request, Response, Scripted, SimConnection, SimNet,
    Url,
};
use toctou::recorded::Recorded;
use toctou::{Process, Step};
use url::Host;

/// Of these, the policy of these tests refuses the last four.
const ADDRESSES: [&str; 6] =
    ["192.0.2.1", "::ffff:192.0.2.2", "127.0.0.1", "10.0.0.1", "::ffff:10.0.0.2", "::1"];
const NAMES: [&str; 3] = ["a.test", "b.test", "c.test"];
const REDIRECTS: u32 = 3;

fn policy() -> Policy {
    // Whether the documentation's addresses are public is not the matter here.
    ADDRESSES[..2].iter().fold(Policy::public(), |policy, ip| policy.allowing(ip.parse().unwrap()))
}

fn rules() -> Arc<Rules> {
    Arc::new(Rules { policy: policy(), bytes: 1000, redirects: REDIRECTS, https_only: false })
}

/// One that is refused is rarer than one that is not, so that scripts get somewhere.
fn address() -> impl Strategy<Value = IpAddr> {
    let (public, refused) = ADDRESSES.split_at(2);
    prop_oneof![3 => select(public), 1 => select(refused)]
        .prop_map(|ip| ip.parse().expect("an address"))
}

/// A host of a URL: a name, or an address in one of its spellings.
fn host() -> impl Strategy<Value = String> {
    let spelled = address().prop_flat_map(|ip| match ip {
        IpAddr::V4(v4) => {
            let number = v4.to_bits();
            let [a, b, c, d] = v4.octets();
            select(vec![
                v4.to_string(),
                number.to_string(),
                format!("{number:#x}"),
                format!("{number:#o}").replace("0o", "0"),
                format!("{a:#x}.{b}.{}", u32::from(c) * 256 + u32::from(d)),
                format!("[::ffff:{v4}]"),
            ])
        }
        IpAddr::V6(v6) => select(vec![format!("[{v6}]")]),
    });
    prop_oneof![3 => select(&NAMES).prop_map(str::to_owned), 1 => spelled]
}

/// A page of a server: content, or a redirect.
fn page() -> impl Strategy<Value = Page> {
    prop_oneof![
        1 => Just(Page::text("cat")),
        4 => host().prop_map(|host| Page::redirect(&format!("http://{host}/"))),
        1 => select(&["/again", "//b.test/", "ftp://a.test/", "http://u:p@a.test/"])
            .prop_map(Page::redirect),
    ]
}

/// What the attacker does before each act: names that have other addresses, servers that answer
/// otherwise or not at all.
#[derive(Clone, Debug)]
enum Move {
    Nothing,
    Bind(&'static str, Vec<IpAddr>),
    Serve(IpAddr, Page),
    Listen(IpAddr, bool),
}

fn moves() -> impl Strategy<Value = VecDeque<Move>> {
    let bind = (select(&NAMES), vec(address(), 1..4)).prop_map(|(name, to)| Move::Bind(name, to));
    let serve = (address(), page()).prop_map(|(server, page)| Move::Serve(server, page));
    let listen = (address(), any::<bool>()).prop_map(|(server, on)| Move::Listen(server, on));
    vec(prop_oneof![Just(Move::Nothing), bind, serve, listen], 0..16).prop_map(VecDeque::from)
}

/// The simulated network with an attacker who moves before each act, and a note of who was connected
/// to, and how many requests were sent.
struct Attacked {
    net: SimNet,
    moves: VecDeque<Move>,
    connected: Vec<SocketAddr>,
    sent: usize,
}

impl Attacked {
    fn new(names: Vec<Vec<IpAddr>>, pages: Vec<Page>, moves: VecDeque<Move>) -> Self {
        let names = NAMES.iter().zip(names);
        let net = names.fold(SimNet::new(), |net, (name, to)| net.with_name(name, &to));
        let servers = ADDRESSES.iter().zip(pages);
        let net = servers.fold(net, |net, (ip, page)| net.with_server(ip.parse().unwrap(), page));
        Attacked { net, moves, connected: Vec::new(), sent: 0 }
    }

    fn attacked(&mut self) -> &mut SimNet {
        match self.moves.pop_front() {
            Some(Move::Bind(name, to)) => self.net.bind(name, &to),
            Some(Move::Serve(server, page)) => self.net.serve(server, &page),
            Some(Move::Listen(server, listens)) => self.net.listen(server, listens),
            Some(Move::Nothing) | None => {}
        }
        &mut self.net
    }
}

impl Network for Attacked {
    type Connection = SimConnection;

    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        self.attacked().resolve(name)
    }

    fn connect(&mut self, to: SocketAddr) -> Result<SimConnection, NetError> {
        self.connected.push(to);
        self.attacked().connect(to)
    }

    /// The worst of races: whoever may be connected to is.
    fn connect_any(
        &mut self,
        first: SocketAddr,
        others: &[SocketAddr],
    ) -> (usize, Result<SimConnection, NetError>) {
        self.connected.extend(others);
        (0, self.connect(first))
    }

    fn peer(&self, connection: &SimConnection) -> Result<SocketAddr, NetError> {
        self.net.peer(connection)
    }

    fn send(&mut self, connection: &mut SimConnection, request: &Request) -> Result<(), NetError> {
        self.sent += 1;
        self.attacked().send(connection, request)
    }

    fn receive(&mut self, connection: SimConnection, limit: u64) -> Result<Response, NetError> {
        self.attacked().receive(connection, limit)
    }
}

/// Ways to fetch: what ships, and some that are wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Ships,
    /// The same, with something to send.
    Posts,
    /// As it should be, but written by hand: that it is not found out shows that the others are for
    /// what is wrong with them.
    ByHand,
    /// Judges only the first address that a name has.
    JudgesTheFirst,
    /// Resolves again to connect.
    ResolvesAgain,
    /// Judges the URL that was given, and follows redirects without.
    TrustsRedirects,
    /// Judges names, and takes hosts that are addresses as they are.
    TrustsLiterals,
}

impl Way {
    /// Fetches something, or not: whom it connects to is what matters.
    fn fetch(self, url: &str, net: &mut Attacked) -> Option<Vec<u8>> {
        match self {
            Way::Ships => fetch(net, url, Ask::get(), rules()).ok().map(|page| page.bytes),
            Way::Posts => {
                let ask = Ask::post("text/plain", "cat").and_then(|ask| ask.with("cookie", "x"));
                fetch(net, url, ask.ok()?, rules()).ok().map(|page| page.bytes)
            }
            _ => self.by_hand(url, net),
        }
    }

    fn by_hand(self, url: &str, net: &mut Attacked) -> Option<Vec<u8>> {
        let mut url = Url::parse(url).ok()?;
        for hop in 0..=REDIRECTS {
            let literal: Option<IpAddr> = match url.host()? {
                Host::Domain(_) => None,
                Host::Ipv4(v4) => Some(v4.into()),
                Host::Ipv6(v6) => Some(v6.into()),
            };
            let mut addresses = match literal {
                Some(address) => vec![address],
                None => net.resolve(url.host_str()?).ok()?,
            };
            let judged = match self {
                Way::JudgesTheFirst => &addresses[..1],
                Way::TrustsRedirects if hop > 0 => &[],
                Way::TrustsLiterals if literal.is_some() => &[],
                _ => &addresses[..],
            };
            if judged.iter().any(|address| policy().judge(*address).is_err()) {
                return None;
            }
            if self == Way::ResolvesAgain && literal.is_none() {
                addresses = net.resolve(url.host_str()?).ok()?;
            }
            let port = url.port_or_known_default()?;
            let mut sockets = addresses.iter().map(|address| SocketAddr::new(*address, port));
            let mut connection = sockets.find_map(|socket| net.connect(socket).ok())?;
            let request = Request::new(Method::Get, url.clone());
            net.send(&mut connection, &request).ok()?;
            let response = net.receive(connection, 1000).ok()?;
            let Some(location) = response.redirect() else { return Some(response.body) };
            url = url.join(location).ok()?;
        }
        None
    }
}

/// Runs one way through many scripts, the same ones each time: the first that goes wrong, if one does,
/// and else how many fetched something, and after a redirect.
fn attacked(way: Way) -> Result<(u32, u32), String> {
    let (names, pages) = (vec(vec(address(), 1..4), NAMES.len()), vec(page(), ADDRESSES.len()));
    let config = Config { cases: 4000, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let (fetched, redirected) = (Cell::new(0), Cell::new(0));
    let ran = TestRunner::new_with_rng(config, rng).run(
        &(host(), names, pages, moves()),
        |(host, names, pages, moves)| {
            let mut net = Attacked::new(names, pages, moves);
            if way.fetch(&format!("http://{host}/"), &mut net).is_some() {
                fetched.set(fetched.get() + 1);
                redirected.set(redirected.get() + u32::from(net.sent > 1));
            }
            for to in &net.connected {
                prop_assert!(policy().judge(to.ip()).is_ok(), "connected to {to}");
            }
            Ok(())
        },
    );
    ran.map_err(|error| error.to_string())?;
    Ok((fetched.get(), redirected.get()))
}

#[test]
fn nobody_is_connected_to_whom_the_policy_refuses_whatever_the_attacker_does() {
    for way in [Way::Ships, Way::Posts, Way::ByHand] {
        let (fetched, redirected) =
            attacked(way).unwrap_or_else(|error| panic!("{way:?}: {error}"));
        assert!(
            fetched > 100 && redirected > 20,
            "{way:?}: {fetched} fetched, {redirected} redirected"
        );
    }
}

#[test]
fn ways_that_judge_less_than_they_use_are_found_out() {
    for way in [Way::JudgesTheFirst, Way::ResolvesAgain, Way::TrustsRedirects, Way::TrustsLiterals]
    {
        let error = attacked(way).expect_err(&format!("{way:?}"));
        assert!(error.contains("connected to"), "{way:?}: {error}");
    }
}

#[test]
fn each_step_is_one_act_on_the_network() {
    let url = "http://a.test/";
    let net = SimNet::new().with_name("a.test", &[ADDRESSES[0].parse().unwrap()]);
    let mut net = Recorded::new(net.with_server(ADDRESSES[0].parse().unwrap(), Page::text("cat")));
    type Fetch = Code<Connections<SimConnection>, Result<Fetched, FetchError>>;
    let mut fetch: Fetch = Code::network(move |net| fetch(net, url, Ask::get(), rules()));
    for act in ["resolve(a.test)", "connect(192.0.2.1:80)", "send(GET http://a.test/)"] {
        fetch = match fetch.step(&mut net) {
            Step::Next(next) => next,
            other => panic!("{other:?}"),
        };
        let told = net.take();
        assert!(told.len() == 1 && told[0].starts_with(act), "{told:?}");
    }
    let Step::Done(Ok(fetched)) = fetch.step(&mut net) else { panic!("it is not over") };
    assert_eq!(fetched.bytes, b"cat");
    assert_eq!(net.take(), ["receive = 200 \"cat\""]);
}
