//! Pages of single systems: one that is too large to be there whole, and one of one's own.

use serde_json::Value;
use toctou::check::{Local, System};
use toctou::models::Model;
use toctou::models::download::Download;
use toctou::{Process, Step};

use crate::driver::{END, HOME, RIGHT, browser};
use crate::{at_step, same_as_simulated, toctou, url};

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
