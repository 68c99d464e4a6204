//! What ships, in networks that break their word. What it proves rests on the connection
//! leading where it was asked to, and on nobody following redirects by themselves: without these it is
//! found broken, by the same properties.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use toctou::calls::untold;
use toctou::check::{Start, System};
use toctou::direct::{Code, Connections};
use toctou::fetch::{Ask, FetchError, Fetched, Rules, fetch};
use toctou::net::{
    NetError, Network, Page, Policy, Request, Response, Scripted, SimConnection, SimNet, Visit,
};

const EVIL: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const VAULT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// How a network breaks its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mistake {
    /// None: the control of this control.
    None,
    /// To connect to an address it resolves the last name once more.
    ResolvesAgain,
    /// It follows a redirect and answers with what is there.
    FollowsRedirects,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Broken {
    net: SimNet,
    mistake: Mistake,
    asked: Option<String>,
}

impl Network for Broken {
    type Connection = SimConnection;

    fn resolve(&mut self, name: &str) -> Result<Vec<IpAddr>, NetError> {
        self.asked = Some(name.to_owned());
        self.net.resolve(name)
    }

    fn connect(&mut self, to: SocketAddr) -> Result<SimConnection, NetError> {
        let to = match (self.mistake, &self.asked) {
            (Mistake::ResolvesAgain, Some(name)) => {
                // It does so behind the caller's back, and says nothing of it.
                let addresses = untold(|| self.net.resolve(name))?;
                let first = addresses.first().copied();
                SocketAddr::new(first.unwrap_or(to.ip()), to.port())
            }
            _ => to,
        };
        self.net.connect(to)
    }

    fn peer(&self, connection: &SimConnection) -> Result<SocketAddr, NetError> {
        self.net.peer(connection)
    }

    fn send(&mut self, connection: &mut SimConnection, request: &Request) -> Result<(), NetError> {
        self.net.send(connection, request)
    }

    fn receive(&mut self, connection: SimConnection, limit: u64) -> Result<Response, NetError> {
        let response = self.net.receive(connection, limit)?;
        let Some(to) = response.redirect().filter(|_| self.mistake == Mistake::FollowsRedirects)
        else {
            return Ok(response);
        };
        let url = to.parse().map_err(|_| NetError::NoSuchName)?;
        let request = Request::new(toctou::net::Method::Get, url);
        // It does so behind the caller's back, and says nothing of it.
        untold(|| {
            let mut connection = self.net.connect(SocketAddr::new(VAULT, 80))?;
            self.net.send(&mut connection, &request)?;
            self.net.receive(connection, limit)
        })
    }
}

impl Scripted for Broken {
    fn bind(&mut self, name: &str, addresses: &[IpAddr]) {
        self.net.bind(name, addresses);
    }

    fn serve(&mut self, server: IpAddr, page: &Page) {
        self.net.serve(server, page);
    }

    fn listen(&mut self, server: IpAddr, listens: bool) {
        self.net.listen(server, listens);
    }
}

/// What ships, or an attacker, who ends with nothing.
type Anybody = Code<Connections<SimConnection>, Option<Result<Fetched, FetchError>>>;

fn system(mistake: Mistake) -> System<Broken, Anybody> {
    let policy = Policy::public().allowing(EVIL);
    let rules = Rules { policy, bytes: 64, redirects: 3, https_only: false };
    let rules = Arc::new(rules);
    let download: Anybody = Code::network(move |net| {
        Some(fetch(net, "http://evil.example/", Ask::get(), rules.clone()))
    });
    let rebinds = Code::network(|net| {
        net.bind("evil.example", &[VAULT]);
        None
    });
    let redirects = Code::network(|net| {
        net.serve(EVIL, &Page::redirect("http://127.0.0.3/"));
        None
    });
    let net = SimNet::new()
        .with_name("evil.example", &[EVIL])
        .with_server(EVIL, Page::text("cat"))
        .with_server(VAULT, Page::text("key"));
    let world = Broken { net, mistake, asked: None };
    let attacks = [("rebinds", rebinds), ("redirects", redirects)];
    let starts = attacks.map(|(name, attacker)| Start {
        name: name.to_owned(),
        world: world.clone(),
        processes: vec![download.clone(), attacker],
    });
    System::family(&["service", "attacker"], starts.into())
        .always("no-internal-request", |state| {
            !state.world().net.visits(VAULT).iter().any(Visit::is_request)
        })
        .reachable("honest-fetch-works", |state| {
            state.outputs().any(|told| matches!(told, Some(Ok(fetched)) if fetched.bytes == b"cat"))
        })
}

#[test]
fn in_a_network_that_keeps_its_word_nothing_internal_is_reached() {
    system(Mistake::None).assert_holds();
}

#[test]
fn a_client_that_resolves_the_name_again_is_found_out() {
    let report = system(Mistake::ResolvesAgain).assert_breaks("no-internal-request");
    assert!(report.exhaustive());
}

#[test]
fn a_client_that_follows_redirects_by_itself_is_found_out() {
    let report = system(Mistake::FollowsRedirects).assert_breaks("no-internal-request");
    assert!(report.exhaustive());
}
