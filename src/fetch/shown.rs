//! Third floor, `fetch`: what may be shown of a URL. Imports [`net`](crate::net).
//!
//! There are many ways to write an `@`, and an invalid URL has no parts. So nothing is cut out of
//! the text. Instead, a part is shown only if it has nothing that could stand in a user name or a
//! password.

use crate::net::{Url, printable};

/// A URL that is fetched, without its query. Of any other URL, [what may be shown](shown).
pub(super) fn whole(url: &Url) -> String {
    let is_fetched = matches!(url.scheme(), "http" | "https");
    if !is_fetched || !url.username().is_empty() || url.password().is_some() {
        return shown(url.as_str());
    }
    let told = printable(&url[..url::Position::AfterPath]);
    if url.query().is_some() { told + "?..." } else { told }
}

/// What may be told of a text that is no URL, or of a URL that is not fetched:
/// `http://a.test:80/x`, or `http://***` where anything in it could be a user name or a password.
pub(super) fn shown(text: &str) -> String {
    let (scheme, rest) = match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, text),
    };
    let rest = rest.strip_prefix("//").map_or_else(
        // Without slashes, only a path can be told.
        || (is_plain(rest) && scheme.is_none()).then(|| rest.to_owned()),
        |rest| after_slashes(rest).map(|rest| format!("//{rest}")),
    );
    let rest = rest.unwrap_or_else(|| "***".to_owned());
    printable(&match scheme {
        Some(scheme) => format!("{scheme}:{rest}"),
        None => rest,
    })
}

/// Schemes that stand in URLs. Another word before a colon may be a user's name.
pub(super) fn is_scheme(word: &str) -> bool {
    let known = "http https ftp file ws wss gopher data javascript mailto blob ldap dict ssh";
    known.split(' ').any(|known| word.eq_ignore_ascii_case(known))
}

/// A host, perhaps a port, and a path; `None` if any of it could be something else.
fn after_slashes(rest: &str) -> Option<String> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    // A number that is no port may be what somebody takes for a password.
    if port.is_some_and(|port| !port.is_empty() && port.parse::<u16>().is_err()) {
        return None;
    }
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match literal {
        Some(v6) => {
            let (v6, zone) = v6.split_once('%').unwrap_or((v6, ""));
            let is_v6 = v6.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte));
            is_v6 && is_plain(zone)
        }
        None => is_plain(host),
    };
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let (path, more) = path.split_at(end);
    let dots = if more.is_empty() { "" } else { "?..." };
    (is_host && is_plain(path)).then(|| format!("{authority}{path}{dots}"))
}

/// Whether there is nothing in it but what hosts and paths have most of the time: no `@`, `:`, `%`
/// or backslash, and no letter of another alphabet, which a parser may take for one of these.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_harmless_is_told() {
        for text in [
            "",
            "/",
            "a.test",
            "http://",
            "//a.test/",
            "file:///etc/passwd",
            "http://a.test:80/x-y",
            "ftp://a.test/",
            "http://[fe80::1%25eth0]/",
            "http://[::1]:81/",
        ] {
            assert_eq!(shown(text), text);
        }
        assert_eq!(shown("http://a.test/x?key=1#2"), "http://a.test/x?...");
        assert_eq!(shown("http://a.test?key=1"), "http://a.test?...");
    }

    #[test]
    fn what_could_be_a_password_is_not() {
        for text in [
            "http://u:p@a",
            "http://u:p",
            "http://u:99999/",
            "http://a.test/u:p@b",
            "http:u:p@b",
            "http://u%3ap%40b",
            "http://u\u{ff20}b/",
            "http://a\\u:p@b/",
            "http://[u:p@b]/",
        ] {
            assert!(shown(text).ends_with("***"), "{}", shown(text));
        }
        for text in ["u:p@a", "p@a", "u:p", "javascript:u:p", "u p", "u\np", "user:p//@a"] {
            assert!(["***", "javascript:***"].contains(&&*shown(text)), "{}", shown(text));
        }
    }

    #[test]
    fn a_query_is_not_told() {
        let url = Url::parse("https://a.test/x/@u?key=secret").unwrap();
        assert_eq!(whole(&url), "https://a.test/x/@u?...");
        assert_eq!(whole(&Url::parse("https://a.test/").unwrap()), "https://a.test/");
        for url in ["user:p455@a.test", "https://u:p455@a.test/", "https://p455@a.test/"] {
            let told = whole(&Url::parse(url).unwrap());
            assert!(!told.contains("p455"), "{told}");
        }
    }
}
