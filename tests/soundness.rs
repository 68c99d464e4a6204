//! What is no proof is refused: a step that is none, a mistake in the model, a property that nobody put
//! to the test, too few clients, an exploration without end. Each with a control beside it that is a
//! proof.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use toctou::calls::{called, mistaken, untold};
use toctou::check::{
    Bound, Checker, Engine, Examination, FaultKind, GraphOptions, Limits, LoomOptions, NO_MISTAKE,
    ONE_CALL_A_STEP, PANIC_FREE, PropertyKind, Report, Schedule, ShuttleMode, System, Verdict,
};
use toctou::fs::{Errno, FileSystem, Mode, OFlags, SimFs};
use toctou::{Process, Step};

/// What a failed assertion says.
fn complaint(assertion: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(assertion)).expect_err("it is no proof");
    panic.downcast_ref::<String>().cloned().expect("it says why")
}

/// What every engine says.
fn every_engine<W, P>(checker: &Checker<W, P>) -> Vec<Report>
where
    W: toctou::check::Value,
    P: Process<W, Output: toctou::check::Value> + toctou::check::Value,
{
    let skip = LoomOptions { skip_known_states: true, ..LoomOptions::default() };
    vec![
        checker.graph(&GraphOptions::default()),
        checker.graph(&GraphOptions { symmetry: false, ..GraphOptions::default() }),
        checker.any(&Default::default()),
        checker.loom(&LoomOptions::default()),
        checker.loom(&skip),
        checker.shuttle(ShuttleMode::KnownStates),
        checker.shuttle(ShuttleMode::DepthFirst { max_executions: 10_000 }),
        checker.shuttle(ShuttleMode::Random { executions: 50, seed: 1 }),
        checker.shuttle(ShuttleMode::Pct { executions: 50, depth: 2, seed: 1 }),
    ]
}

/// A shelf of books, as a world of one's own that tells its calls.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Shelf {
    books: u32,
}

impl Shelf {
    fn look(&mut self) -> bool {
        let there = self.books > 0;
        called(format_args!("look = {there}"));
        there
    }

    fn take(&mut self) -> bool {
        let there = self.books > 0;
        self.books = self.books.saturating_sub(1);
        called(format_args!("take = {there}"));
        there
    }
}

/// A borrower, written in one of several ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Borrow {
    /// One call: who takes the book has it.
    Takes,
    /// Looks and takes in one step, as no program can.
    AtOnce,
    /// Takes, and an observer looks in the same step.
    Observed,
    /// Looks first.
    Looks,
    /// Takes what it has seen, and panics if it is gone.
    Unwraps,
}

impl Process<Shelf> for Borrow {
    type Output = bool;

    fn step(self, shelf: &mut Shelf) -> Step<Self, bool> {
        match self {
            Borrow::Takes => Step::Done(shelf.take()),
            Borrow::AtOnce => Step::Done(shelf.look() && shelf.take()),
            Borrow::Observed => {
                let got = shelf.take();
                untold(|| shelf.look());
                Step::Done(got)
            }
            Borrow::Looks if shelf.look() => Step::Next(Borrow::Unwraps),
            Borrow::Looks => Step::Done(false),
            Borrow::Unwraps => {
                assert!(shelf.take(), "the book is gone: shelf {}", 7);
                Step::Done(true)
            }
        }
    }
}

fn library(clients: usize, borrow: Borrow) -> System<Shelf, Borrow> {
    System::new(Shelf { books: 1 })
        .clients(clients, borrow)
        .at_most(1, "one-reader", |local| local.output().filter(|got| **got).copied())
        .reaches("a-reader", |local| local.output() == Some(&true))
}

#[test]
fn two_calls_in_one_step_are_refused_by_every_engine() {
    let checker = Checker::new(library(2, Borrow::AtOnce));
    for report in every_engine(&checker) {
        let told = format!("{} ({})", report.engine, report.mode);
        assert_eq!(report.fault(), Some(FaultKind::Calls), "{told}");
        assert!(!report.holds(), "{told}");
        assert_eq!(report.bound, Some(Bound::Fault(FaultKind::Calls)), "{told}");
        let finding = report.finding(ONE_CALL_A_STEP).expect("it is among the findings");
        assert_eq!(finding.kind, PropertyKind::Always);
        if report.engine != Engine::Any {
            let schedule = finding.verdict.schedule().expect("with its schedule");
            assert_eq!(schedule.turns.len(), 1, "{told}");
        }
        let reader = report.finding("one-reader").expect("it is claimed");
        assert!(matches!(reader.verdict, Verdict::Unfinished(_)), "{told}");
    }
    library(2, Borrow::AtOnce).assert_breaks(ONE_CALL_A_STEP);
}

#[test]
fn both_calls_of_a_merged_step_are_named() {
    let told = complaint(|| library(2, Borrow::AtOnce).assert_holds());
    assert!(told.contains("always `one-call-a-step` is violated, soonest by [0]"), "{told}");
    assert!(told.contains("look = true; take = true"), "{told}");
    assert!(told.contains("2 calls in one step"), "{told}");
    assert!(told.contains("another actor can come between"), "{told}");
    // The negative control that looks for something else does not take it for that.
    let told = complaint(|| _ = library(2, Borrow::AtOnce).assert_breaks("one-reader"));
    assert!(told.contains("`one-reader` is not what breaks: Calls"), "{told}");
}

#[test]
fn one_call_a_step_is_a_proof_and_an_observer_is_no_call() {
    library(3, Borrow::Takes).assert_holds();
    library(3, Borrow::Observed).assert_holds();
}

#[test]
fn a_panic_in_a_step_is_a_violation_in_every_engine() {
    let checker = Checker::new(library(2, Borrow::Looks));
    for report in every_engine(&checker) {
        let told = format!("{} ({})", report.engine, report.mode);
        assert_eq!(report.fault(), Some(FaultKind::Panic), "{told}: {report}");
        let finding = report.finding(PANIC_FREE).expect("it is among the findings");
        if report.engine != Engine::Any {
            let schedule = finding.verdict.schedule().expect("with its schedule");
            assert_eq!(schedule.turns.len(), 4, "{told}: {schedule}");
            let trace = checker.system().play(schedule).expect("it can be played").trace;
            let last = trace.steps.last().expect("it has steps");
            let said = last.output.as_deref().unwrap_or_default();
            assert!(said.starts_with("panicked: the book is gone: shelf 7"), "{said}");
            assert!(said.contains("tests/soundness.rs:"), "{said}");
            assert_eq!(last.label, "take = false");
        }
    }
    // One reader, who is the only one, never finds it gone. More would, and that is found out.
    System::new(Shelf { books: 1 }).actor("reader", Borrow::Looks).assert_holds();
    let told = complaint(|| library(1, Borrow::Looks).assert_holds());
    assert!(told.contains("always `panic-free` is violated from 2 clients on"), "{told}");
}

#[test]
fn a_panic_is_told_with_its_message_and_its_schedule_and_no_more() {
    let told = complaint(|| library(2, Borrow::Looks).assert_holds());
    assert!(told.contains("always `panic-free` is violated, soonest by [0, 1, 0, 1]"), "{told}");
    assert!(told.contains("→ panicked: the book is gone: shelf 7"), "{told}");
    assert!(told.lines().count() < 15, "{told}");
    assert!(told.lines().all(|line| line.chars().count() <= 100), "{told}");
}

/// Asks what makes no sense, and ends with the error that it gets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Misspells;

impl Process<Shelf> for Misspells {
    type Output = Result<u32, &'static str>;

    fn step(self, shelf: &mut Shelf) -> Step<Self, Self::Output> {
        called(format_args!("look(boks) = no such thing"));
        mistaken("42703", format_args!("a shelf of {} has no `boks`", shelf.books));
        Step::Done(Err("no such thing"))
    }
}

fn misspelt() -> System<Shelf, Misspells> {
    System::new(Shelf { books: 1 })
        .clients(2, Misspells)
        .always("few", |state| state.outputs().filter(|told| told.is_ok()).count() < 2)
}

#[test]
fn a_mistake_in_the_model_fails_the_check_in_every_engine() {
    let checker = Checker::new(misspelt().at_most(1, "counted", |local| local.output().copied()));
    for report in every_engine(&checker) {
        assert_eq!(report.fault(), Some(FaultKind::Mistake), "{report}");
        assert!(report.finding(NO_MISTAKE).is_some() && !report.holds(), "{report}");
    }
    let told = complaint(|| misspelt().assert_holds());
    assert!(told.contains("always `no-mistake` is violated, soonest by [0]"), "{told}");
    assert!(told.contains("42703: a shelf of 1 has no `boks`"), "{told}");
    assert!(told.contains("System::expects"), "{told}");
}

#[test]
fn a_mistake_that_is_expected_is_an_answer_like_any_other() {
    let expected = || misspelt().expects("42703").ends_well(|told| told.is_err());
    expected().assert_holds();
    // Another one is not.
    let told = complaint(|| misspelt().expects("42P01").assert_holds());
    assert!(told.contains("no-mistake"), "{told}");
}

#[test]
fn where_no_client_ends_well_nothing_is_proved() {
    let told = complaint(|| misspelt().expects("42703").assert_holds());
    assert!(told.contains("nothing is proved: no client ever ends well"), "{told}");
    assert!(told.contains("Err(\"no such thing\")"), "{told}");
}

#[test]
fn a_property_that_nobody_put_to_the_test_is_no_proof() {
    let nobody = library(2, Borrow::Takes).at_most(1, "one-of-none", |_| None::<()>);
    let told = complaint(|| nobody.assert_holds());
    assert!(told.contains("`one-of-none` was never put to the test"), "{told}");
    // That nobody is counted is what this one claims.
    library(2, Borrow::Takes).at_most(0, "nobody-fails", |_| None::<()>).assert_holds();
    // As many as there are may be: nothing could violate it.
    let actors = System::new(Shelf { books: 2 })
        .actor("first", Borrow::Takes)
        .actor("second", Borrow::Takes)
        .at_most(2, "two", |local| local.output().copied());
    let told = complaint(|| actors.assert_holds());
    assert!(told.contains("`two` was never put to the test"), "{told}");
    let report = Checker::new(library(2, Borrow::Takes)).graph(&GraphOptions::default());
    assert_eq!(report.untested, [""; 0]);
    let told = complaint(|| System::<Shelf, Borrow>::new(Shelf { books: 1 }).assert_holds());
    assert!(told.contains("there is no actor"), "{told}");
}

#[test]
#[should_panic(expected = "there is a property `one-reader` already")]
fn two_properties_of_one_name_are_refused() {
    let _ = library(1, Borrow::Takes).always("one-reader", |_| true);
}

/// Takes a ticket if two or more others have looked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Third {
    Counts,
    Takes,
}

impl Process<u32> for Third {
    type Output = bool;

    fn step(self, seen: &mut u32) -> Step<Self, bool> {
        match self {
            Third::Counts => {
                *seen = (*seen + 1).min(3);
                Step::Next(Third::Takes)
            }
            // Everybody who comes back when three have been there takes one.
            Third::Takes => Step::Done(*seen == 3),
        }
    }
}

fn thirds(clients: usize) -> System<u32, Third> {
    System::new(0)
        .clients(clients, Third::Counts)
        .at_most(1, "one-ticket", |local| local.output().filter(|got| **got).copied())
}

#[test]
fn too_few_clients_are_found_out_and_it_is_said_how_many_it_takes() {
    let told = complaint(|| thirds(2).assert_holds());
    assert!(told.contains("always `one-ticket` is violated from 3 clients on"), "{told}");
    assert!(told.contains("client 3"), "{told}");
    assert!(told.contains("soonest by [0, 1, 2, 2, 0]"), "{told}");
    // What three clients break is a violation like any other.
    let told = complaint(|| thirds(3).assert_holds());
    assert!(told.contains("always `one-ticket` is violated ("), "{told}");
    // And where nothing breaks, that it is for any number is said.
    let examination = library(2, Borrow::Takes).examine();
    assert!(examination.is_proof(), "{examination}");
    assert!(
        examination.to_string().contains("one-reader (any number of clients)"),
        "{examination}"
    );
}

/// Panics if two others have been there before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct PanicsThird;

impl Process<u32> for PanicsThird {
    type Output = u32;

    fn step(self, seen: &mut u32) -> Step<Self, u32> {
        assert!(*seen < 2, "no third one");
        *seen += 1;
        Step::Done(*seen)
    }
}

#[test]
fn a_fault_that_takes_more_clients_is_found_out_as_well() {
    let system = |clients| {
        System::new(0)
            .clients(clients, PanicsThird)
            .at_most(1, "one-each", |it| it.output().copied())
    };
    let told = complaint(|| system(2).assert_holds());
    assert!(told.contains("always `panic-free` is violated from 3 clients on"), "{told}");
    assert!(told.contains("→ panicked: no third one"), "{told}");
}

#[test]
fn one_kind_of_clients_that_always_fails_is_not_hidden_by_another() {
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Ends(Result<(), ()>);
    impl Process<()> for Ends {
        type Output = Result<(), ()>;
        fn step(self, (): &mut ()) -> Step<Self, Self::Output> {
            Step::Done(self.0)
        }
    }
    let both = || System::new(()).clients(2, Ends(Ok(()))).clients(1, Ends(Err(())));
    let told = complaint(|| both().assert_holds());
    assert!(told.contains("nothing is proved: `client 3` never ends well"), "{told}");
    both().ends_well(|_| true).assert_holds();
}

/// Answers that it waits, and has taken a book.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct TakesAndWaits;

impl Process<Shelf> for TakesAndWaits {
    type Output = bool;

    fn step(self, shelf: &mut Shelf) -> Step<Self, bool> {
        if shelf.take() { Step::Blocked(self) } else { Step::Done(true) }
    }
}

#[test]
fn a_wait_that_changes_something_is_refused_by_every_engine() {
    let system = || {
        System::new(Shelf { books: 1 })
            .clients(2, TakesAndWaits)
            .at_most(2, "two", |local| local.output().copied())
    };
    for report in every_engine(&Checker::new(system())) {
        assert_eq!(report.fault(), Some(FaultKind::Blocked), "{report} ({})", report.mode);
    }
    let told = complaint(|| system().assert_holds());
    assert!(told.contains("always `blocked-unchanged` is violated, soonest by [0]"), "{told}");
}

#[test]
fn what_is_told_fits_a_screen_whatever_is_wrong() {
    let told = [
        complaint(|| library(2, Borrow::AtOnce).assert_holds()),
        complaint(|| misspelt().assert_holds()),
        complaint(|| misspelt().expects("42703").assert_holds()),
        complaint(|| thirds(2).assert_holds()),
        library(3, Borrow::Takes).examine().to_string(),
        thirds(2).examine().to_string(),
    ];
    for told in told {
        for line in told.lines() {
            assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
        }
    }
}

/// `makedirs` of one directory as proposed for CPython: make it; where that fails, look; where nothing is
/// there, make it once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum MakeDirs {
    First,
    Look,
    Again,
    /// Somebody who removes it.
    Remove,
}

impl<F: FileSystem> Process<F> for MakeDirs {
    type Output = Result<(), Errno>;

    fn step(self, fs: &mut F) -> Step<Self, Self::Output> {
        match self {
            MakeDirs::First => match fs.mkdir("a", Mode::RWXU) {
                Ok(()) => Step::Done(Ok(())),
                Err(_) => Step::Next(MakeDirs::Look),
            },
            MakeDirs::Look => match fs.stat("a", toctou::fs::AtFlags::empty()) {
                Ok(_) => Step::Done(Ok(())),
                Err(_) => Step::Next(MakeDirs::Again),
            },
            MakeDirs::Again => Step::Done(fs.mkdir("a", Mode::RWXU)),
            MakeDirs::Remove => {
                // Whether it is there or not.
                let _ = fs.rmdir("a");
                Step::Done(Ok(()))
            }
        }
    }
}

fn makers_and_a_remover(makers: usize) -> System<SimFs, MakeDirs> {
    System::new(SimFs::new())
        .clients(makers, MakeDirs::First)
        .actor("remover", MakeDirs::Remove)
        .at_most(0, "no-file-exists", |local| {
            local.output().filter(|told| **told == Err(Errno::EXIST)).copied()
        })
        .reaches("made", |local| local.output() == Some(&Ok(())))
}

/// Right for two makers by every engine, and broken from three on.
#[test]
fn a_fix_of_makedirs_that_holds_for_two_makers_is_refused() {
    for report in every_engine(&Checker::new(makers_and_a_remover(2))) {
        if report.engine != Engine::Any && report.exhaustive() {
            assert!(report.holds(), "{report}");
        }
    }
    let told = complaint(|| makers_and_a_remover(2).assert_holds());
    assert!(told.contains("always `no-file-exists` is violated from 3 clients on"), "{told}");
    assert!(told.contains("mkdir(a) = EEXIST"), "{told}");
    assert!(told.contains("→ Err(EEXIST)"), "{told}");
    makers_and_a_remover(3).assert_breaks("no-file-exists");
}

#[test]
fn where_any_number_cannot_be_decided_it_is_said_how_many_were_looked_at() {
    /// Adds its own mark: the world grows with each client.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Marks;
    impl Process<Vec<u8>> for Marks {
        type Output = usize;
        fn step(self, marks: &mut Vec<u8>) -> Step<Self, usize> {
            marks.push(1);
            Step::Done(marks.len())
        }
    }
    let marks = System::new(Vec::new())
        .clients(2, Marks)
        .at_most(1, "one-each", |local| local.output().copied())
        .finally("two", |state| state.world().len() == 2);
    let examination = marks.examine();
    assert!(examination.is_proof(), "{examination}");
    let notes = examination.notes.join("\n");
    assert!(notes.contains("`one-each`: only 2 clients were looked at"), "{notes}");
    assert!(notes.contains("`deadlock-free`, `two`: only 2 clients were looked at"), "{notes}");
}

/// Never ends, and the world grows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Endless;

impl Process<u64> for Endless {
    type Output = ();

    fn step(self, world: &mut u64) -> Step<Self, ()> {
        *world += 1;
        Step::Next(self)
    }
}

#[test]
fn every_engine_ends_within_its_limits_with_what_it_knows() {
    let time = Duration::from_millis(150);
    let limits = Limits { time: Some(time), ..Limits::default() };
    let endless = System::new(0)
        .clients(2, Endless)
        .at_most(0, "nobody-ends", |local| local.output().copied())
        .reachable("a-thousand", |state| *state.world() > 1_000);
    let checker = Checker::new(endless).within(limits);
    for report in every_engine(&checker) {
        let told = format!("{} ({}): {report}", report.engine, report.mode);
        assert!(!report.exhaustive(), "{told}");
        assert!(report.elapsed < Duration::from_secs(20), "{told}");
        let never = report.finding("nobody-ends").expect("it is claimed");
        assert!(matches!(never.verdict, Verdict::Unfinished(_)), "{told}");
    }
    let graph = checker.graph(&GraphOptions::default());
    assert_eq!(graph.bound, Some(Bound::Time(time)));
    let reached = graph.finding("a-thousand").expect("it is claimed");
    assert!(matches!(reached.verdict, Verdict::Holds(_)), "what it knows, it says");
    let growth = graph.growth.expect("it says along what the states grow");
    assert!(growth.worlds > 1_000 && growth.locals == 1, "{growth}");
    assert!(growth.to_string().contains("the worlds grow"), "{growth}");
    // And with time enough, small systems are decided.
    assert!(Checker::new(library(2, Borrow::Takes)).graph(&GraphOptions::default()).exhaustive());
}

#[test]
#[cfg(target_os = "linux")]
fn memory_is_a_limit_of_its_own() {
    /// A world of some size that is another one after each step.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct Fills;
    impl Process<Vec<u64>> for Fills {
        type Output = ();
        fn step(self, world: &mut Vec<u64>) -> Step<Self, ()> {
            world[0] += 1;
            Step::Next(self)
        }
    }
    let limits = Limits { memory: Some(256 << 20), ..Limits::default() };
    let system = System::new(vec![0; 1 << 14]).clients(1, Fills);
    let report = Checker::new(system).within(limits).graph(&GraphOptions::default());
    assert_eq!(report.bound, Some(Bound::Memory(256 << 20)), "{report}");
}

#[test]
fn an_examination_says_everything_on_a_screen() {
    let races = library(2, Borrow::Looks);
    let told = races.examine().to_string();
    assert!(told.lines().all(|line| line.chars().count() <= 100), "{told}");
    let fine: Examination = library(3, Borrow::Takes).examine();
    let told = fine.to_string();
    assert!(told.starts_with("3 clients: graph (symmetry): "), "{told}");
    assert!(told.contains("graph, loom, shuttle agree"), "{told}");
    assert!(told.contains("✓ always one-reader"), "{told}");
    // One gets it and two do not, whoever comes first.
    assert_eq!(fine.ends.len(), 1, "{told}");
    assert_eq!(fine.ends[0].interleavings.to_string(), "6");
    assert!(told.contains("6  false     false     true      Shelf { books: 0 }"), "{told}");
}

#[test]
fn a_branch_that_is_never_taken_is_not_among_the_ends() {
    let ends = Checker::new(library(2, Borrow::Takes)).ends(1_000).expect("it is small");
    let total: u64 = ends.iter().map(|end| u64::try_from(&end.interleavings).unwrap()).sum();
    let report = Checker::new(library(2, Borrow::Takes)).graph(&GraphOptions::default());
    assert_eq!(report.interleavings.to_string(), total.to_string());
    assert!(ends.iter().all(|end| end.outputs.iter().flatten().any(|told| told == "true")));
}

/// `mkdir` and `stat`, by one step or by two.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Makes {
    InOne,
    First,
    Then,
}

impl<F: FileSystem> Process<F> for Makes {
    type Output = Result<(), Errno>;

    fn step(self, fs: &mut F) -> Step<Self, Self::Output> {
        let stat = |fs: &mut F| fs.stat("a", toctou::fs::AtFlags::empty()).map(drop);
        match self {
            Makes::InOne => {
                let _ = fs.mkdir("a", Mode::RWXU);
                Step::Done(stat(fs))
            }
            Makes::First => {
                let _ = fs.mkdir("a", Mode::RWXU);
                Step::Next(Makes::Then)
            }
            Makes::Then => Step::Done(stat(fs)),
        }
    }
}

fn makers(makes: Makes) -> System<SimFs, Makes> {
    System::new(SimFs::new())
        .clients(2, makes)
        .finally("made", |state| state.outputs().all(Result::is_ok))
}

#[test]
fn a_merged_step_on_the_simulated_file_system_names_both_calls() {
    let told = complaint(|| makers(Makes::InOne).assert_holds());
    assert!(told.contains("one-call-a-step"), "{told}");
    assert!(told.contains("mkdir(a) = ok; stat(a) = directory 0700"), "{told}");
    makers(Makes::First).assert_holds();
}

/// Writes through a descriptor that is open for reading only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Writes<D> {
    Opens,
    Writes(D),
}

impl<F: FileSystem> Process<F> for Writes<F::File> {
    type Output = Result<usize, Errno>;

    fn step(self, fs: &mut F) -> Step<Self, Self::Output> {
        match self {
            Writes::Opens => match fs.open("a", OFlags::RDONLY, Mode::empty()) {
                Ok(file) => Step::Next(Writes::Writes(file)),
                Err(errno) => Step::Done(Err(errno)),
            },
            Writes::Writes(mut file) => Step::Done(fs.write(&mut file, b"x")),
        }
    }
}

#[test]
fn a_write_to_what_is_open_for_reading_only_is_a_mistake() {
    let writers = || {
        let world = SimFs::new().with_file("a", Mode::RWXU, b"").unwrap();
        System::new(world)
            .clients(2, Writes::Opens)
            .finally("empty", |state| state.world().tree().bytes("a") == Some(b""))
    };
    let told = complaint(|| writers().assert_holds());
    assert!(told.contains("no-mistake") && told.contains("EBADF: write"), "{told}");
    let told = complaint(|| writers().expects("EBADF").assert_holds());
    assert!(told.contains("no client ever ends well"), "{told}");
}

#[test]
fn a_schedule_to_a_fault_is_played_to_it_and_no_further() {
    let system = library(2, Borrow::AtOnce);
    let played = system.play(&Schedule::of(vec![0, 1])).expect("both are there");
    assert_eq!(played.trace.steps.len(), 1);
    assert!(!played.trace.unfinished.is_empty());
}

/// Every variant of the catalogue but the controls: no proof in it is one of nothing.
#[test]
fn no_proof_of_the_catalogue_holds_because_nothing_happens() {
    use toctou::check::Engine;
    use toctou::models::ALL;
    use toctou::survey::{Plan, Share, Target};

    let targets = ALL.iter().map(|model| Target { model: *model, variant: None });
    let subjects: Vec<_> = targets.flat_map(|target| target.subjects(None)).collect();
    let count = subjects.len();
    let plan = Plan { subjects, size: None, engines: Some(vec![Engine::Graph]), share: Share::ALL };
    let survey = plan.run(&|_| {});
    assert!(count > 150, "{count}");
    let (mut vacuous, mut proofs) = (Vec::new(), 0);
    for subject in survey.subjects() {
        let reports: Vec<&Report> =
            survey.of(&subject).flat_map(|system| &system.reports).collect();
        for report in &reports {
            assert_eq!(report.fault(), None, "{subject:?}: {report}");
        }
        // Tested by some size is enough: of one client, nothing is ever a second time.
        let untested = reports.iter().flat_map(|report| &report.untested);
        let mut untested: Vec<&String> = untested.collect();
        untested.retain(|name| reports.iter().all(|report| report.untested.contains(name)));
        untested.dedup();
        // Where something breaks, nobody says that it is a proof: a fix that never tells anybody that a key
        // was created never tells two.
        let is_proof = reports.iter().all(|report| report.holds());
        if is_proof && !subject.is_control() {
            proofs += 1;
            vacuous.extend(untested.iter().map(|name| format!("{subject:?}: {name}")));
        }
    }
    assert_eq!(vacuous, [""; 0]);
    assert!(proofs > 50, "{proofs}");
}
