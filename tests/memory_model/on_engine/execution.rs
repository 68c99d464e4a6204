//! One execution, over the atoms that the module above it brings along.

#[path = "../interpret.rs"]
mod interpret;

use std::sync::Arc;

use interpret::Memory;
use toctou::check::threads::Run;

use super::over::{perform, thread};
use crate::program::Program;

/// What the interpreter needs of the atoms, under the names of the standard library.
mod atoms {
    use toctou::atoms::Word;

    use super::super::over::{Atomic, Ordering, Room};

    /// A number.
    struct Number;

    impl Word for Number {
        const NAMES: &'static [&'static str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    }

    pub(super) struct AtomicU8(Atomic<Number>);

    impl AtomicU8 {
        pub(super) fn new(value: u8) -> Self {
            AtomicU8(Atomic::new(value))
        }

        pub(super) fn load(&self, order: Ordering) -> u8 {
            self.0.load(order)
        }

        pub(super) fn store(&self, value: u8, order: Ordering) {
            self.0.store(value, order);
        }

        pub(super) fn swap(&self, value: u8, order: Ordering) -> u8 {
            self.0.swap(value, order)
        }

        pub(super) fn compare_exchange(
            &self,
            from: u8,
            to: u8,
            success: Ordering,
            failure: Ordering,
        ) -> Result<u8, u8> {
            self.0.compare_exchange(from, to, success, failure)
        }

        pub(super) fn fetch_add(&self, _: u8, _: Ordering) -> u8 {
            unreachable!("the atoms have none")
        }

        pub(super) fn compare_exchange_weak(
            &self,
            _: u8,
            _: u8,
            _: Ordering,
            _: Ordering,
        ) -> Result<u8, u8> {
            unreachable!("the atoms have none")
        }
    }

    pub(super) fn fence(_: Ordering) {
        unreachable!("the atoms have none")
    }

    pub(super) struct Payload(Room<u8>);

    // SAFETY: the engines run one thread at a time, and loom's panics where an access is not ordered.
    unsafe impl Sync for Payload {}

    impl Payload {
        pub(super) fn new() -> Self {
            Payload(Room::full(0))
        }

        pub(super) fn read(&self) -> u8 {
            // SAFETY: it is full. For the rest the engine is asked.
            unsafe { self.0.take() }
        }

        pub(super) fn write(&self, value: u8) {
            // SAFETY: as above.
            unsafe { self.0.write(value) };
        }
    }
}

/// Runs the program once. Each actor ends with what it read.
pub(in super::super) fn source(program: Arc<Program>) -> Run {
    Arc::new(move || {
        let memory = Arc::new(Memory::new());
        let mut acts = (0..program.threads.len()).map(|actor| {
            let (program, memory) = (program.clone(), memory.clone());
            move || {
                perform(actor, || {
                    let read = memory.run(&program.threads[actor]);
                    memory.outcome(&program, &[read])
                });
            }
        });
        let first = acts.next();
        // All of them, before the first acts.
        let others: Vec<_> = acts.map(thread::spawn).collect();
        if let Some(act) = first {
            act();
        }
        for thread in others {
            thread.join().expect("no thread panics");
        }
    })
}
