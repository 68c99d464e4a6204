//! `toctou run`, as a person or a script meets it.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::path::Path;
use std::process::{Command, Output};

const CHECKED: &str = "[ -e lock ] || { : > lock; echo got; }";
const NOCLOBBER: &str = "set -C; { : > lock; } 2>/dev/null && echo got; exit 0";
const ONE: [&str; 3] = ["--at-most", "1", "stdout ~ got"];

fn run(arguments: &[&str]) -> Output {
    run_in(Path::new("/"), arguments)
}

fn run_in(folder: &Path, arguments: &[&str]) -> Output {
    let mut toctou = Command::new(env!("CARGO_BIN_EXE_toctou"));
    toctou.arg("run").args(arguments).current_dir(folder).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    for line in text.lines().filter(|line| !line.starts_with('{') && !line.starts_with("    Note"))
    {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
    }
    text
}

/// What it printed, with this exit status.
fn told(status: i32, arguments: &[&str]) -> String {
    let output = run(arguments);
    let (said, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}{error}");
    said
}

/// Why it was refused as bad usage, on one line.
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stdout));
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    text(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn with<'a>(options: &[&'a str], command: &[&'a str]) -> Vec<&'a str> {
    [options, &["--"], command].concat()
}

#[test]
fn a_race_is_shown_as_columns_and_happens_on_the_kernel() {
    let said = told(1, &with(&[&ONE[..], &["--replay"]].concat(), &["sh", "-c", CHECKED]));
    assert!(said.contains("✗ always at most 1: stdout ~ got: 4 of 6 interleavings"), "{said}");
    assert!(said.contains("graph, loom, shuttle agree"), "{said}");
    assert!(said.contains("   2                                    stat(lock) = ENOENT"), "{said}");
    assert!(said.contains("the kernel agrees: every answer and all that was left"), "{said}");
}

/// The kernel itself is searched: fewer executions than interleavings, and the same ends.
#[test]
fn the_kernel_has_the_outcomes_of_the_simulation() {
    let options = [&ONE[..], &["--kernel"]].concat();
    let said = told(1, &with(&options, &["sh", "-c", CHECKED]));
    assert!(
        said.contains("4 executions on the kernel: 3 outcomes, the same as simulated"),
        "{said}"
    );
}

#[test]
fn a_fix_is_proved_for_any_number_of_clients() {
    let said = told(0, &with(&ONE, &["sh", "-c", NOCLOBBER]));
    assert!(said.contains("✓ always at most 1: stdout ~ got (any number of clients)"), "{said}");
}

#[test]
fn a_state_is_run_once_however_many_engines_explore_it() {
    let said = told(1, &with(&ONE, &["sh", "-c", CHECKED]));
    assert!(said.contains("\n7 runs in "), "{said}");
}

#[test]
fn rows_say_what_each_engine_found() {
    let options = [&ONE[..], &["--format", "json"]].concat();
    let rows = told(1, &with(&options, &["sh", "-c", CHECKED]));
    let rows: Vec<serde_json::Value> =
        rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let row = rows.iter().find(|row| row["property"] == "at most 1: stdout ~ got").unwrap();
    assert_eq!(row["engine"], "graph");
    assert_eq!(row["verdict"], "violated");
    assert_eq!(
        (&row["clients"], &row["states"], &row["interleavings"]),
        (&2.into(), &7.into(), &6.into())
    );
    assert_eq!(row["schedule"], serde_json::json!([0, 1, 1, 0]));
    assert_eq!(rows.last().unwrap()["is_proof"], false);
    let options = [&ONE[..], &["--format", "mermaid"]].concat();
    let picture = told(1, &with(&options, &["sh", "-c", CHECKED]));
    assert!(picture.starts_with("sequenceDiagram\n"), "{picture}");
}

/// Each client has a process number of its own where that makes a difference, and only there.
#[test]
fn clients_are_told_apart_where_it_makes_a_difference() {
    let own = told(
        0,
        &with(&["--reachable", "sh: test $(ls | wc -l) = 2"], &["sh", "-c", ": > claim.$$"]),
    );
    assert!(own.contains("the clients were\n  told apart"), "{own}");
    let shared = told(0, &with(&ONE, &["sh", "-c", "mkdir lock && echo got; exit 0"]));
    assert!(!shared.contains("told apart"), "{shared}");
    // The time and random bytes are what they are each time, too.
    let time = ["sh", "-c", "date +%s%N > time; head -c 4 /proc/sys/kernel/random/boot_id > boot"];
    told(0, &with(&["--finally", "exists time and exists boot"], &time));
}

#[test]
fn who_may_be_killed_is_before_each_of_its_calls() {
    let script = "mkdir lock || exit 1; echo got; rmdir lock";
    let options = [
        "--kill",
        "1",
        "--always",
        "exit = 0 or exit = 1 or signal = 9",
        "--finally",
        "not exists lock or some signal = 9",
        "--reachable",
        "exists lock and some signal = 9",
        "--reachable",
        "not exists lock and some signal = 9",
    ];
    let said = told(0, &with(&options, &["sh", "-c", script]));
    assert!(said.contains("signal 9"), "{said}");
    let without = told(1, &with(&options[2..], &["sh", "-c", script]));
    assert!(without.contains("✗ reachable exists lock and some signal = 9"), "{without}");
}

/// Who holds a lock and is killed gives it back.
#[test]
fn the_lock_of_a_killed_program_is_free() {
    let script = ["flock", "lock", "sh", "-c", "echo x >> log"];
    let options = [
        "--kill",
        "1",
        "--finally",
        "content log ~ x or every signal = 9",
        "--reachable",
        "some signal = 9 and content log = x",
    ];
    let said = told(0, &with(&options, &script));
    assert!(said.contains("✓ always deadlock-free"), "{said}");
}

#[test]
fn the_world_is_made_by_a_script_or_read_from_a_directory() {
    let script = ["sh", "-c", "test -s in/a && test -L link && test -x run && ! test -w in/a"];
    let make = "mkdir in; echo hello > in/a; ln in/a in/b; ln -s in/a link; : > run; chmod 700 run; \
                chmod 400 in/a; mkfifo pipe";
    let is_root = std::fs::metadata("/proc/self")
        .is_ok_and(|it| std::os::unix::fs::MetadataExt::uid(&it) == 0);
    let script =
        if is_root { ["sh", "-c", "test -s in/b && test -L link && test -x run"] } else { script };
    told(0, &with(&["--setup", make, "--always", "exit = 0"], &script));
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new("sh").arg("-c").arg(make).current_dir(folder.path()).status().unwrap();
    assert!(made.success());
    let world = folder.path().to_str().unwrap();
    let mode = ["--setup", ": > a", "--always", "stdout = 644"];
    told(0, &with(&mode, &["stat", "-c", "%a", "a"]));
    let kept = ["--world", world, "--finally", "content in/b = hello and not exists run"];
    told(0, &with(&kept, &["sh", "-c", "rm -f run"]));
    assert!(folder.path().join("run").exists(), "nothing of the user's is changed");
}

#[test]
fn programs_work_in_directories_of_the_world() {
    let script = "mkdir -p a/b; cd a/b; : > x; test \"$(pwd)\" = /world/a/b && cd .. && test -e b/x && \
                  cd /world && test -e a/b/x && cd / && test ! -e x && test -e /world/a/b/x";
    told(0, &with(&["--always", "exit = 0"], &["sh", "-c", script]));
    told(
        0,
        &with(
            &["--always", "exit = 0"],
            &[
                "/bin/sh",
                "-c",
                "umask 077; : > x; mkdir -p d; \
        test \"$(stat -c %a x)$(stat -c %a d)\" = 600700 && install -d -m 777 e && \
        umask 0 && mkdir -p f && test \"$(stat -c %a e)$(stat -c %a f)\" = 777777",
            ],
        ),
    );
}

/// A loop that gives up is seen to give up; one that does not waits.
#[test]
fn a_program_that_tries_so_often_and_no_more_is_seen_to_give_up() {
    let tries =
        "for i in 1 2 3 4 5 6 7 8; do mv a b 2>/dev/null && exit 0; sleep 0.1; done; exit 1";
    let options = ["--clients", "1", "--replay", "--finally", "exit = 0"];
    let said = told(1, &with(&options, &["sh", "-c", tries]));
    assert!(said.contains("✗ finally exit = 0") && said.contains("the kernel agrees"), "{said}");
    let waits = "until mv a b 2>/dev/null; do sleep 0.1; done";
    let said = told(1, &with(&options, &["sh", "-c", waits]));
    assert!(said.contains("✗ always deadlock-free"), "{said}");
    let node = "const fs = require('fs'); let left = 7; const go = () => { try { fs.renameSync('a', 'b') } \
                catch (e) { if (--left) return setTimeout(go, 5); process.exit(1) } }; go()";
    if Path::new("/usr/bin/node").exists() {
        let said = told(1, &with(&options, &["/usr/bin/node", "-e", node]));
        assert!(
            said.contains("✗ finally exit = 0") && said.contains("the kernel agrees"),
            "{said}"
        );
    }
}

/// Holds a lock, and tells whether somebody else holds it as well.
const HOLDS: &str = "mkdir lock || exit 1; mkdir busy || echo shared;";

/// Takes the lock, also from somebody who has held it for more than five seconds. It looks at the time first.
const STEALS: &str = "now=$(date +%s); mkdir lock 2>/dev/null || { \
    then=$(stat -c %Y lock 2>/dev/null) && [ $((now - then)) -gt 5 ] && rmdir lock && mkdir lock || exit 1; }; \
    mkdir busy || echo shared; rmdir busy lock; exit 0";

/// The same, but it looks at the lock first.
const STEALS_TOO_SOON: &str = "mkdir lock 2>/dev/null || { \
    then=$(stat -c %Y lock 2>/dev/null) && [ $(($(date +%s) - then)) -gt 5 ] && rmdir lock && mkdir lock || exit 1; }; \
    mkdir busy || echo shared; rmdir busy lock; exit 0";

const NEVER_SHARED: [&str; 2] = ["--always", "stdout !~ shared"];

/// Actors that are no clients.
fn actors<'a>(options: &[&'a str], scripts: &[&'a str]) -> Vec<&'a str> {
    let mut all = [options, &["--clients", "0", "--", "true"]].concat();
    all.extend(scripts.iter().flat_map(|script| ["::", "sh", "-c", script]));
    all
}

/// What one program sleeps makes a lock old for the other one, with a clock and not without.
#[test]
fn a_lock_grows_old_while_its_holder_sleeps_if_there_is_a_clock() {
    let sleeps = format!("{HOLDS} sleep 10; rmdir busy lock");
    let without = told(0, &actors(&NEVER_SHARED, &[&sleeps, STEALS]));
    let one_line = without.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(one_line.contains("With `--clock`, time passes for all while one sleeps"), "{without}");
    let with = [&NEVER_SHARED[..], &["--clock", "--replay", "--kernel"]].concat();
    let said = told(1, &actors(&with, &[&sleeps, STEALS]));
    assert!(
        said.contains("✗ always stdout !~ shared") && !said.contains("With `--clock`"),
        "{said}"
    );
    assert!(said.contains("   4  sleep ends at 10s\n"), "{said}");
    assert!(said.contains("clock_gettime = 10s"), "{said}");
    assert!(said.contains("the kernel agrees: every answer and all that was left"), "{said}");
    assert!(said.contains("the same as simulated"), "{said}");
    let soon = format!("{HOLDS} sleep 4; rmdir busy lock");
    told(0, &actors(&["--clock", "--always", "stdout !~ shared"], &[&soon, STEALS]));
}

/// A holder that touches its lock often enough keeps it, unless it is paused.
#[test]
fn a_lock_that_is_touched_stays_young() {
    let touches = |seconds: u32| {
        format!("{HOLDS} for i in 1 2; do sleep {seconds}; touch -c lock; done; rmdir busy lock")
    };
    let options = [&NEVER_SHARED[..], &["--clock", "--replay"]].concat();
    let often = touches(4);
    told(0, &actors(&options, &[&often, STEALS]));
    let late = told(1, &actors(&options, &[&touches(6), STEALS]));
    assert!(
        late.contains("✗ always stdout !~ shared") && late.contains("the kernel agrees"),
        "{late}"
    );
    // Time passes between its look at the lock and its look at the clock.
    let soon = told(1, &actors(&options, &[&often, STEALS_TOO_SOON]));
    assert!(
        soon.contains("✗ always stdout !~ shared") && soon.contains("the kernel agrees"),
        "{soon}"
    );
    let paused = actors(&options, &[&often, STEALS, "exec sleep 3600"]);
    let paused = told(1, &paused);
    assert!(paused.contains("✗ always stdout !~ shared"), "{paused}");
    assert!(paused.contains("the kernel agrees"), "{paused}");
}

/// Sleeps of two programs, and of two processes of one program, pass at the same time or one after the other.
#[test]
fn sleeps_overlap_or_do_not() {
    let tells = "sleep 10; : > x; echo $(($(stat -c %Y x) - 1577836800))";
    let reached = ["--clock", "--kernel", "--reachable", "every stdout = 10", "--reachable"];
    let options = [&reached[..], &["some stdout = 20", "--always", "stdout = 10 or stdout = 20"]];
    let said = told(0, &with(&options.concat(), &["sh", "-c", tells]));
    assert!(said.contains("the same as simulated"), "{said}");
    let own = "then=$(date +%s); sleep 5 & sleep 5; wait; echo $(($(date +%s) - then))";
    let reached = ["--clock", "--clients", "1", "--reachable", "stdout = 5", "--reachable"];
    let options = [&reached[..], &["stdout = 10", "--always", "stdout = 5 or stdout = 10"]];
    told(0, &with(&options.concat(), &["sh", "-c", own]));
}

/// What waits for ever lets time pass for ever: that is no proof. What gives up is explored.
#[test]
fn a_program_that_polls_without_end_is_no_proof_with_a_clock() {
    let sleeps = "mkdir lock && sleep 3 && rmdir lock";
    let polls = "until mkdir lock 2>/dev/null; do sleep 1; done; rmdir lock";
    let said = told(1, &actors(&["--clock"], &[sleeps, polls]));
    assert!(said.contains("? always deadlock-free: stopped at sleeps without end"), "{said}");
    assert!(said.contains("A program sleeps again and again until a file changes"), "{said}");
    told(0, &actors(&[], &[sleeps, polls]));
    let tries = "for i in 1 2 3 4 5 6; do mkdir lock 2>/dev/null && exit; sleep 1; done; exit 1";
    let options = ["--clock", "--reachable", "some exit = 1"];
    told(0, &actors(&options, &["mkdir lock && sleep 3 && rmdir lock; exit 0", tries]));
}

/// Between a look at a lock and a look at the clock, time may pass.
#[test]
fn a_deadline_passes_between_two_calls() {
    let python = "/usr/bin/python3";
    if !Path::new(python).exists() {
        eprintln!("left out: there is no {python}");
        return;
    }
    let tries = "import os, time\nend = time.monotonic() + 5\nwhile True:\n try:\n  os.mkdir('lock')\n  \
                 print('got')\n  break\n except FileExistsError:\n  if time.monotonic() > end:\n   \
                 print('late')\n   break\n  time.sleep(2)\n";
    let options = ["--clock", "--kernel", "--clients", "1"];
    let claims = ["--reachable", "some stdout = late", "--reachable", "some stdout = got"];
    let other = ["::", "sh", "-c", "mkdir lock && sleep 3 && rmdir lock; exit 0"];
    let command = [&[python, "-c", tries][..], &other].concat();
    let said = told(0, &with(&[&options[..], &claims].concat(), &command));
    assert!(said.contains("the same as simulated"), "{said}");
}

/// Files are as old as the setup made them, and who steals an old lock does.
#[test]
fn files_keep_their_age() {
    let setup = "mkdir l m; touch -d '2 days ago' l";
    let age = "test \"$(find . -mmin +60)\" = ./l && touch -d '3 days ago' m && test \"$(find . -mmin +2000 | sort | tr -d '\\n')\" = ./l./m";
    let options = ["--clients", "1", "--setup", setup, "--always", "exit = 0", "--kernel"];
    told(0, &with(&options, &["sh", "-c", age]));
}

/// Record locks belong to a process, and go when it closes the file by any descriptor.
#[test]
fn record_locks_are_taken_and_given_back() {
    let python = "/usr/bin/python3";
    if !Path::new(python).exists() {
        eprintln!("left out: there is no {python}");
        return;
    }
    let count = |between: &str| {
        format!(
            "import fcntl, os\nf = open('lock', 'a')\nfcntl.lockf(f, fcntl.LOCK_EX)\n{between}\n\
             n = int(open('n').read())\nopen('n', 'w').write(str(n + 1))\n"
        )
    };
    let options = ["--setup", "printf 0 > n; : > lock", "--finally", "content n = 2"];
    let held = told(0, &with(&options, &[python, "-c", &count("")]));
    assert!(held.contains("✓ finally content n = 2"), "{held}");
    let lost = told(1, &with(&options, &[python, "-c", &count("open('lock').close()")]));
    assert!(lost.contains("✗ finally content n = 2"), "{lost}");
}

/// Processes of one program that work at the same time do so in every order.
#[test]
fn the_processes_of_one_program_race_as_well() {
    let job = "job() { [ -e l ] || { : > l; echo got; }; }; job & job & wait";
    let options = [
        "--clients",
        "1",
        "--finally",
        "stdout = got",
        "--reachable",
        "stdout = 'got\ngot'",
        "--kernel",
    ];
    for _ in 0..5 {
        let said = told(1, &with(&options, &["sh", "-c", job]));
        assert!(said.contains("✗ finally stdout = got: 12 of 16 interleavings"), "{said}");
        assert!(said.contains("✓ reachable stdout = 'got got'"), "{said}");
        assert!(said.contains("the same as simulated"), "{said}");
    }
    // Children are known by numbers that are the same each time.
    let waits =
        "sleep 1 & echo $! > pid; wait $!; test $(cat pid) = $! && kill -0 $$ && ! kill -0 $!";
    told(0, &with(&["--clients", "1", "--always", "exit = 0"], &["sh", "-c", waits]));
}

/// What a program does with its own output and with its descriptors is what the kernel does.
#[test]
fn outputs_and_descriptors_are_what_they_are_on_the_kernel() {
    let one = |property: &str, script: &str| {
        told(0, &with(&["--clients", "1", "--finally", property], &["sh", "-c", script]));
    };
    one("stdout = 'got\nlog'", "echo got; echo log > /dev/stdout; : > f");
    one(
        "stdout = '3 6'",
        "mkdir d; : > d/a; cd d; set -- $(ls -a | wc -l) $(printf 123456 > b; wc -c < b); echo $*",
    );
    one("stdout = x", "echo x > f; cat f | cat | cat");
    let refuses = |script: &str, why: &str| {
        let said =
            told(1, &with(&["--clients", "1", "--always", "exit = 0"], &["sh", "-c", script]));
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.starts_with("? unfinished: ") && said.contains(why), "{script}: {said}");
    };
    refuses("echo abc > f; exec 3< f; cat /dev/fd/3", "opened anew by its descriptor");
    refuses("exec 9> /dev/null; flock 9", "a lock outside of the world");
    refuses("cat /proc/self/cwd/x", "where a process works");
    refuses("timeout 5 true", "a timer that interrupts a program");
    refuses("flock -w 1 f true", "a timer that interrupts a program");
    if Path::new("/usr/bin/python3").exists() {
        refuses(
            "/usr/bin/python3 -c \"import socket; socket.create_connection(('127.0.0.1', 9))\"",
            "the network",
        );
    }
}

/// Who asks for a process that nobody is hears that there is none.
#[test]
fn a_lock_of_a_process_that_is_gone_is_stale() {
    let script =
        "read p < lock; kill -0 $p 2>/dev/null || { rm lock; echo 1 > lock; echo stolen; }";
    let options = ["--setup", "echo 99999 > lock", "--at-most", "1", "stdout ~ stolen"];
    let said = told(1, &with(&options, &["sh", "-c", script]));
    assert!(said.contains("✗ always at most 1: stdout ~ stolen"), "{said}");
    let others = "read p < lock; kill -0 $p 2>/dev/null || { rm lock; echo $$ > lock; }";
    let said = told(1, &with(&options, &["sh", "-c", others]));
    assert!(said.contains("a signal to a process that is not of this program"), "{said}");
    let guarded = "exec 9>guard; flock 9; : > $$";
    told(0, &with(&["--always", "exit = 0"], &["sh", "-c", guarded]));
}

#[test]
fn what_is_not_simulated_ends_unfinished_and_never_in_a_verdict() {
    for (script, why) in [
        ("kill -9 4242", "kill in `sh` is not simulated"),
        ("mkdir d; cd d; mv /world/d /world/e; /bin/pwd", "getcwd in `pwd` is not simulated"),
        ("cat ../etc/passwd", "leads out of the world"),
        ("ln -s /etc up", "a link with an absolute target"),
        ("cp /bin/true t; ./t", "a program that is itself in the world"),
        ("while :; do :; done", "does not end within 1s"),
    ] {
        let options = ["--always", "exit = 0", "--patience", "1"];
        let said = told(1, &with(&options, &["sh", "-c", script]));
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.starts_with("? unfinished: ") && said.contains(why), "{script}: {said}");
        let rows =
            told(1, &with(&[&options[..], &["--format", "json"]].concat(), &["sh", "-c", script]));
        assert!(rows.contains("unfinished") && !rows.contains("violated"), "{rows}");
    }
}

#[test]
fn what_is_written_outside_of_the_world_is_listed_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("out");
    let script = format!("echo x > {}; mkdir lock && echo got; exit 0", place.display());
    let said = told(0, &with(&ONE, &["sh", "-c", &script]));
    assert!(said.contains("changed outside of the world") && place.exists(), "{said}");
    std::fs::remove_file(&place).unwrap();
    let strict = [&ONE[..], &["--strict"]].concat();
    let said = told(1, &with(&strict, &["sh", "-c", &script]));
    assert!(said.contains("? unfinished") && !place.exists(), "{said}");
}

#[test]
fn bad_use_is_told_in_a_sentence() {
    let one = |command: &[&str]| refused(&with(&ONE, command));
    assert!(
        one(&["no-such-program"])
            .contains("cannot run `no-such-program`: there is no such program in")
    );
    assert!(one(&["/etc/passwd"]).contains("it is not executable"));
    assert!(one(&["/usr/bin/su"]).contains("set-user-ID"));
    assert!(one(&["true", "::"]).contains("no program before or after a `::`"));
    assert!(refused(&[]).contains("say what to run, as in `toctou run"));
    assert!(
        refused(&with(&["--at-most", "one", "exit = 0"], &["true"])).contains("how many actors")
    );
    assert!(refused(&with(&["--always", "stdot ~ x"], &["true"])).contains("expected `stdout`"));
    assert!(
        refused(&with(&["--at-most", "1", "exists x"], &["true"])).contains("speak of one actor")
    );
    assert!(
        refused(&with(&["--always", "exists x and exit = 0"], &["true"])).contains("say `every`")
    );
    assert!(
        refused(&with(&["--always", "exit = 0", "--always", "exit = 0"], &["true"]))
            .contains("twice")
    );
    assert!(
        refused(&with(&["--setup", "echo no >&2; exit 3"], &["true"]))
            .contains("exit status: 3: no")
    );
    assert!(
        refused(&with(&["--world", "/nowhere"], &["true"]))
            .contains("the world: cannot read /nowhere")
    );
    assert!(refused(&with(&["--world", "/etc/passwd"], &["true"])).contains("not a directory"));
    let script = refused(&with(&["--finally", "sh: no-such-program"], &["true"]));
    assert!(script.contains("it cannot be run") && script.contains("no-such-program"), "{script}");
    assert!(refused(&with(&["--kill", "3"], &["true"])).contains("3 clients cannot be killed"));
    assert!(refused(&["lock", "--", "true"]).contains("races of a file"));
    assert!(refused(&["--file", "/nowhere"]).contains("cannot read /nowhere"));
}

/// A file says the same, and which properties are to break.
#[test]
fn races_are_read_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |text: &str| std::fs::write(folder.path().join("race.toml"), text).unwrap();
    let told = |arguments: &[&str]| {
        let output = run_in(folder.path(), arguments);
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    write(&format!(
        "[checked]\nrun = '{CHECKED}'\nat-most = '1 stdout ~ got'\nbreaks = 'at most 1: stdout ~ got'\n\
         [made]\nclients = 3\nrun = ['mkdir', 'lock']\nat-most = '1 exit = 0'\n\
         reachable = 'exit = 1'\n[made.others]\njanitor = 'rmdir lock; exit 2'\n"
    ));
    let (status, said) = told(&["checked"]);
    assert!(status == Some(0) && said.contains("as the file says"), "{said}");
    let (status, said) = told(&[]);
    assert!(
        status == Some(1) && said.contains("\nmade\n") && said.contains("janitor, 3 clients"),
        "{said}"
    );
    assert!(told(&["other"]).1.contains("there is no race `other` in it; it has checked, made"));
    write(
        "[old]\nclock = true\nclients = 1\nrun = 'sleep 9; : > x; stat -c %Y x'\nalways = 'stdout = 1577836809'\n",
    );
    let (status, said) = told(&[]);
    assert!(status == Some(0), "{said}");
    write("[lock]\nrum = 'true'\n");
    let (status, said) = told(&[]);
    assert!(status == Some(2) && said.contains("unknown field `rum`"), "{said}");
    write("[lock]\nrun = 'true'\nalways = 'exit is 0'\n");
    assert!(told(&[]).1.contains("[lock]: `exit is 0`: at `is 0`: expected `=` or `!=`"));
}

#[test]
fn arguments_that_are_not_in_the_world_are_pointed_out() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("claim.sh"), "mkdir lock && echo got; exit 0").unwrap();
    let output = run_in(folder.path(), &with(&ONE, &["sh", "claim.sh"]));
    let said = text(&output.stderr);
    assert!(said.contains("`claim.sh` is a file here, and not in the world"), "{said}");
    let path = folder.path().join("claim.sh");
    told(0, &with(&ONE, &["sh", path.to_str().unwrap()]));
}

/// Nothing is left, whoever is killed.
#[test]
fn no_process_and_no_directory_is_left_behind() {
    let marker = "marker-of-a-test-that-looks-for-what-is-left";
    let folder = tempfile::tempdir().unwrap();
    let script = format!(": {marker}; sleep 1000 & mkdir a; read x < /dev/zero; wait");
    let mut toctou = Command::new(env!("CARGO_BIN_EXE_toctou"));
    let toctou =
        toctou.arg("run").args(with(&ONE, &["sh", "-c", &script])).env("TMPDIR", folder.path());
    let mut toctou = toctou.stdout(std::process::Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    toctou.kill().unwrap();
    toctou.wait().unwrap();
    for _ in 0..100 {
        if std::fs::read_dir(folder.path()).unwrap().count() == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let left = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        processes.filter(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(marker)
        })
    };
    for _ in 0..100 {
        if left().count() == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(left().count(), 0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

const TABLES: &str = "CREATE TABLE orders (id BIGINT PRIMARY KEY, status TEXT NOT NULL); \
                      INSERT INTO orders VALUES (1, 'pending')";

/// Where there is no psql, it is said loudly what is left out.
fn psql() -> Option<&'static str> {
    let there = ["/usr/lib/postgresql/15/bin/psql", "/usr/bin/psql", "/usr/local/bin/psql"];
    let found = there.into_iter().find(|path| Path::new(path).exists());
    let required = std::env::var_os("TOCTOU_POSTGRES").is_some_and(|it| it == "required");
    assert!(found.is_some() || !required, "there is no psql");
    if found.is_none() {
        eprintln!("SKIPPED: there is no psql");
    }
    found
}

/// A script of psql, as a line of shell.
fn script(psql: &str, text: &str) -> String {
    format!("exec {psql} -Xqt -v ON_ERROR_STOP=1 <<'SQL'\n{text}\nSQL")
}

fn ends_it(psql: &str, before: &str, ends: &str) -> String {
    let look = "SELECT status = 'pending' AS pending FROM orders WHERE id = 1 \\gset";
    let update = format!("UPDATE orders SET status = '{ends}' WHERE id = 1;");
    script(psql, &format!("{before}{look}\n\\if :pending\n{update}\n\\echo {ends}\n\\endif"))
}

/// The race of the order service, by psql: with the counts of the model `order/check-then-update`.
#[test]
fn psql_races_over_an_order_as_the_model_does() {
    let Some(psql) = psql() else { return };
    // Where the model verifies a signature, the script asks something that nobody else answers.
    let cancels = ends_it(psql, "SELECT 1;\n", "cancelled");
    let options = ["--database", TABLES, "--at-most", "1", "stdout ~ cancelled", "--replay"];
    let said = told(1, &with(&options, &["sh", "-c", &cancels]));
    assert!(said.contains("stdout ~ cancelled: 12 of 20 interleavings"), "{said}");
    assert!(said.contains("PostgreSQL agrees: every answer and all that was left"), "{said}");

    let ships = ends_it(psql, "", "shipped");
    let options = ["--clients", "1", "--database", TABLES, "--at-most", "1"];
    let options = [&options[..], &["stdout ~ '^ *(cancelled|shipped)'"]].concat();
    let cancels = ends_it(psql, "", "cancelled");
    let others = ["sh", "-c", &cancels, "::", "sh", "-c", &ships];
    let said = told(1, &with(&options, &others));
    assert!(said.contains("4 of 6 interleavings"), "{said}");
}

#[test]
fn one_statement_is_proved_for_any_number_of_psqls() {
    let Some(psql) = psql() else { return };
    let redeem = format!(
        "{psql} -Xqtc \"UPDATE orders SET status = 'cancelled' WHERE id = 1 AND status = 'pending' RETURNING id\""
    );
    let rows = "row: SELECT 1 FROM orders WHERE status = 'cancelled'";
    let options = ["--database", TABLES, "--at-most", "1", "stdout ~ 1", "--finally", rows];
    let said = told(0, &with(&options, &["sh", "-c", &redeem]));
    assert!(said.contains("✓ always at most 1: stdout ~ 1 (any number of clients)"), "{said}");
    assert!(said.contains(&format!("✓ finally {rows}")), "{said}");
    let never = "no row: SELECT 1 FROM orders WHERE status = 'cancelled'";
    let said = told(1, &with(&["--database", TABLES, "--always", never], &["sh", "-c", &redeem]));
    assert!(said.contains(&format!("✗ always {never}: 2 of 2 interleavings")), "{said}");
}

/// Who is killed within a transaction has changed nothing.
#[test]
fn a_killed_psql_leaves_its_transaction_undone() {
    let Some(psql) = psql() else { return };
    let text = "BEGIN;\nUPDATE orders SET status = 'half';\nUPDATE orders SET status = 'done';\nCOMMIT;\n\\echo done";
    let script = script(psql, text);
    let half = "no row: SELECT 1 FROM orders WHERE status = 'half'";
    let reached = "row: SELECT 1 FROM orders WHERE status = 'done'";
    let options = ["--clients", "1", "--kill", "1", "--database", TABLES, "--finally", half];
    let options = [&options[..], &["--reachable", reached, "--reachable", "signal = 9"]].concat();
    let said = told(0, &with(&options, &["sh", "-c", &script]));
    // Also between its commit and the word of it.
    assert!(said.contains("signal 9  {orders: [[1, 'done']]}"), "{said}");
    assert!(said.contains("signal 9  {orders: [[1, 'pending']]}"), "{said}");
    // Without a transaction, it is half done.
    let script = script.replace("BEGIN;\n", "").replace("COMMIT;", "");
    let said = told(1, &with(&options, &["sh", "-c", &script]));
    assert!(said.contains("is killed"), "{said}");
}

/// Deadlocks are broken as the server does, and shown as a circle.
#[test]
fn two_psqls_that_lock_in_different_orders() {
    let Some(psql) = psql() else { return };
    let tables = "CREATE TABLE a (id BIGINT PRIMARY KEY, n BIGINT NOT NULL); INSERT INTO a VALUES (1, 0), (2, 0)";
    let add = |row: u8| format!("UPDATE a SET n = n + 1 WHERE id = {row};\n");
    let there = script(psql, &format!("BEGIN;\n{}{}COMMIT;", add(1), add(2)));
    let back = script(psql, &format!("BEGIN;\n{}{}COMMIT;", add(2), add(1)));
    let options = ["--clients", "1", "--database", tables, "--finally", "exit = 0", "--replay"];
    let said = told(1, &with(&options, &["sh", "-c", &there, "::", "sh", "-c", &back]));
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("40P01 deadlock: client 1 → sh → client 1"), "{said}");
    assert!(said.contains("waits for client 1"), "{said}");
    assert!(said.contains("PostgreSQL agrees"), "{said}");
}

#[test]
fn what_a_database_cannot_be_asked_is_told_with_its_place() {
    let Some(psql) = psql() else { return };
    let unfinished = |text: &str| {
        let said = told(
            1,
            &with(&["--clients", "1", "--database", TABLES], &["sh", "-c", &script(psql, text)]),
        );
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.starts_with("? unfinished: "), "{text}: {said}");
        said
    };
    for (text, why) in [
        (
            "SELECT id FROM nothing;",
            "`psql` and its database: there is no table `nothing` at character 16",
        ),
        ("SELECT no FROM orders;", "there is no column `no` here at character 8"),
        ("SELEC 1;", "found: SELEC at Line: 1, Column: 1"),
        ("CREATE TABLE x (id BIGINT);", "`CREATE TABLE` is not simulated"),
        ("LISTEN x;", "`LISTEN x` is not simulated"),
        ("\\copy orders to stdout", "`COPY orders` is not simulated"),
        ("SET lock_timeout = 5;", "`lock_timeout` set to `5` is not simulated"),
        (
            "SELECT id FROM orders WHERE id = 'x';",
            "\"x\" is no value of type BIGINT at character 34",
        ),
    ] {
        let said = unfinished(text);
        assert!(said.contains(why), "{text}: {said}");
    }
    let elsewhere = |setting: &str, why: &str| {
        let script = format!("{psql} -Xqtc 'SELECT 1' '{setting}'");
        let options = ["--clients", "1", "--database", TABLES];
        let said = told(1, &with(&options, &["sh", "-c", &script]));
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(why), "{setting}: {said}");
    };
    elsewhere(
        "host=127.0.0.1 port=1",
        "the network: it is no part of the world. The world's database is at",
    );
    elsewhere(
        "host=/run/postgresql",
        "a database that is not the world's. The world's database is at",
    );
    elsewhere(
        "options=-csearch_path=x",
        "the setting `options=-csearch_path=x` of a connection is not simulated",
    );
    let alone = ["--finally", "row: SELECT 1"];
    assert!(
        refused(&with(&alone, &["true"])).contains("asks a database: give one with `--database`")
    );
    let alone = ["--database", "CREATE TABLE x (a UUID)"];
    assert!(refused(&with(&alone, &["true"])).contains("the database: the type UUID"));
    let alone = ["--database", "/nowhere.sql"];
    assert!(refused(&with(&alone, &["true"])).contains("cannot read /nowhere.sql"));
    let asks = ["--database", TABLES, "--finally", "row: SELECT x FROM y"];
    assert!(refused(&with(&asks, &["true"])).contains("there is no table `y` at character 15"));
    let asks = ["--database", TABLES, "--finally", "row: DELETE FROM orders"];
    assert!(refused(&with(&asks, &["true"])).contains("it changes rows"));
}
