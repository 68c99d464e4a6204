//! The throw-away server: nothing of it outlives whoever started it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use toctou::db::{Cluster, ClusterError, Database, Reply, SteppedDb};

use crate::server::{ACCOUNTS, account, add, answer, begin, cluster, cluster_of_ones_own};

/// Says that a test runs as a process that will be killed.
const CHILD: &str = "TOCTOU_DATABASES_CHILD";

/// This test in a process of its own.
fn again(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program has a file"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(CHILD, "1");
    command
}

fn server_of(directory: &Path) -> PathBuf {
    let pid = std::fs::read_to_string(directory.join("data/postmaster.pid")).expect("it runs");
    Path::new("/proc").join(pid.lines().next().expect("it starts with its number"))
}

fn is_gone_soon(paths: &[&Path]) -> bool {
    let until = Instant::now() + Duration::from_secs(30);
    while paths.iter().any(|path| path.exists()) && Instant::now() < until {
        thread::sleep(Duration::from_millis(10));
    }
    !paths.iter().any(|path| path.exists())
}

#[test]
fn a_server_does_not_outlive_a_process_that_is_killed() {
    if std::env::var_os(CHILD).is_some() {
        let cluster = Cluster::start().expect("the parent has tried");
        // One of its processes is stopped in the end.
        let mut db = SteppedDb::new(&cluster).expect("it answers");
        db.database().create(&[&ACCOUNTS]).expect("it is new");
        db.database().insert(&ACCOUNTS, [account(1, 100)]).expect("it is new");
        let [mut a, mut b] = [(); 2].map(|()| db.connect().expect("there is room"));
        answer(&mut db, &mut a, &begin()).expect("it is ours");
        answer(&mut db, &mut a, &add(1, 1)).expect("it is ours");
        assert_eq!(db.execute(&mut b, &add(1, 1)), Reply::Queued);
        println!("\ndirectory {}", cluster.directory().display());
        thread::sleep(Duration::from_secs(60));
        return;
    }
    let name = "a server whose process is killed";
    let Some(cluster) = cluster_of_ones_own(name) else { return };
    let (directory, server) = (cluster.directory().to_owned(), server_of(cluster.directory()));
    assert!(server.exists() || !Path::new("/proc/self").exists());
    drop(cluster);
    assert!(!directory.exists() && !server.exists(), "it is gone once it is dropped");

    let mut command = again("cluster::a_server_does_not_outlive_a_process_that_is_killed");
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it can be run again");
    let lines = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
    let directory = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("directory ").map(PathBuf::from));
    let directory = directory.expect("it starts a server");
    let server = server_of(&directory);
    child.kill().expect("it runs");
    child.wait().expect("it was ours");
    assert!(is_gone_soon(&[&directory, &server]), "{directory:?} {server:?}");
}

/// A directory for temporary ones, of this mode.
fn temporary_parent(mode: u32) -> TempDir {
    let parent = tempfile::tempdir().expect("there is room");
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(parent.path(), mode).expect("it is ours");
    parent
}

#[test]
fn a_server_that_is_not_even_there_yet_does_not_outlive_a_process_that_is_killed() {
    if std::env::var_os(CHILD).is_some() {
        let _cluster = Cluster::start().expect("the parent has tried");
        thread::sleep(Duration::from_secs(60));
        return;
    }
    let Some(_) = cluster("a server whose process is killed early") else { return };
    let parent = temporary_parent(0o1777);
    let entries = || std::fs::read_dir(parent.path()).expect("it is ours").flatten();
    // Before and after `initdb` has begun, and when it may just have ended.
    for later in [0, 50, 700] {
        let mut command = again(
            "cluster::a_server_that_is_not_even_there_yet_does_not_outlive_a_process_that_is_killed",
        );
        let mut child = command
            .env("TMPDIR", parent.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("it can be run again");
        let until = Instant::now() + Duration::from_secs(30);
        while !entries().any(|entry| entry.path().join("log").exists()) && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        let directory = entries().next().expect("it has begun").path();
        thread::sleep(Duration::from_millis(later));
        child.kill().expect("it runs");
        child.wait().expect("it was ours");
        assert!(is_gone_soon(&[&directory]), "killed after {later} ms: {directory:?}");
        assert!(entries().next().is_none());
    }
}

#[test]
fn a_temporary_directory_that_the_servers_user_cannot_enter_is_not_used() {
    if std::env::var_os(CHILD).is_some() {
        let cluster = Cluster::start().expect("the parent has tried");
        println!("\ndirectory {}", cluster.directory().display());
        return;
    }
    let Some(_) = cluster("a server in a private directory") else { return };
    let is_root = rustix::process::geteuid().is_root();
    // That one for everybody is used is seen above.
    for mode in [0o700, 0o755] {
        let parent = temporary_parent(mode);
        let mut command =
            again("cluster::a_temporary_directory_that_the_servers_user_cannot_enter_is_not_used");
        let output = command.env("TMPDIR", parent.path()).output().expect("it can be run again");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let directory = told.lines().find_map(|line| line.strip_prefix("directory "));
        let directory = Path::new(directory.expect("it starts a server"));
        assert_eq!(directory.starts_with(parent.path()), !is_root, "{mode:o}: {directory:?}");
        assert!(is_gone_soon(&[directory]), "{directory:?}");
        let left = std::fs::read_dir(parent.path()).expect("it is ours").count();
        assert_eq!(left, 0, "{mode:o}");
    }
}

#[test]
fn without_a_server_it_is_said_which_tests_were_left_out_and_how_to_get_them() {
    if std::env::var_os(CHILD).is_some() {
        let error = Cluster::start().map(drop).expect_err("there is none");
        assert!(matches!(&error, ClusterError::NotInstalled { looked } if looked.len() == 1));
        assert_eq!(
            error.to_string(),
            "there is no PostgreSQL server: install one (Debian: apt-get install postgresql), or \
             set TOCTOU_POSTGRES_BIN to the directory of `initdb` and `postgres` (looked in \
             /nowhere)"
        );
        return;
    }
    for (test, left_out) in [
        ("cluster::without_a_server_it_is_said_which_tests_were_left_out_and_how_to_get_them", ""),
        (
            "stepped::a_key_is_waited_for_as_a_row_is",
            "SKIPPED: a key: there is no PostgreSQL server: install one",
        ),
    ] {
        let mut command = again(test);
        command.env("TOCTOU_POSTGRES_BIN", "/nowhere").env_remove("TOCTOU_POSTGRES");
        let output = command.output().expect("it can be run again");
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.contains("1 passed"), "{told}\n{complaint}");
        assert!(complaint.contains(left_out), "{complaint}");
    }
}

#[test]
fn programs_that_are_not_postgresql_are_told_so() {
    if std::env::var_os(CHILD).is_some() {
        let error = Cluster::start().map(drop).expect_err("it is no server");
        println!("\nerror {error}");
        return;
    }
    let folder = tempfile::tempdir().expect("there is room");
    let open = |path: &Path| {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(path, mode).expect("it is ours");
    };
    open(folder.path());
    let write = |name: &str, script: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("it is ours");
        open(&path);
    };
    for (initdb, postgres, expected) in [
        ("echo no room >&2; exit 1", "exit 1", "error initdb failed: no room"),
        (
            "mkdir \"$2\"",
            "echo 'FATAL:  no memory' >&2; exit 1",
            "error the PostgreSQL server did not start: FATAL:  no memory",
        ),
    ] {
        write("initdb", initdb);
        write("postgres", postgres);
        let mut command = again("cluster::programs_that_are_not_postgresql_are_told_so");
        let output = command.env("TOCTOU_POSTGRES_BIN", folder.path()).output();
        let told = output.expect("it can be run again").stdout;
        let told = String::from_utf8_lossy(&told).into_owned();
        assert!(told.lines().any(|line| line == expected), "{told}");
    }
}
