//! kill −9 for real: processes that drive the store and the writer are stopped before each of their system
//! calls, in every order or in a random one. Some of them are killed there. The simulation performs the
//! same schedule. Their calls, their answers, the files that are left, the recovery and a last claim are
//! compared.
//!
//! The test has a main function of its own, because a process is forked for each role of each schedule: that
//! is quick, and safe where there is no other thread.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod draw;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod real;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod roles;
mod runner;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod schedule;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod shipped;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod simulated;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tests;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod traced;

use std::process::ExitCode;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn main() -> ExitCode {
    // The umask of the simulation.
    rustix::process::umask(rustix::fs::Mode::WGRP | rustix::fs::Mode::WOTH);
    let code = runner::run(tests::ALL);
    assert!(!traced::has_children(), "no process is left");
    code
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() -> ExitCode {
    runner::run(&[])
}
