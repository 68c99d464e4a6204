//! Third floor, `claim_cell`: the source over loom's atomics. Imports
//! [`atoms`](crate::atoms).

use crate::atoms::loom as atoms;

#[allow(clippy::duplicate_mod, reason = "one source, compiled over each of the facades")]
#[path = "cell.rs"]
mod cell;

pub use cell::ClaimCell;
