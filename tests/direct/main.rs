//! Ordinary code as processes: the same systems as the machines that were written by hand, and what
//! programs may do.

mod misuse;

use std::sync::{Arc, Mutex, OnceLock};

use toctou::Process;
use toctou::check::{
    Checker, DEADLOCK_FREE, GraphOptions, PANIC_FREE, Report, Schedule, System, Value,
};
use toctou::direct::{self, Code, DirectFs, Own};
use toctou::fs::{Errno, FileSystem, FlockOperation, Mode, OFlags, SimFs};

const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// One download, put.
fn put() -> SimFs {
    let mut fs = SimFs::new();
    fs.mkdir("key", Mode::RWXU).expect("a directory");
    fs.with_file("key/content", PRIVATE, b"alpha").expect("a file")
}

fn read(fs: &mut DirectFs, file: &mut toctou::direct::DirectFile) -> Option<Vec<u8>> {
    let mut bytes = [0; 16];
    let count = fs.read(file, &mut bytes).ok()?;
    Some(bytes[..count].to_vec())
}

fn open_then_remove(fs: &mut DirectFs) -> Option<Vec<u8>> {
    let mut file = fs.open("key/content", OFlags::RDONLY, Mode::empty()).ok()?;
    let _ = fs.unlink("key/content");
    let _ = fs.open("key/meta", OFlags::WRONLY | OFlags::CREATE, PRIVATE);
    read(fs, &mut file)
}

fn rename_fixed(fs: &mut DirectFs) -> Option<Vec<u8>> {
    fs.rename("key/content", "key/content.download").ok()?;
    let mut file = fs.open("key/content.download", OFlags::RDONLY, Mode::empty()).ok()?;
    let _ = fs.unlink("key/content.download");
    let _ = fs.open("key/meta", OFlags::WRONLY | OFlags::CREATE, PRIVATE);
    read(fs, &mut file)
}

type Downloads = System<SimFs, Code<toctou::direct::Files<toctou::fs::SimFile>, Option<Vec<u8>>>>;

fn downloads(count: usize, program: fn(&mut DirectFs) -> Option<Vec<u8>>) -> Downloads {
    System::new(put())
        .clients(count, Code::files(program))
        .at_most(1, "at-most-once", |client| client.output().cloned().flatten())
        .reaches("a-delivery", |client| client.output().is_some_and(Option::is_some))
}

fn graph<W: Value, P: Process<W, Output: Value> + Value>(system: System<W, P>) -> Report {
    Checker::new(system).graph(&GraphOptions::default())
}

#[test]
fn functions_have_as_many_interleavings_as_the_machines_written_by_hand() {
    for (count, interleavings) in [(2, "46"), (3, "10836"), (7, "932398660141542720")] {
        let report = graph(downloads(count, open_then_remove));
        assert_eq!(report.interleavings.to_string(), interleavings);
        assert!(!report.holds());
    }
    for count in [2, 3] {
        let report = graph(downloads(count, rename_fixed));
        assert!(report.holds(), "{report}");
    }
}

#[test]
fn every_engine_explores_a_function_and_they_agree() {
    for program in [open_then_remove, rename_fixed] {
        let told = downloads(2, program).examine().to_string();
        assert!(told.contains("graph, loom, shuttle agree"), "{told}");
    }
}

#[test]
fn any_number_of_clients_is_decided() {
    downloads(2, rename_fixed).assert_holds();
    downloads(2, open_then_remove).assert_breaks("at-most-once");
}

#[test]
fn a_schedule_is_told_in_the_calls_of_the_function() {
    let system = downloads(2, open_then_remove);
    let played = system.play(&Schedule::of(vec![0, 1, 1])).expect("a schedule of it");
    let labels: Vec<_> = played.trace.steps.iter().map(|step| step.label.as_str()).collect();
    let told = ["open(key/content) = ok", "open(key/content) = ok", "unlink(key/content) = ok"];
    assert_eq!(labels, told);
}

/// Holds a lock while it counts.
fn count_under_lock(fs: &mut DirectFs) -> Result<u8, Errno> {
    let mut lock = fs.open("lock", OFlags::RDONLY, Mode::empty())?;
    fs.flock(&mut lock, FlockOperation::LockExclusive)?;
    let inside = direct::section("inside");
    let mut file = fs.open("count", OFlags::RDWR, Mode::empty())?;
    let mut byte = [0];
    fs.read(&mut file, &mut byte)?;
    let mut file = fs.open("count", OFlags::RDWR, Mode::empty())?;
    let count = (byte[0] + 1) % 8;
    fs.write(&mut file, &[count])?;
    drop(inside);
    Ok(count)
    // The lock goes with its file.
}

fn counters() -> SimFs {
    let fs = SimFs::new().with_file("lock", PRIVATE, b"").expect("a file");
    fs.with_file("count", PRIVATE, &[0]).expect("a file")
}

#[test]
fn a_function_waits_for_a_lock_without_knowing_and_lets_go_of_it_by_dropping() {
    System::new(counters())
        .clients(3, Code::files(count_under_lock))
        .at_most(1, "one-inside", |client| {
            client.running().filter(|it| it.is_in("inside")).map(drop)
        })
        .finally("all-counted", |state| state.world().tree().bytes("count") == Some(&[3]))
        .reaches("inside", |client| client.running().is_some_and(|it| it.is_in("inside")))
        .assert_holds();
}

#[test]
fn a_lock_that_is_not_taken_is_found_out() {
    let careless = |fs: &mut DirectFs| {
        let _inside = direct::section("inside");
        let mut file = fs.open("count", OFlags::RDWR, Mode::empty())?;
        fs.fstat(&mut file).map(drop)
    };
    System::new(counters())
        .clients(2, Code::files(careless))
        .at_most(1, "one-inside", |client| {
            client.running().filter(|it| it.is_in("inside")).map(drop)
        })
        .assert_breaks("one-inside");
}

#[test]
fn two_locks_in_two_orders_are_a_deadlock() {
    let both = |first: &'static str, second: &'static str| {
        Code::files(move |fs: &mut DirectFs| -> Result<(), Errno> {
            let mut one = fs.open(first, OFlags::RDONLY, Mode::empty())?;
            let mut other = fs.open(second, OFlags::RDONLY, Mode::empty())?;
            fs.flock(&mut one, FlockOperation::LockExclusive)?;
            fs.flock(&mut other, FlockOperation::LockExclusive)
        })
    };
    System::new(counters())
        .actor("there", both("lock", "count"))
        .actor("back", both("count", "lock"))
        .assert_breaks(DEADLOCK_FREE);
}

/// A payment that may fail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Shop {
    reserved: u8,
    paid: u8,
}

fn buy(shop: &mut Own<Shop>) -> &'static str {
    if !shop.call("reserve", |shop| {
        let is_free = shop.reserved == 0;
        shop.reserved = 1;
        is_free
    }) {
        return "sold out";
    }
    match direct::choose(3) {
        0 => shop.call("pay", |shop| shop.paid += 1),
        1 => shop.call("give back", |shop| shop.reserved = 0),
        // It dies.
        _ => return "died",
    }
    "done"
}

fn shop(clients: usize) -> System<Shop, Code<toctou::direct::Unheld<Shop>, &'static str>> {
    System::new(Shop::default())
        .clients(clients, Code::over(buy))
        .finally("nothing-is-lost", |state| state.world().reserved == state.world().paid)
        .reaches("sold-out", |client| client.output() == Some(&"sold out"))
}

#[test]
fn a_choice_is_explored_by_every_engine_and_shown_as_a_step() {
    let told = shop(2).examine();
    let text = told.to_string();
    assert!(text.contains("graph, loom, shuttle agree"), "{text}");
    assert!(text.contains("choose(3) = 2"), "{text}");
    let report = graph(shop(1));
    assert_eq!(report.interleavings.to_string(), "3");
    let finding = report.finding("nothing-is-lost").expect("it is claimed");
    let schedule = finding.verdict.schedule().expect("a schedule");
    assert_eq!(schedule.to_string(), "[0, 0#2]");
    assert_eq!(schedule.to_string().parse(), Ok(schedule.clone()));
}

#[test]
fn choices_of_several_actors_are_combined_in_every_way() {
    let pick = || {
        Code::over(|world: &mut Own<Vec<usize>>| {
            let first = direct::choose(2);
            let second = if first == 0 { direct::choose(3) } else { 0 };
            world.call("push", |all| all.push(first * 10 + second));
        })
    };
    let system = || System::new(Vec::new()).actor("one", pick()).actor("other", pick());
    let checker = Checker::new(system());
    let reports = [
        checker.graph(&GraphOptions::default()),
        checker.loom(&Default::default()),
        checker.shuttle(toctou::check::ShuttleMode::KnownStates),
        checker.shuttle(toctou::check::ShuttleMode::DepthFirst { max_executions: 100_000 }),
    ];
    // Four ways each: the world says who came first by its order.
    for report in &reports {
        assert_eq!(report.outcomes.as_ref().map(|all| all.len()), Some(16), "{report}");
    }
    assert_eq!(toctou::check::audit(&reports), []);
    let mut walked = 0;
    system().interleavings(&mut |_| {
        walked += 1;
        true
    });
    assert_eq!(reports[0].interleavings.to_string(), walked.to_string());
}

#[test]
fn a_program_that_asks_something_else_is_told_so_with_both_questions() {
    static NAMES: Mutex<u32> = Mutex::new(0);
    let random = |fs: &mut DirectFs| {
        let name = {
            let mut number = NAMES.lock().expect("nobody panics");
            *number += 1;
            format!("name-{number}")
        };
        fs.mkdir(&name, Mode::RWXU)?;
        fs.rmdir(&name)
    };
    let told = System::new(SimFs::new()).clients(1, Code::files(random)).examine().complaint();
    assert!(told.contains(PANIC_FREE), "{told}");
    assert!(told.contains("not deterministic"), "{told}");
    assert!(told.contains("`mkdir(name-"), "{told}");
    assert!(told.contains("tests/direct/main.rs"), "names the line of the user's code: {told}");
}

#[test]
fn a_panic_in_a_program_is_told_with_the_schedule() {
    let panics = |fs: &mut DirectFs| {
        fs.mkdir("a", Mode::RWXU).expect("nobody else makes it");
        fs.rmdir("a")
    };
    let told = System::new(SimFs::new()).clients(2, Code::files(panics)).examine().complaint();
    assert!(told.contains("[0, 1]"), "{told}");
    assert!(told.contains("nobody else makes it"), "{told}");
}

/// Removes its file when it goes.
struct Temporary<'f>(&'f mut DirectFs, &'static str);

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        let _ = self.0.unlink(self.1);
    }
}

#[test]
fn a_destructor_performs_its_call_as_a_step_and_once() {
    let save = |fs: &mut DirectFs| -> Result<(), Errno> {
        fs.open("t", OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY, PRIVATE)?;
        let temporary = Temporary(fs, "t");
        temporary.0.stat("other", toctou::fs::AtFlags::empty())?;
        Ok(())
    };
    let system = System::new(SimFs::new())
        .clients(1, Code::files(save))
        .finally("nothing-is-left", |state| state.world().tree().bytes("t").is_none());
    let played = system.play(&Schedule::of(vec![0, 0, 0])).expect("three steps");
    let labels: Vec<_> = played.trace.steps.iter().map(|step| step.label.as_str()).collect();
    assert_eq!(
        labels,
        ["open(t, create exclusive) = ok", "stat(other) = ENOENT", "unlink(t) = ok"]
    );
    assert_eq!(played.trace.steps[2].output.as_deref(), Some("Err(ENOENT)"));
}

#[test]
fn sections_end_in_any_order() {
    let program = |number: &mut Own<u32>| {
        let outer = direct::section("outer");
        let inner = direct::section("inner");
        number.call("look", |number| *number);
        drop(outer);
        number.call("look again", |number| *number);
        drop(inner);
        number.call("look at last", |number| *number);
    };
    let is = |local: &toctou::check::Local<Code<_, ()>, ()>, name: &str| matches!(local, toctou::check::Local::Running(code) if code.is_in(name));
    System::new(0)
        .actor("program", Code::over(program))
        .always("never-in-outer-alone", move |state| {
            state.locals().all(|local| !is(local, "outer") || is(local, "inner"))
        })
        .reachable("in-inner-alone", move |state| {
            state.locals().any(|local| is(local, "inner") && !is(local, "outer"))
        })
        .assert_holds();
}

#[test]
fn recursion_loops_and_early_returns_are_what_they_are() {
    /// Makes a directory and all above it.
    fn make_all(fs: &mut DirectFs, path: &std::path::Path) -> Result<(), Errno> {
        match fs.mkdir(path, Mode::RWXU) {
            Err(Errno::NOENT) => {
                make_all(fs, path.parent().ok_or(Errno::NOENT)?)?;
                make_all(fs, path)
            }
            Err(Errno::EXIST) => Ok(()),
            made => made,
        }
    }
    System::new(SimFs::new())
        .clients(3, Code::files(|fs| make_all(fs, "a/b/c".as_ref())))
        .finally("all-made", |state| state.outputs().all(Result::is_ok))
        .assert_holds();
}

#[test]
fn a_loop_that_tries_again_has_finitely_many_states() {
    let spin = |fs: &mut DirectFs| -> Result<(), Errno> {
        direct::retry_over(fs, |fs| {
            let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
            fs.open("lock", flags, PRIVATE).ok().map(drop)
        });
        fs.unlink("lock")
    };
    let report = graph(
        System::new(SimFs::new())
            .clients(3, Code::files(spin))
            .finally("all-had-it", |state| state.outputs().all(Result::is_ok))
            .reaches("an-end", |client| client.output().is_some()),
    );
    assert!(report.holds(), "{report}");
    assert!(report.bound.is_none(), "it is complete: {report}");
}

/// Adds one to a number by what was read, if it is still that: two operations an attempt.
#[test]
fn an_attempt_of_several_operations_is_forgotten_as_a_whole() {
    let add = |number: &mut Own<u32>| {
        direct::retry_over(number, |number| {
            let seen = number.call("read", |number| *number);
            number.call(format!("exchange({seen})"), |number| {
                let is_it = *number == seen;
                *number += u32::from(is_it);
                is_it.then_some(seen)
            })
        })
    };
    let system = System::new(0).clients(2, Code::over(add));
    let told = system
        .finally("all-added", |state| *state.world() == 2)
        .finally("each-its-own", |state| {
            let got: std::collections::BTreeSet<_> = state.outputs().collect();
            got.len() == 2
        })
        .examine()
        .to_string();
    assert!(told.contains("graph, loom, shuttle agree"), "{told}");
    assert!(!told.contains("violated"), "{told}");
}

#[test]
fn forgetting_makes_one_state_of_many() {
    fn look(fs: &mut DirectFs) -> bool {
        (0..3).any(|_| fs.stat("flag", toctou::fs::AtFlags::empty()).is_ok())
    }
    fn system(
        forgets: bool,
    ) -> System<SimFs, Code<toctou::direct::Files<toctou::fs::SimFile>, bool>> {
        let look = move |fs: &mut DirectFs| {
            let seen = if forgets { direct::forget_over(fs, look) } else { look(fs) };
            let _ = fs.mkdir("end", Mode::RWXU);
            seen
        };
        let flags = |fs: &mut DirectFs| {
            let flags = OFlags::CREATE | OFlags::WRONLY;
            for _ in 0..3 {
                let _ = fs.open("flag", flags, PRIVATE);
                let _ = fs.unlink("flag");
            }
            false
        };
        System::new(SimFs::new()).clients(2, Code::files(look)).actor("flags", Code::files(flags))
    }
    let [all, fewer] = [false, true].map(|forgets| graph(system(forgets)));
    assert_eq!(all.interleavings.to_string(), fewer.interleavings.to_string());
    assert_eq!(all.outcomes.map(|all| all.len()), fewer.outcomes.map(|all| all.len()));
    let states = (all.states, fewer.states);
    assert!(states.1 < states.0, "{states:?}");
}

/// One that ends on errors is abandoned by errors, and one that then goes on and on is unwound.
#[test]
fn how_a_run_is_abandoned_changes_nothing() {
    let makes_its_own = |fs: &mut DirectFs| {
        let mut number = 0;
        loop {
            match fs.mkdir(&format!("{number}"), Mode::RWXU) {
                Ok(()) => return fs.symlink("x".as_ref(), "link").map(|()| number),
                Err(_) => number += 1,
            }
        }
    };
    let count_under_lock = |fs: &mut DirectFs| count_under_lock(fs).map(usize::from);
    let programs = [Code::files(makes_its_own), Code::files(count_under_lock)];
    for program in programs {
        let report = |program| graph(System::new(counters()).clients(3, program));
        let unwound = report(program.clone());
        let told = report(program.ending_on_errors());
        assert!(unwound.exhaustive());
        assert_eq!(told.states, unwound.states);
        assert_eq!(told.transitions, unwound.transitions);
        assert_eq!(told.interleavings.to_string(), unwound.interleavings.to_string());
    }
}

#[test]
fn a_handle_that_leaks_out_is_refused_by_name_and_line() {
    let leaked = Arc::new(OnceLock::new());
    let keep = leaked.clone();
    // The program's handle on the world cannot leave it; an open file can.
    let opens = move |fs: &mut DirectFs| {
        let directory = fs.open(".", OFlags::RDONLY, Mode::empty())?;
        keep.set(directory).map_err(|_| Errno::EXIST)
    };
    let _ = graph(System::new(counters()).clients(1, Code::files(opens)));
    let uses = move |fs: &mut DirectFs| {
        let directory = leaked.get().expect("it was leaked");
        fs.stat((directory, "lock"), toctou::fs::AtFlags::empty()).map(drop)
    };
    let told = System::new(counters()).clients(1, Code::files(uses)).examine().complaint();
    assert!(told.contains("of another run"), "{told}");
    assert!(told.contains("tests/direct/main.rs"), "{told}");
}

#[test]
fn states_that_differ_are_hashed_differently() {
    use std::collections::HashSet;
    use std::hash::{BuildHasher, RandomState};
    use toctou::Step;
    use toctou::check::Local;
    let system = downloads(3, open_then_remove);
    let start = &system.starts()[0];
    let places: Vec<_> = start.processes.iter().cloned().map(Local::Running).collect();
    let mut open = vec![(start.world.clone(), places)];
    let (hasher, mut states, mut hashes) = (RandomState::new(), HashSet::new(), HashSet::new());
    while let Some(state) = open.pop() {
        if !states.insert(state.clone()) {
            continue;
        }
        hashes.insert(hasher.hash_one(&state));
        for actor in 0..state.1.len() {
            let Local::Running(process) = state.1[actor].clone() else { continue };
            let mut next = state.clone();
            next.1[actor] = match process.step(&mut next.0) {
                Step::Next(process) => Local::Running(process),
                Step::Done(output) => Local::Done(output),
                Step::Blocked(_) | Step::Choice(_) => continue,
            };
            open.push(next);
        }
    }
    assert_eq!((states.len(), hashes.len()), (315, 315));
}

/// Awaits two futures together, the first one first where both can go on.
async fn both(
    mut one: impl Future<Output = ()> + Unpin,
    mut other: impl Future<Output = ()> + Unpin,
) {
    let mut done = [false; 2];
    std::future::poll_fn(|context| {
        done[0] = done[0] || std::pin::Pin::new(&mut one).poll(context).is_ready();
        done[1] = done[1] || std::pin::Pin::new(&mut other).poll(context).is_ready();
        if done == [true; 2] { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

async fn make(path: &str) -> bool {
    direct::operation(|| toctou::std::fs::File::create(path)).await.is_ok()
}

async fn is_there(path: &str) -> bool {
    direct::operation(|| toctou::std::fs::exists(path)).await.is_ok_and(|there| there)
}

#[test]
fn an_async_function_has_the_interleavings_of_the_one_that_waits() {
    fn waits() -> bool {
        let there = toctou::std::fs::exists("lock").is_ok_and(|there| there);
        !there && toctou::std::fs::File::create("lock").is_ok()
    }
    let count = |code| graph(System::new(SimFs::new()).clients(3, code)).interleavings.to_string();
    let future = Code::future(|| async { !is_there("lock").await && make("lock").await });
    assert_eq!(count(future), count(Code::new(waits)));
}

/// Whoever awaits two operations together does not say which of them is done first.
#[test]
fn futures_that_are_awaited_together_are_done_in_every_order() {
    let maker = Code::future(|| async {
        let (one, two) =
            (Box::pin(async { _ = make("one").await }), Box::pin(async { _ = make("two").await }));
        both(one, two).await;
        true
    });
    let reader = Code::future(|| async { is_there("two").await && !is_there("one").await });
    let system =
        || System::new(SimFs::new()).actor("maker", maker.clone()).actor("reader", reader.clone());
    let told = system().examine().to_string();
    assert!(told.contains("graph, loom, shuttle agree"), "{told}");
    let one_first = graph(system().always("first-first", |state| {
        state.world().tree().get("two").is_none() || state.world().tree().get("one").is_some()
    }));
    assert!(!one_first.holds(), "the second can be done before the first");
}

#[test]
fn a_future_that_is_given_up_does_nothing() {
    // Whichever is done first ends it, and the other is dropped.
    let either = Code::future(|| async {
        let (mut one, mut two) = (Box::pin(make("one")), Box::pin(make("two")));
        std::future::poll_fn(|context| {
            let first = one.as_mut().poll(context).is_ready();
            let second = !first && two.as_mut().poll(context).is_ready();
            if first || second { std::task::Poll::Ready(second) } else { std::task::Poll::Pending }
        })
        .await
    });
    let report =
        graph(System::new(SimFs::new()).actor("either", either).always("one-at-most", |state| {
            state.world().tree().get("one").is_none() || state.world().tree().get("two").is_none()
        }));
    assert!(report.holds(), "{report}");
    assert_eq!(report.outcomes.map(|all| all.len()), Some(2));
}

#[test]
fn a_future_of_another_kind_is_told() {
    let waits = Code::future(|| async {
        std::future::pending::<()>().await;
    });
    let told = System::new(SimFs::new()).actor("waits", waits).examine().complaint();
    assert!(told.contains("waits for a future that performs nothing in the world"), "{told}");
}
