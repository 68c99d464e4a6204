//! Top floor, the command: where `run` keeps what it needs for a while. Nothing of it is left, whatever becomes
//! of this process.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

use tempfile::TempDir;

use crate::command::Failure;

/// A directory for all temporary directories of this process. It is removed with this, and if the process is
/// killed, by another that waits for its end.
pub(super) struct Place {
    _directory: TempDir,
    guard: Option<(Child, ChildStdin)>,
}

/// Waits until nobody writes to its input any more, and removes what is left.
const GUARD: &str = "trap '' INT TERM HUP QUIT; while read -r _; do :; done; exec rm -rf -- \"$1\"";

/// Makes the place, for all that asks for a temporary directory from here on.
pub(super) fn make() -> Result<Place, Failure> {
    let base = crate::replay::place();
    let directory =
        tempfile::Builder::new().prefix("toctou-").tempdir_in(&base).map_err(|error| {
            Failure::Usage(format!("cannot make a directory in {}: {error}", base.display()))
        })?;
    let guard = guarded(&directory).ok();
    // SAFETY: no other thread of this process has begun.
    unsafe { std::env::set_var("TMPDIR", directory.path()) };
    Ok(Place { _directory: directory, guard })
}

fn guarded(directory: &TempDir) -> io::Result<(Child, ChildStdin)> {
    let mut guard = Command::new("/bin/sh");
    let guard = guard.args(["-c", GUARD, "sh"]).arg(directory.path()).process_group(0);
    let guard = guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut guard = guard.spawn()?;
    let input = guard.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    Ok((guard, input))
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((mut guard, input)) = self.guard.take() {
            drop(input);
            let _ = guard.wait();
        }
    }
}
