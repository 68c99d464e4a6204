//! The variants of `avatar` with the verdicts they are known for, and its scenarios. Fourth floor:
//! imports the catalogue's vocabulary.

use super::super::{Breaks, Scenario, Variant};

const fn breaks(scenario: &'static str, property: &'static str, from_size: usize) -> Breaks {
    Breaks { scenario, property, from_size }
}

pub(super) static VARIANTS: &[Variant] = &[
    Variant {
        name: "head-then-get",
        origin: "the vulnerable original",
        about: "HEAD, following redirects; where that came from is public; then GET, all of it anew",
        breaks: &[
            breaks("name-server", "no-internal-request", 1),
            breaks("name-server", "no-internal-content", 1),
            breaks("name-server", "no-internal-connection", 1),
            breaks("web-server", "no-internal-request", 1),
            breaks("web-server", "no-internal-content", 1),
            breaks("web-server", "no-internal-connection", 1),
            breaks("both", "no-internal-request", 1),
            breaks("both", "no-internal-content", 1),
            breaks("both", "no-internal-connection", 1),
        ],
    },
    Variant {
        name: "response-hook",
        origin: "the first attempt",
        about: "GET, following redirects; where each response came from is checked once it is there",
        breaks: &[
            breaks("name-server", "no-internal-request", 1),
            breaks("name-server", "no-internal-connection", 1),
            breaks("web-server", "no-internal-request", 1),
            breaks("web-server", "no-internal-connection", 1),
            breaks("both", "no-internal-request", 1),
            breaks("both", "no-internal-connection", 1),
        ],
    },
    Variant {
        name: "request-hook",
        origin: "the published fix",
        about: "before each request its host is resolved and checked; then the client resolves it again",
        breaks: &[
            breaks("name-server", "no-internal-request", 1),
            breaks("name-server", "no-internal-content", 1),
            breaks("name-server", "no-internal-connection", 1),
            breaks("both", "no-internal-request", 1),
            breaks("both", "no-internal-content", 1),
            breaks("both", "no-internal-connection", 1),
        ],
    },
    Variant {
        name: "pinned",
        origin: "ours",
        about: "each hop's host is resolved once, every address checked, and that very address used",
        breaks: &[],
    },
    Variant {
        name: "check-peer",
        origin: "ours, too",
        about: "connect; where the socket leads is checked before a byte is sent",
        breaks: &[
            breaks("name-server", "no-internal-connection", 1),
            breaks("web-server", "no-internal-connection", 1),
            breaks("both", "no-internal-connection", 1),
        ],
    },
    Variant {
        name: "control-first-address",
        origin: "negative control",
        about: "pinned, but of several addresses only the first is checked",
        breaks: &[
            breaks("both", "no-internal-request", 2),
            breaks("both", "no-internal-content", 2),
            breaks("both", "no-internal-connection", 2),
        ],
    },
    Variant {
        name: "control-first-hop",
        origin: "negative control",
        about: "pinned, but only the URL that was given is checked, no redirect",
        breaks: &[
            breaks("web-server", "no-internal-request", 1),
            breaks("web-server", "no-internal-content", 1),
            breaks("web-server", "no-internal-connection", 1),
            breaks("web-server", "an-attack-is-refused", 1),
            breaks("both", "no-internal-request", 1),
            breaks("both", "no-internal-content", 1),
            breaks("both", "no-internal-connection", 1),
        ],
    },
    Variant {
        name: "control-ignores-mapped",
        origin: "negative control",
        about: "pinned, but IPv6 forms of IPv4 addresses are taken for public",
        breaks: &[
            breaks("name-server", "no-internal-request", 1),
            breaks("name-server", "no-internal-content", 1),
            breaks("name-server", "no-internal-connection", 1),
            breaks("web-server", "no-internal-request", 1),
            breaks("web-server", "no-internal-content", 1),
            breaks("web-server", "no-internal-connection", 1),
            breaks("both", "no-internal-request", 1),
            breaks("both", "no-internal-content", 1),
            breaks("both", "no-internal-connection", 1),
        ],
    },
    Variant {
        name: "control-refuses-all",
        origin: "negative control",
        about: "pinned, but no address is public enough",
        breaks: &[
            breaks("name-server", "honest-fetch-works", 0),
            breaks("web-server", "honest-fetch-works", 0),
            breaks("web-server", "honest-redirect-works", 1),
            breaks("both", "honest-fetch-works", 0),
            breaks("both", "honest-redirect-works", 1),
        ],
    },
];

pub(super) static SCENARIOS: &[Scenario] = &[
    Scenario { name: "name-server", about: "the attacker binds the name to other addresses" },
    Scenario {
        name: "web-server",
        about: "the attacker's server redirects, and refuses connections",
    },
    Scenario { name: "both", about: "the attacker does both" },
];
