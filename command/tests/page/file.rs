//! The file that the page is: how it is written, and one that somebody has changed.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::driver::{HOME, browser};
use crate::whole::cells;
use crate::{CELL, case, same_as_simulated, small, toctou, url};

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

#[test]
fn a_picture_is_one_whole_document() {
    let drawn = |arguments: &[&str]| {
        let output = toctou(&[&["show"], arguments, &["--format", "svg"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let picture = drawn(&["download/open-then-remove"]);
    assert!(picture.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
    assert_eq!(picture.matches("<svg").count(), 1, "a document is one picture");
    assert!(
        picture.contains(
            "<title id=\"title\">download/open-then-remove · clients · 2 clients</title>"
        )
    );
    assert!(picture.contains("at-most-once violated after"), "{picture}");
    // As many things are opened as are closed.
    for name in ["svg", "text", "title", "desc", "style"] {
        let open = picture.matches(&format!("<{name}>")).count()
            + picture.matches(&format!("<{name} ")).count();
        assert_eq!(open, picture.matches(&format!("</{name}>")).count(), "{name}");
    }
    // Of what holds there is nothing to draw.
    let picture =
        drawn(&["download/rename-unique-name", "--property", "at-most-once", "--clients", "1"]);
    assert!(!picture.contains("violated"), "{picture}");
}
