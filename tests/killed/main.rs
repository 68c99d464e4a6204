//! kill −9 for real: processes that drive the store and the writer are stopped before each of their system
//! calls, in every order or in a random one, and some of them are killed there. The simulation performs the
//! same schedule. Their calls, their answers, the files that are left, the recovery and a last claim are
//! compared.
//!
//! The test has a main function of its own: only a process without other threads can be forked and goes on as
//! it was.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod draw;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod real;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod roles;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod schedule;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod simulated;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tests;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod traced;

fn main() {
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    tests::main();
}
