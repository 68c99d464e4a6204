//! First floor, `db`: whether this thread may wait for a server. Imports its neighbours in `db`, and tokio.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

use super::super::{SqlError, SqlState};

/// [`FEATURE_NOT_SUPPORTED`](SqlState::FEATURE_NOT_SUPPORTED) on a thread that runs asynchronous tasks:
/// while it waited for a server none of them would go on, and tokio panics at the attempt. A thread for
/// blocking is of a runtime, too, and may wait.
pub(super) fn may_block() -> Result<(), SqlError> {
    if Handle::try_current().is_err() {
        return Ok(());
    }
    // There is no way to ask, only to try, with what has nothing to wait for.
    static PROBE: OnceLock<Option<Runtime>> = OnceLock::new();
    let Some(probe) = PROBE.get_or_init(|| Builder::new_current_thread().build().ok()) else {
        return Ok(());
    };
    catch_unwind(AssertUnwindSafe(|| probe.block_on(async {}))).map_err(|_| {
        let said = "this thread runs asynchronous tasks, and none of them would go on while it waits: \
                    call from a thread for blocking (tokio's spawn_blocking, Actix's web::block)";
        SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, said)
    })
}
