//! A library from its author's side: checked as those will use it who name it, packed, and put
//! into a registry.
//!
//! Start reading at [`check`].

use std::path::{Path, PathBuf};

use castline_library::{Registry, Tree, document};
use castline_spec::library::{Library, OciPlace};
use castline_spec::{Diagnostics, Project as Document, Source};

use super::{lock, refused, trouble};
use crate::presets;
use crate::project::{FILE as PROJECT_FILE, Project, absolute, clean, shown};
use crate::trouble::Trouble;

/// A library that was checked.
#[derive(Debug)]
pub struct Checked {
    /// Its document.
    pub library: Library,
    /// Its files.
    pub tree: Tree,
    /// How many presets it has.
    pub presets: usize,
    /// How many workflows it has.
    pub workflows: usize,
    /// What is wrong with it.
    pub found: Diagnostics,
}

/// A library as one file.
#[derive(Debug)]
pub struct Packed {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The file.
    pub file: PathBuf,
    /// The digest of its files, which a lock will have.
    pub digest: String,
    /// The bytes of the file.
    pub bytes: usize,
    /// How many files are in it.
    pub files: usize,
}

/// Checks a library in a folder: its document, its presets and its workflows, each in the place
/// where it will be found. What it needs is fetched for that.
pub async fn check(folder: &Path) -> Result<Checked, Trouble> {
    let folder = clean(&absolute(folder));
    let what = format!("the library in `{}`", shown(&folder));
    let tree = Tree::of_folder(&folder, &what).map_err(trouble)?;
    let library = document(&tree, &shown(&folder)).map_err(trouble)?;
    let stand_in = tempfile::Builder::new().prefix("castline-").tempdir().map_err(|e| no_room(&e))?;
    let root = stand_in.path().canonicalize().map_err(|e| no_room(&e))?;
    let name = &library.name.value;
    // A project that names the library and nothing else.
    let path = serde_json::Value::from(folder.to_string_lossy());
    let text = format!("store: ./store\nlibraries: {{ {name}: {{ path: {path} }} }}\n");
    let (document, _) = Document::parse(&Source::new(PROJECT_FILE, text));
    let project = Project { root, document };
    lock(&project).await?;
    let (presets, workflows, mut found) = presets::check_library(&project, name);
    for finding in &mut found.list {
        finding.source.name = own_name(&finding.source.name, &project, &folder).into();
        for label in &mut finding.labels {
            label.source.name = own_name(&label.source.name, &project, &folder).into();
        }
    }
    found.sort();
    Ok(Checked { library, tree, presets, workflows, found })
}

fn no_room(e: &std::io::Error) -> Trouble {
    let message = format!("there is no temporary folder: {e}");
    Trouble::usage(message, "is there room in the folder that TMPDIR names?")
}

/// The author knows a file by where it is, not by where it was copied to.
fn own_name(name: &str, project: &Project, folder: &Path) -> String {
    let path = clean(&absolute(Path::new(name)));
    let inside = project.library_of(&path).and_then(|copy| path.strip_prefix(copy).ok().map(Path::to_owned));
    match inside {
        Some(inside) => shown(&folder.join(inside)),
        None => name.to_owned(),
    }
}

/// Writes a library without mistakes into one file; without a name for it `NAME-VERSION.tar.gz`.
pub async fn pack(folder: &Path, to: Option<&Path>) -> Result<Packed, Trouble> {
    let checked = whole(folder).await?;
    let (name, version) = (checked.library.name.value, checked.library.version.value);
    let file = to.map_or_else(|| PathBuf::from(format!("{name}-{version}.tar.gz")), Path::to_owned);
    crate::target::check(&file)?;
    let failed = |e: &std::io::Error| {
        let message = format!("`{}` cannot be written: {e}", shown(&file));
        Trouble::usage(message, "name a file in a folder that exists with `-o`")
    };
    let bytes = castline_library::pack(&checked.tree).map_err(|e| failed(&e))?;
    std::fs::write(&file, &bytes).map_err(|e| failed(&e))?;
    let (digest, files) = (checked.tree.digest(), checked.tree.files().count());
    Ok(Packed { name, version, file, digest, bytes: bytes.len(), files })
}

/// Puts a library without mistakes into a registry. Returns its document and the place that always
/// means this one: by the digest of its manifest.
pub async fn push(folder: &Path, place: &str) -> Result<(Library, OciPlace), Trouble> {
    let mut place: OciPlace = place
        .parse()
        .map_err(|why: &str| Trouble::usage(format!("`{place}` is no place in a registry"), why))?;
    let checked = whole(folder).await?;
    let digest = Registry::of_user().push(&place, &checked.tree, &checked.library).await.map_err(trouble)?;
    place.version = castline_spec::library::OciVersion::Digest(digest);
    Ok((checked.library, place))
}

async fn whole(folder: &Path) -> Result<Checked, Trouble> {
    let mut checked = check(folder).await?;
    checked.found = refused(checked.found)?;
    Ok(checked)
}
