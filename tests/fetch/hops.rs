//! Redirects, and which hosts are connected to: each hop is judged, by the addresses that are used.

use std::net::{IpAddr, TcpListener};

use toctou::fetch::{Act, FetchError, Limits, MOST_ADDRESSES, TRIED_ADDRESSES, UrlFault};
use toctou::fs::Errno;
use toctou::net::{Block, NetError, Opening, Policy};

use crate::names::{Client, fetch, limits, net_error, outside};
use crate::server::{INSIDE, OUTSIDE, Server, ok, redirect};

/// What comes of a redirect to there.
fn redirected(to: &str) -> FetchError {
    let server = Server::answering(redirect(to));
    let error = fetch(&server.url("/start")).unwrap_err();
    assert_eq!(server.requests().len(), 1, "{error}");
    error
}

/// Which fault a URL has that nobody is asked about.
fn fault(error: &FetchError) -> &UrlFault {
    match error {
        FetchError::BadUrl { fault, .. } => fault,
        other => panic!("the URL is not at fault: {other}"),
    }
}

/// A server of which nobody is to know anything.
fn inside() -> Server {
    Server::at(INSIDE, |stream, reached| reached.request(stream).map(drop))
}

#[test]
fn redirects_are_followed_as_many_as_allowed_and_not_one_more() {
    let server = Server::responding(|_| redirect("/again"));
    for redirects in [0, 1, 5] {
        let before = server.requests().len();
        let client = Client::new(Limits { redirects, ..limits() });
        let error = client.fetch(&server.url("/")).unwrap_err();
        assert!(
            matches!(&error, FetchError::TooManyRedirects { hop, limit }
                if *limit == redirects && hop.number == redirects + 1),
            "{error}"
        );
        assert!(error.is_refusal());
        assert_eq!(server.requests().len() - before, redirects as usize + 1);
        assert_eq!(client.asked().len(), redirects as usize + 1, "each hop is resolved once");
    }
}

#[test]
fn a_redirect_leads_where_a_browser_would_go() {
    let server = Server::responding(|request| {
        let path = request.split(' ').nth(1).unwrap();
        match path {
            "/a/start" => redirect("next?q"),
            "/a/next?q" => redirect("//b.test:PORT/up/../c#part").replace("PORT", port(request)),
            "/c" => redirect("HTTP:/d\\e"),
            "/d/e" => ok("cat"),
            other => panic!("{other}"),
        }
    });
    fn port(request: &str) -> &str {
        let host = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
        host.rsplit_once(':').unwrap().1
    }
    let client = Client::new(limits());
    let fetched = client.fetch(&server.url("/a/start")).unwrap();
    assert_eq!(fetched.url.as_str(), format!("http://b.test:{}/d/e", server.port()));
    assert_eq!(client.asked(), ["a.test", "a.test", "b.test", "b.test"]);
}

#[test]
fn a_redirect_to_another_scheme_is_refused() {
    for to in ["file:///etc/passwd", "ftp://a.test/", "gopher://a.test/", "javascript:alert(1)"] {
        let error = redirected(to);
        let scheme = to.split(':').next().unwrap();
        assert_eq!(fault(&error), &UrlFault::Scheme(scheme.into()));
        let told = if scheme == "javascript" { "javascript:***" } else { to };
        assert_eq!(
            error.to_string(),
            format!("\"{told}\" (redirect 1) is not fetched: the scheme `{scheme}` is not allowed")
        );
    }
    for to in ["data:text/plain,cat", "ws://a.test/", "mailto:a@b.test", "blob:http://a.test/x"] {
        assert!(matches!(fault(&redirected(to)), UrlFault::Scheme(_)), "{to}");
    }
}

#[test]
fn a_redirect_with_a_user_name_or_a_password_is_refused_and_neither_is_told() {
    for to in [
        "http://u53r:p455@a.test/",
        "http://u53r@a.test/",
        "//:p455@a.test/",
        "ftp://u53r:p455@a.test/",
    ] {
        let error = redirected(to);
        let told = format!("{error} {error:?}");
        assert!(!told.contains("p455") && !told.contains("u53r"), "{told}");
        assert!(matches!(fault(&error), UrlFault::Credentials | UrlFault::Scheme(_)), "{error}");
    }
    // Not even where there is one redirect too many, and nobody looks at the URL.
    let server = Server::answering(redirect("http://u53r:p455@a.test/"));
    let error =
        Client::new(Limits { redirects: 0, ..limits() }).fetch(&server.url("/")).unwrap_err();
    let told = format!("{error} {error:?}");
    assert!(matches!(error, FetchError::TooManyRedirects { .. }), "{told}");
    assert!(!told.contains("p455") && !told.contains("u53r"), "{told}");
}

#[test]
fn a_word_before_a_colon_is_told_as_a_scheme_where_it_is_one() {
    let client = Client::new(limits());
    for (url, scheme) in [
        ("alice:pw@a.test", "***"),
        ("alice://a.test/", "***"),
        ("FTP://a.test/", "ftp"),
        ("ssh:alice@a.test", "ssh"),
    ] {
        let error = client.fetch(url).unwrap_err();
        assert_eq!(fault(&error), &UrlFault::Scheme(scheme.into()), "{url}");
        let told = format!("{error} {error:?} {}", error.public());
        assert!(told.contains(&format!("the scheme `{scheme}` is not allowed")), "{told}");
        assert!(!told.contains("alice") && !told.contains("pw"), "{told}");
    }
}

#[test]
fn a_password_in_what_is_no_url_is_not_told() {
    for url in [
        "http://u53r:p455@a.test:99999/",
        "http://u53r:p455@[bad/",
        "u53r:p455@a.test",
        "http:\\\\u53r:p455@a b/",
        "https://u53r:p4@55@a.test/",
        "u53r:p455//@a.test",
        "u53r:p455://x@a.test",
        " http://u53r:p455\n@a.test/",
        "http://u53r:p455%40a.test/",
        "http://u53r:p455\u{ff20}host/",
        "http://u53r:p455\u{fe6b}host/",
        "http://u53r:p455%EF%BC%A0host/",
        "http://u53r:p455%ef%b9%abhost/",
        "http://u53r:p455%2540host/",
        "http://u53r:p455%\n40host/",
        "http://u53r:p455\t%4\n0host/",
        "http://u53r:p455/",
        "http://u53r:5555555/",
        "http://u53r:p455%00@host/",
        "u53r:p455",
        "u53r:p455%40host",
        "ftp://u53r:p455@host/?p455",
        "//u53r:p455%40host/",
        "http://[u53r:p455]/",
        "http://host:99999/?p455#p455",
        "https:u53r:p455\u{fe6b}host",
    ] {
        let error = fetch(url).unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(matches!(error, FetchError::BadUrl { number: 0, .. }), "{told}");
        assert!(!told.contains("55"), "{told}");
    }
}

#[test]
fn an_error_is_one_short_line_whatever_the_url() {
    let long = "x".repeat(1_000_000);
    for url in ["a\nb\u{1b}[2J\u{202e}".to_owned(), format!("http://a.test/{long}"), long.clone()] {
        let error = fetch(&url).unwrap_err();
        let told = error.to_string();
        assert!(told.len() < 500 && told.chars().all(|char| (' '..='~').contains(&char)), "{told}");
        assert!(format!("{error:?}").len() < 600);
    }
    let server = Server::answering(redirect(&format!("/{}", "x".repeat(30_000))));
    let error = fetch(&server.url("/")).unwrap_err();
    assert_eq!(fault(&error), &UrlFault::TooLong);
    assert!(error.to_string().len() < 500, "{error}");
}

#[test]
fn relative_redirects_do_not_grow_for_ever() {
    let server = Server::responding(|_| redirect(&format!("{}/", "x".repeat(1000))));
    let client = Client::new(Limits { redirects: 100, ..limits() });
    let error = client.fetch(&server.url("/")).unwrap_err();
    assert_eq!(fault(&error), &UrlFault::TooLong);
    assert_eq!(error.hop(), 9);
}

#[test]
fn without_tls_nothing_is_fetched_if_so_told() {
    let server = Server::answering(ok("cat"));
    let client = Client::new(Limits { https_only: true, ..limits() });
    let error = client.fetch(&server.url("/")).unwrap_err();
    assert_eq!(fault(&error), &UrlFault::Scheme("http".into()));
    assert_eq!((server.connections(), client.asked().len()), (0, 0));
}

#[test]
fn a_name_with_one_address_that_is_not_public_is_refused_and_nobody_is_connected_to() {
    let (outside, inside) = (Server::answering(ok("cat")), inside());
    for addresses in [[OUTSIDE, INSIDE], [INSIDE, OUTSIDE]] {
        let client = Client::resolving(limits(), move |_, _| Ok(addresses.to_vec()));
        for server in [&outside, &inside] {
            let error = client.fetch(&server.url("/")).unwrap_err();
            assert!(
                matches!(&error, FetchError::Refused { hop, address, .. }
                    if hop.number == 0 && *address == INSIDE),
                "{error}"
            );
            let told = error.to_string();
            assert!(
                told.ends_with("its address 127.0.0.3 is not public (127.0.0.0/8, Loopback)"),
                "{told}"
            );
        }
    }
    assert_eq!((outside.connections(), inside.connections()), (0, 0));
}

#[test]
fn a_redirect_inside_is_refused_however_the_address_is_written() {
    let inside = inside();
    let port = inside.port();
    let hosts = [
        "127.0.0.3",
        "127.3",
        "2130706435",
        "0x7f000003",
        "0177.0.0.3",
        "0x7f.0.0.0x3",
        "127.0.0.3.",
        "%31%32%37.0.0.3",
        "１２７.0.0.3",
        "127。0。0。3",
        "[::ffff:127.0.0.3]",
        "[::ffff:7f00:3]",
        "[0:0::FFFF:127.0.0.3]",
        "inside.test",
    ];
    for host in hosts {
        let server = Server::answering(redirect(&format!("http://{host}:{port}/")));
        let client = Client::resolving(limits(), |name, _| {
            Ok(vec![if name == "inside.test" { INSIDE } else { OUTSIDE }])
        });
        let error = client.fetch(&server.url("/")).unwrap_err();
        assert!(
            matches!(&error, FetchError::Refused { hop, address, .. }
                if hop.number == 1 && address.to_canonical() == INSIDE),
            "{host}: {error}"
        );
    }
    assert_eq!(inside.connections(), 0);
}

#[test]
fn a_name_is_asked_for_once_a_hop_and_what_was_judged_is_connected_to() {
    let (inside, server) = (inside(), Server::answering(ok("cat")));
    let client =
        Client::resolving(limits(), |_, times| Ok(vec![if times == 0 { OUTSIDE } else { INSIDE }]));
    assert_eq!(client.fetch(&server.url("/")).unwrap().bytes, b"cat");
    assert_eq!(client.asked(), ["a.test"]);

    // The second time it is asked for, for a second hop, the answer is judged anew.
    let client =
        Client::resolving(limits(), |_, times| Ok(vec![if times == 0 { OUTSIDE } else { INSIDE }]));
    let server = Server::responding(move |_| redirect("/again"));
    let error = client.fetch(&server.url("/")).unwrap_err();
    assert!(matches!(&error, FetchError::Refused { hop, .. } if hop.number == 1), "{error}");
    assert_eq!((server.requests().len(), inside.connections()), (1, 0));
}

#[test]
fn an_address_that_refuses_is_followed_by_the_next_one() {
    let server = Server::answering(ok("cat"));
    let other = IpAddr::from([127, 0, 0, 4]);
    let policy = outside().opening(Opening::of(other).at(0..=u16::MAX));
    let client = Client::resolving(limits(), move |_, _| Ok(vec![other, other, OUTSIDE]));
    let fetched = client.fetcher.clone().with_policy(policy.clone()).fetch(&server.url("/"));
    assert_eq!(fetched.unwrap().address.ip(), OUTSIDE);

    let free = TcpListener::bind((other, 0)).unwrap().local_addr().unwrap();
    let client = Client::resolving(limits(), move |_, _| Ok(vec![OUTSIDE, other]));
    let url = format!("http://a.test:{}/", free.port());
    let error = client.fetcher.with_policy(policy).fetch(&url).unwrap_err();
    assert!(
        matches!(&error, FetchError::Network { act: Act::Connect(last), error, .. }
            if *last == free && *error == NetError::Os(Errno::CONNREFUSED)),
        "{error}"
    );
    let told = format!("{url} was not fetched: connecting to {free}: ECONNREFUSED");
    assert_eq!(error.to_string(), told);
}

/// Otherwise a name server could have one fetch knock at any number of doors.
#[test]
fn a_few_of_a_names_addresses_are_tried_and_a_name_with_very_many_is_refused() {
    let server = Server::answering(ok("cat"));
    let refusing = |count: u16| {
        (0..count).map(|at| IpAddr::from([127, 7, (at >> 8) as u8, (at & 0xff) as u8]))
    };
    let with = |count: u16| {
        let addresses: Vec<IpAddr> = refusing(count).chain([OUTSIDE]).collect();
        let others: Block = "127.7.0.0/16".parse().unwrap();
        let policy = outside().opening(Opening::of(others).at(0..=u16::MAX));
        let client = Client::resolving(limits(), move |_, _| Ok(addresses.clone()));
        client.fetcher.with_policy(policy).fetch(&server.url("/"))
    };
    let tried = u16::try_from(TRIED_ADDRESSES).unwrap();
    assert_eq!(with(tried - 1).unwrap().address.ip(), OUTSIDE);
    assert_eq!(net_error(with(tried)), NetError::Os(Errno::CONNREFUSED));
    let most = u16::try_from(MOST_ADDRESSES).unwrap();
    assert_eq!(net_error(with(most - 1)), NetError::Os(Errno::CONNREFUSED));
    let many = NetError::Resolver("it has more than 64 addresses".into());
    assert_eq!(net_error(with(most)), many);
    assert_eq!(net_error(with(u16::MAX)), many);
}

#[test]
fn a_host_that_nobody_could_resolve_is_no_host() {
    let long = format!("http://{}.test/", "a".repeat(64));
    for url in ["http://a..test/", "https://-a.test/", "http://a\".test/", "http://./", &long] {
        let error = fetch(url).unwrap_err();
        assert_eq!(fault(&error), &UrlFault::Host, "{error}");
    }
}

#[test]
fn a_name_that_resolves_to_nothing_is_an_error() {
    let client = Client::resolving(limits(), |_, _| Ok(Vec::new()));
    assert_eq!(net_error(client.fetch("http://a.test/")), NetError::NoSuchName);
    let client = Client::resolving(limits(), |_, _| Err(NetError::Resolver("no server".into())));
    let error = client.fetch("http://a.test/x").unwrap_err().to_string();
    let told = "http://a.test/x was not fetched: resolving its host: the name could not be resolved: no server";
    assert_eq!(error, told);
}

#[test]
fn a_location_that_is_no_url_is_an_error() {
    assert!(matches!(fault(&redirected("http://[bad/")), UrlFault::NotAUrl(_)));
    assert!(matches!(fault(&redirected("http://a.test:99999/")), UrlFault::NotAUrl(_)));
}

#[test]
fn a_location_in_another_alphabet_is_followed() {
    for (location, path) in [
        (&b"/\xff\xe4?\xfc"[..], "/%FF%E4?%FC"),
        ("/gr\u{fc}n?\u{fc}".as_bytes(), "/gr%C3%BCn?%C3%BC"),
    ] {
        let location = location.to_vec();
        let server = Server::at(OUTSIDE, move |stream, reached| {
            let request = reached.request(stream)?;
            let response = match request.starts_with("GET /start ") {
                true => [b"HTTP/1.1 302 Found\r\nLocation: ", &location[..], b"\r\n\r\n"].concat(),
                false => ok("cat").into_bytes(),
            };
            std::io::Write::write_all(stream, &response)
        });
        let fetched = fetch(&server.url("/start")).unwrap();
        assert_eq!(
            (fetched.bytes.as_slice(), fetched.url.as_str()),
            (&b"cat"[..], &*server.url(path))
        );
    }
}

#[test]
fn a_host_may_have_a_hyphen_at_a_labels_end() {
    let server = Server::answering(ok("cat"));
    for host in ["a-.test", "a.b--.test", "xn--a-.x-.test"] {
        match fetch(&format!("http://{host}:{}/", server.port())) {
            Ok(fetched) => assert_eq!(fetched.bytes, b"cat", "{host}"),
            // That is no name of IDNA.
            Err(error) => assert_eq!(host, "xn--a-.x-.test", "{error}"),
        }
    }
}

#[test]
fn a_query_stands_in_no_error() {
    let client = Client::resolving(limits(), |_, _| Err(NetError::NoSuchName));
    let server = Server::answering("HTTP/1.1 404 Not Found\r\n\r\n");
    let errors = [
        client.fetch("http://a.test/x?k3y").unwrap_err(),
        client.fetch("http://127.0.0.1/x?k3y").unwrap_err(),
        client.fetch("http://a.local/x?k3y").unwrap_err(),
        client.fetch("ftp://a.test/x?k3y").unwrap_err(),
        fetch(&server.url("/x?k3y")).unwrap_err(),
        redirected("http://127.0.0.1/x?k3y"),
        redirected("http://a.test:99999/x?k3y"),
        redirected("http://u:p@a.test/x?k3y"),
    ];
    for error in errors {
        let told = format!("{error} {error:?} {}", error.public());
        assert!(!told.contains("k3y"), "{told}");
    }
}

#[test]
fn who_gave_the_url_is_not_told_what_is_inside() {
    let inside = inside();
    let port = inside.port();
    let client = Client::resolving(limits(), |name, _| match name {
        "inside.test" => Ok(vec![INSIDE]),
        "closed.test" => Ok(vec![OUTSIDE]),
        _ => Err(NetError::NoSuchName),
    });
    let closed = TcpListener::bind((OUTSIDE, 0)).unwrap().local_addr().unwrap().port();
    let said = |url: &str| client.fetch(url).unwrap_err();
    let told = said(&format!("http://inside.test:{port}/")).to_string();
    assert!(told.contains("127.0.0.3"), "the operator is told: {told}");
    for url in [
        format!("http://inside.test:{port}/"),
        "http://gone.test/".to_owned(),
        format!("http://closed.test:{closed}/"),
        "http://127.0.0.3/".to_owned(),
        "http://intranet/".to_owned(),
        "http://vault.internal/".to_owned(),
    ] {
        assert_eq!(said(&url).public(), "the URL's host cannot be reached", "{url}");
    }
    assert_eq!(said("ftp://a.test/").public(), "the URL's scheme is not allowed");
    let server = Server::answering(redirect("ftp://vault.internal/"));
    let error = fetch(&server.url("/")).unwrap_err();
    assert_eq!(error.public(), "the URL leads to another one that cannot be fetched");
    assert_eq!(inside.connections(), 0);
}

#[test]
fn what_a_resolver_says_stays_one_line() {
    for error in [NetError::Resolver, NetError::Tls, NetError::Http] {
        let words = "a\u{1b}[2J\r\nb\u{202e}".into();
        let client =
            Client::resolving(limits(), move |_, _| Err(error(std::sync::Arc::clone(&words))));
        let error = client.fetch("http://a.test/").unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(told.chars().all(|char| (' '..='~').contains(&char)), "{told}");
    }
}

#[test]
fn special_names_are_refused_before_they_are_looked_up_unless_they_are_opened() {
    let server = Server::answering(ok("cat"));
    let port = server.port();
    let names = [
        "localhost",
        "a.localhost",
        "intranet",
        "intranet.",
        "printer.local",
        "PRINTER.LOCAL.",
        "vault.internal",
        "metadata.google.internal",
        "x.onion",
        "router.home.arpa",
        "nas.lan",
        "1.0.0.127.in-addr.arpa",
        "a.alt",
        "a.invalid",
        "a.corp",
    ];
    for name in names {
        let before = server.connections();
        let client = Client::new(limits());
        let error = client.fetch(&format!("http://{name}:{port}/")).unwrap_err();
        assert!(matches!(&error, FetchError::RefusedName { .. }), "{name}: {error}");
        assert!(error.is_refusal());
        assert_eq!((client.asked().len(), server.connections()), (0, before), "{name}");

        let start = Server::answering(redirect(&format!("http://{name}:{port}/")));
        let error = client.fetch(&start.url("/")).unwrap_err();
        assert!(matches!(&error, FetchError::RefusedName { hop, .. } if hop.number == 1), "{name}");
        assert_eq!(client.asked(), ["a.test"]);

        // By name, it is; and what address it has is judged still.
        let opened = outside().allowing_name(name.parse().unwrap());
        let client = Client::new(limits());
        let fetched =
            client.fetcher.with_policy(opened.clone()).fetch(&format!("http://{name}:{port}/"));
        assert_eq!(fetched.unwrap().bytes, b"cat", "{name}");
        let client = Client::resolving(limits(), |_, _| Ok(vec![INSIDE]));
        let error = client.fetcher.with_policy(opened).fetch(&format!("http://{name}:{port}/"));
        assert!(matches!(error, Err(FetchError::Refused { .. })), "{name}: {error:?}");
    }
    for name in ["local.test", "a.internal.test", "xlocal.test", "a.example", "notlocal.com"] {
        let url = format!("http://{name}:{port}/");
        assert_eq!(fetch(&url).unwrap().bytes, b"cat", "{name}");
    }
    let error = fetch("http://printer.local/").unwrap_err().to_string();
    let told = "http://printer.local/ is not fetched: its host is a special name \
                (.local, names of multicast DNS)";
    assert_eq!(error, told);
}

#[test]
fn an_address_is_open_at_the_ports_and_for_the_hosts_that_it_is_opened_for() {
    let server = Server::answering(ok("cat"));
    let (url, port) = (server.url("/"), server.port());
    let with =
        |policy: Policy, url: &str| Client::new(limits()).fetcher.with_policy(policy).fetch(url);
    let refused = |policy: Policy, url: &str, why: &str| {
        let error = with(policy, url).unwrap_err();
        assert!(matches!(error, FetchError::Refused { .. }), "{error}");
        assert!(error.to_string().ends_with(why), "{error}");
        assert_eq!(server.connections(), 0, "{error}");
    };
    let at = |ports| Policy::public().opening(Opening::of(OUTSIDE).at(ports));
    let elsewhere = format!("; allowed, but not at port {port})");
    refused(Policy::public().allowing(OUTSIDE), &url, &elsewhere);
    refused(at(0..=port - 1), &url, &elsewhere);
    let start = Server::answering(redirect(&url));
    let open = Policy::public().opening(Opening::of(OUTSIDE).at(start.port()..=start.port()));
    refused(open, &start.url("/"), &elsewhere);
    let called = Opening::of(OUTSIDE).at(port..=port).called("pictures.internal".parse().unwrap());
    let by_name = Policy::public().opening(called);
    refused(by_name.clone(), &url, "; allowed, but not for this host)");
    refused(
        by_name.clone(),
        &format!("http://{OUTSIDE}:{port}/"),
        "; allowed, but not for this host)",
    );

    assert_eq!(with(at(port..=port), &url).unwrap().bytes, b"cat");
    let named = format!("http://pictures.internal:{port}/");
    assert_eq!(with(by_name, &named).unwrap().bytes, b"cat");
}
