#![allow(missing_docs)]
use toctou::case::*; use toctou::check::*; use toctou::models;
use std::time::Instant;
fn main() {
    let max: usize = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(3);
    for m in models::ALL { for v in m.variants() { for s in m.scenarios() {
        for n in 1..=max {
            let c = m.case(v.name, s.name, n).unwrap();
            let mut reports = vec![];
            for (what, method) in [
                ("graph", Method::Graph(GraphOptions::default())),
                ("plain", Method::Graph(GraphOptions{symmetry:false,..Default::default()})),
                ("any", Method::Any(AnyLimits::default())),
                ("loom", Method::Loom(LoomOptions::default())),
                ("loomskip", Method::Loom(LoomOptions{skip_known_states:true,..Default::default()})),
                ("shuttle", Method::Shuttle(ShuttleMode::KnownStates)),
                ("dfs", Method::Shuttle(ShuttleMode::DepthFirst{max_executions:200_000})),
            ] {
                if what=="loom" || what=="dfs" { if let Some(Report{interleavings: Interleavings::Exactly(i),..}) = reports.first() { if *i > "20000".parse().unwrap() { continue } } }
                let t = Instant::now();
                let r = c.check(&method);
                let el = t.elapsed();
                if n==max || what=="graph" { 
                let viol: Vec<_> = r.findings.iter().filter(|f| matches!(f.verdict, Verdict::Violated(_))).map(|f| format!("{}{}", f.property, f.violating.as_ref().map(|v| format!("({v})")).unwrap_or_default())).collect();
                println!("{:20} {:10} {n} {what:8} ex={:?} st={:?} tr={:?} il={} out={:?} {:?} bound={:?} {}", v.name, s.name, r.executions, r.states, r.transitions, r.interleavings, r.outcomes.as_ref().map(|o| o.len()), el, r.bound, viol.join(" ")); }
                reports.push(r);
            }
            for d in audit(&reports) { println!("  AUDIT {d}"); }
        }
    } } }
}
