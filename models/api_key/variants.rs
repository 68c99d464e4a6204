//! The variants and scenarios of `api_key`, and the verdicts they are known for. Fourth floor:
//! imports the catalogue's own types.

use crate::models::{Breaks, Scenario, Variant};

const fn breaks(scenario: &'static str, property: &'static str, from_size: usize) -> Breaks {
    Breaks { scenario, property, from_size }
}

pub(super) static VARIANTS: &[Variant] = &[
    Variant {
        name: "select-then-insert",
        origin: "the vulnerable original",
        about: "SELECT EXISTS; yes: 409; INSERT; 201",
        breaks: &[],
    },
    Variant {
        name: "on-conflict-select",
        origin: "the first published fix",
        about: "INSERT … ON CONFLICT DO NOTHING; SELECT key; 200 with it",
        breaks: &[],
    },
    Variant {
        name: "upsert-returning",
        origin: "the second published fix",
        about: "INSERT … ON CONFLICT DO UPDATE … RETURNING whether it is new; 201 or 409",
        breaks: &[],
    },
    Variant {
        name: "select-for-update",
        origin: "the third published fix (at SERIALIZABLE)",
        about: "SELECT … FOR UPDATE; a row: 409; INSERT; 201",
        breaks: &[],
    },
    Variant {
        name: "on-conflict-returning",
        origin: "ours; what ApiKeys runs",
        about: "INSERT … ON CONFLICT DO NOTHING RETURNING key; a row: 201; none: 409",
        breaks: &[],
    },
    Variant {
        name: "insert-decides",
        origin: "the constraint alone",
        about: "INSERT; 201; a unique violation (23505): 409",
        breaks: &[],
    },
    Variant {
        name: "control-trusts-the-insert",
        origin: "negative control",
        about: "INSERT … ON CONFLICT DO NOTHING; 201, whatever that answers",
        breaks: &[],
    },
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
