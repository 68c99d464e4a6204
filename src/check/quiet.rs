//! Second floor, `check`: keeps loom's inner workings off the terminal. Imports shuttle only.
//!
//! loom ends each of its threads by a panic of its own (its stack-switching library's `Done`), and
//! silences that by a panic hook. shuttle, once it has run, has a hook in front of that one which
//! announces every panic. Together in one process they print two lines a loom thread.

use std::cell::Cell;
use std::panic;
use std::sync::{Arc, Once};

thread_local! {
    static IN_LOOM: Cell<bool> = const { Cell::new(false) };
    static SILENT: Cell<bool> = const { Cell::new(false) };
    static COMPLAINING: Cell<bool> = const { Cell::new(false) };
}

/// Runs loom or shuttle on a thread of its own, on which no panic is announced: by one they say what they
/// found.
#[cfg(feature = "shuttle")]
pub(super) fn on_a_silent_thread<T: Send>(explore: impl FnOnce() -> T + Send) -> T {
    on_a_quiet_thread(|| {
        SILENT.set(true);
        explore()
    })
}

/// Panics with this, and nothing of shuttle's: its hook takes every panic for one of its own, and tells the
/// schedule of whatever it ran last.
#[track_caller]
pub(super) fn complain(complaint: &str) -> ! {
    hook();
    COMPLAINING.set(true);
    panic!("{complaint}")
}

/// Runs loom on a thread of its own, on which only panics with a message are announced.
pub(super) fn on_a_quiet_thread<T: Send>(explore: impl FnOnce() -> T + Send) -> T {
    hook();
    std::thread::scope(|scope| {
        let loom = scope.spawn(|| {
            IN_LOOM.set(true);
            explore()
        });
        loom.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

/// Puts our hook in place, before all others.
fn hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        type Hook = dyn Fn(&panic::PanicHookInfo<'_>) + Send + Sync;
        let plain: Arc<Hook> = Arc::from(panic::take_hook());
        let last = plain.clone();
        panic::set_hook(Box::new(move |info| last(info)));
        // shuttle puts its hook in place when it first runs: let it, so that ours comes before.
        #[cfg(feature = "shuttle")]
        shuttle::check_random(|| {}, 1);
        let announce = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if COMPLAINING.take() {
                plain(info);
            } else if !SILENT.get() && (!IN_LOOM.get() || info.payload_as_str().is_some()) {
                announce(info);
            }
        }));
    });
}
