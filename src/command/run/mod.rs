//! Top floor, the command: `run`. Imports [`run`](mod@crate::run), [`check`](crate::check) and
//! [`report`](crate::report).

mod place;
mod predicate;
mod race;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::case::{DbCase, FsCase};
use crate::check::{
    Bound, Checker, Engine, Examination, FaultKind, Limits, PropertyKind, Report, System, Trace,
    Verdict, quietly,
};
use crate::db::split;
use crate::direct::Machine;
use crate::report::{count, diagram, json, mermaid::mermaid};
use crate::run::{self, Outside, ProgramCode};

use super::arguments::{Run, Shape};
use super::execution::{self, HEAD};
use super::out::{Bar, Out, note};
use super::{AsItShould, Failure};
use race::{Race, Told, World};

pub(super) fn run(asked: &Run) -> Result<AsItShould, Failure> {
    let races = race::races(asked)?;
    let _place = place::make()?;
    // The programs' own umask counts, and no other, where a schedule is replayed.
    rustix::process::umask(rustix::fs::Mode::empty());
    let mut out = Out::new();
    let mut all_is_well = true;
    for (index, race) in races.iter().enumerate() {
        if let (Some(name), Shape::Text) = (&race.name, asked.format) {
            let before = if index > 0 { "\n" } else { "" };
            out.line(&format!("{before}{HEAD}{name}{HEAD:#}"))?;
        }
        all_is_well &= one(&mut out, asked, race)?;
    }
    Ok(AsItShould::be_if(all_is_well))
}

/// A race that was explored.
struct Explored {
    examination: Examination,
    world: World,
    told: Told,
    outside: Outside,
    speed: String,
}

/// Checks one race; whether it came out as it should.
fn one(out: &mut Out, asked: &Run, race: &Race) -> Result<bool, Failure> {
    let world = race.world()?;
    for path in race.files_left_out(&world.files) {
        note(&format!(
            "`{0}` is a file here, and not in the world: the program finds it by `$PWD/{0}` only",
            path.display()
        ));
    }
    let explored = explored(race, world)?;
    let examination = &explored.examination;
    match asked.format {
        Shape::Json => {
            if let Some(name) = &race.name {
                out.line(&serde_json::json!({ "race": name }).to_string())?;
            }
            out.say(&json::examination(examination)?)?;
        }
        Shape::Mermaid => pictures(out, examination)?,
        Shape::Text => tell(out, &explored)?,
    }
    let mut is_well = as_expected(race, examination);
    if asked.format == Shape::Text && !race.breaks.is_empty() {
        let told = if is_well { "as the file says" } else { "the file says otherwise" };
        out.line(&format!("{told}: {} breaks", race.breaks.join(", ")))?;
    }
    if asked.kernel && unfinished(&explored.examination).is_none() {
        is_well &= searched(out, asked, race, &explored)?;
    }
    if asked.replay {
        is_well &= replayed(out, asked, race, &explored)?;
    }
    Ok(is_well)
}

/// How long a proof for any number is sought where there is a database.
const ANY: Duration = Duration::from_secs(5);

/// Why nothing is decided with a clock where a sleep lasts until something changes.
const POLLS: &str = "A program sleeps again and again until a file changes: with `--clock`, each of these sleeps \
                     leads to a later time, and not all of them are explored. Give it fewer tries";

/// Takes back what is only true as long as no later time comes.
fn decide_no_times(report: &mut Report) {
    for finding in &mut report.findings {
        let is_shown = match &finding.verdict {
            Verdict::Holds(_) => finding.kind == PropertyKind::Reachable,
            Verdict::Violated(_) => finding.kind != PropertyKind::Reachable,
            Verdict::Unfinished(_) => true,
        };
        if !is_shown {
            finding.verdict = Verdict::Unfinished(Bound::Sleeps);
        }
    }
    report.bound.get_or_insert(Bound::Sleeps);
}

/// Explores it with clients that are alike, and if they are not, with clients that are told apart.
fn explored(race: &Race, world: World) -> Result<Explored, Failure> {
    let outside = race.outside();
    let limits = Limits { time: race.limit.or(Limits::default().time), ..Limits::default() };
    let (runs, started) = (run::runs(), Instant::now());
    let bar = Bar::spinner("runs the programs in every interleaving");
    let examine = |told: Told| -> Result<Examination, Failure> {
        let system = race.system(&world, told, &outside)?;
        let system = if race.tables().is_some() { on_a_machine(system) } else { system };
        let checker = Checker::new(system).within(limits.clone());
        let checker = if race.tables().is_some() { checker.asking_any_for(ANY) } else { checker };
        // A script that cannot be run ends it by a panic.
        let examined = catch_unwind(AssertUnwindSafe(|| quietly(|| checker.examine())));
        examined.map_err(|why| {
            let why = why.downcast_ref::<String>().cloned();
            Failure::Usage(why.unwrap_or_else(|| "the check failed".to_owned()))
        })
    };
    let (mut told, mut examination) = (Told::Alike, examine(Told::Alike)?);
    if unfinished(&examination).is_some_and(|why| why.contains("not deterministic")) {
        told = Told::Apart;
        examination = Examination { clients: race.clients, ..examine(Told::Apart)? };
        if unfinished(&examination).is_none() {
            examination.notes.push(
                "What a client does depends on its process number, on random bytes or on the like: the clients \
                 were told apart"
                    .to_owned(),
            );
        }
    }
    for shown in &mut examination.shown {
        if let Ok(trace) = &mut shown.trace {
            relabel(race, trace);
        }
    }
    if outside.asked_time() && !race.clock {
        examination.notes.push(
            "A program asked what time it is. Time passes for it while it sleeps itself, and at no other moment: \
             what depends on the age of a file, or on when others act, is not explored. With `--clock`, time passes \
             for all while one sleeps"
                .to_owned(),
        );
    }
    if outside.polled() && race.clock {
        examination.reports.iter_mut().for_each(decide_no_times);
        examination.notes.push(POLLS.to_owned());
    }
    for vacuous in &mut examination.vacuous {
        *vacuous = vacuous.replace(
            "`System::ends_well` says which outputs are good.",
            "One that ends with status 0 ends well. With `--reachable`, it is for you to say what is to be reached.",
        );
    }
    if let Some(why) = unfinished(&examination) {
        // Whatever else was found: a program that does this was not explored to its end.
        for report in &mut examination.reports {
            report.findings.retain(|finding| FaultKind::of(&finding.property).is_none());
        }
        examination.notes = vec![format!("unfinished: {why}")];
    }
    bar.clear();
    let (runs, time) = (run::runs() - runs, started.elapsed());
    let rate = runs as f64 / time.as_secs_f64().max(1e-9);
    let mut speed =
        format!("{} in {:.1} s: {rate:.0} a second", count(runs, "run"), time.as_secs_f64());
    if let Some(states) = examination.reports.first().and_then(|graph| graph.states) {
        let _ = write!(speed, ", {:.1} states a run", states as f64 / runs.max(1) as f64);
    }
    Ok(Explored { examination, world, told, outside, speed })
}

/// The same system, which tells who waits for whom in the database.
fn on_a_machine(system: System<World, ProgramCode>) -> System<World, ProgramCode> {
    system
        .waits_for(|world: &World, one, other| one.waits_for(other, &world.database))
        .breaks_deadlocks(|world: &World| Machine {
            files: world.files.clone(),
            database: world.database.patient(),
        })
}

/// Whether what is to break does, and nothing else.
fn as_expected(race: &Race, examination: &Examination) -> bool {
    if unfinished(examination).is_some() {
        return false;
    }
    if race.breaks.is_empty() {
        return examination.is_proof();
    }
    let Some(graph) = examination.reports.first() else { return false };
    let is_as_expected = graph.findings.iter().all(|finding| {
        let breaks = race.breaks.contains(&finding.property);
        match finding.verdict {
            Verdict::Violated(_) => breaks,
            Verdict::Holds(_) => !breaks,
            Verdict::Unfinished(_) => false,
        }
    });
    is_as_expected && examination.disagreements.is_empty()
}

fn tell(out: &mut Out, explored: &Explored) -> Result<(), Failure> {
    let examination = &explored.examination;
    match unfinished(examination) {
        Some(why) => {
            out.wrapped(&format!("? unfinished: {why}"))?;
            // How it comes there, if that is more than its first call.
            if let Some(Ok(trace)) = examination.shown.first().map(|shown| &shown.trace)
                && trace.steps.len() > 1
            {
                let mut trace = trace.clone();
                if let Some(last) = trace.steps.last_mut() {
                    last.output = last.output.as_deref().map(plain);
                }
                out.line("")?;
                out.say(&diagram::diagram(&trace))?;
            }
        }
        None => out.say(&examination.to_string())?,
    }
    out.line("")?;
    out.line(&explored.speed)?;
    let is_alone = examination.reports.iter().all(|it| it.engine != Engine::Loom);
    if is_alone && examination.reports.first().is_some_and(Report::exhaustive) {
        out.wrapped(
            "the graph judged alone: loom and shuttle take every path again, and are asked where there are at most \
             1,000 steps",
        )?;
    }
    let outside = explored.outside.paths();
    if !outside.is_empty() {
        let paths: Vec<String> = outside.iter().map(|path| path.display().to_string()).collect();
        let told = format!(
            "changed outside of the world, at each run (`--strict` refuses that): {}",
            paths.join(", ")
        );
        out.wrapped(&told)?;
    }
    Ok(())
}

/// Why it could not be checked, if a program did something that cannot be.
fn unfinished(examination: &Examination) -> Option<String> {
    let fault = |shown: &&crate::check::Shown| {
        shown.properties.iter().any(|property| FaultKind::of(property).is_some())
    };
    let shown = examination.shown.iter().find(fault)?;
    Some(match &shown.trace {
        Ok(trace) => {
            let last = trace.steps.last().and_then(|step| step.output.clone());
            let said = last.unwrap_or_default();
            plain(said.strip_prefix("panicked: ").unwrap_or(&said))
        }
        Err(error) => error.to_string(),
    })
}

/// Says what is chosen in a step: whether somebody is killed, or whose call is first of those of one program.
fn relabel(race: &Race, trace: &mut Trace) {
    for step in &mut trace.steps {
        let chosen = step.label.strip_prefix("choose(").and_then(|rest| rest.split_once(") = "));
        let Some((ways, way)) = chosen.and_then(|(ways, way)| {
            Some((ways.parse::<usize>().ok()?, way.parse::<usize>().ok()?))
        }) else {
            continue;
        };
        let is_killed = step.output.as_deref().is_some_and(|output| output.starts_with("signal 9"));
        step.label = match (race.has_killed(), is_killed) {
            (true, true) => "is killed".to_owned(),
            (true, false) => "goes on".to_owned(),
            (false, _) => format!("of its {ways} processes, number {} is first", way + 1),
        };
    }
}

/// What a check says of code, said of a program.
fn plain(said: &str) -> String {
    match said.split_once(". What it asks may depend on") {
        Some((differs, _)) => format!(
            "{differs}. A reason may be an input that changes (a file outside of the world, a pipe), threads of it that \
             work at the same time, or addresses in memory",
        )
        .replace("the code", "the program"),
        None => said.to_owned(),
    }
}

fn pictures(out: &mut Out, examination: &Examination) -> Result<(), Failure> {
    for shown in &examination.shown {
        if let Ok(trace) = &shown.trace {
            out.say(&mermaid(trace, "the file system", &shown.properties.join(", ")))?;
        }
    }
    Ok(())
}

/// Explores on the kernel itself; whether its outcomes are those of the simulation.
fn searched(out: &mut Out, asked: &Run, race: &Race, explored: &Explored) -> Result<bool, Failure> {
    if race.tables().is_some() {
        out.wrapped("`--kernel` explores files: it says nothing of a database")?;
        return Ok(true);
    }
    let system = race.system(&explored.world.files, explored.told, &explored.outside)?;
    let bar =
        Bar::spinner("runs the programs on the kernel, in every order that may make a difference");
    let limit = race.limit.or(Limits::default().time).unwrap_or(Duration::MAX);
    let case = FsCase::programs(system);
    // What a program does here that it did not do in the simulation ends it by a panic.
    let search = catch_unwind(AssertUnwindSafe(|| quietly(|| case.search(limit))));
    bar.clear();
    let search = match search {
        Ok(search) => search?,
        Err(why) => {
            let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
            out.wrapped(&format!("on the kernel: unfinished: {}", plain(&why)))?;
            return Ok(false);
        }
    };
    match asked.format {
        Shape::Text => out.wrapped(&search.to_string())?,
        Shape::Json => out.line(&json::search(&search)?)?,
        Shape::Mermaid => {}
    }
    Ok(search.agrees())
}

/// Makes each counterexample happen on the kernel; whether all of them did.
fn replayed(out: &mut Out, asked: &Run, race: &Race, explored: &Explored) -> Result<bool, Failure> {
    if let Some(tables) = race.tables() {
        let system =
            on_a_machine(race.system(&explored.world, explored.told, &explored.outside)?);
        let setup = split(tables).map_err(|error| Failure::Usage(error.words().to_owned()))?;
        let setup = setup.into_iter().map(str::to_owned).collect();
        let case = DbCase::programs(system, setup);
        let examination = &explored.examination;
        return execution::replayed(out, asked.format, &case, examination, "PostgreSQL", |trace| {
            relabel(race, trace)
        });
    }
    let system = race.system(&explored.world.files, explored.told, &explored.outside)?;
    let case = FsCase::programs(system);
    let examination = &explored.examination;
    execution::replayed(out, asked.format, &case, examination, "the kernel", |trace| {
        relabel(race, trace)
    })
}
