//! Second floor, `check`: room on the stack, wherever a harness runs a machine. Imports corosensei.
//!
//! loom's threads have 32 KiB of stack and shuttle's 60, and nothing can change the stack of loom's
//! main thread. A machine needs more if the compiler has not optimised it, or if it has a buffer
//! among its variables. So the system's own code runs on a stack as large as that of an ordinary
//! thread.

use std::cell::Cell;

use corosensei::on_stack;
use corosensei::stack::DefaultStack;

/// As much as `std::thread` gives. The system hands out a page of it when that is first used.
const SIZE: usize = 2 << 20;

thread_local! {
    /// The stack that was used last, if nobody is on it.
    static FREE: Cell<Option<DefaultStack>> = const { Cell::new(None) };
}

/// Gives the stack back, also if what ran on it panics.
struct Used(Option<DefaultStack>);

impl Drop for Used {
    fn drop(&mut self) {
        FREE.set(self.0.take());
    }
}

/// Runs this on a stack with room; here, if the system has none to give.
pub(super) fn with_room<T>(run: impl FnOnce() -> T) -> T {
    // Out of its place while it is in use: what runs on it may be switched away from, or come back here.
    match FREE.take().map_or_else(|| DefaultStack::new(SIZE), Ok) {
        Ok(stack) => {
            let mut used = Used(Some(stack));
            match &mut used.0 {
                Some(stack) => on_stack(stack, run),
                None => run(),
            }
        }
        Err(_) => run(),
    }
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::ptr;

    use super::*;

    fn here() -> usize {
        let marker = 0_u8;
        ptr::from_ref(black_box(&marker)).addr()
    }

    #[test]
    fn a_stack_is_used_again_and_never_by_two_at_once() {
        let first = with_room(here);
        assert_eq!(with_room(here), first);
        assert!(first.abs_diff(here()) > SIZE / 2, "it is another than this one");
        let (outer, inner) = with_room(|| (here(), with_room(here)));
        assert!(outer.abs_diff(inner) >= SIZE / 2, "{outer:#x} {inner:#x}");
    }

    #[test]
    fn a_panic_comes_through_and_leaves_the_stack() {
        let first = with_room(here);
        let panicked = catch_unwind(AssertUnwindSafe(|| with_room(|| panic!("as it says"))));
        let told = panicked.expect_err("it panics");
        assert_eq!(told.downcast_ref::<&str>(), Some(&"as it says"));
        assert_eq!(with_room(here), first);
    }
}
