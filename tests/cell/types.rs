//! Values of every kind, and what the compiler knows of a cell.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem::{align_of, size_of};
use std::panic::{RefUnwindSafe, UnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Mutex;
use std::thread;

use toctou::claim_cell::ClaimCell;

thread_local! {
    static NOTHINGS: Cell<usize> = const { Cell::new(0) };
}

/// No byte, and yet it is dropped.
#[derive(Debug)]
struct Nothing;

impl Drop for Nothing {
    fn drop(&mut self) {
        NOTHINGS.set(NOTHINGS.get() + 1);
    }
}

#[test]
fn a_value_without_size_is_claimed_once_and_dropped_once() {
    let cell = ClaimCell::empty();
    assert!(cell.put(Nothing).is_ok());
    let refused = cell.put(Nothing);
    assert!(refused.is_err());
    let claimed = cell.claim();
    assert!(claimed.is_some() && cell.claim().is_none());
    assert_eq!(NOTHINGS.get(), 0);
    drop((claimed, refused, cell));
    assert_eq!(NOTHINGS.get(), 2);
    drop(ClaimCell::new(Nothing));
    assert_eq!(NOTHINGS.get(), 3);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(256))]
struct Aligned(u8);

#[test]
fn a_value_that_is_aligned_to_more_than_a_word_is_where_it_has_to_be() {
    assert_eq!(align_of::<ClaimCell<Aligned>>(), 256);
    let cells: Vec<_> = (0..9).map(|number| ClaimCell::new(Aligned(number))).collect();
    let claimed: Vec<_> = cells.iter().filter_map(ClaimCell::claim).collect();
    assert_eq!(claimed, (0..9).map(Aligned).collect::<Vec<_>>());
}

#[test]
fn a_large_value_comes_out_as_it_went_in() {
    let value: [u8; 1 << 16] = std::array::from_fn(|place| (place * 31 % 251) as u8);
    let cell = Box::new(ClaimCell::empty());
    assert!(cell.put(value).is_ok());
    let claimed = thread::scope(|scope| scope.spawn(|| cell.claim()).join().expect("no panic"));
    assert!(claimed == Some(value));
}

#[test]
fn a_cell_is_a_byte_larger_than_its_value() {
    assert_eq!(size_of::<ClaimCell<()>>(), 1);
    assert_eq!(size_of::<ClaimCell<u8>>(), 2);
    assert_eq!(size_of::<ClaimCell<[u8; 31]>>(), 32);
    assert_eq!(size_of::<ClaimCell<u64>>(), 16);
}

#[test]
fn a_value_that_is_borrowed_or_has_no_size_known_is_claimed_through_its_pointer() {
    let mut text = String::from("the launch code");
    let cell = ClaimCell::new(&mut text);
    if let Some(text) = cell.claim() {
        text.push('!');
    }
    drop(cell);
    assert_eq!(text, "the launch code!");
    let cell: ClaimCell<Box<dyn FnOnce() -> u8 + Send>> = ClaimCell::new(Box::new(|| 7));
    assert_eq!(cell.claim().map(|call| call()), Some(7));
}

#[test]
fn a_static_cell_is_made_at_compile_time_and_filled_at_run_time() {
    static MADE: ClaimCell<&str> = ClaimCell::new("made");
    static LATER: ClaimCell<String> = ClaimCell::empty();
    static SEVERAL: [ClaimCell<u8>; 3] = [const { ClaimCell::empty() }; 3];
    assert_eq!(LATER.claim(), None);
    assert_eq!(LATER.put("later".to_owned()), Ok(()));
    assert_eq!(SEVERAL[1].put(1), Ok(()));
    let claimed = thread::spawn(|| (MADE.claim(), LATER.claim(), SEVERAL[1].claim())).join();
    assert_eq!(claimed.expect("no panic"), (Some("made"), Some("later".to_owned()), Some(1)));
    assert_eq!((MADE.claim(), LATER.claim(), SEVERAL[1].claim()), (None, None, None));
    assert!(!SEVERAL[0].is_claimed());
}

/// A value that must not be told.
struct Secret;

impl fmt::Debug for Secret {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("the value was told")
    }
}

#[test]
fn debug_tells_where_it_stands_and_never_the_value() {
    let cell = ClaimCell::empty();
    assert_eq!(format!("{cell:?}"), "ClaimCell(EMPTY)");
    assert!(cell.put(Secret).is_ok());
    assert_eq!(format!("{cell:?}"), "ClaimCell(FULL)");
    assert!(cell.claim().is_some());
    assert_eq!(format!("{cell:?}"), "ClaimCell(TAKEN)");
    assert_eq!(format!("{cell:#?}").split_whitespace().collect::<String>(), "ClaimCell(TAKEN,)");
}

fn is_sent<T: Send>() {}
fn is_shared<T: Sync>() {}
fn is_moved_over_a_panic<T: UnwindSafe>() {}
fn is_shared_over_a_panic<T: RefUnwindSafe>() {}

/// That a cell of an `Rc` is neither is in the documentation, where it does not compile.
#[test]
fn what_can_be_sent_can_be_claimed_by_any_thread_also_if_it_cannot_be_shared() {
    is_sent::<ClaimCell<Cell<u8>>>();
    is_shared::<ClaimCell<Cell<u8>>>();
    is_sent::<ClaimCell<Box<dyn FnOnce() + Send>>>();
    is_shared::<ClaimCell<Box<dyn FnOnce() + Send>>>();
}

#[test]
fn a_cell_is_unwind_safe_where_its_value_is() {
    is_moved_over_a_panic::<ClaimCell<String>>();
    is_shared_over_a_panic::<ClaimCell<String>>();
    is_shared_over_a_panic::<ClaimCell<Cell<u8>>>();
    is_shared_over_a_panic::<ClaimCell<Mutex<RefCell<u8>>>>();
    let cell = ClaimCell::new(String::from("the launch code"));
    let panicked = catch_unwind(|| {
        let claimed = cell.claim();
        assert!(claimed.is_none(), "it was there");
    });
    assert!(panicked.is_err() && cell.is_claimed());
}

#[test]
fn a_value_that_cannot_be_sent_can_be_claimed_on_its_own_thread() {
    let value = Rc::new(7);
    let cell = ClaimCell::new(value.clone());
    assert_eq!(Rc::strong_count(&value), 2);
    assert_eq!(cell.claim().as_deref(), Some(&7));
    assert_eq!(Rc::strong_count(&value), 1);
    drop(cell);
    assert_eq!(Rc::strong_count(&value), 1);
}
