//! The variants of `claim_cell` with the verdicts they are known for, and its scenarios. Fourth floor:
//! imports the catalogue's vocabulary.

use super::super::{Scenario, Variant, Verdicts};

static KNOWN: Verdicts = Verdicts::new(include_str!("verdicts.txt"));

pub(super) static VARIANTS: &[Variant] = &[
    KNOWN.variant(
        "load-then-store",
        "check, then act",
        "load the flag; if it is full, store that it is taken, and read the value",
    ),
    KNOWN.variant(
        "flag-each",
        "announce, then look",
        "raise a flag of one's own; if nobody else's is up, take the value",
    ),
    KNOWN.variant(
        "swap-relaxed",
        "one winner, and no order",
        "swap the flag, relaxed; who found it full reads the value",
    ),
    KNOWN.variant(
        "compare-exchange",
        "ours; what ClaimCell does",
        "exchange full for taken, acquiring what the writer released; who did reads the value",
    ),
    KNOWN.variant("mutex-take", "the usual advice", "Mutex<Option<T>>: lock it, and take"),
    KNOWN.variant(
        "control-forgets-drop",
        "negative control",
        "compare-exchange, and the cell is dropped without its value",
    ),
    KNOWN.variant(
        "control-drops-again",
        "negative control",
        "compare-exchange, and the cell drops its value, whoever has it",
    ),
    KNOWN.variant("control-never-claims", "negative control", "nobody gets anything"),
];

pub(super) static SCENARIOS: &[Scenario] = &[
    Scenario { name: "full", about: "the value is there, and all threads claim it" },
    Scenario { name: "put-later", about: "one of them puts the value in, the others claim it" },
    Scenario { name: "two-puts", about: "two of them put one in each, the others claim" },
];
