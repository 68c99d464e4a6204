//! The PostgreSQL server that the tests of a target share; and what is said where there is none.
//! With `TOCTOU_POSTGRES=required`, as in continuous integration, that is a failure.

// Not every target needs all of it.
#![allow(dead_code)]

use std::fmt::Display;
use std::io::{self, Write};

use toctou::db::Cluster;

/// The server that tests share, if there is one; says which test is left out if not.
pub(crate) fn shared(test: &str) -> Option<&'static Cluster> {
    Cluster::shared().map_err(|error| left_out(test, error)).ok()
}

/// A server that one test may kill.
pub(crate) fn own(test: &str) -> Option<Cluster> {
    Cluster::start().map_err(|error| left_out(test, error)).ok()
}

/// One that is reached on a port of this machine as well, by every user of it.
pub(crate) fn own_on(port: u16, test: &str) -> Option<Cluster> {
    Cluster::start_on(port).map_err(|error| left_out(test, error)).ok()
}

/// Says loudly that this was not tried, and why.
pub(crate) fn left_out(what: &str, why: impl Display) {
    let required = std::env::var_os("TOCTOU_POSTGRES").is_some_and(|value| value == "required");
    assert!(!required, "{what}: {why}");
    // Not by `eprintln!`: of a test that passes nobody would see it.
    let _ = writeln!(io::stderr(), "SKIPPED: {what}: {why}");
}
