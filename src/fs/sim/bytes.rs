//! First floor: the bytes of a simulated file, and where an open file is in them. Imports its parent
//! module and rustix; modelled on Linux's `fs/read_write.c` (`vfs_read`, `rw_verify_area`,
//! `generic_file_llseek_size`), `mm/filemap.c` and `fs/open.c` (`do_sys_ftruncate`).

use std::num::NonZeroUsize;

use rustix::fs::{OFlags, SeekFrom};
use rustix::io::Errno;

use super::super::path::{position, seekable};
use super::inode::{Body, Ino};
use super::{SimFile, SimFs};

/// How many bytes a file has at most: what the kernel calls `s_maxbytes`, so low that they fit into
/// memory.
const FILE_MAX: usize = 16 << 20;

/// Where bytes are read or written.
#[derive(Clone, Copy)]
enum Where {
    /// At the open file's offset, which moves.
    Offset,
    /// Here; the open file's offset stays.
    At(u64),
}

impl SimFs {
    pub(super) fn read_file(&self, file: &mut SimFile, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.read_where(file, buffer, Where::Offset)
    }

    pub(super) fn pread_file(
        &self,
        file: &mut SimFile,
        buffer: &mut [u8],
        offset: u64,
    ) -> Result<usize, Errno> {
        position(offset)?;
        self.read_where(file, buffer, Where::At(offset))
    }

    pub(super) fn write_file(&mut self, file: &mut SimFile, bytes: &[u8]) -> Result<usize, Errno> {
        self.write_where(file, bytes, Where::Offset)
    }

    /// `O_APPEND` goes before the offset.
    pub(super) fn pwrite_file(
        &mut self,
        file: &mut SimFile,
        bytes: &[u8],
        offset: u64,
    ) -> Result<usize, Errno> {
        position(offset)?;
        self.write_where(file, bytes, Where::At(offset))
    }

    fn read_where(
        &self,
        file: &mut SimFile,
        buffer: &mut [u8],
        place: Where,
    ) -> Result<usize, Errno> {
        if !file.readable() {
            return Err(Errno::BADF);
        }
        let offset = place.in_file(file);
        verified(offset, buffer.len())?;
        let bytes = match &self.inode(file.inode)?.body {
            Body::File { bytes, .. } => bytes,
            Body::Directory { .. } => return Err(Errno::ISDIR),
            Body::Symlink { .. } | Body::Special(_) => return Err(Errno::BADF),
        };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let count = buffer.len().min(bytes.len() - start);
        buffer[..count].copy_from_slice(&bytes[start..start + count]);
        if let Where::Offset = place {
            file.offset += count as u64;
        }
        Ok(count)
    }

    fn write_where(
        &mut self,
        file: &mut SimFile,
        bytes: &[u8],
        place: Where,
    ) -> Result<usize, Errno> {
        if !file.writable() {
            return Err(Errno::BADF);
        }
        let limit = self.write_limit.map_or(usize::MAX, NonZeroUsize::get);
        let bytes = &bytes[..bytes.len().min(limit)];
        let offset = place.in_file(file);
        verified(offset, bytes.len())?;
        let appends = file.flags.contains(OFlags::APPEND);
        let inode = self.inode(file.inode)?;
        let (mode, before) = (self.written_mode(inode), inode.owners());
        let inode = self.inode_mut(file.inode)?;
        let Body::File { bytes: content, .. } = &mut inode.body else {
            return Err(Errno::BADF);
        };
        if bytes.is_empty() {
            return Ok(0);
        }
        let start = match usize::try_from(offset) {
            _ if appends => content.len(),
            Ok(offset) => offset,
            Err(_) => return Err(Errno::FBIG),
        };
        let end = start.checked_add(bytes.len()).filter(|end| *end <= FILE_MAX);
        let end = end.ok_or(Errno::FBIG)?;
        let length = content.len();
        let mut written = content.to_vec();
        written.resize(length.max(end), 0);
        written[start..end].copy_from_slice(bytes);
        *content = written.into();
        inode.mode = mode;
        if let Where::Offset = place {
            file.offset = end as u64;
        }
        self.note_owners(file.inode, before);
        self.note_bytes(file.inode, start, bytes, length);
        if self.syncs_each_write(file) {
            self.sync(file.inode, !file.flags.contains(OFlags::SYNC))?;
        }
        self.modified(&[file.inode])?;
        Ok(bytes.len())
    }

    /// `generic_file_llseek_size`.
    pub(super) fn seek_file(&self, file: &mut SimFile, to: SeekFrom) -> Result<u64, Errno> {
        seekable(to)?;
        let inode = self.inode(file.inode)?;
        if inode.is_directory() && to != SeekFrom::Start(0) {
            return Err(Errno::INVAL);
        }
        if file.is_path() {
            return Err(Errno::BADF);
        }
        let size = match &inode.body {
            Body::File { bytes, .. } => bytes.len() as u64,
            Body::Directory { .. } | Body::Symlink { .. } | Body::Special(_) => 0,
        };
        let sum = |from: u64, by| from.checked_add_signed(by).ok_or(Errno::INVAL);
        let offset = match to {
            SeekFrom::Start(offset) => offset,
            SeekFrom::Current(by) => sum(file.offset, by)?,
            SeekFrom::End(by) => sum(size, by)?,
            #[allow(unreachable_patterns)] // which others there are differs between systems
            _ => return Err(Errno::INVAL),
        };
        position(offset)?;
        file.offset = offset;
        if inode.is_directory() {
            file.rare.set_stream(self.beginning(file.inode));
        }
        Ok(offset)
    }

    /// `do_sys_ftruncate`, `do_truncate`.
    pub(super) fn truncate_file(&mut self, file: &SimFile, length: u64) -> Result<(), Errno> {
        position(length)?;
        if file.is_path() {
            return Err(Errno::BADF);
        }
        match self.inode(file.inode)?.body {
            Body::File { .. } if file.writable() => {}
            Body::File { .. }
            | Body::Directory { .. }
            | Body::Symlink { .. }
            | Body::Special(_) => {
                return Err(Errno::INVAL);
            }
        }
        let length = usize::try_from(length).ok().filter(|length| *length <= FILE_MAX);
        self.resize(file.inode, length.ok_or(Errno::FBIG)?)
    }

    /// Gives a regular file this length; what is new reads as zeros.
    pub(super) fn resize(&mut self, number: Ino, length: usize) -> Result<(), Errno> {
        let inode = self.inode(number)?;
        let (mode, before) = (self.written_mode(inode), inode.owners());
        let inode = self.inode_mut(number)?;
        if let Body::File { bytes, .. } = &mut inode.body {
            let length_before = bytes.len();
            let is_other = length_before != length;
            if is_other {
                let mut resized = bytes.to_vec();
                resized.resize(length, 0);
                *bytes = resized.into();
            }
            inode.mode = mode;
            self.note_owners(number, before);
            if is_other {
                self.note_length(number, length_before, length);
            }
            self.modified(&[number])?;
        }
        Ok(())
    }

    /// `vfs_fsync`: all of it, or the data alone.
    pub(super) fn fsync_file(&mut self, file: &SimFile, data_alone: bool) -> Result<(), Errno> {
        self.inode(file.inode)?;
        if file.is_path() { Err(Errno::BADF) } else { self.sync(file.inode, data_alone) }
    }
}

impl Where {
    fn in_file(self, file: &SimFile) -> u64 {
        match self {
            Where::Offset => file.offset,
            Where::At(offset) => offset,
        }
    }
}

/// `rw_verify_area`: so many bytes from there on end where a file can end.
fn verified(offset: u64, count: usize) -> Result<(), Errno> {
    position(offset.saturating_add(count as u64))
}
