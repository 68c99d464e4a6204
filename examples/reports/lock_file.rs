//! A lock file that is cleaned up (lockgate 48 and its siblings).
//!
//! Promise: one holder a name. A holder opens the file, locks it, and works; a cleaner removes a file whose lock
//! it can have.
//!
//! - `original` breaks in 8 steps: who waits for the lock of the file that is removed gets it, and whoever comes
//!   next makes another file.
//! - `counts_links` and `same_file` look again after the lock, and hold, for any number of holders.
//! - `same_file` with holders that remove the file themselves *and* a cleaner that does not look again breaks
//!   from three holders on.
//! - Where somebody moves the file away, both fixes break.

use toctou::check::System;
use toctou::direct::{Code, Failed, section};
use toctou::fs::SimFs;
use toctou::std::fs::{self, File};
use toctou::std::io;
use toctou::std::os::unix::fs::MetadataExt;

use crate::Program;

const LOCK: &str = "lock";

fn locked() -> io::Result<File> {
    let file = File::options().write(true).create(true).open(LOCK)?;
    file.lock()?;
    Ok(file)
}

fn original() -> io::Result<File> {
    locked()
}

fn counts_links() -> io::Result<File> {
    loop {
        let file = locked()?;
        if file.metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
}

fn same_file() -> io::Result<File> {
    loop {
        let file = locked()?;
        if is_there(&file)? {
            return Ok(file);
        }
    }
}

/// Whether the name is still this file's.
fn is_there(file: &File) -> io::Result<bool> {
    match fs::metadata(LOCK) {
        Ok(named) => Ok(named.ino() == file.metadata()?.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

type Take = fn() -> io::Result<File>;

/// Holds the lock, and removes the file before it lets go, if it is one that does.
fn holder(
    take: Take,
    removes: bool,
) -> Code<toctou::direct::Files<toctou::fs::SimFile>, Result<(), Failed>> {
    Code::io(move || {
        let _file = take()?;
        let _held = section("holds");
        // What it does meanwhile.
        fs::exists("work")?;
        if removes { fs::remove_file(LOCK) } else { Ok(()) }
    })
}

fn cleaner(looks: bool) -> Code<toctou::direct::Files<toctou::fs::SimFile>, Result<(), Failed>> {
    Code::io(move || {
        let Ok(file) = File::open(LOCK) else { return Ok(()) };
        if file.try_lock().is_err() || looks && !is_there(&file)? {
            return Ok(());
        }
        fs::remove_file(LOCK)
    })
}

fn holders(count: usize, take: Take) -> Program<Result<(), Failed>> {
    claimed(System::new(SimFs::new()).clients(count, holder(take, false)))
}

fn claimed(system: Program<Result<(), Failed>>) -> Program<Result<(), Failed>> {
    system
        .at_most(1, "one-holder", |holder| {
            holder.running().filter(|it| it.is_in("holds")).map(drop)
        })
        .reaches("held", |holder| holder.running().is_some_and(|it| it.is_in("holds")))
}

fn cleaned(count: usize, take: Take) -> Program<Result<(), Failed>> {
    holders(count, take).actor("cleaner", cleaner(true))
}

/// Holders that remove the file, and a cleaner that does not look again.
fn unchecked(count: usize) -> Program<Result<(), Failed>> {
    let system = System::new(SimFs::new()).clients(count, holder(same_file, true));
    claimed(system).actor("cleaner", cleaner(false))
}

fn moved(count: usize, take: Take) -> Program<Result<(), Failed>> {
    let mover = || fs::rename(LOCK, "elsewhere").or(Ok(()));
    holders(count, take).actor("mover", Code::io(mover))
}

pub(crate) fn tell() {
    crate::tell("a lock file, original", || cleaned(2, original));
    crate::tell("a lock file, counts links", || cleaned(2, counts_links));
    crate::tell("a lock file, same file", || cleaned(2, same_file));
    crate::tell("a lock file, same file, moved away", || moved(2, same_file));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_original_has_two_holders() {
        cleaned(2, original).assert_breaks("one-holder");
        crate::assert_replayed(cleaned(2, original));
    }

    #[test]
    fn both_fixes_hold() {
        cleaned(2, counts_links).assert_holds();
        cleaned(2, same_file).assert_holds();
    }

    #[test]
    fn both_fixes_break_where_the_file_is_moved_away() {
        for take in [counts_links as Take, same_file] {
            moved(2, take).assert_breaks("one-holder");
            crate::assert_replayed(moved(2, take));
        }
    }

    #[test]
    fn removing_holders_and_a_careless_cleaner_break_from_three_on() {
        unchecked(3).assert_breaks("one-holder");
    }
}
