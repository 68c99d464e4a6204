//! Top floor, the command: its arguments. Imports [`check`](crate::check) and [`db`](crate::db).

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::check::Schedule;
use crate::db::Isolation;
use crate::survey::Share;

/// Proves check-then-act code exactly-once, or shows the interleaving that breaks it.
///
/// Without a command, it checks the whole catalogue on every engine. It then replays each
/// counterexample in the real world: the kernel's file system, SQLite, PostgreSQL, sockets on
/// loopback.
///
/// Exit status 0: every verdict is as recorded, the engines agree, and the real world does as the
/// simulation. Exit status 1: that is not so, or every system is too large for a quick answer, or
/// `replay` can replay nothing of what it was given on this machine. Exit status 2: bad usage.
#[derive(Debug, Parser)]
#[command(name = "toctou", version, max_term_width = 100)]
pub(super) struct Arguments {
    /// Print every table and every counterexample. Also run each system of files and sockets
    /// freely, to see how often chance finds the counterexample
    #[arg(long, short, global = true)]
    pub(super) verbose: bool,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run systems through the engines and print the table of verdicts
    Check(Check),
    /// Show the shortest counterexample as columns; for a proof, show what can be reached
    Show(Show),
    /// Make a counterexample happen for real: on threads, in database sessions, on loopback sockets
    Replay(Replay),
    /// Check programs as they are, in any language: prove their race fixed, or show how it breaks
    Run(Run),
    /// Check scripts of SQL for PostgreSQL: prove their race fixed, or show how it breaks
    Sql(Sql),
    /// Join the rows of several machines into one table
    Merge(Merge),
    /// Write what was found as one HTML page, in which each system can be explored
    Report(Report),
    /// List models, their variants, scenarios and properties
    List,
}

/// Which systems.
#[derive(Debug, clap::Args)]
pub(super) struct Systems {
    /// Models, or single variants of them [default: all]
    #[arg(value_name = "MODEL[/VARIANT]")]
    pub(super) targets: Vec<String>,
    /// Only in this scenario; `power` is every `power-…`
    #[arg(long)]
    pub(super) scenario: Option<String>,
    /// With this many clients [default: 1, 2, 3, 4, and 8 on the graph]
    #[arg(long, value_name = "N", value_parser = number, conflicts_with_all = ["actions", "threads"])]
    pub(super) clients: Option<usize>,
    /// For models sized by an attacker's actions: with every script of up to N actions, at most 4
    /// [default: 3]
    #[arg(long, value_name = "N", value_parser = number, conflicts_with = "threads")]
    pub(super) actions: Option<usize>,
    /// For models whose code under test is threads: with up to N threads, at most 4 [default: 3]
    #[arg(long, value_name = "N", value_parser = number)]
    pub(super) threads: Option<usize>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) systems: Systems,
    /// At this isolation level, for models that have variants at several levels
    #[arg(long, value_name = "LEVEL")]
    pub(super) level: Option<String>,
    /// graph, any, loom, shuttle or all, with no limit on time [default: all, within seconds]
    #[arg(long, value_name = "ENGINE")]
    pub(super) engine: Option<String>,
    /// Record the verdicts found: write FOLDER/MODEL/verdicts.txt and print what changed
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["engine", "format"])]
    pub(super) bless: Option<PathBuf>,
    /// Check only this share of the systems: 1/2 is the first of two. `toctou merge` joins the JSON
    /// of all shares
    #[arg(long, value_name = "K/N", default_value_t = Share::ALL, hide_default_value = true)]
    pub(super) partition: Share,
    /// Output format
    #[arg(long, value_enum, default_value_t = Rows::Table)]
    pub(super) format: Rows,
}

/// Check programs as they are, in any language: prove their race fixed, or show how it breaks.
///
/// Each program begins in a directory that is simulated: `/world`. All system calls on it are answered by
/// the simulation, so every order of them is explored. Nothing happens to files of yours, unless a program
/// writes outside of that directory.
#[derive(Debug, clap::Args)]
#[command(after_long_help = PREDICATES)]
pub(super) struct Run {
    /// Only these races of the file [default: all]
    #[arg(value_name = "RACE")]
    pub(super) races: Vec<String>,
    /// Races to check, each a table [default: race.toml, if no program is named]
    #[arg(long, value_name = "FILE.toml")]
    pub(super) file: Option<PathBuf>,
    /// How many clients run the first program [default: 2]
    #[arg(long, value_name = "N", value_parser = number)]
    pub(super) clients: Option<usize>,
    /// A shell script that makes the files to begin with, in an empty directory
    #[arg(long, value_name = "SCRIPT", conflicts_with_all = ["world", "file"])]
    pub(super) setup: Option<String>,
    /// A directory with the files to begin with. It is read, and never changed
    #[arg(long, value_name = "DIR", conflicts_with = "file")]
    pub(super) world: Option<PathBuf>,
    /// The tables of a PostgreSQL database that the programs use: a file of SQL, or SQL itself. It is
    /// simulated; the programs find it by DATABASE_URL, PGHOST and so on
    #[arg(long, value_name = "SQL", conflicts_with = "file")]
    pub(super) database: Option<String>,
    /// At no time do more than K actors end so
    #[arg(long, num_args = 2, value_names = ["K", "PREDICATE"], conflicts_with = "file")]
    pub(super) at_most: Vec<String>,
    /// It is true in every state
    #[arg(long, value_name = "PREDICATE", conflicts_with = "file")]
    pub(super) always: Vec<String>,
    /// It is true whenever all actors have ended
    #[arg(long, value_name = "PREDICATE", conflicts_with = "file")]
    pub(super) finally: Vec<String>,
    /// It is true in some state: a proof is not empty
    #[arg(long, value_name = "PREDICATE", conflicts_with = "file")]
    pub(super) reachable: Vec<String>,
    /// So many of the clients may be killed (SIGKILL) before any of their calls
    #[arg(long, value_name = "N", value_parser = number, conflicts_with = "file")]
    pub(super) kill: Option<usize>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Shape::Text)]
    pub(super) format: Shape,
    /// Make each counterexample happen on the kernel's file system, call by call
    #[arg(long)]
    pub(super) replay: bool,
    /// Also explore all orders of the calls on the kernel's file system itself, and compare the outcomes
    #[arg(long)]
    pub(super) kernel: bool,
    /// Refuse programs that write outside of their directory, instead of listing what they wrote
    #[arg(long, conflicts_with = "file")]
    pub(super) strict: bool,
    /// Let time pass for all programs, and for the ages of files, while one of them sleeps. A further
    /// actor `:: sleep 3600` lets an hour pass at any moment
    #[arg(long, conflicts_with = "file")]
    pub(super) clock: bool,
    /// How long one run of a program may take [default: 10]
    #[arg(long, value_name = "SECONDS", conflicts_with = "file")]
    pub(super) patience: Option<u64>,
    /// How long each engine may explore [default: 60]
    #[arg(long, value_name = "SECONDS", conflicts_with = "file")]
    pub(super) time_limit: Option<u64>,
    /// The program that the clients run. Each further one, after `::`, is an actor of its own
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<std::ffi::OsString>,
}

/// How the predicates of `run` are written.
const PREDICATES: &str = "\
Predicates:
  stdout ~ REGEX    stdout = TEXT      what an actor printed (also stderr; also !~ and !=)
  exit = 0          signal = 9         how it ended (also !=)
  exists PATH       content PATH = TEXT    content PATH ~ REGEX    a file of the world
  not P   P and Q   P or Q   ( P )     put together
  every P           some P             of all actors that have ended, or of one of them
  sh: SCRIPT                           a shell script in a copy of the files: true if it ends with 0
  row: QUERY        no row: QUERY      whether the database answers a row
A text with blanks stands in quotes. A line feed at the end of a text does not count.

Examples:
  toctou run --at-most 1 'stdout ~ got' -- sh -c '[ -e lock ] || { : > lock; echo got; }'
  toctou run --setup 'echo 0 > n' --finally 'content n = 2' -- python3 $PWD/count.py
  toctou run --at-most 1 'stdout ~ got' -- sh -c 'mkdir lock && echo got' :: sh -c 'rmdir lock'

Exit status 0: every property holds. Exit status 1: one breaks, or is not decided. Exit status 2: bad usage.";

/// Check scripts of SQL for PostgreSQL: prove their race fixed, or show how it breaks.
///
/// The file says which tables there are, what each session does, and what must not happen. Every order of
/// the statements is explored in a database that is simulated. Nothing else is needed, no server either.
#[derive(Debug, clap::Args)]
#[command(after_long_help = SCRIPTS)]
pub(super) struct Sql {
    /// The sessions and what is claimed of them; PostgreSQL's isolation tests (`.spec`) are read as well
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// How many sessions run each block that has a number [default: the file's]
    #[arg(long, value_name = "N", value_parser = sessions)]
    pub(super) clients: Option<usize>,
    /// At which level a BEGIN runs that names none [default: read-committed]
    #[arg(long, value_enum, value_name = "LEVEL", conflicts_with = "levels")]
    pub(super) isolation: Option<Level>,
    /// At all three levels: a table, levels down and properties across
    #[arg(long)]
    pub(super) levels: bool,
    /// Make each counterexample happen on PostgreSQL, statement by statement, and compare the answers
    #[arg(long, conflicts_with = "levels")]
    pub(super) replay: bool,
    /// Replay in this database, in a new schema of its own [default: a server that is started for it]
    #[arg(long, value_name = "URL", requires = "replay")]
    pub(super) database: Option<String>,
    /// Output format
    #[arg(long, value_enum, default_value_t = Shape::Text)]
    pub(super) format: Shape,
    /// How long each engine may explore [default: 60]
    #[arg(long, value_name = "SECONDS")]
    pub(super) time_limit: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Level {
    /// READ COMMITTED, PostgreSQL's default
    ReadCommitted,
    /// REPEATABLE READ
    RepeatableRead,
    /// SERIALIZABLE
    Serializable,
}

impl From<Level> for Isolation {
    fn from(level: Level) -> Self {
        match level {
            Level::ReadCommitted => Isolation::ReadCommitted,
            Level::RepeatableRead => Isolation::RepeatableRead,
            Level::Serializable => Isolation::Serializable,
        }
    }
}

fn sessions(text: &str) -> Result<usize, String> {
    match number(text)? {
        0 => Err("there has to be a session".to_owned()),
        number => Ok(number),
    }
}

/// How the files of `sql` are written.
const SCRIPTS: &str = "\
Example:
  setup { CREATE TABLE coupons (id INT PRIMARY KEY, used INT NOT NULL);
          INSERT INTO coupons VALUES (1, 0); }
  session redeem * 2 {
    BEGIN;
    SELECT used = 0 AS free FROM coupons WHERE id = 1 \\gset
    \\if :free
      UPDATE coupons SET used = used + 1 WHERE id = 1;
    \\endif
    COMMIT;
  }
  never: SELECT * FROM coupons WHERE used > 1

Properties, each a query over what is committed:
  never: QUERY            it answers no row in any state
  always: QUERY           it answers a row in every state
  finally: QUERY          it answers a row whenever all sessions have ended
  finally never: QUERY    it answers no row then
  reachable: QUERY        it answers a row in some state: a proof is not empty

Exit status 0: every property holds. Exit status 1: one breaks, is not decided, or was never put to the
test. Exit status 2: bad usage, an error in the file, or SQL that is not simulated.";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Shape {
    /// For people: verdicts, the shortest counterexample as columns, all ends
    Text,
    /// One JSON object a line for each engine and property
    Json,
    /// Each counterexample as a Mermaid sequence diagram
    Mermaid,
}

#[derive(Debug, clap::Args)]
pub(super) struct Merge {
    /// Output of `check --partition K/N --format json`: one file for each share
    #[arg(value_name = "ROWS", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Also write all of it as one HTML page
    #[arg(long, value_name = "FILE.html")]
    pub(super) report: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Rows {
    /// Variants down, properties across
    Table,
    /// One JSON object a line for each engine and property
    Json,
}

#[derive(Debug, clap::Args)]
pub(super) struct What {
    /// The variant
    #[arg(value_name = "MODEL/VARIANT")]
    pub(super) target: String,
    /// Only in this scenario; `power` is every `power-…` [default: for each property, the first that shows it]
    #[arg(long)]
    pub(super) scenario: Option<String>,
    /// At this isolation level, for models that have variants at several levels
    #[arg(long, value_name = "LEVEL")]
    pub(super) level: Option<String>,
    /// Only this property [default: each that is violated]
    #[arg(long)]
    pub(super) property: Option<String>,
    /// With this many clients [default: the fewest that show it]
    #[arg(long, value_name = "N", value_parser = number, conflicts_with_all = ["actions", "threads"])]
    pub(super) clients: Option<usize>,
    /// For models sized by an attacker's actions: with every script of up to N actions, at most 4
    /// [default: the fewest that show it]
    #[arg(long, value_name = "N", value_parser = number, conflicts_with = "threads")]
    pub(super) actions: Option<usize>,
    /// For models whose code under test is threads: with N threads, at most 4 [default: the fewest
    /// that show it]
    #[arg(long, value_name = "N", value_parser = number)]
    pub(super) threads: Option<usize>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    pub(super) what: What,
    /// Output format
    #[arg(long, value_enum, default_value_t = Picture::Text)]
    pub(super) format: Picture,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Picture {
    /// Columns, one for each actor
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
    /// Replay this schedule: which actor steps, in order. After its last step, each actor runs to
    /// its end. The scenario is the first one unless given, with 2 clients or another small size
    /// that is enough [default: the shortest found]
    #[arg(long, value_name = "[0, 1, …]")]
    pub(super) schedule: Option<Schedule>,
    /// How many rounds to let the actors run freely. Each round is judged by its end
    #[arg(long, value_name = "ROUNDS", default_value_t = 500)]
    pub(super) stress: usize,
}

#[derive(Debug, clap::Args)]
pub(super) struct Report {
    /// The file to write, such as report.html. It replaces a file that is there
    #[arg(value_name = "FILE.html")]
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) systems: Systems,
}

fn number(text: &str) -> Result<usize, &'static str> {
    text.parse().map_err(|_| "not a number")
}
