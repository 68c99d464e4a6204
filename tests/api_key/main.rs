use toctou::check::*;
use toctou::models::Model;
use toctou::models::api_key::{ApiKey, simulated};

#[test]
fn survey() {
    for variant in ApiKey.variants() {
        println!("== {}", variant.name);
        for scenario in ApiKey.scenarios() {
            let mut seen: Vec<String> = vec![];
            let Some(_) = simulated(variant.name, scenario.name, 1) else { continue };
            for size in 1..=4 {
                let system = simulated(variant.name, scenario.name, size).unwrap();
                let report = Checker::new(system).graph(&GraphOptions::default());
                for finding in &report.findings {
                    let word = finding.verdict.word();
                    if word == "violated" && !seen.contains(&finding.property) {
                        seen.push(finding.property.clone());
                        let s = finding.verdict.schedule().map(|s| s.turns.clone());
                        println!(
                            "            breaks(\"{}\", \"{}\", {size}), // {s:?}",
                            scenario.name, finding.property
                        );
                    } else if word == "holds" && seen.contains(&finding.property) {
                        println!("REPAIRED {} {}", finding.property, size);
                    } else if word != "violated" && word != "holds" {
                        println!("{word}");
                    }
                }
                if report.findings.is_empty() || !report.exhaustive() {
                    println!("NOT EXHAUSTIVE")
                }
                if size == 3 {
                    let any = Checker::new(simulated(variant.name, scenario.name, size).unwrap())
                        .any(&AnyLimits::default());
                    let told: Vec<_> = any
                        .findings
                        .iter()
                        .map(|f| format!("{} {}", f.property, f.verdict.word()))
                        .collect();
                    println!(
                        "// {} states {:?} any: {}",
                        report.states.unwrap_or(0),
                        report.elapsed,
                        told.join(", ")
                    );
                }
            }
        }
    }
}
