//! The cell whose claim acquires nothing.

mod atoms {
    pub(super) use super::super::facade::{Atomic, Room, constructors};

    super::super::facade::orderings! { Acquire = Relaxed, Release = Release }
}

#[allow(clippy::duplicate_mod, reason = "one source, compiled over several facades")]
#[allow(dead_code, unreachable_pub, reason = "what ships has more uses than are tried here")]
#[path = "../../../src/claim_cell/cell.rs"]
mod cell;

pub(super) use cell::ClaimCell;
