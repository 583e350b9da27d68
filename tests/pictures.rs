//! The pictures of the documentation, made from the real thing: the report of a run, the page of a watch
//! after an edit, and the terminal beside it. Each is looked at in a browser, so that it is known to show
//! something; `CASTLINE_ACCEPT=1` puts them into `docs/images`, except in CI.
#![cfg(unix)]

#[path = "common/browser.rs"]
mod browser;
mod common;

use std::collections::HashSet;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::DynamicImage;
use image::codecs::jpeg::JpegEncoder;

use browser::Browser;
use common::terminal::Terminal;
use common::watching::Watch;
use common::{Folder, accepts, castline, opener};

/// A project with the example that everybody sees first.
fn project() -> Folder {
    let folder = Folder::new();
    folder.write("castline.yaml", "castline: 1\n");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../workflows/paper-boat.yaml");
    folder.write("paper-boat.yaml", &fs::read_to_string(example).expect("readable"));
    folder
}

/// Another prompt for one of three.
fn edit(folder: &Folder) {
    let text = folder.read("paper-boat.yaml");
    folder.write("paper-boat.yaml", &text.replace("linocut", "woodcut in blue ink"));
}

/// A picture of the documentation. What is only of one color, or nearly so, shows nothing.
fn keep(browser: &Browser, name: &str) {
    let png = browser.screenshot();
    let picture = image::load_from_memory(&png).expect("a picture").to_rgb8();
    let colors: HashSet<_> = picture.pixels().map(|pixel| pixel.0.map(|part| part / 16)).collect();
    assert!(colors.len() > 12, "{name} shows nothing: {} colors", colors.len());
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture)
        .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, 85))
        .expect("a JPEG");
    put(name, bytes.into_inner());
}

fn put(name: &str, bytes: Vec<u8>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/images").join(name);
    if accepts() {
        fs::write(&file, bytes).expect("written");
    }
    assert!(file.is_file(), "{} is missing: run this test with CASTLINE_ACCEPT=1", file.display());
}

/// The same on every machine, so what is shown is what castline draws.
#[test]
fn the_contact_sheet_of_the_readme() {
    let folder = project();
    let run = castline(&folder.at("."), &["run", "--no-provenance"]).output().expect("castline runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let drawn = fs::read(folder.at("out/paper-boat/sheet.png")).expect("a sheet");
    let pixels = |png: &[u8]| image::load_from_memory(png).expect("a picture").to_rgba8();
    let sheet = pixels(&drawn);
    put("paper-boat.png", drawn);
    let shown = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/images/paper-boat.png");
    let same = sheet == pixels(&fs::read(shown).expect("readable"));
    assert!(same, "docs/images/paper-boat.png is old: run this test with CASTLINE_ACCEPT=1");
}

#[test]
fn the_report_of_a_run() {
    let Some(browser) = Browser::start() else { return };
    let folder = project();
    assert!(castline(&folder.at("."), &["run"]).output().expect("castline runs").status.success());
    browser.resize(1200, 1180);
    browser.open(&format!("file://{}", folder.at("out/paper-boat/report.html").display()));
    browser.until("every picture", LOADED);
    keep(&browser, "page.jpg");
}

/// All pictures in the page are there.
const LOADED: &str = "const images = [...document.images];
    // A browser paints a page before its pictures are decoded, unless it is told not to.
    images.forEach((image) => image.decoding = 'sync');
    await Promise.all(images.map((image) => image.decode().catch(() => {})));
    for (let frames = 0; frames < 3; frames += 1) await new Promise(requestAnimationFrame);
    return images.length > 4 && images.every((image) => image.complete && image.naturalWidth > 0)";

#[test]
fn the_page_of_a_watch_after_an_edit() {
    let Some(browser) = Browser::start() else { return };
    let folder = project();
    let (path, _) = opener(&folder);
    let mut started = castline(&folder.at("."), &["watch", "--json", "--open"]);
    started.env("PATH", path);
    let mut watch = Watch::spawn(started);
    let pages = watch.event("watching")["pages"].clone();
    let url = pages["paper-boat.yaml"].as_str().unwrap_or_else(|| panic!("{pages}")).to_owned();
    watch.done();
    browser.resize(1200, 1000);
    browser.open(&url);
    browser.until("every picture", LOADED);
    let text = folder.read("paper-boat.yaml");
    folder
        .write("paper-boat.yaml", &text.replace("Keep the composition.", "Keep the composition, at night."));
    watch.done();
    browser.until(
        "the edit",
        "return document.querySelector('[data-watch=idle]')?.innerText.includes('prompt changed')",
    );
    browser.ask("document.querySelector('.steps [data-leg*=linocut] .open').click()");
    browser.until("before and after", "return document.querySelectorAll('dialog[open] img').length > 1");
    browser.until("every picture", LOADED);
    keep(&browser, "watch-page.jpg");
    watch.end();
}

#[test]
fn the_terminal_of_a_watch_after_an_edit() {
    let Some(browser) = Browser::start() else { return };
    let folder = project();
    let mut command = castline(&folder.at("."), &["watch"]);
    command.env_remove("NO_COLOR");
    let mut terminal = Terminal::start(&mut command);
    terminal.until("done in");
    edit(&folder);
    terminal.until("reused; nothing to pay");
    let picture = drawn(&terminal);
    terminal.press("q");
    assert_eq!(terminal.ends(), Some(0));
    let file: PathBuf = folder.at("terminal.svg");
    fs::write(&file, &picture).expect("written");
    browser.resize(800, 600);
    browser.open(&format!("file://{}", file.display()));
    browser.until("text", "return document.querySelectorAll('text').length > 10");
    put("watch.svg", picture.into_bytes());
}

/// Pixels of a character, and of its line.
const CELL: (f64, f64) = (8.4, 18.0);

/// A terminal as a drawing.
fn drawn(terminal: &Terminal) -> String {
    use std::fmt::Write as _;
    let parser = terminal.screen.lock().expect("whole");
    let screen = parser.screen();
    let (rows, columns) = (screen.size().0.get(), screen.size().1.get());
    let used = (0..rows).rev().find(|row| !line(screen, *row, columns).is_empty()).map_or(0, |row| row + 1);
    let (width, height) = (f64::from(columns) * CELL.0 + 32.0, f64::from(used) * CELL.1 + 28.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace\" font-size=\"14\">\n\
         <title>castline watch on a terminal, after an edit</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1d1f23\"/>\n"
    );
    for row in 0..used {
        let y = 14.0 + f64::from(row + 1) * CELL.1 - 5.0;
        for (column, look, text) in line(screen, row, columns) {
            let x = 16.0 + f64::from(column) * CELL.0;
            let long = f64::from(u16::try_from(text.chars().count()).expect("short")) * CELL.0;
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            writeln!(svg, "<text x=\"{x:.1}\" y=\"{y}\" textLength=\"{long:.1}\" xml:space=\"preserve\" {look}>{text}</text>").expect("a text");
        }
    }
    svg + "</svg>\n"
}

/// The parts of a line that look alike: where they begin, how they look, what they say.
fn line(screen: &vt100::Screen, row: u16, columns: u16) -> Vec<(u16, String, String)> {
    let mut parts: Vec<(u16, String, String)> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(row, column) else { continue };
        let (look, text) = (look(cell), if cell.has_contents() { cell.contents() } else { " " });
        match parts.last_mut() {
            Some((_, last, said)) if *last == look => said.push_str(text),
            _ => parts.push((column, look, text.to_owned())),
        }
    }
    parts.iter_mut().for_each(|(_, _, text)| text.truncate(text.trim_end().len()));
    parts.retain(|(_, _, text)| !text.is_empty());
    parts
}

fn look(cell: &vt100::Cell) -> String {
    let fill = match cell.fgcolor() {
        vt100::Color::Idx(1 | 9) => "#f2777a",
        vt100::Color::Idx(2 | 10) => "#8fc77f",
        vt100::Color::Idx(3 | 11) => "#e8c46b",
        vt100::Color::Idx(4 | 6 | 12 | 14) => "#7fb6e8",
        _ => "#d8d8d8",
    };
    let dim = if cell.dim() { " opacity=\"0.6\"" } else { "" };
    let bold = if cell.bold() { " font-weight=\"bold\"" } else { "" };
    format!("fill=\"{fill}\"{dim}{bold}")
}
