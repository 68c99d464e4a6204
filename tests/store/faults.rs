//! Each function of the store, alone, with every call failing in every way, and any three calls:
//! what it answers is exactly what is left on disk. `recover` has its own file, beside this one.

use std::path::Path;

use toctou::fs::{Errno, FileSystem, Mode, Node, SimFs, Tree, User};
use toctou::store::{
    ClaimEnd, ClaimFailure, DeliveryFailure, Durability, ExpireEnd, Left, Mechanism, Names, PutEnd,
    PutFailure, PutRequest, claim, delivered, expire, put, recover,
};

use crate::faulty::{Fault, Faulty, every_script};

const KEY: &str = "key";
const OLD: &[u8] = b"old secret";
const NEW: &[u8] = b"new secret";

const FAULTS: [Fault; 8] = [
    Fault::Fails(Errno::MFILE),
    Fault::Fails(Errno::NOSPC),
    Fault::Fails(Errno::IO),
    Fault::Fails(Errno::ROFS),
    Fault::Fails(Errno::ACCESS),
    Fault::Fails(Errno::INTR),
    Fault::Fails(Errno::DQUOT),
    Fault::Short,
];

/// What there may be before: no directory, or one that holds these files.
const BEFORE: [Option<&[&str]>; 5] =
    [None, Some(&[]), Some(&["content"]), Some(&["content", "meta"]), Some(&["meta"])];

fn world(files: Option<&[&str]>) -> Faulty<SimFs> {
    let mut world = SimFs::new();
    if let Some(files) = files {
        world = world.with_directory(KEY, Mode::RWXU).expect("it is empty");
        for file in files {
            let bytes = if *file == "content" { OLD } else { b"" };
            let path = Path::new(KEY).join(file);
            world = world.with_file(path, Mode::from_raw_mode(0o600), bytes).expect("it is new");
        }
    }
    Faulty::new(world)
}

/// `tree`, with `path` holding private `bytes`, or not there.
fn with(tree: &Tree, path: &Path, bytes: Option<&[u8]>) -> Tree {
    let others = tree.iter().filter(|(at, _)| *at != path);
    let file = bytes.map(|bytes| {
        let (mode, owner) = (Mode::from_raw_mode(0o600), User::ROOT.uid);
        let node = Node::File { mode, owner, links: 1, bytes: bytes.to_vec() };
        (path.to_owned(), node)
    });
    others.map(|(path, node)| (path.to_owned(), node.clone())).chain(file).collect()
}

fn content() -> &'static Path {
    Path::new("key/content")
}

#[test]
fn a_put_that_fails_leaves_what_was_there_and_tells_of_what_it_could_not_remove() {
    let (mut runs, mut stored, mut failed, mut left) = (0, 0, 0, 0);
    for files in BEFORE {
        for (replace, durable) in [(false, false), (false, true), (true, false), (true, true)] {
            let request = PutRequest {
                replace,
                durable,
                ..PutRequest::new(Path::new(KEY), "token", NEW.to_vec())
            };
            let before = world(files).world.tree();
            let occupied = before.bytes(content()).is_some() && !replace;
            runs += every_script(&FAULTS, |script| {
                let mut world = world(files);
                let (end, steps) = world.during(script, |fs| put(fs, &request));
                let after = world.world.tree();
                let told = format!("{files:?} {request:?} {script:?}: {end:?}\n{after}");
                let temporary = after.bytes(&request.temporary).is_some();
                match end {
                    PutEnd::Stored | PutEnd::NotDurable { .. } => {
                        assert!(!occupied, "{told}");
                        assert!(end == PutEnd::Stored || durable, "{told}");
                        let made = with(&before, Path::new(KEY), None);
                        let directory = Node::Directory { mode: Mode::RWXU, owner: User::ROOT.uid };
                        let made = made.iter().map(|(path, node)| (path.to_owned(), node.clone()));
                        let made: Tree = made.chain([(KEY.into(), directory)]).collect();
                        assert_eq!(after, with(&made, content(), Some(NEW)), "{told}");
                        stored += 1;
                    }
                    PutEnd::Occupied => {
                        assert!(occupied, "{told}");
                        assert_eq!(after, before, "{told}");
                    }
                    PutEnd::Failed(PutFailure { temporary_left, .. }) => {
                        assert!(!script.is_empty(), "{told}");
                        assert_eq!(temporary_left, temporary, "{told}");
                        let without = with(&after, &request.temporary, None);
                        let errors = script.iter().filter(|(_, fault)| *fault != Fault::Short);
                        if files.is_none() && (temporary || errors.count() > 1) {
                            // The directory may be left too, for what is in it or for its own sake.
                            let without = with(&without, Path::new(KEY), None);
                            assert_eq!(without, before, "{told}");
                        } else {
                            assert_eq!(without, before, "{told}");
                        }
                        failed += 1;
                        left += usize::from(temporary);
                    }
                }
                // Whatever it left is in nobody's way.
                let again = PutRequest::new(Path::new(KEY), "another", NEW.to_vec());
                let again = PutRequest { replace: true, ..again };
                assert_eq!(put(&mut world, &again), PutEnd::Stored, "{told}");
                steps
            });
        }
    }
    println!("{runs} runs: {stored} stored, {failed} failed, {left} left a temporary");
    assert!(runs > 20_000 && stored > 500 && failed > 5_000 && left > 500);
}

#[test]
fn a_write_that_takes_nothing_is_a_failure_and_not_tried_for_ever() {
    let mut world = world(None);
    let request = PutRequest::new(Path::new(KEY), "token", b"1".to_vec());
    let script: Vec<_> = (0..100).map(|at| (at, Fault::Short)).collect();
    let (end, _) = world.during(&script, |fs| put(fs, &request));
    let failure = PutFailure { call: "write", errno: Errno::IO, temporary_left: false };
    assert_eq!(end, PutEnd::Failed(failure));
    assert_eq!(world.world.tree().iter().count(), 1, "the directory is gone too");
}

#[test]
fn a_claim_delivers_or_says_exactly_where_the_content_is() {
    let mut runs = 0;
    let mut ends = [0; 7];
    let promises = [Durability::None, Durability::AtMostOnce, Durability::NothingLost];
    for (mechanism, durability) in
        Mechanism::ALL.into_iter().flat_map(|it| promises.map(|promise| (it, promise)))
    {
        let renames = matches!(mechanism, Mechanism::RenameUnique | Mechanism::RenameFixed);
        let keeps = durability == Durability::NothingLost;
        if keeps && !renames {
            continue;
        }
        for files in BEFORE {
            let names = Names::new(Path::new(KEY), mechanism, durability, "token");
            let before = world(files).world.tree();
            let secret = before.bytes(content()).map(<[u8]>::to_vec);
            runs += every_script(&FAULTS, |script| {
                let mut world = world(files);
                let (end, steps) =
                    world.during(script, |fs| claim(fs, mechanism, durability, &names));
                let after = world.world.tree();
                let told = format!("{mechanism:?} {files:?} {script:?}: {end:?}\n{after}");
                let marker = (mechanism == Mechanism::ClaimFile).then_some(&b""[..]);
                let kind = match end {
                    ClaimEnd::Claimed { mut file, recorded } => {
                        let mut buffer = [0; 64];
                        let count = world.world.read(&mut file, &mut buffer);
                        let got = count.map(|count| buffer[..count].to_vec());
                        assert_eq!(got.ok(), secret, "{told}");
                        let mut expected = with(&before, content(), None);
                        if keeps {
                            expected = with(&expected, names.claim(), secret.as_deref());
                        } else if recorded.is_ok() {
                            expected = with(&expected, names.meta(), Some(b""));
                        } else {
                            assert!(!script.is_empty(), "{told}");
                        }
                        if marker.is_some() {
                            expected = with(&expected, names.claim(), marker);
                        }
                        assert_eq!(after, expected, "{told}");
                        0
                    }
                    ClaimEnd::Gone => {
                        assert_eq!(secret, None, "{told}");
                        assert_eq!(after, before, "{told}");
                        1
                    }
                    ClaimEnd::Failed(ClaimFailure { left, .. }) => {
                        assert!(!script.is_empty() || left == Left::Marker, "{told}");
                        let taken = with(&before, content(), None);
                        let (expected, kind) = match left {
                            Left::Content => (before.clone(), 2),
                            Left::ClaimName => {
                                assert!(secret.is_some(), "{told}");
                                (with(&taken, names.claim(), secret.as_deref()), 3)
                            }
                            Left::ContentAndMarker => (with(&before, names.claim(), marker), 4),
                            Left::Marker => {
                                assert_eq!(secret, None, "{told}");
                                (with(&before, names.claim(), marker), 5)
                            }
                            Left::Lost => {
                                assert_eq!(durability, Durability::AtMostOnce, "{told}");
                                (taken, 6)
                            }
                            Left::Nothing => panic!("nobody else was there: {told}"),
                        };
                        assert_eq!(after, expected, "{told}");
                        put_right(left, &names, &mut world.world);
                        let got = claim_again(mechanism, &mut world);
                        let is_lost = left == Left::Lost;
                        assert_eq!(got, secret.clone().filter(|_| !is_lost), "{told}");
                        kind
                    }
                };
                ends[kind] += 1;
                steps
            });
        }
    }
    println!("{runs} runs: {ends:?}");
    assert!(runs > 5_000);
    assert!(ends.iter().all(|count| *count > 5), "every end is met: {ends:?}");
}

/// Does what the message of a failed claim asks for.
fn put_right(left: Left, names: &Names, world: &mut SimFs) {
    match left {
        Left::Content | Left::Nothing | Left::Lost => {}
        Left::ClaimName => world.rename(names.claim(), names.content()).expect("it is there"),
        Left::ContentAndMarker | Left::Marker => world.unlink(names.claim()).expect("it is there"),
    }
}

/// What a claim without faults gets now.
fn claim_again(mechanism: Mechanism, world: &mut Faulty<SimFs>) -> Option<Vec<u8>> {
    let names = Names::new(Path::new(KEY), mechanism, Durability::None, "another");
    match claim(world, mechanism, Durability::None, &names) {
        ClaimEnd::Claimed { mut file, recorded: Ok(()) } => {
            let mut buffer = [0; 64];
            let count = world.world.read(&mut file, &mut buffer).expect("it is open");
            Some(buffer[..count].to_vec())
        }
        ClaimEnd::Gone | ClaimEnd::Failed(ClaimFailure { left: Left::Marker, .. }) => None,
        end => panic!("without faults: {end:?}"),
    }
}

#[test]
fn an_expiry_that_fails_leaves_everything_and_any_other_leaves_no_content() {
    let (mut runs, mut not_durable) = (0, 0);
    let with_dead = Some(&["content", "content.dead"][..]);
    let beginnings = BEFORE.into_iter().chain([with_dead]);
    for (files, durable) in beginnings.flat_map(|it| [(it, false), (it, true)]) {
        let before = world(files).world.tree();
        let was_there = before.bytes(content()).is_some();
        runs += every_script(&FAULTS, |script| {
            let mut world = world(files);
            let (end, steps) = world.during(script, |fs| expire(fs, Path::new(KEY), durable));
            let after = world.world.tree();
            let told = format!("{files:?} {durable} {script:?}: {end:?}\n{after}");
            match end {
                ExpireEnd::Expired => assert!(was_there, "{told}"),
                ExpireEnd::Gone => assert!(!was_there, "{told}"),
                ExpireEnd::Failed(_) => assert_eq!(after, before, "{told}"),
                ExpireEnd::NotDurable { .. } => {
                    assert!(durable, "{told}");
                    assert_eq!(after, with(&before, content(), None), "{told}");
                    let again = expire(&mut world, Path::new(KEY), durable);
                    assert_eq!(again, ExpireEnd::Gone, "{told}");
                    not_durable += 1;
                }
            }
            if !matches!(end, ExpireEnd::Failed(_)) {
                assert_eq!(after.bytes(content()), None, "{told}");
            }
            let dead = Path::new("key/content.dead");
            assert_eq!(after.bytes(dead), before.bytes(dead), "{told}");
            steps
        });
    }
    println!("{runs} runs, {not_durable} not durable");
    assert!(runs > 3_000 && not_durable > 200);
}

#[test]
fn a_delivery_that_does_not_end_says_whether_the_content_is_still_there() {
    let (mut runs, mut kept, mut unrecorded) = (0, 0, 0);
    let durability = Durability::NothingLost;
    for mechanism in [Mechanism::RenameUnique, Mechanism::RenameFixed] {
        let names = Names::new(Path::new(KEY), mechanism, durability, "token");
        for files in [&["content"][..], &["content", "meta"]] {
            runs += every_script(&FAULTS, |script| {
                let mut world = world(Some(files));
                let claimed = claim(&mut world, mechanism, durability, &names);
                assert!(matches!(claimed, ClaimEnd::Claimed { .. }));
                let before = world.world.tree();
                let (end, steps) = world.during(script, |fs| delivered(fs, &names));
                let after = world.world.tree();
                let told = format!("{mechanism:?} {files:?} {script:?}: {end:?}\n{after}");
                let gone = with(&before, names.claim(), None);
                let recorded = with(&gone, names.meta(), Some(b""));
                match end {
                    Ok(()) => assert_eq!(after, recorded, "{told}"),
                    Err(DeliveryFailure { is_kept: true, call, .. }) => {
                        assert_eq!((call, &after), ("unlink", &before), "{told}");
                        kept += 1;
                        // A recovery lets it be claimed again.
                        let mut world = world.clone();
                        recover(&mut world, mechanism, |it| it == b"token").expect("no fault");
                        assert_eq!(claim_again(mechanism, &mut world).as_deref(), Some(OLD));
                    }
                    Err(DeliveryFailure { is_kept: false, call, .. }) => {
                        assert_eq!((call, &after), ("open", &gone), "{told}");
                        unrecorded += 1;
                        let mut world = world.clone();
                        recover(&mut world, mechanism, |it| it == b"token").expect("no fault");
                        assert_eq!(claim_again(mechanism, &mut world), None);
                    }
                }
                // It can be told again.
                assert_eq!(delivered(&mut world, &names), Ok(()), "{told}");
                assert_eq!(world.world.tree(), recorded, "{told}");
                steps
            });
        }
    }
    println!("{runs} runs: {kept} kept, {unrecorded} not recorded");
    assert!(runs > 50 && kept > 20 && unrecorded > 20);
}
