//! The variants of `transfer` with the verdicts they are known for, and its scenarios.

use super::super::{Breaks, Scenario, Variant};

const fn breaks(scenario: &'static str, property: &'static str, from_size: usize) -> Breaks {
    Breaks { scenario, property, from_size }
}

pub(super) static VARIANTS: &[Variant] = &[
    Variant {
        name: "check-then-debit",
        origin: "the vulnerable original",
        about: "SELECT the balance; UPDATE it to what was read minus the amount; credit",
        breaks: &[],
    },
    Variant {
        name: "check-then-subtract",
        origin: "the same, half mended",
        about: "SELECT the balance; UPDATE … SET balance = balance - amount; credit",
        breaks: &[],
    },
    Variant {
        name: "two-statements",
        origin: "no transaction",
        about: "UPDATE … SET balance = balance - amount WHERE balance >= amount; credit",
        breaks: &[],
    },
    Variant {
        name: "process-mutex",
        origin: "the published fix",
        about: "the original, with a static std Mutex held from the check to the end",
        breaks: &[],
    },
    Variant {
        name: "read-committed",
        origin: "a transaction round the original",
        about: "the original in one transaction at READ COMMITTED",
        breaks: &[],
    },
    Variant {
        name: "snapshot",
        origin: "a stricter transaction round it",
        about: "the same at REPEATABLE READ: who updates second gets 40001, and nobody retries",
        breaks: &[],
    },
    Variant {
        name: "snapshot-retry",
        origin: "with a retry loop",
        about: "the same, begun anew on 40001 and 40P01",
        breaks: &[],
    },
    Variant {
        name: "serializable",
        origin: "the strictest transaction round it",
        about: "the original in one transaction at SERIALIZABLE, and nobody retries",
        breaks: &[],
    },
    Variant {
        name: "serializable-retry",
        origin: "with a retry loop",
        about: "the same, begun anew on 40001 and 40P01",
        breaks: &[],
    },
    Variant {
        name: "conditional-debit",
        origin: "the condition in the statement",
        about: "UPDATE … WHERE balance >= amount; credit; in one READ COMMITTED transaction",
        breaks: &[],
    },
    Variant {
        name: "conditional-retry",
        origin: "with a retry loop",
        about: "the same, begun anew on 40001 and 40P01",
        breaks: &[],
    },
    Variant {
        name: "ordered",
        origin: "what Accounts does",
        about: "conditional-debit, the account of the smaller id first, be it debited or credited",
        breaks: &[],
    },
    Variant {
        name: "control-ignores-count",
        origin: "negative control",
        about: "conditional-debit, and nobody looks at how many rows it changed",
        breaks: &[],
    },
    Variant {
        name: "control-unchecked",
        origin: "negative control",
        about: "subtracts and credits in one READ COMMITTED transaction, and checks nothing",
        breaks: &[],
    },
];

pub(super) static SCENARIOS: &[Scenario] = &[
    Scenario { name: "out", about: "several transfers out of one account, which has enough for one" },
    Scenario { name: "both-ways", about: "transfers from each of two accounts to the other" },
    Scenario {
        name: "sum",
        about: "a customer pays from two accounts, whose sum must not fall below zero",
    },
    Scenario { name: "crash", about: "as `out`, and at any moment the server dies" },
];
