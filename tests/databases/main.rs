//! The real databases: what they answer, what they answer when all goes wrong, and that no failure
//! of theirs is ever told as a success.

mod alike;
mod apart;
mod asynchronous;
mod beginnings;
#[path = "../certificates/mod.rs"]
mod certificates;
mod cluster;
mod cut;
mod impostors;
mod limits;
mod postgres;
mod schemas;
mod server;
mod sqlite;
mod stepped;
mod tables;
#[path = "../throwaway/mod.rs"]
mod throwaway;
mod tls;
