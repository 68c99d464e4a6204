//! The cell whose put releases nothing.

mod atoms {
    pub(super) use super::super::facade::{Atomic, Room, constructors};

    super::super::facade::orderings! { Acquire = Acquire, Release = Relaxed }
}

#[allow(clippy::duplicate_mod, reason = "one source, compiled over several facades")]
#[allow(dead_code, unreachable_pub, reason = "what ships has more uses than are tried here")]
#[path = "../../../src/claim_cell/cell.rs"]
mod cell;

pub(super) use cell::ClaimCell;
