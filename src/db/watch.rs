//! First floor, `db`: what a server said of its sessions' waits. Imports nothing of this crate.

use std::sync::{Arc, Mutex, PoisonError};

/// What a server said about a session's last statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The session, by the order of connecting.
    pub session: usize,
    /// The sessions that this one waits for, sorted; `None` if it does not wait, or the server did
    /// not say.
    pub waits_for: Option<Vec<usize>>,
    /// The deadlock, if the session failed because it closed a cycle of waits: this session, the
    /// one that it waits for, and so on back to this session. `None` if it did not fail so, or the
    /// server did not say.
    pub circle: Option<Vec<usize>>,
}

/// Where a database leaves what its server [said](Said), for code that shows a schedule.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<Mutex<Option<Said>>>);

impl Watch {
    /// Takes the last thing said; it is answered once.
    pub fn take(&self) -> Option<Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    #[cfg(feature = "postgres")]
    pub(super) fn tell(&self, said: Said) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
    }
}
