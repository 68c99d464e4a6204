//! Four ways to write a transfer at each isolation level, and the verdicts of those that are no
//! variant. Fourth floor: imports [`db`](crate::db) and the catalogue's vocabulary.

use super::super::Variant;
use super::bodies::Debit;
use super::variants::{KNOWN, VARIANTS};
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
    KNOWN.variant("check-then-debit at READ COMMITTED, retried", ORIGIN, CHECKS),
    KNOWN.variant("conditional-debit at REPEATABLE READ", ORIGIN, CONDITION),
    KNOWN.variant("conditional-debit at REPEATABLE READ, retried", ORIGIN, CONDITION),
    KNOWN.variant("conditional-debit at SERIALIZABLE", ORIGIN, CONDITION),
    KNOWN.variant("conditional-debit at SERIALIZABLE, retried", ORIGIN, CONDITION),
    KNOWN.variant("ordered at autocommit", ORIGIN, ORDERED),
    KNOWN.variant("ordered at READ COMMITTED, retried", ORIGIN, ORDERED),
    KNOWN.variant("ordered at REPEATABLE READ", ORIGIN, ORDERED),
    KNOWN.variant("ordered at REPEATABLE READ, retried", ORIGIN, ORDERED),
    KNOWN.variant("ordered at SERIALIZABLE", ORIGIN, ORDERED),
    KNOWN.variant("ordered at SERIALIZABLE, retried", ORIGIN, ORDERED),
    KNOWN.variant("select-for-update at READ COMMITTED, retried", ORIGIN, LOCKED),
    KNOWN.variant("select-for-update at REPEATABLE READ", ORIGIN, LOCKED),
    KNOWN.variant("select-for-update at REPEATABLE READ, retried", ORIGIN, LOCKED),
    KNOWN.variant("select-for-update at SERIALIZABLE", ORIGIN, LOCKED),
    KNOWN.variant("select-for-update at SERIALIZABLE, retried", ORIGIN, LOCKED),
];
