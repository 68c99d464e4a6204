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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::super::sections;
    use crate::held;
    use crate::net::{Method, Network, Page, Request, SimNet, Url};

    #[test]
    fn what_arrived_is_told_by_server_in_order() {
        let server = [127, 0, 0, 2].into();
        let net = SimNet::new().with_name("a.example", &[server]);
        let mut net = net.with_server(server, Page::text("cat"));
        let mut connection = net.connect(SocketAddr::new(server, 80)).unwrap();
        let url = Url::parse("http://a.example/cat").unwrap();
        net.send(&mut connection, &Request::new(Method::Get, url)).unwrap();
        let told: Vec<Vec<String>> = sections(&net)
            .iter()
            .map(|section| section.rows.iter().map(|row| row.cells.join(" | ")).collect())
            .collect();
        let arrived = ["127.0.0.2 | 1 | connected", "127.0.0.2 | 2 | GET /cat of a.example"];
        assert_eq!(told[0], ["a.example | 127.0.0.2"]);
        assert_eq!(told[1], ["127.0.0.2 | 200 \"cat\" | accepted"]);
        assert_eq!(told[2], arrived);
        let held: Vec<String> = held::of(&connection).into_iter().map(|it| it.how).collect();
        assert_eq!(held, ["127.0.0.2:80, a request sent"]);
    }
}
