//! A real browser that nobody sees, driven over WebDriver. Without one tests are skipped, which they say.

#![allow(dead_code)] // no test needs all of it

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, WebDriver};
use tokio::runtime::Runtime;

/// Nothing takes that long, even on a busy machine.
const DEADLINE: Duration = Duration::from_mins(2);

/// Flags for a browser that needs no rights and asks no host of its own.
const QUIET: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
];

/// A browser for as long as a test needs it.
pub struct Browser {
    driver: Child,
    page: WebDriver,
    runtime: Runtime,
    _profile: TempDir,
}

impl Browser {
    /// The browser that is there. One that is needed has to be.
    pub fn start() -> Option<Self> {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
        let Ok(mut driver) = command.spawn() else {
            let needed = std::env::var("CASTLINE_NEED_BROWSER").is_ok_and(|need| need == "1");
            assert!(!needed, "there is no Chromium with its driver: run `.ci/debian chromium-driver`");
            eprintln!(
                "skipped: Chromium and its driver are not installed; `.ci/debian chromium-driver` does that"
            );
            return None;
        };
        let mut lines = BufReader::new(driver.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            line.split_once("successfully on port ").map(|(_, port)| port.trim_end_matches('.').to_owned())
        });
        let port = port.expect("the driver says where it is");
        // Its pipe must not be full.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = tempfile::tempdir().expect("a folder");
        let own = format!("--user-data-dir={}", profile.path().display());
        let mut wanted = DesiredCapabilities::chrome();
        for flag in QUIET.iter().copied().chain([own.as_str()]) {
            wanted.add_arg(flag).expect("a flag");
        }
        // The driver's client wants to know it, though loopback needs none.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Runtime::new().expect("a runtime");
        let page = runtime
            .block_on(WebDriver::new(format!("http://127.0.0.1:{port}"), wanted))
            .unwrap_or_else(|e| panic!("the browser does not start: {e}"));
        Some(Self { driver, page, runtime, _profile: profile })
    }

    /// Opens a page and waits until it is loaded.
    pub fn open(&self, address: &str) {
        self.runtime.block_on(self.page.goto(address)).expect("it opens");
    }

    /// The page as its scripts have made it.
    pub fn html(&self) -> String {
        self.runtime.block_on(self.page.source()).expect("the page")
    }

    /// What a function with this body returns, or promises, in the page.
    pub fn ask(&self, body: &str) -> Value {
        let script = format!("return (async () => {{ {body} }})()");
        let answer = self.runtime.block_on(self.page.execute(script, Vec::new()));
        answer.unwrap_or_else(|e| panic!("{e}:\n{body}")).json().clone()
    }

    /// Asks until there is an answer: neither null, false nor "".
    pub fn until(&self, what: &str, body: &str) -> Value {
        let began = Instant::now();
        while began.elapsed() < DEADLINE {
            let answer = self.ask(body);
            if !matches!(answer, Value::Null | Value::Bool(false)) && answer != "" {
                return answer;
            }
        }
        panic!("never: {what}\n{}", self.ask("return document.body.innerText"));
    }

    /// Presses a key, which goes to what has the focus.
    pub fn press(&self, key: char) {
        let pressed = self.page.action_chain().key_down(key).key_up(key);
        self.runtime.block_on(pressed.perform()).expect("pressed");
    }

    /// How large its window is. Pixels.
    pub fn resize(&self, width: u32, height: u32) {
        self.runtime.block_on(self.page.set_window_rect(0, 0, width, height)).expect("resized");
    }

    /// What is seen of the page now, as PNG.
    pub fn screenshot(&self) -> Vec<u8> {
        self.runtime.block_on(self.page.screenshot_as_png()).expect("a picture")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let closed = self.page.clone().quit();
        let _ = self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(5), closed).await });
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
