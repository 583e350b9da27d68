//! The page of a run in a real browser. Without one the tests are skipped, which they say.

#[path = "common/browser.rs"]
mod browser;
mod common;

use std::fs;
use std::path::Path;

use browser::Browser;
use common::{Folder, castline};

/// What a page has become once its scripts ran.
fn opened(browser: &Browser, page: &Path) -> String {
    browser.open(&format!("file://{}", page.display()));
    browser.html()
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
    let Some(browser) = Browser::start() else { return };
    let folder = Folder::new();
    folder.write("castline.yaml", "castline: 1\n");
    folder.write("flow.yaml", FLOW);
    run(&folder, &["run", "flow.yaml"]);
    let page = folder.at("out/flow/report.html");
    let dom = opened(&browser, &page);
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
    let Some(browser) = Browser::start() else { return };
    let folder = Folder::new();
    folder.write("castline.yaml", "castline: 1\n");
    folder.write("flow.yaml", FLOW);
    run(&folder, &["run", "flow.yaml", "--embed"]);
    fs::rename(folder.at("out/flow/report.html"), folder.at("alone.html")).expect("moved");
    let dom = opened(&browser, &folder.at("alone.html"));
    let drawn =
        dom.split_once("<body").expect("a body").1.split("<script").next().expect("before the scripts");
    let sources: Vec<_> = drawn.split(" src=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(sources.len() >= 5, "{sources:?}");
    assert!(sources.iter().all(|source| source.starts_with("data:image/")), "{drawn:.2000}");
}
