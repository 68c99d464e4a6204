//! Several who write to one path at once, in every interleaving and on the kernel; and one whose
//! calls fail while somebody else puts links in its way.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use toctou::check::{Checker, GraphOptions, Report, Start, State, System, Verdict};
use toctou::direct::{Code, Files};
use toctou::fs::{AtFlags, Errno, FileSystem, Kind, Mode, OFlags, SimFile, SimFs, User};
use toctou::writer::{
    Exchange, Left, NEW_BY_NAME, Op, Options, Outcome, Plan, WriteError, WriteFault, carry_out,
    write_exclusive,
};
use toctou::{Process, Step};

use crate::faulty::{Fault, Faulty, Script, fault_at};
use crate::folder::{contents, folder};

const OLD: &[u8] = b"old";

fn bytes(number: usize) -> Vec<u8> {
    format!("writer {number}").into_bytes()
}

fn options(replace: bool) -> Options {
    Options { replace, ..Options::default() }
}

/// A writer, and what it is told in the end.
type Writer = Code<Files<SimFile>, Told>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Told {
    number: usize,
    outcome: Outcome,
    left: Left,
}

fn writer(number: usize, replace: bool) -> Writer {
    writer_by(number, options(replace).program(false), replace)
}

/// One that does not replace, in the way of other systems.
fn writer_by_name(number: usize) -> Writer {
    writer_by(number, options(false).adapted(NEW_BY_NAME, false), false)
}

fn writer_by(number: usize, program: Vec<Op>, replace: bool) -> Writer {
    let (temporary, bytes) = (format!(".{number}"), bytes(number));
    Code::files(move |fs| {
        let plan = Plan {
            program: &program,
            directory: Path::new(""),
            name: Path::new("P"),
            temporary: Path::new(&temporary),
            bytes: &bytes,
            mode: Mode::RUSR | Mode::WUSR,
            owner: User::ROOT.uid,
            replace,
        };
        let end = carry_out(fs, &plan);
        Told { number, outcome: end.outcome, left: end.left }
    })
}

/// Writers who replace, or do not, where there is a file or none.
fn writers(replace: &[bool], is_there: bool) -> System<SimFs, Writer> {
    let mut world = SimFs::new();
    if is_there {
        world = world.with_file("P", Mode::RUSR | Mode::WUSR, OLD).expect("it is empty");
    }
    let mut system = System::new(world);
    for (number, replace) in replace.iter().enumerate() {
        system = system.actor(format!("writer {number}"), writer(number, *replace));
    }
    let count = replace.len();
    system
        .always("whole-at-all-times", move |state| match content(state.world()) {
            None => !is_there,
            Some(content) => content == OLD || (0..count).any(|number| bytes(number) == content),
        })
        .finally("nothing-left", |state| {
            let entries = state.world().named(".").map(|root| root.entries().count());
            entries == Some(1) && state.outputs().all(|told| told.left == Left::Nothing)
        })
        .finally("what-is-there-is-of-one-who-was-told-so", |state| {
            let content = content(state.world());
            let mut written = state.outputs().filter(|told| told.outcome == Outcome::Written);
            written.any(|told| content == Some(bytes(told.number).as_slice()))
                || content == Some(OLD)
        })
}

fn content(world: &SimFs) -> Option<&[u8]> {
    world.named("P").and_then(|file| file.bytes())
}

fn count(state: &State<'_, SimFs, Writer>, outcome: Outcome) -> usize {
    state.outputs().filter(|told| told.outcome == outcome).count()
}

#[test]
fn of_several_who_write_what_is_new_by_name_exactly_one_does() {
    for count_ in 1..=3 {
        let system = (0..count_).fold(System::new(SimFs::new()), |system, number| {
            system.actor(format!("writer {number}"), writer_by_name(number))
        });
        let system = system
            .finally("one-has-written", |state| count(state, Outcome::Written) == 1)
            .finally("the-others-are-told-that-it-exists", move |state| {
                count(state, Outcome::Exists) == count_ - 1
            })
            .finally("nothing-left", |state| {
                state.world().named(".").map(|root| root.entries().count()) == Some(1)
            });
        println!("{count_} writers: {:?} states", holds(system).states);
    }
}

/// Asserts that all of it holds, by the state graph, and that nothing was left out.
fn holds<W, P>(system: System<W, P>) -> Report
where
    W: toctou::check::Value,
    P: toctou::Process<W, Output: toctou::check::Value> + toctou::check::Value,
{
    let checker = Checker::new(system);
    let report = checker.graph(&GraphOptions::default());
    for finding in &report.findings {
        if let Verdict::Violated(Some(schedule)) = &finding.verdict {
            let played = checker.system().play(schedule).map(|played| played.trace.to_string());
            panic!(
                "{} is violated by {schedule}:\n{}",
                finding.property,
                played.unwrap_or_default()
            );
        }
        assert!(matches!(finding.verdict, Verdict::Holds(_)), "{finding:?}");
    }
    assert!(report.exhaustive());
    report
}

#[test]
fn of_several_who_write_what_is_new_exactly_one_does() {
    for writers_ in 1..=4 {
        let system = writers(&vec![false; writers_], false)
            .finally("one-has-written", |state| count(state, Outcome::Written) == 1)
            .finally("the-others-are-told-that-it-exists", move |state| {
                count(state, Outcome::Exists) == writers_ - 1
            });
        println!("{writers_} writers: {:?} states", holds(system).states);
        let system = writers(&vec![false; writers_], true)
            .finally("all-are-told-that-it-exists", move |state| {
                count(state, Outcome::Exists) == writers_
            });
        holds(system);
    }
}

#[test]
fn of_several_who_replace_the_last_one_has_written_and_others_may_be_told_it_is_gone() {
    for (count_, is_there) in [(1, false), (1, true), (2, false), (2, true), (3, false), (3, true)]
    {
        let system = writers(&vec![true; count_], is_there)
            .finally("one-has-written", |state| count(state, Outcome::Written) >= 1)
            .finally("the-others-have-too-or-are-told-it-was-replaced", move |state| {
                count(state, Outcome::Written) + count(state, Outcome::NotPrivate) == count_
            })
            .finally("the-old-one-is-gone", |state| content(state.world()) != Some(OLD))
            .reachable("all-have-written", move |state| count(state, Outcome::Written) == count_);
        let system = match count_ {
            1 => system,
            _ => system.reachable("one-is-told-it-was-replaced", |state| {
                count(state, Outcome::NotPrivate) > 0
            }),
        };
        println!("{count_} writers: {:?} states", holds(system).states);
    }
}

#[test]
fn of_those_who_write_what_is_new_and_those_who_replace_all_get_along() {
    for replace in [&[false, true][..], &[false, true, true], &[false, false, true]] {
        let new = replace.iter().filter(|replace| !**replace).count();
        let system = writers(replace, false)
            .finally("somebody-has-written", |state| count(state, Outcome::Written) >= 1)
            .finally("of-the-new-ones-one-has-at-most", move |state| {
                let of_new = state.outputs().filter(|told| told.number < new);
                of_new.filter(|told| told.outcome == Outcome::Written).count() <= 1
            })
            .finally("nothing-else-is-told", |state| {
                state.outputs().all(|told| {
                    matches!(told.outcome, Outcome::Written | Outcome::Exists | Outcome::NotPrivate)
                })
            });
        holds(system);
    }
}

/// What somebody else does at P meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Act {
    Link,
    Directory,
    File,
    Remove,
}

/// One who does so, and keeps count of what should still be there in the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Rival {
    script: Vec<Act>,
    next: usize,
    /// The links and directories that it made and has not removed.
    links: BTreeSet<String>,
    directories: usize,
}

impl Rival {
    fn act(&mut self, fs: &mut SimFs) {
        let number = self.next;
        self.next += 1;
        let target = format!("nowhere {number}");
        match self.script[number] {
            Act::Link => {
                if fs.symlink(Path::new(&target), "P").is_ok() {
                    self.links.insert(target);
                }
            }
            Act::Directory => {
                self.directories += usize::from(fs.mkdir("P", Mode::RWXU).is_ok());
            }
            Act::File => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
                let _ = fs.open("P", flags, Mode::RUSR);
            }
            Act::Remove => {
                // Its bookkeeping is no part of what it does: it knows what it removes.
                let (link, kind) = fs.observed(|fs| {
                    let status = fs.stat("P", AtFlags::SYMLINK_NOFOLLOW);
                    (fs.readlink("P").ok(), status.ok().map(|status| status.kind))
                });
                if kind == Some(Kind::Directory) {
                    self.directories -= usize::from(fs.rmdir("P").is_ok());
                } else if fs.unlink("P").is_ok()
                    && let Some(link) = link.and_then(|link| link.to_str().map(str::to_owned))
                {
                    self.links.remove(&link);
                }
            }
        }
    }
}

/// A writer some of whose calls fail, or its rival.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Actor {
    Cursed { writer: Writer, script: Script, steps: usize },
    Rival(Rival),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum End {
    Writer(Told),
    Rival { links: BTreeSet<String>, directories: usize },
}

impl Process<Faulty<SimFs>> for Actor {
    type Output = End;

    fn step(self, fs: &mut Faulty<SimFs>) -> Step<Self, End> {
        match self {
            Actor::Cursed { writer, script, steps } => {
                let step = fs.step(writer, fault_at(&script, steps));
                let steps = steps + 1;
                let goes_on = |writer| Actor::Cursed { writer, script: script.clone(), steps };
                step.map(goes_on).and_then(|told| Step::Done(End::Writer(told)))
            }
            Actor::Rival(mut rival) => {
                rival.act(&mut fs.world);
                if rival.next < rival.script.len() {
                    return Step::Next(Actor::Rival(rival));
                }
                let Rival { links, directories, .. } = rival;
                Step::Done(End::Rival { links, directories })
            }
        }
    }
}

/// Every script of so many acts that brings something to P that is not to be replaced.
fn acts(length: usize) -> Vec<Vec<Act>> {
    let mut scripts = vec![Vec::new()];
    for _ in 0..length {
        scripts = scripts
            .into_iter()
            .flat_map(|script| {
                [Act::Link, Act::Directory, Act::File, Act::Remove].map(|act| {
                    let mut script = script.clone();
                    script.push(act);
                    script
                })
            })
            .collect();
    }
    let matters =
        |script: &Vec<Act>| script.iter().any(|act| matches!(act, Act::Link | Act::Directory));
    scripts.into_iter().filter(matters).collect()
}

/// No fault, each one at each step, and any two from the exchange on.
fn faults() -> Vec<Script> {
    // The exchange is the eighth operation, and the private directory takes two steps more.
    const EXCHANGE: usize = 8;
    const LAST: usize = 18;
    let fault = Fault::Fails(Errno::IO);
    let mut scripts: Vec<Script> = vec![Vec::new()];
    scripts.extend((0..LAST).map(|at| vec![(at, fault)]));
    for first in EXCHANGE..LAST {
        scripts.extend((first + 1..LAST).map(|second| vec![(first, fault), (second, fault)]));
    }
    scripts
}

fn end_of<'a>(
    state: &'a State<'_, Faulty<SimFs>, Actor>,
) -> Option<(&'a Told, &'a BTreeSet<String>, usize)> {
    let mut outputs = state.outputs();
    match (outputs.next(), outputs.next()) {
        (Some(End::Writer(told)), Some(End::Rival { links, directories })) => {
            Some((told, links, *directories))
        }
        _ => None,
    }
}

/// A writer with this exchange, any of whose calls may fail, among a rival's scripts of at most so
/// many acts.
fn against_rivals(how: Exchange, length: usize) -> System<Faulty<SimFs>, Actor> {
    let mut program = options(true).program(false);
    for op in &mut program {
        if matches!(op, Op::Exchange(_)) {
            *op = Op::Exchange(how);
        }
    }
    let writer = writer_by(0, program, true);
    let mut starts = Vec::new();
    for script in (1..=length).flat_map(acts) {
        for faults in faults() {
            let world = SimFs::new().with_file("P", Mode::RUSR, OLD).expect("it is empty");
            let (links, directories) = (BTreeSet::new(), 0);
            let rival = Rival { script: script.clone(), next: 0, links, directories };
            starts.push(Start {
                name: format!("{script:?} {faults:?}"),
                world: Faulty::new(world),
                processes: vec![
                    Actor::Cursed { writer: writer.clone(), script: faults, steps: 0 },
                    Actor::Rival(rival),
                ],
            });
        }
    }
    System::family(&["writer", "rival"], starts)
        .always("whole-at-all-times", |state| {
            let content = content(&state.world().world);
            content.is_none_or(|content| [OLD, b"", &bytes(0)].contains(&content))
        })
        .finally("no-link-and-no-directory-is-lost", |state| {
            let Some((_, links, directories)) = end_of(state) else { return false };
            let world = &state.world().world;
            let tree = world.tree();
            let found = |link: &String| {
                tree.iter().any(|(_, node)| {
                    matches!(node, toctou::fs::Node::Symlink { target, .. }
                        if target == Path::new(link))
                })
            };
            let own = usize::from(tree.get(".0").is_some());
            let kept = tree
                .iter()
                .filter(|(_, node)| matches!(node, toctou::fs::Node::Directory { .. }))
                .count();
            links.iter().all(found) && kept == 1 + own + directories
        })
        .finally("what-is-left-is-told", |state| {
            let Some((told, _, _)) = end_of(state) else { return false };
            let world = &state.world().world;
            let aside = world.named(".0/.0");
            let is_left = world.named(".0").is_some();
            let is_foreign = aside.is_some_and(|aside| aside.kind() != Kind::File);
            is_left == (told.left != Left::Nothing) && (!is_foreign || told.left == Left::Displaced)
        })
        .finally("a-failure-is-not-in-place", |state| {
            let Some((told, _, _)) = end_of(state) else { return false };
            let is_in_place = content(&state.world().world) == Some(&bytes(0));
            !is_in_place
                || matches!(
                    told.outcome,
                    Outcome::Written | Outcome::Unverified { .. } | Outcome::NotPrivate
                )
                || told.left == Left::Displaced
        })
        .reachable("a-link-is-put-back", |state| {
            end_of(state).is_some_and(|(told, links, _)| {
                told.outcome == Outcome::IsSymlink && told.left == Left::Nothing && links.len() == 1
            })
        })
        .reachable("a-link-cannot-be-put-back", |state| {
            end_of(state).is_some_and(|(told, _, _)| told.left == Left::Displaced)
        })
}

#[test]
fn whatever_fails_no_link_and_no_directory_of_somebody_elses_is_lost() {
    let system = against_rivals(Exchange::WHOLE, 3);
    let count = system.starts().len();
    println!("{count} systems, {:?} states", holds(system).states);
}

#[test]
fn an_exchange_that_lacks_a_look_loses_a_link() {
    for (how, acts) in [
        (Exchange { inspects: false, ..Exchange::WHOLE }, 2),
        (Exchange { puts_back: false, ..Exchange::WHOLE }, 2),
        (Exchange { reinspects: false, ..Exchange::WHOLE }, 4),
    ] {
        against_rivals(how, acts).assert_breaks("no-link-and-no-directory-is-lost");
    }
}

#[test]
fn of_eight_threads_one_writes_what_is_new() {
    const THREADS: usize = 8;
    for durable in [false, true] {
        for _ in 0..100 {
            let folder = folder();
            let path = folder.path.join("P");
            let barrier = Barrier::new(THREADS);
            let results: Vec<_> = thread::scope(|scope| {
                let threads: Vec<_> = (0..THREADS)
                    .map(|number| {
                        let (path, barrier) = (&path, &barrier);
                        scope.spawn(move || {
                            barrier.wait();
                            let options = Options { durable, ..Options::default() };
                            write_exclusive(path, &vec![b'a' + number as u8; 10_000], &options)
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
            });
            let winners: Vec<_> = (0..THREADS).filter(|each| results[*each].is_ok()).collect();
            let [winner] = winners[..] else { panic!("{results:?}") };
            let exists =
                Err(WriteError { path: path.clone(), fault: WriteFault::Exists, left: None });
            assert_eq!(results.iter().filter(|result| **result == exists).count(), THREADS - 1);
            let expected = vec![b'a' + winner as u8; 10_000];
            assert!(contents(&folder.path) == [(path, 0o600, expected)]);
        }
    }
}

#[test]
fn eight_threads_that_replace_leave_a_whole_file_of_one_that_was_told_so_and_nothing_else() {
    const THREADS: usize = 8;
    let mut gone = 0;
    for round in 0..100 {
        let folder = folder();
        let path = folder.path.join("P");
        if round % 2 == 0 {
            fs::write(&path, OLD).expect("it is new");
        }
        let barrier = Barrier::new(THREADS + 1);
        let results: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|number| {
                    let (path, barrier) = (&path, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        write_exclusive(path, &vec![b'a' + number as u8; 10_000], &options(true))
                    })
                })
                .collect();
            barrier.wait();
            while !threads.iter().all(thread::ScopedJoinHandle::is_finished) {
                // At every moment, what is there is whole.
                match fs::read(&path) {
                    Ok(content) => assert!(
                        content == OLD
                            || content.len() == 10_000 && content.iter().all(|b| *b == content[0])
                    ),
                    Err(_) => assert!(round % 2 == 1, "it was there, and is never away"),
                }
            }
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let replaced =
            Err(WriteError { path: path.clone(), fault: WriteFault::NotPrivate, left: None });
        assert!(results.iter().all(|r| r.is_ok() || *r == replaced), "{results:?}");
        gone += results.iter().filter(|result| **result == replaced).count();
        let found = contents(&folder.path);
        let [(_, 0o600, content)] = &found[..] else { panic!("{found:?}") };
        assert!(content.len() == 10_000 && content.iter().all(|byte| *byte == content[0]));
        let winner = usize::from(content[0] - b'a');
        assert_eq!(results[winner], Ok(()), "what is there is of one that was told so");
    }
    println!("{gone} of {} were replaced before they looked", 100 * THREADS);
}
