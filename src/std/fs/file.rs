//! Third floor, `std`: an open file. Imports its neighbours in `std`.

use std::io::{self, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use super::{Metadata, OpenOptions, Permissions, TryLockError, call, text};
use crate::direct::{self, DirectFile, DirectFs};
use crate::fs::{AtFlags, Dirent, Errno, FileSystem, FlockOperation, Gid, Uid};

/// An open file: [`std::fs::File`]. Dropping it closes it, and releases its lock.
#[derive(Debug)]
pub struct File(Opened);

#[derive(Debug)]
enum Opened {
    Real(std::fs::File),
    /// Shared with what `try_clone` made.
    Simulated(Arc<DirectFile>),
}

impl File {
    pub(super) fn real(real: std::fs::File) -> Self {
        File(Opened::Real(real))
    }

    pub(super) fn simulated(file: DirectFile) -> Self {
        File(Opened::Simulated(Arc::new(file)))
    }

    /// Opens a file to read: `open`.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::open`].
    #[track_caller]
    pub fn open<P: AsRef<Path>>(path: P) -> io::Result<File> {
        OpenOptions::new().read(true).open(path)
    }

    /// Opens a file to write: `open`. Makes the file if it does not exist, and empties it if it
    /// does.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::create`].
    #[track_caller]
    pub fn create<P: AsRef<Path>>(path: P) -> io::Result<File> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path)
    }

    /// Makes a file, to read and to write: `open` with `O_EXCL`. Fails if the file exists.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::create_new`].
    #[track_caller]
    pub fn create_new<P: AsRef<Path>>(path: P) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(path)
    }

    /// The options with which a file can be opened.
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Which it is. A real one is none of a simulated world's.
    #[track_caller]
    fn opened(&self) -> &Opened {
        assert!(
            !(direct::is_running() && matches!(self.0, Opened::Real(_))),
            "a file that was opened outside of the exploration: what is checked opens its files itself"
        );
        &self.0
    }

    /// Does it there or here.
    #[track_caller]
    fn by<T>(
        &self,
        real: impl FnOnce(&std::fs::File) -> io::Result<T>,
        simulated: impl FnOnce(&mut DirectFs, &mut DirectFile) -> Result<T, Errno>,
    ) -> io::Result<T> {
        match self.opened() {
            Opened::Real(file) => real(file),
            Opened::Simulated(file) => call(|fs| file.lent(|file| simulated(fs, file))),
        }
    }

    /// Makes the file's content and metadata durable: `fsync`.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::sync_all`].
    #[track_caller]
    pub fn sync_all(&self) -> io::Result<()> {
        self.by(std::fs::File::sync_all, |fs, file| fs.fsync(file))
    }

    /// Makes the file's content durable, and the metadata needed to read it: `fdatasync`.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::sync_data`].
    #[track_caller]
    pub fn sync_data(&self) -> io::Result<()> {
        self.by(std::fs::File::sync_data, |fs, file| fs.fdatasync(file))
    }

    /// Cuts the file to this length, or extends it with zeros: `ftruncate`.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::set_len`].
    #[track_caller]
    pub fn set_len(&self, size: u64) -> io::Result<()> {
        self.by(|real| real.set_len(size), |fs, file| fs.ftruncate(file, size))
    }

    /// The file's metadata: `fstat`.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::metadata`].
    #[track_caller]
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.by(
            |real| real.metadata().map(Metadata::from),
            |fs, file| fs.fstat(file).map(Metadata::simulated),
        )
    }

    /// Changes the file's permissions: `fchmod`.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::set_permissions`].
    #[track_caller]
    pub fn set_permissions(&self, permissions: Permissions) -> io::Result<()> {
        self.by(
            |real| real.set_permissions(permissions.real()),
            |fs, file| fs.fchmod(file, permissions.bits()),
        )
    }

    /// Another handle on the same open file. Both share the lock and the position in the file.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::try_clone`].
    #[track_caller]
    pub fn try_clone(&self) -> io::Result<File> {
        match self.opened() {
            Opened::Real(real) => real.try_clone().map(File::real),
            Opened::Simulated(file) => Ok(File(Opened::Simulated(file.clone()))),
        }
    }

    /// Takes the file's lock exclusively, and waits for it: `flock`.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::lock`].
    #[track_caller]
    pub fn lock(&self) -> io::Result<()> {
        self.by(std::fs::File::lock, |fs, file| fs.flock(file, FlockOperation::LockExclusive))
    }

    /// Takes the file's lock shared with others that do the same, and waits for it: `flock`.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::lock_shared`].
    #[track_caller]
    pub fn lock_shared(&self) -> io::Result<()> {
        self.by(std::fs::File::lock_shared, |fs, file| fs.flock(file, FlockOperation::LockShared))
    }

    /// Takes the file's lock exclusively, if it is free: `flock`.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::try_lock`].
    #[track_caller]
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        self.tries(std::fs::File::try_lock, FlockOperation::NonBlockingLockExclusive)
    }

    /// Takes the file's lock shared with others that do the same, if it can be had now: `flock`.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::try_lock_shared`].
    #[track_caller]
    pub fn try_lock_shared(&self) -> Result<(), TryLockError> {
        self.tries(std::fs::File::try_lock_shared, FlockOperation::NonBlockingLockShared)
    }

    #[track_caller]
    fn tries(
        &self,
        real: impl FnOnce(&std::fs::File) -> Result<(), TryLockError>,
        operation: FlockOperation,
    ) -> Result<(), TryLockError> {
        match self.opened() {
            Opened::Real(file) => real(file),
            Opened::Simulated(file) => {
                match file.lent(|file| DirectFs::new().flock(file, operation)) {
                    Ok(()) => Ok(()),
                    Err(Errno::WOULDBLOCK) => Err(TryLockError::WouldBlock),
                    Err(errno) => Err(TryLockError::Error(errno.into())),
                }
            }
        }
    }

    /// Releases the file's lock: `flock`.
    ///
    /// # Errors
    ///
    /// As [`std::fs::File::unlock`].
    #[track_caller]
    pub fn unlock(&self) -> io::Result<()> {
        self.by(std::fs::File::unlock, |fs, file| fs.flock(file, FlockOperation::Unlock))
    }

    /// Reads to the end as `std` does: into what room there is, and once there is none, 32 bytes to see
    /// whether that was all.
    #[track_caller]
    pub(super) fn read_all(
        &mut self,
        bytes: &mut Vec<u8>,
        size: Option<usize>,
    ) -> io::Result<usize> {
        const PROBE: usize = 32;
        let (start, room) = (bytes.len(), bytes.capacity());
        let most = size
            .and_then(|size| size.checked_add(1024)?.checked_next_multiple_of(8 * 1024))
            .unwrap_or(8 * 1024);
        let mut most = most;
        if matches!(size, None | Some(0))
            && bytes.capacity() - bytes.len() < PROBE
            && self.probe(bytes)? == 0
        {
            return Ok(0);
        }
        loop {
            if bytes.len() == bytes.capacity()
                && bytes.capacity() == room
                && self.probe(bytes)? == 0
            {
                return Ok(bytes.len() - start);
            }
            if bytes.len() == bytes.capacity() {
                bytes.reserve(PROBE);
            }
            let free = (bytes.capacity() - bytes.len()).min(most);
            let before = bytes.len();
            bytes.resize(before + free, 0);
            let count = self.read_some(&mut bytes[before..]);
            bytes.truncate(before + *count.as_ref().unwrap_or(&0));
            let count = count?;
            if count == 0 {
                return Ok(bytes.len() - start);
            }
            // A read that fills a large buffer is followed by a larger one.
            if size.is_none() && count == free && free >= most {
                most = most.saturating_mul(2);
            }
        }
    }

    /// Reads up to 32 bytes to a place of their own.
    #[track_caller]
    fn probe(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        let mut probe = [0; 32];
        let count = self.read_some(&mut probe)?;
        bytes.extend_from_slice(&probe[..count]);
        Ok(count)
    }

    #[track_caller]
    fn read_some(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.opened() {
            Opened::Real(real) => Read::read(&mut &*real, buffer),
            Opened::Simulated(file) => call(|fs| file.lent(|file| fs.read(file, buffer))),
        }
    }
}

impl Read for &File {
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_some(buffer)
    }

    /// One call: `readv` fills one buffer after the other.
    #[track_caller]
    fn read_vectored(&mut self, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        if let Opened::Real(real) = self.opened() {
            return Read::read_vectored(&mut &*real, parts);
        }
        let mut bytes = vec![0; parts.iter().map(|part| part.len()).sum()];
        let count = self.read_some(&mut bytes)?;
        let mut left = &bytes[..count];
        for part in parts {
            let (now, later) = left.split_at(left.len().min(part.len()));
            part[..now.len()].copy_from_slice(now);
            left = later;
        }
        Ok(count)
    }
}

impl Write for &File {
    #[track_caller]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.opened() {
            Opened::Real(real) => Write::write(&mut &*real, bytes),
            Opened::Simulated(file) => call(|fs| file.lent(|file| fs.write(file, bytes))),
        }
    }

    /// One call: `writev` writes all buffers at once.
    #[track_caller]
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.opened() {
            Opened::Real(real) => Write::write_vectored(&mut &*real, parts),
            Opened::Simulated(_) => {
                self.write(&parts.iter().flat_map(|part| part.iter().copied()).collect::<Vec<u8>>())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for File {
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_some(buffer)
    }

    #[track_caller]
    fn read_vectored(&mut self, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(parts)
    }

    #[track_caller]
    fn read_to_end(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        self.opened();
        if let Opened::Real(real) = &mut self.0 {
            return real.read_to_end(bytes);
        }
        let size = self.left();
        bytes.reserve(size.unwrap_or(0));
        self.read_all(bytes, size)
    }

    #[track_caller]
    fn read_to_string(&mut self, string: &mut String) -> io::Result<usize> {
        self.opened();
        if let Opened::Real(real) = &mut self.0 {
            return real.read_to_string(string);
        }
        let mut bytes = Vec::new();
        let count = self.read_to_end(&mut bytes)?;
        string.push_str(&text(bytes)?);
        Ok(count)
    }
}

impl Write for File {
    #[track_caller]
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self).write(bytes)
    }

    #[track_caller]
    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for File {
    #[track_caller]
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        (&*self).seek(to)
    }
}

impl Seek for &File {
    #[track_caller]
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to_there = match to {
            SeekFrom::Start(offset) => crate::fs::SeekFrom::Start(offset),
            SeekFrom::End(by) => crate::fs::SeekFrom::End(by),
            SeekFrom::Current(by) => crate::fs::SeekFrom::Current(by),
        };
        self.by(|mut real| real.seek(to), |fs, file| fs.lseek(file, to_there))
    }
}

impl File {
    /// How many bytes are before it, as `std` finds out: by its size and by where it is.
    #[track_caller]
    fn left(&mut self) -> Option<usize> {
        let size = self.metadata().ok()?.len();
        let at = self.stream_position().ok()?;
        usize::try_from(size.saturating_sub(at)).ok()
    }

    /// Reads at this offset.
    #[track_caller]
    pub(in crate::std) fn read_there(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let there = &mut *buffer;
        match self.opened() {
            Opened::Real(real) => std::os::unix::fs::FileExt::read_at(real, there, offset),
            Opened::Simulated(file) => call(|fs| file.lent(|file| fs.pread(file, there, offset))),
        }
    }

    /// Writes at this offset.
    #[track_caller]
    pub(in crate::std) fn write_there(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.by(
            |real| std::os::unix::fs::FileExt::write_at(real, bytes, offset),
            |fs, file| fs.pwrite(file, bytes, offset),
        )
    }

    /// Gives it away.
    #[track_caller]
    pub(in crate::std) fn given(&self, owner: Option<u32>, group: Option<u32>) -> io::Result<()> {
        let (uid, gid) = (owner.map(Uid::from_raw), group.map(Gid::from_raw));
        self.by(
            |real| std::os::unix::fs::fchown(real, owner, group),
            |fs, file| fs.fchown(file, uid, gid),
        )
    }

    /// The names in it, where it is a directory.
    pub(super) fn names(&self) -> io::Result<Vec<Dirent>> {
        match self.opened() {
            Opened::Real(_) => Err(Errno::NOSYS.into()),
            Opened::Simulated(file) => call(|fs| file.lent(|file| fs.getdents(file))),
        }
    }

    /// What a name in it stands for, where it is a directory; a link itself.
    pub(super) fn status_of(&self, name: &Path) -> io::Result<Metadata> {
        match self.opened() {
            Opened::Real(_) => Err(Errno::NOSYS.into()),
            Opened::Simulated(file) => {
                call(|fs| fs.stat((&**file, name), AtFlags::SYMLINK_NOFOLLOW))
                    .map(Metadata::simulated)
            }
        }
    }
}
