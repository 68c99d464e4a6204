//! The command, as a person or a script meets it.

use std::io::Read;
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

fn toctou(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_toctou")).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Ran well, and printed this.
fn told(arguments: &[&str]) -> String {
    let output = toctou(arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
    assert_eq!(stderr(&output), "", "{arguments:?}");
    stdout(&output)
}

/// Was refused as bad usage, with this on standard error and nothing on standard output.
fn refused(arguments: &[&str]) -> String {
    let output = toctou(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stdout(&output));
    assert_eq!(stdout(&output), "", "{arguments:?}");
    stderr(&output)
}

fn assert_fits(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
    }
    assert!(!text.contains('\u{1b}'), "escape codes on what is no terminal");
}

#[test]
fn check_prints_a_table_of_variants_and_properties() {
    let table = told(&["check", "download", "--clients", "2", "--engine", "graph"]);
    assert_fits(&table);
    let line = |name: &str| table.lines().find(|line| line.trim().starts_with(name)).unwrap();
    assert!(line("open-then-remove").contains("✗ 2"));
    assert!(!line("rename-unique-name").contains('✗'));
    assert!(table.contains("every verdict is as recorded"));
    let controls = table.find("negative controls").unwrap();
    assert!(controls > table.find("advisory-lock").unwrap());
    assert!(controls < table.find("control-forgets-meta").unwrap());
}

#[test]
fn all_engines_agree_on_the_proved_variant() {
    let arguments = ["check", "download/rename-unique-name", "--engine", "all", "--clients", "2"];
    let table = told(&arguments);
    assert_fits(&table);
    assert!(table.contains("all engines agree; every verdict is as recorded"));
    for engine in ["graph", "any", "loom", "shuttle"] {
        assert!(table.lines().any(|line| line.trim().starts_with(engine)), "{engine}");
    }
}

#[test]
fn json_has_one_object_a_line_with_exactly_these_fields() {
    let lines = told(&[
        "check",
        "download/open-then-remove",
        "--scenario",
        "clients",
        "--clients",
        "2",
        "--engine",
        "all",
        "--format",
        "json",
    ]);
    let fields = [
        "model",
        "variant",
        "scenario",
        "clients",
        "engine",
        "property",
        "verdict",
        "kind",
        "executions",
        "states",
        "interleavings",
        "outcomes",
        "exhaustive",
        "schedule",
        "elapsed_ms",
    ];
    let mut engines = Vec::new();
    for line in lines.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let mut found: Vec<_> = row.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expected = fields.to_vec();
        // The graph alone counts what continues from a step.
        if row["engine"] == "graph" && row["verdict"] == "violated" {
            expected.push("lost");
        }
        if row["verdict"] == "unfinished" {
            expected.push("bound");
        }
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
        let key = (row["engine"].to_string(), row["property"].to_string());
        assert!(!engines.contains(&key), "{key:?} twice");
        engines.push(key);
        if row["engine"] == "any" {
            assert!(row["clients"].is_null());
        }
        if row["engine"] == "graph" {
            assert_eq!(row["clients"], 2);
            assert_eq!(row["interleavings"], 46);
        }
        if row["engine"] == "graph" && row["property"] == "at-most-once" {
            assert_eq!(row["verdict"], "violated");
            assert_eq!(row["schedule"].as_array().unwrap().len(), 8);
            assert_eq!(row["lost"]["point_of_no_return"], 2);
            let before_it = r#"{"all":"23","violating":"20"}"#;
            assert_eq!(row["lost"]["continuations"][1].to_string(), before_it);
            assert_eq!(row["lost"]["continuations"].as_array().unwrap().len(), 9);
        }
    }
    // Deadlock-freedom, five properties and two that must be reachable; four engines.
    assert_eq!(engines.len(), 8 * 4);
}

#[test]
fn an_engine_that_cannot_take_the_system_says_so_and_proves_nothing() {
    let arguments = ["check", "download/claim-file", "--scenario", "clients", "--clients", "6"];
    let output = toctou(&[&arguments[..], &["--engine", "loom"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output);
    let said: Vec<&str> = said.split_whitespace().collect();
    assert!(said.join(" ").contains("6 actors, and loom takes 5 at most"));
    let output = toctou(&[&arguments[..], &["--engine", "loom", "--format", "json"]].concat());
    assert!(stdout(&output).lines().all(|line| line.contains(r#""verdict":"unfinished""#)));
}

#[test]
fn show_tells_the_bad_interleaving_in_columns() {
    let told = told(&["show", "download/open-then-remove", "--property", "at-most-once"]);
    assert_fits(&told);
    let heads = told.lines().find(|line| line.trim().starts_with("client 1 ")).unwrap();
    let first = heads.find("client 1").unwrap();
    let loser = told.lines().find(|line| line.contains("unlink(key/content) = ENOENT")).unwrap();
    assert_eq!(loser.find("unlink"), Some(first));
    assert_eq!(told.matches(r#"→ Delivered("alpha")"#).count(), 2);
    let lost = "lost at step 2: before it 20 of 23 continuations violate, after it all";
    assert!(told.lines().any(|line| line.trim() == lost), "{told}");
    let shares = told.lines().filter_map(|line| line.rsplit_once("  ")).map(|(_, share)| share);
    let shares: Vec<_> = shares.filter(|it| it.contains('/') || *it == "all").collect();
    assert_eq!(shares[..3], ["40/46", "20/23", "all"], "{told}");
    assert!(
        told.contains("at-most-once violated after 8 steps; 40 of 46 interleavings violate it")
    );
}

#[test]
fn show_fits_whatever_is_shown() {
    for arguments in [
        &["show", "download/rename-fixed-name", "--scenario", "reupload"][..],
        &["show", "download/open-then-remove", "--clients", "5"],
        &["show", "download/open-then-remove", "--clients", "6"],
        &["show", "download/claim-file"],
        &["check", "order", "--clients", "1"],
        &["check", "credential/check-then-write", "--engine", "graph"],
        &["show", "credential/link-or-exchange", "--scenario", "force-shared", "--actions", "3"],
        &["show", "credential/check-then-write"],
        &["list"],
    ] {
        assert_fits(&told(arguments));
    }
}

#[test]
fn show_of_a_proof_tells_what_can_be_reached() {
    let told = told(&[
        "show",
        "download/rename-unique-name",
        "--scenario",
        "clients",
        "--property",
        "at-most-once",
    ]);
    assert_fits(&told);
    assert!(told.contains("at-most-once holds"));
    assert!(told.contains("somebody-gets-it reached after 5 steps"));
}

#[test]
fn what_nothing_reaches_is_told_without_a_schedule() {
    let property = ["--scenario", "put-again", "--property", "second-is-delivered"];
    let told = told(&[&["show", "download/claim-file"], &property[..]].concat());
    assert!(told.contains("second-is-delivered violated: none of 1,410 interleavings gets there"));
}

#[test]
fn mermaid_begins_as_mermaid_must() {
    let told = told(&[
        "show",
        "download/open-then-remove",
        "--scenario",
        "clients",
        "--format",
        "mermaid",
    ]);
    assert!(told.starts_with("sequenceDiagram\n"));
    assert!(told.contains("participant a0 as client 1"));
    assert!(told.contains("participant world as file system"));
    let lost = "from here every continuation violates at-most-once, exactly-once";
    let second = "    a1->>world: open(key/content) = ok\n";
    assert!(told.contains(&format!("{second}    Note over a0,a1: {lost}\n")), "{told}");
}

#[test]
fn replay_makes_it_happen_on_the_kernel() {
    let arguments = ["replay", "download/open-then-remove", "--scenario", "clients"];
    let told = told(&[&arguments[..], &["--stress", "20"]].concat());
    assert_fits(&told);
    assert!(told.contains("the kernel agrees"));
    assert_eq!(told.matches(r#"→ Delivered("alpha")"#).count(), 2);
    assert!(told.contains("of 20 free runs; the checker: 40 of 46 interleavings, always"));
}

#[test]
fn what_was_too_large_for_every_engine_is_no_verdict() {
    let variants = ["api_key/on-conflict-returning", "api_key/select-for-update"];
    for (scenario, signs) in [
        ("unique-read-committed", &["✗ e ∞", "?"][..]),
        ("unique-repeatable-read", &["✗ e ∞", "✗ e ∞"]),
    ] {
        let asked = ["--scenario", scenario, "--clients", "8"];
        let output = Command::new(env!("CARGO_BIN_EXE_toctou"))
            .arg("check")
            .args(variants)
            .args(asked)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        let told = stdout(&output);
        assert_fits(&told);
        let row = told.lines().find(|line| line.trim().starts_with(scenario)).expect("a row");
        let found: Vec<&str> = row.trim()[scenario.len()..].split("  ").map(str::trim).collect();
        let found: Vec<&str> = found.into_iter().filter(|cell| !cell.is_empty()).collect();
        assert_eq!(found, signs, "{told}");
        assert!(told.contains("not checked, as too large for a quick answer"), "{told}");
        for said in ["as recorded", "no proof is empty", "no such system"] {
            assert!(!told.contains(said), "{told}");
        }
    }
}

#[test]
fn what_has_no_schedule_cannot_be_replayed_and_that_is_no_success() {
    let asked = ["--scenario", "bare-autocommit", "--property", "somebody-is-told"];
    let output = Command::new(env!("CARGO_BIN_EXE_toctou"))
        .args(["replay", "api_key/upsert-returning"])
        .args(asked)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stdout(&output).ends_with("\nnothing was replayed\n"), "{}", stdout(&output));
}

#[test]
fn free_runs_on_a_database_are_told_beside_the_replay() {
    let arguments = ["replay", "order/check-then-update", "--scenario", "cancels"];
    let told = told(&[&arguments[..], &["--stress", "30"]].concat());
    assert_fits(&told);
    assert!(told.contains("SQLite agrees"));
    let chance = "of 30 free runs; the checker: 12 of 20 interleavings, always";
    assert_eq!(told.matches(chance).count(), 2, "{told}");
}

#[test]
fn a_deadlock_of_free_runs_is_counted_and_the_command_ends() {
    let arguments = ["replay", "order/process-mutex", "--scenario", "one-worker"];
    let told = told(&[&arguments[..], &["--stress", "300"]].concat());
    assert!(told.contains("of 300 free runs; the checker: 12 of 14 interleavings"), "{told}");
}

#[test]
fn without_postgresql_nothing_is_replayed_and_that_is_said_and_no_success() {
    let nowhere = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_toctou"))
        .args(["replay", "order/read-committed", "--scenario", "cancels", "--stress", "5"])
        .env("TOCTOU_POSTGRES_BIN", nowhere.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let told = stdout(&output);
    let missing = "not possible here: there is no PostgreSQL server: install one";
    assert!(told.ends_with("\nnothing was replayed\n"), "{told}");
    assert_eq!(told.matches(missing).count(), 1, "{told}");
    assert!(told.contains("one-ending violated") && !told.contains("free run"), "{told}");
}

#[test]
fn replay_takes_a_schedule_of_ones_own() {
    let arguments = ["replay", "download/rename-fixed-name", "--stress", "0", "--schedule"];
    let told = told(&[&arguments[..], &["[1, 0]"]].concat());
    assert!(told.contains("→ Gone"));
    assert!(told.contains("the kernel agrees"));
    let output = refused(&[&arguments[..], &["[0, 7]"]].concat());
    assert!(output.contains("step 2 names actor 7"), "{output}");
    let words = output.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("0 = client 1, 1 = client 2"), "{output}");
    let output = refused(&[&arguments[..], &["[0, x]"]].concat());
    assert!(output.contains("`x` is not an actor's index"), "{output}");
    let output = refused(&[&arguments[..], &["0 0 0 0 0 0"]].concat());
    assert!(output.contains("which ended before"), "{output}");
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest_known_one() {
    for (arguments, said) in [
        (&["check", "downlaod"][..], "unknown model `downlaod`; did you mean `download`?"),
        (
            &["show", "download/rename-fixed"],
            "unknown variant of download `rename-fixed`; did you mean `rename-fixed-name`?",
        ),
        (
            &["check", "--scenario", "janitr"],
            "unknown scenario of download `janitr`; did you mean `janitor`?",
        ),
        (
            &["show", "download/claim-file", "--property", "atmost-once"],
            "unknown property `atmost-once`; did you mean `at-most-once`?",
        ),
        (&["check", "--engine", "lom"], "unknown engine `lom`; did you mean `loom`?"),
        (&["check", "--engine", "zzz"], "there is graph, any, loom, shuttle, all"),
        (&["show", "download"], "which variant of download?"),
    ] {
        let output = refused(arguments);
        assert!(output.contains(said), "{arguments:?}: {output}");
        assert!(output.contains("toctou list"), "{arguments:?}: {output}");
    }
}

#[test]
fn a_senseless_number_of_clients_is_refused() {
    for (number, said) in [("0", "at least 1"), ("100000", "at most 200"), ("x", "not a number")] {
        let output = refused(&["check", "--clients", number]);
        assert!(output.contains(said), "{number}: {output}");
    }
}

#[test]
fn a_size_that_the_model_does_not_have_is_refused() {
    for arguments in [&["check", "download"][..], &["show", "download/claim-file"]] {
        let output = refused(&[arguments, &["--actions", "2"]].concat());
        assert!(output.contains("download is sized by clients; use --clients"), "{output}");
        refused(&[arguments, &["--clients", "2", "--actions", "2"]].concat());
    }
}

#[test]
fn a_scenario_in_which_all_is_as_in_another_is_told_in_a_line() {
    let table = told(&["check", "download/advisory-lock", "--engine", "graph", "--clients", "2"]);
    assert!(table.contains("an expiry job removes the download meanwhile: as in clients\n"));
    let lines = table.lines().filter(|line| line.trim().starts_with("advisory-lock"));
    // Of nine scenarios: `clients`, `reupload`, and those in which somebody dies and that differ.
    assert!((2..7).contains(&lines.count()), "{table}");
}

#[test]
fn nobody_reading_any_more_is_no_panic() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_toctou"))
        .args(["show", "download/meta-check-first"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(said, "");
}

#[test]
fn a_counterexample_names_the_script_and_a_schedule_that_can_be_asked_for() {
    let told_of_all = told(&["check", "credential/check-then-write", "--engine", "graph"]);
    let mut lines = told_of_all.lines().skip_while(|line| !line.contains("what breaks it"));
    let attack = lines.find(|line| line.contains("others-untouched")).expect("an attack");
    assert!(attack.contains("1 action, 4 steps") && attack.contains("absent; script: symlink P"));
    assert_eq!(lines.next().map(str::trim), Some("--schedule '1: [0, 1, 1, 0]'"));

    let variant = "credential/check-then-write";
    let replayed = told(&[
        "replay",
        variant,
        "--scenario",
        "new-shared",
        "--actions",
        "1",
        "--schedule",
        "1: [0, 1, 1, 0]",
    ]);
    assert_fits(&replayed);
    assert!(replayed.contains("absent; script: symlink P"));
    assert!(replayed.contains("→ Has(\"KEY\")"), "{replayed}");
    assert!(replayed.contains("the kernel agrees"));
}

#[test]
fn a_schedule_from_a_start_that_is_not_there_is_refused() {
    let asked = ["replay", "credential/check-then-write", "--scenario", "new-shared"];
    let refused = refused(&[&asked[..], &["--schedule", "999: [0, 1]"]].concat());
    assert!(refused.contains("start 999") && refused.contains("(0 to "), "{refused}");
}

#[test]
fn clients_are_no_size_of_a_model_of_actions() {
    let refused = refused(&["check", "credential", "--clients", "2"]);
    assert!(refused.contains("credential is sized by actions; use --actions"), "{refused}");
}

#[test]
fn a_sequence_diagram_says_how_it_began() {
    let asked = ["show", "credential/check-then-write", "--scenario", "new-shared"];
    let one = ["--property", "others-untouched", "--format", "mermaid"];
    let told = told(&[&asked[..], &one].concat());
    assert!(told.contains("Note over a0,a1: absent#59; script#58; symlink P"), "{told}");
}

/// Ran, told this on standard output, and ended with this status.
fn ended(arguments: &[&str], status: i32) -> String {
    let output = toctou(arguments);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", stderr(&output));
    assert_fits(&stdout(&output));
    assert_fits(&stderr(&output));
    stdout(&output)
}

#[test]
fn a_variant_can_be_asked_for_at_a_level() {
    let asked = ["--level", "repeatable read", "--scenario", "out"];
    let told = ended(&[&["show", "transfer/ordered"], &asked[..]].concat(), 0);
    assert!(told.contains("transfer/ordered at REPEATABLE READ · out · 2 clients"), "{told}");
    let told = ended(&[&["check", "transfer", "--engine", "graph"], &asked[..]].concat(), 0);
    assert!(
        told.contains("ordered at REPEATABLE READ") && told.contains("\n  snapshot "),
        "{told}"
    );
    assert!(told.contains("every verdict is as recorded"), "{told}");
    // The catalogue has some of them by another name, and that is said.
    let output = toctou(&["show", "transfer/conditional-debit", "--level", "autocommit"]);
    let said = "transfer/conditional-debit at autocommit is transfer/two-statements\n";
    assert_eq!(stderr(&output), said);
    // Without a transaction, it happens on SQLite.
    let asked = ["--level", "autocommit", "--scenario", "crash", "--stress", "0"];
    let told = ended(&[&["replay", "transfer/ordered"], &asked[..]].concat(), 0);
    assert!(told.contains("SQLite agrees"), "{told}");
}

#[test]
fn a_level_that_is_not_there_is_refused_with_those_that_are() {
    for (arguments, said) in [
        (
            &["show", "transfer/ordered", "--level", "REPEATABLE READ retried"][..],
            "unknown level of transfer `REPEATABLE READ retried`; did you mean `REPEATABLE READ, retried`?",
        ),
        (
            &["replay", "transfer/select-for-update", "--level", "autocommit"],
            "there is no transfer/select-for-update at autocommit; there is check-then-debit, \
             conditional-debit, ordered",
        ),
        (&["check", "download", "--level", "SERIALIZABLE"], "download has no levels; transfer has"),
    ] {
        let output = refused(arguments);
        assert_fits(&output);
        let output = output.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(output.contains(said), "{arguments:?}: {output}");
    }
}

#[test]
fn a_variant_that_says_nothing_of_a_scenario_says_so_and_of_which_it_does() {
    for command in ["show", "replay", "check"] {
        let output = refused(&[command, "transfer/ordered", "--scenario", "sum"]);
        let said =
            "transfer/ordered says nothing of `sum`; it has out, both-ways, crash, asks-again";
        assert!(output.contains(said), "{command}: {output}");
        let locks = "api_key/select-for-update";
        let output = refused(&[command, locks, "--scenario", "unique-autocommit"]);
        assert!(output.contains("says nothing of `unique-autocommit`; it has"), "{output}");
        assert_fits(&output);
    }
    // Where another one has it, that is done.
    let both = ["check", "transfer/ordered", "transfer/two-statements", "--scenario", "sum"];
    let told = ended(&[&both[..], &["--engine", "graph"]].concat(), 0);
    assert!(told.contains("two-statements") && !told.contains("ordered"), "{told}");
}

/// Scenarios that differ in the disk alone have one name in common.
#[test]
fn power_is_every_scenario_in_which_the_power_fails_and_a_case_without_says_what_it_has() {
    let mut with = Vec::new();
    for model in toctou::models::ALL {
        let (name, scenarios) = (model.name(), model.scenarios());
        let target = format!("{name}/{}", model.variants()[0].name);
        let power = scenarios.iter().filter(|scenario| scenario.family() == "power");
        let power: Vec<_> = power.map(|scenario| scenario.name).collect();
        let all: Vec<_> = scenarios.iter().map(|scenario| scenario.name).collect();
        if power.is_empty() {
            for command in ["show", "replay", "check"] {
                let output = refused(&[command, &target, "--scenario", "power"]);
                assert_fits(&output);
                let output = output.split_whitespace().collect::<Vec<_>>().join(" ");
                let said =
                    format!("unknown scenario of {name} `power`; there is {}", all.join(", "));
                assert!(output.contains(&said), "{command}: {output}");
            }
            continue;
        }
        with.push(name);
        let size = if model.size().is_clients() { "--clients" } else { "--actions" };
        let asked = ["check", &target, "--scenario", "power", "--engine", "graph", size, "1"];
        let told = ended(&asked, 0);
        for scenario in all {
            let is_told =
                told.lines().any(|line| line.trim().starts_with(&format!("{scenario}  ")));
            assert_eq!(is_told, power.contains(&scenario), "{scenario}: {told}");
        }
        let shown = ended(&["show", &target, "--scenario", "power"], 0);
        assert!(shown.contains(" · power-") && shown.contains("── the power fails ─"), "{shown}");
    }
    assert_eq!(with, ["download", "credential"]);
    // Those that exist in one of the cases asked for are done.
    let asked = ["check", "download/durable-once", "order", "--scenario", "power"];
    let told = ended(&[&asked[..], &["--engine", "graph", "--clients", "1"]].concat(), 0);
    let is_headed = |name| told.lines().any(|line| line == name);
    assert!(is_headed("download") && !is_headed("order"), "{told}");
}

#[test]
fn what_is_claimed_of_several_is_not_shown_of_one() {
    let asked = ["show", "transfer/ordered", "--property", "somebody-is-refused"];
    let output = refused(&[&asked[..], &["--clients", "1"]].concat());
    assert!(output.contains("nothing is claimed of `somebody-is-refused` with 1 client"));
}

#[test]
fn a_verdict_that_is_known_for_more_clients_than_are_tried_is_shown_with_so_many() {
    let variant = ["show", "api_key/upsert-returning", "--property", "no-server-error"];
    let told = ended(&[&variant[..], &["--scenario", "unique-repeatable-read-retry"]].concat(), 0);
    assert!(told.contains("unique-repeatable-read-retry · 4 clients"), "{told}");
    assert!(told.contains("no-server-error violated"), "{told}");
}

#[test]
fn any_number_is_not_asked_where_nothing_is_over_counts_and_it_is_said_why() {
    let told = ended(&["check", "transfer/ordered", "--engine", "any"], 0);
    assert!(told.contains("nothing was decided") && !told.contains("as recorded"), "{told}");
    assert!(told.contains("– not applicable: no property is over counts"), "{told}");
    assert!(!told.contains("a till of its own"), "{told}");
    let told = ended(&["check", "transfer/snapshot", "--scenario", "sum", "--engine", "any"], 0);
    assert!(told.contains("in `sum`, each pays into a till of its own"), "{told}");
    let unique = ["check", "download/rename-unique-name", "--scenario", "clients"];
    // Clients that differ in nothing but names of their own are no obstacle.
    let told = ended(&[&unique[..], &["--engine", "any"]].concat(), 0);
    assert!(told.contains("any number: the column before"), "{told}");
}

#[test]
fn a_deadlock_names_its_circle() {
    let asked = ["show", "transfer/conditional-debit", "--scenario", "both-ways"];
    let told = ended(&asked, 0).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("-- 40P01 deadlock: client 1 → client 2 → client 1"), "{told}");
}

#[test]
fn what_a_code_means_stands_beside_it_where_there_is_room() {
    let told = ended(&["show", "transfer/snapshot", "--scenario", "out"], 0);
    assert!(told.contains("40001 a concurrent transaction came first"), "{told}");
    // For three columns there is none, and no further line is taken for it.
    let three = ["show", "api_key/select-then-insert", "--scenario", "unique-autocommit"];
    let told = ended(&[&three[..], &["--clients", "3"]].concat(), 0);
    assert!(told.contains("23505") && !told.contains("there is a row with that key"), "{told}");
}

#[test]
fn what_is_no_statement_is_a_note_and_no_message_to_the_database() {
    let worker = ["show", "order/process-mutex", "--scenario", "one-worker"];
    let told = told(&[&worker[..], &["--format", "mermaid"]].concat());
    assert!(told.contains("Note over a0: locks the mutex of server 1"), "{told}");
    assert!(told.contains("a0->>world: SELECT status"), "{told}");
    assert!(!told.contains("world: -- "), "{told}");
    // Who waits for a mutex and a worker closes a circle, and nobody is failed for it.
    assert!(!told.contains("deadlock#58;"), "{told}");
}

#[test]
fn half_a_pair_of_brackets_is_no_schedule() {
    let asked = ["replay", "download/rename-fixed-name", "--schedule"];
    let output = refused(&[&asked[..], &["[0,1"]].concat());
    assert!(output.contains("`[0,1` has one bracket of two"), "{output}");
}

#[test]
fn long_counts_that_look_alike_are_told_by_their_difference() {
    let asked = ["show", "order/check-then-update", "--scenario", "cancels", "--clients", "8"];
    let told = ended(&[&asked[..], &["--property", "one-ending"]].concat(), 0);
    assert!(told.contains("all but 208,089,907,200 of 9.68e15 interleavings"), "{told}");
}

#[test]
fn the_list_is_in_columns() {
    let told = ended(&["list"], 0);
    let scenarios = told.lines().filter(|line| line.starts_with("    unique-"));
    let columns: Vec<_> = scenarios
        .filter_map(|line| {
            let name = line.trim_start().split(' ').next()?.len();
            let rest = &line[4 + name..];
            Some(4 + name + rest.len() - rest.trim_start().len())
        })
        .collect();
    assert!(columns.len() > 3 && columns.iter().all(|it| *it == columns[0]), "{columns:?}");
}

/// What was named and could not be replayed is not told as well; what was not named is left out.
#[test]
fn a_named_counterexample_that_cannot_be_replayed_here_is_a_failure() {
    let replay = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toctou"));
        command.args(arguments).env("TOCTOU_POSTGRES_BIN", "/nowhere/at/all").output().unwrap()
    };
    let output = replay(&["replay", "transfer/snapshot", "--scenario", "out", "--stress", "0"]);
    assert_eq!(output.status.code(), Some(1));
    let told = stdout(&output);
    assert_fits(&told);
    assert!(told.contains("there is no PostgreSQL server"), "{told}");
    assert!(told.ends_with("nothing was replayed\n"), "{told}");
    // SQLite is always there.
    let output =
        replay(&["replay", "transfer/two-statements", "--scenario", "sum", "--stress", "0"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

#[test]
fn verdicts_are_recorded_in_a_file_a_model_and_what_changed_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let known = include_str!("../../models/claim_cell/verdicts.txt");
    let said = told(&["check", "claim_cell", "--bless", path]);
    let file = folder.path().join("claim_cell/verdicts.txt");
    assert_eq!(said, format!("{}: as it was\n", file.display()));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), known);
    // Of what was not looked at, what was recorded stays.
    let few = ["check", "download/claim-file", "--scenario", "clients", "--clients", "1"];
    told(&[&few[..], &["--bless", path]].concat());
    let file = folder.path().join("download/verdicts.txt");
    let known = include_str!("../../models/download/verdicts.txt");
    assert_eq!(std::fs::read_to_string(file).unwrap(), known);

    let output = toctou(&["check", "claim_cell", "--bless", "no/such/folder"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("there is no folder no/such/folder"));
    assert!(refused(&["check", "--bless", path, "--format", "json"]).contains("--format"));
}

/// What several machines share.
const SHARED: [&str; 3] =
    ["download/open-then-remove", "download/rename-fixed-name", "order/snapshot"];

/// What one of several machines prints.
fn share(share: &str) -> String {
    told(&[&["check"], &SHARED[..], &["--format", "json", "--partition", share]].concat())
}

/// What each of three machines prints, in a file.
fn shares() -> [&'static str; 3] {
    static SHARES: LazyLock<[String; 3]> = LazyLock::new(|| {
        ["1/3", "count:2/3", "3/3"].map(|which| {
            let name = which.replace(['/', ':'], "-");
            let path = format!("{}/share-{name}.json", env!("CARGO_TARGET_TMPDIR"));
            std::fs::write(&path, share(which)).unwrap();
            path
        })
    });
    SHARES.each_ref().map(String::as_str)
}

#[test]
fn shares_of_several_machines_are_merged_into_the_table_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two, three] = shares();
    let merged = told(&["merge", three, one, two, "--verbose"]);
    assert_fits(&merged);
    assert!(merged.contains("all engines agree; every verdict is as recorded"), "{merged}");
    let whole = told(&[&["check"], &SHARED[..]].concat());
    let tables = |told: &str| told.split("\nengines").next().unwrap().trim().to_owned();
    assert_eq!(tables(&merged), tables(&whole));
    let systems = |told: &str| {
        let line = told.lines().find(|line| line.contains("every verdict is as recorded"));
        line.and_then(|line| line.split(" systems").next()).map(str::to_owned)
    };
    assert_eq!(systems(&merged), systems(&whole));

    // In one small matrix a case, as the command alone has it; and as a page.
    let page = folder.path().join("report.html");
    let small = told(&["merge", one, two, three, "--report", page.to_str().unwrap()]);
    assert!(small.contains("open it in a browser"), "{small}");
    assert!(std::fs::read_to_string(&page).unwrap().starts_with("<!doctype html>"));
    assert!(small.contains("open-then-remove  ✗2 ✗2 ✗1 ✗2 ✗1 ✗1"), "{small}");
}

#[test]
fn shares_that_are_not_whole_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two, three] = shares();
    assert!(refused(&["merge", one, three]).contains("of 3 shares, share 2 is missing"));
    assert!(refused(&["merge", one, two, three, two]).contains("are both share 2/3"));
    assert!(refused(&["merge", "/nowhere"]).contains("cannot read /nowhere"));
    let rewritten = |change: fn(Vec<&str>) -> Vec<&str>| {
        let text = std::fs::read_to_string(two).unwrap();
        let path = folder.path().join("changed");
        std::fs::write(&path, change(text.lines().collect()).join("\n")).unwrap();
        refused(&["merge", one, path.to_str().unwrap(), three])
    };
    let cut = rewritten(|mut lines| {
        lines.pop();
        lines
    });
    assert!(cut.contains("does not say which share it is"), "{cut}");
    let fewer = rewritten(|lines| lines[lines.len() / 2..].to_vec());
    assert!(fewer.contains("and says at its end that it had"), "{fewer}");
    let text = rewritten(|lines| [vec!["open-then-remove"], lines].concat());
    assert!(text.contains("line 1: not a row of"), "{text}");
    let none = told(&["check", "download/unlink-decides", "--partition", "500/500"]);
    assert!(none.contains("share 500/500 has no system"), "{none}");
    for wrong in ["0/2", "3/2", "1", "one/two", "hash:1/2"] {
        assert!(refused(&["check", "--partition", wrong]).contains("not a share"), "{wrong}");
    }
}

/// A verdict that is not the recorded one is found again where the shares are put together.
#[test]
fn a_share_with_a_wrong_verdict_makes_the_whole_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two, three] = shares();
    let text = std::fs::read_to_string(one).unwrap();
    let wrong = text.replacen(r#""verdict":"violated""#, r#""verdict":"holds""#, 1);
    assert_ne!(text, wrong);
    let path = folder.path().join("wrong");
    std::fs::write(&path, wrong).unwrap();
    let output = toctou(&["merge", path.to_str().unwrap(), two, three]);
    assert_eq!(output.status.code(), Some(1));
    let said = stdout(&output).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("is recorded to be violated"), "{said}");
}

/// All of it on one screen, and nothing asked for.
#[test]
fn the_command_alone_prints_one_screen() {
    let output = toctou(&[]);
    let screen = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{screen}{}", stderr(&output));
    assert_fits(&screen);
    assert!(screen.lines().count() <= 60, "{} lines:\n{screen}", screen.lines().count());
    assert!(screen.lines().all(|line| line == line.trim_end()), "spaces at an end:\n{screen}");
    assert!(screen.contains("open-then-remove    ✗2 ✗2 ✗1 ✗2 ✗1 ✗1"), "{screen}");
    assert!(screen.contains("all engines agree; every verdict is as recorded"), "{screen}");
    assert!(screen.contains("every answer is as simulated"), "{screen}");
    assert!(screen.contains("toctou show download/open-then-remove"), "{screen}");
    for model in toctou_models() {
        assert!(screen.contains(&format!("{model} ")), "{model}:\n{screen}");
    }
}

fn toctou_models() -> impl Iterator<Item = &'static str> {
    ::toctou::models::ALL.iter().map(|model| model.name())
}
