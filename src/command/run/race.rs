//! Top floor, the command: what `run` is asked to check, by its arguments or by a file. Imports
//! [`check`](crate::check), [`fs`](crate::fs) and [`run`](mod@crate::run).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Shell, Stdio};
use std::time::Duration;

use serde::Deserialize;

use super::predicate::{AtMost, BadPredicate, Looked, Predicate, Programs};
use crate::Process;
use crate::check::{DEADLOCK_FREE, Property, PropertyKind, System};
use crate::command::Failure;
use crate::command::arguments::Run;
use crate::db::SimDb;
use crate::direct::Machine;
use crate::fs::{Clock, SimFs};
use crate::run::{self, Command, Ended, Outside, ProgramCode};

/// The file that is read where no program is named.
const FILE: &str = "race.toml";

/// The numbers of processes that are told apart. Number 1 is everybody's.
const FIRST_APART: u32 = 2;

/// The files and the database that programs share. Without a database, there are no tables in it.
pub(super) type World = Machine<SimFs, SimDb>;

/// Programs that race, and what is claimed of them.
#[derive(Debug)]
pub(super) struct Race {
    /// Its name in the file.
    pub(super) name: Option<String>,
    pub(super) clients: usize,
    files: Files,
    /// The tables that the programs begin with, and the text that makes them.
    database: Option<(SimDb, String)>,
    /// What the clients run.
    client: Vec<OsString>,
    /// The others, by name.
    others: Vec<(String, Vec<OsString>)>,
    claims: Vec<Claim>,
    /// How many of the clients may be killed.
    killed: usize,
    patience: Option<Duration>,
    pub(super) limit: Option<Duration>,
    strict: bool,
    /// Whether time passes for all while one sleeps.
    pub(super) clock: bool,
    /// The properties that are to break, by name; what is asked on a command line is to hold.
    pub(super) breaks: Vec<String>,
    /// What paths in the file start from.
    folder: PathBuf,
}

/// The files that the programs begin with.
#[derive(Debug)]
enum Files {
    Empty,
    Of(PathBuf),
    Made(String),
}

#[derive(Clone, Debug)]
struct Claim {
    name: String,
    is: Claimed,
}

#[derive(Clone, Debug)]
enum Claimed {
    AtMost(AtMost),
    State(PropertyKind, Predicate),
}

/// Whether the clients know their process numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// All are alike.
    Alike,
    /// Each has numbers, random bytes and names of its own.
    Apart,
}

/// One race of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Table {
    run: Words,
    #[serde(default)]
    others: BTreeMap<String, Words>,
    clients: Option<usize>,
    setup: Option<String>,
    world: Option<PathBuf>,
    database: Option<String>,
    #[serde(default)]
    at_most: Texts,
    #[serde(default)]
    always: Texts,
    #[serde(default)]
    finally: Texts,
    #[serde(default)]
    reachable: Texts,
    #[serde(default)]
    kill: usize,
    patience: Option<u64>,
    time_limit: Option<u64>,
    #[serde(default)]
    strict: bool,
    #[serde(default)]
    clock: bool,
    #[serde(default)]
    breaks: Texts,
}

/// A shell script, or a program and its arguments.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Words {
    Script(String),
    Program(Vec<String>),
}

impl Words {
    fn words(self) -> Vec<OsString> {
        match self {
            Words::Script(script) => ["sh", "-c", &script].map(OsString::from).into(),
            Words::Program(words) => words.into_iter().map(OsString::from).collect(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum Texts {
    #[default]
    None,
    One(String),
    Several(Vec<String>),
}

impl Texts {
    fn texts(self) -> Vec<String> {
        match self {
            Texts::None => Vec::new(),
            Texts::One(text) => vec![text],
            Texts::Several(texts) => texts,
        }
    }
}

/// What is asked: one race of arguments, or those of a file.
pub(super) fn races(asked: &Run) -> Result<Vec<Race>, Failure> {
    if asked.command.is_empty() {
        return of_file(asked);
    }
    if let Some(name) = asked.races.first() {
        return Err(Failure::Usage(format!(
            "`{name}` stands before `--`: what comes before it are races of a file, and here a program is named"
        )));
    }
    if asked.file.is_some() {
        let why = "give a file or a program, not both: a file says itself what to run";
        return Err(Failure::Usage(why.to_owned()));
    }
    Ok(vec![of_arguments(asked)?])
}

fn of_arguments(asked: &Run) -> Result<Race, Failure> {
    let mut commands = asked.command.split(|word| word == "::").map(<[OsString]>::to_vec);
    let client = commands.next().unwrap_or_default();
    let mut others: Vec<(String, Vec<OsString>)> = Vec::new();
    for words in commands {
        let named = words.first().map(|word| Path::new(word).file_name().unwrap_or(word));
        let name = named.unwrap_or_default().to_string_lossy().into_owned();
        let so_far = others.iter().filter(|(known, _)| known.split(' ').next() == Some(&name));
        let name = match so_far.count() {
            0 => name,
            before => format!("{name} {}", before + 1),
        };
        others.push((name, words));
    }
    let counted: Vec<String> = asked.at_most.chunks(2).map(|pair| pair.join(" ")).collect();
    let claims = claims(&counted, [&asked.always, &asked.finally, &asked.reachable])?;
    let files = match (&asked.world, &asked.setup) {
        (Some(world), _) => Files::Of(world.clone()),
        (None, Some(script)) => Files::Made(script.clone()),
        (None, None) => Files::Empty,
    };
    let database = asked.database.as_deref().map(|it| database(it, Path::new("."))).transpose()?;
    Race {
        name: None,
        clients: asked.clients.unwrap_or(2),
        files,
        database,
        client,
        others,
        claims,
        killed: asked.kill.unwrap_or(0),
        patience: asked.patience.map(Duration::from_secs),
        limit: asked.time_limit.map(Duration::from_secs),
        strict: asked.strict,
        clock: asked.clock,
        breaks: Vec::new(),
        folder: PathBuf::from("."),
    }
    .checked()
}

fn of_file(asked: &Run) -> Result<Vec<Race>, Failure> {
    let path = asked.file.clone().unwrap_or_else(|| FILE.into());
    let text = match fs::read_to_string(&path) {
        Err(error) if asked.file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Failure::Usage(format!(
                "say what to run, as in `toctou run --at-most 1 'stdout ~ got' -- ./claim.sh`, or write it \
                 into {FILE}"
            )));
        }
        read => read.map_err(|error| Failure::Read(path.clone(), error))?,
    };
    let bad = |why: String| Failure::Usage(format!("{}: {why}", path.display()));
    let tables: BTreeMap<String, Table> =
        toml::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let known: Vec<&str> = tables.keys().map(String::as_str).collect();
    if let Some(unknown) = asked.races.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(bad(format!(
            "there is no race `{unknown}` in it; it has {}",
            known.join(", ")
        )));
    }
    if tables.is_empty() {
        return Err(bad("there is no race in it: a table such as `[lock]`, with `run`".to_owned()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let asked_for = |name: &String| asked.races.is_empty() || asked.races.contains(name);
    let tables = tables.into_iter().filter(|(name, _)| asked_for(name));
    let races = tables.map(|(name, table)| {
        let race = of_table(name.clone(), table, folder);
        race.map_err(|failure| bad(format!("[{name}]: {failure}")))
    });
    races.collect()
}

fn of_table(name: String, table: Table, folder: &Path) -> Result<Race, Failure> {
    let of_states = [table.always, table.finally, table.reachable].map(Texts::texts);
    let claims = claims(&table.at_most.texts(), of_states.each_ref())?;
    let files = match (table.world, table.setup) {
        (Some(_), Some(_)) => {
            return Err(Failure::Usage("it has `world` and `setup`: give one of them".to_owned()));
        }
        (Some(world), None) => Files::Of(folder.join(world)),
        (None, Some(script)) => Files::Made(script),
        (None, None) => Files::Empty,
    };
    let database = table.database.as_deref().map(|it| database(it, folder)).transpose()?;
    Race {
        name: Some(name),
        clients: table.clients.unwrap_or(2),
        files,
        database,
        client: table.run.words(),
        others: table.others.into_iter().map(|(name, words)| (name, words.words())).collect(),
        claims,
        killed: table.kill,
        patience: table.patience.map(Duration::from_secs),
        limit: table.time_limit.map(Duration::from_secs),
        strict: table.strict,
        clock: table.clock,
        breaks: table.breaks.texts(),
        folder: folder.to_owned(),
    }
    .checked()
}

/// The tables that a text makes, or a file of such text.
fn database(named: &str, folder: &Path) -> Result<(SimDb, String), Failure> {
    let is_text = named.contains(';') || named.trim_start().to_lowercase().starts_with("create ");
    let path = folder.join(named);
    let text = match is_text {
        true => named.to_owned(),
        false => fs::read_to_string(&path).map_err(|error| Failure::Read(path, error))?,
    };
    let made = SimDb::new().with_setup(&text);
    let made = made.map_err(|error| Failure::Usage(format!("the database: {}", error.words())))?;
    Ok((made, text))
}

impl From<BadPredicate> for Failure {
    fn from(bad: BadPredicate) -> Self {
        Failure::Usage(bad.to_string())
    }
}

/// What is claimed of counts; what always, what finally and what is to be reachable.
fn claims(counted: &[String], of_states: [&Vec<String>; 3]) -> Result<Vec<Claim>, BadPredicate> {
    let kinds = [PropertyKind::Always, PropertyKind::Finally, PropertyKind::Reachable];
    let of_states = kinds.into_iter().zip(of_states);
    let of_states = of_states.flat_map(|(kind, texts)| texts.iter().map(move |it| state(kind, it)));
    counted.iter().map(|text| at_most(text)).chain(of_states).collect()
}

fn at_most(text: &str) -> Result<Claim, BadPredicate> {
    let at_most: AtMost = text.parse()?;
    let name = format!("at most {}: {}", at_most.most, at_most.of);
    Ok(Claim { name, is: Claimed::AtMost(at_most) })
}

fn state(kind: PropertyKind, text: &str) -> Result<Claim, BadPredicate> {
    let looked = match kind {
        PropertyKind::Reachable => Looked::BecomesTrue,
        PropertyKind::Always | PropertyKind::Finally => Looked::IsTrue,
    };
    let predicate = text.parse::<Predicate>()?.of_the_system(looked)?;
    Ok(Claim { name: predicate.to_string(), is: Claimed::State(kind, predicate) })
}

impl Race {
    /// The same, if it can be checked.
    fn checked(mut self) -> Result<Race, Failure> {
        let usage = |why: String| Err(Failure::Usage(why));
        if self.client.is_empty() || self.others.iter().any(|(_, words)| words.is_empty()) {
            return usage("there is no program before or after a `::`".to_owned());
        }
        if self.clients + self.others.len() == 0 {
            return usage(
                "there is nobody: with 0 clients, others have to follow after `::`".to_owned(),
            );
        }
        if self.killed > self.clients {
            return usage(format!(
                "{} cannot be killed: there are {}",
                crate::report::count(self.killed, "client"),
                crate::report::count(self.clients, "client")
            ));
        }
        for claim in &self.claims {
            let Claimed::State(_, predicate) = &claim.is else { continue };
            match &self.database {
                Some((tables, _)) => {
                    let asks = predicate.may_ask(tables);
                    asks.map_err(|error| {
                        Failure::Usage(format!("`{predicate}`: {}", error.words()))
                    })?;
                }
                None if predicate.is_of_rows() => {
                    return usage(format!(
                        "`{predicate}` asks a database: give one with `--database`"
                    ));
                }
                None => {}
            }
        }
        let kind = |claim: &Claim| match &claim.is {
            Claimed::AtMost(_) => PropertyKind::Always,
            Claimed::State(kind, _) => *kind,
        };
        let first: Vec<(String, PropertyKind)> =
            self.claims.iter().map(|claim| (claim.name.clone(), kind(claim))).collect();
        for (index, claim) in self.claims.iter_mut().enumerate() {
            let of_another_kind = |(name, other): &(String, PropertyKind)| {
                *name == claim.name && *other != kind(claim)
            };
            if first[..index].iter().any(of_another_kind) {
                claim.name = format!("{} ({})", claim.name, kind(claim).word());
            }
        }
        let names: Vec<&str> = self.claims.iter().map(|claim| claim.name.as_str()).collect();
        let twice = |(index, name): &(usize, &&str)| names[..*index].contains(*name);
        if let Some((_, twice)) = names.iter().enumerate().find(twice) {
            return usage(format!("`{twice}` is claimed twice"));
        }
        let is_claimed = |name: &str| name == DEADLOCK_FREE || names.contains(&name);
        if let Some(unknown) = self.breaks.iter().find(|name| !is_claimed(name)) {
            return usage(format!("`{unknown}` is to break, and is not claimed"));
        }
        Ok(self)
    }

    /// What the programs begin with.
    pub(super) fn world(&self) -> Result<World, Failure> {
        let files = self.files()?;
        let files = if self.clock { files.and_clock(Clock::Sleeps) } else { files };
        let database = self.database.as_ref().map(|(tables, _)| tables.clone());
        Ok(Machine { files, database: database.unwrap_or_default() })
    }

    /// The text that makes the tables, if there is a database.
    pub(super) fn tables(&self) -> Option<&str> {
        self.database.as_ref().map(|(_, text)| text.as_str())
    }

    fn files(&self) -> Result<SimFs, Failure> {
        let read = |directory: &Path| {
            run::read(directory).map_err(|error| Failure::Usage(format!("the world: {error}")))
        };
        match &self.files {
            Files::Empty => Ok(run::empty()),
            Files::Of(directory) => read(directory),
            Files::Made(script) => {
                let place = tempfile::Builder::new().prefix("toctou-setup-").tempdir()?;
                let mut shell = Shell::new("/bin/sh");
                let shell = shell.arg("-c").arg(script).current_dir(place.path());
                let shell = shell.env("FOLDER", fs::canonicalize(&self.folder)?);
                // The usual umask, for what people would make by hand.
                let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
                let made = shell.stdin(Stdio::null()).output();
                rustix::process::umask(before);
                let made = made?;
                if !made.status.success() {
                    let said = String::from_utf8_lossy(&made.stderr);
                    let said =
                        said.trim().lines().next_back().unwrap_or("it said nothing").to_owned();
                    return Err(Failure::Usage(format!(
                        "the setup script failed with {}: {said}",
                        made.status
                    )));
                }
                read(place.path())
            }
        }
    }

    fn command(&self, words: &[OsString], outside: &Outside) -> Command {
        let (program, arguments) = words
            .split_first()
            .map_or((OsStr::new(""), words), |(program, rest)| (program.as_os_str(), rest));
        let is_path = program.as_encoded_bytes().contains(&b'/');
        let command = match is_path && self.folder != Path::new(".") {
            true => Command::new(self.folder.join(program)),
            false => Command::new(program),
        };
        let command = arguments.iter().fold(command, |command, word| command.argument(word));
        let command = match std::env::var_os("PATH") {
            Some(path) => command.with_path(path),
            None => command,
        };
        let command = match self.patience {
            Some(patience) => command.with_patience(patience),
            None => command,
        };
        let command = match &self.database {
            Some((tables, _)) => command.with_database(tables),
            None => command,
        };
        command.noting(outside)
    }

    /// Whether some clients may be killed.
    pub(super) fn has_killed(&self) -> bool {
        self.killed > 0
    }

    /// What becomes of writes outside of the world.
    pub(super) fn outside(&self) -> Outside {
        if self.strict { Outside::refused() } else { Outside::default() }
    }

    /// The system in this world.
    pub(super) fn system<W: Programs>(
        &self,
        world: &W,
        told: Told,
        outside: &Outside,
    ) -> Result<System<W, ProgramCode>, Failure>
    where
        ProgramCode: Process<W, Output = Ended>,
    {
        let fails = |error: run::RunError| Failure::Usage(error.to_string());
        let mut system = System::new(world.clone());
        let mut numbers = FIRST_APART..;
        let mut number = || numbers.next().unwrap_or(u32::MAX);
        let client = self.command(&self.client, outside);
        let immortal = client.process().map_err(fails)?;
        let mortal = client.that_may_be_killed().process().map_err(fails)?;
        let alike = self.clients - self.killed;
        let each = |system: System<W, ProgramCode>,
                    count: usize,
                    process: &ProgramCode,
                    number: &mut dyn FnMut() -> u32| {
            (0..count).fold(system, |system, _| {
                let name = format!("client {}", system.actors().len() + 1);
                system.actor(name, process.clone().in_process(number()))
            })
        };
        system = match told {
            Told::Alike if alike > 0 => system.clients(alike, immortal),
            Told::Alike => system,
            Told::Apart => each(system, alike, &immortal, &mut number),
        };
        // So many of them and no more, however many others there are.
        system = each(system, self.killed, &mortal, &mut number);
        for (name, words) in &self.others {
            let process = self.command(words, outside).process().map_err(fails)?;
            system = system.actor(name, process.in_process(number()));
        }
        // What a program may be answered without being wrong.
        for code in ["EBADF", "EFBIG", "EINVAL", "22003", "22012", "22021", "23000"] {
            system = system.expects(code);
        }
        for claim in &self.claims {
            system = system.property(claim.property());
        }
        let says_what_is_reached = self.claims.iter().any(Claim::is_reachable);
        Ok(match says_what_is_reached {
            true => system.ends_well(|_| true),
            false => system.ends_well(Ended::succeeded),
        })
    }

    /// Arguments that name a file here, which is not in the world.
    pub(super) fn files_left_out(&self, world: &SimFs) -> Vec<PathBuf> {
        let tree = world.tree();
        let others = self.others.iter().flat_map(|(_, words)| words.iter().skip(1));
        let words = self.client.iter().skip(1).chain(others).map(PathBuf::from);
        let is_left_out = |path: &PathBuf| {
            path.is_relative() && tree.get(path).is_none() && self.folder.join(path).is_file()
        };
        words.filter(is_left_out).collect()
    }
}

impl Claim {
    fn is_reachable(&self) -> bool {
        matches!(self.is, Claimed::State(PropertyKind::Reachable, _))
    }

    fn property<W: Programs>(&self) -> Property<W, ProgramCode>
    where
        ProgramCode: Process<W, Output = Ended>,
    {
        match self.is.clone() {
            Claimed::AtMost(AtMost { most, of }) => {
                Property::at_most(most, &self.name, move |actor| {
                    actor.output().filter(|ended| of.is_true_of(ended)).map(|_| ())
                })
            }
            Claimed::State(kind, predicate) => {
                Property::on_states(&self.name, kind, move |state| predicate.is_true_in(state))
            }
        }
    }
}
