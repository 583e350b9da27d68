//! The page that is served while castline watches or runs, in a real browser: what is seen there are the
//! pictures that were made, and other ones after an edit.

#[path = "common/browser.rs"]
mod browser;
mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use browser::Browser;
use common::server::Server;
use common::watching::{DEADLINE, Watch, command};
use common::{Folder, opener};

/// A project on a server of loopback, for which money would be paid.
fn project(server: &Server) -> Folder {
    let folder = Folder::new();
    let url = server.base_url();
    folder.write("castline.yaml", &format!("provider: local\nproviders:\n  local: {{ kind: replicate, base_url: \"{url}\", token_env: LOCAL_TOKEN, rate: {{ create: 100000/min, read: 100000/min }} }}\n"));
    folder
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
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(&[]);
    let folder = project(&server);
    folder.write("flow.yaml", &workflow("a boat at dawn"));
    let (path, opened) = opener(&folder);
    let mut started =
        command(&folder.at("."), &["watch", "--json", "flow.yaml", "--auto-spend", "1", "--open"]);
    started.env("PATH", path);
    let mut watch = Watch::spawn(started);
    let watching = watch.event("watching");
    let url = watching["pages"]["flow.yaml"].as_str().expect("an address").to_owned();
    watch.done();
    browser.open(&url);
    let (first, dawn) = seen(&browser, "boat", "");
    assert_same(&dawn, &colors_of(&folder.at("out/flow/boat.webp")));
    let (house, _) = seen(&browser, "house", "");

    folder.write("flow.yaml", &workflow("a boat at night"));
    watch.done();
    let (second, night) = seen(&browser, "boat", &first);
    assert_same(&night, &colors_of(&folder.at("out/flow/boat.webp")));
    assert_ne!(dawn, night, "it is another picture, and not only another address");
    assert_eq!(seen(&browser, "house", "").0, house, "what is not concerned stays");
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
    folder.write("flow.yaml", &workflow("a boat at night").replace("megapixels", "megapixel"));
    watch.event("broken");
    browser.until(
        "the mistake",
        "return document.querySelector('.diagnostic')?.innerText.includes('megapixel')",
    );
    assert_eq!(seen(&browser, "boat", "").0, second);
    folder.write("flow.yaml", &workflow("a boat at night"));
    watch.event("repaired");
    browser.until("no mistake", "return !document.querySelector('.diagnostic')");

    watch.end();
    browser.until("the end", "return document.body.innerText.includes('castline has ended')");
    assert_eq!(fs::read_to_string(opened).expect("something was opened").trim(), url);
}

#[test]
fn a_plan_that_costs_waits_on_the_page_until_somebody_agrees() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(&[]);
    let folder = project(&server);
    folder.write("flow.yaml", &workflow("a boat"));
    let (path, _) = opener(&folder);
    let mut started = command(&folder.at("."), &["watch", "--json", "flow.yaml", "--open"]);
    started.env("PATH", path);
    let mut watch = Watch::spawn(started);
    let url = watch.event("watching")["pages"]["flow.yaml"].as_str().expect("an address").to_owned();
    browser.open(&url);
    browser.until(
        "that it waits",
        "return document.querySelector('[data-watch=waiting]')?.innerText.includes('USD')",
    );
    let held = "const cards = [...document.querySelectorAll('.steps [data-leg]')];
                return cards.length === 2 && cards.every((card) => card.innerText.includes('waits for Enter'))";
    browser.until("legs that wait", held);
    // What no plan has any more is gone.
    let two = workflow("a boat").replace("  house:", "  ship:");
    folder.write("flow.yaml", &two);
    let names =
        "const cards = [...document.querySelectorAll('.steps [data-leg]')].map((card) => card.dataset.leg);
                 return cards.includes('ship') && cards.join()";
    assert_eq!(browser.until("another leg", names), "boat,ship");
    // A window of a telephone has no need to be scrolled sideways, whatever is found.
    browser.resize(500, 800);
    let fits = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth";
    assert_eq!(browser.ask(fits), true);
    assert_eq!(server.creates(), 0);
    watch.end();
}

#[test]
fn a_run_is_seen_while_it_goes_on_and_stays_when_castline_is_gone() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(&[]);
    let folder = project(&server);
    folder.write("flow.yaml", &workflow("a boat"));
    let (path, opened) = opener(&folder);
    server.pause();
    let mut started = command(&folder.at("."), &["run", "flow.yaml", "--yes", "--open"]);
    let mut child = started.env("PATH", path).spawn().expect("castline runs");
    let url = first_line(&opened);
    browser.open(url.trim());
    browser
        .until("that it runs", "return document.querySelector('[data-part=status]').innerText === 'running'");
    server.goes_on();
    assert!(child.wait().expect("ends").success());
    browser.until("the end", "return document.body.innerText.includes('castline has ended')");
    let (_, boat) = seen(&browser, "boat", "");
    assert_same(&boat, &colors_of(&folder.at("out/flow/boat.webp")));
    browser.until(
        "how it ended",
        "return document.querySelector('[data-part=status]').innerText === 'succeeded'",
    );
    assert_eq!(url.lines().count(), 1, "only the page: {url}");

    // What is reused is over before anybody could look: its report is opened.
    let (path, opened) = opener(&folder);
    fs::remove_file(&opened).expect("removed");
    let mut again = command(&folder.at("."), &["run", "flow.yaml", "--yes", "--open"]);
    assert!(again.env("PATH", path).status().expect("castline runs").success());
    let text = first_line(&opened);
    assert!(text.trim().ends_with("report.html") && !text.starts_with("http"), "{text}");
}

#[test]
fn whoever_has_left_the_page_gets_the_report() {
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(&[]);
    let folder = project(&server);
    folder.write("flow.yaml", &workflow("a boat"));
    let (path, opened) = opener(&folder);
    server.pause();
    let mut started = command(&folder.at("."), &["run", "flow.yaml", "--yes", "--open"]);
    let mut child = started.env("PATH", path).spawn().expect("castline runs");
    browser.open(first_line(&opened).trim());
    browser
        .until("that it runs", "return document.querySelector('[data-part=status]').innerText === 'running'");
    browser.open("about:blank");
    server.goes_on();
    assert!(child.wait().expect("ends").success());
    // What opens pages may be a moment behind.
    let began = Instant::now();
    while first_line(&opened).lines().count() < 2 {
        assert!(began.elapsed() < DEADLINE, "no report is opened");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(first_line(&opened).trim().ends_with("report.html"));
}

/// Milliseconds from the end of a prediction until its picture is in the page and decoded. Not asserted:
/// `cargo test --profile profiling -p castline --test live -- --ignored --nocapture` prints it.
#[test]
#[ignore = "it measures, and tells nothing about a machine that does something else"]
fn how_long_a_picture_takes_to_the_page() {
    const EDITS: usize = 20;
    let Some(browser) = Browser::start() else { return };
    let server = Server::start(&[]);
    let folder = project(&server);
    folder.write("flow.yaml", &workflow("boat 0"));
    let (path, _) = opener(&folder);
    let mut started =
        command(&folder.at("."), &["watch", "--json", "flow.yaml", "--auto-spend", "1", "--open"]);
    started.env("PATH", path);
    let mut watch = Watch::spawn(started);
    let url = watch.event("watching")["pages"]["flow.yaml"].as_str().expect("an address").to_owned();
    watch.done();
    browser.open(&url);
    let (mut before, _) = seen(&browser, "boat", "");
    browser.ask(
        "new MutationObserver(async () => {
           const image = document.querySelector('.steps [data-leg=boat] img');
           if (!image || image.src === window.last) return;
           window.last = image.src;
           await image.decode();
           window.drawn = { src: image.src, at: Date.now() };
         }).observe(document.querySelector('.steps'), { subtree: true, childList: true, attributes: true });",
    );
    let mut took: Vec<i64> = (1..=EDITS)
        .map(|edit| {
            folder.write("flow.yaml", &workflow(&format!("boat {edit}")));
            let is_made = |event: &Value| {
                event["event"]["type"] == "leg-succeeded" && event["event"]["leg"]["name"] == "boat"
            };
            let made = watch.until("a boat", is_made)["event"]["at"].clone();
            let made: jiff::Timestamp = made.as_str().expect("a time").parse().expect("a time");
            let is_drawn = format!("return window.drawn && window.drawn.src !== '{before}' && window.drawn");
            let drawn = browser.until("its picture", &is_drawn);
            before = drawn["src"].as_str().expect("an address").to_owned();
            watch.done();
            drawn["at"].as_i64().expect("a time") - made.as_millisecond()
        })
        .collect();
    took.sort_unstable();
    eprintln!("from output to page: median {} ms, most {} ms", took[EDITS / 2], took[EDITS - 1]);
    watch.end();
}
