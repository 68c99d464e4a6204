//! First floor, `net`: names that are not looked up for strangers, by their spelling. Imports
//! nothing of this crate.
//!
//! The rows are of two kinds. The first are those of IANA's registry of [special-use domain
//! names](https://www.iana.org/assignments/special-use-domain-names) that a local name server may
//! answer with internal addresses. The second are the names that RFC 6762 (appendix G) found in use
//! inside of networks. `test` and `example` are not among them: no software is to treat them in a
//! special way (RFC 6761).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use url::Host;

/// The name of a host as in URLs, in lower case and without a dot at its end: `a.example`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

/// The text is not a [`Name`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{0:?} is not a host's name, such as images.internal")]
pub struct NameError(Arc<str>);

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match Host::parse(text) {
            Ok(Host::Domain(name)) if !undotted(&name).is_empty() => {
                Ok(Name(undotted(&name).into()))
            }
            _ => Err(NameError(text.into())),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Name {
    /// Whether it is the host of a URL.
    pub(super) fn is(&self, host: &str) -> bool {
        undotted(host) == &*self.0
    }

    /// Whether it is the host of a URL, or the host is below it.
    pub(super) fn contains(&self, host: &str) -> bool {
        is_below(undotted(host), &self.0)
    }
}

/// A name without the dot that says that nothing comes after it.
fn undotted(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

fn is_below(name: &str, domain: &str) -> bool {
    match name.strip_suffix(domain) {
        Some(before) => before.is_empty() || before.ends_with('.'),
        None => false,
    }
}

/// Why a name is not looked up for a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SpecialName {
    /// The domain that the name is in: `internal`. Empty for a name of one label, which is in
    /// whatever domain the host's own resolver adds, and for a name that is
    /// [denied](super::Policy::denying_name).
    pub domain: &'static str,
    /// The purpose of the domain.
    pub name: &'static str,
    /// The document that says so.
    pub rfc: &'static str,
}

impl fmt::Display for SpecialName {
    /// `.local, Link-local names of multicast DNS`; `a name of one label`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.domain {
            "" => f.write_str(self.name),
            domain => write!(f, ".{domain}, {}", self.name),
        }
    }
}

const fn row(domain: &'static str, name: &'static str, rfc: &'static str) -> SpecialName {
    SpecialName { domain, name, rfc }
}

const INSIDE: &str = "in use inside of networks";

/// The domains whose names are not looked up, and what each is for.
pub static SPECIAL_NAMES: &[SpecialName] = &[
    row("localhost", "this host", "[RFC6761], Section 6.3"),
    row("localdomain", "this host", "by custom"),
    row("local", "names of multicast DNS", "[RFC6762]"),
    row("internal", "private use", "[ICANN, 29 July 2024]"),
    row("onion", "hidden services of Tor", "[RFC7686]"),
    row("alt", "no names of DNS", "[RFC9476]"),
    row("invalid", "never there", "[RFC6761], Section 6.4"),
    // `home.arpa`, `resolver.arpa`, `service.arpa`, and the reverse names of private addresses.
    row("arpa", "the network's own infrastructure", "[RFC3172]"),
    row("intranet", INSIDE, "[RFC6762], Appendix G"),
    row("private", INSIDE, "[RFC6762], Appendix G"),
    row("corp", INSIDE, "[RFC6762], Appendix G"),
    row("home", INSIDE, "[RFC6762], Appendix G"),
    row("lan", INSIDE, "[RFC6762], Appendix G"),
];

static ONE_LABEL: SpecialName = row("", "a name of one label", "[RFC7085]");

/// Why a name is not looked up for a stranger; `None` if it may be.
pub fn special_name(host: &str) -> Option<SpecialName> {
    let name = undotted(host);
    let in_a_row = SPECIAL_NAMES.iter().find(|row| is_below(name, row.domain));
    in_a_row.or_else(|| (!name.contains('.')).then_some(&ONE_LABEL)).copied()
}
