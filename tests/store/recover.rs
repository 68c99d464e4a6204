//! What a recovery touches, what it leaves alone, and what it does where calls fail: the function in the
//! simulation, then `OneTimeStore::recover` and `delivered` on the kernel.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use toctou::fs::{Errno, Mode, SimFs, Tree};
use toctou::store::{
    ClaimError, DeliveryError, Durability, Mechanism, OneTimeStore, RecoverError, Recovered,
    Status, recover,
};

use crate::faulty::{Fault, Faulty, every_script};

const PROMISES: [Durability; 3] =
    [Durability::None, Durability::AtMostOnce, Durability::NothingLost];

/// A token of a store that is open nowhere.
const TOKEN: &str = "f00500000000ba11-2a2e-70b";
const OTHER_TOKEN: &str = "f00500000000ba11-2a2e-70c";

/// What becomes of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is put back as the content.
    GivenBack,
    Removed,
    /// It cannot be put back.
    Left,
    /// It is nobody's business.
    Untouched,
}
use Fate::*;

/// A store after many accidents, and what a recovery by this mechanism makes of each file.
fn files(mechanism: Mechanism) -> Vec<(PathBuf, Fate)> {
    let by = |its: Mechanism, fate| if mechanism == its { fate } else { Untouched };
    let fixed = |fate| by(Mechanism::RenameFixed, fate);
    let marked = by(Mechanism::ClaimFile, Removed);
    let named = |directory: &str, name: &str, fate| {
        let name = name.replace('T', TOKEN).replace('U', OTHER_TOKEN);
        (Path::new(directory).join(name), fate)
    };
    vec![
        named("cut-short", "content.T", Removed),
        named("cut-short", ".put.T", Removed),
        named("foreign", ".put.html", Untouched),
        named("foreign", "content.T.gz", Untouched),
        named("foreign", "content.html", Untouched),
        named("foreign", "content.kept.html", Untouched),
        named("foreign", "my.content.T", Untouched),
        named("kept", "content.kept.T", GivenBack),
        named("kept-again", "content", Untouched),
        named("kept-again", "content.kept.T", Left),
        named("kept-fixed", "content.kept", fixed(GivenBack)),
        named("kept-twice", "content.kept.T", GivenBack),
        named("kept-twice", "content.kept.U", Left),
        named("marked", "claim", Untouched),
        named("marked", "content", marked),
        named("taken-fixed", "content.download", fixed(Removed)),
        named("whole", "content", Untouched),
        named("whole", "meta", Untouched),
        named("", "content.T", Untouched),
    ]
}

/// The files of this fate, in their order.
fn of(files: &[(PathBuf, Fate)], fate: Fate) -> Vec<PathBuf> {
    let mut found: Vec<_> = files.iter().filter(|it| it.1 == fate).map(|it| it.0.clone()).collect();
    found.sort();
    found
}

/// All that a recovery does.
fn done(files: &[(PathBuf, Fate)]) -> Recovered {
    Recovered {
        given_back: of(files, GivenBack),
        removed: of(files, Removed),
        left: of(files, Left),
    }
}

/// What is there after a recovery that did so much. Each file contains its first name.
fn after(before: &[(PathBuf, Fate)], done: &Recovered) -> BTreeSet<(PathBuf, String)> {
    let mut there = BTreeSet::new();
    for (path, _) in before {
        let bytes = path.display().to_string();
        if done.given_back.contains(path) {
            there.insert((path.with_file_name("content"), bytes));
        } else if !done.removed.contains(path) {
            there.insert((path.clone(), bytes));
        }
    }
    there
}

fn world(files: &[(PathBuf, Fate)]) -> SimFs {
    let mut world = SimFs::new();
    for (path, _) in files {
        let directory = path.parent().expect("it is in one");
        if directory != Path::new("") && world.tree().get(directory).is_none() {
            world = world.with_directory(directory, Mode::RWXU).expect("it is new");
        }
        let bytes = path.display().to_string();
        world =
            world.with_file(path, Mode::from_raw_mode(0o600), bytes.as_bytes()).expect("it is new");
    }
    world
}

fn seen(tree: &Tree) -> BTreeSet<(PathBuf, String)> {
    let file = |(path, _): (&Path, _)| {
        let bytes = tree.bytes(path)?;
        Some((path.to_owned(), String::from_utf8_lossy(bytes).into_owned()))
    };
    tree.iter().filter_map(file).collect()
}

fn is_token(text: &[u8]) -> bool {
    text == TOKEN.as_bytes() || text == OTHER_TOKEN.as_bytes()
}

#[test]
fn a_recovery_touches_what_has_the_name_of_a_claim_or_a_put_and_nothing_else() {
    for mechanism in Mechanism::ALL {
        let files = files(mechanism);
        let mut world = world(&files);
        let recovered = recover(&mut world, mechanism, is_token);
        assert_eq!(recovered, Ok(done(&files)), "{mechanism:?}");
        assert_eq!(seen(&world.tree()), after(&files, &done(&files)), "{mechanism:?}");
        // Once more it finds only what it could not put back.
        let again = recover(&mut world, mechanism, is_token);
        let left = Recovered { left: of(&files, Left), ..Recovered::default() };
        assert_eq!(again, Ok(left), "{mechanism:?}");
        assert_eq!(seen(&world.tree()), after(&files, &done(&files)), "{mechanism:?}");
    }
}

#[test]
fn a_recovery_goes_on_past_what_fails_and_tells_what_it_did() {
    let (mut runs, mut incomplete) = (0, 0);
    let mut calls = BTreeSet::new();
    for mechanism in [Mechanism::RenameUnique, Mechanism::RenameFixed, Mechanism::ClaimFile] {
        // A part of them, so that any three calls can fail.
        let mut files = files(mechanism);
        let parts = ["kept", "kept-twice", "kept-fixed", "marked", "taken-fixed", "cut-short"];
        files.retain(|(path, _)| parts.iter().any(|part| path.starts_with(part)));
        let all = done(&files);
        let faults = [Fault::Fails(Errno::IO)];
        runs += every_script(&faults, |script| {
            let mut world = Faulty::new(world(&files));
            let (end, steps) = world.during(script, |fs| recover(fs, mechanism, is_token));
            let told = format!("{mechanism:?} {script:?}: {end:?}\n{}", world.world.tree());
            let did = match end {
                Ok(done) => {
                    assert!(script.is_empty(), "{told}");
                    assert_eq!(done, all, "{told}");
                    done
                }
                Err(RecoverError { path, call, errno, done }) => {
                    assert!(!script.is_empty() && errno == Errno::IO, "{told}");
                    let is_there = files.iter().any(|it| it.0.starts_with(&path));
                    assert!(is_there || path == Path::new("."), "{told}");
                    calls.insert(call);
                    incomplete += 1;
                    done
                }
            };
            let now = seen(&world.world.tree());
            assert_eq!(now, after(&files, &did), "{told}");
            // One call that fails costs no more than one download.
            if let [(_, _)] = script {
                let touched = [&did.given_back, &did.removed, &did.left].map(Vec::len);
                let touched: usize = touched.iter().sum();
                let most = [&all.given_back, &all.removed, &all.left].map(Vec::len);
                let most: usize = most.iter().sum();
                let is_of_the_store = now == seen(&self::world(&files).tree());
                assert!(touched + 2 >= most || is_of_the_store, "{told}");
            }
            // It can be begun again, and then does the rest.
            let rest = recover(&mut world, mechanism, is_token).expect("no fault");
            let contents: BTreeSet<_> = seen(&world.world.tree());
            let texts = |there: &BTreeSet<(PathBuf, String)>| -> BTreeSet<String> {
                there.iter().map(|it| it.1.clone()).collect()
            };
            let expected = after(&files, &all);
            assert_eq!(texts(&contents), texts(&expected), "{told}{rest:?}");
            steps
        });
    }
    println!("{runs} runs, {incomplete} not complete");
    assert!(runs > 5_000 && incomplete == runs - 3);
    assert_eq!(
        calls.into_iter().collect::<Vec<_>>(),
        ["getdents", "open", "rename", "stat", "unlink"]
    );
}

fn new_store(mechanism: Mechanism, durability: Durability) -> (TempDir, OneTimeStore) {
    let folder = tempfile::tempdir().expect("there is a place for temporary directories");
    let store = OneTimeStore::open(folder.path()).expect("it is private");
    (folder, store.durable(false).mechanism(mechanism).durability(durability))
}

/// The files of a store on the kernel.
fn on_disk(folder: &Path) -> BTreeSet<(PathBuf, String)> {
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("it is ours") {
        let path = entry.expect("it is ours").path();
        let inner = match path.is_dir() {
            true => fs::read_dir(&path)
                .expect("it is ours")
                .map(|it| it.expect("ours").path())
                .collect(),
            false => vec![path],
        };
        for path in inner {
            let bytes = fs::read_to_string(&path).expect("it is ours");
            there.insert((path.strip_prefix(folder).expect("it is in it").to_owned(), bytes));
        }
    }
    there
}

fn get(store: &OneTimeStore, key: &str) -> Option<String> {
    let mut claimed = match store.claim(key) {
        Ok(claimed) => claimed,
        Err(ClaimError::Gone { .. }) => return None,
        Err(error) => panic!("{error}"),
    };
    let mut text = String::new();
    claimed.read_to_string(&mut text).expect("it can be read");
    store.delivered(claimed).expect("it is there");
    Some(text)
}

#[test]
fn a_store_recovers_by_the_names_whatever_it_promises_itself() {
    for mechanism in Mechanism::ALL {
        for durability in PROMISES {
            let (folder, store) = new_store(mechanism, durability);
            let files = files(mechanism);
            for (path, _) in &files {
                let at = folder.path().join(path);
                fs::create_dir_all(at.parent().expect("it is in one")).expect("it is ours");
                fs::write(at, path.display().to_string()).expect("it is ours");
            }
            assert_eq!(store.recover(), Ok(done(&files)), "{mechanism:?} {durability:?}");
            assert_eq!(on_disk(folder.path()), after(&files, &done(&files)));
        }
    }
}

#[test]
fn what_a_claim_keeps_is_given_back_until_it_is_delivered() {
    for mechanism in [Mechanism::RenameUnique, Mechanism::RenameFixed] {
        let (folder, store) = new_store(mechanism, Durability::NothingLost);
        store.put("key", b"secret").expect("it is new");
        for _ in 0..2 {
            drop(store.claim("key").expect("it is there"));
            assert_eq!(get(&store, "key"), None);
            // Another store, with another promise.
            let other = OneTimeStore::open(folder.path()).expect("it is private");
            let recovered = other.mechanism(mechanism).recover().expect("it is ours");
            assert_eq!(recovered.given_back.len(), 1, "{recovered:?}");
            assert_eq!(store.status("key"), Ok(Status::Available));
        }
        let claimed = store.claim("key").expect("it is there");
        assert_eq!(claimed.recorded(), Ok(()));
        assert_eq!(store.status("key"), Ok(Status::Absent), "it is not recorded yet");
        store.delivered(claimed).expect("it is there");
        assert!(matches!(store.status("key"), Ok(Status::Delivered(_))));
        assert_eq!(store.recover(), Ok(Recovered::default()));
        assert_eq!(get(&store, "key"), None);
        assert!(on_disk(folder.path()).iter().all(|it| it.0 == Path::new("key/meta")));
    }
}

#[test]
fn a_mechanism_that_keeps_nothing_is_refused_where_nothing_may_be_lost() {
    for mechanism in [Mechanism::UnlinkDecides, Mechanism::ClaimFile, Mechanism::AdvisoryLock] {
        let (_folder, store) = new_store(mechanism, Durability::NothingLost);
        store.put("key", b"secret").expect("it is new");
        let refused = store.claim("key").map(drop);
        assert_eq!(refused, Err(ClaimError::CannotKeep(mechanism)));
        assert_eq!(store.status("key"), Ok(Status::Available));
        let store = store.durability(Durability::AtMostOnce);
        assert_eq!(get(&store, "key").as_deref(), Some("secret"));
    }
}

#[test]
fn a_delivery_that_does_not_end_on_the_kernel_says_what_is_left() {
    let (folder, store) = new_store(Mechanism::RenameFixed, Durability::NothingLost);
    store.put("key", b"secret").expect("it is new");
    let claimed = store.claim("key").expect("it is there");
    // Nobody can remove a directory by `unlink`.
    let claim_name = PathBuf::from("key/content.kept");
    fs::remove_file(folder.path().join(&claim_name)).expect("it is ours");
    fs::create_dir(folder.path().join(&claim_name)).expect("it is ours");
    match store.delivered(claimed) {
        Err(DeliveryError::Kept { claim_name: name, .. }) => assert_eq!(name, claim_name),
        other => panic!("{other:?}"),
    }

    store.put("other", b"secret").expect("it is new");
    let claimed = store.claim("other").expect("it is there");
    fs::create_dir(folder.path().join("other/meta")).expect("it is ours");
    let told = store.delivered(claimed);
    assert_eq!(told, Err(DeliveryError::NotRecorded { errno: Errno::ISDIR }));
    assert!(!folder.path().join("other/content.kept").exists(), "it was delivered");
}

#[test]
fn one_download_that_cannot_be_recovered_keeps_no_other_from_that() {
    for durability in PROMISES {
        let (folder, store) = new_store(Mechanism::RenameUnique, durability);
        let path = |key: &str, name: &str| Path::new(key).join(format!("{name}.{TOKEN}"));
        for key in ["a", "b", "c"] {
            fs::create_dir(folder.path().join(key)).expect("it is new");
        }
        let (first, broken, last) =
            (path("a", "content"), path("b", "content"), path("c", "content.kept"));
        fs::write(folder.path().join(&first), "taken").expect("it is ours");
        fs::create_dir(folder.path().join(&broken)).expect("it is ours");
        fs::write(folder.path().join(&last), "kept").expect("it is ours");
        let RecoverError { path, call, done, .. } =
            store.recover().expect_err("nobody can remove a directory by `unlink`");
        assert_eq!((path, call), (broken.clone(), "unlink"));
        let did = Recovered { given_back: vec![last], removed: vec![first], left: vec![] };
        assert_eq!(done, did);
        assert_eq!(get(&store, "c").as_deref(), Some("kept"));
        fs::remove_dir(folder.path().join(broken)).expect("it is ours");
        assert_eq!(store.recover(), Ok(Recovered::default()));
    }
}
