//! Third floor: exactly-once in memory. Imports [`atoms`](crate::atoms).
//!
//! [`ClaimCell`] is a state machine as everything here is, but its steps are single atomic operations,
//! and what lies between them is decided by the memory model. So it is not modelled: loom explores this
//! very source, compiled over loom's atomics (`on_loom`) and over shuttle's (`on_shuttle`) beside the one
//! that ships ([`on_std`]).
//!
//! # Which values
//!
//! Whoever claims may be on another thread than whoever put the value in: so a cell is `Send` and `Sync`
//! where its value is `Send`. It need not be `Sync`, as nobody ever gets a reference to it.
//!
//! ```
//! use std::cell::RefCell;
//! use toctou::claim_cell::ClaimCell;
//!
//! fn shared<T: Send + Sync>(_: T) {}
//! shared(ClaimCell::new(RefCell::new(7)));
//! ```
//!
//! A value that is not, an `Rc`, makes a cell for one thread. That cell cannot be sent,
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
