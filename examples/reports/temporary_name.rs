//! Whole or nothing by a temporary name (write-file-atomic 57, 37, 216).
//!
//! Promise: the file is always one writer's whole content, and "ok" means that it is the writer's own.
//!
//! - The process's number in the name: two threads have one name. The file is *empty*, and the writer says ok.
//! - The thread's number: the same for two processes.
//! - Both, one behind the other: 1 and 23 is 12 and 3.
//! - `O_EXCL` and the next number where the name is taken: right.

use toctou::check::System;
use toctou::direct::{Code, Failed, Files};
use toctou::fs::{Mode, SimFile, SimFs};
use toctou::std::fs::{self, File};
use toctou::std::io::Write;
use toctou::std::{io, process};

use crate::Program;

fn by_name(temporary: String, content: &str) -> io::Result<()> {
    let saved = fs::write(&temporary, content).and_then(|()| fs::rename(&temporary, "f"));
    if saved.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    saved
}

fn by_process(_thread: u32, content: &str) -> io::Result<()> {
    by_name(format!("f.{}", process::id()), content)
}

fn by_thread(thread: u32, content: &str) -> io::Result<()> {
    by_name(format!("f.{thread}"), content)
}

fn by_both(thread: u32, content: &str) -> io::Result<()> {
    by_name(format!("f.{}{thread}", process::id()), content)
}

fn exclusive(_thread: u32, content: &str) -> io::Result<()> {
    for number in 0.. {
        let temporary = format!("f.{number}");
        let mut file = match File::create_new(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            opened => opened?,
        };
        let saved = file.write_all(content.as_bytes()).and_then(|()| fs::rename(&temporary, "f"));
        if saved.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        return saved;
    }
    Ok(())
}

type Save = fn(u32, &str) -> io::Result<()>;

fn writer(
    save: Save,
    (id, thread): (u32, u32),
    content: &'static str,
) -> Code<Files<SimFile>, Result<(), Failed>> {
    Code::io(move || save(thread, content)).in_process(id)
}

/// Two writers, each with its process and its thread.
fn writers(save: Save, one: (u32, u32), other: (u32, u32)) -> Program<Result<(), Failed>> {
    let mode = Mode::RUSR | Mode::WUSR;
    System::new(SimFs::new().with_file("f", mode, b"old").expect("a file"))
        .actor("one", writer(save, one, "one"))
        .actor("other", writer(save, other, "other"))
        .always("whole", |state| {
            let tree = state.world().tree();
            matches!(tree.bytes("f"), Some(b"old" | b"one" | b"other"))
        })
        .finally("nobody-fails", |state| state.outputs().all(Result::is_ok))
        .reachable("saved", |state| state.world().tree().bytes("f") == Some(b"one"))
}

pub(crate) fn tell() {
    crate::tell("a temporary name by process", || writers(by_process, (1, 1), (1, 2)));
    crate::tell("a temporary name by thread", || writers(by_thread, (1, 1), (2, 1)));
    crate::tell("a temporary name by both", || writers(by_both, (1, 23), (12, 3)));
    crate::tell("a temporary name, exclusive", || writers(exclusive, (1, 1), (1, 2)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_two_writers_share_breaks_the_file() {
        for (save, one, other) in [
            (by_process as Save, (1, 1), (1, 2)),
            (by_thread, (1, 1), (2, 1)),
            (by_both, (1, 23), (12, 3)),
        ] {
            writers(save, one, other).assert_breaks("whole");
            crate::assert_replayed(writers(save, one, other));
        }
    }

    #[test]
    fn each_is_right_where_the_names_differ() {
        for (save, one, other) in [
            (by_process as Save, (1, 1), (2, 1)),
            (by_thread, (1, 1), (1, 2)),
            (by_both, (1, 2), (1, 3)),
        ] {
            writers(save, one, other).assert_holds();
        }
    }

    #[test]
    fn an_exclusive_name_is_right() {
        for (one, other) in [((1, 1), (1, 2)), ((1, 1), (2, 1)), ((1, 23), (12, 3))] {
            writers(exclusive, one, other).assert_holds();
        }
    }
}
