//! From what documents name to what is pinned: every library, and those that they name.
//!
//! Start reading at [`resolve`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;

use castline_spec::library::{GitPlace, Library, OciVersion, Place, Wanted};
use castline_spec::{Diagnostics, Source};
use indexmap::IndexMap;

use crate::error::{LibraryError, same};
use crate::git;
use crate::oci::Registry;
use crate::pin::Pin;
use crate::place::{Base, clean, pinned_place};
use crate::shelf::Shelf;
use crate::tree::{FILE, Tree};

/// What is needed to resolve.
#[derive(Debug)]
pub struct Resolver<'a> {
    /// The project's folder.
    pub root: &'a Path,
    /// Where libraries are kept.
    pub shelf: &'a Shelf,
    /// Who is asked for libraries in registries.
    pub registry: &'a Registry,
    /// What was pinned before. A library stays what it was as long as it comes from the same place.
    pub before: &'a BTreeMap<String, Pin>,
    /// Libraries that become what their places mean now.
    pub anew: &'a BTreeSet<String>,
}

/// Every library that a project needs.
#[derive(Debug, Clone, Default)]
pub struct Resolved {
    /// What is to be pinned, by name.
    pub pins: BTreeMap<String, Pin>,
    /// Their files, by the same names.
    pub trees: BTreeMap<String, Tree>,
}

/// A library that somebody names.
struct Named {
    name: String,
    place: Place,
    /// Who names it: `castline.yaml`, then libraries.
    path: Vec<String>,
}

/// Finds every library that is wanted and those that they want, and keeps their files in the store.
/// One name stands for one library; two are an error.
pub async fn resolve(
    resolver: &Resolver<'_>,
    wanted: &IndexMap<String, Wanted>,
) -> Result<Resolved, LibraryError> {
    let mut found = Resolved::default();
    let mut open = VecDeque::new();
    let mut seen: BTreeMap<String, Named> = BTreeMap::new();
    let project = Base::Folder(resolver.root.to_owned());
    let name_all =
        |open: &mut VecDeque<Named>, wanted: &IndexMap<String, Wanted>, base: &Base, path: &[String]| {
            let of = path.last().map_or("", String::as_str);
            for (name, wanted) in wanted {
                let place = base.place(&wanted.place, of, resolver.root)?;
                open.push_back(Named { name: name.clone(), place, path: path.to_vec() });
            }
            Ok::<_, LibraryError>(())
        };
    name_all(&mut open, wanted, &project, &["castline.yaml".to_owned()])?;
    while let Some(named) = open.pop_front() {
        if let Some(first) = seen.get(&named.name) {
            if first.place != named.place {
                same_content(resolver, first, &named, &found).await?;
            }
            continue;
        }
        let (tree, exact) = resolver.get(&named).await?;
        let library = document(&tree, &named.place.to_string())?;
        if library.name.value != named.name {
            return Err(LibraryError::OtherName {
                what: format!("the library in {}", named.place),
                own: library.name.value,
                named: named.name,
            });
        }
        let digest = resolver.shelf.put(&tree)?;
        let mut pin = Pin::new(&named.place, library.version.value.clone(), exact, digest);
        pin.libraries = library.libraries.keys().cloned().collect();
        pin.libraries.sort();
        let path: Vec<_> = named.path.iter().cloned().chain([named.name.clone()]).collect();
        let base = Base::of(&named.place, resolver.root);
        name_all(&mut open, &library.libraries, &base, &path)?;
        found.pins.insert(named.name.clone(), pin);
        found.trees.insert(named.name.clone(), tree);
        seen.insert(named.name.clone(), named);
    }
    Ok(found)
}

/// Two places may well have the same files.
async fn same_content(
    resolver: &Resolver<'_>,
    first: &Named,
    second: &Named,
    found: &Resolved,
) -> Result<(), LibraryError> {
    let same = match resolver.fetch(&second.place, None).await {
        Ok((tree, _)) => tree.digest() == found.pins[&first.name].digest,
        Err(_) => false,
    };
    let words = |named: &Named| named.place.to_string();
    match same {
        true => Ok(()),
        false => Err(LibraryError::Conflict {
            name: first.name.clone(),
            first: first.path.clone(),
            first_place: words(first),
            second: second.path.clone(),
            second_place: words(second),
        }),
    }
}

/// The `library.yaml` of a tree.
pub fn document(tree: &Tree, what: &str) -> Result<Library, LibraryError> {
    let bytes = tree.file(FILE).ok_or_else(|| LibraryError::NoLibrary { what: what.to_owned() })?;
    let source = Source::new(format!("{what}: {FILE}"), String::from_utf8_lossy(bytes));
    let (library, found) = Library::parse(&source);
    let wrong = |found: Diagnostics| LibraryError::Document { what: what.to_owned(), found };
    match library.filter(|_| !found.has_errors()) {
        Some(library) => Ok(library),
        None => Err(wrong(found)),
    }
}

/// A library that nobody has named yet.
#[derive(Debug, Clone)]
pub struct Looked {
    /// Its document.
    pub library: Library,
    /// What it would be pinned as; the libraries that it names are not in it.
    pub pin: Pin,
    /// Its files.
    pub tree: Tree,
}

impl Resolver<'_> {
    /// Fetches what a place means now, which a document in the project's folder would name.
    pub async fn look(&self, place: &Place) -> Result<Looked, LibraryError> {
        let place = pinned_place(self.root, place);
        let (tree, exact) = self.fetch(&place, None).await?;
        let library = document(&tree, &place.to_string())?;
        let digest = self.shelf.put(&tree)?;
        let pin = Pin::new(&place, library.version.value.clone(), exact, digest);
        Ok(Looked { library, pin, tree })
    }

    /// The files of a library: what was pinned, as long as that is what is named.
    async fn get(&self, named: &Named) -> Result<(Tree, Option<String>), LibraryError> {
        let before = self.before.get(&named.name).filter(|pin| {
            let same = pin.place().as_ref() == Some(&named.place);
            // A folder is what it is now.
            same && !self.anew.contains(&named.name) && !matches!(named.place, Place::Path(_))
        });
        let Some(pin) = before else { return self.fetch(&named.place, None).await };
        let exact = pin.exact().map(str::to_owned);
        // What is vendored needs no network either.
        let vendored = || Some(self.shelf.open(&named.name, &pin.digest).ok()?.tree);
        if let Some(tree) = self.shelf.stored(&pin.digest).or_else(vendored) {
            return Ok((tree, exact));
        }
        let (tree, now) = self.fetch(&named.place, exact.as_deref()).await?;
        let what = format!("library `{}` in {}", named.name, named.place);
        same(&what, &pin.digest, &tree.digest())?;
        Ok((tree, now))
    }

    /// Fetches what is in a place, or exactly this commit or manifest of it.
    async fn fetch(
        &self,
        wanted: &Place,
        exact: Option<&str>,
    ) -> Result<(Tree, Option<String>), LibraryError> {
        match wanted {
            Place::Path(path) => {
                let folder = clean(&self.root.join(path));
                let tree = Tree::of_folder(&folder, &format!("the library in `{path}`"))?;
                Ok((tree, None))
            }
            Place::Git(git) => {
                let (tree, commit) = git::fetch(&from_root(self.root, git), exact)?;
                Ok((tree, Some(commit)))
            }
            Place::Oci(oci) => {
                let mut oci = oci.clone();
                if let Some(digest) = exact {
                    oci.version = OciVersion::Digest(digest.to_owned());
                }
                let (tree, manifest) = self.registry.pull(&oci).await?;
                Ok((tree, Some(manifest)))
            }
        }
    }
}

/// With the address of a repository on this machine from the root.
fn from_root(root: &Path, git: &GitPlace) -> GitPlace {
    let relative = git.url.starts_with("./") || git.url.starts_with("../");
    let mut git = git.clone();
    if relative {
        git.url = clean(&root.join(&git.url)).to_string_lossy().into_owned();
    }
    git
}
