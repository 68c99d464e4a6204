use toctou::check::*;
use toctou::models::Model;
use toctou::models::api_key::{ApiKey, simulated};

#[test]
fn survey() {
    let mut total = std::time::Duration::ZERO;
    for variant in ApiKey.variants() {
        for scenario in ApiKey.scenarios() {
            let mut line = String::new();
            for size in 1..=3 {
                let system = simulated(variant.name, scenario.name, size).unwrap();
                let start = std::time::Instant::now();
                let report = Checker::new(system).graph(&GraphOptions::default());
                total += start.elapsed();
                line += &format!(
                    "  {size}: {} states {:?}",
                    report.states.unwrap_or(0),
                    start.elapsed()
                );
                for finding in &report.findings {
                    if finding.verdict.word() != "holds" {
                        line += &format!(" {}", finding.property);
                        if let Some(s) = finding.verdict.schedule() {
                            line += &format!("{:?}", s.turns);
                        }
                    }
                }
            }
            println!("{} {}: {line}", variant.name, scenario.name);
        }
    }
    println!("{total:?}");
}
