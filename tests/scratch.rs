use std::collections::BTreeMap;
use std::time::Instant;
use toctou::check::*;
use toctou::db::*;
use toctou::models::{Model, order, transfer};

fn run<P: Process2>(
    name: &str,
    sys: impl Fn(&str, &str, usize) -> Option<System<Servers<SimDb>, P>>,
    model: &dyn Model,
) where
    P::Output: Value,
{
    let most: usize = std::env::var("MOST").map(|s| s.parse().unwrap()).unwrap_or(3);
    let only = std::env::var("ONLY").unwrap_or_default();
    let all = Instant::now();
    for v in model.variants() {
        for s in model.scenarios() {
            if !format!("{name}/{} {}", v.name, s.name).contains(&only) {
                continue;
            }
            let mut broken: BTreeMap<String, (usize, String)> = BTreeMap::new();
            let mut line = String::new();
            for n in 1..=most {
                let c = Checker::new(sys(v.name, s.name, n).unwrap());
                let t = Instant::now();
                let r = c.graph(&GraphOptions { ..GraphOptions::default() });
                line += &format!(
                    " {n}:{}st/{:?}ms{}",
                    r.states.unwrap_or(0),
                    t.elapsed().as_millis(),
                    if r.exhaustive() { "" } else { "!!UNFINISHED" }
                );
                for f in &r.findings {
                    if let Verdict::Violated(w) = &f.verdict {
                        broken
                            .entry(f.property.clone())
                            .or_insert((n, w.as_ref().map(|w| w.to_string()).unwrap_or_default()));
                        if std::env::var("SHOW").as_deref() == Ok(&f.property) {
                            if let Some(w) = w {
                                println!("{}", c.system().play(w).unwrap().trace);
                            }
                        }
                    }
                }
                if n == 2 {
                    let a = c.any(&AnyLimits::default());
                    line += " any[";
                    for f in &a.findings {
                        if !matches!(f.verdict, Verdict::Unfinished(Bound::NotOverCounts)) {
                            line += &format!(
                                "{}={} ",
                                f.property,
                                match &f.verdict {
                                    Verdict::Unfinished(b) => b.to_string(),
                                    v => v.word().to_string(),
                                }
                            );
                        }
                    }
                    line += "]";
                }
            }
            println!("{name}/{} {}: {}", v.name, s.name, line);
            for (p, (n, w)) in broken {
                println!("      breaks(\"{}\", \"{p}\", {n}),   {w}", s.name);
            }
        }
    }
    println!("{name}: {:?}", all.elapsed());
}
trait Process2: toctou::Process<Servers<SimDb>> + Value {}
impl<P: toctou::Process<Servers<SimDb>> + Value> Process2 for P {}

#[test]
fn order_all() {
    run("order", |v, s, n| order::simulated(v, s, n, true), &order::Order);
}
#[test]
fn transfer_all() {
    run("transfer", transfer::simulated, &transfer::Transfer);
}
