//! Loads the files that documents name, and keeps them inside the project.

use std::path::{Path, PathBuf};

use castline_core::files::{FileContent, FileRef, Files};
use castline_core::{Artifact, Digest, MediaType};
use castline_store::Store;

use crate::project::{Project, clean, parent, shown};

/// Texts that are read into templates are smaller.
const MOST_TEXT: u64 = 1 << 20;

/// Where a file reference leads.
pub(crate) fn path_of(file: &FileRef) -> PathBuf {
    parent(Path::new(&file.document)).join(&file.path)
}

/// True when a path stays in a folder, links followed. A missing file is judged by its name.
pub(crate) fn is_inside(root: &Path, path: &Path) -> bool {
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    path.canonicalize().unwrap_or_else(|_| without_dots(path)).starts_with(&root)
}

fn without_dots(path: &Path) -> PathBuf {
    let clean = clean(path);
    // The folder that is there may be reached through a link.
    match (clean.parent().and_then(|p| p.canonicalize().ok()), clean.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => clean,
    }
}

/// Loads everything that was asked for and is missing. True when there was something. What a
/// store remembers of a file need not be read.
pub(crate) fn load_missing(files: &Files, project: &Project, store: Option<&Store>) -> bool {
    load_fetched(files, project, store, &|_| {})
}

/// The same where `fetch` first puts a file into its place, if it can.
pub(crate) fn load_fetched(
    files: &Files,
    project: &Project,
    store: Option<&Store>,
    fetch: &dyn Fn(&Path),
) -> bool {
    let missing = files.take_missing();
    let any = !missing.is_empty();
    for file in missing {
        fetch(&path_of(&file));
        let content = load(&file, project, store);
        files.add(file, content);
    }
    any
}

fn load(file: &FileRef, project: &Project, store: Option<&Store>) -> Result<FileContent, String> {
    let path = path_of(file);
    // What stands on the command line is the user's own word.
    if !file.document.is_empty() && !is_inside(&project.root, &path) {
        return Err(format!("names `{}`, which is outside of the project's folder", file.path));
    }
    if file.text {
        text(&path).map(FileContent::Text)
    } else {
        describe(&path, store).map(FileContent::Artifact)
    }
}

fn text(path: &Path) -> Result<String, String> {
    let name = shown(path);
    let size = std::fs::metadata(path).map_err(|e| unreadable(&name, &e))?.len();
    if size > MOST_TEXT {
        return Err(format!("`{name}` is larger than 1 MiB"));
    }
    std::fs::read_to_string(path).map_err(|e| unreadable(&name, &e))
}

fn unreadable(name: &str, e: &std::io::Error) -> String {
    match e.kind() {
        std::io::ErrorKind::NotFound => format!("names `{name}`, which does not exist"),
        std::io::ErrorKind::InvalidData => format!("names `{name}`, which is not UTF-8 text"),
        _ => format!("names `{name}`, which cannot be read: {e}"),
    }
}

/// What a user's file is. A picture must be one that tells its size.
fn describe(path: &Path, store: Option<&Store>) -> Result<Artifact, String> {
    let name = shown(path);
    if path.is_dir() {
        return Err(format!("names `{name}`, which is a folder"));
    }
    let artifact = look(path, store).map_err(|e| unreadable(&name, &e))?;
    if artifact.bytes == 0 {
        return Err(format!("names `{name}`, which is empty"));
    }
    let said = path.extension().and_then(|e| MediaType::of_extension(&e.to_string_lossy()));
    match said {
        Some(said) if said.kind() != artifact.media_type.kind() => {
            Err(format!("names `{name}`, which is no {} but {}", said.kind().as_str(), artifact.media_type))
        }
        _ if is_picture(&artifact) && artifact.width.is_none() => {
            Err(format!("names `{name}`, which begins like {} and is broken", artifact.media_type))
        }
        _ => Ok(artifact),
    }
}

/// Reads a file, unless the store has seen it as it is.
fn look(path: &Path, store: Option<&Store>) -> std::io::Result<Artifact> {
    let whole = path.canonicalize()?;
    let seen = store.and_then(|store| store.blobs().seen(&whole));
    // The store looks at the beginning of a file only.
    if let Some(artifact) = seen.filter(|seen| !is_picture(seen) || seen.width.is_some()) {
        return Ok(artifact);
    }
    let remember = store.and_then(|store| store.blobs().look_at(&whole));
    let bytes = std::fs::read(&whole)?;
    let artifact = Artifact::describe(Digest::of(&bytes), bytes.len() as u64, &bytes);
    remember.into_iter().for_each(|remember| remember(artifact.clone()));
    Ok(artifact)
}

fn is_picture(artifact: &Artifact) -> bool {
    matches!(artifact.media_type.as_str(), "image/png" | "image/jpeg" | "image/webp" | "image/gif")
}
