//! The cell whose exchanges are a look and a store: check, then act.

mod atoms {
    pub(super) use super::super::facade::{Room, Torn as Atomic, constructors};

    super::super::facade::orderings! { Acquire = Acquire, Release = Release }
}

#[allow(clippy::duplicate_mod, reason = "one source, compiled over several facades")]
#[allow(dead_code, unreachable_pub, reason = "what ships has more uses than are tried here")]
#[path = "../../../src/claim_cell/cell.rs"]
mod cell;

pub(super) use cell::ClaimCell;
