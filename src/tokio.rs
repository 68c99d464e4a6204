//! Third floor: the names of `tokio`, over the world of the running exploration or over the real
//! one. Imports [`direct`](crate::direct) and [`std`](crate::std).
//!
//! This module is for an `async fn` what [`toctou::std`](crate::std) is for ordinary code: the code
//! changes its imports, and nothing else. [`Code::future`](crate::direct::Code::future) makes a
//! process of it.
//!
//! ```
//! use toctou::check::System;
//! use toctou::direct::Code;
//! use toctou::fs::SimFs;
//! use toctou::tokio::fs;
//!
//! /// Saves a report, unless there is one.
//! async fn save(report: &str) -> bool {
//!     if fs::try_exists("report").await.is_ok_and(|there| there) {
//!         return false;
//!     }
//!     fs::write("report", report).await.is_ok()
//! }
//!
//! System::new(SimFs::new())
//!     .clients(2, Code::future(|| save("all is well")))
//!     .at_most(1, "saved-once", |client| client.output().filter(|saved| **saved).copied())
//!     .assert_breaks("saved-once");
//! ```

/// `tokio::fs`. Each function does the same as the one in [`std::fs`](crate::std::fs), from its
/// start to its end, as tokio does on a thread of its own.
///
/// If one program awaits two of them together (`join!`), they run one after the other, in every
/// order. A call that is dropped before its turn (`select!`, a timeout) is not performed. In tokio
/// it may still be performed later, because a call that is under way on its thread is not stopped.
/// To explore that, perform the call in a process of its own.
pub mod fs {
    use std::io;
    use std::panic::Location;
    use std::path::Path;

    use crate::direct::{at, is_running, operation};
    use crate::std::fs::Metadata;
    use crate::std::path::PathBuf;

    macro_rules! functions {
        ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),+) -> $output:ty = $std:ident;)*) => {$(
            $(#[$doc])*
            ///
            /// # Errors
            ///
            #[doc = concat!("As [`tokio::fs::", stringify!($name), "`](::tokio::fs::", stringify!($name), ").")]
            #[track_caller]
            pub fn $name($($arg: $type),+) -> impl Future<Output = io::Result<$output>> {
                let line = Location::caller();
                async move {
                    if !is_running() {
                        return ::tokio::fs::$name($($arg),+).await.map(<$output>::from);
                    }
                    operation(|| at(line, || crate::std::fs::$std($($arg),+))).await
                }
            }
        )*};
    }

    functions! {
        /// Reads a file.
        read(path: impl AsRef<Path>) -> Vec<u8> = read;
        /// Reads a text file.
        read_to_string(path: impl AsRef<Path>) -> String = read_to_string;
        /// Writes a file, in place of its old content.
        write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> () = write;
        /// Renames.
        rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> () = rename;
        /// Gives a file a second name.
        hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> () = hard_link;
        /// Removes a name that is not a directory's.
        remove_file(path: impl AsRef<Path>) -> () = remove_file;
        /// Removes an empty directory.
        remove_dir(path: impl AsRef<Path>) -> () = remove_dir;
        /// Makes a directory.
        create_dir(path: impl AsRef<Path>) -> () = create_dir;
        /// Makes a directory, and those above it that do not exist.
        create_dir_all(path: impl AsRef<Path>) -> () = create_dir_all;
        /// Whether a path names something.
        try_exists(path: impl AsRef<Path>) -> bool = exists;
        /// The metadata of what a path names, following a final link.
        metadata(path: impl AsRef<Path>) -> Metadata = metadata;
        /// The metadata of what a path names; of a final link, the link's own.
        symlink_metadata(path: impl AsRef<Path>) -> Metadata = symlink_metadata;
        /// The target of a symbolic link.
        read_link(path: impl AsRef<Path>) -> PathBuf = read_link;
        /// The path without links and dots.
        canonicalize(path: impl AsRef<Path>) -> PathBuf = canonicalize;
    }
}
