//! The variants of `order` with the verdicts they are known for, and its scenarios. Fourth floor: imports
//! the catalogue's vocabulary.

use super::super::{Breaks, Scenario, Variant};

const fn breaks(scenario: &'static str, property: &'static str, from_size: usize) -> Breaks {
    Breaks { scenario, property, from_size }
}

pub(super) static VARIANTS: &[Variant] = &[
    Variant {
        name: "check-then-update",
        origin: "the vulnerable original",
        about: "SELECT the status; if it is pending, UPDATE it",
        breaks: &[
            breaks("cancels", "one-ending", 2),
            breaks("cancels", "told-the-truth", 2),
            breaks("ship", "one-ending", 1),
            breaks("ship", "told-the-truth", 1),
            breaks("unlocked-writer", "one-ending", 1),
            breaks("unlocked-writer", "told-the-truth", 1),
            breaks("two-servers", "one-ending", 2),
            breaks("two-servers", "told-the-truth", 2),
            breaks("one-worker", "one-ending", 2),
            breaks("one-worker", "told-the-truth", 2),
            breaks("replay", "one-ending", 1),
            breaks("replay", "told-the-truth", 1),
        ],
    },
    Variant {
        name: "process-mutex",
        origin: "the published fix",
        about: "the same, with a static std Mutex held from the check to the end",
        breaks: &[
            breaks("unlocked-writer", "one-ending", 1),
            breaks("unlocked-writer", "told-the-truth", 1),
            breaks("two-servers", "one-ending", 2),
            breaks("two-servers", "told-the-truth", 2),
            breaks("one-worker", "deadlock-free", 2),
        ],
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
        breaks: &[
            breaks("unlocked-writer", "one-ending", 1),
            breaks("unlocked-writer", "told-the-truth", 1),
        ],
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
        breaks: &[
            breaks("cancels", "one-ending", 2),
            breaks("cancels", "told-the-truth", 2),
            breaks("ship", "one-ending", 1),
            breaks("ship", "told-the-truth", 1),
            breaks("unlocked-writer", "one-ending", 1),
            breaks("unlocked-writer", "told-the-truth", 1),
            breaks("two-servers", "one-ending", 2),
            breaks("two-servers", "told-the-truth", 2),
            breaks("one-worker", "one-ending", 2),
            breaks("one-worker", "told-the-truth", 2),
            breaks("replay", "one-ending", 1),
            breaks("replay", "told-the-truth", 1),
        ],
    },
    Variant {
        name: "snapshot",
        origin: "a stricter transaction round it",
        about: "the same at REPEATABLE READ: who updates second gets 40001, and nobody retries",
        breaks: &[
            breaks("cancels", "no-server-error", 2),
            breaks("ship", "no-server-error", 1),
            breaks("unlocked-writer", "no-server-error", 1),
            breaks("two-servers", "no-server-error", 2),
            breaks("one-worker", "no-server-error", 2),
            breaks("replay", "no-server-error", 1),
        ],
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
        breaks: &[
            breaks("cancels", "one-ending", 2),
            breaks("cancels", "somebody-is-late", 2),
            breaks("cancels", "told-the-truth", 2),
            breaks("ship", "one-ending", 1),
            breaks("ship", "somebody-is-late", 1),
            breaks("ship", "told-the-truth", 1),
            breaks("unlocked-writer", "one-ending", 1),
            breaks("unlocked-writer", "told-the-truth", 1),
            breaks("two-servers", "one-ending", 2),
            breaks("two-servers", "somebody-is-late", 2),
            breaks("two-servers", "told-the-truth", 2),
            breaks("one-worker", "one-ending", 2),
            breaks("one-worker", "somebody-is-late", 2),
            breaks("one-worker", "told-the-truth", 2),
            breaks("replay", "one-ending", 1),
            breaks("replay", "somebody-is-late", 1),
            breaks("replay", "told-the-truth", 1),
        ],
    },
    Variant {
        name: "control-forgets-update",
        origin: "negative control",
        about: "SELECT the status; if it is pending, say that it is cancelled",
        breaks: &[
            breaks("cancels", "one-ending", 2),
            breaks("cancels", "somebody-is-late", 2),
            breaks("cancels", "told-the-truth", 1),
            breaks("ship", "one-ending", 1),
            breaks("ship", "somebody-is-late", 1),
            breaks("ship", "told-the-truth", 1),
            breaks("unlocked-writer", "one-ending", 1),
            breaks("unlocked-writer", "told-the-truth", 1),
            breaks("two-servers", "one-ending", 2),
            breaks("two-servers", "somebody-is-late", 2),
            breaks("two-servers", "told-the-truth", 1),
            breaks("one-worker", "one-ending", 2),
            breaks("one-worker", "somebody-is-late", 2),
            breaks("one-worker", "told-the-truth", 1),
            breaks("replay", "one-ending", 1),
            breaks("replay", "somebody-is-late", 1),
            breaks("replay", "told-the-truth", 1),
        ],
    },
    Variant {
        name: "control-guesses-status",
        origin: "negative control",
        about: "conditional-update, and who changes no row is told that it is cancelled, unseen",
        breaks: &[
            breaks("ship", "told-the-truth", 1),
            breaks("unlocked-writer", "told-the-truth", 1),
        ],
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
