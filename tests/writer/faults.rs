//! The writer, alone, with every call failing in every way, and any three calls: what it answers is
//! exactly what is left on disk.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::Path;

use toctou::fs::{Errno, FileSystem, Mode, Node, SimFs, Tree, User};
use toctou::writer::{Left, NEW, NEW_BY_NAME, Op, Options, Outcome, Plan, REPLACE, carry_out};

use crate::faulty::{Fault, Faulty, every_script};

const OLD: &[u8] = b"old secret";
const FRESH: &[u8] = b"fresh secret";
const TEMPORARY: &str = ".temporary";

const FAULTS: [Fault; 7] = [
    Fault::Fails(Errno::NOSPC),
    Fault::Fails(Errno::INTR),
    // Some calls are done without after these: `openat2`, `O_TMPFILE`.
    Fault::Fails(Errno::NOSYS),
    Fault::Fails(Errno::OPNOTSUPP),
    // These mean something to several calls, and here it is not true.
    Fault::Fails(Errno::NOTDIR),
    Fault::Fails(Errno::LOOP),
    Fault::Short,
];

/// No call of the writer tells these from `ENOSPC`, so they are not combined.
const OTHERS: [Errno; 8] = [
    Errno::IO,
    Errno::ACCESS,
    Errno::PERM,
    Errno::DQUOT,
    Errno::ROFS,
    Errno::MFILE,
    Errno::FBIG,
    Errno::XDEV,
];

/// What there may be at P before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Before {
    Nothing,
    File,
    Symlink,
    Dangling,
    Directory,
}

impl Before {
    const ALL: [Before; 5] =
        [Before::Nothing, Before::File, Before::Symlink, Before::Dangling, Before::Directory];
}

fn world(before: Before) -> Faulty<SimFs> {
    let private = Mode::RUSR | Mode::WUSR;
    let mut world = SimFs::new()
        .with_directory("a", Mode::RWXU)
        .and_then(|world| world.with_directory("a/b", Mode::RWXU))
        .and_then(|world| world.with_file("a/b/target", private, b"target"))
        .expect("it is empty");
    match before {
        Before::Nothing => Ok(()),
        Before::File => return Faulty::recording(world.with_file("a/b/P", private, OLD).unwrap()),
        Before::Symlink => world.symlink(Path::new("target"), "a/b/P"),
        Before::Dangling => world.symlink(Path::new("nothing"), "a/b/P"),
        Before::Directory => world.mkdir("a/b/P", Mode::RWXU),
    }
    .expect("there is nothing at P yet");
    Faulty::recording(world)
}

/// How it writes.
#[derive(Clone, Copy, Debug)]
struct How {
    options: Options,
    /// As off Linux.
    by_name: bool,
}

impl Deref for How {
    type Target = Options;

    fn deref(&self) -> &Options {
        &self.options
    }
}

impl How {
    fn program(&self, beneath: bool) -> Vec<Op> {
        let new = if self.by_name { NEW_BY_NAME } else { NEW };
        self.adapted(if self.replace { REPLACE } else { new }, beneath)
    }
}

fn plan<'p>(program: &'p [Op], options: &How) -> Plan<'p> {
    Plan {
        program,
        directory: Path::new("a/b"),
        name: Path::new("P"),
        temporary: Path::new(TEMPORARY),
        bytes: FRESH,
        mode: options.mode,
        owner: User::ROOT.uid,
        replace: options.replace,
    }
}

fn every_options() -> impl Iterator<Item = How> {
    [(false, false), (false, true), (true, false)].into_iter().flat_map(|(replace, by_name)| {
        [false, true].map(|durable| {
            let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP;
            How { options: Options { replace, durable, mode, ..Options::default() }, by_name }
        })
    })
}

/// `tree` without what the writer calls its own, and with this at P.
fn with(tree: &Tree, node: Option<Node>) -> Tree {
    let temporary = Path::new("a/b").join(TEMPORARY);
    let path = Path::new("a/b/P");
    let others = tree.iter().filter(|(at, _)| !at.starts_with(&temporary) && *at != path);
    let others = others.map(|(path, node)| (path.to_owned(), node.clone()));
    others.chain(node.map(|node| (path.to_owned(), node))).collect()
}

fn fresh(options: &How, links: u64) -> Node {
    let (mode, owner) = (options.mode, User::ROOT.uid);
    Node::File { mode, owner, links, bytes: FRESH.to_vec() }
}

/// Runs it by this script, and checks what it says against what is on disk.
fn check(before: Before, options: &How, script: &[(usize, Fault)]) -> (Outcome, Left, usize) {
    let mut world = world(before);
    let old = world.world.tree();
    let at_path = old.get("a/b/P").cloned();
    let program = options.program(false);
    let (end, calls) = world.during(script, |world| carry_out(world, &plan(&program, options)));
    let (outcome, left) = (end.outcome, end.left);
    let new = world.world.tree();
    let met = world.met();
    let told = format!("{before:?} {options:?} {script:?} {met:?}: {outcome:?} {left:?}\n{new}");

    let temporary = Path::new("a/b").join(TEMPORARY);
    let is_left = new.get(&temporary).is_some();
    assert_eq!(is_left, left != Left::Nothing, "{told}");
    if left == Left::Temporary {
        let removals = met.iter().filter(|call| matches!(**call, "unlink" | "rmdir"));
        assert!(removals.count() > 0, "it could have been removed: {told}");
    }
    let is_written = matches!(
        outcome,
        Outcome::Written | Outcome::NotDurable { .. } | Outcome::Unverified { .. }
    );
    // Where what was at P could not be put back, the file is there all the same.
    let is_stuck = left == Left::Displaced && new.bytes("a/b/P") == Some(FRESH);
    let links = 1;
    let expected = match is_written || is_stuck {
        true => Some(fresh(options, links)),
        false => at_path.clone(),
    };
    assert_eq!(with(&new, new.get("a/b/P").cloned()), with(&old, expected), "{told}");
    if is_written {
        assert!(before == Before::Nothing || before == Before::File && options.replace, "{told}");
    }
    if left == Left::Displaced {
        let aside = new.get(temporary.join(TEMPORARY)).cloned();
        let kept = if is_stuck { at_path } else { Some(fresh(options, 1)) };
        assert_eq!(aside, kept, "{told}");
        assert!(met.iter().any(|call| matches!(*call, "rename_with" | "stat")), "{told}");
    }
    match outcome {
        Outcome::Written => assert!(met.iter().all(|call| *call != "fsync"), "{told}"),
        Outcome::NotDurable { .. } => assert!(met.contains(&"fsync"), "{told}"),
        Outcome::Unverified { .. } => assert!(met.contains(&"stat"), "{told}"),
        Outcome::Exists => assert!(before != Before::Nothing && !options.replace, "{told}"),
        Outcome::IsSymlink => {
            assert!(matches!(before, Before::Symlink | Before::Dangling), "{told}");
        }
        Outcome::IsDirectory => assert_eq!(before, Before::Directory, "{told}"),
        Outcome::Interfered | Outcome::Failed { .. } => assert!(!script.is_empty(), "{told}"),
        Outcome::IsSpecial | Outcome::NotPrivate => panic!("nobody else was there: {told}"),
    }
    (outcome, left, calls)
}

#[test]
fn whatever_fails_it_is_whole_or_not_there_and_what_is_left_is_told() {
    let mut runs = 0;
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for before in Before::ALL {
        for options in every_options() {
            runs += every_script(&FAULTS, |script| {
                let (outcome, left, calls) = check(before, &options, script);
                let outcome = format!("{outcome:?}");
                let outcome = outcome.split(' ').next().unwrap_or_default();
                *ends.entry(format!("{outcome}, {left:?} left")).or_insert(0) += 1;
                calls
            });
        }
    }
    println!("{runs} runs: {ends:#?}");
    assert!(runs > 50_000, "{runs}");
    for end in [
        "Written, Nothing left",
        "Written, Temporary left",
        "NotDurable, Nothing left",
        "NotDurable, Temporary left",
        "Unverified, Nothing left",
        "Exists, Nothing left",
        "Interfered, Temporary left",
        "IsSymlink, Nothing left",
        "IsDirectory, Nothing left",
        "Interfered, Nothing left",
        "Failed, Nothing left",
        "Failed, Temporary left",
        "Failed, Displaced left",
    ] {
        assert!(ends.get(end).is_some_and(|count| *count > 3), "{end}: {ends:#?}");
    }
}

#[test]
fn every_other_error_at_any_call_is_handled_alike() {
    for before in Before::ALL {
        for options in every_options() {
            let (_, _, calls) = check(before, &options, &[]);
            for at in 0..calls {
                for errno in OTHERS {
                    let (other, left, _) = check(before, &options, &[(at, Fault::Fails(errno))]);
                    let full = Fault::Fails(Errno::NOSPC);
                    let (outcome, left_too, _) = check(before, &options, &[(at, full)]);
                    let with = |outcome: Outcome| match outcome {
                        Outcome::Failed { call, .. } => Outcome::Failed { call, errno },
                        Outcome::NotDurable { .. } => Outcome::NotDurable { errno },
                        Outcome::Unverified { .. } => Outcome::Unverified { errno },
                        outcome => outcome,
                    };
                    assert_eq!((other, left), (with(outcome), left_too));
                }
            }
        }
    }
}

#[test]
fn without_openat2_it_does_the_same_by_other_means() {
    for before in Before::ALL {
        for options in every_options() {
            let plain = check(before, &options, &[]);
            let no_openat2 = check(before, &options, &[(0, Fault::Fails(Errno::NOSYS))]);
            assert_eq!((plain.0, plain.1), (no_openat2.0, no_openat2.1));
            // The call, and a call more for the second name on the way.
            assert_eq!(no_openat2.2, plain.2 + 2);
        }
    }
}

/// `write_exclusive` then begins anew, by name: what it does there is a list of its own, and proved.
#[test]
fn without_unnamed_files_nothing_is_written_and_that_is_the_reason() {
    for errno in [Errno::OPNOTSUPP, Errno::ISDIR, Errno::INVAL] {
        let mut world = Faulty::new(SimFs::new());
        let plan = Plan {
            program: NEW,
            directory: Path::new(""),
            name: Path::new("P"),
            temporary: Path::new(TEMPORARY),
            bytes: FRESH,
            mode: Mode::RUSR,
            owner: User::ROOT.uid,
            replace: false,
        };
        let script = [(1, Fault::Fails(errno))];
        let (end, _) = world.during(&script, |world| carry_out(world, &plan));
        let unsupported = Outcome::Failed { call: "open", errno: Errno::OPNOTSUPP };
        assert_eq!((end.outcome, end.left), (unsupported, Left::Nothing));
        assert_eq!(world.world.tree(), SimFs::new().tree());
    }
}

#[test]
fn a_write_that_takes_nothing_is_a_failure_and_not_tried_for_ever() {
    for options in every_options() {
        let script: Vec<_> = (0..100).map(|at| (at, Fault::Short)).collect();
        let (outcome, left, _) = check(Before::Nothing, &options, &script);
        assert_eq!(
            (outcome, left),
            (Outcome::Failed { call: "write", errno: Errno::IO }, Left::Nothing)
        );
    }
}

#[test]
fn without_openat2_links_are_not_followed_where_they_could_lead_out() {
    let options = Options { follow_parents: true, ..Options::default() };
    let options = How { options, by_name: false };
    let write = |beneath: bool| {
        let program = options.program(beneath);
        let script = [(0, Fault::Fails(Errno::NOSYS))];
        let plan = plan(&program, &options);
        world(Before::Nothing).during(&script, |world| carry_out(world, &plan).outcome).0
    };
    assert_eq!(write(true), Outcome::Failed { call: "openat2", errno: Errno::NOSYS });
    assert_eq!(write(false), Outcome::Written);
}
