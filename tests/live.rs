//! The page that is served while castline watches or runs, in a real browser: what is seen there are the
//! pictures that were made, and other ones after an edit.

#[path = "common/browser.rs"]
mod browser;
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use browser::Browser;
use common::server::Server;
use common::watching::{DEADLINE, Watch, command};
use common::{Folder, opener};

/// A browser, and a workflow on a server of loopback, for which money would be paid.
struct Stage {
    browser: Browser,
    server: Server,
    folder: Folder,
    /// What takes the place of what opens pages.
    path: String,
    /// What it was asked to open, line by line.
    opened: PathBuf,
}

impl Stage {
    /// None where there is no browser.
    fn with(workflow: &str) -> Option<Self> {
        let browser = Browser::start()?;
        let server = Server::start(&[]);
        let folder = Folder::new();
        let url = server.base_url();
        folder.write("castline.yaml", &format!("provider: local\nproviders:\n  local: {{ kind: replicate, base_url: \"{url}\", token_env: LOCAL_TOKEN, rate: {{ create: 100000/min, read: 100000/min }} }}\n"));
        let (path, opened) = opener(&folder);
        let stage = Self { browser, server, folder, path, opened };
        stage.edit(workflow);
        Some(stage)
    }

    fn edit(&self, workflow: &str) {
        self.folder.write("flow.yaml", workflow);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(&self.folder.at("."), arguments);
        command.env("PATH", &self.path);
        command
    }

    /// A watch, and the address of its page.
    fn watch(&self, flags: &[&str]) -> (Watch, String) {
        let arguments = [&["watch", "--json", "flow.yaml", "--open"], flags].concat();
        let mut watch = Watch::spawn(self.command(&arguments));
        let watching = watch.event("watching");
        (watch, watching["pages"]["flow.yaml"].as_str().expect("an address").to_owned())
    }

    /// A run that its server holds up, seen in the browser.
    fn held_run(&self) -> Child {
        self.server.pause();
        let child = self.run().spawn().expect("castline runs");
        self.browser.open(first_line(&self.opened).trim());
        self.until_it_is("running");
        child
    }

    fn run(&self) -> Command {
        self.command(&["run", "flow.yaml", "--yes", "--open"])
    }

    /// Waits for what the page says of the run.
    fn until_it_is(&self, word: &str) {
        let says = format!("return document.querySelector('[data-part=status]').innerText === '{word}'");
        self.browser.until(&format!("that it is {word}"), &says);
    }

    /// The same picture is on the card of the boat and in its file.
    fn assert_shown(&self, seen: &[u8]) {
        assert_same(seen, &colors_of(&self.folder.at("out/flow/boat.webp")));
    }
}

fn workflow(boat: &str) -> String {
    format!(
        "name: flow\nsteps:\n  boat:\n    uses: flux-schnell\n    with: {{ prompt: \"{boat}\", megapixels: \"0.25\" }}\n    save: boat\n  house:\n    uses: flux-schnell\n    with: {{ prompt: \"a house\", megapixels: \"0.25\" }}\noutputs:\n  boat: \"{{{{ steps.boat.output }}}}\"\n"
    )
}

/// What was written into a file, once a line of it is whole.
fn first_line(file: &Path) -> String {
    let began = Instant::now();
    while began.elapsed() < DEADLINE {
        match fs::read_to_string(file) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    panic!("nothing was opened");
}

/// The picture on the card of a leg, in 8 by 8 colors, once it is loaded and is another one than `but`.
fn seen(browser: &Browser, leg: &str, but: &str) -> (String, Vec<u8>) {
    let body = format!(
        "const image = document.querySelector('.steps [data-leg=\"{leg}\"] img');
         if (!image?.complete || !image.naturalWidth || image.src === '{but}') return null;
         const canvas = Object.assign(document.createElement('canvas'), {{ width: image.naturalWidth, height: image.naturalHeight }});
         const context = canvas.getContext('2d');
         context.drawImage(image, 0, 0);
         const colors = [];
         for (let y = 0; y < 8; y += 1) for (let x = 0; x < 8; x += 1) {{
           const at = [(x + 0.5) * canvas.width / 8, (y + 0.5) * canvas.height / 8].map(Math.floor);
           colors.push(...context.getImageData(...at, 1, 1).data.slice(0, 3));
         }}
         return [image.src, colors];"
    );
    let answer = browser.until(&format!("a picture of {leg}"), &body);
    let colors = answer[1].as_array().expect("a list").iter();
    let colors =
        colors.map(|color| u8::try_from(color.as_u64().expect("a color")).expect("a byte")).collect();
    (answer[0].as_str().expect("an address").to_owned(), colors)
}

/// The same of a file.
fn colors_of(file: &Path) -> Vec<u8> {
    let picture = image::open(file).unwrap_or_else(|e| panic!("{}: {e}", file.display())).to_rgb8();
    let at = |n: u32, size: u32| (2 * n + 1) * size / 16;
    let place = |n: u32| (at(n % 8, picture.width()), at(n / 8, picture.height()));
    (0..64).flat_map(|n| picture.get_pixel(place(n).0, place(n).1).0).collect()
}

/// Decoders may round in other ways.
fn assert_same(seen: &[u8], made: &[u8]) {
    let most = seen.iter().zip(made).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(seen.len() == made.len() && most <= Some(12), "another picture:\n{seen:?}\n{made:?}");
}

#[test]
fn after_an_edit_the_page_shows_another_picture_beside_the_one_before() {
    let Some(stage) = Stage::with(&workflow("a boat at dawn")) else { return };
    let browser = &stage.browser;
    let (mut watch, url) = stage.watch(&["--auto-spend", "1"]);
    watch.done();
    browser.open(&url);
    let (first, dawn) = seen(browser, "boat", "");
    stage.assert_shown(&dawn);
    let (house, _) = seen(browser, "house", "");

    stage.edit(&workflow("a boat at night"));
    watch.done();
    let (second, night) = seen(browser, "boat", &first);
    stage.assert_shown(&night);
    assert_ne!(dawn, night, "it is another picture, and not only another address");
    assert_eq!(seen(browser, "house", "").0, house, "what is not concerned stays");
    browser.until("what changed", "return document.body.innerText.includes('boat: prompt changed')");

    // The leg, opened: before and after are both there, and are those two.
    browser.ask("document.querySelector('.steps [data-leg=boat] .open').click()");
    let both = "const sources = [...document.querySelectorAll('dialog[open] img')].map((image) => image.src);
                return sources.length > 1 && sources";
    let both = browser.until("before and after", both);
    browser.until(
        "why it ran",
        "return document.querySelector('dialog[open]').innerText.includes('prompt changed')",
    );
    let both: Vec<_> = both.as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(both.contains(&first.as_str()) && both.contains(&second.as_str()), "{both:?}");

    // A mistake is shown with its place, and what was there stays.
    stage.edit(&workflow("a boat at night").replace("megapixels", "megapixel"));
    watch.event("broken");
    browser.until(
        "the mistake",
        "return document.querySelector('.diagnostic')?.innerText.includes('megapixel')",
    );
    assert_eq!(seen(browser, "boat", "").0, second);
    stage.edit(&workflow("a boat at night"));
    watch.event("repaired");
    browser.until("no mistake", "return !document.querySelector('.diagnostic')");

    watch.end();
    browser.until("the end", "return document.body.innerText.includes('castline has ended')");
    assert_eq!(fs::read_to_string(&stage.opened).expect("something was opened").trim(), url);
}

#[test]
fn a_plan_that_costs_waits_on_the_page_until_somebody_agrees() {
    let Some(stage) = Stage::with(&workflow("a boat")) else { return };
    let browser = &stage.browser;
    let (watch, url) = stage.watch(&[]);
    browser.open(&url);
    browser.until(
        "that it waits",
        "return document.querySelector('[data-watch=waiting]')?.innerText.includes('USD')",
    );
    let held = "const cards = [...document.querySelectorAll('.steps [data-leg]')];
                return cards.length === 2 && cards.every((card) => card.innerText.includes('waits for Enter'))";
    browser.until("legs that wait", held);
    // What no plan has any more is gone.
    stage.edit(&workflow("a boat").replace("  house:", "  ship:"));
    let names =
        "const cards = [...document.querySelectorAll('.steps [data-leg]')].map((card) => card.dataset.leg);
                 return cards.includes('ship') && cards.join()";
    assert_eq!(browser.until("another leg", names), "boat,ship");
    // A window of a telephone has no need to be scrolled sideways, whatever is found.
    browser.resize(500, 800);
    let fits = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";
    assert_eq!(browser.ask(fits), true);
    assert_eq!(stage.server.creates(), 0);
    watch.end();
}

#[test]
fn a_run_is_seen_while_it_goes_on_and_stays_when_castline_is_gone() {
    let Some(stage) = Stage::with(&workflow("a boat")) else { return };
    let mut child = stage.held_run();
    stage.server.goes_on();
    assert!(child.wait().expect("ends").success());
    stage.browser.until("the end", "return document.body.innerText.includes('castline has ended')");
    stage.assert_shown(&seen(&stage.browser, "boat", "").1);
    stage.until_it_is("succeeded");
    let opened = first_line(&stage.opened);
    assert_eq!(opened.lines().count(), 1, "only the page: {opened}");

    // What is reused is over before anybody could look: its report is opened.
    fs::remove_file(&stage.opened).expect("removed");
    assert!(stage.run().status().expect("castline runs").success());
    let text = first_line(&stage.opened);
    assert!(text.trim().ends_with("report.html") && !text.starts_with("http"), "{text}");
}

#[test]
fn whoever_has_left_the_page_gets_the_report() {
    let Some(stage) = Stage::with(&workflow("a boat")) else { return };
    let mut child = stage.held_run();
    stage.browser.open("about:blank");
    stage.server.goes_on();
    assert!(child.wait().expect("ends").success());
    // What opens pages may be a moment behind.
    let began = Instant::now();
    while first_line(&stage.opened).lines().count() < 2 {
        assert!(began.elapsed() < DEADLINE, "no report is opened");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(first_line(&stage.opened).trim().ends_with("report.html"));
}

/// How long a picture takes from the end of its prediction until it is in the page and decoded is told
/// and not asserted: it says nothing about a machine that does something else.
#[test]
fn each_of_many_edits_brings_its_picture_to_the_page() {
    const EDITS: usize = 20;
    let Some(stage) = Stage::with(&workflow("boat 0")) else { return };
    let browser = &stage.browser;
    let (mut watch, url) = stage.watch(&["--auto-spend", "1"]);
    watch.done();
    browser.open(&url);
    let (mut before, _) = seen(browser, "boat", "");
    browser.ask(
        "new MutationObserver(async () => {
           const image = document.querySelector('.steps [data-leg=boat] img');
           if (!image || image.src === window.last) return;
           window.last = image.src;
           await image.decode();
           window.drawn = { src: image.src, at: Date.now() };
         }).observe(document.querySelector('.steps'), { subtree: true, childList: true, attributes: true });",
    );
    let edit = |edit: usize| {
        stage.edit(&workflow(&format!("boat {edit}")));
        let is_made = |event: &Value| {
            event["event"]["type"] == "leg-succeeded" && event["event"]["leg"]["name"] == "boat"
        };
        let made = watch.until("a boat", is_made)["event"]["at"].clone();
        let made: jiff::Timestamp = made.as_str().expect("a time").parse().expect("a time");
        let is_drawn = format!("return window.drawn && window.drawn.src !== '{before}' && window.drawn");
        let drawn = browser.until("its picture", &is_drawn);
        watch.done();
        let (source, colors) = seen(browser, "boat", &before);
        assert_eq!(drawn["src"], source);
        stage.assert_shown(&colors);
        before = source;
        drawn["at"].as_i64().expect("a time") - made.as_millisecond()
    };
    let mut took: Vec<i64> = (1..=EDITS).map(edit).collect();
    took.sort_unstable();
    eprintln!("from output to page: median {} ms, most {} ms", took[EDITS / 2], took[EDITS - 1]);
    watch.end();
}
