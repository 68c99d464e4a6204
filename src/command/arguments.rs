//! Top floor, the command: what can be asked. Imports [`check`](crate::check).

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::check::Schedule;
use crate::survey::Share;

/// Proves check-then-act code exactly-once, or shows the interleaving that breaks it.
///
/// Without a command: checks the whole catalogue on every engine, and replays each counterexample in the
/// real world (the kernel's file system, SQLite, PostgreSQL, sockets on loopback).
///
/// Exit status: 0 if every verdict is as recorded, the engines agree and the real world does as the
/// simulation. It is 1 if not, if all that was to be checked is too large for a quick answer, or if
/// nothing of what `replay` was asked for can be replayed here. It is 2 for bad usage.
#[derive(Debug, Parser)]
#[command(name = "toctou", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    /// Print every table and every counterexample. Also run each system of files and sockets freely, to see
    /// how often chance finds its counterexample
    #[arg(long, short)]
    pub(super) verbose: bool,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Put systems before the engines and print the table of verdicts
    Check(Check),
    /// Show the shortest counterexample as columns; for a proof, what can be reached
    Show(Show),
    /// Make a counterexample happen for real: on threads, database sessions, sockets of loopback
    Replay(Replay),
    /// Join the rows of several machines into one table
    Merge(Merge),
    /// Write what was found as one HTML page, in which each system can be explored
    Report(Report),
    /// List models, their variants, scenarios and properties
    List,
}

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// Models, or single variants of them; all if none is named
    #[arg(value_name = "MODEL[/VARIANT]")]
    pub(super) targets: Vec<String>,
    /// Only in this scenario
    #[arg(long)]
    pub(super) scenario: Option<String>,
    /// At this isolation level, of a model whose variants can be had at several
    #[arg(long, value_name = "LEVEL")]
    pub(super) level: Option<String>,
    /// With so many clients [default: 1, 2, 3, 4, and 8 on the graph]
    #[arg(long, value_name = "N", value_parser = number, conflicts_with_all = ["actions", "threads"])]
    pub(super) clients: Option<usize>,
    /// With every script of up to so many actions, at most 4, where a model is sized by what an
    /// attacker does [default: 3]
    #[arg(long, value_name = "N", value_parser = number, conflicts_with = "threads")]
    pub(super) actions: Option<usize>,
    /// With up to so many threads, at most 4, where the code under test is threads itself
    /// [default: 3]
    #[arg(long, value_name = "N", value_parser = number)]
    pub(super) threads: Option<usize>,
    /// graph, any, loom, shuttle or all, however long it takes [default: all, within seconds]
    #[arg(long, value_name = "ENGINE")]
    pub(super) engine: Option<String>,
    /// Record the verdicts that were found: write FOLDER/MODEL/verdicts.txt, and say what changed
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["engine", "format"])]
    pub(super) bless: Option<PathBuf>,
    /// Only this share of the systems: 1/2 is the first of two. `toctou merge` joins the shares' JSON
    #[arg(long, value_name = "K/N", default_value_t = Share::ALL, hide_default_value = true)]
    pub(super) partition: Share,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Rows::Table)]
    pub(super) format: Rows,
}

#[derive(Debug, clap::Args)]
pub(super) struct Merge {
    /// What `check --partition K/N --format json` printed: one file for each share
    #[arg(value_name = "ROWS", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Also write all of it as one HTML page
    #[arg(long, value_name = "FILE.html")]
    pub(super) report: Option<PathBuf>,
    /// Print every table
    #[arg(long, short)]
    pub(super) verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Rows {
    /// Variants down, properties across
    Table,
    /// One object a line for each engine and property
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct What {
    /// The variant
    #[arg(value_name = "MODEL/VARIANT")]
    pub(super) target: String,
    /// Only in this scenario [default: for each property, the first that shows it]
    #[arg(long)]
    pub(super) scenario: Option<String>,
    /// At this isolation level, of a model whose variants can be had at several
    #[arg(long, value_name = "LEVEL")]
    pub(super) level: Option<String>,
    /// Only this property [default: each that is broken]
    #[arg(long)]
    pub(super) property: Option<String>,
    /// With so many clients [default: the fewest that show it]
    #[arg(long, value_name = "N", value_parser = number, conflicts_with_all = ["actions", "threads"])]
    pub(super) clients: Option<usize>,
    /// With every script of up to so many actions of an attacker, at most 4, where that is what a
    /// model is sized by [default: the fewest that show it]
    #[arg(long, value_name = "N", value_parser = number, conflicts_with = "threads")]
    pub(super) actions: Option<usize>,
    /// With so many threads, at most 4, where the code under test is threads itself [default: the
    /// fewest that show it]
    #[arg(long, value_name = "N", value_parser = number)]
    pub(super) threads: Option<usize>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    pub(super) what: What,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Picture::Text)]
    pub(super) format: Picture,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Picture {
    /// Columns, one an actor
    Text,
    /// A Mermaid sequence diagram
    Mermaid,
    /// A picture on white, with text in it
    Svg,
}

#[derive(Debug, clap::Args)]
pub(super) struct Replay {
    #[command(flatten)]
    pub(super) what: What,
    /// This schedule: which actor steps, in order. Where it leaves off, each runs to its end. Unless told, the
    /// scenario is the first, and there are 2 clients or what else is little but enough [default: the
    /// shortest found]
    #[arg(long, value_name = "[0, 1, …]")]
    pub(super) schedule: Option<Schedule>,
    /// How many times to let the actors run freely. What came of it is judged by its end
    #[arg(long, value_name = "ROUNDS", default_value_t = 500)]
    pub(super) stress: usize,
}

#[derive(Debug, clap::Args)]
pub(super) struct Report {
    /// The file to write, such as report.html; one that is there is replaced
    #[arg(value_name = "FILE.html")]
    pub(super) file: PathBuf,
    /// Models, or single variants of them; all if none is named
    #[arg(value_name = "MODEL[/VARIANT]")]
    pub(super) targets: Vec<String>,
    /// Only in this scenario
    #[arg(long)]
    pub(super) scenario: Option<String>,
    /// With so many clients [default: 1, 2, 3, 4, and 8 on the graph]
    #[arg(long, value_name = "N", value_parser = number, conflicts_with_all = ["actions", "threads"])]
    pub(super) clients: Option<usize>,
    /// With every script of up to so many actions, at most 4, where a model is sized by what an
    /// attacker does [default: 3]
    #[arg(long, value_name = "N", value_parser = number, conflicts_with = "threads")]
    pub(super) actions: Option<usize>,
    /// With up to so many threads, at most 4, where the code under test is threads itself
    /// [default: 3]
    #[arg(long, value_name = "N", value_parser = number)]
    pub(super) threads: Option<usize>,
}

fn number(text: &str) -> Result<usize, &'static str> {
    text.parse().map_err(|_| "not a number")
}
