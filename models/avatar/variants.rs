//! The variants of `avatar` with the verdicts they are known for, and its scenarios. Fourth floor:
//! imports the catalogue's vocabulary.

use super::super::{Scenario, Variant, Verdicts};

static KNOWN: Verdicts = Verdicts::new(include_str!("verdicts.txt"));

pub(super) static VARIANTS: &[Variant] = &[
    KNOWN.variant(
        "head-then-get",
        "the vulnerable original",
        "HEAD, following redirects; where that came from is public; then GET, all of it anew",
    ),
    KNOWN.variant(
        "response-hook",
        "the first attempt",
        "GET, following redirects; where each response came from is checked once it is there",
    ),
    KNOWN.variant(
        "request-hook",
        "the published fix",
        "before each request its host is resolved and checked; then the client resolves it again",
    ),
    KNOWN.variant(
        "pinned",
        "ours",
        "each hop's host is resolved once, every address checked, and that very address used",
    ),
    KNOWN.variant(
        "check-peer",
        "ours, too",
        "connect; where the socket leads is checked before a byte is sent",
    ),
    KNOWN.variant(
        "control-first-address",
        "negative control",
        "pinned, but of several addresses only the first is checked",
    ),
    KNOWN.variant(
        "control-first-hop",
        "negative control",
        "pinned, but only the URL that was given is checked, no redirect",
    ),
    KNOWN.variant(
        "control-ignores-mapped",
        "negative control",
        "pinned, but IPv6 forms of IPv4 addresses are taken for public",
    ),
    KNOWN.variant(
        "control-refuses-all",
        "negative control",
        "pinned, but no address is public enough",
    ),
];

pub(super) static SCENARIOS: &[Scenario] = &[
    Scenario { name: "name-server", about: "the attacker binds the name to other addresses" },
    Scenario {
        name: "web-server",
        about: "the attacker's server redirects, and refuses connections",
    },
    Scenario { name: "both", about: "the attacker does both" },
];
