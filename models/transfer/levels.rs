//! Four ways to write a transfer at each isolation level. Fourth floor: imports [`db`](crate::db) and
//! the catalogue's vocabulary.

use std::sync::LazyLock;

use super::super::Variant;
use super::{Protocol, RETRIES, SHEET, VERDICTS, protocol};
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
    let (isolation, retries) = match level.strip_suffix(", retried") {
        Some(isolation) => (isolation, RETRIES),
        None => (level, 0),
    };
    if level == "autocommit" {
        return Some(Way::AUTOCOMMIT);
    }
    let isolation = Isolation::ALL.into_iter().find(|known| known.sql() == isolation)?;
    Some(Way::within(isolation).retrying(retries))
}

/// The protocol that is called `ordered at SERIALIZABLE`, say.
pub(super) fn called(name: &str) -> Option<Protocol> {
    let (body, level) = name.split_once(" at ")?;
    let body = BODIES.contains(&body).then(|| protocol(body))??;
    Some(Protocol { way: way(level)?, ..body })
}

/// The variant that is this body at this level, by whatever name.
pub(super) fn at(body: &str, level: &str) -> Option<&'static Variant> {
    let wanted = called(&format!("{body} at {level}"))?;
    let mut variants = SHEET.variants.iter().chain(&*BESIDE);
    variants.find(|variant| protocol(variant.name) == Some(wanted))
}

/// Those that have no other name.
static BESIDE: LazyLock<Vec<Variant>> =
    LazyLock::new(|| VERDICTS.variants(include_str!("levels.txt")));
