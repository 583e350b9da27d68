//! The files that a pattern stands for: `./photos/*.png`, `photos/**/*.jpg`.
//!
//! `*` and `?` stay within a folder, `**` goes through folders, `[a-c]` is one of some characters,
//! `{png,jpg}` one of some words. Files and folders whose name begins with a dot never match, nor
//! what lies in the project's output folder, unless the pattern begins in it: what a run writes
//! would be an input of the next one.
//!
//! Start reading at [`files`].

use std::cmp::Ordering;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use castline_core::files::Broken;
use castline_spec::Code;
use castline_spec::outside::is_pattern;
use globset::{GlobBuilder, GlobMatcher};
use walkdir::{DirEntry, WalkDir};

use crate::files::is_inside;
use crate::project::{Project, shown};

/// More files than this are a mistake.
const MOST_FILES: usize = 10_000;
/// Files and folders that are looked at.
const MOST_LOOKED_AT: usize = 200_000;
/// Names that a message shows.
const MOST_SHOWN: usize = 3;

/// The files that match a pattern, in natural order, as paths from the same place as the pattern.
/// `place` is the pattern from where the user stands; the files stay in one of the roots.
pub(crate) fn files(
    pattern: &str,
    place: &Path,
    roots: Option<&[PathBuf]>,
    project: &Project,
) -> Result<Arc<[String]>, Broken> {
    let (base, rest) = split(pattern);
    let matcher = matcher(pattern, rest)?;
    let folder = folder(place, rest);
    if !stays(roots, &folder) {
        let message = format!("looks in `{}`, which is outside of the project's folder", name(&folder));
        return Err(Broken::new(Code::InvalidPath, message).hint("copy the files into the project"));
    }
    if !folder.is_dir() {
        return Err(no_folder(pattern, &folder));
    }
    let walk = Walk {
        folder: &folder,
        matcher: &matcher,
        roots,
        depth: depth(rest),
        out: own_out(project, &folder),
    };
    let mut found = walk.files()?;
    if found.is_empty() {
        return Err(no_match(pattern, &folder, rest));
    }
    found.sort_by(|a, b| natural(a, b));
    Ok(found.into_iter().map(|path| format!("{base}{path}")).collect())
}

/// The folders that are looked through for a pattern, there or not: what comes into them may match.
pub(crate) fn folders(
    pattern: &str,
    place: &Path,
    roots: Option<&[PathBuf]>,
    project: &Project,
) -> Vec<PathBuf> {
    let (_, rest) = split(pattern);
    let folder = folder(place, rest);
    let Some(matcher) = matcher(pattern, rest).ok().filter(|_| stays(roots, &folder)) else {
        return Vec::new();
    };
    let out = own_out(project, &folder);
    let walk = Walk { folder: &folder, matcher: &matcher, roots, depth: depth(rest), out };
    walk.folders()
}

/// The folder that a pattern begins in, with its slash, and what is matched below it.
fn split(pattern: &str) -> (&str, &str) {
    let first = pattern.find(['*', '?', '[', '{']).unwrap_or(pattern.len());
    pattern.split_at(pattern[..first].rfind('/').map_or(0, |slash| slash + 1))
}

fn folder(place: &Path, rest: &str) -> PathBuf {
    let text = place.to_string_lossy();
    let folder = text.strip_suffix(rest).unwrap_or(&text);
    PathBuf::from(if folder.is_empty() { "." } else { folder })
}

/// How deep below its folder a pattern reaches.
fn depth(rest: &str) -> usize {
    if rest.contains("**") { usize::MAX } else { rest.matches('/').count() + 1 }
}

fn matcher(pattern: &str, rest: &str) -> Result<GlobMatcher, Broken> {
    let glob = GlobBuilder::new(rest).literal_separator(true).build().map_err(|e| {
        Broken::new(Code::InvalidValue, format!("has the pattern `{pattern}`, which is none: {}", e.kind()))
    })?;
    Ok(glob.compile_matcher())
}

fn stays(roots: Option<&[PathBuf]>, path: &Path) -> bool {
    roots.is_none_or(|roots| roots.iter().any(|root| is_inside(root, path)))
}

/// A folder as messages show it.
fn name(folder: &Path) -> String {
    let shown = shown(folder);
    if shown.is_empty() { ".".to_owned() } else { shown }
}

/// The output folder, when the pattern does not begin in it.
fn own_out(project: &Project, folder: &Path) -> Option<PathBuf> {
    let out = project.out().canonicalize().ok()?;
    let inside = folder.canonicalize().is_ok_and(|folder| folder.starts_with(&out));
    (!inside).then_some(out)
}

fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.to_string_lossy().starts_with('.')
}

/// `2.png` before `10.png`, folder by folder; a tie is decided by the bytes.
fn natural(a: &str, b: &str) -> Ordering {
    let parts = a.split('/').zip(b.split('/'));
    let by_part = parts.map(|(a, b)| alphanumeric_sort::compare_str(a, b));
    by_part.fold(Ordering::Equal, Ordering::then).then_with(|| a.cmp(b))
}

/// A walk through a folder.
struct Walk<'w> {
    folder: &'w Path,
    matcher: &'w GlobMatcher,
    depth: usize,
    roots: Option<&'w [PathBuf]>,
    out: Option<PathBuf>,
}

impl Walk<'_> {
    /// The files that match, as paths below the folder.
    fn files(&self) -> Result<Vec<String>, Broken> {
        let mut found = Vec::new();
        let mut looked_at = 0;
        let mut strayed = None;
        let walk = WalkDir::new(self.folder).min_depth(1).max_depth(self.depth).follow_links(true);
        let entries = walk.into_iter().filter_entry(|entry| self.enters(entry, &mut strayed));
        for entry in entries {
            looked_at += 1;
            if looked_at > MOST_LOOKED_AT {
                return Err(self.too_many("holds more than 200,000 files and folders"));
            }
            let path = match &entry {
                Ok(entry) if entry.file_type().is_file() => entry.path(),
                Ok(_) => continue,
                Err(e) => match self.unread(e)? {
                    Some(path) => path,
                    None => continue,
                },
            };
            let below = path.strip_prefix(self.folder).unwrap_or(path);
            if !self.matcher.is_match(below) {
                continue;
            }
            let Some(name) = below.to_str() else {
                let message = format!("matches `{}`, whose name is not UTF-8", shown(path));
                return Err(Broken::new(Code::Unreadable, message).hint("rename it"));
            };
            found.push(name.replace('\\', "/"));
            if found.len() > MOST_FILES {
                return Err(self.too_many("has more than 10,000 files that match"));
            }
        }
        strayed.map_or(Ok(found), Err)
    }

    /// Itself and the folders below it that are looked through.
    fn folders(&self) -> Vec<PathBuf> {
        let walk = WalkDir::new(self.folder).max_depth(self.depth - 1).follow_links(true);
        let entries =
            walk.into_iter().filter_entry(|entry| entry.depth() == 0 || self.enters(entry, &mut None));
        let folders = entries.flatten().filter(|entry| entry.file_type().is_dir()).take(MOST_LOOKED_AT);
        let mut folders: Vec<_> = folders.map(DirEntry::into_path).collect();
        if folders.is_empty() {
            folders.push(self.folder.to_owned());
        }
        folders
    }

    /// True for what is looked at. A link to a folder outside is noted.
    fn enters(&self, entry: &DirEntry, strayed: &mut Option<Broken>) -> bool {
        if is_hidden(entry.file_name()) {
            return false;
        }
        if !entry.file_type().is_dir() || entry.depth() >= self.depth {
            return true;
        }
        if entry.path_is_symlink() && !stays(self.roots, entry.path()) {
            let message = format!(
                "looks in `{}`, a link that leads outside of the project's folder",
                shown(entry.path())
            );
            let hint = "copy the files into the project, or name another folder";
            *strayed = Some(Broken::new(Code::InvalidPath, message).hint(hint));
            return false;
        }
        let is_out = |out: &PathBuf| entry.path().canonicalize().is_ok_and(|path| path == *out);
        !self.out.as_ref().is_some_and(is_out)
    }

    /// What cannot be read: a link that leads nowhere is a file like others, whose reader says
    /// that it is not there; a link into a folder above was gone through already.
    fn unread<'e>(&self, error: &'e walkdir::Error) -> Result<Option<&'e Path>, Broken> {
        let gone = error.io_error().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound);
        match error.path() {
            _ if error.loop_ancestor().is_some() => Ok(None),
            Some(path) if gone => {
                let below = path.strip_prefix(self.folder).unwrap_or(path);
                let hidden = below.components().any(|part| is_hidden(part.as_os_str()));
                Ok((!hidden && path.is_symlink()).then_some(path))
            }
            _ => {
                Err(Broken::new(Code::Unreadable, format!("looks in a folder that cannot be read: {error}")))
            }
        }
    }

    fn too_many(&self, why: &str) -> Broken {
        let message = format!("looks in `{}`, which {why}", name(self.folder));
        Broken::new(Code::InvalidValue, message).hint("begin the pattern in a folder closer to them")
    }
}

fn no_folder(pattern: &str, folder: &Path) -> Broken {
    let what = if folder.exists() { "is no folder" } else { "does not exist" };
    let message = format!("has the pattern `{pattern}`, and `{}` {what}", name(folder));
    Broken::new(Code::NoMatch, message).hint("the part before the first wildcard names a folder")
}

/// Nothing matches: says where it looked and what is there.
fn no_match(pattern: &str, folder: &Path, rest: &str) -> Broken {
    let below = if depth(rest) > 1 { " and below it" } else { "" };
    let message = format!("has the pattern `{pattern}`, and no file in `{}`{below} matches", name(folder));
    let broken = Broken::new(Code::NoMatch, message);
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| !is_hidden(&entry.file_name()))
        .map(|entry| {
            let slash = if entry.path().is_dir() { "/" } else { "" };
            format!("{}{slash}", entry.file_name().to_string_lossy())
        })
        .collect();
    names.sort_by(|a, b| natural(a, b));
    let more = names.len().saturating_sub(MOST_SHOWN);
    names.truncate(MOST_SHOWN);
    let list = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    broken.hint(match (names.is_empty(), more) {
        (true, _) => "the folder is empty".to_owned(),
        (false, 0) => format!("it has {list}"),
        (false, more) => format!("it has {list} and {more} more"),
    })
}

/// True for a text that is a pattern rather than a list in brackets.
pub(crate) fn may_be_files(text: &str) -> bool {
    is_pattern(text) && !text.trim_start().starts_with('[')
}

#[cfg(test)]
mod tests;
