//! `ClaimCell` as it ships: on real threads, against a model of it, with values of every kind; and its
//! very source over loom's atomics, with one ordering weaker at a time.

mod crowd;
mod dropped;
mod ledger;
mod model;
mod over_loom;
mod types;

/// Where the source of the cell looks for it.
use toctou::atoms;
