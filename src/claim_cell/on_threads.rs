//! Third floor, `claim_cell`: the source over the atomics of real threads that take turns. Imports
//! [`atoms`](crate::atoms).

use crate::atoms::real as atoms;

#[allow(clippy::duplicate_mod, reason = "one source, compiled over each of the facades")]
#[path = "cell.rs"]
mod cell;

pub use cell::ClaimCell;
