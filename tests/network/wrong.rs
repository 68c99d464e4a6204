//! The comparison is able to fail: worlds that are wrong in one way each are found out.

use std::net::{IpAddr, SocketAddr};

use proptest::test_runner::TestError;
use toctou::net::{
    Headers, Method, NetError, Network, Page, Request, Response, Scripted, SimConnection, SimNet,
    Visit,
};

use super::play::World;
use super::tally::Tally;
use super::{CASES, on_loopback, search, seed};

/// In what a [`Wrong`] world differs from `SimNet`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    /// A request reaches the server when its answer is received.
    SeenAtReceive,
    /// A server decides what to answer when it is asked.
    PageAtSend,
    /// A server decides what to answer when somebody connects.
    PageAtConnect,
    /// IPv4 servers are not reached by IPv6 addresses.
    MappedLeadsNowhere,
    /// Who refuses connections accepts them.
    NobodyRefuses,
    /// Who stops to accept connections closes those that there are.
    RefusingClosesAll,
    /// That somebody connects goes unnoticed.
    UnseenConnections,
    /// A server listens on every port.
    EveryPort,
    /// A connection by an IPv6 address is told to be one by IPv4.
    CanonicalPeer,
    /// A name keeps the addresses that it had.
    BindAdds,
    /// One byte more than the limit is no byte too many.
    OneByteMore,
    /// The answer to `HEAD` has a body.
    HeadHasBody,
    /// A body has no type.
    NoContentType,
    /// Servers speak TLS.
    SpeaksTls,
    /// The address that is none leads nowhere.
    UnspecifiedLeadsNowhere,
    /// A connection takes a second request.
    TakesTwoRequests,
    /// Who asked for nothing is answered.
    AnswersUnasked,
    /// A name's addresses are said as often as they were bound.
    SaysTwice,
}

/// A world that is wrong.
struct Wrong {
    net: SimNet,
    mistake: Mistake,
}

struct Connection {
    inner: SimConnection,
    request: Option<Request>,
    /// The server's page when that was decided.
    page: Option<Page>,
}

impl Wrong {
    /// What the server at the other end would answer now.
    fn page(&self, connection: &SimConnection) -> Option<Page> {
        let peer = self.net.peer(connection).ok()?;
        self.net.page(peer.ip()).cloned()
    }

    fn is(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }
}

impl Network for Wrong {
    type Connection = Connection;

    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        let mut addresses = self.net.resolve(name)?;
        if self.is(Mistake::SaysTwice) {
            addresses.extend(addresses.clone());
        }
        Ok(addresses)
    }

    fn connect(&mut self, mut to: SocketAddr) -> Result<Connection, NetError> {
        let is_none = to.ip().to_canonical().is_unspecified();
        if self.is(Mistake::UnspecifiedLeadsNowhere) && is_none
            || self.is(Mistake::MappedLeadsNowhere) && to.is_ipv6()
        {
            return Err(NetError::Os(toctou::fs::Errno::CONNREFUSED));
        }
        if self.is(Mistake::EveryPort) {
            to.set_port(80);
        }
        let listens = self.net.has_server(to.ip()) && self.net.listens(to.ip());
        if self.is(Mistake::NobodyRefuses) {
            self.net.listen(to.ip(), true);
        }
        let connected = self.net.connect(to);
        self.net.listen(to.ip(), listens);
        let inner = connected?;
        let page = self.page(&inner).filter(|_| self.is(Mistake::PageAtConnect));
        Ok(Connection { inner, request: None, page })
    }

    fn peer(&self, connection: &Connection) -> Result<SocketAddr, NetError> {
        let peer = self.net.peer(&connection.inner)?;
        Ok(match self.is(Mistake::CanonicalPeer) {
            true => SocketAddr::new(peer.ip().to_canonical(), peer.port()),
            false => peer,
        })
    }

    fn send(&mut self, connection: &mut Connection, request: &Request) -> Result<(), NetError> {
        if self.is(Mistake::TakesTwoRequests) && connection.request.is_some() {
            return Ok(());
        }
        let mut request = request.clone();
        if self.is(Mistake::SpeaksTls) {
            let _ = request.url.set_scheme("http");
        }
        if self.is(Mistake::PageAtSend) {
            connection.page = self.page(&connection.inner);
        }
        // Whether it can be sent at all.
        self.net.clone().send(&mut connection.inner.clone(), &request)?;
        if !self.is(Mistake::SeenAtReceive) {
            self.net.send(&mut connection.inner, &request)?;
        }
        connection.request = Some(request);
        Ok(())
    }

    fn receive(&mut self, connection: Connection, limit: u64) -> Result<Response, NetError> {
        let Connection { mut inner, request, page } = connection;
        let server = self.net.peer(&inner)?.ip();
        let Some(mut request) = request else {
            return match self.is(Mistake::AnswersUnasked) {
                true => Ok(Response { status: 200, headers: Headers::new(), body: vec![] }),
                false => Err(NetError::TimedOut),
            };
        };
        if self.is(Mistake::RefusingClosesAll) && !self.net.listens(server) {
            return Err(NetError::Os(toctou::fs::Errno::CONNRESET));
        }
        if self.is(Mistake::SeenAtReceive) {
            self.net.send(&mut inner, &request)?;
        }
        if self.is(Mistake::HeadHasBody) && request.method == Method::Head {
            request.method = Method::Get;
            // Another connection, that nobody sees.
            let mut aside = self.net.clone();
            aside.listen(server, true);
            inner = aside.connect(SocketAddr::new(server, 80))?;
            aside.send(&mut inner, &request)?;
        }
        let now = self.net.page(server).cloned();
        if let Some(then) = page {
            self.net.serve(server, &then);
        }
        let limit = if self.is(Mistake::OneByteMore) { limit + 1 } else { limit };
        let received = self.net.receive(inner, limit);
        if let Some(now) = now {
            self.net.serve(server, &now);
        }
        received.map(|response| match self.is(Mistake::NoContentType) {
            true => Response { headers: Headers::new(), ..response },
            false => response,
        })
    }
}

impl Scripted for Wrong {
    fn bind(&mut self, name: &str, addresses: &[IpAddr]) {
        let had = match self.is(Mistake::BindAdds) {
            true => self.net.resolve(name).unwrap_or_default(),
            false => Vec::new(),
        };
        self.net.bind(name, &[&had, addresses].concat());
    }

    fn serve(&mut self, server: IpAddr, page: &Page) {
        self.net.serve(server, page);
    }

    fn listen(&mut self, server: IpAddr, listens: bool) {
        self.net.listen(server, listens);
    }
}

impl World for Wrong {
    fn servers(&self) -> Vec<(IpAddr, Vec<Visit>)> {
        let mut servers = World::servers(&self.net);
        if self.is(Mistake::UnseenConnections) {
            servers.iter_mut().for_each(|(_, visits)| visits.retain(Visit::is_request));
        }
        servers
    }
}

/// Asserts that the search finds the mistake: against the simulation itself, and on loopback.
fn assert_found(mistake: Mistake) {
    let tally = Tally::default();
    let by_itself =
        search((seed(2), CASES), &tally, |net| (Wrong { net: net.clone(), mistake }, net));
    let by_sockets = search((seed(3), CASES), &tally, |net| {
        let real = on_loopback(&net);
        (Wrong { net, mistake }, real)
    });
    for found in [by_itself, by_sockets] {
        match found {
            Err(TestError::Fail(difference, program)) => {
                println!("{mistake:?}: {difference}\n{program:?}");
            }
            other => panic!("{mistake:?} was not found: {other:?}"),
        }
    }
}

#[test]
fn a_world_in_which_a_request_arrives_with_its_answer_is_found_out() {
    assert_found(Mistake::SeenAtReceive);
}

#[test]
fn a_world_whose_servers_decide_when_they_are_asked_is_found_out() {
    assert_found(Mistake::PageAtSend);
}

#[test]
fn a_world_whose_servers_decide_when_somebody_connects_is_found_out() {
    assert_found(Mistake::PageAtConnect);
}

#[test]
fn a_world_in_which_mapped_addresses_lead_nowhere_is_found_out() {
    assert_found(Mistake::MappedLeadsNowhere);
}

#[test]
fn a_world_in_which_nobody_refuses_is_found_out() {
    assert_found(Mistake::NobodyRefuses);
}

#[test]
fn a_world_whose_servers_close_every_connection_when_they_refuse_is_found_out() {
    assert_found(Mistake::RefusingClosesAll);
}

#[test]
fn a_world_that_does_not_notice_who_connects_is_found_out() {
    assert_found(Mistake::UnseenConnections);
}

#[test]
fn a_world_whose_servers_listen_on_every_port_is_found_out() {
    assert_found(Mistake::EveryPort);
}

#[test]
fn a_world_that_tells_another_peer_is_found_out() {
    assert_found(Mistake::CanonicalPeer);
}

#[test]
fn a_world_whose_names_keep_their_addresses_is_found_out() {
    assert_found(Mistake::BindAdds);
}

#[test]
fn a_world_that_takes_one_byte_too_many_is_found_out() {
    assert_found(Mistake::OneByteMore);
}

#[test]
fn a_world_that_answers_head_with_a_body_is_found_out() {
    assert_found(Mistake::HeadHasBody);
}

#[test]
fn a_world_without_content_types_is_found_out() {
    assert_found(Mistake::NoContentType);
}

#[test]
fn a_world_whose_servers_speak_tls_is_found_out() {
    assert_found(Mistake::SpeaksTls);
}

#[test]
fn a_world_in_which_the_address_that_is_none_leads_nowhere_is_found_out() {
    assert_found(Mistake::UnspecifiedLeadsNowhere);
}

#[test]
fn a_world_that_takes_two_requests_by_one_connection_is_found_out() {
    assert_found(Mistake::TakesTwoRequests);
}

#[test]
fn a_world_that_answers_who_did_not_ask_is_found_out() {
    assert_found(Mistake::AnswersUnasked);
}

#[test]
fn a_world_that_says_an_address_twice_is_found_out() {
    assert_found(Mistake::SaysTwice);
}
