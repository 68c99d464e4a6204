//! Ground floor: a simulated world reports its operations while a step is performed. Imports
//! nothing.
//!
//! A step is one operation. An engine that proves something has to know that a step was no more
//! than that, so a simulated world [reports](called) each of its operations. It also reports when
//! an answer can only mean that the model is [wrong](mistaken): a misspelt column, a descriptor
//! that is not open for writing.
//!
//! Outside of a step that an engine performs, nobody listens, and a report costs one look at a
//! thread-local variable.

use std::cell::{Cell, RefCell};
use std::fmt;

/// How closely a step is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    /// Not at all.
    No,
    /// How many calls there are, and which mistakes: what exploring needs.
    Count,
    /// The text of each call as well: what a picture needs.
    Tell,
}

thread_local! {
    static LISTENING: Cell<Listen> = const { Cell::new(Listen::No) };
    static CALLS: RefCell<Calls> = const { RefCell::new(Calls::NONE) };
}

/// What was called in a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    /// How many calls there were.
    pub(crate) count: usize,
    /// Their texts, if they were [listened](Listen::Tell) to.
    pub(crate) told: Vec<String>,
    /// The first answer that says that the model is wrong.
    pub(crate) mistake: Option<Mistake>,
}

/// An answer that says that the model is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mistake {
    /// `42703`, `EBADF`.
    pub(crate) code: String,
    /// What was called, and what is wrong with it.
    pub(crate) what: String,
}

impl Calls {
    const NONE: Calls = Calls { count: 0, told: Vec::new(), mistake: None };
}

/// Reports that an operation was performed on a simulated world, with its answer: `mkdir(a) = ok`.
///
/// Call it in a world of your own, in each operation that others can act before and after. Every
/// engine of [`check`](crate::check) refuses a step that reports more than one operation, and names
/// them: the program that the step stands for makes several calls.
///
/// The text also describes the step in a trace, unless the system
/// [describes](crate::check::System::described_by) it otherwise. [`SimFs`](crate::fs::SimFs),
/// [`SimDb`](crate::db::SimDb) and the simulated network report their own operations.
///
/// ```
/// use toctou::calls::called;
///
/// struct Shelf { books: u32 }
///
/// impl Shelf {
///     fn take(&mut self) -> bool {
///         let there = self.books > 0;
///         self.books = self.books.saturating_sub(1);
///         called(format_args!("take = {there}"));
///         there
///     }
/// }
/// ```
#[inline]
pub fn called(call: fmt::Arguments<'_>) {
    match LISTENING.get() {
        Listen::No => {}
        Listen::Count => CALLS.with_borrow_mut(|calls| calls.count += 1),
        Listen::Tell => {
            // What is shown may look at a world itself: that is no call.
            let text = untold(|| call.to_string());
            CALLS.with_borrow_mut(|calls| {
                calls.count += 1;
                calls.told.push(text);
            });
        }
    }
}

/// Adds to what is told of the last call. It is no call.
pub(crate) fn added(what: &str) {
    if LISTENING.get() == Listen::Tell {
        CALLS.with_borrow_mut(|calls| {
            if let Some(last) = calls.told.last_mut() {
                last.push_str(what);
            }
        });
    }
}

/// Whether anybody hears what is told now.
#[inline]
pub(crate) fn is_listened_to() -> bool {
    LISTENING.get() != Listen::No
}

/// Reports that an answer of a simulated world can only mean that the model is wrong. `code` is the
/// answer's code (`42703`, `EBADF`). `what` names the call, and says what is wrong with it.
///
/// The check fails with this report, unless the system [expects](crate::check::System::expects)
/// that code.
#[inline]
pub fn mistaken(code: &str, what: fmt::Arguments<'_>) {
    if is_listened_to() {
        note(code, what);
    }
}

#[cold]
fn note(code: &str, what: fmt::Arguments<'_>) {
    let what = untold(|| what.to_string());
    CALLS.with_borrow_mut(|calls| {
        calls.mistake.get_or_insert_with(|| Mistake { code: code.to_owned(), what });
    });
}

/// How many calls this step has told of so far.
pub(crate) fn count() -> usize {
    CALLS.with_borrow(|calls| calls.count)
}

/// Looks at a simulated world without an operation: nothing that `look` does there is reported.
#[inline]
pub fn untold<T>(look: impl FnOnce() -> T) -> T {
    let _restored = Listening::set(Listen::No);
    look()
}

/// Tells again what was told in a step that was taken before.
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
pub(crate) fn told_again(calls: &Calls) {
    for text in &calls.told {
        called(format_args!("{text}"));
    }
    if let Some(Mistake { code, what }) = &calls.mistake {
        mistaken(code, format_args!("{what}"));
    }
}

/// Performs a step and listens to it.
pub(crate) fn listened<T>(how: Listen, step: impl FnOnce() -> T) -> (T, Calls) {
    // A step within a step (a machine that looks ahead in a copy of its world) is not the outer one.
    let outer = CALLS.take();
    let _outer = Restored(Some(outer));
    let done = {
        let _restored = Listening::set(how);
        step()
    };
    (done, CALLS.take())
}

/// Listens so until it is dropped, also by a panic.
struct Listening {
    before: Listen,
}

impl Listening {
    fn set(now: Listen) -> Self {
        Listening { before: LISTENING.replace(now) }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        LISTENING.set(self.before);
    }
}

/// Puts back what was heard of the step around this one.
struct Restored(Option<Calls>);

impl Drop for Restored {
    fn drop(&mut self) {
        CALLS.set(self.0.take().unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(how: Listen, step: impl FnOnce()) -> Calls {
        listened(how, step).1
    }

    #[test]
    fn calls_are_counted_and_told_only_where_somebody_listens() {
        called(format_args!("outside"));
        let step = || {
            called(format_args!("mkdir({}) = ok", "a"));
            called(format_args!("stat({}) = ENOENT", "a"));
        };
        assert_eq!(heard(Listen::No, step), Calls::NONE);
        assert_eq!(heard(Listen::Count, step), Calls { count: 2, ..Calls::NONE });
        let told = heard(Listen::Tell, step);
        assert_eq!(
            (told.count, &told.told[..]),
            (2, &["mkdir(a) = ok", "stat(a) = ENOENT"].map(str::to_owned)[..])
        );
        assert_eq!(heard(Listen::Count, || {}), Calls::NONE, "nothing is left of the step before");
    }

    #[test]
    fn a_text_that_looks_at_a_world_is_no_call() {
        struct Looks;
        impl fmt::Display for Looks {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                called(format_args!("look"));
                mistaken("EINVAL", format_args!("look"));
                f.write_str("looked")
            }
        }
        for how in [Listen::Count, Listen::Tell] {
            let heard = heard(how, || called(format_args!("take = {Looks}")));
            assert_eq!((heard.count, heard.mistake), (1, None));
        }
        let heard = heard(Listen::Count, || mistaken("EBADF", format_args!("{Looks}")));
        let mistake = heard.mistake.map(|mistake| (mistake.code, mistake.what));
        assert_eq!((heard.count, mistake), (0, Some(("EBADF".to_owned(), "looked".to_owned()))));
    }

    #[test]
    fn an_observer_is_not_heard() {
        let heard = heard(Listen::Tell, || {
            called(format_args!("mkdir(a) = ok"));
            untold(|| {
                called(format_args!("stat(a) = ok"));
                mistaken("EINVAL", format_args!("stat(a)"));
            });
        });
        assert_eq!((heard.count, heard.mistake), (1, None));
    }

    #[test]
    fn the_first_mistake_is_the_one_that_is_told() {
        let heard = heard(Listen::Count, || {
            mistaken("42703", format_args!("`coupons` has no column `{}`", "sate"));
            mistaken("42P01", format_args!("later"));
        });
        let what = "`coupons` has no column `sate`".to_owned();
        assert_eq!(heard.mistake, Some(Mistake { code: "42703".to_owned(), what }));
    }

    #[test]
    fn a_step_within_a_step_is_a_step_of_its_own() {
        let outer = heard(Listen::Tell, || {
            called(format_args!("outer"));
            assert_eq!(heard(Listen::Count, || called(format_args!("inner"))).count, 1);
            called(format_args!("outer, again"));
        });
        assert_eq!(outer.told, ["outer", "outer, again"]);
    }

    #[test]
    fn a_panic_ends_the_listening() {
        let caught = std::panic::catch_unwind(|| {
            listened(Listen::Tell, || std::panic::resume_unwind(Box::new(())))
        });
        assert!(caught.is_err());
        assert_eq!(LISTENING.get(), Listen::No);
        called(format_args!("outside"));
        assert_eq!(CALLS.take(), Calls::NONE);
    }
}
