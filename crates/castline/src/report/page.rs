//! The page: a run for browsers.
//!
//! As `report.html` it is one static file beside the outputs. Pictures are linked relatively, or are
//! inside it with `--embed`, and nothing comes from the network. What it knows is one JSON document,
//! the *state*; its scripts draw that, and without scripts there is a plain list of the same.
//!
//! Start reading at [`write()`]; what the browser does stands in `page/front/`, with a README.

mod board;
mod media;
mod plain;
mod state;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use castline_core::Digest;
use castline_core::record::RunRecord;
use castline_runner::{Project, disk};

use super::files::Places;
use media::Shelf;
use plain::escape;
use state::State;

pub(crate) use board::Board;
pub(crate) use state::Other;

const FRAME: &str = include_str!("page/front/page.html");
const STYLE: &str = include_str!("page/front/page.css");

/// One module, in this order.
const SCRIPTS: &[&str] = &[
    include_str!("page/front/dom.js"),
    include_str!("page/front/words.js"),
    include_str!("page/front/state.js"),
    include_str!("page/front/media.js"),
    include_str!("page/front/card.js"),
    include_str!("page/front/filter.js"),
    include_str!("page/front/grid.js"),
    include_str!("page/front/graph.js"),
    include_str!("page/front/long.js"),
    include_str!("page/front/steps.js"),
    include_str!("page/front/compare.js"),
    include_str!("page/front/sheet.js"),
    include_str!("page/front/detail.js"),
    include_str!("page/front/head.js"),
    include_str!("page/front/keys.js"),
    include_str!("page/front/live.js"),
    include_str!("page/front/main.js"),
];

/// The page's one script.
static SCRIPT: LazyLock<String> = LazyLock::new(|| SCRIPTS.join("\n"));

/// Writes the page of a former run. What was saved for it may be another file by now: only
/// what still is what it was is shown from there, the rest from the store.
pub(crate) fn write_former(
    record: &RunRecord,
    project: &Project,
    file: &Path,
    embed: bool,
) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let shelf = Shelf::new(Places::former(project, record), folder, embed, record);
    put(&page_of(record, &shelf), file)
}

/// Writes the page into a folder, and says where it is.
pub(crate) fn write(
    record: &RunRecord,
    project: &Project,
    folder: &Path,
    embed: bool,
) -> io::Result<PathBuf> {
    let path = folder.join("report.html");
    put(&render(record, project, folder, embed), &path)?;
    Ok(path)
}

/// Writes a page in one step.
fn put(text: &str, path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    disk::replace(path, |file| file.write_all(text.as_bytes()))
}

/// The page as text. `folder` is where it will be; with `embed` it needs no other file.
fn render(record: &RunRecord, project: &Project, folder: &Path, embed: bool) -> String {
    page_of(record, &Shelf::new(Places::new(project, record), folder, embed, record))
}

fn page_of(record: &RunRecord, shelf: &Shelf) -> String {
    let plain = plain::draw(record, shelf);
    let state = serde_json::to_string(&State::of(record, shelf)).expect("it is plain data");
    let policy = policy("'none'");
    join(&Parts { title: &record.workflow, plain: &plain, state: &state, policy: &policy })
}

/// What is another one in each page.
struct Parts<'a> {
    /// Text.
    title: &'a str,
    /// Markup.
    plain: &'a str,
    /// JSON.
    state: &'a str,
    /// See [`policy`].
    policy: &'a str,
}

/// Puts a page together. Each mark of the frame is met once: what is put in may hold others.
fn join(parts: &Parts<'_>) -> String {
    let mut page = String::with_capacity(
        FRAME.len() + STYLE.len() + SCRIPT.len() + parts.plain.len() + parts.state.len(),
    );
    for (n, part) in FRAME.split('@').enumerate() {
        match (n % 2, part) {
            (1, "generator") => page.push_str(concat!("castline ", env!("CARGO_PKG_VERSION"))),
            (1, "policy") => page.push_str(parts.policy),
            (1, "title") => page.push_str(&escape(parts.title)),
            (1, "style") => page.push_str(STYLE),
            (1, "script") => page.push_str(&SCRIPT),
            (1, "plain") => page.push_str(parts.plain),
            // It stands in an element that such a sign could end.
            (1, "state") => page.push_str(&parts.state.replace('<', "\\u003c")),
            _ => page.push_str(part),
        }
    }
    page
}

/// What the browser lets the page do: nothing but what it has. `connect` is whom it may listen to.
fn policy(connect: &str) -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Digest::of(text.as_bytes()).as_bytes()));
    format!(
        "default-src 'none'; script-src {}; style-src {}; img-src 'self' data: file:; \
         media-src 'self' data: file:; connect-src {connect}; base-uri 'none'; form-action 'none'",
        hash(&SCRIPT),
        hash(STYLE)
    )
}

#[cfg(test)]
mod tests;
