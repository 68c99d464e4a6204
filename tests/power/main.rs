//! Power failures: what each profile lets survive, against published litmus tests, against a second
//! implementation, and against each other.

#![cfg(unix)]

mod litmus;
mod naive;
mod programs;
mod system;
