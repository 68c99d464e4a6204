//! Proves check-then-act code exactly-once, or shows the interleaving that breaks it.

#[cfg(feature = "command")]
pub mod case;
pub mod check;
pub mod fs;
#[cfg(feature = "command")]
#[path = "../models/mod.rs"]
pub mod models;
mod process;
#[cfg(feature = "command")]
pub mod replay;
#[cfg(feature = "command")]
pub mod report;
pub mod store;
#[cfg(feature = "command")]
pub mod survey;

pub use process::{Process, Step, run};
