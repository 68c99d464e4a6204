//! Power failures: what each profile lets survive, against published litmus tests, against a second
//! implementation, against each other, and against the ext4 of the kernel.

#![cfg(unix)]

#[cfg(target_os = "linux")]
mod device;
#[cfg(target_os = "linux")]
mod ext4;
mod litmus;
mod naive;
mod programs;
mod system;
#[cfg(target_os = "linux")]
#[path = "../tries/mod.rs"]
mod tries;
