//! The store where the system is against it: another user, any umask, no descriptors left, a full
//! disk, a read-only mount. Each needs a process of its own.

use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};
use tempfile::TempDir;
use toctou::fs::{Errno, Mode};
use toctou::store::{
    ClaimError, Claimed, ExpireError, Left, Mechanism, OneTimeStore, OpenError, PutError, Status,
};

use crate::child;

/// A user that owns nothing.
const NOBODY: u32 = 65534;

fn claimed(claimed: Result<Claimed, ClaimError>) -> Result<Vec<u8>, ClaimError> {
    let mut bytes = Vec::new();
    claimed?.read_to_end(&mut bytes).expect("what was claimed can be read");
    Ok(bytes)
}

fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("it is there").permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

/// Everything below `directory`, by path, with what the files hold.
fn contents(directory: &Path) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("it is a directory") {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            found.extend(contents(&path));
            found.push((path, None));
        } else {
            let bytes = fs::read(&path).expect("it can be read");
            found.push((path, Some(bytes)));
        }
    }
    found.sort();
    found
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("there is a place for temporary directories")
}

#[test]
fn content_is_its_owners_alone_under_every_umask() {
    child::run("modes", folder().path());
}

pub(crate) fn modes(directory: &Path) {
    let store = OneTimeStore::open(directory).expect("it is ours");
    for mask in [0, 0o022, 0o077, 0o177] {
        umask(Mode::from_raw_mode(mask));
        let key = format!("{mask:o}");
        store.put(&key, b"secret").expect("it is new");
        assert_eq!(mode_of(&directory.join(&key).join("content")), 0o600, "umask {mask:o}");
        let expected = if mask == 0o177 { 0o600 } else { 0o700 };
        assert_eq!(mode_of(&directory.join(&key)), expected, "umask {mask:o}");
        store.replace(&key, b"other").expect("it is ours");
        assert_eq!(mode_of(&directory.join(&key).join("content")), 0o600, "umask {mask:o}");
        assert_eq!(claimed(store.claim(&key)).as_deref(), Ok(&b"other"[..]));
        assert_eq!(mode_of(&directory.join(&key).join("meta")), 0o600, "umask {mask:o}");
        if !rustix::process::geteuid().is_root() && mask == 0o077 {
            return; // under the next one, a directory is no use but to root
        }
    }
}

#[test]
fn a_directory_of_another_user_gives_a_clear_error_and_loses_nothing() {
    let folder = folder();
    let directory = folder.path().join("store");
    fs::create_dir(&directory).expect("it is new");
    if !rustix::process::geteuid().is_root() {
        chmod(&directory, 0o700);
        return another_user(&directory);
    }
    // Everybody may reach the program and the directory; the store in it is nobody's.
    let program = folder.path().join("program");
    fs::copy(child::this_program(), &program).expect("there is room for it");
    chmod(&program, 0o755);
    chmod(folder.path(), 0o755);
    std::os::unix::fs::chown(&directory, Some(NOBODY), Some(NOBODY)).expect("root may");
    chmod(&directory, 0o700);
    let mut command = child::command(&program, &[], "another user", &directory);
    match command.uid(NOBODY).gid(NOBODY).current_dir("/").output() {
        Ok(output) => drop(child::printed("another user", &output)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            eprintln!("SKIPPED: no program can be run as user {NOBODY} here: {error}");
        }
        Err(error) => panic!("{error}"),
    }
}

pub(crate) fn another_user(directory: &Path) {
    assert!(!rustix::process::geteuid().is_root(), "root may do everything");
    let store = OneTimeStore::open(directory).expect("it is ours");
    for mechanism in Mechanism::ALL {
        let key = &format!("{mechanism:?}");
        let store = OneTimeStore::open(directory).expect("it is ours").mechanism(mechanism);
        store.put(key, b"secret").expect("it is new");
        chmod(&directory.join(key), 0o500);
        let before = contents(directory);
        match store.claim(key) {
            Err(ClaimError::Failed { errno: Errno::ACCESS, left: Left::Content, .. }) => {}
            other => panic!("{mechanism:?}: {other:?}"),
        }
        let replaced = store.replace(key, b"other");
        let denied = |call: &str, errno| call == "open" && errno == Errno::ACCESS;
        assert!(
            matches!(replaced, Err(PutError::Failed { call, errno, left: None, .. }) if denied(call, errno)),
            "{replaced:?}"
        );
        let expired = store.expire(key);
        assert!(matches!(expired, Err(ExpireError::Failed { errno: Errno::ACCESS, .. })));
        assert_eq!(contents(directory), before);
        chmod(&directory.join(key), 0o700);
        assert_eq!(claimed(store.claim(key)).as_deref(), Ok(&b"secret"[..]));
    }
    chmod(directory, 0o500);
    match store.put("new", b"secret") {
        Err(PutError::Failed { call: "mkdir", errno: Errno::ACCESS, left: None, .. }) => {}
        other => panic!("{other:?}"),
    }
    for mode in [0, 0o100, 0o300] {
        chmod(directory, mode);
        match OneTimeStore::open(directory) {
            Err(OpenError::Failed { errno: Errno::ACCESS, .. }) => {}
            other => panic!("{mode:o}: {other:?}"),
        }
    }
    chmod(directory, 0o700);
}

#[test]
fn without_descriptors_a_claim_fails_and_the_content_can_be_claimed_later() {
    child::run("no descriptors", folder().path());
}

pub(crate) fn no_descriptors(directory: &Path) {
    let store = OneTimeStore::open(directory).expect("it is ours");
    let stores = Mechanism::ALL.map(|mechanism| {
        (mechanism, OneTimeStore::open(directory).expect("it is ours").mechanism(mechanism))
    });
    let limit = Rlimit { current: Some(64), maximum: getrlimit(Resource::Nofile).maximum };
    setrlimit(Resource::Nofile, limit).expect("a limit may be lowered");
    let (mut delivered, mut failed) = (0, 0);
    for (mechanism, store) in &stores {
        for free in 0..4 {
            let key = &format!("{mechanism:?}{free}");
            store.put(key, b"secret").expect("it is new");
            let mut taken = Vec::new();
            while let Ok(file) = File::open("/dev/null") {
                taken.push(file);
            }
            taken.truncate(taken.len() - free);
            let result = store.claim(key);
            drop(taken);
            match result {
                Ok(claimed) => {
                    let recorded = claimed.recorded();
                    assert!(free > 0 && (free > 1 || recorded == Err(Errno::MFILE)), "{key}");
                    let mut bytes = Vec::new();
                    claimed.into_file().read_to_end(&mut bytes).expect("it can be read");
                    assert_eq!(bytes, b"secret");
                    delivered += 1;
                }
                Err(ClaimError::Failed { call, errno, left, .. }) => {
                    let expected = ("open", Errno::MFILE, Left::Content);
                    assert_eq!((call, errno, left), expected, "{key}");
                    assert_eq!(claimed(store.claim(key)).as_deref(), Ok(&b"secret"[..]), "{key}");
                    failed += 1;
                }
                Err(error) => panic!("{key}: {error}"),
            }
        }
    }
    assert!(failed >= 5 && delivered >= 10, "{failed} failed, {delivered} delivered");
    let before = contents(directory);
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    let put = store.put("new", b"secret");
    let leftovers = store.leftovers();
    drop(taken);
    assert!(
        matches!(put, Err(PutError::Failed { errno: Errno::MFILE, left: None, .. })),
        "{put:?}"
    );
    assert_eq!(leftovers.map_err(|error| error.raw_os_error()), Err(Some(24)));
    assert_eq!(contents(directory), before);
}

/// Runs `case` in a child that has mounts of its own; says so loudly where that is not allowed.
fn run_with_own_mounts(case: &str) {
    let folder = folder();
    for how in [&["-m"][..], &["-r", "-m"]] {
        let probe = Command::new("unshare")
            .args(how)
            .args(["mount", "-t", "tmpfs", "none"])
            .arg(folder.path())
            .output();
        if probe.is_ok_and(|output| output.status.success()) {
            let wrapper = [&["unshare"], how].concat();
            let program = child::this_program();
            let output = child::command(&program, &wrapper, case, folder.path()).output();
            child::printed(case, &output.expect("it was just run"));
            return;
        }
    }
    eprintln!("SKIPPED: `{case}`: no mounts of one's own are allowed here (unshare -m; mount)");
}

/// A memory file system, in the mounts of this process.
fn mount(directory: &Path, options: &str) {
    let mut mount = Command::new("mount");
    let mount = mount.args(["-t", "tmpfs", "-o", options, "none"]).arg(directory);
    assert!(mount.status().expect("there is a mount command").success(), "{options}");
}

fn remount(directory: &Path, how: &str) {
    let mut mount = Command::new("mount");
    let mount = mount.args(["-o", &format!("remount,bind,{how}")]).arg(directory);
    assert!(mount.status().expect("there is a mount command").success(), "{how}");
}

#[test]
fn on_a_full_disk_a_put_leaves_nothing_behind_and_a_claim_still_delivers() {
    run_with_own_mounts("full disk");
}

pub(crate) fn full_disk(directory: &Path) {
    mount(directory, "size=64k,nr_inodes=40,mode=700");
    let stores = Mechanism::ALL
        .map(|mechanism| (mechanism, OneTimeStore::open(directory).expect("it is ours")))
        .map(|(mechanism, store)| (mechanism, store.mechanism(mechanism)));
    for (mechanism, store) in &stores {
        store.put(&format!("{mechanism:?}"), b"secret").expect("there is room");
    }
    let store = &stores[0].1;
    let filler = directory.join("filler");
    let full = fs::write(&filler, vec![b'x'; 100_000]).expect_err("there is no room for it");
    assert_eq!(full.raw_os_error(), Some(Errno::NOSPC.raw_os_error()));

    let before = contents(directory);
    for (result, call) in [
        (store.put("new", &[b'y'; 8192]), "write"),
        (store.replace("RenameUnique", &[b'y'; 8192]), "write"),
    ] {
        match result {
            Err(PutError::Failed { call: told, errno: Errno::NOSPC, left: None, .. }) => {
                assert_eq!(told, call);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(contents(directory), before);
    }

    let mut inodes = 0;
    while File::create(directory.join(format!("filler {inodes}"))).is_ok() {
        inodes += 1;
    }
    assert!(inodes > 1, "some were left");
    let before = contents(directory);
    match store.put("new", b"secret") {
        Err(PutError::Failed { call: "mkdir", errno: Errno::NOSPC, left: None, .. }) => {}
        other => panic!("{other:?}"),
    }
    // Room for the directory and not for the file: the directory goes again.
    fs::remove_file(directory.join("filler 0")).expect("it was just made");
    let between = contents(directory);
    match store.put("new", b"secret") {
        Err(PutError::Failed { call: "open", errno: Errno::NOSPC, left: None, .. }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(contents(directory), between);
    File::create(directory.join("filler 0")).expect("there is room for one");
    assert_eq!(contents(directory), before);

    for (mechanism, store) in &stores {
        let key = &format!("{mechanism:?}");
        let result = store.claim(key);
        if *mechanism == Mechanism::ClaimFile {
            match result {
                Err(ClaimError::Failed { errno: Errno::NOSPC, left: Left::Content, .. }) => {}
                other => panic!("{other:?}"),
            }
            continue;
        }
        let result = result.expect("a claim takes no room");
        assert_eq!(result.recorded(), Err(Errno::NOSPC), "{mechanism:?}");
        assert_eq!(claimed(Ok(result)).as_deref(), Ok(&b"secret"[..]));
        assert!(matches!(store.claim(key), Err(ClaimError::Gone { .. })));
        assert_eq!(store.status(key), Ok(Status::Absent));
        // The inode that the secret had is free now: take it too.
        File::create(directory.join(format!("filler for {key}"))).expect("there is one free");
    }
    fs::remove_file(filler).expect("it was made");
    let by_marker = OneTimeStore::open(directory).expect("it is ours");
    let by_marker = by_marker.mechanism(Mechanism::ClaimFile);
    assert_eq!(claimed(by_marker.claim("ClaimFile")).as_deref(), Ok(&b"secret"[..]));
    assert_eq!(store.leftovers().expect("it can be listed"), []);
}

#[test]
fn on_a_read_only_mount_everything_fails_clearly_and_nothing_is_lost() {
    run_with_own_mounts("read-only");
}

pub(crate) fn read_only(directory: &Path) {
    mount(directory, "size=64k,mode=700");
    for mechanism in Mechanism::ALL {
        let store = OneTimeStore::open(directory).expect("it is ours").mechanism(mechanism);
        let key = &format!("{mechanism:?}");
        store.put(key, b"secret").expect("there is room");
        let before = contents(directory);
        remount(directory, "ro");
        for result in [store.put("new", b"new"), store.put(key, b"new"), store.replace(key, b"new")]
        {
            match result {
                Err(PutError::Failed { errno: Errno::ROFS, left: None, .. }) => {}
                other => panic!("{other:?}"),
            }
        }
        match store.claim(key) {
            Err(ClaimError::Failed { errno: Errno::ROFS, left: Left::Content, .. }) => {}
            other => panic!("{mechanism:?}: {other:?}"),
        }
        match store.expire(key) {
            Err(ExpireError::Failed { errno: Errno::ROFS, .. }) => {}
            other => panic!("{other:?}"),
        }
        OneTimeStore::open(directory).expect("it can be looked at all the same");
        assert_eq!(store.status(key), Ok(Status::Available));
        remount(directory, "rw");
        assert_eq!(contents(directory), before);
        assert_eq!(claimed(store.claim(key)).as_deref(), Ok(&b"secret"[..]), "{mechanism:?}");
    }
}
