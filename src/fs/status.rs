//! First floor: the answer of `stat`, in one form for every world. Imports rustix only.

use rustix::fs::{FileType, Gid, Mode, RawMode, Stat, Uid};

/// What kind of file a name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// Anything else. No simulation has one.
    Other,
}

impl Kind {
    /// The kernel's type for this kind.
    pub fn file_type(self) -> FileType {
        match self {
            Kind::File => FileType::RegularFile,
            Kind::Directory => FileType::Directory,
            Kind::Symlink => FileType::Symlink,
            Kind::Fifo => FileType::Fifo,
            Kind::Socket => FileType::Socket,
            Kind::CharacterDevice => FileType::CharacterDevice,
            Kind::BlockDevice => FileType::BlockDevice,
            Kind::Other => FileType::Unknown,
        }
    }
}

/// The part of [stat(2)](https://man7.org/linux/man-pages/man2/stat.2.html)'s answer that every
/// world has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Status {
    /// What kind of file it is.
    pub kind: Kind,
    /// The permission bits, with the set-user-ID, set-group-ID and sticky bits.
    pub mode: Mode,
    /// The owner.
    pub uid: Uid,
    /// The group.
    pub gid: Gid,
    /// How many names it has; 1 for a directory, since file systems count a directory's links
    /// differently.
    pub links: u64,
    /// Bytes in a regular file or in a symbolic link's target; 0 for anything else.
    pub size: u64,
    /// When its bytes, or a directory's entries, were last modified; `None` in a simulation without
    /// a clock.
    pub modified: Option<Time>,
    /// The file system it is on. Two files are the same if both `device` and `inode` are equal.
    pub device: u64,
    /// Its inode number on that file system.
    pub inode: u64,
}

/// A time as the kernel has it: how long after the beginning of 1970, by the system's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    /// Seconds; negative before 1970.
    pub seconds: i64,
    /// The rest in nanoseconds, less than a second.
    pub nanoseconds: u32,
}

impl Status {
    /// Whether both are the status of the same file.
    pub fn is_same_file(&self, other: &Status) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// What it is called.
pub(super) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink => "link",
        Kind::Fifo => "pipe",
        Kind::Socket => "socket",
        Kind::CharacterDevice => "character device",
        Kind::BlockDevice => "block device",
        Kind::Other => "something else",
    }
}

/// The kind of this type; `None` where the type is not known.
pub(super) fn kind_of(kind: FileType) -> Option<Kind> {
    match kind {
        FileType::RegularFile => Some(Kind::File),
        FileType::Directory => Some(Kind::Directory),
        FileType::Symlink => Some(Kind::Symlink),
        FileType::Fifo => Some(Kind::Fifo),
        FileType::Socket => Some(Kind::Socket),
        FileType::CharacterDevice => Some(Kind::CharacterDevice),
        FileType::BlockDevice => Some(Kind::BlockDevice),
        _ => None,
    }
}

#[allow(clippy::unnecessary_cast)] // the widths differ between systems
impl From<Stat> for Status {
    fn from(stat: Stat) -> Self {
        let raw = stat.st_mode as RawMode;
        let kind = kind_of(FileType::from_raw_mode(raw)).unwrap_or(Kind::Other);
        Status {
            kind,
            mode: Mode::from_raw_mode(raw),
            uid: Uid::from_raw(stat.st_uid),
            gid: Gid::from_raw(stat.st_gid),
            links: if kind == Kind::Directory { 1 } else { stat.st_nlink as u64 },
            size: match kind {
                Kind::File | Kind::Symlink => u64::try_from(stat.st_size).unwrap_or(0),
                _ => 0,
            },
            modified: Some(Time {
                seconds: stat.st_mtime as i64,
                nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
            }),
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
        }
    }
}
