//! Third floor, `std`: the names in a directory. Imports its neighbours in `std`.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::super::path::PathBuf;
use super::{File, FileType, Metadata, simulated};
use crate::fs::{Dirent, OFlags};
use crate::std::os::unix::fs::OpenOptionsExt;

/// The names in a directory: `open` and `fstat`, then `getdents` until there are no more.
///
/// If others make and remove names meanwhile, it is open which names the answer contains. A
/// simulation explores each answer that a kernel may give, as a [choice](crate::Step::Choice).
/// In a simulation names come in order.
///
/// # Errors
///
/// As [`std::fs::read_dir`].
#[track_caller]
pub fn read_dir<P: AsRef<Path>>(path: P) -> io::Result<ReadDir> {
    let path = path.as_ref();
    if !simulated() {
        return std::fs::read_dir(path).map(|real| ReadDir(Names::Real(real)));
    }
    let flags = OFlags::NONBLOCK | OFlags::DIRECTORY;
    let file = File::options().read(true).custom_flags(flags.bits() as i32).open(path)?;
    file.metadata()?;
    let listing =
        Listing { file: Arc::new(file), path: path.into(), left: Vec::new(), at_end: false };
    Ok(ReadDir(Names::Simulated(listing)))
}

/// The names in a directory: [`std::fs::ReadDir`].
#[derive(Debug)]
pub struct ReadDir(Names);

#[derive(Debug)]
enum Names {
    Real(std::fs::ReadDir),
    Simulated(Listing),
}

#[derive(Debug)]
struct Listing {
    file: Arc<File>,
    path: Arc<Path>,
    /// What was answered and is not given yet, last first.
    left: Vec<Dirent>,
    at_end: bool,
}

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    #[track_caller]
    fn next(&mut self) -> Option<io::Result<DirEntry>> {
        let listing = match &mut self.0 {
            Names::Real(real) => {
                return real.next().map(|entry| entry.map(|entry| DirEntry(Entry::Real(entry))));
            }
            Names::Simulated(listing) => listing,
        };
        if listing.left.is_empty() && !listing.at_end {
            match listing.file.names() {
                Ok(names) => {
                    listing.at_end = names.is_empty();
                    listing.left = names.into_iter().rev().collect();
                }
                Err(error) => {
                    listing.at_end = true;
                    return Some(Err(error));
                }
            }
        }
        let name = listing.left.pop()?;
        let (file, path) = (listing.file.clone(), listing.path.clone());
        Some(Ok(DirEntry(Entry::Simulated { file, path, name })))
    }
}

/// A name in a directory: [`std::fs::DirEntry`].
#[derive(Debug)]
pub struct DirEntry(Entry);

#[derive(Debug)]
enum Entry {
    Real(std::fs::DirEntry),
    Simulated { file: Arc<File>, path: Arc<Path>, name: Dirent },
}

impl DirEntry {
    /// The directory's path joined with the name.
    pub fn path(&self) -> PathBuf {
        match &self.0 {
            Entry::Real(real) => real.path().into(),
            Entry::Simulated { path, name, .. } => path.join(&name.name).into(),
        }
    }

    /// The name.
    pub fn file_name(&self) -> OsString {
        match &self.0 {
            Entry::Real(real) => real.file_name(),
            Entry::Simulated { name, .. } => name.name.clone(),
        }
    }

    /// The kind of the file, as the directory says.
    ///
    /// # Errors
    ///
    /// As [`std::fs::DirEntry::file_type`].
    #[track_caller]
    pub fn file_type(&self) -> io::Result<FileType> {
        match &self.0 {
            Entry::Real(real) => real.file_type().map(FileType::from),
            Entry::Simulated { name, .. } => match name.kind {
                Some(kind) => Ok(FileType::of(kind)),
                None => self.metadata().map(|metadata| metadata.file_type()),
            },
        }
    }

    /// The metadata of what the entry names; of a link, the link's own: `fstatat` from the open
    /// directory.
    ///
    /// # Errors
    ///
    /// As [`std::fs::DirEntry::metadata`].
    #[track_caller]
    pub fn metadata(&self) -> io::Result<Metadata> {
        match &self.0 {
            Entry::Real(real) => real.metadata().map(Metadata::from),
            Entry::Simulated { file, name, .. } => file.status_of(Path::new(&name.name)),
        }
    }
}
