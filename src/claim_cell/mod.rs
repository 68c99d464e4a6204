//! Third floor: exactly-once in memory. Imports [`atoms`](crate::atoms).
//!
//! [`ClaimCell`] is a state machine like everything in this crate. But its steps are single atomic
//! operations, and the memory model decides what lies between them. So it is not modelled. loom
//! explores this very source, compiled over loom's atomics (`on_loom`). shuttle explores it
//! compiled over shuttle's (`on_shuttle`). The version that ships is [`on_std`].
//!
//! # Which values
//!
//! The thread that claims may be another one than the thread that put the value in. So a cell is
//! `Send` and `Sync` if its value is `Send`. The value need not be `Sync`, as nobody ever gets a
//! reference to it.
//!
//! ```
//! use std::cell::RefCell;
//! use toctou::claim_cell::ClaimCell;
//!
//! fn shared<T: Send + Sync>(_: T) {}
//! shared(ClaimCell::new(RefCell::new(7)));
//! ```
//!
//! A value that is not `Send` (an `Rc`) makes a cell for one thread. That cell cannot be sent,
//!
//! ```compile_fail,E0277
//! use std::rc::Rc;
//! use toctou::claim_cell::ClaimCell;
//!
//! fn sent<T: Send>(_: T) {}
//! sent(ClaimCell::new(Rc::new(7)));
//! ```
//!
//! nor shared.
//!
//! ```compile_fail,E0277
//! use std::rc::Rc;
//! use toctou::claim_cell::ClaimCell;
//!
//! fn shared<T: Sync>(_: T) {}
//! shared(ClaimCell::new(Rc::new(7)));
//! ```

#[cfg(all(feature = "loom", feature = "shuttle"))]
pub mod on_loom;
#[cfg(all(feature = "loom", feature = "shuttle"))]
pub mod on_shuttle;
pub mod on_std;
#[cfg(all(feature = "loom", feature = "shuttle"))]
pub mod on_threads;

pub use on_std::ClaimCell;
