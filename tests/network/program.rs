//! Which programs are tried: few names, few servers, so that the acts of several meet.
//!
//! What a client does next depends on how far it is; so each of its turns says what it would do in
//! either case.

use std::net::{IpAddr, SocketAddr};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use toctou::net::{Method, Page, SimNet};

/// What two clients, and who owns the network, do one after the other.
pub(crate) type Program = Vec<Act>;

/// A turn.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// A client's: what comes next for it.
    Client(usize, Turn),
    /// A name is bound.
    Bind(&'static str, Vec<IpAddr>),
    /// A server has another page.
    Serve(IpAddr, Page),
    /// A server accepts connections, or refuses them.
    Listen(IpAddr, bool),
}

/// What a client does in its turn.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    /// With a connection: it gives that up.
    pub(crate) hangs_up: bool,
    /// With a connection: it does what is not its turn, and receives before it has sent, or sends again.
    pub(crate) strays: bool,
    /// Without a connection: it resolves this name.
    pub(crate) resolve: Option<&'static str>,
    /// Or it connects to this address.
    pub(crate) to: SocketAddr,
    /// With a connection: it sends this.
    pub(crate) request: (Method, &'static str),
    /// Once that is sent: it receives so much.
    pub(crate) limit: u64,
}

pub(crate) fn address(last: u8) -> IpAddr {
    [127, 0, 0, last].into()
}

/// The IPv4 address of a server as an IPv6 one.
pub(crate) fn mapped(last: u8) -> IpAddr {
    let v6: std::net::Ipv6Addr = std::net::Ipv4Addr::new(127, 0, 0, last).to_ipv6_mapped();
    v6.into()
}

/// The addresses that are none, which lead to the host itself.
pub(crate) fn unspecified() -> Vec<IpAddr> {
    let v4 = std::net::Ipv4Addr::UNSPECIFIED;
    vec![v4.into(), v4.to_ipv6_mapped().into(), std::net::Ipv6Addr::UNSPECIFIED.into()]
}

/// The network before the first act: three servers, and one that refuses connections.
pub(crate) fn furnished() -> SimNet {
    let mut net = SimNet::new()
        .with_name("a.example", &[address(2)])
        .with_name("b.example", &[address(3), address(4)])
        .with_server(address(1), Page::text("one"))
        .with_server(address(2), Page::text("two"))
        .with_server(address(3), Page::text("four"))
        .with_server(address(4), Page::redirect("http://b.example/cat"));
    toctou::net::Scripted::listen(&mut net, address(4), false);
    net
}

const NAMES: [&str; 3] = ["a.example", "b.example", "gone.example"];

pub(crate) const URLS: [&str; 9] = [
    "http://a.example/",
    "http://b.example/cat?size=2&tail=long",
    "http://a.example/a%20cat/#whiskers",
    "http://127.0.0.3/",
    "http://[::ffff:127.0.0.3]/cat",
    "http://0x7f.3:8080/",
    "http://a.example?",
    "https://a.example/",
    "ftp://a.example/",
];

fn pages() -> Vec<Page> {
    vec![
        Page::text("two"),
        Page::text("four"),
        Page::text(""),
        Page::Content("image/png".into(), "grün ".repeat(3_000).into()),
        Page::Content("text/html; charset=utf-8".into(), "<p>".into()),
        Page::redirect("http://b.example/"),
        Page::redirect("//[::ffff:127.0.0.3]/#x"),
        Page::redirect("cat.png"),
        Page::redirect("http://grün.example/ß"),
        Page::redirect(""),
        Page::Content("".into(), "untyped".into()),
    ]
}

/// Programs of up to 30 acts.
pub(crate) fn program() -> impl Strategy<Value = Program> {
    vec(act(), 4..30)
}

fn act() -> impl Strategy<Value = Act> {
    let server = || select(vec![1, 2, 3, 4, 9]).prop_map(address);
    // Who owns a server may name it by its IPv6 form, too.
    let server = move || prop_oneof![9 => server(), 1 => Just(mapped(3))];
    let addresses = vec![
        vec![address(2)],
        vec![address(3)],
        vec![address(4), address(2)],
        vec![address(3), address(2), address(3)],
        vec![mapped(3)],
        vec![[10, 0, 0, 1].into()],
        vec![],
    ];
    prop_oneof![
        12 => (0..2_usize, turn()).prop_map(|(who, turn)| Act::Client(who, turn)),
        1 => (select(&NAMES[..]), select(addresses)).prop_map(|(name, to)| Act::Bind(name, to)),
        2 => (server(), select(pages())).prop_map(|(server, page)| Act::Serve(server, page)),
        2 => (server(), any::<bool>()).prop_map(|(server, listens)| Act::Listen(server, listens)),
    ]
}

fn turn() -> impl Strategy<Value = Turn> {
    let resolve = prop_oneof![3 => Just(None), 1 => select(&NAMES[..]).prop_map(Some)];
    let address = prop_oneof![
        8 => select(vec![2, 3, 4]).prop_map(address),
        3 => select(vec![2, 3, 4]).prop_map(mapped),
        1 => select(vec![address(9), mapped(9), [10, 0, 0, 1].into(), [192, 0, 2, 1].into()]),
        1 => select(unspecified()),
    ];
    let port = prop_oneof![12 => Just(80), 1 => select(vec![443, 8080])];
    let to = (address, port).prop_map(|(address, port)| SocketAddr::new(address, port));
    let method =
        prop_oneof![3 => Just(Method::Get), 1 => Just(Method::Head), 1 => Just(Method::Post)];
    let limit = select(vec![1 << 20, 1_000, 3, 0]);
    let hangs_up = prop::bool::weighted(0.05);
    let strays = prop::bool::weighted(0.1);
    (hangs_up, strays, resolve, to, (method, select(&URLS[..])), limit).prop_map(
        |(hangs_up, strays, resolve, to, request, limit)| Turn {
            hangs_up,
            strays,
            resolve,
            to,
            request,
            limit,
        },
    )
}
