//! `toctou::std` makes the system calls that `std` makes: each function is run with both on the kernel, under a
//! trace, and their calls are compared, with flags, modes and lengths.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use toctou::direct::Code;
use toctou::fs::{OFlags, OsFile, OsFs};
use toctou::run;

/// The same functions over both.
macro_rules! subjects {
    ($over:ident, $($std:tt)*) => {
        mod $over {
            #[allow(unused_imports, reason = "one of them has some as inherent methods")]
            use $($std)*::fs::{self, DirBuilder, File, OpenOptions, Permissions};
            use $($std)*::io::{self, Read, Seek, SeekFrom, Write};
            use $($std)*::path::Path;
            use $($std)*::os::unix::fs::{
                DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown,
                lchown, symlink,
            };

            /// The directory has a file `full` of 11 bytes, an empty one, an empty directory `dir`, a link, and
            /// `one` with a file in it.
            pub(super) const ALL: &[(&str, fn() -> io::Result<()>)] = &[
                ("read", || fs::read("full").map(drop)),
                ("read of an empty file", || fs::read("empty").map(drop)),
                ("read of nothing", || fs::read("none").map(drop)),
                ("read_to_string", || fs::read_to_string("full").map(drop)),
                ("write", || fs::write("new", "some text")),
                ("write over", || fs::write("full", "x")),
                ("write of nothing", || fs::write("new", "")),
                ("rename", || fs::rename("full", "other")),
                ("hard_link", || fs::hard_link("full", "second")),
                ("hard_link of a link", || fs::hard_link("link", "second")),
                ("remove_file", || fs::remove_file("full")),
                ("remove_dir", || fs::remove_dir("dir")),
                ("create_dir", || fs::create_dir("made")),
                ("create_dir with a mode", || DirBuilder::new().mode(0o700).create("made")),
                ("create_dir_all", || fs::create_dir_all("a/b/c")),
                ("create_dir_all below one that is there", || fs::create_dir_all("dir/b")),
                ("create_dir_all of one that is there", || fs::create_dir_all("dir")),
                ("create_dir_all of a file", || fs::create_dir_all("full")),
                ("create_dir_all below a file", || fs::create_dir_all("full/a")),
                ("create_dir_all of nothing", || fs::create_dir_all("")),
                ("metadata", || fs::metadata("link").map(|told| _ = (told.len(), told.ino()))),
                ("symlink_metadata", || fs::symlink_metadata("link").map(drop)),
                ("exists", || fs::exists("full").map(drop)),
                ("exists, and it does not", || fs::exists("none").map(drop)),
                ("read_link", || fs::read_link("link").map(drop)),
                ("symlink", || symlink("full", "another")),
                ("set_permissions", || fs::set_permissions("full", Permissions::from_mode(0o640))),
                ("File::open", || File::open("full").map(drop)),
                ("File::create", || File::create("full").map(drop)),
                ("File::create_new", || File::create_new("new").map(drop)),
                ("File::create_new of one that is there", || File::create_new("full").map(drop)),
                ("append", || {
                    let mut file = OpenOptions::new().append(true).create(true).open("full")?;
                    file.write_all(b"more")
                }),
                ("a mode and a flag", || {
                    let mut options = OpenOptions::new();
                    options.write(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
                    options.open("link").map(drop)
                }),
                ("truncate", || OpenOptions::new().write(true).truncate(true).open("full").map(drop)),
                ("options that make no sense", || {
                    OpenOptions::new().read(true).create(true).open("full").map(drop)
                }),
                ("no access", || OpenOptions::new().open("full").map(drop)),
                ("append and read", || {
                    OpenOptions::new().read(true).append(true).open("full").map(drop)
                }),
                ("File::metadata", || {
                    let file = File::open("full")?;
                    file.metadata().map(|told| _ = told.permissions().mode())
                }),
                ("File::set_permissions", || {
                    let file = File::open("full")?;
                    file.set_permissions(Permissions::from_mode(0o600))
                }),
                ("sync_all", || File::open("full")?.sync_all()),
                ("lock and unlock", || {
                    let file = File::open("full")?;
                    file.lock()?;
                    file.unlock()
                }),
                ("lock_shared", || File::open("full")?.lock_shared()),
                ("try_lock", || {
                    let (one, other) = (File::open("full")?, File::open("full")?);
                    one.try_lock()?;
                    let _ = other.try_lock_shared();
                    Ok(())
                }),
                ("read_to_end", || File::open("full")?.read_to_end(&mut Vec::new()).map(drop)),
                ("read_to_string of a file", || {
                    let mut file = File::open("full")?;
                    file.read_exact(&mut [0; 3])?;
                    file.read_to_string(&mut String::new()).map(drop)
                }),
                ("read_to_end of an empty file", || {
                    File::open("empty")?.read_to_end(&mut Vec::new()).map(drop)
                }),
                ("seek", || File::open("full")?.seek(SeekFrom::End(-3)).map(drop)),
                ("rewind and position", || {
                    let mut file = File::open("full")?;
                    file.rewind()?;
                    file.stream_position().map(drop)
                }),
                ("set_len", || OpenOptions::new().write(true).open("full")?.set_len(3)),
                ("sync_data", || File::open("full")?.sync_data()),
                ("read_at", || File::open("full")?.read_at(&mut [0; 4], 2).map(drop)),
                ("write_at", || File::create("full")?.write_at(b"more", 2).map(drop)),
                ("chown", || chown("full", Some(0), None)),
                ("lchown", || lchown("link", None, Some(0))),
                ("fchown", || fchown(&File::open("full")?, Some(0), Some(0))),
                ("Path::exists", || Ok(_ = Path::new("link").exists())),
                ("Path::try_exists", || Path::new("none").try_exists().map(drop)),
                ("Path::is_file", || Ok(_ = Path::new("dir").is_file())),
                ("Path::is_dir", || Ok(_ = Path::new("one").join("inner").is_dir())),
                ("Path::is_symlink", || Ok(_ = Path::new("link").is_symlink())),
                ("Path::metadata", || Path::new("full").metadata().map(drop)),
                ("canonicalize", || Path::new("one/inner").canonicalize().map(drop)),
                ("canonicalize of a link", || fs::canonicalize("link").map(drop)),
                ("canonicalize with dots", || fs::canonicalize("./one/../one/./inner").map(drop)),
                ("canonicalize of nothing", || fs::canonicalize("one/none").map(drop)),
                ("canonicalize below a file", || fs::canonicalize("full/none").map(drop)),
                ("read_dir", || {
                    for entry in fs::read_dir(".")? {
                        let entry = entry?;
                        let _ = entry.file_name();
                    }
                    Ok(())
                }),
                ("read_dir and metadata", || {
                    let entry = fs::read_dir("one")?.next().expect("there are some")?;
                    entry.metadata().map(drop)
                }),
                ("read_dir of a file", || fs::read_dir("full").map(drop)),
                ("a read", || {
                    let mut buffer = [0; 4];
                    File::open("full")?.read(&mut buffer).map(drop)
                }),
                ("read_exact", || File::open("full")?.read_exact(&mut [0; 11])),
                ("write_all", || (&File::create("new")?).write_all(b"some text")),
                ("write!", || write!(File::create("new")?, "{}-{}", 1, 2)),
            ];
        }
    };
}

subjects!(real, std);
subjects!(ours, toctou::std);

/// A function, and what it is called.
type Subject = (&'static str, fn() -> io::Result<()>);

/// Stands for a call, before and after those that count.
const MARK: &str = "/toctou-mark";

const SUBJECT: &str = "TOCTOU_STD_SUBJECT";

/// What the traced process does; nothing otherwise.
#[test]
fn subject() {
    let Ok(subject) = std::env::var(SUBJECT) else { return };
    let (which, name) = subject.split_once(':').expect("which one, and its name");
    let of = |all: &'static [Subject]| {
        all.iter().find(|(known, _)| *known == name).expect("a subject").1
    };
    let fs = OsFs::open(".").expect("a directory").waiting();
    let (real, ours) = (of(real::ALL), of(ours::ALL));
    let ours = Code::io(ours).over_files::<OsFile>();
    let _ = std::fs::symlink_metadata(MARK);
    match which {
        "real" => drop(real()),
        _ => drop(run(ours, &mut &fs)),
    }
    let _ = std::fs::symlink_metadata(MARK);
}

/// The system calls of a subject in a directory of its own.
#[allow(clippy::zombie_processes, reason = "`follow` waits for it")]
fn traced(which: &str, name: &str) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let inside = |name: &str| directory.path().join(name);
    std::fs::write(inside("full"), "hello world").expect("a file");
    std::fs::write(inside("empty"), "").expect("a file");
    std::fs::create_dir(inside("dir")).expect("a directory");
    std::fs::create_dir(inside("one")).expect("a directory");
    std::fs::write(inside("one/inner"), "").expect("a file");
    std::os::unix::fs::symlink("full", inside("link")).expect("a link");
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command.args(["--exact", "subject", "--test-threads=1", "--nocapture"]);
    command.env(SUBJECT, format!("{which}:{name}")).current_dir(directory.path());
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    // SAFETY: `ptrace` and `raise` may be called between `fork` and `exec`.
    unsafe {
        command.pre_exec(|| match libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
    let child = command.spawn().expect("the subject");
    let calls = follow(child.id() as i32);
    // `realpath` begins at the root, and ours in the world's directory.
    let root = directory.path().to_str().expect("text");
    let is_above = |call: &String| {
        let of = call.strip_prefix("readlink(").and_then(|rest| rest.strip_suffix(")"));
        of.is_some_and(|path| path.starts_with('/') && root.starts_with(path))
    };
    let calls = calls.into_iter().filter(|call| !is_above(call));
    let within = format!("readlink({root}/");
    let calls: Vec<_> = calls.map(|call| call.replace(&within, "readlink(")).collect();
    assert!(
        !calls.is_empty()
            || name == "create_dir_all of nothing"
            || name.contains("no access")
            || name.contains("no sense"),
        "{which} {name}: no call was seen"
    );
    calls
}

/// Follows a process that is being traced to its end, and tells its calls between two marks.
fn follow(root: i32) -> Vec<String> {
    let mut calls = Vec::new();
    let mut marks = 0;
    let mut entering = std::collections::HashMap::new();
    let mut known = vec![root];
    let mut first = true;
    loop {
        let mut status = 0;
        // SAFETY: `status` is where the answer goes.
        let pid = unsafe { libc::waitpid(-1, &mut status, libc::__WALL | libc::__WNOTHREAD) };
        assert!(pid > 0, "a traced process is there until its end");
        if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
            if pid == root {
                return calls;
            }
            continue;
        }
        let signal = libc::WSTOPSIG(status);
        let mut deliver = 0;
        if std::mem::take(&mut first) {
            let options =
                libc::PTRACE_O_TRACESYSGOOD | libc::PTRACE_O_TRACECLONE | libc::PTRACE_O_EXITKILL;
            // SAFETY: the process is stopped, and traced by this thread.
            unsafe { libc::ptrace(libc::PTRACE_SETOPTIONS, pid, 0, options) };
        } else if signal == libc::SIGTRAP | 0x80 {
            let entered = entering.remove(&pid).is_none();
            if entered {
                entering.insert(pid, ());
                // SAFETY: all zeros are registers, and the process is stopped.
                let mut registers: libc::user_regs_struct = unsafe { std::mem::zeroed() };
                unsafe { libc::ptrace(libc::PTRACE_GETREGS, pid, 0, &mut registers) };
                match call(pid, &registers) {
                    Some(told) if told.contains(MARK) => marks += 1,
                    Some(told) if marks == 1 => calls.push(told),
                    _ => {}
                }
            }
        } else if !known.contains(&pid) {
            known.push(pid);
        } else if signal != libc::SIGTRAP && signal != libc::SIGSTOP {
            deliver = signal;
        }
        // SAFETY: the process is stopped, and traced by this thread.
        unsafe { libc::ptrace(libc::PTRACE_SYSCALL, pid, 0, deliver) };
    }
}

/// Text of the traced process.
fn text(pid: i32, at: u64) -> String {
    let mut bytes = Vec::new();
    let mut at = at;
    loop {
        // SAFETY: the process is stopped, and traced by this thread.
        let word = unsafe { libc::ptrace(libc::PTRACE_PEEKDATA, pid, at, 0) };
        for byte in word.to_ne_bytes() {
            if byte == 0 {
                return OsString::from_vec(bytes).to_string_lossy().into_owned();
            }
            bytes.push(byte);
        }
        at += 8;
    }
}

/// A call on files, in one form for the two that come to the same; `None` for any other.
fn call(pid: i32, registers: &libc::user_regs_struct) -> Option<String> {
    let [a, b, c, d, e] =
        [registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8];
    let t = |at: u64| text(pid, at);
    // Of a mode what matters where a file is made.
    let open = |path: String, flags: u64, mode: u64| {
        let flags = OFlags::from_bits_retain(flags as u32) - OFlags::LARGEFILE;
        let mode = if flags.contains(OFlags::CREATE) { mode } else { 0 };
        format!("open({path}, {flags:?}, {mode:o})")
    };
    let looks = |path: String, flags: u64| match (path.as_str(), flags as i32) {
        ("", _) => "fstat".to_owned(),
        (_, flags) if flags & libc::AT_SYMLINK_NOFOLLOW != 0 => format!("lstat({path})"),
        _ => format!("stat({path})"),
    };
    Some(match registers.orig_rax as i64 {
        libc::SYS_open => open(t(a), b, c),
        libc::SYS_openat => open(t(b), c, d),
        libc::SYS_rename => format!("rename({}, {})", t(a), t(b)),
        libc::SYS_renameat | libc::SYS_renameat2 => format!("rename({}, {})", t(b), t(d)),
        libc::SYS_link => format!("link({}, {}, 0)", t(a), t(b)),
        libc::SYS_linkat => format!("link({}, {}, {e})", t(b), t(d)),
        libc::SYS_symlink => format!("symlink({}, {})", t(a), t(b)),
        libc::SYS_symlinkat => format!("symlink({}, {})", t(a), t(c)),
        libc::SYS_unlink => format!("unlink({})", t(a)),
        libc::SYS_rmdir => format!("rmdir({})", t(a)),
        libc::SYS_unlinkat if c == 0 => format!("unlink({})", t(b)),
        libc::SYS_unlinkat => format!("rmdir({})", t(b)),
        libc::SYS_mkdir => format!("mkdir({}, {b:o})", t(a)),
        libc::SYS_mkdirat => format!("mkdir({}, {c:o})", t(b)),
        libc::SYS_chmod => format!("chmod({}, {b:o})", t(a)),
        libc::SYS_fchmodat => format!("chmod({}, {c:o})", t(b)),
        libc::SYS_fchmod => format!("fchmod({b:o})"),
        libc::SYS_readlink => format!("readlink({})", t(a)),
        libc::SYS_readlinkat => format!("readlink({})", t(b)),
        libc::SYS_stat => looks(t(a), 0),
        libc::SYS_lstat => looks(t(a), libc::AT_SYMLINK_NOFOLLOW as u64),
        libc::SYS_fstat => "fstat".to_owned(),
        libc::SYS_newfstatat => looks(t(b), d),
        libc::SYS_statx => looks(if b == 0 { String::new() } else { t(b) }, c),
        libc::SYS_read => format!("read({c})"),
        libc::SYS_write => format!("write({c})"),
        libc::SYS_pread64 => format!("pread({c}, {d})"),
        libc::SYS_pwrite64 => format!("pwrite({c}, {d})"),
        libc::SYS_fdatasync => "fdatasync".to_owned(),
        libc::SYS_chown => format!("chown({}, {b:x}, {c:x}, 0)", t(a)),
        libc::SYS_lchown => format!("chown({}, {b:x}, {c:x}, 100)", t(a)),
        libc::SYS_fchownat => format!("chown({}, {c:x}, {d:x}, {e:x})", t(b)),
        libc::SYS_fchown => format!("fchown({b:x}, {c:x})"),
        libc::SYS_getdents64 => "getdents".to_owned(),
        libc::SYS_fsync => "fsync".to_owned(),
        libc::SYS_flock => format!("flock({b})"),
        libc::SYS_lseek => format!("lseek({b}, {c})"),
        libc::SYS_ftruncate => format!("ftruncate({b})"),
        libc::SYS_close => "close".to_owned(),
        _ => return None,
    })
}

#[test]
fn each_function_makes_the_system_calls_of_std() {
    if std::env::var_os(SUBJECT).is_some() {
        return;
    }
    let mut different = Vec::new();
    for (name, _) in real::ALL {
        let [std, ours] = ["real", "ours"].map(|which| traced(which, name));
        let (std, ours) = (std.join(" "), ours.join(" "));
        // The kernel as a world looks at what it is before it moves in it: `OsFs`'s call, and not ours.
        let ours = ours.replace("fstat lseek", "lseek");
        if std != ours {
            different.push(format!("{name}:\n  std:  {std}\n  ours: {ours}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn a_call_more_is_seen() {
    if std::env::var_os(SUBJECT).is_some() {
        return;
    }
    let [one, other] = ["exists", "symlink_metadata"].map(|name| traced("real", name));
    assert_eq!(one, ["stat(full)"]);
    assert_eq!(other, ["lstat(link)"]);
}
