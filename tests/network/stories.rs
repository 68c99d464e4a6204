//! Short stories, told in the simulation and on loopback.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use toctou::net::{LoopbackNet, Method, Page, SimNet, Visit};

use super::on_loopback;
use super::play::{Stage, Told, World};
use super::program::{Act, Turn, address, furnished, mapped, unspecified};

/// A turn of which only one part matters.
fn turn() -> Turn {
    let to = SocketAddr::new(address(2), 80);
    let request = (Method::Get, "http://a.example/");
    Turn { hangs_up: false, strays: false, resolve: None, to, request, limit: 1_000 }
}

fn resolve(who: usize, name: &'static str) -> Act {
    Act::Client(who, Turn { resolve: Some(name), ..turn() })
}

fn connect(who: usize, to: IpAddr) -> Act {
    Act::Client(who, Turn { to: SocketAddr::new(to, 80), ..turn() })
}

fn send(who: usize, method: Method, url: &'static str) -> Act {
    Act::Client(who, Turn { request: (method, url), ..turn() })
}

fn receive(who: usize, limit: u64) -> Act {
    Act::Client(who, Turn { limit, ..turn() })
}

/// Asserts that these acts are told so, in both worlds; answers with what the last of them came to.
fn assert_story(story: &[(Act, &str)]) -> Told {
    let simulated = told(furnished(), story);
    let real = told(on_loopback(&furnished()), story);
    assert_eq!(simulated, real);
    real
}

fn told(world: impl World, story: &[(Act, &str)]) -> Told {
    let mut stage = Stage::new(world);
    let told: Vec<Told> = story.iter().map(|(act, _)| stage.act(act)).collect();
    let labels: Vec<_> = told.iter().map(|told| told.labels.join("; ")).collect();
    let expected: Vec<_> = story.iter().map(|(_, label)| *label).collect();
    assert_eq!(labels, expected);
    told.into_iter().last().expect("a story")
}

/// What reached a server.
fn seen(told: &Told, server: IpAddr) -> &[Visit] {
    let (_, visits) = told.servers.iter().find(|(at, _)| *at == server).expect("a server");
    visits
}

fn asked(method: Method, host: &str, path: &str) -> Visit {
    Visit::Asked(method, host.into(), path.into())
}

#[test]
fn a_page_is_what_it_is_when_the_client_comes_to_receive_it() {
    let told = assert_story(&[
        (resolve(0, "a.example"), "resolve(a.example) = 127.0.0.2"),
        (connect(0, address(2)), "connect(127.0.0.2:80) = ok"),
        (Act::Serve(address(2), Page::redirect("/x")), "serve 302 → /x at 127.0.0.2"),
        (send(0, Method::Get, "http://a.example/y"), "send(GET http://a.example/y) = ok"),
        (Act::Serve(address(2), Page::text("late")), "serve 200 \"late\" at 127.0.0.2"),
        (receive(0, 4), "receive = 200 \"late\""),
    ]);
    let visits = [Visit::Connected, asked(Method::Get, "a.example", "/y")];
    assert_eq!(seen(&told, address(2)), visits);
    let mut others = told.servers.iter().filter(|(at, _)| *at != address(2));
    assert!(others.all(|(_, visits)| visits.is_empty()));
}

#[test]
fn an_ipv4_server_is_reached_by_its_address_in_ipv6() {
    let told = assert_story(&[
        (connect(0, mapped(3)), "connect([::ffff:127.0.0.3]:80) = ok"),
        (
            send(0, Method::Head, "http://[::ffff:127.0.0.3]/"),
            "send(HEAD http://[::ffff:7f00:3]/) = ok",
        ),
        (receive(0, 0), "receive = 200"),
    ]);
    let visits = [Visit::Connected, asked(Method::Head, "[::ffff:7f00:3]", "/")];
    assert_eq!(seen(&told, address(3)), visits);
}

#[test]
fn an_address_that_is_none_leads_to_the_host_itself() {
    let [v4, mapped, v6] = &unspecified()[..] else { panic!("three of them") };
    let told = assert_story(&[
        (connect(0, *v4), "connect(0.0.0.0:80) = ok"),
        (send(0, Method::Get, "http://0.0.0.0/"), "send(GET http://0.0.0.0/) = ok"),
        (receive(0, 9), "receive = 200 \"one\""),
        (connect(0, *mapped), "connect([::ffff:0.0.0.0]:80) = ok"),
        (connect(1, *v6), "connect([::]:80) = ECONNREFUSED"),
    ]);
    let visits = [Visit::Connected, asked(Method::Get, "0.0.0.0", "/"), Visit::Connected];
    assert_eq!(seen(&told, address(1)), visits);
}

#[test]
fn a_connection_is_for_one_request_and_answers_nobody_who_did_not_ask() {
    let stray = |who| Act::Client(who, Turn { strays: true, ..turn() });
    let told = assert_story(&[
        (connect(0, address(2)), "connect(127.0.0.2:80) = ok"),
        (send(0, Method::Get, "https://a.example/"), "send(GET https://a.example/) = TLS failed"),
        (send(0, Method::Get, "http://a.example/"), "send(GET http://a.example/) = not HTTP"),
        (stray(0), "receive = timed out"),
        (connect(1, address(2)), "connect(127.0.0.2:80) = ok"),
        (send(1, Method::Get, "http://a.example/"), "send(GET http://a.example/) = ok"),
        (stray(1), "send(GET http://a.example/) = not HTTP"),
        (receive(1, 9), "receive = 200 \"two\""),
    ]);
    let visits = [Visit::Connected, Visit::Connected, asked(Method::Get, "a.example", "/")];
    assert_eq!(seen(&told, address(2)), visits);
}

#[test]
fn a_server_that_refuses_answers_whom_it_had_accepted() {
    assert_story(&[
        (connect(0, address(2)), "connect(127.0.0.2:80) = ok"),
        (Act::Listen(address(2), false), "refuse connections at 127.0.0.2"),
        (connect(1, address(2)), "connect(127.0.0.2:80) = ECONNREFUSED"),
        (send(0, Method::Get, "http://a.example/"), "send(GET http://a.example/) = ok"),
        (receive(0, 2), "receive = too large"),
        (Act::Listen(address(2), true), "accept connections at 127.0.0.2"),
        (connect(1, address(2)), "connect(127.0.0.2:80) = ok"),
        (connect(0, address(2)), "connect(127.0.0.2:80) = ok"),
    ]);
}

#[test]
fn what_a_fragment_says_stays_with_the_client() {
    let told = assert_story(&[
        (connect(0, address(2)), "connect(127.0.0.2:80) = ok"),
        (send(0, Method::Get, "http://a.example/y?z#t"), "send(GET http://a.example/y?z#t) = ok"),
    ]);
    assert_eq!(seen(&told, address(2))[1], asked(Method::Get, "a.example", "/y?z"));
}

#[test]
fn nobody_is_reached_who_is_not_on_loopback() {
    assert_story(&[
        (connect(0, [192, 0, 2, 1].into()), "connect(192.0.2.1:80) = ECONNREFUSED"),
        (connect(0, address(9)), "connect(127.0.0.9:80) = ECONNREFUSED"),
    ]);
    let elsewhere = SimNet::new().with_server([192, 0, 2, 1].into(), Page::text(""));
    let error = LoopbackNet::furnished(&elsewhere).err().expect("refused");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), "192.0.2.1 is not an address of the loopback interface");
}

#[test]
fn two_networks_with_the_same_addresses_do_not_meet() {
    let mut there = Stage::new(on_loopback(&furnished()));
    let mut here = Stage::new(on_loopback(&furnished()));
    let refuse = Act::Listen(address(3), false);
    here.act(&refuse);
    let accepted = there.act(&connect(0, address(3)));
    assert_eq!(accepted.labels, ["connect(127.0.0.3:80) = ok"]);
    let refused = here.act(&connect(0, address(3)));
    assert_eq!(refused.labels, ["connect(127.0.0.3:80) = ECONNREFUSED"]);
    assert!(refused.servers.iter().all(|(_, visits)| visits.is_empty()));
}
