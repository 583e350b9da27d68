//! Who may name which places, and what a relative one is relative to.

use std::path::{Component, Path, PathBuf};

use castline_spec::library::{Place, is_loopback};

use crate::error::LibraryError;

/// Where the document stands that names a library.
#[derive(Debug, Clone)]
pub(crate) enum Base {
    /// In a folder of this machine, as the user said.
    Folder(PathBuf),
    /// In a repository of git on this machine.
    Repository,
    /// On another machine, or behind a port of this one.
    Remote {
        /// It came from this machine.
        loopback: bool,
    },
}

impl Base {
    /// Of what came from a place; a path is relative to `root`.
    pub fn of(place: &Place, root: &Path) -> Self {
        match (place, place.host()) {
            (Place::Path(path), _) => Self::Folder(clean(&root.join(path))),
            (_, None) => Self::Repository,
            (_, Some(host)) => Self::Remote { loopback: is_loopback(host) },
        }
    }

    /// The place as a lock has it, with paths seen from `root`. What another machine sent names
    /// nothing on this one.
    pub fn place(&self, place: &Place, of: &str, root: &Path) -> Result<Place, LibraryError> {
        let forbidden = |why| LibraryError::Forbidden { of: of.to_owned(), place: format!("`{place}`"), why };
        let relative = |path: &str| path.starts_with("./") || path.starts_with("../");
        match (self, place) {
            (Self::Folder(folder), Place::Path(path)) => Ok(Place::Path(seen_from(root, folder, path))),
            (Self::Folder(folder), Place::Git(git)) if relative(&git.url) => {
                let mut git = git.clone();
                git.url = seen_from(root, folder, &git.url);
                Ok(Place::Git(git))
            }
            (Self::Folder(_), _) => Ok(place.clone()),
            (_, Place::Path(_)) => Err(forbidden("it did not come from a folder")),
            (_, Place::Git(git)) if relative(&git.url) => Err(forbidden("it did not come from a folder")),
            (Self::Repository, _) => Ok(place.clone()),
            (Self::Remote { .. }, _) if place.is_local() => {
                Err(forbidden("it comes from another machine, and that is a place on this one"))
            }
            (Self::Remote { loopback }, _) => match place.host().is_some_and(is_loopback) && !loopback {
                true => Err(forbidden("it comes from another machine, and that is a place on this one")),
                false => Ok(place.clone()),
            },
        }
    }
}

/// A place that the project in this folder names, as its lock has it.
pub fn pinned_place(root: &Path, place: &Place) -> Place {
    let base = Base::Folder(root.to_owned());
    base.place(place, "", root).unwrap_or_else(|_| place.clone())
}

/// A path as it is seen from the project: absolute ones stay as they are.
fn seen_from(root: &Path, folder: &Path, path: &str) -> String {
    if Path::new(path).is_absolute() {
        return path.to_owned();
    }
    let way = way(&clean(root), &clean(&folder.join(path)));
    if way == ".." || way.starts_with("../") { way } else { format!("./{way}") }
}

/// The way from a folder to a path, both from the same root and clean, with `/` between names; empty
/// for the folder itself.
pub fn way(folder: &Path, path: &Path) -> String {
    let shared = folder.components().zip(path.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| "..".to_owned());
    let down = path.components().skip(shared).map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}

/// A path without `.` and `..`, by the names alone: links are not followed.
pub fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(clean.pop()),
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use castline_spec::library::GitPlace;

    use super::*;

    fn git(url: &str) -> Place {
        Place::Git(GitPlace { url: url.to_owned(), rev: None, folder: None })
    }

    #[test]
    fn a_path_is_seen_from_the_project() {
        let root = Path::new("/home/me/project");
        let base = Base::Folder("/home/me/shared/brand".into());
        let seen = |path: &str| base.place(&Place::Path(path.to_owned()), "brand", root).expect("allowed");
        assert_eq!(seen("../base"), Place::Path("../shared/base".to_owned()));
        assert_eq!(seen("/srv/base"), Place::Path("/srv/base".to_owned()));
        let own = Base::Folder(root.to_owned());
        let seen = |path: &str| own.place(&Place::Path(path.to_owned()), "x", root).expect("allowed");
        assert_eq!(seen("./brand"), Place::Path("./brand".to_owned()));
        assert_eq!(seen("../brand/."), Place::Path("../brand".to_owned()));
    }

    #[test]
    fn what_another_machine_sent_names_nothing_on_this_one() {
        let root = Path::new("/home/me/project");
        let remote = Base::Remote { loopback: false };
        for place in
            [Place::Path("/etc".into()), Place::Path("../x".into()), git("file:///srv/x"), git("/srv/x")]
        {
            assert!(remote.place(&place, "brand", root).is_err(), "{place}");
        }
        let near = git("http://127.0.0.1:80/x");
        assert!(remote.place(&near, "brand", root).is_err());
        assert!(Base::Remote { loopback: true }.place(&near, "brand", root).is_ok());
        assert!(remote.place(&git("https://example.com/x"), "brand", root).is_ok());
        assert!(Base::Repository.place(&Place::Path("../x".into()), "brand", root).is_err());
        assert!(Base::Repository.place(&git("../x"), "brand", root).is_err());
    }
}
