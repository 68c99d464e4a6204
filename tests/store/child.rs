//! Processes of their own, for what concerns a whole process (its user, its umask, its limits, its
//! mounts) and for claims from several processes: this test binary, run again.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Says what a child is to do.
const CASE: &str = "TOCTOU_STORE_CHILD";
/// Says with which directory.
const DIRECTORY: &str = "TOCTOU_STORE_CHILD_DIRECTORY";

/// What a child prints when it came to its end.
const DONE: &str = "the child is done";

/// A command that runs `program` (this binary, or a copy of it) for `case` and nothing else.
pub(crate) fn command(program: &Path, wrapper: &[&str], case: &str, directory: &Path) -> Command {
    let name = "child::a_child_process_does_what_its_parent_asks";
    let arguments = [name, "--exact", "--nocapture", "--test-threads=1"];
    let mut command = match wrapper.split_first() {
        None => Command::new(program),
        Some((wrapper, options)) => {
            let mut command = Command::new(wrapper);
            command.args(options).arg(program);
            command
        }
    };
    command.args(arguments).env(CASE, case).env(DIRECTORY, directory);
    command
}

/// This binary.
pub(crate) fn this_program() -> PathBuf {
    env::current_exe().expect("a running program has a file")
}

/// Asserts that a child came to its end, and returns what it printed.
pub(crate) fn printed(case: &str, output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && told.contains(DONE),
        "child `{case}`: {}\n{told}\n{complaint}",
        output.status
    );
    eprint!("{}", complaint.lines().filter(|line| line.contains("SKIPPED")).collect::<String>());
    told
}

/// Runs `case` in a child in `directory` and returns what it printed.
pub(crate) fn run(case: &str, directory: &Path) -> String {
    let output = command(&this_program(), &[], case, directory).output();
    printed(case, &output.expect("this binary can be run again"))
}

#[test]
fn a_child_process_does_what_its_parent_asks() {
    let (Ok(case), Some(directory)) = (env::var(CASE), env::var_os(DIRECTORY)) else {
        return; // this is the parent
    };
    let directory = PathBuf::from(directory);
    println!(); // ends the line that the test runner began
    match case.as_str() {
        "modes" => crate::hostile::modes(&directory),
        "another user" => crate::hostile::another_user(&directory),
        "no descriptors" => crate::hostile::no_descriptors(&directory),
        "full disk" => crate::hostile::full_disk(&directory),
        "read-only" => crate::hostile::read_only(&directory),
        "claims" => crate::stress::claims_of_one_process(&directory),
        _ => panic!("no such case: {case}"),
    }
    println!("{DONE}");
}
