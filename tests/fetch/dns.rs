//! Name servers on loopback that answer, drop, cut and lie; and names whose addresses do not.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use toctou::fetch::{FetchError, Fetcher, Limits};
use toctou::net::{NameServers, NetError, Network, OsNet, Resolve, SystemResolver};

use crate::names::{limits, outside};
use crate::server::{BlackHoles, INSIDE, OUTSIDE, Server, ok};

const A: u16 = 1;
const AAAA: u16 = 28;

/// What a name server does when it is asked for a name and a kind.
#[derive(Clone)]
enum Does {
    /// Says so many records, with this code.
    Says(u8, Vec<IpAddr>),
    /// Says nothing.
    Drops,
    /// Says so, by TCP only.
    ByTcp(Vec<IpAddr>),
    /// Cuts its answer short, and says nothing by TCP.
    Cuts,
    /// Says this of another question first, and then that.
    LiesFirst(Vec<IpAddr>, Vec<IpAddr>),
}

type Zone = dyn Fn(&str, u16) -> Does + Send + Sync;

/// A name server, and what it was asked how often.
struct NameServer {
    address: SocketAddr,
    asked: Arc<Mutex<BTreeMap<(String, u16), usize>>>,
}

/// The name and the kind that a question has.
fn read(question: &[u8]) -> (String, u16) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while question[at] > 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8(question[at + 1..=at + length].to_vec()).unwrap());
        at += 1 + length;
    }
    (labels.join("."), u16::from_be_bytes([question[at + 1], question[at + 2]]))
}

fn answer(question: &[u8], code: u8, cut: bool, addresses: &[IpAddr]) -> Vec<u8> {
    let mut bytes = question.to_vec();
    bytes[2] |= if cut { 0x82 } else { 0x80 };
    bytes[3] |= code;
    bytes[7] = u8::try_from(addresses.len()).unwrap();
    for address in addresses {
        let (kind, data) = match address {
            IpAddr::V4(v4) => (A, v4.octets().to_vec()),
            IpAddr::V6(v6) => (AAAA, v6.octets().to_vec()),
        };
        bytes.extend([0xc0, 12]);
        bytes.extend(kind.to_be_bytes());
        bytes.extend([0, 1, 0, 0, 0, 0, 0, u8::try_from(data.len()).unwrap()]);
        bytes.extend(data);
    }
    bytes
}

impl NameServer {
    fn new(zone: impl Fn(&str, u16) -> Does + Send + Sync + 'static) -> Self {
        // A port that is free for one protocol may not be for the other.
        let (socket, listener) = (0..100)
            .find_map(|_| {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
                let listener = TcpListener::bind(socket.local_addr().ok()?).ok()?;
                Some((socket, listener))
            })
            .expect("a port that is free for both");
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(BTreeMap::new()));
        let (zone, noted): (Arc<Zone>, _) = (Arc::new(zone), asked.clone());
        let by_tcp = zone.clone();
        // They end with the test.
        thread::spawn(move || {
            let mut bytes = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                let question = &bytes[..length];
                let (name, kind) = read(question);
                let does = zone(&name, kind);
                *noted.lock().unwrap().entry((name, kind)).or_insert(0) += 1;
                let said = match does {
                    Does::Says(code, addresses) => answer(question, code, false, &addresses),
                    Does::Drops => continue,
                    Does::ByTcp(_) | Does::Cuts => answer(question, 0, true, &[]),
                    Does::LiesFirst(lie, truth) => {
                        let mut other = question.to_vec();
                        other[0] ^= 1;
                        let lies = [answer(&other, 0, false, &lie), b"noise".to_vec()];
                        lies.iter().for_each(|lie| drop(socket.send_to(lie, from)));
                        answer(question, 0, false, &truth)
                    }
                };
                let _ = socket.send_to(&said, from);
            }
        });
        thread::spawn(move || {
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept() {
                let mut length = [0; 2];
                stream.read_exact(&mut length).unwrap();
                let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut question).unwrap();
                let (name, kind) = read(&question);
                let addresses = match by_tcp(&name, kind) {
                    Does::ByTcp(addresses) => addresses,
                    Does::Cuts => {
                        silent.push(stream);
                        continue;
                    }
                    _ => continue,
                };
                let said = answer(&question, 0, false, &addresses);
                let length = u16::try_from(said.len()).unwrap().to_be_bytes();
                stream.write_all(&[&length, &said[..]].concat()).unwrap();
            }
        });
        NameServer { address, asked }
    }

    /// One that knows these addresses of every name.
    fn of(addresses: &[IpAddr]) -> Self {
        let addresses = addresses.to_vec();
        Self::new(move |_, kind| Does::Says(0, only(kind, &addresses)))
    }

    fn resolver(&self) -> NameServers {
        NameServers::at(&[self.address])
    }

    fn fetcher(&self, limits: Limits) -> Fetcher {
        Fetcher::new(limits).with_policy(outside()).with_resolver(Arc::new(self.resolver()))
    }

    fn asked(&self, name: &str, kind: u16) -> usize {
        self.asked.lock().unwrap().get(&(name.to_owned(), kind)).copied().unwrap_or(0)
    }
}

/// Those of one family.
fn only(kind: u16, addresses: &[IpAddr]) -> Vec<IpAddr> {
    addresses.iter().copied().filter(|address| address.is_ipv4() == (kind == A)).collect()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

#[test]
fn both_families_are_asked_for_and_the_sixth_version_is_first() {
    let server = NameServer::of(&[OUTSIDE, V6]);
    assert_eq!(server.resolver().resolve("a.test", soon()), Ok(vec![V6, OUTSIDE]));
    assert!(server.asked("a.test", A) > 0 && server.asked("a.test", AAAA) > 0);
    assert_eq!(server.resolver().resolve("b.test.", soon()), Ok(vec![V6, OUTSIDE]));
    assert!(server.asked("b.test", A) > 0, "without the dot");
}

#[test]
fn a_name_that_is_not_there_and_one_without_addresses_are_no_such_name() {
    for code in [3, 0] {
        let server = NameServer::new(move |_, _| Does::Says(code, vec![]));
        let said = server.resolver().resolve("a.test", soon());
        assert_eq!(said, Err(NetError::NoSuchName), "code {code}");
        let error = server.fetcher(limits()).fetch("http://a.test/").unwrap_err();
        assert!(
            matches!(&error, FetchError::Network { error: NetError::NoSuchName, .. }),
            "{error}"
        );
    }
}

#[test]
fn a_server_that_fails_is_not_a_name_that_is_not_there() {
    let server = NameServer::new(|_, _| Does::Says(2, vec![]));
    let said = server.resolver().resolve("a.test", soon()).unwrap_err();
    assert!(matches!(&said, NetError::Resolver(words) if words.contains("SERVFAIL")), "{said}");
    let good = NameServer::of(&[OUTSIDE]);
    let both = NameServers::at(&[server.address, good.address]);
    assert_eq!(both.resolve("a.test", soon()), Ok(vec![OUTSIDE]), "the next one is asked");
    let gone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    assert_eq!(NameServers::at(&[gone, good.address]).resolve("a.test", soon()), Ok(vec![OUTSIDE]));
    assert!(NameServers::at(&[]).resolve("a.test", soon()).is_err());
}

#[test]
fn a_server_that_drops_one_family_costs_the_other_a_moment_only() {
    for dropped in [A, AAAA] {
        let server = NameServer::new(move |_, kind| match kind == dropped {
            true => Does::Drops,
            false => Does::Says(0, only(kind, &[OUTSIDE, V6])),
        });
        let began = Instant::now();
        let said = server.resolver().resolve("a.test", soon());
        assert_eq!(said, Ok(vec![if dropped == A { V6 } else { OUTSIDE }]));
        // It took the whole deadline.
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
}

#[test]
fn a_question_that_is_lost_is_asked_again_before_the_server_is_given_up() {
    let lost = AtomicUsize::new(0);
    let server = NameServer::new(move |_, kind| match lost.fetch_add(1, Ordering::Relaxed) {
        // One of each family.
        0 | 1 => Does::Drops,
        _ => Does::Says(0, only(kind, &[OUTSIDE])),
    });
    let began = Instant::now();
    assert_eq!(server.resolver().resolve("a.test", soon()), Ok(vec![OUTSIDE]));
    // To give it up takes five seconds.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn an_answer_that_does_not_fit_is_asked_for_by_tcp() {
    let server = NameServer::new(|_, kind| Does::ByTcp(only(kind, &[OUTSIDE; 40])));
    assert_eq!(server.resolver().resolve("a.test", soon()), Ok(vec![OUTSIDE; 40]));
}

/// It took five seconds, or the whole deadline.
#[test]
fn a_family_whose_answer_does_not_fit_and_never_comes_costs_the_other_a_moment_only() {
    for cut in [A, AAAA] {
        for by_tcp in [false, true] {
            let server = NameServer::new(move |_, kind| match (kind == cut, by_tcp) {
                (true, _) => Does::Cuts,
                (false, true) => Does::ByTcp(only(kind, &[OUTSIDE, V6])),
                (false, false) => Does::Says(0, only(kind, &[OUTSIDE, V6])),
            });
            let began = Instant::now();
            let said = server.resolver().resolve("a.test", soon());
            assert_eq!(said, Ok(vec![if cut == A { V6 } else { OUTSIDE }]));
            assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        }
    }
}

#[test]
fn a_family_whose_answer_does_not_fit_is_there_if_it_comes_soon() {
    let server = NameServer::new(|_, kind| match kind {
        AAAA => Does::ByTcp(vec![V6; 40]),
        _ => Does::Says(0, vec![OUTSIDE]),
    });
    // A busy machine is late now and then.
    let both = |_| {
        let said = server.resolver().resolve("a.test", soon()).unwrap();
        assert_eq!(said.last(), Some(&OUTSIDE));
        said.len() == 41
    };
    assert!((0..100).any(both), "it never came in time");
}

#[test]
fn where_nobody_answers_by_tcp_the_name_is_not_resolved() {
    let server = NameServer::new(|_, _| Does::Cuts);
    let deadline = Instant::now() + Duration::from_millis(300);
    assert_eq!(server.resolver().resolve("a.test", deadline), Err(NetError::TimedOut));
    assert!(Instant::now() >= deadline, "it did not wait");
}

#[test]
fn what_is_no_answer_to_the_question_is_passed_over() {
    let server =
        NameServer::new(|_, kind| Does::LiesFirst(only(kind, &[INSIDE]), only(kind, &[OUTSIDE])));
    assert_eq!(server.resolver().resolve("a.test", soon()), Ok(vec![OUTSIDE]));
}

#[test]
fn an_address_inside_in_either_familys_answer_refuses_the_name() {
    let target = Server::answering(ok("secret"));
    for addresses in [[OUTSIDE, INSIDE], [OUTSIDE, IpAddr::V6(Ipv6Addr::LOCALHOST)]] {
        let server = NameServer::of(&addresses);
        let error = server.fetcher(limits()).fetch(&target.url("/")).unwrap_err();
        assert!(matches!(&error, FetchError::Refused { .. }), "{error}");
    }
    assert_eq!(target.connections(), 0);
    assert_eq!(
        NameServer::of(&[OUTSIDE]).fetcher(limits()).fetch(&target.url("/")).unwrap().bytes,
        b"secret"
    );
}

/// Sixty-four of them stopped all who came after for ten seconds.
#[test]
fn names_of_a_silent_server_hold_up_nobody_else() {
    let server = NameServer::new(|name, kind| match name.ends_with("silent.test") {
        true => Does::Drops,
        false => Does::Says(0, only(kind, &[OUTSIDE])),
    });
    let timeout = Duration::from_secs(8);
    let hang = |n: usize| {
        let fetcher = server.fetcher(Limits { timeout, ..limits() });
        thread::spawn(move || fetcher.fetch(&format!("http://{n}.silent.test/")))
    };
    let hanging: Vec<_> = (0..2 * SystemResolver::MOST).map(hang).collect();
    let target = Server::answering(ok("cat"));
    let began = Instant::now();
    let fetched = server.fetcher(limits()).fetch(&target.url("/"));
    assert_eq!(fetched.unwrap().bytes, b"cat");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    for hanging in hanging {
        let error = hanging.join().unwrap().unwrap_err();
        assert!(error.is_timed_out(), "{error}");
    }
}

#[test]
fn the_hosts_own_names_are_known_without_a_server() {
    let nobody = NameServers::at(&[]);
    for name in ["localhost", "a.localhost", "localhost."] {
        let said = nobody.resolve(name, soon()).unwrap();
        assert!(!said.is_empty() && said.iter().all(IpAddr::is_loopback), "{name}");
    }
    assert!(nobody.resolve("xlocalhost", soon()).is_err());
}

#[test]
fn black_holes_cost_a_quarter_of_a_second_each() {
    let holes = [[127, 0, 0, 5], [127, 0, 0, 6], [127, 0, 0, 7]].map(IpAddr::from);
    let black = BlackHoles::beside(OUTSIDE, &holes);
    let (port, listener) = (black.port, black.listener.try_clone().unwrap());
    let answers = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]);
        stream.write_all(ok("cat").as_bytes()).unwrap();
    });
    let mut net = OsNet::new(Duration::from_secs(60));
    let others: Vec<_> = [holes[1], holes[2], OUTSIDE].map(|ip| (ip, port).into()).to_vec();
    let began = Instant::now();
    let (at, connected) = net.connect_any((holes[0], port).into(), &others);
    let took = began.elapsed();
    assert_eq!((at, net.peer(&connected.unwrap())), (3, Ok((OUTSIDE, port).into())));
    // Three seconds each, it was.
    assert!(took >= 3 * OsNet::CONNECT_DELAY && took < Duration::from_secs(3), "{took:?}");
    answers.join().unwrap();

    let timeout = Duration::from_millis(200);
    let mut net = OsNet::new(Duration::from_secs(60)).with_connect_timeout(timeout);
    let began = Instant::now();
    let (at, connected) = net.connect_any((holes[0], port).into(), &others[..2]);
    assert_eq!((at, connected.unwrap_err()), (2, NetError::TimedOut));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());

    let mut net = OsNet::new(Duration::from_millis(300));
    let began = Instant::now();
    let (_, connected) = net.connect_any((holes[0], port).into(), &others[..2]);
    assert_eq!(connected.unwrap_err(), NetError::TimedOut, "the deadline is for all of them");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

/// A quarter of a second each, it was, as long as the first one was waited for.
#[test]
fn an_address_that_refuses_costs_nothing_beside_one_that_is_silent() {
    let hole = IpAddr::from([127, 0, 0, 5]);
    let black = BlackHoles::beside(OUTSIDE, &[hole]);
    let port = black.port;
    // Nobody listens at any of these.
    let refusing = (1..=20).map(|last| IpAddr::from([127, 0, 9, last]));
    let others: Vec<_> = refusing.chain([OUTSIDE]).map(|ip| (ip, port).into()).collect();
    let mut net = OsNet::new(Duration::from_secs(60)).with_connect_timeout(Duration::from_secs(20));
    let began = Instant::now();
    let (at, connected) = net.connect_any((hole, port).into(), &others);
    let took = began.elapsed();
    assert_eq!((at, net.peer(&connected.unwrap())), (21, Ok((OUTSIDE, port).into())));
    assert!(took >= OsNet::CONNECT_DELAY && took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn an_address_that_is_not_judged_is_in_no_race() {
    let (inside, outside) = (Server::at(INSIDE, |_, _| Ok(())), Server::answering(ok("cat")));
    let names = NameServer::of(&[OUTSIDE, OUTSIDE, INSIDE]);
    for server in [&inside, &outside] {
        let error = names.fetcher(limits()).fetch(&server.url("/")).unwrap_err();
        assert!(matches!(error, FetchError::Refused { .. }), "{error}");
    }
    assert_eq!((inside.connections(), outside.connections()), (0, 0));
}
