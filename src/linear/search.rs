//! Second floor, `linear`: the search for an order. Imports its neighbours in `linear`.

use std::collections::HashSet;

use super::{Call, Specification};

/// The most calls that are judged together.
pub const MOST_CALLS: usize = 128;

/// The most sets of calls, each with a state, that are looked at to find an order.
const MOST_LOOKS: usize = 300_000;

/// The most that are looked at, all in all, in search of the smallest set of calls.
const LOOKS_FOR_SMALLEST: usize = 300_000;

/// What a history comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The answers are right if the calls happened in this order. Calls without an answer that did not have to
    /// happen are not in it.
    Ordered(Vec<usize>),
    /// There is no such order.
    Impossible {
        /// A set of calls whose answers cannot all be right, whatever the others were answered.
        calls: Vec<usize>,
        /// Whether no smaller set is so. If not, the search for one was given up.
        is_smallest: bool,
    },
}

/// Why a history is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CannotJudge {
    /// There are more calls than [`MOST_CALLS`].
    #[error("{0} calls are too many to judge: at most {MOST_CALLS}")]
    TooMany(usize),
    /// The search was given up.
    #[error("not decided: there are too many ways to order these calls")]
    Unfinished,
}

/// Whether the calls can be put in an order in which each answer is right.
///
/// # Errors
///
/// If there are too many calls, or too many orders.
pub fn judge<S: Specification>(
    spec: &S,
    calls: &[Call<S::Question, S::Answer>],
) -> Result<Judgement, CannotJudge> {
    if calls.len() > MOST_CALLS {
        return Err(CannotJudge::TooMany(calls.len()));
    }
    let all = (0..calls.len()).filter(|call| calls[*call].answer.is_some()).collect::<Vec<_>>();
    match order(spec, calls, &all, &mut { MOST_LOOKS })? {
        Some(order) => Ok(Judgement::Ordered(order)),
        None => Ok(smallest(spec, calls, all)),
    }
}

/// A smallest set of calls that has no order. `all` has none.
fn smallest<S: Specification>(
    spec: &S,
    calls: &[Call<S::Question, S::Answer>],
    all: Vec<usize>,
) -> Judgement {
    let mut looks = LOOKS_FOR_SMALLEST;
    for size in 0..all.len() {
        let mut subset: Vec<usize> = (0..size).collect();
        loop {
            let chosen: Vec<usize> = subset.iter().map(|place| all[*place]).collect();
            match order(spec, calls, &chosen, &mut looks) {
                Ok(None) => return Judgement::Impossible { calls: chosen, is_smallest: true },
                Ok(Some(_)) => {}
                Err(_) => {
                    let calls = fewer(spec, calls, all);
                    return Judgement::Impossible { calls, is_smallest: false };
                }
            }
            if !advance(&mut subset, all.len()) {
                break;
            }
        }
    }
    Judgement::Impossible { calls: all, is_smallest: true }
}

/// The next set of so many numbers below `of`, if there is one.
fn advance(subset: &mut [usize], of: usize) -> bool {
    let size = subset.len();
    let Some(place) = (0..size).rev().find(|place| subset[*place] < of - size + place) else {
        return false;
    };
    subset[place] += 1;
    for next in place + 1..size {
        subset[next] = subset[next - 1] + 1;
    }
    true
}

/// Without each call that can be spared: what is left has no order either.
fn fewer<S: Specification>(
    spec: &S,
    calls: &[Call<S::Question, S::Answer>],
    mut all: Vec<usize>,
) -> Vec<usize> {
    let mut looks = LOOKS_FOR_SMALLEST;
    let mut place = 0;
    while place < all.len() {
        let mut without = all.clone();
        without.remove(place);
        match order(spec, calls, &without, &mut looks) {
            Ok(None) => all = without,
            Ok(Some(_)) | Err(_) => place += 1,
        }
    }
    all
}

/// An order in which the answers of these calls are right, if there is one. The others may have happened with any
/// answer, or not at all. `looks`: how many there still may be.
fn order<S: Specification>(
    spec: &S,
    calls: &[Call<S::Question, S::Answer>],
    judged: &[usize],
    looks: &mut usize,
) -> Result<Option<Vec<usize>>, CannotJudge> {
    let wanted = judged.iter().fold(0, |set, call| set | 1 << call);
    let mut search = Search { spec, calls, wanted, looks, seen: HashSet::new(), order: Vec::new() };
    let found = search.go_on(0, &spec.start())?;
    Ok(found.then_some(search.order))
}

struct Search<'a, S: Specification> {
    spec: &'a S,
    calls: &'a [Call<S::Question, S::Answer>],
    /// The calls whose answers count.
    wanted: u128,
    looks: &'a mut usize,
    /// Which calls have happened, in which state: there is nothing more to find there.
    seen: HashSet<(u128, S::State)>,
    order: Vec<usize>,
}

impl<S: Specification> Search<'_, S> {
    /// Whether the rest can be put in order after the calls in `happened`, which left this state.
    fn go_on(&mut self, happened: u128, state: &S::State) -> Result<bool, CannotJudge> {
        let open = self.wanted & !happened;
        if open == 0 {
            return Ok(true);
        }
        if !self.seen.insert((happened, state.clone())) {
            return Ok(false);
        }
        *self.looks = self.looks.checked_sub(1).ok_or(CannotJudge::Unfinished)?;
        // The next call cannot have begun after one ended that is still to come.
        let ends = self.calls.iter().enumerate().filter(|(call, _)| open >> call & 1 == 1);
        let first_end = ends.map(|(_, call)| call.end).min().unwrap_or(u64::MAX);
        for (index, call) in self.calls.iter().enumerate() {
            if happened >> index & 1 == 1 || call.begin > first_end {
                continue;
            }
            let counts = self.wanted >> index & 1 == 1;
            if !counts && self.has_a_twin(happened, index) {
                continue;
            }
            let answer = call.answer.as_ref().filter(|_| counts);
            for next in self.spec.after(state, &call.question, answer) {
                // What changes nothing and need not have happened has not.
                if !counts && next == *state {
                    continue;
                }
                self.order.push(index);
                if self.go_on(happened | 1 << index, &next)? {
                    return Ok(true);
                }
                self.order.pop();
            }
        }
        Ok(false)
    }

    /// Whether another call that does not count asks the same, has not happened yet and began no later. What is
    /// possible with this one is possible with that one in its place.
    fn has_a_twin(&self, happened: u128, of: usize) -> bool {
        let this = &self.calls[of];
        self.calls.iter().enumerate().any(|(index, call)| {
            (happened | self.wanted) >> index & 1 == 0
                && call.question == this.question
                && (call.begin, index) < (this.begin, of)
        })
    }
}
