//! Second floor, `linear`: histories by the thousand, judged as a search without any cleverness judges them.

use super::*;

/// Numbers that look random and are the same each time (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}

/// A register: `Some(n)` writes, and is answered what was there; `None` reads.
struct Register;

impl Specification for Register {
    type Question = Option<u8>;
    type Answer = u8;
    type State = u8;

    fn start(&self) -> u8 {
        0
    }

    fn after(&self, state: &u8, question: &Option<u8>, answer: Option<&u8>) -> Vec<u8> {
        match answer {
            Some(answer) if answer != state => vec![],
            _ => vec![question.unwrap_or(*state)],
        }
    }
}

type History = Vec<Call<Option<u8>, u8>>;

/// Calls that did happen in some order, at moments within their intervals; some of them without an answer.
fn drawn(dice: &mut Dice) -> History {
    let length = 1 + dice.below(8);
    let (mut state, mut calls) = (0, Vec::new());
    for moment in 0..length {
        let at = 100 + moment * 10;
        let question = (dice.below(2) == 0).then(|| dice.below(4) as u8);
        let answer = state;
        state = question.unwrap_or(state);
        let (begin, end) = (at - dice.below(40), at + 1 + dice.below(40));
        let answer = (dice.below(6) > 0).then_some(answer);
        calls.push(Call { question, begin, end, answer });
    }
    // Nobody is to learn the order from the place in the list.
    for place in (1..calls.len()).rev() {
        calls.swap(place, dice.below(place as u64 + 1) as usize);
    }
    calls
}

/// Every order of every choice of calls: `left` are still to come.
fn has_an_order(calls: &History, before: &mut Vec<usize>, state: u8) -> bool {
    let is_left = |call: &usize| !before.contains(call);
    let left: Vec<usize> = (0..calls.len()).filter(is_left).collect();
    if left.iter().all(|call| calls[*call].answer.is_none()) {
        return respects_time(calls, before);
    }
    left.into_iter().any(|call| {
        let Call { question, answer, .. } = &calls[call];
        if answer.is_some_and(|answer| answer != state) {
            return false;
        }
        before.push(call);
        let found = has_an_order(calls, before, question.unwrap_or(state));
        before.pop();
        found
    })
}

fn respects_time(calls: &History, order: &[usize]) -> bool {
    let ended = |call: usize| calls[call].answer.map_or(u64::MAX, |_| calls[call].end);
    (0..order.len())
        .all(|later| (0..later).all(|first| ended(order[later]) >= calls[order[first]].begin))
}

fn is_ordered(calls: &History) -> bool {
    match judge(&Register, calls).unwrap() {
        Judgement::Ordered(order) => {
            let mut state = 0;
            for call in &order {
                let Call { question, answer, .. } = &calls[*call];
                assert!(answer.is_none_or(|answer| answer == state), "{calls:?} {order:?}");
                state = question.unwrap_or(state);
            }
            assert!(respects_time(calls, &order), "{calls:?} {order:?}");
            let answered = calls.iter().enumerate().filter(|(_, call)| call.answer.is_some());
            assert!(answered.clone().all(|(call, _)| order.contains(&call)), "{calls:?} {order:?}");
            true
        }
        Judgement::Impossible { calls: smallest, is_smallest } => {
            assert!(is_smallest && !smallest.is_empty());
            let without = |calls: &History, forgotten: &dyn Fn(usize) -> bool| {
                let mut fewer = calls.clone();
                for (index, call) in fewer.iter_mut().enumerate() {
                    call.answer = call.answer.filter(|_| !forgotten(index));
                }
                has_an_order(&fewer, &mut Vec::new(), 0)
            };
            assert!(!without(calls, &|call| !smallest.contains(&call)), "{calls:?} {smallest:?}");
            for one in &smallest {
                let forgotten = |call: usize| call == *one || !smallest.contains(&call);
                assert!(without(calls, &forgotten), "{calls:?} {smallest:?} without {one}");
            }
            false
        }
    }
}

#[test]
fn twenty_thousand_histories_are_judged_as_by_a_search_through_all_orders() {
    let mut dice = Dice(20);
    let (mut right, mut wrong) = (0, 0);
    for round in 0..20_000 {
        let mut calls = drawn(&mut dice);
        // What did happen has an order; with an answer changed it may have none.
        if round % 2 == 1 {
            let mutated = dice.below(calls.len() as u64) as usize;
            let other = dice.below(4) as u8;
            calls[mutated].answer = calls[mutated].answer.map(|_| other);
        }
        let expected = has_an_order(&calls, &mut Vec::new(), 0);
        assert!(expected || round % 2 == 1, "{calls:?}");
        assert_eq!(is_ordered(&calls), expected, "{calls:?}");
        if expected { right += 1 } else { wrong += 1 }
    }
    assert!(right > 10_000 && wrong > 4_000, "{right} {wrong}");
}

/// Each call is told its number: the first 1, the next 2.
struct Tickets;

impl Specification for Tickets {
    type Question = ();
    type Answer = u32;
    type State = u32;

    fn start(&self) -> u32 {
        0
    }

    fn after(&self, state: &u32, (): &(), answer: Option<&u32>) -> Vec<u32> {
        match answer {
            Some(answer) if *answer != state + 1 => vec![],
            _ => vec![state + 1],
        }
    }
}

#[test]
fn two_equal_tickets_of_many_are_the_smallest_set() {
    let call = |answer| Call { question: (), begin: 0, end: 9, answer: Some(answer) };
    let mut calls: Vec<_> = (1..=40).rev().map(call).collect();
    assert!(matches!(judge(&Tickets, &calls), Ok(Judgement::Ordered(_))));
    calls[7].answer = calls[3].answer;
    let impossible = Judgement::Impossible { calls: vec![3, 7], is_smallest: true };
    assert_eq!(judge(&Tickets, &calls), Ok(impossible));
}

/// Each call is told how many were before it, and each asks in its own words.
struct Distinct;

impl Specification for Distinct {
    type Question = u32;
    type Answer = u32;
    type State = u128;

    fn start(&self) -> u128 {
        0
    }

    fn after(&self, state: &u128, question: &u32, answer: Option<&u32>) -> Vec<u128> {
        match answer {
            Some(answer) if *answer != state.count_ones() => vec![],
            _ => vec![state | 1 << question],
        }
    }
}

#[test]
fn a_search_that_would_not_end_is_given_up() {
    let call = |question, answer| Call { question, begin: 0, end: 9, answer: Some(answer) };
    // Twenty that say nothing of their place, and then a number that nobody can have been told.
    let mut calls: Vec<_> = (0..40).map(|number| call(number, number)).collect();
    calls[..20].iter_mut().for_each(|call| call.answer = None);
    calls[39].answer = Some(90);
    assert_eq!(judge(&Distinct, &calls), Err(CannotJudge::Unfinished));
}

#[test]
fn a_lost_answer_leaves_room_for_an_order_and_one_that_is_there_does_not() {
    let call = |end, answer| Call { question: (), begin: 0, end, answer };
    let calls = [call(9, None), call(9, Some(2))];
    assert_eq!(judge(&Tickets, &calls), Ok(Judgement::Ordered(vec![0, 1])));
    assert!(matches!(judge(&Tickets, &calls[1..]), Ok(Judgement::Impossible { .. })));
}

#[test]
fn too_many_calls_are_refused() {
    let call = Call { question: (), begin: 0, end: 9, answer: Some(1) };
    assert_eq!(judge(&Tickets, &vec![call; 129]), Err(CannotJudge::TooMany(129)));
}

#[test]
fn a_table_is_judged_by_its_rules() {
    let rule = |ask: &str, state: Option<&str>, answer, then: Option<&str>| Rule {
        ask: ask.to_owned(),
        state: state.map(str::to_owned),
        answer,
        then: then.map(str::to_owned),
    };
    let rules = vec![
        rule("cancel", Some("open"), 200, Some("cancelled")),
        rule("ship", Some("open"), 200, Some("shipped")),
        rule("cancel", Some("shipped"), 409, None),
        rule("ship", Some("cancelled"), 409, None),
    ];
    let table = Table::new("open", rules.clone(), |a: &u16, b: &u16| a == b).unwrap();
    let call = |ask: &str, answer| Call {
        question: ask.to_owned(),
        begin: 0,
        end: 9,
        answer: Some(answer),
    };
    let ordered = judge(&table, &[call("cancel", 409), call("ship", 200)]);
    assert_eq!(ordered, Ok(Judgement::Ordered(vec![1, 0])));
    let both = judge(&table, &[call("cancel", 200), call("ship", 200)]);
    assert!(matches!(both, Ok(Judgement::Impossible { .. })));
    let lost = Table::new("new", rules, |a: &u16, b: &u16| a == b).unwrap_err();
    assert_eq!(lost, TableError::Unreachable("open".to_owned()));
}
