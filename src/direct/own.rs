//! Second floor, `direct`: ordinary code over a world of your own. Imports [`calls`](crate::calls)
//! and its neighbours in `direct`.

use std::any::TypeId;
use std::cell::Cell;
use std::fmt::{self, Display};
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::lent::{Lent, taken};
use super::run::{self, Performed, ask, fingerprint};
use crate::calls::{called, count, untold};
use crate::check::Value;

/// What a program over a world of your own holds: nothing but answers.
pub struct Unheld<W>(PhantomData<fn(W)>);

impl<W> Unheld<W> {
    pub(super) const NOTHING: Self = Unheld(PhantomData);
}

impl<W> Clone for Unheld<W> {
    fn clone(&self) -> Self {
        Self::NOTHING
    }
}

impl<W> PartialEq for Unheld<W> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<W> Eq for Unheld<W> {}

impl<W> Hash for Unheld<W> {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl<W> fmt::Debug for Unheld<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing")
    }
}

thread_local! {
    /// The world of the program that this thread runs, and its type.
    static WORLD: Cell<Option<(TypeId, NonNull<()>)>> = const { Cell::new(None) };
}

/// Runs `during` with this as the world of the thread.
pub(super) fn within<W: 'static, T>(world: &mut W, during: impl FnOnce() -> T) -> T {
    let world = NonNull::from(world).cast();
    let _lent = Lent::at(&WORLD, (TypeId::of::<W>(), world));
    during()
}

fn world<W: 'static, T>(with: impl FnOnce(&mut W) -> T) -> Option<T> {
    let of_this_type = |(kind, world): (TypeId, NonNull<()>)| {
        if kind != TypeId::of::<W>() {
            return None;
        }
        // SAFETY: it is of this type, exclusively borrowed for as long as it is there, and nobody else
        // finds it there now.
        Some(with(unsafe { world.cast::<W>().as_mut() }))
    };
    taken(&WORLD, of_this_type).flatten()
}

/// A world of your own, for ordinary code: a value, and the operations on it that are steps.
///
/// The program that [`Code::over`](super::Code::over) takes gets one.
///
/// ```
/// use toctou::check::System;
/// use toctou::direct::{Code, Own};
///
/// /// A coupon: is it used?
/// fn redeem(coupon: &mut Own<bool>) -> &'static str {
///     if coupon.call("look", |used| *used) {
///         return "refused";
///     }
///     coupon.call("mark", |used| *used = true);
///     "granted"
/// }
///
/// System::new(false)
///     .clients(2, Code::over(redeem))
///     .at_most(1, "one-grant", |client| client.output().filter(|told| **told == "granted").copied())
///     .assert_breaks("one-grant");
/// ```
pub struct Own<W>(PhantomData<fn(W)>);

impl<W> fmt::Debug for Own<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Own")
    }
}

impl<W: Clone + 'static> Own<W> {
    pub(super) fn new() -> Self {
        Own(PhantomData)
    }

    /// Performs one operation as one step: no other process acts within `operation`.
    ///
    /// `what` is the text that describes the operation. Two operations with different arguments
    /// need different texts. `operation` is an [`Fn`]: it returns its result as its answer, and
    /// changes no variable.
    #[track_caller]
    pub fn call<A: Value>(&mut self, what: impl Display, operation: impl Fn(&mut W) -> A) -> A {
        self.wait(what, |world| Some(operation(world)))
    }

    /// Performs one operation that may have to wait. It waits by returning `None`, and then changes
    /// nothing. It is performed again once its result may have changed.
    #[track_caller]
    pub fn wait<A: Value>(
        &mut self,
        what: impl Display,
        operation: impl Fn(&mut W) -> Option<A>,
    ) -> A {
        let what = what.to_string();
        let asked = fingerprint(&what);
        let answer = ask(&what, asked, || {
            let told = count();
            let answer = world(&operation).unwrap_or_else(|| not_there::<W>(&what));
            // A world that tells of its own calls is told in them.
            let tells = count() > told;
            match answer {
                Some(answer) => {
                    if !tells {
                        called(format_args!("{what} = {answer:?}"));
                    }
                    Performed::Answer(answer)
                }
                None => {
                    if !tells {
                        called(format_args!("{what} waits"));
                    }
                    Performed::Waits
                }
            }
        });
        answer.or_else(|| pretended(operation)).unwrap_or_else(|| gone(&what))
    }

    /// Looks at the world without a step of its own: the look belongs to the step before. For an
    /// observer that judges what was done.
    #[track_caller]
    pub fn look<A: Value>(&self, look: impl Fn(&W) -> A) -> A {
        let seen = run::observed(|| {
            ask(&"look", fingerprint(&"look"), || {
                Performed::Answer(
                    world(|world: &mut W| look(world)).unwrap_or_else(|| not_there::<W>("look")),
                )
            })
        });
        seen.or_else(|| pretended(|world: &mut W| Some(look(world))))
            .unwrap_or_else(|| gone("look"))
    }
}

/// The answer to a destructor that asks although its run is over. It comes from a copy of the
/// world, which nobody sees.
fn pretended<W: Clone + 'static, A>(operation: impl Fn(&mut W) -> Option<A>) -> Option<A> {
    world(|world: &mut W| untold(|| operation(&mut world.clone()))).flatten()
}

fn not_there<W>(what: &str) -> ! {
    panic!(
        "`{what}`: the program is checked in another world than a `{}`{}",
        std::any::type_name::<W>(),
        run::line()
    )
}

/// Panics: a destructor of a run that is over would have to wait.
fn gone(what: &str) -> ! {
    panic!("`{what}` in a destructor has to wait: a destructor of a program that is checked cannot")
}
