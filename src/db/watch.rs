//! First floor, `db`: what a server says of the waits of its sessions. Imports nothing of this crate.

use std::sync::{Arc, Mutex, PoisonError};

/// What a server said of a session's last statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Whose it was, by the order of connecting.
    pub session: usize,
    /// The sessions that it waits for, sorted; `None` where it does not wait, or the server did not say.
    pub waits_for: Option<Vec<usize>>,
    /// Where it was failed for closing a circle of waits: the session, the one that this waits for, and
    /// so on back to the session; `None` where it was not, or the server did not say.
    pub circle: Option<Vec<usize>>,
}

/// Where a database leaves what its server [said](Said), for whoever shows a schedule in it.
#[derive(Clone, Debug, Default)]
pub struct Watch(Arc<Mutex<Option<Said>>>);

impl Watch {
    /// The last that was said, once.
    pub fn take(&self) -> Option<Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    #[cfg(feature = "postgres")]
    pub(super) fn tell(&self, said: Said) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
    }
}
