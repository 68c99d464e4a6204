//! Runs tests one after the other, and tells of them as the usual runner does. It understands a filter,
//! `--exact`, `--skip`, `--list` and `--ignored`.

use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;

/// What is asked for on the command line.
#[derive(Default)]
struct Asked {
    names: Vec<String>,
    skipped: Vec<String>,
    is_exact: bool,
    lists: bool,
    /// Only ignored tests, of which there are none.
    none: bool,
}

impl Asked {
    fn of(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut asked = Asked::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--exact" => asked.is_exact = true,
                "--list" => asked.lists = true,
                "--ignored" => asked.none = true,
                "--skip" => asked.skipped.extend(arguments.next()),
                "--test-threads" | "--color" | "--format" | "--logfile" | "-Z" => {
                    arguments.next();
                }
                option if option.starts_with('-') => {}
                _ => asked.names.push(argument),
            }
        }
        asked
    }

    fn includes(&self, test: &str) -> bool {
        let is = |name: &String| if self.is_exact { test == name } else { test.contains(name) };
        let is_named = self.names.is_empty() || self.names.iter().any(is);
        is_named && !self.none && !self.skipped.iter().any(is)
    }
}

/// Runs those of these tests that the command line asks for.
pub(crate) fn run(tests: &[(&str, fn())]) -> ExitCode {
    let asked = Asked::of(std::env::args().skip(1));
    let (included, left_out): (Vec<_>, Vec<_>) =
        tests.iter().partition(|(name, _)| asked.includes(name));
    if asked.lists {
        included.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let (began, count) = (Instant::now(), included.len());
    println!("\nrunning {count} test{}", if count == 1 { "" } else { "s" });
    let mut failed = Vec::new();
    for (name, test) in included {
        let passes = catch_unwind(test).is_ok();
        println!("test {name} ... {}", if passes { "ok" } else { "FAILED" });
        if !passes {
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        println!("\nfailures:");
        failed.iter().for_each(|name| println!("    {name}"));
    }
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out; finished in {:.2}s\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        count - failed.len(),
        failed.len(),
        left_out.len(),
        began.elapsed().as_secs_f64()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(101) }
}
