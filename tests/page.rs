//! The page of a run in a real browser. Without one the tests are skipped, which they say.

mod common;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{Folder, castline};

const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome"];

/// Flags for a browser that nobody sees, that needs no rights and asks no host of its own.
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
];

/// The browser that is there. One that is needed has to be.
fn browser() -> Option<&'static str> {
    let there = |name: &&&str| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    let found = BROWSERS.iter().find(there).copied();
    if found.is_none() {
        let needed = std::env::var("CASTLINE_NEED_BROWSER").is_ok_and(|need| need == "1");
        assert!(!needed, "there is no Chromium: run `.ci/debian chromium`");
        eprintln!("skipped: Chromium is not installed; `.ci/debian chromium` does that");
    }
    found
}

/// A browser that takes longer hangs, as it does at times on a busy machine, and is started again.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a page has become once its scripts ran.
fn opened(browser: &str, page: &Path, profile: &Path) -> String {
    let address = format!("file://{}", page.display());
    for attempt in 0..3 {
        let own = profile.with_extension(attempt.to_string());
        fs::create_dir_all(&own).expect("made");
        let to = |name: &str| File::create(own.join(name)).expect("created");
        let mut child = Command::new(browser)
            .args(QUIET)
            .arg(format!("--user-data-dir={}", own.join("profile").display()))
            .args(["--virtual-time-budget=10000", "--dump-dom", &address])
            .stdout(to("dom"))
            .stderr(to("said"))
            .spawn()
            .expect("the browser runs");
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = child.try_wait().expect("asked") {
                let said = fs::read_to_string(own.join("said")).unwrap_or_default();
                assert!(status.success(), "{said}");
                return fs::read_to_string(own.join("dom")).expect("UTF-8");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
    panic!("the browser hung three times");
}

fn run(folder: &Folder, arguments: &[&str]) {
    let output = castline(&folder.at(""), arguments).output().expect("castline runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Prompts that would be markup, an attribute, a script, or the end of what they stand in.
const FLOW: &str = r#"castline: 1
inputs:
  words:
    type: array
    items: { type: string }
    default:
      - A boat.
      - "</script><script>document.title='hacked'</script>"
      - "\" onerror=\"document.title='hacked'"
      - "<img src=x onerror=document.title='hacked'>"
steps:
  draw: { uses: flux-schnell, each: { word: "{{ inputs.words }}" }, with: { prompt: "{{ each.word }}" } }
  sheet: { uses: std/contact-sheet, from: draw.all }
"#;

#[test]
fn the_page_draws_every_leg_and_nothing_that_a_prompt_says() {
    let Some(browser) = browser() else { return };
    let folder = Folder::new();
    folder.write("castline.yaml", "castline: 1\n");
    folder.write("flow.yaml", FLOW);
    run(&folder, &["run", "flow.yaml"]);
    let page = folder.at("out/flow/report.html");
    let dom = opened(browser, &page, &folder.at("profile"));
    let (_, body) = dom.split_once("<body").expect("a body");
    assert!(dom.contains("<title>flow: succeeded</title>"), "the page's title is its own:\n{body}");
    assert!(!body.contains("id=\"plain\""), "the plain list has gone: the scripts ran to their end");
    let drawn = body.split("<script").next().expect("what is before the scripts");
    for leg in ["draw[word=A boat.]", "sheet"] {
        assert!(drawn.contains(&format!("data-leg=\"{leg}\"")), "{leg} is missing:\n{drawn}");
    }
    assert_eq!(drawn.matches("data-leg=\"draw[word=").count(), 4, "{drawn}");
    // Every picture that is drawn is a file, and says what it shows.
    let sources: Vec<_> = drawn.split(" src=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(sources.len() >= 5, "{sources:?}");
    for source in sources {
        let file = page.with_file_name(source.trim_start_matches("./").replace("%20", " "));
        let bytes = fs::read(&file).unwrap_or_else(|e| panic!("{source}: {e}"));
        assert!(image::guess_format(&bytes).is_ok(), "{source} is no picture");
    }
    assert_eq!(drawn.matches("<img ").count(), drawn.matches(" alt=\"").count(), "{drawn}");
}

#[test]
fn an_embedded_page_stands_alone() {
    let Some(browser) = browser() else { return };
    let folder = Folder::new();
    folder.write("castline.yaml", "castline: 1\n");
    folder.write("flow.yaml", FLOW);
    run(&folder, &["run", "flow.yaml", "--embed"]);
    fs::rename(folder.at("out/flow/report.html"), folder.at("alone.html")).expect("moved");
    let dom = opened(browser, &folder.at("alone.html"), &folder.at("profile"));
    let drawn =
        dom.split_once("<body").expect("a body").1.split("<script").next().expect("before the scripts");
    let sources: Vec<_> = drawn.split(" src=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(sources.len() >= 5, "{sources:?}");
    assert!(sources.iter().all(|source| source.starts_with("data:image/")), "{drawn:.2000}");
}
