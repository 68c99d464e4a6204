//! The claim-by-rename store: interleaving proofs with their negative controls, the verdicts each
//! variant is known for, and the kernel as the judge of the simulation.

use std::collections::BTreeSet;
use std::time::Instant;

use toctou::case::{Case, Method};
use toctou::check::{
    AnyLimits, Disagreement, GraphOptions, LoomOptions, PropertyKind, Report, Schedule,
    ShuttleMode, TraceStep, Verdict, audit,
};
use toctou::models::download::Download;
use toctou::models::{Model, Scenario, Variant};
use toctou::replay::Threads;

fn case(variant: &str, scenario: &str, clients: usize) -> Box<dyn Case> {
    Download.case(variant, scenario, clients).expect("a variant and a scenario of the model")
}

fn graph() -> Method {
    Method::Graph(GraphOptions::default())
}

fn every_state() -> Method {
    Method::Graph(GraphOptions { symmetry: false, ..GraphOptions::default() })
}

fn loom() -> Method {
    Method::Loom(LoomOptions::default())
}

fn loom_skipping() -> Method {
    Method::Loom(LoomOptions { skip_known_states: true, ..LoomOptions::default() })
}

fn shuttle() -> Method {
    Method::Shuttle(ShuttleMode::KnownStates)
}

fn verdict<'a>(report: &'a Report, property: &str) -> &'a Verdict {
    &report.finding(property).expect("a property of the model").verdict
}

/// Every variant in every scenario.
fn everything() -> impl Iterator<Item = (&'static Variant, &'static Scenario)> {
    all().filter(|(_, scenario)| !is_crash(scenario))
}

/// The scenarios in which somebody dies, too.
fn all() -> impl Iterator<Item = (&'static Variant, &'static Scenario)> {
    let variants = Download.variants().iter();
    variants
        .flat_map(|variant| Download.scenarios().iter().map(move |scenario| (variant, scenario)))
}

fn is_crash(scenario: &Scenario) -> bool {
    scenario.name == "killed" || scenario.name.starts_with("power-")
}

/// What the graph says of a case, each verdict being the recorded one.
fn as_recorded(case: &dyn Case, variant: &Variant, scenario: &Scenario, clients: usize) -> Report {
    let report = case.check(&graph());
    assert!(report.exhaustive());
    for finding in &report.findings {
        let known = variant.is_known_to_break(scenario.name, &finding.property, clients);
        let expected = if known { "violated" } else { "holds" };
        let what = format!("{} {} {clients} {}", variant.name, scenario.name, finding.property);
        assert_eq!(finding.verdict.word(), expected, "{what}");
    }
    report
}

#[test]
fn every_variant_has_just_the_verdicts_it_is_known_for_where_somebody_dies() {
    let (mut replayed, mut not_here) = (0, 0);
    for (variant, scenario) in all().filter(|(_, scenario)| is_crash(scenario)) {
        for clients in [1, 2, 3] {
            let case = case(variant.name, scenario.name, clients);
            for finding in as_recorded(&*case, variant, scenario, clients).findings {
                let what =
                    format!("{} {} {clients} {}", variant.name, scenario.name, finding.property);
                let Verdict::Violated(Some(schedule)) = &finding.verdict else { continue };
                match case.replay(schedule, Threads::OneEach) {
                    Ok(compared) => {
                        assert!(compared.agrees(), "{what}: {compared:?}");
                        assert_eq!(scenario.name, "killed", "{what}");
                        replayed += 1;
                    }
                    Err(error) => {
                        assert!(
                            error.is_not_here() && scenario.name != "killed",
                            "{what}: {error}"
                        );
                        not_here += 1;
                    }
                }
            }
        }
    }
    assert!(replayed >= 30 && not_here >= 100, "{replayed}, {not_here}");
}

#[test]
fn content_that_is_kept_is_delivered_twice_where_a_client_dies_before_it_removes_it() {
    let kept = case("durable-kept", "killed", 1);
    let report = kept.check(&graph());
    assert_eq!(*verdict(&report, "nothing-lost"), Verdict::Holds(None));
    let Verdict::Violated(Some(schedule)) = verdict(&report, "at-most-once") else {
        panic!("{report:?}");
    };
    let compared = kept.replay(schedule, Threads::OneEach).expect("a temporary directory");
    assert!(compared.agrees(), "{compared:?}");
    let steps = &compared.real.trace.steps;
    let told = |text: &str| steps.iter().any(|step| step.label.contains(text));
    assert!(told("read = \"alpha\", and answers"), "{steps:?}");
    assert!(told("is killed, and had answered before"), "{steps:?}");
    let gets = |name: &str| {
        let actor = compared.real.trace.actors.iter().position(|known| known == name);
        steps.iter().any(|step| {
            Some(step.actor) == actor && step.output.as_deref() == Some("Delivered(\"alpha\")")
        })
    };
    assert!(gets("client 1") && gets("next client"), "{steps:?}");
    // The other promise is kept, and the content is not.
    let once = case("durable-once", "killed", 1).check(&graph());
    assert_eq!(*verdict(&once, "at-most-once"), Verdict::Holds(None));
    assert!(matches!(verdict(&once, "nothing-lost"), Verdict::Violated(Some(_))));
}

#[test]
fn the_power_fails_amid_a_claim_only_where_a_call_was_made_and_something_lost() {
    for (variant, scenario) in all().filter(|(_, scenario)| scenario.name.starts_with("power-")) {
        for clients in [1, 2] {
            let case = case(variant.name, scenario.name, clients);
            let report = case.check(&graph());
            let Verdict::Holds(Some(schedule)) = verdict(&report, "the-power-fails-amid-a-claim")
            else {
                panic!("{} {}: {report:?}", variant.name, scenario.name);
            };
            let steps = case.play(schedule).expect("a schedule of the system").steps;
            let calls = steps.iter().take_while(|step| !step.concerns_all()).count();
            let is_lost = |step: &TraceStep| step.label.starts_with("the power is back, without ");
            assert!(calls > 0 && steps.iter().any(is_lost), "{} {steps:?}", variant.name);
        }
    }
}

fn assert_agreement(what: &str, reports: &[Report]) {
    let told: Vec<_> = audit(reports).iter().map(Disagreement::to_string).collect();
    assert!(told.is_empty(), "{what}: {told:#?}");
}

/// All engines on one system; loom without skipping where that is a matter of a second.
fn opinions(case: &dyn Case) -> Vec<Report> {
    let mut reports: Vec<_> =
        [graph(), every_state(), shuttle()].iter().map(|method| case.check(method)).collect();
    let count: Option<u64> = reports[0].interleavings.to_string().parse().ok();
    if case.actors().len() <= 5 {
        let few = count.is_some_and(|count| count <= 4_000);
        reports.push(case.check(&if few { loom() } else { loom_skipping() }));
    }
    reports
}

#[test]
fn two_clients_never_both_receive_the_secret() {
    for mechanism in
        ["rename-fixed-name", "rename-unique-name", "unlink-decides", "claim-file", "advisory-lock"]
    {
        let case = case(mechanism, "clients", 2);
        let mut reports = opinions(&*case);
        reports.push(case.check(&loom_skipping()));
        assert_agreement(mechanism, &reports);
        for report in &reports {
            assert!(report.exhaustive(), "{mechanism}");
            for property in ["deadlock-free", "at-most-once", "exactly-once", "gone-not-error"] {
                assert_eq!(*verdict(report, property), Verdict::Holds(None), "{mechanism}");
            }
            // Not vacuous: somebody does get it, and somebody is turned away.
            for property in ["somebody-gets-it", "somebody-is-late"] {
                assert!(
                    matches!(verdict(report, property), Verdict::Holds(Some(_))),
                    "{mechanism}"
                );
            }
        }
    }
}

#[test]
fn two_clients_of_the_original_both_receive_it_in_40_of_46_interleavings() {
    let case = case("open-then-remove", "clients", 2);
    let reports = opinions(&*case);
    assert_agreement("open-then-remove", &reports);
    for report in &reports {
        assert!(matches!(verdict(report, "at-most-once"), Verdict::Violated(Some(_))));
    }
    assert_eq!(reports[0].interleavings.to_string(), "46");
    let finding = reports[0].finding("at-most-once").expect("claimed");
    assert_eq!(finding.violating.as_ref().map(ToString::to_string).as_deref(), Some("40"));
}

#[test]
fn looking_at_meta_first_only_makes_the_race_rarer() {
    let report = case("meta-check-first", "clients", 2).check(&graph());
    let finding = report.finding("at-most-once").expect("claimed");
    assert!(matches!(finding.verdict, Verdict::Violated(Some(_))));
    assert_eq!(report.interleavings.to_string(), "148");
    assert_eq!(finding.violating.as_ref().map(ToString::to_string).as_deref(), Some("120"));
}

#[test]
fn the_landed_fix_hands_the_second_secret_out_twice_when_the_key_is_used_again() {
    for scenario in ["reupload", "put-again"] {
        let broken = case("rename-fixed-name", scenario, 2).check(&graph());
        assert!(matches!(verdict(&broken, "at-most-once"), Verdict::Violated(Some(_))));
        let kept = case("rename-unique-name", scenario, 2).check(&graph());
        assert_eq!(*verdict(&kept, "at-most-once"), Verdict::Holds(None));
        assert!(matches!(verdict(&kept, "second-is-delivered"), Verdict::Holds(Some(_))));
    }
}

#[test]
fn every_variant_has_just_the_verdicts_it_is_known_for_with_one_to_five_and_eight_clients() {
    for (variant, scenario) in everything() {
        for clients in [1, 2, 3, 4, 5, 8] {
            let case = case(variant.name, scenario.name, clients);
            as_recorded(&*case, variant, scenario, clients);
        }
    }
}

#[test]
fn everything_recorded_names_a_scenario_and_a_property_that_there_are() {
    for variant in Download.variants() {
        for breaks in variant.breaks() {
            let case = Download.case(variant.name, breaks.scenario, breaks.from_size);
            let properties = case.expect("a scenario of the model").properties();
            let known = properties.iter().any(|(name, _)| name == breaks.property);
            assert!(known, "{} {} {}", variant.name, breaks.scenario, breaks.property);
        }
    }
    assert!(Download.case("no-such", "clients", 2).is_none());
    assert!(Download.case("claim-file", "no-such", 2).is_none());
}

#[test]
fn every_property_is_broken_by_some_variant_and_every_system_reaches_a_delivery() {
    let mut broken = BTreeSet::new();
    let mut claimed = BTreeSet::new();
    for (variant, scenario) in everything() {
        broken.extend(variant.breaks().map(|breaks| breaks.property.to_owned()));
        let properties = case(variant.name, scenario.name, 2).properties();
        let reachable = properties.iter().filter(|(_, kind)| *kind == PropertyKind::Reachable);
        assert!(reachable.count() >= 2, "{} {}", variant.name, scenario.name);
        let judged = properties.into_iter().filter(|(_, kind)| *kind != PropertyKind::Reachable);
        claimed.extend(judged.map(|(name, _)| name));
    }
    assert_eq!(claimed.len(), 5);
    assert!(claimed.is_subset(&broken), "no variant breaks {:?}", claimed.difference(&broken));
}

#[test]
fn all_engines_agree_on_two_clients_of_everything() {
    for (variant, scenario) in everything() {
        let case = case(variant.name, scenario.name, 2);
        let reports = opinions(&*case);
        assert!(reports.iter().all(Report::exhaustive));
        assert_agreement(&format!("{} {}", variant.name, scenario.name), &reports);
    }
}

/// Puts every variant in every scenario before all engines, where its plain state graph has at most
/// so many transitions: beyond, the engines that run executions take longer than a test should.
/// Returns how many systems that were, and how many only the graph has seen.
fn compare_all(clients: usize, few: u64) -> (usize, usize) {
    let (mut compared, mut left_out) = (0, 0);
    for (variant, scenario) in everything() {
        let case = case(variant.name, scenario.name, clients);
        let plain = case.check(&every_state());
        assert!(plain.exhaustive());
        let what = format!("{} {} {clients}", variant.name, scenario.name);
        if plain.transitions.is_none_or(|transitions| transitions > few) {
            assert_agreement(&what, &[case.check(&graph()), plain]);
            left_out += 1;
            continue;
        }
        let mut reports = opinions(&*case);
        reports.push(plain);
        assert!(reports.iter().all(Report::exhaustive), "{what}");
        assert_agreement(&what, &reports);
        compared += 1;
    }
    println!(
        "{clients} clients: {compared} systems on every engine, {left_out} on the graph alone"
    );
    (compared, left_out)
}

#[test]
fn all_engines_agree_on_three_clients_of_nearly_everything() {
    assert!(compare_all(3, 4_000).0 >= 20);
}

#[test]
fn all_engines_agree_on_four_clients_where_the_graph_is_small() {
    assert!(compare_all(4, 2_500).0 >= 8);
}

#[test]
fn any_number_of_clients_never_receive_the_secret_twice() {
    for scenario in ["clients", "janitor"] {
        for variant in ["rename-fixed-name", "unlink-decides", "claim-file", "advisory-lock"] {
            let report = case(variant, scenario, 1).check(&Method::Any(AnyLimits::default()));
            assert!(report.exhaustive());
            assert_eq!(*verdict(&report, "at-most-once"), Verdict::Holds(None), "{variant}");
            assert_eq!(*verdict(&report, "somebody-gets-it"), Verdict::Holds(None), "{variant}");
        }
        for variant in ["open-then-remove", "meta-check-first"] {
            let report = case(variant, scenario, 1).check(&Method::Any(AnyLimits::default()));
            assert_eq!(*verdict(&report, "at-most-once"), Verdict::Violated(None), "{variant}");
        }
    }
    // What ships, whose clients have names of their own, beside an uploader as well.
    for scenario in ["clients", "janitor", "reupload", "put-again"] {
        let any = Method::Any(AnyLimits::default());
        let report = case("rename-unique-name", scenario, 1).check(&any);
        assert!(report.exhaustive());
        assert_eq!(*verdict(&report, "at-most-once"), Verdict::Holds(None), "{scenario}");
        assert_eq!(*verdict(&report, "somebody-gets-it"), Verdict::Holds(None), "{scenario}");
    }
}

#[test]
fn random_schedules_find_the_race_of_eight_clients_that_no_engine_exhausts_by_executing() {
    let case = case("open-then-remove", "clients", 8);
    for mode in [
        ShuttleMode::Random { executions: 100, seed: 7 },
        ShuttleMode::Pct { executions: 300, depth: 3, seed: 7 },
    ] {
        let report = case.check(&Method::Shuttle(mode));
        let Verdict::Violated(Some(schedule)) = verdict(&report, "at-most-once") else {
            panic!("{mode:?} found nothing");
        };
        let compared = case.replay(schedule, Threads::OneEach).expect("a temporary directory");
        assert!(compared.agrees());
    }
}

/// Replays every interleaving on the kernel and returns how many there were.
fn replay_all(variant: &str, scenario: &str, clients: usize, threads: Threads) -> u64 {
    let case = case(variant, scenario, clients);
    let mut replayed = 0;
    case.interleavings(&mut |schedule| {
        let compared = case.replay(schedule, threads).expect("a temporary directory");
        assert!(
            compared.agrees(),
            "{variant} {scenario} {schedule}: the simulation says\n{}{}the kernel\n{}{}",
            compared.simulated.trace,
            compared.simulated.remains,
            compared.real.trace,
            compared.real.remains,
        );
        replayed += 1;
        true
    });
    let counted = case.check(&graph()).interleavings.to_string();
    assert_eq!(replayed.to_string(), counted, "as many as the graph counts");
    replayed
}

#[test]
fn the_kernel_agrees_on_every_interleaving_of_two_clients() {
    let started = Instant::now();
    let mut replayed = 0;
    for variant in Download.variants() {
        replayed += replay_all(variant.name, "clients", 2, Threads::OneEach);
    }
    println!("{replayed} interleavings on real threads, {:.1?}", started.elapsed());
}

/// Half of the variants, so that two tests share the work.
fn replay_with_a_janitor(half: impl Fn(usize) -> bool) {
    let variants = Download.variants().iter().enumerate();
    let variants = variants.filter(|(index, _)| half(*index));
    let replayed: u64 =
        variants.map(|(_, variant)| replay_all(variant.name, "janitor", 2, Threads::One)).sum();
    println!("{replayed} interleavings with a janitor");
}

#[test]
fn the_kernel_agrees_on_every_interleaving_of_two_clients_and_a_janitor() {
    replay_with_a_janitor(|index| index % 2 == 0);
}

#[test]
fn the_kernel_agrees_on_every_interleaving_of_two_clients_and_a_janitor_continued() {
    replay_with_a_janitor(|index| index % 2 == 1);
}

#[test]
fn the_kernel_agrees_on_every_interleaving_of_two_clients_and_an_uploader() {
    let mut replayed = 0;
    // Of those that hold or nearly do; the others have tens of thousands more of the same steps.
    for variant in ["rename-fixed-name", "rename-unique-name", "unlink-decides", "claim-file"] {
        for scenario in ["reupload", "put-again"] {
            replayed += replay_all(variant, scenario, 2, Threads::One);
        }
    }
    println!("{replayed} interleavings with an uploader");
}

#[test]
fn every_counterexample_happens_on_the_kernel() {
    let mut replayed = 0;
    for (variant, scenario) in everything() {
        for clients in [1, 2] {
            let case = case(variant.name, scenario.name, clients);
            let report = case.check(&graph());
            let broken = report.findings.iter().filter_map(|finding| match &finding.verdict {
                Verdict::Violated(Some(schedule)) => Some((&finding.property, schedule)),
                _ => None,
            });
            for (property, schedule) in broken {
                let compared =
                    case.replay(schedule, Threads::OneEach).expect("a temporary directory");
                assert!(compared.agrees(), "{} {} {property}", variant.name, scenario.name);
                if property == "at-most-once" {
                    let delivered =
                        compared.real.trace.steps.iter().filter_map(|s| s.output.as_deref());
                    let mut delivered: Vec<_> =
                        delivered.filter(|told| told.starts_with("Delivered")).collect();
                    let all = delivered.len();
                    delivered.sort_unstable();
                    delivered.dedup();
                    assert!(delivered.len() < all, "one secret twice, in real hands");
                }
                replayed += 1;
            }
        }
    }
    println!("{replayed} counterexamples");
    assert!(replayed >= 30, "{replayed}");
}

#[test]
fn chance_finds_no_violation_that_the_checker_excludes() {
    for (variant, scenario) in everything() {
        let stress =
            case(variant.name, scenario.name, 3).stress(0, 60).expect("a temporary directory");
        for (property, violations) in stress.violations {
            if violations > 0 {
                let known = variant.is_known_to_break(scenario.name, &property, 3);
                assert!(known, "{} {} {property}", variant.name, scenario.name);
            }
        }
    }
}

#[test]
fn a_schedule_that_is_none_is_refused_and_says_why() {
    let case = case("open-then-remove", "clients", 2);
    let no_such = case.play(&Schedule::of(vec![0, 7])).expect_err("there is no actor 7");
    assert_eq!(no_such.to_string(), "step 2 names actor 7, and there are only 2 (0 to 1)");
    let ended = case.replay(&Schedule::of(vec![0; 9]), Threads::One).expect_err("it ends after 4");
    assert_eq!(ended.to_string(), "step 5 names client 1, which ended before");
    let text = "[0, 1, x]".parse::<Schedule>().expect_err("x is no index");
    assert!(text.to_string().contains("`x`"));
    assert_eq!("[0, 1, 1]".parse(), Ok(Schedule::of(vec![0, 1, 1])));
}
