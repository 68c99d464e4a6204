//! Proves check-then-act code exactly-once, or shows the interleaving that breaks it.
//!
//! Code that looks first and acts then can be overtaken between the two (a *TOCTOU* race: time of
//! check to time of use). A protocol is written here as a state machine whose every step is one
//! atomic operation on a world. Engines explore every interleaving of several such machines in a
//! simulated world; the same machine then runs in the real one.
//!
//! # Checking code of your own
//!
//! A process, a world, a property, a test of one line:
//!
//! ```
//! use toctou::check::System;
//! use toctou::{Process, Step};
//!
//! /// Redeems a coupon, the way it is usually written first.
//! #[derive(Clone, Debug, PartialEq, Eq, Hash)]
//! enum Redeem { Look, Mark }
//!
//! impl Process<bool> for Redeem {
//!     type Output = &'static str;
//!
//!     fn step(self, used: &mut bool) -> Step<Self, &'static str> {
//!         match self {
//!             Redeem::Look if *used => Step::Done("refused"),
//!             Redeem::Look => Step::Next(Redeem::Mark),
//!             Redeem::Mark => {
//!                 *used = true;
//!                 Step::Done("granted")
//!             }
//!         }
//!     }
//! }
//!
//! fn shop() -> System<bool, Redeem> {
//!     System::new(false)
//!         .clients(2, Redeem::Look)
//!         .at_most(1, "one-grant", |local| local.output().filter(|told| **told == "granted").copied())
//!         .reaches("a-grant", |local| local.output() == Some(&"granted"))
//! }
//!
//! # let panic = std::panic::catch_unwind(|| {
//! // In a #[test]:
//! shop().assert_holds();
//! # }).unwrap_err();
//! # let told = panic.downcast_ref::<String>().unwrap();
//! # assert!(told.contains("always `one-grant` is violated (4 of 6 interleavings)"), "{told}");
//! # assert!(told.contains("[0, 1, 1, 0]"), "{told}");
//! # let lost = "lost at step 2: before it 2 of 3 continuations violate, after it all\n";
//! # assert!(told.contains(lost), "{told}");
//! ```
//!
//! which fails, and says why:
//!
//! ```text
//! always `one-grant` is violated (4 of 6 interleavings), soonest by [0, 1, 1, 0]:
//!
//!       client 1     client 2
//!    1  Look → Mark
//!    2               Look → Mark
//!    3               Mark; world: false → true
//!                    → "granted"
//!    4  Mark
//!       → "granted"
//!       one-grant: client 1, client 2 count, and at most 1 may
//!       left: true
//!       lost at step 2: before it 2 of 3 continuations violate, after it all
//! ```
//!
//! The last line says where to look first: until client 2 looks, too, it can still end well; from then on
//! every interleaving violates the property ([`Lost`](check::Lost)).
//!
//! # The house, floor by floor
//!
//! Upper floors import lower ones, never the other way.
//!
//! | floor | modules |
//! | --- | --- |
//! | ground | [`Process`], [`Step`], [`run`], [`calls`], [`recorded`], [`atoms`] |
//! | first: worlds | [`fs`], [`db`], `net` with feature `http` |
//! | second: engines, neutral as to worlds | [`check`] |
//! | third: what ships | [`store`], [`claim_cell`], [`writer`], [`handlers`], `fetch` with feature `http` |
//! | fourth: cases and their telling | `models`, `case`, `replay`, `scene`, `survey`, `report`, with feature `command` |
//! | top | `command`, likewise: the `toctou` command, over a catalogue of anybody's |

pub mod atoms;
pub mod calls;
#[cfg(feature = "command")]
pub mod case;
pub mod check;
pub mod claim_cell;
#[cfg(feature = "command")]
pub mod command;
pub mod db;
pub mod direct;
mod errno;
#[cfg(feature = "http")]
pub mod fetch;
pub mod fs;
pub mod handlers;
mod held;
mod marks;
#[cfg(feature = "command")]
#[path = "../models/mod.rs"]
pub mod models;
#[cfg(feature = "http")]
pub mod net;
mod nonce;
pub mod process;
pub mod recorded;
#[cfg(feature = "command")]
pub mod replay;
#[cfg(feature = "command")]
pub mod report;
#[cfg(feature = "command")]
pub mod scene;
#[cfg(unix)]
pub mod std;
pub mod store;
#[cfg(feature = "command")]
pub mod survey;
#[cfg(any(feature = "http", feature = "postgres"))]
mod tls;
#[cfg(feature = "tokio")]
pub mod tokio;
pub mod writer;

pub use process::{Process, Step, run};

/// The README's examples are compiled and run with the documentation's.
#[cfg(all(doctest, feature = "command"))]
#[doc = include_str!("../README.md")]
struct Readme;
