//! Over the atoms of loom.

use toctou::atoms::loom as over;

#[path = "execution.rs"]
mod execution;

pub(super) use execution::source;
