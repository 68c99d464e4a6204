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
pub mod fs {
    use std::io;
    use std::path::Path;

    use crate::direct::{is_mounted, operation};
    use crate::std::fs::Metadata;
    use crate::std::path::PathBuf;

    macro_rules! functions {
        ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),+) -> $output:ty;)*) => {$(
            $(#[$doc])*
            ///
            /// # Errors
            ///
            #[doc = concat!("As [`tokio::fs::", stringify!($name), "`](::tokio::fs::", stringify!($name), ").")]
            pub async fn $name($($arg: $type),+) -> io::Result<$output> {
                if !is_mounted() {
                    return ::tokio::fs::$name($($arg),+).await;
                }
                operation(|| crate::std::fs::$name($($arg),+)).await
            }
        )*};
    }

    functions! {
        /// Reads a file.
        read(path: impl AsRef<Path>) -> Vec<u8>;
        /// Reads a file that is text.
        read_to_string(path: impl AsRef<Path>) -> String;
        /// Writes a file, instead of what it was.
        write(path: impl AsRef<Path>, contents: impl AsRef<[u8]>) -> ();
        /// Renames.
        rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> ();
        /// Gives a file a second name.
        hard_link(original: impl AsRef<Path>, link: impl AsRef<Path>) -> ();
        /// Removes a name that is no directory's.
        remove_file(path: impl AsRef<Path>) -> ();
        /// Removes an empty directory.
        remove_dir(path: impl AsRef<Path>) -> ();
        /// Makes a directory.
        create_dir(path: impl AsRef<Path>) -> ();
        /// Makes a directory and those above it that are not there.
        create_dir_all(path: impl AsRef<Path>) -> ();
    }

    macro_rules! queries {
        ($($(#[$doc:meta])* $name:ident as $std:ident -> $output:ty;)*) => {$(
            $(#[$doc])*
            ///
            /// # Errors
            ///
            #[doc = concat!("As [`tokio::fs::", stringify!($name), "`](::tokio::fs::", stringify!($name), ").")]
            pub async fn $name(path: impl AsRef<Path>) -> io::Result<$output> {
                if !is_mounted() {
                    return ::tokio::fs::$name(path).await.map(<$output>::from);
                }
                operation(|| crate::std::fs::$std(path)).await
            }
        )*};
    }

    queries! {
        /// Whether a path names something.
        try_exists as exists -> bool;
        /// What a path names, following a final link.
        metadata as metadata -> Metadata;
        /// What a path names, a final link included.
        symlink_metadata as symlink_metadata -> Metadata;
        /// What a symbolic link says.
        read_link as read_link -> PathBuf;
        /// The path without links and dots.
        canonicalize as canonicalize -> PathBuf;
    }
}
