//! Second floor, `linear`: whether calls that overlapped can have happened one after the other. Imports
//! nothing of this crate.
//!
//! A [`Call`] is a question and its answer, with the moments at which it began and ended. The answers of a
//! history are right if the calls can be put in an order, one at a time, such that
//!
//! - a call that ended before another one began comes first, and
//! - each answer is what a [`Specification`] allows at that place.
//!
//! That is linearizability. The search is that of Wing and Gong with Lowe's memory. No set of calls is looked
//! at twice with the same state.
//!
//! [`judge`] answers with such an order, or with a smallest set of calls that
//! has none.
//!
//! ```
//! use toctou::linear::{Call, Judgement, Specification, judge};
//!
//! /// A coupon that one request may redeem.
//! struct Coupon;
//!
//! impl Specification for Coupon {
//!     type Question = ();
//!     type Answer = bool;
//!     type State = bool;
//!
//!     fn start(&self) -> bool {
//!         true
//!     }
//!
//!     fn after(&self, is_left: &bool, _: &(), redeemed: Option<&bool>) -> Vec<bool> {
//!         match redeemed {
//!             Some(redeemed) if redeemed == is_left => vec![false],
//!             Some(_) => vec![],
//!             None => vec![false],
//!         }
//!     }
//! }
//!
//! let call = |begin, end, redeemed| Call { question: (), begin, end, answer: Some(redeemed) };
//! let overlapping = [call(0, 5, false), call(1, 6, true)];
//! assert_eq!(judge(&Coupon, &overlapping), Ok(Judgement::Ordered(vec![1, 0])));
//! // Refused, and only then redeemed by another request: the refusal was wrong.
//! let one_by_one = [call(0, 5, false), call(6, 9, true)];
//! assert!(matches!(judge(&Coupon, &one_by_one), Ok(Judgement::Impossible { .. })));
//! ```

mod picture;
mod search;
mod table;
#[cfg(test)]
mod tests;

use std::hash::Hash;

pub use picture::{Line, intervals};
pub use search::{CannotJudge, Judgement, MOST_CALLS, judge};
pub use table::{Rule, Table, TableError};

/// What answers are right, in which state.
pub trait Specification {
    /// What is asked. Calls that ask the same are alike.
    type Question: PartialEq;
    /// What is answered.
    type Answer;
    /// What the answers depend on.
    type State: Clone + Eq + Hash;

    /// The state before the first call.
    fn start(&self) -> Self::State;

    /// The states that such a call may leave. None: the answer is wrong here.
    ///
    /// `None` as an answer: it has happened, and nobody knows what was answered. (That it has not happened at all
    /// is for [`judge`] to consider.)
    fn after(
        &self,
        state: &Self::State,
        question: &Self::Question,
        answer: Option<&Self::Answer>,
    ) -> Vec<Self::State>;
}

/// A call and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<Q, A> {
    /// What was asked.
    pub question: Q,
    /// A moment before it could have any effect.
    pub begin: u64,
    /// A moment after its answer was there, in the unit of `begin`. Of a call without an answer it says nothing.
    pub end: u64,
    /// The answer. Without one, the call may have happened at any time since its begin, or not at all.
    pub answer: Option<A>,
}
