//! The store on the kernel: what it takes and refuses, what it leaves on disk, what it tells.

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;
use toctou::direct::{Code, DirectFs, Files};
use toctou::fs::{OsFile, OsFs};
use toctou::store::{
    ClaimEnd, ClaimError, Durability, ExpireError, KeyError, Mechanism, Names, OneTimeStore,
    OpenError, PutEnd, PutError, PutRequest, Status, claim, expire, put,
};
use toctou::{Process, Step, run};

fn new_store() -> (TempDir, OneTimeStore) {
    let folder = tempfile::tempdir().expect("there is a place for temporary directories");
    let store = OneTimeStore::open(folder.path()).expect("it is private");
    (folder, store.durable(false))
}

fn get(store: &OneTimeStore, key: &str) -> Result<Vec<u8>, ClaimError> {
    let mut bytes = Vec::new();
    store.claim(key)?.read_to_end(&mut bytes).expect("what was claimed can be read");
    Ok(bytes)
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).expect("it is a directory").next().is_none()
}

fn path_leaves(store: &OneTimeStore) -> Vec<PathBuf> {
    let leftovers = store.leftovers().expect("it can be listed");
    leftovers.into_iter().map(|leftover| leftover.path).collect()
}

#[test]
fn a_text_that_is_no_plain_file_name_is_no_key_and_makes_nothing() {
    let (folder, store) = new_store();
    let character = |key: &str, character| KeyError::Character { key: key.to_owned(), character };
    let long = "k".repeat(256);
    let wide = "é".repeat(128);
    for (key, error) in [
        ("", KeyError::Empty),
        (".", KeyError::NotAName(".".to_owned())),
        ("..", KeyError::NotAName("..".to_owned())),
        ("/", character("/", '/')),
        ("/etc/passwd", character("/etc/passwd", '/')),
        ("../outside", character("../outside", '/')),
        ("a/b", character("a/b", '/')),
        ("a/", character("a/", '/')),
        ("a\\b", character("a\\b", '\\')),
        ("a\0b", character("a\0b", '\0')),
        ("\0", character("\0", '\0')),
        ("a\nb", character("a\nb", '\n')),
        ("\x1b[31m", character("\x1b[31m", '\x1b')),
        ("a\x7f", character("a\x7f", '\x7f')),
        ("a\u{85}", character("a\u{85}", '\u{85}')),
        (&long, KeyError::TooLong(256)),
        (&wide, KeyError::TooLong(256)),
    ] {
        assert_eq!(store.put(key, b"x"), Err(PutError::BadKey(error.clone())));
        assert_eq!(store.replace(key, b"x"), Err(PutError::BadKey(error.clone())));
        assert_eq!(store.claim(key).err(), Some(ClaimError::BadKey(error.clone())));
        assert_eq!(store.expire(key), Err(ExpireError::BadKey(error.clone())));
        assert_eq!(store.status(key), Err(error));
        let by_marker = OneTimeStore::open(folder.path()).expect("it is private");
        let by_marker = by_marker.mechanism(Mechanism::ClaimFile);
        assert!(matches!(by_marker.put(key, b"x"), Err(PutError::BadKey(_))));
    }
    assert!(is_empty(folder.path()));
    assert!(!folder.path().with_file_name("outside").exists());
}

#[test]
fn odd_names_are_keys_all_the_same() {
    for mechanism in Mechanism::ALL {
        let (_folder, store) = new_store();
        let store = store.mechanism(mechanism);
        let long = "k".repeat(255);
        for key in [" ", "...", ".hidden", "-rf", "~", "*", "content", "meta", "schlüssel", &long]
        {
            store.put(key, key.as_bytes()).unwrap_or_else(|error| panic!("{key}: {error}"));
            assert_eq!(get(&store, key).as_deref(), Ok(key.as_bytes()));
        }
    }
}

#[test]
fn a_store_opens_only_in_a_directory_that_is_its_owners_alone_to_write() {
    let folder = tempfile::tempdir().expect("there is a place for temporary directories");
    let path = folder.path().join("missing");
    let error = OneTimeStore::open(&path).expect_err("it is missing");
    assert_eq!(error, OpenError::Missing { path: path.clone() });
    assert!(!path.exists());

    let path = folder.path().join("file");
    fs::write(&path, b"").expect("it is new");
    let error = OneTimeStore::open(&path).expect_err("it is a file");
    assert_eq!(error, OpenError::NotADirectory { path });

    let path = folder.path().join("directory");
    fs::create_dir(&path).expect("it is new");
    for mode in [0o770, 0o707, 0o720, 0o702, 0o1777] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
        let error = OneTimeStore::open(&path).expect_err("others may write");
        assert_eq!(error, OpenError::NotPrivate { path: path.clone(), mode });
    }
    for mode in [0o700, 0o755, 0o750] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("it is ours");
        OneTimeStore::open(&path).expect("only its owner may write");
    }
}

#[test]
fn a_file_in_the_place_of_a_download_is_an_error_and_is_left_alone() {
    for mechanism in Mechanism::ALL {
        let (folder, store) = new_store();
        let store = store.mechanism(mechanism);
        let path = folder.path().join("key");
        fs::write(&path, b"not ours").expect("it is new");
        assert!(matches!(store.put("key", b"x"), Err(PutError::Failed { left: None, .. })));
        assert!(matches!(store.claim("key"), Err(ClaimError::Failed { .. })));
        assert!(matches!(store.expire("key"), Err(ExpireError::Failed { .. })));
        assert_eq!(store.status("key"), Ok(Status::Absent));
        assert_eq!(path_leaves(&store), [] as [PathBuf; 0]);
        assert_eq!(fs::read(&path).ok().as_deref(), Some(&b"not ours"[..]));
    }
}

#[test]
fn a_secret_is_put_once_replaced_claimed_once_and_expired() {
    for mechanism in Mechanism::ALL {
        for durable in [false, true] {
            let (folder, store) = new_store();
            let store = store.mechanism(mechanism).durable(durable);
            let gone = |key: &str| matches!(store.claim(key), Err(ClaimError::Gone { .. }));
            assert!(gone("key"));
            assert_eq!(store.status("key"), Ok(Status::Absent));
            assert_eq!(store.expire("key"), Ok(false));
            assert!(is_empty(folder.path()));

            store.put("key", b"first").expect("it is new");
            assert_eq!(store.status("key"), Ok(Status::Available));
            let occupied = PutError::Occupied { key: "key".to_owned() };
            assert_eq!(store.put("key", b"second"), Err(occupied));
            assert_eq!(fs::read(folder.path().join("key/content")).ok(), Some(b"first".to_vec()));
            store.replace("key", b"third").expect("it is ours");
            assert_eq!(get(&store, "key").as_deref(), Ok(&b"third"[..]));
            assert!(gone("key"));
            let Ok(Status::Delivered(at)) = store.status("key") else { panic!("delivered") };
            let ago = SystemTime::now().duration_since(at).unwrap_or_default();
            assert!(ago < Duration::from_secs(60), "{ago:?}");
            assert_eq!(store.expire("key"), Ok(false));

            store.put("other", b"").expect("it is new");
            assert_eq!(get(&store, "other").as_deref(), Ok(&b""[..]));
            store.put("third", b"unclaimed").expect("it is new");
            assert_eq!(store.expire("third"), Ok(true));
            assert!(gone("third"));
            assert!(!folder.path().join("third").exists());
            assert_eq!(path_leaves(&store), [] as [PathBuf; 0]);
        }
    }
}

#[test]
fn a_key_can_be_used_again_but_by_marker_where_it_says_so() {
    for mechanism in Mechanism::ALL {
        let (_folder, store) = new_store();
        let store = store.mechanism(mechanism);
        store.put("key", b"first").expect("it is new");
        assert_eq!(get(&store, "key").as_deref(), Ok(&b"first"[..]));
        let again = store.put("key", b"second");
        if mechanism == Mechanism::ClaimFile {
            let marker = PathBuf::from("key/claim");
            assert_eq!(again, Err(PutError::Used { key: "key".to_owned(), marker }));
        } else {
            assert_eq!(again, Ok(()));
            assert_eq!(get(&store, "key").as_deref(), Ok(&b"second"[..]));
        }
    }
}

#[test]
fn content_appears_whole_or_not_at_all() {
    const SIZE: usize = 2 << 20;
    let (folder, store) = new_store();
    let path = folder.path().join("key/content");
    let ended = AtomicBool::new(false);
    let (seen, missing) = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut seen, mut missing) = ([false; 256], 0);
            while !ended.load(Ordering::Relaxed) {
                let Ok(bytes) = fs::read(&path) else {
                    missing += 1;
                    continue;
                };
                assert_eq!(bytes.len(), SIZE);
                assert!(bytes.iter().all(|byte| *byte == bytes[0]), "a mixture");
                seen[usize::from(bytes[0])] = true;
            }
            (seen.iter().filter(|seen| **seen).count(), missing)
        });
        let started = Instant::now();
        let mut number = 0_u8;
        let mut written = Ok(());
        while written.is_ok() && started.elapsed() < Duration::from_millis(600) {
            number = number.wrapping_add(1);
            let content = vec![number; SIZE];
            if number.is_multiple_of(4) {
                store.expire("key").expect("it is ours");
                written = store.put("key", &content);
            } else {
                written = store.replace("key", &content);
            }
        }
        ended.store(true, Ordering::Relaxed);
        assert_eq!(written, Ok(()));
        reader.join().expect("no assertion failed")
    });
    println!("{seen} contents seen, {missing} times none");
    assert!(seen > 3, "{seen}");
}

/// A claim as a process on the kernel; whether it won.
fn claiming(mechanism: Mechanism, names: &Names) -> Code<Files<OsFile>, bool> {
    let names = names.clone();
    let won = move |fs: &mut DirectFs| {
        matches!(claim(fs, mechanism, Durability::None, &names), ClaimEnd::Claimed { .. })
    };
    Code::files(won).over_files()
}

fn putting(request: PutRequest) -> Code<Files<OsFile>, PutEnd> {
    Code::files(move |fs| put(fs, &request)).over_files()
}

/// Takes `steps` steps of a process and drops it: a crash.
fn crash<W: ?Sized, P: Process<W>>(mut process: P, steps: usize, world: &mut W) {
    for _ in 0..steps {
        match process.step(world) {
            Step::Next(next) | Step::Blocked(next) => process = next,
            Step::Done(_) | Step::Choice(_) => return,
        }
    }
}

#[test]
fn what_a_crash_leaves_is_listed_and_a_claim_that_won_can_be_given_back() {
    let (folder, store) = new_store();
    let fs_ = OsFs::open(folder.path()).expect("it is ours");
    let key = Path::new("key");
    let names = Names::new(key, Mechanism::RenameUnique, Durability::None, "dead");

    store.put("key", b"secret").expect("it is new");
    for steps in [1, 2] {
        crash(claiming(Mechanism::RenameUnique, &names), steps, &mut &fs_);
        assert!(matches!(store.claim("key"), Err(ClaimError::Gone { .. })));
        let dead = folder.path().join(names.claim());
        assert_eq!(path_leaves(&store), std::slice::from_ref(&dead));
        assert_eq!(fs::read(&dead).ok().as_deref(), Some(&b"secret"[..]));
        assert_eq!(store.expire("key"), Ok(false));
        assert!(dead.exists(), "an expiry does not take what a claim may be at");
        fs::rename(&dead, folder.path().join("key/content")).expect("it is there");
    }
    assert_eq!(get(&store, "key").as_deref(), Ok(&b"secret"[..]));
    assert_eq!(path_leaves(&store), [] as [PathBuf; 0]);

    let request = PutRequest::new(key, "dead", b"other".to_vec());
    let temporary = folder.path().join(&request.temporary);
    crash(putting(request), 2, &mut &fs_);
    assert_eq!(path_leaves(&store), [temporary]);
    assert!(matches!(store.claim("key"), Err(ClaimError::Gone { .. })));
    store.put("key", b"other").expect("nobody is in its way");
    assert_eq!(get(&store, "key").as_deref(), Ok(&b"other"[..]));

    store.put("marked", b"secret").expect("it is new");
    let names = Names::new(Path::new("marked"), Mechanism::ClaimFile, Durability::None, "");
    crash(claiming(Mechanism::ClaimFile, &names), 2, &mut &fs_);
    assert!(path_leaves(&store).contains(&folder.path().join(names.claim())));
    let _ = expire(&mut &fs_, Path::new("marked"), false);
    assert!(!path_leaves(&store).contains(&folder.path().join(names.claim())));
}

#[test]
fn a_claims_file_tells_when_it_was_claimed_not_only_when_it_was_put() {
    let (folder, store) = new_store();
    store.put("key", b"secret").expect("it is new");
    let path = folder.path().join("key/content");
    let file = fs::File::options().write(true).open(path).expect("it is there");
    let long_ago = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 5_000);
    file.set_modified(long_ago).expect("it is ours");
    let fs_ = OsFs::open(folder.path()).expect("it is ours");
    let names = Names::new(Path::new("key"), Mechanism::RenameUnique, Durability::None, "dead");
    crash(claiming(Mechanism::RenameUnique, &names), 1, &mut &fs_);
    let leftovers = store.leftovers().expect("it can be listed");
    let [leftover] = &leftovers[..] else { panic!("{leftovers:?}") };
    assert_eq!(leftover.modified, long_ago);
    let ago = SystemTime::now().duration_since(leftover.changed).unwrap_or_default();
    assert!(ago < Duration::from_secs(60), "{ago:?}");
}

#[test]
fn a_store_stays_where_it_was_opened_when_its_directory_is_renamed() {
    let folder = tempfile::tempdir().expect("there is a place for temporary directories");
    let (before, after) = (folder.path().join("before"), folder.path().join("after"));
    fs::create_dir(&before).expect("it is new");
    fs::set_permissions(&before, Permissions::from_mode(0o700)).expect("it is ours");
    let store = OneTimeStore::open(&before).expect("it is private").durable(false);
    fs::rename(&before, &after).expect("it is ours");
    store.put("key", b"secret").expect("it is new");
    assert!(after.join("key/content").exists());
    assert_eq!(store.status("key"), Ok(Status::Available));
    let request = PutRequest::new(Path::new("key"), "dead", b"other".to_vec());
    crash(putting(request), 2, &mut &OsFs::open(&after).expect("it is ours"));
    assert_eq!(path_leaves(&store).len(), 1);
    assert_eq!(get(&store, "key").as_deref(), Ok(&b"secret"[..]));
}

#[test]
fn a_directory_in_the_place_of_content_is_given_back() {
    for mechanism in Mechanism::ALL {
        let (folder, store) = new_store();
        let store = store.mechanism(mechanism);
        let inner = folder.path().join("key/content/inner");
        fs::create_dir_all(&inner).expect("it is new");
        assert!(matches!(store.claim("key"), Err(ClaimError::Failed { call: "unlink", .. })));
        assert!(inner.exists(), "{mechanism:?}");
    }
}

#[test]
fn a_claim_by_lock_waits_for_its_turn_and_is_told_gone() {
    let (folder, store) = new_store();
    let store = store.mechanism(Mechanism::AdvisoryLock);
    store.put("key", b"secret").expect("it is new");
    let names = Names::new(Path::new("key"), Mechanism::AdvisoryLock, Durability::None, "");
    let fs_ = OsFs::open(folder.path()).expect("it is ours");
    let mut winner = claiming(Mechanism::AdvisoryLock, &names);
    for _ in 0..3 {
        let Step::Next(next) = winner.step(&mut &fs_) else { panic!("it has the lock") };
        winner = next;
    }
    thread::scope(|scope| {
        let loser = scope.spawn(|| get(&store, "key"));
        thread::sleep(Duration::from_millis(50));
        assert!(!loser.is_finished(), "it waits");
        assert!(run(winner, &mut &fs_), "it has won");
        assert!(matches!(loser.join(), Ok(Err(ClaimError::Gone { .. }))));
    });
}
