//! Top floor, the command: what `run` is told to look for. Imports [`check`](crate::check),
//! [`fs`](crate::fs) and [`run`](mod@crate::run).

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use regex_lite::Regex;
use winnow::ascii::{dec_int, multispace0};
use winnow::combinator::{
    alt, cut_err, delimited, eof, fail, not, peek, preceded, repeat, terminated,
};
use winnow::error::{ContextError, ErrMode, StrContext, StrContextValue};
use winnow::prelude::*;
use winnow::token::{one_of, rest, take_while};

use crate::Process;
use crate::check::State;
use crate::db::{SimDb, SqlError};
use crate::direct::Machine;
use crate::fs::{SimFs, Tree};
use crate::replay::put_on_disk;
use crate::run::{Ended, ProgramCode};

/// Something that is true or false of an actor that has ended, or of a state of the whole system.
///
/// ```text
/// predicate = all { "or" all }          all   = one { "and" one }
/// one       = "not" one | "(" predicate ")" | "every" one | "some" one | fact
/// fact      = ("stdout" | "stderr") text | "exit" ("=" | "!=") number | "signal" ("=" | "!=") number
///           | "exists" path | "content" path text
/// text      = ("=" | "!=") word | ("~" | "!~") regex
/// ```
///
/// Or `sh:` and a script; or `row:` or `no row:` and a query.
#[derive(Clone, Debug)]
pub(super) struct Predicate {
    text: String,
    is: Is,
}

#[derive(Clone, Debug)]
enum Is {
    Not(Box<Is>),
    And(Box<Is>, Box<Is>),
    Or(Box<Is>, Box<Is>),
    /// Of every actor that has ended.
    Every(Box<Is>),
    /// Of some actor that has ended.
    Some(Box<Is>),
    Stdout(Text),
    Stderr(Text),
    Exit(i32),
    Signal(i32),
    Exists(PathBuf),
    Content(PathBuf, Text),
    Script(Arc<Script>),
    /// Whether the query answers a row, or answers none.
    Row(bool, String),
}

/// What a text has to be. A line feed at its end does not count.
#[derive(Clone, Debug)]
enum Text {
    Same(String),
    Matches(Regex),
}

impl Text {
    fn fits(&self, text: &str) -> bool {
        match self {
            Text::Same(same) => text.trim_end_matches('\n') == same.trim_end_matches('\n'),
            Text::Matches(regex) => regex.is_match(text.trim_end_matches('\n')),
        }
    }
}

/// What a predicate speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Speaks {
    OfOneActor,
    OfTheSystem,
}

/// A world in which programs run.
pub(super) trait Programs: crate::check::Value {
    /// Its files.
    fn files(&self) -> &SimFs;

    /// Its database, if it has one.
    fn database(&self) -> Option<&SimDb>;
}

impl Programs for SimFs {
    fn files(&self) -> &SimFs {
        self
    }

    fn database(&self) -> Option<&SimDb> {
        None
    }
}

impl Programs for Machine<SimFs, SimDb> {
    fn files(&self) -> &SimFs {
        &self.files
    }

    fn database(&self) -> Option<&SimDb> {
        Some(&self.database)
    }
}

/// A predicate that means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadPredicate {
    text: String,
    why: String,
}

impl fmt::Display for BadPredicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.text, self.why)
    }
}

impl std::error::Error for BadPredicate {}

/// When a predicate about the whole system is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// It has to be true: of every actor, where it speaks of one.
    IsTrue,
    /// It has to become true: of some actor, where it speaks of one.
    BecomesTrue,
}

impl Predicate {
    /// The same, if it speaks of one actor.
    pub(super) fn of_an_actor(self) -> Result<Predicate, BadPredicate> {
        match self.is.speaks() {
            Ok(Speaks::OfOneActor) => Ok(self),
            Ok(Speaks::OfTheSystem) => Err(self.bad(
                "it has to speak of one actor, as `stdout ~ got`, `exit = 0` or both joined by `and` do",
            )),
            Err(why) => Err(self.bad(why)),
        }
    }

    /// The same about the whole system.
    pub(super) fn of_the_system(self, looked: Looked) -> Result<Predicate, BadPredicate> {
        let is = match self.is.speaks() {
            Ok(Speaks::OfTheSystem) => self.is,
            Ok(Speaks::OfOneActor) => match looked {
                Looked::IsTrue => Is::Every(Box::new(self.is)),
                Looked::BecomesTrue => Is::Some(Box::new(self.is)),
            },
            Err(why) => return Err(self.bad(why)),
        };
        Ok(Predicate { text: self.text, is })
    }

    fn bad(&self, why: &str) -> BadPredicate {
        BadPredicate { text: self.text.clone(), why: why.to_owned() }
    }

    /// Whether it is true of an actor that ended so.
    pub(super) fn is_true_of(&self, ended: &Ended) -> bool {
        self.is.of_actor(ended)
    }

    /// Whether it is true in this state.
    pub(super) fn is_true_in<W: Programs>(&self, state: &State<'_, W, ProgramCode>) -> bool
    where
        ProgramCode: Process<W, Output = Ended>,
    {
        let ended: Vec<&Ended> = state.outputs().collect();
        self.is_true_after(state.world(), &ended)
    }

    /// Whether it is true of this world, and of those who ended.
    pub(super) fn is_true_after(&self, world: &impl Programs, ended: &[&Ended]) -> bool {
        let (files, database) = (world.files(), world.database());
        self.is.of_system(&Seen { world: files, tree: files.tree(), database, ended })
    }

    /// The error, if this database cannot be asked that.
    pub(super) fn may_ask(&self, database: &SimDb) -> Result<(), SqlError> {
        match &self.is {
            Is::Row(_, query) => database.query(query).map(drop),
            _ => Ok(()),
        }
    }

    /// Whether it speaks of a database.
    pub(super) fn is_of_rows(&self) -> bool {
        matches!(self.is, Is::Row(..))
    }
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A state.
struct Seen<'a> {
    world: &'a SimFs,
    tree: Tree,
    database: Option<&'a SimDb>,
    ended: &'a [&'a Ended],
}

impl Is {
    fn speaks(&self) -> Result<Speaks, &'static str> {
        match self {
            Is::Not(of) => of.speaks(),
            Is::And(one, other) | Is::Or(one, other) => match (one.speaks()?, other.speaks()?) {
                (one, other) if one == other => Ok(one),
                _ => Err(
                    "it speaks of one actor and of the files: say `every` or `some` before what \
                    speaks of an actor",
                ),
            },
            Is::Every(of) | Is::Some(of) => match of.speaks()? {
                Speaks::OfOneActor => Ok(Speaks::OfTheSystem),
                Speaks::OfTheSystem => {
                    Err("after `every` and `some` comes what speaks of one actor, as \
                    `exit = 0` does")
                }
            },
            Is::Stdout(_) | Is::Stderr(_) | Is::Exit(_) | Is::Signal(_) => Ok(Speaks::OfOneActor),
            Is::Exists(_) | Is::Content(..) | Is::Script(_) | Is::Row(..) => {
                Ok(Speaks::OfTheSystem)
            }
        }
    }

    fn of_actor(&self, ended: &Ended) -> bool {
        match self {
            Is::Not(of) => !of.of_actor(ended),
            Is::And(one, other) => one.of_actor(ended) && other.of_actor(ended),
            Is::Or(one, other) => one.of_actor(ended) || other.of_actor(ended),
            Is::Stdout(text) => text.fits(&ended.stdout),
            Is::Stderr(text) => text.fits(&ended.stderr),
            Is::Exit(status) => ended.status == Some(*status),
            Is::Signal(signal) => ended.signal == Some(*signal),
            // What `speaks` keeps out.
            Is::Every(_)
            | Is::Some(_)
            | Is::Exists(_)
            | Is::Content(..)
            | Is::Script(_)
            | Is::Row(..) => false,
        }
    }

    fn of_system(&self, seen: &Seen<'_>) -> bool {
        match self {
            Is::Not(of) => !of.of_system(seen),
            Is::And(one, other) => one.of_system(seen) && other.of_system(seen),
            Is::Or(one, other) => one.of_system(seen) || other.of_system(seen),
            Is::Every(of) => seen.ended.iter().all(|ended| of.of_actor(ended)),
            Is::Some(of) => seen.ended.iter().any(|ended| of.of_actor(ended)),
            Is::Exists(path) => seen.tree.get(path).is_some(),
            Is::Content(path, text) => seen
                .tree
                .bytes(path)
                .is_some_and(|bytes| text.fits(&String::from_utf8_lossy(bytes))),
            Is::Script(script) => script.is_true_in(seen.world),
            Is::Row(is_there, query) => {
                let rows = seen.database.map_or(Ok(Vec::new()), |database| database.query(query));
                let rows = rows.unwrap_or_else(|error| {
                    // No line of this crate is to blame.
                    std::panic::resume_unwind(Box::new(format!("`{query}` fails: {error}")))
                });
                rows.is_empty() != *is_there
            }
            // What `speaks` keeps out.
            Is::Stdout(_) | Is::Stderr(_) | Is::Exit(_) | Is::Signal(_) => false,
        }
    }
}

/// A shell script that is run in a directory with the files of a state: true if it ends with status 0. It
/// is run once for each set of files.
struct Script {
    text: String,
    known: Mutex<HashMap<Tree, bool>>,
}

/// How long a script may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Script {
    fn is_true_in(&self, world: &SimFs) -> bool {
        let tree = world.tree();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(&tree) {
            return *known;
        }
        let is_true = self.run(world).unwrap_or_else(|why| {
            // No line of this crate is to blame.
            std::panic::resume_unwind(Box::new(format!("`sh: {}`: {why}", self.text)))
        });
        known.insert(tree, is_true);
        is_true
    }

    fn run(&self, world: &SimFs) -> Result<bool, String> {
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        put_on_disk(world, place.path())
            .map_err(|errno| format!("the files of a state cannot be written: {errno}"))?;
        let mut shell = Command::new("/bin/sh");
        let shell = shell.arg("-c").arg(&self.text).current_dir(place.path());
        let shell = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut shell = shell.process_group(0).spawn().map_err(|error| error.to_string())?;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = shell.try_wait().map_err(|error| error.to_string())? {
                break status;
            }
            if begun.elapsed() > PATIENCE {
                let group = rustix::process::Pid::from_child(&shell);
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
                let _ = shell.wait();
                return Err(format!("it does not end within {PATIENCE:?}"));
            }
            std::thread::sleep(Duration::from_micros(200));
        };
        let mut said = String::new();
        if let Some(mut stderr) = shell.stderr.take() {
            let _ = stderr.read_to_string(&mut said);
        }
        match status.code() {
            // What a shell answers of a program that it cannot run.
            Some(126 | 127) | None => {
                let said = said.lines().next().map_or("it is killed", str::trim).to_owned();
                Err(format!("it cannot be run: {said}"))
            }
            Some(status) => Ok(status == 0),
        }
    }
}

impl FromStr for Predicate {
    type Err = BadPredicate;

    fn from_str(text: &str) -> Result<Self, BadPredicate> {
        let text = text.trim();
        let is = whole.parse(text).map_err(|error| {
            let rest = text.get(error.offset()..).unwrap_or_default().trim_start();
            let at = match rest {
                "" => "at its end".to_owned(),
                rest => format!("at `{rest}`"),
            };
            let expected = error.inner().context().filter_map(|context| match context {
                StrContext::Expected(what) => Some(what.to_string()),
                _ => None,
            });
            let expected: Vec<String> = expected.collect();
            let why = match &expected[..] {
                [] => format!("{at}: not understood; `toctou run --help` says how to write it"),
                _ => format!("{at}: expected {}", expected.join(", ")),
            };
            BadPredicate { text: text.to_owned(), why }
        })?;
        Ok(Predicate { text: text.split_whitespace().collect::<Vec<_>>().join(" "), is })
    }
}

type Parsed<T> = Result<T, ErrMode<ContextError>>;

fn expected(what: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(what))
}

fn whole(input: &mut &str) -> Parsed<Is> {
    let script = preceded(("sh:", multispace0), rest.verify(|script: &str| !script.is_empty()))
        .map(|text: &str| {
            Is::Script(Arc::new(Script { text: text.to_owned(), known: Mutex::default() }))
        });
    let query = |rest: &str| rest.trim().trim_end_matches(';').to_owned();
    let none = preceded((word("no"), word("row"), ":", multispace0), rest)
        .map(move |text: &str| Is::Row(false, query(text)));
    let one = preceded((word("row"), ":", multispace0), rest)
        .map(move |text: &str| Is::Row(true, query(text)));
    let end = eof.context(expected("`and`, `or`, or the end"));
    alt((script, none, one, terminated(any_of, (multispace0, cut_err(end))))).parse_next(input)
}

fn any_of(input: &mut &str) -> Parsed<Is> {
    let first = all_of.parse_next(input)?;
    let others: Vec<Is> = repeat(0.., preceded(word("or"), cut_err(all_of))).parse_next(input)?;
    Ok(others.into_iter().fold(first, |one, other| Is::Or(Box::new(one), Box::new(other))))
}

fn all_of(input: &mut &str) -> Parsed<Is> {
    let first = one.parse_next(input)?;
    let others: Vec<Is> = repeat(0.., preceded(word("and"), cut_err(one))).parse_next(input)?;
    Ok(others.into_iter().fold(first, |one, other| Is::And(Box::new(one), Box::new(other))))
}

fn one(input: &mut &str) -> Parsed<Is> {
    let close = ")".context(expected("`)`"));
    let of_others = alt((
        preceded(word("not"), cut_err(one)).map(|of| Is::Not(Box::new(of))),
        preceded(word("every"), cut_err(one)).map(|of| Is::Every(Box::new(of))),
        preceded(word("some"), cut_err(one)).map(|of| Is::Some(Box::new(of))),
        delimited((multispace0, "("), cut_err(any_of), (multispace0, cut_err(close))),
    ));
    let what = "`stdout`, `stderr`, `exit`, `signal`, `exists`, `content`, `row:`, `every`, `some`, \
                `not` or `(`";
    alt((of_others, fact, fail.context(expected(what)))).parse_next(input)
}

fn fact(input: &mut &str) -> Parsed<Is> {
    alt((
        preceded(word("stdout"), cut_err(text)).map(|(fits, is)| negated(Is::Stdout(is), !fits)),
        preceded(word("stderr"), cut_err(text)).map(|(fits, is)| negated(Is::Stderr(is), !fits)),
        preceded(word("exit"), cut_err(number)).map(|(same, is)| negated(Is::Exit(is), !same)),
        preceded(word("signal"), cut_err(number)).map(|(same, is)| negated(Is::Signal(is), !same)),
        preceded(word("exists"), cut_err(path)).map(Is::Exists),
        preceded(word("content"), cut_err((path, text)))
            .map(|(path, (fits, is))| negated(Is::Content(path, is), !fits)),
    ))
    .parse_next(input)
}

fn negated(is: Is, negated: bool) -> Is {
    if negated { Is::Not(Box::new(is)) } else { is }
}

/// A word of the language, and the blanks before it.
fn word<'s>(word: &'static str) -> impl Parser<&'s str, (), ErrMode<ContextError>> {
    let ends = not(one_of(|next: char| next.is_alphanumeric() || next == '_' || next == '-'));
    (multispace0, word, ends).void()
}

/// Whether a text has to be so, or not to be so.
fn text(input: &mut &str) -> Parsed<(bool, Text)> {
    let sign = alt(("!=", "=", "!~", "~")).context(expected("`=`, `!=`, `~` or `!~`"));
    let sign: &str = preceded(multispace0, sign).parse_next(input)?;
    let what = preceded(multispace0, value).parse_next(input)?;
    let text = match sign.ends_with('~') {
        false => Text::Same(what),
        true => match Regex::new(&what) {
            Ok(regex) => Text::Matches(regex),
            Err(_) => cut_err(fail.context(expected("a regular expression before here")))
                .parse_next(input)?,
        },
    };
    Ok((!sign.starts_with('!'), text))
}

fn number(input: &mut &str) -> Parsed<(bool, i32)> {
    let sign = alt(("!=", "=")).context(expected("`=` or `!=`"));
    let sign: &str = preceded(multispace0, sign).parse_next(input)?;
    let number = dec_int.context(expected("a number"));
    Ok((sign == "=", preceded(multispace0, number).parse_next(input)?))
}

/// A path below the directory of the check.
fn path(input: &mut &str) -> Parsed<PathBuf> {
    let before = (multispace0, peek(not(one_of(['=', '~']))));
    let inside = |path: &String| {
        let path = Path::new(path);
        let mut parts = path.components();
        parts.all(|part| {
            matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir)
        })
    };
    let path = preceded(before, value)
        .verify(inside)
        .context(expected("a path in the directory of the check, without `/` before it and `..`"))
        .parse_next(input)?;
    let parts = Path::new(&path).components();
    let parts = parts.filter(|part| matches!(part, std::path::Component::Normal(_)));
    let plain: PathBuf = parts.collect();
    Ok(if plain.as_os_str().is_empty() { PathBuf::from(".") } else { plain })
}

/// A word, or anything in quotes.
fn value(input: &mut &str) -> Parsed<String> {
    let quoted = |quote: char| {
        let inner = take_while(0.., move |next: char| next != quote);
        let end = one_of(quote).context(expected("the quote at the end of a text"));
        delimited(one_of(quote), inner, cut_err(end)).map(str::to_owned)
    };
    let bare = take_while(1.., |next: char| !next.is_whitespace() && !"()'\"".contains(next));
    let bare = bare.map(str::to_owned).context(expected("a word, or a text in quotes"));
    alt((quoted('\''), quoted('"'), bare)).parse_next(input)
}

/// `1 stdout ~ got`: how many actors at most, and what they are.
#[derive(Clone, Debug)]
pub(super) struct AtMost {
    pub(super) most: usize,
    pub(super) of: Predicate,
}

impl FromStr for AtMost {
    type Err = BadPredicate;

    fn from_str(text: &str) -> Result<Self, BadPredicate> {
        let text = text.trim();
        let (most, of) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let most = most.parse().map_err(|_| BadPredicate {
            text: text.to_owned(),
            why: "it begins with a number: how many actors at most, as in `1 stdout ~ got`"
                .to_owned(),
        })?;
        Ok(AtMost { most, of: of.parse::<Predicate>()?.of_an_actor()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: i32, stdout: &str) -> Ended {
        let stdout = stdout.to_owned();
        Ended { status: Some(status), signal: None, stdout, stderr: String::new() }
    }

    fn is(text: &str, status: i32, stdout: &str) -> bool {
        let predicate: Predicate = text.parse().unwrap_or_else(|bad| panic!("{bad}"));
        predicate.of_an_actor().unwrap().is_true_of(&ended(status, stdout))
    }

    #[test]
    fn an_actor_is_judged_by_how_it_ended_and_by_what_it_printed() {
        assert!(is("stdout ~ got", 0, "we got it\n"));
        assert!(!is("stdout ~ ^got", 0, "we got it\n") && is("stdout ~ ^got$", 0, "got\n"));
        assert!(is("stdout = got", 0, "got\n"));
        assert!(is("stdout = 'got it' and exit = 0", 0, "got it\n"));
        assert!(!is("stdout = got and exit != 0", 0, "got\n"));
        assert!(is("exit = 7 or stdout !~ x", 0, ""));
        assert!(is("not (exit = 7 or stdout ~ x)", 0, ""));
        assert!(is("not exit = 7 and stdout = ''", 0, ""));
        assert!(!is("signal = 9", 0, ""));
    }

    #[test]
    fn the_system_is_judged_by_its_files_and_by_all_who_ended() {
        use crate::fs::Mode;
        let world = SimFs::new().with_file("done", Mode::RUSR, b"x\n").unwrap();
        let (good, bad) = (ended(0, ""), ended(1, ""));
        let is = |text: &str, looked: Looked| {
            let predicate: Predicate = text.parse().unwrap_or_else(|bad| panic!("{bad}"));
            predicate.of_the_system(looked).unwrap().is_true_after(&world, &[&good, &bad])
        };
        assert!(is("exists ./done and not exists other", Looked::IsTrue));
        assert!(is("content done = x", Looked::IsTrue));
        assert!(!is("content other = x", Looked::IsTrue));
        assert!(!is("exit = 0", Looked::IsTrue) && is("exit = 0", Looked::BecomesTrue));
        assert!(is("some exit = 1 and exists done", Looked::IsTrue));
        assert!(!is("every (exit = 1) and exists done", Looked::BecomesTrue));
        assert!(is("sh: test -f done && test \"$(cat done)\" = x", Looked::IsTrue));
        assert!(!is("sh: test -d done", Looked::IsTrue));
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_place() {
        let why = |text: &str| text.parse::<Predicate>().unwrap_err().to_string();
        assert!(
            why("stdot ~ got").contains("at `stdot ~ got`: expected `stdout`"),
            "{}",
            why("stdot ~ got")
        );
        assert!(why("stdout got").contains("at `got`: expected `=`, `!=`, `~` or `!~`"));
        assert!(why("exit = zero").contains("at `zero`: expected a number"));
        assert!(why("exit = 0 exit = 1").contains("at `exit = 1`: expected `and`"));
        assert!(why("(exit = 0").contains("at its end: expected `)`"));
        assert!(why("exists /etc/passwd").contains("a path in the directory"));
        assert!(why("stdout = 'got").contains("the quote at the end"));
        assert!(why("stdout ~ *").contains("a regular expression"));
        assert!(why("").contains("at its end: expected"));
        let mixed: Predicate = "exit = 0 and exists x".parse().unwrap();
        assert!(
            mixed.of_the_system(Looked::IsTrue).unwrap_err().to_string().contains("say `every`")
        );
        let at_most = "1 exists x".parse::<AtMost>().unwrap_err().to_string();
        assert!(at_most.contains("it has to speak of one actor"), "{at_most}");
        assert!("one exit = 0".parse::<AtMost>().unwrap_err().to_string().contains("a number"));
    }
}
