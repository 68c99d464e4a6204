//! What is not simulated is refused by name, and nothing is left behind.

use std::time::Duration;

use toctou::check::System;
use toctou::fs::SimFs;
use toctou::run::{Command, RunError};

fn complaint(command: &Command) -> String {
    let process = command.process().expect("the program is there");
    let told = System::new(SimFs::new()).clients(1, process).examine().complaint();
    told.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_call_that_is_not_simulated_is_named_with_its_program() {
    for (script, call) in [
        ("umask 0; : > x", "a umask of 000, where that of the world is 022"),
        ("cd ..; : > x", "x is outside of the world"),
        ("kill -9 1", "a signal to a process that is not of this program"),
        (": > /tmp/toctou-outside", "/tmp/toctou-outside is outside of the world"),
        ("rm -f /tmp/toctou-outside", "/tmp/toctou-outside is outside of the world"),
        (
            "echo 'exit 3' > script; chmod 700 script; ./script",
            "a program that is itself in the world",
        ),
    ] {
        let told = complaint(&Command::shell(script));
        assert!(told.contains(call), "{script}: {told}");
    }
    assert!(!std::fs::exists("/tmp/toctou-outside").unwrap());
}

#[test]
fn a_program_that_never_ends_is_told_so() {
    let endless = Command::shell("while :; do :; done").with_patience(Duration::from_millis(300));
    let told = complaint(&endless);
    assert!(told.contains("does not end within 300ms"), "{told}");
}

#[test]
fn a_program_that_is_not_there_is_told_so_at_once() {
    let why = |program: &str| match Command::new(program).process() {
        Err(RunError::Program { why, .. }) => why,
        other => panic!("{program}: {other:?}"),
    };
    assert!(why("/usr/bin/su").starts_with("it is set-user-ID"), "{}", why("/usr/bin/su"));
    assert_eq!(why("/nowhere/at/all"), "there is no such file");
    assert_eq!(why("no-such-program"), "there is no such program in the directories of `PATH`");
    assert_eq!(why("/etc/passwd"), "it is not executable");
    assert_eq!(why("/usr/bin/"), "it is not a file");
}

/// A program that is no program of this machine: `execve` fails.
#[test]
fn a_program_that_the_kernel_does_not_start_is_told_so() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no-program");
    std::fs::write(&path, [0x7f, b'E', b'L', b'F', 9, 9, 9]).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    let told = complaint(&Command::new(path));
    assert!(told.contains("cannot be started"), "{told}");
}

/// The number of the process of identical clients is the same; actors can have others.
#[test]
fn programs_in_processes_of_their_own_have_names_of_their_own() {
    let command = Command::shell("mkdir \"claim.$$\" && echo got");
    let process = || command.process().expect("a shell");
    let system = System::new(SimFs::new())
        .actor("one", process().in_process(11))
        .actor("two", process().in_process(12))
        .finally("both", |state| {
            let tree = state.world().tree();
            tree.get("claim.4212000").is_some() && tree.get("claim.4213000").is_some()
        });
    let told = system.examine().to_string();
    assert!(!told.contains("violated"), "{told}");
}

#[test]
fn no_process_is_left_behind() {
    let marker = "toctou-marker-for-the-test-of-what-is-left";
    let script = format!(": {marker}; mkdir a; sleep 1000 & mkdir b; wait");
    let process = Command::shell(&script).process().expect("a shell");
    let system = System::new(SimFs::new()).clients(2, process);
    drop(system.examine());
    let left = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(marker)
    });
    assert_eq!(left.count(), 0);
}
