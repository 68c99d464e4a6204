//! Third floor, `run`: what the kernel writes into a program's memory, byte by byte. Imports
//! [`fs`](crate::fs) and libc.

use crate::fs::{Kind, Status};
use crate::run::identity;

/// How a status is written down.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Stat,
    Statx,
}

impl Form {
    pub(super) fn of(self, status: &Status) -> Vec<u8> {
        match self {
            // SAFETY: both are plain numbers, for which zeros are fine, and may be read as bytes.
            Form::Stat => unsafe {
                let mut told: libc::stat = std::mem::zeroed();
                told.st_dev = status.device;
                told.st_ino = status.inode;
                told.st_nlink = status.links;
                told.st_mode = raw_mode(status);
                told.st_uid = status.uid.as_raw();
                told.st_gid = status.gid.as_raw();
                told.st_size = status.size as i64;
                told.st_blksize = 4096;
                told.st_blocks = status.size.div_ceil(512) as i64;
                let modified = status
                    .modified
                    .map(|time| (identity::told_time(time.seconds), time.nanoseconds));
                let (seconds, nanoseconds) = modified.unwrap_or((identity::BEGINNING, 0));
                (told.st_mtime, told.st_mtime_nsec) = (seconds, nanoseconds.into());
                (told.st_atime, told.st_ctime) = (told.st_mtime, told.st_mtime);
                bytes_of(&told)
            },
            Form::Statx => unsafe {
                let mut told: libc::statx = std::mem::zeroed();
                told.stx_mask = libc::STATX_BASIC_STATS;
                told.stx_blksize = 4096;
                told.stx_nlink = status.links as u32;
                told.stx_uid = status.uid.as_raw();
                told.stx_gid = status.gid.as_raw();
                told.stx_mode = raw_mode(status) as u16;
                told.stx_ino = status.inode;
                told.stx_size = status.size;
                told.stx_blocks = status.size.div_ceil(512);
                told.stx_dev_minor = status.device as u32;
                let modified = status
                    .modified
                    .map(|time| (identity::told_time(time.seconds), time.nanoseconds));
                (told.stx_mtime.tv_sec, told.stx_mtime.tv_nsec) =
                    modified.unwrap_or((identity::BEGINNING, 0));
                (told.stx_atime, told.stx_ctime) = (told.stx_mtime, told.stx_mtime);
                bytes_of(&told)
            },
        }
    }
}

pub(super) fn raw_mode(status: &Status) -> u32 {
    status.kind.file_type().as_raw_mode() | status.mode.bits()
}

/// # Safety
///
/// Every byte of it, padding included, has to be initialized.
unsafe fn bytes_of<T>(told: &T) -> Vec<u8> {
    // SAFETY: it is that long, and the caller says that it is initialized.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(told).cast(), size_of::<T>()) }.to_vec()
}

/// A name in a directory, as `getdents64` has it.
pub(super) fn entry(text: &[u8], kind: Option<Kind>, inode: u64) -> Vec<u8> {
    let kind = match kind {
        Some(Kind::Directory) => libc::DT_DIR,
        Some(Kind::File) => libc::DT_REG,
        Some(Kind::Symlink) => libc::DT_LNK,
        Some(Kind::Fifo) => libc::DT_FIFO,
        Some(Kind::Socket) => libc::DT_SOCK,
        Some(Kind::CharacterDevice) => libc::DT_CHR,
        Some(Kind::BlockDevice) => libc::DT_BLK,
        Some(Kind::Other) | None => libc::DT_UNKNOWN,
    };
    let length = (19 + text.len() + 1).next_multiple_of(8);
    let mut entry = Vec::with_capacity(length);
    entry.extend(inode.to_ne_bytes());
    entry.extend(0_u64.to_ne_bytes());
    entry.extend((length as u16).to_ne_bytes());
    entry.push(kind);
    entry.extend_from_slice(text);
    entry.resize(length, 0);
    entry
}
