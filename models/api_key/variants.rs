//! The variants and scenarios of `api_key`, and the verdicts they are known for. Fourth floor:
//! imports the catalogue's own types.

use crate::models::{Breaks, Scenario, Variant};

/// Properties, from how many clients on they break, and in which scenarios.
macro_rules! breaks {
    ($($property:literal from $from_size:literal in [$($scenario:literal),* $(,)?]),* $(,)?) => {
        &[$($(Breaks { scenario: $scenario, property: $property, from_size: $from_size }),*),*]
    };
}

pub(super) static VARIANTS: &[Variant] = &[
    Variant {
        name: "select-then-insert",
        origin: "the vulnerable original",
        about: "SELECT EXISTS; yes: 409; INSERT; 201",
        breaks: breaks![
            "one-key" from 2 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry",
            ],
            "creator-told" from 2 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry",
            ],
            "one-creator" from 2 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry",
            ],
            "no-server-error" from 2 in [
                "unique-autocommit", "unique-read-committed", "unique-repeatable-read",
                "unique-repeatable-read-retry", "unique-serializable", "bare-serializable",
            ],
            "no-server-error" from 3 in [
                "two-users-autocommit", "two-users-read-committed", "two-users-repeatable-read",
                "two-users-repeatable-read-retry", "two-users-serializable",
            ],
        ],
    },
    Variant {
        name: "on-conflict-select",
        origin: "the first published fix",
        about: "INSERT … ON CONFLICT DO NOTHING; SELECT key; 200 with it",
        breaks: breaks![
            "creator-told" from 1 in [
                "unique-autocommit", "unique-read-committed", "unique-repeatable-read",
                "unique-repeatable-read-retry", "unique-serializable", "unique-serializable-retry",
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
                "two-users-autocommit", "two-users-read-committed", "two-users-repeatable-read",
                "two-users-repeatable-read-retry", "two-users-serializable",
                "two-users-serializable-retry",
            ],
            "no-server-error" from 1 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
            "no-server-error" from 2 in [
                "unique-repeatable-read", "unique-serializable",
            ],
            "no-server-error" from 3 in [
                "two-users-repeatable-read", "two-users-serializable",
            ],
            "somebody-is-told" from 1 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
            "somebody-is-late" from 2 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
        ],
    },
    Variant {
        name: "upsert-returning",
        origin: "the second published fix",
        about: "INSERT … ON CONFLICT DO UPDATE … RETURNING whether it is new; 201 or 409",
        breaks: breaks![
            "key-is-valid" from 2 in [
                "unique-autocommit", "unique-read-committed", "unique-repeatable-read",
                "unique-repeatable-read-retry", "unique-serializable", "unique-serializable-retry",
            ],
            "key-is-valid" from 3 in [
                "two-users-autocommit", "two-users-read-committed", "two-users-repeatable-read",
                "two-users-repeatable-read-retry", "two-users-serializable",
                "two-users-serializable-retry",
            ],
            "creator-told" from 1 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
            "no-server-error" from 1 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
            "no-server-error" from 2 in [
                "unique-repeatable-read", "unique-serializable",
            ],
            "no-server-error" from 3 in [
                "two-users-repeatable-read", "two-users-serializable",
            ],
            "no-server-error" from 4 in [
                "unique-repeatable-read-retry", "unique-serializable-retry",
            ],
            "somebody-is-told" from 1 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
            "somebody-is-late" from 2 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
        ],
    },
    Variant {
        name: "select-for-update",
        origin: "the third published fix (at SERIALIZABLE)",
        about: "SELECT … FOR UPDATE; a row: 409; INSERT; 201",
        breaks: breaks![
            "one-key" from 2 in [
                "bare-read-committed", "bare-repeatable-read", "bare-repeatable-read-retry",
            ],
            "creator-told" from 2 in [
                "bare-read-committed", "bare-repeatable-read", "bare-repeatable-read-retry",
            ],
            "one-creator" from 2 in [
                "bare-read-committed", "bare-repeatable-read", "bare-repeatable-read-retry",
            ],
            "no-server-error" from 2 in [
                "unique-read-committed", "unique-repeatable-read", "unique-repeatable-read-retry",
                "unique-serializable", "bare-serializable",
            ],
            "no-server-error" from 3 in [
                "two-users-read-committed", "two-users-repeatable-read",
                "two-users-repeatable-read-retry", "two-users-serializable",
            ],
        ],
    },
    Variant {
        name: "on-conflict-returning",
        origin: "ours; what ApiKeys runs",
        about: "INSERT … ON CONFLICT DO NOTHING RETURNING key; a row: 201; none: 409",
        breaks: breaks![
            "creator-told" from 1 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
            "no-server-error" from 1 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
            "no-server-error" from 2 in [
                "unique-repeatable-read", "unique-serializable",
            ],
            "no-server-error" from 3 in [
                "two-users-repeatable-read", "two-users-serializable",
            ],
            "somebody-is-told" from 1 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
            "somebody-is-late" from 2 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
        ],
    },
    Variant {
        name: "insert-decides",
        origin: "the constraint alone",
        about: "INSERT; 201; a unique violation (23505): 409",
        breaks: breaks![
            "one-key" from 2 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
            "creator-told" from 2 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
            "one-creator" from 2 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
            "somebody-is-late" from 2 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
        ],
    },
    Variant {
        name: "control-trusts-the-insert",
        origin: "negative control",
        about: "INSERT … ON CONFLICT DO NOTHING; 201, whatever that answers",
        breaks: breaks![
            "key-is-valid" from 2 in [
                "unique-autocommit", "unique-read-committed", "unique-repeatable-read",
                "unique-repeatable-read-retry", "unique-serializable", "unique-serializable-retry",
            ],
            "key-is-valid" from 3 in [
                "two-users-autocommit", "two-users-read-committed", "two-users-repeatable-read",
                "two-users-repeatable-read-retry", "two-users-serializable",
                "two-users-serializable-retry",
            ],
            "creator-told" from 1 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
            "creator-told" from 2 in [
                "unique-autocommit", "unique-read-committed", "unique-repeatable-read",
                "unique-repeatable-read-retry", "unique-serializable", "unique-serializable-retry",
            ],
            "creator-told" from 3 in [
                "two-users-autocommit", "two-users-read-committed", "two-users-repeatable-read",
                "two-users-repeatable-read-retry", "two-users-serializable",
                "two-users-serializable-retry",
            ],
            "one-creator" from 2 in [
                "unique-autocommit", "unique-read-committed", "unique-repeatable-read",
                "unique-repeatable-read-retry", "unique-serializable", "unique-serializable-retry",
            ],
            "one-creator" from 3 in [
                "two-users-autocommit", "two-users-read-committed", "two-users-repeatable-read",
                "two-users-repeatable-read-retry", "two-users-serializable",
                "two-users-serializable-retry",
            ],
            "no-server-error" from 1 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
            "no-server-error" from 2 in [
                "unique-repeatable-read", "unique-serializable",
            ],
            "no-server-error" from 3 in [
                "two-users-repeatable-read", "two-users-serializable",
            ],
            "somebody-is-told" from 1 in [
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
            "somebody-is-late" from 2 in [
                "unique-autocommit", "unique-read-committed", "unique-repeatable-read",
                "unique-repeatable-read-retry", "unique-serializable", "unique-serializable-retry",
                "bare-autocommit", "bare-read-committed", "bare-repeatable-read",
                "bare-repeatable-read-retry", "bare-serializable", "bare-serializable-retry",
            ],
            "somebody-is-late" from 3 in [
                "two-users-autocommit", "two-users-read-committed", "two-users-repeatable-read",
                "two-users-repeatable-read-retry", "two-users-serializable",
                "two-users-serializable-retry",
            ],
        ],
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
