//! Any sequence of calls on one thread, against the obvious model.

use std::cell::RefCell;
use std::rc::Rc;

use proptest::prelude::*;
use proptest::test_runner::Config;
use toctou::claim_cell::ClaimCell;

/// What a cell is, to somebody who is alone with it.
#[derive(Debug, PartialEq, Eq)]
enum Model {
    Empty,
    Full(usize),
    Taken,
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Put,
    Claim,
    IsClaimed,
    Tell,
}

#[derive(Clone, Copy, Debug)]
enum Start {
    Empty,
    Default,
    New,
    From,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Drop,
    IntoInner,
}

/// Notes its number when it is dropped. Neither `Send` nor `Sync`, which one thread does not need.
struct Value(usize, Rc<RefCell<Vec<usize>>>);

impl Drop for Value {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let call =
        prop_oneof![Just(Call::Put), Just(Call::Claim), Just(Call::IsClaimed), Just(Call::Tell)];
    prop::collection::vec(call, 0..12)
}

fn start() -> impl Strategy<Value = Start> {
    prop_oneof![Just(Start::Empty), Just(Start::Default), Just(Start::New), Just(Start::From)]
}

/// Does the same to both, and compares whatever can be told.
fn compare(start: Start, calls: &[Call], end: End) -> Result<(), TestCaseError> {
    let dropped = Rc::new(RefCell::new(Vec::new()));
    let value = |number| Value(number, dropped.clone());
    let (mut model, cell) = match start {
        Start::Empty => (Model::Empty, ClaimCell::empty()),
        Start::Default => (Model::Empty, ClaimCell::default()),
        Start::New => (Model::Full(0), ClaimCell::new(value(0))),
        Start::From => (Model::Full(0), value(0).into()),
    };
    // Those that left the cell, or never got in.
    let mut gone = Vec::new();
    for (number, call) in (1..).zip(calls) {
        match call {
            Call::Put => {
                let refused = cell.put(value(number)).err().map(|value| value.0);
                if model == Model::Empty {
                    model = Model::Full(number);
                    prop_assert_eq!(refused, None);
                } else {
                    prop_assert_eq!(refused, Some(number));
                    gone.push(number);
                }
            }
            Call::Claim => {
                let claimed = cell.claim().map(|value| value.0);
                match model {
                    Model::Full(number) => {
                        prop_assert_eq!(claimed, Some(number));
                        gone.push(number);
                        model = Model::Taken;
                    }
                    Model::Empty | Model::Taken => prop_assert_eq!(claimed, None),
                }
            }
            Call::IsClaimed => prop_assert_eq!(cell.is_claimed(), model == Model::Taken),
            Call::Tell => {
                let stand = match model {
                    Model::Empty => "EMPTY",
                    Model::Full(_) => "FULL",
                    Model::Taken => "TAKEN",
                };
                prop_assert_eq!(format!("{cell:?}"), format!("ClaimCell({stand})"));
            }
        }
        prop_assert_eq!(&*dropped.borrow(), &gone, "after {:?}", call);
    }
    let left = match model {
        Model::Full(number) => Some(number),
        Model::Empty | Model::Taken => None,
    };
    match end {
        End::Drop => drop(cell),
        End::IntoInner => prop_assert_eq!(cell.into_inner().map(|value| value.0), left),
    }
    gone.extend(left);
    prop_assert_eq!(&*dropped.borrow(), &gone);
    Ok(())
}

proptest! {
    #![proptest_config(Config { cases: 4000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn calls_on_one_thread_do_what_the_model_does(
        start in start(),
        calls in calls(),
        end in prop_oneof![Just(End::Drop), Just(End::IntoInner)],
    ) {
        compare(start, &calls, end)?;
    }
}
