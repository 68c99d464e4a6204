//! Second floor, `check`: which panics are announced on the terminal. Imports shuttle only.
//!
//! A step that panics is a finding, reported with its schedule. The announcement of the panic on
//! the terminal would only repeat it, once for each engine, from inside the engine.
//!
//! loom ends each of its threads by a panic of its own (its stack-switching library's `Done`), and
//! silences it by a panic hook. shuttle, once it has run, has a hook in front of that one, which
//! announces every panic. Together in one process they print two lines for each loom thread.

use std::cell::{Cell, RefCell};
use std::panic;
use std::sync::{Arc, Once};

thread_local! {
    static IN_LOOM: Cell<bool> = const { Cell::new(false) };
    static SILENT: Cell<bool> = const { Cell::new(false) };
    static COMPLAINING: Cell<bool> = const { Cell::new(false) };
    static IN_STEP: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The thread is inside of a step until this is dropped. A panic is then not announced, and its
/// place is kept.
pub(super) struct Inside {
    before: bool,
}

impl Inside {
    pub(super) fn step() -> Self {
        silence();
        Inside { before: IN_STEP.replace(true) }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        IN_STEP.set(self.before);
    }
}

/// Where the last panic inside of a step was: `src/claim.rs:41:9`. The call also forgets it.
pub(super) fn place() -> Option<String> {
    PLACE.take()
}

/// Runs loom or shuttle on a thread of its own, on which no panic is announced: they use a panic to
/// report what they found.
#[cfg(all(feature = "loom", feature = "shuttle"))]
pub(super) fn on_a_silent_thread<T: Send>(explore: impl FnOnce() -> T + Send) -> T {
    on_a_quiet_thread(|| {
        SILENT.set(true);
        explore()
    })
}

/// Does something in which no panic is announced: whoever catches it tells of it.
#[cfg(feature = "run")]
pub(crate) fn quietly<T>(act: impl FnOnce() -> T) -> T {
    let _inside = Inside::step();
    act()
}

/// Panics with this complaint and nothing of shuttle's. shuttle's hook takes every panic for its
/// own, and reports the schedule of its last execution.
#[track_caller]
pub(super) fn complain(complaint: &str) -> ! {
    hook();
    COMPLAINING.set(true);
    panic!("{complaint}")
}

/// Runs loom on a thread of its own, on which only panics with a message are announced.
#[cfg(feature = "loom")]
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

/// Keeps panics inside of a step off the terminal, whatever hook there is.
fn silence() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !is_inside(info) {
                before(info);
            }
        }));
    });
}

/// Whether the panic is one inside of a step. Its place is kept.
fn is_inside(info: &panic::PanicHookInfo<'_>) -> bool {
    let inside = IN_STEP.get();
    if inside {
        PLACE.set(info.location().map(ToString::to_string));
    }
    inside
}

/// Puts this module's hook before all others. One of them is shuttle's, which takes every panic for
/// its own. So call it only before loom or shuttle runs.
pub(super) fn hook() {
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
            if is_inside(info) {
                // It is told with the schedule.
            } else if COMPLAINING.take() {
                plain(info);
            } else if !SILENT.get() && (!IN_LOOM.get() || info.payload_as_str().is_some()) {
                announce(info);
            }
        }));
    });
}
