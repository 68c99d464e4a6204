//! The writer fed what is no good: bad paths, full disks, read-only mounts, other users' directories.
//! Each is answered with its error, and nothing is left behind.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Resource, Rlimit, chdir, getrlimit, setrlimit};
use toctou::fs::{Errno, Mode, OsFs, User, Users};
use toctou::writer::{
    Options, PathFault, WriteError, WriteFault, write_exclusive, write_exclusive_in,
};

use crate::folder::{apart, contents, file, folder};

const SECRET: &[u8] = b"4242 4242 4242 4242";

fn every_options() -> [Options; 8] {
    std::array::from_fn(|index| {
        let [replace, durable, follow_parents] = [1, 2, 4].map(|bit| index & bit != 0);
        Options { replace, durable, follow_parents, ..Options::default() }
    })
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

/// Writes with all options, and asserts that the error is as `expected` says and that nothing
/// changed below `directory`.
fn refused(
    directory: &Path,
    path: impl AsRef<Path>,
    bytes: &[u8],
    expected: impl Fn(&WriteError, &Options) -> bool,
) {
    let path = path.as_ref();
    let before = contents(directory);
    for options in every_options() {
        match write_exclusive(path, bytes, &options) {
            Err(error) if expected(&error, &options) => {
                assert_eq!(error.left, None, "{path:?} {options:?}");
                assert!(error.to_string().len() > 20, "it says something: {error}");
            }
            other => panic!("{path:?} {options:?}: {other:?}"),
        }
        assert!(contents(directory) == before, "{path:?} {options:?}: {:?}", contents(directory));
    }
}

#[test]
fn a_path_that_names_no_file_is_told_so() {
    let folder = folder();
    let here = folder.path.to_str().expect("it is text");
    for (path, fault) in [
        (String::new(), PathFault::Empty),
        ("/".to_owned(), PathFault::NoName),
        (".".to_owned(), PathFault::NoName),
        ("..".to_owned(), PathFault::NoName),
        (format!("{here}/"), PathFault::NoName),
        (format!("{here}/new/"), PathFault::NoName),
        (format!("{here}/."), PathFault::NoName),
        (format!("{here}/a\0b"), PathFault::Nul),
        (format!("{here}\0/P"), PathFault::Nul),
        ("a/../../P".to_owned(), PathFault::Climbs),
    ] {
        let expected = WriteError {
            path: PathBuf::from(&path),
            fault: WriteFault::BadPath(fault),
            left: None,
        };
        refused(&folder.path, &path, SECRET, |error, _| *error == expected);
        assert!(expected.to_string().contains(&fault.to_string()));
    }
}

#[test]
fn a_directory_that_is_missing_or_is_none_is_told_so() {
    let folder = folder();
    fs::write(folder.path.join("file"), b"content").expect("it is new");
    symlink("missing", folder.path.join("dangling")).expect("it is new");
    symlink("file", folder.path.join("to a file")).expect("it is new");
    let at = |path: &str| folder.path.join(path);
    for path in ["missing/P", "missing/deeper/P"] {
        refused(&folder.path, at(path), SECRET, |error, _| {
            matches!(error, WriteError { fault: WriteFault::NoDirectory, .. })
        });
    }
    for path in ["file/P", "file/deeper/P"] {
        refused(&folder.path, at(path), SECRET, |error, _| {
            matches!(error, WriteError { fault: WriteFault::NotADirectory, .. })
        });
    }
    refused(&folder.path, at("dangling/P"), SECRET, |error, options| {
        match options.follow_parents {
            true => matches!(error, WriteError { fault: WriteFault::NoDirectory, .. }),
            false => matches!(error, WriteError { fault: WriteFault::LinkInPath, .. }),
        }
    });
    refused(&folder.path, at("to a file/P"), SECRET, |error, options| {
        match options.follow_parents {
            true => matches!(error, WriteError { fault: WriteFault::NotADirectory, .. }),
            false => matches!(error, WriteError { fault: WriteFault::LinkInPath, .. }),
        }
    });
    symlink("loop", at("loop")).expect("it is new");
    refused(&folder.path, at("loop/P"), SECRET, |error, options| match options.follow_parents {
        true => matches!(
            error,
            WriteError { fault: WriteFault::Failed { call: "openat2", errno: Errno::LOOP }, .. }
        ),
        false => matches!(error, WriteError { fault: WriteFault::LinkInPath, .. }),
    });
}

#[test]
fn a_name_of_255_bytes_is_written_and_a_longer_one_or_too_long_a_path_is_told_so() {
    for options in every_options() {
        let folder = folder();
        let path = folder.path.join("n".repeat(255));
        write_exclusive(&path, SECRET, &options).expect("it is not too long");
        assert_eq!(contents(&folder.path), [(path, 0o600, SECRET.to_vec())]);
    }
    let folder = folder();
    let too_long = |error: &WriteError, _: &Options| {
        matches!(error, WriteError { fault: WriteFault::TooLong, .. })
    };
    refused(&folder.path, folder.path.join("n".repeat(256)), SECRET, too_long);
    refused(&folder.path, folder.path.join("n".repeat(256)).join("P"), SECRET, too_long);
    refused(&folder.path, folder.path.join("n/".repeat(3000)).join("P"), SECRET, too_long);
}

#[test]
fn a_path_near_the_longest_is_written_from_its_directory() {
    // The path as a whole is too long for the system; its directory, and its name, are not.
    let folder = folder();
    let mut directory = folder.path.clone();
    while directory.as_os_str().len() < 3900 {
        directory.push("d".repeat(100));
        fs::create_dir(&directory).expect("it is new");
    }
    let path = directory.join("n".repeat(250));
    assert!(path.as_os_str().len() > 4095);
    for options in every_options() {
        let written = write_exclusive(&path, SECRET, &options);
        let is_again = written
            == Err(WriteError { path: path.clone(), fault: WriteFault::Exists, left: None });
        assert!(written.is_ok() || is_again && !options.replace, "{written:?}");
    }
}

/// A user that owns nothing.
fn nobody() -> User {
    User::numbered(65534)
}

/// Does `work` as another user; says so loudly where there is none to be had.
fn as_nobody(told: &str, work: impl FnOnce() + Send) {
    if !User::current().is_root() {
        eprintln!("SKIPPED: {told}: only root can act as another user");
        return;
    }
    let done = apart(false, || {
        let world = OsFs::open("/").expect("it is there");
        if let Err(errno) = (&world).act_as(nobody()) {
            eprintln!("SKIPPED: {told}: no other user to be had here: {errno}");
            return;
        }
        work();
    });
    assert_eq!(done, Some(()), "a umask of one's own is allowed to everybody");
}

#[test]
fn a_directory_of_another_user_is_told_so_and_stays_as_it_is() {
    let folder = folder();
    chmod(&folder.path, 0o755);
    let closed = folder.path.join("closed");
    fs::create_dir(&closed).expect("it is new");
    fs::write(folder.path.join("file"), b"content").expect("it is new");
    let denied = |error: &WriteError, _: &Options| {
        matches!(error, WriteError { fault: WriteFault::Denied { .. }, .. })
    };
    as_nobody("another user's directory", || {
        refused(&folder.path, folder.path.join("P"), SECRET, denied);
        let path = folder.path.join("file");
        refused(&folder.path, &path, SECRET, denied);
    });
    chmod(&closed, 0o700);
    as_nobody("another user's closed directory", || {
        for options in every_options() {
            let refused = write_exclusive(closed.join("P"), SECRET, &options);
            let refused = refused.expect_err("it is closed");
            assert!(denied(&refused, &options), "{refused:?}");
            assert!(refused.to_string().contains("EACCES, permission denied"), "{refused}");
        }
    });
    assert_eq!(contents(&closed), []);
}

#[test]
fn a_directory_that_may_be_written_to_and_not_be_read_will_do_unless_it_is_to_be_durable() {
    let folder = folder();
    chmod(&folder.path, 0o755);
    let dropbox = folder.path.join("dropbox");
    fs::create_dir(&dropbox).expect("it is new");
    chmod(&dropbox, 0o333);
    let mut written = 0;
    as_nobody("a directory that cannot be read", || {
        chdir(&dropbox).expect("it may be searched");
        let base = OsFs::open_unread(&dropbox).expect("it may be searched");
        for (number, options) in every_options().into_iter().enumerate() {
            let first = write_exclusive(dropbox.join(format!("P{number}")), SECRET, &options);
            let relative = write_exclusive(format!("R{number}"), SECRET, &options);
            let second = write_exclusive_in(&base, format!("Q{number}"), SECRET, &options);
            let is_told = |result| match (result, options.durable) {
                (Ok(()), false) => true,
                (
                    Err(WriteError { fault: WriteFault::Denied { call: "openat2", .. }, .. }),
                    true,
                ) => true,
                (other, _) => panic!("{options:?}: {other:?}"),
            };
            let is_told = is_told(first) && is_told(relative) && is_told(second);
            written += usize::from(is_told && !options.durable);
        }
    });
    if User::current().is_root() {
        assert_eq!((written, contents(&dropbox).len()), (4, 12), "and nothing else is left");
    }
}

#[test]
fn somebody_elses_file_in_a_shared_directory_is_replaced_by_who_may() {
    let folder = folder();
    let shared = folder.path.join("shared");
    chmod(&folder.path, 0o755);
    fs::create_dir(&shared).expect("it is new");
    let path = shared.join("P");
    as_nobody("a shared directory", || {
        let replacing = Options { replace: true, ..Options::default() };
        for (mode, may) in [(0o777, true), (0o1777, false)] {
            // A thread is somebody else by its effective user: root is still there to be.
            let root = OsFs::open("/").expect("it is there");
            let me = (&root).act_as(User::ROOT).expect("it was root before");
            chmod(&shared, mode);
            let _ = fs::remove_file(&path);
            fs::write(&path, b"root's").expect("root may");
            (&root).act_as(me).expect("root may");
            let written = write_exclusive(&path, SECRET, &replacing);
            if may {
                assert_eq!(written, Ok(()), "{mode:o}");
                assert_eq!(file(&path).expect("it is ours"), (SECRET.to_vec(), 0o600));
            } else {
                // In a sticky directory the file is its owner's to move.
                assert!(
                    matches!(written, Err(WriteError { fault: WriteFault::Denied { .. }, .. })),
                    "{written:?}"
                );
            }
            assert_eq!(contents(&shared).len(), 1, "{mode:o}");
        }
    });
}

/// Does `work` with an own tmpfs; says so loudly where that is not allowed.
fn with_tmpfs(told: &str, options: &str, work: impl FnOnce(&Path) + Send) {
    let folder = folder();
    let mount = |arguments: &[&str]| {
        let output = Command::new("mount").args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    };
    let path = folder.path.to_str().expect("it is text");
    let done = apart(true, || {
        let mounted = mount(&["--make-rprivate", "/"])
            && mount(&["-t", "tmpfs", "-o", options, "none", path]);
        if mounted {
            work(&folder.path);
        }
        mounted
    });
    if done != Some(true) {
        eprintln!("SKIPPED: {told}: no mounts of one's own are allowed here");
    }
}

#[test]
fn on_a_full_disk_nothing_is_written_and_nothing_is_left() {
    with_tmpfs("a full disk", "size=64k,nr_inodes=20,mode=700", |directory| {
        let path = directory.join("P");
        fs::write(&path, b"old").expect("there is room");
        let filler = directory.join("filler");
        let _ = fs::write(&filler, vec![b'x'; 50_000]);
        let full = |error: &WriteError, options: &Options| match error {
            WriteError { fault: WriteFault::NoSpace(Errno::NOSPC), .. } => true,
            _ => panic!("{options:?}: {error}"),
        };
        // Some of it can be written.
        refused(directory, directory.join("new"), &[b'y'; 20_000], full);
        refused(directory, &path, &[b'y'; 20_000], full);
        // None of it can.
        let _ = fs::write(&filler, vec![b'x'; 100_000]);
        refused(directory, directory.join("new"), &[b'y'; 10], full);
        refused(directory, &path, &[b'y'; 10], full);
        // There is no room for the file itself.
        fs::remove_file(&filler).expect("it is ours");
        let mut fillers = 0;
        while File::create(directory.join(format!("filler {fillers}"))).is_ok() {
            fillers += 1;
        }
        refused(directory, directory.join("new"), SECRET, full);
        // There is room for the private directory and not for the file in it.
        fs::remove_file(directory.join("filler 0")).expect("it is ours");
        let before = contents(directory);
        let replacing = Options { replace: true, ..Options::default() };
        let refused = write_exclusive(&path, SECRET, &replacing);
        assert!(
            matches!(refused, Err(WriteError { fault: WriteFault::NoSpace(_), left: None, .. })),
            "{refused:?}"
        );
        assert_eq!(contents(directory), before);
        fs::remove_file(directory.join("filler 1")).expect("it is ours");
        write_exclusive(&path, SECRET, &replacing).expect("there is room for both");
        write_exclusive(directory.join("new"), SECRET, &Options::default()).expect("for one more");
    });
}

#[test]
fn on_a_read_only_mount_nothing_is_written() {
    with_tmpfs("a read-only mount", "size=64k,mode=700", |directory| {
        let path = directory.join("P");
        fs::write(&path, b"old").expect("there is room");
        let remount = |how: &str| {
            let how = format!("remount,{how}");
            let status = Command::new("mount").args(["-o", &how]).arg(directory).status();
            assert!(status.is_ok_and(|status| status.success()), "{how}");
        };
        remount("ro");
        let read_only = |error: &WriteError, _: &Options| {
            matches!(error, WriteError { fault: WriteFault::ReadOnly, .. })
        };
        refused(directory, directory.join("new"), SECRET, read_only);
        refused(directory, &path, SECRET, read_only);
        remount("rw");
        let replacing = Options { replace: true, durable: true, ..Options::default() };
        write_exclusive(&path, SECRET, &replacing).expect("it is writable again");
    });
}

/// Says that a test is running as a process of its own: what it limits is the whole process's.
const ALONE: &str = "TOCTOU_WRITER_ALONE";

/// Runs this test again in a process of its own; `true` in there.
fn is_alone(test: &str) -> bool {
    if std::env::var(ALONE).is_ok_and(|name| name == test) {
        return true;
    }
    let program = std::env::current_exe().expect("a running program has a file");
    let arguments = [&format!("hostile::{test}"), "--exact", "--nocapture", "--test-threads=1"];
    let output = Command::new(program).args(arguments).env(ALONE, test).output();
    let output = output.expect("this binary can be run again");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}\n{complaint}");
    false
}

#[test]
fn without_descriptors_nothing_is_written() {
    if !is_alone("without_descriptors_nothing_is_written") {
        return;
    }
    let limit = Rlimit { current: Some(64), maximum: getrlimit(Resource::Nofile).maximum };
    setrlimit(Resource::Nofile, limit).expect("a limit may be lowered");
    let (mut written, mut failed) = (0, 0);
    for free in 0..6 {
        for options in every_options() {
            let folder = folder();
            let path = folder.path.join("P");
            fs::write(&path, b"old").expect("it is new");
            let path = if options.replace { path } else { folder.path.join("new") };
            let before = contents(&folder.path);
            let mut taken = Vec::new();
            while let Ok(file) = File::open("/dev/null") {
                taken.push(file);
            }
            taken.truncate(taken.len() - free);
            let result = write_exclusive(&path, SECRET, &options);
            drop(taken);
            match result {
                Ok(()) => written += 1,
                Err(WriteError {
                    fault: WriteFault::Failed { errno: Errno::MFILE, .. },
                    left: None,
                    ..
                }) => {
                    assert_eq!(contents(&folder.path), before, "{free} free");
                    failed += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(written >= 16 && failed >= 16, "{written} written, {failed} failed");
}

#[test]
fn a_file_that_would_be_larger_than_allowed_is_not_written() {
    if !is_alone("a_file_that_would_be_larger_than_allowed_is_not_written") {
        return;
    }
    // A signal that is ignored stays so in what is run by this shell.
    let name = "a_file_that_would_be_larger_than_allowed_is_not_written";
    if std::env::var("TOCTOU_WRITER_LIMITED").is_err() {
        let program = std::env::current_exe().expect("a running program has a file");
        let script = format!("trap '' XFSZ; exec \"$0\" hostile::{name} --exact --nocapture");
        let mut command = Command::new("sh");
        let command = command.args(["-c", &script]).arg(program).env("TOCTOU_WRITER_LIMITED", "1");
        let output = command.output().expect("there is a shell");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}\n{complaint}", output.status);
        return;
    }
    let folder = folder();
    let path = folder.path.join("P");
    fs::write(&path, b"old").expect("it is new");
    let maximum = getrlimit(Resource::Fsize).maximum;
    setrlimit(Resource::Fsize, Rlimit { current: Some(10_000), maximum }).expect("it is lower");
    let too_large = |error: &WriteError, options: &Options| match error {
        WriteError { fault: WriteFault::Failed { call: "write", errno: Errno::FBIG }, .. } => {
            assert!(error.to_string().contains("raise the limit"), "{error}");
            true
        }
        _ => panic!("{options:?}: {error}"),
    };
    // The first 10,000 bytes are taken.
    refused(&folder.path, folder.path.join("new"), &[b'y'; 20_000], too_large);
    let before = contents(&folder.path);
    for options in every_options().into_iter().filter(|options| options.replace) {
        let refused = write_exclusive(&path, &[b'y'; 20_000], &options);
        assert!(too_large(&refused.expect_err("it is too large"), &options));
        assert_eq!(contents(&folder.path), before);
    }
    let mode = Mode::from_raw_mode(0o600);
    let options = Options { replace: true, mode, ..Options::default() };
    write_exclusive(&path, &[b'y'; 10_000], &options).expect("it is just small enough");
}
