//! What each isolation level makes of four ways to write a transfer. Fourth floor: imports
//! [`db`](crate::db) and the catalogue's vocabulary.
//!
//! Some of these are variants of the catalogue by another name (`conditional-debit` at autocommit is
//! `two-statements`); the others stand here, with the verdicts that they are known for.

use super::super::Variant;
use super::bodies::Debit;
use super::variants::{VARIANTS, breaks};
use super::{Protocol, RETRIES, Written, protocol};
use crate::db::{Isolation, Way};

/// How a transfer can be written, for every level.
pub const BODIES: [&str; 4] =
    ["check-then-debit", "conditional-debit", "ordered", "select-for-update"];

/// The levels, without and with a retry loop.
pub(super) const LEVELS: [&str; 7] = [
    "autocommit",
    "READ COMMITTED",
    "READ COMMITTED, retried",
    "REPEATABLE READ",
    "REPEATABLE READ, retried",
    "SERIALIZABLE",
    "SERIALIZABLE, retried",
];

fn way(level: &str) -> Option<Way> {
    let (isolation, retried) = match level.strip_suffix(", retried") {
        Some(isolation) => (isolation, true),
        None => (level, false),
    };
    let way = match isolation {
        "autocommit" if !retried => return Some(Way::AUTOCOMMIT),
        "READ COMMITTED" => Way::within(Isolation::ReadCommitted),
        "REPEATABLE READ" => Way::within(Isolation::RepeatableRead),
        "SERIALIZABLE" => Way::within(Isolation::Serializable),
        _ => return None,
    };
    Some(if retried { way.retrying(RETRIES) } else { way })
}

fn written(body: &str) -> Option<Written> {
    Some(match body {
        "check-then-debit" => Written::Checked(Debit::Set),
        "conditional-debit" => Written::Checked(Debit::Conditional),
        "ordered" => Written::Ordered,
        "select-for-update" => Written::Checked(Debit::Locked),
        _ => return None,
    })
}

/// The protocol that is called `ordered at SERIALIZABLE`, say.
pub(super) fn called(name: &str) -> Option<Protocol> {
    let (body, level) = name.split_once(" at ")?;
    Some(Protocol::new(written(body)?, way(level)?))
}

/// The variant that is this body at this level, by whatever name.
pub(super) fn at(body: &str, level: &str) -> Option<&'static Variant> {
    let wanted = Protocol::new(written(body)?, way(level)?);
    let mut variants = VARIANTS.iter().chain(BESIDE);
    variants.find(|variant| protocol(variant.name) == Some(wanted))
}

const ORIGIN: &str = "at another level";
const CHECKS: &str = "SELECT the balance; UPDATE it to what was read minus the amount; credit";
const CONDITION: &str = "UPDATE … WHERE balance >= amount; credit";
const ORDERED: &str = "conditional-debit, the account of the smaller id first";
const LOCKED: &str = "SELECT both customers' accounts FOR UPDATE; debit; credit";

/// Those that have no other name. `select-for-update` at autocommit is not among them: its lock is free
/// again right after the statement.
static BESIDE: &[Variant] = &[
    Variant {
        name: "check-then-debit at READ COMMITTED, retried",
        origin: ORIGIN,
        about: CHECKS,
        breaks: &[
            breaks("out", "conserved-at-every-commit", 2),
            breaks("out", "money-conserved", 2),
            breaks("out", "told-the-truth", 2),
            breaks("both-ways", "conserved-at-every-commit", 2),
            breaks("both-ways", "money-conserved", 2),
            breaks("both-ways", "told-the-truth", 2),
            breaks("both-ways", "no-server-error", 2),
            breaks("sum", "no-overdraft", 2),
            breaks("sum", "conserved-at-every-commit", 3),
            breaks("sum", "money-conserved", 3),
            breaks("sum", "told-the-truth", 3),
            breaks("crash", "conserved-at-every-commit", 2),
            breaks("crash", "money-conserved", 2),
            breaks("crash", "told-the-truth", 2),
        ],
    },
    Variant {
        name: "conditional-debit at REPEATABLE READ",
        origin: ORIGIN,
        about: CONDITION,
        breaks: &[
            breaks("out", "no-server-error", 2),
            breaks("both-ways", "no-server-error", 2),
            breaks("sum", "no-overdraft", 2),
            breaks("sum", "no-server-error", 3),
            breaks("crash", "no-server-error", 2),
        ],
    },
    Variant {
        name: "conditional-debit at REPEATABLE READ, retried",
        origin: ORIGIN,
        about: CONDITION,
        breaks: &[breaks("both-ways", "no-server-error", 2), breaks("sum", "no-overdraft", 2)],
    },
    Variant {
        name: "conditional-debit at SERIALIZABLE",
        origin: ORIGIN,
        about: CONDITION,
        breaks: &[
            breaks("out", "no-server-error", 2),
            breaks("both-ways", "no-server-error", 2),
            breaks("sum", "no-server-error", 2),
            breaks("crash", "no-server-error", 2),
        ],
    },
    Variant {
        name: "conditional-debit at SERIALIZABLE, retried",
        origin: ORIGIN,
        about: CONDITION,
        breaks: &[breaks("both-ways", "no-server-error", 2)],
    },
    Variant {
        name: "ordered at autocommit",
        origin: ORIGIN,
        about: ORDERED,
        breaks: &[
            breaks("out", "conserved-at-every-commit", 1),
            breaks("both-ways", "conserved-at-every-commit", 1),
            breaks("crash", "conserved-at-every-commit", 1),
            breaks("crash", "money-conserved", 1),
            breaks("crash", "told-the-truth", 1),
        ],
    },
    Variant {
        name: "ordered at READ COMMITTED, retried",
        origin: ORIGIN,
        about: ORDERED,
        breaks: &[],
    },
    Variant {
        name: "ordered at REPEATABLE READ",
        origin: ORIGIN,
        about: ORDERED,
        breaks: &[
            breaks("out", "no-server-error", 2),
            breaks("both-ways", "no-server-error", 2),
            breaks("crash", "no-server-error", 2),
        ],
    },
    Variant {
        name: "ordered at REPEATABLE READ, retried",
        origin: ORIGIN,
        about: ORDERED,
        breaks: &[],
    },
    Variant {
        name: "ordered at SERIALIZABLE",
        origin: ORIGIN,
        about: ORDERED,
        breaks: &[
            breaks("out", "no-server-error", 2),
            breaks("both-ways", "no-server-error", 2),
            breaks("crash", "no-server-error", 2),
        ],
    },
    Variant {
        name: "ordered at SERIALIZABLE, retried",
        origin: ORIGIN,
        about: ORDERED,
        breaks: &[],
    },
    Variant {
        name: "select-for-update at READ COMMITTED, retried",
        origin: ORIGIN,
        about: LOCKED,
        breaks: &[],
    },
    Variant {
        name: "select-for-update at REPEATABLE READ",
        origin: ORIGIN,
        about: LOCKED,
        breaks: &[
            breaks("out", "no-server-error", 2),
            breaks("both-ways", "no-server-error", 2),
            breaks("sum", "no-server-error", 2),
            breaks("crash", "no-server-error", 2),
        ],
    },
    Variant {
        name: "select-for-update at REPEATABLE READ, retried",
        origin: ORIGIN,
        about: LOCKED,
        breaks: &[],
    },
    Variant {
        name: "select-for-update at SERIALIZABLE",
        origin: ORIGIN,
        about: LOCKED,
        breaks: &[
            breaks("out", "no-server-error", 2),
            breaks("both-ways", "no-server-error", 2),
            breaks("sum", "no-server-error", 2),
            breaks("crash", "no-server-error", 2),
        ],
    },
    Variant {
        name: "select-for-update at SERIALIZABLE, retried",
        origin: ORIGIN,
        about: LOCKED,
        breaks: &[],
    },
];
