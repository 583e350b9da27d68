//! `castline preset new` and `castline preset import`: a preset that was not there before.

use std::fmt::Write as _;
use std::path::Path;

use castline_runner::{Project, Trouble, presets, shown};
use serde_json::{Map, Value as Json};

use crate::cli;
use crate::commands::{small_runtime, word};
use crate::report::plan::counted;
use crate::screen::{self, BOLD, DIM, printable};

/// Writes a preset to begin with, and says what to type next.
pub(super) fn new(project: &Project, flags: &cli::PresetNew) -> Result<(), Trouble> {
    let begun = presets::new(project, &flags.wish())?;
    let Some(file) = &begun.file else { return screen::data(&begun.text) };
    screen::say(&format!("{DIM}wrote{DIM:#} {}", printable(&shown(file))));
    screen::say(&next(project, &begun.name, file, Some(&begun.example)));
    Ok(())
}

/// Makes a preset of what a host says, and names what is to be looked at.
pub(super) fn import(project: &Project, flags: &cli::PresetImport) -> Result<(), Trouble> {
    let imported = small_runtime()?.block_on(presets::import(project, &flags.wish()))?;
    if imported.file.is_none() {
        screen::data(&imported.text)?;
    }
    let what = imported.file.as_ref().map_or_else(|| imported.name.clone(), |file| shown(file));
    let head =
        format!("{what}: {}, {} to look at", counted(imported.inputs, "input"), imported.reviews.len());
    let word = if imported.file.is_some() { "wrote " } else { "" };
    let mut text = format!("{DIM}{word}{DIM:#}{}", printable(&head));
    for (line, remark) in &imported.reviews {
        let _ = write!(text, "\n  {DIM}{line:>4}{DIM:#}  {}", printable(remark));
    }
    screen::say(&text);
    let Some(file) = &imported.file else { return Ok(()) };
    screen::say(&next(project, &imported.name, file, imported.example.as_ref()));
    if let Some((server, model)) = &imported.server {
        screen::say(&printable(&format!(
            "\nTo run it there, name the server in castline.yaml:\n\n    \
             providers: {{ cog: {{ kind: cog, base_url: \"{server}\", models: [{model}] }} }}"
        )));
    }
    Ok(())
}

/// What to type next.
fn next(project: &Project, name: &str, file: &Path, example: Option<&Map<String, Json>>) -> String {
    let by_name = file.parent() == Some(&project.presets());
    let called = if by_name { name.to_owned() } else { shown(file) };
    let called = printable(&word(&called));
    let mut text = format!(
        "\nCheck it, then try it offline and free of charge:\n\n    {BOLD}castline preset check {called}{BOLD:#}"
    );
    let inputs = example.into_iter().flatten().map(|(name, value)| {
        let text = match value {
            // The file is one of the user's.
            Json::String(path) if path.starts_with("./") => {
                let ending = Path::new(path).extension().unwrap_or_default().to_string_lossy();
                format!("{name}=YOUR-FILE.{ending}")
            }
            Json::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        };
        word(&text)
    });
    let inputs: Vec<_> = inputs.collect();
    if example.is_some() {
        let call = format!("castline predict {called} {}", printable(&inputs.join(" ")));
        let _ = write!(text, "\n    {BOLD}{} --provider sandbox{BOLD:#}", call.trim_end());
    }
    text
}
