//! What `castline library` does: name libraries in `castline.yaml`, pin them in `castline.lock`,
//! and keep their files.
//!
//! Only here are libraries fetched. Whoever plans or runs takes what is pinned, from the store or
//! from `vendor`; see `libraries.rs`.
//!
//! Start reading at [`lock`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use castline_library::{LibraryError, Pin, Registry, Resolved, Resolver, Tree, resolve};
use castline_spec::library::{Place, Wanted};
use castline_spec::{Diagnostics, Project as Document, Source};
use indexmap::IndexMap;

use crate::libraries::{Libraries, unlocked};
use crate::lock::Lock;
use crate::plan_file::named_from;
use crate::project::{FILE, Project};
use crate::trouble::Trouble;

mod audit;
mod edit;
mod share;
mod update;

pub use audit::{Audit, Call, audit};
pub use share::{Checked, Packed, check, pack, push};
pub use update::{Break, Change, Preview, PriceChange, apply, preview};

/// A library of a project.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub place: String,
    /// True when `castline.yaml` names it, and not only another library.
    pub direct: bool,
    /// What is pinned of it.
    pub pin: Option<Pin>,
    /// Whether it can be used.
    pub state: State,
    /// Its presets, as `library/name`.
    pub presets: Vec<String>,
    /// Its workflows, as `library/name`.
    pub workflows: Vec<String>,
}

/// Whether a library can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// From the store.
    Stored,
    /// From `vendor`.
    Vendored,
    /// The lock does not say which library it is.
    Unlocked,
    /// Its files are missing or are not what was pinned.
    Unusable(String),
}

impl State {
    /// In one word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Vendored => "vendored",
            Self::Unlocked => "unlocked",
            Self::Unusable(_) => "unusable",
        }
    }
}

/// What became of the lock.
#[derive(Debug, Clone, Default)]
pub struct Locked {
    /// What was pinned before.
    pub before: BTreeMap<String, Pin>,
    /// What is pinned now.
    pub now: BTreeMap<String, Pin>,
}

impl Locked {
    /// True when the lock is another one.
    pub fn is_changed(&self) -> bool {
        self.before != self.now
    }
}

/// Where a library is, as it stands on a command line.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// A folder, the address of a repository, or `oci://host/name:tag`.
    pub place: String,
    /// A tag, a branch or a commit.
    pub rev: Option<String>,
    /// A folder in a repository.
    pub folder: Option<String>,
}

/// Pins what `castline.yaml` names. What was pinned and is still meant stays as it is; what is not
/// in the store is fetched, exactly as it was pinned.
pub async fn lock(project: &Project) -> Result<Locked, Trouble> {
    relock(project, &BTreeSet::new()).await
}

/// The same, where these libraries become what their places mean now.
async fn relock(project: &Project, anew: &BTreeSet<String>) -> Result<Locked, Trouble> {
    let mut lock = Lock::read(project)?;
    let wanted = project.libraries();
    let found = resolved(project, &wanted, &lock.libraries, anew).await?;
    let locked = Locked { before: lock.libraries.clone(), now: found.pins };
    if locked.is_changed() {
        lock.libraries.clone_from(&locked.now);
        lock.write(project)?;
    }
    Ok(locked)
}

async fn resolved(
    project: &Project,
    wanted: &IndexMap<String, Wanted>,
    before: &BTreeMap<String, Pin>,
    anew: &BTreeSet<String>,
) -> Result<Resolved, Trouble> {
    let (shelf, registry) = (project.shelf(), Registry::of_user());
    let resolver = Resolver { root: &project.root, shelf: &shelf, registry: &registry, before, anew };
    resolve(&resolver, wanted).await.map_err(trouble)
}

/// Why the lock is not what `castline.yaml` and the folders that it names need; nothing when it is.
/// Nobody is asked whether a branch or a tag means something else by now.
pub fn stale(project: &Project) -> Result<Vec<String>, Trouble> {
    let lock = Lock::read(project)?;
    let wanted = project.libraries();
    let named = wanted
        .iter()
        .filter_map(|(name, wanted)| unlocked(&project.root, name, wanted, lock.libraries.get(name)));
    let mut why: Vec<_> = named.collect();
    let reached = reached(&lock.libraries, wanted.keys());
    for (name, pin) in lock.libraries.iter().filter(|(name, _)| reached.contains(*name)) {
        let missing = pin.libraries.iter().filter(|needs| !lock.libraries.contains_key(*needs));
        why.extend(
            missing
                .map(|needs| format!("castline.lock does not pin library `{needs}`, which `{name}` needs")),
        );
        if let Some(Place::Path(path)) = pin.place() {
            let what = format!("library `{name}` in `{path}`");
            match Tree::of_folder(&project.root.join(&path), &what) {
                Ok(tree) if tree.digest() == pin.digest => {}
                Ok(_) => why.push(format!("the folder `{path}` of library `{name}` has changed")),
                Err(error) => why.push(error.to_string()),
            }
        }
    }
    let idle = lock.libraries.keys().filter(|name| !reached.contains(*name));
    why.extend(idle.map(|name| format!("castline.lock pins library `{name}`, which nothing names")));
    Ok(why)
}

/// The libraries that these lead to, themselves included.
fn reached<'a>(pins: &BTreeMap<String, Pin>, names: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let mut open: Vec<String> = names.cloned().collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = open.pop() {
        open.extend(pins.get(&name).into_iter().flat_map(|pin| pin.libraries.clone()));
        seen.insert(name);
    }
    seen
}

/// Names a library in `castline.yaml`, which keeps its comments, and pins it. Returns its name.
pub async fn add(project: &Project, given: &Given) -> Result<(String, Locked), Trouble> {
    let (entry, place) = edit::entry(project, given)?;
    let mut lock = Lock::read(project)?;
    let (shelf, registry) = (project.shelf(), Registry::of_user());
    let nothing = (BTreeMap::new(), BTreeSet::new());
    let resolver = Resolver {
        root: &project.root,
        shelf: &shelf,
        registry: &registry,
        before: &nothing.0,
        anew: &nothing.1,
    };
    let looked = resolver.look(&place).await.map_err(trouble)?;
    let name = looked.library.name.value.clone();
    if project.names_library(&name) {
        return Err(Trouble::usage(
            format!("castline.yaml names a library `{name}` already"),
            format!("`castline library update {name}` brings it up to date, `remove` takes it out"),
        ));
    }
    let text = edit::with_library(project, &name, &entry)?;
    let wanted = libraries_of(&text)?;
    let mut before = lock.libraries.clone();
    before.insert(name.clone(), looked.pin);
    let found = resolved(project, &wanted, &before, &BTreeSet::new()).await?;
    let locked = Locked { before: lock.libraries.clone(), now: found.pins };
    edit::write(project, &text)?;
    lock.libraries.clone_from(&locked.now);
    lock.write(project)?;
    Ok((name, locked))
}

/// Takes a library out of `castline.yaml` and out of the lock, with those that only it needed.
pub fn remove(project: &Project, name: &str) -> Result<Locked, Trouble> {
    project.check_vendor()?;
    let text = edit::without_library(project, name)?;
    let mut lock = Lock::read(project)?;
    let wanted = libraries_of(&text)?;
    // Nothing is fetched for that: what remains is pinned.
    let remain = reached(&lock.libraries, wanted.keys());
    let before = lock.libraries.clone();
    lock.libraries.retain(|name, _| remain.contains(name));
    let shelf = project.shelf();
    let vendored = shelf.vendored_names();
    let gone: Vec<_> = vendored
        .iter()
        .filter(|name| before.contains_key(*name) && !lock.libraries.contains_key(*name))
        .collect();
    shelf.may_vendor(gone.iter().map(|name| name.as_str())).map_err(trouble)?;
    edit::write(project, &text)?;
    lock.write(project)?;
    for name in gone {
        shelf.unvendor(name).map_err(trouble)?;
    }
    Ok(Locked { before, now: lock.libraries })
}

/// The libraries that a text of `castline.yaml` names.
fn libraries_of(text: &str) -> Result<IndexMap<String, Wanted>, Trouble> {
    let (document, found) = Document::parse(&Source::new(FILE, text));
    match document.filter(|_| !found.has_errors()) {
        Some(document) => Ok(document.libraries),
        None => Err(Trouble::Diagnostics(found)),
    }
}

/// What is in `vendor`.
#[derive(Debug, Clone, Default)]
pub struct Vendored {
    /// Libraries, and their folders.
    pub there: Vec<(String, PathBuf)>,
    /// Libraries that were taken out.
    pub gone: Vec<String>,
}

/// Copies every pinned library into `vendor`, and takes out of it what is not pinned any more. Nothing is
/// written or removed before all of it was looked at.
pub fn vendor(project: &Project) -> Result<Vendored, Trouble> {
    project.check_vendor()?;
    let lock = Lock::read(project)?;
    let shelf = project.shelf();
    let mut trees = Vec::new();
    for (name, pin) in &lock.libraries {
        let tree = shelf.stored(&pin.digest).or_else(|| shelf.open(name, &pin.digest).ok().map(|s| s.tree));
        let tree = tree.ok_or_else(|| trouble(LibraryError::Missing { name: name.clone() }))?;
        trees.push((name, tree));
    }
    let mut gone = shelf.vendored_names();
    gone.retain(|name| !lock.libraries.contains_key(name));
    shelf.may_vendor(lock.libraries.keys().chain(&gone).map(String::as_str)).map_err(trouble)?;
    let mut there = Vec::new();
    for (name, tree) in trees {
        there.push((name.clone(), shelf.vendor(name, &tree).map_err(trouble)?));
    }
    for name in &gone {
        shelf.unvendor(name).map_err(trouble)?;
    }
    Ok(Vendored { there, gone })
}

/// Every library of the project, those that others need included, by name.
pub fn list(project: &Project) -> Result<Vec<Listed>, Trouble> {
    let lock = Lock::read(project)?;
    let wanted = project.libraries();
    let mut libraries = Libraries::open(project);
    let names = reached(&lock.libraries, wanted.keys());
    let one = |name: &String| {
        let pin = lock.libraries.get(name).cloned();
        let place = wanted.get(name).map(|wanted| wanted.place.clone());
        let place = place.or_else(|| pin.as_ref()?.place()).map(|place| place.to_string());
        let direct = wanted.contains_key(name);
        let opened = libraries.of_project(name);
        let state = match &opened {
            Some(opened) if opened.folder().starts_with(project.vendor()) => State::Vendored,
            Some(_) => State::Stored,
            None => {
                let why = libraries.found.list.pop();
                match why {
                    Some(why) if why.code == castline_spec::Code::UnusableLibrary => {
                        State::Unusable(why.message)
                    }
                    _ => State::Unlocked,
                }
            }
        };
        let full = |names: Vec<&str>| names.into_iter().map(|own| format!("{name}/{own}")).collect();
        Listed {
            name: name.clone(),
            place: place.unwrap_or_default(),
            direct,
            pin,
            state,
            presets: full(opened.iter().flat_map(|opened| opened.presets()).collect()),
            workflows: full(opened.iter().flat_map(|opened| opened.workflows()).collect()),
        }
    };
    Ok(names.iter().map(one).collect())
}

/// Why a library cannot be had, as the command says it.
pub(crate) fn trouble(error: LibraryError) -> Trouble {
    let hint = error.hint();
    match error {
        LibraryError::Document { found, .. } => Trouble::Diagnostics(found),
        other => Trouble::Usage { message: other.to_string(), hint },
    }
}

/// A path that stands on the command line, as `castline.yaml` has it.
fn from_project(project: &Project, path: &str) -> String {
    match Path::new(path).is_absolute() {
        true => path.to_owned(),
        false => named_from(&project.root, Path::new(path)),
    }
}

/// Findings, as an end.
pub(crate) fn refused(found: Diagnostics) -> Result<Diagnostics, Trouble> {
    if found.has_errors() { Err(Trouble::Diagnostics(found)) } else { Ok(found) }
}
