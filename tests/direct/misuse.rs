//! Programs that are not what a check can be about, and some that look as if they were not: each is found
//! out, or is explored as it is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use toctou::check::{System, Value};
use toctou::db::{
    Answer, Column, Database, Isolation, Select, SimDb, SimSession, SqlError, Statement, Table,
    Update, row,
};
use toctou::direct::{self, Code, DirectDb, DirectFs, DirectSession, Own};
use toctou::fs::{AtFlags, Errno, FileSystem, Mode, OFlags, OWN, Owner, SimFs};
use toctou::{Process, std as checked};

use super::{PRIVATE, graph};

const LINE: &str = "tests/direct/misuse.rs";

fn complaint<W: Value, P: Process<W, Output: Value> + Value>(system: System<W, P>) -> String {
    // In one line, however it is broken into several.
    system.examine().complaint().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_program_that_ends_instead_of_asking_is_not_deterministic() {
    let runs = AtomicUsize::new(0);
    let code = Code::files(move |fs| {
        let _ = fs.stat("a", AtFlags::empty());
        if runs.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
            let _ = fs.unlink("b");
        }
    });
    let told = complaint(System::new(SimFs::new()).clients(1, code));
    assert!(told.contains("not deterministic"), "{told}");
    assert!(told.contains("Before it asked `unlink(b)`"), "{told}");
    assert!(told.contains("now it ends without"), "{told}");
}

#[test]
fn an_attempt_that_asks_nothing_is_told() {
    let code = Code::files(|_| direct::retry(|| None::<()>));
    let told = complaint(System::new(SimFs::new()).clients(1, code));
    assert!(told.contains("came to nothing and asked nothing"), "{told}");
}

/// A number and a lock; two programs add to the number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Counter {
    number: u32,
    is_locked: bool,
}

/// Lets go when it is dropped.
struct Guard<'a>(&'a mut Own<Counter>);

impl<'a> Guard<'a> {
    fn new(counter: &'a mut Own<Counter>) -> Self {
        counter.wait("lock", |counter| (!counter.is_locked).then(|| counter.is_locked = true));
        Guard(counter)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let was_locked =
            self.0.call("unlock", |counter| std::mem::replace(&mut counter.is_locked, false));
        assert!(was_locked || std::thread::panicking(), "it was its own");
    }
}

/// A run that is abandoned drops the guard, which asks for an answer; nothing comes of it.
#[test]
fn a_guard_over_a_world_of_ones_own_lets_go_by_dropping() {
    let add = |counter: &mut Own<Counter>| {
        let guard = Guard::new(counter);
        let number = guard.0.call("read", |counter| counter.number);
        guard.0.call(format!("write {}", number + 1), |counter| counter.number = number + 1);
    };
    let system = System::new(Counter::default())
        .clients(3, Code::over(add))
        .finally("all-added", |state| state.world().number == 3 && !state.world().is_locked);
    let told = system.examine().to_string();
    assert!(told.contains("graph, loom, shuttle agree"), "{told}");
    assert!(!told.contains("violated"), "{told}");
}

/// What is looked at before a choice, and before a wait, is known after it.
#[test]
fn a_look_comes_before_a_choice_and_before_a_wait() {
    let looks = |counter: &mut Own<Counter>| {
        let seen = counter.look(|counter| counter.number);
        let way = direct::choose(2);
        let locked = counter.look(|counter| counter.is_locked);
        counter.wait("lock", |counter| (!counter.is_locked).then(|| counter.is_locked = true));
        counter.call("unlock", |counter| counter.is_locked = false);
        (seen, way, locked)
    };
    let system = System::new(Counter::default())
        .clients(2, Code::over(looks))
        .always("zero", |state| state.world().number == 0)
        .reaches("first", |client| matches!(client.output(), Some((0, 0, _))))
        .reaches("second", |client| matches!(client.output(), Some((0, 1, _))))
        .reaches("late", |client| matches!(client.output(), Some((_, _, true))));
    let told = system.examine().to_string();
    assert!(told.contains("graph, loom, shuttle agree"), "{told}");
    assert!(!told.contains("violated"), "{told}");
}

static ACCOUNT: Table = Table {
    name: "account",
    columns: &[Column::int("id"), Column::int("balance")],
    unique: Some("id"),
};

fn add(amount: i64) -> Statement {
    Update::new(&ACCOUNT).add("balance", amount).filter("id", 1).into()
}

fn told(
    db: &mut DirectDb,
    session: &mut DirectSession,
    what: Statement,
) -> Result<Answer, SqlError> {
    match db.execute(session, &what) {
        toctou::db::Reply::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// It waits for a row with its first statement, in a session that it has just opened: it has one session, and
/// the update is done once.
#[test]
fn a_session_that_is_opened_before_a_wait_is_opened_once() {
    let second = |db: &mut DirectDb, _: &mut DirectSession| {
        let mut own = db.connect().map_err(|error| error.state)?;
        told(db, &mut own, add(1)).map(drop).map_err(|error| error.state)
    };
    let first = |db: &mut DirectDb, session: &mut DirectSession| {
        let steps = [
            Statement::Begin(Isolation::ReadCommitted),
            add(10),
            Select::columns(&ACCOUNT, &["balance"]).filter("id", 1).into(),
            Statement::Commit,
        ];
        for step in steps {
            told(db, session, step).map_err(|error| error.state)?;
        }
        Ok(())
    };
    let world = SimDb::new().with_table(&ACCOUNT, [row([1.into(), 100.into()])]);
    let system = System::new(world)
        .actor("first", Code::session(SimSession::new(), first))
        .actor("second", Code::session(SimSession::new(), second))
        .finally("both-added", |state| {
            let rows = state.world().rows(&ACCOUNT);
            state.outputs().all(Result::is_ok) && rows == [row([1.into(), 111.into()])]
        });
    let told = system.examine().to_string();
    assert!(told.contains("graph, loom, shuttle agree"), "{told}");
    assert!(!told.contains("violated"), "{told}");
}

#[test]
fn std_in_an_exploration_of_another_world_is_refused() {
    let before = std::fs::exists("audit.log").unwrap();
    let code = Code::over(|counter: &mut Own<Counter>| {
        counter.call("count", |counter| counter.number += 1);
        checked::fs::write("audit.log", "x").is_ok()
    });
    let told = complaint(System::new(Counter::default()).clients(1, code));
    assert!(told.contains("the program is checked in a world that is no file system"), "{told}");
    assert!(told.contains(LINE), "{told}");
    assert_eq!(std::fs::exists("audit.log").unwrap(), before);
}

#[test]
fn a_real_file_that_was_opened_outside_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let file = Arc::new(checked::fs::File::create(&path).unwrap());
    let code = Code::new(move || std::io::Write::write(&mut &*file, b"x").is_ok());
    let told = complaint(System::new(SimFs::new()).clients(1, code));
    assert!(told.contains("a file that was opened outside of the exploration"), "{told}");
    assert_eq!(std::fs::read(&path).unwrap(), b"");
}

#[test]
fn a_question_that_differs_is_told_with_the_line_of_the_users_code() {
    let runs = AtomicUsize::new(0);
    let code = Code::new(move || {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        let _ = checked::fs::remove_file(format!("{run}"));
        let _ = checked::fs::remove_file("end");
    });
    let told = complaint(System::new(SimFs::new()).clients(1, code));
    assert!(told.contains("not deterministic"), "{told}");
    assert!(told.contains(LINE), "{told}");
}

#[test]
fn a_lock_of_the_process_that_is_held_across_an_operation_is_explained() {
    static LOCK: Mutex<()> = Mutex::new(());
    let code = Code::new(|| {
        let _held = LOCK.lock().unwrap();
        let there = checked::fs::exists("lock").is_ok_and(|there| there);
        !there && checked::fs::write("lock", "").is_ok()
    });
    let told = complaint(System::new(SimFs::new()).clients(2, code));
    assert!(told.contains("PoisonError"), "{told}");
    assert!(told.contains("A lock between processes belongs to the world"), "{told}");
}

#[test]
fn a_stretch_that_takes_a_lock_is_not_forgotten() {
    let code = Code::files(|fs: &mut DirectFs| {
        let mut file = fs.open("lock", OFlags::CREATE | OFlags::WRONLY, PRIVATE)?;
        direct::forget_over(&mut (fs, &mut file), |(fs, file)| {
            fs.flock(file, toctou::fs::FlockOperation::LockExclusive)
        })
    });
    let told = complaint(System::new(SimFs::new()).clients(1, code));
    assert!(told.contains("takes or releases a lock"), "{told}");
}

/// Takes over a lock that has been there for so many sleeps.
fn lock_or_steal(tries: usize) -> bool {
    for _ in 0..tries {
        if checked::fs::File::create_new("lock").is_ok() {
            return true;
        }
        checked::thread::sleep(Duration::from_millis(100));
    }
    let _ = checked::fs::remove_file("lock");
    checked::fs::File::create_new("lock").is_ok()
}

/// A holder may work for longer than others sleep.
#[test]
fn a_loop_that_gives_up_gives_up_though_nothing_has_changed() {
    let holds = || {
        let has_it = lock_or_steal(3);
        let held = has_it.then(|| direct::section("has the lock"));
        let _ = checked::fs::exists("work");
        drop(held);
        has_it && checked::fs::remove_file("lock").is_ok()
    };
    let system =
        System::new(SimFs::new()).clients(2, Code::new(holds)).at_most(1, "one-holder", |client| {
            client.running().filter(|code| code.is_in("has the lock")).map(|_| ())
        });
    let told = complaint(system);
    assert!(told.contains("`one-holder` is violated"), "{told}");
}

/// Without an end, it has finitely many states all the same.
#[test]
fn a_loop_that_sleeps_until_it_has_the_lock_is_explored_to_its_end() {
    let holds = || -> std::io::Result<()> {
        while checked::fs::File::create_new("lock").is_err() {
            checked::thread::sleep(Duration::from_millis(100));
        }
        let _held = direct::section("has the lock");
        checked::fs::exists("work")?;
        checked::fs::remove_file("lock")
    };
    let system = System::new(SimFs::new())
        .clients(2, Code::io(holds))
        .at_most(1, "one-holder", |client| {
            client.running().filter(|code| code.is_in("has the lock")).map(|_| ())
        })
        .finally("all-had-it", |state| state.outputs().all(Result::is_ok));
    let report = graph(system);
    assert!(report.holds() && report.exhaustive(), "{report}");
}

/// A name of one's own that others can read is nobody's own.
#[test]
fn an_own_name_that_travels_is_a_mistake() {
    let writes = |fs: &mut DirectFs| -> Result<(), Errno> {
        let mut file = fs.open("lock", OFlags::CREATE | OFlags::WRONLY, PRIVATE)?;
        fs.write(&mut file, OWN.as_bytes()).map(drop)
    };
    let links = |fs: &mut DirectFs| fs.symlink(OWN.as_ref(), "lock");
    for code in [Code::files(writes), Code::files(links)] {
        let told = complaint(System::new(SimFs::new()).clients(2, Owner::new(code)));
        assert!(told.contains("learns a name that is another's own"), "{told}");
    }
    let within = |fs: &mut DirectFs| fs.mkdir(&format!(".{OWN}.tmp"), Mode::RWXU);
    let told = complaint(System::new(SimFs::new()).clients(2, Owner::new(Code::files(within))));
    assert!(told.contains("ends with `OWN`"), "{told}");
}

/// A combinator that polls only what was woken, as those of `futures` do.
#[test]
fn a_future_that_is_polled_only_when_it_was_woken_comes_to_its_end() {
    use std::sync::atomic::AtomicBool;
    use std::task::{Context, Poll, Wake, Waker};

    struct Woken(AtomicBool);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    async fn only_when_woken<F: Future + Unpin>(mut future: F) -> F::Output {
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        let mut polls = 0;
        std::future::poll_fn(|_| {
            polls += 1;
            assert!(polls < 100, "it is never woken");
            if !woken.0.swap(false, Ordering::Relaxed) {
                return Poll::Pending;
            }
            std::pin::Pin::new(&mut future).poll(&mut Context::from_waker(&waker))
        })
        .await
    }

    let code = Code::future(|| only_when_woken(Box::pin(super::make("one"))));
    let system = System::new(SimFs::new())
        .clients(2, code)
        .finally("made", |state| state.outputs().all(|made| *made));
    let report = graph(system);
    assert!(report.holds(), "{report}");
}
