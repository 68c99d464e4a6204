//! Third floor, `std`: names that exist on Unix only. Imports its neighbours in `std`.

/// Names for Unix.
pub mod unix {
    /// Names for file systems on Unix.
    pub mod fs {
        use std::io;
        use std::path::Path;

        use crate::fs::{AtFlags, FileSystem, Gid, Uid};
        use crate::std::fs::{
            DirBuilder, File, Metadata, OpenOptions, Permissions, call, relative, simulated,
        };

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

        /// Changes the owner or group of what a path names, following a final link: `chown`.
        ///
        /// # Errors
        ///
        /// As [`std::os::unix::fs::chown`].
        #[track_caller]
        pub fn chown<P: AsRef<Path>>(dir: P, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
            let path = dir.as_ref();
            match simulated() {
                false => std::os::unix::fs::chown(path, uid, gid),
                true => given("chown", path, (uid, gid), AtFlags::empty()),
            }
        }

        /// Changes the owner or group of what a path names; of a final link, the link's own:
        /// `lchown`.
        ///
        /// # Errors
        ///
        /// As [`std::os::unix::fs::lchown`].
        #[track_caller]
        pub fn lchown<P: AsRef<Path>>(
            dir: P,
            uid: Option<u32>,
            gid: Option<u32>,
        ) -> io::Result<()> {
            let path = dir.as_ref();
            match simulated() {
                false => std::os::unix::fs::lchown(path, uid, gid),
                true => given("lchown", path, (uid, gid), AtFlags::SYMLINK_NOFOLLOW),
            }
        }

        #[track_caller]
        fn given(
            what: &str,
            path: &Path,
            (uid, gid): (Option<u32>, Option<u32>),
            flags: AtFlags,
        ) -> io::Result<()> {
            let path = relative(what, path);
            let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
            call(|fs| fs.chown(path, uid, gid, flags))
        }

        /// Changes the owner or group of an open file: `fchown`.
        ///
        /// # Errors
        ///
        /// As [`std::os::unix::fs::fchown`].
        #[track_caller]
        pub fn fchown(fd: &File, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
            fd.given(uid, gid)
        }

        /// As [`std::os::unix::fs::FileExt`].
        pub trait FileExt {
            /// Reads at this offset, independent of the file's position: `pread`.
            ///
            /// # Errors
            ///
            /// As [`std::os::unix::fs::FileExt::read_at`].
            fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
            /// Writes at this offset, independent of the file's position: `pwrite`.
            ///
            /// # Errors
            ///
            /// As [`std::os::unix::fs::FileExt::write_at`].
            fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize>;
        }

        impl FileExt for File {
            #[track_caller]
            fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
                self.read_there(buf, offset)
            }

            #[track_caller]
            fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
                self.write_there(buf, offset)
            }
        }

        /// As [`std::os::unix::fs::OpenOptionsExt`].
        pub trait OpenOptionsExt {
            /// The mode of a file that `open` makes, less the umask; 0o666 if not set.
            fn mode(&mut self, mode: u32) -> &mut Self;
            /// More flags, for example `libc::O_NOFOLLOW`. Access modes in them are ignored.
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
            /// The mode of a directory that `create` makes, less the umask; 0o777 if not set.
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
            /// The mode. In permissions that come from `metadata` it includes the kind of file.
            fn mode(&self) -> u32;
            /// Sets the mode.
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

        /// As [`std::os::unix::fs::MetadataExt`], without the fields that no simulation knows.
        pub trait MetadataExt {
            /// The number of the file system that the file is on.
            fn dev(&self) -> u64;
            /// The file's number on that file system.
            fn ino(&self) -> u64;
            /// Its kind and its permissions.
            fn mode(&self) -> u32;
            /// How many names it has.
            fn nlink(&self) -> u64;
            /// The user that owns the file.
            fn uid(&self) -> u32;
            /// The group that the file belongs to.
            fn gid(&self) -> u32;
            /// Its length in bytes.
            fn size(&self) -> u64;
        }

        impl MetadataExt for Metadata {
            fn dev(&self) -> u64 {
                self.by(std::os::unix::fs::MetadataExt::dev, |status| status.device)
            }

            fn ino(&self) -> u64 {
                self.by(std::os::unix::fs::MetadataExt::ino, |status| status.inode)
            }

            fn mode(&self) -> u32 {
                self.raw_mode()
            }

            fn nlink(&self) -> u64 {
                self.by(std::os::unix::fs::MetadataExt::nlink, |status| status.links)
            }

            fn uid(&self) -> u32 {
                self.by(std::os::unix::fs::MetadataExt::uid, |status| status.uid.as_raw())
            }

            fn gid(&self) -> u32 {
                self.by(std::os::unix::fs::MetadataExt::gid, |status| status.gid.as_raw())
            }

            fn size(&self) -> u64 {
                self.len()
            }
        }
    }
}
