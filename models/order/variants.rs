//! The variants of `order` with the verdicts they are known for, and its scenarios. Fourth floor: imports
//! the catalogue's vocabulary.

use super::super::{Scenario, Variant, Verdicts};

static KNOWN: Verdicts = Verdicts::new(include_str!("verdicts.txt"));

pub(super) static VARIANTS: &[Variant] = &[
    KNOWN.variant(
        "check-then-update",
        "the vulnerable original",
        "SELECT the status; if it is pending, UPDATE it",
    ),
    KNOWN.variant(
        "process-mutex",
        "the published fix",
        "the same, with a static std Mutex held from the check to the end",
    ),
    KNOWN.variant(
        "conditional-update",
        "what Orders does",
        "UPDATE … WHERE status = 'pending', and who changes the row has ended it",
    ),
    KNOWN.variant(
        "version-column",
        "optimistic locking",
        "SELECT status and version; UPDATE … WHERE version = what was read; otherwise again",
    ),
    KNOWN.variant(
        "select-for-update",
        "pessimistic locking",
        "the original in one READ COMMITTED transaction, with SELECT … FOR UPDATE",
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
    KNOWN.variant(
        "serializable-retry",
        "the strictest, with a retry loop",
        "the same at SERIALIZABLE, begun anew on 40001 and 40P01",
    ),
    KNOWN.variant(
        "control-ignores-count",
        "negative control",
        "conditional-update, and nobody looks at how many rows it changed",
    ),
    KNOWN.variant(
        "control-forgets-update",
        "negative control",
        "SELECT the status; if it is pending, say that it is cancelled",
    ),
    KNOWN.variant(
        "control-guesses-status",
        "negative control",
        "conditional-update, and who changes no row is told that it is cancelled, unseen",
    ),
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
