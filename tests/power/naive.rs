//! A second implementation, from the papers' definitions: every permutation of a program's events that
//! keeps what has to be ordered, and every prefix of each. And random programs.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use toctou::fs::Profile::{self, Ext4, MetadataPrefix, Posix, Sequential};

use super::programs::{Call, State, ever, survivals};
use crate::tries::Tries;

/// What a program does to the disk, one thing at a time.
#[derive(Clone, Debug)]
enum Event {
    /// These names of the directory stand for these files, or for nothing, from now on.
    Names(Vec<(String, Option<usize>)>, BTreeSet<usize>),
    /// The first name of this file.
    Made(String, usize),
    Bytes(usize, usize, Vec<u8>),
    /// Zeros up to the end of a block, which a shorter length cuts off.
    Clear(usize, usize, Vec<u8>),
    /// A length that was set.
    Length(usize, usize),
    /// One that came by writing.
    Grown(usize, usize),
    /// Bytes of a new block, and the length.
    Extend(usize, usize, Vec<u8>, usize),
    Mode(usize, u32),
    /// Of a file; of the directory without one. Whether of its data alone.
    Sync(Option<usize>, bool),
    /// An `fsync` of this file that fails.
    Fails(usize),
}

/// One directory, as everybody sees it.
#[derive(Clone, Default)]
struct Seen {
    names: BTreeMap<String, usize>,
    lengths: Vec<usize>,
    opened: Vec<Option<usize>>,
}

impl Seen {
    /// The events of a call, as this profile has them.
    fn events(&mut self, profile: Profile, block: usize, call: &Call) -> Vec<Event> {
        let names = |changed: Vec<(String, Option<usize>)>, of: BTreeSet<usize>| match profile {
            Posix => changed
                .into_iter()
                .map(|name| Event::Names(vec![name], of.clone()))
                .collect::<Vec<_>>(),
            _ => vec![Event::Names(changed, of)],
        };
        let file = |seen: &Seen, number: usize| seen.opened.get(number).copied().flatten();
        match call {
            Call::Create(name) => {
                if self.names.contains_key(*name) {
                    self.opened.push(None);
                    return Vec::new();
                }
                let file = self.lengths.len();
                self.lengths.push(0);
                self.opened.push(Some(file));
                self.names.insert(name.to_string(), file);
                vec![Event::Made(name.to_string(), file)]
            }
            Call::Append(number, bytes) => match file(self, *number) {
                Some(file) => self.write(profile, block, file, self.lengths[file], bytes),
                None => Vec::new(),
            },
            Call::Write(number, at, bytes) => match file(self, *number) {
                Some(file) => self.write(profile, block, file, *at, bytes),
                None => Vec::new(),
            },
            Call::Truncate(number, length) => match file(self, *number) {
                Some(file) if self.lengths[file] != *length => {
                    let before = std::mem::replace(&mut self.lengths[file], *length);
                    let end = before.min(length.div_ceil(block) * block);
                    let is_cleared = matches!(profile, Ext4 | Posix) && end > *length;
                    let clear = || Event::Clear(file, *length, vec![0; end - length]);
                    let clear = is_cleared.then(clear);
                    clear.into_iter().chain([Event::Length(file, *length)]).collect()
                }
                _ => Vec::new(),
            },
            Call::Chmod(number, mode) => {
                file(self, *number).map(|file| Event::Mode(file, *mode)).into_iter().collect()
            }
            Call::Rename(from, to) => {
                let Some(moved) = self.names.get(*from).copied() else { return Vec::new() };
                let replaced = self.names.get(*to).copied();
                if replaced == Some(moved) {
                    return Vec::new();
                }
                self.names.remove(*from);
                self.names.insert(to.to_string(), moved);
                let of = [Some(moved), replaced].into_iter().flatten().collect();
                names(vec![(from.to_string(), None), (to.to_string(), Some(moved))], of)
            }
            Call::Exchange(one, other) => {
                let both = (self.names.get(*one).copied(), self.names.get(*other).copied());
                let (Some(first), Some(second)) = both else { return Vec::new() };
                if first == second {
                    return Vec::new();
                }
                self.names.insert(one.to_string(), second);
                self.names.insert(other.to_string(), first);
                let changed =
                    vec![(one.to_string(), Some(second)), (other.to_string(), Some(first))];
                names(changed, [first, second].into())
            }
            Call::Link(from, to) => {
                let Some(file) = self.names.get(*from).copied() else { return Vec::new() };
                if self.names.contains_key(*to) {
                    return Vec::new();
                }
                self.names.insert(to.to_string(), file);
                names(vec![(to.to_string(), Some(file))], [file].into())
            }
            Call::Unlink(name) => {
                let Some(file) = self.names.remove(*name) else { return Vec::new() };
                names(vec![(name.to_string(), None)], [file].into())
            }
            Call::Fsync(number) | Call::Fdatasync(number) => {
                let data_alone = matches!(call, Call::Fdatasync(_));
                let sync = |file| Event::Sync(Some(file), data_alone);
                file(self, *number).map(sync).into_iter().collect()
            }
            Call::FailingFsync(number) => {
                file(self, *number).map(Event::Fails).into_iter().collect()
            }
            Call::FsyncDir(_) => vec![Event::Sync(None, false)],
        }
    }

    fn write(
        &mut self,
        profile: Profile,
        block: usize,
        file: usize,
        start: usize,
        bytes: &[u8],
    ) -> Vec<Event> {
        let blocks = self.lengths[file].div_ceil(block);
        let mut events = Vec::new();
        for (index, byte) in bytes.iter().enumerate() {
            let at = start + index;
            // Byte by byte, joined within a block.
            let begins = index == 0 || at.is_multiple_of(block);
            let length = self.lengths[file].max(at + 1);
            let grows = length > self.lengths[file];
            let is_new = at / block >= blocks && profile == Sequential;
            if begins && is_new {
                events.push(Event::Extend(file, at, Vec::new(), length));
            } else if begins {
                events.push(Event::Bytes(file, at, Vec::new()));
            }
            let of_length = events.len() - 1;
            let last = if matches!(events[of_length], Event::Grown(..)) && !begins {
                of_length - 1
            } else {
                of_length
            };
            match &mut events[last] {
                Event::Extend(_, _, written, extended) => {
                    written.push(*byte);
                    *extended = length;
                }
                Event::Bytes(_, _, written) => written.push(*byte),
                _ => unreachable!("bytes are written by one of these"),
            }
            if grows && !is_new {
                match events.last_mut() {
                    Some(Event::Grown(_, now)) => *now = length,
                    _ => events.push(Event::Grown(file, length)),
                }
            }
            self.lengths[file] = length;
        }
        events
    }
}

impl Event {
    fn block_of(&self, block: usize) -> Option<(usize, usize)> {
        match self {
            Event::Bytes(file, at, _) | Event::Clear(file, at, _) | Event::Extend(file, at, ..) => {
                Some((*file, at / block))
            }
            _ => None,
        }
    }

    fn names(&self) -> Vec<&str> {
        match self {
            Event::Names(changed, _) => changed.iter().map(|it| it.0.as_str()).collect(),
            Event::Made(name, _) => vec![name],
            _ => Vec::new(),
        }
    }

    fn inode(&self) -> Option<usize> {
        match self {
            Event::Length(file, _)
            | Event::Grown(file, _)
            | Event::Extend(file, ..)
            | Event::Mode(file, _) => Some(*file),
            _ => None,
        }
    }
}

/// Whether the earlier one stays before the later one in each execution of the disk.
fn stays_before(profile: Profile, block: usize, earlier: &Event, later: &Event) -> bool {
    use Event::{Bytes, Clear, Extend, Fails, Grown, Length, Made, Mode, Names, Sync};
    let of_file = |event: &Event, file: usize| match event {
        Bytes(of, ..) | Clear(of, ..) | Length(of, _) | Grown(of, _) | Extend(of, ..) => {
            *of == file
        }
        Mode(of, _) | Made(_, of) => *of == file,
        Names(_, of) => of.contains(&file),
        Sync(..) | Fails(_) => false,
    };
    let is_data = |event: &Event| matches!(event, Bytes(..) | Clear(..));
    let has_names = |event: &Event| matches!(event, Names(..) | Made(..));
    match (earlier, later) {
        // It is no barrier.
        (Fails(_), _) | (_, Fails(_)) => false,
        // What comes after a barrier stays after it.
        (Sync(..), _) => true,
        (_, Sync(what, data_alone)) => match (profile, what) {
            (Sequential, _) => true,
            (_, Some(_)) if *data_alone && matches!(earlier, Mode(..)) => false,
            (MetadataPrefix, Some(file)) => {
                of_file(earlier, *file) && !has_names(earlier) || !data_alone && !is_data(earlier)
            }
            (MetadataPrefix, None) => !is_data(earlier),
            (Ext4, Some(_)) if *data_alone && matches!(earlier, Names(..)) => false,
            (Ext4, Some(file)) => of_file(earlier, *file),
            (Posix, Some(file)) => of_file(earlier, *file) && !has_names(earlier),
            (Ext4 | Posix, None) => has_names(earlier),
        },
        _ => {
            let same_block = earlier.block_of(block).is_some()
                && earlier.block_of(block) == later.block_of(block);
            let same_inode = earlier.inode().is_some() && earlier.inode() == later.inode();
            // What was written comes late.
            let same_inode_in_order =
                same_inode && (matches!(later, Grown(..)) || !matches!(earlier, Grown(..)));
            match profile {
                Sequential => true,
                MetadataPrefix => same_block || !is_data(earlier) && !is_data(later),
                // All names here are of one directory.
                Ext4 => same_block || same_inode_in_order || has_names(earlier) && has_names(later),
                Posix => {
                    let same_name = earlier.names().iter().any(|it| later.names().contains(it));
                    let same_block = same_block && !matches!(earlier, Clear(..));
                    same_block || same_inode_in_order || same_name
                }
            }
        }
    }
}

/// What is there when the disk has executed these, in this order. Each has its number in the program.
fn disk(events: &[(usize, &Event)], files: usize) -> State {
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut contents = vec![(Vec::new(), 0, 0o600); files];
    for (done, (number, event)) in events.iter().enumerate() {
        // What a truncation has cut off is in no cache any more, and so is not written after it.
        let cut = |file: usize| {
            let lengths = events[..done].iter().filter_map(|(other, event)| match event {
                Event::Length(of, length) if *of == file && other > number => Some(*length),
                _ => None,
            });
            lengths.min()
        };
        let mut put = |file: usize, at: usize, bytes: &[u8]| {
            let kept = cut(file).map_or(bytes.len(), |end| end.saturating_sub(at));
            let bytes = &bytes[..kept.min(bytes.len())];
            if bytes.is_empty() {
                return;
            }
            // Each byte with the number of who wrote it.
            let content: &mut Vec<(u8, usize)> = &mut contents[file].0;
            content.resize(content.len().max(at + bytes.len()), (0, 0));
            let places = content[at..].iter_mut().zip(bytes);
            // A block is written as it is in the cache by then: what came later is not undone.
            for (place, byte) in places.filter(|(place, _)| place.1 <= *number) {
                *place = (*byte, *number);
            }
        };
        match event {
            Event::Names(changed, _) => {
                for (name, file) in changed {
                    match file {
                        Some(file) => names.insert(name.clone(), *file),
                        None => names.remove(name),
                    };
                }
            }
            Event::Made(name, file) => drop(names.insert(name.clone(), *file)),
            Event::Bytes(file, at, bytes) | Event::Clear(file, at, bytes) => put(*file, *at, bytes),
            Event::Extend(file, at, bytes, length) => {
                put(*file, *at, bytes);
                contents[*file].1 = *length;
            }
            Event::Grown(file, _) if cut(*file).is_some() => {}
            Event::Length(file, length) | Event::Grown(file, length) => {
                // It cuts off what was written before it.
                let cut_off = contents[*file].0.iter_mut().skip(*length);
                cut_off.filter(|(_, by)| by < number).for_each(|it| *it = (0, 0));
                contents[*file].1 = *length;
            }
            Event::Mode(file, mode) => contents[*file].2 = *mode,
            Event::Sync(..) | Event::Fails(_) => {}
        }
    }
    let told = names.into_iter().map(|(name, file)| {
        let (content, length, mode) = &contents[file];
        let mut content: Vec<u8> = content.iter().map(|(byte, _)| *byte).collect();
        content.resize(*length, 0);
        (name, format!("{mode:o} {}", String::from_utf8_lossy(&content)))
    });
    let directories = ["d", "e"].map(|name| (name.to_owned(), "/ 0700".to_owned()));
    told.chain(directories).collect()
}

/// What an `fsync` that fails does to the bytes that it should have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failing {
    /// They are given up: no later `fsync` waits for them, and nothing else does, but a later write to
    /// the same block.
    GivesUp,
    /// Nothing: the next one writes them.
    Retries,
    /// They are written all the same.
    Writes,
}

/// The events without those that fail, and whether the bytes of each are given up.
fn given_up(
    profile: Profile,
    block: usize,
    failing: Failing,
    events: Vec<Event>,
) -> (Vec<Event>, Vec<bool>) {
    let (mut kept, mut given_up): (Vec<Event>, Vec<bool>) = Default::default();
    for event in events {
        let Event::Fails(file) = event else {
            kept.push(event);
            given_up.push(false);
            continue;
        };
        match failing {
            Failing::Retries => {}
            Failing::Writes => {
                kept.push(Event::Sync(Some(file), false));
                given_up.push(false);
            }
            Failing::GivesUp => {
                // Some earlier `fsync` has waited for these, or for what needs them.
                let mut is_permanent = vec![false; kept.len()];
                for one in (0..kept.len()).rev() {
                    is_permanent[one] = (one + 1..kept.len()).any(|later| {
                        (matches!(kept[later], Event::Sync(..)) || is_permanent[later])
                            && stays(profile, block, &kept, &given_up, one, later)
                    });
                }
                let (events, before) = (std::mem::take(&mut kept), std::mem::take(&mut given_up));
                for ((event, before), is_permanent) in
                    events.into_iter().zip(before).zip(is_permanent)
                {
                    match event {
                        // The length of a new block comes without its bytes.
                        Event::Extend(of, at, bytes, length) if of == file && !is_permanent => {
                            kept.extend([Event::Grown(of, length), Event::Bytes(of, at, bytes)]);
                            given_up.extend([false, true]);
                        }
                        event => {
                            let is_its = matches!(
                                event,
                                Event::Bytes(of, ..) | Event::Clear(of, ..) if of == file
                            );
                            kept.push(event);
                            given_up.push(before || is_its && !is_permanent);
                        }
                    }
                }
            }
        }
    }
    (kept, given_up)
}

/// Whether the event of the first index stays before that of the second one.
fn stays(
    profile: Profile,
    block: usize,
    events: &[Event],
    given_up: &[bool],
    earlier: usize,
    later: usize,
) -> bool {
    let (one, other) = (&events[earlier], &events[later]);
    let is_free = given_up[earlier] && one.block_of(block) != other.block_of(block);
    !is_free && stays_before(profile, block, one, other)
}

/// Every state of every prefix of every permutation that keeps the order.
fn naive(profile: Profile, block: usize, calls: &[Call]) -> Option<BTreeSet<State>> {
    naive_where(Failing::GivesUp, profile, block, calls)
}

fn naive_where(
    failing: Failing,
    profile: Profile,
    block: usize,
    calls: &[Call],
) -> Option<BTreeSet<State>> {
    let mut seen = Seen::default();
    let events: Vec<Event> =
        calls.iter().flat_map(|call| seen.events(profile, block, call)).collect();
    let (events, given_up) = given_up(profile, block, failing, events);
    if events.len() > 8 {
        return None;
    }
    let stays = |earlier, later| stays(profile, block, &events, &given_up, earlier, later);
    let mut states = BTreeSet::new();
    let mut order = Vec::new();
    permute(events.len(), &stays, &mut order, &mut |order| {
        let events: Vec<_> = order.iter().map(|index| (*index, &events[*index])).collect();
        states.insert(disk(&events, seen.lengths.len()));
    });
    Some(states)
}

fn permute(
    count: usize,
    stays_before: &impl Fn(usize, usize) -> bool,
    order: &mut Vec<usize>,
    prefix: &mut impl FnMut(&[usize]),
) {
    prefix(order);
    for next in 0..count {
        let is_free = !order.contains(&next)
            && (0..next).all(|earlier| order.contains(&earlier) || !stays_before(earlier, next));
        if is_free {
            order.push(next);
            permute(count, stays_before, order, prefix);
            order.pop();
        }
    }
}

const BLOCK: usize = 4;

const TRIES: Tries = Tries("TOCTOU_POWER_CASES");

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c"])
}

fn call() -> impl Strategy<Value = Call> {
    let bytes = || "[x-z]{1,6}".prop_map(String::into_bytes);
    let file = 0..2_usize;
    prop_oneof![
        2 => name().prop_map(Call::Create),
        3 => (file.clone(), bytes()).prop_map(|(file, bytes)| Call::Append(file, bytes)),
        2 => (file.clone(), 0..8_usize, bytes()).prop_map(|(f, at, b)| Call::Write(f, at, b)),
        1 => (file.clone(), 0..6_usize).prop_map(|(file, length)| Call::Truncate(file, length)),
        1 => file.clone().prop_map(|file| Call::Chmod(file, 0o640)),
        3 => (name(), name()).prop_map(|(from, to)| Call::Rename(from, to)),
        1 => (name(), name()).prop_map(|(from, to)| Call::Exchange(from, to)),
        1 => (name(), name()).prop_map(|(from, to)| Call::Link(from, to)),
        1 => name().prop_map(Call::Unlink),
        2 => file.clone().prop_map(Call::Fsync),
        1 => file.prop_map(Call::Fdatasync),
        1 => Just(Call::FsyncDir(".")),
    ]
}

/// The same, with an `fsync` that fails now and then.
fn call_or_failure() -> impl Strategy<Value = Call> {
    prop_oneof![
        12 => call(),
        1 => (0..2_usize).prop_map(Call::FailingFsync),
    ]
}

/// Each program begins with a file.
fn program(call: impl Strategy<Value = Call>, most: usize) -> impl Strategy<Value = Vec<Call>> {
    prop::collection::vec(call, 1..most).prop_map(|mut calls| {
        calls.insert(0, Call::Create("a"));
        calls
    })
}

fn run(cases: u32, most: usize, test: impl Fn(Vec<Call>)) {
    run_of(call(), cases, most, test);
}

fn run_of(call: impl Strategy<Value = Call>, cases: u32, most: usize, test: impl Fn(Vec<Call>)) {
    let cases = u32::try_from(TRIES.number(cases as usize)).unwrap_or(u32::MAX);
    let rng_seed = TRIES.seed(0);
    let config = Config { cases, rng_seed, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    runner
        .run(&program(call, most), |calls| {
            test(calls);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_second_implementation_finds_the_same_states() {
    for profile in Profile::ALL {
        let (compared, largest) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
        run(1_000, 6, |calls| {
            let Some(expected) = naive(profile, BLOCK, &calls) else { return };
            let found = ever(profile, BLOCK, &[], &calls);
            assert_eq!(found, expected, "{profile:?}: {calls:?}");
            compared.set(compared.get() + 1);
            largest.set(largest.get().max(found.len()));
        });
        let least = if profile == Sequential { 6 } else { 12 };
        assert!(
            compared.get() > 700 && largest.get() >= least,
            "{profile:?}: {compared:?}, {largest:?}"
        );
    }
}

#[test]
fn what_survives_in_a_stricter_profile_survives_in_a_weaker_one() {
    let weaker =
        [(Sequential, MetadataPrefix), (Sequential, Ext4), (MetadataPrefix, Posix), (Ext4, Posix)];
    let more = std::cell::Cell::new([0; 4]);
    let either = std::cell::Cell::new([0; 2]);
    run_of(call_or_failure(), 1_000, 9, |calls| {
        let of = |profile| survivals(profile, BLOCK, &[], &calls);
        let (prefix, ext4) = (of(MetadataPrefix), of(Ext4));
        for (index, (strict, weak)) in weaker.into_iter().enumerate() {
            for (strict, weak) in of(strict).iter().zip(of(weak)) {
                assert!(strict.is_subset(&weak), "{strict:?} is no part of {weak:?}: {calls:?}");
                let mut now = more.get();
                now[index] += usize::from(weak.len() > strict.len());
                more.set(now);
            }
        }
        for (prefix, ext4) in prefix.iter().zip(&ext4) {
            let [one, other] = either.get();
            let one = one + usize::from(!prefix.is_subset(ext4));
            either.set([one, other + usize::from(!ext4.is_subset(prefix))]);
        }
    });
    assert!(more.get().iter().all(|count| *count > 100), "{more:?}");
    // Neither of these two is stricter than the other.
    assert!(either.get().iter().all(|count| *count > 0), "{either:?}");
}

/// A program whose first `fsync` fails, and whose second one does not.
fn failing_first(mut calls: Vec<Call>) -> Vec<Call> {
    let first = [Call::Append(0, b"vw".to_vec()), Call::FailingFsync(0), Call::Fsync(0)];
    calls.splice(1..1, first);
    calls
}

#[test]
fn what_a_failing_fsync_gives_up_is_what_the_second_implementation_finds() {
    for profile in Profile::ALL {
        let compared = std::cell::Cell::new(0);
        let differing = [(); 2].map(|()| std::cell::Cell::new(0));
        run_of(call_or_failure(), 500, 4, |calls| {
            let calls = failing_first(calls);
            let Some(expected) = naive(profile, BLOCK, &calls) else { return };
            let found = ever(profile, BLOCK, &[], &calls);
            assert_eq!(found, expected, "{profile:?}: {calls:?}");
            compared.set(compared.get() + 1);
            // Taken for something else, it is found out.
            for (failing, differing) in
                [Failing::Retries, Failing::Writes].into_iter().zip(&differing)
            {
                let wrong = naive_where(failing, profile, BLOCK, &calls);
                let differs = wrong.is_some_and(|wrong| wrong != found);
                differing.set(differing.get() + usize::from(differs));
            }
        });
        println!("{profile:?}: {compared:?} programs, {differing:?} differ");
        assert!(compared.get() > 300, "{profile:?}: {compared:?}");
        assert!(differing.iter().all(|count| count.get() > 10), "{profile:?}: {differing:?}");
    }
}

#[test]
fn a_wrong_order_is_found_out() {
    for (profile, wrong) in
        [(Ext4, Posix), (Posix, Ext4), (Ext4, MetadataPrefix), (MetadataPrefix, Sequential)]
    {
        let differing = std::cell::Cell::new(0);
        run(300, 6, |calls| {
            let Some(expected) = naive(wrong, BLOCK, &calls) else { return };
            let differs = ever(profile, BLOCK, &[], &calls) != expected;
            differing.set(differing.get() + usize::from(differs));
        });
        assert!(differing.get() > 20, "{profile:?} as {wrong:?}: {differing:?}");
    }
}

/// The directory's `fsync` makes the truncation permanent, and not the bytes before it: these were cut off.
/// That they are back behind a later length was believed once.
#[test]
fn bytes_that_were_cut_off_do_not_come_back() {
    let calls = [
        Call::Create("a"),
        Call::Append(0, b"xx".to_vec()),
        Call::Truncate(0, 0),
        Call::FsyncDir("."),
        Call::Append(0, b"yyy".to_vec()),
    ];
    for profile in Profile::ALL {
        let found = ever(profile, BLOCK, &[], &calls);
        assert_eq!(Some(&found), naive(profile, BLOCK, &calls).as_ref(), "{profile:?}");
        let is_back = |state: &State| state.iter().any(|(_, told)| told.ends_with(" xx\0"));
        assert!(!found.iter().any(is_back), "{profile:?}: {found:?}");
        let is_new = |state: &State| state.iter().any(|(_, told)| told.ends_with(" yyy"));
        assert!(found.iter().any(is_new), "{profile:?}: {found:?}");
    }
}

/// The last states of a program whose first `fsync` fails, before these calls.
fn after_a_failure(profile: Profile, then: &[Call]) -> BTreeSet<State> {
    let first = [Call::Create("a"), Call::Append(0, b"vwxyz".to_vec()), Call::FailingFsync(0)];
    let calls = [&first[..], then, &[Call::FsyncDir(".")]].concat();
    if let Some(expected) = naive(profile, BLOCK, &calls) {
        assert_eq!(ever(profile, BLOCK, &[], &calls), expected, "{profile:?}: {calls:?}");
    }
    survivals(profile, BLOCK, &[], &calls).pop().unwrap()
}

fn contents(states: &BTreeSet<State>) -> BTreeSet<String> {
    let contents = states.iter().flatten().filter_map(|(_, told)| told.strip_prefix("600 "));
    contents.map(str::to_owned).collect()
}

#[test]
fn what_a_failing_fsync_gave_up_a_truncation_cuts_off_for_good() {
    for profile in Profile::ALL {
        let cut = [Call::Truncate(0, 0), Call::Fsync(0)];
        assert_eq!(contents(&after_a_failure(profile, &cut)), [""].map(str::to_owned).into());
        // Nor is it back behind a later length, or behind other bytes.
        let longer = [&cut[..], &[Call::Truncate(0, 5), Call::Fsync(0)]].concat();
        let zeros = "\0".repeat(5);
        assert_eq!(contents(&after_a_failure(profile, &longer)), [zeros].into());
        let other = [&cut[..], &[Call::Write(0, 2, b"q".to_vec()), Call::Fsync(0)]].concat();
        assert_eq!(contents(&after_a_failure(profile, &other)), ["\0\0q".to_owned()].into());
    }
}

/// The zeros behind a shorter length are written with their whole block, as a later write is. Where none
/// are written, what is before them stays given up.
#[test]
fn a_truncation_within_a_block_writes_what_was_given_up_there() {
    for profile in Profile::ALL {
        let within = [Call::Truncate(0, 2), Call::Fsync(0)];
        let found = contents(&after_a_failure(profile, &within));
        match profile {
            Ext4 | Posix => assert_eq!(found, ["vw".to_owned()].into()),
            Sequential | MetadataPrefix => {
                assert_eq!(found, ["vw", "\0\0"].map(str::to_owned).into());
            }
        }
        // At the end of a block there is nothing to write.
        let between = [Call::Truncate(0, 4), Call::Fsync(0)];
        let found = contents(&after_a_failure(profile, &between));
        assert_eq!(found, ["vwxy", "\0\0\0\0"].map(str::to_owned).into(), "{profile:?}");
    }
}
