//! Third floor, `std`: the names of Rust's standard library, over the world of the running exploration or
//! over the real one. Imports [`direct`](crate::direct) and [`fs`](crate::fs).
//!
//! Code under test changes its imports, and nothing else:
//!
//! ```
//! use toctou::check::System;
//! use toctou::direct::Code;
//! use toctou::fs::SimFs;
//! use toctou::std::{fs, io};
//!
//! /// Saves a report, unless there is one.
//! fn save(report: &str) -> io::Result<bool> {
//!     if fs::exists("report")? {
//!         return Ok(false);
//!     }
//!     fs::write("report", report)?;
//!     Ok(true)
//! }
//!
//! System::new(SimFs::new())
//!     .clients(2, Code::io(|| save("all is well")))
//!     .at_most(1, "saved-once", |client| client.output().filter(|saved| **saved == Ok(true)).cloned())
//!     .assert_breaks("saved-once");
//! ```
//!
//! - **Outside of an exploration** each call is the real one. It costs one look at a thread-local
//!   variable.
//! - **Inside**, each call performs exactly the system calls that `std` makes on Linux, one a step,
//!   with their flags and modes. A test runs every function with the real `std` under a trace of
//!   its system calls, and compares.
//! - **A function that is not mirrored does not compile**: there is no name for it here. Nothing
//!   falls through to the real file system silently. In an exploration of another world each call
//!   is refused, and so is a file that was opened outside.
//! - **An absolute path is refused**, with the call and the line. A simulated file system is a
//!   directory, and has no root of the machine.
//! - **`io::copy`** reads and writes here; the one of `std` may use `copy_file_range`.
//!
//! | module | contents |
//! | --- | --- |
//! | [`fs`] | free functions, `File`, `OpenOptions`, `DirBuilder`, `Metadata`, `Permissions`, locks |
//! | [`io`] | all of it: `File` implements its traits |
//! | [`os::unix::fs`] | `symlink`, `chown`, `lchown`, `fchown`, and the extension traits |
//! | [`path`] | `Path` and `PathBuf`, with their queries: `exists`, `is_file`, `canonicalize` and their kind |
//! | [`process`] | `id` |
//! | [`thread`] | `sleep` and `yield_now`: steps that let others go first |

pub mod fs;
pub mod os;
pub mod path;

pub use std::io;

/// Functions of the process.
pub mod process {
    /// The number of this process. Inside of an exploration it is the one that
    /// [`Code::in_process`](crate::direct::Code::in_process) sets, or 1 without it. Identical
    /// clients are threads of one process.
    pub fn id() -> u32 {
        crate::direct::process().unwrap_or_else(std::process::id)
    }
}

/// Functions of the thread.
pub mod thread {
    use std::time::Duration;

    use crate::direct;

    /// Sleeps. Inside of an exploration there is no time.
    ///
    /// There each of a program's first four sleeps is a step that changes nothing: during the sleep
    /// others may do much, or nothing. So a loop that gives up after up to four sleeps is explored
    /// as it is.
    ///
    /// A further sleep lasts until the file system differs from what it was after the sleep before.
    /// So an endless loop has finitely many states. If nobody is left that could change anything,
    /// the sleep lasts for ever, and the check reports a deadlock.
    ///
    /// A loop that gives up after more than four sleeps marks by [`choose`](crate::direct::choose)
    /// where it does.
    #[track_caller]
    pub fn sleep(duration: Duration) {
        if direct::is_running() {
            direct::let_time_pass("sleep");
        } else {
            std::thread::sleep(duration);
        }
    }

    /// Lets others go first. Inside of an exploration it works as [`sleep`].
    #[track_caller]
    pub fn yield_now() {
        if direct::is_running() {
            direct::let_time_pass("yield");
        } else {
            std::thread::yield_now();
        }
    }
}
