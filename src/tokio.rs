//! Third floor: the names of `tokio`, over the world of the running exploration or over the real one. Imports
//! [`direct`](crate::direct) and [`std`](crate::std).
//!
//! As [`toctou::std`](crate::std) for ordinary code, so this for an `async fn`: it changes its imports, and
//! nothing else. [`Code::future`](crate::direct::Code::future) makes a process of it.
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

/// `tokio::fs`. Each function performs what the one of [`std::fs`](crate::std::fs) does, from its start to its
/// end, as tokio does on a thread of its own.
///
/// Two of them that one program awaits together (`join!`) are done one after the other, in every order. What
/// is dropped before its turn (`select!`, a timeout) is not done. In tokio it may still be done later: a call
/// that is under way on its thread is not stopped. To explore that, have a process of its own do it.
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
        /// Reads a file that is text.
        read_to_string(path: impl AsRef<Path>) -> String = read_to_string;
        /// Writes a file, instead of what it was.
        write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> () = write;
        /// Renames.
        rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> () = rename;
        /// Gives a file a second name.
        hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> () = hard_link;
        /// Removes a name that is no directory's.
        remove_file(path: impl AsRef<Path>) -> () = remove_file;
        /// Removes an empty directory.
        remove_dir(path: impl AsRef<Path>) -> () = remove_dir;
        /// Makes a directory.
        create_dir(path: impl AsRef<Path>) -> () = create_dir;
        /// Makes a directory and those above it that are not there.
        create_dir_all(path: impl AsRef<Path>) -> () = create_dir_all;
        /// Whether a path names something.
        try_exists(path: impl AsRef<Path>) -> bool = exists;
        /// What a path names, following a final link.
        metadata(path: impl AsRef<Path>) -> Metadata = metadata;
        /// What a path names, a final link included.
        symlink_metadata(path: impl AsRef<Path>) -> Metadata = symlink_metadata;
        /// What a symbolic link says.
        read_link(path: impl AsRef<Path>) -> PathBuf = read_link;
        /// The path without links and dots.
        canonicalize(path: impl AsRef<Path>) -> PathBuf = canonicalize;
    }
}
