//! Responses: whole ones, and everything that is none.

use toctou::fetch::{Act, FetchError, Limits};
use toctou::net::NetError;

use crate::names::{Client, fetch, limits, net_error};
use crate::server::{Server, ok};

/// What comes of a server that answers with these bytes.
fn answered(response: &[u8]) -> Result<Vec<u8>, FetchError> {
    let server = Server::answering(response);
    fetch(&server.url("/")).map(|fetched| fetched.bytes)
}

/// What the error says that comes of it; nothing but HTTP is to blame.
fn refused(response: &[u8]) -> String {
    match answered(response) {
        Err(FetchError::Network { error: NetError::Http(words), act: Act::Receive(_), .. }) => {
            words.to_string()
        }
        other => panic!("{:?} gives {other:?}", String::from_utf8_lossy(response)),
    }
}

fn status(response: &str) -> u16 {
    match answered(response.as_bytes()) {
        Err(FetchError::Status { status, .. }) => status,
        other => panic!("{response:?} gives {other:?}"),
    }
}

#[test]
fn a_page_is_fetched_and_nothing_is_told_of_who_asks() {
    let server = Server::answering(ok("cat"));
    let client = Client::new(limits());
    let fetched = client.fetch(&server.url("/a/b?q=1%20#part")).unwrap();
    assert_eq!(fetched.bytes, b"cat");
    assert_eq!(fetched.content_type.as_deref(), Some("text/plain"));
    assert_eq!(fetched.address, server.address());
    assert_eq!(fetched.url.as_str(), server.url("/a/b?q=1%20"));

    let requests = server.requests();
    let [request] = &*requests else { panic!("{requests:?}") };
    let mut lines: Vec<_> = request.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "GET /a/b?q=1%20 HTTP/1.1");
    lines.sort();
    let host = format!("host: a.test:{}", server.port());
    let agent = format!("user-agent: toctou/{}", env!("CARGO_PKG_VERSION"));
    let rest = ["accept-encoding: identity", "accept: */*", "connection: close", &host, &agent];
    assert_eq!(lines, rest);
}

#[test]
fn a_body_may_be_framed_in_any_of_three_ways() {
    assert_eq!(answered(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ncat").unwrap(), b"cat");
    assert_eq!(answered(b"HTTP/1.1 200 OK\r\n\r\ncat").unwrap(), b"cat");
    assert_eq!(answered(b"HTTP/1.0 200 OK\r\n\r\ncat").unwrap(), b"cat");
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;x=y\r\nca\r\n1\r\nt\r\n";
    let ended = [chunked, &b"0\r\nTrailer: x\r\n\r\n"[..]].concat();
    assert_eq!(answered(&ended).unwrap(), b"cat");
    let abrupt = [chunked, &b"0\r\n"[..]].concat();
    assert_eq!(answered(&abrupt).unwrap(), b"cat", "the last chunk is the last one");
    let beyond = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ncat and dog";
    assert_eq!(answered(beyond).unwrap(), b"cat", "what comes after the body is not of it");
}

#[test]
fn a_body_that_ends_early_is_an_error_and_never_a_short_success() {
    let cut = "the response's body is cut short";
    assert_eq!(refused(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ncat"), cut);
    assert_eq!(refused(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"), cut);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in ["", "3", "3\r\n", "3\r\nca", "3\r\ncat", "3\r\ncat\r\n"] {
        assert_eq!(refused(format!("{chunked}{body}").as_bytes()), cut, "{body:?}");
    }
}

#[test]
fn what_is_not_http_is_an_error() {
    let no_start = "the response does not begin with `HTTP/1.`";
    for response in
        ["SSH-2.0-OpenSSH_9.9\r\n", "\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/2 200\r\n\r\n"]
    {
        assert_eq!(refused(response.as_bytes()), no_start, "{response:?}");
    }
    assert_eq!(refused(b""), "there is no response");
    assert_eq!(refused(b"HTTP/1.1 200 OK\r\nContent-"), "the response's head is cut short");
    assert_eq!(
        refused(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"),
        "the response's head is cut short"
    );
    for response in [
        "HTTP/1.1 2xx OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    ] {
        assert!(!refused(response.as_bytes()).is_empty());
    }
}

#[test]
fn a_body_in_disguise_is_refused() {
    let gzip =
        refused(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\ncat");
    assert!(gzip.contains("content-encoding") && gzip.contains("gzip"), "{gzip}");
    for encoding in ["gzip, chunked", "gzip", "chunked\r\nTransfer-Encoding: gzip"] {
        let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {encoding}\r\n\r\n0\r\n\r\n");
        let refused = refused(head.as_bytes());
        assert!(refused.contains("gzip"), "{refused}");
    }
    refused(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ncat\r\n0\r\n\r\n");
    let plain = b"HTTP/1.1 200 OK\r\nContent-Encoding: Identity\r\n\r\ncat";
    assert_eq!(answered(plain).unwrap(), b"cat");
}

#[test]
fn a_content_encoding_that_leaves_the_content_as_it_is_is_none() {
    for encoding in [
        "",
        "none",
        "None",
        "identity",
        "identity, identity",
        "utf-8",
        "UTF8",
        "ISO-8859-1",
        "binary",
        "8bit",
        "identity\r\nContent-Encoding: none",
        "windows-1252",
        "us-ascii",
    ] {
        let response = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: 3\r\n\r\ncat"
        );
        assert_eq!(answered(response.as_bytes()).unwrap(), b"cat", "{encoding:?}");
    }
    for (encoding, named) in [
        ("gzip", "`gzip`"),
        ("X-GZip", "`x-gzip`"),
        ("deflate", "`deflate`"),
        ("br", "`br`"),
        ("zstd", "`zstd`"),
        ("identity, gzip", "`gzip`"),
        ("none, br", "`br`"),
        ("p455", "something"),
        ("gzip-p455", "something"),
    ] {
        let response = format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: 3\r\n\r\ncat"
        );
        let words = refused(response.as_bytes());
        assert!(words.contains(named), "refused by its name: {words}");
        // Another word may be anything.
        assert!(words.contains("`content-encoding`") && !words.contains("p455"), "{words}");
    }
}

#[test]
fn a_chunk_may_have_an_extension_of_any_length_within_reason() {
    let chunked = |extension: &str, chunks: usize| {
        let chunk = format!("3{extension}\r\ncat\r\n").repeat(chunks);
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}0{extension}\r\n\r\n")
    };
    let signed = format!(";chunk-signature={}", "a".repeat(64));
    for extension in ["", " ", "  ;a", ";a=b;c=\"d\"", &signed, &";x".repeat(5000)] {
        assert_eq!(
            answered(chunked(extension, 3).as_bytes()).unwrap(),
            b"catcatcat",
            "{extension}"
        );
    }
    assert!(refused(chunked(&";x".repeat(50_000), 1).as_bytes()).contains("does not end"));
    // Many long ones are not what a body is for.
    let error = answered(chunked(&";x".repeat(4000), 20).as_bytes()).unwrap_err();
    assert!(error.to_string().contains("beside its body"), "{error}");
    for size in ["+3", "-3", "0x3", "", ";3", "3 3", "g"] {
        let response = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size}\r\ncat\r\n0\r\n\r\n"
        );
        assert!(refused(response.as_bytes()).contains("how long"), "{size:?}");
    }
    let bare = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\ncat\r\n0\r\n\r\n";
    assert!(refused(bare.as_bytes()).contains("without CR"));
}

#[test]
fn an_answer_before_the_final_one_may_have_headers_whichever_it_is() {
    for status in ["100 Continue", "102 Processing", "199 Whatever"] {
        let early = format!("HTTP/1.1 {status}\r\nServer: x\r\nContent-Length: 9\r\n\r\n");
        let response = format!("{early}{early}{}", ok("cat"));
        assert_eq!(answered(response.as_bytes()).unwrap(), b"cat", "{status}");
    }
}

#[test]
fn a_length_that_is_said_twice_or_strangely_is_an_error() {
    for length in
        ["3\r\nContent-Length: 4", "3, 3", "+3", "0x3", "3 ", " ", "99999999999999999999999"]
    {
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\ncat");
        match answered(response.as_bytes()) {
            // The space is none of the value.
            Ok(body) => assert_eq!((length, &body[..]), ("3 ", &b"cat"[..])),
            Err(error) => assert!(error.to_string().contains("content-length"), "{error}"),
        }
    }
    let twice = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\ncat";
    assert_eq!(answered(twice).unwrap(), b"cat");
}

#[test]
fn what_a_server_says_stays_one_short_line_in_an_error() {
    let long = "x".repeat(10_000);
    for said in [format!("a\x1b[2J{long}"), format!("a\u{202e}{long}")] {
        let words =
            refused(format!("HTTP/1.1 200 OK\r\nContent-Encoding: {said}\r\n\r\n").as_bytes());
        let is_line = words.chars().all(|char| (' '..='~').contains(&char));
        assert!(is_line && words.len() < 400 && !words.contains("xx"), "{words}");
    }
}

#[test]
fn a_status_other_than_success_is_told_and_its_body_not_waited_for() {
    assert_eq!(status("HTTP/1.1 404 Not Found\r\nContent-Length: 1000000\r\n\r\nnot"), 404);
    assert_eq!(status("HTTP/1.1 500 Oops\r\n\r\n"), 500);
    assert_eq!(status("HTTP/1.1 304 Not Modified\r\n\r\n"), 304);
    assert_eq!(status("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), 101);
    assert_eq!(status("HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\n\r\ncat"), 206);
    assert_eq!(status("HTTP/1.1 302 Found\r\n\r\n"), 302, "a redirect to nowhere");
    assert_eq!(status("HTTP/1.1 300 Multiple Choices\r\nLocation: /x\r\n\r\n"), 300);
}

#[test]
fn a_success_without_content_is_one() {
    let server = Server::answering("HTTP/1.1 204 No Content\r\n\r\n");
    let fetched = fetch(&server.url("/")).unwrap();
    assert_eq!((fetched.bytes, fetched.content_type), (Vec::new(), None));
}

#[test]
fn answers_before_the_final_one_are_passed_over() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n";
    let response = format!("HTTP/1.1 100 Continue\r\n\r\n{early}{}", ok("cat"));
    assert_eq!(answered(response.as_bytes()).unwrap(), b"cat");
}

#[test]
fn a_body_may_have_as_many_bytes_as_allowed_and_not_one_more() {
    let most = "x".repeat(1000);
    let more = "x".repeat(1001);
    let chunk = |body: &str| {
        let size = body.len();
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n"
        )
    };
    let until_close = |body: &str| format!("HTTP/1.1 200 OK\r\n\r\n{body}");
    let framings: [&dyn Fn(&str) -> String; 3] = [&ok, &chunk, &until_close];
    for framing in framings {
        assert_eq!(answered(framing(&most).as_bytes()).unwrap(), most.as_bytes());
        let error = answered(framing(&more).as_bytes()).unwrap_err();
        assert!(error.is_too_large() && !error.is_timed_out(), "{error}");
        assert!(error.to_string().contains("more than 1000 bytes"), "{error}");
    }
    let nothing = Client::new(Limits { bytes: 0, ..limits() });
    let server = Server::answering(ok(""));
    assert_eq!(nothing.fetch(&server.url("/")).unwrap().bytes, b"");
    let server = Server::answering(ok("x"));
    assert!(nothing.fetch(&server.url("/")).unwrap_err().is_too_large());
}

#[test]
fn a_large_body_is_fetched_whole_whatever_its_framing() {
    let client = Client::new(Limits { bytes: u64::MAX, ..limits() });
    let body: String = (0..300_000).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    let mut chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    for (n, chunk) in body.as_bytes().chunks(7777).enumerate() {
        let chunk = std::str::from_utf8(chunk).unwrap();
        chunked += &format!("{:x};n={n}\r\n{chunk}\r\n", chunk.len());
    }
    chunked += "0\r\n\r\n";
    for response in [ok(&body), chunked, format!("HTTP/1.1 200 OK\r\n\r\n{body}")] {
        let server = Server::answering(response);
        assert!(client.fetch(&server.url("/")).unwrap().bytes == body.as_bytes());
    }
}

#[test]
fn a_response_that_comes_byte_by_byte_is_the_same_response() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nca\r\n1\r\nt\r\n0\r\n\r\n";
    for response in [ok("cat"), chunked.to_owned()] {
        let server = Server::at(crate::server::OUTSIDE, move |stream, reached| {
            use std::io::Write;
            reached.request(stream)?;
            stream.set_nodelay(true)?;
            for byte in response.bytes() {
                stream.write_all(&[byte])?;
                std::thread::yield_now();
            }
            Ok(())
        });
        assert_eq!(fetch(&server.url("/")).unwrap().bytes, b"cat");
    }
}

#[test]
fn a_length_beyond_the_limit_is_refused_before_anything_of_it_is_read() {
    // Nothing of the body comes: to wait for it would end otherwise.
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n";
    assert_eq!(net_error(answered_fetch(head)), NetError::TooLarge { limit: 1000 });
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n";
    assert_eq!(net_error(answered_fetch(head)), NetError::TooLarge { limit: 1000 });
}

fn answered_fetch(response: &str) -> Result<toctou::fetch::Fetched, FetchError> {
    fetch(&Server::answering(response).url("/"))
}

#[test]
fn a_promise_of_length_reserves_no_memory() {
    let client = Client::new(Limits { bytes: u64::MAX, ..limits() });
    let server =
        Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\ncat");
    let error = net_error(client.fetch(&server.url("/")));
    assert_eq!(error.to_string(), "HTTP: the response's body is cut short");
}
