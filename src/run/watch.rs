//! Third floor, `run`: who runs for too long is killed. Imports libc only.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use libc::pid_t;

/// A process group that is killed at its time.
struct Watched {
    group: pid_t,
    until: Instant,
    killed: Arc<AtomicBool>,
}

/// As long as it is there, the group is watched.
#[derive(Debug)]
pub(super) struct Watch {
    group: pid_t,
    killed: Arc<AtomicBool>,
}

fn watched() -> &'static Mutex<Vec<Watched>> {
    static WATCHED: OnceLock<Mutex<Vec<Watched>>> = OnceLock::new();
    WATCHED.get_or_init(|| {
        // One thread for all: it sleeps while nobody is late.
        let _ = thread::Builder::new().name("toctou-watch".into()).spawn(|| {
            loop {
                thread::sleep(Duration::from_millis(100));
                let now = Instant::now();
                let all = watched().lock().unwrap_or_else(PoisonError::into_inner);
                for late in all.iter().filter(|it| it.until <= now) {
                    late.killed.store(true, Ordering::Relaxed);
                    // SAFETY: no memory is touched. The group is there: it is watched until it is reaped.
                    unsafe { libc::kill(-late.group, libc::SIGKILL) };
                }
            }
        });
        Mutex::new(Vec::new())
    })
}

impl Watch {
    pub(super) fn new(group: pid_t, patience: Duration) -> Watch {
        let killed = Arc::new(AtomicBool::new(false));
        let until = Instant::now() + patience;
        let mut all = watched().lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Watched { group, until, killed: killed.clone() });
        Watch { group, killed }
    }

    /// Another group goes on in its place, in the time that is left.
    pub(super) fn moves_to(&mut self, group: pid_t) {
        let mut all = watched().lock().unwrap_or_else(PoisonError::into_inner);
        for watched in all.iter_mut().filter(|it| it.group == self.group) {
            watched.group = group;
        }
        self.group = group;
    }

    /// Whether it was killed for being late.
    pub(super) fn killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut all = watched().lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|it| it.group != self.group);
    }
}
