//! Between two awaits (crawlee 2193): one thread, and whatever happens while a task waits.
//!
//! Promise: all callers get one object. A maintainer and the author of a fix disagreed about it: to look again
//! after the load, and to store, with no await between. The author is right, for 2, 3 and 5 callers; with an await
//! between the look and the store it breaks.

use toctou::check::System;
use toctou::direct::{Code, Own, Unheld};

/// A cache of one key: which load's object is in it, and how many loads there were.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Cache {
    cached: Option<u8>,
    loads: u8,
}

type Get = fn(&mut Own<Cache>) -> u8;

/// A load that takes its time: what it brings is known at its end.
fn load(cache: &mut Own<Cache>) -> u8 {
    cache.call("load ends", |cache| {
        cache.loads += 1;
        cache.loads
    })
}

fn original(cache: &mut Own<Cache>) -> u8 {
    if let Some(known) = cache.call("cache.get", |cache| cache.cached) {
        return known;
    }
    let loaded = load(cache);
    cache.call("cache.set", |cache| cache.cached = Some(loaded));
    loaded
}

/// Looks again, and stores, with no await between.
fn fixed(cache: &mut Own<Cache>) -> u8 {
    if let Some(known) = cache.call("cache.get", |cache| cache.cached) {
        return known;
    }
    let loaded = load(cache);
    cache.call("look again, cache.set", |cache| *cache.cached.get_or_insert(loaded))
}

/// The same, with an await between.
fn with_an_await(cache: &mut Own<Cache>) -> u8 {
    if let Some(known) = cache.call("cache.get", |cache| cache.cached) {
        return known;
    }
    let loaded = load(cache);
    if let Some(known) = cache.call("look again", |cache| cache.cached) {
        return known;
    }
    cache.call("cache.set", |cache| cache.cached = Some(loaded));
    loaded
}

pub(crate) fn callers(count: usize, get: Get) -> System<Cache, Code<Unheld<Cache>, u8>> {
    System::new(Cache::default())
        .clients(count, Code::over(get))
        .always("one-object", |state| {
            let mut objects = state.outputs();
            let first = objects.next();
            objects.all(|object| Some(object) == first)
        })
        .reachable("two-loads", |state| state.world().loads > 1)
}

pub(crate) fn tell() {
    println!("between two awaits, original: {}", callers(2, original).examine());
    println!("between two awaits, fixed: {}", callers(3, fixed).examine());
    println!("between two awaits, with an await: {}", callers(2, with_an_await).examine());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_original_breaks_and_the_fix_holds_for_two_three_and_five_callers() {
        callers(2, original).assert_breaks("one-object");
        for count in [2, 3, 5] {
            callers(count, fixed).assert_holds();
        }
    }

    #[test]
    fn an_await_between_the_look_and_the_store_breaks_it() {
        callers(2, with_an_await).assert_breaks("one-object");
    }
}
