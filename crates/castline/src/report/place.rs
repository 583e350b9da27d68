//! Where the files of findings are, for programs that know the repository and not the terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Component, MAIN_SEPARATOR, Path, PathBuf};

use castline_runner::presets;
use castline_spec::Source;

/// The folder that paths are relative to.
pub(crate) struct Base {
    /// Where the user stands; names of texts are relative to it.
    here: PathBuf,
    /// `here`, or the repository around it.
    folder: PathBuf,
}

/// Where a text is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the folder; relative to it, with `/`.
    Inside(String),
    /// Elsewhere; absolute, with `/`.
    Outside(String),
    /// In no file: a preset that is part of castline.
    BuiltIn(String),
}

impl Base {
    /// Where castline was started. On GitHub it is the repository's folder, as annotations and
    /// alerts are shown by their path in it, wherever in it a step works.
    pub(crate) fn find() -> Self {
        let here = std::env::current_dir().unwrap_or_default();
        let workspace = std::env::var_os("GITHUB_WORKSPACE").filter(|folder| !folder.is_empty());
        Self::new(here, workspace.map(PathBuf::from))
    }

    fn new(here: PathBuf, workspace: Option<PathBuf>) -> Self {
        let around = workspace.filter(|folder| relative(&here, folder).is_some());
        Self { folder: around.unwrap_or_else(|| here.clone()), here }
    }

    /// Where a text is.
    pub(crate) fn place(&self, source: &Source) -> Place {
        if presets::is_built_in(source) {
            return Place::BuiltIn(source.name.to_string());
        }
        let path = self.here.join(&*source.name);
        match relative(&path, &self.folder) {
            Some(inside) => Place::Inside(slashes(&inside)),
            None => Place::Outside(slashes(&path)),
        }
    }
}

impl Place {
    /// The path as it is written.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Inside(path) | Self::Outside(path) | Self::BuiltIn(path) => path,
        }
    }

    /// The same as a URI, relative unless the file is elsewhere.
    pub(crate) fn uri(&self) -> String {
        match self {
            Self::Inside(path) | Self::BuiltIn(path) => encoded(path, "/"),
            Self::Outside(path) if path.starts_with("//") => format!("file:{}", encoded(path, "/")),
            Self::Outside(path) if path.starts_with('/') => format!("file://{}", encoded(path, "/")),
            Self::Outside(path) => format!("file:///{}", encoded(path, "/:")),
        }
    }
}

/// A path within a folder, by its name, else by where links lead to.
fn relative(path: &Path, folder: &Path) -> Option<PathBuf> {
    let climbs = path.components().any(|part| part == Component::ParentDir);
    if !climbs && let Ok(inside) = path.strip_prefix(folder) {
        return Some(inside.to_owned());
    }
    let (path, folder) = (path.canonicalize().ok()?, folder.canonicalize().ok()?);
    path.strip_prefix(folder).ok().map(Path::to_owned)
}

fn slashes(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text = if MAIN_SEPARATOR == '\\' { Cow::Owned(text.replace('\\', "/")) } else { text };
    text.strip_prefix("//?/").unwrap_or(&text).to_owned()
}

/// Percent-encodes every byte that does not stand for itself in a path.
fn encoded(path: &str, kept: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=@".contains(c) || kept.contains(c) {
            uri.push(c);
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(here: &str, workspace: Option<&str>) -> Base {
        Base::new(PathBuf::from(here), workspace.map(PathBuf::from))
    }

    fn uri(base: &Base, name: &str) -> String {
        base.place(&Source::new(name, "")).uri()
    }

    #[cfg(unix)]
    #[test]
    fn paths_are_relative_with_slashes_and_encoded() {
        let base = base("/home/me/boats", None);
        assert_eq!(uri(&base, "flow.yaml"), "flow.yaml");
        assert_eq!(uri(&base, "a b/50%/舟 #1?.yaml"), "a%20b/50%25/%E8%88%9F%20%231%3F.yaml");
        assert_eq!(uri(&base, "c:x\\y.yaml"), "c%3Ax%5Cy.yaml");
        assert_eq!(uri(&base, "/srv/a b.yaml"), "file:///srv/a%20b.yaml");
        assert_eq!(uri(&base, "/home/me/boats/x.yaml"), "x.yaml");
    }

    #[test]
    fn a_drive_and_a_share_are_uris_too() {
        assert_eq!(Place::Outside("C:/a b.yaml".to_owned()).uri(), "file:///C:/a%20b.yaml");
        assert_eq!(Place::Outside("//host/share/x.yaml".to_owned()).uri(), "file://host/share/x.yaml");
    }

    #[test]
    fn a_built_in_preset_is_in_no_file() {
        let name = "built-in presets/flux-schnell.yaml";
        let text = presets::built_in_text("flux-schnell").unwrap();
        let base = base("/home/me", None);
        assert_eq!(base.place(&Source::new(name, text)), Place::BuiltIn(name.to_owned()));
        assert_eq!(base.place(&Source::new(name, "")), Place::Inside(name.to_owned()));
    }

    #[test]
    fn on_github_paths_are_those_of_the_repository() {
        let repository = tempfile::tempdir().unwrap();
        let here = repository.path().join("art");
        std::fs::create_dir_all(&here).unwrap();
        std::fs::write(repository.path().join("other.yaml"), "").unwrap();
        let base = Base::new(here.clone(), Some(repository.path().to_owned()));
        assert_eq!(uri(&base, "flow.yaml"), "art/flow.yaml");
        assert_eq!(uri(&base, "../other.yaml"), "other.yaml");
        let elsewhere = Base::new(here, Some(PathBuf::from("/nowhere")));
        assert_eq!(uri(&elsewhere, "flow.yaml"), "flow.yaml");
    }
}
