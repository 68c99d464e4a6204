//! Public race reports, checked as ordinary code: each with what was published as its fixes.
//!
//! ```text
//! cargo run --release --example reports      # verdicts, pictures, and the kernel
//! cargo test --example reports
//! ```
//!
//! A variant is the published code, over [`toctou::std`] where it works on files. What is found
//! here is said at the head of each module; the tests hold it.

mod between_awaits;
mod lock_file;
mod make_all;
mod remove_tree;
mod temporary_name;

use toctou::case::{Case, FsCase};
use toctou::check::{System, Value};
use toctou::direct::{Code, Files};
use toctou::fs::{SimFile, SimFs};
use toctou::replay::Threads;

/// A system of ordinary code over files.
type Program<T> = System<SimFs, Code<Files<SimFile>, T>>;

/// Tells what is found, and makes each counterexample happen on the kernel.
fn tell<T: Value>(name: &str, system: impl Fn() -> Program<T>) {
    println!("{name}: {}", system().examine());
    let case = FsCase::direct(system());
    for schedule in case.counterexamples() {
        match case.replay(&schedule, Threads::OneEach) {
            Ok(compared) if compared.agrees() => {
                println!("  {schedule} on the kernel: as simulated")
            }
            Ok(_) => println!("  {schedule} on the kernel: OTHERWISE"),
            Err(error) => println!("  {schedule} on the kernel: not replayed, {error}"),
        }
    }
}

fn main() {
    make_all::tell();
    lock_file::tell();
    temporary_name::tell();
    between_awaits::tell();
    remove_tree::tell();
}

/// That every counterexample happens on the kernel.
#[cfg(test)]
fn assert_replayed<T: Value>(system: Program<T>) {
    let case = FsCase::direct(system);
    let counterexamples = case.counterexamples();
    assert!(!counterexamples.is_empty(), "it breaks");
    for schedule in counterexamples {
        let compared = case.replay(&schedule, Threads::OneEach).expect("it can be replayed");
        assert!(compared.agrees(), "{compared:#?}");
    }
}
