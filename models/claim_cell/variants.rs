//! The variants of `claim_cell` with the verdicts they are known for, and its scenarios. Fourth floor:
//! imports the catalogue's vocabulary.

use super::super::{Breaks, Scenario, Variant};

const fn breaks(scenario: &'static str, property: &'static str, from_size: usize) -> Breaks {
    Breaks { scenario, property, from_size }
}

pub(super) static VARIANTS: &[Variant] = &[
    Variant {
        name: "load-then-store",
        origin: "check, then act",
        about: "load the flag; if it is full, store that it is taken, and read the value",
        breaks: &[
            breaks("full", "at-most-once", 2),
            breaks("full", "exactly-once", 2),
            breaks("full", "no-double-drop", 2),
            breaks("put-later", "at-most-once", 3),
            breaks("put-later", "no-double-drop", 3),
            breaks("two-puts", "at-most-once", 4),
            breaks("two-puts", "no-double-drop", 4),
        ],
    },
    Variant {
        name: "flag-each",
        origin: "announce, then look",
        about: "raise a flag of one's own; if nobody else's is up, take the value",
        breaks: &[
            breaks("full", "at-most-once", 2),
            breaks("full", "exactly-once", 2),
            breaks("full", "no-double-drop", 2),
            breaks("put-later", "at-most-once", 3),
            breaks("put-later", "no-double-drop", 3),
            breaks("two-puts", "at-most-once", 4),
            breaks("two-puts", "no-double-drop", 4),
        ],
    },
    Variant {
        name: "swap-relaxed",
        origin: "one winner, and no order",
        about: "swap the flag, relaxed; who found it full reads the value",
        breaks: &[breaks("put-later", "no-data-race", 2), breaks("two-puts", "no-data-race", 3)],
    },
    Variant {
        name: "compare-exchange",
        origin: "ours; what ClaimCell does",
        about: "exchange full for taken, acquiring what the writer released; who did reads the value",
        breaks: &[],
    },
    Variant {
        name: "mutex-take",
        origin: "the usual advice",
        about: "Mutex<Option<T>>: lock it, and take",
        breaks: &[breaks("two-puts", "put-once", 3)],
    },
    Variant {
        name: "control-forgets-drop",
        origin: "negative control",
        about: "compare-exchange, and the cell is dropped without its value",
        breaks: &[breaks("put-later", "no-leak", 2), breaks("two-puts", "no-leak", 2)],
    },
    Variant {
        name: "control-drops-again",
        origin: "negative control",
        about: "compare-exchange, and the cell drops its value, whoever has it",
        breaks: &[
            breaks("full", "no-double-drop", 2),
            breaks("put-later", "no-double-drop", 2),
            breaks("two-puts", "no-double-drop", 3),
        ],
    },
    Variant {
        name: "control-never-claims",
        origin: "negative control",
        about: "nobody gets anything",
        breaks: &[
            breaks("full", "exactly-once", 2),
            breaks("full", "somebody-claims", 2),
            breaks("put-later", "somebody-claims", 2),
            breaks("two-puts", "somebody-claims", 3),
        ],
    },
];

pub(super) static SCENARIOS: &[Scenario] = &[
    Scenario { name: "full", about: "the value is there, and all threads claim it" },
    Scenario { name: "put-later", about: "one of them puts the value in, the others claim it" },
    Scenario { name: "two-puts", about: "two of them put one in each, the others claim" },
];
