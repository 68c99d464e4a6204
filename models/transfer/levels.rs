//! Four ways to write a transfer at each isolation level. Fourth floor: imports [`db`](crate::db) and the catalogue's vocabulary.

use std::sync::LazyLock;

use super::super::Variant;
use super::bodies::Debit;
use super::{Protocol, RETRIES, SHEET, VERDICTS, Written, protocol};
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
    let mut variants = SHEET.variants.iter().chain(&*BESIDE);
    variants.find(|variant| protocol(variant.name) == Some(wanted))
}

/// Those that have no other name.
static BESIDE: LazyLock<Vec<Variant>> =
    LazyLock::new(|| VERDICTS.variants(include_str!("levels.txt")));
