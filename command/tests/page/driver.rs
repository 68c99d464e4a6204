//! A browser, driven by the WebDriver protocol (<https://www.w3.org/TR/webdriver2/>): as much of it as these
//! tests need. With `TOCTOU_BROWSER=required`, as in continuous integration, it is a failure that there is none.

use std::io::{self, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The key under which an element goes.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys as the protocol spells them.
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const RIGHT: &str = "\u{e014}";
pub(crate) const LEFT: &str = "\u{e012}";
pub(crate) const END: &str = "\u{e010}";
pub(crate) const HOME: &str = "\u{e011}";

/// A running driver with one browser.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
}

/// An element of the page that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element(String);

/// A browser of so many pixels; says which test is left out if there is none.
pub(crate) fn browser(test: &str, width: usize, height: usize) -> Option<Browser> {
    match Browser::start(width, height) {
        Ok(browser) => Some(browser),
        Err(why) => {
            let required = std::env::var_os("TOCTOU_BROWSER").is_some_and(|it| it == "required");
            assert!(!required, "{test}: {why}");
            // Not by `eprintln!`: of a test that passes nobody would see it.
            let _ = writeln!(io::stderr(), "SKIPPED: {test}: {why}");
            None
        }
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

impl Browser {
    fn start(width: usize, height: usize) -> Result<Browser, String> {
        let port = free_port().map_err(|error| error.to_string())?;
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("chromedriver: {error}"))?;
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(120)));
        let agent = config.http_status_as_error(false).build().new_agent();
        let session = format!("http://127.0.0.1:{port}");
        let mut browser = Browser { driver, session, agent };
        let started = Instant::now();
        while browser.ask("GET", "/status", &Value::Null).is_err() {
            if started.elapsed() > Duration::from_secs(30) {
                return Err("chromedriver does not answer".to_owned());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let options = json!({
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                "--disable-dev-shm-usage", format!("--window-size={width},{height}"),
            ],
        });
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let session = browser.ask("POST", "/session", &capabilities)?;
        let id = session["sessionId"].as_str().ok_or("no session")?.to_owned();
        browser.session = format!("{}/session/{id}", browser.session);
        Ok(browser)
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let url = format!("{}{path}", self.session);
        let answer = match method {
            "GET" => self.agent.get(&url).call(),
            "DELETE" => self.agent.delete(&url).call(),
            _ => self.agent.post(&url).content_type("application/json").send(body.to_string()),
        };
        let mut answer = answer.map_err(|error| error.to_string())?;
        let is_fine = answer.status().is_success();
        let text = answer.body_mut().with_config().limit(64 << 20).read_to_string();
        let text = text.map_err(|error| error.to_string())?;
        let told: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let value = told["value"].clone();
        if is_fine { Ok(value) } else { Err(format!("{path}: {}", value["message"])) }
    }

    fn post(&self, path: &str, body: Value) -> Value {
        self.ask("POST", path, &body).unwrap_or_else(|why| panic!("{why}"))
    }

    fn get(&self, path: &str) -> Value {
        self.ask("GET", path, &Value::Null).unwrap_or_else(|why| panic!("{why}"))
    }

    /// Opens an address, and waits until the page has drawn something.
    pub(crate) fn open(&self, url: &str) {
        self.post("/url", json!({ "url": url }));
        self.until("a heading", "return document.querySelector('main h1') !== null");
    }

    /// The address that is open.
    pub(crate) fn address(&self) -> String {
        self.get("/url").as_str().unwrap().to_owned()
    }

    /// What a script returns.
    pub(crate) fn script(&self, script: &str) -> Value {
        self.post("/execute/sync", json!({ "script": script, "args": [] }))
    }

    /// Lets scripts take minutes.
    pub(crate) fn patience(&self) {
        self.post("/timeouts", json!({ "script": 110_000 }));
    }

    /// What a script passes on to `done`.
    pub(crate) fn script_later(&self, script: &str) -> Value {
        let script = format!("const done = arguments[0]; {script}");
        self.post("/execute/async", json!({ "script": script, "args": [] }))
    }

    /// Waits for a script to return `true`.
    pub(crate) fn until(&self, what: &str, script: &str) {
        let started = Instant::now();
        while self.script(script) != Value::Bool(true) {
            assert!(started.elapsed() < Duration::from_secs(20), "there is never {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The element that this selector finds first.
    pub(crate) fn find(&self, selector: &str) -> Element {
        let found = self.post("/element", json!({ "using": "css selector", "value": selector }));
        Element(found[ELEMENT].as_str().unwrap().to_owned())
    }

    pub(crate) fn click(&self, selector: &str) {
        let Element(id) = self.find(selector);
        self.post(&format!("/element/{id}/click"), json!({}));
    }

    pub(crate) fn text(&self, selector: &str) -> String {
        let Element(id) = self.find(selector);
        self.get(&format!("/element/{id}/text")).as_str().unwrap().to_owned()
    }

    /// Presses keys one after the other, wherever the focus is.
    pub(crate) fn press(&self, keys: &[&str]) {
        let actions = keys.iter().flat_map(|key| {
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        });
        let actions: Vec<Value> = actions.collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("/actions", json!({ "actions": [keyboard] }));
    }

    /// The browser's own way back.
    pub(crate) fn back(&self) {
        self.post("/back", json!({}));
    }

    /// Colours as somebody prefers them: `dark`.
    pub(crate) fn prefer(&self, scheme: &str) {
        let feature = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let command = json!({
            "cmd": "Emulation.setEmulatedMedia",
            "params": { "features": feature },
        });
        self.post("/goog/cdp/execute", command);
    }

    pub(crate) fn resize(&self, width: usize, height: usize) {
        self.post("/window/rect", json!({ "width": width, "height": height }));
    }

    /// The page on paper, as PDF.
    pub(crate) fn print(&self) -> Vec<u8> {
        bytes(&self.post("/print", json!({ "background": true })))
    }

    /// What the console complains of.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let told = self.post("/se/log", json!({ "type": "browser" }));
        let is_bad = |entry: &&Value| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING"));
        told.as_array().unwrap().iter().filter(is_bad).map(Value::to_string).collect()
    }

    /// Keeps a picture of the window, in the folder that `TOCTOU_SCREENSHOTS` names, if it names one.
    pub(crate) fn keep(&self, name: &str) {
        if let Some(folder) = std::env::var_os("TOCTOU_SCREENSHOTS") {
            let picture = bytes(&self.get("/screenshot"));
            std::fs::write(Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
        }
    }
}

fn bytes(told: &Value) -> Vec<u8> {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.decode(told.as_str().unwrap()).unwrap()
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.ask("DELETE", "", &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
