//! The HTML page, as a person meets it in a browser, held against what the engines and the simulation say.

mod driver;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use driver::{Browser, END, ENTER, HOME, LEFT, RIGHT, TAB, browser};
use serde_json::Value;
use toctou::case::{Case, Method};
use toctou::check::{GraphOptions, Local, Schedule, System};
use toctou::models::download::Download;
use toctou::models::{Breaks, Model};
use toctou::{Process, Step};

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
            if focused(what) == Value::from(wanted) {
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
    // The number of a choice takes it, wherever the focus is.
    browser.press(&["1"]);
    at_step(&browser, 3);
    same_as_simulated(&browser, &*case(), 3).unwrap();
    tab_to("id", "own");
    browser.press(&[" "]);
    at_step(&browser, 0);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// For each cell of the page: how many executions there are, and whose shares, computed in the page, are not those
/// that the state graph counted; and which schedule cannot be played, or does not decide its property.
const ALL_CELLS: &str = "(async () => {
    let [cells, executions, counted, states] = [0, 0, 0, 0];
    const wrong = [];
    for (let number = 0; number < packed.length; number += 1) {
        const { cell, scenes } = await toctou.open(number);
        cells += 1;
        for (const scene of scenes) states += scene.told.states;
        for (const shown of cell.properties) {
            const at = `${number} ${shown.name}`;
            const turns = turnsOf(shown);
            if (shown.schedule === null || shown.scene === null) continue;
            executions += 1;
            const scene = scenes[shown.scene];
            const execution = executionOf(shown, scene, turns);
            if (execution.rows.length !== turns.length) wrong.push(`${at} stops after ${execution.rows.length}`);
            const decided = decidedAt(shown, scene, execution);
            if (decided !== turns.length) wrong.push(`${at} is decided at ${decided} of ${turns.length}`);
            execution.states.forEach((_, at) => changesOf(compared(null, shownWorld(scene, execution, at))));
            if (!scene.whole || shown.lost.length === 0) continue;
            const shares = scene.shares(shown.name, execution.states).map(({ violating, all }) => `${violating}/${all}`).join(' ');
            const told = shown.lost.map((pair) => pair.join('/')).join(' ');
            counted += 1;
            if (shares !== told) wrong.push(`${at}: ${shares} here, ${told} there`);
        }
    }
    done({ cells, executions, counted, states, wrong });
})().catch((error) => done({ wrong: [String(error.stack)] }));";

#[test]
fn in_every_cell_the_page_counts_what_the_state_graph_counts() {
    let Some(browser) = browser("every cell of the page", 1280, 900) else { return };
    browser.open(&url(whole()));
    browser.patience();
    let told = browser.script_later(ALL_CELLS);
    println!("{told}");
    assert_eq!(told["wrong"], serde_json::json!([]), "{told}");
    assert!(told["cells"].as_u64() > Some(400), "{told}");
    assert!(told["counted"].as_u64() > Some(400), "{told}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Shows every cell, and each property that breaks in it, by its address: which of them is not shown, or does not
/// fit.
const ALL_ADDRESSES: &str = "(async () => {
    let addresses = 0;
    const wrong = [];
    for (const [number, place] of places.entries()) {
        const { cell } = await toctou.open(number);
        for (const shown of cell.properties.filter(({ verdict }, at) => verdict === 'violated' || at === 0)) {
            const turns = turnsOf(shown);
            await show(addressOf(place, shown.name, turns, turns.length));
            addresses += 1;
            const at = `${placeOf(place)} ${shown.name}`;
            if (here?.shown !== shown) wrong.push(`${at} is not shown: ${main.textContent.slice(0, 200)}`);
            const over = document.documentElement.scrollWidth - window.innerWidth;
            if (over > 0) wrong.push(`${at} is ${over} pixels too wide`);
        }
    }
    done({ addresses, wrong });
})().catch((error) => done({ wrong: [String(error.stack)] }));";

#[test]
fn every_cell_and_all_that_breaks_in_it_can_be_opened_and_fits_the_screen() {
    let Some(browser) = browser("every address of the page", 1280, 900) else { return };
    browser.open(&url(whole()));
    browser.patience();
    let told = browser.script_later(ALL_ADDRESSES);
    println!("{told}");
    assert_eq!(told["wrong"], serde_json::json!([]), "{told}");
    assert!(told["addresses"].as_u64() > Some(800), "{told}");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// The cells of a page in their order: what each is called, and its sign.
fn cells(page: &str) -> Vec<(String, String)> {
    let index = page.split("id=\"index\">").nth(1).unwrap().split("</script>").next().unwrap();
    let index: Value = serde_json::from_str(index).unwrap();
    let mut cells = Vec::new();
    for case in index["cases"].as_array().unwrap() {
        for cell in case["cells"].as_array().unwrap() {
            let name = |ways: &str, way: &str| {
                let way = cell[way].as_u64().unwrap() as usize;
                case[ways][way]["name"].as_str().unwrap().to_owned()
            };
            let (variant, scenario) = (name("variants", "variant"), name("scenarios", "scenario"));
            let name = format!("{}/{variant}/{scenario}", case["name"].as_str().unwrap());
            cells.push((name, cell["sign"].as_str().unwrap().to_owned()));
        }
    }
    cells
}

#[test]
fn each_sign_of_the_matrix_is_the_recorded_verdict() {
    let page = std::fs::read_to_string(whole()).unwrap();
    let cells = cells(&page);
    let mut expected = Vec::new();
    for model in toctou::models::ALL {
        let largest = model.size().usual.iter().max().copied().unwrap_or_default();
        for variant in model.variants() {
            for scenario in model.scenarios() {
                if model.has(variant.name, scenario.name) {
                    // What takes more than is checked when nobody asks is not seen.
                    let is_seen = |it: &Breaks<'_>| it.from_size <= largest;
                    let breaks = variant.breaks().filter(|it| it.scenario == scenario.name);
                    let breaks = breaks.filter(is_seen);
                    let name = format!("{}/{}/{}", model.name(), variant.name, scenario.name);
                    expected.push((name, breaks.map(|breaks| breaks.from_size).min()));
                }
            }
        }
    }
    let found: Vec<(String, Option<usize>)> = cells
        .into_iter()
        .map(|(name, sign)| {
            let size = sign.strip_prefix('✗').map(|size| size.trim().parse().unwrap());
            assert!(size.is_some() || sign.starts_with('✓'), "{name}: {sign}");
            (name, size)
        })
        .collect();
    assert_eq!(found, expected);
}

/// The same page, with the packed cell of this place changed.
fn doctored(page: &str, change: impl Fn(&mut Value)) -> String {
    let names: Vec<String> = cells(page).into_iter().map(|(name, _)| name).collect();
    let number = names.iter().position(|name| name == CELL).unwrap();
    let packed = page.split("id=\"cells\">\n").nth(1).unwrap().split("\n</script>").next().unwrap();
    let old = packed.lines().nth(number).unwrap();
    let bytes = BASE64_STANDARD.decode(old).unwrap();
    let json = miniz_oxide::inflate::decompress_to_vec(&bytes).unwrap();
    let mut cell: Value = serde_json::from_slice(&json).unwrap();
    change(&mut cell);
    let json = serde_json::to_vec(&cell).unwrap();
    let new = BASE64_STANDARD.encode(miniz_oxide::deflate::compress_to_vec(&json, 6));
    page.replacen(old, &new, 1)
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
fn a_page_with_one_row_changed_is_told_from_the_simulation() {
    let Some(browser) = browser("a doctored page", 1280, 900) else { return };
    let folder = tempfile::tempdir().unwrap();
    let page = small(folder.path());
    let open = |name: &str, page: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, page).unwrap();
        let address = format!("{}#{CELL}?property=at-most-once&step=1", url(&file));
        browser.open(&address);
        browser.until("a status", "return document.querySelector('#status strong') !== null");
    };
    open("untouched.html", &doctored(&page, |_| {}));
    let (case, step) = (case(), 0);
    same_as_simulated(&browser, &*case, step).unwrap_err();
    browser.press(&[HOME]);
    same_as_simulated(&browser, &*case, step).unwrap();

    open(
        "row.html",
        &doctored(&page, |cell| {
            // The content of a file that is there from the start.
            let texts = cell["scenes"][0]["texts"].as_array_mut().unwrap();
            let text = texts.iter_mut().find(|text| **text == "\"alpha\"").unwrap();
            *text = "\"omega\"".into();
        }),
    );
    browser.press(&[HOME]);
    let told = same_as_simulated(&browser, &*case, step).unwrap_err();
    assert!(told.contains("omega"), "{told}");

    open(
        "step.html",
        &doctored(&page, |cell| {
            // The first step leads to where it began.
            let step = cell["scenes"][0]["steps"][0].as_array_mut().unwrap();
            step[4] = step[0].clone();
        }),
    );
    assert!(same_as_simulated(&browser, &*case, 1).is_err());
}

#[test]
fn the_picture_that_the_page_saves_is_the_one_that_the_command_draws() {
    let Some(browser) = browser("the picture of the page", 1280, 900) else { return };
    for (target, scenario, property) in [
        ("download/rename-fixed-name", "reupload", "at-most-once"),
        ("order/check-then-update", "replay", "one-ending"),
        ("avatar/head-then-get", "both", "no-internal-content"),
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

#[test]
fn of_a_large_system_the_page_says_where_its_knowledge_ends() {
    let Some(browser) = browser("the page of a large system", 1280, 900) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("large.html");
    let arguments =
        ["report", file.to_str().unwrap(), "download/rename-unique-name", "--clients", "8"];
    assert!(toctou(&arguments).status.success());
    let place = "download/rename-unique-name/reupload?property=somebody-is-late";
    browser.open(&format!("{}#{place}", url(&file)));
    browser.until("a status", "return document.querySelector('#status strong') !== null");
    let case = Download.case("rename-unique-name", "reupload", 8).unwrap();
    for step in 0..=2 {
        at_step(&browser, step);
        same_as_simulated(&browser, &*case, step).unwrap();
        browser.press(&[RIGHT]);
    }
    assert_eq!(
        browser.script("return document.documentElement.scrollWidth <= window.innerWidth"),
        true
    );
    browser.press(&[HOME, RIGHT]);
    // The uploader comes last. In no execution that is shown does it begin once the first client has claimed.
    browser.click(".take[data-actor='8']");
    browser.until("the step", "return here.at === 2 && !here.execution.isOwn");
    same_as_simulated(&browser, &*case, 2).unwrap();
    assert!(browser.text(".onward").contains("does not have what follows"));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// Takes a ticket without looking twice. What it says is meant to break out of the page.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Take {
    Look,
    Act,
}

const WICKED: &str = "</script><script>document.title = 'broken'</script><b id=\"out\">";

impl Process<u8> for Take {
    type Output = &'static str;

    fn step(self, tickets: &mut u8) -> Step<Self, &'static str> {
        match self {
            Take::Look if *tickets == 0 => Step::Done("none"),
            Take::Look => Step::Next(Take::Act),
            Take::Act => {
                *tickets = tickets.saturating_sub(1);
                Step::Done(WICKED)
            }
        }
    }
}

fn tickets() -> System<u8, Take> {
    let has_one =
        |local: &Local<Take, &'static str>| local.output().filter(|it| **it == WICKED).map(|_| ());
    System::new(1).actor(WICKED, Take::Look).actor("second", Take::Look).at_most(
        1,
        "one-ticket",
        has_one,
    )
}

#[test]
fn a_system_of_ones_own_has_the_same_page_and_no_text_breaks_out_of_it() {
    let Some(browser) = browser("the page of a system of one's own", 1280, 900) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.html");
    std::fs::write(&file, tickets().report(WICKED).unwrap()).unwrap();
    browser.open(&url(&file));
    browser.click("[data-cell]");
    browser.until("a status", "return document.querySelector('#status strong') !== null");
    assert_eq!(browser.script("return document.querySelector('#out')"), Value::Null);
    assert!(browser.script("return document.title").as_str().unwrap().starts_with("toctou: "));
    browser.press(&[END]);
    assert!(browser.text("#status").contains("</script>"));
    assert!(browser.text(".worlds").contains("World"), "the world is told by its `Debug` form");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_file_that_cannot_be_written_is_refused_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], status: i32, told: &str| {
        let output = toctou(arguments);
        let said = String::from_utf8_lossy(&output.stderr).replace("\n  ", " ");
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.contains(told), "{arguments:?}: {said}");
    };
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    refused(&["report"], 2, "FILE.html");
    refused(&["report", &path("")], 2, "is a folder: name a file");
    refused(&["report", &path("none/report.html")], 2, "make it first");
    refused(&["report", "/proc/report.html"], 1, "cannot write /proc/report.html");
    refused(&["report", &path("a.html"), "downlaod"], 2, "download");
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 0, "nothing is left of what was refused");
}

#[test]
fn a_file_that_is_there_is_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.html");
    std::fs::write(&file, "before").unwrap();
    let page = small(folder.path());
    assert!(page.starts_with("<!doctype html>"));
    assert!(page.contains("rename-fixed-name") && page.trim_end().ends_with("</html>"));
    // Nothing in it leads elsewhere: but for the name of what SVG is, it names no address.
    let plain = page.replace("http://www.w3.org/2000/svg", "");
    for elsewhere in ["http://", "https://", " src=", "@import", "url(", "fetch("] {
        assert!(!plain.contains(elsewhere), "{elsewhere}");
    }
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "no draft is left: {names:?}");
}
