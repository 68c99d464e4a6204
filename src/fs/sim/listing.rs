//! First floor: reading a simulated directory, in steps. Imports its parent module; what is left open
//! is POSIX's `readdir`: whether a name that was made or removed since the directory was opened, or
//! since it went back to its beginning, is answered.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStringExt;
use std::slice;

use rustix::io::Errno;

use super::super::Dirent;
use super::inode::{Entries, Ino};
use super::owned::OWN;
use super::{SimFile, SimFs};
use crate::calls::mistaken;

/// How directories are read in a world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Listing {
    /// How many names one call answers at most, if not all.
    pub(super) limit: Option<NonZeroUsize>,
    /// Whether a directory remembers what was in it when it was opened, not only when it was first
    /// read.
    pub(super) from_open: bool,
}

/// How far an open directory has been read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stream {
    /// What was there in the beginning and has not been answered. It is due while it is still there,
    /// and may be answered when it is gone.
    due: Entries,
    /// What has been answered, and is not answered again while it stays.
    answered: BTreeSet<(Box<[u8]>, Ino)>,
}

/// One answer that a call may give, and how far the directory has been read then.
type Batch = (Vec<(Box<[u8]>, Ino)>, Stream);

impl SimFs {
    /// All answers that [`getdents`](crate::fs::FileSystem::getdents) may give for this open
    /// directory, each once. The first is the one that it gives. For an explorer that tries them
    /// all with [`getdents_as`](SimFs::getdents_as): this looks ahead and is not a call.
    ///
    /// - A name that has been there since the beginning is answered exactly once.
    /// - A name that was made since, or whose file was replaced, is answered at any later call or
    ///   never.
    /// - The same holds for a name that was there at the beginning and is gone. ext4 keeps a name
    ///   that did not fit into an answer for the next one, whatever happened to the name.
    ///
    /// So there are 2ⁿ answers where n names came and went. The beginning is the first call, or the
    /// opening [where the world says so](SimFs::with_listings_from_open). Each `lseek` to the
    /// beginning is a beginning again.
    ///
    /// Names are answered in sorted order; the kernel's own order is not explored. A name that was
    /// removed and made again for the same file counts as there all the time.
    ///
    /// # Errors
    ///
    /// Those of `getdents`; a call that fails has no other answer.
    pub fn getdents_answers(&self, file: &SimFile) -> Result<Vec<Vec<Dirent>>, Errno> {
        let batches = self.batches(file)?;
        Ok(batches.into_iter().map(|(names, _)| self.dirents(names)).collect())
    }

    /// The batches that a call may answer.
    fn batches(&self, file: &SimFile) -> Result<Vec<Batch>, Errno> {
        let stream = self.listed(file)?;
        let there = self.entries(file.inode)?;
        let entries = there.iter().map(|(name, inode)| (name.clone(), *inode));
        let made = entries.filter(|(name, inode)| {
            let is_due = stream.due.get(name) == Some(inode);
            !is_due && !stream.answered.contains(&(name.clone(), *inode))
        });
        let due = stream.due.iter().map(|(name, inode)| (name.clone(), *inode));
        let gone = due.filter(|(name, _)| !there.contains_key(name));
        let mut batches: Vec<Batch> = Vec::new();
        // Each of these is answered or not; one after the other doubles the choices.
        let mut choices = vec![Vec::new()];
        for entry in made.chain(gone) {
            let with = choices.iter().map(|choice| [&choice[..], slice::from_ref(&entry)].concat());
            let with: Vec<_> = with.collect();
            choices.extend(with);
        }
        for choice in choices {
            let batch = self.batch(&stream, there, choice);
            if !batches.iter().any(|(names, _)| *names == batch.0) {
                batches.push(batch);
            }
        }
        Ok(batches)
    }

    /// The batch that is answered where `chosen` are those that need not be and are.
    fn batch(&self, stream: &Stream, there: &Entries, chosen: Vec<(Box<[u8]>, Ino)>) -> Batch {
        let due = stream.due_of(there).map(|(name, inode)| (name.clone(), inode));
        let all: BTreeMap<_, _> = due.chain(chosen).collect();
        let limit = self.listing.limit.map_or(usize::MAX, NonZeroUsize::get);
        let names: Vec<_> = all.into_iter().take(limit).collect();
        let mut next = stream.clone();
        for (name, inode) in &names {
            next.due.remove(name);
            next.answered.insert((name.clone(), *inode));
        }
        (names, next)
    }

    /// `iterate_dir`: how far the directory has been read.
    fn listed(&self, file: &SimFile) -> Result<Stream, Errno> {
        if file.is_path() {
            return Err(Errno::BADF);
        }
        let there = self.entries(file.inode)?;
        if self.inode(file.inode)?.links == 0 {
            return Err(Errno::NOENT);
        }
        let Some(stream) = file.rare.stream() else { return Ok(Stream::begun(there.clone())) };
        // What was answered and is gone may come back, to be answered again.
        let stays = |(name, inode): &&(Box<[u8]>, Ino)| there.get(name) == Some(inode);
        let answered = stream.answered.iter().filter(stays).cloned().collect();
        Ok(Stream { due: stream.due.clone(), answered })
    }

    /// The names that have been there from the beginning on and are due; none at the end.
    pub(super) fn list(&self, file: &mut SimFile) -> Result<Vec<Dirent>, Errno> {
        let stream = self.listed(file)?;
        let batch = self.batch(&stream, self.entries(file.inode)?, Vec::new());
        self.answer(file, batch)
    }

    /// The same with the answer of this number, of [`getdents_answers`](SimFs::getdents_answers).
    pub(super) fn list_as(&self, file: &mut SimFile, answer: usize) -> Result<Vec<Dirent>, Errno> {
        let batches = self.batches(file)?;
        let batch = batches.into_iter().nth(answer).ok_or(Errno::INVAL)?;
        self.answer(file, batch)
    }

    fn answer(&self, file: &mut SimFile, (names, next): Batch) -> Result<Vec<Dirent>, Errno> {
        let is_end = next.due_of(self.entries(file.inode)?).next().is_none();
        if is_end && self.format.directories_end_last {
            file.offset = i64::MAX as u64;
        }
        file.rare.set_stream(Some(next));
        Ok(self.dirents(names))
    }

    /// What an open directory remembers at its beginning.
    pub(super) fn beginning(&self, inode: Ino) -> Option<Stream> {
        if !self.listing.from_open {
            return None;
        }
        let entries = self.entries(inode).ok()?;
        Some(Stream::begun(entries.clone()))
    }

    fn dirents(&self, names: Vec<(Box<[u8]>, Ino)>) -> Vec<Dirent> {
        let is_owned = |name: &[u8]| name.windows(OWN.len()).any(|part| part == OWN.as_bytes());
        if names.iter().any(|(name, _)| is_owned(name)) {
            mistaken(
                "own",
                format_args!("getdents: somebody learns the name that is another's own"),
            );
        }
        let kind = |inode| self.inode(inode).ok().map(|inode| inode.kind());
        let dirent = |(name, inode): (Box<[u8]>, Ino)| Dirent {
            name: OsString::from_vec(name.into_vec()),
            kind: kind(inode),
            inode: inode.into(),
        };
        names.into_iter().map(dirent).collect()
    }
}

impl Stream {
    fn begun(due: Entries) -> Self {
        Stream { due, answered: BTreeSet::new() }
    }

    /// What is due and still there.
    fn due_of<'s>(&'s self, there: &'s Entries) -> impl Iterator<Item = (&'s Box<[u8]>, Ino)> {
        let due = self.due.iter().map(|(name, inode)| (name, *inode));
        due.filter(|(name, inode)| there.get(*name) == Some(inode))
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{FileSystem, Mode, OFlags, SeekFrom};
    use super::*;

    const NONE: Mode = Mode::empty();

    /// A world of three files, and the open directory that they are in.
    fn world(prepare: impl FnOnce(SimFs) -> SimFs) -> Result<(SimFs, SimFile), Errno> {
        let mut world = prepare(SimFs::new());
        for name in ["a", "b", "c"] {
            world = world.with_file(name, Mode::RUSR, b"")?;
        }
        let directory = world.open(".", OFlags::DIRECTORY, NONE)?;
        Ok((world, directory))
    }

    fn names(dirents: &[Dirent]) -> String {
        dirents.iter().map(|dirent| dirent.name.to_string_lossy()).collect()
    }

    fn read(world: &mut SimFs, directory: &mut SimFile) -> Result<String, Errno> {
        world.getdents(directory).map(|dirents| names(&dirents))
    }

    fn answers(world: &SimFs, directory: &SimFile) -> Result<Vec<String>, Errno> {
        let answers = world.getdents_answers(directory)?;
        Ok(answers.iter().map(|dirents| names(dirents)).collect())
    }

    fn make(world: &mut SimFs, name: &str) -> Result<(), Errno> {
        world.open(name, OFlags::CREATE | OFlags::EXCL, Mode::RUSR).map(drop)
    }

    #[test]
    fn a_small_directory_is_read_by_one_call_and_a_second_finds_the_end() -> Result<(), Errno> {
        let (mut world, mut directory) = world(|world| world)?;
        assert_eq!(answers(&world, &directory)?, ["abc"]);
        assert_eq!(read(&mut world, &mut directory)?, "abc");
        assert_eq!(answers(&world, &directory)?, [""]);
        make(&mut world, "d")?;
        assert_eq!(answers(&world, &directory)?, ["", "d"]);
        assert_eq!(read(&mut world, &mut directory)?, "");
        assert_eq!(world.lseek(&mut directory, SeekFrom::Start(0)), Ok(0));
        assert_eq!(read(&mut world, &mut directory)?, "abcd");
        Ok(())
    }

    #[test]
    fn whether_a_name_that_was_made_or_removed_meanwhile_is_answered_is_left_open()
    -> Result<(), Errno> {
        let (mut world, mut directory) =
            world(|world| world.with_short_listings(NonZeroUsize::new(2)))?;
        assert_eq!(read(&mut world, &mut directory)?, "ab");
        world.rename("a", "d")?;
        world.unlink("c")?;
        // What was there under another name is missed, or answered twice.
        assert_eq!(answers(&world, &directory)?, ["", "d", "c", "cd"]);
        let mut other = directory.clone();
        assert_eq!(names(&world.getdents_as(&mut other, 1)?), "d");
        assert_eq!(answers(&world, &other)?, ["", "c"]);
        assert_eq!(names(&world.getdents_as(&mut other, 1)?), "c");
        assert_eq!(answers(&world, &other)?, [""]);
        assert_eq!(world.getdents_as(&mut other, 1), Err(Errno::INVAL));
        Ok(())
    }

    #[test]
    fn a_name_that_stays_is_answered_exactly_once_whatever_is_chosen() -> Result<(), Errno> {
        let (world, directory) = world(|world| {
            world.with_short_listings(NonZeroUsize::new(1)).with_listings_from_open()
        })?;
        // Before each call a name is made; every way through the answers.
        let mut ways = vec![(world, directory, String::new(), 0)];
        let mut ended = 0;
        while let Some((mut world, directory, seen, made)) = ways.pop() {
            if made < 3 {
                make(&mut world, &format!("b{made}"))?;
            }
            for (index, answer) in answers(&world, &directory)?.into_iter().enumerate() {
                let (mut world, mut directory) = (world.clone(), directory.clone());
                world.getdents_as(&mut directory, index)?;
                if !answer.is_empty() {
                    ways.push((world, directory, format!("{seen} {answer}"), made + 1));
                    continue;
                }
                ended += 1;
                let mut all: Vec<_> = seen.split_whitespace().collect();
                let count = all.len();
                all.sort_unstable();
                all.dedup();
                assert_eq!(all.len(), count, "answered twice: {seen}");
                assert!(["a", "b", "c"].iter().all(|name| all.contains(name)), "missed: {seen}");
            }
        }
        assert!(ended > 10, "{ended} ways");
        Ok(())
    }

    #[test]
    fn what_is_made_between_the_opening_and_the_first_call_is_open_where_the_world_says_so()
    -> Result<(), Errno> {
        let (mut plain, directory) = world(|world| world)?;
        make(&mut plain, "d")?;
        assert_eq!(answers(&plain, &directory)?, ["abcd"]);
        let (mut world, directory) = world(SimFs::with_listings_from_open)?;
        make(&mut world, "d")?;
        world.unlink("a")?;
        assert_eq!(answers(&world, &directory)?, ["bc", "bcd", "abc", "abcd"]);
        Ok(())
    }
}
