//! Proves check-then-act code exactly-once, or shows the interleaving that breaks it.
//!
//! Code that looks first and acts then can be overtaken between the two (a *TOCTOU* race: time of
//! check to time of use). Here such code is checked as it is. It runs over a simulated world, in which each of
//! its operations is one step. Engines explore every interleaving of several such programs. The same
//! code then runs in the real world.
//!
//! # Checking code of your own
//!
//! Ordinary code with its imports changed, the files that are there, a property, a test of one line:
//!
//! ```
//! use toctou::check::System;
//! use toctou::direct::Code;
//! use toctou::fs::SimFs;
//! use toctou::std::{fs, io};
//!
//! /// Redeems a coupon, the way it is usually written first.
//! fn redeem() -> io::Result<&'static str> {
//!     if fs::exists("used")? {
//!         return Ok("refused");
//!     }
//!     fs::write("used", "yes")?;
//!     Ok("granted")
//! }
//!
//! fn shop() -> System<SimFs, toctou::direct::FileCode<Result<&'static str, toctou::direct::Failed>>> {
//!     System::new(SimFs::new())
//!         .clients(2, Code::io(redeem))
//!         .at_most(1, "one-grant", |client| client.output().filter(|told| **told == Ok("granted")).cloned())
//!         .reaches("a-grant", |client| client.output() == Some(&Ok("granted")))
//! }
//!
//! # let panic = std::panic::catch_unwind(|| {
//! // In a #[test]:
//! shop().assert_holds();
//! # }).unwrap_err();
//! # let told = panic.downcast_ref::<String>().unwrap();
//! # assert!(told.contains("always `one-grant` is violated (12 of 16 interleavings)"), "{told}");
//! # assert!(told.contains("[0, 1, 1, 1, 0, 0]"), "{told}");
//! # let lost = "lost at step 2: before it 6 of 8 continuations violate, after it all\n";
//! # assert!(told.contains(lost), "{told}");
//! ```
//!
//! which fails, and says why:
//!
//! ```text
//! always `one-grant` is violated (12 of 16 interleavings), soonest by [0, 1, 1, 1, 0, 0]:
//!
//!       client 1                          client 2
//!    1  stat(used) = ENOENT
//!    2                                    stat(used) = ENOENT
//!    3                                    open(used, create truncate) = ok
//!    4                                    write("yes") = 3
//!                                         → Ok("granted")
//!    5  open(used, create truncate) = ok
//!    6  write("yes") = 3
//!       → Ok("granted")
//!       one-grant: client 1, client 2 count, and at most 1 may
//!       left: {used: 0644 "yes"}
//!       lost at step 2: before it 6 of 8 continuations violate, after it all
//! ```
//!
//! The last line says where to look first: until client 2 looks, too, it can still end well; from then on
//! every interleaving violates the property ([`Lost`](check::Lost)).
//!
//! More: [`direct`] for what a program may be, [`check`] for systems and properties, and the guides in the
//! repository's `docs` folder.
//!
//! # The house, floor by floor
//!
//! Upper floors import lower ones, never the other way.
//!
//! | floor | modules |
//! | --- | --- |
//! | ground | [`Process`], [`Step`], [`run()`], [`calls`], [`recorded`], [`atoms`] |
//! | first: worlds | [`fs`], [`db`], `net` with feature `http` |
//! | second: engines, neutral as to worlds; ordinary code as a process; how it dies; histories | [`check`], [`direct`], [`crash`], [`linear`] |
//! | third: what ships | [`store`], [`claim_cell`], [`writer`], [`handlers`], `fetch` with feature `http`; `mod run` with feature `run` |
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
pub mod crash;
pub mod db;
pub mod direct;
mod errno;
#[cfg(feature = "http")]
pub mod fetch;
pub mod fs;
pub mod handlers;
mod held;
pub mod linear;
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
#[cfg(all(feature = "run", target_os = "linux", target_arch = "x86_64"))]
pub mod run;
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

/// The README's example, and those of the pages, are compiled and run with the documentation's.
#[cfg(all(doctest, unix))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(all(doctest, unix))]
#[doc = include_str!("../docs/own-code.md")]
struct OwnCode;

#[cfg(all(doctest, unix))]
#[doc = include_str!("../docs/crash.md")]
struct Crash;

#[cfg(all(doctest, feature = "http", feature = "postgres", feature = "sqlite"))]
#[doc = include_str!("../docs/primitives.md")]
struct Primitives;
