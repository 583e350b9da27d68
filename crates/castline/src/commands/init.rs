//! `castline init`: a project with a first workflow that runs on the sandbox.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use castline_runner::{Trouble, shown};

use super::{cannot_write, word, workflow_file};
use crate::exit::Exit;
use crate::screen::{self, BOLD, DIM};

const PROJECT: &str = include_str!("init/castline.yaml");
const WORKFLOW: &str = include_str!("init/hello.yaml");

/// What does not belong into a repository.
const IGNORED: &[&str] = &["/out/", "/.castline/"];

/// Writes what is not there yet; what is there stays as it is.
pub(crate) fn init(dir: &Path) -> Result<Exit, Trouble> {
    let write = |name: &str, text: &str| {
        write_new(&dir.join(name), text).map_err(|e| cannot_write(&dir.join(name), &e))
    };
    fs::create_dir_all(dir.join("workflows")).map_err(|e| cannot_write(dir, &e))?;
    for (name, text) in [("castline.yaml", PROJECT), ("workflows/hello.yaml", WORKFLOW)] {
        say_what_became(&dir.join(name), write(name, text)?);
    }
    ignore(&dir.join(".gitignore")).map_err(|e| cannot_write(&dir.join(".gitignore"), &e))?;
    screen::say(&next(dir));
    Ok(Exit::Done)
}

/// True when the file was written, false when there was one.
fn write_new(path: &Path, text: &str) -> io::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).open(path) {
        // Half a file would be kept by the next try.
        Ok(mut file) => file
            .write_all(text.as_bytes())
            .map(|()| true)
            .inspect_err(|_| fs::remove_file(path).unwrap_or_default()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e),
    }
}

fn say_what_became(path: &Path, written: bool) {
    let (word, path) = (if written { "wrote" } else { "kept" }, shown(path));
    screen::say(&format!("{DIM}{word}{DIM:#} {}", screen::printable(&path)));
}

/// Adds the lines that are missing, and leaves the others alone.
fn ignore(path: &Path) -> io::Result<()> {
    let before = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(e),
    };
    let has = |entry: &str| {
        let bare = entry.trim_matches('/');
        before.lines().any(|line| line.trim().trim_matches('/') == bare)
    };
    let missing: Vec<_> = IGNORED.iter().copied().filter(|entry| !has(entry)).collect();
    if missing.is_empty() {
        say_what_became(path, false);
        return Ok(());
    }
    let end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(format!("{end}{}\n", missing.join("\n")).as_bytes())?;
    say_what_became(path, true);
    Ok(())
}

/// What to type next.
fn next(dir: &Path) -> String {
    let file = match workflow_file::workflows(dir).as_deref() {
        Ok([_]) => String::new(),
        _ => " workflows/hello.yaml".to_owned(),
    };
    let enter = match dir.canonicalize().ok() == Path::new(".").canonicalize().ok() {
        true => String::new(),
        false => format!("    {BOLD}cd {}{BOLD:#}\n", screen::printable(&word(&shown(dir)))),
    };
    format!(
        "\nRun it, offline and free of charge. Then edit, and run it again:\n\n{enter}    {BOLD}castline run{file}{BOLD:#}\n\n\
         Or see the pictures change whenever you save:\n\n    {BOLD}castline watch{file} --open{BOLD:#}\n\n\
         What it costs live, and the one line that goes live, with a token in REPLICATE_API_TOKEN:\n\n    \
         {BOLD}castline plan{file} --provider replicate{BOLD:#}\n    \
         {BOLD}castline run{file} --provider replicate --budget 0.50{BOLD:#}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_workflow_has_no_mistakes() {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path()).unwrap();
        let castline_runner::Checked { project, found, .. } =
            castline_runner::Job::check(&folder.path().join("workflows/hello.yaml"));
        assert_eq!(found.list, []);
        assert!(project.document.is_some());
    }

    #[test]
    fn nothing_that_is_there_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("castline.yaml"), "out: mine\n").unwrap();
        fs::write(folder.path().join(".gitignore"), "target\nout").unwrap();
        init(folder.path()).unwrap();
        init(folder.path()).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("castline.yaml"), "out: mine\n");
        assert_eq!(read(".gitignore"), "target\nout\n/.castline/\n");
    }
}
