//! Fourth floor, `scene`: a simulated network. Imports [`net`](crate::net).

use super::Section;
use crate::net::SimNet;

/// The names, the servers, and what reached them.
pub(super) fn sections(net: &SimNet) -> Vec<Section> {
    let mut names = Section::new("Names", &["name", "addresses"]);
    for (name, addresses) in net.names() {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        names.row(name, vec![name.to_owned(), addresses.join(", ")]);
    }
    let mut servers = Section::new("Servers", &["address", "answers", "connections"]);
    let mut arrived = Section::new("What arrived", &["server", "number", "what"]);
    for (address, visits) in net.servers() {
        let page = net.page(address).map(ToString::to_string).unwrap_or_default();
        let listens = if net.listens(address) { "accepted" } else { "refused" };
        let address = address.to_string();
        servers.row(address.clone(), vec![address.clone(), page, listens.to_owned()]);
        for (number, visit) in (1..).zip(visits) {
            let cells = vec![address.clone(), number.to_string(), visit.to_string()];
            arrived.row(format!("{address} {number}"), cells);
        }
    }
    vec![names, servers, arrived]
}
