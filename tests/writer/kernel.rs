//! The writer on the kernel, alone: what it writes, what it refuses, and that nothing else is there
//! afterwards.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use rustix::process::{chdir, umask};
use toctou::fs::{Mode, OsFs};
use toctou::writer::{
    Options, PathFault, WriteError, WriteFault, write_exclusive, write_exclusive_in,
};

use crate::folder::{apart, contents, file, folder};

const SECRET: &[u8] = b"4242 4242 4242 4242";

fn replacing() -> Options {
    Options { replace: true, ..Options::default() }
}

fn every_options() -> [Options; 8] {
    std::array::from_fn(|index| {
        let [replace, durable, follow_parents] = [1, 2, 4].map(|bit| index & bit != 0);
        Options { replace, durable, follow_parents, ..Options::default() }
    })
}

#[test]
fn a_new_file_is_whole_and_private_and_all_there_is() {
    for options in every_options() {
        for bytes in [b"".to_vec(), SECRET.to_vec(), vec![b'x'; 3_000_000]] {
            let folder = folder();
            let path = folder.path.join("P");
            write_exclusive(&path, &bytes, &options).expect("there is nothing yet");
            assert!(contents(&folder.path) == [(path, 0o600, bytes)], "{options:?}");
        }
    }
}

#[test]
fn a_path_may_be_spelled_in_any_way_that_names_a_file() {
    let folder = folder();
    fs::create_dir_all(folder.path.join("a/b")).expect("it is new");
    apart(false, || {
        chdir(folder.path.join("a")).expect("it was just made");
        let here = folder.path.to_str().expect("it is text").to_owned();
        for (path, lands) in [
            ("P", "a/P"),
            ("./P", "a/P"),
            (".//./P", "a/P"),
            ("b/P", "a/b/P"),
            ("b//P", "a/b/P"),
            ("b/./P", "a/b/P"),
            ("b/../P", "a/P"),
            ("../P", "P"),
            ("../a/P", "a/P"),
            (".././a/b/P", "a/b/P"),
            ("../a/../P", "P"),
            ("-rf", "a/-rf"),
            ("...", "a/..."),
            (" ", "a/ "),
            ("a\nb", "a/a\nb"),
            (&format!("{here}/P"), "P"),
            (&format!("/{here}//a/P"), "a/P"),
            (&format!("{here}/a/../P"), "P"),
        ] {
            for options in every_options() {
                let before = contents(&folder.path);
                write_exclusive(path, SECRET, &options)
                    .unwrap_or_else(|error| panic!("{path}: {error}"));
                let lands = folder.path.join(lands);
                assert_eq!(file(&lands).expect("it is there"), (SECRET.to_vec(), 0o600), "{path}");
                fs::remove_file(&lands).expect("it was just made");
                assert_eq!(contents(&folder.path), before, "{path}");
            }
        }
    })
    .expect("a working directory of one's own is allowed to everybody");
}

#[test]
fn the_mode_is_what_was_asked_for_whatever_the_umask() {
    apart(false, || {
        for mask in [0, 0o022, 0o077, 0o777] {
            for mode in [0, 0o400, 0o600, 0o640, 0o666, 0o777] {
                for options in every_options() {
                    // What takes permissions from the owner stops all but root here.
                    if options.replace && mask == 0o777 && !rustix::process::geteuid().is_root() {
                        continue;
                    }
                    let folder = folder();
                    let path = folder.path.join("P");
                    let options = Options { mode: Mode::from_raw_mode(mode), ..options };
                    umask(Mode::from_raw_mode(mask));
                    let written = write_exclusive(&path, SECRET, &options);
                    umask(Mode::from_raw_mode(0o022));
                    written.unwrap_or_else(|error| panic!("{mask:o} {mode:o}: {error}"));
                    let found = fs::symlink_metadata(&path).expect("it was just made").mode();
                    assert_eq!(found & 0o7777, mode, "umask {mask:o}");
                    assert_eq!(contents(&folder.path).len(), 1);
                }
            }
        }
    })
    .expect("a umask of one's own is allowed to everybody");
}

#[test]
fn a_mode_that_is_more_than_permissions_is_refused() {
    let folder = folder();
    for mode in [0o4755, 0o2755, 0o1777] {
        let mode = Mode::from_raw_mode(mode);
        let options = Options { mode, ..Options::default() };
        let refused = write_exclusive(folder.path.join("P"), SECRET, &options);
        assert_eq!(refused.unwrap_err().fault, WriteFault::BadMode(mode));
    }
    assert_eq!(contents(&folder.path), []);
}

#[test]
fn a_file_that_is_there_stays_as_it_is_unless_it_is_to_be_replaced() {
    for options in every_options() {
        let folder = folder();
        let path = folder.path.join("P");
        fs::write(&path, b"old").expect("it is new");
        let other = folder.path.join("other name");
        fs::hard_link(&path, &other).expect("it is new");
        let before = contents(&folder.path);
        let written = write_exclusive(&path, SECRET, &options);
        if options.replace {
            assert_eq!(written, Ok(()));
            assert_eq!(file(&path).expect("it is there"), (SECRET.to_vec(), 0o600));
            assert_eq!(fs::read(&other).expect("it is there"), b"old", "the other name keeps it");
            assert_eq!(fs::metadata(&other).expect("it is there").nlink(), 1);
            assert_eq!(contents(&folder.path).len(), 2);
        } else {
            assert_eq!(written, Err(WriteError { path, fault: WriteFault::Exists, left: None }));
            assert_eq!(contents(&folder.path), before);
        }
    }
}

#[test]
fn a_link_a_directory_or_a_pipe_is_neither_followed_nor_replaced() {
    for options in every_options() {
        let folder = folder();
        let at = |name: &str| folder.path.join(name);
        fs::write(at("target"), b"precious").expect("it is new");
        symlink("target", at("link")).expect("it is new");
        symlink("nowhere", at("dangling")).expect("it is new");
        symlink("loop", at("loop")).expect("it is new");
        fs::create_dir(at("directory")).expect("it is new");
        let pipe = std::process::Command::new("mkfifo").arg(at("pipe")).status();
        assert!(pipe.is_ok_and(|status| status.success()), "there is a mkfifo command");
        let before = contents(&folder.path);
        for name in ["link", "dangling", "loop"] {
            let refused = write_exclusive(at(name), SECRET, &options);
            assert_eq!(
                refused,
                Err(WriteError { path: at(name), fault: WriteFault::IsSymlink, left: None })
            );
        }
        let (path, left) = (at("directory"), None);
        let refused = write_exclusive(&path, SECRET, &options);
        // Before anything else, that it is there is told by the first look where there is one.
        assert_eq!(refused, Err(WriteError { path, fault: WriteFault::IsDirectory, left }));
        let (path, left) = (at("pipe"), None);
        let refused = write_exclusive(&path, SECRET, &options);
        assert_eq!(refused, Err(WriteError { path, fault: WriteFault::IsSpecial, left }));
        assert_eq!(contents(&folder.path), before, "{options:?}");
    }
}

#[test]
fn links_in_the_parents_are_refused_unless_they_are_allowed() {
    for options in every_options() {
        let folder = folder();
        fs::create_dir_all(folder.path.join("real/deep")).expect("it is new");
        symlink("real", folder.path.join("relative")).expect("it is new");
        symlink(folder.path.join("real"), folder.path.join("absolute")).expect("it is new");
        symlink("../relative", folder.path.join("real/up")).expect("it is new");
        for (parent, lands) in [
            ("relative", "real"),
            ("absolute", "real"),
            ("relative/deep", "real/deep"),
            ("real/up/deep", "real/deep"),
        ] {
            let path = folder.path.join(parent).join("P");
            let before = contents(&folder.path);
            let written = write_exclusive(&path, SECRET, &options);
            if options.follow_parents {
                assert_eq!(written, Ok(()), "{parent}");
                let lands = folder.path.join(lands).join("P");
                assert_eq!(fs::read(&lands).expect("it is there"), SECRET);
                fs::remove_file(lands).expect("it was just made");
            } else {
                assert_eq!(
                    written,
                    Err(WriteError { path, fault: WriteFault::LinkInPath, left: None }),
                    "{parent}"
                );
            }
            assert_eq!(contents(&folder.path), before, "{parent}");
        }
    }
}

#[test]
fn what_is_written_beneath_a_directory_stays_beneath_it() {
    for options in every_options() {
        let folder = folder();
        fs::create_dir_all(folder.path.join("base/a")).expect("it is new");
        fs::create_dir(folder.path.join("outside")).expect("it is new");
        symlink("../outside", folder.path.join("base/up")).expect("it is new");
        symlink(folder.path.join("base/a"), folder.path.join("base/absolute")).expect("it is new");
        symlink("a", folder.path.join("base/in")).expect("it is new");
        let base = OsFs::open(folder.path.join("base")).expect("it is there");
        let before = contents(&folder.path);
        let write = |path: &str| write_exclusive_in(&base, path, SECRET, &options);
        for path in ["P", "a/P", "a/../P", "./a/P"] {
            assert_eq!(write(path), Ok(()), "{path}");
            fs::remove_file(folder.path.join("base").join(path)).expect("it was just made");
        }
        let bad = |path: &str, fault| {
            Err(WriteError { path: path.into(), fault: WriteFault::BadPath(fault), left: None })
        };
        for path in ["../P", "/P", "/tmp/P", "./../P", "../base/P"] {
            assert_eq!(write(path), bad(path, PathFault::Outside), "{path}");
        }
        assert_eq!(write("a/../../P"), bad("a/../../P", PathFault::Climbs));
        for path in ["up/P", "absolute/P"] {
            let path = Path::new(path).to_owned();
            let refused = match options.follow_parents {
                true => WriteError { path: path.clone(), fault: WriteFault::Outside, left: None },
                false => {
                    WriteError { path: path.clone(), fault: WriteFault::LinkInPath, left: None }
                }
            };
            assert_eq!(write(path.to_str().expect("it is text")), Err(refused));
        }
        match (write("in/P"), options.follow_parents) {
            (Ok(()), true) => fs::remove_file(folder.path.join("base/a/P")).expect("it was made"),
            (Err(WriteError { fault: WriteFault::LinkInPath, .. }), false) => {}
            (other, _) => panic!("{other:?}"),
        }
        assert_eq!(contents(&folder.path), before);
    }
}

#[test]
fn a_directory_that_is_moved_while_it_is_open_is_written_to_where_it_is() {
    let folder = folder();
    fs::create_dir(folder.path.join("base")).expect("it is new");
    let base = OsFs::open(folder.path.join("base")).expect("it is there");
    fs::rename(folder.path.join("base"), folder.path.join("moved")).expect("it is ours");
    write_exclusive_in(&base, "P", SECRET, &replacing()).expect("it is open");
    assert!(folder.path.join("moved/P").exists());
    fs::remove_dir_all(folder.path.join("moved")).expect("it is ours");
    for options in every_options() {
        match write_exclusive_in(&base, "P", SECRET, &options) {
            Err(WriteError { fault: WriteFault::NoDirectory, left: None, .. }) => {}
            // Some file systems say of a file without a name that it is not permitted there.
            Err(WriteError {
                fault: WriteFault::Denied { call: "open", .. }, left: None, ..
            }) if !options.replace => {}
            other => panic!("{other:?}"),
        }
    }
}
