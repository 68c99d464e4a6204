#![allow(missing_docs)]
use toctou::case::*; use toctou::check::*; use toctou::models;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let c = models::ALL[0].case(&a[1], &a[2], a[3].parse().unwrap()).unwrap();
    for m in &a[4..] {
        let t = std::time::Instant::now();
        let method = match m.as_str() {
            "graph" => Method::Graph(GraphOptions::default()),
            "loom" => Method::Loom(LoomOptions::default()),
            "loomskip" => Method::Loom(LoomOptions{skip_known_states:true,..Default::default()}),
            "shuttle" => Method::Shuttle(ShuttleMode::KnownStates),
            _ => Method::Shuttle(ShuttleMode::DepthFirst{max_executions:20000}),
        };
        let r = c.check(&method);
        println!("{m} ex={:?} st={:?} tr={:?} il={} out={:?} {:?}", r.executions, r.states, r.transitions, r.interleavings, r.outcomes.as_ref().map(|o| o.len()), t.elapsed());
    }
}
