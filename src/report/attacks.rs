//! Fourth floor, `report`: the smallest attacks, for models that are sized by an attacker's
//! actions.
//! Imports [`survey`](crate::survey).

use std::fmt::Write;

use super::style::{FAINT, HEAD, columns, paint, wrap};
use super::{WIDTH, count, sized};
use crate::survey::{Example, Survey};

/// Before an attack's line.
const INDENT: usize = 4;
const GAP: usize = 2;
/// Beside the columns, a start's name gets at least so much room; else it goes below.
const LEAST_ROOM: usize = 20;

/// The shortest counterexamples to the variants of each model that is not sized by clients. There
/// is one line for each, scenario by scenario: the size, the number of steps, and the world in
/// which it begins, if `start` has a name for that.
pub fn attacks(survey: &Survey, start: &dyn Fn(&Example) -> Option<String>) -> String {
    let mut examples = survey.counterexamples();
    examples.retain(|example| !example.subject.model.size().is_clients());
    let mut out = String::new();
    for alike in
        examples.chunk_by(|left, right| left.subject.model.name() == right.subject.model.name())
    {
        let Some(first) = alike.first() else { continue };
        let model = first.subject.model;
        let _ = writeln!(out, "{}", paint(HEAD, &format!("{}: what breaks it", model.name())));
        if alike.iter().any(|example| start(example).is_some()) {
            let (name, sizes) = (model.name(), model.size().plural());
            let how = format!(
                "each as it happens: toctou replay {name}/VARIANT --scenario … --{sizes} … --schedule …"
            );
            let _ = writeln!(out, "  {}", paint(FAINT, &how));
        }
        for scenario in model.scenarios() {
            let here =
                alike.iter().filter(|example| example.subject.scenario.name == scenario.name);
            let rows: Vec<Attack> = here.map(|example| Attack::of(example, start)).collect();
            if !rows.is_empty() {
                let _ = writeln!(out, "  {}", paint(HEAD, scenario.name));
                out.push_str(&told(&rows));
            }
        }
    }
    out
}

/// What is told of one.
struct Attack {
    variant: &'static str,
    property: String,
    effort: String,
    start: Option<String>,
    /// As `show` and `replay` take it.
    schedule: Option<String>,
}

impl Attack {
    fn of(example: &Example, start: &dyn Fn(&Example) -> Option<String>) -> Attack {
        let size = sized(&example.subject, example.size);
        let effort = match &example.schedule {
            Some(schedule) => format!("{size}, {}", count(schedule.turns.len(), "step")),
            // What should be reachable and is not: there is nothing to show.
            None => size,
        };
        Attack {
            variant: example.subject.variant.name,
            property: example.property.clone(),
            effort,
            start: start(example),
            schedule: example.schedule.as_ref().map(ToString::to_string),
        }
    }
}

/// A line each, in columns; a start's name that is too long for one goes on below.
fn told(attacks: &[Attack]) -> String {
    let width = |of: fn(&Attack) -> &str| {
        attacks.iter().map(|attack| columns(of(attack))).max().unwrap_or(0)
    };
    let variant = width(|attack| attack.variant);
    let property = width(|attack| &attack.property);
    let effort = width(|attack| &attack.effort);
    let beside = INDENT + variant + GAP + property + GAP + effort + GAP;
    let (below, lead) = match beside + LEAST_ROOM <= WIDTH {
        true => (false, beside),
        false => (true, INDENT + variant + GAP),
    };
    let mut out = String::new();
    let mut last = "";
    for attack in attacks {
        // The name once, before all that breaks it.
        let name = if attack.variant == last { "" } else { attack.variant };
        last = attack.variant;
        let told = format!(
            "{:INDENT$}{name:variant$}{:GAP$}{:property$}{:GAP$}{}",
            "", "", attack.property, "", attack.effort
        );
        let mut lines = vec![told];
        for (position, line) in attack
            .start
            .iter()
            .flat_map(|start| wrap(start, WIDTH.saturating_sub(lead).max(LEAST_ROOM)))
            .enumerate()
        {
            let line = paint(FAINT, line.trim());
            if position == 0 && !below {
                let fill = lead.saturating_sub(columns(&lines[0]));
                let _ = write!(lines[0], "{:fill$}{line}", "");
            } else {
                lines.push(format!("{:lead$}{line}", ""));
            }
        }
        for line in attack.schedule.iter().flat_map(|schedule| {
            wrap(&format!("--schedule '{schedule}'"), WIDTH - INDENT - variant - GAP)
        }) {
            let line = paint(FAINT, line.trim());
            lines.push(format!("{:INDENT$}{:variant$}{:GAP$}{line}", "", "", ""));
        }
        for line in lines {
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::case::Case;
    use crate::check::Engine;
    use crate::models::download::Download;
    use crate::models::{Model, Sheet, Size};
    use crate::report::table::tables;
    use crate::survey::{Plan, Share, Target};

    fn attack(variant: &'static str, property: &str, start: Option<&str>) -> Attack {
        Attack {
            variant,
            property: property.into(),
            effort: "1 action, 5 steps".into(),
            start: start.map(str::to_owned),
            schedule: None,
        }
    }

    fn lines(attacks: &[Attack]) -> Vec<String> {
        let told = anstream::adapter::strip_str(&told(attacks)).to_string();
        let lines: Vec<String> = told.lines().map(str::to_owned).collect();
        assert!(lines.iter().all(|line| columns(line) <= WIDTH), "{lines:#?}");
        lines
    }

    /// A model that is not sized by clients: one action is one client more.
    struct Pretend;

    impl Model for Pretend {
        fn sheet(&self) -> &'static Sheet {
            static SHEET: LazyLock<Sheet> = LazyLock::new(|| {
                let variants = Download.variants()[..1].to_vec();
                let scenarios = Download.scenarios()[..2].to_vec();
                let about = "What it says does not matter.";
                Sheet { name: "pretend", about, variants, scenarios }
            });
            &SHEET
        }

        fn size(&self) -> Size {
            Size { noun: "action", usual: &[0, 1], tried: &[0, 1], least: 0, ..Size::CLIENTS }
        }

        fn case(&self, variant: &str, scenario: &str, size: usize) -> Option<Box<dyn Case>> {
            Download.case(variant, scenario, size + 1)
        }
    }

    /// Its first two subjects.
    fn surveyed(model: &'static dyn Model) -> Survey {
        let mut subjects = Target { model, variant: None }.subjects(None);
        subjects.truncate(2);
        Plan { subjects, size: None, engines: Some(vec![Engine::Graph]), share: Share::ALL }
            .run(&|_| {})
    }

    #[test]
    fn what_breaks_a_model_is_listed_where_it_is_not_sized_by_clients() {
        let told = attacks(&surveyed(&Pretend), &|example| Some(format!("from {}", example.size)));
        let told = anstream::adapter::strip_str(&told).to_string();
        assert!(told.contains("\n                      --schedule '[0, 1, 1, 1, 1, 0, 0, 0]'\n"));
        let lines = told.lines().filter(|line| !line.contains("--schedule"));
        let told: String = lines.map(|line| format!("{line}\n")).collect();
        assert_eq!(
            told,
            "pretend: what breaks it\n  \
             clients\n    \
             open-then-remove  at-most-once  1 action, 8 steps  from 1\n                      \
             exactly-once  1 action, 8 steps  from 1\n  \
             janitor\n    \
             open-then-remove  at-most-once  1 action, 8 steps   from 1\n                      \
             exactly-once  1 action, 11 steps  from 1\n"
        );
        assert_eq!(attacks(&surveyed(&Download), &|_| None), "");
    }

    #[test]
    fn each_model_of_a_run_is_told_in_its_own_sizes() {
        let mut survey = surveyed(&Pretend);
        survey.systems.extend(surveyed(&Download).systems);
        let told = anstream::adapter::strip_str(&tables(&survey)).to_string();
        let (pretend, download) = told.split_once("\ndownload\n").unwrap();
        assert!(pretend.contains("✓ holds with 0, 1 actions   ✗ 2 broken from 2 actions on"));
        assert!(!pretend.contains("with 1, 2, 3, 4, 8 clients"));
        assert!(
            download.contains("✓ holds with 1, 2, 3, 4, 8 clients   ✗ 2 broken from 2 clients on")
        );
    }

    #[test]
    fn an_attack_is_a_line_and_its_variant_is_named_once() {
        let told = lines(&[
            attack("check-then-write", "secret-stays-secret", None),
            attack("check-then-write", "all-or-nothing", Some("a link to elsewhere")),
        ]);
        assert_eq!(
            told,
            [
                "    check-then-write  secret-stays-secret  1 action, 5 steps",
                "                      all-or-nothing       1 action, 5 steps  a link to elsewhere",
            ]
        );
    }

    #[test]
    fn a_long_name_of_a_start_goes_on_in_the_next_line() {
        let start = "a directory of the attacker's with a link in it ".repeat(3);
        assert!(lines(&[attack("check-then-write", "symlink-survives", Some(&start))]).len() > 1);
        let told = lines(&[attack(
            "a-variant-with-quite-a-long-name",
            "refuses-without-force-and-all-the-rest",
            Some(&start),
        )]);
        assert!(told[0].ends_with("5 steps"));
    }
}
