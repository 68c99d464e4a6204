//! The gallery `examples/run`: each of its programs, with the verdict that its README names.
//!
//! Entries whose interpreter or packages are missing are left out. With `TOCTOU_GALLERY=required`, that is a
//! failure.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FILES: [&str; 8] = [
    "locks.toml",
    "files.toml",
    "python.toml",
    "node.toml",
    "go.toml",
    "pypi.toml",
    "npm.toml",
    "database.toml",
];

const PYTHON: &str = "/usr/bin/python3";

fn gallery() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/run")
}

/// The entries of a file, and whether one of their promises is to break.
fn entries(file: &str) -> Vec<(String, bool)> {
    let text = fs::read_to_string(gallery().join(file)).unwrap();
    let mut entries: Vec<(String, bool)> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            entries.push((name.to_owned(), false));
        } else if line.starts_with("breaks = ") {
            entries.last_mut().unwrap().1 = true;
        }
    }
    entries
}

/// What the README says of the entries of a file: their names, and whether they break.
fn told(file: &str) -> Vec<(String, bool)> {
    let readme = fs::read_to_string(gallery().join("README.md")).unwrap();
    let heading = format!("## `{file}`");
    let section = readme.lines().skip_while(|line| *line != heading).skip(1);
    let rows = section.take_while(|line| !line.starts_with("## ")).filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
        let name = cells.next()?.strip_suffix('`')?;
        let verdict = cells.next()?;
        assert!(["✗", "✓"].contains(&verdict), "{name} has no verdict: {verdict}");
        Some((name.to_owned(), verdict == "✗"))
    });
    rows.collect()
}

fn is_there(program: &str) -> bool {
    let mut asked = Command::new(program);
    asked.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    asked.status().is_ok_and(|status| status.success())
}

/// Whether this is there; else, says what is left out.
fn has(file: &str, there: bool, what: &str) -> bool {
    let required = std::env::var_os("TOCTOU_GALLERY").is_some_and(|it| it == "required");
    assert!(there || !required, "{file}: there is no {what}");
    if !there {
        eprintln!("{file} is left out: there is no {what}");
    }
    there
}

fn has_packages(file: &str, one: &str) -> bool {
    let installed = gallery().join("packages").join(one).is_dir();
    has(file, installed, "package: run examples/run/packages.sh")
}

/// Each entry has the verdict that the file says, and its counterexamples happen on the kernel.
fn is_as_it_says(file: &str) {
    let mut toctou = Command::new(env!("CARGO_BIN_EXE_toctou"));
    toctou.args(["run", "--replay", "--file"]).arg(gallery().join(file));
    let output = toctou.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{file}: {said}{error}");
    assert!(!said.contains(" disagrees"), "{file}: {said}");
    let broken = entries(file).iter().filter(|(_, breaks)| *breaks).count();
    let agrees = if file == "database.toml" { "PostgreSQL agrees" } else { "the kernel agrees" };
    assert!(said.matches(agrees).count() >= broken, "{file}: {said}");
}

#[test]
fn the_readme_names_each_entry_with_its_verdict() {
    for file in FILES {
        assert!(!entries(file).is_empty(), "{file}");
        assert_eq!(told(file), entries(file), "{file}");
    }
}

#[test]
fn lock_files_in_sh() {
    is_as_it_says("locks.toml");
}

#[test]
fn files_and_directories_in_sh() {
    is_as_it_says("files.toml");
}

#[test]
fn the_standard_library_of_python() {
    let file = "python.toml";
    if has(file, is_there(PYTHON), PYTHON) {
        is_as_it_says(file);
    }
}

#[test]
fn node_without_packages() {
    let file = "node.toml";
    if has(file, is_there("node"), "node") {
        is_as_it_says(file);
    }
}

#[test]
fn a_program_in_go() {
    let file = "go.toml";
    let built = gallery().join("packages/go/download").is_file();
    if has(file, built, "program in `packages/go`: run examples/run/packages.sh, with Go") {
        is_as_it_says(file);
    }
}

#[test]
fn packages_of_pypi() {
    let file = "pypi.toml";
    if has(file, is_there(PYTHON), PYTHON) && has_packages(file, "filelock-3.20.0") {
        is_as_it_says(file);
    }
}

#[test]
fn packages_of_npm() {
    let file = "npm.toml";
    if has(file, is_there("node"), "node") && has_packages(file, "steno-2.1.0") {
        is_as_it_says(file);
    }
}

#[test]
fn programs_that_share_a_database() {
    let file = "database.toml";
    let server = toctou::db::Cluster::shared().is_ok();
    let there = has(file, is_there("psql"), "psql")
        && has(file, server, "PostgreSQL server")
        && has(file, is_there("node"), "node")
        && has(file, is_there(PYTHON), PYTHON);
    if there && has_packages(file, "psycopg2-binary-2.9.10") && has_packages(file, "pg-8.13.1") {
        is_as_it_says(file);
    }
}
