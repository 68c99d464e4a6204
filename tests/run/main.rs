//! Programs of the operating system as processes: the same systems as the functions, and what programs may do.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod random;
mod refused;

use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;
use std::time::Instant;

use toctou::case::{Case, FsCase};
use toctou::check::{AnyLimits, Checker, GraphOptions, Local, Report, System};
use toctou::fs::{Mode, SimFs};
use toctou::run::{Command, Ended, ProgramCode};

const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

type Programs = System<SimFs, ProgramCode>;

fn graph(system: Programs) -> Report {
    Checker::new(system).graph(&GraphOptions::default())
}

fn word(report: &Report, property: &str) -> &'static str {
    report.finding(property).expect("it is claimed").verdict.word()
}

/// Who printed `got`.
fn got(client: &Local<ProgramCode, Ended>) -> Option<()> {
    client.output().filter(|ended| ended.says("got")).map(|_| ())
}

fn system(world: SimFs, clients: usize, command: &Command) -> Programs {
    let process = command.process().expect("the program is there");
    System::new(world)
        .clients(clients, process)
        .at_most(1, "one-gets-it", got)
        .reaches("somebody-gets-it", |client| got(client).is_some())
}

/// A C program, compiled once.
fn compiled(once: &OnceLock<(tempfile::TempDir, PathBuf)>, source: &str) -> Command {
    let (_, program) = once.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let (code, program) = (folder.path().join("program.c"), folder.path().join("program"));
        std::fs::write(&code, source).expect("there is room");
        let mut compiler = process::Command::new("cc");
        let compiled = compiler.arg("-O1").arg("-o").arg(&program).arg(&code).status();
        assert!(compiled.expect("a C compiler").success());
        (folder, program)
    });
    Command::new(program)
}

fn open_then_remove() -> Command {
    static ONCE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let source = r#"
        #include <fcntl.h>
        #include <unistd.h>
        int main(void) {
            char secret[16];
            int file = open("content", O_RDONLY);
            if (file < 0) return 1;
            unlink("content");
            open("meta", O_WRONLY | O_CREAT, 0600);
            int count = read(file, secret, sizeof secret);
            if (count > 0) write(1, "got", 3);
            return 0;
        }"#;
    compiled(&ONCE, source)
}

fn rename_fixed() -> Command {
    static ONCE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let source = r#"
        #include <fcntl.h>
        #include <stdio.h>
        #include <unistd.h>
        int main(void) {
            char secret[16];
            if (rename("content", "content.download") != 0) return 1;
            int file = open("content.download", O_RDONLY);
            unlink("content.download");
            int count = read(file, secret, sizeof secret);
            if (count > 0) write(1, "got", 3);
            return 0;
        }"#;
    compiled(&ONCE, source)
}

fn put() -> SimFs {
    SimFs::new().with_file("content", PRIVATE, b"alpha").expect("a file")
}

#[test]
fn a_c_program_has_as_many_interleavings_as_the_function() {
    for (clients, interleavings, violating) in [(2, "46", "40"), (3, "10836", "10800")] {
        let report = graph(system(put(), clients, &open_then_remove()));
        assert!(report.exhaustive(), "{report}");
        assert_eq!(report.interleavings.to_string(), interleavings);
        let finding = report.finding("one-gets-it").expect("it is claimed");
        assert_eq!(finding.violating.as_ref().map(ToString::to_string).as_deref(), Some(violating));
    }
}

#[test]
fn the_fix_is_proved_for_thirty_programs_and_for_any_number_of_them() {
    let report = graph(system(put(), 30, &rename_fixed()));
    assert!(report.holds() && report.exhaustive(), "{report}");
    let any = Checker::new(system(put(), 1, &rename_fixed())).any(&AnyLimits::default());
    assert_eq!(word(&any, "one-gets-it"), "holds");
    let any = Checker::new(system(put(), 1, &open_then_remove())).any(&AnyLimits::default());
    assert_eq!(word(&any, "one-gets-it"), "violated");
}

#[test]
fn every_engine_explores_a_program_and_they_agree() {
    let told = system(put(), 2, &rename_fixed()).examine().to_string();
    assert!(told.contains("graph, loom, shuttle agree"), "{told}");
    assert!(!told.contains("violated"), "{told}");
}

/// A counterexample is told in the program's own calls, and happens on the kernel with the program itself.
#[test]
fn a_counterexample_of_a_program_happens_on_the_kernel() {
    let told = system(put(), 2, &open_then_remove()).examine().complaint();
    for call in ["open(content) = ok", "unlink(content) = ok", "read = \"alpha\"", "→ 0 \"got\""]
    {
        assert!(told.contains(call), "{call}:\n{told}");
    }
    FsCase::programs(system(put(), 2, &open_then_remove())).assert_happens();
}

/// Ways to take a lock in a shell script.
#[test]
fn a_lock_of_a_shell_script_holds_or_breaks() {
    let scripts = [
        ("[ -e lock ] || { : > lock && echo got; }", "violated"),
        ("set -C; { : > lock; } 2>/dev/null && echo got; exit 0", "holds"),
        ("mkdir lock && echo got; exit 0", "holds"),
        ("ln -s x lock && echo got; exit 0", "holds"),
    ];
    for (script, verdict) in scripts {
        let report = graph(system(SimFs::new(), 2, &Command::shell(script)));
        assert!(report.exhaustive(), "{script}: {report}");
        assert_eq!(word(&report, "one-gets-it"), verdict, "{script}: {report}");
        assert_eq!(word(&report, "somebody-gets-it"), "holds", "{script}: {report}");
    }
}

/// `flock(1)` waits for the lock of a file, and lets go when it ends.
#[test]
fn a_program_waits_for_a_lock_and_lets_go_at_its_end() {
    let count = "n=$(cat number); echo $((n + 1)) > number";
    let added = |script: String| {
        let world = SimFs::new().with_file("number", PRIVATE, b"0\n").expect("a file");
        let process = Command::shell(script).process().expect("a shell");
        let system = System::new(world).clients(2, process).finally("all-added", |state| {
            state.world().named("number").and_then(|number| number.bytes()) == Some(b"2\n")
        });
        let report = graph(system);
        assert!(report.exhaustive(), "{report}");
        word(&report, "all-added")
    };
    assert_eq!(added(format!("flock lock sh -c '{count}'")), "holds");
    assert_eq!(added(count.to_owned()), "violated");
}

#[test]
fn a_python_and_a_node_program_are_explored() {
    let python =
        "import os\nif not os.path.exists('lock'):\n open('lock', 'w').close()\n print('got')";
    let node = "const fs = require('fs'); if (!fs.existsSync('lock')) { fs.writeFileSync('lock', ''); \
                console.log('got') }";
    for (program, flag, source) in
        [("/usr/bin/python3", "-c", python), ("/usr/bin/node", "-e", node)]
    {
        if !Path::new(program).exists() {
            eprintln!("left out: there is no {program}");
            continue;
        }
        let started = Instant::now();
        let command = Command::new(program).argument(flag).argument(source);
        let report = graph(system(SimFs::new(), 2, &command));
        assert!(report.exhaustive(), "{program}: {report}");
        assert_eq!(word(&report, "one-gets-it"), "violated", "{program}: {report}");
        eprintln!("{program}: {report} in {:?}", started.elapsed());
    }
}
