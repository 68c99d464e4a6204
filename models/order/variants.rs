//! The variants of `order` with the verdicts they are known for, and its scenarios.

use super::super::{Breaks, Scenario, Variant};

const fn breaks(scenario: &'static str, property: &'static str, from_size: usize) -> Breaks {
    Breaks { scenario, property, from_size }
}

pub(super) static VARIANTS: &[Variant] = &[
    Variant {
        name: "check-then-update",
        origin: "the vulnerable original",
        about: "SELECT the status; if it is pending, UPDATE it",
        breaks: &[],
    },
    Variant {
        name: "process-mutex",
        origin: "the published fix",
        about: "the same, with a static std Mutex held from the check to the end",
        breaks: &[],
    },
    Variant {
        name: "conditional-update",
        origin: "what Orders does",
        about: "UPDATE … WHERE status = 'pending', and who changes the row has ended it",
        breaks: &[],
    },
    Variant {
        name: "version-column",
        origin: "optimistic locking",
        about: "SELECT status and version; UPDATE … WHERE version = what was read; otherwise again",
        breaks: &[],
    },
    Variant {
        name: "select-for-update",
        origin: "pessimistic locking",
        about: "the original in one READ COMMITTED transaction, with SELECT … FOR UPDATE",
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
        name: "serializable-retry",
        origin: "the strictest, with a retry loop",
        about: "the same at SERIALIZABLE, begun anew on 40001 and 40P01",
        breaks: &[],
    },
    Variant {
        name: "control-ignores-count",
        origin: "negative control",
        about: "conditional-update, and nobody looks at how many rows it changed",
        breaks: &[],
    },
    Variant {
        name: "control-forgets-update",
        origin: "negative control",
        about: "SELECT the status; if it is pending, say that it is cancelled",
        breaks: &[],
    },
];

pub(super) static SCENARIOS: &[Scenario] = &[
    Scenario { name: "cancels", about: "several clients cancel one order at once" },
    Scenario {
        name: "ship",
        about: "a fulfilment job of the same process ships it meanwhile, in the variant's own way",
    },
    Scenario {
        name: "unlocked-writer",
        about: "another program ships it meanwhile, where pending, and knows of no mutex or version",
    },
    Scenario {
        name: "two-servers",
        about: "the clients are spread over two server processes with one database",
    },
    Scenario {
        name: "one-worker",
        about: "the handlers are async tasks, and one thread polls them all",
    },
    Scenario { name: "replay", about: "somebody sends one of the signed requests once more" },
];
