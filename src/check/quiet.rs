//! Second floor, `check`: keeps loom's inner workings off the terminal. Imports shuttle only.
//!
//! loom ends each of its threads by a panic of its own (its stack-switching library's `Done`), and
//! silences that by a panic hook. shuttle, once it has run, has a hook in front of that one which
//! announces every panic. Together in one process they print two lines a loom thread.

use std::cell::Cell;
use std::panic;
use std::sync::Once;

thread_local! {
    static IN_LOOM: Cell<bool> = const { Cell::new(false) };
}

/// Runs loom on a thread of its own, on which only panics with a message are announced.
pub(super) fn on_a_quiet_thread(explore: impl FnOnce() + Send) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        // shuttle puts its hook in place when it first runs: let it, so that ours comes before.
        #[cfg(feature = "shuttle")]
        shuttle::check_random(|| {}, 1);
        let announce = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !IN_LOOM.get() || info.payload_as_str().is_some() {
                announce(info);
            }
        }));
    });
    std::thread::scope(|scope| {
        let loom = scope.spawn(|| {
            IN_LOOM.set(true);
            explore();
        });
        if let Err(panic) = loom.join() {
            panic::resume_unwind(panic);
        }
    });
}
