use toctou::check::*;
use toctou::models::{Model, ALL};
use toctou::case::Method;
use std::time::Instant;

#[test]
fn survey() {
    for model in ALL {
        if model.name() == "credential" { continue }
        let mut total = [0f64; 4];
        for variant in model.variants() {
            for scenario in model.scenarios() {
                let Some(case) = model.case(variant.name, scenario.name, model.size().representative) else { continue };
                for (i, max_configurations) in [500, 2000].into_iter().enumerate() {
                let t = Instant::now();
                let any = case.check(&Method::Any(AnyLimits { max_configurations }));
                total[i] += t.elapsed().as_secs_f64();
                let un = any.findings.iter().filter(|f| f.verdict.word() == "unfinished").count();
                println!("{} {} {max_configurations}: {:?} {un} of {} unfinished", variant.name, scenario.name, t.elapsed(), any.findings.len());
                }
                let t = Instant::now();
                for size in 1..=3 {
                    let case = model.case(variant.name, scenario.name, size).unwrap();
                    let r = case.check(&Method::Graph(GraphOptions { symmetry: false, ..Default::default() }));
                    if size == 3 { println!("{} states apart, {} paths", r.states.unwrap_or(0), r.interleavings); }
                }
                total[2] += t.elapsed().as_secs_f64();
            }
        }
        println!("{} {total:?}", model.name());
    }
}
