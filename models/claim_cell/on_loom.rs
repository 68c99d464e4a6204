//! `claim_cell` over loom's atomics. Fourth floor: imports [`atoms`](crate::atoms) and
//! [`claim_cell`](crate::claim_cell).

use crate::atoms::loom as atoms;
use crate::claim_cell::on_loom::ClaimCell as Ships;

#[allow(clippy::duplicate_mod, reason = "one source, compiled over each of the facades")]
#[path = "execution.rs"]
mod execution;

pub(super) use execution::execute;
