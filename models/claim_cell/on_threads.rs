//! `claim_cell` over real threads' atomics. Fourth floor: imports [`atoms`](crate::atoms) and
//! [`claim_cell`](crate::claim_cell).

use crate::atoms::real as atoms;
use crate::claim_cell::on_threads::ClaimCell as Ships;

#[allow(clippy::duplicate_mod, reason = "one source, compiled over each of the facades")]
#[path = "execution.rs"]
mod execution;

pub(super) use execution::execute;
