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
//! - **Outside of an exploration** each call is the real one. It costs one look at a variable of the thread.
//! - **Inside**, each is exactly the system calls that `std` makes on Linux, one a step, with their flags and
//!   modes. A test runs every function with the real `std` under a trace of its system calls, and compares.
//! - **What is not mirrored does not compile**: there is no name for it here. Nothing falls through to the
//!   real file system silently: in an exploration of another world each call is refused, and so is a file that
//!   was opened outside. An absolute path is refused, with the call and the line: a simulated file
//!   system is a directory, and has no root of the machine.
//! - **`io::copy`** reads and writes here, where the one of `std` may use `copy_file_range`.
//!
//! | module | what is there |
//! | --- | --- |
//! | [`fs`] | free functions, `File`, `OpenOptions`, `DirBuilder`, `Metadata`, `Permissions`, locks |
//! | [`io`] | all of it: `File` implements its traits |
//! | [`os::unix::fs`] | `symlink`, and the extension traits |
//! | [`path`] | `Path` and `PathBuf`, with what they ask: `exists`, `is_file`, `canonicalize` and their kind |
//! | [`process`] | `id` |
//! | [`thread`] | `sleep` and `yield_now`: steps that let others go first |

pub mod fs;
pub mod os;
pub mod path;

pub use std::io;

/// What concerns the process.
pub mod process {
    /// The number of this process: inside of an exploration the one that
    /// [`Code::in_process`](crate::direct::Code::in_process) says, and 1 without. Identical clients are threads of
    /// one process.
    pub fn id() -> u32 {
        crate::direct::process().unwrap_or_else(std::process::id)
    }
}

/// What concerns the thread.
pub mod thread {
    use std::time::Duration;

    use crate::direct;

    /// Waits. Inside of an exploration there is no time. The first four sleeps of a program are a step that
    /// does nothing: while it sleeps, others may do much, or nothing. So a loop that gives up after up to four
    /// sleeps is explored as it is. A further sleep lasts until the file system is another than after the sleep
    /// before it, so that a loop without an end has finitely many states. Where nobody is left who could change anything, it lasts
    /// for ever, and the check reports a deadlock. A loop that gives up after more tries than these says
    /// where it does by [`choose`](crate::direct::choose).
    #[track_caller]
    pub fn sleep(duration: Duration) {
        if direct::is_running() {
            direct::let_time_pass("sleep");
        } else {
            std::thread::sleep(duration);
        }
    }

    /// Lets others go first: inside of an exploration as [`sleep`] does.
    #[track_caller]
    pub fn yield_now() {
        if direct::is_running() {
            direct::let_time_pass("yield");
        } else {
            std::thread::yield_now();
        }
    }
}
