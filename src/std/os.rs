//! Third floor, `std`: what is there on Unix alone. Imports its neighbours in `std`.

/// Unix.
pub mod unix {
    /// File systems.
    pub mod fs {
        use std::io;
        use std::path::Path;

        use crate::fs::FileSystem;
        use crate::std::fs::{DirBuilder, Metadata, OpenOptions, Permissions, call, relative, simulated};

        /// Makes a symbolic link: `symlink`.
        ///
        /// # Errors
        ///
        /// As [`std::os::unix::fs::symlink`].
        #[track_caller]
        pub fn symlink<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
            let (original, link) = (original.as_ref(), link.as_ref());
            match simulated() {
                false => std::os::unix::fs::symlink(original, link),
                true => call(|fs| fs.symlink(original, relative("symlink", link))),
            }
        }

        /// As [`std::os::unix::fs::OpenOptionsExt`].
        pub trait OpenOptionsExt {
            /// The mode of a file that it makes, less the umask; without, 0o666.
            fn mode(&mut self, mode: u32) -> &mut Self;
            /// More flags: `libc::O_NOFOLLOW`, say. Access modes are left out.
            fn custom_flags(&mut self, flags: i32) -> &mut Self;
        }

        impl OpenOptionsExt for OpenOptions {
            fn mode(&mut self, mode: u32) -> &mut Self {
                self.mode = mode;
                self
            }

            fn custom_flags(&mut self, flags: i32) -> &mut Self {
                self.custom_flags = flags;
                self
            }
        }

        /// As [`std::os::unix::fs::DirBuilderExt`].
        pub trait DirBuilderExt {
            /// The mode of a directory that it makes, less the umask; without, 0o777.
            fn mode(&mut self, mode: u32) -> &mut Self;
        }

        impl DirBuilderExt for DirBuilder {
            fn mode(&mut self, mode: u32) -> &mut Self {
                self.mode = mode;
                self
            }
        }

        /// As [`std::os::unix::fs::PermissionsExt`].
        pub trait PermissionsExt {
            /// The mode: of permissions that `metadata` tells of, with the kind of file.
            fn mode(&self) -> u32;
            /// Changes it.
            fn set_mode(&mut self, mode: u32);
            /// Permissions of this mode.
            fn from_mode(mode: u32) -> Self;
        }

        impl PermissionsExt for Permissions {
            fn mode(&self) -> u32 {
                self.0
            }

            fn set_mode(&mut self, mode: u32) {
                self.0 = mode;
            }

            fn from_mode(mode: u32) -> Self {
                Permissions(mode)
            }
        }

        /// As [`std::os::unix::fs::MetadataExt`], without what no simulation knows.
        pub trait MetadataExt {
            /// The file system that it is on.
            fn dev(&self) -> u64;
            /// Its number there.
            fn ino(&self) -> u64;
            /// Its kind and its permissions.
            fn mode(&self) -> u32;
            /// How many names it has.
            fn nlink(&self) -> u64;
            /// Who owns it.
            fn uid(&self) -> u32;
            /// Which group it belongs to.
            fn gid(&self) -> u32;
            /// Its length in bytes.
            fn size(&self) -> u64;
        }

        impl MetadataExt for Metadata {
            fn dev(&self) -> u64 {
                self.by(|real| std::os::unix::fs::MetadataExt::dev(real), |status| status.device)
            }

            fn ino(&self) -> u64 {
                self.by(|real| std::os::unix::fs::MetadataExt::ino(real), |status| status.inode)
            }

            fn mode(&self) -> u32 {
                self.raw_mode()
            }

            fn nlink(&self) -> u64 {
                self.by(|real| std::os::unix::fs::MetadataExt::nlink(real), |status| status.links)
            }

            fn uid(&self) -> u32 {
                self.by(|real| std::os::unix::fs::MetadataExt::uid(real), |status| status.uid.as_raw())
            }

            fn gid(&self) -> u32 {
                self.by(|real| std::os::unix::fs::MetadataExt::gid(real), |status| status.gid.as_raw())
            }

            fn size(&self) -> u64 {
                self.len()
            }
        }
    }
}
