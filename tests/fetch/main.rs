//! The shipping fetch on real sockets of loopback: what it refuses, what it bounds, and to whom it
//! speaks; and the fetching alone, against whatever names and servers answer.
//!
//! Nothing here leaves loopback: names are resolved by a script, or are in `/etc/hosts`.

mod acts;
mod asks;
mod attacked;
#[path = "../certificates/mod.rs"]
mod certificates;
mod dns;
mod hops;
mod names;
mod refused;
mod responses;
mod server;
mod time;
mod tls;
