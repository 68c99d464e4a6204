//! Second floor, `direct`: one run of a program, from its start to the operation after the next.
//! Imports its neighbours in `direct`.
//!
//! The program finds its run in a thread-local variable. A run ends by an unwinding of its own,
//! which no panic hook sees.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::hash::{Hash, Hasher};
use std::panic::{Location, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxHasher;

use super::tape::{Entry, Past, Question};
use crate::calls::untold;
use crate::check::Value;
use crate::process::MOST_WAYS;

/// What a run of a program is unwound with.
pub(super) struct Stop;

/// How a run was stopped before the program's end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// At the operation after the one that it performed.
    Before(Question),
    /// At a choice of so many ways, after it performed an operation or none.
    Choose(Question, usize),
    /// It has to wait with this, and nothing was changed.
    Waits(Question),
    /// It has begun to wait, or what it waits with has changed: there is no answer yet.
    Began,
    /// At an operation that may be answered in so many ways, which was not performed.
    Ways(usize),
}

/// What became of an operation.
pub(super) enum Performed<T> {
    Answer(T),
    Waits,
    Began,
    /// It has no answer yet: it goes on in one of so many ways, and the run is to say [which](way).
    Ways(usize),
}

/// One run.
pub(super) struct Run {
    serial: u64,
    known: Vec<Entry>,
    at: usize,
    pub(super) past: Past,
    /// What it is to ask next, from the run before.
    pub(super) pending: Option<Question>,
    pub(super) performed: bool,
    pub(super) stopped: Option<Stopped>,
    /// Where it is, as it says itself.
    sections: Vec<Arc<str>>,
    /// The same when it was stopped.
    pub(super) sections_then: Vec<Arc<str>>,
    looking: bool,
    fixed: bool,
    /// Which of several answers the operation is to get.
    way: Option<usize>,
    /// It performs one operation after the other, until it has slept so often.
    ahead: Option<usize>,
    /// The files through which it holds a lock, by number.
    locks: Vec<u32>,
    /// The process of the operating system that it belongs to.
    process: u32,
    /// How many operations may still fail once it is over, before it is unwound.
    failing: usize,
}

/// How many operations of a program that [ends on errors](super::Code::ending_on_errors) fail
/// before the program is unwound all the same. That is more than a program needs to clean up, and
/// soon enough for a program that never ends.
pub(super) const FAILING: usize = 64;

thread_local! {
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
    /// The serial number of the run, 0 outside of one.
    static SERIAL: Cell<u64> = const { Cell::new(0) };
}

static SERIALS: AtomicU64 = AtomicU64::new(1);

/// Whether the calling thread runs a program that is explored or replayed.
#[inline]
pub(crate) fn is_running() -> bool {
    SERIAL.get() != 0
}

/// Which run it is; 0 outside of one.
pub(super) fn serial() -> u64 {
    SERIAL.get()
}

/// Puts back the run around this one.
struct Around(Option<Run>, u64);

impl Drop for Around {
    fn drop(&mut self) {
        RUN.set(self.0.take());
        SERIAL.set(self.1);
    }
}

impl Run {
    pub(super) fn new(past: &Past, pending: Option<Question>) -> Self {
        Run {
            serial: SERIALS.fetch_add(1, Ordering::Relaxed),
            known: past.entries(),
            at: 0,
            past: past.clone(),
            pending,
            performed: false,
            stopped: None,
            sections: Vec::new(),
            sections_then: Vec::new(),
            looking: false,
            fixed: false,
            way: None,
            ahead: None,
            locks: Vec::new(),
            process: 1,
            failing: 0,
        }
    }

    /// So many operations fail once it is over, before it is unwound.
    pub(super) fn failing(self, failing: usize) -> Self {
        Run { failing, ..self }
    }

    /// Performs nothing: for a run that only finds out what comes first.
    pub(super) fn that_performs_nothing(self) -> Self {
        Run { fixed: true, ..self }
    }

    /// Its operation gets the answer of this index, of several.
    pub(super) fn that_goes(self, way: usize) -> Self {
        Run { way: Some(way), ..self }
    }

    /// Goes on to its end, alone, or until it has slept so often. Each operation that may be answered in
    /// several ways is in the first.
    #[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
    pub(super) fn that_goes_ahead(self, sleeps: usize) -> Self {
        Run { ahead: Some(sleeps), way: Some(0), pending: None, ..self }
    }

    /// As a part of this process of the operating system.
    pub(super) fn in_process(self, process: u32) -> Self {
        Run { process, ..self }
    }

    /// Runs a program here, and says what it came to, if it came to its end.
    pub(super) fn of<T>(self, program: impl FnOnce() -> T) -> (Run, std::thread::Result<T>) {
        let serial = self.serial;
        let around = Around(RUN.replace(Some(self)), SERIAL.replace(serial));
        let came = std::panic::catch_unwind(std::panic::AssertUnwindSafe(program));
        let run = RUN.take().expect("a run is there until it is taken");
        drop(around);
        (run, came)
    }

    fn stop(&mut self, how: Stopped) {
        self.sections_then.clone_from(&self.sections);
        self.stopped = Some(how);
    }

    /// Forgets the answers from this index on, and returns whether there are any. (It does nothing
    /// if they are not the last that are known, which cannot happen.)
    fn cut(&mut self, from: usize) -> bool {
        let is_last = self.at > from && self.at == self.known.len();
        if is_last {
            self.past = self.past.first(from);
            self.known.truncate(from);
            self.at = from;
        }
        is_last
    }

    /// An operation that the program asked for in an earlier run, but not in this one that came to
    /// its end.
    pub(super) fn skipped(&self) -> Option<Question> {
        let known = self.known.get(self.at).map(|entry| &entry.question);
        known.or(self.pending.as_ref()).cloned()
    }

    /// Whether it went ahead until it had slept as often as it was to.
    #[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
    pub(super) fn has_slept_enough(&self) -> bool {
        self.ahead == Some(0) && matches!(self.stopped, Some(Stopped::Waits(_)))
    }

    /// How many operations it asked.
    pub(super) fn asked(&self) -> usize {
        self.at
    }
}

/// Looks at the run of this thread.
fn with<T>(look: impl FnOnce(&mut Run) -> T) -> Option<T> {
    RUN.with_borrow_mut(|run| run.as_mut().map(look))
}

/// What there is to do for a question.
enum Turn {
    /// It was answered before.
    Known(Arc<dyn super::tape::Answered>),
    /// It is to be performed now.
    Perform,
    /// The run is over.
    Over,
    /// Something else was asked before at this place: this.
    Differs(String),
}

fn question(what: &dyn Display, fingerprint: u64) -> Question {
    Question { fingerprint, text: untold(|| what.to_string()).into() }
}

pub(super) fn fingerprint(what: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    what.hash(&mut hasher);
    hasher.finish()
}

/// Asks for an operation and returns its answer: the known one, or the one of performing it, if
/// this run still may. If the run is over, a destructor that asks gets `None`, and any other code
/// is unwound.
#[track_caller]
pub(super) fn ask<T: Value>(
    what: &dyn Display,
    fingerprint: u64,
    perform: impl FnOnce() -> Performed<T>,
) -> Option<T> {
    at_caller(|| asked(what, fingerprint, perform))
}

fn asked<T: Value>(
    what: &dyn Display,
    fingerprint: u64,
    perform: impl FnOnce() -> Performed<T>,
) -> Option<T> {
    let Some(turn) = with(|run| run.turn(what, fingerprint)) else { outside(what) };
    match turn {
        Turn::Known(answer) => {
            let answer: &dyn Any = &*answer;
            match answer.downcast_ref::<T>() {
                Some(known) => Some(known.clone()),
                None => panic!("{DIFFERENT}, of another type: `{what}`{}", line()),
            }
        }
        Turn::Over => over(),
        // One panic is enough.
        Turn::Differs(_) if std::thread::panicking() => None,
        Turn::Differs(how) => panic!("{how}{}", line()),
        Turn::Perform => {
            let performed = perform();
            match performed {
                Performed::Answer(answer) => {
                    let pending =
                        with(|run| run.pending.take_if(|it| it.fingerprint == fingerprint));
                    let text = pending.flatten().unwrap_or_else(|| question(what, fingerprint));
                    with(|run| run.answered(text, Arc::new(answer.clone())));
                    Some(answer)
                }
                Performed::Waits => {
                    let asked = question(what, fingerprint);
                    with(|run| run.stop(Stopped::Waits(asked)));
                    over()
                }
                Performed::Began => {
                    with(|run| run.stop(Stopped::Began));
                    over()
                }
                Performed::Ways(ways) => {
                    with(|run| run.stop(Stopped::Ways(ways)));
                    over()
                }
            }
        }
    }
}

const DIFFERENT: &str =
    "the code is not deterministic: at the same place it asks for something else";

/// Ends a run that is over, by unwinding. A destructor goes on instead, and so does a program that
/// ends on errors.
fn over<T>() -> Option<T> {
    let fails = with(|run| run.failing.checked_sub(1).map(|failing| run.failing = failing));
    if fails.flatten().is_some() || std::thread::panicking() {
        return None;
    }
    resume_unwind(Box::new(Stop))
}

/// There is no run here.
fn outside(what: &dyn Display) -> ! {
    panic!(
        "`{what}` outside of an exploration: what belongs to a simulated world is used in the program \
         that was given to the check, on its own thread, and does not outlive it{}",
        line()
    )
}

impl Run {
    fn turn(&mut self, what: &dyn Display, fingerprint: u64) -> Turn {
        if self.stopped.is_some() {
            return Turn::Over;
        }
        if let Some(entry) = self.known.get(self.at) {
            if entry.question.fingerprint != fingerprint {
                return Turn::Differs(differs(&entry.question, what, self.at));
            }
            self.at += 1;
            return Turn::Known(entry.answer.clone());
        }
        if self.looking {
            return Turn::Perform;
        }
        if (self.performed || self.fixed) && self.ahead.is_none() {
            self.stop(Stopped::Before(question(what, fingerprint)));
            return Turn::Over;
        }
        self.as_pending(what, fingerprint).unwrap_or(Turn::Perform)
    }

    /// What was to be asked next is another question, if it is.
    fn as_pending(&mut self, what: &dyn Display, fingerprint: u64) -> Option<Turn> {
        let pending = self.pending.as_ref().filter(|it| it.fingerprint != fingerprint)?;
        Some(Turn::Differs(differs(pending, what, self.at)))
    }

    fn answered(&mut self, question: Question, answer: Arc<dyn super::tape::Answered>) {
        let is_look = self.looking;
        self.performed |= !is_look;
        let entry = Entry { question, answer, is_look };
        self.past.push(entry.clone());
        self.known.push(entry);
        self.at += 1;
    }
}

/// What the questions of a program may depend on.
const ALLOWED: &str = "What it asks may depend on its arguments and on the answers that it got, and on \
    nothing else (no clock, no random number, no static that changes, no order of a `HashMap`)";

fn differs(before: &Question, now: &dyn Display, at: usize) -> String {
    let (text, number) = (&before.text, at + 1);
    format!(
        "{DIFFERENT}. Before it asked `{text}` as its operation {number}, now `{now}`. {ALLOWED}"
    )
}

/// That a program came to its end where it had asked this before.
pub(super) fn ended(before: &Question, at: usize) -> String {
    let (text, number) = (&before.text, at + 1);
    format!(
        "{DIFFERENT}. Before it asked `{text}` as its operation {number}, now it ends without. {ALLOWED}"
    )
}

/// That a program came to another end than before.
pub(super) fn ends_otherwise(asked: usize) -> String {
    format!(
        "the code is not deterministic: after {asked} operations it ended, and with the same answers it \
         ends otherwise now. {ALLOWED}"
    )
}

thread_local! {
    /// The line of the user's code that asks what is being asked.
    static CALLER: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
}

/// Does something on behalf of the caller's line, which a panic then names.
#[track_caller]
pub(crate) fn at_caller<T>(act: impl FnOnce() -> T) -> T {
    at(Location::caller(), act)
}

/// Does something on behalf of this line, unless it is on behalf of another one already.
pub(crate) fn at<T>(line: &'static Location<'static>, act: impl FnOnce() -> T) -> T {
    struct Before(Option<&'static Location<'static>>);
    impl Drop for Before {
        fn drop(&mut self) {
            CALLER.set(self.0);
        }
    }
    let before = Before(CALLER.get());
    CALLER.set(before.0.or(Some(line)));
    act()
}

/// ` (src/claim.rs:12:8)`: the line on whose behalf something is asked, for a message about that.
pub(crate) fn line() -> String {
    CALLER.get().map_or_else(String::new, |line| format!(" ({line})"))
}

/// Chooses one of `count` ways and returns its index, from 0. Every engine explores each way, and a
/// trace shows which way it was.
///
/// It is for events that the program cannot decide: a payment fails or succeeds, a timer fires now
/// or later, this process dies here, an attacker does one thing or another.
///
/// A choice is a step of its own: others may act between the choice and what follows. Outside of an
/// exploration the function returns any of the ways.
///
/// # Panics
///
/// If `count` is 0 or more than [256](crate::process::MOST_WAYS).
///
/// ```
/// use toctou::check::System;
/// use toctou::direct::{self, Code};
///
/// let pay = || if direct::choose(2) == 0 { "paid" } else { "declined" };
/// let shop = System::new(()).clients(1, Code::over(move |_| pay()));
/// shop.reaches("a-payment", |client| client.output() == Some(&"paid"))
///     .reaches("a-refusal", |client| client.output() == Some(&"declined"))
///     .assert_holds();
/// ```
#[track_caller]
pub fn choose(count: usize) -> usize {
    assert!(
        count > 0 && count <= MOST_WAYS,
        "a choice of {count} ways: there are 1 to {MOST_WAYS}"
    );
    if !is_running() {
        use std::hash::{BuildHasher, RandomState};
        return RandomState::new().hash_one(()) as usize % count;
    }
    let what = format!("choose({count})");
    let fingerprint = fingerprint(&("choose", count));
    let turn = with(|run| {
        if run.ahead.is_some() && run.stopped.is_none() && run.at == run.known.len() {
            run.answered(question(&what, fingerprint), Arc::new(0_usize));
            run.at -= 1;
            return run.turn(&what, fingerprint);
        }
        if run.stopped.is_none() && run.at == run.known.len() {
            if let Some(differs) = run.as_pending(&what, fingerprint) {
                return differs;
            }
            run.stop(Stopped::Choose(question(&what, fingerprint), count));
        }
        run.turn(&what, fingerprint)
    });
    match turn {
        Some(Turn::Known(answer)) => {
            let answer: &dyn Any = &*answer;
            answer.downcast_ref::<usize>().copied().unwrap_or_default()
        }
        Some(Turn::Differs(how)) => panic!("{how}"),
        _ => over().unwrap_or_default(),
    }
}

/// Runs a stretch of the program and keeps only its value, instead of all the answers that it got.
///
/// Two runs that differ in answers that no longer matter are two states, and the continuation of
/// both is explored. A loop that tries again and again has a new state each time around. With
/// `forget(|| …)` you promise that only the value of `stretch` matters once it has ended.
///
/// So `stretch` leaves no trace elsewhere. It changes no variable (it is an [`Fn`]) and leaves no
/// file open. It takes no lock that it does not release, and releases no lock that it does not take
/// again.
///
/// A stretch that uses a handle takes it by [`forget_over`]. `tests/direct` measures how much
/// `forget` saves.
///
/// # Panics
///
/// If the locks that are held after the stretch are not those held before it.
/// If locks are not held after it as before it.
#[track_caller]
pub fn forget<T: Value>(stretch: impl Fn() -> T) -> T {
    forget_over(&mut (), |()| stretch())
}

/// The same as [`forget`], with a handle, or several: `forget_over(fs, |fs| …)`. The stretch
/// changes nothing about the handle.
///
/// # Panics
///
/// As [`forget`].
#[track_caller]
pub fn forget_over<C: ?Sized, T: Value>(handle: &mut C, stretch: impl Fn(&mut C) -> T) -> T {
    remembered(|| {
        let held = with(|run| run.locks.clone());
        let value = stretch(handle);
        let over = with(|run| run.stopped.is_some() || Some(&run.locks) == held.as_ref());
        assert!(
            over.unwrap_or(true),
            "a stretch that is forgotten takes or releases a lock: nobody knows of it afterwards"
        );
        value
    })
}

/// The same as [`forget`], for a stretch that may change variables according to its value.
#[inline(always)]
#[track_caller]
pub(crate) fn remembered<T: Value>(stretch: impl FnOnce() -> T) -> T {
    // What ships comes by here with each of its operations.
    if is_running() { remembered_of_a_run(stretch) } else { stretch() }
}

#[track_caller]
fn remembered_of_a_run<T: Value>(stretch: impl FnOnce() -> T) -> T {
    let from = match Stretch::new("forget") {
        Stretch::Known(answer) => {
            let answer: &dyn Any = &*answer;
            let known = answer.downcast_ref::<T>();
            return known
                .unwrap_or_else(|| panic!("{DIFFERENT}, of another type: `forget`"))
                .clone();
        }
        Stretch::From(from) => from,
    };
    let value = stretch();
    match collapse("forget", from, Arc::new(value.clone())) {
        true => value,
        false => over().unwrap_or(value),
    }
}

/// Runs an attempt that returns whether it came to its end. Of an attempt that did not, only that
/// is kept, and none of its answers.
pub(crate) fn attempt(attempt: impl FnOnce() -> bool) {
    if !is_running() {
        attempt();
        return;
    }
    const WHAT: &str = "a failed attempt";
    match Stretch::new(WHAT) {
        Stretch::Known(_) => {}
        Stretch::From(from) => {
            if !attempt() && !collapse(WHAT, from, Arc::new(())) {
                let () = over().unwrap_or_default();
            }
        }
    }
}

/// A stretch of the program of which only what it came to is kept.
enum Stretch {
    /// It came to this, in an earlier run.
    Known(Arc<dyn super::tape::Answered>),
    /// It begins with the answer of this index.
    From(usize),
}

impl Stretch {
    fn new(what: &'static str) -> Self {
        let mark = fingerprint(&what);
        let begun = with(|run| match run.known.get(run.at) {
            Some(entry) if run.stopped.is_none() && entry.question.fingerprint == mark => {
                run.at += 1;
                Stretch::Known(entry.answer.clone())
            }
            _ => Stretch::From(run.at),
        });
        begun.unwrap_or(Stretch::From(0))
    }
}

/// Keeps this answer, instead of those from this index on. `false` if the run is over.
fn collapse(what: &'static str, from: usize, answer: Arc<dyn super::tape::Answered>) -> bool {
    let kept = with(|run| {
        if run.stopped.is_some() {
            return false;
        }
        if !run.cut(from) {
            return true;
        }
        let entry = Entry { question: question(&what, fingerprint(&what)), answer, is_look: false };
        run.past.push(entry.clone());
        run.known.push(entry);
        run.at = from + 1;
        true
    });
    kept.unwrap_or(true)
}

/// Runs `attempt` again and again until it returns a value. An attempt that returns `None` is
/// [forgotten](forget) altogether. So a program that tries for ever has finitely many states.
///
/// An attempt knows nothing of the attempts before it: it is an [`Fn`], and does not count them.
/// Write a loop with a counter as a loop. An attempt that uses a handle takes it by [`retry_over`].
///
/// # Panics
///
/// If an attempt returns `None` and has performed no operation: it would do so for ever.
#[track_caller]
pub fn retry<T: Value>(attempt: impl Fn() -> Option<T>) -> T {
    retry_over(&mut (), |()| attempt())
}

/// The same as [`retry`], with a handle, or several: `retry_over(fs, |fs| …)`. An attempt that
/// returns `None` changes nothing about the handle.
///
/// # Panics
///
/// As [`retry`].
#[track_caller]
pub fn retry_over<C: ?Sized, T: Value>(handle: &mut C, attempt: impl Fn(&mut C) -> Option<T>) -> T {
    loop {
        let from = with(|run| run.at);
        let came = attempt(handle);
        if is_over() {
            let () = over().unwrap_or_default();
        } else if let (None, Some(from)) = (&came, from) {
            let asked = with(|run| {
                let asked = run.at > from;
                run.cut(from);
                asked
            });
            assert!(asked == Some(true), "`retry`: an attempt came to nothing and asked nothing");
        }
        if let Some(value) = came {
            return value;
        }
    }
}

/// The program is in a named section until this value is dropped; see [`section`].
#[must_use = "the section ends where this is dropped"]
#[derive(Debug)]
pub struct Section(Arc<str>);

/// Marks a section of the program until the value is dropped: its critical section, for example.
///
/// Properties can [ask](super::Code::is_in) whether the program is in it. The mark is no step, and
/// does nothing outside of an exploration.
///
/// ```
/// use toctou::direct;
///
/// # fn save() {}
/// let held = direct::section("holds the lock");
/// save();
/// drop(held);
/// ```
pub fn section(name: &str) -> Section {
    let name: Arc<str> = name.into();
    with(|run| run.sections.push(name.clone()));
    Section(name)
}

/// Sections may end in any order.
impl Drop for Section {
    fn drop(&mut self) {
        with(|run| {
            let ends = run.sections.iter().rposition(|known| Arc::ptr_eq(known, &self.0));
            ends.map(|at| run.sections.remove(at))
        });
    }
}

/// Looks at the world without a step: the operations in `look` are answered at once, in the step
/// before. For an observer that judges what was done.
pub(crate) fn observed<T>(look: impl FnOnce() -> T) -> T {
    let before = with(|run| std::mem::replace(&mut run.looking, true));
    let seen = untold(look);
    with(|run| run.looking = before.unwrap_or_default());
    seen
}

/// Whether what is asked now is no step.
pub(super) fn is_looking() -> bool {
    with(|run| run.looking).unwrap_or(false)
}

/// A thing of the program that another run of it made is not used in this one.
#[track_caller]
pub(super) fn of_this(run: u64, what: &str) {
    assert!(
        run == serial(),
        "a {what} of another run: what a program has opened does not outlive its run"
    );
}

/// How often this has been answered in this run so far, and with what the last time.
pub(super) fn answered_so_far<T: Value>(fingerprint: u64) -> (usize, Option<T>) {
    let told = with(|run| {
        let is_it = |entry: &&Entry| entry.question.fingerprint == fingerprint;
        let so_far = run.known[..run.at].iter().filter(is_it);
        let last = so_far.clone().next_back().map(|entry| entry.answer.clone());
        (so_far.count(), last)
    });
    let (times, last) = told.unwrap_or_default();
    let last = last.and_then(|answer| {
        let answer: &dyn Any = &*answer;
        answer.downcast_ref::<T>().cloned()
    });
    (times, last)
}

/// Whether a sleep ends although nothing has changed: so it does, so many times, for a run that goes ahead.
/// `None` for any other run.
pub(super) fn sleeps_ahead() -> Option<bool> {
    with(|run| {
        let left = run.ahead?;
        run.ahead = Some(left.saturating_sub(1));
        Some(left > 0)
    })
    .flatten()
}

/// Whether this run was stopped before its program's end.
pub(super) fn is_over() -> bool {
    with(|run| run.stopped.is_some()).unwrap_or(false)
}

/// Whether the run has passed all known answers. From here on the program acts for the first time,
/// or again after the last answer.
pub(super) fn is_at_the_end() -> bool {
    with(|run| run.at == run.known.len()).unwrap_or(false)
}

/// Whether a lock is held through the file of this number.
pub(super) fn has_lock(file: u32) -> bool {
    with(|run| run.locks.contains(&file)).unwrap_or(false)
}

pub(super) fn lock(file: u32) {
    with(|run| {
        if !run.locks.contains(&file) {
            run.locks.push(file);
        }
    });
}

pub(super) fn unlock(file: u32) {
    with(|run| run.locks.retain(|known| *known != file));
}

/// The process of the operating system that the program belongs to; `None` outside of an exploration.
pub(crate) fn process() -> Option<u32> {
    with(|run| run.process)
}

/// How many answers the program of this run got in earlier ones; 0 outside of an exploration.
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
pub(crate) fn answers_known() -> usize {
    with(|run| run.known.iter().filter(|entry| !entry.is_look).count()).unwrap_or(0)
}

/// Whether the next answer that is known is one to this question.
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
pub(super) fn is_known_next(fingerprint: u64) -> bool {
    let is_it = |entry: &Entry| entry.question.fingerprint == fingerprint;
    with(|run| run.stopped.is_none() && run.known.get(run.at).is_some_and(is_it)).unwrap_or(false)
}

/// Forgets the answer of this number, if there is one more and then none.
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
pub(super) fn forget_before_last(number: usize) {
    with(|run| {
        let is_last_but_one = run.known.len() == number + 2 && run.at == number + 2;
        if let Some(last) = run.known.last().filter(|_| is_last_but_one && run.stopped.is_none()) {
            run.past = run.past.first(number);
            run.past.push(last.clone());
            run.known.remove(number);
            run.at -= 1;
        }
    });
}

/// How many operations were answered in this run so far.
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
pub(crate) fn asked_so_far() -> usize {
    with(|run| run.at).unwrap_or(0)
}

/// Which of several answers the operation of this run is to get; `None` where it has not been asked for.
pub(super) fn way() -> Option<usize> {
    with(|run| run.way).flatten()
}
