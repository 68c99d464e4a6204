//! Threads that are somebody else, or have a small disk of their own.

use std::panic::resume_unwind;
use std::path::Path;
use std::process::Command;
use std::thread;

use rustix::thread::UnshareFlags;
use toctou::fs::{OsFs, User, Users};

/// Runs `work` on a thread whose working directory and mounts are its own; `None` where that is not
/// allowed.
fn apart<T: Send>(flags: UnshareFlags, work: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let worker = scope.spawn(|| {
            // SAFETY: only the table of descriptors must not be parted from other threads', and is
            // not.
            unsafe { rustix::thread::unshare_unsafe(flags) }.ok()?;
            Some(work())
        });
        worker.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Does `work` as a user that owns nothing; says so loudly where there is none to be had.
pub(crate) fn as_nobody(told: &str, work: impl FnOnce() + Send) {
    let done = User::current().is_root().then(|| {
        apart(UnshareFlags::FS, || {
            let world = OsFs::open("/").expect("it is there");
            (&world).act_as(User::numbered(65534)).map(|_| work()).is_ok()
        })
    });
    if done.flatten() != Some(true) {
        eprintln!("SKIPPED: {told}: only root can act as another user");
    }
}

/// Does `work` with an own tmpfs at a directory; says so loudly where that is not allowed.
pub(crate) fn with_tmpfs(told: &str, options: &str, work: impl FnOnce(&Path) + Send) {
    let folder = tempfile::tempdir().expect("there is a place for temporary directories");
    let mount = |arguments: &[&str]| {
        let output = Command::new("mount").args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    let path = folder.path().to_str().expect("it is text");
    let done = apart(UnshareFlags::FS | UnshareFlags::NEWNS, || {
        let mounted = mount(&["--make-rprivate", "/"])
            && mount(&["-t", "tmpfs", "-o", options, "none", path]);
        if mounted {
            work(folder.path());
        }
        mounted
    });
    if done != Some(true) {
        eprintln!("SKIPPED: {told}: no mounts of one's own are allowed here");
    }
}
