//! Loads the files that documents name, and keeps them inside the project.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use castline_core::data::Data;
use castline_core::files::{Broken, FileContent, FileRef, Files, Origin, Want};
use castline_core::{Artifact, Digest, MediaType};
use castline_spec::outside::{DataFormat, is_address, path_hint};
use castline_spec::{Code, Source, Span};
use castline_store::{Store, user_file};

use crate::libraries::root_of;
use crate::listing;
use crate::project::{Project, absolute, clean, parent, shown};

/// Texts that are read into templates are smaller.
const MOST_TEXT: u64 = 1 << 20;
/// Files of values are smaller.
const MOST_DATA: u64 = 16 << 20;

/// Where a file reference leads.
pub(crate) fn path_of(file: &FileRef) -> PathBuf {
    match &file.from {
        Origin::CommandLine => PathBuf::from(&file.path),
        Origin::Document(name) | Origin::Given(name) => parent(Path::new(&**name)).join(&file.path),
    }
}

/// The folders in which the files stay that are named from a place; none for everywhere.
pub(crate) fn roots(from: &Origin, project: &Project) -> Option<Vec<PathBuf>> {
    match from {
        // What stands on the command line is the user's own word.
        Origin::CommandLine => None,
        Origin::Document(name) => Some(vec![root_of(project, name)]),
        Origin::Given(name) => Some(vec![project.root.clone(), folder_of(name)]),
    }
}

fn folder_of(name: &str) -> PathBuf {
    let folder = parent(Path::new(name));
    if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder }
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

fn load(file: &FileRef, project: &Project, store: Option<&Store>) -> Result<FileContent, Broken> {
    let path = path_of(file);
    let roots = roots(&file.from, project);
    let code = if file.want == Want::Artifact { Code::BadMedia } else { Code::Unreadable };
    if is_address(&file.path) {
        const MOST: usize = 80;
        let (cut, more) = match file.path.char_indices().nth(MOST) {
            Some((at, _)) => (&file.path[..at], "..."),
            None => (file.path.as_str(), ""),
        };
        let message = format!("names `{cut}{more}`, which is an address and no file");
        return Err(Broken::new(code, message).hint(path_hint(&file.path)));
    }
    if let Want::Listing = file.want {
        return listing::files(&file.path, &path, roots.as_deref(), project).map(FileContent::Listing);
    }
    if !roots.is_none_or(|roots| roots.iter().any(|root| is_inside(root, &path))) {
        return Err(outside(code, &file.path, &file.from, project));
    }
    match file.want {
        Want::Text => text(&path, MOST_TEXT, "1 MiB").map(FileContent::Text),
        Want::Data(format) => data(&path, format).map(|data| FileContent::Data(Arc::new(data))),
        Want::Artifact | Want::Listing => {
            describe(&path, store).map(FileContent::Artifact).map_err(|why| Broken::new(code, why))
        }
    }
}

/// A path that leads where it may not.
pub(crate) fn outside(code: Code, path: &str, from: &Origin, project: &Project) -> Broken {
    let of_library = |name: &str| project.library_of(&absolute(Path::new(name))).is_some();
    let (message, hint) = match from {
        Origin::Document(name) if of_library(name) => (
            format!("names `{path}`, which is outside of the library's folder"),
            "a library reads its own files; what is the project's is given to it as an input",
        ),
        Origin::Given(name) => (
            format!("names `{path}`, which is outside of the project's folder and of that of `{name}`"),
            "copy it there, or give it on the command line",
        ),
        _ => {
            (format!("names `{path}`, which is outside of the project's folder"), "copy it into the project")
        }
    };
    Broken::new(code, message).hint(hint)
}

fn data(path: &Path, format: DataFormat) -> Result<Data, Broken> {
    Data::parse(Source::new(shown(path), text(path, MOST_DATA, "16 MiB")?), format)
}

fn text(path: &Path, most: u64, shown_most: &str) -> Result<String, Broken> {
    let name = shown(path);
    let broken = |why: &str| Broken::new(Code::Unreadable, format!("names `{name}`, which {why}"));
    let unreadable = |e: &std::io::Error| Broken::new(Code::Unreadable, unreadable(&name, e));
    // A pipe would never end, and a device need not.
    let kind = std::fs::metadata(path).map_err(|e| unreadable(&e))?;
    if kind.is_dir() {
        return Err(broken("is a folder"));
    }
    if !kind.is_file() {
        return Err(broken("is no plain file"));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|e| unreadable(&e))?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(|e| unreadable(&e))?;
    if bytes.len() as u64 > most {
        return Err(broken(&format!("is larger than {shown_most}")));
    }
    String::from_utf8(bytes).map_err(|e| not_utf8(&name, &e))
}

/// What a text in another encoding most likely is, and where it first shows.
fn not_utf8(name: &str, error: &std::string::FromUtf8Error) -> Broken {
    let bytes = error.as_bytes();
    let broken = Broken::new(Code::Unreadable, format!("names `{name}`, which is not UTF-8 text"));
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return broken.hint("it is UTF-16; save it as UTF-8");
    }
    let source = Source::new(name, String::from_utf8_lossy(bytes));
    let place = Span::at(source.pos(error.utf8_error().valid_up_to()));
    broken
        .at(&source, place, "not UTF-8 from here")
        .hint("save it as UTF-8; spreadsheets call that \"CSV UTF-8\"")
}

fn unreadable(name: &str, e: &std::io::Error) -> String {
    match e.kind() {
        std::io::ErrorKind::NotFound => format!("names `{name}`, which does not exist"),
        _ => format!("names `{name}`, which cannot be read: {e}"),
    }
}

/// What a user's file is. A picture must be one that tells its size.
fn describe(path: &Path, store: Option<&Store>) -> Result<Artifact, String> {
    let name = shown(path);
    if path.is_dir() {
        return Err(format!("names `{name}`, which is a folder"));
    }
    if path.metadata().is_ok_and(|meta| !meta.is_file()) {
        return Err(format!("names `{name}`, which is no plain file"));
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
    let bytes = user_file::read(&whole)?;
    let artifact = Artifact::describe(Digest::of(&bytes), bytes.len() as u64, &bytes);
    remember.into_iter().for_each(|remember| remember(artifact.clone()));
    Ok(artifact)
}

fn is_picture(artifact: &Artifact) -> bool {
    matches!(artifact.media_type.as_str(), "image/png" | "image/jpeg" | "image/webp" | "image/gif")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_or_a_device_is_no_medium_and_no_text() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.png");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [Path::new("/dev/zero"), &pipe] {
            assert!(describe(path, None).unwrap_err().ends_with("which is no plain file"));
            assert!(text(path, MOST_TEXT, "1 MiB").unwrap_err().message.ends_with("which is no plain file"));
        }
    }
}
