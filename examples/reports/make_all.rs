//! Create all directories of a path (Rust's std, issue 33707 and its fix 39799; CPython, issues 29694 and
//! 142916).
//!
//! Promise: it does not fail because of another one that does the same; "File exists" means that something
//! is there that is no directory.
//!
//! - `before` looks first: two makers break it.
//! - `std_now` is right without a remover. With one, it may say "File exists" of a path that is not there.
//! - `proposed` (CPython) makes once more where its look found nothing: right for two makers, broken from three
//!   on.

use std::path::Path;

use toctou::direct::{Code, Failed};
use toctou::fs::{Errno, SimFs};
use toctou::std::{fs, io};

use crate::Program;

type Make = fn(&Path) -> io::Result<()>;

fn is_dir(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn parent(path: &Path) -> Option<&Path> {
    path.parent().filter(|parent| *parent != Path::new(""))
}

fn before(path: &Path) -> io::Result<()> {
    if is_dir(path) {
        return Ok(());
    }
    if let Some(parent) = parent(path) {
        before(parent)?;
    }
    fs::create_dir(path)
}

fn std_now(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            std_now(parent(path).ok_or(error)?)?;
            std_now(path)
        }
        Err(_) if is_dir(path) => Ok(()),
        made => made,
    }
}

fn proposed(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(_) if is_dir(path) => Ok(()),
        // Somebody has removed it since.
        Err(_) => fs::create_dir(path),
        made => made,
    }
}

fn makers(count: usize, make: Make, path: &'static str) -> Program<Result<(), Failed>> {
    System::new(SimFs::new())
        .clients(count, Code::io(move || make(Path::new(path))))
        .finally("nobody-fails", |state| state.outputs().all(Result::is_ok))
        .reaches("made", |maker| maker.output() == Some(&Ok(())))
}

/// With somebody who removes what was made.
fn with_a_remover(count: usize, make: Make) -> Program<Result<(), Failed>> {
    let remove = || {
        let _ = fs::remove_dir("a");
        Ok(())
    };
    System::new(SimFs::new())
        .clients(count, Code::io(move || make(Path::new("a"))))
        .actor("remover", Code::io(remove))
        .at_most(0, "no-file-exists", |maker| maker.output().filter(|told| exists(told)).cloned())
        .reaches("made", |maker| maker.output() == Some(&Ok(())))
}

fn exists(told: &Result<(), Failed>) -> bool {
    told.as_ref().is_err_and(|failed| failed.errno == Some(Errno::EXIST))
}

use toctou::check::System;

pub(crate) fn tell() {
    crate::tell("create all directories, before", || makers(2, before, "a/b"));
    crate::tell("create all directories, std now", || makers(3, std_now, "a/b"));
    crate::tell("create all directories, std now, with a remover", || with_a_remover(2, std_now));
    crate::tell("create all directories, proposed for CPython, with a remover", || {
        with_a_remover(3, proposed)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_makers_break_the_look_before() {
        makers(2, before, "a/b").assert_breaks("nobody-fails");
        crate::assert_replayed(makers(2, before, "a/b"));
    }

    #[test]
    fn std_now_is_right_for_makers_and_says_that_a_file_exists_where_none_is() {
        makers(3, std_now, "a/b").assert_holds();
        with_a_remover(2, std_now).assert_breaks("no-file-exists");
        crate::assert_replayed(with_a_remover(2, std_now));
    }

    #[test]
    fn the_standard_library_itself_is_right_for_makers() {
        makers(3, |path| fs::create_dir_all(path), "a/b").assert_holds();
    }

    #[test]
    fn the_second_try_is_broken_from_three_makers_on() {
        let told = std::panic::catch_unwind(|| with_a_remover(2, proposed).assert_holds());
        let told = told.expect_err("it asks for more makers");
        let told = told.downcast_ref::<String>().expect("a text");
        assert!(told.contains("`no-file-exists` is violated from 3 clients on"), "{told}");
        with_a_remover(3, proposed).assert_breaks("no-file-exists");
        crate::assert_replayed(with_a_remover(3, proposed));
    }
}
