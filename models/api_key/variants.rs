//! The variants and scenarios of `api_key`, and the verdicts they are known for. Fourth floor:
//! imports the catalogue's own types.

use crate::models::{Scenario, Variant, Verdicts};

static KNOWN: Verdicts = Verdicts::new(include_str!("verdicts.txt"));

pub(super) static VARIANTS: &[Variant] = &[
    KNOWN.variant(
        "select-then-insert",
        "the vulnerable original",
        "SELECT EXISTS; yes: 409; INSERT; 201",
    ),
    KNOWN.variant(
        "on-conflict-select",
        "the first published fix",
        "INSERT … ON CONFLICT DO NOTHING; SELECT key; 200 with it",
    ),
    KNOWN.variant(
        "upsert-returning",
        "the second published fix",
        "INSERT … ON CONFLICT DO UPDATE … RETURNING whether it is new; 201 or 409",
    ),
    KNOWN.variant(
        "select-for-update",
        "the third published fix (at SERIALIZABLE)",
        "SELECT … FOR UPDATE; a row: 409; INSERT; 201",
    ),
    KNOWN.variant(
        "on-conflict-returning",
        "ours; what ApiKeys runs",
        "INSERT … ON CONFLICT DO NOTHING RETURNING key; a row: 201; none: 409",
    ),
    KNOWN.variant(
        "insert-decides",
        "the constraint alone",
        "INSERT; 201; a unique violation (23505): 409",
    ),
    KNOWN.variant(
        "control-trusts-the-insert",
        "negative control",
        "INSERT … ON CONFLICT DO NOTHING; 201, whatever that answers",
    ),
];

pub(super) static SCENARIOS: &[Scenario] = &[
    Scenario { name: "unique-autocommit", about: "UNIQUE (user_id); each statement by itself" },
    Scenario {
        name: "unique-read-committed",
        about: "UNIQUE (user_id); one READ COMMITTED transaction",
    },
    Scenario {
        name: "unique-repeatable-read",
        about: "UNIQUE (user_id); one REPEATABLE READ transaction",
    },
    Scenario {
        name: "unique-repeatable-read-retry",
        about: "the same, begun anew after a serialization failure",
    },
    Scenario {
        name: "unique-serializable",
        about: "UNIQUE (user_id); one SERIALIZABLE transaction",
    },
    Scenario {
        name: "unique-serializable-retry",
        about: "the same, begun anew after a serialization failure",
    },
    Scenario { name: "bare-autocommit", about: "no constraint; each statement by itself" },
    Scenario {
        name: "bare-read-committed",
        about: "no constraint; one READ COMMITTED transaction",
    },
    Scenario {
        name: "bare-repeatable-read",
        about: "no constraint; one REPEATABLE READ transaction",
    },
    Scenario {
        name: "bare-repeatable-read-retry",
        about: "the same, begun anew after a serialization failure",
    },
    Scenario { name: "bare-serializable", about: "no constraint; one SERIALIZABLE transaction" },
    Scenario {
        name: "bare-serializable-retry",
        about: "the same, begun anew after a serialization failure",
    },
    Scenario {
        name: "two-users-autocommit",
        about: "requests of two users; UNIQUE (user_id); each statement by itself",
    },
    Scenario {
        name: "two-users-read-committed",
        about: "requests of two users; UNIQUE (user_id); one READ COMMITTED transaction",
    },
    Scenario {
        name: "two-users-repeatable-read",
        about: "requests of two users; UNIQUE (user_id); one REPEATABLE READ transaction",
    },
    Scenario {
        name: "two-users-repeatable-read-retry",
        about: "the same, begun anew after a serialization failure",
    },
    Scenario {
        name: "two-users-serializable",
        about: "requests of two users; UNIQUE (user_id); one SERIALIZABLE transaction",
    },
    Scenario {
        name: "two-users-serializable-retry",
        about: "the same, begun anew after a serialization failure",
    },
];
