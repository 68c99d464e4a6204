//! Everybody at once, on the kernel: threads, processes, and puts and expiries among the claims.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use toctou::store::{ClaimError, Mechanism, OneTimeStore, PutError};

use crate::child;

fn new_store() -> (TempDir, OneTimeStore) {
    let folder = tempfile::tempdir().expect("there is a place for temporary directories");
    let store = OneTimeStore::open(folder.path()).expect("it is private");
    (folder, store.durable(false))
}

/// What a claim gets; any error but `Gone` takes the place of a secret, and is none.
fn get(store: &OneTimeStore, key: &str) -> Option<Vec<u8>> {
    match store.claim(key) {
        Ok(mut claimed) => {
            let mut bytes = Vec::new();
            match (claimed.read_to_end(&mut bytes), claimed.recorded()) {
                (Ok(_), Ok(())) => Some(bytes),
                failed => Some(format!("{failed:?}").into_bytes()),
            }
        }
        Err(ClaimError::Gone { .. }) => None,
        Err(error) => Some(error.to_string().into_bytes()),
    }
}

#[test]
fn of_sixteen_threads_one_gets_the_secret_whatever_the_mechanism() {
    const THREADS: usize = 16;
    for mechanism in Mechanism::ALL {
        let (_folder, store) = new_store();
        let store = store.mechanism(mechanism);
        let round = AtomicUsize::new(0);
        let delivered = Mutex::new(Vec::new());
        let (starts, ends, over) =
            (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1), AtomicBool::new(false));
        // By a marker, a key can be used once.
        let key = |round: usize| match mechanism {
            Mechanism::ClaimFile => format!("key {round}"),
            _ => "key".to_owned(),
        };
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    loop {
                        starts.wait();
                        if over.load(Ordering::SeqCst) {
                            break;
                        }
                        if let Some(secret) = get(&store, &key(round.load(Ordering::SeqCst))) {
                            delivered.lock().expect("nobody panicked").push(secret);
                        }
                        ends.wait();
                    }
                });
            }
            let started = Instant::now();
            while started.elapsed() < Duration::from_millis(400) {
                let now = round.fetch_add(1, Ordering::SeqCst) + 1;
                let secret = format!("secret {now}").into_bytes();
                let put = store.put(&key(now), &secret);
                starts.wait();
                ends.wait();
                let got = std::mem::take(&mut *delivered.lock().expect("nobody panicked"));
                if put.is_err() || got != [secret] {
                    // Nobody is to wait for ever for a failure to be told.
                    over.store(true, Ordering::SeqCst);
                    starts.wait();
                    panic!("{mechanism:?}, round {now}: {put:?}, {got:?}");
                }
            }
            over.store(true, Ordering::SeqCst);
            starts.wait();
        });
        let rounds = round.load(Ordering::SeqCst);
        println!("{mechanism:?}: {rounds} rounds of {THREADS} threads");
        assert!(rounds >= 20, "{rounds}");
    }
}

const KEYS: usize = 60;

#[test]
fn of_several_processes_one_gets_each_secret_whatever_the_mechanism() {
    const PROCESSES: usize = 4;
    for mechanism in Mechanism::ALL {
        let (folder, store) = new_store();
        for number in 0..KEYS {
            store.put(&format!("{number}"), format!("{number}").as_bytes()).expect("it is new");
        }
        fs::write(folder.path().join("mechanism"), format!("{mechanism:?}")).expect("it is new");
        let program = child::this_program();
        let children: Vec<_> = (0..PROCESSES)
            .map(|_| {
                let mut command = child::command(&program, &[], "claims", folder.path());
                let command = command.stdout(std::process::Stdio::piped());
                command.stderr(std::process::Stdio::piped()).spawn().expect("it can be run again")
            })
            .collect();
        let ready = || {
            let entries = fs::read_dir(folder.path()).expect("it is a directory");
            let names = entries.map(|entry| entry.expect("it can be read").file_name());
            names.filter(|name| name.to_string_lossy().starts_with("ready.")).count()
        };
        let started = Instant::now();
        while ready() < PROCESSES && started.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(2));
        }
        fs::write(folder.path().join("go"), b"").expect("it is new");
        let mut claims = HashMap::new();
        let mut winners = 0;
        for child in children {
            let output = child.wait_with_output().expect("it was started");
            let told = child::printed("claims", &output);
            let before = claims.values().sum::<usize>();
            for line in told.lines().filter_map(|line| line.strip_prefix("got ")) {
                *claims.entry(line.to_owned()).or_insert(0) += 1;
            }
            winners += usize::from(claims.values().sum::<usize>() > before);
        }
        let expected = (0..KEYS).map(|number| (format!("{number} {number}"), 1)).collect();
        assert_eq!(claims, expected, "{mechanism:?}");
        println!("{mechanism:?}: {winners} of {PROCESSES} processes won something");
    }
}

/// Claims every key as soon as everybody is ready, and prints what it got.
pub(crate) fn claims_of_one_process(directory: &Path) {
    let name = fs::read_to_string(directory.join("mechanism")).expect("it was written");
    let mechanism = Mechanism::ALL.into_iter().find(|each| format!("{each:?}") == name);
    let store = OneTimeStore::open(directory).expect("it is private");
    let store = store.mechanism(mechanism.expect("it is one of them"));
    fs::write(directory.join(format!("ready.{}", std::process::id())), b"").expect("it is new");
    while !directory.join("go").exists() {
        thread::yield_now();
    }
    for key in 0..KEYS {
        if let Some(secret) = get(&store, &format!("{key}")) {
            println!("got {key} {}", String::from_utf8_lossy(&secret));
        }
    }
}

/// What became of the secrets of a [`hammer`].
#[derive(Debug, Default)]
struct Ledger {
    /// How often each was delivered.
    delivered: HashMap<Vec<u8>, usize>,
    stored: Vec<Vec<u8>>,
    expired: usize,
}

/// Puts, claims, expires (and replaces) two keys from many threads, then claims what is left.
fn hammer(replace: bool) -> Ledger {
    let (_folder, store) = new_store();
    let (ledger, over) = (Mutex::new(Ledger::default()), AtomicBool::new(false));
    let numbers = AtomicUsize::new(0);
    let going = || !over.load(Ordering::Relaxed);
    let record =
        |change: &dyn Fn(&mut Ledger)| change(&mut ledger.lock().expect("nobody panicked"));
    let take = |key: &str| {
        let got = get(&store, key);
        if let Some(secret) = got.clone() {
            record(&|ledger| *ledger.delivered.entry(secret.clone()).or_insert(0) += 1);
        }
        got.is_some()
    };
    const KEYS: [&str; 2] = ["one", "two"];
    thread::scope(|scope| {
        for number in 0..9 {
            let (store, take, record, numbers, going) = (&store, &take, &record, &numbers, &going);
            let key = KEYS[number % 2];
            scope.spawn(move || {
                while going() {
                    match number {
                        0..3 => {
                            let now = numbers.fetch_add(1, Ordering::Relaxed);
                            let secret = format!("secret {now}").into_bytes();
                            let put = match replace && now % 3 == 0 {
                                true => store.replace(key, &secret),
                                false => store.put(key, &secret),
                            };
                            match put {
                                Ok(()) => record(&|ledger| ledger.stored.push(secret.clone())),
                                Err(PutError::Occupied { .. }) => thread::yield_now(),
                                Err(error) => panic!("{error}"),
                            }
                        }
                        3..8 if take(key) => {}
                        3..8 => thread::yield_now(),
                        _ => {
                            for key in KEYS {
                                let expired = store.expire(key).expect("it is ours");
                                record(&|ledger| ledger.expired += usize::from(expired));
                            }
                            store.leftovers().expect("what goes meanwhile is no error");
                        }
                    }
                }
            });
        }
        thread::sleep(Duration::from_millis(700));
        over.store(true, Ordering::Relaxed);
    });
    for key in KEYS {
        assert!(!(take(key) && take(key)), "there is one content at most");
    }
    assert_eq!(store.leftovers().expect("it can be listed"), []);
    let ledger = ledger.into_inner().expect("nobody panicked");
    println!(
        "{} stored, {} delivered, {} expired",
        ledger.stored.len(),
        ledger.delivered.len(),
        ledger.expired
    );
    let stored: HashSet<_> = ledger.stored.iter().collect();
    for (secret, times) in &ledger.delivered {
        let secret_text = String::from_utf8_lossy(secret);
        assert_eq!(*times, 1, "{secret_text} was delivered {times} times");
        assert!(stored.contains(secret), "{secret_text} was never put");
    }
    assert!(ledger.delivered.len() >= 10 && ledger.expired > 0, "everybody did something");
    ledger
}

#[test]
fn under_puts_claims_and_expiries_each_secret_is_delivered_once_or_expired_once() {
    let ledger = hammer(false);
    assert_eq!(ledger.stored.len(), ledger.delivered.len() + ledger.expired);
}

#[test]
fn under_replacing_puts_too_no_secret_is_delivered_twice() {
    let ledger = hammer(true);
    assert!(ledger.stored.len() >= ledger.delivered.len() + ledger.expired);
}
