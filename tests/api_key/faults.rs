//! What ships, where the database fails: every script of faults, every interleaving. Never a
//! wrong success, never more than one key, and an error says what is so.

use std::sync::Arc;

use toctou::check::{Checker, GraphOptions, Local, Report, Start, State, System, Verdict};
use toctou::db::{Failure, SimDb, SimSession, Way};
use toctou::direct::{Code, SessionCode};
use toctou::handlers::{API_KEYS, ApiKey, Issued, issue};

use super::flaky::{Fault, Flaky, Mistake};
use super::verdict;

type World = Flaky<SimDb>;
type Request = SessionCode<Result<Issued, Failure>>;
type FaultySystem = System<World, Request>;

const KEYS: [&str; 2] = ["key-0", "key-1"];
const USER: i64 = 1;

/// Every script of so many statements' faults.
fn scripts(faults: &[Fault], length: usize) -> Vec<Vec<Fault>> {
    (0..length).fold(vec![Vec::new()], |scripts, _| {
        let longer = |script: &Vec<Fault>| {
            let script = script.clone();
            faults.iter().map(move |fault| [&script[..], &[*fault]].concat())
        };
        scripts.iter().flat_map(longer).collect()
    })
}

/// Two requests of one user, each with a key of its own, and a start for each script.
fn system(scripts: &[Vec<Fault>], mistake: Option<Mistake>) -> FaultySystem {
    let starts = scripts.iter().map(|script| {
        let mut world = Flaky::new(SimDb::new().with_table(&API_KEYS, []), script);
        if let Some(mistake) = mistake {
            world = world.mistaken(mistake);
        }
        let request = |key| {
            let key = ApiKey::new(key);
            Code::session(SimSession::new(), move |db, session| {
                issue(db, session, Way::AUTOCOMMIT.retrying(1), USER, &key)
            })
        };
        Start {
            name: format!("{script:?}"),
            world,
            processes: KEYS.iter().map(|key| request(key)).collect(),
        }
    });
    System::family(&["request 0", "request 1"], starts.collect())
        .always("one-key", |state| stored(state).len() <= 1)
        .finally("a-success-is-true", |state| {
            answers(state).iter().zip(KEYS).all(|(answer, key)| match answer {
                Ok(Issued::Created(told)) => told.as_str() == key && *stored(state) == [key.into()],
                Ok(Issued::Exists) => !stored(state).is_empty() && *stored(state) != [key.into()],
                Err(_) => true,
            })
        })
        .finally("an-error-is-true", |state| {
            answers(state).iter().zip(KEYS).all(|(answer, key)| match answer {
                Err(failure) => failure.may_have_happened || *stored(state) != [key.into()],
                Ok(_) => true,
            })
        })
        .finally("a-key-has-an-owner", |state| {
            stored(state).iter().all(|stored| {
                answers(state).iter().zip(KEYS).any(|(answer, key)| match answer {
                    Ok(Issued::Created(_)) => **stored == *key,
                    Err(failure) => **stored == *key && failure.may_have_happened,
                    Ok(Issued::Exists) => false,
                })
            })
        })
        .reachable("a-lost-answer-is-made-up-for", |state| {
            let created =
                |local: &Local<_, _>| matches!(local, Local::Done(Ok(Issued::Created(_))));
            state.world().has_lost
                && state.locals().all(|local| local.output().is_some_and(Result::is_ok))
                && state.locals().any(created)
        })
}

fn answers<'a>(state: &State<'a, World, Request>) -> Vec<&'a Result<Issued, Failure>> {
    // The actors of a family come in their order.
    state.outputs().collect()
}

fn stored(state: &State<'_, World, Request>) -> Vec<Arc<str>> {
    let rows = state.world().db.committed(&API_KEYS);
    rows.filter_map(|row| row.get(1)?.text().map(Arc::from)).collect()
}

fn check(system: FaultySystem) -> Report {
    let report = Checker::new(system).graph(&GraphOptions::default());
    assert!(report.exhaustive());
    report
}

#[test]
fn no_script_of_faults_makes_it_say_what_is_not_so() {
    let faults = [
        Fault::None,
        Fault::Unsent,
        Fault::Unanswered,
        Fault::Full,
        Fault::Conflict,
        Fault::Unreachable,
    ];
    let scripts = scripts(&faults, 4);
    let report = check(system(&scripts, None));
    for finding in &report.findings {
        assert!(matches!(finding.verdict, Verdict::Holds(_)), "{}", finding.property);
    }
}

#[test]
fn a_connection_that_breaks_twice_leaves_no_request_without_an_answer() {
    let lost = scripts(&[Fault::None, Fault::Unsent, Fault::Unanswered], 4);
    let broken = |script: &&Vec<Fault>| script.iter().filter(|f| **f != Fault::None).count();
    let answered = |most| {
        let scripts: Vec<_> =
            lost.iter().filter(|script| broken(script) <= most).cloned().collect();
        let system = system(&scripts, None);
        check(
            system
                .finally("everybody-is-answered", |state| answers(state).iter().all(|a| a.is_ok())),
        )
    };
    assert!(answered(2).holds());
    // A third break in one request is one too many.
    assert!(matches!(verdict(&answered(3), "everybody-is-answered"), Verdict::Violated(_)));
}

#[test]
fn a_request_that_is_sent_again_has_to_look_whose_key_there_is() {
    let report = check(system(&[vec![Fault::Unanswered]], Some(Mistake::NeverLooks)));
    for property in ["a-success-is-true", "a-key-has-an-owner"] {
        assert!(matches!(verdict(&report, property), Verdict::Violated(_)), "{property}");
    }
}

#[test]
fn a_database_that_lies_is_found_out() {
    let report = check(system(&[vec![Fault::Lie]], None));
    for property in ["an-error-is-true", "a-key-has-an-owner"] {
        assert!(matches!(verdict(&report, property), Verdict::Violated(_)), "{property}");
    }
    let report = check(system(&[vec![]], Some(Mistake::TrustsTheInsert)));
    assert!(matches!(verdict(&report, "a-success-is-true"), Verdict::Violated(_)));
}
