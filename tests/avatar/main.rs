//! The download from a URL that somebody else gave: the verdicts of the model, the engines' agreement,
//! every counterexample on real sockets, and the shipping machine in networks that break their word.

mod broken_networks;
#[path = "../known/mod.rs"]
mod known;
mod sockets;
mod verdicts;

use known::{graph, verdict};
use toctou::case::Case;
use toctou::models::Model;
use toctou::models::avatar::Avatar;

fn case(variant: &str, scenario: &str, actions: usize) -> Box<dyn Case> {
    Avatar.case(variant, scenario, actions).expect("a variant and a scenario of the model")
}
