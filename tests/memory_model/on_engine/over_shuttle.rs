//! Over the atoms of shuttle.

use toctou::atoms::shuttle as over;

#[path = "execution.rs"]
mod execution;

pub(super) use execution::source;
