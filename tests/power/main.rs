//! Power failures: what each profile lets survive, against published litmus tests, against a second
//! implementation, and against each other.

#![cfg(unix)]

#[cfg(target_os = "linux")]
mod device;
#[cfg(target_os = "linux")]
mod ext4;
mod litmus;
mod naive;
mod programs;
mod system;
