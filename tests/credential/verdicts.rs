//! What each variant is known for, and that the engines agree about it.

use toctou::case::Method;
use toctou::check::{
    Checker, Disagreement, GraphOptions, LoomOptions, PlayError, PropertyKind, Report, Schedule,
    ShuttleMode, Verdict, audit,
};
use toctou::models::Model;
use toctou::models::credential::{Credential, with_program};
use toctou::writer::{NEW_BY_NAME, Op, Options};

use super::{case, everything, graph, known, verdict};

#[test]
fn every_variant_has_just_the_verdicts_it_is_known_for_up_to_three_actions() {
    known::assert_verdicts(&Credential, 0..=3);
}

#[test]
fn each_property_is_broken_by_some_variant_and_kept_by_another() {
    let properties = case("check-then-write", "new-shared", 0).properties();
    for (name, _) in properties.iter().filter(|(_, kind)| *kind != PropertyKind::Reachable) {
        let breaks = |scenario: &str, by: &str| {
            let variant = Credential.variants().iter().find(|variant| variant.name == by);
            variant.expect("a variant").is_known_to_break(scenario, name, 3)
        };
        let mut everywhere = everything();
        assert!(everywhere.any(|(v, s)| breaks(s.name, v.name)), "nobody breaks {name}");
        assert!(!breaks("new-shared", "link-or-exchange"), "nobody keeps {name}");
    }
}

/// Of all that was published, nothing keeps a link that others may put in P's place at any time; an
/// exchange that is looked at does. What it then cannot keep is the directory tidy, against who
/// puts two links at one name.
#[test]
fn a_link_survives_a_forced_write_only_by_exchange() {
    for variant in Credential.variants() {
        let report = case(variant.name, "force-shared", 3).check(&graph());
        let follows = ["check-then-write", "lstat-then-write", "nofollow-only"];
        let exchanges =
            ["link-or-exchange", "private-then-rename", "durable"].contains(&variant.name);
        let survives = exchanges || follows.contains(&variant.name);
        let held = matches!(verdict(&report, "symlink-survives"), Verdict::Holds(_));
        assert_eq!(held, survives, "{}", variant.name);
        // Those that leave a link alone write through it, or into whatever file is there.
        if follows.contains(&variant.name) {
            assert!(matches!(verdict(&report, "secret-stays-secret"), Verdict::Violated(_)));
        }
    }
    let two_links = case("link-or-exchange", "force-shared", 3).check(&graph());
    assert!(matches!(verdict(&two_links, "nothing-left"), Verdict::Violated(Some(_))));
}

#[test]
fn a_planted_link_and_a_descriptor_opened_before_give_the_secret_away() {
    let case = case("check-then-write", "new-sticky", 1);
    let report = case.check(&graph());
    let finding = report.finding("others-untouched").expect("claimed");
    let schedule = finding.verdict.schedule().expect("a counterexample");
    assert_eq!(case.starts()[schedule.start], "absent; script: symlink P");
    // The open has emptied T; what is written then is read through the descriptor.
    assert_eq!(schedule.turns, [0, 1, 1, 0]);
    let leak = case.play(&Schedule::from_start(schedule.start, vec![0, 1, 1, 0, 0, 1]));
    let leak = leak.expect("a schedule of this system");
    let attacker = leak.steps.last().and_then(|step| step.output.as_deref());
    assert_eq!(attacker, Some("Has(\"KEY\")"));
}

/// What is flushed to disk takes longer, and its last look comes last.
#[test]
fn what_ships_is_proved_with_its_flushes_too() {
    for (replace, which) in [(false, "new"), (true, "force")] {
        let options = Options { replace, durable: true, ..Options::default() };
        for program in [options.program(false), options.adapted(NEW_BY_NAME, false)] {
            let variant = if program.contains(&Op::CreateUnnamed) || replace {
                "link-or-exchange"
            } else {
                "private-then-rename"
            };
            let variants = Credential.variants().iter();
            let known = variants.clone().find(|known| known.name == variant).expect("a variant");
            for place in ["shared", "sticky", "parent-swap"] {
                let scenario = format!("{which}-{place}");
                let system = with_program(program.clone(), &scenario, 2).expect("a scenario");
                let report = Checker::new(system).graph(&GraphOptions::default());
                assert!(report.exhaustive());
                for finding in &report.findings {
                    let is_known = known.is_known_to_break(&scenario, &finding.property, 2);
                    let holds = matches!(finding.verdict, Verdict::Holds(_));
                    assert_eq!(holds, !is_known, "{variant} {scenario} {}", finding.property);
                }
            }
            if replace {
                break;
            }
        }
    }
}

/// Two links come to one name, one after the other, and the writer has put its file in place of the
/// first: one of them has to be destroyed, or left where it was not. It is left.
#[test]
fn of_two_links_at_one_name_one_is_left_elsewhere() -> Result<(), PlayError> {
    let case = case("link-or-exchange", "force-shared", 3);
    let script = "absent; script: symlink P, unlink P, symlink P";
    let start = case.starts().iter().position(|name| name == script).expect("such a script");
    let turns = vec![0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1];
    let trace = case.play(&Schedule::from_start(start, turns))?;
    let last = trace.steps.iter().rfind(|step| step.actor == 0).expect("the victim acts");
    let links = trace.steps.iter().filter(|step| step.label.contains(") = link "));
    let links: Vec<&str> = links.map(|step| step.label.as_str()).collect();
    let expected = ["lstat(./.P.1) = link 3, 0777", "lstat(./.P.1) = link 4, 0777"];
    assert_eq!(links, expected, "it exchanged one link for the other");
    assert_eq!(last.output.as_deref(), Some("IsSymlink"));
    Ok(())
}

/// loom and shuttle get what they can finish in a test's time: no action of the attacker in every
/// system, and one in the smaller.
#[test]
fn the_engines_agree_on_every_system_that_loom_and_shuttle_can_finish() {
    const EVERY_INTERLEAVING: u64 = 1_500;
    let mut finished = 0;
    for (variant, scenario) in everything() {
        for actions in 0..=1 {
            let case = case(variant.name, scenario.name, actions);
            let mut reports: Vec<Report> = vec![case.check(&graph())];
            let paths: u64 = reports[0].interleavings.to_string().parse().expect("counted");
            let options = LoomOptions {
                skip_known_states: paths > EVERY_INTERLEAVING,
                ..LoomOptions::default()
            };
            reports.push(case.check(&Method::Loom(options)));
            reports.push(case.check(&Method::Shuttle(ShuttleMode::KnownStates)));
            let told: Vec<_> = audit(&reports).iter().map(Disagreement::to_string).collect();
            assert!(told.is_empty(), "{} {} {actions}: {told:#?}", variant.name, scenario.name);
            assert!(reports.iter().all(Report::exhaustive));
            finished += 1;
        }
    }
    assert_eq!(finished, 2 * everything().count());
}

/// A script of which an action can never succeed is the shorter script without it, so it is not run.
#[test]
fn scripts_that_cannot_differ_are_not_run_twice() {
    // Nine actions: 1 + 9 + 81 + 729 scripts, in 4 first worlds, with and without short writes.
    let all = 820 * 4 * 2;
    let starts = |scenario| case("lstat-then-create", scenario, 3).starts().len();
    let (shared, guarded) = (starts("new-shared"), starts("new-guarded"));
    assert!(shared < all / 2 && guarded < shared, "{shared} and {guarded} of {all}");
    let mut names = case("lstat-then-create", "new-shared", 3).starts();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), shared, "every start has a name of its own");
}
