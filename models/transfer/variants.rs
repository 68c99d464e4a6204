//! The variants of `transfer` with the verdicts they are known for, and its scenarios. Fourth floor:
//! imports the catalogue's vocabulary.

use super::super::{Scenario, Variant, Verdicts};

pub(super) static KNOWN: Verdicts = Verdicts::new(include_str!("verdicts.txt"));

pub(super) static VARIANTS: &[Variant] = &[
    KNOWN.variant(
        "check-then-debit",
        "the vulnerable original",
        "SELECT the balance; UPDATE it to what was read minus the amount; credit",
    ),
    KNOWN.variant(
        "check-then-subtract",
        "the same, half mended",
        "SELECT the balance; UPDATE … SET balance = balance - amount; credit",
    ),
    KNOWN.variant(
        "two-statements",
        "no transaction",
        "UPDATE … SET balance = balance - amount WHERE balance >= amount; credit",
    ),
    KNOWN.variant(
        "process-mutex",
        "the published fix",
        "the original, with a static std Mutex held from the check to the end",
    ),
    KNOWN.variant(
        "read-committed",
        "a transaction round the original",
        "the original in one transaction at READ COMMITTED",
    ),
    KNOWN.variant(
        "snapshot",
        "a stricter transaction round it",
        "the same at REPEATABLE READ: who updates second gets 40001, and nobody retries",
    ),
    KNOWN.variant("snapshot-retry", "with a retry loop", "the same, begun anew on 40001 and 40P01"),
    KNOWN.variant(
        "serializable",
        "the strictest transaction round it",
        "the original in one transaction at SERIALIZABLE, and nobody retries",
    ),
    KNOWN.variant(
        "serializable-retry",
        "with a retry loop",
        "the same, begun anew on 40001 and 40P01",
    ),
    KNOWN.variant(
        "conditional-debit",
        "the condition in the statement",
        "UPDATE … WHERE balance >= amount; credit; in one READ COMMITTED transaction",
    ),
    KNOWN.variant(
        "conditional-retry",
        "with a retry loop",
        "the same, begun anew on 40001 and 40P01",
    ),
    KNOWN.variant(
        "select-for-update",
        "the lock before the look",
        "SELECT both customers' accounts FOR UPDATE, in the order of their ids; debit; credit",
    ),
    KNOWN.variant(
        "ordered",
        "what Accounts does",
        "conditional-debit, the account of the smaller id first, be it debited or credited",
    ),
    KNOWN.variant(
        "control-ignores-count",
        "negative control",
        "conditional-debit, and nobody looks at how many rows it changed",
    ),
    KNOWN.variant(
        "control-unchecked",
        "negative control",
        "subtracts and credits in one READ COMMITTED transaction, and checks nothing",
    ),
    KNOWN.variant(
        "control-refuses-blindly",
        "negative control",
        "SELECT the balance, and whatever it is, say that it is too little",
    ),
];

pub(super) static SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "out",
        about: "several transfers out of one account, which has enough for one",
    },
    Scenario { name: "both-ways", about: "transfers from each of two accounts to the other" },
    Scenario {
        name: "sum",
        about: "a customer pays from two accounts, whose sum must not fall below zero",
    },
    Scenario {
        name: "crash",
        about: "as `out`, and at any moment the server dies; the last of several clients has another",
    },
];
