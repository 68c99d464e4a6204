//! The HTML page, as a person meets it in a browser, held against what the engines and the simulation say.

mod driver;
mod file;
mod systems;
mod whole;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use driver::{Browser, END, ENTER, HOME, LEFT, RIGHT, TAB, browser};
use serde_json::Value;
use toctou::case::{Case, Method};
use toctou::check::{GraphOptions, Schedule};
use toctou::models::Model;
use toctou::models::download::Download;

/// Nothing may be larger, or slower to open.
const MOST_BYTES: usize = 3_000_000;
const MOST_MILLISECONDS: f64 = 1_000.0;

fn toctou(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_toctou")).args(arguments).output().unwrap()
}

/// The page of the whole catalogue, made once.
fn whole() -> &'static Path {
    static PAGE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, file) = PAGE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.html");
        let output = toctou(&["report", file.to_str().unwrap()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (folder, file)
    });
    file
}

fn url(file: &Path) -> String {
    format!("file://{}", file.display())
}

const CELL: &str = "download/rename-fixed-name/reupload";

fn case() -> Box<dyn Case> {
    Download.case("rename-fixed-name", "reupload", 2).unwrap()
}

/// The shortest counterexample to the property, and the shares along it, as the state graph says.
fn counterexample(case: &dyn Case, property: &str) -> (Schedule, Vec<[String; 2]>) {
    let report = case.check(&Method::Graph(GraphOptions::default()));
    let finding = report.finding(property).unwrap();
    let shares = finding.lost.as_ref().unwrap().shares.iter();
    let shares = shares.map(|share| [share.violating.to_string(), share.all.to_string()]);
    (finding.verdict.schedule().unwrap().clone(), shares.collect())
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

fn pairs(value: &Value) -> Vec<[String; 2]> {
    let pair =
        |pair: &Value| [pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned()];
    value.as_array().unwrap().iter().map(pair).collect()
}

/// The turns that the page shows.
fn shown_turns(browser: &Browser) -> Schedule {
    let turns = browser.script("return toctou.schedule()");
    let number = |value: &Value| value.as_u64().unwrap() as usize;
    let mut schedule = Schedule::default();
    for (at, turn) in turns.as_array().unwrap().iter().enumerate() {
        schedule.turns.push(number(&turn[0]));
        if number(&turn[1]) > 0 {
            schedule.ways.push((at, number(&turn[1])));
        }
    }
    schedule
}

/// Whether the page shows what the simulation tells: each label and output, and the state at the step at which it
/// is.
fn same_as_simulated(browser: &Browser, case: &dyn Case, step: usize) -> Result<(), String> {
    let schedule = shown_turns(browser);
    let trace = case.play(&schedule).map_err(|error| error.to_string())?;
    let labels: Vec<String> = trace.steps.iter().map(|step| trace.call(step)).collect();
    let shown = texts(&browser.script("return toctou.labels()"));
    if shown != labels {
        return Err(format!("the page tells {shown:#?}, the simulation {labels:#?}"));
    }
    let outputs =
        trace.steps.iter().map(|step| step.output.clone().map_or(Value::Null, Value::from));
    let outputs = Value::Array(outputs.collect());
    let shown = browser.script("return toctou.outputs()");
    if shown != outputs {
        return Err(format!("the page tells of outputs {shown}, the simulation {outputs}"));
    }
    let mut so_far = schedule;
    so_far.turns.truncate(step);
    so_far.ways.retain(|(turn, _)| *turn < step);
    let state = case.state(&so_far).map_err(|error| error.to_string())?.unwrap();
    let shown = browser.script("return toctou.state()");
    match shown.as_str() == Some(&state) {
        true => Ok(()),
        false => Err(format!("after {step} steps the page has\n{shown}\nthe simulation\n{state}")),
    }
}

fn at_step(browser: &Browser, step: usize) {
    let told = browser.text("#status");
    assert!(told.starts_with(&format!("Step {step} of ")), "{told}");
}

/// A page of the one variant is enough, and quicker.
fn small(folder: &Path) -> String {
    let file = folder.join("small.html");
    let arguments =
        ["report", file.to_str().unwrap(), "download/rename-fixed-name", "--clients", "2"];
    let output = toctou(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn a_person_reaches_a_counterexample_takes_another_choice_and_finds_it_again_by_its_address() {
    let Some(browser) = browser("the page in a browser", 1280, 900) else { return };
    let file = whole();
    let size = std::fs::metadata(file).unwrap().len() as usize;
    browser.open(&url(file));
    let load = browser.script(
        "const [it] = performance.getEntriesByType('navigation'); return it.loadEventEnd - it.startTime",
    );
    let load = load.as_f64().unwrap();
    println!("{size} bytes, loaded in {load:.0} ms");
    assert!(size <= MOST_BYTES, "{size} bytes");
    assert!(load < MOST_MILLISECONDS, "{load} ms");
    let loaded = browser.script("return performance.getEntriesByType('resource').length");
    assert_eq!(loaded, 0, "it loads nothing");
    browser.keep("matrix");

    browser.click(&format!("[data-cell='{CELL}']"));
    browser.until("a status", "return document.querySelector('#status strong') !== null");
    browser.click("[data-property='at-most-once']");
    let case = case();
    let (schedule, shares) = counterexample(&*case, "at-most-once");
    browser.until("the execution", "return location.hash.includes('at-most-once')");
    assert_eq!(shown_turns(&browser), schedule);
    assert_eq!(pairs(&browser.script("return toctou.shares()")), shares);
    for step in 0..=schedule.turns.len() {
        at_step(&browser, step);
        same_as_simulated(&browser, &*case, step).unwrap();
        browser.click("#forward");
    }
    at_step(&browser, schedule.turns.len());
    for _ in 5..schedule.turns.len() {
        browser.click("#back");
    }
    at_step(&browser, 5);
    browser.keep("counterexample");

    // Another choice than the one that the counterexample takes at this step.
    let other = schedule.turns[5] ^ 1;
    browser.click(&format!(".take[data-actor='{other}']"));
    browser.until("another execution", "return document.querySelector('#own').hidden === false");
    at_step(&browser, 6);
    let explored = shown_turns(&browser);
    assert_eq!(explored.turns[..5], schedule.turns[..5]);
    assert_eq!(explored.turns[5..], [other]);
    same_as_simulated(&browser, &*case, 6).unwrap();
    browser.keep("explored");
    // A step is in the address as well, a moment later.
    browser.click("#back");
    browser.until("the step in the address", "return location.hash.endsWith('step=5')");
    browser.click("#forward");
    browser.until("the step in the address", "return location.hash.endsWith('step=6')");
    let (address, state) = (browser.address(), browser.script("return toctou.state()"));

    browser.back();
    browser.until("the counterexample", "return document.querySelector('#own').hidden");
    assert_eq!(shown_turns(&browser), schedule);
    at_step(&browser, 5);
    assert_eq!(browser.complaints(), Vec::<String>::new());

    let again = driver::browser("the address in another browser", 1280, 900).unwrap();
    again.open(&address);
    again.until("a status", "return document.querySelector('#status strong') !== null");
    at_step(&again, 6);
    assert_eq!(shown_turns(&again), explored);
    assert_eq!(again.script("return toctou.state()"), state);
    assert_eq!(again.complaints(), Vec::<String>::new());
}

#[test]
fn everything_can_be_done_by_the_keyboard() {
    let Some(browser) = browser("the page by the keyboard", 1280, 900) else { return };
    browser.open(&url(whole()));
    let focused =
        |what: &str| browser.script(&format!("return document.activeElement?.{what} ?? ''"));
    let tab_to = |what: &str, wanted: &str| {
        for _ in 0..200 {
            if focused(what) == wanted {
                return;
            }
            browser.press(&[TAB]);
        }
        panic!("no Tab leads to {wanted}");
    };
    tab_to("dataset.cell", CELL);
    let outline = browser.script("return getComputedStyle(document.activeElement).outlineStyle");
    assert_eq!(outline, "solid", "where the focus is can be seen");
    browser.press(&[ENTER]);
    browser.until("a status", "return document.querySelector('#status strong') !== null");
    tab_to("dataset.property", "exactly-once");
    browser.press(&[" "]);
    browser.until("the property", "return location.hash.includes('exactly-once')");
    browser.press(&[RIGHT, RIGHT, RIGHT, LEFT]);
    at_step(&browser, 2);
    browser.press(&[END, HOME, RIGHT]);
    at_step(&browser, 1);
    let live = browser.script("return document.querySelector('#live').textContent");
    assert!(live.as_str().unwrap().starts_with("Step 1 of "), "{live}");
    tab_to("className", "take");
    browser.press(&[ENTER]);
    at_step(&browser, 2);
    same_as_simulated(&browser, &*case(), 2).unwrap();
    // The number of a choice takes it.
    browser.press(&["1"]);
    at_step(&browser, 3);
    same_as_simulated(&browser, &*case(), 3).unwrap();
    tab_to("id", "own");
    browser.press(&[" "]);
    at_step(&browser, 0);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_picture_that_the_page_saves_is_the_one_that_the_command_draws() {
    let Some(browser) = browser("the picture of the page", 1280, 900) else { return };
    for (target, scenario, property) in [
        ("download/rename-fixed-name", "reupload", "at-most-once"),
        ("order/check-then-update", "replay", "one-ending"),
        ("avatar/head-then-get", "both", "no-internal-content"),
        // Questions that are answered no are left out.
        ("download/open-then-remove", "killed", "nothing-lost"),
        ("credential/rename-without-fsync", "power-ext4", "old-or-new"),
        ("claim_cell/flag-each", "full", "at-most-once"),
    ] {
        browser.open(&format!("{}#{target}/{scenario}?property={property}", url(whole())));
        let wanted = format!(
            "return here?.shown.name === '{property}' && here.place.known.name + '/' + here.place.variant.name === '{target}'"
        );
        browser.until("the property", &wanted);
        let drawn = browser.script("return toctou.svg()");
        let arguments =
            ["show", target, "--scenario", scenario, "--property", property, "--format", "svg"];
        let output = toctou(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(drawn.as_str().unwrap(), String::from_utf8(output.stdout).unwrap(), "{target}");
    }
}

#[test]
fn it_can_be_read_in_the_dark_on_a_narrow_screen_and_on_paper() {
    let Some(browser) = browser("the page in other lights", 1280, 900) else { return };
    let background = || browser.script("return getComputedStyle(document.body).backgroundColor");
    let fits = |what: &str| {
        let over =
            browser.script("return document.documentElement.scrollWidth - window.innerWidth");
        assert!(over.as_i64() <= Some(0), "{what} is {over} pixels too wide");
    };
    browser.open(&url(whole()));
    fits("the matrix");
    let light = background();
    browser.prefer("dark");
    assert_ne!(background(), light);
    browser.keep("matrix-dark");
    browser.click(&format!("[data-cell='{CELL}']"));
    browser.until("a status", "return document.querySelector('#status strong') !== null");
    browser.press(&[RIGHT, RIGHT, RIGHT, RIGHT, RIGHT]);
    fits("a counterexample");
    browser.keep("counterexample-dark");
    browser.prefer("light");
    browser.resize(420, 900);
    browser.keep("counterexample-narrow");
    browser.resize(1280, 900);
    let paper = browser.print();
    assert!(paper.starts_with(b"%PDF"));
    if let Some(folder) = std::env::var_os("TOCTOU_SCREENSHOTS") {
        std::fs::write(Path::new(&folder).join("counterexample.pdf"), paper).unwrap();
    }
    // On paper are all steps, and what each changes.
    let printed = browser.script("window.dispatchEvent(new Event('beforeprint')); return document.querySelectorAll('.printed ol > li').length");
    assert_eq!(printed.as_u64(), browser.script("return here.execution.rows.length").as_u64());
    // Of every table in which something is marked by colour, the mark is there in words.
    let marks = browser.script("return [...document.querySelectorAll('.side tr.changed, .side tr.new, .side tr.gone')].every((row) => row.querySelector('.mark').textContent !== '')");
    assert_eq!(marks, true);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
