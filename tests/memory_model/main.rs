//! What loom and shuttle see of the C11 memory model, and what not: the engines judge memory orderings
//! elsewhere, so here they are judged themselves, by litmus tests.
//!
//! A [program](program::Program) is a few threads of a few operations each. It is run by loom, by shuttle and
//! on the real processor, and computed twice: [every interleaving](sc), and [what the axioms of C11
//! allow](axioms). [`shapes`] are the classic programs, each outcome asserted; [`gaps`] are those on which
//! loom differs, a test a gap; [`random`] programs show that there are no other gaps of note; [`races`]
//! are about memory that is not atomic; [`engine`] holds the project's own against all of it.
//!
//! `TOCTOU_MEMORY_CASES` sets how many random programs are tried, and then they are others each time.
//!
//! # loom beside C11
//!
//! loom is C11 in the wording of C++20, except for what follows. *False alarm*: loom shows what cannot be.
//! *Missed*: it does not show what can be.
//!
//! - A write by a thread that has loaded the place before is not tried ahead of another thread's
//!   load: missed, even an interleaving. It would concern `ClaimCell`: `is_claimed`, then `claim`. The
//!   project's own engine has them ([`engine`]).
//! - Load buffering: a load never reads from a store that is later: missed. It does not concern
//!   `ClaimCell`: nothing it does hangs on a store after a load that no branch orders.
//! - `SeqCst` loads, stores and updates are acquire and release: false alarm. It does not concern
//!   `ClaimCell`: one atomic, and none is `SeqCst`.
//! - A `SeqCst` load reads no `SeqCst` store that was replaced by another: missed. It does not
//!   concern `ClaimCell`.
//! - A failing `compare_exchange` reads the newest value only: missed. It concerns `ClaimCell`: a
//!   claim that fails as one that came earlier would.
//! - An update that succeeds reads the newest value only: missed. It does not concern
//!   `ClaimCell`: its one plain store is made where nobody else writes.
//! - A plain store may come between the halves of an update: false alarm. It does not concern
//!   `ClaimCell`: the same.
//! - `compare_exchange_weak` never fails for no reason: missed. It does not concern `ClaimCell`:
//!   it uses the strong one.
//! - Two `SeqCst` fences synchronise: missed data races. It does not concern `ClaimCell`: it has
//!   no fence.
//! - The last seven stores of a place are all that is kept: missed. It does not concern
//!   `ClaimCell`: there are three states to come.
//!
//! shuttle has one memory, all interleavings, and no memory model: it shows exactly what sequential
//! consistency allows.
//!
//! # loom beside Miri
//!
//! shuttle has none of it. The first five are tested here ([`races`]), the last ones are only said.
//!
//! | | Miri | loom |
//! | --- | --- | --- |
//! | data races of `UnsafeCell`s | in one execution, by seed | in all, of loom's own cells |
//! | stale values of atomics | in some executions | in all, but for the gaps |
//! | leaks | of all memory | of loom's `Arc`, `Track`, `alloc` |
//! | a cell lent twice | by the rules of references | where `with` and `with_mut` overlap |
//! | accesses past the cell, by a pointer kept | yes | no |
//! | aliasing, provenance, alignment, bounds, use after free | yes | no |
//! | uninitialised memory | yes | no |
//! | spurious failures of the weak exchange | yes | no |

#![allow(clippy::duplicate_mod, reason = "one interpreter, with the atomics of each engine")]

mod axioms;
mod engine;
mod gaps;
mod on_engine;
mod on_loom;
mod on_real;
mod on_shuttle;
mod program;
#[path = "../../src/check/quiet.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod quiet;
mod races;
mod random;
mod sc;
mod shapes;
#[path = "../tries/mod.rs"]
mod tries;
